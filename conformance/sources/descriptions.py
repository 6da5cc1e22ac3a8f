"""Croissant: what loaders of machine learning make of a product's description."""

import json
import pathlib

import mlcroissant
import pyarrow.parquet as pq


def run(exchange) -> None:
    """A table and a folder of files."""
    report, provider, sample = exchange.report, exchange.provider, exchange.sample
    folder = exchange.folder / "described"
    folder.mkdir()
    for number in (0, 1):
        pq.write_table(sample.slice(number * 500, 500), folder / f"part-{number}.parquet")
    listing = ("--description", "Flights that left New York in 2013", "--license", "CC0-1.0", "--contact", "mailto:data@hangar.example",
               "--keyword", "flights", "--keyword", "航班", "--language", "en", "--rhythm", "never")
    exchange.publish("described", folder, *listing)
    exchange.publish("described-files", folder, "--kind", "files", *listing)
    for product in ("described", "described-files"):
        agreement = exchange.buy(product)
        out = exchange.folder / f"{product}-out"
        exchange.consumer.run("--dir", exchange.consumer.dir, "fetch", agreement, "--out", out)
        told = exchange.folder / f"{product}.json"
        told.write_text(json.dumps(provider.ask("product", "croissant", product)))
        accepted(report, f"Croissant of {product}, by command", told)
        kept = out / "croissant.json"
        text = kept.read_text()
        kept.write_text(json.dumps(json.loads(text) | {"name": "An older title"}))
        exchange.consumer.run("--dir", exchange.consumer.dir, "fetch", agreement, "--out", out)
        report.equal(f"Croissant of {product}: an older one is renewed by the next fetch", kept.read_text(), text)
        kept.write_text("my own notes")
        exchange.consumer.run("--dir", exchange.consumer.dir, "fetch", agreement, "--out", out)
        report.equal(f"Croissant of {product}: another file of that name stays", kept.read_text(), "my own notes")
        kept.write_text(text)
        dataset = accepted(report, f"Croissant of {product}, beside the fetched data", out / "croissant.json")
        if dataset is None:
            continue
        report.equal(f"Croissant of {product}: its name and licence", (dataset.metadata.name, dataset.metadata.license), (
            f"Title of {product}", ["https://spdx.org/licenses/CC0-1.0"]))
        if product == "described":
            records(report, dataset, sample.slice(0, 1_000))


def accepted(report, what: str, place: pathlib.Path) -> mlcroissant.Dataset | None:
    """What mlcroissant makes of a description."""
    dataset = report.attempt(f"{what}: mlcroissant accepts it", lambda: mlcroissant.Dataset(jsonld=str(place)))
    if dataset is not None:
        issues = dataset.metadata.ctx.issues
        report.check(f"{what}: without errors or warnings", not issues.errors and not issues.warnings, issues.report())
    return dataset


def records(report, dataset: mlcroissant.Dataset, expected) -> None:
    """The records of the fetched table."""
    names = [r.id for r in dataset.metadata.record_sets]
    report.equal("Croissant: one set of records", len(names), 1)
    seen = list(dataset.records(names[0]))
    report.equal("Croissant: mlcroissant reads every record", len(seen), expected.num_rows)
    rows = sorted(int(record[f"{names[0]}/row"]) for record in seen)
    report.equal("Croissant: and they are the source's", rows, sorted(expected.column("row").to_pylist()))
