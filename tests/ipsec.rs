//! Packets and their tunnels, from what strongSwan said while the packets passed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test may panic anywhere"
)]

mod common;
#[path = "common/recorded.rs"]
mod recorded;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use common::{each_event, testdata};
use pfscope::event::{By, Event, Ipsec};
use pfscope::ipsec::journal::Journal;
use pfscope::ipsec::services::Services;
use pfscope::ipsec::{GRACE, Index, Table};
use pfscope::pf::Direction;
use pfscope::time::Timestamp;
use pfscope::vici::message::Section;
use serde_json::Value;

const SECOND: i64 = 1_000_000_000;

/// What the recorded daemon called them: SPI, direction, number of the CHILD_SA.
const SPIS: [(u32, Direction, u32); 6] = [
    (0xd8a1_7798, Direction::IN, 1),
    (0x39f9_3f4f, Direction::OUT, 1),
    (0xfba4_a384, Direction::IN, 2),
    (0xca31_b6a2, Direction::OUT, 2),
    (0xc51b_dee1, Direction::IN, 3),
    (0x29a4_0ec4, Direction::OUT, 3),
];

fn index() -> Index {
    let folder = tempfile::tempdir().unwrap();
    let mut read = Journal::new(GRACE);
    let trouble = read.add(&recorded::journal(folder.path())).unwrap();
    assert_eq!(trouble, pfscope::ipsec::journal::Trouble::default());
    read.index()
}

fn names(ipsec: &Ipsec<'_>) -> (String, Option<String>) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(ipsec.ike), ipsec.child.map(|child| text(child.name)))
}

#[test]
fn every_esp_packet_of_two_rekeys_has_its_child_sa() {
    let index = index();
    let (mut esp, mut ike, mut other) = (BTreeMap::new(), 0, 0);
    each_event(&testdata("ipsec/598-rekey.veth.pcap"), |event| {
        let packet = event.packet.as_ref();
        let found = index.packet(event);
        if let Some(sa) = packet.and_then(|packet| packet.esp()) {
            let found = found.unwrap_or_else(|| panic!("frame {}", event.frame.number));
            let (_, dir, uniqueid) = SPIS.into_iter().find(|(spi, ..)| *spi == sa.spi).unwrap();
            assert_eq!((found.by, found.dir, found.uniqueid), (By::Spi, Some(dir), uniqueid));
            assert_eq!(names(&found), ("site".to_owned(), Some("net1".to_owned())));
            *esp.entry(sa.spi).or_insert(0) += 1;
        } else if packet.is_some_and(|packet| packet.ike().is_some()) {
            let found = found.unwrap_or_else(|| panic!("frame {}", event.frame.number));
            assert_eq!((found.by, found.child), (By::Ike, None));
            ike += 1;
        } else {
            assert_eq!(found, None, "frame {}", event.frame.number);
            other += 1;
        }
    });
    assert_eq!(esp.values().sum::<i32>(), 240);
    assert_eq!((esp.len(), ike + other), (6, 24));
    assert!(ike >= 10, "{ike}");
}

