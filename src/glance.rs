//! What filters, the summary and the renderers ask of a logged packet, read from where it stands.
//!
//! Most records are plain: a header of a length that today's systems write, and behind it an IP
//! header that is whole. Of those there is a [`Glance`], for a tenth of what
//! [`decode`](crate::decode::decode) costs, and it says what decoding would; what it does not show
//! is taken from it where it is wanted ([`Glance::packet`], [`Glance::other`]).
//! Of all others there is none, and they are decoded. `tests/glance.rs` holds the one against the
//! other.
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::event::Frame;
use crate::packet::{Frag, Icmp, Ip, Packet, Ports, Transport, extensions, icmp, proto};
use crate::pf::{Action, Direction, Family, Reason, Systems};
use crate::wire::link::LinkType;
use crate::wire::pflog::{self, Other};
use crate::wire::writer::Writer;

/// Bytes of a header up to its direction: 61, 69 or 100 in all.
const FIXED_LEN: usize = 61;
/// Bytes of OpenBSD's header, which has addresses behind that.
const OPENBSD_LEN: usize = 100;
const IPV4_LEN: usize = 20;
const IPV6_LEN: usize = 40;

/// A plain record.
#[derive(Debug, Clone, Copy)]
pub struct Glance<'a> {
    /// pf's header up to its direction.
    header: &'a [u8; FIXED_LEN],
    /// The captured bytes from the IP header on.
    ip: &'a [u8],
    /// Where in them the header behind IP and its extension headers begins.
    behind: usize,
    /// What an IPv6 fragment header says.
    frag: Option<Frag>,
    /// What the records so far have shown of the machine that wrote them.
    pub writer: Writer,
    /// IP's version.
    pub family: Family,
    /// The protocol behind the IP header and its extension headers.
    pub proto: u8,
    /// The protocol that the IP header names: an extension header's, or the same.
    pub named: u8,
    /// Length of the IP packet in bytes by its own length field, header included.
    pub len: usize,
    /// Length of the IP header in bytes.
    pub header_len: usize,
    /// Bytes that the frame had from the IP header on.
    pub wire_len: usize,
    /// Source and destination port, of the protocols that have them.
    pub ports: Option<Ports>,
}

impl<'a> Glance<'a> {
    /// A look at a frame; `None` if it must be decoded. A frame that this is of decodes to a packet
    /// that pf logged, without an error.
    #[inline(always)]
    pub fn of(frame: &Frame<'a>, writer: Writer) -> Option<Self> {
        if frame.link != LinkType::PFLOG {
            return None;
        }
        let header = frame.data.first_chunk::<FIXED_LEN>()?;
        let [hdrlen, af, action, ..] = *header;
        let skip = match hdrlen {
            61 => 64,
            69 => 72,
            100 => 100,
            _ => return None,
        };
        // ipfw's records have this action, and little else of a header.
        if Action(action) == Action::NAT {
            return None;
        }
        let ip = frame.data.get(skip..)?;
        let wire_len = frame.len.saturating_sub(skip);
        match Family::from_af(af.into())? {
            Family::Inet => Self::of_v4(header, writer, ip, wire_len),
            Family::Inet6 => Self::of_v6(header, writer, ip, wire_len),
        }
    }

    #[inline(always)]
    fn of_v4(
        header: &'a [u8; FIXED_LEN],
        writer: Writer,
        ip: &'a [u8],
        wire_len: usize,
    ) -> Option<Self> {
        let &[first @ 0x45..=0x4f, _, l, m, _, _, f, g, _, proto, ..] =
            ip.first_chunk::<IPV4_LEN>()?
        else {
            return None;
        };
        let len = usize::from(u16::from_be_bytes([l, m]));
        let header_len = usize::from(first & 0xf) * 4;
        if len < header_len || ip.len() < header_len || proto == proto::AH {
            return None;
        }
        let is_later = u16::from_be_bytes([f, g]) & 0x1fff != 0;
        Some(Self {
            header,
            ip,
            behind: header_len,
            frag: None,
            writer,
            family: Family::Inet,
            proto,
            named: proto,
            len,
            header_len,
            wire_len,
            ports: if is_later { None } else { ports(proto, ip, header_len, len) },
        })
    }

