//! `struct pfloghdr` (net/if_pflog.h) in every layout that a pf system has written.
//!
//! ```text
//!  0 length  1 af  2 action  3 reason  4 ifname[16]  20 ruleset[16]  36 rulenr  40 subrulenr
//! 45:  44 dir                                          OpenBSD 3.4-3.7, FreeBSD 5-6, NetBSD 3-4
//! 49:  44 ridentifier  48 dir                          OPNsense without PF_USER_INFO
//! 61:  44 uid  48 pid  52 rule_uid  56 rule_pid  60 dir
//!                                                      OpenBSD 3.8-4.8, FreeBSD 7-13.0, NetBSD, DragonFly, xnu
//! 68:  as 61, 64 ridentifier, pad by sizeof(long)      pfSense on FreeBSD 12: 72 or 76 bytes in all
//! 69:  as 61, 62 naf (FreeBSD 15), 64 ridentifier      FreeBSD 13.1 and later
//! 100: as 61, 61 rewritten  62 naf (5.1)  64 saddr[16]  80 daddr[16]  96 sport  98 dport
//!                                                      OpenBSD 4.9 and later
//! ```
//!
//! Rule numbers, `ridentifier` and ports are in network order; `uid`, `pid`, `rule_uid` and
//! `rule_pid` in that of the machine that wrote them ([`super::writer`] finds it). Before it
//! had a length byte the header had 28 bytes and a link type of its own
//! ([`parse_old`]; OpenBSD 3.0 to 3.3).
//!
//! Not here: the packet behind the header, and what the numbers are called.

use nom::bytes::complete::take;
use nom::number::complete::{be_u8, be_u16, be_u32};
use nom::{IResult, Parser};

use super::ByteOrder;
use super::writer::Writer;
use crate::error::{DecodeError, Fault, Layer};
use crate::pf::{Action, Direction, Family, Reason, Systems};

/// The shortest header that has a length byte: OpenBSD 3.4's.
pub const MIN_LEN: u8 = 45;
/// Bytes that all headers with a length byte have in common.
pub const PREFIX_LEN: usize = 44;
/// Size of the header without a length byte.
pub const OLD_LEN: usize = 28;

/// A decoded header. Names are the kernel's; values that mean "none" there are `None` here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pflog<'a> {
    /// The header's own length byte: without its trailing padding. 28 for the old header.
    pub hdrlen: u8,
    /// Offset of the packet from the frame's first byte, as found.
    pub skip: usize,
    /// Systems that may have written the record.
    pub systems: Systems,
    /// Address family of the packet, in the writer's numbers.
    pub af: u32,
    /// What was done.
    pub action: Action,
    /// Why it was done.
    pub reason: Reason,
    /// Interface name, up to its first NUL: untrusted bytes.
    pub ifname: &'a [u8],
    /// Anchor name, up to its first NUL, empty in the main ruleset: untrusted bytes.
    pub ruleset: &'a [u8],
    /// Rule in the main ruleset; `None` for the default rule.
    pub rulenr: Option<u32>,
    /// Rule in the anchor; `None` outside of anchors.
    pub subrulenr: Option<u32>,
    /// Through the interface which way; `None` where the header does not tell.
    pub dir: Option<Direction>,
    /// Owner of the local socket and of the rule.
    pub owner: Option<Owner>,
    /// FreeBSD's rule tracker.
    pub ridentifier: Option<u32>,
    /// FreeBSD 15's and OpenBSD's family after translation; `None` where it is not set.
    pub naf: Option<u8>,
    /// OpenBSD's other addresses.
    pub other: Option<Other>,
}

/// Who owns the local socket, and who loaded the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// User of the local socket, if the rule asked (`log (user)`).
    pub uid: Option<u32>,
    /// Process of the local socket.
    pub pid: Option<i32>,
    /// User who loaded the rule.
    pub rule_uid: u32,
    /// Process that loaded the rule.
    pub rule_pid: i32,
}

