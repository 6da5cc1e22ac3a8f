"""Suspension, resumption, end, emergency stop: access stops at once, for what is under way too."""

import http.client
import socket
import time
import urllib.parse

import delta_sharing
import requests

from surface import Surface, is_error, seen

# What may still arrive after access stopped: what the kernel held already.
IN_FLIGHT_MAX_BYTES = 16 << 20
RECEIVE_BUFFER_BYTES = 64 << 10
STOPPED_WITHIN_SECONDS = 10


def run(trade) -> None:
    """On the bulk table, then the stop of the agreement about the flights."""
    suspend_and_resume(trade)
    end_transfer(trade)
    stop_agreement(trade)


def open_download(url: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    """A download that reads nothing by itself."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=STOPPED_WITHIN_SECONDS)
    connection.connect()
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    connection.request("GET", f"{parts.path}?{parts.query}")
    return connection, connection.getresponse()


def rest_of(answer: http.client.HTTPResponse) -> int:
    """How many bytes still come before the connection ends."""
    count = 0
    try:
        while chunk := answer.read(1 << 20):
            count += len(chunk)
    except http.client.IncompleteRead as cut:
        count += len(cut.partial)
    except ConnectionError:
        pass  # cut off, as it should be
    return count


def suspend_and_resume(trade) -> None:
    """The provider suspends; only the provider resumes."""
    report, provider, consumer = trade.report, trade.provider, trade.consumer
    agreement, profile = trade.agreements["bulk"], trade.profile("bulk")
    surface = Surface(profile)
    file = surface.files()[0]
    transfer = provider.transfer_of(agreement, "STARTED")

    connection, answer = open_download(file["url"])
    got = len(answer.read(1 << 20))
    report.equal("a download is under way", (answer.status, got), (200, 1 << 20))
    provider.run("--dir", provider.dir, "transfer", "suspend", transfer["id"])
    refused(report, "suspended", surface, file["url"])
    began = time.monotonic()
    late = rest_of(answer)
    connection.close()
    report.check(
        "suspended: the download under way stops", got + late < file["size"] and late < IN_FLIGHT_MAX_BYTES, f"{late} more bytes"
    )
    report.check("suspended: and it stops at once", time.monotonic() - began < STOPPED_WITHIN_SECONDS)
    theirs = consumer.transfer_of(agreement, "SUSPENDED")
    report.check("suspended: the consumer knows", theirs)
    status = consumer.exit_status("transfer", "resume", theirs["id"])
    report.equal("suspended by the provider: the consumer cannot resume", status, 1)

    provider.run("--dir", provider.dir, "transfer", "resume", transfer["id"])
    consumer.transfer_of(agreement, "STARTED")
    resumed = requests.get(surface.files()[0]["url"], headers={"Range": "bytes=0-9"}, timeout=30)
    report.equal("resumed: the same profile reads again", (resumed.status_code, len(resumed.content)), (206, 10))
    frame = delta_sharing.load_as_pandas(f"{profile}#{surface.share}.{surface.schema}.{surface.table}", limit=5)
    report.equal("resumed: the stock client reads again", len(frame), 5)


def end_transfer(trade) -> None:
    """A transfer that was ended stays ended; the agreement still gives another."""
    report, consumer = trade.report, trade.consumer
    agreement = trade.agreements["bulk"]
    surface = Surface(trade.profile("bulk"))
    url = surface.files()[0]["url"]
    consumer.run("--dir", consumer.dir, "transfer", "end", consumer.transfer_of(agreement, "STARTED")["id"])
    deadline = time.monotonic() + STOPPED_WITHIN_SECONDS
    while requests.head(url, timeout=30).status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.05)  # the consumer's word travels to the provider
    refused(report, "ended by the consumer", surface, url)
    again = trade.folder / "bulk-again.share"
    consumer.run("--dir", consumer.dir, "fetch", agreement, "--profile", again)
    report.equal("a new transfer under the same agreement", requests.head(Surface(again).files()[0]["url"], timeout=30).status_code, 200)
    refused(report, "the old profile after that", surface, url)


def stop_agreement(trade) -> None:
    """The provider stops the agreement for now; the other agreement goes on, and afterwards this one too."""
    report, provider, consumer = trade.report, trade.provider, trade.consumer
    surface, other = Surface(trade.profile("flights")), Surface(trade.profile("flights-csv"))
    url = surface.files()[0]["url"]
    agreement = trade.agreements["flights"]
    status = provider.exit_status("agreement", "end", agreement)
    report.equal("terms without a notice period: not even the provider ends the agreement", status, 1)
    provider.run("--dir", provider.dir, "agreement", "stop", agreement, "--reason", "A drill.")
    refused(report, "agreement stopped", surface, url)
    theirs = consumer.transfer_of(agreement, "SUSPENDED")
    report.check("agreement stopped: the consumer knows", theirs)
    status = consumer.exit_status("fetch", agreement, "--profile", trade.folder / "stopped.share")
    report.equal("agreement stopped: no new profile", status, 1)
    report.check("the other agreement goes on", other.files())
    provider.run("--dir", provider.dir, "agreement", "resume", agreement)
    consumer.transfer_of(agreement, "STARTED")
    report.check("agreement resumed: the same profile reads again", surface.files())


def refused(report, when: str, surface: Surface, url: str) -> None:
    """Neither listing nor querying nor reading."""
    for what, answer in {
        "metadata": surface.get(surface.path + "/metadata"),
        "query": surface.query(),
        "a signed URL": requests.get(url, headers={"Range": "bytes=0-9"}, timeout=30),
    }.items():
        report.check(f"{when}: {what} is refused", is_error(answer, 401, 403, 404), seen(answer))
