//! Sets of stacks: all, each choice once, each pair of choices once. The default stack always comes first. They are whole
//! services: what `scope = telemetry` leaves cannot be run by itself.
//!
//! Choices that only add files beside the program need no build to be judged. These sets leave them at their default;
//! [`around`] varies them.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use anyhow::Result;

use super::{Stack, sort};
use crate::options::{Kind, Options, Question};

/// Choices that change no program: a tidy test holds that true.
pub const FILES_ONLY: [&str; 4] = ["containers", "kubernetes", "dashboards", "github"];

/// Choices that stand alone: what they add meets no other choice.
const ALONE: [&str; 3] = ["fast-export", "openapi", "trace-page"];

/// Every combination of choices that meet one another; those of [`ALONE`] take turns.
///
/// # Errors
/// `cargo-generate.toml` is not understood.
pub fn all() -> Result<Vec<Stack>> {
    Ok(all_of(services()?))
}

/// Each choice in at least one stack (but see [`FILES_ONLY`]), in as few stacks as there can be.
///
/// # Errors
/// `cargo-generate.toml` is not understood.
pub fn flagship() -> Result<Vec<Stack>> {
    Ok(flagship_of(services()?))
}

/// Each pair of choices (of two questions) in at least one stack; an extra counts as chosen and as not chosen.
///
/// # Errors
/// `cargo-generate.toml` is not understood.
pub fn pairwise() -> Result<Vec<Stack>> {
    Ok(pairwise_of(services()?))
}

/// The flagship's answers, but with `scope = telemetry`.
///
/// # Errors
/// `cargo-generate.toml` is not understood.
pub fn telemetry_only() -> Result<Vec<Stack>> {
    let flagship = flagship()?;
    flagship
        .iter()
        .map(|stack| format!("{stack}+telemetry").parse())
        .collect()
}

/// Every combination of the choices that only add files, on the default stack; and all of them together, on stacks in which
/// every other choice meets every other.
///
/// # Errors
/// `cargo-generate.toml` is not understood.
pub fn around() -> Result<Vec<Stack>> {
    let with = |stack: &Stack, chosen: &dyn Fn(usize) -> bool| {
        let mut stack = stack.clone();
        for (question, answers) in stack.options.questions.iter().zip(&mut stack.answers) {
            for (index, value) in FILES_ONLY.iter().enumerate() {
                answers.retain(|answer| answer != value);
                if question.allows(value) && chosen(index) {
                    answers.push((*value).to_owned());
                }
            }
            sort(question, answers);
        }
        stack
    };
    let default = super::default()?;
    let mut stacks: Vec<Stack> = (0..1_usize << FILES_ONLY.len())
        .map(|set| with(&default, &|index| set >> index & 1 == 1))
        .collect();
    for stack in pairwise()? {
        let stack = with(&stack, &|_| true);
        if !stacks.contains(&stack) {
            stacks.push(stack);
        }
    }
    Ok(stacks)
}

/// The questions that whole services answer.
fn services() -> Result<&'static Options> {
    static SERVICES: OnceLock<Options> = OnceLock::new();
    if let Some(services) = SERVICES.get() {
        return Ok(services);
    }
    let mut services = Options::load()?.clone();
    let scopes = services.questions.iter_mut();
    for Question {
        choices, default, ..
    } in scopes.filter(|question| question.name == "scope")
    {
        choices.retain(|choice| default.contains(&choice.value));
    }
    Ok(SERVICES.get_or_init(|| services))
}

pub(super) fn all_of(options: &'static Options) -> Vec<Stack> {
    let factors = factors(options);
    let mut rows = vec![vec![]];
    for factor in &factors {
        let levels = if factor.is_alone() {
            1
        } else {
            factor.levels.len()
        };
        rows = rows
            .iter()
            .flat_map(|row| (0..levels).map(|level| [&row[..], &[level]].concat()))
            .collect();
    }
    let alone = (0..factors.len()).filter(|factor| factors[*factor].is_alone());
    // Their number of turns is odd, so that these fall differently on the choices that meet.
    let turns = (1_usize << alone.clone().count()) - 1;
    for (index, row) in rows.iter_mut().enumerate() {
        for (bit, factor) in alone.clone().enumerate() {
            row[factor] = ((index % turns.max(1)) >> bit) & 1;
        }
    }
    rows.iter()
        .map(|row| stack(options, &factors, row))
        .collect()
}

