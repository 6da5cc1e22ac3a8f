"""Terms about a table's content: drawn, written as ODRL constraints, and read plainly, row by row.

This is a second reading of the rules in `docs` and of SQL's logic, and shares nothing with the program under test.
"""

import dataclasses
import datetime
import decimal
import math
import random
import re

import numpy

from drawn import Drawn, ListOf, Struct

WORDS = ("and", "or", "not", "is", "null", "in", "between", "true", "false", "date", "timestamp")
OPS = ("=", "<>", "<", "<=", ">", ">=")
HASH_HEX = 32


@dataclasses.dataclass
class Policy:
    """What is shown: paths of columns, a filter, masks by path; each may be missing."""

    fields: list[tuple] | None = None
    filter: tuple | None = None
    masks: dict = dataclasses.field(default_factory=dict)

    def constraints(self) -> list[dict]:
        """As an offer has them."""
        out = []
        if self.fields is not None:
            out.append({"leftOperand": "fields", "operator": "isAnyOf", "rightOperand": [named(p) for p in self.fields]})
        if self.filter is not None:
            out.append({"leftOperand": "rowFilter", "operator": "eq", "rightOperand": text(self.filter)})
        if self.masks:
            masks = [f"{m}({named(p)}{', ' + str(a) if a is not None else ''})" for p, (m, a) in self.masks.items()]
            out.append({"leftOperand": "mask", "operator": "isAllOf", "rightOperand": masks})
        return out


def named(path: tuple) -> str:
    """A path as it is written."""
    plain = lambda name: re.fullmatch(r"[^\W\d]\w*", name) and name.lower() not in WORDS
    return ".".join(name if plain(name) else '"' + name.replace('"', '""') + '"' for name in path)


# Drawing.


def draw(dice: random.Random, table: Drawn) -> Policy:
    """A policy that fits the table; the columns with names of their own are named by none."""
    policy = Policy()
    wanted = dice.choice(("fields", "filter", "mask", "fields filter", "fields mask", "filter mask", "fields filter mask"))
    # What has a name that is nowhere else stays out of the policy's text: that name is to be found nowhere.
    leaves = [(p, k) for p, k in paths(table.columns) if not any(secret(n) for n in p)]
    if "fields" in wanted:
        chosen = [p for p, _ in leaves if p != ("row",) and dice.random() < 0.5]
        # Of a column and a part of it, one.
        chosen = [p for p in chosen if not any(p[: len(q)] == q for q in chosen if q != p)]
        policy.fields = [("row",), *chosen]
    if "mask" in wanted:
        for path, k in leaves:
            if path == ("row",) or not visible(policy, path) or dice.random() < 0.5:
                continue
            if any(path[: len(q)] == q or q[: len(path)] == path for q in policy.masks):
                continue
            if policy.fields is not None and not any(path[: len(f)] == f for f in policy.fields):
                continue  # a mask on the whole of what is shown in part
            drawn = mask(dice, k)
            if drawn:
                policy.masks[path] = drawn
    if "filter" in wanted:
        policy.filter = a_filter(dice, table, [(p, k) for p, k in leaves if isinstance(k, str) and "element" not in p], 0)
    return policy


def secret(name: str) -> bool:
    """Whether a name was drawn to be nowhere else."""
    return re.fullmatch(r"tk[0-9a-f]{12}", name) is not None


def paths(columns: tuple) -> list[tuple]:
    """Every column and part of one, with its type."""
    out = []

    def walk(path: tuple, k: object) -> None:
        out.append((path, k))
        if isinstance(k, Struct):
            for name, inner in k.fields:
                walk((*path, name), inner)
        elif isinstance(k, ListOf):
            walk((*path, "element"), k.element)

    for name, k in columns:
        walk((name,), k)
    return out


