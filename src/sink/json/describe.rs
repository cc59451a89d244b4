//! An event as keys and values, in the order of the JSON contract.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::notice::push_sentence;
use super::sync::{describe_flow, describe_sync};
use crate::error::{DecodeError, Fault};
use crate::event::notice::{Notice, What};
use crate::event::{Event, Frame, Ipsec, Kind, Rule};
use crate::filter::Filter;
use crate::packet::{Packet, Transport, proto};
use crate::pf::{Direction, Family, Systems};
use crate::states::Suspicion;
use crate::text::{Integer, push_hex, push_hex_byte, push_ip, push_json_escaped};
use crate::time::{Clock, Precision};
use crate::wire::ipsec::Sa;
use crate::wire::pflog::{Other, Pflog};
use crate::wire::pfsync::Message;
use crate::wire::writer::OLD_UNKNOWN;

/// A key, kept ready as it stands in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    name: &'static str,
    json: &'static str,
    quoted: &'static str,
}

impl Key {
    /// The bare key.
    pub const fn name(self) -> &'static str {
        self.name
    }

    pub(in crate::sink) const fn new(
        name: &'static str,
        json: &'static str,
        quoted: &'static str,
    ) -> Self {
        Self { name, json, quoted }
    }

    /// `,"key":`
    pub(super) const fn json(self) -> &'static str {
        self.json
    }

    /// `,"key":"`
    pub(super) const fn quoted(self) -> &'static str {
        self.quoted
    }
}

/// A key by its name.
macro_rules! key {
    ($name:literal) => {
        $crate::sink::json::Key::new(
            $name,
            concat!(",\"", $name, "\":"),
            concat!(",\"", $name, "\":\""),
        )
    };
}
pub(in crate::sink) use key;

/// Takes what an event consists of. Strings come escaped for JSON.
pub trait Emit {
    /// A number.
    fn number(&mut self, key: Key, n: impl Integer);
    /// `true`; what is not true is absent.
    fn truth(&mut self, key: Key);
    /// A string, appended by the function.
    fn string(&mut self, key: Key, push: impl FnOnce(&mut Vec<u8>));
    /// Two numbers.
    fn numbers(&mut self, key: Key, pair: [u64; 2]);
    /// Words, unless there are none.
    fn words(&mut self, key: Key, words: impl Iterator<Item = &'static str>);
    /// Begins an object.
    fn open(&mut self, key: Key);
    /// Ends the innermost object.
    fn close(&mut self);

    /// A fixed word.
    #[inline(always)]
    fn word(&mut self, key: Key, word: &str) {
        self.string(key, |out| out.extend_from_slice(word.as_bytes()));
    }

    /// A code's name, or the bare number where it has none.
    #[inline(always)]
    fn code(&mut self, key: Key, name: Option<&str>, n: u32) {
        match name {
            Some(name) => self.word(key, name),
            None => self.number(key, n),
        }
    }

    /// A number if it is there.
    #[inline(always)]
    fn some(&mut self, key: Key, n: Option<impl Integer>) {
        if let Some(n) = n {
            self.number(key, n);
        }
    }

    /// Untrusted bytes, unless there are none.
    #[inline]
    fn bytes(&mut self, key: Key, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.string(key, |out| push_json_escaped(out, bytes));
        }
    }

    /// An address if it is there.
    #[inline]
    fn address(&mut self, key: Key, addr: Option<IpAddr>) {
        if let Some(addr) = addr {
            self.string(key, |out| push_ip(out, addr));
        }
    }
}

/// Where a source's records come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A capture file: its name as the user gave it.
    File(Vec<u8>),
    /// Devices: each frame has the name of its own.
    Devices,
}

/// What an event has a line of its own for.
#[derive(Debug, Clone, Copy)]
pub enum Line<'m> {
    /// The event.
    Event,
    /// One of its pfsync messages.
    Message(&'m Message<'m>),
    /// What ended them early.
    Fault,
}

