//! `ICMPv6` (RFC 4443), neighbour discovery (RFC 4861), MLD (RFC 2710, 3810).

use std::net::Ipv6Addr;

use super::ip::Ip;
use super::{protocol, put16};

/// A message: type, code, the second word, the rest; for the addresses of `ip`.
pub fn icmp6(ip: &Ip, kind: u8, code: u8, word: u32, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind, code, 0, 0];
    out.extend(word.to_be_bytes());
    out.extend(body);
    let sum = ip.checksum(protocol::ICMP6, &out);
    put16(&mut out, 2, sum);
    out
}

/// Neighbour discovery options.
pub mod option {
    use std::net::Ipv6Addr;

    /// Link-layer address: 1 source, 2 target.
    pub fn station(kind: u8) -> Vec<u8> {
        vec![kind, 1, 2, 0, 0, 0, 0, 0x0a]
    }

    /// Prefix information: on-link and autonomous, valid for a day, preferred for 4 hours.
    pub fn prefix(prefix: Ipv6Addr, length: u8) -> Vec<u8> {
        let mut out = vec![3, 4, length, 0xc0];
        out.extend(86400_u32.to_be_bytes());
        out.extend(14400_u32.to_be_bytes());
        out.extend([0; 4]);
        out.extend(prefix.octets());
        out
    }

    /// MTU of the link.
    pub fn mtu(mtu: u32) -> Vec<u8> {
        [&[5, 1, 0, 0], &mtu.to_be_bytes()[..]].concat()
    }

    /// Recursive DNS server (RFC 8106), for an hour.
    pub fn dns(server: Ipv6Addr) -> Vec<u8> {
        [&[25, 3, 0, 0], &3600_u32.to_be_bytes()[..], &server.octets()].concat()
    }
}

/// Neighbour solicitation (135) or advertisement (136, `flags` router, solicited, override).
pub fn neighbour(ip: &Ip, kind: u8, flags: u32, target: Ipv6Addr, options: &[u8]) -> Vec<u8> {
    icmp6(ip, kind, 0, flags, &[&target.octets(), options].concat())
}

/// Router advertisement: hop limit 64, managed, 1800 s.
pub fn router(ip: &Ip, options: &[u8]) -> Vec<u8> {
    icmp6(ip, 134, 0, 0x4080_0708, &[&[0; 8], options].concat())
}

/// Redirect: to `target` for `destination`.
pub fn redirect(ip: &Ip, target: Ipv6Addr, destination: Ipv6Addr, options: &[u8]) -> Vec<u8> {
    icmp6(ip, 137, 0, 0, &[&target.octets()[..], &destination.octets(), options].concat())
}

/// MLD version 1: query 130 (`delay` in milliseconds), report 131, done 132.
pub fn mld(ip: &Ip, kind: u8, delay: u16, group: Ipv6Addr) -> Vec<u8> {
    icmp6(ip, kind, 0, u32::from(delay) << 16, &group.octets())
}

/// MLD version 2 query: robustness 2, interval 125 s.
pub fn mld2_query(ip: &Ip, delay: u16, group: Ipv6Addr, sources: &[Ipv6Addr]) -> Vec<u8> {
    let mut body = group.octets().to_vec();
    body.extend([2, 125]);
    body.extend((sources.len() as u16).to_be_bytes());
    body.extend(sources.iter().flat_map(|source| source.octets()));
    icmp6(ip, 130, 0, u32::from(delay) << 16, &body)
}

/// MLD version 2 report: (record type, group, sources).
pub fn mld2_report(ip: &Ip, records: &[(u8, Ipv6Addr, &[Ipv6Addr])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, group, sources) in records {
        body.extend([*kind, 0]);
        body.extend((sources.len() as u16).to_be_bytes());
        body.extend(group.octets());
        body.extend(sources.iter().flat_map(|source| source.octets()));
    }
    icmp6(ip, 143, 0, records.len() as u32, &body)
}
