//! A new migration changes no Rust file, and yet it must be compiled in.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
