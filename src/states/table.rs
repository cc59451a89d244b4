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

use crate::pf::SyncAction;
use crate::time::Timestamp;
use crate::wire::pfsync::Pfsync;
use crate::wire::state::Ids;

use super::ages::Ages;
use super::entry::{Entry, Sort};
use super::facts::Facts;
use super::flows::Flows;
use super::lifetime::Lifetimes;
use super::list::{GROUP, List, NIL, Slab};
use super::op::{Group, Op, Ops, Update, What};
use super::outcome::{Counters, Effect, Outcome, count};
use super::record::{Record, Rest, Touch};
use super::regression::regressed;
use super::wheel::Wheel;
use super::whole::{Name, Whole};

/// Senders that are told apart; a wire has a handful.
const SENDERS: usize = 64;
/// States whose end is looked at for each message, at most.
const LOOKS: usize = 64;
/// Messages whose states are asked for side by side: more than a packet of compressed updates has.
const AHEAD: usize = 32;

/// Where a state is found: its hash, and the first place that it may be at.
#[derive(Debug, Clone, Copy)]
struct Near {
    hash: u64,
    slot: u32,
}

/// The states.
#[derive(Debug)]
pub struct Table {
    max: usize,
    hasher: RandomState,
    slab: Slab,
    index: HashTable<u32>,
    ages: Ages,
    groups: BTreeMap<(u32, Name), List>,
    wheel: Wheel,
    flows: Option<Flows>,
    lifetimes: Lifetimes,
    senders: Vec<IpAddr>,
    now: Timestamp,
    counters: Counters,
    /// The messages that [`Table::tell`] is at.
    told: Ops,
}

