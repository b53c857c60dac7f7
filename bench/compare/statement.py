"""A client of the statement protocol that Tutti and Trino share.

Does what an ordinary driver does and nothing else: one connection kept open,
POST the text, follow nextUri until there is none, collect the rows. Values
stay as JSON has them; answers.py gives them types after the clock has stopped.
"""

import http.client
import json
import select
import socket
import time
import urllib.parse


class QueryError(Exception):
    """A failed query, with the server's message."""


class QueryTimeout(QueryError):
    """A query that took longer than it may; it was canceled."""


class Client:
    def __init__(self, port, catalog, schema):
        self.address = ("127.0.0.1", port)
        self.headers = {"X-Trino-User": "bench", "X-Trino-Source": "bench",
                        "X-Trino-Catalog": catalog, "X-Trino-Schema": schema,
                        "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME"}
        self.connection = None

    def run(self, sql, timeout=600):
        """Returns (column types, rows)."""
        deadline = time.monotonic() + timeout
        page = self._call("POST", "/v1/statement", sql.encode(), deadline)
        types, rows, following = [], [], None
        while True:
            if "error" in page:
                raise QueryError(page["error"]["message"])
            if page.get("columns"):
                types = [c["type"] for c in page["columns"]]
            rows += page.get("data") or []
            if "nextUri" not in page:
                return types, rows
            following = urllib.parse.urlsplit(page["nextUri"])
            target = following.path + (f"?{following.query}" if following.query else "")
            page = self._call("GET", target, None, deadline)

    def info(self):
        """The server's /v1/info."""
        return self._call("GET", "/v1/info", None, time.monotonic() + 10)

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def _call(self, method, target, body, deadline):
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                self._cancel(target)
                raise QueryTimeout("took too long and was canceled")
            try:
                status, payload = self._exchange(method, target, body, left)
            except (TimeoutError, socket.timeout):
                continue  # the deadline has passed: cancels
            if status == 503:  # asks to be asked again
                time.sleep(0.05)
                continue
            if status != 200:
                raise QueryError(f"{method} {target.split('?')[0]}: HTTP {status}: {payload[:200].decode(errors='replace')}")
            return json.loads(payload)

    def _exchange(self, method, target, body, timeout):
        if self.connection and select.select([self.connection.sock], [], [], 0)[0]:
            self.close()  # nothing was asked, so what there is to read is the end: the server closed it while it was idle
        fresh = self.connection is None
        if fresh:
            self.connection = http.client.HTTPConnection(*self.address)
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.sock.settimeout(timeout)
        try:
            self.connection.request(method, target, body, self.headers)
            with self.connection.getresponse() as response:
                payload = response.read()
            if self.connection.sock is None:  # the server closed it
                self.connection = None
            return response.status, payload
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self.close()
            if fresh or method == "POST":
                raise
            return self._exchange(method, target, body, timeout)  # an idle connection that had been closed
        except Exception:
            self.close()
            raise

    def _cancel(self, target):
        self.close()
        if "/v1/statement/" not in target:
            return
        try:
            self._exchange("DELETE", target, None, 5)
        except OSError:
            pass
