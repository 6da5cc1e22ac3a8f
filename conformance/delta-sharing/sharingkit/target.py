"""The server under test, in plain HTTP, and what was learned of its table, each thing asked once."""

import base64
import functools
import hashlib
import json
import pathlib
import urllib.parse

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import requests

from .registry import Failed, Skipped, need

REQUEST_TIMEOUT_SECONDS = 60
LIST_TYPE = "application/json; charset=utf-8"
LINES_TYPE = "application/x-ndjson; charset=utf-8"
# Every value of the table is read: a larger one is told to be given a smaller one.
TABLE_MAX_BYTES = 1 << 30
# Pages of a listing or a query that are followed before it is taken as endless.
PAGES_MAX = 1_000
CAPABILITIES = "delta-sharing-capabilities"
DELTA = {CAPABILITIES: "responseformat=delta;readerfeatures=deletionvectors,columnmapping,timestampntz"}


class Profile:
    """A profile file: where the server is and how it is asked."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self.content = json.loads(path.read_text())
        self.endpoint = str(self.content.get("endpoint", "")).rstrip("/")

    @functools.cached_property
    def authorization(self) -> str:
        """The Authorization header's value."""
        kind = self.content.get("type", "bearer_token")
        if kind == "bearer_token":
            return f"Bearer {self.content['bearerToken']}"
        if kind == "basic":
            return "Basic " + _basic(self.content["username"], self.content["password"])
        if kind == "oauth_client_credentials":
            form = {"grant_type": "client_credentials"} | ({"scope": self.content["scope"]} if self.content.get("scope") else {})
            headers = {"Authorization": "Basic " + _basic(self.content["clientId"], self.content["clientSecret"])}
            answer = requests.post(self.content["tokenEndpoint"], data=form, headers=headers, timeout=REQUEST_TIMEOUT_SECONDS)
            answer.raise_for_status()
            return f"Bearer {answer.json()['access_token']}"
        raise SystemExit(f"profiles of type {kind} are not supported by this kit")

    @property
    def loopback(self) -> bool:
        """Whether the server is on this machine."""
        return urllib.parse.urlsplit(self.endpoint).hostname in ("127.0.0.1", "::1", "localhost")


def _basic(name: str, password: str) -> str:
    return base64.b64encode(f"{name}:{password}".encode()).decode()


