"""What the groups of checks share: two nodes, the servers that sources lie on, and the deal from publication to values."""

import dataclasses
import json
import pathlib

import delta_sharing
import pandas
import pyarrow as pa
import requests
from lake import Lake
from node import Node
from report import Report
from servers import S3, Postgres

SHAPES = {"parquet format": False, "delta format": True}
DELTA_NAMES = {
    pa.int8(): "byte", pa.int16(): "short", pa.int32(): "integer", pa.int64(): "long", pa.float64(): "double", pa.string(): "string",
    pa.bool_(): "boolean", pa.date32(): "date", pa.timestamp("us", "UTC"): "timestamp", pa.timestamp("us"): "timestamp_ntz",
}


@dataclasses.dataclass
class Exchange:
    """The two nodes, the sources, and a folder for what comes of them."""

    report: Report
    provider: Node
    consumer: Node
    folder: pathlib.Path
    table: pa.Table
    sample: pa.Table
    lake: Lake
    s3: S3
    postgres: Postgres

    def publish(self, product: str, *args: object, node: Node | None = None) -> dict:
        """Publishes; the product."""
        return (node or self.provider).ask("product", "add", *args, "--id", product, "--title", f"Title of {product}")

    def buy(self, product: str, *args: object, node: Node | None = None) -> str:
        """Negotiates; the agreement's id."""
        deal = self.consumer.ask("negotiate", (node or self.provider).address, product, "--wait", "60", *args)
        if deal["state"] != "FINALIZED":
            raise RuntimeError(f"{product}: {deal}")
        return deal["agreementId"]

    def profile(self, agreement: str) -> str:
        """The address of the agreement's one table, for the stock client."""
        file = self.folder / f"{agreement.replace(':', '-')}.share"
        self.consumer.run("--dir", self.consumer.dir, "fetch", agreement, "--profile", file)
        tables = delta_sharing.SharingClient(str(file)).list_all_tables()
        if len(tables) != 1:
            raise RuntimeError(f"{agreement} shows {tables}")
        return f"{file}#{tables[0].share}.{tables[0].schema}.{tables[0].name}"

    def access(self, agreement: str) -> dict:
        """What the consumer's node gives programs for an agreement about files: endpoint and token."""
        answer = requests.post(
            f"{self.consumer.admin}/api/v1/participants/{self.consumer.slug}/agreements/{agreement}/access",
            json={"waitSeconds": 30}, headers={"Authorization": f"Bearer {(self.consumer.dir / 'admin.token').read_text().strip()}"}, timeout=60,
        )
        answer.raise_for_status()
        return answer.json()["files"]

    def values(self, what: str, url: str, expected: pa.Table, shapes: dict = SHAPES, key: str = "row", **options) -> None:
        """Loads a table in both response formats and compares every value."""
        for shape, use_delta in shapes.items():
            name = f"{what}, {shape}: every value of {expected.num_rows:,} rows × {expected.num_columns} columns"
            try:
                frame = delta_sharing.load_as_pandas(url, use_delta_format=use_delta, **options)
            except Exception as error:
                self.report.check(name, False, f"{type(error).__name__}: {error}")
                continue
            found = differences(frame, expected, key)
            self.report.check(name, not found, found)

    def types(self, what: str, url: str, expected: pa.Table) -> None:
        """The schema as the provider declares it."""
        found = delta_sharing.get_table_metadata(url, use_delta_format=True)
        declared = {f["name"]: f["type"] for f in json.loads(found.schema_string)["fields"]}
        self.report.equal(f"{what}: types", declared, {f.name: delta_name(f.type) for f in expected.schema})


def delta_name(kind: pa.DataType) -> str:
    """How Delta names an Arrow type."""
    return f"decimal({kind.precision},{kind.scale})" if pa.types.is_decimal(kind) else DELTA_NAMES[kind]


def differences(frame: pandas.DataFrame, expected: pa.Table, key: str) -> list[str]:
    """What is not as expected; rows are matched by their key, since a table has no order."""
    if list(frame.columns) != expected.column_names:
        return [f"columns {list(frame.columns)} instead of {expected.column_names}"]
    if len(frame) != expected.num_rows:
        return [f"{len(frame)} rows instead of {expected.num_rows}"]
    frame = frame.sort_values(key, kind="stable")
    expected = expected.sort_by(key)
    found = []
    for name in expected.column_names:
        wanted = comparable(expected.column(name).combine_chunks())
        try:
            seen = comparable(pa.array(frame[name], from_pandas=True)).cast(wanted.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            found.append(f"{name}: {error}")
            continue
        if not seen.equals(wanted):
            pair = next((f"{a} instead of {b}" for a, b in zip(seen, wanted) if a != b and (a.is_valid or b.is_valid)), "")
            found.append(f"{name}: {pair}; {seen.null_count} null instead of {wanted.null_count}")
    return found


def comparable(column: pa.Array) -> pa.Array:
    """Instants and wall-clock times as microseconds: clients choose resolution and zone of what they show."""
    return column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
