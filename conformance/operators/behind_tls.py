"""A deal, a download, a console and streams, all through nginx."""

import hashlib
import http.client
import json
import os
import pathlib
import re
import ssl
import threading
import time

import delta_sharing
import pyarrow as pa
import pyarrow.parquet as pq
import requests
from report import Report

ROWS = 1_500_000
# The bytes of the large table must be on their way long before all of them could have been gathered somewhere.
FIRST_BYTES_WITHIN_SECONDS = 10


def run(report: Report, folder: pathlib.Path, provider, consumer) -> None:
    """Everything through https://localhost."""
    ca = str(provider.proxy.authority.ca)
    # The stock client's libraries read this.
    os.environ["REQUESTS_CA_BUNDLE"] = os.environ["SSL_CERT_FILE"] = ca
    table = pa.table({"n": pa.array(range(ROWS), pa.int64()), "noise": pa.array([os.urandom(24).hex() for _ in range(ROWS)])})
    source = folder / "paper.parquet"
    pq.write_table(table, source, compression="none", use_dictionary=False, row_group_size=100_000)
    small = folder / "small.csv"
    small.write_text("n,text\n1,a\n2,b\n")

    publish_streams(report, provider, ca, source)
    provider.ask("product", "add", small, "--id", "small", "--title", "Small")
    checked = provider.ask("doctor")
    failed = [f for f in checked["findings"] if f["status"] == "fail"]
    report.equal("doctor behind TLS: nothing is broken", failed, [])
    report.check("doctor sees the https address", any("resolves to its own document" in f["found"] for f in checked["findings"]), checked)

    deal = consumer.ask("negotiate", provider.address, "paper", "--wait", "60")
    if not report.equal("a deal is made through nginx", deal.get("state"), "FINALIZED"):
        return
    agreement = deal["agreementId"]
    digests = {node.ask("agreement", "show", agreement)["digest"] for node in (provider, consumer)}
    report.equal("both sides hold the same agreement", len(digests), 1)
    out = folder / "paper-out"
    consumer.run("--dir", consumer.dir, "fetch", agreement, "--out", out)
    fetched = list(out.rglob("*.parquet"))
    same = [hashlib.sha256(f.read_bytes()).hexdigest() for f in fetched] == [hashlib.sha256(source.read_bytes()).hexdigest()]
    report.check("fetch --out: the publisher's bytes", same, fetched)
    profile = folder / "paper.share"
    consumer.run("--dir", consumer.dir, "fetch", agreement, "--profile", profile)
    content = json.loads(profile.read_text())
    report.check("the profile's endpoint is the https address", content["endpoint"].startswith(provider.public + "/"), content)

    small_deal = consumer.ask("negotiate", provider.address, "small", "--wait", "60")
    small_profile = folder / "small.share"
    consumer.run("--dir", consumer.dir, "fetch", small_deal["agreementId"], "--profile", small_profile)
    listed = delta_sharing.SharingClient(str(small_profile)).list_all_tables()[0]
    frame = delta_sharing.load_as_pandas(f"{small_profile}#{listed.share}.{listed.schema}.{listed.name}")
    report.equal("the stock client reads through nginx", frame.to_dict("list"), {"n": [1, 2], "text": ["a", "b"]})

    ranges(report, content, source, ca)
    log = (provider.proxy.folder / "access.log").read_text()
    report.check("the proxy's log names the caller", log.count("127.0.0.1") + log.count("::1") > 5, log[-500:])
    buffered = (provider.proxy.folder / "error.log").read_text()
    report.check("nothing was gathered on the proxy's disk", "buffered to a temporary file" not in buffered, buffered[-500:])
    console(report, provider, consumer, ca, small_deal["agreementId"])


def ranges(report: Report, profile: dict, source: pathlib.Path, ca: str) -> None:
    """Byte ranges of the data itself, as readers of Parquet ask for them."""
    bearer = {"Authorization": f"Bearer {profile['bearerToken']}"}
    endpoint = profile["endpoint"].rstrip("/")
    share = requests.get(f"{endpoint}/shares", headers=bearer, timeout=20).json()["items"][0]["name"]
    table = requests.get(f"{endpoint}/shares/{share}/all-tables", headers=bearer, timeout=20).json()["items"][0]
    query = f"{endpoint}/shares/{share}/schemas/{table['schema']}/tables/{table['name']}/query"
    lines = requests.post(query, headers=bearer, json={}, timeout=20).text.splitlines()
    url = next(json.loads(line)["file"]["url"] for line in lines if "file" in json.loads(line))
    data = source.read_bytes()
    for what, header, expected in (
        ("the first bytes", "bytes=0-3", data[:4]),
        ("some in the middle", "bytes=1000000-1999999", data[1_000_000:2_000_000]),
        ("the last", "bytes=-8", data[-8:]),
    ):
        answer = requests.get(url, headers={"Range": header}, timeout=60)
        report.check(f"range, {what}", (answer.status_code, answer.content) == (206, expected), (answer.status_code, len(answer.content)))
    report.equal("a range beyond the end", requests.get(url, headers={"Range": f"bytes={len(data)}-"}, timeout=20).status_code, 416)
    large = {**bearer, "X-Large": "x" * 20_000}
    report.equal("large headers pass", requests.get(f"{endpoint}/shares", headers=large, timeout=20).status_code, 200)
    with requests.get(url, stream=True, timeout=60) as answer:
        began = time.monotonic()
        first = next(answer.iter_content(65_536))
        report.check("bytes come at once", first == data[: len(first)] and time.monotonic() - began < FIRST_BYTES_WITHIN_SECONDS)


