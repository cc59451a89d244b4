//! `event.sequence` and `metadata.sequence`: the number of a document.

use super::json::{Emit, Writer, key};
use super::page::Page;

/// Numbers documents: by what they come from, or as the [`Binder`](super::page::Binder) counts
/// those that are sent.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    /// Where the Binder's numbers go.
    holes: Option<Vec<usize>>,
}

impl Sequence {
    /// Leaves the numbers to the Binder: they have no gaps, whatever a filter leaves out.
    pub(super) const fn of_stream() -> Self {
        Self { holes: Some(Vec::new()) }
    }

    /// Names the number of a document.
    #[inline]
    pub(super) fn describe(&mut self, number: u64, e: &mut Writer<'_>) {
        match &mut self.holes {
            None => e.number(key!("sequence"), number),
            Some(holes) => holes.push(e.later(key!("sequence"))),
        }
    }

    /// Tells the page of the numbers that are missing in what was written to it.
    #[inline]
    pub(super) fn leave(&mut self, page: &mut Page) {
        for at in self.holes.iter_mut().flat_map(|holes| holes.drain(..)) {
            page.leave_sequence(at);
        }
    }
}
