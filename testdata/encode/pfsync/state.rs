//! `struct pfsync_state` of every version, and `struct pf_state` of version 1.

use std::net::IpAddr;

use super::super::pflog::{NAME, name};
use super::Layout;

/// `rule`, `anchor` and `nat_rule` of a state that has none.
pub const NO_RULE: u32 = u32::MAX;

/// `PF_IN`.
pub const IN: u8 = 1;
/// `PF_OUT`.
pub const OUT: u8 = 2;

/// One side of a conversation: `struct pfsync_state_peer`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// `scrub.pfss_flags`: only the time-stamp bit 1 is told.
    pub scrub_flags: u16,
    /// `scrub.pfss_ttl`.
    pub scrub_ttl: u8,
    /// `scrub.scrub_flag`: 1 if the scrub fields mean anything.
    pub scrub: u8,
    /// `scrub.pfss_ts_mod`.
    pub ts_mod: u32,
    /// Highest sequence number sent.
    pub seqlo: u32,
    /// Highest sequence number acknowledged, plus window.
    pub seqhi: u32,
    /// Modulation of the sequence numbers.
    pub seqdiff: u32,
    /// Largest window.
    pub max_win: u16,
    /// Maximum segment size.
    pub mss: u16,
    /// `TCPS_*`, or 0 to 2 of other protocols.
    pub state: u8,
    /// Window scale, 0x80 if known.
    pub wscale: u8,
}

impl Peer {
    /// In this state, with nothing to say about TCP.
    pub fn in_state(state: u8) -> Self {
        Self { state, ..Self::default() }
    }

    /// 32 bytes, the same since version 2 but for the place of `scrub`.
    pub fn encode(&self, layout: Layout) -> Vec<u8> {
        let early = layout.version() == 2;
        let mut out = self.scrub_flags.to_be_bytes().to_vec();
        out.extend([self.scrub_ttl, if early { 0 } else { self.scrub }]);
        for word in [self.ts_mod, self.seqlo, self.seqhi, self.seqdiff] {
            out.extend(word.to_be_bytes());
        }
        out.extend(self.max_win.to_be_bytes());
        out.extend(self.mss.to_be_bytes());
        out.extend([self.state, self.wscale, if early { self.scrub } else { 0 }]);
        out.resize(32, 0);
        out
    }

    /// `struct pf_state_peer` of OpenBSD 3.3: 16 bytes.
    fn raw(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for word in [self.seqlo, self.seqhi, self.seqdiff] {
            out.extend(word.to_be_bytes());
        }
        out.extend(self.max_win.to_be_bytes());
        out.extend([self.state, 0]);
        out
    }
}

/// `struct pfsync_state_key`: the addresses on one side of a translation.
///
/// Who began the conversation is in place 0 of a state of direction in, and in place 1 of a
/// state of direction out (`pf_state_key_setup` of net/pf.c).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Key {
    /// Addresses; IPv4 in the first 4 bytes.
    pub addr: [[u8; NAME]; 2],
    /// Ports, or ICMP id and type.
    pub port: [u16; 2],
    /// Routing domain, version 6.
    pub rdomain: u16,
    /// IP version: 4 or 6. Written as the system's family; other numbers as they are.
    pub ip: u8,
}

impl Key {
    /// With these addresses and ports in places 0 and 1.
    pub fn new(zero: (&str, u16), one: (&str, u16)) -> Self {
        let ip = if zero.0.contains(':') { 6 } else { 4 };
        Self { addr: [address(zero.0), address(one.0)], port: [zero.1, one.1], rdomain: 0, ip }
    }

    fn encode(&self, layout: Layout) -> Vec<u8> {
        let mut out = self.addr.concat();
        out.extend(self.port[0].to_be_bytes());
        out.extend(self.port[1].to_be_bytes());
        if layout == Layout::OpenBsd6 {
            out.extend(self.rdomain.to_be_bytes());
            out.extend([family(self.ip, layout), 0]);
        }
        out
    }

    /// `struct pfsync_state_host` of versions 2 and 3 (24 bytes), `pf_state_host` of 1 (20).
    fn host(&self, place: usize, layout: Layout) -> Vec<u8> {
        let mut out = self.addr[place].to_vec();
        out.extend(self.port[place].to_be_bytes());
        out.resize(if layout.version() == 1 { 20 } else { 24 }, 0);
        out
    }
}

/// An address in its field of 16 bytes.
pub fn address(text: &str) -> [u8; NAME] {
    match text.parse().expect("an address") {
        IpAddr::V4(address) => name(address.octets()),
        IpAddr::V6(address) => address.octets(),
    }
}

fn family(ip: u8, layout: Layout) -> u8 {
    match ip {
        4 => 2,
        6 => layout.af6(),
        other => other,
    }
}

