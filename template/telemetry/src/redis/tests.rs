//! Against a real Redis, see [`rig::URL`]. Each test has keys of its own.

mod metrics;
mod rig;
mod spans;
