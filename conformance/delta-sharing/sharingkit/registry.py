"""The checks: each has a stable id, the section it stands on, a level, and ends as pass, fail or skipped."""

import dataclasses
import time
import traceback
from collections.abc import Callable

# A server that fails one of these does not speak the protocol, or clients of today cannot use it.
REQUIRED = "required"
# The protocol or HTTP asks for it, and clients get along without.
RECOMMENDED = "recommended"
# A server need not offer it; where it does, it must be right.
OPTIONAL = "optional"
LEVELS = (REQUIRED, RECOMMENDED, OPTIONAL)

PASS, FAIL, SKIPPED = "pass", "fail", "skipped"

# What of a check's failure is kept: bodies of servers may be large.
DETAIL_MAX_CHARS = 600


class Failed(Exception):
    """The server does not do what the check says; the text says what it did."""


class Skipped(Exception):
    """The check cannot be made, or what it checks is not offered; the text says why, in stable words."""


@dataclasses.dataclass(frozen=True)
class Check:
    """A check, not yet made."""

    id: str
    section: str
    level: str
    title: str
    action: Callable


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A check that was made."""

    check: Check
    result: str
    detail: str
    seconds: float


CHECKS: dict[str, Check] = {}


def add(id: str, section: str, level: str, title: str, action: Callable) -> None:
    """Registers a check; `action` takes the target, returns when it holds, and else raises."""
    if id in CHECKS or level not in LEVELS:
        raise ValueError(f"check {id} is registered twice, or its level is unknown")
    CHECKS[id] = Check(id, section, level, " ".join(title.split()), action)


def check(id: str, section: str, level: str = REQUIRED) -> Callable:
    """Registers the function below; its documentation is the check's title."""

    def register(action: Callable) -> Callable:
        add(id, section, level, action.__doc__, action)
        return action

    return register


def need(holds: object, detail: object) -> None:
    """Fails the check unless it holds."""
    if not holds:
        raise Failed(str(detail))


def equal(seen: object, expected: object, what: str = "") -> None:
    """Fails the check unless both are equal."""
    if seen != expected:
        raise Failed(f"{what + ': ' if what else ''}{seen!r} instead of {expected!r}")


def make(check: Check, target: object) -> Outcome:
    """Makes a check; whatever else goes wrong in it is a failure too."""
    began = time.monotonic()
    try:
        check.action(target)
        result, detail = PASS, ""
    except Skipped as reason:
        result, detail = SKIPPED, str(reason)
    except Failed as failure:
        result, detail = FAIL, str(failure)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        result, detail = FAIL, f"{type(error).__name__}: {error} ({place.name}:{place.lineno})"
    return Outcome(check, result, detail[:DETAIL_MAX_CHARS], time.monotonic() - began)
