//! How the firewalls talk to each other: what each sends, and what is wrong with it.
//!
//! Everything is bounded: nodes beyond [`NODES`] and creators beyond [`CREATORS`] are only
//! counted.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::pf::{BulkStatus, SyncAction};
use crate::time::Timestamp;
use crate::wire::pfsync::Layout;
use crate::wire::state::Ids;

use super::facts::Facts;
use super::guard::Suspicion;
use super::op::{Group, Op, What};
use super::outcome::{Effect, Outcome};
use super::regression::Regression;

mod finding;
mod judge;
mod report;
mod tally;

pub use finding::{Finding, Kind, Severity};
pub use report::{BulkReport, CreatorReport, Report, SenderReport};
use tally::{Peak, Tally};

/// Senders that are told apart.
pub const NODES: usize = 256;
/// Creators that are told apart.
pub const CREATORS: usize = 256;
/// Bulk updates that are kept of a creator: the last.
pub const BULKS: usize = 16;
/// Seconds in which a request for everything is answered: the kernel asks again after 5.
pub const ANSWER_S: i64 = 5;

const SECOND: i64 = 1_000_000_000;

/// A sender. `None` is the machine itself, on its pfsync0.
#[derive(Debug, Default)]
struct Node {
    first: Timestamp,
    last: Timestamp,
    frames: u64,
    faulty: u64,
    /// Frames larger than a link carries, or in fragments.
    oversize: u64,
    longest: usize,
    /// Frames by version.
    versions: [u64; 7],
    /// States by layout.
    layouts: BTreeMap<Layout, u64>,
    messages: Tally,
    requests: Peak,
    updates: Peak,
    /// Requests for everything, and those that nobody answered in time.
    asked: u64,
    unanswered: u64,
    asking: Option<Timestamp>,
    /// Whom it sends to, if not to the group.
    unicast: Option<IpAddr>,
    /// The creator whose bulk update it sends.
    bulk: Option<u32>,
    /// Creators whose states it inserted or announced, as a few as a node has.
    own: Vec<u32>,
}

/// A bulk update.
#[derive(Debug, Clone, Copy)]
struct Bulk {
    start: Timestamp,
    end: Option<Timestamp>,
    states: u64,
}

#[derive(Debug, Default)]
struct Creator {
    first: Timestamp,
    last: Timestamp,
    messages: Tally,
    bulks: Vec<Bulk>,
    /// All bulk updates, also those no longer kept.
    started: u64,
    unfinished: u64,
}

/// What is remembered of one kind of trouble: how often, and the last.
#[derive(Debug, Clone, Copy)]
struct Trouble<T> {
    count: u64,
    last: T,
    ts: Timestamp,
}

/// What went by.
#[derive(Debug, Default)]
pub struct Health {
    first: Option<Timestamp>,
    last: Timestamp,
    nodes: BTreeMap<Option<IpAddr>, Node>,
    creators: BTreeMap<u32, Creator>,
    /// Frames of senders and messages of creators beyond the bounds.
    other_frames: u64,
    other_messages: u64,
    regressions: Option<Trouble<Regression>>,
    storm: Option<Trouble<(Ids, u16)>>,
    /// Updates of states that began while they were watched and were never inserted.
    strays: u64,
    /// Compressed updates of unknown states.
    orphans: u64,
    suspicions: BTreeMap<&'static str, Trouble<Suspicion>>,
}

impl Health {
    /// Nothing has gone by.
    pub fn new() -> Self {
        Self::default()
    }

    /// A packet of pfsync, also one without messages or one that could not be read.
    pub fn frame(&mut self, facts: &Facts) {
        self.first.get_or_insert(facts.ts);
        self.last = self.last.max(facts.ts);
        self.heard(facts);
        if self.nodes.len() >= NODES && !self.nodes.contains_key(&facts.sender) {
            add(&mut self.other_frames, 1);
            return;
        }
        let node = self
            .nodes
            .entry(facts.sender)
            .or_insert_with(|| Node { first: facts.ts, ..Node::default() });
        node.last = node.last.max(facts.ts);
        add(&mut node.frames, 1);
        add(&mut node.faulty, u64::from(facts.faulty));
        add(&mut node.oversize, u64::from(facts.fragment || facts.len > judge::MTU));
        node.longest = node.longest.max(facts.len);
        if let Some(count) = node.versions.get_mut(usize::from(facts.version)) {
            add(count, 1);
        }
        if let Some(to) = facts.destination.filter(|to| !to.is_multicast()) {
            node.unicast = Some(to);
        }
    }

    /// Somebody was heard: this answers the others' requests.
    fn heard(&mut self, facts: &Facts) {
        for (sender, node) in &mut self.nodes {
            let Some(asked) = node.asking else { continue };
            let late = facts.ts.0.saturating_sub(asked.0) > ANSWER_S.saturating_mul(SECOND);
            if late {
                add(&mut node.unanswered, 1);
            }
            if late || *sender != facts.sender {
                node.asking = None;
            }
        }
    }

    /// Messages of a packet.
    pub fn messages(&mut self, group: &Group<'_>) {
        let bulk = self.nodes.get_mut(&group.facts.sender).and_then(|node| {
            node.messages(group);
            node.bulk
        });
        for (creatorid, messages) in group.by_creator() {
            if let Some(creatorid) = creatorid {
                self.creator(creatorid, &messages);
            }
        }
        if is_update(group.action)
            && let Some(bulk) = bulk.and_then(|id| self.creators.get_mut(&id)?.bulks.last_mut())
        {
            add(&mut bulk.states, group.len() as u64);
        }
    }

