//! The header after IP: TCP, UDP and what its ports say it carries, SCTP, ICMP, ESP.
//!
//! A header that is cut gives the fields that are there; without its ports it is none.

use etherparse::{TcpSlice, UdpSlice};

use super::proto;
use crate::wire::ipsec::{Encapsulated, Ike, Sa, parse_encapsulated, parse_esp, parse_ike};

/// The header after IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport<'a> {
    /// None that is read: a later fragment, an unknown protocol, or not a byte of it is there.
    None,
    /// TCP.
    Tcp(Tcp<'a>),
    /// UDP.
    Udp(Udp<'a>),
    /// SCTP (RFC 9260), common header.
    Sctp(Ports),
    /// ICMP.
    Icmp(Icmp),
    /// ICMPv6.
    Icmp6(Icmp),
    /// ESP.
    Esp(Sa),
}

/// Source and destination port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// Source port.
    pub src: u16,
    /// Destination port.
    pub dst: u16,
}

impl Ports {
    /// True if one of them is this port.
    #[inline]
    pub const fn have(self, port: u16) -> bool {
        self.src == port || self.dst == port
    }

    /// True for those of IKE and of ESP in UDP.
    #[inline]
    pub const fn lead_to_ipsec(self) -> bool {
        self.have(ISAKMP) || self.have(IPSEC_NAT_T)
    }
}

/// A TCP header (RFC 9293).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tcp<'a> {
    /// Ports.
    pub ports: Ports,
    /// Sequence number.
    pub seq: Option<u32>,
    /// Acknowledgment number, whatever the ACK flag says.
    pub ack: Option<u32>,
    /// Header length in bytes and flags, as [`TcpFlags`].
    pub offset_flags: Option<(usize, TcpFlags)>,
    /// Window, unscaled.
    pub win: Option<u16>,
    /// Checksum.
    pub cksum: Option<u16>,
    /// Urgent pointer.
    pub urg: Option<u16>,
    /// The options that are there.
    pub options: &'a [u8],
}

/// TCP's nine flag bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpFlags(pub u16);

impl TcpFlags {
    /// FIN
    pub const FIN: u16 = 0x01;
    /// SYN
    pub const SYN: u16 = 0x02;
    /// RST
    pub const RST: u16 = 0x04;
    /// ACK
    pub const ACK: u16 = 0x10;
    /// URG
    pub const URG: u16 = 0x20;

    /// True if one of these bits is set.
    pub const fn has(self, bits: u16) -> bool {
        self.0 & bits != 0
    }

    /// Appends tcpdump's letters (`S.`, `F.`, `P.`, …), or `none`.
    #[inline]
    pub fn push(self, out: &mut Vec<u8>) {
        let (letters, len) = self.letters();
        let end = out.len() + len;
        out.extend_from_slice(&letters);
        out.truncate(end);
    }

    /// The same and how long it is.
    #[inline(always)]
    pub fn letters(self) -> ([u8; 16], usize) {
        let [high, low] = self.0.to_be_bytes();
        let low = LETTERS.get(usize::from(low)).copied().unwrap_or_default();
        let len = 8 - low.leading_zeros() / 8;
        let letters = match (high & 1, low) {
            (0, 0) => return ((u128::from(u32::from_le_bytes(*b"none"))).to_le_bytes(), 4),
            (0, low) => u128::from(low),
            (_, low) => u128::from(low) | u128::from(b'e') << (len * 8),
        };
        (letters.to_le_bytes(), len as usize + usize::from(high & 1))
    }
}

/// The letters of each low byte of the flags, the first in the lowest byte.
#[allow(clippy::indexing_slicing, reason = "the compiler evaluates it, where get cannot be called")]
const LETTERS: [u64; 256] = {
    let mut letters = [0; 256];
    let mut flags = 0;
    while flags < letters.len() {
        // From the last letter to the first, which pushes the others up.
        let mut bit = 8;
        while bit > 0 {
            bit -= 1;
            if flags & 1 << bit != 0 {
                letters[flags] = letters[flags] << 8 | b"FSRP.UEW"[bit] as u64;
            }
        }
        flags += 1;
    }
    letters
};

/// A UDP header, and what its ports say it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Udp<'a> {
    /// Ports.
    pub ports: Ports,
    /// Length field: header and payload.
    pub len: Option<u16>,
    /// Checksum; 0 for none.
    pub cksum: Option<u16>,
    /// The captured payload.
    pub payload: &'a [u8],
    /// IKE or encapsulated ESP.
    pub carries: Carries,
}

