//! Reports over a period: put together from a participant's evidence, asked for or written by schedule.

pub mod csv;
pub mod files;
pub mod html;

use super::{App, cause::Cause, evidence::signed_at};
use fondaco_core::{
    Error, Result,
    evidence::Kind,
    ids::EvidenceId,
    negotiation::Role,
    participant::{Participant, Slug},
    report::{Administered, LINES_MAX, Made, Refused, Report, Step, Used, check_period},
    time::{Micros, Timestamp},
};
use fondaco_store::{EvidenceRow, Tx, Usage};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The period, unless one is asked for.
const USUAL: Micros = Micros::from_secs(30 * 86_400);
/// Evidence read in one transaction: readers do not hold up writers, but old pages of the database are kept for them.
const AT_ONCE: u32 = 500;

/// Which period, in which form.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub struct ReportAsked {
    /// The beginning: a day (UTC) or an instant; 30 days before the end, unless said.
    pub from: Option<String>,
    /// The end, which is not in it any more; now, unless said.
    pub to: Option<String>,
    /// `json`, `html` or `csv`.
    pub format: Option<String>,
}

/// A report as a file.
#[derive(Debug)]
pub struct ReportText {
    /// How its name ends, and what was asked for.
    pub format: &'static str,
    /// Its media type.
    pub media_type: &'static str,
    /// Its text, whose words come from others too: nothing that is to be shown within the admin address.
    pub text: String,
}

/// A day, from its midnight on, or an instant.
fn moment(name: &str, text: &str) -> Result<Timestamp> {
    Timestamp::parse_day_or_instant(text)
        .ok_or_else(|| Error::invalid(format!("\"{name}\" is a day or an instant: 2026-11-01 or 2026-11-01T08:00:00Z.")))
}

/// A report in the making.
#[derive(Default)]
struct Gathering {
    report: Report,
    /// What was used up to the last leaf that says so, by agreement.
    used: BTreeMap<String, (String, Option<Usage>)>,
    /// By agreement and rule.
    refused: BTreeMap<(String, String), Refused>,
}

impl App {
    /// The report that somebody asks for, `usual` being the form unless they say one.
    ///
    /// # Errors
    /// [`fondaco_core::Code::Invalid`] for another form, and for a period that is none, empty or too long.
    pub async fn report_asked(&self, participant: &Participant, asked: &ReportAsked, usual: &str) -> Result<ReportText> {
        let to = asked.to.as_deref().map_or_else(|| Ok(self.now()), |text| moment("to", text))?;
        let from = asked.from.as_deref().map_or_else(|| Ok(to.plus(Micros(-USUAL.0))), |text| moment("from", text))?;
        let (format, media_type) = match asked.format.as_deref().unwrap_or(usual) {
            "json" => ("json", "application/json"),
            "html" => ("html", "text/html; charset=utf-8"),
            "csv" => ("csv", "text/csv; charset=utf-8; header=present"),
            _ => return Err(Error::invalid("\"format\" is json, html or csv.")),
        };
        let report = self.report(participant, from, to).await?;
        let text = match format {
            "html" => html::html(&report)?,
            "csv" => csv::csv(&report)?,
            _ => serde_json::to_string(&report).map_err(Error::internal_failure)?,
        };
        Ok(ReportText { format, media_type, text })
    }

    /// The report of a participant about what was logged from a time on and before another.
    ///
    /// # Errors
    /// [`fondaco_core::Code::Invalid`] for a period that is empty or too long.
    pub async fn report(&self, participant: &Participant, from: Timestamp, to: Timestamp) -> Result<Report> {
        check_period(from, to)?;
        let report = Report {
            participant: participant.slug.to_string(),
            did: participant.did.to_string(),
            name: participant.name.clone(),
            from,
            to,
            made_at: self.now(),
            ..Report::default()
        };
        let mut gathering = Gathering { report, ..Gathering::default() };
        let mut after: Option<EvidenceId> = None;
        loop {
            let (slug, last) = (participant.slug.clone(), after.clone());
            let page = self
                .store
                .read("report.evidence", move |tx| -> Result<_> { Ok(tx.evidence_within(&slug, from, to, last.as_ref(), AT_ONCE)?) })
                .await?;
            for row in &page {
                gathering.add(row)?;
            }
            match page.last() {
                Some(last) if page.len() == AT_ONCE as usize => after = Some(last.id.clone()),
                _ => break,
            }
        }
        // After the leaves were read, so that the tree holds at least all that have a place.
        let tree = self.store.read("report.tree", |tx| -> Result<_> { Ok(tx.log_tree()?) }).await?;
        let log = &mut gathering.report.log;
        log.origin = self.log_origin();
        if let Some(tree) = tree {
            (log.size, log.root, log.signed_at) = (tree.size, tree.root.to_string(), signed_at(&tree));
        }
        let before = self.used_before(&participant.slug, gathering.used.keys().cloned().collect(), from).await?;
        Ok(gathering.finished(&before))
    }