/// Calls `each` for every line of an event: one, or one a pfsync message and one for what ended
/// them early. Of the latter only for those that the filter, which the event has passed, is true
/// of.
#[inline]
pub fn lines(event: &Event<'_>, filter: &Filter, mut each: impl FnMut(Line<'_>)) {
    let Some(packet) = &event.pfsync else { return each(Line::Event) };
    let mut lines = 0;
    for message in packet.messages().map_while(Result::ok) {
        if filter.matches_message(event, &message) {
            each(Line::Message(&message));
        }
        lines += 1;
    }
    if !filter.matches_frame(event) {
        return;
    }
    if event.error.is_some() {
        each(Line::Fault);
    } else if lines == 0 {
        each(Line::Event);
    }
}

/// Names every value of a line of an event. `clock` is one of UTC.
#[inline]
pub fn describe(
    event: &Event<'_>,
    line: Line<'_>,
    origin: &Origin,
    clock: &mut Clock,
    e: &mut impl Emit,
) {
    let frame = &event.frame;
    let kind = if matches!(line, Line::Fault) { Kind::Undecoded } else { event.kind };
    e.number(key!("v"), 1u8);
    e.word(key!("type"), kind.name());
    e.string(key!("ts"), |out| clock.push_rfc3339(out, frame.ts, frame.precision));
    describe_origin(origin, frame, e);
    e.number(key!("caplen"), frame.data.len());
    e.number(key!("len"), frame.len);
    if frame.is_truncated() {
        e.truth(key!("truncated"));
    }
    if let Some(pflog) = &event.pflog {
        e.open(key!("pflog"));
        describe_pflog(pflog, e);
        e.close();
    }
    if let Some(packet) = &event.packet {
        e.open(key!("net"));
        describe_packet(packet, e);
        e.close();
    }
    if let Some(flow) = frame.flow {
        e.open(key!("state"));
        describe_flow(flow, event.pflog.is_some_and(|header| header.other.is_some()), e);
        e.close();
    }
    if let Some(rule) = &event.rule {
        e.open(key!("rule"));
        describe_rule(rule, e);
        e.close();
    }
    if let (Some(packet), Line::Event | Line::Message(_)) = (&event.pfsync, line) {
        let message = if let Line::Message(message) = line { Some(message) } else { None };
        e.open(key!("pfsync"));
        describe_sync(packet, message, e);
        e.close();
        let ipsec = message.and_then(|message| event.ipsec_of_message(message.index));
        describe_ipsec(ipsec, e);
        return;
    }
    if let Some(error) = event.error {
        e.open(key!("error"));
        describe_error(error, e);
        e.close();
    }
    if kind == Kind::Undecoded && !frame.data.is_empty() {
        e.string(key!("bytes"), |out| push_hex(out, frame.data));
    }
    describe_ipsec(event.ipsec.as_ref(), e);
}

/// The tunnel, if there is one.
fn describe_ipsec(ipsec: Option<&Ipsec<'_>>, e: &mut impl Emit) {
    let Some(ipsec) = ipsec else { return };
    e.open(key!("ipsec"));
    describe_tunnel(ipsec, e);
    e.close();
}

/// The names and numbers of a tunnel.
pub(in crate::sink) fn describe_tunnel(ipsec: &Ipsec<'_>, e: &mut impl Emit) {
    e.bytes(key!("ike"), ipsec.ike);
    if let Some(child) = &ipsec.child {
        e.bytes(key!("child"), child.name);
    }
    e.word(key!("by"), ipsec.by.name());
    if let Some(dir) = ipsec.dir.and_then(Direction::name) {
        e.word(key!("dir"), dir);
    }
    if let Some(child) = &ipsec.child {
        e.some(key!("reqid"), child.reqid);
    }
    e.number(key!("uniqueid"), ipsec.uniqueid);
    if let Some(child) = &ipsec.child {
        e.bytes(key!("mode"), child.mode);
    }
}

