//! Words that several protocols use in a line: names for numbers, flags, spans of time, and the
//! mark of a cut packet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::put::{Put, put};
use super::{Options, names};
use crate::text;

impl Put for Ipv4Addr {
    #[inline]
    fn put(self, out: &mut Vec<u8>) {
        text::push_ipv4(out, self);
    }
}

impl Put for Ipv6Addr {
    #[inline]
    fn put(self, out: &mut Vec<u8>) {
        text::push_ipv6(out, self);
    }
}

/// An address, by name if those are wanted.
#[derive(Clone, Copy)]
pub(super) struct Host<'o, A>(pub(super) A, pub(super) &'o Options);

impl<A: Into<IpAddr>> Put for Host<'_, A> {
    #[inline]
    fn put(self, out: &mut Vec<u8>) {
        names::push_ip(out, self.0.into(), self.1);
    }
}

/// A decimal number of two digits.
pub(super) struct Two(pub(super) u32);

impl Put for Two {
    #[inline]
    fn put(self, out: &mut Vec<u8>) {
        text::push_dec_padded(out, u64::from(self.0), 2);
    }
}

/// The name in the table, or what `otherwise` makes of the number.
pub(super) fn push_name(
    out: &mut Vec<u8>,
    name: Option<&str>,
    before: &str,
    number: impl Put,
    after: &str,
) {
    match name {
        Some(name) => put!(out, name),
        None => put!(out, before, number, after),
    }
}

/// The value with its label in front; neither if it is not there.
pub(super) fn push_field(out: &mut Vec<u8>, label: &str, value: Option<impl Put>) -> Option<()> {
    let value = value?;
    put!(out, label, value);
    Some(())
}

/// The names of the bits that are set, with commas, or `none`.
pub(super) fn push_flags(out: &mut Vec<u8>, bits: u32, names: &[(u32, &str)]) {
    let mut sep = "";
    for &(bit, name) in names {
        if bits & bit == bit {
            put!(out, sep, name);
            sep = ", ";
        }
    }
    if sep.is_empty() {
        put!(out, "none");
    }
}

/// A span of seconds in years, weeks, days, hours, minutes and seconds: `1h5m`.
pub(super) fn push_span(out: &mut Vec<u8>, seconds: u32) {
    const UNITS: [(u32, &str); 6] =
        [(31_536_000, "y"), (604_800, "w"), (86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    if seconds == 0 {
        put!(out, "0s");
    }
    let mut left = seconds;
    for (unit, name) in UNITS {
        if left >= unit {
            put!(out, left / unit, name);
            left %= unit;
        }
    }
}

/// The mark of a packet that ends before its printer had all it wanted: ` [|icmp]`.
pub(super) fn push_cut(out: &mut Vec<u8>, printer: &str) {
    put!(out, " [|", printer, "]");
}
