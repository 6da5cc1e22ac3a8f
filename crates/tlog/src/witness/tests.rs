//! A witness is asked in every wrong way; the cases follow the specification's text and what other witnesses test.

use super::*;
use crate::{
    note::{KeyName, SigningKey},
    prove,
    tree::tests::Tiles,
};

const ORIGIN: &str = "log.example/a";

fn name(text: &str) -> KeyName {
    KeyName::parse(text).expect("a name")
}

fn log_key(seed: u8) -> SigningKey {
    SigningKey::from_seed(name(ORIGIN), &[seed; 32]).expect("a key")
}

fn witness() -> CosigningKey {
    CosigningKey::from_seed(name("witness.example"), &[99; 32]).expect("a key")
}

fn trusted() -> TrustedLog {
    TrustedLog { origin: ORIGIN.into(), keys: vec![log_key(1).verifier().clone(), log_key(2).verifier().clone()] }
}

fn tree(size: u64) -> (Tiles, Checkpoint) {
    let (tiles, edge) = Tiles::of(size);
    (tiles, Checkpoint::new(ORIGIN, size, edge.root()).expect("good"))
}

fn state(size: u64) -> Option<State> {
    (size > 0).then(|| State { size, root: tree(size).1.root, time: 1000 })
}

/// A right request from `old` to `new`.
fn request(old: u64, new: u64) -> Request {
    let (tiles, checkpoint) = tree(new);
    let proof = prove::consistency(old, new, |a| tiles.read(a)).expect("there");
    Request::new(old, proof, checkpoint.sign(&log_key(1)).expect("signs")).expect("good")
}

fn refused(last: Option<State>, request: &Request) -> Refusal {
    decide(last.as_ref(), request, Some(&trusted()), 1000).expect_err("refused")
}

#[test]
fn a_growing_log_is_cosigned() {
    let mut last = None;
    for size in [0, 0, 1, 2, 2, 7, 8, 300, 300, 1000] {
        let request = request(last.map_or(0, |l: State| l.size), size);
        assert_eq!(Request::parse(request.to_string().as_bytes()), Ok(request.clone()));
        let accepted = decide(last.as_ref(), &request, Some(&trusted()), 2000 + size).expect("cosigned");
        assert_eq!(accepted.state, State { size, root: request.checkpoint.root, time: 2000 + size });
        last = Some(accepted.state);
        let (lines, note) = accepted.cosign(&witness()).expect("signs");
        let cosignatures = parse_cosignatures(lines.as_bytes(), &request.note, &[witness().verifier().clone()]).expect("hold");
        assert_eq!(cosignatures.len(), 1);
        let keys = [log_key(1).verifier().clone(), witness().verifier().clone()];
        assert_eq!(note.verify(&keys).expect("both").len(), 2);
    }
}

