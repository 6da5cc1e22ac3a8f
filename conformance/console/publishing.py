"""From a source to the catalogue: an upload, a folder, a path, storage; personal data; a tab closed in the middle."""

import pathlib
import re

import bucket as storage
import samples
from browser import Visitor


class Publisher:
    """Who publishes, and what the texts are."""

    def __init__(self, report, visitor: Visitor, folder: pathlib.Path, texts: dict) -> None:
        self.report, self.visitor, self.folder, self.texts = report, visitor, folder, texts
        self.page, self.say = visitor.page, visitor.say

    def check(self, what: str, holds: object, seen: object = "") -> None:
        """A check, with the language in its name."""
        self.report.check(f"{self.visitor.who}: {what}", holds, seen)

    def file(self, name: str, content: str) -> pathlib.Path:
        """A file on the person's computer."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        return path

    def begin(self) -> None:
        """The first step of something new."""
        self.visitor.room("/publish")
        self.visitor.button("publish-new").click()
        self.page.wait_for_url("**/source")

    def send(self, field: str, files: object) -> None:
        """Chooses files; the page sends them at once."""
        self.page.locator(field).set_input_files(files)
        self.page.locator("#upload-status", has_text=self.say("publish-upload-sent")).wait_for()

    def read(self) -> None:
        """On to the second step."""
        self.visitor.button("publish-read").click()
        self.page.wait_for_url("**/describe")

    def go(self, step: str) -> None:
        """Saves this step and goes on."""
        self.visitor.button("publish-save-and-on").click()
        self.page.wait_for_url(f"**/{step}")

    def publish(self, product: str) -> None:
        """The last button."""
        self.visitor.await_read()
        self.visitor.button("publish-button").click()
        self.page.wait_for_url(f"**/products/{product}?version=1")
        self.visitor.reads(f"{product} is in the catalogue", "notice-published", within="body")

    def name(self, product: str, title: str) -> None:
        """The least that a product needs."""
        self.visitor.fill("publish-title", self.texts[title])
        self.visitor.fill("publish-id", product)


def run(report, visitor: Visitor, folder: pathlib.Path, texts: dict, bucket: storage.Bucket) -> None:
    """All of them."""
    publisher = Publisher(report, visitor, folder, texts)
    table_by_upload(publisher)
    personal_data(publisher)
    folder_by_upload(publisher)
    path(publisher)
    tab_closed(publisher, bucket)


def table_by_upload(p: Publisher) -> None:
    """Every step looked at; mistakes told; terms by sentences."""
    visitor, page = p.visitor, p.page
    visitor.room("/publish")
    visitor.look("publications, none")
    p.begin()
    visitor.look("publish source")
    with visitor.refused():
        visitor.button("publish-read").click()
        page.locator("#files-problem").wait_for()
    visitor.look("publish source, nothing chosen", switch=False)
    p.send("#files", p.file("wind.csv", samples.WIND))
    p.read()
    visitor.await_read()
    found = page.locator("aside.found").inner_text()
    p.check("columns and rows are shown", "wind_m_s" in found and "500" in found, found)
    visitor.fill("publish-contact", "call me")
    with visitor.refused():
        visitor.button("publish-save-and-on").click()
        page.locator("#contact-problem").wait_for()
    visitor.reads("mistakes are listed", "publish-problem-title")
    visitor.look("publish describe, mistakes", switch=False)
    describe(p)
    p.go("terms")
    terms(p)
    p.go("review")
    visitor.reads("the review says the terms", "terms-times", n="100")
    p.check("nothing is left to remark", page.locator(".remarks").count() == 0)
    visitor.look("publish review")
    p.publish("wind")
    visitor.look("own product")
    visitor.room("/products")
    visitor.look("products")


def describe(p: Publisher) -> None:
    """A whole listing, saved without going on."""
    visitor = p.visitor
    p.name("wind", "wind")
    visitor.fill("publish-contact", "")
    visitor.button("publish-save").click()
    visitor.reads("what is missing is remarked", "publish-remark-license-missing")
    visitor.reads("and why it matters", "publish-why-license-missing")
    visitor.look("publish describe, remarks")
    fields = {
        "publish-description": p.texts["about"], "publish-keywords": p.texts["keywords"], "publish-license": "CC-BY-4.0",
        "publish-contact": "data@example.org", "publish-language": visitor.language,
    }
    for key, value in fields.items():
        visitor.fill(key, value)
    p.page.get_by_label(p.say("publish-rhythm"), exact=True).select_option("hourly")
    p.page.locator("#profile").check()
    visitor.button("publish-save").click()
    visitor.reads("saved", "notice-publication-saved", within="body")
    p.check("what was typed is still there", p.page.get_by_label(p.say("publish-title"), exact=True).input_value() == p.texts["wind"])
    visitor.look("publish describe")


def terms(p: Publisher) -> None:
    """Sentences added, changed, completed; who may do what; the text of the ODRL."""
    visitor, page = p.visitor, p.page
    visitor.look("publish terms, open")
    visitor.button("terms-preset-evaluation").click()
    visitor.fill("terms-count-before", "100")
    page.get_by_label(p.say("terms-add-label"), exact=True).select_option("dateTime")
    visitor.button("terms-add").click()
    with visitor.refused():
        visitor.button("publish-save-and-on").click()
        page.locator("#o0p0s1-value-problem").wait_for()
    visitor.look("publish terms, incomplete", switch=False)
    visitor.fill("terms-instant", "2030-01-02T03:04")
    visitor.button("terms-check").click()
    page.locator("table.list").wait_for()
    preview = page.get_by_role("group", name=p.say("terms-preview"), exact=True).inner_text()
    p.check("the preview says who may use it, and how often", p.say("terms-anybody") in preview and "100" in preview, preview)
    page.locator("#o0-details summary").click()
    odrl = page.locator("#o0-odrl").input_value()
    p.check("the ODRL is one click away", re.search(r'"leftOperand":\s*"dateTime"', odrl) and "2030-01-02T03:04" in odrl, odrl)
    visitor.look("publish terms, sentences", switch=False)


def personal_data(p: Publisher) -> None:
    """Numbers of residents are found, and go out only once somebody has said that they may."""
    visitor, page = p.visitor, p.page
    p.begin()
    p.send("#files", p.file("人员.csv", samples.PEOPLE))
    p.read()
    visitor.await_read()
    visitor.reads("personal data is found", "publish-personal-found")
    visitor.reads("of which kind", "publish-personal-resident-id")
    shown = page.locator("aside.found").inner_text()
    p.check("no number is shown", not any(number in shown for number in samples.NUMBERS), shown)
    p.name("people", "people")
    visitor.look("publish describe, personal data")
    p.name("people", "people")
    p.go("terms")
    p.go("review")
    p.check("it cannot be published yet", visitor.button("publish-button").count() == 0)
    visitor.reads("it waits for a confirmation", "publish-problem-personal")
    visitor.look("publish review, personal data")
    page.locator("#problems a", has_text=p.say("publish-problem-personal")).click()
    page.wait_for_url("**/describe*")
    page.get_by_label(p.say("publish-personal-accept"), exact=True).check()
    page.get_by_role("button", name=p.say("publish-step-review")).click()
    page.wait_for_url("**/review")
    visitor.reads("the confirmation is kept", "publish-personal-accepted")
    p.publish("people")


def folder_by_upload(p: Publisher) -> None:
    """A folder keeps its structure."""
    visitor = p.visitor
    for name, content in samples.FOLDER.items():
        p.file(f"pier/{name}", content)
    p.begin()
    visitor.choose("publish-what-files")
    p.send("#folder", p.folder / "pier")
    visitor.look("publish source, uploaded", switch=False)
    p.read()
    visitor.await_read()
    p.name("files", "files")
    p.go("terms")
    p.go("review")
    p.publish("files")
    listed = p.page.locator("main").inner_text()
    p.check("folders are kept", "plans/深水/south.txt" in listed, listed)


def path(p: Publisher) -> None:
    """What lies on the node's machine; a path that leads nowhere is told."""
    visitor = p.visitor
    p.begin()
    visitor.choose("publish-from-paths")
    visitor.fill("publish-paths", str(p.folder / "no-such.csv"))
    with visitor.refused():
        visitor.button("publish-read").click()
        p.page.locator("#from-problem").wait_for()
    visitor.fill("publish-paths", str(p.file("tides.csv", samples.WIND)))
    p.read()
    p.name("tides", "tides")
    p.go("terms")
    p.go("review")
    p.publish("tides")


