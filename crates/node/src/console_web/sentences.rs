//! A policy in plain words, in the reader's language.
//!
//! In English these are the sentences of `core`'s own ([`Policy::sentences`]), which the API answers with; the tests hold
//! the two together.

use fondaco_console::{Text, text::Digits};
use fondaco_core::{
    policy::{
        Comparison, Constraint, Policy, SetOperator,
        filter::{Filter, Literal},
        view::{Mask, MaskMethod},
    },
    price::Price,
};

/// One sentence per term; several permissions are alternatives, introduced as such.
pub fn of(policy: &Policy) -> Vec<Text> {
    let ways = policy.permissions.len();
    let mut out = Vec::new();
    for (i, permission) in policy.permissions.iter().enumerate() {
        if ways > 1 {
            out.push(Text::say("terms-way").with("n", i + 1).with("ways", ways));
        }
        if permission.constraints.is_empty() {
            out.push(Text::say("terms-open"));
        }
        out.extend(permission.constraints.iter().map(sentence));
    }
    out.extend(policy.price.map(price));
    out
}

/// The price as a sentence.
pub fn price(price: Price) -> Text {
    Text::say("terms-price").with("price", money(price))
}

/// An amount of money, as its currency is written: `80.00 CNY`, 人民币 80.00 元.
pub fn money(price: Price) -> Text {
    let named = Text::of("money", price.currency());
    if named.exists() {
        named.with("amount", price.amount())
    } else {
        Text::say("money-other").with("amount", price.amount()).with("currency", price.currency())
    }
}

/// The constraint as a sentence.
pub fn sentence(constraint: &Constraint) -> Text {
    use Constraint as C;
    let listed = |values: &[String], separator| Text::joined(values.iter().map(Text::plain).collect(), separator);
    match constraint {
        C::DateTime { op, at } => Text::say(match op {
            Comparison::Lt => "terms-before",
            Comparison::Lteq => "terms-until",
            Comparison::Gt => "terms-after",
            Comparison::Gteq => "terms-from",
            Comparison::Eq => "terms-only-at",
            Comparison::Neq => "terms-except-at",
        })
        .with("at", moment(&at.to_string())),
        C::ElapsedTime { limit, .. } => Text::say("terms-elapsed").with("period", period(limit.as_str())),
        C::Recipient { op, values } => {
            Text::say(only_or_not(*op, "terms-only-participants", "terms-not-participants")).with("who", listed(values, "terms-comma"))
        }
        C::Count { limit: 1 } => Text::say("terms-once"),
        // The number as it is written in the terms, without separators.
        C::Count { limit } => Text::say("terms-times").with("n", Digits(*limit)),
        C::Spatial { op, values } => {
            Text::say(only_or_not(*op, "terms-only-countries", "terms-not-countries")).with("where", listed(values, "terms-comma"))
        }
        C::Purpose { op, values } => {
            let separator = only_or_not(*op, "terms-or", "terms-nor");
            Text::say(only_or_not(*op, "terms-only-purpose", "terms-not-purpose")).with("what", listed(values, separator))
        }
        C::Volume { limit } => Text::say("terms-volume").with("n", Digits(*limit)),
        C::Fields { fields } => {
            let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
            Text::say("terms-fields").with("fields", listed(&fields, "terms-comma"))
        }
        C::RowFilter { filter: Filter::Always(true) } => Text::say("terms-filter-all"),
        C::RowFilter { filter: rows } => Text::say("terms-filter").with("filter", filter(rows, false)),
        C::Mask { masks } => Text::joined(masks.iter().map(mask).collect(), "terms-space"),
        C::MinGroupSize { rows } => Text::say("terms-group").with("n", Digits(u64::from(*rows))),
        C::Version { .. } => Text::say("terms-version"),
        C::NoticePeriod { period: at_once } if at_once.is_none() => Text::say("terms-notice-none"),
        C::NoticePeriod { period: notice } => Text::say("terms-notice").with("period", period(notice.as_str())),
    }
}

fn mask(mask: &Mask) -> Text {
    let say = |key| Text::say(key).with("field", mask.field.to_string());
    match &mask.method {
        MaskMethod::Hash => say("terms-mask-hash"),
        MaskMethod::Null => say("terms-mask-null"),
        MaskMethod::Truncate { chars: 1 } => say("terms-mask-truncate-one"),
        MaskMethod::Truncate { chars } => say("terms-mask-truncate").with("n", Digits(u64::from(*chars))),
        MaskMethod::Bucket { width } => say("terms-mask-bucket").with("width", width.as_str()),
    }
}

