//! One party: the product's own use cases, surfaces and jobs on a database in memory, driven step by step.

use super::{
    op::{Manner, Side, Words},
    wire::{Call, Wire},
};
use axum::{Router, body::Body};
use bytes::Bytes;
use fondaco_core::{
    Result,
    decision::RuleSet,
    entropy::{Entropy, SeededEntropy},
    ids::OfferId,
    negotiation::Negotiation,
    participant::{Did, Participant},
    policy::Policy,
    product::{Listing, Offer, Product, ProductId, ProductKind, ProductRef, ProductState},
    time::{Clock, ManualClock, Timestamp},
    transfer::Transfer,
};
use fondaco_node::{
    app::{App, participants::NewParticipant},
    config::Config,
    jobs::runner,
    net::{NetworkRule, OutRequest, OutResponse, Outbound},
    node::{Parts, assemble, public_router},
    secrets::Sealer,
};
use fondaco_store::{AgreementFilter, AgreementRow, Job, JobFeed, ProcessFilter, Store, StoreConfig};
use futures::{FutureExt as _, future::BoxFuture, stream};
use http_body_util::BodyExt as _;
use serde_json::json;
use std::{
    sync::Arc,
    task::{Context, Poll},
};
use tower::ServiceExt as _;
use zeroize::Zeroizing;

/// The terms of the offers that each party publishes.
pub const PUBLISHED: [Words; 3] = [Words::Open, Words::Hundred, Words::TwoDays];
/// Jobs that a look at the outbox shows: far more than a case makes.
const JOBS_MAX: u32 = 10_000;
/// Rows of each kind that a look shows.
const ROWS_MAX: u32 = 500;

/// What a process of simulations makes once: it costs milliseconds, and a case takes few more.
pub struct Workshop {
    outbound: Outbound,
    config: Config,
}

impl Workshop {
    /// Makes it.
    pub fn new() -> Self {
        let rule = NetworkRule { allow_private: false, allow_loopback: true, allow_http: false };
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("fondaco.toml"), "[public]\nurl = \"http://127.0.0.1:7400\"\n").expect("a configuration");
        let config = Config::load_with(dir.path(), &std::collections::HashMap::new()).expect("a configuration");
        Self { outbound: Outbound::system(rule).expect("a client"), config }
    }
}

impl Default for Workshop {
    fn default() -> Self {
        Self::new()
    }
}

/// Everything a party has committed that another step could change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Committed {
    /// Its negotiations, oldest first.
    pub negotiations: Vec<Negotiation>,
    /// Its transfers.
    pub transfers: Vec<Transfer>,
    /// Its agreements.
    pub agreements: Vec<AgreementRow>,
    /// What it will do of its own accord.
    pub jobs: Vec<Job>,
}

/// A job or a handling that goes on until it waits for the network.
pub type Task = BoxFuture<'static, ()>;

/// One party.
pub struct Party {
    /// Its use cases.
    pub app: App,
    /// Its participant.
    pub participant: Participant,
    side: Side,
    /// Jobs under way, each with the call whose answer it waits for.
    pub tasks: Vec<(u64, Task)>,
    /// Until when it answers 500.
    pub failing_until: Timestamp,
    router: Router,
    feed: Option<JobFeed>,
    parts: Box<dyn Fn() -> App + Send + Sync>,
}

