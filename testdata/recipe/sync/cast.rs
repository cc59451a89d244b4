//! The states that the pfsync captures tell about.

use crate::encode::Random;
use crate::encode::pflog::name;
use crate::encode::pfsync::Layout;
use crate::encode::pfsync::state::{IN, Key, OUT, Peer, State, address};

/// Whose states: firewall A (as OpenBSD 8.0 chose it once), its peer B.
pub const A: u32 = 0x796e_d1b8;
/// See [`A`].
pub const B: u32 = 0x1f2e_3d4c;

/// Every pair of TCP peer states that net/pf.c brings about, the names it never uses, the proxy
/// states, and numbers that are none.
pub const TCP: [(u8, u8); 18] = [
    (2, 0),
    (2, 2),
    (4, 2),
    (4, 4),
    (7, 4),
    (4, 7),
    (9, 4),
    (4, 9),
    (7, 7),
    (9, 7),
    (7, 9),
    (9, 9),
    (10, 10),
    (1, 3),
    (5, 6),
    (8, 0),
    (11, 0),
    (12, 2),
];

/// A state without translation between `from`, who began, and `to`.
pub fn flow(proto: u8, direction: u8, from: (&str, u16), to: (&str, u16)) -> State {
    let key = if direction == IN { Key::new(from, to) } else { Key::new(to, from) };
    State {
        wire: key,
        stack: key,
        proto,
        stack_proto: proto,
        direction,
        orig_ifname: name("em0"),
        creatorid: A,
        ..State::default()
    }
}

/// What the outside sees in place 1: nat-to (out) changes the wire's, rdr-to (in) the stack's.
pub fn translated(mut state: State, to: (&str, u16)) -> State {
    let key = if state.direction == IN { &mut state.stack } else { &mut state.wire };
    key.addr[1] = address(to.0);
    key.port[1] = to.1;
    State { nat_rule: 3, ..state }
}

/// A TCP peer with numbers to look at.
pub fn tcp_peer(state: u8, seq: u32) -> Peer {
    Peer {
        seqlo: seq,
        seqhi: seq.wrapping_add(65_535),
        max_win: 65_535,
        mss: 1460,
        state,
        wscale: 0x80 | 7,
        ..Peer::default()
    }
}

/// TCP from 192.0.2.10 to 198.51.100.20:443 in these peer states.
pub fn tcp(port: u16, (src, dst): (u8, u8)) -> State {
    let timeout = match (src, dst) {
        (2, 0) => 0,
        (10, _) => 5,
        (9, 9) => 4,
        (7.., _) | (_, 7..) => 3,
        (4, 4) => 2,
        _ => 1,
    };
    State {
        src: tcp_peer(src, 1_000_000),
        dst: tcp_peer(dst, 4_294_960_000),
        timeout,
        ..flow(6, IN, ("192.0.2.10", port), ("198.51.100.20", 443))
    }
}

/// One of everything, for the newest layouts; the first few and a third of the rest for others.
pub fn all(layout: Layout) -> Vec<State> {
    let full = matches!(layout, Layout::FreeBsd1500 | Layout::OpenBsd6);
    let all = everything(layout).into_iter().enumerate();
    all.filter(|(i, _)| full || *i < 9 || i % 3 == 0).map(|(_, state)| state).collect()
}

