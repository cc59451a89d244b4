//! Bytes into text: numbers and addresses without the formatting machinery, and the escaping
//! that every untrusted byte passes on its way to a person or a program.
//!
//! All functions append to a byte buffer, so that a line costs no allocation.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends a decimal number.
#[inline]
pub fn push_dec(out: &mut Vec<u8>, n: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

/// Appends `n` in decimal, zero-padded to `width` digits (at most 20).
#[inline]
pub fn push_dec_padded(out: &mut Vec<u8>, n: u64, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(n).as_bytes();
    for _ in digits.len()..width {
        out.push(b'0');
    }
    out.extend_from_slice(digits);
}

#[inline]
fn hex_digit(nibble: u8) -> u8 {
    HEX.get(usize::from(nibble & 0xf)).copied().unwrap_or(b'0')
}

/// Appends one byte as two hex digits.
#[inline]
pub fn push_hex_byte(out: &mut Vec<u8>, byte: u8) {
    out.extend_from_slice(&[hex_digit(byte >> 4), hex_digit(byte)]);
}

/// Appends bytes as hex digits without separators.
#[inline]
pub fn push_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        push_hex_byte(out, byte);
    }
}

/// Appends `n` in hex as C's `%x` does: lower case, no leading zeros.
#[inline]
pub fn push_hex_min(out: &mut Vec<u8>, n: u64) {
    let digits = (64 - n.leading_zeros()).div_ceil(4).max(1);
    for place in (0..digits).rev() {
        out.push(hex_digit(((n >> (place * 4)) & 0xf) as u8));
    }
}

/// Appends an IPv4 address in dotted form.
#[inline]
pub fn push_ipv4(out: &mut Vec<u8>, addr: Ipv4Addr) {
    let [a, b, c, d] = addr.octets();
    for (octet, end) in [(a, b'.'), (b, b'.'), (c, b'.')] {
        push_dec(out, octet);
        out.push(end);
    }
    push_dec(out, d);
}

/// Appends an IPv6 address as RFC 5952 has it, IPv4-mapped and IPv4-compatible ones dotted
/// (`::ffff:192.0.2.1`, `::192.0.2.1`) as tcpdump prints them.
pub fn push_ipv6(out: &mut Vec<u8>, addr: Ipv6Addr) {
    let words = addr.segments();
    let (start, len) = longest_zero_run(&words);
    let dotted = start == 0 && (len == 6 || (len == 5 && words[5] == 0xffff));
    let (run, last) =
        if len >= 2 { (start..start + len, if dotted { 6 } else { 8 }) } else { (8..8, 8) };
    for (i, &word) in words.iter().enumerate().take(last) {
        if run.contains(&i) {
            if i == run.start {
                out.push(b':');
            }
            continue;
        }
        if i > 0 {
            out.push(b':');
        }
        push_hex_min(out, u64::from(word));
    }
    if dotted {
        out.push(b':');
        let [.., a, b, c, d] = addr.octets();
        push_ipv4(out, Ipv4Addr::new(a, b, c, d));
    } else if run.end == 8 && len >= 2 {
        out.push(b':');
    }
}

/// Start and length of the longest run of zero words (the first of equals).
fn longest_zero_run(words: &[u16; 8]) -> (usize, usize) {
    let (mut best, mut run) = ((0, 0), (0, 0));
    for (i, &word) in words.iter().enumerate() {
        run = if word != 0 { (i + 1, 0) } else { (run.0, run.1 + 1) };
        if run.1 > best.1 {
            best = run;
        }
    }
    best
}

/// Appends an address of either family.
#[inline]
pub fn push_ip(out: &mut Vec<u8>, addr: IpAddr) {
    match addr {
        IpAddr::V4(addr) => push_ipv4(out, addr),
        IpAddr::V6(addr) => push_ipv6(out, addr),
    }
}

