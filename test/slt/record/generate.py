#!/usr/bin/env python3
"""Writes corpus/random_*.slt: queries made at random from a grammar, kept only
where the reference server and DuckDB give the same result.

    /tmp/ref/venv/bin/python test/slt/record/generate.py [--url URL] [--data FOLDER] [--seed N]

Hand-written queries test what their author thought of; these mix joins,
subqueries, grouping, set operations and expressions as nobody would. A query
that fails in either engine is thrown away. A difference between the two is
printed: it is a mistake in one of them, and worth a hand-written record.
"""

import argparse
import pathlib
import random

import record  # first: it finds the modules of test/ref
import crosscheck  # isort: skip
import trinoraw

CORPUS = pathlib.Path(record.__file__).resolve().parent.parent / "corpus"

# Tables, a bound on a key that keeps them small, and columns by kind.
TABLES = {
    "nation": ("nationkey", 25, {"i": ["nationkey", "regionkey"], "t": ["name"]}),
    "region": ("regionkey", 5, {"i": ["regionkey"], "t": ["name"]}),
    "supplier": ("suppkey", 100, {"i": ["suppkey", "nationkey"], "t": ["name", "phone"]}),
    "customer": ("custkey", 200, {"i": ["custkey", "nationkey"], "t": ["name", "mktsegment", "phone"]}),
    "orders": ("orderkey", 2000, {"i": ["orderkey", "custkey", "shippriority"], "t": ["orderstatus", "orderpriority"], "d": ["orderdate"]}),
    "lineitem": ("orderkey", 500, {"i": ["orderkey", "partkey", "suppkey", "linenumber"], "t": ["returnflag", "linestatus", "shipmode"],
                                   "d": ["shipdate", "commitdate", "receiptdate"]}),
    "part": ("partkey", 300, {"i": ["partkey", "size"], "t": ["brand", "type", "container"]}),
    "partsupp": ("partkey", 200, {"i": ["partkey", "suppkey", "availqty"], "t": ["comment"]}),
}  # fmt: skip
DECIMALS = {"supplier": ["acctbal"], "customer": ["acctbal"], "orders": ["totalprice"], "part": ["retailprice"], "partsupp": ["supplycost"],
            "lineitem": ["quantity", "extendedprice", "discount", "tax"]}  # fmt: skip
PREFIX = {"nation": "n", "region": "r", "supplier": "s", "customer": "c", "orders": "o", "lineitem": "l", "part": "p", "partsupp": "ps"}
JOINS = [("nation", "regionkey", "region", "regionkey"), ("customer", "nationkey", "nation", "nationkey"),
         ("supplier", "nationkey", "nation", "nationkey"), ("orders", "custkey", "customer", "custkey"),
         ("lineitem", "orderkey", "orders", "orderkey"), ("partsupp", "partkey", "part", "partkey"),
         ("partsupp", "suppkey", "supplier", "suppkey"), ("lineitem", "partkey", "part", "partkey"),
         ("supplier", "nationkey", "customer", "nationkey"), ("lineitem", "suppkey", "supplier", "suppkey"),
         ("nation", "nationkey", "region", "regionkey"), ("part", "size", "nation", "nationkey")]  # fmt: skip
WORDS = ["A", "BUILDING", "1-URGENT", "F", "AIR", "Brand#12", "GERMANY", "MACHINERY", "x", ""]


class Scope:
    """The columns that an expression may use: kind → qualified names."""

    def __init__(self, columns):
        self.columns = columns

    def of(self, kind):
        return self.columns.get(kind, [])

    def plus(self, other):
        return Scope({k: self.of(k) + other.of(k) for k in "itdn"})


