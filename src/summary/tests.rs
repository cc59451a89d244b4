use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::decode::decode;
use crate::event::Frame;
use crate::time::Timestamp;
use crate::wire::ByteOrder;
use crate::wire::link::LinkType;
use crate::wire::writer::Writer;

/// What a logged packet is made of.
#[derive(Debug, Clone)]
struct Logged {
    ts: i64,
    /// 100 for OpenBSD, 69 for FreeBSD, 61 for any.
    hdrlen: u8,
    action: u8,
    reason: u8,
    dir: u8,
    ifname: Vec<u8>,
    ruleset: Vec<u8>,
    rulenr: u32,
    subrulenr: u32,
    proto: u8,
    src: IpAddr,
    dst: IpAddr,
    dport: u16,
    /// Bytes behind the ports; the capture holds none of them.
    payload: u16,
}

impl Default for Logged {
    fn default() -> Self {
        Self {
            ts: 1_417_620_677_263_703_000,
            hdrlen: 100,
            action: 1,
            reason: 0,
            dir: 1,
            ifname: b"em0".to_vec(),
            ruleset: Vec::new(),
            rulenr: 5,
            subrulenr: u32::MAX,
            proto: 6,
            src: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            dst: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)),
            dport: 22,
            payload: 16,
        }
    }
}

impl Logged {
    fn bytes(&self) -> Vec<u8> {
        let name = |bytes: &[u8]| {
            let mut name = [0; 16];
            name[..bytes.len()].copy_from_slice(bytes);
            name
        };
        let mut frame = vec![self.hdrlen, 2, self.action, self.reason];
        frame.extend(name(&self.ifname));
        frame.extend(name(&self.ruleset));
        frame.extend(self.rulenr.to_be_bytes());
        frame.extend(self.subrulenr.to_be_bytes());
        frame.resize(60, 0xff);
        frame.push(self.dir);
        frame.resize(usize::from(self.hdrlen).next_multiple_of(4), 0);
        match (self.src, self.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let len = 24 + self.payload;
                frame.extend([0x45, 0]);
                frame.extend(len.to_be_bytes());
                frame.extend([0, 0, 0, 0, 64, self.proto, 0, 0]);
                frame.extend(src.octets());
                frame.extend(dst.octets());
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                frame.extend([0x60, 0, 0, 0]);
                frame.extend((4 + self.payload).to_be_bytes());
                frame.extend([self.proto, 64]);
                frame.extend(src.octets());
                frame.extend(dst.octets());
            }
            _ => panic!("a packet has one family"),
        }
        frame.extend(40_000_u16.to_be_bytes());
        frame.extend(self.dport.to_be_bytes());
        frame
    }

    fn len(&self) -> u64 {
        u64::from(self.payload) + if self.src.is_ipv4() { 24 } else { 44 }
    }
}

fn show(summary: &mut Summary, ts: i64, link: LinkType, data: &[u8], len: usize) {
    let (ts, precision) = (Timestamp(ts), Precision::Micros);
    let frame = Frame { ts, precision, len, ..Frame::new(link, data) };
    summary.observe(&decode(frame, ByteOrder::Little, Writer::new(ByteOrder::Little)));
}

fn observe(summary: &mut Summary, logged: &Logged) {
    let data = logged.bytes();
    let len = data.len() + usize::from(logged.payload);
    show(summary, logged.ts, LinkType::PFLOG, &data, len);
}

fn summary_of<'a>(logged: impl IntoIterator<Item = &'a Logged>) -> Summary {
    let mut summary = Summary::new(Options { memory: 4 << 20, ..Options::default() });
    logged.into_iter().for_each(|logged| observe(&mut summary, logged));
    summary
}

fn json(report: &Report) -> serde_json::Value {
    let mut text = Vec::new();
    report.write_json(&mut text, false);
    serde_json::from_slice(&text).unwrap()
}

fn page(report: &Report, style: &Style) -> String {
    let mut out = Vec::new();
    report.write_page(&mut out, style);
    String::from_utf8(out).unwrap()
}

