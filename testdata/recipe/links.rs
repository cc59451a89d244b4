//! The packets of a log as other link types carry them, and the other kinds of capture file.

use super::{Clock, File, Log, blocked, openbsd};
use crate::encode::Order;
use crate::encode::capture::{ETHERNET_FCS, Pcap, Unit};
use crate::encode::link::{self, link_type};
use crate::encode::pcapng::{Interface, Pcapng};
use crate::encode::zoo::{self, Specimen};

pub(super) fn files() -> Vec<File> {
    let framed = |order, kind, frame: &dyn Fn(&[u8]) -> Vec<u8>| {
        let mut log = Log::new(order, kind);
        for Specimen { bytes, .. } in zoo::common() {
            log.add(&frame(&bytes));
        }
        log.finish()
    };
    let little = |kind, frame: &dyn Fn(&[u8]) -> Vec<u8>| framed(Order::Little, kind, frame);
    let raw = |kind| little(kind, &<[u8]>::to_vec);
    let null = |order, af6| {
        framed(order, link_type::NULL, &|packet| {
            link::null(order, link::family(packet, af6), packet)
        })
    };
    let one_version = |kind, version| {
        let mut log = Log::new(Order::Little, kind);
        for Specimen { bytes, .. } in zoo::common() {
            if bytes[0] >> 4 == version {
                log.add(&bytes);
            }
        }
        log.finish()
    };
    let enc = |packet: &[u8]| {
        let flags = link::M_CONF | link::M_AUTH;
        link::enc(Order::Little, link::family(packet, 24), 0xc0ff_ee01, flags, packet)
    };
    vec![
        File::new("link-ethernet.pcap", ethernet()),
        // FreeBSD's AF_INET6 and Darwin's on a little-endian machine, OpenBSD's on a big one.
        File::new("link-null-le.pcap", null(Order::Little, 30)),
        File::new("link-null-be.pcap", null(Order::Big, 24)),
        File::new(
            "link-loop.pcap",
            little(link_type::LOOP, &|packet| {
                link::null(Order::Big, link::family(packet, 24), packet)
            }),
        ),
        File::new("link-raw12.pcap", raw(link_type::RAW_12)),
        File::new("link-raw14.pcap", raw(link_type::RAW_14)),
        File::new("link-raw101.pcap", raw(link_type::RAW)),
        File::new("link-ipv4.pcap", one_version(link_type::IPV4, 4)),
        File::new("link-ipv6.pcap", one_version(link_type::IPV6, 6)),
        File::new("link-sll.pcap", little(link_type::SLL, &link::sll)),
        File::new("link-sll2.pcap", little(link_type::SLL2, &|packet| link::sll2(2, packet))),
        File::new("link-enc.pcap", little(link_type::ENC, &enc)),
        File::new("nanoseconds.pcap", nanoseconds()),
        File::new("fcs.pcap", fcs()),
        File::new("interfaces.pcapng", interfaces()),
        File::new("mixed-links.pcapng", mixed_links()),
    ]
}

/// Frames without a tag, with one and with two, and some that hold no IP.
fn ethernet() -> Vec<u8> {
    const TAGS: [&[(u16, u16)]; 4] =
        [&[], &[(0x8100, 100)], &[(0x88a8, 20), (0x8100, 0xe064)], &[(0x8100, 1), (0x8100, 2)]];
    let mut log = Log::new(Order::Little, link_type::ETHERNET);
    for Specimen { bytes, .. } in zoo::common() {
        for tags in TAGS {
            log.add(&link::ethernet(tags, link::ether_type(&bytes), &bytes));
        }
    }
    // Who has 192.0.2.1 (RFC 826).
    let mut arp = vec![0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 0x0a, 192, 0, 2, 10];
    arp.extend([0, 0, 0, 0, 0, 0, 192, 0, 2, 1]);
    log.add(&link::ethernet(&[], 0x0806, &arp));
    // A spanning-tree hello: IEEE 802.3 with a length instead of a type.
    let mut hello = vec![0x42, 0x42, 3];
    hello.extend([0; 35]);
    log.add(&link::ethernet(&[], 38, &hello));
    // A tag with nothing behind it, and half a header.
    log.add(&link::ethernet(&[(0x8100, 5)], 0x0800, &[]));
    log.add(&link::ethernet(&[], 0x0800, &[])[..10]);
    log.finish()
}

