"""The stock client: lists, reads metadata, loads every value in both response formats."""

import json

import delta_sharing
import pandas
import pyarrow as pa

FORMATS = {"the format it chooses": None, "parquet format": False, "delta format": True}


def run(trade) -> None:
    """Reads the traded tables as a data scientist would."""
    expected = {"flights": trade.flights.table, "flights-csv": trade.flights.csv_table}
    for product, table in expected.items():
        url = listing(trade.report, trade.profile(product), product)
        metadata(trade.report, url, product, table)
        for name, use_delta in FORMATS.items():
            values(trade.report, url, f"{product}, {name}", table, use_delta)
        hints(trade.report, url, product, table)


def listing(report, profile, product: str) -> str:
    """Everything the client can list; the table's URL."""
    client = delta_sharing.SharingClient(str(profile))
    shares = client.list_shares()
    report.equal(f"{product}: one share per agreement", len(shares), 1)
    schemas = client.list_schemas(shares[0])
    report.check(f"{product}: the share has a schema", len(schemas) == 1, schemas)
    tables = client.list_tables(schemas[0])
    report.check(f"{product}: the schema has the table", len(tables) == 1, tables)
    report.equal(f"{product}: list_all_tables agrees", client.list_all_tables(), tables)
    table = tables[0]
    return f"{profile}#{table.share}.{table.schema}.{table.name}"


def metadata(report, url: str, product: str, table: pa.Table) -> None:
    """Version, protocol, schema."""
    report.check(f"{product}: version", isinstance(delta_sharing.get_table_version(url), int))
    for use_delta in (False, True):
        shape = "delta" if use_delta else "parquet"
        report.attempt(f"{product}: protocol, {shape}", lambda: delta_sharing.get_table_protocol(url, use_delta_format=use_delta))
        found = report.attempt(f"{product}: metadata, {shape}", lambda: delta_sharing.get_table_metadata(url, use_delta_format=use_delta))
        if found is None:
            continue
        schema = json.loads(found.schema_string)
        names = [f["name"] for f in schema["fields"]]
        report.equal(f"{product}: columns, {shape}", names, table.column_names)
        types = {f["name"]: f["type"] for f in schema["fields"]}
        wanted = {f.name: delta_type(f.type) for f in table.schema}
        report.equal(f"{product}: types, {shape}", types, wanted)


def delta_type(kind: pa.DataType) -> str:
    """How Delta names an Arrow type of the source."""
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    names = {
        pa.int8(): "byte", pa.int16(): "short", pa.int32(): "integer", pa.int64(): "long", pa.float64(): "double",
        pa.string(): "string", pa.bool_(): "boolean", pa.date32(): "date", pa.timestamp("us", "UTC"): "timestamp",
    }
    return names[kind]


def values(report, url: str, what: str, table: pa.Table, use_delta) -> None:
    """Loads the table and compares every value, and the types as pandas sees them."""
    frame = report.attempt(f"{what}: loads", lambda: delta_sharing.load_as_pandas(url, use_delta_format=use_delta))
    if frame is None:
        return
    report.equal(f"{what}: rows", len(frame), table.num_rows)
    report.equal(f"{what}: columns in order", list(frame.columns), table.column_names)
    compare(report, what, frame, table)


def compare(report, what: str, frame: pandas.DataFrame, table: pa.Table) -> None:
    """Every value of every column; rows are matched by their number, since a table has no order."""
    if len(frame) != table.num_rows:
        return
    frame = frame.sort_values("row", kind="stable").reset_index(drop=True)
    kinds = dict(table.to_pandas(date_as_object=True).dtypes)
    for name in table.column_names:
        seen = pa.array(frame[name], from_pandas=True)
        wanted = table.column(name).combine_chunks()
        try:
            same = seen.cast(wanted.type).equals(wanted)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            report.check(f"{what}: values of {name}", False, error)
            continue
        detail = "" if same else difference(seen.cast(wanted.type), wanted)
        report.check(f"{what}: values of {name} ({wanted.null_count} null)", same, detail)
        report.equal(f"{what}: type of {name}", plain(frame[name].dtype), plain(kinds[name]))


def plain(dtype: object) -> str:
    """A dtype without the resolution of instants, which clients choose."""
    text = str(dtype)
    return text.replace("[ns", "[").replace("[us", "[").replace("[ms", "[")


def difference(seen: pa.Array, wanted: pa.Array) -> str:
    """The first value that differs."""
    for number, (a, b) in enumerate(zip(seen, wanted)):
        if a != b and not (a.as_py() is None and b.as_py() is None):
            return f"row {number}: {a} instead of {b}; {seen.null_count} null instead of {wanted.null_count}"
    return "lengths differ"


def hints(report, url: str, product: str, table: pa.Table) -> None:
    """Limits are exact, predicate hints never lose a row that matches."""
    december = {"op": "equal", "children": [
        {"op": "column", "name": "month", "valueType": "int"}, {"op": "literal", "value": "12", "valueType": "int"}]}
    never = {"op": "greaterThan", "children": [
        {"op": "column", "name": "row", "valueType": "long"}, {"op": "literal", "value": "999999999", "valueType": "long"}]}
    matching = set(table.filter(pa.compute.equal(table.column("month"), 12)).column("row").to_pylist())
    for use_delta in (False, True):
        shape = "delta" if use_delta else "parquet"
        for limit in (0, 1, 10):
            part = delta_sharing.load_as_pandas(url, limit=limit, use_delta_format=use_delta)
            report.equal(f"{product}: limit {limit}, {shape}: rows", len(part), limit)
            report.equal(f"{product}: limit {limit}, {shape}: columns", list(part.columns), table.column_names)
        part = delta_sharing.load_as_pandas(url, jsonPredicateHints=json.dumps(december), use_delta_format=use_delta)
        report.check(f"{product}: hint month = 12, {shape}: no match is lost", matching <= set(part["row"]), len(part))
        report.attempt(
            f"{product}: hint that nothing meets, {shape}: still loads",
            lambda: delta_sharing.load_as_pandas(url, jsonPredicateHints=json.dumps(never), use_delta_format=use_delta),
        )
