//! `GET /p/{slug}/node`: whether the node is well, and what to do where it is not.

use super::{
    answer::{self, Answer},
    guard::{Room, SignedIn},
    shape::segment,
    words,
};
use crate::{
    app::{
        App,
        evidence::LogStatus,
        health::{ATTEMPTS_WORTH_A_WORD, DOUBT_OLD, Grade, Health, NAMED_MAX, WAITING_TOO_LONG, grade_backup, grade_free},
    },
    jobs,
};
use axum::extract::State;
use fondaco_console::{
    Text,
    format::{Bytes, Count},
    pages::{self, Check, Disk, JobQueue, NodePage, Verdict},
};
use fondaco_core::time::Timestamp;
use fondaco_store::inspect::FailingJob;

/// The page.
pub async fn show(State(app): State<App>, room: Room, signed_in: SignedIn) -> Answer {
    let (health, now) = (app.health(&room.participant.slug).await?, app.now());
    let url = app.config.public.url.as_str().trim_end_matches('/').to_owned();
    let mut checks = vec![
        check("node-check-database", Verdict::Well, Text::say("node-check-database-ok")),
        address_check(&url, app.config.is_loopback()),
        jobs_check(&health, now),
    ];
    checks.extend(disk_check(&health));
    checks.push(backup_check(&health, now));
    checks.extend(log_checks(&health.log, now));
    checks.extend(feed_checks(&health, &room.base()));
    checks.extend(peer_checks(&health, &room.base()));
    checks.extend(connection_checks(&health, &room.base(), now));
    // The worst first; within one verdict as they are listed here.
    checks.sort_by_key(|check| match check.verdict {
        Verdict::Bad => 0,
        Verdict::Look => 1,
        Verdict::Well => 2,
    });
    let failing = health.failing.as_ref().map(|job| failing(job, &room, signed_in.person.user.admin));
    answer::html(&NodePage {
        layout: room.layout,
        checks,
        public_url: url,
        database: database(&app.config.database.url).to_owned(),
        database_size: Some(Bytes(health.database_bytes)),
        started: words::when(app.started_at),
        uptime: words::span(now.since(app.started_at)),
        participants: Count(health.participants),
        disk: health.disk.map(|disk| Disk { free: Bytes(disk.free), size: Bytes(disk.size), data: Bytes(disk.data) }),
        backup: health.last_backup.map(words::when),
        jobs: JobQueue { due: Count(health.due), retrying: Count(health.retrying), oldest: health.oldest.map(words::when), failing },
    })
}

/// What the database is; never where, which may hold a password.
fn database(url: &str) -> &'static str {
    if url.starts_with("postgres") { "PostgreSQL" } else { "SQLite" }
}

fn check(name: &'static str, verdict: Verdict, found: Text) -> Check {
    Check { name: Text::say(name), about: None, verdict, found, said: None, mend: None, href: None }
}

const fn verdict(grade: Grade) -> Verdict {
    match grade {
        Grade::Well => Verdict::Well,
        Grade::Look => Verdict::Look,
        Grade::Bad => Verdict::Bad,
    }
}

fn address_check(url: &str, loopback: bool) -> Check {
    let (verdict, found) = match (loopback, url.starts_with("https://")) {
        (true, _) => (Verdict::Well, "node-check-address-local"),
        (false, true) => (Verdict::Well, "node-check-address-tls"),
        (false, false) => (Verdict::Bad, "node-check-address-plain"),
    };
    let mend = (verdict == Verdict::Bad).then(|| Text::say("node-check-address-mend"));
    Check { mend, ..check("node-check-address", verdict, Text::say(found)) }
}

fn jobs_check(health: &Health, now: Timestamp) -> Check {
    let stuck = |job: &&FailingJob| now.since(job.created_at) > WAITING_TOO_LONG || job.attempts >= ATTEMPTS_WORTH_A_WORD;
    match health.failing.as_ref().filter(stuck) {
        Some(job) => Check {
            mend: Some(Text::say("node-check-jobs-mend")),
            ..check(
                "node-check-jobs",
                Verdict::Look,
                Text::say("node-check-jobs-late").with("for", words::span(now.since(job.created_at)).text()),
            )
        },
        None => check("node-check-jobs", Verdict::Well, Text::say("node-check-jobs-ok")),
    }
}

