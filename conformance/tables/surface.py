"""The Delta Sharing surface in plain HTTP: what clients other than the stock one, and strangers, will try.

Follows the Delta Sharing protocol (PROTOCOL.md of delta-io/delta-sharing) and RFC 9110 for bytes.
"""

import email.parser
import hashlib
import json
import time
import urllib.parse

import requests

JSON = "application/json; charset=utf-8"
NDJSON = "application/x-ndjson; charset=utf-8"
# Spark takes a URL that expires within 15 minutes as expired.
URL_LIFE_MIN_MS = 15 * 60 * 1000


class Surface:
    """One profile's view of a sharing endpoint."""

    def __init__(self, profile) -> None:
        content = json.loads(profile.read_text())
        self.endpoint = content["endpoint"].rstrip("/")
        self.token = content["bearerToken"]
        tables = self.get("/shares").json()["items"]
        self.share = tables[0]["name"]
        table = self.get(f"/shares/{self.share}/all-tables").json()["items"][0]
        self.schema, self.table = table["schema"], table["name"]

    @property
    def path(self) -> str:
        """The table."""
        return f"/shares/{self.share}/schemas/{self.schema}/tables/{self.table}"

    def request(self, method: str, path: str, token: str | None = "own", **options) -> requests.Response:
        """A request with our token, another, or none."""
        headers = dict(options.pop("headers", {}))
        token = self.token if token == "own" else token
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return requests.request(method, self.endpoint + path, headers=headers, timeout=30, allow_redirects=False, **options)

    def get(self, path: str, **options) -> requests.Response:
        """GET."""
        return self.request("GET", path, **options)

    def query(self, body: object = None, **options) -> requests.Response:
        """POST …/query."""
        return self.request("POST", self.path + "/query", json={} if body is None else body, **options)

    def files(self) -> list[dict]:
        """The table's files, in the parquet format."""
        return [line["file"] for line in lines(self.query()) if "file" in line]


def lines(answer: requests.Response) -> list[dict]:
    """The JSON lines of an answer."""
    return [json.loads(line) for line in answer.text.splitlines() if line.strip()]


def is_error(answer: requests.Response, *statuses: int) -> bool:
    """Whether it is the protocol's error object with one of these statuses."""
    try:
        body = answer.json()
    except ValueError:
        return False
    return answer.status_code in statuses and bool(body.get("errorCode")) and bool(body.get("message"))


def seen(answer: requests.Response) -> str:
    """An answer in a line."""
    return f"{answer.status_code} {dict(answer.headers)} {answer.content[:200]!r}"


def run(trade) -> None:
    """All of it, on the flights; the CSV's agreement is the stranger."""
    surface, other = Surface(trade.profile("flights")), Surface(trade.profile("flights-csv"))
    credentials(trade.report, surface, other)
    listings(trade.report, surface)
    queries(trade.report, surface, trade.flights.table.num_rows)
    files = surface.files()
    signatures(trade.report, files, other.files())
    ranges(trade.report, files[0])
    conditions(trade.report, files[0])


def credentials(report, surface: Surface, other: Surface) -> None:
    """Who may not."""
    for what, token in {"no token": None, "a wrong token": "wrong", "a token cut short": surface.token[:-1]}.items():
        answer = surface.get("/shares", token=token)
        report.check(f"{what} is refused", is_error(answer, 401), seen(answer))
    # A share is the publisher's; which of its tables there are depends on the token.
    listed = other.get(f"/shares/{surface.share}/all-tables").json()["items"]
    report.equal("another agreement's token lists its own table alone", [t["name"] for t in listed], [other.table])
    for method, path in (("GET", surface.path + "/version"), ("GET", surface.path + "/metadata"), ("POST", surface.path + "/query")):
        answer = surface.request(method, path, token=other.token, json={} if method == "POST" else None)
        report.check(f"another agreement's token: {method} {path.rsplit('/', 1)[1]} is refused", is_error(answer, 403, 404), seen(answer))


