//! pfsync by its three link types, on Ethernet, and in fragments.

use super::cast::{self, A};
use super::layouts::messages;
use super::{File, Log};
use crate::encode::Order;
use crate::encode::link::{self, link_type};
use crate::encode::packet::ip::{self, Ip};
use crate::encode::packet::protocol::{FRAGMENT, PFSYNC};
use crate::encode::pfsync::message::{Delete, Message};
use crate::encode::pfsync::{self, Action, Frame, GROUP, GROUP6, Layout, tapped};

/// A firewall on the wire between the two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// Its address on the wire.
    pub(super) address: &'static str,
    station: u8,
}

/// Firewall A.
pub(super) const NODE_A: Node = Node { address: "192.0.2.241", station: 0x0a };
/// Firewall B.
pub(super) const NODE_B: Node = Node { address: "192.0.2.242", station: 0x0b };
/// Neither of them.
pub(super) const NODE_X: Node = Node { address: "203.0.113.66", station: 0x66 };

impl Node {
    /// Its pfsync packet's IP header.
    pub(super) fn ip(self, id: u16) -> Ip {
        Ip { id, ..pfsync::ip(self.address, GROUP) }
    }

    /// Its packet to the group, on Ethernet.
    pub(super) fn sends(self, id: u16, frame: &Frame) -> Vec<u8> {
        let packet = self.ip(id).packet(PFSYNC, &frame.clone().bytes());
        self.frame([1, 0, 0x5e, 0, 0, 0xf0], &[], &packet)
    }

    /// Its Ethernet frame to this station.
    pub(super) fn frame(self, to: [u8; 6], tags: &[(u16, u16)], packet: &[u8]) -> Vec<u8> {
        let [a, b, c, d, e, f] = to;
        let stations = [a, b, c, d, e, f, 2, 0, 0, 0, 0, self.station];
        link::ethernet_between(stations, tags, link::ether_type(packet), packet)
    }

    /// Its station, as others address it.
    pub(super) fn station(self) -> [u8; 6] {
        [2, 0, 0, 0, 0, self.station]
    }
}

pub(super) fn files() -> Vec<File> {
    let some = |layout| some(layout).bytes();
    let bare = |link, layouts: &[Layout]| {
        let mut log = Log::new(Order::Little, link);
        for layout in layouts {
            log.add(&some(*layout));
        }
        log
    };
    let mut openbsd = bare(link_type::PFSYNC_18, &[Layout::V4, Layout::OpenBsd6]);
    openbsd.add(&tapped(1, &some(Layout::OpenBsd6)));
    let freebsd = bare(link_type::PFSYNC_121, &[Layout::V2, Layout::V3, Layout::FreeBsd1400]);
    let mut any = bare(link_type::PFSYNC, &Layout::ALL);
    any.add(&tapped(1, &some(Layout::OpenBsd6)));
    let v6 = pfsync::ip("fe80::a", GROUP6);
    any.add(&v6.packet(PFSYNC, &some(Layout::FreeBsd1400)));
    let with_options = Ip { options: ip::ROUTER_ALERT.to_vec(), ..NODE_A.ip(2) };
    any.add(&with_options.packet(PFSYNC, &some(Layout::OpenBsd6)));
    let mut raw = Log::new(Order::Little, link_type::RAW);
    raw.add(&NODE_A.ip(1).packet(PFSYNC, &some(Layout::OpenBsd6)));
    raw.add(&v6.packet(PFSYNC, &some(Layout::FreeBsd1500)));
    vec![
        File::new("link-18.pcap", openbsd.finish()),
        File::new("link-121.pcap", freebsd.finish()),
        File::new("link-246.pcap", any.finish()),
        File::new("link-pfsync-raw101.pcap", raw.finish()),
        File::new("link-pfsync-ethernet.pcap", ethernet()),
        File::new("fragments.pcap", fragments()),
    ]
}

