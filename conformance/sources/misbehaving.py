"""Servers that misbehave on purpose: an S3 that fails, stalls, crawls or changes its mind, and a proxy that cuts connections."""

import hashlib
import http.server
import pathlib
import select
import socket
import struct
import threading
import urllib.parse
from xml.sax.saxutils import escape

from node import free_port

PIECE = 64 << 10
# Slower than anybody would wait for, fast enough never to seem dead.
CRAWL_BYTES, CRAWL_SECONDS = 2048, 1.0


class BadS3:
    """Lists and gives one object in every bucket; the bucket's name says what goes wrong.

    `fails-twice`: each request is answered 500 twice before it is answered. `stalls`: half of the object, then nothing.
    `crawls`: a trickle. `changes`: another ETag than the one listed. `climbs`: a key that leads upwards. `odd-answers`: not XML.
    """

    slug = "misbehaving S3"

    def __init__(self, file: pathlib.Path) -> None:
        content, stopping, asked = file.read_bytes(), threading.Event(), {}
        etag = f'"{hashlib.md5(content).hexdigest()}"'

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_) -> None:
                pass

            def answer(self, status: int, body: bytes, headers: dict | None = None, length: int | None = None) -> None:
                self.send_response(status)
                for name, value in {"Content-Length": len(body) if length is None else length, **(headers or {})}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)
                    self.wfile.flush()

            def do_GET(self) -> None:
                url = urllib.parse.urlsplit(self.path)
                bucket, _, key = url.path.lstrip("/").partition("/")
                query = urllib.parse.parse_qs(url.query)
                asked[self.path] = asked.get(self.path, 0) + 1
                if bucket == "fails-twice" and asked[self.path] <= 2:
                    return self.answer(500, b"<Error><Code>InternalError</Code></Error>")
                name = "up/../../../table.parquet" if bucket == "climbs" else "up/table.parquet"
                if not key:
                    if bucket == "odd-answers":
                        return self.answer(200, b"<html>Welcome to the hotel's network</html>", {"Content-Type": "text/html"})
                    prefix = query.get("prefix", [""])[0]
                    found = (
                        f"<Contents><Key>{escape(name)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                        f"<ETag>{escape(etag)}</ETag><Size>{len(content)}</Size></Contents>"
                    )
                    body = (
                        f'<?xml version="1.0"?><ListBucketResult><Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix>'
                        f"<IsTruncated>false</IsTruncated>{found if name.startswith(prefix) else ''}</ListBucketResult>"
                    )
                    return self.answer(200, body.encode(), {"Content-Type": "application/xml"})
                if urllib.parse.unquote(key) != name:
                    return self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
                headers = {"ETag": etag, "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT", "Content-Type": "application/octet-stream"}
                if bucket == "changes" and self.command == "GET":
                    return self.answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
                if bucket in ("stalls", "crawls") and self.command == "GET":
                    half = len(content) // 2 if bucket == "stalls" else 0
                    self.answer(200, content[:half], headers, len(content))
                    for at in range(half, len(content), CRAWL_BYTES):
                        if stopping.wait(CRAWL_SECONDS):
                            break
                        if bucket == "crawls":
                            self.wfile.write(content[at : at + CRAWL_BYTES])
                    self.close_connection = True
                    return None
                return self.answer(200, content, headers)

            do_HEAD = do_GET

            def handle(self) -> None:
                try:
                    super().handle()
                except ConnectionError:
                    pass  # who asked has given up

        self.stopping = stopping
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Stops it."""
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()


class CuttingProxy:
    """Passes connections on, counts the bytes it gives back, and cuts as many connections as it is told to."""

    slug = "cutting proxy"

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.target, self.cuts, self.cut_after, self.returned = ("127.0.0.1", 0), 0, 0, 0
        self.lock = threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def listen_for(self) -> str:
        """Where its target must listen."""
        self.target = ("127.0.0.1", free_port())
        return f"{self.target[0]}:{self.target[1]}"

    def plan(self, cuts: int, cut_after: int) -> None:
        """From now on: cuts each connection that has given back so many bytes, until there were so many cuts."""
        with self.lock:
            self.cuts, self.cut_after, self.returned = cuts, cut_after, 0

    def accept(self) -> None:
        """A thread per connection."""
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return  # stopped
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client: socket.socket) -> None:
        """One connection, both ways."""
        with client:
            try:
                with socket.create_connection(self.target, timeout=10) as server:
                    self.pass_on(client, server)
            except OSError:
                pass  # one end is gone, and so is the other

    def pass_on(self, client: socket.socket, server: socket.socket) -> None:
        """Until one end closes or the connection is cut."""
        given = 0
        # What a reset throws away unsent was never given back: little, so that counting stays honest.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PIECE)
        while True:
            for source in select.select([client, server], [], [])[0]:
                piece = source.recv(PIECE)
                if not piece:
                    return
                if source is client:
                    server.sendall(piece)
                    continue
                client.sendall(piece)
                given += len(piece)
                with self.lock:
                    self.returned += len(piece)
                    cut = self.cuts > 0 and given >= self.cut_after
                    self.cuts -= cut
                if cut:
                    # A reset, as of a network that fails, not an end.
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return

    def stop(self) -> None:
        """Takes no more."""
        self.listener.close()
