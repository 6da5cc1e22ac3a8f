//! One node of the demonstration: a folder of its own, ports of its own, a participant with its products.

use super::scenario::{COUNTRY, ProductPlan, Zone};
use crate::{
    app::{App, products::Listing, publish::SourceAccess},
    config::{Config, FILE_NAME},
    init::{FIRST_LOGIN, InitOptions, PASSWORD_FILE, init},
    node::{Node, RunningNode},
};
use fondaco_core::{
    Code, Error, Result,
    participant::{Did, Participant},
    product::ProductKind,
    publication::{Draft, Source},
};
use fondaco_tables::sample::write_sample;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};
use tokio::net::TcpListener;

/// A running node of the demonstration.
#[derive(Debug)]
pub(super) struct DemoNode {
    /// The plan.
    pub(super) zone: Zone,
    /// Its folder.
    pub(super) dir: PathBuf,
    /// The node.
    pub(super) running: RunningNode,
    /// Its participant.
    pub(super) participant: Participant,
    /// The console login.
    pub(super) login: &'static str,
    /// Its password.
    pub(super) password: String,
}

impl DemoNode {
    /// Starts the node in its folder below `root`; makes it first when there is none.
    pub(super) async fn open(root: PathBuf, zone: Zone) -> Result<Self> {
        let dir = root.join(zone.slug);
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (public, admin) = if dir.join(FILE_NAME).exists() {
            let config = Config::load(&dir)?;
            (listen(config.public.listen, &zone, &root).await?, listen(config.admin.listen, &zone, &root).await?)
        } else {
            // The port becomes part of the DID, so it is taken before the node is made.
            let (public, admin) = (listen(free, &zone, &root).await?, listen(free, &zone, &root).await?);
            let address = |l: &TcpListener| l.local_addr().map_err(Error::internal_failure);
            init(InitOptions {
                dir: dir.clone(),
                participant: zone.slug.into(),
                name: zone.name.into(),
                country: Some(COUNTRY.into()),
                public: Some(format!("http://{}", address(&public)?)),
                admin: Some(address(&admin)?.to_string()),
                database: None,
            })
            .await?;
            (public, admin)
        };
        let whole = |e: std::io::Error| {
            Error::new(
                Code::ConfigInvalid,
                format!("{} does not hold a whole node ({e}). Remove it, or choose another folder.", dir.display()),
            )
        };
        let password = std::fs::read_to_string(dir.join(PASSWORD_FILE)).map_err(whole)?.trim().to_owned();
        let running = Node::start_on(Config::load(&dir)?, public, admin).await?;
        let participant = match running.app.participant(zone.slug).await {
            Ok(participant) => participant,
            Err(e) => {
                running.shutdown().await;
                return Err(e);
            }
        };
        Ok(Self { zone, dir, running, participant, login: FIRST_LOGIN, password })
    }

    /// Its use cases.
    pub(super) const fn app(&self) -> &App {
        &self.running.app
    }

    /// The console's address, without a trailing slash.
    pub(super) fn console(&self) -> String {
        format!("http://{}", self.running.admin_addr)
    }

    /// The participant's public address.
    pub(super) fn address(&self) -> String {
        self.app().config.participant_base(&self.participant.slug)
    }

    /// Publishes what is not published yet; gives the tables and rows that were.
    pub(super) async fn publish(&self, dids: &[Did]) -> Result<(usize, u64)> {
        let mut made = (0, 0);
        for plan in &self.zone.products {
            let listing = match self.app().listing(&self.participant.slug, plan.table.describe().id, None).await {
                Err(e) if e.code() == Code::NotFound => {
                    made = (made.0 + 1, made.1 + plan.rows);
                    self.publish_one(plan, dids).await?
                }
                found => found?,
            };
            for published in listing.offers {
                let offer = plan.offers.iter().find(|offer| offer.id() == published.id.as_str());
                if let Some(rules) = offer.and_then(|offer| offer.rules()).filter(|rules| *rules != published.rules) {
                    self.app().offer_set_rules(&self.participant.slug, &published.id, rules).await?;
                }
            }
        }
        Ok(made)
    }

    async fn publish_one(&self, plan: &ProductPlan, dids: &[Did]) -> Result<Listing> {
        let about = plan.table.describe();
        // Beside the data, so that a large temporary folder elsewhere is not needed; gone when it has been published.
        let scratch = tempfile::Builder::new().prefix("sample-").tempdir_in(&self.dir).map_err(Error::internal_failure)?;
        let path = scratch.path().join(format!("{}.parquet", about.id));
        let (kind, rows, seed, target) = (plan.table, plan.rows, self.zone.seed, path.clone());
        tokio::task::spawn_blocking(move || write_sample(kind, rows, seed, &target))
            .await
            .map_err(Error::internal_failure)?
            .map_err(Error::internal_failure)?;
        let draft = Draft {
            product: about.id.into(),
            title: about.title.into(),
            description: about.description.into(),
            keywords: about.keywords.iter().map(|k| (*k).to_owned()).collect(),
            source: Some(Source::Paths { paths: vec![path.display().to_string()], in_place: false }),
            offers: plan.offers.iter().map(|offer| offer.odrl(dids)).collect(),
            publish_profile: plan.publish_profile,
            ..Draft::new(ProductKind::Table)
        };
        self.app().publish(&self.participant, draft, SourceAccess::OPERATOR, None, |_| {}).await
    }
}

async fn listen(address: SocketAddr, zone: &Zone, root: &Path) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|e| {
        Error::new(
            Code::ConfigInvalid,
            format!(
                "{} cannot listen on {address}: {e}. The address is part of what its agreements say, so it cannot move. Stop the program \
                 that uses it (another demo with {}?), or begin a new demo in another folder.",
                zone.name,
                root.display()
            ),
        )
    })
}
