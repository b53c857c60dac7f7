"""Acceptance of the unmodified Python client (dbapi) and its SQLAlchemy dialect.

Arguments: server URL, folder of TPC-H queries, 1 if tables may be made in the catalog memory,
the catalog whose schema tiny has TPC-H under the standard's names.
"""

import datetime
import math
import pathlib
import sys
import threading
import time
import urllib.parse
import zoneinfo
from decimal import Decimal

import sqlalchemy
import trino
from sqlalchemy import Column, Integer, MetaData, String, Table, func, inspect, select, text
from trino.exceptions import TrinoQueryError, TrinoUserError
from trino.transaction import IsolationLevel

CLIENT = "python"
failed = 0


def check(name):
    """Runs the decorated function at once and prints its line."""

    def run(body):
        global failed
        try:
            body()
            print(f"ok   {CLIENT}: {name}", flush=True)
        except Exception as e:  # every failure of a check is a result
            failed += 1
            print(f"FAIL {CLIENT}: {name}: {type(e).__name__}: {' '.join(str(e).split())[:300]}", flush=True)

    return run


def equal(want, got):
    assert want == got, f"got {got!r}, want {want!r}"


server = urllib.parse.urlparse(sys.argv[1])
tpch = pathlib.Path(sys.argv[2])
writes = sys.argv[3] == "1"
data = sys.argv[4]


def connect(**options):
    options = {"catalog": "tpch", "schema": "tiny", "user": "python"} | options
    return trino.dbapi.connect(host=server.hostname, port=server.port, http_scheme=server.scheme, **options)


def rows(sql, params=None, **options):
    with connect(**options) as connection:
        cursor = connection.cursor()
        cursor.execute(sql, params)
        return cursor.fetchall()


def one(sql, params=None, **options):
    (row,) = rows(sql, params, **options)
    return row[0] if len(row) == 1 else row


@check("select")
def _():
    equal([[1, "a", None]], [list(r) for r in rows("SELECT 1, 'a', NULL")])


@check("description")
def _():
    with connect() as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT 1 AS a, CAST('x' AS varchar(7)) AS b, DECIMAL '1.50' AS c")
        cursor.fetchall()
        equal([("a", "integer"), ("b", "varchar(7)"), ("c", "decimal(3, 2)")], [(d[0], d[1]) for d in cursor.description])


VALUES = {
    "true": True,
    "TINYINT '-5'": -5,
    "BIGINT '9223372036854775807'": 2**63 - 1,
    "REAL '1.5'": 1.5,
    "1E100": 1e100,
    "infinity()": math.inf,
    "DECIMAL '123.450'": Decimal("123.450"),
    "DECIMAL '-12345678901234567890.12'": Decimal("-12345678901234567890.12"),
    "'text é 😀'": "text é 😀",
    "''": "",
    "CAST('a' AS char(3))": "a  ",
    "X'00FF'": b"\x00\xff",
    "DATE '2024-02-29'": datetime.date(2024, 2, 29),
    "TIME '12:34:56.789'": datetime.time(12, 34, 56, 789000),
    "TIMESTAMP '2024-02-29 12:34:56.789'": datetime.datetime(2024, 2, 29, 12, 34, 56, 789000),
    "TIMESTAMP '2024-02-29 12:34:56.123456'": datetime.datetime(2024, 2, 29, 12, 34, 56, 123456),
    "TIMESTAMP '2024-02-29 12:00:00 Europe/Rome'": datetime.datetime(2024, 2, 29, 12, tzinfo=zoneinfo.ZoneInfo("Europe/Rome")),
    "INTERVAL '3' DAY": datetime.timedelta(days=3),
    "ARRAY[1, NULL, 3]": [1, None, 3],
    "ARRAY[DECIMAL '1.5']": [Decimal("1.5")],
    "MAP(ARRAY['a', 'b'], ARRAY[1, 2])": {"a": 1, "b": 2},
    "CAST(ROW(1, 'x') AS row(a bigint, b varchar))": (1, "x"),
    "CAST(NULL AS date)": None,
}
for expression, value in VALUES.items():

    @check(f"type: {expression}")
    def _():
        equal(value, one(f"SELECT {expression}"))


@check("type: nan()")
def _():
    assert math.isnan(one("SELECT nan()"))


