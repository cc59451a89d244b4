//! pfsync has no authentication: whoever reaches the wire can make and end states. What about a
//! packet is unlike what the firewalls themselves send.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::pf::SyncAction;
use crate::text::push_ip;
use crate::time::Timestamp;

use super::facts::Facts;
use super::op::Group;

/// `PFSYNC_DFLTTL`: receivers drop packets with another.
pub const TTL: u8 = 255;
/// `INADDR_PFSYNC_GROUP`
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 240);
/// FreeBSD's group since 14, of any scope: `ff1x::f0`.
pub const GROUP6: Ipv6Addr = Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0, 0, 0xf0);
/// Seconds after its first packet in which a sender's creatorids are taken for its own. Later
/// ones are when it announces a bulk update with them.
pub const LEARNING_S: i64 = 30;
/// Senders and creatorids that are remembered.
const BOUND: usize = 1024;

/// What is suspicious.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Suspicion {
    /// Sent by none of the peers.
    Sender(IpAddr),
    /// Has come through a router, or not from a kernel.
    Ttl(u8),
    /// To another group.
    Group(IpAddr),
    /// To one host, which is not a peer or whose sender is not.
    Unicast(IpAddr),
    /// To the group's address, but at the link to one station.
    Station([u8; 6]),
    /// A clear of a creator's states by another than it.
    Clear(u32),
    /// A state of a creator that none of the peers has shown as its own.
    Creator(u32),
}

impl Suspicion {
    /// The word in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sender(_) => "sender",
            Self::Ttl(_) => "ttl",
            Self::Group(_) => "group",
            Self::Unicast(_) => "unicast",
            Self::Station(_) => "station",
            Self::Clear(_) => "clear",
            Self::Creator(_) => "creator",
        }
    }

    /// Every word.
    pub const NAMES: [&str; 7] =
        ["sender", "ttl", "group", "unicast", "station", "clear", "creator"];

    /// What it means, for a reader.
    pub fn sentence(self) -> String {
        match self {
            Self::Sender(addr) => format!("{} is not one of the peers", text(addr)),
            Self::Ttl(ttl) => format!(
                "time to live is {ttl}, not 255: it was routed, or not sent by a firewall; pf drops it"
            ),
            Self::Group(addr) => {
                format!("sent to {}, not to pfsync's group 224.0.0.240 or ff12::f0", text(addr))
            }
            Self::Unicast(addr) => {
                format!("sent to {} alone, and not between two of the peers", text(addr))
            }
            Self::Station([a, b, c, d, e, f]) => format!(
                "sent to the group, but at the link only to {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"
            ),
            Self::Clear(id) => format!(
                "clears the states of creator {id:08x}, whose they are not; a firewall clears only its own"
            ),
            Self::Creator(id) => {
                format!(
                    "makes a state of creator {id:08x}, which none of the peers has shown as its own"
                )
            }
        }
    }
}

fn text(addr: IpAddr) -> String {
    let mut out = Vec::new();
    push_ip(&mut out, addr);
    String::from_utf8_lossy(&out).into_owned()
}

/// Whose a creatorid is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// A peer's.
    One(IpAddr),
    /// More than one peer's.
    Many,
    /// Found suspicious.
    Nobody,
}

/// The check of packets.
#[derive(Debug, Clone)]
pub struct Guard {
    peers: Vec<IpAddr>,
    /// First packet of each peer.
    since: BTreeMap<IpAddr, Timestamp>,
    creators: BTreeMap<u32, Owner>,
}

impl Guard {
    /// With the addresses of the firewalls. Without any, every sender counts as legitimate.
    pub const fn new(peers: Vec<IpAddr>) -> Self {
        Self { peers, since: BTreeMap::new(), creators: BTreeMap::new() }
    }

    fn is_peer(&self, addr: IpAddr) -> bool {
        self.peers.is_empty() || self.peers.contains(&addr)
    }

    /// What is suspicious about a packet by itself. Depends on nothing before it, and needs an IP
    /// header.
    pub fn check(&self, facts: &Facts) -> impl Iterator<Item = Suspicion> + use<> {
        let stranger = facts.sender.filter(|&sender| !self.is_peer(sender));
        let ttl = facts.ttl.filter(|&ttl| ttl != TTL);
        let destination = facts.destination.and_then(|to| match to {
            IpAddr::V4(v4) if v4 == GROUP => None,
            IpAddr::V6(v6) if is_group6(v6) => None,
            _ if to.is_multicast() || is_broadcast(to) => Some(Suspicion::Group(to)),
            _ if stranger.is_some() || !self.is_peer(to) => Some(Suspicion::Unicast(to)),
            _ => None,
        });
        let to_group = facts.destination.is_some_and(|to| to.is_multicast());
        // The group bit of a station's address.
        let station = facts.station.filter(|[first, ..]| to_group && first & 1 == 0);
        [
            stranger.map(Suspicion::Sender),
            ttl.map(Suspicion::Ttl),
            destination,
            station.map(Suspicion::Station),
        ]
        .into_iter()
        .flatten()
    }

    /// Learns whose creatorid is whose; hands on what is suspicious about messages by those before
    /// them. Of a creatorid that is said once, of clears each time.
    pub fn follow(&mut self, group: &Group<'_>, mut suspect: impl FnMut(Suspicion)) {
        let Some(sender) = group.facts.sender else { return };
        for (creatorid, messages) in group.by_creator() {
            let Some(creatorid) = creatorid else { continue };
            let Some(suspicion) = self.learn(creatorid, sender, group) else { continue };
            // What else there is to learn of them, the first has told.
            let times = if group.action == SyncAction::Clr { messages.len() } else { 1 };
            (0..times).for_each(|_| suspect(suspicion));
        }
    }

    fn learn(&mut self, creatorid: u32, sender: IpAddr, group: &Group<'_>) -> Option<Suspicion> {
        let (facts, action) = (group.facts, group.action);
        let legitimate = self.check(facts).next().is_none();
        if legitimate && (self.since.len() < BOUND || self.since.contains_key(&sender)) {
            self.since.entry(sender).or_insert(facts.ts);
        }
        let known = self.creators.get(&creatorid).copied();
        let announces = action == SyncAction::Bus;
        let makes = matches!(action, SyncAction::Ins | SyncAction::Oins);
        if action == SyncAction::Clr {
            let foreign = matches!(known, Some(Owner::One(owner)) if owner != sender);
            return (legitimate && foreign).then_some(Suspicion::Clear(creatorid));
        }
        if !announces && !makes || known.is_none() && self.creators.len() >= BOUND {
            return None;
        }
        let age = self.since.get(&sender).map(|since| facts.ts.0.saturating_sub(since.0));
        let early = age.is_some_and(|age| age <= LEARNING_S.saturating_mul(1_000_000_000));
        if legitimate && (announces || early) {
            let owner = match known {
                Some(Owner::One(owner)) if owner != sender => Owner::Many,
                Some(Owner::Many) => Owner::Many,
                _ => Owner::One(sender),
            };
            self.creators.insert(creatorid, owner);
            return None;
        }
        if !makes || known.is_some() {
            return None;
        }
        self.creators.insert(creatorid, Owner::Nobody);
        Some(Suspicion::Creator(creatorid))
    }
}

fn is_group6(addr: Ipv6Addr) -> bool {
    let ([first, rest @ ..], [_, group @ ..]) = (addr.segments(), GROUP6.segments());
    first & 0xfff0 == 0xff10 && rest == group
}

fn is_broadcast(addr: IpAddr) -> bool {
    matches!(addr, IpAddr::V4(v4) if v4.is_broadcast())
}
