//! IPv4, and what both versions have in common: whole packets, ends of a flow, checksums.

use std::net::{IpAddr, Ipv4Addr};

use crate::error::{DecodeError, Fault};
use crate::packet::{Packet, Ports, proto};
use crate::pf::Family;
use crate::sink::page::Page;
use crate::sink::text::put::{Hex, be16, byte, put};
use crate::sink::text::{Options, ip6, ipopt, names, push_transport};

/// Packets within packets that are followed: a packet can hold thousands.
const MAX_DEPTH: u8 = 8;

/// Appends a whole packet, also one that is quoted or encapsulated.
pub(super) fn push(page: &mut Page, packet: &Packet<'_>, options: &Options) {
    if page.depth >= MAX_DEPTH {
        put!(&mut page.text, "[nested too deep]");
        return;
    }
    page.depth += 1;
    match packet.ip.family {
        Family::Inet => push_v4(page, packet, options),
        Family::Inet6 => ip6::push(page, packet, options),
    }
    page.depth -= 1;
}

/// Appends what follows the addresses of a whole packet whose IP header is unremarkable.
pub(super) fn push_behind(page: &mut Page, packet: &Packet<'_>, options: &Options) {
    page.depth += 1;
    match packet.ip.family {
        Family::Inet => push_transport(page, packet, options),
        Family::Inet6 => ip6::push_behind(page, packet, options),
    }
    page.depth -= 1;
}

/// Appends the packet in `bytes`, of which there were `len`. The family is what stands before it
/// says; what stands in it counts, but for a version that is neither.
pub(super) fn push_inner(
    page: &mut Page,
    bytes: &[u8],
    len: usize,
    family: Family,
    options: &Options,
) {
    let (tag, least, prefix) = match family {
        Family::Inet => ("ip", 1, "IP "),
        Family::Inet6 => ("ip6", 40, "IP6 "),
    };
    let prefix = if options.link { "" } else { prefix };
    let out = &mut page.text;
    match Packet::parse(bytes, len) {
        Ok(packet) => push(page, &packet, options),
        Err(_) if bytes.len() < least => put!(out, " [|", tag, "]"),
        Err(DecodeError { fault: Fault::BadVersion(version), .. }) => match family {
            Family::Inet => put!(out, "IP", version, " (invalid)"),
            Family::Inet6 => put!(out, prefix, "version error: ", version, " != 6"),
        },
        Err(DecodeError { fault: Fault::BadLength(len), .. }) if bytes.len() >= 20 => {
            put!(out, prefix, "bad-hlen ", len);
        }
        Err(_) => put!(out, prefix, " [|ip]"),
    }
}

/// True for protocols whose line starts with addresses and ports instead of addresses.
pub(super) const fn has_ends(number: u8) -> bool {
    matches!(number, proto::TCP | proto::UDP | proto::SCTP)
}

/// Appends `SRC > DST` as far as they are there.
pub(super) fn push_addresses(out: &mut Vec<u8>, packet: &Packet<'_>, options: &Options) {
    for (i, addr) in [packet.ip.src, packet.ip.dst].into_iter().enumerate() {
        if i > 0 {
            put!(out, " > ");
        }
        match addr {
            Some(addr) => names::push_ip(out, addr, options),
            None => put!(out, "?"),
        }
    }
}

/// Appends a header that is cut: the addresses if they are there, and that it is cut. Where not
/// the capture but the packet around it cuts it, as tcpdump does.
pub(super) fn push_cut(out: &mut Vec<u8>, packet: &Packet<'_>, tag: &str, options: &Options) {
    if packet.ip.src.is_some() && is_cut(packet) {
        push_addresses(out, packet, options);
        put!(out, ":");
    }
    put!(out, " [|", tag, "]");
}

/// True if the capture holds less of the packet than there was, which a packet that ends with
/// the one around it does not.
pub(super) fn is_cut(packet: &Packet<'_>) -> bool {
    packet.bytes.len() < packet.ip.len.map_or(packet.len, |len| len.min(packet.len))
}

/// Appends `SRC.PORT > DST.PORT: `, or without the addresses if those are there already: where
/// something stands between IP and the transport.
pub(super) fn push_ends(
    out: &mut Vec<u8>,
    packet: &Packet<'_>,
    ports: Ports,
    transport: u8,
    options: &Options,
) {
    let addresses = follows_ip(packet, transport);
    for (addr, port, end) in [(packet.ip.src, ports.src, " > "), (packet.ip.dst, ports.dst, ": ")] {
        if addresses && let Some(addr) = addr {
            names::push_ip(out, addr, options);
            out.push(b'.');
        }
        names::push_port(out, port, transport, options);
        put!(out, end);
    }
}

