//! A thread that reads a source on, whoever takes what it reads: so those who render it can be
//! changed without a record being lost.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::capture::file::Filled;
use crate::capture::{Batch, Interface, Records};

/// How long a wait lasts before it is looked who takes the next.
const LOOK: Duration = Duration::from_millis(100);

/// What a source gives, for one taker after the other.
#[derive(Clone)]
pub(super) struct Pump(Arc<Shared>);

struct Shared {
    batches: Mutex<Receiver<(Batch, Filled)>>,
    /// Batches for use again.
    spent: SyncSender<Batch>,
    /// Those of the last batch.
    interfaces: Mutex<Arc<[Interface]>>,
    /// Who takes it now is to end.
    turn: AtomicBool,
    /// What has not come by now is not waited for.
    over: AtomicBool,
}

impl Pump {
    /// Begins to read.
    pub(super) fn start(mut source: impl Records) -> Self {
        let (sender, batches) = sync_channel(1);
        let (spent, free) = sync_channel(4);
        let shared = Shared {
            batches: Mutex::new(batches),
            spent,
            interfaces: Mutex::new(source.interfaces()),
            turn: AtomicBool::new(false),
            over: AtomicBool::new(false),
        };
        thread::spawn(move || {
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
        Self(Arc::new(shared))
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

    /// True once its end was asked for.
    pub(super) fn is_over(&self) -> bool {
        self.0.over.load(Ordering::Relaxed)
    }
}

impl Records for Pump {
    fn fill(&mut self, batch: &mut Batch) -> Filled {
        let shared = &*self.0;
        let batches = shared.batches.lock().unwrap_or_else(PoisonError::into_inner);
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
            match batches.recv_timeout(LOOK) {
                Ok((filled, Filled { more, fault })) => {
                    // It may have room for as many batches as there are.
                    let _ = shared.spent.try_send(mem::replace(batch, filled));
                    let mut known =
                        shared.interfaces.lock().unwrap_or_else(PoisonError::into_inner);
                    *known = Arc::clone(&batch.interfaces);
                    return Filled { more, fault };
                }
                Err(RecvTimeoutError::Timeout) if !self.is_over() => {}
                Err(_) => return none(batch),
            }
        }
    }

    fn interfaces(&self) -> Arc<[Interface]> {
        Arc::clone(&self.0.interfaces.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Record;
    use crate::time::Timestamp;

    /// Gives a record with each number.
    struct Count(i64);

    impl Records for Count {
        fn fill(&mut self, batch: &mut Batch) -> Filled {
            batch.records.clear();
            self.0 += 1;
            let ts = Timestamp(self.0);
            batch.records.push(Record { ts, start: 0, caplen: 0, len: 0, interface: 0, offset: 0 });
            Filled { more: self.0 < 100, fault: None }
        }
    }

    #[test]
    fn takers_take_turns_and_nothing_is_lost() {
        let pump = Pump::start(Count(0));
        let mut got = Vec::new();
        while got.len() < 100 {
            let mut taker = pump.taker();
            let mut batch = Batch::default();
            for n in 0.. {
                let Filled { more, .. } = taker.fill(&mut batch);
                got.extend(batch.records.iter().map(|record| record.ts.0));
                if !more {
                    break;
                }
                if n == 6 {
                    pump.turn();
                }
            }
        }
        assert_eq!(got, (1..=100).collect::<Vec<_>>());
    }
}
