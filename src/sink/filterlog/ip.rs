//! filterlog's fields of an IPv4 packet (RFC 791).

use std::net::Ipv4Addr;

use super::names::protocol;
use super::{
    Bytes, Flavour, icmp, icmp_pfsense, push_carp, push_field, push_other, push_sctp, push_udp, tcp,
};
use crate::packet::proto;
use crate::text::{push_dec, push_hex_min, push_ipv4};

const HEADER: usize = 20;

/// Appends the packet of which `ip` was captured and which had `len` bytes.
pub(super) fn push(out: &mut Vec<u8>, flavour: Flavour, ip: Bytes<'_>, len: usize) {
    let pfsense = flavour == Flavour::Pfsense;
    out.extend_from_slice(b"4,");
    let mut fault = |what: &[u8], n: usize, end: &[u8]| {
        out.extend_from_slice(what);
        push_dec(out, n);
        out.extend_from_slice(end);
    };
    if len < HEADER {
        return if pfsense {
            fault(b"truncated-ip= ", len, b"),");
        } else {
            fault(b"truncated-ip=", len, b",");
        };
    }
    let header = usize::from(ip.byte(0).unwrap_or_default() & 0xf) * 4;
    if header < HEADER {
        return fault(b"bad-hlen=", header, if pfsense { b")," } else { b"," });
    }
    let total = ip.word(2).map(usize::from);
    if let Some(total) = total {
        match total.checked_sub(len) {
            Some(missing @ 1..) if pfsense => {
                fault(b"error='truncated-ip ", missing, b" bytes missing!',");
            }
            Some(1..) => fault(b"truncated-ip=", total, b","),
            _ => {}
        }
        if total < header {
            return fault(b"bad-len=", total, b",");
        }
    }
    let tos = ip.byte(1);
    if let Some(tos) = tos {
        out.extend_from_slice(b"0x");
        push_hex_min(out, tos.into());
    }
    out.push(b',');
    // RFC 3168: 1 is ECT(1), 2 ECT(0).
    out.extend_from_slice(match tos.map(|tos| tos & 3) {
        Some(1) => b"1",
        Some(2) => b"0",
        Some(3) => b"CE",
        _ => b"",
    });
    out.push(b',');
    push_field(out, ip.byte(8));
    push_field(out, ip.word(4));
    let fragment = ip.word(6);
    push_field(out, fragment.map(|bits| u32::from(bits & 0x1fff) * 8));
    out.extend_from_slice(match fragment.map(|bits| bits & 0xe000) {
        Some(0x2000) => b"+",
        Some(0x4000) => b"DF",
        Some(0x8000) => b"rsvd",
        Some(_) => b"none",
        None => b"",
    });
    out.push(b',');
    let number = ip.byte(9);
    push_field(out, number);
    if let Some(number) = number {
        push_protocol(out, flavour, number);
    }
    out.push(b',');
    push_field(out, total);
    for at in [12, 16] {
        if let Some(addr) = ip.long(at) {
            push_ipv4(out, Ipv4Addr::from(addr));
        }
        out.push(b',');
    }
    if let (Some(number), Some(total)) = (number, total)
        && fragment.is_some_and(|bits| bits & 0x1fff == 0)
    {
        let payload = Bytes(ip.0.get(..total).unwrap_or(ip.0)).behind(header);
        push_payload(out, flavour, number, payload, total - header, ip.byte(8));
    }
}

fn push_payload(
    out: &mut Vec<u8>,
    flavour: Flavour,
    number: u8,
    payload: Bytes<'_>,
    len: usize,
    ttl: Option<u8>,
) {
    match (number, flavour) {
        (proto::TCP, _) => tcp::push(out, flavour, payload, len),
        (proto::UDP, _) => push_udp(out, payload),
        (proto::CARP, _) => push_carp(out, payload, ttl),
        (proto::ICMP, Flavour::Opnsense) => icmp::push(out, payload, len, icmp::Version::V4),
        (proto::ICMP, Flavour::Pfsense) => icmp_pfsense::push(out, payload, len),
        (proto::SCTP, Flavour::Pfsense) => push_sctp(out, payload, len),
        (proto::IPIP, Flavour::Pfsense) => out.extend_from_slice(b"IPV4-IN-IPV4,"),
        (proto::IPV6, Flavour::Pfsense) => out.extend_from_slice(b"IPV6-IN-IPV4,"),
        _ => push_other(out, flavour, len),
    }
}

/// The protocol's name in FreeBSD's /etc/protocols.
pub(super) fn push_protocol(out: &mut Vec<u8>, flavour: Flavour, number: u8) {
    match (protocol(number), flavour) {
        (Some(name), _) => out.extend_from_slice(name.as_bytes()),
        (None, Flavour::Pfsense) => out.extend_from_slice(b"unknown"),
        (None, Flavour::Opnsense) => {
            out.extend_from_slice(b"unknown(");
            push_dec(out, number);
            out.push(b')');
        }
    }
}
