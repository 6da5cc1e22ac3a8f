"""The console, as a person uses it: two organisations, a deal, a download, a suspension; then once more without scripts."""

import json
import pathlib
import shutil
import sys

import requests_without
from browser import Visitor
from node import Node
from playwright.sync_api import sync_playwright
from report import Report, run_suite

TITLE = "Hourly wind at the coast"
ROOMS = ("", "/products", "/peers", "/negotiations", "/agreements", "/transfers", "/tokens", "/node")


def body(report: Report, folder: pathlib.Path, nodes: list) -> None:
    """The story."""
    provider = Node(folder / "provider", "coast", "Coast Observatory")
    consumer = Node(folder / "consumer", "harbour", "Harbour Authority")
    nodes += [provider, consumer]
    for node in nodes:
        node.start()
    table = folder / "wind.csv"
    table.write_text("hour,station,wind_m_s\n" + "".join(f"{h},pier,{3 + h % 7}.5\n" for h in range(500)))
    offer = folder / "offer.json"
    limit = {"leftOperand": "count", "operator": "lteq", "rightOperand": 100}
    offer.write_text(json.dumps({"@type": "Offer", "permission": [{"action": "use", "constraint": [limit]}]}))
    provider.ask("product", "add", table, "--kind", "table", "--id", "wind", "--title", TITLE, "--offer", offer)

    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if not report.check("a browser is installed", program):
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            requests_without.run(report, consumer)
            buyer = Visitor(report, browser, consumer)
            seller = Visitor(report, browser, provider)
            sign_in(report, buyer)
            seller.sign_in(provider.password)
            deal(report, buyer, provider)
            download(report, buyer)
            suspend(report, buyer, seller)
            for visitor in (buyer, seller):
                rooms(report, visitor)
                visitor.done()
            plain = Visitor(report, browser, consumer, scripts=False, who="without scripts")
            without_scripts(report, plain, provider)
            plain.done()
        finally:
            browser.close()


def sign_in(report: Report, visitor: Visitor) -> None:
    """Wrong, then right."""
    visitor.go("/")
    report.check("a stranger is sent to the sign-in page", visitor.page.url.split("?")[0].endswith("/login"), visitor.page.url)
    visitor.look("sign-in")
    visitor.sign_in("wrong")
    report.equal("a wrong password is told", visitor.page.get_by_role("alert").count(), 1)
    # The browser reports the refusal's status as an error of the page; it is none.
    visitor.problems.clear()
    visitor.sign_in(visitor.node.password)
    report.check("signed in", visitor.page.url.endswith(f"/p/{visitor.node.slug}"), visitor.page.url)


def find(visitor: Visitor, provider: Node) -> None:
    """From the peer's address to its product's page."""
    visitor.go(f"/p/{visitor.node.slug}/peers")
    visitor.page.get_by_label("Address of the peer").fill(provider.address)
    visitor.page.get_by_role("button", name="Add the peer").click()
    visitor.page.get_by_role("link", name=TITLE).click()


def deal(report: Report, visitor: Visitor, provider: Node) -> None:
    """One click, and the states arrive by themselves."""
    find(visitor, provider)
    terms = visitor.page.locator("article.offer").inner_text()
    report.check("the terms are in plain words", "100" in terms and "leftOperand" not in terms, terms)
    visitor.look("product of a peer")
    visitor.page.get_by_role("button", name="Negotiate").click()
    visitor.page.wait_for_url("**/negotiations/*")
    visitor.page.evaluate("window.sameVisit = true")
    visitor.await_state("FINALIZED")
    report.check("the negotiation finishes before the reader's eyes", visitor.page.evaluate("window.sameVisit === true"))
    visitor.look("negotiation")
    visitor.page.get_by_role("link", name="Open the agreement").click()


def download(report: Report, visitor: Visitor) -> None:
    """Access, the profile file, the lines that use it."""
    page = visitor.page
    page.get_by_role("button", name="Get access").click()
    link = page.get_by_role("link", name="Download profile file")
    back = page.get_by_role("link", name="Open the agreement")
    link.or_(back).first.wait_for()
    if back.count():  # access opened on the transfer's page
        visitor.await_state("STARTED")
        back.click()
        link.wait_for()
    with page.expect_download() as started:
        link.click()
    profile = json.loads(pathlib.Path(started.value.path()).read_text())
    report.equal("the profile file is one", profile.get("shareCredentialsVersion"), 1)
    report.check("with the lines that use it", "load_as_pandas" in page.locator("#python").inner_text())
    visitor.look("agreement")


def suspend(report: Report, buyer: Visitor, seller: Visitor) -> None:
    """The seller suspends; the buyer sees it happen."""
    buyer.page.locator('a[href*="/transfers/"]').first.click()
    buyer.await_state("STARTED")
    buyer.page.evaluate("window.sameVisit = true")
    seller.go(f"/p/{seller.node.slug}/transfers")
    seller.page.locator('main a[href*="/transfers/"]').first.click()
    seller.page.locator("details#suspend summary").click()
    seller.page.get_by_label("Reason, which the other side will read").first.fill("maintenance of the pier")
    seller.page.get_by_role("button", name="Suspend access").click()
    seller.await_state("SUSPENDED")
    buyer.await_state("SUSPENDED")
    report.check("the buyer sees the suspension arrive", buyer.page.evaluate("window.sameVisit === true"))
    report.check("and reads why", "maintenance of the pier" in buyer.page.locator("main").inner_text())
    report.equal("the buyer is not offered to resume", buyer.page.get_by_role("button", name="Resume").count(), 0)
    buyer.look("suspended transfer")
    seller.page.get_by_role("button", name="Resume").click()
    seller.await_state("STARTED")
    buyer.await_state("STARTED")
    report.check("the buyer sees the resumption arrive", buyer.page.evaluate("window.sameVisit === true"))


def rooms(report: Report, visitor: Visitor) -> None:
    """Every room, and the way out."""
    base = f"/p/{visitor.node.slug}"
    for room in ROOMS:
        visitor.go(base + room)
        report.equal(f"{visitor.who}: {base + room}: one heading", visitor.page.locator("h1").count(), 1)
        visitor.look(room.strip("/") or "overview")
    visitor.page.locator("details#user summary").click()
    visitor.page.get_by_role("button", name="Sign out").click()
    visitor.go(base)
    report.check(f"{visitor.who}: signed out", "/login" in visitor.page.url, visitor.page.url)


def without_scripts(report: Report, visitor: Visitor, provider: Node) -> None:
    """The same deal with forms and reloading alone."""
    visitor.sign_in(visitor.node.password)
    find(visitor, provider)
    visitor.page.get_by_role("button", name="Negotiate").click()
    visitor.page.wait_for_url("**/negotiations/*")
    # The page reloads itself every five seconds.
    visitor.await_state("FINALIZED")
    visitor.page.get_by_role("link", name="Open the agreement").click()
    report.check("without scripts: the deal is made", "/agreements/" in visitor.page.url, visitor.page.url)


if __name__ == "__main__":
    sys.exit(run_suite("console", body))
