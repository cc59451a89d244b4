//! The table against a plain map, its bounds and its memory.

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::pf::{Direction, PeerState, StateFlags, Timeout};
use crate::states::lifetime::GRACE_S;
use crate::wire::pfsync::messages::Compressed;
use crate::wire::pfsync::{Body, Layout, Message};
use crate::wire::state::{Key, Peer, State};

const UDP_FIRST: Timeout = Timeout(6);

fn peer() -> Peer {
    let (seqlo, seqhi, seqdiff, max_win, mss) = (1000, 2000, 0, 1, 0);
    Peer { seqlo, seqhi, seqdiff, max_win, mss, state: PeerState(1), wscale: 0, scrub: None }
}

fn key(src: [u8; 4], sport: u16, dst: [u8; 4], dport: u16) -> Key {
    let addr = [src, dst].map(|addr| {
        let mut field = [0; 16];
        field[..4].copy_from_slice(&addr);
        field
    });
    Key { addr, port: [sport, dport], rdomain: 0, af: 2, proto: 17 }
}

/// A state from 10.0.x.x to 192.0.2.1, port 53.
fn state(id: u64, creatorid: u32, ifname: &'static [u8], expire_s: u32, n: u64) -> State<'static> {
    let [.., b, c] = id.to_be_bytes();
    let key = key([10, 0, b, c], 4000, [192, 0, 2, 1], 53);
    State {
        layout: Layout::Openbsd6,
        ids: Some(Ids { id, creatorid }),
        ifname,
        wire: key,
        stack: key,
        direction: Direction::IN,
        src: peer(),
        dst: peer(),
        rt_addr: None,
        rule: Some(1),
        anchor: None,
        nat_rule: None,
        creation_s: 0,
        expire_s,
        packets: [n, 0],
        bytes: [n * 100, 0],
        timeout: Some(UDP_FIRST),
        state_flags: StateFlags(0),
        sync_flags: Some(0),
        updates: Some(0),
        log: 0,
        extra: None,
    }
}

fn op(second: i64, action: SyncAction, body: Body<'_>) -> Ops {
    let layout = Some(Layout::Openbsd6);
    let message =
        Message { action, layout, index: 0, nth: 0, count: 1, offset: 0, bytes: &[], body };
    Ops::of(Facts::bare(Timestamp(second * 1_000_000_000), 6, layout, 100), &message)
}

fn apply(table: &mut Table, ops: &Ops) {
    ops.groups().for_each(|group| table.apply(&group, |_, _| {}));
}

fn insert(second: i64, state: State<'_>) -> Ops {
    op(second, SyncAction::Ins, Body::State(state))
}

const NAMES: [&[u8]; 3] = [b"all", b"em0", b"em1"];

#[derive(Debug, Clone)]
enum Step {
    Ins(u64, u32, usize, u32, u64),
    Upd(u64, u32, usize, u32, u64),
    UpdC(u64, u32, u32),
    Del(u64, u32),
    DelC(u64, u32),
    Ack(u64, u32),
    Clear(u32, Option<usize>),
    Bus(u32),
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let (id, creator, name) = (0..24_u64, 0..3_u32, 0..3_usize);
    let whole = (id.clone(), creator.clone(), name.clone(), 0..60_u32, 0..1000_u64);
    let ids = (id, creator.clone());
    prop_oneof![
        8 => whole.clone().prop_map(|(a, b, c, d, e)| Step::Ins(a, b, c, d, e)),
        6 => whole.prop_map(|(a, b, c, d, e)| Step::Upd(a, b, c, d, e)),
        6 => (ids.clone(), 0..60_u32).prop_map(|((a, b), c)| Step::UpdC(a, b, c)),
        2 => ids.clone().prop_map(|(a, b)| Step::Del(a, b)),
        2 => ids.clone().prop_map(|(a, b)| Step::DelC(a, b)),
        1 => ids.prop_map(|(a, b)| Step::Ack(a, b)),
        1 => (creator.clone(), proptest::option::of(name)).prop_map(|(a, b)| Step::Clear(a, b)),
        1 => creator.prop_map(Step::Bus),
        3 => prop_oneof![0..40_i64, Just(9000)].prop_map(Step::Wait),
    ]
}

/// What the map has of a state.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    name: usize,
    deadline: i64,
    packets: u64,
    touched: usize,
    messages: u32,
    inserted: bool,
}

#[derive(Debug, Default)]
struct Model {
    max: usize,
    states: BTreeMap<(u32, u64), Known>,
    now: i64,
}

impl Model {
    fn add(&mut self, key: (u32, u64), known: Known) {
        self.states.remove(&key);
        if self.states.len() >= self.max {
            let oldest = self.states.iter().min_by_key(|(_, known)| known.touched);
            let oldest = *oldest.unwrap().0;
            self.states.remove(&oldest);
        }
        self.states.insert(key, known);
    }

