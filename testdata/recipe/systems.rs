//! One log per system and byte order, with every code the header can carry.

use super::{AF_INET6, File, Log};
use crate::encode::Order;
use crate::encode::link::link_type;
use crate::encode::packet::ip::Ip;
use crate::encode::packet::transport::{Tcp, udp_packet};
use crate::encode::pflog::{AF_INET, Header, NO_RULE, Variant, name};

/// A system as a writer of logs.
#[derive(Clone, Copy, Debug)]
pub struct System {
    /// The start of the file's name.
    pub file: &'static str,
    /// The header it writes.
    pub variant: Variant,
    /// Its `AF_INET6`.
    af6: u8,
    /// Its highest action in `enum { PF_PASS, PF_DROP, ... }` of net/pfvar.h.
    last_action: u8,
    /// Its highest direction: `PF_OUT`, or `PF_FWD` of OpenBSD.
    last_dir: u8,
    /// What it writes if no socket was looked up: `UID_MAX` or -1.
    no_uid: u32,
    /// `NO_PID` of its net/pfvar.h: `PID_MAX` + 1.
    no_pid: i32,
    /// An interface of the system.
    ifname: &'static str,
}

/// The systems, and where the values that differ come from.
pub const SYSTEMS: [System; 14] = [
    // OpenBSD 3.4 to 3.7; what came before has a format of its own, see `old`.
    System {
        file: "p1",
        variant: Variant::P1,
        af6: 24,
        last_action: 10,
        last_dir: 2,
        no_uid: u32::MAX,
        no_pid: 32767,
        ifname: "fxp0",
    },
    // FreeBSD's numbers: AF_INET6 28, NO_PID 100000.
    System { file: "p1o", variant: Variant::P1o, last_action: 11, ..FREEBSD },
    System {
        file: "p2-openbsd",
        variant: Variant::P2,
        af6: 24,
        last_action: 10,
        last_dir: 2,
        no_uid: u32::MAX,
        no_pid: 32767,
        ifname: "em0",
    },
    System { file: "p2-freebsd", variant: Variant::P2, last_action: 11, ..FREEBSD },
    // NetBSD: UID_MAX is 2^31 - 1, PID_MAX 30000.
    System {
        file: "p2-netbsd",
        variant: Variant::P2,
        af6: 24,
        last_action: 10,
        last_dir: 2,
        no_uid: 0x7fff_ffff,
        no_pid: 30001,
        ifname: "wm0",
    },
    System { file: "p2-dragonfly", variant: Variant::P2, last_action: 10, ..FREEBSD },
    // Darwin: AF_INET6 30; actions end with nonat64.
    System {
        file: "p2-darwin",
        variant: Variant::P2,
        af6: 30,
        last_action: 14,
        last_dir: 2,
        no_uid: 0x7fff_ffff,
        no_pid: 100_000,
        ifname: "en0",
    },
    // OpenBSD 5.0 and before: PID_MAX was 32766 until 6.0; match exists since 4.7.
    System { file: "p3", variant: Variant::P3, last_action: 12, no_pid: 32767, ..OPENBSD },
    System { last_dir: 3, ..OPENBSD },
    // FreeBSD 13.1 and 14 know match; pfSense of FreeBSD 12 does not; 15 adds afrt and rt.
    System { file: "p5", variant: Variant::P5, ..FREEBSD },
    System { file: "p5x64", variant: Variant::P5x64, last_action: 11, ..FREEBSD },
    System { file: "p5x32", variant: Variant::P5x32, last_action: 11, ..FREEBSD },
    System { file: "p6", variant: Variant::P6, last_action: 14, ..FREEBSD },
    System { file: "future", variant: Variant::Future(104), ..OPENBSD },
];

/// OpenBSD 6.0 on.
pub const OPENBSD: System = System {
    file: "p4",
    variant: Variant::P4,
    af6: AF_INET6,
    last_action: 15,
    last_dir: 2,
    no_uid: u32::MAX,
    no_pid: 100_000,
    ifname: "em0",
};

/// FreeBSD 14.
const FREEBSD: System = System {
    file: "",
    variant: Variant::P5,
    af6: 28,
    last_action: 12,
    last_dir: 2,
    no_uid: u32::MAX,
    no_pid: 100_000,
    ifname: "igb0",
};

/// The two packets that all these logs are about.
struct Packets {
    udp4: Vec<u8>,
    tcp6: Vec<u8>,
}

