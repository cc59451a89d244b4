//! Which layout the states of a packet have. Versions 1 to 4 and 6 have one each; version 5 is
//! OpenBSD's and FreeBSD's, whose packets tell them apart by their sizes alone.

use super::messages::{Kind, SUBHEADER, sized, subheader};
use super::{Layout, Pfsync};

/// The layout of a packet's states, and that of the actions that several layouts share.
pub(super) fn layouts(packet: &Pfsync<'_>) -> (Option<Layout>, Layout) {
    let layout = match packet.version {
        1 => Layout::V1,
        2 => Layout::V2,
        3 => Layout::V3,
        4 => Layout::V4,
        6 => Layout::Openbsd6,
        _ => return layouts5(packet),
    };
    (Some(layout), layout)
}

/// How the sub-headers of version 5 come out with one of the possible layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// A sub-header comes out wrong.
    No,
    /// Nothing is wrong up to where the capture ends.
    Cut,
    /// The messages end where the packet does, but it has no end of its own.
    Exact,
    /// They end with the sub-header of the end, which every sender writes. Without it two of
    /// FreeBSD's first states would be as long as two of OpenBSD's.
    Ended,
}

/// The layouts of version 5, which two systems have and one of them in three ways. Some of
/// FreeBSD's actions have a layout of their own; for the others it is the one with whose size all
/// sub-headers come out right. Of a cut packet that cannot be said: then it is FreeBSD's first,
/// unless a state has OpenBSD's number for IPv6.
fn layouts5(packet: &Pfsync<'_>) -> (Option<Layout>, Layout) {
    const OTHERS: [Layout; 3] = [Layout::Openbsd5, Layout::Freebsd1400, Layout::Freebsd1500];
    let mut plain = Layout::Freebsd1301;
    let (mut fit, mut seen) = walk5(packet, plain);
    for layout in OTHERS {
        let (this, first) = walk5(packet, layout);
        let af_24 = || layout == Layout::Openbsd5 && starts_with_af_24(packet);
        if this > fit || this == Fit::Cut && this == fit && af_24() {
            (fit, seen, plain) = (this, first, layout);
        }
    }
    (seen, plain)
}

/// True if the first message is a whole state with OpenBSD's number for IPv6; OpenBSD 5 and
/// FreeBSD 1301 have the family in the same place.
fn starts_with_af_24(packet: &Pfsync<'_>) -> bool {
    let at = packet.hdrlen.saturating_add(SUBHEADER).saturating_add(232);
    matches!(packet.bytes.get(packet.hdrlen), Some(1 | 3 | 6)) && packet.bytes.get(at) == Some(&24)
}

/// Follows the sub-headers with a layout; also the layout of the first state.
fn walk5(packet: &Pfsync<'_>, layout: Layout) -> (Fit, Option<Layout>) {
    let (mut at, end) = (packet.hdrlen, packet.end());
    let is_cut = packet.bytes.len() < end;
    let cut = if is_cut { Fit::Cut } else { Fit::No };
    let mut seen = None;
    while at < end {
        let left = packet.bytes.get(at..).unwrap_or_default();
        let Ok((_, (number, pad, count))) = subheader(left) else { return (cut, seen) };
        at = at.saturating_add(SUBHEADER);
        if number == 12 {
            return (if at == end { Fit::Ended } else { Fit::No }, seen);
        }
        // Nobody sends other padding or an empty group: these are the bytes of a message.
        let known = sized(number, layout).filter(|_| pad == 0 && count > 0);
        let Some((kind, size)) = known else { return (Fit::No, seen) };
        if let Kind::State(layout) = kind {
            seen = seen.or(Some(layout));
        }
        at = usize::from(count).saturating_mul(size).saturating_add(at);
    }
    let fit = match at == end {
        true if is_cut => Fit::Cut,
        true => Fit::Exact,
        false => Fit::No,
    };
    (fit, seen)
}
