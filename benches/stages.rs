//! Time per stage: read, decode, filter, render, the whole pipeline. A group's elements are
//! packets, so that a figure is "per packet"; those of `pfsync` are messages,
//! and `vici` counts bytes.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a benchmark is no parser")]
#![expect(
    clippy::print_stderr,
    reason = "memory is no time, and printed beside criterion's report"
)]

#[path = "../testdata/encode/mod.rs"]
#[allow(unused_imports, reason = "its tests are not run here")]
mod encode;

use std::hint::black_box;
use std::io::{Cursor, sink};
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use encode::pfsync::message::{Message, Update};
use encode::pfsync::state::{Key, State};
use encode::pfsync::{Action, Frame, Layout};
use jiff::tz::TimeZone;
use pfscope::capture::Batch;
use pfscope::capture::file::File;
use pfscope::decode::decode;
use pfscope::filter::Filter;
use pfscope::glance::Glance;
use pfscope::packet::Packet;
use pfscope::sink::Sink;
use pfscope::sink::ecs::{Ecs, Version};
use pfscope::sink::json::{Json, Origin};
use pfscope::sink::page::{Binder, Page};
use pfscope::sink::site::Site;
use pfscope::sink::text::{Options, Text};
use pfscope::states::{Facts, Ops, Table};
use pfscope::summary::{self, Summary};
use pfscope::time::{Precision, TimeStyle, Timestamp};
use pfscope::vici::codec::{self, Elements};
use pfscope::vici::message::Section;
use pfscope::wire::writer::Writer;
use pfscope::wire::{pflog, pfsync};

/// A log as a busy firewall writes it: the genuine OpenBSD records again and again.
fn log(packets: usize) -> Vec<u8> {
    let genuine = include_bytes!("../testdata/genuine/openbsd80-pflog0.pcap");
    let (header, records) = genuine.split_at(24);
    let mut log = header.to_vec();
    while log.len() < packets * records.len() / 59 {
        log.extend_from_slice(records);
    }
    log
}

fn batch_of(log: &[u8]) -> Batch {
    let mut file = File::from_reader("log", Box::new(Cursor::new(log.to_vec()))).unwrap();
    let mut batch = Batch::default();
    let _ = file.fill(&mut batch);
    batch
}

fn stages(c: &mut Criterion) {
    let log = log(2_000);
    let batch = batch_of(&log);
    let writer = Writer::new(batch.interfaces[0].order);
    let count = batch.records.len() as u64;

    let mut group = c.benchmark_group("stage");
    group.throughput(Throughput::Elements(count));
    group.bench_function("read", |b| b.iter(|| black_box(batch_of(&log)).records.len()));
    group.bench_function("pflog", |b| {
        b.iter(|| {
            for (_, _, frame) in batch.frames() {
                let _ = black_box(pflog::parse(frame.data, frame.len, writer));
            }
        });
    });
    group.bench_function("packet", |b| {
        b.iter(|| {
            for (_, _, frame) in batch.frames() {
                let _ = black_box(Packet::parse(&frame.data[100..], frame.len - 100));
            }
        });
    });
    group.bench_function("decode", |b| {
        b.iter(|| {
            for (_, interface, frame) in batch.frames() {
                black_box(decode(frame, interface.order, writer));
            }
        });
    });
    let filter = Filter::parse("action block and dst port 22").unwrap();
    group.bench_function("filter-glance", |b| {
        b.iter(|| {
            for (_, _, frame) in batch.frames() {
                let glance = Glance::of(&frame, writer);
                black_box(glance.map(|glance| filter.matches_glance(&frame, &glance)));
            }
        });
    });
    group.bench_function("filter", |b| {
        b.iter(|| {
            for (_, interface, frame) in batch.frames() {
                black_box(filter.matches(&decode(frame, interface.order, writer)));
            }
        });
    });
    group.bench_function("summary-glance", |b| {
        let mut summary = Summary::new(summary::Options::default());
        b.iter(|| {
            for (_, _, frame) in batch.frames() {
                if let Some(glance) = Glance::of(&frame, writer) {
                    summary.observe_glance(&frame, &glance);
                }
            }
        });
    });
    group.bench_function("summary", |b| {
        let mut summary = Summary::new(summary::Options::default());
        b.iter(|| {
            for (_, interface, frame) in batch.frames() {
                summary.observe(&decode(frame, interface.order, writer));
            }
        });
    });
    let options = Options { link: true, ..Options::default() };
    let origin = Origin::File(b"pflog".to_vec());
    let site = Arc::new(Site { observer: "fw".into(), internal: Vec::new() });
    let sinks: [(&str, Box<dyn Sink>); 3] = [
        ("text", Box::new(Text::new(options, TimeZone::UTC))),
        ("json", Box::new(Json::new(origin.clone(), Filter::default()))),
        ("ecs", Box::new(Ecs::new(origin, site, Version::V9_4, Filter::default()))),
    ];
    for (name, mut sink) in sinks {
        let (mut page, mut scratch) = (Page::default(), Vec::new());
        group.bench_function(format!("{name}-glance"), |b| {
            b.iter(|| {
                page.clear();
                for (_, _, frame) in batch.frames() {
                    if let Some(glance) = Glance::of(&frame, writer) {
                        assert!(sink.plain(&frame, &glance, &mut page));
                    }
                }
                let mut binder = Binder::new(TimeStyle::TimeOfDay, Precision::Micros, None);
                black_box(binder.bind(&page, &mut scratch).bytes.len())
            });
        });
        group.bench_function(name, |b| {
            b.iter(|| {
                page.clear();
                for (_, interface, frame) in batch.frames() {
                    sink.event(&decode(frame, interface.order, writer), &mut page);
                }
                let mut binder = Binder::new(TimeStyle::TimeOfDay, Precision::Micros, None);
                black_box(binder.bind(&page, &mut scratch).bytes.len())
            });
        });
    }
    group.finish();
}

