//! Samples of the page of decision rules.

use super::{layout, terms};
use crate::Text;
use crate::fields::Problems;
use crate::pages::{PointForm, RuleSentences, RulesOf, RulesPage};

fn line(point: &str, action: &str) -> Text {
    Text::say("rules-line").with("at", Text::of("rules-point", point)).with("what", Text::of("rules-do", action))
}

impl RulesPage {
    /// A participant's.
    pub fn sample() -> Self {
        let points = vec![
            PointForm {
                point: "offered",
                actions: &["accept", "counter", "hold", "webhook", "terminate"],
                others: &["hold", "counter", "terminate"],
                chosen: "accept".into(),
                price: Some("95.00 CNY".into()),
                otherwise: "counter".into(),
                ..PointForm::default()
            },
            PointForm { point: "agreed", actions: &["verify", "hold", "webhook", "terminate"], others: &["hold"], ..PointForm::default() },
        ];
        Self {
            layout: layout("/p/suzhou/rules"),
            of: RulesOf::Participant,
            points,
            json: "{}".into(),
            was: "9f86d081".into(),
            sentences: vec![
                RuleSentences { about: None, lines: vec![line("offered", "accept")] },
                RuleSentences { about: Some(Text::say("rules-about").with("what", "flights")), lines: vec![line("offered", "hold")] },
            ],
            unsaved: false,
            problems: Problems::default(),
        }
    }

    /// An offer's, with a program, being previewed, and something wrong.
    pub fn sample_offer() -> Self {
        let bargains: &[&str] = &["agree", "offer", "hold", "webhook", "terminate"];
        let points = vec![
            PointForm {
                point: "requested",
                actions: bargains,
                others: &["offer", "hold", "terminate"],
                chosen: "agree".into(),
                price: Some("80.00 CNY".into()),
                after: "5".into(),
                ..PointForm::default()
            },
            PointForm {
                point: "counter_requested",
                actions: bargains,
                others: &["offer", "hold", "terminate"],
                chosen: "written".into(),
                written: true,
                price: Some(String::new()),
                ..PointForm::default()
            },
            PointForm {
                point: "transfer_requested",
                actions: &["start", "hold", "webhook", "terminate"],
                others: &["hold", "terminate"],
                chosen: "webhook".into(),
                url: "gopher://decide.example/".into(),
                ..PointForm::default()
            },
        ];
        let mut problems = Problems::default();
        problems.add("transfer_requested-url", Text::say("detail-address-scheme"));
        Self {
            layout: layout("/p/suzhou/products"),
            of: RulesOf::Offer { id: "off_0192f3".into(), product: ("flights".into(), "Flights 2013".into()), terms: terms().sentences },
            points,
            unsaved: true,
            problems,
            sentences: vec![RuleSentences { about: None, lines: vec![line("requested", "agree"), line("transfer_requested", "webhook")] }],
            ..Self::sample()
        }
    }
}
