//! IPv4 options (RFC 791, RFC 1393, RFC 2113).

use crate::sink::text::ip;
use crate::sink::text::put::{be16, byte, put};

/// Appends options: `length` bytes of `bytes`, which go on to the packet's end, since an
/// option with a wrong length is shown as far as its last address. False if they are cut.
pub(super) fn push(out: &mut Vec<u8>, bytes: &[u8], length: usize) -> bool {
    let (mut at, mut separator) = (0, "");
    while at < length {
        let option = bytes.get(at..).unwrap_or_default();
        let Some(kind) = byte(option, 0) else { return false };
        put!(out, separator);
        separator = ",";
        match option_name(kind) {
            Some(name) => put!(out, name),
            None => put!(out, "unknown ", kind),
        }
        let len = match kind {
            0 | 1 => 1,
            _ => match byte(option, 1) {
                Some(len) => usize::from(len),
                None => return false,
            },
        };
        if (len < 2 && kind > 1) || len > length - at {
            put!(out, " [bad length ", len, "]");
            return true;
        }
        if option.len() < len {
            return false;
        }
        match kind {
            0 => return true,
            68 if !push_timestamps(out, option, len) => return false,
            7 | 131 | 137 if !push_route(out, option, len) => return false,
            148 if len < 4 => put!(out, " [bad length ", len, "]"),
            148 => {
                let value = be16(option, 2).unwrap_or_default();
                if value != 0 {
                    put!(out, " value ", value);
                }
            }
            _ => {}
        }
        at += len;
    }
    true
}

const fn option_name(kind: u8) -> Option<&'static str> {
    Some(match kind {
        0 => "EOL",
        1 => "NOP",
        7 => "RR",
        68 => "timestamp",
        82 => "traceroute",
        130 => "security",
        131 => "LSRR",
        137 => "SSRR",
        148 => "RA",
        _ => return None,
    })
}

/// Record route and both kinds of source route; a comma stands behind each address that is
/// used up.
fn push_route(out: &mut Vec<u8>, option: &[u8], len: usize) -> bool {
    if len < 3 {
        put!(out, " [bad length ", len, "]");
        return true;
    }
    if !(len + 1).is_multiple_of(4) {
        put!(out, " [bad length ", len, "]");
    }
    let pointer = byte(option, 2).unwrap_or_default();
    let next = usize::from(pointer).wrapping_sub(1);
    if next < 3 || next.wrapping_add(1) % 4 != 0 || next > len + 1 {
        put!(out, " [bad ptr ", pointer, "]");
    }
    for at in (3..len).step_by(4) {
        let Some(addr) = ip::address(option, at) else { return false };
        put!(out, " ", addr, if next > at { "," } else { "" });
    }
    true
}

fn push_timestamps(out: &mut Vec<u8>, option: &[u8], len: usize) -> bool {
    if len < 4 {
        put!(out, "[bad length ", len, "]");
        return true;
    }
    put!(out, " TS{");
    let (pointer, flags) = (byte(option, 2).unwrap_or(0), byte(option, 3).unwrap_or(0));
    let hop = if flags & 0xf == 0 { 4 } else { 8 };
    if !(len - 4).is_multiple_of(hop) {
        put!(out, "[bad length ", len, "]");
    }
    let next = usize::from(pointer).wrapping_sub(1);
    if next < 4 || next.wrapping_sub(4) % hop != 0 || next > len + 1 {
        put!(out, "[bad ptr ", pointer, "]");
    }
    let mut at = 0;
    match flags & 0xf {
        0 => put!(out, "TSONLY"),
        1 => put!(out, "TS+ADDR"),
        3 => put!(out, "PRESPEC"),
        unknown => put!(out, "[bad ts type ", unknown, "]"),
    }
    if matches!(flags & 0xf, 0 | 1 | 3) {
        at = 4;
        while at < len {
            put!(out, if next == at { " ^ " } else { " " });
            let time = option.get(at + hop - 4..).and_then(<[u8]>::first_chunk);
            let Some(&time) = time else { return false };
            put!(out, u32::from_be_bytes(time), "@");
            if hop == 8
                && let Some(addr) = ip::address(option, at)
            {
                put!(out, addr);
            }
            at += hop;
        }
    }
    put!(out, if next == at { " ^ " } else { "" });
    match flags >> 4 {
        0 => put!(out, "}"),
        hops => put!(out, " [", hops, " hops not recorded]} "),
    }
    true
}
