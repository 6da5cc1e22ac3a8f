"""The files' URLs: each is a credential by itself, and serves bytes as RFC 9110 says."""

import email.parser
import time
import urllib.parse

import requests

from .registry import OPTIONAL, RECOMMENDED, REQUIRED, Skipped, add, check, equal, need
from .target import Target, send, told

FILE = "File"
RANGES, CONDITIONS = "RFC 9110, section 14", "RFC 9110, section 13"
SPARK = "File; delta-sharing-spark, RandomAccessHttpInputStream"
# Spark takes a URL that expires within 15 minutes as expired (PreSignedUrlCache).
URL_LIFE_MIN_MS = 15 * 60 * 1000
# delta-kernel takes a URL without one of these for a path of its own machine.
KERNEL_MARKS = ("X-Amz-Signature", "sp", "X-Goog-Credential", "X-OSS-Credential", "X-Databricks-Signature")


@check("urls.credential", FILE)
def by_itself(t: Target) -> None:
    """A URL works without the Authorization header, and gives the whole file"""
    answer = t.file(t.some_file["url"])
    equal((answer.status_code, len(answer.content)), (200, t.some_file["size"]))


@check("urls.with-authorization", FILE, OPTIONAL)
def with_authorization(t: Target) -> None:
    """A URL works for a client that sends its Authorization header all the same"""
    answer = t.file(t.some_file["url"], Range="bytes=0-3", Authorization=t.profile.authorization)
    if answer.status_code == 400:
        raise Skipped("the object store takes one credential at a time (400)")
    equal(answer.status_code, 206)


@check("urls.size", FILE)
def sizes(t: Target) -> None:
    """Every file has exactly the size that the query tells, in both formats"""
    for file in t.files:
        equal(t.download(file).stat().st_size, file["size"], file["id"])
    for line in t.current_delta:
        if "file" in line:
            add_action = line["file"]["deltaSingleAction"]["add"]
            answer = t.file(add_action["path"], Range="bytes=-1")
            equal(answer.headers.get("content-range", "").rpartition("/")[2], str(add_action["size"]), line["file"]["id"])


@check("urls.tls", FILE)
def tls(t: Target) -> None:
    """A URL is https"""
    if t.profile.loopback:
        raise Skipped("the server is on this machine")
    need(all(f["url"].startswith("https://") for f in t.files), t.some_file["url"])


@check("urls.kernel-mark", "delta-kernel, presigned URLs", RECOMMENDED)
def kernel_mark(t: Target) -> None:
    """A URL in the delta format looks presigned to delta-kernel, which else takes it for a local path"""
    for line in t.current_delta:
        if "file" in line:
            query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(line["file"]["deltaSingleAction"]["add"]["path"]).query))
            need(any(m in query for m in KERNEL_MARKS), f"none of {KERNEL_MARKS} in {sorted(query)}")


@check("urls.life", "File; delta-sharing-spark, PreSignedUrlCache", RECOMMENDED)
def life(t: Target) -> None:
    """expirationTimestamp, where told, is more than 15 minutes ahead, as Spark wants it"""
    told_of = [f["expirationTimestamp"] for f in t.files if f.get("expirationTimestamp")]
    if not told_of:
        raise Skipped("the server does not tell it")
    need(min(told_of) - time.time() * 1000 > URL_LIFE_MIN_MS, f"{min(told_of) - time.time() * 1000:.0f} ms")


@check("urls.again", FILE)
def again(t: Target) -> None:
    """The bytes behind an id are the same in a second query, and in the delta format"""
    whole = t.content
    for found in ([line["file"] for line in t.lines_of() if "file" in line], [line["file"] for line in t.current_delta if "file" in line]):
        same = [f for f in found if f["id"] == t.some_file["id"]]
        for file in same:
            answer = t.file(file.get("url") or file["deltaSingleAction"]["add"]["path"])
            need(answer.content == whole, f"other bytes for {file['id']}")


@check("urls.head", FILE, RECOMMENDED)
def head(t: Target) -> None:
    """HEAD tells the size and that ranges are welcome"""
    answer = t.file(t.some_file["url"], "HEAD")
    if answer.status_code in (403, 405):
        raise Skipped(f"the URL is good for GET alone ({answer.status_code})")
    seen = (answer.status_code, answer.headers.get("content-length"), answer.headers.get("accept-ranges"), len(answer.content))
    equal(seen, (200, str(t.some_file["size"]), "bytes", 0))


@check("urls.writing", FILE)
def writing(t: Target) -> None:
    """Nothing can be written, replaced or deleted by a URL"""
    for method in ("PUT", "POST", "DELETE", "PATCH"):
        answer = t.file(t.some_file["url"], method)
        need(answer.status_code in (400, 403, 404, 405, 501), told(answer))
    equal(t.file(t.some_file["url"], Range="bytes=0-3").content, t.content[:4])


