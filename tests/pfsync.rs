//! pfsync, as every release writes it and as bytes of chance: what the encoder puts in, the
//! decoder gives back. The traps of its formats, one test each, by the numbers the formats' atlas
//! gives them. Every capture holds what testdata/README.md says.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a failing test may panic anywhere"
)]

mod common;
#[path = "../testdata/encode/mod.rs"]
mod encode;
#[path = "../testdata/recipe/mod.rs"]
mod recipe;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use common::{alone, cut, each_event, event, testdata};
use encode::packet::ip::Ip;
use encode::packet::{icmp, protocol};
use encode::pfsync::message::{Bulk, Clear, Delete, Message as Sent, Tdb as SentTdb, Update};
use encode::pfsync::state::{self as sent, IN, Key, NO_RULE, OUT};
use encode::pfsync::{Action, Frame, Layout, tapped};
use pfscope::error::{DecodeError, Fault, Layer};
use pfscope::event::Kind;
use pfscope::pf::{BulkStatus, Direction, PeerState, StateFlags, SyncAction, Timeout};
use pfscope::sink::Sink;
use pfscope::sink::json::{Json, Origin};
use pfscope::sink::page::{Binder, Page};
use pfscope::time::{Precision, TimeStyle};
use pfscope::wire::ByteOrder;
use pfscope::wire::pfsync::messages::Compressed;
use pfscope::wire::pfsync::{self, Body, Layout as Found, Message};
use pfscope::wire::state::{Ends, Extra, Ids, Peer, Queues, Scrub, State};
use pfscope::wire::tdb::Tdb;
use proptest::prelude::*;

const SIX: Layout = Layout::OpenBsd6;

/// Releases of version 5.
const FIVES: [Layout; 4] =
    [Layout::OpenBsd5, Layout::FreeBsd1301, Layout::FreeBsd1400, Layout::FreeBsd1500];

fn layout_of(layout: Layout) -> Found {
    match layout {
        Layout::V1Ilp32 | Layout::V1Lp64 => Found::V1,
        Layout::V2 => Found::V2,
        Layout::V3 => Found::V3,
        Layout::V4 => Found::V4,
        Layout::OpenBsd5 => Found::Openbsd5,
        Layout::FreeBsd1301 => Found::Freebsd1301,
        Layout::FreeBsd1400 => Found::Freebsd1400,
        Layout::FreeBsd1500 => Found::Freebsd1500,
        Layout::OpenBsd6 => Found::Openbsd6,
    }
}

fn action_of(action: Action) -> SyncAction {
    match action {
        Action::Clr => SyncAction::Clr,
        Action::Ins => SyncAction::Ins,
        Action::Upd => SyncAction::Upd,
        Action::Del => SyncAction::Del,
        Action::UpdC => SyncAction::UpdC,
        Action::DelC => SyncAction::DelC,
        Action::InsF => SyncAction::InsF,
        Action::DelF => SyncAction::DelF,
        Action::UpdReq => SyncAction::UpdReq,
        Action::Bus => SyncAction::Bus,
        Action::Tdb => SyncAction::Tdb,
        Action::InsAck => SyncAction::InsAck,
        Action::OldIns => SyncAction::Oins,
        Action::OldUpd => SyncAction::Oupd,
        Action::OldTdb => SyncAction::Otdb,
        Action::Eof => SyncAction::Eof,
    }
}

fn until_nul(name: &[u8]) -> &[u8] {
    name.split(|&byte| byte == 0).next().unwrap()
}

fn rule(n: u32) -> Option<u32> {
    (n != NO_RULE).then_some(n)
}

/// An address of IP version 4 or 6.
fn ip(version: u8, bytes: &[u8; 16]) -> Option<IpAddr> {
    match version {
        4 => Some(<[u8; 4]>::try_from(&bytes[..4]).unwrap().into()),
        6 => Some((*bytes).into()),
        _ => None,
    }
}

/// As the system of the layout numbers it.
fn family(version: u8, layout: Layout) -> u8 {
    match version {
        4 => 2,
        6 => layout.af6(),
        other => other,
    }
}

fn is_one(layout: Layout) -> bool {
    layout.version() == 1
}

/// A peer as this layout can say it.
fn peer_of(peer: &sent::Peer, layout: Layout) -> Peer {
    let whole = Peer {
        seqlo: peer.seqlo,
        seqhi: peer.seqhi,
        seqdiff: peer.seqdiff,
        max_win: peer.max_win,
        mss: peer.mss,
        state: PeerState(peer.state),
        wscale: peer.wscale,
        scrub: (peer.scrub & 1 != 0).then_some(Scrub {
            flags: peer.scrub_flags,
            ttl: peer.scrub_ttl,
            ts_mod: peer.ts_mod,
        }),
    };
    if is_one(layout) { Peer { mss: 0, wscale: 0, scrub: None, ..whole } } else { whole }
}

/// The ends by a key that is (source, destination), or the other way round.
fn check_ends(found: Ends, key: &Key, reversed: bool) {
    let (src, dst) = if reversed { (1, 0) } else { (0, 1) };
    assert_eq!(found.src.addr, ip(key.ip, &key.addr[src]));
    assert_eq!(found.dst.addr, ip(key.ip, &key.addr[dst]));
    assert_eq!((found.src.port, found.dst.port), (key.port[src], key.port[dst]));
}

