"""Two nodes trade the flights of 2013; the stock client reads them; every value is compared with the source."""

import os
import pathlib
import shutil
import sys
import tempfile

import commands
import downloads
import ending
import reading
import source
import surface
from harness import Report, Trade
from node import Node


def main() -> int:
    """Runs everything; the exit status."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fondaco-tables-"))
    report = Report()
    nodes = []
    try:
        print("writing the source table", flush=True)
        flights = source.write(folder / "source")
        provider = Node(folder / "provider", "hangar", "Hangar Flight Records")
        consumer = Node(folder / "consumer", "weather", "Weather Institute")
        nodes = [provider, consumer]
        for node in nodes:
            node.start()
        trade = Trade(report, provider, consumer, flights, folder)
        for group in (commands.run, reading.run, surface.run, downloads.run, ending.run):
            try:
                group(trade)
            except Exception as error:  # a group that cannot go on is a failure, not the end of the others
                report.broken(group.__module__, error)
    finally:
        for node in nodes:
            try:
                node.stop()
            except Exception as error:
                report.broken("stopping", error)
        if os.environ.get("KEEP"):
            print(f"kept {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
