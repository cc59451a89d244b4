//! Records that end too early, and length bytes that lie.

use super::{File, Log, blocked, openbsd};
use crate::encode::Order;
use crate::encode::packet::ip::Ip;
use crate::encode::packet::transport::{ACK, PSH, Tcp, udp_packet};
use crate::encode::pflog::Variant;
use crate::encode::zoo::{self, Specimen};

pub(super) fn files() -> Vec<File> {
    vec![
        // Defaults of OpenBSD's pflogd(8), old and new, with the headers of their times.
        File::new("truncated-116.pcap", truncated(Variant::P2, 116)),
        File::new("truncated-160.pcap", truncated(Variant::P4, 160)),
        File::new("truncated-each.pcap", truncated_each()),
        File::new("bad-lengths.pcap", bad_lengths()),
    ]
}

/// Every kind of packet, as a snapshot length leaves it. Flags of TCP are no kinds of their own.
fn truncated(variant: Variant, snaplen: usize) -> Vec<u8> {
    let mut log = Log::pflog();
    let every = zoo::ipv4().into_iter().chain(zoo::ipv6());
    for Specimen { bytes, .. } in every.filter(|one| !one.name.starts_with("tcp flags")) {
        let header = blocked(&bytes).encode(variant, Order::Little);
        log.add_cut(&[header, bytes].concat(), snaplen);
    }
    log.finish()
}

/// One packet, cut at every length there is.
fn truncated_each() -> Vec<u8> {
    let options = vec![2, 4, 5, 0xb4, 4, 2, 1, 1];
    let tcp = Tcp { flags: PSH | ACK, ack: 1, options, ..Tcp::default() };
    let packet = tcp.packet(&Ip::v4(), b"payload");
    let record = openbsd(&blocked(&packet), &packet);
    let mut log = Log::pflog();
    for snaplen in 0..=record.len() {
        log.add_cut(&record, snaplen);
    }
    log.finish()
}

/// Length bytes that no header has, and headers longer than their record.
fn bad_lengths() -> Vec<u8> {
    let packet = udp_packet(&Ip::v4(), 40000, 7777, b"pfscope");
    let header = blocked(&packet);
    let record = openbsd(&header, &packet);
    let mut log = Log::pflog();
    // Rounding 253 to 255 up in a byte gives 0: a header that never ends.
    for length in [0, 1, 3, 28, 43, 44, 101, 137, 252, 253, 254, 255] {
        let mut lie = record.clone();
        lie[0] = length;
        log.add(&lie);
    }
    for length in [0, 1, 44, 253, 255] {
        let future = header.encode(Variant::Future(length), Order::Little);
        log.add(&[&future, &packet[..]].concat());
    }
    // The packet is whole, but the record is too short for the header.
    for (variant, size) in [
        (Variant::P1, 45),
        (Variant::P1o, 49),
        (Variant::P2, 61),
        (Variant::P5, 71),
        (Variant::P5x64, 70),
        (Variant::P4, 99),
        (Variant::Future(255), 200),
    ] {
        log.add(&header.encode(variant, Order::Little)[..size]);
    }
    // Claims 61, has the 100 bytes of OpenBSD; claims 100, has the 64 of FreeBSD 12.
    let mut lie = record;
    lie[0] = 61;
    log.add(&lie);
    let mut lie = [&header.encode(Variant::P2, Order::Little), &packet[..]].concat();
    lie[0] = 100;
    log.add(&lie);
    log.finish()
}