fn everything(layout: Layout) -> Vec<State> {
    let mut states: Vec<State> = (0..).zip(TCP).map(|(i, pair)| tcp(50_000 + i, pair)).collect();
    states.push(tcp(50_900, (14, 4)));
    states.extend(others());
    states.extend(translations());
    states.extend(details());
    let last = match layout {
        // SCTP's own timeouts, then PFTM_PURGE and PFTM_UNLINKED.
        _ if layout.freebsd() => 27,
        _ => 22,
    };
    // Those above have the others.
    for timeout in [14].into_iter().chain(18..=last) {
        let port = 33_000 + u16::from(timeout);
        let udp = flow(17, OUT, ("192.0.2.1", port), ("203.0.113.53", 53));
        states.push(State { timeout, src: Peer::in_state(1), dst: Peer::default(), ..udp });
    }
    let mut random = Random::new(240);
    for (number, state) in (0..).zip(&mut states) {
        state.id = 0x6911_2233_0000_0000 + number;
        state.creation = random.below(400_000) as u32;
        state.expire = random.below(86_400) as u32;
        state.packets = [1 + random.below(1000), random.below(1000)];
        state.bytes = [40 + random.below(1 << 20), random.below(1 << 20)];
    }
    // More than 32 bits can count.
    states[3].packets = [(1 << 32) + 7, 5_000_000_000];
    states[3].bytes = [(9 << 40) + 1, u64::MAX];
    // FreeBSD's identifiers begin with the processor that made them.
    states[4].id = u64::MAX;
    states
}

/// What is not TCP.
fn others() -> Vec<State> {
    let (v4, far4) = ("192.0.2.10", "198.51.100.20");
    let (v6, far6) = ("2001:db8::10", "2001:db8:0:1::20");
    let with = |state: State, src, dst, timeout| State {
        src: Peer::in_state(src),
        dst: Peer::in_state(dst),
        timeout,
        ..state
    };
    vec![
        with(flow(17, IN, (v4, 5353), (far4, 53)), 1, 0, 6),
        with(flow(17, OUT, (v4, 123), (far4, 123)), 1, 2, 7),
        with(flow(17, IN, (v6, 5353), (far6, 53)), 2, 2, 8),
        // Echo: the id is the port on the one side, 8 (or 128) on the other.
        with(flow(1, IN, (v4, 4660), (far4, 8)), 0, 0, 9),
        with(flow(1, OUT, (v4, 4661), (far4, 8)), 1, 2, 10),
        with(flow(58, IN, (v6, 4660), (far6, 128)), 0, 0, 9),
        with(flow(132, OUT, (v4, 36412), (far4, 36412)), 2, 2, 12),
        with(flow(132, IN, (v6, 40000), (far6, 7777)), 4, 4, 13),
        with(flow(47, OUT, (v4, 0), (far4, 0)), 1, 0, 11),
        with(flow(50, IN, (v6, 0), (far6, 0)), 2, 2, 13),
        with(flow(112, OUT, (v4, 0), ("224.0.0.18", 0)), 1, 0, 12),
        with(flow(253, IN, (v4, 0), (far4, 0)), 3, 9, 13),
        State { src: tcp_peer(4, 7), dst: tcp_peer(4, 9), ..flow(6, OUT, (v6, 49152), (far6, 22)) },
    ]
}

/// What pf makes of addresses.
fn translations() -> Vec<State> {
    let udp = |state: State| State {
        src: Peer::in_state(2),
        dst: Peer::in_state(2),
        timeout: 8,
        ..state
    };
    let established = |state: State| State {
        src: tcp_peer(4, 100_000),
        dst: tcp_peer(4, 200_000),
        timeout: 2,
        ..state
    };
    let inside = ("10.1.2.3", 13_724);
    let nat =
        translated(udp(flow(17, OUT, inside, ("198.51.100.20", 53))), ("203.0.113.9", 60_277));
    let rdr = translated(
        established(flow(6, IN, ("192.0.2.10", 40_004), ("192.0.2.1", 80))),
        ("10.9.9.9", 8_080),
    );
    let nat66 = translated(
        established(flow(6, OUT, ("fd00::3", 50_000), ("2001:db8::443", 443))),
        ("2001:db8:ffff::1", 61_000),
    );
    // Same addresses, another port; another address, same port.
    let port = translated(udp(flow(17, OUT, inside, ("198.51.100.20", 53))), ("10.1.2.3", 50_000));
    let echo =
        translated(udp(flow(1, OUT, ("10.1.2.3", 77), ("192.0.2.99", 8))), ("203.0.113.9", 52_111));
    // af-to from IPv6 to IPv4: the sides are of different families.
    let mut down =
        established(flow(6, IN, ("2001:db8:1::10", 50_001), ("64:ff9b::c633:6407", 443)));
    down.stack = Key::new(("198.51.100.7", 443), ("198.51.100.1", 54_946));
    down.nat_rule = 5;
    let mut up = udp(flow(17, IN, ("192.0.2.10", 40_000), ("192.0.2.64", 53)));
    up.stack = Key::new(("2001:db8::53", 53), ("2001:db8::64", 40_000));
    up.nat_rule = 6;
    let mut ping = udp(flow(58, IN, ("2001:db8:1::10", 99), ("64:ff9b::c633:6407", 128)));
    ping.stack = Key::new(("198.51.100.7", 8), ("198.51.100.1", 99));
    ping.stack_proto = 1;
    vec![nat, rdr, nat66, port, echo, down, up, ping]
}