/// The addresses on the other side of a translation (OpenBSD). Until 6.8 they are the ones
/// before it and the packet carries those after it; since 6.9 the reverse. The kernel fills
/// them in for every packet; without a translation they equal the packet's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Other {
    /// The kernel's mark that they differ from the packet's.
    pub rewritten: bool,
    /// Family of the addresses: where `af` and `naf` differ, the one that the packet is not of.
    pub family: Option<Family>,
    /// Source address; an IPv4 address stands in the first four bytes.
    pub saddr: [u8; 16],
    /// Destination address.
    pub daddr: [u8; 16],
    /// Source port; ICMP's id.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
}

impl Pflog<'_> {
    /// Family of [`Other`]'s addresses.
    pub fn other_family(&self) -> Option<Family> {
        self.other.and_then(|other| other.family)
    }

    /// True for a `pass` that was most likely a drop. Kernels up to OpenBSD 7.4, FreeBSD 14 and
    /// xnu log the action of the *rule*, so a packet dropped as malformed, or for want of a
    /// state, is logged as "pass" with the reason of its drop.
    pub fn is_suspect(&self) -> bool {
        self.action == Action::PASS && self.reason != Reason::MATCH
    }
}

/// Parses a header that starts with a length byte (link type 117).
///
/// # Errors
/// `BadLength` for a length byte below 45, `Truncated` when the frame ends before the header
/// with its padding does.
pub fn parse(frame: &[u8], len: usize, writer: Writer) -> Result<Pflog<'_>, DecodeError> {
    let err = |fault| DecodeError { layer: Layer::Pflog, offset: 0, fault };
    let Some(&hdrlen) = frame.first() else {
        return Err(err(Fault::Truncated { needed: 1 }));
    };
    if hdrlen < MIN_LEN {
        return Err(err(Fault::BadLength(usize::from(hdrlen))));
    }
    let skip = padded(hdrlen);
    let truncated = err(Fault::Truncated { needed: skip });
    if frame.len() < skip {
        return Err(truncated);
    }
    let (tail, mut header) = prefix(frame).map_err(|_| truncated)?;
    fill_tail(&mut header, tail, writer).map_err(|_| truncated)?;
    header.skip = find_packet(frame, len, &header, skip);
    if let Some(other) = &mut header.other {
        // Until 6.8 a packet of af-to is in the family `naf`, and its addresses are in `af`.
        let packet = frame.get(header.skip).and_then(|first| Family::from_version(first >> 4));
        let (af, naf) = (Family::from_af(header.af), other.family);
        other.family = if packet.is_some() && packet == naf { af.or(naf) } else { naf };
    }
    Ok(header)
}

/// Parses a header that is cut, as far as it goes; `None` if not even the prefix is there.
pub fn parse_cut(frame: &[u8], writer: Writer) -> Option<Pflog<'_>> {
    let (tail, mut header) = prefix(frame).ok()?;
    if header.hdrlen < MIN_LEN {
        return None;
    }
    // Where the tail ends too soon, the fields before that are filled.
    let _ = fill_tail(&mut header, tail, writer);
    Some(header)
}

/// The header's length byte rounded up to four, as every reader and writer does but for one
/// (see [`find_packet`]); in a wide number, so that 253 does not become 0.
fn padded(hdrlen: u8) -> usize {
    usize::from(hdrlen).next_multiple_of(4)
}

type Parsed<'a, T> = IResult<&'a [u8], T>;

/// A fixed field that holds a name: the bytes up to the first NUL, or all of them.
fn name(i: &[u8]) -> Parsed<'_, &[u8]> {
    let (i, field) = take(16usize)(i)?;
    let end = field.iter().position(|&b| b == 0).unwrap_or(field.len());
    Ok((i, field.get(..end).unwrap_or(field)))
}

/// A rule number; all ones means "none".
fn rule(i: &[u8]) -> Parsed<'_, Option<u32>> {
    be_u32.map(|n| (n != u32::MAX).then_some(n)).parse(i)
}

