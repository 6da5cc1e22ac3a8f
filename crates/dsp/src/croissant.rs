//! [Croissant 1.1](https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html): a data set described for
//! search engines and loaders of machine learning, as JSON-LD. A value in, a document out.
//!
//! The context is the specification's own, written out, so that nothing needs to be fetched to read the document.
//! Offers go into `usageInfo` in the very form that the Dataspace Protocol gives them, under a context of their own.

use serde_json::{Map, Value, json};

/// The version that is written.
pub const CONFORMS_TO: &str = "http://mlcommons.org/croissant/1.1";

/// Media type of Parquet files: what the readers of Croissant know them by, not the registered one.
pub const PARQUET: &str = "application/x-parquet";

/// The name of the set that holds a table's or a folder's files, and of a table's records.
const FILES: &str = "files";
const RECORDS: &str = "records";

/// A data set.
#[derive(Debug, Clone, Default)]
pub struct Dataset<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it holds.
    pub description: &'a str,
    /// URL of the licence, or its name.
    pub license: &'a str,
    /// Where its page is.
    pub url: &'a str,
    /// Who made it.
    pub creator: Organization<'a>,
    /// ISO 8601 date.
    pub date_published: &'a str,
    /// Its version, as in `3` or `1.2.0`.
    pub version: &'a str,
    /// Words to find it by.
    pub keywords: &'a [String],
    /// BCP 47 tags of the languages of its content.
    pub languages: &'a [String],
    /// ODRL offers as the Dataspace Protocol writes them.
    pub offers: &'a [Value],
    /// Its files.
    pub files: Vec<File<'a>>,
    /// The columns of a table, whose files are Parquet; groups and maps are left out. `None` when it is files of any kind.
    pub columns: Option<Vec<Column<'a>>>,
}

/// An organisation.
#[derive(Debug, Clone, Default)]
pub struct Organization<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its page or DID.
    pub url: Option<&'a str>,
}

/// A file of a data set.
#[derive(Debug, Clone, Default)]
pub struct File<'a> {
    /// Its path in the data set, unique.
    pub path: &'a str,
    /// Where its bytes are; relative to the document, or absolute.
    pub content_url: &'a str,
    /// SHA-256 of its bytes, lower-case hex.
    pub sha256: &'a str,
    /// Exact size in bytes.
    pub size: u64,
    /// Media type.
    pub encoding_format: &'a str,
}

/// A column of a table.
#[derive(Debug, Clone)]
pub struct Column<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its type as Delta writes it: a string such as `"long"`, or an object for nested types.
    pub data_type: &'a Value,
    /// What it holds.
    pub description: Option<&'a str>,
}

impl Dataset<'_> {
    /// The document.
    pub fn to_json(&self) -> Value {
        let mut document = Map::new();
        let mut put = |key: &str, value: Value| document.insert(key.into(), value);
        put("@context", context());
        put("@type", json!("sc:Dataset"));
        put("conformsTo", json!(CONFORMS_TO));
        put("name", json!(self.name));
        put("description", json!(self.description));
        put("license", json!(self.license));
        put("url", json!(self.url));
        let mut creator = json!({"@type": "sc:Organization", "name": self.creator.name});
        if let Some(url) = self.creator.url {
            creator["url"] = json!(url);
        }
        put("creator", creator);
        put("datePublished", json!(self.date_published));
        put("version", json!(self.version));
        put("citeAs", json!(self.citation()));
        if !self.keywords.is_empty() {
            put("keywords", json!(self.keywords));
        }
        if !self.languages.is_empty() {
            put("inLanguage", json!(self.languages));
        }
        if !self.offers.is_empty() {
            put("usageInfo", self.offers.iter().map(usage_info).collect());
        }
        put("distribution", self.distribution());
        if let Some(columns) = &self.columns {
            let fields: Vec<Value> = columns.iter().filter_map(|column| self.field(column)).collect();
            put(
                "recordSet",
                json!([{"@type": "cr:RecordSet", "@id": RECORDS, "name": RECORDS, "description": "The rows of the table.", "field": fields}]),
            );
        }
        Value::Object(document)
    }

    /// How to cite it.
    fn citation(&self) -> String {
        let year = self.date_published.get(..4).unwrap_or_default();
        format!("{} ({year}): {}, version {}. {}", self.creator.name, self.name, self.version, self.url)
    }

    /// Whether a set stands for the files: a table of one file needs none.
    fn has_file_set(&self) -> bool {
        self.files.len() > 1
    }

    fn distribution(&self) -> Value {
        let mut resources: Vec<Value> = self
            .files
            .iter()
            .enumerate()
            .map(|(i, file)| {
                json!({
                    "@type": "cr:FileObject",
                    "@id": file_id(i, file),
                    "name": file.path,
                    "contentUrl": file.content_url,
                    "contentSize": format!("{} B", file.size),
                    "encodingFormat": file.encoding_format,
                    "sha256": file.sha256,
                })
            })
            .collect();
        if self.has_file_set() {
            let mut formats: Vec<&str> = self.files.iter().map(|f| f.encoding_format).collect();
            formats.sort_unstable();
            formats.dedup();
            let includes = if self.columns.is_some() { "*.parquet" } else { "**" };
            // In no container: the folder that the document is in, where the relative URLs of the files lead.
            resources.push(json!({
                "@type": "cr:FileSet",
                "@id": FILES,
                "name": FILES,
                "encodingFormat": if let [one] = formats.as_slice() { json!(one) } else { json!(formats) },
                "includes": includes,
            }));
        }
        Value::Array(resources)
    }

    /// A column as a field; `None` where its type has no counterpart.
    fn field(&self, column: &Column<'_>) -> Option<Value> {
        let (data_type, is_array) = data_type(column.data_type)?;
        let id = format!("{RECORDS}/{}", id_part(column.name));
        let from = match self.files.first() {
            Some(file) if !self.has_file_set() => ("fileObject", file_id(0, file)),
            _ => ("fileSet", FILES.to_owned()),
        };
        let mut source = json!({"extract": {"column": column.name}});
        source[from.0] = json!({"@id": from.1});
        let mut field = json!({"@type": "cr:Field", "@id": id, "name": column.name, "dataType": data_type, "source": source});
        if let Some(description) = column.description {
            field["description"] = json!(description);
        }
        if is_array {
            field["isArray"] = json!(true);
            field["arrayShape"] = json!("-1");
        }
        Some(field)
    }
}

