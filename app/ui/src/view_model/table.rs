//! The table of configurations: columns, order, and the same rows as CSV.

use engine::order;
use std::cmp::Ordering;

use engine::format;
use engine::scenario::Place;
use engine::text;
use engine::view::{Layout, Point, View};

use super::frontier::cost_per_million;
use super::shown::Shown;

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each variant is named by the figure it shows")]
pub enum Column {
    Rank,
    Place,
    Mode,
    Layout,
    Gpus,
    Batch,
    PerGpu,
    PerUser,
    Requests,
    Ttft,
    Itl,
    RequestLatency,
    Concurrency,
    Memory,
    Cost,
    Evidence,
}

/// What cells hold beside the figures of a point.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The answer.
    pub shown: &'a Shown,
    /// Price of a GPU-hour.
    pub price: Option<f64>,
}

impl Column {
    /// All columns, in their order.
    pub const ALL: [Self; 16] = [
        Self::Rank,
        Self::Place,
        Self::Mode,
        Self::Layout,
        Self::Gpus,
        Self::Batch,
        Self::PerGpu,
        Self::PerUser,
        Self::Requests,
        Self::Ttft,
        Self::Itl,
        Self::RequestLatency,
        Self::Concurrency,
        Self::Memory,
        Self::Cost,
        Self::Evidence,
    ];

    /// Shown before anybody picks.
    pub fn default_shown(self) -> bool {
        !matches!(self, Self::Requests | Self::RequestLatency | Self::Concurrency | Self::Memory | Self::Cost)
    }

    /// Heading.
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Rank => "#",
            Self::Place => "Engine and GPU",
            Self::Mode => "Mode",
            Self::Layout => "Layout",
            Self::Gpus => "Replicas × GPUs",
            Self::Batch => "Batch",
            Self::PerGpu => "tok/s/GPU",
            Self::PerUser => "tok/s/user",
            Self::Requests => "req/s",
            Self::Ttft => "TTFT ms",
            Self::Itl => "ITL ms",
            Self::RequestLatency => "Request ms",
            Self::Concurrency => "In flight",
            Self::Memory => "GiB/GPU",
            Self::Cost => "$/M tok",
            Self::Evidence => "Evidence",
        }
    }

    /// Name in CSV, with its unit.
    pub const fn csv_name(self) -> &'static str {
        match self {
            Self::Rank => "rank",
            Self::Place => "backend_and_system",
            Self::Mode => "mode",
            Self::Layout => "layout",
            Self::Gpus => "gpus",
            Self::Batch => "batch",
            Self::PerGpu => "tokens_per_sec_per_gpu",
            Self::PerUser => "tokens_per_sec_per_user",
            Self::Requests => "requests_per_sec",
            Self::Ttft => "ttft_ms",
            Self::Itl => "itl_ms",
            Self::RequestLatency => "request_latency_ms",
            Self::Concurrency => "requests_in_flight",
            Self::Memory => "memory_bytes_per_gpu",
            Self::Cost => "usd_per_million_output_tokens",
            Self::Evidence => "measured_share",
        }
    }

    /// Whether it holds numbers, which stand right.
    pub const fn is_number(self) -> bool {
        !matches!(self, Self::Place | Self::Mode | Self::Layout | Self::Evidence)
    }

    /// Whether the first click sorts the largest first.
    pub const fn largest_first(self) -> bool {
        matches!(self, Self::PerGpu | Self::PerUser | Self::Requests | Self::Concurrency | Self::Evidence)
    }

    fn number(self, point: &Point, rank: usize, price: Option<f64>) -> f64 {
        match self {
            Self::Rank | Self::Place | Self::Mode | Self::Layout => rank as f64,
            Self::Gpus => f64::from(point.gpus_used),
            Self::Batch => f64::from(batches(point).1),
            Self::PerGpu => point.tokens_per_sec_per_gpu,
            Self::PerUser => point.tokens_per_sec_per_user,
            Self::Requests => point.requests_per_sec,
            Self::Ttft => point.ttft_ms,
            Self::Itl => point.itl_ms,
            Self::RequestLatency => point.request_latency_ms,
            Self::Concurrency => f64::from(point.concurrency),
            Self::Memory => memory(point),
            Self::Cost => {
                price.map_or(f64::NAN, |price| cost_per_million(price, point.tokens_per_sec_per_gpu))
            }
            Self::Evidence => point.evidence.measured,
        }
    }

    /// Whether it says anything for this answer.
    pub fn applies(self, context: Context<'_>) -> bool {
        match self {
            Self::Place => context.shown.scenario.reach.is_wide(),
            Self::Cost => context.price.is_some(),
            _ => true,
        }
    }

    /// The cell of a point.
    pub fn cell(self, point: &Point, rank: usize, context: Context<'_>) -> String {
        let value = self.number(point, rank, context.price);
        match self {
            Self::Rank => format::count(rank as u64 + 1),
            Self::Place => super::form::place_name(&context.shown.place(point)),
            Self::Mode => mode(point).to_owned(),
            Self::Layout => text::layout_short(point),
            Self::Gpus => format!("{} × {} = {}", point.replicas, point.gpus_per_replica(), point.gpus_used),
            Self::Batch => match batches(point) {
                (Some(prefill), decode) => format!("{prefill} / {decode}"),
                (None, batch) => format::count(u64::from(batch)),
            },
            Self::PerGpu | Self::PerUser | Self::Requests | Self::Cost => format::rate(value),
            Self::Ttft | Self::Itl | Self::RequestLatency => format::ms(value),
            Self::Concurrency => format::count(u64::from(point.concurrency)),
            Self::Memory => format::gib(value),
            Self::Evidence => text::evidence(point.evidence),
        }
    }

    fn csv_cell(self, point: &Point, rank: usize, context: Context<'_>) -> String {
        match self {
            Self::Rank => (rank + 1).to_string(),
            Self::Place => {
                let Place { system, backend } = context.shown.place(point);
                format!("{backend} {system}")
            }
            Self::Mode => mode(point).to_owned(),
            Self::Layout => text::layout_short(point),
            Self::Batch => match batches(point) {
                (Some(prefill), decode) => format!("{prefill}/{decode}"),
                (None, batch) => batch.to_string(),
            },
            _ => {
                let value = self.number(point, rank, context.price);
                if value.is_finite() { format::plain(value) } else { String::new() }
            }
        }
    }
}