/// Appends untrusted bytes for a terminal: printable ASCII as it is, `\` as `\\`, all else as
/// `\xNN`, so that no control or escape sequence, no bidirectional mark and no broken UTF-8
/// passes, and every input gives a different output.
pub fn push_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b' '..=b'~' => out.push(byte),
            _ => {
                out.extend_from_slice(b"\\x");
                push_hex_byte(out, byte);
            }
        }
    }
}

/// Appends untrusted bytes as the inside of a JSON string. Valid UTF-8 stays (control
/// characters as JSON escapes, DEL, C1 and invisible marks included); any other byte becomes `\xNN`, that is,
/// `\\xNN` in the JSON source.
pub fn push_json_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.iter().all(|&b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\') {
        out.extend_from_slice(bytes);
        return;
    }
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push_json_char(out, c);
        }
        for &byte in chunk.invalid() {
            out.extend_from_slice(b"\\\\x");
            push_hex_byte(out, byte);
        }
    }
}

fn push_json_char(out: &mut Vec<u8>, c: char) {
    match c {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        '\x08' => out.extend_from_slice(b"\\b"),
        '\x0c' => out.extend_from_slice(b"\\f"),
        '\0'..='\x1f' | '\x7f'..='\u{9f}' => {
            out.extend_from_slice(b"\\u00");
            push_hex_byte(out, c as u8);
        }
        // Invisible marks and those that turn the direction of writing.
        '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}' => {
            out.extend_from_slice(b"\\u");
            let [_, _, high, low] = u32::from(c).to_be_bytes();
            push_hex(out, &[high, low]);
        }
        _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// Untrusted bytes for a message on a terminal, as [`push_escaped`].
pub fn escaped(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    push_escaped(&mut out, bytes);
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(f: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        f(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn ipv6_is_written_as_rfc_5952_and_tcpdump_do() {
        for s in [
            "::",
            "::1",
            "1::",
            "2001:db8::1",
            "2001:db8:0:1:1:1:1:1",
            "2001:0:0:1::1",
            "fe80::1:2:3:4",
            "::ffff:192.0.2.1",
            "::192.0.2.1",
            "64:ff9b::c633:6407",
            "1:2:3:4:5:6:7:8",
            "0:1:2:3:4:5:6:7",
            "ff12::f0",
            "2001:db8:1:2:3:4:5:0",
            "::2:0:0:0:1",
        ] {
            let addr: Ipv6Addr = s.parse().unwrap();
            let written = text(|out| push_ipv6(out, addr));
            assert_eq!(written.parse::<Ipv6Addr>().unwrap(), addr, "{s} written as {written}");
            if !s.contains('.') {
                assert_eq!(written, addr.to_string());
            } else {
                assert_eq!(written, s);
            }
        }
    }

    #[test]
    fn hex_has_no_leading_zeros() {
        for n in [0, 1, 0xf, 0x10, 0xdead_beef, u64::MAX] {
            assert_eq!(text(|out| push_hex_min(out, n)), format!("{n:x}"));
        }
    }

    #[test]
    fn terminal_text_holds_no_control_byte() {
        let all: Vec<u8> = (0..=255).collect();
        let written = text(|out| push_escaped(out, &all));
        assert!(written.bytes().all(|b| (b' '..=b'~').contains(&b)));
        assert!(written.contains("\\x1b") && written.contains("\\\\") && written.contains("\\xff"));
    }

    #[test]
    fn json_text_is_json_and_shows_broken_utf8() {
        let written = text(|out| {
            out.push(b'"');
            push_json_escaped(out, b"em\xff\x1b[31m\"\\\xc3\xa9\xc2\x9b\x7f");
            out.push(b'"');
        });
        assert_eq!(written, "\"em\\\\xff\\u001b[31m\\\"\\\\\u{e9}\\u009b\\u007f\"");
        let back: String = serde_json::from_str(&written).unwrap();
        assert_eq!(back, "em\\xff\u{1b}[31m\"\\\u{e9}\u{9b}\u{7f}");
    }
}
