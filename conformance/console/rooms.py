"""The way in and out, tokens, every room; and a deal without scripts."""

from browser import Visitor

# Those that the story has not shown yet as they are at its end.
SELLER = ("", "/waiting", "/negotiations", "/agreements", "/transfers", "/node")
BUYER = ("", "/products", "/tokens", "/negotiations", "/agreements", "/transfers")


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
