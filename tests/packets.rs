//! One packet of every kind: each is read as it was built, and cut anywhere it says less, never
//! something else.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test may panic anywhere"
)]

#[path = "../testdata/encode/mod.rs"]
mod encode;

use std::fmt::Debug;
use std::net::IpAddr;

use encode::zoo::{self, Specimen};
use pfscope::error::Fault;
use pfscope::packet::{Carries, Packet, Transport, proto};
use pfscope::pf::Family;
use pfscope::wire::ipsec::Encapsulated;
use proptest::prelude::*;

/// What the name of a specimen says that it is.
#[derive(Debug, Default, PartialEq)]
struct Kind {
    proto: u8,
    ports: Option<(u16, u16)>,
    /// Type and code.
    icmp: Option<(u8, u8)>,
    /// SPI and sequence number, of ESP and of AH.
    esp: Option<(u32, u32)>,
    ah: Option<(u32, u32)>,
    /// IKE's version and exchange.
    ike: Option<(u8, u8)>,
    /// Offset in bytes, and whether more follow.
    fragment: Option<(u32, bool)>,
}

fn udp(dport: u16) -> Kind {
    Kind { proto: proto::UDP, ports: Some((40000, dport)), ..Kind::default() }
}

fn tcp(sport: u16, dport: u16) -> Kind {
    Kind { proto: proto::TCP, ports: Some((sport, dport)), ..Kind::default() }
}

fn esp(spi: u32, seq: u32) -> Kind {
    Kind { proto: proto::ESP, esp: Some((spi, seq)), ..Kind::default() }
}

fn plain(proto: u8) -> Kind {
    Kind { proto, ..Kind::default() }
}

/// What a specimen's name promises. `None` for the one that no IP header can be.
fn promised(name: &str, version: u8) -> Option<Kind> {
    let (kind, of) = name.split_once(' ').unwrap_or((name, ""));
    Some(match kind {
        "ip" if version == 4 => return promised_ip4(of),
        "ip" => promised_ip6(of),
        "tcp" if of.starts_with("flags") => tcp(40100, 22),
        "tcp" if of.starts_with("option") => tcp(40200, 22),
        "tcp" => tcp(40300, 7777),
        "udp" if of == "dns" => udp(53),
        "udp" if of == "port 0" => Kind { ports: Some((0, 0)), ..udp(0) },
        "udp" => udp(7777),
        "sctp" => Kind { proto: proto::SCTP, ..udp(7777) },
        "esp" if of == "in udp" => {
            Kind { ports: Some((4500, 4500)), proto: 17, ..esp(0xc0ff_ee01, 7) }
        }
        "esp" => esp(0xc0ff_ee01, 7),
        "nat" => Kind { ports: Some((4500, 4500)), ..udp(0) },
        "ah" if of == "esp" => Kind { ah: Some((0xa12, 10)), ..esp(0xc0ff_ee02, 8) },
        "ah" => Kind { ah: Some((0xa11, 9)), ..udp(7777) },
        "ike" => {
            let port = if of.ends_with("port 4500") { 4500 } else { 500 };
            let exchange = match of.trim_end_matches(" port 4500") {
                "v1 main mode" => (0x10, 2),
                "v1 informational" => (0x10, 5),
                "v2 sa init" => (0x20, 34),
                "v2 auth" => (0x20, 35),
                _ => (0x20, 37),
            };
            Kind { ike: Some(exchange), ports: Some((port, port)), ..udp(0) }
        }
        "icmp" => Kind { icmp: Some(icmp4(of)), ..plain(proto::ICMP) },
        "icmp6" => Kind { icmp: Some(icmp6(of)), ..plain(proto::ICMP6) },
        "igmp" => plain(proto::IGMP),
        "gre" => plain(proto::GRE),
        "ipv6" => plain(proto::IPV6),
        "carp" | "vrrp" => plain(proto::CARP),
        "pfsync" => plain(proto::PFSYNC),
        _ => panic!("{name}: what is it?"),
    })
}

