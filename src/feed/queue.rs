//! What is between rendering and delivering. Two ways lead to an output:
//!
//! * Files wait until there is room in memory: a file is its own spool.
//! * What cannot be read again (devices, standard input, a daemon's events) goes to the spool on
//!   disk at once, and from there to the output, so that it outlives the process. Without a folder
//!   for that, or while its disk is full, it waits in memory; for what has no room there the oldest
//!   is dropped, and counted.
//!
//! The output gets from both in turn, from each in its order.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::counters::Counters;
use super::parcel::Parcel;
use super::spool::Spool;

/// Bytes of events that are taken from the spool at once.
const FROM_SPOOL: usize = 1024 * 1024;

/// How long it takes to see that the spool has room again.
const LOOK: Duration = Duration::from_millis(200);

/// The queue of one output.
#[derive(Debug)]
pub struct Queue {
    inner: Mutex<Inner>,
    changed: Condvar,
    /// Bytes of events that may be in memory, of each way.
    limit: usize,
    counters: Arc<Counters>,
}

#[derive(Debug)]
struct Inner {
    /// Of sources that wait.
    files: Lane,
    /// Of those that do not: what is not in the spool. It comes behind what is there.
    live: Lane,
    spool: Option<Spool>,
    /// Nothing comes any more.
    closed: bool,
    /// Nobody takes any more.
    abandoned: bool,
    /// The way that what was taken last came.
    taken: Way,
}

/// Where events come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Files,
    Spool,
    Live,
}

/// What waits in memory.
#[derive(Debug, Default)]
struct Lane {
    parcels: VecDeque<Parcel>,
    bytes: usize,
}

/// What was found in a queue.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// Events.
    Some,
    /// Nothing came in time.
    Timeout,
    /// Nothing is there and nothing comes any more.
    Closed,
}

impl Queue {
    /// A queue of so many bytes, with what the spool has.
    pub fn new(limit: usize, spool: Option<Spool>, counters: Arc<Counters>) -> Self {
        let inner = Inner {
            files: Lane::default(),
            live: Lane::default(),
            spool,
            closed: false,
            abandoned: false,
            taken: Way::Spool,
        };
        let queue = Self { inner: Mutex::new(inner), changed: Condvar::new(), limit, counters };
        queue.count(&mut queue.lock());
        queue
    }

