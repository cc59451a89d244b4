//! Link types as capture files number them (the LINKTYPE_ registry; for these the same numbers
//! as DLT_ unless said), and the headers that stand before IP.
//!
//! Not here: pflog's header, which is an event of its own ([`super::pflog`]).

use nom::IResult;
use nom::bytes::complete::take;
use nom::number::complete::{be_u8, be_u16, be_u32};

use super::ByteOrder;
use crate::error::{DecodeError, Fault, Layer};

/// A link type: what the first byte of a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkType(pub u32);

impl LinkType {
    /// BSD loopback: address family in the writer's byte order, then IP.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// Raw IP: DLT_RAW on most systems, written into files as it is by some tools.
    pub const RAW_12: Self = Self(12);
    /// Raw IP: DLT_RAW of OpenBSD.
    pub const RAW_14: Self = Self(14);
    /// pflog of OpenBSD 3.0 to 3.3.
    pub const OLD_PFLOG: Self = Self(17);
    /// Raw IP: LINKTYPE_RAW.
    pub const RAW: Self = Self(101);
    /// pfsync: OpenBSD's, NetBSD's and DragonFly's own number. Classical IP over ATM elsewhere.
    pub const PFSYNC_18: Self = Self(18);
    /// pfsync: FreeBSD's own number. HHDLC elsewhere.
    pub const PFSYNC_121: Self = Self(121);
    /// pfsync: the number in files.
    pub const PFSYNC: Self = Self(246);
    /// OpenBSD loopback: address family in network order, then IP.
    pub const LOOP: Self = Self(108);
    /// enc(4) of OpenBSD and FreeBSD: `struct enchdr` (family, SPI, flags), then IP.
    pub const ENC: Self = Self(109);
    /// Linux "cooked" capture.
    pub const LINUX_SLL: Self = Self(113);
    /// pflog: `struct pfloghdr`, then IP.
    pub const PFLOG: Self = Self(117);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux "cooked" capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);

    /// The link type of a device: raw IP has a number of its own on every system (`DLT_RAW`).
    pub const fn from_dlt(dlt: u32) -> Self {
        match Self(dlt) {
            Self::RAW_12 | Self::RAW_14 => Self::RAW,
            Self::PFSYNC_18 | Self::PFSYNC_121 => Self::PFSYNC,
            other => other,
        }
    }

    /// Bytes from a frame's first to the end of the longest IPv4 header, options and two VLAN tags
    /// included, if it is a link type that is read.
    pub const fn headers_len(self) -> Option<u32> {
        let link: u32 = match self {
            Self::NULL | Self::LOOP => 4,
            Self::ETHERNET => 22,
            Self::RAW_12 | Self::RAW_14 | Self::RAW | Self::IPV4 | Self::IPV6 => 0,
            Self::PFSYNC_18 | Self::PFSYNC_121 | Self::PFSYNC => 0,
            Self::OLD_PFLOG => 28,
            Self::ENC => 12,
            Self::LINUX_SLL => 16,
            Self::LINUX_SLL2 => 20,
            // OpenBSD's, the longest.
            Self::PFLOG => 100,
            _ => return None,
        };
        Some(link.saturating_add(60))
    }

    /// The name tcpdump gives the link type, if it is one that is read.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::NULL => "NULL",
            Self::ETHERNET => "EN10MB",
            Self::RAW_12 | Self::RAW_14 | Self::RAW => "RAW",
            Self::OLD_PFLOG => "OLD_PFLOG",
            Self::LOOP => "LOOP",
            Self::ENC => "ENC",
            Self::LINUX_SLL => "LINUX_SLL",
            Self::PFLOG => "PFLOG",
            Self::PFSYNC_18 | Self::PFSYNC_121 | Self::PFSYNC => "PFSYNC",
            Self::IPV4 => "IPV4",
            Self::IPV6 => "IPV6",
            Self::LINUX_SLL2 => "LINUX_SLL2",
            _ => return None,
        })
    }
}

/// What a link header says of the bytes behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// IPv4 or IPv6: the version nibble tells.
    Ip,
    /// Something else: its ethertype.
    Other(u16),
    /// An IEEE 802.3 frame: a length instead of an ethertype, LLC behind it.
    Llc,
}