fn mode(point: &Point) -> &'static str {
    if point.is_disagg() { "disagg" } else { "agg" }
}

fn batches(point: &Point) -> (Option<u32>, u32) {
    match &point.layout {
        Layout::Agg { worker, .. } => (None, worker.batch),
        Layout::Disagg { prefill, decode, .. } => (Some(prefill.batch), decode.batch),
    }
}

/// Memory of the fuller GPU, bytes.
fn memory(point: &Point) -> f64 {
    let others = match &point.layout {
        Layout::Agg { worker, .. } => worker.memory.total(),
        Layout::Disagg { prefill, decode, .. } => prefill.memory.total().max(decode.memory.total()),
    };
    point.layout.encoders().map_or(others, |pool| pool.memory_bytes.max(others))
}

/// Which rows the table shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// The best of each layout within the SLO.
    #[default]
    Picks,
    /// The frontier, as drawn.
    Frontier,
}

/// Order of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// By which column.
    pub column: Column,
    /// Largest first.
    pub descending: bool,
}

impl Default for Sort {
    fn default() -> Self {
        Self { column: Column::Rank, descending: false }
    }
}

impl Sort {
    /// The order after a click on a heading.
    #[must_use]
    pub fn clicked(self, column: Column) -> Self {
        let descending = if self.column == column { !self.descending } else { column.largest_first() };
        Self { column, descending }
    }

    /// For `aria-sort`.
    pub fn aria(self, column: Column) -> &'static str {
        match (self.column == column, self.descending) {
            (false, _) => "none",
            (true, true) => "descending",
            (true, false) => "ascending",
        }
    }
}

/// A row: its rank within the filter, and its index in the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// From zero.
    pub rank: usize,
    /// Index in the view.
    pub index: usize,
}

