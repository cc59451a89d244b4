//! A message as the table and the health report take it: owned, without a pointer in it, so that
//! many threads can decode and one can apply.

use std::net::IpAddr;

use crate::event::Event;
use crate::pf::{BulkStatus, SyncAction};
use crate::time::Timestamp;
use crate::wire::link::LinkHeader;
use crate::wire::pfsync::messages::Compressed;
use crate::wire::pfsync::{Body, Layout, Message};
use crate::wire::state::Ids;

use super::record::{Name, Whole};

/// What is known of the packet that a message came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// When it was captured.
    pub ts: Timestamp,
    /// Version of the protocol; 0 if the header could not be read.
    pub version: u8,
    /// Layout of its states, as far as it is known.
    pub layout: Option<Layout>,
    /// Source of its IP header. `None` without one, and for 0.0.0.0: what OpenBSD shows on
    /// pfsync0 of its own packets.
    pub sender: Option<IpAddr>,
    /// Destination of its IP header.
    pub destination: Option<IpAddr>,
    /// Time to live, or hop limit.
    pub ttl: Option<u8>,
    /// Destination at the link, of Ethernet.
    pub station: Option<[u8; 6]>,
    /// Bytes from the IP header on (without one, from the pfsync header on).
    pub len: usize,
    /// True if it came in fragments, or is one.
    pub fragment: bool,
    /// True if some of it could not be decoded.
    pub faulty: bool,
}

impl Facts {
    /// What the packet of an event says besides its messages.
    pub fn of(event: &Event<'_>) -> Self {
        let (version, layout) =
            event.pfsync.map_or((0, None), |packet| (packet.version, packet.layout));
        let len = event.packet.map_or(event.frame.len, |packet| packet.len);
        let bare = Self::bare(event.frame.ts, version, layout, len);
        let facts = match event.packet.map(|packet| packet.ip) {
            Some(ip) => match (ip.src, ip.dst, ip.ttl) {
                (Some(src), Some(dst), Some(ttl)) => bare.with_ip(src, dst, ttl),
                _ => bare,
            },
            None => bare,
        };
        let station = match event.link {
            LinkHeader::Ethernet { dst, .. } => Some(dst),
            _ => None,
        };
        let fragment = event.frame.whole.is_some();
        Self { station, fragment, faulty: event.error.is_some(), ..facts }
    }

    /// The facts of a packet without an IP header.
    pub const fn bare(ts: Timestamp, version: u8, layout: Option<Layout>, len: usize) -> Self {
        Self {
            ts,
            version,
            layout,
            sender: None,
            destination: None,
            ttl: None,
            station: None,
            len,
            fragment: false,
            faulty: false,
        }
    }

    /// The same with what the IP header says.
    #[must_use]
    pub const fn with_ip(self, sender: IpAddr, destination: IpAddr, ttl: u8) -> Self {
        let known = match sender {
            IpAddr::V4(v4) => !v4.is_unspecified(),
            IpAddr::V6(v6) => !v6.is_unspecified(),
        };
        let sender = if known { Some(sender) } else { None };
        Self { sender, destination: Some(destination), ttl: Some(ttl), ..self }
    }
}

/// A message, owned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Op {
    /// The packet it came in.
    pub facts: Facts,
    /// What it says.
    pub action: SyncAction,
    /// Messages it stands for: more than one for what is not decoded.
    pub messages: u16,
    /// Its content.
    pub(super) what: What,
}

/// What of a message's body is of use here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A whole state with a name.
    Whole(Whole),
    Named(Ids),
    Compressed(Compressed),
    Clear {
        ifname: Name,
        creatorid: u32,
    },
    Bus {
        status: BulkStatus,
        endtime_s: u32,
        creatorid: u32,
    },
    /// SAs, what is not decoded, and version 1's states, which have no name.
    Other,
}

impl Op {
    /// Of a message and the packet it came in.
    pub fn of(facts: Facts, message: &Message<'_>) -> Self {
        let what = match message.body {
            Body::State(ref state) => {
                state.ids.map_or(What::Other, |ids| What::Whole(Whole::of(ids, state)))
            }
            Body::Ids { ids, .. } => What::Named(ids),
            Body::Compressed(compressed) => What::Compressed(compressed),
            Body::Clear { ifname, creatorid } => {
                What::Clear { ifname: Name::of(ifname), creatorid }
            }
            Body::Bus { status, endtime_s, creatorid } => {
                What::Bus { status, endtime_s, creatorid }
            }
            Body::Tdb(_) | Body::None | Body::Unknown(_) => What::Other,
        };
        let messages = match message.body {
            Body::None | Body::Unknown(_) => message.count.max(1),
            _ => 1,
        };
        Self { facts, action: message.action, messages, what }
    }

    /// The state it is about.
    pub const fn ids(&self) -> Option<Ids> {
        match &self.what {
            What::Whole(whole) => Some(whole.ids()),
            What::Named(ids) => Some(*ids),
            What::Compressed(compressed) => Some(compressed.ids),
            What::Clear { .. } | What::Bus { .. } | What::Other => None,
        }
    }

    /// The creator it is about; `None` also for an `upd_req` of everything.
    pub fn creatorid(&self) -> Option<u32> {
        match self.what {
            What::Clear { creatorid, .. } | What::Bus { creatorid, .. } => Some(creatorid),
            _ => {
                self.ids().filter(|ids| ids.id != 0 || ids.creatorid != 0).map(|ids| ids.creatorid)
            }
        }
    }
}
