//! Several sources as one, by the time of their records.
//!
//! Each source is read by a thread of its own into batches that go round, so that one that waits
//! does not hold up the others, and memory is bounded by the number of sources. A record goes on
//! once every source has shown its next one; the earliest goes first, and of equal ones that of
//! the source named first. A source that is not in order itself is not put in order: its records
//! stay as they are among themselves.
//!
//! Sources that may have nothing for long, as files that are followed, hold up the others for a
//! given while only.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use std::{fmt, io, thread};

use super::fault::Fault;
use super::file::Filled;
use super::interfaces::Interfaces;
use super::remark::{Remark, What};
use super::{Batch, Record, Records};
use crate::time::Timestamp;

/// Batches of a source: one that is merged, one that waits, one being read.
const BATCHES: usize = 3;

/// A merged batch that has so many bytes is handed on.
const FULL: usize = 256 * 1024;

/// How long a wait for records lasts before what is there is handed on.
const WAIT: Duration = Duration::from_millis(250);

/// How long what is there may still be read once the end was asked for.
const DRAIN: Duration = Duration::from_millis(900);

/// What a thread has read.
struct Read {
    source: usize,
    batch: Batch,
    filled: Filled,
}

/// A source, as far as it was read.
struct Source {
    path: PathBuf,
    name: Arc<[u8]>,
    /// Back to its thread; none once it has ended.
    free: Option<SyncSender<Batch>>,
    /// Batches to merge, and when the first one came.
    batches: VecDeque<Batch>,
    since: Instant,
    /// The next record of the first one.
    next: usize,
    interfaces: Vec<u32>,
}

/// Several sources as one.
pub struct Merge {
    sources: Vec<Source>,
    read: Receiver<Read>,
    /// How long a source that has nothing holds up the others; until it has or ends if None.
    hold: Option<Duration>,
    /// Sources that have a next record: its time and the source.
    heads: BinaryHeap<Reverse<(Timestamp, usize)>>,
    interfaces: Interfaces,
    frames: u64,
    stop: Option<Arc<AtomicBool>>,
    stopped: Option<Instant>,
    tell: Box<dyn FnMut(Remark) + Send>,
}

impl fmt::Debug for Merge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merge").field("hold", &self.hold).finish_non_exhaustive()
    }
}

impl Merge {
    /// Merges sources, each with its name. A source that has nothing holds up the others for
    /// `hold`, or until it has or ends. Some time after `stop` has become true all ends even if
    /// they do not. What is wrong with one of them is told to `tell`.
    ///
    /// # Errors
    /// If there can be no more threads.
    pub fn new(
        sources: Vec<(PathBuf, Box<dyn Records>)>,
        hold: Option<Duration>,
        stop: Option<Arc<AtomicBool>>,
        tell: impl FnMut(Remark) + Send + 'static,
    ) -> io::Result<Self> {
        // Room for all batches there are: nobody waits to hand one on.
        let (send, read) = sync_channel(sources.len().saturating_mul(BATCHES).max(1));
        let mut threads = Vec::new();
        for (at, (path, mut source)) in sources.into_iter().enumerate() {
            let (free, batches) = sync_channel(BATCHES);
            for _ in 0..BATCHES {
                let _ = free.send(Batch::default());
            }
            let send = send.clone();
            thread::Builder::new().spawn(move || {
                for mut batch in batches {
                    let filled = source.fill(&mut batch);
                    let more = filled.more;
                    if send.send(Read { source: at, batch, filled }).is_err() || !more {
                        break;
                    }
                }
            })?;
            threads.push(Source {
                name: path.as_os_str().as_encoded_bytes().into(),
                path,
                free: Some(free),
                batches: VecDeque::new(),
                since: Instant::now(),
                next: 0,
                interfaces: Vec::new(),
            });
        }
        Ok(Self {
            sources: threads,
            read,
            hold,
            heads: BinaryHeap::new(),
            interfaces: Interfaces::default(),
            frames: 0,
            stop,
            stopped: None,
            tell: Box::new(tell),
        })
    }

