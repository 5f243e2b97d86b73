//! Progress of long work on standard error: a spinner on a terminal, plain lines elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Disappears when it is dropped.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template(
            "{spinner:.cyan} {prefix:.bold} {elapsed:.dim} {wide_msg:.dim}",
        ) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar }
    }

    /// A new step begins.
    pub fn step(&self, text: impl Into<String>) {
        let text = text.into();
        if self.bar.is_hidden() {
            eprintln!("{text} ...");
        }
        self.bar.set_message("");
        self.bar.set_prefix(text);
        self.bar.reset_elapsed();
    }

    /// What the step does just now; not shown elsewhere than on a terminal.
    pub fn detail(&self, text: &str) {
        self.bar.set_message(text.trim().to_owned());
    }

    /// A line that stays.
    pub fn note(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
