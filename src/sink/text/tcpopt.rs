//! TCP options (IANA's registry "TCP Option Kind Numbers").

use crate::packet::TcpFlags;
use crate::sink::page::{Fill, Page};
use crate::sink::text::mptcp;
use crate::sink::text::put::{Bytes, Hex, Hex2, Hex4, be16, be32, put};
use crate::sink::text::tcp::push_number;
use crate::text::line::Line;

/// The options of a segment.
pub(super) struct Options<'a> {
    /// As many as are there.
    pub(super) bytes: &'a [u8],
    /// How long they were.
    pub(super) len: usize,
    /// The segment's flags.
    pub(super) flags: TcpFlags,
    /// Acknowledged blocks are relative to the connection.
    pub(super) relative: bool,
    /// The segment's data was not captured to its end.
    pub(super) data_cut: bool,
    /// Nothing follows the header.
    pub(super) last: bool,
    /// If options are missing, not the capture but the packet around cut them.
    pub(super) captured: bool,
}

const EOL: u8 = 0;
const NOP: u8 = 1;

/// Appends what [`Options::push`] does of options that nearly all segments have, if they are whole and
/// there are no others; else false, and nothing appended.
#[inline(always)]
pub(super) fn put_usual(line: &mut Line<'_>, options: &[u8]) -> bool {
    let start = line.len();
    line.put(b", options [");
    let mut rest = options;
    loop {
        rest = match *rest {
            [EOL, ..] => {
                line.put(b"eol");
                &[]
            }
            [NOP, ref rest @ ..] => {
                line.put(b"nop");
                rest
            }
            [2, 4, a, b, ref rest @ ..] => {
                line.put(b"mss ");
                line.dec(u16::from_be_bytes([a, b]));
                rest
            }
            [3, 3, shift, ref rest @ ..] => {
                line.put(b"wscale ");
                line.octet(shift);
                rest
            }
            [4, 2, ref rest @ ..] => {
                line.put(b"sackOK");
                rest
            }
            [8, 10, a, b, c, d, e, f, g, h, ref rest @ ..] => {
                line.put(b"TS val ");
                line.dec(u32::from_be_bytes([a, b, c, d]));
                line.put(b" ecr ");
                line.dec(u32::from_be_bytes([e, f, g, h]));
                rest
            }
            _ => {
                line.cut(start);
                return false;
            }
        };
        if rest.is_empty() {
            line.put(b"]");
            return true;
        }
        line.put(b",");
    }
}

/// Why an option was not shown to its end.
enum Stop {
    /// It does not fit into itself or into the header.
    Bad,
    /// Its data is not there.
    Cut,
    /// Its kind or length is not there, or its length would stand behind the packet.
    Missing,
}

