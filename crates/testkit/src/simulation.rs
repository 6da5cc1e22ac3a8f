//! A deterministic simulation of two parties: the product's own use cases, protocol surfaces, jobs and databases, under
//! one clock that the simulation moves and randomness from one seed, with a network between them that the simulation
//! spoils. No sockets, no waiting; one thing happens at a time.
//!
//! **What runs is the product**: `App` with its store (SQLite in memory), the public router behind its authentication by
//! DID and signed tokens, the machines, and the job runner's own work on the feed's own order. What does not run: listeners
//! and the HTTP client's connections (a [`wire`] carries whole requests and answers), the admin API and the console (people
//! call the use cases), housekeeping, and deliveries of data.
//!
//! **A failure** is a broken rule of [`check`], which are judged after every operation and once more when the network has
//! recovered and nothing is left to do. **No failure**: a refused step; two sides that differ because a party was made to
//! say, in its own name, what it did not do. **What is not decided by the seed**: signing keys, which come from the
//! operating system and change no decision. A transaction is atomic in SQLite, so a death in the middle of one is the same
//! as one before it; deaths happen between transactions and while a call is under way.

mod check;
#[cfg(test)]
mod example;
mod forge;
mod op;
mod pair;
mod party;
mod wire;
mod world;

pub use check::Broken;
pub use op::{Alteration, Dice, Fate, Forged, Manner, Op, Setup, Side, Words};
pub use party::Workshop;
pub use world::{Plant, Tally};

use world::World;

/// Two parties and what happens to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The seed of both parties' randomness.
    pub seed: u64,
    /// How they decide.
    pub setup: Setup,
    /// What happens.
    pub ops: Vec<Op>,
}

/// A case that broke a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The case.
    pub case: Case,
    /// After how many operations.
    pub after: usize,
    /// What was broken.
    pub broken: Broken,
}

impl Case {
    /// The case of a seed.
    pub fn of(seed: u64) -> Self {
        let dice = Dice::new(seed);
        Self { seed, setup: dice.setup(), ops: dice.ops() }
    }
}

impl std::fmt::Display for Failure {
    /// What was broken, and the case as a test.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Case { seed, setup, ops } = &self.case;
        writeln!(f, "seed {seed}, after {} of {} operations: {}\n  {}", self.after, ops.len(), self.broken.rule, self.broken.seen)?;
        writeln!(f, "\n#[test]\nfn name_what_went_wrong() {{\n    reproduce(\n        {seed},\n        {setup:?},\n        &[")?;
        for op in ops {
            writeln!(f, "            {op:?},")?;
        }
        write!(f, "        ],\n    );\n}}")
    }
}

/// Simulates cases, one after another.
pub struct Simulator {
    runtime: tokio::runtime::Runtime,
    workshop: Workshop,
    plant: Option<Plant>,
}

impl Simulator {
    /// A simulator, perhaps with a mistake planted in the parties.
    pub fn new(plant: Option<Plant>) -> Self {
        // One thread: whatever is ready goes on in the order in which it became so.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        Self { runtime, workshop: Workshop::new(), plant }
    }

    /// Simulates a case.
    ///
    /// # Errors
    /// The first broken rule.
    pub fn run(&self, case: &Case) -> Result<Tally, Box<Failure>> {
        let ran = self.runtime.block_on(async { World::new(&self.workshop, case.setup, case.seed, self.plant).await.run(&case.ops).await });
        ran.map_err(|(after, broken)| Box::new(Failure { case: case.clone(), after, broken }))
    }

    /// The smallest case found that breaks the same rule: parts of the operations are left out as long as it does (delta
    /// debugging), then the parties and the faults are made as plain as they can be.
    pub fn shrink(&self, failure: Failure) -> Failure {
        let rule = failure.broken.rule;
        let mut best = failure;
        best.case.ops.truncate(best.after + 1);
        let better = |case: Case| self.run(&case).err().filter(|found| found.broken.rule == rule);
        if let Some(found) = better(best.case.clone()) {
            best = *found;
        }
        let mut parts = 2;
        while best.case.ops.len() >= 2 {
            let size = best.case.ops.len().div_ceil(parts);
            let without = (0..parts).filter(|part| part * size < best.case.ops.len()).find_map(|part| {
                let mut ops = best.case.ops.clone();
                ops.drain(part * size..((part + 1) * size).min(ops.len()));
                better(Case { ops, ..best.case.clone() })
            });
            match without {
                Some(found) => (best, parts) = (*found, parts.saturating_sub(1).max(2)),
                None if size == 1 => break,
                None => parts = (parts * 2).min(best.case.ops.len()),
            }
        }
        for manner in 0..4 {
            let mut case = best.case.clone();
            let place = if manner < 2 { &mut case.setup.left[manner] } else { &mut case.setup.right[manner - 2] };
            *place = Manner::Plain;
            if let Some(found) = better(case) {
                best = *found;
            }
        }
        for n in 0..best.case.ops.len() {
            let mut case = best.case.clone();
            let Some(Op::Carry { fate, nth }) = case.ops.get_mut(n) else { continue };
            (*fate, *nth) = (Fate::Whole, 0);
            if let Some(found) = better(case) {
                best = *found;
            }
        }
        best
    }
}
