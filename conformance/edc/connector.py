"""An Eclipse EDC connector in a process of its own, driven by its management API."""

import json
import os
import pathlib
import subprocess
import time
import urllib.error
import urllib.request

from node import free_port

READY_WITHIN_SECONDS = 120
STOP_WITHIN_SECONDS = 30
ANSWER_WITHIN_SECONDS = 30
PROTOCOL = "dataspace-protocol-http:2025-1"
EDC = {"@vocab": "https://w3id.org/edc/v0.0.1/ns/"}
ODRL = "http://www.w3.org/ns/odrl.jsonld"
# What a provider's transfer is in once it has been terminated and its data plane cleans up.
TIDYING = ("DEPROVISIONING", "DEPROVISIONING_REQUESTED", "DEPROVISIONED")
# EDC looks at its processes once a second unless told otherwise; a suite need not wait that long for each step.
LOOK_EVERY_MILLIS = 50


class Refused(Exception):
    """The management API answered with an error."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status


def listed(value: object) -> list:
    """What JSON-LD wrote as one value or as a list."""
    return value if isinstance(value, list) else [] if value is None else [value]


class Connector:
    """One connector, provider and consumer in one."""

    def __init__(self, directory: pathlib.Path, participant: str) -> None:
        self.slug = participant
        self.dir = directory
        self.ports = {name: free_port() for name in ("http", "management", "protocol", "control", "version", "public")}
        self.process = None
        directory.mkdir(parents=True)
        settings = {
            "edc.participant.id": participant,
            "edc.hostname": "127.0.0.1",
            "edc.dsp.callback.address": self.address,
            "edc.transfer.proxy.token.signer.privatekey.alias": "private-key",
            "edc.transfer.proxy.token.verifier.publickey.alias": "public-key",
            "web.http.path": "/api",
        }
        for name, port in self.ports.items():
            prefix = "web.http" if name == "http" else f"web.http.{name}"
            settings[f"{prefix}.port"] = port
            settings.setdefault(f"{prefix}.path", f"/{name}")
        for machine in ("negotiation.consumer", "negotiation.provider", "transfer"):
            settings[f"edc.{machine}.state-machine.iteration-wait-millis"] = LOOK_EVERY_MILLIS
        self.config = directory / "edc.properties"
        self.config.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))

    @property
    def address(self) -> str:
        """Below it, version discovery answers."""
        return f"http://127.0.0.1:{self.ports['protocol']}/protocol"

    @property
    def log(self) -> str:
        """What it wrote."""
        return (self.dir / "edc.log").read_text(errors="replace")

    def start(self) -> None:
        """Starts it and waits until it says that it is ready."""
        with open(self.dir / "edc.log", "ab") as log:
            self.process = subprocess.Popen(
                ["java", "-Xmx512m", f"-Dedc.fs.config={self.config}", "-cp", os.environ["EDC_FULL"],
                 "org.eclipse.edc.boot.system.runtime.BaseRuntime"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['http']}/api/check/startup", timeout=2) as answer:
                    if json.load(answer)["isSystemHealthy"]:
                        return
            except (OSError, ValueError):
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"EDC is not ready\n{self.log[-4000:]}")
            time.sleep(0.2)

    def stop(self) -> None:
        """Stops it, whatever it thinks of that."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.terminate()
        try:
            process.wait(STOP_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def call(self, method: str, path: str, body: dict | None = None) -> object:
        """Calls the management API."""
        data = None if body is None else json.dumps({"@context": EDC, **body}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports['management']}/management/v3{path}", data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_SECONDS) as answer:
                text = answer.read()
        except urllib.error.HTTPError as refused:
            raise Refused(refused.code, refused.read().decode(errors="replace")) from refused
        return json.loads(text) if text else None

    def offer(self, asset: str, title: str, source: str) -> None:
        """Offers what an HTTP server holds to everybody."""
        self.call("POST", "/assets", {
            "@id": asset, "properties": {"name": title, "description": f"About {title}", "contenttype": "text/csv"},
            "dataAddress": {"@type": "DataAddress", "type": "HttpData", "baseUrl": source},
        })
        self.call("POST", "/policydefinitions", {
            "@context": [ODRL, EDC], "@id": f"use-{asset}", "policy": {"@type": "Set", "permission": [{"action": "use"}]},
        })
        self.call("POST", "/contractdefinitions", {
            "@id": f"offer-{asset}", "accessPolicyId": f"use-{asset}", "contractPolicyId": f"use-{asset}",
            "assetsSelector": [{"operandLeft": f"{EDC['@vocab']}id", "operator": "=", "operandRight": asset}],
        })

    def with_peer(self, peer: "Peer", **members: object) -> dict:
        """What every call about a peer says."""
        return {"counterPartyAddress": peer.dsp, "counterPartyId": peer.did, "protocol": PROTOCOL, **members}

    def catalog(self, peer: "Peer", **query: object) -> dict:
        """A peer's catalogue, as its applications see it."""
        wanted = {"querySpec": query} if query else {}
        return self.call("POST", "/catalog/request", self.with_peer(peer, **{"@type": "CatalogRequest"}, **wanted))

    def negotiate(self, peer: "Peer", product: str, offer: dict) -> str:
        """Asks for an offer of a peer's catalogue; the negotiation's id."""
        policy = {**offer, "@type": "Offer", "assigner": {"@id": peer.did}, "target": {"@id": product}}
        body = self.with_peer(peer, **{"@context": [ODRL, EDC], "@type": "ContractRequest"}, policy=policy)
        return self.call("POST", "/contractnegotiations", body)["@id"]

    def transfer(self, peer: "Peer", agreement: str, transfer_type: str) -> str:
        """Asks for access; the transfer's id."""
        body = self.with_peer(peer, **{"@type": "TransferRequest"}, contractId=agreement, transferType=transfer_type)
        return self.call("POST", "/transferprocesses", body)["@id"]

    def reaches(self, kind: str, id: str, *states: str, within_seconds: float = 30) -> dict:
        """A negotiation or transfer, once it is in one of the states or has ended otherwise."""
        deadline = time.monotonic() + within_seconds
        while True:
            process = self.call("GET", f"/{kind}/{id}")
            if process["state"] in TIDYING:
                process["state"] = "TERMINATED"
            if process["state"] in states or process["state"] == "TERMINATED" or time.monotonic() > deadline:
                return process
            time.sleep(0.05)

    def find(self, kind: str, correlation: str) -> str:
        """The id here of a process that a peer began."""
        query = {"@type": "QuerySpec", "filterExpression": [{"operandLeft": "correlationId", "operator": "=", "operandRight": correlation}]}
        return listed(self.call("POST", f"/{kind}/request", query))[0]["@id"]

    def data_address(self, transfer: str) -> dict:
        """Where the data of a transfer is, as its applications learn it: members by the names that EDC gives its own."""
        deadline = time.monotonic() + ANSWER_WITHIN_SECONDS
        while True:
            # It is noted a little after the transfer says STARTED.
            try:
                address = self.call("GET", f"/edrs/{transfer}/dataaddress")
                break
            except Refused as refused:
                if refused.status != 404 or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        # The module for this is of the version before; it does not shorten names.
        own = {key.removeprefix(EDC["@vocab"]): value for key, value in address.items() if key.startswith(EDC["@vocab"])}
        return own or address


class Peer:
    """A participant of a node, as EDC's management API names it."""

    def __init__(self, node: object) -> None:
        self.did = f"did:web:{node.public.removeprefix('http://').replace(':', '%3A')}:p:{node.slug}"
        self.dsp = f"{node.address}/dsp/2025-1"