/// What a file is called in the document. An `@id` is an IRI, so a path with anything but plain characters is
/// numbered instead.
fn file_id(i: usize, file: &File<'_>) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._/".contains(&b);
    if file.path.bytes().all(plain) && ![FILES, RECORDS].contains(&file.path) { file.path.to_owned() } else { format!("file-{}", i + 1) }
}

/// A name as part of an `@id`: characters that an IRI cannot hold are written as `_` and their number.
fn id_part(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() || "-._".contains(c) { c.to_string() } else { format!("_{:x}", u32::from(c)) }).collect()
}

/// The type of a column in Croissant's vocabulary, and whether it is a list of it. Groups, maps and lists of them have
/// none: loaders of Parquet do not find what is inside them.
fn data_type(delta: &Value) -> Option<(&'static str, bool)> {
    match delta {
        Value::String(name) => Some((scalar(name), false)),
        Value::Object(nested) if nested.get("type").and_then(Value::as_str) == Some("array") => {
            nested.get("elementType").and_then(Value::as_str).map(|element| (scalar(element), true))
        }
        _ => None,
    }
}

fn scalar(delta: &str) -> &'static str {
    match delta {
        "boolean" => "sc:Boolean",
        "byte" => "cr:Int8",
        "short" => "cr:Int16",
        "integer" => "cr:Int32",
        "long" => "cr:Int64",
        "float" => "cr:Float32",
        "double" => "cr:Float64",
        "date" => "sc:Date",
        "timestamp" | "timestamp_ntz" => "sc:DateTime",
        decimal if decimal.starts_with("decimal") => "sc:Float",
        _ => "sc:Text",
    }
}

/// An offer with the context that its terms are from.
fn usage_info(offer: &Value) -> Value {
    let term = || json!({"@type": "@vocab"});
    let mut info = Map::new();
    info.insert(
        "@context".into(),
        json!({
            "@vocab": "http://www.w3.org/ns/odrl/2/",
            "action": term(),
            "leftOperand": term(),
            "operator": term(),
        }),
    );
    if let Value::Object(members) = offer {
        info.extend(members.iter().filter(|(key, _)| *key != "@context").map(|(key, value)| (key.clone(), value.clone())));
    }
    info.insert("@type".into(), json!(["https://schema.org/CreativeWork", "Offer"]));
    Value::Object(info)
}

/// The context of the specification's appendix 1, with `https` and languages as the reference library has them.
fn context() -> Value {
    json!({
        "@language": "en",
        "@vocab": "https://schema.org/",
        "arrayShape": "cr:arrayShape",
        "citeAs": "cr:citeAs",
        "column": "cr:column",
        "conformsTo": "dct:conformsTo",
        "containedIn": "cr:containedIn",
        "cr": "http://mlcommons.org/croissant/",
        "data": {"@id": "cr:data", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "dct": "http://purl.org/dc/terms/",
        "description": {"@container": "@language"},
        "equivalentProperty": "cr:equivalentProperty",
        "examples": {"@id": "cr:examples", "@type": "@json"},
        "extract": "cr:extract",
        "field": "cr:field",
        "fileObject": "cr:fileObject",
        "fileProperty": "cr:fileProperty",
        "fileSet": "cr:fileSet",
        "format": "cr:format",
        "includes": "cr:includes",
        "isArray": "cr:isArray",
        "isLiveDataset": "cr:isLiveDataset",
        "jsonPath": "cr:jsonPath",
        "key": "cr:key",
        "md5": "cr:md5",
        "name": {"@container": "@language"},
        "parentField": "cr:parentField",
        "path": "cr:path",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "recordSet": "cr:recordSet",
        "references": "cr:references",
        "regex": "cr:regex",
        "repeated": "cr:repeated",
        "replace": "cr:replace",
        "samplingRate": "cr:samplingRate",
        "sc": "https://schema.org/",
        "separator": "cr:separator",
        "source": "cr:source",
        "subField": "cr:subField",
        "transform": "cr:transform",
    })
}