fn promised_ip4(of: &str) -> Option<Kind> {
    let part = |offset, more| Kind { fragment: Some((offset, more)), ports: None, ..udp(0) };
    Some(match of {
        "header length 16" => return None,
        "fragment first" => Kind { ports: udp(7777).ports, ..part(0, true) },
        "fragment middle" => part(24, true),
        "fragment last" => part(48, false),
        "fragment tiny" => Kind { fragment: Some((0, true)), ..tcp(40000, 22) },
        "protocol 253" => plain(253),
        "to broadcast" => Kind { ports: Some((68, 9)), ..udp(9) },
        "empty" => plain(proto::UDP),
        "in ip" | "in ip in ip" => plain(proto::IPIP),
        _ => udp(7777),
    })
}

fn promised_ip6(of: &str) -> Kind {
    let part = |offset, more| Kind { fragment: Some((offset, more)), ports: None, ..udp(0) };
    match of {
        "destination" | "routing 4" | "hop by hop, destination, routing" => tcp(40000, 22),
        "routing 0 arrived" | "no next header" | "no next header with data" => plain(proto::NONE),
        "ah, destination" => Kind { ah: Some((0xa13, 3)), ..udp(7777) },
        "hop by hop, ah, esp" => Kind { ah: Some((0xa14, 4)), ..esp(0xc0ff_ee03, 5) },
        "destination, esp" => esp(0xc0ff_ee04, 6),
        // An "atomic" fragment: it has the header and is whole.
        "fragment whole" => udp(7777),
        "hop by hop, fragment" => Kind { fragment: Some((0, true)), ..tcp(40000, 22) },
        "fragment first" => Kind { ports: udp(7777).ports, ..part(0, true) },
        "fragment middle" => part(24, true),
        "fragment last" => part(48, false),
        "protocol 253" => plain(253),
        // Nothing is left behind the IP header, or behind the chain that claims more than it has.
        "empty" | "hop by hop past the end" => plain(proto::UDP),
        "in ip" => plain(proto::IPIP),
        _ => udp(7777),
    }
}

/// The number in a name: the code of "unreachable 3 tcp".
fn code(of: &str) -> u8 {
    of.split([' ', ',']).find_map(|word| word.parse().ok()).unwrap_or(0)
}

fn icmp4(of: &str) -> (u8, u8) {
    for (name, kind) in [
        ("echo request", 8),
        ("echo reply", 0),
        ("check sum bad", 8),
        ("timestamp request", 13),
        ("timestamp reply", 14),
        ("source quench", 4),
        ("router solicitation", 10),
        ("router advertisement", 9),
        ("mask request", 17),
        ("mask reply", 18),
    ] {
        if of == name {
            return (kind, 0);
        }
    }
    match of {
        _ if of.starts_with("need fragment") => (3, 4),
        _ if of.starts_with("unreachable") => (3, code(of)),
        _ if of.starts_with("redirect") => (5, code(of)),
        _ if of.starts_with("time exceeded") => (11, code(of)),
        _ if of.starts_with("parameter problem") => (12, code(of)),
        "type 200" => (200, 7),
        _ => panic!("icmp {of}: what is it?"),
    }
}

fn icmp6(of: &str) -> (u8, u8) {
    for (name, kind) in [
        ("echo request", 128),
        ("check sum bad", 128),
        ("echo reply", 129),
        ("mld query", 130),
        ("mld v2 query", 130),
        ("mld v2 source query", 130),
        ("mld report", 131),
        ("mld done", 132),
        ("mld v2 report", 143),
        ("router solicitation", 133),
        ("option of length 0", 135),
        ("redirect", 137),
    ] {
        if of == name {
            return (kind, 0);
        }
    }
    match of {
        _ if of.starts_with("unreachable") => (1, code(of)),
        _ if of.starts_with("too big") => (2, 0),
        _ if of.starts_with("time exceeded") => (3, code(of)),
        _ if of.starts_with("parameter problem") => (4, code(of)),
        _ if of.starts_with("router advertisement") => (134, 0),
        _ if of.starts_with("solicitation") => (135, 0),
        _ if of.starts_with("advertisement") => (136, 0),
        "type 200" => (200, 7),
        _ => panic!("icmp6 {of}: what is it?"),
    }
}