def listings(report, surface: Surface) -> None:
    """Names, paging, errors."""
    places = {
        "shares": "/shares",
        "schemas": f"/shares/{surface.share}/schemas",
        "tables": f"/shares/{surface.share}/schemas/{surface.schema}/tables",
        "all-tables": f"/shares/{surface.share}/all-tables",
    }
    for name, path in places.items():
        answer = surface.get(path)
        report.equal(f"{name}: content type", answer.headers.get("content-type"), JSON)
        everything = answer.json()["items"]
        paged, token, pages = [], None, 0
        while pages < 20:
            page = surface.get(path, params={"maxResults": 1} | ({"pageToken": token} if token else {})).json()
            report.check(f"{name}: a page of one", len(page.get("items", [])) <= 1, page)
            paged += page.get("items", [])
            token, pages = page.get("nextPageToken"), pages + 1
            if not token:
                break
        report.equal(f"{name}: the pages add up", paged, everything)
        for parameter, value in (("pageToken", "not-a-token"), ("maxResults", "-1"), ("maxResults", "many")):
            answer = surface.get(path, params={parameter: value})
            report.check(f"{name}: {parameter}={value} is refused", is_error(answer, 400), seen(answer))
    share = surface.get(f"/shares/{surface.share}").json()
    report.equal("a share by its name", share.get("share", {}).get("name"), surface.share)
    answer = surface.get(f"/shares/{surface.share.upper()}/schemas/{surface.schema.upper()}/tables/{surface.table.upper()}/version")
    report.equal("names do not distinguish case", answer.status_code, 200)
    for path in ("/shares/nothing", f"/shares/{surface.share}/schemas/nothing/tables", surface.path + "x/metadata"):
        answer = surface.get(path)
        report.check(f"unknown: {path.rsplit('/', 1)[0]}", is_error(answer, 404), seen(answer))


def queries(report, surface: Surface, rows: int) -> None:
    """Version, metadata, query, capabilities."""
    version = surface.get(surface.path + "/version")
    number = version.headers.get("delta-table-version", "")
    report.check("version: in the header, no body", number.isdigit() and version.content == b"", seen(version))
    metadata = surface.get(surface.path + "/metadata")
    report.equal("metadata: content type", metadata.headers.get("content-type"), NDJSON)
    report.equal("metadata: version", metadata.headers.get("delta-table-version"), number)
    report.equal("metadata: lines", [list(line) for line in lines(metadata)], [["protocol"], ["metaData"]])

    for asked, shape in {None: "parquet", "responseformat=parquet": "parquet", "responseformat=delta": "delta",
                         "ResponseFormat=Delta,Parquet;readerfeatures=deletionvectors": "delta"}.items():
        headers = {"delta-sharing-capabilities": asked} if asked else {}
        answer = surface.query(headers=headers)
        file = next((line["file"] for line in lines(answer) if "file" in line), {})
        report.check(f"asked for {asked}: {shape}", ("deltaSingleAction" in file) == (shape == "delta"), file)
        told = answer.headers.get("delta-sharing-capabilities", "").lower()
        report.check(f"asked for {asked}: the answer says so", not asked or f"responseformat={shape}" in told, told)
        report.equal(f"asked for {asked}: content type", answer.headers.get("content-type"), NDJSON)

    files = surface.files()
    report.equal("query: the files' statistics add up to the rows", sum(json.loads(f["stats"])["numRecords"] for f in files), rows)
    report.equal("query: the same ids again", [f["id"] for f in surface.files()], [f["id"] for f in files])
    least = min(f.get("expirationTimestamp", 0) for f in files) - time.time() * 1000
    report.check("query: URLs live long enough for Spark", least > URL_LIFE_MIN_MS, f"{least:.0f} ms")
    ending = lines(surface.query(headers={"delta-sharing-capabilities": "includeendstreamaction=true"}))[-1]
    report.check("query: an end line when asked for", "endStreamAction" in ending, ending)
    report.check("query: no end line otherwise", all("endStreamAction" not in line for line in lines(surface.query())))

    refusals = {
        "a body that is not JSON": surface.request("POST", surface.path + "/query", data="{", headers={"content-type": "application/json"}),
        "a body that is a list": surface.query([]),
        "a limit that is text": surface.query({"limitHint": "ten"}),
        "a version that never was": surface.query({"version": 987654}),
        "a body that is too deep": surface.request(
            "POST", surface.path + "/query", data='{"idempotencyKey":' + "[" * 5_000 + "]" * 5_000 + "}", headers={"content-type": "application/json"}
        ),
        "changes of a table without a change feed": surface.get(surface.path + "/changes", params={"startingVersion": 0}),
        "an unknown id hash": surface.query(headers={"fileidhash": "md5"}),
    }
    for what, answer in refusals.items():
        report.check(f"{what} is refused", is_error(answer, 400), seen(answer))
    answer = surface.query({"predicateHints": ["x" * (4 << 20)]})
    report.check("a body of 4 MiB is refused", is_error(answer, 400, 413), seen(answer))
    # Hints are the server's to use or not; engines write long lists as deep trees.
    for what, hint in {
        "hints that nobody understands": {"predicateHints": ["; drop"]},
        "a hint tree that is too deep": {"jsonPredicateHints": deep(5_000)},
    }.items():
        answer = surface.query(hint)
        kept = [line["file"]["id"] for line in lines(answer) if "file" in line]
        report.equal(f"{what}: no file is left out", (answer.status_code, kept), (200, [f["id"] for f in files]))


