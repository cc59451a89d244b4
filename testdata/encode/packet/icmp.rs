//! ICMP (RFC 792, 950, 1191, 1256) and IGMP (RFC 1112, 2236, 3376).

use std::net::Ipv4Addr;

use super::{checksum, put16};

/// A message: type, code, the second word, the rest.
pub fn icmp(kind: u8, code: u8, word: u32, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind, code, 0, 0];
    out.extend(word.to_be_bytes());
    out.extend(body);
    summed(out)
}

/// Echo request (8) or reply (0).
pub fn echo(kind: u8, id: u16, sequence: u16, body: &[u8]) -> Vec<u8> {
    icmp(kind, 0, u32::from(id) << 16 | u32::from(sequence), body)
}

/// Fragmentation needed (RFC 1191): the MTU is in the low half of the second word.
pub fn need_fragment(mtu: u16, quoted: &[u8]) -> Vec<u8> {
    icmp(3, 4, u32::from(mtu), quoted)
}

/// Redirect: 0 network, 1 host, 2 and 3 with type of service.
pub fn redirect(code: u8, gateway: Ipv4Addr, quoted: &[u8]) -> Vec<u8> {
    icmp(5, code, gateway.to_bits(), quoted)
}

/// Timestamp request (13) or reply (14): milliseconds since midnight.
pub fn timestamp(kind: u8, times: [u32; 3]) -> Vec<u8> {
    icmp(kind, 0, 0x0001_0002, &times.map(u32::to_be_bytes).concat())
}

/// IGMP: type, maximum response time, group, the rest of version 3.
pub fn igmp(kind: u8, code: u8, group: Ipv4Addr, rest: &[u8]) -> Vec<u8> {
    let mut out = vec![kind, code, 0, 0];
    out.extend(group.octets());
    out.extend(rest);
    summed(out)
}

/// A report of IGMP version 3: (record type, group, sources).
pub fn igmp3_report(records: &[(u8, Ipv4Addr, &[Ipv4Addr])]) -> Vec<u8> {
    let mut out = vec![0x22, 0, 0, 0, 0, 0];
    out.extend((records.len() as u16).to_be_bytes());
    for (kind, group, sources) in records {
        out.extend([*kind, 0]);
        out.extend((sources.len() as u16).to_be_bytes());
        out.extend(group.octets());
        out.extend(sources.iter().flat_map(|source| source.octets()));
    }
    summed(out)
}

/// Fills in the check sum, which ICMP and IGMP both have at 2 and without a pseudo header.
fn summed(mut message: Vec<u8>) -> Vec<u8> {
    let sum = checksum(&[&message]);
    put16(&mut message, 2, sum);
    message
}