/// What the decoder says it is.
fn found(packet: &Packet<'_>) -> Kind {
    let pair = |sa: pfscope::wire::ipsec::Sa| (sa.spi, sa.seq.unwrap());
    Kind {
        proto: packet.ip.proto.unwrap(),
        ports: packet.ports().map(|ports| (ports.src, ports.dst)),
        icmp: match packet.transport {
            Transport::Icmp(icmp) | Transport::Icmp6(icmp) => Some((icmp.kind, icmp.code.unwrap())),
            _ => None,
        },
        esp: packet.esp().map(pair),
        ah: packet.ah.map(pair),
        ike: packet.ike().map(|ike| (ike.version, ike.exchange)),
        fragment: {
            let fragment = packet.ip.frag.filter(|frag| frag.is_fragment());
            fragment.map(|frag| (frag.offset, frag.more))
        },
    }
}

fn zoos() -> impl Iterator<Item = (u8, Specimen)> {
    let four = zoo::ipv4().into_iter().map(|one| (4, one));
    four.chain(zoo::ipv6().into_iter().map(|one| (6, one)))
}

#[test]
fn every_specimen_is_what_its_name_says() {
    for (version, Specimen { name, bytes }) in zoos() {
        let Some(expected) = promised(&name, version) else {
            let fault = Packet::parse(&bytes, bytes.len()).unwrap_err().fault;
            assert_eq!(fault, Fault::BadLength(16), "{name}");
            continue;
        };
        let packet = Packet::parse(&bytes, bytes.len()).unwrap();
        assert_eq!(found(&packet), expected, "{name}");

        let address = |at: usize| match version {
            4 => IpAddr::from(<[u8; 4]>::try_from(&bytes[at..at + 4]).unwrap()),
            _ => IpAddr::from(<[u8; 16]>::try_from(&bytes[at..at + 16]).unwrap()),
        };
        let (family, src, dst, ttl) = match version {
            4 => (Family::Inet, address(12), address(16), bytes[8]),
            _ => (Family::Inet6, address(8), address(24), bytes[7]),
        };
        assert_eq!(packet.ip.family, family, "{name}");
        assert_eq!((packet.ip.src, packet.ip.dst), (Some(src), Some(dst)), "{name}");
        assert_eq!(packet.ip.ttl, Some(ttl), "{name}");
        assert!(bytes.ends_with(packet.payload) || name.contains("padded"), "{name}");
    }
}

#[test]
fn tcp_has_its_flags_and_options() {
    let mut seen = 0;
    for (_, Specimen { name, bytes }) in zoos().filter(|(_, one)| one.name.starts_with("tcp")) {
        let Transport::Tcp(tcp) = Packet::parse(&bytes, bytes.len()).unwrap().transport else {
            panic!("{name} is no TCP");
        };
        let (header_len, flags) = tcp.offset_flags.unwrap();
        let mut letters = Vec::new();
        flags.push(&mut letters);
        let letters = String::from_utf8(letters).unwrap();
        let expected = match name.strip_prefix("tcp flags ") {
            Some("none") => "none",
            Some("syn") => "S",
            Some("syn ack") => "S.",
            Some("ack") => ".",
            Some("psh ack") => "P.",
            Some("fin ack") => "F.",
            Some("fin") => "F",
            Some("rst") => "R",
            Some("rst ack") => "R.",
            Some("urg ack") => ".U",
            Some("syn ece cwr") => "SEW",
            Some("syn ack ece") => "S.E",
            Some("ack ae") => ".e",
            Some("syn fin") => "FS",
            Some("xmas") => "FPU",
            Some("all") => "FSRP.UEWe",
            Some(other) => panic!("flags {other}"),
            None => letters.as_str(),
        };
        assert_eq!(letters, expected, "{name}");
        assert_eq!((tcp.seq, tcp.win), (Some(1000), Some(16384)), "{name}");
        let urgent = if name.contains("urg") || name.contains("xmas") || name.contains("all") {
            3
        } else {
            0
        };
        assert_eq!(tcp.urg, Some(urgent), "{name}");
        match name.as_str() {
            // Lies about its length: no options are in a header of 16 bytes.
            "tcp data offset 4" => assert_eq!((header_len, tcp.options), (16, &b""[..])),
            "tcp data offset past the end" => assert_eq!((header_len, tcp.options), (60, &b""[..])),
            _ => assert_eq!(tcp.options.len(), header_len - 20, "{name}"),
        }
        seen += 1;
    }
    assert_eq!(seen, 2 * (16 + 16 + 4));
}

