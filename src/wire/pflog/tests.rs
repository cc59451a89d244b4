//! One header of each layout, field by field, and what becomes of them when they are cut. Those
//! of OpenBSD 8.0, FreeBSD 14 and the 61-byte one are genuine (testdata/genuine).
#![allow(clippy::arithmetic_side_effects, reason = "a failing test may panic anywhere")]

use super::super::ByteOrder;
use super::*;

const EM0: &[u8; 16] = b"em0\0\0\0\0\0\0\0\0\0\0\0\0\0";
const NO_NAME: &[u8; 16] = &[0; 16];
/// A UDP packet of 29 bytes, 198.51.100.20 to 192.0.2.10, port 1 to 2.
const IP: &[u8] =
    b"\x45\0\0\x1d\0\0\0\0\x40\x11\0\0\xc6\x33\x64\x14\xc0\0\x02\x0a\0\x01\0\x02\0\x09\0\0x";

/// link type 17, OpenBSD 3.3
fn p0() -> Vec<u8> {
    [
        &[0, 0, 0, 2][..], // af, 4 bytes: inet
        EM0,               // ifname
        &[0xff, 0xff],     // rnr, -1: the default rule
        &[0, 3],           // reason: short
        &[0, 1],           // action: drop
        &[0, 2],           // dir: out
        IP,
    ]
    .concat()
}

/// 45: OpenBSD 3.4 to 3.7
fn p1() -> Vec<u8> {
    [
        &[45, 2, 1, 0][..],   // length, af inet, action drop, reason match
        EM0,                  // ifname
        b"authpf\0garbage!!", // ruleset, and what strlcpy left behind it
        &[0, 0, 0, 5],        // rulenr
        &[0, 0, 1, 0],        // subrulenr 256
        &[1],                 // dir: in
        &[0; 3],              // pad
        IP,
    ]
    .concat()
}

/// 49: OPNsense without PF_USER_INFO
fn p1o() -> Vec<u8> {
    [
        &[49, 2, 0, 8][..], // length, af inet, action pass, reason ip-option
        EM0,
        NO_NAME,
        &[0, 0, 0, 5],
        &[0xff; 4],       // subrulenr: none
        &[0, 0, 0x30, 1], // ridentifier 0x3001
        &[2],             // dir: out
        &[0; 3],
        IP,
    ]
    .concat()
}

/// 61: the genuine record 27 of testdata/genuine/aerie-v4-pflog0.pcap
fn p2() -> Vec<u8> {
    [
        &[61, 2, 1, 0][..],               // length, af inet, action drop, reason match
        b"lo1\0\0\0\0\0\0\0\0\0\0\0\0\0", // ifname
        b"a-very-long-anc\0",             // ruleset, cut by the kernel
        &[0, 0, 0, 15],                   // rulenr
        &[0, 0, 0, 0],                    // subrulenr 0
        &[0xff, 0xff, 0xff, 0xff],        // uid -1: not looked up
        &[0xff, 0x7f, 0, 0],              // pid NO_PID, 32767, host order
        &[0xf5, 1, 0, 0],                 // rule_uid 501
        &[0x92, 0x10, 0, 0],              // rule_pid 4242
        &[1, 0, 0, 0],                    // dir in, pad
        IP,
    ]
    .concat()
}

/// 68, padded to 76: pfSense on FreeBSD 12, amd64
fn p5x() -> Vec<u8> {
    [
        &[68, 2, 1, 0][..],
        EM0,
        NO_NAME,
        &[0, 0, 0, 5],
        &[0xff; 4],
        &[0xff; 4],             // uid
        &[0xa0, 0x86, 1, 0],    // pid NO_PID, 100000
        &[0; 4],                // rule_uid
        &[0x92, 0x10, 0, 0],    // rule_pid
        &[1, 0, 0, 0],          // dir in, the compiler's padding
        &[0x3b, 0x9a, 0xca, 0], // ridentifier 1000000000
        &[0; 8],                // pad[sizeof(long) - 1], rounded up
        IP,
    ]
    .concat()
}

/// 69: the genuine record 49 of testdata/genuine/freebsd14-pflog.pcap
fn p5() -> Vec<u8> {
    [
        &[69, 2, 0, 0][..],         // length, af inet, action pass, reason match
        b"vtnet0.100\0\0\0\0\0\0",  // ifname
        b"blocklist\0\0\0\0\0\0\0", // ruleset
        &[0, 0, 0, 12],             // rulenr
        &[0, 0, 0, 8],              // subrulenr
        &[0xe8, 3, 0, 0],           // uid 1000
        &[0xa0, 0x86, 1, 0],        // pid: FreeBSD never knows it
        &[0; 4],                    // rule_uid
        &[0; 4],                    // rule_pid
        &[1],                       // dir in
        &[0, 0, 0],                 // rewritten, naf (FreeBSD 15), pad
        &[0; 4],                    // ridentifier: none
        &[0, 0, 0, 0],              // reserve, pad2
        IP,
    ]
    .concat()
}

