//! What is the same over IPv4 and IPv6: TCP, UDP, SCTP, IPsec.

use super::super::Random;
use super::super::packet::ip::Ip;
use super::super::packet::ipsec::{KEEPALIVE, NON_ESP_MARKER, ah, esp, ike};
use super::super::packet::transport::{
    ACK, AE, CWR, ECE, FIN, PSH, RST, SYN, Tcp, URG, dns_query, option, sctp as chunk,
    udp as datagram, udp_packet,
};
use super::super::packet::{protocol, put16};
use super::Cage;

/// The options of a SYN as most systems send them.
pub(super) fn syn_options() -> Vec<u8> {
    let parts = [
        option::mss(1460),
        option::NOP.to_vec(),
        option::scale(6),
        option::SACK_OK.to_vec(),
        option::timestamps(65536, 0),
    ];
    parts.concat()
}

pub(super) fn tcp(cage: &mut Cage, ip: &Ip) {
    for (name, flags) in [
        ("none", 0),
        ("syn", SYN),
        ("syn ack", SYN | ACK),
        ("ack", ACK),
        ("psh ack", PSH | ACK),
        ("fin ack", FIN | ACK),
        ("fin", FIN),
        ("rst", RST),
        ("rst ack", RST | ACK),
        ("urg ack", URG | ACK),
        ("syn ece cwr", SYN | ECE | CWR),
        ("syn ack ece", SYN | ACK | ECE),
        ("ack ae", ACK | AE),
        ("syn fin", SYN | FIN),
        ("xmas", FIN | PSH | URG),
        ("all", 0x1ff),
    ] {
        let ack = if flags & ACK == 0 { 0 } else { 5000 };
        let urgent = if flags & URG == 0 { 0 } else { 3 };
        let tcp = Tcp { sport: 40100, flags, ack, urgent, ..Tcp::default() };
        cage.add(format!("tcp flags {name}"), tcp.packet(ip, b""));
    }
    for (name, options) in [
        ("of a syn", syn_options()),
        ("mss", option::mss(1220)),
        ("nop and end", vec![1, 1, 0, 0]),
        ("sack of 1", [&[1, 1], &option::sack(&[(1100, 1200)])[..]].concat()),
        ("sack of 4", option::sack(&[(1, 2), (30, 40), (500, 600), (7000, 8000)])),
        ("sack broken", vec![5, 6, 0, 0, 4, 76, 1, 1]),
        ("unknown", vec![77, 6, 1, 2, 3, 4, 1, 1]),
        ("experiment", vec![254, 4, 0xf9, 0x89]),
        ("md5", [&[19, 18], &Random::new(19).bytes(16)[..]].concat()),
        ("fast open", vec![34, 10, 1, 2, 3, 4, 5, 6, 7, 8]),
        ("user timeout", vec![28, 4, 0x80, 5]),
        ("multipath", vec![30, 12, 0, 0x81, 1, 2, 3, 4, 5, 6, 7, 8]),
        ("length 0", vec![2, 0, 5, 0xb4]),
        ("length 1", vec![8, 1, 1, 1]),
        ("past the end", vec![8, 10, 0, 0]),
        ("mss of 3", vec![2, 3, 5, 1]),
    ] {
        let tcp = Tcp { sport: 40200, options, ..Tcp::default() };
        cage.add(format!("tcp option {name}"), tcp.packet(ip, b""));
    }
    let data = Tcp { flags: PSH | ACK, ack: 5000, sport: 40300, dport: 7777, ..Tcp::default() };
    cage.add("tcp payload", data.packet(ip, b"a line of payload\r\n"));
    let first = data.packet(ip, b"bad check sum").len() - b"bad check sum".len() - 4;
    let mut bad = data.packet(ip, b"bad check sum");
    put16(&mut bad, first, 0xbad0);
    cage.add("tcp check sum bad", bad);
    let mut segment = data.segment(ip, b"");
    segment[12] = 0x40;
    cage.add("tcp data offset 4", ip.packet(protocol::TCP, &segment));
    segment[12] = 0xf0;
    cage.add("tcp data offset past the end", ip.packet(protocol::TCP, &segment));
}

