//! pf's rule, reason, action, direction and interface: what `-e` shows of a pflog header.
//!
//! ```text
//! rule 5.ruleset.3/0(match): block in on em0: [uid 1000, pid 321]
//! ```
//!
//! Up to the interface this is tcpdump's form, but right where tcpdump 4.99 is not: the default
//! rule is `def` and not 4294967295, an anchor is shown where the rule is the anchor's default,
//! reason 3 is short and 4 normalize, and codes above the common ones have the names of the
//! system that wrote them, all names they may have (`13(divert|afrt)`), or `unkn(99)`. A
//! direction that the header does not tell is `?`, one that it leaves open `in|out`.
//!
//! Behind the interface follows in brackets what tcpdump does not show, in OpenBSD's words:
//! always a pass that was a drop, with `-v` the owners, FreeBSD's rule tracker, the addresses of
//! a translation, and where the packet starts if that is not where the header says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::packet::Packet;
use crate::pf::{Action, Direction, Family, Reason, Systems};
use crate::sink::text::Options;
use crate::sink::text::put::put;
use crate::text::{push_dec, push_escaped};
use crate::wire::pflog::{Other, Pflog};
use crate::wire::writer::OLD_UNKNOWN;

/// Appends the header, and a blank behind it.
pub(super) fn push(
    out: &mut Vec<u8>,
    h: &Pflog<'_>,
    packet: Option<&Packet<'_>>,
    options: &Options,
) {
    put!(out, "rule ");
    push_rule(out, h.rulenr);
    if !h.ruleset.is_empty() || h.subrulenr.is_some() {
        put!(out, ".");
        push_escaped(out, h.ruleset);
    }
    if let Some(subrule) = h.subrulenr {
        put!(out, ".", subrule);
    }
    put!(out, "/");
    push_reason(out, h.reason, h.systems);
    put!(out, ": ");
    push_action(out, h.action, h.systems, options.color);
    put!(out, " ");
    push_direction(out, h);
    put!(out, " on ");
    push_escaped(out, h.ifname);
    put!(out, ": ");
    if h.is_suspect() {
        put!(out, "[suspect: dropped] ");
    }
    if options.verbose > 0 {
        push_details(out, h, packet);
    }
}

fn push_rule(out: &mut Vec<u8>, rule: Option<u32>) {
    match rule {
        Some(rule) => push_dec(out, rule),
        None => put!(out, "def"),
    }
}

fn push_reason(out: &mut Vec<u8>, reason: Reason, systems: Systems) {
    if let Some(name) = reason.name(systems) {
        put!(out, reason.0, "(", name, ")");
        return;
    }
    push_code(out, reason.0, |each| reason.candidates(systems, each));
}

fn push_action(out: &mut Vec<u8>, action: Action, systems: Systems, color: bool) {
    let Some(name) = action.name(systems) else {
        push_code(out, action.0, |each| action.candidates(systems, each));
        return;
    };
    let paint = match name {
        "block" => "\x1b[31m",
        "pass" => "\x1b[32m",
        "match" => "\x1b[33m",
        _ => "",
    };
    if color && !paint.is_empty() {
        put!(out, paint, name, "\x1b[0m");
    } else {
        put!(out, name);
    }
}

/// A code without a name of its own: all names it may have.
fn push_code(out: &mut Vec<u8>, code: u8, candidates: impl Fn(&mut dyn FnMut(&'static str))) {
    let mut count = 0_u8;
    candidates(&mut |name| {
        if count == 0 {
            put!(out, code, "(", name);
        } else {
            put!(out, "|", name);
        }
        count = count.saturating_add(1);
    });
    if count == 0 {
        put!(out, "unkn(", code);
    }
    put!(out, ")");
}

fn push_direction(out: &mut Vec<u8>, h: &Pflog<'_>) {
    match h.dir {
        None => put!(out, "?"),
        Some(OLD_UNKNOWN) if h.systems == Systems::OPENBSD_3 => put!(out, "in|out"),
        Some(Direction(0)) => put!(out, "in/out"),
        Some(dir) => match dir.name() {
            Some(name) => put!(out, name),
            None => put!(out, "unkn(", dir.0, ")"),
        },
    }
}

fn push_details(out: &mut Vec<u8>, h: &Pflog<'_>, packet: Option<&Packet<'_>>) {
    if let Some(owner) = h.owner {
        put!(out, "[rule uid ", owner.rule_uid, ", pid ", owner.rule_pid, "] ");
        match (owner.uid, owner.pid) {
            (Some(uid), Some(pid)) => put!(out, "[uid ", uid, ", pid ", pid, "] "),
            (Some(uid), None) => put!(out, "[uid ", uid, "] "),
            (None, Some(pid)) => put!(out, "[pid ", pid, "] "),
            (None, None) => {}
        }
    }
    if let Some(id) = h.ridentifier {
        put!(out, "[ridentifier ", id, "] ");
    }
    if let Some(other) = &h.other {
        push_other(out, other, h.other_family(), packet);
    }
    if h.skip != usize::from(h.hdrlen).next_multiple_of(4) {
        put!(out, "[packet at ", h.skip, "] ");
    }
}

/// The other side of a translation, if there was one: by the kernel's mark, which older ones
/// do not set, or because the addresses differ from the packet's.
fn push_other(
    out: &mut Vec<u8>,
    other: &Other,
    family: Option<Family>,
    packet: Option<&Packet<'_>>,
) {
    let Some(family) = family else {
        if other.rewritten {
            put!(out, "[rewritten: src ?:", other.sport, ", dst ?:", other.dport, "] ");
        }
        return;
    };
    let (src, dst) = (address(other.saddr, family), address(other.daddr, family));
    let filled_in = !(src.is_unspecified() && dst.is_unspecified());
    let differs = packet.is_some_and(|packet| {
        let differs = |a: Option<IpAddr>, b| a.is_some_and(|a| a != b);
        differs(packet.ip.src, src)
            || differs(packet.ip.dst, dst)
            || packet.ports().is_some_and(|p| (p.src, p.dst) != (other.sport, other.dport))
    });
    if other.rewritten || (filled_in && differs) {
        put!(out, "[rewritten: src ");
        push_end(out, src, other.sport);
        put!(out, ", dst ");
        push_end(out, dst, other.dport);
        put!(out, "] ");
    }
}

fn push_end(out: &mut Vec<u8>, addr: IpAddr, port: u16) {
    match addr {
        IpAddr::V4(_) => put!(out, addr, ":", port),
        IpAddr::V6(_) => put!(out, "[", addr, "]:", port),
    }
}

fn address(bytes: [u8; 16], family: Family) -> IpAddr {
    match (family, bytes) {
        (Family::Inet, [a, b, c, d, ..]) => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        (Family::Inet6, _) => IpAddr::V6(Ipv6Addr::from(bytes)),
    }
}