/// Holds a decoded state against the one it was made of, as far as `layout` can say it.
fn check_state(found: &State<'_>, s: &sent::State, layout: Layout) {
    let version = layout.version();
    let newest = layout == Layout::FreeBsd1500;
    let per_key = newest || layout == SIX;

    assert_eq!(found.layout, layout_of(layout));
    let ids = Ids { id: s.id, creatorid: s.creatorid };
    assert_eq!(found.ids, (version > 1).then_some(ids));
    assert_eq!(found.ifname, if version > 1 { until_nul(&s.ifname) } else { b"" });

    // Three hosts say less than two keys: the other side is the same in both.
    let mut stack = s.stack;
    if version < 4 {
        (stack.addr[0], stack.port[0]) = (s.wire.addr[0], s.wire.port[0]);
    }
    if !per_key {
        stack.ip = s.wire.ip;
    }
    // Before OpenBSD's keys had families, theirs was 0.
    if layout == SIX && family(stack.ip, layout) == 0 {
        stack.ip = s.wire.ip;
    }
    for (key, sent) in [(found.wire, s.wire), (found.stack, stack)] {
        assert_eq!((key.addr, key.port), (sent.addr, sent.port));
        assert_eq!(key.rdomain, if layout == SIX { sent.rdomain } else { 0 });
        assert_eq!(key.af, family(sent.ip, layout));
    }
    let protos = if newest { (s.proto, s.stack_proto) } else { (s.proto, s.proto) };
    assert_eq!((found.wire.proto, found.stack.proto), protos);
    assert_eq!(found.direction, Direction(s.direction));
    let outwards = s.direction != IN;
    let af_to = s.wire.ip != stack.ip;
    assert_eq!(found.is_af_to(), af_to);
    check_ends(found.wire_ends(), &s.wire, outwards);
    check_ends(found.stack_ends(), &stack, outwards != af_to);

    assert_eq!((found.src, found.dst), (peer_of(&s.src, layout), peer_of(&s.dst, layout)));
    let hop = ip(if newest { s.rt_ip } else { s.wire.ip }, &s.rt_addr);
    assert_eq!(found.rt_addr, hop.filter(|_| s.rt_addr != [0; 16]));
    assert_eq!(found.rule, rule(s.rule));
    assert_eq!(found.anchor, rule(s.anchor).filter(|_| version > 1));
    assert_eq!(found.nat_rule, rule(s.nat_rule).filter(|_| version > 1));
    assert_eq!((found.creation_s, found.expire_s), (s.creation, s.expire));
    let counters = |[a, b]: [u64; 2]| match version {
        1 => [u64::from(a.wrapping_add(b) as u32), 0],
        2 => [a, b].map(|n| u64::from(n as u32)),
        _ => [a, b],
    };
    assert_eq!((found.packets, found.bytes), (counters(s.packets), counters(s.bytes)));
    assert_eq!(found.timeout, (version > 1).then_some(Timeout(s.timeout)));
    let flags = match layout {
        Layout::FreeBsd1400 | Layout::FreeBsd1500 | SIX => s.state_flags,
        _ if is_one(layout) => s.state_flags & 1,
        _ => s.state_flags & 0xff,
    };
    assert_eq!(found.state_flags, StateFlags(flags));
    let kept = version > 1 && !newest;
    assert_eq!(found.sync_flags, kept.then_some(s.sync_flags));
    assert_eq!(found.updates, kept.then_some(s.updates));
    assert_eq!(found.log, s.log);
    assert_eq!(found.extra, extra_of(s, layout));
}

fn extra_of(s: &sent::State, layout: Layout) -> Option<Extra<'_>> {
    let tables = s.rtableid.map(|table| u32::try_from(table).ok());
    let both = Extra {
        rtableid: tables,
        max_mss: s.max_mss,
        min_ttl: s.min_ttl,
        set_tos: s.set_tos,
        set_prio: s.set_prio,
        rt: s.rt,
        queues: None,
        rt_ifname: b"",
        orig_ifname: b"",
        tagname: b"",
    };
    let ([qid, pqid], [dnpipe, dnrpipe]) = (s.queues, s.pipes);
    let freebsd = Extra {
        rtableid: [tables[0]; 2],
        queues: Some(Queues { qid, pqid, dnpipe, dnrpipe }),
        rt_ifname: until_nul(&s.rt_ifname),
        ..both
    };
    match layout {
        SIX => Some(both),
        Layout::FreeBsd1400 => Some(freebsd),
        Layout::FreeBsd1500 => Some(Extra {
            orig_ifname: until_nul(&s.orig_ifname),
            tagname: until_nul(&s.tagname),
            ..freebsd
        }),
        _ => None,
    }
}

/// Holds a decoded message against what was sent.
fn check_body(found: &Body<'_>, message: &Sent, action: Action, layout: Layout) {
    let (version, old) = (layout.version(), layout.version() < 5);
    let expected = match *message {
        Sent::State(ref state) => {
            let Body::State(found) = found else { panic!("{found:?}") };
            return check_state(found, state, layout.of(action));
        }
        Sent::Update(ref update) => Body::Compressed(Compressed {
            ids: Ids { id: update.id, creatorid: update.creatorid },
            src: peer_of(&update.src, layout),
            dst: peer_of(&update.dst, layout),
            expire_s: update.expire,
            timeout: Timeout(update.timeout),
            state_flags: (version == 6).then_some(StateFlags(update.state_flags.into())),
            updates: old.then_some(update.updates),
        }),
        Sent::Delete(Delete { id, creatorid, peers }) => {
            Body::Ids { ids: Ids { id, creatorid }, states: old.then_some(peers.map(PeerState)) }
        }
        Sent::Ack { id, creatorid } | Sent::Request { id, creatorid } => {
            Body::Ids { ids: Ids { id, creatorid }, states: None }
        }
        Sent::Clear(Clear { ref ifname, creatorid }) => {
            Body::Clear { ifname: until_nul(ifname), creatorid }
        }
        Sent::Bulk(Bulk { creatorid, endtime, status }) => {
            Body::Bus { status: BulkStatus(status), endtime_s: endtime, creatorid }
        }
        Sent::Tdb(tdb) => {
            let wide = layout == SIX && action == Action::Tdb;
            Body::Tdb(Tdb {
                spi: tdb.spi,
                dst: Some(tdb.dst),
                sproto: tdb.sproto,
                rpl: if wide { tdb.rpl } else { u64::from(tdb.rpl as u32) },
                cur_bytes: tdb.cur_bytes,
                updates: tdb.updates,
                rdomain: (version == 6).then_some(tdb.rdomain),
            })
        }
        Sent::Raw(ref bytes) => Body::Unknown(bytes),
    };
    assert_eq!(*found, expected);
}

/// What follows a sub-header.
#[derive(Clone, Debug)]
enum Group {
    /// Messages of a known kind.
    Known(Action, Vec<Sent>),
    /// Fragment actions of version 5: a count of nothing.
    Nothing(Action, u16),
    /// A number that version 6 does not have, so many words each.
    Unknown(u8, u8, u16),
}

/// Bytes of a frame that are there or not as a whole.
struct Unit<'a> {
    start: usize,
    end: usize,
    /// The message that they are.
    message: Option<(&'a Group, usize)>,
}

