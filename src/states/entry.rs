//! A state of the table as a reader sees it.

use std::cmp::Ordering;
use std::net::IpAddr;

use crate::time::Timestamp;
use crate::wire::state::{Ids, State};

use super::lifetime::GRACE_S;
use super::record::{Record, Rest};

/// A state of the table, at the table's time.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'t> {
    record: &'t Record,
    rest: &'t Rest,
    now: Timestamp,
    sender: Option<IpAddr>,
}

impl<'t> Entry<'t> {
    pub(super) const fn new(
        (record, rest): (&'t Record, &'t Rest),
        now: Timestamp,
        sender: Option<IpAddr>,
    ) -> Self {
        Self { record, rest, now, sender }
    }

    /// Its name.
    pub const fn ids(&self) -> Ids {
        self.record.ids()
    }

    /// The state as it was last sent, with age and end counted on to the table's time. What only
    /// the newer layouts have (`extra`) is not kept.
    pub fn state(&self) -> State<'t> {
        let state = self.rest.state(self.record);
        State { creation_s: self.age_s(), expire_s: self.expires_s(), ..state }
    }

    /// Age in seconds.
    pub fn age_s(&self) -> u32 {
        let since = self.now.0.saturating_sub(self.record.counted.0) / 1_000_000_000;
        let since = u32::try_from(since.max(0)).unwrap_or(u32::MAX);
        self.rest.base.creation_s.saturating_add(since)
    }

    /// Seconds until it ends.
    pub fn expires_s(&self) -> u32 {
        let end = self.record.deadline_s.saturating_sub(GRACE_S + 1);
        let left = end.saturating_sub(self.now.split().0).max(0);
        u32::try_from(left).unwrap_or(u32::MAX)
    }

    /// First message about it.
    pub const fn first(&self) -> Timestamp {
        self.record.first
    }

    /// Last message about it.
    pub const fn last(&self) -> Timestamp {
        self.record.last
    }

    /// Messages about it.
    pub const fn messages(&self) -> u32 {
        self.record.messages
    }

    /// True if its insertion was seen.
    pub const fn inserted(&self) -> bool {
        self.record.inserted
    }

    /// True if a peer has acknowledged it.
    pub const fn acknowledged(&self) -> bool {
        self.record.acknowledged
    }

    /// Who sent the last message about it.
    pub const fn sender(&self) -> Option<IpAddr> {
        self.sender
    }

    /// Packets of both directions.
    pub fn packets(&self) -> u64 {
        let [a, b] = self.rest.base.packets;
        a.saturating_add(b)
    }

    /// Bytes of both directions.
    pub fn bytes(&self) -> u64 {
        let [a, b] = self.rest.base.bytes;
        a.saturating_add(b)
    }

    /// Packets a second between the last two messages with counters, once there are two.
    /// Compressed updates have none.
    pub fn packets_per_s(&self) -> Option<f32> {
        let [packets, _] = self.rest.rates;
        (packets >= 0.0).then_some(packets)
    }

    /// Bytes a second between the last two messages with counters, once there are two.
    pub fn bytes_per_s(&self) -> Option<f32> {
        let [_, bytes] = self.rest.rates;
        (bytes >= 0.0).then_some(bytes)
    }
}

/// An order of states. Those that it does not tell apart come by creator and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// By creator and id.
    #[default]
    None,
    /// The oldest first.
    Age,
    /// Most bytes first.
    Bytes,
    /// Most packets first.
    Packets,
    /// Most bytes a second first; without a rate last.
    Rate,
}

impl Sort {
    /// Puts states into this order.
    pub fn apply(self, entries: &mut [Entry<'_>]) {
        entries.sort_unstable_by(|a, b| {
            let order = match self {
                Self::None => Ordering::Equal,
                Self::Age => b.age_s().cmp(&a.age_s()),
                Self::Bytes => b.bytes().cmp(&a.bytes()),
                Self::Packets => b.packets().cmp(&a.packets()),
                Self::Rate => {
                    let [_, a] = a.rest.rates;
                    let [_, b] = b.rest.rates;
                    b.total_cmp(&a)
                }
            };
            let name = |entry: &Entry<'_>| (entry.ids().creatorid, entry.ids().id);
            order.then_with(|| name(a).cmp(&name(b)))
        });
    }
}
