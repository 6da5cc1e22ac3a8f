//! `GET /p/{slug}/publish/{id}/review`: the fourth step, everything on one page as others will see it.
//! `POST` publishes it.

use askama::Template;

use crate::pages::{PublishFrame, RemarkView, Stage};
use crate::states::Kind;
use crate::text::{Text, filters};
use crate::view::{Layout, Terms};

/// A line of what was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewFact {
    /// What it is: the message `publish-fact-{code}`.
    pub code: &'static str,
    /// What was said; `None` where nothing was.
    pub value: Option<Text>,
}

impl ReviewFact {
    fn label(&self) -> Text {
        Text::of("publish-fact", self.code)
    }
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/publish_review.html", blocks = ["title"])]
pub struct PublishReviewPage {
    /// Around the page.
    pub layout: Layout,
    /// Around the step. Problems name the step and field that they are about: `describe#title`.
    pub frame: PublishFrame,
    /// What it is.
    pub kind: Kind,
    /// The description: text, paragraphs apart by empty lines.
    pub description: String,
    /// Keywords.
    pub keywords: Vec<String>,
    /// The rest of what was said, in order.
    pub facts: Vec<ReviewFact>,
    /// The terms of each offer; none means open to every participant.
    pub offers: Vec<Terms>,
    /// What could be better.
    pub remarks: Vec<RemarkView>,
    /// The version it becomes, where there are others of the id.
    pub version: Option<u64>,
    /// Whether there are rows to be seen as buyers would see them: a table was read.
    pub has_preview: bool,
}

page!(PublishReviewPage);

impl PublishReviewPage {
    /// The description's paragraphs.
    fn paragraphs(&self) -> impl Iterator<Item = &str> {
        self.description.split("\n\n").map(str::trim).filter(|p| !p.is_empty())
    }

    fn can_publish(&self) -> bool {
        matches!(self.frame.stage, Stage::Prepared(_)) && self.frame.problems.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, form, render, render_hostile};

    #[test]
    fn it_can_be_published_when_nothing_is_wrong() {
        let mut page = PublishReviewPage::sample();
        let action = format!("/p/suzhou/publish/{}/review", page.frame.id);
        let html = render(&page);
        assert!(form(&html, &action).is_some());
        assert!(html.contains(&format!("href=\"/p/suzhou/publish/{}/preview\"", page.frame.id)));
        assert!(html.contains("&#34;permission&#34;") && html.contains("class=\"terms\""));
        for fact in &page.facts {
            assert!(fact.label().exists(), "{}", fact.code);
        }
        page.frame.problems.add("describe#title", Text::plain("A product needs a title."));
        let html = render(&page);
        assert!(form(&html, &action).is_none());
        assert!(html.contains("href=\"describe#title\""), "it leads to the field");
    }

    #[test]
    fn before_the_source_is_read_it_waits() {
        let mut page = PublishReviewPage::sample();
        page.frame.stage = Stage::Preparing(crate::pages::ProgressView::default());
        let html = render(&page);
        assert!(html.contains("http-equiv=\"refresh\"") && html.contains("data-live=\""));
        assert!(form(&html, &format!("/p/suzhou/publish/{}/review", page.frame.id)).is_none());
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = PublishReviewPage::sample();
        page.frame.title = HOSTILE.into();
        page.description = HOSTILE.into();
        page.keywords = vec![HOSTILE.into()];
        page.facts[0].value = Some(Text::plain(HOSTILE));
        page.offers[0].odrl_json = HOSTILE.into();
        page.frame.problems.add(HOSTILE, Text::plain(HOSTILE));
        render_hostile(&page);
    }
}
