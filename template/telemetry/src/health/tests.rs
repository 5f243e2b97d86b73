use opentelemetry_sdk::error::OTelSdkError;

use super::*;

#[test]
fn every_record_is_in_one_of_the_counts() {
    let health = Health::default();
    let spans = health.account("traces").expect("counted");
    let admitted = (0..5).filter(|_| spans.admit(3)).count();
    assert_eq!(admitted, 3);
    spans.taken(2);
    spans.exported(1);
    let failure = Failure::of(&OTelSdkError::Timeout(QUIET));
    spans.failed(failure.expect("lost"), 1);
    assert_eq!(
        (spans.processed(), spans.refused(), spans.lost()),
        (2, 2, 3)
    );
    let sum = "4 of 5 spans (2 queue_full, 1 timeout, 1 unsent)";
    assert_eq!(spans.sum().as_deref(), Some(sum));
    assert!(spans.admit(2), "there is room again");
}

#[test]
fn nothing_is_said_where_nothing_is_lost() {
    let health = Health::default();
    let logs = health.account("logs").expect("counted");
    assert!(logs.admit(1));
    logs.taken(1);
    logs.exported(1);
    assert_eq!(logs.sum(), None);
    assert_eq!(health.lost(), "");
}

#[test]
fn a_second_warning_has_to_wait() {
    let mut state = State::default();
    assert!(state.may_warn());
    assert!(!state.may_warn());
    state.warned = Instant::now().checked_sub(QUIET);
    assert!(state.may_warn());
}
