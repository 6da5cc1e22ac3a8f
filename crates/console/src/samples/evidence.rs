//! Samples of the pages about evidence.

use super::{AGREEMENT, TRANSFER, hefei, layout, suzhou, when};
use crate::Text;
use crate::format::Count;
use crate::pages::{EvidenceCheckPage, EvidenceFault, EvidencePage, EvidencePiecePage, EvidenceRow, TimelinePage, TimelineRow};
use crate::states::LeafState;

impl EvidencePage {
    /// That of a day.
    pub fn sample() -> Self {
        let row = |id: &str, kind, object: &str, peer, state, time| EvidenceRow {
            id: id.into(),
            kind,
            object: object.into(),
            peer,
            state,
            at: when(time),
        };
        Self {
            layout: layout("/p/suzhou/evidence"),
            agreement: None,
            rows: vec![
                row("evi_4", "refusal", AGREEMENT, Some(hefei()), LeafState::Waiting, "14:02:00"),
                row("evi_3", "transfer-started", TRANSFER, Some(hefei()), LeafState::Logged, "13:59:40"),
                row("evi_2", "agreement", AGREEMENT, Some(hefei()), LeafState::Logged, "13:58:02"),
                row("evi_1", "key-change", "key-1", None, LeafState::Erased, "09:00:00"),
            ],
            after: Some("17".into()),
        }
    }
}

impl EvidencePiecePage {
    /// An agreement in the log.
    pub fn sample() -> Self {
        Self {
            layout: layout("/p/suzhou/evidence/evi_2"),
            id: "evi_2".into(),
            kind: "agreement",
            object: AGREEMENT.into(),
            object_href: Some(format!("/p/suzhou/agreements/{}", AGREEMENT.replace(':', "%3A"))),
            peer: Some(hefei()),
            agreement: Some(AGREEMENT.into()),
            at: when("13:58:02"),
            state: LeafState::Logged,
            place: Some(Count(1_204)),
            origin: "data.suzhou.example.cn/log".into(),
            document_json: Some(format!("{{\n  \"@id\": \"{AGREEMENT}\",\n  \"@type\": \"Agreement\"\n}}")),
        }
    }
}

impl TimelinePage {
    /// Both sides hold.
    pub fn sample() -> Self {
        let row = |ours: bool, kind, time, state, object: Option<&str>| TimelineRow {
            ours,
            kind,
            at: when(time),
            state,
            why: None,
            place: Some(Count(1_204)),
            object: object.map(str::to_owned),
            id: ours.then(|| "evi_2".to_owned()),
        };
        Self {
            layout: layout("/p/suzhou/agreements/agr_1/timeline"),
            agreement: "agr_1".into(),
            us: suzhou(),
            peer: hefei(),
            same: Some(true),
            answered: true,
            witnesses: vec!["witness.example.cn/log".into()],
            peer_key: Some(("data.hefei.example.cn/log+4b6e3b6a+AQ".into(), when("09:00:00"))),
            findings: Vec::new(),
            faulty: false,
            rows: vec![
                row(true, "agreement", "13:58:02", LeafState::Verified, Some(AGREEMENT)),
                row(false, "agreement", "13:58:02", LeafState::Verified, Some(AGREEMENT)),
                row(false, "transfer-started", "13:59:39", LeafState::Closed, None),
                row(true, "transfer-started", "13:59:40", LeafState::Waiting, Some(TRANSFER)),
            ],
        }
    }

    /// The other side logged another agreement, and is away now.
    pub fn sample_faulty() -> Self {
        let mut page = Self {
            same: Some(false),
            faulty: true,
            findings: vec![
                Text::say("evidence-finding-different"),
                Text::say("evidence-finding-no-answer").with("why", "did:web:x did not answer."),
            ],
            ..Self::sample()
        };
        page.rows[3].state = LeafState::Refused;
        page.rows[3].why = Some(Text::plain("It is about another agreement."));
        page
    }
}

impl EvidenceCheckPage {
    /// Nothing is missing.
    pub fn sample() -> Self {
        Self {
            layout: layout("/p/suzhou/evidence/check"),
            since: Some(when("09:00:00")),
            agreements: Count(31),
            older: Count(4),
            leaves: Count(212),
            erased: Count(2),
            waiting: Count(1),
            faults: Vec::new(),
            more: false,
        }
    }

    /// Something is.
    pub fn sample_faulty() -> Self {
        let fault = |agreement: &str, what, advice| EvidenceFault { agreement: agreement.into(), what, advice };
        let missing = Text::say("evidence-fault-no-transfer-leaf")
            .with("transfer", TRANSFER)
            .with("kind", Text::of("evidence-kind", "transfer-ended"));
        Self {
            faults: vec![
                fault("agr_1", Text::say("evidence-fault-no-leaf"), Text::say("evidence-advice-missing")),
                fault("agr_2", missing, Text::say("evidence-advice-missing")),
            ],
            more: true,
            ..Self::sample()
        }
    }
}
