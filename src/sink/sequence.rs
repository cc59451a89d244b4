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

    /// The number of a document, unless it goes to the byte at `at` later.
    #[inline]
    pub(super) fn place(&mut self, number: u64, at: usize) -> Option<u64> {
        let Some(holes) = &mut self.holes else { return Some(number) };
        holes.push(at);
        None
    }

    /// Forgets numbers that were to go to places behind the byte at `end`.
    pub(super) fn forget(&mut self, end: usize) {
        self.holes.iter_mut().for_each(|holes| holes.retain(|&at| at < end));
    }

    /// Names the number of a document that has none but in a stream.
    pub(super) fn describe_in_stream(&mut self, e: &mut Writer<'_>) {
        if let Some(holes) = &mut self.holes {
            holes.push(e.later(key!("sequence")));
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
