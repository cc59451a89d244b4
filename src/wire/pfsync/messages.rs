//! The messages of a pfsync packet.
//!
//! ```text
//!            v2 to v4   v5, v6
//! CLR        24 (or 8)  20      0 ifname[16]  16 creatorid; the short one has only the latter
//! UPD_C      88         84      0 id  8 src[32]  40 dst[32]  72 creatorid  76 expire  80 timeout
//!                               81 updates (v2 to v4) or state_flags (v6)
//! DEL_C      16         12      0 id  8 creatorid  12 the peers' states (v2 to v4)
//! INS_ACK               12      0 id  8 creatorid
//! UPD_REQ    16         12      0 id  8 creatorid; both 0: everything
//! BUS        16         12      0 creatorid  4 endtime, seconds  8 status
//! ```
//! Up to version 4 the header says which message follows how often. Version 5 has sizes fixed by
//! the action, and the states' only by the writer. Version 6 says each size; a longer message
//! than is known has something new at its end.

use std::iter::FusedIterator;

use nom::number::complete::{be_u8, be_u16, be_u32};
use nom::{IResult, Parser};

use super::updates;
pub use super::updates::{Compressed, Updates};
use super::{Layout, Pfsync};
use crate::error::{DecodeError, Fault, Layer};
use crate::pf::{BulkStatus, PeerState, SyncAction};
use crate::wire::state::{self, Ids, State};
use crate::wire::tdb::{self, Tdb, TdbLayout};

/// Bytes in front of each kind of message in versions 5 and 6.
pub(super) const SUBHEADER: usize = 4;

/// A message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// What it says.
    pub action: SyncAction,
    /// Layout of its state; for others the packet's, as far as it is known.
    pub layout: Option<Layout>,
    /// Its place in the packet, from 0.
    pub index: usize,
    /// Its place in the group of its sub-header (up to version 4: in the packet), from 0. A
    /// printer that groups starts anew at 0.
    pub nth: u16,
    /// Messages in its group, as the header claims; 0 for a clr up to version 4. What has no known
    /// layout comes as one message for the whole group.
    pub count: u16,
    /// Offset of its first byte from the pfsync header.
    pub offset: usize,
    /// All of its bytes.
    pub bytes: &'a [u8],
    /// What is in it.
    pub body: Body<'a>,
}

/// What is in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "most messages are states, and none is kept")]
pub enum Body<'a> {
    /// A whole state: ins, upd, del.
    State(State<'a>),
    /// The name of a state: ins_ack, upd_req, del_c.
    Ids {
        /// The name; nothing but zeros in an upd_req asks for everything.
        ids: Ids,
        /// How far the peers had come: del_c up to version 4.
        states: Option<[PeerState; 2]>,
    },
    /// What changed in a state: upd_c.
    Compressed(Compressed),
    /// clr.
    Clear {
        /// States on this interface, up to its first NUL; empty for all. Untrusted bytes.
        ifname: &'a [u8],
        /// States of this creator.
        creatorid: u32,
    },
    /// bus.
    Bus {
        /// Start or end.
        status: BulkStatus,
        /// Seconds since the creator booted; at the end, of the request that is answered.
        endtime_s: u32,
        /// Whose states they are.
        creatorid: u32,
    },
    /// tdb, otdb.
    Tdb(Tdb),
    /// No body: ins_f and del_f, which are defined but never sent.
    None,
    /// Messages that are not decoded: an unknown action, version 6's first layouts, or messages
    /// shorter than their action's, which receivers skip.
    Unknown(&'a [u8]),
}

/// What a group's messages are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// States in a layout.
    State(Layout),
    /// `ins_ack`, `upd_req`, `del_c`.
    Ids,
    /// `del_c` up to version 4.
    Deleted,
    UpdC,
    Clr,
    Bus,
    Tdb(TdbLayout),
    None,
    Unknown,
}

/// A sub-header, and how far its messages are read.
#[derive(Debug, Clone, Copy)]
struct Group {
    action: SyncAction,
    kind: Kind,
    /// Bytes of a message.
    size: usize,
    /// As the header has it.
    count: u16,
    /// Messages that are read.
    messages: u16,
    /// Next message.
    nth: u16,
    /// Where the messages end, if they are all there; at most 65535 x 1020 bytes away.
    end: usize,
}

