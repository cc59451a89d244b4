//! How many instructions a packet costs, counted by valgrind's callgrind: times are noisy on shared
//! machines, these are the same in every run. `make instructions` builds the release and compares
//! with benches/instructions.txt; a work that needs 5 % more fails.
//!
//! Counted is the difference between a long and a short input, without what a start costs. The C
//! library's and the crates' choice of vector instructions depends on the processor, within those
//! 5 %; after a change that is meant, or with another compiler,
//! `PFSCOPE_RENEW=1 make instructions` writes the figures anew.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../testdata/encode/mod.rs"]
mod encode;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use encode::Order;
use encode::capture::{Pcap, Time, Unit};
use encode::pfsync::message::{Message, Update};
use encode::pfsync::state::{Key, State};
use encode::pfsync::{Action, Frame, Layout};
use flate2::Compression;
use flate2::write::GzEncoder;

/// Per cent that a figure may grow by.
const GROWTH: u64 = 5;
/// Records of the genuine capture.
const RECORDS: u64 = 59;
/// How often a short and a long input repeat theirs.
const ROUNDS: [usize; 2] = [20, 220];
/// Messages of a packet of updates.
const MESSAGES: u64 = 17;

/// A work: its name, its arguments before the input's name, the input, and what is behind the name.
const WORKS: [(&str, &[&str], Input, &[&str]); 8] = [
    ("text", &["-n", "-e", "-r"], Input::Log, &[]),
    ("json", &["--format", "json", "-r"], Input::Log, &[]),
    ("ecs", &["--format", "ecs", "-r"], Input::Log, &[]),
    ("ocsf", &["--format", "ocsf", "-r"], Input::Log, &[]),
    ("summary", &["summary"], Input::Log, &[]),
    ("filter", &["-n", "-e", "-r"], Input::Log, &["action block and dst port 22"]),
    ("gz", &["summary"], Input::Gz, &[]),
    ("states", &["states", "--health", "-r"], Input::Updates, &[]),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    Log,
    Gz,
    Updates,
}

impl Input {
    /// What repeats its content so often, and how much that is: packets, messages of pfsync.
    fn make(self, rounds: usize) -> (Vec<u8>, u64) {
        let packets = RECORDS * rounds as u64;
        match self {
            Self::Log => (log(rounds), packets),
            Self::Gz => {
                let mut gz = GzEncoder::new(Vec::new(), Compression::default());
                gz.write_all(&log(rounds)).unwrap();
                (gz.finish().unwrap(), packets)
            }
            Self::Updates => (updates(packets), packets * MESSAGES),
        }
    }
}

fn log(rounds: usize) -> Vec<u8> {
    let genuine = include_bytes!("../testdata/genuine/openbsd80-pflog0.pcap");
    let (header, records) = genuine.split_at(24);
    [header, &records.repeat(rounds)].concat()
}

/// A thousand states, and so many packets of compressed updates of them.
fn updates(packets: u64) -> Vec<u8> {
    const STATES: u64 = 1000;
    let state = |n: u64| {
        let n = n * 7 % STATES;
        let key = Key::new((&format!("10.0.{}.{}", n / 256, n % 256), 4000), ("192.0.2.1", 443));
        State { id: n + 1, wire: key, stack: key, ..State::default() }
    };
    let mut file = Pcap::new(Order::Little, Unit::Micro, 18);
    let mut told = |nth: u64, action, messages: Vec<Message>| {
        let time = Time { sec: 1_780_000_000 + u32::try_from(nth / 100).unwrap(), nsec: 0 };
        file.record(time, &Frame::of(Layout::OpenBsd6, action, &messages).bytes());
    };
    for n in 0..STATES {
        told(0, Action::Ins, vec![state(n).into()]);
    }
    for nth in 0..packets {
        let some = nth * MESSAGES..(nth + 1) * MESSAGES;
        told(nth, Action::UpdC, some.map(|n| Update::of(&state(n)).into()).collect());
    }
    file.finish()
}

/// Instructions of a run of the program.
fn instructions(program: &Path, before: &[&str], input: &Path, after: &[&str]) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(before)
        .arg(input)
        .args(after)
        // Two would count how long each waited for the other.
        .args(["--threads", "1", "--no-sandbox"])
        .env("TZ", "UTC")
        .stdout(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    collected.unwrap_or_else(|| panic!("{said}")).1.trim().parse().unwrap()
}

#[test]
#[ignore = "make instructions: needs valgrind and a release build, and takes a minute"]
fn no_work_needs_more_instructions_than_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program =
        env::var_os("PFSCOPE").map_or_else(|| root.join("target/release/pfscope"), PathBuf::from);
    assert!(program.is_file(), "{} is not built", program.display());
    if Command::new("valgrind").arg("--version").output().is_err() {
        // Not by a macro: the test runner would keep that to itself.
        let _ = writeln!(io::stderr(), "SKIPPED: valgrind is not there");
        return;
    }
    let table = root.join("benches/instructions.txt");
    let known = fs::read_to_string(&table).unwrap_or_default();
    let (comment, figures): (Vec<&str>, Vec<&str>) =
        known.lines().partition(|line| line.starts_with('#'));
    let mut renewed = comment.iter().map(|line| format!("{line}\n")).collect::<String>();
    let mut grown = Vec::new();
    for (name, before, input, after) in WORKS {
        let [short, long] = ROUNDS.map(|rounds| {
            let path = folder.path().join("input");
            let (bytes, packets) = input.make(rounds);
            fs::write(&path, bytes).unwrap();
            (instructions(&program, before, &path, after), packets)
        });
        let figure = (long.0 - short.0) / (long.1 - short.1);
        let once = figures
            .iter()
            .filter_map(|line| line.split_once(' '))
            .find_map(|(own, n)| (own == name).then(|| n.trim().parse::<u64>().unwrap()));
        let _ = writeln!(io::stderr(), "{name} {figure}, was {}", once.unwrap_or_default());
        writeln!(renewed, "{name} {figure}").unwrap();
        if once.is_none_or(|once| figure * 100 > once * (100 + GROWTH)) {
            grown.push(name);
        }
    }
    if env::var_os("PFSCOPE_RENEW").is_some() {
        fs::write(table, renewed).unwrap();
        return;
    }
    assert!(
        grown.is_empty(),
        "{grown:?}: more than {GROWTH} % above benches/instructions.txt; what is meant is written \
         there by PFSCOPE_RENEW=1 make instructions"
    );
}