impl Packets {
    fn new() -> Self {
        Self {
            udp4: udp_packet(&Ip::v4(), 40000, 7777, b"pf"),
            tcp6: Tcp::default().packet(&Ip::v6(), b""),
        }
    }

    /// The header and the packet of its family.
    fn behind(&self, header: Header) -> (Header, Vec<u8>) {
        let packet = if header.af == AF_INET { &self.udp4 } else { &self.tcp6 };
        (header, packet.clone())
    }
}

pub(super) fn files() -> Vec<File> {
    let mut files = Vec::new();
    for (order, end) in [(Order::Big, "be"), (Order::Little, "le")] {
        files.push(File::new(format!("p0-{end}.pcap"), old(order)));
        for system in SYSTEMS {
            let mut log = Log::new(order, link_type::PFLOG);
            for (header, packet) in records(system) {
                log.add(&[header.encode(system.variant, order), packet].concat());
            }
            if system.file == "future" {
                lengths(&mut log, order);
            }
            files.push(File::new(format!("{}-{end}.pcap", system.file), log.finish()));
        }
        for (variant, size) in [(Variant::P2, "61"), (Variant::P5, "69")] {
            files.push(File::new(format!("p7-ipfw{size}-{end}.pcap"), ipfw(order, variant)));
        }
    }
    files.push(File::new("p4-order-mismatch.pcap", order_mismatch()));
    files.push(File::new("npf.pcap", npf()));
    files
}

/// Every code, name and sentinel of a system.
pub fn records(system: System) -> Vec<(Header, Vec<u8>)> {
    let packets = Packets::new();
    // FreeBSD 15 has room for naf but leaves it zero.
    let naf_unset = system.variant == Variant::P6;
    let base = |packet: &[u8]| {
        let header = Header::of(packet, system.af6);
        Header {
            uid: system.no_uid,
            pid: system.no_pid,
            ifname: name(system.ifname),
            naf: if naf_unset { 0 } else { header.af },
            ..header
        }
    };
    let (four, six) = (base(&packets.udp4), base(&packets.tcp6));
    let mut headers = Vec::new();
    for action in (0..=system.last_action).chain([99]) {
        let dir = 1 + action % 2;
        headers.push(Header { action, dir, rulenr: u32::from(action), ..four });
    }
    for reason in 0..=17 {
        let ridentifier = 1_000_000_000 + u32::from(reason);
        headers.push(Header { reason, ridentifier, rulenr: 70_000, ..four });
    }
    for dir in (0..=system.last_dir).chain([9]) {
        headers.push(Header { dir, ..six });
    }
    let anchor = Header { ruleset: name("ftp-proxy/12345"), rulenr: 3, ..six };
    headers.extend([
        Header { subrulenr: 0, ..anchor },
        Header { subrulenr: 4_000_000_000, ruleset: name("a"), ..anchor },
        // All 16 bytes used: no kernel writes it, every reader must bear it.
        Header { subrulenr: 7, ruleset: name("sixteen-bytes-xx"), ..anchor },
        Header { ifname: name("vether4294967295"), ..anchor },
        Header { rulenr: NO_RULE, ruleset: name(""), ..six },
        Header { uid: 1000, pid: 4321, rule_uid: 501, rule_pid: 99_999, ..four },
        Header { uid: 0, pid: 1, rule_pid: 0, ..four },
        // A socket whose process is gone, and a process without an owner.
        Header { uid: 65534, ..six },
        Header { pid: 77, naf: if naf_unset { system.af6 } else { 0 }, ..six },
    ]);
    headers.into_iter().map(|header| packets.behind(header)).collect()
}

/// OpenBSD 3.0 to 3.3, link type 17. The direction changed its numbers: the big-endian log has
/// those of 2001 (`PF_IN` 0, `PF_OUT` 1, three actions), the little-endian one those of net/pfvar.h
/// 1.119 (`PF_IN` 1, `PF_OUT` 2, actions up to nordr).
pub fn old_records(order: Order) -> Vec<(Header, Vec<u8>)> {
    let packets = Packets::new();
    let (last_action, dirs) = match order {
        Order::Big => (2, [0, 1]),
        Order::Little => (8, [1, 2]),
    };
    let base = |packet: &[u8]| Header {
        ifname: name("fxp0"),
        dir: dirs[0],
        ..Header::of(packet, AF_INET6)
    };
    let (four, six) = (base(&packets.udp4), base(&packets.tcp6));
    let mut headers = Vec::new();
    for action in (0..=last_action).chain([99]) {
        headers.push(Header { action, rulenr: u32::from(action), ..four });
    }
    for reason in 0..=17 {
        headers.push(Header { reason, dir: dirs[1], rulenr: 300, ..four });
    }
    headers.extend([
        Header { rulenr: NO_RULE, ..six },
        Header { ifname: name("sixteen-bytes-xx"), dir: dirs[1], ..six },
        Header { dir: 9, ..six },
    ]);
    headers.into_iter().map(|header| packets.behind(header)).collect()
}