def _variants(url: str) -> dict[str, str]:
    parts = urllib.parse.urlsplit(url)
    query = urllib.parse.parse_qsl(parts.query, keep_blank_values=True)
    found = {}
    for n, (name, value) in enumerate(query):
        flipped = str(int(value) + 1) if value.isdigit() else (value[:-1] + ("A" if value[-1:] != "A" else "B"))
        changes = {"altered": [(name, flipped)], "removed": [], "emptied": [(name, "")]}
        for what, put in changes.items():
            found[f"{name} {what}"] = parts._replace(query=urllib.parse.urlencode(query[:n] + put + query[n + 1:])).geturl()
    found["without query"] = parts._replace(query="").geturl()
    return found


@check("urls.tampered.query", FILE)
def tampered_query(t: Target) -> None:
    """A URL with a parameter altered, emptied or removed gives no byte of the file, unless the parameter carries no right"""
    url = t.some_file["url"]
    refusals = 0
    for what, wrong in _variants(url).items():
        answer = t.file(wrong)
        if answer.status_code == 200 and what.split()[0] in KERNEL_MARKS:
            continue  # the mark may be there for clients alone
        need(answer.status_code in (400, 401, 403, 404, 410) and t.content[:64] not in answer.content, f"{what}: {told(answer)}")
        refusals += 1
    need(refusals, "nothing in the URL protects it")


@check("urls.tampered.expiry", FILE)
def tampered_expiry(t: Target) -> None:
    """A URL whose numbers are raised, as an expiry would be, gives no byte of the file"""
    parts = urllib.parse.urlsplit(t.some_file["url"])
    query = urllib.parse.parse_qsl(parts.query, keep_blank_values=True)
    later = [(n, str(int(v) + 86_400_000) if v.isdigit() else v) for n, v in query]
    if later == query:
        raise Skipped("the URL holds no number")
    answer = t.file(parts._replace(query=urllib.parse.urlencode(later)).geturl())
    need(answer.status_code in (400, 401, 403, 404, 410), told(answer))


@check("urls.tampered.path", FILE)
def tampered_path(t: Target) -> None:
    """A URL's signature is good for its own file alone"""
    parts = urllib.parse.urlsplit(t.some_file["url"])
    others = [f for f in t.files if f["id"] != t.some_file["id"]]
    paths = [urllib.parse.urlsplit(f["url"]).path for f in others[:3]]
    folder, _, name = parts.path.rpartition("/")
    paths += [folder + "/", folder + "/../" + name, folder + "/%2e%2e/" + name, parts.path + "x", folder + "/x" + name, "/", parts.path + "/.."]
    for path in paths:
        if path == parts.path:
            continue
        answer = send("GET", parts._replace(path=path).geturl(), exactly=True)
        need(answer.status_code >= 400 and t.content[:64] not in answer.content, f"{path}: {told(answer)}")


@check("urls.other-recipient", FILE)
def other_recipient(t: Target) -> None:
    """A signature of one recipient's URL does not open another's file"""
    if t.other is None:
        raise Skipped("no second profile was given")
    theirs = Target(t.other, None, t.folder, None, None)
    if not theirs.files:
        raise Skipped("the second recipient's table has no file")
    mine, other = urllib.parse.urlsplit(t.some_file["url"]), urllib.parse.urlsplit(theirs.some_file["url"])
    if mine.path == other.path:
        raise Skipped("both recipients see the same file")
    for parts, path in ((mine, other.path), (other, mine.path)):
        answer = t.file(parts._replace(path=path).geturl())
        need(answer.status_code in (400, 401, 403, 404), told(answer))


# Ranges. Spark asks with a range always, and takes any status but 206 as a failure.

