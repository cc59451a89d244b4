//! What running pf code wrote is read as it was meant, record by record.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test may panic anywhere"
)]

mod common;

use std::fmt::Display;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use common::{each_event, shared, testdata};
use pfscope::event::{Event, Kind};
use pfscope::packet::{Transport, proto};
use pfscope::pf::{Action, Direction, Family, Reason};
use pfscope::wire::pflog::Pflog;

/// What a record says, in the columns of tests/genuine/*.txt.
fn row(event: &Event<'_>) -> String {
    fn or_dash(value: Option<impl Display>) -> String {
        value.map_or_else(|| "-".into(), |value| value.to_string())
    }
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let h = event.pflog.unwrap();
    let owner = h.owner.unwrap();
    let packet = event.packet.unwrap();
    let ports = packet.ports();
    let icmp = match packet.transport {
        Transport::Icmp(icmp) | Transport::Icmp6(icmp) => Some(icmp.kind),
        _ => None,
    };
    [
        event.frame.number.to_string(),
        event.frame.data.len().to_string(),
        h.hdrlen.to_string(),
        or_dash(Family::from_af(h.af).map(Family::name)),
        or_dash(h.action.name(h.systems)),
        or_dash(h.reason.name(h.systems)),
        text(h.ifname),
        or_dash(Some(text(h.ruleset)).filter(|name| !name.is_empty())),
        or_dash(h.rulenr),
        or_dash(h.subrulenr),
        or_dash(owner.uid),
        or_dash(owner.pid),
        owner.rule_uid.to_string(),
        owner.rule_pid.to_string(),
        or_dash(h.dir.and_then(Direction::name)),
        or_dash(packet.ip.src),
        or_dash(packet.ip.dst),
        or_dash(ports.map(|ports| ports.src)),
        or_dash(ports.map(|ports| ports.dst)),
        or_dash(icmp),
    ]
    .join(" ")
}