/// Rules, flags, names, routing.
fn details() -> Vec<State> {
    let base = |port| tcp(port, (4, 4));
    let mut rdomains = base(51_000);
    rdomains.wire.rdomain = 1;
    rdomains.stack.rdomain = 65_535;
    rdomains.rtableid = [1, -1];
    let mut modulated = base(51_001);
    modulated.src.seqdiff = 0x78ca_0ee5;
    modulated.dst.seqdiff = 0xffff_fff0;
    modulated.src.seqlo = u32::MAX - 10;
    modulated.src.seqhi = 20;
    modulated.src.wscale = 0;
    modulated.dst.wscale = 0x8e;
    for peer in [&mut modulated.src, &mut modulated.dst] {
        (peer.scrub, peer.scrub_flags, peer.scrub_ttl, peer.ts_mod) = (1, 1, 64, 0x1122_3344);
    }
    let mut list = vec![
        rdomains,
        State { state_flags: 0x0100, ..modulated },
        State { anchor: 7, rule: 3, ..base(51_002) },
        State { rule: u32::MAX, ..base(51_003) },
        State { ifname: name("all"), log: 1, ..base(51_004) },
        State { ifname: name("vether4294967295"), log: 7, ..base(51_005) },
        State { ifname: name("em\x1b[31m\n\u{202e}"), ..base(51_006) },
        State { ifname: name([b'e', 0xff, b'0', 0, b'g', b'a', b'r']), ..base(51_007) },
        State { ifname: name(""), direction: 0, ..base(51_008) },
        State { direction: 3, ..base(51_009) },
        State {
            rt_addr: address("198.51.100.254"),
            rt: 3,
            rt_ip: 4,
            rt_ifname: name("em2"),
            ..base(51_010)
        },
        State {
            rt_addr: address("2001:db8::fe"),
            rt: 4,
            rt_ip: 6,
            rt_ifname: name("a16characterlong"),
            ..flow(6, IN, ("2001:db8::10", 51_011), ("2001:db8:0:1::20", 443))
        },
        State {
            max_mss: 1440,
            min_ttl: 64,
            set_tos: 0xb8,
            set_prio: [3, 6],
            queues: [258, 772],
            pipes: [1286, 1800],
            tagname: b"voice".to_vec(),
            ..base(51_012)
        },
        State { tagname: [b'x'; 64].to_vec(), rtableid: [5, 5], ..base(51_013) },
        State { sync_flags: 0xff, updates: 255, ..base(51_014) },
        State { expire: 0, creation: u32::MAX, ..base(51_015) },
        State { creatorid: 0x0000_00ab, ..base(51_016) },
    ];
    // Every flag once, then all.
    for (port, state_flags) in (52_000..).zip([0x0155, 0x02aa, 0x0400, 0xffff]) {
        list.push(State { state_flags, ..base(port) });
    }
    // A family that is none.
    let mut strange = base(53_000);
    (strange.wire.ip, strange.stack.ip) = (99, 99);
    list.push(strange);
    list
}
