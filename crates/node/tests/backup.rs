//! Backups: taken while deals are made, whole or refused, and a node again when restored.

mod operator_support;

use fondaco_core::{
    agreement::Agreement,
    entropy::{Entropy, SeededEntropy},
    negotiation::Role,
    time::Timestamp,
};
use fondaco_node::{
    backup::{MakeOptions, RestoreOptions, make, restore, verify},
    config::Config,
    node::open_app,
};
use fondaco_store::{AgreementFilter, StoreError, inspect::inspect};
use fondaco_testkit::TestPair;
use operator_support::{Fixture, Serving, done, fondaco, json, refused};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, HashMap},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

fn text(path: &Path) -> &str {
    path.to_str().expect("utf-8")
}

/// Every file below a folder, with its hash. SQLite's own side files come and go with its readers.
fn contents(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("folder") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if !text(&path).ends_with("-wal") && !text(&path).ends_with("-shm") {
                found.insert(
                    path.strip_prefix(dir).expect("below").to_owned(),
                    hex::encode(Sha256::digest(std::fs::read(&path).expect("file"))),
                );
            }
        }
    }
    found
}

/// Backs up a folder without a word to the node: in memory.
fn packed(dir: &Path) -> Vec<u8> {
    let mut out = Vec::new();
    let options = MakeOptions { config: Config::load_with(dir, &HashMap::new()).expect("config"), allow_missing: false, now: NOW };
    make(&options, &mut out, &mut |_| {}).expect("a backup");
    out
}

fn unpacked(file: &Path, dir: &Path) -> fondaco_core::Result<fondaco_node::backup::Restored> {
    let options = RestoreOptions { file: file.to_owned(), dir: dir.to_owned(), database: None, env: HashMap::new(), now: NOW };
    restore(&options, &mut |_| {})
}

