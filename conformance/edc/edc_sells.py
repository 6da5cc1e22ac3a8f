"""EDC as provider, the node as consumer."""

from connector import Peer
from edc_buys import ours_reaches


def run(report, folder, node, edc, source) -> None:
    """EDC offers a file of an HTTP server; the node finds, negotiates, fetches, suspends, ends."""
    edc.offer("stations", "Stations", source.url)
    found = node.ask("catalog", edc.slug)
    report.equal("the node sees EDC's catalogue", [d["id"] for d in found["datasets"]], ["stations"])
    report.equal("by its address too", node.ask("catalog", edc.address)["peer"]["did"], edc.slug)
    offer = found["datasets"][0]["offers"][0]
    report.check("and says in words what it may do", any("may use" in t for t in offer["terms"]), offer)

    deal = node.ask("negotiate", edc.slug, "stations", "--wait", "30")
    report.equal("the node negotiates", deal["state"], "FINALIZED")
    again = node.ask("negotiate", edc.slug, "stations", "--offer", offer["id"], "--wait", "30")
    report.equal("with an offer id of an earlier look, which EDC made anew since", again["state"], "FINALIZED")
    agreement = deal["agreementId"]
    shown = node.ask("negotiation", "show", deal["negotiationId"])
    theirs = edc.find("contractnegotiations", deal["negotiationId"])
    report.equal("EDC has it FINALIZED", edc.reaches("contractnegotiations", theirs, "FINALIZED")["state"], "FINALIZED")
    report.equal("under the pid that the node knows", shown["peerPid"], theirs)
    held = edc.call("GET", f"/contractnegotiations/{theirs}/agreement")
    peer = Peer(node)
    report.equal("about the same asset, between the same two",
                 [held[k] for k in ("assetId", "providerId", "consumerId")], ["stations", edc.slug, peer.did])

    out = folder / "stations-from-edc.csv"
    got = node.ask("fetch", agreement, "--out", out)
    report.equal("the node fetches what EDC's source holds", out.read_bytes(), source.file.read_bytes())
    report.equal("and says how much", (got["files"], got["bytes"]), (1, source.file.stat().st_size))
    transfer = node.transfer_of(agreement, "STARTED")["id"]

    node.ask("transfer", "suspend", transfer)
    theirs = edc.find("transferprocesses", transfer)
    report.equal("the node suspends: EDC", edc.reaches("transferprocesses", theirs, "SUSPENDED")["state"], "SUSPENDED")
    report.equal("a suspended transfer is not fetched", node.exit_status("fetch", agreement, "--out", folder / "no.csv"), 1)
    node.ask("transfer", "resume", transfer)
    report.equal("the node resumes: EDC", edc.reaches("transferprocesses", theirs, "STARTED")["state"], "STARTED")
    report.equal("the node resumes: the node", ours_reaches(node, transfer, "STARTED"), "STARTED")
    edc.call("POST", f"/transferprocesses/{theirs}/suspend", {"@type": "SuspendTransfer", "reason": "a pause"})
    report.equal("EDC suspends: the node", ours_reaches(node, transfer, "SUSPENDED"), "SUSPENDED")
    edc.call("POST", f"/transferprocesses/{theirs}/resume")
    report.equal("EDC resumes: the node", ours_reaches(node, transfer, "STARTED"), "STARTED")
    again = folder / "again.csv"
    node.ask("fetch", agreement, "--out", again)
    report.equal("and the data is there again", again.read_bytes(), source.file.read_bytes())
    node.ask("transfer", "end", transfer)
    report.check("the node ends: EDC", edc.reaches("transferprocesses", theirs, "COMPLETED")["state"] in ("COMPLETED", "TERMINATED"))

    node.ask("fetch", agreement, "--out", again, "--overwrite")
    transfer = node.transfer_of(agreement, "STARTED")["id"]
    theirs = edc.find("transferprocesses", transfer)
    edc.call("POST", f"/transferprocesses/{theirs}/terminate", {"@type": "TerminateTransfer", "reason": "enough"})
    report.equal("EDC ends: the node", ours_reaches(node, transfer, "TERMINATED"), "TERMINATED")
    report.equal("an asset that EDC does not have", node.exit_status("negotiate", edc.slug, "nothing", "--wait", "20"), 1)
