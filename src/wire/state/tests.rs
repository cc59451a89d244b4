use std::net::IpAddr;

use super::*;

/// Joins the fields of a message.
fn joined(fields: &[&[u8]]) -> Vec<u8> {
    fields.concat()
}

fn addr(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn name16(text: &str) -> [u8; 16] {
    let mut field = [0; 16];
    field[..text.len()].copy_from_slice(text.as_bytes());
    field
}

/// An IPv4 address in its field of 16 bytes.
fn v4(addr: [u8; 4]) -> [u8; 16] {
    let mut field = [0; 16];
    field[..4].copy_from_slice(&addr);
    field
}

fn v6(text: &str) -> [u8; 16] {
    let IpAddr::V6(addr) = addr(text) else { panic!("{text}") };
    addr.octets()
}

fn ends(src: (&str, u16), dst: (&str, u16)) -> Ends {
    let end = |(text, port)| End { addr: Some(addr(text)), port };
    Ends { src: end(src), dst: end(dst) }
}

/// As OpenBSD 8.0 sent it: af-to from IPv6 to IPv4, the third of record 3's followers.
#[rustfmt::skip]
fn openbsd6() -> Vec<u8> {
    joined(&[
        &[0, 0, 0, 0, 0, 0, 0, 0x14],                   // id
        &name16("all"),                                 // ifname
        &v6("2001:db8:1::10"),                          // wire key: source, as it came in
        &v6("64:ff9b::c633:6407"),                      //   destination
        &[0xc3, 0x51], &[0x01, 0xbb],                   //   ports 50001, 443
        &[0, 0], &[0x18], &[0],                         //   rdomain, AF_INET6, pad
        &v4([198, 51, 100, 7]),                         // stack key, reversed: destination
        &v4([198, 51, 100, 1]),                         //   source
        &[0x01, 0xbb], &[0xfb, 0x99],                   //   ports 443, 64409
        &[0, 0], &[0x02], &[0],                         //   rdomain, AF_INET, pad
        &[0, 0], &[0], &[0], &[0; 4],                   // src: scrub flags, ttl, valid, ts_mod
        &[0, 0, 0x30, 0], &[0, 0, 0x30, 2], &[0; 4],    //   seqlo, seqhi, seqdiff
        &[0xff, 0xff], &[0, 0], &[2], &[0], &[0; 6],    //   max_win, mss, SYN_SENT, wscale
        &[0, 0], &[0], &[0], &[0; 4],                   // dst: scrub
        &[0; 4], &[0, 0, 0, 1], &[0; 4],                //   seqlo, seqhi, seqdiff
        &[0, 1], &[0, 0], &[0], &[0], &[0; 6],          //   max_win, mss, CLOSED, wscale
        &[0; 16],                                       // rt_addr
        &[0, 0, 0, 6], &[0xff; 4], &[0xff; 4],          // rule, anchor, nat_rule
        &[0, 0, 0, 1], &[0, 0, 0, 0x77],                // creation, expire
        &[0, 0, 0, 0, 0, 0, 0, 1], &[0; 8],             // packets
        &[0, 0, 0, 0, 0, 0, 0, 0x3c], &[0; 8],          // bytes
        &[0x79, 0x6e, 0xd1, 0xb8],                      // creatorid
        &[0xff; 4], &[0; 4],                            // rtableid: wire none, stack 0
        &[0, 0],                                        // max_mss
        &[0x18], &[6], &[1], &[0], &[0],                // af, TCP, in, log, rt
        &[0], &[0], &[0],                               // tcp.first, sync_flags, updates
        &[0], &[0], &[0, 0], &[0, 0],                   // min_ttl, set_tos, state_flags, set_prio
    ])
}

#[test]
fn openbsd6_af_to() {
    let bytes = openbsd6();
    let record = include_bytes!("../../../testdata/genuine/openbsd80-pfsync0.pcap");
    assert!(record.windows(264).any(|genuine| genuine == bytes), "made, not sent");
    let state = parse(&bytes, Layout::Openbsd6).unwrap();
    assert_eq!(state.ids, Some(Ids { id: 0x14, creatorid: 0x796e_d1b8 }));
    assert_eq!(state.ifname, b"all");
    assert!(state.is_af_to());
    let wire = ends(("2001:db8:1::10", 50001), ("64:ff9b::c633:6407", 443));
    assert_eq!(state.wire_ends(), wire);
    assert_eq!(state.stack_ends(), ends(("198.51.100.1", 64409), ("198.51.100.7", 443)));
    assert_eq!((state.direction, state.wire.proto), (Direction::IN, 6));
    assert_eq!((state.src.seqlo, state.src.seqhi, state.src.max_win), (0x3000, 0x3002, 65535));
    assert_eq!(state.src.state.name(6), Some("SYN_SENT"));
    assert_eq!(state.dst.state.name(6), Some("CLOSED"));
    assert_eq!((state.rule, state.anchor, state.nat_rule), (Some(6), None, None));
    assert_eq!((state.creation_s, state.expire_s), (1, 119));
    assert_eq!((state.packets, state.bytes), ([1, 0], [60, 0]));
    assert_eq!(state.timeout_name(), Some("tcp.first"));
    assert_eq!(state.extra.unwrap().rtableid, [None, Some(0)]);
    assert_eq!(state.rt_addr, None);
}

/// The last state of a genuine file that has the id.
fn genuine(file: &[u8], layout: Layout, id: u64) -> State<'_> {
    let size = layout.state_size().unwrap();
    let names = [b"all", &b"ifname789012345"[..]];
    let windows = file.windows(size).filter(|window| window.starts_with(&id.to_be_bytes()));
    let mut states = windows.filter_map(|window| parse(window, layout));
    states.rfind(|state| names.contains(&state.ifname)).unwrap()
}

