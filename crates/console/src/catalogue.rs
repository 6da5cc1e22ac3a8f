//! Tests that hold the catalogue, the templates and the sources together.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use fluent_bundle::FluentResource;

use crate::Locale;
use crate::locale::AREAS;
use crate::samples::gallery;
use crate::text::ELEMENTS;

/// Keys of both languages that may read the same: nothing but variables and marks.
const SAME_IN_BOTH: [&str; 3] = ["common-span", "error-advised", "money-other"];

/// Words that stand in no catalogue, since they are the same in every language: names of
/// standards, formats and programs.
const NAMES: &[&str] = &[
    "Fondaco",
    "FDC",
    "DID",
    "did",
    "web",
    "ODRL",
    "JSON",
    "UTC",
    "SHA",
    "API",
    "URL",
    "Parquet",
    "CSV",
    "SQLite",
    "B",
    "KiB",
    "MiB",
    "GiB",
    "TLS",
    "S3",
    "PostgreSQL",
    "Delta",
    "Excel",
    "Lines",
    "SPDX",
    "AWS",
    "ISO",
    "RFC",
    "zh",
    "en",
    "Hant",
    "IP",
    "CN",
    "SG",
    "http",
    "https",
    "English",
];

/// A message as its file has it.
#[derive(Debug, Default, Clone)]
struct Message {
    text: String,
    variables: BTreeSet<String>,
}

fn is_key(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && text.contains('-')
}

/// The names after a mark, as `$n` or `arg("n"`.
fn names_after(text: &str, mark: &str) -> BTreeSet<String> {
    let starts = text.match_indices(mark).map(|(at, _)| &text[at + mark.len()..]);
    starts.map(|rest| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_').collect()).collect()
}

fn parse(area: &str, text: &str) -> BTreeMap<String, Message> {
    if let Err((_, errors)) = FluentResource::try_new(text.to_owned()) {
        panic!("{area}.ftl: {errors:?}");
    }
    let mut messages: BTreeMap<String, Message> = BTreeMap::new();
    let mut current = None;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let begins = line.split_once(" = ").or_else(|| line.split_once(" =")).filter(|(key, _)| is_key(key));
        if let Some((key, value)) = begins {
            assert!(key.starts_with(&format!("{area}-")), "{key} stands in {area}.ftl");
            assert!(!messages.contains_key(key), "{key} twice");
            messages.insert(key.to_owned(), Message { text: value.to_owned(), ..Message::default() });
            current = Some(key.to_owned());
        } else if let Some(message) = current.as_ref().and_then(|key| messages.get_mut(key)) {
            message.text.push('\n');
            message.text.push_str(line);
        }
    }
    for message in messages.values_mut() {
        message.variables = names_after(&message.text, "$");
    }
    messages
}

fn catalogue(locale: Locale) -> BTreeMap<String, Message> {
    let mut all = BTreeMap::new();
    for (area, en, zh) in AREAS {
        all.extend(parse(area, if locale == Locale::En { en } else { zh }));
    }
    all
}

/// The files below a folder with one of these endings, with their text.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == ending) {
                found.push((path.display().to_string(), fs::read_to_string(&path).expect("text")));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folder} has no .{ending}");
    found
}

/// The sources that say texts: this crate's and the node's console. Their own tests are left
/// out, in which keys are made up.
fn sources() -> Vec<(String, String)> {
    let mut all = files("src", "rs");
    all.extend(files("../node/src/console_web", "rs"));
    for (_, text) in &mut all {
        if let Some(at) = text.find("#[cfg(test)]\nmod tests") {
            text.truncate(at);
        }
    }
    for (_, text) in &mut all {
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        *text = code.join("\n");
    }
    all.retain(|(path, _)| !path.ends_with("catalogue.rs"));
    all
}

/// Each quoted string of a text.
fn literals(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1)
}

#[test]
fn every_file_is_built_in() {
    for locale in Locale::ALL {
        let on_disk: BTreeSet<String> = files(&format!("locales/{}", locale.code()), "ftl")
            .iter()
            .filter_map(|(path, _)| Some(Path::new(path).file_stem()?.to_str()?.to_owned()))
            .collect();
        let built_in: BTreeSet<String> = AREAS.iter().map(|(area, ..)| (*area).to_owned()).collect();
        assert_eq!(on_disk, built_in, "the areas in locale.rs");
    }
}

