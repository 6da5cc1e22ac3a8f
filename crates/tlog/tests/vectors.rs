//! The test vectors of transparency-dev/merkle (see testdata/README.md): proofs that hold, and the same ones spoiled.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use fondaco_tlog::{Hash, leaf_hash, verify};
use serde_json::Value;

fn hash(value: &Value) -> Option<Hash> {
    let bytes = BASE64_STANDARD.decode(value.as_str()?).ok()?;
    // Where a hash does not matter, the vectors have words: distinct ones. No bytes at all is no hash.
    Hash::from_slice(&bytes).or_else(|| (!bytes.is_empty()).then(|| leaf_hash(&bytes)))
}

fn vectors(kind: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../testdata/merkle-vectors.json")).expect("JSON");
    all[kind].as_array().expect("a list").clone()
}

fn check(case: &Value, holds: impl FnOnce(&[Hash]) -> Option<bool>) {
    let proof: Option<Vec<Hash>> = case["proof"].as_array().map_or(Some(Vec::new()), |all| all.iter().map(hash).collect());
    let holds = proof.and_then(|proof| holds(&proof)).unwrap_or(false);
    assert_eq!(holds, !case["wantErr"].as_bool().expect("said"), "{case}");
}

#[test]
fn inclusion_proofs() {
    let cases = vectors("inclusion");
    assert_eq!(cases.len(), 98);
    for case in cases {
        check(&case, |proof| {
            let (leaf, root) = (hash(&case["leafHash"])?, hash(&case["root"])?);
            Some(verify::inclusion(&leaf, case["leafIdx"].as_u64()?, case["treeSize"].as_u64()?, proof, &root).is_ok())
        });
    }
}

#[test]
fn consistency_proofs() {
    let cases = vectors("consistency");
    assert_eq!(cases.len(), 97);
    for case in cases {
        check(&case, |proof| {
            let (old, new) = (hash(&case["root1"])?, hash(&case["root2"])?);
            Some(verify::consistency(case["size1"].as_u64()?, &old, case["size2"].as_u64()?, &new, proof).is_ok())
        });
    }
}
