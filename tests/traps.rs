//! The traps of pf's headers, one test each, by the numbers the formats' atlas gives them. Where
//! a known reader falls into one, it is named.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test may panic anywhere"
)]

mod common;
#[path = "../testdata/encode/mod.rs"]
mod encode;

use std::net::IpAddr;

use common::{alone, cut, each_event, event, frame, testdata};
use encode::Order;
use encode::packet::ip::Ip;
use encode::packet::transport::{Tcp, udp_packet};
use encode::pflog::{Header, NO_RULE, Variant, name};
use pfscope::error::{Fault, Layer};
use pfscope::event::{Event, Kind};
use pfscope::pf::{Action, Direction, Family, Reason, Systems};
use pfscope::wire::ByteOrder;
use pfscope::wire::pflog::Pflog;
use pfscope::wire::writer::{OLD_UNKNOWN, Writer};

fn udp() -> Vec<u8> {
    udp_packet(&Ip::v4(), 40000, 7777, b"pfscope")
}

fn tcp6() -> Vec<u8> {
    Tcp::default().packet(&Ip::v6(), b"")
}

/// A record of a little-endian machine.
fn record(header: &Header, variant: Variant, packet: &[u8]) -> Vec<u8> {
    [&header.encode(variant, Order::Little), packet].concat()
}

/// What is behind the header, found or not.
fn packet<'a>(event: &Event<'a>) -> Option<&'a [u8]> {
    event.packet.map(|packet| packet.bytes)
}

/// The header's own addresses, by the family it says they are of.
fn addresses(h: &Pflog<'_>) -> [IpAddr; 2] {
    let other = h.other.unwrap();
    [other.saddr, other.daddr].map(|bytes| match h.other_family().unwrap() {
        Family::Inet => IpAddr::from(<[u8; 4]>::try_from(&bytes[..4]).unwrap()),
        Family::Inet6 => IpAddr::from(bytes),
    })
}

/// Rule numbers, tracker and ports are in network order, users in that of the machine.
#[test]
fn trap_1_two_byte_orders_in_one_header() {
    let header = Header {
        rulenr: 0x0102,
        subrulenr: 0x0304,
        uid: 1000,
        pid: 4321,
        rule_uid: 501,
        rule_pid: 4242,
        sport: 53,
        dport: 5353,
        ..Header::of(&udp(), 24)
    };
    for (host, file) in [(Order::Little, ByteOrder::Little), (Order::Big, ByteOrder::Big)] {
        let bytes = [header.encode(Variant::P4, host), udp()].concat();
        let h = alone(frame(117, &bytes), file).pflog.unwrap();
        let (owner, other) = (h.owner.unwrap(), h.other.unwrap());
        assert_eq!((h.rulenr, h.subrulenr), (Some(0x0102), Some(0x0304)));
        assert_eq!((owner.uid, owner.pid), (Some(1000), Some(4321)));
        assert_eq!((owner.rule_uid, owner.rule_pid), (501, 4242));
        assert_eq!((other.sport, other.dport), (53, 5353));
    }
}

/// FreeBSD's tcpdump made 104 of 100 on 64-bit machines.
#[test]
fn trap_2_the_length_is_rounded_to_four() {
    for (variant, length, skip) in [
        (Variant::P1, 45, 48),
        (Variant::P1o, 49, 52),
        (Variant::P2, 61, 64),
        (Variant::P5, 69, 72),
        (Variant::P4, 100, 100),
    ] {
        let bytes = record(&Header::of(&udp(), 24), variant, &udp());
        let event = event(117, &bytes);
        let h = event.pflog.unwrap();
        assert_eq!((h.hdrlen, h.skip), (length, skip));
        assert_eq!(packet(&event), Some(&udp()[..]));
    }
}

/// OpenBSD's tcpdump rounds in a byte and gets 0: a header that never ends.
#[test]
fn trap_3_lengths_that_wrap_to_0() {
    for length in [253, 254, 255] {
        let bytes = record(&Header::of(&udp(), 24), Variant::Future(length), &udp());
        let whole = event(117, &bytes);
        assert_eq!(whole.pflog.unwrap().skip, 256);
        assert_eq!(packet(&whole), Some(&udp()[..]));
        let short = event(117, &bytes[..255]);
        assert_eq!(short.error.unwrap().fault, Fault::Truncated { needed: 256 });
    }
}

