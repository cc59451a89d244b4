//! What ECS and OCSF have no field for, under `pf` in both: the same names and the same values.

use super::json::{Emit, Line, describe_error, describe_transport, describe_tunnel, key};
use super::subject::{counter, direction, kind};
use crate::event::{Event, Kind};
use crate::packet::proto;
use crate::pf::{Direction, Family, SyncAction};
use crate::text::{push_dec, push_hex, push_ip, push_json_escaped};
use crate::wire::pflog::Pflog;
use crate::wire::pfsync::{Body, Message, Pfsync};
use crate::wire::state::{Ids, State};
use crate::wire::tdb::Tdb;

/// Names what a line has beside the schema's own fields.
pub(super) fn describe(event: &Event<'_>, line: Line<'_>, e: &mut impl Emit) {
    let frame = &event.frame;
    e.number(key!("caplen"), frame.data.len());
    e.number(key!("len"), frame.len);
    if frame.is_truncated() {
        e.truth(key!("truncated"));
    }
    if let Some(found) = &event.pflog {
        describe_header(event, found, e);
        if event.packet.is_none() {
            e.code(key!("af"), Family::from_af(found.af).map(Family::name), found.af);
        }
    }
    if let Some(packet) = event.packet.as_ref().filter(|_| event.pfsync.is_none()) {
        e.some(key!("ttl"), packet.ip.ttl);
        e.some(key!("frag_off"), packet.ip.frag.map(|frag| frag.offset));
        describe_transport(packet, e);
    }
    if let Some(flow) = frame.flow {
        e.open(key!("state"));
        describe_ids(flow.ids, e);
        e.close();
    }
    if let Some(packet) = &event.pfsync {
        let message = if let Line::Message(message) = line { Some(message) } else { None };
        e.open(key!("sync"));
        describe_sync(event, packet, message, e);
        e.close();
        if let Some(message) = message {
            describe_body(&message.body, e);
        }
    }
    describe_ipsec(event, line, e);
    if let (Some(error), Line::Event | Line::Fault) = (event.error, line) {
        e.open(key!("error"));
        describe_error(error, e);
        e.close();
    }
}

/// True if the line's bytes are shown, as nothing else can be said of them.
pub(super) fn shows_bytes(event: &Event<'_>, line: Line<'_>) -> bool {
    kind(event, line) == Kind::Undecoded && !event.frame.data.is_empty()
}

/// Names what a pf header has beside the schema's own fields.
pub(super) fn describe_header(event: &Event<'_>, h: &Pflog<'_>, e: &mut impl Emit) {
    e.string(key!("header"), |out| {
        out.extend_from_slice(h.systems.name().as_bytes());
        push_dec(out, h.hdrlen);
    });
    // Numbers only of what has no name: else event.action and event.reason say it.
    if h.action.name(h.systems).is_none() {
        e.number(key!("action"), h.action.0);
    }
    if h.reason.name(h.systems).is_none() {
        e.number(key!("reason"), h.reason.0);
    }
    if let Some(dir) = h.dir {
        e.code(key!("direction"), direction(event).and_then(Direction::name), u32::from(dir.0));
    }
    e.bytes(key!("interface"), h.ifname);
    e.open(key!("rule"));
    e.some(key!("number"), h.rulenr);
    e.some(key!("subnumber"), h.subrulenr);
    e.bytes(key!("anchor"), h.ruleset);
    e.some(key!("ridentifier"), h.ridentifier);
    if let Some(owner) = &h.owner {
        e.number(key!("uid"), owner.rule_uid);
        e.number(key!("pid"), owner.rule_pid);
    }
    if let Some(rule) = &event.rule {
        e.word(key!("join"), rule.join.name());
    }
    e.close();
    if h.is_suspect() {
        e.word(key!("suspect"), "dropped");
    }
    if h.other.is_some_and(|other| other.rewritten) {
        e.truth(key!("rewritten"));
    }
    if let Some(naf) = h.naf {
        let naf = u32::from(naf);
        e.code(key!("naf"), Family::from_af(naf).map(Family::name), naf);
    }
}

fn describe_sync(
    event: &Event<'_>,
    packet: &Pfsync<'_>,
    message: Option<&Message<'_>>,
    e: &mut impl Emit,
) {
    e.number(key!("version"), packet.version);
    match message.map(|message| message.action) {
        Some(SyncAction::Other(number)) => e.number(key!("action"), number),
        Some(action) => e.word(key!("action"), action.name().unwrap_or_default()),
        None => {}
    }
    if let Some(layout) = message.and_then(|message| message.layout).or(packet.layout) {
        e.word(key!("layout"), layout.name());
    }
    e.some(key!("index"), message.map(|message| message.index));
    if let Some(carrier) = &event.packet {
        for (key, ip) in [(key!("sender"), carrier.ip.src), (key!("receiver"), carrier.ip.dst)] {
            if let Some(ip) = ip {
                e.string(key, |out| push_ip(out, ip));
            }
        }
    }
}

