//! What a batch of events is rendered to, and how pages of all workers become one stream.
//!
//! Workers render batches side by side, but some numbers of a line depend on lines before it:
//! `-ttt`'s time since the line before, `-ttttt`'s since the first, and TCP sequence numbers,
//! which tcpdump shows relative to the connection's first; a feed numbers its documents. A worker leaves holes for them; the
//! [`Binder`], which sees the pages in order, fills them, and counts lines for `-c`.

use std::collections::HashMap;
use std::mem;
use std::net::IpAddr;
use std::ops::Range;

use crate::packet::Ports;
use crate::text::push_dec;
use crate::time::{Precision, TimeStyle, Timestamp, push_delta};

/// The text of some events.
#[derive(Debug, Default)]
pub struct Page {
    /// Finished text but for the holes.
    pub text: Vec<u8>,
    lines: Vec<Line>,
    documents: Vec<Document>,
    holes: Vec<Hole>,
    segments: Vec<Segment>,
    /// The event that is being written.
    ts: Timestamp,
    /// How many packets the one being written is inside of.
    pub(super) depth: u8,
    /// The event has pfsync's messages, so that the packet's printer leaves them.
    pub(super) sync: bool,
}

/// Where an event's text ends.
#[derive(Debug, Clone, Copy)]
struct Line {
    end: usize,
}

/// A piece of the text that is sent for itself: a line of JSON, or all lines of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Document {
    end: usize,
    /// Its `event.id`.
    pub id: [u8; 16],
    /// When it happened.
    pub ts: Timestamp,
}

/// A number to be filled in before the byte at `at`.
#[derive(Debug, Clone, Copy)]
struct Hole {
    at: usize,
    fill: Fill,
}

/// What goes into a hole.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fill {
    /// The time since another line.
    Delta(Timestamp),
    /// `event.sequence`: the number of the document in its stream.
    Sequence,
    /// Nothing, but the numbers that follow belong to this segment (an index).
    Segment(usize),
    /// A sequence number.
    Seq(u32),
    /// An acknowledgment number.
    Ack(u32),
    /// An edge of a block that was acknowledged selectively.
    Sack(u32),
}

/// A TCP segment with ACK, as far as it matters to its connection's numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    key: Key,
    /// It goes from the key's second end to its first.
    reverse: bool,
    syn: bool,
    seq: u32,
    ack: u32,
}

/// A connection: both directions have the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    src: IpAddr,
    dst: IpAddr,
    ports: (u16, u16),
}

impl Segment {
    pub(super) fn new(
        src: IpAddr,
        dst: IpAddr,
        ports: Ports,
        syn: bool,
        seq: u32,
        ack: u32,
    ) -> Self {
        let reverse = ports.src > ports.dst || (ports.src == ports.dst && src > dst);
        let key = if reverse {
            Key { src: dst, dst: src, ports: (ports.dst, ports.src) }
        } else {
            Key { src, dst, ports: (ports.src, ports.dst) }
        };
        Self { key, reverse, syn, seq, ack }
    }
}

impl Page {
    /// Empties the page and keeps its memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.lines.clear();
        self.documents.clear();
        self.holes.clear();
        self.segments.clear();
        self.depth = 0;
        self.sync = false;
    }

    /// Starts an event's text.
    #[inline]
    pub fn begin(&mut self, ts: Timestamp) {
        self.ts = ts;
    }

    /// Ends an event's text, which [`begin`](Self::begin) started.
    #[inline]
    pub fn end(&mut self) {
        self.lines.push(Line { end: self.text.len() });
    }

    /// Says that a document ends before the byte at `end`, behind those that were told of before.
    pub fn document(&mut self, end: usize, id: [u8; 16], ts: Timestamp) {
        self.documents.push(Document { end, id, ts });
    }

    /// How many events ended on the page.
    pub fn events(&self) -> usize {
        self.lines.len()
    }

    /// The events' texts, of a page without holes.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.lines.iter().map(move |line| {
            let piece = self.text.get(start..line.end).unwrap_or_default();
            start = line.end;
            piece
        })
    }

    /// Leaves a hole for the event's time relative to another one.
    pub(super) fn leave_delta(&mut self) {
        self.leave(Fill::Delta(self.ts));
    }

    /// The numbers behind the hole that this fills are relative to the segment's connection.
    pub(super) fn relative_to(&mut self, segment: Segment) -> Fill {
        let index = self.segments.len();
        self.segments.push(segment);
        Fill::Segment(index)
    }

    /// Leaves a hole behind so many bytes that are still to come.
    #[inline]
    pub(super) fn leave_behind(&mut self, bytes: usize, fill: Fill) {
        self.holes.push(Hole { at: self.text.len().wrapping_add(bytes), fill });
    }

    /// Leaves a hole for the number of the document that the byte at `at` belongs to.
    pub(super) fn leave_sequence(&mut self, at: usize) {
        self.holes.push(Hole { at, fill: Fill::Sequence });
    }

    /// Leaves a hole.
    #[inline]
    pub(super) fn leave(&mut self, fill: Fill) {
        self.holes.push(Hole { at: self.text.len(), fill });
    }
}

