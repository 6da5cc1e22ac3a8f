//! Governed SQL beside plain DataFusion over the same file with the same columns and filter, and beside DuckDB over the
//! governed file. All three with one thread, on one core.

use super::{Bench, Line, ROWS, SERVER, shown};
use crate::bench::quantile;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::json;
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

/// The release of DuckDB that is measured beside.
const DUCKDB: &str = "duckdb==2.0.0";
/// Questions one asks of readings. `readings` is the table.
const QUERIES: [&str; 10] = [
    "SELECT count(*) AS n FROM readings",
    "SELECT site, avg(temperature) AS t FROM readings GROUP BY site ORDER BY site",
    "SELECT machine, count(*) AS n, max(pressure) AS p FROM readings GROUP BY machine ORDER BY n DESC, machine LIMIT 20",
    "SELECT sum(temperature * pressure) AS s FROM readings WHERE ok",
    "SELECT count(DISTINCT machine) AS n FROM readings WHERE temperature > 80",
    "SELECT site, count(*) AS n FROM readings WHERE \"at\" >= TIMESTAMP '2027-02-01T00:00:00Z' AND \"at\" < TIMESTAMP '2027-02-08T00:00:00Z' GROUP BY site ORDER BY site",
    "SELECT date_trunc('day', \"at\") AS d, avg(pressure) AS p FROM readings WHERE site = 'S03' GROUP BY d ORDER BY d LIMIT 30",
    "SELECT site, ok, stddev(temperature) AS s FROM readings GROUP BY site, ok ORDER BY site, ok",
    "SELECT id, temperature FROM readings WHERE machine = 'machine-0500' ORDER BY temperature DESC, id LIMIT 10",
    "SELECT machine, avg(temperature) AS t FROM readings WHERE site IN ('S01', 'S02', 'S03') GROUP BY machine HAVING avg(temperature) > 45 ORDER BY machine LIMIT 50",
];

/// What DuckDB took for a statement.
#[derive(Deserialize)]
pub(super) struct Ran {
    pub(super) seconds: f64,
    pub(super) cpu_seconds: f64,
}

/// A Python that has DuckDB, in an environment of its own below `cache`.
pub(super) fn duckdb(cache: &Path) -> Result<PathBuf> {
    let folder = cache.join("duckdb-venv");
    let python = folder.join("bin/python");
    let has = |python: &Path| Command::new(python).args(["-c", "import duckdb"]).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    if !has(&python) {
        eprintln!("installing {DUCKDB}");
        ensure!(Command::new("python3").args(["-m", "venv"]).arg(&folder).status()?.success(), "python3 -m venv failed");
        let pip = ["-m", "pip", "install", "--quiet", DUCKDB, "pytz"];
        ensure!(Command::new(&python).args(pip).status()?.success(), "pip install {DUCKDB} failed");
    }
    Ok(python)
}

