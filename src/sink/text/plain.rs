//! UDP and TCP of plain records, straight from where they stand: what the printers of whole packets
//! write, for a packet that has nothing unusual about it.

use std::net::IpAddr;

use crate::glance::Glance;
use crate::packet::{Ports, proto};
use crate::pf::Family;
use crate::sink::page::Page;
use crate::sink::text::put::put;
use crate::sink::text::{Options, ipsec, names, tcp};

const UDP_HEADER_LEN: usize = 8;

/// A packet with ports that IP itself says nothing about: whole as far as its headers go, not a
/// fragment, without extension headers.
pub(super) struct Flow<'a> {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    pub(super) ports: Ports,
    /// What was captured of what is behind IP.
    pub(super) payload: &'a [u8],
    /// How long it was.
    pub(super) payload_len: usize,
    /// What comes before the addresses.
    family: &'static str,
}

/// Appends the packet; false, and nothing appended, if it is unusual. The options have no `-v`.
#[inline]
pub(super) fn push(page: &mut Page, glance: &Glance<'_>, options: &Options) -> bool {
    let Some(ports) = glance.ports else { return false };
    let (bytes, behind) = glance.bytes();
    if behind != glance.header_len || glance.wire_len < glance.len || glance.is_fragment() {
        return false;
    }
    let Some(payload) = bytes.get(behind..) else { return false };
    let payload_len = glance.len.saturating_sub(behind);
    let family = match glance.family {
        _ if options.link => "",
        Family::Inet => "IP ",
        Family::Inet6 => "IP6 ",
    };
    let flow = Flow { src: glance.src, dst: glance.dst, ports, payload, payload_len, family };
    match glance.proto {
        proto::UDP => push_udp(&mut page.text, &flow, options),
        proto::TCP => tcp::push_plain(page, &flow, options),
        _ => false,
    }
}

#[inline]
fn push_udp(out: &mut Vec<u8>, flow: &Flow<'_>, options: &Options) -> bool {
    let Some(&[_, _, _, _, high, low, ..]) = flow.payload.first_chunk::<UDP_HEADER_LEN>() else {
        return false;
    };
    let len = usize::from(u16::from_be_bytes([high, low]));
    if len < UDP_HEADER_LEN || len > flow.payload_len || ipsec::is_on(flow.ports) {
        return false;
    }
    flow.push_ends(out, proto::UDP, options);
    put!(out, "UDP, length ", len.saturating_sub(UDP_HEADER_LEN));
    true
}

impl Flow<'_> {
    /// Appends `SRC.PORT > DST.PORT: `.
    #[inline]
    pub(super) fn push_ends(&self, out: &mut Vec<u8>, transport: u8, options: &Options) {
        put!(out, self.family);
        names::push_ip(out, self.src, options);
        put!(out, ".");
        names::push_port(out, self.ports.src, transport, options);
        put!(out, " > ");
        names::push_ip(out, self.dst, options);
        put!(out, ".");
        names::push_port(out, self.ports.dst, transport, options);
        put!(out, ": ");
    }
}
