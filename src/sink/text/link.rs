//! Link headers: what tcpdump's `-e` shows in front of IP.
//!
//! What is not IP is named after its ethertype with the length of what follows (`ARP, length
//! 28`), which is our own form: tcpdump takes ARP and others apart.

use crate::event::Event;
use crate::sink::text::Options;
use crate::sink::text::put::{Hex4, Hex8, be16, put};
use crate::text::push_hex_byte;
use crate::wire::link::{LinkHeader, LinkType, Network};

/// `M_AUTH` and `M_CONF` of OpenBSD's mbuf.h: how a packet on enc(4) was protected.
const AUTHENTIC: u32 = 0x0800;
const CONFIDENTIAL: u32 = 0x0400;

/// The length of what stands before the network layer; 0 where that was not read.
pub(super) fn header_len(event: &Event<'_>) -> usize {
    if event.packet.is_none() && event.error.is_some() {
        return 0;
    }
    if let Some(header) = &event.pflog {
        return header.skip;
    }
    match event.link {
        LinkHeader::None => 0,
        LinkHeader::Null { .. } => 4,
        LinkHeader::Enc { .. } => 12,
        LinkHeader::Ethernet { tags, .. } => tags.len() + 14,
        LinkHeader::Sll { .. } => 16,
        LinkHeader::Sll2 { .. } => 20,
    }
}

/// Appends the link header of a frame from a wire.
pub(super) fn push(out: &mut Vec<u8>, event: &Event<'_>, options: &Options) {
    let len = event.frame.len;
    match event.link {
        LinkHeader::Enc { spi, flags, .. } => push_enc(out, spi, flags),
        LinkHeader::Sll2 { kind, ifindex, addr, ethertype, .. } => {
            push_sll2(out, kind, ifindex, addr, ethertype, len, options);
        }
        _ if !options.link => {}
        LinkHeader::None => {
            let raw = match event.frame.link {
                LinkType::RAW
                | LinkType::RAW_12
                | LinkType::RAW_14
                | LinkType::IPV4
                | LinkType::IPV6 => true,
                // pfsync devices of OpenBSD 7.4 and later show IP.
                LinkType::PFSYNC | LinkType::PFSYNC_18 | LinkType::PFSYNC_121 => {
                    event.packet.is_some()
                }
                _ => false,
            };
            put!(out, if raw { "ip: " } else { "" });
        }
        LinkHeader::Null { af } => {
            match (family(af), options.quiet) {
                (Some(name), false) => put!(out, "AF ", name, " (", af, ")"),
                (None, false) => put!(out, "AF Unknown (", af, ")"),
                (Some(name), true) => put!(out, name),
                (None, true) => put!(out, "Unknown AF ", af),
            }
            put!(out, ", length ", len, ": ");
        }
        LinkHeader::Ethernet { dst, src, ethertype, tags } => {
            push_mac(out, &src);
            put!(out, " > ");
            push_mac(out, &dst);
            put!(out, ", ");
            push_ethernet(out, ethertype, tags, len, options);
        }
        LinkHeader::Sll { kind, addr, ethertype, .. } => {
            put!(out, direction(kind, ["  B ", "  M ", "  P ", "Out ", " In ", "  ? "]));
            push_cooked(out, addr, ethertype, len, options);
        }
    }
}

pub(super) fn push_mac(out: &mut Vec<u8>, addr: &[u8]) {
    for (i, &byte) in addr.iter().enumerate() {
        if i > 0 {
            out.push(b':');
        }
        push_hex_byte(out, byte);
    }
}

/// Ethertypes and VLAN tags; the frame's length stands behind the first.
fn push_ethernet(out: &mut Vec<u8>, first: u16, tags: &[u8], len: usize, options: &Options) {
    let mut ethertype = first;
    for (i, tag) in tags.chunks_exact(4).enumerate() {
        push_ethertype(out, ethertype, options);
        if i == 0 {
            put!(out, ", length ", len, ": ");
        } else {
            put!(out, ", ");
        }
        let tci = be16(tag, 0).unwrap_or_default();
        put!(out, "vlan ", tci & 0xfff, ", p ", tci >> 13);
        put!(out, if tci & 0x1000 != 0 { ", DEI, " } else { ", " });
        ethertype = be16(tag, 2).unwrap_or_default();
    }
    if ethertype <= MAX_LENGTH {
        put!(out, "802.3");
        if tags.is_empty() {
            let payload = len.saturating_sub(14).min(ethertype.into());
            put!(out, ", length ", payload, ": ");
        }
        return;
    }
    push_ethertype(out, ethertype, options);
    if tags.is_empty() {
        put!(out, ", length ", len, ": ");
    } else {
        put!(out, ", ");
    }
}

fn push_ethertype(out: &mut Vec<u8>, ethertype: u16, options: &Options) {
    match (ethertype_name(ethertype), options.quiet) {
        (name, false) => {
            put!(out, "ethertype ", name.unwrap_or("Unknown"), " (0x", Hex4(ethertype), ")");
        }
        (Some(name), true) => put!(out, name),
        (None, true) => put!(out, "Unknown Ethertype (0x", Hex4(ethertype), ")"),
    }
}

