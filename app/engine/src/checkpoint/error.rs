//! Why a checkpoint cannot be read.

use crate::model::FactError;

/// One of the two files of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    /// `config.json`.
    Config,
    /// `hf_quant_config.json`.
    Quant,
}

impl File {
    /// Its name on the Hub.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Config => "config.json",
            Self::Quant => "hf_quant_config.json",
        }
    }
}

impl std::fmt::Display for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a checkpoint cannot be read; keys are written with the objects they stand in, `text_config.hidden_size`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The text is too long for such a file.
    #[error("{file} has {bytes} bytes")]
    TooLarge {
        /// The file.
        file: File,
        /// Its size.
        bytes: usize,
    },
    /// The text is not JSON.
    #[error("{file} is not JSON: {why} at line {line}, column {column}")]
    Syntax {
        /// The file.
        file: File,
        /// Line of the mistake, from 1.
        line: usize,
        /// Column of the mistake, from 1.
        column: usize,
        /// What the parser says.
        why: String,
    },
    /// The text is JSON, but not an object.
    #[error("{file} is {found}, not an object")]
    NotObject {
        /// The file.
        file: File,
        /// What it is.
        found: &'static str,
    },
    /// A key is missing that this architecture cannot do without.
    #[error("{key} is missing")]
    Missing {
        /// The key.
        key: String,
    },
    /// A value is of another kind than its key asks for.
    #[error("{key} is {found}; it must be {must}")]
    Kind {
        /// The key.
        key: String,
        /// What it is.
        found: &'static str,
        /// What it must be.
        must: &'static str,
    },
    /// A value makes no sense or is not understood.
    #[error("{key} is {value}; it must be {must}")]
    Value {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What it must be.
        must: String,
    },
    /// No model of this architecture can be priced.
    #[error("unknown architecture {name:?}")]
    Architecture {
        /// Its name.
        name: String,
        /// The known names that are most like it.
        close: Vec<&'static str>,
    },
}

impl From<FactError> for CheckpointError {
    fn from(FactError { key, value, must }: FactError) -> Self {
        Self::Value { key: key.to_owned(), value, must }
    }
}
