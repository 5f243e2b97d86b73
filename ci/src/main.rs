//! `cargo run -- <command>`: everything a maintainer of the template does.

use std::process::ExitCode;

use ci::commands::{
    bench, bless, browser, chaos, check, dashboards, demo, deny, fuzz, image, leaks, lock, mutate,
    new, schemathesis, stacks, upgrade_check, workbench,
};
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
    Browser(browser::Args),
    Schemathesis(schemathesis::Args),
    Chaos(chaos::Args),
    Dashboards(dashboards::Args),
    Deny(deny::Args),
    Fuzz(fuzz::Args),
    Image(image::Args),
    Leaks(leaks::Args),
    UpgradeCheck(upgrade_check::Args),
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
        Command::Browser(args) => browser::run(args),
        Command::Schemathesis(args) => schemathesis::run(args),
        Command::Chaos(args) => chaos::run(args),
        Command::Dashboards(args) => dashboards::run(args),
        Command::Deny(args) => deny::run(args),
        Command::Fuzz(args) => fuzz::run(args),
        Command::Image(args) => image::run(args),
        Command::Leaks(args) => leaks::run(args),
        Command::UpgradeCheck(args) => upgrade_check::run(args),
        Command::Workbench(args) => workbench::run(args),
        Command::Lock(args) => lock::run(args),
        Command::Bless(args) => bless::run(args),
        Command::Bench(args) => bench::run(args),
    }
}

#[cfg(test)]
mod tests {
    use ci::documents::{self, Document, OF_A_SERVICE, arguments, told};
    use ci::specimens::Specimen;
    use clap::error::ErrorKind;

    use super::*;

    fn is_one_of_ours(words: &[String]) -> Result<(), String> {
        let words = std::iter::once("ci").chain(words.iter().map(String::as_str));
        match Cli::try_parse_from(words) {
            Err(error) if error.kind() != ErrorKind::DisplayHelp => Err(error.to_string()),
            _ => Ok(()),
        }
    }

    #[test]
    fn every_command_that_documents_tell_to_type_is_one() {
        let stack = "axum-sqlite-reqwest+redis+jobs+kubernetes+dashboards";
        let mut documents = documents::own().unwrap();
        let service = Specimen::new(&stack.parse().unwrap()).unwrap();
        documents.extend(Document::among(&service.files));
        let mut seen = 0;
        for document in &documents {
            for command in told(document) {
                let Some(words) = arguments(&command) else {
                    continue;
                };
                seen += 1;
                if !OF_A_SERVICE.contains(&&*words.join(" ")) {
                    is_one_of_ours(&words)
                        .unwrap_or_else(|error| panic!("{command} in {document:?}: {error}"));
                }
            }
        }
        assert!(seen > 30, "{seen}");
        assert!(is_one_of_ours(&["new".to_owned(), "--nonsense".to_owned()]).is_err());
    }
}
