//! Threads: workers take turns at reading a batch, each decodes and renders what it has read, and
//! the caller's own takes the results in the order of the file.
//!
//! ```text
//!          +--> worker 0: read | work        --\
//! source --+                                    +--bounded--> consumer (in order)
//!          +--> worker 1:        read | work --/
//! ```
//!
//! One worker at a time has the source. What it reads lies in its own processor's cache when it
//! decodes that, and is read into the same buffer again and again. Batches are numbered as they are
//! read; the consumer keeps back what comes before its turn, and is woken once for each. Outputs go
//! round, each back to the worker whose processor's cache may still have it: their number is fixed,
//! and with it the memory, whatever the size of the file. A consumer that stops ends all at once:
//! nobody waits for a worker that may be waiting for its pipe.
//!
//! Up to the first records the caller's own thread reads. If these are all there are it works on
//! them too: a small file is printed in less time than threads take to begin.

#[cfg(feature = "live")]
pub mod hold;
pub mod names;
pub mod selection;

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::capture::defrag::Defrag;
use crate::capture::fault::Fault;
use crate::capture::file::Filled;
use crate::capture::{Batch, Interface, Records};
use crate::wire::link::LinkType;
use crate::wire::writer::Writer;

/// Outputs for each worker: one in its hands, others on their way to the consumer and back.
const OUTPUTS_PER_WORKER: usize = 3;

/// How long a wait for results lasts before the stop flag is looked at.
const STOP_WAIT: Duration = Duration::from_millis(200);

/// What a worker does with a batch.
pub trait Work: Send + 'static {
    /// What it makes of it; kept and used again for a later batch.
    type Output: Default + Send + 'static;

    /// Turns a batch into output. `writers` has, for each interface of the batch, what the
    /// records up to the batch's last have shown of the machine that wrote them.
    fn work(&mut self, batch: &Batch, writers: &[Writer], output: &mut Self::Output);
}

/// Runs a source through the workers. The first batch is empty: it tells the interfaces that are
/// known before any record comes. `prepare` sees every batch before them, in order.
/// A `stop` that becomes true while nothing comes ends the run too. `consume` gets the outputs in
/// order, and ends the run by `Break`. What was wrong with the source comes back, unless the run
/// ended before that.
pub fn run<W: Work>(
    source: impl Records,
    prepare: impl FnMut(&mut Batch) + Send + 'static,
    workers: Vec<W>,
    stop: Option<&AtomicBool>,
    mut consume: impl FnMut(&mut W::Output) -> ControlFlow<()>,
) -> Option<Fault> {
    let known = Some(source.interfaces()).filter(|known| !known.is_empty());
    let mut feed = Feed {
        source,
        prepare,
        defrag: Defrag::default(),
        writers: Vec::new(),
        known,
        batches: 0,
        ended: false,
        fault: None,
    };
    let mut hands: Vec<_> = workers.into_iter().map(Hand::new).collect();
    // A source may make its reader wait, who then sees no flag.
    if stop.is_none()
        && let Some(hand) = hands.first_mut()
        && let ControlFlow::Break(fault) = begin(hand, &mut feed, &mut consume)
    {
        return fault;
    }
    let begun = hands.iter().find_map(|hand| hand.begun.as_ref());
    let mut order = Order { turn: begun.map_or(0, |&(nth, _)| nth), early: VecDeque::new() };
    let (promised, results) = bounded(hands.len() * OUTPUTS_PER_WORKER);
    let feed = Arc::new(Mutex::new(feed));
    let (mut recycles, mut threads) = (Vec::new(), Vec::new());
    for (worker, hand) in hands.into_iter().enumerate() {
        let (recycle, free) = bounded(OUTPUTS_PER_WORKER);
        for _ in usize::from(hand.begun.is_some())..OUTPUTS_PER_WORKER {
            if recycle.send(W::Output::default()).is_err() {
                break;
            }
        }
        recycles.push(recycle);
        let (feed, promised) = (Arc::clone(&feed), promised.clone());
        threads.push(thread::spawn(move || turn(worker, hand, &feed, &free, &promised)));
    }
    // The last worker that goes ends the results.
    drop((feed, promised));
    'all: while let Some(result) = next(&results, stop) {
        order.put(result);
        while let Some(Done { worker, output, .. }) = order.next() {
            // Its worker has panicked.
            let Some(mut output) = output else { break 'all };
            if consume(&mut output).is_break() {
                return None;
            }
            // The workers are gone once all is read.
            let _ = recycles.get(worker).map(|recycle| recycle.send(output));
        }
    }
    drop((recycles, results));
    if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
        // A worker may be waiting for its pipe.
        return None;
    }
    threads.into_iter().filter_map(joined).last()
}