#[test]
fn errors_quote_the_packet_they_are_about() {
    let mut seen = 0;
    for (version, Specimen { name, bytes }) in zoos() {
        let packet = Packet::parse(&bytes, bytes.len());
        let Some(quoted) = packet.ok().and_then(|packet| packet.quoted()) else { continue };
        let whole = packet.unwrap();
        assert!(name.starts_with("icmp"), "{name} quotes");
        assert_eq!((quoted.ip.src, quoted.ip.dst), (whole.ip.dst, whole.ip.src), "{name}");
        // Even 8 bytes of TCP are the ports.
        let ports =
            if name.contains("tcp") || name.ends_with("too big") || name == "icmp need fragment" {
                (40000, 22)
            } else {
                (40000, 7777)
            };
        assert_eq!(quoted.ports().map(|p| (p.src, p.dst)), Some(ports), "{name} v{version}");
        // It is shorter than its length field says, but none of it was lost to the capture.
        assert!(!quoted.is_truncated(), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 15 + 4 + 2 + 4 + 2 + 3 + 1 + 9 + 2 + 1 + 2 + 4);
}

#[test]
fn keep_alives_and_no_others() {
    let mut seen = Vec::new();
    for (_, Specimen { name, bytes }) in zoos() {
        for n in 0..=bytes.len() {
            let Ok(packet) = Packet::parse(&bytes[..n], bytes.len()) else { continue };
            if let Transport::Udp(udp) = packet.transport
                && udp.carries == Carries::Encapsulated(Encapsulated::Keepalive)
            {
                seen.push(name.clone());
            }
        }
    }
    assert_eq!(seen, ["nat keepalive"; 2]);
    // ESP with an SPI of ones, cut behind the first of them.
    let esp = encode::packet::ipsec::esp(0xffff_ff01, 1, 16);
    let ip = encode::packet::ip::Ip::v4();
    let bytes = encode::packet::transport::udp_packet(&ip, 4500, 4500, &esp);
    let packet = Packet::parse(&bytes[..29], bytes.len()).unwrap();
    assert!(matches!(packet.transport, Transport::Udp(udp) if udp.carries == Carries::Other));
}

/// All that may be known of a packet, by name. Bytes that are there come in a list, of which a
/// shorter one is the start.
fn facts(packet: &Packet<'_>) -> Vec<(&'static str, Option<String>)> {
    fn some(value: Option<impl Debug>) -> Option<String> {
        value.map(|value| format!("{value:?}"))
    }
    let ip = &packet.ip;
    let mut facts = vec![
        ("family", some(Some(ip.family))),
        ("src", some(ip.src)),
        ("dst", some(ip.dst)),
        ("ttl", some(ip.ttl)),
        ("len", some(ip.len)),
        ("proto", some(ip.proto)),
        ("frag", some(ip.frag)),
        ("ah spi", some(packet.ah.map(|sa| sa.spi))),
        ("ah seq", some(packet.ah.and_then(|sa| sa.seq))),
        ("ports", some(packet.ports())),
        ("esp spi", some(packet.esp().map(|sa| sa.spi))),
        ("esp seq", some(packet.esp().and_then(|sa| sa.seq))),
        ("ike", some(packet.ike())),
    ];
    match packet.transport {
        Transport::Tcp(tcp) => facts.extend([
            ("seq", some(tcp.seq)),
            ("ack", some(tcp.ack)),
            ("flags", some(tcp.offset_flags)),
            ("win", some(tcp.win)),
            ("tcp cksum", some(tcp.cksum)),
            ("urg", some(tcp.urg)),
        ]),
        Transport::Udp(udp) => facts.extend([
            ("udp len", some(udp.len)),
            ("udp cksum", some(udp.cksum)),
            (
                "marker",
                some(match udp.carries {
                    Carries::Other => None,
                    Carries::Ike(_) => Some("ike"),
                    Carries::Encapsulated(Encapsulated::Keepalive) => Some("keep-alive"),
                    Carries::Encapsulated(Encapsulated::Ike(_)) => Some("marked ike"),
                    Carries::Encapsulated(Encapsulated::Esp(_)) => Some("esp"),
                }),
            ),
        ]),
        Transport::Icmp(icmp) | Transport::Icmp6(icmp) => {
            facts.extend([("type", some(Some(icmp.kind))), ("code", some(icmp.code))]);
        }
        Transport::Sctp(_) | Transport::Esp(_) | Transport::None => {}
    }
    if let Some(quoted) = packet.quoted() {
        facts.extend([
            ("quoted src", some(quoted.ip.src)),
            ("quoted dst", some(quoted.ip.dst)),
            ("quoted proto", some(quoted.ip.proto)),
            ("quoted ports", some(quoted.ports())),
        ]);
    }
    facts
}

/// Slices of a packet, each of which grows with it.
fn slices<'a>(packet: &Packet<'a>) -> [&'a [u8]; 5] {
    let (options, data) = match packet.transport {
        Transport::Tcp(tcp) => (tcp.options, &b""[..]),
        Transport::Udp(udp) => (&b""[..], udp.payload),
        _ => (&b""[..], &b""[..]),
    };
    [packet.ip.header, packet.ip.extensions, packet.payload, options, data]
}

