//! Notices: what pfscope itself has to say about a frame or about its source, in the stream of
//! events.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::ecs::{Documents, Version};
use super::json::{self, Origin};
use super::ocsf::Events;
use super::page::Page;
use super::sequence::Sequence;
use super::site::Site;
use crate::event::Event;
use crate::event::notice::{Loss, Notice, Place, What};
use crate::states::Suspicion;
use crate::text::{push_dec, push_escaped};
use crate::time::{Clock, Precision, TimeStyle};

/// How notices are written: as the events around them.
#[derive(Debug)]
pub struct Notices(Form);

#[derive(Debug)]
enum Form {
    /// A line, below the event's if it is about one.
    Text(Clock),
    /// An object of their own, of this source.
    Json(Origin, Clock),
    /// A document of their own.
    Ecs(Box<Documents>),
    /// An event of their own.
    Ocsf(Box<Events>),
}

impl Notices {
    /// Notices among lines.
    pub fn text(zone: TimeZone) -> Self {
        Self(Form::Text(Clock::new(zone)))
    }

    /// Notices among JSON objects.
    pub fn json(origin: Origin) -> Self {
        Self(Form::Json(origin, Clock::new(TimeZone::UTC)))
    }

    /// Notices among ECS's documents.
    pub fn ecs(origin: Origin, site: Arc<Site>, version: Version) -> Self {
        Self(Form::Ecs(Box::new(Documents::new(origin, site, version))))
    }

    /// Notices among OCSF's events.
    pub fn ocsf(origin: Origin, site: Arc<Site>) -> Self {
        Self(Form::Ocsf(Box::new(Events::new(origin, site))))
    }

    /// Leaves `event.sequence` to the [`Binder`](super::page::Binder), as of the events around.
    #[must_use]
    pub fn numbered(mut self) -> Self {
        match &mut self.0 {
            Form::Text(_) | Form::Json(..) => {}
            Form::Ecs(documents) => documents.sequence = Sequence::of_stream(),
            Form::Ocsf(events) => events.sequence = Sequence::of_stream(),
        }
        self
    }

    /// Appends a notice of kind `spoof`: pfsync that the firewalls did not send, or not so. `nth`
    /// counts those of the frame from 0.
    pub fn spoof(&mut self, event: &Event<'_>, suspicion: Suspicion, nth: usize, page: &mut Page) {
        page.begin(event.frame.ts);
        let out = &mut page.text;
        match &mut self.0 {
            Form::Text(_) => {
                out.extend_from_slice(b"    notice spoof: ");
                push_escaped(out, suspicion.sentence().as_bytes());
            }
            Form::Json(origin, clock) => json::push_object(out, |e| {
                json::describe_notice(event, "spoof", origin, clock, e);
                json::describe_suspicion(suspicion, e);
            }),
            Form::Ecs(documents) => documents.push_spoof(out, event, suspicion, nth),
            Form::Ocsf(events) => events.push_spoof(out, event, suspicion, nth),
        }
        out.push(b'\n');
        page.end();
    }

    /// Appends a notice about the source: it belongs to no event and counts as none.
    pub fn tell(&mut self, notice: &Notice, page: &mut Page) {
        let out = &mut page.text;
        match &mut self.0 {
            Form::Text(clock) => {
                out.extend_from_slice(b"    notice ");
                out.extend_from_slice(notice.what.kind().as_bytes());
                out.extend_from_slice(b": ");
                push_escaped(out, &notice.source);
                out.push(b' ');
                push_sentence(out, &notice.what);
                if let What::Loss(loss) = &notice.what {
                    out.extend_from_slice(b", since ");
                    clock.push(out, loss.since, TimeStyle::TimeOfDay, Precision::Micros);
                    while out.last() == Some(&b' ') {
                        out.pop();
                    }
                }
            }
            Form::Json(origin, clock) => json::push_object(out, |e| {
                json::describe_happening(notice, origin, clock, e);
            }),
            Form::Ecs(documents) => documents.push_happening(out, notice),
            Form::Ocsf(events) => events.push_happening(out, notice),
        }
        out.push(b'\n');
        match &mut self.0 {
            Form::Text(_) | Form::Json(..) => {}
            Form::Ecs(documents) => documents.sequence.leave(page),
            Form::Ocsf(events) => events.sequence.leave(page),
        }
    }
}

/// What happened, in words that follow the name of the source.
pub(super) fn push_sentence(out: &mut Vec<u8>, what: &What) {
    match what {
        What::Loss(Loss { count, place, .. }) => {
            out.extend_from_slice(b"lost ");
            push_dec(out, *count);
            out.extend_from_slice(if *count == 1 { b" packet " } else { b" packets " });
            out.extend_from_slice(match place {
                Place::Kernel => b"in the kernel: no room in its buffer",
                Place::Interface => b"in the interface or its driver",
                Place::Ring => b"in the ring: the output is too slow",
                Place::Sink => b"that could not be written",
            });
        }
        What::Start => out.extend_from_slice(b"is there now, and read from here on"),
        What::Gone(why) => {
            out.extend_from_slice(b"cannot be read any more and is waited for: ");
            push_escaped(out, why.as_bytes());
        }
        What::Reopen(nanos) => {
            out.extend_from_slice(b"is back after ");
            push_dec(out, nanos / 1_000_000);
            out.extend_from_slice(b" ms, and read again");
        }
    }
}
