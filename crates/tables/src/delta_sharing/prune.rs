//! Which files a query's hints rule out (PROTOCOL.md, "SQL Expressions for Filtering" and "JSON
//! predicates for Filtering").
//!
//! Hints are best effort: clients filter again. So a file is left out only when its statistics prove
//! that no row of it can match; whatever is not understood, in a hint or in the statistics, keeps it.

use std::{
    cmp::Ordering::{self, Equal, Greater, Less},
    str::FromStr,
};

use serde_json::Value;

use crate::publish::{FileStats, TableSchema};

/// Most SQL hints in a query: they are joined by AND, and more than this helps nobody.
pub const MAX_HINTS: usize = 1_000;
/// Deepest tree of a JSON hint: the reference server's limit.
pub const MAX_DEPTH: usize = 100;
/// Longest JSON hint in bytes: the reference server's limit.
pub const MAX_JSON_HINT_BYTES: usize = 1024 * 1024;

/// What rows a query wants.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Predicate {
    /// All of these.
    all: Vec<Expr>,
    /// A hint was given, understood or not.
    given: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Expr {
    Unknown,
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    IsNull(String),
    Compare { column: String, op: Op, literal: Literal },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Eq,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Debug, Clone, PartialEq)]
struct Literal {
    text: String,
    /// It was quoted, or declared a string, date or timestamp.
    quoted: bool,
}

/// Whether a condition can hold, and whether it can fail, for some row of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct May {
    hold: bool,
    fail: bool,
}

const ANYTHING: May = May { hold: true, fail: true };

impl Predicate {
    /// Reads both forms of hints; a part that is not understood restricts nothing.
    pub fn from_hints(sql: &[String], json: Option<&str>) -> Self {
        let mut all: Vec<Expr> = sql.iter().map(|hint| parse_sql(hint).unwrap_or(Expr::Unknown)).collect();
        if let Some(json) = json.filter(|j| !j.trim().is_empty()) {
            let tree = (json.len() <= MAX_JSON_HINT_BYTES)
                .then(|| serde_json::from_str::<Value>(json).ok())
                .flatten()
                .map_or(Expr::Unknown, |v| from_json(&v, 1));
            all.push(tree);
        }
        Self { given: !all.is_empty(), all }
    }

    /// Whether no hint was given.
    pub fn is_empty(&self) -> bool {
        !self.given
    }

    /// Whether the file may hold a wanted row.
    pub fn may_match(&self, schema: &TableSchema, stats: &FileStats) -> bool {
        self.all.iter().all(|expr| evaluate(expr, schema, stats).hold)
    }
}

fn evaluate(expr: &Expr, schema: &TableSchema, stats: &FileStats) -> May {
    match expr {
        Expr::Unknown => ANYTHING,
        Expr::Not(inner) => {
            let May { hold, fail } = evaluate(inner, schema, stats);
            May { hold: fail, fail: hold }
        }
        Expr::And(parts) => parts
            .iter()
            .map(|p| evaluate(p, schema, stats))
            .fold(May { hold: true, fail: false }, |a, b| May { hold: a.hold && b.hold, fail: a.fail || b.fail }),
        Expr::Or(parts) => parts
            .iter()
            .map(|p| evaluate(p, schema, stats))
            .fold(May { hold: false, fail: true }, |a, b| May { hold: a.hold || b.hold, fail: a.fail && b.fail }),
        Expr::IsNull(column) => match schema.column(column).and_then(|c| nulls(stats, &c.name)) {
            Some(nulls) => May { hold: nulls > 0, fail: nulls < stats.num_records },
            None => ANYTHING,
        },
        Expr::Compare { column, op, literal } => compare(column, *op, literal, schema, stats),
    }
}

fn nulls(stats: &FileStats, column: &str) -> Option<u64> {
    stats.null_count.get(column).and_then(Value::as_u64)
}

