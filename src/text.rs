//! Bytes into text: numbers and addresses without the formatting machinery, and the escaping
//! that every untrusted byte passes on its way to a person or a program.
//!
//! All functions append to a byte buffer, so that a line costs no allocation.

pub mod line;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// An integer that can be written in decimal.
pub trait Integer: Copy {
    /// True below zero, and the number without its sign.
    fn parts(self) -> (bool, u64);
}

macro_rules! integer {
    ($($unsigned:ty, $signed:ty;)*) => { $(
        impl Integer for $unsigned {
            #[inline(always)]
            fn parts(self) -> (bool, u64) {
                (false, self as u64)
            }
        }
        impl Integer for $signed {
            #[inline(always)]
            fn parts(self) -> (bool, u64) {
                (self < 0, self.unsigned_abs() as u64)
            }
        }
    )* };
}

#[allow(clippy::cast_lossless, trivial_numeric_casts, reason = "of any width, none above 64 bits")]
mod integers {
    use super::Integer;
    integer! { u8, i8; u16, i16; u32, i32; u64, i64; usize, isize; }
}

/// Eight decimal digits and more take a second round.
const EIGHT_DIGITS: u64 = 100_000_000;

/// The eight digits of a number below [`EIGHT_DIGITS`], zeros in front, the first in the lowest
/// byte: halves, then quarters, then bytes are divided all at once. Nothing wraps; the operators
/// would ask.
#[inline(always)]
const fn digits(n: u64) -> u64 {
    let n = (n / 10_000) | (n % 10_000) << 32;
    // n / 100 of each half, which is below 10000: 10486 / 2^20 is close enough to 1 / 100.
    let hundreds = (n.wrapping_mul(10_486) >> 20) & 0x7f_0000_007f;
    let n = hundreds | n.wrapping_sub(hundreds.wrapping_mul(100)) << 16;
    // n / 10 of each quarter, which is below 100: 103 / 2^10 is close enough to 1 / 10.
    let tens = (n.wrapping_mul(103) >> 10) & 0x000f_000f_000f_000f;
    tens | n.wrapping_sub(tens.wrapping_mul(10)) << 8
}

/// ASCII of [`digits`].
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// Appends the first `len` of eight bytes: a copy of fixed size is a store, one of any size a
/// call.
#[inline(always)]
fn push_some(out: &mut Vec<u8>, bytes: u64, len: usize) {
    let end = out.len().wrapping_add(len);
    out.extend_from_slice(&bytes.to_le_bytes());
    out.truncate(end);
}

/// Appends a decimal number.
#[inline]
pub fn push_dec(out: &mut Vec<u8>, n: impl Integer) {
    let (negative, n) = n.parts();
    if negative {
        out.push(b'-');
    }
    if n < EIGHT_DIGITS {
        let (text, len) = number(n);
        push_some(out, text, len);
    } else {
        push_long_dec(out, n);
    }
}

/// A number below [`EIGHT_DIGITS`] in decimal, the first digit in the lowest byte, and how many
/// digits it has.
#[inline(always)]
const fn number(n: u64) -> (u64, usize) {
    let digits = digits(n);
    // The last digit is written even of 0.
    let zeros = (digits | 1 << 56).trailing_zeros() & 0x38;
    ((digits | ZEROS) >> zeros, 8_usize.wrapping_sub(zeros as usize / 8))
}

#[cold]
fn push_long_dec(out: &mut Vec<u8>, n: u64) {
    push_dec(out, n / EIGHT_DIGITS);
    push_some(out, digits(n % EIGHT_DIGITS) | ZEROS, 8);
}

/// Appends `n` in decimal, zero-padded to `width` digits (at most 20).
#[inline]
pub fn push_dec_padded(out: &mut Vec<u8>, n: u64, width: usize) {
    if n < EIGHT_DIGITS && width <= 8 {
        let digits = digits(n);
        let used = 8 - ((digits | 1 << 56).trailing_zeros() / 8) as usize;
        let shown = used.max(width);
        push_some(out, (digits | ZEROS) >> ((8 - shown) * 8), shown);
        return;
    }
    for power in (1..u32::try_from(width).unwrap_or(20).min(20)).rev() {
        if n >= 10_u64.pow(power) {
            break;
        }
        out.push(b'0');
    }
    push_dec(out, n);
}

