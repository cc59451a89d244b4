//! Reading ahead: a source goes on reading on a thread of its own while its batches are held.
//!
//! So much is read ahead and no more; then the kernel's buffer has to hold what comes.

use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::file::Filled;
use super::{Batch, Records};

/// Batches that are read ahead. One of a device holds what came at once, up to some 256 KiB.
const AHEAD: usize = 64;

/// A source whose batches are read ahead.
#[derive(Debug)]
pub struct Ahead {
    full: Receiver<(Batch, Filled)>,
    free: Sender<Batch>,
}

impl Ahead {
    /// Starts reading.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn new(mut source: impl Records) -> std::io::Result<Self> {
        let (send, full) = bounded(AHEAD);
        let (free, empty) = bounded::<Batch>(AHEAD);
        thread::Builder::new().name("ahead".to_owned()).spawn(move || {
            loop {
                let mut batch = empty.try_recv().unwrap_or_default();
                let filled = source.fill(&mut batch);
                let more = filled.more;
                if send.send((batch, filled)).is_err() || !more {
                    return;
                }
            }
        })?;
        Ok(Self { full, free })
    }
}

impl Records for Ahead {
    fn fill(&mut self, batch: &mut Batch) -> Filled {
        let Ok((next, filled)) = self.full.recv() else {
            batch.records.clear();
            return Filled { more: false, fault: None };
        };
        let used = std::mem::replace(batch, next);
        // What there is no room for is freed.
        let _ = self.free.try_send(used);
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    struct Counting(Arc<AtomicUsize>, usize);

    impl Records for Counting {
        fn fill(&mut self, batch: &mut Batch) -> Filled {
            let count = self.0.fetch_add(1, Ordering::SeqCst);
            batch.first_frame = count as u64;
            Filled { more: count + 1 < self.1, fault: None }
        }
    }

    #[test]
    fn a_source_is_read_while_nobody_takes_it_and_not_without_bound() {
        let count = Arc::new(AtomicUsize::new(0));
        let mut ahead = Ahead::new(Counting(Arc::clone(&count), 200)).unwrap();
        while count.load(Ordering::SeqCst) < AHEAD {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(50));
        assert!(count.load(Ordering::SeqCst) <= AHEAD + 1);
        let mut batch = Batch::default();
        for expected in 0..200 {
            let filled = ahead.fill(&mut batch);
            assert_eq!((batch.first_frame, filled.more), (expected, expected < 199));
        }
        assert!(!ahead.fill(&mut batch).more, "a source that has ended stays so");
    }
}
