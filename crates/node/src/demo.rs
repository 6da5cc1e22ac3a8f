//! `fondaco demo`: zones that trade with each other on this machine, for somebody who has never seen it. Nothing is
//! staged: each zone is a node of its own with its own folder, database and addresses, and the deals are made by the
//! same use cases and over the same protocols as any other.

mod check;
mod deals;
mod facts;
mod read;
mod scenario;
mod zone;

pub use facts::{DealFacts, Example, Facts, NodeFacts};
pub use scenario::{NODES_MAX, NODES_MIN};

use crate::config::FILE_NAME;
use deals::{Deal, Sides};
use fondaco_core::{Code, Error, Result, participant::Did};
use scenario::{DealPlan, Outcome};
use serde::Serialize;
use std::{
    io::Write,
    path::{Path, PathBuf},
};
use tokio_util::sync::CancellationToken;
use zone::DemoNode;

/// What to show.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Where to keep the nodes; `None` is a temporary folder that goes at the end. A folder used before goes on.
    pub dir: Option<PathBuf>,
    /// How many zones, [`NODES_MIN`] to [`NODES_MAX`]. A folder with more keeps them all.
    pub nodes: usize,
    /// Check the deals and stop, instead of waiting to be stopped.
    pub exit_when_done: bool,
    /// Rows of every table; `None` is a believable size for each.
    pub rows: Option<u64>,
}

/// Who watches.
pub trait Audience {
    /// Something was done.
    fn progress(&mut self, line: &str);
    /// Everything is there.
    ///
    /// # Errors
    /// When it cannot be shown; the demonstration ends.
    fn ready(&mut self, facts: &Facts) -> Result<()>;
}

/// How it ended.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What there was; `None` when it was stopped before everything was there.
    #[serde(flatten)]
    pub facts: Option<Facts>,
    /// With [`DemoOptions::exit_when_done`]: how many deals are as they should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<usize>,
    /// And what is wrong with the others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// Runs the demonstration until `stop` is cancelled, or until its deals are checked.
///
/// # Errors
/// When a node cannot be started or a deal cannot be made. All nodes are stopped and the temporary folder is removed
/// in every case.
pub async fn demo(options: DemoOptions, stop: CancellationToken, audience: &mut dyn Audience) -> Result<Report> {
    check_environment()?;
    let (root, temporary) = match &options.dir {
        Some(dir) => (kept(dir)?, None),
        None => {
            let dir = tempfile::Builder::new().prefix("fondaco-demo-").tempdir().map_err(Error::internal_failure)?;
            (dir.path().to_owned(), Some(dir))
        }
    };
    let mut stage = Stage { root, temporary: temporary.is_some(), nodes: Vec::new(), deals: Vec::new(), stop };
    let outcome = stage.play(&options, audience).await;
    let begun = !stage.nodes.is_empty();
    futures::future::join_all(stage.nodes.into_iter().map(|node| node.running.shutdown())).await;
    if begun {
        audience.progress("All nodes are stopped.");
    }
    if let Some(dir) = temporary {
        let path = dir.path().to_owned();
        dir.close().map_err(|e| Error::new(Code::Internal, format!("{} could not be removed: {e}. Remove it by hand.", path.display())))?;
        audience.progress(&format!("{} is removed.", path.display()));
    }
    outcome
}

/// Settings in the environment would hold for all nodes alike, and no two of them can share an address or a database.
fn check_environment() -> Result<()> {
    let common = |name: &str| name.starts_with("FONDACO_LOG__");
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    match names.filter(|n| n.starts_with("FONDACO_") && n.contains("__")).find(|n| !common(n)) {
        None => Ok(()),
        Some(name) => Err(Error::new(
            Code::ConfigInvalid,
            format!("{name} is set, and every node of the demo has settings of its own. Unset it first."),
        )),
    }
}

/// A folder that stays: new, empty, or of a demonstration before.
fn kept(dir: &Path) -> Result<PathBuf> {
    let failed =
        |e: std::io::Error| Error::new(Code::ConfigInvalid, format!("{} cannot be used: {e}. Choose another folder.", dir.display()));
    std::fs::create_dir_all(dir).map_err(failed)?;
    if dir.join(FILE_NAME).exists() {
        return Err(Error::new(
            Code::Conflict,
            format!(
                "{} is the folder of a node. The demo makes nodes of its own; choose another folder, or leave --dir out.",
                dir.display()
            ),
        ));
    }
    std::fs::canonicalize(dir).map_err(failed)
}

struct Stage {
    root: PathBuf,
    temporary: bool,
    nodes: Vec<DemoNode>,
    deals: Vec<Deal>,
    stop: CancellationToken,
}

impl Stage {
    async fn play(&mut self, options: &DemoOptions, audience: &mut dyn Audience) -> Result<Report> {
        let early = Report { facts: None, verified: None, problems: Vec::new() };
        match self.set_up(options, audience).await {
            Ok(true) => {}
            Ok(false) => return Ok(early),
            // Told to stop, the step in hand may fail for that alone.
            Err(_) if self.stop.is_cancelled() => return Ok(early),
            Err(e) => return Err(e),
        }
        let facts = self.facts().await?;
        if !options.exit_when_done {
            audience.ready(&facts)?;
            self.stop.cancelled().await;
            audience.progress("Stopping.");
            return Ok(Report { facts: Some(facts), ..early });
        }
        let (mut verified, mut problems) = (0, Vec::new());
        for deal in &self.deals {
            let wrong = check::check(self.sides(&deal.plan), deal).await;
            verified += usize::from(wrong.is_empty());
            problems.extend(wrong);
        }
        Ok(Report { facts: Some(self.facts().await?), verified: Some(verified), problems })
    }

