//! Whether the sources that products are published from can be reached: the running node tries each connection out.

use super::{
    super::{context::quoted, failure::Failure, show::text},
    Finding,
    listeners::Running,
};
use serde_json::json;
use std::path::Path;

/// Most connections tried; each may take as long as the source is patient.
const CONNECTIONS_MAX: usize = 20;

/// Tries the connections of a running node.
pub(super) async fn check(dir: &Path, node: &Running) -> Vec<Finding> {
    let mut findings = Vec::new();
    for participant in &node.participants {
        let slug = text(participant, "slug");
        let listed = match node.client.list(&["participants", slug, "connections"], &[], "connections").await {
            Ok(listed) => listed.items,
            Err(e) => {
                findings.push(Finding::warn(
                    "connections",
                    format!("Those of {slug} cannot be listed: {}", e.problem.detail),
                    "Look at the node's log.",
                ));
                continue;
            }
        };
        for connection in &listed {
            if findings.len() >= CONNECTIONS_MAX {
                return findings;
            }
            let name = text(connection, "name");
            let tried = node.client.act(&["participants", slug, "connections", name, "check"], &json!({})).await;
            findings.push(finding(dir, slug, name, tried.err().as_ref()));
        }
    }
    findings
}

/// What came of trying one out.
fn finding(dir: &Path, slug: &str, name: &str, failed: Option<&Failure>) -> Finding {
    match failed {
        None => Finding::ok("connections", format!("{name} of {slug} works.")),
        Some(e) => Finding::warn(
            "connections",
            format!(
                "{name} of {slug} does not work: {} What is published stays available; nothing new comes from there.",
                e.problem.detail
            ),
            format!(
                "Look at the source's side, or put the connection right, then: fondaco --dir {} --as {slug} connection check {name}",
                quoted(&dir.to_string_lossy())
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Status, *};
    use fondaco_core::Code;

    #[test]
    fn a_source_that_is_away_is_worth_a_word_and_no_more() {
        let dir = Path::new("/srv/my node");
        assert_eq!(finding(dir, "acme", "lake", None).status, Status::Ok);
        let away = finding(dir, "acme", "lake", Some(&Failure::new(Code::SourceUnreachable, "The bucket does not answer.")));
        assert_eq!(away.status, Status::Warn);
        assert!(away.found.contains("The bucket does not answer."));
        assert!(away.mend.is_some_and(|m| m.ends_with("fondaco --dir '/srv/my node' --as acme connection check lake")));
    }
}
