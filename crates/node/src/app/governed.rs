//! What is shown of tables: terms checked against a table's columns, the plan of an agreement, and what a catalogue may
//! tell of a product whose offers hide something.

use super::{
    App,
    access::Grant,
    product_files::{keeper, table_file},
};
use crate::{
    files::{seal::Intact, serve},
    secrets::seal::DerivedKey,
};
use aws_lc_rs::hmac;
use fondaco_core::{
    Code, Error, Result,
    participant::Slug,
    policy::{Permission, Policy, view::View},
    product::{Offer, Product, ProductKind},
};
use fondaco_store::ProductFile;
use fondaco_tables::{
    governed::{GovernedFile, Source, TablePlan, check, name},
    publish::TableSchema,
};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io,
    sync::Arc,
};

/// Stands for the key of an agreement's hashes where only columns are looked at, and no value is hashed.
const NO_KEY: [u8; 32] = [0; 32];

/// The views of a policy's permissions that hide something.
fn hiding(policy: &Policy) -> impl Iterator<Item = View> + '_ {
    policy.permissions.iter().map(Permission::view).filter(|view| !view.is_whole())
}

/// The columns in a product's description.
pub(super) fn schema(content: &Value) -> Result<TableSchema> {
    let schema = content.get("schema").cloned().unwrap_or_default();
    serde_json::from_value(schema).map_err(|e| Error::new(Code::DataDamaged, "The table's columns cannot be read.").with_internal(e))
}

/// Checks that what terms hide can be hidden: that they are about a table, name columns that it has, with values of their
/// types, and leave something to show.
///
/// # Errors
/// [`Code::Invalid`] with the reason, which names columns: for the publisher alone.
pub fn check_terms(policy: &Policy, kind: ProductKind, content: &Value) -> Result<()> {
    if !policy.hides() {
        return Ok(());
    }
    check_kind(policy, kind)?;
    let schema = schema(content)?;
    hiding(policy).try_for_each(|view| check(&view, &schema))
}

/// The same, before the content is known.
///
/// # Errors
/// [`Code::Invalid`] for terms that hide something of what is no table.
pub fn check_kind(policy: &Policy, kind: ProductKind) -> Result<()> {
    if policy.hides() && kind != ProductKind::Table {
        return Err(Error::invalid(format!(
            "\"fields\", \"rowFilter\", \"mask\" and \"minGroupSize\" are about tables; a product of the kind \"{}\" has no columns and rows.",
            kind.as_str()
        )));
    }
    Ok(())
}

impl App {
    /// The plan of a grant about a table. Its hashes are the agreement's own.
    ///
    /// # Errors
    /// [`Code::NotFound`] when it is about something else; [`Code::PolicyUnsupported`] when its terms do not fit the table.
    pub fn table_plan(&self, grant: &Grant) -> Result<TablePlan> {
        self.plan_of(&grant.transfer.participant, &grant.transfer.agreement_id, &grant.permit.view, &grant.product)
    }

    /// The plan of a view of a table under an agreement.
    ///
    /// # Errors
    /// As [`App::table_plan`].
    pub fn plan_of(&self, slug: &Slug, agreement: &str, view: &View, product: &Product) -> Result<TablePlan> {
        if product.kind != ProductKind::Table {
            return Err(Error::not_found("A table under this token"));
        }
        let key = self.agreement_key("table-plan", slug, agreement);
        TablePlan::new(view, &schema(&product.content)?, key.as_ref()).map_err(|e| {
            // The reason could name what is hidden.
            Error::new(Code::PolicyUnsupported, "The agreed terms do not fit the columns of this version of the table; ask its provider.")
                .with_internal(e)
        })
    }

    /// A file of the grant's table as a plan shows it; `None` when it shows nothing of it.
    ///
    /// # Errors
    /// [`Code::DataDamaged`] when the file is not the one that was published; when it cannot be read.
    pub async fn governed_file(&self, grant: &Grant, plan: &Arc<TablePlan>, row: &ProductFile) -> Result<Option<GovernedFile>> {
        let source = self.table_source(&grant.product, row).await?;
        self.governor.file(plan, &source).await.map_err(Error::internal_failure)
    }

    /// A file of a table, open and found to be the one that was published.
    ///
    /// # Errors
    /// [`Code::DataDamaged`] when it is not; when it cannot be read.
    pub async fn table_source(&self, product: &Product, row: &ProductFile) -> Result<Source> {
        let path = self.product_file_path(product, row)?;
        let Intact { file: open, seal, .. } = serve::open(self, product, row, &path).await?;
        let (file, keeper) = (table_file(row)?, keeper(row));
        let still_same = move |open: &File| {
            if seal.holds(&open.metadata()?, keeper) { Ok(()) } else { Err(io::Error::other("the file changed while it was read")) }
        };
        Ok(Source {
            name: name(&path),
            file: Arc::new(open),
            still_same: Arc::new(still_same),
            sha256: file.sha256,
            size: file.size_bytes,
            rows: file.rows,
            stats: file.stats,
        })
    }

