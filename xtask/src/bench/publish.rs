//! `cargo xtask bench publish`: a Delta table of many files, published by a node and listed by a consumer page by page.

use super::{
    Common, Line,
    pair::{Node, text},
};
use anyhow::{Context, Result, ensure};
use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, StringArray},
    record_batch::RecordBatch,
};
use parquet::arrow::ArrowWriter;
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// Files named on one page of a listing.
const PAGE: usize = 500;

/// A table with so many times fewer files is listed first: memory is flat when the rest hardly adds to it.
const FEWER: usize = 5;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    /// Files of the table
    #[arg(long, default_value_t = 10_000)]
    files: usize,
    /// Rows of each
    #[arg(long, default_value_t = 100)]
    rows: usize,
}

/// Measures and prints.
pub(crate) fn run(root: &Path, args: &Args) -> Result<()> {
    args.common.run(root, async |binary| measure(binary, args).await)
}

async fn measure(binary: &Path, args: &Args) -> Result<Vec<Line>> {
    let folder = tempfile::Builder::new().prefix("publish-").tempdir()?;
    let http = reqwest::Client::builder().timeout(Duration::from_mins(10)).no_proxy().build()?;
    let mut provider = Node::init(binary, &folder.path().join("provider"), "provider", http.clone())?;
    let mut consumer = Node::init(binary, &folder.path().join("consumer"), "consumer", http.clone())?;
    let (plain, partitioned) = (folder.path().join("plain"), folder.path().join("partitioned"));
    let few = folder.path().join("few");
    write_delta(&few, args.files / FEWER, args.rows, false)?;
    write_delta(&plain, args.files, args.rows, false)?;
    write_delta(&partitioned, args.files, args.rows, true)?;
    provider.start()?;
    consumer.start()?;
    publish(&provider, "few", &few, args.files / FEWER).await?;
    let published = publish(&provider, "plain", &plain, args.files).await?;
    let rewritten = publish(&provider, "partitioned", &partitioned, args.files).await?;
    let publishing = provider.memory_mb("VmHWM")?;

    // A fresh process, so that its largest memory is that of listing.
    provider.stop()?;
    provider.start()?;
    let small = buy(&consumer, &provider, "few").await?;
    let access = buy(&consumer, &provider, "plain").await?;
    let idle = provider.memory_mb("VmHWM")?;
    for page in [Some(PAGE), None] {
        let listed = list(&http, &small, page).await?;
        ensure!(listed == args.files / FEWER, "{listed} of {} files are listed", args.files / FEWER);
    }
    let before = provider.memory_mb("VmHWM")?;
    let began = Instant::now();
    let paged = list(&http, &access, Some(PAGE)).await?;
    let paging = began.elapsed();
    let began = Instant::now();
    let whole = list(&http, &access, None).await?;
    let listing = began.elapsed();
    ensure!((paged, whole) == (args.files, args.files), "{paged} and {whole} files are listed, {} were published", args.files);
    let after = provider.memory_mb("VmHWM")?;
    consumer.stop()?;
    provider.stop()?;
    Ok(vec![
        Line { what: "publishing the Delta table", value: published.as_secs_f64(), unit: "s", below: Some(10.0) },
        Line { what: "the same, partitioned (every file rewritten)", value: rewritten.as_secs_f64(), unit: "s", below: None },
        Line { what: "peak memory of the node that publishes", value: publishing, unit: "MB", below: None },
        Line { what: "listing it, 500 files a page", value: paging.as_secs_f64(), unit: "s", below: None },
        Line { what: "listing it in one answer", value: listing.as_secs_f64(), unit: "s", below: None },
        Line { what: "growth of peak memory by listing a fifth as many", value: before - idle, unit: "MB", below: None },
        // Flat: five times the files take hardly more. Pages of the database that are read in place count too.
        Line { what: "further growth by listing them all", value: after - before, unit: "MB", below: Some(20.0) },
    ])
}

/// An agreement about a product, and access to it.
async fn buy(consumer: &Node, provider: &Node, product: &str) -> Result<Value> {
    let begun = consumer.call(Method::POST, "negotiations", Some(&json!({"peer": provider.address(), "product": product}))).await?;
    let agreed = consumer.finalized(text(&begun, "negotiationId")?).await?;
    consumer.call(Method::POST, &format!("agreements/{}/access", text(&agreed, "agreementId")?), Some(&json!({}))).await
}

