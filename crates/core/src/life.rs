//! What becomes of an agreement after it was signed: notice, end, expiry, the provider's emergency stop, renewal.
//!
//! The Dataspace Protocol has no message after `FINALIZED`, so two nodes of ours tell each other in an extension
//! ([`Told`]). As in [`crate::negotiation`], both an act of our own ([`Life::act`]) and a message ([`Life::receive`]) are
//! pure steps that return the new value and what [`Happened`]. A message never does more than the terms give its sender.

use crate::{
    error::{Code, Error, Result},
    negotiation::Role,
    policy::{NoticePeriod, Policy},
    time::{Micros, Timestamp},
};
use serde::{Deserialize, Serialize};

/// How far a peer's clock may be ahead of ours before its messages are refused.
pub const SKEW_MAX: Micros = Micros::from_secs(300);
/// How old a notice may be when it arrives: as long as messages are tried (24 hours), and an hour more. Whoever says that
/// it said so earlier wants a shorter notice than was agreed.
pub const NOTICE_AGE_MAX: Micros = Micros::from_secs(25 * 3_600);
/// Longest reason of a notice or stop, in characters: as for the end of a transfer.
pub const REASON_MAX_CHARS: usize = 2_000;

/// What the terms say about the life of their agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LifeTerms {
    /// Whether we can read them: a consumer may hold terms that only the provider enforces.
    pub known: bool,
    /// The notice by which either side may end it.
    pub notice: Option<NoticePeriod>,
    /// When it is over by time alone.
    pub expires_at: Option<Timestamp>,
}

impl LifeTerms {
    /// Of an agreement made at `agreed_at` with `consumer`.
    pub fn of(policy: Option<&Policy>, agreed_at: Timestamp, consumer: &str) -> Self {
        Self {
            known: policy.is_some(),
            notice: policy.and_then(Policy::notice_period).cloned(),
            expires_at: policy.and_then(|p| p.expires(agreed_at, consumer)),
        }
    }
}

/// Where an agreement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// In force.
    Active,
    /// In force; notice was given.
    Ending,
    /// Signed and not over, but the provider stopped it for now.
    Stopped,
    /// Ended by notice.
    Ended,
    /// Over by its own terms.
    Expired,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 5] = [Self::Active, Self::Ending, Self::Stopped, Self::Ended, Self::Expired];
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Ending => "ending",
            Self::Stopped => "stopped",
            Self::Ended => "ended",
            Self::Expired => "expired",
        }
    }
    /// The phase with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == name)
    }
    /// Whether nothing more is used under the agreement, ever.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Ended | Self::Expired)
    }
}

/// Notice that was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// By whom.
    pub by: Role,
    /// When it was said.
    pub at: Timestamp,
    /// When the agreement ends.
    pub ends_at: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// An emergency stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Since when.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// How it came to be over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Over {
    /// Since when.
    pub at: Timestamp,
    /// Who gave notice; `None`: it expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Role>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What became of an agreement so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Life {
    /// The notice that counts: of two, the one that ends it sooner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<Notice>,
    /// The provider stopped this agreement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// The provider stopped the product (known at the provider only; the consumer sees a [`Life::stop`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_stop: Option<Stop>,
    /// It is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over: Option<Over>,
    /// The agreement that this one renews.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewal_of: Option<String>,
    /// The agreement that renews this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewed_by: Option<String>,
    /// When a rule of the consumer renews it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renew_at: Option<Timestamp>,
    /// How many events the peer was told; each carries its number.
    pub said: u64,
    /// The highest number that the peer told us.
    pub heard: u64,
}

/// The kinds of events that nodes tell each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Either side gave notice.
    Notice,
    /// It ended by notice.
    Ended,
    /// The provider stopped it.
    Stopped,
    /// The provider resumed it.
    Resumed,
    /// It is over by its own terms.
    Expired,
    /// The consumer made a new agreement in its place.
    Renewed,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Notice, Self::Ended, Self::Stopped, Self::Resumed, Self::Expired, Self::Renewed];
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Ended => "ended",
            Self::Stopped => "stopped",
            Self::Resumed => "resumed",
            Self::Expired => "expired",
            Self::Renewed => "renewed",
        }
    }
    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// An event as one side tells it to the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// Grows with each event of the agreement that this side tells.
    pub sequence: u64,
    /// What happened.
    pub kind: Kind,
    /// When.
    pub at: Timestamp,
    /// Of an end without a notice before: when notice was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice_at: Option<Timestamp>,
    /// Of a notice: when the agreement ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of a renewal: the new agreement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewed_by: Option<String>,
}

/// An act of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Own {
    /// Give notice.
    End {
        /// Why.
        reason: Option<String>,
    },
    /// Stop it for now (provider).
    Stop {
        /// Why.
        reason: String,
    },
    /// Take a stop back (provider).
    Resume,
    /// The product was stopped, or is no longer (provider).
    Product(Option<Stop>),
    /// Look at the clock.
    Due,
}

