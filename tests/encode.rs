//! The test data holds what its recipes say, and its encoder writes what the kernels write.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a failing test may panic anywhere"
)]

#[path = "../testdata/encode/mod.rs"]
mod encode;
#[path = "../testdata/recipe/mod.rs"]
mod recipe;

use std::fs;
use std::path::{Path, PathBuf};

use encode::Order;
use encode::pflog::{Header, Variant};

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// `cargo run --example testdata` makes this pass.
#[test]
fn committed_captures_are_the_recipes() {
    for (name, files) in recipe::folders() {
        let folder = testdata().join(name);
        assert_eq!(recipe::strays(&folder, &files).unwrap(), Vec::<PathBuf>::new());
        for file in files {
            let found = fs::read(folder.join(&file.name));
            assert!(found.is_ok_and(|bytes| bytes == file.bytes), "{name}/{} differs", file.name);
        }
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

/// The fields of every genuine header, encoded again, give the same bytes, padding included.
#[test]
fn genuine_headers_come_out_the_same() {
    for (file, variant, records) in [
        ("openbsd80-pflog0.pcap", Variant::P4, 59),
        ("openbsd80-pflog1.pcap", Variant::P4, 3),
        ("freebsd14-pflog.pcap", Variant::P5, 51),
        ("aerie-v4-pflog0.pcap", Variant::P2, 43),
    ] {
        let bytes = fs::read(testdata().join("genuine").join(file)).unwrap();
        let mut rest = &bytes[24..];
        let mut seen = 0;
        while !rest.is_empty() {
            let end = 16 + u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
            let genuine = &rest[16..16 + variant.size()];
            let encoded = fields(genuine).encode(variant, Order::Little);
            assert_eq!(encoded, genuine, "{file}, record {}", seen + 1);
            rest = &rest[end..];
            seen += 1;
        }
        assert_eq!(seen, records, "{file}");
    }
}

/// The fields of a header with users, written by a little-endian machine.
fn fields(bytes: &[u8]) -> Header {
    let name = |at: usize| bytes[at..at + 16].try_into().unwrap();
    let word = |at: usize| bytes[at..at + 4].try_into().unwrap();
    let mut header = Header {
        af: bytes[1],
        action: bytes[2],
        reason: bytes[3],
        ifname: name(4),
        ruleset: name(20),
        rulenr: u32::from_be_bytes(word(36)),
        subrulenr: u32::from_be_bytes(word(40)),
        uid: u32::from_le_bytes(word(44)),
        pid: i32::from_le_bytes(word(48)),
        rule_uid: u32::from_le_bytes(word(52)),
        rule_pid: i32::from_le_bytes(word(56)),
        dir: bytes[60],
        ..Header::default()
    };
    match bytes[0] {
        69 => header.ridentifier = u32::from_be_bytes(word(64)),
        100 => {
            header.rewritten = bytes[61];
            header.naf = bytes[62];
            header.saddr = name(64);
            header.daddr = name(80);
            header.sport = u16::from_be_bytes([bytes[96], bytes[97]]);
            header.dport = u16::from_be_bytes([bytes[98], bytes[99]]);
        }
        _ => {}
    }
    header
}