async fn publish(node: &Node, id: &str, table: &Path, files: usize) -> Result<Duration> {
    let body = json!({"id": id, "title": id, "kind": "table", "paths": [table]});
    let began = Instant::now();
    let made = node.call(Method::POST, "products", Some(&body)).await?;
    let took = began.elapsed();
    ensure!(made["content"]["fileCount"] == json!(files), "{id} has {} files", made["content"]["fileCount"]);
    Ok(took)
}

/// Lists the one table of a profile, and counts its files.
async fn list(http: &reqwest::Client, access: &Value, page: Option<usize>) -> Result<usize> {
    let profile = &access["profile"];
    let table = access["tables"][0].as_str().context("a table")?;
    let parts: Vec<&str> = table.splitn(3, '.').collect();
    let [share, schema, name] = parts[..] else { anyhow::bail!("{table} is not share.schema.table") };
    let url = format!("{}/shares/{share}/schemas/{schema}/tables/{name}/query", text(profile, "endpoint")?);
    let (mut files, mut token) = (0, None::<String>);
    loop {
        let mut body = json!({});
        if let Some(page) = page {
            body["maxFiles"] = json!(page);
        }
        if let Some(token) = token.take() {
            body["pageToken"] = json!(token);
        }
        let answer = http.post(&url).bearer_auth(text(profile, "bearerToken")?).json(&body).send().await?.error_for_status()?;
        for line in answer.text().await?.lines() {
            let line: Value = serde_json::from_str(line)?;
            files += usize::from(line.get("file").is_some());
            if let Some(next) = line["endStreamAction"]["nextPageToken"].as_str().filter(|t| !t.is_empty()) {
                token = Some(next.to_owned());
            }
        }
        if token.is_none() {
            return Ok(files);
        }
    }
}

/// A Delta table of one commit; partitioned, its files lack a column that their paths tell.
fn write_delta(dir: &Path, files: usize, rows: usize, partitioned: bool) -> Result<()> {
    fs::create_dir_all(dir.join("_delta_log"))?;
    let field = |name: &str, kind: &str| json!({"name": name, "type": kind, "nullable": true, "metadata": {}});
    let mut fields = vec![field("id", "long"), field("station", "string"), field("value", "double")];
    let mut partitions = Vec::new();
    if partitioned {
        fields.push(field("day", "integer"));
        partitions.push("day");
    }
    let mut log = String::new();
    writeln!(log, "{}", json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}))?;
    let schema = json!({"type": "struct", "fields": fields}).to_string();
    let metadata = json!({"id": "00000000-0000-4000-8000-000000000001", "format": {"provider": "parquet", "options": {}},
        "schemaString": schema, "partitionColumns": partitions, "configuration": {}});
    writeln!(log, "{}", json!({ "metaData": metadata }))?;
    for n in 0..files {
        let first = i64::try_from(n * rows)?;
        let ids: Vec<i64> = (first..).take(rows).collect();
        #[expect(clippy::cast_precision_loss, reason = "made-up measurements")]
        let values: Vec<f64> = ids.iter().map(|id| (id % 977) as f64 / 7.0).collect();
        let stations: Vec<String> = ids.iter().map(|id| format!("station-{}", id % 50)).collect();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("id", Arc::new(Int64Array::from(ids))),
            ("station", Arc::new(StringArray::from(stations))),
            ("value", Arc::new(Float64Array::from(values))),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))?;
        let day = n % 365;
        let name = if partitioned { format!("day={day}/part-{n:06}.parquet") } else { format!("part-{n:06}.parquet") };
        let path = dir.join(&name);
        fs::create_dir_all(path.parent().context("a folder")?)?;
        let mut writer = ArrowWriter::try_new(fs::File::create(&path)?, batch.schema(), None)?;
        writer.write(&batch)?;
        writer.close()?;
        let values = if partitioned { json!({"day": day.to_string()}) } else { json!({}) };
        let add =
            json!({"path": name, "partitionValues": values, "size": fs::metadata(&path)?.len(), "modificationTime": n, "dataChange": true});
        writeln!(log, "{}", json!({ "add": add }))?;
    }
    Ok(fs::write(dir.join("_delta_log/00000000000000000000.json"), log)?)
}
