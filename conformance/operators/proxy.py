"""nginx with the example of packaging/, in front of one node, with a certificate of an authority of our own."""

import os
import pathlib
import shutil
import socket
import subprocess
import time

from node import Node, free_port

UP_WITHIN_SECONDS = 10
HOST = "localhost"


def has_ipv6() -> bool:
    """Whether this machine has the loopback address of IPv6."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


class Authority:
    """A certificate authority, and one certificate for this machine's name."""

    def __init__(self, folder: pathlib.Path) -> None:
        folder.mkdir()
        self.ca, self.key, self.chain = folder / "ca.pem", folder / "privkey.pem", folder / "fullchain.pem"
        ca_key, request, extensions = folder / "ca.key", folder / "request.pem", folder / "extensions"
        extensions.write_text(f"subjectAltName=DNS:{HOST},IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
        for command in (
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", ca_key, "-out", self.ca,
             "-days", "2", "-subj", "/CN=Authority of the suite", "-addext", "basicConstraints=critical,CA:TRUE",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign"],
            ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key, "-out", request,
             "-subj", f"/CN={HOST}"],
            ["x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "2",
             "-extfile", extensions, "-out", self.chain],
        ):
            subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True)


class Proxy:
    """One nginx. Ports are known before the node is made, since its address holds one."""

    def __init__(self, folder: pathlib.Path, authority: Authority) -> None:
        folder.mkdir()
        self.folder, self.authority = folder, authority
        self.public_port, self.console_port = free_port(), free_port()
        self.public = f"https://{HOST}:{self.public_port}"
        self.console = f"https://{HOST}:{self.console_port}"
        self.process = None

    def site(self, public: str, admin: str) -> str:
        """The example, with nothing changed but names, certificates and ports."""
        text = (pathlib.Path(os.environ["PACKAGING"]) / "nginx.conf").read_text()
        first, second = text.index("server_name data.acme.example"), text.index("server_name console.acme.example")
        between = text.index("# What your own people", first)
        assert first < between < second
        public_part = text[:between].replace(":443 ", f":{self.public_port} ").replace(" 443 ", f" {self.public_port} ")
        console_part = text[between:].replace(":443 ", f":{self.console_port} ").replace(" 443 ", f" {self.console_port} ")
        text = public_part + console_part
        for old, new in {
            "server 127.0.0.1:7400;": f"server {public};",
            "server 127.0.0.1:7401;": f"server {admin};",
            "data.acme.example;": f"{HOST};",
            "console.acme.example;": f"{HOST};",
            "/etc/ssl/acme.example/fullchain.pem": str(self.authority.chain),
            "/etc/ssl/acme.example/privkey.pem": str(self.authority.key),
        }.items():
            assert old in text, old
            text = text.replace(old, new)
        if not has_ipv6():
            text = "".join(line for line in text.splitlines(True) if "[::]:" not in line)
        return text

    def start(self, public: str, admin: str) -> None:
        """Starts it in front of these two addresses."""
        (self.folder / "site.conf").write_text(self.site(public, admin))
        temporary = "".join(
            f"    {kind}_temp_path {self.folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;\n" if os.geteuid() == 0 else ""
        main = (
            f"{user}daemon off;\npid {self.folder}/nginx.pid;\nerror_log {self.folder}/error.log info;\n"
            f"events {{ worker_connections 1024; }}\nhttp {{\n    access_log {self.folder}/access.log;\n{temporary}"
            f"    include {self.folder}/site.conf;\n}}\n"
        )
        (self.folder / "nginx.conf").write_text(main)
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        with open(self.folder / "nginx.out", "ab") as out:
            self.process = subprocess.Popen([program, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")], stdout=out, stderr=out)
        deadline = time.monotonic() + UP_WITHIN_SECONDS
        for port in (self.public_port, self.console_port):
            while True:
                try:
                    socket.create_connection((HOST, port), timeout=1).close()
                    break
                except OSError:
                    if self.process.poll() is not None or time.monotonic() > deadline:
                        raise RuntimeError("nginx is not up: " + (self.folder / "nginx.out").read_text()[-2000:]) from None
                    time.sleep(0.05)

    def stop(self) -> None:
        """Stops it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None


class ProxiedNode(Node):
    """A node with nginx in front of both of its listeners."""

    def __init__(self, directory: pathlib.Path, slug: str, name: str, proxy: Proxy) -> None:
        super().__init__(directory, slug, name, public=proxy.public)
        self.proxy = proxy
        self.inner_public = f"127.0.0.1:{free_port()}"
        config = directory / "fondaco.toml"
        text = config.read_text()
        for old, new in {
            '# listen = "127.0.0.1:7400"\n': f'listen = "{self.inner_public}"\n',
            "[admin]\n": f'[admin]\nurl = "{proxy.console}"\n',
            "allow_private = false\n": 'allow_private = false\nca_file = "ca.pem"\n',
        }.items():
            assert old in text, (old, text)
            text = text.replace(old, new, 1)
        config.write_text(text)
        shutil.copy(proxy.authority.ca, directory / "ca.pem")

    def start(self) -> None:
        super().start()
        if self.proxy.process is None:
            self.proxy.start(self.inner_public, self.admin.removeprefix("http://"))

    def stop(self) -> None:
        try:
            super().stop()
        finally:
            self.proxy.stop()
