//! Samples of the publishing rooms.

use super::{HEFEI, columns, hefei, layout, terms, when, zgc};
use crate::Text;
use crate::fields::Problems;
use crate::format::{Bytes, Count};
use crate::pages::{
    AlternativeForm, Answer, CheckResult, ColumnProfile, ConnectionForm, ConnectionPage, ConnectionRow, ConnectionsPage, DescribeForm,
    Found, LastCheck, OfferForm, PeerChoice, PersonalHint, PreviewRow, ProgressView, PublicationRow, PublicationsPage, PublishDescribePage,
    PublishFrame, PublishReviewPage, PublishSourcePage, PublishTermsPage, RemarkView, ReviewFact, SentenceForm, SentenceKind, SourceForm,
    Stage, Step, UploadedFileView,
};
use crate::states::Kind;

const PUBLICATION: &str = "pub-01jd3w0k2m";

fn progress() -> ProgressView {
    ProgressView {
        phase: Text::say("publish-phase-checking"),
        file: Some("2026/flights.csv".into()),
        files_done: Count(3),
        files: Some(Count(12)),
        percent: Some(27),
    }
}

fn found() -> Found {
    let profile = |name: &str, nulls, distinct, min: &str, max: &str| ColumnProfile {
        name: name.into(),
        nulls: Count(nulls),
        distinct: Some(Count(distinct)),
        min: Some(min.into()),
        max: Some(max.into()),
    };
    Found {
        rows: Some(Count(336_776)),
        files: Count(2),
        bytes: Bytes(7_340_032),
        columns: columns(),
        profile: vec![profile("carrier", 0, 16, "9E", "YV"), profile("dep_delay", 8_255, 528, "-43", "1301")],
        listed: Vec::new(),
    }
}

fn frame(step: Step) -> PublishFrame {
    let hint =
        |column: &str, category: &str, found, percent| PersonalHint { column: column.into(), category: category.into(), found, percent };
    PublishFrame {
        id: PUBLICATION.into(),
        title: "Flights from New York, 2013".into(),
        step,
        done: vec![Step::Source],
        stage: Stage::Prepared(Box::new(found())),
        personal: vec![hint("身份证号", "resident-id", true, 98), hint("contact_name", "person-name", false, 0)],
        personal_accepted: false,
        form: step != Step::Review,
        problems: Problems::default(),
    }
}

impl PublicationsPage {
    /// One of each sort.
    pub fn sample() -> Self {
        let row = |id: &str, title: &str, kind: &str, stage, time| PublicationRow {
            id: id.into(),
            title: title.into(),
            kind: Kind(kind.into()),
            stage,
            changed: when(time),
        };
        let failed = Stage::Failed { code: "FDC-1002".into(), message: Text::plain("The database did not answer.") };
        Self {
            layout: layout("/p/suzhou/publish"),
            publications: vec![
                row(PUBLICATION, "Flights from New York, 2013", "table", Stage::Prepared(Box::new(found())), "14:01:10"),
                row("pub-01jd3w0k2n", "苏州七号线拧紧扭矩", "table", Stage::Preparing(progress()), "14:00:00"),
                row("pub-01jd3w0k2p", "", "files", Stage::Draft, "11:00:00"),
                row("pub-01jd3w0k2q", "Air quality, hourly", "table", failed, "09:00:00"),
            ],
        }
    }
}

impl PublishSourcePage {
    /// Two files were sent.
    pub fn sample() -> Self {
        let file = |name: &str, bytes| UploadedFileView { name: name.into(), bytes: Bytes(bytes) };
        Self {
            layout: layout(&format!("/p/suzhou/publish/{PUBLICATION}/source")),
            frame: PublishFrame { stage: Stage::Draft, personal: Vec::new(), done: Vec::new(), ..frame(Step::Source) },
            form: SourceForm { kind: "table".into(), from: "upload".into(), ..SourceForm::default() },
            uploaded: vec![file("2026/flights.csv", 7_340_032), file("2026/航班说明.csv", 12_288)],
            operator: true,
            s3: vec!["lake".into()],
            postgres: vec!["warehouse".into()],
        }
    }

