//! `cargo xtask simulate` runs this: simulates many cases, says how that goes, and shows each failure as a test.
//!
//! `simulate FROM SEEDS THREADS`; exit status 1 when a rule was broken.

use fondaco_testkit::simulation::{Case, Failure, Simulator};
use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How often progress is shown.
const SHOWN_EVERY: Duration = Duration::from_secs(10);
/// Failures shrunk and shown; one mistake breaks many cases.
const SHOWN_MAX: usize = 5;

#[derive(Default)]
struct Sum {
    done: u64,
    operations: BTreeMap<String, u64>,
    faults: BTreeMap<String, u64>,
    ends: BTreeMap<String, u64>,
    pairs: BTreeMap<String, u64>,
    failures: Vec<Failure>,
    shown_at: Duration,
}

fn add(to: &mut BTreeMap<String, u64>, from: &BTreeMap<String, u64>) {
    for (name, count) in from {
        *to.entry(name.clone()).or_default() += count;
    }
}

fn list(counts: &BTreeMap<String, u64>) -> String {
    counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(" · ")
}

fn main() -> ExitCode {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let [from, seeds, threads] = numbers[..] else {
        eprintln!("usage: simulate FROM SEEDS THREADS");
        return ExitCode::from(2);
    };
    let begun = Instant::now();
    let (next, sum) = (AtomicU64::new(from), Mutex::new(Sum::default()));
    let rate = |done: u64| u128::from(done) * 1_000 / begun.elapsed().as_millis().max(1);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let simulator = Simulator::new(None);
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds {
                        return;
                    }
                    let outcome = simulator.run(&Case::of(seed));
                    let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                    sum.done += 1;
                    match outcome {
                        Ok(tally) => {
                            add(&mut sum.operations, &tally.operations);
                            add(&mut sum.faults, &tally.faults);
                            add(&mut sum.ends, &tally.ends);
                            add(&mut sum.pairs, &tally.pairs);
                        }
                        Err(failure) => {
                            println!("seed {seed}: {}", failure.broken.rule);
                            sum.failures.push(*failure);
                        }
                    }
                    if begun.elapsed() >= sum.shown_at + SHOWN_EVERY {
                        sum.shown_at = begun.elapsed();
                        println!("{} of {seeds} seeds, {} a second, {} failures", sum.done, rate(sum.done), sum.failures.len());
                    }
                }
            });
        }
    });
    let mut sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("operations {}: {}", sum.operations.values().sum::<u64>(), list(&sum.operations));
    println!("faults {}: {}", sum.faults.values().sum::<u64>(), list(&sum.faults));
    println!("ends: {}", list(&sum.ends));
    println!("two sides at the end: {}", list(&sum.pairs));
    sum.failures.sort_by_key(|failure| failure.case.seed);
    let mut rules: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for failure in &sum.failures {
        rules.entry(failure.broken.rule).or_default().push(failure.case.seed);
    }
    let simulator = Simulator::new(None);
    for (rule, seeds) in rules.iter().take(SHOWN_MAX) {
        println!("\nbroken in {} seeds: {rule} (seeds {:?}…)", seeds.len(), &seeds[..seeds.len().min(8)]);
        if let Some(failure) = sum.failures.iter().find(|failure| failure.broken.rule == *rule) {
            println!("{}", simulator.shrink(failure.clone()));
        }
    }
    let seconds = begun.elapsed().as_secs();
    println!(
        "{seeds} seeds, {} failures ({seconds} s, {} seeds a second, {threads} threads, from seed {from})",
        sum.failures.len(),
        rate(seeds)
    );
    if sum.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
