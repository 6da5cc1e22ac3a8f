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


class Witness:
    """The Python witness, of which each log is told; a folder of its own."""

    def __init__(self, folder: pathlib.Path, name: str) -> None:
        self.slug, self.folder, self.process = name, folder, None
        self.address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.address}"
        folder.mkdir()
        self.run("init", "--name", name, "--listen", self.address)
        self.key = next(line.split()[1] for line in self.run("status").splitlines() if line.startswith("vkey"))

    def command(self, *args: str) -> list[str]:
        """Its command line."""
        return [sys.executable, "-m", "aics_witness", *args, "--config", str(self.folder / "witness.json")]

    def run(self, *args: str) -> str:
        """Runs a command of it; what it printed."""
        done = subprocess.run(self.command(*args), capture_output=True, text=True, timeout=WITHIN_SECONDS, check=True)
        return done.stdout

    def trust(self, key: str) -> None:
        """Tells it of a log, which is named like its key. Before it starts."""
        self.run("add-log", "--origin", key.split("+")[0], "--vkey", key)

    def start(self) -> None:
        """Starts it and waits until it answers."""
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(self.command("serve"), stdout=log, stderr=log)
        wait_for(self.url + "/", self.process)

    def stop(self) -> None:
        """Stops it."""
        if self.process:
            process, self.process = self.process, None
            process.terminate()
            process.wait(READY_WITHIN_SECONDS)

    def client(self) -> WitnessClient:
        """Its makers' own client."""
        return WitnessClient(self.url, self.key)


@contextlib.contextmanager
def witness(folder: pathlib.Path, name: str, *keys: str):
    """A running witness that trusts the logs of these keys."""
    made = Witness(folder, name)
    for key in keys:
        made.trust(key)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def tessera(*args: object) -> tuple[bool, str]:
    """Tessera's log: whether it did what it was told, and what it said."""
    return holds(os.environ["TESSERA"], *args)


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
