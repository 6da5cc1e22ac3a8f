//! Terms as a form of sentences: from ODRL to fields, from fields to ODRL, and what a button does to them. Pure.
//!
//! The form carries all of it, so a page can be sent again without harm, and a sentence that is not complete yet is kept
//! in the page until it is.

use super::super::guard::Form;
use fondaco_console::{Text, fields::Problems, pages::SentenceKind};
use fondaco_core::{
    Error, Result, canonical,
    participant::Did,
    policy::{
        CONSTRAINTS_MAX, Comparison, Constraint, NoticePeriod, PERMISSIONS_MAX, Period, Permission, Policy, SetOperator,
        filter::Filter,
        view::{Field, GROUP_SIZES, Mask},
    },
    price::Price,
    product::OFFERS_MAX,
    time::Timestamp,
};
use serde_json::{Map, Value, json};

/// Most reads that the form takes: what a JSON number carries exactly.
const COUNT_MAX: u64 = 1 << 53;

/// One sentence, as its fields stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is about.
    pub kind: SentenceKind,
    /// The operator.
    pub choice: String,
    /// The values: one, or one per entry.
    pub values: Vec<String>,
    /// The unit of a length of time.
    pub unit: String,
    /// Whether it was added just now.
    pub fresh: bool,
}

/// An offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferSheet {
    /// What stands around the rules: `@type`, `@id` and the like.
    around: Map<String, Value>,
    /// The sentences by alternative; none where the terms cannot be put into sentences.
    pub alternatives: Vec<Vec<Line>>,
    /// The price as it was typed; empty: free of charge.
    pub price: String,
    /// The text of the ODRL where it was edited and is wrong.
    pub text: Option<String>,
}

/// The terms of a product.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// The offers; none means open to every participant.
    pub offers: Vec<OfferSheet>,
}

impl Line {
    /// An empty one.
    fn new(kind: SentenceKind) -> Self {
        let (choice, unit) = match kind {
            SentenceKind::DateTime => ("lt", ""),
            SentenceKind::ElapsedTime => ("lteq", "P-D"),
            SentenceKind::NoticePeriod => ("", "P-D"),
            SentenceKind::Recipient | SentenceKind::Spatial | SentenceKind::Purpose => ("isAnyOf", ""),
            _ => ("", ""),
        };
        let values = if kind == SentenceKind::Version { vec!["1".to_owned()] } else { Vec::new() };
        Self { kind, choice: choice.to_owned(), values, unit: unit.to_owned(), fresh: true }
    }

    fn with(kind: SentenceKind, value: &str) -> Self {
        Self { values: vec![value.to_owned()], ..Self::new(kind) }
    }

    /// The constraint as fields.
    fn of(constraint: &Constraint) -> Self {
        use Constraint as C;
        let line = |kind, choice: &str, values: Vec<String>| Self { choice: choice.to_owned(), values, fresh: false, ..Self::new(kind) };
        // "Is" one value and "is one of" one value are one thing.
        let set = |op: &SetOperator| if matches!(op, SetOperator::Eq | SetOperator::IsAnyOf) { "isAnyOf" } else { "isNoneOf" };
        match constraint {
            C::DateTime { op, at } => {
                let text = at.to_rfc3339();
                line(SentenceKind::DateTime, comparison_code(*op), vec![text.strip_suffix('Z').unwrap_or(&text).to_owned()])
            }
            C::ElapsedTime { op, limit } => {
                let (value, unit) = period_fields(limit.as_str());
                Self { unit, ..line(SentenceKind::ElapsedTime, comparison_code(*op), vec![value]) }
            }
            C::Recipient { op, values } => line(SentenceKind::Recipient, set(op), values.clone()),
            C::Count { limit } => line(SentenceKind::Count, "", vec![limit.to_string()]),
            C::Spatial { op, values } => line(SentenceKind::Spatial, set(op), values.clone()),
            C::Purpose { op, values } => line(SentenceKind::Purpose, set(op), values.clone()),
            C::Version { from } => line(SentenceKind::Version, "", vec![from.to_string()]),
            C::Volume { limit } => line(SentenceKind::Volume, "", vec![limit.to_string()]),
            C::Fields { fields } => line(SentenceKind::Fields, "", fields.iter().map(ToString::to_string).collect()),
            C::RowFilter { filter } => line(SentenceKind::RowFilter, "", vec![filter.to_string()]),
            C::Mask { masks } => line(SentenceKind::Mask, "", masks.iter().map(ToString::to_string).collect()),
            C::MinGroupSize { rows } => line(SentenceKind::MinGroupSize, "", vec![rows.to_string()]),
            C::NoticePeriod { period } => {
                let (value, unit) = period_fields(period.as_str());
                Self { unit, ..line(SentenceKind::NoticePeriod, "", vec![value]) }
            }
        }
    }

