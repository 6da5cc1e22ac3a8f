//! Text for people: aligned tables and fields, times, sizes. All of it passes [`clean`], because titles, reasons
//! and names come from other organisations and a terminal obeys what is written to it.

use fondaco_console::format::{Bytes, Count};
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

/// Gap between columns, in cells.
const GAP: usize = 2;
/// Longest title in a table, in characters: ids must stay whole, titles need not.
pub(super) const TITLE_MAX_CHARS: usize = 44;

/// The same text without characters that move the cursor, colour, hide or turn text.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// At most `max` characters, with a mark where it was cut.
pub(super) fn short(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    text.chars().take(max.saturating_sub(1)).chain(['…']).collect()
}

/// `2026-11-21T20:24:17.123Z` as `2026-11-21 20:24:17 UTC`; anything else as it is.
pub(super) fn when(iso: &str) -> String {
    match iso.get(..19) {
        Some(start) if iso.ends_with('Z') && start.as_bytes().get(10) == Some(&b'T') => {
            format!("{} {} UTC", &start[..10], &start[11..])
        }
        _ => iso.to_owned(),
    }
}

/// A size in binary units, or nothing.
pub(super) fn bytes(n: Option<u64>) -> String {
    n.map_or_else(String::new, |n| Bytes(n).to_string())
}

/// A number with thousands separators, or nothing.
pub(super) fn count(n: Option<u64>) -> String {
    n.map_or_else(String::new, |n| Count(n).to_string())
}

/// A member that is text; empty when absent.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("")
}

/// A member that is a whole number.
pub(super) fn number(value: &Value, key: &str) -> Option<u64> {
    value.get(key).and_then(Value::as_u64)
}

/// A member that is a list; empty when absent.
pub(super) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A member that is a list of texts.
pub(super) fn texts<'a>(value: &'a Value, key: &str) -> Vec<&'a str> {
    list(value, key).iter().filter_map(Value::as_str).collect()
}

/// Longest value in a preview, in characters.
const PREVIEW_CELL_CHARS: usize = 40;

/// The first rows as another sees them, and what is to be known about them.
pub(super) fn preview(p: &Value) -> String {
    let mut out: String = texts(p, "terms").iter().map(|term| format!("{}\n", clean(term))).collect();
    if let Some(rows) = number(p, "minGroupSize") {
        out.push_str(&format!("No rows are seen: only aggregates over at least {rows} rows, by SQL.\n"));
        return out;
    }
    let columns = texts(p, "columns");
    let rows = list(p, "rows");
    let is_number = |column: &str| rows.iter().filter_map(|r| r.get(column)).all(Value::is_number);
    let mut table = Table::of(columns.iter().map(|name| (short(name, PREVIEW_CELL_CHARS), is_number(name))));
    for row in rows {
        let cell = |name: &&str| match row.get(*name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => short(text, PREVIEW_CELL_CHARS),
            Some(other) => short(&other.to_string(), PREVIEW_CELL_CHARS),
        };
        table.row(columns.iter().map(cell));
    }
    let at_beginning = p.get("lookedAtBeginning") == Some(&Value::Bool(true));
    out.push_str(&table.render(if at_beginning { "No rows are seen at the beginning of the table." } else { "No rows are seen." }));
    if p.get("sampleHashes") == Some(&Value::Bool(true)) {
        out.push_str("Hashes are examples: under an agreement they are others.\n");
    }
    if !rows.is_empty() && at_beginning {
        out.push_str("Only the beginning of the table was looked at.\n");
    }
    out
}

/// A table with a heading. Widths count terminal cells, so Chinese titles stay aligned.
#[derive(Debug)]
pub(super) struct Table {
    /// Names of columns, and whether they hold numbers, which align right.
    head: Vec<(String, bool)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns; those also named in `right` hold numbers and align right.
    pub(super) fn new(head: &[&'static str], right: &[&'static str]) -> Self {
        Self::of(head.iter().map(|name| ((*name).to_owned(), right.contains(name))))
    }

    /// A table with columns of any names, and whether each holds numbers.
    pub(super) fn of(columns: impl IntoIterator<Item = (String, bool)>) -> Self {
        Self { head: columns.into_iter().map(|(name, number)| (clean(&name), number)).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(super) fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(|c| clean(c.as_ref())).collect());
    }

