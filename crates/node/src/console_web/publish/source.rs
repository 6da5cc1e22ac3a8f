//! `GET`, `POST /p/{slug}/publish/{id}/source`: the first step. The form brings its files along, so that it works without
//! scripts; they go to the disk as they arrive.

use super::{access, find, form, frame, next, path, save};
use crate::{
    app::App,
    console_web::{
        answer::{self, Answer},
        file_form::FileForm,
        guard::{Room, SignedIn},
    },
};
use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use fondaco_console::{
    Text,
    fields::Problems,
    format::Bytes,
    pages::{PublishSourcePage, Step, UploadedFileView},
};
use fondaco_core::{
    Code, Error, Result,
    publication::{Publication, Source, State as Stand},
};

/// The form.
pub async fn show(State(app): State<App>, room: Room, signed_in: SignedIn, Path((_, id)): Path<(String, String)>) -> Answer {
    let publication = find(&app, &room, &id).await?;
    answer::html(&page(&app, room, &signed_in, &publication, Problems::default()).await?)
}

async fn page(app: &App, room: Room, signed_in: &SignedIn, publication: &Publication, problems: Problems) -> Result<PublishSourcePage> {
    let slug = &room.participant.slug;
    let uploaded = app.publication_uploads(slug, &publication.id).await?;
    let connections = app.connections(slug).await?;
    let of = |kind: &str| connections.iter().filter(|c| c.target.kind() == kind).map(|c| c.name.clone()).collect();
    Ok(PublishSourcePage {
        frame: frame(app, &room, publication, Step::Source, problems),
        form: form::source_form(&publication.draft),
        uploaded: uploaded.into_iter().map(|f| UploadedFileView { bytes: Bytes(f.size_bytes), name: f.name }).collect(),
        operator: access(signed_in).operator || !app.config.sources.folders.is_empty(),
        s3: of("s3"),
        postgres: of("postgres"),
        layout: room.layout,
    })
}

/// Takes the form and its files, and begins to read.
pub async fn save_form(
    State(app): State<App>,
    room: Room,
    signed_in: SignedIn,
    Path((_, id)): Path<(String, String)>,
    sent: FileForm,
) -> Answer {
    let mut publication = find(&app, &room, &id).await?;
    if matches!(publication.state, Stand::Preparing) {
        return Err(Error::new(Code::Conflict, "The source is being read. Stop that first.").into());
    }
    let mut parts = sent.open()?;
    let mut given: Vec<(String, String)> = Vec::new();
    let mut arrived = 0;
    let mut refused = None;
    while let Some(part) = parts.next().await? {
        if !matches!(part.name(), "files" | "folder") {
            given.push((part.name().to_owned(), part.text().await?));
            continue;
        }
        // A field without a file is sent with an empty name. Files beside another place are none of its content.
        let uploading = given.iter().any(|(name, value)| name == "from" && value == "upload");
        let Some(name) = part.file_name().filter(|n| !n.is_empty() && uploading).map(str::to_owned) else { continue };
        match app.publication_upload(&room.participant, &publication.id, &name, part.content()).await {
            Ok(_) => arrived += 1,
            Err(why) if why.code() == Code::Internal => return Err(why.into()),
            Err(why) => {
                refused = Some(why);
                break;
            }
        }
    }
    let field = |name: &str| given.iter().rev().find(|(n, v)| n == name && !v.trim().is_empty()).map(|(_, v)| v.clone());
    let whole = refused.is_none();
    if let Some(name) = field("do").and_then(|button| button.strip_prefix("remove:").map(str::to_owned)) {
        app.publication_upload_remove(&room.participant, &publication.id, &name).await?;
    }
    if arrived > 0 || field("do").is_some() {
        publication = find(&app, &room, &id).await?;
    }
    if whole {
        // A form that broke off has not said everything.
        let draft = form::with_source(&publication.draft, &field);
        publication = save(&app, &room, publication, draft).await?;
    }
    let uploaded = app.publication_uploads(&room.participant.slug, &publication.id).await?.len();
    let mut problems = form::wrong_source(&publication.draft, uploaded);
    if let Some(text) = field("delta-version").filter(|v| v.trim().parse::<u64>().is_err()) {
        problems.add("delta-version", Text::say("publish-problem-delta-version"));
        drop(text);
    }
    if let Some(why) = refused {
        problems = Problems::default();
        problems.add("files", crate::console_web::words::problem(&why));
    }
    let go = field("go").unwrap_or_default();
    let next = next(Step::Source, &go);
    // Whoever goes to another step by the way through the steps may leave this one unfinished.
    let leaving = go != "on" && next != Step::Source && whole;
    if !problems.is_empty() && !leaving {
        if field("do").is_some() {
            problems = Problems::default();
        }
        let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        return answer::with_status(status, &page(&app, room, &signed_in, &publication, problems).await?);
    }
    let unread = matches!(publication.state, Stand::Draft | Stand::Failed { .. });
    let chosen = !matches!(publication.draft.source, Some(Source::Upload)) || uploaded > 0;
    if problems.is_empty() && unread && chosen && next != Step::Source {
        match app.publication_prepare(&room.participant, &publication.id, access(&signed_in)).await {
            Ok(_) => {}
            Err(why) if leaving || why.code() == Code::Internal => return Err(why.into()),
            Err(why) => {
                problems.add("from", crate::console_web::words::problem(&why));
                return answer::with_error(&page(&app, room, &signed_in, &publication, problems).await?, &why);
            }
        }
    }
    answer::see_other(&app, &path(&room, &publication.id, next), None)
}