fn prefix(i: &[u8]) -> Parsed<'_, Pflog<'_>> {
    let (i, hdrlen) = be_u8(i)?;
    let (i, af) = be_u8(i)?;
    let (i, action) = be_u8.map(Action).parse(i)?;
    let (i, reason) = be_u8.map(Reason).parse(i)?;
    let (i, ifname) = name(i)?;
    let (i, ruleset) = name(i)?;
    let (i, rulenr) = rule(i)?;
    let (i, subrulenr) = rule(i)?;
    let header = Pflog {
        hdrlen,
        skip: padded(hdrlen),
        systems: Systems::ANY,
        af: u32::from(af),
        action,
        reason,
        ifname,
        ruleset,
        rulenr,
        subrulenr,
        dir: None,
        owner: None,
        ridentifier: None,
        naf: None,
        other: None,
    };
    Ok((i, header))
}

/// The rest of the header, by its length byte. A length that no known system writes has the
/// fields of the longest known layout that fits into it.
fn fill_tail<'a>(h: &mut Pflog<'a>, tail: &'a [u8], writer: Writer) -> Parsed<'a, ()> {
    let mut i = tail;
    h.systems = writer.systems(h);
    if h.hdrlen == 49 {
        (i, h.ridentifier) = tracker(i)?;
    }
    if h.hdrlen >= 61 {
        let (rest, raw) = take(16usize)(i)?;
        (i, h.owner) = (rest, Some(owner(raw, writer.host_order(raw))));
    }
    if matches!(h.hdrlen, 45 | 49 | 61..) {
        (i, h.dir) = be_u8.map(|dir| Some(Direction(dir))).parse(i)?;
    }
    if h.systems == Systems::IPFW
        && let Some(owner) = &mut h.owner
    {
        // ip_fw_bpf.c leaves both zero, or whatever was on the stack.
        (owner.uid, owner.pid) = (None, None);
    }
    match h.hdrlen {
        68 => {
            (i, _) = take(3usize)(i)?;
            (i, h.ridentifier) = tracker(i)?;
        }
        69 => {
            (i, _) = be_u8(i)?;
            (i, h.naf) = family(i)?;
            (i, _) = be_u8(i)?;
            (i, h.ridentifier) = tracker(i)?;
        }
        100.. => {
            let (rest, rewritten) = be_u8(i)?;
            (i, h.naf) = family(rest)?;
            (i, _) = be_u8(i)?;
            let family = Family::from_af(h.naf.map_or(h.af, u32::from));
            (i, h.other) = other(i, rewritten != 0, family)?;
        }
        _ => {}
    }
    Ok((i, ()))
}

fn tracker(i: &[u8]) -> Parsed<'_, Option<u32>> {
    be_u32.map(|id| (id != 0).then_some(id)).parse(i)
}

fn family(i: &[u8]) -> Parsed<'_, Option<u8>> {
    be_u8.map(|af| (af != 0).then_some(af)).parse(i)
}

fn other(i: &[u8], rewritten: bool, family: Option<Family>) -> Parsed<'_, Option<Other>> {
    let address = || take(16usize).map(|a: &[u8]| <[u8; 16]>::try_from(a).unwrap_or_default());
    let (i, saddr) = address().parse(i)?;
    let (i, daddr) = address().parse(i)?;
    let (i, sport) = be_u16(i)?;
    let (i, dport) = be_u16(i)?;
    Ok((i, Some(Other { rewritten, family, saddr, daddr, sport, dport })))
}

fn owner(raw: &[u8], order: ByteOrder) -> Owner {
    let mut words = raw.chunks_exact(4).map(|c| order.u32(c.try_into().unwrap_or_default()));
    let mut next = || words.next().unwrap_or_default();
    let (uid, pid, rule_uid, rule_pid) = (next(), next(), next(), next());
    Owner {
        uid: (!NO_UID.contains(&uid)).then_some(uid),
        pid: Some(pid.cast_signed()).filter(|pid| !NO_PID.contains(pid)),
        rule_uid,
        rule_pid: rule_pid.cast_signed(),
    }
}

