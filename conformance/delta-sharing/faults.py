"""Shows that the kit notices: a good server behind a proxy that does one thing wrong at a time."""

import http.server
import json
import pathlib
import threading
import urllib.parse

import kit
import requests
from report import Report
from sharingkit.registry import FAIL
from sharingkit.target import CAPABILITIES

HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "keep-alive")


class Answer:
    """What the server answered, to be spoilt."""

    def __init__(self, request: http.server.BaseHTTPRequestHandler, body: bytes, answer: requests.Response) -> None:
        self.method, self.path, self.asked, self.sent = request.command, request.path, request.headers, body
        self.status, self.headers, self.body = answer.status_code, dict(answer.headers), answer.content

    def lines(self, change) -> None:
        """Changes each line of an answer in lines; None leaves it out."""
        if "ndjson" in self.headers.get("content-type", ""):
            found = [change(json.loads(line)) for line in self.body.splitlines() if line.strip()]
            self.body = b"".join(json.dumps(line).encode() + b"\n" for line in found if line is not None)

    def files(self, change) -> None:
        """Changes each file of an answer in the parquet format."""

        def one(line: dict) -> dict:
            if "url" in line.get("file", {}):
                change(line["file"])
            return line

        self.lines(one)

    @property
    def is_query(self) -> bool:
        """Whether it answers a query."""
        return self.path.endswith("/query") and self.status == 200

    @property
    def is_file(self) -> bool:
        """Whether it is a file's bytes."""
        return self.status in (200, 206) and "json" not in self.headers.get("content-type", "json")


def drop_header(name: str):
    """An answer without a header."""
    return lambda a: [a.headers.pop(k) for k in list(a.headers) if k.lower() == name]


def spoil_stats(key: str, value):
    """Statistics with another value."""

    def change(file: dict) -> None:
        found = json.loads(file["stats"])
        if key in found:
            found[key] = value(found[key])
            file["stats"] = json.dumps(found)

    return lambda a: a.files(change)


def first_only(line_count: list) -> object:
    """Keeps a query's first file alone."""

    def change(a: Answer) -> None:
        seen = []

        def one(line: dict) -> dict | None:
            if "file" in line:
                seen.append(line)
                return line if len(seen) == 1 else None
            return line

        if a.is_query and (line_count[0] in a.sent):
            a.lines(one)

    return change


def no_ranges(a: Answer) -> None:
    """The whole file whatever the range."""
    if a.status == 206:
        answer = requests.get(a.real, timeout=60)
        a.status, a.body = 200, answer.content
        drop_header("content-range")(a)


def status(old: int, new: int):
    """Another status."""

    def change(a: Answer) -> None:
        a.status = new if a.status == old else a.status

    return change


def fresh_ids():
    """Another id each time."""
    count = iter(range(1 << 30))
    return lambda a: a.files(lambda f: f.update(id=f"{next(count)}"))


def open_urls(a: Answer) -> None:
    """A file for whoever asks, signature or not."""
    if a.status in (400, 401, 403) and "/files/" in a.path:
        a.status, a.body = 200, a.good


def short_file(a: Answer) -> None:
    """Files of one byte less."""
    if a.is_file and a.status == 200:
        a.body = a.body[:-1]


def other_bytes(a: Answer) -> None:
    """Ranges that begin one byte late."""
    if a.status == 206:
        a.body = a.body[1:] + b"x"


def no_schema_column(a: Answer) -> None:
    """A schema with a column too many."""

    def one(line: dict) -> dict:
        for found in (line.get("metaData", {}), line.get("metaData", {}).get("deltaMetadata", {})):
            if "schemaString" in found:
                schema = json.loads(found["schemaString"])
                schema["fields"].append({"name": "phantom", "type": "long", "nullable": True, "metadata": {}})
                found["schemaString"] = json.dumps(schema)
        return line

    a.lines(one)


def always_delta_header(a: Answer) -> None:
    """A header that tells another format than the body has."""
    if CAPABILITIES in a.headers:
        a.headers[CAPABILITIES] = "responseformat=delta"


def no_end(a: Answer) -> None:
    """An announced end line that does not come."""
    a.lines(lambda line: None if "endStreamAction" in line else line)


def fresh_queries():
    """Another query for the same submission."""
    count = iter(range(1 << 30))
    return lambda a: a.lines(lambda line: {"queryStatus": line["queryStatus"] | {"queryId": f"q{next(count)}"}} if "queryStatus" in line else line)


def polled_plain(a: Answer) -> None:
    """What is polled is in the parquet format, whatever was asked for."""
    if "/queries/" in a.path:
        a.lines(lambda line: {"protocol": {"minReaderVersion": 1}} if "protocol" in line else line)


def polled_first_only(a: Answer) -> None:
    """What is polled is cut after its first file."""
    seen = []
    if "/queries/" in a.path and b"maxFiles" not in a.sent:
        a.lines(lambda line: None if "file" in line and (seen.append(1) or len(seen) > 1) else line)


