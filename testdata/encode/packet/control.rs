//! GRE (RFC 2784, 2890), CARP and VRRP (RFC 3768, 5798), pfsync.

use super::super::Random;
use super::ip::Ip;
use super::{checksum, protocol, put16};

/// What a GRE header may have besides its protocol.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gre {
    /// With a check sum.
    pub checksum: bool,
    /// With a key.
    pub key: Option<u32>,
    /// With a sequence number.
    pub sequence: Option<u32>,
}

impl Gre {
    /// A GRE packet, version 0; `kind` is the `EtherType` of `payload`.
    pub fn packet(self, kind: u16, payload: &[u8]) -> Vec<u8> {
        let bits = u16::from(self.checksum) << 15
            | u16::from(self.key.is_some()) << 13
            | u16::from(self.sequence.is_some()) << 12;
        let mut out = bits.to_be_bytes().to_vec();
        out.extend(kind.to_be_bytes());
        if self.checksum {
            out.extend([0; 4]);
        }
        for word in [self.key, self.sequence].into_iter().flatten() {
            out.extend(word.to_be_bytes());
        }
        out.extend(payload);
        if self.checksum {
            let sum = checksum(&[&out]);
            put16(&mut out, 4, sum);
        }
        out
    }
}

/// A CARP advertisement (`struct carp_header` of netinet/ip_carp.h): version 2, 36 bytes.
/// Its first byte is the one of VRRP version 2, so tcpdump needs `-T carp` to tell them apart.
pub fn carp(vhid: u8, advskew: u8, advbase: u8, demote: u8) -> Vec<u8> {
    // Length of counter and digest in words of 4 bytes.
    let mut out = vec![0x21, vhid, advskew, 7, demote, advbase, 0, 0];
    out.extend(Random::new(u64::from(vhid)).bytes(8 + 20));
    let sum = checksum(&[&out]);
    put16(&mut out, 6, sum);
    out
}

/// A VRRP advertisement, version 2, no authentication, every second.
pub fn vrrp2(vrid: u8, priority: u8, addresses: &[[u8; 4]]) -> Vec<u8> {
    let mut out = vec![0x21, vrid, priority, addresses.len() as u8, 0, 1, 0, 0];
    out.extend(addresses.concat());
    out.extend([0; 8]);
    let sum = checksum(&[&out]);
    put16(&mut out, 6, sum);
    out
}

/// A VRRP advertisement, version 3, every 100 hundredths of a second; `addresses` in a row.
pub fn vrrp3(ip: &Ip, vrid: u8, priority: u8, count: u8, addresses: &[u8]) -> Vec<u8> {
    let mut out = vec![0x31, vrid, priority, count, 0, 100, 0, 0];
    out.extend(addresses);
    let sum = ip.checksum(protocol::CARP, &out);
    put16(&mut out, 6, sum);
    out
}

/// A pfsync packet of version 6 with one bulk-update-status message (net/if_pfsync.h 1.65).
pub fn pfsync() -> Vec<u8> {
    let mut out = vec![6, 0];
    out.extend((20_u16 + 4 + 12).to_be_bytes());
    out.extend([0; 16]);
    // Action BUS, 3 words a message, one message.
    out.extend([10, 3, 0, 1]);
    // Creator, end time, start of the bulk update, padding.
    out.extend(0xdead_beef_u32.to_be_bytes());
    out.extend(60_u32.to_be_bytes());
    out.extend([1, 0, 0, 0]);
    out
}