SINGLE = {
    "from-start": (lambda n: "0-", lambda n: (0, n - 1), REQUIRED),
    "first-byte": (lambda n: "0-0", lambda n: (0, 0), REQUIRED),
    "first": (lambda n: "0-99", lambda n: (0, min(99, n - 1)), REQUIRED),
    "middle": (lambda n: f"{n // 3}-{n // 2}", lambda n: (n // 3, n // 2), REQUIRED),
    "whole": (lambda n: f"0-{n - 1}", lambda n: (0, n - 1), REQUIRED),
    "footer": (lambda n: f"{n - 8}-{n - 1}", lambda n: (n - 8, n - 1), REQUIRED),
    "last-byte": (lambda n: f"{n - 1}-", lambda n: (n - 1, n - 1), REQUIRED),
    "beyond-end": (lambda n: f"{n - 10}-{n + 1000}", lambda n: (n - 10, n - 1), REQUIRED),
    "suffix": (lambda n: "-8", lambda n: (n - 8, n - 1), REQUIRED),
    "suffix-longer": (lambda n: f"-{n + 1}", lambda n: (0, n - 1), RECOMMENDED),
    "huge": (lambda n: f"0-{2**63}", lambda n: (0, n - 1), RECOMMENDED),
}


def _single(name: str, asked, wanted, level: str) -> None:
    def action(t: Target) -> None:
        size = t.some_file["size"]
        first, last = wanted(size)
        answer = t.file(t.some_file["url"], Range=f"bytes={asked(size)}")
        seen = (answer.status_code, answer.headers.get("content-range"), answer.headers.get("content-length"))
        equal(seen, (206, f"bytes {first}-{last}/{size}", str(last - first + 1)))
        need(answer.content == t.content[first : last + 1], "other bytes")

    add(f"urls.range.{name}", SPARK if level == REQUIRED else RANGES, level, f"The range {name.replace('-', ' ')} is answered with 206, Content-Range and its bytes", action)


for _name, (_asked, _wanted, _level) in SINGLE.items():
    _single(_name, _asked, _wanted, _level)


@check("urls.range.unsatisfiable", RANGES)
def unsatisfiable(t: Target) -> None:
    """A range beyond the end is answered with 416 and the size"""
    size = t.some_file["size"]
    for asked in (f"{size}-", f"{size + 5}-{size + 9}"):
        answer = t.file(t.some_file["url"], Range=f"bytes={asked}")
        equal(answer.status_code, 416, asked)
        need(answer.headers.get("content-range") in (None, f"bytes */{size}"), told(answer))


@check("urls.range.malformed", RANGES)
def malformed(t: Target) -> None:
    """What is no range is ignored: the whole file, or 416"""
    for asked in ("bytes=abc", "items=0-1", "bytes=10-5", "bytes=", "bytes=1-2-3", "bytes=--1", "0-5"):
        answer = t.file(t.some_file["url"], Range=asked)
        need(answer.status_code in (200, 400, 416), f"{asked}: {told(answer)}")
        need(answer.status_code != 200 or len(answer.content) == t.some_file["size"], f"{asked}: {len(answer.content)} bytes")


@check("urls.range.several", RANGES, OPTIONAL)
def several(t: Target) -> None:
    """Three ranges are answered as multipart/byteranges, or with the whole file"""
    size, content = t.some_file["size"], t.content
    if size < 2_000:
        raise Skipped("the table's files are too small")
    answer = t.file(t.some_file["url"], Range="bytes=0-9,1000-1009,-5")
    if answer.status_code == 200:
        need(answer.content == content, "other bytes")
        raise Skipped("the server answers with the whole file")
    equal(answer.status_code, 206)
    equal(parts(answer), [content[:10], content[1000:1010], content[-5:]])


@check("urls.range.many", RANGES)
def many(t: Target) -> None:
    """Two thousand ranges, tiny or overlapping, give no more than about the file's size, or are refused"""
    size = t.some_file["size"]
    for asked in (",".join(f"{n}-{n}" for n in range(0, 4_000, 2)), ",".join(["0-"] * 1_000)):
        try:
            answer = t.file(t.some_file["url"], Range=f"bytes={asked}")
        except requests.RequestException:
            continue  # hung up on such headers
        need(answer.status_code in (200, 206, 400, 416, 431), told(answer))
        need(answer.status_code != 206 or len(answer.content) <= 2 * size + (1 << 20), f"{len(answer.content)} bytes for a file of {size}")


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


def etag_of(t: Target) -> str:
    """The file's entity tag, as GET tells it."""
    tag = t.file(t.some_file["url"], Range="bytes=0-0").headers.get("etag")
    if not tag:
        raise Skipped("the server gives no ETag")
    return tag


@check("urls.etag", "RFC 9110, section 8.8.3", RECOMMENDED)
def etag(t: Target) -> None:
    """The ETag is strong, since ranges are put together by it, and the same for a second URL of the file"""
    tag = etag_of(t)
    need(tag.startswith('"'), tag)
    url = next(line["file"]["url"] for line in t.lines_of() if line.get("file", {}).get("id") == t.some_file["id"])
    equal(t.file(url, Range="bytes=0-0").headers.get("etag"), tag)


CONDITIONAL = {
    "if-none-match": (lambda tag: {"If_None_Match": tag}, 304, lambda n: 0),
    "if-none-match.other": (lambda tag: {"If_None_Match": '"x"'}, 200, lambda n: n),
    "if-match": (lambda tag: {"If_Match": tag}, 200, lambda n: n),
    "if-match.other": (lambda tag: {"If_Match": '"x"'}, 412, None),
    "if-range": (lambda tag: {"If_Range": tag, "Range": "bytes=0-9"}, 206, lambda n: 10),
    "if-range.other": (lambda tag: {"If_Range": '"x"', "Range": "bytes=0-9"}, 200, lambda n: n),
}


def _condition(name: str, headers, status: int, length) -> None:
    def action(t: Target) -> None:
        answer = t.file(t.some_file["url"], **headers(etag_of(t)))
        equal(answer.status_code, status)
        if length:
            equal(len(answer.content), length(t.some_file["size"]), "bytes")

    add(f"urls.{name}", CONDITIONS, RECOMMENDED, f"{name.replace('.', ' with ').replace('other', 'another tag')} is answered with {status}", action)


for _name, (_headers, _status, _length) in CONDITIONAL.items():
    _condition(_name, _headers, _status, _length)
