"""What every group of checks needs of the nodes: a deal, leaves in number, a log that has settled, and a copy of it."""

import json
import pathlib
import time
import urllib.request
from collections.abc import Callable

from mirror import mirror
from node import Node, Refused

ROWS = 300
SETTLED_WITHIN_SECONDS = 20
# A node asks a witness that was away again every 30 seconds.
COSIGNED_WITHIN_SECONDS = 120


def status_when(node: Node, holds: Callable[[dict], bool], within_seconds: float) -> dict:
    """The state of a node's log once something holds of it; an error if it does not in time."""
    deadline = time.monotonic() + within_seconds
    while True:
        status = node.ask("log", "status")
        if holds(status):
            return status
        if time.monotonic() > deadline:
            raise RuntimeError(f"the log of {node.slug} stays like this: {status}")
        time.sleep(0.1)


def settled(node: Node) -> dict:
    """The state of a node's log once nothing waits to be taken in."""
    return status_when(node, lambda status: status["waiting"] == 0 and status["size"] > 0, SETTLED_WITHIN_SECONDS)


def cosigned(node: Node) -> dict:
    """The state of a node's log once its witnesses have signed all of it."""
    return status_when(
        node, lambda status: status["waiting"] == 0 and status["size"] == status.get("cosignedSize"), COSIGNED_WITHIN_SECONDS
    )


def copied(node: Node, folder: pathlib.Path) -> tuple[pathlib.Path, str]:
    """A copy of a node's log as it is now, and the log's key, which comes from its operator and not from the log."""
    status = settled(node)
    mirror(f"{node.public}/log", folder)
    return folder, status["key"]


def deal(folder: pathlib.Path, provider: Node, consumer: Node, product: str) -> str:
    """Publishes, negotiates, fetches, ends; the agreement."""
    file = folder / f"{product}.csv"
    file.write_text("n,square\n" + "".join(f"{n},{n * n}\n" for n in range(ROWS)))
    provider.ask("product", "add", file, "--kind", "table", "--id", product, "--title", f"Numbers {product}")
    agreement = consumer.ask("negotiate", provider.address, product, "--wait", "30")["agreementId"]
    consumer.ask("fetch", agreement, "--out", folder / f"{product}-copy")
    return agreement


def token(node: Node, name: str) -> None:
    """Makes an API token, which leaves one leaf."""
    authorization = (node.dir / "admin.token").read_text().strip()
    request = urllib.request.Request(
        f"{node.admin}/api/v1/participants/{node.slug}/tokens", json.dumps({"name": name, "scope": "read"}).encode(),
        {"Authorization": f"Bearer {authorization}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        answer.read()


def filled(node: Node, leaves: int) -> None:
    """Makes tokens until the log has at least so many leaves."""
    for n in range(leaves - settled(node)["size"]):
        token(node, f"filler-{n}")
    status_when(node, lambda status: status["waiting"] == 0 and status["size"] >= leaves, SETTLED_WITHIN_SECONDS)


def verifies(node: Node, *args: object) -> bool:
    """Whether `fondaco verify` accepts; a refusal has status 1, and anything else is an error of this suite."""
    try:
        node.run("verify", *args)
    except Refused as refused:
        if refused.status != 1:
            raise
        return False
    return True
