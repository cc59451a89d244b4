//! `--format ocsf`: the Open Cybersecurity Schema Framework 1.8.0, one event a line.
//!
//! A packet and a state are Network Activity (class 4001), counters of an IPsec SA Tunnel Activity
//! (4014), and what is about neither, a frame that could not be decoded or a notice, a Base Event
//! (0): those two classes demand an end of a connection. Profiles: security_control, host,
//! datetime. What the schema has no attribute for stands under `unmapped.pf` (`sink::pf`).
//! `docs/siem.md` has the table of which value goes where; `pfscope schema ocsf` prints the JSON
//! Schema.

pub(super) mod network;

use std::io::Write;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::Sink;
use super::community::Namer;
use super::id::Ids;
use super::json::{Emit, Key, Line, Origin, Writer, key, lines, push_object};
use super::notice::push_sentence;
use super::page::Page;
use super::pf;
use super::sequence::Sequence;
use super::site::Site;
use super::subject::{self, Subject, Verdict, began, is_end, sync_action};
use crate::event::notice::{Notice, What};
use crate::event::{Event, Frame, Kind, Rule};
use crate::filter::Filter;
use crate::pf::{SyncAction, Systems};
use crate::states::Suspicion;
use crate::text::{push_dec, push_hex};
use crate::time::{Clock, Precision, Timestamp};
use crate::wire::pflog::Pflog;
use crate::wire::pfsync::{Body, Message};

/// The JSON Schema of a line.
pub const SCHEMA: &str = include_str!("schema.json");

/// The renderer.
#[derive(Debug)]
pub struct Ocsf {
    events: Events,
    filter: Filter,
    namer: Namer,
}

impl Ocsf {
    /// A renderer for the records of one source. Of the messages of a pfsync packet it writes
    /// those that `filter` is true of; which events it gets has been decided before.
    pub fn new(origin: Origin, site: Arc<Site>, filter: Filter) -> Self {
        Self { events: Events::new(origin, site), filter, namer: Namer::new() }
    }

    /// Leaves `metadata.sequence` to the [`Binder`](super::page::Binder), which numbers what is sent:
    /// without gaps, whatever the filter leaves out.
    #[must_use]
    pub fn numbered(mut self) -> Self {
        self.events.sequence = Sequence::of_stream();
        self
    }
}

impl Sink for Ocsf {
    fn event(&mut self, event: &Event<'_>, page: &mut Page) {
        page.begin(event.frame.ts);
        lines(event, &self.filter, |line| {
            self.events.push(&mut page.text, event, line, &mut self.namer);
        });
        self.events.sequence.leave(page);
        page.end();
    }
}

/// Writes events of one source.
#[derive(Debug)]
pub(super) struct Events {
    origin: Origin,
    site: Arc<Site>,
    clock: Clock,
    /// Of other times, so that the events' own clock keeps its second.
    other: Clock,
    ids: Ids,
    /// Without a stream they are those of the frames.
    pub(super) sequence: Sequence,
}

impl Events {
    pub(super) fn new(origin: Origin, site: Arc<Site>) -> Self {
        let ids = Ids::new(&site.observer);
        let (clock, other) = (Clock::new(TimeZone::UTC), Clock::new(TimeZone::UTC));
        Self { origin, site, clock, other, ids, sequence: Sequence::default() }
    }

    fn push(&mut self, out: &mut Vec<u8>, event: &Event<'_>, line: Line<'_>, namer: &mut Namer) {
        let (frame, systems) = (&event.frame, subject::systems(event, line));
        push_object(out, |e| {
            let class = describe_class(event, line, e);
            self.describe_times(event, line, e);
            if let Some(header) = &event.pflog {
                describe_verdict(header, event.rule.as_ref(), e);
            }
            describe_status(event, line, e);
            self.describe_metadata(frame, systems, e, |ids, out, origin| {
                ids.push(out, origin, frame, line);
            });
            self.describe_device(systems, e);
            if class != Class::Base {
                let subject = Subject::of(event, line);
                network::describe(event, line, &subject, &self.site, class, namer, e);
            }
            if let Some(header) = &event.pflog {
                describe_rule(header, event.rule.as_ref(), e);
                describe_actor(header, e);
            }
            if pf::shows_bytes(event, line) {
                e.string(key!("raw_data"), |out| push_hex(out, frame.data));
            }
            e.open(key!("unmapped"));
            e.open(key!("pf"));
            pf::describe(event, line, e);
            e.close();
            if let Origin::File(_) = self.origin {
                e.number(key!("log_offset"), frame.offset);
            }
            e.close();
        });
        out.push(b'\n');
    }

