"""The systemd units, as systemd itself judges them."""

import os
import pathlib
import re
import subprocess

from report import Report

# systemd's scale goes from 0 (safe) to 10; "OK" is below 4.
EXPOSURE_MAX = 2.0
SERVICES = ("fondaco.service", "fondaco-backup.service")


def run(report: Report, folder: pathlib.Path, *_nodes) -> None:
    """Verifies them, with the program at its real place."""
    units = folder / "units"
    units.mkdir()
    for source in pathlib.Path(os.environ["PACKAGING"]).glob("fondaco*.[st]*"):
        if source.suffix in (".service", ".timer"):
            text = source.read_text().replace("/usr/local/bin/fondaco", os.environ["FONDACO"])
            (units / source.name).write_text(text)
    names = sorted(units.iterdir())
    verified = subprocess.run(["systemd-analyze", "verify", *names], capture_output=True, text=True, check=False)
    ours = [line for line in verified.stderr.splitlines() if "fondaco" in line]
    report.check("systemd-analyze verify has nothing to say", verified.returncode == 0 and not ours, verified.stderr)
    for name in SERVICES:
        judged = subprocess.run(["systemd-analyze", "security", "--offline=true", units / name], capture_output=True, text=True, check=False)
        level = re.search(r"exposure level for .*: ([0-9.]+)", judged.stdout)
        report.check(f"{name}: exposure below {EXPOSURE_MAX}", level and float(level.group(1)) < EXPOSURE_MAX, judged.stdout[-200:])
