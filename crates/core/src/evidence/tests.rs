//! Leaves as they are stored and hashed: a golden file for every kind, and what a commitment hides.

use super::*;
use crate::entropy::SeededEntropy;
use serde_json::json;

fn event(kind: Kind) -> Event {
    let document = match kind {
        Kind::Agreement => json!({"@id": "agr_1", "@type": "Agreement", "target": "flights"}),
        kind => json!({"what": kind.as_str(), "count": 3}),
    };
    Event {
        kind,
        at: Timestamp::from_micros(1_795_000_000_123_456),
        own: "did:web:p.example".into(),
        peer: (!matches!(kind, Kind::KeyChange | Kind::Administration | Kind::ProductPublished | Kind::ProductWithdrawn | Kind::OfferMade))
            .then(|| "did:web:c.example".into()),
        object: "agr_1".into(),
        document,
    }
}

fn opening<'a>(event: &'a Event, record: &'a Record) -> Opening<'a> {
    let Event { own, peer, object, .. } = event;
    Opening { own, peer: peer.as_deref(), object, document: &record.document, secret: &record.secret }
}

/// One file per kind: what a leaf looks like must not change, because logs cannot.
#[test]
fn every_kind_has_its_golden_leaf() {
    for kind in Kind::ALL {
        let record = record_with(event(*kind), [7; SECRET_BYTES]).expect("a leaf");
        let path = format!("{}/src/evidence/golden/{}.json", env!("CARGO_MANIFEST_DIR"), kind.as_str());
        let text = format!("{}\n{}\n", record.entry, record.document);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &text).expect("written");
        }
        assert_eq!(std::fs::read_to_string(&path).expect(&path), text, "{path}");
    }
    let files = std::fs::read_dir(format!("{}/src/evidence/golden", env!("CARGO_MANIFEST_DIR"))).expect("folder").count();
    assert_eq!(files, Kind::ALL.len());
}

#[test]
fn a_leaf_names_nobody_and_opens_with_its_secret() {
    for kind in Kind::ALL {
        let event = event(*kind);
        let record = record(event.clone(), &SeededEntropy::new(3)).expect("a leaf");
        assert!(record.entry.len() <= LEAF_MAX_BYTES);
        for text in ["example", "agr_1", "flights", "count"] {
            assert!(!record.entry.contains(text), "{text} in {}", record.entry);
        }
        let leaf = Leaf::read(record.entry.as_bytes()).expect("reads");
        leaf.check(opening(&event, &record)).expect("opens");
    }
}

#[test]
fn nothing_else_opens_a_leaf() {
    let event = event(Kind::Usage);
    let record = record(event.clone(), &SeededEntropy::new(3)).expect("a leaf");
    let leaf = Leaf::read(record.entry.as_bytes()).expect("reads");
    let right = opening(&event, &record);
    assert!(leaf.check(Opening { own: "did:web:c.example", ..right }).is_err());
    assert!(leaf.check(Opening { peer: None, ..right }).is_err());
    assert!(leaf.check(Opening { peer: Some("did:web:p.example"), ..right }).is_err());
    assert!(leaf.check(Opening { object: "agr_2", ..right }).is_err());
    assert!(leaf.check(Opening { document: "{}", ..right }).is_err());
    let mut secret = record.secret;
    for byte in 0..SECRET_BYTES {
        secret[byte] ^= 1;
        assert!(leaf.check(Opening { secret: &secret, ..right }).is_err());
        secret[byte] ^= 1;
    }
}

#[test]
fn an_agreement_has_one_hash_and_anything_else_its_own() {
    let [a, b] = [1, 2].map(|seed| record(event(Kind::Agreement), &SeededEntropy::new(seed)).expect("a leaf"));
    let [a_leaf, b_leaf] = [&a, &b].map(|r| Leaf::read(r.entry.as_bytes()).expect("reads"));
    assert_eq!(a_leaf.document, b_leaf.document);
    assert_eq!(a_leaf.document, canonical::digest(&event(Kind::Agreement).document).expect("a digest"));
    assert!(a_leaf.own != b_leaf.own && a_leaf.object != b_leaf.object);
    let [a, b] = [1, 2].map(|seed| record(event(Kind::Usage), &SeededEntropy::new(seed)).expect("a leaf"));
    let [a_leaf, b_leaf] = [&a, &b].map(|r| Leaf::read(r.entry.as_bytes()).expect("reads"));
    assert!(a_leaf.document != b_leaf.document);
}

#[test]
fn fields_are_told_apart() {
    let secret = [9; SECRET_BYTES];
    assert_ne!(salt("own", &secret), salt("peer", &secret));
    let salt = [1; 32];
    assert_ne!(commitment("own", &salt, "x"), commitment("peer", &salt, "x"));
}

#[test]
fn what_is_no_leaf_is_refused() {
    let record = record_with(event(Kind::Usage), [7; SECRET_BYTES]).expect("a leaf");
    let long = " ".repeat(LEAF_MAX_BYTES + 1);
    for text in [
        "",
        "{}",
        "null",
        long.as_str(),
        &format!(" {}", record.entry),
        &record.entry.replace("leaf/1", "leaf/2"),
        &record.entry.replace("\"usage\"", "\"something\""),
        &record.entry.replacen('{', "{\"more\":1,", 1),
        &record.entry[..record.entry.len() - 1],
    ] {
        assert!(Leaf::read(text.as_bytes()).is_err(), "{text}");
    }
    for document in [json!([]), json!({"salt": "mine"}), json!({"x": "x".repeat(DOCUMENT_MAX_BYTES)})] {
        assert!(record_with(Event { document, ..event(Kind::Usage) }, [7; SECRET_BYTES]).is_err());
    }
}
