//! `struct pfsync_tdb` (net/if_pfsync.h): the counters of an IPsec SA, so that a peer can take it
//! over.
//!
//! ```text
//! 0 spi  4 dst: sockaddr_in or sockaddr_in6, 28 bytes
//! 48: 32 rpl u32  36 cur_bytes u64  44 sproto  45 updates  46 pad; rdomain in version 6
//! 52: 32 rpl u64  40 cur_bytes u64  48 sproto  49 updates  50 rdomain
//! ```
//! All in network order.

use std::net::IpAddr;

use nom::bytes::complete::take;
use nom::combinator::cond;
use nom::number::complete::{be_u8, be_u16, be_u32, be_u64};
use nom::{IResult, Parser};

use super::state::ip;
use crate::pf::Family;

/// Which of the two layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TdbLayout {
    /// 48 bytes, no routing domain: versions 3 to 5.
    Short,
    /// 48 bytes: version 6, action 11.
    ShortRdomain,
    /// 52 bytes: version 6, action 15.
    Long,
}

impl TdbLayout {
    /// Bytes of a message.
    pub const fn size(self) -> usize {
        match self {
            Self::Short | Self::ShortRdomain => 48,
            Self::Long => 52,
        }
    }
}

/// Counters of an SA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tdb {
    /// Security parameters index.
    pub spi: u32,
    /// Destination of the SA, if its family is IP's.
    pub dst: Option<IpAddr>,
    /// Protocol: 50 ESP, 51 AH.
    pub sproto: u8,
    /// Replay counter. For an SA that sends it may be 16384 (`RPL_INCR`) ahead of the packets
    /// sent.
    pub rpl: u64,
    /// Bytes the SA has carried.
    pub cur_bytes: u64,
    /// Updates collapsed into this one.
    pub updates: u8,
    /// Routing domain, where the layout has it.
    pub rdomain: Option<u16>,
}

/// Parses a message; `None` if it is too short.
pub fn parse(i: &[u8], layout: TdbLayout) -> Option<Tdb> {
    tdb(i, layout).ok().map(|(_, tdb)| tdb)
}

fn tdb(i: &[u8], layout: TdbLayout) -> IResult<&[u8], Tdb> {
    let (i, spi) = be_u32(i)?;
    let (i, dst) = take(28usize).map(sockaddr).parse(i)?;
    let (i, rpl) = match layout {
        TdbLayout::Long => be_u64(i)?,
        _ => be_u32.map(u64::from).parse(i)?,
    };
    let (i, cur_bytes) = be_u64(i)?;
    let (i, sproto) = be_u8(i)?;
    let (i, updates) = be_u8(i)?;
    let (i, rdomain) = cond(layout != TdbLayout::Short, be_u16).parse(i)?;
    Ok((i, Tdb { spi, dst, sproto, rpl, cur_bytes, updates, rdomain }))
}

/// The address in a BSD socket address: length, family, port, then by family.
fn sockaddr(raw: &[u8]) -> Option<IpAddr> {
    let family = Family::from_af(u32::from(*raw.get(1)?))?;
    let at = match family {
        Family::Inet => 4,
        Family::Inet6 => 8,
    };
    let addr = *raw.get(at..)?.first_chunk::<16>()?;
    Some(ip(family, &addr))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As OpenBSD 8.0 sent it.
    #[rustfmt::skip]
    fn long() -> Vec<u8> {
        [
            &[0xc0, 0xff, 0xee, 0x01][..],              // spi
            &[16, 2, 0, 0, 198, 51, 100, 20], &[0; 20], // dst: sockaddr_in and room for in6
            &[0, 0, 0, 0, 0, 0, 0, 16],                 // rpl
            &[0, 0, 0, 0, 0x07, 0x5b, 0xcd, 0x15],      // cur_bytes 123456789
            &[50], &[0], &[0, 3],                       // ESP, updates, rdomain
        ]
        .concat()
    }

    #[test]
    fn version_6() {
        let expected = Tdb {
            spi: 0xc0ff_ee01,
            dst: Some("198.51.100.20".parse().unwrap()),
            sproto: 50,
            rpl: 16,
            cur_bytes: 123_456_789,
            updates: 0,
            rdomain: Some(3),
        };
        let bytes = long();
        let record = include_bytes!("../../testdata/genuine/openbsd80-pfsync0.pcap");
        assert!(record.windows(52).any(|genuine| genuine == bytes), "made, not sent");
        assert_eq!(parse(&bytes, TdbLayout::Long), Some(expected));
        // The other SA: AH to an IPv6 address, and more than 32 bits.
        let at = record.windows(4).rposition(|spi| spi == [0, 0, 0x10, 0x01]).unwrap();
        let other = parse(&record[at..], TdbLayout::Long).unwrap();
        assert_eq!(other.dst, Some("2001:db8:2::20".parse().unwrap()));
        assert_eq!((other.sproto, other.rpl, other.cur_bytes), (51, 0x1_0000_0001, 0x12_3456_7890));
    }

    #[test]
    fn narrow_counters() {
        let mut bytes = long();
        bytes.drain(32..36);
        let short = parse(&bytes, TdbLayout::Short).unwrap();
        assert_eq!((short.rpl, short.cur_bytes, short.sproto), (16, 123_456_789, 50));
        assert_eq!(short.rdomain, None);
        let of_6 = parse(&bytes, TdbLayout::ShortRdomain).unwrap();
        assert_eq!(of_6.rdomain, Some(3));
    }

    #[test]
    fn a_cut_message_or_another_family() {
        let bytes = long();
        for (layout, size) in [(TdbLayout::Short, 46), (TdbLayout::Long, 52)] {
            assert!((0..size).all(|cut| parse(&bytes[..cut], layout).is_none()));
        }
        let mut bytes = bytes;
        bytes[5] = 18;
        assert_eq!(parse(&bytes, TdbLayout::Long).unwrap().dst, None);
    }
}