    #[inline(always)]
    fn of_v6(
        header: &'a [u8; FIXED_LEN],
        writer: Writer,
        ip: &'a [u8],
        wire_len: usize,
    ) -> Option<Self> {
        let fixed = ip.first_chunk::<IPV6_LEN>()?;
        let &[0x60..=0x6f, _, _, _, l, m, named, ..] = fixed else { return None };
        let payload = usize::from(u16::from_be_bytes([l, m]));
        let len = IPV6_LEN.saturating_add(payload);
        let (mut proto, mut behind, mut frag) = (named, IPV6_LEN, None);
        if proto::is_extension(named) {
            let walk = extensions(ip.get(IPV6_LEN..ip.len().min(len))?, named);
            (proto, behind) = (walk.proto?, IPV6_LEN.saturating_add(walk.len));
            frag = walk.frag;
        }
        // A length of 0 may be that of a jumbogram or of a segment that the network card is to cut.
        if (payload == 0 && wire_len != IPV6_LEN) || proto == proto::AH {
            return None;
        }
        let is_later = frag.is_some_and(|frag| frag.offset > 0);
        Some(Self {
            header,
            ip,
            behind,
            frag,
            writer,
            family: Family::Inet6,
            proto,
            named,
            len,
            header_len: IPV6_LEN,
            wire_len,
            ports: if is_later { None } else { ports(proto, ip, behind, len) },
        })
    }

    /// Systems that may have written the record.
    #[inline]
    pub fn systems(&self) -> Systems {
        let [hdrlen, af, ..] = *self.header;
        self.writer.systems_by(hdrlen, af)
    }

    /// Source and destination address.
    #[inline(always)]
    pub fn addresses(&self) -> [IpAddr; 2] {
        match (self.family, self.ip.first_chunk(), self.ip.first_chunk()) {
            (Family::Inet, Some::<&[u8; IPV4_LEN]>(header), _) => {
                let &[.., a, b, c, d, w, x, y, z] = header;
                [[a, b, c, d], [w, x, y, z]].map(|bytes| Ipv4Addr::from(bytes).into())
            }
            (_, _, Some::<&[u8; IPV6_LEN]>(header)) => {
                let (halves, _) = header.last_chunk::<32>().unwrap_or(&[0; 32]).as_chunks();
                let [src, dst] = *halves.first_chunk().unwrap_or(&[[0; 16]; 2]);
                [src, dst].map(|bytes| Ipv6Addr::from(bytes).into())
            }
            _ => [IpAddr::V4(Ipv4Addr::UNSPECIFIED); 2],
        }
    }

    /// The captured bytes of the IP packet, and how many of them are headers of IP.
    #[inline]
    pub fn bytes(&self) -> (&'a [u8], usize) {
        (self.ip.get(..self.ip.len().min(self.len)).unwrap_or(self.ip), self.behind)
    }

    /// TTL or hop limit.
    #[inline]
    pub fn ttl(&self) -> u8 {
        let &[_, _, _, _, _, _, _, hops, ttl] = self.ip.first_chunk().unwrap_or(&[0; 9]);
        if self.family == Family::Inet { ttl } else { hops }
    }

    /// How it is part of a larger packet: always there for IPv4, for IPv6 with a fragment header.
    #[inline]
    pub fn frag(&self) -> Option<Frag> {
        match (self.family, self.ip.first_chunk()) {
            (Family::Inet, Some(&[_, _, _, _, i, d, f, g])) => {
                let bits = u16::from_be_bytes([f, g]);
                Some(Frag {
                    id: u32::from(u16::from_be_bytes([i, d])),
                    offset: u32::from(bits & 0x1fff) * 8,
                    more: bits & 0x2000 != 0,
                    dont: bits & 0x4000 != 0,
                })
            }
            _ => self.frag,
        }
    }

    /// Type and code of ICMP and ICMPv6.
    #[inline]
    pub fn icmp(&self) -> Option<Icmp> {
        let is_icmp = matches!(self.proto, proto::ICMP | proto::ICMP6);
        if !is_icmp || self.frag().is_some_and(|frag| frag.offset > 0) {
            return None;
        }
        let (bytes, behind) = self.bytes();
        icmp(bytes.get(behind..)?)
    }

