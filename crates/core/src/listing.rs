//! Is a listing good? What is missing, and why it matters to those who look for it.
//!
//! The fields are those DCAT-AP asks for and Croissant requires. Nothing here refuses a publication: a thin listing is
//! published with these remarks, except that a title is needed.

use crate::{
    error::{Error, Result},
    product::{DESCRIPTION_MAX_CHARS, KEYWORDS_MAX, Listing, TITLE_MAX_CHARS},
};
use serde::Serialize;

/// Longest keyword.
pub const KEYWORD_MAX_CHARS: usize = 100;
/// Longest licence, contact or language tag: long enough for any address in use.
pub const FIELD_MAX_CHARS: usize = 500;
/// Most languages of one product.
pub const LANGUAGES_MAX: usize = 50;
/// A description shorter than this says no more than a title does.
pub const DESCRIPTION_GOOD_CHARS: usize = 40;

/// What is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Described<'a> {
    /// The title.
    pub title: &'a str,
    /// The description.
    pub description: &'a str,
    /// Search words.
    pub keywords: &'a [String],
    /// The rest.
    pub listing: &'a Listing,
}

/// What could be better about a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remark {
    /// No description, or hardly one.
    DescriptionShort,
    /// No keywords.
    KeywordsMissing,
    /// No licence.
    LicenseMissing,
    /// A licence that is neither an SPDX expression nor a web address.
    LicenseUnknown,
    /// Nobody to ask.
    ContactMissing,
    /// How often it is renewed is not said.
    RhythmMissing,
    /// The language of its content is not said.
    LanguageMissing,
}

impl Remark {
    /// A stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DescriptionShort => "description-short",
            Self::KeywordsMissing => "keywords-missing",
            Self::LicenseMissing => "license-missing",
            Self::LicenseUnknown => "license-unknown",
            Self::ContactMissing => "contact-missing",
            Self::RhythmMissing => "rhythm-missing",
            Self::LanguageMissing => "language-missing",
        }
    }
    /// What is missing, in words.
    pub const fn what(self) -> &'static str {
        match self {
            Self::DescriptionShort => "The description is missing or very short.",
            Self::KeywordsMissing => "There are no keywords.",
            Self::LicenseMissing => "No licence is named.",
            Self::LicenseUnknown => "The licence is neither an SPDX expression nor a web address.",
            Self::ContactMissing => "No contact is named.",
            Self::RhythmMissing => "The update rhythm is not stated.",
            Self::LanguageMissing => "The language is not stated.",
        }
    }
    /// Why it matters.
    pub const fn why(self) -> &'static str {
        match self {
            Self::DescriptionShort => {
                "People decide by it whether to ask for terms at all: say what is in it, where it comes from and how good it is."
            }
            Self::KeywordsMissing => "Search finds what has the words people look for.",
            Self::LicenseMissing => {
                "Without one, nobody knows what remains allowed once the data has been received; many organisations may not take it."
            }
            Self::LicenseUnknown => {
                "Programs compare licences by their SPDX name, as in CC-BY-4.0; give the web address of your own terms otherwise."
            }
            Self::ContactMissing => {
                "Questions before a deal, and reports of errors after it, need somebody to go to: a mail address or a web page."
            }
            Self::RhythmMissing => "Whether it is renewed daily or never decides what it can be used for.",
            Self::LanguageMissing => "People filter catalogues by language; give tags such as zh or en.",
        }
    }
}

impl Described<'_> {
    /// What could be better, most important first.
    pub fn remarks(&self) -> Vec<Remark> {
        let listing = self.listing;
        let mut remarks = Vec::new();
        if self.description.trim().chars().count() < DESCRIPTION_GOOD_CHARS && !is_dense(self.description) {
            remarks.push(Remark::DescriptionShort);
        }
        match listing.license.as_deref().map(str::trim).filter(|l| !l.is_empty()) {
            None => remarks.push(Remark::LicenseMissing),
            Some(license) if !license_is_plausible(license) => remarks.push(Remark::LicenseUnknown),
            Some(_) => {}
        }
        if listing.contact_point.is_none() {
            remarks.push(Remark::ContactMissing);
        }
        if listing.accrual_periodicity.is_none() {
            remarks.push(Remark::RhythmMissing);
        }
        if self.keywords.is_empty() {
            remarks.push(Remark::KeywordsMissing);
        }
        if listing.language.is_empty() {
            remarks.push(Remark::LanguageMissing);
        }
        remarks
    }

    /// Refuses what cannot be listed at all.
    ///
    /// # Errors
    /// [`crate::Code::Invalid`] naming the field, its limit or its form.
    pub fn check(&self) -> Result<()> {
        if self.title.trim().is_empty() {
            return Err(Error::invalid("A product needs a title."));
        }
        bounded("title", self.title, TITLE_MAX_CHARS)?;
        bounded("description", self.description, DESCRIPTION_MAX_CHARS)?;
        if self.keywords.len() > KEYWORDS_MAX {
            return Err(Error::invalid(format!("A product has at most {KEYWORDS_MAX} keywords.")));
        }
        for keyword in self.keywords {
            bounded("keyword", keyword, KEYWORD_MAX_CHARS)?;
        }
        let Listing { license, contact_point, accrual_periodicity: _, language } = self.listing;
        if let Some(license) = license {
            bounded("license", license, FIELD_MAX_CHARS)?;
        }
        if let Some(contact) = contact_point {
            bounded("contactPoint", contact, FIELD_MAX_CHARS)?;
            if contact_url(contact).is_none() {
                return Err(Error::invalid("A contact is a mail address or a web address, as in data@example.org."));
            }
        }
        if language.len() > LANGUAGES_MAX {
            return Err(Error::invalid(format!("A product names at most {LANGUAGES_MAX} languages.")));
        }
        if let Some(bad) = language.iter().find(|tag| !is_language_tag(tag)) {
            return Err(Error::invalid(format!("\"{bad:.40}\" is not a language tag; use tags such as zh, en or zh-Hant.")));
        }
        Ok(())
    }
}

