//! Some minutes of a firewall, to follow its states.

use super::cast::{self, A, B};
use super::layouts::{deletes, messages};
use super::{File, Log};
use crate::encode::Order;
use crate::encode::link::link_type;
use crate::encode::pflog::name;
use crate::encode::pfsync::message::{Bulk, Clear, Message, Update};
use crate::encode::pfsync::state::{IN, OUT, Peer, State};
use crate::encode::pfsync::{Action, Frame, Layout, tapped};

/// pfsync0 of OpenBSD 7.4 on. The comments name the states there are after each frame.
pub(super) fn file() -> File {
    let layout = Layout::OpenBsd6;
    let mut log = Log::new(Order::Little, link_type::PFSYNC);
    let mut id = 0;
    let mut at = |seconds, frame: Frame| {
        id += 1;
        log.add_at(seconds, &tapped(id, &frame.bytes()));
    };
    let of = |action, list: &[&State]| {
        let list: Vec<_> = list.iter().map(|state| (*state).into()).collect();
        Frame::of(layout, action, &list)
    };
    let one = |action, message| Frame::of(layout, action, &[message]);
    let bus = |endtime, status| Bulk { creatorid: A, endtime, status }.into();
    let everything = Message::Request { id: 0, creatorid: 0 };

    let [s1, s2, s3] = [1, 2, 3].map(|n| State { id: n, ..cast::tcp(40_000 + n as u16, (4, 4)) });
    let s3 = State { ifname: name("em1"), ..s3 };
    let s4 = State { id: 4, creation: 0, expire: 120, ..cast::tcp(40_004, (2, 0)) };
    let s4_open = State { src: cast::tcp_peer(4, 1_000_500), timeout: 2, ..s4.clone() };
    let s4_open = State { dst: cast::tcp_peer(4, 77_000), ..s4_open };
    let s4_done = State { src: cast::tcp_peer(9, 1_009_000), timeout: 4, ..s4_open.clone() };
    let s4_done = State { dst: cast::tcp_peer(9, 99_000), ..s4_done };
    let s5 = cast::flow(17, OUT, ("10.1.2.3", 13_724), ("198.51.100.20", 53));
    let s5 = cast::translated(s5, ("203.0.113.9", 60_277));
    let s5 = State { id: 5, src: Peer::in_state(1), dst: Peer::in_state(0), timeout: 6, ..s5 };
    let s5_both =
        State { src: Peer::in_state(2), dst: Peer::in_state(2), timeout: 8, ..s5.clone() };
    let s6 = cast::flow(1, IN, ("192.0.2.10", 4_660), ("198.51.100.20", 8));
    let s6 = State { id: 6, src: Peer::in_state(0), dst: Peer::in_state(0), timeout: 9, ..s6 };
    let s7 = State { id: 0x5555, creatorid: B, ..cast::tcp(40_007, (4, 4)) };
    let s8 = State { id: 8, ifname: name("em1"), ..cast::tcp(40_008, (4, 4)) };
    let s9 = State { id: 9, ifname: name("em2"), ..cast::tcp(40_009, (4, 4)) };

    // The peer came up and asks for everything: not known yet.
    at(0.0, one(Action::UpdReq, everything.clone()));
    at(0.2, one(Action::Bus, bus(3_600, 1)));
    // s1 s2
    at(0.21, of(Action::Upd, &[&s1, &s2]));
    // s1 s2 s3; everything is known now.
    at(0.4, of(Action::Upd, &[&s3]).add(Action::Bus, &[bus(3_600, 2)]));
    // s1 to s4
    at(5.0, of(Action::Ins, &[&s4]));
    at(5.1, one(Action::InsAck, Message::Ack { id: 4, creatorid: A }));
    // s4 is established.
    at(5.5, one(Action::UpdC, Update::of(&s4_open).into()));
    // s1 to s6
    at(12.0, of(Action::Ins, &[&s5, &s6]));
    // s5 has two sides.
    at(30.0, of(Action::Upd, &[&s5_both]));
    // A state nobody heard of; it is asked for, and there it is: s1 to s7.
    at(41.0, one(Action::UpdC, Update::of(&s7).into()));
    at(41.0005, one(Action::UpdReq, Message::Request { id: 0x5555, creatorid: B }));
    at(41.2, of(Action::Upd, &[&s7]));
    // s4 is done with.
    at(60.0, one(Action::UpdC, Update::of(&s4_done).into()));
    // s1 to s5, s7
    at(75.0, Frame::of(layout, Action::DelC, &deletes(&[s6])));
    // s1 s2 s3 s5 s7
    at(90.0, Frame::of(layout, Action::Del, &messages(&[s4_done])));
    // s1 s2 s3 s5 s7 s8
    at(100.0, of(Action::Ins, &[&s8]));
    // s3 s7 s8: s7 is on em0 too, but B created it.
    at(120.0, one(Action::Clr, Clear::on("em0", A).into()));
    // s3 s7 s8 s9
    at(180.0, of(Action::Ins, &[&s9]));
    // Of one that is there already.
    at(181.0, of(Action::Ins, &[&s9]));
    // s7
    at(200.0, one(Action::Clr, Clear::all(A).into()));
    // The end of one that is gone.
    at(201.0, Frame::of(layout, Action::DelC, &deletes(&[s9])));
    // None.
    at(230.0, Frame::of(layout, Action::DelC, &deletes(&[s7])));
    at(235.0, one(Action::UpdReq, everything));
    at(235.1, one(Action::Bus, bus(3_835, 1)).add(Action::Bus, &[bus(3_835, 2)]));
    File::new("lifecycle.pcap", log.finish())
}
