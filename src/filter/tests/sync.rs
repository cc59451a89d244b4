//! What expressions are true of in pfsync packets: records that pf wrote, and a few made by hand.

use super::frames::{Sample, ip, samples};
use super::{Known, parse};
use crate::filter::expr::{Act, Test};
use crate::filter::{Filter, words};
use crate::pf::SyncAction;
use crate::wire::link::LinkType;

/// Begins with an IP header. 1, 2: upd_req; 3, 5 to 8, 10 to 12, 16: ins; 14: upd_c; 17: ins_ack;
/// 21: bus, then upd; 22 to 24: upd; 25: upd, then bus; 29: upd_c twice; 31, 33: tdb; 26, 34, 35:
/// del_c; 36, 37: clr.
pub(super) const OPENBSD: &[u8] =
    include_bytes!("../../../testdata/genuine/openbsd80-pfsync0.pcap");
/// The same on Ethernet, from 10.255.0.1; the first is another packet.
const WIRE: &[u8] = include_bytes!("../../../testdata/genuine/openbsd80-sync-eth.pcap");
/// No IP header. 1 to 8: ins; 9 to 16: upd; 18: ins, ins_ack, upd, upd_c, del_c twice, upd_req.
const FREEBSD: &[u8] = include_bytes!("../../../testdata/genuine/freebsd14-pfsync-1301.pcap");
/// As that, with the actions 15 and 16.
const FREEBSD_1500: &[u8] = include_bytes!("../../../testdata/genuine/freebsd15-pfsync-1500.pcap");

/// The records of a little-endian capture file.
pub(super) fn records(file: &[u8]) -> Vec<Sample> {
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    assert_eq!(word(0) & 0xffff_0000, 0xa1b2_0000, "little endian");
    let link = LinkType(word(20));
    let (mut records, mut at) = (Vec::new(), 24);
    while at < file.len() {
        let len = word(at + 8) as usize;
        records.push(Sample::new("", link, file[at + 16..at + 16 + len].to_vec()));
        at += 16 + len;
    }
    records
}

/// What is shown of the records: `3:1` is the second message of the third, `3` all of a record
/// that has none, `3!` the fault that ended its messages.
fn shown(records: &[Sample], filter: &Filter) -> String {
    let mut all = Vec::new();
    for (n, record) in (1..).zip(records) {
        let (event, before) = (record.event(), all.len());
        let mut empty = true;
        for message in event.pfsync.iter().flat_map(|p| p.messages()).map_while(Result::ok) {
            if filter.matches_message(&event, &message) {
                all.push(format!("{n}:{}", message.index));
            }
            empty = false;
        }
        let fault = event.pfsync.is_some() && event.error.is_some();
        if (fault || empty) && filter.matches_frame(&event) {
            all.push(format!("{n}{}", if fault { "!" } else { "" }));
        }
        assert_eq!(filter.matches(&event), all.len() > before, "{filter} of record {n}");
    }
    all.join(" ")
}

