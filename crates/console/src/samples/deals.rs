//! Samples of the pages about negotiations, agreements and transfers.

use super::{
    AGREEMENT, HEFEI, NEGOTIATION, bearings, event, hefei, layout, negotiation_events, negotiations, suzhou, terms, transfers, when, zgc,
};
use crate::Text;
use crate::compared::{Change, Compared, ComparedRow, VersionSource, VersionView};
use crate::decision::{Decision, NegotiationStep};
use crate::format::{Bytes, Count};
use crate::pages::{
    Access, AgreementPage, AgreementRow, AgreementsPage, NegotiationPage, NegotiationsPage, PaymentState, PaymentView, TransferActions,
    TransferPage, TransfersPage, Uses, WaitingPage, WaitingRow,
};
use crate::states::{AgreementState, Message, NegotiationState, Role, TransferState};
use crate::text::Digits;
use crate::view::{Cause, EndingView, ProductRef, Span, When};

impl NegotiationsPage {
    /// One of each sort.
    pub fn sample() -> Self {
        Self { layout: layout("/p/suzhou/negotiations"), negotiations: negotiations(), after: Some("v1.0192f3".into()) }
    }
}

impl NegotiationPage {
    /// Finished with an agreement.
    pub fn sample() -> Self {
        Self {
            layout: layout(&format!("/p/suzhou/negotiations/{NEGOTIATION}")),
            id: NEGOTIATION.into(),
            product: bearings(),
            peer: hefei(),
            role: Role::Consumer,
            state: NegotiationState::Finalized,
            visited: vec![NegotiationState::Requested, NegotiationState::Agreed, NegotiationState::Verified, NegotiationState::Finalized],
            events: negotiation_events(),
            terms: terms(),
            compared: None,
            decision: Decision::default(),
            agreement_id: Some("agr-01jd3v6m0e".into()),
            ending: None,
            rule_at: None,
            provider_pid: Some("urn:uuid:0c7cf0c7-3e0a-4a51-8e43-6f6b2a0b9d10".into()),
            consumer_pid: Some("urn:uuid:ddb7a0b9-7a37-4a7c-a86e-1a3c8a54a5b4".into()),
            delivery_problem: None,
        }
    }

    /// A peer's request that a person must decide.
    pub fn sample_waiting() -> Self {
        let first = event("14:01:10", zgc(), Message::ContractRequest, Some(NegotiationState::Requested.into()));
        Self {
            layout: layout("/p/suzhou/negotiations/neg-01jd3v9x5r"),
            id: "neg-01jd3v9x5r".into(),
            product: ProductRef {
                id: "flights".into(),
                title: "Flights from New York, 2013".into(),
                version: Some("2".into()),
                href: Some("/p/suzhou/products/flights".into()),
            },
            peer: zgc(),
            role: Role::Provider,
            state: NegotiationState::Requested,
            visited: vec![NegotiationState::Requested],
            events: vec![first],
            decision: decision("neg-01jd3v9x5r", &[NegotiationStep::Agree, NegotiationStep::Offer, NegotiationStep::Terminate]),
            agreement_id: None,
            ..Self::sample()
        }
    }

    /// We asked for other terms, and were offered some in between.
    pub fn sample_countered() -> Self {
        let mut page = Self::sample_waiting();
        let line = |time, who, message, state: NegotiationState, version| {
            let mut event = event(time, who, message, Some(state.into()));
            event.version = Some(version);
            event
        };
        page.product = bearings();
        page.peer = hefei();
        page.role = Role::Consumer;
        page.state = NegotiationState::Offered;
        page.visited.push(NegotiationState::Offered);
        page.events = vec![
            line("13:50:01", suzhou(), Message::ContractRequest, NegotiationState::Requested, 1),
            line("13:52:40", hefei(), Message::ContractOffer, NegotiationState::Offered, 2),
            line("13:55:12", suzhou(), Message::ContractRequest, NegotiationState::Requested, 3),
            line("14:01:10", hefei(), Message::ContractOffer, NegotiationState::Offered, 4),
        ];
        page.compared = Some(Compared::sample());
        page.decision = decision(&page.id, &[NegotiationStep::Accept, NegotiationStep::Counter, NegotiationStep::Terminate]);
        page
    }

    /// What was typed cannot be sent.
    pub fn sample_refused() -> Self {
        let mut page = Self::sample_countered();
        page.decision.odrl = "{\"permission\": [{\"action\": \"use\", \"constraint\": [{\"leftOperand\": \"fileFormat\", \"operator\": \"eq\", \"rightOperand\": \"csv\"}]}]}".into();
        page.decision.problem = Some(
            Text::say("error-problem")
                .with("title", Text::of("error", "FDC-3002"))
                .with("message", "The policy is refused: the constraint \"fileFormat\" cannot be enforced by this node."),
        );
        page
    }

