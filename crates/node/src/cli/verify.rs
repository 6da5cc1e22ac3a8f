//! `fondaco verify`: checks bundles of evidence offline, and says in plain words what each proves and what it does not.
//! It asks no node and reads nothing but the files it is given.

mod report;

use super::{
    answer::Answer,
    context::Context,
    failure::{Failure, Result},
    show::{Fields, bytes, clean, when},
};
use fondaco_tlog::{
    bundle::BUNDLE_BYTES_MAX,
    policy::{POLICY_BYTES_MAX, Policy},
};
use report::{Report, agree, check};
use serde_json::{Value, json};
use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

/// Most files of one command: each may be of some megabytes, and all answers are held until the last.
const FILES_MAX: usize = 1_000;

/// Check bundles of evidence, offline
///
/// Says of each what it proves and what it does not. Without a policy, whose log it is rests on the bundle's word: compare
/// the key with one that you have from elsewhere, or name the logs and witnesses that you trust in a policy file
/// (c2sp.org/tlog-policy).
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  fondaco verify agreement.json
  fondaco verify ours.json theirs.json --policy trusted.policy --json

A policy file:
  log example.com/log+4b6e3b6a+AQ…
  witness peer peer.example/witness+8d1f2c3e+BA…
  quorum peer

Exit status: 0 all hold, 1 one does not, 2 wrong usage.")]
pub(super) struct Args {
    /// The bundles
    #[arg(value_name = "FILE", required = true, num_args = 1..=FILES_MAX)]
    files: Vec<PathBuf>,
    /// The logs and witnesses you trust, and how many must have cosigned
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(_: &Context, args: &Args) -> Result<Answer> {
    let policy = match &args.policy {
        Some(path) => {
            let text = read(path, POLICY_BYTES_MAX)?;
            Some(Policy::parse(&text).map_err(|e| Failure::usage(format!("{}: {e}.", path.display())))?)
        }
        None => None,
    };
    let mut checked = Vec::new();
    for path in &args.files {
        checked.push((path.display().to_string(), check(&read(path, BUNDLE_BYTES_MAX)?, policy.as_ref())));
    }
    Ok(answer(&checked, policy.is_some()))
}

/// A file of at most `max` bytes, or one more, which is refused by whoever reads it.
fn read(path: &Path, max: usize) -> Result<Vec<u8>> {
    let failed = |e: std::io::Error| Failure::file("Cannot read", path, &e);
    let mut bytes = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path).map_err(failed)?.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn answer(checked: &[(String, std::result::Result<Report, String>)], with_policy: bool) -> Answer {
    let (mut text, mut documents, mut refused) = (String::new(), Vec::new(), 0);
    for (file, outcome) in checked {
        if !text.is_empty() {
            text.push('\n');
        }
        match outcome {
            Ok(report) => {
                text += &shown(file, report);
                documents.push(document(file, report));
            }
            Err(why) => {
                refused += 1;
                text += &format!("{}: REFUSED\n  {}\n  It proves nothing.\n", clean(file), clean(why));
                documents.push(json!({"file": file, "holds": false, "reason": why}));
            }
        }
    }
    let reports: Vec<(&str, &Report)> = checked.iter().filter_map(|(file, c)| Some((file.as_str(), c.as_ref().ok()?))).collect();
    let pairs = agree(&reports);
    for (a, b) in &pairs {
        text += &format!("\n{} and {}: both parties have logged the same agreement, byte for byte.\n", clean(a), clean(b));
    }
    let same: Vec<Value> = pairs.iter().map(|(a, b)| json!([a, b])).collect();
    let mut answer = Answer::new(json!({"bundles": documents, "sameAgreement": same}), text);
    if refused > 0 {
        answer.unmet = Some(format!("{refused} of {} refused.", checked.len()));
    } else if !with_policy {
        answer = answer.note("Without --policy, whose log this is rests on the word of the bundle.");
    }
    answer
}

/// For a person.
fn shown(file: &str, report: &Report) -> String {
    let mut fields = Fields::default();
    fields.add("  What", report.kind.as_str()).add("  When", format!("{}, by the clock of the log's node", when(&report.at)));
    if let Some(opened) = &report.opened {
        fields.add("  Participant", &opened.own).add("  Other party", opened.peer.as_deref().unwrap_or_default());
        fields.add("  About", &opened.object);
        fields.add("  Document", format!("{}, SHA-256 {}", bytes(u64::try_from(opened.document_bytes).ok()), report.document));
    } else {
        fields.add("  Document", format!("not here; its SHA-256 is {}", report.document));
    }
    fields.add("  Log", format!("{}, leaf {} of {}", report.origin, report.index, report.size));
    fields.add("  Log key", &report.key);
    fields.add_lines("  Witnesses", report.witnesses.iter().map(|w| format!("{} on {}", w.name, when(&w.at))));
    let mut text = format!("{}: holds\n{}", clean(file), fields.render());
    for (head, lines) in [("It proves:", report.proves()), ("It does not prove:", report.does_not_prove())] {
        text += &format!("\n  {head}\n");
        for line in lines {
            text += &format!("  - {}\n", clean(&line));
        }
    }
    text
}

/// For a program.
fn document(file: &str, report: &Report) -> Value {
    let mut value = report.to_json();
    value["file"] = file.into();
    value["holds"] = true.into();
    value
}

#[cfg(test)]
mod tests {
    use super::{report::tests::Sample, *};
    use crate::cli::failure::EXIT_USAGE;

