"""Governed SQL with stock clients: plain HTTP, Arrow's reader, and the ADBC driver for Flight SQL."""

import json
import urllib.parse

import pyarrow as pa
import pyarrow.ipc
import requests
from adbc_driver_flightsql import dbapi
from adbc_driver_manager import Error as AdbcError

ARROW = "application/vnd.apache.arrow.stream"
PER_ORIGIN = "SELECT origin, count(*) AS n, sum(distance) AS miles FROM flights GROUP BY origin ORDER BY origin"


def run(trade) -> None:
    """All of it, on the flights."""
    profile = json.loads(trade.profile("flights").read_text())
    base = profile["endpoint"].rstrip("/").removesuffix("/share")
    frame = trade.flights.table.to_pandas()
    expected = frame.groupby("origin", as_index=False).agg(n=("origin", "size"), miles=("distance", "sum")).sort_values("origin")
    wanted = [(row.origin, int(row.n), int(row.miles)) for row in expected.itertuples()]
    over_http(trade, base, profile["bearerToken"], wanted)
    over_flight(trade, base, profile["bearerToken"], wanted, frame)
    by_command(trade, wanted)


def over_http(trade, base: str, token: str, wanted: list) -> None:
    """POST …/sql/query."""
    check = trade.report.check

    def ask(body, **headers):
        headers = {"Authorization": f"Bearer {token}", **headers}
        return requests.post(f"{base}/sql/query", json=body, headers=headers, timeout=60, allow_redirects=False)

    answer = ask({"sql": PER_ORIGIN})
    rows = [(r["origin"], r["n"], int(r["miles"])) for r in answer.json().get("rows", [])]
    check("sql: JSON equals pandas", rows == wanted, answer.text[:300])
    answer = ask({"sql": PER_ORIGIN}, Accept=ARROW)
    table = pa.ipc.open_stream(answer.content).read_all()
    check("sql: a stream of Arrow equals pandas", [tuple(map(_plain, r.values())) for r in table.to_pylist()] == wanted, str(table.schema))
    for name, sql in [
        ("DDL", "CREATE TABLE t AS SELECT 1"),
        ("COPY", "COPY flights TO '/tmp/flights.parquet'"),
        ("SET", "SET datafusion.execution.batch_size = 1"),
        ("a file", "SELECT * FROM '/etc/passwd'"),
        ("EXPLAIN", "EXPLAIN SELECT * FROM flights"),
    ]:
        answer = ask({"sql": sql})
        kind = answer.headers.get("content-type", "")
        check(f"sql: {name} is refused", answer.status_code == 400 and kind == "application/problem+json", answer.text[:300])
    wrong = requests.post(f"{base}/sql/query", json={"sql": "SELECT 1"}, headers={"Authorization": "Bearer fda_x.y"}, timeout=30)
    check("sql: a wrong token is refused", wrong.status_code == 401, wrong.text[:300])


def _plain(value):
    return value if isinstance(value, str) else int(value)


def _connect(base: str, token: str):
    url = urllib.parse.urlsplit(base)
    slug = url.path.rsplit("/", 1)[-1]
    return dbapi.connect(f"grpc://{url.netloc}", db_kwargs={"username": slug, "password": token}, autocommit=True)


def over_flight(trade, base: str, token: str, wanted: list, frame) -> None:
    """Arrow Flight SQL."""
    check = trade.report.check
    with _connect(base, token) as connection:
        with connection.cursor() as cursor:
            cursor.execute(PER_ORIGIN)
            table = cursor.fetch_arrow_table()
        check("flight: an aggregate equals pandas", [tuple(map(_plain, r.values())) for r in table.to_pylist()] == wanted, str(table))
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM flights")
            rows = cursor.fetch_arrow_table()
        check("flight: all rows come", rows.num_rows == len(frame), str(rows.num_rows))
        objects = connection.adbc_get_objects(depth="columns").read_all().to_pylist()
        names = [t["table_name"] for o in objects for s in o["catalog_db_schemas"] for t in s["db_schema_tables"]]
        check("flight: the table is listed", names == ["flights"], str(objects)[:300])
        check("flight: table types are listed", len(connection.adbc_get_table_types()) == 1, str(connection.adbc_get_table_types()))
        info = connection.adbc_get_info()
        check("flight: it says what it is", info.get("vendor_name") == "fondaco", str(info))
        with connection.cursor() as cursor:
            try:
                cursor.execute("DROP TABLE flights")
                cursor.fetch_arrow_table()
                refused = ""
            except AdbcError as error:
                refused = str(error)
        check("flight: DDL is refused, with the reason", "Only SELECT" in refused, refused[:300])
    try:
        with _connect(base, token[:-2] + "xx") as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        refused = ""
    except AdbcError as error:
        refused = str(error)
    check("flight: a wrong token is refused", "UNAUTHENTICATED" in refused.upper(), refused[:300])


def by_command(trade, wanted: list) -> None:
    """`fondaco query`."""
    agreement = trade.agreements["flights"]
    answer = trade.consumer.ask("query", agreement, PER_ORIGIN)
    rows = [(r["origin"], r["n"], int(r["miles"])) for r in answer["rows"]]
    trade.report.check("sql: the command's answer equals pandas", rows == wanted, str(answer)[:300])
    out = trade.folder / "per-origin.csv"
    trade.consumer.ask("query", agreement, PER_ORIGIN, "--out", str(out))
    lines = out.read_text().splitlines()
    trade.report.check("sql: the command writes CSV", lines[0] == "origin,n,miles" and len(lines) == 1 + len(wanted), str(lines[:3]))
