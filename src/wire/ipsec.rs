//! The first bytes of ESP (RFC 4303), AH (RFC 4302) and IKE (RFC 7296, RFC 2408), and what
//! stands in UDP port 4500 (RFC 3948). Nothing deeper: the rest is encrypted.

use nom::number::complete::{be_u8, be_u32, be_u64};
use nom::{IResult, Parser};

/// An SPI and sequence number: the whole of what ESP and AH show in the clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sa {
    /// Security parameters index.
    pub spi: u32,
    /// Sequence number, if it is there.
    pub seq: Option<u32>,
}

/// An IKE header, version 1 or 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ike {
    /// Initiator's SPI (version 1: cookie).
    pub initiator_spi: u64,
    /// Responder's SPI; 0 in the first message.
    pub responder_spi: u64,
    /// Type of the first payload.
    pub next_payload: u8,
    /// Major version in the high, minor in the low four bits.
    pub version: u8,
    /// Exchange type.
    pub exchange: u8,
    /// Flags.
    pub flags: u8,
    /// Message id.
    pub message_id: u32,
    /// Length of the message, header included.
    pub length: u32,
}

/// What a UDP datagram to or from port 4500 carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encapsulated {
    /// One byte of all ones: keeps a NAT's mapping alive.
    Keepalive,
    /// IKE behind the non-ESP marker of four zero bytes; `None` if it is cut.
    Ike(Option<Ike>),
    /// ESP.
    Esp(Sa),
}

/// The SPI and sequence number at the start of an ESP packet.
pub fn parse_esp(i: &[u8]) -> Option<Sa> {
    sa(i).ok().map(|(_, sa)| sa)
}

/// An AH header: next protocol, its length in bytes, SPI and sequence number.
pub fn parse_ah(i: &[u8]) -> Option<(u8, usize, Sa)> {
    let &[next, len, _, _, ref rest @ ..] = i else { return None };
    let bytes = usize::from(len).saturating_add(2).saturating_mul(4);
    Some((next, bytes, parse_esp(rest)?))
}

/// An IKE header.
pub fn parse_ike(i: &[u8]) -> Option<Ike> {
    ike(i).ok().map(|(_, ike)| ike)
}

/// What a datagram on port 4500 carries.
pub fn parse_encapsulated(i: &[u8]) -> Option<Encapsulated> {
    match i {
        [0xff] => Some(Encapsulated::Keepalive),
        [0, 0, 0, 0, ike @ ..] => Some(Encapsulated::Ike(parse_ike(ike))),
        _ => parse_esp(i).map(Encapsulated::Esp),
    }
}

fn sa(i: &[u8]) -> IResult<&[u8], Sa> {
    let (i, spi) = be_u32(i)?;
    let (i, seq) = nom::combinator::opt(be_u32).parse(i)?;
    Ok((i, Sa { spi, seq }))
}

fn ike(i: &[u8]) -> IResult<&[u8], Ike> {
    let (i, initiator_spi) = be_u64(i)?;
    let (i, responder_spi) = be_u64(i)?;
    let (i, next_payload) = be_u8(i)?;
    let (i, version) = be_u8(i)?;
    let (i, exchange) = be_u8(i)?;
    let (i, flags) = be_u8(i)?;
    let (i, message_id) = be_u32(i)?;
    let (i, length) = be_u32(i)?;
    let ike = Ike {
        initiator_spi,
        responder_spi,
        next_payload,
        version,
        exchange,
        flags,
        message_id,
        length,
    };
    Ok((i, ike))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// IKE_SA_INIT of IKEv2.
    const IKE: [u8; 28] = [
        0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, // initiator's SPI
        0, 0, 0, 0, 0, 0, 0, 0, // responder's: not chosen yet
        33, 0x20, 34, 8, // next payload SA, version 2.0, exchange, flags: initiator
        0, 0, 0, 0, // message id
        0, 0, 1, 0x40, // length
    ];

    #[test]
    fn esp() {
        let bytes = [0xc0, 0xff, 0xee, 1, 0, 0, 0, 7, 0xaa];
        for n in 0..=bytes.len() {
            let expected = match n {
                0..4 => None,
                4..8 => Some(Sa { spi: 0xc0ff_ee01, seq: None }),
                _ => Some(Sa { spi: 0xc0ff_ee01, seq: Some(7) }),
            };
            assert_eq!(parse_esp(&bytes[..n]), expected, "{n}");
        }
    }

    #[test]
    fn ah() {
        // UDP, 6 words of 4 bytes (less 2), reserved, SPI, sequence number, check value.
        let bytes = [17, 4, 0, 0, 0, 0, 0x0a, 0x11, 0, 0, 0, 9, 1, 2, 3, 4];
        for n in 0..=bytes.len() {
            let seq = (n >= 12).then_some(9);
            let expected = (n >= 8).then_some((17, 24, Sa { spi: 0xa11, seq }));
            assert_eq!(parse_ah(&bytes[..n]), expected, "{n}");
        }
        assert_eq!(parse_ah(&[17, 255, 0, 0, 0, 0, 0, 1]).map(|(_, len, _)| len), Some(1028));
    }

    #[test]
    fn ike() {
        for n in 0..IKE.len() {
            assert_eq!(parse_ike(&IKE[..n]), None);
        }
        let expected = Ike {
            initiator_spi: 0x1122_3344_5566_7788,
            responder_spi: 0,
            next_payload: 33,
            version: 0x20,
            exchange: 34,
            flags: 8,
            message_id: 0,
            length: 0x140,
        };
        assert_eq!(parse_ike(&IKE), Some(expected));
        let marked = [&[0; 4], &IKE[..]].concat();
        assert_eq!(parse_encapsulated(&marked), Some(Encapsulated::Ike(Some(expected))));
        assert_eq!(parse_encapsulated(&marked[..31]), Some(Encapsulated::Ike(None)));
    }

    #[test]
    fn port_4500() {
        let esp = |n: u8| Some(Encapsulated::Esp(Sa { spi: u32::from(n), seq: None }));
        assert_eq!(parse_encapsulated(&[]), None);
        assert_eq!(parse_encapsulated(&[0xff]), Some(Encapsulated::Keepalive));
        assert_eq!(parse_encapsulated(&[0xfe]), None);
        assert_eq!(parse_encapsulated(&[0, 0, 0, 1]), esp(1));
        assert_eq!(parse_encapsulated(&[0; 4]), Some(Encapsulated::Ike(None)));
    }
}
