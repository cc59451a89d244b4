//! From the tables of a summary to the rows of its report.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::cells::Tally;
use super::names::Names;
use super::report::{
    Address, Cause, Code, Interface, LinkTypes, Port, Protocol, Report, Rule, Share, Step, System,
    Text, Time, TimeBucket, Top, Undecoded,
};
use super::table::{Key, Table};
use super::{RuleKey, Summary, bytes_of, systems};
use crate::packet::proto;
use crate::pf::{Action, Direction, Reason, Systems};
use crate::text::push_dec;
use crate::time::{Precision, Timestamp};
use crate::wire::link::LinkType;

/// Makes a report of a summary that holds nothing back.
pub(super) fn build(summary: &Summary, top: usize) -> Report {
    let precision = if summary.nanos { Precision::Nanos } else { Precision::Micros };
    let time = |ts| Time { ts, precision: Some(precision) };
    let sum = |action: Action| {
        let of = summary.actions.iter().filter(|((code, _), _)| *code == action.0);
        of.map(|(_, tally)| tally.packets).sum()
    };
    let seen = Seen(&summary.systems);
    let system = |bits| systems(seen.resolve(bits));
    let causes: Vec<Cause> = summary
        .causes
        .iter()
        .map(|(&(layer, cause), &records)| Cause { layer: layer.name(), cause, records })
        .collect();
    let (step_s, buckets) = summary.timeline.buckets();
    Report {
        v: 1,
        kind: "summary",
        files: Vec::new(),
        first: summary.timeline.first().map(time),
        last: summary.timeline.last().map(time),
        records: summary.records,
        pflog: summary.pflog,
        packets: summary.packets.packets,
        bytes: summary.packets.bytes,
        blocked: sum(Action::BLOCK),
        passed: sum(Action::PASS),
        suspect: summary.suspect,
        truncated: summary.truncated,
        undecoded: Undecoded {
            records: causes.iter().map(|cause| cause.records).sum(),
            causes: ranked(causes, |cause| cause.records),
        },
        systems: seen.names(),
        link_types: link_types(&summary.links),
        actions: shares(summary.actions.iter().map(|(&(code, bits), &tally)| {
            (Code::of(Action(code).name(system(bits)), code), tally)
        })),
        reasons: shares(summary.reasons.iter().map(|(&(code, bits), &tally)| {
            (Code::of(Reason(code).name(system(bits)), code), tally)
        })),
        directions: shares(
            summary
                .directions
                .iter()
                .map(|(&code, &tally)| (Code::of(Direction(code).name(), code), tally)),
        ),
        protocols: protocols(&summary.protocols),
        interfaces: interfaces(&summary.interfaces, top),
        rules: rules(&summary.rules, &summary.names, &seen, top),
        sources: addresses(&summary.sources, &summary.sources6, top),
        destinations: addresses(&summary.destinations, &summary.destinations6, top),
        ports: ports(&summary.ports, top),
        timeline: Step {
            step_s,
            buckets: buckets
                .into_iter()
                .map(|(start, bucket)| TimeBucket {
                    start: Time {
                        ts: Timestamp(start.saturating_mul(1_000_000_000)),
                        precision: None,
                    },
                    records: bucket.records,
                    blocked: bucket.blocked,
                    passed: bucket.passed,
                })
                .collect(),
        },
    }
}

/// By falling count; equal ones keep their order.
fn ranked<R>(mut rows: Vec<R>, count: impl Fn(&R) -> u64) -> Vec<R> {
    rows.sort_by_key(|row| Reverse(count(row)));
    rows
}

/// The sets of systems that records had.
struct Seen<'a>(&'a BTreeMap<u8, u64>);

impl Seen<'_> {
    /// A set, or the smallest set within it that other records had, if there is one that all
    /// such sets contain: the first records of a file often fit several systems, and later
    /// ones show which it is.
    fn resolve(&self, bits: u8) -> u8 {
        let within = |&set: &u8| set & !bits == 0;
        let common = self.0.keys().copied().filter(within).fold(bits, |all, set| all & set);
        if self.0.contains_key(&common) { common } else { bits }
    }

    fn names(&self) -> Vec<System> {
        let mut names = BTreeMap::new();
        for (&bits, &records) in self.0 {
            *names.entry(systems(self.resolve(bits)).name()).or_insert(0) += records;
        }
        let rows = names.into_iter().map(|(name, records)| System { name, records }).collect();
        ranked(rows, |row: &System| row.records)
    }
}