    /// Does the step on the map and gives the message for the table.
    fn apply(&mut self, step: &Step, touched: usize) -> Option<Ops> {
        let now = self.now;
        let ends = |left: u32| now + i64::from(left) + GRACE_S + 1;
        let op = |action, body| Some(op(now, action, body));
        let ids = |id, creatorid| Body::Ids { ids: Ids { id, creatorid }, states: None };
        match *step {
            Step::Ins(id, creator, name, left, packets) => {
                let deadline = ends(left);
                let known = Known { name, deadline, packets, touched, messages: 1, inserted: true };
                self.add((creator, id), known);
                let state = state(id, creator, NAMES[name], left, packets);
                op(SyncAction::Ins, Body::State(state))
            }
            Step::Upd(id, creator, name, left, packets) => {
                let deadline = ends(left);
                let known = match self.states.get(&(creator, id)) {
                    Some(old) => Known {
                        packets: old.packets.max(packets),
                        messages: old.messages + 1,
                        inserted: old.inserted,
                        ..Known { name, deadline, touched, ..*old }
                    },
                    None => {
                        Known { name, deadline, packets, touched, messages: 1, inserted: false }
                    }
                };
                self.add((creator, id), known);
                let state = state(id, creator, NAMES[name], left, packets);
                op(SyncAction::Upd, Body::State(state))
            }
            Step::UpdC(id, creator, left) => {
                let deadline = ends(if left == 0 { 60 } else { left });
                if let Some(known) = self.states.get_mut(&(creator, id)) {
                    (known.deadline, known.touched) = (deadline, touched);
                    known.messages += 1;
                }
                let update = Compressed {
                    ids: Ids { id, creatorid: creator },
                    src: peer(),
                    dst: peer(),
                    expire_s: left,
                    timeout: UDP_FIRST,
                    state_flags: None,
                    updates: None,
                };
                op(SyncAction::UpdC, Body::Compressed(update))
            }
            Step::Del(id, creator) => {
                self.states.remove(&(creator, id));
                op(SyncAction::Del, Body::State(state(id, creator, NAMES[0], 0, 0)))
            }
            Step::DelC(id, creator) => {
                self.states.remove(&(creator, id));
                op(SyncAction::DelC, ids(id, creator))
            }
            Step::Ack(id, creator) => op(SyncAction::InsAck, ids(id, creator)),
            Step::Clear(creatorid, name) => {
                let goes = |known: &Known| name.is_none_or(|name| known.name == name);
                self.states.retain(|key, known| key.0 != creatorid || !goes(known));
                let ifname = name.map_or(&[][..], |name| NAMES[name]);
                op(SyncAction::Clr, Body::Clear { ifname, creatorid })
            }
            Step::Bus(creatorid) => {
                let status = crate::pf::BulkStatus::START;
                op(SyncAction::Bus, Body::Bus { status, endtime_s: 0, creatorid })
            }
            Step::Wait(seconds) => {
                self.now += seconds;
                self.states.retain(|_, known| known.deadline > self.now);
                None
            }
        }
    }
}

/// All counters, to compare.
fn counters(table: &Table) -> Vec<u64> {
    let json = serde_json::to_value(table.counters()).unwrap();
    json.as_object().unwrap().values().map(|n| n.as_u64().unwrap()).collect()
}

proptest! {
    #[test]
    fn it_holds_what_a_plain_map_holds(
        steps in proptest::collection::vec(step(), 1..300),
        max in 1..40_usize,
        flows: bool,
    ) {
        let mut table = if flows { Table::with_flows(max) } else { Table::new(max) };
        let mut model = Model { max, now: 1_000_000, ..Model::default() };
        let mut before = counters(&table);
        for (n, step) in steps.iter().enumerate() {
            match model.apply(step, n) {
                Some(op) => apply(&mut table, &op),
                None => table.expire(Timestamp(model.now * 1_000_000_000)),
            }
            prop_assert!(table.len() <= max);
            let after = counters(&table);
            prop_assert!(before.iter().zip(&after).all(|(before, after)| before <= after));
            before = after;
            let found: BTreeMap<_, _> = table.entries().enumerate().map(|(order, entry)| {
                let state = entry.state();
                let name = NAMES.iter().position(|&name| name == state.ifname).unwrap();
                let left = i64::from(entry.expires_s());
                let facts = (name, left, entry.packets(), entry.messages(), entry.inserted());
                ((entry.ids().creatorid, entry.ids().id), (order, facts))
            }).collect();
            let mut touched: Vec<_> = model.states.values().map(|known| known.touched).collect();
            touched.sort_unstable();
            let expected: BTreeMap<_, _> = model.states.iter().map(|(&key, known)| {
                let left = (known.deadline - GRACE_S - 1 - model.now).max(0);
                let order = touched.binary_search(&known.touched).unwrap();
                (key, (order, (known.name, left, known.packets, known.messages, known.inserted)))
            }).collect();
            prop_assert_eq!(found, expected);
            if flows {
                let (dst, id) = ("192.0.2.1".parse().unwrap(), n as u64 % 24);
                let src = IpAddr::from([10, 0, 0, id.to_be_bytes()[7]]);
                let there = model.states.keys().any(|key| key.1 == id);
                prop_assert_eq!(table.find(17, dst, 53, src, 4000).is_some(), there);
                prop_assert!(table.find(6, dst, 53, src, 4000).is_none());
            }
        }
        prop_assert_eq!(table.groups.values().filter(|group| group.head == NIL).count(), 0);
    }
}