/// A frame, and what it is made of.
fn build(layout: Layout, groups: &[Group]) -> (Vec<u8>, Vec<Unit<'_>>) {
    let (mut frame, mut parts) = (Frame::new(layout), Vec::new());
    for group in groups {
        if layout.version() >= 5 {
            parts.push((4, None));
        }
        match *group {
            Group::Known(action, ref messages) => {
                frame = frame.add(action, messages);
                let sizes = messages.iter().map(|message| message.encode(layout, action).len());
                parts.extend(sizes.enumerate().map(|(nth, size)| (size, Some((group, nth)))));
            }
            Group::Nothing(action, count) => {
                frame = frame.raw(action.number(layout).unwrap(), 0, count, &[]);
                parts.push((0, Some((group, 0))));
            }
            Group::Unknown(number, words, count) => {
                let body = vec![number; usize::from(words) * 4 * usize::from(count)];
                frame = frame.raw(number, words, count, &body);
                parts.push((body.len(), Some((group, 0))));
            }
        }
    }
    if layout.version() == 5 {
        parts.push((4, None));
    }
    let mut end = layout.header();
    let units = parts.into_iter().map(|(size, message)| {
        let start = end;
        end += size;
        Unit { start, end, message }
    });
    (frame.bytes(), units.collect())
}

/// The layout that a packet is said to have.
fn packet_layout(layout: Layout, groups: &[Group]) -> Option<Found> {
    let first = groups.iter().find_map(|group| match group {
        Group::Known(action, messages) if matches!(messages[0], Sent::State(_)) => Some(*action),
        _ => None,
    });
    match layout.version() {
        5 => first.map(|action| layout_of(layout.of(action))),
        _ => Some(layout_of(layout)),
    }
}

/// Holds a message against its unit.
fn check_message(found: &Message<'_>, unit: &Unit<'_>, layout: Layout, frame: &[u8]) {
    let (group, nth) = unit.message.unwrap();
    assert_eq!((found.offset, found.bytes), (unit.start, &frame[unit.start..unit.end]));
    assert_eq!(usize::from(found.nth), nth);
    match group {
        Group::Known(action, messages) => {
            assert_eq!(found.action, action_of(*action));
            let uncounted = *action == Action::Clr && layout.version() < 5;
            let count = if uncounted { 0 } else { messages.len() };
            assert_eq!(usize::from(found.count), count);
            check_body(&found.body, &messages[nth], *action, layout);
        }
        Group::Nothing(action, count) => {
            assert_eq!((found.action, found.count), (action_of(*action), *count));
            assert_eq!(found.body, Body::None);
        }
        Group::Unknown(number, _, count) => {
            assert_eq!((found.action, found.count), (SyncAction::Other(*number), *count));
            assert_eq!(found.body, Body::Unknown(found.bytes));
        }
    }
}

/// The messages of `bytes`, of a packet that had `len`, and the fault that ended them.
fn read(bytes: &[u8], len: usize) -> (Vec<Message<'_>>, Option<DecodeError>) {
    let (mut messages, mut fault) = (Vec::new(), None);
    match pfsync::parse(bytes, len) {
        Err(error) => fault = Some(error),
        Ok(packet) => {
            let mut found = packet.messages();
            for message in &mut found {
                assert!(fault.is_none(), "something follows a fault");
                match message {
                    Ok(message) => messages.push(message),
                    Err(error) => fault = Some(error),
                }
            }
            assert!(found.next().is_none());
        }
    }
    (messages, fault)
}

/// The messages of a whole packet without a fault.
fn sound(bytes: &[u8]) -> Vec<Message<'_>> {
    let (messages, fault) = read(bytes, bytes.len());
    assert_eq!(fault, None);
    messages
}

/// The one state of a packet.
fn state_in(bytes: &[u8]) -> State<'_> {
    match sound(bytes)[..] {
        [Message { body: Body::State(state), .. }] => state,
        ref other => panic!("{other:?}"),
    }
}

fn ins(layout: Layout, states: &[sent::State]) -> Vec<u8> {
    let messages: Vec<Sent> = states.iter().map(Sent::from).collect();
    Frame::of(layout, Action::Ins, &messages).bytes()
}

fn delete(id: u64) -> Sent {
    Delete { id, creatorid: 0x2a, peers: [0; 2] }.into()
}

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![3 => any::<u32>(), 1 => Just(NO_RULE), 1 => 0..300u32]
}

fn field() -> impl Strategy<Value = [u8; 16]> {
    prop_oneof![any::<[u8; 16]>(), "[a-z0-9/]{0,16}".prop_map(encode::pflog::name)]
}

prop_compose! {
    fn peer()(
        (scrub_flags, scrub_ttl, scrub, ts_mod) in any::<(u16, u8, u8, u32)>(),
        (seqlo, seqhi, seqdiff) in any::<(u32, u32, u32)>(),
        (max_win, mss, state, wscale) in any::<(u16, u16, u8, u8)>(),
    ) -> sent::Peer {
        sent::Peer {
            scrub_flags, scrub_ttl, scrub, ts_mod, seqlo, seqhi, seqdiff, max_win, mss, state,
            wscale,
        }
    }
}

/// IP's versions, and families that no system gives to IP.
fn ip_version() -> impl Strategy<Value = u8> {
    prop_oneof![
        4 => Just(4u8),
        4 => Just(6u8),
        1 => prop::sample::select(vec![0u8, 1, 18, 255]),
    ]
}

prop_compose! {
    fn key()(addr in any::<[[u8; 16]; 2]>(), port in any::<[u16; 2]>(), rdomain in any::<u16>(),
             ip in ip_version()) -> Key {
        Key { addr, port, rdomain, ip }
    }
}

/// Both keys: the same, translated, of other families, or anything.
fn keys() -> impl Strategy<Value = [Key; 2]> {
    (key(), key(), 0..4u8).prop_map(|(wire, other, how)| match how {
        0 => [wire, wire],
        1 => {
            let (addr, port) = ([wire.addr[0], other.addr[1]], [wire.port[0], other.port[1]]);
            [wire, Key { addr, port, ..wire }]
        }
        2 => [wire, Key { ip: if wire.ip == 4 { 6 } else { 4 }, ..other }],
        _ => [wire, other],
    })
}

prop_compose! {
    fn late()(
        queues in any::<[u16; 2]>(),
        pipes in any::<[u16; 2]>(),
        rtableid in any::<[i32; 2]>(),
        (max_mss, rt, min_ttl, set_tos) in any::<(u16, u8, u8, u8)>(),
        set_prio in any::<[u8; 2]>(),
        rt_ifname in field(),
        orig_ifname in field(),
        tagname in prop_oneof![
            prop::collection::vec(any::<u8>(), 64),
            "[A-Z_]{0,64}".prop_map(String::into_bytes),
        ],
        rt_ip in ip_version(),
        stack_proto in any::<u8>(),
    ) -> sent::State {
        sent::State {
            queues, pipes, rtableid, max_mss, rt, min_ttl, set_tos, set_prio, rt_ifname,
            orig_ifname, tagname, rt_ip, stack_proto, ..sent::State::default()
        }
    }
}