    /// The one value of a sentence that has one.
    pub fn value(&self) -> &str {
        self.values.first().map_or("", |v| v.trim())
    }

    /// Every entry, read; at least one.
    fn each<T>(&self, read: fn(&str) -> Result<T>) -> Result<Vec<T>, Text> {
        if self.values.is_empty() {
            return Err(Text::say("terms-problem-columns"));
        }
        self.values.iter().map(|v| read(v).map_err(|e| Text::detail(e.message()))).collect()
    }

    /// The fields as a constraint.
    ///
    /// # Errors
    /// What the fields lack.
    fn constraint(&self) -> Result<Constraint, Text> {
        let set = || if self.choice == "isNoneOf" { SetOperator::IsNoneOf } else { SetOperator::IsAnyOf };
        let whole = |max: u64| self.value().parse::<u64>().ok().filter(|n| (1..=max).contains(n));
        Ok(match self.kind {
            SentenceKind::DateTime => {
                let at = instant(self.value()).ok_or_else(|| Text::say("terms-problem-instant"))?;
                Constraint::DateTime { op: comparison(&self.choice), at }
            }
            SentenceKind::ElapsedTime => {
                let limit = period(self.value(), &self.unit).ok_or_else(|| Text::say("terms-problem-period"))?;
                Constraint::ElapsedTime { op: if self.choice == "lt" { Comparison::Lt } else { Comparison::Lteq }, limit }
            }
            SentenceKind::Recipient => {
                // Ids need not be DIDs, but a host's name is an address that lost its beginning.
                let known = |did: &String| Did::parse(did).is_ok() && (did.contains(':') || !did.contains('.'));
                if self.values.is_empty() || !self.values.iter().all(known) {
                    return Err(Text::say("terms-problem-recipients"));
                }
                Constraint::Recipient { op: set(), values: self.values.clone() }
            }
            SentenceKind::Count => {
                // None at all is what an imported policy may say; a person who types it means something else.
                let limit = if self.value() == "0" && !self.fresh { Some(0) } else { whole(COUNT_MAX) };
                Constraint::Count { limit: limit.ok_or_else(|| Text::say("terms-problem-number"))? }
            }
            SentenceKind::Spatial => {
                let code = |v: &String| v.len() == 2 && v.bytes().all(|b| b.is_ascii_uppercase());
                if self.values.is_empty() || !self.values.iter().all(code) {
                    return Err(Text::say("terms-problem-countries"));
                }
                Constraint::Spatial { op: set(), values: self.values.clone() }
            }
            SentenceKind::Purpose => {
                if self.values.is_empty() {
                    return Err(Text::say("terms-problem-purposes"));
                }
                Constraint::Purpose { op: set(), values: self.values.clone() }
            }
            SentenceKind::Version => {
                let from = whole(u32::MAX.into()).and_then(|n| u32::try_from(n).ok());
                Constraint::Version { from: from.ok_or_else(|| Text::say("terms-problem-number"))? }
            }
            SentenceKind::Volume => {
                let limit = if self.value() == "0" && !self.fresh { Some(0) } else { whole(COUNT_MAX) };
                Constraint::Volume { limit: limit.ok_or_else(|| Text::say("terms-problem-number"))? }
            }
            SentenceKind::Fields => Constraint::Fields { fields: self.each(Field::parse)? },
            SentenceKind::RowFilter => {
                Constraint::RowFilter { filter: Filter::parse(self.value()).map_err(|e| Text::detail(e.message()))? }
            }
            SentenceKind::Mask => Constraint::Mask { masks: self.each(Mask::parse)? },
            SentenceKind::MinGroupSize => {
                let rows = self.value().parse().ok().filter(|n| GROUP_SIZES.contains(n));
                Constraint::MinGroupSize { rows: rows.ok_or_else(|| Text::say("terms-problem-group"))? }
            }
            SentenceKind::NoticePeriod => {
                let period = written(self.value(), &self.unit).and_then(|text| NoticePeriod::parse(&text));
                Constraint::NoticePeriod { period: period.ok_or_else(|| Text::say("terms-problem-notice"))? }
            }
        })
    }
}

