//! `GET`, `POST /p/{slug}/rules` (of the participant, as consumer) and `…/offers/{id}/rules` (of an offer): decision rules.
//!
//! For each point the form has `{point}-do` (empty: automatic; `written`: as the text says; else an action), and with it
//! `-price` (a floor or a ceiling), `-otherwise`, `-after` (seconds) and `-url`. Text in `json` that differs from `was`
//! replaces the form. `go` is `save`, or `preview`, which saves nothing.

use askama::Template;

use crate::fields::{Field, Problems};
use crate::text::{Text, filters};
use crate::view::Layout;

/// Whose rules they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RulesOf {
    /// The participant's, as consumer.
    Participant,
    /// An offer's.
    Offer {
        /// Its id.
        id: String,
        /// The product's id and title.
        product: (String, String),
        /// Its terms.
        terms: Vec<Text>,
    },
}

/// A point, and what is decided there, as its fields stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PointForm {
    /// Its name in rules: `requested`.
    pub point: &'static str,
    /// The actions that can be chosen.
    pub actions: &'static [&'static str],
    /// What else can be done about other terms, or when a program gives no answer.
    pub others: &'static [&'static str],
    /// Empty, `written`, or one of the actions.
    pub chosen: String,
    /// Whether the text says something that these fields cannot.
    pub written: bool,
    /// The floor or ceiling; `None` where there is neither.
    pub price: Option<String>,
    /// What to do otherwise.
    pub otherwise: String,
    /// The delay in seconds.
    pub after: String,
    /// The address of a program.
    pub url: String,
}

impl PointForm {
    fn label(&self) -> Text {
        Text::of("rules-point", self.point)
    }

    fn automatic(&self) -> Text {
        Text::of("rules-automatic", self.point)
    }

    fn action(code: &str) -> Text {
        Text::of("rules-do", code)
    }

    /// Whether the fields that are seldom needed are in use.
    fn uses_more(&self) -> bool {
        !self.after.is_empty() || !self.url.is_empty() || self.chosen == "webhook"
    }

    fn price_label(&self) -> Text {
        if self.point == "offered" { Text::say("rules-ceiling-label") } else { Text::say("rules-floor-label") }
    }
}

/// Rules in sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSentences {
    /// With whom or about what; `None`: in general.
    pub about: Option<Text>,
    /// The sentences.
    pub lines: Vec<Text>,
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/rules.html", blocks = ["title"])]
pub struct RulesPage {
    /// Around the page.
    pub layout: Layout,
    /// Whose they are.
    pub of: RulesOf,
    /// The points.
    pub points: Vec<PointForm>,
    /// The rules as JSON.
    pub json: String,
    /// What tells whether the JSON was edited.
    pub was: String,
    /// What they mean.
    pub sentences: Vec<RuleSentences>,
    /// Whether the sentences are of what is not saved yet.
    pub unsaved: bool,
    /// What is wrong.
    pub problems: Problems,
}

page!(RulesPage);

impl RulesPage {
    fn price_field(&self, point: &PointForm, value: &str) -> Field {
        let field = self.problems.field(&format!("{}-price", point.point), point.price_label(), value);
        field.hint(Text::say("rules-price-hint")).max(40)
    }

    fn after_field(&self, point: &PointForm) -> Field {
        self.problems.field(&format!("{}-after", point.point), Text::say("rules-after-label"), &point.after).max(5)
    }

    fn url_field(&self, point: &PointForm) -> Field {
        let field = self.problems.field(&format!("{}-url", point.point), Text::say("rules-url-label"), &point.url);
        field.hint(Text::say("rules-url-hint")).max(2_048)
    }

    fn problem(&self, point: &PointForm) -> Option<&Text> {
        self.problems.of(&format!("{}-do", point.point))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, form, render, render_hostile};

    #[test]
    fn every_point_has_its_fields() {
        for page in [RulesPage::sample_offer(), RulesPage::sample()] {
            let html = render(&page);
            let path = match &page.of {
                RulesOf::Participant => "/p/suzhou/rules".to_owned(),
                RulesOf::Offer { id, .. } => format!("/p/suzhou/offers/{id}/rules"),
            };
            let form = form(&html, &path).expect("the form");
            for point in &page.points {
                assert!(form.contains(&format!("name=\"{}-do\"", point.point)), "{}", point.point);
                let priced = form.contains(&format!("name=\"{}-price\"", point.point));
                assert_eq!(priced, point.price.is_some(), "{}", point.point);
                assert!(point.label().exists() && point.automatic().exists(), "{}", point.point);
                for action in point.actions.iter().chain(point.others) {
                    assert!(PointForm::action(action).exists(), "{action}");
                }
            }
            assert!(form.contains("name=\"json\"") && form.contains("name=\"was\""));
        }
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = RulesPage::sample_offer();
        page.json = format!("</textarea>{HOSTILE}");
        page.points[0].url = HOSTILE.into();
        page.points[0].price = Some(HOSTILE.into());
        page.sentences[0].lines = vec![Text::plain(HOSTILE)];
        page.problems.add("json", Text::plain(HOSTILE));
        page.of = RulesOf::Offer { id: HOSTILE.into(), product: (HOSTILE.into(), HOSTILE.into()), terms: vec![Text::plain(HOSTILE)] };
        render_hostile(&page);
    }
}
