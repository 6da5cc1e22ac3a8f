//! `GET`, `POST /p/{slug}/publish/{id}/describe`: the second step, what others read about the product.

use super::{find, form, frame, next, path, remarks, save, version};
use crate::{
    app::App,
    console_web::{
        answer::{self, Answer},
        flash::Notice,
        guard::{Form, Room},
        words,
    },
};
use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use fondaco_console::{
    fields::Problems,
    pages::{PublishDescribePage, Step},
};
use fondaco_core::{
    Code, Result,
    product::{Frequency, ProductKind},
    publication::Publication,
};

/// Characters of a publication's id that an id of a product without letters in its title ends with.
const ID_ENDS_WITH: usize = 6;

/// The form.
pub async fn show(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    let publication = find(&app, &room, &id).await?;
    answer::html(&page(&app, room, &publication, Problems::default()).await?)
}

async fn page(app: &App, room: Room, publication: &Publication, problems: Problems) -> Result<PublishDescribePage> {
    let draft = &publication.draft;
    Ok(PublishDescribePage {
        frame: frame(app, &room, publication, Step::Describe, problems),
        form: form::describe_form(draft),
        // Before anything was said there is nothing to remark.
        remarks: if draft.title.is_empty() { Vec::new() } else { remarks(draft) },
        rhythms: Frequency::ALL.iter().map(|f| f.as_str().to_owned()).collect(),
        is_table: draft.kind == ProductKind::Table,
        renewable: form::renewable(draft),
        version: version(app, &room, draft).await?,
        layout: room.layout,
    })
}

/// Takes the form.
pub async fn save_form(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>, sent: Form) -> Answer {
    let publication = find(&app, &room, &id).await?;
    let field = |name: &str| sent.get(name).map(str::to_owned);
    let text = publication.id.to_string();
    let end: String = text.chars().rev().take(ID_ENDS_WITH).collect::<Vec<_>>().into_iter().rev().collect();
    let fallback = format!("{}-{}", publication.draft.kind.as_str(), end.to_ascii_lowercase());
    let draft = form::with_description(&publication.draft, &field, &fallback);
    let publication = save(&app, &room, publication, draft).await?;
    let go = sent.get("go").unwrap_or("stay");
    let next = next(Step::Describe, go);
    if go == "on" || next == Step::Describe {
        let mut problems = form::wrong_description(&publication.draft);
        // Ids that are ids, of something that is not there.
        if problems.of("derived-from").is_none()
            && let Err(why) = app.sources_check(&room.participant.slug, &publication.draft.derived_from).await
        {
            if why.code() != Code::Invalid {
                return Err(why.into());
            }
            problems.add("derived-from", words::problem(&why));
        }
        if !problems.is_empty() {
            return answer::with_status(StatusCode::BAD_REQUEST, &page(&app, room, &publication, problems).await?);
        }
    }
    let notice = (next == Step::Describe).then_some(Notice::PublicationSaved);
    answer::see_other(&app, &path(&room, &publication.id, next), notice)
}
