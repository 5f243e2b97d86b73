//! What it costs to build, for people.

use super::Measured;

type Row = (
    &'static str,
    fn(&Measured) -> Option<f64>,
    fn(f64) -> String,
);

const ROWS: [Row; 8] = [
    ("crates", |m| m.crates.map(|count| count as f64), whole),
    ("cold debug build, CPU s", |m| m.debug_cpu_s, whole),
    (
        "after an edit of a handler, CPU s",
        |m| m.rebuild_cpu_s,
        tenth,
    ),
    (
        "after an edit of a handler, s",
        |m| m.rebuild_passed_s,
        tenth,
    ),
    ("cold release build, CPU s", |m| m.release_cpu_s, whole),
    (
        "binary, stripped, MB",
        |m| m.binary_bytes.map(|bytes| bytes as f64 / 1e6),
        tenth,
    ),
    ("start to ready, ms", |m| m.ready_ms, whole),
    ("memory when idle, MB", |m| m.idle_mb, tenth),
];

/// A row for each measure, a column for each subject; ratios are to the first.
pub fn markdown(results: &[Measured]) -> String {
    let heads: Vec<String> = results
        .iter()
        .map(|r| format!("{} | ", r.subject))
        .collect();
    let mut text = format!(
        "| | {}\n|---|{}\n",
        heads.concat().trim_end(),
        "--:|".repeat(results.len())
    );
    for (name, value, show) in ROWS {
        let values: Vec<Option<f64>> = results.iter().map(value).collect();
        if values.iter().all(Option::is_none) {
            continue;
        }
        text.push_str(&format!("| {name} |"));
        for (index, value) in values.iter().enumerate() {
            let first = values.first().copied().flatten().filter(|_| index > 0);
            let cell = value.map_or_else(String::new, |value| match first {
                Some(first) => format!("{} ({:.2}×)", show(value), value / first),
                None => show(value),
            });
            text.push_str(&format!(" {cell} |"));
        }
        text.push('\n');
    }
    text
}

fn whole(value: f64) -> String {
    format!("{value:.0}")
}

fn tenth(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::costs::Subject;

    #[test]
    fn what_was_not_measured_has_no_row_and_ratios_are_to_the_first() {
        let measured = |subject, bytes| Measured {
            subject,
            crates: None,
            debug_cpu_s: None,
            rebuild_cpu_s: None,
            rebuild_passed_s: None,
            release_cpu_s: None,
            binary_bytes: Some(bytes),
            ready_ms: None,
            idle_mb: None,
        };
        let results = [
            measured(Subject::Bare, 5_000_000),
            measured(Subject::Service, 7_000_000),
        ];
        let wanted =
            "| | bare | service |\n|---|--:|--:|\n| binary, stripped, MB | 5.0 | 7.0 (1.40×) |\n";
        assert_eq!(markdown(&results), wanted);
    }
}
