//! Holds the table of who may use whom, and the size of the rooms.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test may panic anywhere"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// The modules from the top down: each may use those of the tiers below it.
const TIERS: [&[&str]; 9] = [
    &["main", "cli"],
    &["engine", "feed", "sandbox"],
    &["capture", "sink"],
    &["rules", "states", "ipsec", "filter", "summary"],
    &["decode", "glance"],
    &["event", "packet"],
    &["wire", "vici"],
    &["error", "text", "time", "pf"],
    &[],
];

/// Who may use whom within a tier, and why.
const NEIGHBOURS: [(&str, &str); 5] = [
    // The pipelines of a feed run through the workers.
    ("feed", "engine"),
    // The program is nothing but its command line.
    ("main", "cli"),
    // An event has the packet in it.
    ("event", "packet"),
    // Times are printed with the digits of text.
    ("time", "text"),
    // The summary counts what the filter admits.
    ("summary", "filter"),
];

/// Who may name a crate or a part of std: paths below src, folders with a slash at the end.
const OWNERS: [(&str, &[&str]); 26] = [
    ("arc_swap", &["ipsec/live.rs"]),
    ("async_nats", &["feed/output/nats.rs", "feed/output/nats/"]),
    ("base64", &["sink/community.rs", "feed/output/http/"]),
    ("caps", &["sandbox/"]),
    ("capsicum", &["sandbox/"]),
    ("clap", &["cli/", "cli.rs"]),
    ("crossbeam_channel", &["engine.rs", "engine/"]),
    ("etherparse", &["packet.rs", "packet/"]),
    ("futures_util", &["feed/output/nats.rs"]),
    ("hostname", &["cli/", "cli.rs"]),
    ("landlock", &["sandbox/"]),
    ("nix", &["ipsec/report/interface.rs", "sandbox/", "sandbox.rs"]),
    ("nom", &["wire/", "vici/codec.rs"]),
    ("openssl_probe", &["feed/output/tls.rs"]),
    ("pcap", &["capture/"]),
    ("pledge", &["sandbox/"]),
    ("seccompiler", &["sandbox/"]),
    (
        "serde_json",
        &[
            "sink/",
            "feed/",
            "summary.rs",
            "summary/",
            "ipsec/journal/",
            "ipsec/report/",
            "cli/",
            "cli.rs",
        ],
    ),
    ("sha1", &["sink/community.rs"]),
    ("smallvec", &["ipsec/index.rs"]),
    ("socket2", &["vici/", "feed/output/syslog/"]),
    ("tiny_http", &["feed/metrics.rs"]),
    ("toml", &["feed/config/"]),
    ("twox_hash", &["sink/id.rs", "rules.rs", "rules/"]),
    ("unveil", &["sandbox/"]),
    ("ureq", &["feed/output/http/"]),
];

/// Rooms that do no I/O and read no clock.
const PURE: [&str; 14] = [
    "glance.rs",
    "wire/",
    "packet.rs",
    "packet/",
    "decode.rs",
    "vici/codec.rs",
    "vici/message.rs",
    "ipsec/correlate.rs",
    "ipsec/index.rs",
    "ipsec/policy.rs",
    "ipsec/sa.rs",
    "ipsec/selector.rs",
    "ipsec/span.rs",
    "ipsec/table.rs",
];
/// What they may not name.
const IMPURE: [&str; 5] = ["TcpStream", "TcpListener", "UdpSocket", "Instant", "SystemTime"];
/// Nor these modules of std.
const IMPURE_MODULES: [&str; 6] = ["fs", "env", "thread", "process", "os", "io"];

/// A file of src, without comments, strings and tests.
struct Source {
    /// Path below src, with slashes.
    path: String,
    /// As it stands there.
    text: String,
    /// Lines of code with their numbers.
    code: Vec<(usize, String)>,
}

impl Source {
    fn new(root: &Path, path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let path = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        let mut code = Vec::new();
        let mut lines = (1..).zip(text.lines()).peekable();
        while let Some((number, line)) = lines.next() {
            if line.starts_with("#[cfg(test)]") {
                // A module in a file of its own; else the tests, which stand at the end.
                if lines.next_if(|(_, next)| next.ends_with(';')).is_some() {
                    continue;
                }
                break;
            }
            let line = bare(line);
            if !line.trim().is_empty() {
                code.push((number, line));
            }
        }
        Self { path, text, code }
    }

    /// The room it belongs to: the first part of its path.
    fn room(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap()
    }

    fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| match place.strip_suffix('/') {
            Some(_) => self.path.starts_with(place),
            None => self.path == *place,
        })
    }

    /// Paths, without their ends, of the modules that only tests have.
    fn test_modules(&self) -> Vec<String> {
        let folder = match self.path.strip_suffix("mod.rs") {
            Some(folder) => folder.to_owned(),
            None => format!("{}/", self.path.trim_end_matches(".rs")),
        };
        let behind = self.text.split("\n#[cfg(test)]\nmod ").skip(1);
        let names = behind.filter(|rest| rest[word(rest).len()..].starts_with(';')).map(word);
        names.map(|name| format!("{folder}{name}")).collect()
    }

    /// The rooms that it uses, each with the line.
    fn uses(&self) -> Vec<(usize, String)> {
        // In the program's own crate the library has a name.
        self.named(if self.room() == "main" { "pfscope::" } else { "crate::" })
    }

    /// The words that follow this one, alone or in a group, each with the line.
    fn named(&self, root: &str) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        let text = self.code.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n");
        for (at, _) in text.match_indices(root) {
            let line = self.code[text[..at].matches('\n').count()].0;
            let rest = &text[at + root.len()..];
            let group = match rest.strip_prefix('{') {
                None => rest,
                Some(group) => &group[..closing(group)],
            };
            if rest.starts_with('{') {
                let mut depth = 0;
                for part in group.split_inclusive([',', '{', '}']) {
                    if depth == 0 {
                        found.push((line, word(part.trim_start()).to_owned()));
                    }
                    depth += part.matches('{').count();
                    depth -= part.matches('}').count();
                }
            } else {
                found.push((line, word(rest).to_owned()));
            }
        }
        found.retain(|(_, room)| !room.is_empty());
        found
    }
}