fn address() -> impl Strategy<Value = (IpAddr, IpAddr)> {
    prop_oneof![
        (0..30_u32, 0..5_u32)
            .prop_map(|(a, b)| (Ipv4Addr::from_bits(a).into(), Ipv4Addr::from_bits(b).into())),
        (0..30_u128, 0..5_u128).prop_map(|(a, b)| (
            Ipv6Addr::from_bits(a << 64).into(),
            Ipv6Addr::from_bits(b).into()
        )),
    ]
}

prop_compose! {
    fn logged()(
        ts in prop_oneof![any::<i64>(), 0..9_000_000_000_000_i64],
        (action, reason, dir) in (0..20_u8, 0..20_u8, 0..5_u8),
        hdrlen in prop::sample::select(vec![100_u8, 69, 61]),
        ifname in prop::collection::vec(1..=255_u8, 0..3),
        ruleset in prop::sample::select(vec![&b""[..], b"f2b/sshd", b"\x1b[2J\x9b"]),
        rulenr in prop::sample::select(vec![0, 5, 600, u32::MAX]),
        subrulenr in prop::sample::select(vec![0, 5, u32::MAX]),
        proto in prop::sample::select(vec![6_u8, 17, 132, 1, 255]),
        (src, dst) in address(),
        dport in 0..4_u16,
        payload in 16..100_u16,
    ) -> Logged {
        let ruleset = ruleset.to_vec();
        Logged { ts, hdrlen, action, reason, dir, ifname, ruleset, rulenr, subrulenr, proto, src,
            dst, dport, payload }
    }
}