/// What a worker came to.
struct Done<O> {
    /// Which batch it was, in the order of the source.
    nth: u64,
    /// Whose output it is.
    worker: usize,
    /// None if the worker panicked.
    output: Option<O>,
}

/// Gives results in the order of the source.
struct Order<O> {
    /// The batch that is next.
    turn: u64,
    /// Results from that one on, as far as they came: never more than there are outputs.
    early: VecDeque<Option<Done<O>>>,
}

impl<O> Order<O> {
    fn put(&mut self, done: Done<O>) {
        let at = usize::try_from(done.nth.saturating_sub(self.turn)).unwrap_or_default();
        if self.early.len() <= at {
            self.early.resize_with(at.saturating_add(1), || None);
        }
        if let Some(place) = self.early.get_mut(at) {
            *place = Some(done);
        }
    }

    fn next(&mut self) -> Option<Done<O>> {
        let done = self.early.front_mut()?.take()?;
        self.early.pop_front();
        self.turn += 1;
        Some(done)
    }
}

/// What a worker owes for a batch that it took: its output, or word of its panic, without which
/// those behind it would be waited with for ever.
struct Promise<'a, O> {
    done: Option<Done<O>>,
    to: &'a Sender<Done<O>>,
}

impl<O> Promise<'_, O> {
    /// Sends the output; false if the run has ended.
    fn keep(mut self, output: O) -> bool {
        let done = self.done.take();
        done.is_some_and(|done| self.to.send(Done { output: Some(output), ..done }).is_ok())
    }
}

impl<O> Drop for Promise<'_, O> {
    fn drop(&mut self) {
        if let Some(done) = self.done.take() {
            let _ = self.to.send(done);
        }
    }
}

/// The next one, unless there is none any more or the run is to stop.
fn next<T>(channel: &Receiver<T>, stop: Option<&AtomicBool>) -> Option<T> {
    let Some(stop) = stop else { return channel.recv().ok() };
    loop {
        match channel.recv_timeout(STOP_WAIT) {
            Ok(one) => return Some(one),
            Err(RecvTimeoutError::Timeout) if !stop.load(Ordering::Relaxed) => {}
            Err(_) => return None,
        }
    }
}

