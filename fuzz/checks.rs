//! What must hold for any bytes. The fuzz targets call these functions, and so does
//! `tests/replay.rs` with the captures of testdata and with random bytes, without a fuzzer.
#![allow(dead_code, unreachable_pub, reason = "each fuzz target calls one of the functions")]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    reason = "a check fails by panicking"
)]

use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::{Arc, LazyLock};

use pfscope::capture::Batch;
use pfscope::capture::file::File;
use pfscope::decode::decode;
use pfscope::error::Layer;
use pfscope::event::{Event, Frame, Join, Kind};
use pfscope::filter::Filter;
use pfscope::glance::Glance;
use pfscope::ipsec::selector::Selector;
use pfscope::ipsec::services::Services;
use pfscope::packet::{Packet, Transport};
use pfscope::rules::{Listing, Rules, Ruleset, Snapshot};
use pfscope::sink::Sink;
use pfscope::sink::ecs::{Ecs, Version};
use pfscope::sink::fields::{Fields, Paths};
use pfscope::sink::filterlog::{Filterlog, Flavour};
use pfscope::sink::json::{Json, Origin};
use pfscope::sink::ocsf::Ocsf;
use pfscope::sink::page::{Binder, Page};
use pfscope::sink::site::Site;
use pfscope::sink::text::{self, Text};
use pfscope::states::{Effect, Entry, Facts, Ops, Sort, Table, Verbosity, push_state};
use pfscope::summary::{Options, Summary};
use pfscope::time::{Precision, TimeStyle, Timestamp};
use pfscope::vici::codec::{self, Elements, Segments};
use pfscope::wire::ByteOrder;
use pfscope::wire::link::LinkType;
use pfscope::wire::pfsync;
use pfscope::wire::writer::Writer;

static PATHS: LazyLock<Paths> =
    LazyLock::new(|| Paths::parse("type,pflog.ifname,net.src,bytes").expect("these exist"));

/// Link types that are read, one that is not, and that of pflog more often. The last three are
/// pfsync's.
const LINKS: [u32; 19] =
    [117, 117, 117, 17, 0, 1, 12, 14, 101, 108, 109, 113, 228, 229, 276, 147, 246, 18, 121];

