"""Sources that are broken, hostile or gone: each is refused with its code and clear words, and nothing is left behind."""

import json
import pathlib
import shutil
import threading
import time

import lake
import psycopg
import pyarrow.parquet as pq
from deltalake import write_deltalake
from misbehaving import BadS3
from servers import REGION

WITHIN_SECONDS = 120


def run(exchange) -> None:
    """Tables of Delta, object stores, databases."""
    before = stored(exchange)
    bad = BadS3(small_file(exchange))
    try:
        slow = Slow(exchange, bad)
        delta(exchange)
        keys_and_buckets(exchange)
        objects(exchange, bad)
        databases(exchange)
        slow.join()
    finally:
        bad.stop()
    left = sorted(stored(exchange) - before - {p for p in stored(exchange) if "/fails-twice/" in p})
    exchange.report.check("nothing of what was refused is left in the data folder", not left, left)


def stored(exchange) -> set[str]:
    """Every file in the provider's data folder."""
    return {str(p) for p in (exchange.provider.dir / "data").rglob("*") if not p.is_dir()}


def small_file(exchange) -> pathlib.Path:
    """A Parquet file of a megabyte or so: too large for a socket's buffer at once."""
    file = exchange.folder / "small.parquet"
    pq.write_table(exchange.sample, file, compression="none")
    return file


def refused(exchange, what: str, code: str, words: tuple, *args: object) -> dict:
    """A publication that must fail."""
    problem = exchange.provider.refusal("product", "add", *args, "--id", "bad", "--title", "Bad")
    detail = problem.get("detail", "")
    exchange.report.equal(f"{what}: refused", problem.get("code"), code)
    exchange.report.check(f"{what}: in words that help", all(word in detail for word in words), detail)
    return problem


def delta(exchange) -> None:
    """Damaged and hostile logs."""
    report, folder = exchange.report, exchange.folder / "bad-lakes"
    folder.mkdir()
    good = folder / "good"
    for first, last in ((1, 2), (3, 4), (5, 6)):
        write_deltalake(str(good), lake.months(exchange.sample, first, last), partition_by=["month"], mode="append")
    added = next(json.loads(line)["add"] for line in (good / "_delta_log" / f"{1:020}.json").read_text().splitlines() if '"add"' in line)

    def table(name: str, *actions: dict) -> pathlib.Path:
        copy = folder / name
        shutil.copytree(good, copy)
        if actions:
            (copy / "_delta_log" / f"{3:020}.json").write_text("".join(json.dumps(action) + "\n" for action in actions))
        return copy

    copy = table("missing-file")
    (copy / added["path"]).unlink()
    refused(exchange, "Delta, a missing data file", "FDC-4001", (pathlib.Path(added["path"]).name, "missing"), copy)
    copy = table("cut-file")
    (copy / added["path"]).write_bytes((copy / added["path"]).read_bytes()[:-100])
    refused(exchange, "Delta, a truncated data file", "FDC-4002", (pathlib.Path(added["path"]).name,), copy)
    copy = table("missing-commit")
    (copy / "_delta_log" / f"{1:020}.json").unlink()
    refused(exchange, "Delta, a missing commit", "FDC-4002", ("1",), copy)
    copy = table("cut-commit")
    (copy / "_delta_log" / f"{2:020}.json").write_text('{"add": {"path": "x')
    refused(exchange, "Delta, a commit that is not JSON", "FDC-4002", (), copy)
    feature = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["teleportation"], "writerFeatures": ["teleportation"]}
    refused(exchange, "Delta, an unknown reader feature", "FDC-4001", ("teleportation",), table("feature", {"protocol": feature}))
    newer = {"minReaderVersion": 9, "minWriterVersion": 9}
    refused(exchange, "Delta, a newer protocol", "FDC-4001", ("9",), table("newer", {"protocol": newer}))

    outside = folder / "secret.parquet"
    shutil.copy(good / added["path"], outside)
    size = outside.stat().st_size
    for number, path in enumerate(
        ["../secret.parquet", "month=1/../../secret.parquet", "..%2Fsecret.parquet", "%2e%2e/secret.parquet", str(outside), f"file://{outside}",
         "s3://lake/secret.parquet", "http://127.0.0.1:1/secret.parquet"]
    ):
        copy = table(f"leaves-{number}", {"add": {**added, "path": path, "size": size}})
        refused(exchange, f"Delta, a path that leaves the table ({path.replace(str(folder), '…')})", "FDC-4002", (), copy)
    copy = table("link", {"add": {**added, "path": "month=1/link.parquet", "size": size}})
    (copy / "month=1" / "link.parquet").symlink_to(outside)
    problem = exchange.provider.refusal("product", "add", copy, "--id", "bad", "--title", "Bad")
    report.check("Delta, a link that leaves the table: refused", problem.get("code") in ("FDC-4001", "FDC-4002"), problem)


