"""Pages of files, refreshing, time travel, changes, queries that are polled."""

import time

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import requests

from .registry import OPTIONAL, RECOMMENDED, Failed, Skipped, check, equal, need
from .target import (
    CAPABILITIES, DELTA, LINES_TYPE, PAGES_MAX, Target, differences, end_of, error_object, ids, lines, offered, quote, refused, send, told,
)

QUERY, END, CHANGES, ASYNC = "Read Data from a Table", "EndStreamAction", "Read Change Data Feed from a Table", "asyncQuery"
ASKED_END = {CAPABILITIES: "includeendstreamaction=true"}
NEVER = 987_654_321
POLL_SECONDS, POLLS_MAX = 0.5, 240
FEED_COLUMNS = ("_change_type", "_commit_version", "_commit_timestamp")


def first_page(t: Target, headers: dict | None = None) -> tuple[list[dict], str]:
    """A page of one file, and the token of the next."""
    if len(t.files) < 2:
        raise Skipped("the table has fewer than two files")
    found = t.lines_of({"maxFiles": 1}, headers=headers)
    token = end_of(found).get("nextPageToken")
    if len(ids(found)) == len(t.files) and not token:
        raise Skipped("the server does not page files")
    need(len(ids(found)) == 1 and token, f"{len(ids(found))} files, token {token!r}")
    return found, token


@check("paging.files", QUERY, OPTIONAL)
def pages(t: Target) -> None:
    """Pages of one file add up to the table, in both formats, each file once"""
    for headers, whole in ((None, lambda: t.current), (DELTA, lambda: t.current_delta)):
        found, token = first_page(t, headers)
        seen = ids(found)
        for _ in range(PAGES_MAX):
            page = t.lines_of({"maxFiles": 1, "pageToken": token}, headers=headers)
            need(len(ids(page)) <= 1, f"{len(ids(page))} files in a page of one")
            seen += ids(page)
            token = end_of(page).get("nextPageToken")
            if not token:
                break
        equal(sorted(seen), ids(whole()))


@check("paging.files.token-invalid", QUERY, OPTIONAL)
def page_token(t: Target) -> None:
    """An altered pageToken is refused with 400"""
    _, token = first_page(t)
    for wrong in (token[:-1], token + "A", "not-a-token"):
        refused(t.query({"maxFiles": 1, "pageToken": wrong}), 400)


@check("paging.files.zero", QUERY, OPTIONAL)
def no_page(t: Target) -> None:
    """maxFiles of 0 or less is refused with 400, or not heeded"""
    first_page(t)
    for number in (0, -1):
        answer = t.query({"maxFiles": number})
        if answer.status_code == 200:
            equal(ids(lines(answer)), ids(t.current))
        else:
            refused(answer, 400)


def refresh_token(t: Target) -> str:
    """A token to refresh the URLs with."""
    found = t.lines_of({"includeRefreshToken": True}, headers=ASKED_END)
    token = end_of(found).get("refreshToken")
    if not token:
        raise Skipped("the server gives no refresh token")
    return token


@check("refresh.same-files", END, OPTIONAL)
def refresh(t: Target) -> None:
    """A refreshToken gives the same ids again, with URLs that work"""
    again = t.lines_of({"refreshToken": refresh_token(t), "includeRefreshToken": True}, headers=ASKED_END)
    equal(ids(again), ids(t.current))
    if t.files:
        url = next(line["file"]["url"] for line in again if "file" in line)
        need(t.file(url, Range="bytes=0-3").status_code in (200, 206), "the new URL does not work")


@check("refresh.token-invalid", END, OPTIONAL)
def refresh_invalid(t: Target) -> None:
    """An altered refreshToken is refused with 400"""
    token = refresh_token(t)
    for wrong in (token[:-1], token + "A", "not-a-token"):
        refused(t.query({"refreshToken": wrong}), 400, 403)


# Earlier versions.


def travelled(t: Target, body: dict) -> list[dict]:
    """The lines at a version or time; skipped when there is no history."""
    answer = offered(t.query(body), "history")
    return lines(answer)


@check("history.current", QUERY, OPTIONAL)
def at_current(t: Target) -> None:
    """The current version, asked for by its number, is what a plain query gives"""
    found = travelled(t, {"version": t.version})
    equal(ids(found), ids(t.current))
    for line in found:
        if line.get("file", {}).get("version") is not None:
            need(line["file"]["version"] <= t.version, line["file"])


@check("history.first", QUERY, OPTIONAL)
def at_first(t: Target) -> None:
    """Version 0 is served whole, with its number in the header"""
    answer = offered(t.query({"version": 0}), "version 0")
    equal(answer.headers.get("delta-table-version"), "0")
    for line in lines(answer):
        if "file" in line:
            response = t.file(line["file"]["url"])
            equal((response.status_code, len(response.content)), (200, line["file"]["size"]))


