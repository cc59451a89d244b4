//! What a worker does: decode, and for each output filter, render, and name each document.

use std::sync::Arc;

use super::counters::Counters;
use super::format::Format;
use crate::capture::Batch;
use crate::capture::follow::Position;
use crate::engine::Work;
use crate::engine::selection::{Seen, Selection};
use crate::event::notice::{Notice, What};
use crate::event::{Event, Frame};
use crate::filter::Filter;
use crate::glance::Glance;
use crate::sink::Sink;
use crate::sink::id::Ids;
use crate::sink::json::{Line, Origin, lines};
use crate::sink::notice::Notices;
use crate::sink::page::Page;
use crate::sink::site::Site;
use crate::wire::writer::Writer;

/// A worker: decodes once, and renders for each output that gets the source's events.
pub(super) struct Renderer {
    selection: Selection,
    branches: Vec<Branch>,
}

/// What one output gets.
pub(super) struct Branch {
    filter: Filter,
    sink: Box<dyn Sink>,
    notices: Option<Notices>,
    names: Names,
    counters: Arc<Counters>,
    /// Events of the batch so far.
    taken: u64,
}

/// A rendered batch.
#[derive(Default)]
pub(super) struct Rendered {
    /// One for each branch.
    pub(super) pages: Vec<Page>,
    /// Where what follows it begins.
    pub(super) position: Option<Position>,
    /// Records that it was made of.
    pub(super) frames: u64,
}

impl Renderer {
    /// A worker for events of a selection, of which each branch has a filter of its own.
    pub(super) const fn new(selection: Selection, branches: Vec<Branch>) -> Self {
        Self { selection, branches }
    }
}

impl Branch {
    pub(super) fn new(
        filter: &Filter,
        format: Format,
        origin: &Origin,
        site: &Arc<Site>,
        counters: Arc<Counters>,
    ) -> Self {
        let names = Names {
            ids: Ids::new(&site.observer),
            origin: origin.clone(),
            filter: format.is_json().then(|| filter.clone()),
        };
        Self {
            filter: filter.clone(),
            sink: format.sink(origin, site, filter),
            notices: format.notices(origin, site),
            names,
            counters,
            taken: 0,
        }
    }

    /// Renders a plain record; false, and nothing done, if it must be decoded.
    fn plain(&mut self, frame: &Frame<'_>, glance: &Glance<'_>, page: &mut Page) -> bool {
        let filter = &self.filter;
        if !filter.is_empty() {
            if !filter.goes_by_glance() {
                return false;
            }
            if !filter.matches_glance(frame, glance) {
                return true;
            }
        }
        let start = page.text.len();
        if !self.sink.plain(frame, glance, page) {
            return false;
        }
        self.taken += 1;
        if page.text.len() > start {
            self.names.name_one(frame, page);
        }
        true
    }

    fn happened(&mut self, notice: &Notice, page: &mut Page) {
        if let What::Loss(loss) = &notice.what {
            self.counters.lost(loss.place).add(loss.count);
        }
        if let Some(notices) = &mut self.notices {
            notices.tell(notice, page);
            page.document(page.text.len(), self.names.ids.happening(notice), notice.ts);
        }
    }
}

impl Work for Renderer {
    type Output = Rendered;

    fn work(&mut self, batch: &Batch, writers: &[Writer], output: &mut Rendered) {
        let Rendered { pages, position, frames } = output;
        pages.resize_with(self.branches.len(), Page::default);
        pages.iter_mut().for_each(Page::clear);
        *position = batch.position;
        let there = batch.records.len() as u64;
        *frames = there;
        let mut happened = batch.notices.iter().peekable();
        let undecoded = self.selection.each_glance(batch, writers, |seen| {
            let (Seen::Glance(frame, _) | Seen::Event(Event { frame, .. })) = seen;
            let at = frame.number.saturating_sub(batch.first_frame);
            while let Some(notice) = happened.next_if(|notice| notice.before as u64 <= at) {
                let all = self.branches.iter_mut().zip(&mut *pages);
                all.for_each(|(branch, page)| branch.happened(notice, page));
            }
            let event = match seen {
                Seen::Event(event) => event,
                Seen::Glance(frame, glance) => {
                    // Several would have to agree that a glance is enough.
                    let ([branch], [page]) = (&mut *self.branches, &mut **pages) else {
                        return false;
                    };
                    return branch.plain(frame, glance, page);
                }
            };
            for (branch, page) in self.branches.iter_mut().zip(&mut *pages) {
                if !branch.filter.matches(event) {
                    continue;
                }
                branch.taken += 1;
                let start = page.text.len();
                branch.sink.event(event, page);
                branch.names.name(event, start, page);
            }
            true
        });
        for (branch, page) in self.branches.iter_mut().zip(&mut *pages) {
            happened.clone().for_each(|notice| branch.happened(notice, page));
            let taken = std::mem::take(&mut branch.taken);
            branch.counters.received.add(there);
            branch.counters.decoded.add(there.saturating_sub(undecoded.count));
            branch.counters.filtered.add(there.saturating_sub(taken));
        }
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
    /// Names the one document of a frame.
    fn name_one(&self, frame: &Frame<'_>, page: &mut Page) {
        let id = self.ids.line(&self.origin, frame, Line::Event);
        page.document(page.text.len(), id, frame.ts);
    }

    /// Names the documents of an event, whose text begins at `start`.
    fn name(&self, event: &Event<'_>, start: usize, page: &mut Page) {
        let (frame, end) = (&event.frame, page.text.len());
        if start == end {
            return;
        }
        let filter = match &self.filter {
            Some(filter) if event.pfsync.is_some() => filter,
            _ => return self.name_one(frame, page),
        };
        let mut at = start;
        lines(event, filter, |line| {
            let rest = page.text.get(at..).unwrap_or_default();
            at += rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |end| end + 1);
            page.document(at, self.ids.line(&self.origin, frame, line), frame.ts);
        });
    }
}
