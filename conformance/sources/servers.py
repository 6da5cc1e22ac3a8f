"""Where sources lie: an S3 server that checks signatures and rights, and a PostgreSQL of our own."""

import glob
import json
import logging
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import tempfile
import time

import boto3
import psycopg
import requests
from moto.server import ThreadedMotoServer
from node import free_port

REGION = "eu-central-1"
UP_WITHIN_SECONDS = 60


class S3:
    """A bucket on moto's server, and a user who may list and read it and nothing else."""

    slug = "S3"
    bucket = "lake"

    def __init__(self) -> None:
        # A line per request would hide the checks.
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.server.start()
        _, port = self.server.get_host_and_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        # Until access is checked, every key does.
        bucket = [f"arn:aws:s3:::{self.bucket}", f"arn:aws:s3:::{self.bucket}/*"]
        owner = self.user("owner", ["s3:*"], ["*"])
        self.access_key, self.secret_key = self.user("reader", ["s3:ListBucket", "s3:GetObject"], [*bucket, "arn:aws:s3:::no-such-bucket"])
        self.objects = self.client("s3", *owner)
        self.objects.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        # From now on each request needs a right signature and the right to do it.
        requests.post(f"{self.endpoint}/moto-api/reset-auth", data=b"0", timeout=30).raise_for_status()

    def client(self, service: str, access_key: str = "setup", secret_key: str = "setup"):
        """A client of the vendor's."""
        keys = {"aws_access_key_id": access_key, "aws_secret_access_key": secret_key}
        return boto3.client(service, endpoint_url=self.endpoint, region_name=REGION, **keys)

    def user(self, name: str, actions: list[str], resources: list[str]) -> tuple[str, str]:
        """Makes a user; its access key and secret key."""
        users, rule = self.client("iam"), {"Effect": "Allow", "Action": actions, "Resource": resources}
        users.create_user(UserName=name)
        users.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [rule]}))
        key = users.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    def upload(self, file: pathlib.Path, key: str) -> None:
        """Puts a file there."""
        self.objects.upload_file(str(file), self.bucket, key)

    def upload_folder(self, folder: pathlib.Path, prefix: str) -> None:
        """Puts a folder there."""
        for file in sorted(f for f in folder.rglob("*") if f.is_file()):
            self.upload(file, f"{prefix}/{file.relative_to(folder)}")

    def stop(self) -> None:
        """Stops it."""
        self.server.stop()


class Postgres:
    """A private server that wants passwords, in a folder of its own, as a user without rights (it refuses to run as root)."""

    slug = "PostgreSQL"
    user = "reader"

    def __init__(self) -> None:
        programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not programs:
            raise RuntimeError("PostgreSQL is not installed (Debian: postgresql)")
        self.programs = pathlib.Path(programs[-1])
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fondaco-postgres-"))
        self.port = free_port()
        self.owner_password, self.password = secrets.token_hex(12), secrets.token_hex(12)
        (self.folder / "password").write_text(self.owner_password)
        self.drop = []
        if os.geteuid() == 0:
            self.drop = ["--reuid=postgres", "--regid=postgres", "--clear-groups"]
            for path in (self.folder, self.folder / "password"):
                shutil.chown(path, "postgres", "postgres")
        subprocess.run(
            self.command("initdb", "--pgdata=db", "--username=owner", "--auth=scram-sha-256", "--pwfile=password", "--encoding=UTF8", "--no-sync"),
            cwd=self.folder, check=True, capture_output=True,
        )
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "fsync": "off"}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with open(self.folder / "log", "wb") as log:
            # It ends with this program, however that ends.
            self.process = subprocess.Popen(self.command("postgres", "-D", "db", *options), cwd=self.folder, stdout=log, stderr=log)
        deadline = time.monotonic() + UP_WITHIN_SECONDS
        while True:
            try:
                self.owner().close()
                break
            except psycopg.OperationalError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("PostgreSQL is not up: " + (self.folder / "log").read_text()[-2000:]) from None
                time.sleep(0.1)
        self.execute(f"CREATE ROLE {self.user} LOGIN PASSWORD '{self.password}'")

    def command(self, program: str, *args: str) -> list[str]:
        """A program of the server's, as its user."""
        return ["setpriv", *self.drop, "--pdeathsig=QUIT", str(self.programs / program), *args]

    def owner(self) -> psycopg.Connection:
        """A connection that may do everything."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="owner", password=self.owner_password, dbname="postgres", autocommit=True, connect_timeout=10
        )

    def execute(self, *statements: str) -> None:
        """Runs statements."""
        with self.owner() as connection:
            for statement in statements:
                connection.execute(statement)

    def load(self, name: str, table, types: dict) -> None:
        """Makes a table with these columns and copies the rows in; the reader may read it."""
        columns = ", ".join(f'"{column}" {kind}' for column, kind in types.items())
        with self.owner() as connection:
            connection.execute(f"CREATE TABLE {name} ({columns})")
            with connection.cursor() as cursor, cursor.copy(f"COPY {name} FROM STDIN (FORMAT csv, NULL '')") as copy:
                copy.write(table)
            connection.execute(f"GRANT SELECT ON {name} TO {self.user}")

    def stop(self) -> None:
        """Stops it at once and removes what it kept."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(UP_WITHIN_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)
