//! Which printer prints which protocol, of all but TCP and UDP.

use super::fields::Fields;
use super::put::{Hex4, put};
use super::words::push_cut;
use super::{
    Options, carp, gre, icmp, icmp6, igmp, ip, ipsec, pfsync, push_unknown, routing, sctp,
};
use crate::packet::{Packet, proto};
use crate::pf::Family;
use crate::sink::page::Page;

const ND: u8 = 77;
const OSPF: u8 = 89;
const PIM: u8 = 103;
const IPCOMP: u8 = 108;

/// Appends what follows `SRC > DST: ` (of SCTP, `SRC.port > DST.port: `).
pub(super) fn push(page: &mut Page, packet: &Packet<'_>, options: &Options) {
    let (bytes, len) = (packet.payload, packet.payload_len);
    let is_v6 = packet.ip.family == Family::Inet6;
    let out = &mut page.text;
    match packet.ip.proto {
        Some(proto::ICMP) if is_v6 => put!(out, "[ICMP requires IPv4] (invalid)"),
        Some(proto::ICMP6) if !is_v6 => put!(out, "[ICMPv6 requires IPv6] (invalid)"),
        Some(proto::IGMP) if is_v6 => put!(out, "[IGMP requires IPv4] (invalid)"),
        Some(proto::ICMP) => icmp::push(page, packet, options),
        Some(proto::ICMP6) => icmp6::push(page, packet, options),
        Some(proto::IGMP) => igmp::push(page, packet, options),
        Some(proto::IPIP) => ip::push_inner(page, bytes, len, Family::Inet, options),
        Some(proto::IPV6) => ip::push_inner(page, bytes, len, Family::Inet6, options),
        Some(proto::GRE) => gre::push(page, packet, options),
        Some(proto::ESP) => ipsec::push(page, packet, options),
        Some(proto::SCTP) => sctp::push(page, packet, options),
        Some(proto::CARP) => carp::push(page, packet, options),
        Some(proto::PFSYNC) => pfsync::push(page, packet, options),
        Some(OSPF) => routing::push_ospf(page, packet, options),
        Some(PIM) => routing::push_pim(page, packet, options),
        Some(IPCOMP) => match Fields(bytes).u16(2) {
            Some(cpi) => {
                put!(out, "IPComp(cpi=0x", Hex4(cpi), ")");
            }
            None => push_cut(out, "ipcomp"),
        },
        Some(ND) => put!(out, " nd ", len),
        Some(proto::NONE) => put!(out, "no next header"),
        Some(number) => push_unknown(out, packet, number, options),
        None => push_cut(out, if is_v6 { "ip6" } else { "ip" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_tcpdumps() {
        super::super::oracle::check(include_str!("cases/demux.txt"));
    }

    #[test]
    fn packets_in_packets_are_tcpdumps() {
        super::super::oracle::check(include_str!("cases/inner.txt"));
    }

    #[test]
    fn thousands_of_packets_in_packets_are_one_short_line() {
        let mut packet = Vec::new();
        let mut left = u16::MAX;
        while left >= 20 {
            let [hi, lo] = left.to_be_bytes();
            packet.extend([0x45, 0, hi, lo, 0, 0, 0, 0, 64, 4, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
            left -= 20;
        }
        let len = usize::from(u16::MAX);
        let parsed = Packet::parse(&packet, len).unwrap();
        for verbose in 0..3 {
            let options = Options { verbose, ..Options::default() };
            let mut page = Page::default();
            ip::push(&mut page, &parsed, &options);
            assert!(page.text.len() < 4000);
        }
    }
}
