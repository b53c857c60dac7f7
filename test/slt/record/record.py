#!/usr/bin/env python3
"""Fills in the expected results of .slt files from the reference server.

    test/ref/trino.sh start
    /tmp/ref/venv/bin/python test/slt/record/record.py [--url URL] [--data FOLDER] [--check] FILE.slt...

A file is a list of blocks with an empty line between them. Write a block as
comment lines and one SQL statement (no empty lines inside it); the script turns
it into a `query` or `statement error` record. Blocks that have results already
are recorded again, so the script may run over finished files at any time; with
--check it changes nothing and fails where the server answers differently.

A query without a sort mode gets nosort if it ends in ORDER BY, else rowsort. A
hand-written error pattern stays as long as it matches.

Every query is also run on DuckDB over the same data. DuckDB's dialect is not
Trino's, so a query that it refuses is only counted; one that it answers
differently must say why in a line `# duckdb: <reason>`, or the script fails.
A line `# duckdb: not compared: <reason>` in a block of comments holds for the file.
Where the reference refuses a query that we answer, or is wrong, a line
`# answer of duckdb: <reason>` takes DuckDB's answer instead, and a line
`# by hand: <reason>` keeps the block as it is written.
"""

import argparse
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "ref"))
sys.path.insert(0, str(HERE))
import crosscheck  # noqa: E402
import trinoraw  # noqa: E402

MAX_ROWS = 120


class Block:
    def __init__(self, lines):
        self.comments, self.header, self.sql, self.old = [], None, [], lines
        rest = list(lines)
        while rest and rest[0].startswith("#"):
            line = rest.pop(0)
            if not line.startswith("# ->"):
                self.comments.append(line)
        if rest and re.match(r"(statement|query)\b", rest[0]):
            self.header = rest.pop(0)
        self.sql = rest[: rest.index("----")] if "----" in rest else rest

    def text(self):
        return "\n".join(self.sql)

    def from_duckdb(self):
        return any(c.startswith("# answer of duckdb:") for c in self.comments)

    def reason(self):
        """The explanation of a known difference to DuckDB, if there is one."""
        return next((c for c in self.comments if c.startswith("# duckdb:")), None)


def read_blocks(file):
    blocks, lines = [], []
    for line in file.read_text().splitlines() + [""]:
        if line.strip():
            lines.append(line.rstrip() if line.startswith("#") else line)
        elif lines:
            blocks.append(Block(lines))
            lines = []
    return blocks


def escape(text):
    """One value as text without blanks at the ends, tabs or line ends."""
    text = text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    body = text.strip(" ")
    if not body:
        return "\\s" * len(text)
    start, end = len(text) - len(text.lstrip(" ")), len(text) - len(text.rstrip(" "))
    return "\\s" * start + body + "\\s" * end


def letter(kind):
    if kind in ("tinyint", "smallint", "integer", "bigint"):
        return "I"
    return "R" if kind in ("real", "double") or kind.startswith("decimal") else "T"


def sort_mode(block):
    words = (block.header or "").split()
    if len(words) == 3:
        return words[2]
    # A final ORDER BY outside parentheses; the corpus is written so that this suffices.
    text = re.sub(r"'[^']*'", "", block.text())
    while (inner := re.sub(r"\([^()]*\)", "", text)) != text:
        text = inner
    return "nosort" if re.search(r"\bORDER\s+BY\b", text, re.I) else "rowsort"


def pattern(failure):
    """A regular expression for the failure; parts that depend on the grammar
    or the function list of one implementation stay open."""
    text = f"{failure.name}: {failure.message}"
    if failure.name == "SYNTAX_ERROR" and (m := re.match(r"SYNTAX_ERROR: line \d+:\d+: ", text)):
        return m.group(0) + ".*"
    special = re.compile(r"([\\.+*?()|\[\]{}^$])")
    for mark in (" Expected: ", ". Expected: "):
        if mark in text:
            return special.sub(r"\\\1", text.split(mark)[0] + mark.split("Expected")[0]) + "Expected: .*"
    return special.sub(r"\\\1", text).replace("\n", "\\n")


