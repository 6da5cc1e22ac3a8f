"""Where a product came from, as W3C PROV and OpenLineage, read by the libraries of others; reports, read as CSV."""

import csv
import datetime
import io
import json
import pathlib
import sys

from openlineage.client import event_v2 as openlineage
from prov.model import ProvActivity, ProvAgent, ProvDerivation, ProvDocument, ProvEntity

from node import Node
from report import Report, run_suite

ROWS = 100


def table(folder: pathlib.Path, name: str) -> pathlib.Path:
    """A small CSV file."""
    file = folder / f"{name}.csv"
    file.write_text("n,square\n" + "".join(f"{n},{n * n}\n" for n in range(ROWS)))
    return file


def prov(report: Report, folder: pathlib.Path, consumer: Node, provider_did: str) -> None:
    """The library reads the document, and finds the way back in it."""
    out = folder / "summary.prov.json"
    consumer.ask("lineage", "summary", "--format", "prov", "--out", out)
    document = report.attempt("prov reads PROV-JSON", lambda: ProvDocument.deserialize(str(out), format="json"))
    if document is None:
        return
    report.attempt("what it reads is consistent", document.unified)
    identifier = next(name for name in document.namespaces if name.prefix == "dct")["identifier"]
    named = {str(value): record.identifier for record in document.get_records() for value in record.get_attribute(identifier)}
    agents = [record.identifier for record in document.get_records(ProvAgent)]
    report.check("both organisations are agents", len(agents) == 2 and named.get(provider_did) in agents, named)
    report.equal("each publication of one's own is an activity", len(list(document.get_records(ProvActivity))), 2)
    derived = {(str(r.args[0]), str(r.args[1])) for r in document.get_records(ProvDerivation)}
    report.check("the product is derived from the other's", (str(named["summary"]), str(named["numbers"])) in derived, derived)
    entities = {str(record.identifier) for record in document.get_records(ProvEntity)}
    report.check("everything derived is in the document", all(end in entities for pair in derived for end in pair), derived - entities)
    again = ProvDocument.deserialize(content=document.serialize(format="json"), format="json")
    report.check("written by the library and read again it is the same", again == document)


def events(report: Report, consumer: Node, provider_did: str) -> None:
    """Every event is one that the client's model takes, and the runs are whole."""
    found = consumer.ask("lineage", "summary", "--format", "openlineage")["events"]
    kinds: dict[str, list[str]] = {}
    for event in found:
        run, job = openlineage.Run(runId=event["run"]["runId"]), openlineage.Job(**event["job"])
        inputs = [openlineage.InputDataset(namespace=i["namespace"], name=i["name"]) for i in event["inputs"]]
        outputs = [openlineage.OutputDataset(namespace=o["namespace"], name=o["name"]) for o in event["outputs"]]
        made = openlineage.RunEvent(
            eventType=openlineage.RunState[event["eventType"]], eventTime=event["eventTime"], producer=event["producer"],
            run=run, job=job, inputs=inputs, outputs=outputs,
        )
        report.equal(f"{event['job']['name']} {event['eventType']}: the schema is the client's", event["schemaURL"], made.schemaURL)
        kinds.setdefault(run.runId, []).append(event["eventType"])
    report.equal("each run begins and ends once", sorted(map(tuple, kinds.values())), [("START", "COMPLETE")] * 2)
    last = found[-1]
    report.check("the last run has the other's product as input",
                 any((i["namespace"], i["name"]) == (provider_did, "numbers") for i in last["inputs"]), last)


def reports(report: Report, folder: pathlib.Path, provider: Node, agreement: str) -> None:
    """A report about today, as CSV and as a page of its own."""
    today = datetime.datetime.now(datetime.UTC).date()
    period = ("--from", today - datetime.timedelta(days=1), "--to", today + datetime.timedelta(days=1))
    provider.ask("report", *period, "--format", "csv", "--out", folder / "report.csv")
    lines = list(csv.DictReader(io.StringIO((folder / "report.csv").read_text(), newline="")))
    parts = {part: [line for line in lines if line["part"] == part] for part in {line["part"] for line in lines}}
    report.check("the agreement is in the report", any(line["agreement"] == agreement for line in parts.get("agreement", [])), lines)
    report.check("and so is its transfer", any(line["agreement"] == agreement for line in parts.get("transfer", [])), lines)
    formulas = [cell for line in lines for cell in line.values() if cell and cell[0] in "=+-@\t\r"]
    report.equal("no cell is a formula", formulas, [])
    provider.ask("report", *period, "--out", folder / "report.html")
    page = (folder / "report.html").read_text()
    report.check("the page needs nothing else", "src=" not in page and "<script" not in page and "<link" not in page)
    provider.ask("report", *period, "--format", "json", "--out", folder / "report.json")
    whole = json.loads((folder / "report.json").read_text())
    report.equal("the report names the log", whole["log"]["origin"], f"{provider.public.split('://')[1]}/log")


def requests(report: Report, provider: Node) -> None:
    """The request log says who asked for the data, and holds no token."""
    lines = provider.ask("requests", "--last", "10000")["requests"]
    peers = {line["person"]["peer"] for line in lines if "peer" in line.get("person", {})}
    report.check("the consumer's requests are there", any(peer.endswith(":p:printer") for peer in peers), peers)
    token = (provider.dir / "admin.token").read_text().strip()
    texts = [file.read_text() for file in (provider.dir / "requests").iterdir()]
    report.check("and no token is", all(token not in text and "Bearer" not in text for text in texts))


def body(report: Report, folder: pathlib.Path, nodes: list) -> None:
    """The deal, and what is said of it."""
    provider = Node(folder / "provider", "mill", "Paper Mill")
    consumer = Node(folder / "consumer", "printer", "Printing House")
    nodes += [provider, consumer]
    for node in nodes:
        node.start()
    provider.ask("product", "add", table(folder, "numbers"), "--kind", "table", "--id", "numbers", "--title", "Numbers")
    agreement = consumer.ask("negotiate", provider.address, "numbers", "--wait", "30")["agreementId"]
    consumer.ask("fetch", agreement, "--out", folder / "copy")
    consumer.ask("product", "add", table(folder, "sites"), "--kind", "table", "--id", "sites", "--title", "Sites")
    consumer.ask(
        "product", "add", table(folder, "summary"), "--kind", "table", "--id", "summary", "--title", "Summary",
        "--derived-from", agreement, "--derived-from", "sites",
    )
    did = consumer.ask("agreement", "show", agreement)["peer"]
    prov(report, folder, consumer, did)
    events(report, consumer, did)
    reports(report, folder, provider, agreement)
    requests(report, provider)


if __name__ == "__main__":
    sys.exit(run_suite("lineage", body))
