"""Witnesses, both ways: the node's log is cosigned by a program of others and by another node; the node cosigns a log that
others wrote, and refuses it when it goes back or forks."""

import json
import pathlib
import shutil

import aics_tlog

import add_checkpoint
import others
from mirror import get, size_of
from node import Node
from parties import COSIGNED_WITHIN_SECONDS, cosigned, deal, filled, settled, status_when, token, verifies
from report import Report

# Seconds in which Tessera publishes a checkpoint that is cosigned, and after which it is clear that it will not.
PUBLISHED_WITHIN = 20
REFUSED_WITHIN = 3
GROWTH = 300
TESSERA = "tessera.example/log"
NOTICED_WITHIN_SECONDS = 60


def told(node: Node, folder: pathlib.Path, text: str) -> pathlib.Path:
    """Gives a node its policy; the file."""
    folder.mkdir(exist_ok=True)
    file = folder / f"{node.slug}.policy"
    file.write_text(text)
    node.ask("log", "policy", file)
    return file


def checkpoint_of(node: Node, file: pathlib.Path) -> pathlib.Path:
    """A copy of a node's checkpoint."""
    status, text, _ = get(f"{node.public}/log/checkpoint")
    if status != 200:
        raise RuntimeError(f"{node.slug} serves no checkpoint: {status}")
    file.write_bytes(text)
    return file


def aics_quorum(checkpoint: pathlib.Path, key: str, *witnesses: str) -> tuple[bool, str]:
    """The Python verifier on a checkpoint: the log's signature, and those of all these witnesses, made within minutes."""
    try:
        found = aics_tlog.verify_checkpoint(
            aics_tlog.parse_note(checkpoint.read_bytes()), aics_tlog.parse_vkey(key), [aics_tlog.parse_vkey(w) for w in witnesses],
            len(witnesses), expected_origin=key.split("+")[0], max_age_seconds=600,
        )
    except ValueError as error:
        return False, str(error)
    return found.ok, str(found.error)


def both_accept(report: Report, what: str, policy: pathlib.Path, checkpoint: pathlib.Path, key: str, *witnesses: str) -> None:
    """Go's note package with Tessera's reading of the policy, and the Python verifier; each refuses every tampered line."""
    report.check(f"{what}: Go's note package and Tessera's policy accept", *others.tessera("satisfied", policy, checkpoint))
    report.check(f"{what}: aics-tlog accepts", *aics_quorum(checkpoint, key, *witnesses))
    text = checkpoint.read_text()
    head, _, lines = text.partition("\n\n")
    bad = checkpoint.with_suffix(".bad")
    names = [k.split("+")[0] for k in (key, *witnesses)]
    decisive = [line for line in lines.splitlines() if line.split(" ")[1] in names]
    report.equal(f"{what}: it has a signature of each", sorted(line.split(" ")[1] for line in decisive), sorted(names))
    for n, line in enumerate(decisive):
        # The last character of the signature that carries six bits.
        end = len(line.rstrip("=")) - 2
        other = line[:end] + ("A" if line[end] != "A" else "B") + line[end + 1:]
        bad.write_text(f"{head}\n\n{lines.replace(line, other)}")
        report.check(f"{what}: signature {n + 1} changed, refused by both", not others.tessera("satisfied", policy, bad)[0] and not aics_quorum(bad, key, *witnesses)[0])
        bad.write_text(f"{head}\n\n{lines.replace(line + chr(10), '')}")
        report.check(f"{what}: signature {n + 1} left out, refused by both", not others.tessera("satisfied", policy, bad)[0] and not aics_quorum(bad, key, *witnesses)[0])
    origin, size, root = head.split("\n")
    bad.write_text(f"{origin}\n{int(size) + 1}\n{root}\n\n{lines}")
    report.check(f"{what}: another size, refused by both", not others.tessera("satisfied", policy, bad)[0] and not aics_quorum(bad, key, *witnesses)[0])


