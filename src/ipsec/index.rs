//! A snapshot of all SAs, made to be looked things up in: never changed, replaced as a whole.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use smallvec::SmallVec;

use super::policy::{Flow, Policies};
use super::sa::{Child, Ike};
use super::span::{self, Spanned};
use crate::event::{By, Ipsec, IpsecChild};
use crate::pf::Direction;
use crate::time::Timestamp;

/// A CHILD_SA, the IKE_SA it is of, and when it was there.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) ike: Arc<Ike>,
    pub(super) child: Arc<Child>,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

/// An IKE_SA and when it was there.
#[derive(Debug, Clone)]
pub(super) struct IkeEntry {
    pub(super) ike: Arc<Ike>,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

/// One of the two SAs of an entry.
#[derive(Debug, Clone, Copy)]
struct OneWay {
    entry: u32,
    inward: bool,
}

/// All SAs.
#[derive(Debug, Default)]
pub struct Index {
    entries: Vec<Entry>,
    ikes: Vec<IkeEntry>,
    /// By SPI, those of one in the order of their start: several peers may choose the same one.
    spis: HashMap<u32, SmallVec<[OneWay; 1]>>,
    /// By the initiator's SPI.
    ike_spis: HashMap<u64, Vec<u32>>,
    policies: Policies,
}

impl Index {
    pub(super) fn new(mut entries: Vec<Entry>, mut ikes: Vec<IkeEntry>) -> Self {
        entries.sort_by_key(|entry| entry.from);
        ikes.sort_by_key(|entry| entry.from);
        let mut spis: HashMap<u32, SmallVec<[OneWay; 1]>> =
            HashMap::with_capacity(entries.len() * 2);
        for (number, Entry { child, .. }) in (0..).zip(&entries) {
            for (spi, inward) in [(child.spi_in, true), (child.spi_out, false)] {
                if let Some(spi) = spi {
                    spis.entry(spi).or_default().push(OneWay { entry: number, inward });
                }
            }
        }
        let mut ike_spis: HashMap<u64, Vec<u32>> = HashMap::with_capacity(ikes.len());
        for (number, IkeEntry { ike, .. }) in (0..).zip(&ikes) {
            ike_spis.entry(ike.initiator_spi).or_default().push(number);
        }
        let policies = Policies::new(&entries);
        Self { entries, ikes, spis, ike_spis, policies }
    }

    /// CHILD_SAs in it.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// True without a CHILD_SA.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) const fn has_ikes(&self) -> bool {
        !self.ikes.is_empty()
    }

