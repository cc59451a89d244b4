//! Routing protocols that speak IP directly: OSPF (RFC 2328, 5340) and PIM (RFC 7761). The kind
//! of message only.

use super::Options;
use super::fields::Fields;
use super::put::put;
use super::words::{push_cut, push_name};
use crate::packet::Packet;
use crate::pf::Family;
use crate::sink::page::Page;

/// Appends the kind of an OSPF message.
pub(super) fn push_ospf(page: &mut Page, packet: &Packet<'_>, _options: &Options) {
    let out = &mut page.text;
    let header = Fields(packet.payload);
    let is_v3 = packet.ip.family == Family::Inet6;
    let (Some(version), Some(kind)) = (header.u8(0), header.u8(1)) else {
        return push_cut(out, if is_v3 { "ospf3" } else { "ospf2" });
    };
    let name = match kind {
        1 => Some("Hello"),
        2 => Some("Database Description"),
        3 => Some("LS-Request"),
        4 => Some("LS-Update"),
        5 => Some("LS-Ack"),
        _ => None,
    };
    put!(out, "OSPFv", version, ", ");
    if is_v3 {
        push_name(out, name, "unknown packet type (", kind, ")");
    } else {
        push_name(out, name, "unknown LS-type ", kind, "");
    }
    // The digest of RFC 2328, D.4.3, is not part of the message.
    let digest = if !is_v3 && header.u16(14) == Some(2) { 16 } else { 0 };
    put!(out, ", length ", packet.payload_len.saturating_sub(digest));
}

/// Appends the kind of a PIM message.
pub(super) fn push_pim(page: &mut Page, packet: &Packet<'_>, _options: &Options) {
    const NAMES: [&str; 12] = [
        "Hello",
        "Register",
        "Register Stop",
        "Join / Prune",
        "Bootstrap",
        "Assert",
        "Graft",
        "Graft Acknowledgement",
        "Candidate RP Advertisement",
        "Prune Refresh",
        "DF Election",
        "ECMP Redirect",
    ];
    let out = &mut page.text;
    let Some(first) = Fields(packet.payload).u8(0) else { return push_cut(out, "pim") };
    put!(out, "PIMv", first >> 4);
    if first >> 4 == 2 {
        put!(out, ", ", NAMES.get(usize::from(first & 0xf)).copied().unwrap_or("Unknown Type"));
    }
    put!(out, ", length ", packet.payload_len);
}
