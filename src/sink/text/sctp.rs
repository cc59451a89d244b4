//! SCTP (RFC 9260): the chunks behind the common header.
//!
//! Not here: parameters of chunks, user data and what it carries (ForCES, M3UA).

use super::fields::Fields;
use super::put::{Hex, put};
use super::words::{push_cut, push_name};
use super::{Options, ip, names};
use crate::packet::{Packet, Ports, proto};
use crate::sink::page::Page;

const HEADER_LEN: usize = 12;
const CHUNK_HEADER_LEN: usize = 4;

/// Appends the packet, its ends in front; ports are never names.
pub(super) fn push(page: &mut Page, packet: &Packet<'_>, options: &Options) {
    let out = &mut page.text;
    let ports = packet.ports();
    if let Some(Ports { src, dst }) = ports {
        for (addr, port, end) in [(packet.ip.src, src, " > "), (packet.ip.dst, dst, ": ")] {
            if let Some(addr) = addr {
                names::push_ip(out, addr, options);
                put!(out, ".");
            }
            put!(out, port, end);
        }
    } else if ip::follows_ip(packet, proto::SCTP) {
        ip::push_addresses(out, packet, options);
        put!(out, ": ");
    }
    if packet.payload_len < HEADER_LEN {
        let missing = HEADER_LEN - packet.payload_len;
        return put!(out, "truncated-sctp - ", missing, " bytes missing!");
    }
    let Some(Ports { src, dst }) = ports else { return push_cut(out, "sctp") };
    put!(out, "sctp");
    for name in [src, dst].into_iter().filter_map(forces_name) {
        put!(out, "[", name, "]");
    }
    if push_chunks(out, packet, options).is_none() {
        push_cut(out, "sctp");
    }
}

const fn forces_name(port: u16) -> Option<&'static str> {
    match port {
        6704 => Some("ForCES HP"),
        6705 => Some("ForCES MP"),
        6706 => Some("ForCES LP"),
        _ => None,
    }
}

fn push_chunks(out: &mut Vec<u8>, packet: &Packet<'_>, options: &Options) -> Option<()> {
    let bytes = Fields(packet.payload);
    bytes.has(HEADER_LEN)?;
    let mut sep = if options.verbose < 2 { " (" } else { "\n\t" };
    let (mut at, mut count) = (HEADER_LEN, 1_usize);
    while at < packet.payload_len {
        let (rest, chunk) = (packet.payload_len - at, bytes.from(at));
        if rest < CHUNK_HEADER_LEN {
            put!(out, sep, count, ") [chunk descriptor cut off at end of packet]");
            break;
        }
        let (kind, flags, len) = (chunk.u8(0)?, chunk.u8(1)?, usize::from(chunk.u16(2)?));
        if len < CHUNK_HEADER_LEN {
            put!(out, sep, count, ") [Bad chunk length ", len, ", < size of chunk descriptor]");
            break;
        }
        put!(out, sep, count, ") [");
        push_name(out, chunk_name(kind), "Unknown chunk type: 0x", Hex(u64::from(kind)), "");
        put!(out, "] ");
        let body = Fields(chunk.first(len)).from(CHUNK_HEADER_LEN);
        let body_len = len - CHUNK_HEADER_LEN;
        let is_whole = match kind {
            0 => push_data(out, flags, body, body_len, options),
            1 | 2 => push_init(out, body, body_len),
            3 => push_sack(out, body, body_len, options),
            _ => Some(true),
        }?;
        if !is_whole {
            put!(out, "bogus chunk length ", len, "]");
            break;
        }
        if options.verbose < 2 {
            sep = ", (";
        }
        chunk.has(len)?;
        at += len.next_multiple_of(4);
        if at > packet.payload_len {
            return None;
        }
        count += 1;
    }
    Some(())
}

