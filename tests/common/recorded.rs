//! What an IKE daemon was recorded to tell over VICI, event by event.
#![allow(dead_code, unreachable_pub, reason = "each includer uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test may panic anywhere")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pfscope::ipsec::journal::{Limits, Record, Writer};
use pfscope::time::Timestamp;
use pfscope::vici::codec::{Packet, Segments, decode};
use pfscope::vici::message::Section;

const SECOND: i64 = 1_000_000_000;

/// The events of a recording in testdata, each with its time and name; without those that cannot
/// be decoded.
pub fn events(name: &str) -> Vec<(Timestamp, Vec<u8>, Section)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    let text = fs::read_to_string(path).unwrap();
    let seconds = |text: &str| -> i64 {
        let (whole, rest) = text.split_once('.').unwrap();
        whole.parse::<i64>().unwrap() * SECOND + rest.parse::<i64>().unwrap() * 1000
    };
    let (mut start, mut connections, mut found) = (0, BTreeMap::new(), Vec::new());
    for line in text.lines() {
        if let Some(t0) = line.strip_prefix("# t0 (unix time of offset 0): ") {
            start = seconds(t0);
        }
        let words: Vec<&str> = line.split(' ').collect();
        let [connection, offset, "<", hex] = words[..] else { continue };
        let digits = hex.as_bytes().chunks(2);
        let bytes: Vec<u8> = digits
            .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
            .collect();
        let segments: &mut Segments = connections.entry(connection).or_default();
        segments.push(&bytes);
        while let Some(segment) = segments.next_segment().unwrap() {
            if let Packet::Event { name, body } = Packet::parse(segment).unwrap()
                && let Ok(message) = decode(body)
            {
                let at = Timestamp(start + seconds(offset));
                found.push((at, name.to_vec(), message));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// A journal of these events in a folder.
pub fn journal(folder: &Path) -> PathBuf {
    let path = folder.join("sas.ndjson");
    let limits = Limits { size: None, age: None, keep: 1 };
    let mut writer = Writer::open(&path, limits, Timestamp(0)).unwrap();
    for (at, name, message) in events("ipsec/598-rekey.events.hex") {
        let is_list = name == b"list-sa";
        writer.record(at, &Record::Event(name, message)).unwrap();
        if is_list {
            writer.record(at, &Record::Listed { complete: true }).unwrap();
        }
    }
    path
}
