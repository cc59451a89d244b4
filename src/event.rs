//! A frame and what was found in it. Everything borrows from the batch that holds the bytes.

use crate::error::DecodeError;
use crate::packet::Packet;
use crate::time::{Precision, Timestamp};
use crate::wire::link::{LinkHeader, LinkType, Network};
use crate::wire::pflog::Pflog;
use crate::wire::pfsync::Pfsync;
use crate::wire::state::{End, Ids};

/// A record of a source: bytes and when they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Counts the records of its source from 1.
    pub number: u64,
    /// When it was captured.
    pub ts: Timestamp,
    /// How fine `ts` is.
    pub precision: Precision,
    /// What the first byte is.
    pub link: LinkType,
    /// The bytes that were captured.
    pub data: &'a [u8],
    /// Bytes that the frame had.
    pub len: usize,
    /// Of the last fragment of a pfsync packet: what all fragments carry together.
    pub whole: Option<&'a [u8]>,
    /// Name of the device or of the interface in a pcapng file: untrusted bytes.
    pub iface: Option<&'a [u8]>,
    /// Of a logged packet: the state it belongs to, where pfsync has told of it.
    pub flow: Option<&'a Flow>,
    /// Where it stands in its own source, if several are read as one.
    pub place: Option<Place<'a>>,
}

/// Where a record stands in its own source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The file's name as the user gave it: untrusted bytes.
    pub file: &'a [u8],
    /// Counts the records of the file from 1.
    pub number: u64,
}

/// The state that a packet belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// Its name.
    pub ids: Ids,
    /// Source and destination of the packet on the other side of a translation.
    pub other: Option<(End, End)>,
}

impl Frame<'_> {
    /// True if less was captured than the frame had.
    #[inline]
    pub const fn is_truncated(&self) -> bool {
        self.data.len() < self.len
    }
}

/// What a frame turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A packet that pf logged.
    Pflog,
    /// A packet that carries pfsync's messages, of a pfsync device or on a wire.
    Pfsync,
    /// A packet on a wire.
    Packet,
    /// A frame whose outermost header could not be read: `error` says why.
    Undecoded,
}

impl Kind {
    /// JSON's `type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pflog => "pflog",
            Self::Pfsync => "pfsync",
            Self::Packet => "packet",
            Self::Undecoded => "undecoded",
        }
    }
}

/// A decoded frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// Where it came from.
    pub frame: Frame<'a>,
    /// What it is.
    pub kind: Kind,
    /// Link header, of frames from a wire.
    pub link: LinkHeader<'a>,
    /// What stands behind the link header.
    pub network: Network,
    /// pf's header; for an undecoded frame as much of it as is there.
    pub pflog: Option<Pflog<'a>>,
    /// The packet; of a pfsync device only where it shows one.
    pub packet: Option<Packet<'a>>,
    /// pfsync's header and messages.
    pub pfsync: Option<Pfsync<'a>>,
    /// Why there is no packet, where pfsync's messages end too soon, or (undecoded) why there is
    /// nothing at all. Its offset counts from the frame's first byte.
    pub error: Option<DecodeError>,
}

impl<'a> Event<'a> {
    /// An event that nothing is known of yet.
    pub(crate) const fn new(frame: Frame<'a>, kind: Kind) -> Self {
        Self {
            frame,
            kind,
            link: LinkHeader::None,
            network: Network::Ip,
            pflog: None,
            packet: None,
            pfsync: None,
            error: None,
        }
    }
}
