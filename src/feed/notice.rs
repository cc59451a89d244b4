//! What a feed tells an output of itself: events with a stream and a sequence of their own.

use std::sync::{Mutex, PoisonError};

use super::counters::Counters;
use super::format::Format;
use super::parcel::{Id, Mark, Parcel};
use super::queue::Queue;
use crate::sink::id::Ids;
use crate::sink::status::{COUNTERS, Kind, Status};
use crate::time::Timestamp;

/// The name of their stream among an output's sources.
pub(super) const STREAM: &str = "pfscope";

/// Those of one output.
pub(super) struct Notices {
    pub(super) format: Format,
    pub(super) observer: String,
    pub(super) output: String,
    /// The number of their stream.
    pub(super) source: usize,
    /// The sequence of the next one.
    pub(super) next: Mutex<u64>,
}

impl Notices {
    /// Puts one into the queue; false if that has no room, as of an output that is down.
    pub(super) fn tell(
        &self,
        kind: Kind,
        message: &str,
        counters: &Counters,
        queue: &Queue,
    ) -> bool {
        let Some(form) = self.format.form() else { return true };
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let ts = Timestamp::now();
        let id = Ids::new(&self.observer).own(&self.output, ts, *next);
        let values = [
            &counters.received,
            &counters.decoded,
            &counters.filtered,
            &counters.sent,
            &counters.acknowledged,
            &counters.spooled,
            &counters.dropped,
            &counters.kernel_dropped,
            &counters.interface_dropped,
            &counters.ring_dropped,
            &counters.waiting,
            &counters.spool_bytes,
            &counters.refused,
            &counters.retries,
        ];
        let counted: Vec<_> =
            COUNTERS.into_iter().zip(values).map(|(key, counter)| (key, counter.get())).collect();
        let status = Status {
            kind,
            ts,
            id,
            sequence: *next,
            observer: &self.observer,
            output: &self.output,
            message,
            counters: &counted,
        };
        let mut text = Vec::new();
        status.push(&mut text, form);
        let mut parcel = Parcel::default();
        parcel.push(Id(id), ts, &text);
        parcel.mark(Mark { source: self.source, position: None, sequence: *next + 1 });
        let put = queue.try_put(parcel);
        *next += u64::from(put);
        put
    }
}
