"""Programs that others wrote, each of which can say whether a log or a proof holds."""

import contextlib
import os
import pathlib
import subprocess
import sys
import time
import urllib.error
import urllib.request

import aics_tlog
from aics_witness.feeder import WitnessClient

from node import free_port

WITHIN_SECONDS = 300
READY_WITHIN_SECONDS = 20


def holds(*command: object) -> tuple[bool, str]:
    """Runs a verifier: whether it accepts, and what it said."""
    done = subprocess.run(
        list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WITHIN_SECONDS, check=False
    )
    return done.returncode == 0, (done.stdout + done.stderr).strip()


def go_log(folder: pathlib.Path, key: str, old: pathlib.Path | None = None) -> tuple[bool, str]:
    """Go's sumdb packages on a copy of a log: all of it."""
    return holds(os.environ["VERIFIER"], "log", folder, key, *([old] if old else []))


def go_proof(proof: pathlib.Path, leaf: pathlib.Path, key: str) -> tuple[bool, str]:
    """Go's sumdb packages on a receipt."""
    return holds(os.environ["VERIFIER"], "proof", proof, leaf, key)


def aics(command: str, folder: pathlib.Path, key: str, *args: object) -> tuple[bool, str]:
    """The Python verifier on a copy of a log: `verify-checkpoint`, `verify-inclusion` or `verify-consistency`."""
    return holds(sys.executable, "-m", "aics_tlog", command, "--tiles", folder, "--log-key", key, *args)


@contextlib.contextmanager
def witness(folder: pathlib.Path, origin: str, key: str):
    """A witness that trusts one log; its client and its key."""
    program = [sys.executable, "-m", "aics_witness"]
    config = folder / "witness.json"
    address = f"127.0.0.1:{free_port()}"
    folder.mkdir()

    def run(*args: str) -> str:
        done = subprocess.run(
            [*program, *args, "--config", str(config)], capture_output=True, text=True, timeout=WITHIN_SECONDS, check=True
        )
        return done.stdout

    run("init", "--name", "witness.example/other", "--listen", address)
    run("add-log", "--origin", origin, "--vkey", key)
    vkey = next(line.split()[1] for line in run("status").splitlines() if line.startswith("vkey"))
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([*program, "serve", "--config", str(config)], stdout=log, stderr=log)
    try:
        wait_for(f"http://{address}/", process)
        yield WitnessClient(f"http://{address}", vkey), vkey
    finally:
        process.terminate()
        process.wait(READY_WITHIN_SECONDS)


def wait_for(url: str, process: subprocess.Popen) -> None:
    """Until a server answers anything at all."""
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{url} does not answer") from None
            time.sleep(0.1)


def aics_audit(folder: pathlib.Path, key: str) -> tuple[bool, str]:
    """The Python verifier on a copy of a log: all of it."""
    try:
        note = aics_tlog.parse_note((folder / "checkpoint").read_bytes())
        found = aics_tlog.verify_checkpoint(note, aics_tlog.parse_vkey(key), expected_origin=key.split("+")[0])
        if not found.ok:
            return False, str(found.error)
        checkpoint = aics_tlog.parse_checkpoint(note.text)
        return True, str(aics_tlog.audit_tiles(aics_tlog.FileSystemTileReader(folder), checkpoint.size, checkpoint.root))
    except Exception as error:  # whatever it dislikes
        return False, f"{type(error).__name__}: {error}"


def consistency(folder: pathlib.Path):
    """Makes consistency proofs out of a copy of a log, by the Python verifier's own code."""
    reader = aics_tlog.FileSystemTileReader(folder)
    return lambda old, new: aics_tlog.consistency_proof_from_tiles(reader, old, new)
