//! A trace as a picture for the terminal: the tree, when each span ran, and what it says of itself.

use std::time::Duration;

use console::{Style, measure_text_width, pad_str, truncate_str};

use crate::signals::tree::{Node, trees};
use crate::signals::{Kind, Span, Status, Value};

/// Columns of a line.
pub const WIDTH: usize = 98;
/// Of the names, and of the bars beside them, together. A deep tree takes from the bars.
const NAME: usize = 40;
const BAR: usize = 36;
const DEEPEST: usize = 58;

/// One trace. `title` says what was asked and answered.
pub fn waterfall(title: &str, spans: &[&Span]) -> String {
    let mut lines = vec![format!(
        "{} {}",
        Style::new().bold().apply_to("●"),
        Style::new().bold().apply_to(title)
    )];
    lines.extend(spans.first().map(|first| identity(&first.trace_id, spans)));
    let scale = Scale::of(spans);
    let first = spans.first().map(|span| span.service());
    let one_service = spans.iter().all(|span| Some(span.service()) == first);
    for root in trees(spans) {
        draw(&root, "", "", &scale, one_service, &mut lines);
    }
    lines.join("\n")
}

/// The trace id, and the session id with how many spans carry it.
fn identity(trace_id: &str, spans: &[&Span]) -> String {
    let with_session: Vec<&str> = spans
        .iter()
        .filter_map(|span| span.string("session.id"))
        .collect();
    let session = match with_session.first() {
        Some(id) => format!(
            " · session {id} on {} of {} spans",
            with_session.len(),
            spans.len()
        ),
        None => String::new(),
    };
    dim()
        .apply_to(format!("  trace {trace_id}{session}"))
        .to_string()
}

/// `lead` is drawn before this span's name, `below` before all that comes under it.
fn draw(
    node: &Node<'_>,
    lead: &str,
    below: &str,
    scale: &Scale,
    one_service: bool,
    lines: &mut Vec<String>,
) {
    let span = node.span;
    let failed = matches!(span.status, Status::Error(_));
    let style = if failed {
        Style::new().red()
    } else {
        of_kind(span.kind)
    };
    let name = format!("  {lead}{}", style.clone().bold().apply_to(&span.name));
    lines.push(format!(
        "{} {} {:>9} {}",
        pad_str(
            &name,
            NAME + BAR - scale.bar,
            console::Alignment::Left,
            Some("…")
        ),
        style.apply_to(scale.bar(span)),
        duration(Duration::from_nanos(span.end.saturating_sub(span.start))),
        dim().apply_to(span.kind.to_string().to_lowercase()),
    ));
    let gutter = if node.children.is_empty() { "" } else { "│ " };
    // Where a request comes in, since the rest below it is of the same service.
    let named =
        (!one_service && span.kind == Kind::Server).then(|| format!("in {}", span.service()));
    for detail in named.into_iter().chain(details(span)) {
        let line = format!("  {below}{gutter}  {detail}");
        lines.push(dim().apply_to(truncate_str(&line, WIDTH, "…")).to_string());
    }
    let last = node.children.len().saturating_sub(1);
    for (index, child) in node.children.iter().enumerate() {
        let (branch, rail) = if index == last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        draw(
            child,
            &format!("{below}{branch}"),
            &format!("{below}{rail}"),
            scale,
            one_service,
            lines,
        );
    }
}

/// The attributes that tell the story; the rest is in the contract.
fn details(span: &Span) -> Vec<String> {
    let shown: &[&str] = match span.kind {
        Kind::Server => &["http.response.status_code", "url.query", "error.type"],
        Kind::Client if span.attributes.contains_key("db.system.name") => {
            &["db.system.name", "db.query.text", "error.type"]
        }
        Kind::Client => &["http.response.status_code", "error.type", "url.full"],
        _ => &[],
    };
    let mut facts: Vec<String> = if shown.is_empty() {
        let own = span
            .attributes
            .iter()
            .filter(|(key, _)| *key != "session.id");
        own.map(|(key, value)| fact(key, value)).collect()
    } else {
        shown
            .iter()
            .filter_map(|key| span.attributes.get(*key).map(|value| fact(key, value)))
            .collect()
    };
    if let Status::Error(description) = &span.status
        && !description.is_empty()
    {
        facts.push(format!("error: {}", one_line(description)));
    }
    let mut lines: Vec<String> = Vec::new();
    if !facts.is_empty() {
        lines.push(facts.join("  "));
    }
    for event in &span.events {
        let text = |key: &str| {
            event
                .attributes
                .get(key)
                .map(|value| one_line(&value.to_string()))
        };
        let what = [text("exception.type"), text("exception.message")]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>();
        lines.push(format!("⚑ {} {}", event.name, what.join(": ")));
    }
    lines
}

