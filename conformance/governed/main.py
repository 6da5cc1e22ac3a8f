"""Tables and terms about their content, drawn from a seed: what every client reads is what the terms leave, and no
served byte holds what they hide."""

import concurrent.futures
import dataclasses
import io
import json
import os
import pathlib
import random
import struct
import sys
import time

import delta_sharing
import kit
import pyarrow as pa
import pyarrow.parquet as pq
import views
from drawn import TOKEN, Drawn, arrow, table
from node import Node, Refused
from policy import Hashed, Policy, apply, draw, paths, secret
from report import Report, run_suite
from seen import Mismatch, compare
from sharingkit.registry import FAIL, Failed
from sharingkit.target import DELTA, Profile, Target, ids, lines

CASES_DEFAULT = 25
# Deals that are made at the same time.
WORKERS = 3
# What of the kit is checked for every case: it knows nothing of terms.
KIT = ("metadata.", "query.again", "query.formats-agree", "stats.", "urls.size", "urls.again", "parquet.", "hints.json.trees", "hints.sql.equal", "limit.")
# Numbers of a hidden column whose bytes are looked for.
NUMBERS_MAX = 60
CHUNK_BYTES = 32


@dataclasses.dataclass
class Case:
    """A drawn table, its policy, and what was made of it."""

    number: int
    table: Drawn
    policy: Policy
    agreement: str = ""
    profile: pathlib.Path | None = None
    refusal: str = ""
    served: list = dataclasses.field(default_factory=list)

    @property
    def id(self) -> str:
        """The product's."""
        return f"case-{self.number:03}"

    def describe(self) -> str:
        """What is needed to understand a failure."""
        columns = ", ".join(f"{n}: {k}" for n, k in self.table.columns)
        return f"CASE={self.number}; {columns}; {self.table.how}; {json.dumps(self.policy.constraints(), ensure_ascii=False)}"


def body(report: Report, folder: pathlib.Path, nodes: list) -> None:
    """Draws, trades, reads, scans."""
    seed = os.environ.get("SEED") or str(random.SystemRandom().randrange(1 << 32))
    print(f"SEED={seed}", flush=True)
    numbers = [int(os.environ["CASE"])] if os.environ.get("CASE") else range(int(os.environ.get("CASES", CASES_DEFAULT)))
    provider = Node(folder / "provider", "mill", "Paper Mill")
    consumer = Node(folder / "consumer", "buyer", "Buyer")
    stranger = Node(folder / "stranger", "stranger", "A Stranger")
    nodes += [provider, consumer, stranger]
    for node in nodes:
        node.start()
    cases = []
    for number in numbers:
        dice = random.Random(f"{seed}/{number}")
        drawn = table(dice, folder / "source" / str(number))
        cases.append(Case(number, drawn, draw(dice, drawn)))
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for case in cases:
            publish(provider, case, folder)
        list(pool.map(lambda case: deal(provider, consumer, case, folder), cases))
    for case in cases:
        try:
            examine(report, case, consumer, folder)
        except Exception as error:
            report.broken(f"{case.id}: {case.describe()}", error)
    catalogue = json.dumps(stranger.ask("catalog", provider.address), ensure_ascii=False).encode()
    for case in cases:
        case.served.append(("the catalogue as a stranger sees it", catalogue))
        scan(report, case)
    stored(report, cases, {"consumer": consumer.dir, "stranger": stranger.dir})
    refusals(report, provider, folder)
    views.run(report, provider, [consumer, stranger], folder)


def publish(provider: Node, case: Case, folder: pathlib.Path) -> None:
    """Publishes a table on its terms."""
    # What a catalogue says of a column's values must not be more than an offer shows.
    profile = ["--publish-profile"] if case.number % 2 else []
    offer = folder / f"{case.id}.json"
    offer.write_text(json.dumps({"@type": "Offer", "permission": [{"action": "use", "constraint": case.policy.constraints()}]}))
    try:
        provider.ask("product", "add", *case.table.files, "--kind", "table", "--id", case.id, "--title", f"Table {case.number}", "--offer", offer, *profile)
    except Refused as refused:
        case.refusal = refused.out.strip() or str(refused)


def deal(provider: Node, consumer: Node, case: Case, folder: pathlib.Path) -> None:
    """Buys it."""
    if case.refusal:
        return
    try:
        case.agreement = consumer.ask("negotiate", provider.address, case.id, "--wait", "120")["agreementId"]
        profile = folder / f"{case.id}.share"
        consumer.run("--dir", consumer.dir, "fetch", case.agreement, "--profile", profile)
        case.profile = profile
    except Refused as refused:
        case.refusal = refused.out.strip() or str(refused)


