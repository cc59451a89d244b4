//! The ECS document of a plain record, from where it stands: the same bytes as those of the decoded
//! event, in fewer and longer pieces.

use super::flow::Flows;
use super::network::network_type;
use super::{
    Documents, describe_log_file, describe_observer, describe_owner, describe_rule, describe_tags,
    describe_verdict, pf,
};
use crate::event::{self, Frame};
use crate::glance::Glance;
use crate::sink::json::Line::Event;
use crate::sink::json::{
    Emit, Origin, key, push_members, push_transport, put_frag_off, put_lengths, put_transport,
};
use crate::sink::memo::Memo;
use crate::sink::subject::direction;
use crate::text::line::{Line, Piece, Room};
use crate::time::{Precision, Timestamp};

/// Members that depend on nothing but a pf header and the source, in their order. What is opened in
/// one is closed in a later one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ready<'m> {
    /// The schema's version, and `event` up to what depends on the record.
    verdict: Piece<'m>,
    /// The end of `event`, who tells of it, the rule, and `network` up to IP's version.
    observer: Piece<'m>,
    /// pf's direction in ECS's words, where the site's networks are not known.
    through: Piece<'m>,
    /// Who owns the socket, and of a file `log` up to the record's offset.
    owner: Piece<'m>,
    /// The tags, and `pf` up to its first number.
    tags: Piece<'m>,
    /// The rest of what pf's header says.
    pf: Piece<'m>,
}

/// The members of a record's header.
#[inline]
pub(super) fn ready<'m>(
    headers: &'m mut Memo<6>,
    documents: &Documents,
    frame: &Frame<'_>,
    glance: &Glance<'_>,
) -> Option<Ready<'m>> {
    let Documents { site, version, origin, .. } = documents;
    let through = |event: &event::Event<'_>, out: &mut Vec<u8>| {
        let way = direction(event).and_then(|direction| version.through(direction));
        if let Some(way) = way.filter(|_| site.internal.is_empty()) {
            push_members(out, |e| e.word(key!("direction"), way));
        }
    };
    let pieces = headers.get(
        frame,
        glance,
        [
            &|_, header, out| {
                push_members(out, |e| {
                    version.describe(e);
                    e.open(key!("event"));
                    describe_verdict(header, e);
                });
            },
            &|event, _, out| {
                out.push(b'}');
                push_members(out, |e| {
                    describe_observer(site, *version, event, Event, e);
                    describe_rule(event, Event, e);
                    e.open(key!("network"));
                    e.word(key!("type"), network_type(glance.family));
                });
            },
            &|event, _, out| through(event, out),
            &|_, header, out| {
                push_members(out, |e| {
                    describe_owner(header, e);
                    if let Origin::File(path) = origin {
                        e.open(key!("log"));
                        describe_log_file(path, e);
                        e.members(r#","offset":"#);
                    }
                });
            },
            &|_, header, out| {
                push_members(out, |e| {
                    describe_tags(header, e);
                    e.members(r#","pf":{"caplen":"#);
                });
            },
            &|event, header, out| push_members(out, |e| pf::describe_header(event, header, e)),
        ],
    )?;
    let [verdict, observer, through, owner, tags, pf] = pieces.all();
    Some(Ready { verdict, observer, through, owner, tags, pf })
}

/// Appends the record's document; `None`, and nothing appended, if it is too long for the room.
#[inline]
pub(super) fn push(
    out: &mut Vec<u8>,
    documents: &mut Documents,
    flows: &mut Flows,
    room: &mut Room,
    (frame, glance): (&Frame<'_>, &Glance<'_>),
    ready: &Ready<'_>,
) -> Option<()> {
    let mut line = Line::new(room);
    line.put(br#"{"@timestamp":""#);
    documents.clock.put_rfc3339(&mut line, frame.ts, frame.precision);
    line.put(b"\"");
    line.piece(&ready.verdict);
    if let Some(iface) = frame.iface {
        documents.provider.clear();
        push_members(&mut documents.provider, |e| e.bytes(key!("provider"), iface));
        line.bytes(&documents.provider);
    }
    line.put(br#","id":""#);
    line.hex(&documents.ids.line(&documents.origin, frame, Event));
    line.put(br#"","sequence":"#);
    if let Some(number) = documents.sequence.place(frame.number, out.len() + line.len()) {
        line.dec(number);
    }
    if matches!(documents.origin, Origin::Devices) {
        line.put(br#","created":""#);
        documents.other.put_rfc3339(&mut line, Timestamp::now(), Precision::Micros);
        line.put(b"\"");
    }
    line.piece(&ready.observer);
    flows.put(&mut line, &documents.site, (frame, glance), &ready.through);
    line.piece(&ready.owner);
    if matches!(documents.origin, Origin::File(_)) {
        line.dec(frame.offset);
        line.put(b"}");
    }
    line.piece(&ready.tags);
    put_lengths(&mut line, frame);
    line.piece(&ready.pf);
    line.put(br#","ttl":"#);
    line.octet(glance.ttl());
    put_frag_off(&mut line, glance);
    let is_whole = put_transport(&mut line, glance);
    out.extend_from_slice(line.text()?);
    if !is_whole {
        push_transport(out, glance);
    }
    out.extend_from_slice(b"}}\n");
    Some(())
}