fn shares(codes: impl Iterator<Item = (Code, Tally)>) -> Vec<Share> {
    let mut sums = BTreeMap::<Code, Tally>::new();
    for (code, tally) in codes {
        sums.entry(code).or_default().add(tally);
    }
    let share = |(name, Tally { packets, bytes })| Share { name, packets, bytes };
    ranked(sums.into_iter().map(share).collect(), |row| row.packets)
}

fn protocols(tallies: &[Tally]) -> Vec<Protocol> {
    let rows = (0..=u8::MAX).zip(tallies).filter(|(_, tally)| tally.packets > 0);
    let row = |(proto_num, &Tally { packets, bytes })| Protocol {
        proto: proto::name(proto_num),
        proto_num,
        packets,
        bytes,
    };
    ranked(rows.map(row).collect(), |row| row.packets)
}

/// The `top` rows with the highest counts, in the order of the report.
fn highest<K: Ord, V>(rows: impl Iterator<Item = (u64, K, V)>, top: usize) -> Vec<(u64, K, V)> {
    struct Row<K, V>(u64, Reverse<K>, V);
    impl<K: Ord, V> Row<K, V> {
        fn rank(&self) -> (u64, &Reverse<K>) {
            (self.0, &self.1)
        }
    }
    impl<K: Ord, V> PartialEq for Row<K, V> {
        fn eq(&self, other: &Self) -> bool {
            self.rank() == other.rank()
        }
    }
    impl<K: Ord, V> Eq for Row<K, V> {}
    impl<K: Ord, V> PartialOrd for Row<K, V> {
        fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
            Some(self.cmp(other))
        }
    }
    impl<K: Ord, V> Ord for Row<K, V> {
        fn cmp(&self, other: &Self) -> std::cmp::Ordering {
            self.rank().cmp(&other.rank())
        }
    }
    let mut heap = BinaryHeap::new();
    for (count, key, value) in rows {
        let row = Reverse(Row(count, Reverse(key), value));
        if heap.len() < top {
            heap.push(row);
        } else if let Some(mut lowest) = heap.peek_mut()
            && row < *lowest
        {
            *lowest = row;
        }
    }
    let row = |Reverse(Row(count, Reverse(key), value))| (count, key, value);
    heap.into_sorted_vec().into_iter().map(row).collect()
}

fn link_types(table: &Table<u32, 1>) -> Vec<LinkTypes> {
    let row = |(records, link_type, ())| LinkTypes {
        link_type,
        name: LinkType(link_type).name(),
        records,
    };
    let rows = highest(table.iter().map(|(key, [n])| (n, key, ())), 64);
    rows.into_iter().map(row).collect()
}

fn interfaces(table: &Table<[u32; 4], 3>, top: usize) -> Top<Interface> {
    let exact = table.max_error() == 0;
    let row = |(packets, key, (blocked, passed))| Interface {
        ifname: Text(name_of(key)),
        packets,
        blocked: exact.then_some(blocked),
        passed: exact.then_some(passed),
    };
    let rows = table.iter().map(|(key, [n, blocked, passed])| (n, key, (blocked, passed)));
    let rows = highest(rows, top).into_iter().map(row).collect();
    Top::new(table.distinct(), table.max_error(), rows)
}

/// A name up to its first NUL.
fn name_of(words: [u32; 4]) -> Vec<u8> {
    bytes_of(words).into_iter().take_while(|&byte| byte != 0).collect()
}

