//! What really comes out of requests to a real server.

mod propagation;
mod rig;
mod signals;
