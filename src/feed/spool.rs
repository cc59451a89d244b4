//! Events that wait on disk for an output that does not take them.
//!
//! A folder of segments, each named by the number of its first event; numbers count all events
//! that were ever put in, so how many a segment holds is told by the next one's name. An event:
//!
//! ```text
//! 0 bytes of text:4   4 CRC-32 of what follows:4   8 id:16   24 ts, nanoseconds:8   32 text
//! ```
//! in little-endian order. What a crash has cut is found by length and checksum, and removed.
//! `cursor` says what has been acknowledged. The folder is bounded: the oldest segment is dropped
//! when there is no room for more, and counted.

mod cursor;

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::parcel::{Id, Parcel};
use crate::time::Timestamp;
use cursor::Cursor;

const HEADER: usize = 32;
/// No event is longer: a length beyond it is not one.
const MAX_TEXT: usize = 16 * 1024 * 1024;
/// Segments that the limit is divided into: what is dropped at once when it is reached.
const SEGMENTS: u64 = 16;
/// The number of the first event that is ever put in; there is room before it for what is put in
/// front.
const START: u64 = 1 << 40;

/// The folder.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    /// Bytes that all segments together may have.
    limit: u64,
    /// The oldest first; the last one is written to.
    segments: VecDeque<Segment>,
    /// The last segment, open for writing.
    tail: Option<File>,
    /// The number of the next event that is put in.
    next: u64,
    /// Where what was not given out yet begins.
    read: Cursor,
    /// Where what was not acknowledged yet begins.
    acked: Cursor,
    /// Events that were dropped unsent.
    dropped: u64,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Segment {
    /// The number of its first event.
    first: u64,
    /// Its length.
    bytes: u64,
}

