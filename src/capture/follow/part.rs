//! One file of those that a followed name stands for in the course of time.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::compress::Compression;
use super::super::fault::{Cause, Error, Fault};
use super::super::file::File;
use super::super::remark::{Remark, What};
use super::super::{Batch, Record};
use super::tail::{Growing, Identity};
use crate::time::Timestamp;

/// How long a renamed file must be quiet, once the next one is written to, to be finished. Its
/// writer learns of the rename by a signal, and may be slow to act on it.
const GRACE: Duration = Duration::from_secs(1);

/// A renamed file that was last written so long ago is finished.
const SETTLED: Duration = Duration::from_secs(5);

/// What a file begins with: its first record. The same in a compressed or other copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Start {
    /// When it was captured.
    pub ts: Timestamp,
    /// Bytes of it that are there.
    pub caplen: u32,
    /// Bytes that the packet had.
    pub len: u32,
}

impl Start {
    pub(in crate::capture) const fn of(record: &Record) -> Self {
        Self { ts: record.ts, caplen: record.caplen, len: record.len }
    }
}

/// What [`Part::fill`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Got {
    /// Records; none are left of them if all were read before.
    Records,
    /// Nothing now.
    Nothing,
    /// The file's contents have been replaced.
    Replaced,
    /// Nothing more comes of it.
    End,
}

/// An open file of the sequence.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) path: PathBuf,
    pub(super) id: Identity,
    bytes: Arc<Growing>,
    /// None until its header is there.
    reader: Option<File>,
    /// Its first record, once that was read.
    pub(super) start: Option<Start>,
    /// Records read so far.
    pub(super) records: u64,
    /// So many records, and those before this offset, have been given before.
    pub(super) skip: (u64, u64),
    /// It was there when the following began: it may be a copy of another that was.
    pub(super) maybe_copy: bool,
    /// The numbers of its interfaces in the whole source.
    pub(super) interfaces: Vec<u32>,
    over: bool,
    /// Since when it has been quiet, and how long it was then.
    quiet: Option<(Instant, u64)>,
}

