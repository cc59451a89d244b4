//! What is known of the packet that messages came in.

use std::net::IpAddr;

use crate::event::Event;
use crate::time::Timestamp;
use crate::wire::link::LinkHeader;
use crate::wire::pfsync::Layout;

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
