//! A thread that reads a source on, whoever takes what it reads: so those who render it can be
//! changed without a record being lost. What it reads is given in small pieces: what many outputs
//! render of one is in memory at a time.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::capture::file::Filled;
use crate::capture::{Batch, Interface, Record, Records};
use crate::event::notice::Notice;

/// How long a wait lasts before it is looked who takes the next.
const LOOK: Duration = Duration::from_millis(100);

/// Records and bytes of a piece.
const PIECE: (usize, usize) = (1024, 64 * 1024);

/// What a source gives, for one taker after the other.
#[derive(Clone)]
pub(super) struct Pump(Arc<Shared>);

struct Shared {
    given: Mutex<Given>,
    /// Those of the last batch.
    interfaces: Mutex<Arc<[Interface]>>,
    /// Who takes it now is to end.
    turn: AtomicBool,
    /// What has not come by now is not waited for.
    over: AtomicBool,
    /// Why nothing can be read.
    wrong: Mutex<Option<String>>,
}

/// Opens a source, which may take as long as nobody writes into a pipe.
pub(super) type Opener = Box<dyn FnOnce() -> Result<Box<dyn Records>, String> + Send>;

/// What has been read.
struct Given {
    batches: Receiver<(Batch, Filled)>,
    /// Batches for use again.
    spent: SyncSender<Batch>,
    /// What is not taken yet of the last one.
    rest: Option<Rest>,
}

/// A batch that is taken piece by piece.
struct Rest {
    batch: Batch,
    /// The next record.
    next: usize,
    filled: Filled,
}

impl Pump {
    /// Begins to read what `open` gives; these interfaces of it are known.
    pub(super) fn start(open: Opener, interfaces: Arc<[Interface]>) -> Self {
        let (sender, batches) = sync_channel(1);
        let (spent, free) = sync_channel(4);
        let shared = Shared {
            given: Mutex::new(Given { batches, spent, rest: None }),
            interfaces: Mutex::new(interfaces),
            turn: AtomicBool::new(false),
            over: AtomicBool::new(false),
            wrong: Mutex::new(None),
        };
        let shared = Arc::new(shared);
        let own = Arc::clone(&shared);
        thread::spawn(move || {
            let mut source = match open() {
                Ok(source) => source,
                Err(why) => {
                    *own.wrong.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
                    return;
                }
            };
            // It ends when nobody takes any more.
            drop(own);
            let mut batch = Batch::default();
            loop {
                let filled = source.fill(&mut batch);
                let more = filled.more;
                if sender.send((batch, filled)).is_err() || !more {
                    return;
                }
                batch = free.try_recv().unwrap_or_default();
            }
        });
        Self(shared)
    }

    /// Why nothing can be read.
    pub(super) fn wrong(&self) -> Option<String> {
        self.0.wrong.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes who takes it now end.
    pub(super) fn turn(&self) {
        self.0.turn.store(true, Ordering::Relaxed);
    }

    /// For the next taker.
    pub(super) fn taker(&self) -> Self {
        self.0.turn.store(false, Ordering::Relaxed);
        self.clone()
    }

    /// Ends it once nothing is there.
    pub(super) fn end(&self) {
        self.0.over.store(true, Ordering::Relaxed);
    }

    /// True if who takes it now is to end.
    pub(super) fn is_over(&self) -> bool {
        self.0.turn.load(Ordering::Relaxed) || self.0.over.load(Ordering::Relaxed)
    }
}

impl Records for Pump {
    fn fill(&mut self, batch: &mut Batch) -> Filled {
        let shared = &*self.0;
        let mut given = shared.given.lock().unwrap_or_else(PoisonError::into_inner);
        let none = |batch: &mut Batch| {
            batch.records.clear();
            batch.bytes.clear();
            batch.notices.clear();
            Filled { more: false, fault: None }
        };
        loop {
            if shared.turn.load(Ordering::Relaxed) {
                return none(batch);
            }
            if let Some(filled) = given.piece(batch) {
                let mut known = shared.interfaces.lock().unwrap_or_else(PoisonError::into_inner);
                *known = Arc::clone(&batch.interfaces);
                return filled;
            }
            match given.batches.recv_timeout(LOOK) {
                Ok((batch, filled)) => given.rest = Some(Rest { batch, next: 0, filled }),
                Err(RecvTimeoutError::Timeout) if !shared.over.load(Ordering::Relaxed) => {}
                Err(_) => return none(batch),
            }
        }
    }

