"""EDC as consumer, the node as provider."""

import json
import pathlib
import time
import urllib.error
import urllib.request

import delta_sharing
from connector import Peer, listed


def run(report, folder, node, edc, source) -> None:
    """Publishes files and a table; EDC finds, negotiates, receives, is suspended, ends."""
    peer = Peer(node)
    rolls = folder / "rolls"
    (rolls / "north").mkdir(parents=True)
    (rolls / "a.csv").write_text("a,b\n1,2\n")
    (rolls / "north" / "b.bin").write_bytes(bytes(range(256)) * 400)
    table = folder / "sheets.csv"
    table.write_text("station,value\n" + "".join(f"s{i},{i}\n" for i in range(1_000)))
    node.ask("product", "add", rolls, "--kind", "files", "--id", "rolls", "--title", "Rolls")
    node.ask("product", "add", table, "--kind", "table", "--id", "sheets", "--title", "Sheets")
    offers = catalogue(report, node, edc, peer)

    agreement = deal(report, node, edc, peer, "rolls", offers["rolls"])
    files(report, node, edc, peer, agreement, rolls)
    agreement = deal(report, node, edc, peer, "sheets", offers["sheets"])
    tables(report, folder, edc, peer, agreement)
    several(report, edc, peer, offers["sheets"])
    refusals(report, node, edc, peer, offers)
    terms_that_wait(report, node, edc, peer, offers["rolls"])


def catalogue(report, node, edc, peer) -> dict:
    """The catalogue, whole and in parts, as EDC hands the node's answer on; the first offer of each dataset."""
    seen = edc.catalog(peer)
    datasets = {d["@id"]: d for d in listed(seen.get("dataset"))}
    report.equal("EDC sees the catalogue", sorted(datasets), ["rolls", "sheets"])
    report.equal("and whose it is", seen.get("participantId"), peer.did)
    for product, transfer_type in (("rolls", "HttpData-PULL"), ("sheets", "DeltaSharing-PULL")):
        formats = [d["format"] for d in listed(datasets[product].get("distribution"))]
        report.equal(f"the formats of {product}", formats, [transfer_type])
    for what, query, expected in (
        ("a window", {"offset": 1, "limit": 1}, ["sheets"]),
        ("one asset", {"filterExpression": [{"operandLeft": "id", "operator": "=", "operandRight": "rolls"}]}, ["rolls"]),
    ):
        part = [d["@id"] for d in listed(edc.catalog(peer, **query).get("dataset"))]
        report.equal(f"EDC asks for {what}", part, expected)
    one = edc.call("POST", "/catalog/dataset/request", edc.with_peer(peer, **{"@type": "DatasetRequest", "@id": "rolls"}))
    report.equal("EDC asks for one dataset", one.get("@id"), "rolls")
    return {name: listed(d["hasPolicy"])[0] for name, d in datasets.items()}


def deal(report, node, edc, peer, product, offer) -> str:
    """A negotiation to its end on both sides; the agreement's id at EDC."""
    begun = edc.negotiate(peer, product, offer)
    done = edc.reaches("contractnegotiations", begun, "FINALIZED")
    report.equal(f"EDC negotiates {product}", done["state"], "FINALIZED")
    ours = node.ask("negotiation", "show", done["correlationId"])
    report.equal("and so does the node", (ours["state"], ours["role"]), ("FINALIZED", "provider"))
    agreement = edc.call("GET", f"/contractnegotiations/{begun}/agreement")
    report.equal("about the same asset, between the same two",
                 [agreement[k] for k in ("assetId", "providerId", "consumerId")], [product, peer.did, edc.slug])
    return agreement["@id"]


def started(report, edc, peer, agreement, transfer_type) -> tuple[str, dict]:
    """A transfer that runs: its id, and what EDC's applications learn about it."""
    transfer = edc.transfer(peer, agreement, transfer_type)
    report.equal(f"a transfer {transfer_type} starts", edc.reaches("transferprocesses", transfer, "STARTED")["state"], "STARTED")
    address = edc.data_address(transfer)
    report.check("its data address has an endpoint and a token", address.get("endpoint") and address.get("authorization"), address)
    return transfer, address


