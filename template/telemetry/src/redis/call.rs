//! What is known of a call before it is sent: the names of its commands, never an argument.

use std::{
    borrow::Cow,
    hash::{Hash, Hasher},
};

use redis::{Arg, Cmd, Pipeline};

/// Redis' own names are shorter, and so are those of modules.
const LONGEST_NAME: usize = 32;
/// Arguments of a command, and commands of a batch, that `db.query.text` shows.
const SHOWN: usize = 16;

/// What is looked at of a command. Commands of one shape are one [`Call`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Its first word, and zeros behind it; nothing but zeros where that is too long for a name.
    word: [u8; LONGEST_NAME],
    arguments: usize,
}

impl Shape {
    pub(super) fn of(command: &Cmd) -> Self {
        let mut arguments = command.args_iter();
        let mut word = [0; LONGEST_NAME];
        if let Some(Arg::Simple(first)) = arguments.next()
            && let Some(begin) = word.get_mut(..first.len())
        {
            begin.copy_from_slice(first);
        }
        Self {
            word,
            arguments: arguments.len().min(SHOWN + 1),
        }
    }
}

impl Hash for Shape {
    /// By the beginning of the word: names differ there, and hashing takes its time for each byte.
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let [a, b, c, d, e, f, g, h, ..] = self.word;
        u64::from_ne_bytes([a, b, c, d, e, f, g, h]).hash(hasher);
    }
}

/// A command, or several at once.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Call {
    /// `db.operation.name`, and the span's name: the convention knows no better target than the database's index, which
    /// it does not want there.
    pub(super) name: String,
    /// `db.query.text`, as one would type it: `SET ? ?`.
    pub(super) text: String,
    /// `db.operation.batch.size`; none for a single command, however it was sent.
    pub(super) batch_size: Option<i64>,
}

impl Call {
    pub(super) fn of(command: &Cmd) -> Self {
        Self {
            name: name(command).into_owned(),
            text: text(command),
            batch_size: None,
        }
    }

    /// Names as <https://opentelemetry.io/docs/specs/semconv/db/redis/> has them: `PIPELINE GET` if all commands are the
    /// same, else `PIPELINE`; `MULTI` where they are a transaction.
    pub(super) fn of_all(pipeline: &Pipeline) -> Self {
        let mut commands = pipeline.cmd_iter();
        if let (1, Some(only)) = (pipeline.len(), commands.next()) {
            return Self::of(only);
        }
        let batch = if pipeline.is_transaction() {
            "MULTI"
        } else {
            "PIPELINE"
        };
        let name = match same(pipeline.cmd_iter().map(name)) {
            Some(same) => format!("{batch} {same}"),
            None => batch.to_owned(),
        };
        let text = same(pipeline.cmd_iter().map(text)).unwrap_or_else(|| {
            let mut texts: Vec<_> = pipeline.cmd_iter().take(SHOWN).map(text).collect();
            if pipeline.len() > SHOWN {
                texts.push("...".to_owned());
            }
            texts.join("; ")
        });
        Self {
            name,
            text,
            batch_size: i64::try_from(pipeline.len()).ok(),
        }
    }
}

/// The item that all others equal.
fn same<T: PartialEq>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    items.all(|item| item == first).then_some(first)
}

/// A command's name as the service wrote it. What is no name (`"GET key"` as one word, say) is not shown.
fn name(command: &Cmd) -> Cow<'_, str> {
    let Some(Arg::Simple(word)) = command.args_iter().next() else {
        return Cow::Borrowed("_OTHER");
    };
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    if word.len() <= LONGEST_NAME && !word.is_empty() && word.iter().all(is_name) {
        String::from_utf8_lossy(word)
    } else {
        Cow::Borrowed("_OTHER")
    }
}

fn text(command: &Cmd) -> String {
    let arguments = command.args_iter().len().saturating_sub(1);
    let mut text = name(command).into_owned();
    text.push_str(&" ?".repeat(arguments.min(SHOWN)));
    if arguments > SHOWN {
        text.push_str(" ...");
    }
    text
}

#[cfg(test)]
mod tests {
    use redis::{cmd, pipe};

    use super::*;

    fn call(name: &str, text: &str, batch_size: Option<i64>) -> Call {
        Call {
            name: name.to_owned(),
            text: text.to_owned(),
            batch_size,
        }
    }

    #[test]
    fn a_command_shows_its_name_and_how_many_arguments_it_has() {
        let set = cmd("SET").arg("key").arg("value").take();
        assert_eq!(Call::of(&set), call("SET", "SET ? ?", None));
        assert_eq!(
            Call::of(&cmd("json.get")),
            call("json.get", "json.get", None)
        );
        assert_eq!(Call::of(&cmd("GET key")), call("_OTHER", "_OTHER", None));
        assert_eq!(Call::of(&Cmd::new()), call("_OTHER", "_OTHER", None));
        let many = cmd("DEL").arg(&["key"; 100]).take();
        let shown = format!("DEL{} ...", " ?".repeat(SHOWN));
        assert_eq!(Call::of(&many), call("DEL", &shown, None));
    }

    #[test]
    fn a_batch_is_named_after_what_its_commands_have_in_common() {
        let mut mixed = pipe();
        let mixed = Call::of_all(mixed.set("a", 1).get("b"));
        assert_eq!(mixed, call("PIPELINE", "SET ? ?; GET ?", Some(2)));
        let mut alike = pipe();
        let alike = Call::of_all(alike.atomic().get("a").get("b").get("c"));
        assert_eq!(alike, call("MULTI GET", "GET ?", Some(3)));
        let single = Call::of_all(pipe().get("a"));
        assert_eq!(single, call("GET", "GET ?", None));
        assert_eq!(Call::of_all(&pipe()), call("PIPELINE", "", Some(0)));
        let mut long = pipe();
        for _ in 0..SHOWN {
            long.get("a").incr("b", 1);
        }
        assert!(Call::of_all(&long).text.ends_with("; INCRBY ? ?; ..."));
    }
}