fn fact(key: &str, value: &Value) -> String {
    format!("{key}={}", one_line(&value.to_string()))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Maps the time of a trace to the columns of the bar.
struct Scale {
    start: u64,
    length: f64,
    /// Columns.
    bar: usize,
}

impl Scale {
    fn of(spans: &[&Span]) -> Self {
        let start = spans
            .iter()
            .map(|span| span.start)
            .min()
            .unwrap_or_default();
        let end = spans.iter().map(|span| span.end).max().unwrap_or_default();
        let walk = trees(spans);
        let longest = walk
            .iter()
            .flat_map(Node::walk)
            .map(|(depth, span)| 2 + 3 * depth + measure_text_width(&span.name))
            .max();
        let names = longest.unwrap_or_default().clamp(NAME, DEEPEST);
        Self {
            start,
            length: (end.saturating_sub(start)).max(1) as f64,
            bar: NAME + BAR - names,
        }
    }

    /// Eighths of a column, so that short spans keep their proportion; never less than one eighth.
    fn bar(&self, span: &Span) -> String {
        const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
        let column =
            |time: u64| time.saturating_sub(self.start) as f64 / self.length * self.bar as f64;
        let offset = (column(span.start).floor() as usize).min(self.bar - 1);
        let eighths = ((column(span.end) - offset as f64) * 8.0).round().max(1.0) as usize;
        let bar = format!(
            "{}{}{}",
            " ".repeat(offset),
            "█".repeat(eighths / 8),
            EIGHTHS[eighths % 8]
        );
        pad_str(&bar, self.bar, console::Alignment::Left, None).into_owned()
    }
}

/// With three digits, in the unit that suits.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        s if s < 0.001 => format!("{:.0} µs", s * 1e6),
        s if s < 0.01 => format!("{:.2} ms", s * 1e3),
        s if s < 0.1 => format!("{:.1} ms", s * 1e3),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 60.0 => format!("{s:.1} s"),
        s => format!("{:.0} min {:.0} s", (s / 60.0).floor(), s % 60.0),
    }
}

/// Rows in columns as wide as their widest cell; a column of numbers is right-aligned.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = (0..head.len())
        .map(|column| {
            let cells = rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| measure_text_width(cell));
            cells
                .chain([measure_text_width(head[column])])
                .max()
                .unwrap_or_default()
        })
        .collect();
    let numeric = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .all(|cell| cell.starts_with(|c: char| c.is_ascii_digit()) || cell == "-")
    };
    let line = |cells: &[String]| {
        let cells = cells.iter().enumerate().map(|(column, cell)| {
            let side = if numeric(column) {
                console::Alignment::Right
            } else {
                console::Alignment::Left
            };
            pad_str(cell, widths[column], side, None).into_owned()
        });
        let line = format!("  {}", cells.collect::<Vec<_>>().join("  "));
        truncate_str(line.trim_end(), WIDTH, "…").into_owned()
    };
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let mut lines = vec![dim().apply_to(line(&head)).to_string()];
    lines.extend(rows.iter().map(|row| line(row)));
    lines.join("\n")
}

pub fn dim() -> Style {
    Style::new().dim()
}

fn of_kind(kind: Kind) -> Style {
    match kind {
        Kind::Server => Style::new().cyan(),
        Kind::Client => Style::new().magenta(),
        _ => Style::new().green(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::samples;

    #[test]
    fn draws_the_tree_to_scale() {
        console::set_colors_enabled(false);
        let (server, inner, client) = samples::trace();
        let picture = waterfall("GET /users/1 → 200", &[&client, &server, &inner]);
        let lines: Vec<&str> = picture.lines().collect();
        assert_eq!(lines[0], "● GET /users/1 → 200");
        assert!(
            lines[1].contains("session s-1 on 3 of 3 spans"),
            "{picture}"
        );
        assert!(lines[2].starts_with("  GET /users/{id} "), "{picture}");
        assert!(lines[2].contains(&"█".repeat(BAR)), "{picture}");
        assert!(picture.contains("  └─ db.get_user"), "{picture}");
        assert!(picture.contains("     └─ SELECT users"), "{picture}");
        assert!(
            picture
                .lines()
                .all(|line| measure_text_width(line) <= WIDTH),
            "{picture}"
        );
    }

    #[test]
    fn durations_have_three_digits() {
        let shown = |nanos| duration(Duration::from_nanos(nanos));
        assert_eq!(shown(850_000), "850 µs");
        assert_eq!(shown(1_234_000), "1.23 ms");
        assert_eq!(shown(12_340_000), "12.3 ms");
        assert_eq!(shown(312_000_000), "312 ms");
        assert_eq!(shown(2_500_000_000), "2.5 s");
        assert_eq!(shown(90_000_000_000), "1 min 30 s");
    }

    #[test]
    fn tables_align() {
        console::set_colors_enabled(false);
        let rows = vec![
            vec!["a".to_owned(), "10".to_owned()],
            vec!["long".to_owned(), "2".to_owned()],
        ];
        assert_eq!(
            table(&["name", "n"], &rows),
            "  name   n\n  a     10\n  long   2"
        );
    }
}