/// The header in front of the network layer, as far as a printer shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkHeader<'a> {
    /// None: raw IP, or pflog, which has an event of its own.
    None,
    /// BSD loopback, either kind: the address family.
    Null {
        /// `AF_` number of the writer.
        af: u32,
    },
    /// Ethernet with any VLAN tags.
    Ethernet {
        /// Destination address.
        dst: [u8; 6],
        /// Source address.
        src: [u8; 6],
        /// The first ethertype: a VLAN tag's if there are tags.
        ethertype: u16,
        /// The VLAN tags with the ethertype that follows each: 4 bytes each.
        tags: &'a [u8],
    },
    /// Linux cooked capture: 16 bytes.
    Sll {
        /// Packet type: 0 to us, 1 broadcast, 2 multicast, 3 to others, 4 from us.
        kind: u16,
        /// `ARPHRD_` type of the device.
        hardware: u16,
        /// Link-layer address, as long as the header says (at most 8).
        addr: &'a [u8],
        /// Protocol.
        ethertype: u16,
    },
    /// Linux cooked capture version 2: 20 bytes.
    Sll2 {
        /// Packet type, as above.
        kind: u8,
        /// Interface index.
        ifindex: u32,
        /// `ARPHRD_` type of the device.
        hardware: u16,
        /// Link-layer address, as long as the header says (at most 8).
        addr: &'a [u8],
        /// Protocol.
        ethertype: u16,
    },
    /// enc(4), `struct enchdr` of net/if_enc.h: 12 bytes.
    Enc {
        /// `AF_` number of the writer.
        af: u32,
        /// SPI of the SA.
        spi: u32,
        /// `M_CONF` 0x0400, `M_AUTH` 0x0800 and others.
        flags: u32,
    },
}

/// A parsed link layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link<'a> {
    /// The header.
    pub header: LinkHeader<'a>,
    /// What follows it.
    pub network: Network,
    /// The bytes behind the header.
    pub payload: &'a [u8],
}

/// Ethertypes of VLAN tags: 802.1Q, 802.1ad, and the one in use before 802.1ad.
const TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// More tags than this are not followed.
const MAX_TAGS: usize = 4;

/// Parses the link header of every link type but pflog's. `order` is that of the capture file.
///
/// # Errors
/// `UnknownLinkType`, or `Truncated` when the frame ends inside the header.
pub fn parse(link: LinkType, frame: &[u8], order: ByteOrder) -> Result<Link<'_>, DecodeError> {
    let err = |fault| DecodeError { layer: Layer::Link, offset: 0, fault };
    let (needed, parsed) = match link {
        LinkType::RAW_12 | LinkType::RAW_14 | LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 => {
            (0, Ok((frame, (LinkHeader::None, Network::Ip))))
        }
        LinkType::NULL => (4, null(frame, order)),
        LinkType::LOOP => (4, null(frame, ByteOrder::Big)),
        LinkType::ENC => (12, enc(frame, order)),
        LinkType::ETHERNET => (ethernet_needed(frame), ethernet(frame)),
        LinkType::LINUX_SLL => (16, sll(frame)),
        LinkType::LINUX_SLL2 => (20, sll2(frame)),
        LinkType(n) => return Err(err(Fault::UnknownLinkType(n))),
    };
    match parsed {
        Ok((payload, (header, network))) => Ok(Link { header, network, payload }),
        Err(_) => Err(err(Fault::Truncated { needed })),
    }
}

type Parsed<'a> = IResult<&'a [u8], (LinkHeader<'a>, Network)>;

/// A family that is not one of IP's says so by its number, as an ethertype would.
fn network_of_af(af: u32) -> Network {
    match crate::pf::Family::from_af(af) {
        Some(_) => Network::Ip,
        None => Network::Other(u16::try_from(af).unwrap_or(u16::MAX)),
    }
}

/// The family in the writer's order. A file's header may have been rewritten in another order
/// than its records', so the order in which the number is a small one wins, as in libpcap.
fn null(i: &[u8], order: ByteOrder) -> Parsed<'_> {
    let (i, af) = host_u32(i, order)?;
    let af = if af > 0xffff { af.swap_bytes() } else { af };
    Ok((i, (LinkHeader::Null { af }, network_of_af(af))))
}

fn host_u32(i: &[u8], order: ByteOrder) -> IResult<&[u8], u32> {
    let (i, n) = be_u32(i)?;
    Ok((i, order.u32(n.to_be_bytes())))
}

fn enc(i: &[u8], order: ByteOrder) -> Parsed<'_> {
    let (i, af) = host_u32(i, order)?;
    let (i, spi) = be_u32(i)?;
    let (i, flags) = host_u32(i, order)?;
    let (af, flags) = if af > 0xffff { (af.swap_bytes(), flags.swap_bytes()) } else { (af, flags) };
    Ok((i, (LinkHeader::Enc { af, spi, flags }, network_of_af(af))))
}