/// A condition in words; one that lists others stands in parentheses inside of another.
fn filter(condition: &Filter, inner: bool) -> Text {
    let listed = |parts: &[Filter], separator| {
        let all = Text::joined(parts.iter().map(|p| filter(p, true)).collect(), separator);
        if inner { Text::say("terms-filter-inner").with("inner", all) } else { all }
    };
    let any_of = |values: &[Literal]| Text::joined(values.iter().map(literal).collect(), "terms-or-short");
    let about = |key, field: &dyn ToString| Text::say(key).with("field", field.to_string());
    match condition {
        Filter::Always(true) => Text::say("terms-filter-always"),
        Filter::Always(false) => Text::say("terms-filter-never"),
        Filter::Compare { field, op, value } => {
            let key = match op {
                Comparison::Eq => "terms-filter-eq",
                Comparison::Neq => "terms-filter-neq",
                Comparison::Lt => "terms-filter-lt",
                Comparison::Lteq => "terms-filter-lteq",
                Comparison::Gt => "terms-filter-gt",
                Comparison::Gteq => "terms-filter-gteq",
            };
            about(key, field).with("value", literal(value))
        }
        Filter::In { field, values } => about("terms-filter-eq", field).with("value", any_of(values)),
        Filter::IsNull { field } => about("terms-filter-missing", field),
        Filter::Not(not) => match &**not {
            Filter::IsNull { field } => about("terms-filter-present", field),
            Filter::In { field, values } => about("terms-filter-neq", field).with("value", any_of(values)),
            other => Text::say("terms-filter-not").with("inner", filter(other, false)),
        },
        Filter::And(parts) => listed(parts, "terms-and-short"),
        Filter::Or(parts) => listed(parts, "terms-or-short"),
    }
}

fn literal(value: &Literal) -> Text {
    Text::plain(value.words())
}

/// An instant as it is written in the terms, to the second, and in Chinese as dates are written there.
fn moment(written: &str) -> Text {
    let parts = || {
        let (date, clock) = written.strip_suffix('Z')?.split_once('T')?;
        let mut date = date.split('-');
        // A year before our era begins with a hyphen.
        let (year, month, day) = (date.next().filter(|y| !y.is_empty())?, date.next()?, date.next()?);
        Some(Text::say("terms-moment").with("year", year).with("month", month).with("day", day).with("clock", clock))
    };
    parts().unwrap_or_else(|| Text::plain(written))
}

const fn only_or_not(op: SetOperator, only: &'static str, not: &'static str) -> &'static str {
    match op {
        SetOperator::Eq | SetOperator::IsAnyOf => only,
        SetOperator::Neq | SetOperator::IsNoneOf => not,
    }
}

