"""Counting checks, and what the groups of checks share."""

import dataclasses
import pathlib
import sys
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


@dataclasses.dataclass
class Trade:
    """The two nodes, the table, and what the groups hand on to each other."""

    report: Report
    provider: object
    consumer: object
    flights: object
    folder: pathlib.Path
    agreements: dict = dataclasses.field(default_factory=dict)
    profiles: dict = dataclasses.field(default_factory=dict)

    def profile(self, product: str) -> pathlib.Path:
        """The profile file of a product that was traded."""
        return self.profiles[product]
