//! What only IPv4 has.

use std::net::Ipv4Addr;

use super::super::packet::control::{Gre, carp, pfsync, vrrp2, vrrp3};
use super::super::packet::icmp as message;
use super::super::packet::ip::{DF, EVIL, Ip, MF, ROUTER_ALERT, options};
use super::super::packet::transport::{Tcp, udp, udp_packet};
use super::super::packet::{checksum, protocol, put16};
use super::Cage;

/// Puts the header's check sum right after a change of the header.
fn again(mut packet: Vec<u8>) -> Vec<u8> {
    put16(&mut packet, 10, 0);
    let sum = checksum(&[&packet[..20]]);
    put16(&mut packet, 10, sum);
    packet
}

pub(super) fn headers(cage: &mut Cage) {
    let plain = |ip: &Ip| udp_packet(ip, 40000, 7777, b"pfscope");
    let ip = Ip::v4();
    for (name, fragment) in [("df", DF), ("evil", EVIL)] {
        cage.add(format!("ip {name}"), plain(&Ip { fragment, ..ip.clone() }));
    }
    // Low delay, expedited forwarding, congestion experienced.
    for tos in [0x10, 0xb8, 0x03] {
        cage.add(format!("ip tos {tos:#x}"), plain(&Ip { tos, ..ip.clone() }));
    }
    for ttl in [0, 1, 255] {
        cage.add(format!("ip ttl {ttl}"), plain(&Ip { ttl, ..ip.clone() }));
    }
    let (via, last, unused) = ([192, 0, 2, 1], [198, 51, 100, 77], [0; 4]);
    // On its way through routers a packet's check sum is for the last of them.
    let routed = Ip { dst: Ipv4Addr::from(last).into(), ..ip.clone() };
    for (name, ends, option) in [
        ("router alert", &ip, ROUTER_ALERT.to_vec()),
        ("record route", &ip, [&[7, 11, 8], &via[..], &unused].concat()),
        ("timestamp", &ip, vec![68, 8, 5, 0, 0, 0, 0, 0]),
        ("loose source route", &routed, [&[131, 11, 4], &via[..], &last].concat()),
        ("strict source route", &routed, [&[137, 7, 4], &last[..]].concat()),
        ("security", &ip, vec![130, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("nop and end", &ip, vec![1, 1, 1, 0]),
        ("unknown", &ip, vec![222, 4, 1, 2]),
        ("length 0", &ip, vec![7, 0, 0, 0]),
        ("past the end", &ip, vec![7, 40, 4, 0]),
    ] {
        let datagram = udp(ends, 40000, 7777, b"pfscope");
        let ip = Ip { options: options(&[&option]), ..ip.clone() };
        cage.add(format!("ip option {name}"), ip.packet(protocol::UDP, &datagram));
    }
    // A datagram of 72 bytes in three fragments.
    let whole = udp(&ip, 40000, 7777, &[0x2a; 64]);
    for (name, fragment, from, to) in
        [("first", MF, 0, 24), ("middle", MF | 3, 24, 48), ("last", 6, 48, 72)]
    {
        let ip = Ip { fragment, id: 0xf4a9, ..ip.clone() };
        cage.add(format!("ip fragment {name}"), ip.packet(protocol::UDP, &whole[from..to]));
    }
    let tiny = Ip { fragment: MF, ..ip.clone() };
    let segment = Tcp::default().segment(&ip, b"");
    cage.add("ip fragment tiny", tiny.packet(protocol::TCP, &segment[..8]));

    let mut bad = plain(&ip);
    put16(&mut bad, 10, 0xbad0);
    cage.add("ip check sum bad", bad);
    let mut bad = plain(&ip);
    bad[0] = 0x44;
    cage.add("ip header length 16", again(bad));
    for length in [19, 300] {
        let mut bad = plain(&ip);
        put16(&mut bad, 2, length);
        cage.add(format!("ip total length {length}"), again(bad));
    }
    let mut padded = plain(&ip);
    padded.extend([0; 11]);
    cage.add("ip padded", padded);
    cage.add("ip protocol 253", ip.packet(protocol::EXPERIMENT, b"experiment"));
    cage.add(
        "ip to broadcast",
        udp_packet(&Ip::between("0.0.0.0", "255.255.255.255"), 68, 9, b"x"),
    );
    cage.add("ip empty", ip.packet(protocol::UDP, b""));
}

pub(super) fn icmp(cage: &mut Cage) {
    let ip = Ip::v4();
    let udp = udp_packet(&ip.reply(), 40000, 7777, b"quoted");
    let tcp = Tcp::default().packet(&ip.reply(), b"");
    let mut add = |name: String, body: Vec<u8>| cage.add(name, ip.packet(protocol::ICMP, &body));
    add("icmp echo request".into(), message::echo(8, 77, 1, &[0x2a; 16]));
    add("icmp echo reply".into(), message::echo(0, 77, 1, &[0x2a; 16]));
    for code in (0..=15).filter(|code| *code != 4) {
        add(format!("icmp unreachable {code} udp"), message::icmp(3, code, 0, &udp));
    }
    add("icmp unreachable 1 tcp".into(), message::icmp(3, 1, 0, &tcp));
    add("icmp unreachable 3 tcp".into(), message::icmp(3, 3, 0, &tcp));
    add("icmp unreachable 13 tcp, 8 bytes".into(), message::icmp(3, 13, 0, &tcp[..28]));
    add("icmp unreachable 99".into(), message::icmp(3, 99, 0, &udp));
    add("icmp need fragment".into(), message::need_fragment(1400, &tcp));
    add("icmp need fragment without mtu".into(), message::need_fragment(0, &udp));
    for code in 0..=3 {
        let gateway = Ipv4Addr::new(192, 0, 2, 1);
        add(format!("icmp redirect {code}"), message::redirect(code, gateway, &udp));
    }
    for code in 0..=1 {
        add(format!("icmp time exceeded {code}"), message::icmp(11, code, 0, &udp));
    }
    // Pointer to the type of service.
    for code in 0..=2 {
        add(format!("icmp parameter problem {code}"), message::icmp(12, code, 1 << 24, &udp));
    }
    add("icmp timestamp request".into(), message::timestamp(13, [40_000_000, 0, 0]));
    let times = [40_000_000, 40_000_020, 40_000_021];
    add("icmp timestamp reply".into(), message::timestamp(14, times));
    add("icmp source quench".into(), message::icmp(4, 0, 0, &udp));
    add("icmp router solicitation".into(), message::icmp(10, 0, 0, b""));
    // One address of two words, for 1800 s.
    let router = [192, 0, 2, 1, 0, 0, 0, 0];
    add("icmp router advertisement".into(), message::icmp(9, 0, 1 << 24 | 2 << 16 | 1800, &router));
    add("icmp mask request".into(), message::icmp(17, 0, 77 << 16, &[0; 4]));
    add("icmp mask reply".into(), message::icmp(18, 0, 77 << 16, &[255, 255, 255, 0]));
    add("icmp type 200".into(), message::icmp(200, 7, 0, b"unknown"));
    let mut bad = message::echo(8, 77, 2, &[0x2a; 16]);
    put16(&mut bad, 2, 0xbad0);
    add("icmp check sum bad".into(), bad);
}

pub(super) fn igmp(cage: &mut Cage) {
    let group = Ipv4Addr::new(233, 252, 0, 1);
    let none = Ipv4Addr::UNSPECIFIED;
    let sources = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)];
    // Query of version 3: robustness 2, interval 125 s, number of sources.
    let of_two = [&[2, 125, 0, 2], &sources[0].octets()[..], &sources[1].octets()].concat();
    // Exclude nothing, allow two sources.
    let report = message::igmp3_report(&[(4, group, &[]), (5, group, &sources)]);
    for (name, to, body) in [
        ("v1 query", "224.0.0.1", message::igmp(0x11, 0, none, b"")),
        ("v1 report", "233.252.0.1", message::igmp(0x12, 0, group, b"")),
        ("v2 query", "224.0.0.1", message::igmp(0x11, 100, none, b"")),
        ("v2 group query", "233.252.0.1", message::igmp(0x11, 10, group, b"")),
        ("v2 report", "233.252.0.1", message::igmp(0x16, 0, group, b"")),
        ("v2 leave", "224.0.0.2", message::igmp(0x17, 0, group, b"")),
        ("v3 query", "224.0.0.1", message::igmp(0x11, 100, none, &[2, 125, 0, 0])),
        ("v3 source query", "233.252.0.1", message::igmp(0x11, 100, group, &of_two)),
        ("v3 report", "224.0.0.22", report),
    ] {
        let ip = Ip { ttl: 1, ..Ip::between("192.0.2.10", to) };
        cage.add(format!("igmp {name}"), ip.packet(protocol::IGMP, &body));
        let ip = Ip { options: ROUTER_ALERT.to_vec(), tos: 0xc0, ..ip };
        cage.add(format!("igmp {name}, router alert"), ip.packet(protocol::IGMP, &body));
    }
}

