"""Files of any kind: odd names, stock downloaders, downloads that break off."""

import hashlib
import os
import pathlib
import subprocess

import requests
from misbehaving import CuttingProxy
from node import Node

LONG = "长" * 80 + "-of-255-bytes.b"
NAMES = [
    "plain.txt", "with spaces and  more.txt", "数据 表格.csv", "it's \"quoted\" & <b>bold</b>.html", "percent%20 #hash ?query +plus.bin",
    "-dash.txt", "ümläut é.txt", "🛩️.txt", LONG, "folder/sub folder/深/nested.txt", "folder/empty.dat", "a;b,c=d@e!$(echo x)`id`.txt",
]
LARGE_BYTES = 48 << 20
CUTS = 20


class Behind(Node):
    """A node whose public address is a proxy."""

    def __init__(self, directory: pathlib.Path, slug: str, name: str, proxy: CuttingProxy) -> None:
        super().__init__(directory, slug, name, public=f"http://{proxy.address}")
        inner = proxy.listen_for()
        config = directory / "fondaco.toml"
        text, old = config.read_text(), '# listen = "127.0.0.1:7400"\n'
        assert old in text, text
        config.write_text(text.replace(old, f'listen = "{inner}"\n', 1))


def run(exchange, nodes: list) -> None:
    """A folder of odd names; a large file over a bad line; names that are refused."""
    odd_names(exchange)
    refusals(exchange)
    proxy = CuttingProxy()
    nodes.append(proxy)
    node = Behind(exchange.folder / "archive", "archive", "Archive", proxy)
    nodes.append(node)
    node.start()
    bad_line(exchange, node, proxy)


def digest(data: bytes) -> str:
    """SHA-256."""
    return hashlib.sha256(data).hexdigest()


def tree(folder: pathlib.Path) -> dict[str, str]:
    """What a folder holds: paths and hashes. The description that `fetch` puts beside the data has checks of its own."""
    found = {str(f.relative_to(folder)): digest(f.read_bytes()) for f in folder.rglob("*") if f.is_file()}
    found.pop("croissant.json", None)
    return found


def odd_names(exchange) -> None:
    """Published, fetched, listed, summed, and downloaded by name."""
    report, consumer = exchange.report, exchange.consumer
    folder = exchange.folder / "odd"
    for number, name in enumerate(NAMES):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"" if "empty" in name else f"content {number} ".encode() * (number * 4_000 + 1))
    longest = max(len(part.encode()) for name in NAMES for part in name.split("/"))
    report.equal("files: the longest name has 255 bytes", longest, 255)
    expected = tree(folder)
    shown = exchange.publish("odd", folder, "--kind", "files")
    report.equal("files: published", (shown["kind"], shown["content"]["fileCount"]), ("files", len(NAMES)))
    agreement = exchange.buy("odd")
    out = exchange.folder / "odd-out"
    fetched = consumer.ask("fetch", agreement, "--out", out)
    report.equal("files: fetch --out: the same names and bytes", tree(out), expected)
    report.equal("files: fetch --out: counts", fetched["files"], len(NAMES))
    again = consumer.ask("fetch", agreement, "--out", out)
    report.equal("files: fetch --out again: all are kept", again["keptFiles"], len(NAMES))

    endpoint = exchange.access(agreement)
    bearer = {"Authorization": f"Bearer {endpoint['bearerToken']}"}
    sums = requests.get(f"{endpoint['endpoint']}?format=sha256sums", headers=bearer, timeout=30)
    (exchange.folder / "odd.sums").write_bytes(sums.content)
    checked = subprocess.run(["sha256sum", "--check", "--strict", exchange.folder / "odd.sums"], cwd=out, capture_output=True, text=True, check=False)
    report.equal("files: sha256sum --check --strict", (checked.returncode, len(checked.stdout.splitlines())), (0, len(NAMES)))
    listed = requests.get(endpoint["endpoint"], headers=bearer, timeout=30).json()["files"]
    report.equal("files: the list's hashes", {f["path"]: f["sha256"] for f in listed}, expected)
    got = {f["path"]: requests.get(f["url"], timeout=30) for f in listed}
    report.equal("files: each by its address, without a token", {path: digest(a.content) for path, a in got.items()}, expected)
    html = next(a for path, a in got.items() if path.endswith(".html"))
    safe = html.headers.get("content-disposition", "").startswith("attachment") and "sandbox" in html.headers.get("content-security-policy", "")
    report.check("files: a page among them does not run at our address", safe, html.headers)
    page = requests.get(f"{endpoint['endpoint']}?format=html", headers=bearer, timeout=30).text
    report.check("files: nor its name in the list", "<b>bold" not in page and "&lt;b&gt;bold" in page or "&#60;b&#62;bold" in page, page[:300])
    by_list = exchange.folder / "by-list"
    by_list.mkdir()
    urls = requests.get(f"{endpoint['endpoint']}?format=urls", headers=bearer, timeout=30).content
    (exchange.folder / "odd.urls").write_bytes(urls)
    wget = ["wget", "--quiet", "--content-disposition", "--input-file", exchange.folder / "odd.urls"]
    done = subprocess.run(wget, cwd=by_list, capture_output=True, text=True, check=False)
    report.equal("files: wget --input-file", (done.returncode, sorted(tree(by_list).values())), (0, sorted(expected.values())))
    answer = requests.get(endpoint["endpoint"], timeout=30)
    report.check("files: without the token: refused", answer.status_code == 401 and "FDC-1002" in answer.text, answer.text)
    answer = requests.get(f"{endpoint['endpoint']}/data/..%2F..%2Fmaster.key", headers=bearer, timeout=30)
    report.equal("files: a path that climbs: not found", answer.status_code, 404)