/// The fields of every `pfsync_state`, by their names in net/pfvar.h.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Identifier, unique with `creatorid`; version 1 has none.
    pub id: u64,
    /// Interface the state is bound to.
    pub ifname: [u8; NAME],
    /// `key[PF_SK_WIRE]`.
    pub wire: Key,
    /// `key[PF_SK_STACK]`.
    pub stack: Key,
    /// Who began.
    pub src: Peer,
    /// The other.
    pub dst: Peer,
    /// Gateway of route-to.
    pub rt_addr: [u8; NAME],
    /// Rule.
    pub rule: u32,
    /// Anchor's rule.
    pub anchor: u32,
    /// Rule of the translation.
    pub nat_rule: u32,
    /// Age in seconds.
    pub creation: u32,
    /// Seconds left.
    pub expire: u32,
    /// Packets each way.
    pub packets: [u64; 2],
    /// Bytes each way.
    pub bytes: [u64; 2],
    /// Who created the state.
    pub creatorid: u32,
    /// Protocol (on the wire side).
    pub proto: u8,
    /// Protocol on the stack side; FreeBSD 15.
    pub stack_proto: u8,
    /// [`IN`] or [`OUT`].
    pub direction: u8,
    /// Log flags of the rule.
    pub log: u8,
    /// `PFSTATE_*`; 8 bits before FreeBSD 14 and OpenBSD's version 6.
    pub state_flags: u16,
    /// `PFTM_*`.
    pub timeout: u8,
    /// `PFSYNC_FLAG_*`.
    pub sync_flags: u8,
    /// Updates since the last whole one.
    pub updates: u8,
    /// Routing tables; FreeBSD has the first only.
    pub rtableid: [i32; 2],
    /// `max-mss`.
    pub max_mss: u16,
    /// `PF_ROUTETO`, ...
    pub rt: u8,
    /// `min-ttl`.
    pub min_ttl: u8,
    /// `set-tos`.
    pub set_tos: u8,
    /// `set prio`.
    pub set_prio: [u8; 2],
    /// ALTQ's queue and that of empty ACKs; FreeBSD.
    pub queues: [u16; 2],
    /// Dummynet's pipes; FreeBSD.
    pub pipes: [u16; 2],
    /// Interface of route-to; FreeBSD.
    pub rt_ifname: [u8; NAME],
    /// Interface the state came about on; FreeBSD 15.
    pub orig_ifname: [u8; NAME],
    /// Tag; FreeBSD 15, 64 bytes.
    pub tagname: Vec<u8>,
    /// IP version of `rt_addr`; FreeBSD 15.
    pub rt_ip: u8,
}

impl Default for State {
    /// ssh from em0 inwards, established, by rule 1.
    fn default() -> Self {
        let key = Key::new(("192.0.2.10", 40000), ("198.51.100.20", 22));
        Self {
            id: 0x6500_0000_0000_0001,
            ifname: name("em0"),
            wire: key,
            stack: key,
            src: Peer::in_state(4),
            dst: Peer::in_state(4),
            rt_addr: [0; NAME],
            rule: 1,
            anchor: NO_RULE,
            nat_rule: NO_RULE,
            creation: 90,
            expire: 86_310,
            packets: [12, 10],
            bytes: [1_840, 2_960],
            creatorid: 0x796e_d1b8,
            proto: 6,
            stack_proto: 6,
            direction: IN,
            log: 0,
            state_flags: 0,
            timeout: 2,
            sync_flags: 0,
            updates: 0,
            rtableid: [0; 2],
            max_mss: 0,
            rt: 0,
            min_ttl: 0,
            set_tos: 0,
            set_prio: [0; 2],
            queues: [0; 2],
            pipes: [0; 2],
            rt_ifname: [0; NAME],
            orig_ifname: [0; NAME],
            tagname: Vec::new(),
            rt_ip: 0,
        }
    }
}

impl State {
    /// The state's bytes. What the layout has no room for is left out.
    pub fn encode(&self, layout: Layout) -> Vec<u8> {
        let out = match layout {
            Layout::V1Ilp32 => self.raw(4),
            Layout::V1Lp64 => self.raw(8),
            Layout::OpenBsd6 => [self.prefix(layout), self.openbsd6()].concat(),
            Layout::FreeBsd1400 => [self.prefix(layout), self.freebsd1400()].concat(),
            Layout::FreeBsd1500 => [self.prefix(layout), self.freebsd1500()].concat(),
            _ => [self.prefix(layout), self.flags(layout)].concat(),
        };
        assert_eq!(out.len(), layout.state(), "{layout:?}");
        out
    }