/// Appends the ends, or where the ports are cut the addresses if they are not there already.
pub(super) fn push_ends_of(
    out: &mut Vec<u8>,
    packet: &Packet<'_>,
    ports: Option<Ports>,
    transport: u8,
    options: &Options,
) {
    match ports {
        Some(ports) => push_ends(out, packet, ports, transport, options),
        None if follows_ip(packet, transport) => {
            push_addresses(out, packet, options);
            put!(out, ": ");
        }
        None => {}
    }
}

/// True if the IP header itself says that this protocol follows.
pub(super) fn follows_ip(packet: &Packet<'_>, number: u8) -> bool {
    let at = match packet.ip.family {
        Family::Inet => 9,
        Family::Inet6 => 6,
    };
    byte(packet.ip.header, at) == Some(number)
}

/// True if a checksum over the transport cannot be right: the packet is a part of one. IPv6
/// counts as one with any fragment header, as with tcpdump.
pub(super) fn is_fragment(packet: &Packet<'_>) -> bool {
    match packet.ip.family {
        Family::Inet => packet.ip.frag.is_some_and(|frag| frag.more),
        Family::Inet6 => packet.ip.frag.is_some(),
    }
}

fn push_v4(page: &mut Page, packet: &Packet<'_>, options: &Options) {
    let out = &mut page.text;
    if !options.link {
        put!(out, "IP ");
    }
    let bytes = packet.bytes;
    let header_len = bytes.first().map_or(0, |first| usize::from(first & 0xf) * 4);
    let (Some(total), Some(frag), Some(number), true) =
        (packet.ip.len, packet.ip.frag, byte(bytes, 9), bytes.len() >= 20)
    else {
        push_cut(out, packet, "ip", options);
        return;
    };
    if packet.len < total {
        put!(out, "truncated-ip - ", total - packet.len, " bytes missing! ");
    }
    // A length of 0 is that of a segment that the network card is to cut.
    if total < header_len && total > 0 {
        put!(out, "bad-len ", total);
        return;
    }
    if options.verbose > 0 && !push_v4_header(out, packet, header_len) {
        push_addresses(out, packet, options);
        put!(out, ":  [|ip]");
        return;
    }
    if frag.offset > 0 {
        push_addresses(out, packet, options);
        put!(out, ": ");
        names::push_protocol(out, number, options);
        return;
    }
    if !has_ends(number) || bytes.len() < header_len {
        push_addresses(out, packet, options);
        put!(out, ": ");
    }
    if bytes.len() < header_len {
        put!(out, " [remaining caplen(", bytes.len(), ") < header length(", header_len, ")] [|ip]");
        return;
    }
    push_transport(page, packet, options);
}

/// `-v`'s first line; false if it ends in an option that is cut.
fn push_v4_header(out: &mut Vec<u8>, packet: &Packet<'_>, header_len: usize) -> bool {
    let bytes = packet.bytes;
    let field = |at| byte(bytes, at).unwrap_or_default();
    let word = |at| be16(bytes, at).unwrap_or_default();
    let tos = field(1);
    put!(out, "(tos 0x", Hex(tos.into()));
    put!(out, ["", ",ECT(1)", ",ECT(0)", ",CE"].get(usize::from(tos & 3)).copied().unwrap_or(""));
    let (ttl, offset, number) = (field(8), word(6), field(9));
    if ttl > 0 {
        put!(out, ", ttl ", ttl);
    }
    put!(out, ", id ", word(4), ", offset ", u32::from(offset & 0x1fff) * 8, ", flags [");
    let mut none = true;
    for (bit, name) in [(0x2000, "+"), (0x4000, "DF"), (0x8000, "rsvd")] {
        if offset & bit != 0 {
            put!(out, if none { "" } else { ", " }, name);
            none = false;
        }
    }
    put!(out, if none { "none" } else { "" });
    put!(out, "], proto ", protocol_name(number), " (", number, "), length ", word(2));
    let mut whole = true;
    if header_len > 20 {
        put!(out, ", options (");
        // Not beyond the packet: a frame may be padded.
        let end = usize::from(word(2)).clamp(header_len, bytes.len().max(header_len));
        let behind = bytes.get(20..end).or_else(|| bytes.get(20..)).unwrap_or_default();
        whole = ipopt::push(out, behind, header_len - 20);
        put!(out, if whole { ")" } else { " [truncated-option])" });
    }
    let sum = bytes.get(..header_len).map_or(0, |header| !fold(sum(header, 0)));
    if sum != 0 {
        let found = word(10);
        put!(out, ", bad cksum ", Hex(found.into()));
        put!(out, " (->", Hex(should_be(found, sum).into()), ")!");
    }
    put!(out, ")\n    ");
    whole
}