def asked(report: Report, folder: pathlib.Path, provider: Node, consumer: Node, agreement: str) -> None:
    """The node asks a witness that others wrote; what it signs is on the checkpoint and in receipts."""
    key, files = settled(provider)["key"], folder / "asked"
    files.mkdir()
    with others.witness(files / "witness", "witness.example/asked", key) as witness:
        # Its address is no part of what a verifier decides by, and Tessera wants one.
        policy = told(provider, files, f"log {key}\nwitness asked {witness.key} {witness.url}\nquorum asked\n")
        status = cosigned(provider)
        seen = [(w["key"], w["url"].rstrip("/"), w["size"], w.get("problem")) for w in status["witnesses"]]
        report.equal("log status shows the witness and what it signed", seen, [(witness.key, witness.url, status["size"], None)])
        checkpoint = checkpoint_of(provider, files / "checkpoint")
        report.equal("the checkpoint is of the whole log", size_of(checkpoint.read_bytes()), status["size"])
        both_accept(report, "cosigned by aics-witness", policy, checkpoint, key, witness.key)
        deal(files, provider, consumer, "asked")
        grown = cosigned(provider)
        report.check("the log grew, and the witness signed what it is now", grown["size"] > status["size"], grown)
        held = json.loads(witness.run("status", "--json"))["logs"][0]
        report.equal("the witness says the same", (held["origin"], held["size"], held["evidence"]), (grown["origin"], grown["size"], 0))
        both_accept(report, "cosigned again", policy, checkpoint_of(provider, files / "again"), key, witness.key)

        leaf = next(e for e in provider.ask("evidence", "list", "--agreement", agreement)["evidence"] if e["kind"] == "agreement")
        bundle = files / "bundle.json"
        provider.ask("evidence", "get", leaf["id"], "--out", bundle)
        report.check("fondaco verify: the bundle reaches the quorum", verifies(provider, bundle, "--policy", policy))
        parts = json.loads(bundle.read_text())
        (files / "receipt.tlog-proof").write_text(parts["proof"])
        (files / "leaf").write_text(parts["leaf"])
        report.check("Go's sumdb verifies the receipt with its cosignature", *others.go_proof(files / "receipt.tlog-proof", files / "leaf", key))
        cosigned_part = files / "receipt-checkpoint"
        cosigned_part.write_text(parts["proof"].partition("\n\n")[2])
        both_accept(report, "the receipt's checkpoint", policy, cosigned_part, key, witness.key)
        stranger = others.Witness(files / "stranger", "witness.example/asked").key
        other = files / "other.policy"
        other.write_text(f"log {key}\nwitness asked {stranger} {witness.url}\nquorum asked\n")
        report.check("another key under the witness's name: refused by all", not any((
            verifies(provider, bundle, "--policy", other), others.tessera("satisfied", other, checkpoint)[0], aics_quorum(checkpoint, key, stranger)[0],
        )))
        away(report, files, provider, consumer, witness, policy, key)


def away(
    report: Report, files: pathlib.Path, provider: Node, consumer: Node, witness: others.Witness, policy: pathlib.Path, key: str,
) -> None:
    """A witness that is away holds nothing up, is told of, and catches up."""
    before = cosigned(provider)["size"]
    witness.stop()
    deal(files, provider, consumer, "away")
    status = status_when(
        provider, lambda s: s["waiting"] == 0 and s["size"] > before and s["witnesses"][0].get("problem"), NOTICED_WITHIN_SECONDS
    )
    report.equal("a witness that is away: the log goes on, and says how far it is cosigned", status.get("cosignedSize"), before)
    checkpoint = checkpoint_of(provider, files / "away")
    # Of the tree that the witness has signed, or of the newer one without it: never the one's signature on the other.
    text = checkpoint.read_bytes()
    accepted, said = others.tessera("satisfied", policy, checkpoint)
    report.check("its checkpoint satisfies the policy exactly if it is the cosigned one", accepted == (size_of(text) == before), said)
    report.check("and is the log's own", *aics_quorum(checkpoint, key))
    witness.start()
    status = cosigned(provider)
    report.check("the witness is back: it signs what it missed", status["size"] > before and not status["witnesses"][0].get("problem"), status)
    both_accept(report, "after that", policy, checkpoint_of(provider, files / "back"), key, witness.key)


