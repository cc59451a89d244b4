//! Any number of workers prints the same bytes, tells the same faults and ends with the same status:
//! for every capture of testdata, made so long that it is read in several batches, whole and cut.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, thread};

use pfscope::cli::{Status, run};

/// More than two batches of the reader's.
const LONG: usize = 550_000;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if fs::metadata(&path).unwrap().len() < 4 << 20 {
            found.push(path);
        }
    }
}

/// The captures of the project, and those beside it if they are there.
fn captures() -> Vec<PathBuf> {
    let mut all = Vec::new();
    for folder in ["pflog", "pfsync", "genuine", "ipsec"] {
        files(&common::testdata(folder), &mut all);
    }
    assert!(all.len() > 60, "testdata is not whole: {} captures", all.len());
    if let Some(folder) = common::shared("") {
        files(&folder, &mut all);
    }
    let is_capture = |path: &PathBuf| {
        path.extension().is_some_and(|end| end == "pcap" || end == "pcapng" || end == "bin")
    };
    all.retain(is_capture);
    all.sort();
    all
}

/// The capture with its good records again and again, and all of it once more: what is wrong with
/// it comes in a late batch.
fn long(capture: &[u8]) -> Vec<u8> {
    let order: fn([u8; 4]) -> u32 = match capture.first() {
        Some(0xa1) => u32::from_be_bytes,
        Some(0xd4 | 0x4d) => u32::from_le_bytes,
        // Sections of pcapng may follow each other; anything else is no capture.
        Some(0x0a) => return capture.repeat(LONG / capture.len() + 1),
        _ => return capture.to_vec(),
    };
    let Some((header, records)) = capture.split_at_checked(24) else { return capture.to_vec() };
    let mut good = 0;
    while let Some(&caplen) = records.get(good + 8..).and_then(<[u8]>::first_chunk) {
        let end = good + 16 + order(caplen) as usize;
        if order(caplen) > 262_144 || end > records.len() {
            break;
        }
        good = end;
    }
    let times = LONG.checked_div(good).map_or(0, |times| times + 1);
    [header, &records[..good].repeat(times), records].concat()
}

/// Output, messages and status of a run.
fn printed(arguments: &[&str], threads: &str, path: &str) -> (Vec<u8>, String, Status) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let input = if arguments == ["summary"] { &[path][..] } else { &["-r", path] };
    let arguments = ["pfscope"].iter().chain(arguments).chain(input).copied();
    let arguments = arguments.chain(["--threads", threads, "--utc"]);
    let status = run(arguments, &mut out, &mut err);
    (out, String::from_utf8(err).unwrap(), status)
}

fn hold(works: &[&[&str]]) {
    let captures = captures();
    // Side by side: the program's own threads mostly wait for each other here.
    let share = captures.len().div_ceil(2);
    let bytes = &AtomicUsize::new(0);
    thread::scope(|scope| {
        for some in captures.chunks(share) {
            scope.spawn(move || {
                let folder = tempfile::tempdir().unwrap();
                for (nth, capture) in some.iter().enumerate() {
                    let whole = long(&fs::read(capture).unwrap());
                    // In its last record, or in the middle.
                    let cut = if nth % 2 == 0 { 7 } else { whole.len() / 3 + 1 };
                    for cut in [0, cut] {
                        let path = folder.path().join("capture");
                        fs::write(&path, &whole[..whole.len() - cut.min(whole.len())]).unwrap();
                        let path = path.to_str().unwrap();
                        for work in works {
                            let one = printed(work, "1", path);
                            bytes.fetch_add(one.0.len(), Ordering::Relaxed);
                            let more = printed(work, "3", path);
                            let name = capture.display();
                            assert_eq!(one.1, more.1, "{name} less {cut} bytes: {work:?}");
                            assert!(one == more, "{name} less {cut} bytes: {work:?}");
                        }
                    }
                }
            });
        }
    });
    assert!(bytes.load(Ordering::Relaxed) > 1 << 20, "hardly anything was printed");
}

#[test]
fn text() {
    hold(&[&["-n", "-e", "-ttt", "-v"], &["-n", "--strict"], &["-n", "-c", "2000"]]);
}

#[test]
fn json_and_ecs() {
    hold(&[&["--format", "json"], &["--format", "ecs"], &["--format", "ecs", "--strict"]]);
}

#[test]
fn summary_states_and_a_filter() {
    let filter = &["-n", "-e", "action block and dst port 22 or dst port 53"];
    hold(&[&["summary"], &["states"], filter]);
}
