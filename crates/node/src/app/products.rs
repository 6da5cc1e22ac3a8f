//! Products: publish a version with its offers, withdraw it.

use super::{
    App, bounded,
    idempotency::{Key, Once, once},
    product_files::{FILES_AT_ONCE, shown_file, table_row},
};
use fondaco_core::{
    Code, Error, Result,
    decision::{DECISIONS_MAX, Rules},
    ids::{FOREIGN_ID_MAX_CHARS, OfferId},
    participant::{Participant, Slug},
    policy::Policy,
    product::{
        DESCRIPTION_MAX_CHARS, KEYWORDS_MAX, OFFERS_MAX, Offer, Product, ProductId, ProductKind, ProductRef, ProductState, TITLE_MAX_CHARS,
    },
};
use fondaco_store::{NewEvent, ProductFile, Tx};
use fondaco_tables::{
    StorageTrouble, TablesError,
    publish::{Progress, PublishOptions, TableSource, publish_table},
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Longest keyword.
const KEYWORD_MAX_CHARS: usize = 100;
/// Largest terms of one offer, in bytes of JSON: they travel in every message about it, and a message has 1 MiB.
const OFFER_MAX_BYTES: usize = 256 * 1024;
/// Most source paths of one product.
const PATHS_MAX: usize = 10_000;
/// Where the node notes the folder of a product's files, inside its content; never shown to others.
const FOLDER: &str = "folder";

/// A publication as asked for.
#[derive(Clone, Debug)]
pub struct Publish {
    /// The product id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// Search words.
    pub keywords: Vec<String>,
    /// Files and folders on this machine.
    pub paths: Vec<PathBuf>,
    /// ODRL offers; none means open to every participant.
    pub offers: Vec<Value>,
    /// Whether the profile goes into the catalogue.
    pub publish_profile: bool,
    /// Texts that stand for a missing value in CSV.
    pub null_values: Option<Vec<String>>,
}

/// A product version with its offers.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The product.
    pub product: Product,
    /// Its offers.
    pub offers: Vec<Offer>,
    /// Its first files, at most [`super::product_files::FILES_AT_ONCE`]; empty in lists of products.
    pub files: Vec<ProductFile>,
}

impl App {
    /// Publishes a new version of a table from files on this machine.
    ///
    /// # Errors
    /// [`Code::PolicyUnsupported`] before anything is read; [`Code::SourceMalformed`] and its kin naming file and place.
    pub async fn publish_table(
        &self,
        participant: &Participant,
        publish: Publish,
        key: Option<Key>,
        progress: impl FnMut(Progress) + Send + 'static,
    ) -> Result<Listing> {
        let id = ProductId::parse(&publish.id)?;
        let title = publish.title.trim().to_owned();
        if title.is_empty() {
            return Err(Error::invalid("A product needs a title."));
        }
        bounded("title", &title, TITLE_MAX_CHARS)?;
        bounded("description", &publish.description, DESCRIPTION_MAX_CHARS)?;
        if publish.keywords.len() > KEYWORDS_MAX || publish.offers.len() > OFFERS_MAX || publish.paths.len() > PATHS_MAX {
            return Err(Error::invalid(format!("At most {KEYWORDS_MAX} keywords, {OFFERS_MAX} offers and {PATHS_MAX} paths.")));
        }
        for keyword in &publish.keywords {
            bounded("keyword", keyword, KEYWORD_MAX_CHARS)?;
        }
        let terms = read_offers(&publish.offers)?;
        if let Some(relative) = publish.paths.iter().find(|p| !p.is_absolute()) {
            return Err(Error::invalid(format!("{} is not an absolute path on the node's machine.", relative.display())));
        }

        // The version is known only in the transaction, so the folder has a name of its own.
        let now = self.now();
        let folder = format!("{}/{}/{}", participant.slug, id, fondaco_core::ids::uuid_v7(now, &*self.entropy).simple());
        let out = self.config.data_dir().join(&folder);
        let mut options = PublishOptions::default();
        if let Some(nulls) = publish.null_values {
            options.limits.csv_null_values = nulls;
        }
        let source = TableSource::Paths(publish.paths.clone());
        let (target, data) = (out.clone(), self.config.data_dir());
        let mut progress = progress;
        let mut table = tokio::task::spawn_blocking(move || {
            if let Some(parent) = target.parent() {
                std::fs::create_dir_all(parent).map_err(Error::internal_failure)?;
            }
            publish_table(&source, &target, &options, &mut progress).map_err(|e| tables_error(&e, &data))
        })
        .await
        .map_err(Error::internal_failure)??;

        let files = std::mem::take(&mut table.files);
        let rows = files.iter().enumerate().map(|(i, file)| table_row(i, file)).collect::<Result<Vec<_>>>()?;
        let mut content = serde_json::to_value(&table).map_err(Error::internal_failure)?;
        content["fileCount"] = json!(rows.len());
        content[FOLDER] = json!(folder);
        let product = Product {
            participant: participant.slug.clone(),
            reference: ProductRef { id, version: 1 },
            kind: ProductKind::Table,
            state: ProductState::Published,
            title,
            description: publish.description.trim().to_owned(),
            keywords: publish.keywords,
            listing: fondaco_core::product::Listing::default(),
            publish_profile: publish.publish_profile,
            content,
            created_at: now,
        };
        let stored = self.product_store(product, rows, terms, key).await;
        if !matches!(stored, Ok(Once::Done(_)))
            && let Err(e) = tokio::fs::remove_dir_all(&out).await
        {
            tracing::warn!(cause = %e, "publish.leftover {}", out.display());
        }
        match stored? {
            Once::Done(listing) => Ok(listing),
            Once::Before(dataset) => {
                let version = ProductRef::parse_dataset_id(&dataset).map(|r| r.version);
                self.listing(&participant.slug, &publish.id, version).await
            }
        }
    }