def examine(report: Report, case: Case, consumer: Node, folder: pathlib.Path) -> None:
    """Reads a table in every way."""
    columns, wanted = apply(case.policy, case.table)
    if case.refusal:
        # What can never show a row is a contradiction, which is refused when published.
        report.check(f"{case.id}: refused, since nothing is left", not wanted and not case.profile, f"{case.refusal}\n{case.describe()}")
        return
    hashes = {}
    target = Target(Profile(case.profile), None, folder / f"{case.id}-files", None, None)
    target.folder.mkdir()
    listen(target, case)
    began = time.monotonic()

    def reads(what: str, rows, frame: bool) -> None:
        try:
            compare(columns, wanted, rows(), frame, hashes)
            report.check(f"{case.id}: {what}", True)
        except (Mismatch, Failed) as mismatch:
            report.check(f"{case.id}: {what}", False, f"{mismatch}\n{case.describe()}")
        except Exception as error:
            report.check(f"{case.id}: {what}", False, f"{type(error).__name__}: {error}\n{case.describe()}")

    for shape, use_delta in (("parquet", False), ("delta", True)):
        reads(f"stock client, {shape}", lambda: records(delta_sharing.load_as_pandas(target.url, use_delta_format=use_delta)), True)
    reads("pyarrow", lambda: by_pyarrow(target, case), False)
    numbers = [json.loads(f["stats"])["numRecords"] for f in target.files if "numRecords" in json.loads(f.get("stats") or "{}")]
    report.check(f"{case.id}: no statistic counts hidden rows", sum(numbers) <= len(wanted), f"{numbers}; {case.describe()}")
    report.check(f"{case.id}: no file without a visible row is named", len(target.files) <= len(wanted), case.describe())
    for outcome in kit.examine(case.profile, only=KIT):
        if outcome.result == FAIL:
            report.check(f"{case.id}: kit, {outcome.check.id}", False, f"{outcome.detail}\n{case.describe()}")
    pruning(report, case, target)
    out = folder / f"{case.id}-out"
    if target.files:
        consumer.run("--dir", consumer.dir, "fetch", case.agreement, "--out", out)
        for file in sorted(p for p in out.rglob("*") if p.is_file()):
            case.served.append((f"fetch: {file.name}", file.read_bytes()))
        fetched = [r for p in sorted(out.rglob("*.parquet")) for r in pq.read_table(p, partitioning=None).to_pylist()]
        reads("fetch", lambda: fetched, False)
    print(f"      {case.id}: {len(wanted)} of {len(case.table.rows)} rows, {time.monotonic() - began:.1f} s", flush=True)


def records(frame) -> list[dict]:
    """A frame's rows."""
    return [dict(zip(frame.columns, row)) for row in frame.itertuples(index=False, name=None)]


def by_pyarrow(target: Target, case: Case) -> list[dict]:
    """What pyarrow reads over the URLs; DuckDB must read the same."""
    rows = []
    for file in target.files:
        content = target.file(file["url"]).content
        case.served.append((f"file {file['id']}", content))
        if len(content) != file["size"]:
            raise Mismatch(f"{len(content)} bytes instead of {file['size']}")
        rows += pq.read_table(io.BytesIO(content)).to_pylist()
    return rows


