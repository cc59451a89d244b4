//! The state table as the messages tell it.
//!
//! Each message costs the same however many states there are; only a clear costs as much as it
//! clears. Nothing here reads a clock: time is that of the messages.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::hint::black_box;
use std::net::IpAddr;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use serde::Serialize;

use crate::pf::SyncAction;
use crate::time::Timestamp;
use crate::wire::pfsync::messages::Compressed;
use crate::wire::state::Ids;

use super::entry::{Entry, Sort};
use super::flows::Flows;
use super::lifetime::Lifetimes;
use super::list::{AGE, GROUP, LISTS, Link, List, NIL, Slab};
use super::op::{Facts, Op, What};
use super::record::{Name, Record, Whole};
use super::regression::{Regression, regressed};
use super::wheel::Wheel;

/// Senders that are told apart; a wire has a handful.
const SENDERS: usize = 64;
/// States whose end is looked at for each message, at most.
const LOOKS: usize = 64;
/// Messages whose states are asked for side by side.
const AHEAD: usize = 32;

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

/// What an update showed of its state.
#[derive(Debug, Default)]
struct Seen {
    regression: Option<Regression>,
    burst: u16,
}

/// The states.
#[derive(Debug)]
pub struct Table {
    max: usize,
    hasher: RandomState,
    slab: Slab,
    index: HashTable<u32>,
    ages: List,
    groups: BTreeMap<(u32, Name), List>,
    wheel: Wheel,
    flows: Option<Flows>,
    lifetimes: Lifetimes,
    senders: Vec<IpAddr>,
    now: Timestamp,
    counters: Counters,
}

impl Table {
    /// A table of at most so many states; there is room for one at least.
    pub fn new(max_states: usize) -> Self {
        Self {
            max: max_states.clamp(1, (NIL - 1) as usize),
            hasher: RandomState::default(),
            slab: Slab::default(),
            index: HashTable::new(),
            ages: List::EMPTY,
            groups: BTreeMap::new(),
            wheel: Wheel::new(),
            flows: None,
            lifetimes: Lifetimes::new(),
            senders: Vec::new(),
            now: Timestamp(i64::MIN),
            counters: Counters::default(),
        }
    }

    /// The same, which also finds states by their addresses: [`Table::find`].
    pub fn with_flows(max_states: usize) -> Self {
        Self { flows: Some(Flows::default()), ..Self::new(max_states) }
    }

    /// States in it.
    pub const fn len(&self) -> usize {
        self.slab.len()
    }

    /// True without states.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What happened to it so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Time of the table: the latest it was told.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Bytes it has allocated, but for the groups of creators and interfaces.
    pub fn memory(&self) -> usize {
        self.slab
            .memory()
            .saturating_add(self.index.allocation_size())
            .saturating_add(self.wheel.memory())
            .saturating_add(self.flows.as_ref().map_or(0, Flows::memory))
    }

    /// Does what a message says.
    pub fn apply(&mut self, op: &Op) -> Outcome {
        self.advance(op.facts.ts, LOOKS);
        let mut seen = Seen::default();
        let effect = match (&op.what, op.action) {
            (What::Whole(whole), SyncAction::Del) => self.delete(whole.ids()),
            (What::Whole(whole), SyncAction::Ins | SyncAction::Oins) => {
                self.insert(whole, &op.facts)
            }
            (What::Whole(whole), _) => self.update(whole, &op.facts, &mut seen),
            (What::Compressed(update), _) => self.compressed(update, &op.facts, &mut seen),
            (What::Named(ids), SyncAction::DelC) => self.delete(*ids),
            (What::Named(ids), SyncAction::InsAck) => self.acknowledge(*ids),
            (What::Clear { ifname, creatorid }, _) => self.clear(*creatorid, *ifname),
            (What::Other, SyncAction::Ins | SyncAction::Upd | SyncAction::Del) => {
                count(&mut self.counters.nameless);
                Effect::None
            }
            (What::Named(_) | What::Bus { .. } | What::Other, _) => Effect::None,
        };
        Outcome { effect, regression: seen.regression, burst: seen.burst }
    }

    /// Asks for the states that messages are about, all of them side by side, before each in its
    /// turn would wait for memory. Nothing changes by it.
    pub fn expect(&self, ops: &[Op]) {
        for some in ops.chunks(AHEAD) {
            let mut slots = [NIL; AHEAD];
            for (slot, op) in slots.iter_mut().zip(some) {
                *slot = op.ids().and_then(|ids| self.slot(ids)).unwrap_or(NIL);
            }
            for record in slots.into_iter().filter_map(|slot| self.slab.get(slot)) {
                let [Link { prev, next }, ..] = record.links;
                black_box((record.whole.sides, record.last, record.deadline_s));
                black_box((self.slab.link(prev, AGE), self.slab.link(next, AGE)));
            }
        }
    }

    /// Takes away what has ended by `now` without a deletion.
    pub fn expire(&mut self, now: Timestamp) {
        self.advance(now, usize::MAX);
    }

