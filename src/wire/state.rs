//! A state as pfsync sends it: `struct pfsync_state` (net/pfvar.h, earlier net/if_pfsync.h) in
//! every layout since version 2. Version 1 sent the kernel's own structure: [`v1`].
//!
//! ```text
//!      0 id  8 ifname[16]  24 the addresses, by layout:
//! v2, v3 (NetBSD to this day)            lan  48 gwy  72 ext: addr[16] port pad[6]
//! v4, OpenBSD's and FreeBSD's v5         wire key  60 stack key: addr[2][16] port[2]
//! OpenBSD's v6                           wire key  64 stack key: the same, rdomain af pad
//! then, at 96 (104 in v6): src peer[32]  dst peer[32]  rt_addr[16]  rule  anchor  nat_rule
//!      creation  expire  packets[2]  bytes[2] (32 bits each in v2, else 64)  creatorid
//! and the rest:
//! v2 216; v3, v4, OpenBSD's v5 232       af proto direction log state_flags timeout sync_flags
//!                                        updates
//! FreeBSD 1301, 232                      af proto direction pad[2] log state_flags timeout
//!                                        sync_flags updates
//! FreeBSD 1400, 232                      af proto direction state_flags:2 log pad timeout
//!                                        sync_flags updates qid:2 pqid:2 dnpipe:2 dnrpipe:2
//!                                        rtableid:4 min_ttl set_tos max_mss:2 set_prio[2] rt
//!                                        rt_ifname[16]
//! FreeBSD 1500, 232                      tagname[64] rt_ifname[16] orig_ifname[16] rtableid:4
//!                                        state_flags:2 qid:2 pqid:2 dnpipe:2 dnrpipe:2
//!                                        max_mss:2 wire_af stack_af rt_af wire_proto
//!                                        stack_proto log timeout direction rt min_ttl set_tos
//!                                        set_prio[2] pad[3]
//! OpenBSD's v6, 240                      rtableid[2]:4 max_mss:2 af proto direction log rt
//!                                        timeout sync_flags updates min_ttl set_tos
//!                                        state_flags:2 set_prio[2]
//! ```
//! Everything is in network order, nothing depends on the sender's machine.
//!
//! Not here: which layout a message has ([`super::pfsync`]).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nom::bytes::complete::take;
use nom::error::{Error, ErrorKind};
use nom::number::complete::{be_u8, be_u16, be_u32, be_u64};
use nom::{IResult, Parser};

use super::pfsync::Layout;
use crate::pf::{Direction, Family, PeerState, StateFlags, Systems, Timeout};

pub mod v1;

/// What names a state in the messages about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ids {
    /// Number of the state; unique for its creator.
    pub id: u64,
    /// The firewall that created it: a random number, written with eight hexadecimal digits.
    pub creatorid: u32,
}

/// A state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State<'a> {
    /// The layout it was sent in.
    pub layout: Layout,
    /// Its name; version 1 has none.
    pub ids: Option<Ids>,
    /// Interface it is bound to, or `all`; up to its first NUL: untrusted bytes.
    pub ifname: &'a [u8],
    /// Addresses as on the wire.
    pub wire: Key,
    /// Addresses as the firewall itself sees them.
    pub stack: Key,
    /// Through the interface which way its first packet went.
    pub direction: Direction,
    /// The side that sent the first packet.
    pub src: Peer,
    /// The side that it was sent to.
    pub dst: Peer,
    /// Next hop of `route-to` and its like.
    pub rt_addr: Option<IpAddr>,
    /// Rule in the main ruleset; `None` for the default rule.
    pub rule: Option<u32>,
    /// Anchor's rule in the main ruleset.
    pub anchor: Option<u32>,
    /// Translation rule.
    pub nat_rule: Option<u32>,
    /// Age in seconds.
    pub creation_s: u32,
    /// Seconds until it ends.
    pub expire_s: u32,
    /// Packets that went its direction, and the other.
    pub packets: [u64; 2],
    /// Bytes that went its direction, and the other.
    pub bytes: [u64; 2],
    /// The timeout it runs under; version 1 does not tell.
    pub timeout: Option<Timeout>,
    /// Its options.
    pub state_flags: StateFlags,
    /// The kernel's own marks; FreeBSD 1500 and version 1 do not send them.
    pub sync_flags: Option<u8>,
    /// Updates collapsed into this message; FreeBSD 1500 and version 1 do not send them.
    pub updates: Option<u8>,
    /// Log options (`PF_LOG_`) of its rule.
    pub log: u8,
    /// What only the newer layouts have.
    pub extra: Option<Extra<'a>>,
}

