//! A log that still grows, through rotation and truncation: its records, each once.
//!
//! A name stands for one file after the other. All files are held open from when they are seen,
//! so that renaming, compressing and removing them takes nothing away. A renamed file is read to
//! its end, with what its writer still adds to it, before the next one is begun. If the log was
//! rotated several times since it was last looked at, the files in between are found beside it
//! (`rotated`), by device and inode, or by their first record where they have been compressed.
//!
//! What is lost to a copy-and-truncate rotation between the last look and the truncation is read
//! from the copy.

mod part;
mod rotated;
mod tail;
mod wake;

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{fmt, fs, io};

pub use part::Start;
pub use tail::Identity;

use super::fault::Error;
use super::file::Filled;
use super::interfaces::Interfaces;
use super::remark::{Remark, What};
use super::{Batch, Records};
use part::{Got, Part};
use wake::Wake;

/// Files that are held open ahead of the one that is read. What is rotated beyond them is found
/// beside the log later.
const MAX_AHEAD: usize = 64;

/// How long what is there may still be read once the end was asked for.
const DRAIN: Duration = Duration::from_secs(1);

/// A place between two records of a log, to go on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The file.
    pub file: Identity,
    /// How it begins: finds it again once it has been compressed. None if no record was read.
    pub start: Option<Start>,
    /// Offset of the next record in it (decompressed).
    pub offset: u64,
    /// Number of the record before it, as the log's were counted.
    pub frame: u64,
}

impl Position {
    /// Where its file stands among these, or its copy.
    fn find(&self, all: &[Part]) -> Option<usize> {
        let starts: Vec<_> = all.iter().map(Part::peek).collect();
        // An inode is used again; what begins otherwise is another file.
        let fits = |start: Option<Start>| self.start.is_none() || start == self.start;
        let same =
            all.iter().zip(&starts).position(|(part, start)| part.id == self.file && fits(*start));
        same.or_else(|| starts.iter().rposition(|start| start.is_some() && *start == self.start))
    }
}

/// Where a log is begun.
#[derive(Debug, Clone, Copy)]
enum From {
    /// At its own first record.
    Log,
    /// With the oldest file beside it.
    Oldest,
    /// Where it was left.
    Position(Position),
}

/// A log that is followed.
pub struct Follow {
    log: PathBuf,
    from: From,
    /// Files to read, the oldest first; the last one is the newest that was seen.
    parts: VecDeque<Part>,
    /// How many records were read of files that were there at the beginning.
    known: HashMap<Start, u64>,
    interfaces: Interfaces,
    frames: u64,
    position: Option<Position>,
    wake: Wake,
    stop: Arc<AtomicBool>,
    stopped: Option<Instant>,
    tell: Box<dyn FnMut(Remark) + Send>,
    /// Why the log could not be opened when last tried: told once.
    missing: Option<io::ErrorKind>,
}

impl fmt::Debug for Follow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follow").field("log", &self.log).finish_non_exhaustive()
    }
}

impl Follow {
    /// Follows a log from its first record, or from the first one of the oldest file beside it
    /// that was rotated away. It need not be there yet. It ends when `stop` becomes true; what
    /// there is to say is told to `tell`.
    pub fn new(
        log: &Path,
        from_start: bool,
        stop: Arc<AtomicBool>,
        tell: impl FnMut(Remark) + Send + 'static,
    ) -> Self {
        Self::from(log, if from_start { From::Oldest } else { From::Log }, stop, tell)
    }

    fn from(
        log: &Path,
        from: From,
        stop: Arc<AtomicBool>,
        tell: impl FnMut(Remark) + Send + 'static,
    ) -> Self {
        Self {
            log: log.into(),
            from,
            parts: VecDeque::new(),
            known: HashMap::new(),
            interfaces: Interfaces::default(),
            frames: 0,
            position: None,
            wake: Wake::new(log),
            stop,
            stopped: None,
            tell: Box::new(tell),
            missing: None,
        }
    }

    /// Goes on behind the record that was read last. If its file is no longer there in any form,
    /// with what is newer than that.
    pub fn resume(
        log: &Path,
        from: Position,
        stop: Arc<AtomicBool>,
        tell: impl FnMut(Remark) + Send + 'static,
    ) -> Self {
        let follow = Self::from(log, From::Position(from), stop, tell);
        Self { position: Some(from), frames: from.frame, ..follow }
    }

    /// Where what follows the last batch begins; none before the first record.
    pub const fn position(&self) -> Option<Position> {
        self.position
    }

    /// Opens the files to begin with.
    fn begin(&mut self) -> io::Result<()> {
        let mut skip = None;
        let all = match self.from {
            From::Log => vec![Part::open(&self.log)?],
            From::Oldest | From::Position(_) => match rotated::open(&self.log, None)? {
                Some(all) if !all.is_empty() => all,
                Some(_) => return Err(io::ErrorKind::NotFound.into()),
                // They are renamed just now.
                None => return Ok(()),
            },
        };
        let mut all = match self.from {
            From::Position(position) => match position.find(&all) {
                Some(at) => {
                    skip = Some(position.offset);
                    all.into_iter().skip(at).collect()
                }
                None => {
                    (self.tell)(Remark::new(&self.log, What::Gone));
                    rotated::after(all, &self.log, position.start)
                }
            },
            _ => all,
        };
        if let (Some(offset), Some(first)) = (skip, all.first_mut()) {
            if first.is_shorter(offset) {
                (self.tell)(Remark::new(&first.path, What::Truncated));
            } else {
                first.skip.1 = offset;
            }
        }
        rotated::without_copies(&mut all);
        let last = all.len().saturating_sub(1);
        for (nth, mut part) in all.into_iter().enumerate() {
            let is_log = part.path == self.log;
            // The newest of those beside the log may just have been renamed.
            if !is_log && (nth + 1 < last || part.is_settled()) {
                part.complete();
            }
            part.maybe_copy = true;
            self.push(part);
        }
        Ok(())
    }