#[test]
fn openbsd6_nat_scrub_and_route() {
    let file = include_bytes!("../../../testdata/genuine/openbsd80-pfsync0.pcap");
    let state = |id| genuine(file, Layout::Openbsd6, id);
    let nat = state(0);
    assert_eq!(nat.direction, Direction::OUT);
    assert_eq!(nat.wire_ends(), ends(("203.0.113.9", 60277), ("198.51.100.20", 53)));
    assert_eq!(nat.stack_ends(), ends(("10.1.2.3", 40003), ("198.51.100.20", 53)));
    assert_eq!(nat.src.state.name(17), Some("SINGLE"));
    let rdr = state(1);
    assert_eq!(rdr.wire_ends(), ends(("192.0.2.10", 40004), ("192.0.2.1", 80)));
    assert_eq!(rdr.stack_ends(), ends(("192.0.2.10", 40004), ("10.9.9.9", 8080)));
    assert_eq!(rdr.src.window_shift(), Some(6));
    let scrub = state(2);
    let flags: Vec<_> = scrub.state_flags.names(scrub.systems()).collect();
    assert_eq!(flags, ["no-df", "set-tos", "random-id", "scrub-tcp"]);
    let extra = scrub.extra.unwrap();
    assert_eq!((extra.max_mss, extra.min_ttl, extra.set_tos), (1400, 77, 32));
    assert_eq!(scrub.src.scrub.unwrap().ttl, 64);
    assert_eq!(scrub.src.seqdiff, 1_503_850_980);
    let route = state(17);
    assert_eq!(route.rt_addr, Some(addr("198.51.100.77")));
    assert_eq!(route.extra.unwrap().rt, 1);
}

#[test]
fn freebsd_1301() {
    let file = include_bytes!("../../../testdata/genuine/freebsd14-pfsync-1301.pcap");
    let state = |n: u64| genuine(file, Layout::Freebsd1301, 0x6500_0000_0000_0000 + n);
    let first = state(0);
    assert_eq!(first.ids.unwrap().creatorid, 0xc0a8_0101);
    assert_eq!(first.packets, [10, 0x1_0000_0002]);
    assert_eq!(first.bytes, [1000, 0x12_3456_7890]);
    assert_eq!((first.src.max_win, first.src.mss), (65535, 1460));
    assert_eq!((first.creation_s, first.expire_s), (77, 45));
    assert_eq!(state(2).wire.family(), Some(Family::Inet6));
    let four = state(4);
    assert_eq!(four.src.scrub, Some(Scrub { flags: 1, ttl: 64, ts_mod: 0xdead_beef }));
    assert_eq!((four.log, four.anchor), (3, Some(12)));
    assert_eq!(four.state_flags.names(four.systems()).collect::<Vec<_>>(), ["sloppy"]);
    assert_eq!(state(5).rt_addr, Some(addr("198.51.100.254")));
    let long = state(6);
    assert_eq!((long.ifname, long.sync_flags), (&b"ifname789012345"[..], Some(12)));
    let purge = state(7);
    assert_eq!((purge.timeout_name(), purge.wire.proto), (Some("purge"), 132));
}

