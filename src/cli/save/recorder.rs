//! Records as a worker renders them.

use std::sync::Arc;

use crate::capture::{Batch, Interface};
use crate::event::Frame;
use crate::sink::page::Page;

use super::kind;

/// Renders the records of a source; each worker has one of its own.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Recorder {
    pub(super) pcapng: bool,
    pub(super) nano: bool,
    /// Number of the source.
    pub(super) source: usize,
}

/// Of which interfaces the records of a page are.
#[derive(Debug, Default)]
pub(in crate::cli) struct Recorded {
    pub(super) source: usize,
    pub(super) interfaces: Arc<[Interface]>,
    /// An index a record.
    pub(super) of: Vec<u32>,
}

impl Recorder {
    /// Begins a page of a batch.
    pub(in crate::cli) fn begin(self, batch: &Batch, recorded: &mut Recorded) {
        recorded.source = self.source;
        recorded.interfaces = Arc::clone(&batch.interfaces);
        recorded.of.clear();
    }

    /// Appends all frames of a batch.
    pub(in crate::cli) fn copy(self, batch: &Batch, page: &mut Page, recorded: &mut Recorded) {
        for (_, _, frame) in batch.frames() {
            self.record(&frame, batch, page, recorded);
        }
    }

    /// Appends a frame.
    pub(in crate::cli) fn record(
        self,
        frame: &Frame<'_>,
        batch: &Batch,
        page: &mut Page,
        recorded: &mut Recorded,
    ) {
        let at = usize::try_from(frame.number.saturating_sub(batch.first_frame));
        let Some(record) = at.ok().and_then(|at| batch.records.get(at)) else { return };
        let Some(interface) = batch.interfaces.get(record.interface as usize) else { return };
        let kind = kind(interface, self.nano);
        page.begin(frame.ts);
        if self.pcapng {
            kind.push_packet(frame, record.interface, &mut page.text);
        } else {
            kind.push_record(frame, &mut page.text);
        }
        page.end();
        recorded.of.push(record.interface);
    }
}