    /// It is being read.
    pub fn sample_running() -> Self {
        let mut page = Self::sample();
        page.frame.stage = Stage::Preparing(progress());
        page.frame.form = false;
        page
    }

    /// It could not be read, and something is missing.
    pub fn sample_failed() -> Self {
        let mut page = Self::sample();
        page.form.from = "paths".into();
        page.form.paths = "data/flights".into();
        page.frame.problems.add("paths", Text::say("publish-problem-paths"));
        page.frame.stage =
            Stage::Failed { code: "FDC-1002".into(), message: Text::plain("Row 17 of flights.csv has 4 fields; its header has 5.") };
        page
    }
}

impl PublishDescribePage {
    /// Half described, with personal data in it.
    pub fn sample() -> Self {
        let remark = |code: &str| RemarkView { code: code.into() };
        Self {
            layout: layout(&format!("/p/suzhou/publish/{PUBLICATION}/describe")),
            frame: frame(Step::Describe),
            form: DescribeForm {
                title: "Flights from New York, 2013".into(),
                product: "flights-from-new-york-2013".into(),
                description: "All flights that left New York in 2013.".into(),
                keywords: "aviation, delays".into(),
                license: "CC-BY-4.0".into(),
                contact: String::new(),
                rhythm: "daily".into(),
                language: "en".into(),
                derived_from: "agr_0190f6c2".into(),
                profile: true,
                renewal: "P1D".into(),
            },
            remarks: vec![remark("description-short"), remark("contact-missing")],
            rhythms: ["continuous", "hourly", "daily", "weekly", "monthly", "quarterly", "annual", "irregular", "never"]
                .map(Into::into)
                .into(),
            is_table: true,
            renewable: true,
            version: Some(3),
        }
    }

    /// Being read while it is described, with mistakes.
    pub fn sample_problems() -> Self {
        let mut page = Self::sample();
        page.frame.stage = Stage::Preparing(progress());
        page.frame.personal.clear();
        page.form.title.clear();
        page.form.contact = "call me".into();
        page.frame.problems.add("title", Text::say("publish-problem-title"));
        page.frame.problems.add("contact", Text::say("publish-problem-contact"));
        page
    }
}

impl PublishTermsPage {
    /// One offer with two ways of being permitted.
    pub fn sample() -> Self {
        let sentence = |kind, choice: &str, value: &str, unit: &str| SentenceForm {
            kind,
            choice: choice.into(),
            value: value.into(),
            unit: unit.into(),
            peers: Vec::new(),
            fresh: false,
        };
        let peer = |name: String, did: &str, ticked| PeerChoice { name, did: did.into(), ticked };
        let mut partner = sentence(SentenceKind::Recipient, "isAnyOf", "did:web:partner.example.org:p:lab", "");
        partner.peers = vec![peer(hefei().name, HEFEI, true), peer(zgc().name, &zgc().did, false)];
        let first = vec![
            partner,
            sentence(SentenceKind::DateTime, "lt", "2027-01-01T00:00", ""),
            sentence(SentenceKind::ElapsedTime, "lteq", "30", "P-D"),
        ];
        let second = vec![
            sentence(SentenceKind::Count, "", "3", ""),
            sentence(SentenceKind::Spatial, "isAnyOf", "CN, SG", ""),
            sentence(SentenceKind::Purpose, "isAnyOf", "research", ""),
            sentence(SentenceKind::Version, "", "1", ""),
            sentence(SentenceKind::NoticePeriod, "", "30", "P-D"),
        ];
        let row = |name: Option<String>, answer, bounds| PreviewRow { name, answer, bounds };
        Self {
            layout: layout(&format!("/p/suzhou/publish/{PUBLICATION}/terms")),
            frame: PublishFrame { done: vec![Step::Source, Step::Describe], ..frame(Step::Terms) },
            offers: vec![OfferForm {
                alternatives: vec![AlternativeForm { sentences: first }, AlternativeForm { sentences: second }],
                odrl: terms().odrl_json,
                price: "80.00 CNY".into(),
                was: "9f86d081".into(),
                preview: vec![
                    row(Some(hefei().name), Answer::May, vec![Text::say("terms-bound-until").with("when", when("23:00:00"))]),
                    row(
                        Some(zgc().name),
                        Answer::Declaring(vec![Text::plain("Only for this purpose: research.")]),
                        vec![Text::say("terms-bound-reads").with("n", 3_u64)],
                    ),
                    row(None, Answer::MayNot(Text::of("terms-deny", "recipient")), Vec::new()),
                ],
                more_peers: 0,
            }],
        }
    }

