//! `GET`, `POST /p/{slug}/rules` and `…/offers/{id}/rules`: decision rules as a form for the common ones, as JSON for
//! the rest, and in sentences.
//!
//! The form and the text both become JSON, which is read and checked as a rules file is.

use super::{
    answer::{self, Answer},
    flash::Notice,
    guard::{Form, Room},
    publish::sheet::mark,
    sentences, shape, words,
};
use crate::app::{App, cause::name};
use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use fondaco_console::{
    Text,
    fields::Problems,
    pages::{PointForm, RuleSentences, RulesOf, RulesPage},
};
use fondaco_core::{
    Error, Result,
    decision::{Action, Decision, RuleSet, Rules, Trigger},
    ids::OfferId,
    policy::Policy,
    price::Price,
    product::Offer,
};
use serde_json::{Value, json};

/// A point of the form.
struct Point {
    trigger: Trigger,
    name: &'static str,
    actions: &'static [&'static str],
    /// What can be done about what does not fit, or when a program gives no answer.
    others: &'static [&'static str],
    /// Where a price has a floor or a ceiling.
    priced: bool,
}

const BARGAINS: &[&str] = &["agree", "offer", "hold", "webhook", "terminate"];
const OTHERS: &[&str] = &["hold", "terminate"];

const fn plain(trigger: Trigger, name: &'static str, actions: &'static [&'static str]) -> Point {
    Point { trigger, name, actions, others: OTHERS, priced: false }
}

const fn bargain(trigger: Trigger, name: &'static str) -> Point {
    Point { trigger, name, actions: BARGAINS, others: &["offer", "hold", "terminate"], priced: true }
}

const OF_OFFER: &[Point] = &[
    bargain(Trigger::Requested, "requested"),
    bargain(Trigger::CounterRequested, "counter_requested"),
    plain(Trigger::Accepted, "accepted", &["agree", "hold", "webhook", "terminate"]),
    plain(Trigger::Verified, "verified", &["finalize", "hold", "webhook", "terminate"]),
    plain(Trigger::TransferRequested, "transfer_requested", &["start", "hold", "webhook", "terminate"]),
];
const OF_PARTICIPANT: &[Point] = &[
    Point {
        trigger: Trigger::Offered,
        name: "offered",
        actions: &["accept", "counter", "hold", "webhook", "terminate"],
        others: &["counter", "hold", "terminate"],
        priced: true,
    },
    plain(Trigger::Agreed, "agreed", &["verify", "hold", "webhook", "terminate"]),
];

/// The participant's, as consumer.
pub async fn show(room: Room) -> Answer {
    let rules = room.participant.rules.clone();
    answer::html(&of_participant(room, &rules))
}

/// Saves them, or shows what they would mean.
pub async fn save(State(app): State<App>, room: Room, form: Form) -> Answer {
    let stored = room.participant.rules.clone();
    let read = match text_of(&form)? {
        Typed::Text(text) => serde_json::from_str::<RuleSet>(text).map_err(|e| not_json(&e)),
        Typed::Form(base) => serde_json::from_str::<RuleSet>(base).map_err(|e| not_json(&e)).and_then(|mut set| {
            set.default = typed(&form, OF_PARTICIPANT, &set.default)?;
            Ok(set)
        }),
    };
    let checked = read.and_then(|set| {
        let check = set.check().and_then(|()| set.all().try_for_each(|rules| app.check_webhooks(rules)));
        check.map_err(|e| refused(&form, &e)).map(|()| set)
    });
    match checked {
        Ok(set) if previews(&form) => answer::html(&RulesPage { unsaved: set != stored, ..of_participant(room, &set) }),
        Ok(set) => {
            app.by(room.decider()).participant_set_rules(&room.participant, set).await?;
            answer::see_other(&app, &format!("{}/rules", room.base()), Some(Notice::RulesSaved))
        }
        Err(problems) => {
            let page = of_participant(room, &stored);
            answer::with_status(StatusCode::BAD_REQUEST, &as_typed(page, &form, problems))
        }
    }
}

/// An offer's.
pub async fn show_offer(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    let offer = app.offer(&room.participant.slug, &OfferId::from_stored(id)).await?;
    answer::html(&of_offer(&app, room, &offer, &offer.rules).await?)
}

/// Saves an offer's, or shows what they would mean.
pub async fn save_offer(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>, form: Form) -> Answer {
    let offer = app.offer(&room.participant.slug, &OfferId::from_stored(id)).await?;
    let read = match text_of(&form)? {
        Typed::Text(text) => serde_json::from_str::<Rules>(text).map_err(|e| not_json(&e)),
        Typed::Form(base) => serde_json::from_str::<Rules>(base).map_err(|e| not_json(&e)).and_then(|rules| typed(&form, OF_OFFER, &rules)),
    };
    let checked = read.and_then(|rules| {
        let check = rules.check().and_then(|()| rules.check_for(&offer.policy)).and_then(|()| app.check_webhooks(&rules));
        check.map_err(|e| refused(&form, &e)).map(|()| rules)
    });
    match checked {
        Ok(rules) if previews(&form) => {
            let unsaved = rules != offer.rules;
            answer::html(&RulesPage { unsaved, ..of_offer(&app, room, &offer, &rules).await? })
        }
        Ok(rules) => {
            app.by(room.decider()).offer_set_rules(&room.participant.slug, &offer.id, rules).await?;
            let page = format!("{}/offers/{}/rules", room.base(), shape::segment(offer.id.as_str()));
            answer::see_other(&app, &page, Some(Notice::RulesSaved))
        }
        Err(problems) => {
            let page = of_offer(&app, room, &offer, &offer.rules).await?;
            answer::with_status(StatusCode::BAD_REQUEST, &as_typed(page, &form, problems))
        }
    }
}

fn previews(form: &Form) -> bool {
    form.get("go") == Some("preview")
}

fn of_participant(room: Room, set: &RuleSet) -> RulesPage {
    let mut groups = vec![RuleSentences { about: None, lines: lines(&set.default) }];
    for (who, rules) in &set.with {
        groups.push(RuleSentences { about: Some(Text::say("rules-with").with("who", who.as_str())), lines: lines(rules) });
    }
    for (what, rules) in &set.about {
        groups.push(RuleSentences { about: Some(Text::say("rules-about").with("what", what.as_str())), lines: lines(rules) });
    }
    page(room, RulesOf::Participant, OF_PARTICIPANT, &set.default, &json!(set), groups)
}

async fn of_offer(app: &App, room: Room, offer: &Offer, rules: &Rules) -> Result<RulesPage> {
    let product = &offer.product;
    let listing = app.listing(&room.participant.slug, product.id.as_str(), Some(product.version)).await?;
    let of = RulesOf::Offer {
        id: offer.id.to_string(),
        product: (product.id.to_string(), listing.product.title),
        terms: sentences::of(&offer.policy),
    };
    let groups = vec![RuleSentences { about: None, lines: lines(rules) }];
    Ok(page(room, of, OF_OFFER, rules, &json!(rules), groups))
}

fn page(room: Room, of: RulesOf, points: &[Point], rules: &Rules, all: &Value, sentences: Vec<RuleSentences>) -> RulesPage {
    let json = shape::pretty(all);
    RulesPage {
        layout: room.layout,
        of,
        points: points.iter().map(|point| fields(point, rules)).collect(),
        was: mark(&json),
        json,
        sentences,
        unsaved: false,
        problems: Problems::default(),
    }
}

/// A point as fields, where they can say all of it.
fn fields(point: &Point, rules: &Rules) -> PointForm {
    let list = rules.0.get(&point.trigger).map(Vec::as_slice).unwrap_or_default();
    let mut form = PointForm {
        point: point.name,
        actions: point.actions,
        others: point.others,
        price: point.priced.then(String::new),
        ..PointForm::default()
    };
    match list {
        [] => {}
        [one] if is_common(point, one) => {
            form.chosen = name(&one.action);
            form.otherwise = one.otherwise.as_ref().map(name).unwrap_or_default();
            form.url = one.url.clone().unwrap_or_default();
            if one.after_ms > 0 {
                form.after = (one.after_ms / 1_000).to_string();
            }
            if let Some(price) = one.floor.or(one.ceiling) {
                form.price = Some(price.to_string());
            }
        }
        _ => {
            form.written = true;
            form.chosen = "written".into();
        }
    }
    form
}

fn is_common(point: &Point, decision: &Decision) -> bool {
    let among = |action: &Action, actions: &[&str]| actions.contains(&name(action).as_str());
    (point.priced || (decision.floor.is_none() && decision.ceiling.is_none()))
        && among(&decision.action, point.actions)
        && decision.otherwise.as_ref().is_none_or(|o| among(o, point.others))
        && decision.within.is_none()
        && decision.rounds.is_none()
        && decision.wait_ms.is_none()
        && decision.after_ms.is_multiple_of(1_000)
}

/// What was typed: the text, where it was edited, else the form over the text as it stood.
enum Typed<'a> {
    Text(&'a str),
    Form(&'a str),
}

fn other_form() -> Error {
    Error::invalid("The form is not whole, or of another version. Load the page again; nothing was saved.")
}

fn text_of(form: &Form) -> Result<Typed<'_>> {
    let text = form.exact("json").ok_or_else(other_form)?;
    let edited = form.get("was") != Some(mark(text).as_str());
    Ok(if edited { Typed::Text(text) } else { Typed::Form(text) })
}

fn not_json(e: &serde_json::Error) -> Problems {
    let mut problems = Problems::default();
    problems.add("json", Text::say("rules-problem-json").with("detail", e.to_string()));
    problems
}

/// What the rules' own checks say; beside the text, where that was edited.
fn refused(form: &Form, e: &Error) -> Problems {
    let mut problems = Problems::default();
    problems.add(if matches!(text_of(form), Ok(Typed::Text(_))) { "json" } else { "" }, words::problem(e));
    problems
}

/// The rules of a form, over those that it does not show.
fn typed(form: &Form, points: &[Point], base: &Rules) -> Result<Rules, Problems> {
    let mut rules = base.clone();
    let mut problems = Problems::default();
    for point in points {
        let part = |part: &str| form.get(&format!("{}-{part}", point.name));
        match form.exact(&format!("{}-do", point.name)) {
            Some("written") => {}
            Some("") => drop(rules.0.remove(&point.trigger)),
            Some(action) if point.actions.contains(&action) => {
                if let Some(decision) = decision(point, action, part, &mut problems) {
                    rules.0.insert(point.trigger, vec![decision]);
                }
            }
            _ => problems.add("", words::problem(&other_form())),
        }
    }
    if problems.is_empty() { Ok(rules) } else { Err(problems) }
}

/// A decision of a form: the fields that belong to the action, read as a rules file is.
fn decision<'a>(point: &Point, action: &str, part: impl Fn(&str) -> Option<&'a str>, problems: &mut Problems) -> Option<Decision> {
    let mut written = json!({"do": action});
    let id = |part: &str| format!("{}-{part}", point.name);
    if let Some(after) = part("after") {
        match after.parse::<u32>().ok().and_then(|n| n.checked_mul(1_000)) {
            Some(ms) => written["after_ms"] = json!(ms),
            None => problems.add(id("after"), Text::say("rules-problem-after")),
        }
    }
    let limit = match action {
        "agree" if point.priced => Some("floor"),
        "accept" if point.priced => Some("ceiling"),
        _ => None,
    };
    if let (Some(limit), Some(price)) = (limit, part("price")) {
        match Price::read(price) {
            Ok(price) => written[limit] = json!(price),
            Err(e) => problems.add(id("price"), words::problem(&e)),
        }
    }
    if let Some(otherwise) = part("otherwise").filter(|_| limit.is_some() || action == "webhook") {
        written["otherwise"] = json!(otherwise);
    }
    if let Some(url) = part("url").filter(|_| action == "webhook") {
        written["url"] = json!(url);
    }
    let read = serde_json::from_value::<Decision>(written).map_err(|e| Error::invalid(e.to_string()));
    let checked = read.and_then(|decision| {
        Rules([(point.trigger, vec![decision.clone()])].into()).check()?;
        Ok(decision)
    });
    match checked {
        Ok(decision) => Some(decision),
        Err(e) => {
            problems.add(id(if action == "webhook" { "url" } else { "do" }), words::problem(&e));
            None
        }
    }
}

