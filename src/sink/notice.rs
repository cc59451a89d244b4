//! Notices: what pfscope itself has to say about a frame, in the stream of events.

use jiff::tz::TimeZone;

use super::json::{self, Origin};
use super::page::Page;
use crate::event::Event;
use crate::states::Suspicion;
use crate::text::push_escaped;
use crate::time::Clock;

/// How notices are written: as the events around them.
#[derive(Debug)]
pub enum Notices {
    /// A line below the event's.
    Text,
    /// An object of their own, of this source.
    Json(Origin, Clock),
}

impl Notices {
    /// Notices among lines.
    pub const fn text() -> Self {
        Self::Text
    }

    /// Notices among JSON objects.
    pub fn json(origin: Origin) -> Self {
        Self::Json(origin, Clock::new(TimeZone::UTC))
    }

    /// Appends a notice of kind `spoof`: pfsync that the firewalls did not send, or not so.
    pub fn spoof(&mut self, event: &Event<'_>, suspicion: Suspicion, page: &mut Page) {
        page.begin(event.frame.ts);
        match self {
            Self::Text => {
                page.text.extend_from_slice(b"    notice spoof: ");
                push_escaped(&mut page.text, suspicion.sentence().as_bytes());
            }
            Self::Json(origin, clock) => json::push_object(&mut page.text, |e| {
                json::describe_notice(event, "spoof", origin, clock, e);
                json::describe_suspicion(suspicion, e);
            }),
        }
        page.text.push(b'\n');
        page.end();
    }
}
