//! What the judgement found.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::waterfall::table;

/// Present of demanded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Share {
    pub present: usize,
    pub demanded: usize,
}

impl Share {
    pub fn count(&mut self, present: bool) {
        self.demanded += 1;
        self.present += usize::from(present);
    }
}

impl Share {
    fn add(&mut self, other: Self) {
        self.present += other.present;
        self.demanded += other.demanded;
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.demanded == 0 {
            f.write_str("-")
        } else {
            write!(f, "{}/{}", self.present, self.demanded)
        }
    }
}

/// What one rule saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub signals: usize,
    pub required: Share,
    pub conditional: Share,
    pub recommended: Share,
    pub violations: usize,
    /// Recommended attributes that were missing, with how often.
    pub missing: BTreeMap<String, usize>,
}

/// One breach of one rule, however often it happened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Violation {
    pub rule: String,
    /// The first signal it was seen on.
    pub signal: String,
    pub what: String,
    pub times: usize,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (on `{}`", self.rule, self.what, self.signal)?;
        if self.times > 1 {
            write!(f, ", {} times)", self.times)
        } else {
            f.write_str(")")
        }
    }
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// By the rule's id.
    pub tallies: BTreeMap<String, Tally>,
    pub violations: Vec<Violation>,
    /// Recommended attributes that are missing for a reason.
    pub waived: Vec<String>,
}

impl Report {
    pub fn violate(&mut self, rule: &str, signal: &str, what: impl Into<String>) {
        let what = what.into();
        self.tally(rule).violations += 1;
        match self
            .violations
            .iter_mut()
            .find(|known| known.rule == rule && known.what == what)
        {
            Some(known) => known.times += 1,
            None => self.violations.push(Violation {
                rule: rule.to_owned(),
                signal: signal.to_owned(),
                what,
                times: 1,
            }),
        }
    }

    pub fn tally(&mut self, rule: &str) -> &mut Tally {
        self.tallies.entry(rule.to_owned()).or_default()
    }

    /// All rules together.
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        for tally in self.tallies.values() {
            total.signals += tally.signals;
            total.violations += tally.violations;
            total.required.add(tally.required);
            total.conditional.add(tally.conditional);
            total.recommended.add(tally.recommended);
        }
        total
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<Vec<String>> = self
            .tallies
            .iter()
            .map(|(rule, tally)| {
                let numbers = [
                    tally.signals.to_string(),
                    tally.required.to_string(),
                    tally.conditional.to_string(),
                    tally.recommended.to_string(),
                    tally.violations.to_string(),
                ];
                [vec![rule.clone()], numbers.to_vec()].concat()
            })
            .collect();
        let head = [
            "rule",
            "signals",
            "required",
            "conditional",
            "recommended",
            "violations",
        ];
        write!(f, "{}", table(&head, &rows))?;
        for violation in &self.violations {
            write!(f, "\n  ✗ {violation}")?;
        }
        Ok(())
    }
}
