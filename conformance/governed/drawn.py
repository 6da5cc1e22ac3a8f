"""Draws tables: schemas, values, and the many ways to write them as Parquet."""

import dataclasses
import datetime
import decimal
import pathlib
import random

import pyarrow as pa
import pyarrow.parquet as pq

SCALARS = ("byte", "short", "integer", "long", "float", "double", "decimal", "string", "date", "timestamp", "boolean")
# Scale and precision of every decimal that is drawn.
DECIMAL = (12, 3)
# Whole numbers that a float holds exactly: clients that read into pandas make floats of them where some are missing.
LONG_MAX = 2**53
TEXTS = ("", "a", "Suzhou", "Köln", "数据", "it's", "Ωmega", "b")
PLAIN_NAMES = ("site", "kind", "Größe", "值", "amount", "when", "note", "flag", "x1", "_u", "Temp", "select", "not")
TOKEN = "tk"


@dataclasses.dataclass(frozen=True)
class Struct:
    """A struct's fields, by name."""

    fields: tuple

    def __str__(self) -> str:
        return "struct<" + ", ".join(f"{n}: {k}" for n, k in self.fields) + ">"


@dataclasses.dataclass(frozen=True)
class ListOf:
    """A list's element type."""

    element: object

    def __str__(self) -> str:
        return f"list<{self.element}>"


def arrow(kind: object) -> pa.DataType:
    """A type as Arrow has it."""
    if isinstance(kind, Struct):
        return pa.struct([pa.field(n, arrow(k)) for n, k in kind.fields])
    if isinstance(kind, ListOf):
        return pa.list_(arrow(kind.element))
    return {
        "byte": pa.int8(), "short": pa.int16(), "integer": pa.int32(), "long": pa.int64(), "float": pa.float32(), "double": pa.float64(),
        "decimal": pa.decimal128(*DECIMAL), "string": pa.string(), "date": pa.date32(), "timestamp": pa.timestamp("us", "UTC"),
        "boolean": pa.bool_(),
    }[kind]


@dataclasses.dataclass
class Drawn:
    """A table: its columns, its rows, and what was planted beside them."""

    columns: tuple
    rows: list[dict]
    files: list[pathlib.Path]
    group_rows: int
    planted: list[str]
    how: str

    @property
    def schema(self) -> pa.Schema:
        """As Arrow has it."""
        return pa.schema([pa.field(n, arrow(k)) for n, k in self.columns])


def token(dice: random.Random) -> str:
    """A text that is nowhere else."""
    return TOKEN + dice.randbytes(6).hex()


def table(dice: random.Random, folder: pathlib.Path) -> Drawn:
    """A table. Its first column, `row`, numbers the rows, so that they can be matched."""
    names = dice.sample(PLAIN_NAMES, dice.randint(2, 6))
    # Columns that no policy names, with names that are nowhere else.
    names += [token(dice) for _ in range(dice.randint(1, 3))]
    dice.shuffle(names)
    columns = (("row", "long"), *((name, kind(dice, 0)) for name in names))
    count = dice.choice((1, 7, 100, 700, 1500))
    nulls = dice.choice((0.0, 0.1, 0.6))
    rows = [{"row": n, **{name: value(dice, k, nulls) for name, k in columns[1:]}} for n in range(count)]
    return write(dice, columns, rows, folder)


def kind(dice: random.Random, depth: int) -> object:
    """A type."""
    drawn = dice.random()
    if depth < 2 and drawn < 0.15:
        names = dice.sample(("city", "code", "at", "Ort"), dice.randint(1, 3)) + [token(dice)]
        return Struct(tuple((n, kind(dice, depth + 1)) for n in names))
    if depth < 2 and drawn < 0.25:
        return ListOf(kind(dice, depth + 1))
    return dice.choice(SCALARS)