#[test]
fn freebsd_1500() {
    let file = include_bytes!("../../../testdata/genuine/freebsd15-pfsync-1500.pcap");
    let state = |n: u64| genuine(file, Layout::Freebsd1500, 0x6500_0000_0000_0000 + n);
    let five = state(5);
    assert_eq!((five.wire.proto, five.wire.af, five.direction), (6, 2, Direction::OUT));
    assert_eq!(five.rt_addr, Some(addr("198.51.100.254")));
    let extra = five.extra.unwrap();
    assert_eq!((extra.rt_ifname, extra.orig_ifname), (&b"vtnet0.100"[..], &b"em0"[..]));
    let queues = Queues { qid: 7, pqid: 8, dnpipe: 100, dnrpipe: 200 };
    assert_eq!((extra.queues, extra.rtableid), (Some(queues), [Some(2); 2]));
    assert_eq!((extra.max_mss, extra.min_ttl, extra.set_tos, extra.rt), (1400, 64, 16, 2));
    assert_eq!((five.sync_flags, five.updates), (None, None));
    let four = state(4);
    assert_eq!(four.state_flags.names(four.systems()).collect::<Vec<_>>(), ["sloppy", "set-prio"]);
    assert_eq!(four.extra.unwrap().set_prio, [3, 5]);
    assert_eq!(state(0).extra.unwrap().rtableid, [None; 2]);
    let af_to = state(8);
    assert!(af_to.is_af_to());
    assert!(!af_to.extra.unwrap().tagname.is_empty());
    assert_ne!(af_to.wire.proto, 0);
}

#[test]
fn version_4_keys_and_peers() {
    let file = include_bytes!("../../../testdata/genuine/aerie-v4-pfsync0.pcap");
    let nat = genuine(file, Layout::V4, 0x1_0000_0000);
    assert_eq!(nat.wire_ends(), ends(("203.0.113.9", 62147), ("198.51.100.20", 53)));
    assert_eq!(nat.stack_ends(), ends(("10.1.2.3", 40003), ("198.51.100.20", 53)));
    assert_eq!((nat.rule, nat.anchor, nat.nat_rule), (Some(3), None, Some(0)));
    assert_eq!(nat.timeout_name(), Some("udp.single"));
}

/// FreeBSD 1400: nobody has sent one to us. The offsets are those of its struct.
#[test]
fn freebsd_1400() {
    let mut bytes = vec![0; 277];
    let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
    put(232, &[28, 132, 2]); // AF_INET6, SCTP, out
    put(235, &[0x02, 0x01]); // state_flags: set-prio, allow-opts
    put(237, &[1, 0, 22, 3, 4]); // log, pad, sctp.established, sync_flags, updates
    put(242, &[0, 1, 0, 2, 0, 3, 0, 4]); // qid, pqid, dnpipe, dnrpipe
    put(250, &[0, 0, 0, 9]); // rtableid
    put(254, &[64, 16, 0x05, 0x78]); // min_ttl, set_tos, max_mss 1400
    put(258, &[6, 7, 1]); // set_prio, rt
    put(261, b"vtnet0.100.20.30"); // rt_ifname without a NUL
    let state = parse(&bytes, Layout::Freebsd1400).unwrap();
    assert_eq!(state.wire.family(), Some(Family::Inet6));
    assert_eq!((state.timeout_name(), state.log), (Some("sctp.established"), 1));
    assert_eq!((state.sync_flags, state.updates), (Some(3), Some(4)));
    assert_eq!(state.state_flags, StateFlags(0x0201));
    let extra = state.extra.unwrap();
    let queues = Queues { qid: 1, pqid: 2, dnpipe: 3, dnrpipe: 4 };
    assert_eq!((extra.queues, extra.rtableid[0]), (Some(queues), Some(9)));
    assert_eq!((extra.min_ttl, extra.set_tos, extra.max_mss), (64, 16, 1400));
    assert_eq!((extra.set_prio, extra.rt, extra.rt_ifname), ([6, 7], 1, &b"vtnet0.100.20.30"[..]));
}

/// Version 2, as pfsync_pack_state of OpenBSD 3.5 wrote it; version 3 has wider counters and its
/// scrub mark in front.
#[rustfmt::skip]
fn hosts_state(v3: bool, direction: u8) -> Vec<u8> {
    let peer = |state| {
        let scrub = [0, 1, 64, u8::from(v3), 1, 2, 3, 4];
        let windows = [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 4, 5, 0xb4, state, 0x87];
        joined(&[&scrub, &windows, &[u8::from(!v3), 0, 0, 0, 0, 0]])
    };
    let counter = |n: u8| if v3 { vec![0, 0, 0, 1, 0, 0, 0, n] } else { vec![0, 0, 0, n] };
    joined(&[
        &[0, 0, 0, 0, 0, 0, 0, 7], &name16("em0"),               // id, ifname
        &v4([10, 0, 0, 5]), &[0x1f, 0x90], &[0; 6],              // lan 10.0.0.5:8080
        &v4([192, 0, 2, 1]), &[0, 80], &[0; 6],                  // gwy 192.0.2.1:80
        &v4([198, 51, 100, 9]), &[0x9c, 0x40], &[0; 6],          // ext 198.51.100.9:40000
        &peer(4), &peer(2),                                      // src, dst
        &v4([192, 0, 2, 254]),                                   // rt_addr
        &[0, 0, 0, 3], &[0xff; 4], &[0, 0, 0, 1],                // rule, anchor, nat_rule
        &[0, 0, 0, 10], &[0, 0, 0, 20],                          // creation, expire
        &counter(1), &counter(2), &counter(3), &counter(4),      // packets, bytes
        &[0xde, 0xad, 0xbe, 0xef],                               // creatorid
        &[2, 6, direction, 1, 1, 2, 4, 5],                       // af TCP direction log allow_opts
    ])                                                           // tcp.established sync updates
}

