//! `--format ecs`: the Elastic Common Schema, one document a line.
//!
//! Keys come in a fixed order, nested as objects; what ECS has no field for stands under `pf`
//! (`sink::pf`). A pfsync packet gives a document a message. `docs/siem.md` has the table of
//! which value goes where; `pfscope schema ecs` prints the JSON Schema.
//!
//! Of the fields that are written here 8.11 and 9.4 have all, and mean the same by them: only
//! `ecs.version` differs.

mod flow;
pub(super) mod network;
mod notice;
mod plain;

use std::io::Write;
use std::sync::Arc;

use jiff::tz::TimeZone;

use self::flow::Flows;
use super::Sink;
use super::community::Namer;
use super::id::Ids;
use super::json::{Emit, Line, Origin, Writer, key, lines, push_object};
use super::memo::Memo;
use super::page::Page;
use super::pf;
use super::sequence::Sequence;
use super::site::Site;
use super::subject::{self, Subject, Verdict, began, direction, is_end, is_match, sync_action};
use crate::event::{Event, Frame, Kind};
use crate::filter::Filter;
use crate::glance::Glance;
use crate::pf::{Direction, Systems};
use crate::text::line::Room;
use crate::text::{push_dec, push_hex};
use crate::time::{Clock, Precision, Timestamp};
use crate::wire::pflog::Pflog;
use crate::wire::pfsync::{Body, Message};

/// The JSON Schema of a line.
pub const SCHEMA: &str = include_str!("schema.json");

/// A version of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// 8.11.0, which Elastic's own packages for pfSense pin.
    V8_11,
    /// 9.4.0
    #[default]
    V9_4,
    /// 8.11.0 as Elastic's package for pfSense fills it: pf's interface is `observer.ingress` of a
    /// packet that goes out too, and where no inside networks are known pf's `in` and `out` are
    /// inbound and outbound.
    ElasticPfsense,
}

impl Version {
    /// Its number.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V8_11 | Self::ElasticPfsense => "8.11.0",
            Self::V9_4 => "9.4.0",
        }
    }

    fn describe(self, e: &mut Writer<'_>) {
        e.members(match self {
            Self::V8_11 | Self::ElasticPfsense => r#","ecs":{"version":"8.11.0"}"#,
            Self::V9_4 => r#","ecs":{"version":"9.4.0"}"#,
        });
    }

    /// What pf's direction is where no inside networks are known.
    fn through(self, direction: Direction) -> Option<&'static str> {
        let names_way = self == Self::ElasticPfsense;
        Some(match direction {
            Direction::IN if names_way => "inbound",
            Direction::IN => "ingress",
            // 3 is OpenBSD's fwd: on its way out.
            Direction(2 | 3) if names_way => "outbound",
            Direction(2 | 3) => "egress",
            _ => return None,
        })
    }
}

/// The renderer.
#[derive(Debug)]
pub struct Ecs {
    documents: Documents,
    filter: Filter,
    headers: Memo<6>,
    flows: Flows,
    room: Box<Room>,
}

impl Ecs {
    /// A renderer for the records of one source. Of the messages of a pfsync packet it writes
    /// those that `filter` is true of; which events it gets has been decided before.
    pub fn new(origin: Origin, site: Arc<Site>, version: Version, filter: Filter) -> Self {
        let documents = Documents::new(origin, site, version);
        let room = Box::default();
        Self { documents, filter, headers: Memo::new(), flows: Flows::new(), room }
    }

    /// Leaves `event.sequence` to the [`Binder`](super::page::Binder), which numbers what is sent:
    /// without gaps, whatever the filter leaves out.
    #[must_use]
    pub fn numbered(mut self) -> Self {
        self.documents.sequence = Sequence::of_stream();
        self
    }
}

impl Sink for Ecs {
    fn event(&mut self, event: &Event<'_>, page: &mut Page) {
        page.begin(event.frame.ts);
        lines(event, &self.filter, |line| {
            self.documents.push(&mut page.text, event, line, &mut self.flows.namer);
        });
        self.documents.sequence.leave(page);
        page.end();
    }

    #[inline]
    fn plain(&mut self, frame: &Frame<'_>, glance: &Glance<'_>, page: &mut Page) -> bool {
        if frame.flow.is_some() || frame.place.is_some() {
            return false;
        }
        let Some(ready) = plain::ready(&mut self.headers, &self.documents, frame, glance) else {
            return false;
        };
        page.begin(frame.ts);
        let Self { documents, flows, room, .. } = self;
        let out = &mut page.text;
        if plain::push(out, documents, flows, room, (frame, glance), &ready).is_none() {
            documents.sequence.forget(page.text.len());
            return false;
        }
        self.documents.sequence.leave(page);
        page.end();
        true
    }
}

/// Writes documents of one source.
#[derive(Debug)]
pub(super) struct Documents {
    origin: Origin,
    site: Arc<Site>,
    version: Version,
    clock: Clock,
    /// Of other times, so that the documents' own clock keeps its second.
    other: Clock,
    ids: Ids,
    /// The member of a plain record's interface.
    provider: Vec<u8>,
    /// Without a stream they are those of the frames.
    pub(super) sequence: Sequence,
}