def refusals(exchange) -> None:
    """Names that mean something else on another machine, and what is no file."""
    report = exchange.report
    folder = exchange.folder / "refused"

    def check(what: str, make) -> None:
        folder.mkdir()
        (folder / "fine.txt").write_text("fine")
        make()
        problem = exchange.provider.refusal("product", "add", folder, "--kind", "files", "--id", "refused", "--title", "Refused")
        report.check(f"files: {what}: refused", problem.get("code", "").startswith("FDC-4"), problem)
        report.check(f"files: {what}: no control character in the message", problem and problem["detail"].isprintable(), problem)
        for entry in sorted(folder.rglob("*"), reverse=True):
            entry.unlink()
        folder.rmdir()

    check("a name with a newline", lambda: (folder / "two\nlines.txt").write_text("x"))
    check("a name with a terminal's escape", lambda: (folder / "\x1b[2Jclear.txt").write_text("x"))
    check("a name with a backslash", lambda: (folder / "..\\..\\up.txt").write_text("x"))
    check("a name that ends with dots", lambda: (folder / "up..").write_text("x"))
    check("a device of Windows", lambda: (folder / "NUL.txt").write_text("x"))
    check("two names that differ in case only", lambda: [(folder / name).write_text("x") for name in ("Same.txt", "same.txt")])
    check("a name that is not UTF-8", lambda: open(os.fsencode(folder) + b"/\xff.txt", "wb").close())
    check("a link to a file inside", lambda: (folder / "link.txt").symlink_to("fine.txt"))
    check("a link that leads out", lambda: (folder / "link.txt").symlink_to("/etc/passwd"))
    check("a named pipe", lambda: os.mkfifo(folder / "pipe"))
    data = exchange.provider.refusal("product", "add", exchange.provider.dir, "--kind", "files", "--id", "refused", "--title", "Refused")
    report.equal("files: the node's own folder: refused", data.get("code"), "FDC-1003")


def bad_line(exchange, node: Node, proxy: CuttingProxy) -> None:
    """The same file by fetch, curl and wget, each with its connection cut."""
    report, consumer = exchange.report, exchange.consumer
    file = exchange.folder / "large.bin"
    file.write_bytes(os.urandom(1 << 20) * (LARGE_BYTES >> 20))
    exchange.publish("large", file, "--kind", "files", node=node)
    agreement = exchange.buy("large", node=node)
    endpoint = exchange.access(agreement)
    wanted = digest(file.read_bytes())
    proxy.plan(CUTS, LARGE_BYTES // (CUTS + 4))
    fetched = consumer.ask("fetch", agreement, "--out", exchange.folder / "large-out")
    report.equal("a bad line: fetch: the connection was cut", CUTS - proxy.cuts, CUTS)
    report.equal("a bad line: fetch: and the file is whole", tree(exchange.folder / "large-out"), {"large.bin": wanted})
    share = proxy.returned / LARGE_BYTES
    report.check(f"a bad line: fetch: nothing is sent over and over ({share:.2f} × its size)", share < 1.5, share)
    report.check("a bad line: fetch: it says how often it broke", fetched["breaks"] >= CUTS // 2, fetched)

    url = requests.get(endpoint["endpoint"], headers={"Authorization": f"Bearer {endpoint['bearerToken']}"}, timeout=30).json()["files"][0]["url"]
    curl = ["curl", "--silent", "--show-error", "--continue-at", "-", "--output", "by-curl.bin", url]
    proxy.plan(1, LARGE_BYTES // 2)
    first = subprocess.run(curl, cwd=exchange.folder, capture_output=True, text=True, check=False)
    half = (exchange.folder / "by-curl.bin").stat().st_size
    report.check("a bad line: curl: cut in the middle", first.returncode != 0 and 0 < half < LARGE_BYTES, (first.returncode, half))
    second = subprocess.run(curl, cwd=exchange.folder, capture_output=True, text=True, check=False)
    whole = digest((exchange.folder / "by-curl.bin").read_bytes()) == wanted
    report.check("a bad line: curl --continue-at - ends it", second.returncode == 0 and whole, second.stderr)
    proxy.plan(2, LARGE_BYTES // 3)
    wget = ["wget", "--quiet", "--continue", "--waitretry=1", "--output-document", "by-wget.bin", url]
    done = subprocess.run(wget, cwd=exchange.folder, capture_output=True, text=True, check=False)
    whole = digest((exchange.folder / "by-wget.bin").read_bytes()) == wanted
    report.check("a bad line: wget --continue ends it", done.returncode == 0 and whole and proxy.cuts == 0, (done.returncode, proxy.cuts))
    share = proxy.returned / LARGE_BYTES
    report.check(f"a bad line: wget: nothing is sent over and over ({share:.2f} × its size)", share < 1.5, share)
