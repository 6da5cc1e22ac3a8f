"""`fondaco fetch --out`: the data itself, without any client."""

import hashlib

import pyarrow.parquet as pq


def digests(files) -> list[str]:
    """The files' contents, whatever they are called."""
    return sorted(hashlib.sha256(f.read_bytes()).hexdigest() for f in files)


def run(trade) -> None:
    """Fetches both tables; Parquet arrives byte for byte."""
    report, consumer, flights = trade.report, trade.consumer, trade.flights
    for product, table in (("flights", flights.table), ("flights-csv", flights.csv_table)):
        out = trade.folder / f"{product}-out"
        consumer.run("--dir", consumer.dir, "fetch", trade.agreements[product], "--out", out)
        files = sorted(out.rglob("*.parquet"))
        others = [f.name for f in out.rglob("*") if f.is_file() and f not in files]
        report.check(f"fetch --out {product}: whole Parquet files and their description", files and others == ["croissant.json"], (files, others))
        if product == "flights":
            report.equal("fetch --out flights: the publisher's bytes", digests(files), digests(flights.parquet))
        read = pq.ParquetDataset([str(f) for f in files]).read().sort_by("row").cast(table.schema)
        report.check(f"fetch --out {product}: the source's values", read.equals(table))
        before = {f: f.stat().st_mtime_ns for f in out.rglob("*") if f.is_file()}
        consumer.run("--dir", consumer.dir, "fetch", trade.agreements[product], "--out", out)
        after = {f: f.stat().st_mtime_ns for f in out.rglob("*") if f.is_file()}
        report.equal(f"fetch --out {product}: again: complete files are kept", after, before)
