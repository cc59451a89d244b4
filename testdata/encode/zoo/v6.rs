//! What only IPv6 has.

use std::net::Ipv6Addr;

use super::super::packet::control::{Gre, carp, vrrp3};
use super::super::packet::icmp6 as message;
use super::super::packet::icmp6::option;
use super::super::packet::ip::{Ip, ROUTER_ALERT_V6, extension, fragment, routing};
use super::super::packet::ipsec::{ah, esp};
use super::super::packet::transport::{self, Tcp, udp_packet};
use super::super::packet::{protocol, put16};
use super::Cage;

fn address(text: &str) -> Ipv6Addr {
    text.parse().expect("an address")
}

pub(super) fn headers(cage: &mut Cage) {
    let ip = Ip::v6();
    let udp = transport::udp(&ip, 40000, 7777, b"pfscope!");
    let tcp = Tcp::default().segment(&ip, b"");
    let plain = |ip: &Ip| ip.packet(protocol::UDP, &udp);
    cage.add("ip class", plain(&Ip { tos: 0xb8, ..ip.clone() }));
    cage.add("ip flow", plain(&Ip { flow: 0xabcde, ..ip.clone() }));
    cage.add("ip hop limit 0", plain(&Ip { ttl: 0, ..ip.clone() }));
    let via = ["2001:db8::1", "2001:db8::2"];
    // On its way through routers a packet's check sum is for the last of them (RFC 8200 8.1):
    // the last address of types 0 and 2, the first of type 4.
    let for_last = |last: &str| Ip { dst: address(last).into(), ..ip.clone() };
    let udp_to = |last| transport::udp(&for_last(last), 40000, 7777, b"pfscope!");
    let tcp_to = |last| Tcp::default().segment(&for_last(last), b"");
    let options = |next, payload: &[u8]| extension(next, &[], payload);
    for (name, next, payload) in [
        ("hop by hop", 0, options(protocol::UDP, &udp)),
        ("hop by hop unknown", 0, extension(protocol::UDP, &[0x1e, 4, 1, 2, 3, 4], &udp)),
        ("hop by hop broken", 0, extension(protocol::UDP, &[0x1e, 40], &udp)),
        ("destination", 60, options(protocol::TCP, &tcp)),
        ("routing 0", 43, routing(protocol::UDP, 0, 2, &via, &udp_to(via[1]))),
        ("routing 2", 43, routing(protocol::UDP, 2, 1, &via[..1], &udp_to(via[0]))),
        ("routing 4", 43, routing(protocol::TCP, 4, 1, &via, &tcp_to(via[0]))),
        ("routing 0 arrived", 43, routing(protocol::NONE, 0, 0, &via, b"")),
        ("hop by hop, destination, routing", 0, {
            let routing = routing(protocol::TCP, 0, 1, &via[..1], &tcp_to(via[0]));
            options(protocol::DESTINATION, &options(protocol::ROUTING, &routing))
        }),
        ("ah, destination", 51, ah(protocol::DESTINATION, 0xa13, 3, &options(17, &udp))),
        ("hop by hop, ah, esp", 0, {
            options(protocol::AH, &ah(protocol::ESP, 0xa14, 4, &esp(0xc0ff_ee03, 5, 32)))
        }),
        ("destination, esp", 60, options(protocol::ESP, &esp(0xc0ff_ee04, 6, 32))),
        ("fragment whole", 44, fragment(protocol::UDP, 0, false, 0xa70, &udp)),
        ("hop by hop, fragment", 0, {
            options(protocol::FRAGMENT, &fragment(protocol::TCP, 0, true, 0xf4a9, &tcp[..16]))
        }),
        ("no next header", protocol::NONE, Vec::new()),
        ("no next header with data", protocol::NONE, vec![0x2a; 8]),
        ("protocol 253", protocol::EXPERIMENT, b"experiment".to_vec()),
        ("empty", protocol::UDP, Vec::new()),
    ] {
        cage.add(format!("ip {name}"), ip.packet(next, &payload));
    }
    let whole = transport::udp(&ip, 40000, 7777, &[0x2a; 64]);
    for (name, offset, more, from, to) in
        [("first", 0, true, 0, 24), ("middle", 3, true, 24, 48), ("last", 6, false, 48, 72)]
    {
        let part = fragment(protocol::UDP, offset, more, 0xdead_beef, &whole[from..to]);
        cage.add(format!("ip fragment {name}"), ip.packet(protocol::FRAGMENT, &part));
    }
    // A chain of extension headers that ends beyond the packet.
    let mut broken = ip.packet(protocol::HOP_BY_HOP, &options(protocol::UDP, b""));
    broken[41] = 9;
    cage.add("ip hop by hop past the end", broken);
    for length in [0, 300] {
        let mut bad = plain(&ip);
        put16(&mut bad, 4, length);
        cage.add(format!("ip payload length {length}"), bad);
    }
    let mut padded = plain(&ip);
    padded.extend([0; 6]);
    cage.add("ip padded", padded);
}

