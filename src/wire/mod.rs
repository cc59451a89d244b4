//! Pure parsers of what stands in front of the logged packet: bytes in, borrowed values out.
//!
//! No I/O, no clock, no allocation, no state between calls. Every length is checked, every
//! sum of lengths is a checked or a wide one.
#![forbid(unsafe_code)]
#![warn(clippy::arithmetic_side_effects)]

pub mod ipsec;
pub mod link;
pub mod pflog;
pub mod pfsync;
pub mod state;
pub mod tdb;
pub mod writer;

/// Order of the bytes of a number in memory or in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first: network order.
    Big,
}

impl ByteOrder {
    /// A 16-bit number in this order.
    #[inline]
    pub fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    /// A 32-bit number in this order.
    #[inline]
    pub fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    /// A 64-bit number in this order.
    #[inline]
    pub fn u64(self, bytes: [u8; 8]) -> u64 {
        match self {
            Self::Little => u64::from_le_bytes(bytes),
            Self::Big => u64::from_be_bytes(bytes),
        }
    }
}