impl Group {
    /// True if a message that has the group's size can be decoded, whatever its bytes are.
    const fn has_its_size(&self) -> bool {
        !matches!(self.kind, Kind::State(Layout::V1) | Kind::Tdb(_))
    }
}

/// The messages of a packet, each checked before it is given out.
#[derive(Debug, Clone)]
pub struct Messages<'a> {
    packet: Pfsync<'a>,
    /// Next byte, from the header on.
    at: usize,
    /// The group that is being read.
    group: Option<Group>,
    index: usize,
    done: bool,
}

impl<'a> Messages<'a> {
    pub(super) fn new(packet: &Pfsync<'a>) -> Self {
        let mut this =
            Self { packet: *packet, at: packet.hdrlen, group: None, index: 0, done: false };
        if let Some((number, count)) = packet.only {
            this.group = Some(this.only_group(number, count));
        }
        this
    }

    fn version(&self) -> u8 {
        self.packet.version
    }

    /// The fault of messages that end behind the packet's end.
    fn cut(&self, offset: usize, needed: usize) -> DecodeError {
        let (offset, fault) = match self.packet.len {
            // The length in the header is wrong, not the capture.
            Some(len) if len > self.packet.wire => (2, Fault::BadLength(len)),
            _ => (offset, Fault::Truncated { needed }),
        };
        DecodeError { layer: Layer::Pfsync, offset, fault }
    }

    fn bad(offset: usize, length: usize) -> DecodeError {
        DecodeError { layer: Layer::Pfsync, offset, fault: Fault::BadLength(length) }
    }

    /// The group of a packet up to version 4.
    fn only_group(&self, number: u8, count: u8) -> Group {
        let action = SyncAction::from_wire(self.version(), number);
        let rest = self.packet.end().saturating_sub(self.at);
        let each = usize::from(count);
        let (kind, size) = match (self.version(), action) {
            (1, SyncAction::Ins | SyncAction::Upd | SyncAction::Del) => {
                match state::v1::size(rest, each) {
                    Some(size) => (Kind::State(Layout::V1), size),
                    None => (Kind::Unknown, rest),
                }
            }
            (1, _) => (Kind::Unknown, rest),
            (_, SyncAction::Clr) => (Kind::Clr, if rest == 8 { 8 } else { 24 }),
            (_, SyncAction::UpdC) => (Kind::UpdC, 88),
            (_, SyncAction::DelC) => (Kind::Deleted, 16),
            (_, SyncAction::UpdReq) => (Kind::Ids, 16),
            (_, SyncAction::Bus) => (Kind::Bus, 16),
            (_, SyncAction::Tdb) => (Kind::Tdb(TdbLayout::Short), TdbLayout::Short.size()),
            (_, SyncAction::Ins | SyncAction::Upd | SyncAction::Del) => {
                match self.packet.layout.and_then(|layout| Some((layout, layout.state_size()?))) {
                    Some((layout, size)) => (Kind::State(layout), size),
                    None => (Kind::Unknown, rest),
                }
            }
            _ => (Kind::Unknown, rest),
        };
        // A clr has a count of 0 and one record all the same.
        let messages = match kind {
            Kind::Clr => 1,
            Kind::Unknown => u16::from(rest > 0),
            _ => u16::from(count),
        };
        Group { count: u16::from(count), ..self.group(action, kind, size, messages) }
    }

    fn group(&self, action: SyncAction, kind: Kind, size: usize, count: u16) -> Group {
        let end = usize::from(count).saturating_mul(size).saturating_add(self.at);
        let messages = match kind {
            Kind::None | Kind::Unknown => count.min(1),
            _ => count,
        };
        Group { action, kind, size, count, messages, nth: 0, end }
    }

