//! pfsync that lies, ends early, or is none.

use super::cast::{self, A};
use super::layouts::{deletes, messages};
use super::{File, Log};
use crate::encode::Order;
use crate::encode::link::link_type;
use crate::encode::packet::icmp;
use crate::encode::packet::ip::Ip;
use crate::encode::packet::protocol;
use crate::encode::pfsync::message::{Message, Update};
use crate::encode::pfsync::{self, Action, Frame, Layout, tapped};

const SIX: Layout = Layout::OpenBsd6;
const FIVE: Layout = Layout::FreeBsd1301;

pub(super) fn files() -> Vec<File> {
    vec![
        File::new("bad-counts.pcap", counts()),
        File::new("bad-frames.pcap", lengths()),
        File::new("bad-sizes.pcap", sizes()),
        File::new("atm-18.pcap", atm()),
        File::new("hhdlc-121.pcap", hhdlc()),
    ]
}

fn file(records: &[Vec<u8>]) -> Vec<u8> {
    let mut log = Log::new(Order::Little, link_type::PFSYNC);
    for record in records {
        log.add(record);
    }
    log.finish()
}

fn state(layout: Layout) -> Vec<u8> {
    cast::tcp(40_000, (4, 4)).encode(layout)
}

/// A sound message to follow a bad one.
fn sound(frame: Frame) -> Vec<u8> {
    frame.add(Action::DelC, &deletes(&[cast::tcp(40_001, (4, 4))])).bytes()
}

/// Counts and sizes that go past the end, or mean nothing.
fn counts() -> Vec<u8> {
    let six = || Frame::new(SIX);
    let five = || Frame::new(FIVE);
    let old =
        |layout, action, count| Frame::new(layout).raw(action, 0, count, &state(layout)).bytes();
    file(&[
        // Five states, one is there; 65535 of 12 bytes, none is; 65535 of 1020.
        six().raw(13, 66, 5, &state(SIX)).bytes(),
        six().raw(7, 3, 65_535, &[]).bytes(),
        six().raw(13, 255, 65_535, &state(SIX)).bytes(),
        // Nothing, 65535 times.
        sound(six().raw(8, 0, 65_535, &[])),
        sound(five().raw(8, 0, 65_535, &[])),
        five().raw(9, 0, 65_535, &[]).raw(12, 0, 65_535, &[]).ended(),
        // A message without length, none with one, neither.
        sound(six().raw(13, 0, 1, &state(SIX))),
        sound(six().raw(13, 66, 0, &[])),
        sound(six().raw(7, 0, 0, &[])),
        sound(five().raw(7, 0, 0, &[])),
        // The pad of version 5 is no length.
        sound(five().raw(1, 77, 1, &state(FIVE))),
        five().raw(1, 0, 3, &state(FIVE)).bytes(),
        five().raw(7, 0, 65_535, &[0; 12]).bytes(),
        // Versions 1 to 4.
        old(Layout::V4, 1, 255),
        old(Layout::V3, 2, 2),
        old(Layout::V2, 3, 9),
        old(Layout::V1Ilp32, 1, 3),
        old(Layout::V1Lp64, 1, 0),
        old(Layout::V4, 200, 1),
        Frame::new(Layout::V4).raw(6, 0, 255, &[]).bytes(),
    ])
}

/// Length fields that lie, versions that are none, packets that end anywhere.
fn lengths() -> Vec<u8> {
    let mut log = Log::new(Order::Little, link_type::PFSYNC);
    let frame = |layout| Frame::of(layout, Action::Ins, &messages(&[cast::tcp(40_000, (4, 4))]));
    for layout in [SIX, FIVE] {
        let sound = frame(layout).bytes().len() as i16;
        // 0, less than the header, no room for a sub-header, in the middle of the state, 4 less
        // (in version 5 without EOF), 4 more, 100 more, 65535.
        for len in [0, 10, 22, 100, sound - 4, sound + 4, sound + 100, -1] {
            log.add(&frame(layout).lie(len - sound).bytes());
        }
        // More bytes than the length says: Ethernet's padding.
        log.add(&[frame(layout).bytes(), vec![0; 20]].concat());
    }
    for version in [0, 7, 0x99, 255] {
        log.add(&frame(SIX).version(version).bytes());
    }
    // Version 5 that does not end, and that goes on after its end.
    log.add(&frame(FIVE).ended());
    log.add(&frame(FIVE).raw(12, 0, 1, &[]).raw(7, 0, 1, &[1; 12]).ended());
    // Cut by a snapshot length: in the third message, and everywhere in the headers.
    let states: Vec<Message> = messages(&cast::all(SIX)[..4]);
    for layout in [SIX, FIVE, Layout::V4, Layout::V2] {
        let full = Frame::of(layout, Action::Ins, &states).bytes();
        log.add_cut(&full, layout.header() + 4 + 2 * layout.state() + 100);
    }
    let full = frame(SIX).bytes();
    for end in [0, 1, 2, 3, 4, 10, 19, 20, 21, 22, 23, 24, 25, 287] {
        log.add_cut(&full, end);
    }
    let full = tapped(9, &full);
    for end in [1, 9, 10, 19, 20, 21, 40, 44, 60] {
        log.add_cut(&full, end);
    }
    // IP that says less than there is, more, has impossible headers, or carries no pfsync.
    for (at, byte) in [(3, 40), (3, 255), (0, 0x44), (0, 0x4f), (9, 17)] {
        let mut odd = full.clone();
        odd[at] = byte;
        log.add(&odd);
    }
    log.finish()
}