fn disk_check(health: &Health) -> Option<Check> {
    let free = health.disk?.free;
    let (grade, amount) = (grade_free(free), Bytes(free));
    Some(if grade == Grade::Well {
        check("node-check-disk", Verdict::Well, Text::say("node-check-disk-ok").with("free", amount))
    } else {
        Check {
            mend: Some(Text::say("node-check-disk-mend")),
            ..check("node-check-disk", verdict(grade), Text::say("node-check-disk-low").with("free", amount))
        }
    })
}

fn backup_check(health: &Health, now: Timestamp) -> Check {
    let ago = |key, at: Timestamp| Text::say(key).with("ago", words::span(now.since(at)).ago());
    let grade = grade_backup(health.last_backup, now);
    let found = match (health.last_backup, grade) {
        (Some(at), Grade::Well) => ago("node-check-backup-ok", at),
        (Some(at), _) => ago("node-check-backup-old", at),
        (None, _) => Text::say("node-check-backup-none"),
    };
    let mend = (grade != Grade::Well).then(|| Text::say("node-check-backup-mend"));
    Check { mend, ..check("node-check-backup", verdict(grade), found) }
}

/// The first problems by name and the rest by number; one line that all is well where there are none.
fn named(mut problems: Vec<Check>, well: impl FnOnce() -> Check) -> Vec<Check> {
    if problems.is_empty() {
        return vec![well()];
    }
    let more = problems.len().saturating_sub(NAMED_MAX as usize);
    problems.truncate(NAMED_MAX as usize);
    if let Some(last) = problems.last().filter(|_| more > 0) {
        let rest =
            Check { found: Text::say("node-check-more").with("n", more), about: None, said: None, mend: None, href: None, ..last.clone() };
        problems.push(rest);
    }
    problems
}

fn log_checks(log: &LogStatus, now: Timestamp) -> Vec<Check> {
    let told = |verdict, found: &'static str, mend: &'static str| Check {
        mend: Some(Text::say(mend)),
        ..check("node-check-log", verdict, Text::say(found))
    };
    let held = log
        .held
        .as_deref()
        .map(|why| Check { said: Some(Text::detail(why)), ..told(Verdict::Bad, "node-check-log-held", "node-check-log-held-mend") });
    let forked = log
        .witnessed
        .iter()
        .filter(|w| w.conflict.is_some())
        .map(|w| Check { about: Some(w.origin.clone()), ..told(Verdict::Bad, "node-check-log-forked", "node-check-log-forked-mend") });
    let is_old = |at: &str| Timestamp::parse(at).is_none_or(|at| now.since(at) > DOUBT_OLD);
    let doubtful = log
        .witnessed
        .iter()
        .filter(|w| w.conflict.is_none() && w.doubt_at.as_deref().is_some_and(is_old))
        .map(|w| Check { about: Some(w.origin.clone()), ..told(Verdict::Look, "node-check-log-doubt", "node-check-log-doubt-mend") });
    let silent = log.witnesses.iter().filter_map(|w| {
        let problem = w.problem.as_deref()?;
        let of = told(Verdict::Look, "node-check-log-witness", "node-check-log-witness-mend");
        Some(Check { about: Some(w.name.clone()), said: Some(Text::detail(problem)), ..of })
    });
    named(held.into_iter().chain(forked).chain(doubtful).chain(silent).collect(), || {
        let found = if log.witnesses.is_empty() { "node-check-log-alone" } else { "node-check-log-ok" };
        let found = Text::say(found).with("leaves", Count(log.size)).with("n", log.witnesses.len());
        check("node-check-log", Verdict::Well, found)
    })
}

fn feed_checks(health: &Health, base: &str) -> Vec<Check> {
    let problem = |feed: &fondaco_core::feed::Feed| Check {
        about: Some(feed.product.to_string()),
        said: feed.error.as_deref().map(Text::detail),
        mend: Some(Text::say("node-check-feed-mend").with("when", words::when(feed.next_at))),
        href: Some(format!("{base}/products/{}", segment(feed.product.as_str()))),
        ..check("node-check-feeds", Verdict::Look, Text::say("node-check-feed-failed").with("n", feed.failures))
    };
    named(health.feeds_failing.iter().map(problem).collect(), || {
        check("node-check-feeds", Verdict::Well, Text::say("node-check-feeds-ok").with("n", health.feeds))
    })
}