/// What a restored node must hold: every agreement of its provider is about a product that is there with its files,
/// and its digest is that of its document. Gives how many agreements.
async fn sound(dir: &Path) -> usize {
    let config = Config::load_with(dir, &HashMap::new()).expect("config");
    let (url, data) = (config.database_url(), config.data_dir());
    let state = tokio::task::spawn_blocking(move || inspect(&url)).await.expect("ran").expect("looks");
    assert!(state.damage.is_empty(), "{:?}", state.damage);
    for file in &state.files {
        let bytes = std::fs::read(data.join(&file.path)).unwrap_or_else(|e| panic!("{}: {e}", file.path));
        assert_eq!((bytes.len() as u64, hex::encode(Sha256::digest(&bytes))), (file.size_bytes, file.sha256.clone()));
    }
    let app = open_app(config).await.expect("opens");
    let checked = app.store.read("check", |tx| -> Result<usize, StoreError> {
        let mut checked = 0;
        for participant in tx.participant_list(None, 100)? {
            let slug = participant.slug;
            for row in tx
                .agreement_list(&slug, &AgreementFilter { role: None, dataset: None, peer: None, phase: None, after: None, limit: 1_000 })?
            {
                let again = Agreement::read(row.agreement.document.clone()).expect("a document");
                assert_eq!(again.digest, row.agreement.digest);
                if row.role == Role::Provider {
                    let product = fondaco_core::product::ProductRef::parse_dataset_id(&row.agreement.target).expect("a dataset");
                    assert!(tx.product_get(&slug, &product)?.is_some(), "{}", row.agreement.target);
                }
                checked += 1;
            }
        }
        Ok(checked)
    });
    checked.await.expect("reads")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_backed_up_while_it_trades_and_the_copy_goes_on() {
    let pair = TestPair::with_wind().await;
    let first = pair.agree("wind").await;
    let access = pair.access(&first).await;
    let wind = access.bytes().await;
    let out = tempfile::tempdir().expect("folder");
    let stop = AtomicBool::new(false);
    let trade = async {
        let mut deals = 0_usize;
        while !stop.load(Ordering::Relaxed) {
            let csv = format!("n,text\n{deals},a\n");
            pair.provider.publish(&format!("more-{deals}"), &csv, &[]).await;
            pair.agree(&format!("more-{deals}")).await;
            deals += 1;
        }
        deals
    };
    let dir = pair.provider.dir().to_owned();
    let backups = async {
        for n in 0..3 {
            let (dir, file) = (dir.clone(), out.path().join(format!("{n}.tar.zst")));
            let made = tokio::task::spawn_blocking(move || done(&dir, &["backup", "--out", text(&file)])).await.expect("ran");
            assert!(made["rows"].as_u64().is_some_and(|rows| rows > 0), "{made:#}");
        }
        stop.store(true, Ordering::Relaxed);
    };
    let (deals, ()) = tokio::join!(trade, backups);
    assert!(deals > 0, "deals were made meanwhile");

    let mut agreements = Vec::new();
    for n in 0..3 {
        let (file, dir) = (out.path().join(format!("{n}.tar.zst")), out.path().join(n.to_string()));
        assert_eq!(std::fs::metadata(&file).expect("file").permissions().mode() & 0o777, 0o600);
        let restored = dir.clone();
        // On a server of the tests this is Postgres to SQLite.
        tokio::task::spawn_blocking(move || done(&restored, &["restore", text(&file), "--database", "sqlite:fondaco.db"]))
            .await
            .expect("ran");
        agreements.push(sound(&dir).await);
    }
    assert!(agreements.is_sorted() && agreements[2] <= deals + 1, "{agreements:?} of {deals}");

    // The original stops for good; its copy has its address, and the token that was given out reads on.
    let (url, token) = (pair.provider.admin_url.clone(), pair.provider.token.clone());
    pair.shutdown().await;
    let copy = out.path().join("2");
    assert_eq!(std::fs::read_to_string(copy.join("admin.token")).expect("token").trim(), token);
    let serving = tokio::task::spawn_blocking({
        let copy = copy.clone();
        move || Serving::start(&copy)
    })
    .await
    .expect("ran");
    assert_eq!(access.bytes().await, wind, "{url}");
    let found = done(&copy, &["doctor", "--deep"]);
    let backup = found["findings"].as_array().expect("findings").iter().find(|f| f["check"] == "backup").expect("a finding").clone();
    assert_eq!(backup["status"], "ok", "it holds the note of the backup before: {backup}");
    tokio::task::spawn_blocking(|| serving.stop()).await.expect("ran");
}

#[test]
fn nothing_in_the_folder_changes_and_the_copy_is_the_same() {
    let fixture = Fixture::unpack();
    let before = contents(&fixture.provider());
    let bytes = packed(&fixture.provider());
    assert_eq!(contents(&fixture.provider()), before);
    // The same node at the same moment gives the same bytes.
    assert_eq!(packed(&fixture.provider()), bytes);
    let file = fixture.folder.path().join("a.tar.zst");
    std::fs::write(&file, &bytes).expect("written");
    let (head, manifest) = verify(&file, &mut |_| {}).expect("whole");
    assert_eq!((head.version, manifest.schema, manifest.data_files()), (1, 1, 5));
    let dir = fixture.folder.path().join("new");
    std::fs::create_dir(&dir).expect("an empty folder is fine");
    unpacked(&file, &dir).expect("restored");
    let after = contents(&dir);
    let kept = |all: &BTreeMap<PathBuf, String>| -> BTreeMap<PathBuf, String> {
        all.iter().filter(|(p, _)| p.as_path() != Path::new("fondaco.db")).map(|(p, h)| (p.clone(), h.clone())).collect()
    };
    assert_eq!(kept(&after), kept(&before), "configuration, keys and data");
    for name in ["node.key", "admin.token", "fondaco.toml", "fondaco.db"] {
        assert_eq!(std::fs::metadata(dir.join(name)).expect(name).permissions().mode() & 0o077, 0, "{name}");
    }
}

#[test]
fn every_damaged_or_shortened_backup_is_refused_and_leaves_nothing() {
    const SEED: u64 = 7;
    const FLIPS: usize = 300;
    let fixture = Fixture::unpack();
    let whole = packed(&fixture.provider());
    let place = tempfile::tempdir().expect("folder");
    let (file, dir) = (place.path().join("a.tar.zst"), place.path().join("new"));
    let entropy = SeededEntropy::new(SEED);
    let random = || {
        let mut bytes = [0; 8];
        entropy.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    };
    let below = |n: usize| usize::try_from(random() % n as u64).expect("fits");
    let mut damaged: Vec<(String, Vec<u8>)> = (0..FLIPS)
        .map(|_| {
            let (at, bit) = (below(whole.len()), below(8));
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            (format!("seed {SEED}: bit {bit} of byte {at} of {}", whole.len()), bytes)
        })
        .collect();
    for length in (0..100).map(|_| below(whole.len())).chain([0, 1, whole.len() - 1]) {
        damaged.push((format!("seed {SEED}: the first {length} bytes"), whole[..length].to_vec()));
    }
    damaged.push(("something after its end".into(), [whole.as_slice(), b"x"].concat()));
    damaged.push(("twice".into(), [whole.as_slice(), &whole].concat()));
    damaged.push(("no backup at all".into(), b"\x28\xb5\x2f\xfd and more that is no frame".repeat(10)));
    for (what, bytes) in damaged {
        std::fs::write(&file, bytes).expect("written");
        let refused = unpacked(&file, &dir).expect_err(&what);
        assert_eq!(refused.code().as_str(), "FDC-5005", "{what}: {refused}");
        let left: Vec<_> = std::fs::read_dir(place.path()).expect("folder").map(|e| e.expect("entry").file_name()).collect();
        assert_eq!(left, ["a.tar.zst"], "{what}");
    }
    std::fs::write(&file, &whole).expect("written");
    unpacked(&file, &dir).expect("the undamaged one is restored");
}

/// An archive with a right seal and a right manifest, as somebody with ill intent would make it.
fn forged(entries: &[(&str, &[u8], tar::EntryType)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(zstd::Encoder::new(Vec::new(), 1).expect("zstd"));
    let mut add = |path: &str, bytes: &[u8], kind: tar::EntryType| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        // Past the builder's own checks.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        if kind != tar::EntryType::Regular {
            header.set_link_name("/etc/passwd").expect("a link");
        }
        header.set_cksum();
        builder.append(&header, bytes).expect("appended");
    };
    let head = br#"{"format":"fondaco-backup","version":1,"program":"x","madeAt":"2026-11-21T00:00:00Z","publicUrl":"http://h/"}"#;
    let all = [&[("backup.json", head.as_slice(), tar::EntryType::Regular)], entries].concat();
    let mut listed = Vec::new();
    for (path, bytes, kind) in all {
        add(path, bytes, kind);
        listed.push(serde_json::json!({"path": path, "sizeBytes": bytes.len(), "sha256": hex::encode(Sha256::digest(bytes))}));
    }
    let manifest = serde_json::json!({"schema": 1, "rows": 0, "entries": listed}).to_string();
    add("manifest.json", manifest.as_bytes(), tar::EntryType::Regular);
    let mut bytes = builder.into_inner().expect("tar").finish().expect("zstd");
    let seal = Sha256::digest(&bytes);
    bytes.extend(b"\x50\x2a\x4d\x18\x28\x00\x00\x00fondaco1");
    bytes.extend(seal);
    bytes
}

