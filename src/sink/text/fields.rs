//! Numbers and addresses out of bytes that may end too soon.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Bytes with fields in network order. Every reader gives `None` for what is not there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    fn chunk<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..)?.first_chunk().copied()
    }

    pub(super) fn u8(self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }

    pub(super) fn u16(self, at: usize) -> Option<u16> {
        self.chunk(at).map(u16::from_be_bytes)
    }

    pub(super) fn u32(self, at: usize) -> Option<u32> {
        self.chunk(at).map(u32::from_be_bytes)
    }

    pub(super) fn u64(self, at: usize) -> Option<u64> {
        self.chunk(at).map(u64::from_be_bytes)
    }

    pub(super) fn ipv4(self, at: usize) -> Option<Ipv4Addr> {
        self.chunk::<4>(at).map(Ipv4Addr::from)
    }

    pub(super) fn ipv6(self, at: usize) -> Option<Ipv6Addr> {
        self.chunk::<16>(at).map(Ipv6Addr::from)
    }

    /// What stands behind the first `at` bytes; empty if there is nothing.
    pub(super) fn from(self, at: usize) -> Self {
        Self(self.0.get(at..).unwrap_or_default())
    }

    /// At most the first `len` bytes.
    pub(super) fn first(self, len: usize) -> &'a [u8] {
        self.0.get(..len).unwrap_or(self.0)
    }

    /// `Some` if `len` bytes are there.
    pub(super) fn has(self, len: usize) -> Option<()> {
        (self.0.len() >= len).then_some(())
    }
}
