//! `GET`, `POST /p/{slug}/publish/{id}/terms`: the third step, terms by sentences.
//!
//! A button that changes the form answers with the page itself: all of the form is in it, so it can be sent again without
//! harm. What is complete is saved each time.

use super::{
    find, form, frame, next, path, preview, save,
    sheet::{Sheet, mark},
};
use crate::{
    app::App,
    console_web::{
        answer::{self, Answer},
        flash::Notice,
        guard::{Form, Room},
    },
};
use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use fondaco_console::{
    fields::Problems,
    pages::{AlternativeForm, OfferForm, PeerChoice, PublishTermsPage, SentenceForm, SentenceKind, Step},
};
use fondaco_core::{
    Error, Result,
    publication::{Draft, Publication},
};

/// Peers that can be ticked in a sentence; others are named by their addresses.
const TICKS_MAX: usize = 20;
/// Peers in the preview: nobody reads more of them.
const PREVIEW_MAX: usize = 50;

/// The form.
pub async fn show(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>) -> Answer {
    let publication = find(&app, &room, &id).await?;
    let sheet = Sheet::of(&publication.draft.offers);
    let problems = sheet.wrong();
    answer::html(&page(&app, room, &publication, &sheet, problems).await?)
}

async fn page(app: &App, room: Room, publication: &Publication, sheet: &Sheet, problems: Problems) -> Result<PublishTermsPage> {
    let peers = app.list_peers(&room.participant.slug).await?;
    let peers: Vec<(String, String)> =
        peers.into_iter().map(|p| (p.did.to_string(), p.name.filter(|n| !n.is_empty()).unwrap_or_else(|| p.did.to_string()))).collect();
    let now = app.now();
    let mut offers = Vec::new();
    for offer in &sheet.offers {
        let odrl = offer.shown_text();
        let preview = offer.policy().map(|policy| {
            let known = peers.iter().take(PREVIEW_MAX).map(|(did, name)| preview::row(&policy, Some(name.clone()), Some(did), now));
            known.chain([preview::row(&policy, None, None, now)]).collect()
        });
        offers.push(OfferForm {
            alternatives: offer
                .alternatives
                .iter()
                .map(|lines| AlternativeForm { sentences: lines.iter().map(|line| sentence(line, &peers)).collect() })
                .collect(),
            price: offer.price.clone(),
            was: offer.text.as_ref().map_or_else(|| mark(&odrl), |_| String::new()),
            odrl,
            preview: preview.unwrap_or_default(),
            more_peers: peers.len().saturating_sub(PREVIEW_MAX) as u64,
        });
    }
    Ok(PublishTermsPage { frame: frame(app, &room, publication, Step::Terms, problems), offers, layout: room.layout })
}

fn sentence(line: &super::sheet::Line, peers: &[(String, String)]) -> SentenceForm {
    let mut values = line.values.clone();
    let mut choices = Vec::new();
    if line.kind == SentenceKind::Recipient {
        for (did, name) in peers.iter().take(TICKS_MAX) {
            choices.push(PeerChoice { name: name.clone(), did: did.clone(), ticked: values.contains(did) });
        }
        values.retain(|v| !choices.iter().any(|c| c.did == *v));
    }
    let separator = if line.kind == SentenceKind::Spatial { ", " } else { "\n" };
    SentenceForm {
        kind: line.kind,
        choice: line.choice.clone(),
        value: values.join(separator),
        unit: line.unit.clone(),
        peers: choices,
        fresh: line.fresh,
    }
}

/// Takes the form, and does what its button says.
pub async fn save_form(State(app): State<App>, room: Room, Path((_, id)): Path<(String, String)>, sent: Form) -> Answer {
    let publication = find(&app, &room, &id).await?;
    let mut sheet = Sheet::from_form(&sent)?;
    // Of the form as it came; a sentence added by this button is waited for.
    let mut problems = sheet.wrong();
    let button = sent.get("do");
    if let Some(button) = button {
        let mut refused = Problems::default();
        if !sheet.apply(button, &sent, room.participant.country.as_deref(), &mut refused) {
            return Err(Error::invalid("The form has no such button. Load the page again.").into());
        }
        if button != "check" {
            problems = refused;
        }
    }
    let publication = match sheet.odrl() {
        Some(offers) => save(&app, &room, publication.clone(), Draft { offers, ..publication.draft }).await?,
        None => publication,
    };
    let go = sent.get("go").unwrap_or("stay");
    if button.is_some() || !problems.is_empty() {
        let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        return answer::with_status(status, &page(&app, room, &publication, &sheet, problems).await?);
    }
    let problems = form::wrong_terms(&publication.draft);
    if !problems.is_empty() {
        return answer::with_status(StatusCode::BAD_REQUEST, &page(&app, room, &publication, &sheet, problems).await?);
    }
    let next = next(Step::Terms, go);
    let notice = (next == Step::Terms).then_some(Notice::PublicationSaved);
    answer::see_other(&app, &path(&room, &publication.id, next), notice)
}
