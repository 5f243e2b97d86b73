//! A line of the log for people, behind its time and level.

use std::fmt::{self, Write as _};

use tracing::{
    Event,
    field::{Field, Visit},
};

use crate::printable::printable;

/// An event's fields for people: `message name=value name=value`, on one line whatever they hold.
pub(super) struct Words {
    text: String,
    ansi: bool,
}

impl Words {
    pub(super) fn of(event: &Event<'_>, ansi: bool) -> String {
        let mut words = Self {
            text: String::new(),
            ansi,
        };
        event.record(&mut words);
        words.text
    }

    fn add(&mut self, field: &Field, value: &str) {
        let value = printable(value);
        let separator = if self.text.is_empty() { "" } else { " " };
        // Writing to a String cannot fail.
        let _ = match (field.name(), self.ansi) {
            ("message", _) => write!(self.text, "{separator}{value}"),
            // Where a line of `log` comes from: not shown of our own either.
            (name, _) if name.starts_with("log.") => Ok(()),
            (name, true) => write!(
                self.text,
                "{separator}\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m{value}"
            ),
            (name, false) => write!(self.text, "{separator}{name}={value}"),
        };
    }
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format!("{value:?}"));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.add(field, value),
            _ => self.add(field, &format!("{value:?}")),
        }
    }
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.add(field, &value.to_string());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::{fmt::MakeWriter, layer::SubscriberExt as _};

    use super::super::{BoxMakeWriter, Targets, console_layer};
    use crate::settings::LogFormat;
    use tracing::level_filters::LevelFilter;

    /// What is printed of the events in `log`.
    fn printed(format: LogFormat, log: impl FnOnce()) -> String {
        #[derive(Clone, Default)]
        struct Console(Arc<Mutex<Vec<u8>>>);
        impl std::io::Write for Console {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().expect("not poisoned").write(bytes)
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        impl MakeWriter<'_> for Console {
            type Writer = Self;
            fn make_writer(&self) -> Self {
                self.clone()
            }
        }
        let console = Console::default();
        let writer = BoxMakeWriter::new(console.clone());
        let targets = Targets::new().with_default(LevelFilter::TRACE);
        let layer = console_layer(targets, format, writer);
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, log);
        let bytes = console.0.lock().expect("not poisoned").clone();
        String::from_utf8(bytes).expect("text")
    }

    /// <https://rustsec.org/advisories/RUSTSEC-2025-0055>, and the line ends that it left.
    #[test]
    fn rustsec_2025_0055_nobody_can_write_a_line_of_the_log() {
        let evil = "x\n12:00:00.000 ERROR forged\r\u{1b}[2J\u{9b}31m\u{202e}\0";
        let error = std::io::Error::other(evil);
        let log = || {
            tracing::info!("{evil}");
            tracing::info!(name = evil, shown = %evil, debugged = ?evil, "said");
            tracing::warn!(error = &error as &dyn std::error::Error, "failed");
        };
        for format in [LogFormat::Pretty, LogFormat::Json] {
            let text = printed(format, log);
            assert_eq!(text.lines().count(), 3, "{text:?}");
            let unseen = |character| crate::printable::is_unseen(character) && character != '\n';
            assert!(!text.contains(unseen), "{text:?}");
        }
        let text = printed(LogFormat::Pretty, log);
        assert!(text.contains(" INFO said name=\"x\\n12:00"), "{text}");
    }
}
