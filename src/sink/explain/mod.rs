//! A frame in plain words, for the person who runs the firewall: what pf did with the packet, why,
//! and by which rule.
//!
//! It says what the record says, no more: where the header leaves something open (an action's
//! number that two systems use, a rule that may have changed) so do the words.

mod reasons;

use crate::event::{Event, Join, Kind, Rule};
use crate::packet::{Packet, Transport, proto};
use crate::pf::{Direction, Systems};
use crate::sink::text::translated;
use crate::text::{push_dec, push_escaped, push_hex, push_hex_byte, push_ip};
use crate::time::{Clock, Precision, TimeStyle};
use crate::wire::pflog::Pflog;
use crate::wire::state::End;

/// Appends what there is to say of a frame, a sentence a line. `has_rules` says whether a ruleset
/// was at hand when [`Event::rule`] was looked for.
pub fn explain(out: &mut Vec<u8>, event: &Event<'_>, clock: &mut Clock, has_rules: bool) {
    let frame = &event.frame;
    say(out, "Frame ");
    push_dec(out, frame.number);
    say(out, ", captured ");
    clock.push(out, frame.ts, TimeStyle::Date, Precision::Micros);
    out.pop();
    say(out, ".\n");
    match &event.pflog {
        Some(header) => {
            push_verdict(out, event, header);
            push_place(out, header);
            push_rule(out, event.rule.as_ref(), header, has_rules);
            push_owner(out, header);
            push_translation(out, event, header);
        }
        None => push_other_kind(out, event),
    }
    if let Some(flow) = frame.flow {
        say(out, "It belongs to the state ");
        push_hex(out, &flow.ids.id.to_be_bytes());
        say(out, " of the firewall ");
        push_hex(out, &flow.ids.creatorid.to_be_bytes());
        say(out, ", which pfsync has told of");
        let in_header = event.pflog.is_some_and(|header| header.other.is_some());
        if let Some((src, dst)) = flow.other.filter(|_| !in_header) {
            say(out, "; on the other side of that state's translation it goes from ");
            push_state_end(out, src);
            say(out, " to ");
            push_state_end(out, dst);
        }
        say(out, ".\n");
    }
    if frame.is_truncated() {
        say(out, "Of its ");
        push_dec(out, frame.len);
        say(out, " bytes ");
        push_dec(out, frame.data.len());
        say(out, " were captured: what lies behind them is not known.\n");
    }
    if let Some(error) = event.error {
        say(out, "What could not be read: ");
        push_escaped(out, error.to_string().as_bytes());
        say(out, ".\n");
    }
}

fn say(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn push_verdict(out: &mut Vec<u8>, event: &Event<'_>, h: &Pflog<'_>) {
    let did = h.action.name(h.systems).and_then(reasons::did);
    say(out, system(h.systems));
    match did {
        Some((did, _)) => {
            say(out, " ");
            say(out, did);
        }
        None => {
            say(out, " logged action ");
            push_code(out, h.action.0, |each| h.action.candidates(h.systems, each));
            say(out, " for");
        }
    }
    say(out, " a packet ");
    say(
        out,
        match h.dir {
            Some(Direction::IN) => "that came in on ",
            Some(Direction::OUT) => "that was to go out on ",
            Some(Direction(3)) => "that was to be forwarded, on ",
            _ => "on ",
        },
    );
    push_name(out, h.ifname, "an interface without a name");
    if let Some((_, how)) = did.filter(|(_, how)| !how.is_empty()) {
        say(out, " ");
        say(out, how);
    }
    say(out, ", because ");
    match h.reason.name(h.systems).and_then(reasons::because) {
        Some(why) => {
            say(out, why);
            if let Some(name) = h.reason.name(h.systems) {
                say(out, " (reason ");
                say(out, name);
                say(out, ")");
            }
        }
        None => {
            say(out, "of reason ");
            push_code(out, h.reason.0, |each| h.reason.candidates(h.systems, each));
        }
    }
    say(out, ".\n");
    if h.is_suspect() {
        say(
            out,
            "The log says pass, but the packet was most likely dropped: kernels up to OpenBSD 7.4 \
             and FreeBSD 14, and macOS, log what the rule says and not what became of the packet, \
             and this reason is one for a drop.\n",
        );
    }
    if let Some(packet) = &event.packet {
        say(out, "The packet: ");
        push_packet(out, packet);
        say(out, ".\n");
    }
}

/// The system whose pf it was, as the subject of a sentence.
fn system(systems: Systems) -> &'static str {
    match systems.name() {
        "openbsd" => "pf on OpenBSD",
        "freebsd" => "pf on FreeBSD",
        "netbsd" => "pf on NetBSD",
        "dragonfly" => "pf on DragonFly",
        "darwin" => "pf on macOS",
        "ipfw" => "ipfw's NAT64 on FreeBSD",
        _ => "pf",
    }
}

