//! Packets in packets: what tunnels carry and what ICMP errors quote.

use super::fields::Fields;
use super::put::put;
use super::words::push_cut;
use super::{Options, ip};
use crate::sink::page::Page;

/// Appends an IPv4 packet of which `bytes` are there and which had `len`.
pub(super) fn push_v4(page: &mut Page, bytes: &[u8], len: usize, options: &Options) {
    match bytes.first().map(|first| first >> 4) {
        Some(4) => ip::push_inner(page, bytes, len, options),
        Some(6) => put!(&mut page.text, "IP6, wrong link-layer encapsulation (invalid)"),
        Some(version) => put!(&mut page.text, "IP", version, " (invalid)"),
        None => push_cut(&mut page.text, "ip"),
    }
}

/// Appends an IPv6 packet of which `bytes` are there and which had `len`.
pub(super) fn push_v6(page: &mut Page, bytes: &[u8], len: usize, options: &Options) {
    match bytes.first().map(|first| first >> 4) {
        Some(6) => ip::push_inner(page, bytes, len, options),
        Some(version) => {
            put!(&mut page.text, if options.link { "" } else { "IP6 " });
            put!(&mut page.text, "version error: ", version, " != 6");
        }
        None => push_cut(&mut page.text, "ip6"),
    }
}

/// Appends an IPv4 packet that an ICMP error quotes: its length is what it says itself, the
/// quote holds its first bytes.
pub(super) fn push_quoted(page: &mut Page, bytes: &[u8], options: &Options) {
    let len = Fields(bytes).u16(2).map_or(bytes.len(), usize::from);
    push_v4(page, Fields(bytes).first(len), len, options);
}

#[cfg(test)]
mod tests {
    #[test]
    fn lines_are_tcpdumps() {
        super::super::oracle::check(include_str!("cases/inner.txt"));
    }
}
