//! What was measured, and what that is of what it is compared with.

use std::time::Duration;

use serde::Serialize;

use super::load::Slice;
use super::{Route, Variant};

/// One variant on one route, as it is measured. Lists are by turn, and empty where there were none.
#[derive(Debug)]
pub struct Measured {
    pub variant: Variant,
    pub route: Route,
    pub rps: Vec<f64>,
    pub p50_ms: Vec<f64>,
    pub p99_ms: Vec<f64>,
    pub cpu_us: Vec<f64>,
    /// With as many requests as it can take seven tenths of.
    pub paced_p99_ms: Vec<f64>,
    pub instructions: Option<u64>,
    pub rss_mb: Option<f64>,
    pub answered: usize,
    pub spans_received: Option<usize>,
}

/// The same for readers. Of what took turns it is the middle.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub variant: Variant,
    pub route: Route,
    pub rps: Option<f64>,
    pub p50_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    pub cpu_us: Option<f64>,
    pub paced_p99_ms: Option<f64>,
    pub instructions: Option<u64>,
    pub rss_mb: Option<f64>,
    /// By the requests that were answered. `None` where not all are recorded.
    pub spans_ended: Option<usize>,
    pub spans_received: Option<usize>,
    pub spread: Spread,
}

/// To the first variant of the route, turn by turn.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Spread {
    pub rps: Option<Ratio>,
    pub p99_ms: Option<Ratio>,
    pub cpu_us: Option<Ratio>,
    pub paced_p99_ms: Option<Ratio>,
    /// These are counted once, and repeat.
    pub instructions: Option<Ratio>,
}

/// The median, and from the first to the third quarter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ratio {
    pub ratio: f64,
    pub low: f64,
    pub high: f64,
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
            paced_p99_ms: Vec::new(),
            instructions: None,
            rss_mb: None,
            answered: 0,
            spans_received: None,
        }
    }

    /// A turn of as many requests as could be.
    pub(super) fn add(&mut self, slice: &Slice, cpu: Duration) {
        let requests = slice.times.len() as f64;
        let milliseconds = |share| slice.percentile(share).as_secs_f64() * 1e3;
        self.rps.push(requests / slice.took.as_secs_f64());
        self.p50_ms.push(milliseconds(0.5));
        self.p99_ms.push(milliseconds(0.99));
        self.cpu_us.push(cpu.as_secs_f64() * 1e6 / requests);
    }

    /// What holds for each turn, also for those that do not count.
    pub(super) fn saw(&mut self, slice: &Slice, memory: u64) {
        self.answered += slice.times.len();
        let memory = memory as f64 / 1e6;
        self.rss_mb = Some(self.rss_mb.map_or(memory, |most| most.max(memory)));
    }
}

/// A row for each, compared with the first of its route.
pub fn rows(results: &[Measured]) -> Vec<Row> {
    let row = |own: &Measured| {
        let first = results.iter().find(|first| first.route == own.route);
        Row {
            variant: own.variant,
            route: own.route,
            rps: median(&own.rps),
            p50_ms: median(&own.p50_ms),
            p99_ms: median(&own.p99_ms),
            cpu_us: median(&own.cpu_us),
            paced_p99_ms: median(&own.paced_p99_ms),
            instructions: own.instructions,
            rss_mb: own.rss_mb,
            spans_ended: own.spans_received.and_then(|_| ended(own)),
            spans_received: own.spans_received,
            spread: first.map_or_else(Spread::default, |first| Spread::of(own, first)),
        }
    };
    results.iter().map(row).collect()
}

fn ended(own: &Measured) -> Option<usize> {
    let spans = own.variant.spans_a_request()?;
    Some(own.answered * spans)
}

impl Row {
    /// How many spans never arrived; `None` where that is not known.
    pub fn lost(&self) -> Option<usize> {
        Some(self.spans_ended?.saturating_sub(self.spans_received?))
    }
}

impl Spread {
    fn of(own: &Measured, first: &Measured) -> Self {
        let instructions = |measured: &Measured| -> Vec<f64> {
            measured
                .instructions
                .map(|count| count as f64)
                .into_iter()
                .collect()
        };
        Self {
            rps: Ratio::of(&own.rps, &first.rps),
            p99_ms: Ratio::of(&own.p99_ms, &first.p99_ms),
            cpu_us: Ratio::of(&own.cpu_us, &first.cpu_us),
            paced_p99_ms: Ratio::of(&own.paced_p99_ms, &first.paced_p99_ms),
            instructions: Ratio::of(&instructions(own), &instructions(first)),
        }
    }
}

impl Ratio {
    fn of(own: &[f64], first: &[f64]) -> Option<Self> {
        let ratios: Vec<f64> = own
            .iter()
            .zip(first)
            .map(|(own, first)| own / first)
            .collect();
        Some(Self {
            ratio: median(&ratios)?,
            low: quantile(&ratios, 0.25)?,
            high: quantile(&ratios, 0.75)?,
        })
    }
}

pub(super) fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let index = (values.len().saturating_sub(1) as f64 * share).round() as usize;
    values.get(index).copied()
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
        let row = &rows(&results)[1];
        assert_eq!(row.rps, Some(25.0));
        let ratio = Ratio {
            ratio: 0.5,
            low: 0.5,
            high: 0.6,
        };
        assert_eq!(row.spread.rps, Some(ratio));
    }

    #[test]
    fn what_was_not_measured_is_null() {
        let mut counted = Measured::new(Variant::Service, Route::Users);
        counted.instructions = Some(100);
        let json = serde_json::to_value(rows(&[counted])).unwrap();
        for key in [
            "rps",
            "p50_ms",
            "p99_ms",
            "cpu_us",
            "rss_mb",
            "spans_ended",
            "spans_received",
        ] {
            assert_eq!(json[0].get(key), Some(&serde_json::Value::Null), "{key}");
        }
        assert_eq!(json[0]["instructions"], 100);
    }
}