/// Compares every record with what tshark 4.0 reads in it (its names for codes put into pf's,
/// its -1 for nobody into a dash); `also` looks at what tshark has no field for.
fn compare(name: &str, records: usize, mut also: impl FnMut(u64, &Event<'_>)) {
    let table = fs::read_to_string(testdata(&format!("../tests/genuine/{name}.txt"))).unwrap();
    let mut expected = table.lines().filter(|line| !line.starts_with('#'));
    let count = each_event(&testdata(&format!("genuine/{name}.pcap")), |event| {
        assert_eq!(event.kind, Kind::Pflog);
        assert_eq!(event.error, None);
        assert_eq!(Some(row(event).as_str()), expected.next(), "{name}");
        let (h, packet) = (event.pflog.unwrap(), event.packet.unwrap());
        assert_eq!(packet.bytes, &event.frame.data[h.skip..]);
        assert_eq!(Some(packet.ip.family), Family::from_af(h.af), "the packet is of family af");
        also(event.frame.number, event);
    });
    assert_eq!((count, expected.next()), (records, None), "{name}");
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The header's own addresses, with ports.
fn other(h: &Pflog<'_>) -> (IpAddr, u16, IpAddr, u16) {
    let other = h.other.unwrap();
    let address = |bytes: [u8; 16]| match h.other_family().unwrap() {
        Family::Inet => IpAddr::from(<[u8; 4]>::try_from(&bytes[..4]).unwrap()),
        Family::Inet6 => IpAddr::from(bytes),
    };
    (address(other.saddr), other.sport, address(other.daddr), other.dport)
}

/// The packet's addresses, with ports.
fn own(event: &Event<'_>) -> (IpAddr, u16, IpAddr, u16) {
    let packet = event.packet.unwrap();
    let ports = packet.ports().unwrap();
    (packet.ip.src.unwrap(), ports.src, packet.ip.dst.unwrap(), ports.dst)
}

#[test]
fn openbsd_8_0() {
    let mut reasons = Vec::new();
    compare("openbsd80-pflog0", 59, |number, event| {
        let h = event.pflog.unwrap();
        assert_eq!((h.systems.name(), h.skip), ("openbsd", 100));
        assert_eq!(h.ridentifier, None);
        assert!(!h.is_suspect(), "8.0 logs block when it drops");
        reasons.push(h.reason.0);
        let rewritten = h.other.unwrap().rewritten;
        let translated = [9, 10, 12, 13, 14, 15, 17, 30, 57].contains(&number);
        assert_eq!(rewritten, translated, "record {number}");
        let before_and_after = match number {
            // nat-to: the packet is as the host sent it, the header says what it becomes.
            9 => [
                ("10.1.2.3", 40003, "198.51.100.20", 53),
                ("203.0.113.9", 60277, "198.51.100.20", 53),
            ],
            // The next packet of the same state: the other way round.
            10 => [
                ("203.0.113.9", 60277, "198.51.100.20", 53),
                ("10.1.2.3", 40003, "198.51.100.20", 53),
            ],
            // rdr-to, and the answer on its way back.
            12 => [("192.0.2.10", 40004, "192.0.2.1", 80), ("192.0.2.10", 40004, "10.9.9.9", 8080)],
            13 => [("192.0.2.1", 80, "192.0.2.10", 40004), ("10.9.9.9", 8080, "192.0.2.10", 40004)],
            // rdr-to, state match.
            14 | 15 => {
                [("192.0.2.10", 40004, "10.9.9.9", 8080), ("192.0.2.10", 40004, "192.0.2.1", 80)]
            }
            // af-to: what came as IPv6 goes on as IPv4.
            17 => [
                ("2001:db8:1::10", 50000, "64:ff9b::c633:6407", 443),
                ("198.51.100.1", 54946, "198.51.100.7", 443),
            ],
            // nat-to of IPv6.
            30 => [
                ("2001:db8:2::20", 43000, "2001:db8:1::10", 53),
                ("2001:db8:1::1", 51785, "2001:db8:1::10", 53),
            ],
            57 => [
                ("2001:db8:1::10", 50001, "64:ff9b::c633:6407", 443),
                ("198.51.100.1", 64409, "198.51.100.7", 443),
            ],
            _ => return,
        };
        let [packet, header] = before_and_after.map(|(a, b, c, d)| (ip(a), b, ip(c), d));
        assert_eq!((own(event), other(&h)), (packet, header), "record {number}");
        assert_eq!(h.naf, Some(if number == 30 { 24 } else { 2 }), "record {number}");
    });
    reasons.sort_unstable();
    reasons.dedup();
    assert_eq!(reasons, [0, 2, 3, 4, 8]);
}

/// Packets that ports and types do not describe.
#[test]
fn openbsd_8_0_odd_packets() {
    compare("openbsd80-pflog0", 59, |number, event| {
        let packet = event.packet.unwrap();
        let frag = packet.ip.frag.map(|frag| (frag.offset, frag.more, frag.dont));
        match number {
            // ICMP unreachable quotes what could not be delivered.
            27 => assert!(packet.quoted().is_some()),
            33 => assert_eq!(packet.ip.proto, Some(proto::GRE)),
            // Router alert, record route.
            41 | 42 => assert_eq!(packet.ip.header.len(), 24),
            43 | 44 => assert_eq!(packet.ip.header.len(), 28),
            // 4 bytes of TCP and of UDP.
            45 | 46 => assert_eq!((packet.payload_len, packet.is_truncated()), (4, false)),
            // A fragment that ends beyond 65535, one whose length is no multiple of 8, an empty one.
            47 => assert_eq!(frag, Some((0x1fff * 8, true, false))),
            48 => assert_eq!(frag, Some((0, true, false))),
            49 => assert_eq!((frag, packet.payload_len), (Some((128, false, false)), 0)),
            50 => assert!(frag.is_some()),
            51 => assert_eq!(packet.ip.proto, Some(proto::NONE)),
            // Routing header 0 behind which nothing was found worth a look: dropped for it.
            52 => assert_eq!(packet.ip.extensions.len(), 24),
            53 => assert_eq!(packet.esp().map(|sa| sa.spi), Some(0x1102_0001)),
            _ => {}
        }
    });
}

#[test]
fn openbsd_8_0_second_interface() {
    compare("openbsd80-pflog1", 3, |_, event| {
        let h = event.pflog.unwrap();
        assert_eq!(h.systems.name(), "openbsd");
        // Nothing is translated, and the kernel fills the addresses in all the same.
        assert!(!h.other.unwrap().rewritten);
        assert_eq!(own(event), other(&h));
    });
}

#[test]
fn freebsd_14() {
    let (mut actions, mut reasons) = (Vec::new(), Vec::new());
    compare("freebsd14-pflog", 51, |number, event| {
        let h = event.pflog.unwrap();
        assert_eq!((h.systems.name(), h.skip), ("freebsd", 72));
        // The rules counted from 0; every fourth had no number of its own, nor had the default.
        let given = number % 4 != 1 && number != 26;
        let expected = given.then_some(999_999_999 + u32::try_from(number).unwrap());
        assert_eq!(h.ridentifier, expected, "record {number}");
        assert_eq!((h.naf, h.other), (None, None));
        assert_eq!(h.is_suspect(), h.action == Action::PASS && h.reason != Reason::MATCH);
        actions.push(h.action.0);
        reasons.push(h.reason.0);
    });
    for (codes, last) in [(&mut actions, 12), (&mut reasons, 16)] {
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(*codes, (0..=last).collect::<Vec<u8>>());
    }
}

/// The header of OpenBSD 3.8 to 4.8, and its habit of logging what the rule said: a packet that
/// was dropped as short is a "pass" of the default rule.
#[test]
fn aeriebsd() {
    compare("aerie-v4-pflog0", 43, |number, event| {
        let h = event.pflog.unwrap();
        assert_eq!((h.systems.name(), h.skip), ("openbsd", 64));
        assert_eq!(h.is_suspect(), [34, 35, 36, 39].contains(&number), "record {number}");
    });
}

/// macOS of 2025: no process has uid 2^31-1.
#[test]
fn macos_15() {
    let Some(path) = shared("pflog/macos15-blocked_traffic.pcap") else { return };
    let count = each_event(&path, |event| {
        let h = event.pflog.unwrap();
        let owner = h.owner.unwrap();
        // af 2 alone does not tell NetBSD from Darwin; NO_PID of 100000 does.
        assert_eq!((h.hdrlen, h.skip, h.systems.name()), (61, 64, "darwin"));
        assert_eq!((owner.uid, owner.pid, owner.rule_uid, owner.rule_pid), (None, None, 0, 5421));
        assert_eq!(h.ifname, b"en0");
        let (action, dir, reason) = match h.rulenr {
            Some(1) => (Action::PASS, Direction::IN, "ip-option"),
            Some(3) => (Action::BLOCK, Direction::OUT, "match"),
            Some(4) => (Action::BLOCK, Direction::IN, "match"),
            other => panic!("rule {other:?}"),
        };
        assert_eq!((h.action, h.dir, h.reason.name(h.systems)), (action, Some(dir), Some(reason)));
        // IGMP with router alert, of which the kernel said pass and made a drop.
        let igmp = event.packet.unwrap().ip.proto == Some(proto::IGMP);
        assert_eq!((h.is_suspect(), igmp), (h.rulenr == Some(1), h.rulenr == Some(1)));
    });
    assert_eq!(count, 46);
}

#[test]
fn macos_2014() {
    let Some(path) = shared("pflog/gopacket-testPFLogUDP.pcap") else { return };
    let count = each_event(&path, |event| {
        assert_eq!(
            row(event),
            "1 108 61 inet pass match en0 logging 0 174 - - 0 47296 out \
             172.23.232.204 172.23.232.255 61695 8612 -"
        );
        assert_eq!(event.pflog.unwrap().systems.name(), "darwin");
    });
    assert_eq!(count, 1);
}

/// OpenBSD of 2020. Two of the files claim more than they have: what is there is read.
#[test]
fn openbsd_2020() {
    for (name, record, verdict, by, packet) in [
        ("icmp", 128, "inet block match vio0 - 5", 86916, "10.200.200.154 - - 8"),
        ("icmp.caplen-fixed", 128, "inet block match vio0 - 5", 86916, "10.200.200.154 - - 8"),
        ("udp", 128, "inet block match vio0 - 5", 56187, "10.200.200.154 43275 23 -"),
        ("udp.caplen-fixed", 128, "inet block match vio0 - 5", 56187, "10.200.200.154 43275 23 -"),
        ("tcp", 164, "inet block match vio0 - 5", 86916, "10.200.200.154 41917 23 -"),
        ("icmp6_drop", 172, "inet6 block match vlan3 - 5", 41097, "ff02::1:ff00:fc - - 135"),
        ("icmp6_pass", 172, "inet6 pass match vlan3 - 4", 34212, "1111:1111:1111::fc - - 135"),
        ("tcp_ipv6_drop", 184, "inet6 block match vlan3 - 5", 2265, "1111:1111:1111::fc 1257 23 -"),
        (
            "tcp_ipv6_pass",
            184,
            "inet6 pass match vlan3 - 5",
            34212,
            "1111:1111:1111::fc 31351 22 -",
        ),
        (
            "udp_ipv6_drop",
            149,
            "inet6 block match vlan3 - 5",
            2265,
            "1111:1111:1111::fc 23381 22 -",
        ),
    ] {
        let from =
            if verdict.starts_with("inet ") { "10.200.200.254" } else { "1111:1111:1111::1" };
        let expected = format!("1 {record} 100 {verdict} - - - 0 {by} in {from} {packet}");
        let Some(path) = shared(&format!("pflog/scapy-pflog_{name}.pcap")) else { return };
        let count = each_event(&path, |event| {
            assert_eq!(row(event), expected, "{name}");
            assert_eq!(event.pflog.unwrap().systems.name(), "openbsd");
        });
        assert_eq!(count, 1, "{name}");
    }
}

/// The project's copies are the captures they came from.
#[test]
fn copies_are_whole() {
    for name in ["openbsd80-pflog0", "openbsd80-pflog1", "freebsd14-pflog", "aerie-v4-pflog0"] {
        let Some(path) = shared(&format!("pflog/{name}.pcap")) else { return };
        let read = |path: &Path| fs::read(path).unwrap();
        assert!(read(&path) == read(&testdata(&format!("genuine/{name}.pcap"))), "{name} differs");
    }
}