impl Options<'_> {
    /// Appends `, options [...]`; false if an option is bad, which ends the line.
    pub(super) fn push(&self, page: &mut Page) -> bool {
        put!(&mut page.text, ", options [");
        let mut at = 0;
        while at < self.len {
            if at > 0 {
                put!(&mut page.text, ",");
            }
            match self.push_one(page, at) {
                Ok(0) => break,
                Ok(len) => at += len,
                Err(Stop::Bad) => {
                    put!(&mut page.text, "[bad opt]", if at > 0 { "]" } else { "" });
                    return false;
                }
                // tcpdump leaves the bracket open, or closes it with another one.
                Err(stop) if self.captured => {
                    let close = matches!(stop, Stop::Cut) && at > 0;
                    put!(&mut page.text, " [|tcp]", if close { ">" } else { "" });
                    return false;
                }
                Err(_) => {
                    put!(&mut page.text, " [|tcp]");
                    break;
                }
            }
        }
        put!(&mut page.text, "]");
        true
    }

    /// Appends the option at `at` and gives its length, 0 for the last one.
    fn push_one(&self, page: &mut Page, at: usize) -> Result<usize, Stop> {
        let rest = self.bytes.get(at..).unwrap_or_default();
        let &kind = rest.first().ok_or(Stop::Missing)?;
        if matches!(kind, EOL | NOP) {
            put!(&mut page.text, if kind == EOL { "eol" } else { "nop" });
            return Ok(usize::from(kind == NOP));
        }
        let len = usize::from(*rest.get(1).ok_or_else(|| self.missing(at + 1))?);
        let left = self.len - at;
        if len < 2 || len > left {
            return Err(Stop::Bad);
        }
        let data = rest.get(2..).unwrap_or_default();
        match name(kind) {
            Some(name) => put!(&mut page.text, name),
            None => put!(&mut page.text, "unknown-", kind),
        }
        // The bytes that a kind needs may go beyond a length that is too small.
        let need = |n: usize| {
            if n + 2 > left { Err(Stop::Bad) } else { data.get(..n).ok_or(Stop::Cut) }
        };
        let shown = match kind {
            2 => {
                let size = be16(need(2)?, 0).unwrap_or_default();
                put!(&mut page.text, " ", size);
                2
            }
            3 => {
                let shift = need(1)?.first().copied().unwrap_or_default();
                put!(&mut page.text, " ", shift);
                1
            }
            4 => 0,
            5 => {
                self.push_sack(page, data, len - 2)?;
                len - 2
            }
            6 | 7 | 11..=13 => {
                let value = be32(need(4)?, 0).unwrap_or_default();
                put!(&mut page.text, " ", value);
                4
            }
            8 => {
                let times = need(8)?;
                put!(&mut page.text, " val ", be32(times, 0).unwrap_or_default());
                put!(&mut page.text, " ecr ", be32(times, 4).unwrap_or_default());
                8
            }
            19 => {
                let digest = need(16)?;
                put!(
                    &mut page.text,
                    " ",
                    if self.data_cut {
                        "snaplen too short, "
                    } else {
                        "shared secret not supplied with -M, "
                    }
                );
                put!(&mut page.text, "can't check - ", Bytes(digest));
                16
            }
            20 => {
                if let &[cap, id] = need(2)? {
                    put!(&mut page.text, " cap ", Hex2(cap), " id ", id);
                }
                2
            }
            28 => {
                let value = be16(need(2)?, 0).unwrap_or_default();
                let seconds = u32::from(value >> 1) * if value & 1 == 1 { 60 } else { 1 };
                put!(&mut page.text, " 0x", Hex(value.into()), " ", seconds);
                2
            }
            29 => {
                self.push_authentication(page, need(len - 2)?);
                len - 2
            }
            30 => {
                let option = rest.get(..len).ok_or(Stop::Cut)?;
                mptcp::push(&mut page.text, option, self.flags).ok_or(Stop::Bad)?;
                len - 2
            }
            34 => {
                let cookie = need(len - 2)?;
                put!(&mut page.text, " ");
                push_fast_open(&mut page.text, cookie);
                len - 2
            }
            254 => {
                let data = need(len - 2)?;
                let magic = be16(data, 0).ok_or(Stop::Bad)?;
                if magic == 0xf989 {
                    put!(&mut page.text, "-tfo");
                    push_fast_open(&mut page.text, data.get(2..).unwrap_or_default());
                } else {
                    put!(&mut page.text, "-", Hex4(magic));
                }
                len - 2
            }
            _ => {
                let data = data.get(..len - 2).unwrap_or(data);
                if len > 2 {
                    put!(&mut page.text, " 0x", Bytes(data));
                }
                need(len - 2)?;
                len - 2
            }
        };
        if shown + 2 != len {
            put!(&mut page.text, "[len ", len, "]");
        }
        // tcpdump goes on behind what it showed, not behind the length.
        Ok(shown + 2)
    }

    /// Why the byte at `at` is not there.
    fn missing(&self, at: usize) -> Stop {
        if at < self.len || self.last { Stop::Missing } else { Stop::Bad }
    }

    fn push_sack(&self, page: &mut Page, data: &[u8], len: usize) -> Result<(), Stop> {
        if !len.is_multiple_of(8) {
            put!(&mut page.text, " invalid sack");
            return Ok(());
        }
        put!(&mut page.text, " ", len / 8, " ");
        for at in (0..len).step_by(8) {
            let (Some(start), Some(end)) = (be32(data, at), be32(data, at + 4)) else {
                return Err(Stop::Cut);
            };
            put!(&mut page.text, "{");
            push_number(page, start, Fill::Sack, self.relative);
            put!(&mut page.text, ":");
            push_number(page, end, Fill::Sack, self.relative);
            put!(&mut page.text, "}");
        }
        Ok(())
    }

    fn push_authentication(&self, page: &mut Page, data: &[u8]) {
        let [key, next, mac @ ..] = data else {
            put!(&mut page.text, " (invalid)");
            return;
        };
        put!(&mut page.text, " keyid ", *key, " rnextkeyid ", *next);
        if !mac.is_empty() {
            put!(&mut page.text, " mac 0x", Bytes(mac));
        }
    }
}

/// A TCP Fast Open cookie (RFC 7413).
fn push_fast_open(out: &mut Vec<u8>, cookie: &[u8]) {
    match cookie.len() {
        0 => put!(out, " cookiereq"),
        4 | 6 | 8 | 10 | 12 | 14 | 16 => put!(out, " cookie ", Bytes(cookie)),
        _ => put!(out, " (invalid)"),
    }
}

/// Echoed connection counts have no name with tcpdump.
const fn name(kind: u8) -> Option<&'static str> {
    Some(match kind {
        2 => "mss",
        3 => "wscale",
        4 => "sackOK",
        5 => "sack",
        6 => "echo",
        7 => "echoreply",
        8 => "TS",
        11 => "cc",
        12 => "ccnew",
        13 => "",
        19 => "md5",
        20 => "scps",
        28 => "uto",
        29 => "tcp-ao",
        30 => "mptcp",
        34 => "tfo",
        254 => "exp",
        _ => return None,
    })
}
