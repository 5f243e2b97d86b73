//! What callgrind wrote: <https://valgrind.org/docs/manual/cl-format.html>.

use std::collections::HashMap;

use anyhow::{Context as _, Result};
use serde::Serialize;

/// What asks for memory.
const ALLOCATORS: [&str; 5] = [
    "malloc",
    "calloc",
    "realloc",
    "posix_memalign",
    "aligned_alloc",
];

/// Of a process, or of one operation of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Counted {
    pub instructions: f64,
    pub allocations: f64,
}

impl Counted {
    /// Out of the file's text.
    pub(super) fn read(text: &str) -> Result<Self> {
        // A name stands where its number comes first: `cfn=(7) malloc`, and later `cfn=(7)`.
        let mut names: HashMap<&str, &str> = HashMap::new();
        let (mut callee, mut allocations, mut total) = ("", 0.0, None);
        for line in text.lines() {
            let Some((key, value)) = line.split_once(['=', ':']) else {
                continue;
            };
            match key {
                "fn" | "cfn" => {
                    let (number, name) = value.split_once(' ').unwrap_or((value, ""));
                    if !name.is_empty() {
                        names.insert(number, name);
                    }
                    if key == "cfn" {
                        callee = names.get(number).copied().unwrap_or_default();
                    }
                }
                "calls" if ALLOCATORS.contains(&callee) => {
                    let calls = value.split(' ').next().and_then(|count| count.parse().ok());
                    allocations += calls.unwrap_or(0.0);
                }
                "totals" | "summary" => total = value.trim().parse().ok(),
                _ => {}
            }
        }
        Ok(Self {
            instructions: total.context("callgrind wrote no total")?,
            allocations,
        })
    }

    pub(in crate::bench) fn without(self, other: Self) -> Self {
        Self {
            instructions: self.instructions - other.instructions,
            allocations: self.allocations - other.allocations,
        }
    }

    pub(super) fn each(self, count: u64) -> Self {
        Self {
            instructions: self.instructions / count as f64,
            allocations: self.allocations / count as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_allocators_are_counted_wherever_their_name_was_given() {
        let text = "version: 1\nevents: Ir\n\nfn=(1) main\n1 5\ncfn=(2) malloc\ncalls=3 0\n1 90\n\
            cfn=(3) free\ncalls=9 0\n1 9\n\nfn=(4) other\n1 1\ncfn=(2)\ncalls=4 +0\n1 80\n\
            cfn=(5) malloc_usable_size\ncalls=8 0\n1 8\ntotals: 193\n";
        let counted = Counted {
            instructions: 193.0,
            allocations: 7.0,
        };
        assert_eq!(Counted::read(text).unwrap(), counted);
        assert_eq!(counted.each(10).allocations, 0.7);
    }
}