impl Part {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = fs::File::open(path)?;
        let id = Identity::of(&file.metadata()?);
        Ok(Self {
            path: path.into(),
            id,
            bytes: Growing::new(file),
            reader: None,
            start: None,
            records: 0,
            skip: (0, 0),
            maybe_copy: false,
            interfaces: Vec::new(),
            over: false,
            quiet: None,
        })
    }

    /// Makes the end of the file, where it is now, the end of what is read.
    pub(super) fn complete(&self) {
        self.bytes.complete();
    }

    /// True if the file is compressed: nothing is ever added to it.
    pub(super) fn is_packed(&self) -> bool {
        self.bytes.magic().is_ok_and(|magic| Compression::of(&magic).is_some())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.metadata().map_or(true, |metadata| metadata.len() == 0)
    }

    /// True if nobody has written to it for long.
    pub(super) fn is_settled(&self) -> bool {
        let modified = self.bytes.metadata().and_then(|metadata| metadata.modified());
        let age = modified.ok().and_then(|modified| modified.elapsed().ok());
        age.is_some_and(|age| age >= SETTLED)
    }

    /// True if it has been quiet long enough, asked while the next file is written to.
    pub(super) fn is_quiet(&mut self) -> bool {
        let offset = self.bytes.offset();
        match self.quiet {
            Some((since, at)) if at == offset => since.elapsed() >= GRACE,
            _ => {
                self.quiet = Some((Instant::now(), offset));
                false
            }
        }
    }

    /// True if its plain bytes end before this offset.
    pub(super) fn is_shorter(&self, offset: u64) -> bool {
        !self.is_packed() && self.bytes.metadata().is_ok_and(|metadata| metadata.len() < offset)
    }

    /// What it begins with; read from the file if it has not been yet.
    pub(super) fn peek(&self) -> Option<Start> {
        self.start.or_else(|| {
            let bytes = self.bytes.again().ok()?;
            bytes.complete();
            let mut reader = File::from_reader(&*self.path, Box::new(bytes.tail())).ok()?;
            let mut batch = Batch::default();
            reader.read_little();
            let _ = reader.fill(&mut batch);
            batch.records.first().map(Start::of)
        })
    }

    /// Offset of the record that comes next.
    pub(super) fn offset(&self) -> u64 {
        self.reader.as_ref().map_or(0, File::offset)
    }

    /// Reads it again from its start.
    pub(super) fn restart(&mut self) {
        self.reader = None;
        self.start = None;
        self.records = 0;
        self.skip = (0, 0);
        self.maybe_copy = false;
        self.interfaces.clear();
        self.over = false;
        self.bytes.restart();
    }

    /// Puts its next records into the batch. `known` says how many records were read of files
    /// that begin so. What is wrong with it is told once.
    pub(super) fn fill(
        &mut self,
        batch: &mut Batch,
        known: &HashMap<Start, u64>,
        tell: &mut dyn FnMut(Remark),
    ) -> Got {
        batch.records.clear();
        if self.over {
            return if self.bytes.is_replaced() { Got::Replaced } else { Got::End };
        }
        if self.reader.is_none()
            && let Err(got) = self.begin(tell)
        {
            return got;
        }
        let Some(reader) = &mut self.reader else { return Got::Nothing };
        let filled = reader.fill(batch);
        if self.bytes.is_replaced() && batch.records.is_empty() {
            return Got::Replaced;
        }
        if let Some(fault) = filled.fault {
            // Half a record is none: it is only told of.
            if matches!(fault.cause, Cause::Cut { .. }) {
                batch.records.pop_if(|record| record.offset == fault.offset);
            }
            self.tell(What::Fault(fault), tell);
        }
        self.over = !filled.more;
        let nothing = batch.records.is_empty();
        self.leave_out(batch, known);
        match (nothing, self.over) {
            (false, _) => Got::Records,
            (true, true) => Got::End,
            (true, false) => Got::Nothing,
        }
    }

    /// Begins to read it, if its header is there.
    fn begin(&mut self, tell: &mut dyn FnMut(Remark)) -> Result<(), Got> {
        if self.is_packed() {
            self.complete();
        }
        match File::from_reader(&*self.path, Box::new(self.bytes.tail())) {
            Ok(reader) => {
                self.reader = Some(reader);
                Ok(())
            }
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(if self.bytes.is_replaced() { Got::Replaced } else { Got::Nothing })
            }
            Err(error) => {
                self.over = true;
                // A log that nothing was written to, not even its header.
                if !matches!(error, Error::Empty) {
                    self.tell(What::Error(error), tell);
                }
                Err(Got::End)
            }
        }
    }

    /// Takes the records out of the batch that have been given before.
    fn leave_out(&mut self, batch: &mut Batch, known: &HashMap<Start, u64>) {
        if let (None, Some(first)) = (self.start, batch.records.first()) {
            let start = Start::of(first);
            self.start = Some(start);
            if self.maybe_copy {
                let given = known.get(&start).copied().unwrap_or_default();
                self.skip.0 = self.skip.0.max(given);
            }
        }
        let mut number = self.records;
        self.records += batch.records.len() as u64;
        let (records, offset) = self.skip;
        batch.records.retain(|record| {
            number += 1;
            number > records && record.offset >= offset
        });
    }

    fn tell(&self, what: What, tell: &mut dyn FnMut(Remark)) {
        tell(Remark::new(&self.path, what));
    }

    /// Nothing more of it can be kept apart from the rest: it has too many interfaces.
    pub(super) fn give_up(&mut self, cause: Cause, tell: &mut dyn FnMut(Remark)) {
        let fault = Fault { cause, record: self.records, offset: self.offset() };
        self.over = true;
        self.tell(What::Fault(fault), tell);
    }
}
