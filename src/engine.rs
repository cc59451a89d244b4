//! Threads: one reads batches, workers decode and render them side by side, and the caller's
//! own takes the results in the order of the file.
//!
//! ```text
//! reader --bounded--> worker 0 --bounded--> \
//!        --bounded--> worker 1 --bounded-->  consumer (turn by turn) --bounded--> reader
//! ```
//!
//! Batch number n goes to worker n mod w and its result is taken from there, so order is kept
//! without sorting. Batches go round: their number is fixed, and with it the memory, whatever
//! the size of the file. A consumer that stops ends all at once: nobody waits for a reader that
//! may be waiting for its pipe.

#[cfg(feature = "live")]
pub mod hold;
pub mod names;
pub mod selection;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::capture::defrag::Defrag;
use crate::capture::fault::Fault;
use crate::capture::file::Filled;
use crate::capture::{Batch, Records};
use crate::wire::link::LinkType;
use crate::wire::writer::Writer;

/// Batches on their way for each worker: one in its hands, one waiting, one being read.
const BATCHES_PER_WORKER: usize = 3;

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

/// What goes round.
struct Job<O> {
    batch: Batch,
    writers: Vec<Writer>,
    output: O,
}

/// Runs a source through the workers. The first batch is empty: it tells the interfaces that are
/// known before any record comes. `prepare` sees every batch before them, in order.
/// A `stop` that becomes true while nothing comes ends the run too. `consume` gets the outputs in order, and ends the run by
/// `Break`. What was wrong with the source comes back, unless the run ended before that.
pub fn run<W: Work>(
    source: impl Records,
    prepare: impl FnMut(&mut Batch) + Send + 'static,
    workers: Vec<W>,
    stop: Option<&AtomicBool>,
    mut consume: impl FnMut(&mut W::Output) -> ControlFlow<()>,
) -> Option<Fault> {
    let count = workers.len().max(1);
    let (recycle, free) = bounded(count * BATCHES_PER_WORKER);
    for _ in 0..count * BATCHES_PER_WORKER {
        let job =
            Job { batch: Batch::default(), writers: Vec::new(), output: W::Output::default() };
        if recycle.send(job).is_err() {
            break;
        }
    }
    let (mut inputs, mut outputs, mut threads) = (Vec::new(), Vec::new(), Vec::new());
    for worker in workers {
        let (input, jobs) = bounded(BATCHES_PER_WORKER);
        let (results, output) = bounded(BATCHES_PER_WORKER);
        inputs.push(input);
        outputs.push(output);
        threads.push(thread::spawn(move || turn(worker, &jobs, &results)));
    }
    let reader = thread::spawn(move || read(source, prepare, &free, &inputs));
    for output in outputs.iter().cycle() {
        let Some(mut job) = next(output, stop) else { break };
        if consume(&mut job.output).is_break() {
            return None;
        }
        // The reader is gone once it has read all.
        let _ = recycle.send(job);
    }
    drop(recycle);
    if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
        // The reader may be waiting for its pipe.
        return None;
    }
    let fault = joined(reader);
    threads.into_iter().for_each(joined);
    fault
}

/// The next result, unless there is none any more or the run is to stop.
fn next<T>(output: &Receiver<T>, stop: Option<&AtomicBool>) -> Option<T> {
    let Some(stop) = stop else { return output.recv().ok() };
    loop {
        match output.recv_timeout(STOP_WAIT) {
            Ok(job) => return Some(job),
            Err(RecvTimeoutError::Timeout) if !stop.load(Ordering::Relaxed) => {}
            Err(_) => return None,
        }
    }
}

/// What a thread came to; its panic goes on in this one.
fn joined<T>(thread: thread::JoinHandle<T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn turn<W: Work>(mut worker: W, jobs: &Receiver<Job<W::Output>>, results: &Sender<Job<W::Output>>) {
    for mut job in jobs {
        worker.work(&job.batch, &job.writers, &mut job.output);
        if results.send(job).is_err() {
            break;
        }
    }
}

fn read<O>(
    mut source: impl Records,
    mut prepare: impl FnMut(&mut Batch),
    free: &Receiver<Job<O>>,
    inputs: &[Sender<Job<O>>],
) -> Option<Fault> {
    let (mut writers, mut defrag) = (Vec::new(), Defrag::default());
    let mut known = Some(source.interfaces()).filter(|known| !known.is_empty());
    for input in inputs.iter().cycle() {
        let Ok(mut job) = free.recv() else { break };
        let Filled { more, fault } = match known.take() {
            Some(interfaces) => {
                job.batch.interfaces = interfaces;
                Filled { more: true, fault: None }
            }
            None => source.fill(&mut job.batch),
        };
        defrag.join(&mut job.batch);
        prepare(&mut job.batch);
        observe(&job.batch, &mut writers);
        job.writers.clone_from(&writers);
        if input.send(job).is_err() || !more {
            return fault;
        }
    }
    None
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