#[test]
fn both_languages_say_the_same_things() {
    let (en, zh) = (catalogue(Locale::En), catalogue(Locale::Zh));
    let keys = |of: &BTreeMap<String, Message>| of.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(&en).difference(&keys(&zh)).collect::<Vec<_>>(), Vec::<&String>::new(), "not in Chinese");
    assert_eq!(keys(&zh).difference(&keys(&en)).collect::<Vec<_>>(), Vec::<&String>::new(), "not in English");
    for (key, message) in &en {
        let other = &zh[key];
        assert_eq!(message.variables, other.variables, "the variables of {key}");
        let elements = |text: &str| text.matches('<').count();
        assert_eq!(message.text.contains("<a>"), other.text.contains("<a>"), "the link of {key}");
        assert_eq!(elements(&message.text) > 0, elements(&other.text) > 0, "the elements of {key}");
        assert!(message.text != other.text || SAME_IN_BOTH.contains(&key.as_str()), "{key} is not translated");
    }
}

#[test]
fn messages_hold_known_elements_only() {
    for locale in Locale::ALL {
        for (key, message) in catalogue(locale) {
            let mut rest = message.text.clone();
            for element in ELEMENTS.iter().chain(&["<a>", "</a>"]) {
                rest = rest.replace(element, "");
            }
            assert!(!rest.contains('<') && !rest.contains('>') || rest.contains("->"), "{key}: {rest}");
            assert!(message.text.matches("<a>").count() <= 1, "{key} has two links");
            assert_eq!(message.text.matches("<a>").count(), message.text.matches("</a>").count(), "{key}");
            assert!(message.text.chars().all(|c| !('\u{e000}'..='\u{f8ff}').contains(&c)), "{key} holds a private character");
        }
    }
}

#[test]
fn what_is_used_exists_and_what_exists_is_used() {
    let en = catalogue(Locale::En);
    let mut used = BTreeSet::new();
    let mut families = BTreeSet::new();
    for (path, text) in files("templates", "html").into_iter().chain(sources()) {
        for literal in literals(&text).filter(|literal| en.contains_key(*literal)) {
            used.insert(literal.to_owned());
        }
        for (at, _) in text.match_indices("Text::of(") {
            let family = literals(&text[at..]).next().expect("the family is a literal");
            families.insert(family.to_owned());
        }
        for (at, _) in text.match_indices("Text::say(\"") {
            let key = literals(&text[at..]).next().unwrap_or_default();
            assert!(en.contains_key(key), "{path}: no message {key}");
        }
    }
    for key in en.keys() {
        let of_family = families.iter().any(|family| key.strip_prefix(family.as_str()).is_some_and(|rest| rest.starts_with('-')));
        assert!(used.contains(key) || of_family, "nothing says {key}");
    }
}

/// The expressions of a template, without their braces.
fn expressions(template: &str) -> impl Iterator<Item = &str> {
    template.split("{{").skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0.trim()))
}

#[test]
fn templates_give_each_message_its_variables() {
    let en = catalogue(Locale::En);
    let mut said = 0;
    for (path, text) in files("templates", "html") {
        for expression in expressions(&text) {
            let Some((key, filters)) = expression.strip_prefix('"').and_then(|rest| rest.split_once('"')) else { continue };
            let rich = filters.starts_with("|rich");
            assert!(rich || filters.starts_with("|say"), "{path}: {expression}");
            let message = en.get(key).unwrap_or_else(|| panic!("{path}: no message {key}"));
            let mut given = names_after(filters, "|arg(\"");
            given.extend(names_after(filters, "|html(\""));
            assert_eq!(given, message.variables, "{path}: the variables of {key}");
            assert_eq!(filters.contains("|link("), message.text.contains("<a>"), "{path}: the link of {key}");
            let elements = message.text.contains('<');
            assert!(rich || !elements, "{path}: {key} holds elements, which `say` would show");
            said += 1;
        }
    }
    assert!(said > 100, "the expressions are not found any more");
}

