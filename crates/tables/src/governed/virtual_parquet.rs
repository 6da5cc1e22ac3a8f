//! Virtual Parquet: a file of which only some columns and row groups are shown, made of byte ranges of the source and a
//! footer of its own. Nothing is decoded, copied or kept, and its exact size is known from the source's footer alone.
//!
//! What is not shown is in none of its bytes: the footer is written anew and names visible columns only, without key-value
//! metadata, page indexes, bloom filters, sort orders and field ids. Pages are taken as they are: their own checksums hold.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use parquet::{
    basic::ColumnOrder,
    errors::{ParquetError, Result as ParquetResult},
    file::metadata::{
        ColumnChunkMetaData, FileMetaData, ParquetMetaData, ParquetMetaDataBuilder, ParquetMetaDataReader, ParquetMetaDataWriter,
        RowGroupMetaData,
    },
    schema::types::{ColumnDescPtr, SchemaDescPtr, SchemaDescriptor, Type, TypePtr},
};

use super::footer::{HEAD, place};
use crate::publish::FileStats;

/// Said to have written the footers; the pages may be anybody's.
pub(super) fn created_by() -> String {
    format!("fondaco version {}", env!("CARGO_PKG_VERSION"))
}

/// A piece of a governed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Bytes(Bytes),
    /// Bytes of the source file.
    Source {
        /// Where they begin.
        start: u64,
        /// How many.
        length: u64,
    },
}

impl Piece {
    /// How many bytes it is.
    pub fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Source { length, .. } => *length,
        }
    }
}

/// A range of the source, and where it lies in the virtual file.
#[derive(Clone, Copy, Debug)]
struct Segment {
    at: u64,
    start: u64,
    length: u64,
}

/// A file that exists as a footer and ranges of another.
#[derive(Clone, Debug)]
pub struct VirtualFile {
    segments: Vec<Segment>,
    footer: Bytes,
    /// Where the footer begins.
    data_end: u64,
    rows: u64,
    stats: FileStats,
}

impl VirtualFile {
    /// The exact size in bytes.
    pub fn size(&self) -> u64 {
        self.data_end + self.footer.len() as u64
    }

    /// Its rows.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Statistics of what it shows.
    pub const fn stats(&self) -> &FileStats {
        &self.stats
    }

    /// The pieces that make up a range of it; what lies beyond its end is left out.
    pub fn slice(&self, range: Range<u64>) -> Vec<Piece> {
        let (from, to) = (range.start, range.end.min(self.size()));
        let mut pieces = Vec::new();
        let head = HEAD.len() as u64;
        if from < head.min(to) {
            pieces.push(Piece::Bytes(Bytes::from_static(HEAD).slice(clamp(from)..clamp(to.min(head)))));
        }
        let first = self.segments.partition_point(|s| s.at + s.length <= from);
        for segment in self.segments[first..].iter().take_while(|s| s.at < to) {
            let (start, end) = (from.max(segment.at), to.min(segment.at + segment.length));
            if start < end {
                pieces.push(Piece::Source { start: segment.start + (start - segment.at), length: end - start });
            }
        }
        if to > self.data_end && from < to {
            let begin = from.max(self.data_end) - self.data_end;
            pieces.push(Piece::Bytes(self.footer.slice(clamp(begin)..clamp(to - self.data_end))));
        }
        pieces
    }

    /// About how much memory it takes.
    pub(super) fn weight(&self) -> usize {
        self.footer.len() + self.segments.len() * size_of::<Segment>()
    }
}