    /// Every change leaves the queue whole, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a file's events in, and waits until there is room. False if nobody takes them any
    /// more.
    pub fn put(&self, parcel: Parcel) -> bool {
        let mut inner = self.lock();
        // One that is larger than the queue goes in alone.
        while !inner.abandoned && inner.files.is_full(&parcel, self.limit) {
            inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        if inner.abandoned {
            return false;
        }
        inner.files.push(parcel);
        self.changed.notify_all();
        true
    }

    /// Puts what the feed itself has to say in: into the spool, or where there is none, if there
    /// is room; false if there is none.
    pub fn try_put(&self, parcel: Parcel) -> bool {
        let mut inner = self.lock();
        if inner.abandoned {
            return false;
        }
        if inner.spool.is_some() {
            // Why it cannot be written is told by who has more to put in.
            let _ = self.add(&mut inner, parcel);
            return true;
        }
        let room = inner.files.bytes + parcel.size() <= self.limit;
        if room {
            inner.files.push(parcel);
            self.changed.notify_all();
        }
        room
    }

    /// Puts events in without waiting: into the spool, or without one into memory. For what has
    /// no room the oldest is dropped, and counted.
    ///
    /// # Errors
    /// Why the spool cannot be written; the events wait in memory then.
    pub fn offer(&self, parcel: Parcel) -> io::Result<()> {
        let mut inner = self.lock();
        self.add(&mut inner, parcel)
    }

    /// The same, but waits while the spool, or without one the memory, has no room, until it
    /// `is_over`: for what comes through a pipe. What is in hand then stays in memory.
    ///
    /// # Errors
    /// As [`offer`](Self::offer).
    pub fn store(&self, parcel: Parcel, is_over: impl Fn() -> bool) -> io::Result<()> {
        let mut inner = self.lock();
        while !inner.abandoned && !is_over() && inner.is_full(&parcel, self.limit) {
            let waited = self.changed.wait_timeout(inner, LOOK);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if !inner.abandoned
            && inner.is_full(&parcel, self.limit)
            && !inner.live.is_full(&parcel, self.limit)
        {
            inner.live.push(parcel);
            self.changed.notify_all();
            return Ok(());
        }
        self.add(&mut inner, parcel)
    }

    fn add(&self, inner: &mut Inner, parcel: Parcel) -> io::Result<()> {
        if inner.abandoned {
            self.counters.dropped.add(parcel.len() as u64);
            return Ok(());
        }
        inner.live.push(parcel);
        let written = self.spool(inner);
        while inner.live.bytes > self.limit && inner.live.parcels.len() > 1 {
            let dropped = inner.live.pop().map_or(0, |oldest| oldest.len() as u64);
            self.counters.dropped.add(dropped);
        }
        self.count(inner);
        self.changed.notify_all();
        written
    }

    /// Moves what is in memory to the spool.
    fn spool(&self, inner: &mut Inner) -> io::Result<()> {
        let Inner { live, spool: Some(spool), .. } = inner else { return Ok(()) };
        while let Some(parcel) = live.pop() {
            match spool.put(&parcel) {
                Ok(()) => self.counters.spooled.add(parcel.len() as u64),
                Err((events, error)) => {
                    self.counters.spooled.add(events as u64);
                    live.push_front(parcel.rest(events));
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Takes the next events out, in their order.
    ///
    /// # Errors
    /// Why the spool cannot be read.
    pub fn take(&self, parcel: &mut Parcel, timeout: Duration) -> io::Result<Taken> {
        self.wait(parcel, timeout, |inner, parcel| {
            let ways = match inner.taken {
                Way::Files => [Way::Spool, Way::Live, Way::Files],
                Way::Spool | Way::Live => [Way::Files, Way::Spool, Way::Live],
            };
            for way in ways {
                if inner.take(way, FROM_SPOOL, parcel)? {
                    inner.taken = way;
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    /// Takes more of where the last came from: of the spool about so many bytes.
    ///
    /// # Errors
    /// Why the spool cannot be read.
    pub fn take_more(
        &self,
        parcel: &mut Parcel,
        bytes: usize,
        timeout: Duration,
    ) -> io::Result<Taken> {
        let bytes = bytes.min(FROM_SPOOL);
        self.wait(parcel, timeout, |inner, parcel| inner.take(inner.taken, bytes, parcel))
    }

    fn wait(
        &self,
        parcel: &mut Parcel,
        timeout: Duration,
        mut take: impl FnMut(&mut Inner, &mut Parcel) -> io::Result<bool>,
    ) -> io::Result<Taken> {
        parcel.clear();
        let until = Instant::now() + timeout;
        let mut inner = self.lock();
        loop {
            if take(&mut inner, parcel)? {
                self.changed.notify_all();
                return Ok(Taken::Some);
            }
            if inner.closed || inner.abandoned {
                return Ok(Taken::Closed);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Taken::Timeout);
            }
            let waited = self.changed.wait_timeout(inner, left);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What was taken last has been acknowledged.
    ///
    /// # Errors
    /// Why the spool cannot be made smaller; it is tried again with the next.
    pub fn acknowledge(&self) -> io::Result<()> {
        let mut inner = self.lock();
        let spooled = inner.taken == Way::Spool;
        let spool = inner.spool.as_mut().filter(|_| spooled);
        let done = spool.map_or(Ok(()), Spool::acknowledge);
        self.count(&mut inner);
        self.changed.notify_all();
        done
    }

    /// Writes down what of the spool is acknowledged, and brings to disk what has waited there for
    /// longer than since the last time.
    ///
    /// # Errors
    /// What the system says.
    pub fn keep(&self) -> io::Result<()> {
        let mut inner = self.lock();
        let Some(spool) = &mut inner.spool else { return Ok(()) };
        let saved = spool.save();
        let unsynced = spool.unsynced();
        drop(inner);
        unsynced.iter().try_for_each(std::fs::File::sync_data).and(saved)
    }

    /// The `event.sequence` that a stream goes on with, if the spool knows it.
    pub fn sequence(&self, stream: &str) -> Option<u64> {
        self.lock().spool.as_ref()?.sequence(stream)
    }

    /// Nothing comes any more: what is there is taken, then it ends.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Nobody takes any more: what of a file is in memory is read again by the next run, and what
    /// is in the spool waits there for it. Whoever comes late finds nothing.
    ///
    /// # Errors
    /// What the system says of the spool.
    pub fn abandon(&self) -> io::Result<()> {
        let mut inner = self.lock();
        inner.abandoned = true;
        let written = self.spool(&mut inner);
        let left: usize = inner.live.parcels.iter().map(Parcel::len).sum();
        self.counters.dropped.add(left as u64);
        (inner.files, inner.live) = (Lane::default(), Lane::default());
        inner.spool.iter_mut().for_each(Spool::give_up);
        self.count(&mut inner);
        self.changed.notify_all();
        let Some(mut spool) = inner.spool.take() else { return Ok(()) };
        drop(inner);
        let saved = spool.save();
        // What was there at the first look has waited at the second.
        let mut files = spool.unsynced();
        files.extend(spool.unsynced());
        files.iter().try_for_each(std::fs::File::sync_data).and(saved).and(written)
    }

    /// Shows the spool's numbers.
    fn count(&self, inner: &mut Inner) {
        if let Some(spool) = &mut inner.spool {
            self.counters.waiting.set(spool.len());
            self.counters.spool_bytes.set(spool.bytes());
            self.counters.dropped.add(spool.take_dropped());
        }
    }
}

impl Inner {
    /// True if there is no room for what cannot be read again.
    fn is_full(&self, parcel: &Parcel, limit: usize) -> bool {
        match &self.spool {
            Some(spool) => !self.live.parcels.is_empty() || !spool.has_room(parcel),
            None => self.live.is_full(parcel, limit),
        }
    }

    /// Takes what is next of a way; false if nothing is there.
    fn take(&mut self, way: Way, bytes: usize, parcel: &mut Parcel) -> io::Result<bool> {
        let lane = match way {
            Way::Spool => {
                let Some(spool) = &mut self.spool else { return Ok(false) };
                spool.take(bytes, parcel)?;
                return Ok(!parcel.is_empty());
            }
            Way::Live => &mut self.live,
            Way::Files => &mut self.files,
        };
        let Some(next) = lane.pop() else { return Ok(false) };
        *parcel = next;
        Ok(true)
    }
}

impl Lane {
    /// True if there is no room for a parcel; one that is larger than the limit goes in alone.
    fn is_full(&self, parcel: &Parcel, limit: usize) -> bool {
        self.bytes > 0 && self.bytes + parcel.size() > limit
    }

    fn push(&mut self, parcel: Parcel) {
        self.bytes += parcel.size();
        match self.parcels.back_mut() {
            // What a filter leaves out takes no room, however long an output is down.
            Some(last) if parcel.is_empty() => last.append(&parcel),
            _ => self.parcels.push_back(parcel),
        }
    }

    /// Puts back what was taken out.
    fn push_front(&mut self, parcel: Parcel) {
        self.bytes += parcel.size();
        self.parcels.push_front(parcel);
    }

    fn pop(&mut self) -> Option<Parcel> {
        let next = self.parcels.pop_front()?;
        self.bytes -= next.size();
        Some(next)
    }
}

#[cfg(test)]
mod tests;
