"""What stock readers make of the table: the Delta Sharing client, pyarrow, DuckDB."""

import json

import delta_sharing
import duckdb
import fsspec
import pandas
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .hints import columns, leaf, VALUE_TYPES
from .registry import REQUIRED, Skipped, add, check, equal, need
from .target import Target, arrow_type, same_rows

CLIENT = "Python client, delta-sharing 1.4.2"
STATISTICS, SCHEMA = "Per-file Statistics", "Schema Object"
SHAPES = {"parquet": False, "delta": True}


@check("client.lists", CLIENT)
def lists(t: Target) -> None:
    """The client lists the share, its schema and the table"""
    client = delta_sharing.SharingClient(str(t.profile.path))
    share = next(s for s in client.list_shares() if s.name.lower() == t.share.lower())
    schema = next(s for s in client.list_schemas(share) if s.name.lower() == t.schema.lower())
    tables = client.list_tables(schema)
    need(t.table.lower() in [i.name.lower() for i in tables], tables)
    need(set(tables) <= set(client.list_all_tables()), "list_all_tables has fewer")


@check("client.version", CLIENT)
def client_version(t: Target) -> None:
    """The client reads the table's version"""
    equal(delta_sharing.get_table_version(t.url), t.version)


def _client(shape: str, use_delta: bool) -> None:
    def metadata(t: Target) -> None:
        if use_delta:
            t.current_delta
        found = delta_sharing.get_table_metadata(t.url, use_delta_format=use_delta)
        equal([f["name"] for f in json.loads(found.schema_string)["fields"]], [f["name"] for f in t.fields])
        delta_sharing.get_table_protocol(t.url, use_delta_format=use_delta)

    def load(t: Target) -> None:
        if use_delta:
            t.current_delta
        values(t, delta_sharing.load_as_pandas(t.url, use_delta_format=use_delta))

    def limits(t: Target) -> None:
        if use_delta:
            t.current_delta
        for limit in (0, 1, 10):
            frame = delta_sharing.load_as_pandas(t.url, limit=limit, use_delta_format=use_delta)
            equal((len(frame), list(frame.columns)), (min(limit, t.oracle.num_rows), [f["name"] for f in t.fields]), f"limit {limit}")

    def hinted(t: Target) -> None:
        if use_delta:
            t.current_delta
        name, kind, picked = next((c for c in columns(t) if c[1] in VALUE_TYPES), (None, None, None))
        if name is None:
            raise Skipped("the table has no column of a type that JSON predicates know")
        hint = json.dumps(leaf("greaterThanOrEqual", name, kind, picked[-1]))
        frame = delta_sharing.load_as_pandas(t.url, jsonPredicateHints=hint, use_delta_format=use_delta)
        matching = pc.sum(pc.greater_equal(t.oracle.column(name), picked[-1])).as_py()
        need(len(frame) >= matching, f"{len(frame)} rows, {matching} match")
        extremes = pa.array(frame[name], from_pandas=True).cast(picked[-1].type)
        need(pc.sum(pc.greater_equal(extremes, picked[-1])).as_py() == matching, "rows that match are missing")

    add(f"client.{shape}.metadata", CLIENT, REQUIRED, f"The client reads protocol and metadata in the {shape} format", metadata)
    add(f"client.{shape}.load", CLIENT, REQUIRED, f"load_as_pandas gives every row and value in the {shape} format", load)
    add(f"client.{shape}.limit", CLIENT, REQUIRED, f"load_as_pandas with a limit gives so many rows in the {shape} format", limits)
    add(f"client.{shape}.hints", CLIENT, REQUIRED, f"load_as_pandas with a hint loses no row that matches in the {shape} format", hinted)


for _shape, _use_delta in SHAPES.items():
    _client(_shape, _use_delta)


@check("client.auto.load", CLIENT)
def load_auto(t: Target) -> None:
    """load_as_pandas gives every row and value in the format that server and client agree on"""
    values(t, delta_sharing.load_as_pandas(t.url))


