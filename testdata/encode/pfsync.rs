//! pfsync packets of every version: header, sub-headers, messages.
//!
//! Versions 1 to 4 have one action per packet and its count in the header. Versions 5 and 6 have
//! the length in the header and a row of sub-headers, each followed by its messages; in version 6
//! the second byte of a sub-header is the size of a message in words of 4 bytes. All numbers are
//! in network order.

pub mod message;
pub mod state;

use super::packet::ip::{DF, Ip};
use super::packet::protocol;
use message::Message;

/// Which structs, by the releases that wrote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Version 1 of OpenBSD 3.3 (net/if_pfsync.h 1.2), kernel's `struct pf_state` of 32 bit.
    V1Ilp32,
    /// The same of 64 bit.
    V1Lp64,
    /// Version 2: OpenBSD 3.5 to 3.8, FreeBSD 5.3 to 6 (net/if_pfsync.h 1.2.4.1).
    V2,
    /// Version 3: OpenBSD 3.9 to 4.3, FreeBSD 7 and 8, NetBSD 5 on (net/if_pfsync.h 1.32).
    V3,
    /// Version 4: OpenBSD 4.4, DragonFly (net/if_pfsync.h 1.35).
    V4,
    /// Version 5: OpenBSD 4.5 and 4.6.
    OpenBsd5,
    /// Version 5: FreeBSD 9 to 13, and 14 and 15 when told so.
    FreeBsd1301,
    /// Version 5: FreeBSD 14 (commit 4bf98559).
    FreeBsd1400,
    /// Version 5: FreeBSD 15 (commit 99475087).
    FreeBsd1500,
    /// Version 6: OpenBSD 4.7 on (net/if_pfsync.h 1.43 to 1.66).
    OpenBsd6,
}

impl Layout {
    /// Every one, oldest first.
    pub const ALL: [Self; 10] = [
        Self::V1Ilp32,
        Self::V1Lp64,
        Self::V2,
        Self::V3,
        Self::V4,
        Self::OpenBsd5,
        Self::FreeBsd1301,
        Self::FreeBsd1400,
        Self::FreeBsd1500,
        Self::OpenBsd6,
    ];

    /// `PFSYNC_VERSION`.
    pub fn version(self) -> u8 {
        match self {
            Self::V1Ilp32 | Self::V1Lp64 => 1,
            Self::V2 => 2,
            Self::V3 => 3,
            Self::V4 => 4,
            Self::OpenBsd6 => 6,
            _ => 5,
        }
    }

    /// Size of the header.
    pub fn header(self) -> usize {
        if self.version() < 3 { 4 } else { 20 }
    }

    /// Size of a state.
    pub fn state(self) -> usize {
        match self {
            Self::V1Ilp32 => 144,
            Self::V1Lp64 => 160,
            Self::V2 => 224,
            Self::V3 | Self::V4 | Self::OpenBsd5 => 240,
            Self::FreeBsd1301 => 242,
            Self::FreeBsd1400 => 277,
            Self::FreeBsd1500 => 360,
            Self::OpenBsd6 => 264,
        }
    }

    /// `AF_INET6` of the system.
    pub fn af6(self) -> u8 {
        if self.freebsd() { 28 } else { 24 }
    }

    /// Whether FreeBSD alone wrote it.
    pub fn freebsd(self) -> bool {
        matches!(self, Self::FreeBsd1301 | Self::FreeBsd1400 | Self::FreeBsd1500)
    }

    /// The layout of a state that is sent with `action`: FreeBSD deletes in its oldest one, and
    /// OpenBSD's old actions carry what came before version 6.
    pub fn of(self, action: Action) -> Self {
        match (self, action) {
            (Self::FreeBsd1400 | Self::FreeBsd1500, Action::Del) => Self::FreeBsd1301,
            (Self::OpenBsd6, Action::OldIns | Action::OldUpd) => Self::OpenBsd5,
            _ => self,
        }
    }
}

/// What a message says. Its number depends on the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// States were cleared.
    Clr,
    /// A new state.
    Ins,
    /// A state changed.
    Upd,
    /// A state ended.
    Del,
    /// A state changed, peers only.
    UpdC,
    /// A state ended, identifiers only.
    DelC,
    /// A fragment was kept; never sent.
    InsF,
    /// A fragment was dropped; never sent.
    DelF,
    /// Asks for a state, or for all.
    UpdReq,
    /// Start and end of the answer to a request for all.
    Bus,
    /// Replay counter of an IPsec SA.
    Tdb,
    /// An insert was seen.
    InsAck,
    /// `PFSYNC_ACT_OINS` of version 6.
    OldIns,
    /// `PFSYNC_ACT_OUPD` of version 6.
    OldUpd,
    /// `PFSYNC_ACT_OTDB` of version 6.
    OldTdb,
    /// The end.
    Eof,
}