class Maker:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.names = 0

    def pick(self, *choices):
        return self.rng.choice(choices)

    def chance(self, p):
        return self.rng.random() < p

    # Relations. A table comes under a fresh alias, from tpch or tpchstd.

    def table(self, name):
        self.names += 1
        alias = f"{PREFIX[name]}{self.names}"
        _, _, columns = TABLES[name]
        standard = name in DECIMALS and self.chance(0.4)
        full = (lambda c: f"{alias}.{PREFIX[name]}_{c}") if standard else (lambda c: f"{alias}.{c}")
        scope = {k: [full(c) for c in cs] for k, cs in columns.items()}
        scope["n"] = [full(c) for c in DECIMALS[name]] if standard else []
        source = f"tpchstd.tiny.{name}" if standard else name
        return f"{source} {alias}", Scope(scope), full

    def bounded(self, name):
        """A table and a condition that keeps few rows of it."""
        text, scope, full = self.table(name)
        key, rows, _ = TABLES[name]
        return text, scope, full, f"{full(key)} <= {self.rng.randint(max(1, rows // 10), rows)}"

    def relation(self):
        text, scope, conditions = self.pair()
        if not conditions or self.chance(0.6) or len(scope.of("i")) > 6:
            return text, scope, conditions
        ltext, lscope, lfull, _ = self.bounded(self.pick("nation", "region", "supplier", "part"))
        on = f"{self.rng.choice(lscope.of('i'))} = {self.rng.choice(scope.of('i'))}"
        return f"{text} {self.pick('JOIN', 'LEFT JOIN')} {ltext} ON {on}", scope.plus(lscope), conditions

    def pair(self):
        if self.chance(0.25):
            text, scope, _, bound = self.bounded(self.rng.choice(list(TABLES)))
            return text, scope, [bound]
        left, lkey, right, rkey = self.rng.choice(JOINS)
        if self.chance(0.4):
            left, lkey, right, rkey = right, rkey, left, lkey
        ltext, lscope, lfull, lbound = self.bounded(left)
        rtext, rscope, rfull, _ = self.bounded(right)
        kind = self.pick("JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", ",")
        on = f"{lfull(lkey)} = {rfull(rkey)}"
        scope = lscope.plus(rscope)
        if kind == ",":
            return f"{ltext}, {rtext}", scope, [on, lbound]
        if self.chance(0.35):
            on += f" AND {self.condition(lscope if kind != 'RIGHT JOIN' else rscope, 0)}"
        if self.chance(0.25):
            on += f" AND {self.condition(rscope, 0)}"
        if kind in ("RIGHT JOIN", "FULL JOIN") and TABLES[left][1] * TABLES[right][1] > 60000:
            kind = "LEFT JOIN"
        return f"{ltext} {kind} {rtext} ON {on}", scope, [lbound] if kind in ("JOIN", "LEFT JOIN") else []

    # Expressions.

    def integer(self, scope, depth):
        if depth <= 0 or self.chance(0.35):
            return self.rng.choice(scope.of("i")) if scope.of("i") and self.chance(0.8) else str(self.rng.randint(0, 40))
        a, b = self.integer(scope, depth - 1), self.integer(scope, depth - 1)
        options = [f"({a} + {b})", f"({a} - {b})", f"{a} % {self.rng.randint(2, 9)}", f"abs({a} - {b})", f"coalesce({a}, {b})",
                   f"nullif({a}, {self.rng.randint(0, 5)})", f"CASE WHEN {self.condition(scope, depth - 1)} THEN {a} ELSE {b} END",
                   f"{a} / {self.rng.randint(2, 9)}"]  # fmt: skip
        if scope.of("t"):
            options.append(f"length({self.text(scope, depth - 1)})")
        if scope.of("d"):
            options += [f"year({self.rng.choice(scope.of('d'))})", f"month({self.rng.choice(scope.of('d'))})"]
        return self.rng.choice(options)

    def number(self, scope, depth):
        """A decimal: no quotients, which DuckDB computes as doubles."""
        a = self.rng.choice(scope.of("n")) if scope.of("n") and self.chance(0.85) else self.pick("0.5", "10.25", "1.00", "-3.1")
        if depth <= 0 or self.chance(0.4):
            return a
        b = self.number(scope, 0)
        return self.pick(f"({a} + {b})", f"({a} - {b})", f"({a} * {b})", f"-({a})", f"coalesce({a}, {b})",
                         f"CASE WHEN {self.condition(scope, depth - 1)} THEN {a} ELSE {b} END")  # fmt: skip

    def text(self, scope, depth):
        a = self.rng.choice(scope.of("t")) if scope.of("t") and self.chance(0.9) else f"'{self.rng.choice(WORDS)}'"
        if depth <= 0 or self.chance(0.5):
            return a
        n = self.rng.randint(1, 4)
        return self.pick(f"substr({a}, {n})", f"substr({a}, {n}, {n})", f"upper({a})", f"lower({a})", f"{a} || '-' || {self.text(scope, 0)}",
                         f"replace({a}, 'A', 'b')", f"coalesce({a}, 'none')", f"reverse({a})", f"nullif({a}, 'F')")  # fmt: skip

    def day(self, scope, depth):
        a = self.rng.choice(scope.of("d")) if scope.of("d") and self.chance(0.85) else f"DATE '199{self.rng.randint(2, 8)}-0{self.rng.randint(1, 9)}-11'"
        if depth <= 0 or self.chance(0.5):
            return a
        return self.pick(f"{a} + INTERVAL '{self.rng.randint(1, 40)}' DAY", f"{a} - INTERVAL '{self.rng.randint(1, 14)}' MONTH", f"coalesce({a}, DATE '1995-01-01')")

    def value(self, scope, depth):
        kinds = [k for k in "iitdn" if scope.of(k)] or ["i"]
        kind = self.rng.choice(kinds)
        return {"i": self.integer, "t": self.text, "d": self.day, "n": self.number}[kind](scope, depth), kind

    def condition(self, scope, depth):
        if depth > 0 and self.chance(0.45):
            a, b = self.condition(scope, depth - 1), self.condition(scope, depth - 1)
            return self.pick(f"({a} AND {b})", f"({a} OR {b})", f"NOT ({a})", f"({a} OR {b})")
        (a, kind) = self.value(scope, depth)
        if kind == "t" and self.chance(0.4):
            return f"{a} {self.pick('LIKE', 'NOT LIKE')} '{self.pick('%A%', 'S%', '%1', '_E%', '%', 'Brand#_3')}'"
        if kind == "i" and self.chance(0.3):
            few = ", ".join(str(self.rng.randint(0, 20)) for _ in range(4)) + self.pick("", "", ", NULL")
            return f"{a} {self.pick('IN', 'NOT IN')} ({few})" if "NULL" not in few else f"{a} + 0 IN ({few})"
        b, _ = {"i": self.integer, "t": self.text, "d": self.day, "n": self.number}[kind](scope, depth), kind
        if self.chance(0.15):
            return f"{a} IS {self.pick('', 'NOT ')}NULL"
        if self.chance(0.15):
            return f"{a} IS {self.pick('', 'NOT ')}DISTINCT FROM {b}"
        return f"{a} {self.pick('=', '<>', '<', '<=', '>', '>=')} {b}"

    # Subqueries.

    def scalar(self, outer):
        """A correlated scalar subquery that is an integer."""
        left, lkey, _, _ = self.rng.choice(JOINS)
        text, scope, full, bound = self.bounded(left)
        link = f"{full(lkey)} {self.pick('=', '=', '=', '<')} {self.rng.choice(outer.of('i'))}"
        aggregate = self.pick("count(*)", "count(*) + 1", f"coalesce(max({self.rng.choice(scope.of('i'))}), -1)", f"sum({self.rng.choice(scope.of('i'))})")
        more = f" AND {self.condition(scope, 0)}" if self.chance(0.4) else ""
        return f"(SELECT {aggregate} FROM {text} WHERE {bound} AND {link}{more})"

    def subquery_condition(self, outer):
        left, lkey, right, rkey = self.rng.choice(JOINS)
        text, scope, full, bound = self.bounded(left)
        inner = f"FROM {text} WHERE {bound}"
        ints = outer.of("i")
        if not ints:
            return "1 = 1"
        column = self.rng.choice(ints)
        linked = self.chance(0.7)
        if linked:
            inner += f" AND {full(lkey)} = {column}"
        if self.chance(0.5):
            inner += f" AND {self.condition(scope, 1)}"
        if linked and self.chance(0.25):
            inner += f" AND {self.integer(scope, 0)} {self.pick('<', '<>', '>=')} {self.rng.choice(ints)}"
        kind = self.rng.randint(0, 3)
        if kind == 0:
            return f"{self.pick('', 'NOT ')}EXISTS (SELECT 1 {inner})"
        if kind == 1:
            return f"{column} {self.pick('IN', 'NOT IN')} (SELECT {self.pick(full(lkey), 'nullif(' + full(lkey) + ', 3)')} {inner})"
        if kind == 2:
            aggregate = self.pick("count(*)", f"max({self.rng.choice(scope.of('i'))})", f"min({self.rng.choice(scope.of('i'))})", f"sum({self.rng.choice(scope.of('i'))})")
            return f"{self.integer(outer, 0)} {self.pick('<', '>', '<=', '=', '<>')} (SELECT {aggregate} {inner})"
        return f"{column} {self.pick('<', '>=', '=', '<>')} {self.pick('ANY', 'ALL')} (SELECT {full(lkey)} {inner})"

    # Queries.

    def where(self, scope, conditions):
        conditions = list(conditions)
        if self.chance(0.6):
            conditions.append(self.condition(scope, 2))
        if self.chance(0.45):
            conditions.append(self.subquery_condition(scope))
            if self.chance(0.3):
                conditions[-1] = f"({conditions[-1]} OR {self.condition(scope, 0)})"
        return " WHERE " + " AND ".join(conditions) if conditions else ""

    def rows(self, width):
        """A query for rows: text and the kinds of its columns."""
        text, scope, conditions = self.relation()
        items, kinds = [], []
        for i in range(width):
            expression, kind = self.value(scope, 2)
            if scope.of("i") and self.chance(0.12):
                expression, kind = self.scalar(scope), "i"
            items.append(f"{expression} AS x{i}")
            kinds.append(kind)
        return f"SELECT {self.pick('', '', 'DISTINCT ')}{', '.join(items)} FROM {text}{self.where(scope, conditions)}", kinds

    def aggregates(self, columns):
        """Aggregates over columns given as (name, kind)."""
        out = ["count(*)"]
        for name, kind in columns:
            out.append(self.rng.choice([f"count({name})", f"min({name})", f"max({name})", f"count(DISTINCT {name})"]))
            if kind in "in":
                out.append(self.pick(f"sum({name})", f"sum(DISTINCT {name})", f"count({name}) FILTER (WHERE {name} > 5)", f"avg({name})" if kind == "i" else f"sum({name})"))
        return out

    def summary(self):
        inner, kinds = self.rows(self.rng.randint(1, 3))
        return f"SELECT {', '.join(self.aggregates([(f'x{i}', k) for i, k in enumerate(kinds)]))} FROM ({inner})"

    def grouped(self):
        text, scope, conditions = self.relation()
        key, kind = self.value(scope, 1)
        what = [self.value(scope, 1) for _ in range(2)]
        aggregates = self.aggregates(what)
        having = f" HAVING {self.pick('count(*) > 1', 'min(' + what[0][0] + ') IS NOT NULL', 'count(*) < 50')}" if self.chance(0.35) else ""
        grouped = f"SELECT {key} AS k, {', '.join(f'{a} AS v{i}' for i, a in enumerate(aggregates))} FROM {text}{self.where(scope, conditions)} GROUP BY 1{having}"
        if self.chance(0.5):
            return f"{grouped} ORDER BY 1 {self.pick('', 'DESC', 'NULLS FIRST', 'DESC NULLS LAST')}".rstrip() + f" LIMIT {self.rng.randint(3, 8)}"
        return f"SELECT count(*), min(k), max(k), sum(v0) FROM ({grouped})"

    def set_operation(self):
        width = self.rng.randint(1, 2)
        first, kinds = self.rows(width)
        for _ in range(40):
            second, other = self.rows(width)
            if other == kinds:
                break
        else:
            return self.summary()
        operation = self.pick("UNION ALL", "UNION", "INTERSECT", "EXCEPT", "EXCEPT ALL", "INTERSECT ALL")
        return f"SELECT {', '.join(self.aggregates([(f'x{i}', k) for i, k in enumerate(kinds)]))} FROM ({first} {operation} {second})"

    def top(self):
        inner, kinds = self.rows(self.rng.randint(2, 3))
        keys = ", ".join(f"{i + 1}{self.pick('', ' DESC', ' NULLS FIRST', ' DESC NULLS FIRST')}" for i in range(len(kinds)))
        return f"{inner} ORDER BY {keys} {self.pick('', f'OFFSET {self.rng.randint(1, 5)} ')}LIMIT {self.rng.randint(2, 8)}"

    def cte(self):
        inner, kinds = self.rows(2)
        ints = [i for i, k in enumerate(kinds) if k == "i"]
        link = f"a.x{ints[0]} = b.x{ints[0]}" if ints else "a.x0 = b.x0"
        return f"WITH t AS ({inner}) SELECT count(*), count(a.x0), max(b.x1), (SELECT count(*) FROM t) FROM t a {self.pick('JOIN', 'LEFT JOIN')} t b ON {link}"


