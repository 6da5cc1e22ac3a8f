//! `GET /p/{slug}/products/{id}` (ours) and `GET /p/{slug}/catalog/product` (a peer's): one
//! product with its offers.
//!
//! A peer's offers have a button that sends `peer`, `product` and `offer` to
//! `POST /p/{slug}/negotiations`; our own product can be withdrawn with
//! `POST /p/{slug}/products/{id}/withdraw`.

use askama::Template;

use crate::format::{Bytes, Count};
use crate::states::{Kind, ProductState};
use crate::text::{Text, filters};
use crate::view::{Layout, MAX_COLUMNS_SHOWN, MAX_FILES_SHOWN, Span, Terms, When};

/// Whose product it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// Our own.
    Ours {
        /// Whether it is in the catalogue.
        state: ProductState,
        /// What of it the catalogue shows.
        publication: Publication,
        /// The emergency stop: since when, and why.
        stopped: Option<(When, String)>,
    },
    /// A peer's.
    Peer {
        /// The peer's address as it was asked for, which `peer` takes again.
        address: String,
        /// The peer's name, or its DID.
        name: String,
        /// The peer's DID.
        did: String,
        /// How long ago its catalogue said so; `None` where it was asked just now.
        read: Option<Span>,
    },
}

/// What of our product the catalogue shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publication {
    /// Whether the schema is in the catalogue.
    pub schema: bool,
    /// Whether the profile is in the catalogue.
    pub profile: bool,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnView {
    /// The name.
    pub name: String,
    /// The type, for example `timestamp[us]`.
    pub data_type: String,
    /// Whether values may be missing.
    pub nullable: bool,
}

/// What was measured of a column at publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnProfile {
    /// The column's name.
    pub name: String,
    /// How many values are missing.
    pub nulls: Count,
    /// The smallest value, as text.
    pub min: Option<String>,
    /// The largest value, as text.
    pub max: Option<String>,
    /// An estimate of the number of distinct values.
    pub distinct: Option<Count>,
}

/// A file of the product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileView {
    /// Its name.
    pub name: String,
    /// Its media type or format.
    pub format: String,
    /// Its size.
    pub bytes: Bytes,
}

/// What a listing says beside title, description and keywords.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListingView {
    /// The licence, by its name or address.
    pub license: Option<LinkView>,
    /// Whom to ask.
    pub contact: Option<LinkView>,
    /// How often it is renewed: a name of ours, or what the provider wrote.
    pub rhythm: Option<Text>,
    /// Language tags.
    pub languages: Vec<String>,
    /// The formats it is delivered in.
    pub formats: Vec<String>,
}

/// A text of others, and where it leads if that is safe to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkView {
    /// The text.
    pub text: String,
    /// A web or mail address that was checked to be one.
    pub href: Option<String>,
}

/// An offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferView {
    /// The id, which `offer` takes.
    pub id: String,
    /// Its conditions.
    pub terms: Terms,
    /// The price asked for, where there is one.
    pub price: Option<String>,
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/product.html", blocks = ["title"])]
pub struct ProductPage {
    /// Around the page.
    pub layout: Layout,
    /// Whose it is.
    pub owner: Owner,
    /// The id in its provider's catalogue.
    pub id: String,
    /// The title.
    pub title: String,
    /// The description: text, paragraphs apart by empty lines.
    pub description: Option<String>,
    /// Keywords.
    pub keywords: Vec<String>,
    /// What it is.
    pub kind: Kind,
    /// The version, where it is told.
    pub version: Option<String>,
    /// All versions of our product, the latest first; empty for a peer's.
    pub versions: Vec<String>,
    /// When this version was published.
    pub published: Option<When>,
    /// Rows, for tables.
    pub rows: Option<Count>,
    /// Size of all files.
    pub bytes: Option<Bytes>,
    /// What else its listing says.
    pub listing: ListingView,
    /// The columns, for tables.
    pub columns: Vec<ColumnView>,
    /// The profile, where there is one.
    pub profile: Vec<ColumnProfile>,
    /// The files, where they are known.
    pub files: Vec<FileView>,
    /// The offers.
    pub offers: Vec<OfferView>,
}

page!(ProductPage);

impl ProductPage {
    /// The columns that are shown.
    fn shown_columns(&self) -> &[ColumnView] {
        &self.columns[..self.columns.len().min(MAX_COLUMNS_SHOWN)]
    }

    /// How many columns are not shown.
    fn hidden_columns(&self) -> Count {
        Count(self.columns.len().saturating_sub(MAX_COLUMNS_SHOWN) as u64)
    }