/// What happened in a step: one line of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// What.
    pub kind: Kind,
    /// Whose doing; `None`: by the terms alone.
    pub by: Option<Role>,
    /// When.
    pub at: Timestamp,
    /// Of a notice: when the agreement ends.
    pub ends_at: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
    /// What the peer is told about it, if anything.
    pub tell: Option<Told>,
}

impl Life {
    /// Where the agreement stands, as far as it was noted.
    pub const fn phase(&self) -> Phase {
        match &self.over {
            Some(Over { by: Some(_), .. }) => Phase::Ended,
            Some(Over { by: None, .. }) => Phase::Expired,
            None if self.stop.is_some() || self.product_stop.is_some() => Phase::Stopped,
            None if self.notice.is_some() => Phase::Ending,
            None => Phase::Active,
        }
    }

    /// The stop in effect.
    pub fn stopped(&self) -> Option<&Stop> {
        self.stop.as_ref().or(self.product_stop.as_ref())
    }

    /// When the agreement is over, as far as is known now: by notice or by its terms.
    pub fn ends(&self, terms: &LifeTerms) -> Option<Timestamp> {
        [self.notice.as_ref().map(|n| n.ends_at), terms.expires_at].into_iter().flatten().min()
    }

    /// When something happens by itself next.
    pub fn due_at(&self, terms: &LifeTerms) -> Option<Timestamp> {
        if self.over.is_some() {
            return None;
        }
        [self.ends(terms), self.renew_at].into_iter().flatten().min()
    }

    /// Whether it may be used at `now`, whatever was noted so far.
    ///
    /// # Errors
    /// [`Code::AccessEnded`], [`Code::Stopped`] with the reason.
    pub fn in_force(&self, now: Timestamp) -> Result<()> {
        let ended = |words: String| Err(Error::new(Code::AccessEnded, words));
        match (&self.over, &self.notice, self.stopped()) {
            (Some(Over { at, by: Some(_), .. }), ..) => ended(format!("The agreement ended on {at}.")),
            (Some(Over { at, by: None, .. }), ..) => ended(format!("The agreement expired on {at}.")),
            (None, Some(notice), _) if notice.ends_at <= now => ended(format!("The agreement ended on {}.", notice.ends_at)),
            (None, _, Some(stop)) => Err(stop.refusal()),
            _ => Ok(()),
        }
    }

    /// Takes a step of our own.
    ///
    /// # Errors
    /// [`Code::EndNotAgreed`] where the terms do not let us, [`Code::Forbidden`] for what only the provider may,
    /// [`Code::Conflict`] for what has happened already. The value is untouched then.
    pub fn act(mut self, own: Own, role: Role, terms: &LifeTerms, now: Timestamp) -> Result<(Self, Vec<Happened>)> {
        let conflict = |words: &str| Err(Error::new(Code::Conflict, words));
        if self.over.is_some() {
            return match own {
                Own::Product(_) | Own::Due => Ok((self, Vec::new())),
                Own::End { .. } | Own::Stop { .. } | Own::Resume => conflict("The agreement is over already."),
            };
        }
        let by = Some(role);
        let mut happened = Vec::new();
        match own {
            Own::End { reason } => {
                if let Some(notice) = &self.notice {
                    return Err(Error::new(Code::Conflict, format!("Notice was given already: the agreement ends on {}.", notice.ends_at)));
                }
                let period = terms.notice.as_ref().ok_or_else(|| may_not_end(role))?;
                let ends_at = period.ends(now).ok_or_else(|| Error::invalid("The notice period goes past the end of time."))?;
                self.notice = Some(Notice { by: role, at: now, ends_at, reason: reason.clone() });
                if ends_at > now {
                    happened.push(self.say(Happened::new(Kind::Notice, by, now).ending(Some(ends_at)).because(reason)));
                }
                happened.extend(self.look(role, terms, now));
            }
            Own::Stop { reason } => {
                only_provider(role)?;
                if self.stop.is_some() {
                    return conflict("The agreement is stopped already.");
                }
                self.stop = Some(Stop { at: now, reason: reason.clone() });
                happened.push(self.say(Happened::new(Kind::Stopped, by, now).because(Some(reason))));
            }
            Own::Resume => {
                only_provider(role)?;
                if self.stop.take().is_none() {
                    return conflict(match &self.product_stop {
                        Some(_) => "The whole product is stopped: fondaco product resume ID",
                        None => "The agreement is not stopped.",
                    });
                }
                // While the product is stopped it changes nothing that the consumer could notice.
                if self.product_stop.is_none() {
                    happened.push(self.say(Happened::new(Kind::Resumed, by, now)));
                }
            }
            Own::Product(stop) => {
                only_provider(role)?;
                let before = std::mem::replace(&mut self.product_stop, stop);
                match (before, &self.product_stop) {
                    (None, Some(stop)) if self.stop.is_none() => {
                        let (at, reason) = (stop.at, stop.reason.clone());
                        happened.push(self.say(Happened::new(Kind::Stopped, by, at).because(Some(reason))));
                    }
                    (Some(_), None) if self.stop.is_none() => happened.push(self.say(Happened::new(Kind::Resumed, by, now))),
                    _ => {}
                }
            }
            Own::Due => happened.extend(self.look(role, terms, now)),
        }
        Ok((self, happened))
    }

