"""One real table from every kind of source; sources that change; sources that are bad; files; descriptions."""

import functools
import pathlib
import sys

import bad_sources
import damage
import descriptions
import every_source
import file_products
import follow
import lake
import personal
import secrecy
import source
from exchange import Exchange
from node import Node
from report import Report, run_suite
from servers import S3, Postgres

# Writing and reading a workbook of the whole table takes longer than all other sources together.
SAMPLE_STEP = 17


def body(report: Report, folder: pathlib.Path, nodes: list) -> None:
    """The groups of checks, in order: later ones use what earlier ones published."""
    provider = Node(folder / "provider", "hangar", "Hangar Flight Records")
    consumer = Node(folder / "consumer", "weather", "Weather Institute")
    nodes += [provider, consumer]
    s3 = S3()
    nodes.append(s3)
    postgres = Postgres()
    nodes.append(postgres)
    for node in (provider, consumer):
        node.start()
    print("writing the source tables", flush=True)
    table = source.build()
    sample = table.take(list(range(0, table.num_rows, SAMPLE_STEP)))
    written = lake.write(folder / "lake", table)
    exchange = Exchange(report, provider, consumer, folder, table, sample, written, s3, postgres)
    files = functools.partial(file_products.run, nodes=nodes)
    for name, group in {
        "connections": every_source.connect, "every_source": every_source.run, "follow": follow.run, "bad_sources": bad_sources.run, "damage": damage.run, "files": files,
        "descriptions": descriptions.run, "personal": personal.run, "secrecy": secrecy.run,
    }.items():
        try:
            group(exchange)
        except Exception as error:  # a group that cannot go on is a failure, not the end of the others
            report.broken(name, error)


if __name__ == "__main__":
    sys.exit(run_suite("sources", body))
