//! Writes what pf and its neighbours write: pflog headers, logged packets, pfsync, capture files.
//!
//! Everything here comes from the definitions of the formats (kernel headers, RFCs), never from
//! the crate's decoder, so that an error made in one is not made in the other too. Integration
//! tests, benches, fuzz targets and the generator of `testdata/` all include this one tree:
//!
//! ```ignore
//! #[path = "../testdata/encode/mod.rs"]
//! mod encode;
//! ```
#![allow(dead_code, unreachable_pub, reason = "each includer uses its own part of the tree")]
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "test data made here, not input: a panic or a wrap is a bug of the test data"
)]

pub mod capture;
pub mod link;
pub mod packet;
pub mod pcapng;
pub mod pflog;
pub mod pfsync;
pub mod zoo;

/// The byte order of the machine that wrote a record or a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Least significant byte first: i386, amd64, arm64.
    Little,
    /// Most significant byte first: sparc64, macppc, hppa.
    Big,
}

impl Order {
    /// A 16-bit number in this order.
    pub fn u16(self, value: u16) -> [u8; 2] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    /// A 32-bit number in this order.
    pub fn u32(self, value: u32) -> [u8; 4] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    /// A 64-bit number in this order.
    pub fn u64(self, value: u64) -> [u8; 8] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }
}

/// A small generator of numbers that are the same in every run (xorshift64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts a sequence; every seed gives another one.
    pub fn new(seed: u64) -> Self {
        // Zero is the one state xorshift never leaves.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// The next number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// `len` bytes without meaning, as ciphertext has them.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| (self.next() >> 32) as u8).collect()
    }
}
