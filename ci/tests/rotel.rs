//! What the default service sends is read by a receiver that is not ours, over both protocols, and says the same after it.

use ci::{collector, contract, house, stacks, subject};

#[test]
fn another_projects_collector_passes_on_the_contract() {
    let collector = collector::install().unwrap();
    let stack = stacks::default().unwrap();
    let project = house::place(&stack).unwrap();
    let binary = subject::build(&project, &house::target(), &mut |_| ()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let recordings = contract::record_all(&binary, &stack, Some(&collector), |_| ());
    let recordings = runtime.block_on(recordings).unwrap();
    let report = contract::judge(&stack, &recordings).unwrap();
    assert!(report.passed(), "{report}");
}
