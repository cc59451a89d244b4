//! What a line is about, in the terms that ECS and OCSF share: two ends, what was decided, when
//! it began.
//!
//! A logged packet, or one on a wire, is about its own addresses; a pfsync message about those of
//! its state, not about those of the packet that carries it. Of a translated flow the source and
//! destination are those before the translation, where that can be known: of a state that came in
//! they are the wire's, of one that went out the firewall's own. A pf header cannot tell (OpenBSD
//! turned its meaning round with 6.9), so the packet's are taken.

use std::net::IpAddr;

use super::community::Tuple;
use super::json::{Line, address};
use crate::event::{Event, Kind, Named};
use crate::packet::{Icmp, Packet, Transport, proto};
use crate::pf::{Action, Direction, Family, Reason, SyncAction, Systems};
use crate::wire::pflog::{Other, Pflog};
use crate::wire::pfsync::{Body, Message};
use crate::wire::state::{End, Ends, State};
use crate::wire::writer::OLD_UNKNOWN;

/// One of two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Side {
    pub(super) ip: Option<IpAddr>,
    /// Of the protocols that have ports.
    pub(super) port: Option<u16>,
    /// The address and port on the other side of a translation, as far as they differ.
    pub(super) nat: Option<(IpAddr, Option<u16>)>,
    /// Packets and bytes that this end sent; of states.
    pub(super) sent: Option<(u64, u64)>,
}

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Subject {
    pub(super) family: Option<Family>,
    pub(super) proto: Option<u8>,
    pub(super) src: Side,
    pub(super) dst: Side,
    pub(super) icmp: Option<Icmp>,
    /// Bytes of the IP packet, by its own length field.
    pub(super) packet_len: Option<u64>,
}

impl Subject {
    pub(super) fn of(event: &Event<'_>, line: Line<'_>) -> Self {
        match line {
            Line::Message(message) => match &message.body {
                Body::State(state) => Self::of_state(state),
                Body::Tdb(tdb) => {
                    let dst = Side { ip: tdb.dst, ..Side::default() };
                    let family = tdb.dst.map(family);
                    Self { proto: Some(tdb.sproto), family, dst, ..Self::default() }
                }
                Body::Ids { .. } | Body::Compressed(_) => {
                    event.named_of_message(message.index).map_or_else(Self::default, |named| {
                        let Named { direction, proto, wire, stack, .. } = *named;
                        Self::of_ends(direction, proto, (wire, stack))
                    })
                }
                _ => Self::default(),
            },
            Line::Event | Line::Fault if event.pfsync.is_none() => match &event.packet {
                Some(packet) => Self::of_packet(packet, other_ends(event)),
                None => Self::default(),
            },
            _ => Self::default(),
        }
    }

    /// Of a packet, and of the ends that it has on the other side of a translation.
    pub(super) fn of_packet(packet: &Packet<'_>, other: Option<Others>) -> Self {
        let ip = &packet.ip;
        let ports = packet.ports();
        let icmp = match packet.transport {
            Transport::Icmp(icmp) | Transport::Icmp6(icmp) => Some(icmp),
            _ => None,
        };
        let side = |ip: Option<IpAddr>, port: Option<u16>, other: Option<(IpAddr, u16)>| {
            let nat = ip.and_then(|ip| translated((ip, port), other));
            Side { ip, port, nat, sent: None }
        };
        Self {
            family: Some(ip.family),
            proto: ip.proto,
            src: side(ip.src, ports.map(|ports| ports.src), other.map(|(src, _)| src)),
            dst: side(ip.dst, ports.map(|ports| ports.dst), other.map(|(_, dst)| dst)),
            icmp,
            packet_len: ip.len.map(|len| len as u64),
        }
    }

    fn of_state(state: &State<'_>) -> Self {
        let ([packets, back], [bytes, bytes_back]) = (state.packets, state.bytes);
        let mut subject = Self::of_ends(
            state.direction,
            state.wire.proto,
            (state.wire_ends(), state.stack_ends()),
        );
        subject.src.sent = Some((packets, bytes));
        subject.dst.sent = Some((back, bytes_back));
        subject
    }

