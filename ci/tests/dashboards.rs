//! The dashboards and alerts before a real Prometheus. Files are all that they add, so the program is that of another test.

use ci::generate::generate;
use ci::stacks::Stack;
use ci::{dashboards, house, subject};

#[test]
fn prometheus_answers_whatever_dashboards_and_alerts_ask() {
    let stack: Stack = "axum-sqlite-reqwest+redis+jobs+grpc".parse().unwrap();
    let shown: Stack = format!("{stack}+dashboards").parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let project = generate(&shown, "shop", folder.path()).unwrap();
    let home = house::place(&stack).unwrap();
    let binary = subject::build(&home, &house::target(), &mut |_| ()).unwrap();
    let verdict = dashboards::ask(&stack, &project, &binary).unwrap();
    let unanswered = verdict
        .unanswered
        .iter()
        .map(|question| format!("{question}"));
    assert_eq!(unanswered.collect::<Vec<_>>(), [""; 0]);
    assert!(verdict.answered > 50, "{}", verdict.answered);
}
