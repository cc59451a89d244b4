//! The packet that pf logged, or one seen on a wire: IP and what follows it, as far as the
//! bytes go.
//!
//! pflogd cuts packets at 116 or 160 bytes, pf's header included, so a cut packet is the normal
//! case: what is there is decoded, the rest is `None`. IP and the transport headers are taken
//! apart by etherparse's slices, header by header, so that a short one costs only itself; a
//! header that is cut is read here as far as it goes.
//!
//! Not here: application protocols, reassembly, checksums.
#![forbid(unsafe_code)]

pub mod proto;
mod transport;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};

pub(crate) use self::transport::icmp;
pub use self::transport::{Carries, Icmp, Ports, Tcp, TcpFlags, Transport, Udp};
use crate::error::{DecodeError, Fault, Layer};
use crate::pf::Family;
use crate::wire::ipsec::{Encapsulated, Ike, Sa, parse_ah};

/// A decoded packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The captured bytes from the IP header's first on.
    pub bytes: &'a [u8],
    /// How many bytes from there on the frame had.
    pub len: usize,
    /// The IP header.
    pub ip: Ip<'a>,
    /// Authentication header, if there is one.
    pub ah: Option<Sa>,
    /// The captured bytes behind IP, its extension headers and AH; never more than the IP
    /// header's length field admits.
    pub payload: &'a [u8],
    /// How many bytes the payload had, by the IP header's length field.
    pub payload_len: usize,
    /// The header after IP.
    pub transport: Transport<'a>,
}

/// An IP header, either version. Fields beyond the captured bytes are `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ip<'a> {
    /// By the version nibble, not by what the link layer said.
    pub family: Family,
    /// The header's bytes: IPv4 with its options, IPv6's 40.
    pub header: &'a [u8],
    /// IPv6's extension headers.
    pub extensions: &'a [u8],
    /// Source address.
    pub src: Option<IpAddr>,
    /// Destination address.
    pub dst: Option<IpAddr>,
    /// TTL or hop limit.
    pub ttl: Option<u8>,
    /// Length of the IP packet in bytes, by its own length field, header included.
    pub len: Option<usize>,
    /// The protocol behind extension headers and AH; `None` if the bytes end before it is known.
    pub proto: Option<u8>,
    /// Fragmentation: always there for IPv4, for IPv6 with a fragment header.
    pub frag: Option<Frag>,
}

impl Ip<'_> {
    /// True if what follows the header is not the start of anything.
    fn is_later_fragment(&self) -> bool {
        self.frag.is_some_and(|frag| frag.offset > 0)
    }

    fn leads_to_ah(&self) -> bool {
        self.proto == Some(proto::AH) && !self.is_later_fragment()
    }
}

/// How a packet is part of a larger one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frag {
    /// Which packet it is part of.
    pub id: u32,
    /// Where it belongs, in bytes.
    pub offset: u32,
    /// Not the last one.
    pub more: bool,
    /// Must not be fragmented (IPv4).
    pub dont: bool,
}

impl Frag {
    /// True if the packet is a part of a larger one.
    pub const fn is_fragment(&self) -> bool {
        self.more || self.offset > 0
    }
}

impl<'a> Packet<'a> {
    /// Decodes a packet of which `bytes` were captured and which had `len` bytes.
    ///
    /// # Errors
    /// When not even the version is known: no byte, or neither 4 nor 6, or an IPv4 header
    /// length below 20. Offsets count from the first byte of `bytes`.
    #[inline]
    pub fn parse(bytes: &'a [u8], len: usize) -> Result<Self, DecodeError> {
        let err = |fault| DecodeError { layer: Layer::Ip, offset: 0, fault };
        match bytes.first().map(|first| (first >> 4, first & 0xf)) {
            Some((4, ihl)) if ihl < 5 => Err(err(Fault::BadLength(usize::from(ihl) * 4))),
            Some((4, _)) => Ok(Self::parse_v4(bytes, len)),
            Some((6, _)) => Ok(Self::parse_v6(bytes, len)),
            Some((version, _)) => Err(err(Fault::BadVersion(version))),
            None => Err(err(Fault::Truncated { needed: 20 })),
        }
    }