    /// What was used of agreements up to a time, by the last leaf that says it: nothing where its document was erased.
    async fn used_before(&self, slug: &Slug, agreements: Vec<String>, before: Timestamp) -> Result<BTreeMap<String, Option<Usage>>> {
        let mut found = BTreeMap::new();
        for some in agreements.chunks(AT_ONCE as usize) {
            let (slug, some) = (slug.clone(), some.to_vec());
            let part = self
                .store
                .read("report.usage_before", move |tx: &mut Tx| -> Result<_> {
                    let mut part = Vec::new();
                    for agreement in some {
                        if let Some(row) = tx.evidence_last(&slug, &agreement, Kind::Usage, before)? {
                            part.push((agreement, document(&row)?.as_ref().and_then(usage_of)));
                        }
                    }
                    Ok(part)
                })
                .await?;
            found.extend(part);
        }
        Ok(found)
    }
}

/// The document of evidence, unless it was erased.
fn document(row: &EvidenceRow) -> Result<Option<Value>> {
    row.document.as_deref().map(serde_json::from_str).transpose().map_err(Error::internal_failure)
}

fn text(document: &Value, member: &str) -> String {
    document.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn usage_of(document: &Value) -> Option<Usage> {
    let number = |member: &str| document.get(member).and_then(Value::as_u64);
    Some(Usage { reads: number("reads")?, requests: number("requests")?, rows: number("rows")?, volume: number("bytes")? })
}

/// Adds a line, as long as there is room.
fn push<T>(lines: &mut Vec<T>, cut: &mut bool, line: T) {
    if lines.len() < LINES_MAX {
        lines.push(line);
    } else {
        *cut = true;
    }
}

impl Gathering {
    fn add(&mut self, row: &EvidenceRow) -> Result<()> {
        let found = document(row)?;
        let report = &mut self.report;
        report.leaves += 1;
        report.erased += u64::from(found.is_none());
        // By when they were written, leaves are in the tree in nearly this order; two of one moment may be the other way.
        report.log.first_leaf = [report.log.first_leaf, row.leaf_index].into_iter().flatten().min();
        report.log.last_leaf = report.log.last_leaf.max(row.leaf_index);
        let document = found.unwrap_or_default();
        let agreement = row.agreement_id.clone().unwrap_or_default();
        let peer = row.peer.clone().unwrap_or_default();
        match row.kind {
            Kind::Agreement => {
                let made = Made { at: row.at, agreement, peer, product: text(&document, "target") };
                push(&mut report.agreements, &mut report.cut, made);
            }
            Kind::AgreementEnded | Kind::Decision => {
                let what = text(&document, "what");
                let what = if what.is_empty() { row.kind.as_str().to_owned() } else { what };
                let (by, reason) = (by(&document), text(&document, "reason"));
                push(
                    &mut report.changes,
                    &mut report.cut,
                    Step { at: row.at, agreement, peer, object: row.object.clone(), what, by, reason },
                );
            }
            Kind::TransferStarted | Kind::TransferSuspended | Kind::TransferEnded => {
                let reasons = document.get("reasons").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
                let reason = reasons.collect::<Vec<_>>().join(" ");
                let what = row.kind.as_str().to_owned();
                let step = Step { at: row.at, agreement, peer, object: row.object.clone(), what, by: by(&document), reason };
                push(&mut report.transfers, &mut report.cut, step);
            }
            Kind::Usage => {
                let known = self.used.len() < LINES_MAX || self.used.contains_key(&agreement);
                if known {
                    self.used.insert(agreement, (peer, usage_of(&document)));
                } else {
                    report.cut = true;
                }
            }
            Kind::Refusal => self.refuse(row.at, agreement, peer, &document),
            Kind::Administration | Kind::ProductPublished | Kind::ProductWithdrawn | Kind::OfferMade | Kind::KeyChange => {
                let by = Cause::of(&document).map(|cause| cause.words()).unwrap_or_default();
                let action = Some(text(&document, "action")).filter(|action| row.kind == Kind::Administration && !action.is_empty());
                let action = action.unwrap_or_else(|| row.kind.as_str().to_owned());
                let line = Administered { at: row.at, action, object: row.object.clone(), by };
                push(&mut report.administration, &mut report.cut, line);
            }
        }
        Ok(())
    }

    fn refuse(&mut self, at: Timestamp, agreement: String, peer: String, document: &Value) {
        let rule = text(document, "rule");
        let key = (agreement, rule);
        if self.refused.len() >= LINES_MAX && !self.refused.contains_key(&key) {
            self.report.cut = true;
            return;
        }
        let time = |member: &str| document.get(member).and_then(Value::as_str).and_then(Timestamp::parse).unwrap_or(at);
        let (first, last) = (time("firstAt"), time("lastAt"));
        // Of one whose document was erased, that there was one is all that is known.
        let refusals = document.get("refusals").and_then(Value::as_u64).unwrap_or(1);
        let (agreement, rule) = key.clone();
        let sum = self.refused.entry(key).or_insert(Refused { agreement, peer, rule, refusals: 0, first_at: first, last_at: last });
        sum.refusals = sum.refusals.saturating_add(refusals);
        sum.first_at = sum.first_at.min(first);
        sum.last_at = sum.last_at.max(last);
    }

    /// Leaves say what was used since the agreement was made; a report says what was used in its period.
    fn finished(mut self, before: &BTreeMap<String, Option<Usage>>) -> Report {
        for (agreement, (peer, used)) in self.used {
            // Where no leaf is before, all of it is of this period. Where one is of which the document was erased, how much is
            // of this period is not known.
            let before = before.get(&agreement).copied().unwrap_or(Some(Usage::default()));
            let less = |of: fn(&Usage) -> u64| Some(of(&used?).saturating_sub(of(&before?)));
            let (reads, requests, rows, bytes) = (less(|u| u.reads), less(|u| u.requests), less(|u| u.rows), less(|u| u.volume));
            self.report.usage.push(Used { agreement, peer, reads, requests, rows, bytes });
        }
        self.report.refusals = self.refused.into_values().collect();
        self.report
    }
}

/// The side that decided something.
fn by(document: &Value) -> String {
    let side = text(document, "by");
    if [Role::Provider, Role::Consumer].iter().any(|role| role.as_str() == side) { side } else { String::new() }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use fondaco_core::report::LogState;
    use serde_json::json;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    fn empty() -> Gathering {
        let (from, to) = (at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z"));
        let report = Report {
            participant: "acme".into(),
            did: "did:web:acme.example".into(),
            name: "Acme Ltd".into(),
            from,
            to,
            made_at: to,
            log: LogState { origin: "acme.example/log".into(), size: 9, root: "cm9vdA==".into(), ..LogState::default() },
            ..Report::default()
        };
        Gathering { report, ..Gathering::default() }
    }

    fn row(kind: Kind, leaf: u64, document: Option<Value>) -> EvidenceRow {
        EvidenceRow {
            id: EvidenceId::from_stored(format!("evi_{leaf}")),
            participant: None,
            kind,
            at: at("2026-11-09T08:00:00Z"),
            own: "did:web:acme.example".into(),
            peer: Some("did:web:beta.example".into()),
            object: "agr_1".into(),
            agreement_id: Some("agr_1".into()),
            document: document.map(|document| document.to_string()),
            secret: None,
            seq: leaf,
            leaf_index: Some(leaf),
        }
    }

    /// A report with a line of everything.
    pub(crate) fn sample() -> Report {
        let mut gathering = empty();
        let usage = |reads: u64| Some(json!({"reads": reads, "requests": 2 * reads, "rows": 30, "bytes": 4_096}));
        let refusal = |rule: &str, refusals: u64, hour: &str| {
            Some(
                json!({"rule": rule, "refusals": refusals, "firstAt": format!("2026-11-{hour}:05:00Z"), "lastAt": format!("2026-11-{hour}:50:00Z")}),
            )
        };
        let rows = [
            row(Kind::Agreement, 3, Some(json!({"target": "=HYPERLINK(\"http://x\")"}))),
            row(Kind::TransferStarted, 4, Some(json!({"by": "provider", "reasons": null}))),
            row(Kind::TransferSuspended, 5, Some(json!({"by": "consumer", "reasons": ["Too", "slow."]}))),
            row(Kind::Usage, 6, usage(5)),
            row(Kind::Usage, 7, usage(7)),
            row(Kind::Refusal, 8, refusal("count", 20, "10T08")),
            row(Kind::Refusal, 9, refusal("count", 3, "09T08")),
            row(Kind::Refusal, 10, refusal("purpose", 1, "09T09")),
            row(Kind::AgreementEnded, 11, Some(json!({"what": "ended", "by": "consumer", "reason": "-1+1"}))),
            row(Kind::Administration, 12, Some(json!({"action": "token-made", "cause": {"by": "person", "account": "lin.yue"}}))),
            row(Kind::Decision, 13, None),
            row(Kind::ProductWithdrawn, 14, Some(json!({"cause": {"by": "person", "account": "lin.yue"}}))),
        ];
        for row in &rows {
            gathering.add(row).expect("a document");
        }
        let before = Usage { reads: 2, requests: 4, rows: 30, volume: 96 };
        gathering.finished(&BTreeMap::from([("agr_1".to_owned(), Some(before))]))
    }

    #[test]
    fn a_report_says_what_was_in_its_period() {
        let report = sample();
        assert_eq!((report.leaves, report.erased, report.cut), (12, 1, false));
        assert_eq!((report.log.first_leaf, report.log.last_leaf), (Some(3), Some(14)));
        let used = &report.usage[0];
        let numbers = (used.reads, used.requests, used.rows, used.bytes);
        assert_eq!(numbers, (Some(5), Some(10), Some(0), Some(4_000)), "the last leaf, less what was before");
        let rules: Vec<_> = report.refusals.iter().map(|r| (r.rule.as_str(), r.refusals, r.first_at, r.last_at)).collect();
        assert_eq!(
            rules,
            [
                ("count", 23, at("2026-11-09T08:05:00Z"), at("2026-11-10T08:50:00Z")),
                ("purpose", 1, at("2026-11-09T09:05:00Z"), at("2026-11-09T09:50:00Z"))
            ]
        );
        assert_eq!(
            report.transfers.iter().map(|t| (t.what.as_str(), t.reason.as_str())).collect::<Vec<_>>(),
            [("transfer-started", ""), ("transfer-suspended", "Too slow.")]
        );
        assert_eq!(
            report.changes.iter().map(|c| (c.what.as_str(), c.by.as_str())).collect::<Vec<_>>(),
            [("ended", "consumer"), ("decision", "")]
        );
        let administered = report.administration.iter().map(|a| (a.action.as_str(), a.by.as_str())).collect::<Vec<_>>();
        assert_eq!(administered, [("token-made", "decided by lin.yue"), ("product-withdrawn", "decided by lin.yue")]);
    }

    #[test]
    fn usage_of_which_a_document_was_erased_is_not_known() {
        let usage = Some(json!({"reads": 5, "requests": 10, "rows": 30, "bytes": 4_096}));
        let reads = |last: Option<Value>, before: &[(&str, Option<Usage>)]| {
            let mut gathering = empty();
            gathering.add(&row(Kind::Usage, 3, last)).expect("a document");
            let before = before.iter().map(|(id, usage)| ((*id).to_owned(), *usage)).collect();
            gathering.finished(&before).usage.iter().map(|used| used.reads).collect::<Vec<_>>()
        };
        assert_eq!(reads(usage.clone(), &[]), [Some(5)], "no leaf before: all of it");
        assert_eq!(reads(usage, &[("agr_1", None)]), [None], "not since the agreement was made");
        assert_eq!(reads(None, &[]), [None], "that there was something is said");
    }

    #[test]
    fn a_damaged_document_is_not_taken_for_an_erased_one() {
        let damaged = EvidenceRow { document: Some("{".into()), ..row(Kind::Agreement, 1, None) };
        assert!(empty().add(&damaged).is_err());
    }

    #[test]
    fn a_report_is_bounded_and_says_so() {
        let mut gathering = empty();
        for n in 0..LINES_MAX as u64 + 5 {
            gathering.add(&row(Kind::Agreement, n, Some(json!({"target": "wind"})))).expect("a document");
        }
        let report = gathering.finished(&BTreeMap::new());
        assert_eq!((report.agreements.len(), report.leaves, report.cut), (LINES_MAX, LINES_MAX as u64 + 5, true));
    }
}