impl Table {
    /// A table of at most so many states; there is room for one at least.
    pub fn new(max_states: usize) -> Self {
        Self {
            max: max_states.clamp(1, (NIL - 1) as usize),
            hasher: RandomState::default(),
            slab: Slab::default(),
            index: HashTable::new(),
            ages: Ages::default(),
            groups: BTreeMap::new(),
            wheel: Wheel::new(),
            flows: None,
            lifetimes: Lifetimes::new(),
            senders: Vec::new(),
            now: Timestamp(i64::MIN),
            counters: Counters::default(),
            told: Ops::default(),
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
            .saturating_add(self.ages.memory())
            .saturating_add(self.flows.as_ref().map_or(0, Flows::memory))
    }

    /// Does what the messages of a packet say.
    pub fn tell(&mut self, facts: Facts, packet: &Pfsync<'_>) {
        let mut told = std::mem::take(&mut self.told);
        told.clear();
        told.add(facts, Some(packet));
        told.groups().for_each(|group| self.apply(&group, |_, _| {}));
        self.told = told;
    }

    /// Does what messages say, one after the other, and hands on what came of each.
    #[inline]
    pub fn apply(&mut self, group: &Group<'_>, mut each: impl FnMut(&Op, &Outcome)) {
        let second = self.advance(group.facts.ts);
        for ops in group.ops.chunks(AHEAD) {
            let near = self.near(ops);
            for (op, near) in ops.iter().zip(near) {
                if self.wheel.is_behind(second) {
                    self.end(second, LOOKS);
                }
                each(op, &self.apply_one(group, op, near));
            }
        }
    }

    /// Asks for the states that messages are about, all of them side by side, before each in its
    /// turn would wait for memory.
    fn near(&self, ops: &[Op]) -> [Near; AHEAD] {
        let mut all = [Near { hash: 0, slot: NIL }; AHEAD];
        for (near, op) in all.iter_mut().zip(ops) {
            let hash = self.hash(op.name());
            // Whether it is that is seen when its turn comes.
            let slot = self.index.find(hash, |_| true).copied().unwrap_or(NIL);
            *near = Near { hash, slot };
        }
        for near in all.iter().take(ops.len()) {
            if let Some(record) = self.slab.get(near.slot) {
                black_box((record.ids().id, record.stamp));
            }
        }
        all
    }

    fn apply_one(&mut self, group: &Group<'_>, op: &Op, near: Near) -> Outcome {
        let (facts, ids) = (group.facts, op.name());
        Outcome::of(match (&op.what, op.action) {
            (What::Compressed(update), _) => return self.compressed(ids, near, update, facts),
            (What::Whole { .. }, SyncAction::Del) | (What::Named, SyncAction::DelC) => {
                self.delete(ids, near)
            }
            (&What::Whole { at, .. }, action) => {
                let Some(whole) = group.whole(at) else { return Outcome::of(Effect::None) };
                match action {
                    SyncAction::Ins | SyncAction::Oins => self.insert(whole, near, facts),
                    _ => return self.update(whole, near, facts),
                }
            }
            (What::Named, SyncAction::InsAck) => self.acknowledge(ids, near),
            (&What::Clear(ifname), _) => self.clear(ids.creatorid, ifname),
            (What::Other, SyncAction::Ins | SyncAction::Upd | SyncAction::Del) => {
                count(&mut self.counters.nameless);
                Effect::None
            }
            (What::Named | What::Bus(_) | What::Other, _) => Effect::None,
        })
    }

    /// Takes away what has ended by `now` without a deletion.
    pub fn expire(&mut self, now: Timestamp) {
        let second = self.advance(now);
        self.end(second, usize::MAX);
    }

    /// Gives the second that it is.
    fn advance(&mut self, now: Timestamp) -> i64 {
        self.now = self.now.max(now);
        let second = self.now.split().0;
        self.wheel.start(second);
        second
    }

    fn end(&mut self, second: i64, mut looks: usize) {
        while let Some(slot) = self.wheel.ended(&mut self.slab, second, &mut looks) {
            self.remove(slot);
            count(&mut self.counters.expired);
        }
    }

    fn hash(&self, ids: Ids) -> u64 {
        self.hasher.hash_one(ids)
    }

    fn slot(&self, ids: Ids) -> Option<u32> {
        self.place(ids, Near { hash: self.hash(ids), slot: NIL })
    }

    #[inline]
    fn place(&self, ids: Ids, near: Near) -> Option<u32> {
        let same = |&slot: &u32| self.slab.get(slot).is_some_and(|found| found.is(ids));
        if same(&near.slot) {
            return Some(near.slot);
        }
        self.index.find(near.hash, same).copied()
    }

    fn insert(&mut self, whole: &Whole, near: Near, facts: &Facts) -> Effect {
        let known = self.place(whole.ids, near);
        if let Some(slot) = known {
            self.remove(slot);
        }
        self.add(whole, near.hash, facts, true);
        if known.is_some() {
            count(&mut self.counters.replaced);
            Effect::Replaced
        } else {
            count(&mut self.counters.inserted);
            Effect::Inserted
        }
    }

    /// Gives the place of the new state.
    fn add(&mut self, whole: &Whole, hash: u64, facts: &Facts, inserted: bool) -> Option<u32> {
        while self.slab.len() >= self.max
            && let Some(oldest) = self.ages.oldest(&self.slab)
        {
            self.remove(oldest);
            count(&mut self.counters.dropped);
        }
        let deadline_s = self.lifetimes.whole(facts.ts, whole);
        let touch = self.touch(facts, deadline_s);
        let record = Record::new(whole, &touch, inserted);
        let slot = self.slab.insert(record, Rest::new(whole.base))?;
        let (slab, hasher) = (&self.slab, &self.hasher);
        let rehash = |&slot: &u32| slab.get(slot).map_or(0, |r| hasher.hash_one(r.ids()));
        self.index.insert_unique(hash, slot, rehash);
        let name = (whole.ids.creatorid, whole.base.ifname);
        let group = self.groups.entry(name).or_insert(List::EMPTY);
        group.push(&mut self.slab, GROUP, slot);
        self.wheel.insert(&mut self.slab, slot);
        if let Some(flows) = &mut self.flows {
            flows.insert(&mut self.slab, slot);
        }
        Some(slot)
    }

    fn touch(&mut self, facts: &Facts, deadline_s: i64) -> Touch {
        let (sender, stamp) = (self.sender(facts.sender), self.ages.next());
        Touch { ts: facts.ts, stamp, sender, deadline_s }
    }

    fn remove(&mut self, slot: u32) {
        let Some((record, rest)) = self.slab.both(slot) else { return };
        let (ids, ifname) = (record.ids(), rest.base.ifname);
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
        let hash = self.hash(ids);
        if let Ok(entry) = self.index.find_entry(hash, |&found| found == slot) {
            entry.remove();
        }
        self.slab.remove(slot);
    }

    /// A full update: of a state that is not there it is an insertion, as for the kernel.
    fn update(&mut self, whole: &Whole, near: Near, facts: &Facts) -> Outcome {
        let ids = whole.ids;
        let Some(slot) = self.place(ids, near) else {
            self.add(whole, near.hash, facts, false);
            count(&mut self.counters.adopted);
            return Outcome::of(Effect::Adopted);
        };
        let deadline_s = self.lifetimes.whole(facts.ts, whole);
        let touch = self.touch(facts, deadline_s);
        let Some((record, rest)) = self.slab.both_mut(slot) else {
            return Outcome::of(Effect::None);
        };
        let (old, new) = (&rest.base, &whole.base);
        let sides = (&record.progress.sides, &whole.progress.sides);
        let regression = regressed(ids, new.wire.proto, sides.0, sides.1);
        let moved = old.wire != new.wire || old.stack != new.stack || old.ifname != new.ifname;
        let mut burst = 0;
        if moved {
            // The lists that it is in are no longer its own.
            let (mut kept, mut also) = (*record, *rest);
            kept.count(&mut also, whole, facts.ts);
            self.remove(slot);
            let now = Whole { ids, progress: kept.progress, base: also.base };
            let added = self.add(&now, near.hash, facts, kept.inserted);
            if let Some((record, rest)) = added.and_then(|slot| self.slab.both_mut(slot)) {
                (record.first, record.counted, rest.rates) = (kept.first, kept.counted, also.rates);
                record.messages = kept.messages.saturating_add(1);
                record.acknowledged = kept.acknowledged;
            }
        } else {
            record.count(rest, whole, facts.ts);
            let earlier = record.touch(&touch);
            burst = record.burst;
            self.move_end(slot, earlier);
        }
        count(&mut self.counters.updated);
        Outcome { effect: Effect::Updated, regression, burst }
    }

    fn compressed(&mut self, ids: Ids, near: Near, update: &Update, facts: &Facts) -> Outcome {
        let Some(slot) = self.place(ids, near) else {
            count(&mut self.counters.orphans);
            return Outcome::of(Effect::Orphan);
        };
        let (sender, stamp) = (self.sender(facts.sender), self.ages.next());
        let Some(record) = self.slab.get_mut(slot) else { return Outcome::of(Effect::None) };
        let regression = regressed(ids, record.proto, &record.progress.sides, &update.sides);
        record.progress.update(update);
        let deadline_s = self.lifetimes.compressed(facts.ts, update, record.deadline_s);
        let earlier = record.touch(&Touch { ts: facts.ts, stamp, sender, deadline_s });
        let burst = record.burst;
        self.move_end(slot, earlier);
        count(&mut self.counters.compressed);
        Outcome { effect: Effect::Updated, regression, burst }
    }

    /// A state whose end has come nearer is looked at then.
    #[inline]
    fn move_end(&mut self, slot: u32, earlier: bool) {
        if earlier {
            self.wheel.remove(&mut self.slab, slot);
            self.wheel.insert(&mut self.slab, slot);
        }
    }

    fn delete(&mut self, ids: Ids, near: Near) -> Effect {
        let Some(slot) = self.place(ids, near) else {
            count(&mut self.counters.missing);
            return Effect::Missing;
        };
        self.remove(slot);
        count(&mut self.counters.deleted);
        Effect::Deleted
    }

    fn acknowledge(&mut self, ids: Ids, near: Near) -> Effect {
        if let Some(slot) = self.place(ids, near)
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
        let (record, rest) = self.slab.both(slot)?;
        let sender = self.senders.get(usize::from(record.sender)).copied();
        Some(Entry::new((record, rest), self.now, sender))
    }

    /// The states, the least recently updated first.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let numbered = self.slab.records().map(|(slot, record)| (record.stamp, slot));
        let mut slots: Vec<(u64, u32)> = numbered.collect();
        slots.sort_unstable();
        slots.into_iter().filter_map(|(_, slot)| self.entry(slot))
    }

    /// The states in an order, which is the same for the same states.
    pub fn sorted(&self, sort: Sort) -> Vec<Entry<'_>> {
        let slots = self.slab.records().map(|(slot, _)| slot);
        let mut entries: Vec<_> = slots.filter_map(|slot| self.entry(slot)).collect();
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

#[cfg(test)]
mod tests;