fn clamp(n: u64) -> usize {
    // Of a footer's bytes, which are in memory.
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// A virtual file of some leaves and row groups of a source whose layout was checked. `stats` are those of what is shown.
pub(super) fn build(source: &ParquetMetaData, shown: &[bool], groups: &[usize], stats: FileStats) -> ParquetResult<VirtualFile> {
    let descr = source.file_metadata().schema_descr();
    if shown.len() != descr.num_columns() {
        return Err(ParquetError::General("not the columns of the table".into()));
    }
    let mut leaf = 0;
    let fields =
        descr.root_schema().get_fields().iter().filter_map(|f| pruned(f, shown, &mut leaf).transpose()).collect::<ParquetResult<_>>()?;
    // The root's name is the writer's, and says nothing.
    let root = Type::group_type_builder("schema").with_fields(fields).build()?;
    let schema: SchemaDescPtr = Arc::new(SchemaDescriptor::new(Arc::new(root)));
    let leaves: Vec<usize> = shown.iter().enumerate().filter_map(|(i, s)| s.then_some(i)).collect();
    if schema.num_columns() != leaves.len() {
        return Err(ParquetError::General("not the columns of the table".into()));
    }
    let mut at = HEAD.len() as u64;
    let mut segments: Vec<Segment> = Vec::new();
    let mut rows = 0_i64;
    let mut row_groups = Vec::with_capacity(groups.len());
    for (ordinal, group) in groups.iter().enumerate() {
        let group = source.row_group(*group);
        rows += group.num_rows();
        let first = at;
        let mut columns = Vec::with_capacity(leaves.len());
        for (leaf, descr) in leaves.iter().zip(schema.columns()) {
            let chunk = group.column(*leaf);
            let (start, length) = place(chunk).unwrap_or((at, 0));
            let ordered = matches!(source.file_metadata().column_order(*leaf), ColumnOrder::TYPE_DEFINED_ORDER(_));
            columns.push(moved(chunk, descr, start, at, ordered)?);
            match segments.last_mut() {
                Some(last) if last.start + last.length == start => last.length += length,
                _ if length > 0 => segments.push(Segment { at, start, length }),
                _ => (),
            }
            at += length;
        }
        let size = columns.iter().map(ColumnChunkMetaData::uncompressed_size).sum();
        let builder = RowGroupMetaData::builder(Arc::clone(&schema))
            .set_num_rows(group.num_rows())
            .set_total_byte_size(size)
            .set_file_offset(i64::try_from(first)?)
            .set_column_metadata(columns);
        row_groups.push(builder.set_ordinal(i16::try_from(ordinal)?).build()?);
    }
    let orders = schema.columns().iter().map(|c| {
        ColumnOrder::TYPE_DEFINED_ORDER(ColumnOrder::sort_order_for_type(c.logical_type_ref(), c.converted_type(), c.physical_type()))
    });
    let file =
        FileMetaData::new(source.file_metadata().version(), rows, Some(created_by()), None, Arc::clone(&schema), Some(orders.collect()));
    let metadata = ParquetMetaDataBuilder::new(file).set_row_groups(row_groups).build();
    let mut footer = Vec::new();
    ParquetMetaDataWriter::new(&mut footer, &metadata).finish()?;
    // What a reader will make of it; also what our own reader would not read is not served.
    let body = footer.len().checked_sub(8).ok_or_else(|| ParquetError::General("a footer without an end".into()))?;
    let read = ParquetMetaDataReader::decode_metadata(&footer[..body])?;
    if read.num_row_groups() != groups.len() || read.file_metadata().schema_descr().num_columns() != leaves.len() {
        return Err(ParquetError::General("the footer does not read as it was written".into()));
    }
    Ok(VirtualFile { segments, footer: footer.into(), data_end: at, rows: u64::try_from(rows)?, stats })
}

/// The Arrow columns that a reader will find in the virtual file of these leaves.
pub(super) fn visible_schema(source: &ParquetMetaData, shown: &[bool]) -> ParquetResult<arrow::datatypes::Schema> {
    let mut leaf = 0;
    let fields = source.file_metadata().schema().get_fields().iter();
    let fields = fields.filter_map(|f| pruned(f, shown, &mut leaf).transpose()).collect::<ParquetResult<_>>()?;
    let root = Type::group_type_builder("schema").with_fields(fields).build()?;
    parquet::arrow::parquet_to_arrow_schema(&SchemaDescriptor::new(Arc::new(root)), None)
}

/// A type with its visible leaves alone.
fn pruned(field: &TypePtr, shown: &[bool], leaf: &mut usize) -> ParquetResult<Option<TypePtr>> {
    let info = field.get_basic_info();
    match field.as_ref() {
        Type::PrimitiveType { physical_type, type_length, scale, precision, .. } => {
            let visible = shown.get(*leaf).copied().unwrap_or(false);
            *leaf += 1;
            if !visible {
                return Ok(None);
            }
            // Built anew, so that what is not named here, such as a field's id, is not in it.
            let builder = Type::primitive_type_builder(field.name(), *physical_type)
                .with_repetition(info.repetition())
                .with_converted_type(info.converted_type())
                .with_logical_type(info.logical_type_ref().cloned())
                .with_length(*type_length)
                .with_precision(*precision)
                .with_scale(*scale);
            Ok(Some(Arc::new(builder.build()?)))
        }
        Type::GroupType { fields, .. } => {
            let parts: Vec<TypePtr> = fields.iter().filter_map(|f| pruned(f, shown, leaf).transpose()).collect::<ParquetResult<_>>()?;
            if parts.is_empty() {
                return Ok(None);
            }
            let builder = Type::group_type_builder(field.name())
                .with_repetition(info.repetition())
                .with_converted_type(info.converted_type())
                .with_logical_type(info.logical_type_ref().cloned())
                .with_fields(parts);
            Ok(Some(Arc::new(builder.build()?)))
        }
    }
}

/// A chunk's description at its new place.
fn moved(chunk: &ColumnChunkMetaData, descr: &ColumnDescPtr, from: u64, to: u64, ordered: bool) -> ParquetResult<ColumnChunkMetaData> {
    let shift = i64::try_from(to)? - i64::try_from(from)?;
    let empty = chunk.num_values() == 0 && place(chunk).is_none();
    let dictionary = chunk.dictionary_page_offset().filter(|o| *o > 0).map(|o| o + shift);
    let mut builder = ColumnChunkMetaData::builder(Arc::clone(descr))
        .set_encodings_mask(*chunk.encodings_mask())
        .set_num_values(chunk.num_values())
        .set_compression_codec(chunk.compression_codec())
        .set_total_compressed_size(chunk.compressed_size())
        .set_total_uncompressed_size(chunk.uncompressed_size())
        .set_data_page_offset(if empty { 0 } else { chunk.data_page_offset() + shift })
        .set_dictionary_page_offset(dictionary)
        .set_unencoded_byte_array_data_bytes(chunk.unencoded_byte_array_data_bytes())
        .set_repetition_level_histogram(chunk.repetition_level_histogram().cloned())
        .set_definition_level_histogram(chunk.definition_level_histogram().cloned());
    if let Some(encodings) = chunk.page_encoding_stats() {
        builder = builder.set_page_encoding_stats(encodings.clone());
    }
    // The new footer says that all bounds are in the order of their types: those that may not be are left out.
    if let Some(statistics) = chunk.statistics()
        && ordered
        && !statistics.is_min_max_deprecated()
    {
        builder = builder.set_statistics(statistics.clone());
    }
    builder.build()
}

#[cfg(test)]
#[path = "virtual_parquet_tests.rs"]
mod tests;
