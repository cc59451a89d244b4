//! A frame and what was found in it. Everything borrows from the batch that holds the bytes.

pub mod notice;

use crate::error::DecodeError;
use crate::packet::Packet;
use crate::pf::Direction;
use crate::time::{Precision, Timestamp};
use crate::wire::link::{LinkHeader, LinkType, Network};
use crate::wire::pflog::Pflog;
use crate::wire::pfsync::Pfsync;
use crate::wire::state::{End, Ends, Ids};

/// A record of a source: bytes and when they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Counts the records of its source from 1.
    pub number: u64,
    /// Offset of the record's header from the start of its file (decompressed); 0 of a device.
    pub offset: u64,
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

/// The ends of a state that a pfsync message only names: as a message before it told them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    /// Number of the message's frame.
    pub frame: u64,
    /// The message's place in the packet.
    pub index: usize,
    /// Of the state's first packet.
    pub direction: Direction,
    /// IP protocol.
    pub proto: u8,
    /// The ends on the wire.
    pub wire: Ends,
    /// The ends as the firewall's own side sees them.
    pub stack: Ends,
}

impl<'a> Frame<'a> {
    /// The one frame of a source, whole, at the beginning of 1970; what differs is set by who makes it.
    #[inline]
    pub const fn new(link: LinkType, data: &'a [u8]) -> Self {
        Self {
            number: 1,
            offset: 0,
            ts: Timestamp(0),
            precision: Precision::Micros,
            link,
            data,
            len: data.len(),
            whole: None,
            iface: None,
            flow: None,
            place: None,
        }
    }

    /// True if less was captured than the frame had.
    #[inline]
    pub const fn is_truncated(&self) -> bool {
        self.data.len() < self.len
    }
}

/// The tunnel that a packet, or what a pfsync message tells of, belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ipsec<'a> {
    /// Name of the IKE_SA's connection: untrusted bytes.
    pub ike: &'a [u8],
    /// What is known of the CHILD_SA; none where only the IKE_SA is meant.
    pub child: Option<IpsecChild<'a>>,
    /// What the tunnel was found by.
    pub by: By,
    /// To the IKE daemon's host or from it; unknown where both ends may be either.
    pub dir: Option<Direction>,
    /// The daemon's number for the CHILD_SA, or without one for the IKE_SA.
    pub uniqueid: u32,
}

/// A CHILD_SA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpsecChild<'a> {
    /// Its name: untrusted bytes.
    pub name: &'a [u8],
    /// Number of its policy.
    pub reqid: Option<u32>,
    /// `TUNNEL`, `TRANSPORT`, …
    pub mode: &'a [u8],
}

/// What a tunnel is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The SPI of ESP or AH, and an address.
    Spi,
    /// Addresses, protocol and ports, which its traffic selectors admit.
    Selector,
    /// The SPIs of IKE.
    Ike,
}

impl By {
    /// JSON's `by`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spi => "spi",
            Self::Selector => "selector",
            Self::Ike => "ike",
        }
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

/// How sure it is that a rule of a ruleset is the one that a header's number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Join {
    /// It was in force when the packet was logged.
    Exact,
    /// It fits the packet, but the ruleset may have been another one by then.
    Stale,
    /// What stands at that number contradicts the packet: it is not named.
    Implausible,
}

impl Join {
    /// JSON's `join`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Stale => "stale",
            Self::Implausible => "implausible",
        }
    }
}

/// The rule that a packet was logged by, as the user's ruleset has it. Of an implausible one
/// nothing but that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule<'a> {
    /// Its labels: FreeBSD 14 and later may have several.
    pub labels: &'a [String],
    /// The rule as pfctl prints it, without its number.
    pub text: &'a str,
    /// Path of its anchor, empty in the main ruleset.
    pub anchor: &'a str,
    /// Its number in the anchor, where the ruleset tells.
    pub number: Option<u32>,
    /// Its tracker, where it has one.
    pub ridentifier: Option<u32>,
    /// Checksum of the ruleset it stands in.
    pub ruleset: Option<u64>,
    /// How sure this is.
    pub join: Join,
}

impl<'a> Rule<'a> {
    /// A rule that cannot be the one.
    pub const IMPLAUSIBLE: Self = Rule {
        labels: &[],
        text: "",
        anchor: "",
        number: None,
        ridentifier: None,
        ruleset: None,
        join: Join::Implausible,
    };

    /// Its first label.
    pub fn label(&self) -> Option<&'a str> {
        self.labels.first().map(String::as_str)
    }

    /// What to call it in a line: its label, or the whole rule where it has none.
    pub fn name(&self) -> &'a str {
        self.label().unwrap_or(self.text)
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
    /// The rule in the user's ruleset, where there is one.
    pub rule: Option<Rule<'a>>,
    /// Why there is no packet, where pfsync's messages end too soon, or (undecoded) why there is
    /// nothing at all. Its offset counts from the frame's first byte.
    pub error: Option<DecodeError>,
    /// The tunnel of the packet.
    pub ipsec: Option<Ipsec<'a>>,
    /// The tunnels that pfsync's messages tell of, each with the message's place in the packet.
    pub message_ipsec: &'a [(usize, Ipsec<'a>)],
    /// The states that pfsync's messages only name, where they are known.
    pub named: &'a [Named],
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
            rule: None,
            error: None,
            ipsec: None,
            message_ipsec: &[],
            named: &[],
        }
    }

    /// The tunnel that the message at this place of the pfsync packet tells of.
    pub fn ipsec_of_message(&self, index: usize) -> Option<&Ipsec<'a>> {
        self.message_ipsec.iter().find(|(own, _)| *own == index).map(|(_, ipsec)| ipsec)
    }

    /// The state that the message at this place of the pfsync packet only names.
    pub fn named_of_message(&self, index: usize) -> Option<&'a Named> {
        self.named.iter().find(|named| named.index == index)
    }
}