#[test]
fn the_statuses_are_those_of_the_specification() {
    let good = request(10, 20);
    assert!(decide(state(10).as_ref(), &good, Some(&trusted()), 1000).is_ok());

    // 404: unknown log.
    assert_eq!(decide(None, &good, None, 1000).map(|_| ()), Err(Refusal::UnknownOrigin));
    let other = TrustedLog { origin: "log.example/b".into(), ..trusted() };
    assert_eq!(decide(None, &good, Some(&other), 1000).map(|_| ()), Err(Refusal::UnknownOrigin));

    // 403: no trusted key, or its signature does not hold.
    let unsigned = Request::new(10, good.proof.clone(), good.checkpoint.sign(&log_key(3)).expect("signs")).expect("good");
    assert_eq!(refused(state(10), &unsigned), Refusal::NotSigned(NoteError::NoKnownSignature));
    let mut signature = log_key(1).sign(&good.checkpoint.to_string());
    signature.bytes[0] ^= 1;
    let mut forged = good.clone();
    forged.note.add(signature).expect("room");
    assert_eq!(refused(state(10), &forged), Refusal::NotSigned(NoteError::BadSignature(ORIGIN.into())));
    let mut half = good.clone();
    half.note.add(Signature { bytes: vec![0; 64], ..log_key(2).sign("x\n") }).expect("room");
    assert!(matches!(refused(state(10), &half), Refusal::NotSigned(_)), "a second trusted key fails");

    // 400: old beyond the checkpoint.
    let backwards = Request { old: 21, ..good.clone() };
    assert_eq!(refused(state(21), &backwards), Refusal::OldBeyondCheckpoint);

    // 409: not from the last size, with the size to continue from.
    for (last, old, new) in [(0, 10, 20), (11, 10, 20), (9, 10, 20), (30, 10, 20), (30, 20, 20), (10, 0, 20)] {
        let refusal = refused(state(last), &request(old, new));
        assert_eq!(refusal, Refusal::WrongOld { last }, "{last} {old} {new}");
        assert_eq!((refusal.body(), refusal.content_type()), (format!("{last}\n"), SIZE_CONTENT_TYPE));
        assert_eq!(parse_size(refusal.body().as_bytes()), Some(last));
    }

    // 422: another root at the same size, a proof that does not hold or does not belong.
    let fork = Request { old: 20, proof: vec![], ..good.clone() };
    let last = State { root: tree(19).1.root, ..state(20).expect("some") };
    let refusal = refused(Some(last), &fork);
    assert!(refusal.proves_fork() && refusal.is_suspicious());
    assert_eq!(refusal, Refusal::OtherRoot);
    let wrong = Checkpoint { root: tree(3).1.root, ..tree(0).1 };
    let nothing = Request::new(0, vec![], wrong.sign(&log_key(1)).expect("signs")).expect("good");
    assert_eq!(refused(None, &nothing), Refusal::OtherRoot, "the empty tree has one root");
    for proof in [vec![], good.proof[1..].to_vec(), [&good.proof[..], &good.proof[..1]].concat()] {
        assert!(matches!(refused(state(10), &Request { proof, ..good.clone() }), Refusal::Inconsistent(_)));
    }
    for hash in 0..good.proof.len() {
        let mut bad = good.clone();
        bad.proof[hash].0[31] ^= 1;
        let refusal = refused(state(10), &bad);
        assert!(matches!(refusal, Refusal::Inconsistent(_)) && !refusal.proves_fork());
    }
    let from_nothing = Request { old: 0, ..good.clone() };
    assert!(matches!(refused(None, &from_nothing), Refusal::Inconsistent(_)), "a proof at old size 0");
    let same = Request { old: 20, ..good.clone() };
    assert!(matches!(refused(state(20), &same), Refusal::Inconsistent(_)), "a proof at equal sizes");

    // 503: never dated before the last one.
    let last = State { time: 1001, ..state(10).expect("some") };
    assert_eq!(refused(Some(last), &good), Refusal::ClockBehind);

    let malformed = Refusal::from(Request::parse(b"").expect_err("malformed"));
    let statuses = [malformed, Refusal::OldBeyondCheckpoint, Refusal::UnknownOrigin, Refusal::NotSigned(NoteError::NoKnownSignature)];
    assert_eq!(statuses.each_ref().map(Refusal::status), [400, 400, 404, 403]);
    assert_eq!(
        [refusal, Refusal::OtherRoot, Refusal::WrongOld { last: 0 }, Refusal::ClockBehind].map(|r| r.status()),
        [422, 422, 409, 503]
    );
}

