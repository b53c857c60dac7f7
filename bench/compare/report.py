"""Tables of a run, as text for a terminal or as Markdown."""

import math


class Timing:
    """One engine's runs of one query. `first` is the cold run, `times` the
    warm ones; `error` tells why there are none; `peak` is in bytes."""

    def __init__(self):
        self.first, self.times, self.error, self.wrong, self.peak, self.cpu = None, [], None, None, 0, []

    @property
    def ok(self):
        return self.error is None and self.wrong is None

    @property
    def minimum(self):
        return min(self.times) if self.times and self.ok else None

    @property
    def median(self):
        if not self.times or not self.ok:
            return None
        s, n = sorted(self.times), len(self.times)
        return s[n // 2] if n % 2 else (s[n // 2 - 1] + s[n // 2]) / 2

    @property
    def cold(self):
        return self.first if self.ok else None


def total(values):
    """The sum, None unless every value is there."""
    values = list(values)
    return sum(values) if values and None not in values else None


def geomean(values):
    values = list(values)
    if not values or None in values:
        return None
    return math.exp(sum(math.log(max(v, 1e-9)) for v in values) / len(values))


def seconds(v):
    """Three significant digits or milliseconds, whichever is coarser."""
    if v is None:
        return "–"
    return f"{v:.3f}" if v < 10 else f"{v:.2f}" if v < 100 else f"{v:.1f}"


def ratio(v, base):
    return "–" if v is None or not base else f"{v / base:.2f}"


def mib(size):
    return f"{size / 2**20:.0f}" if size else "–"


def summary(engines, results, baseline):
    """One row an engine. `results[query][engine name]` is a Timing."""
    rows = []
    names = {e.name for e in engines}
    base = baseline if baseline in names else None

    def over(name, attribute, how):
        return how(getattr(results[q][name], attribute) for q in results)

    for e in engines:
        low, geo = over(e.name, "minimum", total), over(e.name, "minimum", geomean)
        good = sum(1 for q in results if results[q][e.name].ok)
        cpu = total(min(results[q][e.name].cpu, default=None) for q in results)
        rows.append([
            f"{e.label} ({e.version})", seconds(low), ratio(low, base and over(base, "minimum", total)),
            seconds(geo), ratio(geo, base and over(base, "minimum", geomean)),
            seconds(over(e.name, "median", total)), seconds(over(e.name, "cold", total)),
            seconds(cpu), mib(max(results[q][e.name].peak for q in results)), f"{good}/{len(results)}"])
    head = ["engine", "total s", "× DuckDB", "geomean s", "× DuckDB, geo", "median total", "cold total", "CPU s", "peak MiB", "right"]
    return head, rows


def per_query(engines, results, attribute, show=seconds):
    """One row a query, one column an engine."""
    rows = [[q] + [show(getattr(results[q][e.name], attribute)) for e in engines] for q in results]
    if show is seconds:
        sums = [[getattr(results[q][e.name], attribute) for q in results] for e in engines]
        rows.append(["total"] + [seconds(total(s)) for s in sums])
        rows.append(["geomean"] + [seconds(geomean(s)) for s in sums])
    return ["query"] + [e.label for e in engines], rows


def as_text(head, rows):
    widths = [max(len(str(r[i])) for r in [head, *rows]) for i in range(len(head))]

    def line(row):
        return "  ".join(str(c).ljust(w) if i == 0 else str(c).rjust(w) for i, (c, w) in enumerate(zip(row, widths))).rstrip()

    return "\n".join([line(head), "  ".join("─" * w for w in widths), *map(line, rows)])


def as_markdown(head, rows):
    def line(row):
        return "| " + " | ".join(str(c) for c in row) + " |"

    return "\n".join([line(head), "|---|" + "---:|" * (len(head) - 1), *map(line, rows)])


def faults(engines, results):
    """What failed or was wrong, one line each."""
    out = []
    for q in results:
        for e in engines:
            t = results[q][e.name]
            if t.error:
                out.append(f"{e.label} {q} failed: {t.error}")
            elif t.wrong:
                out.append(f"{e.label} {q} is wrong: {t.wrong}")
    return out


def document(title, facts, engines, results, baseline, notes, table=as_text):
    """The whole report."""
    mark = table is as_markdown
    parts = [("## " if mark else "") + title, "\n".join(("- " if mark else "  ") + f for f in facts)]
    head = "### " if mark else ""
    parts += [table(*summary(engines, results, baseline))]
    parts += [head + "Minimum of the warm runs, seconds", table(*per_query(engines, results, "minimum"))]
    parts += [head + "Median of the warm runs, seconds", table(*per_query(engines, results, "median"))]
    parts += [head + "First run, files not in the page cache, seconds", table(*per_query(engines, results, "cold"))]
    parts += [head + "Peak resident memory, MiB, all processes of an engine together",
              table(*per_query(engines, results, "peak", mib))]
    wrong = faults(engines, results)
    if wrong:
        parts += [head + "Failed or wrong", "\n".join(("- " if mark else "  ") + f for f in wrong)]
    if notes:
        parts += [head + "Notes", "\n".join(("- " if mark else "  ") + n for n in notes)]
    return "\n\n".join(parts) + "\n"
