//! Files that are damaged, foreign or empty.

use super::{Clock, File, Log, blocked, openbsd};
use crate::encode::capture::{Pcap, Unit};
use crate::encode::link::link_type;
use crate::encode::zoo::{self, Specimen};
use crate::encode::{Order, Random};

pub(super) fn files() -> Vec<File> {
    let mut cut = some().finish();
    cut.truncate(cut.len() - 9);

    let mut garbage = some();
    garbage.pcap.raw(&Random::new(13).bytes(100));
    for record in records() {
        garbage.add(&record);
    }

    // A record that claims nearly 4 GiB, as one with the wrong byte order does.
    let mut huge = some();
    let time = huge.clock.next();
    huge.pcap.record_header(time, 0xffff_ff00, 0xffff_ff00);
    huge.pcap.raw(b"and this is all");

    // DLT_USER0: a private link type, here with text.
    let mut unknown = Log::new(Order::Little, 147);
    unknown.add(b"not a packet of any kind");
    unknown.add(b"");

    let mut magic = some().finish();
    magic[..4].copy_from_slice(b"\x7fELF");

    let mut claims = Pcap::new(Order::Little, Unit::Micro, link_type::PFLOG);
    let mut clock = Clock::new();
    for record in records() {
        // More was kept than there was: nonsense, but the bytes are there.
        claims.cut_record(clock.next(), &record, record.len() - 20);
    }

    let header = Pcap::new(Order::Little, Unit::Micro, link_type::PFLOG).finish();
    vec![
        File::new("cut-last-record.pcap", cut),
        File::new("garbage-middle.pcap", garbage.finish()),
        File::new("huge-caplen.pcap", huge.finish()),
        File::new("len-below-caplen.pcap", claims.finish()),
        File::new("unknown-linktype.pcap", unknown.finish()),
        File::new("wrong-magic.bin", magic),
        File::new("empty.pcap", Vec::new()),
        File::new("cut-header.pcap", header[..20].to_vec()),
        File::new("header-only.pcap", header),
    ]
}

/// A sound log, to be damaged.
fn some() -> Log {
    let mut log = Log::pflog();
    for record in records() {
        log.add(&record);
    }
    log
}

fn records() -> Vec<Vec<u8>> {
    let all = zoo::common();
    all.iter().take(3).map(|Specimen { bytes, .. }| openbsd(&blocked(bytes), bytes)).collect()
}
