//! The flagship stacks, built and run: what `cargo run -- check --flagship` does.

use std::io::Write;
use std::sync::Mutex;

use ci::check::{Event, check};
use ci::stacks::{self, Stack};

/// Cargo's own processes use all cores; two at a time only wait for one another.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[test]
fn flagship() {
    pass(&stacks::flagship().unwrap());
}

fn pass(stacks: &[Stack]) {
    let _turn = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut failures = String::new();
    for stack in stacks {
        let outcome = check(stack, &mut |event| {
            if let Event::Begin(step) = event {
                // Past libtest's capture: this takes minutes, and someone is waiting.
                let _ = writeln!(std::io::stderr(), "{stack} {step} ...");
            }
        });
        if let Some(failure) = outcome.failure {
            failures += &format!("\n{stack}: {failure}\n");
        }
    }
    assert!(failures.is_empty(), "{failures}");
}
