//! How fast a Delta table of many small files is published:
//! `cargo run --release -p fondaco-tables --example publish_rate -- [FILES] [ROWS] [partitioned]`.
//!
//! Makes the table in a temporary folder, publishes it, publishes it again as a version that follows the
//! first, and prints files per second and the process's largest memory.

use std::{
    error::Error,
    fmt::Write,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use fondaco_tables::{
    publish::{Previous, PublishOptions, PublishedTable, TableSource, publish_table},
    sample::{SampleTable, write_sample},
};

/// The columns of [`SampleTable::AirQuality`] as a Delta schema are taken from a file published alone.
fn make_table(dir: &Path, scratch: &Path, files: usize, rows: u64, partitioned: bool) -> Result<(), Box<dyn Error>> {
    let sample = scratch.join("sample.parquet");
    write_sample(SampleTable::AirQuality, rows, 7, &sample)?;
    let described =
        publish_table(&TableSource::Paths(vec![sample.clone()]), &scratch.join("described"), &PublishOptions::default(), &mut |_| ())?;
    let mut schema: serde_json::Value = serde_json::from_str(&described.schema.delta_schema_string())?;
    let mut partitions = Vec::new();
    if partitioned {
        let field = serde_json::json!({"name": "part", "type": "integer", "nullable": true, "metadata": {}});
        schema["fields"].as_array_mut().ok_or("no fields")?.push(field);
        partitions.push("part");
    }
    fs::create_dir_all(dir.join("_delta_log"))?;
    let mut log = String::new();
    writeln!(log, "{}", serde_json::json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}))?;
    let metadata = serde_json::json!({"id": "rate", "format": {"provider": "parquet", "options": {}},
        "schemaString": schema.to_string(), "partitionColumns": partitions, "configuration": {}});
    writeln!(log, "{}", serde_json::json!({ "metaData": metadata }))?;
    let size = fs::metadata(&sample)?.len();
    for n in 0..files {
        let name = format!("part-{n:06}.parquet");
        fs::copy(&sample, dir.join(&name))?;
        let values = if partitioned { serde_json::json!({"part": (n % 100).to_string()}) } else { serde_json::json!({}) };
        let add = serde_json::json!({"path": name, "partitionValues": values, "size": size, "modificationTime": n, "dataChange": true});
        writeln!(log, "{}", serde_json::json!({ "add": add }))?;
    }
    Ok(fs::write(dir.join("_delta_log/00000000000000000000.json"), log)?)
}

fn timed(source: &TableSource, out: &Path, options: &PublishOptions) -> Result<(PublishedTable, Duration, u64), Box<dyn Error>> {
    let (mut reports, start) = (0, Instant::now());
    let table = publish_table(source, out, options, &mut |_| reports += 1)?;
    Ok((table, start.elapsed(), reports))
}

/// The process's largest memory so far, where the system tells.
fn peak_memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|l| l.strip_prefix("VmHWM:")).map_or_else(|| "unknown".into(), |v| v.trim().to_owned())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let files: usize = arguments.next().map_or(Ok(10_000), |a| a.parse())?;
    let rows: u64 = arguments.next().map_or(Ok(100), |a| a.parse())?;
    let partitioned = arguments.next().is_some_and(|a| a == "partitioned");
    let home = std::env::temp_dir().join(format!("publish-rate-{}", std::process::id()));
    fs::create_dir(&home)?;
    let run = || -> Result<(), Box<dyn Error>> {
        let dir = home.join("table");
        make_table(&dir, &home, files, rows, partitioned)?;
        let source = TableSource::Paths(vec![dir]);
        let print = |what: &str, (table, time, reports): &(PublishedTable, Duration, u64)| {
            let (count, seconds) = (table.files.len(), time.as_secs_f64());
            let rate = u128::try_from(count).unwrap_or_default() * 1_000 / time.as_millis().max(1);
            println!(
                "{what}: {count} files, {} rows in {seconds:.2} s, {rate} files/s, {reports} reports, peak memory {}",
                table.rows,
                peak_memory()
            );
        };
        let first = timed(&source, &home.join("first"), &PublishOptions::default())?;
        print("copied", &first);
        let in_place = timed(&source, &home.join("in-place"), &PublishOptions { in_place: true, ..PublishOptions::default() })?;
        print("in place", &in_place);
        let previous = Some(Previous { dir: home.join("first"), files: first.0.files });
        let second = timed(&source, &home.join("second"), &PublishOptions { previous, ..PublishOptions::default() })?;
        print("followed", &second);
        Ok(())
    };
    let result = run();
    fs::remove_dir_all(&home)?;
    result
}