fn compare(column: &str, op: Op, literal: &Literal, schema: &TableSchema, stats: &FileStats) -> May {
    let Some(column) = schema.column(column) else { return ANYTHING };
    let Some(kind) = column.data_type.as_str() else { return ANYTHING };
    // A comparison with a missing value neither holds nor fails.
    if nulls(stats, &column.name).is_some_and(|n| n == stats.num_records) {
        return May { hold: false, fail: false };
    }
    let Some(wanted) = Scalar::from_literal(literal, kind) else { return ANYTHING };
    let bound = |values: &serde_json::Map<String, Value>| {
        values.get(&column.name).and_then(|v| Scalar::from_stat(v, kind)).and_then(|b| b.compare(&wanted))
    };
    // How the smallest and largest value stand to the literal; None when not known.
    let (min, max) = (bound(&stats.min_values), bound(&stats.max_values));
    let some_less = min.is_none_or(|o| o == Less);
    let some_greater = max.is_none_or(|o| o == Greater);
    let some_at_most = min.is_none_or(|o| o != Greater);
    let some_at_least = max.is_none_or(|o| o != Less);
    match op {
        Op::Eq => May {
            hold: some_at_most && some_at_least,
            // Bounds are rounded outwards, so that equal bounds do not always mean one value; if both
            // equal the literal, every value does.
            fail: !(min == Some(Equal) && max == Some(Equal)),
        },
        Op::Lt => May { hold: some_less, fail: some_at_least },
        Op::Le => May { hold: some_at_most, fail: some_greater },
        Op::Gt => May { hold: some_greater, fail: some_at_most },
        Op::Ge => May { hold: some_at_least, fail: some_less },
    }
}

/// A value that can be compared under one column type.
#[derive(Debug, Clone, PartialEq)]
enum Scalar {
    Int(i64),
    Float(f64),
    Text(String),
    Date(jiff::civil::Date),
    Time(jiff::Timestamp),
    Clock(jiff::civil::DateTime),
}

impl Scalar {
    /// A hint's literal, read as the column's type; `None` when it is not certain what engines make of it.
    fn from_literal(literal: &Literal, kind: &str) -> Option<Self> {
        let text = literal.text.as_str();
        match kind {
            "byte" | "short" | "integer" | "long" => text.parse().ok().map(Self::Int),
            "double" => number(text).map(Self::Float),
            // An engine may read the literal in 32 or 64 bits: certain only where that is the same.
            "float" => number(text).filter(|v| is_f32(*v)).map(Self::Float),
            // Engines compare exactly, statistics are 64-bit floats: whole numbers are certain.
            k if k.starts_with("decimal(") => number(text).filter(|v| v.fract() == 0.0).map(Self::Float),
            "string" => literal.quoted.then(|| Self::Text(text.into())),
            "date" if literal.quoted && text.len() == 10 => text.parse().ok().map(Self::Date),
            "timestamp" if literal.quoted && text.len() > 10 => jiff::Timestamp::from_str(text).ok().map(Self::Time),
            "timestamp_ntz" if literal.quoted && text.len() > 10 && !text.ends_with(['Z', 'z']) => {
                has_no_zone(text).then(|| text.parse().ok().map(Self::Clock)).flatten()
            }
            _ => None,
        }
    }

    /// A bound of our own statistics.
    fn from_stat(value: &Value, kind: &str) -> Option<Self> {
        match kind {
            "byte" | "short" | "integer" | "long" => value.as_i64().map(Self::Int),
            "double" | "float" => value.as_f64().map(Self::Float),
            k if k.starts_with("decimal(") => value.as_f64().map(Self::Float),
            "string" => value.as_str().map(|s| Self::Text(s.into())),
            "date" => value.as_str()?.parse().ok().map(Self::Date),
            "timestamp" => value.as_str()?.parse().ok().map(Self::Time),
            "timestamp_ntz" => value.as_str()?.parse().ok().map(Self::Clock),
            _ => None,
        }
    }

    fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            // By code point, as engines do.
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Date(a), Self::Date(b)) => Some(a.cmp(b)),
            (Self::Time(a), Self::Time(b)) => Some(a.cmp(b)),
            (Self::Clock(a), Self::Clock(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|v| v.is_finite())
}

#[expect(clippy::cast_possible_truncation, reason = "the point of the check")]
fn is_f32(v: f64) -> bool {
    f64::from(v as f32).to_bits() == v.to_bits()
}

/// Whether a text such as `2024-01-01T00:00:00.5` ends with its clock.
fn has_no_zone(text: &str) -> bool {
    text.get(10..).is_some_and(|clock| !clock.contains(['+', '-', '[']))
}

/// `column op literal`, `literal op column`, `column IS [NOT] NULL`; anything else is `None`.
fn parse_sql(hint: &str) -> Option<Expr> {
    let tokens = tokenize(hint)?;
    let word = |t: &Token, w: &str| matches!(t, Token::Name(n) if n.eq_ignore_ascii_case(w));
    match tokens.as_slice() {
        [Token::Name(column) | Token::Quoted(column), is, null] if word(is, "is") && word(null, "null") => {
            Some(Expr::IsNull(column.clone()))
        }
        [Token::Name(column) | Token::Quoted(column), is, not, null] if word(is, "is") && word(not, "not") && word(null, "null") => {
            Some(Expr::Not(Box::new(Expr::IsNull(column.clone()))))
        }
        [Token::Name(column) | Token::Quoted(column), Token::Op(op), Token::Literal(literal)] => comparison(column, op, literal),
        [Token::Literal(literal), Token::Op(op), Token::Name(column) | Token::Quoted(column)] => {
            let op = match op.as_str() {
                "<" => ">",
                ">" => "<",
                "<=" => ">=",
                ">=" => "<=",
                other => other,
            };
            comparison(column, op, literal)
        }
        _ => None,
    }
}

