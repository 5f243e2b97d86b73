//! What really comes out of requests to a real server.

mod client;
mod propagation;
mod properties;
mod rig;
mod signals;
