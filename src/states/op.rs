//! Messages as the table and the health report take them: owned, so that many threads can decode
//! and one can apply; small, because that one reads all of them.

use crate::pf::{BulkStatus, StateFlags, SyncAction, Timeout};
use crate::wire::pfsync::messages::Compressed;
use crate::wire::pfsync::{Body, Layout, Message, Pfsync};
use crate::wire::state::Ids;

use super::facts::Facts;
use super::whole::{Name, Side, Whole};

/// Messages of packets, in their order.
#[derive(Debug, Clone, Default)]
pub struct Ops {
    /// Each with the number of its messages.
    packets: Vec<(Facts, usize)>,
    ops: Vec<Op>,
    /// The whole states among them: few, and long.
    wholes: Vec<Whole>,
}

/// A packet and its messages.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'o> {
    /// What is known of it.
    pub facts: &'o Facts,
    ops: &'o [Op],
    wholes: &'o [Whole],
}

/// Messages of a packet that stand one behind the other and are of the same kind: what a
/// sub-header is in front of.
#[derive(Debug, Clone, Copy)]
pub struct Group<'o> {
    /// The packet they came in.
    pub facts: &'o Facts,
    /// What they say.
    pub action: SyncAction,
    /// The layout of their states, if they are whole ones with a name.
    pub layout: Option<Layout>,
    pub(super) ops: &'o [Op],
    wholes: &'o [Whole],
}

/// A message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Op {
    /// The state it is about; 0 without one, or for all of them.
    id: u64,
    creatorid: u32,
    /// What it says.
    pub action: SyncAction,
    /// Messages it stands for: more than one for what is not decoded.
    pub messages: u16,
    /// Its content.
    pub(super) what: What,
}

/// What of a message's body is of use here, besides the name of its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A whole state with a name, and its place among them.
    Whole {
        at: usize,
        layout: Layout,
    },
    Named,
    Compressed(Update),
    Clear(Name),
    Bus(BulkStatus),
    /// SAs, what is not decoded, and version 1's states, which have no name.
    Other,
}

/// A compressed update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Update {
    pub(super) sides: [Side; 2],
    pub(super) expire_s: u32,
    pub(super) timeout: Timeout,
    pub(super) state_flags: Option<StateFlags>,
}

impl Ops {
    /// Forgets all.
    pub fn clear(&mut self) {
        self.packets.clear();
        self.ops.clear();
        self.wholes.clear();
    }

    /// Adds a packet, and its messages up to the first that cannot be read.
    pub fn add(&mut self, facts: Facts, packet: Option<&Pfsync<'_>>) {
        let before = self.ops.len();
        if let Some(mut messages) = packet.map(Pfsync::messages) {
            loop {
                if let Some((action, updates)) = messages.updates() {
                    self.ops.extend(updates.map(|update| Op::compressed(action, &update)));
                }
                let Some(Ok(message)) = messages.next() else { break };
                self.push(&message);
            }
        }
        self.packets.push((facts, self.ops.len().saturating_sub(before)));
    }

    /// A message, in a packet of its own.
    #[cfg(test)]
    pub(super) fn of(facts: Facts, message: &Message<'_>) -> Self {
        let mut ops = Self::default();
        ops.push(message);
        ops.packets.push((facts, 1));
        ops
    }

    fn push(&mut self, message: &Message<'_>) {
        let none = Ids { id: 0, creatorid: 0 };
        let (ids, what) = match message.body {
            Body::State(ref state) => match state.ids {
                Some(ids) => {
                    self.wholes.push(Whole::of(ids, state));
                    let at = self.wholes.len().saturating_sub(1);
                    (ids, What::Whole { at, layout: state.layout })
                }
                None => (none, What::Other),
            },
            Body::Compressed(ref update) => {
                return self.ops.push(Op::compressed(message.action, update));
            }
            Body::Ids { ids, .. } => (ids, What::Named),
            Body::Clear { ifname, creatorid } => {
                (Ids { id: 0, creatorid }, What::Clear(Name::of(ifname)))
            }
            Body::Bus { status, creatorid, .. } => (Ids { id: 0, creatorid }, What::Bus(status)),
            Body::Tdb(_) | Body::None | Body::Unknown(_) => (none, What::Other),
        };
        let messages = match message.body {
            Body::None | Body::Unknown(_) => message.count.max(1),
            _ => 1,
        };
        let Ids { id, creatorid } = ids;
        self.ops.push(Op { id, creatorid, action: message.action, messages, what });
    }

