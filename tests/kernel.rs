//! The kernel's part of a filter against the whole: for random expressions and random frames,
//! whatever the expression is true of passes the kernel's program.
#![cfg(feature = "live")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test may panic anywhere"
)]

mod common;

use std::path::PathBuf;

use common::{each_event, testdata};
use pcap::{Capture, Linktype};
use pfscope::event::Event;
use pfscope::filter::Filter;
use pfscope::wire::link::LinkType;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{TestCaseError, TestRunner};

const ETHERNET: u32 = LinkType::ETHERNET.0;
const PFLOG: u32 = LinkType::PFLOG.0;

/// Link type, and the bytes as they were on the wire.
type Sample = (u32, Vec<u8>);

/// Frames, and words that are true of some of them.
#[derive(Default)]
struct Samples {
    frames: Vec<Sample>,
    words: Vec<String>,
}

impl Samples {
    /// Every Ethernet and pflog frame of the captures.
    fn captured() -> Self {
        let mut all = Self::default();
        for folder in ["genuine", "pflog", "pfsync"] {
            let mut files: Vec<PathBuf> =
                testdata(folder).read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
            files.sort();
            for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "pcap")) {
                let Ok(_) = pfscope::capture::file::File::open(file) else { continue };
                each_event(file, |event| {
                    if [ETHERNET, PFLOG].contains(&event.frame.link.0) {
                        all.add(event);
                    }
                });
            }
        }
        all.sorted()
    }

    /// Those that are made here.
    fn made() -> Self {
        let mut all = Self::default();
        made().iter().for_each(|frame| all.add(&common::event(ETHERNET, frame)));
        all.sorted()
    }

    fn add(&mut self, event: &Event<'_>) {
        self.frames.push((event.frame.link.0, event.frame.data.to_vec()));
        words_of(event, &mut self.words);
    }

    fn sorted(mut self) -> Self {
        self.frames.sort();
        self.frames.dedup();
        self.words.sort();
        self.words.dedup();
        // A name in a capture may be longer than a word of the language can be.
        self.words.retain(|word| Filter::parse_numeric(word).is_ok());
        assert!(self.frames.len() > 50 && self.words.len() > 50);
        self
    }
}

/// Words that are true of a frame, or nearly.
fn words_of(event: &Event<'_>, atoms: &mut Vec<String>) {
    if let Some(packet) = &event.packet {
        for address in [packet.ip.src, packet.ip.dst].into_iter().flatten() {
            let bits = if address.is_ipv4() { [8, 24, 31] } else { [16, 64, 127] };
            atoms.push(format!("host {address}"));
            atoms.push(format!("src host {address}"));
            atoms.push(format!("dst host {address}"));
            let masked = |bits: u32| match address {
                std::net::IpAddr::V4(a) => {
                    let bits = u32::from(a) & u32::MAX.checked_shl(32 - bits).unwrap_or(0);
                    format!("{}", std::net::Ipv4Addr::from(bits))
                }
                std::net::IpAddr::V6(a) => {
                    let bits = u128::from(a) & u128::MAX.checked_shl(128 - bits).unwrap_or(0);
                    format!("{}", std::net::Ipv6Addr::from(bits))
                }
            };
            atoms.extend(bits.map(|n| format!("net {}/{n}", masked(n))));
        }
        atoms.extend(packet.ip.proto.map(|n| format!("proto {n}")));
        atoms.extend(packet.ip.proto.map(|n| format!("ip6 proto {n}")));
        if let Some(ports) = packet.ports() {
            let (src, dst) = (ports.src, ports.dst);
            atoms.extend([
                format!("port {src}"),
                format!("dst port {dst}"),
                format!("tcp src port {src}"),
                format!("src and dst port {dst}"),
                format!("udp portrange {}-{}", dst.saturating_sub(9), dst.saturating_add(9)),
            ]);
        }
        atoms.extend(
            [packet.esp(), packet.ah].into_iter().flatten().map(|sa| format!("spi {}", sa.spi)),
        );
    }
    if let Some(pf) = &event.pflog {
        let text = |bytes: &[u8]| {
            String::from_utf8(bytes.to_vec())
                .ok()
                .filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric()))
        };
        if let Some(name) = text(pf.ifname) {
            atoms.extend([format!("ifname {name}"), format!("ifname {}*", &name[..1])]);
            atoms.push(format!("ifname ?{}", &name[1..]));
        }
        atoms.extend(text(pf.ruleset).map(|name| format!("ruleset {name}")));
        atoms.extend(pf.rulenr.map(|n| format!("rnr {n}")));
        atoms.extend(pf.subrulenr.map(|n| format!("srnr {n}")));
        atoms.push(format!("reason {}", pf.reason.0));
        atoms.extend(pf.action.name(pf.systems).map(|name| format!("action {name}")));
        atoms.extend(pf.reason.name(pf.systems).map(|name| format!("reason {name}")));
    }
    atoms.extend(
        [
            "ip",
            "ip6",
            "arp",
            "rarp",
            "tcp",
            "udp",
            "esp",
            "ah",
            "icmp",
            "icmp6",
            "carp",
            "pfsync",
            "truncated",
            "undecoded",
            "suspect",
            "rewritten",
            "inbound",
            "outbound",
            "rnr def",
            "sync ins",
            "creator deadbeef",
            "uid 0",
            "action pass",
            "action block",
            "action match",
            "proto 17",
            "port 4500",
            "host 0.0.0.0",
            "net 0.0.0.0/0",
            "net ::/0",
        ]
        .map(str::to_owned),
    );
}

