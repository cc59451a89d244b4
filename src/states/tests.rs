//! Whole captures against the table.

use std::fs;
use std::io::Cursor;
use std::net::IpAddr;

use super::health::Kind;
use super::{
    Facts, Group, Guard, Health, Ops, Packet, Sort, Suspicion, Table, Verbosity, push_state,
};
use crate::capture::Batch;
use crate::capture::file::File;
use crate::event::Frame;
use crate::pf::SyncAction;
use crate::wire::pfsync;

/// The pfsync packet in a frame, with what its IP header says.
fn unwrap<'a>(frame: &Frame<'a>) -> Option<(Facts, pfsync::Pfsync<'a>)> {
    let skip = match (frame.link.0, frame.data.get(12..14)) {
        (1, Some([8, 0])) => 14,
        (1, Some([0x86, 0xdd])) => 14,
        (1, _) => return None,
        _ => 0,
    };
    let data = frame.data.get(skip..)?;
    let (at, ip) = match data.first()? >> 4 {
        4 if data.get(9) == Some(&240) => (20, Some((12, 4, 8))),
        6 if data.get(6) == Some(&240) => (40, Some((8, 16, 7))),
        0 => (0, None),
        _ => return None,
    };
    let header = pfsync::parse(data.get(at..)?, frame.len - skip - at).unwrap();
    let facts = Facts::bare(frame.ts, header.version, header.layout, frame.len - skip);
    let addr = |at: usize, len: usize| -> IpAddr {
        match len {
            4 => <[u8; 4]>::try_from(&data[at..at + 4]).unwrap().into(),
            _ => <[u8; 16]>::try_from(&data[at..at + 16]).unwrap().into(),
        }
    };
    let facts = ip.map_or(facts, |(src, len, ttl)| {
        facts.with_ip(addr(src, len), addr(src + len, len), data[ttl])
    });
    let station = frame.data.first_chunk().copied().filter(|_| skip == 14);
    Some((Facts { station, ..facts }, header))
}

