//! Threads: workers take turns at reading a batch, each decodes and renders what it has read, and
//! the caller's own takes the results in the order of the file.
//!
//! ```text
//!          +--> worker 0: read | work        --bounded--> \
//! source --+                                               consumer (turn by turn)
//!          +--> worker 1:        read | work --bounded--> /
//! ```
//!
//! One worker at a time has the source. What it reads lies in its own processor's cache when it
//! decodes that, and is read into the same buffer again and again. The consumer is told whose turn
//! it was, so order is kept without sorting. Outputs go round: their number is fixed, and with it
//! the memory, whatever the size of the file. A consumer that stops ends all at once: nobody waits
//! for a worker that may be waiting for its pipe.
//!
//! Up to the first records the caller's own thread reads. If these are all there are it works on
//! them too: a small file is printed in less time than threads take to begin.

#[cfg(feature = "live")]
pub mod hold;
pub mod names;
pub mod selection;

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
    let room = workers.len() * OUTPUTS_PER_WORKER;
    let (told, turns) = bounded(room);
    let known = Some(source.interfaces()).filter(|known| !known.is_empty());
    let mut feed = Feed {
        source,
        prepare,
        defrag: Defrag::default(),
        writers: Vec::new(),
        known,
        turns: told,
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
    let (recycle, free) = bounded(room);
    let begun = hands.iter().filter(|hand| hand.begun.is_some()).count();
    for _ in begun..room {
        if recycle.send(W::Output::default()).is_err() {
            break;
        }
    }
    let feed = Arc::new(Mutex::new(feed));
    let (mut outputs, mut threads) = (Vec::new(), Vec::new());
    for (number, hand) in hands.into_iter().enumerate() {
        let (results, output) = bounded(room);
        outputs.push(output);
        let (feed, free) = (Arc::clone(&feed), free.clone());
        threads.push(thread::spawn(move || turn(number, hand, &feed, &free, &results)));
    }
    // The last worker that goes ends the turns, or its outputs.
    drop((feed, free));
    while let Some(number) = next(&turns, stop) {
        let Some(mut output) = outputs.get(number).and_then(|output| next(output, stop)) else {
            break;
        };
        if consume(&mut output).is_break() {
            return None;
        }
        // The workers are gone once all is read.
        let _ = recycle.send(output);
    }
    drop(recycle);
    if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
        // A worker may be waiting for its pipe.
        return None;
    }
    threads.into_iter().filter_map(joined).last()
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
    /// What its work on this batch goes into, if that has been read for it.
    begun: Option<W::Output>,
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
    while feed.read(&mut hand.batch, &mut hand.writers) {
        if !feed.ended && !hand.batch.records.is_empty() {
            hand.begun = feed.turns.send(0).is_ok().then_some(output);
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
    number: usize,
    mut hand: Hand<W>,
    feed: &Mutex<Feed<impl Records, impl FnMut(&mut Batch)>>,
    free: &Receiver<W::Output>,
    results: &Sender<W::Output>,
) -> Option<Fault> {
    // Whose turn it is has an output.
    while let Some(mut output) = hand.begun.take().or_else(|| {
        let output = free.recv().ok()?;
        // A panic of another worker's goes on in the consumer's thread.
        let mut feed = feed.lock().ok()?;
        let read = feed.read(&mut hand.batch, &mut hand.writers);
        (read && feed.turns.send(number).is_ok()).then_some(output)
    }) {
        hand.worker.work(&hand.batch, &hand.writers, &mut output);
        if results.send(output).is_err() {
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
    /// Whose the batches are, in their order.
    turns: Sender<usize>,
    ended: bool,
    fault: Option<Fault>,
}

impl<S: Records, P: FnMut(&mut Batch)> Feed<S, P> {
    /// Reads a batch; false if there is none.
    fn read(&mut self, batch: &mut Batch, writers: &mut Vec<Writer>) -> bool {
        if self.ended {
            return false;
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
        true
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