    /// The packet, decoded.
    #[inline]
    pub fn packet(&self) -> Packet<'a> {
        let (bytes, behind) = self.bytes();
        let (header, rest) = bytes.split_at_checked(self.header_len).unwrap_or((bytes, &[]));
        let extensions = behind.saturating_sub(self.header_len);
        let (extensions, payload) = rest.split_at_checked(extensions).unwrap_or((rest, &[]));
        let frag = self.frag();
        let [src, dst] = self.addresses().map(Some);
        let ip = Ip {
            family: self.family,
            header,
            extensions,
            src,
            dst,
            ttl: Some(self.ttl()),
            len: Some(self.len),
            proto: Some(self.proto),
            frag,
        };
        let payload_len = self.len.saturating_sub(behind);
        let (bytes, len) = (self.ip, self.wire_len);
        Packet {
            bytes,
            len,
            ip,
            ah: None,
            payload,
            payload_len,
            transport: match frag {
                Some(Frag { offset: 1.., .. }) => Transport::None,
                _ => Transport::parse(self.proto, payload),
            },
        }
    }

    /// The addresses on the other side of a translation, where the header has room for them.
    #[inline]
    pub fn other(&self, frame: &Frame<'a>) -> Option<Other> {
        let [hdrlen, af, ..] = *self.header;
        if usize::from(hdrlen) != OPENBSD_LEN {
            return None;
        }
        let header = frame.data.first_chunk::<OPENBSD_LEN>()?;
        let mut other = pflog::openbsd_other(header)?;
        other.place(af.into(), Some(self.family));
        Some(other)
    }

    /// All that tells the packet's flow from others, in words: addresses, protocol, ports, ICMP's type
    /// and code. Never all 0, as a mark is always set.
    #[inline]
    pub fn flow_words(&self) -> [u64; 5] {
        let word = u64::from_ne_bytes;
        let [a, b, c, d] = match (self.family, self.ip.first_chunk(), self.ip.first_chunk()) {
            (Family::Inet, Some::<&[u8; IPV4_LEN]>(header), _) => {
                let addresses = header.last_chunk().copied();
                [addresses.map_or(0, word), 0, 0, 0]
            }
            (Family::Inet6, _, Some::<&[u8; IPV6_LEN]>(header)) => {
                let (words, _) = header.as_chunks();
                words.last_chunk().map_or([0; 4], |words| words.map(word))
            }
            _ => [0; 4],
        };
        let (src, dst) = self.ports.map_or((0, 0), |ports| (ports.src, ports.dst));
        let icmp = self.icmp();
        let (kind, code) = icmp.map_or((0, None), |icmp| (icmp.kind, icmp.code));
        let marks = u8::from(self.family == Family::Inet)
            | u8::from(self.ports.is_some()) << 1
            | u8::from(icmp.is_some()) << 2
            | u8::from(code.is_some()) << 3
            | 1 << 4;
        let ([e, f], [g, h]) = (src.to_be_bytes(), dst.to_be_bytes());
        [a, b, c, d, word([e, f, g, h, self.proto, marks, kind, code.unwrap_or_default()])]
    }

    /// All that [`other`](Self::other) depends on but the packet's family; zeros where there is none.
    #[inline]
    pub fn other_words(&self, frame: &Frame<'a>) -> [u64; 5] {
        let [hdrlen, af, ..] = *self.header;
        let header = frame.data.first_chunk::<OPENBSD_LEN>();
        let Some(header) = header.filter(|_| usize::from(hdrlen) == OPENBSD_LEN) else {
            return [0; 5];
        };
        // The last byte before them is the direction's.
        let mut tail: [u8; 40] = header.last_chunk().copied().unwrap_or([0; 40]);
        let [dir, ..] = &mut tail;
        *dir = af;
        let (words, _) = tail.as_chunks();
        words.first_chunk().map_or([0; 5], |words| words.map(u64::from_le_bytes))
    }

    /// What was done.
    #[inline]
    pub const fn action(&self) -> Action {
        let [_, _, action, ..] = *self.header;
        Action(action)
    }

    /// Why it was done.
    #[inline]
    pub const fn reason(&self) -> Reason {
        let [_, _, _, reason, ..] = *self.header;
        Reason(reason)
    }

    /// Through the interface which way.
    #[inline]
    pub const fn dir(&self) -> Direction {
        let [.., dir] = *self.header;
        Direction(dir)
    }

    /// Interface name and anchor name as they stand there, 16 bytes each: what is behind a NUL means
    /// nothing.
    #[inline]
    pub fn names(&self) -> [&'a [u8; 16]; 2] {
        const NONE: &[u8; 16] = &[0; 16];
        let [_, _, _, _, names @ ..] = self.header;
        let (ifname, rest) = names.split_first_chunk().unwrap_or((NONE, &[]));
        [ifname, rest.first_chunk().unwrap_or(NONE)]
    }

    /// Interface name, up to its first NUL: untrusted bytes.
    #[inline]
    pub fn ifname(&self) -> &'a [u8] {
        let [ifname, _] = self.names();
        pflog::name(ifname)
    }

    /// Anchor name, up to its first NUL, empty in the main ruleset: untrusted bytes.
    #[inline]
    pub fn ruleset(&self) -> &'a [u8] {
        let [_, ruleset] = self.names();
        pflog::name(ruleset)
    }

    /// Rule in the main ruleset, and rule in the anchor; all ones for none.
    #[inline]
    pub fn rules(&self) -> [u32; 2] {
        let &[a, b, c, d, e, f, g, h, ..] = self.header.last_chunk::<25>().unwrap_or(&[0; 25]);
        [u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])]
    }
}

/// The ports of a protocol that has them, if they are there and the packet's length admits them.
#[inline(always)]
fn ports(proto: u8, ip: &[u8], at: usize, len: usize) -> Option<Ports> {
    if !matches!(proto, proto::TCP | proto::UDP | proto::SCTP) || len < at.saturating_add(4) {
        return None;
    }
    let &[a, b, c, d] = ip.get(at..)?.first_chunk()?;
    Some(Ports { src: u16::from_be_bytes([a, b]), dst: u16::from_be_bytes([c, d]) })
}
