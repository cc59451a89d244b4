//! Writes the captures of `testdata/pflog` and `testdata/pfsync`: `cargo run --example testdata`.
//!
//! With `--check` nothing is written; the files that differ from what is here are named and the
//! exit status is 1.
#![allow(clippy::print_stdout, reason = "a tool for the shell")]

mod encode;
mod recipe;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

fn main() -> io::Result<ExitCode> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    match env::args().nth(1).as_deref() {
        None => write(&folder),
        Some("--check") => check(&folder),
        Some(other) => {
            println!("unknown argument {other}; there is only --check");
            Ok(ExitCode::from(2))
        }
    }
}

fn write(testdata: &Path) -> io::Result<ExitCode> {
    for (name, files) in recipe::folders() {
        let folder = testdata.join(name);
        fs::create_dir_all(&folder)?;
        for stray in recipe::strays(&folder, &files)? {
            fs::remove_file(stray)?;
        }
        for file in files {
            fs::write(folder.join(&file.name), &file.bytes)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn check(testdata: &Path) -> io::Result<ExitCode> {
    let mut wrong: Vec<PathBuf> = Vec::new();
    for (name, files) in recipe::folders() {
        let folder = testdata.join(name);
        wrong.extend(recipe::strays(&folder, &files)?);
        for file in files {
            let path = folder.join(&file.name);
            if fs::read(&path).ok().as_ref() != Some(&file.bytes) {
                wrong.push(path);
            }
        }
    }
    for path in &wrong {
        println!("differs: {}", path.display());
    }
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
