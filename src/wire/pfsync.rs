//! pfsync's header (net/if_pfsync.h), versions 1 to 6, and how a captured record starts.
//!
//! ```text
//! v1, v2          0 version  1 af  2 action  3 count
//! v3, v4          the same, then  4 checksum[16]
//! v5, v6          0 version  1 pad  2 len:2  4 checksum[16], then for each kind of message
//!                 0 action  1 pad (v6: bytes of a message / 4)  2 count:2, and the messages
//! ```
//! `len` counts from the header's first byte and includes it. The messages are
//! [`messages`]'s, states [`super::state`]'s, SAs [`super::tdb`]'s.

use nom::bytes::complete::take;
use nom::number::complete::{be_u8, be_u16};
use nom::{IResult, Parser};

use crate::error::{DecodeError, Fault, Layer};
use crate::pf::Systems;

mod layouts;
pub mod messages;
mod updates;

pub use messages::{Body, Message, Messages};

/// IP protocol of pfsync.
pub const PROTOCOL: u8 = 240;

/// The layout of a state; where the version leaves no choice, the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layout {
    /// Version 1: OpenBSD 3.3 and 3.4.
    V1,
    /// Version 2: OpenBSD 3.5 to 3.8, FreeBSD 5 and 6, DragonFly's first.
    V2,
    /// Version 3: OpenBSD 3.9 to 4.3, FreeBSD 7 and 8, NetBSD.
    V3,
    /// Version 4: OpenBSD 4.4, DragonFly.
    V4,
    /// OpenBSD's version 5: 4.5 and 4.6.
    Openbsd5,
    /// FreeBSD's version 5 from 9 on, called 1301 since 14.
    Freebsd1301,
    /// FreeBSD 14.
    Freebsd1400,
    /// FreeBSD 15.
    Freebsd1500,
    /// Version 6: OpenBSD 4.7 and later.
    Openbsd6,
}

impl Layout {
    /// The word used in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::V3 => "v3",
            Self::V4 => "v4",
            Self::Openbsd5 => "openbsd5",
            Self::Freebsd1301 => "freebsd1301",
            Self::Freebsd1400 => "freebsd1400",
            Self::Freebsd1500 => "freebsd1500",
            Self::Openbsd6 => "openbsd6",
        }
    }

    /// Every layout.
    pub const ALL: [Self; 9] = [
        Self::V1,
        Self::V2,
        Self::V3,
        Self::V4,
        Self::Openbsd5,
        Self::Freebsd1301,
        Self::Freebsd1400,
        Self::Freebsd1500,
        Self::Openbsd6,
    ];

    /// Bytes of a state; version 1's depend on the machine.
    pub const fn state_size(self) -> Option<usize> {
        Some(match self {
            Self::V1 => return None,
            Self::V2 => 224,
            Self::V3 | Self::V4 | Self::Openbsd5 => 240,
            Self::Freebsd1301 => 242,
            Self::Freebsd1400 => 277,
            Self::Freebsd1500 => 360,
            Self::Openbsd6 => 264,
        })
    }

    /// Systems that write it.
    pub const fn systems(self) -> Systems {
        match self {
            Self::V1 => Systems::OPENBSD_3,
            Self::V2 => Systems::OPENBSD.or(Systems::FREEBSD).or(Systems::DRAGONFLY),
            Self::V3 => Systems::OPENBSD.or(Systems::FREEBSD).or(Systems::NETBSD),
            Self::V4 => Systems::OPENBSD.or(Systems::DRAGONFLY),
            Self::Openbsd5 | Self::Openbsd6 => Systems::OPENBSD,
            Self::Freebsd1301 | Self::Freebsd1400 | Self::Freebsd1500 => Systems::FREEBSD,
        }
    }
}