/// A page's text with nothing missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound<'p> {
    /// The text.
    pub bytes: &'p [u8],
    /// How many events it is of.
    pub events: u64,
    /// True if no page is wanted after this one: the limit is reached.
    pub done: bool,
}

/// Sees all pages in order; fills their holes and counts their events.
#[derive(Debug)]
pub struct Binder {
    style: TimeStyle,
    precision: Precision,
    /// Events that may still come, if there is a limit.
    left: Option<u64>,
    /// What the next relative time counts from.
    reference: Option<Timestamp>,
    /// `event.sequence` of the next document.
    sequence: u64,
    connections: Connections,
}

impl Binder {
    /// A binder that stops after `limit` events.
    pub fn new(style: TimeStyle, precision: Precision, limit: Option<u64>) -> Self {
        Self {
            style,
            precision,
            left: limit,
            reference: None,
            sequence: 1,
            connections: Connections::new(CONNECTIONS),
        }
    }

    /// The page's text: its own bytes where nothing is missing, else `scratch`'s.
    pub fn bind<'p>(&mut self, page: &'p Page, scratch: &'p mut Vec<u8>) -> Bound<'p> {
        let (events, done) = self.count(page.lines.len());
        let end = match page.lines.get(events) {
            Some(_) if events == 0 => 0,
            Some(_) => page.lines.get(events - 1).map_or(0, |last| last.end),
            None => page.text.len(),
        };
        let text = page.text.get(..end).unwrap_or(&page.text);
        let events = events as u64;
        if page.holes.is_empty() {
            return Bound { bytes: text, events, done };
        }
        scratch.clear();
        self.fill(page, &page.holes, 0..end, scratch);
        Bound { bytes: scratch, events, done }
    }

    /// Numbers the documents from here on.
    pub const fn number_from(&mut self, sequence: u64) {
        self.sequence = sequence;
    }

    /// The number of the next document.
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Gives each document of the page with nothing missing.
    pub fn documents(
        &mut self,
        page: &Page,
        scratch: &mut Vec<u8>,
        mut each: impl FnMut(Document, &[u8]),
    ) {
        let (mut start, mut holes) = (0, page.holes.as_slice());
        for document in &page.documents {
            let own = holes.partition_point(|hole| hole.at < document.end);
            let (own, later) = holes.split_at_checked(own).unwrap_or((holes, &[]));
            let whole = page.text.get(start..document.end).unwrap_or_default();
            if own.is_empty() {
                each(*document, whole);
            } else {
                scratch.clear();
                self.fill(page, own, start..document.end, scratch);
                each(*document, scratch);
            }
            (start, holes) = (document.end, later);
            self.sequence += 1;
        }
    }

    /// Appends a piece of the page's text with what goes into its holes.
    fn fill(&mut self, page: &Page, holes: &[Hole], piece: Range<usize>, out: &mut Vec<u8>) {
        let (mut from, mut base) = (piece.start, Base::default());
        for hole in holes {
            // A line's own end is never a hole: it is a newline.
            if hole.at >= piece.end {
                break;
            }
            out.extend_from_slice(page.text.get(from..hole.at).unwrap_or_default());
            from = hole.at;
            match hole.fill {
                Fill::Delta(ts) => self.push_delta(out, ts),
                Fill::Sequence => push_dec(out, self.sequence),
                Fill::Segment(index) => {
                    if let Some(segment) = page.segments.get(index) {
                        base = self.connections.base(segment);
                    }
                }
                Fill::Seq(n) => push_dec(out, n.wrapping_sub(base.seq)),
                Fill::Ack(n) => push_dec(out, n.wrapping_sub(base.ack)),
                Fill::Sack(n) => push_dec(out, n.wrapping_sub(base.sack)),
            }
        }
        out.extend_from_slice(page.text.get(from..piece.end).unwrap_or_default());
    }