def value(dice: random.Random, k: object, nulls: float) -> object:
    """A value, or none."""
    if dice.random() < nulls:
        return None
    if isinstance(k, Struct):
        return {n: value(dice, inner, nulls) for n, inner in k.fields}
    if isinstance(k, ListOf):
        return [value(dice, k.element, nulls) for _ in range(dice.choice((0, 1, 1, 3)))]
    few = dice.random() < 0.5
    match k:
        case "byte" | "short" | "integer":
            return dice.choice((-3, 0, 1, 5, 40)) if few else dice.randint(-100, 100)
        case "long":
            return dice.choice((-3, 0, 1, 5, 40)) if few else dice.randint(-LONG_MAX, LONG_MAX)
        case "float":
            return dice.choice((0.5, -0.0, 0.0, 1.25, float("nan"), float("inf"))) if few else dice.randint(-4000, 4000) / 8
        case "double":
            return dice.choice((0.5, -0.0, 0.0, 1.25, float("nan"), float("-inf"))) if few else dice.uniform(-1000, 1000)
        case "decimal":
            return decimal.Decimal(dice.choice((0, 1000, -2500)) if few else dice.randint(-(10**8), 10**8)).scaleb(-DECIMAL[1])
        case "string":
            return dice.choice(TEXTS) if few else token(dice)
        case "date":
            return datetime.date(2024, 1, 1) + datetime.timedelta(dice.choice((0, 31)) if few else dice.randint(-20_000, 20_000))
        case "timestamp":
            micros = dice.choice((0, 1)) if few else dice.randint(-(10**15), 10**15)
            return datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC) + datetime.timedelta(microseconds=micros)
        case "boolean":
            return dice.random() < 0.5
    raise ValueError(k)


def write(dice: random.Random, columns: tuple, rows: list[dict], folder: pathlib.Path) -> Drawn:
    """Writes the rows, in one or several files."""
    folder.mkdir(parents=True)
    planted = [token(dice), token(dice)]
    schema = pa.schema([pa.field(n, arrow(k)) for n, k in columns], metadata={planted[0]: planted[1]} if dice.random() < 0.7 else None)
    files = min(dice.choice((1, 1, 2, 3)), len(rows))
    group_rows = dice.choice((1, 10, 64, 333, 5000)) if len(rows) <= 100 else dice.choice((64, 100, 333, 5000))
    dictionary = dice.choice((True, False, ["row"]))
    options = {
        "row_group_size": group_rows,
        "data_page_version": dice.choice(("1.0", "2.0")),
        "use_dictionary": dictionary,
        "compression": dice.choice(("none", "snappy", "zstd", "gzip", "lz4")),
        "write_statistics": dice.choice((True, True, False, ["row"])),
        "write_page_index": dice.random() < 0.5,
        "data_page_size": dice.choice((None, 200)),
        "store_schema": dice.random() < 0.7,
        "write_page_checksum": dice.random() < 0.3,
    }
    if dictionary is False and dice.random() < 0.5:
        options["column_encoding"] = {"row": "DELTA_BINARY_PACKED"}
    whole = pa.Table.from_pylist(rows, schema=schema)
    # As pandas writes categories: one dictionary for all rows, whole in every row group of every file.
    categories = [n for n, k in columns if k == "string"] if dice.random() < 0.4 else []
    if categories:
        options |= {"use_dictionary": True, "compression": dice.choice(("none", "none", "none", "snappy")), "store_schema": True}
        options.pop("column_encoding", None)
    for name in categories:
        whole = whole.set_column(whole.schema.get_field_index(name), name, whole[name].combine_chunks().dictionary_encode())
    whole = whole.replace_schema_metadata(schema.metadata)
    paths = []
    each = -(-len(rows) // files)
    for n in range(files):
        part = whole.slice(n * each, each)
        if len(part):
            paths.append(folder / f"part-{n}.parquet")
            pq.write_table(part, paths[-1], **options)
    told = f"{len(rows)} rows in {len(paths)} files, {options}, categories {categories}"
    return Drawn(columns, rows, paths, group_rows, planted, told)
