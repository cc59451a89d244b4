//! IPsec: ESP (RFC 4303), AH (RFC 4302), IKE (RFC 2408, 7296), and ESP and IKE in UDP
//! (RFC 3948). The first headers only: what follows is encrypted or IKE's payloads.
//!
//! The IKE line ends with what tcpdump keeps for `-v` and `-vv`: version and both SPIs.
//!
//! Not here: who is the initiator of an IKEv1 exchange when the responder's cookie is set. It
//! would take the memory of packets before; such a packet is `?`, as a capture is to tcpdump
//! that lacks the first packet.

use super::Options;
use super::fields::Fields;
use super::put::{Bytes, Hex, Hex8, put};
use super::words::{push_cut, push_name};
use crate::packet::{Carries, Packet, Ports, Udp, proto};
use crate::sink::page::Page;
use crate::wire::ipsec::{Encapsulated, Ike, Sa, parse_ike};

const ISAKMP: [u16; 3] = [500, 7500, 8500];
const NAT_T: u16 = 4500;

/// Appends what ESP shows in the clear.
pub(super) fn push(page: &mut Page, packet: &Packet<'_>, _options: &Options) {
    let out = &mut page.text;
    match packet.esp() {
        Some(sa) => push_esp(out, sa, packet.payload_len),
        None => push_cut(out, "esp"),
    }
}

fn push_esp(out: &mut Vec<u8>, sa: Sa, len: usize) {
    put!(out, "ESP(spi=0x", Hex8(sa.spi));
    match sa.seq {
        Some(seq) => put!(out, ",seq=0x", Hex(u64::from(seq)), "), length ", len),
        None => {
            put!(out, ")");
            push_cut(out, "esp");
        }
    }
}

/// Appends the packet's authentication headers, each `AH(…): `, if it has one; the protocol
/// behind them follows. What stands behind a second one is not shown.
pub(super) fn push_ah(page: &mut Page, packet: &Packet<'_>, options: &Options) {
    // Here the extension headers are whole, so that only a cut AH leaves the protocol open.
    if packet.ah.is_none() && packet.ip.proto.is_some_and(|number| number != proto::AH) {
        return;
    }
    let out = &mut page.text;
    let mut rest = Fields(packet.bytes).from(packet.ip.header.len() + packet.ip.extensions.len());
    loop {
        let Some(len) = push_ah_header(out, rest, options) else {
            return push_cut(out, "ah");
        };
        if rest.u8(0) != Some(proto::AH) {
            return;
        }
        rest = rest.from(len);
    }
}

/// Gives the header's length, if all of it is there.
fn push_ah_header(out: &mut Vec<u8>, header: Fields<'_>, options: &Options) -> Option<usize> {
    let words = header.u8(1)?;
    let len = (usize::from(words) + 2) * 4;
    put!(out, "AH(");
    if options.verbose > 0 {
        put!(out, "length=", words, "(", len, "-bytes),");
    }
    let reserved = header.u16(2)?;
    if reserved != 0 {
        put!(out, "reserved=0x", Hex(u64::from(reserved)), "[MustBeZero],");
    }
    let spi = header.u32(4)?;
    put!(out, "spi=0x", Hex8(spi), ",");
    let seq = header.u32(8)?;
    put!(out, "seq=0x", Hex(u64::from(seq)), ",icv=0x");
    let icv_len = len.saturating_sub(12);
    let icv = header.from(12).first(icv_len);
    put!(out, Bytes(icv));
    if icv.len() < icv_len {
        return None;
    }
    put!(out, "): ");
    Some(len)
}

/// True if a datagram may be one of [`push_udp`]'s.
#[inline]
pub(super) fn is_on(ports: Ports) -> bool {
    ISAKMP.into_iter().any(|port| ports.have(port)) || ports.have(NAT_T)
}

/// Appends IKE, encapsulated ESP or a keep-alive, if the datagram is one by its ports; false if
/// it is not. The payload had `len` bytes.
pub(super) fn push_udp(page: &mut Page, udp: &Udp<'_>, len: usize, options: &Options) -> bool {
    if options.quiet {
        return false;
    }
    let on = |port| udp.ports.have(port);
    let out = &mut page.text;
    if ISAKMP.into_iter().any(on) {
        let ike = match udp.carries {
            Carries::Ike(ike) => Some(ike),
            _ => parse_ike(udp.payload),
        };
        push_ike(out, ike, len, options);
        return true;
    }
    if !on(NAT_T) {
        return false;
    }
    match udp.carries {
        Carries::Encapsulated(Encapsulated::Keepalive) if len == 1 => {
            put!(out, "isakmp-nat-keep-alive");
        }
        Carries::Encapsulated(Encapsulated::Ike(ike)) => {
            put!(out, "NONESP-encap: ");
            push_ike(out, ike, len.saturating_sub(4), options);
        }
        Carries::Encapsulated(Encapsulated::Esp(sa)) => {
            put!(out, "UDP-encap: ");
            push_esp(out, sa, len);
        }
        _ => push_cut(out, "isakmp_rfc3948"),
    }
    true
}