fn network_of_ethertype(ethertype: u16) -> Network {
    match ethertype {
        0x0800 | 0x86dd => Network::Ip,
        ..=1500 => Network::Llc,
        _ => Network::Other(ethertype),
    }
}

/// Length of the header of a frame that is too short for it: one more tag than is there.
fn ethernet_needed(frame: &[u8]) -> usize {
    match frame.len().checked_sub(14) {
        Some(tags) => tags.saturating_add(1).next_multiple_of(4).saturating_add(14),
        None => 14,
    }
}

fn ethernet(i: &[u8]) -> Parsed<'_> {
    let address = |i| -> IResult<&[u8], [u8; 6]> {
        let (i, bytes) = take(6usize)(i)?;
        Ok((i, bytes.try_into().unwrap_or_default()))
    };
    let (i, dst) = address(i)?;
    let (i, src) = address(i)?;
    let (behind, ethertype) = be_u16(i)?;
    let (mut i, mut last, mut count) = (behind, ethertype, 0usize);
    while TAGS.contains(&last) && count < MAX_TAGS {
        let (rest, _tci) = be_u16(i)?;
        (i, last) = be_u16(rest)?;
        count = count.saturating_add(1);
    }
    let tags = behind.get(..count.saturating_mul(4)).unwrap_or_default();
    let header = LinkHeader::Ethernet { dst, src, ethertype, tags };
    Ok((i, (header, network_of_ethertype(last))))
}

fn sll(i: &[u8]) -> Parsed<'_> {
    let (i, kind) = be_u16(i)?;
    let (i, hardware) = be_u16(i)?;
    let (i, len) = be_u16(i)?;
    let (i, addr) = take(8usize)(i)?;
    let (i, ethertype) = be_u16(i)?;
    let addr = addr.get(..usize::from(len)).unwrap_or(addr);
    let header = LinkHeader::Sll { kind, hardware, addr, ethertype };
    Ok((i, (header, network_of_ethertype(ethertype))))
}

