//! The states that pfsync's messages only name: compressed updates and deletions (`upd_c`, `del_c`,
//! `struct pfsync_upd_c`, `pfsync_del_c`), acknowledgments and requests. Their ends are those that a
//! message before them told, of the same source: of a state that was made before the first record
//! they are not known until the firewalls exchange it again.

use crate::capture::Batch;
use crate::decode::decode;
use crate::event::Named;
use crate::states::{Facts, Op, Table};
use crate::wire::link::LinkType;
use crate::wire::pfsync::Body;
use crate::wire::writer::Writer;

/// Finds the states of a source, whose batches it sees in their order.
#[derive(Debug)]
pub struct Names(Table);

impl Names {
    /// Keeps so many states at most: the least recently updated are forgotten first.
    pub fn new(max_states: usize) -> Self {
        Self(Table::new(max_states))
    }

    /// Finds the states that messages of the batch only name.
    pub fn prepare(&mut self, batch: &mut Batch) {
        let mut found = std::mem::take(&mut batch.named);
        found.clear();
        let is_log = |link| matches!(link, LinkType::PFLOG | LinkType::OLD_PFLOG);
        if batch.interfaces.iter().all(|interface| is_log(interface.link)) {
            batch.named = found;
            return;
        }
        for (_, interface, frame) in batch.frames() {
            if is_log(frame.link) {
                continue;
            }
            let event = decode(frame, interface.order, Writer::new(interface.order));
            let Some(packet) = &event.pfsync else { continue };
            let facts = Facts::of(&event);
            for message in packet.messages().map_while(Result::ok) {
                let ids = match &message.body {
                    Body::Ids { ids, .. } => Some(*ids),
                    Body::Compressed(update) => Some(update.ids),
                    _ => None,
                };
                // What it deletes is there until it is applied.
                if let Some(entry) = ids.and_then(|ids| self.0.get(ids)) {
                    let state = entry.state();
                    found.push(Named {
                        frame: frame.number,
                        index: message.index,
                        direction: state.direction,
                        proto: state.wire.proto,
                        wire: state.wire_ends(),
                        stack: state.stack_ends(),
                    });
                }
                self.0.apply(&Op::of(facts, &message));
            }
        }
        batch.named = found;
    }
}
