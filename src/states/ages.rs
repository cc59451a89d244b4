//! Which state was least recently updated. A message only numbers the state that it is about; the
//! numbers are gone through once a state has to go, so that a message does not touch others.

use std::collections::BinaryHeap;

use super::list::Slab;

/// The part of the states that is put in order at a time. It is used up by as many messages at
/// least, so that going through all the states costs each message no more than a few looks.
const PART: usize = 8;

/// The order of the messages.
#[derive(Debug, Default)]
pub(super) struct Ages {
    /// Number of the last message.
    stamp: u64,
    /// States that were the least recently updated when they were put in order, the last first.
    oldest: Vec<u32>,
    /// The highest of their numbers: with a higher one a state has been updated since.
    until: u64,
}

impl Ages {
    /// The number of a message.
    #[inline]
    pub(super) const fn next(&mut self) -> u64 {
        self.stamp = self.stamp.saturating_add(1);
        self.stamp
    }

    /// Bytes allocated.
    pub(super) const fn memory(&self) -> usize {
        self.oldest.capacity() * size_of::<u32>()
    }

    /// The state least recently updated, which the caller takes away; `None` without states.
    pub(super) fn oldest(&mut self, slab: &Slab) -> Option<u32> {
        self.known(slab).or_else(|| {
            self.order(slab);
            self.known(slab)
        })
    }

    /// The oldest, if it is among those that are in order.
    fn known(&mut self, slab: &Slab) -> Option<u32> {
        let until = self.until;
        let same = |slot: u32| slab.get(slot).is_some_and(|r| (1..=until).contains(&r.stamp));
        std::iter::from_fn(|| self.oldest.pop()).find(|&slot| same(slot))
    }

    /// Puts the oldest in order.
    fn order(&mut self, slab: &Slab) {
        let room = slab.len() / PART + 1;
        let mut oldest = BinaryHeap::with_capacity(room);
        for (slot, record) in slab.records() {
            let this = (record.stamp, slot);
            if oldest.len() < room {
                oldest.push(this);
            } else if let Some(mut youngest) = oldest.peek_mut()
                && this < *youngest
            {
                *youngest = this;
            }
        }
        self.until = oldest.peek().map_or(0, |&(stamp, _)| stamp);
        let sorted = oldest.into_sorted_vec();
        self.oldest.clear();
        self.oldest.extend(sorted.into_iter().rev().map(|(_, slot)| slot));
    }
}
