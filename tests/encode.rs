//! The test data holds what its recipes say, and its encoder what the kernels do.

#[path = "../testdata/encode/mod.rs"]
mod encode;
#[path = "../testdata/recipe/mod.rs"]
mod recipe;

use std::path::Path;

/// `cargo run --example testdata` makes this pass.
#[test]
fn committed_captures_are_the_recipes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/pflog");
    assert_eq!(recipe::strays(&folder).unwrap(), Vec::<std::path::PathBuf>::new());
    for file in recipe::all() {
        let found = std::fs::read(folder.join(&file.name));
        assert!(found.is_ok_and(|bytes| bytes == file.bytes), "{} differs", file.name);
    }
}

#[test]
fn specimens_have_their_own_names() {
    for list in [encode::zoo::ipv4(), encode::zoo::ipv6(), encode::zoo::common()] {
        let mut names: Vec<_> = list.iter().map(|specimen| &specimen.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), list.len());
    }
}
