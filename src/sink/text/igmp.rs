//! IGMP (RFC 1112, 2236, 3376) and what else uses its protocol number: DVMRP, PIM version 1
//! and multicast traceroute. Of DVMRP and PIM only the kind of message is shown.

use super::fields::Fields;
use super::put::put;
use super::words::{push_cut, push_field, push_name, push_span};
use super::{Options, ip};
use crate::packet::Packet;
use crate::sink::page::Page;
use crate::text;

/// Appends what an IGMP message says.
pub(super) fn push(page: &mut Page, packet: &Packet<'_>, options: &Options) {
    let out = &mut page.text;
    if options.quiet {
        return put!(out, "igmp");
    }
    let (message, len) = (Fields(packet.payload), packet.payload_len);
    if push_message(out, message, len, options.verbose).is_none() {
        return push_cut(out, "igmp");
    }
    if options.verbose > 0
        && len >= 4
        && message.0.len() >= len
        && let Some(found) = message.u16(2)
        && ip::fold(ip::sum(message.first(len), 0)) != 0xffff
    {
        put!(out, " bad igmp cksum ");
        text::push_hex_min(out, u64::from(found));
        put!(out, "!");
    }
}

fn push_message(out: &mut Vec<u8>, message: Fields<'_>, len: usize, verbose: u8) -> Option<()> {
    let kind = message.u8(0)?;
    let odd_len = |out: &mut Vec<u8>| {
        if len != 8 {
            put!(out, " [len ", len, "]");
        }
    };
    match kind {
        0x11 => {
            put!(out, "igmp query");
            if len >= 12 {
                return push_query_v3(out, message, len, verbose);
            }
            match message.u8(1)? {
                0 => put!(out, " v1"),
                100 => put!(out, " v2"),
                time => put!(out, " v2 [max resp time ", time, "]"),
            }
            let group = message.ipv4(4)?;
            if !group.is_unspecified() {
                put!(out, " [gaddr ", group, "]");
            }
            odd_len(out);
        }
        0x12 => {
            put!(out, "igmp v1 report");
            push_field(out, " ", message.ipv4(4))?;
            odd_len(out);
        }
        0x13 => {
            put!(out, "igmp dvmrp");
            if len < 8 {
                put!(out, " [len ", len, "]");
            } else {
                push_dvmrp(out, message)?;
            }
        }
        0x14 => {
            put!(out, "igmp pimv1");
            push_pim(out, message, verbose)?;
        }
        0x16 => {
            put!(out, "igmp v2 report");
            push_field(out, " ", message.ipv4(4))?;
        }
        0x17 => {
            put!(out, "igmp leave");
            push_field(out, " ", message.ipv4(4))?;
        }
        0x1e => push_trace(out, "mresp", message, len)?,
        0x1f => push_trace(out, "mtrace", message, len)?,
        0x22 => {
            put!(out, "igmp v3 report");
            push_report_v3(out, message, len, verbose)?;
        }
        _ => put!(out, "igmp-", kind),
    }
    Some(())
}

fn push_query_v3(out: &mut Vec<u8>, message: Fields<'_>, len: usize, verbose: u8) -> Option<()> {
    put!(out, " v3");
    if !len.is_multiple_of(4) {
        put!(out, " [invalid len ", len, "]");
        return Some(());
    }
    let code = message.u8(1)?;
    if code != 100 {
        let tenths = floating(u32::from(code), 4);
        put!(out, " [max resp time ");
        if tenths < 600 {
            put!(out, tenths / 10, ".", tenths % 10, "s");
        } else {
            push_span(out, tenths / 10);
        }
        put!(out, "]");
    }
    let group = message.ipv4(4)?;
    if group.is_unspecified() {
        return Some(());
    }
    put!(out, " [gaddr ", group);
    let sources = usize::from(message.u16(10)?);
    if sources > 0 {
        if len < 12 + sources * 4 {
            put!(out, " [invalid number of sources]");
        } else if verbose > 1 {
            push_sources(out, message.from(12), sources)?;
        } else {
            put!(out, ", ", sources, " source(s)");
        }
    }
    put!(out, "]");
    Some(())
}

/// The floating-point form of times and intervals (RFC 3376, 4.1.1; RFC 3810, 5.1.3) with
/// `digits` bits of mantissa; a number below the form's first bit means itself.
pub(super) fn floating(code: u32, digits: u32) -> u32 {
    let hidden = 1 << digits;
    if code < hidden << 3 {
        return code;
    }
    ((code & (hidden - 1)) | hidden) << (((code >> digits) & 7) + 3)
}

