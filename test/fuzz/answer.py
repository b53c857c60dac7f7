#!/usr/bin/env python3
"""Answers SQL with DuckDB, for TestDuckDB: a line with a JSON object {"sql"} comes in, one with {"rows"} or {"error"} goes out.

    answer.py FOLDER

FOLDER/f/NAME/*.parquet become the tables lake.f.NAME. Values go out as texts in the form that the test gives its own.
"""

import datetime
import json
import pathlib
import sys

import duckdb


def text(value):
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "'" + value
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ", "microseconds")
    if isinstance(value, datetime.date):
        return value.isoformat()
    return str(value)


def main():
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'; SET integer_division = true; SET default_null_order = 'nulls_last'; SET threads = 1")
    con.execute("ATTACH ':memory:' AS lake; CREATE SCHEMA lake.f")
    for folder in sorted((pathlib.Path(sys.argv[1]) / "f").iterdir()):
        con.execute(f"CREATE TABLE lake.f.{folder.name} AS SELECT * FROM '{folder}/*.parquet'")
    print(json.dumps({"rows": []}), flush=True)
    for line in sys.stdin:
        try:
            rows = con.execute(json.loads(line)["sql"]).fetchall()
            answer = {"rows": [[text(v) for v in row] for row in rows]}
        except Exception as e:
            answer = {"error": str(e).split("\n")[0]}
        print(json.dumps(answer), flush=True)


main()
