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
//! always a pass that was a drop, and the rule's name where a ruleset is at hand, with `-v` the owners, FreeBSD's rule tracker, the addresses of
//! a translation, and where the packet starts if that is not where the header says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::event::{Join, Rule};
use crate::packet::Packet;
use crate::pf::{Action, Direction, Family, Reason, Systems};
use crate::sink::text::Options;
use crate::sink::text::put::put;
use crate::text::{push_dec, push_escaped};
use crate::wire::pflog::Pflog;
use crate::wire::writer::OLD_UNKNOWN;

/// Appends the header, and a blank behind it.
pub(super) fn push(
    out: &mut Vec<u8>,
    h: &Pflog<'_>,
    packet: Option<&Packet<'_>>,
    rule: Option<&Rule<'_>>,
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
    if let Some(rule) = rule {
        push_name(out, rule, options);
        put!(out, " ");
    }
    if options.verbose > 0 {
        push_details(out, h, packet);
    }
}

/// What the rule is called in the user's ruleset, and how sure that is: `[web]`, `[web, stale]`. A
/// rule without a label is written out, with `-v` every rule.
pub(super) fn push_name(out: &mut Vec<u8>, rule: &Rule<'_>, options: &Options) {
    put!(out, "[");
    push_escaped(out, rule.name().as_bytes());
    if options.verbose > 0 && rule.label().is_some() {
        put!(out, ": ");
        push_escaped(out, rule.text.as_bytes());
    }
    put!(
        out,
        match rule.join {
            Join::Exact => "]",
            Join::Stale => ", stale]",
            Join::Implausible => "implausible rule]",
        }
    );
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
    if let Some(((src, sport), (dst, dport))) = translated(h, packet) {
        put!(out, "[rewritten: src ");
        push_end(out, src, sport);
        put!(out, ", dst ");
        push_end(out, dst, dport);
        put!(out, "] ");
    }
    if h.skip != usize::from(h.hdrlen).next_multiple_of(4) {
        put!(out, "[packet at ", h.skip, "] ");
    }
}

/// Source and destination on the other side of a translation, if there was one: by the kernel's
/// mark, which older ones do not set, or because the addresses differ from the packet's.
pub(in crate::sink) fn translated(
    h: &Pflog<'_>,
    packet: Option<&Packet<'_>>,
) -> Option<(Side, Side)> {
    let other = h.other?;
    let Some(family) = h.other_family() else {
        return other.rewritten.then_some(((None, other.sport), (None, other.dport)));
    };
    let (src, dst) = (address(other.saddr, family), address(other.daddr, family));
    let filled_in = !(src.is_unspecified() && dst.is_unspecified());
    let differs = packet.is_some_and(|packet| {
        let differs = |a: Option<IpAddr>, b| a.is_some_and(|a| a != b);
        differs(packet.ip.src, src)
            || differs(packet.ip.dst, dst)
            || packet.ports().is_some_and(|p| (p.src, p.dst) != (other.sport, other.dport))
    });
    let translated = other.rewritten || (filled_in && differs);
    translated.then_some(((Some(src), other.sport), (Some(dst), other.dport)))
}

/// An address, where its family is known, and a port.
type Side = (Option<IpAddr>, u16);

fn push_end(out: &mut Vec<u8>, addr: Option<IpAddr>, port: u16) {
    match addr {
        Some(IpAddr::V4(addr)) => put!(out, IpAddr::V4(addr), ":", port),
        Some(IpAddr::V6(addr)) => put!(out, "[", IpAddr::V6(addr), "]:", port),
        None => put!(out, "?:", port),
    }
}

fn address(bytes: [u8; 16], family: Family) -> IpAddr {
    match (family, bytes) {
        (Family::Inet, [a, b, c, d, ..]) => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        (Family::Inet6, _) => IpAddr::V6(Ipv6Addr::from(bytes)),
    }
}