/// Runs statements in one DuckDB with one thread on the servers' core.
pub(super) fn in_duckdb(python: &Path, statements: &[String]) -> Result<Vec<Ran>> {
    const PROGRAM: &str = "
import duckdb, json, resource, sys, time
db = duckdb.connect(config={'threads': 1})
db.execute(\"SET TimeZone = 'UTC'\")
ran = []
for statement in json.load(sys.stdin):
    use = resource.getrusage(resource.RUSAGE_SELF)
    begun = time.monotonic()
    db.execute(statement).fetchall()
    seconds, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_SELF)
    ran.append({'seconds': seconds, 'cpu_seconds': after.ru_utime + after.ru_stime - use.ru_utime - use.ru_stime})
print(json.dumps(ran))
";
    let mut child = Command::new("taskset")
        .args(["-c", SERVER])
        .arg(python)
        .args(["-c", PROGRAM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    child.stdin.take().context("stdin is piped")?.write_all(serde_json::to_string(statements)?.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "DuckDB failed");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Asks all questions of all three.
pub(super) async fn measure(root: &Path, bench: &Bench, source: &Path) -> Result<Vec<Line>> {
    eprintln!("governed SQL");
    let access = bench.access("queried", "rows").await?;
    let (files, _) = bench.query(&access).await?;
    let governed = bench.folder.join("governed.parquet");
    let [file] = &files[..] else { anyhow::bail!("one file was expected") };
    fs::write(&governed, bench.http.get(&file.url).send().await?.error_for_status()?.bytes().await?)?;

    let url = format!("{}/sql/query", bench.provider.address());
    let mut ours = vec![Vec::new(); QUERIES.len()];
    // The first round is left out: it is the one that reads the file from the disk.
    for round in 0..=bench.rounds {
        for (query, times) in QUERIES.iter().zip(&mut ours) {
            let sql = query.replace("readings", "queried");
            let begun = Instant::now();
            let answer = bench.http.post(&url).bearer_auth(&access.token).json(&json!({"sql": sql})).send().await?;
            let status = answer.status();
            let body = answer.text().await?;
            ensure!(status.is_success(), "{sql}: {status}: {body}");
            if round > 0 {
                times.push(begun.elapsed().as_secs_f64() * 1e3);
            }
        }
    }

    eprintln!("plain DataFusion");
    let view = format!("SELECT {} FROM source WHERE {ROWS}", shown());
    let plain = plain_datafusion(root, source, &view, bench.rounds)?;

    eprintln!("DuckDB over the governed file");
    let mut statements = vec![format!("CREATE VIEW readings AS SELECT * FROM read_parquet('{}')", governed.display())];
    for _ in 0..=bench.rounds {
        statements.extend(QUERIES.iter().map(|q| (*q).to_owned()));
    }
    let ran = in_duckdb(&bench.python, &statements)?;
    let duck = |n: usize| quantile(&(1..=bench.rounds).map(|r| ran[1 + r * QUERIES.len() + n].seconds * 1e3).collect::<Vec<_>>(), 0.5);

    let ours: Vec<f64> = ours.iter().map(|times| quantile(times, 0.5)).collect();
    let mut not_slower = 0_u32;
    for (n, query) in QUERIES.iter().enumerate() {
        not_slower += u32::from(ours[n] <= duck(n));
        eprintln!("  {:8.1} ms governed, {:8.1} ms plain, {:8.1} ms DuckDB  {query}", ours[n], plain[n], duck(n));
    }
    let total = |of: &[f64]| of.iter().sum::<f64>();
    let all: Vec<f64> = (0..QUERIES.len()).map(duck).collect();
    Ok(vec![
        Line { what: "ten queries, governed SQL over HTTP", value: total(&ours), unit: "ms", below: None },
        Line { what: "ten queries, plain DataFusion", value: total(&plain), unit: "ms", below: None },
        Line { what: "time of governed SQL / of plain DataFusion", value: total(&ours) / total(&plain), unit: "", below: Some(1.1) },
        Line { what: "ten queries, DuckDB over the governed file", value: total(&all), unit: "ms", below: None },
        Line { what: "queries in which DuckDB was faster", value: f64::from(10 - not_slower), unit: "of 10", below: Some(5.5) },
    ])
}

/// Milliseconds of each question in plain DataFusion with one thread: the median of the rounds after the first.
fn plain_datafusion(root: &Path, source: &Path, view: &str, rounds: usize) -> Result<Vec<f64>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let asked = json!({"source": source, "view": view, "queries": QUERIES, "rounds": rounds});
    let mut command = Command::new("taskset");
    // With the node: then both are built with the same features, and the engine once.
    let of = ["bench", "--quiet", "--package", "fondaco-node", "--package", "fondaco-tables", "--bench", "plain_datafusion"];
    command.args(["-c", "0,1"]).arg(cargo).args(of);
    let output = command.current_dir(root).env("ASKED", asked.to_string()).env("CORE", SERVER).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "plain DataFusion failed");
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|l| l.starts_with('[')).context("no answer of plain DataFusion")?;
    Ok(serde_json::from_str(line)?)
}
