"""The Delta Sharing surface in plain HTTP, as far as it is this program's own: what any server must do is checked by
`../delta-sharing`.
"""

import hashlib
import json

import requests


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
    """On the flights; the CSV's agreement is the stranger."""
    surface, other = Surface(trade.profile("flights")), Surface(trade.profile("flights-csv"))
    agreements(trade.report, surface, other)
    limits(trade.report, surface)
    content(trade.report, surface.files()[0], trade.flights.parquet)


def agreements(report, surface: Surface, other: Surface) -> None:
    """A token is of one agreement."""
    # A share is the publisher's; which of its tables there are depends on the token.
    listed = other.get(f"/shares/{surface.share}/all-tables").json()["items"]
    report.equal("another agreement's token lists its own table alone", [t["name"] for t in listed], [other.table])
    answer = surface.get("/shares", token="wrong")
    report.check("a refusal names its code", is_error(answer, 401) and "(FDC-" in answer.json()["message"], seen(answer))


def limits(report, surface: Surface) -> None:
    """What this program takes at most."""
    answer = surface.query({"predicateHints": ["x" * (4 << 20)]})
    report.check("a body of 4 MiB is refused", is_error(answer, 400, 413), seen(answer))
    answer = surface.request(
        "POST", surface.path + "/query", data='{"idempotencyKey":' + "[" * 5_000 + "]" * 5_000 + "}", headers={"content-type": "application/json"}
    )
    report.check("a body that is too deep is refused", is_error(answer, 400), seen(answer))
    for what, body in {"a list": [], "a limit that is text": {"limitHint": "ten"}, "a version that never was": {"version": 987654}}.items():
        answer = surface.query(body)
        report.check(f"{what} is refused", is_error(answer, 400), seen(answer))


def content(report, file: dict, sources: list) -> None:
    """Bytes are the publisher's, and named by their hash."""
    answer = requests.get(file["url"], timeout=60)
    digest = hashlib.sha256(answer.content).hexdigest()
    report.equal("the ETag is the content's hash", answer.headers.get("etag"), f'"{digest}"')
    report.check("the bytes are the publisher's", digest in [hashlib.sha256(s.read_bytes()).hexdigest() for s in sources])
    answer = requests.get(file["url"], headers={"If-None-Match": "*"}, timeout=30)
    report.equal("If-None-Match, any", (answer.status_code, answer.content), (304, b""))
    many = ",".join(f"{n * 20}-{n * 20 + 1}" for n in range(2_000))
    answer = requests.get(file["url"], headers={"Range": f"bytes={many}"}, timeout=60)
    report.check("two thousand ranges are not served one by one", answer.status_code in (200, 400, 416, 431), answer.status_code)
    answer = requests.post(file["url"], timeout=30)
    report.check("writing to a file is refused as the protocol says", is_error(answer, 405), seen(answer))