/// The page again, with what was typed.
fn as_typed(mut page: RulesPage, form: &Form, problems: Problems) -> RulesPage {
    let text = |name: &str| form.get(name).unwrap_or_default().to_owned();
    for point in &mut page.points {
        let part = |part: &str| text(&format!("{}-{part}", point.point));
        let (chosen, after, url, otherwise, price) = (part("do"), part("after"), part("url"), part("otherwise"), part("price"));
        (point.chosen, point.after, point.url, point.otherwise) = (chosen, after, url, otherwise);
        point.price = point.price.is_some().then_some(price);
    }
    page.json = form.exact("json").unwrap_or_default().replace("\r\n", "\n");
    page.was = text("was");
    page.problems = problems;
    page
}

/// Rules in sentences.
fn lines(rules: &Rules) -> Vec<Text> {
    if rules.is_empty() {
        return vec![Text::say("rules-none")];
    }
    let mut lines = Vec::new();
    for (trigger, list) in &rules.0 {
        let at = Text::of("rules-point", &name(trigger));
        for (decision, n) in list.iter().zip(1_usize..) {
            let what = meaning(decision);
            lines.push(match n {
                1 if list.len() == 1 => Text::say("rules-line").with("at", &at).with("what", what),
                1 => Text::say("rules-line-first").with("at", &at).with("what", what),
                n if n < list.len() => Text::say("rules-line-nth").with("at", &at).with("n", n).with("what", what),
                n => Text::say("rules-line-then").with("at", &at).with("n", n).with("what", what),
            });
        }
    }
    lines
}

