//! What requests set off in the background. That a job is done at its first try, the `.jobs` files of `user-create` show.

use super::{Part, SECRET, Step};
use crate::faults::FAILING_NAME;

pub(super) fn jobs() -> Vec<Step> {
    let account = format!(r#"{{"name":"{FAILING_NAME}","email":"failing-{SECRET}@example.com"}}"#);
    vec![
        Step::new("job-retried", "POST", "/users")
            .needs(Part::Jobs)
            .varies(&[Part::Sql, Part::Redis])
            .header("content-type", "application/json")
            .body(&account)
            .status(201)
            .attempts(2)
            .raises()
            .short(),
    ]
}
