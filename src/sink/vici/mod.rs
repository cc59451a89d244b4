//! The events of the IKE daemon: its tunnels come, go and get new keys.
//!
//! ECS and OCSF have a document for each SA that an event tells of; native JSON and text a line
//! for the event, with all that the daemon says. `docs/siem.md` has the table of which value goes
//! where.

mod change;
mod ecs;
pub mod json;
mod ocsf;
mod pf;
pub mod text;

use std::sync::Arc;

use jiff::tz::TimeZone;

use self::change::changes;
use super::id::Ids;
use super::json::push_object;
use super::page::Page;
use super::sequence::Sequence;
use super::site::Site;
use super::status::Form;
use crate::text::push_json_escaped;
use crate::time::{Clock, Precision, TimeStyle, Timestamp};
use crate::vici::message::Section;

/// The renderer of a daemon's events, from wherever they come: of a connection
/// ([`crate::vici::Event`] has name, time and message) or of a journal
/// ([`crate::ipsec::journal::Record::Event`]). The same event has the same ids, in ECS, OCSF and on
/// the page, however it comes.
///
/// ```
/// use std::sync::Arc;
/// use pfscope::sink::page::Page;
/// use pfscope::sink::site::Site;
/// use pfscope::sink::status::Form;
/// use pfscope::sink::vici::Vici;
/// use pfscope::time::Timestamp;
/// use pfscope::vici::message::Section;
///
/// let site = Arc::new(Site { observer: "fw1".into(), internal: Vec::new() });
/// let mut vici = Vici::new(Form::Ocsf, "unix:///var/run/charon.vici", &site);
/// let mut page = Page::default();
/// let alert = Section::new().with("type", "peer-auth-failed");
/// vici.event(b"alert", Timestamp(0), &alert, &mut page);
/// let line = String::from_utf8(page.text).unwrap();
/// assert!(line.contains(r#""status_detail":"peer-auth-failed""#));
/// ```
#[derive(Debug)]
pub struct Vici {
    form: Form,
    /// Where the events come from.
    source: Vec<u8>,
    /// The daemon's version.
    version: Vec<u8>,
    site: Arc<Site>,
    clock: Clock,
    ids: Ids,
    /// Without a stream they are numbered here.
    sequence: Sequence,
    number: u64,
}

impl Vici {
    /// A renderer for the events of one source, of this name: the daemon's URI.
    pub fn new(form: Form, source: &str, site: &Arc<Site>) -> Self {
        Self {
            form,
            source: source.as_bytes().to_vec(),
            version: Vec::new(),
            site: Arc::clone(site),
            clock: Clock::new(TimeZone::UTC),
            ids: Ids::new(&site.observer),
            sequence: Sequence::default(),
            number: 0,
        }
    }

    /// Times of text in this zone, not in UTC.
    #[must_use]
    pub fn in_zone(mut self, zone: TimeZone) -> Self {
        if self.form == Form::Text {
            self.clock = Clock::new(zone);
        }
        self
    }

    /// Leaves `event.sequence` to the [`Binder`](super::page::Binder), which numbers what is sent.
    #[must_use]
    pub fn numbered(mut self) -> Self {
        self.sequence = Sequence::of_stream();
        self
    }

    /// Notes the version that the daemon has told: `5.9.8`. Untrusted bytes.
    pub fn set_version(&mut self, version: &[u8]) {
        self.version = version.to_vec();
    }

    /// Appends what an event tells: one line or more, each a document of the page with its id. On
    /// the page they are one event. `at` is when it came: the daemon tells no time.
    pub fn event(&mut self, event: &[u8], at: Timestamp, message: &Section, page: &mut Page) {
        page.begin(at);
        match self.form {
            Form::Text => {
                let (style, precision) = (TimeStyle::Date, Precision::Micros);
                self.clock.push(&mut page.text, at, style, precision);
                text::push_quoted(&mut page.text, event);
                page.text.push(b' ');
                text::push_raw(&mut page.text, message);
                self.end_document(event, at, message, page);
            }
            Form::Json => {
                page.text.extend_from_slice(b"{\"v\":1,\"type\":\"vici\",\"ts\":\"");
                self.clock.push_rfc3339(&mut page.text, at, Precision::Micros);
                page.text.extend_from_slice(b"\",\"event\":\"");
                push_json_escaped(&mut page.text, event);
                page.text.extend_from_slice(b"\",\"message\":");
                json::push_tree(&mut page.text, message);
                page.text.push(b'}');
                self.end_document(event, at, message, page);
            }
            Form::Ecs(_) | Form::Ocsf => self.documents(event, at, message, page),
        }
        page.end();
    }

    fn documents(&mut self, event: &[u8], at: Timestamp, message: &Section, page: &mut Page) {
        let mut nth = 0;
        changes(event, message, |change| {
            let id = self.ids.of_vici(at, event, message, nth);
            nth += 1;
            self.number += 1;
            push_object(&mut page.text, |e| match self.form {
                Form::Ecs(version) => self.describe_ecs(version, at, id, change, e),
                _ => self.describe_ocsf(at, id, change, e),
            });
            page.text.push(b'\n');
            self.sequence.leave(page);
            page.document(page.text.len(), id, at);
        });
    }

    /// Ends a line that has all of an event.
    fn end_document(&mut self, event: &[u8], at: Timestamp, message: &Section, page: &mut Page) {
        page.text.push(b'\n');
        let id = self.ids.of_vici(at, event, message, 0);
        page.document(page.text.len(), id, at);
    }
}