KINDS = {"summary": 70, "grouped": 70, "set_operation": 40, "top": 50, "cte": 30}
TITLES = {
    "summary": "filters, joins and subqueries under an aggregation",
    "grouped": "grouping by expressions",
    "set_operation": "set operations",
    "top": "the first rows in a full order",
    "cte": "a query used several times",
}


def keep(sql, session, duck, counts):
    """The record's lines, or None when it is of no use."""
    try:
        result = session.run(sql)
    except trinoraw.Failure as failure:
        counts["failed"] = counts.get("failed", 0) + 1
        counts.setdefault("why", {}).setdefault(failure.message[:60], sql)
        return None
    if not 1 <= len(result.rows) <= 8 or result.rows[0][0] == "0":
        return None  # too long, or found nothing
    block = record.Block([sql])
    verdict = duck.compare(sql, result, record.sort_mode(block))
    if verdict == "agrees":
        return record.result_lines(block, result)
    counts["refused" if verdict.startswith("refused") else "differs"] = counts.get("refused" if verdict.startswith("refused") else "differs", 0) + 1
    if not verdict.startswith("refused"):
        print(f"differs: {verdict}\n  {sql}")
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", default="http://127.0.0.1:18080")
    parser.add_argument("--data", default="/tmp/ref/data/sf0.01")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    session = trinoraw.Session(options.url, "tpch", "tiny", properties={"query_max_run_time": "20s"})
    duck = crosscheck.Duck(options.data)
    for kind, wanted in KINDS.items():
        maker, counts, blocks = Maker(f"{options.seed}-{kind}"), {}, []
        while len(blocks) < wanted:
            maker.names = 0
            sql = getattr(maker, kind)()
            if len(sql) < 900 and (lines := keep(sql, session, duck, counts)):
                blocks.append("\n".join(lines))
        file = CORPUS / f"random_{kind}.slt"
        file.write_text(f"# Queries made at random by record/generate.py (seed {options.seed}): {TITLES[kind]}.\n\n" + "\n\n".join(blocks) + "\n")
        print(f"{file.name}: {len(blocks)} kept, {counts}", flush=True)


main()