    /// What one of them did to the table.
    #[inline]
    pub fn outcome(&mut self, group: &Group<'_>, op: &Op, outcome: &Outcome) {
        match outcome.effect {
            Effect::Adopted => self.stray(group, op),
            Effect::Orphan => add(&mut self.orphans, 1),
            _ => {}
        }
        if outcome.regression.is_some() || outcome.burst >= judge::STORM {
            self.trouble(group.facts.ts, op, outcome);
        }
    }

    fn trouble(&mut self, ts: Timestamp, op: &Op, outcome: &Outcome) {
        if let Some(regression) = outcome.regression {
            let count = self.regressions.map_or(0, |known| known.count).saturating_add(1);
            self.regressions = Some(Trouble { count, last: regression, ts });
        }
        if outcome.burst >= judge::STORM
            && let Some(ids) = op.ids()
        {
            let storm = self.storm.get_or_insert(Trouble { count: 0, last: (ids, 0), ts });
            add(&mut storm.count, u64::from(outcome.burst == judge::STORM));
            if outcome.burst > storm.last.1 {
                (storm.last, storm.ts) = ((ids, outcome.burst), ts);
            }
        }
    }

    /// An update of an unknown state, which is a stray if it began after the first packet that was
    /// seen, and no bulk update tells of it.
    fn stray(&mut self, group: &Group<'_>, op: &Op) {
        let bulk = self.nodes.get(&group.facts.sender).and_then(|node| node.bulk);
        let told = bulk.and_then(|id| self.creators.get(&id)?.bulks.last()).is_some();
        let (What::Whole { at, .. }, Some(first), false) = (op.what, self.first, told) else {
            return;
        };
        let watched = group.facts.ts.split().0.saturating_sub(first.split().0);
        let age_s = group.whole(at).map_or(0, |whole| whole.base.creation_s);
        // Both times are cut to seconds.
        add(&mut self.strays, u64::from(i64::from(age_s) < watched.saturating_sub(1)));
    }

    fn creator(&mut self, creatorid: u32, group: &Group<'_>) {
        let ts = group.facts.ts;
        if self.creators.len() >= CREATORS && !self.creators.contains_key(&creatorid) {
            add(&mut self.other_messages, group.len() as u64);
            return;
        }
        let creator = self
            .creators
            .entry(creatorid)
            .or_insert_with(|| Creator { first: ts, ..Creator::default() });
        creator.last = creator.last.max(ts);
        creator.messages.add(group.action, group.count());
        if group.action == SyncAction::Bus {
            for op in group.ops {
                if let What::Bus(status) = op.what {
                    creator.bulk(status, ts);
                }
            }
        }
    }

    /// What the guard suspects.
    pub fn suspect(&mut self, suspicion: Suspicion, ts: Timestamp) {
        let known = self.suspicions.get(suspicion.name()).copied();
        let count = known.map_or(0, |trouble| trouble.count).saturating_add(1);
        self.suspicions.insert(suspicion.name(), Trouble { count, last: suspicion, ts });
    }
}

impl Node {
    fn messages(&mut self, group: &Group<'_>) {
        let (ts, n) = (group.facts.ts, group.count());
        self.messages.add(group.action, n);
        if group.action == SyncAction::UpdReq {
            self.requests.add(ts, n);
            for _ in group.ops.iter().filter(|op| op.creatorid().is_none()) {
                add(&mut self.asked, 1);
                // It would not ask again if it had been answered.
                add(&mut self.unanswered, u64::from(self.asking.is_some()));
                self.asking = Some(ts);
            }
        }
        // Deletions are in FreeBSD's first layout, whatever the others are in.
        if let Some(layout) = group.layout.filter(|_| group.action != SyncAction::Del) {
            add(self.layouts.entry(layout).or_default(), n);
        }
        if group.action == SyncAction::UpdC || group.layout.is_some() && is_update(group.action) {
            self.updates.add(ts, n);
        }
        if matches!(group.action, SyncAction::Ins | SyncAction::Oins | SyncAction::Bus) {
            group.ops.iter().for_each(|op| self.shows(op));
        }
    }

    /// Whose states a message shows to be its own.
    fn shows(&mut self, op: &Op) {
        let creatorid = op.name().creatorid;
        match op.what {
            What::Whole { .. } => self.owns(creatorid),
            What::Bus(status) => {
                self.bulk = (status == BulkStatus::START).then_some(creatorid);
                self.owns(creatorid);
            }
            _ => {}
        }
    }

    fn owns(&mut self, creatorid: u32) {
        if self.own.len() < 8 && !self.own.contains(&creatorid) {
            self.own.push(creatorid);
        }
    }
}

impl Creator {
    fn bulk(&mut self, status: BulkStatus, ts: Timestamp) {
        let open = self.bulks.last_mut().filter(|bulk| bulk.end.is_none());
        match (status, open) {
            (BulkStatus::START, open) => {
                add(&mut self.unfinished, u64::from(open.is_some()));
                add(&mut self.started, 1);
                if self.bulks.len() >= BULKS {
                    self.bulks.remove(0);
                }
                self.bulks.push(Bulk { start: ts, end: None, states: 0 });
            }
            (BulkStatus::END, Some(bulk)) => bulk.end = Some(ts),
            _ => {}
        }
    }
}

const fn is_update(action: SyncAction) -> bool {
    matches!(action, SyncAction::Upd | SyncAction::Oupd)
}

fn add(counter: &mut u64, n: u64) {
    *counter = counter.saturating_add(n);
}
