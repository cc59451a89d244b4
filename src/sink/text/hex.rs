//! The packet's bytes below the line: `-x`, `-X`, `-A`, and doubled with the link header.

use crate::event::Event;
use crate::sink::text::link;
use crate::text::{push_hex, push_hex_byte};

/// Which bytes are shown how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dump {
    /// How.
    pub form: Form,
    /// `-xx`, `-XX`, `-AA`: link header too, and with pflog pf's.
    pub link: bool,
}

/// How bytes are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `-x`: hex.
    Hex,
    /// `-X`: hex and ASCII.
    HexAscii,
    /// `-A`: ASCII.
    Ascii,
}

const PER_LINE: usize = 16;
/// Columns that sixteen bytes take in hex: four digits and a blank for two.
const HEX_COLUMNS: usize = 40;

impl Dump {
    /// Appends the event's bytes, each line behind a newline. Of a frame that could not be read
    /// all bytes are shown.
    pub(super) fn push(self, out: &mut Vec<u8>, event: &Event<'_>) {
        let skip = if self.link { 0 } else { link::header_len(event) };
        let bytes = event.frame.data.get(skip..).unwrap_or_default();
        if bytes.is_empty() && !self.link {
            return;
        }
        match self.form {
            Form::Hex => push_lines(out, bytes, false),
            Form::HexAscii => push_lines(out, bytes, true),
            Form::Ascii => push_ascii(out, bytes),
        }
    }
}

fn push_lines(out: &mut Vec<u8>, bytes: &[u8], ascii: bool) {
    let mut offset: u32 = 0;
    for line in bytes.chunks(PER_LINE) {
        out.extend_from_slice(b"\n\t0x");
        if let [0, 0, low @ ..] = offset.to_be_bytes() {
            push_hex(out, &low);
        } else {
            crate::text::push_hex_min(out, offset.into());
        }
        out.extend_from_slice(b": ");
        let start = out.len();
        for pair in line.chunks(2) {
            out.push(b' ');
            for &byte in pair {
                push_hex_byte(out, byte);
            }
        }
        if ascii {
            out.resize(out.len().max(start + HEX_COLUMNS), b' ');
            out.extend_from_slice(b"  ");
            out.extend(line.iter().map(|byte| if byte.is_ascii_graphic() { *byte } else { b'.' }));
        }
        offset = offset.wrapping_add(16);
    }
}

/// Text as it is, all else as a dot; a carriage return at a line's end is left out, and one of
/// the last two bytes.
fn push_ascii(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'\n');
    let mut rest = bytes;
    while let [byte, behind @ ..] = rest {
        rest = behind;
        match byte {
            b'\r' if behind.len() <= 1 || behind.first() == Some(&b'\n') => {}
            b' '..=b'~' | b'\t' | b'\n' => out.push(*byte),
            _ => out.push(b'.'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn hex_lines_are_tcpdumps() {
        let bytes: Vec<u8> = (0x2f..0x42).collect();
        let hex = "\n\t0x0000:  2f30 3132 3334 3536 3738 393a 3b3c 3d3e\n\t0x0010:  3f40 41";
        assert_eq!(text(|out| push_lines(out, &bytes, false)), hex);
        let both = "\n\t0x0000:  2f30 3132 3334 3536 3738 393a 3b3c 3d3e  /0123456789:;<=>\
                    \n\t0x0010:  3f40 41                                  ?@A";
        assert_eq!(text(|out| push_lines(out, &bytes, true)), both);
    }

    #[test]
    fn offsets_go_beyond_four_digits() {
        let written = text(|out| push_lines(out, &[0; 0x1_0001], false));
        assert!(written.contains("\n\t0xfff0: ") && written.contains("\n\t0x10000:  00"));
    }

    #[test]
    fn ascii_shows_no_control_byte_but_tab_and_newline() {
        let all: Vec<u8> = (0..=255).collect();
        let written = text(|out| push_ascii(out, &all));
        assert!(written.bytes().all(|b| matches!(b, b' '..=b'~' | b'\t' | b'\n')));
        assert_eq!(text(|out| push_ascii(out, b"a\rb\r\nc\r")), "\na.b\nc");
    }
}