/// What a thread came to; its panic goes on in this one.
fn joined<T>(thread: thread::JoinHandle<T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// A worker, and what it reads into.
struct Hand<W: Work> {
    worker: W,
    batch: Batch,
    writers: Vec<Writer>,
    /// The batch's number, and what the work on it goes into, if that has been read for it.
    begun: Option<(u64, W::Output)>,
}

impl<W: Work> Hand<W> {
    fn new(worker: W) -> Self {
        Self { worker, batch: Batch::default(), writers: Vec::new(), begun: None }
    }
}

/// Reads up to the first records, on the caller's thread. `Break`, with what was wrong with the
/// source, if that was the whole run; else it is the first worker's turn.
fn begin<W: Work>(
    hand: &mut Hand<W>,
    feed: &mut Feed<impl Records, impl FnMut(&mut Batch)>,
    mut consume: impl FnMut(&mut W::Output) -> ControlFlow<()>,
) -> ControlFlow<Option<Fault>> {
    let mut output = W::Output::default();
    while let Some(nth) = feed.read(&mut hand.batch, &mut hand.writers) {
        if !feed.ended && !hand.batch.records.is_empty() {
            hand.begun = Some((nth, output));
            return ControlFlow::Continue(());
        }
        hand.worker.work(&hand.batch, &hand.writers, &mut output);
        if consume(&mut output).is_break() {
            return ControlFlow::Break(None);
        }
    }
    ControlFlow::Break(feed.fault.take())
}

/// A worker's thread. Gives what was wrong with the source, if nobody has yet.
fn turn<W: Work>(
    worker: usize,
    mut hand: Hand<W>,
    feed: &Mutex<Feed<impl Records, impl FnMut(&mut Batch)>>,
    free: &Receiver<W::Output>,
    to: &Sender<Done<W::Output>>,
) -> Option<Fault> {
    // The output that came back last is taken first: its memory is in the cache, if any's is.
    let mut back = Vec::with_capacity(OUTPUTS_PER_WORKER);
    // Whose turn it is has an output.
    while let Some((nth, mut output)) = hand.begun.take().or_else(|| {
        back.extend(free.try_iter());
        let output = back.pop().or_else(|| free.recv().ok())?;
        // A panic of another worker's goes on in the consumer's thread.
        let mut feed = feed.lock().ok()?;
        Some((feed.read(&mut hand.batch, &mut hand.writers)?, output))
    }) {
        let promise = Promise { done: Some(Done { nth, worker, output: None }), to };
        hand.worker.work(&hand.batch, &hand.writers, &mut output);
        if !promise.keep(output) {
            break;
        }
    }
    feed.lock().ok()?.fault.take()
}

/// A source, and what is known of it after its last batch.
struct Feed<S, P> {
    source: S,
    prepare: P,
    defrag: Defrag,
    writers: Vec<Writer>,
    /// Interfaces to be told before any record.
    known: Option<Arc<[Interface]>>,
    /// How many have been read.
    batches: u64,
    ended: bool,
    fault: Option<Fault>,
}

impl<S: Records, P: FnMut(&mut Batch)> Feed<S, P> {
    /// Reads a batch and gives its number, from 0; none if there is no batch.
    fn read(&mut self, batch: &mut Batch, writers: &mut Vec<Writer>) -> Option<u64> {
        if self.ended {
            return None;
        }
        let Filled { more, fault } = match self.known.take() {
            Some(interfaces) => {
                batch.interfaces = interfaces;
                Filled { more: true, fault: None }
            }
            None => self.source.fill(batch),
        };
        (self.ended, self.fault) = (!more, fault);
        self.defrag.join(batch);
        (self.prepare)(batch);
        observe(batch, &mut self.writers);
        writers.clone_from(&self.writers);
        let nth = self.batches;
        self.batches += 1;
        Some(nth)
    }
}

/// Learns from the records which machine wrote them.
fn observe(batch: &Batch, writers: &mut Vec<Writer>) {
    let known = writers.len();
    let new = batch.interfaces.iter().skip(known);
    writers.extend(new.map(|interface| Writer::new(interface.order)));
    let logs = |link| matches!(link, LinkType::PFLOG | LinkType::OLD_PFLOG);
    if !batch.interfaces.iter().any(|interface| logs(interface.link)) {
        return;
    }
    for record in &batch.records {
        let at = record.interface as usize;
        let (Some(interface), Some(writer)) = (batch.interfaces.get(at), writers.get_mut(at))
        else {
            continue;
        };
        let data = batch.data(record);
        match interface.link {
            LinkType::PFLOG if !writer.is_settled(data) => writer.observe(data),
            LinkType::OLD_PFLOG => writer.observe_old(data),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::capture::Record;
    use crate::time::Timestamp;

    /// As many batches of one record each, told apart by the record's length on the wire.
    struct Numbers(std::ops::Range<u32>);

    impl Records for Numbers {
        fn fill(&mut self, batch: &mut Batch) -> Filled {
            batch.records.clear();
            let (ts, start, caplen, interface, offset) = (Timestamp::default(), 0, 0, 0, 0);
            let record = |len| Record { ts, start, caplen, len, interface, offset };
            batch.records.extend(self.0.next().map(record));
            Filled { more: !self.0.is_empty(), fault: None }
        }
    }

    /// Gives a record's length back, sooner or later.
    struct Late {
        panics_at: u32,
    }

    impl Work for Late {
        type Output = Option<u32>;

        fn work(&mut self, batch: &Batch, _: &[Writer], output: &mut Self::Output) {
            *output = batch.records.first().map(|record| record.len);
            let n = output.unwrap_or_default();
            assert!(n != self.panics_at, "as it was asked to");
            thread::sleep(Duration::from_micros(u64::from(n * 7919 % 300)));
        }
    }

    fn through(workers: u32, panics_at: u32, most: usize) -> Vec<u32> {
        let mut seen = Vec::new();
        let workers = (0..workers).map(|_| Late { panics_at }).collect();
        let fault = run(
            Numbers(0..1000),
            |_| (),
            workers,
            None,
            |output| {
                seen.extend(output.take());
                if seen.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            },
        );
        assert!(fault.is_none());
        seen
    }

    #[test]
    fn what_is_done_in_any_order_comes_in_that_of_the_source() {
        for workers in [1, 2, 7] {
            assert!(through(workers, u32::MAX, 1000).into_iter().eq(0..1000), "{workers} workers");
            assert!(through(workers, u32::MAX, 300).into_iter().eq(0..300), "{workers} workers");
        }
    }

    #[test]
    fn a_worker_that_panics_ends_the_run() {
        for workers in [1, 2, 7] {
            let run = || through(workers, 500, 1000);
            assert!(catch_unwind(AssertUnwindSafe(run)).is_err(), "{workers} workers");
        }
    }
}
