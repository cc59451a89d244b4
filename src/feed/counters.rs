//! What a feed counts: one set an output. Written by its threads, read by the heartbeat, the
//! metrics and the summary at the end.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::event::notice::Place;
use crate::time::Timestamp;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts some more.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Sets a number that is counted elsewhere.
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of one output.
#[derive(Debug, Default)]
pub struct Counters {
    /// Records that its sources gave.
    pub received: Counter,
    /// Records of them that could be decoded.
    pub decoded: Counter,
    /// Records that its filter left out.
    pub filtered: Counter,
    /// Events handed to the output, each time.
    pub sent: Counter,
    /// Events that the output has acknowledged.
    pub acknowledged: Counter,
    /// Events that went through the spool.
    pub spooled: Counter,
    /// Events in the spool now.
    pub waiting: Counter,
    /// Bytes of the spool now.
    pub spool_bytes: Counter,
    /// Events lost behind decoding, for want of room.
    pub dropped: Counter,
    /// Packets that the kernel dropped.
    pub kernel_dropped: Counter,
    /// Packets that an interface or its driver dropped.
    pub interface_dropped: Counter,
    /// Packets dropped between the device's thread and decoding, for want of room.
    pub ring_dropped: Counter,
    /// Events that the output refused for good.
    pub refused: Counter,
    /// Times that the output was tried again.
    pub retries: Counter,
    /// When what was acknowledged last happened, in nanoseconds since 1970; 0: nothing yet.
    newest: AtomicI64,
    trouble: Mutex<Option<String>>,
}

impl Counters {
    /// Where what is lost of a source is counted.
    pub const fn lost(&self, place: Place) -> &Counter {
        match place {
            Place::Kernel => &self.kernel_dropped,
            Place::Interface => &self.interface_dropped,
            Place::Ring => &self.ring_dropped,
            Place::Sink => &self.dropped,
        }
    }

    /// The output has acknowledged events up to this time.
    pub fn reached(&self, ts: Timestamp) {
        self.newest.fetch_max(ts.0, Ordering::Relaxed);
    }

    /// Seconds between now and the newest event that was acknowledged; none before the first.
    pub fn lag(&self) -> Option<f64> {
        let newest = self.newest.load(Ordering::Relaxed);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let newest = u64::try_from(newest).ok().filter(|&newest| newest > 0)?;
        let newest = std::time::Duration::from_nanos(newest);
        Some(now.saturating_sub(newest).as_secs_f64())
    }

    /// What is wrong with the output; none once it works again.
    pub fn set_trouble(&self, why: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// What is wrong with the output now.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