    /// Reads the next sub-header; `None` at the end.
    fn next_group(&mut self) -> Result<Option<Group>, DecodeError> {
        if self.version() <= 4 {
            return Ok(None);
        }
        let at = self.at;
        let left = self.packet.bytes.get(at..).unwrap_or_default();
        let Ok((_, (number, words, count))) = subheader(left) else {
            let end = at.saturating_add(SUBHEADER);
            return if at >= self.packet.end() { Ok(None) } else { Err(self.cut(at, end)) };
        };
        self.at = at.saturating_add(SUBHEADER);
        let action = SyncAction::from_wire(self.version(), number);
        if action == SyncAction::Eof {
            return match self.packet.len {
                Some(len) if len > self.packet.wire => Err(Self::bad(2, len)),
                _ => Ok(None),
            };
        }
        if self.version() == 5 {
            return match sized(number, self.packet.plain) {
                Some((kind, size)) => Ok(Some(self.group(action, kind, size, count))),
                // Without a size nothing behind it can be found: all of it is one message.
                None => {
                    let size = self.packet.end().saturating_sub(self.at);
                    let group = self.group(action, Kind::Unknown, size, 1);
                    Ok(Some(Group { count, ..group }))
                }
            };
        }
        let size = usize::from(words).saturating_mul(4);
        if size == 0 {
            return Err(Self::bad(at.saturating_add(1), 0));
        }
        if count == 0 {
            return Err(Self::bad(at.saturating_add(2), 0));
        }
        let kind = match known(action, size) {
            Some((kind, least)) if size >= least => kind,
            _ => Kind::Unknown,
        };
        Ok(Some(self.group(action, kind, size, count)))
    }

    /// The next message of a group.
    fn message(&mut self, group: &Group) -> Result<Message<'a>, DecodeError> {
        let at = self.at;
        let end = match group.kind {
            Kind::Unknown => group.end,
            _ => at.saturating_add(group.size),
        };
        let cut = self.cut(at, group.end);
        let bytes = self.packet.bytes.get(at..end).ok_or(cut)?;
        let body = body(bytes, group.kind, self.version()).ok_or(cut)?;
        let layout = match body {
            Body::State(state) => Some(state.layout),
            _ => self.packet.layout,
        };
        let message = Message {
            action: group.action,
            layout,
            index: self.index,
            nth: group.nth,
            count: group.count,
            offset: at,
            bytes,
            body,
        };
        self.at = end;
        self.index = self.index.saturating_add(1);
        Ok(message)
    }

    /// The fault that ends them, if one does: what going through them comes to, without a look into
    /// messages that are there and whose size is all they need.
    pub(super) fn fault(mut self) -> Option<DecodeError> {
        loop {
            let there = self.packet.bytes.len();
            let whole = |group: &Group| group.has_its_size() && group.end <= there;
            if let Some(group) = self.upcoming().filter(whole) {
                self.pass(&group);
                continue;
            }
            match self.next() {
                Some(Err(fault)) => return Some(fault),
                Some(Ok(_)) => {}
                None => return None,
            }
        }
    }

    /// The compressed updates that come next, up to the end of their group; `None` if something
    /// else does, or not all of them are there. Firewalls send little else, and by themselves they
    /// are decoded without the room that a [`Body`] takes.
    pub fn updates(&mut self) -> Option<(SyncAction, Updates<'a>)> {
        let group = self.upcoming().filter(|group| group.kind == Kind::UpdC)?;
        let bytes = self.packet.bytes.get(self.at..group.end)?;
        self.pass(&group);
        Some((group.action, Updates::new(bytes, group.size, self.version())))
    }

    /// The group of the next message. `None` if there is none, or if what is there is none, which
    /// is found once more by whoever asks for a message.
    fn upcoming(&mut self) -> Option<Group> {
        while !self.done && self.group.is_none_or(|group| group.nth >= group.messages) {
            let at = self.at;
            self.group = self.next_group().ok().flatten();
            if self.group.is_none() {
                self.at = at;
                break;
            }
        }
        self.group.filter(|group| group.nth < group.messages)
    }

    /// Leaves out the rest of a group.
    fn pass(&mut self, group: &Group) {
        let messages = group.messages.saturating_sub(group.nth);
        self.index = self.index.saturating_add(usize::from(messages));
        self.at = group.end;
        self.group = None;
    }

    fn advance(&mut self) -> Result<Option<Message<'a>>, DecodeError> {
        loop {
            if let Some(mut group) = self.group.take_if(|group| group.nth < group.messages) {
                let message = self.message(&group)?;
                group.nth = group.nth.saturating_add(1);
                self.group = Some(group);
                return Ok(Some(message));
            }
            // Each sub-header has bytes, so that this ends.
            self.group = self.next_group()?;
            if self.group.is_none() {
                return Ok(None);
            }
        }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.advance();
        self.done = !matches!(next, Ok(Some(_)));
        next.transpose()
    }
}

impl FusedIterator for Messages<'_> {}

pub(super) type Parsed<'a, T> = IResult<&'a [u8], T>;