/// 100: the genuine record 9 of testdata/genuine/openbsd80-pflog0.pcap
fn p4() -> Vec<u8> {
    [
        &[100, 2, 0, 0][..],            // length, af inet, action pass, reason match
        b"pair0\0\0\0\0\0\0\0\0\0\0\0", // ifname
        NO_NAME,                        // ruleset: the main one
        &[0, 0, 0, 4],                  // rulenr
        &[0xff; 4],                     // subrulenr: none
        &[0xff; 4],                     // uid
        &[0xa0, 0x86, 1, 0],            // pid
        &[0xf5, 1, 0, 0],               // rule_uid 501
        &[0x92, 0x10, 0, 0],            // rule_pid 4242
        &[2, 1, 2, 0],                  // dir out, rewritten, naf inet, pad
        &[203, 0, 113, 9],              // saddr
        &[0; 12],                       // and what IPv4 does not need of it
        &[198, 51, 100, 20],            // daddr
        &[0; 12],
        &[0xeb, 0x75], // sport 60277
        &[0, 53],      // dport
        IP,
    ]
    .concat()
}

fn le() -> Writer {
    Writer::new(ByteOrder::Little)
}

fn read(frame: &[u8]) -> Pflog<'_> {
    parse(frame, frame.len(), le()).unwrap()
}

/// Every layout with a length byte.
fn layouts() -> [Vec<u8>; 6] {
    [p1(), p1o(), p2(), p5x(), p5(), p4()]
}

#[test]
fn the_old_header() {
    let frame = p0();
    let h = parse_old(&frame, le()).unwrap();
    assert_eq!((h.hdrlen, h.skip, h.af), (28, 28, 2));
    assert_eq!((h.action, h.reason), (Action::BLOCK, Reason(3)));
    assert_eq!((h.ifname, h.ruleset), (&b"em0"[..], &b""[..]));
    assert_eq!((h.rulenr, h.subrulenr, h.dir), (None, None, Some(Direction::OUT)));
    assert_eq!(h.systems, Systems::OPENBSD_3);
    assert_eq!(frame.get(h.skip..), Some(IP));
}

#[test]
fn a_header_of_45_bytes() {
    let frame = p1();
    let h = read(&frame);
    assert_eq!((h.hdrlen, h.skip), (45, 48));
    assert_eq!((h.ifname, h.ruleset), (&b"em0"[..], &b"authpf"[..]));
    assert_eq!((h.rulenr, h.subrulenr, h.dir), (Some(5), Some(256), Some(Direction::IN)));
    assert_eq!((h.owner, h.ridentifier, h.naf, h.other), (None, None, None, None));
}

#[test]
fn a_header_of_49_bytes() {
    let frame = p1o();
    let h = read(&frame);
    assert_eq!((h.hdrlen, h.skip, h.systems), (49, 52, Systems::FREEBSD));
    assert_eq!((h.ridentifier, h.dir, h.owner), (Some(0x3001), Some(Direction::OUT), None));
    assert!(h.is_suspect());
}

#[test]
fn a_header_of_61_bytes() {
    let frame = p2();
    let h = read(&frame);
    assert_eq!((h.hdrlen, h.skip), (61, 64));
    assert_eq!((h.ifname, h.ruleset), (&b"lo1"[..], &b"a-very-long-anc"[..]));
    assert_eq!((h.rulenr, h.subrulenr), (Some(15), Some(0)));
    let owner = Owner { uid: None, pid: None, rule_uid: 501, rule_pid: 4242 };
    assert_eq!((h.owner, h.dir), (Some(owner), Some(Direction::IN)));
}

#[test]
fn a_header_of_68_bytes() {
    let frame = p5x();
    let h = read(&frame);
    assert_eq!((h.hdrlen, h.skip, h.systems), (68, 76, Systems::FREEBSD));
    assert_eq!(h.ridentifier, Some(1_000_000_000));
    // On 32 bits four bytes less of padding.
    let frame = [&p5x()[..72], IP].concat();
    assert_eq!(read(&frame).skip, 72);
}

#[test]
fn a_header_of_69_bytes() {
    let frame = p5();
    let h = read(&frame);
    assert_eq!((h.hdrlen, h.skip, h.systems), (69, 72, Systems::FREEBSD));
    let owner = Owner { uid: Some(1000), pid: None, rule_uid: 0, rule_pid: 0 };
    assert_eq!((h.owner, h.naf, h.ridentifier), (Some(owner), None, None));
}

#[test]
fn a_header_of_100_bytes() {
    let frame = p4();
    let h = read(&frame);
    assert_eq!((h.hdrlen, h.skip, h.systems), (100, 100, Systems::OPENBSD));
    assert_eq!((h.dir, h.naf), (Some(Direction::OUT), Some(2)));
    let other = h.other.unwrap();
    assert!(other.rewritten);
    assert_eq!(h.other_family(), Some(Family::Inet));
    assert_eq!((other.saddr.first_chunk(), other.sport), (Some(&[203, 0, 113, 9]), 60277));
    assert_eq!((other.daddr.first_chunk(), other.dport), (Some(&[198, 51, 100, 20]), 53));
}