for legacy in (None, True, False):
    name = {None: "default", True: "PREPARE", False: "EXECUTE IMMEDIATE"}[legacy]

    @check(f"parameters by {name}")
    def _():
        got = one(
            "SELECT ?, ?, ?, ?, ?, ?, ?",
            (3, "O'X é", None, True, 2.5, Decimal("1.50"), datetime.date(2024, 2, 29)),
            legacy_prepared_statements=legacy,
        )
        equal([3, "O'X é", None, True, 2.5, Decimal("1.50"), datetime.date(2024, 2, 29)], list(got))

    @check(f"LIMIT ? and IN (?, ?) by {name}")
    def _():
        got = rows(
            "SELECT name FROM nation WHERE regionkey IN (?, ?) ORDER BY name LIMIT ?", (0, 1, 2), legacy_prepared_statements=legacy)
        equal([["ALGERIA"], ["ARGENTINA"]], [list(r) for r in got])


@check("fetchone, fetchmany, iteration")
def _():
    with connect() as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT nationkey FROM nation ORDER BY nationkey")
        equal([0], list(cursor.fetchone()))
        equal([[1], [2]], [list(r) for r in cursor.fetchmany(2)])
        equal(22, sum(1 for _ in cursor))
        equal(None, cursor.fetchone())


@check("60,175 rows")
def _():
    got = rows("SELECT orderkey, comment FROM lineitem")
    equal(60175, len(got))
    equal(one("SELECT sum(orderkey + length(comment)) FROM lineitem"), sum(r[0] + len(r[1]) for r in got))


@check("60,175 rows, encoded segments")
def _():
    for encoding in ("json", "json+lz4", "json+zstd"):
        equal(60175, len(rows("SELECT * FROM lineitem", encoding=encoding)))


@check("statistics and identity of a query")
def _():
    with connect() as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT 1")
        cursor.fetchall()
        assert cursor.stats["state"] == "FINISHED", cursor.stats
        assert cursor.query_id and cursor.info_uri


@check("errors")
def _():
    for sql, code, name, message in [
        ("SELEC 1", 1, "SYNTAX_ERROR", "line 1:1: "),
        ("SELECT nosuch FROM nation", 47, "COLUMN_NOT_FOUND", "line 1:8: Column 'nosuch' cannot be resolved"),
        ("SELECT * FROM nosuch", 46, "TABLE_NOT_FOUND", "line 1:15: Table 'tpch.tiny.nosuch' does not exist"),
        ("SELECT 1 / 0", 8, "DIVISION_BY_ZERO", "Division by zero"),
    ]:
        try:
            rows(sql)
            raise AssertionError("no error")
        except TrinoUserError as e:
            equal((code, name, "USER_ERROR"), (e.error_code, e.error_name, e.error_type))
            assert e.message.startswith(message), e.message


@check("cancel from another thread")
def _():
    with connect() as connection:
        cursor = connection.cursor()
        timer = threading.Timer(1.5, cursor.cancel)
        timer.start()
        start = time.monotonic()
        try:
            cursor.execute(
                "SELECT count(*) FROM lineitem a CROSS JOIN lineitem b CROSS JOIN orders c WHERE a.comment <> b.comment || c.comment")
            cursor.fetchall()
            raise AssertionError("it ended by itself")
        except (TrinoQueryError, trino.exceptions.Error):
            pass
        timer.join()
        assert time.monotonic() - start < 15
    equal(25, one("SELECT count(*) FROM nation"))


@check("cursor closed early")
def _():
    for _ in range(5):
        with connect() as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT * FROM lineitem")
            cursor.fetchone()
            cursor.close()
    equal(25, one("SELECT count(*) FROM nation"))


@check("transaction")
def _():
    with connect(isolation_level=IsolationLevel.READ_COMMITTED) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT count(*) FROM nation")
        equal([[25]], [list(r) for r in cursor.fetchall()])
        connection.commit()
        cursor = connection.cursor()
        cursor.execute("SELECT count(*) FROM region")
        equal([[5]], [list(r) for r in cursor.fetchall()])
        connection.rollback()


@check("session properties, time zone, source, tags")
def _():
    options = dict(session_properties={"query_max_run_time": "7m"}, timezone="Asia/Tokyo", source="check", client_tags=["a", "b"])
    equal("Asia/Tokyo", one("SELECT current_timezone()", **options))
    equal("7m", rows("SHOW SESSION LIKE 'query_max_run_time'", **options)[0][1])


@check("USE and SET SESSION")
def _():
    with connect() as connection:
        cursor = connection.cursor()
        cursor.execute("USE tpchstd.tiny").fetchall()
        cursor = connection.cursor()
        equal([["CHINA"]], [list(r) for r in cursor.execute("SELECT n_name FROM nation WHERE n_nationkey = 18").fetchall()])
        cursor.execute("SET SESSION query_max_run_time = '9m'").fetchall()
        equal("9m", cursor.execute("SHOW SESSION LIKE 'query_max_run_time'").fetchall()[0][1])


