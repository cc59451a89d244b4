//! What one output gets of a source that is read once for all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::counters::Counters;
use super::format::Format;
use super::parcel::{Mark, Parcel};
use super::queue::Queue;
use super::render::Branch;
use super::supervisor::Say;
use crate::filter::Filter;
use crate::sink::json::Origin;
use crate::sink::site::Site;

/// The stream of a source to an output; it lasts as long as the output's pipeline.
pub(super) struct Stream {
    /// The output's name.
    pub(super) output: String,
    /// The number of the source among those of the output.
    pub(super) number: usize,
    pub(super) format: Format,
    pub(super) filter: Filter,
    /// `event.sequence` of its next event.
    pub(super) next: AtomicU64,
    /// The source can wait for room, as a pipe can.
    pub(super) waits: bool,
    pub(super) queue: Arc<Queue>,
    pub(super) counters: Arc<Counters>,
    /// The spool could not be written when it was last tried.
    pub(super) troubled: AtomicBool,
    pub(super) say: Say,
}

impl Stream {
    /// What renders for it.
    pub(super) fn branch(&self, origin: &Origin, site: &Arc<Site>) -> Branch {
        Branch::new(&self.filter, self.format, origin, site, Arc::clone(&self.counters))
    }

    /// `event.sequence` of its next event.
    pub(super) fn sequence(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Puts events in, behind which the numbers go on with `sequence`. What can wait does so for
    /// room until it `is_over`.
    pub(super) fn put(&self, mut parcel: Parcel, sequence: u64, is_over: impl Fn() -> bool) {
        self.next.store(sequence, Ordering::Relaxed);
        if parcel.is_empty() {
            return;
        }
        parcel.mark(Mark { source: self.number, position: None, sequence });
        let put = match self.waits {
            true => self.queue.store(parcel, is_over),
            false => self.queue.offer(parcel),
        };
        let output = &self.output;
        match put {
            Ok(()) if self.troubled.swap(false, Ordering::Relaxed) => {
                (self.say)(&format!("output {output}: the spool can be written again"));
            }
            Err(error) if !self.troubled.swap(true, Ordering::Relaxed) => (self.say)(&format!(
                "output {output}: the spool cannot be written: {error}; what comes meanwhile waits \
                 in memory, and what has no room there is lost, and counted"
            )),
            _ => {}
        }
    }
}
