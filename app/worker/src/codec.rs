//! Messages as bytes.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why bytes are not a message of this build.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes do not spell the message.
    #[error("not a message of this build: {0}")]
    Malformed(String),
    /// Bytes are left after the message.
    #[error("{0} bytes follow the message")]
    Trailing(usize),
}

/// The bytes of a message.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, CodecError> {
    postcard::to_allocvec(message).map_err(|error| CodecError::Malformed(error.to_string()))
}

/// The message of some bytes.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let (message, rest) =
        postcard::take_from_bytes(bytes).map_err(|error| CodecError::Malformed(error.to_string()))?;
    if rest.is_empty() { Ok(message) } else { Err(CodecError::Trailing(rest.len())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Reply, Request};
    use engine::rows::Rows;

    #[test]
    fn messages_survive_the_boundary() {
        let request = Request::Search { id: 7, scenario: Box::default() };
        assert_eq!(decode::<Request>(&encode(&request).unwrap()), Ok(request));
        let reply = Reply::Found {
            id: 7,
            places: Vec::new(),
            rows: vec![Rows::default()],
            left: Vec::new(),
            data: "1a2b3c4d".to_owned(),
            elapsed_ms: 23.25,
        };
        assert_eq!(decode::<Reply>(&encode(&reply).unwrap()), Ok(reply));
    }

    #[test]
    fn damaged_messages_are_refused() {
        let mut bytes = encode(&Request::Search { id: 7, scenario: Box::default() }).unwrap();
        for end in 0..bytes.len() {
            assert!(decode::<Request>(&bytes[..end]).is_err(), "{end} bytes of {} pass", bytes.len());
        }
        bytes.push(0);
        assert_eq!(decode::<Request>(&bytes), Err(CodecError::Trailing(1)));
        assert!(decode::<Request>(&[0xff; 64]).is_err());
    }

    #[test]
    fn ready_is_readable_by_every_build() {
        assert_eq!(encode(&Reply::Ready { build: "ab".to_owned() }), Ok(vec![0, 2, b'a', b'b']));
    }
}
