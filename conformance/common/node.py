"""A node of its own folder, driven by its command line alone."""

import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import time

READY_WITHIN_SECONDS = 20
STOP_WITHIN_SECONDS = 20
COMMAND_WITHIN_SECONDS = 300


def free_port() -> int:
    """A loopback port that nobody uses now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Refused(Exception):
    """A command ended with another status than 0."""

    def __init__(self, status: int, out: str, err: str) -> None:
        super().__init__(f"exit status {status}: {err.strip()} {out.strip()}")
        self.status = status
        self.out = out


class Node:
    """One node: made at once, started and stopped when told."""

    def __init__(self, directory: pathlib.Path, slug: str, name: str, public: str = "") -> None:
        self.binary = os.environ["FONDACO"]
        self.dir = directory
        self.slug = slug
        self.public = public or f"http://127.0.0.1:{free_port()}"
        admin = f"127.0.0.1:{free_port()}"
        self.admin = f"http://{admin}"
        self.process = None
        self.run(
            "init", "--dir", directory, "--participant", slug, "--name", name, "--public", self.public, "--admin", admin
        )

    @property
    def password(self) -> str:
        """The first console login's."""
        return (self.dir / "admin.password").read_text().strip()

    @property
    def address(self) -> str:
        """How peers name the participant."""
        return f"{self.public}/p/{self.slug}"

    def run(self, *args: object, given: str | None = None) -> str:
        """Runs a command, with `given` on its stdin; what it printed on stdout."""
        done = subprocess.run(
            [self.binary, *map(str, args)],
            input=given, stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True, text=True, timeout=COMMAND_WITHIN_SECONDS, check=False,
        )
        if done.returncode != 0:
            raise Refused(done.returncode, done.stdout, done.stderr)
        return done.stdout

    def ask(self, *args: object, given: str | None = None) -> dict:
        """Runs a command of the running node with --json; the one document it prints."""
        return json.loads(self.run("--dir", self.dir, "--json", *args, given=given))

    def refusal(self, *args: object, given: str | None = None) -> dict:
        """The problem document of a command of the running node that must be refused; empty when it was not."""
        try:
            self.ask(*args, given=given)
        except Refused as refused:
            return json.loads(refused.out)
        return {}

    def exit_status(self, *args: object) -> int:
        """Runs a command of the running node; how it ended."""
        try:
            self.run("--dir", self.dir, *args)
        except Refused as refused:
            return refused.status
        return 0

    def start(self) -> None:
        """Starts it and waits for its word that it is ready."""
        with open(self.dir / "stderr.log", "ab") as log:
            self.process = subprocess.Popen([self.binary, "serve", "--dir", str(self.dir)], stdout=subprocess.PIPE, stderr=log)
        readable, _, _ = select.select([self.process.stdout], [], [], READY_WITHIN_SECONDS)
        line = self.process.stdout.readline().decode() if readable else ""
        if not line.startswith("ready "):
            raise RuntimeError(f"{self.slug} is not ready: {line!r}\n{(self.dir / 'stderr.log').read_text()[-4000:]}")

    def stop(self) -> None:
        """Stops it as an operator would; it must end by itself."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(STOP_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        if status != 0:
            raise RuntimeError(f"{self.slug} stopped with status {status}")

    def transfer_of(self, agreement: str, state: str, within_seconds: float = 20) -> dict:
        """The transfer of an agreement, once it is in `state` here."""
        deadline = time.monotonic() + within_seconds
        while True:
            transfers = [t for t in self.ask("transfer", "list")["transfers"] if t["agreementId"] == agreement]
            for transfer in transfers:
                if transfer["state"] == state:
                    return transfer
            if time.monotonic() > deadline:
                raise RuntimeError(f"no transfer of {agreement} is {state} at {self.slug}: {transfers}")
            time.sleep(0.1)


def pair(folder: pathlib.Path, nodes: list[Node]) -> tuple[Node, Node]:
    """A provider and a consumer that run; they join `nodes`, which are stopped at the end."""
    nodes += [Node(folder / "provider", "mill", "Paper Mill"), Node(folder / "consumer", "printer", "Printing House")]
    for node in nodes:
        node.start()
    provider, consumer = nodes
    return provider, consumer