/// `P30D` as "30 days"; a duration that mixes units stays as written, since people can look it up.
fn period(written: &str) -> Text {
    let (of_day, rest) = match written.strip_prefix("PT") {
        Some(rest) => (true, rest),
        None => (false, written.strip_prefix('P').unwrap_or(written)),
    };
    let units: &[(char, &'static str)] = if of_day {
        &[('H', "common-hours"), ('M', "common-minutes"), ('S', "common-seconds")]
    } else {
        &[('Y', "terms-years"), ('M', "terms-months"), ('W', "terms-weeks"), ('D', "common-days")]
    };
    let read = units.iter().find_map(|(unit, key)| Some((rest.strip_suffix(*unit)?.parse::<u64>().ok()?, *key)));
    match read {
        Some((n, key)) => Text::say(key).with("n", n),
        None => Text::plain(written),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fondaco_console::Locale;
    use fondaco_core::policy::{NoticePeriod, Period, Permission};
    use serde_json::json;

    fn every_kind() -> Vec<Constraint> {
        let at = fondaco_core::time::Timestamp::parse("2027-01-01T00:00:00Z").expect("instant");
        let mut all = Vec::new();
        for op in [Comparison::Lt, Comparison::Lteq, Comparison::Gt, Comparison::Gteq, Comparison::Eq, Comparison::Neq] {
            all.push(Constraint::DateTime { op, at });
        }
        for text in ["P1Y", "P2M", "P1W", "P30D", "PT1H", "PT90M", "PT5S", "P1DT12H"] {
            let limit = Period::parse(text).expect("a period");
            all.push(Constraint::ElapsedTime { op: Comparison::Lteq, limit });
        }
        for limit in [1, 2, 100_000] {
            all.push(Constraint::Count { limit });
        }
        for op in [SetOperator::Eq, SetOperator::Neq, SetOperator::IsAnyOf, SetOperator::IsNoneOf] {
            for values in [vec!["CN".to_owned()], vec!["CN".to_owned(), "SG".to_owned(), "<b>".to_owned()]] {
                all.push(Constraint::Recipient { op, values: values.clone() });
                all.push(Constraint::Spatial { op, values: values.clone() });
                all.push(Constraint::Purpose { op, values });
            }
        }
        for odrl in [
            json!({"leftOperand": "volume", "operator": "lteq", "rightOperand": 1_000_000}),
            json!({"leftOperand": "fields", "operator": "isAnyOf", "rightOperand": ["site", "place.city"]}),
            json!({"leftOperand": "rowFilter", "operator": "eq", "rightOperand": "TRUE"}),
            json!({"leftOperand": "rowFilter", "operator": "eq", "rightOperand":
                "site IN ('a', 'b') AND (t < 400 OR t >= 1.5 OR t <= 2 OR t > 3 OR ok = TRUE) AND NOT (d <> DATE '2027-01-01' OR x IS NULL) AND x IS NOT NULL AND y NOT IN (1, 2) AND FALSE"}),
            json!({"leftOperand": "mask", "operator": "isAllOf", "rightOperand": ["hash(a)", "null(b)", "truncate(c, 1)", "truncate(d, 2)", "bucket(e, 0.5)"]}),
            json!({"leftOperand": "minGroupSize", "operator": "gteq", "rightOperand": 5}),
        ] {
            let policy = Policy::from_odrl(&json!({"permission": [{"action": "use", "constraint": [odrl]}]})).expect("policy");
            all.extend(policy.permissions.into_iter().flat_map(|p| p.constraints));
        }
        all.push(Constraint::Version { from: 3 });
        for text in ["P0D", "P30D", "PT1H"] {
            all.push(Constraint::NoticePeriod { period: NoticePeriod::parse(text).expect("a period") });
        }
        all
    }

    #[test]
    fn in_english_they_are_those_of_core() {
        for constraint in every_kind() {
            assert_eq!(sentence(&constraint).to_string(), constraint.sentence());
        }
        let permission = |constraints| Permission { constraints };
        let alternatives = Policy::free(vec![permission(every_kind()), permission(Vec::new())]);
        let priced = |price| alternatives.at(Some(Price::read(price).expect("price")));
        for policy in [Policy::open(), priced("80 CNY"), priced("1.5 KWD"), alternatives.clone()] {
            let said: Vec<String> = of(&policy).iter().map(ToString::to_string).collect();
            assert_eq!(said, policy.sentences());
        }
    }

    #[test]
    fn money_is_written_as_its_currency_is() {
        let said = |price, locale| money(Price::read(price).expect("price")).in_locale(locale);
        assert_eq!([said("80 CNY", Locale::En), said("80 CNY", Locale::Zh)], ["80.00 CNY", "人民币 80.00 元"]);
        assert_eq!([said("1200 JPY", Locale::En), said("1200 JPY", Locale::Zh)], ["1200 JPY", "1200 日元"]);
        assert_eq!([said("1.5 KWD", Locale::En), said("1.5 KWD", Locale::Zh)], ["1.500 KWD", "1.500 KWD"]);
    }

    #[test]
    fn in_chinese_they_are_chinese() {
        for constraint in every_kind() {
            let (en, zh) = (sentence(&constraint).to_string(), sentence(&constraint).in_locale(Locale::Zh));
            assert!(zh.ends_with('。') && zh != en, "{zh}");
        }
        let policy = Policy::from_odrl(&json!({"permission": [{"action": "use", "constraint": [
            {"leftOperand": "elapsedTime", "operator": "lteq", "rightOperand": "P30D"},
            {"leftOperand": "spatial", "operator": "isAnyOf", "rightOperand": ["CN", "SG"]}]}]}))
        .expect("policy");
        let until =
            Constraint::DateTime { op: Comparison::Lt, at: fondaco_core::time::Timestamp::parse("2027-01-05T08:30:00Z").expect("instant") };
        assert_eq!(sentence(&until).in_locale(Locale::Zh), "仅允许在 2027年01月05日 08:30:00 UTC 之前使用。");
        let said: Vec<String> = of(&policy).iter().map(|text| text.in_locale(Locale::Zh)).collect();
        assert_eq!(said, ["合约订立后 30 天内允许使用。", "仅限设立于以下国家或地区的参与方：CN、SG。"]);
    }
}
