//! A report as CSV: one table, whose first column says which part of the report a line is of.
//!
//! Programs for spreadsheets run what looks like a formula. Names, reasons and ids come from other organisations, so a text
//! that begins like one gets an apostrophe in front.

use fondaco_core::{
    Error, Result,
    report::{Report, Step},
    time::Timestamp,
};

/// The columns.
const COLUMNS: [&str; 15] = [
    "part",
    "at",
    "agreement",
    "peer",
    "object",
    "what",
    "by",
    "reason",
    "reads",
    "requests",
    "rows",
    "bytes",
    "refusals",
    "firstAt",
    "lastAt",
];
/// What a formula begins with, or what a program may skip before one; the wide forms too, which some programs read as the same.
const FORMULA: [char; 12] = ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}', '|'];

/// A text that no program takes for a formula.
fn safe(text: &str) -> String {
    if text.trim_start_matches(' ').starts_with(FORMULA) { format!("'{text}") } else { text.to_owned() }
}

/// A line, by the names of its columns.
#[derive(Default)]
struct Line([String; COLUMNS.len()]);

impl Line {
    fn of(part: &str) -> Self {
        Self::default().text("part", part)
    }

    fn set(mut self, column: &str, value: String) -> Self {
        if let Some(cell) = COLUMNS.iter().position(|name| *name == column).and_then(|at| self.0.get_mut(at)) {
            *cell = value;
        }
        self
    }

    fn text(self, column: &str, value: &str) -> Self {
        self.set(column, safe(value))
    }

    fn number(self, column: &str, value: u64) -> Self {
        self.set(column, value.to_string())
    }

    /// Nothing where it is not known.
    fn known(self, column: &str, value: Option<u64>) -> Self {
        self.set(column, value.map(|value| value.to_string()).unwrap_or_default())
    }

    fn time(self, column: &str, at: Timestamp) -> Self {
        self.set(column, at.to_rfc3339())
    }

    fn step(part: &str, step: &Step) -> Self {
        let line =
            Self::of(part).time("at", step.at).text("agreement", &step.agreement).text("peer", &step.peer).text("object", &step.object);
        line.text("what", &step.what).text("by", &step.by).text("reason", &step.reason)
    }
}

/// The report as CSV (RFC 4180), in UTF-8.
///
/// # Errors
/// Never, in practice: it is written into memory.
pub fn csv(report: &Report) -> Result<String> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let mut put = |line: &[String]| writer.write_record(line).map_err(Error::internal_failure);
    put(&COLUMNS.map(str::to_owned))?;
    let whole = Line::of("report").time("at", report.made_at).text("object", &report.did).text("what", "made");
    put(&whole.time("firstAt", report.from).time("lastAt", report.to).0)?;
    let log = Line::of("log").text("object", &report.log.origin).text("what", &report.log.root).number("rows", report.log.size);
    put(&log.text("at", report.log.signed_at.as_deref().unwrap_or_default()).0)?;
    for a in &report.agreements {
        let line = Line::of("agreement").time("at", a.at).text("agreement", &a.agreement).text("peer", &a.peer);
        put(&line.text("object", &a.product).text("what", "made").0)?;
    }
    for step in &report.changes {
        put(&Line::step("change", step).0)?;
    }
    for step in &report.transfers {
        put(&Line::step("transfer", step).0)?;
    }
    for u in &report.usage {
        let line = Line::of("usage").text("agreement", &u.agreement).text("peer", &u.peer).known("reads", u.reads);
        put(&line.known("requests", u.requests).known("rows", u.rows).known("bytes", u.bytes).0)?;
    }
    for r in &report.refusals {
        let line = Line::of("refusal").text("agreement", &r.agreement).text("peer", &r.peer).text("what", &r.rule);
        put(&line.number("refusals", r.refusals).time("firstAt", r.first_at).time("lastAt", r.last_at).0)?;
    }
    for a in &report.administration {
        let line = Line::of("administration").time("at", a.at).text("object", &a.object);
        put(&line.text("what", &a.action).text("by", &a.by).0)?;
    }
    if report.cut {
        put(&Line::of("cut").text("what", "lines were left out").0)?;
    }
    let bytes = writer.into_inner().map_err(|e| Error::internal_failure(e.to_string()))?;
    String::from_utf8(bytes).map_err(Error::internal_failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_in_the_table_and_none_is_a_formula() {
        let text = csv(&super::super::tests::sample()).expect("CSV");
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.headers().expect("columns").iter().collect::<Vec<_>>(), COLUMNS);
        let lines: Vec<csv::StringRecord> = reader.records().map(|line| line.expect("a line")).collect();
        let part = |name: &str| lines.iter().filter(|line| &line[0] == name).collect::<Vec<_>>();
        for (name, count) in [
            ("report", 1),
            ("log", 1),
            ("agreement", 1),
            ("change", 2),
            ("transfer", 2),
            ("usage", 1),
            ("refusal", 2),
            ("administration", 2),
        ] {
            assert_eq!(part(name).len(), count, "{name}");
        }
        assert_eq!(&part("agreement")[0][4], "'=HYPERLINK(\"http://x\")");
        assert_eq!(&part("change")[0][7], "'-1+1");
        assert_eq!(part("usage")[0].iter().skip(8).take(4).collect::<Vec<_>>(), ["5", "10", "0", "4000"]);
        for cell in lines.iter().flat_map(|line| line.iter()) {
            assert!(!cell.starts_with(FORMULA), "{cell}");
        }
    }

    #[test]
    fn what_looks_like_a_formula_is_a_text() {
        for formula in ["=1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "\u{ff1d}1", "|calc"] {
            assert_eq!(safe(formula), format!("'{formula}"));
        }
        for text in ["", "wind", "a=b", "did:web:a", "2026-11-01"] {
            assert_eq!(safe(text), text);
        }
    }
}