/// The protocol as `-v` shows it, of those that tcpdump takes apart.
pub(super) const fn protocol_name(number: u8) -> &'static str {
    match number {
        0 => "Options",
        1 => "ICMP",
        2 => "IGMP",
        4 => "IPIP",
        6 => "TCP",
        8 => "EGP",
        9 => "IGRP",
        17 => "UDP",
        33 => "DCCP",
        41 => "IPv6",
        43 => "Routing",
        44 => "Fragment",
        46 => "RSVP",
        47 => "GRE",
        50 => "ESP",
        51 => "AH",
        55 => "Mobile IP",
        58 => "ICMPv6",
        62 => "Mobile IP (old)",
        88 => "EIGRP",
        89 => "OSPF",
        103 => "PIM",
        108 => "Compressed IP",
        112 => "VRRP",
        113 => "PGM",
        132 => "SCTP",
        135 => "Mobility",
        143 => "Ethernet",
        _ => "unknown",
    }
}

/// Adds up 16-bit words (RFC 1071); an odd byte at the end counts as the high one.
pub(super) fn sum(bytes: &[u8], start: u64) -> u64 {
    let words = bytes.chunks(2).map(|pair| match *pair {
        [high, low] => u64::from(u16::from_be_bytes([high, low])),
        [high] => u64::from(high) << 8,
        _ => 0,
    });
    words.fold(start, u64::wrapping_add)
}

/// The one's complement sum in 16 bits.
pub(super) fn fold(sum: u64) -> u16 {
    let mut sum = sum;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap_or_default()
}

/// What should stand where `found` stands, if all adds up to the complement of `rest`.
pub(super) fn should_be(found: u16, rest: u16) -> u16 {
    fold(u64::from(found) + u64::from(rest))
}

/// The complement of the sum over pseudo-header and `data`: 0 if the checksum in it is right.
pub(super) fn transport_sum(packet: &Packet<'_>, data: &[u8], number: u8) -> u16 {
    let len = data.len() as u64;
    let start = (len >> 16) + (len & 0xffff) + u64::from(number);
    let start = match packet.ip.src {
        Some(IpAddr::V4(src)) => sum(&src.octets(), start),
        Some(IpAddr::V6(src)) => sum(&src.octets(), start),
        None => start,
    };
    let start = match final_destination(packet) {
        Some(IpAddr::V4(dst)) => sum(&dst.octets(), start),
        Some(IpAddr::V6(dst)) => sum(&dst.octets(), start),
        None => start,
    };
    !fold(sum(data, start))
}

/// The address that a source route ends at, or else the destination.
fn final_destination(packet: &Packet<'_>) -> Option<IpAddr> {
    let routed = match packet.ip.family {
        Family::Inet => routed_to(packet.ip.header.get(20..).unwrap_or_default()),
        Family::Inet6 => ip6::routed_to(packet),
    };
    routed.or(packet.ip.dst)
}

fn routed_to(options: &[u8]) -> Option<IpAddr> {
    let mut rest = options;
    while let Some(&kind) = rest.first() {
        let len = match kind {
            0 => return None,
            1 => 1,
            _ => usize::from(byte(rest, 1)?),
        };
        if len == 0 || (kind != 1 && len < 2) {
            return None;
        }
        let (option, behind) = rest.split_at_checked(len)?;
        if matches!(kind, 131 | 137) && len >= 7 {
            return address(option, len - 4);
        }
        rest = behind;
    }
    None
}

pub(super) fn address(bytes: &[u8], at: usize) -> Option<IpAddr> {
    let octets = bytes.get(at..)?.first_chunk::<4>()?;
    Some(IpAddr::V4(Ipv4Addr::from(*octets)))
}
