//! The token that lets others in: a file, read again when it changes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use thiserror::Error;

/// Fewer characters can be guessed.
const SHORTEST: usize = 16;
/// Longer ones do not fit into a header.
const LONGEST: usize = 4096;

/// Why a token file is of no use. No message holds the token.
#[derive(Debug, Error)]
pub enum TokenError {
    /// It cannot be read.
    #[error("The token file {} cannot be read: {why}. Name a file with --token-file that this program may read.", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        why: io::Error,
    },
    /// It holds nothing.
    #[error("The token file {path} is empty. Write a token into it: openssl rand -hex 32 > {path}", path = .0.display())]
    Empty(PathBuf),
    /// It holds too little or too much.
    #[error("The token in {path} has {have} characters; it needs {SHORTEST} to {LONGEST}. Write another: openssl rand -hex 32 > {path}", path = path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// Characters in it.
        have: usize,
    },
    /// It holds what no header can carry.
    #[error("The token in {path} has spaces, line breaks or letters outside ASCII inside. Write another: openssl rand -hex 32 > {path}", path = .0.display())]
    Characters(PathBuf),
    /// Everybody on the machine can read it.
    #[error("The token file {path} can be read by every user of this machine (mode {mode:o}). Close it: chmod 600 {path}", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

/// A token file, and the token it held when it was last looked at.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    held: Mutex<Option<(Stamp, Token)>>,
}

/// What changes when a file is written.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    mode: u32,
}

/// A token, known by its digest alone.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    digest: [u8; 32],
    session: String,
}

impl TokenFile {
    /// Reads the file once, so that a useless one is noticed at the start.
    pub async fn open(path: PathBuf) -> Result<Self, TokenError> {
        let file = Self { path, held: Mutex::new(None) };
        file.token().await?;
        Ok(file)
    }

    /// The token in the file now. A file that has become useless lets nobody in.
    pub(crate) async fn token(&self) -> Result<Token, TokenError> {
        let unreadable = |why| TokenError::Unreadable { path: self.path.clone(), why };
        let stamp = stamp(&self.path).await.map_err(unreadable)?;
        if let Some((known, token)) = self.held().as_ref()
            && *known == stamp
        {
            return Ok(token.clone());
        }
        let bytes = tokio::fs::read(&self.path).await.map_err(unreadable)?;
        let token = check(&self.path, stamp.mode, &bytes)?;
        *self.held() = Some((stamp, token.clone()));
        Ok(token)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<(Stamp, Token)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Token {
    fn new(text: &[u8]) -> Self {
        let session =
            Sha256::new().chain_update(b"session of ai-configurator\0").chain_update(text).finalize();
        Self { digest: Sha256::digest(text).into(), session: URL_SAFE_NO_PAD.encode(session) }
    }

    /// Whether this is the token, in a time that tells nothing.
    pub(crate) fn is(&self, given: &[u8]) -> bool {
        self.digest.ct_eq(&<[u8; 32]>::from(Sha256::digest(given))).into()
    }

    /// What a browser keeps instead of the token. It changes with the token.
    pub(crate) fn session(&self) -> &str {
        &self.session
    }

    /// Whether this is the session, in a time that tells nothing.
    pub(crate) fn is_session(&self, given: &[u8]) -> bool {
        self.session.as_bytes().ct_eq(given).into()
    }
}

async fn stamp(path: &Path) -> io::Result<Stamp> {
    let meta = tokio::fs::metadata(path).await?;
    Ok(Stamp { modified: meta.modified().ok(), length: meta.len(), mode: mode(&meta) })
}

#[cfg(unix)]
fn mode(meta: &std::fs::Metadata) -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    meta.mode() & 0o777
}

#[cfg(not(unix))]
fn mode(_: &std::fs::Metadata) -> u32 {
    0
}

fn check(path: &Path, mode: u32, bytes: &[u8]) -> Result<Token, TokenError> {
    let text = bytes.trim_ascii();
    if text.is_empty() {
        return Err(TokenError::Empty(path.to_owned()));
    }
    // The group may read it: that is how Kubernetes mounts a secret for a program that is not root.
    if mode & 0o007 != 0 {
        return Err(TokenError::Open { path: path.to_owned(), mode });
    }
    if !text.iter().all(u8::is_ascii_graphic) {
        return Err(TokenError::Characters(path.to_owned()));
    }
    if !(SHORTEST..=LONGEST).contains(&text.len()) {
        return Err(TokenError::Length { path: path.to_owned(), have: text.len() });
    }
    Ok(Token::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(mode: u32, bytes: &[u8]) -> String {
        check(Path::new("/t"), mode, bytes).unwrap_err().to_string()
    }

    #[test]
    fn a_useless_token_is_refused_with_what_to_do() {
        assert!(said(0o600, b" \n").contains("is empty"));
        assert!(said(0o600, b"fifteen letters").contains("spaces"));
        assert!(said(0o600, b"fifteen-letters").contains("15 characters"));
        assert!(said(0o600, &[b'x'; LONGEST + 1]).contains("4097"));
        assert!(said(0o644, b"0123456789abcdef").contains("mode 644"));
        assert!(said(0o600, "0123456789abcdefé".as_bytes()).contains("ASCII"));
        for bad in [&b""[..], b"short", b"0123456789 abcdef"] {
            assert!(said(0o600, bad).contains("openssl rand -hex 32 > /t"));
        }
    }

    #[test]
    fn a_token_is_itself_and_its_session_is_not_the_token() {
        let token = check(Path::new("/t"), 0o440, b"0123456789abcdef\n").unwrap();
        assert!(token.is(b"0123456789abcdef") && !token.is(b"0123456789abcdeF") && !token.is(b""));
        assert!(token.is_session(token.session().as_bytes()));
        assert!(!token.is(token.session().as_bytes()) && !token.is_session(b"0123456789abcdef"));
    }
}
