//! Row filters: the closed expression language of the constraint `rowFilter`.
//!
//! A filter compares columns with literals, and nothing else: no function, no arithmetic, no other table. So it can be
//! checked for types when a product is published, said in words, decided from bounds alone, and never fails on a value.
//!
//! ```text
//! filter     = and { "OR" and }
//! and        = not { "AND" not }
//! not        = [ "NOT" ] ( "(" filter ")" | test | "TRUE" | "FALSE" )
//! test       = field ( "=" | "<>" | "!=" | "<" | "<=" | ">" | ">=" ) literal
//!            | field "IS" [ "NOT" ] "NULL"
//!            | field [ "NOT" ] "IN" "(" literal { "," literal } ")"
//!            | field [ "NOT" ] "BETWEEN" literal "AND" literal
//! field      = name { "." name }              name = letters, digits, "_", or anything between double quotes
//! literal    = 'text' | number | TRUE | FALSE | DATE 'yyyy-mm-dd' | TIMESTAMP 'yyyy-mm-ddThh:mm:ss…'
//! ```
//! Logic is SQL's: a comparison with a missing value is neither true nor false, and a row is seen where the whole is true.

use super::{Comparison, view::Field};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest filter in bytes.
pub const FILTER_MAX_BYTES: usize = 4_000;
/// Deepest nesting of parentheses and `NOT`: each level is a level of recursion.
pub const FILTER_MAX_DEPTH: usize = 32;
/// Most comparisons in a filter.
pub const FILTER_MAX_TESTS: usize = 500;
/// Longest filter as it is written out, in bytes: of the filters of all constraints together too. One filter of
/// [`FILTER_MAX_BYTES`] without spaces, and with every range spelled out, is less than four times as long.
pub const FILTER_MAX_WRITTEN_BYTES: usize = 4 * FILTER_MAX_BYTES;

/// What a row must satisfy to be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Every row, or none.
    Always(bool),
    /// A column compared with a value.
    Compare {
        /// The column.
        field: Field,
        /// How.
        op: Comparison,
        /// With what.
        value: Literal,
    },
    /// A column's value is among these.
    In {
        /// The column.
        field: Field,
        /// The values, at least one.
        values: Vec<Literal>,
    },
    /// A column's value is missing.
    IsNull {
        /// The column.
        field: Field,
    },
    /// The opposite; of neither true nor false, the same.
    Not(Box<Filter>),
    /// All of them, at least two.
    And(Vec<Filter>),
    /// At least one of them, of at least two.
    Or(Vec<Filter>),
}

