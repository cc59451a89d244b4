//! What lies between the threads that read devices and the one that decodes: for each device a
//! lane of chunks, bounded in bytes. Lanes share the room evenly, so that a flood on one device
//! costs no other device a packet.
//!
//! A reader never waits here: the lock is held for moving or appending one chunk, and a chunk
//! that finds no room is dropped and counted, in its place among the others ([`Loss`]). Room is
//! counted by what the buffers take, not by what is in them; one chunk a device, in its
//! reader's hands, comes on top.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Interface, Record};
use crate::event::notice::{Loss, Notice, Place, What};
use crate::time::Timestamp;

/// A chunk of so many bytes or records is full: it is handed on.
pub(super) const CHUNK_BYTES: usize = 256 * 1024;
/// As above.
pub(super) const CHUNK_RECORDS: usize = 4096;
/// What a device has at least: room for a chunk.
const LEAST_ROOM: usize = 1024 * 1024;
/// Spent chunks that are kept for use again.
const MAX_FREE: usize = 8;
/// Notices without a chunk between them that are kept of a device, so that one that comes and
/// goes while nobody takes anything does not fill the memory. Losses are added up.
const MAX_NOTICES: usize = 64;

/// Some records of one device.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) records: Vec<Record>,
    pub(super) bytes: Vec<u8>,
    /// When the last record was put in.
    pub(super) arrived: Instant,
}

impl Default for Chunk {
    fn default() -> Self {
        Self { records: Vec::new(), bytes: Vec::new(), arrived: Instant::now() }
    }
}

impl Chunk {
    fn cost(&self) -> usize {
        self.bytes.capacity() + self.records.capacity() * size_of::<Record>()
    }

    fn is_full(&self) -> bool {
        self.room(1) == 0
    }

    /// Bytes until it is full, of one that holds so many times what is usual.
    pub(super) fn room(&self, times: usize) -> usize {
        if self.records.len() >= CHUNK_RECORDS * times {
            return 0;
        }
        (CHUNK_BYTES * times).saturating_sub(self.bytes.len())
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.records.clear();
    }

    /// Moves the records of another chunk behind those of this one.
    fn append(&mut self, other: &mut Self) {
        let base = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        let moved = |record: Record| Record { start: record.start.saturating_add(base), ..record };
        self.records.extend(other.records.drain(..).map(moved));
        self.bytes.append(&mut other.bytes);
        self.arrived = other.arrived;
    }
}

/// What a lane carries.
#[derive(Debug)]
pub(super) enum Item {
    Chunk(Chunk),
    Notice(Notice),
}

/// What was counted of a device, from the start of the capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Packets that were taken from the kernel and not dropped by the ring.
    pub taken: u64,
    /// Packets that reached the kernel's filter, or passed it: systems differ (pcap_stats(3)).
    pub received: u64,
    /// Packets dropped by the kernel for want of room.
    pub dropped: u64,
    /// Packets dropped by the interface or its driver.
    pub if_dropped: u64,
    /// Packets dropped by the ring, for want of room.
    pub ring_dropped: u64,
}

impl Counters {
    pub(super) fn add(&mut self, other: &Self) {
        self.taken += other.taken;
        self.received += other.received;
        self.dropped += other.dropped;
        self.if_dropped += other.if_dropped;
        self.ring_dropped += other.ring_dropped;
    }
}

/// A device's way to the consumer.
#[derive(Debug)]
pub(super) struct Lane {
    name: Box<[u8]>,
    pub(super) items: VecDeque<Item>,
    pub(super) counters: Counters,
    /// Bytes that its chunks take, those in the consumer's hands included.
    used: usize,
    /// Nothing comes any more.
    pub(super) ended: bool,
}

/// What the lock guards.
#[derive(Debug)]
pub(super) struct State {
    pub(super) lanes: Vec<Lane>,
    /// The interfaces that records name. Replaced, never changed: batches share it.
    pub(super) interfaces: Arc<[Interface]>,
    free: Vec<Chunk>,
    room: usize,
}

/// The ring.
#[derive(Debug)]
pub(super) struct Ring {
    state: Mutex<State>,
    changed: Condvar,
}