impl Documents {
    pub(super) fn new(origin: Origin, site: Arc<Site>, version: Version) -> Self {
        let ids = Ids::new(&site.observer);
        let (clock, other) = (Clock::new(TimeZone::UTC), Clock::new(TimeZone::UTC));
        let (provider, sequence) = (Vec::new(), Sequence::default());
        Self { origin, site, version, clock, other, ids, provider, sequence }
    }

    fn push(&mut self, out: &mut Vec<u8>, event: &Event<'_>, line: Line<'_>, namer: &mut Namer) {
        let frame = &event.frame;
        push_object(out, |e| {
            self.head(frame.ts, frame.precision, e);
            e.open(key!("event"));
            self.describe_event(event, line, e);
            e.close();
            describe_observer(&self.site, self.version, event, line, e);
            describe_rule(event, line, e);
            let subject = Subject::of(event, line);
            let through = direction(event).and_then(|direction| self.version.through(direction));
            network::describe(&subject, &self.site, through, namer, e);
            if let Some(header) = &event.pflog {
                describe_owner(header, e);
            }
            describe_log(&self.origin, frame, e);
            if subject::kind(event, line) == Kind::Undecoded
                && let Some(error) = event.error
            {
                e.open(key!("error"));
                // Writing to memory cannot fail; the sentence has no character to escape.
                e.string(key!("message"), |out| drop(write!(out, "{error}")));
                e.word(key!("type"), error.fault.cause());
                e.close();
            }
            if let Some(header) = &event.pflog {
                describe_tags(header, e);
            }
            e.open(key!("pf"));
            pf::describe(event, line, e);
            e.close();
        });
        out.push(b'\n');
    }

    fn head(&mut self, ts: Timestamp, precision: Precision, e: &mut Writer<'_>) {
        e.string(key!("@timestamp"), |out| {
            self.clock.push_rfc3339(out, ts, precision);
        });
        self.version.describe(e);
    }

    fn describe_event(&mut self, event: &Event<'_>, line: Line<'_>, e: &mut Writer<'_>) {
        let frame = &event.frame;
        match (subject::kind(event, line), &event.pflog, line) {
            (Kind::Pflog, Some(header), _) => {
                describe_verdict(header, e);
            }
            (Kind::Pfsync, _, Line::Message(message)) => describe_sync(message, e),
            (Kind::Undecoded, ..) => e.members(concat!(
                r#","kind":"pipeline_error","category":["network"],"type":["info"]"#,
                r#","action":"undecoded","module":"pf","dataset":"pf.undecoded""#
            )),
            (Kind::Pfsync, ..) => e.members(concat!(
                r#","kind":"event","category":["network"],"type":["info"]"#,
                r#","action":"pfsync","module":"pf","dataset":"pf.sync""#
            )),
            (Kind::Packet | Kind::Pflog, ..) => e.members(concat!(
                r#","kind":"event","category":["network"],"type":["connection","info"]"#,
                r#","action":"packet","module":"pf","dataset":"pf.packet""#
            )),
        }
        e.bytes(key!("provider"), frame.iface.unwrap_or_default());
        e.string(key!("id"), |out| self.ids.push(out, &self.origin, frame, line));
        self.sequence.describe(frame.number, e);
        self.describe_created(e);
        let began = began(event, line);
        if let Some((start, _)) = began {
            e.string(key!("start"), |out| {
                self.other.push_rfc3339(out, Timestamp(start), frame.precision);
            });
        }
        if is_end(line) {
            e.string(key!("end"), |out| self.clock.push_rfc3339(out, frame.ts, frame.precision));
            e.some(key!("duration"), began.map(|(_, age)| age));
        }
        if pf::shows_bytes(event, line) {
            e.string(key!("original"), |out| push_hex(out, frame.data));
        }
    }
}

impl Documents {
    /// When the event was read; of a file it would be another time at each reading.
    fn describe_created(&mut self, e: &mut Writer<'_>) {
        if matches!(self.origin, Origin::Devices) {
            let now = Timestamp::now();
            e.string(key!("created"), |out| {
                self.other.push_rfc3339(out, now, Precision::Micros);
            });
        }
    }
}

