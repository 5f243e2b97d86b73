//! The gRPC interface of this service, for itself and for whoever calls it.
//!
//! The `.proto` files are beside this folder. The code below `generated/` is made of them and committed, so building
//! needs neither protoc nor a generator. After a change of a `.proto` file, `cargo test -p` this package writes it anew.

include!("generated/interface.rs");

/// The package `shop.v1`.
pub mod shop {
    pub mod v1 {
        include!("generated/shop.v1.rs");
    }
}
