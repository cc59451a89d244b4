//! pf's headers, as every system writes them and as bytes of chance: what the encoder puts in,
//! the decoder gives back.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a failing test may panic anywhere"
)]

mod common;
#[path = "../testdata/encode/mod.rs"]
mod encode;
#[path = "../testdata/recipe/mod.rs"]
mod recipe;

use common::{alone, cut, each_event, event, frame, testdata};
use encode::packet::ip::Ip;
use encode::packet::transport::udp_packet;
use encode::pflog::{Header, NO_RULE, Variant, name};
use encode::{Order, zoo};
use pfscope::decode::decode;
use pfscope::error::{Fault, Layer};
use pfscope::event::{Event, Kind};
use pfscope::pf::{Direction, Systems};
use pfscope::wire::ByteOrder;
use pfscope::wire::pflog::Pflog;
use pfscope::wire::writer::{OLD_UNKNOWN, Writer};
use proptest::prelude::*;

/// Every header, the future ones by lengths that have no fields of their own.
const VARIANTS: [Variant; 19] = [
    Variant::P0,
    Variant::P1,
    Variant::P1o,
    Variant::P2,
    Variant::P3,
    Variant::P4,
    Variant::P5,
    Variant::P5x64,
    Variant::P5x32,
    Variant::P6,
    Variant::Future(46),
    Variant::Future(60),
    Variant::Future(62),
    Variant::Future(70),
    Variant::Future(99),
    Variant::Future(101),
    Variant::Future(252),
    Variant::Future(253),
    Variant::Future(255),
];

fn order(order: Order) -> ByteOrder {
    match order {
        Order::Little => ByteOrder::Little,
        Order::Big => ByteOrder::Big,
    }
}

fn until_nul(name: &[u8]) -> &[u8] {
    name.split(|&byte| byte == 0).next().unwrap()
}

/// Holds a decoded header against the fields it was made of.
fn check(found: &Pflog<'_>, header: &Header, variant: Variant) {
    let length = variant.length();
    let old = variant == Variant::P0;
    let rule = |n| (n != NO_RULE).then_some(n);
    let has_owner = length >= 61;
    let has_tail = matches!(variant, Variant::P3 | Variant::P4) || length > 100;

    assert_eq!(found.hdrlen, if old { 28 } else { length });
    assert_eq!(found.skip, variant.size());
    assert_eq!(found.af, u32::from(header.af));
    assert_eq!(found.action.0, header.action);
    assert_eq!(found.reason.0, header.reason);
    assert_eq!(found.ifname, until_nul(&header.ifname));
    assert_eq!(found.ruleset, if old { b"" } else { until_nul(&header.ruleset) });
    if old {
        assert_eq!(found.rulenr, rule(header.rulenr).map(|n| n & 0xffff).filter(|&n| n != 0xffff));
        assert_eq!(found.subrulenr, None);
    } else {
        assert_eq!(found.rulenr, rule(header.rulenr));
        assert_eq!(found.subrulenr, rule(header.subrulenr));
        let has_dir = matches!(length, 45 | 49 | 61..);
        assert_eq!(found.dir, has_dir.then_some(Direction(header.dir)));
    }

    assert_eq!(found.owner.is_some(), has_owner);
    if let Some(owner) = found.owner {
        let nobody = [u32::MAX, 0x7fff_ffff].contains(&header.uid);
        let nothing = [100_000, 32_767, 30_001, -1].contains(&header.pid);
        assert_eq!(owner.uid, (!nobody).then_some(header.uid));
        assert_eq!(owner.pid, (!nothing).then_some(header.pid));
        assert_eq!((owner.rule_uid, owner.rule_pid), (header.rule_uid, header.rule_pid));
    }

    let has_tracker = matches!(length, 49 | 68 | 69);
    let tracker = Some(header.ridentifier).filter(|&id| has_tracker && id != 0);
    assert_eq!(found.ridentifier, tracker);
    let has_naf = matches!(variant, Variant::P4 | Variant::P6) || length > 100;
    assert_eq!(found.naf, Some(header.naf).filter(|&naf| has_naf && naf != 0));

    assert_eq!(found.other.is_some(), has_tail);
    if let Some(other) = found.other {
        assert_eq!(other.rewritten, header.rewritten != 0);
        assert_eq!((other.saddr, other.daddr), (header.saddr, header.daddr));
        assert_eq!((other.sport, other.dport), (header.sport, header.dport));
    }
}

