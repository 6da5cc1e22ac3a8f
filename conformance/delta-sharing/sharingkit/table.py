"""Version, metadata, the lines of a query, negotiation of capabilities."""

import json

from .registry import OPTIONAL, RECOMMENDED, REQUIRED, Skipped, add, check, equal, need
from .target import CAPABILITIES, DELTA, LINES_TYPE, Target, arrow_type, end_of, ids, lines, offered, refused, told

VERSION, METADATA, QUERY = "Query Table Version", "Query Table Metadata", "Read Data from a Table"
HEADER = "Delta Sharing Capabilities Header"
NEVER = 987_654_321


def _capabilities(answer) -> dict[str, str]:
    pairs = (p.partition("=") for p in answer.headers.get(CAPABILITIES, "").lower().split(";") if p.strip())
    return {key.strip(): value.strip() for key, _, value in pairs}


@check("version.header", VERSION)
def version(t: Target) -> None:
    """The version is a whole number in the header Delta-Table-Version, and there is no body"""
    answer = t.get(t.path + "/version")
    need(answer.status_code == 200 and answer.headers.get("delta-table-version", "").isdigit() and not answer.content, told(answer))


@check("version.head", VERSION, OPTIONAL)
def version_by_head(t: Target) -> None:
    """HEAD on the table, which is deprecated, gives the same version"""
    answer = t.request("HEAD", t.path)
    if answer.status_code in (404, 405):
        raise Skipped(f"the deprecated form is not offered ({answer.status_code})")
    equal((answer.status_code, answer.headers.get("delta-table-version")), (200, str(t.version)))


@check("version.starting-timestamp", VERSION, OPTIONAL)
def starting_timestamp(t: Target) -> None:
    """startingTimestamp before the table began gives a version that is not later than the current one"""
    answer = offered(t.get(t.path + "/version", params={"startingTimestamp": "1970-01-01T00:00:00Z"}), "startingTimestamp")
    need(0 <= int(answer.headers["delta-table-version"]) <= t.version, told(answer))


@check("version.starting-timestamp.future", VERSION, RECOMMENDED)
def future(t: Target) -> None:
    """startingTimestamp after the latest version is refused with 400"""
    refused(t.get(t.path + "/version", params={"startingTimestamp": "2999-01-01T00:00:00Z"}), 400)


@check("version.starting-timestamp.malformed", "Timestamp Format", RECOMMENDED)
def malformed(t: Target) -> None:
    """startingTimestamp that is no timestamp is refused with 400"""
    for text in ("yesterday", "2022-13-01T00:00:00Z", "1650000000"):
        refused(t.get(t.path + "/version", params={"startingTimestamp": text}), 400)


def _metadata_lines(t: Target, delta: bool) -> tuple[dict, dict]:
    answer = t.get(t.path + "/metadata", headers=DELTA if delta else None)
    need(answer.status_code == 200, told(answer))
    found = [line for line in lines(answer) if "endStreamAction" not in line]
    equal([list(line) for line in found], [["protocol"], ["metaData"]], "lines")
    if delta and "deltaProtocol" not in found[0]["protocol"]:
        raise Skipped("the server answers in the parquet format only")
    return found[0]["protocol"], found[1]["metaData"]


@check("metadata.headers", METADATA)
def metadata_headers(t: Target) -> None:
    """Metadata come as newline-delimited JSON, with the table's version in the header"""
    answer = t.get(t.path + "/metadata")
    equal((answer.status_code, answer.headers.get("content-type", "").lower()), (200, LINES_TYPE))
    equal(answer.headers.get("delta-table-version"), str(t.version))


@check("metadata.parquet", "Metadata")
def metadata_parquet(t: Target) -> None:
    """Parquet format: protocol and metaData have their required fields"""
    protocol, found = _metadata_lines(t, delta=False)
    equal(protocol.get("minReaderVersion"), 1, "minReaderVersion")
    _required(found)


def _required(found: dict) -> None:
    for key, kind in {"id": str, "format": dict, "schemaString": str, "partitionColumns": list}.items():
        need(isinstance(found.get(key), kind), f"{key} in {found}")
    equal(found["format"].get("provider"), "parquet", "format.provider")
    for key in ("name", "description", "location"):
        need(found.get(key) is None or isinstance(found[key], str), f"{key} in {found}")
    configuration = found.get("configuration") or {}
    need(all(isinstance(k, str) and isinstance(v, str) for k, v in configuration.items()), f"configuration {configuration}")


