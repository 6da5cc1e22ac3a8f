//! The publishing rooms: `/p/{slug}/publish` and the four steps below it. Whatever a step's form says is saved first;
//! then the reader goes where they want to.

pub mod describe;
mod form;
mod preview;
pub mod review;
pub(super) mod sheet;
pub mod source;
pub mod terms;
pub mod upload;

use super::{
    answer::{self, Answer},
    flash::Notice,
    guard::{Room, SignedIn},
    products, shape, words,
};
use crate::app::{
    App,
    publish::{Progress, SourceAccess},
};
use axum::extract::{Path, State};
use fondaco_console::{
    Text,
    fields::Problems,
    format::{Bytes, Count},
    pages::{Found, PersonalHint, ProgressView, PublicationRow, PublicationsPage, PublishFrame, RemarkView, Stage, Step},
};
use fondaco_core::{
    Error, Result,
    ids::PublicationId,
    product::{ProductId, ProductKind, ProductRef},
    publication::{Draft, Prepared, Publication, State as Stand},
};
use serde_json::Value;

/// What is on its way.
pub async fn list(State(app): State<App>, room: Room) -> Answer {
    let publications = app.publications(&room.participant.slug, false).await?;
    let row = |p: &Publication| PublicationRow {
        id: p.id.to_string(),
        title: p.draft.title.clone(),
        kind: shape::kind(p.draft.kind.as_str()),
        stage: stage(&app, &room, p),
        changed: words::when(p.updated_at),
    };
    answer::html(&PublicationsPage { publications: publications.iter().map(row).collect(), layout: room.layout.clone() })
}

/// Begins one.
pub async fn begin(State(app): State<App>, room: Room) -> Answer {
    let begun = app.publication_new(&room.participant, Draft::new(ProductKind::Table)).await?;
    answer::see_other(&app, &path(&room, &begun.id, Step::Source), None)
}

/// To the step that a publication is at.
pub async fn open(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    let publication = find(&app, &room, &id).await?;
    let step = match &publication.state {
        Stand::Published { dataset } => return answer::see_other(&app, &product_path(&room, dataset), None),
        Stand::Draft | Stand::Failed { .. } => Step::Source,
        Stand::Preparing | Stand::Prepared(_) if publication.draft.title.is_empty() => Step::Describe,
        Stand::Preparing | Stand::Prepared(_) => Step::Review,
    };
    answer::see_other(&app, &path(&room, &publication.id, step), None)
}

/// Reads the source (again).
pub async fn prepare(State(app): State<App>, room: Room, signed_in: SignedIn, Path((_, id)): Path<(String, String)>) -> Answer {
    let id = parse(&id)?;
    app.publication_prepare(&room.participant, &id, access(&signed_in)).await?;
    answer::see_other(&app, &path(&room, &id, Step::Describe), None)
}

/// Stops reading the source.
pub async fn cancel(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    let id = parse(&id)?;
    app.publication_cancel(&room.participant, &id).await?;
    answer::see_other(&app, &path(&room, &id, Step::Source), Some(Notice::PublicationCancelled))
}

/// Gives it up.
pub async fn discard(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    app.publication_discard(&room.participant, &parse(&id)?).await?;
    answer::see_other(&app, &format!("{}/publish", room.base()), Some(Notice::PublicationDiscarded))
}

/// How far this person reaches when they publish.
fn access(signed_in: &SignedIn) -> SourceAccess {
    SourceAccess { operator: signed_in.person.user.admin }
}

/// Longest id of ours.
const ID_MAX_CHARS: usize = 100;

/// An id in an address: it is also the name of a folder, so it is looked at before anything is done with it.
pub(super) fn parse(id: &str) -> Result<PublicationId> {
    let ours = !id.is_empty() && id.len() <= ID_MAX_CHARS && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if ours { Ok(PublicationId::from_stored(id)) } else { Err(Error::not_found("This publication")) }
}

pub(super) async fn find(app: &App, room: &Room, id: &str) -> Result<Publication> {
    app.publication(&room.participant.slug, &parse(id)?).await
}

/// The page of a step.
fn path(room: &Room, id: &PublicationId, step: Step) -> String {
    format!("{}/publish/{}/{}", room.base(), shape::segment(id.as_str()), step.code())
}

/// The page of a product of ours.
fn product_path(room: &Room, dataset: &str) -> String {
    let base = room.base();
    match ProductRef::parse_dataset_id(dataset) {
        Some(product) => format!("{base}/products/{}?version={}", shape::segment(product.id.as_str()), product.version),
        None => format!("{base}/products"),
    }
}

/// The step that a form's button leads to: the one it names, or the one after `step`.
fn next(step: Step, go: &str) -> Step {
    let after = match step {
        Step::Source => Step::Describe,
        Step::Describe => Step::Terms,
        Step::Terms | Step::Review => Step::Review,
    };
    Step::from_code(go).unwrap_or(if go == "on" { after } else { step })
}

fn stage(app: &App, room: &Room, publication: &Publication) -> Stage {
    match &publication.state {
        Stand::Draft => Stage::Draft,
        Stand::Preparing => Stage::Preparing(progress(app.publication_progress(&publication.id).as_ref())),
        Stand::Prepared(prepared) => Stage::Prepared(Box::new(found(prepared))),
        Stand::Failed { code, message } => Stage::Failed { code: code.clone(), message: Text::detail(message) },
        Stand::Published { dataset } => Stage::Published { href: product_path(room, dataset) },
    }
}

