//! `GET /p/{slug}/tokens`: the API tokens of the current participant.
//!
//! The form sends `csrf`, `name` and `access` (`read` or `write`) to `POST /p/{slug}/tokens`,
//! which answers with this page and the new token; `POST …/{id}/revoke` ends one.

use askama::Template;

use crate::text::{Text, filters};
use crate::view::{Layout, When};

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLevel {
    /// Read only.
    Read,
    /// Read and change.
    Write,
}

/// A token in the list. The token itself is known to its holder alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// The id in URLs.
    pub id: String,
    /// What its maker called it.
    pub name: String,
    /// What it may do.
    pub access: AccessLevel,
    /// When it was made.
    pub created: When,
    /// When it was last used.
    pub last_used: Option<When>,
    /// When it expires.
    pub expires: Option<When>,
}

/// A token that was just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// What its maker called it.
    pub name: String,
    /// The token, shown this once.
    pub secret: String,
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/tokens.html", blocks = ["title"])]
pub struct TokensPage {
    /// Around the page.
    pub layout: Layout,
    /// The current participant's name, which the tokens are for.
    pub participant: String,
    /// The tokens in force, the latest first.
    pub tokens: Vec<TokenRow>,
    /// The token that was just made.
    pub created: Option<NewToken>,
    /// The name as it was typed, when the form is shown again.
    pub name: String,
    /// Why no token was made.
    pub problem: Option<Text>,
}

page!(TokensPage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, form, render, render_hostile};

    #[test]
    fn tokens_can_be_made_and_revoked() {
        let page = TokensPage::sample();
        let html = render(&page);
        let make = form(&html, "/p/suzhou/tokens").expect("the form");
        assert!(make.contains("name=\"name\""));
        assert!(make.contains("name=\"access\" value=\"read\" checked"));
        assert!(make.contains("name=\"access\" value=\"write\""));
        for token in &page.tokens {
            let url = format!("/p/suzhou/tokens/{}/revoke", token.id);
            assert!(form(&html, &url).is_some());
        }
        assert!(!html.contains("Copy it now"));
    }

    #[test]
    fn a_new_token_is_shown_with_a_warning() {
        let page = TokensPage::sample_created();
        let html = render(&page);
        let created = page.created.as_ref().expect("the sample has one");
        assert_eq!(html.matches(&created.secret).count(), 1);
        assert!(html.contains("Copy it now"));
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = TokensPage::sample_created();
        page.tokens[0].name = HOSTILE.into();
        page.name = HOSTILE.into();
        page.problem = Some(Text::plain(HOSTILE));
        page.created = Some(NewToken { name: HOSTILE.into(), secret: HOSTILE.into() });
        render_hostile(&page);
    }
}
