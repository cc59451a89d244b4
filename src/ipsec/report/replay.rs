//! What a daemon would have answered at a time, by the journal: the last list before it, and the
//! events since. Times of SAs are counted on to that time; counters are as last told.

use std::collections::{HashMap, HashSet};

use super::answers::{Answers, Failure, child_name};
use super::interface::Interface;
use crate::ipsec::journal::Record;
use crate::ipsec::services::Services;
use crate::ipsec::table::Table;
use crate::time::Timestamp;
use crate::vici::alert::is_of_child;
use crate::vici::message::{Item, Section};
use crate::vici::views::{self, ChildSa, IkeSa};

/// Keys whose seconds rise, and those whose seconds fall.
const RISING: [&[u8]; 4] = [b"established", b"install-time", b"use-in", b"use-out"];
const FALLING: [&[u8]; 3] = [b"rekey-time", b"reauth-time", b"life-time"];
const SECOND: i64 = 1_000_000_000;
/// Connections of which a failure is remembered.
const MAX_FAILURES: usize = 10_000;

/// A section, and when it was told.
#[derive(Debug, Clone)]
struct Told {
    at: Timestamp,
    name: Vec<u8>,
    section: Section,
}

/// An IKE_SA.
#[derive(Debug)]
struct Ike {
    own: Told,
    children: Vec<Told>,
    round: u64,
    /// The order in which they came.
    nth: u64,
}

type Key = (u32, u64);

/// The state of a daemon while a journal is read.
#[derive(Debug)]
pub struct Replay {
    ikes: HashMap<Key, Ike>,
    round: u64,
    nth: u64,
    complete: bool,
    snapshots: HashMap<Vec<u8>, Vec<Section>>,
    failures: HashMap<Vec<u8>, Failure>,
    last: Option<Timestamp>,
    table: Table,
}

impl Default for Replay {
    fn default() -> Self {
        Self {
            ikes: HashMap::new(),
            round: 1,
            nth: 0,
            complete: false,
            snapshots: HashMap::new(),
            failures: HashMap::new(),
            last: None,
            table: Table::new(crate::ipsec::GRACE, Services::of_system()),
        }
    }
}

impl Replay {
    /// Takes the next record.
    pub fn apply(&mut self, at: Timestamp, record: Record) {
        self.last = self.last.max(Some(at));
        self.table.apply(at, &record);
        match record {
            Record::Event(name, message) => self.event(at, &name, &message),
            Record::Listed { complete } => {
                if complete {
                    let round = self.round;
                    self.ikes.retain(|_, ike| ike.round >= round);
                }
                self.complete = complete;
                self.round += 1;
            }
            Record::Down(_) => {
                self.ikes.clear();
                self.complete = false;
            }
            Record::Snapshot(name, sections) => {
                self.snapshots.insert(name, sections);
            }
            Record::Dropped(_) => self.complete = false,
            Record::Start | Record::Up | Record::Totals(_) => {}
        }
    }

    /// When the last record was written.
    pub const fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// What is known of SAs, to be looked up.
    pub fn index(&self) -> crate::ipsec::Index {
        self.table.index()
    }

    /// The answers at a time.
    pub fn answers(mut self, at: Timestamp, from: String) -> Answers {
        let mut answers = Answers::empty(at, from);
        let mut ikes: Vec<&Ike> = self.ikes.values().collect();
        ikes.sort_by_key(|ike| ike.nth);
        answers.sas = ikes.into_iter().map(|ike| ike.section(at)).collect();
        answers.complete = self.complete;
        answers.totals = Some(self.table.totals().clone());
        answers.failures = std::mem::take(&mut self.failures);
        answers.conns = self.snapshots.remove(b"list-conns".as_slice());
        answers.policies = self.snapshots.remove(b"list-policies".as_slice());
        let mut first = |name: &[u8]| self.snapshots.remove(name)?.into_iter().next();
        answers.counters = first(b"get-counters");
        answers.stats = first(b"stats");
        answers.interfaces = self
            .snapshots
            .remove(b"interfaces".as_slice())
            .map(|sections| sections.iter().filter_map(Interface::read).collect());
        answers
    }

    /// Notes that a CHILD_SA did not come to be, and what came up since then.
    fn failed(&mut self, at: Timestamp, name: &[u8], root: &Section) {
        if name == b"child-updown" && views::is_up(root) {
            for ike in views::ike_sas(root) {
                if let Some(failure) = self.failures.get_mut(ike.name) {
                    failure.up_since.extend(ike.children().map(|c| child_name(&c).to_vec()));
                }
            }
        }
        let kind = root.value("type").filter(|kind| name == b"alert" && is_of_child(kind));
        let Some((kind, sas)) = kind.zip(root.section("ike-sa")) else { return };
        for ike in views::ike_sas(sas) {
            if self.failures.len() >= MAX_FAILURES && !self.failures.contains_key(ike.name) {
                continue;
            }
            let failure = Failure { at, kind: kind.to_vec(), up_since: HashSet::new() };
            self.failures.insert(ike.name.to_vec(), failure);
        }
    }

    fn event(&mut self, at: Timestamp, name: &[u8], root: &Section) {
        let up = views::is_up(root);
        self.failed(at, name, root);
        for sa in views::ike_sas(root) {
            match name {
                b"list-sa" => self.told(at, &sa, true),
                b"ike-updown" | b"child-updown" if up => self.told(at, &sa, false),
                b"ike-updown" => _ = key(&sa).and_then(|key| self.ikes.remove(&key)),
                b"child-updown" => self.child_down(&sa),
                b"ike-rekey" => self.ike_rekey(at, &sa),
                b"child-rekey" => self.child_rekey(at, &sa),
                b"ike-update" => {
                    self.told(at, &sa, false);
                    self.moved(&sa, root);
                }
                _ => {}
            }
        }
    }

