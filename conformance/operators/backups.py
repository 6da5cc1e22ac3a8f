"""A backup while deals are made; a copy that takes the first node's place."""

import hashlib
import json
import pathlib
import shutil
import subprocess
import threading

import delta_sharing
from node import Refused
from report import Report


def run(report: Report, folder: pathlib.Path, provider, consumer) -> None:
    """Backs the provider up, restores it elsewhere, and lets the copy go on."""
    stop, deals, troubles = threading.Event(), [], []

    def trade() -> None:
        while not stop.is_set():
            try:
                deals.append(consumer.ask("negotiate", provider.address, "small", "--wait", "60")["agreementId"])
            except Refused as refused:
                troubles.append(str(refused))
                return

    trader = threading.Thread(target=trade)
    trader.start()
    files = [folder / f"backup-{n}.tar.zst" for n in range(3)]
    try:
        for file in files:
            made = json.loads(provider.run("backup", "--dir", provider.dir, "--out", file, "--json"))
            report.check(f"{file.name}: made beside the running node", made["dataFiles"] == 2 and file.stat().st_mode & 0o077 == 0, made)
    finally:
        stop.set()
        trader.join()
    report.check("deals went on meanwhile", deals and not troubles, (len(deals), troubles))
    last = files[-1]
    unpacked = folder / "by-tar"
    unpacked.mkdir()
    tar = subprocess.run(["tar", "--zstd", "-xf", last, "-C", unpacked], capture_output=True, text=True, check=False)
    manifest = json.loads((unpacked / "manifest.json").read_text()) if tar.returncode == 0 else {"entries": []}
    right = [hashlib.sha256((unpacked / e["path"]).read_bytes()).hexdigest() == e["sha256"] for e in manifest["entries"]]
    report.check("tar opens it, and every hash of the manifest is right", right and all(right), tar.stderr)
    damaged = folder / "damaged.tar.zst"
    content = bytearray(last.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    refused = subprocess.run([provider.binary, "restore", damaged, "--dir", folder / "never"], capture_output=True, text=True, check=False)
    report.check("a damaged one is refused", refused.returncode == 1 and "FDC-5005" in refused.stderr, refused.stderr)
    report.check("and leaves nothing", not (folder / "never").exists())

    provider_copy = folder / "provider-copy"
    restored = json.loads(provider.run("restore", last, "--dir", provider_copy, "--json"))
    report.equal("restored", restored["dataFiles"], 2)
    agreements = {a["id"]: a for a in provider.ask("agreement", "list")["agreements"]}
    # The original stops for good, and its proxy with it; the copy takes its place at the same address.
    provider.stop()
    shutil.move(provider.dir, folder / "provider-gone")
    shutil.move(provider_copy, provider.dir)
    provider.start()
    report.equal("doctor --deep on the copy", provider.exit_status("doctor", "--deep"), 0)
    kept = {a["id"]: a for a in provider.ask("agreement", "list")["agreements"]}
    digests = [consumer.ask("agreement", "show", agreement)["digest"] == kept[agreement]["digest"] for agreement in kept]
    report.check("the copy's agreements are those of the other side", digests and all(digests), len(kept))
    report.check("what was agreed before the last backup is there", set(deals[:1]) <= set(kept) <= set(agreements), len(kept))
    profile = folder / "small.share"
    listed = delta_sharing.SharingClient(str(profile)).list_all_tables()[0]
    frame = delta_sharing.load_as_pandas(f"{profile}#{listed.share}.{listed.schema}.{listed.name}")
    report.equal("a token that was given out before reads on", list(frame["n"]), [1, 2])
    deal = consumer.ask("negotiate", provider.address, "small", "--wait", "60")
    report.equal("and new deals are made", deal["state"], "FINALIZED")
