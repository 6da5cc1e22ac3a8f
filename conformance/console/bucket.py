"""An S3 bucket on moto's server, whose objects wait until they are let out: a source that takes its time."""

import logging
import threading

import boto3
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

NAME = "lake"
REGION = "us-east-1"
KEY, SECRET = "reader", "sesame-of-the-lake"
# Longer than any page is waited for, shorter than the node's patience.
HELD_SECONDS = 60


class Bucket:
    """A bucket of this process."""

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.open = threading.Event()
        self.open.set()
        self.inner = DomainDispatcherApplication(create_backend_app)
        self.server = make_server("127.0.0.1", 0, self.answer, threaded=True)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET}
        self.client = boto3.client("s3", endpoint_url=self.address, region_name=REGION, **keys)
        self.client.create_bucket(Bucket=NAME)

    def answer(self, environ: dict, start):
        """Objects wait; lists do not."""
        if environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].endswith(".csv"):
            self.open.wait(HELD_SECONDS)
        return self.inner(environ, start)

    def put(self, key: str, body: str) -> None:
        """Puts an object there."""
        self.client.put_object(Bucket=NAME, Key=key, Body=body.encode())

    def stop(self) -> None:
        """Stops it."""
        self.open.set()
        self.server.shutdown()
