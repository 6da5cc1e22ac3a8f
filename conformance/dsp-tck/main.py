"""The official kit of the Dataspace Protocol against one node: every test that it has enabled, three times in a row."""

import os
import pathlib
import re
import subprocess
import sys

from node import Node, free_port
from report import Report, run_suite

HERE = pathlib.Path(__file__).parent
# A state that only some runs leave behind shows in the second or third.
RUNS = 3
# The tests that the kit has enabled in the version of the pom. Fewer means that it did not find them all.
TESTS = 65
# The kit waits this long for each message it expects.
WAIT_SECONDS = 10
RUN_WITHIN_SECONDS = 900
# Who the kit is to the node, which knows it by a fixed header.
KIT = "TCK_PARTICIPANT"


def known_by_header(node: Node, header: str) -> None:
    """Lets the node take calls with this header for the kit's."""
    with open(node.dir / "fondaco.toml", "a", encoding="utf-8") as config:
        config.write(f'\n[identity]\nauthenticator = "static"\nstatic_outgoing = "Bearer node"\nstatic = {{ "{header}" = "{KIT}" }}\n')


def settings(node: Node, did: str, header: str, file: pathlib.Path) -> None:
    """Writes what the kit is told."""
    port = free_port()
    api = f"{node.admin}/api/v1/participants/{node.slug}"
    told = {
        "dataspacetck.ansi": "false",
        "dataspacetck.host": "127.0.0.1",
        "dataspacetck.port": port,
        "dataspacetck.callback.address": f"http://127.0.0.1:{port}",
        "dataspacetck.dsp.local.connector": "false",
        "dataspacetck.dsp.connector.agent.id": did,
        "dataspacetck.dsp.connector.http.url": f"{node.address}/dsp/2025-1",
        "dataspacetck.dsp.connector.http.base.url": node.address,
        "dataspacetck.dsp.connector.http.headers.authorization": header,
        "dataspacetck.dsp.connector.negotiation.initiate.url": f"{api}/negotiations/initiate",
        "dataspacetck.dsp.connector.transfer.initiate.url": f"{api}/transfers/initiate",
        "dataspacetck.dsp.default.wait": WAIT_SECONDS,
    }
    lines = [f"{key}={value}" for key, value in told.items()]
    file.write_text((HERE / "kit.properties").read_text(encoding="utf-8") + "\n".join(lines) + "\n", encoding="utf-8")


def run_kit(file: pathlib.Path, log: pathlib.Path) -> str:
    """Runs the kit once; what it printed. Its exit status says nothing."""
    command = ["java", "-Xmx512m", "-cp", os.environ["DSP_TCK"] + "/*", "org.eclipse.dataspacetck.dsp.suite.DspTckSuite", "-config", str(file)]
    with open(log, "wb") as out:
        subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=RUN_WITHIN_SECONDS, check=False)
    return log.read_text(encoding="utf-8", errors="replace")


def judge(report: Report, number: int, said: str) -> None:
    """Counts the tests of one run."""
    counts = {word: re.search(rf"{word} tests: (\d+)", said) for word in ("Passed", "Failed")}
    if not all(counts.values()) or "Test run complete" not in said:
        report.check(f"run {number} of the kit ends", False, said[-600:])
        return
    passed, failed = (int(counts[word].group(1)) for word in ("Passed", "Failed"))
    report.passed += passed
    report.failed += failed
    print(f"run {number}: {passed} of the kit's tests passed, {failed} failed", flush=True)
    if failed:
        print(said[said.find("Failures:"):], flush=True)
    report.equal(f"run {number} has every test of the kit", passed + failed, TESTS)


def body(report: Report, folder: pathlib.Path, nodes: list) -> None:
    """One node, prepared by its seed file, and the kit beside it."""
    node = Node(folder / "node", "connector", "Connector under test")
    nodes.append(node)
    header = "Bearer " + (node.dir / "admin.token").read_text(encoding="utf-8").strip()
    known_by_header(node, header)
    node.start()
    done = report.attempt("the seed file is applied", lambda: node.ask("apply", HERE / "seed.toml"))
    again = report.attempt("and again", lambda: node.ask("apply", HERE / "seed.toml"))
    if not done or not again:
        return
    report.equal("which changes nothing", {line["outcome"] for line in again["applied"]}, {"unchanged"})
    [us] = node.ask("participant", "list")["participants"]
    file = folder / "kit.properties"
    settings(node, us["did"], header, file)
    for number in range(1, RUNS + 1):
        judge(report, number, run_kit(file, folder / f"kit-{number}.log"))


if __name__ == "__main__":
    sys.exit(run_suite("dsp-tck", body))