def mutual(report: Report, folder: pathlib.Path, provider: Node, consumer: Node, _agreement: str) -> None:
    """Two witnesses, one of them the other node; the quorum needs both."""
    key, files = settled(provider)["key"], folder / "mutual"
    files.mkdir()
    ours = settled(consumer)["witnessKey"]
    told(consumer, files, f"log {key}\nquorum none\n")
    with others.witness(files / "witness", "witness.example/second", key) as witness:
        policy = told(provider, files, (
            f"log {key}\nwitness second {witness.key} {witness.url}\nwitness peer {ours} {consumer.public}/log/witness\n"
            "group both all second peer\nquorum both\n"
        ))
        status = cosigned(provider)
        report.equal("both have signed", {(w["key"], w["size"]) for w in status["witnesses"]}, {(witness.key, status["size"]), (ours, status["size"])})
        both_accept(report, "cosigned by aics-witness and a node", policy, checkpoint_of(provider, files / "checkpoint"), key, witness.key, ours)
        found = [w for w in settled(consumer)["witnessed"] if w["origin"] == status["origin"]]
        report.equal("the node that signed says so", [(w["size"], w.get("conflict")) for w in found], [(status["size"], None)])
        deal(files, provider, consumer, "mutual")
        grown = cosigned(provider)
        report.check("the log grew, and both signed", grown["size"] > status["size"], grown)


def as_witness(report: Report, folder: pathlib.Path, _provider: Node, consumer: Node, _agreement: str) -> None:
    """The node as witness: every request of the protocol, and a log of Tessera, which grows, goes back and forks."""
    files = folder / "as-witness"
    files.mkdir()
    prefix, key = f"{consumer.public}/log/witness", settled(consumer)["witnessKey"]
    made = add_checkpoint.Log("cases.example/log")
    tessera = files / "tessera"
    accepted, tessera_key = others.tessera("key", tessera, TESSERA)
    if not accepted:
        raise RuntimeError(tessera_key)
    told(consumer, files, f"log {made.vkey}\nlog {tessera_key}\nquorum none\n")

    def restart() -> None:
        consumer.stop()
        consumer.start()

    def seen(origin: str) -> dict:
        return next((w for w in consumer.ask("log", "status")["witnessed"] if w["origin"] == origin), {})

    add_checkpoint.cases(report, prefix, key, made, restart, lambda: bool(seen(made.origin).get("conflict")))
    report.equal("log status shows what was cosigned of it", seen(made.origin).get("size"), 7)

    policy = files / "tessera.policy"
    policy.write_text(f"log {tessera_key}\nwitness fondaco {key} {prefix}\nquorum fondaco\n")
    report.check("Tessera publishes with the node as its witness", *others.tessera("grow", tessera, policy, GROWTH, PUBLISHED_WITHIN))
    back = files / "back"
    shutil.copytree(tessera, back)
    report.check("and grows", *others.tessera("grow", tessera, policy, GROWTH, PUBLISHED_WITHIN))
    report.equal("the node has signed all of it", seen(TESSERA).get("size"), 2 * GROWTH)
    published = tessera / "tiles" / "checkpoint"
    both_accept(report, "Tessera's log, cosigned by the node", policy, published, tessera_key, key)
    served = files / "served"
    served.write_text(add_checkpoint.latest(prefix, TESSERA))
    both_accept(report, "what the node serves of it", policy, served, tessera_key, key)
    report.equal("that is what Tessera published", served.read_text().partition("\n\n")[0], published.read_text().partition("\n\n")[0])
    report.equal("no conflict so far", seen(TESSERA).get("conflict"), None)

    # A copy of the log's folder, with its key, is what a backup that was put back is.
    for what, growth, answer in (
        ("a log that went back", 10, "replied with x.tlog.size 600, larger than log size 310"),
        ("another tree of the same size", GROWTH - 10, "422"),
        ("a fork that is larger", 100, "422"),
    ):
        done, said = others.tessera("grow", back, policy, growth, REFUSED_WITHIN)
        report.check(f"{what}: refused", not done and answer in said, said[-600:])
        report.equal(f"{what}: the node signed nothing of it", seen(TESSERA).get("size"), 2 * GROWTH)
    report.check("log status shows that Tessera's log forked", seen(TESSERA).get("conflict"))
    doubt = seen(TESSERA).get("doubt", "")
    report.check("and the larger fork as a doubt, as it was asked for", doubt.startswith(f"old {2 * GROWTH}\n") and TESSERA in doubt, doubt)
    report.check("the true log goes on", *others.tessera("grow", tessera, policy, 1, PUBLISHED_WITHIN))
    report.equal("and is cosigned", seen(TESSERA).get("size"), 2 * GROWTH + 1)
    report.equal("which takes the doubt away, and not the conflict", (seen(TESSERA).get("doubt"), bool(seen(TESSERA).get("conflict"))), (None, True))
    told(consumer, files, "quorum none\n")
    status, _, _ = add_checkpoint.post(prefix, add_checkpoint.body(7, [], made.note(made.tree(7))))
    report.equal("a log that it is told of no more: not found", status, 404)



