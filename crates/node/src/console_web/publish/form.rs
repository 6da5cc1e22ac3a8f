//! Between a draft and its forms. Everything typed goes into the draft, right or wrong, so that nothing is lost on the
//! way through the steps; [`wrong_source`], [`wrong_description`] and [`wrong_terms`] say what is wrong with it, in the
//! reader's language and beside its field.

use fondaco_console::{
    Text,
    fields::Problems,
    pages::{DescribeForm, SourceForm},
};
use fondaco_core::{
    connection::CONNECTION_NAME_MAX_CHARS,
    feed::Feed,
    lineage,
    listing::{Described, FIELD_MAX_CHARS, KEYWORD_MAX_CHARS, LANGUAGES_MAX, contact_url},
    policy::{Period, Policy},
    product::{DESCRIPTION_MAX_CHARS, Frequency, KEYWORDS_MAX, Listing, PRODUCT_ID_MAX_CHARS, ProductId, ProductKind, TITLE_MAX_CHARS},
    publication::{Draft, PATH_MAX_CHARS, PATHS_MAX, QUERY_MAX_CHARS, Source},
};

/// Gives the value of a field; `None` where it is empty or was not sent.
pub type Given<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Entries apart by commas, Chinese ones too.
fn listed(text: &str) -> Vec<String> {
    text.split([',', '，', '、', '\n']).map(str::trim).filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect()
}

/// The first step's form as a draft has it.
pub fn source_form(draft: &Draft) -> SourceForm {
    let mut form = SourceForm {
        kind: draft.kind.as_str().to_owned(),
        from: draft.source.as_ref().map_or("", Source::as_str).to_owned(),
        delta_version: draft.read.delta_version.map(|v| v.to_string()).unwrap_or_default(),
        sheet: draft.read.sheet.clone().unwrap_or_default(),
        nulls: draft.read.null_values.as_deref().unwrap_or_default().join(", "),
        ..SourceForm::default()
    };
    match &draft.source {
        Some(Source::Paths { paths, in_place }) => {
            form.paths = paths.join("\n");
            form.in_place = *in_place;
        }
        Some(Source::S3 { connection, paths }) => {
            form.s3_connection.clone_from(connection);
            form.s3_paths = paths.join("\n");
        }
        Some(Source::Postgres { connection, query }) => {
            form.postgres_connection.clone_from(connection);
            form.query.clone_from(query);
        }
        Some(Source::Upload) | None => {}
    }
    form
}

/// The draft with what the first step's form says.
pub fn with_source(draft: &Draft, given: Given<'_>) -> Draft {
    let text = |name: &str| given(name).unwrap_or_default();
    let source = match text("from").as_str() {
        "upload" => Some(Source::Upload),
        "paths" => Some(Source::Paths { paths: lines(&text("paths")), in_place: given("in-place").is_some() }),
        "s3" => Some(Source::S3 { connection: text("s3-connection"), paths: lines(&text("s3-paths")) }),
        "postgres" => Some(Source::Postgres { connection: text("postgres-connection"), query: text("query").trim().to_owned() }),
        _ => draft.source.clone(),
    };
    let mut draft = Draft { kind: given("kind").and_then(|k| ProductKind::parse(&k).ok()).unwrap_or(draft.kind), source, ..draft.clone() };
    draft.read.delta_version = given("delta-version").and_then(|v| v.trim().parse().ok());
    draft.read.sheet = given("sheet").map(|s| s.trim().to_owned());
    draft.read.null_values = given("nulls").map(|n| listed(&n)).filter(|n| !n.is_empty());
    if !renewable(&draft) {
        draft.renewal = None;
    }
    draft
}

