//! The stacks that the contract's files come from.

use anyhow::Result;

use crate::scenario::Parts;
use crate::stacks::{self, Stack};

/// The contract's files differ by parts: these stacks, one for each set of parts, make all of them.
///
/// # Errors
/// `cargo-generate.toml` is not understood.
pub fn stacks() -> Result<Vec<Stack>> {
    let default = stacks::default()?;
    let is_default = |stack: &Stack, question| stack.one(question) == default.one(question);
    let mut chosen: Vec<(Parts, Stack)> = Vec::new();
    for stack in stacks::all()? {
        let parts = Parts::of(&stack);
        let in_process = ["sqlite", "none"].contains(&stack.one("database").unwrap_or_default());
        if in_process
            && is_default(&stack, "framework")
            && is_default(&stack, "http_client")
            && chosen.iter().all(|(known, _)| *known != parts)
        {
            chosen.push((parts, stack));
        }
    }
    Ok(chosen.into_iter().map(|(_, stack)| stack).collect())
}