@check("metadata.delta", "Metadata in Delta Format")
def metadata_delta(t: Target) -> None:
    """Delta format: deltaProtocol and deltaMetadata have their required fields"""
    protocol, found = _metadata_lines(t, delta=True)
    inner = protocol["deltaProtocol"]
    need(isinstance(inner.get("minReaderVersion"), int) and inner["minReaderVersion"] in (1, 2, 3), protocol)
    need(("readerFeatures" in inner) == (inner["minReaderVersion"] == 3), f"readerFeatures go with reader version 3: {inner}")
    _required(found["deltaMetadata"])


@check("metadata.formats-agree", METADATA)
def formats_agree(t: Target) -> None:
    """Both formats tell the same id, schema and partition columns"""
    (_, one), (_, two) = _metadata_lines(t, delta=False), _metadata_lines(t, delta=True)
    two = two["deltaMetadata"]
    equal((one["id"], one["partitionColumns"]), (two["id"], two["partitionColumns"]))
    strip = lambda text: [(f["name"], f["type"]) for f in json.loads(text)["fields"]]
    if all(not f.get("metadata") for f in json.loads(two["schemaString"])["fields"]):
        equal(strip(one["schemaString"]), strip(two["schemaString"]), "schemaString")


@check("metadata.schema", "Schema Object")
def schema(t: Target) -> None:
    """schemaString is a struct of the protocol's types, without two fields of one name"""
    found = json.loads(t.metadata["schemaString"])
    equal(found["type"], "struct")
    _struct(found)


def _struct(found: dict) -> None:
    names = [f["name"].lower() for f in found["fields"]]
    need(len(names) == len(set(names)), f"two fields of one name: {names}")
    for field in found["fields"]:
        need({"name", "type", "nullable"} <= set(field) and isinstance(field["nullable"], bool), f"field {field}")
        _type(field["type"])


def _type(kind: object) -> None:
    if isinstance(kind, dict):
        inner = {"struct": [], "array": ["elementType"], "map": ["keyType", "valueType"]}
        need(kind.get("type") in inner, f"type {kind}")
        for key in inner[kind["type"]]:
            _type(kind[key])
        if kind["type"] == "struct":
            _struct(kind)
    else:
        arrow_type(kind)


@check("metadata.partition-columns", "Metadata")
def partition_columns(t: Target) -> None:
    """partitionColumns are columns of the schema"""
    need(set(t.metadata["partitionColumns"]) <= {f["name"] for f in t.fields}, t.metadata)


@check("metadata.size", "Metadata", OPTIONAL)
def size(t: Target) -> None:
    """size and numFiles, where told, are those of the files"""
    told_of = {k: t.metadata[k] for k in ("size", "numFiles") if t.metadata.get(k) is not None}
    if not told_of:
        raise Skipped("neither is told")
    actual = {"size": sum(f["size"] for f in t.files), "numFiles": len(t.files)}
    equal(told_of, {k: actual[k] for k in told_of})


@check("metadata.as-query", QUERY)
def as_query(t: Target) -> None:
    """A query's protocol and metaData are those of the metadata request"""
    for delta, found in ((False, t.current), (True, t.current_delta)):
        _, wanted = _metadata_lines(t, delta)
        seen = next(line["metaData"] for line in found if "metaData" in line)
        wanted, seen = wanted.get("deltaMetadata", wanted), seen.get("deltaMetadata", seen)
        for key in ("id", "schemaString", "partitionColumns"):
            equal(seen[key], wanted[key], key)


@check("metadata.access-modes", "Access Modes")
def access_modes(t: Target) -> None:
    """accessModes, where told, are url or dir, and dir tells its location"""
    modes = t.metadata.get("accessModes")
    if modes is None:
        raise Skipped("the server does not tell them, which means url")
    need(modes and set(modes) <= {"url", "dir"}, modes)
    need("dir" not in modes or t.metadata.get("location"), "dir without location")


@check("metadata.no-directory", "Generate Temporary Table Credential")
def no_directory(t: Target) -> None:
    """A table without the mode dir gives no credentials for its folder"""
    if "dir" in (t.metadata.get("accessModes") or []):
        raise Skipped("the table has the mode dir")
    refused(t.request("POST", t.path + "/temporary-table-credentials", json={}), 400, 403, 404, 405, 501)


# Queries.


@check("query.headers", QUERY)
def query_headers(t: Target) -> None:
    """A query's answer is newline-delimited JSON, with the table's version in the header"""
    answer = t.query()
    equal((answer.status_code, answer.headers.get("content-type", "").lower()), (200, LINES_TYPE))
    equal(answer.headers.get("delta-table-version"), str(t.version))


@check("query.lines", "JSON Wrapper Object In Each Line")
def query_lines(t: Target) -> None:
    """Each line is an object of one field: protocol, metaData, then files"""
    shape = [list(line) for line in t.current]
    need(all(len(keys) == 1 for keys in shape), shape[:5])
    kinds = [keys[0] for keys in shape if keys[0] != "endStreamAction"]
    equal(kinds[:2], ["protocol", "metaData"])
    need(set(kinds[2:]) <= {"file"}, set(kinds[2:]))