    fn run_on(files: &[(&str, &[u8])], policy: Option<&str>) -> Result<Answer> {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("written");
            path
        };
        let files = files.iter().map(|(name, bytes)| write(name, bytes)).collect();
        let policy = policy.map(|text| write("policy", text.as_bytes()));
        run(&Context::default(), &Args { files, policy })
    }

    #[test]
    fn a_bundle_is_explained() {
        let sample = Sample::agreement();
        let answer = run_on(&[("a.json", sample.file().as_bytes())], Some(&sample.policy())).expect("an answer");
        assert_eq!((answer.unmet.as_deref(), answer.notes.len()), (None, 0));
        let json = answer.json.expect("json");
        assert_eq!((json["bundles"][0]["holds"].as_bool(), json["bundles"][0]["kind"].as_str()), (Some(true), Some("agreement")));
        for part in
            ["a.json: holds", "did:web:p.example", "did:web:c.example", "leaf 2 of 3", "w.example on 2027-01-15", "It does not prove:"]
        {
            assert!(answer.text.contains(part), "{part}: {}", answer.text);
        }
    }

    #[test]
    fn one_refused_file_fails_the_command_and_the_others_are_still_told() {
        let good = Sample::agreement().file();
        let answer = run_on(&[("a.json", good.as_bytes()), ("b.json", b"{}"), ("c.json", b"")], None).expect("an answer");
        assert_eq!(answer.unmet.as_deref(), Some("2 of 3 refused."));
        let json = answer.json.expect("json");
        let holds: Vec<_> = json["bundles"].as_array().expect("a list").iter().map(|b| b["holds"].as_bool()).collect();
        assert_eq!(holds, [Some(true), Some(false), Some(false)]);
        assert!(json["bundles"][1]["reason"].is_string());
    }

    #[test]
    fn a_policy_must_be_one_and_must_be_met() {
        let sample = Sample::agreement();
        let (file, policy) = (sample.file(), sample.policy());
        let failure = run_on(&[("a", file.as_bytes())], Some("nonsense")).expect_err("usage");
        assert_eq!(failure.exit, EXIT_USAGE);
        let stranger = policy.replace("log ", "# log ");
        assert!(run_on(&[("a", file.as_bytes())], Some(&stranger)).expect("an answer").unmet.is_some());
        assert_eq!(run_on(&[("a", file.as_bytes())], None).expect("an answer").notes.len(), 1);
    }

    #[test]
    fn what_is_missing_or_endless_is_refused() {
        let missing = run(&Context::default(), &Args { files: vec!["no/such/file".into()], policy: None });
        assert_eq!(missing.expect_err("missing").exit, crate::cli::failure::EXIT_FAILED);
        let endless = vec![b' '; BUNDLE_BYTES_MAX + 10];
        assert!(run_on(&[("a", &endless)], None).expect("an answer").text.contains("at most"));
    }

    #[test]
    fn what_both_parties_logged_is_told() {
        let (ours, theirs) = (Sample::agreement(), Sample::of_other_party());
        let answer = run_on(&[("a", ours.file().as_bytes()), ("b", theirs.file().as_bytes())], None).expect("an answer");
        assert!(answer.text.contains("both parties have logged the same agreement"), "{}", answer.text);
        assert_eq!(answer.json.expect("json")["sameAgreement"].as_array().map(Vec::len), Some(1));
        let twice = run_on(&[("a", ours.file().as_bytes()), ("b", ours.file().as_bytes())], None).expect("an answer");
        assert!(!twice.text.contains("both parties"), "one party's leaf twice is not both");
    }

    #[test]
    fn names_cannot_move_the_cursor() {
        let answer = answer(&[("a\u{1b}[2J.json".to_owned(), Err("because\u{1b}".to_owned()))], false);
        assert!(!answer.text.contains('\u{1b}'));
    }
}
