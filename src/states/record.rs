//! A state as the table keeps it: [`State`] without pointers and packed, with what the table
//! knows besides.

use std::net::IpAddr;

use crate::pf::{Direction, PeerState, StateFlags, Timeout};
use crate::time::Timestamp;
use crate::wire::pfsync::Layout;
use crate::wire::pfsync::messages::Compressed;
use crate::wire::state::{Ids, Key, Peer, Scrub, State};

use super::list::Link;

/// "None" of rules.
const NONE: u32 = u32::MAX;

/// An interface name: untrusted bytes, the rest NUL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(super) struct Name([u8; 16]);

impl Name {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut name = [0; 16];
        name.iter_mut().zip(bytes).for_each(|(to, &from)| *to = from);
        Self(name)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        let end = self.0.iter().position(|&b| b == 0).unwrap_or(self.0.len());
        self.0.get(..end).unwrap_or_default()
    }
}

/// [`Peer`] in 28 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Side {
    pub(super) seqlo: u32,
    pub(super) seqhi: u32,
    seqdiff: u32,
    ts_mod: u32,
    max_win: u16,
    mss: u16,
    scrub_flags: u16,
    pub(super) state: PeerState,
    wscale: u8,
    ttl: u8,
    scrubbed: bool,
}

impl Side {
    const fn of(peer: &Peer) -> Self {
        let (scrub_flags, ttl, ts_mod) = match peer.scrub {
            Some(Scrub { flags, ttl, ts_mod }) => (flags, ttl, ts_mod),
            None => (0, 0, 0),
        };
        Self {
            seqlo: peer.seqlo,
            seqhi: peer.seqhi,
            seqdiff: peer.seqdiff,
            ts_mod,
            max_win: peer.max_win,
            mss: peer.mss,
            scrub_flags,
            state: peer.state,
            wscale: peer.wscale,
            ttl,
            scrubbed: peer.scrub.is_some(),
        }
    }

    const fn peer(&self) -> Peer {
        let Self { seqlo, seqhi, seqdiff, max_win, mss, state, wscale, .. } = *self;
        let scrub = if self.scrubbed {
            Some(Scrub { flags: self.scrub_flags, ttl: self.ttl, ts_mod: self.ts_mod })
        } else {
            None
        };
        Peer { seqlo, seqhi, seqdiff, max_win, mss, state, wscale, scrub }
    }
}

/// A state as a message had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whole {
    id: u64,
    pub(super) packets: [u64; 2],
    pub(super) bytes: [u64; 2],
    pub(super) wire: Key,
    pub(super) stack: Key,
    pub(super) sides: [Side; 2],
    creatorid: u32,
    rule: u32,
    anchor: u32,
    nat_rule: u32,
    pub(super) creation_s: u32,
    pub(super) expire_s: u32,
    pub(super) ifname: Name,
    rt_addr: [u8; 16],
    rt_family: u8,
    state_flags: StateFlags,
    pub(super) timeout: Option<Timeout>,
    sync_flags: Option<u8>,
    updates: Option<u8>,
    log: u8,
    direction: Direction,
    layout: Layout,
}

