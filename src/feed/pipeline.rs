//! All that belongs to one output while the feed runs: a thread a file, with its workers, the
//! streams of what is read for all outputs, a queue, and the thread that delivers.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::book::Book;
use super::build::{Context, Plan};
use super::checkpoint::Checkpoint;
use super::config::Source;
use super::counters::Counters;
use super::dead::DeadLetters;
use super::deliver::Deliverer;
use super::notice::{Notices, STREAM};
use super::queue::Queue;
use super::reader::Reader;
use super::render::{Branch, Renderer};
use super::spool::Spool;
use super::state::State;
use super::stream::Stream;
use super::supervisor::Say;
use crate::engine::selection::Selection;
use crate::filter::Filter;
use crate::ipsec;
use crate::sink::status::Kind;

/// How long what is in memory may take once the end was asked for.
pub(super) const DRAIN: Duration = Duration::from_millis(1100);
/// How long a request that was sent by then may take.
const LAST: Duration = Duration::from_millis(300);
const NAP: Duration = Duration::from_millis(20);
/// How often the spool is looked after, and losses of it told.
const KEEP: Duration = Duration::from_millis(500);

/// The pipeline of an output.
pub(super) struct Pipeline {
    pub(super) name: String,
    pub(super) print: String,
    pub(super) counters: Arc<Counters>,
    /// Something could not be read or kept.
    failed: Arc<AtomicBool>,
    notices: Option<Arc<Notices>>,
    checkpoint: Option<Arc<Mutex<Checkpoint>>>,
    queue: Arc<Queue>,
    stop: Arc<AtomicBool>,
    give_up: Arc<AtomicBool>,
    readers: Vec<JoinHandle<()>>,
    /// Of each source that is read for all outputs.
    streams: Vec<(String, Arc<Stream>)>,
    closed: bool,
    deliverer: Option<JoinHandle<io::Result<bool>>>,
    /// The checkpoint could not be written when it was last tried.
    unsaved: AtomicBool,
    /// When the spool was last looked after, and whether that failed.
    kept: Instant,
    unkept: bool,
    /// Events lost for want of room that the output has been told of.
    told: u64,
    say: Say,
    /// The daemon that knows the tunnels of the selection.
    _live: Option<ipsec::Live>,
}

/// How pipelines run.
pub(super) struct Running<'a> {
    pub(super) sources: &'a [Source],
    pub(super) context: &'a Context,
    pub(super) state: Option<&'a State>,
    pub(super) once: bool,
    pub(super) notices: bool,
    /// Workers of each source.
    pub(super) workers: usize,
    pub(super) say: &'a Say,
}

