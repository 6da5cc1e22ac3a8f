//! `cargo xtask gen [--check]`: documents that are made from code, so that they cannot lag behind it.
//!
//! In scope: the indices of error codes and of decisions. Not here: `docs/cli.md` and the OpenAPI document, which the tests of
//! `fondaco-node` compare with the code themselves, because only that crate can produce them.

use anyhow::{Context, Result, bail};
use fondaco_core::Code;
use std::{fmt::Write as _, fs, path::Path};

const ERROR_GROUPS: [(char, &str); 5] = [
    ('1', "Requests and credentials"),
    ('2', "Identity and the other party"),
    ('3', "Deals and policies"),
    ('4', "Tables"),
    ('5', "Running a node"),
];

/// Writes or checks every generated document.
pub(crate) fn run(root: &Path, check: bool) -> Result<()> {
    for (path, text) in [("docs/errors/README.md", error_index()?), ("docs/decisions/README.md", decision_index(root)?)] {
        let file = root.join(path);
        let present = fs::read_to_string(&file).unwrap_or_default();
        if present == text {
            continue;
        }
        if check {
            bail!("{path} is out of date; run: cargo xtask gen");
        }
        fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
        println!("wrote {path}");
    }
    Ok(())
}

/// The index of `docs/errors/`.
fn error_index() -> Result<String> {
    let mut text = String::from(
        "<!-- Made by `cargo xtask gen` from crates/core/src/error.rs. -->\n\n# Error codes\n\n\
         Every failure has a stable code: in the `code` of a problem document, in the error object of a protocol \
         message, on a console page, in the last line of a command. Match on the code, never on the words. Codes are \
         only ever added.\n",
    );
    for (digit, heading) in ERROR_GROUPS {
        write!(text, "\n## {heading}\n\n| code | HTTP | meaning | |\n| --- | --- | --- | --- |\n")?;
        for code in Code::ALL.iter().filter(|c| group(**c) == Some(digit)) {
            writeln!(text, "| [{code}]({code}.md) | {} | {} | [中文](zh/{code}.md) |", code.status(), code.title())?;
        }
    }
    if let Some(code) = Code::ALL.iter().find(|c| !ERROR_GROUPS.iter().any(|(d, _)| group(**c) == Some(*d))) {
        bail!("{code} belongs to no group of the index; add one in xtask/src/generate.rs");
    }
    Ok(text)
}

/// The index of `docs/decisions/`, from the headings of its pages.
fn decision_index(root: &Path) -> Result<String> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(root.join("docs/decisions"))? {
        let file = entry?.path();
        let name = file.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        if !name.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        let text = fs::read_to_string(&file)?;
        let heading = text.lines().next().and_then(|l| l.strip_prefix("# ")).unwrap_or_default();
        let (number, title) = heading.split_once(". ").with_context(|| format!("{name} begins with \"# N. Title\""))?;
        pages.push((number.parse::<u32>().with_context(|| format!("{name}: the number in its heading"))?, title.to_owned(), name));
    }
    pages.sort();
    let mut text = String::from(
        "<!-- Made by `cargo xtask gen` from the headings of the pages. -->\n\n# Decisions\n\n\
         One page for each decision that was hard, or that somebody will ask about. A page is not rewritten when the \
         decision changes: a new one replaces it and both say so. Start from the [template](template.md).\n\n",
    );
    for (number, title, name) in pages {
        writeln!(text, "{number}. [{title}]({name})")?;
    }
    Ok(text)
}

/// The digit that names a code's group: `FDC-3001` is of group 3.
fn group(code: Code) -> Option<char> {
    code.as_str().strip_prefix("FDC-")?.chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_documents_are_up_to_date() {
        run(&crate::root(), true).expect("up to date");
    }

    #[test]
    fn every_error_page_belongs_to_a_code() {
        for (folder, others) in [("docs/errors", &["README.md", "zh"][..]), ("docs/errors/zh", &[])] {
            for entry in fs::read_dir(crate::root().join(folder)).expect("folder") {
                let name = entry.expect("entry").file_name().into_string().expect("name");
                let known = others.contains(&name.as_str()) || Code::ALL.iter().any(|c| format!("{c}.md") == name);
                assert!(known, "{folder}/{name} documents no code");
            }
        }
    }
}