    /// Declined, after a counter-offer.
    pub fn sample_terminated() -> Self {
        let mut end = event("14:02:44", zgc(), Message::ContractNegotiationTermination, Some(NegotiationState::Terminated.into()));
        end.reason = Some("We found another source.".into());
        end.cause = Some(Cause::Rule { at: Some("offered".into()), action: "terminate".into() });
        let mut page = Self::sample_waiting();
        page.events.push(event("14:02:01", suzhou(), Message::ContractOffer, Some(NegotiationState::Offered.into())));
        page.events.push(end);
        page.state = NegotiationState::Terminated;
        page.visited.push(NegotiationState::Offered);
        page.decision = Decision::default();
        page.ending = Some(EndingView {
            who: zgc(),
            cause: Some(Text::of("error", "FDC-3002")),
            code: Some("FDC-3002".into()),
            reason: Some("We found another source.".into()),
        });
        page
    }
}

fn decision(negotiation: &str, steps: &[NegotiationStep]) -> Decision {
    Decision {
        negotiation: negotiation.into(),
        steps: steps.to_vec(),
        revision: 4,
        odrl: terms().odrl_json,
        problem: None,
        price: Some("80.00 CNY".into()),
        price_problem: None,
        prefix: String::new(),
        back: String::new(),
    }
}

impl Compared {
    /// The last two of three versions.
    pub fn sample() -> Self {
        let version = |n, source, who: &str, time| VersionView { n, source, who: who.into(), when: when(time) };
        let row = |change, before: Option<Text>, after: Option<Text>| ComparedRow { change, before, after };
        let times = |n| Some(Text::say("terms-times").with("n", Digits(n)));
        let until = || Some(Text::say("terms-before").with("at", "2027-01-01T00:00:00Z"));
        let purpose = |what: &str| Some(Text::say("terms-only-purpose").with("what", what));
        Self {
            versions: vec![
                version(1, VersionSource::Asked, &suzhou().name, "13:50:01"),
                version(2, VersionSource::Offered, &hefei().name, "13:52:40"),
                version(3, VersionSource::Asked, &suzhou().name, "13:55:12"),
                version(4, VersionSource::Offered, &hefei().name, "14:01:10"),
            ],
            before: 2,
            after: 3,
            rows: vec![
                row(Change::Same, until(), until()),
                row(Change::Changed, times(100), times(10)),
                row(Change::Removed, purpose("product development"), None),
                row(Change::Added, None, Some(Text::say("terms-only-countries").with("where", "CN"))),
            ],
            before_odrl: terms().odrl_json,
            after_odrl: terms().odrl_json.replace("100", "10"),
        }
    }
}

impl WaitingPage {
    /// Two that wait: a request for other terms than those published, and an offer.
    pub fn sample() -> Self {
        use NegotiationStep::{Accept, Agree, Counter, Offer, Terminate};
        let row = |product: &str, peer, role, state, seconds, prefix: &str, steps: &[NegotiationStep]| WaitingRow {
            product: product.into(),
            peer,
            role,
            state,
            since: when("11:50:00"),
            waited: Span { seconds },
            rule_at: None,
            terms: terms(),
            differences: Vec::new(),
            decision: Decision { prefix: prefix.into(), back: "waiting".into(), ..decision(&format!("neg-01jd3v9x5r{prefix}"), steps) },
        };
        let flights = row(
            "Flights from New York, 2013",
            zgc(),
            Role::Provider,
            NegotiationState::Requested,
            8_000,
            "w1-",
            &[Agree, Offer, Terminate],
        );
        let differences = Compared::sample().rows.into_iter().filter(|row| row.change != Change::Same).collect();
        let air = row("Air quality, hourly", hefei(), Role::Consumer, NegotiationState::Offered, 40, "w2-", &[Accept, Counter, Terminate]);
        Self {
            layout: layout("/p/suzhou/waiting"),
            rows: vec![WaitingRow { differences, rule_at: Some(when("18:00:00")), ..flights }, air],
            more: Count(0),
        }
    }
}

impl AgreementsPage {
    /// One of each state.
    pub fn sample() -> Self {
        let row = |id: &str, product: &str, peer, role, state| AgreementRow {
            id: id.into(),
            product: product.into(),
            peer,
            role,
            state,
            signed: when("13:58:00"),
        };
        Self {
            layout: layout("/p/suzhou/agreements"),
            states: [
                AgreementState::Active,
                AgreementState::Ending,
                AgreementState::Stopped,
                AgreementState::Ended,
                AgreementState::Expired,
            ]
            .map(|state| (state, false))
            .into(),
            agreements: vec![
                row("agr-01jd3v6m0e", &bearings().title, hefei(), Role::Consumer, AgreementState::Active),
                row("agr-01jd3t0000", "Flights from New York, 2013", zgc(), Role::Provider, AgreementState::Expired),
                row("agr-01jd3p0000", "Air quality, hourly", zgc(), Role::Consumer, AgreementState::Ended),
            ],
            after: None,
        }
    }
}