/// A decision in words.
fn meaning(decision: &Decision) -> Text {
    let action = |action: &Action| Text::of("rules-do", &name(action));
    let mut parts = Vec::new();
    if decision.after_ms > 0 {
        parts.push(Text::say("rules-part-after").with("n", u64::from(decision.after_ms.div_ceil(1_000))));
    }
    parts.push(action(&decision.action));
    if let Some(url) = &decision.url {
        parts.push(Text::say("rules-part-program").with("url", url.as_str()));
    }
    if let Some(price) = decision.floor {
        parts.push(Text::say("rules-part-floor").with("price", sentences::money(price)));
    }
    if let Some(price) = decision.ceiling {
        parts.push(Text::say("rules-part-ceiling").with("price", sentences::money(price)));
    }
    if let Some(policy) = decision.within.as_ref().and_then(|odrl| Policy::from_odrl(odrl).ok()) {
        let terms = Text::joined(sentences::of(&policy), "rules-separator");
        parts.push(match decision.action {
            Action::Agree => Text::say("rules-part-within").with("terms", terms),
            _ => Text::say("rules-part-least").with("terms", terms),
        });
    }
    if let Some(otherwise) = &decision.otherwise {
        let what = action(otherwise);
        parts.push(match decision.action {
            Action::Webhook => Text::say("rules-part-unanswered").with("what", what),
            _ => Text::say("rules-part-otherwise").with("what", what),
        });
    }
    if let Some(rounds) = decision.rounds {
        parts.push(Text::say("rules-part-rounds").with("n", u64::from(rounds)));
    }
    Text::joined(parts, "rules-separator")
}

