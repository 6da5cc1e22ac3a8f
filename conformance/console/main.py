"""The console, as people use it: all that one does there, once in English and once in Chinese, then without scripts.

Without arguments both languages run beside each other, each a whole run in a process of its own.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import dealing
import publishing
import requests_without
import rooms
from browser import Visitor
from bucket import Bucket
from node import Node
from playwright.sync_api import sync_playwright
from report import Report, run_suite
from samples import TEXTS


def body(report: Report, folder: pathlib.Path, nodes: list, language: str) -> None:
    """The story in one language."""
    texts = TEXTS[language]
    provider = Node(folder / "provider", "coast", texts["provider"])
    consumer = Node(folder / "consumer", "harbour", texts["consumer"])
    nodes += [provider, consumer]
    for node in nodes:
        node.start()
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if not report.check("a browser is installed", program):
        return
    bucket = Bucket()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            requests_without.run(report, consumer)
            buyer = Visitor(report, browser, consumer, language)
            seller = Visitor(report, browser, provider, language)
            rooms.sign_in(report, buyer)
            seller.sign_in(provider.password)
            seller.look("overview, new")
            publishing.run(report, seller, folder / "computer", texts, bucket)
            dealing.run(report, seller, buyer, texts)
            for visitor, shown in ((seller, rooms.SELLER), (buyer, rooms.BUYER)):
                rooms.run(report, visitor, texts, shown)
                visitor.done()
            plain = Visitor(report, browser, consumer, language, scripts=False, who="without scripts")
            rooms.without_scripts(report, plain, texts)
            plain.done()
        finally:
            browser.close()
            bucket.stop()


def both() -> int:
    """Each language in a process of its own; their lines one after the other."""
    command = [sys.executable, "-B", __file__]
    runs = [subprocess.Popen([*command, language], stdout=subprocess.PIPE, text=True, env=os.environ) for language in TEXTS]
    passed = failed = 0
    for run in runs:
        out, _ = run.communicate()
        *lines, closing = out.splitlines() or [""]
        print(*lines, sep="\n", flush=True)
        counts = re.fullmatch(r"(\d+) passed, (\d+) failed", closing)
        passed += int(counts[1]) if counts else 0
        # Whatever ended without its closing line has failed.
        failed += int(counts[2]) if counts else 1
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit(both())
    sys.exit(run_suite("console", lambda report, folder, nodes: body(report, folder, nodes, sys.argv[1])))
