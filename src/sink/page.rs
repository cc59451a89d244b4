//! What a batch of events is rendered to, and how pages of all workers become one stream.
//!
//! Workers render batches side by side, but some numbers of a line depend on lines before it:
//! `-ttt`'s time since the line before, `-ttttt`'s since the first, and TCP sequence numbers,
//! which tcpdump shows relative to the connection's first. A worker leaves holes for them; the
//! [`Binder`], which sees the pages in order, fills them, and counts lines for `-c`.

/// The text of some events.
#[derive(Debug, Default)]
pub struct Page {
    /// Finished text but for the holes.
    pub text: Vec<u8>,
    /// How many packets the one being written is inside of.
    pub(super) depth: u8,
}

impl Page {
    /// Empties the page and keeps its memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.depth = 0;
    }
}
