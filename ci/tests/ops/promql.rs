//! The little of PromQL that the tests need: which metrics an expression reads, and which labels.

use std::collections::BTreeSet;

/// What an expression names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub metrics: BTreeSet<String>,
    pub labels: BTreeSet<String>,
}

/// Words that are followed by a list of labels.
const LISTS: [&str; 6] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];
const OPERATORS: [&str; 5] = ["and", "or", "unless", "bool", "offset"];

pub fn names(expression: &str) -> Names {
    let mut names = Names::default();
    let mut rest = expression;
    // Whether the next words are labels, and what ends that.
    let mut end_of_labels = None;
    let mut list_follows = false;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' => rest[1..].find(first).map_or(rest.len(), |at| at + 2),
            // A duration.
            '[' => rest.find(']').map_or(rest.len(), |at| at + 1),
            '{' => {
                end_of_labels = Some('}');
                1
            }
            '(' if list_follows => {
                (end_of_labels, list_follows) = (Some(')'), false);
                1
            }
            _ if Some(first) == end_of_labels => {
                end_of_labels = None;
                1
            }
            _ if first.is_ascii_alphabetic() || first == '_' => {
                let is_word = |c: char| c.is_ascii_alphanumeric() || "_:".contains(c);
                let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                let word = &rest[..length];
                if end_of_labels.is_some() {
                    names.labels.insert(word.to_owned());
                } else if LISTS.contains(&word) {
                    list_follows = true;
                } else if !OPERATORS.contains(&word)
                    && !rest[length..].trim_start().starts_with('(')
                {
                    names.metrics.insert(word.to_owned());
                }
                length
            }
            // A number, with its unit.
            _ if first.is_ascii_digit() => {
                let is_number = |c: char| c.is_ascii_alphanumeric() || c == '.';
                rest.find(|c| !is_number(c)).unwrap_or(rest.len())
            }
            _ => first.len_utf8(),
        };
        // `sum by (a) (…)` and `sum (…) by (a)`: functions are followed by a bracket, or by such a list.
        rest = &rest[length..];
    }
    for function in ["sum", "count", "avg", "max", "min"] {
        names.metrics.remove(function);
    }
    names
}

/// The labels in `{{ $labels.a }}` of an annotation, or `{{a}}` of a legend.
pub fn placeholders(text: &str) -> BTreeSet<String> {
    let pieces = text.split("{{").skip(1);
    let inner = pieces.filter_map(|piece| piece.split("}}").next());
    inner
        .map(|inner| inner.split('|').next().unwrap_or_default().trim())
        .filter(|name| *name != "$value")
        .map(|name| name.trim_start_matches("$labels.").to_owned())
        .collect()
}

#[test]
fn metrics_and_labels_are_told_apart() {
    let found = names(
        "histogram_quantile(0.99, sum by (job, le) (rate(a_bucket{job=\"$job\", b!=\"c d\"}[5m]))) > 14.4 * 0.001\n\
         and on (job) count(x:y:z offset 1h) by (w)",
    );
    let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    assert_eq!(
        found,
        Names {
            metrics: set(&["a_bucket", "x:y:z"]),
            labels: set(&["job", "le", "b", "w"]),
        }
    );
    assert_eq!(
        placeholders("{{ $labels.a }} and {{b}}: {{ $value | humanize }}"),
        set(&["a", "b"])
    );
}