    fn advance(&mut self, now: Timestamp, mut looks: usize) {
        self.now = self.now.max(now);
        let second = self.now.split().0;
        self.wheel.start(second);
        while let Some(slot) = self.wheel.ended(&mut self.slab, second, &mut looks) {
            self.remove(slot);
            count(&mut self.counters.expired);
        }
    }

    fn hash(&self, ids: Ids) -> u64 {
        self.hasher.hash_one(ids)
    }

    fn slot(&self, ids: Ids) -> Option<u32> {
        let same = |&slot: &u32| self.slab.get(slot).is_some_and(|found| found.whole.ids() == ids);
        self.index.find(self.hash(ids), same).copied()
    }

    fn insert(&mut self, whole: &Whole, facts: &Facts) -> Effect {
        let known = self.slot(whole.ids());
        if let Some(slot) = known {
            self.remove(slot);
        }
        self.add(whole, facts, true);
        if known.is_some() {
            count(&mut self.counters.replaced);
            Effect::Replaced
        } else {
            count(&mut self.counters.inserted);
            Effect::Inserted
        }
    }

    fn add(&mut self, whole: &Whole, facts: &Facts, inserted: bool) {
        while self.slab.len() >= self.max && self.ages.head != NIL {
            self.remove(self.ages.head);
            count(&mut self.counters.dropped);
        }
        let ids = whole.ids();
        let record = Record {
            whole: *whole,
            first: facts.ts,
            last: facts.ts,
            counted: facts.ts,
            deadline_s: self.lifetimes.whole(facts.ts, whole),
            rates: [-1.0; 2],
            messages: 1,
            links: [Link::NONE; LISTS],
            sender: self.sender(facts.sender),
            bucket: 0,
            burst: 0,
            inserted,
            acknowledged: false,
        };
        let Some(slot) = self.slab.insert(record) else { return };
        let (slab, hasher) = (&self.slab, &self.hasher);
        let hash = |&slot: &u32| slab.get(slot).map_or(0, |r| hasher.hash_one(r.whole.ids()));
        self.index.insert_unique(hasher.hash_one(ids), slot, hash);
        self.ages.push(&mut self.slab, AGE, slot);
        let group = self.groups.entry((ids.creatorid, whole.ifname)).or_insert(List::EMPTY);
        group.push(&mut self.slab, GROUP, slot);
        self.wheel.insert(&mut self.slab, slot);
        if let Some(flows) = &mut self.flows {
            flows.insert(&mut self.slab, slot);
        }
    }

    fn remove(&mut self, slot: u32) {
        let Some(record) = self.slab.get(slot) else { return };
        let (ids, ifname) = (record.whole.ids(), record.whole.ifname);
        if let Some(flows) = &mut self.flows {
            flows.remove(&mut self.slab, slot);
        }
        self.wheel.remove(&mut self.slab, slot);
        if let Some(group) = self.groups.get_mut(&(ids.creatorid, ifname)) {
            group.remove(&mut self.slab, GROUP, slot);
            if group.head == NIL {
                self.groups.remove(&(ids.creatorid, ifname));
            }
        }
        self.ages.remove(&mut self.slab, AGE, slot);
        let hash = self.hash(ids);
        if let Ok(entry) = self.index.find_entry(hash, |&found| found == slot) {
            entry.remove();
        }
        self.slab.remove(slot);
    }

    /// A full update: of a state that is not there it is an insertion, as for the kernel.
    fn update(&mut self, whole: &Whole, facts: &Facts, seen: &mut Seen) -> Effect {
        let ids = whole.ids();
        let Some(slot) = self.slot(ids) else {
            self.add(whole, facts, false);
            count(&mut self.counters.adopted);
            return Effect::Adopted;
        };
        let deadline = self.lifetimes.whole(facts.ts, whole);
        let Some(old) = self.slab.get(slot).map(|record| record.whole) else {
            return Effect::None;
        };
        seen.regression = regressed(ids, whole.wire.proto, old.sides, whole.sides);
        if old.wire != whole.wire || old.stack != whole.stack || old.ifname != whole.ifname {
            // The lists that it is in are no longer its own.
            let Some(mut kept) = self.slab.get(slot).copied() else { return Effect::None };
            kept.count(whole, facts.ts);
            self.remove(slot);
            self.add(&kept.whole, facts, kept.inserted);
            let new = self.slot(ids);
            if let Some(record) = new.and_then(|new| self.slab.get_mut(new)) {
                (record.first, record.counted, record.rates) =
                    (kept.first, kept.counted, kept.rates);
                record.messages = kept.messages.saturating_add(1);
                record.acknowledged = kept.acknowledged;
            }
        } else {
            if let Some(record) = self.slab.get_mut(slot) {
                record.count(whole, facts.ts);
            }
            seen.burst = self.touch(slot, facts, deadline);
        }
        count(&mut self.counters.updated);
        Effect::Updated
    }

