"""Where a product came from, as W3C PROV and OpenLineage, read by the libraries of others; reports, read as CSV."""

import csv
import datetime
import io
import json
import pathlib
import sys

from openlineage.client import event_v2 as openlineage
from openlineage.client.generated.dataset_version_dataset import DatasetVersionDatasetFacet
from prov.model import ProvActivity, ProvAgent, ProvDerivation, ProvDocument, ProvEntity

from node import Node, pair
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
    report.check("the product is derived from the other's", (str(named["summary"]), str(named["numbers:2"])) in derived, derived)
    entities = {str(record.identifier) for record in document.get_records(ProvEntity)}
    report.check("everything derived is in the document", all(end in entities for pair in derived for end in pair), derived - entities)
    again = ProvDocument.deserialize(content=document.serialize(format="json"), format="json")
    report.check("written by the library and read again it is the same", again == document)


def rebuilt(report: Report, dataset: dict) -> dict:
    """What the client makes a dataset of, with its facets as the client has them; each must say the schema that the client says."""
    facets = {}
    for name, facet in dataset.get("facets", {}).items():
        report.equal(f"{dataset['name']}: the facet is one that is looked at", name, "version")
        made = DatasetVersionDatasetFacet(datasetVersion=facet["datasetVersion"], producer=facet["_producer"])
        report.equal(f"{dataset['name']}: the schema of its facet is the client's", facet["_schemaURL"], made._schemaURL)
        facets[name] = made
    return {"namespace": dataset["namespace"], "name": dataset["name"], "facets": facets}


def events(report: Report, consumer: Node, provider: Node) -> None:
    """Every event is one that the client's model takes, and the runs are whole."""
    found = consumer.ask("lineage", "summary", "--format", "openlineage")["events"]
    kinds: dict[str, list[str]] = {}
    for event in found:
        run, job = openlineage.Run(runId=event["run"]["runId"]), openlineage.Job(**event["job"])
        inputs = [openlineage.InputDataset(**rebuilt(report, i)) for i in event["inputs"]]
        outputs = [openlineage.OutputDataset(**rebuilt(report, o)) for o in event["outputs"]]
        made = openlineage.RunEvent(
            eventType=openlineage.RunState[event["eventType"]], eventTime=event["eventTime"], producer=event["producer"],
            run=run, job=job, inputs=inputs, outputs=outputs,
        )
        report.equal(f"{event['job']['name']} {event['eventType']}: the schema is the client's", event["schemaURL"], made.schemaURL)
        kinds.setdefault(run.runId, []).append(event["eventType"])
    report.equal("each run begins and ends once", sorted(map(tuple, kinds.values())), [("START", "COMPLETE")] * 2)
    last = found[-1]
    known = {(i["namespace"], i["name"], i.get("facets", {}).get("version", {}).get("datasetVersion")) for i in last["inputs"]}
    theirs = [event for event in provider.ask("lineage", "numbers:2", "--format", "openlineage")["events"] if event["outputs"]]
    output = theirs[-1]["outputs"][0]
    name = (output["namespace"], output["name"], output["facets"]["version"]["datasetVersion"])
    report.check("the last run has the other's product as input, by the name that the other's own run has", name in known, (name, known))


def reports(report: Report, folder: pathlib.Path, provider: Node, agreement: str) -> None:
    """A report about today, as CSV and as a page of its own."""
    today = datetime.datetime.now(datetime.UTC).date()
    period = ("--from", today - datetime.timedelta(days=1), "--to", today + datetime.timedelta(days=1))
    provider.ask("report", *period, "--format", "csv", "--out", folder / "report.csv")
    lines = list(csv.DictReader(io.StringIO((folder / "report.csv").read_text(), newline="")))
    parts = {part: [line for line in lines if line["part"] == part] for part in {line["part"] for line in lines}}
    report.check("the agreement is in the report", any(line["agreement"] == agreement for line in parts.get("agreement", [])), lines)
    report.check("and so is its transfer", any(line["agreement"] == agreement for line in parts.get("transfer", [])), lines)
    report.check("a reason that looks like a formula is in it", any("=1+1" in line["reason"] for line in lines), lines)
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
    provider, consumer = pair(folder, nodes)
    provider.ask("product", "add", table(folder, "numbers"), "--kind", "table", "--id", "numbers", "--title", "Numbers")
    provider.ask("product", "add", table(folder, "numbers"), "--kind", "table", "--id", "numbers", "--title", "Numbers")
    agreement = consumer.ask("negotiate", provider.address, "numbers:2", "--wait", "30")["agreementId"]
    consumer.ask("fetch", agreement, "--out", folder / "copy")
    consumer.ask("product", "add", table(folder, "sites"), "--kind", "table", "--id", "sites", "--title", "Sites")
    consumer.ask(
        "product", "add", table(folder, "summary"), "--kind", "table", "--id", "summary", "--title", "Summary",
        "--derived-from", agreement, "--derived-from", "sites",
    )
    did = consumer.ask("agreement", "show", agreement)["peer"]
    transfer = provider.transfer_of(agreement, "STARTED")["id"]
    provider.ask("transfer", "suspend", transfer, "--reason", "=1+1")
    provider.transfer_of(agreement, "SUSPENDED")
    prov(report, folder, consumer, did)
    events(report, consumer, provider)
    reports(report, folder, provider, agreement)
    requests(report, provider)


if __name__ == "__main__":
    sys.exit(run_suite("lineage", body))
