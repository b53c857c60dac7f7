"""Load of the unmodified Python client for failover.sh, which describes what is read and printed.

Arguments: server URL, folder with the queries.
"""

import hashlib
import itertools
import pathlib
import sys
import time
import urllib.parse

import trino
from trino.exceptions import TrinoQueryError

server = urllib.parse.urlparse(sys.argv[1])
folder = pathlib.Path(sys.argv[2])
queries = [line.split("\t", 2) for line in (folder / "queries.tsv").read_text().splitlines()]


def digest(ordered, sql):
    with trino.dbapi.connect(host=server.hostname, port=server.port, user="python", catalog="lake", schema="sf1") as connection:
        cursor = connection.cursor()
        cursor.execute(sql)
        rows = ["|".join(map(str, row)) for row in cursor.fetchall()]
    if ordered == "0":
        rows.sort()
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def now():
    return int(time.time() * 1000)


want = {name: digest(ordered, sql) for name, ordered, sql in queries}
print("ready", flush=True)
for name, ordered, sql in itertools.cycle(queries):
    if (folder / "stop").exists():
        break
    start, outcome, detail = now(), "ok", ""
    try:
        if digest(ordered, sql) != want[name]:
            outcome = "wrong"
    except TrinoQueryError as e:
        outcome, detail = "error", " ".join(str(e).split())
    except Exception as e:  # of the connection: every failure is a result
        outcome, detail = "cut", f"{type(e).__name__}: " + " ".join(str(e).split())
    print(name, start, now(), outcome, detail, sep="\t", flush=True)
print("done", flush=True)
