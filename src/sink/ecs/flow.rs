//! What the document of a plain record says of its flow, kept from the flow's second packet on: a
//! blocked one is tried again, and who asks a whole network asks every few seconds.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use crate::event::Frame;
use crate::glance::Glance;
use crate::packet::proto;
use crate::sink::community::{Namer, Tuple, differing, mixed};
use crate::sink::site::Site;
use crate::sink::subject::{others, translated};
use crate::sink::ways::Ways;
use crate::text::line::{Address, Line, Piece};

/// Flows that are kept.
const SLOTS: usize = 256;
/// Bytes of a slot: nearly all flows of IPv6 have room.
const SIZE: usize = 512;

/// The flows of one source's records.
#[derive(Debug)]
pub(super) struct Flows {
    slots: Box<[Slot]>,
    ways: Ways<SLOTS>,
    /// Names those that are not kept.
    pub(super) namer: Namer,
}

/// Address and port of an end.
type End = (IpAddr, Option<u16>);

/// What tells a flow from others: its own words, and what pf's header has of the other side of a
/// translation. Of no flow both are 0.
type Key = [[u64; 5]; 2];

/// What was written of one flow.
#[derive(Debug, Clone)]
struct Slot {
    key: Key,
    /// Members of `network` up to the direction, where the site's networks tell it.
    network: usize,
    /// Where the two ends stop, which follow.
    ends: usize,
    text: [u8; SIZE],
}

impl Slot {
    /// One that has no flow.
    const EMPTY: Self = Self { key: [[0; 5]; 2], network: 0, ends: 0, text: [0; SIZE] };

    /// Keeps what was written of a flow, if there is room for it.
    fn fill(&mut self, key: Key, network: &[u8], ends: &[u8]) -> Option<()> {
        self.key = Self::EMPTY.key;
        let (first, rest) = self.text.split_at_mut_checked(network.len())?;
        first.copy_from_slice(network);
        rest.get_mut(..ends.len())?.copy_from_slice(ends);
        (self.network, self.ends) = (network.len(), network.len().wrapping_add(ends.len()));
        self.key = key;
        Some(())
    }
}

impl Flows {
    /// None is kept yet.
    pub(super) fn new() -> Self {
        let slots = vec![Slot::EMPTY; SLOTS].into_boxed_slice();
        Self { slots, ways: Ways::new(), namer: Namer::new() }
    }

    /// Appends the rest of `network`, and the two ends. `through` is the direction where the site's
    /// networks are not known.
    #[inline(always)]
    pub(super) fn put(
        &mut self,
        line: &mut Line<'_>,
        site: &Site,
        (frame, glance): (&Frame<'_>, &Glance<'_>),
        through: &Piece<'_>,
    ) {
        let Self { slots, ways, namer } = self;
        let key = [glance.flow_words(), glance.other_words(frame)];
        let sum = mixed(&key[0]);
        let is = |at: usize| {
            let slot = slots.get(at);
            slot.is_some_and(|slot| {
                differing(&slot.key[0], &key[0]) | differing(&slot.key[1], &key[1]) == 0
            })
        };
        if let Some(slot) = ways.find(sum, is).and_then(|at| slots.get(at)) {
            line.bytes(slot.text.get(..slot.network).unwrap_or_default());
            put_bytes(line, through, glance.len);
            line.bytes(slot.text.get(slot.network..slot.ends).unwrap_or_default());
            return;
        }
        let ports = glance.ports.map(|ports| (ports.src, ports.dst));
        let ([src, dst], proto) = (glance.addresses(), glance.proto);
        let tuple = Tuple { src, dst, proto, ports, icmp: glance.icmp() };
        let start = line.len();
        let again = put_network(line, site, namer, &tuple);
        let middle = line.len();
        put_bytes(line, through, glance.len);
        let behind = line.len();
        put_ends(line, &tuple, nat(frame, glance, &tuple));
        // Most flows of a scan have one packet.
        if again
            && let Some(text) = line.text()
            && let (Some(network), Some(ends)) = (text.get(start..middle), text.get(behind..))
        {
            let slot = slots.get_mut(ways.take(sum));
            // What has no room is written anew for each packet.
            let _ = slot.and_then(|slot| slot.fill(key, network, ends));
        }
    }
}