fn progress(progress: Option<&Progress>) -> ProgressView {
    let Some(p) = progress else { return ProgressView { phase: Text::say("publish-phase-waiting"), ..ProgressView::default() } };
    // The phases' names in the API.
    let phase = serde_json::to_value(p.phase).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    let phase = Text::of("publish-phase", &phase);
    ProgressView {
        phase: if phase.exists() { phase } else { Text::say("publish-phase-checking") },
        file: Some(p.file.clone()).filter(|f| !f.is_empty()),
        files_done: Count(p.files_done),
        files: (p.files > 0).then_some(Count(p.files)),
        percent: (p.total > 0).then(|| u64::try_from(u128::from(p.done) * 100 / u128::from(p.total)).unwrap_or(100).min(100)),
    }
}

fn found(prepared: &Prepared) -> Found {
    Found {
        rows: prepared.content.get("rows").and_then(Value::as_u64).map(Count),
        files: Count(prepared.files),
        bytes: Bytes(prepared.size_bytes),
        columns: products::columns(prepared.content.get("schema")),
        profile: products::profile(prepared.content.get("profile")),
        listed: Vec::new(),
    }
}

fn hints(prepared: &Prepared) -> Vec<PersonalHint> {
    let hints = prepared.content.get("personalData").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |hint: &Value, key: &str| hint.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let hint = |hint: &Value| PersonalHint {
        column: text(hint, "column"),
        category: text(hint, "category"),
        found: text(hint, "strength") == "found",
        percent: percent(hint.get("share").and_then(Value::as_f64)),
    };
    hints.iter().map(hint).collect()
}

/// A share from 0 to 1 in percent.
fn percent(share: Option<f64>) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 100")]
    let percent = (share.unwrap_or(0.0).clamp(0.0, 1.0) * 100.0).round() as u64;
    percent
}

/// What stands around a step.
fn frame(app: &App, room: &Room, publication: &Publication, step: Step, problems: Problems) -> PublishFrame {
    let draft = &publication.draft;
    let prepared = match &publication.state {
        Stand::Prepared(prepared) => Some(prepared),
        _ => None,
    };
    let personal = prepared.map(hints).unwrap_or_default();
    let confirmed = draft.personal_data_accepted || !personal.iter().any(|h| h.found);
    let mut done = Vec::new();
    if prepared.is_some() {
        done.push(Step::Source);
    }
    if !draft.title.is_empty() && form::wrong_description(draft).is_empty() && confirmed {
        done.push(Step::Describe);
    }
    if !draft.offers.is_empty() && form::wrong_terms(draft).is_empty() {
        done.push(Step::Terms);
    }
    let published = matches!(publication.state, Stand::Published { .. });
    let reading = matches!(publication.state, Stand::Preparing);
    PublishFrame {
        id: publication.id.to_string(),
        title: draft.title.clone(),
        step,
        done,
        stage: stage(app, room, publication),
        personal,
        personal_accepted: draft.personal_data_accepted,
        form: !published && step != Step::Review && !(reading && step == Step::Source),
        problems,
    }
}

fn remarks(draft: &Draft) -> Vec<RemarkView> {
    draft.described().remarks().into_iter().map(|r| RemarkView { code: r.as_str().to_owned() }).collect()
}

/// The version it becomes, where there are others of its id.
async fn version(app: &App, room: &Room, draft: &Draft) -> Result<Option<u64>> {
    let Ok(id) = ProductId::parse(&draft.product) else { return Ok(None) };
    let versions = app.product_versions(&room.participant.slug, &id).await?;
    Ok(versions.first().map(|(newest, _)| u64::from(*newest) + 1))
}

/// Saves what was said, unless that changes nothing.
async fn save(app: &App, room: &Room, publication: Publication, draft: Draft) -> Result<Publication> {
    if publication.draft == draft {
        return Ok(publication);
    }
    app.publication_amend(&room.participant, &publication.id, draft).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use fondaco_tables::publish::Phase;

    #[test]
    fn buttons_lead_to_steps() {
        for (step, go, to) in [
            (Step::Source, "on", Step::Describe),
            (Step::Describe, "on", Step::Terms),
            (Step::Terms, "on", Step::Review),
            (Step::Terms, "source", Step::Source),
            (Step::Terms, "stay", Step::Terms),
            (Step::Describe, "https://evil.example", Step::Describe),
        ] {
            assert_eq!(next(step, go), to, "{go}");
        }
    }

    #[test]
    fn progress_is_put_in_words() {
        let of = |phase, done, total| progress(Some(&Progress { phase, file: "a.csv".into(), done, total, files_done: 0, files: 0 }));
        for phase in [Phase::InferringTypes, Phase::Copying, Phase::Checking, Phase::Converting] {
            let code = serde_json::to_value(phase).expect("json");
            assert!(Text::of("publish-phase", code.as_str().expect("a name")).exists(), "{code}");
        }
        assert_eq!(of(Phase::Copying, 1, 4).percent, Some(25));
        assert_eq!(of(Phase::Copying, u64::MAX, u64::MAX).percent, Some(100));
        assert_eq!((of(Phase::Copying, 9, 4).percent, of(Phase::Copying, 9, 0).percent), (Some(100), None));
        assert!(progress(None).phase.exists());
        assert_eq!((percent(Some(0.976)), percent(Some(7.0)), percent(None)), (98, 100, 0));
    }
}