@check("query.files.parquet", "File")
def files_parquet(t: Target) -> None:
    """Parquet format: every file has url, id, partitionValues, size, each of its type"""
    for file in t.files:
        for key, kind in {"url": str, "id": str, "partitionValues": dict, "size": int}.items():
            need(isinstance(file.get(key), kind), f"{key} in {file}")
        need(file["size"] > 0, file)
        for key in ("version", "timestamp", "expirationTimestamp"):
            need(file.get(key) is None or isinstance(file[key], int), f"{key} in {file}")
    need(len({f["id"] for f in t.files}) == len(t.files), "two files have one id")


@check("query.files.delta", "File in Delta Format")
def files_delta(t: Target) -> None:
    """Delta format: every file has an id and one add action with path, size, partitionValues, modificationTime, dataChange"""
    for line in t.current_delta:
        if "file" not in line:
            continue
        file = line["file"]
        need(isinstance(file.get("id"), str) and list(file["deltaSingleAction"]) == ["add"], file)
        add_action = file["deltaSingleAction"]["add"]
        wanted = {"path": str, "partitionValues": dict, "size": int, "modificationTime": int, "dataChange": bool}
        for key, kind in wanted.items():
            need(isinstance(add_action.get(key), kind), f"{key} in {add_action}")


@check("query.formats-agree", QUERY)
def query_formats_agree(t: Target) -> None:
    """Both formats name the same files: as many, of the same sizes and partitions"""
    one = sorted((f["size"], sorted(f["partitionValues"].items())) for f in t.files)
    adds = [line["file"]["deltaSingleAction"]["add"] for line in t.current_delta if "file" in line]
    if any("deletionVector" in a for a in adds):
        raise Skipped("files have deletion vectors in one format")
    equal(sorted((a["size"], sorted(a["partitionValues"].items())) for a in adds), one)


@check("query.partition-values", "Partition Value Serialization")
def partition_values(t: Target) -> None:
    """Every file has a text for every partition column, and for no other"""
    for file in t.files:
        equal(sorted(file["partitionValues"]), sorted(t.metadata["partitionColumns"]))
        need(all(v is None or isinstance(v, str) for v in file["partitionValues"].values()), file["partitionValues"])


@check("query.again", "File")
def again(t: Target) -> None:
    """A second query names the same ids in both formats"""
    equal(ids(t.lines_of()), ids(t.current))
    equal(ids(t.lines_of(headers=DELTA)), ids(t.current_delta))


FORMATS = {
    "none": (None, {"parquet"}),
    "parquet": ("responseformat=parquet", {"parquet"}),
    "delta": ("responseformat=delta;readerfeatures=deletionvectors,columnmapping,timestampntz", {"delta"}),
    "list": ("responseformat=delta,parquet;readerfeatures=deletionvectors,columnmapping,timestampntz", {"delta", "parquet"}),
    "case": ("ResponseFormat=DELTA;ReaderFeatures=DeletionVectors,columnMapping,timestampNtz", {"delta"}),
    "blanks": ("responseformat = parquet ; unknownthing=1", {"parquet"}),
    "unknown-key": ("unknownthing=some,values;other", {"parquet"}),
}


def _format(name: str, asked: str | None, wanted: set[str]) -> None:
    def action(t: Target) -> None:
        for answer in (t.query(headers={CAPABILITIES: asked} if asked else None), t.get(t.path + "/metadata", headers={CAPABILITIES: asked} if asked else None)):
            need(answer.status_code == 200, told(answer))
            seen = "delta" if "deltaProtocol" in lines(answer)[0]["protocol"] else "parquet"
            said = _capabilities(answer).get("responseformat")
            if CAPABILITIES not in answer.headers and seen == "parquet" and asked and wanted == {"delta"}:
                raise Skipped("the server does not know the header")
            need(seen in wanted, f"{seen} instead of {wanted}: {told(answer)}")
            need(said == seen or (said is None and (seen == "parquet")), f"the header says {said}, the body is {seen}")

    title = f"Asked for {asked!r}, the answer is in {' or '.join(sorted(wanted))}, and its header says so"
    add(f"capabilities.format.{name}", HEADER, REQUIRED, title, action)


for _name, (_asked, _wanted) in FORMATS.items():
    _format(_name, _asked, _wanted)


@check("capabilities.format.unsupported", HEADER, RECOMMENDED)
def unsupported(t: Target) -> None:
    """Asked for a format that nobody knows alone, the server refuses with 400, or answers in parquet and says so"""
    answer = t.query(headers={CAPABILITIES: "responseformat=avro"})
    if answer.status_code == 200:
        need("deltaProtocol" not in lines(answer)[0]["protocol"], told(answer))
    else:
        refused(answer, 400)


