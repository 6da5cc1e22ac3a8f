"""The evidence of two nodes that deal, verified by programs that others wrote; and what was tampered with, refused."""

import hashlib
import json
import pathlib
import shutil
import sys

from aics_witness.feeder import merge_cosignatures

import others
import witnesses
from mirror import get, resources, size_of
from node import Node, pair
from parties import copied, deal, filled, settled, verifies
from report import Report, run_suite

# More than one full tile, so that a second level begins.
LEAVES = 300

def whole_logs(report: Report, folder: pathlib.Path, provider: Node, consumer: Node) -> None:
    """Both verifiers accept both logs, and that they only grew."""
    before, key = copied(provider, folder / "before")
    deal(folder, provider, consumer, "second")
    for node in (provider, consumer):
        log, node_key = copied(node, folder / f"log-{node.slug}")
        report.check(f"{node.slug}: Go's sumdb verifies every entry, tile and proof", *others.go_log(log, node_key))
        report.check(f"{node.slug}: aics-tlog verifies every entry and tile", *others.aics_audit(log, node_key))
        checked = node.ask("log", "check")
        report.equal(f"{node.slug}: log check finds nothing wrong", checked["faults"], [])
        exported = folder / f"export-{node.slug}"
        node.ask("log", "export", "--out", exported)
        report.check(f"{node.slug}: Go's sumdb verifies what log export wrote", *others.go_log(exported, node_key))
        report.equal(f"{node.slug}: the export's key is the log's", (exported / "log.vkey").read_text().strip(), node_key)
    log, old = folder / f"log-{provider.slug}", before / "checkpoint"
    report.check("the log grew", size_of((log / "checkpoint").read_bytes()) > size_of(old.read_bytes()))
    report.check("Go's sumdb proves that it only grew", *others.go_log(log, key, old))
    report.check("aics-tlog proves that it only grew", *others.aics("verify-consistency", log, key, "--old-checkpoint", old))
    accepted, said = others.go_log(before, key, log / "checkpoint")
    report.check("a log that went back is refused by Go's sumdb", not accepted, said)
    accepted, said = others.aics("verify-consistency", before, key, "--old-checkpoint", log / "checkpoint")
    report.check("a log that went back is refused by aics-tlog", not accepted, said)
    other_key = settled(consumer)["key"]
    report.check("another log's key opens nothing", not others.go_log(log, other_key)[0] and not others.aics_audit(log, other_key)[0])


def tampered_logs(report: Report, folder: pathlib.Path, provider: Node, _: Node) -> None:
    """One bit of each file, one file after the other: both verifiers refuse."""
    log, key = folder / f"log-{provider.slug}", settled(provider)["key"]
    files = ["checkpoint", *resources(size_of((log / "checkpoint").read_bytes()))]
    copy = folder / "tampered"
    shutil.copytree(log, copy)
    for name in files:
        file, whole = copy / name, (log / name).read_bytes()
        for what, bad in (
            ("its first byte changed", bytes([whole[0] ^ 1]) + whole[1:]),
            ("its last byte changed", whole[:-1] + bytes([whole[-1] ^ 1])),
        ):
            file.write_bytes(bad)
            report.check(f"{name}, {what}: refused by Go's sumdb", not others.go_log(copy, key)[0])
            report.check(f"{name}, {what}: refused by aics-tlog", not others.aics_audit(copy, key)[0])
        # aics-tlog forgives these two.
        for what, bad in (("cut short", whole[:-1]), ("with more behind it", whole + b"\0")):
            file.write_bytes(bad)
            report.check(f"{name}, {what}: refused by Go's sumdb", not others.go_log(copy, key)[0])
        file.write_bytes(whole)
    report.check("the copy is whole again", others.go_log(copy, key)[0] and others.aics_audit(copy, key)[0])