/// True if the header's own words tell the order they are in (a process id is at most 99999).
fn tells_order(header: &Header) -> bool {
    header.uid == 0x7fff_ffff
        || [100_000, 32_767].contains(&header.pid)
        || header.rule_pid.swap_bytes().cast_unsigned() > 99_999
}

fn rule() -> impl Strategy<Value = u32> {
    prop_oneof![3 => any::<u32>(), 1 => Just(NO_RULE), 1 => 0..300u32]
}

fn field() -> impl Strategy<Value = [u8; 16]> {
    prop_oneof![any::<[u8; 16]>(), "[a-z0-9/]{0,16}".prop_map(name)]
}

prop_compose! {
    fn prefix()(
        af in prop_oneof![4 => prop::sample::select(vec![2u8, 10, 24, 28, 30]), 1 => any::<u8>()],
        action in any::<u8>(),
        reason in any::<u8>(),
        ifname in field(),
        ruleset in field(),
        rulenr in rule(),
        subrulenr in rule(),
        dir in any::<u8>(),
    ) -> Header {
        let default = Header::default();
        Header { af, action, reason, ifname, ruleset, rulenr, subrulenr, dir, ..default }
    }
}

prop_compose! {
    fn header()(
        prefix in prefix(),
        uid in prop_oneof![0..70_000u32, Just(u32::MAX), Just(0x7fff_ffff)],
        pid in prop_oneof![
            0..=99_999i32,
            prop::sample::select(vec![100_000, 32_767, 30_001, -1]),
        ],
        rule_uid in 0..70_000u32,
        rule_pid in 0..=99_999i32,
        rewritten in 0..3u8,
        naf in prop::sample::select(vec![0u8, 2, 24, 28]),
        addresses in any::<[[u8; 16]; 2]>(),
        ports in any::<[u16; 2]>(),
        ridentifier in prop_oneof![any::<u32>(), Just(0)],
    ) -> Header {
        let ([saddr, daddr], [sport, dport]) = (addresses, ports);
        Header {
            uid, pid, rule_uid, rule_pid, rewritten, naf, saddr, daddr, sport, dport, ridentifier,
            ..prefix
        }
    }
}

fn writer_order() -> impl Strategy<Value = Order> {
    prop::sample::select(vec![Order::Little, Order::Big])
}

fn packet() -> impl Strategy<Value = Vec<u8>> {
    let every: Vec<Vec<u8>> = zoo::common().into_iter().map(|specimen| specimen.bytes).collect();
    prop::sample::select(every)
}