/// Fields of OpenBSD 6, FreeBSD 1400 and 1500.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extra<'a> {
    /// Routing tables for each key (OpenBSD: wire, stack) or for both (FreeBSD).
    pub rtableid: [Option<u32>; 2],
    /// `scrub (max-mss)`, 0 without.
    pub max_mss: u16,
    /// `scrub (min-ttl)`, 0 without.
    pub min_ttl: u8,
    /// `set tos`, 0 without.
    pub set_tos: u8,
    /// `set prio`, for packets and for those with low delay; it counts if the flag is set.
    pub set_prio: [u8; 2],
    /// `route-to` and its like (`PF_ROUTETO`, …); 0 without. Padding in OpenBSD before 6.9.
    pub rt: u8,
    /// ALTQ queues and dummynet pipes (FreeBSD).
    pub queues: Option<Queues>,
    /// Interface of `route-to` (FreeBSD): untrusted bytes.
    pub rt_ifname: &'a [u8],
    /// Interface of the first packet (FreeBSD 1500): untrusted bytes.
    pub orig_ifname: &'a [u8],
    /// Tag of the packet (FreeBSD 1500): untrusted bytes.
    pub tagname: &'a [u8],
}

/// ALTQ queues and dummynet pipes, 0 for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queues {
    /// Queue.
    pub qid: u16,
    /// Queue of packets with low delay.
    pub pqid: u16,
    /// Pipe of the state's direction.
    pub dnpipe: u16,
    /// Pipe of the other direction.
    pub dnrpipe: u16,
}

/// One side's pair of addresses. Which of the two is the source depends on the direction:
/// [`State::wire_ends`] and [`State::stack_ends`] tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Addresses; an IPv4 address stands in the first four bytes.
    pub addr: [[u8; 16]; 2],
    /// Ports; ICMP's id (and type).
    pub port: [u16; 2],
    /// Routing domain; 0 in layouts without it.
    pub rdomain: u16,
    /// Address family, in the writer's numbers: of this key where the layout has one for each.
    pub af: u8,
    /// Protocol: of this key where the layout has one for each.
    pub proto: u8,
}

/// An address and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct End {
    /// Address; `None` if the family is not IP's.
    pub addr: Option<IpAddr>,
    /// Port; ICMP's id (and type).
    pub port: u16,
}

/// The two ends of a state, as one side sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ends {
    /// Sender of the first packet.
    pub src: End,
    /// Its receiver.
    pub dst: End,
}

impl Key {
    /// The family of its addresses.
    pub fn family(&self) -> Option<Family> {
        Family::from_af(u32::from(self.af))
    }

    fn ends(&self, reversed: bool) -> Ends {
        let family = self.family();
        let end = |addr, port| End { addr: family.map(|family| ip(family, addr)), port };
        let ([a, b], [p, q]) = (&self.addr, self.port);
        let (first, second) = (end(a, p), end(b, q));
        if reversed { Ends { src: second, dst: first } } else { Ends { src: first, dst: second } }
    }
}

impl State<'_> {
    /// True for a state of `af-to`: the keys are of different families.
    pub fn is_af_to(&self) -> bool {
        self.wire.af != self.stack.af
    }

    /// The ends as on the wire. `pf_state_key_setup` puts the source first for a state that came
    /// in, and last for one that went out.
    pub fn wire_ends(&self) -> Ends {
        self.wire.ends(self.direction != Direction::IN)
    }

    /// The ends as the firewall sees them. With `af-to` the key on this side is the reverse
    /// (`PF_REVERSED_KEY`): the packet goes out again with it.
    pub fn stack_ends(&self) -> Ends {
        self.stack.ends((self.direction != Direction::IN) != self.is_af_to())
    }

    /// Name of the timeout, on the systems that write this layout.
    pub fn timeout_name(&self) -> Option<&'static str> {
        self.timeout?.name_for(self.systems(), self.wire.proto)
    }

    /// Systems that write this layout.
    pub const fn systems(&self) -> Systems {
        self.layout.systems()
    }
}

