//! The native JSON: one object a line, described by `pfscope schema json`.
//!
//! Keys come in a fixed order; a key is absent where its value is unknown or does not apply.
//! [`describe()`] walks an event once and names every value; [`Json`] writes them as JSON,
//! [`super::fields::Fields`] picks some of them.

mod describe;
mod plain;
mod sync;

use std::net::IpAddr;
use std::ops::Range;

use jiff::tz::TimeZone;

pub use describe::{Emit, Key, Line, Origin, describe, lines};
pub(super) use describe::{
    address, describe_error, describe_happening, describe_notice, describe_suspicion,
    describe_transport, describe_tunnel, key,
};
pub(super) use plain::{push_transport, put_frag_off, put_lengths, put_transport};

use super::Sink;
use super::memo::{Memo, Write};
use super::page::Page;
use crate::event::{Event, Frame};
use crate::filter::Filter;
use crate::glance::Glance;
use crate::text::line::Room;
use crate::text::{Integer, push_dec, push_ipv4, push_ipv6};
use crate::time::Clock;
use crate::wire::state::State;

/// The JSON Schema of a line.
pub const SCHEMA: &str = include_str!("schema.json");

/// The renderer of JSON lines.
#[derive(Debug)]
pub struct Json {
    origin: Origin,
    clock: Clock,
    filter: Filter,
    /// Members from the pf header's first to its addresses, with the brace in front.
    headers: Memo<1>,
    /// The file's member, of plain records.
    source: Vec<u8>,
    room: Box<Room>,
}

impl Json {
    /// A renderer for the records of one source. Of the messages of a pfsync packet it writes
    /// those that `filter` is true of; which events it gets has been decided before.
    pub fn new(origin: Origin, filter: Filter) -> Self {
        let source = plain::source(&origin);
        let clock = Clock::new(TimeZone::UTC);
        let room = Box::default();
        Self { origin, clock, filter, headers: Memo::new(), source, room }
    }
}

impl Sink for Json {
    fn event(&mut self, event: &Event<'_>, page: &mut Page) {
        page.begin(event.frame.ts);
        lines(event, &self.filter, |line| {
            push_object(&mut page.text, |writer| {
                describe(event, line, &self.origin, &mut self.clock, writer);
            });
            page.text.push(b'\n');
        });
        page.end();
    }

    #[inline]
    fn plain(&mut self, frame: &Frame<'_>, glance: &Glance<'_>, page: &mut Page) -> bool {
        if frame.flow.is_some() || frame.place.is_some() {
            return false;
        }
        let write: Write<'_> = &|_, header, out| push_members(out, |e| plain::header(header, e));
        let Some(kept) = self.headers.get(frame, glance, [write]) else { return false };
        let [header] = kept.all();
        let Self { origin, source, clock, room, .. } = self;
        if matches!(origin, Origin::Devices) {
            // One frame's may be another one's device.
            source.clear();
            push_members(source, |e| e.bytes(key!("iface"), frame.iface.unwrap_or_default()));
        }
        page.begin(frame.ts);
        let out = &mut page.text;
        if plain::push(out, room, frame, glance, &header, source, clock).is_none() {
            return false;
        }
        page.end();
        true
    }
}

/// Appends an object of what `describe` names.
#[inline]
pub(super) fn push_object<'a>(out: &'a mut Vec<u8>, describe: impl FnOnce(&mut Writer<'a>)) {
    let brace = Some(out.len());
    let mut writer = Writer { out, brace, seen: Seen::default() };
    describe(&mut writer);
    writer.close();
}

/// Appends members of an object that is open: `,"key":value`. An object that they open may be left
/// open.
pub(super) fn push_members(out: &mut Vec<u8>, describe: impl FnOnce(&mut Writer<'_>)) {
    let mut writer = Writer { out, brace: None, seen: Seen::default() };
    describe(&mut writer);
    writer.brace();
}

/// Appends a state of the state table as a JSON object, as in the lines of pfsync messages.
pub fn push_state(out: &mut Vec<u8>, state: &State<'_>) {
    push_object(out, |writer| sync::describe_state(state, writer));
}

/// Writes what [`describe()`] names as JSON. Every member begins with a comma, so that it is
/// copied without a question; the first one's becomes the opening brace afterwards.
pub(super) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    /// Where the brace of the innermost object goes, until it has one.
    brace: Option<usize>,
    seen: Seen,
}

/// IPv6 addresses that the object has, and where: a packet's often stand in it several times, and
/// a copy is made sooner than their text. The slots are taken in turn.
#[derive(Debug, Default)]
struct Seen {
    addresses: [(u128, u32, u32); 4],
    next: usize,
}

impl Seen {
    #[inline]
    fn get(&self, addr: u128) -> Option<Range<usize>> {
        let (_, start, end) = self.addresses.iter().find(|(known, ..)| *known == addr)?;
        // A slot that was never taken has an empty text.
        (start < end).then_some(*start as usize..*end as usize)
    }

