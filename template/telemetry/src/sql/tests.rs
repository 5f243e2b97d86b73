//! What really comes out of statements against a real database.

mod metrics;
mod properties;
mod rig;
mod spans;