/// One side's progress, `struct pfsync_state_peer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Lowest sequence number it may send.
    pub seqlo: u32,
    /// Highest sequence number it may send.
    pub seqhi: u32,
    /// What is added to its sequence numbers (`modulate`, `synproxy`).
    pub seqdiff: u32,
    /// Largest window it has offered.
    pub max_win: u16,
    /// Largest segment it takes.
    pub mss: u16,
    /// How far it has come.
    pub state: PeerState,
    /// `PF_WSCALE_FLAG` 0x80 and the shift: [`Peer::window_shift`].
    pub wscale: u8,
    /// What normalization keeps for it.
    pub scrub: Option<Scrub>,
}

impl Peer {
    /// Window scaling, if it was agreed on.
    pub const fn window_shift(&self) -> Option<u8> {
        if self.wscale & 0x80 != 0 { Some(self.wscale & 0x0f) } else { None }
    }
}

/// `struct pfsync_state_scrub`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scrub {
    /// `PFSS_TIMESTAMP`: time stamps are modulated.
    pub flags: u16,
    /// Smallest time to live seen.
    pub ttl: u8,
    /// What is added to its time stamps.
    pub ts_mod: u32,
}

/// Parses a state of a layout that has a size of its own; `None` if it is too short. Bytes behind
/// it are not looked at.
pub fn parse(i: &[u8], layout: Layout) -> Option<State<'_>> {
    match layout {
        Layout::V1 => v1::parse(i),
        _ => state(i, layout).ok().map(|(_, state)| state),
    }
}

type Parsed<'a, T> = IResult<&'a [u8], T>;

fn state(i: &[u8], layout: Layout) -> Parsed<'_, State<'_>> {
    let (i, id) = be_u64(i)?;
    let (i, ifname) = name(i, 16)?;
    let (i, [wire, stack]) = match layout {
        Layout::V2 | Layout::V3 => hosts(i)?,
        Layout::Openbsd6 => (key_with_domain, key_with_domain).map(<[Key; 2]>::from).parse(i)?,
        _ => (key, key).map(<[Key; 2]>::from).parse(i)?,
    };
    let (i, (src, dst)) =
        if layout == Layout::V2 { (peer_v2, peer_v2).parse(i)? } else { (peer, peer).parse(i)? };
    let (i, hop) = address(i)?;
    let (i, (rule, anchor, nat_rule)) = (number, number, number).parse(i)?;
    let (i, (creation_s, expire_s)) = (be_u32, be_u32).parse(i)?;
    let (i, (packets, bytes)) = if layout == Layout::V2 {
        (narrow_counters, narrow_counters).parse(i)?
    } else {
        (counters, counters).parse(i)?
    };
    let (i, creatorid) = be_u32(i)?;
    let state = State {
        layout,
        ids: Some(Ids { id, creatorid }),
        ifname,
        wire,
        stack,
        direction: Direction(0),
        src,
        dst,
        rt_addr: None,
        rule,
        anchor,
        nat_rule,
        creation_s,
        expire_s,
        packets,
        bytes,
        timeout: None,
        state_flags: StateFlags::default(),
        sync_flags: None,
        updates: None,
        log: 0,
        extra: None,
    };
    match layout {
        Layout::Openbsd6 => tail_openbsd6(i, state, &hop),
        Layout::Freebsd1301 => tail_1301(i, state, &hop),
        Layout::Freebsd1400 => tail_1400(i, state, &hop),
        Layout::Freebsd1500 => tail_1500(i, state, &hop),
        _ => tail(i, state, &hop),
    }
}

/// v2, v3, v4, OpenBSD's v5.
fn tail<'a>(i: &'a [u8], mut s: State<'a>, hop: &[u8; 16]) -> Parsed<'a, State<'a>> {
    let mut i = flow(i, &mut s, hop)?;
    (i, s.log) = be_u8(i)?;
    (i, s.state_flags) = narrow_flags(i)?;
    i = end(i, &mut s)?;
    Ok((i, s))
}

