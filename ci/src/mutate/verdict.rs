//! What the judges say of a service, line by line.

use std::fmt;

use crate::contract::Report;

/// Who said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    /// The semantic conventions.
    Conformance,
    /// What holds of every run, or a file of the contract.
    Contract,
    /// The scenario could not be carried out.
    Scenario,
}

impl fmt::Display for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Conformance => "conformance",
            Self::Contract => "contract",
            Self::Scenario => "scenario",
        })
    }
}

/// One line of what was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub judge: Judge,
    pub line: String,
}

impl Finding {
    /// Of a run that came to no end. Without the service's output, which is quoted below the first line: what it says of
    /// itself is not what a judge says.
    pub fn of(error: &anyhow::Error) -> Self {
        let causes = error.chain().map(|cause| {
            let text = cause.to_string();
            text.lines().next().unwrap_or_default().to_owned()
        });
        Self {
            judge: Judge::Scenario,
            line: causes.collect::<Vec<_>>().join(": "),
        }
    }
}

/// Everything in `report` that a good service would not give rise to: what knows the reason first.
pub fn findings(report: &Report) -> Vec<Finding> {
    let by = |judge| move |line| Finding { judge, line };
    let mut all: Vec<Finding> = (report.violations().into_iter())
        .map(by(Judge::Conformance))
        .chain(report.breaches.iter().cloned().map(by(Judge::Contract)))
        .collect();
    for difference in &report.differences {
        // Behind the two lines that say what is compared.
        let changed = difference.diff.lines().skip(2);
        let changed = changed.filter(|line| line.starts_with(['+', '-']));
        let lines = changed.map(|line| format!("{}: {line}", difference.file));
        all.extend(lines.map(by(Judge::Contract)));
    }
    if all.is_empty() && !report.passed() {
        let (expected, received) = (report.expected, report.received);
        let line = format!("{received:?} came instead of {expected:?}");
        all.push(by(Judge::Contract)(line));
    }
    all
}