    #[inline]
    fn parse_v4(bytes: &'a [u8], len: usize) -> Self {
        let Ok(h) = Ipv4HeaderSlice::from_slice(bytes) else {
            return Self::cut(bytes, len, cut_v4(bytes));
        };
        let total = usize::from(h.total_len());
        let header_len = h.slice().len();
        let frag = Frag {
            id: u32::from(h.identification()),
            offset: u32::from(h.fragments_offset().value()) * 8,
            more: h.more_fragments(),
            dont: h.dont_fragment(),
        };
        let ip = Ip {
            family: Family::Inet,
            header: bytes.get(..header_len).unwrap_or(bytes),
            extensions: &[],
            src: Some(IpAddr::V4(h.source_addr())),
            dst: Some(IpAddr::V4(h.destination_addr())),
            ttl: Some(h.ttl()),
            len: Some(total),
            proto: Some(h.protocol().0),
            frag: Some(frag),
        };
        let length = if total < header_len { len } else { total };
        let rest = bytes.get(header_len..bytes.len().min(length)).unwrap_or_default();
        Self::behind_ip(bytes, len, ip, rest, length.saturating_sub(header_len))
    }

    #[inline]
    fn parse_v6(bytes: &'a [u8], len: usize) -> Self {
        let Ok(h) = Ipv6HeaderSlice::from_slice(bytes) else {
            return Self::cut(bytes, len, cut_v6(bytes));
        };
        // A jumbogram or an offloaded segment has 0 here.
        let payload_len = match usize::from(h.payload_length()) {
            0 => len.saturating_sub(h.slice().len()),
            n => n,
        };
        let mut ip = Ip {
            family: Family::Inet6,
            header: h.slice(),
            extensions: &[],
            src: Some(IpAddr::V6(h.source_addr())),
            dst: Some(IpAddr::V6(h.destination_addr())),
            ttl: Some(h.hop_limit()),
            len: Some(h.slice().len() + usize::from(h.payload_length())),
            proto: Some(h.next_header().0),
            frag: None,
        };
        let end = h.slice().len() + payload_len;
        let rest = bytes.get(h.slice().len()..bytes.len().min(end)).unwrap_or_default();
        let extensions = extensions(rest, h.next_header().0);
        ip.extensions = rest.get(..extensions.len).unwrap_or(rest);
        ip.proto = extensions.proto;
        ip.frag = extensions.frag;
        let rest = rest.get(extensions.len..).unwrap_or_default();
        Self::behind_ip(bytes, len, ip, rest, payload_len.saturating_sub(extensions.len))
    }

    /// Steps over AH and reads the transport header.
    #[inline]
    fn behind_ip(
        bytes: &'a [u8],
        len: usize,
        mut ip: Ip<'a>,
        rest: &'a [u8],
        rest_len: usize,
    ) -> Self {
        let (mut used, mut ah) = (0, None);
        if ip.leads_to_ah() {
            let Some((next, ah_len, sa)) = parse_ah(rest) else {
                ip.proto = None;
                return Self { payload_len: rest_len, ..Self::cut(bytes, len, ip) };
            };
            (ip.proto, used, ah) = (Some(next), ah_len, Some(sa));
            if ip.family == Family::Inet6 {
                // Destination options may stand behind AH (RFC 4302 3.1.1).
                let behind = rest.get(ah_len..).unwrap_or_default();
                let more = extensions(behind, next);
                (ip.proto, ip.frag, used) = (more.proto, ip.frag.or(more.frag), ah_len + more.len);
            }
        }
        let payload = rest.get(used..).unwrap_or_default();
        let payload_len = rest_len.saturating_sub(used);
        let transport = match ip.proto {
            Some(proto) if !ip.is_later_fragment() => Transport::parse(proto, payload),
            _ => Transport::None,
        };
        Self { bytes, len, ip, ah, payload, payload_len, transport }
    }

    /// A packet of which less than the IP header is there.
    const fn cut(bytes: &'a [u8], len: usize, ip: Ip<'a>) -> Self {
        Self { bytes, len, ip, ah: None, payload: &[], payload_len: 0, transport: Transport::None }
    }

    /// True if the capture holds less of the packet than its length field says.
    pub fn is_truncated(&self) -> bool {
        self.ip.len.is_none_or(|len| len.min(self.len) > self.bytes.len())
    }

    /// Source and destination port, of the protocols that have them.
    #[inline]
    pub const fn ports(&self) -> Option<Ports> {
        match self.transport {
            Transport::Tcp(Tcp { ports, .. })
            | Transport::Udp(Udp { ports, .. })
            | Transport::Sctp(ports) => Some(ports),
            _ => None,
        }
    }

    /// The ESP SPI, bare or in UDP.
    pub const fn esp(&self) -> Option<Sa> {
        match self.transport {
            Transport::Esp(sa)
            | Transport::Udp(Udp {
                carries: Carries::Encapsulated(Encapsulated::Esp(sa)), ..
            }) => Some(sa),
            _ => None,
        }
    }

