//! Events that wait on disk for an output: those of sources that cannot be read again.
//!
//! A folder of segments, each named by the number of its first event; numbers count all events
//! that were ever put in, so how many a segment holds is told by the next one's name. An event:
//!
//! ```text
//! 0 bytes of text:4   4 CRC-32 of what follows:4   8 id:16   24 ts, nanoseconds:8   32 text
//! ```
//! in little-endian order. With the length's highest bit set it is no event: the text names a
//! stream, and in the place of `ts` stands the `event.sequence` that the stream goes on with behind
//! the events that follow. Each segment begins with those of all streams, and the newest is kept
//! when all in it is acknowledged, so that no number is ever given twice.
//!
//! What a crash has cut is found by length and checksum, and removed. `cursor` says what has been
//! acknowledged. The folder is bounded: the oldest segment is dropped when there is no room for
//! more, and counted. An event that was put in outlives the process; a failure of the machine, once
//! [`unsynced`](Spool::unsynced) has been synced.

mod cursor;
mod record;

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::parcel::Parcel;
use cursor::Cursor;
use record::{HEADER, MAX_TEXT, Record, push_event, push_stream};

/// Segments that the limit is divided into: what is dropped at once when it is reached.
const SEGMENTS: u64 = 16;
/// No segment is longer, but for its last event.
const SEGMENT: u64 = 4 << 20;
/// Bytes that are written at once, at most.
const PIECE: usize = 256 * 1024;

