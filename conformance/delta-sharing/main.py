"""Points the kit at a node: tables that were traded, each with the rows that its counterparty must see."""

import json
import os
import pathlib
import sys

import faults
import kit
import pyarrow.parquet as pq
import samples
from node import Node
from report import Report, run_suite
from sharingkit.registry import FAIL, PASS, REQUIRED, SKIPPED

PUBLISHED = pathlib.Path(__file__).resolve().parents[2] / "docs" / "delta-sharing-kit.md"
HEADING = """# What the Delta Sharing kit finds

The [kit](../conformance/delta-sharing/README.md) checks any Delta Sharing server from outside. These are its results for this program, written by `BLESS=1 conformance/delta-sharing/run`, which without `BLESS` fails when a result is another.

"""


def body(report: Report, folder: pathlib.Path, nodes: list) -> None:
    """Trades the tables, checks each, compares the results with the published ones."""
    provider = Node(folder / "provider", "hangar", "Hangar Flight Records")
    consumer = Node(folder / "consumer", "weather", "Weather Institute")
    stranger = Node(folder / "stranger", "stranger", "A Stranger")
    nodes += [provider, consumer, stranger]
    # So that the checks of queries that are polled have something to poll, whatever is in the provider's cache.
    os.environ["FONDACO_TABLES__ASYNC_BYTES"] = "0"
    for node in nodes:
        node.start()
    tables = samples.all_of(folder / "source")
    other = trade(provider, stranger, samples.small(folder / "source"), folder)
    results = {}
    for table in tables:
        profile = trade(provider, consumer, table, folder)
        oracle = folder / f"{table.id}.oracle.parquet"
        pq.write_table(table.expected, oracle)
        print(f"== {table.title}", flush=True)
        results[table.title] = kit.examine(profile, oracle=oracle, other=other, tell=lambda outcome: tell(report, outcome))
    compare(report, results)
    faults.run(report, folder / f"{tables[0].id}.share", folder)


def trade(provider: Node, consumer: Node, table: samples.Table, folder: pathlib.Path) -> pathlib.Path:
    """Publishes and buys a table; the profile file."""
    offer = []
    if table.constraints:
        path = folder / f"{table.id}.offer.json"
        path.write_text(json.dumps({"@type": "Offer", "permission": [{"action": "use", "constraint": table.constraints}]}))
        offer = ["--offer", path]
    provider.ask("product", "add", *table.files, "--kind", "table", "--id", table.id, "--title", table.title, *offer)
    deal = consumer.ask("negotiate", provider.address, table.id, "--wait", "60")
    profile = folder / f"{table.id}.share"
    consumer.run("--dir", consumer.dir, "fetch", deal["agreementId"], "--profile", profile)
    return profile


def tell(report: Report, outcome) -> None:
    """A line for each check. What is not required may fail; that it does is published, and a change is a failure."""
    if outcome.result == SKIPPED or (outcome.result == FAIL and outcome.check.level != REQUIRED):
        print(f"{'skip' if outcome.result == SKIPPED else 'lacks'}  {outcome.check.id}: {outcome.detail}", flush=True)
    else:
        report.check(outcome.check.id, outcome.result == PASS, outcome.detail)


def compare(report: Report, results: dict) -> None:
    """The published table holds these results; BLESS=1 writes it."""
    lines = [HEADING]
    for title, outcomes in results.items():
        found = kit.counts(outcomes)
        lines.append(f"- {title}: " + "; ".join(f"{level} {n[PASS]} pass, {n[FAIL]} fail, {n[SKIPPED]} skipped" for level, n in found.items()) + ".\n")
    text = "".join(lines) + "\n" + kit.markdown(results)
    if os.environ.get("BLESS"):
        PUBLISHED.write_text(text)
    published = PUBLISHED.read_text() if PUBLISHED.exists() else ""
    seen, wanted = set(text.splitlines()), set(published.splitlines())
    other = [f"- {line}" for line in wanted - seen] + [f"+ {line}" for line in seen - wanted]
    report.check(f"the results are those of {PUBLISHED.name}", not other, "\n".join(sorted(other)))


if __name__ == "__main__":
    sys.exit(run_suite("delta-sharing", body))