prop_compose! {
    fn state()(
        late in late(),
        (id, creatorid) in any::<(u64, u32)>(),
        ifname in field(),
        [wire, stack] in keys(),
        (src, dst) in (peer(), peer()),
        rt_addr in prop_oneof![any::<[u8; 16]>(), Just([0; 16])],
        [rule, anchor, nat_rule] in [number(), number(), number()],
        (creation, expire) in any::<(u32, u32)>(),
        (packets, bytes) in any::<([u64; 2], [u64; 2])>(),
        (proto, log, state_flags, timeout) in any::<(u8, u8, u16, u8)>(),
        direction in prop_oneof![4 => Just(IN), 4 => Just(OUT), 1 => any::<u8>()],
        (sync_flags, updates) in any::<(u8, u8)>(),
    ) -> sent::State {
        sent::State {
            id, creatorid, ifname, wire, stack, src, dst, rt_addr, rule, anchor, nat_rule,
            creation, expire, packets, bytes, proto, log, state_flags, timeout, direction,
            sync_flags, updates, ..late
        }
    }
}

fn message(action: Action) -> BoxedStrategy<Sent> {
    match action {
        Action::Ins | Action::Upd | Action::Del | Action::OldIns | Action::OldUpd => {
            state().prop_map(Sent::from).boxed()
        }
        Action::UpdC => (any::<(u64, u32, u32, u8, u8, u8)>(), peer(), peer())
            .prop_map(|((id, creatorid, expire, timeout, updates, state_flags), src, dst)| {
                Update { id, src, dst, creatorid, expire, timeout, updates, state_flags }.into()
            })
            .boxed(),
        Action::DelC => any::<(u64, u32, [u8; 2])>()
            .prop_map(|(id, creatorid, peers)| Delete { id, creatorid, peers }.into())
            .boxed(),
        Action::InsAck => {
            any::<(u64, u32)>().prop_map(|(id, creatorid)| Sent::Ack { id, creatorid }).boxed()
        }
        Action::UpdReq => {
            any::<(u64, u32)>().prop_map(|(id, creatorid)| Sent::Request { id, creatorid }).boxed()
        }
        Action::Clr => (field(), any::<u32>())
            .prop_map(|(ifname, creatorid)| Clear { ifname, creatorid }.into())
            .boxed(),
        Action::Bus => any::<(u32, u32, u8)>()
            .prop_map(|(creatorid, endtime, status)| Bulk { creatorid, endtime, status }.into())
            .boxed(),
        Action::Tdb | Action::OldTdb => (any::<(u32, u64, u64, u8, u8, u16)>(), any::<IpAddr>())
            .prop_map(|((spi, rpl, cur_bytes, sproto, updates, rdomain), dst)| {
                SentTdb { spi, dst, rpl, cur_bytes, sproto, updates, rdomain }.into()
            })
            .boxed(),
        Action::InsF | Action::DelF | Action::Eof => panic!("{action:?} has no messages"),
    }
}

/// Messages of one kind; up to version 4 a clr is alone.
fn group(layout: Layout, action: Action) -> BoxedStrategy<Group> {
    if matches!(action, Action::InsF | Action::DelF) {
        return (1..=u16::MAX).prop_map(move |count| Group::Nothing(action, count)).boxed();
    }
    let most = if action == Action::Clr && layout.version() < 5 { 1 } else { 3 };
    prop::collection::vec(message(action), 1..=most)
        .prop_map(move |mut messages| {
            if is_one(layout) {
                messages.iter_mut().for_each(tame);
            }
            Group::Known(action, messages)
        })
        .boxed()
}

/// The byte order of version 1 is told by the times, which must not be too long.
fn tame(message: &mut Sent) {
    if let Sent::State(state) = message {
        state.creation &= 0xffff;
        state.expire &= 0xffff;
    }
}

/// A layout, and what a packet of it holds.
fn packet() -> impl Strategy<Value = (Layout, Vec<Group>)> {
    prop::sample::select(Layout::ALL.to_vec()).prop_flat_map(|layout| {
        let version = layout.version();
        let known = Action::ALL.into_iter().filter(|action| match action {
            Action::Eof => false,
            // Without a body: up to version 4 nothing is said, in version 6 it is an error. Behind
            // two of OpenBSD's states it could be the end of two of FreeBSD's.
            Action::InsF | Action::DelF => layout.freebsd(),
            Action::Clr => version > 1,
            _ => action.number(layout).is_some(),
        });
        let known = prop::sample::select(known.collect::<Vec<_>>());
        let known = known.prop_flat_map(move |action| group(layout, action)).boxed();
        let any = if version == 6 {
            let unknown =
                (17..=255u8, 1..20u8, 1..4u16).prop_map(|(a, b, c)| Group::Unknown(a, b, c));
            prop_oneof![8 => known, 1 => unknown].boxed()
        } else {
            known
        };
        let most = if version < 5 { 1 } else { 4 };
        (Just(layout), prop::collection::vec(any, 1..=most))
    })
}

