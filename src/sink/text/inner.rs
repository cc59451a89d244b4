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
    use super::*;
    use crate::packet::Packet;

    #[test]
    fn lines_are_tcpdumps() {
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