fn comparison(column: &str, op: &str, literal: &Literal) -> Option<Expr> {
    let of = |op| Expr::Compare { column: column.into(), op, literal: literal.clone() };
    Some(match op {
        "=" | "==" => of(Op::Eq),
        "<>" | "!=" => Expr::Not(Box::new(of(Op::Eq))),
        "<" => of(Op::Lt),
        "<=" => of(Op::Le),
        ">" => of(Op::Gt),
        ">=" => of(Op::Ge),
        _ => return None,
    })
}

#[derive(Debug, PartialEq)]
enum Token {
    Name(String),
    /// In backticks: always a column.
    Quoted(String),
    Literal(Literal),
    Op(String),
}

/// Longest SQL hint in tokens that can be understood, with one to spare.
const MAX_TOKENS: usize = 5;

fn tokenize(hint: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = hint.trim_start();
    while let Some(first) = rest.chars().next() {
        let used = match first {
            '\'' | '"' => {
                let end = 1 + rest.get(1..)?.find(first)?;
                let text = rest.get(1..end)?;
                // Escapes differ between dialects, and so do doubled quotes.
                if text.contains('\\') || rest.get(end + 1..)?.starts_with(first) {
                    return None;
                }
                tokens.push(Token::Literal(Literal { text: text.into(), quoted: true }));
                end + 1
            }
            '`' => {
                let end = 1 + rest.get(1..)?.find('`')?;
                if rest.get(end + 1..)?.starts_with('`') {
                    return None;
                }
                tokens.push(Token::Quoted(rest.get(1..end)?.into()));
                end + 1
            }
            '=' | '<' | '>' | '!' => {
                let end = rest.find(|c| !matches!(c, '=' | '<' | '>' | '!')).unwrap_or(rest.len());
                tokens.push(Token::Op(rest[..end].into()));
                end
            }
            '0'..='9' | '-' | '.' => {
                let end = rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')).unwrap_or(rest.len());
                let text = &rest[..end];
                number(text)?;
                tokens.push(Token::Literal(Literal { text: text.into(), quoted: false }));
                end
            }
            c if c.is_alphabetic() || c == '_' => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                tokens.push(Token::Name(rest[..end].into()));
                end
            }
            _ => return None,
        };
        if tokens.len() > MAX_TOKENS {
            return None;
        }
        rest = rest[used..].trim_start();
    }
    Some(tokens)
}

fn from_json(node: &Value, depth: usize) -> Expr {
    tree(node, depth).unwrap_or(Expr::Unknown)
}

fn tree(node: &Value, depth: usize) -> Option<Expr> {
    if depth > MAX_DEPTH {
        return None;
    }
    let children = node.get("children").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let each = || children.iter().map(|c| from_json(c, depth + 1)).collect();
    Some(match (node.get("op")?.as_str()?, children) {
        ("and", [_, ..]) => Expr::And(each()),
        ("or", [_, ..]) => Expr::Or(each()),
        ("not", [child]) => Expr::Not(Box::new(from_json(child, depth + 1))),
        ("isNull", [child]) => Expr::IsNull(json_column(child)?.to_owned()),
        (name, [left, right]) => {
            let op = match name {
                "equal" => "=",
                "lessThan" => "<",
                "lessThanOrEqual" => "<=",
                "greaterThan" => ">",
                "greaterThanOrEqual" => ">=",
                _ => return None,
            };
            if let (Some(column), Some(literal)) = (json_column(left), json_literal(right)) {
                return comparison(column, op, &literal);
            }
            let op = match op {
                "<" => ">",
                ">" => "<",
                "<=" => ">=",
                ">=" => "<=",
                other => other,
            };
            return comparison(json_column(right)?, op, &json_literal(left)?);
        }
        _ => return None,
    })
}

fn json_column(node: &Value) -> Option<&str> {
    (node.get("op")?.as_str()? == "column").then(|| node.get("name")?.as_str())?
}

