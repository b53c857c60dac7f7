"""Tests of the comparison's own parts; run.sh runs them before each measurement."""

import datetime
import json
import os
import sys
import tempfile
import threading
import time
import unittest
from decimal import Decimal as D
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import answers
import machine
import procs
import report
import statement

DAY = datetime.date(1995, 3, 15)


class Answers(unittest.TestCase):
    def test_values(self):
        cases = [
            # want, got, same
            (1, 1, True), (1, 2, False), (1, D("1.00"), True), (1, D("1.01"), False),
            ("a", "a", True), ("a", "b", False), ("1", 1, False), (DAY, DAY, True),
            (DAY, DAY + datetime.timedelta(1), False), (datetime.datetime(1995, 3, 15), DAY, True),
            (None, None, True), (None, 0, False), (0, None, False),
            (D("1.23"), D("1.23"), True), (D("1.23"), D("1.24"), False),  # sums are exact
            (D("1.23"), D("1.234567"), True), (D("1.23"), D("1.250000"), False),  # averages of other scales
            (D("25.52"), 25.522005853, True), (D("25.52"), 25.54, False), (25.522005853, D("25.52"), True),
            (1e12, 1e12 + 1, True), (1e6, 1e6 + 1, False), (1.0, "1.0", False),
            (float("nan"), float("nan"), True), (float("nan"), 1.0, False),
        ]
        for want, got, same in cases:
            with self.subTest(want=want, got=got):
                self.assertEqual(answers.difference("q06", [(want,)], [(got,)]) is None, same)

    def test_rows(self):
        tie = [(1, D(5)), (2, D(5)), (3, D(4))]
        full = [(i, i, i, DAY, D(9)) for i in range(99)]
        cases = [
            # name, query, want, got, what the difference must name
            ("equal", "q11", tie, tie, None),
            ("tied rows swapped", "q11", tie, [tie[1], tie[0], tie[2]], None),
            ("rows swapped that are not tied", "q11", tie, [tie[0], tie[2], tie[1]], "row 2"),
            ("a tied row twice", "q11", tie, [tie[0], tie[0], tie[2]], "row 2"),
            ("a row too few", "q11", tie, tie[:2], "2 rows instead of 3"),
            ("no sort keys", "q06", tie, [tie[1], tie[0], tie[2]], "row 1"),
            ("another row of the tie that LIMIT cuts", "q18", [*full, (7, 7, 7, DAY, D(1))], [*full, (8, 8, 8, DAY, D(1))], None),
            ("another row where LIMIT cuts nothing", "q18", full, [(0, 0, 0, DAY, D(9)), *full[:-1]], "row 2"),
            ("a row with fewer columns", "q06", [(1, 2)], [(1,)], "row 1"),
            ("both empty", "q18", [], [], None),
        ]
        for name, query, want, got, named in cases:
            with self.subTest(name):
                difference = answers.difference(query, want, got)
                if named is None:
                    self.assertIsNone(difference)
                else:
                    self.assertIn(named, difference)

    def test_json_values_get_their_types(self):
        rows = answers.typed(["bigint", "decimal(15,2)", "date", "varchar(5)", "double"],
                             [[1, "2.50", "1995-03-15", "x", "NaN"], [None] * 5])
        self.assertEqual(rows[0][:4], (1, D("2.50"), DAY, "x"))
        self.assertNotEqual(rows[0][4], rows[0][4])
        self.assertEqual(rows[1], (None,) * 5)

    def test_every_query_has_an_order(self):
        self.assertEqual(list(answers.ORDER), [f"q{i:02d}" for i in range(1, 23)])


class FakeEngine:
    def __init__(self, name):
        self.name, self.label, self.version = name, name.upper(), "1"


def timing(times, first=9.0, error=None, wrong=None, peak=0):
    t = report.Timing()
    t.times, t.first, t.error, t.wrong, t.peak, t.cpu = times, first, error, wrong, peak, list(times)
    return t


