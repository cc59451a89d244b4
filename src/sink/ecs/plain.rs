//! The ECS document of a plain record, from where it stands: the same bytes as those of the decoded
//! event, in fewer and longer pieces.

use super::{
    Documents, describe_log_file, describe_observer, describe_owner, describe_rule, describe_tags,
    describe_verdict, network, pf,
};
use crate::event::{Event, Frame};
use crate::glance::Glance;
use crate::packet::{Ports, proto};
use crate::pf::Family;
use crate::sink::community::{Namer, Tuple};
use crate::sink::json::{
    Emit, Line, Origin, Writer, key, push_members, push_object, push_transport,
};
use crate::sink::memo::Memo;
use crate::sink::subject::{Others, Subject, direction, others};

/// Members that depend on nothing but a pf header and the source, in their order. What is opened in
/// one is closed in a later one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ready<'m> {
    /// The schema's version, and `event` up to what depends on the record.
    verdict: &'m [u8],
    /// Who tells of it, and the rule.
    observer: &'m [u8],
    /// pf's direction in ECS's words, where the site's networks are not known.
    through: &'m [u8],
    /// Who owns the socket, and `log` up to the record's offset.
    owner: &'m [u8],
    /// The tags, and `pf` up to what depends on the record.
    tags: &'m [u8],
    /// The rest of what pf's header says.
    pf: &'m [u8],
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
    let through = |event: &Event<'_>, out: &mut Vec<u8>| {
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
                push_members(out, |e| {
                    describe_observer(site, *version, event, Line::Event, e);
                    describe_rule(event, Line::Event, e);
                });
            },
            &|event, _, out| through(event, out),
            &|_, header, out| {
                push_members(out, |e| {
                    describe_owner(header, e);
                    if let Origin::File(path) = origin {
                        e.open(key!("log"));
                        describe_log_file(path, e);
                    }
                });
            },
            &|_, header, out| push_members(out, |e| describe_tags(header, e)),
            &|event, header, out| push_members(out, |e| pf::describe_header(event, header, e)),
        ],
    )?;
    let [verdict, observer, through, owner, tags, pf] = pieces.all();
    Some(Ready { verdict, observer, through, owner, tags, pf })
}

/// Appends the record's document.
#[inline]
pub(super) fn push(
    out: &mut Vec<u8>,
    documents: &mut Documents,
    namer: &mut Namer,
    frame: &Frame<'_>,
    glance: &Glance<'_>,
    ready: &Ready<'_>,
) {
    push_object(out, |e| {
        let clock = &mut documents.clock;
        e.string(key!("@timestamp"), |out| clock.push_rfc3339(out, frame.ts, frame.precision));
        e.members(ready.verdict);
        e.bytes(key!("provider"), frame.iface.unwrap_or_default());
        let Documents { ids, origin, .. } = &mut *documents;
        e.string(key!("id"), |out| ids.push(out, origin, frame, Line::Event));
        documents.sequence.describe(frame.number, e);
        documents.describe_created(e);
        e.members("}");
        e.members(ready.observer);
        push_flow(documents, namer, frame, glance, ready, e);
        e.members(ready.owner);
        if matches!(documents.origin, Origin::File(_)) {
            e.number(key!("offset"), frame.offset);
            e.members("}");
        }
        e.members(ready.tags);
        e.members(r#","pf":{"caplen":"#);
        e.bare_number(frame.data.len());
        e.number(key!("len"), frame.len);
        if frame.is_truncated() {
            e.truth(key!("truncated"));
        }
        e.members(ready.pf);
        e.number(key!("ttl"), glance.ttl());
        e.some(key!("frag_off"), glance.frag_off());
        push_transport(glance, e);
        e.members("}");
    });
    out.extend_from_slice(b"\n");
}

/// Appends `network` and the two ends.
#[inline]
fn push_flow(
    documents: &Documents,
    namer: &mut Namer,
    frame: &Frame<'_>,
    glance: &Glance<'_>,
    ready: &Ready<'_>,
    e: &mut Writer<'_>,
) {
    let other = glance.other(frame).and_then(others);
    let ports = glance.ports.filter(|ports| !is_translated(glance, *ports, other));
    let begin = match (glance.family, glance.proto) {
        (Family::Inet, proto::TCP) => {
            r#","network":{"type":"ipv4","transport":"tcp","iana_number":"6""#
        }
        (Family::Inet, proto::UDP) => {
            r#","network":{"type":"ipv4","transport":"udp","iana_number":"17""#
        }
        (Family::Inet6, proto::TCP) => {
            r#","network":{"type":"ipv6","transport":"tcp","iana_number":"6""#
        }
        (Family::Inet6, proto::UDP) => {
            r#","network":{"type":"ipv6","transport":"udp","iana_number":"17""#
        }
        _ => "",
    };
    let (Some(ports), false) = (ports, begin.is_empty()) else {
        let subject = Subject::of_packet(&glance.packet(), other);
        let dir = Some(glance.dir());
        let through = dir.and_then(|direction| documents.version.through(direction));
        network::describe(&subject, &documents.site, through, namer, e);
        return;
    };
    let (src, dst, proto) = (glance.src, glance.dst, glance.proto);
    e.members(begin);
    let tuple = Tuple { src, dst, proto, ports: Some((ports.src, ports.dst)), icmp: None };
    e.optional(key!("community_id"), |out| namer.push(out, &tuple));
    match documents.site.way(Some(src), Some(dst)) {
        Some(way) => e.word(key!("direction"), way.name()),
        None => e.members(ready.through),
    }
    e.number(key!("bytes"), glance.len);
    let ends = [
        (r#","packets":1},"source":{"address":""#, src, ports.src),
        (r#"},"destination":{"address":""#, dst, ports.dst),
    ];
    for (begin, ip, port) in ends {
        e.members(begin);
        e.push_ip(ip);
        e.members(r#"","ip":""#);
        e.push_ip(ip);
        e.members(r#"","port":"#);
        e.bare_number(port);
    }
    e.members(r#"},"related":{"ip":[""#);
    e.push_ip(src);
    if src != dst {
        e.members(r#"",""#);
        e.push_ip(dst);
    }
    e.members(r#""]}"#);
}

/// True if pf's header has ends that are not the packet's own.
#[inline]
fn is_translated(glance: &Glance<'_>, ports: Ports, other: Option<Others>) -> bool {
    let own = ((glance.src, ports.src), (glance.dst, ports.dst));
    other.is_some_and(|other| other != own)
}