/// What is wrong with the source. `uploaded` is how many files were sent.
pub fn wrong_source(draft: &Draft, uploaded: usize) -> Problems {
    let mut wrong = Problems::default();
    let missing_connection = |name: &String| name.is_empty() || name.len() > CONNECTION_NAME_MAX_CHARS;
    let too_long = |paths: &[String]| paths.iter().any(|p| p.chars().count() > PATH_MAX_CHARS);
    match &draft.source {
        None => wrong.add("from", Text::say("publish-problem-from")),
        Some(Source::Upload) => {
            if uploaded == 0 {
                wrong.add("files", Text::say("publish-problem-files"));
            }
        }
        Some(Source::Paths { paths, .. }) => {
            if paths.is_empty() || paths.iter().any(|p| !std::path::Path::new(p).is_absolute()) {
                wrong.add("paths", Text::say("publish-problem-paths"));
            } else if paths.len() > PATHS_MAX {
                wrong.add("paths", Text::say("publish-problem-too-many").with("n", PATHS_MAX));
            } else if too_long(paths) {
                wrong.add("paths", Text::say("publish-problem-too-long").with("n", PATH_MAX_CHARS));
            }
        }
        Some(Source::S3 { connection, paths }) => {
            if missing_connection(connection) {
                wrong.add("from", Text::say("publish-problem-connection"));
            } else if paths.is_empty() {
                wrong.add("s3-paths", Text::say("publish-problem-s3-paths"));
            } else if paths.len() > PATHS_MAX {
                wrong.add("s3-paths", Text::say("publish-problem-too-many").with("n", PATHS_MAX));
            } else if too_long(paths) {
                wrong.add("s3-paths", Text::say("publish-problem-too-long").with("n", PATH_MAX_CHARS));
            }
        }
        Some(Source::Postgres { connection, query }) => {
            if missing_connection(connection) {
                wrong.add("from", Text::say("publish-problem-connection"));
            } else if query.is_empty() || query.chars().count() > QUERY_MAX_CHARS {
                wrong.add("query", Text::say("publish-problem-query").with("n", QUERY_MAX_CHARS));
            } else if draft.kind != ProductKind::Table {
                wrong.add("from", Text::say("publish-problem-query-kind"));
            }
        }
    }
    if let (true, Some(source)) = (wrong.is_empty(), &draft.source)
        && let Err(other) = source.check(draft.kind)
    {
        wrong.add("from", Text::detail(other.message()));
    }
    wrong
}

/// Whether the node can look at the source again: at what was sent it cannot, and one version of a Delta table stays.
pub const fn renewable(draft: &Draft) -> bool {
    matches!(draft.source, Some(Source::Paths { .. } | Source::S3 { .. } | Source::Postgres { .. })) && draft.read.delta_version.is_none()
}

/// The second step's form as a draft has it.
pub fn describe_form(draft: &Draft) -> DescribeForm {
    let listing = &draft.listing;
    DescribeForm {
        title: draft.title.clone(),
        product: draft.product.clone(),
        description: draft.description.clone(),
        keywords: draft.keywords.join(", "),
        license: listing.license.clone().unwrap_or_default(),
        contact: listing.contact_point.clone().unwrap_or_default(),
        rhythm: listing.accrual_periodicity.map_or("", Frequency::as_str).to_owned(),
        language: listing.language.join(", "),
        derived_from: draft.derived_from.join("\n"),
        profile: draft.publish_profile,
        renewal: draft.renewal.as_ref().map(|r| r.every.as_str()).unwrap_or_default().to_owned(),
    }
}

/// The draft with what the second step's form says. `fallback` makes an id of a title without letters.
pub fn with_description(draft: &Draft, given: Given<'_>, fallback: &str) -> Draft {
    let text = |name: &str| given(name).map(|v| v.trim().to_owned()).unwrap_or_default();
    let title = text("title");
    let product = Some(text("product"))
        .filter(|p| !p.is_empty())
        .unwrap_or_else(|| if title.is_empty() { String::new() } else { suggested_id(&title).unwrap_or_else(|| fallback.to_owned()) });
    let renewal = given("renewal").and_then(|every| Period::parse(every.trim())).map(|every| fondaco_core::publication::Renewal { every });
    let mut draft = Draft {
        title,
        product,
        // Browsers send line ends as CR LF.
        description: text("description").replace("\r\n", "\n"),
        keywords: listed(&text("keywords")),
        listing: Listing {
            license: Some(text("license")).filter(|l| !l.is_empty()),
            contact_point: Some(text("contact")).filter(|c| !c.is_empty()),
            accrual_periodicity: Frequency::parse(&text("rhythm")).ok(),
            language: listed(&text("language")),
        },
        // Not by commas: ids of others may hold some.
        derived_from: lines(&text("derived-from")),
        publish_profile: given("profile").is_some(),
        renewal: renewal.filter(|_| renewable(draft)),
        ..draft.clone()
    };
    if given("personal-asked").is_some() {
        draft.personal_data_accepted = given("personal").is_some();
    }
    draft
}

/// An id made of a title: its ASCII letters and digits with hyphens between; `None` where it has none.
fn suggested_id(title: &str) -> Option<String> {
    let words: Vec<String> =
        title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_ascii_lowercase).collect();
    let mut id = String::new();
    for word in words {
        if id.len() + word.len() + 1 > PRODUCT_ID_MAX_CHARS / 2 {
            break;
        }
        if !id.is_empty() {
            id.push('-');
        }
        id.push_str(&word);
    }
    Some(id).filter(|id| id.len() >= 3 && id.bytes().any(|b| b.is_ascii_alphabetic()))
}

