//! Frames made by hand: pflog headers of three layouts and packets of both IP versions.

use std::net::IpAddr;

use crate::decode::decode;
use crate::event::{Event, Frame};
use crate::wire::ByteOrder;
use crate::wire::link::LinkType;
use crate::wire::writer::Writer;

/// A frame with a name.
pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) link: LinkType,
    pub(super) bytes: Vec<u8>,
    /// Bytes that the frame had.
    pub(super) len: usize,
}

impl Sample {
    pub(super) fn new(name: &'static str, link: LinkType, bytes: Vec<u8>) -> Self {
        Self { name, link, len: bytes.len(), bytes }
    }

    /// With only so many bytes captured.
    pub(super) fn cut(mut self, caplen: usize) -> Self {
        self.bytes.truncate(caplen);
        self
    }

    pub(super) fn event(&self) -> Event<'_> {
        let frame = Frame { len: self.len, ..Frame::new(self.link, &self.bytes) };
        let mut writer = Writer::new(ByteOrder::Little);
        if self.link == LinkType::PFLOG {
            writer.observe(&self.bytes);
        }
        decode(frame, ByteOrder::Little, writer)
    }
}

/// A header with a length byte; `..Pf::new(length)` for the rest.
#[derive(Clone, Copy)]
pub(super) struct Pf {
    pub(super) length: u8,
    pub(super) af: u8,
    pub(super) action: u8,
    pub(super) reason: u8,
    pub(super) ifname: &'static str,
    pub(super) ruleset: &'static str,
    pub(super) rule: u32,
    pub(super) subrule: u32,
    pub(super) owner: [u32; 4],
    pub(super) dir: u8,
    pub(super) rewritten: bool,
    pub(super) rid: u32,
}

impl Pf {
    pub(super) const fn new(length: u8) -> Self {
        Self {
            length,
            af: 2,
            action: 0,
            reason: 0,
            ifname: "em0",
            ruleset: "",
            rule: 0,
            subrule: u32::MAX,
            owner: [u32::MAX, 100_000, 0, 4242],
            dir: 1,
            rewritten: false,
            rid: 0,
        }
    }

    pub(super) fn frame(self, packet: &[u8]) -> Vec<u8> {
        let mut out = vec![self.length, self.af, self.action, self.reason];
        out.resize(36, 0);
        out[4..4 + self.ifname.len()].copy_from_slice(self.ifname.as_bytes());
        out[20..20 + self.ruleset.len()].copy_from_slice(self.ruleset.as_bytes());
        out.extend_from_slice(&self.rule.to_be_bytes());
        out.extend_from_slice(&self.subrule.to_be_bytes());
        if self.length >= 61 {
            self.owner.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
        }
        out.push(self.dir);
        if self.length == 69 {
            out.extend_from_slice(&[0, 0, 0]);
            out.extend_from_slice(&self.rid.to_be_bytes());
        }
        if self.length == 100 {
            out.extend_from_slice(&[u8::from(self.rewritten), self.af, 0]);
            out.extend_from_slice(&[198, 51, 100, 77]);
        }
        out.resize(usize::from(self.length).next_multiple_of(4), 0);
        out.extend_from_slice(packet);
        out
    }
}

/// An IPv4 or IPv6 packet.
pub(super) fn ip(proto: u8, src: &str, dst: &str, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).unwrap();
    let mut out = match (src.parse().unwrap(), dst.parse().unwrap()) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let mut out = vec![0x45, 0];
            out.extend_from_slice(&(len + 20).to_be_bytes());
            out.extend_from_slice(&[0, 1, 0, 0, 64, proto, 0, 0]);
            out.extend_from_slice(&src.octets());
            out.extend_from_slice(&dst.octets());
            out
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let mut out = vec![0x60, 0, 0, 0];
            out.extend_from_slice(&len.to_be_bytes());
            out.extend_from_slice(&[proto, 64]);
            out.extend_from_slice(&src.octets());
            out.extend_from_slice(&dst.octets());
            out
        }
        _ => panic!("two versions"),
    };
    out.extend_from_slice(payload);
    out
}

fn ports(src: u16, dst: u16) -> Vec<u8> {
    [src.to_be_bytes(), dst.to_be_bytes()].concat()
}

pub(super) fn tcp(src: u16, dst: u16) -> Vec<u8> {
    let mut out = ports(src, dst);
    out.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0]);
    out
}