def add_s3(exchange, name: str, endpoint: str, bucket: str, *args: object, secret: str | None = None) -> None:
    """Adds a connection."""
    settings = ("--endpoint", endpoint, "--region", REGION, "--bucket", bucket, "--path-style")
    exchange.provider.ask("connection", "add-s3", name, *settings, *args, given=None if secret is None else secret + "\n")


def keys_and_buckets(exchange) -> None:
    """What a real S3 server refuses."""
    report, server = exchange.report, exchange.s3
    key = ("--access-key", server.access_key)
    for name, code, word, endpoint, bucket, keys, secret in (
        ("a wrong secret key", "FDC-4008", "secret key", server.endpoint, server.bucket, key, "wrong-secret-of-the-suite"),
        ("an unknown access key", "FDC-4008", "access key", server.endpoint, server.bucket, ("--access-key", "AKIANOBODY"), "unknown-secret-of-the-suite"),
        ("a bucket of others", "FDC-4008", "refused", server.endpoint, "another-bucket", key, server.secret_key),
        ("a missing bucket", "FDC-4001", "bucket", server.endpoint, "no-such-bucket", key, server.secret_key),
        ("nobody there", "FDC-4007", "reached", "http://127.0.0.1:9", server.bucket, key, server.secret_key),
    ):
        connection = name.replace(" ", "-")
        add_s3(exchange, connection, endpoint, bucket, *keys, secret=secret)
        refused(exchange, f"S3, {name}", code, (word,), "raw/2013", "--s3", connection)
        problem = exchange.provider.refusal("connection", "check", connection)
        report.equal(f"S3, {name}: a check says so too", problem.get("code"), code)
        exchange.provider.ask("connection", "remove", connection)
    refused(exchange, "S3, an object that is not there", "FDC-4001", ("no-such-key",), "no-such-key.parquet", "--s3", "lake")
    report.equal("S3, a connection that is not there", exchange.provider.refusal(
        "product", "add", "x", "--s3", "removed", "--id", "bad", "--title", "Bad").get("code"), "FDC-1004")


def objects(exchange, bad: BadS3) -> None:
    """Failures that pass, and those that do not."""
    for bucket in ("fails-twice", "changes", "climbs", "odd-answers"):
        add_s3(exchange, bucket, bad.endpoint, bucket)
    shown = exchange.report.attempt(
        "S3, 500 twice at each request: published all the same", lambda: exchange.publish("fails-twice", "up", "--s3", "fails-twice")
    )
    if shown:
        exchange.values("S3, 500 twice", exchange.profile(exchange.buy("fails-twice")), exchange.sample)
    refused(exchange, "S3, an object that changes while it is read", "FDC-4001", ("changed",), "up", "--s3", "changes")
    refused(exchange, "S3, not S3 at all", "FDC-4007", ("no S3 storage",), "up", "--s3", "odd-answers")
    problem = exchange.provider.refusal("connection", "check", "odd-answers")
    exchange.report.equal("S3, not S3 at all: a check says so too", problem.get("code"), "FDC-4007")
    exchange.report.check("S3, not S3 at all: a check speaks of no publication", "published" not in problem.get("detail", ""), problem)
    known = {c["name"]: c.get("lastCheck", {}) for c in exchange.provider.ask("connection", "list")["connections"]}
    last = known["odd-answers"]
    exchange.report.equal("S3, not S3 at all: the check is kept", (last.get("works"), last.get("code")), (False, "FDC-4007"))
    for kind in ("table", "files"):
        problem = exchange.provider.refusal("product", "add", "up", "--s3", "climbs", "--kind", kind, "--id", "bad", "--title", "Bad")
        exchange.report.check(f"S3, a key that climbs, as {kind}: refused", problem.get("code", "").startswith("FDC-4"), problem)