fn old(order: Order) -> Vec<u8> {
    let mut log = Log::new(order, Variant::P0.link_type());
    for (header, packet) in old_records(order) {
        log.add(&[header.encode(Variant::P0, order), packet].concat());
    }
    log.finish()
}

/// Header lengths that nobody has written, before a packet that is still to be found.
fn lengths(log: &mut Log, order: Order) {
    let packets = Packets::new();
    for length in [46, 52, 60, 62, 64, 77, 99, 101, 128, 200, 252] {
        let header = Header::of(&packets.udp4, AF_INET6);
        log.add(&[&header.encode(Variant::Future(length), order), &packets.udp4[..]].concat());
    }
}

/// FreeBSD's ipfw NAT64 (netpfil/ipfw/nat64) logs with pf's header to ipfwlog0: rulenr and
/// subrulenr are its own, action is nat, uid and pid 0.
fn ipfw(order: Order, variant: Variant) -> Vec<u8> {
    let packets = Packets::new();
    let base = |packet: &[u8]| Header {
        action: 4,
        uid: 0,
        pid: 0,
        rule_pid: 0,
        ..Header::of(packet, FREEBSD.af6)
    };
    let (four, six) = (base(&packets.udp4), base(&packets.tcp6));
    // The oldest nat64stl.c cleared only the first bytes: the stack shines through.
    let mut garbage = Header { uid: 0xdead_beef, pid: -559_038_737, ..four };
    garbage.ruleset = name(b"\0\xff\xfe%s\x1b[2Jstack\0x");
    // The alias address 203.0.113.9; port, protocol and a byte of the address in one word.
    let public = u32::from_be_bytes([203, 0, 113, 9]);
    let lsn = Header { rulenr: public, subrulenr: 40000 << 16 | 17 << 8 | 20, ..four };
    let mut log = Log::new(order, link_type::PFLOG);
    for (header, packet) in [
        (Header { ifname: name("NAT64LSN"), ..lsn }, &packets.udp4),
        (Header { ifname: name("NAT64STL"), rulenr: 2, subrulenr: 17, ..six }, &packets.tcp6),
        (Header { ifname: name("NAT64CLAT"), rulenr: 3, subrulenr: 18, ..six }, &packets.tcp6),
        (Header { ifname: name("NAT64STL"), rulenr: 2, subrulenr: 19, ..garbage }, &packets.udp4),
    ] {
        log.add(&[&header.encode(variant, order), &packet[..]].concat());
    }
    log.finish()
}

/// A big-endian machine's log after a converter wrote its file again on a little-endian one:
/// only the sentinels still tell the order of uid and pid.
fn order_mismatch() -> Vec<u8> {
    let mut log = Log::pflog();
    for (header, packet) in records(OPENBSD) {
        log.add(&[header.encode(Variant::P4, Order::Big), packet].concat());
    }
    log.finish()
}

/// NetBSD's NPF logs to npflog(4) with pf's header (net/npf/if_npflog.h): pass or block, rule
/// numbers of its own, no users.
fn npf() -> Vec<u8> {
    let packets = Packets::new();
    let mut log = Log::pflog();
    for packet in [&packets.udp4, &packets.tcp6] {
        for (action, dir, rulenr) in [(0, 1, 5), (0, 2, 6), (1, 1, 0x1_0000), (1, 2, 8)] {
            let header = Header {
                action,
                dir,
                rulenr,
                ifname: name("wm0"),
                uid: 0,
                pid: 0,
                rule_pid: 0,
                ..Header::of(packet, AF_INET6)
            };
            log.add(&[&header.encode(Variant::P2, Order::Little), &packet[..]].concat());
        }
    }
    log.finish()
}