/// Action, second byte and count.
pub(super) fn subheader(i: &[u8]) -> Parsed<'_, (u8, u8, u16)> {
    (be_u8, be_u8, be_u16).parse(i)
}

/// What a number of version 5 stands for, with its size; `plain` is the layout of the actions
/// without one of their own.
pub(super) fn sized(number: u8, plain: Layout) -> Option<(Kind, usize)> {
    let state = |layout: Layout| Some((Kind::State(layout), layout.state_size()?));
    match number {
        0 => Some((Kind::Clr, 20)),
        1 | 3 if plain == Layout::Openbsd5 => state(plain),
        1 | 3 => state(Layout::Freebsd1301),
        6 => state(plain),
        2 | 5 | 7 => Some((Kind::Ids, 12)),
        4 => Some((Kind::UpdC, 84)),
        8 | 9 => Some((Kind::None, 0)),
        10 => Some((Kind::Bus, 12)),
        11 => Some((Kind::Tdb(TdbLayout::Short), TdbLayout::Short.size())),
        13 | 14 => state(Layout::Freebsd1400),
        15 | 16 => state(Layout::Freebsd1500),
        _ => None,
    }
}

/// What an action of version 6 stands for, with its least size.
fn known(action: SyncAction, size: usize) -> Option<(Kind, usize)> {
    Some(match action {
        SyncAction::Clr => (Kind::Clr, 20),
        SyncAction::Ins | SyncAction::Upd | SyncAction::Del => (Kind::State(Layout::Openbsd6), 264),
        // The layout from before version 6, if it has that one's size.
        SyncAction::Oins | SyncAction::Oupd if size == 240 => (Kind::State(Layout::Openbsd5), 240),
        SyncAction::InsAck | SyncAction::UpdReq | SyncAction::DelC => (Kind::Ids, 12),
        SyncAction::UpdC => (Kind::UpdC, 84),
        SyncAction::Bus => (Kind::Bus, 12),
        SyncAction::Tdb => (Kind::Tdb(TdbLayout::Long), TdbLayout::Long.size()),
        SyncAction::Otdb => (Kind::Tdb(TdbLayout::ShortRdomain), TdbLayout::Short.size()),
        _ => return None,
    })
}

fn body(bytes: &[u8], kind: Kind, version: u8) -> Option<Body<'_>> {
    let parsed = match kind {
        Kind::State(layout) => return state::parse(bytes, layout).map(Body::State),
        Kind::Tdb(layout) => return tdb::parse(bytes, layout).map(Body::Tdb),
        Kind::None => return Some(Body::None),
        Kind::Unknown => return Some(Body::Unknown(bytes)),
        Kind::Ids => ids.map(|ids| Body::Ids { ids, states: None }).parse(bytes),
        Kind::Deleted => deleted(bytes),
        Kind::UpdC => updates::parse(bytes, version).map(|(i, one)| (i, Body::Compressed(one))),
        Kind::Clr if bytes.len() == 8 => {
            be_u32.map(|creatorid| Body::Clear { ifname: &[], creatorid }).parse(bytes)
        }
        Kind::Clr => clear(bytes),
        Kind::Bus => bus(bytes),
    };
    parsed.ok().map(|(_, body)| body)
}

fn ids(i: &[u8]) -> Parsed<'_, Ids> {
    let (i, &id) = state::chunk(i)?;
    let (i, &creatorid) = state::chunk(i)?;
    let (id, creatorid) = (u64::from_be_bytes(id), u32::from_be_bytes(creatorid));
    Ok((i, Ids { id, creatorid }))
}

fn deleted(i: &[u8]) -> Parsed<'_, Body<'_>> {
    let (i, ids) = ids(i)?;
    let (i, states) = (be_u8, be_u8).map(|(src, dst)| [PeerState(src), PeerState(dst)]).parse(i)?;
    Ok((i, Body::Ids { ids, states: Some(states) }))
}

fn clear(i: &[u8]) -> Parsed<'_, Body<'_>> {
    let (i, ifname) = state::name(i, 16)?;
    let (i, creatorid) = be_u32(i)?;
    Ok((i, Body::Clear { ifname, creatorid }))
}

fn bus(i: &[u8]) -> Parsed<'_, Body<'_>> {
    let (i, (creatorid, endtime_s)) = (be_u32, be_u32).parse(i)?;
    let (i, status) = be_u8.map(BulkStatus).parse(i)?;
    Ok((i, Body::Bus { status, endtime_s, creatorid }))
}
