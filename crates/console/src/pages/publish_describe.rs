//! `GET`, `POST /p/{slug}/publish/{id}/describe`: the second step, what others read about the product.

use askama::Template;

use crate::fields::Field;
use crate::pages::PublishFrame;
use crate::text::{Text, filters};
use crate::view::Layout;

/// Licences that are suggested, by their SPDX names: the open ones that data comes under.
const LICENSES: [&str; 12] = [
    "CC-BY-4.0",
    "CC-BY-SA-4.0",
    "CC-BY-NC-4.0",
    "CC-BY-NC-SA-4.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "CDLA-Sharing-1.0",
    "ODbL-1.0",
    "ODC-By-1.0",
    "PDDL-1.0",
    "MulanPSL-2.0",
    "Apache-2.0",
];

/// Rhythms of renewal from a source that are offered: ISO 8601.
const RENEWALS: [&str; 5] = ["PT10M", "PT1H", "PT6H", "P1D", "P7D"];

/// The form as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DescribeForm {
    /// Title.
    pub title: String,
    /// The id in the catalogue.
    pub product: String,
    /// Description.
    pub description: String,
    /// Search words, apart by commas.
    pub keywords: String,
    /// SPDX expression or address.
    pub license: String,
    /// Mail or web address.
    pub contact: String,
    /// The code of the update rhythm.
    pub rhythm: String,
    /// Language tags, apart by commas.
    pub language: String,
    /// What it was made from: ids of agreements and of product versions, one a line.
    pub derived_from: String,
    /// Whether the profile is in the catalogue.
    pub profile: bool,
    /// How often the source is looked at; empty for never.
    pub renewal: String,
}

/// What could be better about the listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemarkView {
    /// Its stable name: the messages `publish-remark-{code}` and `publish-why-{code}`.
    pub code: String,
}

impl RemarkView {
    pub(crate) fn what(&self) -> Text {
        Text::of("publish-remark", &self.code)
    }

    pub(crate) fn why(&self) -> Text {
        Text::of("publish-why", &self.code)
    }
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/publish_describe.html", blocks = ["title"])]
pub struct PublishDescribePage {
    /// Around the page.
    pub layout: Layout,
    /// Around the step.
    pub frame: PublishFrame,
    /// The form.
    pub form: DescribeForm,
    /// What could be better.
    pub remarks: Vec<RemarkView>,
    /// The codes of the update rhythms: the messages `rhythm-{code}`.
    pub rhythms: Vec<String>,
    /// Whether it is a table, which has a profile.
    pub is_table: bool,
    /// Whether the node can look at the source again.
    pub renewable: bool,
    /// The version it becomes, where there are others of the id.
    pub version: Option<u64>,
}

page!(PublishDescribePage);

impl PublishDescribePage {
    const fn licenses() -> [&'static str; 12] {
        LICENSES
    }

    /// The renewals to choose from, with the one there is.
    fn renewals(&self) -> Vec<&str> {
        let own = Some(self.form.renewal.as_str()).filter(|own| !own.is_empty() && !RENEWALS.contains(own));
        RENEWALS.into_iter().chain(own).collect()
    }

    fn renewal_text(code: &str) -> Text {
        let text = Text::of("publish-renewal", code);
        if text.exists() { text } else { Text::plain(code) }
    }

    fn rhythm_text(code: &str) -> Text {
        Text::of("rhythm", code)
    }

    fn title_field(&self) -> Field {
        self.frame.problems.field("title", Text::say("publish-title"), &self.form.title).hint(Text::say("publish-title-hint")).max(300)
    }

    fn product_field(&self) -> Field {
        self.frame.problems.field("product", Text::say("publish-id"), &self.form.product).hint(Text::say("publish-id-hint")).max(100)
    }

    fn description_field(&self) -> Field {
        let field = self.frame.problems.field("description", Text::say("publish-description"), &self.form.description);
        field.hint(Text::say("publish-description-hint")).rows(7).max(20_000)
    }

    fn keywords_field(&self) -> Field {
        let field = self.frame.problems.field("keywords", Text::say("publish-keywords"), &self.form.keywords);
        field.hint(Text::say("publish-keywords-hint")).max(6_000)
    }

    fn license_field(&self) -> Field {
        let field = self.frame.problems.field("license", Text::say("publish-license"), &self.form.license);
        field.hint(Text::say("publish-license-hint")).max(500).list("licenses")
    }

    fn contact_field(&self) -> Field {
        self.frame
            .problems
            .field("contact", Text::say("publish-contact"), &self.form.contact)
            .hint(Text::say("publish-contact-hint"))
            .max(500)
    }

    fn language_field(&self) -> Field {
        let field = self.frame.problems.field("language", Text::say("publish-language"), &self.form.language);
        field.hint(Text::say("publish-language-hint")).max(500)
    }

    fn derived_from_field(&self) -> Field {
        let field = self.frame.problems.field("derived-from", Text::say("publish-derived-from"), &self.form.derived_from);
        field.hint(Text::say("publish-derived-from-hint")).rows(3).max(52_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, form, render, render_hostile};
    use crate::pages::{ProgressView, Stage};

    #[test]
    fn what_was_said_is_in_the_form() {
        let page = PublishDescribePage::sample();
        let html = render(&page);
        let form = form(&html, &format!("/p/suzhou/publish/{}/describe", page.frame.id)).expect("the form");
        assert!(form.contains("name=\"title\" type=\"text\" value=\"Flights from New York, 2013\""));
        assert!(form.contains("value=\"daily\" selected") && form.contains("value=\"P1D\" selected"));
        assert!(form.contains("name=\"derived-from\"") && form.contains("agr_0190f6c2"));
        assert!(html.contains("name=\"personal\"") && html.contains("class=\"personal loud\""), "the hints are loud");
        assert!(html.contains("name=\"go\" value=\"on\"") && html.contains("name=\"go\" value=\"source\" formnovalidate"));
        for remark in &page.remarks {
            assert!(remark.what().exists() && remark.why().exists(), "{}", remark.code);
        }
    }

    #[test]
    fn it_can_be_described_while_the_source_is_read() {
        let mut page = PublishDescribePage::sample();
        page.frame.stage = Stage::Preparing(ProgressView::default());
        page.frame.personal.clear();
        let html = render(&page);
        assert!(html.contains("id=\"step\"") && !html.contains("http-equiv"), "what is typed is not reloaded away");
        assert!(html.contains("<main id=\"main\" tabindex=\"-1\">"), "nor exchanged");
    }

    #[test]
    fn rhythms_and_renewals_have_words() {
        let page = PublishDescribePage::sample();
        for code in &page.rhythms {
            assert!(PublishDescribePage::rhythm_text(code).exists(), "{code}");
        }
        for code in RENEWALS {
            assert!(Text::of("publish-renewal", code).exists(), "{code}");
        }
        let other = PublishDescribePage { form: DescribeForm { renewal: "PT3H".into(), ..page.form.clone() }, ..page };
        assert!(render(&other).contains("value=\"PT3H\" selected"));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = PublishDescribePage::sample();
        page.form.title = HOSTILE.into();
        page.form.description = format!("</textarea>{HOSTILE}");
        page.form.renewal = HOSTILE.into();
        page.form.derived_from = format!("</textarea>{HOSTILE}");
        page.frame.personal[0].column = HOSTILE.into();
        page.frame.personal[0].category = HOSTILE.into();
        render_hostile(&page);
    }
}