#[test]
fn what_is_in_the_clear_is_found_by_its_addresses() {
    let index = index();
    let (mut directions, mut sas) = (BTreeMap::new(), BTreeMap::new());
    each_event(&testdata("ipsec/598-rekey.tun.pcap"), |event| {
        let found = index.packet(event).unwrap_or_else(|| panic!("frame {}", event.frame.number));
        assert_eq!(found.by, By::Selector);
        let from_here = event.packet.unwrap().ip.src == Some("10.1.0.1".parse().unwrap());
        let dir = if from_here { Direction::OUT } else { Direction::IN };
        assert_eq!(found.dir, Some(dir));
        *directions.entry(dir.0).or_insert(0) += 1;
        *sas.entry(found.uniqueid).or_insert(0) += 1;
    });
    assert_eq!(directions.into_values().collect::<Vec<_>>(), [120, 120]);
    // The new one counts from the moment it is told of.
    assert_eq!(sas.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn what_was_not_there_yet_or_is_there_no_more_has_no_tunnel() {
    let index = index();
    let first = 1_795_290_604 * SECOND;
    let (src, dst) = ("192.0.2.2".parse().unwrap(), "192.0.2.1".parse().unwrap());
    let at = |seconds: i64| {
        index.by_spi(50, 0xd8a1_7798, (Some(src), Some(dst)), Timestamp(first + seconds * SECOND))
    };
    assert!(at(0).is_some());
    assert!(at(-2).is_none());
    assert!(at(11).is_some(), "10 s of grace after the rekey");
    assert!(at(13).is_none());
    let now = Timestamp(first);
    let elsewhere = Some("198.51.100.1".parse().unwrap());
    let spi = |src, dst| index.by_spi(50, 0xd8a1_7798, (src, dst), now).is_some();
    assert!(spi(None, Some(dst)), "pfsync's tdb has the destination only");
    assert!(spi(elsewhere, Some(dst)), "behind a NAT");
    assert!(!spi(elsewhere, elsewhere), "an SPI alone is nobody's");
    assert!(!spi(Some(dst), Some(src)), "the other way");
    assert!(index.by_spi(51, 0xd8a1_7798, (Some(src), Some(dst)), now).is_none(), "AH");
}

fn ike(uniqueid: u32, hosts: (&str, &str)) -> Section {
    Section::new()
        .with("uniqueid", uniqueid.to_string())
        .with("local-host", hosts.0)
        .with("remote-host", hosts.1)
        .with("initiator-spi", "00000000000000aa")
        .with("responder-spi", "00000000000000bb")
}

fn child(uniqueid: u32, spi_in: u32, ts: (&str, &str), bytes: u64) -> Section {
    let mut child = Section::new()
        .with("name", "net")
        .with("uniqueid", uniqueid.to_string())
        .with("reqid", "1")
        .with("state", "INSTALLED")
        .with("mode", "TUNNEL")
        .with("spi-in", format!("{spi_in:08x}"))
        .with("spi-out", format!("{:08x}", spi_in + 1))
        .with("bytes-in", bytes.to_string());
    child.push_list("local-ts", [ts.0]);
    child.push_list("remote-ts", [ts.1]);
    child
}

const NETS: (&str, &str) = ("10.1.0.0/16", "10.2.0.0/16");
const HOSTS: (&str, &str) = ("192.0.2.1", "192.0.2.2");

/// A message about an IKE_SA and its CHILD_SAs.
fn told(mut ike: Section, children: Vec<Section>) -> Section {
    let mut all = Section::new();
    for child in children {
        all.push_section("net", child);
    }
    ike.push_section("child-sas", all);
    let mut root = Section::new();
    root.push_section("gw", ike);
    root
}

fn table() -> Table {
    Table::new(GRACE, Services::default())
}

/// The number of the SA that a packet to this host is of.
fn at(table: &Table, spi: u32, (local, remote): (&str, &str), seconds: i64) -> Option<u32> {
    let hosts = (Some(remote.parse().unwrap()), Some(local.parse().unwrap()));
    let index = table.index();
    let found = index.by_spi(50, spi, hosts, Timestamp(seconds * SECOND));
    found.map(|found| found.uniqueid)
}

#[test]
fn a_restarted_daemon_begins_at_one_again() {
    let mut table = table();
    let sa = |spi| told(ike(1, HOSTS), vec![child(1, spi, NETS, 0)]);
    table.event(Timestamp(0), b"list-sa", &sa(100));
    table.listed(Timestamp(0), true);
    table.gone(Timestamp(100 * SECOND));
    assert_eq!(at(&table, 100, HOSTS, 109), Some(1), "its packets still come");
    assert_eq!(at(&table, 100, HOSTS, 111), None);
    table.event(Timestamp(120 * SECOND), b"list-sa", &sa(200));
    table.listed(Timestamp(120 * SECOND), true);
    assert_eq!(at(&table, 200, HOSTS, 500), Some(1));
    assert_eq!(at(&table, 100, HOSTS, 500), None);
    // The connection alone was lost: what is listed again is there again.
    table.gone(Timestamp(600 * SECOND));
    table.event(Timestamp(620 * SECOND), b"list-sa", &sa(200));
    table.listed(Timestamp(620 * SECOND), true);
    assert_eq!(at(&table, 200, HOSTS, 900), Some(1));
    table.forget(Timestamp(900 * SECOND));
    assert_eq!(table.index().len(), 1);
}

#[test]
fn what_a_complete_list_lacks_has_ended() {
    let mut table = table();
    let both = vec![child(1, 100, NETS, 0), child(2, 200, NETS, 0)];
    table.event(Timestamp(0), b"list-sa", &told(ike(1, HOSTS), both));
    table.listed(Timestamp(0), true);
    let one = told(ike(1, HOSTS), vec![child(2, 200, NETS, 0)]);
    table.event(Timestamp(30 * SECOND), b"list-sa", &one);
    table.listed(Timestamp(30 * SECOND), false);
    assert_eq!(at(&table, 100, HOSTS, 60), Some(1), "the list was not complete");
    table.event(Timestamp(60 * SECOND), b"list-sa", &one);
    table.listed(Timestamp(60 * SECOND), true);
    assert_eq!((at(&table, 100, HOSTS, 69), at(&table, 100, HOSTS, 71)), (Some(1), None));
    assert_eq!(at(&table, 200, HOSTS, 1000), Some(2));
}

#[test]
fn addresses_follow_the_peer() {
    let mut table = table();
    let moved = ("192.0.2.1", "198.51.100.7");
    table.event(
        Timestamp(0),
        b"child-updown",
        &told(ike(1, HOSTS), vec![child(1, 100, NETS, 0)]).with("up", "yes"),
    );
    let mut update = told(ike(1, HOSTS), Vec::new());
    update.push_value("local-host", moved.0);
    update.push_value("remote-host", moved.1);
    table.event(Timestamp(50 * SECOND), b"ike-update", &update);
    let out = |(local, remote): (&str, &str), seconds: i64| {
        let hosts = (Some(local.parse().unwrap()), Some(remote.parse().unwrap()));
        let index = table.index();
        let found = index.by_spi(50, 101, hosts, Timestamp(seconds * SECOND));
        found.map(|found| found.uniqueid)
    };
    let elsewhere = ("203.0.113.1", moved.1);
    assert_eq!((out(elsewhere, 40), out(elsewhere, 60)), (None, Some(1)));
    let before = ("203.0.113.1", HOSTS.1);
    assert_eq!((out(before, 40), out(before, 55), out(before, 61)), (Some(1), Some(1), None));
}

#[test]
fn child_sas_move_to_the_new_ike_sa_and_end_with_it() {
    let mut table = table();
    table.event(Timestamp(0), b"list-sa", &told(ike(1, HOSTS), vec![child(5, 100, NETS, 0)]));
    let mut both = Section::new();
    both.push_section("old", ike(1, HOSTS));
    both.push_section("new", ike(2, HOSTS));
    let mut rekey = Section::new();
    rekey.push_section("gw", both);
    table.event(Timestamp(10 * SECOND), b"ike-rekey", &rekey);
    table.event(Timestamp(30 * SECOND), b"ike-updown", &told(ike(1, HOSTS), Vec::new()));
    assert_eq!(at(&table, 100, HOSTS, 100), Some(5), "it is the old one's no more");
    table.event(Timestamp(50 * SECOND), b"ike-updown", &told(ike(2, HOSTS), Vec::new()));
    assert_eq!((at(&table, 100, HOSTS, 60), at(&table, 100, HOSTS, 61)), (Some(5), None));
}

#[test]
fn the_same_spi_of_two_peers() {
    let mut table = table();
    let others = ("192.0.2.1", "192.0.2.3");
    let other =
        told(ike(2, others).with("x", "y"), vec![child(2, 100, ("10.1.0.0/16", "10.3.0.0/16"), 0)]);
    table.event(Timestamp(0), b"list-sa", &told(ike(1, HOSTS), vec![child(1, 100, NETS, 0)]));
    table.event(Timestamp(0), b"list-sa", &other);
    assert_eq!(at(&table, 100, HOSTS, 5), Some(1));
    assert_eq!(at(&table, 100, others, 5), Some(2));
}

#[test]
fn totals_go_on_over_rekeys_and_restarts() {
    let mut table = table();
    let bytes = |table: &Table| {
        let tunnels = table.totals().tunnels();
        let [(name, total)] = &tunnels.iter().collect::<Vec<_>>()[..] else {
            panic!("{tunnels:?}")
        };
        assert_eq!((&*name.ike, &*name.child, name.reqid), (&b"gw"[..], &b"net"[..], Some(1)));
        (total.counters.bytes_in, total.sas)
    };
    let list = |table: &mut Table, seconds: i64, children: Vec<Section>| {
        table.event(Timestamp(seconds * SECOND), b"list-sa", &told(ike(1, HOSTS), children));
        table.listed(Timestamp(seconds * SECOND), true);
    };
    list(&mut table, 0, vec![child(1, 100, NETS, 1000)]);
    list(&mut table, 30, vec![child(1, 100, NETS, 1500)]);
    assert_eq!(bytes(&table), (1500, 1));
    list(&mut table, 60, vec![child(1, 100, NETS, 1600), child(2, 200, NETS, 10)]);
    list(&mut table, 90, vec![child(2, 200, NETS, 20)]);
    assert_eq!(bytes(&table), (1620, 2));
    table.gone(Timestamp(100 * SECOND));
    list(&mut table, 120, vec![child(2, 200, NETS, 30)]);
    assert_eq!(bytes(&table), (1630, 2), "it was the connection that was lost");
    table.gone(Timestamp(130 * SECOND));
    list(&mut table, 150, vec![child(1, 300, NETS, 7)]);
    assert_eq!(bytes(&table), (1637, 3));
}

#[test]
fn the_most_specific_selectors_win() {
    let mut table = table();
    let sas = [
        (1, ("0.0.0.0/0", "0.0.0.0/0")),
        (2, ("10.1.0.0/16", "10.2.0.0/16")),
        (3, ("10.1.0.0/16[tcp]", "10.2.0.0/16[tcp/443]")),
        (4, ("10.1.0.1/32", "10.2.0.1..10.2.0.6")),
        (5, ("2001:db8:1::/48", "2001:db8:2::/48")),
        (6, ("10.1.0.0/16[udp]", "10.2.0.0/16[udp/1000-2000]")),
        (7, ("10.9.0.0/16[icmp/8(0)]", "10.2.0.0/16[icmp/8(0)]")),
    ];
    let children = sas.iter().map(|&(id, ts)| child(id, 1000 * id, ts, 0)).collect();
    table.event(Timestamp(0), b"list-sa", &told(ike(1, HOSTS), children));
    let index = table.index();
    for (src, dst, proto, ports, expected) in [
        ("10.1.0.9", "10.2.9.9", 6, Some((5, 443)), (2 + 1, Some(Direction::OUT))),
        ("10.2.9.9", "10.1.0.9", 6, Some((443, 5)), (3, Some(Direction::IN))),
        ("10.1.0.9", "10.2.9.9", 6, Some((443, 5)), (2, Some(Direction::OUT))),
        ("10.1.0.9", "10.2.9.9", 17, Some((5, 443)), (2, Some(Direction::OUT))),
        ("10.1.0.9", "10.2.9.9", 17, Some((5, 1500)), (6, Some(Direction::OUT))),
        ("10.1.0.1", "10.2.0.6", 17, Some((5, 1500)), (4, Some(Direction::OUT))),
        ("10.1.0.1", "10.2.0.7", 1, None, (2, Some(Direction::OUT))),
        ("2001:db8:2::1", "2001:db8:1::1", 58, None, (5, Some(Direction::IN))),
        // Both ways alike: nothing tells the direction.
        ("8.8.8.8", "9.9.9.9", 17, Some((1, 2)), (1, None)),
    ] {
        let frame = packet(src, dst, proto, ports);
        let frame = common::frame(101, &frame);
        let event = common::alone(frame, pfscope::wire::ByteOrder::Little);
        let found = index.packet(&event).unwrap_or_else(|| panic!("{src} {dst} {proto}"));
        assert_eq!((found.uniqueid, found.dir), expected, "{src} {dst} {proto} {ports:?}");
    }
    let none = packet("2001:db8:3::1", "2001:db8:1::1", 58, None);
    assert_eq!(index.packet(&common::event(101, &none)), None);
    // ESP between the daemon's hosts is never in a tunnel of 0.0.0.0/0.
    let esp = packet("192.0.2.1", "192.0.2.2", 50, Some((0, 77)));
    assert_eq!(index.packet(&common::event(101, &esp)), None);
}

/// A packet of raw IP: eight bytes behind the header, the ports first.
fn packet(src: &str, dst: &str, proto: u8, ports: Option<(u16, u16)>) -> Vec<u8> {
    let (sport, dport) = ports.unwrap_or_default();
    let mut payload = [sport.to_be_bytes(), dport.to_be_bytes()].concat();
    payload.resize(20, 0);
    let (src, dst) = (src.parse().unwrap(), dst.parse().unwrap());
    let mut packet = match (src, dst) {
        (std::net::IpAddr::V4(src), std::net::IpAddr::V4(dst)) => {
            let mut header = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, proto, 0, 0];
            header.extend(src.octets());
            header.extend(dst.octets());
            header
        }
        (std::net::IpAddr::V6(src), std::net::IpAddr::V6(dst)) => {
            let mut header = vec![0x60, 0, 0, 0, 0, 20, proto, 64];
            header.extend(src.octets());
            header.extend(dst.octets());
            header
        }
        _ => panic!("two families"),
    };
    packet.extend(payload);
    packet
}

/// The genuine SAs that OpenBSD's pfsync tells of: their counters are in the message, their tunnel
/// is found by SPI and destination.
#[test]
fn pfsync_tells_of_sas() {
    let mut table = table();
    let hosts = ("203.0.113.1", "198.51.100.20");
    let sa = told(ike(1, hosts), vec![child(1, 0xc0ff_ee00, NETS, 0)]);
    table.event(Timestamp(0), b"list-sa", &sa);
    let index = table.index();
    let mut found = Vec::new();
    each_event(&testdata("genuine/openbsd80-pfsync0.pcap"), |event: &Event<'_>| {
        found.extend(
            index
                .messages(event)
                .into_iter()
                .map(|(at, ipsec)| (event.frame.number, at, ipsec.by, ipsec.dir, ipsec.uniqueid)),
        );
        assert_eq!(index.packet(event), None);
    });
    let [(_, 0, By::Spi, Some(Direction::OUT), 1)] = found[..] else { panic!("{found:?}") };
}

