//! A state as a message has it: [`State`] without pointers and packed, the part that compressed
//! updates have too apart from the rest.

use std::net::IpAddr;

use crate::pf::{Direction, PeerState, StateFlags, Timeout};
use crate::wire::pfsync::Layout;
use crate::wire::state::{Ids, Key, Peer, Scrub, State};

use super::op::Update;

/// "None" of rules.
const NONE: u32 = u32::MAX;

/// An interface name: untrusted bytes, the rest NUL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(super) struct Name([u8; 16]);

impl Name {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut name = [0; 16];
        name.iter_mut().zip(bytes).for_each(|(to, &from)| *to = from);
        Self(name)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        let end = self.0.iter().position(|&b| b == 0).unwrap_or(self.0.len());
        self.0.get(..end).unwrap_or_default()
    }
}

/// [`Peer`] in 28 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Side {
    pub(super) seqlo: u32,
    pub(super) seqhi: u32,
    seqdiff: u32,
    ts_mod: u32,
    max_win: u16,
    mss: u16,
    scrub_flags: u16,
    pub(super) state: PeerState,
    wscale: u8,
    ttl: u8,
    scrubbed: bool,
}

impl Side {
    #[inline]
    pub(super) const fn of(peer: &Peer) -> Self {
        let (scrub_flags, ttl, ts_mod) = match peer.scrub {
            Some(Scrub { flags, ttl, ts_mod }) => (flags, ttl, ts_mod),
            None => (0, 0, 0),
        };
        Self {
            seqlo: peer.seqlo,
            seqhi: peer.seqhi,
            seqdiff: peer.seqdiff,
            ts_mod,
            max_win: peer.max_win,
            mss: peer.mss,
            scrub_flags,
            state: peer.state,
            wscale: peer.wscale,
            ttl,
            scrubbed: peer.scrub.is_some(),
        }
    }

    const fn peer(&self) -> Peer {
        let Self { seqlo, seqhi, seqdiff, max_win, mss, state, wscale, .. } = *self;
        let scrub = if self.scrubbed {
            Some(Scrub { flags: self.scrub_flags, ttl: self.ttl, ts_mod: self.ts_mod })
        } else {
            None
        };
        Peer { seqlo, seqhi, seqdiff, max_win, mss, state, wscale, scrub }
    }
}

/// How far a state has come: what compressed updates have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) sides: [Side; 2],
    pub(super) timeout: Option<Timeout>,
    state_flags: StateFlags,
}

/// What only whole states have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) packets: [u64; 2],
    pub(super) bytes: [u64; 2],
    pub(super) wire: Key,
    pub(super) stack: Key,
    rule: u32,
    anchor: u32,
    nat_rule: u32,
    pub(super) creation_s: u32,
    pub(super) expire_s: u32,
    pub(super) ifname: Name,
    rt_addr: [u8; 16],
    rt_family: u8,
    sync_flags: Option<u8>,
    updates: Option<u8>,
    log: u8,
    direction: Direction,
    layout: Layout,
}

/// A state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) ids: Ids,
    pub(super) progress: Progress,
    pub(super) base: Base,
}

impl Progress {
    /// Takes over what a compressed update says.
    #[inline]
    pub(super) const fn update(&mut self, update: &Update) {
        self.sides = update.sides;
        self.timeout = Some(update.timeout);
        if let Some(flags) = update.state_flags {
            // The message has only the low byte.
            self.state_flags = StateFlags(self.state_flags.0 & 0xff00 | flags.0);
        }
    }
}

impl Base {
    /// As the parser gives it, but for what only newer layouts have.
    pub(super) fn state(&self, ids: Ids, progress: &Progress) -> State<'_> {
        let rule = |n| if n == NONE { None } else { Some(n) };
        let [a, b, c, d, ..] = self.rt_addr;
        let [src, dst] = &progress.sides;
        State {
            layout: self.layout,
            ids: Some(ids),
            ifname: self.ifname.bytes(),
            wire: self.wire,
            stack: self.stack,
            direction: self.direction,
            src: src.peer(),
            dst: dst.peer(),
            rt_addr: match self.rt_family {
                4 => Some(IpAddr::from([a, b, c, d])),
                6 => Some(IpAddr::from(self.rt_addr)),
                _ => None,
            },
            rule: rule(self.rule),
            anchor: rule(self.anchor),
            nat_rule: rule(self.nat_rule),
            creation_s: self.creation_s,
            expire_s: self.expire_s,
            packets: self.packets,
            bytes: self.bytes,
            timeout: progress.timeout,
            state_flags: progress.state_flags,
            sync_flags: self.sync_flags,
            updates: self.updates,
            log: self.log,
            extra: None,
        }
    }
}

impl Whole {
    pub(super) fn of(ids: Ids, state: &State<'_>) -> Self {
        let (rt_family, rt_addr) = match state.rt_addr {
            None => (0, [0; 16]),
            Some(IpAddr::V4(v4)) => {
                let [a, b, c, d] = v4.octets();
                (4, [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
            }
            Some(IpAddr::V6(v6)) => (6, v6.octets()),
        };
        let progress = Progress {
            sides: [Side::of(&state.src), Side::of(&state.dst)],
            timeout: state.timeout,
            state_flags: state.state_flags,
        };
        let base = Base {
            packets: state.packets,
            bytes: state.bytes,
            wire: state.wire,
            stack: state.stack,
            rule: state.rule.unwrap_or(NONE),
            anchor: state.anchor.unwrap_or(NONE),
            nat_rule: state.nat_rule.unwrap_or(NONE),
            creation_s: state.creation_s,
            expire_s: state.expire_s,
            ifname: Name::of(state.ifname),
            rt_addr,
            rt_family,
            sync_flags: state.sync_flags,
            updates: state.updates,
            log: state.log,
            direction: state.direction,
            layout: state.layout,
        };
        Self { ids, progress, base }
    }
}
