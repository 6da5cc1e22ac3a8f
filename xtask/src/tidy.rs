//! `cargo xtask tidy`: the house rules of CONTRIBUTING.md that neither the compiler nor clippy knows. Also a test, so
//! that `cargo test --workspace` holds them.

use anyhow::{Context, Result, bail};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Longest file: what one can still read in a sitting. Half of it is what we want.
const LINES_MAX: usize = 1_000;
/// Largest file in the tree: fixtures are made, not stored.
const BYTES_MAX: u64 = 1 << 20;
/// What is looked at: everything that is ours. (A working folder of somebody's node in the root is not.)
const FOLDERS: [&str; 8] = ["crates", "xtask", "conformance", "docs", ".ci", "bench", "fuzz", "examples"];
/// Lock files, references and recorded output are long by nature.
const UNLIMITED: [&str; 4] = ["lock", "md", "snap", "json"];

/// The edges between our crates (ARCHITECTURE.md): who may depend on whom. A crate that is not listed may not exist.
const EDGES: [(&str, &[&str]); 11] = [
    ("fondaco-core", &[]),
    ("fondaco-tlog", &[]),
    ("fondaco-console", &[]),
    ("fondaco-dsp", &["fondaco-core"]),
    ("fondaco-ledger", &["fondaco-core"]),
    ("fondaco-tables", &["fondaco-core"]),
    ("fondaco-ai", &["fondaco-core"]),
    ("fondaco-store", &["fondaco-core", "fondaco-tlog", "fondaco-ledger"]),
    (
        "fondaco-node",
        &[
            "fondaco-core",
            "fondaco-tlog",
            "fondaco-console",
            "fondaco-dsp",
            "fondaco-ledger",
            "fondaco-tables",
            "fondaco-ai",
            "fondaco-store",
        ],
    ),
    ("fondaco-testkit", &["fondaco-core", "fondaco-dsp", "fondaco-store", "fondaco-tables", "fondaco-node"]),
    ("xtask", &["fondaco-core"]),
];

/// What only some crates may link, and why that matters. Tests of others may use it.
const RESERVED: [(&str, &[&str], &str); 11] = [
    ("rusqlite", &["fondaco-store"], "only store knows SQL"),
    ("postgres", &["fondaco-store", "fondaco-testkit"], "only store knows our SQL; tests make schemas"),
    ("tokio-postgres", &["fondaco-store", "fondaco-tables"], "only store knows our SQL; tables reads others'"),
    ("arrow", &["fondaco-tables", "xtask"], "only tables knows Arrow; it takes minutes to compile"),
    ("parquet", &["fondaco-tables", "xtask"], "only tables knows Arrow; it takes minutes to compile"),
    ("axum", &["fondaco-node", "fondaco-testkit"], "only node has HTTP surfaces"),
    ("reqwest", &["fondaco-node", "fondaco-testkit", "xtask"], "only node calls others"),
    ("askama", &["fondaco-console"], "only console writes HTML"),
    ("tokio", &["fondaco-node", "fondaco-store", "fondaco-tables", "fondaco-testkit", "xtask"], "rules do no I/O"),
    ("object_store", &["fondaco-tables"], "only tables reads lakes"),
    ("delta_kernel", &["fondaco-tables"], "only tables reads lakes"),
];

/// Words that do not belong in the tree, in halves so that this file does not hold them itself.
const FORBIDDEN: [(&str, &str, &str); 7] = [
    ("TO", "DO", "finish it, or open an issue"),
    ("FIX", "ME", "finish it, or open an issue"),
    ("db", "g!(", "a trace belongs in tracing"),
    ("/ro", "ot/", "a path of one machine"),
    ("/ho", "me/", "a path of one machine"),
    ("#[al", "low(", "write #[expect(lint, reason = \"…\")]"),
    ("#[ig", "nore]", "a test that does not run proves nothing; if it is run in another way, say how"),
];

