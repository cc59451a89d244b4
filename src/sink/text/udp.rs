//! UDP (RFC 768).

use crate::packet::{Packet, Transport, proto};
use crate::pf::Family;
use crate::sink::page::Page;
use crate::sink::text::put::{Hex4, put};
use crate::sink::text::{Options, ip, ipsec};

const HEADER_LEN: usize = 8;

/// Appends the datagram with the flow's ends in front.
pub(super) fn push(page: &mut Page, packet: &Packet<'_>, options: &Options) {
    let out = &mut page.text;
    ip::push_ends_of(out, packet, packet.ports(), proto::UDP, options);
    let Transport::Udp(udp) = &packet.transport else {
        put!(out, " [|udp]");
        return;
    };
    let len = packet.payload_len;
    if len < HEADER_LEN {
        put!(out, "truncated-udp ", len);
        return;
    }
    let Some(claimed) = udp.len else {
        put!(out, " [|udp]");
        return;
    };
    let claimed = match usize::from(claimed) {
        // A jumbogram (RFC 2675).
        0 if len > 0xffff => len,
        claimed => claimed,
    };
    let Some(claimed) = claimed.checked_sub(HEADER_LEN) else {
        put!(out, "truncated-udplength ", claimed);
        return;
    };
    if packet.payload.len() < HEADER_LEN && !ip::is_cut(packet) {
        put!(out, " [|udp]");
        return;
    }
    let fragment = ip::is_fragment(packet);
    let len = claimed.min(len - HEADER_LEN);
    if options.verbose > 0 && !fragment {
        push_checksum(out, packet, udp.cksum, len, options);
    }
    if ipsec::push_udp(page, udp, len, options) {
        return;
    }
    let out = &mut page.text;
    if claimed > len && !fragment {
        put!(out, "UDP, bad length ", claimed, " > ", len);
    } else {
        put!(out, "UDP, length ", claimed);
    }
}

/// `-vv`, and for IPv6, where a checksum is not optional, `-v`.
fn push_checksum(
    out: &mut Vec<u8>,
    packet: &Packet<'_>,
    found: Option<u16>,
    len: usize,
    options: &Options,
) {
    let v4 = packet.ip.family == Family::Inet;
    let Some(found) = found.filter(|_| !v4 || options.verbose > 1) else { return };
    if v4 && found == 0 {
        put!(out, "[no cksum] ");
        return;
    }
    let Some(data) = packet.payload.get(..len + HEADER_LEN) else { return };
    match ip::transport_sum(packet, data, proto::UDP) {
        0 => put!(out, "[udp sum ok] "),
        sum => {
            put!(out, "[bad udp cksum 0x", Hex4(found));
            put!(out, " -> 0x", Hex4(ip::should_be(found, sum)), "!] ");
        }
    }
}