fn count<K: Ord>(keys: impl Iterator<Item = K>) -> BTreeMap<K, u64> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_insert(0) += 1;
    }
    counts
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 60, ..Default::default() })]

    #[test]
    fn a_report_is_what_a_plain_count_gives(
        mut all in prop::collection::vec(logged(), 0..300),
        clear: bool,
    ) {
        if clear {
            all.retain(|l| l.hdrlen != 61);
        }
        let report = summary_of(&all).report(100_000);
        prop_assert_eq!(report.records, all.len() as u64);
        prop_assert_eq!(report.packets, report.records);
        prop_assert_eq!(report.truncated, report.records);
        prop_assert_eq!(report.bytes, all.iter().map(Logged::len).sum::<u64>());
        prop_assert_eq!(report.blocked, all.iter().filter(|l| l.action == 1).count() as u64);
        let suspect = all.iter().filter(|l| l.action == 0 && l.reason != 0).count();
        prop_assert_eq!(report.suspect, suspect as u64);
        prop_assert_eq!(report.first, all.iter().map(|l| l.ts).min().map(|ts| Time {
            ts: Timestamp(ts), precision: Some(Precision::Micros) }));

        let of = |top: &Top<Address>| -> BTreeMap<IpAddr, u64> {
            top.top.iter().map(|row| (row.addr, row.packets)).collect()
        };
        prop_assert_eq!(of(&report.sources), count(all.iter().map(|l| l.src)));
        prop_assert_eq!(of(&report.destinations), count(all.iter().map(|l| l.dst)));
        let mut sorted = report.sources.top.clone();
        sorted.sort_by_key(|row| (std::cmp::Reverse(row.packets), row.addr));
        prop_assert_eq!(&report.sources.top, &sorted);

        let ports = report.ports.top.iter().map(|row| ((row.proto_num, row.port), row.packets));
        let with_ports = all.iter().filter(|l| [6, 17, 132].contains(&l.proto));
        prop_assert_eq!(ports.collect::<BTreeMap<_, _>>(), count(with_ports.map(|l| (l.proto, l.dport))));
        let protocols = report.protocols.iter().map(|row| (row.proto_num, row.packets));
        prop_assert_eq!(protocols.collect::<BTreeMap<_, _>>(), count(all.iter().map(|l| l.proto)));
        let ifnames = report.interfaces.top.iter().map(|row| (row.ifname.0.clone(), row.packets));
        let named = all.iter().filter(|l| !l.ifname.is_empty());
        prop_assert_eq!(ifnames.collect::<BTreeMap<_, _>>(), count(named.map(|l| l.ifname.clone())));
        let rules = report.rules.top.iter().map(|row| {
            let ruleset = row.ruleset.clone().map(|name| name.0).unwrap_or_default();
            let number = |n: Option<u32>| n.unwrap_or(u32::MAX);
            ((row.os, number(row.rulenr), ruleset, number(row.subrulenr)), row.packets)
        });
        let rules: BTreeMap<_, _> = rules.collect();
        prop_assert_eq!(rules.values().sum::<u64>(), report.records);
        prop_assert_eq!(report.rules.distinct, Some(rules.len() as u64));
        // Which system a header of 61 bytes is put down to depends on the other records.
        if all.iter().all(|l| l.hdrlen != 61) {
            let os = |l: &Logged| if l.hdrlen == 100 { "openbsd" } else { "freebsd" };
            let model = all.iter().map(|l| (os(l), l.rulenr, l.ruleset.clone(), l.subrulenr));
            prop_assert_eq!(rules, count(model));
        }
        let actions: u64 = report.actions.iter().map(|row| row.packets).sum();
        prop_assert_eq!(actions, report.records);
        let buckets: u64 = report.timeline.buckets.iter().map(|row| row.records).sum();
        prop_assert_eq!(buckets, report.records);
    }

    #[test]
    fn merging_does_not_depend_on_order_or_grouping(
        all in prop::collection::vec((logged(), 0..3_usize), 0..300),
    ) {
        let part = |n: usize| summary_of(all.iter().filter(|(_, to)| *to == n).map(|(l, _)| l));
        let merged = |order: [usize; 3]| {
            let [a, b, c] = order.map(part);
            let mut all = a;
            all.merge(b);
            all.merge(c);
            all.report(1000)
        };
        let whole = summary_of(all.iter().map(|(l, _)| l)).report(1000);
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
            prop_assert_eq!(&merged(order), &whole);
        }
        let [mut a, mut b, c] = [0, 1, 2].map(part);
        b.merge(c);
        a.merge(b);
        prop_assert_eq!(&a.report(1000), &whole);
    }

    #[test]
    fn no_name_breaks_the_page(
        names in prop::collection::vec(prop::collection::vec(1..=255_u8, 1..=16), 1..20),
        file in prop::collection::vec(any::<u8>(), 0..300),
        width in 0..200_usize,
        ascii: bool,
    ) {
        let mut summary = summary_of(&[]);
        for (i, name) in names.iter().enumerate() {
            let (ifname, ruleset) = (name.clone(), names[0].clone());
            let ts = i64::try_from(i * i).unwrap() << 50;
            observe(&mut summary, &Logged { ts, ifname, ruleset, ..Logged::default() });
        }
        let mut report = summary.report(10);
        report.files = vec![File { name: Text(file), records: None, os: None, link_type: None }];
        let text = page(&report, &Style { width, ascii, ..Style::default() });
        for line in text.lines() {
            prop_assert!(line.chars().count() <= width.max(40), "{}: {line}", width);
        }
        prop_assert!(text.chars().all(|c| matches!(c, '\n' | ' '..='~' | '█'..='▏')));
        prop_assert!(!ascii || text.is_ascii());
        let mut json = Vec::new();
        report.write_json(&mut json, true);
        let json = String::from_utf8(json).unwrap();
        prop_assert!(json.chars().all(|c| c == '\n' || !c.is_control()));
        prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
    }
}

