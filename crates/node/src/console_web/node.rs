//! `GET /p/{slug}/node`: whether the node is well.

use super::{
    answer::{self, Answer},
    guard::Room,
    words,
};
use crate::app::{App, views::Outbox};
use axum::extract::State;
use fondaco_console::{
    Text,
    format::Count,
    pages::{Check, JobQueue, NodePage},
};
use fondaco_core::time::{Micros, Timestamp};

/// A job that waits longer than this has a reason somebody should look at: back-off ends at five minutes.
const WAITING_TOO_LONG: Micros = Micros::from_secs(15 * 60);

/// The page.
pub async fn show(State(app): State<App>, room: Room) -> Answer {
    let (outbox, now) = (app.outbox().await?, app.now());
    let url = app.config.public.url.as_str().trim_end_matches('/').to_owned();
    answer::html(&NodePage {
        layout: room.layout,
        checks: vec![database_check(), address_check(&url, app.config.is_loopback()), jobs_check(&outbox, now)],
        public_url: url,
        database: database(&app.config.database.url).to_owned(),
        started: words::when(app.started_at),
        uptime: words::span(now.since(app.started_at)),
        participants: Count(outbox.participants),
        jobs: JobQueue {
            due: Count(outbox.due),
            retrying: Count(outbox.retrying),
            // Nothing is given up in silence: a message that cannot be sent ends its negotiation or transfer.
            failed: Count(0),
            oldest: outbox.oldest.map(words::when),
        },
    })
}

/// What the database is; never where, which may hold a password.
fn database(url: &str) -> &'static str {
    if url.starts_with("postgres") { "PostgreSQL" } else { "SQLite" }
}

fn check(name: &'static str, ok: bool, detail: Text) -> Check {
    Check { name: Text::say(name), ok, detail }
}

/// This page was just read from it.
fn database_check() -> Check {
    check("node-check-database", true, Text::say("node-check-database-ok"))
}

fn address_check(url: &str, loopback: bool) -> Check {
    let detail = match (loopback, url.starts_with("https://")) {
        (true, _) => "node-check-address-local",
        (false, true) => "node-check-address-tls",
        (false, false) => "node-check-address-plain",
    };
    check("node-check-address", loopback || url.starts_with("https://"), Text::say(detail))
}

fn jobs_check(outbox: &Outbox, now: Timestamp) -> Check {
    let late = outbox.oldest.map(|at| now.since(at)).filter(|waited| *waited > WAITING_TOO_LONG && outbox.retrying > 0);
    match late {
        Some(waited) => check("node-check-jobs", false, Text::say("node-check-jobs-late").with("for", words::span(waited).text())),
        None => check("node-check-jobs", true, Text::say("node-check-jobs-ok")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_named_without_its_address() {
        assert_eq!(database("postgres://user:hunter2@db/fondaco"), "PostgreSQL");
        assert_eq!(database("sqlite:fondaco.db"), "SQLite");
    }

    #[test]
    fn what_is_not_well_says_so() {
        assert!(address_check("http://127.0.0.1:7400", true).ok && address_check("https://zone.example", false).ok);
        assert!(!address_check("http://zone.example", false).ok);
        let now = Timestamp::from_micros(1_000_000_000_000);
        let waits = |seconds: i64, retrying| Outbox { retrying, oldest: Some(now.plus(Micros::from_secs(-seconds))), ..Outbox::default() };
        assert!(jobs_check(&Outbox::default(), now).ok);
        assert!(jobs_check(&waits(60, 3), now).ok);
        assert!(jobs_check(&waits(3_600, 0), now).ok, "a decision that is meant to be late");
        assert!(!jobs_check(&waits(3_600, 1), now).ok);
    }
}
