//! Pieces of a line, written one after the other without the formatting machinery.

use std::net::IpAddr;

use crate::text::{push_dec, push_hex, push_hex_byte, push_hex_min, push_ip};

/// Something that can be written into a line.
pub(super) trait Put {
    /// Appends it.
    fn put(self, out: &mut Vec<u8>);
}

/// Appends pieces to a byte buffer: text as it is, numbers in decimal.
macro_rules! put {
    ($out:expr, $($piece:expr),+ $(,)?) => {{
        $( $crate::sink::text::put::Put::put($piece, $out); )+
    }};
}
pub(super) use put;

impl Put for &str {
    #[inline]
    fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

macro_rules! put_decimal {
    ($($number:ty),+) => {
        $(impl Put for $number {
            #[inline]
            fn put(self, out: &mut Vec<u8>) {
                push_dec(out, self);
            }
        })+
    };
}
put_decimal!(u8, u16, u32, u64, usize, i32);

/// As C's `%x`.
pub(super) struct Hex(pub(super) u64);

impl Put for Hex {
    fn put(self, out: &mut Vec<u8>) {
        push_hex_min(out, self.0);
    }
}

/// As C's `%02x`.
pub(super) struct Hex2(pub(super) u8);

impl Put for Hex2 {
    fn put(self, out: &mut Vec<u8>) {
        push_hex_byte(out, self.0);
    }
}

/// As C's `%04x`.
pub(super) struct Hex4(pub(super) u16);

impl Put for Hex4 {
    fn put(self, out: &mut Vec<u8>) {
        push_hex(out, &self.0.to_be_bytes());
    }
}

/// As C's `%08x`.
pub(super) struct Hex8(pub(super) u32);

impl Put for Hex8 {
    fn put(self, out: &mut Vec<u8>) {
        push_hex(out, &self.0.to_be_bytes());
    }
}

/// Bytes as hex digits without separators.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl Put for Bytes<'_> {
    fn put(self, out: &mut Vec<u8>) {
        push_hex(out, self.0);
    }
}

impl Put for IpAddr {
    fn put(self, out: &mut Vec<u8>) {
        push_ip(out, self);
    }
}

/// The byte at `at`.
#[inline]
pub(super) fn byte(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

/// The 16-bit number at `at`, in network order.
#[inline]
pub(super) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|&b| u16::from_be_bytes(b))
}

/// The 32-bit number at `at`, in network order.
#[inline]
pub(super) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|&b| u32::from_be_bytes(b))
}

/// The 64-bit number at `at`, in network order.
pub(super) fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|&b| u64::from_be_bytes(b))
}
