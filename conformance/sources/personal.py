"""Personal data is noticed before it goes out."""

import datetime
import json

# GB 11643: the weights of the first seventeen digits, and the check character by the remainder.
WEIGHTS, CHECKS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2), "10X98765432"
REGIONS = ("110101", "310104", "320505", "440305", "510107")


def resident_id(number: int) -> str:
    """A valid number of nobody in particular."""
    born = datetime.date(1960, 1, 1) + datetime.timedelta(days=number * 37)
    digits = f"{REGIONS[number % len(REGIONS)]}{born:%Y%m%d}{number % 1000:03}"
    return digits + CHECKS[sum(int(d) * w for d, w in zip(digits, WEIGHTS)) % 11]


def run(exchange) -> None:
    """Refused until it is confirmed; never a value in what is said."""
    report, provider = exchange.report, exchange.provider
    numbers = [resident_id(n) for n in range(300)]
    file = exchange.folder / "people.csv"
    file.write_text("row,编号\n" + "".join(f"{n},{number}\n" for n, number in enumerate(numbers)))
    args = ("product", "add", file, "--id", "people", "--title", "People")
    problem = provider.refusal(*args)
    report.equal("personal data: resident ID numbers: refused", problem.get("code"), "FDC-4006")
    told = json.dumps(problem, ensure_ascii=False)
    report.check("personal data: the column is named", "编号" in told, told)
    report.check("personal data: no value is", not any(number in told for number in numbers), told)
    report.check("personal data: nothing was published", all(p["id"] != "people" for p in provider.ask("product", "list")["products"]))
    shown = report.attempt("personal data: published once it is confirmed", lambda: provider.ask(*args, "--accept-personal-data"))
    if shown:
        hints = shown["content"].get("personalData", [])
        report.check("personal data: the hint stays with the product", [h["column"] for h in hints] == ["编号"], hints)
        found = json.dumps(exchange.consumer.ask("catalog", provider.address), ensure_ascii=False)
        report.check("personal data: no value in the catalogue", not any(number in found for number in numbers))
    wrong = exchange.folder / "numbers.csv"
    wrong.write_text("row,编号\n" + "".join(f"{n},{number[:-1]}{'0' if number[-1] != '0' else '1'}\n" for n, number in enumerate(numbers)))
    report.attempt("personal data: no alarm where check digits are wrong", lambda: exchange.publish("numbers", wrong))