/// What is wrong with the description.
pub fn wrong_description(draft: &Draft) -> Problems {
    let mut wrong = Problems::default();
    let too_long = |text: &str, max: usize| text.chars().count() > max;
    let long = |max: usize| Text::say("publish-problem-too-long").with("n", max);
    if draft.title.is_empty() {
        wrong.add("title", Text::say("publish-problem-title"));
    } else if too_long(&draft.title, TITLE_MAX_CHARS) {
        wrong.add("title", long(TITLE_MAX_CHARS));
    }
    if (!draft.product.is_empty() || !draft.title.is_empty()) && ProductId::parse(&draft.product).is_err() {
        wrong.add("product", Text::say("publish-problem-id"));
    }
    if too_long(&draft.description, DESCRIPTION_MAX_CHARS) {
        wrong.add("description", long(DESCRIPTION_MAX_CHARS));
    }
    if draft.keywords.len() > KEYWORDS_MAX {
        wrong.add("keywords", Text::say("publish-problem-too-many").with("n", KEYWORDS_MAX));
    } else if draft.keywords.iter().any(|k| too_long(k, KEYWORD_MAX_CHARS)) {
        wrong.add("keywords", long(KEYWORD_MAX_CHARS));
    }
    if draft.listing.license.as_deref().is_some_and(|l| too_long(l, FIELD_MAX_CHARS)) {
        wrong.add("license", long(FIELD_MAX_CHARS));
    }
    if draft.listing.contact_point.as_deref().is_some_and(|c| contact_url(c).is_none()) {
        wrong.add("contact", Text::say("publish-problem-contact"));
    }
    if draft.listing.language.len() > LANGUAGES_MAX {
        wrong.add("language", Text::say("publish-problem-too-many").with("n", LANGUAGES_MAX));
    } else if let Some(tag) = draft.listing.language.iter().find(|tag| !is_language(tag)) {
        wrong.add("language", Text::say("publish-problem-language").with("tag", tag.chars().take(40).collect::<String>()));
    }
    if let Err(other) = lineage::check_inputs(&draft.derived_from) {
        wrong.add("derived-from", Text::detail(other.message()));
    }
    match &draft.renewal {
        Some(_) if !renewable(draft) => wrong.add("renewal", Text::say("publish-problem-renewal")),
        Some(renewal) if Feed::check_every(&renewal.every).is_err() => wrong.add("renewal", Text::say("publish-problem-renewal-pause")),
        _ => {}
    }
    // Whatever core refuses beyond this is told in its own words.
    if wrong.is_empty()
        && let Err(other) = draft.described().check()
    {
        wrong.add("", Text::detail(other.message()));
    }
    wrong
}

fn is_language(tag: &str) -> bool {
    let listing = Listing { language: vec![tag.to_owned()], ..Listing::default() };
    Described { title: "-", description: "", keywords: &[], listing: &listing }.check().is_ok()
}