/// The six digits of a number below a million between two bytes, the first of these in the lowest.
#[inline(always)]
pub(crate) const fn six_digits(before: u8, n: u64, behind: u8) -> u64 {
    before as u64 | (digits(n) | ZEROS) >> 16 << 8 | (behind as u64) << 56
}

/// The nine digits of a number below a thousand million between two bytes.
#[inline(always)]
pub(crate) fn nine_digits(before: u8, n: u64, behind: u8) -> [u8; 11] {
    let first = u8::try_from(n / EIGHT_DIGITS % 10).unwrap_or_default();
    let [a, b, c, d, e, f, g, h] = (digits(n % EIGHT_DIGITS) | ZEROS).to_le_bytes();
    [before, b'0' + first, a, b, c, d, e, f, g, h, behind]
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

/// The eight hex digits of a number, the first in the lowest byte.
#[inline(always)]
const fn hex_digits(n: u32) -> u64 {
    let n = n as u64;
    let n = ((n << 16) | n) & 0x0000_ffff_0000_ffff;
    let n = ((n << 8) | n) & 0x00ff_00ff_00ff_00ff;
    let n = ((n << 4) | n) & 0x0f0f_0f0f_0f0f_0f0f;
    // Of a digit above 9 the sum with 6 has the bit of 16.
    let letters = (n.wrapping_add(0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
    n.wrapping_add(ZEROS).wrapping_add(letters.wrapping_mul(39)).swap_bytes()
}

/// Appends bytes as hex digits without separators.
#[inline]
pub fn push_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    let (fours, rest) = bytes.as_chunks();
    for &four in fours {
        out.extend_from_slice(&hex_digits(u32::from_be_bytes(four)).to_le_bytes());
    }
    for &byte in rest {
        push_hex_byte(out, byte);
    }
}

/// Appends `n` in hex as C's `%x` does: lower case, no leading zeros.
#[inline]
pub fn push_hex_min(out: &mut Vec<u8>, n: u64) {
    let [a, b, c, d, e, f, g, h] = n.to_be_bytes();
    let (high, low) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
    let first = if high == 0 { low } else { high };
    let zeros = (first | 1).leading_zeros() / 4;
    push_some(out, hex_digits(first) >> (zeros * 8), 8 - zeros as usize);
    if high != 0 {
        out.extend_from_slice(&hex_digits(low).to_le_bytes());
    }
}

/// An octet in decimal and a dot behind it in the lower half; how many bytes these are in the
/// upper half.
#[allow(
    clippy::indexing_slicing,
    clippy::cast_lossless,
    reason = "the compiler evaluates it, where From cannot be called yet"
)]
const OCTETS: [u64; 256] = {
    let mut octets = [0; 256];
    let mut n = 0_u8;
    loop {
        let [a, b, c] = [b'0' + n / 100, b'0' + n / 10 % 10, b'0' + n % 10];
        let (text, len) = match n {
            0..10 => ([c, b'.', 0, 0], 2),
            10..100 => ([b, c, b'.', 0], 3),
            _ => ([a, b, c, b'.'], 4),
        };
        octets[n as usize] = u32::from_le_bytes(text) as u64 | len << 32;
        if n == u8::MAX {
            break octets;
        }
        n += 1;
    }
};

/// Appends an IPv4 address in dotted form.
#[inline]
pub fn push_ipv4(out: &mut Vec<u8>, addr: Ipv4Addr) {
    let (text, len) = ipv4(addr);
    let end = out.len().wrapping_add(len);
    out.extend_from_slice(&text.to_le_bytes());
    out.truncate(end);
}

/// An IPv4 address in dotted form, the first digit in the lowest byte, and how long that is.
#[inline(always)]
fn ipv4(addr: Ipv4Addr) -> (u128, usize) {
    let [a, b, c, d] = addr.octets();
    let (first, len) = two_octets(a, b);
    let (second, more) = two_octets(c, d);
    let text = u128::from(first) | u128::from(second) << (len * 8);
    // Without the last dot.
    (text, (len + more).wrapping_sub(1) as usize)
}

/// An octet of [`OCTETS`].
#[inline(always)]
fn octet(n: u8) -> u64 {
    OCTETS.get(usize::from(n)).copied().unwrap_or_default()
}