def deep(levels: int) -> str:
    """A hint nested too deeply."""
    return '{"op":"not","children":[' * levels + "]}" * levels


def signatures(report, files: list[dict], others: list[dict]) -> None:
    """The URL is the credential: each part of it counts."""
    url = urllib.parse.urlsplit(files[0]["url"])
    report.equal("a file's URL works by itself", requests.head(files[0]["url"], timeout=30).status_code, 200)
    query = urllib.parse.parse_qsl(url.query)
    report.check("the URL has more than one parameter", len(query) > 1, url.query)
    for number, (name, value) in enumerate(query):
        changed = value[:-1] + ("A" if value[-1:] != "A" else "B") if not value.isdigit() else str(int(value) + 1)
        for what, pairs in {
            f"{name} altered": [*query[:number], (name, changed), *query[number + 1:]],
            f"{name} removed": [*query[:number], *query[number + 1:]],
        }.items():
            if name == "sp":
                continue  # the marker that tells clients that a URL is signed; it carries no right
            answer = requests.get(url._replace(query=urllib.parse.urlencode(pairs)).geturl(), timeout=30)
            report.check(f"a URL with {what} is refused", is_error(answer, 400, 401, 403), seen(answer))
    for what, another in (("another file", files[1]), ("another agreement's file", others[0])):
        path = urllib.parse.urlsplit(another["url"]).path
        answer = requests.get(url._replace(path=path).geturl(), timeout=30)
        report.check(f"a signature for {what} is refused", is_error(answer, 401, 403, 404), seen(answer))
    answer = requests.post(files[0]["url"], timeout=30)
    report.check("writing to a file is not possible", is_error(answer, 405), seen(answer))