/// What every notice about a frame begins with.
pub(in crate::sink) fn describe_notice(
    event: &Event<'_>,
    kind: &str,
    origin: &Origin,
    clock: &mut Clock,
    e: &mut impl Emit,
) {
    let frame = &event.frame;
    e.number(key!("v"), 1u8);
    e.word(key!("type"), "notice");
    e.word(key!("kind"), kind);
    e.string(key!("ts"), |out| clock.push_rfc3339(out, frame.ts, frame.precision));
    describe_origin(origin, frame, e);
}

/// What is suspicious about pfsync's packet: a word and a sentence.
pub(in crate::sink) fn describe_suspicion(suspicion: Suspicion, e: &mut impl Emit) {
    e.word(key!("suspicion"), suspicion.name());
    e.bytes(key!("message"), suspicion.sentence().as_bytes());
}

/// Something that happened to the source.
pub(in crate::sink) fn describe_happening(
    notice: &Notice,
    origin: &Origin,
    clock: &mut Clock,
    e: &mut impl Emit,
) {
    e.number(key!("v"), 1u8);
    e.word(key!("type"), "notice");
    e.word(key!("kind"), notice.what.kind());
    e.string(key!("ts"), |out| clock.push_rfc3339(out, notice.ts, Precision::Micros));
    let source = match origin {
        Origin::File(_) => key!("file"),
        Origin::Devices => key!("iface"),
    };
    e.bytes(source, &notice.source);
    if let What::Loss(loss) = &notice.what {
        e.word(key!("where"), loss.place.name());
        e.number(key!("lost"), loss.count);
        e.string(key!("since"), |out| clock.push_rfc3339(out, loss.since, Precision::Micros));
    }
    let mut message = Vec::new();
    push_sentence(&mut message, &notice.what);
    e.bytes(key!("message"), &message);
}

/// The frame's number in its source, and which that is.
fn describe_origin(origin: &Origin, frame: &Frame<'_>, e: &mut impl Emit) {
    if let Some(place) = frame.place {
        e.number(key!("frame"), place.number);
        e.bytes(key!("file"), place.file);
        return;
    }
    e.number(key!("frame"), frame.number);
    match origin {
        Origin::File(name) => e.bytes(key!("file"), name),
        Origin::Devices => e.bytes(key!("iface"), frame.iface.unwrap_or_default()),
    }
}

fn describe_pflog(h: &Pflog<'_>, e: &mut impl Emit) {
    describe_header(h, e);
    if let (Some(other), Some(family)) = (&h.other, h.other_family()) {
        describe_other(other, family, e);
    }
}

/// What a header says but for its addresses, and so for all packets of a rule alike.
pub(super) fn describe_header(h: &Pflog<'_>, e: &mut impl Emit) {
    e.number(key!("hdrlen"), h.hdrlen);
    e.word(key!("os"), h.systems.name());
    e.code(key!("af"), Family::from_af(h.af).map(Family::name), h.af);
    e.code(key!("action"), h.action.name(h.systems), u32::from(h.action.0));
    e.code(key!("reason"), h.reason.name(h.systems), u32::from(h.reason.0));
    e.bytes(key!("ifname"), h.ifname);
    e.bytes(key!("ruleset"), h.ruleset);
    e.some(key!("rulenr"), h.rulenr);
    e.some(key!("subrulenr"), h.subrulenr);
    if let Some(owner) = &h.owner {
        e.some(key!("uid"), owner.uid);
        e.some(key!("pid"), owner.pid);
        e.number(key!("rule_uid"), owner.rule_uid);
        e.number(key!("rule_pid"), owner.rule_pid);
    }
    match h.dir {
        // An old header's "1" that may be in or out.
        Some(OLD_UNKNOWN) if h.systems == Systems::OPENBSD_3 => e.number(key!("dir"), 1u8),
        Some(Direction(n)) => e.code(key!("dir"), Direction(n).name(), u32::from(n)),
        None => {}
    }
    e.some(key!("ridentifier"), h.ridentifier);
    if h.is_suspect() {
        e.word(key!("suspect"), "dropped");
    }
    if h.other.is_some_and(|other| other.rewritten) {
        e.truth(key!("rewritten"));
    }
    if let Some(naf) = h.naf {
        let naf = u32::from(naf);
        e.code(key!("naf"), Family::from_af(naf).map(Family::name), naf);
    }
}

