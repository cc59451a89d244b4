//! ICMPv6 (RFC 4443), neighbour discovery (RFC 4861), multicast listeners (RFC 2710, 3810) and
//! what else has its numbers.
//!
//! Not here: node information (RFC 4620), the prefixes of router renumbering, RPL's objects,
//! and dumps of what has no name.

use super::fields::Fields;
use super::igmp::{floating, record_name};
use super::put::{Hex, Hex4, put};
use super::words::{Host, push_cut, push_field, push_flags, push_name};
use super::{Options, ip, names, ndp};
use crate::packet::{Packet, Transport, proto};
use crate::sink::page::Page;

const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOR_SOLICITATION: u8 = 135;
const NEIGHBOR_ADVERTISEMENT: u8 = 136;
const REDIRECT: u8 = 137;
const HOME_AGENT_REPLY: u8 = 145;
const MOBILE_PREFIX: u8 = 147;
const RPL: u8 = 155;

/// Appends what an ICMPv6 message says.
pub(super) fn push(page: &mut Page, packet: &Packet<'_>, options: &Options) {
    let (message, len) = (Fields(packet.payload), packet.payload_len);
    let out = &mut page.text;
    if len == 0 {
        return put!(out, "ICMP6, length 0 (invalid)");
    }
    if options.verbose > 0 && !ip::is_fragment(packet) && message.0.len() >= len {
        push_checksum(out, packet, message.first(len));
    }
    if push_message(out, message, len, options).is_none() {
        push_cut(out, "icmp6");
    }
}

fn push_checksum(out: &mut Vec<u8>, packet: &Packet<'_>, message: &[u8]) {
    let Some(found) = Fields(message).u16(2) else { return };
    match ip::transport_sum(packet, message, proto::ICMP6) {
        0 => put!(out, "[icmp6 sum ok] "),
        rest => {
            put!(
                out,
                "[bad icmp6 cksum 0x",
                Hex4(found),
                " -> 0x",
                Hex4(ip::should_be(found, rest)),
                "!] "
            );
        }
    }
}

fn push_message(
    out: &mut Vec<u8>,
    message: Fields<'_>,
    len: usize,
    options: &Options,
) -> Option<()> {
    let verbose = options.verbose;
    let host = |addr| Host(addr, options);
    let kind = message.u8(0)?;
    put!(out, "ICMP6, ");
    push_name(out, kind_name(kind), "unknown icmp6 type (", kind, ")");
    let is_long = matches!(kind, ROUTER_SOLICITATION..=REDIRECT | HOME_AGENT_REPLY | MOBILE_PREFIX);
    if verbose > 0 && is_long {
        put!(out, ", length ", len);
    }
    let code = message.u8(1)?;
    match kind {
        1 => {
            push_unreachable(out, message, code, options)?;
            if code > 4 {
                return Some(());
            }
        }
        2 => push_field(out, ", mtu ", message.u32(4))?,
        3 => match code {
            0 => push_field(out, " for ", message.ipv6(32).map(host))?,
            1 => put!(out, " (reassembly)"),
            _ => put!(out, ", unknown code (", code, ")"),
        },
        4 => push_problem(out, message, code)?,
        128 | 129 => {
            push_field(out, ", id ", message.u16(4))?;
            push_field(out, ", seq ", message.u16(6))?;
        }
        130 if len != 24 => push_query_v2(out, message, len, verbose)?,
        // tcpdump sets no mark where these two are cut.
        130..=132 if len >= 24 => {
            if let Some(delay) = message.u16(4) {
                put!(out, "max resp delay: ", delay);
            }
            if let Some(group) = message.ipv6(8) {
                put!(out, " addr: ", group);
            }
        }
        ROUTER_SOLICITATION..=REDIRECT => push_discovery(out, message, len, kind, options)?,
        138 => push_renumbering(out, message, code, verbose)?,
        143 => push_report_v2(out, message, len, verbose)?,
        144 | 146 => put!(out, ", id 0x", Hex4(message.u16(4)?)),
        HOME_AGENT_REPLY if verbose > 0 => {
            put!(out, ", id 0x", Hex4(message.u16(4)?));
            for at in (8..len).step_by(16) {
                push_field(out, ", ", message.ipv6(at))?;
            }
        }
        MOBILE_PREFIX if verbose > 0 => {
            put!(out, ", id 0x", Hex4(message.u16(4)?));
            let flags = message.u16(6)?;
            put!(out, if flags & 0xc000 == 0 { "" } else { " " });
            put!(out, if flags & 0x8000 == 0 { "" } else { "M" });
            put!(out, if flags & 0x4000 == 0 { "" } else { "O" });
            ndp::push_options(out, message.from(8), len.saturating_sub(8))?;
        }
        RPL => push_rpl(out, code),
        _ if kind_name(kind).is_none() || matches!(kind, 200 | 201) => {
            put!(out, ", length ", len);
            return Some(());
        }
        _ => {}
    }
    if verbose == 0 {
        put!(out, ", length ", len);
    }
    Some(())
}

