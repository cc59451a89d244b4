//! GRE (RFC 2784, 2890, 1701) and PPTP's version of it (RFC 2637), with the IP packet inside,
//! also when that is in Ethernet or PPP.
//!
//! Not here: PPP's own protocols, MPLS, IPX, AppleTalk and OSI, which get their number.

use super::fields::Fields;
use super::put::{Hex, Hex4, put};
use super::words::{push_cut, push_field, push_flags};
use super::{Options, ip, link};
use crate::packet::Packet;
use crate::pf::Family;
use crate::sink::page::Page;
use crate::text;

const CHECKSUM: u16 = 0x8000;
const ROUTING: u16 = 0x4000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;
const ACK: u16 = 0x0080;

const FLAGS: [(u32, &str); 6] = [
    (0x8000, "checksum present"),
    (0x4000, "routing present"),
    (0x2000, "key present"),
    (0x1000, "sequence# present"),
    (0x0800, "source routing present"),
    (0x0080, "ack present"),
];

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const ETHERNET: u16 = 0x6558;
const PPP: u16 = 0x880b;

/// Appends the GRE header and the packet inside.
pub(super) fn push(page: &mut Page, packet: &Packet<'_>, options: &Options) {
    if push_header(page, packet, options).is_none() {
        push_cut(&mut page.text, "gre");
    }
}

fn push_header(page: &mut Page, packet: &Packet<'_>, options: &Options) -> Option<()> {
    let (header, out) = (Fields(packet.payload), &mut page.text);
    let flags = header.u16(0)?;
    put!(out, "GREv", flags & 7);
    let (at, protocol, has_payload) = match flags & 7 {
        0 => {
            push_flag_names(out, flags, options);
            let protocol = header.u16(2)?;
            (push_fields(out, header, flags, options)?, protocol, true)
        }
        1 => {
            push_flag_names(out, flags, options);
            let protocol = header.u16(2)?;
            (push_pptp_fields(out, header, flags)?, protocol, flags & SEQUENCE != 0)
        }
        _ => {
            put!(out, " ERROR: unknown-version");
            return Some(());
        }
    };
    if options.link {
        put!(out, ", proto ", link::ethertype_name(protocol).unwrap_or("unknown"), " (0x");
        text::push_hex(out, &protocol.to_be_bytes());
        put!(out, ")");
    }
    put!(out, ", length ", packet.payload_len);
    if has_payload {
        put!(out, if options.verbose == 0 { ": " } else { "\n\t" });
        let len = packet.payload_len.saturating_sub(at);
        let is_pptp = flags & 7 == 1;
        push_payload(page, protocol, is_pptp, header.from(at), len, options);
    }
    Some(())
}

fn push_flag_names(out: &mut Vec<u8>, flags: u16, options: &Options) {
    if options.verbose > 0 {
        put!(out, ", Flags [");
        push_flags(out, u32::from(flags), &FLAGS);
        put!(out, "]");
    }
}

/// The optional fields of version 0; gives where the payload starts.
fn push_fields(
    out: &mut Vec<u8>,
    header: Fields<'_>,
    flags: u16,
    options: &Options,
) -> Option<usize> {
    let mut at = 4;
    if flags & (CHECKSUM | ROUTING) != 0 {
        let sum = header.u16(at)?;
        if options.verbose > 0 {
            put!(out, ", sum 0x", Hex(u64::from(sum)));
        }
        put!(out, ", off 0x", Hex(u64::from(header.u16(at + 2)?)));
        at += 4;
    }
    if flags & KEY != 0 {
        put!(out, ", key=0x", Hex(u64::from(header.u32(at)?)));
        at += 4;
    }
    if flags & SEQUENCE != 0 {
        push_field(out, ", seq ", header.u32(at))?;
        at += 4;
    }
    if flags & ROUTING != 0 {
        at = push_routes(out, header, at)?;
    }
    Some(at)
}

/// The source routes of RFC 1701, which end with an empty one.
fn push_routes(out: &mut Vec<u8>, header: Fields<'_>, mut at: usize) -> Option<usize> {
    loop {
        let (family, offset, len) = (header.u16(at)?, header.u8(at + 2)?, header.u8(at + 3)?);
        at += 4;
        let (offset, len) = (usize::from(offset), usize::from(len));
        let size = match (family, len) {
            (0, 0) => return Some(at),
            (IPV4, _) => {
                put!(out, ", (rtaf=ip");
                4
            }
            (0xfffe, _) => {
                put!(out, ", (rtaf=asn");
                2
            }
            _ => {
                put!(out, ", (rtaf=0x", Hex(u64::from(family)), ")");
                at += len;
                continue;
            }
        };
        if offset % size != 0 {
            put!(out, ", badoffset=", offset);
        } else if len % size != 0 {
            put!(out, ", badlength=", len);
        } else if offset >= len {
            put!(out, ", badoff/len=", offset, "/", len);
        } else {
            for hop in (0..len).step_by(size) {
                put!(out, if hop == offset { " *" } else { " " });
                if size == 4 {
                    put!(out, header.ipv4(at + hop)?);
                } else {
                    text::push_hex_min(out, u64::from(header.u16(at + hop)?));
                }
            }
        }
        put!(out, ")");
        at += len;
    }
}

