"""One real table from everything people keep data in; the stock client reads the same values from each."""

import json
import pathlib

import lake
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import source
from deltalake import DeltaTable, QueryBuilder
from exchange import SHAPES, delta_name
from servers import REGION

# PostgreSQL has no 8-bit integers.
POSTGRES_TYPES = {
    "byte": "smallint", "short": "smallint", "integer": "integer", "long": "bigint", "double": "double precision", "string": "text",
    "boolean": "boolean", "date": "date", "timestamp": "timestamptz",
}


def connect(exchange) -> None:
    """Connections to both servers."""
    report, provider, s3, postgres = exchange.report, exchange.provider, exchange.s3, exchange.postgres
    settings = ("--endpoint", s3.endpoint, "--region", REGION, "--bucket", s3.bucket, "--path-style", "--access-key", s3.access_key)
    shown = provider.ask("connection", "add-s3", "lake", *settings, given=s3.secret_key + "\n")
    report.check("S3: the connection does not show its secret", s3.secret_key not in json.dumps(shown), shown)
    report.attempt("S3: the connection works", lambda: provider.ask("connection", "check", "lake"))
    settings = ("--host", "127.0.0.1", "--port", postgres.port, "--database", "postgres", "--user", postgres.user, "--tls", "disable")
    shown = provider.ask("connection", "add-postgres", "plant", *settings, given=postgres.password + "\n")
    report.check("PostgreSQL: the connection does not show its password", postgres.password not in json.dumps(shown), shown)
    report.attempt("PostgreSQL: the connection works", lambda: provider.ask("connection", "check", "plant"))


def run(exchange) -> None:
    """Publishes, buys and reads each."""
    files(exchange)
    delta(exchange)
    s3(exchange)
    postgres(exchange)


def traded(exchange, what: str, product: str, expected: pa.Table, *args: object, shapes: dict = SHAPES) -> None:
    """One source from publication to values."""
    shown = exchange.report.attempt(f"{what}: published", lambda: exchange.publish(product, *args))
    if shown is None:
        return
    exchange.report.equal(f"{what}: rows", shown["content"]["rows"], expected.num_rows)
    url = exchange.profile(exchange.buy(product))
    exchange.types(what, url, expected)
    exchange.values(what, url, expected, shapes)


def files(exchange) -> None:
    """Parquet as it is; CSV, JSON Lines and a workbook, whose types are found from their values."""
    folder, table, sample = exchange.folder / "files", exchange.table, exchange.sample
    folder.mkdir()
    pq.write_table(table, folder / "flights.parquet", row_group_size=100_000)
    traded(exchange, "Parquet", "from-parquet", table, folder / "flights.parquet")
    by_text = source.as_csv_keeps_it(sample)
    source.write_csv(sample, folder / "flights.csv")
    traded(exchange, "CSV", "from-csv", by_text, folder / "flights.csv")
    write_json_lines(by_text, folder / "flights.jsonl")
    traded(exchange, "JSON Lines", "from-json-lines", by_text, folder / "flights.jsonl")
    write_workbook(by_text, folder / "flights.xlsx")
    traded(exchange, "Excel", "from-excel", as_workbooks_keep_it(by_text), folder / "flights.xlsx", "--sheet", "航班")


def write_json_lines(table: pa.Table, file: pathlib.Path) -> None:
    """Dates and instants in ISO 8601; what is missing is null in one row and absent in the next."""
    with open(file, "w", encoding="utf-8") as out:
        for number, row in enumerate(table.to_pylist()):
            row["time_hour"] = row["time_hour"].strftime("%Y-%m-%dT%H:%M:%SZ")
            row["date"] = row["date"].isoformat()
            kept = row if number % 2 == 0 else {name: value for name, value in row.items() if value is not None}
            out.write(json.dumps(kept) + "\n")


def as_workbooks_keep_it(table: pa.Table) -> pa.Table:
    """Times without zone, and numbers as openpyxl writes them: in 16 digits."""
    table = table.set_column(table.column_names.index("time_hour"), "time_hour", table.column("time_hour").cast(pa.timestamp("us")))
    for place, field in enumerate(table.schema):
        if field.type == pa.float64():
            rounded = [None if value is None else float(f"{value:.16g}") for value in table.column(place).to_pylist()]
            table = table.set_column(place, field.name, pa.array(rounded, pa.float64()))
    return table


