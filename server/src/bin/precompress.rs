//! Writes a `.br` and a `.gz` beside every text and wasm file of a built site, so that the server
//! never compresses while somebody waits. Packs are compressed inside and left alone.
//!
//! Function names, a quarter of a wasm file, are taken out first: no browser needs them.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use anyhow::{Context as _, Result};

/// Smaller files fit into one packet anyway.
const SMALLEST: u64 = 1024;
const KINDS: [&str; 9] = ["bin", "html", "js", "wasm", "css", "json", "svg", "txt", "webmanifest"];
const BROTLI_BUFFER: usize = 1 << 16;
const BROTLI_QUALITY: u32 = 11;
/// 16 MB, the largest window every browser accepts.
const BROTLI_WINDOW: u32 = 24;

fn main() -> ExitCode {
    let Some(site) = std::env::args_os().nth(1) else {
        eprintln!("usage: precompress SITE_FOLDER");
        return ExitCode::from(2);
    };
    match precompress(Path::new(&site)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("precompress: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn precompress(site: &Path) -> Result<()> {
    let mut files = Vec::new();
    collect(site, &mut files).with_context(|| format!("cannot list {}", site.display()))?;
    // Largest first, and one thread per file and method: the page's wasm takes nearly all the time.
    files.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
    let before: u64 = files.iter().map(|(size, _)| size).sum();
    let sizes = thread::scope(|scope| {
        let workers: Vec<_> = files
            .iter()
            .map(|(_, file)| scope.spawn(move || compress(file).with_context(|| file.display().to_string())))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| anyhow::bail!("a compressor crashed")))
            .collect::<Result<Vec<u64>>>()
    })?;
    let after: u64 = sizes.iter().sum();
    writeln!(io::stdout(), "{} files: {before} bytes, {after} with brotli", files.len())?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<(u64, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let meta = fs::metadata(&path)?;
        let wanted = || path.extension().and_then(OsStr::to_str).is_some_and(|kind| KINDS.contains(&kind));
        if meta.is_dir() {
            collect(&path, files)?;
        } else if meta.len() >= SMALLEST && wanted() {
            files.push((meta.len(), path));
        }
    }
    Ok(())
}

/// Writes both forms and returns the size of the brotli one.
fn compress(file: &Path) -> Result<u64> {
    let mut bytes = fs::read(file)?;
    if file.extension() == Some(OsStr::new("wasm")) {
        bytes = without_names(&bytes).context("not a wasm file")?;
        fs::write(file, &bytes)?;
    }
    let mut small = Vec::new();
    brotli::CompressorReader::new(&bytes[..], BROTLI_BUFFER, BROTLI_QUALITY, BROTLI_WINDOW)
        .read_to_end(&mut small)?;
    fs::write(beside(file, "br"), &small)?;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&bytes)?;
    fs::write(beside(file, "gz"), gzip.finish()?)?;
    Ok(small.len() as u64)
}

/// A wasm file without its `name` and `producers` sections; none when it is not a wasm file.
fn without_names(wasm: &[u8]) -> Option<Vec<u8>> {
    const HEADER: usize = 8;
    const CUSTOM: u8 = 0;
    let mut out = wasm.get(..HEADER).filter(|header| header.starts_with(b"\0asm"))?.to_vec();
    let mut rest = &wasm[HEADER..];
    while let Some((&kind, after_kind)) = rest.split_first() {
        let (size, body) = leb128(after_kind)?;
        let (body, next) = body.split_at_checked(size)?;
        let name = || leb128(body).and_then(|(length, text)| text.get(..length));
        if kind != CUSTOM || !matches!(name()?, b"name" | b"producers") {
            out.extend_from_slice(&rest[..rest.len() - next.len()]);
        }
        rest = next;
    }
    Some(out)
}

/// An unsigned number of the wasm format, and what follows it.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (at, &byte) in bytes.iter().take(5).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

fn beside(file: &Path, extension: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_leave_a_wasm_file_and_nothing_else_does() {
        let section = |kind: u8, body: &[u8]| [&[kind, body.len() as u8][..], body].concat();
        let custom =
            |name: &str| section(0, &[&[name.len() as u8][..], name.as_bytes(), b"payload"].concat());
        let header = b"\0asm\x01\0\0\0".to_vec();
        let code = section(10, &[7; 90]);
        let whole =
            [header.clone(), custom("name"), code.clone(), custom("producers"), custom("target_features")];
        let want = [header, code, custom("target_features")].concat();
        assert_eq!(without_names(&whole.concat()), Some(want));
        assert_eq!(without_names(&whole.concat()[..20]), None);
        assert_eq!(without_names(b"<!doctype html>"), None);
    }

    #[test]
    fn text_is_compressed_and_packs_are_not() {
        let site = std::env::temp_dir().join(format!("precompress-{}", std::process::id()));
        let packs = site.join("packs");
        fs::create_dir_all(&packs).unwrap();
        let text = "window.answer = 42;\n".repeat(200);
        fs::write(site.join("a.js"), &text).unwrap();
        fs::write(site.join("small.js"), "1").unwrap();
        fs::write(packs.join("x.pack"), vec![0; 5000]).unwrap();
        fs::write(packs.join("index.json"), &text).unwrap();

        precompress(&site).unwrap();

        let mut back = String::new();
        let packed = fs::read(site.join("a.js.br")).unwrap();
        assert!(packed.len() < text.len() / 10);
        brotli::Decompressor::new(&packed[..], 4096).read_to_string(&mut back).unwrap();
        assert_eq!(back, text);
        let mut back = String::new();
        let packed = fs::read(site.join("a.js.gz")).unwrap();
        flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut back).unwrap();
        assert_eq!(back, text);
        assert!(packs.join("index.json.br").exists());
        assert!(!site.join("small.js.br").exists());
        assert!(!packs.join("x.pack.br").exists());
        fs::remove_dir_all(&site).unwrap();
    }
}
