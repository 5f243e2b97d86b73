//! Generates, runs and judges the services that the template makes. `main.rs` and `tests/` are thin users of this library.

pub mod bench;
pub mod browser;
pub mod chaos;
pub mod check;
pub mod client;
pub mod collector;
pub mod commands;
pub mod conformance;
pub mod contract;
pub mod dashboards;
pub mod demo;
pub mod documents;
pub mod explain;
pub mod faults;
pub mod files;
pub mod generate;
pub mod grow;
pub mod house;
pub mod howto;
pub mod leaks;
pub mod lock;
pub mod mutate;
pub mod openapi;
pub mod options;
pub mod origin;
pub mod page;
pub mod peer;
pub mod progress;
pub mod receiver;
pub mod scenario;
pub mod schemathesis;
pub mod servers;
pub mod service;
pub mod signals;
pub mod snapshot;
pub mod specimens;
pub mod stacks;
pub mod subject;
pub mod table;
pub mod together;
pub mod tour;
pub mod upstream;
pub mod waterfall;
pub mod wheels;

use std::path::Path;

/// The checkout that this program was built from: the template, its hooks and its questions.
pub fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}
