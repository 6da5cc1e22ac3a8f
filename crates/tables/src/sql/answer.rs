//! Answers as they go out: Arrow's stream format, or JSON.

use super::{
    Limits, SqlError,
    queries::{Part, Work},
};
use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions},
    compute::cast,
    datatypes::{DataType, Field, Schema, SchemaRef},
    ipc::writer::StreamWriter,
    json::writer::{JsonFormat, WriterBuilder},
};
use bytes::Bytes;
use futures::{Stream, stream};
use serde_json::json;
use std::{
    collections::HashSet,
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::mpsc;

/// In which form an answer goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Arrow's IPC stream.
    Arrow,
    /// `{"columns": [{"name", "type", "nullable"}], "rows": [{…}, …]}`.
    Json,
}

impl Format {
    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Json => "application/json",
        }
    }
}

/// What of an answer has gone out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Rows.
    pub rows: u64,
    /// Bytes, as Arrow holds them.
    pub bytes: u64,
}

impl Counted {
    /// Counts a batch in.
    pub(super) fn add(&mut self, batch: &RecordBatch, limits: &Limits) -> Result<(), SqlError> {
        self.rows += batch.num_rows() as u64;
        self.bytes += batch_bytes(batch);
        if self.rows > limits.rows {
            return Err(SqlError::TooLarge(format!("The answer has more than {} rows. Ask for less, or for the files.", limits.rows)));
        }
        if self.bytes > limits.bytes {
            return Err(SqlError::TooLarge(format!("The answer has more than {} bytes. Ask for less, or for the files.", limits.bytes)));
        }
        Ok(())
    }
}

/// Bytes of a batch in [`common`] types: what a slice of a larger one shows, not what it holds on to.
pub(super) fn batch_bytes(batch: &RecordBatch) -> u64 {
    batch.columns().iter().map(|c| bytes_of(c)).fold(0, u64::saturating_add)
}

fn bytes_of(array: &dyn Array) -> u64 {
    let offsets = |width: u64| width * (array.len() as u64 + 1);
    let slice = |of: &ArrayRef, from: usize, to: usize| bytes_of(&of.slice(from, to.saturating_sub(from)));
    // As many bytes as there are places: a view is shared among rows here, and each has its own when it goes out.
    let texts = |lengths: &mut dyn Iterator<Item = usize>| offsets(4) + lengths.map(|l| l as u64).sum::<u64>();
    match array.data_type() {
        DataType::Utf8View => texts(&mut array.as_string_view().iter().flatten().map(str::len)),
        DataType::BinaryView => texts(&mut array.as_binary_view().iter().flatten().map(<[u8]>::len)),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let (from, to) = (list.value_offsets()[0], list.value_offsets()[list.len()]);
            offsets(4) + slice(list.values(), usize::try_from(from).unwrap_or(0), usize::try_from(to).unwrap_or(0))
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            let (from, to) = (list.value_offsets()[0], list.value_offsets()[list.len()]);
            offsets(8) + slice(list.values(), usize::try_from(from).unwrap_or(0), usize::try_from(to).unwrap_or(0))
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let (from, to) = (map.value_offsets()[0], map.value_offsets()[map.len()]);
            let (from, to) = (usize::try_from(from).unwrap_or(0), usize::try_from(to).unwrap_or(0));
            offsets(4) + map.entries().columns().iter().map(|c| slice(c, from, to)).sum::<u64>()
        }
        DataType::Struct(_) => array.as_struct().columns().iter().map(|c| bytes_of(c)).sum(),
        _ => array.to_data().get_slice_memory_size().map_or(u64::MAX, |bytes| bytes as u64),
    }
}

/// The answer to a statement, row by row as it is computed.
#[derive(Debug)]
pub struct Answer {
    schema: SchemaRef,
    batches: mpsc::Receiver<Result<Part, SqlError>>,
    first: Option<Result<Part, SqlError>>,
    /// Whether the last batch was handed over.
    whole: Arc<AtomicBool>,
    _work: Work,
}

impl Answer {
    pub(super) fn new(schema: &Schema, batches: mpsc::Receiver<Result<Part, SqlError>>, whole: Arc<AtomicBool>, work: Work) -> Self {
        Self { schema: Arc::new(common(schema)), batches, first: None, whole, _work: work }
    }

    /// The columns.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Waits until the first rows are there, or the end: what fails at once is told before anything goes out.
    ///
    /// # Errors
    /// Why there are no first rows.
    pub async fn begin(mut self) -> Result<Self, SqlError> {
        self.first = match self.part().await {
            Some(Err(e)) => return Err(e),
            first => first,
        };
        Ok(self)
    }

    /// The next rows.
    pub(crate) async fn next(&mut self) -> Option<Result<RecordBatch, SqlError>> {
        Some(self.part().await?.map(|part| part.rows))
    }

