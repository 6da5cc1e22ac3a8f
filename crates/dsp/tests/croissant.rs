//! Croissant documents against golden files, which PyPI `mlcroissant` 1.1.1 validates without a warning.
//! `BLESS=1` writes them anew; then validate them again: `mlcroissant validate --jsonld FILE`.

use fondaco_dsp::croissant::{Column, Dataset, File, Organization, PARQUET};
use serde_json::{Value, json};

fn golden(name: &str, document: &Value) {
    let path = format!("{}/tests/golden/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = format!("{}\n", serde_json::to_string_pretty(document).expect("a value is printed"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &text).expect("the golden file is written");
    }
    let expected = std::fs::read_to_string(&path).expect("the golden file is there");
    assert!(text == expected, "{path} differs; BLESS=1 writes it anew. It would be:\n{text}");
}

fn dataset<'a>(offers: &'a [Value], keywords: &'a [String], languages: &'a [String]) -> Dataset<'a> {
    Dataset {
        name: "Weather stations",
        description: "Hourly measurements of weather stations in Suzhou.",
        license: "https://creativecommons.org/licenses/by/4.0/",
        url: "https://node.example.org/p/acme/products/weather",
        creator: Organization { name: "Acme", url: Some("https://acme.example.org") },
        date_published: "2026-11-21",
        version: "3",
        keywords,
        languages,
        offers,
        files: Vec::new(),
        columns: None,
    }
}

#[test]
fn a_table_and_a_folder_as_croissant() {
    let offers = [json!({"@type": "Offer", "@id": "urn:uuid:0b6b5bd4-2f5e-4c9c-9a53-0c9e6a1f2a11", "permission": [{
        "action": "use",
        "constraint": [
            {"leftOperand": "dateTime", "operator": "lt", "rightOperand": "2027-01-01T00:00:00Z"},
            {"leftOperand": "count", "operator": "lteq", "rightOperand": 100}]}]})];
    let (keywords, languages) = (["weather".to_owned(), "天气".to_owned()], ["en".to_owned(), "zh".to_owned()]);
    let hashes = ["a".repeat(64), "b".repeat(64)];
    let types = [
        ("station", json!("string"), Some("Name of the station")),
        ("hour", json!("timestamp"), None),
        ("day", json!("date"), None),
        ("n", json!("long"), None),
        ("temperature", json!("double"), Some("Degrees Celsius")),
        ("price", json!("decimal(10,2)"), None),
        ("ok", json!("boolean"), None),
        ("tags", json!({"type": "array", "elementType": "string", "containsNull": true}), None),
        ("place", json!({"type": "struct", "fields": []}), None),
    ];
    let columns: Vec<Column> =
        types.iter().map(|(name, data_type, description)| Column { name, data_type, description: *description }).collect();
    let part = |path, sha256| File { path, content_url: path, sha256, size: 1_234, encoding_format: PARQUET };
    let base = dataset(&offers, &keywords, &languages);
    let one = Dataset { files: vec![part("part-00000.parquet", &hashes[0])], columns: Some(columns.clone()), ..base.clone() };
    golden("croissant-table", &one.to_json());
    let two = Dataset {
        files: vec![part("part-00000.parquet", &hashes[0]), part("part-00001.parquet", &hashes[1])],
        columns: Some(columns),
        ..base.clone()
    };
    golden("croissant-table-of-many-files", &two.to_json());
    let folder = Dataset {
        files: vec![
            File { path: "readme.md", content_url: "files/readme.md", sha256: &hashes[0], size: 12, encoding_format: "text/markdown" },
            File {
                path: "images/a 1.jpg",
                content_url: "files/images/a%201.jpg",
                sha256: &hashes[1],
                size: 99,
                encoding_format: "image/jpeg",
            },
        ],
        ..base
    };
    golden("croissant-files", &folder.to_json());
}