/// Two octets with a dot behind each, at most eight bytes.
#[inline(always)]
fn two_octets(first: u8, second: u8) -> (u64, u32) {
    let (first, second) = (octet(first), octet(second));
    let (len, more) = ((first >> 32) as u32, (second >> 32) as u32);
    let text = (first & 0xffff_ffff) | (second & 0xffff_ffff) << (8 * len);
    (text, len.wrapping_add(more))
}

/// Appends an IPv6 address as RFC 5952 has it, IPv4-mapped and IPv4-compatible ones dotted
/// (`::ffff:192.0.2.1`, `::192.0.2.1`) as tcpdump prints them.
#[inline]
pub fn push_ipv6(out: &mut Vec<u8>, addr: Ipv6Addr) {
    let (text, len) = ipv6(addr);
    let end = out.len().wrapping_add(len);
    out.extend_from_slice(&text);
    out.truncate(end);
}

/// Room for the longest IPv6 address, 39 bytes, while eight are written at once.
type Ipv6Text = [u8; 48];

/// An IPv6 address as [`push_ipv6`] writes it, and how long that is.
fn ipv6(addr: Ipv6Addr) -> (Ipv6Text, usize) {
    let words = addr.segments();
    let mut text = [b':'; 48];
    let (start, len) = longest_zero_run(&words);
    if len < 2 {
        let end = put_words(&mut text, 0, &words);
        return (text, end.wrapping_sub(1));
    }
    let (before, rest) = words.split_at_checked(start).unwrap_or((&[], &words));
    let behind = rest.get(len..).unwrap_or_default();
    // The words bring a colon each, the run another one, and where it stands first a second.
    let at = put_words(&mut text, 0, before).wrapping_add(1 + usize::from(before.is_empty()));
    let dotted = match (before, behind) {
        (_, []) => return (text, at),
        ([], [_, _]) => at,
        ([], [0xffff, _, _]) => put_words(&mut text, at, &[0xffff]),
        _ => {
            let end = put_words(&mut text, at, behind);
            return (text, end.wrapping_sub(1));
        }
    };
    let [.., a, b, c, d] = addr.octets();
    let (low, len) = ipv4(Ipv4Addr::new(a, b, c, d));
    if let Some(place) = text.get_mut(dotted..).and_then(<[u8]>::first_chunk_mut) {
        *place = low.to_le_bytes();
    }
    (text, dotted.wrapping_add(len))
}

/// Writes words in hex, a colon behind each, and gives where the next one goes. What is behind that
/// is colons again.
#[inline(always)]
fn put_words(text: &mut Ipv6Text, at: usize, words: &[u16]) -> usize {
    words.iter().fold(at, |at, &word| {
        let zeros = (u32::from(word) | 1).leading_zeros() / 4;
        // Four to seven, so that there is room for a colon.
        let len = 8_u32.wrapping_sub(zeros);
        let digits = hex_digits(u32::from(word)) >> (zeros * 8) | COLONS << (len * 8);
        if let Some(place) = text.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            *place = digits.to_le_bytes();
        }
        at.wrapping_add(len as usize).wrapping_add(1)
    })
}

/// Eight colons.
const COLONS: u64 = u64::from_ne_bytes([b':'; 8]);

/// Start and length of the longest run of zero words (the first of equals).
#[inline(always)]
fn longest_zero_run(words: &[u16; 8]) -> (usize, usize) {
    let bit = |(i, &word): (usize, &u16)| u8::from(word == 0) << i;
    let zeros = words.iter().enumerate().map(bit).fold(0, |all, bit| all | bit);
    let (start, len) = RUNS.get(usize::from(zeros)).copied().unwrap_or_default();
    (start.into(), len.into())
}

/// The longest run of ones in each byte, from the lowest bit: where it starts, and how long it is.
#[allow(clippy::indexing_slicing, reason = "the compiler evaluates it, where get cannot be called")]
const RUNS: [(u8, u8); 256] = {
    let mut runs = [(0, 0); 256];
    let mut byte = 0;
    while byte < runs.len() {
        let mut start = 0;
        while start < 8 {
            let mut len = 0;
            while (byte >> start >> len) & 1 == 1 {
                len += 1;
            }
            if len > runs[byte].1 {
                runs[byte] = (start, len);
            }
            start += 1;
        }
        byte += 1;
    }
    runs
};

