//! What plans accept, refuse and show.

use super::*;

const SECRET: &[u8] = b"sixteen bytes or more";

fn column(name: &str, data_type: Value, nullable: bool) -> Column {
    Column { name: name.into(), description: plain_words(&data_type), data_type, nullable, source_type: "Parquet".into() }
}

fn part(name: &str, data_type: &Value) -> Value {
    json!({"name": name, "type": data_type, "nullable": false, "metadata": {}})
}

fn table() -> TableSchema {
    let address = json!({"type": "struct", "fields": [part("city", &json!("string")), part("street", &json!("string")), part("zip", &json!("integer"))]});
    TableSchema {
        columns: vec![
            column("id", json!("long"), false),
            column("site", json!("string"), true),
            column("price", json!("decimal(10,2)"), true),
            column("at", json!("timestamp"), true),
            column("address", address.clone(), true),
            column("visits", json!({"type": "array", "elementType": address, "containsNull": false}), true),
            column("extra", json!({"type": "map", "keyType": "string", "valueType": "double", "valueContainsNull": false}), true),
            column("ok", json!("boolean"), true),
        ],
    }
}

fn view(fields: &[&str], filter: &str, masks: &[&str]) -> View {
    View {
        fields: (!fields.is_empty()).then(|| fields.iter().map(|f| Field::parse(f).expect("field")).collect()),
        row_filter: (!filter.is_empty()).then(|| Filter::parse(filter).expect("filter")),
        masks: masks.iter().map(|m| Mask::parse(m).expect("mask")).collect(),
        min_group_size: None,
    }
}

fn plan(fields: &[&str], filter: &str, masks: &[&str]) -> Result<TablePlan> {
    TablePlan::new(&view(fields, filter, masks), &table(), SECRET)
}

#[test]
fn the_visible_schema_is_what_is_shown() {
    let plan = plan(
        &["id", "site", "address.city", "address.zip", "visits.element.street", "extra", "price"],
        "at < TIMESTAMP '2027-01-01T00:00:00Z' AND ok = TRUE",
        &["hash(id)", "null(extra.value)", "bucket(price, 0.5)", "truncate(address.city, 2)"],
    )
    .expect("plan");
    let names: Vec<&str> = plan.schema().columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["id", "site", "price", "address", "visits", "extra"]);
    let text = plan.schema().delta_schema_string();
    for hidden in ["\"at\"", "\"ok\"", "\"name\":\"street\",\"type\":\"string\",\"nullable\":false,\"metadata\":{}},{\"name\":\"zip\""] {
        assert!(!text.contains(hidden), "{text}");
    }
    assert_eq!(plan.schema().columns[0].data_type, "string", "hashed");
    assert_eq!(plan.schema().columns[5].data_type["valueContainsNull"], true);
    assert_eq!(plan.schema().columns[4].data_type["elementType"]["fields"].as_array().map(Vec::len), Some(1));
    let shown = plan.shown_leaves();
    // id, site, price, at, address(3), visits(3), extra(2), ok
    assert_eq!(
        shown,
        [true, true, true, false, true, false, true, false, true, false, true, true, false].map(|b| b),
        "one entry per leaf, in Parquet's order"
    );
    assert_eq!(plan.leaf(&Field::parse("address.zip").expect("field")), Some(6));
    assert_eq!(plan.leaves_of(&Field::parse("extra").expect("field")), Some(10..12));
    assert!(!plan.is_whole());
    assert!(plan.shows_unchanged("site") && !plan.shows_unchanged("id") && !plan.shows_unchanged("at"));
}

#[test]
fn what_hides_nothing_is_whole() {
    assert!(plan(&[], "", &[]).expect("plan").is_whole());
    assert!(plan(&[], "TRUE", &[]).expect("plan").is_whole());
    let all = ["id", "site", "price", "at", "address", "visits", "extra.key", "extra.value", "ok"];
    assert!(plan(&all, "", &[]).expect("plan").is_whole());
    assert!(!plan(&all[1..], "", &[]).expect("plan").is_whole());
    let grouped = View { min_group_size: Some(5), ..View::default() };
    let grouped = TablePlan::new(&grouped, &table(), &[]).expect("plan");
    assert!(!grouped.is_whole() && grouped.min_group_size() == Some(5));
}

