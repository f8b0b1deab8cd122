//! The container: magic, format version, JSON header, one deflated section per table, SHA-256 over all of it.

use std::fmt::Write as _;

use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{FORMAT_VERSION, FileInfo, Pack, PackError, section};

const MAGIC: &[u8; 4] = b"PERF";
/// Magic, version, header length.
const PREFIX: usize = 10;
const CHECKSUM: usize = 32;
/// No table comes close; a larger claim is refused before anything is unpacked.
const MAX_SECTION: u32 = 64 << 20;
const LEVEL: u8 = 10;

#[derive(Serialize, Deserialize)]
struct Header {
    info: FileInfo,
    /// Compressed and plain size of each table.
    sections: Vec<[u32; 2]>,
}

/// The hash that names a file: 16 hex digits of the SHA-256 of `bytes`.
pub fn content_hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn encode(pack: &Pack) -> Result<Vec<u8>, PackError> {
    let mut body = Vec::new();
    let mut sections = Vec::new();
    for table in &pack.tables {
        let wrong = |why| PackError::Table { name: table.info.name.clone(), why };
        let plain = section::encode(table).map_err(wrong)?;
        if plain.len() > MAX_SECTION as usize {
            return Err(wrong(format!("{} bytes are too many", plain.len())));
        }
        let packed = compress_to_vec(&plain, LEVEL);
        sections.push([packed.len() as u32, plain.len() as u32]);
        body.extend_from_slice(&packed);
    }
    let tables = pack.tables.iter().map(|table| table.info.clone()).collect();
    let header = Header { info: FileInfo { tables, ..pack.info.clone() }, sections };
    let header = serde_json::to_vec(&header).map_err(|error| PackError::Header(error.to_string()))?;

    let mut out = Vec::with_capacity(PREFIX + header.len() + body.len() + CHECKSUM);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    out.extend_from_slice(&(header.len() as u32).to_le_bytes());
    out.extend_from_slice(&header);
    out.extend_from_slice(&body);
    let checksum = Sha256::digest(&out);
    out.extend_from_slice(&checksum);
    Ok(out)
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Pack, PackError> {
    let shared = bytes.len().min(MAGIC.len());
    if bytes[..shared] != MAGIC[..shared] {
        return Err(PackError::NotAPack);
    }
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else {
        return Err(PackError::Truncated);
    };
    let got = u16::from_le_bytes([prefix[4], prefix[5]]);
    if got != FORMAT_VERSION {
        return Err(PackError::Version { got, want: FORMAT_VERSION });
    }
    let Some((content, checksum)) = rest.split_last_chunk::<CHECKSUM>() else {
        return Err(PackError::Truncated);
    };
    let intact = Sha256::digest(&bytes[..bytes.len() - CHECKSUM])[..] == checksum[..];
    let length = u32::from_le_bytes([prefix[6], prefix[7], prefix[8], prefix[9]]);
    let Some((header, body)) = content.split_at_checked(length as usize) else {
        return Err(PackError::Truncated);
    };
    let header: Header = match serde_json::from_slice(header) {
        Ok(header) => header,
        Err(error) if intact => return Err(PackError::Header(error.to_string())),
        Err(_) => return Err(PackError::Checksum),
    };
    let declared: u64 = header.sections.iter().map(|[packed, _]| u64::from(*packed)).sum();
    if declared > body.len() as u64 {
        return Err(PackError::Truncated);
    }
    if !intact {
        return Err(PackError::Checksum);
    }
    if declared < body.len() as u64 || header.sections.len() != header.info.tables.len() {
        return Err(PackError::Header("tables and sections do not fit the file".into()));
    }
    let mut tables = Vec::with_capacity(header.sections.len());
    let mut rest = body;
    for (info, [packed, plain]) in header.info.tables.iter().zip(&header.sections) {
        let (section, others) = rest.split_at(*packed as usize);
        rest = others;
        let wrong = |why| PackError::Table { name: info.name.clone(), why };
        let section = unpack(section, *plain).map_err(wrong)?;
        tables.push(section::decode(info.clone(), &section).map_err(wrong)?);
    }
    Ok(Pack { info: header.info, tables })
}

fn unpack(packed: &[u8], plain: u32) -> Result<Vec<u8>, String> {
    if plain > MAX_SECTION {
        return Err(format!("it claims {plain} bytes"));
    }
    match decompress_to_vec_with_limit(packed, plain as usize) {
        Ok(section) if section.len() == plain as usize => Ok(section),
        Ok(section) => Err(format!("{} bytes instead of {plain}", section.len())),
        Err(error) => Err(format!("it does not unpack: {error}")),
    }
}
