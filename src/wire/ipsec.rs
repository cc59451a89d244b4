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