/// A value as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// Text.
    Text(String),
    /// A decimal number: digits, perhaps a sign, a point and an exponent.
    Number(String),
    /// A truth value.
    Bool(bool),
    /// A day, `yyyy-mm-dd`.
    Date(jiff::civil::Date),
    /// A point in time, or without offset the time of a clock.
    Timestamp {
        /// The time of the clock; in UTC where there is an offset.
        at: jiff::civil::DateTime,
        /// Whether it names a point in time.
        utc: bool,
    },
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// [`crate::Code::Invalid`] saying where it stops being one.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > FILTER_MAX_BYTES {
            return Err(Error::invalid(format!("A row filter has at most {FILTER_MAX_BYTES} bytes.")));
        }
        let mut parser = Parser { tokens: tokens(text)?, at: 0, tests: 0 };
        let filter = parser.filter(0)?;
        match parser.tokens.get(parser.at) {
            None => Ok(filter),
            Some(extra) => Err(wrong(&format!("nothing, or AND, or OR, but found {extra}"))),
        }
    }

    /// Both must hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let parts = |f: Self| if let Self::And(parts) = f { parts } else { vec![f] };
        Self::And(parts(self).into_iter().chain(parts(other)).collect())
    }

    /// The conditions that must all hold.
    pub fn conjuncts(&self) -> &[Self] {
        if let Self::And(parts) = self { parts } else { std::slice::from_ref(self) }
    }

    /// Whether it is no larger than one that a person could have written, also where it is several joined: who reads it
    /// further recurses into it.
    pub fn is_within_limits(&self) -> bool {
        self.tests() <= FILTER_MAX_TESTS && self.to_string().len() <= FILTER_MAX_WRITTEN_BYTES
    }

    fn tests(&self) -> usize {
        match self {
            Self::Always(_) | Self::Compare { .. } | Self::In { .. } | Self::IsNull { .. } => 1,
            Self::Not(inner) => inner.tests(),
            Self::And(parts) | Self::Or(parts) => parts.iter().map(Self::tests).sum(),
        }
    }

    /// Every column it looks at, in order of appearance, with repetitions.
    pub fn fields(&self) -> Vec<&Field> {
        match self {
            Self::Always(_) => Vec::new(),
            Self::Compare { field, .. } | Self::In { field, .. } | Self::IsNull { field } => vec![field],
            Self::Not(inner) => inner.fields(),
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::fields).collect(),
        }
    }

    /// In words, without an end: "site is Suzhou and temperature is below 400".
    pub fn words(&self) -> String {
        self.say(false)
    }

    fn say(&self, inner: bool) -> String {
        let listed = |parts: &[Self], word: &str| {
            let all = parts.iter().map(|p| p.say(true)).collect::<Vec<_>>().join(word);
            if inner { format!("({all})") } else { all }
        };
        match self {
            Self::Always(true) => "always".into(),
            Self::Always(false) => "never".into(),
            Self::Compare { field, op, value } => format!("{field} {} {}", compared(*op), value.words()),
            Self::In { field, values } => format!("{field} is {}", any_of(values)),
            Self::IsNull { field } => format!("{field} is missing"),
            Self::Not(not) => match &**not {
                Self::IsNull { field } => format!("{field} is not missing"),
                Self::In { field, values } => format!("{field} is not {}", any_of(values)),
                other => format!("not ({})", other.say(false)),
            },
            Self::And(parts) => listed(parts, " and "),
            Self::Or(parts) => listed(parts, " or "),
        }
    }
}

fn any_of(values: &[Literal]) -> String {
    values.iter().map(Literal::words).collect::<Vec<_>>().join(" or ")
}

const fn compared(op: Comparison) -> &'static str {
    match op {
        Comparison::Eq => "is",
        Comparison::Neq => "is not",
        Comparison::Lt => "is below",
        Comparison::Lteq => "is at most",
        Comparison::Gt => "is above",
        Comparison::Gteq => "is at least",
    }
}

const fn sign(op: Comparison) -> &'static str {
    match op {
        Comparison::Eq => "=",
        Comparison::Neq => "<>",
        Comparison::Lt => "<",
        Comparison::Lteq => "<=",
        Comparison::Gt => ">",
        Comparison::Gteq => ">=",
    }
}

impl Literal {
    /// As it is said in words.
    pub fn words(&self) -> String {
        match self {
            Self::Text(text) => format!("\"{text}\""),
            Self::Number(n) => n.clone(),
            Self::Bool(b) => b.to_string(),
            Self::Date(day) => day.to_string(),
            Self::Timestamp { at, utc } => format!("{at}{}", if *utc { "Z" } else { "" }),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Self::Bool(b) => f.write_str(if *b { "TRUE" } else { "FALSE" }),
            Self::Number(n) => f.write_str(n),
            Self::Date(_) => write!(f, "DATE '{}'", self.words()),
            Self::Timestamp { .. } => write!(f, "TIMESTAMP '{}'", self.words()),
        }
    }
}

