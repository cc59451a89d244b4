//! `--pfsync-peers`: what is suspicious about the pfsync packets of a source. Whose creatorids are
//! whose is learned on the way, so batches are looked through in their order.

use std::net::IpAddr;

use crate::capture::{Batch, Suspected};
use crate::decode::decode;
use crate::packet::proto;
use crate::states::{Facts, Guard, Ops};
use crate::wire::writer::Writer;

/// Looks for packets that the firewalls did not send, or not so.
pub(super) struct Watch {
    guard: Option<Guard>,
    /// The messages of a packet.
    ops: Ops,
}

impl Watch {
    /// With the firewalls' addresses; without any nothing is looked at.
    pub(super) fn new(peers: &[IpAddr]) -> Self {
        let guard = (!peers.is_empty()).then(|| Guard::new(peers.to_vec()));
        Self { guard, ops: Ops::default() }
    }

    /// Marks the suspicious frames of a batch.
    pub(super) fn prepare(&mut self, batch: &mut Batch) {
        let Some(guard) = &mut self.guard else { return };
        let mut suspected = std::mem::take(&mut batch.suspected);
        suspected.clear();
        for (_, interface, frame) in batch.frames() {
            let event = decode(frame, interface.order, Writer::new(interface.order));
            let carried = event.packet.is_some_and(|packet| packet.ip.proto == Some(proto::PFSYNC));
            if event.pflog.is_some() || !carried {
                continue;
            }
            let facts = Facts::of(&event);
            let frame = frame.number;
            suspected.extend(guard.check(&facts).map(|what| Suspected { frame, what }));
            self.ops.clear();
            self.ops.add(facts, event.pfsync.as_ref());
            for group in self.ops.groups() {
                guard.follow(&group, |what| suspected.push(Suspected { frame, what }));
            }
        }
        batch.suspected = suspected;
    }
}