proptest! {
    /// Whatever the fields are, they come back, in every layout and action.
    #[test]
    fn what_is_encoded_is_decoded((layout, groups) in packet()) {
        let (bytes, units) = build(layout, &groups);
        prop_assert_eq!(units.last().unwrap().end, bytes.len());
        let header = pfsync::parse(&bytes, bytes.len()).unwrap();
        let expected = packet_layout(layout, &groups);
        prop_assert_eq!((header.version, header.layout), (layout.version(), expected));
        let messages = sound(&bytes);
        let units = units.iter().filter(|unit| unit.message.is_some());
        prop_assert_eq!(messages.len(), units.clone().count());
        for (index, (found, unit)) in messages.iter().zip(units).enumerate() {
            prop_assert_eq!(found.index, index);
            let own = match found.body {
                Body::State(state) => Some(state.layout),
                _ => expected,
            };
            prop_assert_eq!(found.layout, own);
            check_message(found, unit, layout, &bytes);
        }
    }

    /// Of a packet that a capture cut, what is whole is as in the whole one, and the fault is at
    /// the first that is not.
    #[test]
    fn a_cut_packet_keeps_its_whole_messages(
        (layout, mut groups) in packet(), first in state(), states in 1..4usize,
    ) {
        if layout == Layout::OpenBsd5 {
            // Only a family of IPv6 tells a cut packet from FreeBSD's.
            let wire = Key { ip: 6, ..first.wire };
            let state = sent::State { wire, ..first };
            groups.insert(0, Group::Known(Action::Ins, vec![state.into(); states]));
        }
        let (bytes, units) = build(layout, &groups);
        for n in 0..bytes.len() {
            let (messages, fault) = read(&bytes[..n], bytes.len());
            let fault = fault.unwrap();
            prop_assert_eq!(fault.layer, Layer::Pfsync);
            let Fault::Truncated { needed } = fault.fault else { panic!("{fault:?}") };
            prop_assert!(needed > n);
            if n < layout.header() {
                prop_assert_eq!((fault.offset, messages.len()), (0, 0));
                continue;
            }
            if layout == Layout::OpenBsd5 && n < 20 + 4 + 233 {
                prop_assert_eq!(messages.len(), 0);
                continue;
            }
            let cut = units.iter().position(|unit| unit.end > n).unwrap();
            prop_assert_eq!(fault.offset, units[cut].start);
            let whole = units[..cut].iter().filter(|unit| unit.message.is_some());
            prop_assert_eq!(messages.len(), whole.clone().count());
            for (found, unit) in messages.iter().zip(whole) {
                check_message(found, unit, layout, &bytes);
            }
        }
    }

    /// The same where the length of the packet is less than what its header claims.
    #[test]
    fn a_short_packet_keeps_its_whole_messages((layout, groups) in packet()) {
        let (bytes, units) = build(layout, &groups);
        if layout.version() < 5 || layout == Layout::OpenBsd5 {
            return Ok(());
        }
        for n in layout.header()..bytes.len() {
            let (messages, fault) = read(&bytes[..n], n);
            let expected = DecodeError {
                layer: Layer::Pfsync,
                offset: 2,
                fault: Fault::BadLength(bytes.len()),
            };
            prop_assert_eq!(fault, Some(expected));
            let whole = units.iter().filter(|unit| unit.message.is_some() && unit.end <= n);
            prop_assert_eq!(messages.len(), whole.count());
        }
    }

    /// Bytes of chance have an end, and nothing is made up.
    #[test]
    fn no_bytes_are_too_odd(
        version in 0..8u8,
        len in prop_oneof![Just(None), any::<u16>().prop_map(Some)],
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0..17u8], 0..700),
        more in 0..100usize,
    ) {
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = version;
        }
        let claimed = len.unwrap_or(bytes.len() as u16).to_be_bytes();
        if let (5.., Some(place)) = (version, bytes.get_mut(2..4)) {
            place.copy_from_slice(&claimed);
        }
        holds(&bytes, bytes.len() + more);
    }

    /// A byte of a sound packet changes.
    #[test]
    fn a_changed_packet_ends(
        (layout, groups) in packet(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let (mut bytes, _) = build(layout, &groups);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        holds(&bytes, bytes.len());
    }
}

/// What is true of every packet.
fn holds(bytes: &[u8], len: usize) {
    let (messages, fault) = read(bytes, len);
    // A group whose messages are nothing takes four bytes of its own.
    assert!(messages.len() <= bytes.len() / 4);
    let mut end = 0;
    for (index, message) in messages.iter().enumerate() {
        assert!(message.offset >= end && message.index == index);
        end = message.offset + message.bytes.len();
        assert_eq!(&bytes[message.offset..end], message.bytes);
        if let Body::State(state) = message.body {
            assert!(state.ifname.len() <= 16 && !state.ifname.contains(&0));
        }
    }
    if let Some(error) = fault {
        assert!(error.layer == Layer::Pfsync && error.offset <= bytes.len());
        if let Fault::Truncated { needed } = error.fault {
            // What is behind the length in the header is not looked at.
            let claimed = pfsync::parse(bytes, len).ok().and_then(|header| header.len);
            let end = claimed.map_or(bytes.len(), |claimed| claimed.min(bytes.len()));
            assert!(needed > end, "{error:?} of {end} bytes");
        }
    }
}

/// The numbers are shared: 18 with Classical IP over ATM, 121 with HHDLC.
#[test]
fn trap_20_link_types_that_others_have_too() {
    let bytes = ins(SIX, &[sent::State::default()]);
    for link in [18, 121, 246] {
        let found = event(link, &bytes);
        assert_eq!((found.kind, found.error, found.packet), (Kind::Pfsync, None, None));
        assert_eq!(found.pfsync.unwrap().messages().count(), 1);
        for bad in [&[0x0f, 0, 8, 0, 0x45, 0][..], &[7; 40], &[5, 0, 8, 0], &[]] {
            assert_eq!(event(link, bad).kind, Kind::Undecoded);
        }
    }
    let atm = Ip::v4().packet(protocol::ICMP, &icmp::echo(8, 77, 1, &[0x2a; 16]));
    let found = event(18, &atm);
    assert_eq!((found.kind, found.error, found.pfsync), (Kind::Packet, None, None));
    assert_eq!(found.packet.unwrap().bytes, atm);
}

/// OpenBSD's tcpdump does not expect it.
#[test]
fn trap_21_an_ip_header_in_front() {
    let bytes = ins(SIX, &[sent::State::default()]);
    for (link, record) in [(18, tapped(7, &bytes)), (246, tapped(7, &bytes)), (18, bytes.clone())] {
        let found = event(link, &record);
        assert_eq!((found.kind, found.error), (Kind::Pfsync, None));
        assert_eq!(found.packet.is_some(), record.len() > bytes.len());
        assert_eq!(found.pfsync, Some(pfsync::parse(&bytes, bytes.len()).unwrap()));
    }
}

#[test]
fn trap_22_four_layouts_of_version_5() {
    for layout in FIVES {
        for n in 1..5 {
            let states = vec![sent::State { id: 77, ..sent::State::default() }; n];
            let bytes = ins(layout, &states);
            let header = pfsync::parse(&bytes, bytes.len()).unwrap();
            assert_eq!(header.layout, Some(layout_of(layout)));
            for (message, state) in sound(&bytes).iter().zip(&states) {
                check_body(&message.body, &Sent::from(state), Action::Ins, layout);
            }
        }
    }
}