#[test]
fn a_message_does_a_bounded_amount_of_work_and_time_all_of_it() {
    let mut table = Table::new(100_000);
    (0..10_000).for_each(|id| apply(&mut table, &insert(0, state(id, 1, b"all", 10, 1))));
    // Long after their end, and more than a turn of the wheel later.
    let late = 100_000;
    apply(&mut table, &insert(late, state(20_000, 1, b"all", 10, 1)));
    assert_eq!(table.counters().expired, LOOKS as u64);
    table.expire(Timestamp(late * 1_000_000_000));
    assert_eq!((table.counters().expired, table.len()), (10_000, 1));
}

#[test]
fn time_that_goes_back_takes_nothing_away() {
    let mut table = Table::new(10);
    apply(&mut table, &insert(1000, state(1, 1, b"all", 10, 1)));
    apply(&mut table, &insert(10, state(2, 1, b"all", 10, 1)));
    assert_eq!((table.len(), table.now()), (2, Timestamp(1_000_000_000_000)));
    table.expire(Timestamp(i64::MIN));
    table.expire(Timestamp(i64::MAX));
    assert!(table.is_empty());
}

#[test]
fn rates_are_those_between_two_updates() {
    let mut table = Table::new(10);
    let ids = Ids { id: 1, creatorid: 1 };
    apply(&mut table, &insert(100, state(1, 1, b"all", 60, 10)));
    assert_eq!(table.get(ids).unwrap().bytes_per_s(), None);
    let update = |second, n| op(second, SyncAction::Upd, Body::State(state(1, 1, b"all", 60, n)));
    apply(&mut table, &update(110, 60));
    let entry = table.get(ids).unwrap();
    assert_eq!((entry.packets_per_s(), entry.bytes_per_s()), (Some(5.0), Some(500.0)));
    // The other firewall has seen less of it.
    apply(&mut table, &update(120, 20));
    assert_eq!(table.get(ids).unwrap().packets(), 60);
}

#[test]
fn a_flow_is_found_by_either_key_in_either_direction() {
    let mut table = Table::with_flows(10);
    let (lan, wan, far) = ([10, 0, 0, 5], [192, 0, 2, 1], [198, 51, 100, 20]);
    // nat-to: a state that went out has its own end last.
    let stack = key(far, 53, lan, 4000);
    let wire = key(far, 53, wan, 61000);
    let out = State { wire, stack, direction: Direction::OUT, ..state(1, 1, b"em1", 60, 1) };
    let plain = key(lan, 4000, far, 53);
    let in_ = State { wire: plain, stack: plain, ..state(2, 1, b"em0", 60, 1) };
    apply(&mut table, &insert(1, out));
    apply(&mut table, &insert(2, in_));
    let find = |table: &Table, src: [u8; 4], sport, dst: [u8; 4], dport| {
        table.find(17, src.into(), sport, dst.into(), dport).map(|entry| entry.ids().id)
    };
    assert_eq!(find(&table, wan, 61000, far, 53), Some(1));
    assert_eq!(find(&table, far, 53, wan, 61000), Some(1));
    // Both have it; the one that translates tells more.
    assert_eq!(find(&table, lan, 4000, far, 53), Some(1));
    apply(
        &mut table,
        &op(3, SyncAction::DelC, Body::Ids { ids: Ids { id: 1, creatorid: 1 }, states: None }),
    );
    assert_eq!(find(&table, far, 53, lan, 4000), Some(2));
    assert_eq!(find(&table, wan, 61000, far, 53), None);
}

/// A state's two parts, and its share of the indexes when they are emptiest (hashbrown doubles at
/// 7/8 and has five bytes a place), of three of them: by name, by wire key, by stack key.
#[test]
fn a_state_takes_at_most_400_bytes() {
    let share = 5.0 * 2.0 * 8.0 / 7.0;
    let all = (size_of::<Record>() + size_of::<Rest>()) as f64 + 3.0 * share;
    assert!(all <= 400.0, "{all}");
    let mut table = Table::with_flows(usize::MAX);
    let fixed = table.memory();
    let n = 30_000;
    (0..n).for_each(|id| apply(&mut table, &insert(0, state(id, 1, b"all", 10, 1))));
    let each = (table.memory() - fixed) as u64 / n;
    assert!(each <= 400, "{each}");
}
