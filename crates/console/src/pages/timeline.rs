//! `GET /p/{slug}/agreements/{id}/timeline`: the evidence of both sides of an agreement beside each other.

use askama::Template;

use crate::format::Count;
use crate::pages::evidence::kind;
use crate::states::LeafState;
use crate::text::{Text, filters};
use crate::view::{Layout, Party, When};

/// A leaf of one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineRow {
    /// Whether it is in our log; otherwise in the other side's.
    pub ours: bool,
    /// The kind of what happened, as the log names it.
    pub kind: &'static str,
    /// When, by the clock of that side.
    pub at: When,
    /// What it came to.
    pub state: LeafState,
    /// Why it does not hold.
    pub why: Option<Text>,
    /// Its place in that log.
    pub place: Option<Count>,
    /// What it is about, if that was shown.
    pub object: Option<String>,
    /// Ours: the id of the piece of evidence.
    pub id: Option<String>,
}

impl TimelineRow {
    fn words(&self) -> Text {
        kind(self.kind)
    }
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/timeline.html", blocks = ["title"])]
pub struct TimelinePage {
    /// Around the page.
    pub layout: Layout,
    /// The agreement.
    pub agreement: String,
    /// Our side.
    pub us: Party,
    /// The other side.
    pub peer: Party,
    /// Whether both logs hold the same agreement; unknown where one of them shows none.
    pub same: Option<bool>,
    /// The key that the other side's log was checked by, and since when it is relied on.
    pub peer_key: Option<(String, When)>,
    /// Whether the other side showed any leaf.
    pub answered: bool,
    /// The names of the witnesses known here that have seen the other side's log.
    pub witnesses: Vec<String>,
    /// What is wrong.
    pub findings: Vec<Text>,
    /// Whether any of it speaks against the evidence.
    pub faulty: bool,
    /// The leaves of both sides, the first one first.
    pub rows: Vec<TimelineRow>,
}

page!(TimelinePage);

impl TimelinePage {
    fn is_same(&self) -> bool {
        self.same == Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, render, render_hostile};

    #[test]
    fn what_is_wrong_is_loud_and_what_holds_is_said() {
        let page = TimelinePage::sample();
        let html = render(&page);
        assert!(!html.contains("role=\"alert\"") && html.contains("flash-success"));
        for id in page.rows.iter().filter_map(|row| row.id.as_ref()) {
            assert!(html.contains(&format!("href=\"/p/suzhou/evidence/{id}\"")));
        }
        let bad = render(&TimelinePage::sample_faulty());
        assert!(bad.contains("role=\"alert\"") && !bad.contains("flash-success"));
    }

    #[test]
    fn what_cannot_be_compared_is_not_said_to_be_the_same() {
        let page = TimelinePage { same: None, findings: Vec::new(), faulty: false, ..TimelinePage::sample() };
        assert!(!render(&page).contains("flash-success"));
    }

    #[test]
    fn whether_anybody_else_sees_the_same_log_is_said() {
        let words = |witnesses: Vec<String>| render(&TimelinePage { answered: true, witnesses, ..TimelinePage::sample() });
        let none = Text::say("evidence-peer-unwitnessed").to_string();
        assert!(words(Vec::new()).contains(&none));
        let seen = words(vec!["w.example".into()]);
        assert!(seen.contains("w.example") && !seen.contains(&none));
        assert!(!render(&TimelinePage { answered: false, witnesses: Vec::new(), ..TimelinePage::sample() }).contains(&none));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = TimelinePage::sample_faulty();
        page.agreement = HOSTILE.into();
        page.peer.name = HOSTILE.into();
        page.rows[0].object = Some(HOSTILE.into());
        page.rows[0].why = Some(Text::plain(HOSTILE));
        page.findings.push(Text::plain(HOSTILE));
        page.witnesses = vec![HOSTILE.into()];
        page.peer_key = Some((HOSTILE.into(), When::default()));
        render_hostile(&page);
    }
}
