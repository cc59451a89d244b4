//! What devices count, as the statistics blocks that a pcapng file ends with.

use std::sync::{Arc, Mutex, PoisonError};

use crate::capture::live::Control;
use crate::sink::savefile::{Kind, Statistics};
use crate::time::Timestamp;

/// What devices count, at the end of a pcapng file.
#[derive(Debug, Clone)]
pub(super) struct Counting {
    control: Control,
    /// Kind and number of the interfaces that have been described.
    numbers: Arc<Mutex<Vec<(Kind, u32)>>>,
}

impl Counting {
    pub(super) fn new(control: Control) -> Self {
        Self { control, numbers: Arc::default() }
    }

    /// Interfaces have been described.
    pub(super) fn described(&self, numbers: &[(Kind, u32)]) {
        let mut known = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() != numbers.len() {
            *known = numbers.to_vec();
        }
    }

    /// The interfaces' statistics blocks, of what was counted so far.
    pub(super) fn blocks(&self) -> Vec<u8> {
        let ts = jiff::Timestamp::now().as_nanosecond();
        let ts = Timestamp(i64::try_from(ts).unwrap_or_default());
        let numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut blocks = Vec::new();
        for (counters, &(kind, number)) in self.control.by_interface().iter().zip(&*numbers) {
            // The kernel is asked once a second, and no fewer have come than are in the file.
            let seen = counters.taken + counters.ring_dropped + counters.dropped;
            let counted = Statistics {
                ts,
                received: counters.received.max(seen),
                if_dropped: counters.if_dropped,
                dropped: counters.dropped,
            };
            kind.push_statistics(number, counted, &mut blocks);
        }
        blocks
    }
}
