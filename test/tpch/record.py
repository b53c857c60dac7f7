#!/usr/bin/env python3
"""Records the answers of the 22 queries into answers/.

    test/ref/trino.sh start
    /tmp/ref/venv/bin/python test/tpch/record.py http://127.0.0.1:18080 DATA-FOLDER

The answers come from the reference server, over views with the column types of
tpchgen's Parquet files (decimal(15,2), unbounded varchar), and each is checked
against DuckDB on those files (generated into DATA-FOLDER when missing):

 - values of decimal sums, integers, texts and dates are equal;
 - decimal averages and quotients equal the exact quotient, computed with
   Python's decimals from DuckDB's exact sums and rounded half up to the scale;
 - the order by keys have no ties that could change the rows or their order.

Any difference stops the script and leaves the recorded file untouched.
"""

import pathlib
import subprocess
import sys
from decimal import ROUND_HALF_UP, Decimal

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "ref"))
import duckdb  # noqa: E402
import trinoraw  # noqa: E402

TABLES = "customer lineitem nation orders part partsupp region supplier".split()
SCALES = {"tiny": "0.01", "sf1": "1"}

# Sort keys, as positions in the row, and the number of rows kept (0 = all).
ORDER = {
    "q01": ([0, 1], 0), "q02": ([0, 2, 1, 3], 100), "q03": ([1, 2], 10), "q04": ([0], 0), "q05": ([1], 0),
    "q06": ([], 0), "q07": ([0, 1, 2], 0), "q08": ([0], 0), "q09": ([0, 1], 0), "q10": ([2], 20),
    "q11": ([1], 0), "q12": ([0], 0), "q13": ([1, 0], 0), "q14": ([], 0), "q15": ([0], 0),
    "q16": ([3, 0, 1, 2], 0), "q17": ([], 0), "q18": ([4, 3], 100), "q19": ([], 0), "q20": ([0], 0),
    "q21": ([1, 0], 100), "q22": ([0], 0),
}  # fmt: skip

# Exact (numerator, denominator) of the columns that are quotients.
QUOTIENTS = {
    ("q01", 6): lambda con, row: (row[2], row[9]),
    ("q01", 7): lambda con, row: (row[3], row[9]),
    ("q01", 8): lambda con, row: con.execute(
        "SELECT sum(l_discount), count(*) FROM lineitem WHERE l_shipdate <= DATE '1998-09-02'"
        " AND l_returnflag = ? AND l_linestatus = ?", [row[0], row[1]]).fetchone(),
    ("q08", 1): lambda con, row: con.execute(
        split_quotient("q08").replace("GROUP BY o_year", f"WHERE o_year = {row[0]}").replace("o_year,", "", 1)).fetchone(),
    ("q14", 0): lambda con, row: con.execute(split_quotient("q14")).fetchone(),
    ("q17", 0): lambda con, row: (con.execute(split_quotient("q17")).fetchone()[0], Decimal("7.0")),
}  # fmt: skip


def split_quotient(name):
    """The query with its top-level division turned into two columns."""
    sql = (HERE / f"{name}.sql").read_text()
    head, tail = sql.split("\nFROM", 1)
    head = head.replace(" AS mkt_share", "").replace(" AS promo_revenue", "").replace(" AS avg_yearly", "")
    left, right = head.rsplit("/", 1)
    return f"{left.rstrip()}, {right.strip()}\nFROM{tail}".replace("ORDER BY o_year\n", "")


def duckdb_over(folder, scale):
    if not (folder / "supplier.parquet").exists():
        tpchgen = pathlib.Path(sys.executable).parent / "tpchgen-cli"
        subprocess.run([tpchgen, "parquet", "-s", scale, "-o", folder], check=True)
    con = duckdb.connect()
    for table in TABLES:
        con.execute(f"CREATE VIEW {table} AS SELECT * FROM '{folder}/{table}.parquet'")
    return con


def make_views(session, con, schema):
    """Views over tpchstd with exactly the column types of the Parquet files."""
    session.run(f"CREATE SCHEMA IF NOT EXISTS memory.tpch_{schema}")
    for table in TABLES:
        columns = [r[:2] for r in con.execute(f"DESCRIBE {table}").fetchall()]
        select = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in columns)
        session.run(
            f"CREATE OR REPLACE VIEW memory.tpch_{schema}.{table} AS SELECT {select} FROM tpchstd.{schema}.{table}")


def same(name, con, want_row, columns, got_row):
    """Compares one row of the reference (texts) with DuckDB's (values)."""
    for i, (text, value) in enumerate(zip(got_row, want_row, strict=True)):
        kind = columns[i][1]
        if text is None or value is None:
            if text is not value:
                raise SystemExit(f"{name} column {i}: {text}, DuckDB {value}")
            continue
        if (name, i) in QUOTIENTS:
            numerator, denominator = QUOTIENTS[name, i](con, want_row)
            unit = Decimal(1).scaleb(Decimal(text).as_tuple().exponent)
            exact = (Decimal(numerator) / Decimal(denominator)).quantize(unit, ROUND_HALF_UP)
            if exact != Decimal(text):
                # The inner division of two rounded operands may not be the
                # rounded exact quotient; such a column must not be listed.
                raise SystemExit(f"{name} column {i}: {text}, exactly {exact}")
        elif kind.startswith("decimal"):
            if Decimal(text) != Decimal(str(value)):
                raise SystemExit(f"{name} column {i}: {text}, DuckDB {value}")
        elif str(text) != str(value):
            raise SystemExit(f"{name} column {i}: {text!r}, DuckDB {value!r}")


def check(name, con, sql, result):
    keys, limit = ORDER[name]
    rows = con.execute(sql).fetchall()
    if len(rows) != len(result.rows):
        raise SystemExit(f"{name}: {len(result.rows)} rows, DuckDB {len(rows)}")
    unlimited = sql.rsplit("LIMIT", 1)[0] if limit else sql
    prefix = con.execute(unlimited).fetchmany(limit + 1 if limit else 10**9)
    sort_keys = [tuple(row[k] for k in keys) for row in prefix]
    ties = len(keys) > 0 and len(set(sort_keys)) != len(sort_keys)
    if ties and (limit or name != "q11"):
        raise SystemExit(f"{name}: ties in the order by keys")
    if ties:  # sort both sides by the whole row within ties
        rows.sort(key=lambda r: (-r[1], r[0]))
        result.rows.sort(key=lambda r: (-Decimal(r[1]), int(r[0])))
    for want, got in zip(rows, result.rows):
        same(name, con, want, result.columns, got)
    return ties


def write(file, result):
    lines = ["|".join(f"{name} {kind}" for name, kind in result.columns)]
    for row in result.rows:
        texts = [trinoraw.render(v) for v in row]
        if any("|" in t or "\n" in t for t in texts):
            raise SystemExit(f"{file}: a value holds the separator")
        lines.append("|".join(texts))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n")


def main(url, data):
    for schema, scale in SCALES.items():
        con = duckdb_over(pathlib.Path(data) / f"sf{scale}", scale)
        make_views(trinoraw.Session(url, "memory", "default"), con, schema)
        session = trinoraw.Session(url, "memory", f"tpch_{schema}")
        for name in ORDER:
            sql = (HERE / f"{name}.sql").read_text()
            result = session.run(sql)
            ties = check(name, con, sql, result)
            write(HERE / "answers" / schema / f"{name}.csv", result)
            print(f"{schema} {name}: {len(result.rows)} rows{' (ties)' if ties else ''}", flush=True)


main(*sys.argv[1:])