    /// The SA of a protocol (ESP or AH) and SPI at a time. SPIs are not unique: one of the
    /// addresses has to be the SA's too, as the other may be behind a NAT; both go before one.
    pub fn by_spi(
        &self,
        proto: u8,
        spi: u32,
        (src, dst): (Option<IpAddr>, Option<IpAddr>),
        at: Timestamp,
    ) -> Option<Ipsec<'_>> {
        self.ranked(spi, at, |Entry { ike, child, .. }, inward| {
            if child.proto != proto {
                return 0;
            }
            let (from, to) = if inward { (ike.remote, ike.local) } else { (ike.local, ike.remote) };
            let same = |a: Option<IpAddr>, b: Option<IpAddr>| u8::from(a.is_some() && a == b);
            same(src, from) + same(dst, to)
        })
    }

    /// The SA of an SPI whose selectors admit the packet inside it (`enc(4)`).
    pub(super) fn by_inner(&self, spi: u32, flow: &Flow, at: Timestamp) -> Option<Ipsec<'_>> {
        let ports = |side: fn((u16, u16)) -> u16| flow.ports.map(side);
        let (sport, dport) = (ports(|(src, _)| src), ports(|(_, dst)| dst));
        self.ranked(spi, at, |Entry { ike, child, .. }, inward| {
            let ((local, local_port), (remote, remote_port)) = if inward {
                ((flow.dst, dport), (flow.src, sport))
            } else {
                ((flow.src, sport), (flow.dst, dport))
            };
            let here =
                child.local.iter().any(|s| s.admits(local, ike.local, flow.proto, local_port));
            let there =
                child.remote.iter().any(|s| s.admits(remote, ike.remote, flow.proto, remote_port));
            u8::from(here && there)
        })
    }

    fn ranked(
        &self,
        spi: u32,
        at: Timestamp,
        rank: impl Fn(&Entry, bool) -> u8,
    ) -> Option<Ipsec<'_>> {
        let candidates = self.spis.get(&spi)?;
        let best = span::best(candidates, at, |one| match self.entries.get(one.entry as usize) {
            Some(entry) => {
                let spanned = Spanned { from: entry.from, to: entry.to, fits: true };
                (spanned, rank(entry, one.inward))
            }
            None => (Spanned::NEVER, 0),
        })?;
        let dir = if best.inward { Direction::IN } else { Direction::OUT };
        Some(self.entries.get(best.entry as usize)?.found(By::Spi, Some(dir)))
    }

    /// The IKE_SA of an IKE message at a time. A responder's SPI of 0 is one that is not chosen yet.
    pub fn by_ike(
        &self,
        (initiator, responder): (u64, u64),
        (src, dst): (Option<IpAddr>, Option<IpAddr>),
        at: Timestamp,
    ) -> Option<Ipsec<'_>> {
        let candidates = self.ike_spis.get(&initiator)?;
        let number =
            span::newest(candidates, at, |&number| match self.ikes.get(number as usize) {
                Some(IkeEntry { ike, from, to }) => {
                    let known = ike.responder_spi;
                    let fits = known == responder || known == 0 || responder == 0;
                    Spanned { from: *from, to: *to, fits }
                }
                None => Spanned::NEVER,
            })?;
        let ike = &self.ikes.get(*number as usize)?.ike;
        let is = |a: Option<IpAddr>, b: Option<IpAddr>| a.is_some() && a == b;
        let out = is(src, ike.local) || is(dst, ike.remote);
        let inward = is(dst, ike.local) || is(src, ike.remote);
        let dir = match (out, inward) {
            (true, false) => Some(Direction::OUT),
            (false, true) => Some(Direction::IN),
            _ => None,
        };
        Some(Ipsec { ike: &ike.name, child: None, by: By::Ike, dir, uniqueid: ike.uniqueid })
    }

    /// The CHILD_SA that a clear packet belongs to at a time; `hint` is its direction where
    /// something but the selectors tells it. `between_hosts`: what passes between the two IKE
    /// hosts themselves counts too.
    pub(super) fn by_selector(
        &self,
        flow: &Flow,
        at: Timestamp,
        hint: Option<Direction>,
        between_hosts: bool,
    ) -> Option<Ipsec<'_>> {
        let are_hosts = |entry: &Entry| {
            let hosts = (entry.ike.local, entry.ike.remote);
            hosts == (Some(flow.src), Some(flow.dst)) || hosts == (Some(flow.dst), Some(flow.src))
        };
        let admitted = |entry: &Entry| between_hosts || !are_hosts(entry);
        let (entry, dir) = self.policies.find(&self.entries, flow, at, hint, admitted)?;
        Some(entry.found(By::Selector, dir))
    }

    /// The number of an IKE_SA between two hosts at a time.
    pub(super) fn between(&self, a: IpAddr, b: IpAddr, at: Timestamp) -> Option<u32> {
        let is = |ike: &Ike| {
            let hosts = (ike.local, ike.remote);
            hosts == (Some(a), Some(b)) || hosts == (Some(b), Some(a))
        };
        let there = |entry: &&IkeEntry| entry.from <= at && at <= entry.to;
        self.ikes.iter().rev().filter(there).find(|e| is(&e.ike)).map(|e| e.ike.uniqueid)
    }
}

impl Entry {
    fn found(&self, by: By, dir: Option<Direction>) -> Ipsec<'_> {
        let Self { ike, child, .. } = self;
        let Child { name, reqid, mode, uniqueid, .. } = &**child;
        let known = IpsecChild { name, reqid: *reqid, mode };
        Ipsec { ike: &ike.name, child: Some(known), by, dir, uniqueid: *uniqueid }
    }
}
