//! A pfsync message as keys and values, in the order of the JSON contract.

use super::describe::{Emit, Key, key};
use crate::event::Flow;
use crate::packet::proto;
use crate::pf::{Direction, Family, SyncAction};
use crate::text::{push_hex, push_ip};
use crate::wire::pfsync::{Body, Message, Pfsync};
use crate::wire::state::{End, Ends, Ids, State};
use crate::wire::tdb::Tdb;

/// Names what a packet says, and of its messages one, if there is one.
pub(super) fn describe_sync(packet: &Pfsync<'_>, message: Option<&Message<'_>>, e: &mut impl Emit) {
    e.number(key!("version"), packet.version);
    let Some(message) = message else {
        describe_layout(packet, None, e);
        return;
    };
    match message.action {
        SyncAction::Other(number) => e.number(key!("action"), number),
        action => e.word(key!("action"), action.name().unwrap_or_default()),
    }
    describe_layout(packet, Some(message), e);
    e.number(key!("index"), message.index);
    match &message.body {
        Body::State(state) => {
            e.open(key!("state"));
            describe_state(state, e);
            e.close();
        }
        Body::Ids { ids, .. } => {
            e.open(key!("state"));
            describe_ids(*ids, e);
            e.close();
        }
        Body::Compressed(update) => {
            e.open(key!("state"));
            describe_ids(update.ids, e);
            e.close();
        }
        Body::Clear { ifname, creatorid } => {
            e.open(key!("clr"));
            e.bytes(key!("ifname"), ifname);
            describe_creator(*creatorid, e);
            e.close();
        }
        Body::Bus { status, endtime_s, creatorid } => {
            e.open(key!("bus"));
            e.code(key!("status"), status.name(), u32::from(status.0));
            e.number(key!("endtime_s"), *endtime_s);
            describe_creator(*creatorid, e);
            e.close();
        }
        Body::Tdb(tdb) => {
            e.open(key!("tdb"));
            describe_tdb(tdb, e);
            e.close();
        }
        Body::None | Body::Unknown(_) => {}
    }
}

/// The state that a logged packet belongs to; where pf's header has no translated addresses, those
/// of the state.
pub(super) fn describe_flow(flow: &Flow, header_has_them: bool, e: &mut impl Emit) {
    describe_ids(flow.ids, e);
    if let Some((src, dst)) = flow.other.filter(|_| !header_has_them) {
        e.open(key!("nat"));
        describe_ends(&Ends { src, dst }, e);
        e.close();
    }
}

fn describe_layout(packet: &Pfsync<'_>, message: Option<&Message<'_>>, e: &mut impl Emit) {
    if let Some(layout) = message.and_then(|message| message.layout).or(packet.layout) {
        e.word(key!("layout"), layout.name());
    }
}

fn describe_creator(creatorid: u32, e: &mut impl Emit) {
    e.string(key!("creatorid"), |out| push_hex(out, &creatorid.to_be_bytes()));
}

fn describe_ids(ids: Ids, e: &mut impl Emit) {
    e.string(key!("id"), |out| push_hex(out, &ids.id.to_be_bytes()));
    describe_creator(ids.creatorid, e);
}

pub(super) fn describe_state(state: &State<'_>, e: &mut impl Emit) {
    let systems = state.systems();
    if let Some(ids) = state.ids {
        describe_ids(ids, e);
    }
    e.bytes(key!("ifname"), state.ifname);
    let af = u32::from(state.wire.af);
    e.code(key!("af"), Family::from_af(af).map(Family::name), af);
    e.code(key!("proto"), proto::name(state.wire.proto), u32::from(state.wire.proto));
    let Direction(dir) = state.direction;
    e.code(key!("dir"), state.direction.name(), u32::from(dir));
    for (key, ends) in [(key!("wire"), state.wire_ends()), (key!("stack"), state.stack_ends())] {
        e.open(key);
        describe_ends(&ends, e);
        e.close();
    }
    for (key, peer) in [(key!("src_state"), state.src), (key!("dst_state"), state.dst)] {
        e.code(key, peer.state.name(state.wire.proto), u32::from(peer.state.0));
    }
    e.number(key!("age_s"), state.creation_s);
    e.number(key!("expires_s"), state.expire_s);
    e.numbers(key!("packets"), state.packets);
    e.numbers(key!("bytes"), state.bytes);
    e.some(key!("rule"), state.rule);
    e.some(key!("anchor"), state.anchor);
    e.some(key!("nat_rule"), state.nat_rule);
    if let Some(timeout) = state.timeout {
        e.code(key!("timeout"), state.timeout_name(), u32::from(timeout.0));
    }
    e.words(key!("flags"), state.state_flags.names(systems));
}

fn describe_ends(ends: &Ends, e: &mut impl Emit) {
    let mut end = |addr: Key, port: Key, end: &End| {
        if let Some(ip) = end.addr {
            e.string(addr, |out| push_ip(out, ip));
        }
        e.number(port, end.port);
    };
    end(key!("src"), key!("sport"), &ends.src);
    end(key!("dst"), key!("dport"), &ends.dst);
}

fn describe_tdb(tdb: &Tdb, e: &mut impl Emit) {
    e.string(key!("spi"), |out| {
        out.extend_from_slice(b"0x");
        push_hex(out, &tdb.spi.to_be_bytes());
    });
    e.address(key!("dst"), tdb.dst);
    e.code(key!("sproto"), proto::name(tdb.sproto), u32::from(tdb.sproto));
    e.number(key!("rpl"), tdb.rpl);
    e.number(key!("cur_bytes"), tdb.cur_bytes);
    e.some(key!("rdomain"), tdb.rdomain);
}