fn describe_other(other: &Other, family: Family, e: &mut impl Emit) {
    e.address(key!("saddr"), Some(address(other.saddr, family)));
    e.address(key!("daddr"), Some(address(other.daddr, family)));
    e.number(key!("sport"), other.sport);
    e.number(key!("dport"), other.dport);
}

/// An address of pf's 16-byte field, where IPv4 uses the first four bytes.
pub(in crate::sink) fn address(bytes: [u8; 16], family: Family) -> IpAddr {
    let [a, b, c, d, ..] = bytes;
    match family {
        Family::Inet => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        Family::Inet6 => IpAddr::V6(Ipv6Addr::from(bytes)),
    }
}

fn describe_packet(packet: &Packet<'_>, e: &mut impl Emit) {
    let ip = &packet.ip;
    e.word(key!("family"), ip.family.name());
    e.address(key!("src"), ip.src);
    e.address(key!("dst"), ip.dst);
    if let Some(number) = ip.proto {
        if let Some(name) = proto::name(number) {
            e.word(key!("proto"), name);
        }
        e.number(key!("proto_num"), number);
    }
    if let Some(ports) = packet.ports() {
        e.number(key!("sport"), ports.src);
        e.number(key!("dport"), ports.dst);
    }
    e.some(key!("ttl"), ip.ttl);
    e.some(key!("len"), ip.len);
    e.some(key!("frag_off"), ip.frag.map(|frag| frag.offset));
    describe_transport(packet, e);
}

/// What stands behind IP, but for the ports: TCP, ICMP, and what IPsec shows of itself.
pub(in crate::sink) fn describe_transport(packet: &Packet<'_>, e: &mut impl Emit) {
    match &packet.transport {
        // Of a header cut behind its ports nothing is left to say here.
        Transport::Tcp(tcp) if tcp.seq.is_some() => {
            e.open(key!("tcp"));
            if let Some((_, flags)) = tcp.offset_flags {
                e.string(key!("flags"), |out| flags.push(out));
            }
            e.some(key!("seq"), tcp.seq);
            e.some(key!("ack"), tcp.ack);
            e.some(key!("win"), tcp.win);
            e.close();
        }
        Transport::Icmp(icmp) | Transport::Icmp6(icmp) => {
            e.open(key!("icmp"));
            e.number(key!("type"), icmp.kind);
            e.some(key!("code"), icmp.code);
            e.close();
        }
        _ => {}
    }
    if let Some(sa) = packet.esp() {
        e.open(key!("esp"));
        describe_sa(sa, e);
        e.close();
    }
    if let Some(sa) = packet.ah {
        e.open(key!("ah"));
        describe_sa(sa, e);
        e.close();
    }
    if let Some(ike) = packet.ike() {
        e.open(key!("ike"));
        for (key, spi) in
            [(key!("initiator_spi"), ike.initiator_spi), (key!("responder_spi"), ike.responder_spi)]
        {
            e.string(key, |out| push_hex(out, &spi.to_be_bytes()));
        }
        e.close();
    }
}

fn describe_sa(sa: Sa, e: &mut impl Emit) {
    e.string(key!("spi"), |out| {
        out.extend_from_slice(b"0x");
        for byte in sa.spi.to_be_bytes() {
            push_hex_byte(out, byte);
        }
    });
    e.some(key!("seq"), sa.seq);
}

fn describe_rule(rule: &Rule<'_>, e: &mut impl Emit) {
    e.bytes(key!("label"), rule.label().unwrap_or_default().as_bytes());
    e.bytes(key!("text"), rule.text.as_bytes());
    e.word(key!("join"), rule.join.name());
}

pub(in crate::sink) fn describe_error(error: DecodeError, e: &mut impl Emit) {
    e.word(key!("layer"), error.layer.name());
    e.number(key!("offset"), error.offset);
    e.word(key!("cause"), error.fault.cause());
    if let Fault::Truncated { needed } = error.fault {
        e.number(key!("needed"), needed);
    }
}