fn pfscope(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pfscope"));
    command.args(arguments).env("TZ", "UTC").env_remove("NO_COLOR").output().unwrap()
}

fn out(output: &Output) -> String {
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_capture_is_printed_with_the_tunnels_of_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let journal = recorded::journal(folder.path());
    let journal = journal.to_str().unwrap();
    let wire = "testdata/ipsec/598-rekey.veth.pcap";
    let text = out(&pfscope(&["-n", "-r", wire, "--sas", journal, "tunnel net1"]));
    let ends = |tail: &str| text.lines().filter(|line| line.ends_with(tail)).count();
    assert_eq!(text.lines().count(), 240);
    let counts = [1, 2, 3].map(|n| ends(&format!(" ike site child net1[{n}]")));
    assert_eq!(counts, [40, 38, 162]);
    let json = out(&pfscope(&["--format", "json", "-r", wire, "--sas", journal, "tunnel si*"]));
    let schema: Value = serde_json::from_str(pfscope::sink::json::SCHEMA).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for line in json.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(validator.is_valid(&line), "{line}");
    }
    let first = json.lines().find(|line| line.contains("\"esp\"")).unwrap();
    assert!(
        first.ends_with(
            r#""ipsec":{"ike":"site","child":"net1","by":"spi","dir":"out","reqid":1,"uniqueid":1,"mode":"TUNNEL"}}"#
        ),
        "{first}"
    );
    let fields = ["--fields", "ipsec.child,ipsec.by,ipsec.dir", "-c", "2"];
    let clear = ["-r", "testdata/ipsec/598-rekey.tun.pcap", "--sas", journal];
    let values = out(&pfscope(&[&fields[..], &clear[..]].concat()));
    assert_eq!(values, "net1\tselector\tout\nnet1\tselector\tin\n");
    let totals = out(&pfscope(&["ipsec", "totals", "--sas", journal]));
    // As charon counts: the first SA's own 20 packets were gone before it told of the rekey.
    let rows = "site  net1       1    3     10080         120       8400          100\n\
                site  net2       2    1         0           0          0            0\n";
    assert!(totals.ends_with(rows), "{totals}");
    let totals = out(&pfscope(&["ipsec", "totals", "--format", "json", "--sas", journal]));
    let totals = totals.lines().next().unwrap();
    let totals: Value = serde_json::from_str(totals).unwrap();
    assert_eq!((&totals["child"], &totals["sas"]), (&Value::from("net1"), &Value::from(3)));
}

