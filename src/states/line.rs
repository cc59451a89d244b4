//! A state as `pfctl -ss -vv` writes it: OpenBSD's `print_state`, which its tcpdump shares.
//!
//! ```text
//! all tcp 10.0.0.5:443 (1.2.3.4:443) <- 5.6.7.8:51234       ESTABLISHED:ESTABLISHED
//!    [400 + 16384]  [160 + 16384]
//!    age 00:01:02, expires in 23:59:58, 12:10 pkts, 840:640 bytes, rule 5
//!    id: 0000000000000005 creatorid: 8ffd60cf
//! ```
//! The near end comes first. Of a state that came in the addresses are those the firewall sees,
//! in brackets those on the wire where they differ; of one that went out it is the other way
//! round.

use std::net::IpAddr;

use crate::packet::proto;
use crate::pf::{Direction, Family, PeerState};
use crate::text::{push_dec, push_dec_padded, push_escaped, push_hex_min, push_ip};
use crate::wire::pfsync::Layout;
use crate::wire::state::{Ids, Key, Peer, State};

/// How much of a state is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// One line.
    #[default]
    Plain,
    /// `-v`: windows, age, end, counters, rule.
    Verbose,
    /// `-vv`: also its name.
    VeryVerbose,
}

/// `PFSYNC_FLAG_NOSYNC`, `_SRCNODE`, `_NATSRCNODE`; the latter two are set in version 5 and 6.
const NO_SYNC: u8 = 0x01;
const SRC_NODE: u8 = 0x04;
const NAT_SRC_NODE: u8 = 0x08;

/// Appends the lines of a state, each with its line end.
pub fn push_state(out: &mut Vec<u8>, state: &State<'_>, verbosity: Verbosity) {
    push_first(out, state);
    out.push(b'\n');
    if verbosity == Verbosity::Plain {
        return;
    }
    let (src, dst) = sides(state);
    if state.wire.proto == proto::TCP {
        push_windows(out, &src, &dst);
        out.push(b'\n');
    }
    push_counters(out, state);
    out.push(b'\n');
    if verbosity == Verbosity::VeryVerbose
        && let Some(ids) = state.ids
    {
        out.extend_from_slice(b"   ");
        push_ids(out, ids);
        if state.sync_flags.is_some_and(|flags| flags & NO_SYNC != 0) {
            out.extend_from_slice(b" (no-sync)");
        }
        out.push(b'\n');
    }
}

/// Appends the first line of a state without its line end: interface, protocol, addresses and
/// how far the peers have come.
pub fn push_first(out: &mut Vec<u8>, state: &State<'_>) {
    push_escaped(out, state.ifname);
    out.push(b' ');
    match proto::name(state.wire.proto) {
        Some(name) => out.extend_from_slice(name.as_bytes()),
        None => push_dec(out, state.wire.proto),
    }
    out.push(b' ');
    push_ends(out, state);
    out.extend_from_slice(b"       ");
    let (src, dst) = sides(state);
    push_levels(out, state.wire.proto, src.state, dst.state);
}

/// Appends `id: … creatorid: …`.
pub fn push_ids(out: &mut Vec<u8>, ids: Ids) {
    out.extend_from_slice(b"id: ");
    push_hex_padded(out, ids.id, 16);
    out.extend_from_slice(b" creatorid: ");
    push_hex_padded(out, u64::from(ids.creatorid), 8);
}

/// Appends both ends, translation in brackets, with the arrow between them.
pub fn push_ends(out: &mut Vec<u8>, state: &State<'_>) {
    let out_bound = state.direction == Direction::OUT;
    let (mut other, shown) =
        if out_bound { (state.stack, state.wire) } else { (state.wire, state.stack) };
    if matches!(state.wire.proto, proto::ICMP | proto::ICMP6) {
        // ICMP's id is translated on its own side only.
        let ([a, b], [c, d]) = (other.port, shown.port);
        other.port = if out_bound { [c, b] } else { [a, d] };
    }
    let af_to = state.is_af_to();
    let end = |out: &mut Vec<u8>, near: usize| {
        push_host(out, &shown, near);
        let differs = shown.af != other.af
            || host(&shown, near) != host(&other, near)
            || shown.rdomain != other.rdomain;
        if differs {
            out.extend_from_slice(b" (");
            push_host(out, &other, if af_to { 1 - near.min(1) } else { near });
            out.push(b')');
        }
    };
    end(out, 1);
    out.extend_from_slice(if is_forward(state) { b" -> " } else { b" <- " });
    end(out, 0);
}

/// True if the line starts with the sender of the first packet: of a state that went out, and of
/// one that came in and leaves in the other family.
pub fn is_forward(state: &State<'_>) -> bool {
    state.direction != Direction::IN || state.is_af_to()
}

/// The peers in the order of the ends. OpenBSD turns the ends of an af-to state that came in and
/// leaves the peers as they are; here they stay together.
fn sides(state: &State<'_>) -> (Peer, Peer) {
    if is_forward(state) { (state.src, state.dst) } else { (state.dst, state.src) }
}

fn host(key: &Key, at: usize) -> ([u8; 16], u16) {
    let mut addr = key.addr.get(at).copied().unwrap_or_default();
    if key.family() == Some(Family::Inet) {
        // What stands behind an IPv4 address is undefined.
        addr.iter_mut().skip(4).for_each(|byte| *byte = 0);
    }
    (addr, key.port.get(at).copied().unwrap_or_default())
}

