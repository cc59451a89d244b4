//! The thread that reads a file for an output, from where the output left it.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::config::Source;
use super::counters::Counters;
use super::notice::Notices;
use super::parcel::{Id, Mark, Parcel};
use super::queue::Queue;
use super::render::{Rendered, Renderer};
use super::source;
use super::supervisor::Say;
use crate::capture::follow::Position;
use crate::capture::remark::{Remark, What};
use crate::engine;
use crate::sink::json::Origin;
use crate::sink::page::{Binder, Page};
use crate::sink::status::Kind;
use crate::text::escaped;
use crate::time::{Precision, TimeStyle};

/// A file that is read for an output.
pub(super) struct Reader {
    pub(super) number: usize,
    pub(super) source: Source,
    pub(super) once: bool,
    pub(super) workers: usize,
    pub(super) output: String,
    pub(super) queue: Arc<Queue>,
    pub(super) counters: Arc<Counters>,
    pub(super) notices: Option<Arc<Notices>>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) failed: Arc<AtomicBool>,
    pub(super) say: Say,
}

impl Reader {
    /// Reads from a place on, until the end or the stop.
    pub(super) fn run(
        &self,
        from: Option<Position>,
        sequence: u64,
        worker: impl Fn(&Origin) -> Renderer,
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
        let mut binder = binder(sequence);
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
                let Some(page) = rendered.pages.first() else { return ControlFlow::Continue(()) };
                let mut parcel = parcel(page, &mut binder, &mut scratch);
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

/// What numbers a stream's documents from here on.
pub(super) fn binder(sequence: u64) -> Binder {
    let mut binder = Binder::new(TimeStyle::None, Precision::Micros, None);
    binder.number_from(sequence);
    binder
}

/// The documents of a page, numbered.
pub(super) fn parcel(page: &Page, binder: &mut Binder, scratch: &mut Vec<u8>) -> Parcel {
    let mut parcel = Parcel::with_room_for(page.text.len());
    binder.documents(page, scratch, |document, text| {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        parcel.push(Id(document.id), document.ts, text);
    });
    parcel
}