    /// Of a state's ends on the wire and on the firewall's own side.
    fn of_ends(direction: Direction, proto: u8, (wire, stack): (Ends, Ends)) -> Self {
        let (before, after) =
            if direction == Direction::IN { (wire, stack) } else { (stack, wire) };
        let port = |end: End| has_ports(proto).then_some(end.port);
        let side = |before: End, after: End| {
            let differs = (before.addr, port(before)) != (after.addr, port(after));
            let nat = after.addr.filter(|_| differs).map(|ip| (ip, port(after)));
            Side { ip: before.addr, port: port(before), nat, sent: None }
        };
        Self {
            family: before.src.addr.map(family),
            proto: Some(proto),
            src: side(before.src, after.src),
            dst: side(before.dst, after.dst),
            icmp: None,
            packet_len: None,
        }
    }

    /// What the flow's name is made of.
    pub(super) fn tuple(&self) -> Option<Tuple> {
        let ports = self.src.port.zip(self.dst.port);
        let (src, dst) = self.src.ip.zip(self.dst.ip)?;
        Some(Tuple { src, dst, proto: self.proto?, ports, icmp: self.icmp })
    }

    /// Every address, each once, without those that are not there.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let nat = |side: &Side| side.nat.map(|(ip, _)| ip);
        let all = [self.src.ip, self.dst.ip, nat(&self.src), nat(&self.dst)];
        (0..all.len()).filter_map(move |at| {
            let (before, rest) = all.split_at_checked(at)?;
            let this = (*rest.first()?)?;
            (!before.contains(&Some(this))).then_some(this)
        })
    }

    /// Packets and bytes of both ends together.
    pub(super) fn total(&self) -> Option<(u64, u64)> {
        let ((packets, bytes), (back, bytes_back)) = self.src.sent.zip(self.dst.sent)?;
        Some((packets.saturating_add(back), bytes.saturating_add(bytes_back)))
    }
}

/// Source and destination on the other side of a translation.
pub(super) type Others = ((IpAddr, u16), (IpAddr, u16));

/// As pf's header has them, or else the state.
fn other_ends(event: &Event<'_>) -> Option<Others> {
    if let Some(others) = event.pflog.and_then(|header| others(header.other?)) {
        return Some(others);
    }
    let (src, dst) = event.frame.flow?.other?;
    Some(((src.addr?, src.port), (dst.addr?, dst.port)))
}

/// As pf's header has them.
pub(super) fn others(other: Other) -> Option<Others> {
    let family = other.family?;
    let ip = |bytes| address(bytes, family);
    Some(((ip(other.saddr), other.sport), (ip(other.daddr), other.dport)))
}

/// Address and port of a packet's end on the other side of a translation, if they differ from its
/// own.
#[inline]
pub(super) fn translated(
    own: (IpAddr, Option<u16>),
    other: Option<(IpAddr, u16)>,
) -> Option<(IpAddr, Option<u16>)> {
    // Of ICMP pf's port is the id. A packet dropped early has only zeros.
    let (_, port) = own;
    other
        .map(|(ip, other)| (ip, port.map(|_| other)))
        .filter(|&(ip, other)| (ip, other) != own && !ip.is_unspecified())
}

const fn has_ports(number: u8) -> bool {
    /// DCCP
    const DCCP: u8 = 33;
    /// UDP-Lite
    const UDPLITE: u8 = 136;
    matches!(number, proto::TCP | proto::UDP | proto::SCTP | DCCP | UDPLITE)
}

pub(super) const fn family(ip: IpAddr) -> Family {
    if ip.is_ipv4() { Family::Inet } else { Family::Inet6 }
}

/// What pf did to a packet, as far as a SIEM distinguishes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// pass
    Allowed,
    /// block, synproxy-drop
    Denied,
    /// nat, binat, rdr, afrt, nat64
    Modified,
    /// What else a rule can say: match, scrub, …
    Observed,
    /// pass was logged, but the reason is one of a drop.
    Suspect,
    /// A number without a name on the systems that may have written it.
    Unknown,
}