    /// How many of so many events are wanted, and whether they are the last ones.
    fn count(&mut self, events: usize) -> (usize, bool) {
        let Some(left) = &mut self.left else { return (events, false) };
        let wanted = events.min(usize::try_from(*left).unwrap_or(usize::MAX));
        *left -= wanted as u64;
        (wanted, *left == 0)
    }

    /// As tcpdump, which subtracts what it would show: digits that are not shown do not count.
    fn push_delta(&mut self, out: &mut Vec<u8>, ts: Timestamp) {
        let ts = match self.precision {
            Precision::Micros => Timestamp(ts.0.saturating_sub(ts.0.rem_euclid(1000))),
            Precision::Nanos => ts,
        };
        push_delta(out, self.reference.unwrap_or(ts), ts, self.precision);
        if self.style == TimeStyle::Delta || self.reference.is_none() {
            self.reference = Some(ts);
        }
    }
}

/// What is subtracted from the numbers of a segment.
#[derive(Debug, Clone, Copy, Default)]
struct Base {
    seq: u32,
    ack: u32,
    sack: u32,
}

/// Connections of a generation.
const CONNECTIONS: usize = 1 << 16;

/// The first sequence numbers of the connections seen last. tcpdump keeps all it ever saw; here
/// a generation that is full makes the one before it forgotten, and a connection that is seen
/// again is carried over, so that memory is bounded and a busy connection stays.
#[derive(Debug)]
struct Connections {
    size: usize,
    young: HashMap<Key, First>,
    old: HashMap<Key, First>,
}

/// The first numbers of the key's first end, and of its second.
#[derive(Debug, Clone, Copy)]
struct First {
    seq: u32,
    ack: u32,
}

impl Connections {
    fn new(size: usize) -> Self {
        Self { size, young: HashMap::new(), old: HashMap::new() }
    }

    /// The first segment of a connection, or one with SYN, shows its numbers as they are, and
    /// sets what later ones are relative to.
    fn base(&mut self, segment: &Segment) -> Base {
        let &Segment { key, reverse, syn, seq, ack } = segment;
        let known = if syn { None } else { self.find(&key) };
        let first = known.unwrap_or_else(|| {
            let before_ack = ack.wrapping_sub(1);
            let first = if reverse {
                First { seq: before_ack, ack: seq }
            } else {
                First { seq, ack: before_ack }
            };
            self.insert(key, first);
            first
        });
        let (mine, other) = if reverse { (first.ack, first.seq) } else { (first.seq, first.ack) };
        match known {
            Some(_) => Base { seq: mine, ack: other, sack: other },
            None => Base { seq: 0, ack: 0, sack: other },
        }
    }

    fn find(&mut self, key: &Key) -> Option<First> {
        if let Some(&first) = self.young.get(key) {
            return Some(first);
        }
        let first = self.old.remove(key)?;
        self.insert(*key, first);
        Some(first)
    }