pub(super) fn flagship_of(options: &'static Options) -> Vec<Stack> {
    let one = options
        .questions
        .iter()
        .filter(|question| question.kind == Kind::One);
    let count = one
        .map(|question| question.choices.len())
        .max()
        .unwrap_or(1);
    (0..count)
        .map(|index| {
            let answers = options
                .questions
                .iter()
                .map(|question| match question.kind {
                    Kind::One => {
                        vec![default_first(question)[index % question.choices.len()].clone()]
                    }
                    // The first stack keeps its defaults; the choices that are no default take turns in the others.
                    Kind::Many if index == 0 && count > 1 => question.default.clone(),
                    Kind::Many => {
                        let turns = count.saturating_sub(1).max(1);
                        let turn = index.saturating_sub(1);
                        let more = default_first(question)
                            .into_iter()
                            .skip(question.default.len())
                            .filter(|value| !FILES_ONLY.contains(&&**value));
                        let mut answers = question.default.clone();
                        answers.extend(
                            more.enumerate()
                                .filter(|(at, _)| at % turns == turn)
                                .map(|(_, value)| value),
                        );
                        sort(question, &mut answers);
                        answers
                    }
                });
            Stack {
                options,
                answers: answers.collect(),
            }
        })
        .collect()
}

pub(super) fn pairwise_of(options: &'static Options) -> Vec<Stack> {
    let factors = factors(options);
    let mut open: BTreeSet<Pair> = BTreeSet::new();
    for a in 0..factors.len() {
        for b in a + 1..factors.len() {
            for x in 0..factors[a].levels.len() {
                open.extend((0..factors[b].levels.len()).map(|y| ((a, x), (b, y))));
            }
        }
    }

    let mut rows = vec![vec![0; factors.len()]]; // the default stack
    open.retain(|&(a, b)| a.1 != 0 || b.1 != 0);
    while let Some(&(first, second)) = open.first() {
        let row = best_row(&factors, &open, first, second);
        open.retain(|&(a, b)| row[a.0] != a.1 || row[b.0] != b.1);
        rows.push(row);
    }
    rows.iter()
        .map(|row| stack(options, &factors, row))
        .collect()
}

/// A factor and one of its levels, by index.
type Cell = (usize, usize);
type Pair = (Cell, Cell);

/// A row that holds the pair `first`, `second` and, factor by factor, as many other open pairs as possible.
fn best_row(
    factors: &[Factor<'_>],
    open: &BTreeSet<Pair>,
    first: Cell,
    second: Cell,
) -> Vec<usize> {
    let mut fixed = vec![first, second];
    for (factor, Factor { levels, .. }) in factors.iter().enumerate() {
        if factor == first.0 || factor == second.0 {
            continue;
        }
        let gain = |level: &usize| {
            let cell = (factor, *level);
            fixed
                .iter()
                .filter(|&&other| open.contains(&(cell.min(other), cell.max(other))))
                .count()
        };
        // Of equals the first, so that the result does not depend on anything but the questions.
        let level = (0..levels.len()).rev().max_by_key(gain).unwrap_or(0);
        fixed.push((factor, level));
    }
    fixed.sort_unstable();
    fixed.into_iter().map(|(_, level)| level).collect()
}

/// What varies on its own: a string question, or one choice of an array question. Level 0 is the default.
struct Factor<'a> {
    question: usize,
    /// What each level adds to the answers of the question.
    levels: Vec<Option<&'a str>>,
}

impl Factor<'_> {
    fn is_alone(&self) -> bool {
        self.levels
            .iter()
            .flatten()
            .any(|value| ALONE.contains(value))
    }
}

fn factors(options: &Options) -> Vec<Factor<'_>> {
    let mut factors = Vec::new();
    for (index, question) in options.questions.iter().enumerate() {
        match question.kind {
            Kind::One => {
                let mut levels: Vec<_> = question
                    .choices
                    .iter()
                    .map(|choice| Some(&*choice.value))
                    .collect();
                levels.sort_by_key(|level| *level != question.default.first().map(String::as_str)); // stable
                factors.push(Factor {
                    question: index,
                    levels,
                });
            }
            Kind::Many => factors.extend(question.choices.iter().map(|choice| {
                let mut levels = vec![None, Some(&*choice.value)];
                if question.default.contains(&choice.value) {
                    levels.reverse();
                }
                if FILES_ONLY.contains(&&*choice.value) {
                    levels.truncate(1);
                }
                Factor {
                    question: index,
                    levels,
                }
            })),
        }
    }
    factors
}

fn stack(options: &'static Options, factors: &[Factor<'_>], row: &[usize]) -> Stack {
    let mut answers = vec![Vec::new(); options.questions.len()];
    for (factor, &level) in factors.iter().zip(row) {
        answers[factor.question].extend(factor.levels[level].map(str::to_owned));
    }
    Stack { options, answers }
}

fn default_first(question: &Question) -> Vec<String> {
    let mut values: Vec<String> = question
        .choices
        .iter()
        .map(|choice| choice.value.clone())
        .collect();
    values.sort_by_key(|value| !question.default.contains(value)); // stable: the others keep their order
    values
}
