//! Names of spans that are made of routes and statements. There are a few of them for ever, so spans borrow them.

use std::{
    borrow::Cow,
    collections::HashSet,
    sync::{LazyLock, Mutex, PoisonError},
};

/// Far more than a service has, should some of them not be written down but made up as it runs.
const CAPACITY: usize = 1024;

static NAMES: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);

/// `name`, which is never freed, so that a span need not copy it. Beyond the capacity it is a copy.
pub(crate) fn kept(name: String) -> Cow<'static, str> {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(&*name) {
        return Cow::Borrowed(known);
    }
    if names.len() == CAPACITY {
        return Cow::Owned(name);
    }
    let name: &'static str = name.leak();
    names.insert(name);
    Cow::Borrowed(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_up_to_the_capacity() {
        let kept = |name: &str| kept(name.to_owned());
        let first = kept("GET /users/{id}");
        assert!(std::ptr::eq(&*first, &*kept("GET /users/{id}")));
        let made_up = (0..2 * CAPACITY).map(|number| kept(&format!("GET /{number}")));
        let owned = made_up.filter(|name| matches!(name, Cow::Owned(_))).count();
        assert!(owned >= CAPACITY);
    }
}
