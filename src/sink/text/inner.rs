//! Packets in packets: what tunnels carry and what ICMP errors quote.

use super::Options;
use super::demux;
use super::fields::Fields;
use super::ipsec;
use super::put::put;
use super::words::push_cut;
use crate::packet::{Packet, Transport, proto};
use crate::pf::Family;
use crate::sink::page::Page;

/// How deep packets in packets are shown. The format sets no limit; the stack does.
const DEEPEST: u8 = 8;

/// Appends an IPv4 packet of which `bytes` are there and which had `len`.
pub(super) fn push_v4(page: &mut Page, bytes: &[u8], len: usize, options: &Options) {
    match bytes.first().map(|first| first >> 4) {
        Some(4) => push(page, bytes, len, options),
        Some(6) => put!(&mut page.text, "IP6, wrong link-layer encapsulation (invalid)"),
        Some(version) => put!(&mut page.text, "IP", version, " (invalid)"),
        None => push_cut(&mut page.text, "ip"),
    }
}

/// Appends an IPv6 packet of which `bytes` are there and which had `len`.
pub(super) fn push_v6(page: &mut Page, bytes: &[u8], len: usize, options: &Options) {
    match bytes.first().map(|first| first >> 4) {
        Some(6) => push(page, bytes, len, options),
        Some(version) => {
            put!(&mut page.text, if options.link { "" } else { "IP6 " });
            put!(&mut page.text, "version error: ", version, " != 6");
        }
        None => push_cut(&mut page.text, "ip6"),
    }
}

/// Appends an IPv4 packet that an ICMP error quotes: its length is what it says itself, the
/// quote holds its first bytes.
pub(super) fn push_quoted(page: &mut Page, bytes: &[u8], options: &Options) {
    let len = Fields(bytes).u16(2).map_or(bytes.len(), usize::from);
    push_v4(page, Fields(bytes).first(len), len, options);
}

fn push(page: &mut Page, bytes: &[u8], len: usize, options: &Options) {
    let Ok(packet) = Packet::parse(bytes, len) else {
        return push_cut(&mut page.text, "ip");
    };
    if page.depth == DEEPEST {
        return put!(&mut page.text, "[nested deeper]");
    }
    page.depth += 1;
    push_ip(page, &packet, options);
    page.depth -= 1;
}

/// True if the packet is the first part of a fragmented one, so that its checksum covers bytes
/// that are elsewhere.
pub(super) fn is_fragmented(packet: &Packet<'_>) -> bool {
    match packet.ip.family {
        Family::Inet6 => packet.ip.frag.is_some(),
        _ => packet.ip.frag.is_some_and(|frag| frag.more),
    }
}

/// The internet checksum (RFC 1071) over the parts, each but the last of even length: `None`
/// if it is right, else what the field should hold instead of `found`.
pub(super) fn checksum(found: u16, parts: &[&[u8]]) -> Option<u16> {
    let fold = |sum: u64| {
        let sum = (sum & 0xffff_ffff) + (sum >> 32);
        let sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
        let sum = (sum & 0xffff) + (sum >> 16);
        ((sum & 0xffff) + (sum >> 16)) & 0xffff
    };
    let mut sum = 0_u64;
    for part in parts {
        let mut words = part.chunks_exact(2);
        for word in words.by_ref() {
            if let &[hi, lo] = word {
                sum += u64::from(u16::from_be_bytes([hi, lo]));
            }
        }
        if let &[last] = words.remainder() {
            sum += u64::from(u16::from_be_bytes([last, 0]));
        }
    }
    let left = !fold(sum) & 0xffff;
    (left != 0).then(|| u16::try_from(fold(u64::from(found) + left)).unwrap_or(u16::MAX))
}

/// As [`checksum`], with the pseudo header of the packet's family in front.
pub(super) fn checksum_ip(
    found: u16,
    packet: &Packet<'_>,
    number: u8,
    message: &[u8],
) -> Option<u16> {
    let len = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut pseudo = [0; 40];
    let addresses = match packet.ip.family {
        Family::Inet6 => packet.ip.header.get(8..40),
        _ => packet.ip.header.get(12..20),
    }?;
    let [a, b, c, d] = len;
    let tail = [a, b, c, d, 0, 0, 0, number];
    for (to, &from) in pseudo.iter_mut().zip(addresses.iter().chain(&tail)) {
        *to = from;
    }
    checksum(found, &[&pseudo, message])
}

// Stands in for the printers of IP, TCP, UDP and ports.

pub(super) fn push_port(out: &mut Vec<u8>, port: u16, _transport: u8, _options: &Options) {
    put!(out, port);
}

pub(super) fn push_ip(page: &mut Page, packet: &Packet<'_>, options: &Options) {
    let out = &mut page.text;
    if !options.link {
        put!(out, if packet.ip.family == Family::Inet6 { "IP6 " } else { "IP " });
    }
    let (Some(src), Some(dst)) = (packet.ip.src, packet.ip.dst) else {
        return push_cut(out, "ip");
    };
    if packet.ah.is_some() || packet.ip.proto == Some(proto::AH) {
        put!(out, src, " > ", dst, ": ");
        ipsec::push_ah(page, packet, options);
        if packet.ip.proto == Some(proto::AH) {
            return;
        }
    }
    let out = &mut page.text;
    if packet.ip.frag.is_some_and(|frag| frag.offset > 0) {
        return put!(out, src, " > ", dst, ": ip-proto-", packet.ip.proto.unwrap_or(0));
    }
    match (packet.ports(), packet.transport) {
        (Some(ports), Transport::Tcp(_) | Transport::Udp(_)) if packet.ah.is_some() => {
            put!(out, ports.src, " > ", ports.dst, ": ");
        }
        (Some(ports), _) => put!(out, src, ".", ports.src, " > ", dst, ".", ports.dst, ": "),
        (None, _) if packet.ah.is_none() => put!(out, src, " > ", dst, ": "),
        _ => {}
    }
    match packet.transport {
        Transport::Tcp(_) => put!(out, "tcp"),
        Transport::Udp(udp) => {
            if !ipsec::push_udp(page, &udp, packet, options) {
                put!(&mut page.text, "UDP, length ", udp.len.unwrap_or(8).saturating_sub(8));
            }
        }
        _ => demux::push(page, packet, options),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn lines_are_tcpdumps() {
        super::super::oracle::check(include_str!("cases/inner.txt"));
    }
}
