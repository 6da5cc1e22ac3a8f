"""The deal by command line: publish, find, negotiate, fetch a profile."""

import json
import stat

PRODUCTS = ("flights", "flights-csv", "bulk")


def run(trade) -> None:
    """Publishes three products, and buys them."""
    report, provider, consumer, flights = trade.report, trade.provider, trade.consumer, trade.flights
    sources = {"flights": flights.parquet, "flights-csv": [flights.csv], "bulk": [flights.bulk]}
    for product in PRODUCTS:
        shown = provider.ask(
            "product", "add", *sources[product], "--kind", "table", "--id", product, "--title", f"Title of {product}"
        )
        report.equal(f"product add {product}: its id", shown.get("id"), product)
    listed = provider.ask("product", "list")["products"]
    report.equal("product list shows them all", sorted(p["id"] for p in listed), sorted(PRODUCTS))

    found = consumer.ask("catalog", provider.address)["datasets"]
    report.equal("the peer's catalogue shows them all", sorted(d["id"] for d in found), sorted(PRODUCTS))
    report.check("each has an offer", all(d["offers"] for d in found), found)

    for product in PRODUCTS:
        deal = consumer.ask("negotiate", provider.address, product, "--wait", "60")
        if not report.equal(f"negotiate {product}", deal.get("state"), "FINALIZED"):
            continue
        agreement = deal["agreementId"]
        trade.agreements[product] = agreement
        theirs = provider.ask("agreement", "show", agreement)
        ours = consumer.ask("agreement", "show", agreement)
        report.check("both sides hold the same agreement", ours["digest"] and ours["digest"] == theirs["digest"], (ours, theirs))
        profile = trade.folder / f"{product}.share"
        consumer.run("--dir", consumer.dir, "fetch", agreement, "--profile", profile)
        trade.profiles[product] = profile
        report.equal("the profile is for its owner's eyes", stat.S_IMODE(profile.stat().st_mode), 0o600)
        content = json.loads(profile.read_text())
        report.equal("the profile's version", content.get("shareCredentialsVersion"), 1)
        report.check("the profile's endpoint is the provider's", content.get("endpoint", "").startswith(provider.public), content)

    for what, command in {
        "an unknown product is refused": ("negotiate", provider.address, "no-such-product", "--wait", "20"),
        "an unknown agreement is refused": ("fetch", "no-such-agreement", "--profile", trade.folder / "none.share"),
    }.items():
        report.equal(what, consumer.exit_status(*command), 1)
    report.check("and writes no profile", not (trade.folder / "none.share").exists())
