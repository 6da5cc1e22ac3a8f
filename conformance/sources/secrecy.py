"""Secrets of connections are nowhere in the clear, and sources' places are nobody else's business."""

import json
import pathlib
import tarfile

import pyarrow as pa
import requests


def run(exchange) -> None:
    """Looks through everything that the nodes wrote and said."""
    report, provider, consumer = exchange.report, exchange.provider, exchange.consumer
    secrets = {
        "the S3 key": exchange.s3.secret_key, "the database's password": exchange.postgres.password,
        "a wrong S3 key": "wrong-secret-of-the-suite", "an unknown S3 key": "unknown-secret-of-the-suite",
        "a wrong password": "wrong-password-of-the-suite",
    }
    connections = json.dumps(provider.ask("connection", "list"))
    report.check("secrets: connections are listed", exchange.s3.endpoint in connections and "plant" in connections, connections)
    backup = exchange.folder / "provider.tar.zst"
    provider.run("backup", "--dir", provider.dir, "--out", backup)
    entries = unpacked(backup)
    report.check("secrets: the backup opens", any(name.endswith("manifest.json") for name in entries), list(entries))
    said = "".join(requests.get(f"{consumer_sees}", timeout=30).text for consumer_sees in (f"{provider.address}/did.json",))
    said += json.dumps(consumer.ask("catalog", provider.address))
    told = {
        "the list of connections": [connections.encode()],
        "the node's folder, database and log": [content(f) for f in files(provider.dir)],
        "the backup": list(entries.values()),
        "what the counterparty keeps": [content(f) for f in files(consumer.dir)],
        "what the counterparty is told": [said.encode(), *(f.read_bytes() for f in exchange.folder.glob("*.share"))],
    }
    for place, contents in told.items():
        found = [name for name, secret in secrets.items() if any(secret.encode() in c for c in contents)]
        report.check(f"secrets: none in {place}", not found and contents, found)
    places = [exchange.s3.endpoint, exchange.s3.access_key, "tables/flights", "raw/2013", "FROM flights", f"127.0.0.1:{exchange.postgres.port}",
              str(exchange.folder / "lake"), "_delta_log", "deletion_vector_"]
    for place in ("what the counterparty keeps", "what the counterparty is told"):
        found = [text for text in places if any(text.encode() in c for c in told[place])]
        report.check(f"secrets: nothing of where the data came from in {place}", not found, found)


def files(folder: pathlib.Path) -> list[pathlib.Path]:
    """All files of a node's but the data, which is the publisher's own."""
    return [f for f in folder.rglob("*") if f.is_file() and "data" not in f.relative_to(folder).parts[:1]]


def content(file: pathlib.Path) -> bytes:
    """A file of a running node may go away meanwhile."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def unpacked(backup: pathlib.Path) -> dict[str, bytes]:
    """What a backup holds, but the data."""
    with pa.CompressedInputStream(pa.OSFile(str(backup)), "zstd") as plain, tarfile.open(fileobj=plain, mode="r|") as tar:
        found = {}
        for member in tar:
            if member.isfile() and not member.name.removeprefix("./").startswith("data/"):
                found[member.name] = tar.extractfile(member).read()
        return found