def tab_closed(p: Publisher, bucket: storage.Bucket) -> None:
    """A source in storage that takes its time: the tab is closed meanwhile, and found again later."""
    visitor = p.visitor
    connection(p, bucket)
    bucket.put("waves.csv", samples.WIND)
    bucket.open.clear()
    p.begin()
    visitor.choose("publish-from-s3")
    visitor.fill("publish-s3-paths", "waves.csv")
    p.read()
    visitor.await_read("preparing")
    p.name("waves", "waves")
    visitor.look("publish describe, being read", switch=False)
    p.go("terms")
    address = visitor.path
    visitor.page.close()
    visitor.page = p.page = visitor.tab()
    visitor.room("/publish")
    visitor.look("publications")
    p.page.locator("main").get_by_role("link", name=p.texts["waves"]).click()
    visitor.await_read("preparing")
    p.check("the same publication is open", visitor.path.rsplit("/", 1)[0] == address.rsplit("/", 1)[0], visitor.path)
    visitor.look("publication found again")
    bucket.open.set()
    visitor.await_read()
    p.check("its reading is finished before the reader's eyes", "500" in p.page.locator("aside.found").inner_text())
    p.page.locator("nav.wizard").get_by_text(p.say("publish-step-review"), exact=True).click()
    p.page.wait_for_url("**/review")
    p.publish("waves")


def connection(p: Publisher, bucket: storage.Bucket) -> None:
    """Storage is named once; its secret is not shown again."""
    visitor, page = p.visitor, p.page
    visitor.room("/connections")
    visitor.look("connections, none")
    visitor.link("connections-add-postgres").click()
    page.wait_for_url("**kind=postgres")
    visitor.look("connection to a database")
    visitor.room("/connections")
    visitor.link("connections-add-s3").click()
    page.wait_for_url("**kind=s3")
    visitor.look("connection to storage")
    fields = {
        "label-name": "lake", "connections-endpoint": bucket.address, "connections-region": storage.REGION, "connections-bucket": storage.NAME,
        "connections-key": storage.KEY, "connections-secret-key": storage.SECRET,
    }
    for key, value in fields.items():
        visitor.fill(key, value)
    page.locator("#path-style").check()
    visitor.button("connections-save").click()
    page.locator(".flash").wait_for()
    visitor.reads("the storage answers", "connections-works", within="body", name="lake")
    visitor.look("connections", switch=False)
    visitor.room("/connections/lake")
    p.check("its secret is not shown again", storage.SECRET not in page.content())
