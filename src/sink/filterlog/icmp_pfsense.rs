//! pfSense's fields of ICMP (RFC 792): a word for the type, what matters of it, and, without a
//! comma between, the message's length. Words and blanks are filterlog's.

use std::io::Write;
use std::net::Ipv4Addr;

use super::{Bytes, push_field, push_some};
use crate::packet::proto;
use crate::text::{push_dec, push_dec_padded, push_hex_byte, push_ipv4};

/// The quoted IP header.
const QUOTED: usize = 8;

/// Appends the message of which `icmp` was captured and which had `len` bytes.
pub(super) fn push(out: &mut Vec<u8>, icmp: Bytes<'_>, len: usize) {
    let Some(kind) = icmp.byte(0) else { return push_dec(out, len) };
    let code = icmp.byte(1).unwrap_or_default();
    match kind {
        0 | 8 => {
            out.extend_from_slice(if kind == 8 { b"request," } else { b"reply," });
            push_id(out, icmp);
        }
        3 => push_unreach(out, icmp, code),
        5 => {
            out.extend_from_slice(b"redirect,");
            out.extend_from_slice(match code {
                0 | 1 => b"redirect ",
                2 | 3 => b"redirect-tos ",
                _ => b"redirect-?? ",
            });
            push_quoted(out, icmp);
            out.extend_from_slice(if matches!(code, 1 | 3) { b" to host " } else { b" to net " });
            push_address(out, icmp, 4);
            if code > 3 {
                out.push(b',');
            }
        }
        9 => push_advertisement(out, icmp),
        11 => {
            out.extend_from_slice(b"timexceed,");
            match code {
                0 => out.extend_from_slice(b"time exceeded in-transit"),
                1 => out.extend_from_slice(b"ip reassembly time exceeded"),
                _ => {
                    out.extend_from_slice(b"time exceeded-#");
                    push_dec(out, code);
                }
            }
        }
        12 => {
            out.extend_from_slice(b"paramprob, parameter problem - ");
            if code > 0 {
                out.extend_from_slice(b"code ");
                push_dec(out, code);
            } else {
                out.extend_from_slice(b"octet ");
                push_some(out, icmp.byte(4));
            }
        }
        13 => {
            out.extend_from_slice(b"tstamp,");
            push_id(out, icmp);
        }
        14 => {
            out.extend_from_slice(b"tstampreply, ");
            push_id(out, icmp);
            for at in [8, 12, 16] {
                out.push(b',');
                push_time(out, icmp.long(at));
            }
        }
        18 => {
            out.extend_from_slice(b"maskreply, address mask is 0x");
            for &byte in icmp.0.get(8..12).unwrap_or_default() {
                push_hex_byte(out, byte);
            }
        }
        _ => out.extend_from_slice(match kind {
            4 => b"source quench",
            10 => b"router solicitation",
            15 => b"information request",
            16 => b"information reply",
            17 => b"address mask request",
            _ => b"type-??",
        }),
    }
    push_dec(out, len);
}

/// Identifier and sequence number.
fn push_id(out: &mut Vec<u8>, icmp: Bytes<'_>) {
    push_field(out, icmp.word(4));
    push_some(out, icmp.word(6));
}

fn push_address(out: &mut Vec<u8>, icmp: Bytes<'_>, at: usize) {
    if let Some(addr) = icmp.long(at) {
        push_ipv4(out, Ipv4Addr::from(addr));
    }
}

/// Where the quoted packet went.
fn push_quoted(out: &mut Vec<u8>, icmp: Bytes<'_>) {
    push_address(out, icmp, QUOTED + 16);
}

fn push_unreach(out: &mut Vec<u8>, icmp: Bytes<'_>, code: u8) {
    let quoted = icmp.behind(QUOTED);
    match code {
        2 => {
            out.extend_from_slice(b"unreachproto,");
            push_quoted(out, icmp);
            out.push(b',');
            push_some(out, quoted.byte(9));
        }
        3 => {
            out.extend_from_slice(b"unreachport,");
            push_quoted(out, icmp);
            out.push(b',');
            match quoted.byte(9) {
                Some(proto::TCP) => out.extend_from_slice(b"TCP"),
                Some(proto::UDP) => out.extend_from_slice(b"UDP"),
                other => push_some(out, other),
            }
            out.push(b',');
            let header = quoted.byte(0).map_or(0, |first| usize::from(first & 0xf) * 4);
            push_some(out, quoted.word(header + 2));
        }
        4 => {
            out.extend_from_slice(b"needfrag,");
            push_quoted(out, icmp);
            match icmp.word(6) {
                Some(0) => out.extend_from_slice(b" need to frag"),
                mtu => {
                    out.push(b',');
                    push_some(out, mtu);
                }
            }
        }
        _ => {
            out.extend_from_slice(b"unreach,");
            let (before, after): (&[u8], &[u8]) = match code {
                0 => (b"net ", b" unreachable"),
                1 => (b"host ", b" unreachable"),
                5 => (b"", b" unreachable - source route failed"),
                6 => (b"net ", b" unreachable - unknown"),
                7 => (b"host ", b" unreachable - unknown"),
                8 => (b"", b" unreachable - source host isolated"),
                9 => (b"net ", b" unreachable - admin prohibited"),
                10 => (b"host ", b" unreachable - admin prohibited"),
                11 => (b"net ", b" unreachable - tos prohibited"),
                12 => (b"host ", b" unreachable - tos prohibited"),
                13 => (b"host ", b" unreachable - admin prohibited filter"),
                14 => (b"host ", b" unreachable - host precedence violation"),
                15 => (b"host ", b" unreachable - precedence cutoff"),
                _ => (b"", b" unreachable"),
            };
            out.extend_from_slice(before);
            push_quoted(out, icmp);
            out.extend_from_slice(after);
        }
    }
}

/// Lifetime, number of addresses and, unless it is 2, their size (RFC 1256).
fn push_advertisement(out: &mut Vec<u8>, icmp: Bytes<'_>) {
    out.extend_from_slice(b"routeradv");
    if let Some(lifetime) = icmp.word(6).map(u64::from) {
        let (hours, minutes, seconds) = (lifetime / 3600, lifetime / 60 % 60, lifetime % 60);
        // Writing to memory cannot fail.
        drop(match lifetime {
            ..60 => write!(out, "{seconds}"),
            60..3600 => write!(out, "{minutes}:{seconds:02}"),
            _ => write!(out, "{hours}:{minutes:02}:{seconds:02}"),
        });
    }
    out.push(b',');
    push_field(out, icmp.byte(4));
    if let Some(size) = icmp.byte(5).filter(|&size| size != 2) {
        push_field(out, Some(size));
    }
}

/// Milliseconds since midnight, UTC.
fn push_time(out: &mut Vec<u8>, ms: Option<u32>) {
    let Some(ms) = ms.map(u64::from) else { return };
    let seconds = ms / 1000;
    push_dec_padded(out, seconds / 3600, 2);
    out.push(b':');
    push_dec_padded(out, seconds / 60 % 60, 2);
    out.push(b':');
    push_dec_padded(out, seconds % 60, 2);
    out.push(b'.');
    push_dec_padded(out, ms % 1000, 3);
}