def get(url: str, token: str = "") -> bytes:
    """An HTTP GET, with the token."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
        return answer.read()


def status(url: str, token: str) -> int:
    """How a GET is answered."""
    try:
        get(url, token)
    except urllib.error.HTTPError as refused:
        return refused.code
    return 200


def files(report, node, edc, peer, agreement, rolls) -> None:
    """The files by what EDC was given; then suspension, resumption and end, from either side."""
    transfer, address = started(report, edc, peer, agreement, "HttpData-PULL")
    endpoint, token = address["endpoint"], address["authorization"]
    listing = json.loads(get(endpoint, token))
    got = {file["path"]: get(file["url"]) for file in listing["files"]}
    report.equal("every file arrives", got, {str(p.relative_to(rolls)): p.read_bytes() for p in rolls.rglob("*") if p.is_file()})

    def ours() -> str:
        return edc.call("GET", f"/transferprocesses/{transfer}")["correlationId"]

    node.ask("transfer", "suspend", ours())
    report.equal("the node suspends: EDC", edc.reaches("transferprocesses", transfer, "SUSPENDED")["state"], "SUSPENDED")
    report.equal("the node suspends: no access", status(endpoint, token), 403)
    node.ask("transfer", "resume", ours())
    report.equal("the node resumes: EDC", edc.reaches("transferprocesses", transfer, "STARTED")["state"], "STARTED")
    fresh = edc.data_address(transfer)
    report.equal("the node resumes: access", status(fresh["endpoint"], fresh["authorization"]), 200)

    edc.call("POST", f"/transferprocesses/{transfer}/suspend", {"@type": "SuspendTransfer", "reason": "a pause"})
    report.equal("EDC suspends: EDC", edc.reaches("transferprocesses", transfer, "SUSPENDED")["state"], "SUSPENDED")
    report.equal("EDC suspends: the node", ours_reaches(node, ours(), "SUSPENDED"), "SUSPENDED")
    report.equal("EDC suspends: no access", status(fresh["endpoint"], fresh["authorization"]), 403)
    edc.call("POST", f"/transferprocesses/{transfer}/resume")
    report.equal("EDC resumes: the node", ours_reaches(node, ours(), "STARTED"), "STARTED")
    report.equal("EDC resumes: EDC", edc.reaches("transferprocesses", transfer, "STARTED")["state"], "STARTED")
    fresh = edc.data_address(transfer)
    report.equal("EDC resumes: access", status(fresh["endpoint"], fresh["authorization"]), 200)

    edc.call("POST", f"/transferprocesses/{transfer}/terminate", {"@type": "TerminateTransfer", "reason": "enough"})
    report.equal("EDC ends: the node", ours_reaches(node, ours(), "TERMINATED"), "TERMINATED")
    report.equal("EDC ends: no access", status(fresh["endpoint"], fresh["authorization"]), 403)

    transfer, address = started(report, edc, peer, agreement, "HttpData-PULL")
    node.ask("transfer", "end", ours())
    report.equal("the node ends: EDC", edc.reaches("transferprocesses", transfer, "COMPLETED")["state"], "COMPLETED")
    report.equal("the node ends: no access", status(address["endpoint"], address["authorization"]), 403)


def tables(report, folder, edc, peer, agreement) -> None:
    """A table, read with the stock Delta Sharing client by what EDC was given."""
    _, address = started(report, edc, peer, agreement, "DeltaSharing-PULL")
    profile = folder / "from-edc.share"
    profile.write_text(json.dumps(
        {"shareCredentialsVersion": 1, "endpoint": address["endpoint"], "bearerToken": address["authorization"]}
    ))
    found = delta_sharing.SharingClient(str(profile)).list_all_tables()
    report.equal("EDC's token opens one table", len(found), 1)
    rows = delta_sharing.load_as_pandas(f"{profile}#{found[0].share}.{found[0].schema}.{found[0].name}")
    report.equal("and its rows arrive", (len(rows), int(rows["value"].sum())), (1_000, 499_500))


def several(report, edc, peer, offer, count: int = 20) -> None:
    """Many at once: the node answers faster than EDC notes what it has sent, and must not lose a deal by that."""
    begun = [edc.negotiate(peer, "sheets", offer) for _ in range(count)]
    ended = [edc.reaches("contractnegotiations", id, "FINALIZED", within_seconds=60) for id in begun]
    report.equal(f"{count} negotiations at once", [n["state"] for n in ended], ["FINALIZED"] * count)
    agreements = [edc.call("GET", f"/contractnegotiations/{id}/agreement")["@id"] for id in begun]
    transfers = [edc.transfer(peer, agreement, "DeltaSharing-PULL") for agreement in agreements]
    ended = [edc.reaches("transferprocesses", id, "STARTED", within_seconds=60) for id in transfers]
    report.equal(f"{count} transfers at once", [t["state"] for t in ended], ["STARTED"] * count)


def refusals(report, node, edc, peer, offers) -> None:
    """What the node refuses ends at EDC too, with the node's reason."""
    begun = edc.negotiate(peer, "rolls", {**offers["rolls"], "@id": "no-such-offer"})
    ended = edc.reaches("contractnegotiations", begun)
    report.equal("an offer that does not exist", ended["state"], "TERMINATED")
    report.check("EDC has the node's reason", "no-such-offer" in str(ended.get("errorDetail")) or "offer" in str(ended.get("errorDetail")), ended)