def values(t: Target, frame: pandas.DataFrame) -> None:
    """A frame holds what the table must: every value that pandas can hold; pandas makes floats of whole numbers with nulls."""
    wanted = t.oracle
    equal((len(frame), list(frame.columns)), (wanted.num_rows, wanted.column_names))
    arrays = []
    for name, kind in zip(wanted.column_names, wanted.schema.types):
        # A NaN of the source and a null are the same in a frame.
        array = pa.array(frame[name], from_pandas=True)
        array = pa.nulls(len(array), kind) if pa.types.is_null(array.type) else array.cast(kind)
        arrays.append(array)
    seen = pa.table(arrays, names=wanted.column_names)
    for n, kind in enumerate(wanted.schema.types):
        if pa.types.is_floating(kind):
            clean = wanted.column(n)
            wanted = wanted.set_column(n, wanted.column_names[n], pc.if_else(pc.is_nan(clean), pa.scalar(None, kind), clean))
    same_rows(seen, wanted)


@check("content.oracle", "File")
def content(t: Target) -> None:
    """The files hold the rows that they should"""
    if t.oracle_file is None:
        raise Skipped("no file with the expected rows was given")
    same_rows(t.all_rows, t.oracle)


@check("parquet.pyarrow", "File")
def opens(t: Target) -> None:
    """pyarrow opens every file, and reads each row group, column and statistic"""
    for file in t.files:
        parquet = pq.ParquetFile(t.download(file))
        rows = sum(parquet.read_row_group(n).num_rows for n in range(parquet.num_row_groups))
        equal(rows, parquet.metadata.num_rows)


@check("parquet.pyarrow.http", "File")
def over_http(t: Target) -> None:
    """pyarrow reads a file over its URL, range by range"""
    with fsspec.open(t.some_file["url"], "rb", block_size=64 << 10).open() as handle:
        seen = pq.ParquetFile(handle).read()
    same_rows(seen, pq.ParquetFile(t.download(t.some_file)).read())


@check("parquet.duckdb", "File")
def duckdb_reads(t: Target) -> None:
    """DuckDB reads the same rows from every file as pyarrow"""
    connection = duckdb.connect()
    connection.execute("SET timezone = 'UTC'")
    for file in t.files:
        path = t.download(file)
        rows = pq.ParquetFile(path).read()
        connection.register("wanted", rows)
        text = str(path).replace("'", "''")
        seen = f"read_parquet('{text}', hive_partitioning = false)"
        equal(connection.execute(f"SELECT count(*) FROM {seen}").fetchall()[0][0], rows.num_rows)
        for one, two in ((f"FROM {seen}", "FROM wanted"), ("FROM wanted", f"FROM {seen}")):
            equal(connection.execute(f"SELECT count(*) FROM ({one} EXCEPT ALL {two})").fetchall()[0][0], 0, "rows that differ")
        connection.unregister("wanted")


@check("parquet.schema", SCHEMA)
def schema(t: Target) -> None:
    """Every file has the columns of schemaString, with their types, but for partition columns"""
    modes = (t.metadata.get("configuration") or {}).get("delta.columnMapping.mode", "none")
    if modes != "none":
        raise Skipped("columns are mapped to other names")
    partitions = set(t.metadata["partitionColumns"])
    for file in t.files:
        found = pq.ParquetFile(t.download(file)).schema_arrow
        names = [f["name"] for f in t.fields if f["name"] not in partitions]
        need([n for n in found.names if n not in partitions] == names, f"columns {found.names} instead of {names}")
        for field in t.fields:
            if field["name"] not in partitions:
                need(compatible(found.field(field["name"]).type, field["type"]), f"{field['name']}: {found.field(field['name']).type} for {field['type']}")


