"""TPC-H side by side: every engine on the same files, in one run.

For each query: a first run of each engine with the files dropped from the page
cache, a warm-up, then N rounds in which the engines take turns, starting with a
different one each round. Every answer of every run is compared with the
reference's (DuckDB's if it takes part). See docs/performance.md; run.sh
installs what is needed and calls this.
"""

import argparse
import gc
import json
import signal
import sys
import time
from pathlib import Path

import answers
import engines as catalog
import machine
import report
from procs import StartError
from statement import QueryError


def arguments(argv):
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--sf", default="1", help="scale factor, for the report")
    p.add_argument("--schema", required=True, help="folder below --data with the eight tables")
    p.add_argument("--data", type=Path, required=True)
    p.add_argument("--scratch", type=Path, required=True, help="configurations and logs of the engines")
    p.add_argument("--out", type=Path, required=True, help="where the report goes, as .md and .json")
    p.add_argument("--engines", default="duckdb tutti tutti-cluster")
    p.add_argument("--queries", default="", help="such as 1,6,18 (default: all)")
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--warmup", type=int, default=1)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--timeout", type=float, default=120, help="seconds a query may take")
    p.add_argument("--settle", type=float, default=0.25, help="seconds to wait at most for idle cores before a run")
    p.add_argument("--port", type=int, default=19000, help="first of 100 ports")
    p.add_argument("--format", choices=["text", "markdown"], default="text")
    p.add_argument("--max-rss", default="", help="ENGINE=GIB: fail when its processes together exceed this")
    p.add_argument("--worker-memory", default="8GB", help="--memory-limit of Tutti's workers")
    p.add_argument("--sql", type=Path, required=True, help="folder of q01.sql …")
    p.add_argument("--tutti", type=Path, required=True)
    p.add_argument("--versitygw", type=Path, default=Path("versitygw"))
    p.add_argument("--s3-python", default="", help="Python whose DuckDB has the httpfs extension")
    p.add_argument("--trino", default="", help="unpacked server")
    p.add_argument("--trino-java", default="")
    p.add_argument("--missing", action="append", default=[], help="NAME: why an engine could not be installed")
    p.add_argument("--commit", default="")
    return p.parse_args(argv)


def load_queries(folder, wanted):
    names = [f"q{int(n):02d}" for n in wanted.replace("q", "").split(",")] if wanted else [f"q{i:02d}" for i in range(1, 23)]
    return {n: (folder / f"{n}.sql").read_text().strip().rstrip(";") for n in names}


def start_all(engines, store, notes):
    """The engines that came up; why the others did not goes to the notes."""
    if store:
        store.start()
    up = []
    for e in engines:
        print(f"starting {e.label} …", file=sys.stderr, flush=True)
        try:
            e.start()
            up.append(e)
        except (StartError, QueryError, OSError) as error:
            e.stop()
            notes.append(f"{e.label} is left out: {error}")
            print(notes[-1], file=sys.stderr, flush=True)
    return up