pub(super) fn udp(cage: &mut Cage, ip: &Ip) {
    cage.add("udp", udp_packet(ip, 40000, 7777, b"pfscope"));
    cage.add("udp empty", udp_packet(ip, 40000, 7777, b""));
    cage.add("udp dns", udp_packet(ip, 40000, 53, &dns_query()));
    cage.add("udp port 0", udp_packet(ip, 0, 0, b"zero"));
    for (name, at, value) in [
        ("check sum bad", 6, 0xbad0),
        ("check sum zero", 6, 0),
        ("length 7", 4, 7),
        ("length past the end", 4, 300),
    ] {
        let mut bytes = datagram(ip, 40000, 7777, b"pfscope");
        put16(&mut bytes, at, value);
        cage.add(format!("udp {name}"), ip.packet(protocol::UDP, &bytes));
    }
}

pub(super) fn sctp(cage: &mut Cage, ip: &Ip) {
    // INIT and INIT ACK: tag, window, streams out and in, first sequence number.
    let init = [0xfeed_0001_u32, 65536, 10 << 16 | 10, 1000].map(u32::to_be_bytes).concat();
    // DATA: sequence number, stream 1, stream sequence 2, payload protocol unspecified.
    let data = [1000_u32, 1 << 16 | 2, 0].map(u32::to_be_bytes).concat();
    // SACK: up to 1000, window, no gaps, no duplicates.
    let sack = [1000_u32, 65536, 0].map(u32::to_be_bytes).concat();
    for (name, tag, kind, flags, value) in [
        ("init", 0, 1, 0, init.clone()),
        ("init ack", 0xfeed_0000, 2, 0, init),
        ("data", 0xfeed_0001, 0, 3, [&data, &b"payload"[..]].concat()),
        ("sack", 0xfeed_0001, 3, 0, sack),
        ("heartbeat", 0xfeed_0001, 4, 0, vec![0, 1, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8]),
        ("abort", 0xfeed_0001, 6, 1, Vec::new()),
        ("shutdown", 0xfeed_0001, 7, 0, 1000_u32.to_be_bytes().to_vec()),
    ] {
        cage.add(
            format!("sctp {name}"),
            ip.packet(protocol::SCTP, &chunk(tag, kind, flags, &value)),
        );
    }
}

pub(super) fn ipsec(cage: &mut Cage, ip: &Ip) {
    let payload = esp(0xc0ff_ee01, 7, 48);
    cage.add("esp", ip.packet(protocol::ESP, &payload));
    cage.add("esp in udp", udp_packet(ip, 4500, 4500, &payload));
    cage.add("nat keepalive", udp_packet(ip, 4500, 4500, &KEEPALIVE));
    let udp = datagram(ip, 40000, 7777, b"under ah");
    cage.add("ah", ip.packet(protocol::AH, &ah(protocol::UDP, 0xa11, 9, &udp)));
    let inner = esp(0xc0ff_ee02, 8, 32);
    cage.add("ah esp", ip.packet(protocol::AH, &ah(protocol::ESP, 0xa12, 10, &inner)));
    for (name, version, exchange, flags) in [
        ("v1 main mode", 0x10, 2, 0),
        ("v1 informational", 0x10, 5, 1),
        ("v2 sa init", 0x20, 34, 0x08),
        ("v2 auth", 0x20, 35, 0x08),
        ("v2 informational reply", 0x20, 37, 0x20),
    ] {
        let message = ike(version, exchange, flags, u32::from(exchange == 35));
        cage.add(format!("ike {name}"), udp_packet(ip, 500, 500, &message));
        let marked = [&NON_ESP_MARKER, &message[..]].concat();
        cage.add(format!("ike {name} port 4500"), udp_packet(ip, 4500, 4500, &marked));
    }
}
