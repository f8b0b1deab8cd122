//! Files of a trace, packed or not, into its reader.

use std::io::{self, Write};

use engine::simulate::trace::{Reader, Trace, TraceError};
use flate2::write::MultiGzDecoder;

/// How gzip files begin.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Takes what is unpacked; an error of the reader waits until it can be told.
#[derive(Default)]
struct Sink {
    reader: Reader,
    error: Option<TraceError>,
}

impl Sink {
    fn push(&mut self, bytes: &[u8]) {
        if self.error.is_none() {
            self.error = self.reader.push(bytes).err();
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        match self.error {
            Some(_) => Err(io::Error::other("the trace cannot be read")),
            None => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum File {
    /// Its first byte alone is not enough to tell what it is.
    Begins(Sink, Vec<u8>),
    Plain(Sink),
    Packed(Box<MultiGzDecoder<Sink>>),
}

impl Default for File {
    fn default() -> Self {
        Self::Begins(Sink::default(), Vec::new())
    }
}

/// Reads the files of a trace one after the other.
#[derive(Default)]
pub(super) struct Unpack {
    file: File,
}

impl Unpack {
    /// More of the file; tells how many requests there are so far.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<u64, TraceError> {
        self.file = match std::mem::take(&mut self.file) {
            File::Begins(sink, mut first) => {
                first.extend_from_slice(bytes);
                begin(sink, first)?
            }
            File::Plain(mut sink) => {
                sink.push(bytes);
                File::Plain(sink)
            }
            File::Packed(mut packed) => {
                unpack(&mut packed, bytes)?;
                File::Packed(packed)
            }
        };
        self.told()
    }

    /// The file ends; another may follow.
    pub(super) fn end_file(&mut self) -> Result<u64, TraceError> {
        let mut sink = match std::mem::take(&mut self.file) {
            File::Begins(mut sink, first) => {
                sink.push(&first);
                sink
            }
            File::Plain(sink) => sink,
            File::Packed(packed) => packed.finish().map_err(|error| TraceError::Unpack(error.to_string()))?,
        };
        if sink.error.is_none() {
            sink.error = sink.reader.end_file().err();
        }
        self.file = File::Begins(sink, Vec::new());
        self.told()
    }

    pub(super) fn finish(self) -> Result<Trace, TraceError> {
        let sink = match self.file {
            File::Begins(sink, _) | File::Plain(sink) => sink,
            File::Packed(packed) => packed.finish().map_err(|error| TraceError::Unpack(error.to_string()))?,
        };
        match sink.error {
            Some(error) => Err(error),
            None => sink.reader.finish(),
        }
    }

    fn told(&mut self) -> Result<u64, TraceError> {
        let sink = match &mut self.file {
            File::Begins(sink, _) | File::Plain(sink) => sink,
            File::Packed(packed) => packed.get_mut(),
        };
        match sink.error.take() {
            Some(error) => Err(error),
            None => Ok(sink.reader.requests() as u64),
        }
    }
}

fn begin(mut sink: Sink, first: Vec<u8>) -> Result<File, TraceError> {
    if first.len() < GZIP.len() {
        return Ok(File::Begins(sink, first));
    }
    if first.starts_with(&GZIP) {
        let mut packed = Box::new(MultiGzDecoder::new(sink));
        unpack(&mut packed, &first)?;
        return Ok(File::Packed(packed));
    }
    sink.push(&first);
    Ok(File::Plain(sink))
}

fn unpack(packed: &mut MultiGzDecoder<Sink>, bytes: &[u8]) -> Result<(), TraceError> {
    packed.write_all(bytes).map_err(|error| {
        packed.get_mut().error.take().unwrap_or_else(|| TraceError::Unpack(error.to_string()))
    })
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const ROWS: &str = "{\"timestamp\": 1, \"input_length\": 10, \"output_length\": 2}\n\
                        {\"timestamp\": 3, \"input_length\": 20, \"output_length\": 4}\n";

    fn packed(text: &str) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap()
    }

    fn read(files: &[&[u8]], piece: usize) -> Result<Trace, TraceError> {
        let mut unpack = Unpack::default();
        for file in files {
            for piece in file.chunks(piece) {
                unpack.push(piece)?;
            }
            unpack.end_file()?;
        }
        unpack.finish()
    }

    #[test]
    fn packed_and_plain_files_read_the_same() {
        let (plain, gzip) = (ROWS.as_bytes(), packed(ROWS));
        let expected = read(&[plain], 1000).unwrap();
        assert_eq!(expected.rows.len(), 2);
        for piece in [1, 2, 3, 7, 1000] {
            assert_eq!(read(&[&gzip], piece).unwrap(), expected, "{piece}");
            assert_eq!(read(&[plain], piece).unwrap(), expected, "{piece}");
            // Several members in one file, and several files of both kinds.
            let twice = [gzip.clone(), gzip.clone()].concat();
            assert_eq!(read(&[&twice], piece).unwrap().rows.len(), 4, "{piece}");
            assert_eq!(read(&[&gzip, plain], piece).unwrap().rows.len(), 4, "{piece}");
        }
    }

    #[test]
    fn damage_is_told() {
        let mut gzip = packed(ROWS);
        gzip.truncate(gzip.len() - 5);
        assert!(matches!(read(&[&gzip], 1000), Err(TraceError::Unpack(_))));
        let broken = packed("{\"timestamp\": 1, \"input_length\": 3}");
        assert!(matches!(read(&[&broken], 1000), Err(TraceError::Line { line: 1, .. })));
        assert_eq!(read(&[b"x"], 1000), Err(TraceError::Unknown { line: 1, start: "x".to_owned() }));
        assert_eq!(read(&[], 1000), Err(TraceError::Empty));
    }
}