    /// All messages, in their order.
    pub fn groups(&self) -> impl Iterator<Item = Group<'_>> {
        self.packets().flat_map(Packet::groups)
    }

    /// All messages, each alone.
    pub fn messages(&self) -> impl Iterator<Item = Group<'_>> {
        self.packets().flat_map(Packet::messages)
    }

    /// The packets.
    pub fn packets(&self) -> impl Iterator<Item = Packet<'_>> {
        let mut rest = &*self.ops;
        self.packets.iter().map(move |(facts, messages)| {
            let (ops, behind) = rest.split_at_checked(*messages).unwrap_or((rest, &[]));
            rest = behind;
            Packet { facts, ops, wholes: &self.wholes }
        })
    }
}

impl<'o> Packet<'o> {
    /// Its messages, in their order.
    pub fn groups(self) -> impl Iterator<Item = Group<'o>> {
        let same = |a: &Op, b: &Op| a.action == b.action && a.layout() == b.layout();
        self.ops.chunk_by(same).filter_map(move |ops| self.group(ops))
    }

    /// Its messages, each alone.
    pub fn messages(self) -> impl Iterator<Item = Group<'o>> {
        self.ops.chunks(1).filter_map(move |ops| self.group(ops))
    }

    fn group(self, ops: &'o [Op]) -> Option<Group<'o>> {
        let first = ops.first()?;
        let (action, layout) = (first.action, first.layout());
        Some(Group { facts: self.facts, action, layout, ops, wholes: self.wholes })
    }
}

impl<'o> Group<'o> {
    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.ops.len()
    }

    /// How many messages they stand for.
    pub(super) fn count(&self) -> u64 {
        self.ops.iter().fold(0, |n, op| n.saturating_add(op.messages.into()))
    }

    /// Those that are about the same creator and stand one behind the other.
    pub(super) fn by_creator(&self) -> impl Iterator<Item = (Option<u32>, Self)> {
        let parts = self.ops.chunk_by(|a, b| a.creatorid() == b.creatorid());
        let group = *self;
        parts.map(move |ops| (ops.first().and_then(Op::creatorid), Self { ops, ..group }))
    }

    /// The whole state of this place.
    pub(super) fn whole(&self, at: usize) -> Option<&'o Whole> {
        self.wholes.get(at)
    }
}

impl Op {
    fn compressed(action: SyncAction, update: &Compressed) -> Self {
        let Ids { id, creatorid } = update.ids;
        let what = What::Compressed(Update {
            sides: [Side::of(&update.src), Side::of(&update.dst)],
            expire_s: update.expire_s,
            timeout: update.timeout,
            state_flags: update.state_flags,
        });
        Self { id, creatorid, action, messages: 1, what }
    }

    const fn layout(&self) -> Option<Layout> {
        match self.what {
            What::Whole { layout, .. } => Some(layout),
            _ => None,
        }
    }

    /// The state it is about.
    pub const fn ids(&self) -> Option<Ids> {
        match self.what {
            What::Whole { .. } | What::Named | What::Compressed(_) => Some(self.name()),
            What::Clear(_) | What::Bus(_) | What::Other => None,
        }
    }

    /// The name that it has; nothing but zeros without a state.
    pub(super) const fn name(&self) -> Ids {
        Ids { id: self.id, creatorid: self.creatorid }
    }

    /// The creator it is about; `None` also for an `upd_req` of everything.
    pub const fn creatorid(&self) -> Option<u32> {
        match self.what {
            What::Clear(_) | What::Bus(_) => Some(self.creatorid),
            What::Other => None,
            _ if self.id == 0 && self.creatorid == 0 => None,
            _ => Some(self.creatorid),
        }
    }
}
