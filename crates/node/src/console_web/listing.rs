//! What a listing says beside title, description and keywords, for the page of a product.

use crate::app::peers::RemoteDataset;
use fondaco_console::{
    Text,
    pages::{LinkView, ListingView},
};
use fondaco_core::{listing::contact_url, product::Product};

/// Longest value shown: what is longer is not a name or an address.
const SHOWN_MAX_CHARS: usize = 500;
/// Languages and formats shown.
const SHOWN_MAX: usize = 20;

/// Of our own product.
pub fn of_product(product: &Product) -> ListingView {
    let listing = &product.listing;
    ListingView {
        license: listing.license.as_deref().map(license),
        contact: listing.contact_point.as_deref().map(contact),
        rhythm: listing.accrual_periodicity.map(|f| rhythm(f.as_str())),
        languages: listing.language.clone(),
        formats: product.kind.formats().iter().map(|f| (*f).to_owned()).collect(),
    }
}

/// Of a peer's. All of it is the peer's word.
pub fn of_remote(dataset: &RemoteDataset) -> ListingView {
    let short = |text: &String| -> String { text.chars().take(SHOWN_MAX_CHARS).collect() };
    ListingView {
        license: dataset.license.as_ref().map(|l| license(&short(l))),
        contact: dataset.contact_point.as_ref().map(|c| contact(&short(c))),
        rhythm: dataset.accrual_periodicity.as_ref().map(|r| rhythm(&short(r))),
        languages: dataset.language.iter().take(SHOWN_MAX).map(short).collect(),
        formats: dataset.formats.iter().take(SHOWN_MAX).map(short).collect(),
    }
}

/// A contact leads where its text says, or nowhere.
fn contact(text: &str) -> LinkView {
    LinkView { href: contact_url(text), text: text.strip_prefix("mailto:").unwrap_or(text).to_owned() }
}

/// A licence leads to its own address, or to the list of licences where it has a name of one.
fn license(text: &str) -> LinkView {
    let is_name = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'+'));
    let own = || contact_url(text).filter(|url| url.starts_with("https://") || url.starts_with("http://"));
    let href = if is_name { Some(format!("https://spdx.org/licenses/{text}.html")) } else { own() };
    LinkView { href, text: text.to_owned() }
}

fn rhythm(name: &str) -> Text {
    Some(Text::of("rhythm", name)).filter(Text::exists).unwrap_or_else(|| Text::plain(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fondaco_core::product::Frequency;

    #[test]
    fn only_what_is_safe_to_follow_is_a_link() {
        for (text, href) in [
            ("mailto:data@example.org", Some("mailto:data@example.org")),
            ("data@example.org", Some("mailto:data@example.org")),
            ("https://example.org/contact", Some("https://example.org/contact")),
            ("javascript:alert(1)", None),
            ("data:text/html,x", None),
            ("somebody", None),
        ] {
            assert_eq!(contact(text).href.as_deref(), href, "{text}");
        }
        assert_eq!(license("MIT").href.as_deref(), Some("https://spdx.org/licenses/MIT.html"));
        assert_eq!(license("https://example.org/terms").href.as_deref(), Some("https://example.org/terms"));
        for none in ["MIT OR Apache-2.0", "javascript:alert(1)", "mailto:x@example.org", "../x"] {
            assert_eq!(license(none).href, None, "{none}");
        }
    }

    #[test]
    fn every_rhythm_has_words() {
        for frequency in Frequency::ALL {
            assert!(Text::of("rhythm", frequency.as_str()).exists(), "{}", frequency.as_str());
        }
        assert_eq!(rhythm("every blue moon").to_string(), "every blue moon");
    }
}
