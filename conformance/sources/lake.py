"""A Delta table as such tables become: written by deltalake in several commits, with column mapping, deletes and a
checkpoint, and then by a writer that does what deltalake does not: renames and drops columns and leaves deletion vectors.

Follows the Delta transaction log protocol (PROTOCOL.md of delta-io/delta); nothing here is the node's own code.
"""

import dataclasses
import json
import pathlib
import struct
import uuid
import zlib

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake

# The months that each commit appends.
COMMITS = ((1, 5), (6, 9), (10, 12))
RENAMED = {"tailnum": "tail number", "dest": "目的地"}
DROPPED = "late"
Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
ROARING_ARRAY_MAGIC = 1681511377
ROARING_COOKIE = 12346
# Beyond this many values a container of a Roaring bitmap is a bitmap.
ARRAY_CONTAINER_MAX = 4096


@dataclasses.dataclass
class Lake:
    """The table's folder, and what its versions hold."""

    folder: pathlib.Path
    versions: dict[int, pa.Table]
    newest: int


def months(table: pa.Table, first: int, last: int) -> pa.Table:
    """The rows of some months."""
    column = table.column("month")
    return table.filter(pc.and_(pc.greater_equal(column, first), pc.less_equal(column, last)))


def write(folder: pathlib.Path, table: pa.Table) -> Lake:
    """Writes it; the versions that are compared later."""
    versions = {}
    for number, (first, last) in enumerate(COMMITS):
        configuration = {"delta.columnMapping.mode": "name"} if number == 0 else None
        write_deltalake(str(folder), months(table, first, last), partition_by=["month"], mode="append", configuration=configuration)
        versions[number] = months(table, 1, last)
    lake = DeltaTable(str(folder))
    lake.delete("carrier = 'HA'")
    versions[3] = table.filter(pc.not_equal(table.column("carrier"), "HA"))
    lake.create_checkpoint()
    assert (folder / "_delta_log" / "_last_checkpoint").exists() and lake.version() == 3, lake.version()

    by_hand = Log(folder, 4)
    by_hand.commit([by_hand.protocol(), by_hand.metadata(RENAMED, DROPPED)])
    gone = by_hand.delete_by_vectors()
    kept = pc.invert(pc.is_in(versions[3].column("row"), pa.array(sorted(gone), pa.int64())))
    rest = versions[3].filter(kept).drop_columns([DROPPED])
    versions[5] = rest.rename_columns([RENAMED.get(name, name) for name in rest.column_names])
    return Lake(folder, versions, 5)