/// A contact as an address that can be followed: `mailto:` for mail.
pub fn contact_url(contact: &str) -> Option<String> {
    let contact = contact.trim();
    if contact.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return None;
    }
    if contact.starts_with("https://") || contact.starts_with("http://") {
        return Some(contact.to_owned());
    }
    let mail = contact.strip_prefix("mailto:").unwrap_or(contact);
    let (user, host) = mail.split_once('@')?;
    let ok = !user.is_empty() && host.contains('.') && !host.contains('@') && !host.starts_with('.') && !host.ends_with('.');
    ok.then(|| format!("mailto:{mail}"))
}

/// The address of a licence: its own, or its page in the SPDX list.
pub fn license_url(license: &str) -> String {
    let license = license.trim();
    if license.starts_with("https://") || license.starts_with("http://") {
        license.to_owned()
    } else {
        format!("https://spdx.org/licenses/{license}")
    }
}

/// Chinese, Japanese and Korean say in a third of the characters what English says.
fn is_dense(text: &str) -> bool {
    text.chars().filter(|c| matches!(c, '\u{3040}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}')).count() * 3 >= DESCRIPTION_GOOD_CHARS
}

fn license_is_plausible(license: &str) -> bool {
    let address = license.starts_with("https://") || license.starts_with("http://");
    let name = license.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+' | b'(' | b')' | b' ' | b':'));
    let words = license.split(' ').filter(|w| !matches!(*w, "AND" | "OR" | "WITH")).count();
    let operators = license.split(' ').filter(|w| matches!(*w, "AND" | "OR" | "WITH")).count();
    address || (name && words == operators + 1)
}

/// The form of RFC 5646 tags: subtags of one to eight letters or digits, the first of two or three letters.
fn is_language_tag(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let first = parts.next().unwrap_or_default();
    tag.len() <= 35
        && (2..=3).contains(&first.len())
        && first.bytes().all(|b| b.is_ascii_alphabetic())
        && parts.all(|p| (1..=8).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphanumeric()))
}

fn bounded(name: &str, text: &str, max: usize) -> Result<()> {
    if text.chars().count() > max {
        return Err(Error::invalid(format!("\"{name}\" has at most {max} characters.")));
    }
    if text.chars().any(|c| c == '\0') {
        return Err(Error::invalid(format!("\"{name}\" holds the NUL character.")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product::Frequency;

    fn described<'a>(description: &'a str, keywords: &'a [String], listing: &'a Listing) -> Described<'a> {
        Described { title: "t", description, keywords, listing }
    }

    #[test]
    fn an_empty_listing_gets_every_remark_and_a_full_one_none() {
        let empty = Listing::default();
        assert_eq!(described("", &[], &empty).remarks().len(), 6);
        let full = Listing {
            license: Some("CC-BY-4.0".into()),
            contact_point: Some("data@example.org".into()),
            accrual_periodicity: Some(Frequency::Daily),
            language: vec!["zh".into(), "en".into()],
        };
        let keywords = ["air traffic".to_owned()];
        assert_eq!(described("All departures of 2013, from the bureau's own records.", &keywords, &full).remarks(), []);
        assert_eq!(described("二零一三年全部航班起飞记录，来自统计局。", &keywords, &full).remarks(), []);
        let own = Listing { license: Some("our own terms, ask us".into()), ..full };
        assert_eq!(described("二零一三年全部航班起飞记录，来自统计局。", &keywords, &own).remarks(), [Remark::LicenseUnknown]);
    }

    #[test]
    fn contacts_and_tags_are_checked() {
        for (contact, url) in [
            ("data@example.org", Some("mailto:data@example.org")),
            ("mailto:a@b.cn", Some("mailto:a@b.cn")),
            ("https://example.org/ask", Some("https://example.org/ask")),
            ("call me", None),
            ("a@b", None),
            ("javascript:alert(1)", None),
        ] {
            assert_eq!(contact_url(contact).as_deref(), url, "{contact}");
        }
        for (tag, ok) in [("zh", true), ("zh-Hant-TW", true), ("chinese", false), ("z", false), ("en_US", false), ("", false)] {
            let listing = Listing { language: vec![tag.into()], ..Listing::default() };
            assert_eq!(described("", &[], &listing).check().is_ok(), ok, "{tag}");
        }
    }
}