pub(super) fn errors(cage: &mut Cage) {
    let ip = Ip::v6();
    let udp = udp_packet(&ip.reply(), 40000, 7777, b"quoted");
    let tcp = Tcp::default().packet(&ip.reply(), b"");
    let mut add = |name: String, kind, code, word, body: &[u8]| {
        let body = message::icmp6(&ip, kind, code, word, body);
        cage.add(format!("icmp6 {name}"), ip.packet(protocol::ICMP6, &body));
    };
    add("echo request".into(), 128, 0, 77 << 16 | 1, &[0x2a; 16]);
    add("echo reply".into(), 129, 0, 77 << 16 | 1, &[0x2a; 16]);
    for code in 0..=8 {
        add(format!("unreachable {code} udp"), 1, code, 0, &udp);
    }
    add("unreachable 1 tcp".into(), 1, 1, 0, &tcp);
    add("unreachable 4 tcp, cut".into(), 1, 4, 0, &tcp[..48]);
    add("too big".into(), 2, 0, 1280, &tcp);
    for code in 0..=1 {
        add(format!("time exceeded {code}"), 3, code, 0, &udp);
    }
    for code in 0..=3 {
        add(format!("parameter problem {code}"), 4, code, 6, &udp);
    }
    add("type 200".into(), 200, 7, 0, b"unknown");
    let mut bad = ip.packet(protocol::ICMP6, &message::icmp6(&ip, 128, 0, 78 << 16, b""));
    put16(&mut bad, 42, 0xbad0);
    cage.add("icmp6 check sum bad", bad);
}

pub(super) fn neighbours(cage: &mut Cage) {
    let link = |src, dst| Ip { ttl: 255, ..Ip::between(src, dst) };
    let (me, router) = (address("fe80::a"), address("fe80::1"));
    let solicit = link("fe80::1", "ff02::1:ff00:a");
    let advert = link("fe80::a", "fe80::1");
    let detect = link("::", "ff02::1:ff00:a");
    let ask = link("fe80::a", "ff02::2");
    let all = link("fe80::1", "ff02::1");
    let unicast = link("fe80::1", "fe80::a");
    let options = [
        option::station(1),
        option::mtu(1500),
        option::prefix(address("2001:db8::"), 64),
        option::dns(address("2001:db8::53")),
    ];
    let quoted = udp_packet(&Ip::v6(), 40000, 7777, b"quoted, and long enough");
    // Redirected header: type 4, 9 words of 8 bytes.
    let redirected = [&[4, 9, 0, 0, 0, 0, 0, 0], &quoted[..64]].concat();
    for (name, ip, body) in [
        ("solicitation", &solicit, message::neighbour(&solicit, 135, 0, me, &option::station(1))),
        ("solicitation for itself", &detect, message::neighbour(&detect, 135, 0, me, &[])),
        ("advertisement", &advert, {
            message::neighbour(&advert, 136, 0x6000_0000, me, &option::station(2))
        }),
        ("router solicitation", &ask, message::icmp6(&ask, 133, 0, 0, &option::station(1))),
        ("router advertisement", &all, message::router(&all, &options.concat())),
        ("router advertisement bare", &all, message::router(&all, &[])),
        ("redirect", &unicast, {
            let options = [option::station(2), redirected].concat();
            message::redirect(&unicast, router, address("2001:db8:0:1::20"), &options)
        }),
        ("option of length 0", &solicit, message::neighbour(&solicit, 135, 0, me, &[1, 0, 2, 0])),
    ] {
        cage.add(format!("icmp6 {name}"), ip.packet(protocol::ICMP6, &body));
    }
}

pub(super) fn listeners(cage: &mut Cage) {
    let link = |dst| Ip { ttl: 1, ..Ip::between("fe80::a", dst) };
    let (all, group, done, report2) =
        (link("ff02::1"), link("ff0e::101"), link("ff02::2"), link("ff02::16"));
    let member = address("ff0e::101");
    let sources = [address("2001:db8::1"), address("2001:db8::2")];
    for (name, ip, body) in [
        ("mld query", &all, message::mld(&all, 130, 10000, Ipv6Addr::UNSPECIFIED)),
        ("mld report", &group, message::mld(&group, 131, 0, member)),
        ("mld done", &done, message::mld(&done, 132, 0, member)),
        ("mld v2 query", &all, message::mld2_query(&all, 10000, Ipv6Addr::UNSPECIFIED, &[])),
        ("mld v2 source query", &group, message::mld2_query(&group, 1000, member, &sources)),
        ("mld v2 report", &report2, {
            message::mld2_report(&report2, &[(4, member, &[]), (5, member, &sources)])
        }),
    ] {
        let chain = extension(protocol::ICMP6, &ROUTER_ALERT_V6, &body);
        cage.add(format!("icmp6 {name}"), ip.packet(protocol::HOP_BY_HOP, &chain));
    }
}

pub(super) fn tunnels(cage: &mut Cage) {
    let ip = Ip::v6();
    let four = udp_packet(&Ip::v4(), 40000, 7777, b"inner");
    let six = udp_packet(&Ip::between("2001:db8:1::1", "2001:db8:2::2"), 40000, 7777, b"inner");
    let gre = Gre { key: Some(0xfeed), ..Gre::default() };
    cage.add("gre", ip.packet(protocol::GRE, &gre.packet(0x0800, &four)));
    cage.add("ip in ip", ip.packet(protocol::IPV4, &four));
    cage.add("ipv6 in ip", ip.packet(protocol::IPV6, &six));
    let routers = Ip { ttl: 255, ..Ip::between("fe80::a", "ff02::12") };
    // CARP's check sum has no pseudo header over IPv6 either (netinet/ip_carp.c carp_cksum).
    cage.add("carp", routers.packet(protocol::CARP, &carp(1, 100, 1, 0)));
    let addresses = address("fe80::100").octets();
    let body = vrrp3(&routers, 7, 100, 1, &addresses);
    cage.add("vrrp v3", routers.packet(protocol::CARP, &body));
}