    fn insert(&mut self, addr: u128, text: Range<usize>) {
        let (Ok(start), Ok(end)) = (u32::try_from(text.start), u32::try_from(text.end)) else {
            return;
        };
        if let Some(slot) = self.addresses.get_mut(self.next % 4) {
            *slot = (addr, start, end);
        }
        self.next += 1;
    }
}

impl Writer<'_> {
    /// Appends members that are written out: `,"key":value` as they stand in JSON.
    #[inline(always)]
    pub(super) fn members(&mut self, json: impl AsRef<[u8]>) {
        self.out.extend_from_slice(json.as_ref());
    }

    /// Appends a string that `push` appends, unless it says that there is none.
    #[inline]
    pub(super) fn optional(&mut self, key: Key, push: impl FnOnce(&mut Vec<u8>) -> bool) {
        let before = self.out.len();
        self.out.extend_from_slice(key.quoted().as_bytes());
        if push(self.out) {
            self.out.push(b'"');
        } else {
            self.out.truncate(before);
        }
    }

    /// Appends a list of what `each` appends to it.
    #[inline]
    pub(super) fn list(&mut self, key: Key, each: impl FnOnce(&mut Vec<u8>)) {
        self.key(key);
        self.out.push(b'[');
        each(self.out);
        self.out.push(b']');
    }

    /// Appends addresses, unless there are none.
    #[inline]
    pub(super) fn addresses(&mut self, key: Key, addresses: impl Iterator<Item = IpAddr>) {
        let mut open = false;
        for addr in addresses {
            if open {
                self.out.extend_from_slice(b",\"");
            } else {
                self.key(key);
                self.out.extend_from_slice(b"[\"");
                open = true;
            }
            self.push_ip(addr);
            self.out.push(b'"');
        }
        if open {
            self.out.push(b']');
        }
    }

    #[inline]
    fn push_ip(&mut self, addr: IpAddr) {
        match addr {
            IpAddr::V4(addr) => push_ipv4(self.out, addr),
            IpAddr::V6(addr) => match self.seen.get(addr.to_bits()) {
                Some(text) if text.end <= self.out.len() => self.out.extend_from_within(text),
                _ => {
                    let start = self.out.len();
                    push_ipv6(self.out, addr);
                    self.seen.insert(addr.to_bits(), start..self.out.len());
                }
            },
        }
    }

    /// Appends a key whose value comes later; where that goes.
    #[inline]
    pub(super) fn later(&mut self, key: Key) -> usize {
        self.key(key);
        self.out.len()
    }

    #[inline(always)]
    fn key(&mut self, key: Key) {
        self.out.extend_from_slice(key.json().as_bytes());
    }

    /// Opens the innermost object, if it has a member by now.
    #[inline(always)]
    fn brace(&mut self) {
        if let Some(brace) = self.brace.take() {
            match self.out.get_mut(brace) {
                Some(comma) => *comma = b'{',
                None => self.out.push(b'{'),
            }
        }
    }
}

impl Emit for Writer<'_> {
    #[inline(always)]
    fn number(&mut self, key: Key, n: impl Integer) {
        self.key(key);
        push_dec(self.out, n);
    }

    #[inline(always)]
    fn truth(&mut self, key: Key) {
        self.key(key);
        self.out.extend_from_slice(b"true");
    }

    #[inline(always)]
    fn string(&mut self, key: Key, push: impl FnOnce(&mut Vec<u8>)) {
        self.out.extend_from_slice(key.quoted().as_bytes());
        push(self.out);
        self.out.push(b'"');
    }

    #[inline]
    fn address(&mut self, key: Key, addr: Option<IpAddr>) {
        if let Some(addr) = addr {
            self.out.extend_from_slice(key.quoted().as_bytes());
            self.push_ip(addr);
            self.out.push(b'"');
        }
    }

    #[inline]
    fn numbers(&mut self, key: Key, [first, second]: [u64; 2]) {
        self.key(key);
        self.out.push(b'[');
        push_dec(self.out, first);
        self.out.push(b',');
        push_dec(self.out, second);
        self.out.push(b']');
    }

    #[inline]
    fn words(&mut self, key: Key, words: impl Iterator<Item = &'static str>) {
        let mut open = false;
        for word in words {
            if open {
                self.out.push(b',');
            } else {
                self.key(key);
                self.out.push(b'[');
                open = true;
            }
            self.out.push(b'"');
            self.out.extend_from_slice(word.as_bytes());
            self.out.push(b'"');
        }
        if open {
            self.out.push(b']');
        }
    }

    #[inline(always)]
    fn open(&mut self, key: Key) {
        self.key(key);
        self.brace();
        self.brace = Some(self.out.len());
    }

    #[inline(always)]
    fn close(&mut self) {
        self.brace();
        self.out.push(b'}');
    }
}
