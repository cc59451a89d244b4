//! A glance at a record says what decoding it does: of every record of testdata, whole, cut and with
//! any of its bytes changed. So do the filter, the summary and the renderers that go by it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::cell::RefCell;
use std::fs;
use std::sync::{Arc, LazyLock};

use jiff::tz::TimeZone;
use pfscope::capture::Batch;
use pfscope::capture::file::File;
use pfscope::decode::decode;
use pfscope::event::{Event, Frame, Kind};
use pfscope::filter::Filter;
use pfscope::glance::Glance;
use pfscope::sink::Sink;
use pfscope::sink::ecs::{Ecs, Version};
use pfscope::sink::json::{Json, Origin};
use pfscope::sink::page::{Binder, Page};
use pfscope::sink::site::Site;
use pfscope::sink::text::names::Names;
use pfscope::sink::text::{Options, Text};
use pfscope::summary::{self, Summary};
use pfscope::time::{Precision, TimeStyle, Timestamp};
use pfscope::wire::ByteOrder;
use pfscope::wire::link::LinkType;
use pfscope::wire::writer::Writer;
use proptest::prelude::*;

/// Frames of pflog, each with its length on the wire.
static FRAMES: LazyLock<Vec<(Vec<u8>, usize)>> = LazyLock::new(|| {
    let mut frames = Vec::new();
    for folder in ["testdata/pflog", "testdata/genuine"] {
        for entry in fs::read_dir(folder).unwrap() {
            let Ok(mut file) = File::open(&entry.unwrap().path()) else { continue };
            let mut batch = Batch::default();
            while file.fill(&mut batch).more || !batch.records.is_empty() {
                let logs = batch.frames().filter(|(.., frame)| frame.link == LinkType::PFLOG);
                frames.extend(logs.map(|(.., frame)| (frame.data.to_vec(), frame.len)));
                batch.records.clear();
            }
        }
    }
    assert!(frames.len() > 1000, "{} frames", frames.len());
    frames
});

/// One of each test that goes by a glance, and how they are joined.
static FILTERS: LazyLock<Vec<Filter>> = LazyLock::new(|| {
    let filters = [
        "ip or ip6",
        "ip6",
        "arp",
        "tcp",
        "udp",
        "icmp6",
        "ip proto 17",
        "ip6 proto 58",
        "proto 132",
        "host 198.51.100.20",
        "src net 10/8",
        "dst net 192.0.2.0/24 or net 2001:db8::/32",
        "port 22 or 53",
        "tcp dst portrange 1-1023",
        "udp src port 53",
        "less 150",
        "greater 150",
        "ifname em0 or ifname vio*",
        "ruleset * and not ruleset f2b",
        "rulenum 1",
        "srnr 0",
        "reason match",
        "reason 5",
        "action block",
        "action pass or action match",
        "action 13",
        "dir in",
        "outbound",
        "truncated",
        "undecoded",
        "suspect",
        "not (action block and dst port 22) or inbound",
    ];
    let parse = |text: &&str| Filter::parse_numeric(text);
    filters
        .iter()
        .map(|text| parse(text).unwrap_or_else(|error| panic!("{text}: {error}")))
        .collect()
});

fn frame_of(data: &[u8], len: usize) -> Frame<'_> {
    Frame { ts: Timestamp(1_780_000_000_000_000_000), len, ..Frame::new(LinkType::PFLOG, data) }
}

/// The report of a summary.
fn report(mut summary: Summary) -> Vec<u8> {
    let mut out = Vec::new();
    summary.report(10).write_json(&mut out, false);
    out
}

/// Two summaries, of what is seen at a glance and of what it decodes to.
fn summaries() -> [Summary; 2] {
    [(); 2].map(|()| Summary::new(summary::Options::default()))
}

