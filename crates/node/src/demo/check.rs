//! `--exit-when-done`: whether the deals are what they should be, seen from both sides and over HTTP.

use super::{
    deals::{Deal, Sides, provider_id},
    read::{Query, query},
    scenario::Outcome,
};
use fondaco_core::{
    Error, Result, canonical,
    policy::{Constraint, Policy},
    transfer::Transfer,
};
use http::StatusCode;

/// What is wrong with a deal, in sentences; nothing when all is well.
pub(super) async fn check(sides: Sides<'_>, made: &Deal) -> Vec<String> {
    // A check that cannot be made is a check that failed; the other deals are still looked at.
    let wrong = all(sides, made).await.unwrap_or_else(|e| vec![format!("{} {}", e.message(), e.internal().unwrap_or_default())]);
    let title = made.plan.table.describe().title;
    let name = |why: String| format!("{} from {}, \"{title}\": {}", sides.consumer.zone.name, sides.provider.zone.name, why.trim());
    wrong.into_iter().map(name).collect()
}

async fn all(sides: Sides<'_>, made: &Deal) -> Result<Vec<String>> {
    let now = sides.look(&made.plan, &made.consumer.id).await?;
    let mut wrong = states(&now);
    if now.agreement().is_some() {
        wrong.extend(agreements(sides, &now).await?);
        wrong.extend(access(sides, &now).await?);
    }
    Ok(wrong)
}

fn states(deal: &Deal) -> Vec<String> {
    let mut wrong = Vec::new();
    let (ours, theirs) = (&deal.consumer.state, &deal.provider.state);
    if deal.plan.outcome == Outcome::Waiting && ours.is_final() && ours.name() == theirs.name() {
        // In a folder used before, the visitor has decided; what followed is the visitor's affair.
        return wrong;
    }
    let (negotiation, transfer) = match deal.plan.outcome {
        Outcome::Waiting => ("REQUESTED", None),
        Outcome::Refused => ("TERMINATED", None),
        Outcome::Agreed => ("FINALIZED", None),
        Outcome::Read => ("FINALIZED", Some("STARTED")),
        Outcome::Suspended(_) => ("FINALIZED", Some("SUSPENDED")),
        Outcome::Completed => ("FINALIZED", Some("COMPLETED")),
    };
    for (side, n) in [("consumer", &deal.consumer), ("provider", &deal.provider)] {
        if n.state.name() != negotiation {
            wrong.push(format!("the negotiation is {} at the {side} instead of {negotiation}", n.state.name()));
        }
    }
    let name = |t: &Transfer| t.state.name();
    let both = deal.transfer.as_ref().map(|(ours, theirs)| (name(ours), name(theirs)));
    if both != transfer.map(|state| (state, state)) {
        let (both, transfer) = (both.map_or("no transfer".into(), |(a, b)| format!("{a} and {b}")), transfer.unwrap_or("none"));
        wrong.push(format!("the transfer is {both} at consumer and provider instead of {transfer}"));
    }
    if deal.plan.outcome == Outcome::Refused && deal.reason().is_none_or(|reason| reason.is_empty()) {
        wrong.push("it was refused without a reason".into());
    }
    wrong
}

/// Both sides hold the same document, and its digest is the document's.
async fn agreements(sides: Sides<'_>, deal: &Deal) -> Result<Vec<String>> {
    let Some(agreement) = deal.agreement() else { return Ok(Vec::new()) };
    let ours = sides.consumer.app().agreement(&sides.consumer.participant.slug, &agreement.id).await?.row.agreement;
    let theirs = sides.provider.app().agreement(&sides.provider.participant.slug, &agreement.id).await?.row.agreement;
    let mut wrong = Vec::new();
    if ours.digest != theirs.digest || ours.document != theirs.document {
        wrong.push(format!("the sides hold different agreements: {} and {}", ours.digest, theirs.digest));
    }
    for held in [&ours, &theirs] {
        if canonical::digest(&held.document).as_ref() != Some(&held.digest) {
            wrong.push(format!("the digest {} is not that of the document", held.digest));
        }
    }
    Ok(wrong)
}

/// Open access delivers the table and counts the read, up to the agreed number; closed access delivers nothing.
async fn access(sides: Sides<'_>, deal: &Deal) -> Result<Vec<String>> {
    let (Some((ours, _)), Some(agreement)) = (&deal.transfer, deal.agreement()) else { return Ok(Vec::new()) };
    if deal.plan.outcome == Outcome::Waiting {
        return Ok(Vec::new());
    }
    if deal.plan.outcome != Outcome::Read {
        return Ok(must_refuse(sides, deal, ours, "although the transfer does not run").await?.into_iter().collect());
    }
    let limit = reads_max(&agreement.document)?;
    if deal.reads == 0 {
        return Ok(vec!["the read made was not counted".into()]);
    }
    if limit.is_none_or(|limit| deal.reads < limit) {
        let profile = sides.access(&agreement.id).await?;
        // Every byte count and hash is compared inside.
        sides.read(&deal.plan, &profile).await?;
    } else if let Some(wrong) = must_refuse(sides, deal, ours, "although all agreed reads are used").await? {
        return Ok(vec![wrong]);
    }
    let counted = sides.provider.app().agreement(&sides.provider.participant.slug, &agreement.id).await?.used.reads;
    let expected = limit.map_or(deal.reads + 1, |limit| limit.min(deal.reads + 1));
    Ok((counted != expected).then(|| format!("{counted} reads are counted instead of {expected}")).into_iter().collect())
}

/// The token of a transfer must open nothing.
async fn must_refuse(sides: Sides<'_>, deal: &Deal, ours: &Transfer, why: &str) -> Result<Option<String>> {
    let provider = sides.provider;
    let token = provider.app().access_tokens.mint(&provider.participant.slug, &provider_id(ours)?)?;
    let endpoint = format!("{}/share", provider.address());
    let table = format!("{}.{}.{}", provider.participant.slug, crate::share::SCHEMA, deal.consumer.dataset);
    Ok(match query(&sides.consumer.app().outbound, &endpoint, &token, &table).await? {
        Query::Refused(StatusCode::FORBIDDEN, _) => None,
        Query::Refused(status, words) => Some(format!("a query is answered with {status} instead of 403: {words}")),
        Query::Files(_) => Some(format!("the table could be read {why}")),
    })
}

fn reads_max(document: &serde_json::Value) -> Result<Option<u64>> {
    let policy = Policy::from_odrl(document).map_err(Error::internal_failure)?;
    let limits = policy.permissions.iter().flat_map(|p| &p.constraints).filter_map(|c| match c {
        Constraint::Count { limit } => Some(*limit),
        _ => None,
    });
    Ok(limits.min())
}