/// `UID_MAX`: all ones on OpenBSD, FreeBSD and DragonFly; 2^31-1 on NetBSD and xnu.
pub const NO_UID: [u32; 2] = [u32::MAX, 0x7fff_ffff];
/// `NO_PID`, that is `PID_MAX` + 1: OpenBSD 6.0 and later, FreeBSD, DragonFly, xnu; OpenBSD
/// before 6.0; NetBSD; and the plain "none".
pub const NO_PID: [i32; 4] = [100_000, 32_767, 30_001, -1];

/// Offset of the packet. It is the padded length, unless no IP header that agrees with itself
/// stands there and one does at another place where a writer may have put it.
fn find_packet(frame: &[u8], len: usize, header: &Pflog<'_>, skip: usize) -> usize {
    let version = |skip: usize| frame.get(skip).and_then(|first| Family::from_version(first >> 4));
    let at = |skip: usize| frame.get(skip..).is_some_and(|ip| is_ip(ip, len.saturating_sub(skip)));
    if header.hdrlen == 68 {
        // FreeBSD 12's pfSense pads with `sizeof(long)`, and with zeros.
        let cut = || if version(72).is_some() { 72 } else { frame.len().min(76) };
        return [72, 76, 68].into_iter().find(|&skip| at(skip)).unwrap_or_else(cut);
    }
    let expected = Family::from_af(header.af);
    if expected.is_none() || skip >= frame.len() || version(skip) == expected || at(skip) {
        return skip;
    }
    let length = usize::from(header.hdrlen);
    [length.next_multiple_of(8), 64, 68, 72, 76, length]
        .into_iter()
        .find(|&other| other >= length && at(other))
        .unwrap_or(skip)
}

/// True if the bytes start with an IP header whose own lengths fit the bytes the packet had.
fn is_ip(ip: &[u8], len: usize) -> bool {
    let word = |at: usize| {
        let bytes = ip.get(at..).and_then(<[u8]>::first_chunk::<2>);
        bytes.map(|&b| usize::from(u16::from_be_bytes(b)))
    };
    match ip.first().map(|first| (first >> 4, usize::from(first & 0xf).saturating_mul(4))) {
        Some((4, header)) => {
            word(2).is_some_and(|total| header >= 20 && header <= total && total <= len)
        }
        Some((6, _)) => word(4).is_some_and(|payload| payload <= len.saturating_sub(40)),
        _ => false,
    }
}

/// Parses the header without a length byte (link type 17), all in network order.
///
/// # Errors
/// `Truncated` when the frame has less than 28 bytes.
pub fn parse_old(frame: &[u8], writer: Writer) -> Result<Pflog<'_>, DecodeError> {
    let fault = Fault::Truncated { needed: OLD_LEN };
    let err = DecodeError { layer: Layer::Pflog, offset: 0, fault };
    old(frame, writer).map(|(_, header)| header).map_err(|_| err)
}

fn old(i: &[u8], writer: Writer) -> Parsed<'_, Pflog<'_>> {
    let code = |n: u16| u8::try_from(n).unwrap_or(u8::MAX);
    let (i, af) = be_u32(i)?;
    let (i, ifname) = name(i)?;
    let (i, rnr) = be_u16(i)?;
    let (i, reason) = be_u16(i)?;
    let (i, action) = be_u16(i)?;
    let (i, dir) = be_u16(i)?;
    let dir = u8::try_from(dir).ok().map(|code| writer.old_direction(code));
    let header = Pflog {
        hdrlen: 28,
        skip: OLD_LEN,
        systems: Systems::OPENBSD_3,
        af,
        action: Action(code(action)),
        reason: Reason(code(reason)),
        ifname,
        ruleset: &[],
        rulenr: (rnr != u16::MAX).then_some(u32::from(rnr)),
        subrulenr: None,
        dir,
        owner: None,
        ridentifier: None,
        naf: None,
        other: None,
    };
    Ok((i, header))
}

#[cfg(test)]
mod tests;