fn push_report_v3(out: &mut Vec<u8>, message: Fields<'_>, len: usize, verbose: u8) -> Option<()> {
    if len < 16 || !len.is_multiple_of(4) {
        put!(out, " [invalid len ", len, "]");
        return Some(());
    }
    let count = message.u16(6)?;
    put!(out, ", ", count, " group record(s)");
    if verbose == 0 {
        return Some(());
    }
    let mut at = 8;
    for _ in 0..count {
        if len < at + 8 {
            put!(out, " [invalid number of groups]");
            return Some(());
        }
        let record = message.from(at);
        put!(out, " [gaddr ", record.ipv4(4)?, " ");
        let kind = record.u8(0)?;
        push_name(out, record_name(kind), " [v3-report-#", kind, "]");
        let sources = usize::from(record.u16(2)?);
        at += 8 + sources * 4;
        if len < at {
            put!(out, " [invalid number of sources ", sources, "]");
            return Some(());
        }
        if verbose == 1 {
            put!(out, ", ", sources, " source(s)");
        } else {
            push_sources(out, record.from(8), sources)?;
        }
        put!(out, "]");
    }
    Some(())
}

/// The kinds of group records, of IGMPv3 and MLDv2 alike.
pub(super) const fn record_name(kind: u8) -> Option<&'static str> {
    Some(match kind {
        1 => "is_in",
        2 => "is_ex",
        3 => "to_in",
        4 => "to_ex",
        5 => "allow",
        6 => "block",
        _ => return None,
    })
}

fn push_sources(out: &mut Vec<u8>, list: Fields<'_>, count: usize) -> Option<()> {
    put!(out, " {");
    for i in 0..count {
        push_field(out, " ", list.ipv4(i * 4))?;
    }
    put!(out, " }");
    Some(())
}

fn push_dvmrp(out: &mut Vec<u8>, message: Fields<'_>) -> Option<()> {
    let kind = message.u8(1)?;
    let name = match kind {
        1 => Some("Probe"),
        2 => Some("Report"),
        3 => Some("Ask-neighbors(old)"),
        4 => Some("Neighbors(old)"),
        5 => Some("Ask-neighbors2"),
        6 => Some("Neighbors2"),
        7 => Some("Prune"),
        8 => Some("Graft"),
        9 => Some("Graft-ACK"),
        _ => None,
    };
    put!(out, " ");
    push_name(out, name, "[type ", kind, "]");
    if matches!(kind, 7..=9) {
        push_field(out, " src ", message.ipv4(8))?;
        push_field(out, " grp ", message.ipv4(12))?;
    }
    if kind == 7 {
        let timer = message.u32(16)?;
        put!(out, " timer ");
        push_span(out, timer);
    }
    Some(())
}

fn push_pim(out: &mut Vec<u8>, message: Fields<'_>, verbose: u8) -> Option<()> {
    const NAMES: [&str; 8] = [
        "Query",
        "Register",
        "Register-Stop",
        "Join/Prune",
        "RP-reachable",
        "Assert",
        "Graft",
        "Graft-ACK",
    ];
    let kind = message.u8(1)?;
    put!(out, " ");
    push_name(out, NAMES.get(usize::from(kind)).copied(), "[type ", kind, "]");
    match kind {
        0 => match message.u8(8).map(|mode| mode >> 4) {
            None => {}
            Some(0) => put!(out, " Dense-mode"),
            Some(1) => put!(out, " Sparse-mode"),
            Some(2) => put!(out, " Sparse-Dense-mode"),
            Some(mode) => put!(out, " mode-", mode),
        },
        1 => {
            push_field(out, " for ", message.ipv4(20))?;
            push_field(out, " > ", message.ipv4(24))?;
        }
        2 => {
            push_field(out, " for ", message.ipv4(8))?;
            push_field(out, " > ", message.ipv4(12))?;
        }
        5 => {
            push_field(out, " for ", message.ipv4(16))?;
            push_field(out, " > ", message.ipv4(8))?;
            if message.u32(12)? != u32::MAX {
                push_field(out, "/", message.ipv4(12))?;
            }
            let preference = message.u32(20)?;
            put!(out, if preference >> 31 == 1 { " RP-tree" } else { " SPT" });
            put!(out, " pref ", preference & 0x7fff_ffff, " metric ", message.u32(24)?);
        }
        _ => {}
    }
    if kind == 0 && verbose > 0 {
        let time = u32::from(message.u16(10)?);
        put!(out, " (Hold-time ");
        push_span(out, time);
        put!(out, ")");
    }
    match message.u8(4)? >> 4 {
        1 => {}
        version => put!(out, " [v", version, "]"),
    }
    Some(())
}

fn push_trace(out: &mut Vec<u8>, name: &str, message: Fields<'_>, len: usize) -> Option<()> {
    if len < 24 {
        put!(out, " [invalid len ", len, "]");
        return Some(());
    }
    put!(out, name);
    let query = message.u32(20)?;
    put!(out, " ", query & 0xff_ffff, ": ", message.ipv4(8)?, " to ", message.ipv4(12)?);
    let reply = message.ipv4(16)?;
    put!(out, " reply-to ", reply);
    if reply.is_multicast() {
        put!(out, " with-ttl ", query >> 24);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn lines_are_tcpdumps() {
        super::super::oracle::check(include_str!("cases/igmp.txt"));
    }
}
