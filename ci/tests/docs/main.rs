//! What documents say is so: their links lead somewhere, their commands are there, and their recipes work.

mod commands;
mod first_run;
mod links;
mod recipes;
