//! Packets of a device that name an SA nobody knows are held while the IKE daemon is asked. Files
//! never wait. The devices' threads read on meanwhile.

use std::time::{Duration, Instant};

use crate::capture::Batch;
use crate::decode::decode;
use crate::ipsec::{Live, Unknown};
use crate::wire::writer::Writer;

/// How long a packet is held.
const HOLD: Duration = Duration::from_secs(1);
/// After a wait in vain none is held for so long: unknown SAs may be made up by whoever sends.
const REST: Duration = Duration::from_secs(5);
/// Packets of a batch that are waited for.
const MAX_UNKNOWN: usize = 256;

/// Holds batches that have packets of SAs which are not known yet.
#[derive(Debug)]
pub struct Hold {
    live: Option<Live>,
    /// The first answer of the daemon has been waited for.
    begun: bool,
    /// Until when none is held.
    rest: Option<Instant>,
}

impl Hold {
    /// While this daemon is asked; without one nothing is held.
    pub const fn new(live: Option<Live>) -> Self {
        Self { live, begun: false, rest: None }
    }

    /// Waits until the SAs of the batch's packets are known, a second at most; before the first
    /// batch, until it is known whether the daemon answers.
    pub fn prepare(&mut self, batch: &Batch) {
        let Some(live) = &self.live else { return };
        if !self.begun {
            live.ready(HOLD);
            self.begun = true;
        }
        let index = live.tunnels().now();
        let frames = batch.frames().filter_map(|(_, interface, frame)| {
            let event = decode(frame, interface.order, Writer::new(interface.order));
            Unknown::of(&event.packet?, frame.ts, &index)
        });
        let mut unknown: Vec<Unknown> = frames.take(MAX_UNKNOWN).collect();
        if unknown.is_empty() {
            return;
        }
        if self.rest.is_some_and(|rest| Instant::now() < rest) {
            live.ask(&unknown, &index);
            return;
        }
        let found = live.wait(&mut unknown, HOLD);
        self.rest = (!found).then(|| Instant::now() + REST);
    }
}