def failure_lines(block, failure):
    if block.header and block.header.startswith("statement error "):
        old = block.header[len("statement error "):]
        if re.fullmatch(old, f"{failure.name}: {failure.message}", re.S):
            return block.comments + [block.header] + block.sql
    return block.comments + ["statement error " + pattern(failure)] + block.sql


def result_lines(block, result):
    if len(result.rows) > MAX_ROWS:
        raise SystemExit(f"{len(result.rows)} rows are too many:\n{block.text()}")
    rows = [[trinoraw.render(v) for v in row] for row in result.rows]
    mode = sort_mode(block)
    lines = ["\t".join(escape(v) for v in row) for row in rows]
    if mode == "rowsort":
        lines.sort()
    types = "# -> " + ", ".join(f"{name} {kind}" for name, kind in result.columns)
    letters = "".join(letter(kind) for _, kind in result.columns)
    return block.comments + [types, f"query {letters} {mode}"] + block.sql + ["----"] + lines


def duckdb_lines(block, letters, rows, counts):
    counts["duckdb"] += 1
    mode = sort_mode(block)
    lines = ["\t".join(escape(v) for v in row) for row in rows]
    return block.comments + [f"query {letters} {mode}"] + block.sql + ["----"] + (sorted(lines) if mode == "rowsort" else lines)


def record(block, session, duck, counts, compared):
    if not block.sql:
        return block.comments
    where = block.text()
    if any(c.startswith("# by hand:") for c in block.comments):
        counts["byhand"] += 1
        return block.old
    if block.from_duckdb():
        return duckdb_lines(block, *duck.answer(where), counts)
    try:
        result = session.run(where)
    except trinoraw.Failure as failure:
        if failure.name == "GENERIC_INTERNAL_ERROR":
            raise SystemExit(f"internal error {failure}:\n{where}")
        counts["errors"] += 1
        return failure_lines(block, failure)
    if not result.columns or block.header == "statement ok":
        counts["statements"] += 1
        return block.comments + ["statement ok"] + block.sql
    counts["queries"] += 1
    lines = result_lines(block, result)
    verdict = "refused: not compared"
    if compared:
        verdict = duck.compare(where, result, sort_mode(block))
    if verdict.startswith("refused"):
        counts["reasons"].append(verdict)
        verdict = "refused"
    if verdict == "agrees" and block.reason():
        counts["needless"].append(f"{block.reason()}\n{where}")
    elif verdict in ("agrees", "refused") or block.reason():
        counts[verdict if verdict in ("agrees", "refused") else "explained"] += 1
    else:
        counts["unexplained"].append(f"{verdict}\n{where}")
    return lines


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", default="http://127.0.0.1:18080")
    parser.add_argument("--data", default="/tmp/ref/data/sf0.01")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--verbose", action="store_true", help="say why DuckDB refused")
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    duck = crosscheck.Duck(options.data)
    failed = False
    total = {}
    for file in options.files:
        counts = dict.fromkeys("queries errors statements agrees refused explained duckdb byhand".split(), 0)
        counts |= {"unexplained": [], "needless": [], "reasons": []}
        recorded, changed = [], 0
        session = trinoraw.Session(options.url, "tpch", "tiny")
        blocks = read_blocks(file)
        compared = not any("# duckdb: not compared" in c for b in blocks for c in b.comments if not b.sql)
        for block in blocks:
            lines = record(block, session, duck, counts, compared)
            changed += lines != block.old
            recorded.append("\n".join(lines))
        if options.check:
            failed |= changed > 0
        else:
            file.write_text("\n\n".join(recorded) + "\n")
        shown = ", ".join(f"{v} {k}" for k, v in counts.items() if isinstance(v, int))
        print(f"{file.name}: {shown}; {changed} blocks changed", flush=True)
        for kind in ("unexplained", "needless"):
            for text in counts[kind]:
                failed = True
                print(f"  {kind}: {text}\n")
        if options.verbose:
            print("  " + "\n  ".join(counts["reasons"]))
        for k, v in counts.items():
            if isinstance(v, int):
                total[k] = total.get(k, 0) + v
    print("total:", ", ".join(f"{v} {k}" for k, v in total.items()))
    sys.exit(failed)


if __name__ == "__main__":
    main()
