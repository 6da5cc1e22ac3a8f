//! `GET /p/{slug}/events?topic=…`: server-sent events for the page that is open.
//!
//! An event only says that the page is worth reading again; its content is ignored, so that nothing is shown that the
//! page itself would not show ([HTML, server-sent events](https://html.spec.whatwg.org/multipage/server-sent-events.html)).

use super::{answer::Failure, guard::Room, publish};
use crate::app::{App, publish::Progress};
use axum::{
    extract::{Query, State},
    response::{
        IntoResponse, Response,
        sse::{self, KeepAlive, Sse},
    },
};
use fondaco_core::{
    Code, Error,
    ids::{FOREIGN_ID_MAX_CHARS, PublicationId},
    participant::Slug,
};
use fondaco_store::Event;
use futures::stream;
use serde::Deserialize;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::sync::{Semaphore, SemaphorePermit, broadcast};

/// Streams open at once in this process: each is an open page, and a socket. Pages beyond it reload by themselves.
const STREAMS_MAX: usize = 1_000;
/// A stream ends after this time and the browser opens another, which asks for the session again.
const LIFE: Duration = Duration::from_mins(15);
/// A comment this often keeps proxies from closing a silent stream.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

static STREAMS: Semaphore = Semaphore::const_new(STREAMS_MAX);

/// How often the progress of publications is looked at: often enough to be seen moving.
const LOOK: Duration = Duration::from_millis(500);

/// What the page is about.
#[derive(Debug, Deserialize)]
pub struct Asked {
    #[serde(default)]
    topic: String,
}

/// Where the events of a page come from.
trait Source: Send + 'static {
    /// Waits for one; `None` when there will be none any more.
    fn next(&mut self) -> impl Future<Output = Option<()>> + Send;
}

/// The publications that a page is about.
enum Publications {
    One(PublicationId),
    All,
}

impl Publications {
    /// `publication:ID` or `publications`.
    fn parse(topic: &str) -> Option<Self> {
        match topic.split_once(':') {
            Some(("publication", id)) => publish::parse(id).ok().map(Self::One),
            None if topic == "publications" => Some(Self::All),
            _ => None,
        }
    }

    /// How they stand. Progress is no event: it changes many times a second, and nobody asks for it afterwards.
    async fn look(&self, app: &App, slug: &Slug) -> Option<Vec<(u64, Option<Progress>)>> {
        let publications = match self {
            Self::One(id) => vec![app.publication(slug, id).await.ok()?],
            Self::All => app.publications(slug, false).await.ok()?,
        };
        Some(publications.iter().map(|p| (p.revision, app.publication_progress(&p.id))).collect())
    }
}

struct Watching {
    app: App,
    slug: Slug,
    publications: Publications,
    ticks: tokio::time::Interval,
    seen: Option<Vec<(u64, Option<Progress>)>>,
    _place: SemaphorePermit<'static>,
}

impl Source for Watching {
    /// Waits until they stand otherwise than before; `None` when they are gone.
    async fn next(&mut self) -> Option<()> {
        loop {
            self.ticks.tick().await;
            let now = self.publications.look(&self.app, &self.slug).await?;
            if self.seen.replace(now.clone()).is_none_or(|before| before != now) {
                return Some(());
            }
        }
    }
}

/// A topic: `negotiation:ID`, `transfer:ID` or `agreement:ID`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Topic {
    whole: String,
    /// An agreement's page also follows the transfers under it.
    agreement: Option<String>,
}

impl Topic {
    fn parse(text: &str) -> Option<Self> {
        let (kind, id) = text.split_once(':')?;
        if id.is_empty() || id.chars().count() > FOREIGN_ID_MAX_CHARS || !matches!(kind, "negotiation" | "transfer" | "agreement") {
            return None;
        }
        Some(Self { whole: text.to_owned(), agreement: (kind == "agreement").then(|| id.to_owned()) })
    }