def restored(report: Report, folder: pathlib.Path, _provider: Node, _consumer: Node, _agreement: str) -> None:
    """A node that was put back to a backup: it forks nothing, and goes on exactly if its witness has seen no more."""
    files = folder / "restored"
    files.mkdir()
    node = Node(files / "node", "archive", "Archive")
    node.start()
    try:
        key = settled(node)["key"]
        with others.witness(files / "witness", "witness.example/third", key) as witness:
            policy = told(node, files, f"log {key}\nwitness third {witness.key} {witness.url}\nquorum third\n")
            early = cosigned(node)["size"]
            put_back(node, files / "early")
            status = status_when(node, lambda s: s["size"] == s.get("cosignedSize") and not s.get("held"), COSIGNED_WITHIN_SECONDS)
            report.check("restored, and the witness has seen no more: the log goes on", status["size"] >= early, status)
            filled(node, early + 20)
            cosigned(node)
            both_accept(report, "after that", policy, checkpoint_of(node, files / "checkpoint"), key, witness.key)

            backed_up = cosigned(node)["size"]
            made = files / "late.tar.zst"
            node.run("backup", "--dir", node.dir, "--out", made)
            filled(node, backed_up + 20)
            late = cosigned(node)["size"]
            put_back(node, files / "late", made)
            status = status_when(node, lambda s: s["witnesses"][0].get("problem"), NOTICED_WITHIN_SECONDS)
            report.check("restored, and the witness has seen more: the log is held", status.get("held"), status)
            try:
                token(node, "one-more")
            except OSError as error:
                report.check("the node itself works", False, error)
            report.check("resuming by its witnesses is refused", node.refusal("log", "resume").get("status") == 409)
            report.equal("nothing was signed", (node.ask("log", "status")["size"], size_of(checkpoint_of(node, files / "held").read_bytes())), (backed_up, backed_up))
            held = json.loads(witness.run("status", "--json"))["logs"][0]
            report.equal("the witness was shown no fork", (held["size"], held["evidence"]), (late, 0))
    finally:
        node.stop()


def put_back(node: Node, into: pathlib.Path, backup: pathlib.Path | None = None) -> None:
    """Stops a node, and starts the restored copy of it in its place: of a backup made before, or of one made now."""
    if backup is None:
        backup = into.with_suffix(".tar.zst")
        node.run("backup", "--dir", node.dir, "--out", backup)
    node.stop()
    node.run("restore", backup, "--dir", into)
    node.dir = into
    node.start()


GROUPS = (asked, mutual, as_witness, restored)