#[test]
fn trap_23_numbers_13_to_15_depend_on_the_version() {
    let (s, t) = (sent::State::default(), SentTdb::default());
    let found = |layout: Layout, number, words, body: &[u8]| {
        let bytes = Frame::new(layout).raw(number, words, 1, body).bytes();
        let message = sound(&bytes)[0];
        (message.action, message.layout)
    };
    let five = Layout::FreeBsd1301;
    for (number, layout, action) in [
        (13, Layout::FreeBsd1400, SyncAction::Ins),
        (14, Layout::FreeBsd1400, SyncAction::Upd),
        (15, Layout::FreeBsd1500, SyncAction::Ins),
        (16, Layout::FreeBsd1500, SyncAction::Upd),
    ] {
        let expected = (action, Some(layout_of(layout)));
        assert_eq!(found(five, number, 0, &s.encode(layout)), expected);
    }
    let six = Some(Found::Openbsd6);
    assert_eq!(found(SIX, 13, 66, &s.encode(SIX)), (SyncAction::Ins, six));
    assert_eq!(found(SIX, 14, 66, &s.encode(SIX)), (SyncAction::Upd, six));
    let tdb = Sent::from(t).encode(SIX, Action::Tdb);
    assert_eq!(found(SIX, 15, 13, &tdb), (SyncAction::Tdb, six));
    assert_eq!(found(SIX, 16, 1, &[0; 4]), (SyncAction::Other(16), six));
}

#[test]
fn trap_24_version_6_says_its_sizes_and_version_5_does_not() {
    // Too short for its action, and none that is known: both are stepped over.
    for (number, words) in [(7, 2), (13, 60), (77, 9)] {
        let skipped = vec![1; usize::from(words) * 8];
        let frame = Frame::new(SIX).raw(number, words, 2, &skipped);
        let bytes = frame.add(Action::DelC, &[delete(9)]).bytes();
        let messages = sound(&bytes);
        assert_eq!(messages.len(), 2);
        assert_eq!((messages[0].body, messages[0].count), (Body::Unknown(&skipped), 2));
        check_body(&messages[1].body, &delete(9), Action::DelC, SIX);
    }
    // In version 5 nothing is found behind what is not known.
    let five = Layout::FreeBsd1301;
    let frame = Frame::new(five).raw(77, 0, 2, &[1; 24]).add(Action::DelC, &[delete(9)]);
    let bytes = frame.bytes();
    let messages = sound(&bytes);
    assert_eq!((messages.len(), messages[0].action), (1, SyncAction::Other(77)));
    assert_eq!(messages[0].body, Body::Unknown(&bytes[24..]));
}

#[test]
fn trap_25_longer_messages_than_known() {
    let states = [1, 2].map(|id| sent::State { id, ..sent::State::default() });
    let body: Vec<u8> =
        states.iter().flat_map(|s| [s.encode(SIX), vec![0xa5; 8]].concat()).collect();
    let frame = Frame::new(SIX).raw(13, 68, 2, &body).add(Action::DelC, &[delete(9)]);
    let bytes = frame.bytes();
    let messages = sound(&bytes);
    assert_eq!(messages.len(), 3);
    for (message, state) in messages.iter().zip(&states) {
        assert_eq!(message.bytes.len(), 272);
        check_body(&message.body, &state.into(), Action::Ins, SIX);
    }
    check_body(&messages[2].body, &delete(9), Action::DelC, SIX);
}

#[test]
fn trap_26_more_messages_than_bytes() {
    let s = sent::State::default();
    for (layout, number, words, count, whole) in [
        (SIX, 13, 66, 65_535, 1),
        (SIX, 13, 255, 65_535, 0),
        (SIX, 77, 255, 65_535, 0),
        (Layout::FreeBsd1301, 1, 0, 65_535, 1),
        (Layout::FreeBsd1500, 15, 0, 65_535, 1),
        (Layout::V4, 1, 0, 255, 1),
        (Layout::V2, 1, 0, 255, 1),
    ] {
        let bytes = Frame::new(layout).raw(number, words, count, &s.encode(layout)).ended();
        let (messages, fault) = read(&bytes, bytes.len());
        assert_eq!(messages.len(), whole, "{layout:?}");
        let fault = fault.unwrap();
        assert!(matches!(fault.fault, Fault::Truncated { .. }), "{fault:?}");
        let at = layout.header() + if layout.version() > 4 { 4 } else { 0 };
        assert_eq!(fault.offset, at + whole * layout.state());
    }
}

/// A loop over the count would run 65535 times for nothing, group by group.
#[test]
fn trap_27_messages_without_bytes() {
    let five = Layout::FreeBsd1301;
    let mut frame = Frame::new(five);
    for _ in 0..10_000 {
        frame = frame.raw(8, 0, 65_535, &[]);
    }
    let bytes = frame.add(Action::DelC, &[delete(9)]).bytes();
    let start = Instant::now();
    let messages = sound(&bytes);
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(messages.len(), 10_001);
    assert_eq!((messages[0].body, messages[0].count), (Body::None, 65_535));
    check_body(&messages[10_000].body, &delete(9), Action::DelC, five);
    let ended = Frame::new(five).raw(12, 0, 65_535, &[]).ended();
    assert_eq!(sound(&ended).len(), 0);
    // OpenBSD's receivers take neither.
    for (words, count, at) in [(0, 65_535, 21), (3, 0, 22), (0, 0, 21)] {
        let bytes = Frame::new(SIX).raw(8, words, count, &[]).bytes();
        let fault = DecodeError { layer: Layer::Pfsync, offset: at, fault: Fault::BadLength(0) };
        assert_eq!(read(&bytes, bytes.len()), (vec![], Some(fault)));
    }
}

#[test]
fn trap_28_records_that_are_not_aligned() {
    let states =
        [1, 2, 3].map(|id| sent::State { id, packets: [id << 40, 7], ..Default::default() });
    for layout in [Layout::FreeBsd1301, Layout::FreeBsd1400, Layout::FreeBsd1500] {
        for shift in 0..8 {
            let bytes = [vec![0; shift], ins(layout, &states)].concat();
            let messages = sound(&bytes[shift..]);
            assert_eq!(messages.len(), 3);
            for (message, state) in messages.iter().zip(&states) {
                check_body(&message.body, &state.into(), Action::Ins, layout);
            }
        }
    }
}

/// FreeBSD's own tcpdump reads the tag for them.
#[test]
fn trap_29_family_protocol_and_direction_of_1500() {
    let s =
        sent::State { tagname: vec![b'T'; 64], direction: OUT, proto: 17, ..Default::default() };
    let bytes = ins(Layout::FreeBsd1500, &[s]);
    let found = state_in(&bytes);
    assert_eq!((found.wire.af, found.wire.proto, found.direction), (2, 17, Direction::OUT));
    assert_eq!(found.extra.unwrap().tagname, [b'T'; 64]);
    let at = |offset: usize| bytes[20 + 4 + offset];
    assert_eq!((at(344), at(345), at(347), at(351)), (2, 2, 17, 2));
}

