//! ICMP (RFC 792, 950, 1191, 1256, 1812).
//!
//! Not here: the extensions of RFC 4884 behind a quoted packet.

use super::fields::Fields;
use super::put::{Hex8, put};
use super::words::{Host, Two, push_cut, push_field};
use super::{Options, ip, names};
use crate::packet::{Packet, proto};
use crate::pf::Family;
use crate::sink::page::Page;
use crate::text;

const REDIRECT: u8 = 5;

/// Appends what an ICMP message says.
pub(super) fn push(page: &mut Page, packet: &Packet<'_>, options: &Options) {
    let message = Fields(packet.payload);
    let out = &mut page.text;
    if push_message(out, message, packet.payload_len, options).is_none() {
        return push_cut(out, "icmp");
    }
    if options.verbose == 0 {
        return;
    }
    if !ip::is_fragment(packet) {
        push_checksum(out, message, packet.payload_len);
    }
    if matches!(message.u8(0), Some(3 | 4 | REDIRECT | 11 | 12)) {
        put!(out, "\n\t");
        push_quoted(page, message.from(8), options);
    }
}

/// The packet that an error quotes: its length is what it says itself, the quote holds its
/// first bytes.
fn push_quoted(page: &mut Page, quote: Fields<'_>, options: &Options) {
    let len = quote.u16(2).map_or(quote.0.len(), usize::from);
    ip::push_inner(page, quote.first(len), len, Family::Inet, options);
}

fn push_message(
    out: &mut Vec<u8>,
    message: Fields<'_>,
    len: usize,
    options: &Options,
) -> Option<()> {
    let kind = message.u8(0)?;
    put!(out, "ICMP ");
    match kind {
        0 | 8 => {
            put!(out, "echo ", if kind == 8 { "request" } else { "reply" });
            push_field(out, ", id ", message.u16(4))?;
            push_field(out, ", seq ", message.u16(6))?;
        }
        3 => push_unreachable(out, message, options)?,
        4 => put!(out, "source quench"),
        REDIRECT => push_redirect(out, message, options)?,
        9 => push_routers(out, message)?,
        10 => put!(out, "router solicitation"),
        11 => {
            match message.u8(1)? {
                0 => put!(out, "time exceeded in-transit"),
                1 => put!(out, "ip reassembly time exceeded"),
                code => put!(out, "time exceeded-#", code),
            }
            message.has(28)?;
        }
        12 => match message.u8(1)? {
            0 => push_field(out, "parameter problem - octet ", message.u8(4))?,
            code => put!(out, "parameter problem - code ", code),
        },
        13 => {
            put!(out, "time stamp query");
            push_field(out, " id ", message.u16(4))?;
            push_field(out, " seq ", message.u16(6))?;
        }
        14 => {
            put!(out, "time stamp reply");
            push_field(out, " id ", message.u16(4))?;
            push_field(out, " seq ", message.u16(6))?;
            for (at, name) in [(8, ": org "), (12, ", recv "), (16, ", xmit ")] {
                let time = message.u32(at)?;
                put!(out, name);
                push_time_of_day(out, time);
            }
        }
        15 => put!(out, "information request"),
        16 => put!(out, "information reply"),
        17 => put!(out, "address mask request"),
        18 => {
            put!(out, "address mask is ");
            put!(out, "0x", Hex8(message.u32(8)?));
        }
        _ => put!(out, "type-#", kind),
    }
    put!(out, ", length ", len);
    Some(())
}

/// Who or what cannot be reached. When the quoted packet is cut before its destination, only
/// the code is known.
fn push_unreachable(out: &mut Vec<u8>, message: Fields<'_>, options: &Options) -> Option<()> {
    let code = message.u8(1)?;
    let Some(dst) = message.ipv4(24) else {
        put!(out, "unreachable - #", code);
        return None;
    };
    let dst = Host(dst, options);
    match code {
        3 => return push_port_unreachable(out, message, options),
        2 => put!(out, dst, " protocol ", message.u8(17)?, " unreachable"),
        4 => {
            put!(out, dst, " unreachable - need to frag");
            match message.u16(6)? {
                0 => {}
                mtu => put!(out, " (mtu ", mtu, ")"),
            }
        }
        5 => put!(out, dst, " unreachable - source route failed"),
        8 => put!(out, dst, " unreachable - source host isolated"),
        0 | 6 | 9 | 11 => put!(out, "net ", dst, " unreachable"),
        1 | 7 | 10 | 12..=15 => put!(out, "host ", dst, " unreachable"),
        _ => put!(out, dst, " unreachable - #", code),
    }
    match code {
        6 | 7 => put!(out, " - unknown"),
        9 | 10 => put!(out, " - admin prohibited"),
        11 | 12 => put!(out, " - tos prohibited"),
        13 => put!(out, " - admin prohibited filter"),
        14 => put!(out, " - host precedence violation"),
        15 => put!(out, " - precedence cutoff"),
        _ => {}
    }
    Some(())
}