const fn comparison_code(op: Comparison) -> &'static str {
    match op {
        Comparison::Eq => "eq",
        Comparison::Neq => "neq",
        Comparison::Lt => "lt",
        Comparison::Lteq => "lteq",
        Comparison::Gt => "gt",
        Comparison::Gteq => "gteq",
    }
}

fn comparison(code: &str) -> Comparison {
    match code {
        "eq" => Comparison::Eq,
        "neq" => Comparison::Neq,
        "lteq" => Comparison::Lteq,
        "gt" => Comparison::Gt,
        "gteq" => Comparison::Gteq,
        _ => Comparison::Lt,
    }
}

/// A moment as a field for date and time sends it: in UTC, perhaps without seconds.
fn instant(text: &str) -> Option<Timestamp> {
    let seconds = if text.matches(':').count() == 1 { ":00" } else { "" };
    Timestamp::parse(&format!("{text}{seconds}Z"))
}

/// `P30D` as `30` of the unit `P-D`; what mixes units as it is written.
fn period_fields(written: &str) -> (String, String) {
    for unit in ["PT-H", "P-D", "P-W", "P-M", "P-Y"] {
        let Some((before, after)) = unit.split_once('-') else { continue };
        let number = written.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        if let Some(number) = number.filter(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())) {
            return (number.to_owned(), unit.to_owned());
        }
    }
    (written.to_owned(), "iso".to_owned())
}

fn period(value: &str, unit: &str) -> Option<Period> {
    Period::parse(&written(value, unit)?)
}

/// A number and its unit as an ISO 8601 duration.
fn written(value: &str, unit: &str) -> Option<String> {
    match unit.split_once('-') {
        Some((before, after)) if value.bytes().all(|b| b.is_ascii_digit()) => Some(format!("{before}{value}{after}")),
        Some(_) => None,
        None => Some(value.to_owned()),
    }
}

fn entries(text: &str, separators: &[char]) -> Vec<String> {
    text.split(separators).map(str::trim).filter(|v| !v.is_empty()).map(str::to_owned).collect()
}

/// The rules of an offer as JSON for reading and editing.
fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

/// What tells whether a text was edited; browsers send line ends as CR LF.
pub fn mark(text: &str) -> String {
    let mut hash = canonical::sha256_hex(text.replace("\r\n", "\n").trim().as_bytes());
    hash.truncate(16);
    hash
}

impl OfferSheet {
    fn of(odrl: &Value) -> Self {
        let mut around = odrl.as_object().cloned().unwrap_or_default();
        match Policy::from_odrl(odrl) {
            Ok(policy) => {
                around.remove("permission");
                around.remove("odrl:permission");
                let price = policy.price.map(|price| price.to_string()).unwrap_or_default();
                Self { around, alternatives: lines_of(&policy), price, text: None }
            }
            Err(_) => Self { around: Map::new(), alternatives: Vec::new(), price: String::new(), text: Some(pretty(odrl)) },
        }
    }

    fn from_lines(alternatives: Vec<Vec<Line>>) -> Self {
        let around = Map::from_iter([("@type".to_owned(), json!("Offer"))]);
        Self { around, alternatives, price: String::new(), text: None }
    }

    fn price(&self) -> Result<Option<Price>> {
        (!self.price.is_empty()).then(|| Price::read(&self.price)).transpose()
    }

