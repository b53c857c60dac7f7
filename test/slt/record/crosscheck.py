"""Runs the corpus' queries on DuckDB and compares with the reference."""

import datetime
import json
import math
import pathlib
import re
import subprocess
import sys
from decimal import Decimal

import duckdb
import trinoraw

TABLES = "customer lineitem nation orders part partsupp region supplier".split()


class Duck:
    def __init__(self, data):
        data = pathlib.Path(data)
        if not (data / "supplier.parquet").exists():
            tpchgen = pathlib.Path(sys.executable).parent / "tpchgen-cli"
            subprocess.run([tpchgen, "parquet", "-s", "0.01", "-o", data], check=True)
        self.con = duckdb.connect()
        self.con.execute("SET TimeZone = 'UTC'; SET integer_division = true; SET default_null_order = 'nulls_last'")
        for catalog in ("tpch", "tpchstd"):
            self.con.execute(f"ATTACH ':memory:' AS {catalog}; CREATE SCHEMA {catalog}.tiny")
        for table in TABLES:
            source = f"'{data}/{table}.parquet'"
            columns = [r[:2] for r in self.con.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
            renamed = ", ".join(
                f"{name}{'::DOUBLE' if kind.startswith('DECIMAL') else ''} AS {name.split('_', 1)[1]}" for name, kind in columns)
            self.con.execute(f"CREATE TABLE tpch.tiny.{table} AS SELECT {renamed} FROM {source}")
            narrowed = ", ".join(f"{n}::{k.replace('15', '12')} AS {n}" for n, k in columns)
            self.con.execute(f"CREATE TABLE tpchstd.tiny.{table} AS SELECT {narrowed} FROM {source}")
        self.con.execute("USE tpch.tiny")

    def answer(self, sql):
        """Letters and rows of a query that the reference cannot answer."""
        cursor = self.con.execute(translate(sql))
        letters = "".join(self.letter(str(d[1])) for d in cursor.description)
        return letters, [[render(v) for v in row] for row in cursor.fetchall()]

    @staticmethod
    def letter(kind):
        if kind in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"):
            return "I"
        return "R" if kind in ("FLOAT", "DOUBLE") or kind.startswith("DECIMAL") else "T"

    def compare(self, sql, result, mode):
        """agrees, refused (DuckDB has no such syntax or function), or the first difference."""
        if "typeof(" in sql:
            return "refused: type names differ"
        try:
            rows = self.con.execute(translate(sql)).fetchall()
        except duckdb.Error as e:
            return "refused: " + str(e).splitlines()[0]
        want = [[trinoraw.render(v) for v in row] for row in result.rows]
        got = [list(row) for row in rows]
        if len(want) != len(got):
            return f"{len(want)} rows, DuckDB {len(got)}"
        if mode != "nosort":
            order = [i for i, (_, kind) in enumerate(result.columns) if kind not in ("real", "double")]
            key = lambda row: ([show(row[i]) for i in order], [number_key(row[i]) for i in range(len(row)) if i not in order])
            want.sort(key=key)
            got.sort(key=key)
        for w, g in zip(want, got):
            for (name, kind), a, b in zip(result.columns, w, g):
                if not equal(kind, a, b):
                    return f"column {name}: {a!r}, DuckDB {b!r}"
        return "agrees"


def translate(sql):
    """Trino's VALUES 1, 2 is VALUES (1), (2) elsewhere, and DECIMAL '1.50' has
    the type that its text shows; the rest of the dialects is left as it is."""
    sql = re.sub(r"\bDECIMAL '(-?)(\d+)\.?(\d*)'", typed_decimal, sql)
    sql = sql.replace("nan()", "'NaN'::DOUBLE").replace("infinity()", "'Infinity'::DOUBLE")
    out, i = [], 0
    while m := VALUES.search(sql, i):
        out.append(sql[i : m.end()])
        items, i = value_items(sql, m.end())
        out.append(", ".join(item if item.startswith("(") and closes_at_end(item) else f"({item})" for item in items) + " ")
    return "".join(out) + sql[i:]


def typed_decimal(m):
    sign, whole, fraction = m.groups()
    digits = len((whole.lstrip("0") or "0") + fraction)
    return f"CAST('{sign}{whole}.{fraction}' AS DECIMAL({digits}, {len(fraction)}))"


VALUES = re.compile(r"\bVALUES\s+", re.I)
AFTER_VALUES = re.compile(r"(ORDER|LIMIT|OFFSET|FETCH|UNION|INTERSECT|EXCEPT)\b", re.I)


def value_items(sql, start):
    """The items of a VALUES list that starts there, and where it ends."""
    items, depth, i, begin = [], 0, start, start
    while i < len(sql):
        c = sql[i]
        if c == "'":
            i = sql.index("'", i + 1)
        elif c in "([":
            depth += 1
        elif c in ")]":
            if depth == 0:
                break
            depth -= 1
        elif c == "," and depth == 0:
            items.append(sql[begin:i].strip())
            begin = i + 1
        elif depth == 0 and sql[i - 1].isspace() and AFTER_VALUES.match(sql, i):
            break
        i += 1
    return items + [sql[begin:i].strip()], i


def closes_at_end(item):
    depth = 0
    for i, c in enumerate(item):
        depth += (c == "(") - (c == ")")
        if depth == 0:
            return i == len(item) - 1
    return False


def render(value):
    """A DuckDB value as the corpus writes it."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if value != "" else "(empty)"


def number_key(value):
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.inf


def show(value):
    """A DuckDB value the way the protocol would write it; only used to compare and sort."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (float, Decimal)):
        return f"{float(value):.6g}"
    if isinstance(value, datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ").replace("+00:00", " UTC")
    if value == "":
        return "(empty)"
    try:  # texts of numbers, so that both sides sort alike
        return f"{float(value):.6g}"
    except (TypeError, ValueError):
        return str(value)


def equal(kind, text, value):
    if value is None or text == "NULL":
        return value is None and text == "NULL"
    if isinstance(value, (float, Decimal, int)) and not isinstance(value, bool):
        return close(kind, text, value)
    if kind == "date" and isinstance(value, datetime.datetime):  # DATE + INTERVAL is a timestamp there
        return text == value.date().isoformat() and value.time() == datetime.time()
    if isinstance(value, (datetime.datetime, datetime.time)):
        return trim(text) == trim(show(value))
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(plain(json.loads(text))) == json.dumps(plain(value))
    if isinstance(value, bytes):
        import base64
        return base64.b64encode(value).decode() == text
    return text == show(value) or text == str(value)


def plain(value):
    """Nested values with all scalars as comparable texts."""
    if isinstance(value, dict):
        if value.keys() == {"key", "value"}:
            return {str(k): plain(v) for k, v in zip(value["key"], value["value"])}
        return {str(k): plain(v) for k, v in sorted(value.items(), key=lambda e: str(e[0]))}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return show(value)


def trim(text):
    head, dot, rest = text.partition(".")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    fraction, tail = rest[:digits].rstrip("0"), rest[digits:]
    return head + ("." + fraction if fraction else "") + tail


def close(kind, text, value):
    """Numbers agree within 1e-9 relative, decimals also within half of their
    last digit, because DuckDB computes quotients and averages as doubles."""
    try:
        want = float(text)
    except ValueError:
        return False
    got = float(value)
    if math.isnan(want) or math.isnan(got) or math.isinf(want) or math.isinf(got):
        return str(want) == str(got)
    slack = (1e-6 if kind == "real" else 1e-9) * max(abs(want), abs(got))
    if kind.startswith("decimal"):
        slack += 0.5000001 * 10.0 ** Decimal(text).as_tuple().exponent
    return abs(want - got) <= slack
