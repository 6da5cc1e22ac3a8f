"""Hints: a server may use them to leave out files, and a file that it leaves out holds no row that matches."""

import decimal
import json

import pyarrow as pa
import pyarrow.compute as pc

from .registry import OPTIONAL, REQUIRED, Skipped, add, check, need
from .target import DELTA, Target, ids, lines, refused, told

SQL, JSON = "SQL Expressions for Filtering", "JSON predicates for Filtering"
QUERY = "Read Data from a Table"
# Columns that are asked about; each costs a few dozen queries.
COLUMNS_MAX = 6
COMPARISONS = {
    "equal": ("=", pc.equal), "less": ("<", pc.less), "less-or-equal": ("<=", pc.less_equal),
    "greater": (">", pc.greater), "greater-or-equal": (">=", pc.greater_equal), "not-equal": ("<>", pc.not_equal),
}
JSON_OPS = {
    "equal": "equal", "less": "lessThan", "less-or-equal": "lessThanOrEqual", "greater": "greaterThan", "greater-or-equal": "greaterThanOrEqual",
}
VALUE_TYPES = {
    "boolean": "bool", "integer": "int", "short": "int", "byte": "int", "long": "long", "string": "string", "date": "date",
    "float": "float", "double": "double", "timestamp": "timestamp",
}


