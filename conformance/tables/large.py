"""A table of 1 GiB: the stock client loads all of it, and the provider's memory stays flat."""

import pathlib

import delta_sharing
import numpy
import pyarrow as pa
import pyarrow.parquet as pq

COLUMNS, ROW_GROUPS, ROWS_PER_GROUP = 8, 16, 1 << 20
ROWS = ROW_GROUPS * ROWS_PER_GROUP
# Resident while serving; a server that held the table, or one client's share of it, would be far beyond.
RESIDENT_MAX_MB = 150


def run(trade) -> None:
    """Publishes, buys, loads in both formats, and reads what the kernel says of the provider's memory."""
    report, provider, consumer = trade.report, trade.provider, trade.consumer
    file = trade.folder / "large.parquet"
    sums = write(file)
    report.check("large: the file has 1 GiB", file.stat().st_size >= 1 << 30, file.stat().st_size)
    provider.ask("product", "add", file, "--kind", "table", "--id", "large", "--title", "Large")
    file.unlink()
    agreement = consumer.ask("negotiate", provider.address, "large", "--wait", "60")["agreementId"]
    profile = trade.folder / "large.share"
    consumer.run("--dir", consumer.dir, "fetch", agreement, "--profile", profile)
    # A new process: its highest memory is that of serving, not of publishing.
    provider.stop()
    provider.start()
    for use_delta in (False, True):
        shape = "delta" if use_delta else "parquet"
        frame = delta_sharing.load_as_pandas(f"{profile}#{provider.slug}.default.large", use_delta_format=use_delta)
        seen = {name: int(frame[name].sum()) for name in frame.columns}
        report.equal(f"large, {shape}: rows", len(frame), ROWS)
        report.equal(f"large, {shape}: sums of the columns", seen, sums)
        del frame
    highest = resident_max_mb(provider.process.pid)
    report.check(f"large: the provider never had more than {RESIDENT_MAX_MB} MB ({highest:.0f} MB)", highest < RESIDENT_MAX_MB)


def write(file: pathlib.Path) -> dict[str, int]:
    """Random numbers, which no codec shrinks; the sum of each column."""
    random, sums, writer = numpy.random.default_rng(2013), {f"value_{i}": 0 for i in range(COLUMNS)}, None
    for _ in range(ROW_GROUPS):
        columns = {name: random.integers(0, 1 << 38, ROWS_PER_GROUP) for name in sums}
        table = pa.table(columns)
        if writer is None:
            writer = pq.ParquetWriter(file, table.schema, compression="none", use_dictionary=False)
        writer.write_table(table, row_group_size=ROWS_PER_GROUP)
        for name, values in columns.items():
            sums[name] += int(values.sum())
    writer.close()
    return sums


def resident_max_mb(pid: int) -> float:
    """The highest resident memory that a process ever had."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6