/// The packet's ends on the other side of a translation, where pf's header has them and they differ.
#[inline(always)]
fn nat(frame: &Frame<'_>, glance: &Glance<'_>, tuple: &Tuple) -> [Option<End>; 2] {
    let others = glance.other(frame).and_then(others);
    let Some((src, dst)) = others else { return [None, None] };
    let (sport, dport) = (tuple.ports.map(|ports| ports.0), tuple.ports.map(|ports| ports.1));
    [translated((tuple.src, sport), Some(src)), translated((tuple.dst, dport), Some(dst))]
}

/// Appends the members of `network` up to its direction; true if the flow had another packet.
#[inline(always)]
fn put_network(line: &mut Line<'_>, site: &Site, namer: &mut Namer, tuple: &Tuple) -> bool {
    match tuple.proto {
        proto::TCP => line.put(br#","transport":"tcp","iana_number":"6""#),
        proto::UDP => line.put(br#","transport":"udp","iana_number":"17""#),
        proto => {
            if let Some(name) = proto::name(proto) {
                line.put(br#","transport":""#);
                line.bytes(name.as_bytes());
                line.put(b"\"");
            }
            line.put(br#","iana_number":""#);
            line.octet(proto);
            line.put(b"\"");
        }
    }
    let mut again = false;
    if let Some((name, known)) = namer.name(tuple) {
        line.put(br#","community_id":""#);
        line.put(name);
        line.put(b"\"");
        again = known;
    }
    if let Some(way) = site.way(Some(tuple.src), Some(tuple.dst)) {
        line.put(br#","direction":""#);
        line.bytes(way.name().as_bytes());
        line.put(b"\"");
    }
    again
}

/// Appends the direction, where the site's networks do not tell it, and how long the packet is.
#[inline(always)]
fn put_bytes(line: &mut Line<'_>, through: &Piece<'_>, len: usize) {
    line.piece(through);
    line.put(br#","bytes":"#);
    line.dec(len);
}

/// Appends the end of `network`, and the two ends.
#[inline(always)]
fn put_ends(line: &mut Line<'_>, tuple: &Tuple, [src_nat, dst_nat]: [Option<End>; 2]) {
    let (src, dst) = (tuple.src, tuple.dst);
    let (sport, dport) = (tuple.ports.map(|ports| ports.0), tuple.ports.map(|ports| ports.1));
    line.put(br#","packets":1},"source":{"address":""#);
    let first = put_side(line, (src, sport), src_nat);
    line.put(br#"},"destination":{"address":""#);
    let second = put_side(line, (dst, dport), dst_nat);
    line.put(br#"},"related":{"ip":[""#);
    line.ip(&first.own);
    if src != dst {
        line.put(br#"",""#);
        line.ip(&second.own);
    }
    if let Some((nat, text)) = first.nat.filter(|(nat, _)| ![src, dst].contains(nat)) {
        line.put(br#"",""#);
        line.ip(&text);
        if second.nat.is_some_and(|(other, _)| other == nat) {
            line.put(br#""]}"#);
            return;
        }
    }
    if let Some((_, text)) = second.nat.filter(|(nat, _)| ![src, dst].contains(nat)) {
        line.put(br#"",""#);
        line.ip(&text);
    }
    line.put(br#""]}"#);
}

/// The addresses of an end.
struct Side {
    own: Address,
    /// The one on the other side of a translation, if there is one.
    nat: Option<(IpAddr, Address)>,
}

/// Appends an end behind its first quote; the object is left open.
#[inline(always)]
fn put_side(line: &mut Line<'_>, (ip, port): End, nat: Option<End>) -> Side {
    let own = line.address(ip);
    line.ip(&own);
    line.put(br#"","ip":""#);
    line.ip(&own);
    match port {
        Some(port) => {
            line.put(br#"","port":"#);
            line.dec(port);
        }
        None => line.put(b"\""),
    }
    let Some((nat, port)) = nat else { return Side { own, nat: None } };
    line.put(br#","nat":{"ip":""#);
    let text = line.address(nat);
    line.ip(&text);
    match port {
        Some(port) => {
            line.put(br#"","port":"#);
            line.dec(port);
            line.put(b"}");
        }
        None => line.put(br#""}"#),
    }
    Side { own, nat: Some((nat, text)) }
}
