//! Two firewalls on their wire, in order and out of it.

use super::cast::{self, A, B};
use super::layouts::deletes;
use super::links::{NODE_A, NODE_B, NODE_X, Node};
use super::{File, Log};
use crate::encode::Order;
use crate::encode::link::link_type;
use crate::encode::packet::ip::Ip;
use crate::encode::packet::protocol::PFSYNC;
use crate::encode::pfsync::message::{Bulk, Clear, Message, Update};
use crate::encode::pfsync::state::{Peer, State};
use crate::encode::pfsync::{Action, Frame, Layout};

const SIX: Layout = Layout::OpenBsd6;

pub(super) fn files() -> Vec<File> {
    vec![
        File::new("pair.pcap", pair(Layout::OpenBsd6)),
        File::new("pair-freebsd.pcap", pair(Layout::FreeBsd1400)),
        File::new("one-way.pcap", one_way()),
        File::new("storm.pcap", storm()),
        File::new("spoof.pcap", spoof()),
        File::new("regression.pcap", regression()),
        File::new("versions.pcap", versions()),
    ]
}

/// An Ethernet capture that counts the packets' identifications.
struct Wire {
    log: Log,
    id: u16,
}

impl Wire {
    fn new() -> Self {
        Self { log: Log::new(Order::Little, link_type::ETHERNET), id: 0 }
    }

    fn add(&mut self, seconds: f64, node: Node, frame: &Frame) {
        self.id += 1;
        self.log.add_at(seconds, &node.sends(self.id, frame));
    }
}

fn one(layout: Layout, action: Action, message: impl Into<Message>) -> Frame {
    Frame::of(layout, action, &[message.into()])
}

fn everything() -> Message {
    Message::Request { id: 0, creatorid: 0 }
}

fn state(id: u64, creatorid: u32, peers: (u8, u8)) -> State {
    State { id, creatorid, ..cast::tcp(40_000 + id as u16, peers) }
}

/// B starts, is told all, then both tell each other about their own for a minute.
fn pair(layout: Layout) -> Vec<u8> {
    let mut wire = Wire::new();
    let bus = |status| Bulk { creatorid: A, endtime: 7_200, status };
    wire.add(0.0, NODE_B, &one(layout, Action::UpdReq, everything()));
    wire.add(0.05, NODE_A, &one(layout, Action::Bus, bus(1)));
    wire.add(0.06, NODE_A, &one(layout, Action::Upd, state(1, A, (4, 4))));
    wire.add(0.07, NODE_A, &one(layout, Action::Bus, bus(2)));
    let turns = [(NODE_A, NODE_B, A), (NODE_B, NODE_A, B)];
    for turn in 0..8_u32 {
        let (owner, peer, creatorid) = turns[turn as usize % 2];
        let start = 2.0 + f64::from(turn) * 7.0;
        let id = 10 + u64::from(turn);
        let (new, open) = (state(id, creatorid, (2, 0)), state(id, creatorid, (4, 4)));
        let done = state(id, creatorid, (9, 9));
        wire.add(start, owner, &one(layout, Action::Ins, new));
        wire.add(start + 0.8, peer, &one(layout, Action::InsAck, Message::Ack { id, creatorid }));
        wire.add(start + 1.5, owner, &one(layout, Action::UpdC, Update::of(&open)));
        wire.add(start + 5.0, owner, &one(layout, Action::UpdC, Update::of(&done)));
        wire.add(start + 6.0, owner, &Frame::of(layout, Action::DelC, &deletes(&[done])));
    }
    wire.log.finish()
}

/// A asks, tells, is never answered.
fn one_way() -> Vec<u8> {
    let mut wire = Wire::new();
    for turn in 0..6_u32 {
        let start = f64::from(turn) * 10.0;
        let id = 20 + u64::from(turn);
        if turn % 2 == 0 {
            wire.add(start, NODE_A, &one(SIX, Action::UpdReq, everything()));
        }
        wire.add(start + 1.0, NODE_A, &one(SIX, Action::Ins, state(id, A, (2, 0))));
        let open = state(id, A, (4, 4));
        wire.add(start + 2.0, NODE_A, &one(SIX, Action::UpdC, Update::of(&open)));
        wire.add(start + 9.0, NODE_A, &Frame::of(SIX, Action::DelC, &deletes(&[open])));
    }
    wire.log.finish()
}

/// The same two states updated a thousand times a second, then requests as fast.
fn storm() -> Vec<u8> {
    let mut wire = Wire::new();
    for id in [1, 2] {
        wire.add(0.0, NODE_A, &one(SIX, Action::Ins, state(id, A, (4, 4))));
    }
    for n in 0..30_u32 {
        let updates: Vec<Message> = [1, 2]
            .map(|id| {
                let src = cast::tcp_peer(4, 1_000_000 + n * 1_460);
                Update::of(&State { src, ..state(id, A, (4, 4)) }).into()
            })
            .into();
        let at = 10.0 + f64::from(n) * 0.001;
        wire.add(at, NODE_A, &Frame::of(SIX, Action::UpdC, &updates));
    }
    for n in 0..25_u32 {
        let request = Message::Request { id: 0xbad0_0000 + u64::from(n), creatorid: A };
        let at = 20.0 + f64::from(n) * 0.0005;
        wire.add(at, NODE_B, &one(SIX, Action::UpdReq, request));
    }
    wire.log.finish()
}

