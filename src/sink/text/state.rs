//! A state as OpenBSD's `tcpdump` and `pfctl -ss` write it: `IF PROTO near (translated) -> far
//! (translated)    S:D`, with `<-` for one that came in. What pf itself sees stands first for a
//! state that came in, what is on the wire for one that went out; the other one follows in
//! brackets where it differs.
//!
//! Both ends' states stand in the order of the ends. With af-to OpenBSD turns the ends of a state
//! that came in around and leaves the states as they are; here they are turned with them.

use super::put::put;
use super::words::push_name;
use super::{Options, names};
use crate::packet::proto;
use crate::pf::{Direction, StateFlags, Systems, Timeout};
use crate::states::line::{is_forward, push_ids, push_levels, push_span};
use crate::text::push_escaped;
use crate::wire::pfsync::Layout;
use crate::wire::state::{End, Extra, Peer, State};

/// In front of what `-v` and `-vv` add below a state.
const BELOW: &str = "\n       ";

/// Appends a state: its line, and with `-v` and `-vv` those below it.
pub(super) fn push(out: &mut Vec<u8>, state: &State<'_>, options: &Options) {
    let ahead = is_forward(state);
    put!(out, "\n    ");
    push_flow(out, state, ahead, options);
    let [first, second] = if ahead { [&state.src, &state.dst] } else { [&state.dst, &state.src] };
    put!(out, "    ");
    push_levels(out, state.wire.proto, first.state, second.state);
    if options.verbose > 0 {
        if state.wire.proto == proto::TCP {
            put!(out, BELOW);
            push_window(out, first);
            put!(out, "  ");
            push_window(out, second);
        }
        push_progress(out, state);
    }
    if options.verbose > 1 {
        push_rest(out, state);
    }
}

fn push_flow(out: &mut Vec<u8>, state: &State<'_>, ahead: bool, options: &Options) {
    let number = state.wire.proto;
    if !state.ifname.is_empty() {
        push_escaped(out, state.ifname);
        put!(out, " ");
    }
    push_name(out, proto::name(number), "", number, "");
    put!(out, " ");
    let (wire, stack) = (state.wire_ends(), state.stack_ends());
    let (shown, mut other, [domain, other_domain]) = if state.direction == Direction::IN {
        (stack, wire, [state.stack.rdomain, state.wire.rdomain])
    } else {
        (wire, stack, [state.wire.rdomain, state.stack.rdomain])
    };
    // The type stands where the receiver's port does, and is not translated.
    if matches!(number, proto::ICMP | proto::ICMP6) {
        other.dst.port = shown.dst.port;
    }
    let (ends, arrow) = if ahead {
        ([(shown.src, other.src), (shown.dst, other.dst)], " -> ")
    } else {
        ([(shown.dst, other.dst), (shown.src, other.src)], " <- ")
    };
    for ((end, translated), before) in ends.into_iter().zip(["", arrow]) {
        put!(out, before);
        push_end(out, end, domain, number, options);
        if end != translated || domain != other_domain {
            put!(out, " (");
            push_end(out, translated, other_domain, number, options);
            put!(out, ")");
        }
    }
}

/// `ADDR:PORT`, of IPv6 `ADDR[PORT]`, without a port if that is 0.
fn push_end(out: &mut Vec<u8>, end: End, domain: u16, transport: u8, options: &Options) {
    if domain != 0 {
        put!(out, "(", domain, ") ");
    }
    match end.addr {
        Some(addr) => names::push_ip(out, addr, options),
        None => put!(out, "?"),
    }
    if end.port == 0 {
        return;
    }
    let (before, after) =
        if end.addr.is_some_and(|addr| addr.is_ipv6()) { ("[", "]") } else { (":", "") };
    put!(out, before);
    names::push_port(out, end.port, transport, options);
    put!(out, after);
}

/// The sequence numbers that a peer may send.
pub(super) fn push_window(out: &mut Vec<u8>, peer: &Peer) {
    put!(out, "[", peer.seqlo, " + ", peer.seqhi.wrapping_sub(peer.seqlo), "]");
    if peer.seqdiff != 0 {
        put!(out, "(+", peer.seqdiff, ")");
    }
    if let Some(shift) = peer.window_shift() {
        put!(out, " wscale ", shift);
    }
}

pub(super) fn push_timeout(
    out: &mut Vec<u8>,
    timeout: Timeout,
    systems: Systems,
    number: Option<u8>,
) {
    let name = match number {
        Some(number) => timeout.name_for(systems, number),
        None => timeout.name(systems),
    };
    put!(out, "timeout ");
    push_name(out, name, "unkn(", timeout.0, ")");
}