impl Verdict {
    pub(super) fn of(header: &Pflog<'_>) -> Self {
        if header.is_suspect() {
            return Self::Suspect;
        }
        match header.action {
            Action::PASS => Self::Allowed,
            Action::BLOCK => Self::Denied,
            action => match action.name(header.systems) {
                Some("synproxy-drop") => Self::Denied,
                Some("nat" | "binat" | "rdr" | "afrt" | "nat64") => Self::Modified,
                Some(_) => Self::Observed,
                None => Self::Unknown,
            },
        }
    }
}

/// True if the reason is that the rule matched, and not that something was wrong.
pub(super) fn is_match(header: &Pflog<'_>) -> bool {
    header.reason == Reason::MATCH
}

/// What a message says happened, in a SIEM's words.
pub(super) fn sync_action(message: &Message<'_>) -> &'static str {
    match (message.action, &message.body) {
        (SyncAction::Ins | SyncAction::Oins, _) => "state-insert",
        (SyncAction::Upd | SyncAction::Oupd | SyncAction::UpdC, _) => "state-update",
        (SyncAction::Del | SyncAction::DelC, _) => "state-delete",
        (SyncAction::InsAck, _) => "state-insert-ack",
        (SyncAction::UpdReq, _) => "state-update-request",
        (SyncAction::Clr, _) => "state-clear",
        (SyncAction::Bus, Body::Bus { status, .. }) => match status.name() {
            Some("start") => "bulk-update-start",
            Some("end") => "bulk-update-end",
            _ => "bulk-update",
        },
        (SyncAction::Bus, _) => "bulk-update",
        (SyncAction::Tdb | SyncAction::Otdb, _) => "ipsec-tdb-update",
        (SyncAction::InsF, _) => "fragment-insert",
        (SyncAction::DelF, _) => "fragment-delete",
        (SyncAction::Eof | SyncAction::Other(_), _) => "unknown",
    }
}

/// The company or project whose pf it is, where there is one answer.
pub(super) fn vendor(systems: Systems) -> Option<&'static str> {
    Some(match systems.name() {
        "openbsd" => "OpenBSD",
        "freebsd" | "ipfw" => "FreeBSD",
        "netbsd" => "NetBSD",
        "dragonfly" => "DragonFly",
        "darwin" => "Apple",
        _ => return None,
    })
}

/// The systems that may have written a line.
pub(super) fn systems(event: &Event<'_>, line: Line<'_>) -> Option<Systems> {
    match (line, &event.pflog, &event.pfsync) {
        (Line::Message(message), _, Some(packet)) => {
            message.layout.or(packet.layout).map(|layout| layout.systems())
        }
        (_, Some(header), _) => Some(header.systems),
        (_, _, Some(packet)) => packet.layout.map(|layout| layout.systems()),
        _ => None,
    }
}

/// The logged packet's direction, where the header tells one that is known.
pub(super) fn direction(event: &Event<'_>) -> Option<Direction> {
    let header = event.pflog.as_ref()?;
    // An old header's "1" may be in or out.
    header.dir.filter(|&dir| header.systems != Systems::OPENBSD_3 || dir != OLD_UNKNOWN)
}

/// Nanoseconds since 1970 when a state began, and its age.
pub(super) fn began(event: &Event<'_>, line: Line<'_>) -> Option<(i64, u64)> {
    const SECOND: u64 = 1_000_000_000;
    let Line::Message(Message { body: Body::State(state), .. }) = line else { return None };
    let age = u64::from(state.creation_s).saturating_mul(SECOND);
    let start = event.frame.ts.0.checked_sub_unsigned(age)?;
    Some((start, age))
}

/// True for a message that a state is gone.
pub(super) const fn is_end(line: Line<'_>) -> bool {
    matches!(line, Line::Message(Message { action: SyncAction::Del | SyncAction::DelC, .. }))
}

/// What a line's kind is: a fault behind good messages is one of its own.
pub(super) const fn kind(event: &Event<'_>, line: Line<'_>) -> Kind {
    if matches!(line, Line::Fault) { Kind::Undecoded } else { event.kind }
}

/// The largest number that a signed 64-bit field holds: a counter beyond it is a forged one, and a
/// store would refuse the whole event for it.
pub(super) fn counter(n: u64) -> u64 {
    n.min(i64::MAX.unsigned_abs())
}
