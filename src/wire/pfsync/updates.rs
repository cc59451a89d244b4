//! pfsync's compressed updates, `upd_c`; their bytes are in [`super::messages`].

use std::slice::ChunksExact;

use super::messages::Parsed;
use crate::pf::{StateFlags, Timeout};
use crate::wire::state::{self, Ids, Peer};

/// `struct pfsync_upd_c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compressed {
    /// Name of the state.
    pub ids: Ids,
    /// The side that sent the first packet.
    pub src: Peer,
    /// The side that it was sent to.
    pub dst: Peer,
    /// Seconds until it ends; senders leave it 0.
    pub expire_s: u32,
    /// The timeout it runs under.
    pub timeout: Timeout,
    /// Its options (version 6).
    pub state_flags: Option<StateFlags>,
    /// Updates collapsed into this message (versions 2 to 4).
    pub updates: Option<u8>,
}

/// The compressed updates of a group, all of them there.
#[derive(Debug, Clone)]
pub struct Updates<'a> {
    messages: ChunksExact<'a, u8>,
    version: u8,
}

impl<'a> Updates<'a> {
    pub(super) fn new(bytes: &'a [u8], size: usize, version: u8) -> Self {
        Self { messages: bytes.chunks_exact(size.max(1)), version }
    }
}

impl Iterator for Updates<'_> {
    type Item = Compressed;

    #[inline]
    fn next(&mut self) -> Option<Compressed> {
        Some(parse(self.messages.next()?, self.version).ok()?.1)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.messages.size_hint()
    }
}

#[inline]
pub(super) fn parse(i: &[u8], version: u8) -> Parsed<'_, Compressed> {
    let (i, &id) = state::chunk(i)?;
    let (i, src, dst) = if version == 2 {
        let (i, src) = state::peer_v2(i)?;
        let (i, dst) = state::peer_v2(i)?;
        (i, src, dst)
    } else {
        let (i, src) = state::peer(i)?;
        let (i, dst) = state::peer(i)?;
        (i, src, dst)
    };
    let (i, &creatorid) = state::chunk(i)?;
    let (i, &expire_s) = state::chunk(i)?;
    let (i, &[timeout, last]) = state::chunk(i)?;
    let compressed = Compressed {
        ids: Ids { id: u64::from_be_bytes(id), creatorid: u32::from_be_bytes(creatorid) },
        src,
        dst,
        expire_s: u32::from_be_bytes(expire_s),
        timeout: Timeout(timeout),
        state_flags: (version == 6).then_some(StateFlags(u16::from(last))),
        updates: (version <= 4).then_some(last),
    };
    Ok((i, compressed))
}