def compatible(seen: pa.DataType, kind: object) -> bool:
    """Whether a column of a file is of the type that the schema tells."""
    if isinstance(kind, dict):
        if kind["type"] == "struct":
            names = [f["name"] for f in kind["fields"]]
            return pa.types.is_struct(seen) and [f.name for f in seen] == names and all(compatible(seen.field(f["name"]).type, f["type"]) for f in kind["fields"])
        if kind["type"] == "array":
            return pa.types.is_list(seen) and compatible(seen.value_type, kind["elementType"])
        return pa.types.is_map(seen) and compatible(seen.key_type, kind["keyType"]) and compatible(seen.item_type, kind["valueType"])
    wanted = arrow_type(kind)
    if pa.types.is_timestamp(wanted):
        return pa.types.is_timestamp(seen) and (seen.tz is None or wanted.tz is not None)
    if pa.types.is_string(wanted):
        return pa.types.is_string(seen) or pa.types.is_large_string(seen) or pa.types.is_dictionary(seen)
    return seen == wanted or (pa.types.is_binary(wanted) and pa.types.is_large_binary(seen))


@check("stats.rows", STATISTICS)
def stats_rows(t: Target) -> None:
    """numRecords, where told, is the number of rows in the file"""
    for file, found in _stats(t):
        if "numRecords" in found:
            equal(found["numRecords"], pq.ParquetFile(t.download(file)).metadata.num_rows, file["id"])


@check("stats.columns", STATISTICS)
def stats_columns(t: Target) -> None:
    """Statistics speak of columns of the schema only, and mirror its nesting"""
    for _, found in _stats(t):
        for key in ("minValues", "maxValues", "nullCount"):
            _mirrors(found.get(key) or {}, t.fields)


def _mirrors(found: dict, fields: list[dict]) -> None:
    kinds = {f["name"]: f["type"] for f in fields}
    need(set(found) <= set(kinds), f"{sorted(set(found) - set(kinds))} is no column")
    for name, value in found.items():
        if isinstance(kinds[name], dict) and kinds[name]["type"] == "struct" and isinstance(value, dict):
            _mirrors(value, kinds[name]["fields"])


@check("stats.bounds", STATISTICS)
def stats_bounds(t: Target) -> None:
    """minValues and maxValues bound every value of the file, and nullCount counts its nulls"""
    for file, found in _stats(t):
        rows = t.rows(file)
        for name, count in (found.get("nullCount") or {}).items():
            if isinstance(count, int):
                equal(count, rows.column(name).null_count, f"nullCount of {name}")
        for key, beyond in (("minValues", pc.less), ("maxValues", pc.greater)):
            for name, bound in (found.get(key) or {}).items():
                column = rows.column(name)
                if isinstance(bound, dict) or bound is None or pa.types.is_nested(column.type):
                    continue
                outside = pc.sum(beyond(column, as_scalar(bound, column.type, key == "maxValues"))).as_py() or 0
                equal(outside, 0, f"values of {name} beyond {key} {bound!r}")


def as_scalar(bound: object, kind: pa.DataType, greatest: bool) -> pa.Scalar:
    """A bound in a statistic; times are cut to milliseconds there, so that the greatest may be short by one."""
    if pa.types.is_timestamp(kind):
        at = pandas.Timestamp(bound)
        at = at.tz_convert("UTC") if at.tzinfo else at.tz_localize("UTC")
        micros = at.value // 1000 + (999 if greatest else 0)
        return pa.scalar(micros, pa.int64()).cast(pa.timestamp("us", "UTC")).cast(kind) if kind.tz else pa.scalar(micros, pa.int64()).cast(kind)
    if pa.types.is_floating(kind):
        return pa.scalar(float(bound), kind)
    if pa.types.is_date(kind) or pa.types.is_decimal(kind):
        return pa.scalar(str(bound)).cast(kind)
    return pa.scalar(bound, kind)


def _stats(t: Target) -> list[tuple[dict, dict]]:
    found = [(f, json.loads(f["stats"])) for f in t.files if f.get("stats")]
    if not found:
        raise Skipped("the server gives no statistics")
    return found
