//! What a service's workflows and its justfile run is what `cargo run -- check` runs on every stack.

use ci::check::{CLIPPY, FORMAT, TEST};
use ci::specimens::Specimen;
use serde_json::Value;

use crate::{specimens, yaml};

/// Makes a machine ready, and is no check.
const PREPARES: [&str; 2] = [
    "rustup toolchain install stable --profile minimal",
    "cargo fetch",
];

/// The commands in a workflow's steps.
fn runs(workflow: &Value) -> Vec<&str> {
    let jobs = workflow["jobs"].as_object().unwrap().values();
    let steps = jobs.flat_map(|job| job["steps"].as_array().unwrap());
    steps.filter_map(|step| step["run"].as_str()).collect()
}

/// The commands of a recipe.
fn recipe<'a>(specimen: &'a Specimen, name: &str) -> Vec<&'a str> {
    let text = specimen.text("justfile").unwrap();
    let body = text.split_once(&format!("\n{name}:\n")).unwrap().1;
    let lines = body.lines().take_while(|line| line.starts_with("    "));
    lines.map(str::trim).collect()
}

#[test]
fn workflows_and_justfile_run_what_every_stack_passes() {
    let commands = [FORMAT, CLIPPY, TEST].map(|arguments| format!("cargo {arguments}"));
    let mut seen = 0;
    for specimen in specimens() {
        assert_eq!(recipe(specimen, "check"), commands, "{}", specimen.stack);
        assert_eq!(
            recipe(specimen, "test"),
            commands[2..],
            "{}",
            specimen.stack
        );
        let workflow = |name: &str| {
            let text = specimen.text(&format!(".github/workflows/{name}.yml"))?;
            Some(yaml(text))
        };
        let (Some(lint), Some(test)) = (workflow("lint"), workflow("test")) else {
            continue;
        };
        let checks = [runs(&lint), runs(&test)].concat();
        let checks = checks
            .into_iter()
            .filter(|run| !PREPARES.iter().any(|known| run.starts_with(known)))
            .map(|run| run.trim_end_matches(" --locked"));
        assert_eq!(checks.collect::<Vec<_>>(), commands, "{}", specimen.stack);
        seen += 1;
    }
    assert!(seen > 10, "{seen} stacks with workflows");
}
