//! Notices: what pfscope itself has to say about a frame, in the stream of events.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::ecs::{Documents, Version};
use super::json::{self, Origin};
use super::ocsf::Events;
use super::page::Page;
use super::site::Site;
use crate::event::Event;
use crate::states::Suspicion;
use crate::text::push_escaped;
use crate::time::Clock;

/// How notices are written: as the events around them.
#[derive(Debug)]
pub struct Notices(Form);

#[derive(Debug)]
enum Form {
    /// A line below the event's.
    Text,
    /// An object of their own, of this source.
    Json(Origin, Clock),
    /// A document of their own.
    Ecs(Box<Documents>),
    /// An event of their own.
    Ocsf(Box<Events>),
}

impl Notices {
    /// Notices among lines.
    pub const fn text() -> Self {
        Self(Form::Text)
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

    /// Appends a notice of kind `spoof`: pfsync that the firewalls did not send, or not so. `nth`
    /// counts those of the frame from 0.
    pub fn spoof(&mut self, event: &Event<'_>, suspicion: Suspicion, nth: usize, page: &mut Page) {
        page.begin(event.frame.ts);
        let out = &mut page.text;
        match &mut self.0 {
            Form::Text => {
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
}
