"""A browser that notices what a person would not: errors, requests to others, barriers."""

import contextlib
import os
import pathlib
import re
import time
import urllib.parse
from collections.abc import Iterator

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Locator, Page
from words import TAGS, Words

WAIT_MS = 30_000
WIDE = 1280
# The narrowest phone that is common.
NARROW = 360
HEIGHT = 900
BARRIERS = """async () => (await axe.run()).violations.map((v) => `${v.id}: ${v.nodes[0].html.slice(0, 160)}`)"""
TOO_WIDE = """() => [document.documentElement.scrollWidth - window.innerWidth, ...[...document.querySelectorAll('body *')]
    .filter((e) => e.getBoundingClientRect().right > window.innerWidth + 1 && !e.closest('nav.rooms, .table-wrap, pre')).slice(0, 3).map((e) => e.outerHTML.slice(0, 100))]"""


class Visitor:
    """One person at one node's console."""

    def __init__(self, report, browser: Browser, node, language: str, scripts: bool = True, who: str = "") -> None:
        self.report, self.node, self.language = report, node, language
        self.who = f"{language} {who or node.slug}"
        self.say = Words(language).say
        self.context = browser.new_context(
            java_script_enabled=scripts, accept_downloads=True, locale=TAGS[language], viewport={"width": WIDE, "height": HEIGHT}
        )
        self.context.set_default_timeout(WAIT_MS)
        self.problems: list[str] = []
        self.hosts = [node.admin]
        self.looked = 0.0
        self.page = self.tab()

    def tab(self) -> Page:
        """A page in a tab of its own."""
        page = self.context.new_page()
        page.on("pageerror", lambda e: self.problems.append(f"error: {e}"))
        page.on("console", lambda m: self.problems.append(f"console: {m.text}") if m.type in ("error", "warning") else None)
        page.on("request", lambda r: self.foreign(r.url))
        return page

    def foreign(self, url: str) -> None:
        """The console asks nobody but its own node."""
        if not url.startswith((*(f"{host}/" for host in self.hosts), "data:", "blob:")):
            self.problems.append(f"request to {url}")

    @property
    def base(self) -> str:
        """The participant's rooms."""
        return f"/p/{self.node.slug}"

    @property
    def path(self) -> str:
        """Where the page is."""
        parts = urllib.parse.urlsplit(self.page.url)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def go(self, path: str) -> None:
        """Opens a page."""
        self.page.goto(self.node.admin + path)

    def room(self, path: str = "") -> None:
        """Opens a page of the participant's."""
        self.go(self.base + path)

    def button(self, key: str, within: Locator | None = None, **values: object) -> Locator:
        """A button by its message."""
        return (within or self.page).get_by_role("button", name=self.say(key, **values), exact=True)

    def link(self, key: str, **values: object) -> Locator:
        """A link of the page itself by its message."""
        return self.page.locator("main").get_by_role("link", name=self.say(key, **values), exact=True)

    def fill(self, key: str, value: str, within: Locator | None = None) -> None:
        """Fills in the field with this label."""
        (within or self.page.locator("main")).get_by_label(self.say(key), exact=True).fill(value)

    def choose(self, key: str) -> None:
        """Chooses one of several."""
        self.page.get_by_role("radio", name=self.say(key), exact=True).check()

    def reads(self, what: str, key: str, within: str = "main", **values: object) -> None:
        """Checks that the page says something."""
        text, said = self.page.locator(within).first.inner_text(), self.say(key, **values)
        self.report.check(f"{self.who}: {what}", said in text, f"{said!r} is not in {text!r}")

    @contextlib.contextmanager
    def refused(self) -> Iterator[None]:
        """What is done within is refused once. The browser reports that as an error of the page, which it is not."""
        before = len(self.problems)
        yield
        refusals = [p for p in self.problems[before:] if "the server responded with a status of " in p]
        if self.report.equal(f"{self.who}: refused once", len(refusals), 1):
            self.problems.remove(refusals[0])

    def sign_in(self, password: str) -> None:
        """Fills in the form."""
        self.go("/login")
        self.fill("login-name", "admin")
        self.fill("login-password", password)
        self.button("login-title").click()
        self.page.wait_for_load_state()

    def await_state(self, state: str) -> None:
        """Waits until the page's heading shows it, by itself."""
        self.page.locator(f'main header .chip[data-state="{state}"]').wait_for()

    def await_read(self, state: str = "prepared") -> None:
        """Waits until the page shows what became of a source, by itself."""
        self.page.locator(f'#found-heading .chip[data-state="{state}"]').wait_for()

    def look(self, name: str, switch: bool = True) -> None:
        """Checks the page for barriers, in both colour schemes and on a phone, and that it fits; then its other language.

        Keeps pictures when asked. What answers a form is not asked for again in another language.
        """
        began = time.monotonic()
        self.report.equal(f"{self.who}: {name}: in the language asked for", self.page.locator("html").get_attribute("lang"), TAGS[self.language])
        self.report.equal(f"{self.who}: {name}: one heading", self.page.locator("h1").count(), 1)
        # By the browser's own console: the page's policy lets no such script in.
        self.page.evaluate(AXE_SCRIPT)
        for scheme, width in (("light", WIDE), ("dark", WIDE), ("dark", NARROW), ("light", NARROW)):
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            self.page.set_viewport_size({"width": width, "height": HEIGHT})
            if (scheme, width) != ("dark", NARROW):
                self.report.equal(f"{self.who}: {name}, {scheme}, {width}: no barriers", self.page.evaluate(BARRIERS), [])
            self.picture(f"{name} {scheme} {'wide' if width == WIDE else 'narrow'}")
        over = self.page.evaluate(TOO_WIDE)
        self.report.check(f"{self.who}: {name}: fits a phone", over[0] <= 0, f"{over} px too wide")
        self.page.set_viewport_size({"width": WIDE, "height": HEIGHT})
        if switch:
            self.switch(name)
        self.looked += time.monotonic() - began

    def picture(self, name: str) -> None:
        """Keeps a picture, when asked."""
        if shots := os.environ.get("SHOTS"):
            pathlib.Path(shots).mkdir(parents=True, exist_ok=True)
            file = re.sub(r"[^a-z0-9]+", "-", f"{self.who} {name}".lower())
            self.page.screenshot(path=f"{shots}/{file}.png", full_page=True)

    def switch(self, name: str) -> None:
        """Reads the same page in the other language, and comes back."""
        before, other = self.path, next(tag for tag in TAGS.values() if tag != TAGS[self.language])
        for tag in (other, TAGS[self.language]):
            self.page.locator(f'nav.languages a[lang="{tag}"]').click()
            self.page.locator(f'html[lang="{tag}"]').wait_for(state="attached")
            self.report.equal(f"{self.who}: {name}: the same page in {tag}", self.path, before)

    def done(self) -> None:
        """Closes the browser's window; nothing must have gone wrong in it."""
        self.report.equal(f"{self.who}: no errors, no requests to others", self.problems, [])
        self.context.close()