pub(super) fn tunnels(cage: &mut Cage) {
    let ip = Ip::v4();
    let inner = udp_packet(&Ip::between("10.1.2.3", "10.4.5.6"), 40000, 7777, b"inner");
    for (name, gre) in [
        ("", Gre::default()),
        (" key", Gre { key: Some(0xfeed), ..Gre::default() }),
        (" sequence", Gre { sequence: Some(5), ..Gre::default() }),
        (" check sum", Gre { checksum: true, ..Gre::default() }),
        (" all", Gre { checksum: true, key: Some(0xfeed), sequence: Some(6) }),
    ] {
        cage.add(format!("gre{name}"), ip.packet(protocol::GRE, &gre.packet(0x0800, &inner)));
    }
    let six = udp_packet(&Ip::v6(), 40000, 7777, b"inner");
    cage.add("gre of ipv6", ip.packet(protocol::GRE, &Gre::default().packet(0x86dd, &six)));
    cage.add("ip in ip", ip.packet(protocol::IPV4, &inner));
    cage.add("ipv6 in ip", ip.packet(protocol::IPV6, &six));
    let twice = Ip::between("10.7.7.7", "10.8.8.8").packet(protocol::IPV4, &inner);
    cage.add("ip in ip in ip", ip.packet(protocol::IPV4, &twice));
}

pub(super) fn routers(cage: &mut Cage) {
    let to = |group| Ip { ttl: 255, tos: 0x10, ..Ip::between("192.0.2.10", group) };
    let ip = to("224.0.0.18");
    cage.add("carp", ip.packet(protocol::CARP, &carp(1, 100, 1, 0)));
    cage.add("vrrp v2", ip.packet(protocol::CARP, &vrrp2(7, 100, &[[192, 0, 2, 1]])));
    let addresses = [192, 0, 2, 1, 192, 0, 2, 2];
    cage.add("vrrp v3", ip.packet(protocol::CARP, &vrrp3(&ip, 7, 255, 2, &addresses)));
    cage.add("pfsync", to("224.0.0.240").packet(protocol::PFSYNC, &pfsync()));
}