/// What is wrong with the terms: offers that this node cannot enforce.
pub fn wrong_terms(draft: &Draft) -> Problems {
    let mut wrong = Problems::default();
    for (i, odrl) in draft.offers.iter().enumerate() {
        if let Err(why) = Policy::from_odrl(odrl) {
            wrong.add(format!("o{i}-odrl"), Text::detail(why.message()));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn given(fields: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        move |name| fields.iter().find(|(n, v)| *n == name && !v.is_empty()).map(|(_, v)| (*v).to_owned())
    }

    fn fields_of(problems: &Problems) -> Vec<&str> {
        problems.0.iter().map(|p| p.field.as_str()).collect()
    }

    #[test]
    fn what_is_typed_is_kept_right_or_wrong() {
        let draft = Draft::new(ProductKind::Table);
        let typed =
            with_source(&draft, &given(&[("kind", "files"), ("from", "paths"), ("paths", " data/x \r\n\r\n/srv/y"), ("nulls", "NA，n/a")]));
        assert_eq!(typed.source, Some(Source::Paths { paths: vec!["data/x".into(), "/srv/y".into()], in_place: false }));
        assert_eq!(
            (typed.kind, typed.read.null_values.as_deref()),
            (ProductKind::Files, Some(["NA".to_owned(), "n/a".to_owned()].as_slice()))
        );
        assert_eq!(fields_of(&wrong_source(&typed, 0)), ["paths"]);
        assert_eq!(source_form(&typed).paths, "data/x\n/srv/y");
        let typed = with_description(
            &typed,
            &given(&[("contact", "call me"), ("language", "zh, english"), ("keywords", "风，速度, x")]),
            "files-1",
        );
        assert_eq!(describe_form(&typed).contact, "call me");
        assert_eq!(typed.keywords.len(), 3);
        assert_eq!(fields_of(&wrong_description(&typed)), ["title", "contact", "language"]);
    }

    #[test]
    fn what_it_was_made_from_is_a_list_of_lines() {
        let draft = Draft::new(ProductKind::Table);
        let described = [("title", "Wear"), ("derived-from", "agr_1\r\n urn:x,1 \r\n\r\nstations:3")];
        let typed = with_description(&draft, &move |name| described.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()), "x");
        assert_eq!(typed.derived_from, ["agr_1", "urn:x,1", "stations:3"]);
        assert_eq!(describe_form(&typed).derived_from, "agr_1\nurn:x,1\nstations:3");
        assert!(wrong_description(&typed).is_empty());
        let twice = with_description(&typed, &given(&[("title", "Wear"), ("derived-from", "agr_1\nagr_1")]), "x");
        assert_eq!(fields_of(&wrong_description(&twice)), ["derived-from"]);
    }

    #[test]
    fn every_source_is_checked() {
        let of = |fields: &'static [(&'static str, &'static str)]| with_source(&Draft::new(ProductKind::Table), &given(fields));
        for (fields, wrong) in [
            (&[("from", "x")][..], &["from"][..]),
            (&[("from", "upload")], &["files"]),
            (&[("from", "s3"), ("s3-paths", "a")], &["from"]),
            (&[("from", "s3"), ("s3-connection", "lake")], &["s3-paths"]),
            (&[("from", "s3"), ("s3-connection", "lake"), ("s3-paths", "a/")], &[]),
            (&[("from", "postgres"), ("postgres-connection", "db")], &["query"]),
            (&[("from", "postgres"), ("postgres-connection", "db"), ("query", "SELECT 1"), ("kind", "files")], &["from"]),
            (&[("from", "postgres"), ("postgres-connection", "db"), ("query", "SELECT 1")], &[]),
            (&[("from", "paths"), ("paths", "/srv/a")], &[]),
        ] {
            assert_eq!(fields_of(&wrong_source(&of(fields), 0)), wrong, "{fields:?}");
        }
        assert!(wrong_source(&of(&[("from", "upload")]), 1).is_empty());
    }

    #[test]
    fn ids_are_made_of_titles() {
        for (title, id) in [
            ("Flights from New York, 2013", Some("flights-from-new-york-2013")),
            ("苏州七号线", None),
            ("苏州 Line 7 扭矩", Some("line-7")),
            ("2013", None),
            ("ab", None),
        ] {
            assert_eq!(suggested_id(title).as_deref(), id, "{title}");
        }
        let long = suggested_id(&"word ".repeat(100)).expect("an id");
        assert!(ProductId::parse(&long).is_ok() && !long.ends_with('-'), "{long}");
        let draft = Draft::new(ProductKind::Table);
        assert_eq!(with_description(&draft, &given(&[("title", "轴承")]), "table-1").product, "table-1");
        assert_eq!(with_description(&draft, &given(&[("title", "轴承"), ("product", "bearings")]), "table-1").product, "bearings");
        assert_eq!(with_description(&draft, &given(&[]), "table-1").product, "");
    }

    #[test]
    fn what_was_sent_is_not_followed() {
        let draft = with_source(&Draft::new(ProductKind::Table), &given(&[("from", "paths"), ("paths", "/srv/a")]));
        let followed = with_description(&draft, &given(&[("title", "Air"), ("renewal", "PT1H")]), "");
        assert_eq!(describe_form(&followed).renewal, "PT1H");
        assert!(wrong_description(&followed).is_empty());
        assert_eq!(with_source(&followed, &given(&[("from", "upload")])).renewal, None);
        let hasty = with_description(&draft, &given(&[("title", "Air"), ("renewal", "PT1S")]), "");
        assert_eq!(fields_of(&wrong_description(&hasty)), ["renewal"]);
    }

    #[test]
    fn personal_data_is_accepted_where_it_was_asked() {
        let draft = Draft { personal_data_accepted: true, ..Draft::new(ProductKind::Table) };
        assert!(with_description(&draft, &given(&[]), "").personal_data_accepted, "not asked");
        assert!(!with_description(&draft, &given(&[("personal-asked", "yes")]), "").personal_data_accepted);
        assert!(with_description(&draft, &given(&[("personal-asked", "yes"), ("personal", "yes")]), "").personal_data_accepted);
    }

    #[test]
    fn terms_that_cannot_be_enforced_are_named() {
        let draft = Draft {
            offers: vec![json!({"permission": [{"action": "use"}]}), json!({"permission": [{"action": "fly"}]})],
            ..Draft::new(ProductKind::Table)
        };
        assert_eq!(fields_of(&wrong_terms(&draft)), ["o1-odrl"]);
    }
}