/// A night at a firewall: a scan, mail, an anchor, IPv6, a suspect pass, garbage.
fn night() -> Report {
    let mut all = Vec::new();
    let start = 1_417_620_677_263_703_000;
    for i in 0..4000_u32 {
        let ts = start + i64::from(i) * 2_345_678_901;
        let src = Ipv4Addr::from_bits(0xcb00_7100 + i * i % 37);
        all.push(match i % 20 {
            0 => Logged {
                ts,
                action: 0,
                rulenr: 12,
                dport: 25,
                ifname: b"em1".to_vec(),
                ..Logged::default()
            },
            1 => Logged { ts, action: 0, reason: 10, rulenr: 12, dport: 25, ..Logged::default() },
            2 => Logged {
                ts,
                ruleset: b"f2b/sshd".to_vec(),
                subrulenr: 3,
                src: src.into(),
                ..Logged::default()
            },
            3 => Logged {
                ts,
                proto: 17,
                src: Ipv6Addr::new(0x2001, 0xdb8, 0x1234, 0x5678, 0x9abc, 0xdef0, 0x1234, 0x5678)
                    .into(),
                dst: Ipv6Addr::LOCALHOST.into(),
                dport: 53,
                rulenr: u32::MAX,
                ..Logged::default()
            },
            4 => Logged { ts, action: 12, dir: 2, rulenr: 1, proto: 1, ..Logged::default() },
            5 => Logged { ts, action: 77, reason: 99, dir: 9, proto: 200, ..Logged::default() },
            _ => Logged {
                ts,
                src: src.into(),
                dport: u16::try_from(i % 7).unwrap() * 1000 + 23,
                ..Logged::default()
            },
        });
    }
    let mut summary = summary_of(&all);
    show(&mut summary, 0, LinkType::PFLOG, &[], 0);
    show(&mut summary, start, LinkType::PFLOG, &[100; 50], 200);
    show(&mut summary, start, LinkType(147), &[1], 1);
    let mut report = summary.report(5);
    let file = |name: &[u8]| File {
        name: Text(name.to_vec()),
        records: None,
        os: None,
        link_type: Some(117),
    };
    report.files = vec![file(b"/var/log/pflog.0.gz"), file(b"/var/log/pflog")];
    report
}

