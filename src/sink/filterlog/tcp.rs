//! filterlog's fields of a TCP header (RFC 9293).

use super::names::{tcp_option, tcp_option_len};
use super::{Bytes, Flavour, push_field};
use crate::packet::TcpFlags;
use crate::text::push_dec;

const HEADER: usize = 20;

/// Appends the segment of which `tcp` was captured and which had `len` bytes.
pub(super) fn push(out: &mut Vec<u8>, flavour: Flavour, tcp: Bytes<'_>, len: usize) {
    let Some(header) = tcp.byte(12).map(|first| usize::from(first >> 4) * 4) else {
        push_field(out, tcp.word(0));
        push_field(out, tcp.word(2));
        out.extend_from_slice(b",,");
        push_field(out, tcp.long(4));
        push_field(out, tcp.long(8));
        return out.extend_from_slice(b",,");
    };
    // "%d" of a difference that may be negative.
    let rest = i64::try_from(len).unwrap_or(i64::MAX) - i64::try_from(header).unwrap_or(0);
    if header < HEADER {
        out.extend_from_slice(b"errormsg='tcp ");
        push_dec(out, rest);
        out.extend_from_slice(b" [bad hdr length ");
        push_dec(out, header);
        return out.extend_from_slice(b" - too short < 20]',");
    }
    push_field(out, tcp.word(0));
    push_field(out, tcp.word(2));
    push_field(out, Some(rest));
    let flags = tcp.byte(13);
    let has = |bits: u16| flags.is_some_and(|flags| u16::from(flags) & bits != 0);
    for (bit, letter) in [
        (TcpFlags::FIN, b'F'),
        (TcpFlags::SYN, b'S'),
        (TcpFlags::RST, b'R'),
        (0x08, b'P'),
        (TcpFlags::ACK, b'A'),
        (TcpFlags::URG, b'U'),
        (0x40, b'E'),
        (0x80, b'C'),
    ] {
        if has(bit) {
            out.push(letter);
        }
    }
    out.push(b',');
    let Some(data) = len.checked_sub(header) else {
        out.extend_from_slice(b"errormsg='[bad hdr length ");
        push_dec(out, header);
        out.extend_from_slice(b" - too long, > ");
        push_dec(out, len);
        return out.extend_from_slice(b"]',");
    };
    if let Some(seq) = tcp.long(4) {
        if data > 0 {
            push_dec(out, seq);
            out.push(b':');
            push_dec(out, seq.wrapping_add(u32::try_from(data).unwrap_or(u32::MAX)));
        } else if has(TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST) {
            push_dec(out, seq);
        }
    }
    out.push(b',');
    push_field(out, tcp.long(8).filter(|_| has(TcpFlags::ACK)));
    push_field(out, tcp.word(14));
    push_field(out, tcp.word(18).filter(|_| has(TcpFlags::URG)));
    let options = tcp.0.get(HEADER..header.min(tcp.0.len())).unwrap_or_default();
    push_options(out, flavour, options, header - HEADER);
}

/// Names of the options, of which there were `len` bytes.
fn push_options(out: &mut Vec<u8>, flavour: Flavour, mut options: &[u8], mut len: usize) {
    let mut first = true;
    while let Some((&kind, mut rest)) = options.split_first() {
        if !first {
            out.push(b';');
        }
        let mut size = 1;
        if kind > 1 {
            let Some((&claimed, behind)) = rest.split_first() else { return };
            size = usize::from(claimed);
            if size < 2 || size > len {
                out.extend_from_slice(b"[bad opt],");
                if !first {
                    out.extend_from_slice(b">,");
                }
                return;
            }
            rest = behind;
        }
        match tcp_option(flavour, kind) {
            Some(name) => out.extend_from_slice(name.as_bytes()),
            None => {
                let (before, after): (&[u8], &[u8]) = match flavour {
                    Flavour::Pfsense => (b"Unknown Option ", b""),
                    Flavour::Opnsense => (b"unknown(", b")"),
                };
                out.extend_from_slice(before);
                push_dec(out, kind);
                out.extend_from_slice(after);
            }
        }
        if kind == 0 {
            return;
        }
        // filterlog steps over what an option of this kind should have, not what it claims.
        let data = tcp_option_len(kind).unwrap_or_else(|| size.saturating_sub(2));
        let head = if kind > 1 { 2 } else { 1 };
        let Some(left) = len.checked_sub(head + data) else { return };
        options = rest.get(data..).unwrap_or_default();
        len = left;
        first = false;
    }
}