    fn insert(&mut self, key: Key, first: First) {
        if self.young.len() >= self.size {
            mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(key, first);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const A: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

    fn segment(there: bool, syn: bool, seq: u32, ack: u32) -> Segment {
        let (src, dst, ports) = if there {
            (A, B, Ports { src: 4000, dst: 80 })
        } else {
            (B, A, Ports { src: 80, dst: 4000 })
        };
        Segment::new(src, dst, ports, syn, seq, ack)
    }

    fn shown(connections: &mut Connections, segment: &Segment) -> (u32, u32) {
        let base = connections.base(segment);
        (segment.seq.wrapping_sub(base.seq), segment.ack.wrapping_sub(base.ack))
    }

    #[test]
    fn sequence_numbers_count_from_the_first_segment_seen() {
        let mut connections = Connections::new(10);
        let all = &mut connections;
        assert_eq!(shown(all, &segment(false, true, 500, 101)), (500, 101));
        assert_eq!(shown(all, &segment(true, false, 101, 501)), (1, 1));
        assert_eq!(shown(all, &segment(false, false, 501, 111)), (1, 11));
        assert_eq!(shown(all, &segment(true, true, 7, 9)), (7, 9), "SYN starts again");
        assert_eq!(shown(all, &segment(true, false, 8, 10)), (1, 2));
    }

    #[test]
    fn a_new_connection_s_sack_counts_from_its_ack() {
        let mut connections = Connections::new(10);
        assert_eq!(connections.base(&segment(true, false, 100, 1000)).sack, 999);
        assert_eq!(connections.base(&segment(true, false, 100, 1000)).sack, 999);
        assert_eq!(connections.base(&segment(false, false, 1000, 100)).sack, 100);
    }

    #[test]
    fn old_connections_are_forgotten_and_busy_ones_are_not() {
        let mut connections = Connections::new(4);
        let busy = segment(true, false, 100, 200);
        connections.base(&busy);
        for port in 0..100 {
            let ports = Ports { src: port, dst: 443 };
            connections.base(&Segment::new(A, B, ports, false, 1, 1));
            assert_eq!(shown(&mut connections, &busy), (0, 1));
            assert!(connections.young.len() <= 4 && connections.old.len() <= 4);
        }
        let ports = Ports { src: 0, dst: 443 };
        let again = Segment::new(A, B, ports, false, 7, 7);
        assert_eq!(shown(&mut connections, &again), (7, 7));
    }

    fn page(lines: &[(i64, &str)]) -> Page {
        let mut page = Page::default();
        for &(ts, text) in lines {
            page.begin(Timestamp(ts));
            page.text.extend_from_slice(text.as_bytes());
            page.end();
        }
        page
    }

    #[test]
    fn a_page_without_holes_is_not_copied() {
        let page = page(&[(0, "a\n"), (0, "b\n")]);
        let mut scratch = Vec::new();
        let mut binder = Binder::new(TimeStyle::None, Precision::Micros, Some(3));
        let bound = binder.bind(&page, &mut scratch);
        assert_eq!(bound, Bound { bytes: b"a\nb\n", events: 2, done: false });
        assert_eq!(bound.bytes.as_ptr(), page.text.as_ptr());
        let bound = binder.bind(&page, &mut scratch);
        assert_eq!(bound, Bound { bytes: b"a\n", events: 1, done: true });
        let bound = binder.bind(&page, &mut scratch);
        assert_eq!(bound, Bound { bytes: b"", events: 0, done: true });
    }

    #[test]
    fn documents_are_numbered_from_page_to_page() {
        let mut page = Page::default();
        for text in ["n=", "no number", "n="] {
            page.begin(Timestamp(5));
            page.text.extend_from_slice(text.as_bytes());
            if text.ends_with('=') {
                page.leave_sequence(page.text.len());
            }
            page.text.extend_from_slice(b".\n");
            page.end();
            page.document(page.text.len(), [7; 16], Timestamp(5));
        }
        let mut binder = Binder::new(TimeStyle::None, Precision::Micros, None);
        binder.number_from(9);
        let (mut all, mut scratch) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            binder.documents(&page, &mut scratch, |document, text| {
                assert_eq!((document.id, document.ts), ([7; 16], Timestamp(5)));
                all.push(String::from_utf8(text.to_vec()).unwrap());
            });
        }
        assert_eq!(
            all,
            ["n=9.\n", "no number.\n", "n=11.\n", "n=12.\n", "no number.\n", "n=14.\n"]
        );
        assert_eq!(binder.sequence(), 15);
    }

    #[test]
    fn relative_times_go_on_from_page_to_page() {
        let times = |style| {
            let mut binder = Binder::new(style, Precision::Micros, Some(3));
            let (mut text, mut scratch) = (Vec::new(), Vec::new());
            for stamps in [[1_900, 2_100], [5_000, 9_000]] {
                let mut page = Page::default();
                for ts in stamps {
                    page.begin(Timestamp(ts));
                    page.leave_delta();
                    page.text.extend_from_slice(b"x\n");
                    page.end();
                }
                text.extend_from_slice(binder.bind(&page, &mut scratch).bytes);
            }
            String::from_utf8(text).unwrap()
        };
        let since_first = " 00:00:00.000000 x\n 00:00:00.000001 x\n 00:00:00.000004 x\n";
        assert_eq!(times(TimeStyle::SinceFirst), since_first);
        let delta = " 00:00:00.000000 x\n 00:00:00.000001 x\n 00:00:00.000003 x\n";
        assert_eq!(times(TimeStyle::Delta), delta);
    }
}