/// Cut at every length: the more there is, the more is known, and what is known stays.
fn only_grows(name: &str, bytes: &[u8]) {
    let mut known: Vec<(&str, String)> = Vec::new();
    let mut before: [&[u8]; 5] = [&[]; 5];
    for n in 0..=bytes.len() {
        let packet = match Packet::parse(&bytes[..n], bytes.len()) {
            Ok(packet) => packet,
            Err(error) if n == 0 => {
                assert_eq!(error.fault, Fault::Truncated { needed: 20 }, "{name}");
                continue;
            }
            // What is no IP at its first byte never becomes it.
            Err(_) => {
                assert!(Packet::parse(bytes, bytes.len()).is_err(), "{name} at {n}");
                continue;
            }
        };
        assert_eq!((packet.bytes, packet.len), (&bytes[..n], bytes.len()));
        let now = facts(&packet);
        for (fact, value) in &known {
            let value = Some(value);
            let same = now.iter().any(|(name, now)| name == fact && now.as_ref() == value);
            assert!(same, "{name}: {fact} was {value:?}, with {n} bytes: {now:?}");
        }
        known = now.into_iter().filter_map(|(fact, value)| Some((fact, value?))).collect();
        let slices = slices(&packet);
        for (slice, before) in slices.iter().zip(before) {
            assert!(slice.starts_with(before), "{name} at {n}: {slice:?} after {before:?}");
        }
        before = slices;
    }
}

#[test]
fn a_cut_specimen_says_less_and_never_something_else() {
    for (version, Specimen { name, bytes }) in zoos() {
        only_grows(&format!("{name} v{version}"), &bytes);
    }
}

proptest! {
    /// A byte of a specimen changed, and cut anywhere: nothing breaks, and it still only grows.
    #[test]
    fn a_damaged_specimen_only_grows_too(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let all: Vec<_> = zoos().collect();
        let (_, Specimen { name, mut bytes }) = which.get(&all).clone();
        for (at, value) in damage {
            let at = at.index(bytes.len().min(64));
            bytes[at] = value;
        }
        only_grows(&name, &bytes);
    }

    #[test]
    fn bytes_of_chance_only_grow_too(
        first in prop::sample::select(vec![0x45u8, 0x46, 0x4f, 0x60, 0x6f]),
        proto in prop::sample::select(vec![0u8, 1, 6, 17, 43, 44, 50, 51, 58, 60, 132]),
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0), Just(51), Just(60)], 40..160),
    ) {
        let mut bytes = bytes;
        bytes[0] = first;
        bytes[if first < 0x60 { 9 } else { 6 }] = proto;
        only_grows("chance", &bytes);
    }
}