    fn push(&mut self, part: Part) {
        self.wake.watch(&part.path);
        self.parts.push_back(part);
    }

    /// Sees whether the log's name stands for another file now.
    fn look(&mut self) {
        if self.parts.len() >= MAX_AHEAD {
            return;
        }
        let looked = match fs::metadata(&self.log) {
            Ok(metadata) if metadata.is_dir() => Err(Error::Directory),
            Ok(metadata) => match self.parts.back() {
                Some(newest) if newest.id == Identity::of(&metadata) => return,
                Some(newest) => rotated::newer(&self.log, newest).map(|found| {
                    found.into_iter().flatten().for_each(|part| self.push(part));
                }),
                None => self.begin(),
            }
            .map_err(Error::Io),
            Err(_) if self.parts.is_empty() => self.begin().map_err(Error::Io),
            Err(error) => Err(Error::Io(error)),
        };
        match looked {
            Ok(()) => self.missing = None,
            Err(error) => self.miss(error),
        }
    }

    /// Says why the log cannot be read, once.
    fn miss(&mut self, error: Error) {
        let kind = match &error {
            Error::Io(error) => error.kind(),
            _ => io::ErrorKind::Other,
        };
        if self.missing.replace(kind) == Some(kind) {
            return;
        }
        if kind != io::ErrorKind::NotFound {
            (self.tell)(Remark::new(&self.log, What::Error(error)));
        } else if self.parts.is_empty() {
            (self.tell)(Remark::new(&self.log, What::Waiting));
        }
    }

    /// Puts the next records into the batch; false if there are none now.
    fn step(&mut self, batch: &mut Batch) -> bool {
        while !self.is_out_of_time() {
            let (ahead, next) = (self.parts.len(), self.parts.get(1));
            let next_is_written = next.is_some_and(|next| !next.is_empty());
            let Some(part) = self.parts.front_mut() else { return false };
            match part.fill(batch, &self.known, &mut self.tell) {
                Got::Records => {
                    if self.take(batch) {
                        return true;
                    }
                }
                Got::Nothing => {
                    let hurry = ahead > 2 || self.stopped.is_some();
                    if ahead < 2 || !(hurry || (next_is_written && part.is_quiet())) {
                        return false;
                    }
                    part.complete();
                }
                Got::End if ahead < 2 => return false,
                Got::End => {
                    if let (true, Some(start)) = (part.maybe_copy, part.start) {
                        self.known.insert(start, part.records);
                    }
                    self.parts.pop_front();
                }
                Got::Replaced => self.replace(),
            }
        }
        false
    }

    /// Makes records of the first part records of the whole; false if there are none.
    fn take(&mut self, batch: &mut Batch) -> bool {
        let Some(part) = self.parts.front_mut() else { return false };
        if let Err(cause) = self.interfaces.number(&batch.interfaces, None, &mut part.interfaces) {
            batch.records.clear();
            part.give_up(cause, &mut self.tell);
            return false;
        }
        for record in &mut batch.records {
            let number = part.interfaces.get(record.interface as usize);
            record.interface = number.copied().unwrap_or(u32::MAX);
        }
        let (offset, frame) = (part.offset(), self.frames + batch.records.len() as u64);
        self.position = Some(Position { file: part.id, start: part.start, offset, frame });
        !batch.records.is_empty()
    }

    /// Begins the first part again, whose contents were replaced; what was not yet read of those
    /// before is read from a copy of them.
    fn replace(&mut self) {
        let Some(part) = self.parts.front_mut() else { return };
        let (id, start, records) = (part.id, part.start, part.records);
        (self.tell)(Remark::new(&part.path, What::Truncated));
        part.restart();
        if start.is_none() {
            return;
        }
        let Ok(Some(mut all)) = rotated::open(&self.log, None) else { return };
        let is_copy = |part: &Part| part.id != id && part.peek() == start;
        if let Some(at) = all.iter().rposition(is_copy) {
            let mut copy = all.swap_remove(at);
            copy.skip.0 = records;
            copy.complete();
            self.parts.push_front(copy);
        }
    }

    fn is_out_of_time(&self) -> bool {
        self.stopped.is_some_and(|since| since.elapsed() >= DRAIN)
    }
}

impl Records for Follow {
    /// Gives what there is; if that is nothing, waits a while for it.
    fn fill(&mut self, batch: &mut Batch) -> Filled {
        batch.records.clear();
        batch.numbers.clear();
        if self.stopped.is_none() && self.stop.load(Ordering::Relaxed) {
            self.stopped = Some(Instant::now());
        }
        self.look();
        let mut more = self.step(batch);
        if !more && self.stopped.is_none() {
            self.wake.wait();
            self.look();
            self.step(batch);
            more = true;
        }
        batch.first_frame = self.frames + 1;
        self.frames += batch.records.len() as u64;
        batch.interfaces = Arc::clone(self.interfaces.all());
        batch.position = self.position;
        Filled { more, fault: None }
    }
}

#[cfg(test)]
mod tests;