class Slow:
    """Servers that take their time, while the other checks go on."""

    def __init__(self, exchange, bad: BadS3) -> None:
        self.exchange, self.problems, self.threads = exchange, {}, []
        for bucket in ("stalls", "crawls"):
            add_s3(exchange, bucket, bad.endpoint, bucket)
            thread = threading.Thread(target=self.publish, args=(bucket,), daemon=True)
            thread.start()
            self.threads.append(thread)

    def publish(self, bucket: str) -> None:
        began = time.monotonic()
        problem = self.exchange.provider.refusal("product", "add", "up", "--s3", bucket, "--id", f"bad-{bucket}", "--title", "Bad")
        self.problems[bucket] = (problem, time.monotonic() - began)

    def join(self) -> None:
        """Waits, and checks what they were told."""
        for thread in self.threads:
            thread.join(WITHIN_SECONDS)
        for bucket, word in (("stalls", "nothing arrived"), ("crawls", "slower")):
            problem, seconds = self.problems.get(bucket, ({}, WITHIN_SECONDS))
            what = f"S3, a server that {bucket}"
            self.exchange.report.equal(f"{what}: given up", problem.get("code"), "FDC-4007")
            self.exchange.report.check(f"{what}: in words that help", word in problem.get("detail", ""), problem)
            self.exchange.report.check(f"{what}: within {WITHIN_SECONDS} s", seconds < WITHIN_SECONDS, seconds)


def databases(exchange) -> None:
    """Logins, queries that write, and a server that goes away in mid-snapshot."""
    report, server, provider = exchange.report, exchange.postgres, exchange.provider
    for name, code, port, database, password in (
        ("a wrong password", "FDC-4008", server.port, "postgres", "wrong-password-of-the-suite"),
        ("a missing database", "FDC-4008", server.port, "no_such_database", server.password),
        ("nobody there", "FDC-4007", 9, "postgres", server.password),
    ):
        connection = "pg-" + name.replace(" ", "-")
        settings = ("--host", "127.0.0.1", "--port", port, "--database", database, "--user", server.user, "--tls", "disable")
        provider.ask("connection", "add-postgres", connection, *settings, given=password + "\n")
        refused(exchange, f"PostgreSQL, {name}", code, (), "--postgres", connection, "--query", "SELECT 1 AS one")
        report.equal(f"PostgreSQL, {name}: a check says so too", provider.refusal("connection", "check", connection).get("code"), code)
    # Rights are not what refuses these.
    server.execute("CREATE TABLE ledger AS SELECT 1 AS id", f"GRANT ALL ON ledger TO {server.user}", "CREATE SEQUENCE numbers",
                   f"GRANT ALL ON SEQUENCE numbers TO {server.user}")
    for query in (
        "DELETE FROM ledger RETURNING id", "INSERT INTO ledger VALUES (2) RETURNING id", "SELECT nextval('numbers') AS n",
        "WITH gone AS (DELETE FROM ledger RETURNING id) SELECT id FROM gone", "SELECT 1 AS one; DROP TABLE ledger",
        "COMMIT", "SET TRANSACTION READ WRITE", "COPY ledger TO STDOUT", "SELECT nothing FROM nowhere", "CREATE TABLE t (id int)", "",
    ):
        problem = provider.refusal("product", "add", "--postgres", "plant", "--query", query, "--id", "bad", "--title", "Bad")
        report.check(f"PostgreSQL, {query or 'an empty query'!r}: refused", problem.get("code") in ("FDC-4008", "FDC-1001"), problem)
    with server.owner() as owner:
        report.equal("PostgreSQL: and nothing was written", owner.execute("SELECT id FROM ledger").fetchall(), [(1,)])
        refused_in_the_middle(exchange, owner)


def refused_in_the_middle(exchange, owner: psycopg.Connection) -> None:
    """The server ends the connection while rows flow."""
    told = []
    query = 'SELECT * FROM flights WHERE pg_sleep(0.0005) IS NOT NULL'
    args = ("product", "add", "--postgres", "plant", "--query", query, "--id", "bad", "--title", "Bad")
    thread = threading.Thread(target=lambda: told.append(exchange.provider.refusal(*args)), daemon=True)
    thread.start()
    deadline, killed = time.monotonic() + WITHIN_SECONDS, []
    # Once it has read for a second, a few hundred rows are on their way.
    while not killed and time.monotonic() < deadline:
        killed = owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%%pg_sleep(0.0005)%%' AND pid <> pg_backend_pid() "
            "AND state = 'active' AND query_start < clock_timestamp() - interval '1 second'"
        ).fetchall()
        time.sleep(0.05)
    thread.join(WITHIN_SECONDS)
    problem = told[0] if told else {}
    exchange.report.equal("PostgreSQL, gone in mid-snapshot: refused", problem.get("code"), "FDC-4007")
    exchange.report.check("PostgreSQL, gone in mid-snapshot: in words that help", "lost" in problem.get("detail", ""), problem)
