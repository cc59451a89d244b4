//! The records of a spool's segment: see [`super`] for the bytes.

use crate::feed::parcel::{Event, Id};
use crate::time::Timestamp;

/// Bytes before the text.
pub(super) const HEADER: usize = 32;
/// No event is longer: a length beyond it is not one.
pub(super) const MAX_TEXT: usize = 16 * 1024 * 1024;
/// In the length: not an event.
const STREAM: u32 = 1 << 31;

/// A record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record<'a> {
    /// An event: its name, when it happened, and its text.
    Event(Id, Timestamp, &'a [u8]),
    /// A stream's name, and the number that it goes on with.
    Stream(&'a [u8], u64),
}

/// Appends an event. One that is longer than any can be is cut, as no format makes them.
pub(super) fn push_event(out: &mut Vec<u8>, event: Event<'_>) {
    let text = event.text.get(..MAX_TEXT).unwrap_or(event.text);
    push(out, 0, event.id.0, event.ts.0.to_le_bytes(), text);
}

/// Appends what a stream goes on with.
pub(super) fn push_stream(out: &mut Vec<u8>, name: &str, sequence: u64) {
    push(out, STREAM, [0; 16], sequence.to_le_bytes(), name.as_bytes());
}

fn push(out: &mut Vec<u8>, flag: u32, id: [u8; 16], number: [u8; 8], text: &[u8]) {
    let start = out.len();
    let len = u32::try_from(text.len()).unwrap_or(STREAM - 1) | flag;
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&id);
    out.extend_from_slice(&number);
    out.extend_from_slice(text);
    let sum = crc32fast::hash(out.get(start + 8..).unwrap_or_default());
    if let Some(place) = out.get_mut(start + 4..start + 8) {
        place.copy_from_slice(&sum.to_le_bytes());
    }
}

/// The record that begins at an offset, if it is whole, and where the next one begins.
pub(super) fn read(bytes: &[u8], at: usize) -> Option<(Record<'_>, usize)> {
    let (len, rest) = bytes.get(at..)?.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let word = u32::from_le_bytes(*len);
    let len = usize::try_from(word & !STREAM).ok().filter(|&len| len <= MAX_TEXT)?;
    let checked = rest.get(..len + HEADER - 8)?;
    if crc32fast::hash(checked) != u32::from_le_bytes(*sum) {
        return None;
    }
    let (id, rest) = checked.split_first_chunk::<16>()?;
    let (number, text) = rest.split_first_chunk::<8>()?;
    let record = match word & STREAM {
        0 => Record::Event(Id(*id), Timestamp(i64::from_le_bytes(*number)), text),
        _ => Record::Stream(text, u64::from_le_bytes(*number)),
    };
    Some((record, at + HEADER + len))
}