#[test]
fn trap_4_lengths_that_are_too_short() {
    for length in 0..45 {
        let mut bytes = record(&Header::of(&udp(), 24), Variant::P4, &udp());
        bytes[0] = length;
        let event = event(117, &bytes);
        let error = event.error.unwrap();
        assert_eq!((event.kind, event.pflog), (Kind::Undecoded, None));
        assert_eq!((error.layer, error.fault), (Layer::Pflog, Fault::BadLength(length.into())));
    }
}

/// A header of the future: what is known of it is read, the rest stepped over.
#[test]
fn trap_5_a_header_longer_than_any() {
    let header = Header { rulenr: 7, dir: 2, ..Header::of(&udp(), 24) };
    for length in 101..=252 {
        let bytes = record(&header, Variant::Future(length), &udp());
        let event = event(117, &bytes);
        let h = event.pflog.unwrap();
        assert_eq!((h.rulenr, h.dir), (Some(7), Some(Direction::OUT)));
        assert_eq!(h.other.unwrap().sport, 40000);
        assert_eq!(packet(&event), Some(&udp()[..]));
        assert_eq!(h.systems.name(), "bsd", "nobody knows whose it will be");
    }
}

/// pfSense pads by `sizeof(long)`: 72 or 76 bytes, and the length byte says 68 for both.
#[test]
fn trap_6_the_length_68() {
    for (variant, skip) in [(Variant::P5x64, 76), (Variant::P5x32, 72)] {
        for body in [udp(), tcp6()] {
            let header = Header { ridentifier: 0x4500_0000, ..Header::of(&body, 28) };
            let bytes = record(&header, variant, &body);
            let whole = event(117, &bytes);
            assert_eq!(whole.pflog.unwrap().skip, skip);
            assert_eq!(whole.pflog.unwrap().ridentifier, Some(0x4500_0000));
            assert_eq!(packet(&whole), Some(&body[..]));
            // Cut anywhere behind its first byte, the packet is found in the same place.
            for n in skip + 1..bytes.len() {
                let event = alone(cut(117, &bytes[..n], bytes.len()), ByteOrder::Little);
                assert_eq!(packet(&event), Some(&body[..n - skip]), "{n} bytes");
            }
            // Cut before, it is missing, not broken.
            for n in 68..=skip {
                let event = alone(cut(117, &bytes[..n], bytes.len()), ByteOrder::Little);
                let fault = event.error.unwrap().fault;
                assert_eq!((event.kind, fault), (Kind::Pflog, Fault::Truncated { needed: 20 }));
            }
        }
    }
}

#[test]
fn trap_7_a_header_longer_than_the_record() {
    let header = Header { rulenr: 7, uid: 1000, dir: 2, ..Header::of(&udp(), 24) };
    let bytes = record(&header, Variant::P4, &udp());
    for n in 0..100 {
        let event = alone(cut(117, &bytes[..n], bytes.len()), ByteOrder::Little);
        assert_eq!((event.kind, event.packet), (Kind::Undecoded, None));
        let h = event.pflog;
        assert_eq!(h.and_then(|h| h.rulenr), (n >= 44).then_some(7));
        let uid = h.and_then(|h| h.owner).and_then(|owner| owner.uid);
        assert_eq!(uid, (n >= 60).then_some(1000));
        assert_eq!(h.and_then(|h| h.dir), (n >= 61).then_some(Direction::OUT));
    }
}

/// The direction is at 44 or 48 there; 60 is in the packet.
#[test]
fn trap_8_short_headers_have_the_direction_elsewhere() {
    for variant in [Variant::P1, Variant::P1o] {
        for (dir, direction) in [(1, Direction::IN), (2, Direction::OUT)] {
            let header = Header { dir, ..Header::of(&udp(), 24) };
            let bytes = record(&header, variant, &udp());
            assert!(bytes[60] != dir);
            let h = event(117, &bytes).pflog.unwrap();
            assert_eq!((h.dir, h.owner), (Some(direction), None));
        }
    }
}