fn peer_checks(health: &Health, base: &str) -> Vec<Check> {
    let problem = |peer: &fondaco_store::PeerRow| {
        let said = peer.last_error.clone().or_else(|| peer.catalog_error.clone())?;
        Some(Check {
            about: Some(peer.name.clone().unwrap_or_else(|| peer.did.to_string())),
            said: Some(Text::detail(&said)),
            mend: Some(Text::say("node-check-peer-mend")),
            href: Some(format!("{base}/peers/{}", segment(peer.did.as_str()))),
            ..check("node-check-peers", Verdict::Look, Text::say("node-check-peer-failed"))
        })
    };
    named(health.peers.iter().filter_map(problem).collect(), || {
        check("node-check-peers", Verdict::Well, Text::say("node-check-peers-ok").with("n", health.peers.len()))
    })
}

fn connection_checks(health: &Health, base: &str, now: Timestamp) -> Vec<Check> {
    let problem = |connection: &fondaco_core::connection::Connection| {
        let last = connection.last_check.as_ref()?;
        let error = last.outcome.as_ref().err()?;
        let ago = words::span(now.since(last.at)).ago();
        Some(Check {
            about: Some(connection.name.clone()),
            said: Some(Text::detail(error.message())),
            mend: Some(Text::say("node-check-connection-mend")),
            href: Some(format!("{base}/connections/{}", segment(&connection.name))),
            ..check("node-check-connections", Verdict::Look, Text::say("node-check-connection-failed").with("ago", ago))
        })
    };
    let untried = health.connections.iter().filter(|c| c.last_check.is_none()).count();
    named(health.connections.iter().filter_map(problem).collect(), || {
        let found = match untried {
            0 => Text::say("node-check-connections-ok").with("n", health.connections.len()),
            n => Text::say("node-check-connections-untried").with("n", n),
        };
        check("node-check-connections", Verdict::Well, found)
    })
}