impl Ring {
    /// A ring of so many bytes.
    pub(super) fn new(room: usize) -> Self {
        let interfaces = Vec::new().into();
        let state = State { lanes: Vec::new(), interfaces, free: Vec::new(), room };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something has come, or for so long.
    pub(super) fn wait<'s>(
        &self,
        state: MutexGuard<'s, State>,
        long: Option<Duration>,
    ) -> MutexGuard<'s, State> {
        match long {
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(long) => {
                self.changed.wait_timeout(state, long).unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    /// A lane for a device.
    pub(super) fn add_lane(&self, name: &[u8]) -> usize {
        let mut state = self.lock();
        let (items, counters) = (VecDeque::new(), Counters::default());
        state.lanes.push(Lane { name: name.into(), items, counters, used: 0, ended: false });
        state.lanes.len() - 1
    }

    /// The number of an interface, which is a new one if it has not been seen so.
    pub(super) fn interface(&self, interface: &Interface) -> u32 {
        let mut state = self.lock();
        let at = state.interfaces.iter().position(|known| known == interface);
        let at = at.unwrap_or_else(|| {
            let known = state.interfaces.iter().cloned();
            state.interfaces = known.chain([interface.clone()]).collect();
            state.interfaces.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    /// Takes a chunk's records if there is room for them, else counts them as lost. The chunk
    /// is empty afterwards.
    pub(super) fn push(&self, lane: usize, chunk: &mut Chunk) {
        chunk.arrived = Instant::now();
        let mut state = self.lock();
        state.push(lane, chunk);
        drop(state);
        self.changed.notify_all();
    }

    /// Puts a notice behind what a lane carries.
    pub(super) fn tell(&self, lane: usize, ts: Timestamp, what: What) {
        if let Some(lane) = self.lock().lanes.get_mut(lane) {
            lane.tell(ts, what);
        }
        self.changed.notify_all();
    }

    /// Changes a device's counters.
    pub(super) fn count(&self, lane: usize, count: impl FnOnce(&mut Counters)) {
        if let Some(lane) = self.lock().lanes.get_mut(lane) {
            count(&mut lane.counters);
        }
    }

    /// Lets whoever waits look.
    pub(super) fn wake(&self) {
        let _state = self.lock();
        self.changed.notify_all();
    }

    /// Nothing comes on this lane any more.
    pub(super) fn end(&self, lane: usize) {
        if let Some(lane) = self.lock().lanes.get_mut(lane) {
            lane.ended = true;
        }
        self.changed.notify_all();
    }

    /// Waits until all devices have ended, for so long; gives what was counted of all of them.
    pub(super) fn settled(&self, long: Duration) -> Counters {
        let until = Instant::now() + long;
        let mut state = self.lock();
        while !state.lanes.iter().all(|lane| lane.ended) {
            let Some(left) = until.checked_duration_since(Instant::now()) else { break };
            state = self.wait(state, Some(left));
        }
        state.counters()
    }
}

impl State {
    fn push(&mut self, lane: usize, chunk: &mut Chunk) {
        let room = (self.room / self.lanes.len().max(1)).max(LEAST_ROOM);
        let Some(lane) = self.lanes.get_mut(lane) else { return };
        let count = chunk.records.len() as u64;
        let size = chunk.bytes.len() + chunk.records.len() * size_of::<Record>();
        // One is taken in any case, however small the share of each of many devices.
        if lane.used > 0 && lane.used + size > room {
            lane.counters.ring_dropped += count;
            let first = chunk.records.first().map_or(Timestamp(0), |record| record.ts);
            let last = chunk.records.last().map_or(first, |record| record.ts);
            lane.tell(last, What::Loss(Loss { count, place: Place::Ring, since: first }));
            chunk.clear();
            return;
        }
        lane.counters.taken += count;
        match lane.items.back_mut() {
            // Small chunks share a buffer, or many of them would waste theirs.
            Some(Item::Chunk(last)) if !last.is_full() => {
                let before = last.cost();
                last.append(chunk);
                lane.used += last.cost().saturating_sub(before);
            }
            _ => {
                let full = mem::replace(chunk, self.free.pop().unwrap_or_default());
                lane.used += full.cost();
                lane.items.push_back(Item::Chunk(full));
            }
        }
    }

    /// Takes back a chunk that nobody needs any more: there is room for another one.
    pub(super) fn recycle(&mut self, lane: usize, chunk: Chunk, cost: usize) {
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.used = lane.used.saturating_sub(cost);
        }
        self.keep(chunk);
    }

    /// Keeps a chunk's buffers for use again: pages that have been touched are the cheapest.
    pub(super) fn keep(&mut self, mut chunk: Chunk) {
        if chunk.cost() > 0 && self.free.len() < MAX_FREE {
            chunk.clear();
            self.free.push(chunk);
        }
    }

    /// What was counted of each interface. A device that came back as another kind of interface
    /// has its counters at the first.
    pub(super) fn by_interface(&self) -> Vec<Counters> {
        let mut lanes: Vec<_> = self.lanes.iter().collect();
        let counters = self.interfaces.iter().map(|interface| {
            let its = |lane: &&Lane| interface.name.as_deref() == Some(&*lane.name);
            let at = lanes.iter().position(its);
            at.map_or_else(Counters::default, |at| lanes.remove(at).counters)
        });
        counters.collect()
    }

    /// What was counted of all devices.
    pub(super) fn counters(&self) -> Counters {
        let mut all = Counters::default();
        self.lanes.iter().for_each(|lane| all.add(&lane.counters));
        all
    }
}

impl Lane {
    /// Puts a notice behind what the lane carries, or adds a loss to one of the same place that
    /// has no records behind it.
    fn tell(&mut self, ts: Timestamp, what: What) {
        let mut notices = 0;
        for item in self.items.iter_mut().rev() {
            let Item::Notice(last) = item else { break };
            notices += 1;
            if let (What::Loss(sum), What::Loss(loss)) = (&mut last.what, &what)
                && sum.place == loss.place
            {
                sum.count += loss.count;
                last.ts = ts;
                return;
            }
        }
        if notices < MAX_NOTICES || matches!(what, What::Loss(_)) {
            self.items.push_back(Item::Notice(Notice {
                before: 0,
                ts,
                source: self.name.clone(),
                what,
            }));
        }
    }
}

impl Item {
    /// What its chunk takes in the ring.
    pub(super) fn cost(&self) -> usize {
        match self {
            Self::Chunk(chunk) => chunk.cost(),
            Self::Notice(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(records: u32, len: u32) -> Chunk {
        let mut chunk = Chunk::default();
        for n in 0..records {
            let start = u32::try_from(chunk.bytes.len()).unwrap();
            let ts = Timestamp(n.into());
            chunk.records.push(Record { ts, start, caplen: len, len, interface: 0, offset: 0 });
            chunk.bytes.resize(chunk.bytes.len() + len as usize, 7);
        }
        chunk
    }

    /// Whatever comes is kept or counted, and what is kept never takes more than it may.
    #[test]
    fn what_finds_no_room_is_counted_in_its_place() {
        let room = 1024 * 1024;
        let ring = Ring::new(room);
        let lane = ring.add_lane(b"em0");
        for _ in 0..1000 {
            ring.push(lane, &mut chunk(100, 60));
        }
        let mut state = ring.lock();
        // A buffer doubles as it grows.
        let used = state.lanes[lane].used;
        assert!(used < room + 2 * CHUNK_BYTES, "{used}");
        let counters = state.counters();
        assert!(counters.taken > 5_000 && counters.ring_dropped > 50_000, "{counters:?}");
        assert_eq!(counters.taken + counters.ring_dropped, 100_000);
        let items: Vec<Item> = state.lanes[lane].items.drain(..).collect();
        let (last, chunks) = items.split_last().unwrap();
        let mut kept = 0;
        for item in chunks {
            let Item::Chunk(chunk) = item else { panic!("{item:?}") };
            kept += chunk.records.len() as u64;
            for record in &chunk.records {
                assert!((record.start + record.caplen) as usize <= chunk.bytes.len());
            }
        }
        assert_eq!(kept, counters.taken);
        let Item::Notice(Notice { what: What::Loss(loss), .. }) = last else { panic!("{last:?}") };
        assert_eq!((loss.count, loss.place), (counters.ring_dropped, Place::Ring));
        for item in items {
            let cost = item.cost();
            if let Item::Chunk(chunk) = item {
                state.recycle(lane, chunk, cost);
            }
        }
        assert_eq!(state.lanes[lane].used, 0);
        drop(state);
        ring.push(lane, &mut chunk(100, 60));
        assert_eq!(ring.lock().counters().taken, counters.taken + 100);
    }

    /// A device that comes and goes for ever fills nothing.
    #[test]
    fn notices_are_bounded() {
        let ring = Ring::new(1024 * 1024);
        let lane = ring.add_lane(b"em0");
        for n in 0..1000 {
            ring.tell(lane, Timestamp(n), What::Gone("it went".into()));
            let loss = Loss { count: 2, place: Place::Kernel, since: Timestamp(n) };
            ring.tell(lane, Timestamp(n), What::Loss(loss));
        }
        let state = ring.lock();
        let items = &state.lanes[lane].items;
        assert!(items.len() <= MAX_NOTICES + 1, "{}", items.len());
        let lost = items.iter().filter_map(|item| match item {
            Item::Notice(Notice { what: What::Loss(loss), .. }) => Some(loss.count),
            _ => None,
        });
        assert_eq!(lost.collect::<Vec<_>>(), [2000]);
    }
}