/// The optional fields of version 1; gives where the payload starts.
fn push_pptp_fields(out: &mut Vec<u8>, header: Fields<'_>, flags: u16) -> Option<usize> {
    let mut at = 4;
    if flags & KEY != 0 {
        put!(out, ", call ", header.u32(at)? & 0xffff);
        at += 4;
    }
    if flags & SEQUENCE != 0 {
        push_field(out, ", seq ", header.u32(at))?;
        at += 4;
    }
    if flags & ACK != 0 {
        push_field(out, ", ack ", header.u32(at))?;
        at += 4;
    }
    if flags & SEQUENCE == 0 {
        put!(out, ", no-payload");
    }
    Some(at)
}

fn push_payload(
    page: &mut Page,
    protocol: u16,
    is_pptp: bool,
    payload: Fields<'_>,
    len: usize,
    options: &Options,
) {
    match protocol {
        IPV4 if !is_pptp => ip::push_inner(page, payload.0, len, Family::Inet, options),
        IPV6 if !is_pptp => ip::push_inner(page, payload.0, len, Family::Inet6, options),
        ETHERNET if !is_pptp => push_ethernet(page, payload, len, options),
        PPP if is_pptp => push_ppp(page, payload, len, options),
        _ => put!(&mut page.text, "gre-proto-0x", Hex(u64::from(protocol))),
    }
}

/// An Ethernet frame without its tags.
fn push_ethernet(page: &mut Page, frame: Fields<'_>, len: usize, options: &Options) {
    let out = &mut page.text;
    let Some(kind) = frame.u16(12) else { return push_cut(out, "ether") };
    let is_ip = matches!(kind, IPV4 | IPV6);
    if options.link || !is_ip {
        link::push_mac(out, frame.from(6).first(6));
        put!(out, " > ");
        link::push_mac(out, frame.first(6));
        let name = link::ethertype_name(kind).unwrap_or("Unknown");
        if options.quiet {
            put!(out, ", ", name);
        } else {
            put!(out, ", ethertype ", name, " (0x", Hex4(kind), ")");
        }
        put!(out, ", length ", len, if is_ip { ": " } else { "" });
    }
    let (payload, len) = (frame.from(14).0, len.saturating_sub(14));
    match kind {
        IPV4 => ip::push_inner(page, payload, len, Family::Inet, options),
        IPV6 => ip::push_inner(page, payload, len, Family::Inet6, options),
        _ => {}
    }
}

/// A PPP frame as PPTP carries it, both headers possibly compressed.
fn push_ppp(page: &mut Page, frame: Fields<'_>, len: usize, options: &Options) {
    let start = if frame.u16(0) == Some(0xff03) { 2 } else { 0 };
    let protocol = match frame.u8(start) {
        Some(short) if short % 2 == 1 => Some((u16::from(short), start + 1)),
        _ => frame.u16(start).map(|protocol| (protocol, start + 2)),
    };
    let out = &mut page.text;
    let Some((protocol, at)) = protocol else { return push_cut(out, "ppp") };
    let name = match protocol {
        0x0021 => "IP",
        0x0057 => "IP6",
        0x8021 => "IPCP",
        0x8057 => "IP6CP",
        0x80fd => "CCP",
        0xc021 => "LCP",
        0xc023 => "PAP",
        0xc223 => "CHAP",
        0xc227 => "EAP",
        0x00fd => "Compressed",
        _ => "unknown",
    };
    if options.link {
        put!(out, name, " (0x");
        text::push_hex(out, &protocol.to_be_bytes());
        put!(out, "), length ", len);
        if name != "unknown" {
            put!(out, ": ");
        }
    }
    let payload_len = len.saturating_sub(at);
    match protocol {
        0x0021 => ip::push_inner(page, frame.from(at).0, payload_len, Family::Inet, options),
        0x0057 => ip::push_inner(page, frame.from(at).0, payload_len, Family::Inet6, options),
        _ if options.link => {}
        _ if name == "unknown" => put!(out, "unknown PPP protocol (0x", Hex4(protocol), ")"),
        _ => put!(out, name, ", length ", payload_len),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn lines_are_tcpdumps() {
        super::super::oracle::check(include_str!("cases/gre.txt"));
    }
}
