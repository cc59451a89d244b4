//! In the steady state a packet costs no allocation: counted by an allocator around the system's.
#![allow(unsafe_code, reason = "a global allocator is unsafe by its nature; this one only counts")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::tz::TimeZone;
use pfscope::capture::Batch;
use pfscope::capture::file::File;
use pfscope::decode::decode;
use pfscope::filter::Filter;
use pfscope::glance::Glance;
use pfscope::rules::Rules;
use pfscope::sink::Sink;
use pfscope::sink::ecs::{Ecs, Version};
use pfscope::sink::fields::{Fields, Paths};
use pfscope::sink::filterlog::{Filterlog, Flavour};
use pfscope::sink::json::{Json, Origin};
use pfscope::sink::ocsf::Ocsf;
use pfscope::sink::page::{Binder, Page};
use pfscope::sink::site::Site;
use pfscope::sink::text::{Options, Text};
use pfscope::summary::{self, Summary};
use pfscope::time::{Precision, TimeStyle};
use pfscope::wire::writer::Writer;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps alloc's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from the system's allocator by alloc above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// One test, so that no other one allocates meanwhile.
#[test]
fn no_stage_allocates_for_a_packet_it_has_seen_the_like_of() {
    let mut captures: Vec<Vec<u8>> = Vec::new();
    for name in [
        "genuine/openbsd80-pflog0",
        "genuine/freebsd14-pflog",
        "pflog/packets-ipv4",
        "pflog/packets-ipv6",
        "pflog/tcp-flow",
        "pfsync/lifecycle",
    ] {
        captures.push(std::fs::read(format!("testdata/{name}.pcap")).unwrap());
    }
    let origin = Origin::File(b"pflog".to_vec());
    let text = |time| Options { link: true, verbose: 1, time, ..Options::default() };
    let filter = Filter::parse("action block and (dst port 22 or net 10/8) or ifname em*").unwrap();
    let site =
        || Arc::new(Site { observer: "fw1".into(), internal: vec!["10.0.0.0/8".parse().unwrap()] });
    let mut sinks: Vec<(&str, TimeStyle, Box<dyn Sink>)> = vec![
        (
            "text",
            TimeStyle::TimeOfDay,
            Box::new(Text::new(text(TimeStyle::TimeOfDay), TimeZone::UTC)),
        ),
        (
            "text without -v",
            TimeStyle::TimeOfDay,
            Box::new(Text::new(
                Options { verbose: 0, ..text(TimeStyle::TimeOfDay) },
                TimeZone::UTC,
            )),
        ),
        ("text -ttt", TimeStyle::Delta, Box::new(Text::new(text(TimeStyle::Delta), TimeZone::UTC))),
        ("json", TimeStyle::None, Box::new(Json::new(origin.clone(), filter.clone()))),
        (
            "ecs",
            TimeStyle::None,
            Box::new(Ecs::new(origin.clone(), site(), Version::V9_4, filter.clone())),
        ),
        ("json of devices", TimeStyle::None, Box::new(Json::new(Origin::Devices, filter.clone()))),
        (
            "ecs of devices",
            TimeStyle::None,
            Box::new(Ecs::new(Origin::Devices, site(), Version::V9_4, filter.clone()).numbered()),
        ),
        ("ocsf", TimeStyle::None, Box::new(Ocsf::new(origin.clone(), site(), filter.clone()))),
        ("pfsense", TimeStyle::None, Box::new(Filterlog::new(Flavour::Pfsense))),
        ("opnsense", TimeStyle::None, Box::new(Filterlog::new(Flavour::Opnsense))),
        (
            "fields",
            TimeStyle::None,
            Box::new(Fields::new(origin, Paths::parse("ts,net.src").unwrap(), filter.clone())),
        ),
    ];
    let mut summary = Summary::new(summary::Options::default());
    let (mut matching, mut named, mut plain) = (0, 0, 0);
    let rules = Rules::load("testdata/rules/openbsd.rules".as_ref(), &TimeZone::UTC).unwrap();
    for capture in &captures {
        let mut batch = Batch::default();
        let mut file = File::from_reader("pflog", Box::new(Cursor::new(capture.clone()))).unwrap();
        let _ = file.fill(&mut batch);
        assert!(batch.records.len() >= 10);
        let writer = Writer::new(batch.interfaces[0].order);
        for (name, style, sink) in &mut sinks {
            let (mut page, mut scratch) = (Page::default(), Vec::new());
            let mut binder = Binder::new(*style, Precision::Micros, None);
            let mut counted = 0;
            for _round in 0..4 {
                let before = ALLOCATIONS.load(Ordering::Relaxed);
                page.clear();
                for (_, interface, frame) in batch.frames() {
                    let mut event = decode(frame, interface.order, writer);
                    event.rule = rules.join(&event);
                    named += u32::from(event.rule.is_some());
                    matching += u32::from(filter.matches(&event));
                    sink.event(&event, &mut page);
                    if let Some(glance) = Glance::of(&frame, writer) {
                        plain += u32::from(sink.plain(&frame, &glance, &mut page));
                    }
                    summary.observe(&event);
                }
                let bound = binder.bind(&page, &mut scratch);
                assert!(!bound.bytes.is_empty() || name.ends_with("sense"));
                counted = ALLOCATIONS.load(Ordering::Relaxed) - before;
            }
            assert_eq!(counted, 0, "{name} allocates");
        }
    }
    assert!(matching > 0 && named > 0 && plain > 0);
}
