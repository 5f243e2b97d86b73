//! Metrics and log records, a line each.

use std::collections::BTreeMap;
use std::time::Duration;

use console::Style;

use crate::contract::at_the_end;
use crate::scenario::Recording;
use crate::signals::{Instrument, LogRecord, Measure, MetricPoint, Span};
use crate::waterfall::{dim, duration, table};

/// Log records shown at most.
const LOG_LINES: usize = 8;

/// One row a metric, over all its series at the end of the run.
pub fn metrics(points: &[MetricPoint]) -> String {
    let mut by_name: BTreeMap<&str, Vec<&MetricPoint>> = BTreeMap::new();
    for point in at_the_end(points) {
        by_name.entry(&point.name).or_default().push(point);
    }
    let rows: Vec<Vec<String>> = by_name
        .iter()
        .map(|(name, series)| {
            let first = series[0];
            let instrument = first.instrument.to_string();
            vec![
                (*name).to_owned(),
                instrument,
                first.unit.clone(),
                series.len().to_string(),
                told(series),
            ]
        })
        .collect();
    table(&["metric", "instrument", "unit", "series", "value"], &rows)
}

/// How often and how long on average, or the sum.
fn told(series: &[&MetricPoint]) -> String {
    let (mut times, mut total) = (0, 0.0);
    for point in series {
        match &point.measure {
            Measure::Histogram { count, sum, .. } => {
                times += count;
                total += sum;
            }
            Measure::Number(number) => total += number,
        }
    }
    match series[0].instrument {
        Instrument::Histogram if times == 0 => "never".to_owned(),
        // Every histogram here measures seconds; a negative sum is for the conformance check to report.
        Instrument::Histogram => {
            let mean = Duration::try_from_secs_f64(total / times as f64).unwrap_or_default();
            format!("{times} × {}", duration(mean))
        }
        _ => total.to_string(),
    }
}

/// Records that belong to a trace, each with the span it was written in.
pub fn logs(recordings: &[Recording]) -> String {
    let mut lines = Vec::new();
    for recording in recordings {
        for log in recording
            .received
            .logs
            .iter()
            .filter(|log| log.trace_id.is_some())
        {
            lines.push(log_line(log, &recording.received.spans));
        }
    }
    let more = lines.len().saturating_sub(LOG_LINES);
    lines.truncate(LOG_LINES);
    if more > 0 {
        lines.push(dim().apply_to(format!("  … and {more} more")).to_string());
    }
    lines.join("\n")
}

fn log_line(log: &LogRecord, spans: &[Span]) -> String {
    let style = match log.severity {
        17.. => Style::new().red(),
        13..17 => Style::new().yellow(),
        _ => Style::new().green(),
    };
    let text = |key: &str| log.attributes.get(key).map(|value| value.to_string());
    let what = match (text("exception.type"), text("exception.message")) {
        (Some(kind), Some(message)) => {
            let kind = kind.rsplit("::").next().unwrap_or(&kind).to_owned();
            format!("{kind}: {message}")
        }
        _ => log.body.to_string(),
    };
    let what = console::truncate_str(what.lines().next().unwrap_or_default(), 52, "…").into_owned();
    let within = spans
        .iter()
        .find(|span| Some(&span.span_id) == log.span_id.as_ref());
    let trace = log.trace_id.as_deref().unwrap_or_default();
    let place = format!(
        "trace {}…  in {}",
        trace.get(..8).unwrap_or_default(),
        within.map_or("?", |span| &span.name)
    );
    format!(
        "  {} {what:<52} {}",
        style.apply_to(format!("{:>5}", log.severity_text)),
        dim().apply_to(place)
    )
}