impl Spool {
    /// Opens a folder, which is made if it is not there, with what a run before has left in it.
    ///
    /// # Errors
    /// What the system says of the folder or of a file in it.
    pub fn open(folder: &Path, limit: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut segments = VecDeque::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let first = name.to_str().and_then(|name| name.strip_suffix(".spool")?.parse().ok());
            if let Some(first) = first {
                segments.push_back(Segment { first, bytes: entry.metadata()?.len() });
            }
        }
        segments.make_contiguous().sort_by_key(|segment| segment.first);
        // Without a cursor all that is there is sent again: twice is better than never.
        let first = segments.front().map_or(START, |oldest: &Segment| oldest.first);
        let begin = Cursor { number: first, segment: first, offset: 0 };
        let acked = cursor::load(folder)?.unwrap_or(begin);
        let mut spool = Self {
            folder: folder.into(),
            limit,
            segments,
            tail: None,
            next: acked.number,
            read: acked,
            acked,
            dropped: 0,
            buffer: Vec::new(),
        };
        spool.mend()?;
        spool.forget()?;
        spool.read = spool.acked;
        Ok(spool)
    }

    /// Counts the events of the last segment and cuts off what is not whole.
    fn mend(&mut self) -> io::Result<()> {
        let Some(last) = self.segments.back_mut() else { return Ok(()) };
        let path = path(&self.folder, last.first);
        let mut bytes = Vec::new();
        File::open(&path)?.read_to_end(&mut bytes)?;
        let (mut at, mut number) = (0, last.first);
        while let Some((_, end)) = record(&bytes, at) {
            (at, number) = (end, number + 1);
        }
        let file = OpenOptions::new().append(true).open(&path)?;
        if at < bytes.len() {
            file.set_len(at as u64)?;
        }
        last.bytes = at as u64;
        (self.next, self.tail) = (number, Some(file));
        Ok(())
    }

    /// True if nothing waits to be given out.
    pub const fn is_empty(&self) -> bool {
        self.read.number >= self.next
    }

    /// Events that wait, those included that were given out and not acknowledged.
    pub const fn len(&self) -> u64 {
        self.next.saturating_sub(self.acked.number)
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Events dropped unsent since it was last asked.
    pub const fn take_dropped(&mut self) -> u64 {
        std::mem::replace(&mut self.dropped, 0)
    }

    /// Puts events in. What cannot be written is dropped, and counted.
    ///
    /// # Errors
    /// What the system says, a full disk above all; the events before are safe.
    pub fn put(&mut self, parcel: &Parcel) -> io::Result<()> {
        let events = parcel.len() as u64;
        let written = self.write(parcel);
        if written.is_err() {
            self.dropped += events;
            // Whatever of it was written is not whole.
            if let (Some(file), Some(last)) = (&self.tail, self.segments.back()) {
                file.set_len(last.bytes)?;
            }
        }
        written
    }

    /// Puts events in before all others. Nothing of the spool may have been acknowledged in part.
    ///
    /// # Errors
    /// What the system says.
    pub fn put_front(&mut self, parcel: &Parcel) -> io::Result<()> {
        let first = self.acked.number.saturating_sub(parcel.len() as u64);
        self.encode(parcel);
        fs::write(path(&self.folder, first), &self.buffer)?;
        self.segments.push_front(Segment { first, bytes: self.buffer.len() as u64 });
        self.acked = Cursor { number: first, segment: first, offset: 0 };
        self.read = self.acked;
        self.acked.save(&self.folder)
    }

    /// Makes the records of a parcel's events.
    fn encode(&mut self, parcel: &Parcel) {
        self.buffer.clear();
        for event in parcel.events() {
            let start = self.buffer.len();
            let len = u32::try_from(event.text.len()).unwrap_or(u32::MAX);
            self.buffer.extend_from_slice(&len.to_le_bytes());
            self.buffer.extend_from_slice(&[0; 4]);
            self.buffer.extend_from_slice(&event.id.0);
            self.buffer.extend_from_slice(&event.ts.0.to_le_bytes());
            self.buffer.extend_from_slice(event.text);
            let sum = crc32fast::hash(self.buffer.get(start + 8..).unwrap_or_default());
            if let Some(place) = self.buffer.get_mut(start + 4..start + 8) {
                place.copy_from_slice(&sum.to_le_bytes());
            }
        }
    }

    fn write(&mut self, parcel: &Parcel) -> io::Result<()> {
        self.encode(parcel);
        let full = |last: &Segment| last.bytes >= self.limit / SEGMENTS;
        if self.tail.is_none() || self.segments.back().is_none_or(full) {
            let path = path(&self.folder, self.next);
            self.tail = Some(OpenOptions::new().create(true).append(true).open(path)?);
            self.segments.push_back(Segment { first: self.next, bytes: 0 });
        }
        let (Some(file), Some(last)) = (&mut self.tail, self.segments.back_mut()) else {
            return Err(io::Error::other("no segment to write to"));
        };
        file.write_all(&self.buffer)?;
        last.bytes += self.buffer.len() as u64;
        self.next += parcel.len() as u64;
        while self.bytes() > self.limit && self.segments.len() > 1 {
            self.drop_oldest()?;
        }
        Ok(())
    }

    fn drop_oldest(&mut self) -> io::Result<()> {
        let (Some(oldest), Some(second)) = (self.segments.front(), self.segments.get(1)) else {
            return Ok(());
        };
        let after = Cursor { segment: second.first, offset: 0, number: second.first };
        self.dropped += after.number.saturating_sub(self.acked.number);
        fs::remove_file(path(&self.folder, oldest.first))?;
        self.segments.pop_front();
        self.acked = self.acked.max(after);
        self.read = self.read.max(after);
        self.acked.save(&self.folder)
    }

    /// Gives out the next events, about so many bytes of them; none if nothing waits.
    ///
    /// # Errors
    /// What the system says of the segment's file.
    pub fn take(&mut self, bytes: usize, parcel: &mut Parcel) -> io::Result<()> {
        parcel.clear();
        while parcel.is_empty() && !self.is_empty() {
            let holds = |segment: &Segment| segment.first <= self.read.number;
            let at = self.segments.iter().rposition(holds);
            let Some(segment) = at.and_then(|at| self.segments.get(at)) else {
                // A segment is missing: go on with the oldest.
                let Some(first) = self.segments.front().map(|segment| segment.first) else {
                    self.read.number = self.next;
                    break;
                };
                self.skip_to(first);
                continue;
            };
            if self.read.segment != segment.first {
                self.read = Cursor { segment: segment.first, offset: 0, number: segment.first };
            }
            let (first, end) = (segment.first, segment.bytes);
            let after = at.and_then(|at| self.segments.get(at + 1)).map(|segment| segment.first);
            self.give(first, end, bytes, parcel)?;
            if parcel.is_empty() {
                // The rest of the segment is damaged.
                self.skip_to(after.unwrap_or(self.next));
            }
        }
        Ok(())
    }

    /// Reads on in a segment.
    fn give(
        &mut self,
        segment: u64,
        end: u64,
        bytes: usize,
        parcel: &mut Parcel,
    ) -> io::Result<()> {
        let mut file = File::open(path(&self.folder, segment))?;
        file.seek(SeekFrom::Start(self.read.offset))?;
        let left = end.saturating_sub(self.read.offset);
        let mut want = bytes.max(HEADER);
        loop {
            self.buffer.clear();
            (&mut file).take(left.min(want as u64)).read_to_end(&mut self.buffer)?;
            let mut at = 0;
            while let Some((event, next)) = record(&self.buffer, at) {
                parcel.push(event.0, event.1, event.2);
                at = next;
            }
            if at > 0 {
                self.read.offset += at as u64;
                self.read.number += parcel.len() as u64;
                return Ok(());
            }
            // One event is longer than what was asked for.
            if want as u64 >= left || want > MAX_TEXT + HEADER {
                return Ok(());
            }
            want = want.saturating_mul(2);
            file.seek(SeekFrom::Start(self.read.offset))?;
        }
    }

    /// Goes on with a later event; those between are lost.
    fn skip_to(&mut self, number: u64) {
        self.dropped += number.saturating_sub(self.read.number);
        self.read = Cursor { segment: number, offset: 0, number };
    }

    /// What was given out is acknowledged.
    ///
    /// # Errors
    /// What the system says of the folder.
    pub fn acknowledge(&mut self) -> io::Result<()> {
        self.acked = self.read;
        self.acked.save(&self.folder)?;
        self.forget()
    }

    /// What was given out is to be given out again.
    pub const fn rewind(&mut self) {
        self.read = self.acked;
    }

    /// Removes the segments that are acknowledged.
    fn forget(&mut self) -> io::Result<()> {
        while let Some(oldest) = self.segments.front() {
            let end = self.segments.get(1).map_or(self.next, |second| second.first);
            if end > self.acked.number {
                break;
            }
            fs::remove_file(path(&self.folder, oldest.first))?;
            self.segments.pop_front();
            if self.segments.is_empty() {
                self.tail = None;
            }
        }
        self.next = self.next.max(self.acked.number);
        Ok(())
    }
}

fn path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.spool"))
}

/// An event as it is stored.
type Stored<'a> = (Id, Timestamp, &'a [u8]);

/// The record that begins at an offset, if it is whole, and where the next one begins.
fn record(bytes: &[u8], at: usize) -> Option<(Stored<'_>, usize)> {
    let (len, rest) = bytes.get(at..)?.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let len = usize::try_from(u32::from_le_bytes(*len)).ok().filter(|&len| len <= MAX_TEXT)?;
    let checked = rest.get(..len + HEADER - 8)?;
    if crc32fast::hash(checked) != u32::from_le_bytes(*sum) {
        return None;
    }
    let (id, rest) = checked.split_first_chunk::<16>()?;
    let (ts, text) = rest.split_first_chunk::<8>()?;
    Some(((Id(*id), Timestamp(i64::from_le_bytes(*ts)), text), at + HEADER + len))
}

#[cfg(test)]
mod tests;
