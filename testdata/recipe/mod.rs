//! What the captures of `testdata/pflog` and `testdata/pfsync` hold.
#![allow(dead_code, unreachable_pub, reason = "the generator and its test use different parts")]
#![allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "test data made here, not input"
)]

mod broken;
mod cut;
mod flow;
mod links;
pub mod sync;
pub mod systems;
mod translated;

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use crate::encode::capture::{Pcap, Time, Unit};
use crate::encode::link::link_type;
use crate::encode::pflog::{Header, Variant, name};
use crate::encode::zoo::Specimen;
use crate::encode::{Order, Random, zoo};

/// A file to write.
#[derive(Debug)]
pub struct File {
    /// Its name in its folder.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

impl File {
    fn new(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { name: name.into(), bytes }
    }
}

/// The folders of `testdata` and what belongs in them.
pub fn folders() -> [(&'static str, Vec<File>); 2] {
    [("pflog", all()), ("pfsync", sync::all())]
}

/// Every file of `pflog`.
pub fn all() -> Vec<File> {
    let mut files = systems::files();
    files.extend(translated::files());
    files.extend(cut::files());
    files.push(File::new("packets-ipv4.pcap", packets(&zoo::ipv4())));
    files.push(File::new("packets-ipv6.pcap", packets(&zoo::ipv6())));
    files.push(File::new("tcp-flow.pcap", flow::file()));
    files.extend(links::files());
    files.extend(broken::files());
    files
}

/// Files in `folder` that are none of `files`.
pub fn strays(folder: &Path, files: &[File]) -> io::Result<Vec<PathBuf>> {
    let mut strays = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !files.iter().any(|file| entry.file_name() == file.name.as_str()) {
            strays.push(entry.path());
        }
    }
    Ok(strays)
}

/// Times that go on in steps of no rule, from 2026-01-02T03:04:05.678901Z.
#[derive(Debug)]
struct Clock {
    nanos: u64,
    steps: Random,
}

impl Clock {
    fn new() -> Self {
        Self { nanos: 1_767_323_045_678_901_000, steps: Random::new(117) }
    }

    /// So many seconds after the first time.
    fn after(seconds: f64) -> Time {
        let nanos = Self::new().nanos + Duration::from_secs_f64(seconds).as_micros() as u64 * 1000;
        Time { sec: (nanos / 1_000_000_000) as u32, nsec: (nanos % 1_000_000_000) as u32 }
    }

    fn next(&mut self) -> Time {
        let now = self.nanos;
        // From microseconds (a flood) to minutes (a quiet night).
        let scale = [2_000, 300_000, 40_000_000, 5_000_000_000, 90_000_000_000];
        let scale = scale[self.steps.below(5) as usize];
        self.nanos += 1 + self.steps.below(scale);
        Time { sec: (now / 1_000_000_000) as u32, nsec: (now % 1_000_000_000) as u32 }
    }
}

/// A capture file with the clock of its records.
#[derive(Debug)]
struct Log {
    pcap: Pcap,
    clock: Clock,
}

impl Log {
    fn new(order: Order, link: u32) -> Self {
        Self { pcap: Pcap::new(order, Unit::Micro, link), clock: Clock::new() }
    }

    /// A log of the current pflog link type, written on a little-endian machine.
    fn pflog() -> Self {
        Self::new(Order::Little, link_type::PFLOG)
    }

    fn add(&mut self, bytes: &[u8]) {
        self.pcap.record(self.clock.next(), bytes);
    }

    /// Adds a record so many seconds after the first.
    fn add_at(&mut self, seconds: f64, bytes: &[u8]) {
        self.pcap.record(Clock::after(seconds), bytes);
    }

    /// Adds what a snapshot length leaves of a record.
    fn add_cut(&mut self, bytes: &[u8], snaplen: usize) {
        let kept = snaplen.min(bytes.len());
        self.pcap.cut_record(self.clock.next(), &bytes[..kept], bytes.len());
    }

    fn finish(self) -> Vec<u8> {
        self.pcap.finish()
    }
}

/// A record as OpenBSD on amd64 writes it today.
fn openbsd(header: &Header, packet: &[u8]) -> Vec<u8> {
    [&header.encode(Variant::P4, Order::Little), packet].concat()
}

/// `AF_INET6` of OpenBSD and NetBSD.
const AF_INET6: u8 = 24;

/// The header OpenBSD writes for a packet that the default rule blocks on em0.
fn blocked(packet: &[u8]) -> Header {
    Header { ifname: name("em0"), ..Header::of(packet, AF_INET6) }
}

/// The packets behind OpenBSD's header, to compare how tools print them.
fn packets(list: &[Specimen]) -> Vec<u8> {
    let mut log = Log::pflog();
    for (number, specimen) in (0_u32..).zip(list) {
        let header = Header { rulenr: number, ..blocked(&specimen.bytes) };
        log.add(&openbsd(&header, &specimen.bytes));
    }
    log.finish()
}