    fn interfaces(&self) -> Arc<[Interface]> {
        Arc::clone(&self.0.interfaces.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Given {
    /// Fills a batch with what is next of what has been read; none if nothing is left.
    fn piece(&mut self, batch: &mut Batch) -> Option<Filled> {
        let mut rest = self.rest.take()?;
        let last = rest.piece(batch);
        if !last {
            self.rest = Some(rest);
            return Some(Filled { more: true, fault: None });
        }
        // Those that are used again may be as many as there is room for.
        let _ = self.spent.try_send(rest.batch);
        Some(rest.filled)
    }
}

impl Rest {
    /// Moves the next piece into a batch; true if it is the last.
    fn piece(&mut self, batch: &mut Batch) -> bool {
        let Self { batch: from, next, .. } = self;
        let is_small = from.records.len() <= PIECE.0 && from.bytes.len() <= PIECE.1;
        if *next == 0 && is_small {
            mem::swap(batch, from);
            return true;
        }
        batch.records.clear();
        batch.bytes.clear();
        batch.notices.clear();
        batch.interfaces = Arc::clone(&from.interfaces);
        batch.first_frame = from.first_frame + *next as u64;
        let first = *next;
        for record in from.records.iter().skip(first).take(PIECE.0) {
            if batch.bytes.len() >= PIECE.1 {
                break;
            }
            let start = u32::try_from(batch.bytes.len()).unwrap_or(u32::MAX);
            batch.records.push(Record { start, ..*record });
            batch.bytes.extend_from_slice(from.data(record));
            *next += 1;
        }
        let (until, last) = (*next, *next >= from.records.len());
        let here = |notice: &&Notice| notice.before >= first && (last || notice.before < until);
        let moved = |notice: &Notice| Notice { before: notice.before - first, ..notice.clone() };
        batch.notices.extend(from.notices.iter().filter(here).map(moved));
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::notice::What;
    use crate::time::Timestamp;

    /// Gives batches of so many records each, with numbers, and a notice before each seventh.
    struct Count(usize, i64);

    const LAST: i64 = 10_000;

    impl Records for Count {
        fn fill(&mut self, batch: &mut Batch) -> Filled {
            batch.records.clear();
            batch.bytes.clear();
            batch.notices.clear();
            batch.first_frame = self.1.cast_unsigned() + 1;
            for before in 0..self.0 {
                self.1 += 1;
                let (ts, start) = (Timestamp(self.1), u32::try_from(before * 80).unwrap());
                let record = Record { ts, start, caplen: 80, len: 80, interface: 0, offset: 0 };
                batch.records.push(record);
                let number = u8::try_from(self.1 % 251).unwrap();
                batch.bytes.extend([number; 80]);
                if self.1 % 7 == 0 {
                    let (source, what) = (b"em0"[..].into(), What::Start);
                    batch.notices.push(Notice { before, ts, source, what });
                }
            }
            Filled { more: self.1 < LAST, fault: None }
        }
    }

    #[test]
    fn what_cannot_be_opened_is_told() {
        let pump = Pump::start(Box::new(|| Err("it is no capture".to_owned())), Arc::default());
        let Filled { more, .. } = pump.taker().fill(&mut Batch::default());
        assert_eq!((more, pump.wrong().as_deref()), (false, Some("it is no capture")));
    }

    #[test]
    fn takers_take_turns_and_nothing_is_lost() {
        for size in [1, 100, 5000] {
            let pump = Pump::start(Box::new(move || Ok(Box::new(Count(size, 0)))), Arc::default());
            let (mut got, mut told) = (Vec::new(), Vec::new());
            while got.len() < 10_000 {
                let mut taker = pump.taker();
                let mut batch = Batch::default();
                for n in 0.. {
                    let Filled { more, .. } = taker.fill(&mut batch);
                    assert!(batch.records.len() <= PIECE.0);
                    for (nth, record) in batch.records.iter().enumerate() {
                        let frame = batch.first_frame + nth as u64;
                        assert_eq!(record.ts.0.cast_unsigned(), frame);
                        let number = u8::try_from(frame % 251).unwrap();
                        assert_eq!(batch.data(record), [number; 80]);
                        got.push(record.ts.0);
                    }
                    let at = |notice: &Notice| batch.records[notice.before].ts;
                    assert!(batch.notices.iter().all(|notice| at(notice) == notice.ts));
                    told.extend(batch.notices.iter().map(|notice| notice.ts.0));
                    if !more {
                        break;
                    }
                    if n == 3 {
                        pump.turn();
                    }
                }
            }
            assert_eq!(got, (1..=LAST).collect::<Vec<_>>());
            assert_eq!(told, (1..=LAST).filter(|n| n % 7 == 0).collect::<Vec<_>>());
        }
    }
}