/// Rules of sets of systems that turn out to be the same are one.
fn rules(table: &Table<RuleKey, 3>, called: &Names, seen: &Seen<'_>, top: usize) -> Top<Rule> {
    let mut all: Vec<(RuleKey, [u64; 3])> = table.iter().collect();
    let mut names: Vec<(u8, u8)> = Vec::new();
    for &bits in seen.0.keys() {
        // The first set that has the same name stands for all of them.
        let resolved = seen.resolve(bits);
        let same = |other: &u8| systems(*other).name() == systems(resolved).name();
        let first = seen.0.keys().map(|&other| seen.resolve(other)).find(same);
        names.push((bits, first.unwrap_or(resolved)));
    }
    for ([system, ..], _) in &mut all {
        let to = names.iter().find(|(bits, _)| u32::from(*bits) == *system);
        *system = to.map_or(*system, |&(_, to)| u32::from(to));
    }
    all.sort_unstable();
    all.dedup_by(|(key, counts), (earlier, sums)| {
        let same = key == earlier;
        if same {
            sums.iter_mut().zip(counts).for_each(|(sum, n)| *sum += *n);
        }
        same
    });
    let (exact, distinct) = (table.max_error() == 0, all.len());
    let folded = table.iter().count().saturating_sub(distinct);
    let row = |(packets, [bits, rulenr, subrulenr, a, b, c, d], (blocked, passed)): (
        u64,
        RuleKey,
        (u64, u64),
    )| {
        let name = called.get(&[rulenr, subrulenr, a, b, c, d]);
        let text = |text: &str| Text(text.as_bytes().to_vec());
        let ruleset = Some(Text(name_of([a, b, c, d]))).filter(|name| !name.0.is_empty());
        let number = |n: u32| (n != u32::MAX).then_some(n);
        let (rulenr, subrulenr) = (number(rulenr), number(subrulenr));
        Rule {
            rule: rule_text(rulenr, ruleset.as_ref(), subrulenr),
            rulenr,
            ruleset,
            subrulenr,
            os: u8::try_from(bits).map_or_else(|_| Systems::ANY.name(), |b| systems(b).name()),
            packets,
            blocked: exact.then_some(blocked),
            passed: exact.then_some(passed),
            label: name.and_then(|name| name.label.as_deref()).map(text),
            text: name.map(|name| text(&name.text)),
            join: name.map(|name| name.join.name()),
        }
    };
    let rows = all.into_iter().map(|(key, [n, blocked, passed])| (n, key, (blocked, passed)));
    let rows = highest(rows, top).into_iter().map(row).collect();
    // A folded rule has the error of each of its parts.
    let parts = u64::try_from(names.len().max(1)).unwrap_or(u64::MAX);
    let error = table.max_error();
    let error = if folded > 0 { error.saturating_mul(parts) } else { error };
    Top::new(table.distinct().saturating_sub(folded), error, rows)
}

fn rule_text(rulenr: Option<u32>, ruleset: Option<&Text>, subrulenr: Option<u32>) -> Text {
    let mut text = Vec::new();
    let number = |text: &mut Vec<u8>, n: Option<u32>| match n {
        Some(n) => push_dec(text, n),
        None => text.extend_from_slice(b"def"),
    };
    number(&mut text, rulenr);
    if ruleset.is_some() || subrulenr.is_some() {
        text.push(b'.');
        text.extend_from_slice(ruleset.map(|name| name.0.as_slice()).unwrap_or_default());
        text.push(b'.');
        number(&mut text, subrulenr);
    }
    Text(text)
}

fn addresses(v4: &Table<u32, 1>, v6: &Table<[u32; 4], 1>, top: usize) -> Top<Address> {
    fn rows<K: Key>(
        table: &Table<K, 1>,
        addr: impl Fn(K) -> IpAddr,
    ) -> impl Iterator<Item = (u64, IpAddr, ())> {
        table.iter().map(move |(key, [n])| (n, addr(key), ()))
    }
    let four = rows(v4, |key| IpAddr::V4(Ipv4Addr::from_bits(key)));
    let six = rows(v6, |key| IpAddr::V6(Ipv6Addr::from(bytes_of(key))));
    let row = |(packets, addr, ())| Address { addr, packets };
    let rows = highest(four.chain(six), top).into_iter().map(row).collect();
    let error = v4.max_error().max(v6.max_error());
    Top::new(v4.distinct() + v6.distinct(), error, rows)
}

fn ports(table: &Table<u32, 1>, top: usize) -> Top<Port> {
    let row = |(packets, key, ()): (u64, u32, ())| {
        let [_, proto_num, high, low] = key.to_be_bytes();
        let port = u16::from_be_bytes([high, low]);
        Port { proto: proto::name(proto_num), proto_num, port, packets }
    };
    let rows = highest(table.iter().map(|(key, [n])| (n, key, ())), top);
    let rows = rows.into_iter().map(row).collect();
    Top::new(table.distinct(), table.max_error(), rows)
}
