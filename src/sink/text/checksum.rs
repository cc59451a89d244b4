//! The Internet checksum (RFC 1071), and the pseudo-header it covers with TCP and UDP.

use std::net::IpAddr;

use crate::packet::Packet;
use crate::pf::Family;
use crate::sink::text::put::byte;
use crate::sink::text::{ip, ip6};

/// The complement of the sum: 0 if the checksum among the bytes is right.
pub(super) fn complement(bytes: &[u8]) -> u16 {
    !fold(sum(bytes, 0))
}

/// Adds up 16-bit words (RFC 1071); an odd byte at the end counts as the high one.
fn sum(bytes: &[u8], start: u64) -> u64 {
    let words = bytes.chunks(2).map(|pair| match *pair {
        [high, low] => u64::from(u16::from_be_bytes([high, low])),
        [high] => u64::from(high) << 8,
        _ => 0,
    });
    words.fold(start, u64::wrapping_add)
}

/// The one's complement sum in 16 bits.
fn fold(sum: u64) -> u16 {
    let mut sum = sum;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap_or_default()
}

/// What should stand where `found` stands, if all adds up to the complement of `rest`.
pub(super) fn should_be(found: u16, rest: u16) -> u16 {
    fold(u64::from(found) + u64::from(rest))
}

/// The complement of the sum over pseudo-header and `data`: 0 if the checksum in it is right.
pub(super) fn transport(packet: &Packet<'_>, data: &[u8], number: u8) -> u16 {
    let len = data.len() as u64;
    let start = (len >> 16) + (len & 0xffff) + u64::from(number);
    let start = match packet.ip.src {
        Some(IpAddr::V4(src)) => sum(&src.octets(), start),
        Some(IpAddr::V6(src)) => sum(&src.octets(), start),
        None => start,
    };
    let start = match final_destination(packet) {
        Some(IpAddr::V4(dst)) => sum(&dst.octets(), start),
        Some(IpAddr::V6(dst)) => sum(&dst.octets(), start),
        None => start,
    };
    !fold(sum(data, start))
}

/// The address that a source route ends at, or else the destination.
fn final_destination(packet: &Packet<'_>) -> Option<IpAddr> {
    let routed = match packet.ip.family {
        Family::Inet => routed_to(packet.ip.header.get(20..).unwrap_or_default()),
        Family::Inet6 => ip6::routed_to(packet),
    };
    routed.or(packet.ip.dst)
}

fn routed_to(options: &[u8]) -> Option<IpAddr> {
    let mut rest = options;
    while let Some(&kind) = rest.first() {
        let len = match kind {
            0 => return None,
            1 => 1,
            _ => usize::from(byte(rest, 1)?),
        };
        if len == 0 || (kind != 1 && len < 2) {
            return None;
        }
        let (option, behind) = rest.split_at_checked(len)?;
        if matches!(kind, 131 | 137) && len >= 7 {
            return ip::address(option, len - 4);
        }
        rest = behind;
    }
    None
}