    /// A notice of kind `spoof`: pfsync that the firewalls did not send, or not so.
    pub(super) fn push_spoof(
        &mut self,
        out: &mut Vec<u8>,
        event: &Event<'_>,
        suspicion: Suspicion,
        nth: usize,
    ) {
        let frame = &event.frame;
        push_object(out, |e| {
            e.members(concat!(
                r#","activity_id":99,"activity_name":"pfsync-spoof","category_uid":0"#,
                r#","class_uid":0,"type_uid":99,"severity_id":4"#
            ));
            self.describe_time(key!("time"), key!("time_dt"), frame.ts, frame.precision, e);
            e.word(key!("status_detail"), suspicion.name());
            e.bytes(key!("message"), suspicion.sentence().as_bytes());
            self.describe_metadata(frame, None, e, |ids, out, origin| {
                ids.push_notice(out, origin, frame, nth);
            });
            self.describe_device(None, e);
        });
    }

    /// Something that happened to the source: records lost, a device gone.
    pub(super) fn push_happening(&mut self, out: &mut Vec<u8>, notice: &Notice) {
        let (activity, severity) = match &notice.what {
            What::Loss(_) => ("capture-loss", 3u8),
            What::Start => ("capture-start", 1),
            What::Gone(_) => ("capture-gone", 3),
            What::Reopen(_) => ("capture-reopen", 1),
        };
        push_object(out, |e| {
            e.members(r#","activity_id":99"#);
            e.word(key!("activity_name"), activity);
            e.members(r#","category_uid":0,"class_uid":0,"type_uid":99"#);
            e.number(key!("severity_id"), severity);
            self.describe_time(key!("time"), key!("time_dt"), notice.ts, Precision::Micros, e);
            if let What::Loss(loss) = &notice.what {
                e.number(key!("start_time"), loss.since.0.div_euclid(1_000_000));
                e.string(key!("start_time_dt"), |out| {
                    self.other.push_rfc3339(out, loss.since, Precision::Micros);
                });
                e.word(key!("status_detail"), loss.place.name());
            }
            let mut message = Vec::new();
            push_sentence(&mut message, &notice.what);
            e.bytes(key!("message"), &message);
            if let What::Loss(loss) = &notice.what {
                e.number(key!("count"), loss.count);
            }
            e.open(key!("metadata"));
            e.members(
                r#","version":"1.8.0","profiles":["host","datetime"],"product":{"name":"pf"}"#,
            );
            e.string(key!("uid"), |out| self.ids.push_happening(out, notice));
            self.sequence.describe_in_stream(e);
            e.bytes(key!("log_provider"), &notice.source);
            e.close();
            self.describe_device(None, e);
        });
    }

    fn describe_time(
        &mut self,
        ms: Key,
        text: Key,
        ts: Timestamp,
        precision: Precision,
        e: &mut Writer<'_>,
    ) {
        e.number(ms, ts.0.div_euclid(1_000_000));
        e.string(text, |out| self.clock.push_rfc3339(out, ts, precision));
    }

    fn describe_times(&mut self, event: &Event<'_>, line: Line<'_>, e: &mut Writer<'_>) {
        let (ts, precision) = (event.frame.ts, event.frame.precision);
        self.describe_time(key!("time"), key!("time_dt"), ts, precision, e);
        let began = began(event, line);
        if let Some((start, _)) = began {
            e.number(key!("start_time"), start.div_euclid(1_000_000));
            e.string(key!("start_time_dt"), |out| {
                self.other.push_rfc3339(out, Timestamp(start), precision);
            });
        }
        if is_end(line) {
            self.describe_time(key!("end_time"), key!("end_time_dt"), ts, precision, e);
            e.some(key!("duration"), began.map(|(_, age)| age / 1_000_000));
        }
    }

    fn describe_metadata(
        &mut self,
        frame: &Frame<'_>,
        systems: Option<Systems>,
        e: &mut Writer<'_>,
        id: impl FnOnce(&mut Ids, &mut Vec<u8>, &Origin),
    ) {
        e.open(key!("metadata"));
        e.members(r#","version":"1.8.0","profiles":["security_control","host","datetime"]"#);
        e.open(key!("product"));
        e.word(key!("name"), if systems == Some(Systems::IPFW) { "ipfw" } else { "pf" });
        if let Some(vendor) = systems.and_then(subject::vendor) {
            e.word(key!("vendor_name"), vendor);
        }
        e.close();
        e.string(key!("uid"), |out| id(&mut self.ids, out, &self.origin));
        self.sequence.describe(frame.number, e);
        match (frame.place, &self.origin) {
            (Some(place), _) => e.bytes(key!("log_name"), place.file),
            (None, Origin::File(path)) => e.bytes(key!("log_name"), path),
            (None, Origin::Devices) => {}
        }
        e.bytes(key!("log_provider"), frame.iface.unwrap_or_default());
        e.string(key!("original_time"), |out| {
            self.clock.push_rfc3339(out, frame.ts, frame.precision);
        });
        if matches!(self.origin, Origin::Devices) {
            // Of a file it would be another time at each reading.
            let now = Timestamp::now();
            e.number(key!("logged_time"), now.0.div_euclid(1_000_000));
            e.string(key!("logged_time_dt"), |out| {
                self.other.push_rfc3339(out, now, Precision::Micros);
            });
        }
        e.close();
    }

    fn describe_device(&self, systems: Option<Systems>, e: &mut Writer<'_>) {
        e.open(key!("device"));
        // Firewall
        e.members(r#","type_id":9"#);
        e.bytes(key!("name"), self.site.observer.as_bytes());
        if let Some(vendor) = systems.and_then(subject::vendor) {
            e.word(key!("vendor_name"), vendor);
        }
        e.close();
    }
}

/// The class of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Base Event
    Base,
    /// Network Activity
    Network,
    /// Tunnel Activity
    Tunnel,
}

/// Names class and activity. What happened to a tunnel the IKE daemon tells (`sink::vici`).
fn describe_class(event: &Event<'_>, line: Line<'_>, e: &mut Writer<'_>) -> Class {
    use SyncAction::{Del, DelC, Ins, Oins, Oupd, Upd, UpdC};
    let (class, members) = match (subject::kind(event, line), line) {
        (Kind::Undecoded, _) => (
            Class::Base,
            concat!(
                r#","activity_id":99,"activity_name":"undecoded","category_uid":0"#,
                r#","class_uid":0,"type_uid":99,"severity_id":2"#
            ),
        ),
        (Kind::Pfsync, Line::Message(message)) => match message.action {
            Ins | Oins => (Class::Network, OPEN),
            Del | DelC => (Class::Network, CLOSE),
            Upd | Oupd | UpdC => (Class::Network, TRAFFIC),
            _ => {
                e.members(r#","activity_id":99"#);
                e.word(key!("activity_name"), sync_action(message));
                match message.body {
                    Body::Tdb(_) => (Class::Tunnel, TUNNEL),
                    _ => (Class::Network, OTHER),
                }
            }
        },
        (Kind::Pfsync, _) => {
            e.members(r#","activity_id":99,"activity_name":"pfsync""#);
            (Class::Network, OTHER)
        }
        // A network packet that is not IP has no ends.
        (Kind::Packet, _) if event.packet.is_none() => {
            e.members(r#","activity_id":99,"activity_name":"packet""#);
            (Class::Base, r#","category_uid":0,"class_uid":0,"type_uid":99,"severity_id":1"#)
        }
        (Kind::Packet | Kind::Pflog, _) => (Class::Network, TRAFFIC),
    };
    e.members(members);
    class
}

const OPEN: &str =
    r#","activity_id":1,"category_uid":4,"class_uid":4001,"type_uid":400101,"severity_id":1"#;
const CLOSE: &str =
    r#","activity_id":2,"category_uid":4,"class_uid":4001,"type_uid":400102,"severity_id":1"#;
const TRAFFIC: &str =
    r#","activity_id":6,"category_uid":4,"class_uid":4001,"type_uid":400106,"severity_id":1"#;
const TUNNEL: &str = r#","category_uid":4,"class_uid":4014,"type_uid":401499,"severity_id":1"#;
const OTHER: &str = r#","category_uid":4,"class_uid":4001,"type_uid":400199,"severity_id":1"#;

/// What was done to the packet. `pf` logs no more of a block than that: whether an answer was
/// sent (25, Rejected) or not (6, Dropped) the rule's text tells, where there is one.
fn describe_verdict(header: &Pflog<'_>, rule: Option<&Rule<'_>>, e: &mut Writer<'_>) {
    let text = rule.map_or("", |rule| rule.text);
    e.members(match Verdict::of(header) {
        Verdict::Allowed => r#","action_id":1,"disposition_id":1"#,
        Verdict::Denied => match header.action.name(header.systems) {
            Some("synproxy-drop") => r#","action_id":2,"disposition_id":6"#,
            _ if text.starts_with("block drop") => r#","action_id":2,"disposition_id":6"#,
            _ if text.starts_with("block return") => r#","action_id":2,"disposition_id":25"#,
            _ => r#","action_id":2,"disposition_id":2"#,
        },
        Verdict::Modified => r#","action_id":4,"disposition_id":17"#,
        Verdict::Observed => r#","action_id":3,"disposition_id":17"#,
        Verdict::Suspect | Verdict::Unknown => r#","action_id":0,"disposition_id":0"#,
    });
    if let Some(action) = header.action.name(header.systems) {
        e.word(key!("action"), action);
    }
}

fn describe_status(event: &Event<'_>, line: Line<'_>, e: &mut Writer<'_>) {
    if subject::kind(event, line) == Kind::Undecoded {
        e.members(r#","status_id":2"#);
        if let Some(error) = event.error {
            // Writing to memory cannot fail; the sentence has no character to escape.
            e.string(key!("status_detail"), |out| drop(write!(out, "{error}")));
        }
        return;
    }
    if let Some(header) = &event.pflog
        && let Some(reason) = header.reason.name(header.systems)
    {
        e.word(key!("status_detail"), reason);
    }
}

/// The rule by what the event itself tells, and by the user's ruleset.
fn describe_rule(header: &Pflog<'_>, rule: Option<&Rule<'_>>, e: &mut Writer<'_>) {
    e.open(key!("firewall_rule"));
    e.string(key!("uid"), |out| pf::push_rule_id(out, header));
    e.bytes(key!("category"), header.ruleset);
    if let Some(rule) = rule {
        e.bytes(key!("name"), rule.label().unwrap_or_default().as_bytes());
        e.bytes(key!("desc"), rule.text.as_bytes());
        if let Some(checksum) = rule.ruleset {
            e.string(key!("version"), |out| push_hex(out, &checksum.to_be_bytes()));
        }
    }
    e.close();
}

/// Who owns the local socket.
fn describe_actor(header: &Pflog<'_>, e: &mut Writer<'_>) {
    let Some(owner) = header.owner.filter(|owner| owner.uid.is_some() || owner.pid.is_some())
    else {
        return;
    };
    e.open(key!("actor"));
    if let Some(pid) = owner.pid {
        e.open(key!("process"));
        e.number(key!("pid"), pid);
        e.close();
    }
    if let Some(uid) = owner.uid {
        e.open(key!("user"));
        e.string(key!("uid"), |out| push_dec(out, uid));
        e.close();
    }
    e.close();
}

/// The identifiers of a state that a message carries.
fn state_ids(message: &Message<'_>) -> Option<crate::wire::state::Ids> {
    match &message.body {
        Body::State(state) => state.ids,
        Body::Ids { ids, .. } => Some(*ids),
        Body::Compressed(update) => Some(update.ids),
        _ => None,
    }
}

/// The firewall whose states a message is about.
fn creator(message: &Message<'_>) -> Option<u32> {
    match &message.body {
        Body::Clear { creatorid, .. } | Body::Bus { creatorid, .. } => Some(*creatorid),
        _ => state_ids(message).map(|ids| ids.creatorid),
    }
}