fn check(file: &[u8], table: &[(&str, &str)]) {
    let records = records(file);
    let of = |&(expression, _)| (expression, shown(&records, &parse(expression)));
    let found: Vec<_> = table.iter().map(of).collect();
    let wrong: Vec<_> =
        found.iter().zip(table).filter(|(found, (_, expected))| found.1 != *expected).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn words_of_pfsync() {
    check(
        OPENBSD,
        &[
            ("sync upd_c", "14:0 29:0 29:1"),
            ("sync ins_ack or upd_c or bus", "14:0 17:0 21:0 25:5 29:0 29:1"),
            // Version 6: 13 is ins, 1 is its first layout.
            ("sync 13 and udp and rnr 7", "5:0 5:1"),
            ("sync 1 or oins or del", ""),
            ("sync 0x2", "17:0"),
            ("creator deadbeef", "17:0 19:0 25:4"),
            ("creator 0xDEADBEEF and sync upd_req", "19:0"),
            ("state 0000000000000017", "12:0 14:0 25:2 29:0"),
            ("state 0x1122334455667788", "17:0 25:4"),
            ("state 0000000000000000 and sync ins", "3:0"),
            ("creator 796ed1b8 and sync bus", "21:0 25:5"),
            ("spi 0xc0ffee01 and esp", "31:0"),
            ("ah and ip6 and dst host 2001:db8:2::20", "33:0"),
        ],
    );
    check(
        FREEBSD,
        &[
            ("sync del_c", "18:4 18:5 21:0"),
            ("sync 1 and state 6500000000000003", "4:0 17:3"),
            ("sync 13 or 15", ""),
            ("sync 3 and proto sctp", "16:0"),
            ("creator c0a80102", "18:6"),
            ("sync clr", "23:0 24:0"),
            ("sync clr and creator c0a80101", "23:0 24:0"),
            ("pfsync and sync bus", "25:0 26:0"),
        ],
    );
    check(
        FREEBSD_1500,
        &[
            ("sync 15 and state 6500000000000003", "4:0 18:3"),
            ("sync ins and state 6500000000000003", "4:0 18:3"),
            ("sync 16 and sctp", "17:0"),
            ("sync 1 or 3 or 13 or 14", ""),
        ],
    );
}

#[test]
fn states_have_addresses_ports_and_protocols() {
    check(
        OPENBSD,
        &[
            // Both keys.
            ("host 10.1.2.3", "3:0 21:1"),
            ("host 203.0.113.9", "3:0 21:1"),
            ("src host 203.0.113.9 and src host 10.1.2.3", "3:0 21:1"),
            ("dst 10.1.2.3", ""),
            ("dst 10.9.9.9", "3:1 21:2"),
            ("10.9.9.9 and 192.0.2.1", "3:1 21:2"),
            ("net 10/8", "3:0 3:1 21:1 21:2"),
            // The ends of both must be of one key.
            ("src and dst net 192.0.2.0/24 and sync ins", "3:1 5:0 5:1 7:0"),
            ("src and dst host 10.1.2.3", ""),
            // af-to: IPv6 on the wire, IPv4 inside.
            ("host 64:ff9b::c633:6407 and host 198.51.100.7 and sync ins", "3:3 10:0"),
            ("ip6 and net 198.51.100.0/24 and sync upd", "21:4 24:4"),
            ("tcp port 22", "7:3 12:0 16:0 24:3 25:2 25:3"),
            ("udp port 22", ""),
            ("dst port 53", "3:0 7:1 21:1 23:3"),
            ("src port 53", ""),
            ("src portrange 60000-60300 and udp", "3:0 21:1"),
            ("port 4660 or 17185", ""),
            ("icmp", "7:0"),
            ("icmp6 and sync ins", "6:2 11:0 11:1"),
            ("proto 58 and dir out", "11:0 25:0"),
            ("ip6 proto 17 and sync ins", "5:3 7:1"),
            ("ip proto 58", ""),
            ("udp host 192.0.2.77", "5:1 22:0"),
            ("tcp host 192.0.2.77", ""),
        ],
    );
    check(
        FREEBSD,
        &[
            ("ip6", "3:0 11:0 17:2 18:2 27:0"),
            ("ip and sync upd and not tcp", "12:0 16:0"),
            ("icmp", "4:0 12:0 17:3"),
            ("dst port 40007", "8:0 16:0"),
            ("tcp dst port 40007", ""),
            ("sctp dst port 40007 and sync ins", "8:0"),
            ("host 203.0.113.9 and host 192.0.2.1", "2:0 10:0 17:1"),
        ],
    );
}

#[test]
fn states_have_fields_of_pf() {
    check(
        OPENBSD,
        &[
            ("rnr 6", "3:3 10:0 21:4 24:4"),
            ("rulenum 0 and sync ins", "6:3"),
            ("rnr def", "25:4"),
            ("outbound and sync ins", "3:0 3:4 7:1 7:2 8:0 11:0"),
            ("dir in and rnr 8", "5:2 5:3 22:1 22:3"),
            ("on em0", ""),
            ("on pair0", "36:0"),
            ("ifname all and sync ins and rnr 21", "7:3 8:0 12:0 16:0"),
            ("action pass or reason match or uid 0 or srnr none", ""),
        ],
    );
    check(
        FREEBSD,
        &[
            ("on ifname789012345", "7:0 15:0"),
            ("on em0", "23:0"),
            ("on e*", "23:0"),
            ("not on all and sync ins", "7:0"),
        ],
    );
}

#[test]
fn one_message_must_be_all_of_it() {
    check(
        FREEBSD,
        &[
            ("sync ins and udp", "3:0 17:2 27:0"),
            // Another message of the same packet is.
            ("sync ins and state 6500000000000002", "3:0 17:2 27:0"),
            ("sync upd_c and state 6500000000000004", "18:3 20:2"),
            ("sync del_c and udp", ""),
            ("sync ins and sync upd", ""),
        ],
    );
    check(
        WIRE,
        &[
            ("sync ins and udp and net 198.51.100/24", "4:0 4:4 6:2 7:3 8:2"),
            ("sync bus and tcp", ""),
        ],
    );
}

#[test]
fn a_contrary_is_of_each_message() {
    check(
        FREEBSD,
        &[
            ("not sync (ins or upd or upd_c or del_c)", "18:1 18:6 19:0 22:0 23:0 24:0 25:0 26:0"),
            ("not pfsync", ""),
            ("creator c0a80101 and not sync (ins or upd) and on em*", "23:0"),
            ("not tcp and not udp and sync ins", "4:0 8:0 17:3"),
            ("not undecoded and sync clr", "23:0 24:0"),
        ],
    );
    check(OPENBSD, &[("not sync (upd or ins) and greater 1000", "21:0 25:5")]);
}

#[test]
fn the_carrying_packet_is_asked_too() {
    check(
        WIRE,
        &[
            ("src host 10.255.0.1 and sync upd_c", "15:0 30:0 30:1"),
            ("src 10.255.0.1 and dst 10.9.9.9", "4:1 22:2"),
            ("pfsync and ip6 and sync ins and tcp", "4:3 11:0 17:0"),
            (
                "src 10.255.0.1 and not (sync ins or upd or upd_req or del_c)",
                "15:0 18:0 22:0 26:5 30:0 30:1 32:0 34:0 37:0 38:0",
            ),
            ("not host 10.255.0.1", "1"),
            ("not pfsync", "1"),
        ],
    );
}

/// Version 6 with a message in 52 bytes, of action 15 or another.
fn tdb(action: u8) -> Vec<u8> {
    let mut out = vec![6, 0, 0, 76];
    out.extend([0; 16]);
    out.extend([action, 13, 0, 1]);
    out.extend([0, 0, 0x20, 1, 16, 2, 0, 0, 192, 0, 2, 9]);
    out.resize(24 + 32, 0);
    out.extend(7_u64.to_be_bytes());
    out.extend(9000_u64.to_be_bytes());
    out.extend([50, 1, 0, 0]);
    out
}

fn raw(bytes: Vec<u8>) -> Sample {
    Sample::new("", LinkType::PFSYNC, bytes)
}

#[test]
fn an_sa_is_found_by_spi_protocol_and_destination() {
    let on_a_wire =
        Sample::new("", LinkType::RAW, ip(240, "198.51.100.1", "224.0.0.240", &tdb(15)));
    let records = [raw(tdb(15)), raw(tdb(99)), on_a_wire];
    for (expression, expected) in [
        ("spi 0x2001", "1:0 3:0"),
        ("spi 0x2001 and esp and dst host 192.0.2.9 and sync tdb", "1:0 3:0"),
        ("src host 192.0.2.9 or ah or spi 0x2002", ""),
        ("sync 99", "2:0"),
        ("sync tdb and not dst 224.0.0.240", "1:0"),
        ("not sync 15", "2:0"),
        ("ip and not esp", ""),
        ("ip", "1:0 3:0"),
    ] {
        assert_eq!(shown(&records, &parse(expression)), expected, "{expression}");
    }
}

#[test]
fn a_fault_and_a_packet_without_messages_are_asked_by_the_frame() {
    let mut all = records(OPENBSD);
    let cut = all.remove(2).cut(20 + 24 + 2 * 264 + 100);
    let records = [cut, raw([&[6, 0, 0, 20][..], &[0; 16]].concat()), raw(vec![9; 40])];
    for (expression, expected) in [
        ("", "1:0 1:1 1! 2 3"),
        ("pfsync", "1:0 1:1 1! 2"),
        ("undecoded", "1! 3"),
        ("not undecoded", "1:0 1:1 2"),
        ("truncated", "1:0 1:1 1!"),
        ("udp or undecoded", "1:0 1! 3"),
        ("sync ins", "1:0 1:1"),
        ("not sync ins", "1! 2 3"),
        ("not sync upd and tcp", "1:1"),
    ] {
        assert_eq!(shown(&records, &parse(expression)), expected, "{expression}");
    }
}

#[test]
fn logs_and_other_packets_have_no_messages() {
    for expression in ["sync ins", "sync 0", "creator 0", "state 0000000000000000"] {
        let filter = parse(expression);
        assert!(!samples().iter().any(|sample| filter.matches(&sample.event())), "{expression}");
    }
}

#[test]
fn every_action_has_its_word() {
    for name in SyncAction::NAMES {
        let Some(Act::Name(action)) = Act::named(name) else { panic!("{name}") };
        assert_eq!(action.name(), Some(name));
        assert_eq!(parse(&format!("sync {name}")).to_string(), format!("sync {name}"));
    }
    assert_eq!(Act::named("nothing"), None);
    for word in ["sync", "creator", "state"] {
        assert!(words::keyword(word).is_some() && words::not_read(word).is_none());
        assert!(Filter::parse_with(word, &Known).is_err());
    }
    assert!(!Test::Sync(Act::Number(0)).of_frame(&samples()[0].event()));
}
