"""Stored data that is changed after publication is not delivered, and the publisher is told."""

import os
import pathlib

import delta_sharing
import pyarrow.parquet as pq
import requests
from surface import Surface


def run(exchange) -> None:
    """In the node's folder, and where the publisher left it."""
    for product, in_place in (("damaged", False), ("damaged-in-place", True)):
        own = exchange.folder / f"{product}.parquet"
        pq.write_table(exchange.sample.slice(0, 2_000), own)
        exchange.publish(product, own, *(["--in-place"] if in_place else []))
        stored = own if in_place else next((exchange.provider.dir / "data" / exchange.provider.slug / product).rglob("*.parquet"))
        check(exchange, product, stored)


def check(exchange, product: str, stored: pathlib.Path) -> None:
    """One byte, the same size, the same times."""
    report = exchange.report
    url = exchange.profile(exchange.buy(product))
    exchange.values(f"{product}: before", url, exchange.sample.slice(0, 2_000))
    before, times = stored.read_bytes(), stored.stat()
    place = len(before) // 2
    stored.chmod(0o600)
    stored.write_bytes(before[:place] + bytes([before[place] ^ 1]) + before[place + 1 :])
    os.utime(stored, ns=(times.st_atime_ns, times.st_mtime_ns))
    for use_delta in (False, True):
        try:
            delta_sharing.load_as_pandas(url, use_delta_format=use_delta)
            report.check(f"{product}: the stock client gets no changed value", False)
        except Exception:
            report.check(f"{product}: the stock client gets no changed value", True)
    surface = Surface(pathlib.Path(url.split("#")[0]))
    answer = requests.get(surface.files()[0]["url"], timeout=30)
    body = answer.text[:400]
    report.check(f"{product}: refused with FDC-4005", answer.status_code == 500 and "FDC-4005" in body, (answer.status_code, body))
    ranged = requests.get(surface.files()[0]["url"], headers={"Range": "bytes=0-3"}, timeout=30)
    report.equal(f"{product}: not even the part that is as it was", ranged.status_code, 500)
    shown = exchange.provider.ask("product", "show", product)
    report.equal(f"{product}: the publisher is told, once", len(shown.get("damaged", [])), 1)
    stored.write_bytes(before)
    exchange.values(f"{product}: restored", url, exchange.sample.slice(0, 2_000))
    report.equal(f"{product}: and no longer called damaged", exchange.provider.ask("product", "show", product).get("damaged"), [])
