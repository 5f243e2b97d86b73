//! Everything that must hold for one stack, step by step.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::stacks::Stack;
use crate::{contract, house, leaks, openapi, servers};

/// What Cargo is told. A service's justfile and its workflows say the same.
pub const FORMAT: &str = "fmt --all --check";
pub const CLIPPY: &str = "clippy --workspace --all-targets -- -D warnings";
pub const TEST: &str = "test --workspace";

/// In this order; a step that fails is the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    Generate,
    Format,
    Clippy,
    Test,
    Contract,
    Leaks,
}

impl Step {
    pub const ALL: [Self; 6] = [
        Self::Generate,
        Self::Format,
        Self::Clippy,
        Self::Test,
        Self::Contract,
        Self::Leaks,
    ];
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Generate => "generate",
            Self::Format => "format",
            Self::Clippy => "clippy",
            Self::Test => "test",
            Self::Contract => "contract",
            Self::Leaks => "leaks",
        };
        f.pad(name)
    }
}

/// What became of one stack.
#[derive(Debug, Serialize)]
pub struct Outcome {
    pub stack: String,
    /// The steps that were made, with their seconds.
    pub steps: Vec<(Step, f64)>,
    /// Why the last of them failed.
    pub failure: Option<String>,
}

impl Outcome {
    pub fn ok(&self) -> bool {
        self.failure.is_none()
    }
}

/// What a caller hears while a check runs.
#[derive(Debug)]
pub enum Event<'a> {
    Begin(Step),
    /// A line that the step's program printed.
    Line(&'a str),
}

/// Takes `stack` through all steps.
pub fn check(stack: &Stack, hear: &mut dyn FnMut(Event<'_>)) -> Outcome {
    let mut outcome = Outcome {
        stack: stack.to_string(),
        steps: Vec::new(),
        failure: None,
    };
    for step in Step::ALL {
        hear(Event::Begin(step));
        let begun = Instant::now();
        let result = make(step, stack, hear);
        outcome.steps.push((step, seconds(begun.elapsed())));
        if let Err(error) = result {
            outcome.failure = Some(format!("{error:#}"));
            break;
        }
    }
    outcome
}

fn make(step: Step, stack: &Stack, hear: &mut dyn FnMut(Event<'_>)) -> Result<()> {
    let project = match step {
        Step::Generate => return house::place(stack).map(drop),
        _ => house::home(stack),
    };
    let mut cargo = |arguments: &str| {
        let line = &mut |line: &str| hear(Event::Line(line));
        let arguments = arguments.split(' ');
        house::run(house::cargo(&project).args(arguments), line).map(drop)
    };
    match step {
        Step::Generate => Ok(()),
        Step::Format => cargo(&format!("{FORMAT} -- --color never")),
        Step::Clippy => cargo(CLIPPY),
        Step::Test => {
            let mut cargo = house::cargo(&project);
            cargo.args(TEST.split(' '));
            cargo.envs(servers::environment(stack)?);
            house::run(&mut cargo, &mut |line| hear(Event::Line(line))).map(drop)
        }
        Step::Contract => {
            let report = contract::run(stack, &project, &house::target())?;
            ensure!(report.passed(), "the contract is broken:\n{report}");
            openapi::check(stack, &project)
        }
        // The binary is the contract's.
        Step::Leaks => {
            let report = leaks::run(stack, &project, &house::target())?;
            ensure!(
                report.passed(),
                "the service tells what it should not:\n{report}"
            );
            hear(Event::Line(&report.to_string()));
            Ok(())
        }
    }
}

fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10.0).round() / 10.0
}
