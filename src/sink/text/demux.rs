//! Which printer prints which protocol, of all but TCP and UDP.

use super::fields::Fields;
use super::put::{Hex4, put};
use super::words::push_cut;
use super::{
    Options, carp, gre, icmp, icmp6, igmp, inner, ipsec, pfsync, push_unknown, routing, sctp,
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
        Some(proto::IPIP) => inner::push_v4(page, bytes, len, options),
        Some(proto::IPV6) => inner::push_v6(page, bytes, len, options),
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
    #[test]
    fn lines_are_tcpdumps() {
        super::super::oracle::check(include_str!("cases/demux.txt"));
    }
}