proptest! {
    /// Whatever the fields are, they come back, and the packet is found behind them.
    #[test]
    fn what_is_encoded_is_decoded(
        header in header(),
        variant in prop::sample::select(VARIANTS.to_vec()),
        host in writer_order(),
        packet in packet(),
    ) {
        let record = [header.encode(variant, host), packet.clone()].concat();
        let event = alone(frame(variant.link_type(), &record), order(host));
        prop_assert_eq!((event.kind, event.error), (Kind::Pflog, None));
        check(&event.pflog.unwrap(), &header, variant);
        prop_assert_eq!(event.packet.unwrap().bytes, &packet[..]);
    }

    /// A file that was written again on a machine of the other order: the header's own words
    /// tell, or those of a record before it.
    #[test]
    fn words_are_in_the_order_of_their_writer(
        header in header(),
        variant in prop::sample::select(vec![Variant::P2, Variant::P4, Variant::P5, Variant::P6]),
        host in writer_order(),
        packet in packet(),
    ) {
        let file = if host == Order::Little { ByteOrder::Big } else { ByteOrder::Little };
        let record = [header.encode(variant, host), packet].concat();
        if tells_order(&header) {
            check(&alone(frame(117, &record), file).pflog.unwrap(), &header, variant);
        }
        let before = Header::default().encode(variant, host);
        let mut writer = Writer::new(file);
        writer.observe(&before);
        writer.observe(&record);
        check(&decode(frame(117, &record), file, writer).pflog.unwrap(), &header, variant);
    }

    /// Of a header that is cut, what is there is read as in the whole one; below its end the
    /// error says how much it needs.
    #[test]
    fn a_cut_header_keeps_its_fields(
        header in header(),
        variant in prop::sample::select(VARIANTS.to_vec()),
        host in writer_order(),
    ) {
        let record = header.encode(variant, host);
        let link = variant.link_type();
        let mut writer = Writer::new(order(host));
        if link == 117 { writer.observe(&record) } else { writer.observe_old(&record) }
        let whole = decode(frame(link, &record), order(host), writer).pflog.unwrap();
        for n in 0..record.len() {
            let event = decode(cut(link, &record[..n], record.len()), order(host), writer);
            let padded = usize::from(variant.length()).next_multiple_of(4).max(28);
            if n >= padded {
                // pfSense's padding is not part of its length.
                prop_assert_eq!(event.kind, Kind::Pflog);
                continue;
            }
            prop_assert_eq!((event.kind, event.packet), (Kind::Undecoded, None));
            let needed = if n == 0 && link == 117 { 1 } else { padded };
            prop_assert_eq!(event.error.unwrap().fault, Fault::Truncated { needed });
            let Some(part) = event.pflog else {
                prop_assert!(n < 44 || link == 17, "nothing is left of {n} bytes");
                continue;
            };
            prop_assert_eq!(part.rulenr, whole.rulenr);
            prop_assert_eq!(part.ruleset, whole.ruleset);
            for (part, whole) in [
                (part.dir.map(|dir| u32::from(dir.0)), whole.dir.map(|dir| u32::from(dir.0))),
                (part.ridentifier, whole.ridentifier),
                (part.naf.map(u32::from), whole.naf.map(u32::from)),
                (part.owner.map(|owner| owner.rule_uid), whole.owner.map(|owner| owner.rule_uid)),
            ] {
                prop_assert!(part.is_none() || part == whole);
            }
            prop_assert!(part.owner.is_some() == (whole.owner.is_some() && n >= 60));
        }
    }

    /// Bytes of chance are an event too, and never more than they are.
    #[test]
    fn no_bytes_are_too_odd(
        link in prop::sample::select(vec![
            0u32, 1, 12, 14, 17, 101, 108, 109, 113, 117, 118, 147, 228, 229, 276, u32::MAX,
        ]),
        first in prop_oneof![Just(None), (44..=102u8).prop_map(Some)],
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        more in 0..100usize,
        file in writer_order(),
    ) {
        let mut bytes = bytes;
        if let (Some(first), Some(byte)) = (first, bytes.first_mut()) {
            *byte = first;
        }
        let event = alone(cut(link, &bytes, bytes.len() + more), order(file));
        holds(&event);
    }
}