/// Appends an address of either family.
#[inline]
pub fn push_ip(out: &mut Vec<u8>, addr: IpAddr) {
    match addr {
        IpAddr::V4(addr) => push_ipv4(out, addr),
        IpAddr::V6(addr) => push_ipv6(out, addr),
    }
}

/// True if nothing has to be escaped: printable ASCII without quote and backslash.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    let (eights, rest) = bytes.as_chunks();
    // Blanks in front of a rest change nothing.
    let rest = rest.iter().fold(repeat(b' '), |word, &byte| word << 8 | u64::from(byte));
    eights.iter().all(|&eight| is_plain_word(u64::from_le_bytes(eight))) && is_plain_word(rest)
}

/// Eight times the same byte.
const fn repeat(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The same of eight bytes. A byte that is too small, or 0 after the exclusive or, borrows from
/// its own top bit; carries beyond a byte only come from one that is not plain.
#[inline]
const fn is_plain_word(word: u64) -> bool {
    let control = word.wrapping_sub(repeat(b' ')) & !word;
    let beyond = word.wrapping_add(repeat(1)) | word;
    let (quote, backslash) = (word ^ repeat(b'"'), word ^ repeat(b'\\'));
    let quote = quote.wrapping_sub(repeat(1)) & !quote;
    let backslash = backslash.wrapping_sub(repeat(1)) & !backslash;
    (control | beyond | quote | backslash) & repeat(0x80) == 0
}

/// Appends untrusted bytes for a terminal: printable ASCII as it is, `\` as `\\`, all else as
/// `\xNN`, so that no control or escape sequence, no bidirectional mark and no broken UTF-8
/// passes, and every input gives a different output.
pub fn push_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    if is_plain(bytes) {
        out.extend_from_slice(bytes);
        return;
    }
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
    if is_plain(bytes) {
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
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn numbers_are_written_as_the_standard_library_does(
            n: u64, shift in 0_u32..64, signed: i64, small: u8, width in 0_usize..21,
        ) {
            let n = n >> shift;
            prop_assert_eq!(text(|out| push_dec(out, n)), n.to_string());
            prop_assert_eq!(text(|out| push_dec(out, signed >> shift)), (signed >> shift).to_string());
            prop_assert_eq!(text(|out| push_dec(out, small)), small.to_string());
            prop_assert_eq!(text(|out| push_dec_padded(out, n, width)), format!("{n:0width$}"));
            prop_assert_eq!(text(|out| push_hex_min(out, n)), format!("{n:x}"));
        }

        #[test]
        fn addresses_are_written_as_the_standard_library_does(v4: u32, words: [u16; 8], keep: u8) {
            let v4 = Ipv4Addr::from(v4);
            prop_assert_eq!(text(|out| push_ipv4(out, v4)), v4.to_string());
            let mut words = words;
            for (i, word) in words.iter_mut().enumerate() {
                *word *= u16::from(keep >> i & 1);
            }
            let v6 = Ipv6Addr::from(words);
            let written = text(|out| push_ipv6(out, v6));
            if written.contains('.') {
                prop_assert_eq!(written.parse(), Ok(v6));
            } else {
                prop_assert_eq!(written, v6.to_string());
            }
        }

        #[test]
        fn what_is_plain_is_found_byte_by_byte_too(mut bytes: Vec<u8>, ascii: bool) {
            if ascii {
                bytes.iter_mut().for_each(|byte| *byte = b' ' + *byte % 96);
            }
            let plain = |&b: &u8| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\';
            prop_assert_eq!(is_plain(&bytes), bytes.iter().all(plain));
        }

        #[test]
        fn bytes_in_hex_have_two_digits_each(bytes: Vec<u8>) {
            let expected: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            prop_assert_eq!(text(|out| push_hex(out, &bytes)), expected);
        }
    }

    #[test]
    fn numbers_at_the_edges_of_a_digit() {
        for power in 0..20 {
            let n = 10_u64.pow(power);
            for n in [n - 1, n, n + 1, u64::MAX - n] {
                assert_eq!(text(|out| push_dec(out, n)), n.to_string());
                assert_eq!(text(|out| push_dec_padded(out, n, 6)), format!("{n:06}"));
            }
        }
        for n in [i64::MIN, -1, 0, i64::MAX] {
            assert_eq!(text(|out| push_dec(out, n)), n.to_string());
        }
        assert_eq!(text(|out| push_dec(out, i8::MIN)), "-128");
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
