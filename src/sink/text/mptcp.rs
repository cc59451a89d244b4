//! Multipath TCP's option (RFC 6824, RFC 8684).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::packet::TcpFlags;
use crate::sink::text::put::{Bytes, Hex, be16, be32, be64, byte, put};

const SYN_ACK: u16 = TcpFlags::SYN | TcpFlags::ACK;

/// Appends a whole option, kind and length included; `None` if it is not well formed, with
/// what could be read already appended.
pub(super) fn push(out: &mut Vec<u8>, option: &[u8], flags: TcpFlags) -> Option<()> {
    let subtype = byte(option, 2)? >> 4;
    put!(out, " ", option.len(), " ");
    match subtype {
        0 => {
            put!(out, "capable");
            push_capable(out, option, flags)
        }
        1 => {
            put!(out, "join");
            push_join(out, option, flags)
        }
        2 => {
            put!(out, "dss");
            push_dss(out, option, flags)
        }
        3 => {
            put!(out, "add-addr");
            push_add_addr(out, option)
        }
        4 => {
            put!(out, "rem-addr");
            let ids = option.get(3..).filter(|ids| !ids.is_empty())?;
            put!(out, " id");
            for &id in ids {
                put!(out, " ", id);
            }
            Some(())
        }
        5 => {
            put!(out, "prio");
            if !matches!(option.len(), 3 | 4) {
                return None;
            }
            put!(out, if byte(option, 2)? & 1 != 0 { " backup" } else { " non-backup" });
            if let Some(id) = byte(option, 3) {
                put!(out, " id ", id);
            }
            Some(())
        }
        6 => {
            put!(out, "fail");
            let seq = be64(option, 4).filter(|_| option.len() == 12)?;
            put!(out, " seq ", seq);
            Some(())
        }
        7 => {
            put!(out, "fast-close");
            let key = be64(option, 4).filter(|_| option.len() == 12)?;
            put!(out, " key 0x", Hex(key));
            Some(())
        }
        _ => {
            put!(out, "unknown");
            Some(())
        }
    }
}

fn push_capable(out: &mut Vec<u8>, option: &[u8], flags: TcpFlags) -> Option<()> {
    let on_syn = matches!(option.len(), 4 | 12) && flags.has(TcpFlags::SYN);
    let on_ack = matches!(option.len(), 20 | 22) && flags.0 & SYN_ACK == TcpFlags::ACK;
    if !on_syn && !on_ack {
        return None;
    }
    let version = byte(option, 2)? & 0xf;
    if version > 1 {
        put!(out, " Unknown Version (", version, ")");
        return Some(());
    }
    put!(out, " v", version);
    if byte(option, 3)? & 0x80 != 0 {
        put!(out, " csum");
    }
    if let Some(sender) = be64(option, 4) {
        put!(out, " {0x", Hex(sender));
        if let Some(receiver) = be64(option, 12) {
            put!(out, ",0x", Hex(receiver));
        }
        put!(out, "}");
    }
    Some(())
}

fn push_join(out: &mut Vec<u8>, option: &[u8], flags: TcpFlags) -> Option<()> {
    match option.len() {
        12 if flags.has(TcpFlags::SYN) => {}
        16 if flags.0 & SYN_ACK == SYN_ACK => {}
        24 if flags.has(TcpFlags::ACK) => {
            put!(out, " hmac 0x", Bytes(option.get(4..)?));
            return Some(());
        }
        _ => return None,
    }
    if byte(option, 2)? & 1 != 0 {
        put!(out, " backup");
    }
    put!(out, " id ", byte(option, 3)?);
    if option.len() == 12 {
        put!(out, " token 0x", Hex(be32(option, 4)?.into()));
        put!(out, " nonce 0x", Hex(be32(option, 8)?.into()));
    } else {
        put!(out, " hmac 0x", Hex(be64(option, 4)?));
        put!(out, " nonce 0x", Hex(be32(option, 12)?.into()));
    }
    Some(())
}

/// Data sequence signal: 4 or 8 bytes a number, as flags say.
fn push_dss(out: &mut Vec<u8>, option: &[u8], flags: TcpFlags) -> Option<()> {
    if flags.has(TcpFlags::SYN) {
        return None;
    }
    let bits = byte(option, 3)?;
    if bits & 0x10 != 0 {
        put!(out, " fin");
    }
    let mut rest = option.get(4..)?;
    let mut number = |out: &mut Vec<u8>, long: bool| {
        let (n, len) = if long { (be64(rest, 0)?, 8) } else { (be32(rest, 0)?.into(), 4) };
        put!(out, n);
        rest = rest.get(len..)?;
        Some(rest)
    };
    let mut behind = option.get(4..)?;
    if bits & 1 != 0 {
        put!(out, " ack ");
        behind = number(out, bits & 2 != 0)?;
    }
    if bits & 4 != 0 {
        put!(out, " seq ");
        behind = number(out, bits & 8 != 0)?;
        let subseq = be32(behind, 0)?;
        put!(out, " subseq ", subseq);
        let len = be16(behind, 4)?;
        put!(out, " len ", len);
        behind = behind.get(6..)?;
        if let Some(sum) = be16(behind, 0) {
            put!(out, " csum 0x", Hex(sum.into()));
            behind = behind.get(2..)?;
        }
    }
    behind.is_empty().then_some(())
}

fn push_add_addr(out: &mut Vec<u8>, option: &[u8]) -> Option<()> {
    let (addr_len, port, mac) = match option.len() {
        8 => (4, false, false),
        10 => (4, true, false),
        16 => (4, false, true),
        18 => (4, true, true),
        20 => (16, false, false),
        22 => (16, true, false),
        28 => (16, false, true),
        30 => (16, true, true),
        _ => return None,
    };
    put!(
        out,
        " ",
        match byte(option, 2)? & 0xf {
            0 => "v1",
            1 => "v1-echo",
            4 => "v0-ip4",
            6 => "v0-ip6",
            _ => "[bad version/echo]",
        }
    );
    let (addr, rest) = option.get(4..)?.split_at_checked(addr_len)?;
    let addr = match <[u8; 4]>::try_from(addr) {
        Ok(octets) => IpAddr::V4(Ipv4Addr::from(octets)),
        Err(_) => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(addr).ok()?)),
    };
    put!(out, " id ", byte(option, 3)?, " ", addr);
    if port {
        put!(out, ":", be16(rest, 0)?);
    }
    if mac {
        put!(out, " hmac 0x", Hex(be64(rest, if port { 2 } else { 0 })?));
    }
    Some(())
}
