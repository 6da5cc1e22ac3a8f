//! Every event in every phase from either side, and what time does.

use super::*;
use proptest::prelude::*;
use serde_json::json;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const DAY: Micros = Micros::from_secs(86_400);

fn days(n: i64) -> Timestamp {
    NOW.plus(Micros(DAY.0 * n))
}

/// Terms with a day's notice that expire in ten days.
fn terms() -> LifeTerms {
    LifeTerms { known: true, notice: NoticePeriod::parse("P1D"), expires_at: Some(days(10)) }
}

fn silent() -> LifeTerms {
    LifeTerms { known: true, notice: None, expires_at: None }
}

fn ending(by: Role) -> Life {
    Life { notice: Some(Notice { by, at: NOW, ends_at: days(1), reason: None }), ..Life::default() }
}

fn over(by: Option<Role>) -> Life {
    Life { over: Some(Over { at: NOW, by, reason: None }), ..Life::default() }
}

fn lives() -> Vec<(&'static str, Life)> {
    let stopped = Life { stop: Some(Stop { at: NOW, reason: "leak".into() }), ..Life::default() };
    vec![
        ("active", Life::default()),
        ("ending (consumer)", ending(Role::Consumer)),
        ("ending (provider)", ending(Role::Provider)),
        ("stopped", stopped),
        ("ended", over(Some(Role::Provider))),
        ("expired", over(None)),
    ]
}

fn told(kind: Kind) -> Told {
    let ends_at = (kind == Kind::Notice).then(|| days(1));
    let renewed_by = (kind == Kind::Renewed).then(|| "agr_2".to_owned());
    Told { sequence: 1, kind, at: NOW, notice_at: None, ends_at, reason: Some("why".into()), renewed_by }
}

/// What a message leads to: the phase, `=` where nothing happens, or the code of the refusal.
fn outcome(life: &Life, message: &Told, from: Role, terms: &LifeTerms, now: Timestamp) -> String {
    match life.clone().receive(message, from, terms, now) {
        Err(e) => e.code().as_str().to_owned(),
        Ok((after, happened)) if happened.is_empty() => {
            assert_eq!(Life { heard: life.heard, ..after.clone() }, *life, "nothing happened, nothing changed");
            assert_eq!(after.heard, message.sequence.max(life.heard));
            "=".to_owned()
        }
        Ok((after, _)) => after.phase().as_str().to_owned(),
    }
}

#[test]
fn every_event_in_every_phase_from_either_side() {
    // As it is written in docs/agreements.md. Rows: the phase; columns: notice, ended, stopped, resumed, expired, renewed.
    const NO: &str = "FDC-3001";
    let table: [(&str, Role, [&str; 6]); 12] = [
        ("active", Role::Provider, ["ending", NO, "stopped", "=", NO, NO]),
        ("active", Role::Consumer, ["ending", NO, NO, NO, NO, "active"]),
        ("ending (consumer)", Role::Provider, ["ending", NO, "stopped", "=", NO, NO]),
        ("ending (consumer)", Role::Consumer, ["ending", NO, NO, NO, NO, "ending"]),
        ("ending (provider)", Role::Provider, ["ending", NO, "stopped", "=", NO, NO]),
        ("ending (provider)", Role::Consumer, ["ending", NO, NO, NO, NO, "ending"]),
        ("stopped", Role::Provider, ["stopped", NO, "stopped", "active", NO, NO]),
        ("stopped", Role::Consumer, ["stopped", NO, NO, NO, NO, "stopped"]),
        ("ended", Role::Provider, ["=", "=", "=", "=", "=", NO]),
        ("ended", Role::Consumer, ["=", "=", NO, NO, NO, "ended"]),
        ("expired", Role::Provider, ["=", "=", "=", "=", "=", NO]),
        ("expired", Role::Consumer, ["=", "=", NO, NO, NO, "expired"]),
    ];
    let lives = lives();
    for (name, from, expected) in table {
        let life = &lives.iter().find(|(n, _)| *n == name).expect("a life").1;
        let got = Kind::ALL.map(|kind| outcome(life, &told(kind), from, &terms(), NOW));
        assert_eq!(got, expected, "{name}, told by the {}", from.as_str());
        // The same again, and anything told before it, changes nothing.
        for kind in Kind::ALL {
            let later = Life { heard: 7, ..life.clone() };
            let again = outcome(&later, &Told { sequence: 7, ..told(kind) }, from, &terms(), NOW);
            assert!(["=", NO].contains(&again.as_str()), "{name} {kind:?}: {again}");
        }
    }
}

#[test]
fn silent_terms_let_nobody_end_it_and_say_what_one_can_do() {
    for role in [Role::Provider, Role::Consumer] {
        let e = Life::default().act(Own::End { reason: None }, role, &silent(), NOW).expect_err("refused");
        assert_eq!(e.code(), Code::EndNotAgreed);
        assert!(e.message().contains(if role == Role::Provider { "agreement stop" } else { "transfer end" }), "{e}");
        for kind in [Kind::Notice, Kind::Ended] {
            assert_eq!(outcome(&Life::default(), &told(kind), role, &silent(), NOW), "FDC-3009");
        }
    }
    assert_eq!(outcome(&Life::default(), &told(Kind::Expired), Role::Provider, &silent(), NOW), "FDC-3001");
}