/// The line without what stands in string literals and behind `//`.
fn bare(line: &str) -> String {
    let mut out = String::new();
    let (mut in_string, mut escaped) = (false, false);
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' if !line[..at].ends_with('\'') => in_string = !in_string,
            '/' if !in_string && line[at..].starts_with("//") => break,
            c if !in_string => out.push(c),
            _ => {}
        }
    }
    out
}

/// Where the group that has been opened is closed.
fn closing(group: &str) -> usize {
    let mut depth = 1;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    group.len()
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The files of src but for those that only tests have.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut files) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(Source::new(&root, &path));
            }
        }
    }
    let tests: Vec<String> = files.iter().flat_map(Source::test_modules).collect();
    let is_test = |path: &str| {
        let behind = |test: &String| path.strip_prefix(test.as_str());
        tests.iter().filter_map(behind).any(|rest| rest == ".rs" || rest.starts_with('/'))
    };
    files.retain(|file| !is_test(&file.path));
    files.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(files.len() > 20, "src is not where it should be");
    files
}

fn tier(room: &str) -> Option<usize> {
    TIERS.iter().position(|tier| tier.contains(&room))
}

/// Fails with all that is wrong at once.
fn none_of(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_room_has_a_place_in_the_table() {
    let unknown = |room: &str| room != "lib" && tier(room).is_none();
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|file| unknown(file.room()))
        .map(|file| format!("src/{} is in no tier", file.path))
        .collect();
    none_of(&wrong);
}

#[test]
fn rooms_use_only_what_is_below_them() {
    let mut wrong = Vec::new();
    for file in sources().iter().filter(|file| file.room() != "lib") {
        let Some(own) = tier(file.room()) else { continue };
        for (line, used) in file.uses() {
            // What is not a room is an item of lib.rs; there should be none.
            let allowed = used == file.room()
                || tier(&used).is_some_and(|below| below > own)
                || NEIGHBOURS.contains(&(file.room(), &used));
            if !allowed {
                wrong.push(format!("src/{}:{line} uses {used}", file.path));
            }
        }
    }
    none_of(&wrong);
}

#[test]
fn crates_are_named_only_by_their_owners() {
    let mut wrong = Vec::new();
    for (name, owners) in OWNERS {
        for file in sources().iter().filter(|file| !file.is_in(owners)) {
            for (number, line) in &file.code {
                let names = line.match_indices(&format!("{name}::")).any(|(at, _)| {
                    // `pcap::` of `super::pcap` is a module, `jpcap::` another crate.
                    let before = line[..at].trim_end_matches("::");
                    before.len() == at
                        && !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
                });
                if names {
                    wrong.push(format!("src/{}:{number} names {name}", file.path));
                }
            }
        }
    }
    none_of(&wrong);
}

#[test]
fn pure_rooms_touch_nothing_outside() {
    let mut wrong = Vec::new();
    for file in sources().iter().filter(|file| file.is_in(&PURE)) {
        for (number, line) in &file.code {
            for name in IMPURE.iter().filter(|name| line.contains(**name)) {
                wrong.push(format!("src/{}:{number} names {name}", file.path));
            }
        }
        for (line, module) in file.named("std::") {
            if IMPURE_MODULES.contains(&module.as_str()) {
                wrong.push(format!("src/{}:{line} names std::{module}", file.path));
            }
        }
        // The files of a folder have it from its mod.rs.
        let head = file.path.ends_with("/mod.rs") || !file.path.contains('/');
        if head && !file.text.contains("#![forbid(unsafe_code)]") {
            wrong.push(format!("src/{} does not forbid unsafe code", file.path));
        }
    }
    none_of(&wrong);
}

#[test]
fn no_file_is_longer_than_400_lines_of_code() {
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|file| file.code.len() > 400)
        .map(|file| format!("src/{} has {} lines of code", file.path, file.code.len()))
        .collect();
    none_of(&wrong);
}

/// The reader of sources sees what it has to see.
#[test]
fn the_reader_finds_uses() {
    let code = ["use crate::{pf::Action, wire::{link, pflog}};", "let x = crate::text::escape(y);"];
    let code = (1..).zip(code.map(bare)).collect();
    let file = Source { path: "sink/x.rs".into(), text: String::new(), code };
    let found: Vec<_> = file.uses();
    let expected = [(1, "pf"), (1, "wire"), (2, "text")].map(|(n, room)| (n, room.to_owned()));
    assert_eq!(found, expected);
    let code = vec![(1, bare("use std::{fmt, fs::File, net::{IpAddr, TcpStream}};"))];
    let file = Source { path: "wire/x.rs".into(), text: String::new(), code };
    let found: Vec<String> = file.named("std::").into_iter().map(|(_, word)| word).collect();
    assert_eq!(found, ["fmt", "fs", "net"]);
    assert_eq!(bare(r#"a("crate::cli // \" x") // crate::cli"#), "a() ");
}