#[test]
fn a_forged_backup_cannot_write_elsewhere() {
    use tar::EntryType::{Regular, Symlink};
    let place = tempfile::tempdir().expect("folder");
    let (file, dir) = (place.path().join("a.tar.zst"), place.path().join("new"));
    let config: (&str, &[u8], _) = ("node/fondaco.toml", b"[public]\nurl = \"http://127.0.0.1:9000\"\n", Regular);
    let key: (&str, &[u8], _) = ("node/node.key", b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", Regular);
    let rows: (&str, &[u8], _) = (
        "database/00000.jsonl",
        b"{\"format\":\"fondaco-export\",\"version\":1,\"schema\":1}\n{\"end\":{\"tables\":0,\"rows\":0}}\n",
        Regular,
    );
    for entry in [
        ("data/../../escaped", b"x".as_slice(), Regular),
        ("../escaped", b"x", Regular),
        ("/tmp/fondaco-escaped", b"x", Regular),
        ("data//escaped", b"x", Regular),
        ("data/./escaped", b"x", Regular),
        ("data\\escaped", b"x", Regular),
        ("escaped", b"x", Regular),
        ("node/serve.log", b"x", Regular),
        ("node/sub/escaped", b"x", Regular),
        ("data/link", b"", Symlink),
        ("node/node.key", b"x", Regular),
    ] {
        std::fs::write(&file, forged(&[config, key, rows, entry])).expect("written");
        let refused = unpacked(&file, &dir).expect_err(entry.0);
        assert_eq!(refused.code().as_str(), "FDC-5005", "{}: {refused}", entry.0);
        let left: Vec<_> = std::fs::read_dir(place.path()).expect("folder").map(|e| e.expect("entry").file_name()).collect();
        assert_eq!(left, ["a.tar.zst"], "{}", entry.0);
    }
    // The same without the ill part is accepted: what refuses it above is that part.
    std::fs::write(&file, forged(&[config, key, rows])).expect("written");
    unpacked(&file, &dir).expect("restored");
}

#[test]
fn what_is_in_the_way_is_said_and_left_alone() {
    let fixture = Fixture::unpack();
    let (provider, root) = (fixture.provider(), fixture.folder.path());
    let file = root.join("a.tar.zst");
    assert_eq!(json(&provider, &["backup", "--out", text(&provider.join("inside.tar.zst"))]).0, 2, "not into the folder itself");
    done(&provider, &["backup", "--out", text(&file)]);
    assert_eq!(refused(&provider, &["backup", "--out", text(&file)]), "FDC-1005", "not over another file");
    assert_eq!(refused(&provider, &["restore", text(&file)]), "FDC-1005", "not over a node");
    let checked = fondaco(&["--json", "restore", text(&file), "--verify-only"]);
    assert_eq!(checked.status.code(), Some(0));
    let used = root.join("used.db");
    std::fs::copy(provider.join("fondaco.db"), &used).expect("copied");
    let url = format!("sqlite:{}", used.display());
    assert_eq!(refused(&root.join("new"), &["restore", text(&file), "--database", &url]), "FDC-1005", "not over another database");
    assert!(!root.join("new").exists());
    // What the environment says would win when the node starts.
    let options = RestoreOptions {
        file: file.clone(),
        dir: root.join("new"),
        database: Some("sqlite:a.db".into()),
        env: HashMap::from([("FONDACO_DATABASE__URL".to_owned(), "sqlite:b.db".to_owned())]),
        now: NOW,
    };
    let conflicting = restore(&options, &mut |_| {}).expect_err("two databases");
    assert_eq!(conflicting.code().as_str(), "FDC-5001", "{conflicting}");
    assert!(!root.join("new").exists());
    // Through a pipe it cannot be read twice.
    assert_eq!(refused(&root.join("new"), &["restore", "/dev/null"]), "FDC-5005");
    // To standard output it is the same archive.
    let out = fondaco(&["--dir", text(&provider), "backup", "--out", "-"]);
    assert_eq!(out.status.code(), Some(0));
    std::fs::write(root.join("b.tar.zst"), &out.stdout).expect("written");
    let (_, verified) = json(root, &["restore", text(&root.join("b.tar.zst")), "--verify-only"]);
    assert_eq!(verified["dataFiles"], 5, "{verified:#}");
}

#[test]
fn a_data_file_that_is_gone_or_changed_is_named() {
    let fixture = Fixture::unpack();
    let (provider, root) = (fixture.provider(), fixture.folder.path());
    let mut files: Vec<PathBuf> = contents(&provider).into_keys().filter(|p| p.starts_with("data")).collect();
    files.sort();
    let (gone, changed) = (&files[0], &files[1]);
    std::fs::remove_file(provider.join(gone)).expect("removed");
    let mut bytes = std::fs::read(provider.join(changed)).expect("read");
    bytes[100] ^= 1;
    std::fs::write(provider.join(changed), bytes).expect("written");

    let (status, found) = json(&provider, &["doctor", "--deep"]);
    let finding =
        |found: &Value| found["findings"].as_array().expect("list").iter().find(|f| f["check"] == "data files").expect("it").clone();
    let said = finding(&found)["found"].as_str().expect("text").to_owned();
    assert_eq!(status, 1);
    for file in [gone, changed] {
        assert!(said.contains(text(file.strip_prefix("data").expect("below"))), "{said}");
    }
    let quick = finding(&json(&provider, &["doctor"]).1);
    assert!(quick["found"].as_str().expect("text").starts_with("1 of 5"), "only sizes are compared: {quick}");

    let file = root.join("a.tar.zst");
    let (status, problem) = json(&provider, &["backup", "--out", text(&file)]);
    assert_eq!((status, problem["code"].as_str()), (1, Some("FDC-5005")));
    assert!(problem["detail"].as_str().expect("text").contains(text(gone.strip_prefix("data").expect("below"))), "{problem}");
    let left: Vec<_> = std::fs::read_dir(root)
        .expect("folder")
        .map(|e| e.expect("entry").file_name())
        .filter(|n| text(Path::new(n)).contains("tar"))
        .collect();
    assert!(left.is_empty(), "{left:?}");

    let made = done(&provider, &["backup", "--out", text(&file), "--allow-missing"]);
    assert_eq!((made["missing"].as_array().map(Vec::len), &made["dataFiles"]), (Some(2), &Value::from(3)));
    let restored = done(&root.join("new"), &["restore", text(&file)]);
    assert_eq!(restored["missing"], made["missing"]);
}