    /// Makes it over if its time has come.
    fn look(&mut self, role: Role, terms: &LifeTerms, now: Timestamp) -> Option<Happened> {
        let at = self.ends(terms).filter(|at| *at <= now && self.over.is_none())?;
        let notice = self.notice.clone().filter(|n| n.ends_at == at);
        let (by, reason) = notice.as_ref().map_or((None, None), |n| (Some(n.by), n.reason.clone()));
        self.over = Some(Over { at, by, reason: reason.clone() });
        let kind = if notice.is_some() { Kind::Ended } else { Kind::Expired };
        let happened = Happened::new(kind, by, at).because(reason);
        // Each side has its own clock. Whoever gave notice says that it came into effect, and the provider that time is over.
        let ours = by.unwrap_or(Role::Provider) == role;
        let happened = if ours { self.say(happened) } else { happened };
        Some(with_notice(happened, notice.as_ref()))
    }

    /// Notes that this agreement was renewed by another, and tells the provider.
    ///
    /// # Errors
    /// [`Code::Conflict`] when it was renewed before.
    pub fn renewed(mut self, new: &str, now: Timestamp) -> Result<(Self, Vec<Happened>)> {
        if self.renewed_by.is_some() {
            return Err(Error::new(Code::Conflict, "The agreement was renewed already."));
        }
        self.renewed_by = Some(new.to_owned());
        self.renew_at = None;
        let mut happened = self.say(Happened::new(Kind::Renewed, Some(Role::Consumer), now));
        if let Some(told) = &mut happened.tell {
            told.renewed_by = Some(new.to_owned());
        }
        Ok((self, vec![happened]))
    }

    /// Numbers what the peer is to be told.
    fn say(&mut self, mut happened: Happened) -> Happened {
        self.said += 1;
        happened.tell = Some(Told {
            sequence: self.said,
            kind: happened.kind,
            at: happened.at,
            notice_at: None,
            ends_at: happened.ends_at,
            reason: happened.reason.clone(),
            renewed_by: None,
        });
        happened
    }

    /// Applies an event that the peer, on the side `from`, tells. What we know already changes nothing.
    ///
    /// # Errors
    /// [`Code::IllegalTransition`] for what its sender may not do, or not yet; [`Code::EndNotAgreed`] for a notice that the
    /// terms do not know. The value is untouched then.
    pub fn receive(mut self, told: &Told, from: Role, terms: &LifeTerms, now: Timestamp) -> Result<(Self, Vec<Happened>)> {
        let illegal = |words: &str| Err(Error::new(Code::IllegalTransition, words));
        if from == Role::Consumer && matches!(told.kind, Kind::Stopped | Kind::Resumed | Kind::Expired) {
            return illegal("Only the provider stops and resumes an agreement, and says that it expired.");
        }
        if from == Role::Provider && told.kind == Kind::Renewed {
            return illegal("Only the consumer renews an agreement.");
        }
        if told.at > now.plus(SKEW_MAX) {
            return illegal("The event lies in the future.");
        }
        if told.sequence <= self.heard {
            return Ok((self, Vec::new()));
        }
        let heard = told.sequence;
        let mut happened = Vec::new();
        let by = Some(from);
        if self.over.is_none() || told.kind == Kind::Renewed {
            match told.kind {
                Kind::Notice => {
                    let ends_at = told.ends_at.ok_or_else(|| Error::invalid("A notice says when the agreement ends."))?;
                    notice_holds(told.at, ends_at, from, terms, now)?;
                    happened.push(Happened::new(Kind::Notice, by, told.at).ending(Some(ends_at)).because(told.reason.clone()));
                    // Both gave notice: the sooner end counts, on both sides.
                    if self.notice.as_ref().is_none_or(|known| ends_at < known.ends_at) {
                        self.notice = Some(Notice { by: from, at: told.at, ends_at, reason: told.reason.clone() });
                    }
                    happened.extend(self.look(from.other(), terms, now));
                }
                Kind::Ended => {
                    match &self.notice {
                        Some(known) if known.ends_at <= now.plus(SKEW_MAX) => {}
                        Some(known) => return Err(too_early(known.ends_at)),
                        None => {
                            let said = told.notice_at.unwrap_or(told.at);
                            notice_holds(said, told.at, from, terms, now)?;
                            self.notice = Some(Notice { by: from, at: said, ends_at: told.at, reason: told.reason.clone() });
                        }
                    }
                    let notice = self.notice.clone();
                    let (at, by, reason) = notice.map_or((told.at, from, None), |n| (n.ends_at, n.by, n.reason));
                    self.over = Some(Over { at, by: Some(by), reason: reason.clone() });
                    happened.push(Happened::new(Kind::Ended, Some(by), at).because(reason));
                }
                Kind::Stopped => {
                    let reason = told.reason.clone().unwrap_or_default();
                    self.stop = Some(Stop { at: told.at, reason });
                    happened.push(Happened::new(Kind::Stopped, by, told.at).because(told.reason.clone()));
                }
                Kind::Resumed => {
                    if self.stop.take().is_some() {
                        happened.push(Happened::new(Kind::Resumed, by, told.at));
                    }
                }
                Kind::Expired => {
                    match terms.expires_at {
                        Some(at) if at <= now.plus(SKEW_MAX) => {}
                        Some(at) => return Err(too_early(at)),
                        None if terms.known => return illegal("The agreement's terms do not end by time."),
                        // The provider enforces terms that we cannot read.
                        None => {}
                    }
                    let at = terms.expires_at.unwrap_or(told.at);
                    self.over = Some(Over { at, by: None, reason: None });
                    happened.push(Happened::new(Kind::Expired, None, at));
                }
                Kind::Renewed => {
                    let new = told.renewed_by.clone().ok_or_else(|| Error::invalid("A renewal names the new agreement."))?;
                    match &self.renewed_by {
                        Some(known) if *known == new => {}
                        Some(_) => return illegal("The agreement was renewed by another already."),
                        None => {
                            self.renewed_by = Some(new);
                            happened.push(Happened::new(Kind::Renewed, by, told.at));
                        }
                    }
                }
            }
        }
        self.heard = heard;
        Ok((self, happened))
    }
}