/// Times in nanoseconds, magic 0xa1b23c4d.
fn nanoseconds() -> Vec<u8> {
    let mut clock = Clock::new();
    let mut pcap = Pcap::new(Order::Big, Unit::Nano, link_type::PFLOG);
    for Specimen { bytes, .. } in zoo::common() {
        pcap.record(clock.next(), &openbsd(&blocked(&bytes), &bytes));
    }
    pcap.finish()
}

/// Ethernet frames that end with their check sum; the link-type word says so.
fn fcs() -> Vec<u8> {
    let mut log = Log::new(Order::Little, ETHERNET_FCS);
    for Specimen { bytes, .. } in zoo::common() {
        let mut frame = link::ethernet(&[], link::ether_type(&bytes), &bytes);
        frame.extend(link::fcs(&frame));
        log.add(&frame);
    }
    log.finish()
}

/// pflog0, pflog1 and one without a name in the first section, pflog2 in the second, each with
/// its own idea of time, and blocks that readers do not know.
fn interfaces() -> Vec<u8> {
    let mut clock = Clock::new();
    let mut records =
        zoo::common().into_iter().map(|Specimen { bytes, .. }| openbsd(&blocked(&bytes), &bytes));
    let mut record = || records.next().unwrap_or_default();
    let mut nanos = || {
        let time = clock.next();
        u64::from(time.sec) * 1_000_000_000 + u64::from(time.nsec)
    };
    let pflog = Interface {
        link: link_type::PFLOG as u16,
        name: Some("pflog0"),
        tsresol: None,
        tsoffset: None,
    };
    let mut file = Pcapng::new(Order::Little);
    file.interface(&pflog);
    file.interface(&Interface { name: Some("pflog1"), tsresol: Some(9), ..pflog.clone() });
    // Units of 2^-20 seconds.
    file.interface(&Interface { name: None, tsresol: Some(0x94), ..pflog.clone() });
    // A name resolution block, an interface statistics block, one nobody has defined.
    file.block(4, &[0; 4]);
    let first = record();
    file.packet(0, nanos() / 1000, &first, first.len());
    let second = record();
    file.packet(1, nanos(), &second, second.len());
    file.block(5, &[0; 12]);
    let third = record();
    let binary = (u128::from(nanos()) << 20) / 1_000_000_000;
    file.packet(2, binary as u64, &third[..116], third.len());
    file.block(0x0bad_0bad, b"unknown!");
    file.simple(&record());
    file.section(Order::Little);
    // Times count from 2026-01-01T00:00:00Z.
    let year = 1_767_225_600;
    file.interface(&Interface { name: Some("pflog2"), tsoffset: Some(year), ..pflog });
    for _ in 0..3 {
        let data = record();
        file.packet(0, nanos() / 1000 - year * 1_000_000, &data, data.len());
    }
    file.finish()
}

/// An empty section, then sections of both byte orders with interfaces of different link types
/// and a packet of an interface that was never described; libpcap reads none of this.
fn mixed_links() -> Vec<u8> {
    let mut clock = Clock::new();
    let mut micros = || {
        let time = clock.next();
        u64::from(time.sec) * 1_000_000 + u64::from(time.nsec) / 1000
    };
    let mut file = Pcapng::new(Order::Little);
    for order in [Order::Big, Order::Little] {
        file.section(order);
        for (link, name) in [(1, "em0"), (117, "pflog0"), (101, "tun0")] {
            file.interface(&Interface { link, name: Some(name), tsresol: None, tsoffset: None });
        }
        for Specimen { bytes, .. } in &zoo::common()[..4] {
            let frames = [
                link::ethernet(&[], link::ether_type(bytes), bytes),
                openbsd(&blocked(bytes), bytes),
                bytes.clone(),
            ];
            for (interface, frame) in (0..).zip(&frames) {
                file.packet(interface, micros(), frame, frame.len());
            }
        }
        file.packet(3, micros(), b"whose?", 6);
    }
    file.finish()
}