const fn kind_name(kind: u8) -> Option<&'static str> {
    Some(match kind {
        1 => "destination unreachable",
        2 => "packet too big",
        3 => "time exceeded in-transit",
        4 => "parameter problem",
        128 => "echo request",
        129 => "echo reply",
        130 => "multicast listener query",
        131 => "multicast listener report",
        132 => "multicast listener done",
        ROUTER_SOLICITATION => "router solicitation",
        ROUTER_ADVERTISEMENT => "router advertisement",
        NEIGHBOR_SOLICITATION => "neighbor solicitation",
        NEIGHBOR_ADVERTISEMENT => "neighbor advertisement",
        REDIRECT => "redirect",
        138 => "router renumbering",
        139 => "who-are-you request",
        140 => "who-are-you reply",
        141 => "inverse neighbor solicitation",
        142 => "inverse neighbor advertisement",
        143 => "multicast listener report v2",
        144 => "ha discovery request",
        HOME_AGENT_REPLY => "ha discovery reply",
        146 => "mobile router solicitation",
        MOBILE_PREFIX => "mobile router advertisement",
        RPL => "RPL",
        200 => "mtrace response",
        201 => "mtrace message",
        _ => return None,
    })
}

fn push_unreachable(
    out: &mut Vec<u8>,
    message: Fields<'_>,
    code: u8,
    options: &Options,
) -> Option<()> {
    match code {
        0 => put!(out, ", unreachable route"),
        // The second space is tcpdump's.
        1 => put!(out, ",  unreachable prohibited"),
        2 => put!(out, ", beyond scope"),
        3 => put!(out, ", unreachable address"),
        4 => put!(out, ", unreachable port"),
        _ => {
            put!(out, ", unknown unreach code (", code, ")");
            return Some(());
        }
    }
    let dst = Host(message.ipv6(32)?, options);
    match code {
        2 => put!(out, " ", dst, ", source address ", Host(message.ipv6(16)?, options)),
        4 => {
            let quoted = Packet::parse(message.from(8).0, message.0.len()).ok()?;
            let (ports, number) = match quoted.transport {
                Transport::Tcp(tcp) => (tcp.ports, proto::TCP),
                Transport::Udp(udp) => (udp.ports, proto::UDP),
                _ => return None,
            };
            put!(out, ", ", dst, if number == proto::TCP { " tcp port " } else { " udp port " });
            names::push_port(out, ports.dst, number, options);
        }
        _ => put!(out, " ", dst),
    }
    Some(())
}

fn push_problem(out: &mut Vec<u8>, message: Fields<'_>, code: u8) -> Option<()> {
    let what = match code {
        0 => ", erroneous - octet ",
        1 => ", next header - octet ",
        2 => ", option - octet ",
        3 => ", incomplete header chain - octet ",
        _ => {
            put!(out, ", code-#", code);
            return message.has(48);
        }
    };
    put!(out, what, message.u32(4)?);
    message.has(48)
}

fn push_discovery(
    out: &mut Vec<u8>,
    message: Fields<'_>,
    len: usize,
    kind: u8,
    options: &Options,
) -> Option<()> {
    let verbose = options.verbose;
    let host = |addr| Host(addr, options);
    let options_at = match kind {
        ROUTER_SOLICITATION => 8,
        ROUTER_ADVERTISEMENT => {
            if verbose > 0 {
                ndp::push_router(out, message)?;
            }
            16
        }
        NEIGHBOR_SOLICITATION => {
            push_field(out, ", who has ", message.ipv6(8).map(host))?;
            24
        }
        NEIGHBOR_ADVERTISEMENT => {
            push_field(out, ", tgt is ", message.ipv6(8).map(host))?;
            if verbose > 0 {
                let flags = message.u32(4)?;
                put!(out, ", Flags [");
                push_flags(
                    out,
                    flags >> 24,
                    &[(0x80, "router"), (0x40, "solicited"), (0x20, "override")],
                );
                put!(out, "]");
            }
            24
        }
        _ => {
            push_field(out, ", ", message.ipv6(24).map(host))?;
            push_field(out, " to ", message.ipv6(8).map(host))?;
            40
        }
    };
    if verbose > 0 {
        ndp::push_options(out, message.from(options_at), len.saturating_sub(options_at))?;
    }
    Some(())
}