/// True if there is a glance; what it says is held against the event.
fn is_plain(data: &[u8], len: usize, writer: Writer, summaries: &mut [Summary; 2]) -> bool {
    let frame = frame_of(data, len);
    let Some(glance) = Glance::of(&frame, writer) else { return false };
    let event = decode(frame, ByteOrder::Little, writer);
    assert_eq!((event.kind, event.error), (Kind::Pflog, None));
    let (pflog, packet) = (event.pflog.unwrap(), event.packet.unwrap());
    assert_eq!(glance.systems(), pflog.systems);
    assert_eq!((glance.action(), glance.reason()), (pflog.action, pflog.reason));
    assert_eq!(Some(glance.dir()), pflog.dir);
    assert_eq!((glance.ifname(), glance.ruleset()), (pflog.ifname, pflog.ruleset));
    let rules = [pflog.rulenr, pflog.subrulenr].map(|n| n.unwrap_or(u32::MAX));
    assert_eq!(glance.rules(), rules);
    assert_eq!((glance.family, Some(glance.proto)), (packet.ip.family, packet.ip.proto));
    assert_eq!(glance.addresses().map(Some), [packet.ip.src, packet.ip.dst]);
    assert_eq!((Some(glance.len), glance.header_len), (packet.ip.len, packet.ip.header.len()));
    assert_eq!((glance.wire_len, glance.ports), (packet.len, packet.ports()));
    assert_eq!((glance.packet(), glance.other(&frame)), (packet, pflog.other));
    assert_eq!(Some(glance.ttl()), packet.ip.ttl);
    assert_eq!(glance.frag(), packet.ip.frag);
    compare_texts(&frame, &glance, &event);
    for filter in FILTERS.iter() {
        assert!(filter.goes_by_glance(), "{filter}");
        assert_eq!(filter.matches_glance(&frame, &glance), filter.matches(&event), "{filter}");
    }
    let [seen, decoded] = summaries;
    seen.observe_glance(&frame, &glance);
    decoded.observe(&event);
    true
}

/// Renderers: the same twice, for what is rendered at a glance and for what it decodes to.
fn renderers() -> Vec<[Box<dyn Sink>; 2]> {
    let twice = |make: &dyn Fn() -> Box<dyn Sink>| [make(), make()];
    let text = |options: Options| {
        twice(&|| Box::new(Text::new(options.clone(), TimeZone::UTC)) as Box<dyn Sink>)
    };
    let link = Options { link: true, ..Options::default() };
    let names = "ssh 22/tcp\ndomain 53/udp\nhttps 443/tcp\n";
    let names = Some(Arc::new(Names::parse(names, "ipv6-icmp 58\n", false)));
    let mut all = vec![
        text(Options::default()),
        text(link.clone()),
        text(Options { quiet: true, ..link.clone() }),
        text(Options { verbose: 1, ..link.clone() }),
        text(Options { absolute: true, color: true, ..link.clone() }),
        text(Options { names, time: TimeStyle::Delta, ..link }),
    ];
    let site = |internal: &[&str]| {
        let internal = internal.iter().map(|net| net.parse().unwrap()).collect();
        Arc::new(Site { observer: "fw".into(), internal })
    };
    let file = || Origin::File(b"a \"log\"".to_vec());
    for origin in [file(), Origin::Devices] {
        all.push(twice(&|| Box::new(Json::new(origin.clone(), Filter::default()))));
    }
    // Of devices an ECS document has the time when it was written.
    for (site, version) in [
        (site(&[]), Version::V9_4),
        (site(&["192.0.2.0/24", "2001:db8:1::/48"]), Version::V8_11),
        (site(&[]), Version::ElasticPfsense),
    ] {
        let ecs = || Ecs::new(file(), Arc::clone(&site), version, Filter::default());
        all.push(twice(&|| Box::new(ecs())));
        all.push(twice(&|| Box::new(ecs().numbered())));
    }
    all
}

thread_local! {
    static RENDERERS: RefCell<Vec<[Box<dyn Sink>; 2]>> = RefCell::new(renderers());
}

/// Holds what is rendered of a plain record against what is rendered of its event.
fn compare_texts(frame: &Frame<'_>, glance: &Glance<'_>, event: &Event<'_>) {
    RENDERERS.with_borrow_mut(|all| {
        for (nth, [seen, decoded]) in all.iter_mut().enumerate() {
            let (mut page, mut whole) = (Page::default(), Page::default());
            if !seen.plain(frame, glance, &mut page) {
                assert!(page.text.is_empty() && page.events() == 0);
                // Only -v looks at more.
                assert_eq!(nth, 3);
                continue;
            }
            decoded.event(event, &mut whole);
            let bound = [page, whole].map(|page| {
                let mut binder = Binder::new(TimeStyle::Delta, Precision::Micros, None);
                binder.bind(&page, &mut Vec::new()).bytes.to_vec()
            });
            let [seen, decoded] = bound.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            assert_eq!(seen, decoded, "renderer {nth}");
        }
    });
}

fn writers() -> [Writer; 2] {
    let mut known = Writer::new(ByteOrder::Big);
    FRAMES.iter().take(100).for_each(|(data, _)| known.observe(data));
    [Writer::new(ByteOrder::Little), known]
}

