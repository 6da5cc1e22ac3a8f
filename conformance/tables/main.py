"""Two nodes trade the flights of 2013; the stock client reads them; every value is compared with the source."""

import pathlib
import sys

import commands
import downloads
import ending
import large
import reading
import source
import sql
import surface
from node import Node
from report import Report, run_suite
from trade import Trade


def body(report: Report, folder: pathlib.Path, nodes: list) -> None:
    """The groups of checks, in order: later ones use what earlier ones traded."""
    print("writing the source table", flush=True)
    flights = source.write(folder / "source")
    provider = Node(folder / "provider", "hangar", "Hangar Flight Records")
    consumer = Node(folder / "consumer", "weather", "Weather Institute")
    nodes += [provider, consumer]
    for node in nodes:
        node.start()
    trade = Trade(report, provider, consumer, flights, folder)
    for group in (commands.run, reading.run, surface.run, downloads.run, large.run, sql.run, ending.run):
        try:
            group(trade)
        except Exception as error:  # a group that cannot go on is a failure, not the end of the others
            report.broken(group.__module__, error)


if __name__ == "__main__":
    sys.exit(run_suite("tables", body))