/// As it is written: parsing this gives an equal filter.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, parts: &[Self], word: &str| {
            for (i, part) in parts.iter().enumerate() {
                if i > 0 {
                    f.write_str(word)?;
                }
                match part {
                    Self::And(_) | Self::Or(_) => write!(f, "({part})")?,
                    _ => write!(f, "{part}")?,
                }
            }
            Ok(())
        };
        let among = |values: &[Literal]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Self::Always(b) => f.write_str(if *b { "TRUE" } else { "FALSE" }),
            Self::Compare { field, op, value } => write!(f, "{field} {} {value}", sign(*op)),
            Self::In { field, values } => write!(f, "{field} IN ({})", among(values)),
            Self::IsNull { field } => write!(f, "{field} IS NULL"),
            Self::Not(inner) => match &**inner {
                Self::IsNull { field } => write!(f, "{field} IS NOT NULL"),
                Self::In { field, values } => write!(f, "{field} NOT IN ({})", among(values)),
                Self::Always(_) => write!(f, "NOT {inner}"),
                other => write!(f, "NOT ({other})"),
            },
            Self::And(parts) => list(f, parts, " AND "),
            Self::Or(parts) => list(f, parts, " OR "),
        }
    }
}

impl Serialize for Filter {
    fn serialize<S: serde::Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        Self::parse(&String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// A bare word, as written.
    Word(String),
    /// A name between double quotes.
    Quoted(String),
    Text(String),
    Number(String),
    Sign(&'static str),
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Word(text) | Self::Quoted(text) | Self::Text(text) | Self::Number(text)) = self else {
            let Self::Sign(sign) = self else { return Ok(()) };
            return write!(f, "\"{sign}\"");
        };
        write!(f, "\"{}\"", super::odrl::clip(text))
    }
}

fn wrong(expected: &str) -> Error {
    Error::invalid(format!(
        "The row filter cannot be read: expected {expected}. It looks like: site = 'Suzhou' AND (temperature < 400 OR checked IS NOT NULL)"
    ))
}

fn tokens(text: &str) -> Result<Vec<Token>> {
    const SIGNS: [&str; 11] = ["<=", ">=", "<>", "!=", "=", "<", ">", "(", ")", ",", "."];
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c.is_whitespace() {
            rest = &rest[c.len_utf8()..];
        } else if c == '\'' || c == '"' {
            let (inside, after) = quoted(rest, c)?;
            rest = after;
            out.push(if c == '"' { Token::Quoted(inside) } else { Token::Text(inside) });
        } else if c.is_ascii_digit() || ((c == '-' || c == '+') && rest[1..].starts_with(|d: char| d.is_ascii_digit())) {
            let length = number_length(rest);
            out.push(Token::Number(rest[..length].to_owned()));
            rest = &rest[length..];
            if rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
                return Err(wrong("a number to end before a letter"));
            }
        } else if c.is_alphabetic() || c == '_' {
            let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            out.push(Token::Word(rest[..length].to_owned()));
            rest = &rest[length..];
        } else if let Some(sign) = SIGNS.into_iter().find(|s| rest.starts_with(s)) {
            out.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else {
            return Err(wrong(&format!("no \"{}\"", super::odrl::clip(&c.to_string()))));
        }
    }
    Ok(out)
}

/// What stands between quotes, which are doubled inside, and the rest after them.
pub(super) fn quoted(text: &str, quote: char) -> Result<(String, &str)> {
    let mut inside = String::new();
    let mut rest = &text[1..];
    loop {
        let Some(end) = rest.find(quote) else { return Err(wrong("a closing quote")) };
        inside.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        if !rest.starts_with(quote) {
            return Ok((inside, rest));
        }
        inside.push(quote);
        rest = &rest[1..];
    }
}

fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let mut at = digits(usize::from(matches!(bytes[0], b'-' | b'+')));
    if bytes.get(at) == Some(&b'.') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit) {
        at = digits(at + 1);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'-' | b'+')));
        if bytes.get(at + 1 + sign).is_some_and(u8::is_ascii_digit) {
            at = digits(at + 1 + sign);
        }
    }
    at
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    tests: usize,
}