#[test]
fn a_notice_cannot_be_shorter_than_agreed_nor_dated_back() {
    let notice = |at: Timestamp, ends_at: Timestamp| Told { at, ends_at: Some(ends_at), ..told(Kind::Notice) };
    let hours = |n: i64| NOW.plus(Micros::from_secs(3_600 * n));
    for (message, expected) in [
        (notice(NOW, days(1)), "ending"),
        (notice(NOW, Timestamp::from_micros(days(1).as_micros() - 1)), "FDC-3001"),
        (notice(hours(-24), NOW), "ended"),
        (notice(hours(-26), hours(-2)), "FDC-3001"),
        (notice(hours(1), days(2)), "FDC-3001"),
        (Told { ends_at: None, ..told(Kind::Notice) }, "FDC-1001"),
        // An end without the notice before it needs one that would have been good.
        (Told { notice_at: Some(hours(-24)), ..told(Kind::Ended) }, "ended"),
        (Told { notice_at: Some(hours(-23)), ..told(Kind::Ended) }, "FDC-3001"),
        (Told { notice_at: Some(hours(-48)), ..told(Kind::Ended) }, "FDC-3001"),
    ] {
        for from in [Role::Provider, Role::Consumer] {
            assert_eq!(outcome(&Life::default(), &message, from, &terms(), NOW), expected, "{message:?}");
        }
    }
    let at_once = LifeTerms { notice: NoticePeriod::parse("P0D"), ..terms() };
    assert_eq!(outcome(&Life::default(), &told(Kind::Ended), Role::Consumer, &at_once, NOW), "ended");
}

#[test]
fn a_consumer_that_cannot_read_the_terms_believes_the_provider_who_enforces_them() {
    let unknown = LifeTerms { known: false, notice: None, expires_at: None };
    for (kind, phase) in [(Kind::Notice, "ending"), (Kind::Ended, "ended"), (Kind::Expired, "expired")] {
        assert_eq!(outcome(&Life::default(), &told(kind), Role::Provider, &unknown, NOW), phase);
    }
    assert_eq!(outcome(&Life::default(), &told(Kind::Notice), Role::Consumer, &unknown, NOW), "FDC-3009");
}

#[test]
fn notice_takes_effect_at_its_time_and_the_clock_alone_decides() {
    let (life, happened) = Life::default().act(Own::End { reason: Some("moved".into()) }, Role::Consumer, &terms(), NOW).expect("notice");
    assert_eq!((life.phase(), life.due_at(&terms())), (Phase::Ending, Some(days(1))));
    let told = happened[0].tell.clone().expect("told");
    assert_eq!((told.kind, told.ends_at, told.sequence), (Kind::Notice, Some(days(1)), 1));
    assert!(life.in_force(Timestamp::from_micros(days(1).as_micros() - 1)).is_ok());
    assert_eq!(life.in_force(days(1)).expect_err("over").code(), Code::AccessEnded, "whether or not anybody noted it");
    let (same, nothing) = life.clone().act(Own::Due, Role::Consumer, &terms(), NOW).expect("too early");
    assert_eq!((same, nothing), (life.clone(), Vec::new()));
    assert_eq!(life.clone().act(Own::End { reason: None }, Role::Consumer, &terms(), NOW).expect_err("again").code(), Code::Conflict);
    let (ended, happened) = life.act(Own::Due, Role::Consumer, &terms(), days(3)).expect("due");
    assert_eq!((ended.phase(), ended.due_at(&terms())), (Phase::Ended, None));
    assert_eq!((happened[0].at, happened[0].reason.as_deref()), (days(1), Some("moved")), "when it ended, not when it was noted");
    assert_eq!(happened[0].tell.as_ref().and_then(|t| t.notice_at), Some(NOW));
    let (again, nothing) = ended.clone().act(Own::Due, Role::Consumer, &terms(), days(4)).expect("idempotent");
    assert_eq!((again, nothing), (ended, Vec::new()));
}

#[test]
fn of_two_notices_the_sooner_end_counts_on_both_sides() {
    let (theirs, happened) =
        Life::default().act(Own::End { reason: None }, Role::Provider, &terms(), days(-1).plus(Micros(1))).expect("notice");
    let provider = happened[0].tell.clone().expect("told");
    let (ours, happened) = Life::default().act(Own::End { reason: None }, Role::Consumer, &terms(), NOW).expect("notice");
    let consumer = happened[0].tell.clone().expect("told");
    let (ours, _) = ours.receive(&provider, Role::Provider, &terms(), NOW).expect("heard");
    let (theirs, _) = theirs.receive(&consumer, Role::Consumer, &terms(), NOW).expect("heard");
    assert_eq!(ours.ends(&terms()), Some(NOW.plus(Micros(1))));
    assert_eq!(ours.notice, theirs.notice);
}

