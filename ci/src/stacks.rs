//! A stack is one answer to each question, written `axum-sqlite-reqwest+redis+jobs`.
//!
//! The string questions before the first array question are the stem: always written, joined by `-`. All later
//! questions are written only where they differ from their default: `+value` chooses, `~value` drops a default. So a
//! new question behind them changes no name.

mod cover;

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};

use crate::options::{Kind, Options, Question};

pub use cover::{FILES_ONLY, all, around, flagship, pairwise, telemetry_only};

/// What `hooks/check.rhai` allows, and room for what databases and sockets are called after it.
const LONGEST_NAME: usize = 56;

/// One answer to each question. Printed and parsed by the notation of this module.
#[derive(Debug, Clone)]
pub struct Stack {
    options: &'static Options,
    /// By question: its answers in the order of its choices; exactly one for a string question.
    answers: Vec<Vec<String>>,
}

/// Two stacks are the same if their answers are: there is only one option model.
impl PartialEq for Stack {
    fn eq(&self, other: &Self) -> bool {
        self.answers == other.answers
    }
}

impl Eq for Stack {}

/// The stack of someone who only presses Enter.
///
/// # Errors
/// `cargo-generate.toml` is not understood.
pub fn default() -> Result<Stack> {
    let options = Options::load()?;
    Ok(Stack {
        options,
        answers: options
            .questions
            .iter()
            .map(|question| question.default.clone())
            .collect(),
    })
}

impl Stack {
    /// The answer to a string question, `None` for a question that does not exist.
    pub fn one(&self, question: &str) -> Option<&str> {
        self.answer(question)?.first().map(String::as_str)
    }

    /// Whether `value` is (among) the answer(s) to `question`.
    pub fn has(&self, question: &str, value: &str) -> bool {
        self.answer(question)
            .is_some_and(|answers| answers.iter().any(|answer| answer == value))
    }

    /// Each question with its answer, as `-d` takes it.
    pub fn values(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.options
            .questions
            .iter()
            .zip(&self.answers)
            .map(|(question, answers)| (&*question.name, answers.join(",")))
    }

    /// The name of a package for this stack: its own, cut where names must end, but as different as before.
    pub fn package(&self) -> String {
        let name = self.to_string();
        let mut package = name.replace(['+', '~'], "-");
        if package.len() > LONGEST_NAME {
            let mut hasher = DefaultHasher::new();
            name.hash(&mut hasher);
            package.truncate(LONGEST_NAME - 9);
            package = format!("{package}-{:08x}", hasher.finish() as u32);
        }
        package
    }

    fn answer(&self, question: &str) -> Option<&[String]> {
        let index = self
            .options
            .questions
            .iter()
            .position(|q| q.name == question)?;
        Some(&self.answers[index])
    }
}

/// How many questions form the stem.
fn stem(options: &Options) -> usize {
    options
        .questions
        .iter()
        .take_while(|question| question.kind == Kind::One)
        .count()
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stem = stem(self.options);
        f.write_str(&self.answers[..stem].concat().join("-"))?;
        for (question, answers) in self.options.questions.iter().zip(&self.answers).skip(stem) {
            for chosen in answers
                .iter()
                .filter(|answer| !question.default.contains(answer))
            {
                write!(f, "+{chosen}")?;
            }
            if question.kind == Kind::Many {
                for dropped in question
                    .default
                    .iter()
                    .filter(|value| !answers.contains(value))
                {
                    write!(f, "~{dropped}")?;
                }
            }
        }
        Ok(())
    }
}

impl FromStr for Stack {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        parse(Options::load()?, name)
    }
}

fn parse(options: &'static Options, name: &str) -> Result<Stack> {
    let rest_at = name.find(['+', '~']).unwrap_or(name.len());
    let (stem_text, mut rest) = name.split_at(rest_at);
    let (stem, later) = options.questions.split_at(stem(options));

    let mut answers = parse_stem(stem, stem_text).with_context(|| {
        format!(
            "`{name}` is not a stack; a stack is named {}",
            notation(stem, later)
        )
    })?;
    answers.extend(later.iter().map(|question| question.default.clone()));

    while let Some(sign) = rest.chars().next() {
        let end = rest[1..].find(['+', '~']).map_or(rest.len(), |at| at + 1);
        let value = &rest[1..end];
        rest = &rest[end..];
        let Some(index) = later.iter().position(|question| question.allows(value)) else {
            bail!(
                "`{name}` is not a stack: nothing is called `{value}`; a stack is named {}",
                notation(stem, later)
            );
        };
        let answer = &mut answers[stem.len() + index];
        match (sign, later[index].kind) {
            ('+', Kind::One) => *answer = vec![value.to_owned()],
            ('+', Kind::Many) => answer.push(value.to_owned()),
            (_, Kind::Many) => answer.retain(|kept| kept != value),
            (_, Kind::One) => {
                bail!("`{name}` is not a stack: `{value}` cannot be dropped, only replaced")
            }
        }
    }
    for (question, answer) in options.questions.iter().zip(&mut answers) {
        sort(question, answer);
    }
    Ok(Stack { options, answers })
}

/// A choice may itself contain `-` (`actix-web`), so each question takes the longest choice that fits.
fn parse_stem(stem: &[Question], text: &str) -> Result<Vec<Vec<String>>> {
    let mut rest = Some(text);
    let mut answers = Vec::new();
    for question in stem {
        let text = rest.unwrap_or_default();
        let fits = |value: &&str| {
            text.strip_prefix(*value)
                .is_some_and(|after| after.is_empty() || after.starts_with('-'))
        };
        let Some(value) = question
            .choices
            .iter()
            .map(|choice| &*choice.value)
            .filter(fits)
            .max_by_key(|v| v.len())
        else {
            bail!(
                "`{}` is missing or unknown at `{text}`: allowed is one of {}",
                question.name,
                question.values()
            );
        };
        rest = text[value.len()..].strip_prefix('-');
        answers.push(vec![value.to_owned()]);
    }
    ensure!(rest.is_none(), "`{}` is too much", rest.unwrap_or_default());
    Ok(answers)
}

fn notation(stem: &[Question], later: &[Question]) -> String {
    let group = |question: &Question| {
        let values: Vec<&str> = question
            .choices
            .iter()
            .map(|choice| &*choice.value)
            .collect();
        format!("({})", values.join("|"))
    };
    let mut notation = stem.iter().map(group).collect::<Vec<_>>().join("-");
    for question in later {
        notation.push_str(&format!("[+{}]", group(question)));
    }
    notation
}

/// Answers in the order of the choices, each once.
fn sort(question: &Question, answers: &mut Vec<String>) {
    *answers = question
        .choices
        .iter()
        .map(|choice| &choice.value)
        .filter(|v| answers.contains(v))
        .cloned()
        .collect();
}

#[cfg(test)]
mod tests;
