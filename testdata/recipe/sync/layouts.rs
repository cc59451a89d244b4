//! One capture per layout, with every action it knows.

use std::net::Ipv6Addr;

use super::cast::{self, A};
use super::{CHUNK, File, Log};
use crate::encode::Order;
use crate::encode::link::link_type;
use crate::encode::pfsync::message::{Bulk, Clear, Delete, Message, Tdb, Update};
use crate::encode::pfsync::state::State;
use crate::encode::pfsync::{Action, Frame, Layout, tapped};

pub(super) fn files() -> Vec<File> {
    use Layout as L;
    let mut files: Vec<File> = [
        ("v1-ilp32-le", L::V1Ilp32, Order::Little, link_type::PFSYNC_18),
        ("v1-lp64-be", L::V1Lp64, Order::Big, link_type::PFSYNC_18),
        ("v2", L::V2, Order::Little, link_type::PFSYNC_18),
        ("v3", L::V3, Order::Big, link_type::PFSYNC_18),
        ("v4", L::V4, Order::Little, link_type::PFSYNC_18),
        ("openbsd5", L::OpenBsd5, Order::Little, link_type::PFSYNC_18),
        ("freebsd1301", L::FreeBsd1301, Order::Little, link_type::PFSYNC_121),
        ("freebsd1400", L::FreeBsd1400, Order::Little, link_type::PFSYNC_121),
        ("freebsd1500", L::FreeBsd1500, Order::Little, link_type::PFSYNC_121),
        ("openbsd6", L::OpenBsd6, Order::Little, link_type::PFSYNC_18),
    ]
    .into_iter()
    .map(|(name, layout, order, link)| {
        let mut log = Log::new(order, link);
        for frame in frames(layout) {
            log.add(&frame);
        }
        File::new(format!("{name}.pcap"), log.finish())
    })
    .collect();
    files.push(File::new("openbsd6-old-actions.pcap", old_actions()));
    files
}

/// The frames of a capture, as pfsync0 shows them.
pub(super) fn frames(layout: Layout) -> Vec<Vec<u8>> {
    let states = cast::all(layout);
    let mut frames = Vec::new();
    let mut add = |frame: Frame| frames.push(frame.bytes());
    let one = |action, message| Frame::of(layout, action, &[message]);
    let has = |action: Action| action.number(layout).is_some();
    let request = |id, creatorid| Message::Request { id, creatorid };
    let bus = |endtime, status| Bulk { creatorid: A, endtime, status }.into();

    if has(Action::UpdReq) {
        add(one(Action::UpdReq, request(0, 0)));
        add(one(Action::Bus, bus(1, 1)));
    }
    for part in states.chunks(CHUNK / layout.state()) {
        add(Frame::of(layout, Action::Ins, &messages(part)));
    }
    add(Frame::of(layout, Action::Upd, &messages(&states[2..4])));
    add(Frame::of(layout, Action::Del, &messages(&states[..2])));
    // Version 1 says no more than that all is gone.
    if !has(Action::UpdReq) {
        add(one(Action::Clr, Clear::all(A).into()));
        // The sender does not cut the packet to what is in it (net/if_pfsync.c 1.6).
        let mut full = Frame::of(layout, Action::Upd, &messages(&states[5..6])).bytes();
        full.extend([0xde; 144]);
        frames.push(full);
        return frames;
    }
    add(one(Action::Bus, bus(86_461, 2)));
    add(one(Action::Bus, bus(5, 9)));
    let updates = states[3..7].iter().map(Update::of);
    let updates: Vec<_> =
        updates.map(|u| Update { updates: 4, state_flags: 0x20, ..u }.into()).collect();
    add(Frame::of(layout, Action::UpdC, &updates));
    add(one(Action::UpdReq, request(states[3].id, A)));
    add(Frame::of(layout, Action::DelC, &deletes(&states[4..7])));
    if has(Action::InsAck) {
        let acks: Vec<_> =
            states[7..9].iter().map(|s| Message::Ack { id: s.id, creatorid: A }).collect();
        add(Frame::of(layout, Action::InsAck, &acks));
    }
    add(one(Action::Clr, Clear::on("em0", A).into()));
    add(one(Action::Clr, Clear::all(A).into()));
    // Fragments never had a body; in version 6 a message must have one.
    for number in [Action::InsF, Action::DelF].into_iter().filter_map(|a| a.number(layout)) {
        if layout.version() < 6 {
            add(Frame::new(layout).raw(number, 0, 3, &[]));
        }
    }
    if has(Action::Tdb) {
        add(Frame::of(layout, Action::Tdb, &tdbs()));
    }
    if layout.version() > 4 {
        add(mixed(layout, &states));
        add(Frame::new(layout));
    }
    if layout == Layout::OpenBsd6 {
        // Every second with the IPv4 header, as since 7.4.
        for (id, frame) in (1..).zip(&mut frames).step_by(2) {
            *frame = tapped(id, frame);
        }
    }
    frames
}

/// Six kinds of message in one packet.
fn mixed(layout: Layout, states: &[State]) -> Frame {
    let ack = Message::Ack { id: states[0].id, creatorid: A };
    Frame::new(layout)
        .add(Action::Ins, &messages(&states[..1]))
        .add(Action::InsAck, &[ack])
        .add(Action::Upd, &messages(&states[20..21]))
        .add(Action::UpdC, &[Update::of(&states[3]).into()])
        .add(Action::DelC, &deletes(&states[4..6]))
        .add(Action::UpdReq, &[Message::Request { id: 0x99, creatorid: cast::B }])
}

/// What version 6 still has names for: messages as they were before it.
fn old_actions() -> Vec<u8> {
    let layout = Layout::OpenBsd6;
    let states = cast::all(layout);
    let mut log = Log::new(Order::Little, link_type::PFSYNC_18);
    let frames = [
        Frame::of(layout, Action::OldIns, &messages(&states[..2])),
        Frame::of(layout, Action::OldUpd, &messages(&states[2..3])),
        Frame::of(layout, Action::OldTdb, &tdbs()),
        // What follows is still found, by the size in the sub-header.
        Frame::of(layout, Action::OldIns, &messages(&states[..1]))
            .add(Action::DelC, &deletes(&states[..1]))
            .add(Action::OldTdb, &tdbs()[..1])
            .add(Action::Ins, &messages(&states[3..4])),
        // EOF is in the headers of version 6, though nobody sends it.
        Frame::of(layout, Action::DelC, &deletes(&states[..1])).raw(12, 0, 1, &[]),
    ];
    for (id, frame) in (1..).zip(frames) {
        log.add(&tapped(id, &frame.bytes()));
    }
    log.finish()
}

fn tdbs() -> Vec<Message> {
    let six = Tdb {
        spi: 0x1001,
        dst: Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 0x20).into(),
        rpl: 0x1_0000_0001,
        cur_bytes: 0x12_3456_7890,
        sproto: 51,
        updates: 3,
        rdomain: 0,
    };
    vec![Tdb { rdomain: 3, ..Tdb::default() }.into(), six.into()]
}

/// Whole states.
pub(super) fn messages(states: &[State]) -> Vec<Message> {
    states.iter().map(Message::from).collect()
}

/// Their ends.
pub(super) fn deletes(states: &[State]) -> Vec<Message> {
    states.iter().map(|state| Delete::of(state).into()).collect()
}