    /// The lines, or `empty` when there are no rows.
    pub(super) fn render(&self, empty: &str) -> String {
        if self.rows.is_empty() {
            return format!("{empty}\n");
        }
        let widths: Vec<usize> = (0..self.head.len())
            .map(|i| self.rows.iter().filter_map(|r| r.get(i)).map(|c| c.width()).fold(self.head[i].0.width(), usize::max))
            .collect();
        let mut out = String::new();
        let head = self.head.iter().map(|(name, _)| name.clone()).collect();
        for row in std::iter::once(&head).chain(&self.rows) {
            let mut line = String::new();
            for (i, cell) in row.iter().enumerate().take(widths.len()) {
                let pad = " ".repeat(widths[i] - cell.width());
                if self.head[i].1 {
                    line.push_str(&pad);
                    line.push_str(cell);
                } else {
                    line.push_str(cell);
                    line.push_str(&pad);
                }
                line.push_str(&" ".repeat(GAP));
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

/// Named values, one a line, aligned.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(&'static str, String)>);

impl Fields {
    /// Adds a value; an empty one is left out.
    pub(super) fn add(&mut self, name: &'static str, value: impl AsRef<str>) -> &mut Self {
        if !value.as_ref().is_empty() {
            self.0.push((name, clean(value.as_ref())));
        }
        self
    }

    /// Adds a value that spans lines: the first beside the name, the rest below it.
    pub(super) fn add_lines<S: AsRef<str>>(&mut self, name: &'static str, lines: impl IntoIterator<Item = S>) -> &mut Self {
        for (i, line) in lines.into_iter().enumerate() {
            self.0.push((if i == 0 { name } else { "" }, clean(line.as_ref())));
        }
        self
    }

    /// The lines.
    pub(super) fn render(&self) -> String {
        let width = self.0.iter().map(|(name, _)| name.width()).max().unwrap_or(0) + GAP;
        let line = |(name, value): &(&'static str, String)| format!("{name:width$}{value}\n");
        self.0.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tables_align_by_cells_not_characters() {
        let mut t = Table::new(&["ID", "TITLE", "ROWS"], &["ROWS"]);
        t.row(["flights", "Flights of 2013", "336,776"]);
        t.row(["air", "空气质量", "12"]);
        assert_eq!(
            t.render("none"),
            "ID       TITLE               ROWS\n\
             flights  Flights of 2013  336,776\n\
             air      空气质量              12\n"
        );
        assert_eq!(Table::new(&["ID"], &[]).render("No products yet."), "No products yet.\n");
    }

    #[test]
    fn a_preview_in_a_terminal() {
        let mut p = json!({"terms": ["It may be read once."], "columns": ["id", "badge"], "sampleHashes": true, "lookedAtBeginning": true,
            "rows": [{"id": 10, "badge": "\u{1b}ab"}, {"id": 2}]});
        assert_eq!(
            preview(&p),
            "It may be read once.\nid  badge\n10  \u{fffd}ab\n 2\nHashes are examples: under an agreement they are others.\n\
             Only the beginning of the table was looked at.\n"
        );
        p["rows"] = json!([]);
        assert!(preview(&p).contains("No rows are seen at the beginning"));
        p["minGroupSize"] = 5.into();
        assert!(preview(&p).contains("at least 5 rows") && !preview(&p).contains("badge"));
    }

    #[test]
    fn fields_align_and_leave_out_what_is_not_there() {
        let mut f = Fields::default();
        f.add("State", "FINALIZED").add("Ended", "").add_lines("Terms", ["You may use it.", "Until 2027."]);
        assert_eq!(f.render(), "State  FINALIZED\nTerms  You may use it.\n       Until 2027.\n");
    }

    #[test]
    fn foreign_text_cannot_drive_the_terminal() {
        let mut t = Table::new(&["A"], &[]);
        t.row(["\u{1b}]0;owned\u{7}\nnext\u{202e}line"]);
        let out = t.render("");
        assert_eq!(out.lines().count(), 2);
        assert!(!out.contains(['\u{1b}', '\u{7}', '\u{202e}']));
    }

    #[test]
    fn times_sizes_and_members() {
        assert_eq!(when("2026-11-21T20:24:17.123Z"), "2026-11-21 20:24:17 UTC");
        assert_eq!(when("2026-11-21T20:24:17+08:00"), "2026-11-21T20:24:17+08:00");
        assert_eq!(when("ééééééééééééZ"), "ééééééééééééZ");
        assert_eq!(count(Some(336_776)), "336,776");
        assert_eq!(bytes(None), "");
        assert_eq!(short("abcdef", 4), "abc…");
        let v = json!({"a": "x", "l": ["p", 1, "q"], "n": 3});
        assert_eq!((text(&v, "a"), text(&v, "n"), number(&v, "n")), ("x", "", Some(3)));
        assert_eq!(texts(&v, "l"), ["p", "q"]);
        assert!(list(&v, "none").is_empty());
    }
}
