//! What is between rendering and delivering: a bounded queue in memory. Behind it, for sources
//! that cannot wait, a spool on disk.
//!
//! A file waits until there is room: it is its own spool. A device's events never wait: once the
//! queue is full they go to the spool, and so do all after them until it has been sent, so that
//! the order is kept.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::counters::Counters;
use super::parcel::Parcel;
use super::spool::Spool;

/// Bytes of events that are taken from the spool at once.
const FROM_SPOOL: usize = 1024 * 1024;

/// The queue of one output.
#[derive(Debug)]
pub struct Queue {
    inner: Mutex<Inner>,
    changed: Condvar,
    /// Bytes of events that may be in memory.
    limit: usize,
    counters: Arc<Counters>,
}

#[derive(Debug)]
struct Inner {
    parcels: VecDeque<Parcel>,
    bytes: usize,
    spool: Option<Spool>,
    /// Nothing comes any more.
    closed: bool,
    /// Nobody takes any more.
    abandoned: bool,
    /// What was taken last came from the spool.
    spooled: bool,
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
            parcels: VecDeque::new(),
            bytes: 0,
            spool,
            closed: false,
            abandoned: false,
            spooled: false,
        };
        let queue = Self { inner: Mutex::new(inner), changed: Condvar::new(), limit, counters };
        queue.count(&mut queue.lock());
        queue
    }

    /// Every change leaves the queue whole, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts events in, and waits until there is room. False if nobody takes them any more.
    pub fn put(&self, parcel: Parcel) -> bool {
        let mut inner = self.lock();
        // One that is larger than the queue goes in alone.
        while !inner.abandoned && inner.bytes > 0 && inner.bytes + parcel.size() > self.limit {
            inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        if inner.abandoned {
            return false;
        }
        inner.push(parcel);
        self.changed.notify_all();
        true
    }

    /// Puts events in if there is room; false if there is none.
    pub fn try_put(&self, parcel: Parcel) -> bool {
        let mut inner = self.lock();
        let spooled = inner.spool.as_ref().is_some_and(|spool| !spool.is_empty());
        if inner.abandoned || spooled || inner.bytes + parcel.size() > self.limit {
            return false;
        }
        inner.push(parcel);
        self.changed.notify_all();
        true
    }

    /// Puts events in without waiting: into the spool where there is no room, and where there is
    /// no room either, nowhere; then they are counted.
    ///
    /// # Errors
    /// Why the spool cannot be written.
    pub fn offer(&self, parcel: Parcel) -> io::Result<()> {
        let mut inner = self.lock();
        let full = |inner: &Inner| inner.bytes > 0 && inner.bytes + parcel.size() > self.limit;
        let written = match &inner.spool {
            Some(spool) => {
                let behind = !spool.is_empty() || inner.abandoned || full(&inner);
                inner.push(parcel);
                if behind { self.spool(&mut inner) } else { Ok(()) }
            }
            None => {
                while full(&inner) {
                    self.drop_oldest(&mut inner);
                }
                inner.push(parcel);
                Ok(())
            }
        };
        self.count(&mut inner);
        self.changed.notify_all();
        written
    }

    /// Drops what has waited longest, and counts it.
    fn drop_oldest(&self, inner: &mut Inner) {
        let Some(oldest) = inner.parcels.pop_front() else { return };
        inner.bytes -= oldest.size();
        self.counters.dropped.add(oldest.len() as u64);
    }

    /// Moves what is in memory to the spool, the oldest first.
    fn spool(&self, inner: &mut Inner) -> io::Result<()> {
        let Some(spool) = &mut inner.spool else { return Ok(()) };
        inner.bytes = 0;
        let mut written = Ok(());
        for parcel in inner.parcels.drain(..) {
            match spool.put(&parcel) {
                Ok(()) => self.counters.spooled.add(parcel.len() as u64),
                // It has counted them as dropped.
                Err(error) => written = Err(error),
            }
        }
        written
    }

    /// Takes the next events out, in their order.
    ///
    /// # Errors
    /// Why the spool cannot be read.
    pub fn take(&self, parcel: &mut Parcel, timeout: Duration) -> io::Result<Taken> {
        parcel.clear();
        let until = Instant::now() + timeout;
        let mut inner = self.lock();
        loop {
            if let Some(next) = inner.parcels.pop_front() {
                inner.bytes -= next.size();
                inner.spooled = false;
                *parcel = next;
                self.changed.notify_all();
                return Ok(Taken::Some);
            }
            if let Some(spool) = &mut inner.spool {
                spool.take(FROM_SPOOL, parcel)?;
                if !parcel.is_empty() {
                    inner.spooled = true;
                    return Ok(Taken::Some);
                }
            }
            if inner.closed {
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

    /// Takes more of what is in memory, without waiting for longer than that; nothing of the
    /// spool.
    pub fn take_from_memory(&self, parcel: &mut Parcel, timeout: Duration) -> Taken {
        let until = Instant::now() + timeout;
        let mut inner = self.lock();
        loop {
            if let Some(next) = inner.parcels.pop_front() {
                inner.bytes -= next.size();
                *parcel = next;
                self.changed.notify_all();
                return Taken::Some;
            }
            if inner.closed || inner.spool.as_ref().is_some_and(|spool| !spool.is_empty()) {
                return Taken::Closed;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Taken::Timeout;
            }
            let waited = self.changed.wait_timeout(inner, left);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// True if what was taken last came from the spool.
    pub fn is_spooled(&self) -> bool {
        self.lock().spooled
    }

    /// What was taken last has been acknowledged.
    ///
    /// # Errors
    /// Why the spool cannot be written.
    pub fn acknowledge(&self) -> io::Result<()> {
        let mut inner = self.lock();
        if inner.spooled
            && let Some(spool) = &mut inner.spool
        {
            spool.acknowledge()?;
        }
        self.count(&mut inner);
        Ok(())
    }

    /// Nothing comes any more: what is there is taken, then it ends.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Nobody takes any more. With a spool, what was taken from memory and not acknowledged
    /// (`unsent`) and what is still in memory goes there for the next run.
    ///
    /// # Errors
    /// Why the spool cannot be written.
    pub fn abandon(&self, unsent: Option<&Parcel>) -> io::Result<()> {
        let mut inner = self.lock();
        inner.abandoned = true;
        self.changed.notify_all();
        let from_memory = !inner.spooled;
        let Some(spool) = &mut inner.spool else { return Ok(()) };
        spool.rewind();
        if let Some(unsent) = unsent.filter(|_| from_memory) {
            spool.put_front(unsent)?;
            self.counters.spooled.add(unsent.len() as u64);
        }
        let written = self.spool(&mut inner);
        self.count(&mut inner);
        written
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
    fn push(&mut self, parcel: Parcel) {
        self.bytes += parcel.size();
        match self.parcels.back_mut() {
            // What a filter leaves out takes no room, however long an output is down.
            Some(last) if parcel.is_empty() => last.append(&parcel),
            _ => self.parcels.push_back(parcel),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::parcel::Id;
    use crate::time::Timestamp;

    const NOW: Duration = Duration::ZERO;

    fn parcel(text: &str) -> Parcel {
        let mut parcel = Parcel::default();
        parcel.push(Id::default(), Timestamp(1), text.as_bytes());
        parcel
    }

    fn texts(parcel: &Parcel) -> Vec<String> {
        parcel.events().map(|e| String::from_utf8_lossy(e.text).into_owned()).collect()
    }

    fn queue(limit: usize, spool: Option<Spool>) -> (Queue, Arc<Counters>) {
        let counters = Arc::new(Counters::default());
        (Queue::new(limit, spool, Arc::clone(&counters)), counters)
    }

    #[test]
    fn a_file_waits_for_room() {
        let (queue, _) = queue(10, None);
        assert!(queue.put(parcel("one")) && queue.put(parcel("two")));
        std::thread::scope(|scope| {
            let third = scope.spawn(|| queue.put(parcel("three")));
            let mut out = Parcel::default();
            let mut all = Vec::new();
            while all.len() < 3 {
                assert_eq!(queue.take(&mut out, Duration::from_secs(5)).unwrap(), Taken::Some);
                all.extend(texts(&out));
            }
            assert!(third.join().unwrap());
            assert_eq!(all, ["one", "two", "three"]);
            queue.close();
            assert_eq!(queue.take(&mut out, NOW).unwrap(), Taken::Closed);
        });
    }

    #[test]
    fn whoever_waits_for_room_is_told_that_nobody_takes_any_more() {
        let (queue, _) = queue(1, None);
        assert!(queue.put(parcel("one")));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.put(parcel("two")));
            queue.abandon(None).unwrap();
            assert!(!waiting.join().unwrap());
        });
    }

    #[test]
    fn without_a_spool_what_has_no_room_is_counted() {
        let (queue, counters) = queue(4, None);
        for text in ["abc", "def", "ghi"] {
            queue.offer(parcel(text)).unwrap();
        }
        let mut out = Parcel::default();
        assert_eq!(queue.take(&mut out, NOW).unwrap(), Taken::Some);
        assert_eq!((texts(&out), counters.dropped.get()), (vec!["ghi".to_owned()], 2));
    }

    #[test]
    fn what_has_no_room_in_memory_goes_through_the_spool_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), 1 << 20).unwrap();
        let (queue, counters) = queue(8, Some(spool));
        let mut out = Parcel::default();
        queue.offer(parcel("0")).unwrap();
        assert_eq!(queue.take(&mut out, NOW).unwrap(), Taken::Some);
        for n in 1..50 {
            queue.offer(parcel(&n.to_string())).unwrap();
        }
        assert!(counters.spooled.get() > 40 && counters.waiting.get() > 40);
        queue.acknowledge().unwrap();
        let mut all = Vec::new();
        while queue.take(&mut out, NOW).unwrap() == Taken::Some {
            all.extend(texts(&out));
            queue.acknowledge().unwrap();
        }
        assert_eq!(all, (1..50).map(|n| n.to_string()).collect::<Vec<_>>());
        assert_eq!((counters.waiting.get(), counters.dropped.get()), (0, 0));
        // With the spool empty memory serves again.
        queue.offer(parcel("50")).unwrap();
        assert_eq!((queue.take(&mut out, NOW).unwrap(), counters.waiting.get()), (Taken::Some, 0));
    }

    #[test]
    fn an_end_during_an_outage_keeps_everything_for_the_next_run() {
        let folder = tempfile::tempdir().unwrap();
        for limit in [8, 1000] {
            let (first, _) = queue(limit, Some(Spool::open(folder.path(), 1 << 20).unwrap()));
            for n in 0..20 {
                first.offer(parcel(&n.to_string())).unwrap();
                if n == 0 {
                    first.take(&mut Parcel::default(), NOW).unwrap();
                }
            }
            first.abandon(Some(&parcel("0"))).unwrap();
            let (second, counters) =
                queue(limit, Some(Spool::open(folder.path(), 1 << 20).unwrap()));
            assert_eq!(counters.waiting.get(), 20);
            let (mut all, mut out) = (Vec::new(), Parcel::default());
            while second.take(&mut out, NOW).unwrap() == Taken::Some {
                all.extend(texts(&out));
                second.acknowledge().unwrap();
            }
            assert_eq!(all, (0..20).map(|n| n.to_string()).collect::<Vec<_>>(), "{limit}");
        }
    }
}