fn sll2(i: &[u8]) -> Parsed<'_> {
    let (i, ethertype) = be_u16(i)?;
    let (i, _reserved) = be_u16(i)?;
    let (i, ifindex) = be_u32(i)?;
    let (i, hardware) = be_u16(i)?;
    let (i, kind) = be_u8(i)?;
    let (i, len) = be_u8(i)?;
    let (i, addr) = take(8usize)(i)?;
    let addr = addr.get(..usize::from(len)).unwrap_or(addr);
    let header = LinkHeader::Sll2 { kind, ifindex, hardware, addr, ethertype };
    Ok((i, (header, network_of_ethertype(ethertype))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IP: &[u8] = &[0x45, 0, 0, 20];

    fn read<'a>(link: LinkType, frame: &'a [u8], order: ByteOrder) -> Link<'a> {
        parse(link, frame, order).unwrap()
    }

    #[test]
    fn loopback() {
        let in_order = [
            (LinkType::NULL, ByteOrder::Little, [2, 0, 0, 0]),
            (LinkType::NULL, ByteOrder::Big, [0, 0, 0, 2]),
            // A file's header turned around by a converter.
            (LinkType::NULL, ByteOrder::Big, [2, 0, 0, 0]),
            (LinkType::LOOP, ByteOrder::Little, [0, 0, 0, 2]),
        ];
        for (link, order, af) in in_order {
            let frame = [&af, IP].concat();
            let found = read(link, &frame, order);
            assert_eq!(found.header, LinkHeader::Null { af: 2 });
            assert_eq!((found.network, found.payload), (Network::Ip, IP));
        }
        // AppleTalk.
        let found = read(LinkType::LOOP, &[0, 0, 0, 16], ByteOrder::Big);
        assert_eq!((found.network, found.payload), (Network::Other(16), &b""[..]));
    }

    #[test]
    fn ethernet_with_and_without_tags() {
        let stations: Vec<u8> = (1..=12).collect();
        let of = |tail: &[u8]| [&stations[..], tail, IP].concat();
        for (tail, ethertype, tags, network) in [
            (&[0x08, 0x00][..], 0x0800, 0, Network::Ip),
            (&[0x86, 0xdd], 0x86dd, 0, Network::Ip),
            (&[0x08, 0x06], 0x0806, 0, Network::Other(0x0806)),
            (&[0x05, 0xdc], 1500, 0, Network::Llc),
            (&[0x81, 0, 0, 7, 0x08, 0x00], 0x8100, 4, Network::Ip),
            (&[0x88, 0xa8, 0, 7, 0x81, 0, 0, 8, 0x08, 0], 0x88a8, 8, Network::Ip),
        ] {
            let frame = of(tail);
            let found = read(LinkType::ETHERNET, &frame, ByteOrder::Little);
            let LinkHeader::Ethernet { dst, src, ethertype: first, tags: between } = found.header
            else {
                panic!("{found:?}")
            };
            assert_eq!((dst, src), ([1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12]));
            assert_eq!((first, between.len(), found.network), (ethertype, tags, network));
            assert_eq!(found.payload, IP);
        }
        // Tags without end are not followed for ever.
        let frame = of(&[0x81, 0, 0, 1].repeat(9));
        let found = read(LinkType::ETHERNET, &frame, ByteOrder::Little);
        assert_eq!(found.network, Network::Other(0x8100));
    }

    #[test]
    fn cooked() {
        let frame = [
            &[0, 4][..],                     // packet type: from us
            &[0, 1],                         // ARPHRD_ETHER
            &[0, 6],                         // length of the address
            &[1, 2, 3, 4, 5, 6, 0xff, 0xff], // address, and what is not of it
            &[0x86, 0xdd],                   // protocol
            IP,
        ]
        .concat();
        let found = read(LinkType::LINUX_SLL, &frame, ByteOrder::Little);
        let addr = &[1, 2, 3, 4, 5, 6][..];
        let header = LinkHeader::Sll { kind: 4, hardware: 1, addr, ethertype: 0x86dd };
        assert_eq!((found.header, found.network, found.payload), (header, Network::Ip, IP));

        let frame = [
            &[0x08, 0x00][..], // protocol
            &[0, 0],           // reserved
            &[0, 0, 0, 3],     // interface index
            &[0, 1],           // ARPHRD_ETHER
            &[4],              // packet type
            &[99],             // length of the address, more than there can be
            &[1, 2, 3, 4, 5, 6, 7, 8],
            IP,
        ]
        .concat();
        let found = read(LinkType::LINUX_SLL2, &frame, ByteOrder::Little);
        let addr = &[1, 2, 3, 4, 5, 6, 7, 8][..];
        let header = LinkHeader::Sll2 { kind: 4, ifindex: 3, hardware: 1, addr, ethertype: 0x0800 };
        assert_eq!((found.header, found.network, found.payload), (header, Network::Ip, IP));
    }

    #[test]
    fn enc() {
        let spi = [0xc0, 0xff, 0xee, 1];
        for (order, words) in [
            (ByteOrder::Little, [[24, 0, 0, 0], spi, [0, 0x0c, 0, 0]]),
            (ByteOrder::Big, [[0, 0, 0, 24], spi, [0, 0, 0x0c, 0]]),
            (ByteOrder::Big, [[24, 0, 0, 0], spi, [0, 0x0c, 0, 0]]),
        ] {
            let frame = [&words.concat(), IP].concat();
            let found = read(LinkType::ENC, &frame, order);
            let header = LinkHeader::Enc { af: 24, spi: 0xc0ff_ee01, flags: 0x0c00 };
            assert_eq!((found.header, found.network, found.payload), (header, Network::Ip, IP));
        }
    }

    /// A frame cut in its header says what it needs: more than is there.
    #[test]
    fn every_prefix() {
        let tagged = [&[0; 12][..], &[0x81, 0, 0, 1, 0x88, 0xa8, 0, 2, 0x08, 0]].concat();
        for (link, frame) in [
            (LinkType::NULL, vec![0; 4]),
            (LinkType::LOOP, vec![0; 4]),
            (LinkType::ENC, vec![0; 12]),
            (LinkType::ETHERNET, vec![0; 14]),
            (LinkType::ETHERNET, tagged),
            (LinkType::LINUX_SLL, vec![0; 16]),
            (LinkType::LINUX_SLL2, vec![0; 20]),
        ] {
            for n in 0..frame.len() {
                let error = parse(link, &frame[..n], ByteOrder::Big).unwrap_err();
                let Fault::Truncated { needed } = error.fault else { panic!("{error}") };
                assert!(n < needed && needed <= frame.len(), "{link:?}: {n} of {needed}");
            }
            assert!(read(link, &frame, ByteOrder::Big).payload.is_empty());
        }
        for link in [12, 14, 101, 228, 229].map(LinkType) {
            assert_eq!(read(link, &[], ByteOrder::Big).header, LinkHeader::None);
        }
        for link in [2, 17, 117, 118, 147, u32::MAX] {
            let error = parse(LinkType(link), IP, ByteOrder::Big).unwrap_err();
            assert_eq!(error.fault, Fault::UnknownLinkType(link));
            assert_eq!(LinkType(link).name().is_some(), [17, 117].contains(&link));
        }
    }
}
