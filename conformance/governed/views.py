"""Several views of one table: each agreement has its own files, addresses and hashes, and where no row is given, none is."""

import io
import json
import pathlib
import urllib.parse

import pyarrow as pa
import pyarrow.parquet as pq
from node import Node
from report import Report
from sharingkit.target import Profile, Target

ROWS = 200


def run(report: Report, provider: Node, buyers: list[Node], folder: pathlib.Path) -> None:
    """A product with three offers, bought by two."""
    file = folder / "views.parquet"
    columns = {"n": range(ROWS), "a": [f"a{n % 7}" for n in range(ROWS)], "b": [f"b{n % 5}" for n in range(ROWS)]}
    pq.write_table(pa.table({k: pa.array(v) for k, v in columns.items()}), file, row_group_size=50)
    fields = lambda *names: {"leftOperand": "fields", "operator": "isAnyOf", "rightOperand": list(names)}
    masks = lambda *texts: {"leftOperand": "mask", "operator": "isAllOf", "rightOperand": list(texts)}
    offers = {
        "only-a": [fields("n", "a")], "only-b": [fields("n", "b")], "hashed": [fields("n", "a"), masks("hash(a)")],
        "groups": [{"leftOperand": "minGroupSize", "operator": "gteq", "rightOperand": 5}],
    }
    options = []
    for id, constraints in offers.items():
        path = folder / f"view-{id}.json"
        path.write_text(json.dumps({"@type": "Offer", "@id": id, "permission": [{"action": "use", "constraint": constraints}]}))
        options += ["--offer", path]
    provider.ask("product", "add", file, "--kind", "table", "--id", "views", "--title", "Views", *options)

    def buy(buyer: Node, offer: str) -> Target:
        agreement = buyer.ask("negotiate", provider.address, "views", "--offer", offer, "--wait", "60")["agreementId"]
        profile = folder / f"{buyer.slug}-{offer}.share"
        buyer.run("--dir", buyer.dir, "fetch", agreement, "--profile", profile)
        place = folder / f"{buyer.slug}-{offer}"
        place.mkdir()
        return Target(Profile(profile), None, place, None, None)

    first, second = buyers
    one, two = buy(first, "only-a"), buy(first, "only-b")
    content = lambda t: [t.file(f["url"]).content for f in t.files]
    for target, shown, hidden in ((one, b"a", b"b"), (two, b"b", b"a")):
        rows = pq.read_table(io.BytesIO(content(target)[0]))
        report.equal(f"the view of {shown.decode()} has its columns", rows.column_names, ["n", shown.decode()])
        report.check(f"and holds no value of {hidden.decode()}", all(hidden + b"%d" % n not in c for c in content(target) for n in range(5)))
    report.check("two views of a table have files of different ids", not {f["id"] for f in one.files} & {f["id"] for f in two.files})
    crossed = urllib.parse.urlsplit(one.files[0]["url"])._replace(path=urllib.parse.urlsplit(two.files[0]["url"]).path).geturl()
    answer = one.file(crossed)
    report.check("the signature of one view opens no file of the other", answer.status_code in (401, 403, 404), answer.status_code)

    hashed = [pq.read_table(io.BytesIO(content(buy(buyer, "hashed"))[0])).column("a").to_pylist() for buyer in (first, second)]
    report.check("hashes are equal where values are", all(len(set(h)) == 7 and h[:7] == h[7:14] for h in hashed), hashed[0][:14])
    report.check("and say nothing across agreements", not set(hashed[0]) & set(hashed[1]))

    groups = buy(first, "groups")
    answer = groups.query()
    told = answer.json() if answer.status_code >= 400 else {}
    report.check("terms with groups alone give no files, and say why", answer.status_code == 403 and told.get("errorCode") and len(told.get("message", "")) > 20, answer.content[:300])
