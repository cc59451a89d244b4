//! UDP and TCP of plain records, and the addresses of others, straight from where they stand: what the
//! printers of whole packets write, for a packet that has nothing unusual about it.

use std::net::IpAddr;

use crate::glance::Glance;
use crate::packet::{Ports, proto};
use crate::pf::Family;
use crate::sink::page::Page;
use crate::sink::text::{Options, ip, ipsec, tcp};
use crate::text::line::Line;

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
    /// IP's version, where the line has it.
    family: Option<Family>,
}

/// Appends the line that was begun and the packet; false, and nothing appended, if it is unusual. The
/// options have no `-v`.
#[inline]
pub(super) fn push(
    page: &mut Page,
    line: &mut Line<'_>,
    glance: &Glance<'_>,
    options: &Options,
) -> bool {
    if options.names.is_some() || glance.wire_len < glance.len {
        return false;
    }
    let frag = glance.frag();
    if !ip::has_ends(glance.named) {
        let is_later = glance.family == Family::Inet && frag.is_some_and(|frag| frag.offset > 0);
        return !is_later && push_other(page, line, glance, options).is_some();
    }
    let Some(ports) = glance.ports else { return false };
    let (bytes, behind) = glance.bytes();
    if behind != glance.header_len || frag.is_some_and(|frag| frag.is_fragment()) {
        return false;
    }
    let Some(payload) = bytes.get(behind..) else { return false };
    let payload_len = glance.len.saturating_sub(behind);
    let family = (!options.link).then_some(glance.family);
    let [src, dst] = glance.addresses();
    let flow = Flow { src, dst, ports, payload, payload_len, family };
    match glance.proto {
        proto::UDP => push_udp(page, line, &flow).is_some(),
        proto::TCP => tcp::push_plain(page, line, &flow, options).is_some(),
        _ => false,
    }
}

/// A packet of another protocol: its addresses from here, and what its printer writes behind them.
#[inline(always)]
fn push_other(
    page: &mut Page,
    line: &mut Line<'_>,
    glance: &Glance<'_>,
    options: &Options,
) -> Option<()> {
    if !options.link {
        put_version(line, glance.family);
    }
    let [src, dst] = glance.addresses();
    line.addr(src);
    line.put(b" > ");
    line.addr(dst);
    line.put(b": ");
    page.text.extend_from_slice(line.text()?);
    page.sync = false;
    ip::push_behind(page, &glance.packet(), options);
    Some(())
}

#[inline(always)]
fn put_version(line: &mut Line<'_>, family: Family) {
    match family {
        Family::Inet => line.put(b"IP "),
        Family::Inet6 => line.put(b"IP6 "),
    }
}

#[inline(always)]
fn push_udp(page: &mut Page, line: &mut Line<'_>, flow: &Flow<'_>) -> Option<()> {
    let &[_, _, _, _, high, low, ..] = flow.payload.first_chunk::<UDP_HEADER_LEN>()?;
    let len = usize::from(u16::from_be_bytes([high, low]));
    if len < UDP_HEADER_LEN || len > flow.payload_len || ipsec::is_on(flow.ports) {
        return None;
    }
    flow.put_ends(line);
    line.put(b"UDP, length ");
    line.dec(len.saturating_sub(UDP_HEADER_LEN));
    page.text.extend_from_slice(line.text()?);
    Some(())
}

impl Flow<'_> {
    /// Appends `SRC.PORT > DST.PORT: `.
    #[inline(always)]
    pub(super) fn put_ends(&self, line: &mut Line<'_>) {
        if let Some(family) = self.family {
            put_version(line, family);
        }
        line.addr(self.src);
        line.put(b".");
        line.dec(self.ports.src);
        line.put(b" > ");
        line.addr(self.dst);
        line.put(b".");
        line.dec(self.ports.dst);
        line.put(b": ");
    }
}