/// Messages of sizes that no release has.
fn sizes() -> Vec<u8> {
    let six = || Frame::new(SIX);
    let update = Message::from(Update::of(&cast::tcp(40_000, (4, 4))));
    let update = update.encode(SIX, Action::UpdC);
    let longer = |bytes: &[u8]| [bytes, &[0xa5; 8]].concat();
    let two = [longer(&state(SIX)), longer(&state(SIX))].concat();
    file(&[
        // Longer ones: what is known is there.
        sound(six().raw(13, 68, 2, &two)),
        sound(six().raw(4, 23, 1, &longer(&update))),
        sound(six().raw(7, 5, 1, &[&[0; 7][..], &[9], &A.to_be_bytes(), &[0xa5; 8]].concat())),
        // Shorter ones: skipped.
        sound(six().raw(13, 60, 1, &state(SIX)[..240])),
        sound(six().raw(4, 10, 2, &update[..80])),
        sound(six().raw(7, 2, 1, &[1; 8])),
        sound(six().raw(10, 1, 1, &[1; 4])),
        // Fragments, which have no size: an error to OpenBSD's receivers.
        six().raw(8, 0, 3, &[]).bytes(),
        six().raw(9, 0, 3, &[]).bytes(),
        // Actions nobody has: version 6 says how long they are, version 5 does not.
        sound(six().raw(77, 3, 2, &[0x77; 24])),
        sound(six().raw(16, 1, 1, &[0x16; 4])),
        sound(six().raw(255, 255, 1, &[0xff; 1020])),
        sound(Frame::new(FIVE).raw(77, 0, 2, &[0x77; 24])),
        sound(Frame::new(FIVE).raw(200, 0, 0, &[])),
        // States of version 5 that fit no layout, and two of different layouts.
        Frame::new(FIVE).raw(1, 0, 2, &[1; 500]).bytes(),
        Frame::new(FIVE)
            .raw(1, 0, 1, &state(FIVE))
            .raw(13, 0, 1, &state(Layout::FreeBsd1400))
            .raw(15, 0, 1, &state(Layout::FreeBsd1500))
            .bytes(),
    ])
}

/// Classical IP over ATM as SuSE 6.3 wrote it: raw IP by the number of pfsync.
fn atm() -> Vec<u8> {
    let mut log = Log::new(Order::Little, link_type::PFSYNC_18);
    for kind in [8, 0] {
        let echo = icmp::echo(kind, 77, 1, &[0x2a; 16]);
        log.add(&Ip::v4().packet(protocol::ICMP, &echo));
    }
    // A pfsync packet that travelled over ATM.
    let frame = Frame::of(SIX, Action::DelC, &deletes(&[cast::tcp(40_000, (4, 4))]));
    let ip = pfsync::ip("192.0.2.241", pfsync::GROUP);
    log.add(&ip.packet(protocol::PFSYNC, &frame.bytes()));
    log.finish()
}

/// Cisco HDLC-like frames (address, control, protocol, IP) by FreeBSD's number of pfsync.
fn hhdlc() -> Vec<u8> {
    let mut log = Log::new(Order::Little, link_type::PFSYNC_121);
    let echo = Ip::v4().packet(protocol::ICMP, &icmp::echo(8, 77, 1, &[0x2a; 16]));
    log.add(&[&[0x0f, 0, 8, 0], &echo[..]].concat());
    log.add(&[&[0x8f, 0, 0x80, 0x35], &[0; 18][..]].concat());
    // One that begins as version 5 does.
    log.add(&[5, 0, 8, 0, 0x45, 0, 0, 0x54]);
    log.finish()
}
