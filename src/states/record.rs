//! A state as the table keeps it, in two parts: what every message about it changes, which is two
//! lines of a processor's cache, and what whole states have besides.

use crate::time::Timestamp;
use crate::wire::state::{Ids, State};

use super::list::{LISTS, Link};
use super::whole::{Base, Progress, Whole};

/// What every message about a state changes, and what it is found by. In the order in which it is
/// declared: name and sides are the first line, and the rest is the second.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Record {
    id: u64,
    creatorid: u32,
    pub(super) progress: Progress,
    /// Number of the last message about it among all, from 1; 0 of a place that is free.
    pub(super) stamp: u64,
    /// First message about it.
    pub(super) first: Timestamp,
    /// Last message about it.
    pub(super) last: Timestamp,
    /// Last message that had its age and counters.
    pub(super) counted: Timestamp,
    /// The second from which on it is taken for ended.
    pub(super) deadline_s: i64,
    /// Messages about it.
    pub(super) messages: u32,
    /// Who sent the last message.
    pub(super) sender: u16,
    /// The wheel's bucket.
    pub(super) bucket: u16,
    /// Updates in the second of the last one.
    pub(super) burst: u16,
    /// The wire key's protocol.
    pub(super) proto: u8,
    /// True if its insertion was seen.
    pub(super) inserted: bool,
    /// True if a peer has acknowledged it.
    pub(super) acknowledged: bool,
}

// A message touches no more lines than it must.
const _: () = assert!(size_of::<Record>() == 128);

/// What else is known of a state.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rest {
    pub(super) base: Base,
    /// Packets and bytes a second between the last two messages with counters; negative before
    /// there are two.
    pub(super) rates: [f32; 2],
    /// Its place in the lists of [`super::list`].
    pub(super) links: [Link; LISTS],
}

/// What a message says of a state, whatever its kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Touch {
    pub(super) ts: Timestamp,
    pub(super) stamp: u64,
    pub(super) sender: u16,
    pub(super) deadline_s: i64,
}

impl Record {
    /// Of the first message about a state.
    pub(super) const fn new(whole: &Whole, touch: &Touch, inserted: bool) -> Self {
        let Touch { ts, stamp, sender, deadline_s } = *touch;
        Self {
            id: whole.ids.id,
            creatorid: whole.ids.creatorid,
            progress: whole.progress,
            stamp,
            first: ts,
            last: ts,
            counted: ts,
            deadline_s,
            messages: 1,
            sender,
            bucket: 0,
            burst: 0,
            proto: whole.base.wire.proto,
            inserted,
            acknowledged: false,
        }
    }

    #[inline]
    pub(super) const fn ids(&self) -> Ids {
        Ids { id: self.id, creatorid: self.creatorid }
    }

    /// True if it is the state of this name, and in the table.
    #[inline]
    pub(super) const fn is(&self, ids: Ids) -> bool {
        self.id == ids.id && self.creatorid == ids.creatorid && self.stamp != 0
    }

    /// An update; true if its end has come nearer.
    #[inline]
    pub(super) fn touch(&mut self, touch: &Touch) -> bool {
        let same = self.last.split().0 == touch.ts.split().0;
        self.burst = if same { self.burst.saturating_add(1) } else { 1 };
        self.last = self.last.max(touch.ts);
        self.stamp = touch.stamp;
        self.sender = touch.sender;
        self.messages = self.messages.saturating_add(1);
        let earlier = touch.deadline_s < self.deadline_s;
        self.deadline_s = touch.deadline_s;
        earlier
    }

    /// Takes over a full update. Counters do not go back: two firewalls that each see one
    /// direction of a connection count on their own.
    pub(super) fn count(&mut self, rest: &mut Rest, whole: &Whole, ts: Timestamp) {
        let sum = |[a, b]: [u64; 2]| a.saturating_add(b);
        let max = |[a, b]: [u64; 2], [c, d]: [u64; 2]| [a.max(c), b.max(d)];
        let old = &rest.base;
        let packets = max(old.packets, whole.base.packets);
        let bytes = max(old.bytes, whole.base.bytes);
        let nanos = ts.0.saturating_sub(self.counted.0);
        if nanos > 0 {
            let rate = |from, to| per_second(sum(to).saturating_sub(sum(from)), nanos);
            rest.rates = [rate(old.packets, packets), rate(old.bytes, bytes)];
            self.counted = ts;
        }
        self.progress = whole.progress;
        rest.base = whole.base;
        (rest.base.packets, rest.base.bytes) = (packets, bytes);
    }
}

impl Rest {
    pub(super) const fn new(base: Base) -> Self {
        Self { base, rates: [-1.0; 2], links: [Link::NONE; LISTS] }
    }

    /// The state as the parser gives it.
    pub(super) fn state(&self, record: &Record) -> State<'_> {
        self.base.state(record.ids(), &record.progress)
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a rate is an estimate"
)]
fn per_second(n: u64, nanos: i64) -> f32 {
    (n as f64 * 1e9 / nanos as f64) as f32
}