    fn concerns(&self, slug: &Slug, event: &Event) -> bool {
        let under = |id: &String| event.detail.get("agreement").and_then(serde_json::Value::as_str) == Some(id);
        event.participant == *slug && (event.topic == self.whole || self.agreement.as_ref().is_some_and(under))
    }
}

struct Following {
    events: broadcast::Receiver<Arc<Event>>,
    topic: Topic,
    slug: Slug,
    _place: SemaphorePermit<'static>,
}

impl Source for Following {
    /// Waits for an event of the topic; `None` when there will be none any more.
    async fn next(&mut self) -> Option<()> {
        loop {
            match self.events.recv().await {
                Ok(event) if self.topic.concerns(&self.slug, &event) => return Some(()),
                Ok(_) => {}
                // Some were missed, perhaps one of ours: reading the page again does no harm.
                Err(broadcast::error::RecvError::Lagged(_)) => return Some(()),
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

/// The stream.
pub async fn follow(State(app): State<App>, room: Room, Query(asked): Query<Asked>) -> Result<Response, Failure> {
    let place = STREAMS
        .try_acquire()
        .map_err(|_| Error::new(Code::Unavailable, "Too many pages are being followed. They reload by themselves."))?;
    if let Some(publications) = Publications::parse(&asked.topic) {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (slug, seen) = (room.participant.slug, None);
        let watching = Watching { app: app.clone(), slug, publications, ticks, seen, _place: place };
        return Ok(events(&app, watching));
    }
    let topic = Topic::parse(&asked.topic).ok_or_else(|| Error::invalid("There are no events of that topic."))?;
    let following = Following { events: app.store.subscribe(), topic, slug: room.participant.slug, _place: place };
    Ok(events(&app, following))
}

/// A stream with an event whenever its source has one, until it has none, its life is over or the node stops.
fn events<T: Source>(app: &App, source: T) -> Response {
    let stopping = app.stopping.clone();
    let over = tokio::time::Instant::now() + LIFE;
    let events = stream::unfold(source, move |mut source| {
        let stopping = stopping.clone();
        async move {
            tokio::select! {
                () = stopping.cancelled() => None,
                () = tokio::time::sleep_until(over) => None,
                next = source.next() => next.map(|()| (Ok::<_, Infallible>(sse::Event::default().data("changed")), source)),
            }
        }
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fondaco_core::time::Timestamp;
    use serde_json::json;

    fn event(participant: &str, topic: &str, detail: serde_json::Value) -> Event {
        let participant = Slug::parse(participant).expect("slug");
        let (kind, actor, text) = (String::new(), String::new(), String::new());
        Event { id: 1, participant, topic: topic.into(), kind, actor, text, detail, at: Timestamp::default() }
    }

    #[test]
    fn topics_are_of_three_kinds() {
        for good in ["negotiation:neg_1", "transfer:trf_1", "agreement:urn:x:1"] {
            assert!(Topic::parse(good).is_some(), "{good}");
        }
        for bad in ["", "negotiation", "negotiation:", "node:x", "*", &format!("transfer:{}", "x".repeat(513))] {
            assert!(Topic::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn only_the_topic_of_the_participant_concerns() {
        let slug = Slug::parse("acme").expect("slug");
        let agreement = Topic::parse("agreement:agr_1").expect("topic");
        assert!(agreement.concerns(&slug, &event("acme", "agreement:agr_1", json!({}))));
        assert!(agreement.concerns(&slug, &event("acme", "transfer:trf_1", json!({"agreement": "agr_1"}))));
        assert!(!agreement.concerns(&slug, &event("acme", "transfer:trf_1", json!({"agreement": "agr_2"}))));
        assert!(!agreement.concerns(&slug, &event("other", "agreement:agr_1", json!({}))));
        let negotiation = Topic::parse("negotiation:neg_1").expect("topic");
        assert!(!negotiation.concerns(&slug, &event("acme", "agreement:agr_1", json!({"negotiation": "neg_1"}))));
    }
}