/// Prints what breaks the rules and fails if anything does.
pub(crate) fn run(root: &Path) -> Result<()> {
    let findings = findings(root)?;
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} found", findings.len());
    }
    Ok(())
}

fn findings(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for path in files(root)? {
        let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let size = fs::metadata(&path)?.len();
        if size > BYTES_MAX {
            found.push(format!("{shown}: {size} bytes; at most {BYTES_MAX}"));
            continue;
        }
        let Ok(text) = fs::read_to_string(&path) else { continue };
        found.extend(check_text(&shown, &text));
        if path.extension().is_some_and(|e| e == "md") {
            found.extend(check_links(root, &path, &shown, &text));
        }
    }
    found.extend(check_manifests(&manifests(root)?));
    found.extend(check_map(root)?);
    Ok(found)
}

/// Rules for one file's text.
fn check_text(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let extension = Path::new(name).extension().and_then(|e| e.to_str()).unwrap_or_default();
    let lines = text.lines().count();
    if lines > LINES_MAX && !UNLIMITED.contains(&extension) {
        found.push(format!("{name}: {lines} lines; at most {LINES_MAX}: split it by what its parts are about"));
    }
    if extension == "rs" && !text.starts_with("//!") {
        found.push(format!("{name}:1: starts with a //! comment that says what it is for"));
    }
    for (number, line) in text.lines().enumerate() {
        for (a, b, advice) in FORBIDDEN {
            let word = format!("{a}{b}");
            if contains_word(line, &word) {
                found.push(format!("{name}:{}: \"{word}\": {advice}", number + 1));
            }
        }
    }
    found
}

/// Whether `line` holds `word`, not as the tail of a longer name.
fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !(letter(before) || (word.ends_with(char::is_alphanumeric) && letter(after)))
    })
}

/// Relative links of a document lead to something.
fn check_links(root: &Path, path: &Path, name: &str, text: &str) -> Vec<String> {
    let folder = path.parent().unwrap_or(root);
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    targets
        .filter(|t| !t.is_empty() && !t.starts_with('#') && !t.starts_with('<') && !t.contains("://") && !t.starts_with("mailto:"))
        .map(|t| t.split('#').next().unwrap_or(t))
        .filter(|t| !folder.join(t).exists())
        .map(|t| format!("{name}: the link to {t} leads nowhere"))
        .collect()
}

/// A manifest: the crate's name, what it depends on, and what its tests depend on besides.
#[derive(Debug, Default)]
struct Manifest {
    name: String,
    dependencies: BTreeSet<String>,
    unpinned: Vec<String>,
}

fn manifests(root: &Path) -> Result<Vec<Manifest>> {
    let mut folders = vec![root.join("xtask")];
    for entry in fs::read_dir(root.join("crates"))? {
        folders.push(entry?.path());
    }
    folders.sort();
    folders.iter().map(|f| f.join("Cargo.toml")).filter(|f| f.is_file()).map(|f| read_manifest(&f)).collect()
}

fn read_manifest(file: &Path) -> Result<Manifest> {
    let table: toml::Table = fs::read_to_string(file)?.parse().with_context(|| file.display().to_string())?;
    let name = table.get("package").and_then(|p| p.get("name")).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
    let mut manifest = Manifest { name, ..Manifest::default() };
    for kind in ["dependencies", "build-dependencies", "dev-dependencies"] {
        for (crate_name, value) in table.get(kind).and_then(toml::Value::as_table).into_iter().flatten() {
            if value.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                manifest.unpinned.push(crate_name.clone());
            }
            if kind != "dev-dependencies" {
                manifest.dependencies.insert(crate_name.clone());
            }
        }
    }
    Ok(manifest)
}