/// What a UDP datagram carries, of the things read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    /// Nothing read here.
    Other,
    /// Port 500: IKE.
    Ike(Ike),
    /// Port 4500: ESP, IKE or a keep-alive.
    Encapsulated(Encapsulated),
}

/// An ICMP or ICMPv6 header's first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Icmp {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: Option<u8>,
}

const ISAKMP: u16 = 500;
const IPSEC_NAT_T: u16 = 4500;

impl<'a> Transport<'a> {
    #[inline]
    pub(crate) fn parse(number: u8, bytes: &'a [u8]) -> Self {
        match number {
            proto::TCP => tcp(bytes).map(Self::Tcp),
            proto::UDP => udp(bytes).map(Self::Udp),
            proto::SCTP => ports(bytes).map(Self::Sctp),
            proto::ICMP => icmp(bytes).map(Self::Icmp),
            proto::ICMP6 => icmp(bytes).map(Self::Icmp6),
            proto::ESP => parse_esp(bytes).map(Self::Esp),
            _ => None,
        }
        .unwrap_or(Self::None)
    }
}

#[inline]
fn ports(bytes: &[u8]) -> Option<Ports> {
    let &[a, b, c, d] = bytes.first_chunk::<4>()?;
    Some(Ports { src: u16::from_be_bytes([a, b]), dst: u16::from_be_bytes([c, d]) })
}

/// As much of the header as is there.
#[inline]
pub(crate) fn icmp(bytes: &[u8]) -> Option<Icmp> {
    bytes.first().map(|&kind| Icmp { kind, code: bytes.get(1).copied() })
}

#[inline]
fn tcp(bytes: &[u8]) -> Option<Tcp<'_>> {
    if let Ok(slice) = TcpSlice::from_slice(bytes) {
        let header_len = usize::from(slice.data_offset()) * 4;
        let &[.., hi, lo] = bytes.first_chunk::<14>()?;
        return Some(Tcp {
            ports: Ports { src: slice.source_port(), dst: slice.destination_port() },
            seq: Some(slice.sequence_number()),
            ack: Some(slice.acknowledgment_number()),
            offset_flags: Some((header_len, TcpFlags(u16::from_be_bytes([hi, lo]) & 0x1ff))),
            win: Some(slice.window_size()),
            cksum: Some(slice.checksum()),
            urg: Some(slice.urgent_pointer()),
            options: bytes.get(20..header_len).unwrap_or_default(),
        });
    }
    let word =
        |at: usize| bytes.get(at..).and_then(<[u8]>::first_chunk).map(|&b| u16::from_be_bytes(b));
    let long =
        |at: usize| bytes.get(at..).and_then(<[u8]>::first_chunk).map(|&b| u32::from_be_bytes(b));
    let split = |bits: u16| (usize::from(bits >> 12) * 4, TcpFlags(bits & 0x1ff));
    let offset_flags = word(12).map(split);
    let header_len = offset_flags.map_or(0, |(len, _)| len.min(bytes.len()));
    Some(Tcp {
        ports: ports(bytes)?,
        seq: long(4),
        ack: long(8),
        offset_flags,
        win: word(14),
        cksum: word(16),
        urg: word(18),
        options: bytes.get(20..header_len).unwrap_or_default(),
    })
}

#[inline]
fn udp(bytes: &[u8]) -> Option<Udp<'_>> {
    let Ok(slice) = UdpSlice::from_slice_lax(bytes) else {
        let len = bytes.get(4..).and_then(<[u8]>::first_chunk).map(|&b| u16::from_be_bytes(b));
        let (ports, carries) = (ports(bytes)?, Carries::Other);
        return Some(Udp { ports, len, cksum: None, payload: &[], carries });
    };
    let ports = Ports { src: slice.source_port(), dst: slice.destination_port() };
    let payload = slice.payload();
    let carries = if ports.have(IPSEC_NAT_T) {
        // The first byte of a cut ESP header may be all ones too.
        parse_encapsulated(payload)
            .filter(|&found| found != Encapsulated::Keepalive || slice.length() == 9)
            .map(Carries::Encapsulated)
    } else if ports.have(ISAKMP) {
        parse_ike(payload).map(Carries::Ike)
    } else {
        None
    };
    Some(Udp {
        ports,
        len: Some(slice.length()),
        cksum: Some(slice.checksum()),
        payload,
        carries: carries.unwrap_or(Carries::Other),
    })
}
