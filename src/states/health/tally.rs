//! Counts of messages, and of how many came within a second.

use std::collections::BTreeMap;

use crate::pf::SyncAction;
use crate::time::Timestamp;

/// Messages by action; the last of [`SyncAction::NAMES`] is followed by all without a name.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally([u64; 16]);

const fn place(action: SyncAction) -> usize {
    match action {
        SyncAction::Clr => 0,
        SyncAction::Ins => 1,
        SyncAction::InsAck => 2,
        SyncAction::Upd => 3,
        SyncAction::UpdC => 4,
        SyncAction::UpdReq => 5,
        SyncAction::Del => 6,
        SyncAction::DelC => 7,
        SyncAction::InsF => 8,
        SyncAction::DelF => 9,
        SyncAction::Bus => 10,
        SyncAction::Tdb => 11,
        SyncAction::Oins => 12,
        SyncAction::Oupd => 13,
        SyncAction::Otdb => 14,
        SyncAction::Eof | SyncAction::Other(_) => 15,
    }
}

impl Tally {
    pub(super) fn add(&mut self, action: SyncAction, n: u64) {
        if let Some(count) = self.0.get_mut(place(action)) {
            *count = count.saturating_add(n);
        }
    }

    /// Those that there were, by name.
    pub(super) fn counts(&self) -> BTreeMap<&'static str, u64> {
        let names = SyncAction::NAMES.into_iter().chain(["other"]);
        names.zip(self.0).filter(|&(_, n)| n > 0).collect()
    }
}

/// The second with the most of something. One that begins in the middle of a second counts as
/// two.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Peak {
    second: i64,
    n: u64,
    pub(super) most: u64,
    pub(super) at: Timestamp,
}

impl Peak {
    pub(super) fn add(&mut self, ts: Timestamp, n: u64) {
        let second = ts.split().0;
        self.n = if self.second == second { self.n.saturating_add(n) } else { n };
        self.second = second;
        if self.n > self.most {
            (self.most, self.at) = (self.n, ts);
        }
    }
}