def listen(target: Target, case: Case) -> None:
    """Asks everything there is to ask, errors included, and keeps what is answered."""
    hidden = [".".join(p) for p, _ in paths(case.table.columns) if any(secret(n) for n in p)]
    name = hidden[0] if hidden else "row"
    leaf = {"op": "equal", "children": [{"op": "column", "name": name, "valueType": "string"}, {"op": "literal", "value": "x", "valueType": "string"}]}
    asked = {
        "shares": ("GET", "/shares", {}), "all-tables": ("GET", target.share_path + "/all-tables", {}),
        "tables": ("GET", target.schema_path + "/tables", {}), "version": ("GET", target.path + "/version", {}),
        "metadata": ("GET", target.path + "/metadata", {}), "metadata in delta": ("GET", target.path + "/metadata", {"headers": DELTA}),
        "query": ("POST", target.path + "/query", {"json": {}}), "query in delta": ("POST", target.path + "/query", {"json": {}, "headers": DELTA}),
        "changes": ("GET", target.path + "/changes?startingVersion=0", {}),
        "changes, wrong": ("GET", target.path + "/changes?startingVersion=5&endingVersion=1", {}),
        "version 0": ("POST", target.path + "/query", {"json": {"version": 0}}), "no version": ("POST", target.path + "/query", {"json": {"version": 777}}),
        "first time": ("POST", target.path + "/query", {"json": {"timestamp": "1970-01-01T00:00:00Z"}}),
        "hint": ("POST", target.path + "/query", {"json": {"predicateHints": [f"{name} = 'x'", f"1/({name}-1) = 1"]}}),
        "json hint": ("POST", target.path + "/query", {"json": {"jsonPredicateHints": json.dumps(leaf)}}),
        "no body": ("POST", target.path + "/query", {"data": "{"}), "async": ("POST", target.path + "/queries/x", {"json": {}}),
        "credentials": ("POST", target.path + "/temporary-table-credentials", {"json": {}}),
    }
    names = {TOKEN + n.removeprefix(TOKEN): None for n in hidden}
    for what, (method, path, options) in asked.items():
        answer = target.request(method, path, **options)
        content = answer.content
        # What the client said itself may be said back to it.
        if answer.status_code >= 400:
            for said in names:
                content = content.replace(said.encode(), b"")
        case.served.append((what, content + "\n".join(f"{k}: {v}" for k, v in answer.headers.items()).encode()))
    if target.files:
        for headers in ({"Range": "bytes=-65536"}, {"Range": "bytes=999999999-"}, {"Range": "bytes=0-9,20-29,-5"}):
            answer = target.file(target.some_file["url"], **headers)
            case.served.append((f"range {headers['Range']}", answer.content + str(dict(answer.headers)).encode()))


def pruning(report: Report, case: Case, target: Target) -> None:
    """Hints on what is hidden leave out no file: else they would be a way to ask about it."""
    columns, _ = apply(case.policy, case.table)
    shown = {n for n, _ in columns}
    whole = ids(target.current)
    for name, k in case.table.columns:
        if name in shown or k not in ("integer", "long", "string", "date"):
            continue
        value, kind = {"string": ("'~'", "string"), "date": ("'9999-12-31'", "date")}.get(k, ("999999999", "int"))
        leaf = {"op": "greaterThan", "children": [{"op": "column", "name": name, "valueType": kind}, {"op": "literal", "value": value.strip("'"), "valueType": kind}]}
        for body in ({"predicateHints": [f"{name} > {value}"]}, {"jsonPredicateHints": json.dumps(leaf)}):
            answer = target.query(body)
            report.check(f"{case.id}: a hint on a hidden column says nothing", answer.status_code == 400 or ids(lines(answer)) == whole, f"{body}\n{case.describe()}")


# The scan.


def texts_in(value: object) -> set[str]:
    """The texts in a value that are nowhere else."""
    if isinstance(value, Hashed):
        return set()
    if isinstance(value, str):
        return {value} if secret(value) else set()
    if isinstance(value, dict):
        return set().union(*(texts_in(v) for v in value.values())) if value else set()
    if isinstance(value, list):
        return set().union(*(texts_in(v) for v in value)) if value else set()
    return set()


def secrets_of(case: Case) -> dict[bytes, str]:
    """What must not be served, and what it is."""
    columns, wanted = apply(case.policy, case.table)
    shown = set().union(*(texts_in(r) for r in wanted)) if wanted else set()
    names = set(texts_in([n for p, _ in paths(columns) for n in p]))
    out = {}
    for path, _ in paths(case.table.columns):
        for name in texts_in(list(path)) - names:
            out[name.encode()] = f"the name of the hidden column {'.'.join(path)}"
    for row in case.table.rows:
        for text in texts_in(row) - shown:
            out[text.encode()] = f"a hidden value of row {row['row']}"
    # Where nothing is hidden, the publisher's bytes are served as they are.
    for text in case.table.planted if case.policy.constraints() else []:
        out[text.encode()] = "key-value metadata of the source"
    out |= numbers_of(case, {n for n, _ in columns})
    return out