def surface(report: Report, _folder: pathlib.Path, provider: Node, _: Node) -> None:
    """What tlog-tiles says of the answers."""
    prefix = f"{provider.public}/log"
    status, checkpoint, headers = get(f"{prefix}/checkpoint")
    report.equal("the checkpoint is text", (status, headers.get("content-type")), (200, "text/plain; charset=utf-8"))
    report.check("and not cached for long", "immutable" not in headers.get("cache-control", ""), headers)
    report.check("its origin is the address without scheme", checkpoint.split(b"\n")[0].decode() == prefix.split("://")[1], checkpoint)
    size = size_of(checkpoint)
    for path in resources(size):
        status, body, headers = get(f"{prefix}/{path}")
        report.equal(f"{path}: octets", (status, headers.get("content-type")), (200, "application/octet-stream"))
        report.check(f"{path}: cached for good", "immutable" in headers.get("cache-control", ""), headers)
    for path in ("", "tile/0/0", "tile/0/000/", "tile/00/000", "tile/64/000", "tile/0/x000/000", "tile/0/000.p/0", "tile/0/000.p/256",
                 "tile/0/000.p/01", "tile/0/999", "tile/entries/999", "tile/9/000", "checkpoint/", "log.vkey", "tile/0/..%2f000"):
        status, _, _ = get(f"{prefix}/{path}")
        report.equal(f"/log/{path}: not found", status, 404)


def bundles(report: Report, folder: pathlib.Path, provider: Node, consumer: Node, agreement: str) -> None:
    """Bundles of both sides: `fondaco verify`, Go's sumdb, and the leaf opened by hand."""
    files = {}
    for node in (provider, consumer):
        settled(node)
        files[node.slug] = folder / f"{node.slug}.json"
        # The agreement's id is this side's own; what it is about has it as object.
        found = node.ask("evidence", "list", "--agreement", agreement)["evidence"]
        report.check(f"{node.slug}: the deal has left its leaves", {"agreement", "transfer-started"} <= {e["kind"] for e in found}, found)
        leaf = next(e for e in found if e["kind"] == "agreement")
        node.ask("evidence", "get", leaf["id"], "--out", files[node.slug])
    ours, theirs = files.values()
    said = json.loads(provider.run("verify", "--json", ours, theirs))
    report.equal("fondaco verify: both hold", [b["holds"] for b in said["bundles"]], [True, True])
    report.equal("and are the same agreement, byte for byte", said["sameAgreement"], [[str(ours), str(theirs)]])
    for node in (provider, consumer):
        bundle, key = json.loads(files[node.slug].read_text()), settled(node)["key"]
        report.equal(f"{node.slug}: the bundle's key is the log's", bundle["log"], key)
        proof, leaf = folder / "receipt.tlog-proof", folder / "leaf"
        proof.write_text(bundle["proof"])
        leaf.write_text(bundle["leaf"])
        report.check(f"{node.slug}: Go's sumdb verifies the receipt", *others.go_proof(proof, leaf, key))
        leaf.write_text(bundle["leaf"].replace("2", "3", 1))
        report.check(f"{node.slug}: and refuses it for another leaf", not others.go_proof(proof, leaf, key)[0])
        report.check(f"{node.slug}: the leaf opens by hand", opens(bundle), bundle["leaf"])
        parties = {bundle["opening"]["own"], bundle["opening"]["peer"]}
        report.check(f"{node.slug}: the leaf names nobody", not any(p in bundle["leaf"] for p in parties | {agreement}), bundle["leaf"])
    policies(report, folder, provider, consumer, ours)
    flipped(report, folder, provider, ours)


def opens(bundle: dict) -> bool:
    """The commitments of a leaf, recomputed as docs/log.md writes them down."""
    leaf, opening = json.loads(bundle["leaf"]), bundle["opening"]
    secret = bytes.fromhex(opening["secret"])

    def committed(field: str) -> str:
        name = field.encode()
        salt = hashlib.sha256(b"fondaco/salt/v1\0" + name + b"\0" + secret).digest()
        return hashlib.sha256(b"fondaco/commitment/v1\0" + name + b"\0" + salt + opening[field].encode()).hexdigest()

    documents = leaf["document"] == hashlib.sha256(opening["document"].encode()).hexdigest()
    return documents and all(leaf[field] == committed(field) for field in ("own", "peer", "object"))