def polled_by_all(a: Answer) -> None:
    """Whoever polls is answered."""
    if a.status == 404 and "/queries/" in a.path:
        a.status = 200


def always_later(a: Answer) -> None:
    """Answers later to clients that did not ask for it."""
    if a.is_query and b"idempotencyKey" in a.sent:
        a.body = b'{"queryStatus": {"queryId": "q", "status": "pending"}}'


# What is done wrong, and a check that must fail then.
FAULTS = {
    "listings as plain text": (lambda a: a.headers.update({"content-type": "text/plain"}), "listing.shares.content-type"),
    "wrong tokens are 403": (status(401, 403), "auth.wrong"),
    "unknown tables are 400": (status(404, 400), "unknown.table.metadata"),
    "no version header": (drop_header("delta-table-version"), "metadata.headers"),
    "the header tells another format": (always_delta_header, "capabilities.format.parquet"),
    "an end line that does not come": (no_end, "capabilities.end-stream.asked"),
    "ids that change": (fresh_ids(), "query.again"),
    "a limit that cuts too much": (first_only([b"limitHint"]), "limit.all"),
    "an SQL hint that loses rows": (first_only([b"predicateHints"]), "hints.sql.greater"),
    "a JSON hint that loses rows": (first_only([b"jsonPredicateHints"]), "hints.json.greater"),
    "a hint that is not understood loses rows": (first_only([b"no_such_column"]), "hints.ignored.json.unknown-column"),
    "statistics count too many rows": (spoil_stats("numRecords", lambda n: n + 1), "stats.rows"),
    "statistics with bounds too narrow": (spoil_stats("maxValues", lambda v: v | {"row": 0}), "stats.bounds"),
    "statistics of a column that is not there": (spoil_stats("nullCount", lambda v: v | {"phantom": 0}), "stats.columns"),
    "a schema with a column too many": (no_schema_column, "parquet.schema"),
    "no ranges": (no_ranges, "urls.range.footer"),
    "other bytes than the range's": (other_bytes, "urls.range.middle"),
    "ranges beyond the end are 404": (status(416, 404), "urls.range.unsatisfiable"),
    "files that are too short": (short_file, "urls.size"),
    "signatures that nobody checks": (open_urls, "urls.tampered.query"),
    "a query that is polled and cut": (polled_first_only, "async.answer"),
    "a polled answer in another format": (polled_plain, "async.format"),
    "a submission that is another each time": (fresh_queries(), "async.idempotency"),
    "queries that anybody may poll": (polled_by_all, "async.unknown"),
    "answers later to who did not ask": (always_later, "async.not-offered"),
    "errors without their object": (lambda a: setattr(a, "body", b"sorry") if a.status >= 400 else None, "listing.shares.paging.negative"),
}


class Proxy:
    """Passes on what is asked, and spoils what is answered; files are fetched by way of it too."""

    def __init__(self, server: str) -> None:
        self.server, self.fault = server, None
        self.good = b""
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """One request."""

            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                """Passes it on."""
                proxy.pass_on(self)

            do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = do_PATCH = handle_any

            def log_message(self, *_) -> None:
                """Says nothing."""

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def pass_on(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """Asks the server, spoils the answer."""
        body = request.rfile.read(int(request.headers.get("content-length") or 0))
        headers = {k: v for k, v in request.headers.items() if k.lower() not in (*HOP_BY_HOP, "host")}
        real = self.server + request.path
        answer = Answer(request, body, requests.request(request.command, real, data=body, headers=headers, timeout=60, allow_redirects=False))
        answer.real, answer.good = real, self.good
        answer.body = answer.body.replace(self.server.encode(), self.url.encode())
        if answer.is_file and answer.status == 200:
            self.good = answer.body
        self.fault(answer)
        request.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in HOP_BY_HOP:
                request.send_header(name, value)
        request.send_header("content-length", str(len(answer.body)))
        request.send_header("connection", "close")
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(answer.body)
        request.close_connection = True

    def stop(self) -> None:
        """Ends it."""
        self.http.shutdown()
        self.http.server_close()


def run(report: Report, profile: pathlib.Path, folder: pathlib.Path) -> None:
    """Each fault is noticed by the check that is there for it, which holds without."""
    content = json.loads(profile.read_text())
    parts = urllib.parse.urlsplit(content["endpoint"])
    proxy = Proxy(f"{parts.scheme}://{parts.netloc}")
    try:
        spoilt = folder / "spoilt.share"
        spoilt.write_text(json.dumps(content | {"endpoint": content["endpoint"].replace(proxy.server, proxy.url)}))
        for what, (fault, expected) in FAULTS.items():
            results = []
            for proxy.fault in (lambda a: None, fault):
                found = [o for o in kit.examine(spoilt, only=expected) if o.check.id == expected]
                results.append((found[0].result == FAIL, found[0].detail))
            report.check(f"the kit notices {what}: {expected}", not results[0][0] and results[1][0], results)
    finally:
        proxy.stop()