    /// The typed policy; `None` while a sentence is incomplete or the text is wrong.
    pub fn policy(&self) -> Option<Policy> {
        if self.text.is_some() {
            return None;
        }
        let permission = |lines: &Vec<Line>| {
            let constraints: Option<Vec<_>> = lines.iter().map(|l| l.constraint().ok()).collect();
            Some(Permission { constraints: constraints? })
        };
        let permissions: Option<Vec<_>> = self.alternatives.iter().map(permission).collect();
        let price = self.price().ok()?;
        permissions.filter(|p| !p.is_empty()).map(|permissions| Policy { permissions, price })
    }

    fn odrl(&self) -> Option<Value> {
        let mut whole = self.around.clone();
        if let Value::Object(rules) = self.policy()?.to_odrl() {
            whole.extend(rules);
        }
        Some(Value::Object(whole))
    }

    /// The text for editing: the terms as they are, or what was typed. Empty while a sentence is incomplete.
    pub fn shown_text(&self) -> String {
        self.text.clone().or_else(|| self.odrl().as_ref().map(pretty)).unwrap_or_default()
    }
}

fn lines_of(policy: &Policy) -> Vec<Vec<Line>> {
    policy.permissions.iter().map(|p| p.constraints.iter().map(Line::of).collect()).collect()
}

impl Sheet {
    /// The offers of a draft.
    pub fn of(offers: &[Value]) -> Self {
        Self { offers: offers.iter().map(OfferSheet::of).collect() }
    }

    /// The form as it was sent, before its button does anything. Nothing is left out: terms with a sentence less would be
    /// wider than those on the page.
    ///
    /// # Errors
    /// [`fondaco_core::Code::Invalid`] for a form that is not this version's.
    pub fn from_form(form: &Form) -> Result<Self> {
        let other = || Error::invalid("The form is not whole, or of another version. Load the page again; nothing was saved.");
        let count = |name: &str, max: usize| {
            let n = form.get(name).and_then(|n| n.parse::<usize>().ok());
            n.filter(|n| *n <= max).ok_or_else(other)
        };
        let mut offers = Vec::new();
        for i in 0..count("offers", OFFERS_MAX)? {
            let mut alternatives: Vec<Vec<Line>> = Vec::new();
            for j in 0..count(&format!("o{i}"), PERMISSIONS_MAX)? {
                let lines = 0..count(&format!("o{i}p{j}"), CONSTRAINTS_MAX)?;
                let lines = lines.map(|k| line_of_form(form, &format!("o{i}p{j}s{k}"))).collect::<Option<_>>();
                alternatives.push(lines.ok_or_else(other)?);
            }
            // A form without the field is not one without a price.
            let price = form.exact(&format!("o{i}-price")).ok_or_else(other)?.trim().to_owned();
            let text = form.get(&format!("o{i}-odrl")).unwrap_or_default().replace("\r\n", "\n");
            let edited = !text.is_empty() && form.get(&format!("o{i}-was")) != Some(mark(&text).as_str());
            let parsed: Option<Value> = serde_json::from_str(&text).ok();
            offers.push(match parsed {
                Some(odrl) if edited || alternatives.is_empty() => match Policy::from_odrl(&odrl) {
                    Ok(_) => OfferSheet::of(&odrl),
                    Err(_) => OfferSheet { around: Map::new(), alternatives, price, text: Some(text) },
                },
                None if edited => OfferSheet { around: Map::new(), alternatives, price, text: Some(text) },
                parsed => {
                    let mut around = parsed.and_then(|v| v.as_object().cloned()).unwrap_or_default();
                    around.remove("permission");
                    around.remove("odrl:permission");
                    around.entry("@type").or_insert_with(|| json!("Offer"));
                    OfferSheet { around, alternatives, price, text: None }
                }
            });
        }
        Ok(Self { offers })
    }

