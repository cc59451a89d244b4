//! Finished events on their way to one output.

use std::fmt;
use std::ops::Range;

use crate::capture::follow::Position;
use crate::time::Timestamp;

/// Names an event: the same whenever it is made, and no other event's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Id(pub [u8; 16]);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An event of a parcel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// Its name.
    pub id: Id,
    /// When it happened.
    pub ts: Timestamp,
    /// As it is to be sent, without the line's end.
    pub text: &'a [u8],
}

/// Where an event stands.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Behind its line's end.
    end: usize,
    id: Id,
    ts: Timestamp,
}

/// How far a source is done once the parcel has been acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Which of the feed's sources.
    pub source: usize,
    /// Where to go on reading it; none if it cannot be read again.
    pub position: Option<Position>,
    /// `event.sequence` of its next event.
    pub sequence: u64,
}

/// Events in their order, each a line.
#[derive(Debug, Clone, Default)]
pub struct Parcel {
    text: Vec<u8>,
    events: Vec<Entry>,
    marks: Vec<Mark>,
}

impl Parcel {
    /// An empty one that has room for so many bytes of events.
    pub fn with_room_for(bytes: usize) -> Self {
        Self { text: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// Makes room for so many bytes of events in all.
    pub fn reserve(&mut self, bytes: usize) {
        self.text.reserve_exact(bytes.saturating_sub(self.text.len()));
    }

    /// Adds an event. Its text is one line or several; the line's end is added.
    pub fn push(&mut self, id: Id, ts: Timestamp, text: &[u8]) {
        self.text.extend_from_slice(text);
        self.text.push(b'\n');
        self.events.push(Entry { end: self.text.len(), id, ts });
    }

    /// Says how far a source is done with it.
    pub fn mark(&mut self, mark: Mark) {
        self.marks.retain(|old| old.source != mark.source);
        self.marks.push(mark);
    }

    /// Adds the events and marks of a later one.
    pub fn append(&mut self, later: &Self) {
        let before = self.text.len();
        self.text.extend_from_slice(&later.text);
        let moved = |entry: &Entry| Entry { end: entry.end + before, ..*entry };
        self.events.extend(later.events.iter().map(moved));
        later.marks.iter().for_each(|&mark| self.mark(mark));
    }

    /// The events from a place on, with all marks.
    pub fn rest(&self, from: usize) -> Self {
        let mut rest = Self { marks: self.marks.clone(), ..Self::default() };
        let events = (from..self.len()).filter_map(|at| self.get(at));
        events.for_each(|event| rest.push(event.id, event.ts, event.text));
        rest
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.events.clear();
        self.marks.clear();
    }

    /// Number of events.
    pub const fn len(&self) -> usize {
        self.events.len()
    }

    /// True without events; there may be marks.
    pub const fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Bytes of all events, each with its line's end.
    pub const fn size(&self) -> usize {
        self.text.len()
    }

    /// All events as they are, each ending a line.
    pub fn lines(&self) -> &[u8] {
        &self.text
    }

    /// How far the sources are done with it.
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// An event by its place in the parcel.
    pub fn get(&self, at: usize) -> Option<Event<'_>> {
        let (entry, text) = (self.events.get(at)?, self.line(at)?);
        Some(Event { id: entry.id, ts: entry.ts, text: text.strip_suffix(b"\n").unwrap_or(text) })
    }

    /// An event's text with its line's end, by its place in the parcel.
    pub fn line(&self, at: usize) -> Option<&[u8]> {
        self.text.get(self.range(at, self.events.get(at)?))
    }

    /// All events.
    pub fn events(&self) -> impl ExactSizeIterator<Item = Event<'_>> {
        (0..self.len()).map(|at| {
            self.get(at).unwrap_or_else(|| Event {
                id: Id::default(),
                ts: Timestamp::default(),
                text: &[],
            })
        })
    }

    fn range(&self, at: usize, entry: &Entry) -> Range<usize> {
        let start = at.checked_sub(1).and_then(|before| self.events.get(before));
        start.map_or(0, |before| before.end)..entry.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_back_as_they_were_put_in() {
        let mut parcel = Parcel::default();
        parcel.push(Id([1; 16]), Timestamp(1), b"one");
        let mut later = Parcel::default();
        later.push(Id([2; 16]), Timestamp(2), b"");
        later.push(Id([3; 16]), Timestamp(3), b"a\nb");
        later.mark(Mark { source: 0, position: None, sequence: 3 });
        parcel.mark(Mark { source: 0, position: None, sequence: 1 });
        parcel.mark(Mark { source: 1, position: None, sequence: 9 });
        parcel.append(&later);
        let texts: Vec<_> = parcel.events().map(|event| (event.id.0[0], event.text)).collect();
        assert_eq!(texts, [(1, &b"one"[..]), (2, b""), (3, b"a\nb")]);
        assert_eq!(parcel.lines(), b"one\n\na\nb\n");
        let marks: Vec<_> = parcel.marks().iter().map(|m| (m.source, m.sequence)).collect();
        assert_eq!(marks, [(1, 9), (0, 3)]);
        let rest = parcel.rest(1);
        assert_eq!((rest.lines(), rest.len(), rest.marks().len()), (&b"\na\nb\n"[..], 2, 2));
    }

    #[test]
    fn an_id_is_32_digits() {
        let id = Id([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        assert_eq!(id.to_string(), "000102030405060708090a0b0c0d0eff");
    }
}
