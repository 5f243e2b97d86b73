//! One way to read environment variables, and `.env` for development.
//!
//! The SDK and the OTLP exporters read some standard variables themselves; the rest of the specification
//! (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>) is honoured here. A bad value
//! never stops the service: it is warned about once, with what is allowed, and the default is used.

use std::{ops::RangeFrom, path::PathBuf, sync::OnceLock, time::Duration};

type Lookup = dyn Fn(&str) -> Option<String>;

/// Reads variables and gathers what is wrong with them, since no log exists while telemetry is being set up.
pub(crate) struct Env {
    lookup: Box<Lookup>,
    pub(crate) warnings: Vec<String>,
}

impl Env {
    pub(crate) fn from_process() -> Self {
        Self::new(|name| std::env::var(name).ok().filter(|_| !is_void(name)))
    }

    pub(crate) fn new(lookup: impl Fn(&str) -> Option<String> + 'static) -> Self {
        Self {
            lookup: Box::new(lookup),
            warnings: Vec::new(),
        }
    }

    /// A variable's value. Empty counts as unset, as the specification has it.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        (self.lookup)(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }

    /// The specification forbids other words: <https://opentelemetry.io/docs/specs/otel/configuration/common/#boolean>.
    pub(crate) fn flag(&mut self, name: &str, default: bool) -> bool {
        match self.lowercase(name).as_deref() {
            None => default,
            Some("true") => true,
            Some("false") => false,
            Some(other) => {
                self.warn(name, other, "true, false");
                default
            }
        }
    }

    /// As [`Self::flag`], for a variable that is not of the specification.
    pub(crate) fn switch(&mut self, name: &str, default: bool) -> bool {
        match self.lowercase(name).as_deref() {
            Some("1" | "yes" | "on") => true,
            Some("0" | "no" | "off") => false,
            _ => self.flag(name, default),
        }
    }

    fn lowercase(&self, name: &str) -> Option<String> {
        Some(self.get(name)?.to_ascii_lowercase())
    }

    pub(crate) fn milliseconds(&mut self, name: &str, default: Duration) -> Duration {
        let Some(value) = self.get(name) else {
            return default;
        };
        value
            .parse()
            .map(Duration::from_millis)
            .unwrap_or_else(|_| {
                self.warn(name, &value, "milliseconds as a whole number");
                default
            })
    }

    /// A comma-separated list of words out of `allowed`; `default` where the variable is unset or holds a wrong word.
    pub(crate) fn words(
        &mut self,
        name: &str,
        allowed: &'static [&'static str],
        default: &'static str,
    ) -> Vec<&'static str> {
        let value = self.get(name).unwrap_or_else(|| default.to_owned());
        let mut words = Vec::new();
        for word in value
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
        {
            match allowed
                .iter()
                .find(|known| known.eq_ignore_ascii_case(word))
            {
                Some(known) => words.push(*known),
                None => {
                    self.warn(name, word, &allowed.join(", "));
                    return default.split_terminator(',').collect();
                }
            }
        }
        words
    }

    /// A whole number within `allowed`; `None` where the variable is unset or holds something else.
    pub(crate) fn number(&mut self, name: &str, allowed: RangeFrom<u32>) -> Option<u32> {
        let value = self.get(name)?;
        let number = value.parse().ok().filter(|number| allowed.contains(number));
        if number.is_none() {
            let least = allowed.start;
            self.warn(name, &value, &format!("a whole number, {least} or more"));
        }
        number
    }

    /// A share, 0.0 to 1.0; `None` where the variable is unset or holds something else.
    pub(crate) fn ratio(&mut self, name: &str) -> Option<f64> {
        let value = self.get(name)?;
        let ratio = value
            .parse()
            .ok()
            .filter(|share| (0.0..=1.0).contains(share));
        if ratio.is_none() {
            self.warn(name, &value, "a number from 0.0 to 1.0");
        }
        ratio
    }

    /// The name of the variable that counts for a signal's exporter: the signal's own, if it is set, wins over the general
    /// one. `otlp("TRACES", "ENDPOINT")` is `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub(crate) fn otlp(&self, signal: &str, what: &str) -> String {
        let own = format!("OTEL_EXPORTER_OTLP_{signal}_{what}");
        match self.get(&own) {
            Some(_) => own,
            None => format!("OTEL_EXPORTER_OTLP_{what}"),
        }
    }

    /// Once, however often the variable is read: several signals can share it.
    fn warn(&mut self, name: &str, value: &str, allowed: &str) {
        let warning = format!("{name}={value:?} is not understood and ignored; allowed: {allowed}");
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

/// The variables whose lines in `.env` say "show it here" and give way to a real collector.
const EXPORTERS: [&str; 3] = [
    "OTEL_TRACES_EXPORTER",
    "OTEL_METRICS_EXPORTER",
    "OTEL_LOGS_EXPORTER",
];
const ENDPOINTS: [&str; 4] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
];
static VOID: OnceLock<Vec<&'static str>> = OnceLock::new();

fn is_void(name: &str) -> bool {
    VOID.get().is_some_and(|void| void.contains(&name))
}

/// Which lines of the file do not count, by what the process environment has set.
fn void(is_set: impl Fn(&str) -> bool) -> Vec<&'static str> {
    if ENDPOINTS.iter().any(|name| is_set(name)) {
        EXPORTERS.into_iter().filter(|name| !is_set(name)).collect()
    } else {
        Vec::new()
    }
}

/// Loads `.env` from the current directory or one above it, for development: the process environment wins, and an OTLP
/// endpoint in it voids the file's `OTEL_*_EXPORTER` lines, so that naming a collector is all it takes to use it.
///
/// Call it first in `main`, before any thread runs. Returns the file that was read, if there is one.
///
/// # Errors
/// When the file cannot be read or a line of it is malformed.
pub fn load_dotenv() -> Result<Option<PathBuf>, dotenvy::Error> {
    VOID.get_or_init(|| void(is_set));
    match dotenvy::dotenv() {
        Ok(path) => Ok(Some(path)),
        Err(error) if error.not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_voids_the_exporters_of_the_file_but_not_those_of_the_process() {
        assert_eq!(void(|_| false), [""; 0]);
        assert_eq!(void(|name| name == "OTEL_TRACES_EXPORTER"), [""; 0]);
        assert_eq!(
            void(|name| name == "OTEL_EXPORTER_OTLP_ENDPOINT"),
            EXPORTERS
        );
        let set = ["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "OTEL_TRACES_EXPORTER"];
        assert_eq!(void(|name| set.contains(&name)), EXPORTERS[1..]);
    }
}