@check("history.never", QUERY)
def at_never(t: Target) -> None:
    """A version that never was is refused with 400"""
    refused(t.query({"version": NEVER}), 400, 404)
    refused(t.get(t.path + "/metadata", params={"version": NEVER}), 400, 404)


@check("history.now", QUERY, OPTIONAL)
def at_now(t: Target) -> None:
    """The present time is the current version"""
    answer = t.query({"timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())})
    if answer.status_code == 400:
        error_object(answer)
        # Servers built on Delta refuse a time after the last commit.
        raise Skipped("history by time, or a time after the last version, is not offered (400)")
    equal(ids(lines(offered(answer, "history"))), ids(t.current))


@check("history.before", QUERY)
def at_before(t: Target) -> None:
    """A time before the table began is refused with 400"""
    refused(t.query({"timestamp": "1970-01-01T00:00:00Z"}), 400, 403, 404)


@check("history.timestamp.malformed", "Timestamp Format")
def at_malformed(t: Target) -> None:
    """A timestamp that is none is refused with 400"""
    for text in ("yesterday", "2022-13-45T00:00:00Z", ""):
        refused(t.query({"timestamp": text or " "}), 400)


@check("history.both", QUERY, RECOMMENDED)
def at_both(t: Target) -> None:
    """A version and a timestamp together are refused with 400"""
    refused(t.query({"version": t.version, "timestamp": "2024-01-01T00:00:00Z"}), 400)


@check("history.metadata", "Query Table Metadata", OPTIONAL)
def metadata_at(t: Target) -> None:
    """Metadata at the current version are those without a version"""
    answer = offered(t.get(t.path + "/metadata", params={"version": t.version}), "history")
    equal(lines(answer)[1]["metaData"]["schemaString"], t.metadata["schemaString"])


@check("history.starting-version", QUERY, OPTIONAL)
def starting_version(t: Target) -> None:
    """startingVersion gives data change files with their version and timestamp, or is refused with 400"""
    found = lines(offered(t.query({"startingVersion": 0}), "startingVersion"))
    _change_lines(found)


# Changes.


def _change_lines(found: list[dict]) -> list[tuple[str, dict]]:
    changes = [(kind, line[kind]) for line in found for kind in ("add", "cdf", "remove") if kind in line]
    for kind, file in changes:
        for key, wanted in {"url": str, "id": str, "size": int, "partitionValues": dict, "timestamp": int, "version": int}.items():
            need(isinstance(file.get(key), wanted), f"{kind}: {key} in {file}")
    return changes


def feed(t: Target) -> list[tuple[str, dict]]:
    """The changes since version 0; skipped when there is no feed."""
    return _change_lines(lines(offered(t.get(t.path + "/changes", params={"startingVersion": 0}), "the change data feed")))


@check("changes.lines", CHANGES, OPTIONAL)
def changes_lines(t: Target) -> None:
    """Changes have url, id, size, partitionValues, timestamp and version, and no version is beyond the current one"""
    for kind, file in feed(t):
        need(0 <= file["version"] <= t.version, f"{kind}: {file}")


@check("changes.add-up", CHANGES, OPTIONAL)
def changes_add_up(t: Target) -> None:
    """What was inserted since version 0, without what was deleted, is the table"""
    names = [f["name"] for f in t.fields]
    came, went = [], []
    for kind, file in feed(t):
        path = t._downloaded(f"{kind}:{file['id']}", file["url"], file["size"])
        rows = pq.read_table(path, partitioning=None)
        if kind == "cdf":
            types = rows.column("_change_type")
            came.append(rows.filter(pc.is_in(types, pa.array(["insert", "update_postimage"]))).select(names))
            went.append(rows.filter(pc.is_in(types, pa.array(["delete", "update_preimage"]))).select(names))
        else:
            (came if kind == "add" else went).append(rows.select(names))
    need(came, "there are no insertions")
    empty = t.all_rows.slice(0, 0)
    extra, missing = differences(pa.concat_tables([*came, empty]), pa.concat_tables([t.all_rows, *went]))
    need(extra == missing == 0, f"{extra} rows too many, {missing} missing")


def _refused_feed(id: str, title: str, parameters: dict) -> None:
    def action(t: Target) -> None:
        refused(t.get(t.path + "/changes", params=parameters), 400, 403, 404)

    action.__doc__ = title
    check(f"changes.{id}", CHANGES)(action)


_refused_feed("no-start", "Changes without a start are refused with 400", {})
_refused_feed("backwards", "Changes whose end is before their start are refused with 400", {"startingVersion": 5, "endingVersion": 2})
_refused_feed("never", "Changes from a version that never was are refused with 400", {"startingVersion": NEVER})
_refused_feed("two-starts", "Changes with two starts are refused with 400", {"startingVersion": 0, "startingTimestamp": "2024-01-01T00:00:00Z"})
_refused_feed("malformed", "Changes from a timestamp that is none are refused with 400", {"startingTimestamp": "yesterday"})


# Queries that are polled.


def submitted(t: Target, key: str, body: dict | None = None) -> str:
    """The id of a query that the server answers later; skipped when it answers at once."""
    answer = t.query({"idempotencyKey": key} | (body or {}), headers={CAPABILITIES: "asyncquery=true"})
    need(answer.status_code == 200, told(answer))
    found = lines(answer)
    if "queryStatus" not in found[0]:
        need("asyncquery=true" not in answer.headers.get(CAPABILITIES, "").lower(), "the header says asyncquery, the body is the answer")
        need("protocol" in found[0], found[0])
        raise Skipped("the server answers at once")
    need("asyncquery=true" in answer.headers.get(CAPABILITIES, "").lower(), told(answer))
    need(answer.headers.get("content-type") == LINES_TYPE, told(answer))
    equal(len(found), 1, "lines")
    status = found[0]["queryStatus"]
    need(isinstance(status.get("queryId"), str) and status["queryId"] and status.get("status") == "pending", found)
    return status["queryId"]


def polled(t: Target, query: str, body: dict | None = None, headers: dict | None = None) -> requests.Response:
    """The answer to a submitted query, once it is there."""
    for _ in range(POLLS_MAX):
        answer = t.request("POST", f"{t.path}/queries/{quote(query)}", json=body or {}, headers=headers)
        need(answer.status_code == 200, told(answer))
        found = lines(answer)
        if "queryStatus" not in found[0]:
            return answer
        need(len(found) == 1 and found[0]["queryStatus"]["status"] == "pending", found)
        equal(found[0]["queryStatus"]["queryId"], query, "the id while it is polled")
        time.sleep(POLL_SECONDS)
    raise Failed("it is pending for ever")


@check("async.answer", ASYNC, OPTIONAL)
def answered(t: Target) -> None:
    """A query submitted with asyncquery=true ends with what a plain query gives"""
    answer = polled(t, submitted(t, f"kit-{time.time_ns()}"))
    equal(ids(lines(answer)), ids(t.current))
    equal(answer.headers.get("delta-table-version"), str(t.version), "the version")


@check("async.format", "Get Query Info", OPTIONAL)
def polled_format(t: Target) -> None:
    """The answer is in the format that the poll asks for, and fits a plain query's of that format"""
    found = lines(polled(t, submitted(t, f"kit-{time.time_ns()}"), headers=DELTA))
    need("deltaProtocol" in found[0].get("protocol", {}), found[0])
    equal(ids(found), ids(t.current_delta))


@check("async.hints", ASYNC, OPTIONAL)
def polled_limit(t: Target) -> None:
    """The answer is to the query that was submitted, whatever else the poll says"""
    query = submitted(t, f"kit-{time.time_ns()}", {"limitHint": 1})
    equal(ids(lines(polled(t, query, {"limitHint": 1_000_000_000}))), ids(t.lines_of({"limitHint": 1})))


@check("async.pages", "Get Query Info", OPTIONAL)
def polled_pages(t: Target) -> None:
    """Pages of one file of the answer add up to it"""
    first_page(t)
    query = submitted(t, f"kit-{time.time_ns()}")
    seen, token = [], None
    for _ in range(PAGES_MAX):
        page = lines(polled(t, query, {"maxFiles": 1} | ({"pageToken": token} if token else {})))
        need(len(ids(page)) <= 1, f"{len(ids(page))} files in a page of one")
        seen += ids(page)
        token = end_of(page).get("nextPageToken")
        if not token:
            break
    equal(sorted(seen), ids(t.current))


@check("async.other-recipient", "Get Query Info", OPTIONAL)
def polled_by_another(t: Target) -> None:
    """Another recipient cannot poll the query, neither by this table nor by their own"""
    query = submitted(t, f"kit-{time.time_ns()}")
    if not t.other:
        raise Skipped("there is no profile of another recipient")
    for path in (t.path, Target(t.other, None, t.folder, None, None).path):
        answer = send("POST", f"{t.other.endpoint}{path}/queries/{quote(query)}", headers={"Authorization": t.other.authorization}, json={})
        refused(answer, 400, 403, 404)


@check("async.not-offered", ASYNC)
def plain(t: Target) -> None:
    """A client that does not set asyncquery=true is answered at once"""
    for headers in (None, {CAPABILITIES: "asyncquery=false"}):
        found = t.lines_of({"idempotencyKey": f"kit-{time.time_ns()}"}, headers=headers)
        need("protocol" in found[0], found[0])


@check("async.idempotency", ASYNC, OPTIONAL)
def idempotency(t: Target) -> None:
    """The same idempotencyKey submits the same query, and another key another"""
    key = f"kit-{time.time_ns()}"
    query = submitted(t, key)
    equal(submitted(t, key), query)
    need(submitted(t, key + "-other") != query, "another key, and the same query")


@check("async.unknown", "Get Query Info")
def unknown_query(t: Target) -> None:
    """A queryId that the server never gave is refused with 400 or 404"""
    refused(t.request("POST", f"{t.path}/queries/no-such-query", json={}), 400, 404)
