//! What a span costs, for people.

use super::{Counted, Measured};

/// Instructions, with allocations in parentheses.
pub fn markdown(results: &[Measured]) -> String {
    let mut text = "| a span of | the work itself | + span, exported | + span, `fast-export` | … without metrics | + unsampled | + disabled | ns for its caller |\n|---|--:|--:|--:|--:|--:|--:|--:|\n".to_owned();
    for result in results {
        let nanoseconds = result.nanoseconds.map(|time| format!("{time:.0}"));
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |\n",
            result.case,
            cell(Some(result.bare)),
            cell(Some(result.service)),
            cell(result.fast),
            cell(result.fast_traces),
            cell(result.unsampled),
            cell(result.disabled),
            nanoseconds.unwrap_or_default(),
        ));
    }
    text
}

fn cell(counted: Option<Counted>) -> String {
    counted.map_or_else(String::new, |counted| {
        let Counted {
            instructions,
            allocations,
        } = counted;
        // No `-0`.
        format!("{:.0} ({:.1})", instructions + 0.0, allocations + 0.0)
    })
}
