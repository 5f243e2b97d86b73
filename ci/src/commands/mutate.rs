//! `cargo run -- mutate`: plants faults and sees whether the judges find them.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::mutate::{self, Fate, Mutation, Outcome};
use crate::progress::Progress;
use crate::stacks::Stack;

/// Plant faults in a generated service, one at a time: each must make the contract or the conformance check fail with
/// words that name it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The stack [default: one with every part].
    stack: Option<Stack>,
    /// Only these faults.
    #[arg(long, value_name = "NAME", num_args = 1.., value_delimiter = ',')]
    only: Vec<String>,
}

/// # Errors
/// A name is unknown, or the service fails without a fault. A fault that is not named is no error: it is reported, and the
/// exit code is 1.
pub fn run(args: Args) -> Result<ExitCode> {
    let stack = args.stack.map_or_else(|| mutate::STACK.parse(), Ok)?;
    let mutations = chosen(mutate::all()?, &args.only, &stack)?;
    let begun = Instant::now();
    let progress = Progress::new();
    progress.step(format!("{stack} without a fault"));
    mutate::baseline(&stack, &mut |line| progress.detail(line))?;
    let mut outcomes = Vec::new();
    for (index, mutation) in mutations.iter().enumerate() {
        let Mutation { name, fault, .. } = mutation;
        progress.step(format!(
            "[{}/{}] {name}: {fault}",
            index + 1,
            mutations.len()
        ));
        let outcome = mutate::try_out(mutation, &stack, &mut |line| progress.detail(line));
        if let Some(trouble) = trouble(&outcome) {
            progress.note(&format!("\n{name} {trouble}\n"));
        }
        outcomes.push(outcome);
    }
    drop(progress);
    print(&outcomes);
    let named = outcomes.iter().filter(|outcome| outcome.ok()).count();
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    println!(
        "\n{named} of {} faults found and named ({minutes:.1} min)",
        outcomes.len()
    );
    for outcome in outcomes.iter().filter(|outcome| !outcome.ok()) {
        println!("  ✗ {}: {}", outcome.mutation.name, outcome.mutation.fault);
    }
    Ok(if named == outcomes.len() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn chosen(all: Vec<Mutation>, only: &[String], stack: &Stack) -> Result<Vec<Mutation>> {
    for name in only {
        let is_known = all.iter().any(|mutation| mutation.name == *name);
        ensure!(is_known, "no fault is called {name}");
    }
    let wanted = |mutation: &Mutation| only.is_empty() || only.contains(&mutation.name);
    let chosen: Vec<Mutation> = all
        .into_iter()
        .filter(|mutation| wanted(mutation) && mutation.applies_to(stack))
        .collect();
    ensure!(!chosen.is_empty(), "{stack} has no place for such a fault");
    Ok(chosen)
}

/// What is wrong with an outcome, in full.
fn trouble(outcome: &Outcome) -> Option<String> {
    /// Of everything that was said.
    const SHOWN: usize = 30;
    match &outcome.fate {
        Fate::Named(_) => None,
        Fate::Survived => Some("SURVIVED: nobody noticed".to_owned()),
        Fate::Broken(why) => Some(format!("IS BROKEN: {why}")),
        Fate::Unnamed(said) => {
            let lines = said.iter().take(SHOWN);
            let lines: Vec<String> = lines.map(|one| format!("\n  {}", one.line)).collect();
            let wanted = outcome.mutation.named.join("` and `");
            let text = lines.concat();
            Some(format!(
                "IS NOT NAMED: of {} lines none has `{wanted}`:{text}",
                said.len()
            ))
        }
    }
}

/// A row a fault; what names it comes last, since it is as long as it is.
fn print(outcomes: &[Outcome]) {
    let width = |text: fn(&Outcome) -> &str| {
        let widths = outcomes.iter().map(|outcome| text(outcome).chars().count());
        widths.max().unwrap_or_default()
    };
    let (name, file) = (
        width(|one| &one.mutation.name),
        width(|one| &one.mutation.file),
    );
    println!(
        "{:name$}  {:file$}  {:>7}  {:11}  line",
        "fault", "planted in", "took", "judge"
    );
    for outcome in outcomes {
        let (judge, line) = match &outcome.fate {
            Fate::Named(finding) => (finding.judge.to_string(), finding.line.as_str()),
            Fate::Unnamed(_) => ("NOT NAMED".to_owned(), "-"),
            Fate::Survived => ("SURVIVED".to_owned(), "-"),
            Fate::Broken(_) => ("BROKEN".to_owned(), "-"),
        };
        let Mutation {
            name: called,
            file: planted,
            ..
        } = &outcome.mutation;
        let took = format!("{:.1} s", outcome.took.as_secs_f64());
        println!("{called:name$}  {planted:file$}  {took:>7}  {judge:11}  {line}");
    }
}