#[test]
fn a_damaged_journal_is_read_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = recorded::journal(folder.path());
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"not a line of it\n{\"v\":9}\n{\"v\":1,\"ts\":\"2026-").unwrap();
    let run = pfscope(&[
        "--count",
        "-r",
        "testdata/ipsec/598-rekey.veth.pcap",
        "--sas",
        path.to_str().unwrap(),
        "tunnel net1",
    ]);
    assert_eq!(String::from_utf8_lossy(&run.stdout), "240 packets\n");
    let err = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(err.contains("2 lines are no record of a journal, the first is line 16"), "{err}");
    assert!(err.contains("the last line is cut, and left out"), "{err}");
    assert_eq!(run.status.code(), Some(1));
    let mut journal = Journal::new(GRACE);
    let long = [&b"x".repeat(100_000)[..], b"\n", &fs::read(&path).unwrap()].concat();
    assert_eq!(journal.add_from(Cursor::new(long)).unwrap().unknown, 3);
    assert_eq!(journal.index().len(), 4);
}

#[test]
fn wrong_usage_is_told() {
    let usage = |arguments: &[&str], expected: &str| {
        let run = pfscope(arguments);
        let err = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(err.contains(expected), "{err}");
        assert_eq!(run.status.code(), Some(2), "{arguments:?}");
    };
    let log = "testdata/genuine/openbsd80-pflog0.pcap";
    usage(&["-r", log, "tunnel gw"], "--vici URI or --sas JOURNAL");
    usage(&["summary", log, "-f", "tunnel gw"], "'tunnel' needs");
    usage(&["states", "-r", log, "tunnel gw"], "'tunnel' needs");
    usage(&["-r", log, "--sas", "/nonexistent"], "--sas /nonexistent: ");
    usage(&["-r", log, "--vici", "http://x"], "http://x");
    usage(&["ipsec", "record"], "--to");
    usage(&["ipsec", "record", "--to", "/nonexistent/x"], "--to /nonexistent/x: ");
}

/// A file is printed at once and whole though no daemon answers; that is said once.
#[test]
fn without_a_daemon_packets_are_printed_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let uri = format!("unix://{}/charon.vici", folder.path().display());
    let begin = Instant::now();
    let run = pfscope(&["-n", "-r", "testdata/ipsec/598-rekey.veth.pcap", "--vici", &uri]);
    assert!(begin.elapsed() < Duration::from_secs(3));
    assert_eq!(String::from_utf8_lossy(&run.stdout).lines().count(), 264);
    let err = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(err.contains("packets are printed without tunnels until it answers"), "{err}");
    assert!(run.status.success());
}
