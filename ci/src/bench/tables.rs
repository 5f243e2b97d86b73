//! What was measured, as Markdown.

use super::report::{Ratio, Row};
use super::{Route, Variant};

/// A table for each route, with all there is. Ratios are to its first variant: their median, and from the first to the
/// third quarter of them.
pub fn full(rows: &[Row]) -> String {
    let mut text = String::new();
    for route in routes(rows) {
        text.push_str(&format!(
            "\n| {route} | instructions | × | requests/s | × | p50 ms | p99 ms | × | p99 ms at 70 % | × | CPU µs | × | MB | spans received / ended |\n|---|{}\n",
            "--:|".repeat(13)
        ));
        for row in rows.iter().filter(|row| row.route == route) {
            let number = |value: Option<f64>, digits| {
                value.map_or_else(String::new, |value| format!("{value:.digits$}"))
            };
            let spans = row.spans_received.map_or_else(String::new, |received| {
                let ended = row.spans_ended.map(|count| count.to_string());
                format!("{received} / {}", ended.as_deref().unwrap_or("some"))
            });
            let cells = [
                row.variant.to_string(),
                row.instructions
                    .map_or_else(String::new, |count| count.to_string()),
                number(row.spread.instructions.map(|times| times.ratio), 2),
                number(row.rps, 0),
                quarters(row.spread.rps),
                number(row.p50_ms, 2),
                number(row.p99_ms, 2),
                quarters(row.spread.p99_ms),
                number(row.paced_p99_ms, 2),
                quarters(row.spread.paced_p99_ms),
                number(row.cpu_us, 1),
                quarters(row.spread.cpu_us),
                number(row.rss_mb, 1),
                spans,
            ];
            text.push_str(&line(&cells));
        }
    }
    text
}

/// One table with a line for each variant, and in a cell one number for each route. In the first line there is what was
/// measured, in the others what that is of it.
pub fn compact(rows: &[Row]) -> String {
    type Column = (
        &'static str,
        fn(&Row) -> Option<String>,
        fn(&Row) -> Option<String>,
    );
    let columns: [Column; 6] = [
        (
            "instructions",
            |row| {
                row.instructions
                    .map(|count| format!("{:.1} k", count as f64 / 1e3))
            },
            |row| Some(format!("{:.2}", row.spread.instructions?.ratio)),
        ),
        (
            "requests/s",
            |row| row.rps.map(|rps| format!("{:.1} k", rps / 1e3)),
            |row| row.spread.rps.map(with_spread),
        ),
        (
            "p99 at 70 % load",
            |row| row.paced_p99_ms.map(|time| format!("{time:.2} ms")),
            |row| row.spread.paced_p99_ms.map(with_spread),
        ),
        (
            "CPU",
            |row| row.cpu_us.map(|time| format!("{time:.0} µs")),
            |row| row.spread.cpu_us.map(with_spread),
        ),
        (
            "MB",
            |row| row.rss_mb.map(|size| format!("{size:.0}")),
            |row| row.rss_mb.map(|size| format!("{size:.0}")),
        ),
        (
            "spans lost",
            |_| None,
            |row| {
                row.lost()
                    .filter(|_| row.spans_ended != Some(0))
                    .map(|lost| lost.to_string())
            },
        ),
    ];
    let names: Vec<String> = routes(rows).iter().map(Route::to_string).collect();
    let mut variants: Vec<Variant> = Vec::new();
    for row in rows {
        if !variants.contains(&row.variant) {
            variants.push(row.variant);
        }
    }
    let mut lines = Vec::new();
    for (index, variant) in variants.iter().enumerate() {
        let of_variant = || rows.iter().filter(|row| row.variant == *variant);
        let cells = columns.iter().map(|(_, absolute, relative)| {
            let cell = if index == 0 { absolute } else { relative };
            let cells: Vec<String> = of_variant().filter_map(cell).collect();
            cells.join(" · ")
        });
        let first = std::iter::once(variant.words().to_owned());
        lines.push(first.chain(cells).collect::<Vec<_>>());
    }
    // What was not measured at all has no column.
    let is_there: Vec<bool> = (0..=columns.len())
        .map(|column| lines.iter().any(|cells| !cells[column].is_empty()))
        .collect();
    let keep = |cells: Vec<String>| -> Vec<String> {
        let kept = cells
            .into_iter()
            .zip(&is_there)
            .filter(|(_, is_there)| **is_there);
        kept.map(|(cell, _)| cell).collect()
    };
    let titles = columns.iter().map(|(title, ..)| (*title).to_owned());
    let head = keep(std::iter::once(names.join(" · ")).chain(titles).collect());
    let mut text = line(&head);
    text.push_str(&format!("|---|{}\n", "--:|".repeat(head.len() - 1)));
    for cells in lines {
        text.push_str(&line(&keep(cells)));
    }
    text
}

pub(super) fn routes(rows: &[Row]) -> Vec<Route> {
    let mut routes: Vec<Route> = rows.iter().map(|row| row.route).collect();
    routes.dedup();
    routes
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

fn quarters(times: Option<Ratio>) -> String {
    times.map_or_else(String::new, |Ratio { ratio, low, high }| {
        format!("{ratio:.2} ({low:.2}–{high:.2})")
    })
}

/// Half of what is between the quarters.
fn with_spread(Ratio { ratio, low, high }: Ratio) -> String {
    let digits = if ratio < 0.1 { 3 } else { 2 };
    format!("{ratio:.digits$} ± {:.digits$}", (high - low) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::super::report::{Measured, rows};
    use super::*;

    fn measured() -> [Measured; 2] {
        let mut results =
            [Variant::Bare, Variant::Service].map(|variant| Measured::new(variant, Route::Users));
        for (result, factor) in results.iter_mut().zip([1.0, 0.5]) {
            result.rps = vec![20_000.0 * factor];
            result.instructions = Some((50_000.0 / factor) as u64);
            result.answered = 100;
            result.spans_received = Some(if factor < 1.0 { 290 } else { 0 });
        }
        results
    }

    #[test]
    fn the_compact_table_has_no_column_for_what_was_not_measured() {
        let mut results = measured();
        assert_eq!(
            compact(&rows(&results)),
            "| users | instructions | requests/s | spans lost |\n\
             |---|--:|--:|--:|\n\
             | twin without telemetry | 50.0 k | 20.0 k |  |\n\
             | service, everything on | 2.00 | 0.50 ± 0.00 | 10 |\n"
        );
        for result in &mut results {
            result.rps.clear();
            result.spans_received = None;
        }
        assert_eq!(
            compact(&rows(&results)),
            "| users | instructions |\n|---|--:|\n| twin without telemetry | 50.0 k |\n| service, everything on | 2.00 |\n"
        );
    }

    #[test]
    fn the_full_table_has_an_empty_cell_there() {
        let text = full(&rows(&measured()));
        let last = text.lines().last().unwrap();
        assert_eq!(
            last,
            "| service | 100000 | 2.00 | 10000 | 0.50 (0.50–0.50) |  |  |  |  |  |  |  |  | 290 / 300 |"
        );
    }
}
