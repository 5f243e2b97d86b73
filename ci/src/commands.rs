//! One file a command.

pub mod bench;
pub mod bless;
pub mod browser;
pub mod chaos;
pub mod check;
pub mod dashboards;
pub mod demo;
pub mod deny;
pub mod fuzz;
pub mod image;
pub mod leaks;
pub mod lock;
pub mod mutate;
pub mod new;
pub mod schemathesis;
pub mod stacks;
pub mod upgrade_check;
pub mod workbench;
