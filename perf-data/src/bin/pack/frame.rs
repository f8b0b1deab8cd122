//! A Parquet file as columns.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use parquet::basic::Type;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::file::reader::{FileReader, SerializedFileReader};

/// Columns that no rule reads.
const UNREAD: [&str; 4] = ["framework", "version", "device", "model_name"];

enum Column {
    Int(Vec<Option<i64>>),
    Float(Vec<Option<f64>>),
    Text(Vec<Option<Arc<str>>>),
}

/// The columns of a file.
pub(crate) struct Frame {
    columns: HashMap<String, Column>,
    rows: usize,
}

impl Frame {
    pub(crate) fn read(bytes: Vec<u8>) -> Result<Self> {
        let file = SerializedFileReader::new(Bytes::from(bytes))?;
        let schema = file.metadata().file_metadata().schema_descr_ptr();
        let mut columns = HashMap::new();
        let mut rows = 0;
        for group in 0..file.num_row_groups() {
            let group = file.get_row_group(group)?;
            let count = usize::try_from(group.metadata().num_rows())?;
            rows += count;
            for (at, about) in schema.columns().iter().enumerate() {
                if UNREAD.contains(&about.name()) || about.physical_type() == Type::BOOLEAN {
                    continue;
                }
                let reader = group.get_column_reader(at)?;
                let levels = about.max_def_level();
                let column = columns.entry(about.name().to_owned());
                read_column(reader, count, levels, column.or_insert_with(|| empty(about.physical_type())))
                    .with_context(|| format!("reading column {}", about.name()))?;
            }
        }
        Ok(Self { columns, rows })
    }

    /// All rows in file order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.rows).map(|at| Row { frame: self, at })
    }
}

fn empty(kind: Type) -> Column {
    match kind {
        Type::DOUBLE => Column::Float(Vec::new()),
        Type::BYTE_ARRAY => Column::Text(Vec::new()),
        _ => Column::Int(Vec::new()),
    }
}

fn read_column(reader: ColumnReader, count: usize, levels: i16, column: &mut Column) -> Result<()> {
    match (reader, column) {
        (ColumnReader::Int64ColumnReader(reader), Column::Int(out)) => {
            out.extend(cells(reader, count, levels)?);
        }
        (ColumnReader::DoubleColumnReader(reader), Column::Float(out)) => {
            out.extend(cells(reader, count, levels)?);
        }
        (ColumnReader::ByteArrayColumnReader(reader), Column::Text(out)) => {
            let mut known: HashMap<Vec<u8>, Arc<str>> = HashMap::new();
            for cell in cells(reader, count, levels)? {
                let Some(cell) = cell else {
                    out.push(None);
                    continue;
                };
                if let Some(text) = known.get(cell.data()) {
                    out.push(Some(text.clone()));
                    continue;
                }
                let text: Arc<str> = cell.as_utf8()?.into();
                known.insert(cell.data().to_vec(), text.clone());
                out.push(Some(text));
            }
        }
        _ => bail!("neither whole numbers, numbers nor text"),
    }
    Ok(())
}

/// The cells of a flat column; empty ones are `None`.
fn cells<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    count: usize,
    levels: i16,
) -> Result<Vec<Option<T::T>>> {
    let mut values = Vec::with_capacity(count);
    let mut filled = Vec::new();
    let mut read = 0;
    while read < count {
        let (records, _, _) = reader.read_records(count - read, Some(&mut filled), None, &mut values)?;
        if records == 0 {
            bail!("{read} of {count} rows");
        }
        read += records;
    }
    if levels == 0 {
        return Ok(values.into_iter().map(Some).collect());
    }
    let mut values = values.into_iter();
    Ok(filled.iter().map(|level| if *level == levels { values.next() } else { None }).collect())
}

/// One row of a file.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    frame: &'a Frame,
    at: usize,
}

impl<'a> Row<'a> {
    pub(crate) fn text(self, column: &str) -> Option<&'a Arc<str>> {
        match self.frame.columns.get(column) {
            Some(Column::Text(cells)) => cells[self.at].as_ref(),
            _ => None,
        }
    }

    pub(crate) fn int(self, column: &str) -> Option<i64> {
        match self.frame.columns.get(column) {
            Some(Column::Int(cells)) => cells[self.at],
            // Whole numbers that some files keep as floats because of empty cells.
            Some(Column::Float(cells)) => {
                cells[self.at].filter(|cell| cell.fract() == 0.0).map(|cell| cell as i64)
            }
            _ => None,
        }
    }

    pub(crate) fn float(self, column: &str) -> Option<f64> {
        match self.frame.columns.get(column) {
            Some(Column::Float(cells)) => cells[self.at],
            Some(Column::Int(cells)) => cells[self.at].map(|cell| cell as f64),
            _ => None,
        }
    }
}