impl Pipeline {
    /// Starts to read files and to deliver.
    pub(super) fn start(plan: Plan, running: &Running<'_>) -> Result<Self, String> {
        let Plan { name, print, output, gather, format, selection, queue, spool, live } = plan;
        let wrong = |error: io::Error| format!("output {name}: {error}");
        let mut sources: Vec<_> = running.sources.iter().map(Source::name).collect();
        sources.push(STREAM.to_owned());
        let (mut checkpoint, mut dead, mut waiting) = (None, None, None);
        if let Some(state) = running.state {
            let (opened, broken) = Checkpoint::open(&state.checkpoint(&name)).map_err(wrong)?;
            if let Some(broken) = broken {
                (running.say)(&broken);
            }
            checkpoint = Some(opened);
            dead = Some(DeadLetters::open(&state.dead_letters(&name), &name).map_err(wrong)?);
            let folder = state.spool(&name);
            // What another configuration has left there is delivered, too.
            if running.sources.iter().any(Source::is_shared) || folder.exists() {
                let opened = Spool::open(&folder, spool, sources.clone());
                waiting = Some(opened.map_err(|error| format!("output {name}: spool: {error}"))?);
            }
        }
        let counters = Arc::new(Counters::default());
        let queue = Arc::new(Queue::new(queue, waiting, Arc::clone(&counters)));
        let places: Vec<_> = sources
            .iter()
            .map(|source| checkpoint.as_ref().and_then(|checkpoint| checkpoint.place(source)))
            .collect();
        let place = |at: usize| places.get(at).copied().flatten();
        let sequence = |at: usize| {
            let spooled = sources.get(at).and_then(|source| queue.sequence(source));
            spooled.max(place(at).map(|place| place.sequence)).unwrap_or(1)
        };
        let (stop, give_up) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let notices = running.notices.then(|| {
            let source = running.sources.len();
            let next = Mutex::new(sequence(source));
            let observer = running.context.observer.clone();
            Arc::new(Notices { format, observer, output: name.clone(), source, next })
        });
        if let Some(notices) = &notices {
            notices.tell(Kind::Start, "begins", &counters, &queue);
        }
        let (failed, mut readers, mut streams) = (Arc::default(), Vec::new(), Vec::new());
        for (number, source) in running.sources.iter().enumerate() {
            if source.is_shared() {
                let stream = Stream {
                    output: name.clone(),
                    number,
                    format,
                    filter: selection.filter.clone(),
                    next: AtomicU64::new(sequence(number)),
                    waits: source.is_stdin(),
                    queue: Arc::clone(&queue),
                    counters: Arc::clone(&counters),
                    troubled: AtomicBool::new(false),
                    say: Arc::clone(running.say),
                };
                streams.push((source.name(), Arc::new(stream)));
                continue;
            }
            let site = Arc::new(running.context.site(source));
            let reader = Reader {
                number,
                source: source.clone(),
                once: running.once,
                workers: running.workers,
                output: name.clone(),
                queue: Arc::clone(&queue),
                counters: Arc::clone(&counters),
                notices: notices.clone(),
                stop: Arc::clone(&stop),
                failed: Arc::clone(&failed),
                say: Arc::clone(running.say),
            };
            let (place, sequence, selection) = (place(number), sequence(number), selection.clone());
            readers.push(thread::spawn(move || {
                let from = place.and_then(|place| place.position);
                let all = Selection { filter: Filter::default(), ..selection.clone() };
                let worker = |origin: &_| {
                    let counters = Arc::clone(&reader.counters);
                    let filter = &selection.filter;
                    let branch = Branch::new(filter, format, origin, &site, counters);
                    Renderer::new(all.clone(), vec![branch])
                };
                reader.run(from, sequence, worker);
            }));
        }
        let checkpoint = checkpoint.map(|checkpoint| Arc::new(Mutex::new(checkpoint)));
        let ledger = Book {
            output: name.clone(),
            sources,
            checkpoint: checkpoint.clone(),
            dead,
            give_up: Arc::clone(&give_up),
            told: false,
            say: Arc::clone(running.say),
        };
        let deliverer = Deliverer {
            output,
            queue: Arc::clone(&queue),
            counters: Arc::clone(&counters),
            gather,
            ledger,
            give_up: Arc::clone(&give_up),
            troubled: false,
        };
        let deliverer = Some(thread::spawn(move || deliverer.run()));
        Ok(Self {
            name,
            print,
            counters,
            failed,
            notices,
            checkpoint,
            queue,
            stop,
            give_up,
            readers,
            streams,
            closed: false,
            deliverer,
            unsaved: AtomicBool::new(false),
            kept: Instant::now(),
            unkept: false,
            told: 0,
            say: Arc::clone(running.say),
            _live: live,
        })
    }

    /// Its stream of a source that is read for all outputs.
    pub(super) fn stream(&self, source: &str) -> Option<Arc<Stream>> {
        let stream = self.streams.iter().find(|(name, _)| name == source);
        stream.map(|(_, stream)| Arc::clone(stream))
    }