#[test]
fn trap_9_many_numbers_of_ipv6() {
    for af in [10, 24, 28, 30] {
        let bytes = record(&Header::of(&tcp6(), af), Variant::P2, &tcp6());
        let event = event(117, &bytes);
        assert_eq!(Family::from_af(event.pflog.unwrap().af), Some(Family::Inet6));
        assert_eq!(event.packet.unwrap().ip.family, Family::Inet6);
    }
    // A number that no system has: the version is in the packet.
    let header = Header { af: 77, ..Header::of(&tcp6(), 24) };
    let bytes = record(&header, Variant::P2, &tcp6());
    let event = event(117, &bytes);
    assert_eq!(event.pflog.unwrap().af, 77);
    assert_eq!(event.packet.unwrap().ip.family, Family::Inet6);
}

/// OpenBSD until 6.8 logged what af-to made of the packet, with the family from before.
#[test]
fn trap_10_the_family_is_not_the_packets() {
    for (af, body, family) in [(2, tcp6(), Family::Inet6), (24, udp(), Family::Inet)] {
        let bytes = record(&Header { af, ..Header::of(&body, 24) }, Variant::P4, &body);
        for n in 101..=bytes.len() {
            let event = alone(cut(117, &bytes[..n], bytes.len()), ByteOrder::Little);
            assert_eq!(event.pflog.unwrap().af, u32::from(af));
            assert_eq!(event.packet.unwrap().ip.family, family);
            assert_eq!(event.packet.unwrap().bytes, &body[..n - 100]);
        }
    }
}

#[test]
fn trap_11_actions_of_openbsd_3_3_and_3_4() {
    let header = Header { action: 3, ..Header::of(&tcp6(), 24) };
    let action = |variant: Variant| {
        let bytes = record(&header, variant, &tcp6());
        let h = event(variant.link_type(), &bytes).pflog.unwrap();
        let mut names = Vec::new();
        h.action.candidates(h.systems, |name| names.push(name));
        (h.action.name(h.systems), names)
    };
    assert_eq!(action(Variant::P0), (Some("nat"), vec!["nat"]));
    // OpenBSD 3.4 or 3.5: it cannot be told.
    assert_eq!(action(Variant::P1), (None, vec!["nat", "noscrub"]));
    assert_eq!(action(Variant::P2), (Some("noscrub"), vec!["noscrub"]));
}

/// 0 is in and 1 out, or 1 in and 2 out: the other records tell.
#[test]
fn trap_12_directions_of_the_oldest_header() {
    let of = |dir| record(&Header { dir, ..Header::of(&udp(), 24) }, Variant::P0, &udp());
    let read = |seen: &[u8], dir: u8| {
        let mut writer = Writer::new(ByteOrder::Big);
        for &dir in seen {
            writer.observe_old(&of(dir));
        }
        let bytes = of(dir);
        let event = pfscope::decode::decode(frame(17, &bytes), ByteOrder::Big, writer);
        event.pflog.unwrap().dir.unwrap()
    };
    assert_eq!((read(&[1, 0], 0), read(&[1, 0], 1)), (Direction::IN, Direction::OUT));
    assert_eq!((read(&[1, 2], 1), read(&[1, 2], 2)), (Direction::IN, Direction::OUT));
    // The first to tell is believed, not the last.
    assert_eq!((read(&[0, 2], 1), read(&[2, 0], 1)), (Direction::OUT, Direction::IN));
    assert_eq!((read(&[], 1), read(&[1, 1], 1)), (OLD_UNKNOWN, OLD_UNKNOWN));
    assert_eq!(OLD_UNKNOWN.name(), None);
}

