//! The default service does what its OpenAPI document says, and nothing else. `cargo run -- schemathesis` asks more, and others.

use ci::schemathesis::{Effort, drive, install};
use ci::{house, stacks, subject};

#[test]
fn schemathesis_finds_nothing() {
    let program = install().unwrap();
    let stack = stacks::default().unwrap();
    let project = house::place(&stack).unwrap();
    let binary = subject::build(&project, &house::target(), &mut |_| ()).unwrap();
    let effort = Effort {
        examples: 20,
        seed: 1,
    };
    drive(&program, &binary, &stack, effort, &mut |_| ()).unwrap();
}