impl Parser {
    fn peek_word(&self, word: &str) -> bool {
        matches!(self.tokens.get(self.at), Some(Token::Word(w)) if w.eq_ignore_ascii_case(word))
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.peek_word(word);
        self.at += usize::from(found);
        found
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Sign(s)) if *s == sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<()> {
        if self.sign(sign) { Ok(()) } else { Err(self.unexpected(&format!("\"{sign}\""))) }
    }

    fn unexpected(&self, wanted: &str) -> Error {
        let found = self.tokens.get(self.at).map_or_else(|| "its end".to_owned(), ToString::to_string);
        wrong(&format!("{wanted} but found {found}"))
    }

    fn filter(&mut self, depth: usize) -> Result<Filter> {
        let mut parts = vec![self.all(depth)?];
        while self.word("OR") {
            parts.push(self.all(depth)?);
        }
        Ok(flat(parts, Filter::Or, |f| if let Filter::Or(parts) = f { Ok(parts) } else { Err(f) }))
    }

    fn all(&mut self, depth: usize) -> Result<Filter> {
        let mut parts = vec![self.not(depth)?];
        while self.word("AND") {
            parts.push(self.not(depth)?);
        }
        Ok(flat(parts, Filter::And, |f| if let Filter::And(parts) = f { Ok(parts) } else { Err(f) }))
    }

    fn not(&mut self, depth: usize) -> Result<Filter> {
        if depth > FILTER_MAX_DEPTH {
            return Err(Error::invalid(format!("A row filter is nested at most {FILTER_MAX_DEPTH} deep.")));
        }
        if self.word("NOT") {
            return Ok(Filter::Not(Box::new(self.not(depth + 1)?)));
        }
        if self.sign("(") {
            let inner = self.filter(depth + 1)?;
            self.expect(")")?;
            return Ok(inner);
        }
        self.test()
    }

    fn test(&mut self) -> Result<Filter> {
        self.tests += 1;
        if self.tests > FILTER_MAX_TESTS {
            return Err(Error::invalid(format!("A row filter has at most {FILTER_MAX_TESTS} comparisons.")));
        }
        for (word, all) in [("TRUE", true), ("FALSE", false)] {
            if self.word(word) {
                return Ok(Filter::Always(all));
            }
        }
        let field = self.field()?;
        if self.word("IS") {
            let negated = self.word("NOT");
            if !self.word("NULL") {
                return Err(self.unexpected("NULL"));
            }
            return Ok(negate(negated, Filter::IsNull { field }));
        }
        let negated = self.word("NOT");
        if self.word("IN") {
            self.expect("(")?;
            let mut values = vec![self.literal()?];
            while self.sign(",") {
                values.push(self.literal()?);
            }
            self.expect(")")?;
            return Ok(negate(negated, Filter::In { field, values }));
        }
        if self.word("BETWEEN") {
            let low = self.literal()?;
            if !self.word("AND") {
                return Err(self.unexpected("AND"));
            }
            let high = self.literal()?;
            let at_least = Filter::Compare { field: field.clone(), op: Comparison::Gteq, value: low };
            let between = at_least.and(Filter::Compare { field, op: Comparison::Lteq, value: high });
            return Ok(negate(negated, between));
        }
        if negated {
            return Err(self.unexpected("IN or BETWEEN"));
        }
        let op = match self.tokens.get(self.at) {
            Some(Token::Sign("=")) => Comparison::Eq,
            Some(Token::Sign("<>" | "!=")) => Comparison::Neq,
            Some(Token::Sign("<")) => Comparison::Lt,
            Some(Token::Sign("<=")) => Comparison::Lteq,
            Some(Token::Sign(">")) => Comparison::Gt,
            Some(Token::Sign(">=")) => Comparison::Gteq,
            _ => return Err(self.unexpected("a comparison, IN, BETWEEN or IS")),
        };
        self.at += 1;
        Ok(Filter::Compare { field, op, value: self.literal()? })
    }

