//! Protocol 112: CARP, and VRRP (RFC 2338, 5798), whose number it shares.
//!
//! Both call themselves version 2, type 1. A CARP advertisement is 36 bytes long and says that
//! its digest has 7 words; in VRRP that byte counts addresses, and 7 of them make 44 bytes.

use super::fields::Fields;
use super::put::put;
use super::words::{push_cut, push_field, push_name};
use super::{Options, ip};
use crate::packet::{Packet, proto};
use crate::pf::Family;
use crate::sink::page::Page;
use crate::text;

const CARP_LEN: usize = 36;
const CARP_AUTH_WORDS: u8 = 7;

/// Appends a CARP or VRRP advertisement.
pub(super) fn push(page: &mut Page, packet: &Packet<'_>, options: &Options) {
    let out = &mut page.text;
    let message = Fields(packet.payload);
    let is_carp = packet.payload_len == CARP_LEN
        && message.u8(0) == Some(0x21)
        && message.u8(3).is_none_or(|words| words == CARP_AUTH_WORDS);
    if is_carp {
        if push_carp(out, packet, options).is_none() {
            push_cut(out, "carp");
        }
    } else if push_vrrp(out, packet, options).is_none() {
        push_cut(out, "vrrp");
    }
}

fn push_carp(out: &mut Vec<u8>, packet: &Packet<'_>, options: &Options) -> Option<()> {
    let (message, len) = (Fields(packet.payload), packet.payload_len);
    put!(out, "CARPv2-advertise ", len, ": ");
    if let Some(ttl) = packet.ip.ttl.filter(|&ttl| ttl != 255) {
        put!(out, "[ttl=", ttl, "!] ");
    }
    push_field(out, "vhid=", message.u8(1))?;
    push_field(out, " advbase=", message.u8(5))?;
    put!(out, " advskew=", message.u8(2)?, " authlen=", message.u8(3)?, " ");
    let found = message.u16(6)?;
    if options.verbose > 0
        && message.0.len() >= len
        && ip::fold(ip::sum(message.first(len), 0)) != 0xffff
    {
        put!(out, " (bad carp cksum ");
        text::push_hex_min(out, u64::from(found));
        put!(out, "!)");
    }
    push_field(out, "counter=", message.u64(8))?;
    Some(())
}

fn push_vrrp(out: &mut Vec<u8>, packet: &Packet<'_>, options: &Options) -> Option<()> {
    let (message, len) = (Fields(packet.payload), packet.payload_len);
    let (version, kind) = message.u8(0).map(|byte| (byte >> 4, byte & 0xf))?;
    put!(out, "VRRPv", version, ", ");
    push_name(out, (kind == 1).then_some("Advertisement"), "unknown type (", kind, ")");
    if let Some(ttl) = packet.ip.ttl.filter(|&ttl| ttl != 255) {
        put!(out, ", (ttl ", ttl, ")");
    }
    if !matches!(version, 2 | 3) || kind != 1 {
        return Some(());
    }
    push_field(out, ", vrid ", message.u8(1))?;
    push_field(out, ", prio ", message.u8(2))?;
    let auth = message.u8(4)?;
    if version == 2 {
        let name = match auth {
            0 => Some("none"),
            1 => Some("simple"),
            2 => Some("ah"),
            _ => None,
        };
        put!(out, ", authtype ");
        push_name(out, name, "#", auth, "");
        put!(out, ", intvl ", message.u8(5)?, "s, length ", len);
    } else {
        put!(out, ", intvl ", message.u16(4)? & 0xfff, "cs, length ", len);
    }
    if options.verbose > 0 {
        push_vrrp_rest(out, packet, version, auth)?;
    }
    Some(())
}

/// What `-v` shows of an advertisement.
fn push_vrrp_rest(out: &mut Vec<u8>, packet: &Packet<'_>, version: u8, auth: u8) -> Option<()> {
    let (message, len) = (Fields(packet.payload), packet.payload_len);
    let count = message.u8(3)?;
    let found = message.u16(6)?;
    let rest = if version == 2 {
        !ip::fold(ip::sum(message.first(len), 0))
    } else {
        ip::transport_sum(packet, message.first(len), proto::CARP)
    };
    if message.0.len() >= len && rest != 0 {
        put!(out, ", (bad vrrp cksum ");
        text::push_hex_min(out, u64::from(found));
        put!(out, ")");
    }
    put!(out, ", addrs");
    if count > 1 {
        put!(out, "(", count, ")");
    }
    put!(out, ":");
    let (mut at, mut sep) = (8, " ");
    for _ in 0..count {
        if packet.ip.family == Family::Inet {
            put!(out, sep, message.ipv4(at)?);
            at += 4;
        } else {
            put!(out, sep, message.ipv6(at)?);
            at += 16;
        }
        sep = ",";
    }
    if version == 2 && auth == 1 {
        let password = message.from(at).first(8);
        let end = password.iter().position(|&byte| byte == 0).unwrap_or(password.len());
        put!(out, " auth \"");
        text::push_escaped(out, password.get(..end)?);
        put!(out, "\"");
        if end == password.len() && end < 8 {
            return None;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn lines_are_tcpdumps() {
        super::super::oracle::check(include_str!("cases/carp.txt"));
    }
}