@check("capabilities.end-stream.asked", "includeEndStreamAction")
def end_asked(t: Target) -> None:
    """An answer that says includeendstreamaction=true ends with endStreamAction; one that does not need not"""
    for method, path in (("POST", "/query"), ("GET", "/metadata")):
        asked = {CAPABILITIES: "includeEndStreamAction=true"}
        answer = t.request(method, t.path + path, headers=asked, json={} if method == "POST" else None)
        need(answer.status_code == 200, told(answer))
        if _capabilities(answer).get("includeendstreamaction") == "true":
            need("endStreamAction" in lines(answer)[-1], f"{path}: {lines(answer)[-1]}")


@check("capabilities.end-stream.only-last", "EndStreamAction")
def end_last(t: Target) -> None:
    """endStreamAction is never anywhere but at the end, and not there unasked unless it carries something"""
    for found in (t.current, t.lines_of(headers={CAPABILITIES: "includeendstreamaction=true"})):
        places = [n for n, line in enumerate(found) if "endStreamAction" in line]
        need(places in ([], [len(found) - 1]), places)
    end = end_of(t.current)
    need(not end or end.get("refreshToken") or end.get("nextPageToken"), f"unasked: {end}")


@check("capabilities.end-stream.expiration", "EndStreamAction", OPTIONAL)
def end_expiration(t: Target) -> None:
    """minUrlExpirationTimestamp is the least of the files' expirationTimestamp"""
    found = t.lines_of(headers={CAPABILITIES: "includeendstreamaction=true"})
    least = end_of(found).get("minUrlExpirationTimestamp")
    expiries = [line["file"]["expirationTimestamp"] for line in found if "expirationTimestamp" in line.get("file", {})]
    if least is None or not expiries:
        raise Skipped("the server does not tell both")
    equal(least, min(expiries))


# Bodies that are wrong.

WRONG = {
    "not-json": "{",
    "list": "[]",
    "text": '"x"',
    "limit-text": '{"limitHint": "ten"}',
    "hints-text": '{"predicateHints": "a = 1"}',
    "version-text": '{"version": "newest"}',
    "version-negative": '{"version": -1}',
    "version-fraction": '{"version": 0.5}',
    "limit-negative": '{"limitHint": -1}',
}


def _wrong(name: str, body: str) -> None:
    def action(t: Target) -> None:
        refused(t.raw_query(body), 400)

    add(f"query.body.{name}", QUERY, RECOMMENDED, f"The body {body} is refused with 400", action)


for _name, _body in WRONG.items():
    _wrong(_name, _body)


@check("query.body.unknown-field", QUERY)
def unknown_field(t: Target) -> None:
    """A field that the server does not know is ignored: later clients send more"""
    equal(ids(t.lines_of({"someFieldOfLater": {"a": [1]}})), ids(t.current))


@check("query.body.deep", QUERY)
def deep(t: Target) -> None:
    """A body nested 20,000 deep is refused, and the server goes on"""
    levels = 20_000
    answer = t.raw_query('{"someFieldOfLater":' + "[" * levels + "]" * levels + "}")
    need(answer.status_code in (200, 400, 413), told(answer))
    need(t.query().status_code == 200, "the server does not answer any more")


@check("query.body.large", QUERY)
def large(t: Target) -> None:
    """A body of 32 MiB is refused, and the server goes on"""
    try:
        answer = t.raw_query('{"predicateHints": ["' + "x" * (32 << 20) + '"]}')
        need(answer.status_code in (400, 413), told(answer))
    except OSError:
        pass  # the connection was closed before the whole of it was taken
    need(t.query().status_code == 200, "the server does not answer any more")


@check("fileidhash.echo", "File ID Hash Header", OPTIONAL)
def hash_echo(t: Target) -> None:
    """The header fileidhash is echoed in lower case, and the ids are the same each time"""
    for asked in ("parquet", "delta", "Parquet", "DELTA"):
        answer = t.query(headers={"fileidhash": asked})
        need(answer.status_code == 200, told(answer))
        if "fileidhash" not in answer.headers:
            raise Skipped("the server does not know the header")
        equal(answer.headers["fileidhash"], asked.lower())
        equal(ids(lines(answer)), ids(t.lines_of(headers={"fileidhash": asked.lower()})))


@check("fileidhash.unknown", "File ID Hash Header", OPTIONAL)
def hash_unknown(t: Target) -> None:
    """An unknown value of fileidhash is refused with 400"""
    if "fileidhash" not in t.query(headers={"fileidhash": "parquet"}).headers:
        raise Skipped("the server does not know the header")
    refused(t.query(headers={"fileidhash": "md5"}), 400)