/// What is true of every event.
fn holds(event: &Event<'_>) {
    let data = event.frame.data;
    if event.kind == Kind::Undecoded {
        // A packet may carry what is no pfsync.
        let layer = event.error.map(|error| error.layer);
        assert!(layer.is_some() && (event.packet.is_none() || layer == Some(Layer::Pfsync)));
    }
    if let (Kind::Pflog, Some(h)) = (event.kind, event.pflog) {
        assert!(h.skip <= data.len() && h.skip >= usize::from(h.hdrlen));
        assert!(h.ifname.len() <= 16 && h.ruleset.len() <= 16);
        assert!(!h.ifname.contains(&0) && !h.ruleset.contains(&0));
        assert!(event.packet.is_some() != event.error.is_some(), "a packet, or why there is none");
        if let Some(packet) = event.packet {
            assert_eq!(packet.bytes, &data[h.skip..]);
        }
    }
    if let Some(error) = event.error {
        if let Fault::Truncated { needed } = error.fault {
            assert!(error.offset + needed > data.len(), "{error:?} of {} bytes", data.len());
        }
        assert!(error.offset <= data.len());
    }
    if let Some(packet) = event.packet {
        assert!(data.ends_with(packet.bytes));
        assert!(within(packet.payload, packet.bytes) && within(packet.ip.header, packet.bytes));
        assert!(within(packet.ip.extensions, packet.bytes));
    }
}

/// True if one slice is a part of the other, or empty.
fn within(part: &[u8], whole: &[u8]) -> bool {
    let (part, whole) = (part.as_ptr_range(), whole.as_ptr_range());
    part.is_empty() || (whole.start <= part.start && part.end <= whole.end)
}

/// Every length byte, before enough bytes and before too few.
#[test]
fn every_length_byte() {
    for length in 0..=255u8 {
        for size in [0, 1, 2, 43, 44, 45, 48, 61, 64, 99, 100, 252, 255, 256, 300] {
            let mut bytes = vec![0x45; size];
            if let Some(first) = bytes.first_mut() {
                *first = length;
            }
            let event = event(117, &bytes);
            holds(&event);
            let fault = event.error.map(|error| error.fault);
            let needed = usize::from(length).next_multiple_of(4);
            match size {
                0 => assert_eq!(fault, Some(Fault::Truncated { needed: 1 })),
                _ if length < 45 => assert_eq!(fault, Some(Fault::BadLength(length.into()))),
                _ if size < needed => assert_eq!(fault, Some(Fault::Truncated { needed })),
                _ => assert_eq!(event.kind, Kind::Pflog, "{length} of {size}"),
            }
        }
    }
}

/// What the codes of a log are called: (file, system, actions from 11 on, reasons from 15 on).
type Names = (&'static str, &'static str, [Option<&'static str>; 5], [Option<&'static str>; 2]);

const NAMES: [Names; 14] = [
    // Nobody knows whether a log of 2004 is of OpenBSD 3.4 or of 3.5: see `OLD_OR_NEW`.
    ("p1", "netbsd|openbsd", OPENBSD, [None, Some("no-route")]),
    ("p1o", "freebsd", FREEBSD, [Some("map-failed"), Some("translate")]),
    ("p2-openbsd", "openbsd", OPENBSD, [Some("translate"), Some("no-route")]),
    // DragonFly has none of these codes: what is written must be FreeBSD's.
    ("p2-freebsd", "freebsd|dragonfly", FREEBSD, [Some("map-failed"), Some("translate")]),
    ("p2-dragonfly", "freebsd|dragonfly", FREEBSD, [Some("map-failed"), Some("translate")]),
    ("p2-netbsd", "netbsd", [None; 5], [Some("state-locked"), None]),
    ("p2-darwin", "darwin", DARWIN, [Some("dummynet"), Some("invalid-port")]),
    ("p3", "openbsd", OPENBSD, [Some("translate"), Some("no-route")]),
    ("p4", "openbsd", OPENBSD, [Some("translate"), Some("no-route")]),
    ("p5", "freebsd", FREEBSD, [Some("map-failed"), Some("translate")]),
    ("p5x64", "freebsd", FREEBSD, [Some("map-failed"), Some("translate")]),
    ("p5x32", "freebsd", FREEBSD, [Some("map-failed"), Some("translate")]),
    ("p6", "freebsd", FREEBSD, [Some("map-failed"), Some("translate")]),
    // Only OpenBSD has so many.
    ("future", "bsd", [None, None, None, None, Some("afrt")], [None; 2]),
];
const OPENBSD: [Option<&str>; 5] =
    [Some("defer"), Some("match"), Some("divert"), Some("rt"), Some("afrt")];
