"""A node and an Eclipse EDC connector deal with each other, each as provider and as consumer."""

import functools
import http.server
import pathlib
import sys
import threading

import edc_buys
import edc_sells
from connector import Connector
from node import Node
from report import Report, run_suite


class Source:
    """The HTTP server that holds what EDC sells."""

    slug = "source"

    def __init__(self, folder: pathlib.Path) -> None:
        folder.mkdir()
        (folder / "stations.csv").write_text("station,value\n" + "".join(f"s{i},{i * i}\n" for i in range(20_000)))
        self.file = folder / "stations.csv"
        handler = functools.partial(Quiet, directory=str(folder))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/stations.csv"

    def stop(self) -> None:
        """Stops serving."""
        self.server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files, without a log."""

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def body(report: Report, folder: pathlib.Path, servers: list) -> None:
    """The groups of checks, in order."""
    edc = Connector(folder / "edc", "edc-connector")
    node = Node(folder / "node", "mill", "Paper Mill")
    with open(node.dir / "fondaco.toml", "a", encoding="utf-8") as config:
        config.write(f'\n[identity]\nauthenticator = "edc-mock"\n\n[identity.peers]\n{edc.slug} = "{edc.address}"\n')
    source = Source(folder / "source")
    servers += [edc, node, source]
    node.start()
    warned = (node.dir / "stderr.log").read_text()
    report.check("the node warns that peers prove nothing", "identity.unproven" in warned, warned)
    edc.start()
    for group in (edc_buys, edc_sells):
        try:
            group.run(report, folder, node, edc, source)
        except Exception as error:  # a group that cannot go on is a failure, not the end of the others
            report.broken(group.__name__, error)
    unexpected = [line for line in edc.log.splitlines() if "Unexpected exception" in line]
    report.equal("EDC met nothing that it did not expect", unexpected, [])
    if report.failed:
        print(edc.log[-8000:])


if __name__ == "__main__":
    sys.exit(run_suite("edc", body))