/// A number and all names that it may have.
fn push_code(out: &mut Vec<u8>, code: u8, candidates: impl Fn(&mut dyn FnMut(&'static str))) {
    push_dec(out, code);
    let mut first = true;
    candidates(&mut |name| {
        say(out, if first { " (" } else { " or " });
        say(out, name);
        first = false;
    });
    say(
        out,
        if first {
            ", which has no name that is known"
        } else {
            ", depending on the system that wrote the log)"
        },
    );
}

fn push_name(out: &mut Vec<u8>, name: &[u8], none: &str) {
    if name.is_empty() {
        say(out, none);
    } else {
        push_escaped(out, name);
    }
}

fn push_packet(out: &mut Vec<u8>, packet: &Packet<'_>) {
    let ip = &packet.ip;
    match ip.proto {
        Some(number) => match proto::name(number) {
            Some(_) if number == proto::ICMP6 => say(out, "ICMPv6"),
            Some(name) => say(out, &name.to_ascii_uppercase()),
            None => {
                say(out, "protocol ");
                push_dec(out, number);
            }
        },
        None => say(out, "an unknown protocol"),
    }
    let ports = packet.ports();
    for (word, addr, port) in
        [(" from ", ip.src, ports.map(|p| p.src)), (" to ", ip.dst, ports.map(|p| p.dst))]
    {
        say(out, word);
        match addr {
            Some(addr) => push_ip(out, addr),
            None => say(out, "an unknown address"),
        }
        if let Some(port) = port {
            say(out, " port ");
            push_dec(out, port);
        }
    }
    match &packet.transport {
        Transport::Tcp(tcp) => {
            if let Some((_, flags)) = tcp.offset_flags {
                let mut text = Vec::new();
                flags.push(&mut text);
                let text = String::from_utf8_lossy(&text).into_owned();
                say(out, ", flags ");
                say(out, if text.is_empty() { "none" } else { &text });
                if text == "S" {
                    say(out, " (the first packet of a connection)");
                }
            }
        }
        Transport::Icmp(icmp) | Transport::Icmp6(icmp) => {
            say(out, ", type ");
            push_dec(out, icmp.kind);
            if let Some(code) = icmp.code {
                say(out, " code ");
                push_dec(out, code);
            }
        }
        _ => {}
    }
    if let Some(sa) = packet.esp().or(packet.ah) {
        say(out, ", SPI 0x");
        sa.spi.to_be_bytes().into_iter().for_each(|byte| push_hex_byte(out, byte));
    }
    if let Some(frag) = ip.frag.filter(|frag| frag.is_fragment()) {
        say(out, ", a fragment at byte ");
        push_dec(out, frag.offset);
    }
    if let Some(len) = ip.len {
        say(out, ", ");
        push_dec(out, len);
        say(out, " bytes");
    }
    if let Some(ttl) = ip.ttl {
        say(out, ", TTL ");
        push_dec(out, ttl);
    }
}

/// Where the header says that the rule is.
fn push_place(out: &mut Vec<u8>, h: &Pflog<'_>) {
    say(out, "The rule: ");
    match (h.rulenr, h.ruleset, h.subrulenr) {
        (None, b"", None) => {
            say(out, "none of the ruleset, so pf's default rule decided");
        }
        (Some(rule), b"", None) => {
            say(out, "number ");
            push_dec(out, rule);
            say(out, " of the main ruleset");
        }
        (rule, b"", Some(subrule)) => {
            say(out, "number ");
            push_dec(out, subrule);
            say(out, " (the header has ");
            match rule {
                Some(rule) => push_dec(out, rule),
                None => say(out, "def"),
            }
            say(out, "..");
            push_dec(out, subrule);
            say(
                out,
                " and no anchor: so FreeBSD 15.1 logs, whose second number counts in the main \
                 ruleset)",
            );
        }
        (rule, anchor, subrule) => {
            match subrule {
                Some(subrule) => {
                    say(out, "number ");
                    push_dec(out, subrule);
                }
                None => say(out, "the default one"),
            }
            say(out, " of the anchor ");
            push_escaped(out, anchor);
            match rule {
                Some(rule) => {
                    say(out, ", which rule ");
                    push_dec(out, rule);
                    say(out, " of the main ruleset calls");
                }
                None => say(out, ", called by the default rule"),
            }
        }
    }
    if let Some(id) = h.ridentifier {
        say(out, ", ridentifier ");
        push_dec(out, id);
    }
    if let Some(owner) = h.owner.filter(|owner| owner.rule_pid > 0) {
        say(out, "; user ");
        push_dec(out, owner.rule_uid);
        say(out, " loaded it by process ");
        push_dec(out, owner.rule_pid);
    }
    say(out, ".\n");
}

fn push_rule(out: &mut Vec<u8>, rule: Option<&Rule<'_>>, h: &Pflog<'_>, has_rules: bool) {
    let is_default = h.rulenr.is_none() && h.subrulenr.is_none();
    match rule {
        None if is_default => {}
        None if has_rules => say(
            out,
            "The ruleset given has no such rule, or several that it may be: it is not named.\n",
        ),
        None => say(out, "With --rules its name and text can be shown.\n"),
        Some(Rule { join: Join::Implausible, .. }) => say(
            out,
            "The ruleset given has another rule there: it contradicts the packet in action, \
             interface, direction, family, protocol, port or ridentifier, or does not log, so it is not named. The \
             ruleset has changed between the two, or is another firewall's.\n",
        ),
        Some(rule) => {
            if let Some(label) = rule.label() {
                say(out, "Its label is \"");
                push_escaped(out, label.as_bytes());
                say(out, "\". ");
            }
            say(out, "It reads:\n    ");
            push_escaped(out, rule.text.as_bytes());
            say(out, "\n");
            say(
                out,
                match rule.join {
                    Join::Exact => {
                        "That is certain: the ruleset given is the one that was in force.\n"
                    }
                    _ => {
                        "That fits the packet, but is not certain (stale): the ruleset may have been \
                     another one when the packet was logged.\n"
                    }
                },
            );
        }
    }
}

fn push_owner(out: &mut Vec<u8>, h: &Pflog<'_>) {
    let Some(owner) = h.owner else { return };
    if owner.uid.is_none() && owner.pid.is_none() {
        return;
    }
    say(out, "On the firewall itself the socket belongs to ");
    if let Some(uid) = owner.uid {
        say(out, "user ");
        push_dec(out, uid);
    }
    if let Some(pid) = owner.pid {
        say(out, if owner.uid.is_some() { ", process " } else { "process " });
        push_dec(out, pid);
    }
    say(out, ".\n");
}

fn push_translation(out: &mut Vec<u8>, event: &Event<'_>, h: &Pflog<'_>) {
    let Some((src, dst)) = translated(h, event.packet.as_ref()) else { return };
    let ip = event.packet.as_ref().map(|packet| &packet.ip);
    // Of a packet without readable ports the kernel leaves these fields 0.
    if (src.1, dst.1) == (0, 0) && ip.is_some_and(|ip| ip.src == src.0 && ip.dst == dst.0) {
        return;
    }
    say(out, "It was translated: on the other side of the translation it goes from ");
    for (word, (addr, port)) in [("", src), (" to ", dst)] {
        say(out, word);
        match addr {
            Some(addr) => push_ip(out, addr),
            None => say(out, "an unknown address"),
        }
        say(out, " port ");
        push_dec(out, port);
    }
    say(out, ".\n");
}

fn push_state_end(out: &mut Vec<u8>, end: End) {
    match end.addr {
        Some(addr) => push_ip(out, addr),
        None => say(out, "an unknown address"),
    }
    say(out, " port ");
    push_dec(out, end.port);
}

fn push_other_kind(out: &mut Vec<u8>, event: &Event<'_>) {
    match (event.kind, &event.packet) {
        (Kind::Pfsync, _) => say(
            out,
            "It is no packet that pf logged but one of pfsync, by which firewalls tell each other \
             of their states: 'pfscope states' shows what it does to the table.\n",
        ),
        (Kind::Undecoded, _) => say(out, "It is no record that can be read.\n"),
        (_, Some(packet)) => {
            say(out, "It is no packet that pf logged, so that no rule is known: ");
            push_packet(out, packet);
            say(out, ".\n");
        }
        (_, None) => say(out, "It is no packet that pf logged, and not IP.\n"),
    }
}