    /// Does what is to be done now and then; true if all is delivered that there will ever be.
    /// `ended`: nothing comes any more of what is read for all outputs.
    pub(super) fn tick(&mut self, ended: bool) -> bool {
        if !self.closed && ended && self.readers.iter().all(JoinHandle::is_finished) {
            self.close();
        }
        self.save(Checkpoint::save_at_times);
        if self.kept.elapsed() >= KEEP {
            self.kept = Instant::now();
            self.keep();
        }
        let ended = self.deliverer.as_ref().is_none_or(JoinHandle::is_finished);
        if ended && !self.closed {
            // It cannot go on: what it waits for would never be taken.
            self.stop.store(true, Ordering::Relaxed);
        }
        ended && self.closed
    }

    /// Looks after the spool, and tells the output what was lost of it since the last time.
    fn keep(&mut self) {
        let kept = self.queue.keep();
        if let (Err(error), false) = (&kept, self.unkept) {
            (self.say)(&format!(
                "output {}: spool: what is delivered cannot be written down: {error}",
                self.name
            ));
        }
        self.unkept = kept.is_err();
        let dropped = self.counters.dropped.get();
        if let (Some(notices), false) = (&self.notices, self.closed)
            && dropped > self.told
        {
            let lost = dropped - self.told;
            let events = if lost == 1 { "event was" } else { "events were" };
            let message = format!("{lost} {events} lost: no room was left for what waits");
            if notices.tell(Kind::Loss, &message, &self.counters, &self.queue) {
                self.told = dropped;
            }
        }
    }

    /// Sends a heartbeat.
    pub(super) fn beat(&self) {
        if let (Some(notices), false) = (&self.notices, self.closed) {
            let trouble = self.counters.trouble();
            let message = trouble.map_or_else(|| "works".to_owned(), |why| format!("waits: {why}"));
            notices.tell(Kind::Heartbeat, &message, &self.counters, &self.queue);
        }
    }

    fn close(&mut self) {
        if let Some(notices) = &self.notices {
            notices.tell(Kind::Stop, "ends", &self.counters, &self.queue);
        }
        self.queue.close();
        self.closed = true;
    }

    fn save(&self, save: fn(&mut Checkpoint) -> io::Result<()>) {
        let Some(checkpoint) = &self.checkpoint else { return };
        let saved = save(&mut checkpoint.lock().unwrap_or_else(PoisonError::into_inner));
        let unsaved = saved.is_err();
        if let Err(error) = saved
            && !self.unsaved.swap(true, Ordering::Relaxed)
        {
            (self.say)(&format!(
                "output {}: the checkpoint cannot be written: {error}; what is delivered meanwhile \
                 is delivered again after an end",
                self.name
            ));
        }
        self.unsaved.store(unsaved, Ordering::Relaxed);
    }

    /// Asks the sources to end.
    pub(super) fn ask(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Ends by a time, or a little later: what waits is delivered, or left to the next run. True if
    /// all went well and nothing is left.
    pub(super) fn end(mut self, until: Instant) -> bool {
        self.ask();
        while !self.tick(true) && Instant::now() < until {
            thread::sleep(NAP);
        }
        self.give_up.store(true, Ordering::Relaxed);
        if !self.closed {
            self.close();
        }
        // A request that hangs is not waited for: what it holds is sent again by the next run.
        let until = Instant::now() + LAST;
        while self.deliverer.as_ref().is_some_and(|thread| !thread.is_finished())
            && Instant::now() < until
        {
            thread::sleep(NAP);
        }
        let mut whole = false;
        if let Some(deliverer) = self.deliverer.take_if(|thread| thread.is_finished()) {
            match deliverer.join() {
                Ok(Ok(all)) => whole = all,
                Ok(Err(error)) => (self.say)(&format!("output {}: {error}", self.name)),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        } else if let Err(error) = self.queue.abandon() {
            (self.say)(&format!("output {}: {error}", self.name));
        }
        for reader in self.readers.drain(..) {
            if reader.is_finished()
                && let Err(panic) = reader.join()
            {
                std::panic::resume_unwind(panic);
            }
        }
        self.save(Checkpoint::save);
        let refused = self.counters.refused.get() + self.counters.dropped.get();
        whole
            && refused == 0
            && !self.failed.load(Ordering::Relaxed)
            && !self.unsaved.load(Ordering::Relaxed)
    }
}