const FREEBSD: [Option<&str>; 5] = [Some("defer"), Some("match"), Some("afrt"), Some("rt"), None];
const DARWIN: [Option<&str>; 5] =
    [Some("dummynet"), Some("nodummynet"), Some("nat64"), Some("nonat64"), None];
const ACTIONS: [&str; 11] = [
    "pass",
    "block",
    "scrub",
    "noscrub",
    "nat",
    "nonat",
    "binat",
    "nobinat",
    "rdr",
    "nordr",
    "synproxy-drop",
];
/// The codes of P1 that have another name in OpenBSD 3.4.
const OLD_OR_NEW: std::ops::RangeInclusive<u8> = 3..=9;
const REASONS: [&str; 15] = [
    "match",
    "bad-offset",
    "fragment",
    "short",
    "normalize",
    "memory",
    "bad-timestamp",
    "congestion",
    "ip-option",
    "proto-cksum",
    "state-mismatch",
    "state-insert",
    "state-limit",
    "src-limit",
    "synproxy",
];

/// The logs of testdata/pflog, one a system and byte order, against the recipe's records.
#[test]
fn every_systems_log() {
    for system in recipe::systems::SYSTEMS {
        let &(_, os, actions, reasons) =
            NAMES.iter().find(|(file, ..)| *file == system.file).unwrap();
        let records = recipe::systems::records(system);
        for end in ["be", "le"] {
            let path = testdata(&format!("pflog/{}-{end}.pcap", system.file));
            let mut expected = records.iter();
            each_event(&path, |event| {
                holds(event);
                // The log of future headers goes on with lengths of its own.
                let Some((header, packet)) = expected.next() else { return };
                let h = event.pflog.unwrap();
                check(&h, header, system.variant);
                assert_eq!(event.packet.unwrap().bytes, packet);
                assert_eq!(h.systems.name(), os, "{path:?}");

                let n = usize::from(h.action.0);
                let ambiguous = system.file == "p1" && OLD_OR_NEW.contains(&h.action.0);
                let own = actions.get(n.wrapping_sub(11)).copied().flatten();
                let name = ACTIONS.get(n).copied().filter(|_| !ambiguous).or(own);
                assert_eq!(h.action.name(h.systems), name, "{path:?}: action {n}");
                let n = usize::from(h.reason.0);
                let own = reasons.get(n.wrapping_sub(15)).copied().flatten();
                let name = REASONS.get(n).copied().or(own);
                assert_eq!(h.reason.name(h.systems), name, "{path:?}: reason {n}");
                let dir = ["inout", "in", "out", "fwd"].get(usize::from(header.dir)).copied();
                assert_eq!(h.dir.and_then(Direction::name), dir);
            });
            assert_eq!(expected.next(), None, "{path:?} ends early");
        }
    }
}

/// The log that a converter wrote again in the other order: its users are the same.
#[test]
fn a_log_in_the_other_order() {
    let records = recipe::systems::records(recipe::systems::OPENBSD);
    let mut expected = records.iter();
    each_event(&testdata("pflog/p4-order-mismatch.pcap"), |event| {
        check(&event.pflog.unwrap(), &expected.next().unwrap().0, Variant::P4);
    });
    assert_eq!(expected.next(), None);
}