impl Whole {
    pub(super) fn of(ids: Ids, state: &State<'_>) -> Self {
        let (rt_family, rt_addr) = match state.rt_addr {
            None => (0, [0; 16]),
            Some(IpAddr::V4(v4)) => {
                let [a, b, c, d] = v4.octets();
                (4, [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
            }
            Some(IpAddr::V6(v6)) => (6, v6.octets()),
        };
        Self {
            id: ids.id,
            packets: state.packets,
            bytes: state.bytes,
            wire: state.wire,
            stack: state.stack,
            sides: [Side::of(&state.src), Side::of(&state.dst)],
            creatorid: ids.creatorid,
            rule: state.rule.unwrap_or(NONE),
            anchor: state.anchor.unwrap_or(NONE),
            nat_rule: state.nat_rule.unwrap_or(NONE),
            creation_s: state.creation_s,
            expire_s: state.expire_s,
            ifname: Name::of(state.ifname),
            rt_addr,
            rt_family,
            state_flags: state.state_flags,
            timeout: state.timeout,
            sync_flags: state.sync_flags,
            updates: state.updates,
            log: state.log,
            direction: state.direction,
            layout: state.layout,
        }
    }

    pub(super) const fn ids(&self) -> Ids {
        Ids { id: self.id, creatorid: self.creatorid }
    }

    pub(super) const fn layout(&self) -> Layout {
        self.layout
    }

    /// Takes over what a compressed update says.
    pub(super) const fn compressed(&mut self, update: &Compressed) {
        self.sides = [Side::of(&update.src), Side::of(&update.dst)];
        self.timeout = Some(update.timeout);
        if let Some(flags) = update.state_flags {
            // The message has only the low byte.
            self.state_flags = StateFlags(self.state_flags.0 & 0xff00 | flags.0);
        }
    }

    /// As the parser gives it, but for what only newer layouts have.
    pub(super) fn state(&self) -> State<'_> {
        let rule = |n| if n == NONE { None } else { Some(n) };
        let [a, b, c, d, ..] = self.rt_addr;
        let [src, dst] = &self.sides;
        State {
            layout: self.layout,
            ids: Some(self.ids()),
            ifname: self.ifname.bytes(),
            wire: self.wire,
            stack: self.stack,
            direction: self.direction,
            src: src.peer(),
            dst: dst.peer(),
            rt_addr: match self.rt_family {
                4 => Some(IpAddr::from([a, b, c, d])),
                6 => Some(IpAddr::from(self.rt_addr)),
                _ => None,
            },
            rule: rule(self.rule),
            anchor: rule(self.anchor),
            nat_rule: rule(self.nat_rule),
            creation_s: self.creation_s,
            expire_s: self.expire_s,
            packets: self.packets,
            bytes: self.bytes,
            timeout: self.timeout,
            state_flags: self.state_flags,
            sync_flags: self.sync_flags,
            updates: self.updates,
            log: self.log,
            extra: None,
        }
    }
}

/// A state in the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub(super) whole: Whole,
    /// First message about it.
    pub(super) first: Timestamp,
    /// Last message about it.
    pub(super) last: Timestamp,
    /// Last message that had its age and counters.
    pub(super) counted: Timestamp,
    /// The second from which on it is taken for ended.
    pub(super) deadline_s: i64,
    /// Packets and bytes a second between the last two of those; negative before there are two.
    pub(super) rates: [f32; 2],
    /// Messages about it.
    pub(super) messages: u32,
    /// Its place in the lists of [`super::list`].
    pub(super) links: [Link; super::list::LISTS],
    /// Who sent the last message.
    pub(super) sender: u16,
    /// The wheel's bucket.
    pub(super) bucket: u16,
    /// Updates in the second of the last one.
    pub(super) burst: u16,
    /// True if its insertion was seen.
    pub(super) inserted: bool,
    /// True if a peer has acknowledged it.
    pub(super) acknowledged: bool,
}

impl Record {
    /// Takes over a full update. Counters do not go back: two firewalls that each see one
    /// direction of a connection count on their own.
    pub(super) fn count(&mut self, whole: &Whole, ts: Timestamp) {
        let sum = |[a, b]: [u64; 2]| a.saturating_add(b);
        let max = |[a, b]: [u64; 2], [c, d]: [u64; 2]| [a.max(c), b.max(d)];
        let packets = max(self.whole.packets, whole.packets);
        let bytes = max(self.whole.bytes, whole.bytes);
        let nanos = ts.0.saturating_sub(self.counted.0);
        if nanos > 0 {
            let rate = |from, to| per_second(sum(to).saturating_sub(sum(from)), nanos);
            self.rates = [rate(self.whole.packets, packets), rate(self.whole.bytes, bytes)];
            self.counted = ts;
        }
        self.whole = Whole { packets, bytes, ..*whole };
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