/// The rows in order.
pub fn rows(view: &View, filter: Filter, sort: Sort, price: Option<f64>) -> Vec<Row> {
    let mut indices: Vec<usize> = match filter {
        Filter::Picks => view.picks.clone(),
        Filter::Frontier => {
            let mut both: Vec<usize> =
                view.frontier_agg.iter().chain(&view.frontier_disagg).copied().collect();
            // Points are stored best first, so that the index is the rank.
            order::sort_by(&mut both, usize::cmp);
            both.dedup();
            both
        }
    };
    indices.retain(|&index| index < view.points.len());
    let mut rows: Vec<Row> =
        indices.into_iter().enumerate().map(|(rank, index)| Row { rank, index }).collect();
    order::sort_by(&mut rows, |a, b| {
        let (p, q) = (&view.points[a.index], &view.points[b.index]);
        let order = match sort.column {
            Column::Place => p.place.cmp(&q.place),
            Column::Mode => mode(p).cmp(mode(q)),
            Column::Layout => text::layout_short(p).cmp(&text::layout_short(q)),
            column => compare(column.number(p, a.rank, price), column.number(q, b.rank, price)),
        };
        let order = if sort.descending { order.reverse() } else { order };
        order.then_with(|| a.rank.cmp(&b.rank))
    });
    rows
}

fn compare(a: f64, b: f64) -> Ordering {
    a.total_cmp(&b)
}

/// All columns of `rows` as CSV, with a footer that says where the figures come from.
pub fn csv(context: Context<'_>, rows: &[Row], footer: &[(&str, String)]) -> String {
    let columns: Vec<Column> = Column::ALL.into_iter().filter(|column| column.applies(context)).collect();
    let points = &context.shown.view.points;
    let mut out = String::new();
    let names: Vec<&str> = columns.iter().map(|column| column.csv_name()).collect();
    out.push_str(&names.join(","));
    out.push_str("\r\n");
    for row in rows {
        let cells: Vec<String> = columns
            .iter()
            .map(|column| quoted(&column.csv_cell(&points[row.index], row.rank, context)))
            .collect();
        out.push_str(&cells.join(","));
        out.push_str("\r\n");
    }
    for (name, value) in footer {
        out.push_str(&quoted(&format!("# {name}: {value}")));
        out.push_str("\r\n");
    }
    out
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view_model::fixture;

    fn order(sort: Sort) -> Vec<usize> {
        rows(&fixture::view(), Filter::Picks, sort, None).iter().map(|row| row.index).collect()
    }

    #[test]
    fn rows_start_ranked_and_sort_both_ways() {
        assert_eq!(order(Sort::default()), [0, 2, 3]);
        let by_itl = Sort::default().clicked(Column::Itl);
        assert_eq!(order(by_itl), [2, 3, 0]);
        assert_eq!(order(by_itl.clicked(Column::Itl)), [0, 3, 2]);
        assert_eq!(by_itl.aria(Column::Itl), "ascending");
        assert_eq!(by_itl.aria(Column::Ttft), "none");
        assert!(Sort::default().clicked(Column::PerGpu).descending);
    }

    #[test]
    fn the_frontier_is_the_text_of_the_chart() {
        let view = fixture::view();
        let rows = rows(&view, Filter::Frontier, Sort::default(), None);
        assert_eq!(rows.iter().map(|row| row.index).collect::<Vec<_>>(), [0, 1, 2, 3]);
    }

    #[test]
    fn cells_read_like_the_card() {
        let shown = fixture::shown();
        let context = Context { shown: &shown, price: None };
        let cell = |column: Column| column.cell(&shown.view.points[0], 0, context);
        assert_eq!(cell(Column::Gpus), "2 × 16 = 32");
        assert_eq!(cell(Column::Batch), "1 / 64");
        assert_eq!(cell(Column::PerGpu), "744");
        assert_eq!(cell(Column::Itl), "29.5");
    }

    #[test]
    fn csv_has_a_footer_and_survives_commas() {
        let mut shown = fixture::shown();
        let rows = rows(&shown.view, Filter::Picks, Sort::default(), None);
        let text = csv(Context { shown: &shown, price: None }, &rows, &[("link", "a,b \"c\"".to_owned())]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 1 + rows.len() + 1);
        assert!(lines[0].starts_with("rank,mode,layout,gpus"));
        assert!(!lines[0].contains("usd"));
        assert_eq!(lines[4], "\"# link: a,b \"\"c\"\"\"");
        let columns = |line: &str| line.split(',').count();
        assert_eq!(columns(lines[0]), columns(lines[1]));
        shown.scenario.set_backend(None);
        let text = csv(Context { shown: &shown, price: None }, &rows, &[]);
        assert!(text.starts_with("rank,backend_and_system,mode,"));
        assert!(text.lines().nth(1).is_some_and(|line| line.starts_with("1,trtllm h100_sxm,disagg,")));
    }
}