    /// Stores a product version and its offers.
    async fn product_store(
        &self,
        mut product: Product,
        mut files: Vec<ProductFile>,
        terms: Vec<(Option<String>, Policy)>,
        key: Option<Key>,
    ) -> Result<Once<Listing>> {
        let app = self.clone();
        self.store
            .tx("product.publish", move |tx| {
                let publish = |tx: &mut Tx| {
                    let now = product.created_at;
                    product.reference.version = tx.product_next_version(&product.participant, &product.reference.id)?;
                    tx.product_insert(&product)?;
                    tx.product_files_insert(&product.participant, &product.reference, &files)?;
                    let mut offers = Vec::with_capacity(terms.len());
                    for (id, policy) in terms {
                        let id = match id {
                            // An offer's id must be unique; the file of version 1 may be used again for version 2.
                            Some(id) if product.reference.version > 1 => {
                                OfferId::from_stored(format!("{id}:{}", product.reference.version))
                            }
                            Some(id) => OfferId::from_stored(id),
                            None => OfferId::generate(now, &*app.entropy),
                        };
                        if tx.offer_get(&product.participant, &id)?.is_some() {
                            return Err(Error::new(
                                Code::Conflict,
                                format!("There is an offer with the id \"{id}\" already. Leave \"@id\" out."),
                            ));
                        }
                        let offer = Offer {
                            id,
                            participant: product.participant.clone(),
                            product: product.reference.clone(),
                            odrl: policy.to_odrl(),
                            policy,
                            rules: Rules::default(),
                            created_at: now,
                        };
                        tx.offer_insert(&offer)?;
                        offers.push(offer);
                    }
                    tx.event_append(&NewEvent {
                        participant: product.participant.clone(),
                        topic: format!("product:{}", product.reference.dataset_id()),
                        kind: "product.published".into(),
                        actor: product.participant.to_string(),
                        text: format!("Published \"{}\", version {}.", product.title, product.reference.version),
                        detail: json!({"product": product.reference.id, "version": product.reference.version}),
                    })?;
                    files.truncate(FILES_AT_ONCE as usize);
                    Ok(Listing { product, offers, files: std::mem::take(&mut files) })
                };
                once(tx, key.as_ref(), publish, |listing| listing.product.reference.dataset_id())
            })
            .await
    }

    /// Sets what this node does of its own accord about an offer: `{"requested": [{"do": "hold"}]}` leaves requests to a
    /// person. The terms stay; negotiations that run keep the rules they began with.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::Invalid`] for a list that is too long.
    pub async fn offer_set_rules(&self, slug: &Slug, id: &OfferId, rules: Rules) -> Result<Offer> {
        if rules.0.values().any(|list| list.is_empty() || list.len() > DECISIONS_MAX) {
            return Err(Error::invalid(format!("A point has 1 to {DECISIONS_MAX} decisions.")));
        }
        let (slug, id) = (slug.clone(), id.clone());
        self.store
            .tx("offer.rules", move |tx| -> Result<Offer> {
                let offer = tx.offer_get(&slug, &id)?.ok_or_else(|| Error::not_found(format!("The offer \"{id:.100}\"")))?;
                let updated = Offer { rules: rules.clone(), ..offer };
                tx.offer_update(&updated)?;
                Ok(updated)
            })
            .await
    }

    /// Takes a version (the newest, unless one is named) out of the catalogue. Agreements already made go on.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::Conflict`] when it is withdrawn already.
    pub async fn product_withdraw(&self, slug: &Slug, id: &str, version: Option<u32>) -> Result<Listing> {
        let listing = self.listing(slug, id, version).await?;
        if listing.product.state == ProductState::Withdrawn {
            return Err(Error::new(Code::Conflict, "This version is withdrawn already."));
        }
        let (slug, reference) = (slug.clone(), listing.product.reference.clone());
        self.store
            .tx("product.withdraw", move |tx| -> Result<()> {
                tx.product_set_state(&slug, &reference, ProductState::Withdrawn)?;
                tx.event_append(&NewEvent {
                    participant: slug.clone(),
                    topic: format!("product:{}", reference.dataset_id()),
                    kind: "product.withdrawn".into(),
                    actor: slug.to_string(),
                    text: format!("Withdrew version {} of \"{}\".", reference.version, reference.id),
                    detail: json!({"product": reference.id, "version": reference.version}),
                })?;
                Ok(())
            })
            .await?;
        Ok(Listing { product: Product { state: ProductState::Withdrawn, ..listing.product }, offers: listing.offers, files: listing.files })
    }