    /// Starts the nodes, publishes and makes the deals. `false` when told to stop on the way: between steps, so that
    /// nothing is left half done and nothing writes into a folder that is being removed.
    async fn set_up(&mut self, options: &DemoOptions, audience: &mut dyn Audience) -> Result<bool> {
        let nodes = options.nodes.clamp(NODES_MIN, NODES_MAX);
        let zones = scenario::zones(NODES_MAX, options.rows);
        let before = zones.iter().rposition(|zone| self.root.join(zone.slug).join(FILE_NAME).exists()).map_or(0, |last| last + 1);
        let nodes = nodes.max(before);
        audience.progress(if before == 0 { "Making the nodes …" } else { "Starting the nodes …" });
        let opening = zones.into_iter().take(nodes).map(|zone| DemoNode::open(self.root.clone(), zone));
        let mut failed = None;
        for opened in futures::future::join_all(opening).await {
            match opened {
                Ok(node) => self.nodes.push(node),
                Err(e) => failed = failed.or(Some(e)),
            }
        }
        if let Some(e) = failed {
            return Err(e);
        }
        if self.stop.is_cancelled() {
            return Ok(false);
        }
        audience.progress("Publishing …");
        let dids: Vec<Did> = self.nodes.iter().map(|node| node.participant.did.clone()).collect();
        let published = futures::future::join_all(self.nodes.iter().map(|node| node.publish(&dids))).await;
        for (node, published) in self.nodes.iter().zip(published) {
            let (tables, rows) = published?;
            if tables > 0 {
                let (rows, tables) = (fondaco_console::format::Count(rows), if tables == 1 { "a table" } else { "two tables" });
                audience.progress(&format!("  {} offers {tables}, {rows} rows", node.zone.name));
            }
        }
        audience.progress("Dealing …");
        for plan in scenario::deals(nodes) {
            if self.stop.is_cancelled() {
                return Ok(false);
            }
            let sides = self.sides(&plan);
            sides.introduce().await?;
            let deal = sides.make(&plan).await?;
            audience.progress(&format!("  {}", self.sentence(&deal)));
            self.deals.push(deal);
        }
        Ok(true)
    }

    fn sides(&self, plan: &DealPlan) -> Sides<'_> {
        Sides { consumer: &self.nodes[plan.consumer], provider: &self.nodes[plan.provider] }
    }

    /// A deal in a sentence.
    fn sentence(&self, deal: &Deal) -> String {
        let Sides { consumer, provider } = self.sides(&deal.plan);
        let (who, whose, title) = (consumer.zone.name, provider.zone.name, deal.plan.table.describe().title);
        let agreed = deal.agreement().is_some();
        match deal.plan.outcome {
            Outcome::Waiting if !deal.provider.state.is_final() => {
                format!("{who} asks {whose} for \"{title}\" and waits for a person there")
            }
            Outcome::Refused if !agreed => {
                format!("{whose} refuses {who} \"{title}\": {}", deal.reason().unwrap_or_default())
            }
            Outcome::Read if agreed => format!("{who} reads \"{title}\" of {whose}"),
            Outcome::Suspended(_) if agreed => format!("{whose} opens \"{title}\" to {who}, then suspends access"),
            Outcome::Completed if agreed => format!("{who} gets \"{title}\" from {whose} and completes the transfer"),
            _ if agreed => format!("{who} and {whose} agree on \"{title}\""),
            _ => format!("{who} and {whose} do not agree on \"{title}\""),
        }
    }

    async fn facts(&self) -> Result<Facts> {
        let mut deals = Vec::with_capacity(self.deals.len());
        for deal in &self.deals {
            deals.push(DealFacts::of(&self.sides(&deal.plan).look(&deal.plan, &deal.consumer.id).await?));
        }
        Ok(Facts {
            dir: self.root.clone(),
            temporary: self.temporary,
            nodes: self.nodes.iter().map(NodeFacts::of).collect(),
            deals,
            example: self.example().await?,
        })
    }

    /// The profile of the first deal, in a file beside the consumer's data.
    async fn example(&self) -> Result<Option<Example>> {
        let Some((deal, agreement)) = self.deals.first().and_then(|deal| Some((deal, deal.agreement()?))) else { return Ok(None) };
        let sides = self.sides(&deal.plan);
        let access = match sides.access(&agreement.id).await {
            Ok(access) => access,
            // In a folder used before, somebody may have closed it.
            Err(e) if e.code() == Code::AccessEnded => return Ok(None),
            Err(e) => return Err(e),
        };
        let Some(table) = access.tables.first() else { return Ok(None) };
        let profile = sides.consumer.dir.join(format!("{}.share", deal.consumer.dataset));
        write_secret(&profile, &access.profile.to_json()).map_err(Error::internal_failure)?;
        Ok(Some(Example {
            consumer: sides.consumer.zone.slug.into(),
            title: deal.plan.table.describe().title.into(),
            agreement_id: agreement.id.clone(),
            profile,
            table: table.clone(),
            query_url: read::query_url(&access.profile.endpoint, table)?.into(),
            endpoint: access.profile.endpoint,
            bearer_token: access.profile.bearer_token,
        }))
    }
}

/// Whoever has the profile can read the table: the file is whole or not there, and for its owner only.
fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    // Temporary files are made with mode 0600.
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(file, "{text}")?;
    file.persist(path)?;
    Ok(())
}