#[test]
fn hosts_of_versions_2_and_3_become_keys() {
    for (v3, layout, size, high) in
        [(false, Layout::V2, 224, 0), (true, Layout::V3, 240, 0x1_0000_0000)]
    {
        let bytes = hosts_state(v3, 1);
        assert_eq!((bytes.len(), layout.state_size()), (size, Some(size)));
        let state = parse(&bytes, layout).unwrap();
        assert_eq!(state.wire_ends(), ends(("198.51.100.9", 40000), ("192.0.2.1", 80)));
        assert_eq!(state.stack_ends(), ends(("198.51.100.9", 40000), ("10.0.0.5", 8080)));
        assert_eq!(state.packets, [high + 1, high + 2]);
        assert_eq!(state.bytes, [high + 3, high + 4]);
        assert_eq!(state.ids, Some(Ids { id: 7, creatorid: 0xdead_beef }));
        let scrub = Scrub { flags: 1, ttl: 64, ts_mod: 0x0102_0304 };
        assert_eq!((state.src.scrub, state.src.state), (Some(scrub), PeerState(4)));
        assert_eq!((state.dst.mss, state.dst.window_shift()), (1460, Some(7)));
        assert_eq!(state.rt_addr, Some(addr("192.0.2.254")));
        assert_eq!((state.rule, state.anchor, state.nat_rule), (Some(3), None, Some(1)));
        assert_eq!(state.timeout_name(), Some("tcp.established"));
        assert_eq!((state.sync_flags, state.updates, state.log), (Some(4), Some(5), 1));
        // Out: the same hosts, from the other end.
        let bytes = hosts_state(v3, 2);
        let state = parse(&bytes, layout).unwrap();
        assert_eq!(state.wire_ends(), ends(("192.0.2.1", 80), ("198.51.100.9", 40000)));
        assert_eq!(state.stack_ends(), ends(("10.0.0.5", 8080), ("198.51.100.9", 40000)));
    }
}

#[test]
fn version_1_by_its_size() {
    for (size, wide, counters) in [(144, false, 1), (160, true, 1), (152, false, 2), (168, true, 2)]
    {
        for little in [false, true] {
            let order = |n: u32| if little { n.to_le_bytes() } else { n.to_be_bytes() };
            let high: &[u8] = if wide { &[0xee; 4] } else { &[] };
            let count = |n: u32| order(n).repeat(counters);
            let mut bytes = joined(&[
                &v4([10, 0, 0, 5]),
                &[0x1f, 0x90, 0, 0],
                &v4([192, 0, 2, 1]),
                &[0, 80, 0, 0],
                &v4([198, 51, 100, 9]),
                &[0x9c, 0x40, 0, 0],
                &[0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 9, 4, 0],
                &[0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 9, 4, 0],
                high,
                &[0, 0, 0, 5],
                high,
                &[0xff; 4],
                high,
                &[0; 16],
                &[0xee; 4],
                high,
                &order(300),
                &order(86400),
                &count(7),
                &count(9000),
                &[2, 6, 1, 1, 1],
            ]);
            bytes.resize(size, 0);
            assert_eq!(v1::size(3 * size, 3), Some(size));
            let state = parse(&bytes, Layout::V1).unwrap();
            assert_eq!((state.ids, state.timeout), (None, None));
            assert_eq!(state.wire_ends(), ends(("198.51.100.9", 40000), ("192.0.2.1", 80)));
            assert_eq!((state.rule, state.nat_rule), (Some(5), None));
            assert_eq!((state.creation_s, state.expire_s), (300, 86400));
            assert_eq!((state.packets[0], state.bytes[0]), (7, 9000));
            assert_eq!(state.src.state.name(state.wire.proto), Some("ESTABLISHED"));
        }
    }
    assert_eq!(v1::size(150, 1), None);
    assert_eq!(v1::size(0, 0), None);
    assert!(parse(&[0; 150], Layout::V1).is_none());
}

#[test]
fn a_state_cut_anywhere_is_none() {
    let bytes = [0x55; 400];
    for layout in Layout::ALL {
        if let Some(size) = layout.state_size() {
            assert!((0..size).all(|cut| parse(&bytes[..cut], layout).is_none()), "{layout:?}");
            assert!(parse(&bytes[..size], layout).is_some(), "{layout:?}");
        }
    }
}