impl AgreementPage {
    /// We consume, and access is open.
    pub fn sample() -> Self {
        let id = "agr-01jd3v6m0e";
        Self {
            layout: layout(&format!("/p/suzhou/agreements/{id}")),
            id: id.into(),
            product: bearings(),
            provider: hefei(),
            consumer: suzhou(),
            role: Role::Consumer,
            state: AgreementState::Active,
            signed: when("13:58:00"),
            ended: None,
            digest: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
            terms: terms(),
            document_json: format!(
                "{{\n  \"@type\": \"Agreement\",\n  \"@id\": \"{AGREEMENT}\",\n  \"target\": \
                 \"bearing-vibration\",\n  \"assigner\": \"{HEFEI}\",\n  \"assignee\": \"{}\"\n}}",
                suzhou().did
            ),
            negotiation_id: Some(NEGOTIATION.into()),
            payment: Some(PaymentView { price: Text::of("money", "CNY").with("amount", "80.00"), state: PaymentState::OwedByUs }),
            access: Access::Ready {
                file_name: "bearing-vibration.share".into(),
                table: "hefei.default.bearing-vibration".into(),
                expires: Some(When::utc("2026-12-21T14:00:00Z")),
            },
            uses: None,
            transfers: transfers().into_iter().take(1).collect(),
            ends: None,
            notice: None,
            stopped: None,
            notice_period: Some(Text::say("terms-notice").with("period", Text::say("common-days").with("n", 30_u64))),
            renewal_of: None,
            renewed_by: None,
            renews: None,
            changes: None,
            signatures: vec![(hefei(), true), (suzhou(), true)],
            events: Vec::new(),
            has_preview: false,
            can_end: false,
            can_stop: false,
            can_resume: false,
            can_renew: false,
        }
    }

    /// Notice was given, and there is a new agreement.
    pub fn sample_ending() -> Self {
        let mut notice = event("13:59:00", hefei(), Message::AgreementNotice, None);
        notice.reason = Some("The sensors are being replaced.".into());
        Self {
            state: AgreementState::Ending,
            ends: Some(When::utc("2026-12-21T14:00:00Z")),
            notice: Some((hefei(), notice.reason.clone())),
            renewed_by: Some("agr-01jd3v7new".into()),
            events: vec![notice],
            can_renew: true,
            ..Self::sample()
        }
    }

    /// We consume, and have not asked for access yet.
    pub fn sample_available() -> Self {
        Self { access: Access::Available, transfers: Vec::new(), ..Self::sample() }
    }

    /// We provide.
    pub fn sample_provider() -> Self {
        Self {
            product: ProductRef {
                id: "flights".into(),
                title: "Flights from New York, 2013".into(),
                version: Some("2".into()),
                href: Some("/p/suzhou/products/flights".into()),
            },
            provider: suzhou(),
            consumer: zgc(),
            role: Role::Provider,
            payment: Some(PaymentView { price: Text::of("money", "CNY").with("amount", "80.00"), state: PaymentState::OwedToUs }),
            access: Access::None,
            uses: Some(Uses {
                used: Count(37),
                limit: Some(Count(100)),
                requests: Count(1_204),
                rows: Count(3_700_000),
                volume: Bytes(412_300_000),
                volume_limit: Some(Bytes(2_000_000_000)),
            }),
            transfers: transfers().into_iter().skip(1).take(1).collect(),
            has_preview: true,
            can_end: true,
            can_stop: true,
            ..Self::sample()
        }
    }
}

impl TransfersPage {
    /// One of each sort.
    pub fn sample() -> Self {
        Self { layout: layout("/p/suzhou/transfers"), transfers: transfers(), after: None }
    }
}

impl TransferPage {
    /// Paused by the provider, which is us.
    pub fn sample() -> Self {
        use TransferState::{Requested, Started, Suspended};
        let mut pause = event("12:44:09", suzhou(), Message::TransferSuspension, Some(Suspended.into()));
        pause.reason = Some("The source is being repaired until the evening.".into());
        Self {
            layout: layout("/p/suzhou/transfers/tra-01jd3t0a8d"),
            id: "tra-01jd3t0a8d".into(),
            product: AgreementPage::sample_provider().product,
            peer: zgc(),
            role: Role::Provider,
            state: Suspended,
            visited: vec![Requested, Started, Suspended],
            format: "HttpData-PULL".into(),
            agreement_id: "agr-01jd3t0000".into(),
            events: vec![
                event("12:01:00", zgc(), Message::TransferRequest, Some(Requested.into())),
                event("12:01:01", suzhou(), Message::TransferStart, Some(Started.into())),
                pause,
            ],
            actions: TransferActions { start: false, suspend: false, resume: true, complete: true, terminate: true },
            ending: None,
            rule_at: None,
            provider_pid: Some("urn:uuid:7f2b7f0e-0f4b-4a43-9f1f-3a0c6a3e2a01".into()),
            consumer_pid: Some("urn:uuid:aa0d0f7c-62a5-4f2e-8a4d-1b6a5c1d9e02".into()),
            delivery_problem: Some(Text::plain("the peer did not answer within 10 seconds")),
        }
    }
}