class Target:
    """One table of one server, as one recipient sees it."""

    def __init__(self, profile: Profile, table: str | None, folder: pathlib.Path, oracle: pathlib.Path | None, other: Profile | None):
        self.profile, self.folder, self.oracle_file, self.other = profile, folder, oracle, other
        self.http = requests.Session()
        self._rows: dict[str, pa.Table] = {}
        # The environment's proxies and .netrc are not the recipient's.
        self.http.trust_env = False
        self.share, self.schema, self.table = table.split(".") if table else self._first()

    def _first(self) -> tuple[str, str, str]:
        for share in self.everything("/shares"):
            for table in self.everything(f"/shares/{quote(share['name'])}/all-tables"):
                return share["name"], table["schema"], table["name"]
        raise SystemExit("the recipient has no table; nothing can be checked")

    @property
    def path(self) -> str:
        """The table."""
        return f"{self.schema_path}/tables/{quote(self.table)}"

    @property
    def share_path(self) -> str:
        """The share."""
        return f"/shares/{quote(self.share)}"

    @property
    def schema_path(self) -> str:
        """The schema."""
        return f"{self.share_path}/schemas/{quote(self.schema)}"

    @property
    def url(self) -> str:
        """How the stock client names the table."""
        return f"{self.profile.path}#{self.share}.{self.schema}.{self.table}"

    def request(self, method: str, path: str, authorization: str | None = "own", **options) -> requests.Response:
        """A request of the protocol, with the profile's credential, another, or none."""
        headers = dict(options.pop("headers", None) or {})
        if authorization == "own":
            authorization = self.profile.authorization
        if authorization is not None:
            headers["Authorization"] = authorization
        return send(method, self.profile.endpoint + path, headers=headers, **options)

    def get(self, path: str, **options) -> requests.Response:
        """GET."""
        return self.request("GET", path, **options)

    def query(self, body: object = None, **options) -> requests.Response:
        """POST …/query."""
        return self.request("POST", self.path + "/query", json={} if body is None else body, **options)

    def raw_query(self, body: str | bytes) -> requests.Response:
        """POST …/query with a body that is no object of ours."""
        return self.request("POST", self.path + "/query", data=body, headers={"content-type": LIST_TYPE})

    def file(self, url: str, method: str = "GET", **headers: str) -> requests.Response:
        """A request to a file's URL, which carries no credential of ours."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()} | {"Accept-Encoding": "identity"}
        return send(method, url, headers=fields)

    def everything(self, path: str, **parameters: object) -> list[dict]:
        """All items of a listing, page by page."""
        items, token = [], None
        for _ in range(PAGES_MAX):
            answer = self.get(path, params=parameters | ({"pageToken": token} if token else {}))
            need(answer.status_code == 200, told(answer))
            body = answer.json()
            items += body.get("items") or []
            token = body.get("nextPageToken")
            if not token:
                return items
        raise Failed(f"{path} has more than {PAGES_MAX} pages")

    def lines_of(self, body: object = None, **options) -> list[dict]:
        """The lines of a query that must be answered."""
        answer = self.query(body, **options)
        need(answer.status_code == 200, told(answer))
        return lines(answer)

    @functools.cached_property
    def current(self) -> list[dict]:
        """The lines of a plain query, in the parquet format."""
        return self.lines_of()

    @functools.cached_property
    def current_delta(self) -> list[dict]:
        """The lines of a plain query in the delta format; skipped when the server has only the other."""
        found = self.lines_of(headers=DELTA)
        if not any("deltaProtocol" in line.get("protocol", {}) for line in found):
            raise Skipped("the server answers in the parquet format only")
        return found

    @functools.cached_property
    def files(self) -> list[dict]:
        """The table's files, in the parquet format."""
        return [line["file"] for line in self.current if "file" in line]

    @functools.cached_property
    def metadata(self) -> dict:
        """The table's metaData, in the parquet format."""
        return next(line["metaData"] for line in self.current if "metaData" in line)

    @functools.cached_property
    def fields(self) -> list[dict]:
        """The fields of the table's schema."""
        return json.loads(self.metadata["schemaString"])["fields"]

    @functools.cached_property
    def version(self) -> int:
        """The table's current version."""
        answer = self.get(self.path + "/version")
        need(answer.status_code == 200, told(answer))
        return int(answer.headers["delta-table-version"])

    @functools.cached_property
    def some_file(self) -> dict:
        """The largest file: ranges need room."""
        if not self.files:
            raise Skipped("the table has no file")
        return max(self.files, key=lambda f: f["size"])

    @functools.cached_property
    def content(self) -> bytes:
        """The bytes of `some_file`."""
        return self.download(self.some_file).read_bytes()

    def download(self, file: dict) -> pathlib.Path:
        """The file's bytes, fetched once per id."""
        return self._downloaded(file["id"], file.get("url") or file["deltaSingleAction"]["add"]["path"], file.get("size", 0))

    def _downloaded(self, id: str, url: str, size: int) -> pathlib.Path:
        path = self.folder / (hashlib.sha256(id.encode()).hexdigest() + ".parquet")
        if not path.exists():
            if size > TABLE_MAX_BYTES or sum(f["size"] for f in self.files) > TABLE_MAX_BYTES:
                raise Skipped(f"the table is larger than {TABLE_MAX_BYTES >> 20} MiB")
            answer = self.file(url)
            need(answer.status_code == 200, told(answer))
            path.write_bytes(answer.content)
        return path

    def rows(self, file: dict) -> pa.Table:
        """A file's rows, with its partition values as columns, typed as the schema says."""
        if file["id"] in self._rows:
            return self._rows[file["id"]]
        table = pq.read_table(self.download(file), partitioning=None)
        for name in self.metadata["partitionColumns"]:
            value = file["partitionValues"].get(name)
            values = pa.array([value or None] * table.num_rows, pa.string())
            kind = next(f["type"] for f in self.fields if f["name"] == name)
            table = table.append_column(name, values.cast(arrow_type(kind))) if name not in table.column_names else table
        self._rows[file["id"]] = table.select([f["name"] for f in self.fields])
        return self._rows[file["id"]]

    @functools.cached_property
    def all_rows(self) -> pa.Table:
        """Every row of the table, read from its files without any hint."""
        if not self.files:
            raise Skipped("the table has no file")
        return pa.concat_tables([self.rows(f) for f in self.files], promote_options="permissive")

    @functools.cached_property
    def oracle(self) -> pa.Table:
        """What the table must hold: as told, else what its files hold."""
        return pq.read_table(self.oracle_file, partitioning=None) if self.oracle_file else self.all_rows