/// What the two say, and what somebody else does.
fn spoof() -> Vec<u8> {
    let mut wire = Wire::new();
    let insert = one(SIX, Action::Ins, state(1, A, (4, 4)));
    let clear = one(SIX, Action::Clr, Clear::all(A));
    wire.add(0.0, NODE_A, &insert);
    wire.add(1.0, NODE_B, &one(SIX, Action::InsAck, Message::Ack { id: 1, creatorid: A }));
    // A foreign sender.
    wire.add(10.0, NODE_X, &clear);
    let mut odd = |seconds, node: Node, to: [u8; 6], ip: Ip, frame: &Frame| {
        let packet = ip.packet(PFSYNC, &frame.clone().bytes());
        wire.log.add_at(seconds, &node.frame(to, &[], &packet));
    };
    let group = [1, 0, 0x5e, 0, 0, 0xf0];
    let a = NODE_A.ip(0x300);
    // Through a router, or from one who did not know: the kernels drop it.
    odd(20.0, NODE_A, group, Ip { ttl: 64, ..a.clone() }, &clear);
    // CARP's group, OSPF's on the wrong station.
    let carp = Ip { dst: [224, 0, 0, 18].into(), ..a.clone() };
    odd(30.0, NODE_A, [1, 0, 0x5e, 0, 0, 0x12], carp, &insert);
    let ospf = Ip { dst: [224, 0, 0, 5].into(), ..a.clone() };
    odd(31.0, NODE_X, group, ospf, &insert);
    // To the group's address at one station; to one address.
    odd(40.0, NODE_X, NODE_A.station(), a.clone(), &clear);
    let direct = Ip { src: [203, 0, 113, 66].into(), dst: [192, 0, 2, 242].into(), ..a.clone() };
    odd(41.0, NODE_X, NODE_B.station(), direct, &insert);
    // A's address, another station.
    odd(42.0, NODE_X, group, a, &clear);
    // States of a creator that nobody knows; B ends what A created.
    wire.add(50.0, NODE_B, &one(SIX, Action::Ins, state(66, 0x6666_6666, (4, 4))));
    wire.add(51.0, NODE_B, &one(SIX, Action::Clr, Clear::all(A)));
    wire.log.finish()
}

/// A tells about a connection; then its peers' windows go back, then their states.
fn regression() -> Vec<u8> {
    let mut wire = Wire::new();
    let first = State { src: cast::tcp_peer(4, 10_000), ..state(1, A, (4, 4)) };
    wire.add(0.0, NODE_A, &one(SIX, Action::Ins, first.clone()));
    let mut update = |at, node, src: Peer, dst: Peer| {
        let state = State { src, dst, ..first.clone() };
        wire.add(at, node, &one(SIX, Action::UpdC, Update::of(&state)));
    };
    let peer = cast::tcp_peer;
    update(1.0, NODE_A, peer(4, 20_000), peer(4, 500_000));
    update(2.0, NODE_A, peer(4, 60_000), peer(4, 600_000));
    // B still has the numbers of before.
    update(2.5, NODE_B, peer(4, 20_000), peer(4, 500_000));
    update(3.0, NODE_A, peer(4, 90_000), peer(4, 700_000));
    // Only one side of it goes back.
    update(4.0, NODE_A, peer(4, 100_000), peer(4, 650_000));
    // Beyond 2^32: this is going on.
    update(5.0, NODE_A, peer(4, 4_294_967_000), peer(4, 800_000));
    update(6.0, NODE_A, peer(4, 200), peer(4, 900_000));
    // FIN_WAIT_2, then established again.
    update(7.0, NODE_A, peer(9, 300), peer(9, 900_001));
    update(8.0, NODE_A, peer(4, 300), peer(4, 900_001));
    wire.log.finish()
}

/// After an upgrade of one: A sends what FreeBSD 13 does, B what 14 does.
fn versions() -> Vec<u8> {
    let mut wire = Wire::new();
    let (old, new) = (Layout::FreeBsd1301, Layout::FreeBsd1400);
    wire.add(0.0, NODE_A, &one(old, Action::UpdReq, everything()));
    wire.add(0.1, NODE_B, &one(new, Action::Bus, Bulk { creatorid: B, endtime: 60, status: 1 }));
    for turn in 0..4_u32 {
        let at = 1.0 + f64::from(turn) * 5.0;
        let id = u64::from(turn);
        let (a, b) = (state(30 + id, A, (4, 4)), state(40 + id, B, (4, 4)));
        wire.add(at, NODE_A, &one(old, Action::Ins, a.clone()));
        wire.add(at + 1.0, NODE_B, &one(new, Action::Ins, b.clone()));
        wire.add(at + 2.0, NODE_A, &one(old, Action::Upd, a));
        wire.add(at + 3.0, NODE_B, &one(new, Action::Upd, b));
    }
    // Another program altogether.
    wire.add(30.0, NODE_B, &one(SIX, Action::Ins, state(50, B, (4, 4))));
    wire.log.finish()
}