    /// Whether a file of the grant's table would have to be written anew to be shown.
    ///
    /// # Errors
    /// As [`App::governed_file`].
    pub async fn is_rewritten(&self, grant: &Grant, plan: &Arc<TablePlan>, row: &ProductFile) -> Result<bool> {
        let source = self.table_source(&grant.product, row).await?;
        self.governor.needs_rewriting(plan, &source).await.map_err(Error::internal_failure)
    }

    /// The names of the grant's files, where its plan hides something.
    pub fn file_names(&self, grant: &Grant) -> FileNames {
        FileNames(self.agreement_key("file-names", &grant.transfer.participant, &grant.transfer.agreement_id))
    }

    fn agreement_key(&self, purpose: &str, slug: &Slug, agreement: &str) -> DerivedKey {
        self.sealer.derive(&format!("{purpose}:{slug}:{agreement}"))
    }
}

/// What files are called under an agreement that hides something: an id made of the bytes that are shown, and the place
/// among the table's files, hidden. Neither tells of what is not shown, and under another plan there is no such file.
pub struct FileNames(DerivedKey);

/// Hexadecimal digits of an id.
const ID_DIGITS: usize = 32;
/// And of a hidden place.
const PLACE_DIGITS: usize = 16;

impl FileNames {
    fn hash<const N: usize>(&self, of: &str) -> [u8; N] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, self.0.as_ref()), of.as_bytes());
        let mut hash = [0; N];
        hash.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        hash
    }

    fn mask(&self, id: &str) -> u64 {
        u64::from_be_bytes(self.hash(&format!("place {id}")))
    }

    /// The id of a file as it is shown.
    pub fn id(&self, file: &GovernedFile) -> String {
        hex::encode(self.hash::<{ ID_DIGITS / 2 }>(&format!("file {}", file.id)))
    }

    /// The last part of its address.
    pub fn name(&self, id: &str, place: u64) -> String {
        format!("{id}{:016x}", place ^ self.mask(id))
    }

    /// The id and the place in a name.
    pub fn read<'a>(&self, name: &'a str) -> Option<(&'a str, u64)> {
        let (id, place) = name.split_at_checked(ID_DIGITS)?;
        let place = u64::from_str_radix(place, 16).ok().filter(|_| place.len() == PLACE_DIGITS)?;
        Some((id, place ^ self.mask(id)))
    }
}