    /// Does what a button says. `country` is where the participant is established. False for a button that there is not.
    pub fn apply(&mut self, button: &str, form: &Form, country: Option<&str>, problems: &mut Problems) -> bool {
        let (verb, rest) = button.split_once('-').unwrap_or((button, ""));
        let numbers: Option<Vec<usize>> = rest.split('-').map(|n| n.parse().ok()).collect();
        let numbers = numbers.unwrap_or_default();
        let offer = numbers.first().copied();
        match (verb, numbers.as_slice()) {
            ("check", _) => true,
            ("preset", _) => {
                if self.offers.len() >= OFFERS_MAX {
                    problems.add("", Text::say("terms-problem-too-many").with("n", OFFERS_MAX));
                    return true;
                }
                let Some(lines) = preset(rest, country) else { return false };
                self.offers.push(OfferSheet::from_lines(vec![lines]));
                true
            }
            ("withdraw", [i]) if *i < self.offers.len() => {
                self.offers.remove(*i);
                true
            }
            (verb, [_, at @ ..]) => {
                let Some(offer) = offer.and_then(|i| self.offers.get_mut(i)) else { return false };
                match (verb, at) {
                    ("alternative", []) if offer.alternatives.len() < PERMISSIONS_MAX => offer.alternatives.push(Vec::new()),
                    ("drop", [j]) if *j < offer.alternatives.len() && offer.alternatives.len() > 1 => drop(offer.alternatives.remove(*j)),
                    ("add", [j]) => {
                        let kind = form.get(&format!("o{}p{j}-add", numbers[0])).and_then(SentenceKind::from_code);
                        let (Some(kind), Some(lines)) = (kind, offer.alternatives.get_mut(*j)) else { return false };
                        if lines.len() >= CONSTRAINTS_MAX {
                            return false;
                        }
                        lines.push(Line::new(kind));
                    }
                    ("remove", [j, k]) => match offer.alternatives.get_mut(*j) {
                        Some(lines) if *k < lines.len() => drop(lines.remove(*k)),
                        _ => return false,
                    },
                    _ => return false,
                }
                true
            }
            _ => false,
        }
    }

    /// What is wrong with it, by field. Sentences that were only just added are waited for.
    pub fn wrong(&self) -> Problems {
        let mut wrong = Problems::default();
        for (i, offer) in self.offers.iter().enumerate() {
            if let Some(text) = &offer.text {
                let why = match serde_json::from_str::<Value>(text) {
                    Err(e) => Text::say("terms-problem-odrl").with("detail", e.to_string()),
                    Ok(odrl) => Policy::from_odrl(&odrl).err().map(|e| Text::detail(e.message())).unwrap_or_default(),
                };
                wrong.add(format!("o{i}-odrl"), why);
                continue;
            }
            if offer.price().is_err() {
                wrong.add(format!("o{i}-price"), Text::say("terms-problem-price"));
            }
            for (j, lines) in offer.alternatives.iter().enumerate() {
                for (k, line) in lines.iter().enumerate() {
                    if let (false, Err(why)) = (line.fresh, line.constraint()) {
                        wrong.add(format!("o{i}p{j}s{k}-value"), why);
                    }
                }
            }
        }
        wrong
    }

    /// The offers; `None` while one is incomplete or wrong.
    pub fn odrl(&self) -> Option<Vec<Value>> {
        self.offers.iter().map(OfferSheet::odrl).collect()
    }
}

fn line_of_form(form: &Form, id: &str) -> Option<Line> {
    let kind = SentenceKind::from_code(form.get(id)?)?;
    let part = |part: &str| form.get(&format!("{id}-{part}")).unwrap_or_default();
    let text = part("value");
    let values = match kind {
        SentenceKind::Recipient => {
            let mut values: Vec<String> = form.all(&format!("{id}-peer")).map(str::to_owned).collect();
            values.extend(entries(text, &['\n', ',']));
            values
        }
        SentenceKind::Spatial => entries(&text.to_ascii_uppercase(), &[',', '，', '、', ' ', ';']),
        SentenceKind::Purpose | SentenceKind::Fields | SentenceKind::Mask => entries(text, &['\n']),
        SentenceKind::RowFilter => vec![text.replace("\r\n", " ")],
        _ => vec![text.to_owned()],
    };
    Some(Line { kind, choice: part("choice").to_owned(), values, unit: part("unit").to_owned(), fresh: false })
}