    async fn part(&mut self) -> Option<Result<Part, SqlError>> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let Some(part) = self.batches.recv().await else {
            // A part must not look like the whole.
            let cut = || SqlError::TooLarge("The answer was not read in time. Read it faster, or ask for less.".into());
            return (!self.whole.swap(true, Ordering::AcqRel)).then(|| Err(cut()));
        };
        if part.is_err() {
            self.whole.store(true, Ordering::Release);
        }
        Some(part.and_then(|part| Ok(Part { rows: in_common_types(&part.rows, &self.schema)?, ..part })))
    }

    /// The answer's bytes, with what each piece counts. An error is the last item.
    pub fn into_bytes(self, format: Format) -> impl Stream<Item = Result<(Bytes, Counted), SqlError>> + Send + 'static {
        let encoder = Encoder::new(format, &self.schema);
        stream::try_unfold((self, Some(encoder)), |(mut answer, encoder)| async move {
            let Some(encoder) = encoder else { return Ok(None) };
            let mut encoder = encoder?;
            let Some(part) = answer.part().await else {
                return Ok(Some(((encoder.end()?.into(), Counted::default()), (answer, None))));
            };
            let Part { rows, is_last } = part?;
            let counted = Counted { rows: rows.num_rows() as u64, bytes: batch_bytes(&rows) };
            let mut bytes = encoder.rows(&rows)?;
            let encoder = if is_last {
                bytes.append(&mut encoder.end()?);
                None
            } else {
                Some(Ok(encoder))
            };
            Ok(Some(((bytes.into(), counted), (answer, encoder))))
        })
    }
}

/// Types that every reader of Arrow knows: views are texts and bytes.
pub(super) fn common(schema: &Schema) -> Schema {
    let fields = schema.fields().iter().map(|f| Field::new(f.name(), common_type(f.data_type()), f.is_nullable()));
    Schema::new(fields.collect::<Vec<_>>())
}

fn common_type(data_type: &DataType) -> DataType {
    let inner = |f: &Arc<Field>| Arc::new(f.as_ref().clone().with_data_type(common_type(f.data_type())));
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::List(f) => DataType::List(inner(f)),
        DataType::LargeList(f) => DataType::LargeList(inner(f)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        other => other.clone(),
    }
}

fn in_common_types(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, SqlError> {
    let failed = |e: arrow::error::ArrowError| SqlError::Failed(e.to_string());
    let columns = batch.columns().iter().zip(schema.fields());
    let columns: Vec<ArrayRef> = columns
        .map(|(c, f)| if c.data_type() == f.data_type() { Ok(Arc::clone(c)) } else { cast(c, f.data_type()) })
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(failed)
}

/// Rows of JSON with commas between.
#[derive(Debug, Default)]
struct Listed;

impl JsonFormat for Listed {
    fn start_row<W: Write>(&self, writer: &mut W, is_first_row: bool) -> Result<(), arrow::error::ArrowError> {
        writer.write_all(if is_first_row { &b"\n"[..] } else { b",\n" })?;
        Ok(())
    }
}

/// Columns with a name each: one that is there before gets a number, for in an object of JSON the last would hide the others.
fn told_apart(schema: &SchemaRef) -> SchemaRef {
    let mut taken: HashSet<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
    let mut seen = HashSet::new();
    let fields = schema.fields().iter().map(|field| {
        if seen.insert(field.name().clone()) {
            return Arc::clone(field);
        }
        let names = (1..).map(|n| format!("{}_{n}", field.name()));
        let free = names.take(schema.fields().len() + taken.len()).find(|name| taken.insert(name.clone()));
        Arc::new(field.as_ref().clone().with_name(free.unwrap_or_default()))
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

enum Encoder {
    Arrow(Box<StreamWriter<Vec<u8>>>),
    Json { schema: SchemaRef, head: Option<String>, some: bool },
}

impl Encoder {
    fn new(format: Format, schema: &SchemaRef) -> Result<Self, SqlError> {
        Ok(match format {
            Format::Arrow => Self::Arrow(Box::new(StreamWriter::try_new(Vec::new(), schema).map_err(|e| SqlError::Failed(e.to_string()))?)),
            Format::Json => {
                let schema = told_apart(schema);
                let column = |f: &Arc<Field>| json!({"name": f.name(), "type": f.data_type().to_string(), "nullable": f.is_nullable()});
                let columns = serde_json::Value::from(schema.fields().iter().map(column).collect::<Vec<_>>());
                let head = Some(format!("{{\"columns\": {columns}, \"rows\": ["));
                Self::Json { schema, head, some: false }
            }
        })
    }

    fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, SqlError> {
        let failed = |e: arrow::error::ArrowError| SqlError::Failed(e.to_string());
        match self {
            Self::Arrow(writer) => {
                writer.write(batch).map_err(failed)?;
                Ok(std::mem::take(writer.get_mut()))
            }
            Self::Json { schema, head, some } => {
                let mut out = head.take().unwrap_or_default().into_bytes();
                if batch.num_rows() > 0 {
                    if std::mem::replace(some, true) {
                        out.push(b',');
                    }
                    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                    let renamed =
                        RecordBatch::try_new_with_options(Arc::clone(schema), batch.columns().to_vec(), &options).map_err(failed)?;
                    // A missing value is said, not left out: every row has every column.
                    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, Listed>(out);
                    writer.write(&renamed).map_err(failed)?;
                    writer.finish().map_err(failed)?;
                    out = writer.into_inner();
                }
                Ok(out)
            }
        }
    }

    fn end(self) -> Result<Vec<u8>, SqlError> {
        match self {
            Self::Arrow(mut writer) => {
                writer.finish().map_err(|e| SqlError::Failed(e.to_string()))?;
                Ok(std::mem::take(writer.get_mut()))
            }
            Self::Json { head, .. } => Ok(format!("{}\n]}}\n", head.unwrap_or_default()).into_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_given_twice() {
        let named = |names: &[&str]| Arc::new(Schema::new(names.iter().map(|n| Field::new(*n, DataType::Int64, true)).collect::<Vec<_>>()));
        let told = |names| told_apart(&named(names)).fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>();
        assert_eq!(told(&["id", "at"]), ["id", "at"]);
        assert_eq!(told(&["id", "id", "id_1", "id", ""]), ["id", "id_2", "id_1", "id_3", ""]);
    }
}
