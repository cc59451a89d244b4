//! Finds states by addresses and ports.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use hashbrown::HashTable;

use crate::wire::state::Ends;

use super::list::{FLOW, Link, List, NIL, Slab};
use super::record::{Record, Rest};

/// States with the same addresses that are looked at, at most.
const LOOKS: usize = 64;

const SIDES: [Side; 2] = [Side::Wire, Side::Stack];

/// Address and port.
type Host = (IpAddr, u16);

/// The addresses of a packet in either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Flow {
    proto: u8,
    hosts: [Host; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Wire,
    Stack,
}

/// For each key of a side the first of the states that have it.
#[derive(Debug, Default)]
pub(super) struct Flows {
    hasher: RandomState,
    heads: [HashTable<u32>; 2],
}

impl Flow {
    fn new(proto: u8, src: Host, dst: Host) -> Self {
        // ICMP has an id for both; what pf keeps besides depends on its version.
        let (src, dst) = match proto {
            1 | 58 => (src, (dst.0, src.1)),
            _ => (src, dst),
        };
        let hosts = if src <= dst { [src, dst] } else { [dst, src] };
        Self { proto, hosts }
    }

    fn of((record, rest): (&Record, &Rest), side: Side) -> Option<Self> {
        let state = rest.state(record);
        let (Ends { src, dst }, proto) = match side {
            Side::Wire => (state.wire_ends(), state.wire.proto),
            Side::Stack => (state.stack_ends(), state.stack.proto),
        };
        let flow = Self::new(proto, (src.addr?, src.port), (dst.addr?, dst.port));
        // Without translation one entry is enough.
        (side == Side::Wire || Self::of((record, rest), Side::Wire) != Some(flow)).then_some(flow)
    }
}

impl Flows {
    pub(super) fn memory(&self) -> usize {
        self.heads.iter().map(HashTable::allocation_size).sum()
    }

    fn head(&self, slab: &Slab, at: usize, side: Side, flow: Flow) -> Option<u32> {
        let same =
            |&slot: &u32| slab.both(slot).and_then(|state| Flow::of(state, side)) == Some(flow);
        self.heads.get(at)?.find(self.hasher.hash_one(flow), same).copied()
    }

    pub(super) fn insert(&mut self, slab: &mut Slab, slot: u32) {
        for (at, side) in SIDES.into_iter().enumerate() {
            let Some(flow) = slab.both(slot).and_then(|state| Flow::of(state, side)) else {
                continue;
            };
            let old = self.head(slab, at, side, flow);
            let hash = self.hasher.hash_one(flow);
            let Some(heads) = self.heads.get_mut(at) else { continue };
            let mut chain = List { head: old.unwrap_or(NIL), tail: NIL };
            chain.push_front(slab, FLOW + at, slot);
            match heads.find_mut(hash, |&found| Some(found) == old) {
                Some(head) => *head = slot,
                None => {
                    let hasher = &self.hasher;
                    let rehash = |&slot: &u32| {
                        let flow = slab.both(slot).and_then(|state| Flow::of(state, side));
                        flow.map_or(0, |flow| hasher.hash_one(flow))
                    };
                    heads.insert_unique(hash, slot, rehash);
                }
            }
        }
    }

    pub(super) fn remove(&mut self, slab: &mut Slab, slot: u32) {
        for (at, side) in SIDES.into_iter().enumerate() {
            let Some(flow) = slab.both(slot).and_then(|state| Flow::of(state, side)) else {
                continue;
            };
            let Link { prev, next } = slab.link(slot, FLOW + at);
            let mut chain = List { head: if prev == NIL { slot } else { NIL }, tail: NIL };
            chain.remove(slab, FLOW + at, slot);
            if prev != NIL {
                continue;
            }
            let hash = self.hasher.hash_one(flow);
            let Some(heads) = self.heads.get_mut(at) else { continue };
            let Ok(mut entry) = heads.find_entry(hash, |&found| found == slot) else { continue };
            if next == NIL {
                entry.remove();
            } else {
                *entry.get_mut() = next;
            }
        }
    }

    /// The state of a packet: one that translates, else the one last updated.
    pub(super) fn find(&self, slab: &Slab, proto: u8, src: Host, dst: Host) -> Option<u32> {
        let flow = Flow::new(proto, src, dst);
        let chains = SIDES.into_iter().enumerate().flat_map(|(at, side)| {
            let next = move |&slot: &u32| Some(slab.link(slot, FLOW + at).next);
            std::iter::successors(self.head(slab, at, side, flow), next)
                .take_while(|&slot| slot != NIL)
                .take(LOOKS)
        });
        chains.max_by_key(|&slot| {
            slab.both(slot).map(|(record, rest)| {
                let translates = Flow::of((record, rest), Side::Stack).is_some();
                (translates, record.last, record.ids())
            })
        })
    }
}