#[cfg(test)]
mod tests {
    use super::*;
    use fondaco_console::Locale;

    fn rules(json: Value) -> Rules {
        serde_json::from_value(json).expect("rules")
    }

    /// What a browser sends of a page, with other fields instead.
    fn sent(points: &[Point], rules: &Rules, instead: &[(&str, &str)]) -> Form {
        let json = shape::pretty(&json!(rules));
        let mut pairs = vec![("was".to_owned(), mark(&json)), ("json".to_owned(), json.replace('\n', "\r\n"))];
        for point in points.iter().map(|p| fields(p, rules)) {
            let parts = [("do", point.chosen), ("otherwise", point.otherwise), ("after", point.after), ("url", point.url)];
            pairs.extend(parts.into_iter().map(|(part, value)| (format!("{}-{part}", point.point), value)));
            pairs.extend(point.price.map(|price| (format!("{}-price", point.point), price)));
        }
        for (name, value) in instead {
            pairs.retain(|(n, _)| n != name);
            pairs.push(((*name).to_owned(), (*value).to_owned()));
        }
        Form::parse(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish().as_bytes())
    }

    #[test]
    fn every_rule_survives_the_form() {
        let all = rules(json!({
            "requested": [{"do": "agree", "floor": "80 CNY", "otherwise": "hold", "after_ms": 5_000}],
            "counter_requested": [{"do": "agree", "floor": "80 CNY", "rounds": 4}, {"do": "hold"}],
            "accepted": [{"do": "webhook", "url": "https://decide.example/", "otherwise": "terminate"}],
            "verified": [{"do": "finalize", "after_ms": 1}],
            "started": [{"do": "suspend"}]}));
        let form = sent(OF_OFFER, &all, &[]);
        assert!(matches!(text_of(&form), Ok(Typed::Form(_))));
        assert_eq!(typed(&form, OF_OFFER, &all).expect("whole"), all);
        let changed = sent(OF_OFFER, &all, &[("requested-do", "hold"), ("counter_requested-do", ""), ("requested-price", "90 CNY")]);
        let changed = typed(&changed, OF_OFFER, &all).expect("whole");
        assert_eq!(json!(changed)["requested"], json!([{"do": "hold", "after_ms": 5_000}]), "a price belongs to agreeing");
        assert!(!changed.0.contains_key(&Trigger::CounterRequested) && changed.0.contains_key(&Trigger::Started));
    }

