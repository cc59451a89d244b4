//! Neighbour discovery at `-v`: what a router says of itself, and the options (RFC 4861, 4191,
//! 6275, 8106).

use super::fields::Fields;
use super::put::{Hex2, put};
use super::words::{push_field, push_flags};
use crate::text;

/// Appends a router advertisement's own fields.
pub(super) fn push_router(out: &mut Vec<u8>, message: Fields<'_>) -> Option<()> {
    let flags = message.u8(5)?;
    put!(out, "\n\thop limit ", message.u8(4)?, ", Flags [");
    push_flags(
        out,
        u32::from(flags),
        &[(0x80, "managed"), (0x40, "other stateful"), (0x20, "home agent"), (0x02, "ipv6 only")],
    );
    put!(out, "], pref ", preference(flags), ", router lifetime ", message.u16(6)?);
    push_field(out, "s, reachable time ", message.u32(8))?;
    put!(out, "ms, retrans timer ", message.u32(12)?, "ms");
    Some(())
}

const fn preference(flags: u8) -> &'static str {
    match (flags >> 3) & 3 {
        0 => "medium",
        1 => "high",
        2 => "rsv",
        _ => "low",
    }
}

/// Appends the options, each on a line; `len` is what they took on the wire.
pub(super) fn push_options(out: &mut Vec<u8>, list: Fields<'_>, len: usize) -> Option<()> {
    let mut at = 0;
    while at < len {
        let (kind, words) = (list.from(at).u8(0)?, list.from(at).u8(1)?);
        if words == 0 {
            return None;
        }
        let option_len = usize::from(words) * 8;
        let option = Fields(list.from(at).first(option_len));
        put!(out, "\n\t  ", option_name(kind), " option (", kind, "), length ", option_len);
        put!(out, " (", words, "): ");
        push_option(out, kind, words, option)?;
        at += option_len;
    }
    Some(())
}

const fn option_name(kind: u8) -> &'static str {
    match kind {
        1 => "source link-address",
        2 => "destination link-address",
        3 => "prefix info",
        4 => "redirected header",
        5 => "mtu",
        7 => "advertisement interval",
        8 => "homeagent information",
        24 => "route info",
        25 => "rdnss",
        31 => "dnssl",
        _ => "unknown",
    }
}

fn push_option(out: &mut Vec<u8>, kind: u8, words: u8, option: Fields<'_>) -> Option<()> {
    match kind {
        1 | 2 => {
            for (i, &byte) in option.from(2).0.iter().enumerate() {
                put!(out, if i == 0 { "" } else { ":" }, Hex2(byte));
            }
        }
        3 => {
            put!(out, option.ipv6(16)?, "/", option.u8(2)?);
            put!(out, if words == 4 { ", Flags [" } else { "badlen, Flags [" });
            push_flags(
                out,
                u32::from(option.u8(3)?),
                &[(0x80, "onlink"), (0x40, "auto"), (0x20, "router")],
            );
            put!(out, "], valid time ");
            push_lifetime(out, option.u32(4)?);
            put!(out, ", pref. time ");
            push_lifetime(out, option.u32(8)?);
        }
        5 => put!(out, " ", option.u32(4)?, if words == 1 { "" } else { "bad option length" }),
        7 => put!(out, " ", option.u32(4)?, "ms"),
        8 => {
            push_field(out, " preference ", option.u16(4))?;
            push_field(out, ", lifetime ", option.u16(6))?;
        }
        24 => {
            let mut prefix = [0; 16];
            for (to, &from) in prefix.iter_mut().zip(option.from(8).0) {
                *to = from;
            }
            if words > 3 {
                return None;
            }
            put!(out, " ", std::net::Ipv6Addr::from(prefix), "/", option.u8(2)?);
            put!(out, ", pref=", preference(option.u8(3)?), ", lifetime=");
            push_lifetime(out, option.u32(4)?);
        }
        25 => {
            put!(out, " lifetime ", option.u32(4)?, "s,");
            for i in 0..usize::from(words - 1) / 2 {
                push_field(out, " addr: ", option.ipv6(8 + i * 16))?;
            }
        }
        31 => {
            put!(out, " lifetime ", option.u32(4)?, "s, domain(s):");
            push_domains(out, option.from(8).0);
        }
        _ => {}
    }
    Some(())
}

fn push_lifetime(out: &mut Vec<u8>, seconds: u32) {
    if seconds == u32::MAX {
        put!(out, "infinity");
    } else {
        put!(out, seconds, "s");
    }
}

/// Names in DNS's form (RFC 1035, 3.1), uncompressed, then zeros.
fn push_domains(out: &mut Vec<u8>, mut names: &[u8]) {
    let mut is_first = true;
    while let [len, rest @ ..] = names {
        let (label, behind) = rest.split_at_checked(usize::from(*len)).unwrap_or((rest, &[]));
        if label.is_empty() {
            if is_first {
                return;
            }
            is_first = true;
        } else {
            put!(out, if is_first { " " } else { "" });
            text::push_escaped(out, label);
            put!(out, ".");
            is_first = false;
        }
        names = behind;
    }
}
