//! filterlog's fields of an IPv6 packet (RFC 8200).
//!
//! pfSense's writes the fixed header, then extension headers and what follows as they come, with
//! the first next header as the protocol; of ICMPv6 nothing more. OPNsense's has no fields for
//! extension headers, and names the protocol behind them.

use super::ip::push_protocol;
use super::names::protocol6;
use super::{Bytes, Flavour, icmp, push_carp, push_field, push_other, push_sctp, push_udp, tcp};
use crate::packet::proto;
use crate::text::{push_dec, push_hex_byte, push_hex_min, push_ipv6};

const HEADER: usize = 40;

/// Appends the packet of which `ip` was captured and which had `len` bytes.
pub(super) fn push(out: &mut Vec<u8>, flavour: Flavour, ip: Bytes<'_>, len: usize) {
    out.extend_from_slice(b"6,");
    if len < HEADER {
        out.extend_from_slice(b"truncated-ip6=");
        return push_field(out, Some(len));
    }
    let payload_len = ip.word(4).map(usize::from);
    if let Some(total) = payload_len.map(|payload| payload + HEADER).filter(|&total| total > len) {
        match flavour {
            Flavour::Pfsense => {
                out.extend_from_slice(b"error='truncated-ip6 - ");
                push_dec(out, total - len);
                out.extend_from_slice(b" bytes missing!',");
            }
            Flavour::Opnsense => {
                out.extend_from_slice(b"truncated-ip6=");
                push_field(out, Some(total));
            }
        }
    }
    if let Some(flow) = ip.long(0) {
        out.extend_from_slice(b"0x");
        push_hex_byte(out, (flow >> 20 & 0xff) as u8);
        out.extend_from_slice(b",0x");
        let label = flow & 0xf_ffff;
        let digits = (u32::BITS - label.leading_zeros()).div_ceil(4).max(1);
        out.resize(out.len() + (5 - digits) as usize, b'0');
        push_hex_min(out, label.into());
        out.push(b',');
    } else {
        out.extend_from_slice(b",,");
    }
    let payload_len = payload_len.unwrap_or(len - HEADER);
    let payload = ip.behind(HEADER);
    let payload = Bytes(payload.0.get(..payload_len).unwrap_or(payload.0));
    match flavour {
        Flavour::Pfsense => {
            push_fixed(out, ip, ip.byte(6), |out, number| match protocol6(number) {
                Some(name) => out.extend_from_slice(name.as_bytes()),
                None => out.extend_from_slice(b"unknown"),
            });
            if let Some(first) = ip.byte(6) {
                push_chain(out, first, payload, payload_len);
            }
        }
        Flavour::Opnsense => {
            let Some(last) = ip.byte(6).and_then(|first| behind(first, payload, payload_len))
            else {
                // The capture ends in the extension headers.
                push_fixed(out, ip, None, |_, _| ());
                return;
            };
            push_fixed(out, ip, Some(last.number), |out, number| {
                push_protocol(out, flavour, number);
            });
            push_last(out, ip, &last);
        }
    }
}

/// Hop limit, protocol, payload length and addresses.
fn push_fixed(
    out: &mut Vec<u8>,
    ip: Bytes<'_>,
    number: Option<u8>,
    push_name: impl FnOnce(&mut Vec<u8>, u8),
) {
    push_field(out, ip.byte(7));
    if let Some(number) = number {
        push_name(out, number);
    }
    out.push(b',');
    push_field(out, number);
    push_field(out, ip.word(4));
    for at in [8, 24] {
        push_address(out, ip, at);
        out.push(b',');
    }
}

fn push_address(out: &mut Vec<u8>, bytes: Bytes<'_>, at: usize) {
    if let Some(addr) = bytes.0.get(at..).and_then(<[u8]>::first_chunk::<16>) {
        push_ipv6(out, (*addr).into());
    }
}

/// What stands behind the extension headers.
struct Last<'a> {
    number: u8,
    payload: Bytes<'a>,
    len: usize,
    /// The start of nothing: a later fragment.
    later: bool,
}