/// Calls `each` with every packet.
fn read(name: &str, mut each: impl FnMut(Packet<'_>)) {
    let path = format!("{}/testdata/{name}", env!("CARGO_MANIFEST_DIR"));
    let bytes = fs::read(path).unwrap();
    let mut file = File::from_reader(name, Box::new(Cursor::new(bytes))).unwrap();
    let mut batch = Batch::default();
    loop {
        let more = file.fill(&mut batch).more;
        for (_, _, frame) in batch.frames() {
            let Some((facts, header)) = unwrap(&frame) else { continue };
            let faulty = header.messages().any(|message| message.is_err());
            let facts = Facts { faulty, ..facts };
            let mut ops = Ops::default();
            ops.add(facts, Some(&header));
            ops.packets().for_each(&mut each);
        }
        if !more {
            return;
        }
    }
}

fn print(table: &Table) -> String {
    let mut out = Vec::new();
    for entry in table.sorted(Sort::None) {
        push_state(&mut out, &entry.state(), Verbosity::VeryVerbose);
    }
    String::from_utf8(out).unwrap()
}

/// Everything but the guard, which only the capture made for it needs.
fn follow(name: &str) -> (Table, Health) {
    let mut table = Table::with_flows(1000);
    let mut health = Health::new();
    read(name, |packet| {
        health.frame(packet.facts);
        for group in packet.groups() {
            health.messages(&group);
            table.apply(&group, |op, outcome| health.outcome(&group, op, outcome));
        }
    });
    (table, health)
}

fn kinds(health: &Health) -> Vec<(Kind, u64)> {
    health.findings().iter().map(|finding| (finding.kind, finding.count)).collect()
}

/// The notes list 25 states made by 0x796ed1b8 and one asked of deadbeef; four are deleted, the
/// rest cleared by their creator.
#[test]
fn openbsd_s_capture_ends_as_its_notes_say() {
    for name in ["openbsd80-pfsync0", "openbsd80-pfsync0-dlt18", "openbsd80-sync-eth"] {
        let mut table = Table::with_flows(1000);
        let mut before = String::new();
        read(&format!("genuine/{name}.pcap"), |packet| {
            for message in packet.messages() {
                if message.action == SyncAction::Clr && before.is_empty() {
                    assert_eq!(table.len(), 22);
                    before = print(&table);
                }
                table.apply(&message, |_, _| {});
            }
        });
        let counters = table.counters();
        let ends = (counters.inserted, counters.adopted, counters.deleted, counters.cleared);
        assert_eq!(ends, (25, 1, 4, 21));
        assert_eq!((counters.updated, counters.compressed, counters.orphans), (24, 3, 0));
        for lines in [
            "all udp 203.0.113.9:60277 (10.1.2.3:40003) -> 198.51.100.20:53       SINGLE:NO_TRAFFIC\n",
            "all tcp 10.9.9.9:8080 (192.0.2.1:80) <- 192.0.2.10:40004       ESTABLISHED:ESTABLISHED\n   \
             [589825 + 1048576] wscale 6  [4115 + 16366] wscale 6\n   \
             age 00:00:23, expires in 23:59:36, 3:1 pkts, 158:60 bytes, rule 5\n   \
             id: 0000000000000001 creatorid: 796ed1b8\n",
            "all tcp 198.51.100.20:84 <- 192.0.2.10:40010       SYN_SENT:SYN_SENT\n   \
             [0 + 1](+2277702110) wscale 6  [8192 + 2](+1503850980) wscale 6\n",
            "all tcp 198.51.100.1:54946 (2001:db8:1::10[50000]) -> 198.51.100.7:443 (64:ff9b::c633:6407[443])       SYN_SENT:CLOSED\n",
            "all tcp 198.51.100.20:82 <- 192.0.2.10:42002       PROXY:SRC\n",
            "all udp 2001:db8:2::20[6666] <- 2001:db8:1::10[41004]       NO_TRAFFIC:SINGLE\n",
            "38:0 bytes, rule 8\n",
            ", anchor 16, rule 0\n",
            "rule 11, source-track\n",
        ] {
            assert!(before.contains(lines), "{lines}");
        }
        let left = print(&table);
        assert!(left.ends_with("   id: 1122334455667788 creatorid: deadbeef\n"), "{left}");
    }
}

/// Clears of `em0`, then of all; FreeBSD's captures go on with one state of IPv6.
#[test]
fn the_other_captures_end_as_their_notes_say() {
    for (name, inserted, updated, cleared) in [
        ("freebsd14-pfsync-1301", 9 + 5, 9, 5),
        ("freebsd15-pfsync-1500", 10 + 5, 9, 6),
        ("aerie-v4-pfsync0", 20, 25, 13),
    ] {
        let (table, _) = follow(&format!("genuine/{name}.pcap"));
        let counters = table.counters();
        assert_eq!(counters.inserted + counters.replaced, inserted, "{name}");
        assert_eq!((counters.updated, counters.cleared), (updated, cleared), "{name}");
        assert_eq!(table.len(), usize::from(name.starts_with("freebsd")), "{name}");
    }
}

/// The states after each packet, as the capture's recipe has them in its comments.
#[test]
fn a_firewall_s_states_are_there_when_they_should() {
    let expected: [&[u64]; 25] = [
        &[],
        &[],
        &[1, 2],
        &[1, 2, 3],
        &[1, 2, 3, 4],
        &[1, 2, 3, 4],
        &[1, 2, 3, 4],
        &[1, 2, 3, 4, 5, 6],
        &[1, 2, 3, 4, 5, 6],
        &[1, 2, 3, 4, 5, 6],
        &[1, 2, 3, 4, 5, 6],
        &[1, 2, 3, 4, 5, 6, 0x5555],
        &[1, 2, 3, 4, 5, 6, 0x5555],
        &[1, 2, 3, 4, 5, 0x5555],
        &[1, 2, 3, 5, 0x5555],
        &[1, 2, 3, 5, 8, 0x5555],
        &[3, 8, 0x5555],
        &[3, 8, 9, 0x5555],
        &[3, 8, 9, 0x5555],
        &[0x5555],
        &[0x5555],
        &[],
        &[],
        &[],
        &[],
    ];
    let mut table = Table::new(1000);
    let mut expected = expected.into_iter();
    read("pfsync/lifecycle.pcap", |packet| {
        packet.groups().for_each(|group| table.apply(&group, |_, _| {}));
        let mut ids: Vec<_> = table.entries().map(|entry| entry.ids().id).collect();
        ids.sort_unstable();
        assert_eq!(ids, expected.next().unwrap(), "{:?}", packet.facts.ts);
    });
    assert_eq!((table.counters().orphans, table.counters().missing), (1, 1));
}

#[test]
fn a_sound_pair_gives_no_finding() {
    for name in ["pfsync/pair.pcap", "pfsync/pair-freebsd.pcap"] {
        let (table, health) = follow(name);
        assert_eq!((kinds(&health), table.len()), (vec![], 1));
        let report = health.report();
        let senders: Vec<_> = report.senders.iter().map(|node| &node.sender[..]).collect();
        assert_eq!(senders, ["192.0.2.241", "192.0.2.242"]);
        let bulks: Vec<_> = report.creators.iter().flat_map(|creator| &creator.bulks).collect();
        assert_eq!((bulks.len(), bulks[0].seconds, bulks[0].states), (1, Some(0.02), 1));
        assert_eq!(report.senders[1].messages["ins_ack"], 4);
    }
}

#[test]
fn what_is_wrong_is_found() {
    let found = |name| kinds(&follow(name).1);
    assert_eq!(found("pfsync/one-way.pcap"), [(Kind::OneWay, 3)]);
    let storm = [(Kind::RequestFlood, 25), (Kind::UpdateStorm, 2)];
    assert_eq!(found("pfsync/storm.pcap"), storm);
    // 2.5 s, 4 s, 8 s, and 5 s: half the sequence space at once is a step back.
    assert_eq!(found("pfsync/regression.pcap"), [(Kind::Regression, 4)]);
    // Three layouts are spoken.
    assert_eq!(found("pfsync/versions.pcap"), [(Kind::VersionMismatch, 3)]);
    assert_eq!(found("genuine/openbsd80-sync-eth.pcap"), [(Kind::OneWay, 12)]);
    assert_eq!(found("genuine/openbsd80-pfsync0.pcap"), []);
}

#[test]
fn a_finding_is_a_sentence_and_json() {
    let (_, health) = follow("pfsync/one-way.pcap");
    let report = serde_json::to_value(health.report()).unwrap();
    let finding = &report["findings"][0];
    assert_eq!((&finding["kind"], &finding["severity"]), (&"one_way".into(), &"error".into()));
    assert_eq!((&finding["sender"], &finding["count"]), (&"192.0.2.241".into(), &3.into()));
    assert_eq!(
        finding["sentence"],
        "192.0.2.241 asked 3 times for all states and was not answered 3 times: its peer is down, \
         does not hear it, or its answers are lost."
    );
}

#[test]
fn a_forged_packet_is_suspicious() {
    let peers = ["192.0.2.241", "192.0.2.242"].map(|addr| addr.parse().unwrap());
    let mut guard = Guard::new(peers.into());
    let mut found = Vec::new();
    let mut start = None;
    read("pfsync/spoof.pcap", |packet| {
        let start = start.get_or_insert(packet.facts.ts.0);
        let mut add = |suspicion: Suspicion| {
            found.push(((packet.facts.ts.0 - *start) / 1_000_000_000, suspicion.name()));
        };
        guard.check(packet.facts).for_each(&mut add);
        packet.groups().for_each(|group| guard.follow(&group, &mut add));
    });
    let expected = [
        (10, "sender"),
        (20, "ttl"),
        (30, "group"),
        (31, "group"),
        (40, "station"),
        (41, "sender"),
        (41, "unicast"),
        (50, "creator"),
        (51, "clear"),
    ];
    assert_eq!(found, expected);
    let mut guard = Guard::new(peers.into());
    for name in ["pfsync/pair.pcap", "pfsync/pair-freebsd.pcap"] {
        read(name, |packet| {
            assert_eq!(guard.check(packet.facts).next(), None);
            packet.groups().for_each(|group| guard.follow(&group, |found| panic!("{found:?}")));
        });
    }
}

/// The captures of each layout have every odd state there can be.
#[test]
fn every_state_is_printed_without_a_control_byte() {
    let layouts = ["openbsd5", "openbsd6", "freebsd1301", "freebsd1400", "freebsd1500"];
    let mut all = String::new();
    for name in layouts.into_iter().chain(["v1-ilp32-le", "v1-lp64-be", "v2", "v3", "v4"]) {
        let mut table = Table::new(1000);
        read(&format!("pfsync/{name}.pcap"), |packet| {
            let wanted =
                |group: &Group<'_>| matches!(group.action, SyncAction::Ins | SyncAction::Upd);
            packet.groups().filter(wanted).for_each(|group| table.apply(&group, |_, _| {}));
        });
        assert_eq!(table.is_empty(), name.starts_with("v1"), "{name}");
        all.push_str(&print(&table));
    }
    assert!(all.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)));
    for part in ["\\x1b", " (", "->", "<-", "PROXY:", "]", " wscale ", ", sloppy", "?:"] {
        assert!(all.contains(part), "{part}\n{all}");
    }
}