#[test]
fn trap_30_replay_counters_of_32_and_64_bits() {
    let tdb = SentTdb { rpl: 0x1_0000_0007, rdomain: 3, ..SentTdb::default() };
    for (layout, action, rpl, rdomain) in [
        (Layout::V3, Action::Tdb, 7, None),
        (Layout::V4, Action::Tdb, 7, None),
        (Layout::OpenBsd5, Action::Tdb, 7, None),
        (Layout::FreeBsd1500, Action::Tdb, 7, None),
        (SIX, Action::OldTdb, 7, Some(3)),
        (SIX, Action::Tdb, 0x1_0000_0007, Some(3)),
    ] {
        let bytes = Frame::of(layout, action, &[tdb.into(), tdb.into()]).bytes();
        let messages = sound(&bytes);
        assert_eq!(messages.len(), 2);
        for message in messages {
            let Body::Tdb(found) = message.body else { panic!("{message:?}") };
            assert_eq!((found.rpl, found.rdomain, found.sproto), (rpl, rdomain, 50));
            assert_eq!(found.cur_bytes, 123_456_789);
        }
    }
}

#[test]
fn trap_31_counters_in_two_words() {
    let (packets, bytes) = ([0x1_0000_0002, 3], [u64::MAX, 0xffff_ffff_0000_0000]);
    let s = sent::State { packets, bytes, ..Default::default() };
    for layout in Layout::ALL {
        let frame = ins(layout, std::slice::from_ref(&s));
        let found = state_in(&frame);
        match layout.version() {
            1 => assert_eq!(found.packets, [5, 0]),
            2 => assert_eq!((found.packets, found.bytes), ([2, 3], [0xffff_ffff, 0])),
            _ => assert_eq!((found.packets, found.bytes), (packets, bytes)),
        }
    }
}

#[test]
fn trap_32_version_1_is_a_piece_of_kernel_memory() {
    let s = sent::State { nat_rule: 9, ..Default::default() };
    for layout in [Layout::V1Ilp32, Layout::V1Lp64] {
        for n in 1..6 {
            let bytes = ins(layout, &vec![s.clone(); n]);
            let messages = sound(&bytes);
            assert_eq!(messages.len(), n);
            messages.iter().for_each(|m| check_body(&m.body, &(&s).into(), Action::Ins, layout));
            // No size of a state: all of it is kept, and nothing is guessed.
            let bytes = [&bytes[..], &[0; 3]].concat();
            assert_eq!(sound(&bytes)[..].len(), 1);
            assert_eq!(sound(&bytes)[0].body, Body::Unknown(&bytes[4..]));
        }
    }
    // A little-endian kernel that left the times as they were.
    let mut bytes = ins(Layout::V1Ilp32, &[s]);
    let at = 4 + 144 - 24;
    assert_eq!(bytes[at..at + 8], [0, 0, 0, 90, 0, 1, 0x51, 0x26]);
    bytes[at..at + 4].reverse();
    bytes[at + 4..at + 8].reverse();
    let found = state_in(&bytes);
    assert_eq!((found.creation_s, found.expire_s), (90, 86_310));
}

#[test]
fn trap_33_a_creatorid_has_eight_digits() {
    let s = sent::State { id: 7, creatorid: 0x2a, ..Default::default() };
    for layout in Layout::ALL.into_iter().filter(|layout| !is_one(*layout)) {
        let json = json(&ins(layout, std::slice::from_ref(&s)));
        assert_eq!(json[0]["pfsync"]["state"]["creatorid"], "0000002a");
    }
}

fn json(bytes: &[u8]) -> Vec<serde_json::Value> {
    let (mut page, mut scratch) = (Page::default(), Vec::new());
    let mut sink = Json::new(Origin::File(b"file".to_vec()), Default::default());
    sink.event(&event(246, bytes), &mut page);
    let mut binder = Binder::new(TimeStyle::TimeOfDay, Precision::Micros, None);
    let bound = binder.bind(&page, &mut scratch);
    let lines = bound.bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// The default of pflogd(8) is 160 bytes, of tcpdump 262144, of old ones 68 or 96.
#[test]
fn trap_34_captures_that_end_in_a_state() {
    let states = [1, 2, 3].map(|id| sent::State { id, ..sent::State::default() });
    for (layout, link) in [(SIX, 18), (Layout::FreeBsd1301, 121), (Layout::V4, 18)] {
        let bytes = ins(layout, &states);
        let sub = if layout.version() > 4 { 4 } else { 0 };
        for (kept, whole) in [(68, 0), (96, 0), (160, 0), (300, 1), (600, 2)] {
            let event = alone(cut(link, &bytes[..kept], bytes.len()), ByteOrder::Little);
            let error = event.error.unwrap();
            let offset = layout.header() + sub + whole * layout.state();
            assert_eq!((error.layer, error.offset), (Layer::Pfsync, offset));
            let found = event.pfsync.map_or(0, |p| p.messages().filter(Result::is_ok).count());
            assert_eq!(found, whole);
        }
    }
}

/// What travels is compressed, what pfsync0 shows is not.
#[test]
fn trap_36_compressed_updates_on_the_wire() {
    let s = sent::State::default();
    for layout in [Layout::V2, Layout::V3, Layout::V4] {
        for (action, message) in
            [(Action::UpdC, Update::of(&s).into()), (Action::DelC, Delete::of(&s).into())]
        {
            let bytes = Frame::of(layout, action, std::slice::from_ref(&message)).bytes();
            let group = encode::pfsync::ip("192.0.2.241", encode::pfsync::GROUP);
            let packet = group.packet(protocol::PFSYNC, &bytes);
            for (link, record) in [(101, &packet), (18, &bytes)] {
                let found = event(link, record);
                assert_eq!((found.kind, found.error), (Kind::Pfsync, None));
                let messages: Vec<_> =
                    found.pfsync.unwrap().messages().map(Result::unwrap).collect();
                assert_eq!((messages.len(), messages[0].action), (1, action_of(action)));
                check_body(&messages[0].body, &message, action, layout);
            }
        }
    }
}

#[test]
fn trap_37_version_5_has_padding_where_version_6_has_a_length() {
    let s = sent::State::default();
    let frame =
        |pad| Frame::new(Layout::FreeBsd1301).raw(1, pad, 1, &s.encode(Layout::FreeBsd1301));
    for pad in [0, 1, 66, 255] {
        let bytes = frame(pad).bytes();
        check_state(&state_in(&bytes), &s, Layout::FreeBsd1301);
    }
}

/// Lines of JSON by what they are: pfsync's by action, the others by type.
fn lines(name: &str) -> BTreeMap<String, usize> {
    let path = testdata(&format!("pfsync/{name}"));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let arguments = ["pfscope", "--format", "json", "-r", path.to_str().unwrap()];
    pfscope::cli::run(arguments, &mut out, &mut err);
    let mut counts = BTreeMap::new();
    for line in out.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let value: serde_json::Value = serde_json::from_slice(line).unwrap();
        let kind = match &value["pfsync"] {
            serde_json::Value::Object(pfsync) if value["type"] == "pfsync" => {
                pfsync.get("action").map_or("empty", |action| action.as_str().unwrap_or("unknown"))
            }
            _ => value["type"].as_str().unwrap(),
        };
        *counts.entry(kind.to_owned()).or_default() += 1;
    }
    counts
}

