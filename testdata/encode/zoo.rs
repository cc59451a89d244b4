//! One packet of every kind, each with a name: to compare printers, to cut at every length, to
//! seed fuzzers.

mod shared;
mod v4;
mod v6;

use super::packet::ip::Ip;
use super::packet::transport::{Tcp, dns_query, udp_packet};
use super::packet::{icmp, icmp6, protocol};

/// A packet (IP header first) and what it is.
#[derive(Clone, Debug)]
pub struct Specimen {
    /// What it is, unique within its list.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Packets by name, in order.
#[derive(Debug, Default)]
struct Cage(Vec<Specimen>);

impl Cage {
    fn add(&mut self, name: impl Into<String>, bytes: Vec<u8>) {
        self.0.push(Specimen { name: name.into(), bytes });
    }
}

/// Everything over IPv4.
pub fn ipv4() -> Vec<Specimen> {
    let mut cage = Cage::default();
    let ip = Ip::v4();
    v4::headers(&mut cage);
    shared::tcp(&mut cage, &ip);
    shared::udp(&mut cage, &ip);
    v4::icmp(&mut cage);
    v4::igmp(&mut cage);
    shared::sctp(&mut cage, &ip);
    shared::ipsec(&mut cage, &ip);
    v4::tunnels(&mut cage);
    v4::routers(&mut cage);
    cage.0
}

/// Everything over IPv6.
pub fn ipv6() -> Vec<Specimen> {
    let mut cage = Cage::default();
    let ip = Ip::v6();
    v6::headers(&mut cage);
    shared::tcp(&mut cage, &ip);
    shared::udp(&mut cage, &ip);
    v6::errors(&mut cage);
    v6::neighbours(&mut cage);
    v6::listeners(&mut cage);
    shared::sctp(&mut cage, &ip);
    shared::ipsec(&mut cage, &ip);
    v6::tunnels(&mut cage);
    cage.0
}

/// The few kinds that most logs are made of, of both versions.
pub fn common() -> Vec<Specimen> {
    let mut cage = Cage::default();
    for (version, ip) in [(4, Ip::v4()), (6, Ip::v6())] {
        let syn = Tcp { options: shared::syn_options(), ..Tcp::default() };
        cage.add(format!("tcp syn v{version}"), syn.packet(&ip, b""));
        cage.add(format!("dns v{version}"), udp_packet(&ip, 40000, 53, &dns_query()));
        let echo = match version {
            4 => ip.packet(protocol::ICMP, &icmp::echo(8, 77, 1, &[0x2a; 16])),
            _ => ip.packet(protocol::ICMP6, &icmp6::icmp6(&ip, 128, 0, 77 << 16 | 1, &[0x2a; 16])),
        };
        cage.add(format!("echo v{version}"), echo);
        cage.add(format!("udp v{version}"), udp_packet(&ip.reply(), 7777, 40000, b"pfscope"));
    }
    cage.0
}