/// Rules for the crates' manifests.
fn check_manifests(manifests: &[Manifest]) -> Vec<String> {
    let edges: BTreeMap<_, _> = EDGES.into_iter().collect();
    let ours: BTreeSet<_> = manifests.iter().map(|m| m.name.as_str()).collect();
    let mut found = Vec::new();
    for manifest in manifests {
        let Manifest { name, dependencies, unpinned } = manifest;
        let Some(allowed) = edges.get(name.as_str()) else {
            found.push(format!("{name}: a new crate needs its place in ARCHITECTURE.md and its edges in xtask/src/tidy.rs"));
            continue;
        };
        for dependency in dependencies.iter().filter(|d| ours.contains(d.as_str()) && !allowed.contains(&d.as_str())) {
            found.push(format!("{name}: must not depend on {dependency}"));
        }
        for (reserved, crates, why) in RESERVED {
            if dependencies.contains(reserved) && !crates.contains(&name.as_str()) {
                found.push(format!("{name}: must not depend on {reserved}: {why}"));
            }
        }
        found
            .extend(unpinned.iter().map(|d| format!("{name}: {d}: versions are fixed in the root Cargo.toml; write {d}.workspace = true")));
    }
    found
}

/// Every crate has its place on the map.
fn check_map(root: &Path) -> Result<Vec<String>> {
    let map = fs::read_to_string(root.join("ARCHITECTURE.md")).context("ARCHITECTURE.md")?;
    let mut found = Vec::new();
    for entry in fs::read_dir(root.join("crates"))? {
        let name = format!("crates/{}", entry?.file_name().to_string_lossy());
        if !map.contains(&name) {
            found.push(format!("ARCHITECTURE.md: does not mention {name}"));
        }
    }
    Ok(found)
}

/// Our files, sorted.
fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut waiting: Vec<PathBuf> = FOLDERS.iter().map(|f| root.join(f)).filter(|f| f.is_dir()).collect();
    let mut files = Vec::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let kind = entry.file_type()?;
            if kind.is_dir() && name != "target" && name != ".venv" && name != "__pycache__" {
                waiting.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        let found = findings(&crate::root()).expect("readable");
        assert!(found.is_empty(), "\n{}\n", found.join("\n"));
    }

    #[test]
    fn rules_find_what_they_are_for() {
        let todo = format!("//! x\n// {}{}: later\n", "TO", "DO");
        assert_eq!(check_text("a.rs", &todo).len(), 1);
        assert_eq!(check_text("a.rs", "//! x\nlet method = 1;\n"), Vec::<String>::new());
        assert_eq!(check_text("a.rs", "fn main() {}\n").len(), 1, "no module comment");
        assert_eq!(check_text("a.rs", &format!("//! x\n{}", "\n".repeat(LINES_MAX))).len(), 1, "too long");
        assert_eq!(check_text("a.lock", &"x\n".repeat(LINES_MAX + 1)).len(), 0);
        assert_eq!(check_text("a.md", &format!("see {}{}somebody/x", "/ho", "me/")).len(), 1);
        assert_eq!(check_text("a.md", &format!("crates/console{}{}x", "/ho", "me/")), Vec::<String>::new(), "a page named home");
    }

    #[test]
    fn edges_and_reservations_are_held() {
        let manifest = |name: &str, dependencies: &[&str]| Manifest {
            name: name.into(),
            dependencies: dependencies.iter().map(|d| (*d).to_owned()).collect(),
            unpinned: Vec::new(),
        };
        let core = manifest("fondaco-core", &["serde"]);
        let good = manifest("fondaco-dsp", &["fondaco-core"]);
        assert_eq!(check_manifests(&[core, good]), Vec::<String>::new());
        let bad = [manifest("fondaco-core", &["fondaco-dsp", "rusqlite"]), manifest("fondaco-dsp", &[]), manifest("fondaco-extra", &[])];
        assert_eq!(check_manifests(&bad).len(), 3);
    }

    #[test]
    fn dead_links_are_found() {
        let root = crate::root();
        let path = root.join("docs/x.md");
        let found = check_links(&root, &path, "docs/x.md", "[a](../LICENSE) [b](nowhere.md#x) [c](https://example.org) [d](#here)");
        assert_eq!(found, ["docs/x.md: the link to nowhere.md leads nowhere"]);
    }
}
