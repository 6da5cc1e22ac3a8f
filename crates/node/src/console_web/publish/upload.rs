//! `PUT /p/{slug}/publish/{id}/upload?name=…`: one file of the first step, sent by the page's script. The body is the file.

use super::{find, save};
use crate::{app::App, console_web::guard::Room, http::problem::ApiError};
use axum::{
    body::Body,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use fondaco_core::publication::{Draft, Source};
use futures::StreamExt as _;
use serde::Deserialize;
use std::io;

/// Which file.
#[derive(Debug, Deserialize)]
pub struct Asked {
    #[serde(default)]
    name: String,
}

/// Takes it. What is wrong is a problem document, whose text the script puts beside the file.
pub async fn put(
    State(app): State<App>,
    room: Room,
    Path((_, id)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    body: Body,
) -> Response {
    let taken = async {
        let publication = find(&app, &room, &id).await?;
        if !matches!(publication.draft.source, Some(Source::Upload)) {
            // Whoever sends a file has chosen where the content comes from.
            let draft = Draft { source: Some(Source::Upload), renewal: None, ..publication.draft.clone() };
            save(&app, &room, publication.clone(), draft).await?;
        }
        let content = body.into_data_stream().map(|piece| piece.map_err(io::Error::other));
        app.publication_upload(&room.participant, &publication.id, &asked.name, content).await
    };
    match taken.await {
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(why) => ApiError(why).into_response(),
    }
}