def write_workbook(table: pa.Table, file: pathlib.Path) -> None:
    """As an office leaves it: a cover sheet, and the table on a sheet with a name."""
    book = openpyxl.Workbook(write_only=True)
    book.create_sheet("Cover").append(["Flights of 2013"])
    sheet = book.create_sheet("航班")
    sheet.append(table.column_names)
    for row in zip(*(column.to_pylist() for column in as_workbooks_keep_it(table).columns)):
        sheet.append(row)
    book.save(file)


def delta(exchange) -> None:
    """Partitions, several commits, deletes, a checkpoint, column mapping, deletion vectors, time travel."""
    report, written = exchange.report, exchange.lake
    for version, expected in written.versions.items():
        # deltalake reads the table without the node: what the versions hold is not our word alone.
        counted = QueryBuilder().register("t", DeltaTable(str(written.folder), version=version)).execute('SELECT count(*), sum("row") FROM t')
        seen = [column[0].as_py() for column in pa.table(counted).columns]
        report.equal(f"Delta version {version} as deltalake reads it", seen, [expected.num_rows, sum(expected.column("row").to_pylist())])
    newest = written.versions[written.newest]
    traded(exchange, "Delta with deletion vectors and column mapping", "from-delta", newest, written.folder)
    # How they are read does not depend on the version; one format is enough for the rest.
    one = {"delta format": True}
    traded(exchange, "Delta, an earlier version", "from-delta-2", written.versions[2], written.folder, "--delta-version", 2, shapes=one)
    in_place = (written.folder, "--delta-version", 3, "--in-place")
    traded(exchange, "Delta, an earlier version left in place", "from-delta-3", written.versions[3], *in_place, shapes=one)
    refused = exchange.provider.refusal(
        "product", "add", written.folder, "--id", "from-delta-99", "--title", "None", "--delta-version", "99"
    )
    report.equal("Delta: a version that does not exist is refused", refused.get("code"), "FDC-4001")
    report.check("Delta: and it says which exist", "0" in refused.get("detail", "") and "5" in refused.get("detail", ""), refused)


def s3(exchange) -> None:
    """Parquet under a prefix, a CSV object, and the Delta table with a log that was cleaned up to its checkpoint."""
    server = exchange.s3
    parts = exchange.folder / "parts"
    parts.mkdir()
    for first, last in source.PARTS:
        pq.write_table(lake.months(exchange.table, first, last), parts / f"flights {first:02}.parquet")
    server.upload_folder(parts, "raw/2013")
    server.upload(exchange.folder / "files" / "flights.csv", "raw/flights.csv")
    for file in sorted(f for f in exchange.lake.folder.rglob("*") if f.is_file()):
        # What the log retention of other writers removes: the commits before the checkpoint.
        if file.name not in [f"{version:020}.json" for version in range(3)]:
            server.upload(file, f"tables/flights/{file.relative_to(exchange.lake.folder)}")
    traded(exchange, "S3, Parquet under a prefix", "from-s3", exchange.table, "raw/2013", "--s3", "lake")
    traded(exchange, "S3, CSV", "from-s3-csv", source.as_csv_keeps_it(exchange.sample), "raw/flights.csv", "--s3", "lake")
    newest = exchange.lake.versions[exchange.lake.newest]
    traded(exchange, "S3, Delta with a cleaned log", "from-s3-delta", newest, "tables/flights", "--s3", "lake")


def postgres(exchange) -> None:
    """The whole table, by a query of a user who may only read."""
    server = exchange.postgres
    kinds = {f.name: delta_name(f.type) for f in exchange.table.schema}
    types = {name: POSTGRES_TYPES.get(kind, kind.replace("decimal", "numeric")) for name, kind in kinds.items()}
    csv = exchange.folder / "files" / "whole.csv"
    source.write_csv(exchange.table, csv)
    server.load("flights", csv.read_bytes().split(b"\n", 1)[1], types)
    expected = exchange.table.set_column(exchange.table.column_names.index("month"), "month", exchange.table.column("month").cast(pa.int16()))
    traded(exchange, "PostgreSQL", "from-postgres", expected, "--postgres", "plant", "--query", 'SELECT * FROM flights ORDER BY "row"')