    /// The profiles that are shown.
    fn shown_profile(&self) -> &[ColumnProfile] {
        &self.profile[..self.profile.len().min(MAX_COLUMNS_SHOWN)]
    }

    /// The files that are shown.
    fn shown_files(&self) -> &[FileView] {
        &self.files[..self.files.len().min(MAX_FILES_SHOWN)]
    }

    /// How many files are not shown.
    fn hidden_files(&self) -> Count {
        Count(self.files.len().saturating_sub(MAX_FILES_SHOWN) as u64)
    }

    /// The id of this version in addresses: the first one's is the product's.
    fn dataset(&self) -> String {
        match self.version.as_deref() {
            None | Some("1") => self.id.clone(),
            Some(version) => format!("{}:{version}", self.id),
        }
    }

    /// How many columns there are.
    fn column_count(&self) -> Count {
        Count(self.columns.len() as u64)
    }

    /// The description's paragraphs.
    fn paragraphs(&self) -> impl Iterator<Item = &str> {
        let text = self.description.as_deref().unwrap_or_default();
        text.split("\n\n").map(str::trim).filter(|p| !p.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, form, render, render_hostile};

    #[test]
    fn a_peers_product_can_be_negotiated() {
        let page = ProductPage::sample_peer();
        let html = render(&page);
        let form = form(&html, "/p/suzhou/negotiations").expect("a form");
        assert!(form.contains(&format!("name=\"offer\" value=\"{}\"", page.offers[0].id)));
        assert!(form.contains(&format!("name=\"product\" value=\"{}\"", page.id)));
        assert!(form.contains("name=\"peer\" value=\"did:web:"));
        assert!(html.contains(&page.offers[0].terms.sentences[1].to_string()));
        assert!(html.contains("&#34;permission&#34;"), "the policy");
        assert!(!html.contains("/withdraw"));
    }

    #[test]
    fn our_product_can_be_withdrawn_once() {
        let mut page = ProductPage::sample();
        let action = format!("/p/suzhou/products/{}/withdraw", page.id);
        let html = render(&page);
        assert!(form(&html, &action).is_some());
        assert!(!html.contains("name=\"offer\""));
        assert!(html.contains(&format!("/p/suzhou/offers/{}/preview", page.offers[0].id)));
        assert!(html.contains("336,776"));
        assert!(html.contains("Distinct"));
        page.owner =
            Owner::Ours { state: ProductState::Withdrawn, publication: Publication { schema: true, profile: false }, stopped: None };
        assert!(form(&render(&page), &action).is_none());
    }

    #[test]
    fn what_a_listing_says_is_shown() {
        let html = render(&ProductPage::sample_peer());
        assert!(html.contains(
            "<a href=\"mailto:data@hefei.example.cn\" rel=\"nofollow noopener noreferrer\"><bdi>data@hefei.example.cn</bdi></a>"
        ));
        assert!(html.contains("CC-BY-4.0") && html.contains("every day") && html.contains("zh-cn"));
        assert!(html.contains("read 3 minutes ago"));
    }

    #[test]
    fn a_peers_endless_schema_is_cut() {
        let mut page = ProductPage::sample_peer();
        let column = page.columns[0].clone();
        page.columns = vec![column; MAX_COLUMNS_SHOWN + 1234];
        let html = render(&page);
        assert!(html.contains("1,234 more columns"));
        assert!(html.matches("<tr>").count() < MAX_COLUMNS_SHOWN + 100);
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = ProductPage::sample_peer();
        page.title = HOSTILE.into();
        page.id = HOSTILE.into();
        page.description = Some(HOSTILE.into());
        page.keywords = vec![HOSTILE.into()];
        page.kind = Kind(HOSTILE.into());
        page.version = Some(HOSTILE.into());
        page.columns[0].name = HOSTILE.into();
        page.columns[0].data_type = HOSTILE.into();
        page.offers[0].id = HOSTILE.into();
        page.offers[0].terms.sentences = vec![Text::plain(HOSTILE)];
        page.offers[0].terms.odrl_json = HOSTILE.into();
        page.owner = Owner::Peer { address: HOSTILE.into(), name: HOSTILE.into(), did: HOSTILE.into(), read: None };
        page.listing.license = Some(LinkView { text: HOSTILE.into(), href: None });
        page.listing.contact = Some(LinkView { text: HOSTILE.into(), href: Some(HOSTILE.into()) });
        page.listing.rhythm = Some(Text::plain(HOSTILE));
        page.listing.languages = vec![HOSTILE.into()];
        page.listing.formats = vec![HOSTILE.into()];
        render_hostile(&page);
    }
}