/// A state, and where the version can, the end of another.
fn some(layout: Layout) -> Frame {
    let state = cast::tcp(40_000, (4, 4));
    let frame = Frame::of(layout, Action::Ins, &messages(&[state]));
    match layout.version() {
        1..5 => frame,
        _ => frame.add(Action::DelC, &[Delete { id: 7, creatorid: A, peers: [0; 2] }.into()]),
    }
}

fn ethernet() -> Vec<u8> {
    const TAGS: [&[(u16, u16)]; 3] = [&[], &[(0x8100, 240)], &[(0x88a8, 20), (0x8100, 240)]];
    let mut log = Log::new(Order::Little, link_type::ETHERNET);
    let group = [1, 0, 0x5e, 0, 0, 0xf0];
    let group6 = [0x33, 0x33, 0, 0, 0, 0xf0];
    for (id, tags) in (1..).zip(TAGS) {
        for layout in [Layout::OpenBsd6, Layout::FreeBsd1400] {
            let packet = NODE_A.ip(id).packet(PFSYNC, &some(layout).bytes());
            log.add(&NODE_A.frame(group, tags, &packet));
        }
        let six = pfsync::ip("fe80::a", GROUP6).packet(PFSYNC, &some(Layout::FreeBsd1500).bytes());
        log.add(&NODE_A.frame(group6, tags, &six));
        // To a syncpeer.
        let peer = Ip { id, ..pfsync::ip(NODE_A.address, NODE_B.address) };
        let packet = peer.packet(PFSYNC, &some(Layout::V3).bytes());
        log.add(&NODE_A.frame(NODE_B.station(), tags, &packet));
    }
    log.finish()
}

/// A packet of three states in pieces: two and three of them, out of order, with one missing.
fn fragments() -> Vec<u8> {
    let states = &cast::all(Layout::OpenBsd6)[..3];
    let frame = Frame::of(Layout::OpenBsd6, Action::Ins, &messages(states)).bytes();
    let group = [1, 0, 0x5e, 0, 0, 0xf0];
    let mut log = Log::new(Order::Little, link_type::ETHERNET);
    let mut id = 0;
    let mut pieces = |apart: f64, cuts: &[usize], order: &[usize]| {
        id += 1;
        let all = NODE_A.ip(0x100 + id).fragments(PFSYNC, &frame, cuts);
        for (nth, place) in (0_u8..).zip(order) {
            let at = f64::from(id) + apart * f64::from(nth);
            log.add_at(at, &NODE_A.frame(group, &[], &all[*place]));
        }
    };
    pieces(0.001, &[], &[0]);
    pieces(0.001, &[400], &[0, 1]);
    pieces(0.001, &[400], &[1, 0]);
    pieces(0.001, &[280, 560], &[0, 1, 2]);
    pieces(0.001, &[280, 560], &[2, 0, 1]);
    // The second, then the first is missing.
    pieces(0.001, &[280, 560], &[0, 2]);
    pieces(0.001, &[400], &[1]);
    // The first is not even the pfsync header; one comes twice.
    pieces(0.001, &[16], &[0, 1]);
    pieces(0.001, &[400], &[0, 0, 1]);
    // Nobody waits that long.
    pieces(300.0, &[400], &[0, 1]);
    let ack = [Message::Ack { id: states[0].id, creatorid: A }];
    let last = Frame::of(Layout::OpenBsd6, Action::InsAck, &ack);
    log.add_at(400.0, &NODE_A.sends(0x200, &last));
    // IPv6: FreeBSD.
    let frame = Frame::of(Layout::FreeBsd1400, Action::Ins, &messages(&states[..2])).bytes();
    let (first, second) = frame.split_at(320);
    for (at, offset, more, part) in [(401.0, 0, true, first), (401.001, 40, false, second)] {
        let piece = ip::fragment(PFSYNC, offset, more, 0x240, part);
        let packet = pfsync::ip("fe80::a", GROUP6).packet(FRAGMENT, &piece);
        log.add_at(at, &NODE_A.frame([0x33, 0x33, 0, 0, 0, 0xf0], &[], &packet));
    }
    log.finish()
}
