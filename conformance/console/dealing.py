"""Two sides of a deal: found, asked for, approved, delivered, suspended, resumed, ended."""

import json
import pathlib
import urllib.request

import samples
from browser import Visitor


class Deal:
    """Both sides and the texts."""

    def __init__(self, report, seller: Visitor, buyer: Visitor, texts: dict) -> None:
        self.report, self.seller, self.buyer, self.texts = report, seller, buyer, texts

    def check(self, what: str, holds: object, seen: object = "") -> None:
        """A check, with the language in its name."""
        self.report.check(f"{self.buyer.who}: {what}", holds, seen)


def run(report, seller: Visitor, buyer: Visitor, texts: dict) -> None:
    """The story."""
    deal = Deal(report, seller, buyer, texts)
    rules(deal)
    peer(deal)
    search(deal)
    approve(deal)
    download(deal)
    first_rows(deal)
    suspend_and_resume(deal)
    files(deal)
    end(deal)


def call(node, method: str, path: str, body: object = None) -> dict:
    """The admin API, as a program calls it."""
    request = urllib.request.Request(
        f"{node.admin}/api/v1/participants/{node.slug}{path}", json.dumps(body).encode(), method=method,
        headers={"Authorization": f"Bearer {(node.dir / 'admin.token').read_text().strip()}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def rules(deal: Deal) -> None:
    """People decide: the seller about each request for the wind, the buyer about each offer of the files."""
    for product, then in (("wind", "hold"), ("files", "offer")):
        offers = call(deal.seller.node, "GET", f"/products/{product}")["offers"]
        for offer in offers:
            call(deal.seller.node, "PUT", f"/offers/{offer['id']}/rules", {"requested": [{"do": then}]})
    call(deal.buyer.node, "PUT", "/rules", {"default": {"offered": [{"do": "hold"}]}})


def peer(deal: Deal) -> None:
    """Nobody, somebody who is not there, and the seller."""
    buyer = deal.buyer
    buyer.room("/peers")
    buyer.look("peers, none")
    buyer.fill("peers-address", "http://127.0.0.1:1/p/nobody")
    with buyer.refused():
        buyer.button("peers-read").click()
        buyer.page.locator("#peer-problem").wait_for()
    buyer.look("peers, no answer", switch=False)
    buyer.fill("peers-address", deal.seller.node.address)
    buyer.button("peers-read").click()
    buyer.page.wait_for_url("**/peers/*")
    deal.check("the peer is known by its name", buyer.page.locator("h1").inner_text() == deal.texts["provider"])
    buyer.look("peer")
    buyer.room("/peers")
    buyer.look("peers")


def search(deal: Deal) -> None:
    """All catalogues, narrowed by words and by facets, in an address that can be passed on."""
    buyer, page = deal.buyer, deal.buyer.page
    buyer.room("/catalog")
    buyer.reads("all products are there", "catalog-count", n=5)
    buyer.look("catalogue")
    kinds = page.get_by_role("region", name=buyer.say("label-kind"), exact=True)
    kinds.get_by_role("link", name=buyer.say("kind-files")).click()
    page.wait_for_url("**kind=files*")
    buyer.reads("files alone", "catalog-count", n=1)
    deal.check("the facet is marked", page.locator('.facet a[aria-current="true"]').count() == 1)
    buyer.look("catalogue, a facet")
    page.get_by_role("searchbox").fill("nothing has this name")
    page.get_by_role("search").get_by_role("button").click()
    buyer.reads("nothing matches", "catalog-no-match")
    buyer.look("catalogue, no match")
    buyer.link("catalog-whole").click()
    page.get_by_role("searchbox").fill(deal.texts["search"])
    page.get_by_role("search").get_by_role("button").click()
    page.wait_for_url("**q=*")
    names = page.locator("li.product h2").all_inner_texts()
    deal.check("the search finds it", names == [deal.texts["wind"]], names)
    page.locator("main").get_by_role("link", name=deal.texts["wind"], exact=True).click()
    page.wait_for_url("**/catalog/product*")


def approve(deal: Deal) -> None:
    """One click; the seller approves; the states arrive by themselves."""
    buyer, seller = deal.buyer, deal.seller
    terms = buyer.page.locator("article.offer").inner_text()
    deal.check("the terms are in plain words", buyer.say("terms-times", n="100") in terms, terms)
    buyer.look("product of a peer")
    buyer.button("product-negotiate").click()
    buyer.page.wait_for_url("**/negotiations/*")
    buyer.await_state("REQUESTED")
    buyer.look("negotiation, asked")
    buyer.page.evaluate("window.sameVisit = true")
    seller.room()
    seller.look("overview, a decision waits")
    seller.page.locator('main a[href*="/negotiations/"]').first.click()
    seller.await_state("REQUESTED")
    seller.look("negotiation, to be decided")
    haggle(deal)
    seller.room("/waiting")
    seller.button("negotiation-do-agree").click()
    seller.reads("the agreement is on its way", "notice-negotiation-agreed", within="body")
    seller.reads("nothing waits any more", "waiting-none")
    buyer.await_state("FINALIZED")
    deal.check("the negotiation finishes before the reader's eyes", buyer.page.evaluate("window.sameVisit === true"))
    buyer.look("negotiation")
    buyer.link("label-open-agreement").click()
    buyer.page.wait_for_url("**/agreements/*")


def counted(visitor: Visitor, step: str, reads: int) -> None:
    """Types other terms into the form of a step: so many reads."""
    menu = visitor.page.locator(f'details[id$="{step}"]')
    menu.locator("summary").click()
    field = menu.get_by_label(visitor.say("negotiation-terms"), exact=True)
    terms = json.loads(field.input_value())
    for constraint in terms["permission"][0]["constraint"]:
        if constraint["leftOperand"] == "count":
            constraint["rightOperand"] = reads
    field.fill(json.dumps(terms, indent=2))
    visitor.button(f"negotiation-do-{step}", within=menu).click()


def haggle(deal: Deal) -> None:
    """The seller offers fewer reads, from the queue; the buyer sees what changed, and asks for some more."""
    buyer, seller = deal.buyer, deal.seller
    seller.room("/waiting")
    deal.check("the menu counts what waits", seller.page.locator("nav.rooms .badge").inner_text() == "1")
    seller.look("waiting")
    menu = seller.page.locator('details[id$="offer"]')
    menu.locator("summary").click()
    menu.locator("textarea").fill('{"permission": [')
    with seller.refused():
        seller.button("negotiation-do-offer", within=menu).click()
        seller.page.locator("#offer-problem").wait_for()
    seller.look("negotiation, terms that cannot be read", switch=False)
    seller.room("/waiting")
    counted(seller, "offer", 20)
    seller.reads("the offer is on its way", "notice-negotiation-offered", within="body")
    seller.look("waiting, none")
    buyer.await_state("OFFERED")
    deal.check("the offer arrives before the reader's eyes", buyer.page.evaluate("window.sameVisit === true"))
    row = buyer.page.locator("tr.term-changed").inner_text()
    deal.check("what changed is shown side by side", all(buyer.say("terms-times", n=n) in row for n in ("100", "20")), row)
    buyer.look("negotiation, other terms offered")
    counted(buyer, "counter", 50)
    buyer.await_state("REQUESTED")
    deal.check("three versions can be chosen from", buyer.page.locator("#from option").count() == 3)
    buyer.page.locator("#from").select_option("1")
    buyer.button("versions-show").click()
    buyer.page.wait_for_url("**from=1*")
    row = buyer.page.locator("tr.term-changed").inner_text()
    deal.check("the first and the last are compared", all(buyer.say("terms-times", n=n) in row for n in ("100", "50")), row)
    buyer.look("negotiation, versions compared")
    buyer.page.evaluate("window.sameVisit = true")


def access(buyer: Visitor) -> None:
    """Asks for access on the agreement's page, and sees it open there."""
    buyer.button("label-get-access").click()


def download(deal: Deal) -> None:
    """Access, the profile file, the lines that use it."""
    buyer = deal.buyer
    buyer.look("agreement, no access yet")
    access(buyer)
    link = buyer.link("agreement-profile")
    link.wait_for()
    with buyer.page.expect_download() as started:
        link.click()
    profile = json.loads(pathlib.Path(started.value.path()).read_text())
    deal.check("the profile file is one", profile.get("shareCredentialsVersion") == 1, profile.keys())
    deal.check("with the lines that use it", "load_as_pandas" in buyer.page.locator("#python").inner_text())
    buyer.look("agreement")


def first_rows(deal: Deal) -> None:
    """The seller looks with the buyer's eyes, under the agreement and under the offer."""
    seller = deal.seller
    seller.room("/agreements")
    seller.page.locator('main a[href*="/agreements/"]').first.click()
    seller.link("first-rows-see-consumer").click()
    seller.page.wait_for_url("**/preview")
    seen = seller.page.locator("table.rows tbody tr").count()
    deal.check("the seller sees the rows that the buyer sees", seen > 0, seen)
    seller.look("first rows, consumer")
    seller.room("/products/wind")
    seller.link("first-rows-see").first.click()
    seller.page.wait_for_url("**/preview")
    deal.check("and a buyer's", seller.page.locator("table.rows tbody tr").count() == seen)
    seller.look("first rows, buyer")


def suspend_and_resume(deal: Deal) -> None:
    """The seller suspends; the buyer sees it happen, and then the end of it."""
    buyer, seller = deal.buyer, deal.seller
    buyer.page.locator('main a[href*="/transfers/"]').first.click()
    buyer.await_state("STARTED")
    buyer.page.evaluate("window.sameVisit = true")
    seller.room("/transfers")
    seller.page.locator('main a[href*="/transfers/"]').first.click()
    seller.await_state("STARTED")
    seller.look("transfer, seller")
    seller.page.locator("details#suspend summary").click()
    seller.fill("label-reason", deal.texts["maintenance"], within=seller.page.locator("details#suspend"))
    seller.button("transfer-suspend").click()
    seller.await_state("SUSPENDED")
    buyer.await_state("SUSPENDED")
    deal.check("the buyer sees the suspension arrive", buyer.page.evaluate("window.sameVisit === true"))
    deal.check("and reads why", deal.texts["maintenance"] in buyer.page.locator("main").inner_text())
    deal.check("the buyer is not offered to resume", buyer.button("transfer-resume").count() == 0)
    buyer.look("suspended transfer")
    seller.button("transfer-resume").click()
    seller.await_state("STARTED")
    buyer.page.locator('main header .chip[data-state="STARTED"]').wait_for()


def files(deal: Deal) -> None:
    """The seller offers, the buyer accepts by hand; the files come through the browser."""
    buyer = deal.buyer
    buyer.room("/catalog?kind=files")
    buyer.page.locator("main").get_by_role("link", name=deal.texts["files"], exact=True).click()
    buyer.button("product-negotiate").click()
    buyer.page.wait_for_url("**/negotiations/*")
    buyer.await_state("OFFERED")
    buyer.look("negotiation, an offer to accept")
    buyer.button("negotiation-do-accept").click()
    buyer.await_state("FINALIZED")
    buyer.link("label-open-agreement").click()
    buyer.page.wait_for_url("**/agreements/*")
    access(buyer)
    link = buyer.link("agreement-files")
    link.wait_for()
    buyer.reads("files can be fetched too", "agreement-fetch-hint")
    buyer.look("agreement about files")
    # The list stands at the seller's.
    buyer.hosts.append(deal.seller.node.public)
    link.click()
    buyer.page.wait_for_url(f"{deal.seller.node.public}/**")
    buyer.look("files", switch=False)
    for name, content in samples.FOLDER.items():
        with buyer.page.expect_download() as started:
            buyer.page.get_by_role("link", name=f"pier/{name}", exact=True).click()
        deal.check(f"the file {name} arrives whole", pathlib.Path(started.value.path()).read_text(encoding="utf-8") == content)


def end(deal: Deal) -> None:
    """The seller stops the agreement about the wind in an emergency; both sides read why."""
    buyer, seller = deal.buyer, deal.seller
    for visitor in (buyer, seller):
        visitor.room("/agreements")
        visitor.page.locator("main").get_by_role("link", name=deal.texts["wind"], exact=True).click()
        visitor.page.wait_for_url("**/agreements/*")
    buyer.page.evaluate("window.sameVisit = true")
    seller.page.locator("details#stop summary").click()
    seller.fill("label-reason", deal.texts["over"], within=seller.page.locator("details#stop"))
    seller.button("agreement-stop").click()
    seller.reads("the stop is confirmed", "notice-agreement-stopped", within="body")
    seller.look("stopped agreement")
    buyer.page.locator('header.title .chip[data-state="STOPPED"]').wait_for()
    deal.check("the buyer sees the stop arrive", buyer.page.evaluate("window.sameVisit === true"))
    deal.check("nothing is left to download", buyer.link("agreement-profile").count() == 0)
    buyer.look("stopped agreement, buyer")