    fn compressed(&mut self, update: &Compressed, facts: &Facts, seen: &mut Seen) -> Effect {
        let Some(slot) = self.slot(update.ids) else {
            count(&mut self.counters.orphans);
            return Effect::Orphan;
        };
        let Some(record) = self.slab.get_mut(slot) else { return Effect::None };
        let sides = record.whole.sides;
        record.whole.compressed(update);
        let proto = record.whole.wire.proto;
        seen.regression = regressed(update.ids, proto, sides, record.whole.sides);
        let deadline = self.lifetimes.compressed(facts.ts, update, record.deadline_s);
        seen.burst = self.touch(slot, facts, deadline);
        count(&mut self.counters.compressed);
        Effect::Updated
    }

    /// A message about a state: it is now the youngest. Gives its updates in this second.
    fn touch(&mut self, slot: u32, facts: &Facts, deadline_s: i64) -> u16 {
        let sender = self.sender(facts.sender);
        let Some(record) = self.slab.get_mut(slot) else { return 0 };
        let same = record.last.split().0 == facts.ts.split().0;
        record.burst = if same { record.burst.saturating_add(1) } else { 1 };
        record.last = record.last.max(facts.ts);
        record.sender = sender;
        record.messages = record.messages.saturating_add(1);
        let earlier = deadline_s < record.deadline_s;
        record.deadline_s = deadline_s;
        let burst = record.burst;
        if earlier {
            self.wheel.remove(&mut self.slab, slot);
            self.wheel.insert(&mut self.slab, slot);
        }
        if self.ages.tail != slot {
            self.ages.remove(&mut self.slab, AGE, slot);
            self.ages.push(&mut self.slab, AGE, slot);
        }
        burst
    }

    fn delete(&mut self, ids: Ids) -> Effect {
        let Some(slot) = self.slot(ids) else {
            count(&mut self.counters.missing);
            return Effect::Missing;
        };
        self.remove(slot);
        count(&mut self.counters.deleted);
        Effect::Deleted
    }

    fn acknowledge(&mut self, ids: Ids) -> Effect {
        if let Some(slot) = self.slot(ids)
            && let Some(record) = self.slab.get_mut(slot)
        {
            record.acknowledged = true;
            count(&mut self.counters.acknowledged);
        }
        Effect::None
    }

    /// A clear: all of a creator, or those on an interface.
    fn clear(&mut self, creatorid: u32, ifname: Name) -> Effect {
        let mut cleared: u64 = 0;
        while let Some(slot) = self.first_of(creatorid, ifname) {
            self.remove(slot);
            count(&mut cleared);
        }
        self.counters.cleared = self.counters.cleared.saturating_add(cleared);
        Effect::Cleared(cleared)
    }

    fn first_of(&self, creatorid: u32, ifname: Name) -> Option<u32> {
        if ifname != Name::default() {
            return self.groups.get(&(creatorid, ifname)).map(|group| group.head);
        }
        let (&(found, _), group) = self.groups.range((creatorid, Name::default())..).next()?;
        (found == creatorid).then_some(group.head)
    }

    /// The number of a sender; those beyond the bound have none.
    fn sender(&mut self, sender: Option<IpAddr>) -> u16 {
        let Some(sender) = sender else { return u16::MAX };
        let known = self.senders.iter().position(|&known| known == sender);
        let at = known.or_else(|| {
            let room = self.senders.len() < SENDERS;
            room.then(|| {
                self.senders.push(sender);
                self.senders.len().saturating_sub(1)
            })
        });
        at.and_then(|at| u16::try_from(at).ok()).unwrap_or(u16::MAX)
    }

    /// The state of this name.
    pub fn get(&self, ids: Ids) -> Option<Entry<'_>> {
        self.entry(self.slot(ids)?)
    }

    fn entry(&self, slot: u32) -> Option<Entry<'_>> {
        let record = self.slab.get(slot)?;
        let sender = self.senders.get(usize::from(record.sender)).copied();
        Some(Entry::new(record, self.now, sender))
    }

    /// The states, the least recently updated first.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let next = |&slot: &u32| Some(self.slab.link(slot, AGE).next).filter(|&next| next != NIL);
        let first = Some(self.ages.head).filter(|&head| head != NIL);
        std::iter::successors(first, next).filter_map(|slot| self.entry(slot))
    }

    /// The states in an order, which is the same for the same states.
    pub fn sorted(&self, sort: Sort) -> Vec<Entry<'_>> {
        let mut entries: Vec<_> = self.entries().collect();
        sort.apply(&mut entries);
        entries
    }

    /// The state that a packet belongs to, by its addresses on either side and in either
    /// direction; for ICMP `sport` is the id, and `dport` nothing. Of several it is one that
    /// translates, then the one last updated. `None` without an index of flows.
    pub fn find(
        &self,
        proto: u8,
        src: IpAddr,
        sport: u16,
        dst: IpAddr,
        dport: u16,
    ) -> Option<Entry<'_>> {
        let flows = self.flows.as_ref()?;
        self.entry(flows.find(&self.slab, proto, (src, sport), (dst, dport))?)
    }
}

fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}

#[cfg(test)]
mod tests;
