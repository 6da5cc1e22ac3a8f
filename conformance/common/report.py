"""Counting checks, and running a suite to its closing line."""

import os
import pathlib
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable


class Report:
    """Prints one line per check and counts them."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def check(self, what: str, holds: object, seen: object = "") -> bool:
        """Counts a check; what was seen instead is printed when it does not hold."""
        if holds:
            self.passed += 1
            print(f"ok    {what}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL  {what}" + (f": {str(seen)[:600]}" if seen != "" else ""), flush=True)
        return bool(holds)

    def equal(self, what: str, seen: object, expected: object) -> bool:
        """Counts a check for equality."""
        return self.check(what, seen == expected, f"{seen!r} instead of {expected!r}")

    def attempt(self, what: str, action: Callable[[], object]) -> object:
        """Runs an action that must not raise; its result, or None."""
        try:
            result = action()
        except Exception as error:
            self.check(what, False, f"{type(error).__name__}: {error}")
            return None
        self.check(what, True)
        return result

    def broken(self, where: str, error: Exception) -> None:
        """Counts a group that could not go on."""
        self.failed += 1
        print(f"FAIL  {where} could not go on", flush=True)
        traceback.print_exception(error, file=sys.stdout)


def run_suite(name: str, body: Callable[[Report, pathlib.Path, list], None]) -> int:
    """Runs a suite in a folder of its own, stops its nodes, prints the closing line; the exit status.

    The body puts each node that it makes into the list, and any other server with a `slug` and `stop`.
    """
    # Told to stop, it still stops what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"fondaco-{name}-"))
    report, nodes = Report(), []
    try:
        body(report, folder, nodes)
    except Exception as error:
        report.broken(name, error)
    finally:
        for node in nodes:
            try:
                node.stop()
            except Exception as error:
                report.broken(f"stopping {node.slug}", error)
        if os.environ.get("KEEP"):
            print(f"kept {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{report.passed} passed, {report.failed} failed", flush=True)
    return 1 if report.failed or not report.passed else 0
