//! The pages, one file each.

use askama::Template;

use crate::Locale;
use crate::view::Layout;

/// Defines what every page has: it is a template whose block `title` is its title.
macro_rules! page {
    ($name:ident) => {
        impl $crate::pages::Page for $name {
            fn layout(&self) -> &$crate::view::Layout {
                &self.layout
            }

            fn layout_mut(&mut self) -> &mut $crate::view::Layout {
                &mut self.layout
            }

            fn title(&self) -> Result<String, askama::Error> {
                use askama::Template as _;
                self.as_title().render_with_values(&self.locale())
            }
        }
    };
}

mod agreement;
mod agreements;
mod catalog;
mod connection;
mod connections;
mod error;
mod evidence;
mod evidence_check;
mod evidence_piece;
mod first_rows;
mod home;
mod lineage;
mod login;
mod negotiation;
mod negotiations;
mod node;
mod not_found;
mod peer;
mod peers;
mod people;
mod product;
mod products;
mod publications;
mod publish;
mod publish_describe;
mod publish_review;
mod publish_source;
mod publish_terms;
mod report;
mod rules;
mod shared_files;
mod timeline;
mod tokens;
mod transfer;
mod transfers;
mod waiting;

pub use agreement::{Access, AgreementPage, PaymentState, PaymentView, Uses};
pub use agreements::{AgreementRow, AgreementsPage};
pub use catalog::{CatalogCard, CatalogCopy, CatalogPage, Paging};
pub use connection::{ConnectionForm, ConnectionPage};
pub use connections::{CheckResult, ConnectionRow, ConnectionsPage, LastCheck};
pub use error::ErrorPage;
pub use evidence::{EvidencePage, EvidenceRow};
pub use evidence_check::{EvidenceCheckPage, EvidenceFault};
pub use evidence_piece::EvidencePiecePage;
pub use first_rows::{FirstRows, FirstRowsPage, SeenBy};
pub use home::{Counts, HomePage};
pub use lineage::{LineageKind, LineagePage, LineageRelation, LineageThing};
pub use login::{LoginPage, LoginProblem};
pub use negotiation::NegotiationPage;
pub use negotiations::NegotiationsPage;
pub use node::{Check, Disk, FailingJob, JobQueue, NodePage, Verdict};
pub use not_found::NotFoundPage;
pub use peer::PeerPage;
pub use peers::{PeerRow, PeersPage};
pub use people::{NewPassword, PeoplePage, PersonRow, PersonTyped};
pub use product::{ColumnProfile, ColumnView, FileView, LinkView, ListingView, OfferView, Owner, ProductPage, Publication};
pub use products::{ProductRow, ProductsPage};
pub use publications::{PublicationRow, PublicationsPage};
pub use publish::{Found, PersonalHint, ProgressView, PublishFrame, Stage, Step};
pub use publish_describe::{DescribeForm, PublishDescribePage, RemarkView};
pub use publish_review::{PublishReviewPage, ReviewFact};
pub use publish_source::{PublishSourcePage, SourceForm, UploadedFileView};
pub use publish_terms::{AlternativeForm, Answer, OfferForm, PeerChoice, PreviewRow, PublishTermsPage, SentenceForm, SentenceKind};
pub use report::{ReportColumn, ReportFile, ReportSection};
pub use rules::{PointForm, RuleSentences, RulesOf, RulesPage};
pub use shared_files::{SharedFileRow, SharedFilesPage};
pub use timeline::{TimelinePage, TimelineRow};
pub use tokens::{AccessLevel, NewToken, TokenRow, TokensPage};
pub use transfer::{TransferActions, TransferPage};
pub use transfers::TransfersPage;
pub use waiting::{WaitingPage, WaitingRow};

/// A whole page of the console.
pub trait Page: Template {
    /// What stands around the page.
    fn layout(&self) -> &Layout;

    /// The same, to change it.
    fn layout_mut(&mut self) -> &mut Layout;

    /// The language that the page is written in.
    fn locale(&self) -> Locale {
        self.layout().locale
    }

