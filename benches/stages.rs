//! Time per stage: read, decode, filter, render, the whole pipeline. A group's elements are
//! packets, so that a figure is "per packet".
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a benchmark is no parser")]

use std::hint::black_box;
use std::io::{Cursor, sink};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::tz::TimeZone;
use pfscope::capture::Batch;
use pfscope::capture::file::File;
use pfscope::decode::decode;
use pfscope::filter::Filter;
use pfscope::packet::Packet;
use pfscope::sink::Sink;
use pfscope::sink::json::{Json, Origin};
use pfscope::sink::page::{Binder, Page};
use pfscope::sink::text::{Options, Text};
use pfscope::summary::{self, Summary};
use pfscope::time::{Precision, TimeStyle};
use pfscope::wire::pflog;
use pfscope::wire::writer::Writer;

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
    group.bench_function("filter", |b| {
        b.iter(|| {
            for (_, interface, frame) in batch.frames() {
                black_box(filter.matches(&decode(frame, interface.order, writer)));
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
    let sinks: [(&str, Box<dyn Sink>); 2] = [
        ("text", Box::new(Text::new(options, TimeZone::UTC))),
        ("json", Box::new(Json::new(origin, Filter::default()))),
    ];
    for (name, mut sink) in sinks {
        let (mut page, mut scratch) = (Page::default(), Vec::new());
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

criterion_group!(benches, stages, whole_file);
criterion_main!(benches);