#[test]
fn trap_13_codes_that_every_system_has_for_itself() {
    type Case =
        (Variant, u8, u32, Option<&'static str>, Option<&'static str>, Option<&'static str>);
    const CASES: [Case; 5] = [
        (Variant::P4, 24, u32::MAX, Some("translate"), Some("no-route"), Some("divert")),
        (Variant::P5, 28, u32::MAX, Some("map-failed"), Some("translate"), Some("afrt")),
        (Variant::P2, 24, 0x7fff_ffff, Some("state-locked"), None, None),
        (Variant::P2, 30, 0x7fff_ffff, Some("dummynet"), Some("invalid-port"), Some("nat64")),
        // 61 bytes and no word that tells: the number, and all that it may be.
        (Variant::P2, 2, 0, None, None, None),
    ];
    for (variant, af, uid, reason_15, reason_16, action_13) in CASES {
        let body = if af == 2 { udp() } else { tcp6() };
        let pid = if af == 24 && variant == Variant::P2 { 30_001 } else { 7 };
        let header = |action, reason| Header { action, reason, uid, pid, ..Header::of(&body, af) };
        for (reason, expected) in [(15, reason_15), (16, reason_16)] {
            let bytes = record(&header(1, reason), variant, &body);
            let h = event(117, &bytes).pflog.unwrap();
            assert_eq!(h.reason.name(h.systems), expected, "{variant:?} {af} {reason}");
        }
        let bytes = record(&header(13, 0), variant, &body);
        let h = event(117, &bytes).pflog.unwrap();
        assert_eq!(h.action.name(h.systems), action_13, "{variant:?} {af}");
    }
    let mut names = Vec::new();
    Reason(15).candidates(Systems::ANY, |name| names.push(name));
    assert_eq!(names, ["translate", "map-failed", "state-locked", "dummynet"]);
}

/// (rule, before the translation, after it), source and destination each.
const TRANSLATIONS: [(u32, [&str; 2], [&str; 2]); 5] = [
    (4, ["10.1.2.3", "198.51.100.20"], ["203.0.113.9", "198.51.100.20"]),
    (5, ["192.0.2.10", "203.0.113.1"], ["192.0.2.10", "10.9.9.9"]),
    (6, ["2001:db8::10", "64:ff9b::c633:6407"], ["198.51.100.1", "198.51.100.7"]),
    (7, ["192.0.2.10", "203.0.113.7"], ["2001:db8::1", "2001:db8:0:7::7"]),
    (8, ["fd00::10", "2001:db8::8"], ["2001:db8:f::1", "2001:db8::8"]),
];

/// Until OpenBSD 6.8 the packet is the translated one and the header has the original addresses,
/// since 6.9 the reverse. Nothing in the file tells; so neither is put in the other's place.
#[test]
fn trap_14_rewritten_has_two_meanings() {
    for (log, new) in [("rewritten-old", false), ("rewritten-new", true)] {
        let mut records = 0;
        each_event(&testdata(&format!("pflog/{log}.pcap")), |event| {
            let (h, packet) = (event.pflog.unwrap(), event.packet.unwrap());
            let own = [packet.ip.src.unwrap(), packet.ip.dst.unwrap()];
            let &(_, before, after) =
                TRANSLATIONS.iter().find(|(rule, ..)| Some(*rule) == h.rulenr).unwrap();
            let [before, after] = [before, after].map(|pair| pair.map(|ip| ip.parse().unwrap()));
            let (packet, header) = match (h.other.unwrap().rewritten, new, event.frame.number) {
                (false, ..) => (before, before),
                // The state was there before: OpenBSD 8.0 gives the other side of it.
                (true, true, 11) => (after, before),
                (true, true, _) => (before, after),
                (true, false, _) => (after, before),
            };
            assert_eq!((own, addresses(&h)), (packet, header), "{log} {}", event.frame.number);
            records += 1;
        });
        assert_eq!(records, if new { 11 } else { 10 });
    }
}

/// `naf` says what the header's addresses are; OpenBSD 4.9 and 5.0 had none.
#[test]
fn trap_15_the_family_of_the_headers_addresses() {
    let (v4, v6) = (Header::of(&udp(), 24), Header::of(&tcp6(), 24));
    let [src, dst] = ["192.0.2.10", "198.51.100.20"].map(|ip| ip.parse::<IpAddr>().unwrap());
    for (header, variant, naf) in [
        (v4, Variant::P4, Some(2)),
        (v4, Variant::P3, None),
        (Header { naf: 0, ..v4 }, Variant::P4, None),
        (Header { naf: 99, ..v4 }, Variant::P4, Some(99)),
    ] {
        let bytes = record(&header, variant, &udp());
        let h = event(117, &bytes).pflog.unwrap();
        assert_eq!(h.naf, naf);
        if naf == Some(99) {
            assert_eq!(h.other_family(), None, "not guessed");
        } else {
            assert_eq!(addresses(&h), [src, dst]);
        }
    }
    let bytes = record(&v6, Variant::P3, &tcp6());
    let h = event(117, &bytes).pflog.unwrap();
    assert_eq!(h.other_family(), Some(Family::Inet6));
    // af-to: the packet is IPv6, what it becomes IPv4.
    let header = Header { af: 24, naf: 2, rewritten: 1, ..v4 };
    let bytes = record(&header, Variant::P4, &tcp6());
    assert_eq!(addresses(&event(117, &bytes).pflog.unwrap()), [src, dst]);
    // The same before 6.9: the packet is IPv6 already, what it was IPv4.
    let header = Header { af: 2, naf: 24, rewritten: 1, ..v4 };
    let bytes = record(&header, Variant::P4, &tcp6());
    assert_eq!(addresses(&event(117, &bytes).pflog.unwrap()), [src, dst]);
}

#[test]
fn trap_16_names_without_nul() {
    let full = *b"sixteen-bytes-xx";
    let header = Header { ifname: full, ruleset: full, ..Header::of(&udp(), 24) };
    for variant in [Variant::P0, Variant::P1, Variant::P2, Variant::P4, Variant::P5] {
        let bytes = record(&header, variant, &udp());
        let h = event(variant.link_type(), &bytes).pflog.unwrap();
        assert_eq!(h.ifname, full);
        assert_eq!(h.ruleset, if variant == Variant::P0 { &b""[..] } else { &full });
    }
    // Bytes that are no text are left as they are: to escape them is the printers' trade.
    let mut hostile = 0;
    each_event(&testdata("pflog/hostile-names.pcap"), |event| {
        let h = event.pflog.unwrap();
        assert!(!h.ifname.contains(&0) && !h.ruleset.contains(&0));
        hostile += usize::from([h.ifname, h.ruleset].concat().iter().any(u8::is_ascii_control));
    });
    assert!(hostile >= 8);
}

#[test]
fn trap_17_the_default_rule() {
    let header = Header { rulenr: NO_RULE, subrulenr: NO_RULE, ..Header::of(&udp(), 24) };
    for variant in [Variant::P0, Variant::P1, Variant::P2, Variant::P4, Variant::P5] {
        let bytes = record(&header, variant, &udp());
        let h = event(variant.link_type(), &bytes).pflog.unwrap();
        assert_eq!((h.rulenr, h.subrulenr), (None, None), "{variant:?}");
    }
}

/// An IPv4 address stands in the first four of sixteen bytes, whatever the others hold.
#[test]
fn trap_18_four_bytes_of_sixteen() {
    let mut header = Header::of(&udp(), 24);
    header.saddr[4..].fill(0xff);
    let bytes = record(&header, Variant::P4, &udp());
    let h = event(117, &bytes).pflog.unwrap();
    assert_eq!(addresses(&h)[0].to_string(), "192.0.2.10");
    assert_eq!(h.other.unwrap().saddr, header.saddr);
}

/// Two more that write link type 117: see the logs of ipfw and NPF in tests/pflog.rs.
#[test]
fn trap_19_writers_that_are_not_pf() {
    for ifname in ["NAT64LSN", "NAT64STL", "NAT64CLAT"] {
        let header = Header { ifname: name(ifname), action: 4, ..Header::of(&udp(), 28) };
        let bytes = record(&header, Variant::P5, &udp());
        assert_eq!(event(117, &bytes).pflog.unwrap().systems, Systems::IPFW);
        // With an anchor, or another verdict, it is pf on an interface of that name.
        for header in [Header { ruleset: name("a"), ..header }, Header { action: 1, ..header }] {
            let bytes = record(&header, Variant::P5, &udp());
            assert_eq!(event(117, &bytes).pflog.unwrap().systems, Systems::FREEBSD);
        }
    }
}

/// pflogd's default of 160 bytes leaves 60 of the packet, its older one of 116 leaves 52.
#[test]
fn trap_34_short_snapshots() {
    for (snaplen, left) in [(116, 52), (160, 60)] {
        let count = each_event(&testdata(&format!("pflog/truncated-{snaplen}.pcap")), |event| {
            if event.packet.is_none() {
                // The zoo's one packet without a possible header length.
                assert_eq!(event.error.unwrap().fault, Fault::BadLength(16));
                return;
            }
            let packet = event.packet.unwrap();
            assert_eq!(event.kind, Kind::Pflog);
            assert_eq!(event.frame.is_truncated(), event.frame.len > snaplen);
            assert_eq!(packet.bytes.len(), left.min(packet.len));
            assert!(packet.ip.src.is_some() && packet.ip.dst.is_some());
        });
        assert!(count > 150);
    }
}

#[test]
fn trap_35_a_record_cut_behind_the_header() {
    let bytes = record(&Header::of(&udp(), 24), Variant::P4, &udp());
    for n in 100..=bytes.len() {
        let event = alone(cut(117, &bytes[..n], bytes.len()), ByteOrder::Little);
        assert_eq!(event.frame.is_truncated(), n < bytes.len());
        assert_eq!(event.kind, Kind::Pflog);
        assert_eq!(event.pflog.unwrap().other.unwrap().dport, 7777);
        assert_eq!(event.packet.is_some(), n > 100);
        assert!(event.packet.is_none_or(|packet| packet.is_truncated() == (n < bytes.len())));
    }
}

/// gopacket reads byte 60 of 60 and insists on length % 4 == 1, tcpdump 5 refuses 45, Snort 69,
/// nfdump all but 100, and scapy believes that all are 100.
#[test]
fn trap_38_what_others_get_wrong() {
    for variant in [
        Variant::P1,
        Variant::P1o,
        Variant::P2,
        Variant::P3,
        Variant::P4,
        Variant::P5,
        Variant::P5x32,
        Variant::P5x64,
        Variant::P6,
    ] {
        let header = Header { uid: 1000, ..Header::of(&udp(), 24) };
        let bytes = record(&header, variant, &udp());
        let event = event(117, &bytes);
        assert_eq!((event.kind, packet(&event)), (Kind::Pflog, Some(&udp()[..])), "{variant:?}");
        let uid = event.pflog.unwrap().owner.map(|owner| owner.uid);
        assert!(uid.is_none_or(|uid| uid == Some(1000)), "{variant:?}");
    }
    let bytes = record(&Header::of(&udp(), 24), Variant::P2, &udp());
    let event = event(117, &bytes[..60]);
    assert_eq!(event.error.unwrap().fault, Fault::Truncated { needed: 64 });
    assert!(event.pflog.unwrap().owner.is_some());
}

/// Byte 62 of FreeBSD's header was padding before it became naf, which is still never set.
#[test]
fn trap_39_padding_that_became_naf() {
    for (variant, naf, expected) in
        [(Variant::P5, 28, None), (Variant::P6, 0, None), (Variant::P6, 28, Some(28))]
    {
        let header = Header { naf, ..Header::of(&udp(), 28) };
        let bytes = record(&header, variant, &udp());
        assert_eq!(event(117, &bytes).pflog.unwrap().naf, expected);
    }
}

/// One old list of numbers has 118 for a link type like pflog's.
#[test]
fn trap_40_only_117_and_17_are_pflog() {
    let bytes = record(&Header::of(&udp(), 24), Variant::P4, &udp());
    for link in (0..300).filter(|link| ![17, 117].contains(link)) {
        let event = event(link, &bytes);
        assert_eq!(event.pflog, None);
        if link == 118 {
            assert_eq!(event.error.unwrap().fault, Fault::UnknownLinkType(118));
        }
    }
}

/// The oldest nat64stl.c cleared a pointer's worth of the header: the rest is of the stack.
#[test]
fn trap_41_garbage_of_the_stack() {
    let header = Header {
        ifname: name("NAT64STL"),
        ruleset: name(b"\0\xff\xfe%s\x1b[2J"),
        action: 4,
        uid: 0xdead_beef,
        pid: -559_038_737,
        rule_pid: 0,
        ..Header::of(&udp(), 28)
    };
    let bytes = record(&header, Variant::P2, &udp());
    let h = event(117, &bytes).pflog.unwrap();
    assert_eq!((h.ruleset, h.systems), (&b""[..], Systems::IPFW));
    assert_eq!(h.owner.map(|owner| (owner.uid, owner.pid)), Some((None, None)));
}

/// Not in the atlas' list, but in its last chapter: kernels up to OpenBSD 7.4, FreeBSD 14 and xnu
/// log the rule's action, so a "pass" for any reason but a match was most likely a drop.
#[test]
fn a_pass_that_was_a_drop() {
    let mut suspects = 0;
    let count = each_event(&testdata("pflog/suspect.pcap"), |event| {
        let h = event.pflog.unwrap();
        assert_eq!(h.is_suspect(), h.action == Action::PASS && h.reason != Reason::MATCH);
        suspects += usize::from(h.is_suspect());
    });
    // 17 reasons of either family; match rules, and a pass that matched, are none.
    assert_eq!((count, suspects), (2 * 18 + 3, 2 * 17));
}
