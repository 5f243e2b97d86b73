//! `cargo run -- stacks`: what can be generated.

use std::process::ExitCode;

use anyhow::Result;

use crate::stacks::{self, Stack};

/// List stacks, one a line.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    set: Set,
    /// Print JSON: an array of objects, `name` and the answer to each question.
    #[arg(long)]
    json: bool,
}

/// Which stacks.
#[derive(Debug, Clone, Copy, clap::Args)]
#[group(multiple = false)]
pub struct Set {
    /// Each choice at least once, in as few stacks as possible.
    #[arg(long)]
    flagship: bool,
    /// Each pair of choices at least once.
    #[arg(long)]
    pairwise: bool,
    /// Every combination of choices.
    #[arg(long)]
    all: bool,
}

impl Set {
    /// The chosen set, `None` if none was.
    ///
    /// # Errors
    /// `cargo-generate.toml` is not understood.
    pub fn stacks(self) -> Result<Option<Vec<Stack>>> {
        Ok(match self {
            Self { flagship: true, .. } => Some(stacks::flagship()?),
            Self { pairwise: true, .. } => Some(stacks::pairwise()?),
            Self { all: true, .. } => Some(stacks::all()?),
            _ => None,
        })
    }

    /// The chosen set, else the stacks that are `named`, else the default stack.
    ///
    /// # Errors
    /// `cargo-generate.toml` is not understood.
    pub fn or(self, named: Vec<Stack>) -> Result<Vec<Stack>> {
        Ok(match self.stacks()? {
            Some(stacks) => stacks,
            None if named.is_empty() => vec![stacks::default()?],
            None => named,
        })
    }
}

/// # Errors
/// `cargo-generate.toml` is not understood.
pub fn run(args: Args) -> Result<ExitCode> {
    let stacks = args.set.stacks()?.map_or_else(stacks::all, Ok)?;
    if args.json {
        let rows: Vec<_> = stacks.iter().map(row).collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        for stack in stacks {
            println!("{stack}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(stack: &Stack) -> serde_json::Map<String, serde_json::Value> {
    let name = ("name".to_owned(), stack.to_string().into());
    let values = stack
        .values()
        .map(|(question, answer)| (question.to_owned(), answer.into()));
    std::iter::once(name).chain(values).collect()
}