fn tail_1301<'a>(i: &'a [u8], mut s: State<'a>, hop: &[u8; 16]) -> Parsed<'a, State<'a>> {
    let mut i = flow(i, &mut s, hop)?;
    (i, _) = take(2usize)(i)?;
    (i, s.log) = be_u8(i)?;
    (i, s.state_flags) = narrow_flags(i)?;
    i = end(i, &mut s)?;
    Ok((i, s))
}

fn tail_1400<'a>(i: &'a [u8], mut s: State<'a>, hop: &[u8; 16]) -> Parsed<'a, State<'a>> {
    let mut i = flow(i, &mut s, hop)?;
    let mut extra = Extra::NONE;
    (i, s.state_flags) = flags(i)?;
    (i, s.log) = be_u8(i)?;
    (i, _) = be_u8(i)?;
    i = end(i, &mut s)?;
    (i, extra.queues) = queues(i)?;
    (i, extra.rtableid) = table(i).map(|(i, id)| (i, [id, id]))?;
    (i, extra.min_ttl) = be_u8(i)?;
    (i, extra.set_tos) = be_u8(i)?;
    (i, extra.max_mss) = be_u16(i)?;
    (i, extra.set_prio) = (be_u8, be_u8).map(<[u8; 2]>::from).parse(i)?;
    (i, extra.rt) = be_u8(i)?;
    (i, extra.rt_ifname) = name(i, 16)?;
    s.extra = Some(extra);
    Ok((i, s))
}

fn tail_1500<'a>(i: &'a [u8], mut s: State<'a>, hop: &[u8; 16]) -> Parsed<'a, State<'a>> {
    let mut extra = Extra::NONE;
    let (mut i, tagname) = name(i, 64)?;
    extra.tagname = tagname;
    (i, extra.rt_ifname) = name(i, 16)?;
    (i, extra.orig_ifname) = name(i, 16)?;
    (i, extra.rtableid) = table(i).map(|(i, id)| (i, [id, id]))?;
    (i, s.state_flags) = flags(i)?;
    (i, extra.queues) = queues(i)?;
    (i, extra.max_mss) = be_u16(i)?;
    (i, s.wire.af) = be_u8(i)?;
    (i, s.stack.af) = be_u8(i)?;
    (i, s.rt_addr) = be_u8.map(|af| next_hop(af, hop)).parse(i)?;
    (i, s.wire.proto) = be_u8(i)?;
    (i, s.stack.proto) = be_u8(i)?;
    (i, s.log) = be_u8(i)?;
    (i, s.timeout) = be_u8.map(|n| Some(Timeout(n))).parse(i)?;
    (i, s.direction) = be_u8.map(Direction).parse(i)?;
    (i, extra.rt) = be_u8(i)?;
    (i, extra.min_ttl) = be_u8(i)?;
    (i, extra.set_tos) = be_u8(i)?;
    (i, extra.set_prio) = (be_u8, be_u8).map(<[u8; 2]>::from).parse(i)?;
    (i, _) = take(3usize)(i)?;
    s.extra = Some(extra);
    Ok((i, s))
}

fn tail_openbsd6<'a>(i: &'a [u8], mut s: State<'a>, hop: &[u8; 16]) -> Parsed<'a, State<'a>> {
    let mut extra = Extra::NONE;
    let (mut i, tables) = (table, table).map(<[Option<u32>; 2]>::from).parse(i)?;
    extra.rtableid = tables;
    (i, extra.max_mss) = be_u16(i)?;
    let keys = (s.wire.af, s.stack.af);
    i = flow(i, &mut s, hop)?;
    // The keys have families of their own; before they had, the state's is theirs.
    let own = |key, state| if key == 0 { state } else { key };
    (s.wire.af, s.stack.af) = (own(keys.0, s.wire.af), own(keys.1, s.stack.af));
    (i, s.log) = be_u8(i)?;
    (i, extra.rt) = be_u8(i)?;
    i = end(i, &mut s)?;
    (i, extra.min_ttl) = be_u8(i)?;
    (i, extra.set_tos) = be_u8(i)?;
    (i, s.state_flags) = flags(i)?;
    (i, extra.set_prio) = (be_u8, be_u8).map(<[u8; 2]>::from).parse(i)?;
    s.extra = Some(extra);
    Ok((i, s))
}

