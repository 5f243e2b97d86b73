//! One file a command.

pub mod bench;
pub mod bless;
pub mod check;
pub mod demo;
pub mod lock;
pub mod mutate;
pub mod new;
pub mod stacks;
pub mod workbench;
