//! `GET /p/{slug}/tokens`, `POST` to make one (answered with the page that shows it, once), `POST …/{id}/revoke`.

use super::{
    answer::{self, Answer},
    flash::Notice,
    guard::{Form, Room},
    words,
};
use crate::app::{App, idempotency::Once};
use axum::extract::{Path, State};
use fondaco_console::pages::{AccessLevel, NewToken, TokenRow, TokensPage};
use fondaco_core::{Code, Error, ids::TokenId};
use fondaco_store::ApiTokenRow;

/// The tokens in force.
pub async fn list(State(app): State<App>, room: Room) -> Answer {
    answer::html(&page(&app, room).await?)
}

/// Makes one.
pub async fn create(State(app): State<App>, room: Room, form: Form) -> Answer {
    let name = form.get("name").unwrap_or_default().to_owned();
    let write = match form.get("access") {
        Some("write") => true,
        Some("read") => false,
        _ => return Err(Error::invalid("Choose whether the token may read or also change.").into()),
    };
    match app.by(room.decider()).token_create(&name, Some(room.participant.slug.clone()), write, None).await {
        Ok(made) => {
            let mut page = page(&app, room).await?;
            if let Once::Done((row, secret)) = made {
                page.created = Some(NewToken { name: row.name, secret });
            }
            answer::html(&page)
        }
        Err(error) if error.code() == Code::Invalid => {
            let mut page = page(&app, room).await?;
            page.name = name;
            page.problem = Some(words::problem(&error));
            answer::with_error(&page, &error)
        }
        Err(error) => Err(error.into()),
    }
}

/// Ends one of this participant's.
pub async fn revoke(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    app.by(room.decider()).token_revoke(&room.participant.slug, &TokenId::from_stored(id)).await?;
    answer::see_other(&app, &format!("{}/tokens", room.base()), Some(Notice::TokenRevoked))
}

async fn page(app: &App, room: Room) -> Result<TokensPage, Error> {
    let tokens = app.list_tokens(&room.participant.slug).await?;
    Ok(TokensPage {
        layout: room.layout,
        participant: room.participant.name,
        tokens: tokens.iter().filter(|t| t.revoked_at.is_none()).map(row).collect(),
        created: None,
        name: String::new(),
        problem: None,
    })
}

fn row(token: &ApiTokenRow) -> TokenRow {
    TokenRow {
        id: token.id.to_string(),
        name: token.name.clone(),
        access: if token.write { AccessLevel::Write } else { AccessLevel::Read },
        created: words::when(token.created_at),
        last_used: token.last_used_at.map(words::when),
        expires: None,
    }
}