fn push_ike(out: &mut Vec<u8>, ike: Option<Ike>, len: usize, options: &Options) {
    let Some(ike) = ike else { return push_cut(out, "isakmp") };
    let (major, minor) = (ike.version >> 4, ike.version & 0xf);
    put!(out, "isakmp");
    if options.verbose > 0 {
        put!(out, " ", major, ".", minor, " msgid ", Hex8(ike.message_id));
    }
    if options.verbose > 1 {
        put!(out, " cookie ");
        push_spis(out, ike);
    }
    put!(out, ":");
    match major {
        1 => push_v1(out, ike),
        2 => push_v2(out, ike),
        _ => {}
    }
    if matches!(major, 1 | 2) && options.verbose > 0 {
        put!(out, ":");
        if ike.flags & 1 != 0 {
            put!(out, " [encrypted ");
            push_name(out, payload_name(ike.next_payload), "#", ike.next_payload, "");
            put!(out, "]");
        }
        if usize::try_from(ike.length) != Ok(len) {
            put!(out, " (len mismatch: isakmp ", ike.length, "/ip ", len, ")");
        }
    }
    if options.verbose < 2 || !matches!(major, 1 | 2) {
        put!(out, " [");
        if options.verbose == 0 {
            put!(out, "version ", major, ".", minor, ", ");
        }
        if !matches!(major, 1 | 2) {
            put!(out, "exchange ", ike.exchange, ", ");
        }
        put!(out, "spi ");
        push_spis(out, ike);
        put!(out, "]");
    }
}

fn push_spis(out: &mut Vec<u8>, ike: Ike) {
    put!(out, Bytes(&ike.initiator_spi.to_be_bytes()), "->");
    put!(out, Bytes(&ike.responder_spi.to_be_bytes()));
}

fn push_v1(out: &mut Vec<u8>, ike: Ike) {
    put!(out, if ike.message_id == 0 { " phase 1" } else { " phase 2/others" });
    put!(out, if ike.responder_spi == 0 { " I " } else { " ? " });
    push_name(out, exchange_name(ike.exchange), "#", ike.exchange, "");
    push_ike_flags(out, ike.flags, &[(0x01, "E"), (0x02, "C")]);
}

fn push_v2(out: &mut Vec<u8>, ike: Ike) {
    put!(out, if ike.message_id == 0 { " parent_sa " } else { " child_sa  " });
    push_name(out, exchange_name(ike.exchange), "#", ike.exchange, "");
    push_ike_flags(out, ike.flags, &[(0x08, "I"), (0x10, "V"), (0x20, "R")]);
}

fn push_ike_flags(out: &mut Vec<u8>, flags: u8, letters: &[(u8, &str)]) {
    if flags == 0 {
        return;
    }
    put!(out, "[");
    for &(bit, letter) in letters {
        if flags & bit != 0 {
            put!(out, letter);
        }
    }
    put!(out, "]");
}

/// Exchange types of both versions: their numbers do not overlap.
const fn exchange_name(kind: u8) -> Option<&'static str> {
    Some(match kind {
        0 => "none",
        1 => "base",
        2 => "ident",
        3 => "auth",
        4 => "agg",
        5 => "inf",
        32 => "oakley-quick",
        33 => "oakley-newgroup",
        34 => "ikev2_init",
        35 => "ikev2_auth",
        36 => "child_sa",
        37 => "inf2",
        _ => return None,
    })
}

fn payload_name(kind: u8) -> Option<&'static str> {
    const V1: [&str; 14] =
        ["none", "sa", "p", "t", "ke", "id", "cert", "cr", "hash", "sig", "nonce", "n", "d", "vid"];
    const V2: [&str; 16] = [
        "v2sa", "v2ke", "v2IDi", "v2IDr", "v2cert", "v2cr", "v2auth", "v2nonce", "v2n", "v2d",
        "v2vid", "v2TSi", "v2TSr", "v2e", "v2cp", "v2eap",
    ];
    let kind = usize::from(kind);
    V1.get(kind).or_else(|| V2.get(kind.checked_sub(33)?)).copied()
}

#[cfg(test)]
mod tests {
    #[test]
    fn lines_are_tcpdumps() {
        super::super::oracle::check(include_str!("cases/ipsec.txt"));
    }
}
