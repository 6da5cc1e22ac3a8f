"""The way in and out, tokens, every room; and a deal without scripts."""

from browser import Visitor

# Those that the story has not shown yet as they are at its end.
SELLER = ("", "/waiting", "/rules", "/negotiations", "/agreements", "/transfers", "/node")
BUYER = ("", "/products", "/rules", "/tokens", "/negotiations", "/agreements", "/transfers")


def sign_in(report, visitor: Visitor) -> None:
    """Wrong, then right."""
    visitor.go("/")
    report.check(f"{visitor.who}: a stranger is sent to the sign-in page", visitor.path.startswith("/login"), visitor.path)
    visitor.look("sign-in")
    with visitor.refused():
        visitor.sign_in("wrong")
        visitor.page.get_by_role("alert").wait_for()
    visitor.look("sign-in, wrong password", switch=False)
    visitor.sign_in(visitor.node.password)
    report.equal(f"{visitor.who}: signed in", visitor.path, visitor.base)


def run(report, visitor: Visitor, texts: dict, rooms: tuple[str, ...]) -> None:
    """What is left of the console, and the way out."""
    tokens(report, visitor, texts)
    rules(report, visitor)
    for room in rooms:
        visitor.room(room)
        visitor.look(room.strip("/") or "overview")
    visitor.room("/node")
    visitor.reads("the node is well", "node-check-database-ok")
    with visitor.refused():
        visitor.room("/products/nothing")
    visitor.look("not found", switch=False)
    visitor.room()
    visitor.page.locator("details#user summary").click()
    visitor.button("common-sign-out").click()
    visitor.page.wait_for_url("**/login*")
    visitor.room()
    report.check(f"{visitor.who}: signed out", visitor.path.startswith("/login"), visitor.path)


def tokens(report, visitor: Visitor, texts: dict) -> None:
    """Made, shown once, revoked."""
    visitor.room("/tokens")
    visitor.fill("label-name", texts["token"])
    visitor.choose("tokens-read-write")
    visitor.button("tokens-make-button").click()
    secret = visitor.page.locator("#token").inner_text()
    visitor.look("new token", switch=False)
    visitor.room("/tokens")
    row = visitor.page.get_by_role("row").filter(has_text=texts["token"])
    report.check(f"{visitor.who}: a token is shown once", secret and secret not in visitor.page.content())
    visitor.button("tokens-revoke", within=row).click()
    visitor.reads("it is revoked", "notice-token-revoked", within="body")
    report.equal(f"{visitor.who}: it is gone from the list", row.count(), 0)


def rules(report, visitor: Visitor) -> None:
    """What they would mean, then saved; and those of an offer, where there is one."""
    visitor.room("/rules")
    before = visitor.page.locator("#offered-do").input_value()
    other = "terminate" if before == "hold" else "hold"
    visitor.page.locator("#offered-do").select_option(other)
    visitor.button("rules-preview").click()
    visitor.reads("a preview saves nothing", "rules-meaning-unsaved")
    visitor.look("rules, previewed", switch=False)
    visitor.button("rules-save").click()
    visitor.reads("the rules are saved", "notice-rules-saved", within="body")
    visitor.room("/rules")
    report.equal(f"{visitor.who}: the rule stands", visitor.page.locator("#offered-do").input_value(), other)
    visitor.page.locator("#offered-do").select_option(before)
    visitor.button("rules-save").click()
    visitor.reads("the rules are saved", "notice-rules-saved", within="body")
    visitor.room("/products")
    product = visitor.page.locator('main a[href*="/products/"]')
    if product.count():
        product.first.click()
        offer = visitor.page.locator('main a[href$="/rules"]')
        if offer.count():
            offer.first.click()
            visitor.page.wait_for_url("**/rules")
            visitor.look("rules of an offer")


def without_scripts(report, visitor: Visitor, texts: dict) -> None:
    """A deal with forms and reloading alone."""
    visitor.sign_in(visitor.node.password)
    visitor.room("/catalog")
    visitor.page.locator("main").get_by_role("link", name=texts["tides"], exact=True).click()
    visitor.button("product-negotiate").click()
    visitor.page.wait_for_url("**/negotiations/*")
    # The page reloads itself every five seconds.
    visitor.await_state("FINALIZED")
    visitor.link("label-open-agreement").click()
    visitor.page.wait_for_url("**/agreements/*")
    report.check(f"{visitor.who}: the deal is made", "/agreements/" in visitor.path, visitor.path)