impl Action {
    /// Every one.
    pub const ALL: [Self; 16] = [
        Self::Clr,
        Self::Ins,
        Self::Upd,
        Self::Del,
        Self::UpdC,
        Self::DelC,
        Self::InsF,
        Self::DelF,
        Self::UpdReq,
        Self::Bus,
        Self::Tdb,
        Self::InsAck,
        Self::OldIns,
        Self::OldUpd,
        Self::OldTdb,
        Self::Eof,
    ];

    /// The number, `None` where the version does not have it.
    pub fn number(self, layout: Layout) -> Option<u8> {
        let version = layout.version();
        if version < 5 {
            let number = match self {
                Self::Clr => 0,
                Self::Ins => 1,
                Self::Upd => 2,
                Self::Del => 3,
                Self::UpdC => 4,
                Self::DelC => 5,
                Self::InsF => 6,
                Self::DelF => 7,
                Self::UpdReq => 8,
                Self::Bus => 9,
                Self::Tdb => 10,
                _ => return None,
            };
            // PFSYNC_ACT_MAX.
            return (number < [4, 10, 11, 11][usize::from(version) - 1]).then_some(number);
        }
        let (ins, upd) = match layout {
            Layout::FreeBsd1400 | Layout::OpenBsd6 => (13, 14),
            Layout::FreeBsd1500 => (15, 16),
            _ => (1, 3),
        };
        Some(match self {
            Self::Clr => 0,
            Self::Ins => ins,
            Self::InsAck => 2,
            Self::Upd => upd,
            Self::UpdC => 4,
            Self::UpdReq => 5,
            Self::Del => 6,
            Self::DelC => 7,
            Self::InsF => 8,
            Self::DelF => 9,
            Self::Bus => 10,
            Self::Tdb => {
                if version == 6 {
                    15
                } else {
                    11
                }
            }
            Self::Eof => 12,
            Self::OldIns if version == 6 => 1,
            Self::OldUpd if version == 6 => 3,
            Self::OldTdb if version == 6 => 11,
            _ => return None,
        })
    }
}

/// A pfsync packet in the making.
#[derive(Clone, Debug)]
pub struct Frame {
    layout: Layout,
    /// The check sum of the ruleset: MD5 in versions 3 to 5, zero in version 6 since 7.4.
    pub checksum: [u8; 16],
    version: u8,
    lie: i16,
    body: Vec<u8>,
    /// Action and count of versions 1 to 4.
    single: (u8, u8),
}

impl Frame {
    /// A packet without messages.
    pub fn new(layout: Layout) -> Self {
        let checksum = match layout.version() {
            6 => [0; 16],
            _ => *b"\x6f\x55\x86\xf8\xc0\x5d\xc5\xd4\x36\x20\x44\x18\x6a\x60\xab\xce",
        };
        let version = layout.version();
        Self { layout, checksum, version, lie: 0, body: Vec::new(), single: (0, 0) }
    }

    /// A packet of one kind of message.
    pub fn of(layout: Layout, action: Action, messages: &[Message]) -> Self {
        Self::new(layout).add(action, messages)
    }

    /// With another version byte.
    pub fn version(self, version: u8) -> Self {
        Self { version, ..self }
    }

    /// With `lie` added to the length field of versions 5 and 6.
    pub fn lie(self, lie: i16) -> Self {
        Self { lie, ..self }
    }

    /// Adds messages of one kind; versions 1 to 4 have room for one kind only.
    pub fn add(self, action: Action, messages: &[Message]) -> Self {
        let number = action.number(self.layout).expect("an action of the version");
        let bodies: Vec<_> = messages.iter().map(|m| m.encode(self.layout, action)).collect();
        let count = match action {
            // The kernels of versions 1 to 4 never count it.
            Action::Clr if self.layout.version() < 5 => 0,
            _ => messages.len(),
        };
        let words = match self.layout {
            Layout::OpenBsd6 => bodies.first().map_or(0, Vec::len) / 4,
            _ => 0,
        };
        self.raw(number, words as u8, count as u16, &bodies.concat())
    }

    /// Adds a sub-header (`second` is its second byte) and what follows it, whatever they claim.
    pub fn raw(mut self, action: u8, second: u8, count: u16, body: &[u8]) -> Self {
        if self.layout.version() < 5 {
            assert!(self.body.is_empty(), "one action per packet");
            self.single = (action, count as u8);
        } else {
            self.body.extend([action, second]);
            self.body.extend(count.to_be_bytes());
        }
        self.body.extend(body);
        self
    }

    /// The packet, from the pfsync header on. Version 5 ends with an EOF sub-header, which the
    /// length counts.
    pub fn bytes(self) -> Vec<u8> {
        if self.layout.version() == 5 {
            return self.raw(12, 0, 1, &[]).ended();
        }
        self.ended()
    }

    /// The packet without an EOF sub-header of its own.
    pub fn ended(self) -> Vec<u8> {
        let mut out = vec![self.version, 0];
        if self.layout.version() < 5 {
            out.extend([self.single.0, self.single.1]);
        } else {
            let len = (20 + self.body.len()) as u16;
            out.extend(len.wrapping_add_signed(self.lie).to_be_bytes());
        }
        if self.layout.header() == 20 {
            out.extend(self.checksum);
        }
        out.extend(self.body);
        out
    }
}