/// Link type 17: nothing but the direction codes of the whole log tell what "1" is.
#[test]
fn the_oldest_logs() {
    const A: [&str; 9] =
        ["pass", "block", "scrub", "nat", "nonat", "binat", "nobinat", "rdr", "nordr"];
    for (host, end, dirs) in [
        (Order::Big, "be", [(0, Direction::IN), (1, Direction::OUT)]),
        (Order::Little, "le", [(1, Direction::IN), (2, Direction::OUT)]),
    ] {
        let records = recipe::systems::old_records(host);
        let mut expected = records.iter();
        let count = each_event(&testdata(&format!("pflog/p0-{end}.pcap")), |event| {
            let (header, packet) = expected.next().unwrap();
            let h = event.pflog.unwrap();
            check(&h, header, Variant::P0);
            assert_eq!(event.packet.unwrap().bytes, packet);
            let dir = dirs.iter().find(|(code, _)| *code == header.dir).map(|&(_, dir)| dir);
            assert_eq!(h.dir, dir.or(Some(Direction(9))));
            assert_eq!(h.systems.name(), "openbsd");
            assert_eq!(h.action.name(h.systems), A.get(usize::from(h.action.0)).copied());
            // Six reasons, and no more.
            let reason = REASONS[..6].get(usize::from(h.reason.0)).copied();
            assert_eq!(h.reason.name(h.systems), reason);
        });
        assert_eq!(count, records.len());
    }
    // One record alone: the 1 may be either.
    let packet = udp_packet(&Ip::v4(), 1, 2, b"");
    let record = [Header::default().encode(Variant::P0, Order::Big), packet].concat();
    assert_eq!(event(17, &record).pflog.unwrap().dir, Some(OLD_UNKNOWN));
}

/// FreeBSD's ipfw writes pf's header for its NAT64: its rule numbers are not pf's and its users
/// nobody, whatever the stack held.
#[test]
fn ipfw_is_not_pf() {
    for log in ["ipfw61-be", "ipfw61-le", "ipfw69-be", "ipfw69-le"] {
        let mut rules = Vec::new();
        each_event(&testdata(&format!("pflog/p7-{log}.pcap")), |event| {
            let h = event.pflog.unwrap();
            assert_eq!(h.systems, Systems::IPFW);
            assert_eq!(h.action.name(h.systems), Some("nat"));
            assert_eq!(h.owner.map(|owner| (owner.uid, owner.pid)), Some((None, None)));
            assert_eq!((h.ruleset, h.dir), (&b""[..], Some(Direction::IN)));
            rules.push((h.ifname.to_vec(), h.rulenr.unwrap(), h.subrulenr.unwrap()));
        });
        let expected = [
            // The public address, and port, protocol and a byte of the destination.
            (&b"NAT64LSN"[..], 0xcb00_7109, 0x9c40_1114),
            (b"NAT64STL", 2, 17),
            (b"NAT64CLAT", 3, 18),
            (b"NAT64STL", 2, 19),
        ];
        assert_eq!(rules, expected.map(|(name, a, b)| (name.to_vec(), a, b)), "{log}");
    }
}

/// NetBSD's NPF does the same; its log cannot be told from one of OpenBSD 3.8 to 4.8.
#[test]
fn npf_may_be_openbsd() {
    let mut count = 0;
    each_event(&testdata("pflog/npf.pcap"), |event| {
        let h = event.pflog.unwrap();
        assert_eq!(h.systems.name(), "netbsd|openbsd");
        assert_eq!(h.owner.map(|owner| (owner.uid, owner.pid)), Some((Some(0), Some(0))));
        assert!(h.action.name(h.systems).is_some() && h.rulenr.is_some());
        count += 1;
    });
    assert_eq!(count, 8);
}

/// Every other capture: nothing in it is without an event that holds together.
#[test]
fn every_capture_holds() {
    let mut files = 0;
    for entry in std::fs::read_dir(testdata("pflog")).unwrap() {
        let path = entry.unwrap().path();
        if pfscope::capture::file::File::open(&path).is_ok() {
            each_event(&path, holds);
            files += 1;
        }
    }
    assert!(files > 60, "{files} files");
}