/// Steps over extension headers; `None` if the bytes end in them.
fn behind(first: u8, mut payload: Bytes<'_>, mut len: usize) -> Option<Last<'_>> {
    let (mut number, mut later) = (first, false);
    loop {
        let step = match number {
            _ if later => break,
            proto::HOPOPTS | proto::ROUTING | proto::DSTOPTS => {
                (usize::from(payload.byte(1)?) + 1) * 8
            }
            proto::FRAGMENT => {
                later = payload.word(2)? & 0xfff8 != 0;
                8
            }
            _ => break,
        };
        number = payload.byte(0)?;
        payload = payload.behind(step);
        len = len.saturating_sub(step);
    }
    Some(Last { number, payload, len, later })
}

/// OPNsense's last fields.
fn push_last(out: &mut Vec<u8>, ip: Bytes<'_>, last: &Last<'_>) {
    match last.number {
        _ if last.later => push_other(out, Flavour::Opnsense, last.len),
        proto::TCP => tcp::push(out, Flavour::Opnsense, last.payload, last.len),
        proto::UDP => push_udp(out, last.payload),
        proto::ICMP6 => icmp::push(out, last.payload, last.len, icmp::Version::V6),
        proto::CARP => push_carp(out, last.payload, ip.byte(7)),
        _ => push_other(out, Flavour::Opnsense, last.len),
    }
}

/// pfSense's extension headers, and its last fields.
fn push_chain(out: &mut Vec<u8>, mut number: u8, mut at: Bytes<'_>, mut len: usize) {
    loop {
        let words = at.byte(1).map(|words| (usize::from(words) + 1) * 8);
        let step = match number {
            proto::HOPOPTS => words.inspect(|&len| push_options(out, b"HBH,", at, len)),
            proto::DSTOPTS => words.inspect(|&len| push_options(out, b"DSTOPT,", at, len)),
            proto::FRAGMENT => push_fragment(out, at, len),
            proto::ROUTING => words.filter(|&len| push_routing(out, at, len)),
            proto::TCP => return tcp::push(out, Flavour::Pfsense, at, len),
            proto::UDP => return push_udp(out, at),
            proto::SCTP => return push_sctp(out, at, len),
            62 | 135 => return out.extend_from_slice(b"MOBILITY,"),
            proto::IPV6 => return out.extend_from_slice(b"IPV6-IN-IPV6,"),
            proto::IPIP => return out.extend_from_slice(b"IPV4-IN-IPV6,"),
            _ => return,
        };
        let (Some(step), Some(next)) = (step.filter(|&step| step <= len), at.byte(0)) else {
            return;
        };
        (number, at, len) = (next, at.behind(step), len - step);
    }
}

/// Which part of which packet it is, and how much follows; `None` for a later fragment.
fn push_fragment(out: &mut Vec<u8>, at: Bytes<'_>, len: usize) -> Option<usize> {
    const FRAGMENT: usize = 8;
    out.extend_from_slice(b"FRAG6, 0x");
    for byte in at.0.get(4..8).unwrap_or_default() {
        push_hex_byte(out, *byte);
    }
    out.push(b':');
    let offset = at.word(2).map(|bits| bits & 0xfff8);
    super::push_some(out, offset);
    out.push(b'|');
    push_field(out, Some(len.saturating_sub(FRAGMENT)));
    if offset? != 0 {
        return None;
    }
    out.push(b',');
    Some(FRAGMENT)
}

/// True if the header's type is known, so that what follows it is looked at.
fn push_routing(out: &mut Vec<u8>, at: Bytes<'_>, len: usize) -> bool {
    push_field(out, at.byte(1));
    push_field(out, at.byte(2));
    push_field(out, at.byte(3));
    let truncated = b"TRUNC,[|srcrt],";
    if !matches!(at.byte(2), Some(0 | 2)) {
        out.extend_from_slice(truncated);
        return false;
    }
    out.extend_from_slice(b"0x");
    push_hex_min(out, at.long(4).unwrap_or_default().into());
    out.push(b',');
    for (i, start) in (8..len).step_by(16).enumerate() {
        if at.0.len() < start + 16 || start + 16 > len {
            out.extend_from_slice(truncated);
            return false;
        }
        push_dec(out, i);
        out.extend_from_slice(b", ");
        push_address(out, at, start);
    }
    true
}

/// Options of a hop-by-hop or destination options header of `len` bytes.
fn push_options(out: &mut Vec<u8>, name: &[u8], at: Bytes<'_>, len: usize) {
    out.extend_from_slice(name);
    let mut rest = at.0.get(2..len.min(at.0.len())).unwrap_or_default();
    while let Some((&kind, behind)) = rest.split_first() {
        if kind == 0 {
            out.extend_from_slice(b"PAD1,");
            rest = behind;
            continue;
        }
        let Some((&size, data)) = behind.split_first() else { return };
        let Some((data, behind)) = data.split_at_checked(usize::from(size)) else { return };
        let data = Bytes(data);
        match (kind, size) {
            (1, _) => out.extend_from_slice(b"PADN,"),
            (5, 2) => {
                out.extend_from_slice(b"RTALERT,0x");
                for byte in data.0 {
                    push_hex_byte(out, *byte);
                }
                out.push(b',');
            }
            (0xc2, 4) => {
                out.extend_from_slice(b"JUMBO,");
                push_field(out, data.long(0));
            }
            _ => {
                out.extend_from_slice(b"TYPE,0x");
                push_hex_byte(out, kind);
                out.push(b',');
                push_field(out, Some(size));
            }
        }
        rest = behind;
    }
}