/// Who tells of it: the firewall, and where the packet was.
fn describe_observer(
    site: &Site,
    version: Version,
    event: &Event<'_>,
    line: Line<'_>,
    e: &mut Writer<'_>,
) {
    e.open(key!("observer"));
    e.bytes(key!("name"), site.observer.as_bytes());
    e.members(r#","type":"firewall""#);
    let systems = subject::systems(event, line);
    if let Some(vendor) = systems.and_then(subject::vendor) {
        e.word(key!("vendor"), vendor);
    }
    e.word(key!("product"), if systems == Some(Systems::IPFW) { "ipfw" } else { "pf" });
    if let Some(header) = event.pflog.as_ref().filter(|header| !header.ifname.is_empty()) {
        let side = match direction(event) {
            Some(Direction::IN) => Some(key!("ingress")),
            Some(Direction(2 | 3)) if version == Version::ElasticPfsense => Some(key!("ingress")),
            // 3 is OpenBSD's fwd: on its way out.
            Some(Direction(2 | 3)) => Some(key!("egress")),
            _ => None,
        };
        if let Some(side) = side {
            e.open(side);
            e.open(key!("interface"));
            e.bytes(key!("name"), header.ifname);
            e.close();
            e.close();
        }
    }
    e.close();
}

fn describe_verdict(header: &Pflog<'_>, e: &mut Writer<'_>) {
    e.members(match Verdict::of(header) {
        Verdict::Allowed => {
            r#","kind":"event","category":["network"],"type":["connection","allowed"]"#
        }
        Verdict::Denied => {
            r#","kind":"event","category":["network"],"type":["connection","denied"]"#
        }
        _ => r#","kind":"event","category":["network"],"type":["connection","info"]"#,
    });
    e.word(key!("action"), header.action.name(header.systems).unwrap_or("unknown"));
    e.members(match Verdict::of(header) {
        Verdict::Suspect | Verdict::Unknown => r#","outcome":"unknown""#,
        _ => r#","outcome":"success""#,
    });
    if let Some(reason) = header.reason.name(header.systems) {
        e.word(key!("reason"), reason);
    }
    e.members(r#","module":"pf","dataset":"pf.log""#);
}

fn describe_sync(message: &Message<'_>, e: &mut Writer<'_>) {
    use crate::pf::SyncAction::{Del, DelC, Ins, Oins, Oupd, Upd, UpdC};
    e.members(match message.action {
        Ins | Oins => r#","kind":"event","category":["network"],"type":["connection","start"]"#,
        Upd | Oupd | UpdC => {
            r#","kind":"state","category":["network"],"type":["connection","info"]"#
        }
        Del | DelC => r#","kind":"event","category":["network"],"type":["connection","end"]"#,
        _ => r#","kind":"event","category":["network"],"type":["info"]"#,
    });
    e.word(key!("action"), sync_action(message));
    e.members(r#","module":"pf","dataset":"pf.sync""#);
}

/// The rule by what the event itself tells, and by the user's ruleset.
fn describe_rule(event: &Event<'_>, line: Line<'_>, e: &mut Writer<'_>) {
    if let Some(header) = &event.pflog {
        e.open(key!("rule"));
        e.string(key!("id"), |out| pf::push_rule_id(out, header));
        match header.ruleset {
            [] => e.word(key!("ruleset"), "main"),
            anchor => e.bytes(key!("ruleset"), anchor),
        }
        if let Some(id) =
            header.ridentifier.or_else(|| event.rule.and_then(|rule| rule.ridentifier))
        {
            e.string(key!("uuid"), |out| push_dec(out, id));
        }
        if let Some(rule) = &event.rule {
            e.bytes(key!("name"), rule.label().unwrap_or_default().as_bytes());
            e.bytes(key!("description"), rule.text.as_bytes());
            if let Some(checksum) = rule.ruleset {
                e.string(key!("version"), |out| push_hex(out, &checksum.to_be_bytes()));
            }
        }
        e.close();
    }
    if let Line::Message(Message { body: Body::State(state), .. }) = line
        && let Some(rule) = state.rule
    {
        e.open(key!("rule"));
        e.string(key!("id"), |out| {
            push_dec(out, rule);
            if let Some(anchor) = state.anchor {
                out.push(b'.');
                push_dec(out, anchor);
            }
        });
        e.close();
    }
}

/// Who owns the local socket.
fn describe_owner(header: &Pflog<'_>, e: &mut Writer<'_>) {
    let Some(owner) = header.owner else { return };
    if let Some(uid) = owner.uid {
        e.open(key!("user"));
        e.string(key!("id"), |out| push_dec(out, uid));
        e.close();
    }
    if let Some(pid) = owner.pid {
        e.open(key!("process"));
        e.number(key!("pid"), pid);
        e.close();
    }
}

fn describe_log(origin: &Origin, frame: &Frame<'_>, e: &mut Writer<'_>) {
    let path = match (frame.place, origin) {
        (Some(place), _) => place.file,
        (None, Origin::File(path)) => path,
        (None, Origin::Devices) => return,
    };
    e.open(key!("log"));
    describe_log_file(path, e);
    e.number(key!("offset"), frame.offset);
    e.close();
}

fn describe_log_file(path: &[u8], e: &mut Writer<'_>) {
    e.open(key!("file"));
    e.bytes(key!("path"), path);
    e.close();
}

fn describe_tags(header: &Pflog<'_>, e: &mut Writer<'_>) {
    let nonmatch = (!is_match(header)).then_some("pf-nonmatch");
    let suspect = header.is_suspect().then_some("pf-suspect");
    e.words(key!("tags"), nonmatch.into_iter().chain(suspect));
}