/// Appends a host: `(rdomain) address:port`, IPv6 `address[port]`.
fn push_host(out: &mut Vec<u8>, key: &Key, at: usize) {
    let (addr, port) = host(key, at);
    if key.rdomain != 0 {
        out.push(b'(');
        push_dec(out, key.rdomain);
        out.extend_from_slice(b") ");
    }
    let family = key.family();
    match family {
        Some(Family::Inet) => {
            let [a, b, c, d, ..] = addr;
            push_ip(out, IpAddr::from([a, b, c, d]));
        }
        Some(Family::Inet6) => push_ip(out, IpAddr::from(addr)),
        None => out.push(b'?'),
    }
    if port != 0 {
        let inet6 = family == Some(Family::Inet6);
        out.push(if inet6 { b'[' } else { b':' });
        push_dec(out, port);
        if inet6 {
            out.push(b']');
        }
    }
}

/// Appends how far both peers have come: `ESTABLISHED:ESTABLISHED`, `PROXY:SRC`, …
pub fn push_levels(out: &mut Vec<u8>, proto: u8, src: PeerState, dst: PeerState) {
    let either = |state| src == state || dst == state;
    if proto == proto::TCP {
        let last = PeerState::PROXY_SRC;
        if src >= last || dst >= last {
            if either(PeerState::PROXY_SRC) {
                out.extend_from_slice(b"PROXY:SRC");
            } else if either(PeerState::PROXY_DST) {
                out.extend_from_slice(b"PROXY:DST");
            } else {
                out.extend_from_slice(b"<BAD STATE LEVELS ");
                push_numbers(out, src, dst);
                out.push(b'>');
            }
            return;
        }
    }
    match (src.name(proto), dst.name(proto)) {
        (Some(src), Some(dst)) => {
            out.extend_from_slice(src.as_bytes());
            out.push(b':');
            out.extend_from_slice(dst.as_bytes());
        }
        _ => push_numbers(out, src, dst),
    }
}

fn push_numbers(out: &mut Vec<u8>, src: PeerState, dst: PeerState) {
    push_dec(out, src.0);
    out.push(b':');
    push_dec(out, dst.0);
}

/// Appends the sequence windows of both peers: `   [lo + window](+diff) wscale n  [lo + …`.
pub fn push_windows(out: &mut Vec<u8>, src: &Peer, dst: &Peer) {
    let scaled = src.wscale != 0 && dst.wscale != 0;
    for (peer, before) in [(src, &b"   "[..]), (dst, b"  ")] {
        out.extend_from_slice(before);
        out.push(b'[');
        push_dec(out, peer.seqlo);
        out.extend_from_slice(b" + ");
        push_dec(out, peer.seqhi.wrapping_sub(peer.seqlo));
        out.push(b']');
        if peer.seqdiff != 0 {
            out.extend_from_slice(b"(+");
            push_dec(out, peer.seqdiff);
            out.push(b')');
        }
        if scaled {
            out.extend_from_slice(b" wscale ");
            push_dec(out, peer.wscale & 0x0f);
        }
    }
}

/// Appends age, end, counters, rules and options.
fn push_counters(out: &mut Vec<u8>, state: &State<'_>) {
    out.extend_from_slice(b"   age ");
    push_span(out, state.creation_s);
    out.extend_from_slice(b", expires in ");
    push_span(out, state.expire_s);
    for (counts, unit) in [(state.packets, &b" pkts"[..]), (state.bytes, b" bytes")] {
        let [near, far] = counts;
        out.extend_from_slice(b", ");
        push_dec(out, near);
        out.push(b':');
        push_dec(out, far);
        out.extend_from_slice(unit);
    }
    for (name, rule) in [(&b", anchor "[..], state.anchor), (b", rule ", state.rule)] {
        if let Some(rule) = rule {
            out.extend_from_slice(name);
            push_dec(out, rule);
        }
    }
    for name in state.state_flags.names(state.systems()) {
        if matches!(name, "sloppy" | "pflow") {
            out.extend_from_slice(b", ");
            out.extend_from_slice(name.as_bytes());
        }
    }
    let marks = state.sync_flags.unwrap_or(0);
    for (mark, name) in [(SRC_NODE, &b", source-track"[..]), (NAT_SRC_NODE, b", sticky-address")] {
        // Up to version 4 the bit says something else: the state is stale.
        if marks & mark != 0 && state.layout >= Layout::Openbsd5 {
            out.extend_from_slice(name);
        }
    }
}

/// Appends seconds as `HH:MM:SS`; hours may have more digits.
pub fn push_span(out: &mut Vec<u8>, seconds: u32) {
    for (unit, end) in [(seconds / 3600, b':'), (seconds / 60 % 60, b':')] {
        push_dec_padded(out, u64::from(unit), 2);
        out.push(end);
    }
    push_dec_padded(out, u64::from(seconds % 60), 2);
}

fn push_hex_padded(out: &mut Vec<u8>, n: u64, width: u32) {
    let digits = (64 - n.leading_zeros()).div_ceil(4).max(1);
    for _ in digits..width {
        out.push(b'0');
    }
    push_hex_min(out, n);
}
