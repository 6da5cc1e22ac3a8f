"""What an operator sets up: TLS in front, backups, a service."""

import pathlib
import sys

import backups
import behind_tls
import units
from proxy import Authority, ProxiedNode, Proxy
from report import Report, run_suite


def body(report: Report, folder: pathlib.Path, nodes: list) -> None:
    """The groups of checks, in order."""
    authority = Authority(folder / "authority")
    provider = ProxiedNode(folder / "provider", "mill", "Paper Mill", Proxy(folder / "provider-nginx", authority))
    consumer = ProxiedNode(folder / "consumer", "printer", "Printing House", Proxy(folder / "consumer-nginx", authority))
    nodes += [provider, consumer]
    for node in nodes:
        node.start()
    for group in (behind_tls.run, backups.run, units.run):
        try:
            group(report, folder, provider, consumer)
        except Exception as error:  # a group that cannot go on is a failure, not the end of the others
            report.broken(group.__module__, error)


if __name__ == "__main__":
    sys.exit(run_suite("operators", body))