fn push_port_unreachable(out: &mut Vec<u8>, message: Fields<'_>, options: &Options) -> Option<()> {
    let quoted = message.from(8);
    let dst = Host(quoted.ipv4(16)?, options);
    let port = quoted.u16(usize::from(quoted.u8(0)? & 0xf) * 4 + 2);
    put!(out, dst);
    match (quoted.u8(9)?, port) {
        (number @ (proto::TCP | proto::UDP), Some(port)) => {
            put!(out, if number == proto::TCP { " tcp port " } else { " udp port " });
            names::push_port(out, port, number, options);
        }
        (proto, Some(port)) => put!(out, " protocol ", proto, " port ", port),
        (proto, None) => {
            put!(out, " protocol ", proto, " port unreachable");
            return None;
        }
    }
    put!(out, " unreachable");
    Some(())
}

fn push_redirect(out: &mut Vec<u8>, message: Fields<'_>, options: &Options) -> Option<()> {
    let (code, gateway) = (message.u8(1)?, message.ipv4(4)?);
    match code {
        0 | 1 => put!(out, "redirect"),
        2 | 3 => put!(out, "redirect-tos"),
        _ => put!(out, "redirect-#", code),
    }
    let dst = message.ipv4(24);
    if let Some(dst) = dst {
        put!(out, " ", Host(dst, options));
    }
    put!(out, " to ");
    match code {
        0 | 2 => put!(out, "net "),
        1 | 3 => put!(out, "host "),
        _ => {}
    }
    put!(out, Host(gateway, options));
    dst.map(|_| ())
}

fn push_routers(out: &mut Vec<u8>, message: Fields<'_>) -> Option<()> {
    put!(out, "router advertisement");
    let (count, size, lifetime) = (message.u8(4)?, message.u8(5)?, u32::from(message.u16(6)?));
    put!(out, " lifetime ");
    match lifetime {
        0..60 => put!(out, lifetime),
        60..3600 => put!(out, lifetime / 60, ":", Two(lifetime % 60)),
        _ => {
            put!(out, lifetime / 3600, ":", Two(lifetime % 3600 / 60), ":", Two(lifetime % 60));
        }
    }
    put!(out, " ", count, ":");
    if size != 2 {
        put!(out, " [size ", size, "]");
        return Some(());
    }
    for i in 0..usize::from(count) {
        let (router, preference) = (message.ipv4(8 + i * 8)?, message.u32(12 + i * 8)?);
        put!(out, " {", router, " ", preference, "}");
    }
    Some(())
}

/// Milliseconds since midnight UTC.
fn push_time_of_day(out: &mut Vec<u8>, time: u32) {
    let (seconds, milliseconds) = (time / 1000, time % 1000);
    put!(out, Two(seconds / 3600), ":", Two(seconds / 60 % 60), ":", Two(seconds % 60), ".");
    text::push_dec_padded(out, u64::from(milliseconds), 3);
}

/// Says so if the checksum is wrong; needs the whole message.
fn push_checksum(out: &mut Vec<u8>, message: Fields<'_>, len: usize) {
    let Some(found) = message.u16(2).filter(|_| message.0.len() >= len) else { return };
    let rest = !ip::fold(ip::sum(message.first(len), 0));
    if rest != 0 {
        put!(out, " (wrong icmp cksum ");
        text::push_hex_min(out, u64::from(found));
        put!(out, " (->");
        text::push_hex_min(out, u64::from(ip::should_be(found, rest)));
        put!(out, ")!)");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn lines_are_tcpdumps() {
        super::super::oracle::check(include_str!("cases/icmp.txt"));
    }
}