def mask(dice: random.Random, k: object) -> tuple | None:
    """A mask that fits a type."""
    fitting = [("null", None)]
    if isinstance(k, str):
        fitting.append(("hash", None))
    if k == "string":
        fitting += [("truncate", dice.choice((0, 1, 2, 5)))] * 2
    if k in ("byte", "short", "integer", "long"):
        fitting += [("bucket", dice.choice((2, 10, 20)))] * 2
    if k in ("float", "double", "decimal"):
        fitting += [("bucket", dice.choice(("10", "0.5", "250")))] * 2
    return dice.choice(fitting)


def a_filter(dice: random.Random, table: Drawn, leaves: list, depth: int) -> tuple:
    """A filter, mostly with values that occur."""
    drawn = dice.random()
    if depth < 3 and drawn < 0.45:
        if drawn < 0.12:
            return ("not", a_filter(dice, table, leaves, depth + 1))
        parts = [a_filter(dice, table, leaves, depth + 1) for _ in range(dice.randint(2, 3))]
        return (dice.choice(("and", "or")), parts)
    path, k = dice.choice(leaves) if dice.random() < 0.7 else (("row",), "long")
    pool = [v for v in (at(r, path) for r in table.rows) if v is not None and not (isinstance(v, float) and not math.isfinite(v))]
    if path == ("row",):  # where row groups begin: whole groups are decided
        pool = [n * table.group_rows for n in range(1 + len(table.rows) // table.group_rows)] + pool[:2]
    # Texts that are nowhere else are for the scan of what is served.
    pool = [v for v in pool if not (isinstance(v, str) and secret(v))]
    form = dice.random()
    if not pool or form < 0.1:
        return ("null", path, dice.random() < 0.5)
    if k == "boolean":
        return ("compare", path, dice.choice(("=", "<>")), dice.choice(pool), k)
    if form < 0.25:
        return ("in", path, [dice.choice(pool) for _ in range(dice.randint(1, 4))], k, dice.random() < 0.3)
    if form < 0.4:
        low, high = sorted((dice.choice(pool), dice.choice(pool)))
        return ("between", path, low, high, k, dice.random() < 0.3)
    value = dice.choice(pool)
    if k in ("byte", "short", "integer", "long") and dice.random() < 0.2:
        value = decimal.Decimal(value) + decimal.Decimal("0.5")
    return ("compare", path, dice.choice(OPS), value, k)


def literal(value: object) -> str:
    """A value as the filter's language writes it."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, datetime.datetime):
        return f"TIMESTAMP '{value.strftime('%Y-%m-%dT%H:%M:%S.%fZ')}'"
    if isinstance(value, datetime.date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, float):
        return format(decimal.Decimal(repr(value)), "f")
    return str(value)


def text(f: tuple) -> str:
    """A filter as it is written."""
    match f:
        case ("not", inner):
            return f"NOT ({text(inner)})"
        case ("and" | "or", parts):
            return f" {f[0].upper()} ".join(f"({text(p)})" for p in parts)
        case ("null", path, negated):
            return f"{named(path)} IS {'NOT ' if negated else ''}NULL"
        case ("compare", path, op, value, _):
            return f"{named(path)} {op} {literal(value)}"
        case ("in", path, values, _, negated):
            return f"{named(path)} {'NOT ' if negated else ''}IN ({', '.join(map(literal, values))})"
        case ("between", path, low, high, _, negated):
            return f"{named(path)} {'NOT ' if negated else ''}BETWEEN {literal(low)} AND {literal(high)}"
    raise ValueError(f)


# Reading.


def at(row: dict, path: tuple) -> object:
    """The value at a path; missing where something above it is."""
    found = row
    for name in path:
        if found is None:
            return None
        found = found[name]
    return found


def holds(f: tuple, row: dict) -> bool | None:
    """SQL's logic: true, false, or neither."""
    match f:
        case ("not", inner):
            found = holds(inner, row)
            return None if found is None else not found
        case ("and", parts):
            found = [holds(p, row) for p in parts]
            return False if False in found else None if None in found else True
        case ("or", parts):
            found = [holds(p, row) for p in parts]
            return True if True in found else None if None in found else False
        case ("null", path, negated):
            return (at(row, path) is None) != negated
        case ("compare", path, op, value, k):
            found = at(row, path)
            return None if found is None else compared(order(found, value, k), op)
        case ("in", path, values, k, negated):
            found = at(row, path)
            return None if found is None else any(order(found, v, k) == 0 for v in values) != negated
        case ("between", path, low, high, k, negated):
            found = at(row, path)
            return None if found is None else (order(found, low, k) >= 0 and order(found, high, k) <= 0) != negated
    raise ValueError(f)


def order(a: object, b: object, k: str) -> int:
    """-1, 0 or 1. What is not a number is above every number, as in PostgreSQL, Spark and DuckDB."""
    if k in ("float", "double"):
        if math.isnan(a):
            return 1
        # The literal means the column's nearest value.
        b = float(numpy.float32(b)) if k == "float" else float(b)
    return (a > b) - (a < b)


def compared(sign: int, op: str) -> bool:
    """Whether an order is what an operator wants."""
    return {"=": sign == 0, "<>": sign != 0, "<": sign < 0, "<=": sign <= 0, ">": sign > 0, ">=": sign >= 0}[op]


def visible(policy: Policy, path: tuple) -> bool:
    """Whether something of a path is shown."""
    return policy.fields is None or any(path[: len(f)] == f or f[: len(path)] == path for f in policy.fields)


def shown_type(policy: Policy, path: tuple, k: object) -> object | None:
    """The type that is shown of a path; None when it is hidden."""
    if not visible(policy, path):
        return None
    if path in policy.masks:
        return "string" if policy.masks[path][0] == "hash" else k
    if isinstance(k, Struct):
        return Struct(tuple((n, t) for n, inner in k.fields if (t := shown_type(policy, (*path, n), inner)) is not None))
    if isinstance(k, ListOf):
        return ListOf(shown_type(policy, (*path, "element"), k.element))
    return k


class Hashed(str):
    """Stands for the hash of a value: equal for equal values of one column."""


def shown(policy: Policy, path: tuple, k: object, value: object) -> object:
    """The value that is shown of a path that is."""
    if value is None:
        return None
    if path in policy.masks:
        return masked(*policy.masks[path], path, k, value)
    if isinstance(k, Struct):
        return {n: shown(policy, (*path, n), inner, value[n]) for n, inner in k.fields if visible(policy, (*path, n))}
    if isinstance(k, ListOf):
        return [shown(policy, (*path, "element"), k.element, v) for v in value]
    return value


def masked(method: str, argument: object, path: tuple, k: str, value: object) -> object:
    """A value that a mask hides in part."""
    if method == "null":
        return None
    if method == "truncate":
        return value[:argument]
    if method == "hash":
        if isinstance(value, float):
            value = "nan" if math.isnan(value) else value + 0.0
        return Hashed(f"{named(path)} {value!r}")
    width = decimal.Decimal(argument)
    if k in ("float", "double"):
        kind = numpy.float32 if k == "float" else numpy.float64
        return float(numpy.floor(kind(value) / kind(width)) * kind(width))
    lower = (decimal.Decimal(value) / width).to_integral_value(rounding=decimal.ROUND_FLOOR) * width
    return lower if k == "decimal" else int(lower)


def apply(policy: Policy, table: Drawn) -> tuple[tuple, list[dict]]:
    """The columns and rows that the policy leaves."""
    columns = tuple((n, t) for n, k in table.columns if (t := shown_type(policy, (n,), k)) is not None)
    kinds = dict(table.columns)
    kept = [r for r in table.rows if policy.filter is None or holds(policy.filter, r) is True]
    return columns, [{n: shown(policy, (n,), kinds[n], r[n]) for n, _ in columns} for r in kept]