impl Party {
    /// Makes it, with a product and its offers.
    pub async fn new(workshop: &Workshop, side: Side, manners: [Manner; 2], clock: &Arc<ManualClock>, seed: u64, wire: &Wire) -> Self {
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(seed.wrapping_mul(2).wrapping_add(side.index() as u64)));
        let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(clock);
        let store = Store::open(&StoreConfig::new("sqlite::memory:"), Arc::clone(&clock), Arc::clone(&entropy)).await.expect("a database");
        let mut config = workshop.config.clone();
        config.public.url = address(side).parse().expect("an address");
        let outbound = workshop.outbound.clone().carried_by(wire.end(side));
        let parts = move || {
            let sealer = Sealer::from_master(Zeroizing::new([7; 32]));
            let parts = Parts {
                store: store.clone(),
                clock: Arc::clone(&clock),
                entropy: Arc::clone(&entropy),
                sealer,
                outbound: outbound.clone(),
            };
            assemble(config.clone(), parts).expect("an app")
        };
        let app = parts();
        let slug = slug(side);
        let new = NewParticipant { slug: slug.into(), name: format!("{slug} Ltd"), country: None };
        let mut participant = app.participant_add(new, None).await.expect("a participant");
        let [consumer, provider] = manners;
        participant.rules = RuleSet { default: consumer.as_consumer(), ..RuleSet::default() };
        let (changed, now) = (participant.clone(), app.now());
        app.store
            .tx("simulation.publish", move |tx| -> Result<()> {
                tx.participant_update(&changed)?;
                let reference = ProductRef { id: ProductId::parse("wind")?, version: 1 };
                tx.product_insert(&Product {
                    participant: changed.slug.clone(),
                    reference: reference.clone(),
                    kind: ProductKind::Table,
                    state: ProductState::Published,
                    title: "Wind".into(),
                    description: String::new(),
                    keywords: Vec::new(),
                    listing: Listing::default(),
                    derived_from: Vec::new(),
                    publish_profile: false,
                    content: json!({}),
                    created_at: now,
                })?;
                for (n, words) in PUBLISHED.into_iter().enumerate() {
                    tx.offer_insert(&Offer {
                        id: OfferId::from_stored(offer_id(n)),
                        participant: changed.slug.clone(),
                        product: reference.clone(),
                        odrl: words.odrl(),
                        policy: Policy::from_odrl(&words.odrl())?,
                        rules: provider.as_provider(),
                        created_at: now,
                    })?;
                }
                Ok(())
            })
            .await
            .expect("published");
        let mut party = Self {
            router: public_router(&app),
            app,
            participant,
            side,
            tasks: Vec::new(),
            failing_until: Timestamp::from_micros(0),
            feed: None,
            parts: Box::new(parts),
        };
        party.feed = Some(party.app.store.job_feed().await.expect("the feed"));
        party
    }

    /// Its participant id.
    pub const fn did(&self) -> &Did {
        &self.participant.did
    }

    /// The base of its protocol endpoints.
    pub fn dsp(&self) -> String {
        dsp(self.side)
    }

    /// Dies and starts again: what was in memory is gone, the database is as it was committed.
    pub async fn restart(&mut self) {
        self.tasks.clear();
        self.feed = None;
        self.app = (self.parts)();
        self.router = public_router(&self.app);
        self.feed = Some(self.app.store.job_feed().await.expect("the feed"));
    }

    /// Whether it answers 500 now.
    pub fn is_failing(&self) -> bool {
        self.app.now() < self.failing_until
    }

    /// The next job that is due, if any.
    pub fn due(&mut self) -> Option<Job> {
        self.feed.as_mut()?.next().now_or_never()
    }

    /// A job, begun.
    pub fn job(&self, job: Job) -> Task {
        let app = self.app.clone();
        Box::pin(async move { runner::perform(&app, job).await })
    }

    /// How it answers a request, of which only `bytes` arrive if they are fewer.
    pub fn answer(&self, request: OutRequest, bytes: Option<usize>) -> BoxFuture<'static, OutResponse> {
        if self.is_failing() {
            return Box::pin(async { plain(500) });
        }
        let body = match bytes {
            None => Body::from(request.body),
            Some(n) => {
                let (part, broken) = (request.body.slice(..n.min(request.body.len())), std::io::Error::other("the connection ended"));
                Body::from_stream(stream::iter([Ok(part), Err(broken)]))
            }
        };
        let mut incoming = http::Request::new(body);
        *incoming.method_mut() = request.method;
        *incoming.uri_mut() = request.url[url::Position::BeforePath..].parse().expect("a path");
        *incoming.headers_mut() = request.headers;
        let router = self.router.clone();
        Box::pin(async move {
            let Ok(answer) = router.oneshot(incoming).await;
            let (parts, body) = answer.into_parts();
            let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            OutResponse { status: parts.status, headers: parts.headers, body }
        })
    }

    /// What it has committed.
    pub async fn committed(&self) -> Committed {
        let slug = self.participant.slug.clone();
        let look = self.app.store.read("simulation.look", move |tx| -> Result<_> {
            let all = ProcessFilter { role: None, state: None, after: None, limit: ROWS_MAX };
            let mut negotiations = tx.negotiation_list(&slug, &all)?;
            let mut transfers = tx.transfer_list(&slug, &all)?;
            negotiations.sort_by(|a, b| a.id.as_str().cmp(b.id.as_str()));
            transfers.sort_by(|a, b| a.id.as_str().cmp(b.id.as_str()));
            let mut agreements = tx.agreement_list(
                &slug,
                &AgreementFilter { role: None, dataset: None, peer: None, phase: None, after: None, limit: ROWS_MAX },
            )?;
            agreements.sort_by(|a, b| a.agreement.id.cmp(&b.agreement.id));
            Ok(Committed { negotiations, transfers, agreements, jobs: tx.jobs_pending(JOBS_MAX)? })
        });
        look.await.expect("the database answers")
    }
}

/// Where a party is.
pub const fn address(side: Side) -> &'static str {
    match side {
        Side::Left => "http://127.0.0.1:7410",
        Side::Right => "http://127.0.0.1:7420",
    }
}

/// The base of a party's protocol endpoints.
pub fn dsp(side: Side) -> String {
    format!("{}/p/{}/dsp/{}", address(side), slug(side), fondaco_dsp::VERSION)
}

const fn slug(side: Side) -> &'static str {
    match side {
        Side::Left => "left",
        Side::Right => "right",
    }
}

/// The party at an address.
pub fn at(url: &url::Url) -> Option<Side> {
    match url.port() {
        Some(7410) => Some(Side::Left),
        Some(7420) => Some(Side::Right),
        _ => None,
    }
}

/// The id of a published offer.
pub fn offer_id(n: usize) -> String {
    format!("offer-{}", n % PUBLISHED.len())
}

/// An answer without content.
pub fn plain(status: u16) -> OutResponse {
    OutResponse { status: http::StatusCode::from_u16(status).unwrap_or_default(), headers: http::HeaderMap::new(), body: Bytes::new() }
}

/// Goes on with a future until it is done or waits for a call that is not a look at an identity; those are answered at
/// once, since they change nothing.
pub async fn drive<T>(task: &mut BoxFuture<'static, T>, wire: &Wire, parties: &[Party; 2]) -> Option<T> {
    loop {
        let before = wire.calls().len();
        let done = futures::future::poll_fn(|cx: &mut Context<'_>| match task.poll_unpin(cx) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if wire.calls().len() > before => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await;
        if done.is_some() {
            return done;
        }
        let identity = wire.calls().pop_if(|call| call.request.url.path().ends_with("/did.json"));
        let Call { request, reply, .. } = identity?;
        let answer = match at(&request.url) {
            Some(side) => Ok(parties[side.index()].answer(request, None).await),
            None => Err(super::wire::silence()),
        };
        // Whoever asked may be gone.
        let _ = reply.send(answer);
    }
}
