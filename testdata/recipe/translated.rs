//! Records whose header and packet disagree: translated addresses, names that attack the
//! terminal, verdicts that were not the last word.

use super::{AF_INET6, File, Log, blocked, openbsd};
use crate::encode::packet::ip::Ip;
use crate::encode::packet::transport::{Tcp, udp_packet};
use crate::encode::pflog::{AF_INET, Header, NO_RULE, name};

pub(super) fn files() -> Vec<File> {
    vec![
        File::new("rewritten-old.pcap", rewritten(false)),
        File::new("rewritten-new.pcap", rewritten(true)),
        File::new("suspect.pcap", suspect()),
        File::new("hostile-names.pcap", hostile_names()),
    ]
}

/// A translation: the packet before and after it, on its way `dir`.
struct Translation {
    rulenr: u32,
    dir: u8,
    before: Vec<u8>,
    after: Vec<u8>,
}

/// nat-to, rdr-to, and af-to in both directions, each before and after.
fn translations() -> [Translation; 5] {
    let udp = |src, sport, dst, dport| udp_packet(&Ip::between(src, dst), sport, dport, b"pfscope");
    let syn = |src, sport, dst, dport| {
        Tcp { sport, dport, ..Tcp::default() }.packet(&Ip::between(src, dst), b"")
    };
    [
        Translation {
            rulenr: 4,
            dir: 2,
            before: udp("10.1.2.3", 40003, "198.51.100.20", 7777),
            after: udp("203.0.113.9", 60277, "198.51.100.20", 7777),
        },
        Translation {
            rulenr: 5,
            dir: 1,
            before: syn("192.0.2.10", 40004, "203.0.113.1", 80),
            after: syn("192.0.2.10", 40004, "10.9.9.9", 8080),
        },
        Translation {
            rulenr: 6,
            dir: 1,
            before: syn("2001:db8::10", 40006, "64:ff9b::c633:6407", 443),
            after: syn("198.51.100.1", 54946, "198.51.100.7", 443),
        },
        // The family says IPv4, what follows is IPv6 (where the packet is the translated one).
        Translation {
            rulenr: 7,
            dir: 1,
            before: udp("192.0.2.10", 40007, "203.0.113.7", 53535),
            after: udp("2001:db8::1", 50007, "2001:db8:0:7::7", 53535),
        },
        Translation {
            rulenr: 8,
            dir: 2,
            before: syn("fd00::10", 40008, "2001:db8::8", 22),
            after: syn("2001:db8:f::1", 60008, "2001:db8::8", 22),
        },
    ]
}

/// Before OpenBSD 6.9 (net/if_pflog.c 1.94 and older) the header has the original addresses, in
/// the family `af`, and the packet is the translated one. Since 1.96 the packet is the original
/// and the header has the new addresses, in the family `naf`.
fn rewritten(new: bool) -> Vec<u8> {
    let mut log = Log::pflog();
    for Translation { rulenr, dir, before, after } in translations() {
        let (named, packet) = if new { (&after, &before) } else { (&before, &after) };
        let header = Header {
            action: 0,
            rulenr,
            dir,
            rewritten: 1,
            af: Header::of(&before, AF_INET6).af,
            naf: Header::of(&after, AF_INET6).af,
            ..Header::of(named, AF_INET6)
        };
        log.add(&openbsd(&header, packet));
        // Nothing translated: header and packet agree, in every release.
        let plain = Header { action: 0, rulenr, dir, ..Header::of(&before, AF_INET6) };
        log.add(&openbsd(&plain, &before));
    }
    if new {
        // `log (all)` and a state that exists: the packet is translated already and the header
        // has the addresses of the other side, as OpenBSD 8.0 was seen to do.
        let [Translation { before, after, .. }, ..] = translations();
        let header =
            Header { action: 0, rulenr: 4, dir: 2, rewritten: 1, ..Header::of(&before, AF_INET6) };
        log.add(&openbsd(&header, &after));
    }
    log.finish()
}

/// `action` is the rule's: a packet that died of something else is still logged as "pass" by
/// OpenBSD before 7.5 (net/if_pflog.c 1.98), FreeBSD up to 14.3 and Darwin.
fn suspect() -> Vec<u8> {
    let packets = [
        udp_packet(&Ip::v4(), 40000, 7777, b"pfscope"),
        udp_packet(&Ip::v6(), 40000, 7777, b"pfscope"),
    ];
    let mut log = Log::pflog();
    for packet in &packets {
        for reason in 0..=17 {
            let header = Header { action: 0, reason, rulenr: NO_RULE, ..blocked(packet) };
            log.add(&openbsd(&header, packet));
        }
    }
    // Match rules say nothing about the packet's fate; then the rule that decides.
    for (action, reason, rulenr) in [(12, 0, 1), (12, 8, 2), (0, 0, 3)] {
        let header = Header { action, reason, rulenr, ..blocked(&packets[0]) };
        log.add(&openbsd(&header, &packets[0]));
    }
    log.finish()
}

/// Interface and anchor names that are not names.
fn hostile_names() -> Vec<u8> {
    const NAMES: [&[u8]; 16] = [
        b"\x1b]0;owned\x07",
        b"\x1b[2J\x1b[1;1H",
        b"\x9b31m",
        b"em0\nblock out em1",
        b"em0\r\nx",
        b"\"},{\"a\":\"",
        b"'; rm -rf /; '",
        b"\\u0000\\\\",
        b"\xff\xfe\xc3\x28",
        b"\xf0\x9f\x90\xa1puffy",
        "\u{202e}0me".as_bytes(),
        b"\0after the nul",
        b"em0\0garbage\x1b[m",
        b"no nul in 16 by.",
        b" em0 \t",
        b"<b>&amp;%s%n",
    ];
    let packet = udp_packet(&Ip::v4(), 40000, 7777, b"\x1b[31mred\x07\r\n");
    let mut log = Log::pflog();
    for hostile in NAMES {
        for (ifname, ruleset) in [(hostile, &b""[..]), (b"em0", hostile)] {
            let subrulenr = if ruleset.is_empty() { NO_RULE } else { 1 };
            let header = Header {
                ifname: name(ifname),
                ruleset: name(ruleset),
                subrulenr,
                af: AF_INET,
                ..blocked(&packet)
            };
            log.add(&openbsd(&header, &packet));
        }
    }
    log.finish()
}