    /// An IKE_SA is there; `all`: with all its CHILD_SAs.
    fn told(&mut self, at: Timestamp, sa: &IkeSa<'_>, all: bool) {
        let Some(key) = key(sa) else { return };
        let mut own = Section::new();
        for (name, item) in sa.section.entries().filter(|(name, _)| *name != b"child-sas") {
            own.push(name, item.clone());
        }
        let own = Told { at, name: sa.name.to_vec(), section: own };
        self.nth += 1;
        let (round, nth) = (self.round, self.nth);
        let ike = self.ikes.entry(key).or_insert_with(|| Ike {
            own: own.clone(),
            children: Vec::new(),
            round,
            nth,
        });
        // A list may tell of one IKE_SA child by child.
        if all && ike.round < round {
            ike.children.clear();
        }
        (ike.own, ike.round) = (own, round);
        for child in sa.children() {
            ike.put(at, child.key.to_vec(), child.section);
        }
    }

    fn child_down(&mut self, sa: &IkeSa<'_>) {
        let Some(ike) = key(sa).and_then(|key| self.ikes.get_mut(&key)) else { return };
        for child in sa.children() {
            ike.children.retain(|known| known.name != child.key);
        }
    }

    fn ike_rekey(&mut self, at: Timestamp, sa: &IkeSa<'_>) {
        let Some((old, new)) = sa.rekeyed() else { return };
        let before = key(&old).and_then(|key| self.ikes.remove(&key));
        self.told(at, &new, false);
        if let (Some(before), Some(ike)) =
            (before, key(&new).and_then(|key| self.ikes.get_mut(&key)))
        {
            ike.children.extend(before.children);
        }
    }

    fn child_rekey(&mut self, at: Timestamp, sa: &IkeSa<'_>) {
        self.told_without_children(at, sa);
        let Some(ike) = key(sa).and_then(|key| self.ikes.get_mut(&key)) else { return };
        for child in sa.children() {
            let Some((old, new)) = child.rekeyed() else { continue };
            let (old, number) = (numbered(&old), numbered(&new));
            ike.children.retain(|known| known.name != old);
            ike.put(at, number, new.section);
        }
    }

    fn told_without_children(&mut self, at: Timestamp, sa: &IkeSa<'_>) {
        let mut section = Section::new();
        for (name, item) in sa.section.entries().filter(|(name, _)| *name != b"child-sas") {
            section.push(name, item.clone());
        }
        self.told(at, &IkeSa { name: sa.name, section: &section }, false);
    }

    /// The root has the addresses of now.
    fn moved(&mut self, sa: &IkeSa<'_>, root: &Section) {
        let Some(ike) = key(sa).and_then(|key| self.ikes.get_mut(&key)) else { return };
        let mut section = Section::new();
        for (name, item) in ike.own.section.entries() {
            let now = root.value(name).map(|value| Item::Value(value.to_vec()));
            let is_place =
                matches!(name, b"local-host" | b"local-port" | b"remote-host" | b"remote-port");
            section.push(name, now.filter(|_| is_place).unwrap_or_else(|| item.clone()));
        }
        ike.own.section = section;
    }
}

impl Ike {
    fn put(&mut self, at: Timestamp, name: Vec<u8>, section: &Section) {
        let told = Told { at, name, section: section.clone() };
        match self.children.iter_mut().find(|known| known.name == told.name) {
            Some(known) => *known = told,
            None => self.children.push(told),
        }
    }

    /// As `list-sa` has it.
    fn section(&self, at: Timestamp) -> Section {
        let mut own = self.own.aged(at);
        let mut children = Section::new();
        for child in &self.children {
            children.push_section(child.name.clone(), child.aged(at));
        }
        own.push_section("child-sas", children);
        let mut root = Section::new();
        root.push_section(self.own.name.clone(), own);
        root
    }
}

impl Told {
    /// The section with its seconds counted on.
    fn aged(&self, at: Timestamp) -> Section {
        let since = at.0.saturating_sub(self.at.0).max(0) / SECOND;
        let mut aged = Section::new();
        for (name, item) in self.section.entries() {
            let by = match name {
                name if RISING.contains(&name) => since,
                name if FALLING.contains(&name) => -since,
                _ => 0,
            };
            aged.push(name, if by == 0 { item.clone() } else { counted(item, by) });
        }
        aged
    }
}

fn counted(item: &Item, by: i64) -> Item {
    let number = match item {
        Item::Value(value) => {
            std::str::from_utf8(value).ok().and_then(|text| text.parse::<i64>().ok())
        }
        _ => None,
    };
    match number {
        Some(number) => Item::Value(number.saturating_add(by).to_string().into_bytes()),
        None => item.clone(),
    }
}

fn key(sa: &IkeSa<'_>) -> Option<Key> {
    Some((sa.uniqueid()?, sa.initiator_spi().unwrap_or(0)))
}

/// The name of its section in a list.
fn numbered(child: &ChildSa<'_>) -> Vec<u8> {
    let name = child.name().unwrap_or(child.key);
    [name, format!("-{}", child.uniqueid().unwrap_or(0)).as_bytes()].concat()
}
