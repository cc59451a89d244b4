//! IPv4 (RFC 791) and IPv6 (RFC 8200) with options and extension headers.

use std::net::IpAddr;

use super::{checksum, put16};

/// "Don't fragment" in [`Ip::fragment`].
pub const DF: u16 = 0x4000;
/// "More fragments" in [`Ip::fragment`].
pub const MF: u16 = 0x2000;
/// The reserved bit, known as evil, in [`Ip::fragment`].
pub const EVIL: u16 = 0x8000;

/// The header of either IP; the addresses say which.
#[derive(Clone, Debug)]
pub struct Ip {
    /// Source.
    pub src: IpAddr,
    /// Destination, of the same family.
    pub dst: IpAddr,
    /// Type of service, traffic class.
    pub tos: u8,
    /// Time to live, hop limit.
    pub ttl: u8,
    /// IPv4 only: identification.
    pub id: u16,
    /// IPv4 only: the word of flags and offset (in units of 8 bytes).
    pub fragment: u16,
    /// IPv4 only: options, a multiple of 4 long.
    pub options: Vec<u8>,
    /// IPv6 only: flow label, 20 bits.
    pub flow: u32,
}

impl Ip {
    /// Between two addresses written as text.
    pub fn between(src: &str, dst: &str) -> Self {
        Self {
            src: src.parse().expect("an address"),
            dst: dst.parse().expect("an address"),
            tos: 0,
            ttl: 64,
            id: 0x1234,
            fragment: 0,
            options: Vec::new(),
            flow: 0,
        }
    }

    /// Between two documentation addresses of IPv4.
    pub fn v4() -> Self {
        Self::between("192.0.2.10", "198.51.100.20")
    }

    /// Between two documentation addresses of IPv6.
    pub fn v6() -> Self {
        Self::between("2001:db8::10", "2001:db8:0:1::20")
    }

    /// The way back.
    pub fn reply(&self) -> Self {
        Self { src: self.dst, dst: self.src, ..self.clone() }
    }

    /// The packet; `protocol` is the next header of IPv6.
    pub fn packet(&self, protocol: u8, payload: &[u8]) -> Vec<u8> {
        match (self.src, self.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let size = 20 + self.options.len();
                let mut out = vec![0x40 | (size / 4) as u8, self.tos];
                out.extend(((size + payload.len()) as u16).to_be_bytes());
                out.extend(self.id.to_be_bytes());
                out.extend(self.fragment.to_be_bytes());
                out.extend([self.ttl, protocol, 0, 0]);
                out.extend(src.octets());
                out.extend(dst.octets());
                out.extend(&self.options);
                let sum = checksum(&[&out]);
                put16(&mut out, 10, sum);
                out.extend(payload);
                out
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                let first = 6 << 28 | u32::from(self.tos) << 20 | self.flow;
                let mut out = first.to_be_bytes().to_vec();
                out.extend((payload.len() as u16).to_be_bytes());
                out.extend([protocol, self.ttl]);
                out.extend(src.octets());
                out.extend(dst.octets());
                out.extend(payload);
                out
            }
            _ => panic!("source and destination are of different families"),
        }
    }

    /// IPv4 fragments of a packet, cut before the bytes `cuts` of its payload (multiples of 8).
    pub fn fragments(&self, protocol: u8, payload: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
        let ends: Vec<usize> = cuts.iter().copied().chain([payload.len()]).collect();
        let mut start = 0;
        let mut out = Vec::new();
        for end in ends {
            let more = if end < payload.len() { MF } else { 0 };
            let piece = Self { fragment: more | (start / 8) as u16, ..self.clone() };
            out.push(piece.packet(protocol, &payload[start..end]));
            start = end;
        }
        out
    }

    /// The check sum of a segment with the pseudo header (RFC 793, RFC 8200 section 8.1).
    pub fn checksum(&self, protocol: u8, segment: &[u8]) -> u16 {
        let mut pseudo = Vec::new();
        for address in [self.src, self.dst] {
            match address {
                IpAddr::V4(address) => pseudo.extend(address.octets()),
                IpAddr::V6(address) => pseudo.extend(address.octets()),
            }
        }
        pseudo.extend((segment.len() as u32).to_be_bytes());
        pseudo.extend([0, 0, 0, protocol]);
        checksum(&[&pseudo, segment])
    }
}

/// IPv4 options (RFC 791 section 3.1), padded with end-of-list to a multiple of 4.
pub fn options(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = parts.concat();
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

/// IPv4 router alert (RFC 2113).
pub const ROUTER_ALERT: [u8; 4] = [0x94, 4, 0, 0];

/// The router alert of MLD in a hop-by-hop header (RFC 2711).
pub const ROUTER_ALERT_V6: [u8; 4] = [5, 2, 0, 0];

/// A hop-by-hop or destination options header; the rest is filled with `PadN`.
pub fn extension(next: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let size = (2 + options.len()).next_multiple_of(8);
    let mut out = vec![next, (size / 8 - 1) as u8];
    out.extend(options);
    match size - out.len() {
        0 => {}
        1 => out.push(0),
        fill => {
            out.extend([1, (fill - 2) as u8]);
            out.resize(size, 0);
        }
    }
    out.extend(payload);
    out
}

/// A routing header: type 0 (RFC 2460), 2 (mobility), 4 (segments, RFC 8754).
pub fn routing(next: u8, kind: u8, left: u8, via: &[&str], payload: &[u8]) -> Vec<u8> {
    let mut out = vec![next, (via.len() * 2) as u8, kind, left, 0, 0, 0, 0];
    if kind == 4 {
        // Last Entry: the index of the last segment.
        out[4] = (via.len() - 1) as u8;
    }
    for address in via {
        out.extend(address.parse::<std::net::Ipv6Addr>().expect("an address").octets());
    }
    out.extend(payload);
    out
}

/// A fragment header (RFC 8200 section 4.5); `offset` in units of 8 bytes.
pub fn fragment(next: u8, offset: u16, more: bool, id: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![next, 0];
    out.extend((offset << 3 | u16::from(more)).to_be_bytes());
    out.extend(id.to_be_bytes());
    out.extend(payload);
    out
}
