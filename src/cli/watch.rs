//! `--pfsync-peers`: what is suspicious about the pfsync packets of a source. Whose creatorids are
//! whose is learned on the way, so batches are looked through in their order.

use std::net::IpAddr;

use crate::capture::{Batch, Suspected};
use crate::decode::decode;
use crate::packet::proto;
use crate::states::{Facts, Guard, Op};
use crate::wire::writer::Writer;

/// Looks for packets that the firewalls did not send, or not so.
pub(super) struct Watch(Option<Guard>);

impl Watch {
    /// With the firewalls' addresses; without any nothing is looked at.
    pub(super) fn new(peers: &[IpAddr]) -> Self {
        Self((!peers.is_empty()).then(|| Guard::new(peers.to_vec())))
    }

    /// Marks the suspicious frames of a batch.
    pub(super) fn prepare(&mut self, batch: &mut Batch) {
        let Some(guard) = &mut self.0 else { return };
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
            for message in event.pfsync.iter().flat_map(|packet| packet.messages()) {
                let Ok(message) = message else { break };
                let what = guard.follow(&Op::of(facts, &message));
                suspected.extend(what.map(|what| Suspected { frame, what }));
            }
        }
        batch.suspected = suspected;
    }
}
