//! Builders of the packets pf logs, with correct lengths and check sums.
//!
//! A packet is built from the inside out: a transport segment (its check sum needs the
//! addresses of the [`ip::Ip`] it will travel in), extension headers before it, then
//! [`ip::Ip::packet`] around all. To get a wrong check sum, damage the result.

pub mod control;
pub mod icmp;
pub mod icmp6;
pub mod ip;
pub mod ipsec;
pub mod transport;

/// Protocol numbers (IANA protocol-numbers).
pub mod protocol {
    /// IPv6 hop-by-hop options.
    pub const HOP_BY_HOP: u8 = 0;
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// IGMP.
    pub const IGMP: u8 = 2;
    /// IPv4 in IP.
    pub const IPV4: u8 = 4;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// IPv6 in IP.
    pub const IPV6: u8 = 41;
    /// IPv6 routing header.
    pub const ROUTING: u8 = 43;
    /// IPv6 fragment header.
    pub const FRAGMENT: u8 = 44;
    /// GRE.
    pub const GRE: u8 = 47;
    /// ESP.
    pub const ESP: u8 = 50;
    /// AH.
    pub const AH: u8 = 51;
    /// `ICMPv6`.
    pub const ICMP6: u8 = 58;
    /// No next header.
    pub const NONE: u8 = 59;
    /// IPv6 destination options.
    pub const DESTINATION: u8 = 60;
    /// CARP and VRRP share one number.
    pub const CARP: u8 = 112;
    /// SCTP.
    pub const SCTP: u8 = 132;
    /// pfsync.
    pub const PFSYNC: u8 = 240;
    /// Kept for experiments (RFC 3692).
    pub const EXPERIMENT: u8 = 253;
}

/// The Internet check sum (RFC 1071) of the parts in a row; all but the last must be even.
pub fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum: u32 = 0;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// A reflected CRC-32 with this polynomial: 0xedb88320 Ethernet's, 0x82f63b78 CRC-32C.
pub fn crc32(bytes: &[u8], polynomial: u32) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { polynomial } else { 0 };
        }
    }
    !crc
}

/// Writes a 16-bit number in network order at `at`.
pub fn put16(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_sums() {
        // The example of RFC 1071 section 3.
        assert_eq!(checksum(&[&[0x00, 0x01, 0xf2, 0x03], &[0xf4, 0xf5, 0xf6, 0xf7]]), !0xddf2);
        // The check values of the two CRCs.
        assert_eq!(crc32(b"123456789", 0xedb8_8320), 0xcbf4_3926);
        assert_eq!(crc32(b"123456789", 0x82f6_3b78), 0xe306_9283);
    }
}
