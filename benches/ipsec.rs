//! IPsec: a list of ten thousand SAs indexed, and look-ups in it.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a benchmark is no parser")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use pfscope::decode::decode;
use pfscope::event::{By, Event, Frame};
use pfscope::ipsec::services::Services;
use pfscope::ipsec::{GRACE, Table};
use pfscope::time::Timestamp;
use pfscope::vici::codec;
use pfscope::vici::message::Section;
use pfscope::wire::ByteOrder;
use pfscope::wire::link::LinkType;
use pfscope::wire::writer::Writer;

const SAS: u32 = 10_000;

fn peer(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(0xc612_0000 + n)
}

/// An IKE_SA with one CHILD_SA, as charon writes them.
fn sa(n: u32) -> Section {
    let mut child = Section::new()
        .with("name", format!("net{n}"))
        .with("uniqueid", n.to_string())
        .with("reqid", n.to_string())
        .with("state", "INSTALLED")
        .with("mode", "TUNNEL")
        .with("protocol", "ESP")
        .with("encap", "yes")
        .with("spi-in", format!("{:08x}", n.wrapping_mul(0x9e37_79b9)))
        .with("spi-out", format!("{:08x}", n.wrapping_mul(0x85eb_ca6b) ^ 0x1234))
        .with("encr-alg", "AES_GCM_16")
        .with("encr-keysize", "256")
        .with("bytes-in", "123456789")
        .with("packets-in", "123456")
        .with("bytes-out", "123456789")
        .with("packets-out", "123456")
        .with("install-time", "60");
    let ts = |net: u32| format!("{}/24", Ipv4Addr::from(net));
    child.push_list("local-ts", ["192.168.0.0/16"]);
    child.push_list("remote-ts", [ts(0x0a00_0000 + (n << 8))]);
    let mut children = Section::new();
    children.push_section(format!("net{n}-{n}"), child);
    let mut ike = Section::new()
        .with("uniqueid", n.to_string())
        .with("version", "2")
        .with("state", "ESTABLISHED")
        .with("local-host", "192.0.2.1")
        .with("remote-host", peer(n).to_string())
        .with("initiator-spi", format!("{:016x}", u64::from(n) + 1))
        .with("responder-spi", "f39d12b7027021cb")
        .with("established", "60");
    ike.push_section("child-sas", children);
    let mut root = Section::new();
    root.push_section(format!("gw{n}"), ike);
    root
}

fn table(bodies: &[Vec<u8>]) -> Table {
    let mut table = Table::new(GRACE, Services::default());
    for body in bodies {
        table.event(Timestamp(0), b"list-sa", &codec::decode(body).unwrap());
    }
    table.listed(Timestamp(0), true);
    table
}

/// A packet of raw IP to the n-th net.
fn clear(n: u32) -> [u8; 28] {
    let mut packet = [0; 28];
    packet[..12].copy_from_slice(&[0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0]);
    packet[12..16].copy_from_slice(&[192, 168, 3, 4]);
    packet[16..20].copy_from_slice(&(0x0a00_0007 + (n << 8)).to_be_bytes());
    packet[20..24].copy_from_slice(&[0, 99, 0, 53]);
    packet
}

fn event(data: &[u8]) -> Event<'_> {
    let frame = Frame::new(LinkType(101), data);
    decode(frame, ByteOrder::Little, Writer::new(ByteOrder::Little))
}

fn ipsec(c: &mut Criterion) {
    let bodies: Vec<Vec<u8>> = (0..SAS).map(|n| codec::encode(&sa(n)).unwrap()).collect();
    let begin = Instant::now();
    let known = table(&bodies);
    let index = known.index();
    eprintln!("ipsec: {} CHILD_SAs decoded and indexed in {:?}", index.len(), begin.elapsed());

    let mut group = c.benchmark_group("ipsec");
    group.sample_size(10).throughput(Throughput::Elements(SAS.into()));
    group.bench_function("list", |b| b.iter(|| black_box(table(&bodies)).index().len()));
    group.bench_function("index", |b| {
        b.iter_batched(|| (), |()| black_box(known.index()).len(), BatchSize::LargeInput);
    });
    let hosts = |n| (Some(IpAddr::V4(peer(n))), Some(Ipv4Addr::new(192, 0, 2, 1).into()));
    group.bench_function("by-spi", |b| {
        b.iter(|| {
            for n in 0..SAS {
                let spi = n.wrapping_mul(0x9e37_79b9);
                let found = index.by_spi(50, spi, hosts(n), Timestamp(0)).unwrap();
                assert_eq!(found.uniqueid, black_box(n));
            }
        });
    });
    group.bench_function("by-spi-unknown", |b| {
        b.iter(|| {
            for n in 0..SAS {
                let spi = n.wrapping_mul(0x9e37_79b9) + 1;
                let found = index.by_spi(50, black_box(spi), hosts(n), Timestamp(0));
                assert!(found.is_none_or(|found| found.uniqueid != n));
            }
        });
    });
    let packets: Vec<_> = (0..SAS).map(clear).collect();
    let events: Vec<_> = packets.iter().map(|packet| event(packet)).collect();
    group.bench_function("by-selector", |b| {
        b.iter(|| {
            for event in &events {
                assert_eq!(black_box(index.packet(event)).unwrap().by, By::Selector);
            }
        });
    });
    group.finish();
}

criterion_group!(benches, ipsec);
criterion_main!(benches);
