//! TCP (RFC 9293). The numbers of segments with ACK are relative to their connection's first,
//! so they are left to the binder, but with `-S`.

use crate::packet::{Packet, Tcp, TcpFlags, Transport, proto};
use crate::sink::page::{Fill, Page, Segment};
use crate::sink::text::plain::Flow;
use crate::sink::text::put::{Hex4, put};
use crate::sink::text::{Options, ip, tcpopt};
use crate::text::line::{Line, SIZE};

const HEADER_LEN: usize = 20;
/// Room that is enough for all that comes behind the flags: five numbers, and options of 40 bytes,
/// of which none takes more than four times its bytes of text.
const LONGEST_REST: usize = 512;
/// Bytes of a reset's text that are shown.
const MAX_RESET_TEXT: usize = 30;

/// Appends the segment with the flow's ends in front.
pub(super) fn push(page: &mut Page, packet: &Packet<'_>, options: &Options) {
    let Transport::Tcp(tcp) = &packet.transport else {
        ip::push_addresses(&mut page.text, packet, options);
        put!(&mut page.text, ": [|tcp]");
        return;
    };
    ip::push_ends(&mut page.text, packet, tcp.ports, proto::TCP, options);
    let len = packet.payload_len;
    let whole = packet.payload.len() >= HEADER_LEN;
    let (Some((header_len, flags)), true) = (tcp.offset_flags, whole || ip::is_cut(packet)) else {
        push_start(page, packet, tcp);
        return;
    };
    // tcpdump reads eight of the nine flags.
    let flags = TcpFlags(flags.0 & 0xff);
    if header_len < HEADER_LEN {
        let out = &mut page.text;
        // As tcpdump, which does not mind that there may be fewer.
        let data = (len as u64).wrapping_sub(header_len as u64) & 0xffff_ffff;
        put!(out, " tcp ", data, " [bad hdr length ", header_len, " - too short, < 20]");
        return;
    }
    if options.quiet {
        let out = &mut page.text;
        let data = (len as u64).wrapping_sub(header_len as u64) & 0xffff_ffff;
        put!(out, "tcp ", data);
        if header_len > len {
            put!(out, " [bad hdr length ", header_len, " - too long, > ", len, "]");
        }
        return;
    }
    put!(&mut page.text, "Flags [");
    flags.push(&mut page.text);
    put!(&mut page.text, "]");
    // A cut header sets nothing, and so shows its numbers as they are.
    let relative = !options.absolute && flags.has(TcpFlags::ACK) && whole;
    if relative
        && let (Some(seq), Some(ack)) = (tcp.seq, tcp.ack)
        && let (Some(src), Some(dst)) = (packet.ip.src, packet.ip.dst)
    {
        let syn = flags.has(TcpFlags::SYN);
        let base = page.relative_to(Segment::new(src, dst, tcp.ports, syn, seq, ack));
        page.leave(base);
    }
    if header_len > len {
        let out = &mut page.text;
        put!(out, " [bad hdr length ", header_len, " - too long, > ", len, "]");
        return;
    }
    if options.verbose > 0 && !ip::is_fragment(packet) {
        push_checksum(&mut page.text, packet, tcp);
    }
    push_numbers(page, tcp, flags, len - header_len, relative, options.verbose > 1);
    if !whole {
        put!(&mut page.text, " [|tcp]");
        return;
    }
    push_rest(page, packet, tcp, (header_len, flags), relative, options);
}

/// Appends the line that was begun and a segment whose header is all there, as [`push`] does without
/// `-v` and `-q`; `None`, and nothing appended, of any other.
#[inline(always)]
pub(super) fn push_plain(
    page: &mut Page,
    line: &mut Line<'_>,
    flow: &Flow<'_>,
    options: &Options,
) -> Option<()> {
    let header = flow.payload.first_chunk::<HEADER_LEN>()?;
    let &[_, _, _, _, a, b, c, d, e, f, g, h, offset, low, i, j, _, _, k, l] = header;
    let header_len = usize::from(offset >> 4).saturating_mul(4);
    if options.quiet || header_len < HEADER_LEN || header_len > flow.payload.len() {
        return None;
    }
    let flags = TcpFlags(low.into());
    flow.put_ends(line);
    line.put(b"Flags [");
    line.part(flags.letters());
    line.put(b"]");
    if line.len() > SIZE - LONGEST_REST {
        return None;
    }
    let (seq, ack) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
    let relative = !options.absolute && flags.has(TcpFlags::ACK);
    if relative {
        let syn = flags.has(TcpFlags::SYN);
        let segment = Segment::new(flow.src, flow.dst, flow.ports, syn, seq, ack);
        let base = page.relative_to(segment);
        page.leave_behind(line.len(), base);
    }
    let tcp = Tcp {
        ports: flow.ports,
        seq: Some(seq),
        ack: Some(ack),
        offset_flags: Some((header_len, flags)),
        win: Some(u16::from_be_bytes([i, j])),
        cksum: None,
        urg: Some(u16::from_be_bytes([k, l])),
        options: flow.payload.get(HEADER_LEN..header_len).unwrap_or_default(),
    };
    let data_len = flow.payload_len.saturating_sub(header_len);
    push_numbers(&mut Begun { page, line }, &tcp, flags, data_len, relative, false);
    if tcp.options.is_empty() || tcpopt::put_usual(line, tcp.options) {
        line.put(b", length ");
        line.dec(data_len);
        page.text.extend_from_slice(line.text()?);
        return Some(());
    }
    page.text.extend_from_slice(line.text()?);
    let (captured, there) = (flow.payload.len(), flow.payload_len);
    let options = tcpopt::Options {
        bytes: tcp.options,
        len: tcp.options.len(),
        flags,
        relative,
        data_cut: captured < there,
        last: captured <= header_len,
        captured: captured >= there,
    };
    if options.push(page) {
        put!(&mut page.text, ", length ", data_len);
    }
    Some(())
}

