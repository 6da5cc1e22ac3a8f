"""Checks a Delta Sharing server from outside: what it offers, and whether that is right."""

import argparse
import json
import pathlib
import sys
import tempfile

import sharingkit.listing  # each of these registers its checks
import sharingkit.table
import sharingkit.hints
import sharingkit.history
import sharingkit.urls
import sharingkit.readers
from sharingkit.registry import CHECKS, FAIL, LEVELS, PASS, REQUIRED, SKIPPED, Outcome, make
from sharingkit.target import Profile, Target


def examine(profile: pathlib.Path, table: str | None = None, oracle: pathlib.Path | None = None,
            other: pathlib.Path | None = None, only: str = "", tell=None) -> list[Outcome]:
    """Makes every check whose id begins with `only`, in the order they are registered."""
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="sharing-kit-") as folder:
        target = Target(Profile(profile), table, pathlib.Path(folder), oracle, Profile(other) if other else None)
        for check in CHECKS.values():
            if check.id.startswith(only):
                outcomes.append(make(check, target))
                if tell:
                    tell(outcomes[-1])
    return outcomes


def counts(outcomes: list[Outcome]) -> dict:
    """How many checks of each level ended how."""
    return {level: {r: sum(o.check.level == level and o.result == r for o in outcomes) for r in (PASS, FAIL, SKIPPED)} for level in LEVELS}


def markdown(columns: dict[str, list[Outcome]]) -> str:
    """A table of results: a row for each check, a column for each table that was checked."""
    names = list(columns)
    out = ["| check | section of PROTOCOL.md, or standard | level | " + " | ".join(names) + " |", "| --- | --- | --- |" + " --- |" * len(names)]
    for row in zip(*columns.values()):
        check = row[0].check
        cells = [o.result + (f": {o.detail}" if o.result == SKIPPED else "") for o in row]
        cells = [c.replace("|", "\\|").replace("\n", " ") for c in cells]
        out.append(f"| `{check.id}`<br>{check.title.replace('|', chr(92) + '|')} | {check.section} | {check.level} | " + " | ".join(cells) + " |")
    return "\n".join(out) + "\n"


def main() -> int:
    """The command line; status 1 when a required check fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", type=pathlib.Path, help="a profile file of the recipient")
    parser.add_argument("--table", help="share.schema.table (default: the first that is listed)")
    parser.add_argument("--oracle", type=pathlib.Path, help="a Parquet file with the rows that the table must hold")
    parser.add_argument("--other-profile", type=pathlib.Path, help="a profile of a recipient who must not see the table")
    parser.add_argument("--only", default="", help="checks whose id begins so")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--report", type=pathlib.Path, help="write the results as a Markdown table")
    asked = parser.parse_args()

    def tell(outcome: Outcome) -> None:
        if not asked.json:
            detail = f": {outcome.detail}" if outcome.detail else ""
            print(f"{outcome.result:8} {outcome.check.level:12} {outcome.check.id}{detail}", flush=True)

    outcomes = examine(asked.profile, asked.table, asked.oracle, asked.other_profile, asked.only, tell)
    found = counts(outcomes)
    if asked.json:
        checks = [{"id": o.check.id, "section": o.check.section, "level": o.check.level, "title": o.check.title,
                   "result": o.result, "detail": o.detail, "seconds": round(o.seconds, 3)} for o in outcomes]
        print(json.dumps({"checks": checks, "counts": found}, ensure_ascii=False, indent=1))
    else:
        for level, by_result in found.items():
            print(f"{level}: " + ", ".join(f"{n} {result}" for result, n in by_result.items()))
    if asked.report:
        asked.report.write_text(markdown({"result": outcomes}))
    return 1 if found[REQUIRED][FAIL] else 0


if __name__ == "__main__":
    sys.exit(main())
