"""What the console refuses: requests without a session, without the form's token, from another site."""

import http.client
import urllib.parse


def ask(node, method: str, path: str, body: str | None = None, headers: dict | None = None) -> http.client.HTTPResponse:
    """One plain request."""
    parts = urllib.parse.urlsplit(node.admin)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    connection.request(method, path, body, {"Content-Type": "application/x-www-form-urlencoded"} | (headers or {}))
    answer = connection.getresponse()
    answer.read()
    return answer


def run(report, node) -> None:
    """All of them."""
    base = f"/p/{node.slug}"
    for path in ("/", base, f"{base}/products", f"{base}/events?topic=negotiation:x", f"{base}/agreements/x/profile"):
        answer = ask(node, "GET", path)
        sent_away = answer.status in (302, 303, 307) and "/login" in answer.headers.get("location", "")
        report.check(f"without a session: GET {path}", sent_away or answer.status in (401, 403), answer.status)
    for path in (f"{base}/negotiations", f"{base}/tokens", f"{base}/products/wind/withdraw", "/logout"):
        answer = ask(node, "POST", path, "peer=x&product=y")
        refused = answer.status in (401, 403) or (answer.status in (302, 303) and "/login" in answer.headers.get("location", ""))
        report.check(f"without a session: POST {path}", refused, answer.status)
    answer = ask(node, "POST", "/login", f"name=admin&password={urllib.parse.quote(node.password)}")
    report.check("signing in without the form's token", answer.status in (400, 403) and not answer.headers.get("set-cookie", "").count("session"),
                 f"{answer.status} {answer.headers.items()}")
    page = ask(node, "GET", "/login")
    policy = page.headers.get("content-security-policy", "")
    report.check("pages carry a strict content policy", "default-src 'none'" in policy and "unsafe" not in policy, policy)
    report.equal("pages are not kept by caches", page.headers.get("cache-control"), "no-store")
    report.equal("types are not guessed", page.headers.get("x-content-type-options"), "nosniff")
    report.check("pages are not framed", "frame-ancestors 'none'" in policy or page.headers.get("x-frame-options"), policy)
    for path in ("/../fondaco.toml", "/assets/x/../../node.key", "/%2e%2e/node.key"):
        report.equal(f"GET {path}", ask(node, "GET", path).status, 404)
