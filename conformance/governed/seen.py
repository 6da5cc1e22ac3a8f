"""What clients read, brought into one form, and compared with what they should."""

import datetime
import decimal
import math
import re

import numpy
import pandas

from drawn import ListOf, Struct
from policy import HASH_HEX, Hashed


def plain(value: object, k: object, frame: bool) -> object:
    """A value as it is compared; a frame does not tell a missing value from one that is not a number."""
    if value is None or value is pandas.NaT or value is pandas.NA or (isinstance(value, numpy.datetime64) and numpy.isnat(value)):
        return None
    if isinstance(k, Struct):
        return {n: plain(value[n], inner, frame) for n, inner in k.fields}
    if isinstance(k, ListOf):
        return [plain(v, k.element, frame) for v in value]
    if isinstance(value, (float, numpy.floating)) and math.isnan(value):
        return None if frame or k not in ("float", "double") else "NaN"
    if isinstance(value, Hashed):
        return value
    match k:
        case "byte" | "short" | "integer" | "long":
            if int(value) != value:
                raise ValueError(f"{value!r} is no whole number")
            return int(value)
        case "float" | "double":
            return float(value)
        case "decimal":
            return decimal.Decimal(value)
        case "date":
            return value.date() if isinstance(value, datetime.datetime) else value
        case "timestamp":
            if isinstance(value, (numpy.datetime64, numpy.integer, int)):
                value = pandas.Timestamp(value).tz_localize("UTC")
            return pandas.Timestamp(value).tz_convert("UTC").to_pydatetime()
        case "boolean":
            return bool(value)
    return value


class Mismatch(Exception):
    """Another value than the policy leaves."""


def compare(columns: tuple, wanted: list[dict], seen: list[dict], frame: bool, hashes: dict) -> None:
    """Row by row, matched by their number; `hashes` holds what each hash stands for, over all readers of an agreement."""
    names = [n for n, _ in columns]
    if seen and list(seen[0]) != names:
        raise Mismatch(f"columns {list(seen[0])} instead of {names}")
    numbers = sorted(r["row"] for r in seen)
    if numbers != [r["row"] for r in wanted]:
        missing, extra = set(r["row"] for r in wanted) - set(numbers), set(numbers) - set(r["row"] for r in wanted)
        raise Mismatch(f"{len(seen)} rows instead of {len(wanted)}; missing {sorted(missing)[:5]}, too many {sorted(extra)[:5]}")
    by_number = {r["row"]: r for r in seen}
    for row in wanted:
        for name, k in columns:
            a, b = plain(by_number[row["row"]][name], k, frame), plain(row[name], k, frame)
            if not same(a, b, hashes):
                raise Mismatch(f"row {row['row']}, {name} ({k}): {a!r} instead of {b!r}")


def same(a: object, b: object, hashes: dict) -> bool:
    """Whether a value is the wanted one; a hash must be 32 hexadecimal digits, and stand for one value."""
    if isinstance(b, Hashed):
        if not isinstance(a, str) or not re.fullmatch(f"[0-9a-f]{{{HASH_HEX}}}", a):
            return False
        return hashes.setdefault(a, b) == b and hashes.setdefault(b, a) == a
    if isinstance(b, dict):
        return isinstance(a, dict) and a.keys() == b.keys() and all(same(a[n], b[n], hashes) for n in b)
    if isinstance(b, list):
        return isinstance(a, list) and len(a) == len(b) and all(same(x, y, hashes) for x, y in zip(a, b))
    if isinstance(b, float) and isinstance(a, float):
        return a == b or math.isclose(a, b, rel_tol=1e-6)
    return type(a) is type(b) and a == b