/// Chunk bodies give false for a length that does not hold the chunk's own fields, nothing
/// when the packet is cut.
fn push_data(
    out: &mut Vec<u8>,
    flags: u8,
    body: Fields<'_>,
    len: usize,
    options: &Options,
) -> Option<bool> {
    for (bit, letter) in [(4, "(U)"), (2, "(B)"), (1, "(E)")] {
        if flags & bit != 0 {
            put!(out, letter);
        }
    }
    if flags & 7 != 0 {
        put!(out, " ");
    }
    if len < 12 {
        return Some(false);
    }
    put!(out, "[TSN: ", body.u32(0)?, "] [SID: ", body.u16(4)?, "] ");
    put!(out, "[SSEQ ", body.u16(6)?, "] ");
    let protocol = body.u32(8)?;
    put!(out, "[PPID ");
    push_name(out, payload_name(protocol), "0x", Hex(u64::from(protocol)), "");
    put!(out, "] ");
    if len == 12 {
        return Some(false);
    }
    if options.verbose > 1 {
        put!(out, "[Payload]");
    }
    Some(true)
}

fn push_init(out: &mut Vec<u8>, body: Fields<'_>, len: usize) -> Option<bool> {
    if len < 16 {
        return Some(false);
    }
    put!(out, "[init tag: ", body.u32(0)?, "] [rwnd: ", body.u32(4)?, "] ");
    put!(out, "[OS: ", body.u16(8)?, "] [MIS: ", body.u16(10)?, "] ");
    put!(out, "[init TSN: ", body.u32(12)?, "] ");
    Some(true)
}

fn push_sack(out: &mut Vec<u8>, body: Fields<'_>, len: usize, options: &Options) -> Option<bool> {
    if len < 12 {
        return Some(false);
    }
    // One line without -v, whatever tcpdump does.
    let sep = if options.verbose == 0 { "" } else { "\n\t\t" };
    let (acked, gaps, duplicates) = (body.u32(0)?, body.u16(8)?, body.u16(10)?);
    put!(out, "[cum ack ", acked, "] [a_rwnd ", body.u32(4)?, "] ");
    put!(out, "[#gap acks ", gaps, "] [#dup tsns ", duplicates, "] ");
    let mut at = 12;
    for i in 1..=gaps {
        match len - at {
            0 => break,
            1..4 => return Some(false),
            _ => {}
        }
        let (start, end) = (u32::from(body.u16(at)?), u32::from(body.u16(at + 2)?));
        put!(out, sep, "[gap ack block #", i, ": start = ", acked.wrapping_add(start));
        put!(out, ", end = ", acked.wrapping_add(end), "] ");
        at += 4;
    }
    for i in 1..=duplicates {
        match len - at {
            0 => break,
            1..4 => return Some(false),
            _ => {}
        }
        put!(out, sep, "[dup TSN #", i, ": ", body.u32(at)?, "] ");
        at += 4;
    }
    Some(true)
}

fn chunk_name(kind: u8) -> Option<&'static str> {
    const NAMES: [&str; 15] = [
        "DATA",
        "INIT",
        "INIT ACK",
        "SACK",
        "HB REQ",
        "HB ACK",
        "ABORT",
        "SHUTDOWN",
        "SHUTDOWN ACK",
        "OP ERR",
        "COOKIE ECHO",
        "COOKIE ACK",
        "ECN ECHO",
        "ECN CWR",
        "SHUTDOWN COMPLETE",
    ];
    match kind {
        0xc0 => Some("FOR CUM TSN"),
        0xc1 => Some("REL CTRL"),
        0xc2 => Some("REL CTRL ACK"),
        _ => NAMES.get(usize::from(kind)).copied(),
    }
}

/// Payload protocol identifiers (IANA).
fn payload_name(protocol: u32) -> Option<&'static str> {
    const NAMES: [&str; 25] = [
        "ISDN Q.921",
        "M2UA",
        "M3UA",
        "SUA",
        "M2PA",
        "V5.2",
        "H.248",
        "BICC",
        "TALI",
        "DUA",
        "ASAP",
        "ENRP",
        "H.323",
        "Q.IPC",
        "SIMCO",
        "DDPSC",
        "DDPSSC",
        "S1AP",
        "RUA",
        "HNBAP",
        "ForCES HP",
        "ForCES MP",
        "ForCES LP",
        "SBc-AP",
        "NBAP",
    ];
    match protocol {
        27 => Some("X2AP"),
        _ => NAMES.get(usize::try_from(protocol.checked_sub(1)?).ok()?).copied(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn lines_are_tcpdumps() {
        super::super::oracle::check(include_str!("cases/sctp.txt"));
    }
}