/// A frame out of fuzzer bytes: the first two say which link type, byte order and length.
fn with_event(data: &[u8], check: impl FnOnce(&Event<'_>)) {
    let Some((&[choice, more], data)) = data.split_first_chunk::<2>() else { return };
    let order = if choice & 0x80 == 0 { ByteOrder::Little } else { ByteOrder::Big };
    let link = LinkType(LINKS[usize::from(choice & 0x1f) % LINKS.len()]);
    let mut writer = Writer::new(order);
    match link {
        LinkType::PFLOG => writer.observe(data),
        LinkType::OLD_PFLOG => writer.observe_old(data),
        _ => {}
    }
    let (number, ts, precision) = (7, Timestamp(1_700_000_000_123_456_789), Precision::Micros);
    let len = data.len() + usize::from(more);
    check(&decode(Frame { number, ts, precision, len, ..Frame::new(link, data) }, order, writer));
}

fn is_suffix(part: &[u8], whole: &[u8]) -> bool {
    whole.get(whole.len().wrapping_sub(part.len())..).is_some_and(|end| std::ptr::eq(end, part))
}

/// A frame is an event; its text has no control bytes and is one line, or of pfsync one and
/// indented ones below it; its JSON is an object with the keys of the contract, or of pfsync one a
/// message; its fields, ECS and OCSF are as many lines, the latter two with an id each;
/// filterlog's is one line of printable characters.
pub fn frame(data: &[u8]) {
    with_event(data, |event| {
        match (event.kind, &event.pflog, event.error) {
            (Kind::Pflog, Some(header), _) => {
                assert!(header.skip <= event.frame.data.len());
                assert!(header.ifname.len() <= 16 && header.ruleset.len() <= 16);
                assert!(event.packet.is_some() || event.error.is_some());
            }
            (Kind::Packet, None, None) => {}
            (Kind::Pfsync, None, _) => assert!(event.pfsync.is_some()),
            (Kind::Undecoded, _, Some(error)) => {
                assert!(event.packet.is_none() || error.layer == Layer::Pfsync);
            }
            wrong => panic!("{wrong:?}"),
        }
        if let Some(packet) = &event.packet {
            assert!(is_suffix(packet.bytes, event.frame.data));
        }
        if let Some(packet) = &event.pfsync {
            // Looked for without decoding, and met by decoding.
            assert_eq!(packet.fault(), packet.messages().find_map(Result::err));
            updates(packet);
        }
        if let Some(glance) = Glance::of(&event.frame, Writer::new(ByteOrder::Little)) {
            let packet = event.packet.expect("a glance is of a packet");
            assert!(event.kind == Kind::Pflog && event.error.is_none());
            assert_eq!(glance.addresses().map(Some), [packet.ip.src, packet.ip.dst]);
            assert_eq!((Some(glance.proto), glance.ports), (packet.ip.proto, packet.ports()));
        }
        for (link, verbose, quiet) in [(true, 0, false), (true, 2, false), (false, 0, true)] {
            let time = TimeStyle::Delta;
            let options = text::Options { link, verbose, quiet, time, ..Default::default() };
            let text = rendered(Text::new(options, jiff::tz::TimeZone::UTC), event);
            let text = std::str::from_utf8(&text).expect("text is ASCII");
            assert!(text.ends_with('\n') && text.is_ascii());
            assert!(text.bytes().all(|b| b == b'\n' || b == b'\t' || (b' '..=b'~').contains(&b)));
            let mut lines = text.lines();
            assert!(lines.next().is_some_and(|first| !first.is_empty()));
            if event.kind == Kind::Pfsync {
                assert!(lines.all(|line| line.starts_with(['\t', ' '])), "{text:?}");
            } else {
                assert!(verbose > 0 || lines.next().is_none(), "{text:?}");
            }
            assert!(!quiet || text.matches('\n').count() == 1, "{text:?}");
        }
        let origin = Origin::File(b"fuzz\xff\"".to_vec());
        let json = rendered(Json::new(origin.clone(), Filter::default()), event);
        let json = json.strip_suffix(b"\n").expect("a whole line");
        let lines: Vec<&[u8]> = json.split(|&b| b == b'\n').collect();
        assert!(lines.len() == 1 || event.kind == Kind::Pfsync);
        for (i, line) in lines.iter().enumerate() {
            let value: serde_json::Value = serde_json::from_slice(line).expect("JSON");
            assert_eq!(value["frame"], 7);
            assert_eq!(value["file"], "fuzz\\xff\"");
            let fault = event.error.is_some() && i + 1 == lines.len();
            assert_eq!(value.get("error").is_some(), fault);
            let kind = match event.kind {
                Kind::Pfsync if fault => Kind::Undecoded,
                kind => kind,
            };
            assert_eq!(value["type"], kind.name());
        }
        for siem in [
            rendered(
                Ecs::new(origin.clone(), site(), Version::default(), Filter::default()),
                event,
            ),
            rendered(Ocsf::new(origin.clone(), site(), Filter::default()), event),
        ] {
            let siem = std::str::from_utf8(&siem).expect("UTF-8");
            let mut ids = BTreeSet::new();
            for line in siem.lines() {
                let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
                let id = value.pointer("/event/id").or_else(|| value.pointer("/metadata/uid"));
                assert!(ids.insert(id.expect("an id").to_string()), "twice: {line}");
            }
            assert_eq!(ids.len(), lines.len());
        }
        for flavour in [Flavour::Pfsense, Flavour::Opnsense] {
            let line = rendered(Filterlog::new(flavour), event);
            let logged = matches!(event.frame.link, LinkType::PFLOG | LinkType::OLD_PFLOG);
            assert_eq!(line.iter().filter(|&&b| b == b'\n').count(), usize::from(logged));
            let printable = |b: &u8| *b == b'\n' || (b' '..=b'~').contains(b);
            assert!(line.iter().all(printable), "{line:?}");
        }
        let fields = rendered(Fields::new(origin, PATHS.clone(), Filter::default()), event);
        assert_eq!(fields.iter().filter(|&&b| b == b'\t').count(), 3 * lines.len());
        assert_eq!(fields.iter().filter(|&&b| b == b'\n').count(), lines.len());
    });
}

fn site() -> Arc<Site> {
    Arc::new(Site { observer: "fw \"1\"".to_owned(), internal: Vec::new() })
}

fn rendered(mut sink: impl Sink, event: &Event<'_>) -> Vec<u8> {
    let (mut page, mut scratch) = (Page::default(), Vec::new());
    sink.event(event, &mut page);
    let mut binder = Binder::new(TimeStyle::Delta, Precision::Micros, None);
    let bound = binder.bind(&page, &mut scratch);
    assert_eq!((bound.events, bound.done), (1, false));
    bound.bytes.to_vec()
}

/// A longer piece of a packet never shows less than a shorter one, nor anything else.
pub fn packet(data: &[u8]) {
    let mut before: Option<Packet<'_>> = None;
    for end in 0..=data.len().min(200) {
        let Ok(now) = Packet::parse(&data[..end], data.len()) else {
            assert!(before.is_none(), "{end} bytes are worse than {}", end - 1);
            continue;
        };
        assert!(is_suffix(now.payload, &data[..end]) || now.payload.len() < end);
        if let Some(before) = before {
            let kept = |a: Option<u64>, b: Option<u64>| a.is_none() || a == b;
            assert!(before.ip.src.is_none() || before.ip.src == now.ip.src);
            assert!(before.ip.dst.is_none() || before.ip.dst == now.ip.dst);
            assert!(kept(before.ip.ttl.map(u64::from), now.ip.ttl.map(u64::from)));
            assert!(kept(before.ip.len.map(|n| n as u64), now.ip.len.map(|n| n as u64)));
            assert!(before.ports().is_none() || before.ports() == now.ports());
            if let (Transport::Tcp(a), Transport::Tcp(b)) = (before.transport, now.transport) {
                assert!(kept(a.seq.map(u64::from), b.seq.map(u64::from)));
                assert!(kept(a.win.map(u64::from), b.win.map(u64::from)));
            }
        }
        let _ = now.quoted();
        before = Some(now);
    }
}

/// A file of any bytes ends; its records lie within their batch and are counted without a gap.
pub fn file(data: &[u8]) {
    let Ok(mut file) = File::from_reader("fuzz", Box::new(Cursor::new(data.to_vec()))) else {
        return;
    };
    let (mut batch, mut records) = (Batch::default(), 0);
    loop {
        let filled = file.fill(&mut batch);
        assert_eq!(batch.first_frame, records + 1);
        for record in &batch.records {
            assert!(record.start as usize + record.caplen as usize <= batch.bytes.len());
            assert!((record.interface as usize) < batch.interfaces.len());
        }
        records += batch.records.len() as u64;
        assert!(batch.frames().count() == batch.records.len());
        if !filled.more {
            break;
        }
        assert!(filled.fault.is_none());
        assert!(!batch.records.is_empty(), "no progress");
    }
}

/// A ruleset of any bytes is read; every rule is at home in one of its anchors, its text has no line
/// end, and what is found for a packet is in the ruleset.
pub fn rules(data: &[u8]) {
    let (text, frame) = data.split_at(data.len() / 2);
    let listing = Listing::parse(text);
    let lines = text.split(|&byte| byte == b'\n').count();
    assert!(listing.entries.len() <= lines && listing.anchors.len() <= lines + 1);
    for entry in &listing.entries {
        assert!(entry.anchor < listing.anchors.len());
        assert!(!entry.line.text.contains('\n') && !entry.line.text.is_empty());
    }
    let ruleset = Arc::new(Ruleset::new(listing));
    let texts: BTreeSet<&str> =
        ruleset.listing().entries.iter().map(|entry| entry.line.text.as_str()).collect();
    let snapshot =
        Snapshot { path: "fuzz".into(), ts: Timestamp(0), ruleset: Arc::clone(&ruleset) };
    let rules = Rules::of(vec![snapshot]);
    with_event(frame, |event| {
        if let Some(rule) = rules.join(event) {
            assert!(event.pflog.is_some());
            assert_eq!(rule.join == Join::Implausible, rule.text.is_empty());
            assert!(rule.text.is_empty() || texts.contains(rule.text));
        }
    });
}

/// A filter is an expression or an error that points into it; it answers for any event.
pub fn filter(data: &[u8]) {
    let (expression, frame) = data.split_at(data.len() / 2);
    let Ok(expression) = std::str::from_utf8(expression) else { return };
    // Nothing is asked of the network.
    match Filter::parse_numeric(expression) {
        Ok(filter) => with_event(frame, |event| {
            let _ = filter.matches(event);
        }),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Summaries of two halves merge to the summary of the whole, in any order.
pub fn summary(data: &[u8]) {
    let new = || Summary::new(Options::default());
    let (mut whole, mut halves) = (new(), [new(), new()]);
    for (i, frame) in data.chunks(90).enumerate() {
        with_event(frame, |event| {
            whole.observe(event);
            halves[i % 2].observe(event);
        });
    }
    let [mut a, b] = halves;
    a.merge(b);
    let json = |mut summary: Summary| {
        serde_json::to_string(&summary.report(10)).expect("a report is JSON")
    };
    assert_eq!(json(a), json(whole));
}

/// Compressed updates by themselves are those among the messages, and leave the others as they are.
fn updates(packet: &pfsync::Pfsync<'_>) {
    let (mut messages, mut all) = (packet.messages(), packet.messages());
    loop {
        if let Some((action, updates)) = messages.updates() {
            for update in updates {
                let message = all.next().and_then(Result::ok).expect("it is there");
                let body = pfsync::Body::Compressed(update);
                assert_eq!((message.action, message.body), (action, body));
            }
        }
        let next = messages.next();
        assert_eq!(next, all.next());
        if next.is_none() {
            break;
        }
    }
}

/// What becomes of a table: sizes, counters that only grow, every state once.
struct Watched {
    table: Table,
    max: usize,
    before: [u64; 13],
}

impl Watched {
    fn new(max: usize) -> Self {
        Self { table: Table::with_flows(max), max, before: [0; 13] }
    }

    fn check(&mut self) {
        let c = self.table.counters();
        let now = [
            c.inserted,
            c.replaced,
            c.adopted,
            c.updated,
            c.compressed,
            c.orphans,
            c.deleted,
            c.missing,
            c.cleared,
            c.expired,
            c.dropped,
            c.acknowledged,
            c.nameless,
        ];
        assert!(self.before.iter().zip(&now).all(|(before, now)| before <= now), "{c:?}");
        self.before = now;
        assert!(self.table.len() <= self.max, "{} states", self.table.len());
        let came = c.inserted + c.adopted;
        let went = c.deleted + c.cleared + c.expired + c.dropped;
        assert_eq!(came - went, self.table.len() as u64, "{c:?}");
    }

    /// Every state is listed once, found by its name, and printed.
    fn list(&self) {
        for sort in [Sort::None, Sort::Age, Sort::Rate] {
            let sorted = self.table.sorted(sort);
            assert_eq!(sorted.len(), self.table.len());
            let names: BTreeSet<_> = sorted.iter().map(Entry::ids).collect();
            assert_eq!(names.len(), sorted.len());
            for entry in sorted {
                let found = self.table.get(entry.ids()).expect("a listed state is there");
                assert_eq!(found.state(), entry.state());
                assert!(entry.first() <= entry.last() && entry.messages() > 0);
                let mut text = Vec::new();
                push_state(&mut text, &entry.state(), Verbosity::VeryVerbose);
                assert!(text.is_ascii() && text.ends_with(b"\n"));
            }
        }
    }
}

/// A table of few states takes packets of pfsync, in any order and at any time. The bytes: the
/// bound; then for each packet its version, the milliseconds before it (with `0x80` seconds, and
/// the clock then also looks for what has ended), its length in units of 4 bytes, its bytes.
pub fn states(data: &[u8]) {
    let Some((&max, mut data)) = data.split_first() else { return };
    let max = usize::from(max % 8) + 1;
    let mut watched = Watched::new(max);
    let mut ts = Timestamp(1_700_000_000_000_000_000);
    while let Some((&[version, wait, units], rest)) = data.split_first_chunk::<3>() {
        let (body, rest) = rest.split_at(rest.len().min(usize::from(units) * 4));
        data = rest;
        let step = if wait & 0x80 == 0 { 1_000_000 } else { 1_000_000_000 };
        ts.0 += i64::from(wait & 0x7f) * step;
        let packet = match version % 8 {
            // As it is, with whatever header it has.
            0 | 7 => body.to_vec(),
            // The messages of one action.
            version @ 1..=4 => {
                let (action, count) = (byte_at(body, 0), byte_at(body, 1));
                let mut packet = vec![version, 0, action, count];
                packet.resize(if version < 3 { 4 } else { 20 }, 0);
                packet.extend_from_slice(body.get(2..).unwrap_or_default());
                packet
            }
            version => {
                let len = u16::try_from(20 + body.len()).unwrap_or(u16::MAX).to_be_bytes();
                [&[version, 0, len[0], len[1]], &[0; 16][..], body].concat()
            }
        };
        if let Ok(header) = pfsync::parse(&packet, packet.len()) {
            let facts = Facts::bare(ts, header.version, header.layout, packet.len());
            let mut ops = Ops::default();
            ops.add(facts, Some(&header));
            for message in ops.messages() {
                watched.table.apply(&message, |_, outcome| {
                    assert!(outcome.regression.is_none() || outcome.effect == Effect::Updated);
                });
                watched.check();
            }
        }
        if wait & 0x80 != 0 {
            watched.table.expire(ts);
            watched.check();
            watched.list();
        }
    }
    watched.list();
    watched.table.expire(Timestamp(i64::MAX));
    watched.check();
    watched.list();
}

fn byte_at(body: &[u8], at: usize) -> u8 {
    body.get(at).copied().unwrap_or(0)
}

static SERVICES: LazyLock<Services> =
    LazyLock::new(|| Services::parse("https 443/tcp\nisakmp 500/udp\nnetbios-ns 137/udp\n"));

/// A traffic selector is read or refused; one that is read admits the ends of its own range, and
/// with its protocol and port nothing beyond.
pub fn selector(data: &[u8]) {
    let selector = match Selector::parse(data, &SERVICES) {
        Ok(selector) => selector,
        Err(error) => {
            let shown = error.to_string();
            assert!(shown.len() < 2000 && shown.chars().all(|c| c == ' ' || c.is_ascii_graphic()));
            return;
        }
    };
    let Some((first, last)) = selector.range else {
        assert!(!selector.admits([10, 0, 0, 1].into(), None, selector.proto, None));
        return;
    };
    assert!(first <= last && first.is_ipv4() == last.is_ipv4());
    for end in [first, last] {
        assert!(selector.admits(end, None, selector.proto, None));
    }
    if let Some(proto) = selector.proto {
        assert!(!selector.admits(first, None, Some(proto.wrapping_add(1)), None));
    }
    let beyond = match last {
        std::net::IpAddr::V4(last) => {
            u32::from(last).checked_add(1).map(|n| std::net::Ipv4Addr::from(n).into())
        }
        std::net::IpAddr::V6(last) => {
            u128::from(last).checked_add(1).map(|n| std::net::Ipv6Addr::from(n).into())
        }
    };
    assert!(!beyond.is_some_and(|beyond| selector.admits(beyond, None, selector.proto, None)));
}

/// A message, a packet and a stream of VICI: decoded and encoded again they are what they were,
/// however the stream is cut.
pub fn vici(data: &[u8]) {
    let steps = Elements::new(data).collect::<Result<Vec<_>, _>>();
    match codec::decode(data) {
        Ok(message) => {
            assert_eq!(codec::encode(&message).expect("it was decoded"), data);
            assert!(steps.is_ok_and(|steps| steps.len() >= message.len()));
            let shown = format!("{message:?}");
            assert!(shown.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{shown}");
        }
        Err(error) => assert_eq!(steps.err(), Some(error)),
    }
    if let Ok(packet) = codec::Packet::parse(data) {
        let again = packet.encode().expect("it was parsed");
        assert_eq!(codec::Packet::parse(&again[4..]), Ok(packet));
    }
    let whole = segments(&[data]);
    let cut: Vec<&[u8]> = data.chunks(1 + data.len() % 7).collect();
    assert_eq!(segments(&cut), whole);
}

/// The segments of a stream that arrives in these pieces, and whether it can be cut to its end.
fn segments(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, bool) {
    let (mut segments, mut found) = (Segments::default(), Vec::new());
    for piece in pieces {
        segments.push(piece);
        loop {
            match segments.next_segment() {
                Ok(Some(segment)) => found.push(segment.to_vec()),
                Ok(None) => break,
                Err(_) => return (found, false),
            }
        }
    }
    (found, true)
}