/// Terms to begin with.
fn preset(name: &str, country: Option<&str>) -> Option<Vec<Line>> {
    Some(match name {
        "open" => Vec::new(),
        "partner" => vec![Line::new(SentenceKind::Recipient), Line::with(SentenceKind::ElapsedTime, "30")],
        "research" => vec![Line::with(SentenceKind::Purpose, "research")],
        "evaluation" => vec![Line::with(SentenceKind::Count, "3")],
        "country" => vec![country.map_or_else(|| Line::new(SentenceKind::Spatial), |c| Line::with(SentenceKind::Spatial, c))],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(constraints: &Value) -> Value {
        json!({"@type": "Offer", "@id": "o1", "permission": [{"action": "use", "constraint": constraints}, {"action": "use"}]})
    }

    /// Every constraint the form knows, in every form of it.
    fn everything() -> Value {
        offer(&json!([
            {"leftOperand": "dateTime", "operator": "lt", "rightOperand": "2027-01-01T00:00:00Z"},
            {"leftOperand": "dateTime", "operator": "gteq", "rightOperand": "2026-01-01T12:30:15.5Z"},
            {"leftOperand": "elapsedTime", "operator": "lteq", "rightOperand": "P30D"},
            {"leftOperand": "elapsedTime", "operator": "lt", "rightOperand": "P1DT12H"},
            {"leftOperand": "recipient", "operator": "isAnyOf", "rightOperand": ["did:web:a.example:p:a", "did:web:b.example:p:b"]},
            {"leftOperand": "count", "operator": "lteq", "rightOperand": 3},
            {"leftOperand": "spatial", "operator": "isNoneOf", "rightOperand": ["CN", "SG"]},
            {"leftOperand": "purpose", "operator": "isAnyOf", "rightOperand": ["research, and teaching", "audit"]},
            {"leftOperand": "volume", "operator": "lteq", "rightOperand": 1_000_000},
            {"leftOperand": "fields", "operator": "isAnyOf", "rightOperand": ["site", "\"of, machine\"", "place.city"]},
            {"leftOperand": "rowFilter", "operator": "eq", "rightOperand": "site = 'Suzhou' AND (temperature < 400 OR site IS NULL)"},
            {"leftOperand": "mask", "operator": "isAllOf", "rightOperand": ["hash(site)", "truncate(place.city, 3)"]},
            {"leftOperand": "minGroupSize", "operator": "gteq", "rightOperand": 5},
            {"leftOperand": "version", "operator": "gteq", "rightOperand": 2}
        ]))
    }

    /// What a browser sends of a sheet's page, with other fields instead.
    fn sent(sheet: &Sheet, instead: &[(&str, &str)]) -> Form {
        form_of(&fields(sheet, instead))
    }

    fn form_of(fields: &[(String, String)]) -> Form {
        Form::parse(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().as_bytes())
    }

    fn fields(sheet: &Sheet, instead: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut fields = vec![("offers".to_owned(), sheet.offers.len().to_string())];
        for (i, offer) in sheet.offers.iter().enumerate() {
            fields.push((format!("o{i}"), offer.alternatives.len().to_string()));
            let text = offer.shown_text();
            fields.push((format!("o{i}-was"), mark(&text)));
            fields.push((format!("o{i}-price"), offer.price.clone()));
            fields.push((format!("o{i}-odrl"), text.replace('\n', "\r\n")));
            for (j, lines) in offer.alternatives.iter().enumerate() {
                fields.push((format!("o{i}p{j}"), lines.len().to_string()));
                for (k, line) in lines.iter().enumerate() {
                    let id = format!("o{i}p{j}s{k}");
                    fields.push((id.clone(), line.kind.code().to_owned()));
                    fields.push((format!("{id}-choice"), line.choice.clone()));
                    fields.push((format!("{id}-unit"), line.unit.clone()));
                    fields.push((format!("{id}-value"), line.values.join("\r\n")));
                }
            }
        }
        for (name, value) in instead {
            fields.retain(|(n, _)| n != name);
            fields.push(((*name).to_owned(), (*value).to_owned()));
        }
        fields
    }

    #[test]
    fn every_term_survives_the_form() {
        let mut priced = everything();
        for rule in priced["permission"].as_array_mut().expect("permissions") {
            rule["duty"] = Policy::open().at(Price::read("80 CNY").ok()).to_odrl()["permission"][0]["duty"].clone();
        }
        let offers = [priced, json!({"permission": [{"action": "use"}]})];
        let sheet = Sheet::of(&offers);
        let again = Sheet::from_form(&sent(&sheet, &[("o0p0s6-value", "cn、sg")])).expect("whole");
        assert!(again.wrong().is_empty(), "{:?}", again.wrong());
        let odrl = again.odrl().expect("complete");
        assert!(Policy::same_terms(&odrl[0], &offers[0]), "{}", odrl[0]);
        assert!(Policy::same_terms(&odrl[1], &offers[1]));
        assert_eq!(odrl[0]["@id"], "o1", "what stands around the rules stays");
    }

    #[test]
    fn a_form_that_is_not_whole_is_refused_and_never_widens_terms() {
        let sheet = Sheet::of(&[everything()]);
        for (name, value) in [
            ("offers", ""),
            ("offers", "18446744073709551616"),
            ("offers", "999"),
            ("o0", "x"),
            ("o0p0", "999"),
            ("o0p0", "-1"),
            ("o0p0s2", "renamed-since"),
        ] {
            assert!(Sheet::from_form(&sent(&sheet, &[(name, value)])).is_err(), "{name}={value}");
        }
        let mut without = fields(&sheet, &[]);
        without.retain(|(name, _)| name != "o0-price");
        assert!(Sheet::from_form(&form_of(&without)).is_err(), "no field for the price is not: free of charge");
        assert!(Sheet::from_form(&Form::parse(b"csrf=x")).is_err(), "nothing at all is not: open to everybody");
    }

    #[test]
    fn buttons_add_and_remove() {
        let mut sheet = Sheet::default();
        let mut problems = Problems::default();
        let press = |sheet: &mut Sheet, button: &str, instead: &[(&str, &str)], problems: &mut Problems| {
            let form = sent(sheet, instead);
            sheet.apply(button, &form, Some("CN"), problems)
        };
        assert!(press(&mut sheet, "preset-evaluation", &[], &mut problems));
        assert_eq!(sheet.odrl().expect("complete")[0]["permission"][0]["constraint"][0]["rightOperand"], 3);
        assert!(press(&mut sheet, "add-0-0", &[("o0p0-add", "recipient")], &mut problems));
        assert!(sheet.odrl().is_none() && sheet.wrong().is_empty(), "it is waited for");
        let mut next = Sheet::from_form(&sent(&sheet, &[])).expect("whole");
        assert_eq!(next.wrong().0[0].field, "o0p0s1-value", "not any longer");
        assert!(press(&mut next, "remove-0-0-1", &[], &mut problems) && next.odrl().is_some());
        assert!(press(&mut next, "alternative-0", &[], &mut problems) && next.offers[0].alternatives.len() == 2);
        assert!(press(&mut next, "drop-0-1", &[], &mut problems) && next.offers[0].alternatives.len() == 1);
        assert!(!press(&mut next, "drop-0-0", &[], &mut problems), "one way stays");
        assert!(press(&mut next, "preset-country", &[], &mut problems));
        assert_eq!(next.odrl().expect("complete")[1]["permission"][0]["constraint"][0]["rightOperand"][0], "CN");
        for nonsense in
            ["", "x", "add-9-0", "remove-0-0-7", "withdraw-7", "preset-x", "add-0-0", "alternative-x", "remove-18446744073709551616"]
        {
            assert!(!press(&mut next, nonsense, &[], &mut problems), "{nonsense}");
        }
        assert!(press(&mut next, "withdraw-0", &[], &mut problems) && next.offers.len() == 1);
        for _ in 0..OFFERS_MAX {
            press(&mut next, "preset-open", &[], &mut problems);
        }
        assert_eq!((next.offers.len(), problems.is_empty()), (OFFERS_MAX, false));
    }

    #[test]
    fn edited_text_replaces_the_sentences() {
        let sheet = Sheet::of(&[everything()]);
        let text =
            r#"{"permission": [{"action": "use", "constraint": [{"leftOperand": "count", "operator": "lteq", "rightOperand": 7}]}]}"#;
        let edited = Sheet::from_form(&sent(&sheet, &[("o0-odrl", text)])).expect("whole");
        assert_eq!(edited.offers[0].alternatives, [vec![Line { fresh: false, ..Line::with(SentenceKind::Count, "7") }]]);
        for (bad, says) in [("{", "JSON"), (r#"{"permission": [{"action": "fly"}]}"#, "fly"), ("[]", "object")] {
            let wrong = Sheet::from_form(&sent(&sheet, &[("o0-odrl", bad)])).expect("whole");
            assert_eq!(wrong.offers[0].shown_text(), bad, "what was typed is kept");
            assert!(wrong.odrl().is_none() && wrong.wrong().of("o0-odrl").expect("named").to_string().contains(says), "{bad}");
        }
        // Terms that came in by the API and cannot be enforced: only the text can be edited.
        let foreign = Sheet::of(&[json!({"permission": [{"action": "fly"}]})]);
        assert!(foreign.offers[0].alternatives.is_empty() && foreign.wrong().of("o0-odrl").is_some());
        let mended = Sheet::from_form(&sent(&foreign, &[("o0-odrl", text)])).expect("whole");
        assert!(mended.odrl().is_some());
    }

    #[test]
    fn a_price_is_typed_as_people_write_it() {
        let sheet = Sheet::of(&[json!({"permission": [{"action": "use"}]})]);
        let with = |price: &str| Sheet::from_form(&sent(&sheet, &[("o0-price", price)])).expect("whole");
        assert_eq!(with(" 80 CNY ").offers[0].policy().and_then(|p| p.price), Price::read("80 CNY").ok());
        assert_eq!(with("").offers[0].policy().map(|p| p.price), Some(None));
        for bad in ["80", "eighty CNY", "80 RMB", "80.001 CNY"] {
            let wrong = with(bad);
            assert!(wrong.odrl().is_none() && wrong.wrong().of("o0-price").is_some(), "{bad}");
            assert_eq!(wrong.offers[0].price, bad, "what was typed is kept");
        }
    }

    #[test]
    fn values_are_checked() {
        for (kind, value, unit, ok) in [
            (SentenceKind::Count, "3", "", true),
            (SentenceKind::Count, "0", "", true),
            (SentenceKind::Count, "-1", "", false),
            (SentenceKind::Count, "1e9", "", false),
            (SentenceKind::ElapsedTime, "30", "P-D", true),
            (SentenceKind::ElapsedTime, "0", "P-D", false),
            (SentenceKind::ElapsedTime, "1.5", "P-D", false),
            (SentenceKind::ElapsedTime, "P1DT1H", "iso", true),
            (SentenceKind::DateTime, "2027-01-01T00:00", "", true),
            (SentenceKind::DateTime, "tomorrow", "", false),
            (SentenceKind::Recipient, "did:web:a.example:p:a", "", true),
            (SentenceKind::Recipient, "a.example", "", false),
            (SentenceKind::Spatial, "CN", "", true),
            (SentenceKind::Spatial, "China", "", false),
            (SentenceKind::Version, "0", "", false),
            (SentenceKind::NoticePeriod, "30", "P-D", true),
            (SentenceKind::NoticePeriod, "0", "P-D", true),
            (SentenceKind::NoticePeriod, "11", "P-Y", false),
            (SentenceKind::NoticePeriod, "soon", "P-D", false),
        ] {
            let line = Line { unit: unit.to_owned(), fresh: false, ..Line::with(kind, value) };
            assert_eq!(line.constraint().is_ok(), ok, "{kind:?} {value}");
        }
    }
}