def numbers_of(case: Case, shown: set[str]) -> dict[bytes, str]:
    """Numbers of hidden columns, as Parquet stores them plainly; small ones occur by chance. What the publisher wrote into
    the terms everybody may read."""
    out, said = {}, json.dumps(case.policy.constraints())
    for name, k in case.table.columns:
        if name in shown or k not in ("long", "double"):
            continue
        values = [r[name] for r in case.table.rows if r[name] is not None]
        values = [v for v in values if (abs(v) > 1 << 40 if k == "long" else v == v and abs(v) not in (float("inf"), 0.0, 0.5, 1.25))]
        for v in sorted(values)[: NUMBERS_MAX // 2] + sorted(values)[-NUMBERS_MAX // 2:]:
            if repr(v) in said:
                continue
            out[struct.pack("<q" if k == "long" else "<d", v)] = f"a value of the hidden column {name}"
            out[repr(v).encode()] = f"a value of the hidden column {name}"
    return out


def chunks_of(case: Case) -> dict[bytes, str]:
    """Pieces of the column chunks of hidden columns, as they lie in the source. What lies in a shown column as well is no
    secret: the pages of two columns without values are the same bytes."""
    columns, _ = apply(case.policy, case.table)
    shown = {p for p, _ in paths(columns)} | {p[:-1] for p, _ in paths(columns) if p[-1] == "element"}
    out, visible = {}, []
    for file in case.table.files:
        content, metadata = file.read_bytes(), pq.read_metadata(file)
        for group in range(metadata.num_row_groups):
            for n in range(metadata.num_columns):
                chunk = metadata.row_group(group).column(n)
                path = tuple(p for p in chunk.path_in_schema.split(".") if p != "list")
                begin = chunk.dictionary_page_offset or chunk.data_page_offset
                stored = content[begin : begin + chunk.total_compressed_size]
                if path in shown or path[0] in {s[0] for s in shown}:
                    visible.append(stored)
                    continue
                piece = stored[-CHUNK_BYTES:]
                if len(piece) == CHUNK_BYTES and len(set(piece)) > CHUNK_BYTES // 2:
                    out[piece] = f"stored bytes of the hidden column {'.'.join(path)}"
    return {piece: what for piece, what in out.items() if not any(piece in stored for stored in visible)}


def scan(report: Report, case: Case) -> None:
    """No byte that was served holds a secret of the case."""
    if case.refusal:
        return
    secrets = secrets_of(case) | chunks_of(case)
    found = [f"{what} in {where}" for where, content in case.served for text, what in secrets.items() if text in content]
    report.check(f"{case.id}: {len(secrets)} secrets are in none of {len(case.served)} answers", not found, f"{found[:5]}\n{case.describe()}")


def stored(report: Report, cases: list[Case], folders: dict[str, pathlib.Path]) -> None:
    """No secret is in what others' nodes keep of what they were told."""
    secrets = {text: f"{what} ({case.id})" for case in cases if not case.refusal for text, what in secrets_of(case).items() if text.startswith(TOKEN.encode())}
    for who, folder in folders.items():
        content = b"".join(p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file())
        found = [what for text, what in secrets.items() if text in content]
        report.check(f"no secret of {len(secrets)} is in what the {who}'s node keeps", not found, found[:5])


# What is refused when it is published.


def refusals(report: Report, provider: Node, folder: pathlib.Path) -> None:
    """Terms that do not fit the table, or leave nothing, are refused with a reason."""
    file = folder / "refusals.parquet"
    pq.write_table(pa.table({"site": pa.array(["a"]), "n": pa.array([1], pa.int64()), "at": pa.array([None], arrow("timestamp"))}), file)
    fields = lambda *names: {"leftOperand": "fields", "operator": "isAnyOf", "rightOperand": list(names)}
    rows = lambda text: {"leftOperand": "rowFilter", "operator": "eq", "rightOperand": text}
    masks = lambda *texts: {"leftOperand": "mask", "operator": "isAllOf", "rightOperand": list(texts)}
    wrong = {
        "a column that is not there": [fields("site", "absent")], "another letter case": [fields("Site")],
        "a filter on a column that is not there": [rows("absent = 1")], "a text compared with a number": [rows("n = 'x'")],
        "a number compared with a text": [rows("site > 5")], "an instant compared with a number": [rows("at < 5")],
        "a filter that no row can meet": [rows("n > 5 AND n < 3")], "never": [rows("FALSE")],
        "no column left": [fields("site"), fields("n")], "a mask on a column that is not there": [masks("hash(absent)")],
        "ranges of a text": [masks("bucket(site, 10)")], "a number cut short": [masks("truncate(n, 2)")],
        "no filter of the language": [rows("n = 1; DROP TABLE t")], "a function": [rows("upper(site) = 'A'")],
        "a mask on a column that is not shown": [fields("n"), masks("hash(site)")],
    }
    for number, (what, constraints) in enumerate(wrong.items()):
        offer = folder / "refused.json"
        offer.write_text(json.dumps({"@type": "Offer", "permission": [{"action": "use", "constraint": constraints}]}))
        problem = provider.refusal("product", "add", file, "--kind", "table", "--id", f"refused-{number}", "--title", "Refused", "--offer", offer)
        report.check(f"refused with a reason: {what}", problem.get("code", "").startswith("FDC-") and len(problem.get("detail") or problem.get("title", "")) > 20, problem)


if __name__ == "__main__":
    sys.exit(run_suite("governed", body))
