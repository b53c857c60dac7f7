"""Runs DuckDB or DataFusion in a process of its own, which the driver can
measure, time out and end like a server.

Reads pickled requests from stdin and writes pickled replies to stdout. A
request is the text of a query; the reply is ("ok", seconds, rows) or
("error", message). The clock runs from the text to the last row in the
client's hands: Python tuples for DuckDB, Arrow batches for DataFusion.

    inproc.py '{"engine": "duckdb", "root": FOLDER or s3://…, "threads": 2, "s3": {…}}'
"""

import json
import os
import pickle
import sys
import time

TABLES = "customer lineitem nation orders part partsupp region supplier".split()


def duckdb_runner(options):
    import duckdb

    s3 = options.get("s3")
    con = duckdb.connect(config={"threads": options["threads"], "allow_unsigned_extensions": "true"})
    if s3:
        import duckdb_extension_httpfs

        # Its own cache of file contents would spare it the store after the first run.
        con.execute("SET enable_external_file_cache = false")

        folder = os.path.join(os.path.dirname(duckdb_extension_httpfs.__file__), "extensions", "v" + duckdb.__version__)
        con.execute(f"LOAD '{folder}/httpfs.duckdb_extension'")
        con.execute(f"CREATE SECRET (TYPE s3, KEY_ID '{s3['access_key']}', SECRET '{s3['secret_key']}', REGION '{s3['region']}',"
                    f" ENDPOINT '{s3['endpoint'].split('//')[1]}', USE_SSL false, URL_STYLE 'path')")
    for table in TABLES:
        con.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet('{options['root']}/{table}/*.parquet')")
    return duckdb.__version__, lambda sql: con.execute(sql).fetchall(), lambda rows: rows


def datafusion_runner(options):
    import datafusion

    s3 = options.get("s3")
    ctx = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(options["threads"]))
    if s3:
        from datafusion.object_store import AmazonS3

        bucket = options["root"].split("/")[2]
        ctx.register_object_store("s3://", AmazonS3(
            bucket_name=bucket, region=s3["region"], endpoint=s3["endpoint"], allow_http=True,
            access_key_id=s3["access_key"], secret_access_key=s3["secret_key"]), bucket)
    for table in TABLES:
        ctx.register_parquet(table, f"{options['root']}/{table}/")

    def values(batches):
        return [row for b in batches for row in zip(*(c.to_pylist() for c in b.columns))]

    return datafusion.__version__, lambda sql: ctx.sql(sql).collect(), values


def main():
    options = json.loads(sys.argv[1])
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints goes to the log

    def reply(*message):
        pickle.dump(message, replies)
        replies.flush()

    version, run, values = {"duckdb": duckdb_runner, "datafusion": datafusion_runner}[options["engine"]](options)
    reply("ok", version)
    while True:
        try:
            sql = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            start = time.perf_counter()
            result = run(sql)
            seconds = time.perf_counter() - start
            reply("ok", seconds, values(result))
        except Exception as e:  # noqa: BLE001, any failure is the query's and goes to the driver
            reply("error", str(e))


if __name__ == "__main__":
    main()