fn whole_file(c: &mut Criterion) {
    let log = log(200_000);
    let folder = std::env::temp_dir().join(format!("pfscope-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("pflog");
    std::fs::write(&path, &log).unwrap();
    let path = path.to_str().unwrap();

    let mut group = c.benchmark_group("file");
    group.throughput(Throughput::Elements(200_000)).sample_size(10);
    for (name, arguments) in [
        ("text", &["-n", "-e", "-r", path][..]),
        ("json", &["--format", "json", "-r", path]),
        ("filter", &["-n", "-e", "-r", path, "action block and dst port 22"]),
        ("summary", &["summary", path]),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let arguments = std::iter::once("pfscope").chain(arguments.iter().copied());
                pfscope::cli::run(arguments, &mut sink(), &mut sink())
            });
        });
    }
    group.finish();
    std::fs::remove_dir_all(&folder).unwrap();
}

/// States of a gateway: each its own name and addresses.
fn states(count: u32) -> impl Iterator<Item = State> {
    (0..count).map(|n| {
        let [_, a, b, c] = n.to_be_bytes();
        let inside = format!("10.{a}.{b}.{c}");
        let key = Key::new((&inside, 40_000), ("198.51.100.20", 443));
        State { id: u64::from(n) + 1, wire: key, stack: key, ..State::default() }
    })
}

/// The packets that tell of them, as many in each as 1500 bytes hold.
fn packets(layout: Layout, action: Action, count: u32) -> Vec<Vec<u8>> {
    let message = |state: State| -> Message {
        match action {
            Action::UpdC => Update::of(&state).into(),
            _ => state.into(),
        }
    };
    let messages: Vec<Message> = states(count).map(message).collect();
    let each = 1452 / messages[0].encode(layout, action).len();
    messages.chunks(each).map(|some| Frame::of(layout, action, some).bytes()).collect()
}

/// The messages of packets as the table takes them.
fn ops(packets: &[Vec<u8>]) -> Ops {
    let mut ops = Ops::default();
    for packet in packets {
        let header = pfsync::parse(packet, packet.len()).unwrap();
        assert_eq!(header.fault(), None);
        let facts = Facts::bare(Timestamp(0), header.version, header.layout, packet.len());
        ops.add(facts, Some(&header));
    }
    ops
}

