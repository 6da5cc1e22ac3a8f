//! `GET`, `POST /p/{slug}/publish/{id}/review`: the fourth step, everything once more, and out.

use super::{access, find, form, frame, product_path, remarks, version};
use crate::{
    app::App,
    console_web::{
        answer::{self, Answer},
        flash::Notice,
        guard::{Room, SignedIn},
        shape, words,
    },
};
use axum::extract::{Path, State};
use fondaco_console::{
    Text,
    fields::Problems,
    pages::{PublishReviewPage, ReviewFact, Step},
};
use fondaco_core::{
    Code, Result,
    product::ProductKind,
    publication::{Draft, Publication, Source, State as Stand},
};

/// Longest list of paths shown.
const PATHS_MAX_CHARS: usize = 400;

/// The page.
pub async fn show(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    let publication = find(&app, &room, &id).await?;
    if let Stand::Published { dataset } = &publication.state {
        return answer::see_other(&app, &product_path(&room, dataset), None);
    }
    let problems = wrong(&publication);
    answer::html(&page(&app, room, &publication, problems).await?)
}

/// Publishes it.
pub async fn publish(State(app): State<App>, room: Room, signed_in: SignedIn, Path((_, id)): Path<(String, String)>) -> Answer {
    let publication = find(&app, &room, &id).await?;
    match app.publication_publish(&room.participant, &publication.id, access(&signed_in), None).await {
        Ok(listing) => {
            let path = product_path(&room, &listing.product.reference.dataset_id());
            answer::see_other(&app, &path, Some(Notice::Published))
        }
        Err(why) if matches!(why.code(), Code::Internal | Code::Unavailable) => Err(why.into()),
        Err(why) => {
            let publication = find(&app, &room, &id).await?;
            let mut problems = wrong(&publication);
            if problems.is_empty() {
                problems.add("", words::problem(&why));
            }
            answer::with_error(&page(&app, room, &publication, problems).await?, &why)
        }
    }
}

/// All that is wrong with it, each with the step and the field where it can be mended.
fn wrong(publication: &Publication) -> Problems {
    let draft = &publication.draft;
    let mut all = Problems::default();
    match &publication.state {
        Stand::Draft => all.add("source#from", Text::say("publish-problem-source")),
        Stand::Preparing => all.add("source#main", Text::say("publish-problem-reading")),
        Stand::Failed { .. } => all.add("source#from", Text::say("publish-problem-failed")),
        Stand::Prepared(prepared) => {
            if prepared.check_personal_data(draft.personal_data_accepted).is_err() {
                all.add("describe#personal", Text::say("publish-problem-personal"));
            }
        }
        Stand::Published { .. } => {}
    }
    let steps = [(Step::Describe, form::wrong_description(draft)), (Step::Terms, form::wrong_terms(draft))];
    for (step, problems) in steps {
        for problem in problems.0 {
            all.add(format!("{}#{}", step.code(), problem.field), problem.text);
        }
    }
    all
}

async fn page(app: &App, room: Room, publication: &Publication, problems: Problems) -> Result<PublishReviewPage> {
    let draft = &publication.draft;
    let uploaded = match draft.source {
        Some(Source::Upload) => app.publication_uploads(&room.participant.slug, &publication.id).await?.len(),
        _ => 0,
    };
    Ok(PublishReviewPage {
        frame: frame(app, &room, publication, Step::Review, problems),
        kind: shape::kind(draft.kind.as_str()),
        description: draft.description.clone(),
        keywords: draft.keywords.clone(),
        facts: facts(draft, uploaded),
        offers: draft.offers.iter().map(shape::terms).collect(),
        remarks: remarks(draft),
        version: version(app, &room, draft).await?,
        has_preview: draft.kind == ProductKind::Table && matches!(publication.state, Stand::Prepared(_)),
        layout: room.layout,
    })
}

fn facts(draft: &Draft, uploaded: usize) -> Vec<ReviewFact> {
    let plain = |text: &str| Some(Text::plain(text)).filter(|_| !text.is_empty());
    let listing = &draft.listing;
    let mut facts = vec![
        ReviewFact { code: "id", value: plain(&draft.product) },
        ReviewFact { code: "source", value: draft.source.as_ref().map(|s| source(s, uploaded)) },
        ReviewFact { code: "license", value: listing.license.as_deref().and_then(plain) },
        ReviewFact { code: "contact", value: listing.contact_point.as_deref().and_then(plain) },
        ReviewFact { code: "rhythm", value: listing.accrual_periodicity.map(|f| Text::of("rhythm", f.as_str())) },
        ReviewFact { code: "language", value: plain(&listing.language.join(", ")) },
        ReviewFact { code: "derived-from", value: plain(&draft.derived_from.join(", ")) },
    ];
    if draft.kind == ProductKind::Table {
        let shown = if draft.publish_profile { "product-shown" } else { "product-hidden" };
        facts.push(ReviewFact { code: "profile", value: Some(Text::say(shown)) });
    }
    if let Some(renewal) = &draft.renewal {
        let said = Text::of("publish-renewal", renewal.every.as_str());
        facts.push(ReviewFact { code: "renewal", value: Some(if said.exists() { said } else { Text::plain(renewal.every.as_str()) }) });
    }
    facts
}

fn source(source: &Source, uploaded: usize) -> Text {
    let cut = |paths: &[String]| {
        let text = paths.join(", ");
        match text.char_indices().nth(PATHS_MAX_CHARS) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    };
    match source {
        Source::Upload => Text::say("publish-source-upload").with("n", uploaded),
        Source::Paths { paths, .. } => Text::say("publish-source-paths").with("paths", cut(paths)),
        Source::S3 { connection, paths } => Text::say("publish-source-s3").with("connection", connection).with("paths", cut(paths)),
        Source::Postgres { connection, .. } => Text::say("publish-source-postgres").with("connection", connection),
    }
}