/// Largest value of an Ethernet type field that is a length (IEEE 802.3).
const MAX_LENGTH: u16 = 1500;

fn direction(kind: u16, [broadcast, multicast, other, out, to_us, unknown]: [&str; 6]) -> &str {
    match kind {
        0 => to_us,
        1 => broadcast,
        2 => multicast,
        3 => other,
        4 => out,
        _ => unknown,
    }
}

/// The part that both cooked headers have.
fn push_cooked(out: &mut Vec<u8>, addr: &[u8], ethertype: u16, len: usize, options: &Options) {
    if addr.len() == 6 {
        push_mac(out, addr);
        put!(out, " ");
    }
    if options.quiet {
        return;
    }
    match ethertype {
        1 => put!(out, "802.3"),
        4 => put!(out, "802.2"),
        ..=MAX_LENGTH => put!(out, "ethertype Unknown (0x", Hex4(ethertype), ")"),
        _ => push_ethertype(out, ethertype, options),
    }
    put!(out, ", length ", len, ": ");
}

/// tcpdump looks up the index's name on the machine that reads the file, which is not the one
/// that wrote it; here the name is always unknown, and `-e` shows the index.
fn push_sll2(
    out: &mut Vec<u8>,
    kind: u8,
    ifindex: u32,
    addr: &[u8],
    ethertype: u16,
    len: usize,
    options: &Options,
) {
    put!(out, "?     ", direction(kind.into(), ["B   ", "M   ", "P   ", "Out ", "In  ", "?   "]));
    if options.link {
        put!(out, "ifindex ", ifindex, " ");
        push_cooked(out, addr, ethertype, len, options);
    }
}

/// A flag that is not known leaves the bracket open, as with tcpdump.
fn push_enc(out: &mut Vec<u8>, spi: u32, flags: u32) {
    put!(out, if flags == 0 { "(unprotected): " } else { "(" });
    let mut left = flags;
    for (flag, name) in [(AUTHENTIC, "authentic"), (CONFIDENTIAL, "confidential")] {
        if left & flag != 0 {
            put!(out, name, if left == flag { "): " } else { "," });
            left &= !flag;
        }
    }
    put!(out, "SPI 0x", Hex8(spi), ": ");
}

/// Appends the short form of a frame that is not IP.
pub(super) fn push_other(out: &mut Vec<u8>, event: &Event<'_>, _options: &Options) {
    let len = event.frame.len.saturating_sub(header_len(event));
    match (event.network, event.link) {
        (Network::Llc, _) => put!(out, "LLC"),
        (Network::Other(_), LinkHeader::Null { af } | LinkHeader::Enc { af, .. }) => {
            match family(af) {
                Some(name) => put!(out, name),
                None => put!(out, "unknown-af ", af),
            }
        }
        (Network::Other(ethertype), _) => match ethertype_name(ethertype) {
            Some(name) => put!(out, name),
            None => put!(out, "ethertype 0x", Hex4(ethertype)),
        },
        (Network::Ip, _) => return,
    }
    put!(out, ", length ", len);
}

/// Families as BSDs number them, those that a loopback device has seen.
const fn family(af: u32) -> Option<&'static str> {
    Some(match af {
        2 => "IPv4",
        6 => "NS",
        7 => "ISO",
        16 => "Appletalk",
        23 => "IPX",
        24 | 28 | 30 => "IPv6",
        _ => return None,
    })
}

/// Names of ethertypes in the IEEE's registry, as tcpdump writes them.
pub(super) const fn ethertype_name(ethertype: u16) -> Option<&'static str> {
    Some(match ethertype {
        0x0800 => "IPv4",
        0x0806 => "ARP",
        0x6558 => "TEB",
        0x8035 => "Reverse ARP",
        0x809b => "Appletalk",
        0x80f3 => "Appletalk ARP",
        0x8100 => "802.1Q",
        0x8137 => "IPX",
        0x86dd => "IPv6",
        0x8808 => "MPCP",
        0x8809 => "Slow Protocols",
        0x880b => "PPP",
        0x8847 => "MPLS unicast",
        0x8848 => "MPLS multicast",
        0x8863 => "PPPoE D",
        0x8864 => "PPPoE S",
        0x8870 => "Jumbo",
        0x888e => "EAPOL",
        0x8899 => "Realtek protocols",
        0x88a2 => "AoE",
        0x88a8 => "802.1Q-QinQ",
        0x88ca => "TIPC",
        0x88cc => "LLDP",
        0x88e5 => "802.1AE MACsec",
        0x88f7 => "PTP",
        0x8902 => "CFM",
        0x893a => "IEEE1905.1",
        0x894f => "NSH",
        0x9000 => "Loopback",
        0x9100 => "802.1Q-9100",
        0x9200 => "802.1Q-9200",
        _ => return None,
    })
}
