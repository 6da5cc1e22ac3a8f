"""Profile, credentials, listings, names."""

import datetime
import re

from .registry import OPTIONAL, RECOMMENDED, REQUIRED, Skipped, add, check, equal, need
from .target import LIST_TYPE, Target, error_object, quote, refused, told

NAME_MAX_CHARS = 255

PROFILE = "Profile File Format"
AUTH = "REST APIs"


@check("profile.shape", PROFILE)
def shape(t: Target) -> None:
    """The profile names its version, the endpoint and a credential"""
    content = t.profile.content
    need(content.get("shareCredentialsVersion") in (1, 2), "shareCredentialsVersion is neither 1 nor 2")
    need(t.profile.endpoint.startswith(("https://", "http://")), "endpoint is no URL")
    need(len(t.profile.authorization) > len("Bearer "), "there is no credential")


@check("profile.https", PROFILE)
def https(t: Target) -> None:
    """The endpoint is reached by TLS, since the credential goes there"""
    if t.profile.loopback:
        raise Skipped("the server is on this machine")
    need(t.profile.endpoint.startswith("https://"), t.profile.endpoint)


@check("profile.expiration", PROFILE, OPTIONAL)
def expiration(t: Target) -> None:
    """expirationTime is an instant in ISO 8601 that lies ahead"""
    text = t.profile.content.get("expirationTime")
    if text is None:
        raise Skipped("the profile does not expire")
    at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    need(at.tzinfo is not None and at > datetime.datetime.now(datetime.UTC), text)


def _credential(what: str, title: str, value) -> None:
    def action(t: Target) -> None:
        for method, path in (("GET", "/shares"), ("GET", t.path + "/metadata"), ("POST", t.path + "/query")):
            answer = t.request(method, path, authorization=value(t), json={} if method == "POST" else None)
            refused(answer, 401)

    add(f"auth.{what}", AUTH, REQUIRED, f"{title} is refused with 401 and the error object", action)


_credential("none", "A request without credential", lambda t: None)
_credential("wrong", "A wrong token", lambda t: "Bearer wrong")
_credential("empty", "An empty token", lambda t: "Bearer ")
_credential("truncated", "The token without its last character", lambda t: t.profile.authorization[:-1])
_credential("other-case", "The token in other letter case", lambda t: "Bearer " + t.profile.authorization.partition(" ")[2].swapcase())
_credential("scheme", "The token under another scheme", lambda t: "Token " + t.profile.authorization.partition(" ")[2])


@check("auth.challenge", "RFC 6750, section 3", RECOMMENDED)
def challenge(t: Target) -> None:
    """A refusal for want of a token names the scheme in WWW-Authenticate"""
    answer = t.get("/shares", authorization=None)
    need(answer.headers.get("www-authenticate", "").lower().startswith("bearer"), told(answer))


@check("auth.other-recipient", AUTH)
def other_recipient(t: Target) -> None:
    """Another recipient can neither list nor read a table that is not shared with them"""
    if t.other is None:
        raise Skipped("no second profile was given")
    theirs = t.other.authorization
    for method, path in (("GET", "/version"), ("GET", "/metadata"), ("POST", "/query"), ("GET", "/changes?startingVersion=0")):
        refused(t.request(method, t.path + path, authorization=theirs, json={} if method == "POST" else None), 403, 404)
    listed = t.get(t.share_path + "/all-tables", authorization=theirs)
    if listed.status_code == 200:
        names = [(i["schema"].lower(), i["name"].lower()) for i in listed.json().get("items") or []]
        need((t.schema.lower(), t.table.lower()) not in names, f"it is listed: {names}")
    else:
        refused(listed, 403, 404)


PLACES = {
    "shares": ("List Shares", lambda t: "/shares"),
    "schemas": ("List Schemas in a Share", lambda t: t.share_path + "/schemas"),
    "tables": ("List Tables in a Schema", lambda t: t.schema_path + "/tables"),
    "all-tables": ("List all Tables in a Share", lambda t: t.share_path + "/all-tables"),
}
KEYS = {"shares": ["name"], "schemas": ["name", "share"], "tables": ["name", "schema", "share"], "all-tables": ["name", "schema", "share"]}


