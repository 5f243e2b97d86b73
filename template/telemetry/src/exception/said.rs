//! What an error says on record. Some quote values (`Duplicate entry 'ada@example.com'`, `invalid type: string "hunter2"`):
//! then whoever knows such an error, an integration say, has other words for it.

use std::{
    collections::BTreeMap,
    error::Error,
    sync::{PoisonError, RwLock},
};

use serde_json::error::Category;

/// What stands for an error's text; `None` where the text may stay.
pub(crate) type Discreet = fn(&(dyn Error + 'static)) -> Option<String>;

static KNOWN: RwLock<BTreeMap<&'static str, Discreet>> = RwLock::new(BTreeMap::new());

/// From now on `discreet` is asked about errors, in the name of `integration`.
pub(crate) fn know(integration: &'static str, discreet: Discreet) {
    let known = KNOWN.write();
    let mut known = known.unwrap_or_else(PoisonError::into_inner);
    known.insert(integration, discreet);
}

/// JSON that is not understood, without what stands there.
pub(super) fn json(error: &(dyn Error + 'static)) -> Option<String> {
    let error = error.downcast_ref::<serde_json::Error>()?;
    let class = match error.classify() {
        Category::Io => return None,
        Category::Syntax => "malformed JSON",
        Category::Data => "JSON of another shape",
        Category::Eof => "JSON that ends early",
    };
    let (line, column) = (error.line(), error.column());
    Some(format!("{class}, line {line} column {column}"))
}

fn instead_of(error: &(dyn Error + 'static)) -> Option<String> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    known.values().find_map(|discreet| discreet(error))
}

/// An error in words that may be exported.
pub(super) struct Said {
    pub(super) message: String,
    pub(super) causes: Vec<String>,
}

impl Said {
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        let mut texts = Vec::new();
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(instead) = instead_of(error) {
                // Whoever wraps it may have quoted it, or one of its causes; those have nothing to add.
                for quoted in std::iter::successors(Some(error), |&error| error.source()) {
                    hide(&quoted.to_string(), &instead, &mut texts);
                }
                texts.push(instead);
                break;
            }
            texts.push(error.to_string());
            next = error.source();
        }
        let message = texts.remove(0);
        Self {
            message,
            causes: texts,
        }
    }
}

fn hide(quoted: &str, instead: &str, texts: &mut [String]) {
    if quoted.is_empty() {
        return;
    }
    for text in texts {
        *text = text.replace(quoted, instead);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a driver's: its words hold a value.
    #[derive(Debug, thiserror::Error)]
    #[error("duplicate entry 'ada@example.com'")]
    struct Talkative;

    #[derive(Debug, thiserror::Error)]
    #[error("from the database: {0}")]
    struct Driver(#[source] Talkative);

    #[derive(Debug, thiserror::Error)]
    enum Wrapped {
        #[error("the user cannot be added")]
        Apart(#[source] Driver),
        #[error("not added ({0})")]
        Quoting(#[source] Driver),
        #[error("not added ({})", .0.0)]
        QuotingTheCause(#[source] Driver),
        #[error(transparent)]
        Same(#[from] Driver),
    }

    fn discreet(error: &(dyn Error + 'static)) -> Option<String> {
        let ours = error.is::<Driver>() || error.is::<Talkative>();
        ours.then(|| "duplicate (1062)".to_owned())
    }

    #[test]
    fn what_quotes_values_is_said_in_other_words_however_it_is_wrapped() {
        know("test", discreet);
        let driver = || Driver(Talkative);
        for (error, message, causes) in [
            (
                Wrapped::Apart(driver()),
                "the user cannot be added",
                &["duplicate (1062)"][..],
            ),
            (
                Wrapped::Quoting(driver()),
                "not added (duplicate (1062))",
                &["duplicate (1062)"],
            ),
            (
                Wrapped::QuotingTheCause(driver()),
                "not added (duplicate (1062))",
                &["duplicate (1062)"],
            ),
            (
                Wrapped::Same(driver()),
                "from the database: duplicate (1062)",
                &["duplicate (1062)"],
            ),
        ] {
            let said = Said::of(&error);
            assert_eq!(
                (&*said.message, &said.causes[..]),
                (
                    message,
                    &causes.iter().map(ToString::to_string).collect::<Vec<_>>()[..]
                )
            );
        }
        let said = Said::of(&driver());
        assert_eq!((&*said.message, said.causes.len()), ("duplicate (1062)", 0));
    }

    #[test]
    fn what_stood_in_json_is_not_said() {
        for (text, said) in [
            ("\"hunter2\"", "JSON of another shape, line 1 column 9"),
            ("hunter2", "malformed JSON, line 1 column 1"),
            ("[1,", "JSON that ends early, line 1 column 3"),
        ] {
            let error = serde_json::from_str::<Vec<u8>>(text).expect_err(text);
            assert_eq!(json(&error).as_deref(), Some(said));
        }
    }

    #[test]
    fn other_errors_say_what_they_say() {
        let error = std::io::Error::other(Driver(Talkative).0.to_string());
        assert_eq!(
            Said::of(&error).message,
            "duplicate entry 'ada@example.com'"
        );
    }
}