    /// A version of a product of ours: the named one, else the newest on offer, else the newest.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub async fn listing(&self, slug: &Slug, id: &str, version: Option<u32>) -> Result<Listing> {
        let missing = Error::not_found(format!("The product \"{id:.100}\""));
        let Some(reference) = ProductRef::parse_dataset_id(id) else { return Err(missing) };
        let named = version.or_else(|| id.contains(':').then_some(reference.version));
        let slug = slug.clone();
        self.store
            .read("product.listing", move |tx| -> Result<_> {
                let product = match named {
                    Some(version) => tx.product_get(&slug, &ProductRef { id: reference.id.clone(), version })?,
                    None => match tx.product_latest(&slug, &reference.id)? {
                        Some(latest) => Some(latest),
                        None => tx.product_last(&slug, &reference.id)?,
                    },
                };
                let Some(product) = product else { return Err(missing) };
                let offers = tx.offers_of(&slug, &product.reference)?;
                let files = tx.product_files_page(&slug, &product.reference, 0, FILES_AT_ONCE)?;
                Ok(Listing { product, offers, files })
            })
            .await
    }

    /// The folder with a product version's files.
    ///
    /// # Errors
    /// When the product has none.
    pub fn product_dir(&self, product: &Product) -> Result<PathBuf> {
        let folder = product.content.get(FOLDER).and_then(Value::as_str).map(Path::new);
        let folder = folder.filter(|f| f.components().all(|c| matches!(c, std::path::Component::Normal(_))));
        folder
            .map(|f| self.config.data_dir().join(f))
            .ok_or_else(|| Error::internal_failure(format!("{} has no folder", product.reference.dataset_id())))
    }
}

/// What may be shown of a product's content: everything but where it lies, with its first files.
pub fn shown_content(listing: &Listing) -> Value {
    let mut content = listing.product.content.clone();
    if let Some(map) = content.as_object_mut() {
        map.shift_remove(FOLDER);
        if !listing.files.is_empty() {
            map.insert("files".into(), listing.files.iter().map(shown_file).collect());
        }
    }
    content
}

/// Offer files, checked before any data is touched.
fn read_offers(offers: &[Value]) -> Result<Vec<(Option<String>, Policy)>> {
    if offers.is_empty() {
        return Ok(vec![(None, Policy::open())]);
    }
    offers
        .iter()
        .map(|odrl| {
            let id = match odrl.get("@id") {
                None => None,
                Some(Value::String(id))
                    if !id.is_empty() && id.len() <= FOREIGN_ID_MAX_CHARS && id.bytes().all(|b| b.is_ascii_graphic()) =>
                {
                    Some(id.clone())
                }
                Some(_) => {
                    return Err(Error::invalid("An offer's \"@id\" is a text of visible characters without spaces. It may be left out."));
                }
            };
            if odrl.get("target").is_some() {
                return Err(Error::invalid("An offer file has no \"target\": its target is the product it is published with."));
            }
            let policy = Policy::from_odrl(odrl)?;
            if policy.to_odrl().to_string().len() > OFFER_MAX_BYTES {
                return Err(Error::new(Code::TooLarge, format!("An offer's terms have at most {} KiB.", OFFER_MAX_BYTES / 1024)));
            }
            Ok((id, policy))
        })
        .collect()
}

/// The code of a failed publication into a folder of ours.
fn tables_error(e: &TablesError, own_folder: &Path) -> Error {
    let code = match e {
        TablesError::MalformedParquet { .. }
        | TablesError::MalformedCsv { .. }
        | TablesError::MalformedJson { .. }
        | TablesError::MalformedWorkbook { .. }
        | TablesError::MalformedDelta { .. }
        | TablesError::BadColumnName { .. } => Code::SourceMalformed,
        TablesError::UnsupportedType { .. } | TablesError::UnsupportedDelta { .. } => Code::TypeUnsupported,
        TablesError::SchemaMismatch { .. } => Code::SchemaMismatch,
        TablesError::TooLarge { .. } => Code::TooLarge,
        TablesError::Empty(_)
        | TablesError::BadSource { .. }
        | TablesError::NoSuchVersion { .. }
        | TablesError::MissingFile { .. }
        | TablesError::Storage { trouble: StorageTrouble::Missing | StorageTrouble::Changed, .. } => Code::SourceUnreadable,
        TablesError::Storage { trouble: StorageTrouble::Refused, .. } => Code::SourceRefused,
        TablesError::Storage { .. } => Code::SourceUnreachable,
        TablesError::Cancelled => Code::Cancelled,
        // The publisher's file; what fails in our own folder is our failure.
        TablesError::Io { path, .. } if !path.starts_with(own_folder) => Code::SourceUnreadable,
        _ => return Error::internal_failure(e),
    };
    Error::new(code, format!("Nothing was published. {e}"))
}