#[test]
fn it_expires_by_each_clock_and_the_provider_says_so() {
    for role in [Role::Provider, Role::Consumer] {
        let (life, happened) = Life::default().act(Own::Due, role, &terms(), days(10)).expect("due");
        assert_eq!(life.phase(), Phase::Expired);
        assert_eq!((happened[0].kind, happened[0].by, happened[0].tell.is_some()), (Kind::Expired, None, role == Role::Provider));
    }
}

#[test]
fn stops_of_the_agreement_and_of_its_product_are_two() {
    let stop = |reason: &str| Stop { at: NOW, reason: reason.into() };
    let act = |life: Life, own: Own| life.act(own, Role::Provider, &terms(), NOW).expect("possible");
    let told = |happened: &[Happened]| happened.iter().filter_map(|h| h.tell.as_ref().map(|t| t.kind)).collect::<Vec<_>>();
    let (life, h) = act(Life::default(), Own::Stop { reason: "leak".into() });
    assert_eq!((life.phase(), told(&h)), (Phase::Stopped, vec![Kind::Stopped]));
    assert_eq!(life.in_force(NOW).expect_err("stopped").code(), Code::Stopped);
    let (life, h) = act(life, Own::Product(Some(stop("recall"))));
    assert_eq!((life.phase(), told(&h)), (Phase::Stopped, vec![]));
    let (life, h) = act(life, Own::Resume);
    assert_eq!((life.phase(), told(&h)), (Phase::Stopped, vec![]), "the product is still stopped");
    let e = life.clone().act(Own::Resume, Role::Provider, &terms(), NOW).expect_err("not by the agreement");
    assert!(e.message().contains("product resume"), "{e}");
    let (life, h) = act(life, Own::Product(None));
    assert_eq!((life.phase(), told(&h)), (Phase::Active, vec![Kind::Resumed]));
    assert!(life.in_force(NOW).is_ok());
    for own in [Own::Stop { reason: "x".into() }, Own::Resume, Own::Product(None)] {
        assert_eq!(life.clone().act(own, Role::Consumer, &terms(), NOW).expect_err("the consumer cannot").code(), Code::Forbidden);
    }
}

#[test]
fn an_agreement_is_renewed_once() {
    let (life, happened) = Life { renew_at: Some(NOW), ..Life::default() }.renewed("agr_2", NOW).expect("renewed");
    assert_eq!((life.renewed_by.as_deref(), life.renew_at), (Some("agr_2"), None));
    assert_eq!(happened[0].tell.as_ref().and_then(|t| t.renewed_by.as_deref()), Some("agr_2"));
    assert_eq!(life.clone().renewed("agr_3", NOW).expect_err("once").code(), Code::Conflict);
    let other = Told { renewed_by: Some("agr_3".into()), ..told(Kind::Renewed) };
    assert_eq!(outcome(&Life { said: 0, ..life }, &other, Role::Consumer, &terms(), NOW), "FDC-3001");
}

#[test]
fn its_stored_form_is_stable() {
    let life = Life { said: 2, stop: Some(Stop { at: NOW, reason: "leak".into() }), ..ending(Role::Consumer) };
    let stored = json!({"notice": {"by": "consumer", "at": "2027-01-15T08:00:00Z", "endsAt": "2027-01-16T08:00:00Z"},
        "stop": {"at": "2027-01-15T08:00:00Z", "reason": "leak"}, "said": 2, "heard": 0});
    assert_eq!(json!(life), stored);
    assert_eq!(serde_json::from_value::<Life>(stored).expect("read"), life);
    assert_eq!(serde_json::from_value::<Life>(json!({})).expect("read"), Life::default());
}

proptest! {
    /// Whatever arrives in whatever order, as often as it likes: an agreement that is over stays over, it is never over
    /// sooner than the terms allow, and what was heard is heard once.
    #[test]
    fn no_order_of_messages_does_more_than_the_terms(
        messages in proptest::collection::vec((0..6usize, 1..8u64, -2..4i64, 0..4i64, any::<bool>()), 0..24),
    ) {
        let mut life = Life::default();
        for (kind, sequence, at, ends, provider) in messages {
            let from = if provider { Role::Provider } else { Role::Consumer };
            let kind = Kind::ALL[kind];
            let ends_at = (kind == Kind::Notice).then(|| days(at + ends));
            let message = Told { sequence, at: days(at), ends_at, ..told(kind) };
            let before = life.clone();
            if let Ok((after, happened)) = life.clone().receive(&message, from, &terms(), NOW) {
                if sequence <= before.heard {
                    prop_assert_eq!(&after, &before);
                }
                if before.over.is_some() {
                    prop_assert_eq!(&after.over, &before.over);
                }
                if after.over.is_some() && before.over.is_none() {
                    // A day's notice, said no longer ago than messages are tried.
                    prop_assert!(after.notice.as_ref().is_some_and(|n| n.ends_at.since(n.at) >= DAY && NOW.since(n.at) <= NOTICE_AGE_MAX));
                }
                prop_assert!(happened.iter().all(|h| h.tell.is_none() || h.kind == Kind::Expired));
                life = after;
            }
        }
    }
}