fn json_literal(node: &Value) -> Option<Literal> {
    if node.get("op")?.as_str()? != "literal" {
        return None;
    }
    let quoted = matches!(node.get("valueType")?.as_str()?, "string" | "date" | "timestamp");
    Some(Literal { text: node.get("value")?.as_str()?.to_owned(), quoted })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::publish::Column;

    fn schema() -> TableSchema {
        let column = |name: &str, kind: &str| Column {
            name: name.into(),
            data_type: json!(kind),
            nullable: true,
            description: String::new(),
            source_type: String::new(),
        };
        TableSchema {
            columns: vec![
                column("n", "long"),
                column("Name", "string"),
                column("day", "date"),
                column("at", "timestamp"),
                column("clock", "timestamp_ntz"),
                column("f", "float"),
                column("empty", "long"),
            ],
        }
    }

    fn stats() -> FileStats {
        serde_json::from_value(json!({
            "numRecords": 10,
            "minValues": {"n": 5, "Name": "b", "day": "2024-01-10", "at": "2024-01-10T00:00:00.000Z",
                          "clock": "2024-01-10T00:00:00.000", "f": 0.5},
            "maxValues": {"n": 9, "Name": "k", "day": "2024-01-20", "at": "2024-01-20T00:00:00.001Z",
                          "clock": "2024-01-20T00:00:00.000", "f": 1.5},
            "nullCount": {"n": 0, "Name": 3, "day": 0, "at": 0, "clock": 0, "f": 0, "empty": 10},
        }))
        .unwrap()
    }

    #[test]
    fn sql_hints() {
        let cases = [
            ("n = 5", true),
            ("n = 4", false),
            ("4 = n", false),
            ("`N` > 9", false),
            ("n >= 9", true),
            ("10 > n", true),
            ("5 > n", false),
            ("n <> 7", true),
            ("n is null", false),
            ("n IS NOT NULL", true),
            ("name IS NULL", true),
            ("empty = 1", false),
            ("empty <> 1", false),
            ("empty IS NOT NULL", false),
            ("name = 'a'", false),
            ("name > 'k'", false),
            ("name > 'jzz'", true),
            ("day < '2024-01-10'", false),
            ("day <= '2024-01-10'", true),
            ("at > '2024-02-01T00:00:00Z'", false),
            ("clock > '2024-02-01T00:00:00'", false),
            ("f > 2", false),
            // Kept, because it is not certain what is meant.
            ("at > '2024-02-01T00:00:00'", true),
            ("clock > '2024-02-01T00:00:00Z'", true),
            ("f = 0.1", true),
            ("name = 5", true),
            ("name = 'a''b'", true),
            ("n = 4 AND n = 5", true),
            ("hidden = 1", true),
            ("n = 'x'", true),
            ("lower(name) = 'a'", true),
            ("", true),
            ("'", true),
            ("n = 4.5", true),
        ];
        for (hint, kept) in cases {
            let p = Predicate::from_hints(&[hint.to_owned()], None);
            assert_eq!(p.may_match(&schema(), &stats()), kept, "{hint}");
        }
    }

    #[test]
    fn json_hints() {
        let leaf = |op: &str, name: &str, value: &str, kind: &str| {
            json!({"op": op, "children": [
                {"op": "column", "name": name, "valueType": kind},
                {"op": "literal", "value": value, "valueType": kind}]})
        };
        let cases = [
            (leaf("equal", "n", "4", "long"), false),
            (json!({"op": "not", "children": [leaf("greaterThanOrEqual", "n", "5", "long")]}), false),
            (json!({"op": "or", "children": [leaf("equal", "n", "4", "long"), leaf("equal", "n", "5", "long")]}), true),
            (json!({"op": "and", "children": [leaf("equal", "n", "6", "long"), leaf("equal", "name", "z", "string")]}), false),
            (json!({"op": "and", "children": [{"op": "magic"}, leaf("equal", "n", "4", "long")]}), false),
            (json!({"op": "or", "children": [{"op": "magic"}, leaf("equal", "n", "4", "long")]}), true),
            (json!({"op": "not", "children": [{"op": "magic"}]}), true),
            (json!({"op": "isNull", "children": [{"op": "column", "name": "n"}]}), false),
            (json!({"op": "and", "children": []}), true),
            (json!({"op": "or", "children": []}), true),
            (json!(7), true),
        ];
        for (tree, kept) in cases {
            let p = Predicate::from_hints(&[], Some(&tree.to_string()));
            assert!(!p.is_empty());
            assert_eq!(p.may_match(&schema(), &stats()), kept, "{tree}");
        }
    }

    #[test]
    fn trees_that_are_too_deep_restrict_nothing() {
        let mut tree = json!({"op": "equal", "children": [
            {"op": "column", "name": "n"}, {"op": "literal", "value": "4", "valueType": "long"}]});
        for _ in 0..110 {
            tree = json!({"op": "and", "children": [tree]});
        }
        assert!(Predicate::from_hints(&[], Some(&tree.to_string())).may_match(&schema(), &stats()));
        let open = "{\"op\":\"not\",\"children\":[".repeat(100_000);
        assert!(Predicate::from_hints(&[], Some(&open)).may_match(&schema(), &stats()));
    }

    /// One part with this outcome decides; else one that is unknown leaves all unknown.
    fn decided(parts: &[Expr], row: (Option<i64>, Option<&str>), outcome: bool) -> Option<bool> {
        let truths: Vec<Option<bool>> = parts.iter().map(|p| truth(p, row)).collect();
        if truths.contains(&Some(outcome)) {
            Some(outcome)
        } else if truths.contains(&None) {
            None
        } else {
            Some(!outcome)
        }
    }

    /// SQL's three-valued truth of an expression for one row of (n, Name).
    fn truth(expr: &Expr, row: (Option<i64>, Option<&str>)) -> Option<bool> {
        match expr {
            Expr::Unknown => Some(true),
            Expr::Not(e) => truth(e, row).map(|b| !b),
            Expr::And(parts) => decided(parts, row, false),
            Expr::Or(parts) => decided(parts, row, true),
            Expr::IsNull(c) => Some(if c == "n" { row.0.is_none() } else { row.1.is_none() }),
            Expr::Compare { column, op, literal } => {
                let order = if column == "n" { row.0?.cmp(&literal.text.parse().unwrap()) } else { row.1?.cmp(literal.text.as_str()) };
                Some(match op {
                    Op::Eq => order.is_eq(),
                    Op::Lt => order.is_lt(),
                    Op::Le => order.is_le(),
                    Op::Gt => order.is_gt(),
                    Op::Ge => order.is_ge(),
                })
            }
        }
    }

    fn expressions() -> impl Strategy<Value = Expr> {
        let op = prop_oneof![Just(Op::Eq), Just(Op::Lt), Just(Op::Le), Just(Op::Gt), Just(Op::Ge)];
        let leaf = prop_oneof![
            (op.clone(), -4_i64..4).prop_map(|(op, v)| Expr::Compare {
                column: "n".into(),
                op,
                literal: Literal { text: v.to_string(), quoted: false },
            }),
            (op, "[a-c]{0,2}").prop_map(|(op, text)| Expr::Compare { column: "Name".into(), op, literal: Literal { text, quoted: true } }),
            prop_oneof![Just("n"), Just("Name")].prop_map(|c| Expr::IsNull(c.into())),
        ];
        leaf.prop_recursive(4, 24, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 1..4).prop_map(Expr::And),
                proptest::collection::vec(inner.clone(), 1..4).prop_map(Expr::Or),
                inner.prop_map(|e| Expr::Not(Box::new(e))),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn a_file_left_out_holds_no_matching_row(
            expr in expressions(),
            rows in proptest::collection::vec(
                (proptest::option::of(-4_i64..4), proptest::option::of("[a-c]{0,2}")), 1..6),
        ) {
            let ints: Vec<i64> = rows.iter().filter_map(|r| r.0).collect();
            let texts: Vec<&String> = rows.iter().filter_map(|r| r.1.as_ref()).collect();
            let mut stats = FileStats { num_records: rows.len() as u64, ..FileStats::default() };
            if let (Some(min), Some(max)) = (ints.iter().min(), ints.iter().max()) {
                stats.min_values.insert("n".into(), json!(min));
                stats.max_values.insert("n".into(), json!(max));
            }
            if let (Some(min), Some(max)) = (texts.iter().min(), texts.iter().max()) {
                stats.min_values.insert("Name".into(), json!(min));
                stats.max_values.insert("Name".into(), json!(max));
            }
            stats.null_count.insert("n".into(), json!(rows.len() - ints.len()));
            stats.null_count.insert("Name".into(), json!(rows.len() - texts.len()));
            let predicate = Predicate { all: vec![expr.clone()], given: true };
            if !predicate.may_match(&schema(), &stats) {
                for row in &rows {
                    prop_assert_ne!(truth(&expr, (row.0, row.1.as_deref())), Some(true));
                }
            }
        }

        #[test]
        fn any_hint_is_read_without_panic(sql in "\\PC{0,40}", json in "\\PC{0,60}") {
            let p = Predicate::from_hints(&[sql], Some(&json));
            let _ = p.may_match(&schema(), &stats());
        }
    }
}
