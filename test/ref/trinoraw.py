"""A minimal client of Trino's statement protocol that keeps values as the
server wrote them: JSON numbers stay text, nothing is converted.

Used by the scripts that record expected answers from the reference server.
"""

import json
import urllib.error
import urllib.request


class Raw(str):
    """The text of a JSON number."""


class Failure(Exception):
    """A failed query: the server's error object."""

    def __init__(self, error):
        super().__init__(error["message"])
        self.name = error["errorName"]
        self.code = error["errorCode"]
        self.message = error["message"]


class Result:
    def __init__(self, columns, rows):
        self.columns = columns  # [(name, type text)]
        self.rows = rows  # lists of None, bool, str, Raw, list, dict


class Session:
    """Sends statements one after the other. Not a full client: no prepared
    statements, no transactions; session properties can be given at the start."""

    def __init__(self, url, catalog, schema, time_zone="UTC", properties=None):
        self.url = url
        self.headers = {
            "X-Trino-User": "corpus",
            "X-Trino-Source": "recorder",
            "X-Trino-Catalog": catalog,
            "X-Trino-Schema": schema,
            "X-Trino-Time-Zone": time_zone,
            "X-Trino-Client-Capabilities": "PATH,PARAMETRIC_DATETIME",
            "Content-Type": "text/plain",
        }
        if properties:
            self.headers["X-Trino-Session"] = ",".join(f"{k}={v}" for k, v in properties.items())

    def run(self, sql):
        page = self._request("POST", self.url + "/v1/statement", sql.encode())
        columns, rows = [], []
        while True:
            if page.get("columns"):
                columns = [(c["name"], c["type"]) for c in page["columns"]]
            if "error" in page:
                raise Failure(page["error"])
            rows.extend(page.get("data") or [])
            if "nextUri" not in page:
                return Result(columns, rows)
            page = self._request("GET", page["nextUri"], None)

    def _request(self, method, url, body):
        request = urllib.request.Request(url, data=body, method=method, headers=self.headers)
        with urllib.request.urlopen(request, timeout=600) as response:
            for name in ("Catalog", "Schema"):  # of USE
                if value := response.headers.get(f"X-Trino-Set-{name}"):
                    self.headers[f"X-Trino-{name}"] = value
            return json.loads(response.read(), parse_float=Raw, parse_int=Raw)


def render(value):
    """The text of one value as the corpus writes it."""
    if value is None:
        return "NULL"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, str):
        return value if value != "" else "(empty)"
    return compact(value)


def compact(value):
    """Arrays, rows and maps as JSON without blanks, map keys sorted."""
    if isinstance(value, list):
        return "[" + ",".join(compact(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(json.dumps(k, ensure_ascii=False) + ":" + compact(v) for k, v in sorted(value.items())) + "}"
    if isinstance(value, Raw):
        return str(value)
    return json.dumps(value, ensure_ascii=False)