    /// Open to all.
    pub fn sample_open() -> Self {
        Self { offers: Vec::new(), ..Self::sample() }
    }
}

impl PublishReviewPage {
    /// Ready to go out.
    pub fn sample() -> Self {
        let fact = |code, value: Option<&str>| ReviewFact { code, value: value.map(Text::plain) };
        Self {
            layout: layout(&format!("/p/suzhou/publish/{PUBLICATION}/review")),
            frame: PublishFrame { personal_accepted: true, done: Step::ALL[..3].to_vec(), ..frame(Step::Review) },
            kind: Kind("table".into()),
            description: "All flights that left the three airports of New York in 2013.\n\nOne row per flight, times in UTC.".into(),
            keywords: vec!["aviation".into(), "航班".into()],
            facts: vec![
                fact("id", Some("flights")),
                fact("source", Some("Upload")),
                fact("license", Some("CC-BY-4.0")),
                fact("contact", None),
                fact("rhythm", Some("daily")),
                fact("language", Some("en")),
                fact("derived-from", None),
                fact("profile", Some("yes")),
                fact("renewal", None),
            ],
            offers: vec![terms()],
            remarks: vec![RemarkView { code: "contact-missing".into() }],
            version: Some(3),
            has_preview: true,
        }
    }
}

impl ConnectionsPage {
    /// One that works, one that was just checked in vain, and one that was never checked.
    pub fn sample() -> Self {
        let row = |name: &str, kind: &str, place: &str, checked: Option<LastCheck>| ConnectionRow {
            name: name.into(),
            kind: kind.into(),
            place: place.into(),
            changed: when("09:00:00"),
            checked,
        };
        let check = |problem: Option<Text>| Some(LastCheck { at: when("09:30:00"), problem });
        Self {
            layout: layout("/p/suzhou/connections"),
            connections: vec![
                row("lake", "s3", "s3://measurements at https://s3.suzhou.example.cn", check(None)),
                row(
                    "warehouse",
                    "postgres",
                    "postgres://reader@db.suzhou.example.cn:5432/warehouse",
                    check(Some(Text::plain("The database refused the password."))),
                ),
                row("archive", "s3", "s3://archive at https://s3.suzhou.example.cn", None),
            ],
            checked: Some(CheckResult {
                name: "warehouse".into(),
                works: false,
                detail: Text::plain("The database refused the password."),
            }),
        }
    }
}

impl ConnectionPage {
    /// A new one to S3.
    pub fn sample_s3() -> Self {
        Self {
            layout: layout("/p/suzhou/connections/new"),
            form: ConnectionForm { kind: "s3".into(), region: "us-east-1".into(), ..ConnectionForm::default() },
            existing: false,
            problems: Problems::default(),
        }
    }

    /// One to a database, which is changed.
    pub fn sample_postgres() -> Self {
        let form = ConnectionForm {
            kind: "postgres".into(),
            name: "warehouse".into(),
            host: "db.suzhou.example.cn".into(),
            port: "5432".into(),
            database: "warehouse".into(),
            user: "reader".into(),
            ..ConnectionForm::default()
        };
        let mut page = Self { layout: layout("/p/suzhou/connections/warehouse"), form, existing: true, problems: Problems::default() };
        page.problems.add("password", Text::say("connections-problem-secret"));
        page
    }
}
