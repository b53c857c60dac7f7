"""Records what a reference server shows in its system tables.

    test/ref/trino.sh start
    python3 connectors/system/testdata/record.py http://127.0.0.1:18080

writes columns.golden, the columns of all tables of the catalog system, and
rows.golden, the rows of tables that say what there is. golden_test.go compares
both with ours.
"""

import pathlib
import sys

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parents[2] / "test" / "ref"))
import trinoraw  # noqa: E402

# The columns of the table that the test's catalog has too.
SHAPES = """a_boolean boolean, a_tinyint tinyint, a_smallint smallint, an_integer integer, a_bigint bigint,
a_real real, a_double double, a_decimal decimal(5,2), a_long_decimal decimal(38,10), a_char char(7), a_varchar varchar,
a_short_varchar varchar(12), a_varbinary varbinary, a_date date, a_time_0 time(0), a_time_3 time(3), a_time_9 time(9),
a_time_tz time(3) with time zone, a_timestamp_0 timestamp(0), a_timestamp_3 timestamp(3), a_timestamp_6 timestamp(6),
a_timestamp_9 timestamp(9), a_timestamp_tz timestamp(3) with time zone, a_timestamp_tz_6 timestamp(6) with time zone,
an_array array(bigint), a_map map(varchar, bigint), a_row row(a bigint, b varchar), a_json json, a_uuid uuid,
an_interval interval day to second, a_month_interval interval year to month, a_comment bigint COMMENT 'said of it'"""

# Hidden columns, which DESCRIBE does not tell.
HIDDEN = {"information_schema.columns": ["comment", "extra_info"]}

# Catalog, table and the values that some columns must have.
ROWS = """
system jdbc.table_types
system jdbc.types
system jdbc.columns table_cat=memory table_schem=default table_name=shapes
system jdbc.columns table_cat=system table_schem=runtime table_name=tasks
system jdbc.tables table_cat=memory
system jdbc.tables table_cat=system
system jdbc.schemas table_catalog=memory
system jdbc.schemas table_catalog=system
system metadata.table_comments catalog_name=memory schema_name=default
system metadata.catalogs catalog_name=memory
system metadata.catalogs catalog_name=system
system metadata.materialized_views
memory information_schema.columns table_schema=default
memory information_schema.columns table_schema=information_schema
memory information_schema.tables
memory information_schema.tables table_catalog=system
memory information_schema.schemata
memory information_schema.views
memory information_schema.roles
memory information_schema.enabled_roles
memory information_schema.applicable_roles
memory information_schema.table_privileges
"""


def main():
    session = trinoraw.Session(sys.argv[1], "memory", "default")

    def run(sql):
        return session.run(sql).rows

    run("DROP TABLE IF EXISTS shapes")
    run(f"CREATE TABLE shapes ({SHAPES}) COMMENT 'a table'")
    columns = {}
    with open(here / "columns.golden", "w") as out:
        for schema, table in run("SELECT table_schema, table_name FROM system.information_schema.tables ORDER BY 1, 2"):
            name = f"{schema}.{table}"
            columns[name] = [c for c, *_ in run(f'DESCRIBE system.{schema}."{table}"')] + HIDDEN.get(name, [])
            print(name, file=out)
            types = dict(session.run(f"SELECT {', '.join(quote(c) for c in columns[name])} FROM system.{name} WHERE false").columns)
            for c in columns[name]:
                print(f"  {c} {types[c]}{' hidden' if c in HIDDEN.get(name, []) else ''}", file=out)
    with open(here / "rows.golden", "w") as out:
        for line in ROWS.strip().splitlines():
            catalog, table, *where = line.split()
            tests = [f"{quote(k)} = '{v}'" for k, v in (w.split("=") for w in where)] or ["true"]
            names = ", ".join(quote(c) for c in columns[table])
            rows = run(f"SELECT {names} FROM {catalog}.{table} WHERE {' AND '.join(tests)}")
            print(">", line, file=out)
            for row in sorted({"|".join(map(trinoraw.render, r)) for r in rows}):
                print(row, file=out)
    run("DROP TABLE shapes")


def quote(name):
    return f'"{name}"'


main()