@check("show catalogs, schemas, tables, columns")
def _():
    assert {"system", "tpch", "tpchstd"} <= {r[0] for r in rows("SHOW CATALOGS")}
    assert {"tiny", "information_schema"} <= {r[0] for r in rows("SHOW SCHEMAS FROM tpch")}
    equal(8, len(rows("SHOW TABLES FROM tpch.tiny")))
    equal(["orderkey", "bigint", "", ""], list(rows("SHOW COLUMNS FROM orders")[0]))


def engine(path="tpch/tiny", **options):
    return sqlalchemy.create_engine(f"trino://python@{server.hostname}:{server.port}/{path}", connect_args={"http_scheme": server.scheme}, **options)


@check("sqlalchemy: text and parameters")
def _():
    with engine().connect() as c:
        equal(("CHINA",), tuple(c.execute(text("SELECT name FROM nation WHERE nationkey = :k"), {"k": 18}).one()))


@check("sqlalchemy: inspector")
def _():
    i = inspect(engine())
    assert {"tiny", "sf1"} <= set(i.get_schema_names())
    equal(8, len(i.get_table_names("tiny")))
    equal([], i.get_view_names("tiny"))
    assert i.has_table("nation", "tiny") and not i.has_table("nosuch", "tiny")
    equal(["nationkey", "name", "regionkey", "comment"], [c["name"] for c in i.get_columns("nation", "tiny")])
    equal(["BIGINT", "VARCHAR(25)", "BIGINT", "VARCHAR(152)"], [str(c["type"]) for c in i.get_columns("nation", "tiny")])
    equal([], i.get_indexes("nation", "tiny"))
    equal([], i.get_foreign_keys("nation", "tiny"))
    equal([], i.get_pk_constraint("nation", "tiny")["constrained_columns"])
    equal(None, i.get_table_comment("nation", "tiny")["text"])


@check("sqlalchemy: reflection and expressions")
def _():
    e = engine()
    meta = MetaData()
    nation = Table("nation", meta, schema="tiny", autoload_with=e)
    region = Table("region", meta, schema="tiny", autoload_with=e)
    query = (
        select(region.c.name, func.count().label("n"))
        .join(nation, nation.c.regionkey == region.c.regionkey)
        .where(nation.c.name.like("%A"))
        .group_by(region.c.name)
        .having(func.count() > 1)
        .order_by(region.c.name)
        .limit(2)
    )
    with e.connect() as c:
        equal([("AFRICA", 3), ("AMERICA", 2)], [tuple(r) for r in c.execute(query)])


@check("sqlalchemy: server version")
def _():
    with engine().connect() as c:
        assert c.dialect.server_version_info


if writes:

    @check("sqlalchemy: create, insert, read, drop")
    def _():
        e = engine("memory/default")
        meta = MetaData()
        table = Table("python_check", meta, Column("a", Integer), Column("b", String), schema="default")
        meta.drop_all(e)
        meta.create_all(e)
        with e.begin() as c:
            c.execute(table.insert(), [{"a": 1, "b": "x"}])
            c.execute(table.insert().values(a=2, b=None))
            equal([(1, "x"), (2, None)], [tuple(r) for r in c.execute(select(table).order_by(table.c.a))])
        meta.drop_all(e)

    @check("insert gives a row count")
    def _():
        with connect(catalog="memory", schema="default") as connection:
            cursor = connection.cursor()
            cursor.execute("DROP TABLE IF EXISTS python_check2").fetchall()
            cursor.execute("CREATE TABLE python_check2 AS SELECT * FROM tpch.tiny.region")
            equal([[5]], [list(r) for r in cursor.fetchall()])
            cursor.execute("INSERT INTO python_check2 SELECT * FROM tpch.tiny.region")
            cursor.fetchall()
            equal(5, cursor.rowcount)
            cursor.executemany("INSERT INTO python_check2 (regionkey, name) VALUES (?, ?)", [(10, "x"), (11, "y")])
            equal([[12]], [list(r) for r in cursor.execute("SELECT count(*) FROM python_check2").fetchall()])
            cursor.execute("DROP TABLE python_check2").fetchall()


def show(value):
    return "NULL" if value is None else str(value)


for number in range(1, 23):
    query = f"q{number:02d}"

    @check(f"tpch {query}")
    def _():
        want = (tpch / "answers" / "tiny" / f"{query}.csv").read_text().splitlines()[1:]
        got = rows((tpch / f"{query}.sql").read_text(), catalog=data)
        equal(want, ["|".join(show(v) for v in row) for row in got])


print(f"done {CLIENT}")
sys.exit(failed > 0)
