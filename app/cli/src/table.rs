//! Columns of text.

/// How a column is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows under their headers, two spaces apart.
pub(crate) fn table(columns: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let headers: Vec<String> = columns.iter().map(|(header, _)| (*header).to_owned()).collect();
    let lines = || std::iter::once(&headers).chain(rows);
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| lines().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let mut out = String::new();
    for line in lines() {
        let mut text = String::new();
        for ((cell, &(_, align)), &width) in line.iter().zip(columns).zip(&widths) {
            if !text.is_empty() {
                text.push_str("  ");
            }
            let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
            match align {
                Align::Left => text.extend([cell, padding.as_str()]),
                Align::Right => text.extend([padding.as_str(), cell]),
            }
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows =
            vec![vec!["tp8".to_owned(), "1,024".to_owned()], vec!["5P × 6D".to_owned(), "9".to_owned()]];
        let text = table(&[("layout", Align::Left), ("GPUs", Align::Right)], &rows);
        assert_eq!(text, "layout    GPUs\ntp8      1,024\n5P × 6D      9\n");
    }
}
