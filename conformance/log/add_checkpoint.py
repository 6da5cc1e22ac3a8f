"""What tlog-witness says of `add-checkpoint`, request by request, to any witness that is told to trust a log made here."""

import base64
import concurrent.futures
import hashlib
import http.client
import urllib.parse
from collections.abc import Callable

import aics_tlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mirror import get
from report import Report

SIZE_TYPE = "text/x.tlog.size"
AT_ONCE = 8
# Larger than any request can be: 63 hashes and a note.
TOO_LARGE = 4 << 20


class Log:
    """A log in memory: a key, and trees that may fork."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.key = Ed25519PrivateKey.generate()
        self.vkey = aics_tlog.format_vkey(aics_tlog.vkey_from_ed25519(origin, self.key.public_key()))

    def tree(self, size: int, forked_at: int | None = None) -> aics_tlog.MerkleTree:
        """The tree of this size; another one from `forked_at` on."""
        other = size + 1 if forked_at is None else forked_at
        return aics_tlog.MerkleTree(f"{n if n < other else -n}".encode() for n in range(1, size + 1))

    def note(self, tree: aics_tlog.MerkleTree, size: int | None = None, origin: str | None = None, key: Ed25519PrivateKey | None = None) -> str:
        """A signed checkpoint of a tree, or of how it was at a size."""
        size = tree.size if size is None else size
        checkpoint = aics_tlog.Checkpoint(origin or self.origin, size, tree.root(size))
        return aics_tlog.sign_checkpoint(checkpoint, key or self.key, self.origin).serialise()


def body(old: object, proof: list[bytes], note: str) -> bytes:
    """A request."""
    return (f"old {old}\n" + "".join(base64.b64encode(p).decode() + "\n" for p in proof) + "\n" + note).encode()


def post(prefix: str, data: bytes, method: str = "POST") -> tuple[int, bytes, str]:
    """Status, body and content type of an answer."""
    url = urllib.parse.urlsplit(prefix)
    connection = http.client.HTTPConnection(url.netloc, timeout=30)
    try:
        connection.request(method, url.path + "/add-checkpoint", data)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers.get("content-type", "")
    except (BrokenPipeError, ConnectionResetError):
        # A server may close on a body that is too large before it has read it all.
        return 413, b"", ""
    finally:
        connection.close()


def latest(prefix: str, origin: str) -> str:
    """What the witness serves to monitors; empty when it has nothing."""
    status, text, _ = get(f"{prefix}/{hashlib.sha256(origin.encode()).hexdigest()}/checkpoint")
    return text.decode() if status == 200 else ""


def cosigned(note: str, log: Log, witness: str) -> bool:
    """Whether a note is the log's and the witness's, by the Python verifier."""
    found = aics_tlog.verify_checkpoint(
        aics_tlog.parse_note(note), aics_tlog.parse_vkey(log.vkey), [aics_tlog.parse_vkey(witness)], 1,
        expected_origin=log.origin, max_age_seconds=300,
    )
    return found.ok


def cases(report: Report, prefix: str, witness: str, log: Log, restart: Callable[[], None], forked: Callable[[], bool]) -> None:
    """All cases, for a log of which the witness has seen nothing.

    `witness` is its key, `restart` starts it anew, `forked` is whether it says that the log has forked.
    """
    tree = log.tree(9)

    def proof(old: int, new: int) -> list[bytes]:
        return tree.consistency_proof(old, new)

    def accepted(what: str, old: int, new: int) -> None:
        note = log.note(tree, new)
        status, answer, _ = post(prefix, body(old, proof(old, new), note))
        report.equal(f"{what}: accepted", (status, answer[:300] if status != 200 else b""), (200, b""))
        if status == 200:
            report.check(f"{what}: the cosignature holds", cosigned(note + answer.decode(), log, witness), answer)
            bad = bytearray(base64.b64decode(answer.decode().split(" ")[2]))
            bad[-1] ^= 1
            line = " ".join(answer.decode().split(" ")[:2]) + " " + base64.b64encode(bad).decode() + "\n"
            report.check(f"{what}: and is refused when it is tampered with", not cosigned(note + line, log, witness))
        served = latest(prefix, log.origin)
        report.check(f"{what}: monitors see it", served.startswith(note.partition("\n\n")[0]) and cosigned(served, log, witness), served)

    def refused(what: str, data: bytes, *statuses: int, size: int | None = None) -> None:
        before = latest(prefix, log.origin)
        status, answer, kind = post(prefix, data)
        report.check(f"{what}: refused with {' or '.join(map(str, statuses))}", status in statuses, (status, answer[:200]))
        if size is not None:
            report.equal(f"{what}: tells the size it knows", (answer, kind), (f"{size}\n".encode(), SIZE_TYPE))
        report.equal(f"{what}: nothing changed", latest(prefix, log.origin), before)

    report.equal("nothing is served of a log that was never seen", latest(prefix, log.origin), "")
    refused("a proof where there is nothing to prove", body(0, [bytes(32)], log.note(tree, 1)), 422)
    accepted("the first checkpoint", 0, 1)

    good = log.note(tree, 3)
    signature = base64.b64decode(good.split(" ")[-1])
    tampered = base64.b64encode(bytes([*signature[:-1], signature[-1] ^ 1])).decode()
    head = good.rpartition(" ")[0]
    refused("a signature that was tampered with", body(1, proof(1, 3), f"{head} {tampered}\n"), 403)
    refused("another key under the log's name", body(1, proof(1, 3), log.note(tree, 3, key=Ed25519PrivateKey.generate())), 403)
    refused("no signature of the log", body(1, proof(1, 3), good.partition("\u2014")[0] + f"\u2014 somebody {tampered}\n"), 403)
    refused("an origin nobody told it of", body(1, proof(1, 3), log.note(tree, 3, origin="elsewhere.example/log")), 404)
    refused("no proof", body(1, [], good), 422)
    refused("half a proof", body(1, proof(1, 3)[:1], good), 422)
    refused("a proof with one hash too many", body(1, [*proof(1, 3), bytes(32)], good), 422)
    refused("a proof with a bit flipped", body(1, [bytes([proof(1, 3)[0][0] ^ 1]) + proof(1, 3)[0][1:], *proof(1, 3)[1:]], good), 422)
    accepted("the next checkpoint", 1, 3)

    refused("a proof from a size before the last", body(1, proof(1, 5), log.note(tree, 5)), 409, size=3)
    # A signature of a key that it does not know is none of its business.
    status, _, _ = post(prefix, body(3, proof(3, 5), log.note(tree, 5) + f"\u2014 somebody.example {tampered}\n"))
    report.equal("a signature of somebody unknown beside the log's: accepted", status, 200)
    refused("a request that knows nothing of the last size", body(0, [], log.note(tree, 5)), 409, size=5)
    accepted("the same checkpoint again", 5, 5)
    refused("a smaller tree", body(3, [], log.note(tree, 3)), 409, size=5)
    refused("a smaller tree that says it knows", body(5, [], log.note(tree, 3)), 400)
    refused("an honest checkpoint with the proof of a fork", body(5, log.tree(9, 4).consistency_proof(5, 9), log.note(tree, 9)), 422)
    report.check("nobody can have a log accused by sending its checkpoints with wrong proofs", not forked())
    refused("another tree of the same size", body(5, [], log.note(log.tree(5, 4))), 422)
    report.check("but two trees of one size are a fork, and shown", forked())
    fork = log.tree(9, 4)
    refused("a fork, by its own proof", body(5, fork.consistency_proof(5, 9), log.note(fork)), 422)
    refused("a fork, by the honest proof", body(5, proof(5, 9), log.note(fork)), 422)

    note = log.note(tree, 6)
    right = body(5, proof(5, 6), note).decode()
    first, rest = right.split("\n", 1)
    for what, data in (
        ("nothing", b""), ("no old line", rest.encode()), ("a leading zero", f"old 05\n{rest}".encode()), ("a plus sign", f"old +5\n{rest}".encode()),
        ("a minus sign", f"old -5\n{rest}".encode()), ("two spaces", f"old  5\n{rest}".encode()), ("a size beyond 64 bits", f"old {1 << 64}\n{rest}".encode()),
        ("no size", f"old \n{rest}".encode()), ("lines that end as Windows has it", right.replace("\n", "\r\n").encode()),
        ("no empty line", right.replace("\n\n", "\n", 1).encode()), ("no checkpoint", right.split("\n\n")[0].encode() + b"\n\n"),
        ("no line end at the end", right[:-1].encode()), ("64 hashes", body(5, [bytes(32)] * 64, note)), ("a hash of 31 bytes", body(5, [bytes(31)], note)),
        ("a hash of 33 bytes", body(5, [bytes(33)], note)), ("a hash that is none", f"{first}\n!\n\n{note}".encode()),
        ("bytes that are no text", right.encode().replace(b"old", b"\xff\xfe\xfd", 1)), ("a note with a control character", right.replace("\n6\n", "\n6\t\n").encode()),
        ("a size with a leading zero", right.replace("\n6\n", "\n06\n").encode()), ("a note without signature", right.partition("\u2014")[0].encode()),
    ):
        refused(f"{what}", data, 400)
    refused("a body beyond every limit", right.encode() + b"x" * TOO_LARGE, 400, 413)
    status, _, _ = post(prefix, b"", "GET")
    report.check("add-checkpoint is for POST alone", status in (404, 405), status)

    restart()
    refused("after a restart it still knows the size", body(0, [], log.note(tree, 6)), 409, size=5)
    # Of trees that exclude each other, sent at once, one is cosigned.
    forks = [log.tree(7, 6) if n % 2 else tree for n in range(AT_ONCE)]
    bodies = [body(5, t.consistency_proof(5, 7), log.note(t, 7)) for t in forks]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda data: post(prefix, data), bodies))
    won = {aics_tlog.parse_checkpoint(log.note(t, 7).partition("\n\n")[0] + "\n").root for t, a in zip(forks, answers) if a[0] == 200}
    report.equal("of two forks sent at once one is cosigned", (len(won), {a[0] for a in answers} <= {200, 409, 422}), (1, True))
    served = aics_tlog.parse_checkpoint(latest(prefix, log.origin).partition("\n\n")[0] + "\n")
    report.equal("and that one is what monitors see", {served.root}, won)
