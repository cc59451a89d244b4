//! OPNsense's fields of ICMP and ICMPv6 (RFC 792, RFC 4443): length, type, code, id, seq, mtu, in
//! pf.conf's words for type and code.

use super::names::{icmp_code, icmp_type, icmp6_code, icmp6_type};
use super::{Bytes, push_field, push_some};
use crate::text::push_dec;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V4,
    V6,
}

/// Appends the message of which `icmp` was captured and which had `len` bytes.
pub(super) fn push(out: &mut Vec<u8>, icmp: Bytes<'_>, len: usize, version: Version) {
    out.extend_from_slice(b"datalength=");
    push_field(out, Some(len));
    let (Some(kind), Some(code)) = (icmp.byte(0), icmp.byte(1)) else {
        out.extend_from_slice(b"truncated-icmp=");
        push_dec(out, icmp.0.len());
        return out.extend_from_slice(b",,,,");
    };
    let (name, code_name) = match version {
        Version::V4 => (icmp_type(kind), icmp_code(kind, code)),
        Version::V6 => (icmp6_type(kind), icmp6_code(kind, code)),
    };
    match name {
        Some(name) => out.extend_from_slice(name.as_bytes()),
        None => {
            out.extend_from_slice(b"unknown(");
            push_dec(out, kind);
            out.push(b')');
        }
    }
    out.push(b',');
    match code_name {
        Some(name) => out.extend_from_slice(name.as_bytes()),
        None => push_dec(out, code),
    }
    out.push(b',');
    let whole = icmp.0.len() >= 8;
    let has_id = match version {
        Version::V4 => matches!(kind, 0 | 8 | 13..=18),
        Version::V6 => matches!(kind, 128 | 129),
    };
    push_field(out, icmp.word(4).filter(|_| has_id && whole));
    push_field(out, icmp.word(6).filter(|_| has_id && whole));
    match (version, kind, code) {
        (Version::V4, 3, 4) => push_some(out, icmp.word(6).filter(|_| whole)),
        (Version::V6, 2, _) => push_some(out, icmp.long(4).filter(|_| whole)),
        _ => {}
    }
}