def _listing(place: str, section: str, path) -> None:
    def content_type(t: Target) -> None:
        answer = t.get(path(t))
        need(answer.status_code == 200, told(answer))
        equal(answer.headers.get("content-type", "").lower(), LIST_TYPE)

    def items(t: Target) -> None:
        found = t.everything(path(t))
        need(found, "it is empty, and the table is in it")
        for item in found:
            for key in KEYS[place]:
                need(isinstance(item.get(key), str) and item[key], f"no {key} in {item}")
            for key in ("id", "shareId"):
                need(key not in item or isinstance(item[key], str), f"{key} is no text in {item}")
            need(item.get("accessModes", ["url"]) and set(item.get("accessModes", [])) <= {"url", "dir"}, f"accessModes in {item}")
        wanted = {"shares": t.share, "schemas": t.schema}.get(place, t.table)
        need(wanted.lower() in [i["name"].lower() for i in found], f"{wanted} is not in it")

    def paging(t: Target) -> None:
        first = t.get(path(t), params={"maxResults": 1})
        need(first.status_code == 200 and len(first.json().get("items") or []) <= 1, told(first))
        equal(t.everything(path(t), maxResults=1), t.everything(path(t)), "pages of one")

    def none_at_all(t: Target) -> None:
        answer = t.get(path(t), params={"maxResults": 0})
        need(answer.status_code == 200 and not answer.json().get("items"), told(answer))

    def ended(t: Target) -> None:
        answer = t.get(path(t), params={"maxResults": 100_000})
        if answer.status_code == 200 and answer.json().get("nextPageToken"):
            raise Skipped("it does not fit one page")
        need(answer.status_code == 200, told(answer))

    def bad(parameter: str, value: str):
        return lambda t: refused(t.get(path(t), params={parameter: value}), 400)

    add(f"listing.{place}.content-type", section, REQUIRED, f"{place}: the content type is {LIST_TYPE}", content_type)
    add(f"listing.{place}.items", section, REQUIRED, f"{place}: every item has its keys, and the table is found", items)
    add(f"listing.{place}.paging", section, REQUIRED, f"{place}: pages of one item add up to the listing, in its order", paging)
    add(f"listing.{place}.paging.zero", section, REQUIRED, f"{place}: maxResults=0 gives no items", none_at_all)
    add(f"listing.{place}.paging.end", section, REQUIRED, f"{place}: the last page has no nextPageToken", ended)
    add(f"listing.{place}.paging.negative", section, REQUIRED, f"{place}: a negative maxResults is refused with 400", bad("maxResults", "-1"))
    add(f"listing.{place}.paging.text", section, RECOMMENDED, f"{place}: a maxResults that is no number is refused with 400", bad("maxResults", "many"))
    add(f"listing.{place}.paging.token-invalid", section, RECOMMENDED, f"{place}: a pageToken that the server never gave is refused with 400", bad("pageToken", "not-a-token"))


for _place, (_section, _path) in PLACES.items():
    _listing(_place, _section, _path)


@check("listing.share", "Get Share")
def get_share(t: Target) -> None:
    """A share by its name is the one of the listing"""
    answer = t.get(t.share_path)
    need(answer.status_code == 200, told(answer))
    need(answer.json()["share"] in t.everything("/shares"), told(answer))


@check("listing.all-tables.union", "List all Tables in a Share")
def union(t: Target) -> None:
    """all-tables is what the schemas list, together"""
    by_schema = []
    for schema in t.everything(t.share_path + "/schemas"):
        by_schema += t.everything(f"{t.share_path}/schemas/{quote(schema['name'])}/tables")
    key = lambda i: (i["schema"].lower(), i["name"].lower())
    equal(sorted(map(key, t.everything(t.share_path + "/all-tables"))), sorted(map(key, by_schema)))