    /// The IKE header, on port 500 or behind the marker on 4500.
    pub const fn ike(&self) -> Option<Ike> {
        match self.transport {
            Transport::Udp(Udp { carries: Carries::Ike(ike), .. })
            | Transport::Udp(Udp {
                carries: Carries::Encapsulated(Encapsulated::Ike(Some(ike))),
                ..
            }) => Some(ike),
            _ => None,
        }
    }

    /// The packet that an ICMP or ICMPv6 error message quotes (RFC 792, RFC 4443).
    pub fn quoted(&self) -> Option<Self> {
        let is_error = match self.transport {
            Transport::Icmp(Icmp { kind, .. }) => matches!(kind, 3 | 4 | 5 | 11 | 12),
            Transport::Icmp6(Icmp { kind, .. }) => matches!(kind, 1..=4),
            _ => false,
        };
        let bytes = self.payload.get(8..).filter(|_| is_error)?;
        Self::parse(bytes, self.payload_len.saturating_sub(8)).ok()
    }
}

fn cut_v4(bytes: &[u8]) -> Ip<'_> {
    let byte = |at: usize| bytes.get(at).copied();
    let word =
        |at: usize| bytes.get(at..).and_then(<[u8]>::first_chunk).map(|&b| u16::from_be_bytes(b));
    let address = |at: usize| {
        let octets = bytes.get(at..).and_then(<[u8]>::first_chunk::<4>)?;
        Some(IpAddr::V4(Ipv4Addr::from(*octets)))
    };
    let frag = |bits: u16| Frag {
        id: word(4).map_or(0, u32::from),
        offset: u32::from(bits & 0x1fff) * 8,
        more: bits & 0x2000 != 0,
        dont: bits & 0x4000 != 0,
    };
    let mut ip = Ip {
        family: Family::Inet,
        header: bytes,
        extensions: &[],
        src: address(12),
        dst: address(16),
        ttl: byte(8),
        len: word(2).map(usize::from),
        proto: byte(9),
        frag: word(6).map(frag),
    };
    if ip.leads_to_ah() {
        ip.proto = None;
    }
    ip
}

fn cut_v6(bytes: &[u8]) -> Ip<'_> {
    let byte = |at: usize| bytes.get(at).copied();
    let address = |at: usize| {
        let octets = bytes.get(at..).and_then(<[u8]>::first_chunk::<16>)?;
        Some(IpAddr::V6(Ipv6Addr::from(*octets)))
    };
    let length = bytes.get(4..).and_then(<[u8]>::first_chunk);
    Ip {
        family: Family::Inet6,
        header: bytes,
        extensions: &[],
        src: address(8),
        dst: address(24),
        ttl: byte(7),
        len: length.map(|&b| 40 + usize::from(u16::from_be_bytes(b))),
        proto: byte(6).filter(|&next| next != proto::AH && !proto::is_extension(next)),
        frag: None,
    }
}

/// IPv6 extension headers that were stepped over.
pub(crate) struct Extensions {
    /// Their length in bytes, which may be more than are there.
    pub(crate) len: usize,
    /// What follows; `None` if the bytes end before that is known.
    pub(crate) proto: Option<u8>,
    pub(crate) frag: Option<Frag>,
}

/// Steps over hop-by-hop, routing, destination options and fragment headers (RFC 8200). AH is
/// left to the caller, as for IPv4. A later fragment ends the walk: what follows its header is
/// the middle of a packet.
pub(crate) fn extensions(bytes: &[u8], first: u8) -> Extensions {
    let mut walk = Extensions { len: 0, proto: Some(first), frag: None };
    while let Some(kind) = walk.proto.filter(|&kind| proto::is_extension(kind)) {
        let (next, len) = match (kind, bytes.get(walk.len..).unwrap_or_default()) {
            (proto::FRAGMENT, &[next, _, hi, lo, a, b, c, d, ..]) => {
                let bits = u16::from_be_bytes([hi, lo]);
                walk.frag = Some(Frag {
                    id: u32::from_be_bytes([a, b, c, d]),
                    offset: u32::from(bits & 0xfff8),
                    more: bits & 1 != 0,
                    dont: false,
                });
                (next, 8)
            }
            (proto::HOPOPTS | proto::ROUTING | proto::DSTOPTS, &[next, words, ..]) => {
                (next, (usize::from(words) + 1) * 8)
            }
            _ => {
                (walk.len, walk.proto) = (walk.len.max(bytes.len()), None);
                break;
            }
        };
        (walk.len, walk.proto) = (walk.len + len, Some(next));
        if walk.frag.is_some_and(|frag| frag.offset > 0) {
            break;
        }
    }
    walk
}

#[cfg(test)]
mod tests;