/// A pfsync packet: its header, with the messages still to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pfsync<'a> {
    /// Version, 1 to 6.
    pub version: u8,
    /// Length the header claims (versions 5 and 6).
    pub len: Option<usize>,
    /// Checksum of the sender's ruleset (versions 3 to 6); zero in OpenBSD since 7.4.
    pub checksum: Option<&'a [u8]>,
    /// The layout of its states. `None` for a packet of version 5 without any: OpenBSD's and
    /// FreeBSD's other messages are the same.
    pub layout: Option<Layout>,
    /// The layout of the actions that several layouts share.
    plain: Layout,
    /// Bytes of the header.
    pub hdrlen: usize,
    /// Action and count of the only kind of message (versions 1 to 4).
    only: Option<(u8, u8)>,
    /// From the header on, up to the end of the messages or of what was captured.
    bytes: &'a [u8],
    /// Bytes from the header on that were on the wire.
    wire: usize,
}

/// Parses the header at the start of `bytes`; `len` is what was on the wire from there on.
///
/// # Errors
/// `Truncated` when the header is cut, `BadVersion` for one that is not 1 to 6, `BadLength` for a
/// length in the header that is less than the header's own.
pub fn parse(bytes: &[u8], len: usize) -> Result<Pfsync<'_>, DecodeError> {
    let err = |offset, fault| DecodeError { layer: Layer::Pfsync, offset, fault };
    let needed = match bytes.first() {
        Some(1 | 2) => 4,
        Some(3..=6) => 20,
        Some(&version) => return Err(err(0, Fault::BadVersion(version))),
        None => return Err(err(0, Fault::Truncated { needed: 1 })),
    };
    let wire = len.max(bytes.len());
    let (_, header) = header(bytes, wire).map_err(|_| err(0, Fault::Truncated { needed }))?;
    match header.len {
        Some(claimed) if claimed < needed => Err(err(2, Fault::BadLength(claimed))),
        _ => {
            let (layout, plain) = layouts::layouts(&header);
            Ok(Pfsync { layout, plain, ..header })
        }
    }
}

fn header(bytes: &[u8], wire: usize) -> IResult<&[u8], Pfsync<'_>> {
    let (i, version) = be_u8(bytes)?;
    let (i, _af) = be_u8(i)?;
    let (i, (len, only)) = match version {
        ..=4 => (be_u8, be_u8).map(|only| (None, Some(only))).parse(i)?,
        _ => be_u16.map(|len| (Some(usize::from(len)), None)).parse(i)?,
    };
    let (i, checksum) = match version {
        ..=2 => (i, None),
        _ => take(16usize).map(Some).parse(i)?,
    };
    let header = Pfsync {
        version,
        len,
        checksum,
        layout: None,
        plain: Layout::Freebsd1301,
        hdrlen: bytes.len().saturating_sub(i.len()),
        only,
        bytes: bytes.get(..len.unwrap_or(wire)).unwrap_or(bytes),
        wire,
    };
    Ok((i, header))
}

impl<'a> Pfsync<'a> {
    /// The messages, in their order; ends after the first fault.
    pub fn messages(&self) -> Messages<'a> {
        Messages::new(self)
    }

    /// The fault that ends the messages, if one does.
    pub fn fault(&self) -> Option<DecodeError> {
        Messages::new(self).fault()
    }

    /// Where the packet ends by what is known: its length, or the wire's.
    fn end(&self) -> usize {
        self.len.unwrap_or(self.wire)
    }
}

/// How a record of one of pfsync's link types starts (18, 121, 246). The numbers are shared with
/// others, and OpenBSD has changed what its pfsync0 shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Start {
    /// With pfsync's header.
    Header,
    /// With an IP header that says pfsync follows: OpenBSD 7.4 and later.
    Ip,
    /// With an IP header of something else: Classical IP over ATM has link type 18 too.
    OtherIp,
    /// With something that is neither: HHDLC has link type 121.
    Unknown,
}

/// Tells by content how a record of link type 18, 121 or 246 starts.
pub fn start(record: &[u8]) -> Start {
    let protocol = |at: usize| match record.get(at) {
        Some(&PROTOCOL) | None => Start::Ip,
        Some(_) => Start::OtherIp,
    };
    match record.first() {
        Some(1..=6) => Start::Header,
        Some(0x45..=0x4f) => protocol(9),
        Some(0x60..=0x6f) => protocol(6),
        _ => Start::Unknown,
    }
}

#[cfg(test)]
mod tests;