impl Extra<'_> {
    const NONE: Self = Self {
        rtableid: [None; 2],
        max_mss: 0,
        min_ttl: 0,
        set_tos: 0,
        set_prio: [0; 2],
        rt: 0,
        queues: None,
        rt_ifname: &[],
        orig_ifname: &[],
        tagname: &[],
    };
}

type Rest<'a> = Result<&'a [u8], nom::Err<Error<&'a [u8]>>>;

/// Family, protocol and direction of a state whose keys share them.
fn flow<'a>(i: &'a [u8], s: &mut State<'_>, hop: &[u8; 16]) -> Rest<'a> {
    let (i, (af, proto, direction)) = (be_u8, be_u8, be_u8).parse(i)?;
    (s.wire.af, s.stack.af) = (af, af);
    (s.wire.proto, s.stack.proto) = (proto, proto);
    s.direction = Direction(direction);
    s.rt_addr = next_hop(af, hop);
    Ok(i)
}

/// Timeout, marks and updates.
fn end<'a>(i: &'a [u8], s: &mut State<'_>) -> Rest<'a> {
    let (i, timeout) = be_u8(i)?;
    let (i, sync_flags) = be_u8(i)?;
    let (i, updates) = be_u8(i)?;
    s.timeout = Some(Timeout(timeout));
    (s.sync_flags, s.updates) = (Some(sync_flags), Some(updates));
    Ok(i)
}

/// A fixed field that holds a name: the bytes up to the first NUL, or all of them.
pub(super) fn name(i: &[u8], len: usize) -> Parsed<'_, &[u8]> {
    let (i, field) = take(len)(i)?;
    let end = field.iter().position(|&b| b == 0).unwrap_or(field.len());
    Ok((i, field.get(..end).unwrap_or(field)))
}

fn address(i: &[u8]) -> Parsed<'_, [u8; 16]> {
    let (i, address) = chunk(i)?;
    Ok((i, *address))
}

/// The address in the first bytes of a `struct pf_addr`.
pub(super) fn ip(family: Family, addr: &[u8; 16]) -> IpAddr {
    let [a, b, c, d, ..] = *addr;
    match family {
        Family::Inet => Ipv4Addr::new(a, b, c, d).into(),
        Family::Inet6 => Ipv6Addr::from(*addr).into(),
    }
}

fn next_hop(af: u8, addr: &[u8; 16]) -> Option<IpAddr> {
    let family = Family::from_af(u32::from(af))?;
    addr.iter().any(|&b| b != 0).then(|| ip(family, addr))
}

/// A rule number; all ones means "none".
fn number(i: &[u8]) -> Parsed<'_, Option<u32>> {
    be_u32.map(|n| (n != u32::MAX).then_some(n)).parse(i)
}

/// A routing table; negative means "none".
fn table(i: &[u8]) -> Parsed<'_, Option<u32>> {
    be_u32.map(|n| (n <= u32::MAX >> 1).then_some(n)).parse(i)
}

fn flags(i: &[u8]) -> Parsed<'_, StateFlags> {
    be_u16.map(StateFlags).parse(i)
}

pub(super) fn narrow_flags(i: &[u8]) -> Parsed<'_, StateFlags> {
    be_u8.map(|bits| StateFlags(u16::from(bits))).parse(i)
}

fn queues(i: &[u8]) -> Parsed<'_, Option<Queues>> {
    let (i, (qid, pqid, dnpipe, dnrpipe)) = (be_u16, be_u16, be_u16, be_u16).parse(i)?;
    Ok((i, Some(Queues { qid, pqid, dnpipe, dnrpipe })))
}

/// Two words of 32 bits each, high first: the same as one number of 64.
fn counters(i: &[u8]) -> Parsed<'_, [u64; 2]> {
    (be_u64, be_u64).map(<[u64; 2]>::from).parse(i)
}

fn narrow_counters(i: &[u8]) -> Parsed<'_, [u64; 2]> {
    (be_u32, be_u32).map(|(a, b)| [u64::from(a), u64::from(b)]).parse(i)
}