fn describe_body(body: &Body<'_>, e: &mut impl Emit) {
    match body {
        Body::State(state) => {
            e.open(key!("state"));
            describe_state(state, e);
            e.close();
        }
        Body::Ids { ids, .. } => {
            e.open(key!("state"));
            describe_ids(*ids, e);
            e.truth(key!("partial"));
            e.close();
        }
        Body::Compressed(update) => {
            e.open(key!("state"));
            describe_ids(update.ids, e);
            e.truth(key!("partial"));
            e.close();
        }
        Body::Clear { ifname, creatorid } => {
            e.open(key!("state"));
            describe_creator(*creatorid, e);
            e.bytes(key!("interface"), ifname);
            e.close();
        }
        Body::Bus { status, endtime_s, creatorid } => {
            e.open(key!("bulk"));
            e.code(key!("status"), status.name(), u32::from(status.0));
            e.number(key!("endtime_s"), *endtime_s);
            describe_creator(*creatorid, e);
            e.close();
        }
        Body::Tdb(_) | Body::None | Body::Unknown(_) => {}
    }
}

fn describe_ids(ids: Ids, e: &mut impl Emit) {
    e.string(key!("id"), |out| push_hex(out, &ids.id.to_be_bytes()));
    describe_creator(ids.creatorid, e);
}

fn describe_creator(creatorid: u32, e: &mut impl Emit) {
    e.string(key!("creator_id"), |out| push_hex(out, &creatorid.to_be_bytes()));
}

fn describe_state(state: &State<'_>, e: &mut impl Emit) {
    if let Some(ids) = state.ids {
        describe_ids(ids, e);
    }
    e.bytes(key!("interface"), state.ifname);
    let Direction(dir) = state.direction;
    e.code(key!("direction"), state.direction.name(), u32::from(dir));
    for (key, peer) in [(key!("src"), state.src), (key!("dst"), state.dst)] {
        e.code(key, peer.state.name(state.wire.proto), u32::from(peer.state.0));
    }
    for (key, key_af) in [(key!("wire_af"), state.wire.af), (key!("stack_af"), state.stack.af)] {
        let af = u32::from(key_af);
        // Else network.type says it.
        if state.is_af_to() || Family::from_af(af).is_none() {
            e.code(key, Family::from_af(af).map(Family::name), af);
        }
    }
    if !matches!(state.wire.proto, proto::TCP | proto::UDP | proto::SCTP) {
        // ICMP's id.
        e.number(key!("wire_id"), state.wire_ends().src.port);
    }
    e.number(key!("age_s"), state.creation_s);
    e.number(key!("expires_s"), state.expire_s);
    e.some(key!("rule"), state.rule);
    e.some(key!("anchor"), state.anchor);
    e.some(key!("nat_rule"), state.nat_rule);
    if let Some(timeout) = state.timeout {
        e.code(key!("timeout"), state.timeout_name(), u32::from(timeout.0));
    }
    e.words(key!("flags"), state.state_flags.names(state.systems()));
}

/// An SA's counters, and the tunnel of the packet or of what the message tells of.
fn describe_ipsec(event: &Event<'_>, line: Line<'_>, e: &mut impl Emit) {
    let (tdb, tunnel) = match line {
        Line::Message(message) => {
            let tdb = if let Body::Tdb(tdb) = &message.body { Some(tdb) } else { None };
            (tdb, event.ipsec_of_message(message.index))
        }
        Line::Event => (None, event.ipsec.as_ref()),
        Line::Fault => (None, None),
    };
    if tdb.is_none() && tunnel.is_none() {
        return;
    }
    e.open(key!("ipsec"));
    tdb.into_iter().for_each(|tdb| describe_tdb(tdb, e));
    tunnel.into_iter().for_each(|tunnel| describe_tunnel(tunnel, e));
    e.close();
}

fn describe_tdb(tdb: &Tdb, e: &mut impl Emit) {
    e.string(key!("spi"), |out| push_spi(out, tdb.spi));
    e.number(key!("replay"), counter(tdb.rpl));
    e.number(key!("bytes"), counter(tdb.cur_bytes));
    e.some(key!("rdomain"), tdb.rdomain);
}

/// Appends an SPI as the native JSON writes it.
pub(super) fn push_spi(out: &mut Vec<u8>, spi: u32) {
    out.extend_from_slice(b"0x");
    push_hex(out, &spi.to_be_bytes());
}

/// Appends what names a rule within its observer: FreeBSD's tracker, else `5`, `36.f2b/sshd.16`
/// or, of the default rule, `def`. Escaped for JSON.
pub(super) fn push_rule_id(out: &mut Vec<u8>, h: &Pflog<'_>) {
    if let Some(id) = h.ridentifier {
        return push_dec(out, id);
    }
    match h.rulenr {
        Some(number) => push_dec(out, number),
        None => out.extend_from_slice(b"def"),
    }
    if !h.ruleset.is_empty() || h.subrulenr.is_some() {
        out.push(b'.');
        push_json_escaped(out, h.ruleset);
    }
    if let Some(number) = h.subrulenr {
        out.push(b'.');
        push_dec(out, number);
    }
}