def columns(t: Target) -> list[tuple[str, str, list]]:
    """Top-level columns of simple types, with their type and a few of their values: the least, the middle, the greatest."""
    found, kinds = [], set()
    partitions = set(t.metadata["partitionColumns"])
    simple = [f for f in t.fields if isinstance(f["type"], str) and (f["type"] in VALUE_TYPES or f["type"].startswith("decimal"))]
    # Partition columns first, then a column of every type.
    for field in sorted(simple, key=lambda f: f["name"] not in partitions):
        if field["type"] in kinds or len(found) >= COLUMNS_MAX:
            continue
        values = t.all_rows.column(field["name"]).combine_chunks().drop_null()
        if pa.types.is_floating(values.type):
            values = values.filter(pc.is_finite(values))
        if len(values) == 0:
            continue
        kinds.add(field["type"])
        ordered = values.take(pc.sort_indices(values))
        picked = {str(ordered[n]): ordered[n] for n in (0, len(ordered) // 2, len(ordered) - 1)}
        found.append((field["name"], field["type"], list(picked.values())))
    if not found:
        raise Skipped("the table has no column of a simple type with a value")
    return found


def literal(value: pa.Scalar) -> str:
    """A value as text, the way the protocol writes it."""
    plain = value.as_py()
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if pa.types.is_timestamp(value.type):
        return plain.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(plain) if isinstance(plain, (decimal.Decimal, str)) else repr(plain) if isinstance(plain, float) else str(plain)


def sql_literal(value: pa.Scalar) -> str:
    """A value in an SQL expression."""
    text = literal(value)
    plain = pa.types.is_integer(value.type) or pa.types.is_floating(value.type) or pa.types.is_decimal(value.type) or pa.types.is_boolean(value.type)
    return text if plain else "'" + text.replace("'", "''") + "'"


def leaf(op: str, name: str, kind: str, value: pa.Scalar) -> dict:
    """A JSON comparison."""
    return {"op": op, "children": [
        {"op": "column", "name": name, "valueType": VALUE_TYPES[kind]},
        {"op": "literal", "value": literal(value), "valueType": VALUE_TYPES[kind]},
    ]}


def is_null(name: str, kind: str) -> dict:
    """The JSON test for null."""
    return {"op": "isNull", "children": [{"op": "column", "name": name, "valueType": VALUE_TYPES[kind]}]}


def keeps(t: Target, body: dict, matches) -> int:
    """Asks with a hint, in both formats: what is left out must not match. How many files were left out."""
    dropped = 0
    for headers, whole in ((None, t.current), (DELTA, None)):
        if headers and not any("deltaProtocol" in line.get("protocol", {}) for line in t.lines_of({"limitHint": 1}, headers=DELTA)):
            continue
        whole = whole or t.current_delta
        answer = t.query(body, headers=headers)
        need(answer.status_code == 200, told(answer))
        kept = set(ids(lines(answer)))
        need(kept <= set(ids(whole)), f"{body}: files that the table does not have")
        for file in t.files if not headers else []:
            if file["id"] not in kept:
                dropped += 1
                lost = pc.sum(matches(t.rows(file))).as_py() or 0
                need(lost == 0, f"{body}: {lost} matching rows are in a file that was left out ({file['id']})")
        if headers:
            need(len(kept) == len(ids(whole)) - dropped or kept, f"{body}: the formats leave out other files")
    return dropped


def _comparison(op: str, sign: str, compare) -> None:
    def by_sql(t: Target) -> None:
        for name, _, values in columns(t):
            for value in values:
                text = f"{name} {sign} {sql_literal(value)}"
                keeps(t, {"predicateHints": [text]}, lambda rows, n=name, v=value: compare(rows.column(n), v))

    def by_sql_turned(t: Target) -> None:
        turned = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(sign, sign)
        for name, _, values in columns(t):
            text = f"{sql_literal(values[-1])} {turned} {name}"
            keeps(t, {"predicateHints": [text]}, lambda rows, n=name, v=values[-1]: compare(rows.column(n), v))

    def by_json(t: Target) -> None:
        for name, kind, values in columns(t):
            for value in values if kind in VALUE_TYPES else []:
                body = {"jsonPredicateHints": json.dumps(leaf(JSON_OPS[op], name, kind, value))}
                keeps(t, body, lambda rows, n=name, v=value: compare(rows.column(n), v))

    add(f"hints.sql.{op}", SQL, REQUIRED, f"column {sign} value never loses a row that matches", by_sql)
    add(f"hints.sql.{op}.turned", SQL, REQUIRED, f"The value first, for column {sign} value, never loses a row that matches", by_sql_turned)
    if op in JSON_OPS:
        add(f"hints.json.{op}", JSON, REQUIRED, f"{JSON_OPS[op]} never loses a row that matches", by_json)


for _op, (_sign, _compare) in COMPARISONS.items():
    _comparison(_op, _sign, _compare)


@check("hints.sql.null", SQL)
def sql_null(t: Target) -> None:
    """IS NULL and IS NOT NULL never lose a row that matches"""
    for name, _, _ in columns(t):
        keeps(t, {"predicateHints": [f"{name} IS NULL"]}, lambda rows, n=name: pc.is_null(rows.column(n)))
        keeps(t, {"predicateHints": [f"{name} IS NOT NULL"]}, lambda rows, n=name: pc.is_valid(rows.column(n)))


@check("hints.sql.several", SQL)
def sql_several(t: Target) -> None:
    """Several expressions hold together, and one that cannot be read does not undo the others"""
    (name, _, values) = columns(t)[0]
    low, high = sql_literal(values[0]), sql_literal(values[-1])
    matches = lambda rows: pc.and_(pc.greater_equal(rows.column(name), values[0]), pc.less_equal(rows.column(name), values[-1]))
    keeps(t, {"predicateHints": [f"{name} >= {low}", f"{name} <= {high}"]}, matches)
    keeps(t, {"predicateHints": [f"{name} >= {low}", "; drop table x", f"{name} <= {high}"]}, matches)


@check("hints.json.null", JSON)
def json_null(t: Target) -> None:
    """isNull, and not of it, never lose a row that matches"""
    for name, kind, _ in columns(t):
        if kind in VALUE_TYPES:
            keeps(t, {"jsonPredicateHints": json.dumps(is_null(name, kind))}, lambda rows, n=name: pc.is_null(rows.column(n)))
            negated = {"op": "not", "children": [is_null(name, kind)]}
            keeps(t, {"jsonPredicateHints": json.dumps(negated)}, lambda rows, n=name: pc.is_valid(rows.column(n)))


@check("hints.json.trees", JSON)
def json_trees(t: Target) -> None:
    """and, or, not over comparisons never lose a row that matches; a comparison with null is neither true nor false"""
    typed = [c for c in columns(t) if c[1] in VALUE_TYPES]
    if not typed:
        raise Skipped("the table has no column of a type that JSON predicates know")
    (a, a_kind, a_values), (b, b_kind, b_values) = typed[0], typed[-1]
    one, two = leaf("lessThan", a, a_kind, a_values[-1]), leaf("equal", b, b_kind, b_values[0])
    first = lambda rows: pc.less(rows.column(a), a_values[-1])
    second = lambda rows: pc.equal(rows.column(b), b_values[0])
    trees = [
        ({"op": "and", "children": [one, two]}, lambda rows: pc.and_kleene(first(rows), second(rows))),
        ({"op": "or", "children": [one, two]}, lambda rows: pc.or_kleene(first(rows), second(rows))),
        ({"op": "not", "children": [one]}, lambda rows: pc.invert(first(rows))),
        ({"op": "not", "children": [{"op": "or", "children": [one, two]}]}, lambda rows: pc.invert(pc.or_kleene(first(rows), second(rows)))),
        ({"op": "and", "children": [one, {"op": "not", "children": [two]}, one]}, lambda rows: pc.and_kleene(first(rows), pc.invert(second(rows)))),
        ({"op": "or", "children": [is_null(a, a_kind), two]}, lambda rows: pc.or_kleene(pc.is_null(rows.column(a)), second(rows))),
    ]
    for tree, matches in trees:
        keeps(t, {"jsonPredicateHints": json.dumps(tree)}, matches)


@check("hints.prune", JSON, OPTIONAL)
def prune(t: Target) -> None:
    """A hint that some file cannot meet leaves out that file"""
    if len(t.files) < 2:
        raise Skipped("the table has fewer than two files")
    for name, kind, _ in columns(t):
        for file in t.files:
            values = t.rows(file).column(name).drop_null()
            if kind not in VALUE_TYPES or len(values) == 0 or pa.types.is_floating(values.type):
                continue
            bounds = pc.min_max(values)
            for op, bound in (("lessThan", bounds["min"]), ("greaterThan", bounds["max"])):
                if keeps(t, {"jsonPredicateHints": json.dumps(leaf(op, name, kind, bound))}, no_row):
                    return
    raise Skipped("the server does not use hints")


def no_row(rows: pa.Table) -> pa.Array:
    """What no row meets."""
    return pa.array([False] * rows.num_rows)


DEEP = 2_000
IGNORED = {
    "sql.garbage": {"predicateHints": ["; drop table x", "(((", "", "a LIKE 'x%'"]},
    "sql.unknown-column": {"predicateHints": ["no_such_column_7b1 = 1"]},
    "sql.wrong-type": None,
    "json.garbage": {"jsonPredicateHints": "{not json"},
    "json.unknown-op": {"jsonPredicateHints": json.dumps({"op": "like", "children": []})},
    "json.unknown-column": {"jsonPredicateHints": json.dumps(
        {"op": "equal", "children": [{"op": "column", "name": "no_such_column_7b1", "valueType": "int"}, {"op": "literal", "value": "1", "valueType": "int"}]}
    )},
    "json.deep": {"jsonPredicateHints": '{"op":"not","children":[' * DEEP + "]}" * DEEP},
}


def _ignored(name: str, body: dict | None) -> None:
    def action(t: Target) -> None:
        asked = body or {"predicateHints": [f"{columns(t)[0][0]} = TIMESTAMP"]}
        answer = t.query(asked)
        if answer.status_code == 200:
            need(ids(lines(answer)) == ids(t.current), "files were left out")
        else:
            refused(answer, 400, 413)

    what = name.replace(".", " ").replace("-", " ")
    add(f"hints.ignored.{name}", SQL if name.startswith("sql") else JSON, REQUIRED, f"Hints ({what}) that cannot be used leave out no file, or are refused with 400", action)


for _name, _body in IGNORED.items():
    _ignored(_name, _body)


def _limit(what: str, number) -> None:
    def action(t: Target) -> None:
        wanted = min(number(t), t.all_rows.num_rows)
        found = [line["file"] for line in t.lines_of({"limitHint": number(t)}) if "file" in line]
        need({f["id"] for f in found} <= {f["id"] for f in t.files}, "files that the table does not have")
        rows = sum(t.rows(f).num_rows for f in found)
        need(rows >= wanted, f"{rows} rows for limitHint {number(t)}")

    add(f"limit.{what}", QUERY, REQUIRED, f"limitHint ({what}) leaves enough rows", action)


_limit("zero", lambda t: 0)
_limit("one", lambda t: 1)
_limit("half", lambda t: t.all_rows.num_rows // 2)
_limit("all", lambda t: t.all_rows.num_rows)
_limit("more", lambda t: min(t.all_rows.num_rows * 2 + 1, 2**31 - 1))


@check("limit.with-hint", QUERY)
def limit_with_hint(t: Target) -> None:
    """With a hint and a limit, enough rows that match are left: the hint is applied first"""
    name, _, values = columns(t)[0]
    body = {"predicateHints": [f"{name} >= {sql_literal(values[-1])}"], "limitHint": 1}
    found = [line["file"] for line in t.lines_of(body) if "file" in line]
    matching = sum(pc.sum(pc.greater_equal(t.rows(f).column(name), values[-1])).as_py() or 0 for f in found)
    need(matching >= 1, f"{body}: no file of {len(found)} has a row that matches")
