"""Are two engines' answers the same?

Values arrive as JSON from Tutti and Trino, as Python objects from DuckDB and
DataFusion. What an engine calculates exactly must be equal: integers, texts,
dates, sums of decimals. Averages and quotients differ in type and scale by
design (decimal of 2 digits, decimal of 6 digits, double): such a pair may
differ by one unit of the coarser scale, or by 1e-9 relative against a double.

Rows are compared in order. The few queries whose ORDER BY leaves ties may give
the tied rows in any order, and, where a LIMIT cuts through a tie, any of them.
"""

import datetime
from decimal import Decimal

# Positions of the sort keys in a row, and the LIMIT (0: none).
ORDER = {
    "q01": ([0, 1], 0), "q02": ([0, 2, 1, 3], 100), "q03": ([1, 2], 10), "q04": ([0], 0), "q05": ([1], 0),
    "q06": ([], 0), "q07": ([0, 1, 2], 0), "q08": ([0], 0), "q09": ([0, 1], 0), "q10": ([2], 20),
    "q11": ([1], 0), "q12": ([0], 0), "q13": ([1, 0], 0), "q14": ([], 0), "q15": ([0], 0),
    "q16": ([3, 0, 1, 2], 0), "q17": ([], 0), "q18": ([4, 3], 100), "q19": ([], 0), "q20": ([0], 0),
    "q21": ([1, 0], 100), "q22": ([0], 0),
}  # fmt: skip

RELATIVE = 1e-9


def typed(types, rows):
    """Rows of the statement protocol with their values as Python's."""
    makers = [_maker(t) for t in types]
    return [tuple(v if v is None or m is None else m(v) for m, v in zip(makers, row)) for row in rows]


def _maker(type_name):
    base = type_name.split("(")[0]
    if base == "decimal":
        return Decimal
    if base == "date":
        return datetime.date.fromisoformat
    if base in ("double", "real"):
        return float  # NaN and infinities are texts in JSON
    return None


def difference(query, want, got):
    """None when `got` answers the query as `want` does, else what differs."""
    if len(want) != len(got):
        return f"{len(got)} rows instead of {len(want)}"
    keys, limit = ORDER.get(query, ([], 0))
    at = next((i for i, (a, b) in enumerate(zip(want, got)) if not _same_row(a, b)), None)
    if at is None:
        return None
    shown = f"row {at + 1} is {_show(got[at])} instead of {_show(want[at])}"
    if not keys or not all(_same(a[k], b[k]) for a, b in zip(want, got) for k in keys):
        return shown
    return None if _same_but_for_ties(want, got, keys, limit) else shown


def _same_but_for_ties(want, got, keys, limit):
    """Both are sorted alike: within each run of equal keys the rows may be
    permuted; the last run of a LIMIT that is full may hold other rows."""
    start = 0
    while start < len(want):
        end = start + 1
        while end < len(want) and all(_same(want[start][k], want[end][k]) for k in keys):
            end += 1
        cut = limit and end == len(want) == limit
        if not cut and not _same_rows(want[start:end], got[start:end]):
            return False
        start = end
    return True


def _same_rows(want, got):
    rest = list(got)
    for row in want:
        match = next((i for i, r in enumerate(rest) if _same_row(row, r)), None)
        if match is None:
            return False
        del rest[match]
    return True


def _same_row(a, b):
    return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b))


def _same(a, b):
    if a is None or b is None:
        return a is b
    if isinstance(a, datetime.datetime):
        a = a.date()
    if isinstance(b, datetime.datetime):
        b = b.date()
    if isinstance(a, float) or isinstance(b, float):
        return _close(a, b)
    if isinstance(a, Decimal) and isinstance(b, Decimal):
        return _equal_at_scale(a, b)
    return a == b


def _close(a, b):
    if isinstance(a, (str, datetime.date)) or isinstance(b, (str, datetime.date)):
        return False
    x, y = float(a), float(b)
    if x != x or y != y:
        return x != x and y != y
    slack = max((_unit(v) for v in (a, b) if isinstance(v, Decimal)), default=0.0)
    return abs(x - y) <= max(RELATIVE * max(abs(x), abs(y)), slack * 1.000001)


def _unit(d):
    return float(Decimal(1).scaleb(min(0, d.as_tuple().exponent)))


def _equal_at_scale(a, b):
    sa, sb = -min(0, a.as_tuple().exponent), -min(0, b.as_tuple().exponent)
    if sa == sb or a == b:
        return a == b
    return abs(a - b) <= Decimal(1).scaleb(-min(sa, sb))


def _show(row):
    text = "(" + ", ".join(str(v) for v in row) + ")"
    return text if len(text) <= 120 else text[:117] + "…"
