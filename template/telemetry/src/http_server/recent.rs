//! Texts that come again with each request of a client. The spans of a thread share the last of them, where a copy for
//! each would cost more than all else that is recorded of it.

use std::{cell::RefCell, net::IpAddr, sync::Arc};

/// Callers make up what they like, so there are few, and whatever comes takes the place of another.
const PLACES: usize = 16;
/// Longer ones are not kept.
const LONGEST: usize = 256;

struct Recent<T>([Option<T>; PLACES]);

impl<T: Clone> Recent<T> {
    const fn empty() -> RefCell<Self> {
        RefCell::new(Self([const { None }; PLACES]))
    }

    /// The one that `is` wanted, from the place where it is if it is there.
    fn get(&mut self, place: u8, is: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> T {
        let place = &mut self.0[usize::from(place) % PLACES];
        match place {
            Some(known) if is(known) => known.clone(),
            _ => place.insert(make()).clone(),
        }
    }
}

thread_local! {
    static TEXTS: RefCell<Recent<Arc<str>>> = const { Recent::empty() };
    static ADDRESSES: RefCell<Recent<(IpAddr, Arc<str>)>> = const { Recent::empty() };
}

/// `text` itself.
pub(crate) fn text(text: &str) -> Arc<str> {
    match text.as_bytes() {
        [.., last] if text.len() <= LONGEST => TEXTS.with_borrow_mut(|texts| {
            let place = last.wrapping_add(text.len() as u8);
            texts.get(place, |known| **known == *text, || text.into())
        }),
        _ => text.into(),
    }
}

/// `address` as text.
pub(crate) fn address(address: IpAddr) -> Arc<str> {
    let place = match address {
        IpAddr::V4(address) => address.octets()[3],
        IpAddr::V6(address) => address.octets()[15],
    };
    let make = || (address, address.to_string().into());
    ADDRESSES
        .with_borrow_mut(|addresses| addresses.get(place, |(known, _)| *known == address, make))
        .1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_again_is_shared_whatever_came_between() {
        let agent = text("curl/8.5.0");
        assert!(Arc::ptr_eq(&agent, &text("curl/8.5.0")));
        for number in 0..1000 {
            let made_up = format!("curl/{number}");
            assert_eq!(&*text(&made_up), made_up);
        }
        assert_eq!(text("curl/8.5.0"), agent);
        for odd in ["", &"x".repeat(LONGEST), &"x".repeat(LONGEST + 1)] {
            assert_eq!(&*text(odd), odd);
        }
    }

    #[test]
    fn addresses_are_told_apart() {
        for written in ["10.0.0.7", "10.0.1.7", "::7", "10.0.0.23", "10.0.0.7"] {
            let ip = written.parse().expect("an address");
            assert_eq!(&*address(ip), written);
            assert!(Arc::ptr_eq(&address(ip), &address(ip)));
        }
    }
}