def connection(port: int, ca: str) -> http.client.HTTPSConnection:
    """One that shows bytes as they arrive."""
    return http.client.HTTPSConnection("localhost", port, context=ssl.create_default_context(cafile=ca), timeout=60)


def publish_streams(report: Report, provider, ca: str, source: pathlib.Path) -> None:
    """A publication through nginx says how far it is while it is under way, not afterwards."""
    token = (provider.dir / "admin.token").read_text().strip()
    body = json.dumps({"id": "paper", "title": "Paper", "kind": "table", "paths": [str(source)]})
    asked = connection(provider.proxy.console_port, ca)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Accept": "application/x-ndjson", "Idempotency-Key": "paper-1"}
    asked.request("POST", f"/api/v1/participants/{provider.slug}/products", body, headers)
    answer = asked.getresponse()
    arrivals, lines = [], []
    while line := answer.readline():
        arrivals.append(time.monotonic())
        lines.append(json.loads(line))
    report.check("a publication reports its progress", len(lines) > 2 and "product" in lines[-1], lines[-1:])
    report.check("the report came while it was under way", arrivals[-1] - arrivals[0] > 0.05, [t - arrivals[0] for t in arrivals][-5:])


def console(report: Report, provider, consumer, ca: str, agreement: str) -> None:
    """Sign-in over https, and the stream of events."""
    base = consumer.proxy.console
    browser = requests.Session()
    form = browser.get(f"{base}/login", timeout=20)
    csrf = re.search(r'name="csrf" value="([^"]+)"', form.text).group(1)
    fields = {"csrf": csrf, "name": "admin", "password": consumer.password}
    signed = browser.post(f"{base}/login", data=fields, headers={"Origin": base, "Sec-Fetch-Site": "same-origin"}, allow_redirects=False, timeout=20)
    report.equal("sign-in over https", signed.status_code, 303)
    cookie = signed.headers.get("set-cookie", "")
    report.check("the session's cookie is Secure, HttpOnly and SameSite", all(w in cookie for w in ("Secure", "HttpOnly", "SameSite")), re.sub(r"=[^;]+;", "=…;", cookie))
    report.check("where to go next stays on this host", signed.headers["location"].startswith("/"), signed.headers["location"])
    home = browser.get(f"{base}/p/{consumer.slug}", timeout=20)
    report.equal("signed in", home.status_code, 200)
    report.check("HSTS is set", "max-age" in home.headers.get("strict-transport-security", ""))

    transfer = consumer.transfer_of(agreement, "STARTED")["id"]
    topic = f"/p/{consumer.slug}/events?topic=transfer:{transfer}"
    stream = connection(consumer.proxy.console_port, ca)
    stream.request("GET", topic, headers={"Cookie": "; ".join(f"{c.name}={c.value}" for c in browser.cookies), "Accept": "text/event-stream"})
    answer = stream.getresponse()
    report.equal("events are a stream", (answer.status, answer.headers.get_content_type()), (200, "text/event-stream"))
    heard: list[float] = []

    def listen() -> None:
        while line := answer.readline():
            if line.startswith(b"data:"):
                heard.append(time.monotonic())
                return

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    consumer.ask("transfer", "suspend", transfer)
    listener.join(20)
    report.check("an event arrives as it happens, while the stream goes on", heard and listener.is_alive() is False, heard)
    consumer.ask("transfer", "resume", transfer)
    consumer.transfer_of(agreement, "STARTED")
    stream.close()
    metrics = requests.get(f"{provider.proxy.console}/metrics", timeout=20)
    report.equal("metrics need a token", metrics.status_code, 401)
    token = (provider.dir / "admin.token").read_text().strip()
    metrics = requests.get(f"{provider.proxy.console}/metrics", headers={"Authorization": f"Bearer {token}"}, timeout=20)
    report.check("metrics are there", metrics.status_code == 200 and "fondaco_http_request_seconds" in metrics.text, metrics.text[:200])