#[test]
fn sources_give_each_message_its_variables() {
    let en = catalogue(Locale::En);
    for (path, text) in sources() {
        for (at, call) in text.match_indices("Text::say(\"") {
            let (key, rest) = text[at + call.len()..].split_once('"').expect("a literal");
            // What stands in the chain after it; a chain that a variable goes on with is not seen.
            let mut given = BTreeSet::new();
            let mut rest = rest.strip_prefix(')').unwrap_or_default();
            while let Some(more) = rest.trim_start().strip_prefix(".with(") {
                given.extend(literals(more).next().map(str::to_owned));
                let end = closing(more);
                rest = &more[end..];
            }
            if let Some(message) = en.get(key).filter(|_| !rest.trim_start().starts_with('.')) {
                assert_eq!(given, message.variables, "{path}: the variables of {key}");
            }
        }
    }
}

/// The place after the parenthesis that closes one opened just before `text`.
fn closing(text: &str) -> usize {
    let mut depth = 1_usize;
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    text.len()
}

/// Cuts out everything from one mark to the next other one.
fn without(text: &str, from: &str, to: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(from) {
        out.push_str(before);
        rest = after.split_once(to).map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out
}

/// The words of a text that are not names.
fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(|word| word.contains(|c: char| c.is_ascii_alphabetic()) && !NAMES.contains(word)).map(str::to_owned).collect()
}

/// Attributes that a person reads or hears.
const READ_ATTRIBUTES: [&str; 8] = [
    " aria-label=\"",
    " title=\"",
    " placeholder=\"",
    " alt=\"",
    " data-label=\"",
    " data-done=\"",
    " data-live-text=\"",
    " data-lost-text=\"",
];

#[test]
fn no_template_holds_words() {
    for (path, text) in files("templates", "html") {
        let mut text = text.replace("placeholder=\"did:web:data.example.org:p:zgc\"", "");
        for (from, to) in [
            ("{% block live %}", "{% endblock %}"),
            ("{% block region %}", "{% endblock %}"),
            ("{#", "#}"),
            ("{%", "%}"),
            ("{{", "}}"),
            ("<pre", "</pre>"),
            ("<code", "</code>"),
            ("<svg", "</svg>"),
        ] {
            text = without(&text, from, to);
        }
        for attribute in READ_ATTRIBUTES {
            for (at, _) in text.match_indices(attribute) {
                let value = text[at + attribute.len()..].split('"').next().unwrap_or_default();
                assert_eq!(words(value), Vec::<String>::new(), "{path}:{attribute}");
            }
        }
        let bare = without(&text, "<", ">").replace("&amp;", "");
        assert_eq!(words(&bare), Vec::<String>::new(), "{path}");
    }
}

#[test]
fn every_page_speaks_each_language() {
    for locale in Locale::ALL {
        for (name, html) in gallery(locale).expect("pages render") {
            assert!(html.contains(&format!("<html lang=\"{}\">", locale.tag())), "{name}");
            let missing = literals(&html).chain(html.split(['<', '>'])).map(str::trim).find(|text| is_key(text) && locale.has(text));
            assert_eq!(missing, None, "{name} shows a key");
            if locale == Locale::Zh {
                assert_eq!(english(&html), Vec::<String>::new(), "{name} in Chinese");
            }
        }
    }
}

/// The Latin words of a Chinese page that are ours: what others wrote, code, and names stand in
/// elements of their own.
fn english(html: &str) -> Vec<String> {
    let mut text = html.to_owned();
    for element in ["bdi", "code", "pre", "q", "svg", "title", "script", "textarea"] {
        text = without(&text, &format!("<{element}>"), &format!("</{element}>"));
        text = without(&text, &format!("<{element} "), &format!("</{element}>"));
    }
    // Elements whose direction is their text's own hold what others wrote.
    while let Some(at) = text.find(" dir=\"auto\"") {
        let start = text[..at].rfind('<').expect("an attribute stands in an element");
        let name: String = text[start + 1..].chars().take_while(char::is_ascii_alphanumeric).collect();
        let end = text[at..].find(&format!("</{name}>")).expect("elements end") + at;
        text.replace_range(start..end, "");
    }
    let mut found = Vec::new();
    for attribute in READ_ATTRIBUTES.iter().filter(|it| !matches!(it.trim(), "title=\"" | "placeholder=\"")) {
        for (at, _) in text.match_indices(attribute) {
            found.extend(words(text[at + attribute.len()..].split('"').next().unwrap_or_default()));
        }
    }
    let bare = without(&text, "<", ">");
    found.extend(words(&bare.replace("&amp;", "").replace("&quot;", "").replace("&#39;", "")));
    found
}
