//! The tree of a generated service as text, so that a review sees what a change does to every stack.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Result;

use crate::origin::Origins;
use crate::root;
use crate::specimens::Specimen;
use crate::stacks::{self, Stack};

/// Rendered files whose whole text is part of the snapshot: they say what a stack consists of.
const PINNED: [&str; 9] = [
    ".template.toml",
    "Cargo.toml",
    "src/lib.rs",
    "src/openapi/mod.rs",
    "src/state.rs",
    "src/web/mod.rs",
    "telemetry/Cargo.toml",
    "telemetry/HOWTO.md",
    "telemetry/src/lib.rs",
];

/// The folder of all snapshots.
pub fn folder() -> PathBuf {
    root().join("ci/snapshots")
}

/// The stacks that have a snapshot: every choice beside every other, some that are telemetry only, and the default stack with
/// nothing and with everything around it.
///
/// # Errors
/// `cargo-generate.toml` is not understood.
pub fn stacks() -> Result<Vec<Stack>> {
    let around = stacks::around()?;
    let (none, every) = (
        around[0].clone(),
        around[(1 << stacks::FILES_ONLY.len()) - 1].clone(),
    );
    Ok([
        stacks::pairwise()?,
        stacks::telemetry_only()?,
        vec![none, every],
    ]
    .concat())
}

/// The snapshot of `stack`.
pub fn path(stack: &Stack) -> PathBuf {
    folder().join(format!("{stack}.txt"))
}

/// Every path with its origin: `=` names the file of template/ it is a copy of, where that has another path; a rendered file
/// shows a digest, or its text at the end.
///
/// # Errors
/// `template/` cannot be read.
pub fn render(specimen: &Specimen, origins: &Origins) -> Result<String> {
    let mut text = format!("{}, made by `cargo run -- bless`\n\n", specimen.stack);
    let mut pinned = String::new();
    for (path, content) in &specimen.files {
        let name = path.display().to_string();
        match origins.of(path, content) {
            Some(origin) if origin == path => writeln!(text, "{name}")?,
            Some(origin) => writeln!(text, "{name} = {}", origin.display())?,
            None if PINNED.contains(&&*name) => {
                writeln!(text, "{name} (rendered, below)")?;
                write!(
                    pinned,
                    "\n-------- {name}\n{}",
                    String::from_utf8_lossy(content)
                )?;
            }
            None => writeln!(text, "{name} (rendered, {:016x})", digest(content))?,
        }
    }
    text.push_str(&pinned);
    Ok(text)
}

/// FNV-1a: the same on every machine and with every Rust. It only has to notice a change.
fn digest(content: &[u8]) -> u64 {
    content.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
