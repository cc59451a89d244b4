//! All that belongs to one output while the feed runs: a thread a source, with its workers, a
//! queue, and the thread that delivers.

use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
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
use super::parcel::{Id, Mark, Parcel};
use super::queue::Queue;
use super::render::{Rendered, Renderer};
use super::source;
use super::state::State;
use super::supervisor::Say;
use crate::capture::remark::{Remark, What};
use crate::engine;
use crate::sink::page::Binder;
use crate::sink::site::Site;
use crate::sink::status::Kind;
use crate::text::escaped;
use crate::time::{Precision, TimeStyle};

/// How long what is in memory may take once the end was asked for.
const DRAIN: Duration = Duration::from_secs(2);
const NAP: Duration = Duration::from_millis(20);

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
    closed: bool,
    deliverer: Option<JoinHandle<io::Result<bool>>>,
    /// The checkpoint could not be written when it was last tried.
    unsaved: AtomicBool,
    say: Say,
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
    /// Starts to read and deliver.
    pub(super) fn start(plan: Plan, running: &Running<'_>) -> Result<Self, String> {
        let Plan { name, print, output, gather, format, selection, queue } = plan;
        let wrong = |error: io::Error| format!("output {name}: {error}");
        let (mut checkpoint, mut dead) = (None, None);
        if let Some(state) = running.state {
            let (opened, broken) = Checkpoint::open(&state.checkpoint(&name)).map_err(wrong)?;
            if let Some(broken) = broken {
                (running.say)(&broken);
            }
            checkpoint = Some(opened);
            dead = Some(DeadLetters::open(&state.dead_letters(&name), &name).map_err(wrong)?);
        }
        let mut sources: Vec<_> = running.sources.iter().map(Source::name).collect();
        sources.push(STREAM.to_owned());
        let places: Vec<_> = sources
            .iter()
            .map(|source| checkpoint.as_ref().and_then(|checkpoint| checkpoint.place(source)))
            .collect();
        let sequence =
            |at: usize| places.get(at).copied().flatten().map_or(1, |place| place.sequence);
        let counters = Arc::new(Counters::default());
        let queue = Arc::new(Queue::new(queue, None, Arc::clone(&counters)));
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
        };
        let deliverer = thread::spawn(move || deliverer.run());
        let failed = Arc::new(AtomicBool::new(false));
        let mut readers = Vec::new();
        for (number, source) in running.sources.iter().enumerate() {
            let site = Site {
                observer: source
                    .observer
                    .clone()
                    .unwrap_or_else(|| running.context.observer.clone()),
                internal: running.context.internal.clone(),
            };
            let reader = Reader {
                number,
                source: source.clone(),
                once: running.once,
                workers: running.workers,
                output: name.clone(),
                site: Arc::new(site),
                queue: Arc::clone(&queue),
                counters: Arc::clone(&counters),
                notices: notices.clone(),
                stop: Arc::clone(&stop),
                failed: Arc::clone(&failed),
                say: Arc::clone(running.say),
            };
            let place = places.get(number).copied().flatten();
            let selection = selection.clone();
            readers.push(thread::spawn(move || {
                let from = place.and_then(|place| place.position);
                let worker = |origin: &_| {
                    let counters = Arc::clone(&reader.counters);
                    Renderer::new(selection.clone(), format, origin, &reader.site, counters)
                };
                reader.run(from, place.map_or(1, |place| place.sequence), worker);
            }));
        }
        let (deliverer, closed, say) = (Some(deliverer), false, Arc::clone(running.say));
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
            closed,
            deliverer,
            unsaved: AtomicBool::new(false),
            say,
        })
    }

    /// Does what is to be done now and then; true if all is delivered that there will ever be.
    pub(super) fn tick(&mut self) -> bool {
        if !self.closed && self.readers.iter().all(JoinHandle::is_finished) {
            self.close();
        }
        self.save(Checkpoint::save_at_times);
        let ended = self.deliverer.as_ref().is_none_or(JoinHandle::is_finished);
        if ended && !self.closed {
            // It cannot go on: what it waits for would never be taken.
            self.stop.store(true, Ordering::Relaxed);
        }
        ended && self.closed
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

    /// Ends within a time: what is in memory is delivered, or left to the next run. True if all
    /// went well and nothing is left.
    pub(super) fn end(mut self) -> bool {
        self.ask();
        let until = Instant::now() + DRAIN;
        while !self.tick() && Instant::now() < until {
            thread::sleep(NAP);
        }
        self.give_up.store(true, Ordering::Relaxed);
        if !self.closed {
            self.close();
        }
        // A request that hangs is not waited for: what it holds is sent again by the next run.
        let until = Instant::now() + Duration::from_millis(300);
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
        } else if let Err(error) = self.queue.abandon(None) {
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

/// The thread of a source.
struct Reader {
    number: usize,
    source: Source,
    once: bool,
    workers: usize,
    output: String,
    site: Arc<Site>,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    notices: Option<Arc<Notices>>,
    stop: Arc<AtomicBool>,
    failed: Arc<AtomicBool>,
    say: Say,
}

impl Reader {
    /// Reads from a place on, until the end or the stop.
    fn run(
        &self,
        from: Option<crate::capture::follow::Position>,
        sequence: u64,
        worker: impl Fn(&crate::sink::json::Origin) -> Renderer,
    ) {
        let (say, failed, name) =
            (Arc::clone(&self.say), Arc::clone(&self.failed), self.output.clone());
        let told = (self.notices.clone(), Arc::clone(&self.counters), Arc::clone(&self.queue));
        let tell = move |remark: Remark| {
            say(&format!("output {name}: {remark}"));
            if remark.is_failure() {
                failed.store(true, Ordering::Relaxed);
            }
            if let (What::Gone, (Some(notices), counters, queue)) = (&remark.what, &told) {
                notices.tell(Kind::Loss, &remark.to_string(), counters, queue);
            }
        };
        let opened = match source::open(&self.source, from, self.once, &self.stop, tell) {
            Ok(opened) => opened,
            Err(why) => return self.fail(&why),
        };
        let workers = (0..self.workers.max(1)).map(|_| worker(&opened.origin)).collect();
        let mut binder = Binder::new(TimeStyle::None, Precision::Micros, None);
        binder.number_from(sequence);
        let (mut scratch, mut reached) = (Vec::new(), from);
        let fault = engine::run(
            opened.records,
            |_| {},
            workers,
            Some(&self.stop),
            |rendered: &mut Rendered| {
                if self.stop.load(Ordering::Relaxed) {
                    return ControlFlow::Break(());
                }
                let mut parcel = Parcel::with_room_for(rendered.page.text.len());
                binder.documents(&rendered.page, &mut scratch, |document, text| {
                    let text = text.strip_suffix(b"\n").unwrap_or(text);
                    parcel.push(Id(document.id), document.ts, text);
                });
                let moved = rendered.position.is_some() && rendered.position != reached;
                if parcel.is_empty() && !moved {
                    return ControlFlow::Continue(());
                }
                reached = rendered.position.or(reached);
                let sequence = binder.sequence();
                parcel.mark(Mark { source: self.number, position: reached, sequence });
                if self.queue.put(parcel) {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            },
        );
        if let Some(fault) = fault {
            self.fail(&fault.to_string());
        }
    }

    fn fail(&self, why: &str) {
        let name = escaped(self.source.name().as_bytes());
        (self.say)(&format!("output {}: {name}: {why}", self.output));
        self.failed.store(true, Ordering::Relaxed);
    }
}