pub(super) fn udp(src: u16, dst: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = ports(src, dst);
    out.extend_from_slice(&u16::try_from(payload.len() + 8).unwrap().to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(payload);
    out
}

pub(super) fn sctp(src: u16, dst: u16) -> Vec<u8> {
    let mut out = ports(src, dst);
    out.extend_from_slice(&[0; 12]);
    out
}

/// SPI and sequence number, and some of what is encrypted.
pub(super) fn esp(spi: u32) -> Vec<u8> {
    let mut out = spi.to_be_bytes().to_vec();
    out.extend_from_slice(&[0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9]);
    out
}

/// A later fragment: offset 1480.
pub(super) fn later_fragment(mut packet: Vec<u8>) -> Vec<u8> {
    packet[6..8].copy_from_slice(&185_u16.to_be_bytes());
    packet
}

pub(super) fn samples() -> Vec<Sample> {
    let pflog =
        |name, header: Pf, packet: &[u8]| Sample::new(name, LinkType::PFLOG, header.frame(packet));
    let raw = |name, packet| Sample::new(name, LinkType::RAW, packet);
    let ssh = ip(6, "10.0.0.1", "192.0.2.1", &tcp(40000, 22));
    let block = Pf { action: 1, rule: 5, ..Pf::new(100) };
    let pass6 = Pf {
        af: 24,
        ifname: "em10",
        ruleset: "f2b/sshd",
        rule: 7,
        subrule: 2,
        owner: [1000, 321, 0, 16667],
        dir: 2,
        rewritten: true,
        ..Pf::new(100)
    };
    let afrt =
        Pf { af: 28, action: 13, reason: 15, ifname: "vtnet0", rid: 1_000_000_001, ..Pf::new(69) };
    let short = Pf { reason: 3, ifname: "wm0", rule: u32::MAX, ..Pf::new(61) };
    let fwd = Pf { ifname: "sis4", rule: 9, dir: 3, ..Pf::new(45) };
    let quoted = ip(6, "10.0.1.9", "203.0.113.9", &tcp(1234, 80));
    let unreachable = [&[3, 1, 0, 0, 0, 0, 0, 0], &*quoted].concat();
    let ah = [&[6, 4, 0, 0, 0, 0, 0x10, 3, 0, 0, 0, 1][..], &[0; 12], &tcp(443, 50000)].concat();
    let hop_by_hop = [&[51, 0, 1, 4, 0, 0, 0, 0], &*ah].concat();
    let arp = [&[0xff; 12][..], &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1], &[0; 20]].concat();
    let enc =
        [&[2, 0, 0, 0, 0, 0, 0x20, 0, 0, 0xc, 0, 0], &*ip(89, "192.0.2.7", "192.0.2.8", &[0; 8])];
    vec![
        pflog("block", block, &ssh),
        pflog("pass6", pass6, &ip(17, "2001:db8::1", "2001:db8:1::2", &udp(53, 5353, &[0; 4]))),
        pflog("afrt", afrt, &ip(58, "2001:db8::7", "2001:db9::8", &[128, 0, 0, 0, 0, 1, 0, 1])),
        pflog("short", short, &ip(1, "10.0.1.1", "192.0.2.200", &unreachable)),
        pflog("fwd", fwd, &ip(47, "192.0.2.3", "192.0.2.4", &[0; 8])),
        raw("esp", ip(50, "192.0.2.5", "192.0.2.6", &esp(0x1001))),
        raw("natt", ip(17, "192.0.2.5", "192.0.2.6", &udp(4500, 4500, &esp(0x1002)))),
        raw("ah", ip(0, "2001:db8::5", "2001:db9::6", &hop_by_hop)),
        raw("frag", later_fragment(ip(17, "192.0.2.5", "192.0.2.6", &udp(22, 22, &[0; 8])))),
        raw("carp", ip(112, "192.0.2.5", "224.0.0.18", &[0x21; 36])),
        raw("sctp", ip(132, "172.16.0.5", "172.16.0.5", &sctp(7, 9))),
        Sample::new("arp", LinkType::ETHERNET, arp),
        pflog("cut", block, &ssh).cut(48),
        raw("caplen", ip(103, "192.0.2.9", "10.0.0.1", &[0; 80])).cut(24),
        raw("junk", vec![0xf0, 1, 2, 3]),
        Sample::new("enc", LinkType::ENC, enc.concat()),
    ]
}