fn apply(table: &mut Table, ops: &Ops) {
    let groups = ops.groups();
    groups.for_each(|group| table.apply(&group, |_, outcome| _ = black_box(outcome)));
}

fn pfsync_stages(c: &mut Criterion) {
    const STATES: u32 = 100_000;
    let mut group = c.benchmark_group("pfsync");
    group.throughput(Throughput::Elements(10_000));
    for (name, layout, action) in [
        ("decode-ins-openbsd6", Layout::OpenBsd6, Action::Ins),
        ("decode-ins-freebsd1500", Layout::FreeBsd1500, Action::Ins),
        ("decode-upd_c-openbsd6", Layout::OpenBsd6, Action::UpdC),
    ] {
        let packets = packets(layout, action, 10_000);
        group.bench_function(name, |b| {
            b.iter(|| {
                for packet in &packets {
                    let header = pfsync::parse(packet, packet.len()).unwrap();
                    header.messages().for_each(|message| _ = black_box(message));
                }
            });
        });
    }
    group.throughput(Throughput::Elements(STATES.into())).sample_size(10);
    let inserts = ops(&packets(Layout::OpenBsd6, Action::Ins, STATES));
    let updates = ops(&packets(Layout::OpenBsd6, Action::UpdC, STATES));
    let room = STATES as usize;
    let filled = |mut table: Table| {
        apply(&mut table, &inserts);
        assert_eq!(table.counters().inserted, u64::from(STATES));
        table
    };
    group.bench_function("insert", |b| b.iter(|| black_box(filled(Table::new(room))).len()));
    group.bench_function("insert-flows", |b| {
        b.iter(|| black_box(filled(Table::with_flows(room))).len());
    });
    let mut table = filled(Table::new(room));
    group.bench_function("update", |b| {
        b.iter(|| apply(&mut table, &updates));
    });
    group.finish();
    for (name, table) in [("without", Table::new(room)), ("with", Table::with_flows(room))] {
        let bytes = filled(table).memory() / room;
        eprintln!("pfsync: {bytes} bytes a state {name} the index of flows");
    }
}

/// An IKE_SA of so many CHILD_SAs, as `list-sa` tells it.
fn list_sa(children: u32) -> Vec<u8> {
    let mut sas = Section::new();
    for n in 0..children {
        let mut child = Section::new();
        let spi = format!("{:08x}", 0xc000_0000 + n);
        for (key, value) in [
            ("name", "net"),
            ("uniqueid", "1234"),
            ("reqid", "12"),
            ("state", "INSTALLED"),
            ("mode", "TUNNEL"),
            ("protocol", "ESP"),
            ("encap", "yes"),
            ("spi-in", &spi),
            ("spi-out", &spi),
            ("encr-alg", "AES_GCM_16"),
            ("encr-keysize", "256"),
            ("bytes-in", "123456"),
            ("packets-in", "1234"),
            ("bytes-out", "123456"),
            ("packets-out", "1234"),
            ("rekey-time", "3338"),
            ("life-time", "3960"),
            ("install-time", "0"),
        ] {
            child.push_value(key, value);
        }
        child.push_list("local-ts", ["10.1.0.0/16"]);
        child.push_list("remote-ts", ["10.2.0.0/16"]);
        sas.push_section(format!("net-{n}"), child);
    }
    let mut ike = Section::new().with("uniqueid", "3").with("version", "2");
    ike.push_section("child-sas", sas);
    let mut event = Section::new();
    event.push_section("site", ike);
    codec::encode(&event).unwrap()
}

fn vici_messages(c: &mut Criterion) {
    let body = list_sa(1000);
    let tree = codec::decode(&body).unwrap();
    let mut group = c.benchmark_group("vici");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("elements", |b| {
        b.iter(|| Elements::new(black_box(&body)).filter(Result::is_ok).count());
    });
    group.bench_function("decode", |b| b.iter(|| codec::decode(black_box(&body)).unwrap()));
    group.bench_function("encode", |b| b.iter(|| codec::encode(black_box(&tree)).unwrap()));
    group.finish();
}

criterion_group!(benches, stages, pfsync_stages, vici_messages, whole_file);
criterion_main!(benches);
