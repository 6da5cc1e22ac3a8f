"""A browser that notices what a person would not: errors, requests to others, barriers."""

import os
import pathlib
import re

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

WAIT_MS = 20_000
WIDTHS = {"wide": 1280, "narrow": 390}


class Visitor:
    """One person at one node's console."""

    def __init__(self, report, browser: Browser, node, scripts: bool = True, who: str = "") -> None:
        self.report, self.node, self.who = report, node, who or node.slug
        self.context = browser.new_context(java_script_enabled=scripts, accept_downloads=True, viewport={"width": 1280, "height": 900})
        self.context.set_default_timeout(WAIT_MS)
        self.page: Page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("pageerror", lambda e: self.problems.append(f"error: {e}"))
        self.page.on("console", lambda m: self.problems.append(f"console: {m.text}") if m.type in ("error", "warning") else None)
        self.page.on("request", lambda r: self.foreign(r.url))

    def foreign(self, url: str) -> None:
        """The console asks nobody but its own node."""
        if not url.startswith((self.node.admin + "/", "data:", "blob:")):
            self.problems.append(f"request to {url}")

    def go(self, path: str) -> None:
        """Opens a page."""
        self.page.goto(self.node.admin + path)

    def sign_in(self, password: str) -> None:
        """Fills in the form."""
        self.go("/login")
        self.page.get_by_label("Name or e-mail address").fill("admin")
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_load_state()

    def state(self) -> str:
        """The state that the page's heading shows."""
        return self.page.locator("main header .chip").first.get_attribute("data-state") or ""

    def await_state(self, state: str) -> None:
        """Waits until the page shows it, by itself."""
        self.page.locator(f'main header .chip[data-state="{state}"]').wait_for()

    def look(self, name: str) -> None:
        """Checks the page for barriers in both colour schemes, and that it fits a phone. Keeps pictures when asked."""
        shots = os.environ.get("SHOTS")
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found = [
                f"{v['id']}: {v['nodes'][0]['html'][:120]}"
                for v in Axe().run(self.page).response["violations"]
            ]
            self.report.equal(f"{name}, {scheme}: no barriers", found, [])
            for size, width in WIDTHS.items():
                self.page.set_viewport_size({"width": width, "height": 900})
                if size == "narrow" and scheme == "light":
                    overflow = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
                    self.report.check(f"{name}: fits a phone", overflow <= 0, f"{overflow} px too wide")
                if shots:
                    pathlib.Path(shots).mkdir(parents=True, exist_ok=True)
                    file = re.sub(r"[^a-z0-9]+", "-", f"{self.who} {name} {scheme} {size}".lower())
                    self.page.screenshot(path=f"{shots}/{file}.png", full_page=True)
            self.page.set_viewport_size({"width": WIDTHS["wide"], "height": 900})
        self.page.emulate_media(color_scheme="light")

    def done(self) -> None:
        """Closes the browser's window; nothing must have gone wrong in it."""
        self.report.equal(f"{self.who}: no errors, no requests to others", self.problems, [])
        self.context.close()