/// Frames of what the captures have little of.
fn made() -> Vec<Vec<u8>> {
    let udp = [0x11, 0x94, 0, 53, 0, 16, 0, 0, 0, 0, 0x10, 1, 0, 0, 0, 9];
    let tcp = [0, 22, 0x9c, 0x41, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0x40, 0, 0, 0, 0, 0];
    let esp = [0, 0, 0x10, 1, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8];
    let ah = [6, 4, 0, 0, 0, 0, 0x10, 2, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9];
    let v4 = |proto: u8, options: usize, frag: u16, payload: &[u8]| {
        let len = u16::try_from(20 + options + payload.len()).unwrap().to_be_bytes();
        let (first, frag) = (0x45 + u8::try_from(options / 4).unwrap(), frag.to_be_bytes());
        let mut ip = vec![first, 0, len[0], len[1], 0, 1, frag[0], frag[1], 64, proto, 0, 0];
        ip.extend([10, 1, 2, 3, 192, 0, 2, 9]);
        ip.extend(vec![1; options]);
        (0x0800_u16, [&ip, payload].concat())
    };
    let v6 = |next: u8, payload: &[u8]| {
        let len = u16::try_from(payload.len()).unwrap().to_be_bytes();
        let mut ip = vec![0x60, 0, 0, 0, len[0], len[1], next, 64];
        ip.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        ip.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        (0x86dd_u16, [&ip, payload].concat())
    };
    let extended = |next: u8, payload: &[u8]| [&[next, 0, 1, 4, 0, 0, 0, 0][..], payload].concat();
    let packets = [
        v4(17, 0, 0, &udp),
        v4(6, 0, 0x4000, &tcp),
        v4(6, 8, 0, &tcp),
        v4(132, 0, 0x2000, &udp),
        v4(17, 0, 0x00b9, &udp),
        v4(50, 0, 0, &esp),
        v4(51, 0, 0, &[&ah[..], &tcp].concat()),
        v4(240, 0, 0, &[6, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        v4(240, 0, 0x2000, &udp),
        v6(17, &udp),
        v6(6, &tcp),
        v6(50, &esp),
        v6(0, &extended(6, &tcp)),
        v6(44, &extended(17, &udp)),
        v6(60, &extended(44, &extended(240, &udp))),
        v6(51, &[&ah[..], &tcp].concat()),
        // IPv6 where the ethertype says IPv4, and the other way round.
        (0x0800, v6(6, &tcp).1),
        (0x86dd, v4(6, 0, 0, &tcp).1),
        (
            0x0806,
            vec![
                0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 1, 2, 3, 0, 0, 0, 0, 0, 0, 10, 1, 2,
                4,
            ],
        ),
        (0x0026, vec![0x42, 0x42, 3, 0, 0, 0, 0, 0, 0]),
    ];
    let ends = [1, 0, 0x5e, 0, 0, 0xf0, 2, 0, 0, 0, 0, 1];
    let mut frames = Vec::new();
    for (ethertype, packet) in packets {
        for tags in [&[][..], &[0x81, 0, 0, 7], &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 8]] {
            let [hi, lo] = ethertype.to_be_bytes();
            let mut frame = [&ends[..], tags, &[hi, lo], &packet].concat();
            frames.push(frame.clone());
            // Padded as Ethernet does.
            frame.resize(frame.len().max(60), 0);
            frames.push(frame);
        }
    }
    frames
}

/// The frame as Linux shows it to a filter: the first tag is gone.
fn untagged(frame: &[u8]) -> Option<Vec<u8>> {
    let tag = frame.get(12..14)?;
    let tagged = tag == [0x81, 0] || tag == [0x88, 0xa8];
    tagged.then(|| [&frame[..12], frame.get(16..).unwrap_or_default()].concat())
}

/// What a kernel program says of frames, and what the whole filter says.
struct Both {
    filter: Filter,
    programs: [Option<pcap::BpfProgram>; 2],
}

impl Both {
    fn new(expression: &str) -> Self {
        let filter =
            Filter::parse_numeric(expression).unwrap_or_else(|e| panic!("{expression}: {e}"));
        let program = |link: u32| {
            let text = filter.kernel(LinkType(link))?;
            let capture = Capture::dead(Linktype(link.cast_signed())).unwrap();
            Some(
                capture
                    .compile(&text, true)
                    .unwrap_or_else(|e| panic!("{expression}: {text}: {e}")),
            )
        };
        Self { programs: [program(ETHERNET), program(PFLOG)], filter }
    }

    fn passes(&self, link: u32, frame: &[u8]) -> bool {
        let program = &self.programs[usize::from(link == PFLOG)];
        program.as_ref().is_none_or(|program| program.filter(frame))
    }

    /// Fails if the kernel would drop what matches; true if it drops.
    fn check(&self, expression: &str, link: u32, frame: &[u8]) -> Result<bool, TestCaseError> {
        let matches = self.filter.matches(&common::event(link, frame));
        let passes = self.passes(link, frame);
        prop_assert!(passes || !matches, "{expression}: {link} {frame:02x?}");
        if let Some(bare) = untagged(frame).filter(|_| link == ETHERNET) {
            prop_assert!(
                self.passes(link, &bare) || !matches,
                "{expression}: untagged {frame:02x?}"
            );
        }
        Ok(!passes)
    }
}

fn expressions(captured: Vec<String>, made: Vec<String>) -> impl Strategy<Value = String> {
    let lengths = (select(vec!["less", "greater"]), 30..130_u32);
    let word = prop_oneof![
        1 => lengths.prop_map(|(word, n)| format!("{word} {n}")),
        3 => select(captured),
        5 => select(made),
    ];
    word.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|expression| format!("not ({expression})")),
            (inner.clone(), select(vec!["and", "or"]), inner)
                .prop_map(|(a, op, b)| format!("({a}) {op} ({b})")),
        ]
    })
}