class Comparison:
    """The measuring itself; `results[query][engine name]` is a report.Timing."""

    def __init__(self, engines, args):
        self.engines, self.args = engines, args
        self.results, self.strangers = {}, [0.0, 0.0, 0.0]  # CPU seconds of others, stolen, wall

    def measure(self, queries):
        for name, sql in queries.items():
            row = self.results[name] = {e.name: report.Timing() for e in self.engines}
            want = None
            for e in self.engines:
                machine.forget_files(self.args.data / self.args.schema)
                rows = self._once(e, name, sql, row[e.name], want, cold=True)
                want = rows if want is None else want
            for round_ in range(self.args.warmup + self.args.runs):
                for e in self._order(round_):
                    if not row[e.name].error:
                        self._once(e, name, sql, row[e.name], want, keep=round_ >= self.args.warmup)
            print(self._progress(name), *report.faults(self.engines, {name: row}), sep="\n  ", file=sys.stderr, flush=True)

    def _order(self, round_):
        k = round_ % len(self.engines)
        return self.engines[k:] + self.engines[:k]

    def _once(self, e, name, sql, timing, want, cold=False, keep=False):
        """One run; its rows, None when it failed."""
        machine.settle(self.args.settle)
        e.reset_peak()
        gc.collect()
        gc.disable()
        cpu, busy, own, wall = e.cpu(), machine.busy(), time.process_time(), time.perf_counter()
        try:
            seconds, rows = e.run(sql, self.args.timeout)
        except QueryError as error:
            timing.error = str(error).split("\n")[0]
            return None
        finally:
            gc.enable()
        used = e.cpu() - cpu
        timing.peak = max(timing.peak, e.size("VmHWM"))
        if keep:
            timing.times.append(seconds)
            timing.cpu.append(used)
            self._note_strangers(busy, used + time.process_time() - own, time.perf_counter() - wall)
        if cold:
            timing.first = seconds
        if want is not None and timing.wrong is None:
            timing.wrong = answers.difference(name, want, rows)
        return rows

    def _note_strangers(self, before, ours, wall):
        now = machine.busy()
        for i, v in enumerate((max(0.0, now[0] - before[0] - ours), now[1] - before[1], wall)):
            self.strangers[i] += v

    def load_by_others(self):
        others, stolen, wall = self.strangers
        cores = max(1e-9, wall * machine.cores())
        return f"{100 * others / cores:.0f} % of the cores used by others while measuring, {100 * stolen / cores:.0f} % taken by the host"

    def _progress(self, name):
        cells = []
        for e in self.engines:
            t = self.results[name][e.name]
            best = t.minimum if t.times else t.cold
            cells.append(f"{e.name} {'FAILED' if t.error else 'WRONG' if t.wrong else f'{(best or 0) * 1000:.0f} ms'}")
        return f"{name}  " + "  ".join(cells)


def rss_verdict(limit, engines, results):
    """(line for the report, whether it holds) of ENGINE=GIB."""
    name, _, gib = limit.partition("=")
    engine = next((e for e in engines if e.name == name), None)
    if engine is None:
        return f"the memory of {name} was not measured", False
    peak = max(results[q][name].peak for q in results) / 2**30
    top = max(results, key=lambda q: results[q][name].peak)
    good = peak <= float(gib)
    return f"{engine.label}: peak {peak:.2f} GiB, in {top}; limit {gib} GiB: {'held' if good else 'EXCEEDED'}", good


def save(args, title, facts, comparison, notes):
    args.out.parent.mkdir(parents=True, exist_ok=True)
    engines, results = comparison.engines, comparison.results
    text = {f: report.document(title, facts, engines, results, "duckdb", notes, table)
            for f, table in (("text", report.as_text), ("markdown", report.as_markdown))}
    args.out.with_suffix(".md").write_text(text["markdown"])
    raw = {q: {n: {"first": t.first, "times": t.times, "cpu": t.cpu, "peak": t.peak, "error": t.error, "wrong": t.wrong}
               for n, t in row.items()} for q, row in results.items()}
    args.out.with_suffix(".json").write_text(json.dumps(
        {"title": title, "facts": facts, "notes": notes, "versions": {e.name: e.version for e in engines}, "results": raw}, indent=1))
    print("\n" + text[args.format])
    print(f"Also in {args.out.with_suffix('.md')} and, with every single run, in {args.out.with_suffix('.json')}")


def main(argv):
    args = arguments(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # runs the finally below
    machine.pin(args.threads)
    queries = load_queries(args.sql, args.queries)
    engines, store = catalog.build(args.engines.split(), args)
    notes = list(args.missing)
    up = []
    try:
        up = start_all(engines, store, notes)
        if not up:
            raise SystemExit("no engine could be started")
        comparison = Comparison(up, args)
        comparison.measure(queries)
    finally:
        for e in engines:
            e.stop()
        if store:
            store.stop()
    title = f"TPC-H scale factor {args.sf}, {time.strftime('%Y-%m-%d')}"
    facts = [machine.describe(), comparison.load_by_others(),
             f"{args.runs} warm runs after {args.warmup} warm-up and the cold run, engines taking turns; ratios to DuckDB"]
    if args.commit:
        facts.append(f"Tutti at commit {args.commit}")
    held = True
    if args.max_rss:
        line, held = rss_verdict(args.max_rss, up, comparison.results)
        facts.append(line)
    save(args, title, facts, comparison, notes)
    mine = [e for e in engines if e.name.startswith("tutti")]
    good = all(e in up and all(row[e.name].ok for row in comparison.results.values()) for e in mine)
    return 0 if good and held else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
