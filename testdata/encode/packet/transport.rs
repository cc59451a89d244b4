//! TCP (RFC 9293), UDP (RFC 768), SCTP (RFC 9260) and a DNS message to carry.

use super::ip::Ip;
use super::{crc32, protocol, put16};

/// FIN.
pub const FIN: u16 = 0x001;
/// SYN.
pub const SYN: u16 = 0x002;
/// RST.
pub const RST: u16 = 0x004;
/// PSH.
pub const PSH: u16 = 0x008;
/// ACK.
pub const ACK: u16 = 0x010;
/// URG.
pub const URG: u16 = 0x020;
/// ECE (RFC 3168).
pub const ECE: u16 = 0x040;
/// CWR (RFC 3168).
pub const CWR: u16 = 0x080;
/// AE, once NS (RFC 9768).
pub const AE: u16 = 0x100;

/// A TCP header.
#[derive(Clone, Debug)]
pub struct Tcp {
    /// Source port.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement.
    pub ack: u32,
    /// Flags, [`AE`] included.
    pub flags: u16,
    /// Window.
    pub window: u16,
    /// Urgent pointer.
    pub urgent: u16,
    /// Options, at most 40 bytes.
    pub options: Vec<u8>,
}

impl Default for Tcp {
    /// A SYN to ssh.
    fn default() -> Self {
        Self {
            sport: 40000,
            dport: 22,
            seq: 1000,
            ack: 0,
            flags: SYN,
            window: 16384,
            urgent: 0,
            options: Vec::new(),
        }
    }
}

impl Tcp {
    /// The segment, for the addresses of `ip`.
    pub fn segment(&self, ip: &Ip, payload: &[u8]) -> Vec<u8> {
        let mut options = self.options.clone();
        options.resize(options.len().next_multiple_of(4), 0);
        let words = 5 + options.len() as u16 / 4;
        let mut out = self.sport.to_be_bytes().to_vec();
        out.extend(self.dport.to_be_bytes());
        out.extend(self.seq.to_be_bytes());
        out.extend(self.ack.to_be_bytes());
        out.extend((words << 12 | self.flags).to_be_bytes());
        out.extend(self.window.to_be_bytes());
        out.extend([0, 0]);
        out.extend(self.urgent.to_be_bytes());
        out.extend(options);
        out.extend(payload);
        let sum = ip.checksum(protocol::TCP, &out);
        put16(&mut out, 16, sum);
        out
    }

    /// The segment in its IP packet.
    pub fn packet(&self, ip: &Ip, payload: &[u8]) -> Vec<u8> {
        ip.packet(protocol::TCP, &self.segment(ip, payload))
    }
}

/// TCP options (RFC 9293, 7323, 2018).
pub mod option {
    /// No operation.
    pub const NOP: [u8; 1] = [1];
    /// Selective acknowledgement permitted.
    pub const SACK_OK: [u8; 2] = [4, 2];

    /// Maximum segment size.
    pub fn mss(size: u16) -> Vec<u8> {
        [&[2, 4], &size.to_be_bytes()[..]].concat()
    }

    /// Window scale.
    pub fn scale(shift: u8) -> Vec<u8> {
        vec![3, 3, shift]
    }

    /// Timestamps: value, echo.
    pub fn timestamps(value: u32, echo: u32) -> Vec<u8> {
        [&[8, 10], &value.to_be_bytes()[..], &echo.to_be_bytes()].concat()
    }

    /// Selective acknowledgement of these ranges.
    pub fn sack(ranges: &[(u32, u32)]) -> Vec<u8> {
        let mut out = vec![5, 2 + 8 * ranges.len() as u8];
        for (left, right) in ranges {
            out.extend(left.to_be_bytes());
            out.extend(right.to_be_bytes());
        }
        out
    }
}

/// A UDP datagram, for the addresses of `ip`.
pub fn udp(ip: &Ip, sport: u16, dport: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = sport.to_be_bytes().to_vec();
    out.extend(dport.to_be_bytes());
    out.extend((8 + payload.len() as u16).to_be_bytes());
    out.extend([0, 0]);
    out.extend(payload);
    let sum = match ip.checksum(protocol::UDP, &out) {
        // Zero on the wire would mean "none computed".
        0 => 0xffff,
        sum => sum,
    };
    put16(&mut out, 6, sum);
    out
}

/// A UDP datagram in its IP packet.
pub fn udp_packet(ip: &Ip, sport: u16, dport: u16, payload: &[u8]) -> Vec<u8> {
    ip.packet(protocol::UDP, &udp(ip, sport, dport, payload))
}

/// A DNS query for the A record of example.com (RFC 1035).
pub fn dns_query() -> Vec<u8> {
    b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01"
        .to_vec()
}

/// An SCTP packet of one chunk from port 40000 to 7777, check sum CRC-32C.
pub fn sctp(tag: u32, kind: u8, flags: u8, value: &[u8]) -> Vec<u8> {
    let mut out = 40000_u16.to_be_bytes().to_vec();
    out.extend(7777_u16.to_be_bytes());
    out.extend(tag.to_be_bytes());
    out.extend([0; 4]);
    out.extend([kind, flags]);
    out.extend((4 + value.len() as u16).to_be_bytes());
    out.extend(value);
    // The padding of a chunk is not in its length.
    out.resize(out.len().next_multiple_of(4), 0);
    let sum = crc32(&out, 0x82f6_3b78).to_le_bytes();
    out[8..12].copy_from_slice(&sum);
    out
}