/// The IP header of pfsync as the kernels fill it in: low delay, no fragments, 255 hops.
pub fn ip(src: &str, dst: &str) -> Ip {
    Ip { tos: 0x10, ttl: 255, fragment: DF, ..Ip::between(src, dst) }
}

/// The multicast group, and as Ethernet has it.
pub const GROUP: &str = "224.0.0.240";
/// The group of IPv6, FreeBSD 14 on.
pub const GROUP6: &str = "ff12::f0";

/// What OpenBSD since 7.4 taps on pfsync0 (net/if_pfsync.c 1.318): the packet with its IPv4
/// header, in which source and check sum are not filled in yet.
pub fn tapped(id: u16, frame: &[u8]) -> Vec<u8> {
    let mut packet = Ip { id, ..ip("0.0.0.0", GROUP) }.packet(protocol::PFSYNC, frame);
    packet[10..12].fill(0);
    packet
}

#[cfg(test)]
mod tests {
    use super::message::{Bulk, Clear, Delete, Tdb, Update};
    use super::state::State;
    use super::*;

    fn size(layout: Layout, action: Action, message: &Message) -> usize {
        message.encode(layout, action).len()
    }

    #[test]
    fn sizes_are_the_kernels() {
        use Action as A;
        use Layout as L;
        let state = State::default();
        let [update, delete, ack, request, clear, bulk, tdb]: [Message; 7] = [
            Update::of(&state).into(),
            Delete::of(&state).into(),
            Message::Ack { id: 1, creatorid: 2 },
            Message::Request { id: 1, creatorid: 2 },
            Clear::all(7).into(),
            Bulk { creatorid: 7, endtime: 1, status: 1 }.into(),
            Tdb::default().into(),
        ];
        for layout in Layout::ALL {
            assert_eq!(state.encode(layout).len(), layout.state(), "{layout:?}");
            assert_eq!(size(layout, A::Ins, &state.clone().into()), layout.state());
            let (old, version) = (layout.version() < 5, layout.version());
            if version > 1 {
                assert_eq!(size(layout, A::UpdC, &update), if old { 88 } else { 84 });
                assert_eq!(size(layout, A::DelC, &delete), if old { 16 } else { 12 });
                assert_eq!(size(layout, A::UpdReq, &request), if old { 16 } else { 12 });
                assert_eq!(size(layout, A::Bus, &bulk), if old { 16 } else { 12 });
                assert_eq!(size(layout, A::Clr, &clear), if old { 24 } else { 20 });
                assert_eq!(size(layout, A::Tdb, &tdb), if version == 6 { 52 } else { 48 });
            }
            if !old {
                assert_eq!(size(layout, A::InsAck, &ack), 12);
            }
        }
        assert_eq!(size(L::OpenBsd6, A::OldTdb, &tdb), 48);
        assert_eq!(size(L::OpenBsd6, A::OldIns, &state.clone().into()), 240);
        assert_eq!(size(L::FreeBsd1500, A::Del, &state.into()), 242);
        let sizes: Vec<_> = L::ALL.iter().map(|layout| layout.state()).collect();
        assert_eq!(sizes, [144, 160, 224, 240, 240, 240, 242, 277, 360, 264]);
    }

    #[test]
    fn headers_are_the_kernels() {
        let ack = [Message::Ack { id: 0x1122_3344_5566_7788, creatorid: 0xdead_beef }];
        let six = Frame::of(Layout::OpenBsd6, Action::InsAck, &ack).bytes();
        assert_eq!(six[..4], [6, 0, 0, 36]);
        assert_eq!(six[20..24], [2, 3, 0, 1]);
        let five = Frame::of(Layout::FreeBsd1301, Action::InsAck, &ack).bytes();
        assert_eq!(five[..4], [5, 0, 0, 40]);
        assert_eq!(five[20..24], [2, 0, 0, 1]);
        assert_eq!(five[36..], [12, 0, 0, 1]);
        let states = [State::default().into(), State::default().into()];
        let four = Frame::of(Layout::V4, Action::Ins, &states).bytes();
        assert_eq!((four.len(), &four[..4]), (20 + 2 * 240, &[4, 0, 1, 2][..]));
        let two = Frame::of(Layout::V2, Action::Upd, &states).bytes();
        assert_eq!((two.len(), &two[..4]), (4 + 2 * 224, &[2, 0, 2, 2][..]));
        let tapped = tapped(0x7afa, &six);
        assert_eq!(tapped[..12], [0x45, 0x10, 0, 56, 0x7a, 0xfa, 0x40, 0, 0xff, 0xf0, 0, 0]);
        assert_eq!(tapped[12..20], [0, 0, 0, 0, 224, 0, 0, 240]);
    }
}