    fn field(&mut self) -> Result<Field> {
        let mut names = Vec::new();
        loop {
            match self.tokens.get(self.at) {
                Some(Token::Word(w)) if !is_reserved(w) => names.push(w.clone()),
                Some(Token::Quoted(q)) => names.push(q.clone()),
                _ => return Err(self.unexpected("a column")),
            }
            self.at += 1;
            if !self.sign(".") {
                return Field::new(names);
            }
        }
    }

    fn literal(&mut self) -> Result<Literal> {
        if self.peek_word("NULL") {
            return Err(wrong("IS NULL instead of a comparison with NULL, which no row satisfies"));
        }
        for (word, value) in [("TRUE", true), ("FALSE", false)] {
            if self.word(word) {
                return Ok(Literal::Bool(value));
            }
        }
        if self.word("DATE") {
            let text = self.text()?;
            return text.parse().map(Literal::Date).map_err(|_| wrong("a day such as DATE '2027-01-31'"));
        }
        if self.word("TIMESTAMP") {
            return timestamp(&self.text()?);
        }
        let found = match self.tokens.get(self.at) {
            Some(Token::Text(text)) => Literal::Text(text.clone()),
            Some(Token::Number(n)) => Literal::Number(n.clone()),
            _ => return Err(self.unexpected("a value such as 'text', 12.5, TRUE or DATE '2027-01-31'")),
        };
        self.at += 1;
        Ok(found)
    }

    fn text(&mut self) -> Result<String> {
        match self.tokens.get(self.at) {
            Some(Token::Text(text)) => {
                self.at += 1;
                Ok(text.clone())
            }
            _ => Err(self.unexpected("a text between single quotes")),
        }
    }
}

fn timestamp(text: &str) -> Result<Literal> {
    let utc = |t: jiff::Timestamp| t.to_zoned(jiff::tz::TimeZone::UTC).datetime();
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(Literal::Timestamp { at: utc(at), utc: true });
    }
    match text.parse() {
        Ok(at) => Ok(Literal::Timestamp { at, utc: false }),
        Err(_) => Err(wrong("an instant such as TIMESTAMP '2027-01-31T12:00:00Z'")),
    }
}

fn negate(negated: bool, filter: Filter) -> Filter {
    if negated { Filter::Not(Box::new(filter)) } else { filter }
}

/// One of them alone stands for itself; lists of the same sort inside are taken apart.
fn flat(mut parts: Vec<Filter>, make: fn(Vec<Filter>) -> Filter, open: fn(Filter) -> std::result::Result<Vec<Filter>, Filter>) -> Filter {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    make(parts.into_iter().flat_map(|p| open(p).unwrap_or_else(|whole| vec![whole])).collect())
}