/// `, flags A B`; nothing if none is set.
pub(super) fn push_flags(out: &mut Vec<u8>, flags: StateFlags, systems: Systems) {
    let mut before = ", flags ";
    for (bit, name) in flags.iter(systems) {
        put!(out, before);
        push_name(out, name, "unkn(", bit, ")");
        before = " ";
    }
}

/// `-v`: age, counters, rules.
fn push_progress(out: &mut Vec<u8>, state: &State<'_>) {
    put!(out, BELOW, "age ");
    push_span(out, state.creation_s);
    put!(out, ", expires in ");
    push_span(out, state.expire_s);
    let ([packets, back], [bytes, bytes_back]) = (state.packets, state.bytes);
    put!(out, ", ", packets, ":", back, " pkts, ", bytes, ":", bytes_back, " bytes");
    for (name, rule) in
        [(", anchor ", state.anchor), (", rule ", state.rule), (", nat rule ", state.nat_rule)]
    {
        if let Some(rule) = rule {
            put!(out, name, rule);
        }
    }
}

/// `-vv`: name, timeout, options.
fn push_rest(out: &mut Vec<u8>, state: &State<'_>) {
    let systems = state.systems();
    put!(out, BELOW);
    match state.ids {
        Some(ids) => push_ids(out, ids),
        None => put!(out, "no id"),
    }
    if let Some(timeout) = state.timeout {
        put!(out, ", ");
        push_timeout(out, timeout, systems, Some(state.wire.proto));
    }
    push_flags(out, state.state_flags, systems);
    push_route(out, state);
    let updates = u16::from(state.updates.unwrap_or_default());
    push_numbers(out, &[(", log ", u16::from(state.log)), (", updates ", updates)]);
    if let Some(extra) = &state.extra {
        push_extra(out, extra, state.state_flags);
    }
    // af-to turns ICMP into ICMPv6.
    if state.wire.proto != state.stack.proto {
        put!(out, ", stack proto ");
        push_name(out, proto::name(state.stack.proto), "", state.stack.proto, "");
    }
}

/// Each number that is not 0, behind its label.
fn push_numbers(out: &mut Vec<u8>, numbers: &[(&str, u16)]) {
    for &(label, number) in numbers {
        if number != 0 {
            put!(out, label, number);
        }
    }
}

/// `route-to` and its like, of which older layouts tell only the next hop.
fn push_route(out: &mut Vec<u8>, state: &State<'_>) {
    let (kind, ifname) = state.extra.map_or((0, &[][..]), |extra| (extra.rt, extra.rt_ifname));
    if kind == 0 && state.rt_addr.is_none() {
        return;
    }
    put!(out, ", ");
    // FreeBSD counts OpenBSD's old `fastroute` too.
    let names = ["route-to", "dup-to", "reply-to"];
    let first = if state.layout == Layout::Openbsd6 { 1 } else { 2 };
    let name = kind.checked_sub(first).and_then(|at| names.get(usize::from(at)));
    match (name, kind) {
        (Some(name), _) => put!(out, *name),
        (None, 0) => put!(out, "gateway"),
        (None, 1) => put!(out, "fastroute"),
        (None, _) => put!(out, "rt ", kind),
    }
    let mut before = " ";
    if !ifname.is_empty() {
        put!(out, before);
        push_escaped(out, ifname);
        before = "@";
    }
    if let Some(addr) = state.rt_addr {
        put!(out, before, addr);
    }
}

fn push_extra(out: &mut Vec<u8>, extra: &Extra<'_>, flags: StateFlags) {
    const SET_PRIO: u16 = 0x200;
    // 0 is the routing table of everything else.
    let [wire, stack] = extra.rtableid.map(Option::unwrap_or_default);
    if wire == stack && wire != 0 {
        put!(out, ", rtable ", wire);
    } else {
        for (label, table) in [(", rtable wire ", wire), (", rtable stack ", stack)] {
            if table != 0 {
                put!(out, label, table);
            }
        }
    }
    push_numbers(
        out,
        &[
            (", max-mss ", extra.max_mss),
            (", min-ttl ", u16::from(extra.min_ttl)),
            (", tos ", u16::from(extra.set_tos)),
        ],
    );
    if flags.0 & SET_PRIO != 0 {
        let [prio, low_delay] = extra.set_prio;
        put!(out, ", prio (", prio, ", ", low_delay, ")");
    }
    if let Some(queues) = extra.queues {
        push_numbers(
            out,
            &[
                (", queue ", queues.qid),
                (", pqueue ", queues.pqid),
                (", dnpipe ", queues.dnpipe),
                (", dnrpipe ", queues.dnrpipe),
            ],
        );
    }
    for (label, name) in [(", first seen on ", extra.orig_ifname), (", tag ", extra.tagname)] {
        if !name.is_empty() {
            put!(out, label);
            push_escaped(out, name);
        }
    }
}
