"""Products that follow their source: commits of a Delta table, changes of a database table."""

import json
import time

import delta_sharing
import lake
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake

EVERY = "PT5S"
WITHIN_SECONDS = 60
# The command means now; this leaves room for a slow machine.
LOOK_SECONDS = 15
FOLLOWING = {"@type": "Offer", "permission": [{"action": "use", "constraint": [{"leftOperand": "version", "operator": "gteq", "rightOperand": 1}]}]}
FIXED = {"@type": "Offer", "permission": [{"action": "use"}]}


def run(exchange) -> None:
    """A Delta table, then a database."""
    delta(exchange)
    postgres(exchange)


def versions(exchange, product: str) -> list[int]:
    """Which versions of a product there are."""
    return sorted(p["version"] for p in exchange.provider.ask("product", "list", "--all")["products"] if p["id"] == product)


def until(exchange, product: str, wanted: list[int]) -> list[int]:
    """The versions, once they are these or time is up."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while (seen := versions(exchange, product)) != wanted and time.monotonic() < deadline:
        time.sleep(0.2)
    return seen


def feed(exchange, product: str) -> dict:
    """How the following goes."""
    return next((f for f in exchange.provider.ask("feed", "list")["feeds"] if f["product"] == product), {})


def look(exchange, product: str, until_it=None) -> dict:
    """Has the source looked at now; the feed afterwards, once it was or is as wanted."""
    before = feed(exchange, product).get("lookedAt")
    done = until_it or (lambda f: f.get("lookedAt") != before)
    exchange.provider.ask("feed", "look", product)
    deadline = time.monotonic() + LOOK_SECONDS
    while not done(seen := feed(exchange, product)) and time.monotonic() < deadline:
        time.sleep(0.2)
    exchange.report.check(f"feed look {product}: it is looked at within {LOOK_SECONDS} s", done(seen), seen)
    return seen


def offers(exchange, product: str) -> dict[bool, str]:
    """The ids of a product's offers, by whether they follow."""
    found = exchange.consumer.ask("catalog", exchange.provider.address)["datasets"]
    offered = next(d for d in found if d["id"] == product)["offers"]
    return {"version" in json.dumps(o["odrl"]): o["id"] for o in offered}


def delta(exchange) -> None:
    """Two commits become two versions; who agreed to follow reads them under the same token, who did not keeps the first."""
    report, sample = exchange.report, exchange.sample
    folder = exchange.folder / "followed"
    states = [lake.months(sample, 1, 4)]
    write_deltalake(str(folder), states[0], partition_by=["month"])
    files = []
    for name, offer in (("following", FOLLOWING), ("fixed", FIXED)):
        files += ["--offer", exchange.folder / f"{name}.json"]
        files[-1].write_text(json.dumps(offer))
    exchange.publish("followed", folder, "--renew-every", EVERY, *files)
    ids = offers(exchange, "followed")
    follows, fixed = (exchange.buy("followed", "--offer", ids[kind]) for kind in (True, False))
    url, fixed_url = exchange.profile(follows), exchange.profile(fixed)
    exchange.values("following, at the start", url, states[0])

    states.append(lake.months(sample, 1, 8))
    write_deltalake(str(folder), lake.months(sample, 5, 8), mode="append")
    states.append(states[1].filter(pc.not_equal(states[1].column("origin"), "LGA")))
    DeltaTable(str(folder)).delete("origin = 'LGA'")
    report.equal("following: two commits become two versions", until(exchange, "followed", [1, 2, 3]), [1, 2, 3])
    report.equal("following: the version that clients see", delta_sharing.get_table_version(url), 3)
    exchange.values("following: the old token reads the newest", url, states[2])
    for number, state in enumerate(states[:2], 1):
        exchange.values(f"following: version={number}", url, state, version=number)
    report.equal("not following: the version that clients see", delta_sharing.get_table_version(fixed_url), 1)
    exchange.values("not following: still the version that was agreed", fixed_url, states[0])
    try:
        seen = delta_sharing.load_as_pandas(fixed_url, version=3, use_delta_format=False)
        report.check("not following: a later version is refused", False, len(seen))
    except Exception as error:
        report.check("not following: a later version is refused", "400" in str(error) or "404" in str(error), error)
    shown = look(exchange, "followed")
    report.check("following: a look without news makes no version", versions(exchange, "followed") == [1, 2, 3] and not shown.get("error"), shown)
    gone = folder.rename(folder.with_name("followed-away"))
    shown = look(exchange, "followed", lambda f: f.get("error"))
    report.check("following: a source that is gone is said in the feed", shown.get("error"), shown)
    gone.rename(folder)
    shown = look(exchange, "followed", lambda f: not f.get("error"))
    report.check("following: and forgotten once it is back", not shown.get("error", ""), shown)
    report.equal("following: neither made a version", versions(exchange, "followed"), [1, 2, 3])
    exchange.provider.ask("feed", "end", "followed")
    write_deltalake(str(folder), lake.months(sample, 9, 9), mode="append")
    report.equal("following: ended", feed(exchange, "followed"), {})


def postgres(exchange) -> None:
    """A change becomes a version, no change makes none."""
    report, server = exchange.report, exchange.postgres
    server.load("shifts", "1,night\n2,day\n", {"id": "bigint", "shift": "text"})
    rows = {1: ["night", "day"], 2: ["night", "day", "swing"]}
    offer = exchange.folder / "following.json"
    query = "SELECT id, shift FROM shifts ORDER BY id"
    exchange.publish("shifts", "--postgres", "plant", "--query", query, "--renew-every", "PT1H", "--offer", offer)
    url = exchange.profile(exchange.buy("shifts"))
    shown = look(exchange, "shifts")
    report.check("database feed: no change, no version", versions(exchange, "shifts") == [1] and not shown.get("error"), shown)
    server.execute("INSERT INTO shifts VALUES (3, 'swing')")
    look(exchange, "shifts")
    report.equal("database feed: a change becomes a version", until(exchange, "shifts", [1, 2]), [1, 2])
    for version, shifts in rows.items():
        expected = pa.table({"id": pa.array(range(1, len(shifts) + 1), pa.int64()), "shift": shifts})
        exchange.values(f"database feed: version={version}", url, expected, key="id", version=version)
    look(exchange, "shifts")
    report.equal("database feed: and then none", versions(exchange, "shifts"), [1, 2])
    exchange.provider.ask("feed", "end", "shifts")