/// The folder.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    /// Bytes that all segments together may have.
    limit: u64,
    /// The names of the streams that parcels mark by number.
    names: Vec<String>,
    /// The `event.sequence` that each stream goes on with.
    streams: BTreeMap<String, u64>,
    /// The oldest first; the last one is written to.
    segments: VecDeque<Segment>,
    /// The last segment, open for writing; none: the next event begins another one.
    tail: Option<File>,
    /// The number of the next event that is put in.
    next: u64,
    /// Where what was not given out yet begins.
    read: Cursor,
    /// Where what was not acknowledged yet begins.
    acked: Cursor,
    /// What the cursor's file says.
    saved: Option<Cursor>,
    /// The next event's number at the last look at what is to be synced.
    looked: u64,
    /// Segments that were finished since.
    finished: Vec<File>,
    /// Events that were dropped unsent.
    dropped: u64,
    /// Events that were given out and not acknowledged, and are no longer here.
    held: u64,
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
    pub fn open(folder: &Path, limit: u64, names: Vec<String>) -> io::Result<Self> {
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
        // Without a cursor all that is there is sent again: twice is better than never. A cursor
        // that is older than all is older than what was removed: that was acknowledged, or counted.
        let first = segments.front().map_or(0, |oldest: &Segment| oldest.first);
        let begin = Cursor { number: first, segment: first, offset: 0 };
        let saved = cursor::load(folder)?;
        let acked = saved.unwrap_or(begin).max(begin);
        let mut spool = Self {
            folder: folder.into(),
            limit,
            names,
            streams: BTreeMap::new(),
            segments,
            tail: None,
            next: 0,
            read: acked,
            acked,
            saved,
            looked: 0,
            finished: Vec::new(),
            dropped: 0,
            held: 0,
            buffer: Vec::new(),
        };
        spool.mend()?;
        if spool.next < acked.number {
            // The machine failed before the end of the last segment was on disk.
            (spool.next, spool.tail) = (acked.number, None);
        }
        spool.looked = spool.next;
        spool.forget()?;
        Ok(spool)
    }

    /// Counts the events of the last segment and cuts off what is not whole.
    fn mend(&mut self) -> io::Result<()> {
        while let Some(first) = self.segments.back().map(|last| last.first) {
            let path = path(&self.folder, first);
            let mut bytes = Vec::new();
            File::open(&path)?.read_to_end(&mut bytes)?;
            let (mut at, mut number) = (0, first);
            while let Some((record, end)) = record::read(&bytes, at) {
                at = end;
                match record {
                    Record::Event(..) => number += 1,
                    Record::Stream(name, sequence) => {
                        let name = String::from_utf8_lossy(name).into_owned();
                        self.streams.insert(name, sequence);
                    }
                }
            }
            if at == 0 && self.segments.len() > 1 {
                // It was only just made: the one before has what the streams go on with.
                self.segments.pop_back();
                fs::remove_file(path)?;
                continue;
            }
            let file = OpenOptions::new().append(true).open(&path)?;
            if at < bytes.len() {
                file.set_len(at as u64)?;
            }
            if let Some(last) = self.segments.back_mut() {
                last.bytes = at as u64;
            }
            (self.next, self.tail) = (number, Some(file));
            break;
        }
        Ok(())
    }

    /// The `event.sequence` that a stream goes on with, if it was ever here.
    pub fn sequence(&self, name: &str) -> Option<u64> {
        self.streams.get(name).copied()
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

    /// True if more events can be put in and nothing is dropped for them.
    pub fn has_room(&self, parcel: &Parcel) -> bool {
        let streams: usize = self.names.iter().map(|name| name.len() + HEADER).sum();
        let pieces = 2 + parcel.size() / self.piece();
        let bytes = parcel.size() + parcel.len() * HEADER + pieces * 2 * streams;
        self.acked.number >= self.next || self.bytes().saturating_add(bytes as u64) <= self.limit
    }

    /// Bytes of a segment.
    fn segment(&self) -> u64 {
        (self.limit / SEGMENTS).min(SEGMENT)
    }

    /// Bytes that are written at once.
    fn piece(&self) -> usize {
        usize::try_from(self.segment()).unwrap_or(PIECE).clamp(1, PIECE)
    }

    /// Events dropped unsent since it was last asked.
    pub const fn take_dropped(&mut self) -> u64 {
        std::mem::replace(&mut self.dropped, 0)
    }

    /// Puts events in, of the stream that the parcel marks last.
    ///
    /// # Errors
    /// How many of them are in, and what the system says, a full disk above all.
    pub fn put(&mut self, parcel: &Parcel) -> Result<(), (usize, io::Error)> {
        let mark = parcel.marks().last();
        let stream = mark.and_then(|mark| Some((self.names.get(mark.source)?.clone(), mark)));
        let mut at = 0;
        while at < parcel.len() {
            let until = piece(parcel, at, self.piece());
            let left = (parcel.len() - until) as u64;
            let goes_on =
                stream.as_ref().map(|(name, mark)| (&**name, mark.sequence.saturating_sub(left)));
            self.write(parcel, at..until, goes_on).map_err(|error| (at, error))?;
            at = until;
        }
        Ok(())
    }

    /// Writes some events, in one piece: a crash leaves all of them or the first few, and what
    /// their stream goes on with behind all.
    fn write(
        &mut self,
        parcel: &Parcel,
        events: Range<usize>,
        goes_on: Option<(&str, u64)>,
    ) -> io::Result<()> {
        let most = self.segment();
        let full = |last: &Segment| last.bytes >= most;
        self.buffer.clear();
        if self.tail.is_none() || self.segments.back().is_none_or(full) {
            let path = path(&self.folder, self.next);
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            self.finished.extend(self.tail.replace(file));
            self.segments.push_back(Segment { first: self.next, bytes: 0 });
            for (name, sequence) in &self.streams {
                push_stream(&mut self.buffer, name, *sequence);
            }
        }
        if let Some((name, sequence)) = goes_on {
            push_stream(&mut self.buffer, name, sequence);
        }
        let count = events.len() as u64;
        events
            .filter_map(|at| parcel.get(at))
            .for_each(|event| push_event(&mut self.buffer, event));
        let (Some(file), Some(last)) = (&mut self.tail, self.segments.back_mut()) else {
            return Err(io::Error::other("no segment to write to"));
        };
        if let Err(error) = file.write_all(&self.buffer) {
            // Whatever of it was written is not whole. If it cannot be cut off, it ends its segment.
            if file.set_len(last.bytes).is_err() {
                self.tail = None;
            }
            if last.bytes == 0 {
                // The newest segment has what the streams go on with: this one is none yet.
                self.tail = None;
                fs::remove_file(path(&self.folder, last.first))?;
                self.segments.pop_back();
            }
            return Err(error);
        }
        last.bytes += self.buffer.len() as u64;
        self.next += count;
        if let Some((name, sequence)) = goes_on {
            match self.streams.get_mut(name) {
                Some(known) => *known = sequence,
                None => drop(self.streams.insert(name.to_owned(), sequence)),
            }
        }
        while self.bytes() > self.limit && self.segments.len() > 1 {
            self.drop_oldest();
        }
        Ok(())
    }

    /// The next event begins another segment.
    #[cfg(test)]
    pub(super) fn end_segment(&mut self) {
        self.tail = None;
    }

    fn drop_oldest(&mut self) {
        let (Some(oldest), Some(second)) = (self.segments.front(), self.segments.get(1)) else {
            return;
        };
        let after = Cursor { segment: second.first, offset: 0, number: second.first };
        // One that cannot be removed is not read again, but by the next run.
        let _ = fs::remove_file(path(&self.folder, oldest.first));
        // Whoever has what was given out may still deliver it.
        let given = self.read.number.clamp(self.acked.number, after.number.max(self.acked.number));
        self.held += given - self.acked.number;
        self.dropped += after.number.saturating_sub(given);
        self.segments.pop_front();
        self.acked = self.acked.max(after);
        self.read = self.read.max(after);
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
                let first = self.segments.front().map(|segment| segment.first);
                self.skip_to(first.unwrap_or(self.next));
                continue;
            };
            if self.read.segment != segment.first {
                self.read = Cursor { segment: segment.first, offset: 0, number: segment.first };
            }
            let (first, end) = (segment.first, segment.bytes);
            let after = at.and_then(|at| self.segments.get(at + 1)).map(|segment| segment.first);
            let before = self.read.offset;
            self.give(first, end, bytes, parcel)?;
            if self.read.offset == before {
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
            while let Some((record, next)) = record::read(&self.buffer, at) {
                if let Record::Event(id, ts, text) = record {
                    parcel.push(id, ts, text);
                }
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

    /// What was given out is acknowledged: its segments are removed. [`save`](Self::save) keeps
    /// that for the next run.
    ///
    /// # Errors
    /// What the system says of a segment; it is removed later then.
    pub fn acknowledge(&mut self) -> io::Result<()> {
        (self.acked, self.held) = (self.read, 0);
        self.forget()
    }

    /// What was given out is not delivered: what of it is no longer here is lost.
    pub const fn give_up(&mut self) {
        self.dropped += std::mem::replace(&mut self.held, 0);
    }

    /// Writes down what is acknowledged. Until then it would be sent again after a crash.
    ///
    /// # Errors
    /// What the system says of the folder.
    pub fn save(&mut self) -> io::Result<()> {
        if self.saved != Some(self.acked) && !self.segments.is_empty() {
            self.acked.save(&self.folder)?;
            self.saved = Some(self.acked);
        }
        Ok(())
    }

    /// Files that are to be synced, since what is in them has waited since the last look; none
    /// while the output keeps up.
    pub fn unsynced(&mut self) -> Vec<File> {
        let waits = self.acked.number < self.looked;
        self.looked = self.next;
        let mut files = std::mem::take(&mut self.finished);
        if !waits {
            return Vec::new();
        }
        files.extend(self.tail.as_ref().and_then(|tail| tail.try_clone().ok()));
        files
    }

    /// Removes the segments that are acknowledged, but the newest.
    fn forget(&mut self) -> io::Result<()> {
        while let (Some(oldest), Some(second)) = (self.segments.front(), self.segments.get(1)) {
            if second.first > self.acked.number {
                break;
            }
            fs::remove_file(path(&self.folder, oldest.first))?;
            self.segments.pop_front();
        }
        Ok(())
    }
}

/// Where the piece of a parcel ends that begins with this event.
fn piece(parcel: &Parcel, from: usize, most: usize) -> usize {
    let mut bytes = 0;
    let more = (from..parcel.len()).take_while(|&at| {
        let before = bytes;
        bytes += parcel.get(at).map_or(0, |event| event.text.len() + HEADER);
        before == 0 || bytes <= most
    });
    from + more.count()
}

fn path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.spool"))
}

#[cfg(test)]
mod tests;
