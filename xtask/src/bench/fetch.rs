//! `cargo xtask bench fetch`: one large file, fetched by turns with `curl` from nginx and with `fondaco fetch --out` from
//! a node, on the same machine, from the same file to the same disk.
//!
//! What is on the way is left out of neither: curl writes the file, fondaco writes it, checks its SHA-256 and makes it
//! durable. curl is therefore measured twice, alone and with `sync` of its file, which is what the comparison with equal
//! promises is.

use super::{
    Common, Line, cache,
    nginx::Nginx,
    pair::{Node, memory_mb, text},
    quantile,
};
use anyhow::{Context, Result, ensure};
use fondaco_core::entropy::{Entropy, SeededEntropy};
use reqwest::Method;
use serde_json::json;
use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// How often a process's memory is read. Its high-water mark only grows, so that the last reading counts.
const SAMPLE_EVERY: Duration = Duration::from_millis(20);
/// The large file is made of this many random bytes, each copy of which differs in its first bytes.
const BLOCK_BYTES: usize = 1 << 20;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    /// Size of the file in MiB
    #[arg(long, default_value_t = 5_120)]
    mib: u64,
    /// Rounds, each with every way once; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Where the file is kept between runs; twice its size is needed (default: the target folder)
    #[arg(long)]
    cache: Option<PathBuf>,
}

/// Measures and prints.
pub(crate) fn run(root: &Path, args: &Args) -> Result<()> {
    let cache = cache(root, args.cache.as_deref());
    args.common.run(root, async |binary| measure(binary, &cache, args).await)
}

async fn measure(binary: &Path, cache: &Path, args: &Args) -> Result<Vec<Line>> {
    fs::create_dir_all(cache)?;
    let cache = cache.canonicalize()?;
    let bytes = args.mib << 20;
    let source = cache.join(format!("file-{}.bin", args.mib));
    generate(&source, bytes)?;
    let folder = tempfile::Builder::new().prefix("fetch-").tempdir_in(&cache)?;
    let http = reqwest::Client::builder().timeout(Duration::from_mins(10)).no_proxy().build()?;
    let mut provider = Node::init(binary, &folder.path().join("provider"), "provider", http.clone())?;
    let mut consumer = Node::init(binary, &folder.path().join("consumer"), "consumer", http.clone())?;
    provider.start()?;
    consumer.start()?;
    eprintln!("publishing");
    let body = json!({"id": "large", "title": "large", "kind": "files", "source": {"type": "paths", "paths": [source], "inPlace": true}});
    provider.call(Method::POST, "products", Some(&body)).await?;
    let begun = consumer.call(Method::POST, "negotiations", Some(&json!({"peer": provider.address(), "product": "large"}))).await?;
    let agreed = consumer.finalized(text(&begun, "negotiationId")?).await?;
    let agreement = text(&agreed, "agreementId")?.to_owned();
    let nginx = Nginx::start(&folder.path().join("nginx"), &cache, "auto")?;
    let url = format!("http://{}/{}", nginx.address, source.file_name().and_then(|n| n.to_str()).context("a name")?);

    let out = folder.path().join("out.bin");
    let (mut curl, mut durable, mut fetch, mut peak) = (Vec::new(), Vec::new(), Vec::new(), 0.0f64);
    for round in 1..=args.rounds {
        eprintln!("round {round} of {}", args.rounds);
        settle()?;
        let began = Instant::now();
        let status = Command::new("curl").args(["--silent", "--show-error", "--fail", "--output"]).arg(&out).arg(&url).status()?;
        curl.push(began.elapsed().as_secs_f64());
        ensure!(status.success() && fs::metadata(&out)?.len() == bytes, "curl failed: {status}");
        File::open(&out)?.sync_all()?;
        durable.push(began.elapsed().as_secs_f64());
        fs::remove_file(&out)?;
        settle()?;
        let began = Instant::now();
        let mut command = Command::new(binary);
        command.arg("--dir").arg(consumer.dir()).args(["--json", "fetch", &agreement, "--out"]).arg(&out);
        let mut child = command.stdout(Stdio::null()).spawn()?;
        let status = loop {
            if let Ok(here) = memory_mb(child.id(), "VmHWM") {
                peak = peak.max(here);
            }
            if let Some(status) = child.try_wait()? {
                break status;
            }
            tokio::time::sleep(SAMPLE_EVERY).await;
        };
        fetch.push(began.elapsed().as_secs_f64());
        ensure!(status.success() && fs::metadata(&out)?.len() == bytes, "fondaco fetch failed: {status}");
        fs::remove_file(&out)?;
    }
    let provider_peak = provider.memory_mb("VmHWM")?;
    consumer.stop()?;
    provider.stop()?;
    let [curl, durable, fetch] = [&curl, &durable, &fetch].map(|seconds| quantile(seconds, 0.5));
    #[expect(clippy::cast_precision_loss, reason = "gigabytes")]
    let speed = |seconds: f64| bytes as f64 / 1e6 / seconds;
    Ok(vec![
        Line { what: "curl -o from nginx", value: speed(curl), unit: "MB/s", below: None },
        Line { what: "curl -o from nginx, then sync", value: speed(durable), unit: "MB/s", below: None },
        Line { what: "fondaco fetch --out, checked and durable", value: speed(fetch), unit: "MB/s", below: None },
        // 0.8 times the speed is 1.25 times the time.
        Line { what: "time of fetch / time of curl and sync", value: fetch / durable, unit: "", below: Some(1.25) },
        Line { what: "time of fetch / time of curl alone", value: fetch / curl, unit: "", below: Some(1.25) },
        Line { what: "peak memory of fondaco fetch", value: peak, unit: "MB", below: Some(50.0) },
        Line { what: "peak memory of the provider's node", value: provider_peak, unit: "MB", below: Some(50.0) },
    ])
}

/// Writes what is still on its way to the disk, so that nobody pays for the one before.
fn settle() -> Result<()> {
    ensure!(Command::new("sync").status()?.success(), "sync failed");
    Ok(())
}

/// Random bytes that no file system can keep in less room.
fn generate(path: &Path, bytes: u64) -> Result<()> {
    if fs::metadata(path).is_ok_and(|m| m.len() == bytes) {
        return Ok(());
    }
    eprintln!("making {}", path.display());
    let partial = path.with_extension("partial");
    let mut file = File::create(&partial)?;
    let entropy = SeededEntropy::new(7);
    let mut block = vec![0; BLOCK_BYTES];
    entropy.fill(&mut block);
    let mut left = bytes;
    let mut number = 0u64;
    while left > 0 {
        block[..8].copy_from_slice(&number.to_le_bytes());
        let n = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        file.write_all(&block[..n])?;
        left -= n as u64;
        number += 1;
    }
    file.sync_all()?;
    fs::rename(partial, path)?;
    Ok(())
}
