//! `GET /p/{slug}/people`: one's own password, and for those who run the node everybody who can sign in.
//!
//! `POST …/people/password` (`old`, `new`) changes one's own password. For those who run the node: `POST …/people`
//! (`login`, `name`, `participants`, `audits`, `access`) adds somebody, `POST …/people/{id}` changes them (the same fields but
//! `login`), `…/{id}/password` gives them a new password, `…/{id}/remove` removes them. `participants` and
//! `audits` (whom they only read, as an auditor) are slugs apart by spaces, `access` is `member` or `admin`.

use askama::Template;

use crate::text::{Text, filters};
use crate::view::{Layout, When};

/// Somebody who can sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRow {
    /// The id in URLs.
    pub id: String,
    /// What they sign in with.
    pub login: String,
    /// Their name.
    pub name: String,
    /// Whether they run the node.
    pub admin: bool,
    /// The participants they may act for, by slug, apart by spaces.
    pub participants: String,
    /// The participants they audit, by slug, apart by spaces.
    pub audits: String,
    /// Whether it is the reader.
    pub me: bool,
    /// When they were added.
    pub created: When,
}

/// A password that the node just chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPassword {
    /// Whose.
    pub login: String,
    /// The password, shown this once.
    pub secret: String,
}

/// A form as it was typed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PersonTyped {
    /// What they sign in with.
    pub login: String,
    /// Their name.
    pub name: String,
    /// The participants they may act for.
    pub participants: String,
    /// The participants they audit.
    pub audits: String,
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/people.html", blocks = ["title"])]
pub struct PeoplePage {
    /// Around the page.
    pub layout: Layout,
    /// What the reader signs in with.
    pub login: String,
    /// Why the reader's password was not changed.
    pub password_problem: Option<Text>,
    /// Everybody, by login; `None` for a reader who does not run the node.
    pub people: Option<Vec<PersonRow>>,
    /// The password that was just chosen.
    pub created: Option<NewPassword>,
    /// What was typed to add somebody.
    pub typed: PersonTyped,
    /// Why somebody was not added or changed.
    pub problem: Option<Text>,
}

page!(PeoplePage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, form, render, render_hostile};

    #[test]
    fn whoever_runs_the_node_sees_everybody() {
        let page = PeoplePage::sample();
        let html = render(&page);
        assert!(form(&html, "/p/suzhou/people").expect("the form").contains("name=\"login\""));
        for person in page.people.iter().flatten() {
            let url = format!("/p/suzhou/people/{}", person.id);
            assert!(form(&html, &url).expect("change").contains(&format!("value=\"{}\"", person.name)));
            assert!(form(&html, &format!("{url}/password")).is_some());
            assert_eq!(form(&html, &format!("{url}/remove")).is_some(), !person.me, "nobody removes themselves by mistake");
        }
    }

    #[test]
    fn others_see_their_own_password_alone() {
        let page = PeoplePage { people: None, created: None, ..PeoplePage::sample() };
        let html = render(&page);
        let own = form(&html, "/p/suzhou/people/password").expect("the form");
        assert!(own.contains("autocomplete=\"current-password\"") && own.contains("autocomplete=\"new-password\""));
        assert!(form(&html, "/p/suzhou/people").is_none());
    }

    #[test]
    fn a_new_password_is_shown_once() {
        let page = PeoplePage::sample();
        let secret = page.created.as_ref().expect("the sample has one").secret.clone();
        assert_eq!(render(&page).matches(&secret).count(), 1);
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = PeoplePage::sample();
        page.login = HOSTILE.into();
        page.password_problem = Some(Text::plain(HOSTILE));
        page.problem = Some(Text::plain(HOSTILE));
        page.created = Some(NewPassword { login: HOSTILE.into(), secret: HOSTILE.into() });
        page.typed = PersonTyped { login: HOSTILE.into(), name: HOSTILE.into(), participants: HOSTILE.into(), audits: HOSTILE.into() };
        if let Some(person) = page.people.as_mut().and_then(|people| people.first_mut()) {
            person.login = HOSTILE.into();
            person.name = HOSTILE.into();
            person.participants = HOSTILE.into();
            person.audits = HOSTILE.into();
        }
        render_hostile(&page);
    }
}
