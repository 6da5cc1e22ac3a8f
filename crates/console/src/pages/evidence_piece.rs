//! `GET /p/{slug}/evidence/{id}`: one piece of evidence with its document, and the way to its bundle
//! (`GET …/{id}/bundle`).

use askama::Template;

use crate::format::Count;
use crate::pages::evidence::kind;
use crate::states::LeafState;
use crate::text::{Text, filters};
use crate::view::{Layout, Party, When};

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/evidence_piece.html", blocks = ["title"])]
pub struct EvidencePiecePage {
    /// Around the page.
    pub layout: Layout,
    /// The id in URLs.
    pub id: String,
    /// The kind of what happened, as the log names it.
    pub kind: &'static str,
    /// What it is about: an id.
    pub object: String,
    /// The page of that, if it has one: a path of this console.
    pub object_href: Option<String>,
    /// The other party, if there is one.
    pub peer: Option<Party>,
    /// The agreement it belongs to.
    pub agreement: Option<String>,
    /// When it happened.
    pub at: When,
    /// Whether it is in the log.
    pub state: LeafState,
    /// Its place in the log.
    pub place: Option<Count>,
    /// The log's name.
    pub origin: String,
    /// The document, indented; nothing once it was erased.
    pub document_json: Option<String>,
}

page!(EvidencePiecePage);

impl EvidencePiecePage {
    fn words(&self) -> Text {
        kind(self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, render, render_hostile};

    #[test]
    fn its_bundle_can_be_downloaded_once_it_is_in_the_log() {
        let page = EvidencePiecePage::sample();
        let bundle = format!("href=\"/p/suzhou/evidence/{}/bundle\"", page.id);
        let html = render(&page);
        assert!(html.contains(&bundle) && html.contains("fondaco verify"));
        let waiting = EvidencePiecePage { place: None, state: LeafState::Waiting, ..page.clone() };
        assert!(!render(&waiting).contains(&bundle));
        let erased = EvidencePiecePage { document_json: None, ..page };
        let html = render(&erased);
        assert!(html.contains(&bundle), "it still proves that something happened");
        assert!(!html.contains("<pre tabindex=\"0\" id=\"document\""));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = EvidencePiecePage::sample();
        page.object = HOSTILE.into();
        page.document_json = Some(HOSTILE.into());
        page.agreement = Some(HOSTILE.into());
        render_hostile(&page);
    }
}
