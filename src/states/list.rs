//! Where the states are kept, and lists through them: chunks of records that never move, so that
//! memory grows with the states and not by doubling, and links beside the records.

use super::record::{Record, Rest};

/// The lists a state is part of.
pub(super) const LISTS: usize = 4;
/// States of a creator on an interface.
pub(super) const GROUP: usize = 0;
/// States whose end is looked at in the same second.
pub(super) const WHEEL: usize = 1;
/// States with the same wire key; [`FLOW`] + 1: stack key.
pub(super) const FLOW: usize = 2;

/// No slot.
pub(super) const NIL: u32 = u32::MAX;

/// Neighbours in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) prev: u32,
    pub(super) next: u32,
}

impl Link {
    pub(super) const NONE: Self = Self { prev: NIL, next: NIL };
}

/// Both ends of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct List {
    pub(super) head: u32,
    pub(super) tail: u32,
}

impl List {
    pub(super) const EMPTY: Self = Self { head: NIL, tail: NIL };

    /// Puts a record at the end of list number `which`.
    pub(super) fn push(&mut self, slab: &mut Slab, which: usize, slot: u32) {
        slab.set(slot, which, Link { prev: self.tail, next: NIL });
        match slab.link_mut(self.tail, which) {
            Some(last) => last.next = slot,
            None => self.head = slot,
        }
        self.tail = slot;
    }

    /// Puts a record at the start of list number `which`.
    pub(super) fn push_front(&mut self, slab: &mut Slab, which: usize, slot: u32) {
        slab.set(slot, which, Link { prev: NIL, next: self.head });
        match slab.link_mut(self.head, which) {
            Some(first) => first.prev = slot,
            None => self.tail = slot,
        }
        self.head = slot;
    }

    /// Takes a record out.
    pub(super) fn remove(&mut self, slab: &mut Slab, which: usize, slot: u32) {
        let Some(link) = slab.link_mut(slot, which) else { return };
        let Link { prev, next } = std::mem::replace(link, Link::NONE);
        match slab.link_mut(prev, which) {
            Some(before) => before.next = next,
            None => self.head = next,
        }
        match slab.link_mut(next, which) {
            Some(after) => after.prev = prev,
            None => self.tail = prev,
        }
    }
}

/// Records of a chunk.
const CHUNK: usize = 1024;

/// The states: their records by themselves, so that what messages change lies close together, and
/// the rest of each in the same place.
#[derive(Debug, Default)]
pub(super) struct Slab {
    records: Chunks<Record>,
    rests: Chunks<Rest>,
    free: Vec<u32>,
    len: usize,
}

#[derive(Debug)]
struct Chunks<T>(Vec<Vec<T>>);

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Chunks<T> {
    fn memory(&self) -> usize {
        let all: usize = self.0.iter().map(|chunk| chunk.capacity() * size_of::<T>()).sum();
        all.saturating_add(self.0.capacity() * size_of::<Vec<T>>())
    }

    const fn place(slot: u32) -> (usize, usize) {
        let slot = slot as usize;
        (slot / CHUNK, slot % CHUNK)
    }

    #[inline]
    fn get(&self, slot: u32) -> Option<&T> {
        let (chunk, at) = Self::place(slot);
        self.0.get(chunk)?.get(at)
    }

    #[inline]
    fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        let (chunk, at) = Self::place(slot);
        self.0.get_mut(chunk)?.get_mut(at)
    }

    fn push(&mut self, one: T) {
        match self.0.last_mut().filter(|chunk| chunk.len() < CHUNK) {
            Some(chunk) => chunk.push(one),
            None => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(one);
                self.0.push(chunk);
            }
        }
    }
}

impl Slab {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Bytes allocated.
    pub(super) fn memory(&self) -> usize {
        let states = self.records.memory().saturating_add(self.rests.memory());
        states.saturating_add(self.free.capacity() * size_of::<u32>())
    }

    #[inline]
    pub(super) fn get(&self, slot: u32) -> Option<&Record> {
        self.records.get(slot)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Record> {
        self.records.get_mut(slot)
    }

    /// All of a state.
    pub(super) fn both(&self, slot: u32) -> Option<(&Record, &Rest)> {
        Some((self.records.get(slot)?, self.rests.get(slot)?))
    }

    pub(super) fn both_mut(&mut self, slot: u32) -> Option<(&mut Record, &mut Rest)> {
        Some((self.records.get_mut(slot)?, self.rests.get_mut(slot)?))
    }

    /// The states, in no order of theirs.
    pub(super) fn records(&self) -> impl Iterator<Item = (u32, &Record)> {
        (0..NIL).zip(self.records.0.iter().flatten()).filter(|(_, record)| record.stamp != 0)
    }

    fn link_mut(&mut self, slot: u32, which: usize) -> Option<&mut Link> {
        if slot == NIL {
            return None;
        }
        self.rests.get_mut(slot)?.links.get_mut(which)
    }

    fn set(&mut self, slot: u32, which: usize, link: Link) {
        if let Some(to) = self.link_mut(slot, which) {
            *to = link;
        }
    }

    pub(super) fn link(&self, slot: u32, which: usize) -> Link {
        let rest = self.rests.get(slot);
        rest.and_then(|rest| rest.links.get(which)).copied().unwrap_or(Link::NONE)
    }

    /// Keeps a state; `None` if there is no number left for it.
    pub(super) fn insert(&mut self, record: Record, rest: Rest) -> Option<u32> {
        if let Some(slot) = self.free.pop() {
            *self.records.get_mut(slot)? = record;
            *self.rests.get_mut(slot)? = rest;
            self.len = self.len.saturating_add(1);
            return Some(slot);
        }
        let slot = u32::try_from(self.len).ok().filter(|&slot| slot < NIL)?;
        self.records.push(record);
        self.rests.push(rest);
        self.len = self.len.saturating_add(1);
        Some(slot)
    }

    /// Gives a slot back.
    pub(super) fn remove(&mut self, slot: u32) {
        if let Some(record) = self.records.get_mut(slot) {
            record.stamp = 0;
        }
        self.free.push(slot);
        self.len = self.len.saturating_sub(1);
    }
}