    #[test]
    fn what_is_wrong_is_said_beside_its_field() {
        let none = Rules::default();
        for (point, field, instead) in [
            (OF_OFFER, "requested-price", [("requested-do", "agree"), ("requested-price", "eighty")]),
            (OF_OFFER, "requested-after", [("requested-do", "hold"), ("requested-after", "soon")]),
            (OF_OFFER, "requested-do", [("requested-do", "hold"), ("requested-after", "86401")]),
            (OF_OFFER, "accepted-url", [("accepted-do", "webhook"), ("accepted-url", "")]),
            (OF_PARTICIPANT, "offered-price", [("offered-do", "accept"), ("offered-price", "95 RMB")]),
            (OF_PARTICIPANT, "", [("offered-do", "finalize"), ("offered-price", "")]),
        ] {
            let problems = typed(&sent(point, &none, &instead), point, &none).expect_err("refused");
            assert_eq!(problems.0[0].field, field, "{instead:?}");
        }
        assert!(text_of(&Form::parse(b"csrf=x")).is_err());
    }

    #[test]
    fn rules_are_said_in_both_languages() {
        assert_eq!(lines(&Rules::default())[0].to_string(), "Nothing is written: everything is automatic.");
        let all = rules(json!({
            "requested": [{"do": "agree", "floor": "80 CNY", "otherwise": "hold"}, {"do": "terminate", "after_ms": 1_500}],
            "offered": [{"do": "accept", "ceiling": "95 CNY", "within": {"permission": [{"action": "use"}]}}]}));
        let said = |locale| lines(&all).iter().map(|line| line.in_locale(locale)).collect::<Vec<_>>();
        assert_eq!(
            said(Locale::En),
            [
                "Somebody asks for this offer, the first time: agree to what fits; from 80.00 CNY up; if it does not fit: a person decides",
                "Somebody asks for this offer, from time 2 on: after a wait of 2 s; end it",
                "A provider offers other terms: accept what fits; up to 95.00 CNY; at least on these terms: Every participant may use it, \
                 without limits.",
            ]
        );
        assert_eq!(said(Locale::Zh)[0], "有人申请此要约（第一次）：同意符合条件的申请；不低于人民币 80.00 元；不符合时：由人员决定");
    }

    #[test]
    fn every_action_and_point_has_words() {
        for point in OF_OFFER.iter().chain(OF_PARTICIPANT) {
            assert_eq!(name(&point.trigger), point.name);
            for action in point.actions.iter().chain(point.others) {
                assert!(serde_json::from_value::<Action>(json!(action)).is_ok() && Text::of("rules-do", action).exists(), "{action}");
            }
        }
    }
}