/// Holds the text against a file beside this one; PFSCOPE_BLESS=1 writes it.
fn golden(name: &str, text: &str) {
    let path = format!("{}/src/summary/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("PFSCOPE_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap();
    assert!(wanted == text, "{name} is now:\n{text}");
}

#[test]
fn the_page_looks_as_it_should() {
    let report = night();
    let style = |width, color, ascii| {
        let zone = TimeZone::UTC;
        page(&report, &Style { width, color, ascii, zone })
    };
    golden("page-80.txt", &style(80, false, false));
    golden("page-120.txt", &style(120, false, false));
    golden("page-80-ascii.txt", &style(80, false, true));
    golden("page-80-color.txt", &style(80, true, false));
    let mut json = Vec::new();
    report.write_json(&mut json, true);
    golden("summary.json", &(String::from_utf8(json).unwrap() + "\n"));
}

#[test]
fn colour_changes_nothing_but_colours() {
    let report = night();
    let plain = page(&report, &Style::default());
    let mut colored = page(&report, &Style { color: true, ..Style::default() });
    for sequence in ["\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[33m"] {
        colored = colored.replace(sequence, "");
    }
    assert_eq!(colored, plain);
}

#[test]
fn an_empty_summary_is_a_page_and_json() {
    let report = Summary::new(Options::default()).report(10);
    assert_eq!(page(&report, &Style::default()), "0 records, 0 packets, 0 bytes\n");
    let json = json(&report);
    assert_eq!(
        (&json["v"], &json["type"], &json["records"]),
        (&1.into(), &"summary".into(), &0.into())
    );
    assert_eq!(json["sources"]["distinct"], 0);
    assert!(json.get("first").is_none());
}

#[test]
fn what_is_approximate_says_so() {
    let mut summary = Summary::new(Options { keys: 100, ..Options::default() });
    for i in 0..2000 {
        let src = if i % 2 == 0 { 7 } else { i };
        let src = Ipv4Addr::from_bits(src).into();
        observe(&mut summary, &Logged { src, ..Logged::default() });
    }
    let report = summary.report(3);
    let error = report.sources.max_error.unwrap();
    let row = report.sources.top[0];
    assert!(row.packets <= 1000 && row.packets + error >= 1000, "{row:?} {error}");
    assert!(error <= 2 * 2000 / 100);
    let json = json(&report);
    assert_eq!(json["sources"]["approximate"], true);
    assert_eq!(json["sources"]["max_error"], error);
    assert_eq!(json["sources"]["distinct_at_least"], 100);
    assert!(json["sources"].get("distinct").is_none());
    assert!(json["destinations"].get("approximate").is_none());
    assert_eq!(report.destinations.distinct, Some(1));
    let page = page(&report, &Style::default());
    let note = format!("Sources (top 3 of 100 or more; counts up to {error} too low)");
    assert!(page.contains(&note), "{page}");
}

#[test]
fn more_combinations_than_the_cache_holds_are_all_counted() {
    let all = (0..5000).map(|rulenr| Logged { rulenr, ..Logged::default() });
    let all: Vec<_> = all.clone().chain(all).collect();
    let report = summary_of(&all).report(10_000);
    assert_eq!(report.blocked, 10_000);
    assert_eq!(report.rules.distinct, Some(5000));
    assert!(report.rules.top.iter().all(|row| row.packets == 2 && row.blocked == Some(2)));
    assert_eq!(report.rules.top[1].rule.0, b"1");
}

#[test]
fn a_report_may_come_before_the_end() {
    let mut summary = summary_of([&Logged::default()]);
    assert_eq!(summary.report(5), summary.report(5));
    observe(&mut summary, &Logged::default());
    let report = summary.report(5);
    assert_eq!((report.records, report.blocked, report.rules.top[0].packets), (2, 2, 2));
}

#[test]
fn systems_fit_into_a_byte() {
    for bits in 0..128 {
        assert_eq!(super::bits(systems(bits)), bits);
    }
    let rows = [(61, "freebsd|dragonfly"), (100, "openbsd"), (69, "freebsd")];
    for (hdrlen, name) in rows {
        let report = summary_of([&Logged { hdrlen, ..Logged::default() }]).report(1);
        assert!(report.systems.len() == 1, "{:?}", report.systems);
        assert!(hdrlen == 61 || report.systems[0].name == name, "{:?}", report.systems);
    }
}

#[test]
fn a_rule_is_written_as_tcpdump_does() {
    let rule = |rulenr, ruleset: &[u8], subrulenr| {
        let ruleset = ruleset.to_vec();
        let logged = Logged { rulenr, ruleset, subrulenr, ..Logged::default() };
        let rule = summary_of([&logged]).report(1).rules.top.remove(0);
        String::from_utf8(rule.rule.0).unwrap()
    };
    assert_eq!(rule(5, b"", u32::MAX), "5");
    assert_eq!(rule(u32::MAX, b"", u32::MAX), "def");
    assert_eq!(rule(5, b"anchor", 3), "5.anchor.3");
    assert_eq!(rule(5, b"anchor", u32::MAX), "5.anchor.def");
}

fn bytes(summary: &Summary) -> usize {
    let v4 = [&summary.links, &summary.sources, &summary.destinations, &summary.ports];
    let v6 = [&summary.sources6, &summary.destinations6];
    v4.map(Table::bytes).iter().sum::<usize>()
        + v6.map(Table::bytes).iter().sum::<usize>()
        + summary.interfaces.bytes()
        + summary.rules.bytes()
}

/// All keys different, in every table.
fn hostile(summary: &mut Summary, keys: std::ops::Range<u32>) {
    for i in keys {
        let mixed = i.wrapping_mul(0x9e37_79b9);
        let v6 = Ipv6Addr::from_bits(u128::from(mixed) << 50);
        let v4 = Ipv4Addr::from_bits(mixed);
        let pool = &mut summary.pool;
        summary.sources.add(v4.to_bits(), [1], pool);
        summary.destinations.add(v4.to_bits(), [1], pool);
        summary.sources6.add(words(v6.to_bits()), [1], pool);
        summary.destinations6.add(words(v6.to_bits()), [1], pool);
        summary.ports.add(mixed >> 8, [1], pool);
        summary.rules.add([0, i, 0, 0, 0, 0, 0], [1, 1, 0], pool);
        summary.interfaces.add([i, 0, 0, 1], [1, 1, 0], pool);
    }
}

#[test]
fn memory_stays_within_the_options() {
    let options = Options { memory: 1 << 20, ..Options::default() };
    let (mut one, mut two) = (Summary::new(options), Summary::new(options));
    hostile(&mut one, 0..50_000);
    hostile(&mut two, 25_000..75_000);
    assert!(bytes(&one) <= 1 << 19 && bytes(&two) <= 1 << 19, "{}", bytes(&one));
    assert!(bytes(&one) > (1 << 19) / 10 * 9);
    one.merge(two);
    assert!(bytes(&one) <= (1 << 20) / 4 * 3, "{}", bytes(&one));
    let report = one.report(10);
    assert!(report.sources.approximate && report.rules.approximate && report.ports.approximate);
}

#[test]
fn a_worker_has_room_for_a_million_addresses() {
    let mut summary = Summary::new(Options::default());
    for key in 0..1 << 20 {
        summary.sources.add(key, [1], &mut summary.pool);
    }
    assert_eq!((summary.sources.max_error(), summary.sources.distinct()), (0, 1 << 20));
    summary.sources.add(u32::MAX, [1], &mut summary.pool);
    assert_eq!(summary.sources.max_error(), 1);
    assert!(bytes(&summary) <= 14 << 20);
}

/// Peak memory and time of two workers under a flood of forged addresses and their merger.
#[test]
#[ignore = "a measurement"]
fn memory_of_a_flood() {
    let start = std::time::Instant::now();
    let mut workers = [0, 1].map(|_| Summary::new(Options::default()));
    for (part, i) in (0..30_u32).zip([0, 1].into_iter().cycle()) {
        hostile(&mut workers[i], part * 100_000..(part + 2) * 100_000);
    }
    let [mut one, two] = workers;
    let took = start.elapsed();
    one.merge(two);
    let report = one.report(10);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM"));
    println!("{peak:?}, {took:?} to add 42 million keys, {:?} in all", start.elapsed());
    println!("{:?} {:?}", report.sources.max_error, report.rules.max_error);
}

/// A rank below `keys`, by Zipf's law with exponent 1, from 30 random bits.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below `keys`")]
pub(super) fn zipf(random: u32, keys: u32) -> u32 {
    let unit = f64::from(random) / f64::from(1_u32 << 30);
    (f64::from(keys).powf(unit) as u32).min(keys - 1)
}

/// Time per event of a stream with 5000 addresses, most of them rare. Run it with
/// `cargo test --release --lib summary -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn time_per_event() {
    let mut state = 1_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 11
    };
    let frames: Vec<Vec<u8>> = (0..100_000)
        .map(|_| {
            let mut next = |n: u64| u32::try_from(random() % n).unwrap();
            let rank = zipf(next(1 << 30), 5000);
            Logged {
                src: Ipv4Addr::from_bits(rank.wrapping_mul(0x9e37_79b9)).into(),
                dst: Ipv4Addr::from_bits(0x0a00_0000 + next(500)).into(),
                dport: u16::try_from(next(50) * next(50)).unwrap(),
                rulenr: next(40),
                proto: if next(4) == 0 { 17 } else { 6 },
                ..Logged::default()
            }
            .bytes()
        })
        .collect();
    let writer = Writer::new(ByteOrder::Little);
    fn frame(i: usize, data: &[u8]) -> Frame<'_> {
        Frame {
            ts: Timestamp(1_417_620_677_263_703_000 + i64::try_from(i).unwrap() * 1_000_000),
            len: 200,
            ..Frame::new(LinkType::PFLOG, data)
        }
    }
    // As a worker does: a batch is decoded, then counted.
    let mut summary = Summary::new(Options::default());
    let mut took = Vec::new();
    let mut batch = Vec::new();
    for chunk in 0..2000 {
        batch.clear();
        for i in chunk * 500..chunk * 500 + 500 {
            batch.push(decode(frame(i, &frames[i % frames.len()]), ByteOrder::Little, writer));
        }
        let start = std::time::Instant::now();
        batch.iter().for_each(|event| summary.observe(event));
        took.push(start.elapsed());
    }
    // The median, for a machine that does other things too.
    took.sort_unstable();
    println!("{} ns per event", took[1000].as_nanos() / 500);
    assert_eq!(summary.report(1).records, 1_000_000);
}