def terms_that_wait(report, node, edc, peer, offer) -> None:
    """The node answers a request with an offer, as its rule says; EDC has no way to accept one, so it ends there."""
    rules(node, offer["@id"], {"requested": [{"do": "offer"}]})
    begun = edc.negotiate(peer, "rolls", offer)
    offered = edc.reaches("contractnegotiations", begun, "OFFERED")
    report.equal("EDC takes an offer of the node", offered["state"], "OFFERED")
    report.equal("the node waits for its answer", ours_reaches(node, offered["correlationId"], "OFFERED", "negotiation"), "OFFERED")
    edc.call("POST", f"/contractnegotiations/{begun}/terminate", {"@type": "TerminateNegotiation", "@id": begun, "reason": "too dear"})
    report.equal("EDC ends the negotiation", edc.reaches("contractnegotiations", begun)["state"], "TERMINATED")
    report.equal("and the node with it", ours_reaches(node, offered["correlationId"], "TERMINATED", "negotiation"), "TERMINATED")

    rules(node, offer["@id"], {"requested": [{"do": "hold"}]})
    begun = edc.negotiate(peer, "rolls", offer)
    waiting = edc.reaches("contractnegotiations", begun, "REQUESTED")
    node.ask("negotiation", "agree", waiting["correlationId"])
    report.equal("a person at the node agrees", edc.reaches("contractnegotiations", begun, "FINALIZED")["state"], "FINALIZED")
    begun = edc.negotiate(peer, "rolls", offer)
    waiting = edc.reaches("contractnegotiations", begun, "REQUESTED")
    node.ask("negotiation", "terminate", waiting["correlationId"], "--reason", "not to you")
    report.equal("a person at the node says no", edc.reaches("contractnegotiations", begun)["state"], "TERMINATED")
    rules(node, offer["@id"], {})


def rules(node, offer: str, wanted: dict) -> None:
    """Sets the decision rules of an offer."""
    token = (node.dir / "admin.token").read_text().strip()
    request = urllib.request.Request(
        f"{node.admin}/api/v1/participants/{node.slug}/offers/{offer}/rules", json.dumps(wanted).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}, method="PUT",
    )
    urllib.request.urlopen(request, timeout=30).close()


def ours_reaches(node, id: str, state: str, kind: str = "transfer", within_seconds: float = 20) -> str:
    """The state of a process of the node, once it is the wanted one or time is up."""
    deadline = time.monotonic() + within_seconds
    while True:
        if kind == "transfer":
            seen = next(t["state"] for t in node.ask("transfer", "list")["transfers"] if t["id"] == id)
        else:
            seen = node.ask("negotiation", "show", id)["state"]
        if seen == state or time.monotonic() > deadline:
            return seen
        time.sleep(0.1)