    /// Takes what a thread has read.
    fn receive(&mut self, read: Read) {
        let Read { source: at, mut batch, filled } = read;
        let Some(source) = self.sources.get_mut(at) else { return };
        if source.free.is_none() {
            return;
        }
        let numbers = &mut source.interfaces;
        let numbered = self.interfaces.number(&batch.interfaces, Some(&source.name), numbers);
        let mut fault = filled.fault;
        if let Err(cause) = numbered {
            let first = batch.records.first();
            let offset = first.map_or(0, |record| record.offset);
            fault = Some(Fault { cause, record: batch.first_frame, offset });
            batch.records.clear();
            source.free = None;
        }
        if let Some(fault) = fault {
            (self.tell)(Remark::new(&source.path, What::Fault(fault)));
        }
        if !filled.more {
            source.free = None;
        }
        let Some(first) = batch.records.first() else { return source.give_back(batch) };
        if source.batches.is_empty() {
            self.heads.push(Reverse((first.ts, at)));
            (source.since, source.next) = (Instant::now(), 0);
        }
        source.batches.push_back(batch);
    }

    /// Adds to the batch the records that may go, until it is full.
    fn merge(&mut self, batch: &mut Batch) {
        let mut awaited = self.awaited();
        while batch.bytes.len() < FULL
            && let Some(&Reverse((_, at))) = self.heads.peek()
            && let Some(source) = self.sources.get_mut(at)
        {
            let held = || self.hold.is_none_or(|hold| source.since.elapsed() < hold);
            if awaited && self.stopped.is_none() && held() {
                return;
            }
            self.heads.pop();
            source.give(batch);
            match source.head() {
                Some(ts) => self.heads.push(Reverse((ts, at))),
                None => awaited |= source.free.is_some(),
            }
        }
    }

    /// True if a source has not shown its next record.
    fn awaited(&self) -> bool {
        self.sources.iter().any(|source| source.free.is_some() && source.batches.is_empty())
    }

    /// True if no source has anything more.
    fn is_over(&self) -> bool {
        let late = self.stopped.is_some_and(|since| since.elapsed() >= DRAIN);
        self.heads.is_empty() && (late || self.sources.iter().all(|source| source.free.is_none()))
    }

    /// How long to wait for records.
    fn patience(&self) -> Duration {
        let since = self.heads.peek().and_then(|&Reverse((_, at))| self.sources.get(at));
        let left =
            since.zip(self.hold).map(|(source, hold)| hold.saturating_sub(source.since.elapsed()));
        left.map_or(WAIT, |left| left.min(WAIT))
    }
}

impl Source {
    fn give_back(&self, batch: Batch) {
        if let Some(free) = &self.free {
            // A thread that has ended needs none.
            let _ = free.try_send(batch);
        }
    }

    /// Time of the next record.
    fn head(&self) -> Option<Timestamp> {
        Some(self.batches.front()?.records.get(self.next)?.ts)
    }

    /// Moves the next record to the merged batch.
    fn give(&mut self, to: &mut Batch) {
        let Some(from) = self.batches.front() else { return };
        if let Some(record) = from.records.get(self.next) {
            let start = u32::try_from(to.bytes.len()).unwrap_or(u32::MAX);
            to.bytes.extend_from_slice(from.data(record));
            let interface = self.interfaces.get(record.interface as usize).copied();
            let interface = interface.unwrap_or(u32::MAX);
            to.records.push(Record { start, interface, ..*record });
            to.numbers.push(from.first_frame.saturating_add(self.next as u64));
            self.next += 1;
        }
        if self.next >= from.records.len()
            && let Some(done) = self.batches.pop_front()
        {
            self.give_back(done);
            (self.since, self.next) = (Instant::now(), 0);
        }
    }
}

impl Records for Merge {
    fn fill(&mut self, batch: &mut Batch) -> Filled {
        batch.records.clear();
        batch.bytes.clear();
        batch.numbers.clear();
        batch.first_frame = self.frames + 1;
        let began = Instant::now();
        loop {
            if self.stopped.is_none()
                && self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed))
            {
                self.stopped = Some(Instant::now());
            }
            while let Ok(read) = self.read.try_recv() {
                self.receive(read);
            }
            self.merge(batch);
            if !batch.records.is_empty() || self.is_over() || began.elapsed() >= WAIT {
                break;
            }
            match self.read.recv_timeout(self.patience()) {
                Ok(read) => self.receive(read),
                Err(RecvTimeoutError::Timeout) => {}
                // Every thread is gone, one of them without a word: by a panic.
                Err(RecvTimeoutError::Disconnected) => {
                    self.sources.iter_mut().for_each(|source| source.free = None);
                }
            }
        }
        self.frames += batch.records.len() as u64;
        if !Arc::ptr_eq(&batch.interfaces, self.interfaces.all()) {
            batch.interfaces = Arc::clone(self.interfaces.all());
        }
        Filled { more: !self.is_over(), fault: None }
    }
}