def send(method: str, url: str, exactly: bool = False, **options) -> requests.Response:
    """One request on a connection of its own: a server may close one whose request it refused before reading it whole.

    `exactly` leaves the dots in the path as they are.
    """
    with requests.Session() as session:
        # The environment's proxies and .netrc are not the recipient's.
        session.trust_env = False
        request = session.prepare_request(requests.Request(method, url, **options))
        if exactly:
            request.url = url
        return session.send(request, timeout=REQUEST_TIMEOUT_SECONDS, allow_redirects=False)


def quote(name: str) -> str:
    """A name in a path."""
    return urllib.parse.quote(name, safe="")


def lines(answer: requests.Response) -> list[dict]:
    """The JSON lines of an answer."""
    return [json.loads(line) for line in answer.content.decode().splitlines() if line.strip()]


def told(answer: requests.Response) -> str:
    """An answer in a line."""
    return f"{answer.request.method} {answer.request.path_url[:120]}: {answer.status_code} {dict(answer.headers)} {answer.content[:200]!r}"


def refused(answer: requests.Response, *statuses: int) -> None:
    """The answer must be the protocol's error object with one of these statuses."""
    need(answer.status_code in statuses, f"{told(answer)}; expected {' or '.join(map(str, statuses))}")
    error_object(answer)


def error_object(answer: requests.Response) -> None:
    """The answer's body must be the protocol's error object."""
    need(answer.headers.get("content-type", "").lower().startswith("application/json"), told(answer))
    try:
        body = answer.json()
    except ValueError:
        raise Failed(f"no JSON: {told(answer)}") from None
    good = isinstance(body, dict) and all(isinstance(body.get(k), str) and body[k] for k in ("errorCode", "message"))
    need(good, f"no errorCode and message: {told(answer)}")


def offered(answer: requests.Response, what: str, *refusals: int) -> requests.Response:
    """An optional capability: skipped when the server refuses it as the protocol says."""
    if answer.status_code in (refusals or (400, 403, 404, 501)):
        error_object(answer)
        raise Skipped(f"{what} is not offered ({answer.status_code})")
    need(answer.status_code == 200, told(answer))
    return answer


def ids(found: list[dict]) -> list[str]:
    """The files' ids in an answer's lines, sorted."""
    return sorted(line["file"]["id"] for line in found if "file" in line)


def end_of(found: list[dict]) -> dict:
    """The endStreamAction of an answer's lines, or an empty one."""
    return next((line["endStreamAction"] for line in found if "endStreamAction" in line), {})


def arrow_type(kind: object) -> pa.DataType:
    """The Arrow type of a type in a schemaString, as Delta stores it in Parquet."""
    if isinstance(kind, dict):
        if kind["type"] == "struct":
            return pa.struct([pa.field(f["name"], arrow_type(f["type"])) for f in kind["fields"]])
        if kind["type"] == "array":
            return pa.list_(arrow_type(kind["elementType"]))
        return pa.map_(arrow_type(kind["keyType"]), arrow_type(kind["valueType"]))
    if kind.startswith("decimal"):
        precision, _, scale = kind.removeprefix("decimal").strip("()").partition(",")
        return pa.decimal128(int(precision or 10), int(scale or 0))
    return {
        "string": pa.string(), "long": pa.int64(), "integer": pa.int32(), "short": pa.int16(), "byte": pa.int8(),
        "float": pa.float32(), "double": pa.float64(), "boolean": pa.bool_(), "binary": pa.binary(), "date": pa.date32(),
        "timestamp": pa.timestamp("us", "UTC"), "timestamp_ntz": pa.timestamp("us"),
    }[kind]


def differences(left: pa.Table, right: pa.Table) -> tuple[int, int]:
    """How many rows are in one and not in the other, as bags; DuckDB compares, so that nested values and NaN do too."""
    connection = duckdb.connect()
    connection.execute("SET timezone = 'UTC'")
    connection.register("a", left)
    connection.register("b", right)
    one = connection.execute("SELECT count(*) FROM (FROM a EXCEPT ALL FROM b)").fetchall()[0][0]
    two = connection.execute("SELECT count(*) FROM (FROM b EXCEPT ALL FROM a)").fetchall()[0][0]
    return one, two


def same_rows(seen: pa.Table, wanted: pa.Table) -> None:
    """Both hold the same rows in any order, and the same columns in the same one."""
    need(seen.column_names == wanted.column_names, f"columns {seen.column_names} instead of {wanted.column_names}")
    extra, missing = differences(seen, wanted)
    need(extra == missing == 0, f"{extra} rows too many, {missing} missing; {seen.num_rows} instead of {wanted.num_rows}")