    /// The page's title, as in the browser's tab but without the product's name.
    /// Text, not HTML of its own: what is special in HTML is escaped.
    ///
    /// # Errors
    /// Formatting failed, which no field's value can cause.
    fn title(&self) -> Result<String, askama::Error>;

    /// The page as HTML.
    ///
    /// # Errors
    /// Formatting failed, which no field's value can cause.
    fn html(&self) -> Result<String, askama::Error> {
        self.render_with_values(&self.locale())
    }
}

/// Checks that hold for every page, used by the pages' own tests.
#[cfg(test)]
pub(crate) mod checks {
    use super::Page;

    /// Text that would break out of any place where it is not escaped.
    pub(crate) const HOSTILE: &str = "\"'><script>alert(1)</script>&amp;\u{202e}";

    /// Renders a page and checks what every page must have.
    pub(crate) fn render(page: &impl Page) -> String {
        let html = page.html().expect("pages render");
        assert!(html.starts_with(&format!("<!doctype html>\n<html lang=\"{}\">", page.locale().tag())));
        assert_eq!(html.matches("<h1").count(), 1, "one heading of the page");
        assert_eq!(html.matches("<main").count(), 1, "one main landmark");
        assert!(html.contains("href=\"#main\""), "a skip link");
        let title = page.title().expect("titles render");
        assert!(!title.trim().is_empty());
        assert!(html.contains(&format!("<title>{title} · Fondaco</title>")));
        // The content security policy has no exceptions, so pages may not need any.
        assert!(!html.contains("<style"));
        assert!(!html.contains(" style="));
        assert!(!html.contains("javascript:"));
        for handler in [" onclick=", " onload=", " onsubmit=", " onchange="] {
            assert!(!html.contains(handler));
        }
        let scripts = html.matches("<script").count();
        assert_eq!(html.matches("<script src=\"/assets/").count(), scripts, "no inline script");
        assert_eq!(scripts, if html.contains("data-upload=") { 2 } else { 1 }, "live.js, and upload.js where files are sent");
        for form in forms(&html) {
            if form.contains("method=\"post\"") {
                assert!(form.contains("name=\"csrf\""), "{form}");
            }
        }
        labels(&html);
        ids(&html);
        html
    }

    /// Renders a page whose fields hold [`HOSTILE`] and checks that none of it is markup.
    pub(crate) fn render_hostile(page: &impl Page) -> String {
        let html = render(page);
        assert!(!html.contains("<script>"), "unescaped");
        assert!(!html.contains("alert(1)</"), "unescaped");
        assert!(html.contains("alert(1)"), "the hostile text is nowhere");
        html
    }

    /// The forms of a page.
    pub(crate) fn forms(html: &str) -> Vec<&str> {
        let starts = html.match_indices("<form").map(|(at, _)| &html[at..]);
        starts
            .map(|form| {
                let end = form.find("</form>").expect("forms end");
                &form[..end]
            })
            .collect()
    }

    /// The form that is sent to `action`.
    pub(crate) fn form<'a>(html: &'a str, action: &str) -> Option<&'a str> {
        let wanted = format!("action=\"{action}\"");
        forms(html).into_iter().find(|form| form.contains(&wanted))
    }

    /// Every field that can be seen has a label.
    fn labels(html: &str) {
        for tag in ["<input", "<textarea", "<select"] {
            for (at, _) in html.match_indices(tag) {
                let field = &html[at..at + html[at..].find('>').expect("tags end")];
                if field.contains("type=\"hidden\"") || field.contains("type=\"radio\"") {
                    continue;
                }
                let id = attribute(field, "id").unwrap_or_else(|| panic!("no id: {field}"));
                assert!(html.contains(&format!("for=\"{id}\"")), "no label: {field}");
            }
        }
    }

    /// No id stands twice.
    fn ids(html: &str) {
        let mut seen = std::collections::BTreeSet::new();
        for (at, _) in html.match_indices(" id=\"") {
            let id = attribute(&html[at..], "id").expect("an id");
            assert!(seen.insert(id), "twice: {id}");
        }
    }

    fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
        let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
        Some(rest.split_once('"')?.0)
    }
}
