//! What is asked of a stack with a cache only.

use super::{Part, Step};

/// After the first look-up of this user, so that it is a hit: no other than Redis is asked.
pub(super) fn steps() -> Vec<Step> {
    let cached = Step::new("user-cached", "GET", "/users/1");
    vec![cached.needs(Part::Redis).short()]
}
