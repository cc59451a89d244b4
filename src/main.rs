//! The `pfscope` program.

fn main() {}
