//! Where the states are kept, and lists through them: chunks of records that never move, so that
//! memory grows with the states and not by doubling, and links inside the records.

use super::record::Record;

/// The lists a record is part of.
pub(super) const LISTS: usize = 5;
/// All states, the least recently updated first.
pub(super) const AGE: usize = 0;
/// States of a creator on an interface.
pub(super) const GROUP: usize = 1;
/// States whose end is looked at in the same second.
pub(super) const WHEEL: usize = 2;
/// States with the same wire key; [`FLOW`] + 1: stack key.
pub(super) const FLOW: usize = 3;

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

/// The records.
#[derive(Debug, Default)]
pub(super) struct Slab {
    chunks: Vec<Vec<Record>>,
    free: Vec<u32>,
    len: usize,
}

impl Slab {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Bytes allocated.
    pub(super) fn memory(&self) -> usize {
        let records: usize =
            self.chunks.iter().map(|chunk| chunk.capacity() * size_of::<Record>()).sum();
        let vecs = self.chunks.capacity() * size_of::<Vec<Record>>();
        records.saturating_add(vecs).saturating_add(self.free.capacity() * size_of::<u32>())
    }

    fn place(slot: u32) -> (usize, usize) {
        let slot = usize::try_from(slot).unwrap_or(usize::MAX);
        (slot / CHUNK, slot % CHUNK)
    }

    #[inline]
    pub(super) fn get(&self, slot: u32) -> Option<&Record> {
        let (chunk, at) = Self::place(slot);
        self.chunks.get(chunk)?.get(at)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Record> {
        let (chunk, at) = Self::place(slot);
        self.chunks.get_mut(chunk)?.get_mut(at)
    }

    #[inline]
    fn link_mut(&mut self, slot: u32, which: usize) -> Option<&mut Link> {
        if slot == NIL {
            return None;
        }
        self.get_mut(slot)?.links.get_mut(which)
    }

    fn set(&mut self, slot: u32, which: usize, link: Link) {
        if let Some(to) = self.link_mut(slot, which) {
            *to = link;
        }
    }

    pub(super) fn link(&self, slot: u32, which: usize) -> Link {
        self.get(slot).and_then(|record| record.links.get(which)).copied().unwrap_or(Link::NONE)
    }

    /// Keeps a record; `None` if there is no number left for it.
    pub(super) fn insert(&mut self, record: Record) -> Option<u32> {
        if let Some(slot) = self.free.pop() {
            *self.get_mut(slot)? = record;
            self.len = self.len.saturating_add(1);
            return Some(slot);
        }
        let slot = u32::try_from(self.len).ok().filter(|&slot| slot < NIL)?;
        match self.chunks.last_mut().filter(|chunk| chunk.len() < CHUNK) {
            Some(chunk) => chunk.push(record),
            None => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(record);
                self.chunks.push(chunk);
            }
        }
        self.len = self.len.saturating_add(1);
        Some(slot)
    }

    /// Gives a slot back.
    pub(super) fn remove(&mut self, slot: u32) {
        self.free.push(slot);
        self.len = self.len.saturating_sub(1);
    }
}