/// Captures that are not of one layout, and what is in them. Only those that are damaged, or of
/// something else, have a line that is undecoded.
const CAPTURES: [(&str, &str); 21] = [
    ("atm-18.pcap", "del_c 1 packet 2"),
    ("bad-counts.pcap", "del 1 del_c 4 del_f 1 empty 1 ins 6 ins_f 1 undecoded 12 unknown 1 upd 1"),
    ("bad-frames.pcap", "ins 20 packet 6 undecoded 44"),
    ("bad-sizes.pcap", "bus 1 del_c 12 ins 8 undecoded 3 unknown 5 upd_c 2"),
    ("fragments.pcap", "ins 23 ins_ack 1 packet 15"),
    ("hhdlc-121.pcap", "undecoded 3"),
    ("lifecycle.pcap", "bus 4 clr 2 del 1 del_c 3 ins 6 ins_ack 1 upd 5 upd_c 3 upd_req 3"),
    ("link-121.pcap", "del_c 1 ins 3"),
    ("link-18.pcap", "del_c 2 ins 3"),
    ("link-246.pcap", "del_c 8 ins 13"),
    ("link-pfsync-ethernet.pcap", "del_c 9 ins 12"),
    ("link-pfsync-raw101.pcap", "del_c 2 ins 2"),
    ("nat-join.pcapng", "del_c 2 ins 4 pflog 6"),
    ("one-way.pcap", "del_c 6 ins 6 upd_c 6 upd_req 3"),
    ("openbsd6-old-actions.pcap", "del_c 2 ins 1 oins 3 otdb 3 oupd 1"),
    ("pair-freebsd.pcap", "bus 2 del_c 8 ins 8 ins_ack 8 upd 1 upd_c 16 upd_req 1"),
    ("pair.pcap", "bus 2 del_c 8 ins 8 ins_ack 8 upd 1 upd_c 16 upd_req 1"),
    ("regression.pcap", "ins 1 upd_c 9"),
    ("spoof.pcap", "clr 5 ins 5 ins_ack 1"),
    ("storm.pcap", "ins 2 upd_c 60 upd_req 25"),
    ("versions.pcap", "bus 1 ins 9 upd 8 upd_req 1"),
];

/// The captures of one layout each.
const LAYOUTS: [(&str, Layout); 10] = [
    ("v1-ilp32-le.pcap", Layout::V1Ilp32),
    ("v1-lp64-be.pcap", Layout::V1Lp64),
    ("v2.pcap", Layout::V2),
    ("v3.pcap", Layout::V3),
    ("v4.pcap", Layout::V4),
    ("openbsd5.pcap", Layout::OpenBsd5),
    ("freebsd1301.pcap", Layout::FreeBsd1301),
    ("freebsd1400.pcap", Layout::FreeBsd1400),
    ("freebsd1500.pcap", Layout::FreeBsd1500),
    ("openbsd6.pcap", SIX),
];

#[test]
fn each_capture_holds_what_its_notes_say() {
    for (name, expected) in CAPTURES {
        let found: Vec<_> = lines(name).into_iter().map(|(k, v)| format!("{k} {v}")).collect();
        assert_eq!(found.join(" "), expected, "{name}");
        let damaged = name.starts_with("bad-") || name.starts_with("hhdlc-");
        assert_eq!(expected.contains("undecoded"), damaged, "{name}");
    }
    let known = CAPTURES.map(|(name, _)| name).into_iter().chain(LAYOUTS.map(|(name, _)| name));
    let known: BTreeSet<String> = known.map(str::to_owned).collect();
    let files = fs::read_dir(testdata("pfsync")).unwrap();
    let files = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(known, files.collect());
}

/// Every action of the version, and every state of the cast.
#[test]
fn each_layout_s_capture_holds_every_action() {
    for (name, layout) in LAYOUTS {
        let cast = recipe::sync::cast::all(layout);
        let version = layout.version();
        // Versions 5 and 6 also have a packet of six kinds, and one of none.
        let late = usize::from(version > 4);
        let states = [("ins", cast.len() + late), ("upd", 2 + late), ("del", 2)];
        let others = [("upd_req", 2), ("bus", 3), ("upd_c", 4), ("del_c", 3), ("clr", 2)];
        let mixed = [("upd_req", 1), ("upd_c", 1), ("del_c", 2), ("ins_ack", 3), ("empty", 1)];
        let mut expected = BTreeMap::new();
        let mut add = |counts: &[(&str, usize)]| {
            for (kind, count) in counts {
                *expected.entry((*kind).to_owned()).or_default() += count;
            }
        };
        add(&states);
        match version {
            // A clear says nothing more; what is longer than its count is not decoded.
            1 => add(&[("empty", 1), ("upd", 1)]),
            // Fragment actions have no body.
            2..=4 => add(&[("empty", 2)]),
            5 => add(&[("ins_f", 1), ("del_f", 1)]),
            _ => {}
        }
        if version > 1 {
            add(&others);
        }
        if version > 2 {
            add(&[("tdb", 2)]);
        }
        if version > 4 {
            add(&mixed);
        }
        assert_eq!(lines(name), expected, "{name}");
        // The states are those of the cast, in their order.
        let mut sent = cast.iter();
        each_event(&testdata(&format!("pfsync/{name}")), |event| {
            assert!(event.error.is_none() && event.kind == Kind::Pfsync);
            for message in event.pfsync.unwrap().messages().map(Result::unwrap) {
                if message.action == SyncAction::Ins
                    && let Some(state) = sent.next()
                {
                    check_body(&message.body, &state.into(), Action::Ins, layout);
                }
            }
        });
        assert!(sent.next().is_none(), "{name}");
    }
}