class Report(unittest.TestCase):
    def test_median_and_minimum(self):
        self.assertEqual(timing([3, 1, 2]).median, 2)
        self.assertEqual(timing([4, 1, 2, 3]).median, 2.5)
        self.assertEqual(timing([3, 1, 2]).minimum, 1)
        self.assertIsNone(timing([]).minimum)
        self.assertIsNone(timing([1], wrong="row 1").minimum)
        self.assertIsNone(timing([1], error="no").median)

    def test_totals_need_every_query(self):
        self.assertEqual(report.total([1, 2]), 3)
        self.assertIsNone(report.total([1, None]))
        self.assertAlmostEqual(report.geomean([1, 4]), 2)
        self.assertIsNone(report.geomean([1, None]))

    def test_summary_is_relative_to_the_baseline(self):
        engines = [FakeEngine("duckdb"), FakeEngine("tutti")]
        results = {"q01": {"duckdb": timing([1.0]), "tutti": timing([2.0], peak=2**30)},
                   "q02": {"duckdb": timing([4.0]), "tutti": timing([2.0])}}
        head, rows = report.summary(engines, results, "duckdb")
        got = dict(zip(head, rows[1]))
        self.assertEqual((got["total s"], got["× DuckDB"], got["geomean s"]), ("4.000", "0.80", "2.000"))
        self.assertEqual((got["cold total"], got["peak MiB"], got["right"]), ("18.00", "1024", "2/2"))

    def test_a_wrong_answer_has_no_total(self):
        engines = [FakeEngine("duckdb"), FakeEngine("tutti")]
        results = {"q01": {"duckdb": timing([1.0]), "tutti": timing([0.1], wrong="row 3 is …")},
                   "q02": {"duckdb": timing([1.0]), "tutti": timing([0.1], error="no memory")}}
        head, rows = report.summary(engines, results, "duckdb")
        got = dict(zip(head, rows[1]))
        self.assertEqual((got["total s"], got["× DuckDB"], got["right"]), ("–", "–", "0/2"))
        self.assertEqual(report.faults(engines, results),
                         ["TUTTI q01 is wrong: row 3 is …", "TUTTI q02 failed: no memory"])

    def test_no_baseline(self):
        engines = [FakeEngine("tutti")]
        head, rows = report.summary(engines, {"q01": {"tutti": timing([1.0])}}, "duckdb")
        self.assertEqual(dict(zip(head, rows[0]))["× DuckDB"], "–")

    def test_tables(self):
        head, rows = ["query", "a"], [["q01", "1.000"], ["total", "10.00"]]
        self.assertEqual(report.as_text(head, rows), "query      a\n─────  ─────\nq01    1.000\ntotal  10.00")
        self.assertEqual(report.as_markdown(head, rows), "| query | a |\n|---|---:|\n| q01 | 1.000 |\n| total | 10.00 |")

    def test_the_memory_limit(self):
        import compare

        engines, results = [FakeEngine("tutti")], {"q01": {"tutti": timing([1.0], peak=3 * 2**30)}}
        for limit, held, text in (("tutti=4", True, "held"), ("tutti=2.5", False, "EXCEEDED"), ("trino=4", False, "not measured")):
            line, good = compare.rss_verdict(limit, engines, results)
            self.assertEqual(good, held)
            self.assertIn(text, line)


