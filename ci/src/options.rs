//! The option model: the questions of `cargo-generate.toml`. Stacks, snapshots and matrices are made from it, so a new
//! choice is known everywhere at once.

use std::fmt;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

/// The questions in the order in which they are asked.
#[derive(Debug, Clone)]
pub struct Options {
    pub questions: Vec<Question>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub name: String,
    pub prompt: String,
    pub kind: Kind,
    /// Never empty.
    pub choices: Vec<Choice>,
    /// The answers that Enter takes: exactly one for [`Kind::One`].
    pub default: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `type = "string"`: one of the choices.
    One,
    /// `type = "array"`: any of the choices.
    Many,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub value: String,
    pub label: String,
}

impl Options {
    /// The options of this checkout, as they were when this program was built.
    ///
    /// # Errors
    /// `cargo-generate.toml` holds a question that the model has no place for.
    pub fn load() -> Result<&'static Self> {
        static OPTIONS: OnceLock<Options> = OnceLock::new();
        if let Some(options) = OPTIONS.get() {
            return Ok(options);
        }
        let options = Self::parse(include_str!("../../cargo-generate.toml"))
            .context("cargo-generate.toml")?;
        Ok(OPTIONS.get_or_init(|| options))
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        let file: File = toml::from_str(text)?;
        let questions = file
            .placeholders
            .into_iter()
            .map(|(name, value)| {
                let raw: RawQuestion = value
                    .try_into()
                    .with_context(|| format!("question `{name}`"))?;
                Question::new(name, raw)
            })
            .collect::<Result<Vec<_>>>()?;
        ensure!(!questions.is_empty(), "there is no question");
        Ok(Self { questions })
    }

    /// The question called `name`.
    pub fn question(&self, name: &str) -> Option<&Question> {
        self.questions.iter().find(|question| question.name == name)
    }

    /// Accepts a `key` and its `value` as `-d key=value` gives them.
    ///
    /// # Errors
    /// One sentence that lists what is allowed.
    pub fn validate(&self, key: &str, value: &str) -> Result<()> {
        let Some(question) = self.question(key) else {
            bail!(
                "there is no question `{key}`; the questions are {}",
                list(self.questions.iter().map(|q| &*q.name))
            );
        };
        let answers: Vec<&str> = match question.kind {
            Kind::One => vec![value],
            Kind::Many => value
                .split(',')
                .filter(|answer| !answer.is_empty())
                .collect(),
        };
        for answer in answers {
            ensure!(
                question.allows(answer),
                "`{key}` cannot be `{answer}`; allowed {} {}",
                if question.kind == Kind::One {
                    "is one of"
                } else {
                    "are any of"
                },
                question.values(),
            );
        }
        Ok(())
    }
}

impl Question {
    fn new(name: String, raw: RawQuestion) -> Result<Self> {
        let question = Self {
            kind: raw.kind,
            prompt: raw.prompt,
            choices: raw.choices.into_iter().map(Choice::from).collect(),
            default: raw.default.into(),
            name,
        };
        ensure!(
            !question.choices.is_empty(),
            "question `{}` offers no choice",
            question.name
        );
        ensure!(
            question.default.iter().all(|value| question.allows(value)),
            "the default of `{}` is not among its choices",
            question.name
        );
        ensure!(
            question.kind == Kind::Many || question.default.len() == 1,
            "`{}` needs one default",
            question.name
        );
        Ok(question)
    }

    pub fn allows(&self, value: &str) -> bool {
        self.choices.iter().any(|choice| choice.value == value)
    }

    /// The allowed values as prose: `sqlite`, `none`.
    pub fn values(&self) -> String {
        list(self.choices.iter().map(|choice| &*choice.value))
    }
}

fn list<'a>(values: impl Iterator<Item = &'a str>) -> String {
    values
        .map(|value| format!("`{value}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[derive(Deserialize)]
struct File {
    placeholders: toml::Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawQuestion {
    #[serde(rename = "type")]
    kind: Kind,
    prompt: String,
    choices: Vec<RawChoice>,
    default: RawDefault,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawChoice {
    Value(String),
    Labelled { value: String, label: String },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawDefault {
    One(String),
    Many(Vec<String>),
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match &*String::deserialize(deserializer)? {
            "string" => Ok(Self::One),
            "array" => Ok(Self::Many),
            other => Err(serde::de::Error::custom(format!(
                "type `{other}`, expected `string` or `array`"
            ))),
        }
    }
}

impl From<RawChoice> for Choice {
    fn from(raw: RawChoice) -> Self {
        match raw {
            RawChoice::Value(value) => Self {
                label: value.clone(),
                value,
            },
            RawChoice::Labelled { value, label } => Self { value, label },
        }
    }
}

impl From<RawDefault> for Vec<String> {
    fn from(raw: RawDefault) -> Self {
        match raw {
            RawDefault::One(value) => vec![value],
            RawDefault::Many(values) => values,
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.values())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_kinds_in_the_order_of_the_file() {
        let options = Options::parse(
            r#"
            [placeholders.zoo]
            type = "string"
            prompt = "Zoo"
            choices = ["ape", { value = "bee", label = "bee - small" }]
            default = "bee"
            [placeholders.extras]
            type = "array"
            prompt = "Extras"
            choices = ["redis"]
            default = []
            "#,
        )
        .unwrap();
        let [zoo, extras] = &*options.questions else {
            panic!("{options:?}")
        };
        assert_eq!(
            (&*zoo.name, zoo.kind, &zoo.default[..]),
            ("zoo", Kind::One, &["bee".to_owned()][..])
        );
        assert_eq!(zoo.choices[1].label, "bee - small");
        assert_eq!(
            (&*extras.name, extras.kind, &extras.default[..]),
            ("extras", Kind::Many, &[][..])
        );
    }

    #[test]
    fn says_what_is_allowed() {
        let options = Options::load().unwrap();
        let unknown = options
            .validate("databse", "sqlite")
            .unwrap_err()
            .to_string();
        assert!(
            unknown.contains("`databse`") && unknown.contains("`database`"),
            "{unknown}"
        );
        let oracle = options
            .validate("database", "oracle")
            .unwrap_err()
            .to_string();
        assert!(
            oracle.contains("`oracle`") && oracle.contains("`sqlite`, "),
            "{oracle}"
        );
        options.validate("database", "none").unwrap();
    }
}