/// The job that has failed longest. What it is about, and what the other side said, is for its participant and for who
/// runs the node.
fn failing(job: &FailingJob, room: &Room, admin: bool) -> pages::FailingJob {
    let ours = job.participant == room.participant.slug.as_str();
    let of = |kind: &str| job.key.strip_suffix(":send").filter(|_| ours).map(|id| format!("{}/{kind}/{}", room.base(), segment(id)));
    let (what, href) = match job.kind.as_str() {
        jobs::NEGOTIATION_SEND => (Text::say("node-job-negotiation"), of("negotiations")),
        jobs::TRANSFER_SEND => (Text::say("node-job-transfer"), of("transfers")),
        kind => (Text::say("node-job-other").with("kind", kind), None),
    };
    pages::FailingJob {
        what,
        since: words::when(job.created_at),
        attempts: Count(job.attempts),
        error: (ours || admin).then(|| Text::detail(&job.error)),
        href,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::evidence::{WitnessStatus, WitnessedStatus};
    use fondaco_core::{
        participant::{Did, Slug},
        time::Micros,
    };
    use fondaco_store::PeerRow;

    fn health() -> Health {
        Health {
            participants: 1,
            database_bytes: 1,
            disk: None,
            last_backup: None,
            due: 0,
            retrying: 0,
            oldest: None,
            failing: None,
            feeds: 0,
            feeds_failing: Vec::new(),
            peers: Vec::new(),
            connections: Vec::new(),
            log: LogStatus::default(),
        }
    }

    fn job(now: Timestamp, seconds: i64, attempts: u64) -> FailingJob {
        FailingJob {
            participant: "acme".into(),
            kind: jobs::NEGOTIATION_SEND.into(),
            key: "neg_1:send".into(),
            attempts,
            error: "away".into(),
            created_at: now.plus(Micros::from_secs(-seconds)),
        }
    }

    #[test]
    fn the_database_is_named_without_its_address() {
        assert_eq!(database("postgres://user:hunter2@db/fondaco"), "PostgreSQL");
        assert_eq!(database("sqlite:fondaco.db"), "SQLite");
    }

    #[test]
    fn what_is_not_well_says_so_and_what_to_do() {
        assert_eq!(address_check("http://127.0.0.1:7400", true).verdict, Verdict::Well);
        assert_eq!(address_check("https://zone.example", false).verdict, Verdict::Well);
        let plain = address_check("http://zone.example", false);
        assert!(plain.verdict == Verdict::Bad && plain.mend.is_some());
        let now = Timestamp::from_micros(1_000_000_000_000_000);
        let jobs = |failing| jobs_check(&Health { failing, ..health() }, now).verdict;
        assert_eq!(jobs(None), Verdict::Well);
        assert_eq!(jobs(Some(job(now, 60, 2))), Verdict::Well, "it will be tried again");
        assert_eq!(jobs(Some(job(now, 60, ATTEMPTS_WORTH_A_WORD))), Verdict::Look);
        assert_eq!(jobs(Some(job(now, 3_600, 1))), Verdict::Look);
        assert_eq!(backup_check(&health(), now).verdict, Verdict::Look);
        let backup = Health { last_backup: Some(now.plus(Micros::from_secs(-60))), ..health() };
        assert_eq!(backup_check(&backup, now).verdict, Verdict::Well);
        let disk = |free| Health { disk: Some(crate::app::health::Disk { free, size: 1 << 40, data: 0 }), ..health() };
        assert_eq!(
            [0, 100 << 20, 100 << 30].map(|free| disk_check(&disk(free)).map(|c| c.verdict)),
            [Some(Verdict::Bad), Some(Verdict::Look), Some(Verdict::Well)]
        );
    }

    #[test]
    fn a_log_that_is_held_or_forked_is_told_first() {
        let now = Timestamp::from_micros(1_000_000_000_000_000);
        assert_eq!(log_checks(&LogStatus::default(), now)[0].verdict, Verdict::Well);
        let witness =
            |problem: Option<&str>| WitnessStatus { name: "zone".into(), problem: problem.map(str::to_owned), ..WitnessStatus::default() };
        let witnessed = |origin: &str, conflict: Option<&str>| WitnessedStatus {
            origin: origin.into(),
            conflict: conflict.map(str::to_owned),
            ..WitnessedStatus::default()
        };
        let doubted = |seconds: i64| WitnessedStatus {
            doubt: Some("a request".into()),
            doubt_at: Some(now.plus(Micros::from_secs(-seconds)).to_rfc3339()),
            ..witnessed("odd.example/log", None)
        };
        let log = LogStatus {
            held: Some("it was restored".into()),
            witnesses: vec![witness(None), witness(Some("it is away"))],
            witnessed: vec![
                witnessed("good.example/log", None),
                witnessed("bad.example/log", Some("a request")),
                doubted(30),
                doubted(3_600),
            ],
            ..LogStatus::default()
        };
        let checks = log_checks(&log, now);
        assert_eq!(checks.iter().map(|c| c.verdict).collect::<Vec<_>>(), [Verdict::Bad, Verdict::Bad, Verdict::Look, Verdict::Look]);
        assert_eq!(checks[1].about.as_deref(), Some("bad.example/log"));
        assert_eq!(checks[2].about.as_deref(), Some("odd.example/log"), "one that is not taken away within minutes");
        assert!(checks.iter().all(|c| c.mend.is_some()));
    }

    #[test]
    fn many_problems_of_one_sort_are_counted() {
        let peer = |i: u32| PeerRow {
            participant: Slug::parse("acme").expect("slug"),
            did: Did::parse(&format!("did:web:p{i}.example")).expect("did"),
            name: None,
            address: None,
            last_ok_at: None,
            last_error: Some("away".into()),
            catalog_read_at: None,
            catalog_error: None,
        };
        let checks = peer_checks(&Health { peers: (0..NAMED_MAX + 3).map(peer).collect(), ..health() }, "/p/acme");
        assert_eq!(checks.len(), NAMED_MAX as usize + 1);
        assert_eq!(checks.last().map(|c| c.found.to_string()).as_deref(), Some("3 more have the same trouble."));
        assert_eq!(checks[0].href.as_deref(), Some("/p/acme/peers/did%3Aweb%3Ap0.example"));
        let well = peer_checks(&health(), "/p/acme");
        assert_eq!((well.len(), well[0].verdict), (1, Verdict::Well));
    }
}
