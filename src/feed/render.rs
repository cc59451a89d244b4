//! What a worker does for an output: decode, filter, render, and name each document.

use std::sync::Arc;

use super::counters::Counters;
use super::format::Format;
use crate::capture::Batch;
use crate::capture::follow::Position;
use crate::engine::Work;
use crate::engine::selection::{Selection, Undecoded};
use crate::event::Event;
use crate::filter::Filter;
use crate::sink::Sink;
use crate::sink::id::Ids;
use crate::sink::json::{Line, Origin, lines};
use crate::sink::page::Page;
use crate::sink::site::Site;
use crate::wire::writer::Writer;

/// A worker.
pub(super) struct Renderer {
    selection: Selection,
    sink: Box<dyn Sink>,
    names: Names,
    counters: Arc<Counters>,
}

/// A rendered batch.
#[derive(Default)]
pub(super) struct Rendered {
    pub(super) page: Page,
    /// Where what follows it begins.
    pub(super) position: Option<Position>,
    pub(super) undecoded: Undecoded,
}

impl Renderer {
    pub(super) fn new(
        selection: Selection,
        format: Format,
        origin: &Origin,
        site: &Arc<Site>,
        counters: Arc<Counters>,
    ) -> Self {
        let sink = format.sink(origin, site, &selection.filter);
        let names = Names {
            ids: Ids::new(&site.observer),
            origin: origin.clone(),
            filter: format.is_json().then(|| selection.filter.clone()),
        };
        Self { selection, sink, names, counters }
    }
}

impl Work for Renderer {
    type Output = Rendered;

    fn work(&mut self, batch: &Batch, writers: &[Writer], output: &mut Rendered) {
        let page = &mut output.page;
        page.clear();
        output.position = batch.position;
        let mut taken = 0;
        output.undecoded = self.selection.each(batch, writers, |event| {
            taken += 1;
            let start = page.text.len();
            self.sink.event(event, page);
            self.names.name(event, start, page);
        });
        let there = batch.records.len() as u64;
        self.counters.received.add(there);
        self.counters.decoded.add(there.saturating_sub(output.undecoded.count));
        self.counters.filtered.add(there.saturating_sub(taken));
    }
}

/// Names documents.
struct Names {
    ids: Ids,
    origin: Origin,
    /// Of a format that has a document for each line of an event: those it is true of.
    filter: Option<Filter>,
}

impl Names {
    /// Names the documents of an event, whose text begins at `start`.
    fn name(&mut self, event: &Event<'_>, start: usize, page: &mut Page) {
        let (frame, end) = (&event.frame, page.text.len());
        if start == end {
            return;
        }
        let filter = match &self.filter {
            Some(filter) if event.pfsync.is_some() => filter,
            _ => {
                page.document(end, self.ids.line(&self.origin, frame, Line::Event), frame.ts);
                return;
            }
        };
        let mut at = start;
        lines(event, filter, |line| {
            let rest = page.text.get(at..).unwrap_or_default();
            at += rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |end| end + 1);
            page.document(at, self.ids.line(&self.origin, frame, line), frame.ts);
        });
    }
}