/// Of a table's description, what some offers show: the columns that any of them shows, and of rows and values what one of
/// them shows as they are. `None` where one of them hides nothing: all of it.
pub fn shown(product: &Product, offers: &[&Offer]) -> Option<Value> {
    let policies = || offers.iter().flat_map(|o| &o.policy.permissions);
    if product.kind != ProductKind::Table || policies().any(|p| p.view().is_whole()) {
        return None;
    }
    let mut out = Map::new();
    // Terms that do not fit the columns show nothing.
    let Ok(schema) = schema(&product.content) else { return Some(Value::Object(out)) };
    let (mut columns, mut unchanged) = (BTreeMap::new(), BTreeSet::new());
    for view in policies().map(Permission::view) {
        let Ok(plan) = TablePlan::new(&view, &schema, &NO_KEY) else { continue };
        let all_rows = view.row_filter.is_none() && view.min_group_size.is_none();
        if all_rows && let Some(rows) = product.content.get("rows") {
            out.insert("rows".into(), rows.clone());
        }
        for column in &plan.schema().columns {
            let Some(place) = schema.columns.iter().position(|c| c.name == column.name) else { continue };
            let as_it_is = plan.shows_unchanged(&column.name);
            if as_it_is || !columns.contains_key(&place) {
                columns.insert(place, column.clone());
            }
            if as_it_is && all_rows {
                unchanged.insert(column.name.clone());
            }
        }
    }
    let columns: Vec<_> = columns.into_values().collect();
    out.insert("schema".into(), json!(TableSchema { columns }));
    if let Some(profile) = product.content.get("profile").and_then(Value::as_array) {
        let is_shown = |entry: &&Value| entry.get("name").and_then(Value::as_str).is_some_and(|name| unchanged.contains(name));
        out.insert("profile".into(), profile.iter().filter(is_shown).cloned().collect());
    }
    Some(Value::Object(out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fondaco_core::{
        ids::OfferId,
        participant::Slug,
        product::{Listing, ProductId, ProductRef, ProductState},
        time::Timestamp,
    };

    #[test]
    fn a_name_hides_its_place_and_gives_it_back() {
        let names = FileNames(DerivedKey::new([7; 32]));
        let id = "0123456789abcdef0123456789abcdef";
        let name = names.name(id, 41);
        assert_eq!(name.len(), ID_DIGITS + PLACE_DIGITS);
        assert!(!name.ends_with(&format!("{:016x}", 41)));
        assert_eq!(names.read(&name), Some((id, 41)));
        assert_ne!(names.read(&name.replacen('0', "1", 1)).map(|(_, place)| place), Some(41));
        for wrong in ["", id, &name[1..], "é", &format!("{id}{}", "x".repeat(16)), &format!("{name}0")] {
            assert_eq!(names.read(wrong), None, "{wrong}");
        }
    }

    fn offer(constraints: &Value) -> Offer {
        let policy = Policy::from_odrl(&json!({"permission": [{"action": "use", "constraint": constraints}]})).expect("policy");
        Offer {
            id: OfferId::from_stored("off_1"),
            participant: Slug::parse("acme").expect("slug"),
            product: ProductRef { id: ProductId::parse("staff").expect("id"), version: 1 },
            odrl: policy.to_odrl(),
            policy,
            rules: fondaco_core::decision::Rules::default(),
            created_at: Timestamp::from_micros(1),
        }
    }

    fn c(left: &str, op: &str, right: &str) -> Value {
        json!({"leftOperand": left, "operator": op, "rightOperand": right})
    }

    fn staff() -> Product {
        let column = |name: &str, kind: &str| json!({"name": name, "type": kind, "nullable": true, "description": "", "sourceType": ""});
        let profile = |name: &str| json!({"name": name, "nulls": 0, "min": "SECRET"});
        Product {
            participant: Slug::parse("acme").expect("slug"),
            reference: ProductRef { id: ProductId::parse("staff").expect("id"), version: 1 },
            kind: ProductKind::Table,
            state: ProductState::Published,
            title: "Staff".into(),
            description: String::new(),
            keywords: Vec::new(),
            listing: Listing::default(),
            derived_from: Vec::new(),
            publish_profile: true,
            content: json!({"rows": 9, "sizeBytes": 77, "schema": {"columns": [column("name", "string"), column("wage", "long")]},
                "profile": [profile("name"), profile("wage")]}),
            created_at: Timestamp::from_micros(1),
        }
    }

    #[test]
    fn terms_that_cannot_be_kept_are_refused() {
        let (product, policy) = (staff(), |constraint| offer(&json!([constraint])).policy);
        let refusal = |constraint| check_terms(&policy(constraint), product.kind, &product.content).expect_err("refused").to_string();
        assert!(refusal(c("fields", "eq", "Name")).contains("Did you mean name?"));
        assert!(refusal(c("rowFilter", "eq", "wage = 'much'")).contains("wage"));
        assert!(refusal(c("rowFilter", "eq", "wage > 1 AND wage < 1")).contains("No row"));
        assert!(check_terms(&policy(c("mask", "eq", "hash(name)")), product.kind, &product.content).is_ok());
        let files = check_terms(&policy(c("fields", "eq", "name")), ProductKind::Files, &json!({})).expect_err("refused");
        assert!(files.message().contains("about tables"), "{files}");
        assert!(check_terms(&policy(c("volume", "lteq", "9")), ProductKind::Files, &json!({})).is_ok());
    }

    #[test]
    fn a_catalogue_tells_what_some_offer_shows() {
        let (product, fields) = (staff(), |name| offer(&json!([c("fields", "eq", name)])));
        let told = |offers: &[&Offer]| shown(&product, offers);
        assert_eq!(told(&[&fields("name"), &offer(&json!([]))]), None, "all of it");
        let names =
            |told: &Value| told["schema"]["columns"].as_array().expect("columns").iter().map(|c| c["name"].clone()).collect::<Vec<_>>();
        let one = told(&[&fields("name")]).expect("a part");
        assert_eq!((names(&one), &one["rows"], one.get("sizeBytes")), (vec![json!("name")], &json!(9), None));
        assert_eq!(one["profile"].as_array().map(Vec::len), Some(1));
        let both = told(&[&fields("wage"), &fields("name")]).expect("a part");
        assert_eq!(names(&both), [json!("name"), json!("wage")]);
        for hidden in [c("rowFilter", "eq", "wage > 1"), c("minGroupSize", "gteq", "5")] {
            let few = told(&[&offer(&json!([hidden]))]).expect("a part");
            assert_eq!((few.get("rows"), &few["profile"]), (None, &json!([])), "{hidden}");
        }
        let masked = told(&[&offer(&json!([c("mask", "isAllOf", "hash(wage)")]))]);
        assert!(masked.is_none() || !masked.expect("a part")["profile"].to_string().contains("wage"));
        let misfit = told(&[&fields("gone")]).expect("a part");
        assert_eq!(misfit["schema"]["columns"], json!([]));
    }
}
