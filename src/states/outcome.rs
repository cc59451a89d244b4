//! What messages do to the table.

use serde::Serialize;

use super::regression::Regression;

/// What happened to the table so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counters {
    /// States inserted, by an insertion.
    pub inserted: u64,
    /// Insertions of states that were there: they replace them.
    pub replaced: u64,
    /// States inserted by an update, because their insertion was not seen.
    pub adopted: u64,
    /// Full updates of states that were there.
    pub updated: u64,
    /// Compressed updates of states that were there.
    pub compressed: u64,
    /// Compressed updates of states that were not.
    pub orphans: u64,
    /// States deleted.
    pub deleted: u64,
    /// Deletions of states that were not there.
    pub missing: u64,
    /// States that clears took away.
    pub cleared: u64,
    /// States that ended by their time and were never deleted.
    pub expired: u64,
    /// States dropped because there were too many.
    pub dropped: u64,
    /// States acknowledged by a peer.
    pub acknowledged: u64,
    /// States without a name (version 1), which cannot be followed.
    pub nameless: u64,
}

/// What a message did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// A new state.
    Inserted,
    /// A state that was there, inserted again.
    Replaced,
    /// A new state, by an update.
    Adopted,
    /// A state changed.
    Updated,
    /// A compressed update of a state that is not there.
    Orphan,
    /// A state went.
    Deleted,
    /// A deletion of a state that is not there.
    Missing,
    /// So many states went.
    Cleared(u64),
    /// Nothing in the table.
    None,
}

/// What came of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// What it did.
    pub effect: Effect,
    /// What it moves back.
    pub regression: Option<Regression>,
    /// Updates of its state in the same second, this one included.
    pub burst: u16,
}

impl Outcome {
    pub(super) const fn of(effect: Effect) -> Self {
        Self { effect, regression: None, burst: 0 }
    }
}

pub(super) const fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}