/// A header of which not even the flags are there, so that the acknowledgment number, if it is
/// there, may mean nothing.
fn push_start(page: &mut Page, packet: &Packet<'_>, tcp: &Tcp<'_>) {
    let out = &mut page.text;
    if ip::is_cut(packet)
        && let Some(seq) = tcp.seq
    {
        put!(out, "seq ", seq);
    }
    put!(out, " [|tcp]");
}

fn push_checksum(out: &mut Vec<u8>, packet: &Packet<'_>, tcp: &Tcp<'_>) {
    let (Some(found), Some(data)) = (tcp.cksum, packet.payload.get(..packet.payload_len)) else {
        return;
    };
    put!(out, ", cksum 0x", Hex4(found));
    match ip::transport_sum(packet, data, proto::TCP) {
        0 => put!(out, " (correct)"),
        sum => put!(out, " (incorrect -> 0x", Hex4(ip::should_be(found, sum)), ")"),
    }
}

/// What a segment's numbers are appended to.
pub(super) trait Out {
    /// Appends text as it is.
    fn text<const N: usize>(&mut self, text: &[u8; N]);
    /// Appends a decimal number.
    fn number(&mut self, n: u32);
    /// Leaves a hole.
    fn leave(&mut self, fill: Fill);
}

impl Out for Page {
    #[inline]
    fn text<const N: usize>(&mut self, text: &[u8; N]) {
        self.text.extend_from_slice(text);
    }

    #[inline]
    fn number(&mut self, n: u32) {
        put!(&mut self.text, n);
    }

    #[inline]
    fn leave(&mut self, fill: Fill) {
        self.leave(fill);
    }
}

/// A line that is still to go onto its page.
struct Begun<'a, 'r> {
    page: &'a mut Page,
    line: &'a mut Line<'r>,
}

impl Out for Begun<'_, '_> {
    #[inline(always)]
    fn text<const N: usize>(&mut self, text: &[u8; N]) {
        self.line.put(text);
    }

    #[inline(always)]
    fn number(&mut self, n: u32) {
        self.line.dec(n);
    }

    #[inline(always)]
    fn leave(&mut self, fill: Fill) {
        self.page.leave_behind(self.line.len(), fill);
    }
}

/// `, seq 1:100, ack 1, win 512, urg 1`, as far as they are there; the first one `always`, also where
/// the segment takes no room of the stream.
#[inline(always)]
fn push_numbers(
    out: &mut impl Out,
    tcp: &Tcp<'_>,
    flags: TcpFlags,
    data_len: usize,
    relative: bool,
    always: bool,
) {
    let has_number = data_len > 0 || flags.has(TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST);
    if (has_number || always)
        && let Some(seq) = tcp.seq
    {
        let end = seq.wrapping_add(u32::try_from(data_len).unwrap_or_default());
        out.text(b", seq ");
        push_number(out, seq, Fill::Seq, relative);
        if data_len > 0 {
            out.text(b":");
            push_number(out, end, Fill::Seq, relative);
        }
    }
    if flags.has(TcpFlags::ACK)
        && let Some(ack) = tcp.ack
    {
        out.text(b", ack ");
        push_number(out, ack, Fill::Ack, relative);
    }
    if let Some(win) = tcp.win {
        out.text(b", win ");
        out.number(win.into());
    }
    if flags.has(TcpFlags::URG)
        && let Some(urg) = tcp.urg
    {
        out.text(b", urg ");
        out.number(urg.into());
    }
}

/// Appends a number, or a hole for it.
#[inline(always)]
pub(super) fn push_number(out: &mut impl Out, n: u32, fill: fn(u32) -> Fill, relative: bool) {
    if relative {
        out.leave(fill(n));
    } else {
        out.number(n);
    }
}

/// Options, length and a reset's text.
fn push_rest(
    page: &mut Page,
    packet: &Packet<'_>,
    tcp: &Tcp<'_>,
    (header_len, flags): (usize, TcpFlags),
    relative: bool,
    options: &Options,
) {
    let data_len = packet.payload_len - header_len;
    if header_len > HEADER_LEN {
        let wanted = header_len - HEADER_LEN;
        let there = tcp.options.get(..wanted).unwrap_or(tcp.options);
        let data_cut = packet.payload.len() < packet.payload_len;
        let options = tcpopt::Options {
            bytes: there,
            len: wanted,
            flags,
            relative,
            data_cut,
            last: packet.payload.len() <= header_len,
            captured: !ip::is_cut(packet),
        };
        if !options.push(page) {
            return;
        }
    }
    let out = &mut page.text;
    put!(out, ", length ", data_len);
    if data_len > 0 && flags.has(TcpFlags::RST) && options.verbose > 0 {
        let data = packet.payload.get(header_len..).unwrap_or_default();
        push_reset_text(out, data, data_len);
    }
}

/// What a reset says of its cause (RFC 1122, 4.2.2.12). The bytes are made visible as `cat -v`
/// does, so none of them reaches the terminal as a control.
fn push_reset_text(out: &mut Vec<u8>, data: &[u8], len: usize) {
    put!(out, if data.len() >= len { " [RST" } else { " [!RST" });
    put!(out, if len > MAX_RESET_TEXT { "+ " } else { " " });
    for &byte in data.iter().take(len.min(MAX_RESET_TEXT)) {
        if !byte.is_ascii() {
            put!(out, "M-");
        }
        match byte & 0x7f {
            printable @ b' '..=b'~' => out.push(printable),
            control => out.extend_from_slice(&[b'^', control ^ 0x40]),
        }
    }
    put!(out, "]");
}
