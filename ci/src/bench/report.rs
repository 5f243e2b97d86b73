//! What was measured, for people and for machines.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::load::Slice;
use super::{Route, Variant};

/// Each of these routes makes a server span, one of the function and one of what it calls.
const SPANS_A_REQUEST: usize = 3;

/// One variant on one route.
#[derive(Debug, Serialize)]
pub struct Measured {
    pub variant: Variant,
    pub route: Route,
    /// By turn.
    #[serde(serialize_with = "middle")]
    pub rps: Vec<f64>,
    #[serde(serialize_with = "middle")]
    pub p50_ms: Vec<f64>,
    #[serde(serialize_with = "middle")]
    pub p99_ms: Vec<f64>,
    #[serde(serialize_with = "middle")]
    pub cpu_us: Vec<f64>,
    pub instructions: Option<u64>,
    pub rss_mb: f64,
    /// By the requests that were answered. `None` where not all are recorded.
    pub spans_ended: Option<usize>,
    pub spans_received: usize,
}

impl Measured {
    pub(super) fn new(variant: Variant, route: Route) -> Self {
        Self {
            variant,
            route,
            rps: Vec::new(),
            p50_ms: Vec::new(),
            p99_ms: Vec::new(),
            cpu_us: Vec::new(),
            instructions: None,
            rss_mb: 0.0,
            spans_ended: (variant != Variant::ServiceSampled).then_some(0),
            spans_received: 0,
        }
    }

    pub(super) fn add(&mut self, counts: bool, slice: &Slice, cpu: Duration, memory: u64) {
        if let (Variant::Service | Variant::ServiceFast, Some(spans)) =
            (self.variant, &mut self.spans_ended)
        {
            *spans += slice.times.len() * SPANS_A_REQUEST;
        }
        self.rss_mb = self.rss_mb.max(memory as f64 / 1e6);
        if !counts {
            return;
        }
        let requests = slice.times.len() as f64;
        let milliseconds = |share| slice.percentile(share).as_secs_f64() * 1e3;
        self.rps.push(requests / slice.took.as_secs_f64());
        self.p50_ms.push(milliseconds(0.5));
        self.p99_ms.push(milliseconds(0.99));
        self.cpu_us.push(cpu.as_secs_f64() * 1e6 / requests);
    }
}

/// A table for each route. Ratios are to its first variant, turn by turn: their median, and from the first to the third
/// quarter of them.
pub fn markdown(results: &[Measured]) -> String {
    let mut text = String::new();
    let mut routes: Vec<Route> = results.iter().map(|result| result.route).collect();
    routes.dedup();
    for route in routes {
        let of_route: Vec<&Measured> = results.iter().filter(|r| r.route == route).collect();
        let Some(first) = of_route.first() else {
            continue;
        };
        text.push_str(&format!(
            "\n| {route} | instructions | × | requests/s | × | p50 ms | p99 ms | × | CPU µs | × | MB | spans received / ended |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"
        ));
        for result in &of_route {
            let count = result.instructions.map(|count| count.to_string());
            let times = match (result.instructions, first.instructions) {
                (Some(own), Some(first)) => format!("{:.2}", own as f64 / first as f64),
                _ => String::new(),
            };
            let ended = result.spans_ended.map(|count| count.to_string());
            text.push_str(&format!(
                "| {} | {} | {times} | {:.0} | {} | {:.2} | {:.2} | {} | {:.1} | {} | {:.1} | {} / {} |\n",
                result.variant,
                count.unwrap_or_default(),
                median(&result.rps),
                ratio(&result.rps, &first.rps),
                median(&result.p50_ms),
                median(&result.p99_ms),
                ratio(&result.p99_ms, &first.p99_ms),
                median(&result.cpu_us),
                ratio(&result.cpu_us, &first.cpu_us),
                result.rss_mb,
                result.spans_received,
                ended.unwrap_or_else(|| "some".to_owned()),
            ));
        }
    }
    text
}

fn ratio(own: &[f64], first: &[f64]) -> String {
    let ratios: Vec<f64> = own.iter().zip(first).map(|(a, b)| a / b).collect();
    if ratios.is_empty() {
        return String::new();
    }
    let (low, high) = (quantile(&ratios, 0.25), quantile(&ratios, 0.75));
    format!("{:.2} ({low:.2}–{high:.2})", median(&ratios))
}

pub(super) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

fn quantile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let index = (values.len().saturating_sub(1) as f64 * share).round() as usize;
    values.get(index).copied().unwrap_or_default()
}

fn middle<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    median(values).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_the_same_turn_and_to_the_first_variant() {
        let mut results = [
            Measured::new(Variant::Bare, Route::Users),
            Measured::new(Variant::Service, Route::Users),
        ];
        results[0].rps = vec![100.0, 10.0, 50.0];
        results[1].rps = vec![50.0, 6.0, 25.0];
        results[0].instructions = Some(100);
        results[1].instructions = Some(150);
        let text = markdown(&results);
        let service = text.lines().last().unwrap();
        assert!(
            service.starts_with("| service | 150 | 1.50 | 25 | 0.50 (0.50–0.60) |"),
            "{text}"
        );
    }
}