class FakeServer:
    """Answers the paths it is given, in order, and remembers what was asked."""

    def __init__(self, replies):
        self.asked, self.replies = [], list(replies)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def reply(self):
                length = int(self.headers.get("Content-Length") or 0)
                outer.asked.append((self.command, self.path, self.rfile.read(length).decode(), self.client_address))
                status, body = outer.replies.pop(0) if outer.replies else (204, {})
                if callable(body):
                    body = body()
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                try:
                    self.end_headers()
                    self.wfile.write(text)
                except OSError:
                    pass  # the client has given up

            do_POST = do_GET = do_DELETE = reply

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Statement(unittest.TestCase):
    def serve(self, *replies):
        s = FakeServer(replies)
        self.addCleanup(s.close)
        c = statement.Client(s.port, "lake", "sf1")
        self.addCleanup(c.close)
        return s, c

    def test_pages_are_followed_on_one_connection(self):
        s, c = self.serve()
        s.replies += [(200, {"nextUri": s.next("/v1/statement/1?x=y")}), (503, {}),
                      (200, {"columns": [{"type": "bigint"}], "data": [[1]], "nextUri": s.next("/v1/statement/2")}),
                      (200, {"columns": [{"type": "bigint"}], "data": [[2]]})]
        self.assertEqual(c.run("SELECT 1"), (["bigint"], [[1], [2]]))
        self.assertEqual([a[:3] for a in s.asked], [
            ("POST", "/v1/statement", "SELECT 1"), ("GET", "/v1/statement/1?x=y", ""),
            ("GET", "/v1/statement/1?x=y", ""), ("GET", "/v1/statement/2", "")])
        self.assertEqual(len({a[3] for a in s.asked}), 1)

    def test_errors(self):
        s, c = self.serve((200, {"error": {"message": "line 1:8: no column x"}}), (500, {"oops": 1}))
        with self.assertRaisesRegex(statement.QueryError, "no column x"):
            c.run("SELECT x")
        with self.assertRaisesRegex(statement.QueryError, "HTTP 500"):
            c.run("SELECT x")

    def test_a_connection_that_the_server_closed_while_idle_is_replaced(self):
        s, c = self.serve((200, {"columns": [], "data": []}), (200, {"columns": [{"type": "bigint"}], "data": [[1]]}))
        s.server.RequestHandlerClass.timeout = 0.05  # of idle connections
        c.run("SELECT 1")
        time.sleep(0.3)
        self.assertEqual(c.run("SELECT 1")[1], [[1]])
        self.assertEqual(len({a[3] for a in s.asked}), 2)

    def test_a_query_that_takes_too_long_is_canceled(self):
        s, c = self.serve()
        release = threading.Event()
        self.addCleanup(release.set)
        s.replies += [(200, {"nextUri": s.next("/v1/statement/1")}), (200, lambda: release.wait(5) and {})]
        with self.assertRaises(statement.QueryTimeout):
            c.run("SELECT 1", timeout=0.2)
        deadline = time.monotonic() + 5
        while s.asked[-1][0] != "DELETE" and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertEqual(s.asked[-1][:2], ("DELETE", "/v1/statement/1"))


class Processes(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def start(self, code, **more):
        p = procs.Process("test", [sys.executable, "-c", code], self.folder / "log", **more)
        self.addCleanup(p.stop)
        return p

    def test_measures(self):
        p = self.start("import sys; x = b'x' * (64 << 20); sum(range(2000000)); print(len(x), flush=True); del x; sys.stdin.read()",
                       stdio=True)
        p.popen.stdout.readline()
        self.assertGreater(p.status("VmHWM"), 64 << 20)
        self.assertGreater(p.cpu(), 0)
        while p.status("VmRSS") > 48 << 20:
            time.sleep(0.01)
        p.reset_peak()
        self.assertLess(p.status("VmHWM"), 64 << 20)

    def test_stop_ends_even_who_does_not_listen(self):
        p = self.start("import signal, time; signal.signal(15, signal.SIG_IGN); open('ready', 'w'); time.sleep(60)", cwd=self.folder)
        while not (self.folder / "ready").exists():
            time.sleep(0.01)
        p.stop(patience=0.1)
        self.assertFalse(p.running())

    def test_a_process_that_ends_says_its_last_words(self):
        p = self.start("import sys; sys.exit('the port is in use')")
        with self.assertRaisesRegex(procs.StartError, "the port is in use"):
            procs.await_port(p, 1, 10)

    def test_a_port_in_use_is_refused(self):
        s = FakeServer([])
        self.addCleanup(s.close)
        with self.assertRaisesRegex(procs.StartError, f"port {s.port} is in use"):
            procs.require_free(s.port)


class Machine(unittest.TestCase):
    def test_describe(self):
        self.assertIn("GiB RAM", machine.describe())

    def test_settle_ends(self):
        start = time.monotonic()
        machine.settle(0.05)
        self.assertLess(time.monotonic() - start, 2)

    def test_forget_files_leaves_them_as_they_are(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "a" / "b"
            file.parent.mkdir()
            file.write_bytes(b"x" * 4096)
            os.sync()
            machine.forget_files(Path(folder))
            self.assertEqual(file.read_bytes(), b"x" * 4096)


if __name__ == "__main__":
    unittest.main()