    /// Identifier to creator (to the byte counters in version 6, which is the same).
    fn prefix(&self, layout: Layout) -> Vec<u8> {
        let mut out = self.id.to_be_bytes().to_vec();
        out.extend(self.ifname);
        if layout.version() < 4 {
            out.extend(self.hosts(layout));
        } else {
            out.extend(self.wire.encode(layout));
            out.extend(self.stack.encode(layout));
        }
        out.extend(self.src.encode(layout));
        out.extend(self.dst.encode(layout));
        out.extend(self.rt_addr);
        for word in [self.rule, self.anchor, self.nat_rule, self.creation, self.expire] {
            out.extend(word.to_be_bytes());
        }
        for count in [self.packets, self.bytes].concat() {
            if layout == Layout::V2 {
                out.extend((count as u32).to_be_bytes());
            } else {
                // Two words in network order, the high one first.
                out.extend(count.to_be_bytes());
            }
        }
        out.extend(self.creatorid.to_be_bytes());
        out
    }

    /// Local host, the same as the outside sees it, the other host. What a translation changes
    /// is place 1 of the keys in both directions.
    fn hosts(&self, layout: Layout) -> Vec<u8> {
        let sides = [self.stack.host(1, layout), self.wire.host(1, layout)];
        [sides.concat(), self.wire.host(0, layout)].concat()
    }

    /// Family to updates of versions 2 to 4, OpenBSD's version 5 and FreeBSD's first.
    fn flags(&self, layout: Layout) -> Vec<u8> {
        let mut out = vec![family(self.wire.ip, layout), self.proto, self.direction];
        if layout == Layout::FreeBsd1301 {
            out.extend([0; 2]);
        }
        out.extend([self.log, self.state_flags as u8, self.timeout, self.sync_flags, self.updates]);
        out
    }

    fn freebsd1400(&self) -> Vec<u8> {
        let layout = Layout::FreeBsd1400;
        let mut out = vec![family(self.wire.ip, layout), self.proto, self.direction];
        out.extend(self.state_flags.to_be_bytes());
        out.extend([self.log, 0, self.timeout, self.sync_flags, self.updates]);
        for word in [self.queues, self.pipes].concat() {
            out.extend(word.to_be_bytes());
        }
        out.extend(self.rtableid[0].to_be_bytes());
        out.extend([self.min_ttl, self.set_tos]);
        out.extend(self.max_mss.to_be_bytes());
        out.extend(self.set_prio);
        out.push(self.rt);
        out.extend(self.rt_ifname);
        out
    }

    fn freebsd1500(&self) -> Vec<u8> {
        let layout = Layout::FreeBsd1500;
        let mut out = self.tagname.clone();
        out.resize(64, 0);
        out.extend(self.rt_ifname);
        out.extend(self.orig_ifname);
        out.extend(self.rtableid[0].to_be_bytes());
        out.extend(self.state_flags.to_be_bytes());
        for word in [self.queues, self.pipes].concat() {
            out.extend(word.to_be_bytes());
        }
        out.extend(self.max_mss.to_be_bytes());
        out.extend([self.wire.ip, self.stack.ip, self.rt_ip].map(|ip| family(ip, layout)));
        out.extend([self.proto, self.stack_proto, self.log, self.timeout, self.direction, self.rt]);
        out.extend([self.min_ttl, self.set_tos]);
        out.extend(self.set_prio);
        out.extend([0; 3]);
        out
    }

    fn openbsd6(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for table in self.rtableid {
            out.extend(table.to_be_bytes());
        }
        out.extend(self.max_mss.to_be_bytes());
        out.extend([family(self.wire.ip, Layout::OpenBsd6), self.proto, self.direction]);
        out.extend([self.log, self.rt, self.timeout, self.sync_flags, self.updates]);
        out.extend([self.min_ttl, self.set_tos]);
        out.extend(self.state_flags.to_be_bytes());
        out.extend(self.set_prio);
        out
    }

    /// `struct pf_state` of OpenBSD 3.3 with pointers of this size. The sender clears it and
    /// fills in all but the pointers; the rule's number lies in the first 4 bytes of one.
    fn raw(&self, pointer: usize) -> Vec<u8> {
        let mut out = self.hosts(Layout::V1Ilp32);
        out.extend(self.src.raw());
        out.extend(self.dst.raw());
        out.resize(out.len().next_multiple_of(pointer), 0);
        // rule; nat_rule
        let rule = out.len();
        out.extend(self.rule.to_be_bytes());
        out.resize(rule + 2 * pointer, 0);
        out.extend(self.rt_addr);
        // rt_ifp
        out.resize(out.len() + pointer, 0);
        let counts = [self.packets, self.bytes].map(|[a, b]| a.wrapping_add(b));
        for word in [self.creation, self.expire, counts[0] as u32, counts[1] as u32] {
            out.extend(word.to_be_bytes());
        }
        out.extend([family(self.wire.ip, Layout::V1Ilp32), self.proto, self.direction, self.log]);
        // allow_opts
        out.push((self.state_flags & 1) as u8);
        out.resize(out.len().next_multiple_of(pointer), 0);
        out
    }
}