#[test]
fn malformed_requests_are_refused() {
    let good = request(10, 20).to_string();
    let hash = tree(1).1.root.to_string();
    let (head, note) = good.split_once("\n\n").expect("has both");
    assert!(Request::parse(good.as_bytes()).is_ok());
    let bad = [
        String::new(),
        "\n".into(),
        "old".into(),
        "old 10".into(),
        good.replace("old 10", "old 010"),
        good.replace("old 10", "old +10"),
        good.replace("old 10", "old -10"),
        good.replace("old 10", "old  10"),
        good.replace("old 10", "old 10 "),
        good.replace("old 10", "Old 10"),
        good.replace("old 10", "old"),
        good.replace("old 10", "old ten"),
        good.replace("old 10", "10"),
        good.replace("old 10", "old 18446744073709551616"),
        good.replacen('\n', "\r\n", 1),
        good.replacen("\n\n", "\n", 1),
        good.replacen("\n\n", "\n\n\n", 1),
        good.replacen("old 10\n", "", 1),
        format!("\n{good}"),
        format!("{head}\n{}\n\n{note}", &hash[..43]),
        format!("{head}\n{hash} \n\n{note}"),
        format!("{head}\nAAAA\n\n{note}"),
        format!("{head}\n{}\n\n{note}", hash.replace('=', "")),
        format!("{head}\n{hash}{hash}\n\n{note}"),
        format!("old 10\n{}\n{note}", format!("{hash}\n").repeat(64)),
        format!("{head}\n\n"),
        format!("{head}\n\n{}", note.trim_end()),
        format!("{head}\n\n{}", note.replacen("\n20\n", "\n020\n", 1)),
        format!("{head}\n\n{}", note.replacen("\n20\n", "\n+20\n", 1)),
        format!("{head}\n\n{}", note.replacen("\n\n", "\n", 1)),
        format!("{head}\n\n{}", note.replacen("\u{2014} ", "", 1)),
        format!("{good}{}", "x".repeat(REQUEST_BYTES_MAX)),
    ];
    for body in bad {
        assert!(Request::parse(body.as_bytes()).is_err(), "{body:?}");
    }
    let mut binary = good.clone().into_bytes();
    binary[20] = 0xff;
    assert!(Request::parse(&binary).is_err());
    let most = format!("old 10\n{}\n{note}", format!("{hash}\n").repeat(63));
    assert_eq!(Request::parse(most.as_bytes()).map(|r| r.proof.len()), Ok(63));
    assert!(Request::new(1, vec![empty_root(); 64], request(10, 20).note).is_err());
}

#[test]
fn every_flipped_bit_of_a_request_is_refused_or_ignored_by_the_rules() {
    let (good, last) = (request(5, 7), state(5));
    let body = good.to_string();
    for at in 0..body.len() {
        for bit in 0..8 {
            let mut bytes = body.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            if let Ok(request) = Request::parse(&bytes) {
                assert!(decide(last.as_ref(), &request, Some(&trusted()), 1000).is_err(), "byte {at} bit {bit}");
            }
        }
    }
}

#[test]
fn answers_of_witnesses_are_checked() {
    let request = request(0, 3);
    let key = witness().verifier().clone();
    let good = witness().sign(&request.checkpoint, 5).expect("a time").to_string();
    let other = CosigningKey::from_seed(name("other.example"), &[98; 32]).expect("a key").sign(&request.checkpoint, 5).expect("a time");
    let read = |body: &str| parse_cosignatures(body.as_bytes(), &request.note, std::slice::from_ref(&key));
    assert_eq!(read(&good).map(|s| s.len()), Ok(1));
    assert_eq!(read(&format!("{other}{good}{good}")).map(|s| s.len()), Ok(1), "unknown keys are ignored, doubles dropped");
    assert_eq!(read(&other.to_string()), Err(NoteError::NoKnownSignature));
    let elsewhere = witness().sign(&tree(4).1, 5).expect("a time").to_string();
    assert!(matches!(read(&elsewhere), Err(NoteError::BadSignature(_))));
    assert!(matches!(read(&format!("{good}{elsewhere}")), Err(NoteError::BadSignature(_))));
    for bad in ["", "\n", good.trim_end(), &format!("\n{good}"), &format!("{good}\n"), "ok\n", &good.repeat(65)] {
        assert!(read(bad).is_err(), "{bad:?}");
    }
    for bad in ["", "\n", "12", "012\n", "+1\n", "-1\n", " 1\n", "1\r\n", "1\n1\n", "1\n\n", "9223372036854775808\n", &"1".repeat(1000)] {
        assert_eq!(parse_size(bad.as_bytes()), None, "{bad:?}");
    }
    assert_eq!(parse_size(b"9223372036854775807\n"), Some(crate::SIZE_MAX));
}

#[test]
fn monitors_find_a_log_by_the_hash_of_its_origin() {
    assert_eq!(monitoring_path(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/checkpoint");
}

#[test]
fn requests_that_race_do_not_roll_back() {
    // Both were made for the same state; the second one that is decided sees what the first one left.
    let (a, b) = (request(5, 6), request(5, 9));
    let last = state(5);
    let after_b = decide(last.as_ref(), &b, Some(&trusted()), 1000).expect("cosigned").state;
    assert_eq!(refused(Some(after_b), &a), Refusal::WrongOld { last: 9 });
}