#[test]
fn what_matches_passes_the_kernel() {
    let (captured, made) = (Samples::captured(), Samples::made());
    let spoil = prop_oneof![
        3 => Just(Vec::new()),
        1 => prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
    ];
    let strategy = (
        expressions(captured.words, made.words),
        prop::collection::vec(
            (any::<(bool, Index)>(), spoil, prop::option::weighted(0.1, any::<Index>())),
            60,
        ),
    );
    let dropped = std::cell::Cell::new(0_u64);
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 6000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let outcome = runner.run(&strategy, |(expression, chosen)| {
        let both = Both::new(&expression);
        for ((here, which), spoil, cut) in chosen {
            let frames = if here { &made.frames } else { &captured.frames };
            let (link, mut frame) = which.get(frames).clone();
            for (at, byte) in spoil {
                // Where headers are.
                let len = frame.len().min(110);
                if len > 0 {
                    frame[at.index(len)] = byte;
                }
            }
            if let Some(cut) = cut {
                frame.truncate(cut.index(frame.len() + 1));
            }
            dropped.set(dropped.get() + u64::from(both.check(&expression, link, &frame)?));
        }
        Ok(())
    });
    outcome.unwrap();
    assert!(dropped.get() > 5_000, "the kernel drops next to nothing: {}", dropped.get());
}

/// Of frames in which nothing is odd, the kernel lets through what matches and no other.
#[test]
fn of_plain_frames_the_kernel_knows_all() {
    let frame = |proto: u8, sport: u16, dport: u16| {
        let ([a, b], [c, d]) = (sport.to_be_bytes(), dport.to_be_bytes());
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 40, 0, 1, 0, 0];
        frame.extend([64, proto, 0, 0, 10, 1, 2, 3, 192, 0, 2, 9, a, b, c, d]);
        frame.resize(60, 0);
        frame
    };
    let frames = [frame(6, 40001, 22), frame(17, 53, 9999), frame(50, 0, 4097), frame(1, 2048, 0)];
    for (expression, passing) in [
        ("tcp port 22", [true, false, false, false]),
        ("not port 22", [false, true, true, true]),
        ("udp and host 10.1.2.3", [false, true, false, false]),
        ("not host 10.1.2.3", [false; 4]),
        ("net 192.0.2.0/24 and not (udp or icmp)", [true, false, true, false]),
        ("ip6 or arp", [false; 4]),
        ("pfsync", [false; 4]),
        ("action block or port 53", [false, true, false, false]),
        ("esp", [false, false, true, false]),
        ("spi 4097", [false, true, true, false]),
        ("less 59", [false; 4]),
        ("greater 60 and src portrange 50-60", [false, true, false, false]),
    ] {
        let both = Both::new(expression);
        let passes = frames.each_ref().map(|frame| both.passes(ETHERNET, frame));
        assert_eq!(passes, passing, "{expression}");
    }
    let both = Both::new("action block and on pair0");
    let mut dropped = 0;
    each_event(&testdata("genuine/openbsd80-pflog0.pcap"), |event| {
        dropped += u32::from(!both.passes(PFLOG, event.frame.data));
    });
    assert!(dropped > 0);
}
