//! A report as one HTML file.

use fondaco_console::pages::{ReportColumn, ReportFile, ReportSection};
use fondaco_core::{
    Error, Result,
    report::{Report, Step},
};

/// The columns of a part; those that hold numbers begin with `#`.
fn section(title: &'static str, columns: &[&'static str], rows: Vec<Vec<String>>) -> ReportSection {
    let column = |name: &&'static str| match name.strip_prefix('#') {
        Some(name) => ReportColumn { name, number: true },
        None => ReportColumn { name, number: false },
    };
    ReportSection { title, columns: columns.iter().map(column).collect(), rows }
}

fn steps(title: &'static str, steps: &[Step]) -> ReportSection {
    let row = |s: &Step| {
        vec![s.at.to_rfc3339(), s.object.clone(), s.agreement.clone(), s.peer.clone(), s.what.clone(), s.by.clone(), s.reason.clone()]
    };
    section(title, &["When", "About", "Agreement", "Other side", "What", "By", "Reason"], steps.iter().map(row).collect())
}

/// The file.
///
/// # Errors
/// Never, in practice: it is written into memory.
pub fn html(report: &Report) -> Result<String> {
    let (log, leaf) = (&report.log, |leaf: Option<u64>| leaf.map_or_else(|| "none".to_owned(), |leaf| leaf.to_string()));
    let facts = vec![
        ("Participant", format!("{} ({})", report.name, report.did)),
        ("From", report.from.to_rfc3339()),
        ("Until before", report.to.to_rfc3339()),
        ("Made", report.made_at.to_rfc3339()),
        ("Leaves of the log", report.leaves.to_string()),
        ("First and last", format!("{} and {}", leaf(log.first_leaf), leaf(log.last_leaf))),
        ("Documents erased since", report.erased.to_string()),
        ("Log", log.origin.clone()),
        ("Its size when this was made", log.size.to_string()),
        ("Its root", log.root.clone()),
        ("Signed", log.signed_at.clone().unwrap_or_default()),
    ];
    let agreements = report.agreements.iter().map(|a| vec![a.at.to_rfc3339(), a.agreement.clone(), a.peer.clone(), a.product.clone()]);
    let usage = report.usage.iter().map(|u| {
        let numbers = [u.reads, u.requests, u.rows, u.bytes].map(|n| n.map_or_else(|| "not known: erased".to_owned(), |n| n.to_string()));
        [u.agreement.clone(), u.peer.clone()].into_iter().chain(numbers).collect()
    });
    let refusals = report.refusals.iter().map(|r| {
        let (first, last) = (r.first_at.to_rfc3339(), r.last_at.to_rfc3339());
        vec![r.agreement.clone(), r.peer.clone(), r.rule.clone(), r.refusals.to_string(), first, last]
    });
    let administration = report.administration.iter().map(|a| vec![a.at.to_rfc3339(), a.action.clone(), a.object.clone(), a.by.clone()]);
    let file = ReportFile {
        title: format!("Report of {}", report.name),
        facts,
        cut: report.cut,
        sections: vec![
            section("Agreements made", &["When", "Agreement", "Other side", "Product"], agreements.collect()),
            steps("What became of agreements", &report.changes),
            steps("Transfers", &report.transfers),
            section("Usage", &["Agreement", "Other side", "#Reads", "#Requests", "#Rows", "#Bytes"], usage.collect()),
            section("Refusals", &["Agreement", "Other side", "Rule", "#How often", "First", "Last"], refusals.collect()),
            section("Publication and administration", &["When", "What", "Object", "By"], administration.collect()),
        ],
    };
    file.html().map_err(Error::internal_failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_in_the_file() {
        let text = html(&super::super::tests::sample()).expect("HTML");
        for said in [
            "Report of Acme Ltd",
            "Agreements made (1)",
            "Transfers (2)",
            "Refusals (2)",
            "<td class=\"num\">23</td>",
            "Too slow.",
            "token-made",
            "3 and 14",
            "product-withdrawn",
        ] {
            assert!(text.contains(said), "{said} in {text}");
        }
    }
}