class Log:
    """The log of a table that deltalake wrote, and further commits."""

    def __init__(self, folder: pathlib.Path, following: int) -> None:
        self.folder, self.following = folder, following
        self.files, self.described = {}, {}
        for file in sorted((folder / "_delta_log").glob("*.json")):
            for action in map(json.loads, file.read_text().splitlines()):
                if "add" in action:
                    self.files[action["add"]["path"]] = action["add"]
                if "remove" in action:
                    self.files.pop(action["remove"]["path"])
                self.described = action.get("metaData", self.described)

    def commit(self, actions: list[dict]) -> None:
        """Appends a version."""
        target = self.folder / "_delta_log" / f"{self.following:020}.json"
        target.write_text("".join(json.dumps(action) + "\n" for action in [{"commitInfo": {"timestamp": 1, "operation": "BY HAND"}}, *actions]))
        self.following += 1

    def protocol(self) -> dict:
        """Deletion vectors need table features; column mapping becomes one with them."""
        features = ["columnMapping", "deletionVectors"]
        return {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features}}

    def metadata(self, renamed: dict, dropped: str) -> dict:
        """Other logical names over the same physical ones; no file changes."""
        schema = json.loads(self.described["schemaString"])
        schema["fields"] = [{**f, "name": renamed.get(f["name"], f["name"])} for f in schema["fields"] if f["name"] != dropped]
        configuration = {**self.described["configuration"], "delta.enableDeletionVectors": "true"}
        self.described = {**self.described, "schemaString": json.dumps(schema), "configuration": configuration}
        return {"metaData": self.described}

    def physical(self, name: str) -> str:
        """What a column is called in the files."""
        fields = json.loads(self.described["schemaString"])["fields"]
        return next(f["metadata"]["delta.columnMapping.physicalName"] for f in fields if f["name"] == name)

    def delete_by_vectors(self) -> set[int]:
        """One commit: a vector in the log, a small and a large one in a common file, and a file without a row left; the
        numbers of the rows that are gone."""
        rows_of = {}
        for path in sorted(self.files):
            rows_of[path] = pq.read_table(self.folder / path, columns=[self.physical("row")], partitioning=None).column(0).to_pylist()
        # The largest files, so that the table shrinks by a third or so and each form has enough to say.
        inline, small, large, whole = sorted(rows_of, key=lambda path: (-len(rows_of[path]), path))[:4]
        chosen = {
            inline: [0, 7, len(rows_of[inline]) - 1],
            small: list(range(3, len(rows_of[small]), 97)),
            large: [n for n in range(len(rows_of[large])) if n % 5 != 2],
            whole: list(range(len(rows_of[whole]))),
        }
        assert len(chosen[large]) > ARRAY_CONTAINER_MAX, len(chosen[large])
        name = uuid.UUID("5a3c1d2e-4b5f-4a6b-8c7d-9e0f1a2b3c4d")
        content, actions, gone = bytearray(b"\x01"), [], set()
        for path, positions in chosen.items():
            vector = roaring(positions)
            if path == inline:
                descriptor = {"storageType": "i", "pathOrInlineDv": z85(vector)}
            else:
                descriptor = {"storageType": "u", "pathOrInlineDv": z85(name.bytes), "offset": len(content)}
                content += struct.pack(">i", len(vector)) + vector + struct.pack(">I", zlib.crc32(vector))
            add = self.files[path]
            removed = {key: add[key] for key in ("path", "partitionValues", "size")}
            actions.append({"remove": {**removed, "deletionTimestamp": 1, "dataChange": True, "extendedFileMetadata": True}})
            actions.append({"add": {**add, "deletionVector": {**descriptor, "sizeInBytes": len(vector), "cardinality": len(positions)}}})
            gone.update(rows_of[path][n] for n in positions)
        (self.folder / f"deletion_vector_{name}.bin").write_bytes(content)
        self.commit(actions)
        return gone


def roaring(positions: list[int]) -> bytes:
    """A RoaringBitmapArray in its portable form, of positions below 2^32."""
    containers = {}
    for position in positions:
        containers.setdefault(position >> 16, []).append(position & 0xFFFF)
    head, body = bytearray(struct.pack("<II", ROARING_COOKIE, len(containers))), bytearray()
    offset = len(head) + 8 * len(containers)
    offsets = bytearray()
    for key, values in sorted(containers.items()):
        head += struct.pack("<HH", key, len(values) - 1)
        offsets += struct.pack("<I", offset + len(body))
        if len(values) <= ARRAY_CONTAINER_MAX:
            body += struct.pack(f"<{len(values)}H", *sorted(values))
        else:
            bits = bytearray(8192)
            for value in values:
                bits[value >> 3] |= 1 << (value & 7)
            body += bits
    return struct.pack("<IQI", ROARING_ARRAY_MAGIC, 1, 0) + bytes(head + offsets + body)


def z85(data: bytes) -> str:
    """Base 85 of ZeroMQ RFC 32, padded to whole groups."""
    data += b"\0" * (-len(data) % 4)
    text = []
    for (number,) in struct.iter_unpack(">I", data):
        text += [Z85[number // 85**power % 85] for power in (4, 3, 2, 1, 0)]
    return "".join(text)
