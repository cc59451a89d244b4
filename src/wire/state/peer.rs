//! `struct pfsync_state_peer`, 32 bytes: how far one end of a state has come.

use nom::error::{Error, ErrorKind};

use super::{Parsed, Peer, Scrub};
use crate::pf::PeerState;

/// The next bytes of a fixed length.
#[inline]
pub(in crate::wire) fn chunk<const N: usize>(i: &[u8]) -> Parsed<'_, &[u8; N]> {
    match i.split_first_chunk() {
        Some((chunk, rest)) => Ok((rest, chunk)),
        None => Err(nom::Err::Error(Error::new(i, ErrorKind::Eof))),
    }
}

/// `struct pfsync_state_peer`, whose mark of a valid scrub part stands in front.
#[inline]
pub(in crate::wire) fn peer(i: &[u8]) -> Parsed<'_, Peer> {
    let (i, &[f, g, ttl, valid, a, b, c, d]) = chunk(i)?;
    let (i, peer) = windows(i)?;
    let (i, _pad) = chunk::<6>(i)?;
    let (flags, ts_mod) = (u16::from_be_bytes([f, g]), u32::from_be_bytes([a, b, c, d]));
    let scrub = (valid & 1 != 0).then_some(Scrub { flags, ttl, ts_mod });
    Ok((i, Peer { scrub, ..peer }))
}

/// The same in version 2: the mark stands behind.
pub(in crate::wire) fn peer_v2(i: &[u8]) -> Parsed<'_, Peer> {
    let (i, &[f, g, ttl, _pad, a, b, c, d]) = chunk(i)?;
    let (i, peer) = windows(i)?;
    let (i, [valid, _pad @ ..]) = chunk::<6>(i)?;
    let (flags, ts_mod) = (u16::from_be_bytes([f, g]), u32::from_be_bytes([a, b, c, d]));
    let scrub = (valid & 1 != 0).then_some(Scrub { flags, ttl, ts_mod });
    Ok((i, Peer { scrub, ..peer }))
}

#[inline]
fn windows(i: &[u8]) -> Parsed<'_, Peer> {
    let (i, &seqlo) = chunk(i)?;
    let (i, &seqhi) = chunk(i)?;
    let (i, &seqdiff) = chunk(i)?;
    let (i, &[a, b, c, d, state, wscale]) = chunk(i)?;
    let peer = Peer {
        seqlo: u32::from_be_bytes(seqlo),
        seqhi: u32::from_be_bytes(seqhi),
        seqdiff: u32::from_be_bytes(seqdiff),
        max_win: u16::from_be_bytes([a, b]),
        mss: u16::from_be_bytes([c, d]),
        state: PeerState(state),
        wscale,
        scrub: None,
    };
    Ok((i, peer))
}