#[test]
fn every_prefix_of_every_layout() {
    for frame in layouts() {
        let whole = read(&frame);
        let needed = padded(whole.hdrlen);
        for n in 0..frame.len() {
            let cut = &frame[..n];
            match parse(cut, frame.len(), le()) {
                Ok(h) => {
                    assert!(n >= needed && h.skip <= n, "{n} of {}", h.hdrlen);
                    let whole = Pflog { skip: h.skip, other: h.other, ..whole };
                    assert_eq!(h, whole, "{n}");
                }
                Err(error) => {
                    assert!(n < needed);
                    let needed = if n == 0 { 1 } else { needed };
                    let fault = Fault::Truncated { needed };
                    assert_eq!(error, DecodeError { layer: Layer::Pflog, offset: 0, fault });
                }
            }
            assert_eq!(parse_cut(cut, le()).is_some(), n >= PREFIX_LEN);
        }
    }
    let frame = p0();
    for n in 0..frame.len() {
        let fault = parse_old(&frame[..n], le()).err().map(|error| error.fault);
        assert_eq!(fault, (n < OLD_LEN).then_some(Fault::Truncated { needed: OLD_LEN }));
    }
}

#[test]
fn lengths_at_the_borders() {
    // (length byte, offset of the packet, has an owner, has a direction, has addresses)
    for (length, skip, owner, dir, other) in [
        (45, 48, false, true, false),
        (46, 48, false, false, false),
        (60, 60, false, false, false),
        (61, 64, true, true, false),
        (62, 64, true, true, false),
        (69, 72, true, true, false),
        (70, 72, true, true, false),
        (99, 100, true, true, false),
        (100, 100, true, true, true),
        (101, 104, true, true, true),
        (252, 252, true, true, true),
        (253, 256, true, true, true),
        (254, 256, true, true, true),
        (255, 256, true, true, true),
    ] {
        let mut frame = p4()[..100].to_vec();
        frame.resize(skip, 0);
        frame.truncate(skip);
        frame[0] = length;
        let h = read(&frame);
        assert_eq!((h.hdrlen, h.skip), (length, skip));
        assert_eq!((h.owner.is_some(), h.dir.is_some(), h.other.is_some()), (owner, dir, other));
        let error = parse(&frame[..skip - 1], skip, le()).unwrap_err();
        assert_eq!(error.fault, Fault::Truncated { needed: skip }, "{length}");
    }
    for length in [0, 1, 44] {
        let mut frame = p4();
        frame[0] = length;
        let error = parse(&frame, frame.len(), le()).unwrap_err();
        assert_eq!(error.fault, Fault::BadLength(length.into()));
        assert_eq!(parse_cut(&frame, le()), None);
    }
}

#[test]
fn names_fill_their_fields() {
    let mut frame = p4();
    frame[4..36].fill(b'x');
    let h = read(&frame);
    assert_eq!((h.ifname, h.ruleset), (&[b'x'; 16][..], &[b'x'; 16][..]));
    frame[4] = 0;
    frame[20] = 0;
    let h = read(&frame);
    assert_eq!((h.ifname, h.ruleset), (&b""[..], &b""[..]));
}

#[test]
fn users_and_processes_that_are_none() {
    let owner = |uid: u32, pid: i32| {
        let mut frame = p2();
        frame[44..48].copy_from_slice(&uid.to_le_bytes());
        frame[48..52].copy_from_slice(&pid.to_le_bytes());
        let owner = read(&frame).owner.unwrap();
        (owner.uid, owner.pid)
    };
    assert_eq!(owner(0, 0), (Some(0), Some(0)));
    assert_eq!(owner(u32::MAX, -1), (None, None));
    assert_eq!(owner(0x7fff_ffff, 30_001), (None, None));
    assert_eq!(owner(0x7fff_fffe, 99_999), (Some(0x7fff_fffe), Some(99_999)));
    assert_eq!(owner(u32::MAX - 1, 100_000), (Some(u32::MAX - 1), None));
}

/// A packet is looked for elsewhere only if none stands where it should, and only where its own
/// lengths are those of what is left.
#[test]
fn a_packet_is_found_where_it_is() {
    let header = &p2()[..64];
    for gap in [0, 4, 8, 12] {
        let frame = [header, &vec![0; gap], IP].concat();
        assert_eq!(read(&frame).skip, 64 + gap);
    }
    // Not at a place where no writer puts it.
    let frame = [header, &[0; 7], IP].concat();
    assert_eq!(read(&frame).skip, 64);
    // An Ethernet frame of which a byte looks like a version.
    let frame = [header, &[0, 1, 2, 3, 0x45, 0, 0xff, 0xff], IP].concat();
    assert_eq!(read(&frame).skip, 72, "the length at 68 cannot be");
    // A family that nobody has: what follows is not guessed.
    let mut frame = [header, &[0; 4], IP].concat();
    frame[1] = 77;
    assert_eq!(read(&frame).skip, 64);
}
