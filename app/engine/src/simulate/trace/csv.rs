//! `BurstGPT`: one request a row, columns by name.

/// Where the columns are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    timestamp: usize,
    request: usize,
    response: usize,
}

fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.split(',').map(|field| field.trim().trim_matches('"'))
}

impl Columns {
    /// Finds them in a header.
    pub(super) fn find(line: &str) -> Option<Self> {
        let at = |name: &str| fields(line).position(|field| field.eq_ignore_ascii_case(name));
        Some(Self {
            timestamp: at("Timestamp")?,
            request: at("Request tokens")?,
            response: at("Response tokens")?,
        })
    }

    /// Seconds, prompt tokens and answer tokens of a row.
    pub(super) fn read(&self, line: &str) -> Result<(f64, u64, u64), String> {
        let field = |at: usize, name: &str| {
            fields(line).nth(at).ok_or_else(|| format!("the column {name} is missing"))
        };
        let count = |at: usize, name: &str| {
            let text = field(at, name)?;
            // Some exports write counts as 12.0.
            let text = text.strip_suffix(".0").unwrap_or(text);
            text.parse::<u64>().map_err(|_| format!("{name} is {text:?}, which is no count of tokens"))
        };
        let text = field(self.timestamp, "Timestamp")?;
        let secs = text.parse::<f64>().ok().filter(|secs| secs.is_finite() && *secs >= 0.0);
        let secs = secs.ok_or_else(|| format!("Timestamp is {text:?}, which is no time in seconds"))?;
        Ok((secs, count(self.request, "Request tokens")?, count(self.response, "Response tokens")?))
    }
}