#[test]
fn of_every_record() {
    let mut plain = 0;
    for writer in writers() {
        let mut both = summaries();
        for (data, len) in FRAMES.iter() {
            plain += usize::from(is_plain(data, *len, writer, &mut both));
            for cut in [data.len() / 2, data.len().saturating_sub(1), 61, 84, 100, 104] {
                is_plain(&data[..cut.min(data.len())], *len, writer, &mut both);
            }
        }
        let [seen, decoded] = both.map(report);
        assert!(seen == decoded);
    }
    assert!(plain > FRAMES.len() / 2, "{plain} of twice {}", FRAMES.len());
}

#[test]
fn most_of_a_genuine_log_is_plain() {
    let mut file = File::open("testdata/genuine/openbsd80-pflog0.pcap".as_ref()).unwrap();
    let mut batch = Batch::default();
    let _ = file.fill(&mut batch);
    let writer = Writer::new(ByteOrder::Little);
    let plain = |(.., frame): &(usize, _, Frame<'_>)| Glance::of(frame, writer).is_some();
    let count = batch.frames().filter(plain).count();
    assert!(count * 10 > batch.records.len() * 8, "{count} of {}", batch.records.len());
}

/// A name that is longer than the room of a line, and nothing left behind by the try.
#[test]
fn what_is_too_long_for_a_line_is_decoded() {
    let origin = || Origin::File(vec![b'x'; 5000]);
    let site = Arc::new(Site { observer: "fw".into(), internal: Vec::new() });
    let ecs = || Ecs::new(origin(), Arc::clone(&site), Version::V9_4, Filter::default()).numbered();
    let pairs: [[Box<dyn Sink>; 2]; 2] = [
        [(); 2].map(|()| Box::new(Json::new(origin(), Filter::default())) as Box<dyn Sink>),
        [(); 2].map(|()| Box::new(ecs()) as Box<dyn Sink>),
    ];
    let writer = Writer::new(ByteOrder::Little);
    let frames = FRAMES.iter().map(|(data, len)| frame_of(data, *len));
    let mut plain = frames.filter_map(|frame| Some((frame, Glance::of(&frame, writer)?)));
    let (frame, glance) = plain.next().unwrap();
    let event = decode(frame, ByteOrder::Little, writer);
    for [mut tried, mut untried] in pairs {
        let (mut page, mut other) = (Page::default(), Page::default());
        assert!(!tried.plain(&frame, &glance, &mut page));
        assert!(page.text.is_empty() && page.events() == 0);
        tried.event(&event, &mut page);
        untried.event(&event, &mut other);
        let bound = [page, other].map(|page| {
            let mut binder = Binder::new(TimeStyle::None, Precision::Micros, None);
            binder.bind(&page, &mut Vec::new()).bytes.to_vec()
        });
        assert!(bound[0] == bound[1] && bound[0].len() > 5000);
    }
}

/// A later fragment from :: to :: of protocol 0: nothing in it tells its flow from none.
#[test]
fn a_flow_of_zeros_is_a_flow() {
    let writer = Writer::new(ByteOrder::Little);
    let is_freebsd = |data: &&(Vec<u8>, usize)| {
        data.0[0] == 69 && Glance::of(&frame_of(&data.0, data.1), writer).is_some()
    };
    let (header, _) = FRAMES.iter().find(is_freebsd).unwrap();
    let mut data = header[..72].to_vec();
    data.extend([0x60, 0, 0, 0, 0, 16, 44, 64]);
    data.extend([0; 32]);
    data.extend([0, 0, 0, 8, 0, 0, 0, 1]);
    data.extend([0; 8]);
    // FreeBSD's AF_INET6
    data[1] = 28;
    for _ in 0..3 {
        assert!(is_plain(&data, data.len(), writer, &mut summaries()));
    }
}

#[test]
fn what_does_not_show_is_not_asked_of_it() {
    for text in ["", "uid 0", "pid 1", "spi 1", "rid 7", "action block and rewritten"] {
        let filter = Filter::parse_numeric(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(!filter.goes_by_glance(), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn of_any_bytes(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in 0..40_usize,
        more in 0..3_usize,
    ) {
        let (data, len) = &FRAMES[which.index(FRAMES.len())];
        let mut data = data.clone();
        for (at, byte) in changes {
            if !data.is_empty() {
                let at = at.index(data.len());
                data[at] = byte;
            }
        }
        data.truncate(data.len().saturating_sub(cut.saturating_sub(20)));
        for writer in writers() {
            let mut both = summaries();
            is_plain(&data, len + more, writer, &mut both);
            let [seen, decoded] = both.map(report);
            prop_assert!(seen == decoded);
        }
    }
}
