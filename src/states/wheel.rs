//! When to look whether a state has ended: a wheel with a bucket for each second to come. A state
//! whose end moves away stays where it is until its bucket's turn comes, so that an update
//! seldom costs anything here.

use super::list::{List, NIL, Slab, WHEEL};

/// Seconds to come that have a bucket.
const SECONDS: u16 = 4096;

/// The wheel.
#[derive(Debug)]
pub(super) struct Wheel {
    buckets: Vec<List>,
    /// The second whose bucket was emptied last; `None` before the first.
    cursor: Option<i64>,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self { buckets: vec![List::EMPTY; usize::from(SECONDS)], cursor: None }
    }

    pub(super) const fn memory(&self) -> usize {
        self.buckets.capacity() * size_of::<List>()
    }

    /// Starts at this second, if it has not started.
    pub(super) fn start(&mut self, second: i64) {
        self.cursor.get_or_insert(second);
    }

    fn bucket(second: i64) -> u16 {
        u16::try_from(second.rem_euclid(i64::from(SECONDS))).unwrap_or(0)
    }

    fn list(&mut self, bucket: u16) -> Option<&mut List> {
        self.buckets.get_mut(usize::from(bucket))
    }

    /// Puts a state into the bucket of its deadline, or the last before it there is.
    pub(super) fn insert(&mut self, slab: &mut Slab, slot: u32) {
        let Some(record) = slab.get_mut(slot) else { return };
        let cursor = self.cursor.unwrap_or(0);
        let first = cursor.saturating_add(1);
        let last = cursor.saturating_add(i64::from(SECONDS) - 1);
        let bucket = Self::bucket(record.deadline_s.clamp(first, last));
        record.bucket = bucket;
        if let Some(list) = self.list(bucket) {
            list.push(slab, WHEEL, slot);
        }
    }

    pub(super) fn remove(&mut self, slab: &mut Slab, slot: u32) {
        let Some(bucket) = slab.get(slot).map(|record| record.bucket) else { return };
        if let Some(list) = self.list(bucket) {
            list.remove(slab, WHEEL, slot);
        }
    }

    /// True if a bucket's turn has come.
    #[inline]
    pub(super) fn is_behind(&self, now: i64) -> bool {
        self.cursor.is_some_and(|cursor| cursor < now)
    }

    /// A state that has ended at `now`, still in its bucket. Looks at up to `budget` states.
    pub(super) fn ended(&mut self, slab: &mut Slab, now: i64, budget: &mut usize) -> Option<u32> {
        let mut cursor = self.cursor?;
        // More than a turn goes by: each bucket once is enough.
        cursor = cursor.max(now.saturating_sub(i64::from(SECONDS)));
        while cursor < now {
            let bucket = Self::bucket(cursor.saturating_add(1));
            loop {
                let slot = self.list(bucket)?.head;
                if slot == NIL {
                    break;
                }
                self.cursor = Some(cursor);
                if *budget == 0 {
                    return None;
                }
                *budget = budget.saturating_sub(1);
                if slab.get(slot)?.deadline_s <= now {
                    return Some(slot);
                }
                self.remove(slab, slot);
                self.cursor = Some(cursor.saturating_add(1));
                self.insert(slab, slot);
            }
            cursor = cursor.saturating_add(1);
            self.cursor = Some(cursor);
        }
        None
    }
}
