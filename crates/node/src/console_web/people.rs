//! `GET /p/{slug}/people`, `POST` to add somebody, `POST …/password` for one's own password; `POST …/{id}`,
//! `…/{id}/{password|remove}`. Those who do not run the node reach their own password alone.

use super::{
    answer::{self, Answer},
    flash::Notice,
    guard::{Form, Room, SignedIn},
    words,
};
use crate::app::{
    App,
    idempotency::Once,
    people_change::{Account, UserChange},
};
use axum::extract::{Path, State};
use fondaco_console::{
    Text,
    pages::{NewPassword, PeoplePage, PersonRow, PersonTyped},
};
use fondaco_core::{Code, Error, Result, ids::UserId, participant::Slug};
use fondaco_store::Memberships;

/// The page.
pub async fn list(State(app): State<App>, room: Room, signed_in: SignedIn) -> Answer {
    answer::html(&page(&app, room, &signed_in).await?)
}

/// Adds somebody, with a password that the node chooses.
pub async fn add(State(app): State<App>, room: Room, signed_in: SignedIn, form: Form) -> Answer {
    admin(&signed_in)?;
    let typed = PersonTyped {
        login: form.get("login").unwrap_or_default().to_owned(),
        name: form.get("name").unwrap_or_default().to_owned(),
        participants: form.get("participants").unwrap_or_default().to_owned(),
        audits: form.get("audits").unwrap_or_default().to_owned(),
    };
    let secret = app.password_chosen();
    let added = async {
        let of = Memberships { acts_for: slugs(&typed.participants)?, audits: slugs(&typed.audits)? };
        app.by(room.decider()).user_add(&typed.login, &typed.name, &secret, is_admin(&form)?, of, None).await
    };
    match added.await {
        Ok(added) => {
            let mut page = page(&app, room, &signed_in).await?;
            if let Once::Done(user) = added {
                page.created = Some(NewPassword { login: user.login, secret });
            }
            answer::html(&page)
        }
        Err(error) => {
            let page = PeoplePage { typed, ..page(&app, room, &signed_in).await? };
            told(page, &error)
        }
    }
}

/// Changes somebody.
pub async fn change(State(app): State<App>, room: Room, signed_in: SignedIn, Path((_, id)): Path<(String, String)>, form: Form) -> Answer {
    admin(&signed_in)?;
    let changed = async {
        let change = UserChange {
            name: Some(form.get("name").unwrap_or_default().to_owned()),
            admin: Some(is_admin(&form)?),
            participants: Some(slugs(form.get("participants").unwrap_or_default())?),
            audits: Some(slugs(form.get("audits").unwrap_or_default())?),
        };
        app.by(room.decider()).user_change(&UserId::from_stored(id), change).await
    };
    let changed = changed.await.map(drop);
    done(&app, room, &signed_in, changed, Notice::PersonChanged).await
}

/// Gives somebody a password that the node chooses.
pub async fn reset(State(app): State<App>, room: Room, signed_in: SignedIn, Path((_, id)): Path<(String, String)>) -> Answer {
    admin(&signed_in)?;
    let (id, secret) = (UserId::from_stored(id), app.password_chosen());
    let (user, _) = app.account(&id).await?;
    app.by(room.decider()).user_set_password(&id, &secret).await?;
    let created = Some(NewPassword { login: user.login, secret });
    answer::html(&PeoplePage { created, ..page(&app, room, &signed_in).await? })
}

/// Removes somebody.
pub async fn remove(State(app): State<App>, room: Room, signed_in: SignedIn, Path((_, id)): Path<(String, String)>) -> Answer {
    admin(&signed_in)?;
    let removed = app.by(room.decider()).user_remove(&UserId::from_stored(id)).await;
    done(&app, room, &signed_in, removed, Notice::PersonRemoved).await
}

/// Changes one's own password.
pub async fn own_password(State(app): State<App>, room: Room, signed_in: SignedIn, form: Form) -> Answer {
    let (old, new) = (form.exact("old").unwrap_or_default(), form.exact("new").unwrap_or_default());
    match app.by(room.decider()).password_change(&signed_in.person, &signed_in.session, old, new).await {
        Ok(()) => answer::see_other(&app, &format!("{}/people", room.base()), Some(Notice::PasswordChanged)),
        Err(error) if matches!(error.code(), Code::Invalid | Code::Unauthenticated | Code::TooMany) => {
            let password_problem = Some(words::problem(&error));
            answer::with_error(&PeoplePage { password_problem, ..page(&app, room, &signed_in).await? }, &error)
        }
        Err(error) => Err(error.into()),
    }
}

/// To those who do not run the node there are no other people here.
fn admin(signed_in: &SignedIn) -> Result<()> {
    if signed_in.person.user.admin { Ok(()) } else { Err(Error::not_found("This page")) }
}

fn is_admin(form: &Form) -> Result<bool> {
    match form.get("access") {
        Some("admin") => Ok(true),
        Some("member") => Ok(false),
        _ => Err(Error::invalid("Choose what the person may do.")),
    }
}

fn slugs(text: &str) -> Result<Vec<Slug>> {
    let slugs = text.split([' ', ',', ';']).map(str::trim).filter(|s| !s.is_empty());
    slugs.map(Slug::parse).collect()
}

async fn done(app: &App, room: Room, signed_in: &SignedIn, outcome: Result<()>, notice: Notice) -> Answer {
    match outcome {
        Ok(()) => answer::see_other(app, &format!("{}/people", room.base()), Some(notice)),
        Err(error) => told(page(app, room, signed_in).await?, &error),
    }
}

/// What somebody can put right is told on the page.
fn told(page: PeoplePage, error: &Error) -> Answer {
    if matches!(error.code(), Code::Invalid | Code::Conflict | Code::NotFound) {
        return answer::with_error(&PeoplePage { problem: Some(words::problem(error)), ..page }, error);
    }
    Err(error.clone().into())
}

async fn page(app: &App, room: Room, signed_in: &SignedIn) -> Result<PeoplePage> {
    let me = &signed_in.person.user;
    let people = if me.admin { Some(app.users().await?.iter().map(|account| row(account, &me.id)).collect()) } else { None };
    Ok(PeoplePage {
        login: me.login.clone(),
        password_problem: None,
        people,
        created: None,
        typed: PersonTyped { participants: room.participant.slug.to_string(), ..PersonTyped::default() },
        problem: None::<Text>,
        layout: room.layout,
    })
}

fn row((user, of): &Account, me: &UserId) -> PersonRow {
    let named = |slugs: &[Slug]| slugs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    PersonRow {
        id: user.id.to_string(),
        login: user.login.clone(),
        name: user.name.clone(),
        admin: user.admin,
        participants: named(&of.acts_for),
        audits: named(&of.audits),
        me: user.id == *me,
        created: words::when(user.created_at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn participants_are_apart_by_spaces_or_commas() {
        let read = |text| slugs(text).map(|s| s.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(read(" acme, beta;;gamma ").expect("slugs"), ["acme", "beta", "gamma"]);
        assert_eq!(read("  ").expect("none"), Vec::<String>::new());
        assert!(read("../x").is_err());
    }
}