#[test]
fn what_cannot_be_enforced_is_refused_with_the_reason() {
    for (fields, filter, masks, reason) in [
        (&["idd"][..], "", &[][..], "no column idd"),
        (&["ID"], "", &[], "Did you mean id?"),
        (&["address.City"], "", &[], "Did you mean address.city?"),
        (&["address.country"], "", &[], "no column address.country"),
        (&["visits.city"], "", &[], "no column visits.city"),
        (&["id.x"], "", &[], "no column id.x"),
        (&["extra.key"], "", &[], "whole key"),
        (&["extra.value"], "", &[], "whole key"),
        (&[], "Site = 'x'", &[], "Did you mean site?"),
        (&[], "id = 'x'", &[], "without quotes"),
        (&[], "site = 1", &[], "text such as"),
        (&[], "at > DATE '2027-01-01'", &[], "point in time"),
        (&[], "at > TIMESTAMP '2027-01-01T00:00:00'", &[], "point in time"),
        (&[], "ok > TRUE", &[], "= or <>"),
        (&[], "address = 'x'", &[], "IS NULL"),
        (&[], "visits.element.city = 'x'", &[], "in a list or a map"),
        (&[], "extra.value = 1", &[], "in a list or a map"),
        (&[], "id = 1 AND id = 2", &[], "No row can satisfy"),
        (&[], "id IS NULL", &[], "No row can satisfy"),
        (&[], "", &["hash(address)"], "nested"),
        (&[], "", &["truncate(id, 2)"], "not text"),
        (&[], "", &["bucket(site, 2)"], "not a number"),
        (&[], "", &["bucket(at, 2)"], "not a number"),
        (&[], "", &["bucket(id, 0.5)"], "multiple"),
        (&[], "", &["bucket(price, 0.005)"], "multiple"),
        (&[], "", &["bucket(price, 100000000)"], "largest"),
        (&[], "", &["hash(extra.key)"], "keys of a map"),
        (&[], "", &["hash(site)", "null(site)"], "two things"),
        (&[], "", &["null(address)", "hash(address.city)"], "two things"),
        (&["id"], "", &["hash(site)"], "does not show"),
        (&["address.city"], "", &["null(address)"], "mask the part"),
    ] {
        let error = plan(fields, filter, masks).expect_err(reason);
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(error.code(), fondaco_core::Code::Invalid);
        assert!(check(&view(fields, filter, masks), &table()).is_err());
    }
    let nothing = View { fields: Some(Vec::new()), ..View::default() };
    assert!(check(&nothing, &table()).expect_err("nothing").to_string().contains("No column is left"));
    assert!(TablePlan::new(&view(&[], "", &["hash(site)"]), &table(), b"short").is_err());
    assert!(plan(&[], "", &["hash(site)", "hash(site)"]).is_ok(), "the same twice is no contradiction");
}

#[test]
fn the_digest_names_the_plan_and_not_the_secret() {
    let digest = |fields: &[&str], filter: &str, masks: &[&str], secret: &[u8]| {
        TablePlan::new(&view(fields, filter, masks), &table(), secret).expect("plan").digest().to_owned()
    };
    let one = digest(&["id"], "", &[], SECRET);
    assert_eq!(one.len(), 64);
    assert_eq!(one, digest(&["id"], "", &[], b"another secret of the agreement"), "no hash: the same for all");
    assert_ne!(one, digest(&["site"], "", &[], SECRET));
    assert_ne!(one, digest(&["id"], "id > 1", &[], SECRET));
    assert_ne!(one, digest(&["id"], "", &["hash(id)"], SECRET));
    assert_ne!(digest(&["id"], "", &["hash(id)"], SECRET), digest(&["id"], "", &["hash(id)"], b"another secret of the agreement"));
    let mut changed = table();
    changed.columns[7].data_type = json!("string");
    let other = TablePlan::new(&view(&["id"], "", &[]), &changed, SECRET).expect("plan");
    assert_ne!(one, other.digest(), "another table");
    assert!(!format!("{:?}", plan(&["id"], "", &["hash(id)"]).expect("plan")).contains("sixteen"));
}