def policies(report: Report, folder: pathlib.Path, provider: Node, consumer: Node, bundle: pathlib.Path) -> None:
    """A policy decides whose log is believed."""
    policy = folder / "policy"
    policy.write_text(f"log {settled(provider)['key']}\nquorum none\n")
    report.check("a policy that names the log accepts", verifies(provider, bundle, "--policy", policy))
    policy.write_text(f"log {settled(consumer)['key']}\nquorum none\n")
    report.check("a policy that names another refuses", not verifies(provider, bundle, "--policy", policy))


def flipped(report: Report, folder: pathlib.Path, node: Node, bundle: pathlib.Path) -> None:
    """A bit of every 16th byte; the unit tests flip them all."""
    whole, bad = bundle.read_bytes(), folder / "bad.json"
    accepted = []
    for at in [*range(0, len(whole), 16), len(whole) - 1]:
        bad.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1:])
        if verifies(node, bad):
            accepted.append(at)
    report.equal("no flipped bit is accepted", accepted, [])


def witnessed(report: Report, folder: pathlib.Path, provider: Node, consumer: Node, agreement: str) -> None:
    """A witness that others wrote cosigns the log; `fondaco verify` counts it by a policy, and only then."""
    log, key = copied(provider, folder / "to-witness")
    with others.witness(folder / "witness", "witness.example/other", key) as witness:
        client, witness_key = witness.client(), witness.key
        first = (log / "checkpoint").read_bytes()
        line = client.submit(first, others.consistency(log))
        report.check("aics-witness cosigns the first checkpoint", line.startswith("\u2014 witness.example/other "), line)
        deal(folder, provider, consumer, "third")
        log, _ = copied(provider, folder / "to-witness-again")
        second = (log / "checkpoint").read_bytes()
        line = client.submit(second, others.consistency(log))
        report.check("aics-witness cosigns the next one, by its consistency proof", line != "", line)
        try:
            client.submit(first, others.consistency(log))
            report.check("aics-witness does not go back", False)
        except Exception as refused:
            report.check("aics-witness does not go back", "Ahead" in type(refused).__name__, repr(refused))
        file = folder / "witnessed.json"
        provider.ask("evidence", "get", agreement, "--out", folder / "alone.json")
        bundle = json.loads((folder / "alone.json").read_text())
        head, _, checkpoint = bundle["proof"].partition("\n\n")
        report.equal("the receipt is of the checkpoint that was cosigned", checkpoint.encode(), second)
        bundle["proof"] = head + "\n\n" + merge_cosignatures(second, line).decode()
        bundle["witnesses"] = [witness_key]
        file.write_text(json.dumps(bundle, indent=2, ensure_ascii=False) + "\n")
        policy = folder / "witnessed.policy"
        policy.write_text(f"log {key}\nwitness other {witness_key}\nquorum other\n")
        report.check("fondaco verify counts the witness", verifies(provider, file, "--policy", policy))
        said = json.loads(provider.run("verify", "--json", file, "--policy", policy))["bundles"][0]
        report.equal("and names it", [w["name"] for w in said["witnesses"]], ["witness.example/other"])
        report.check("without the witness the policy refuses", not verifies(provider, folder / "alone.json", "--policy", policy))


def body(report: Report, folder: pathlib.Path, nodes: list) -> None:
    """The groups of checks, in order."""
    provider, consumer = pair(folder, nodes)
    agreement = deal(folder, provider, consumer, "first")
    filled(provider, LEAVES)
    groups = [
        (whole_logs, ()), (tampered_logs, ()), (surface, ()), (bundles, (agreement,)), (witnessed, (agreement,)),
        *((group, (agreement,)) for group in witnesses.GROUPS),
    ]
    for group, more in groups:
        try:
            group(report, folder, provider, consumer, *more)
        except Exception as error:  # a group that cannot go on is a failure, not the end of the others
            report.broken(group.__name__, error)


if __name__ == "__main__":
    sys.exit(run_suite("log", body))
