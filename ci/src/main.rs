//! `cargo run -- <command>`: everything a maintainer of the template does.

use std::process::ExitCode;

use ci::commands::{bench, bless, check, demo, lock, mutate, new, stacks, workbench};
use ci::generate;
use clap::{Parser, Subcommand};

/// Generates, runs and judges the services that this template makes.
#[derive(Parser)]
#[command(name = "ci", bin_name = "cargo run --", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Args),
    New(new::Args),
    Stacks(stacks::Args),
    Check(check::Args),
    Mutate(mutate::Args),
    Workbench(workbench::Args),
    Lock(lock::Args),
    Bless(bless::Args),
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let result = if generate::knows_its_user() {
        run(command)
    } else {
        generate::again_with_a_user()
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo(args) => demo::run(args),
        Command::New(args) => new::run(args),
        Command::Stacks(args) => stacks::run(args),
        Command::Check(args) => check::run(args),
        Command::Mutate(args) => mutate::run(args),
        Command::Workbench(args) => workbench::run(args),
        Command::Lock(args) => lock::run(args),
        Command::Bless(args) => bless::run(args),
        Command::Bench(args) => bench::run(args),
    }
}