@check("listing.ids", "List Shares", RECOMMENDED)
def stable(t: Target) -> None:
    """A second listing is the same as the first, ids included"""
    for _, path in PLACES.values():
        equal(t.everything(path(t)), t.everything(path(t)))


@check("names.limits", "Names")
def names(t: Target) -> None:
    """No name is longer than 255 characters or has characters that the protocol forbids"""
    for place, (_, path) in PLACES.items():
        for item in t.everything(path(t)):
            name = item["name"]
            bad = [c for c in name if c in " /\x7f" or c < " " or (c == "." and place != "shares")]
            need(not bad and 0 < len(name) <= NAME_MAX_CHARS, f"{place}: {name!r}")


@check("names.case", "Names")
def case(t: Target) -> None:
    """Names are found in any letter case"""
    upper = f"/shares/{quote(t.share.upper())}/schemas/{quote(t.schema.upper())}/tables/{quote(t.table.upper())}"
    for path in (f"/shares/{quote(t.share.swapcase())}", f"/shares/{quote(t.share.upper())}/all-tables", upper + "/version", upper + "/metadata"):
        answer = t.get(path)
        need(answer.status_code == 200, told(answer))


def _unknown(what: str, section: str, method: str, path) -> None:
    add(
        f"unknown.{what}", section, REQUIRED, f"What does not exist is answered with 404: {what.replace('.', ', ')}",
        lambda t: refused(t.request(method, path(t), json={} if method == "POST" else None), 404),
    )


_unknown("share", "Get Share", "GET", lambda t: "/shares/no-such-share-7b1")
_unknown("share.schemas", "List Schemas in a Share", "GET", lambda t: "/shares/no-such-share-7b1/schemas")
_unknown("share.all-tables", "List all Tables in a Share", "GET", lambda t: "/shares/no-such-share-7b1/all-tables")
_unknown("schema.tables", "List Tables in a Schema", "GET", lambda t: t.share_path + "/schemas/no-such-schema-7b1/tables")
_unknown("table.version", "Query Table Version", "GET", lambda t: t.schema_path + "/tables/no-such-table-7b1/version")
_unknown("table.metadata", "Query Table Metadata", "GET", lambda t: t.schema_path + "/tables/no-such-table-7b1/metadata")
_unknown("table.query", "Read Data from a Table", "POST", lambda t: t.schema_path + "/tables/no-such-table-7b1/query")
_unknown("table.changes", "Read Change Data Feed from a Table", "GET", lambda t: t.schema_path + "/tables/no-such-table-7b1/changes?startingVersion=0")


@check("errors.names", "Names", RECOMMENDED)
def hostile_names(t: Target) -> None:
    """Names that no object can have are answered with 400 or 404, and never with an error of the server"""
    for name in ("..", "%00", "a%2Fb", "%F0%9F%98%80", "'%20OR%201=1", "a" * 300, "%ff", "."):
        answer = t.get(f"/shares/{name}/schemas/{name}/tables/{name}/metadata")
        need(answer.status_code in (400, 401, 403, 404, 414), f"{name[:20]}: {told(answer)}")


@check("errors.methods", "REST APIs", RECOMMENDED)
def methods(t: Target) -> None:
    """A method that an address does not have is refused with 404 or 405"""
    for method, path in (("POST", "/shares"), ("DELETE", t.share_path), ("GET", t.path + "/query"), ("PUT", t.path + "/metadata")):
        answer = t.request(method, path)
        need(answer.status_code in (400, 404, 405, 501), told(answer))


@check("errors.internals", "REST APIs", RECOMMENDED)
def internals(t: Target) -> None:
    """Error texts hold no stack trace and no path of the server's disk"""
    for answer in (t.raw_query("{"), t.query({"limitHint": "ten"}), t.get("/shares", params={"pageToken": "x"}), t.get("/shares/none")):
        text = answer.text
        signs = re.findall(r"Traceback|Exception in|\tat |panicked|/(?:home|usr|var|tmp)/|\.(?:java|scala|rs|go|py):", text)
        need(not signs, f"{signs}: {told(answer)}")
        if answer.status_code >= 400:
            error_object(answer)