/// Words that cannot be a column's name without quotes.
pub(super) fn is_reserved(word: &str) -> bool {
    ["AND", "OR", "NOT", "IS", "IN", "NULL", "BETWEEN", "TRUE", "FALSE"].iter().any(|w| w.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Filter {
        Filter::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn filters_are_read_said_and_written() {
        for (text, written, words) in [
            ("site = 'Suzhou' AND temperature < 400", None, "site is \"Suzhou\" and temperature is below 400"),
            ("a=1 or b=2 and c=3", Some("a = 1 OR (b = 2 AND c = 3)"), "a is 1 or (b is 2 and c is 3)"),
            ("NOT (a = 1 OR a IS NULL)", None, "not (a is 1 or a is missing)"),
            ("a not in ('x', 'it''s')", Some("a NOT IN ('x', 'it''s')"), "a is not \"x\" or \"it's\""),
            (
                "\"my column\".x BETWEEN -1.5e3 AND 7",
                Some("\"my column\".x >= -1.5e3 AND \"my column\".x <= 7"),
                "\"my column\".x is at least -1.5e3 and \"my column\".x is at most 7",
            ),
            ("d >= DATE '2027-01-31'", None, "d is at least 2027-01-31"),
            ("t < TIMESTAMP '2027-01-31T08:00:00+08:00'", Some("t < TIMESTAMP '2027-01-31T00:00:00Z'"), "t is below 2027-01-31T00:00:00Z"),
            ("温度 > 5 AND ok = true", Some("温度 > 5 AND ok = TRUE"), "温度 is above 5 and ok is true"),
            (
                "(a = 1) AND ((b = 2) AND c IS NOT NULL)",
                Some("a = 1 AND b = 2 AND c IS NOT NULL"),
                "a is 1 and b is 2 and c is not missing",
            ),
        ] {
            let filter = read(text);
            assert_eq!(filter.to_string(), written.unwrap_or(text));
            assert_eq!(read(&filter.to_string()), filter);
            assert_eq!(filter.words(), words);
        }
    }

    #[test]
    fn what_is_not_a_filter_is_refused() {
        for text in [
            "",
            "a",
            "a =",
            "= 1",
            "a = b",
            "a = 1 AND",
            "a = 1 b = 2",
            "(a = 1",
            "a = 'x",
            "a = NULL",
            "upper(a) = 'X'",
            "a LIKE 'x%'",
            "a = 1; DROP TABLE t",
            "a = 1 -- x",
            "a IN ()",
            "a + 1 = 2",
            "a = DATE 'today'",
            "a NOT = 1",
            "a..b = 1",
            "a = 1x",
            "a = .5",
        ] {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
        assert!(Filter::parse(&format!("{}a = 1{}", "(".repeat(40), ")".repeat(40))).is_err());
        assert!(Filter::parse(&"NOT ".repeat(40)).is_err());
        assert!(Filter::parse(&format!("a IN ({})", "'x', ".repeat(2_000))).is_err());
    }

    fn any_filter() -> impl Strategy<Value = Filter> {
        let field = prop_oneof![Just("a"), Just("b c"), Just("\"q\""), Just("not"), Just("值")]
            .prop_map(|n: &str| Field::new(vec![n.to_owned()]).expect("name"));
        let literal = prop_oneof![
            "[a-z' \"]{0,6}".prop_map(Literal::Text),
            "-?[0-9]{1,4}(\\.[0-9]{1,3})?".prop_map(Literal::Number),
            any::<bool>().prop_map(Literal::Bool),
            (1..28i8).prop_map(|d| Literal::Date(jiff::civil::date(2027, 2, d))),
        ];
        let op =
            prop::sample::select(vec![Comparison::Eq, Comparison::Neq, Comparison::Lt, Comparison::Lteq, Comparison::Gt, Comparison::Gteq]);
        let leaf = prop_oneof![
            (field.clone(), op, literal.clone()).prop_map(|(field, op, value)| Filter::Compare { field, op, value }),
            (field.clone(), prop::collection::vec(literal, 1..4)).prop_map(|(field, values)| Filter::In { field, values }),
            field.prop_map(|field| Filter::IsNull { field }),
            any::<bool>().prop_map(Filter::Always),
        ];
        leaf.prop_recursive(3, 20, 3, |inner| {
            let list = prop::collection::vec(inner.clone(), 2..4);
            prop_oneof![
                inner.prop_map(|f| Filter::Not(Box::new(f))),
                list.clone().prop_map(|l| flat(l, Filter::And, |f| if let Filter::And(p) = f { Ok(p) } else { Err(f) })),
                list.prop_map(|l| flat(l, Filter::Or, |f| if let Filter::Or(p) = f { Ok(p) } else { Err(f) })),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_as_the_same(filter in any_filter()) {
            prop_assert_eq!(Filter::parse(&filter.to_string()).expect("reads"), filter);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,80}") {
            let _ = Filter::parse(&text);
        }
    }
}