def ranges(report, file: dict) -> None:
    """RFC 9110, section 14."""
    url, size = file["url"], file["size"]
    head = requests.head(url, timeout=30)
    report.equal("HEAD: the size that the query told", head.headers.get("content-length"), str(size))
    report.equal("HEAD: ranges are welcome", head.headers.get("accept-ranges"), "bytes")
    whole = requests.get(url, timeout=60)
    content = whole.content
    report.equal("GET: the whole file", (whole.status_code, len(content)), (200, size))
    report.equal("GET: the ETag is the content's hash", whole.headers.get("etag"), f'"{hashlib.sha256(content).hexdigest()}"')

    single = {
        "0-": (0, size - 1), "0-0": (0, 0), "0-99": (0, 99), "100-199": (100, 199), "-100": (size - 100, size - 1),
        f"{size - 1}-": (size - 1, size - 1), f"{size - 8}-{size - 1}": (size - 8, size - 1),
        f"{size - 10}-{size + 1000}": (size - 10, size - 1), f"-{size + 1}": (0, size - 1), f"0-{size - 1}": (0, size - 1),
    }
    for asked, (first, last) in single.items():
        answer = requests.get(url, headers={"Range": f"bytes={asked}"}, timeout=60)
        told = (answer.status_code, answer.headers.get("content-range"), answer.headers.get("content-length"))
        report.equal(f"range {asked}", told, (206, f"bytes {first}-{last}/{size}", str(last - first + 1)))
        report.check(f"range {asked}: the bytes", answer.content == content[first : last + 1])
    for asked in (f"bytes={size}-", f"bytes={size + 5}-{size + 9}", "bytes=-0"):
        answer = requests.get(url, headers={"Range": asked}, timeout=60)
        told = (answer.status_code, answer.headers.get("content-range"))
        report.equal(f"range {asked} cannot be met", told, (416, f"bytes */{size}"))
    for asked in ("bytes=abc", "items=0-1", "bytes=10-5", "bytes=", "bytes=1-2-3"):
        answer = requests.get(url, headers={"Range": asked}, timeout=60)
        report.equal(f"{asked} is no range: the whole file", (answer.status_code, len(answer.content)), (200, size))
    several = requests.get(url, headers={"Range": "bytes=0-9,1000-1009,-5"}, timeout=60)
    wanted = [content[:10], content[1000:1010], content[-5:]]
    report.equal("three ranges: status", several.status_code, 206)
    report.equal("three ranges: the parts", parts(several), wanted)
    many = ",".join(f"{n * 20}-{n * 20 + 1}" for n in range(2_000))
    answer = requests.get(url, headers={"Range": f"bytes={many}"}, timeout=60)
    report.check("two thousand ranges are not served one by one", answer.status_code in (200, 400, 416, 431), answer.status_code)


def parts(answer: requests.Response) -> list[bytes]:
    """The parts of a multipart/byteranges body."""
    kind = answer.headers.get("content-type", "")
    if not kind.startswith("multipart/byteranges"):
        return []
    boundary = email.parser.HeaderParser().parsestr(f"content-type: {kind}\n").get_boundary()
    found = []
    for part in answer.content.split(b"--" + boundary.encode())[1:-1]:
        found.append(part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n"))
    return found


def conditions(report, file: dict) -> None:
    """RFC 9110, section 13."""
    url, size = file["url"], file["size"]
    etag = requests.head(url, timeout=30).headers.get("etag", "")
    report.check("the ETag is strong", etag.startswith('"'), etag)
    cases = [
        ("If-None-Match, the same", {"If-None-Match": etag}, 304, 0),
        ("If-None-Match, any", {"If-None-Match": "*"}, 304, 0),
        ("If-None-Match, another", {"If-None-Match": '"x"'}, 200, size),
        ("If-Match, the same", {"If-Match": etag}, 200, size),
        ("If-Match, another", {"If-Match": '"x"'}, 412, None),
        ("If-Range, the same", {"If-Range": etag, "Range": "bytes=0-9"}, 206, 10),
        ("If-Range, another", {"If-Range": '"x"', "Range": "bytes=0-9"}, 200, size),
    ]
    for what, headers, status, length in cases:
        answer = requests.get(url, headers=headers, timeout=60)
        report.equal(what, answer.status_code, status)
        if length is not None:
            report.equal(f"{what}: bytes", len(answer.content), length)