impl Stop {
    /// How what is asked for while it lasts is refused.
    pub fn refusal(&self) -> Error {
        Error::new(Code::Stopped, format!("The provider stopped this for now: {}", self.reason))
    }
}

impl Happened {
    const fn new(kind: Kind, by: Option<Role>, at: Timestamp) -> Self {
        Self { kind, by, at, ends_at: None, reason: None, tell: None }
    }
    fn because(mut self, reason: Option<String>) -> Self {
        self.reason = reason;
        self
    }
    const fn ending(mut self, ends_at: Option<Timestamp>) -> Self {
        self.ends_at = ends_at;
        self
    }
}

/// An end that is told carries its notice, for a peer that has not heard of it.
fn with_notice(mut happened: Happened, notice: Option<&Notice>) -> Happened {
    if let (Some(told), Some(notice)) = (&mut happened.tell, notice) {
        told.notice_at = Some(notice.at);
        told.reason.clone_from(&notice.reason);
    }
    happened
}

/// Whether a notice that a peer says it gave at `said` may end the agreement at `ends_at`.
fn notice_holds(said: Timestamp, ends_at: Timestamp, from: Role, terms: &LifeTerms, now: Timestamp) -> Result<()> {
    let illegal = |words: &str| Err(Error::new(Code::IllegalTransition, words));
    if !terms.known && from == Role::Provider {
        // The provider enforces terms that we cannot read.
        return Ok(());
    }
    let period = terms.notice.as_ref().ok_or_else(|| may_not_end(from))?;
    if said > now.plus(SKEW_MAX) || now.since(said) > NOTICE_AGE_MAX {
        return illegal("A notice counts from when it is said: its time is too far from now.");
    }
    if period.ends(said).is_none_or(|earliest| ends_at < earliest) {
        return illegal("The notice is shorter than agreed.");
    }
    Ok(())
}

fn too_early(at: Timestamp) -> Error {
    Error::new(Code::IllegalTransition, format!("The agreement lasts until {at}."))
}

fn only_provider(role: Role) -> Result<()> {
    if role == Role::Provider {
        return Ok(());
    }
    Err(Error::new(
        Code::Forbidden,
        "Only the provider can stop and resume an agreement. As consumer, end its transfers: fondaco transfer end ID",
    ))
}

/// What one can do where the terms are silent.
fn may_not_end(role: Role) -> Error {
    let instead = match role {
        Role::Provider => "As provider you can stop it in an emergency: fondaco agreement stop ID --reason TEXT",
        Role::Consumer => "As consumer you can end its transfers: fondaco transfer end ID",
    };
    Error::new(Code::EndNotAgreed, format!("The terms have no \"noticePeriod\", so neither side can end the agreement. {instead}"))
}

#[cfg(test)]
mod tests;
