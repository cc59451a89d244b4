//! Every capture of testdata, printed as text and as JSON, is what testdata/golden says.
//! After a change that is meant: `UPDATE_GOLDEN=1 cargo test --test golden`, and read the diff.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pfscope::cli::{Status, run};

/// Captures, by folder and name.
fn captures() -> Vec<PathBuf> {
    let folders = ["testdata/pflog", "testdata/pfsync", "testdata/genuine"];
    let mut all: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    all.sort();
    assert!(all.len() > 60, "testdata is not whole: {} captures", all.len());
    all
}

/// Output, messages and status of a run, as one text.
fn printed(arguments: &[&str]) -> (Vec<u8>, String, Status) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let arguments = ["pfscope"].iter().chain(arguments);
    let status = run(arguments, &mut out, &mut err);
    (out, String::from_utf8(err).unwrap(), status)
}

fn golden(capture: &Path, extension: &str) -> PathBuf {
    let name = capture.file_name().unwrap().to_str().unwrap();
    Path::new("testdata/golden").join(format!("{name}.{extension}"))
}

/// Compares with the golden file, or writes it.
fn hold(path: &Path, output: &[u8], differing: &mut Vec<String>) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, output).unwrap();
        return;
    }
    let expected = fs::read(path).unwrap_or_default();
    if expected == output {
        return;
    }
    let (expected, output) = (String::from_utf8_lossy(&expected), String::from_utf8_lossy(output));
    let line = expected.lines().zip(output.lines()).position(|(a, b)| a != b);
    let shorter = || expected.lines().count().min(output.lines().count());
    let line = line.unwrap_or_else(shorter);
    differing.push(format!(
        "{} line {}:\n  expected {}\n  printed  {}",
        path.display(),
        line + 1,
        expected.lines().nth(line).unwrap_or("nothing"),
        output.lines().nth(line).unwrap_or("nothing"),
    ));
}

#[test]
fn captures_print_as_the_golden_files_say() {
    let mut differing = Vec::new();
    for capture in captures() {
        let path = capture.to_str().unwrap();
        for (extension, flags) in [
            ("txt", &["-n", "-e", "-tttt", "--utc"][..]),
            ("v.txt", &["-n", "-e", "-vv", "-t"]),
            ("json", &["--format", "json"]),
        ] {
            let arguments: Vec<&str> = flags.iter().copied().chain(["-r", path]).collect();
            let (mut output, messages, status) = printed(&arguments);
            output.extend_from_slice(messages.as_bytes());
            assert_eq!(status == Status::Done, messages.is_empty(), "{path}: {messages}");
            hold(&golden(&capture, extension), &output, &mut differing);
        }
    }
    assert!(differing.is_empty(), "{}\n", differing.join("\n"));
}

#[test]
fn no_golden_file_is_left_over() {
    let wanted: BTreeSet<PathBuf> = captures()
        .iter()
        .flat_map(|capture| ["txt", "v.txt", "json"].map(|extension| golden(capture, extension)))
        .collect();
    for entry in fs::read_dir("testdata/golden").unwrap() {
        let path = entry.unwrap().path();
        assert!(wanted.contains(&path), "{} belongs to no capture", path.display());
    }
}

#[test]
fn every_json_line_is_valid_by_the_published_schema() {
    let (schema, ..) = printed(&["schema", "json"]);
    let schema: serde_json::Value = serde_json::from_slice(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut lines = 0;
    for capture in captures() {
        let (output, ..) = printed(&["--format", "json", "-r", capture.to_str().unwrap()]);
        for line in String::from_utf8(output).unwrap().lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            if let Err(wrong) = validator.validate(&value) {
                panic!("{}: {wrong}\n{line}", capture.display());
            }
            assert_eq!(escaped(&value.to_string()), line, "not what serde_json writes");
            assert_in_order(&value, &schema, line);
            lines += 1;
        }
    }
    assert!(lines > 1000, "only {lines} lines");
}

/// serde_json leaves DEL, the C1 controls and invisible marks, which a terminal may obey; pfscope does not.
fn escaped(json: &str) -> String {
    let escape = |c: char| match c {
        '\u{7f}'..='\u{9f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}' => format!("\\u{:04x}", u32::from(c)),
        _ => c.to_string(),
    };
    json.chars().map(escape).collect()
}

/// The keys of an object come in the order in which the schema names them.
fn assert_in_order(value: &serde_json::Value, schema: &serde_json::Value, line: &str) {
    let Some(object) = value.as_object() else { return };
    let named = schema["properties"].as_object().unwrap();
    let mut order = named.keys();
    for (key, inner) in object {
        assert!(order.any(|name| name == key), "{key} is out of order: {line}");
        assert_in_order(inner, &named[key], line);
    }
}

#[test]
fn any_number_of_threads_prints_the_same() {
    for capture in captures() {
        let path = capture.to_str().unwrap();
        for flags in [
            &["-n", "-e", "-ttt", "-v"][..],
            &["-n", "-e", "-ttttt", "-X"],
            &["--format", "json"],
            &["--fields", "frame,ts,pflog.action,net.src"],
            &["-n", "--strict"],
            &["-n", "-c", "3"],
        ] {
            let with = |threads| {
                let arguments = flags.iter().copied().chain(["--threads", threads, "-r", path]);
                printed(&arguments.collect::<Vec<_>>())
            };
            assert_eq!(with("1"), with("4"), "{path} {flags:?}");
        }
    }
}