fn push_renumbering(out: &mut Vec<u8>, message: Fields<'_>, code: u8, verbose: u8) -> Option<()> {
    match code {
        0 => put!(out, ", command"),
        1 => put!(out, ", result"),
        255 => put!(out, ", sequence number reset"),
        _ => put!(out, ", code-#", code),
    }
    push_field(out, ", seq=", message.u32(4))?;
    if verbose > 0 {
        let flags = message.u8(9)?;
        put!(out, "[");
        for (bit, letter) in [(0x80, "T"), (0x40, "R"), (0x20, "A"), (0x10, "S"), (0x08, "P")] {
            put!(out, if flags & bit == 0 { "" } else { letter });
        }
        put!(out, if flags == 0 { "seg=" } else { ",seg=" }, message.u8(8)?);
        put!(out, ",maxdelay=", message.u16(10)?);
        match message.u32(12)? {
            0 => {}
            reserved => put!(out, "rsvd=0x", Hex(u64::from(reserved))),
        }
        put!(out, "]");
    }
    Some(())
}

fn push_rpl(out: &mut Vec<u8>, code: u8) {
    if code & 0x80 != 0 {
        return put!(out, ", (SEC) [worktodo]");
    }
    put!(out, ", (CLR)");
    match code {
        0 => put!(out, "DODAG Information Solicitation"),
        1 => put!(out, "DODAG Information Object"),
        2 => put!(out, "Destination Advertisement Object"),
        3 => put!(out, "Destination Advertisement Object Ack"),
        _ => put!(out, "RPL message, unknown code ", code),
    }
}

fn push_query_v2(out: &mut Vec<u8>, message: Fields<'_>, len: usize, verbose: u8) -> Option<()> {
    if len < 28 {
        put!(out, " unknown-version (len ", len, ") ");
        return Some(());
    }
    put!(out, " v2");
    if verbose > 0 {
        put!(out, " [max resp delay=", floating(u32::from(message.u16(4)?), 12), "]");
    }
    push_field(out, " [gaddr ", message.ipv6(8))?;
    if verbose > 0 {
        let (flags, interval) = (message.u8(24)?, message.u8(25)?);
        put!(out, if flags & 8 == 0 { "" } else { " sflag" });
        if flags & 7 != 0 {
            put!(out, " robustness=", flags & 7);
        }
        put!(out, " qqi=", floating(u32::from(interval), 4));
    }
    let sources = usize::from(message.u16(26)?);
    if sources > 0 {
        if len < 28 + sources * 16 {
            put!(out, " [invalid number of sources]");
        } else if verbose > 1 {
            push_sources(out, message.from(28), sources)?;
        } else {
            put!(out, ", ", sources, " source(s)");
        }
    }
    put!(out, "]");
    Some(())
}

fn push_report_v2(out: &mut Vec<u8>, message: Fields<'_>, len: usize, verbose: u8) -> Option<()> {
    if len < 8 {
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
        if len < at + 20 {
            put!(out, " [invalid number of groups]");
            return Some(());
        }
        let record = message.from(at);
        put!(out, " [gaddr ", record.ipv6(4)?, " ");
        let kind = record.u8(0)?;
        push_name(out, record_name(kind), " [v2-report-#", kind, "]");
        let sources = usize::from(record.u16(2)?);
        at += 20 + sources * 16;
        if len < at {
            put!(out, " [invalid number of sources ", sources, "]");
            return Some(());
        }
        if verbose == 1 {
            put!(out, ", ", sources, " source(s)");
        } else {
            push_sources(out, record.from(20), sources)?;
        }
        // RFC 3810, 5.2.4: auxiliary data in words of 4 bytes.
        at += usize::from(record.u8(1)?) * 4;
        put!(out, "]");
    }
    Some(())
}

fn push_sources(out: &mut Vec<u8>, list: Fields<'_>, count: usize) -> Option<()> {
    put!(out, " {");
    for i in 0..count {
        push_field(out, " ", list.ipv6(i * 16))?;
    }
    put!(out, " }");
    Some(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn lines_are_tcpdumps() {
        super::super::oracle::check(include_str!("cases/icmp6.txt"));
    }
}
