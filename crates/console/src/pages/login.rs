//! `GET /login`: the form to sign in. It is sent to `POST /login` with `csrf`, `name`,
//! `password` and, when a page asked for the sign-in, `next`.

use askama::Template;

use crate::text::filters;
use crate::view::{Layout, Span};

/// Why the form is shown again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginProblem {
    /// Name or password are wrong; which of them is not told.
    Wrong,
    /// Too many attempts.
    Throttled {
        /// How long to wait at most.
        wait: Span,
    },
    /// The session, or the form, is too old.
    Expired,
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/login.html", blocks = ["title"])]
pub struct LoginPage {
    /// Around the page; its `user` is `None`.
    pub layout: Layout,
    /// The name as it was typed, to spare typing it again.
    pub name: String,
    /// The path to go to afterwards, checked by the node to be its own.
    pub next: Option<String>,
    /// Why the form is shown again.
    pub problem: Option<LoginProblem>,
}

page!(LoginPage);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::checks::{HOSTILE, form, render, render_hostile};

    #[test]
    fn the_form_sends_what_the_node_needs() {
        let html = render(&LoginPage::sample());
        let form = form(&html, "/login").expect("the form");
        for field in ["name=\"csrf\"", "name=\"name\"", "name=\"password\""] {
            assert!(form.contains(field), "{field}");
        }
        assert!(form.contains("autocomplete=\"current-password\""));
        assert!(!html.contains("role=\"alert\""));
        assert!(!html.contains("/logout"), "nobody is signed in");
        assert!(!html.contains("class=\"rooms\""));
    }

    #[test]
    fn problems_are_announced() {
        for (problem, words) in [
            (LoginProblem::Wrong, "do not match"),
            (LoginProblem::Throttled { wait: Span { seconds: 120 } }, "2 minutes"),
            (LoginProblem::Expired, "sign in again"),
        ] {
            let mut page = LoginPage::sample();
            page.problem = Some(problem);
            let html = render(&page);
            assert!(html.contains("role=\"alert\""));
            assert!(html.contains(words), "{words}");
        }
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut page = LoginPage::sample();
        page.name = HOSTILE.into();
        page.next = Some(HOSTILE.into());
        page.layout.csrf = HOSTILE.into();
        render_hostile(&page);
    }
}
