//! Queries in DataFusion as anybody would run them: what governed SQL is measured beside. Started by
//! `cargo xtask bench tables`, which says in `ASKED` what to run and in `CORE` on which core.

use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use serde::Deserialize;
use std::time::Instant;

#[derive(Deserialize)]
struct Asked {
    source: String,
    view: String,
    queries: Vec<String>,
    rounds: usize,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let asked: Asked = serde_json::from_str(&std::env::var("ASKED")?)?;
    let pinned = std::process::Command::new("taskset").args(["-acp", &std::env::var("CORE")?, &std::process::id().to_string()]).output()?;
    assert!(pinned.status.success(), "taskset failed");
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(&asked))
}

async fn run(asked: &Asked) -> Result<(), Box<dyn std::error::Error>> {
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    context.register_parquet("source", &asked.source, ParquetReadOptions::default()).await?;
    context.sql(&format!("CREATE VIEW readings AS {}", asked.view)).await?;
    let mut times = vec![Vec::new(); asked.queries.len()];
    for round in 0..=asked.rounds {
        for (query, times) in asked.queries.iter().zip(&mut times) {
            let begun = Instant::now();
            context.sql(query).await?.collect().await?;
            if round > 0 {
                times.push(begun.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    let medians: Vec<f64> = times
        .iter_mut()
        .map(|times| {
            times.sort_by(f64::total_cmp);
            times.get(times.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
        })
        .collect();
    println!("{}", serde_json::to_string(&medians)?);
    Ok(())
}