/// `struct pfsync_state_key` of 36 bytes.
fn key(i: &[u8]) -> Parsed<'_, Key> {
    let (i, addr) = (address, address).map(<[[u8; 16]; 2]>::from).parse(i)?;
    let (i, port) = (be_u16, be_u16).map(<[u16; 2]>::from).parse(i)?;
    Ok((i, Key { addr, port, rdomain: 0, af: 0, proto: 0 }))
}

/// `struct pfsync_state_key` of 40 bytes.
fn key_with_domain(i: &[u8]) -> Parsed<'_, Key> {
    let (i, key) = key(i)?;
    let (i, (rdomain, af, _pad)) = (be_u16, be_u8, be_u8).parse(i)?;
    Ok((i, Key { rdomain, af, ..key }))
}

/// The three hosts of versions 2 and 3, as the keys of version 4. `lan` is the end on our side,
/// `gwy` the same after translation, `ext` the other end: the source of a state that came in,
/// the destination of one that went out. So in both directions the wire's key is (ext, gwy)
/// and the stack's is (ext, lan).
fn hosts(i: &[u8]) -> Parsed<'_, [Key; 2]> {
    let (i, lan) = host(i, 6)?;
    let (i, gwy) = host(i, 6)?;
    let (i, ext) = host(i, 6)?;
    Ok((i, [from_hosts(ext, gwy), from_hosts(ext, lan)]))
}

type Host = ([u8; 16], u16);

/// A host with so many bytes of padding.
fn host(i: &[u8], pad: usize) -> Parsed<'_, Host> {
    let (i, addr) = address(i)?;
    let (i, port) = be_u16(i)?;
    let (i, _) = take(pad)(i)?;
    Ok((i, (addr, port)))
}

fn from_hosts(ext: Host, own: Host) -> Key {
    Key { addr: [ext.0, own.0], port: [ext.1, own.1], rdomain: 0, af: 0, proto: 0 }
}

/// The next bytes of a fixed length.
#[inline]
pub(super) fn chunk<const N: usize>(i: &[u8]) -> Parsed<'_, &[u8; N]> {
    match i.split_first_chunk() {
        Some((chunk, rest)) => Ok((rest, chunk)),
        None => Err(nom::Err::Error(Error::new(i, ErrorKind::Eof))),
    }
}

/// `struct pfsync_state_peer`, whose mark of a valid scrub part stands in front.
#[inline]
pub(super) fn peer(i: &[u8]) -> Parsed<'_, Peer> {
    let (i, &[f, g, ttl, valid, a, b, c, d]) = chunk(i)?;
    let (i, peer) = windows(i)?;
    let (i, _pad) = chunk::<6>(i)?;
    let (flags, ts_mod) = (u16::from_be_bytes([f, g]), u32::from_be_bytes([a, b, c, d]));
    let scrub = (valid & 1 != 0).then_some(Scrub { flags, ttl, ts_mod });
    Ok((i, Peer { scrub, ..peer }))
}

/// The same in version 2: the mark stands behind.
pub(super) fn peer_v2(i: &[u8]) -> Parsed<'_, Peer> {
    let (i, &[f, g, ttl, _pad, a, b, c, d]) = chunk(i)?;
    let (i, peer) = windows(i)?;
    let (i, [valid, _pad @ ..]) = chunk::<6>(i)?;
    let (flags, ts_mod) = (u16::from_be_bytes([f, g]), u32::from_be_bytes([a, b, c, d]));
    let scrub = (valid & 1 != 0).then_some(Scrub { flags, ttl, ts_mod });
    Ok((i, Peer { scrub, ..peer }))
}

#[inline]
fn windows(i: &[u8]) -> Parsed<'_, Peer> {
    let (i, &seqlo) = chunk(i)?;
    let (i, &seqhi) = chunk(i)?;
    let (i, &seqdiff) = chunk(i)?;
    let (i, &[a, b, c, d, state, wscale]) = chunk(i)?;
    let peer = Peer {
        seqlo: u32::from_be_bytes(seqlo),
        seqhi: u32::from_be_bytes(seqhi),
        seqdiff: u32::from_be_bytes(seqdiff),
        max_win: u16::from_be_bytes([a, b]),
        mss: u16::from_be_bytes([c, d]),
        state: PeerState(state),
        wscale,
        scrub: None,
    };
    Ok((i, peer))
}

#[cfg(test)]
mod tests;
