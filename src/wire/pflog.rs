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

use super::writer::Writer;
use crate::error::{DecodeError, Fault, Layer};
use crate::pf::{Action, Direction, Family, Reason, Systems};

/// The shortest header that has a length byte: OpenBSD 3.4's.
pub const MIN_LEN: u8 = 45;
/// Bytes that all headers with a length byte have in common.
pub const PREFIX_LEN: usize = 44;
/// Size of the header without a length byte.
pub const OLD_LEN: usize = 28;
/// Where OpenBSD's header has `rewritten`, and `naf` behind it.
const REWRITTEN: usize = 61;

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

impl Other {
    /// Finds out whose family the addresses are of, by that of the packet: until 6.8 a packet of
    /// af-to is in the family `naf`, and its addresses are in `af`.
    #[inline]
    pub(crate) fn place(&mut self, af: u32, packet: Option<Family>) {
        let naf = self.family;
        if packet.is_some() && packet == naf {
            self.family = Family::from_af(af).or(naf);
        }
    }
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
#[inline]
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
    let (mut header, tail) = prefix(frame).ok_or(truncated)?;
    fill_tail(&mut header, tail, writer).ok_or(truncated)?;
    header.skip = find_packet(frame, len, &header, skip);
    if let Some(other) = &mut header.other {
        let packet = frame.get(header.skip).and_then(|first| Family::from_version(first >> 4));
        other.place(header.af, packet);
    }
    Ok(header)
}

/// The other addresses of OpenBSD's header, before they are [placed](Other::place).
#[inline]
pub(crate) fn openbsd_other(header: &[u8; 100]) -> Option<Other> {
    let [_, af, ..] = *header;
    let (_, tail) = header.split_at_checked(REWRITTEN)?;
    others(tail, af.into()).map(|(other, _)| other)
}

/// Parses a header that is cut, as far as it goes; `None` if not even the prefix is there.
pub fn parse_cut(frame: &[u8], writer: Writer) -> Option<Pflog<'_>> {
    let (mut header, tail) = prefix(frame)?;
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

/// A fixed field that holds a name: the bytes up to the first NUL, or all of them.
#[inline]
pub(crate) fn name(field: &[u8; 16]) -> &[u8] {
    // Without a look at each: of the bytes up to the first NUL its top bit alone was clear, and is
    // set when one is taken off each byte.
    const ONES: u128 = u128::from_ne_bytes([1; 16]);
    let all = u128::from_le_bytes(*field);
    let nul = all.wrapping_sub(ONES) & !all & (ONES << 7);
    field.get(..nul.trailing_zeros() as usize / 8).unwrap_or(field)
}

/// A rule number; all ones means "none".
#[inline]
fn rule(bytes: [u8; 4]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes)).filter(|&n| n != u32::MAX)
}

/// The fields that all headers have, and what is behind them; `None` if they are not all there.
#[inline]
fn prefix(frame: &[u8]) -> Option<(Pflog<'_>, &[u8])> {
    let ([hdrlen, af, action, reason, fixed @ ..], tail) =
        frame.split_first_chunk::<PREFIX_LEN>()?;
    let (ifname, fixed) = fixed.split_first_chunk()?;
    let (ruleset, fixed) = fixed.split_first_chunk()?;
    let (&rulenr, fixed) = fixed.split_first_chunk()?;
    let (&subrulenr, _) = fixed.split_first_chunk()?;
    let header = Pflog {
        hdrlen: *hdrlen,
        skip: padded(*hdrlen),
        systems: Systems::ANY,
        af: u32::from(*af),
        action: Action(*action),
        reason: Reason(*reason),
        ifname: name(ifname),
        ruleset: name(ruleset),
        rulenr: rule(rulenr),
        subrulenr: rule(subrulenr),
        dir: None,
        owner: None,
        ridentifier: None,
        naf: None,
        other: None,
    };
    Some((header, tail))
}

/// The rest of the header, by its length byte; `None` if it ends too soon. A length that no known
/// system writes has the fields of the longest known layout that fits into it.
#[inline]
fn fill_tail(h: &mut Pflog<'_>, tail: &[u8], writer: Writer) -> Option<()> {
    let mut i = tail;
    h.systems = writer.systems(h);
    if h.hdrlen == 49 {
        (h.ridentifier, i) = tracker(i)?;
    }
    if h.hdrlen >= 61 {
        let (raw, rest) = i.split_first_chunk::<16>()?;
        (h.owner, i) = (Some(owner(raw, writer)), rest);
    }
    if matches!(h.hdrlen, 45 | 49 | 61..) {
        let (&dir, rest) = i.split_first()?;
        (h.dir, i) = (Some(Direction(dir)), rest);
    }
    if h.systems == Systems::IPFW
        && let Some(owner) = &mut h.owner
    {
        // ip_fw_bpf.c leaves both zero, or whatever was on the stack.
        (owner.uid, owner.pid) = (None, None);
    }
    match h.hdrlen {
        68 => (h.ridentifier, _) = tracker(i.get(3..)?)?,
        69 => {
            let &[_, naf, ref rest @ ..] = i else { return None };
            h.naf = family(naf);
            (h.ridentifier, _) = tracker(rest.get(1..)?)?;
        }
        100.. => {
            let (other, naf) = others(i, h.af)?;
            (h.other, h.naf) = (Some(other), naf);
        }
        _ => {}
    }
    Some(())
}

#[inline]
fn tracker(i: &[u8]) -> Option<(Option<u32>, &[u8])> {
    let (&id, rest) = i.split_first_chunk()?;
    Some((Some(u32::from_be_bytes(id)).filter(|&id| id != 0), rest))
}

#[inline]
fn family(af: u8) -> Option<u8> {
    (af != 0).then_some(af)
}

/// What OpenBSD's header has from `rewritten` on, and its `naf`.
#[inline]
fn others(i: &[u8], af: u32) -> Option<(Other, Option<u8>)> {
    let &[rewritten, naf, _, ref i @ ..] = i else { return None };
    let naf = family(naf);
    let family = Family::from_af(naf.map_or(af, u32::from));
    let (&saddr, i) = i.split_first_chunk()?;
    let (&daddr, i) = i.split_first_chunk()?;
    let &[a, b, c, d] = i.first_chunk()?;
    let (sport, dport) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    Some((Other { rewritten: rewritten != 0, family, saddr, daddr, sport, dport }, naf))
}

/// `uid`, `pid`, `rule_uid` and `rule_pid`.
#[inline]
fn owner(raw: &[u8; 16], writer: Writer) -> Owner {
    let order = writer.host_order(raw);
    let &[a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = raw;
    let uid = order.u32([a, b, c, d]);
    let pid = order.u32([e, f, g, h]).cast_signed();
    Owner {
        uid: (!NO_UID.contains(&uid)).then_some(uid),
        pid: Some(pid).filter(|pid| !NO_PID.contains(pid)),
        rule_uid: order.u32([i, j, k, l]),
        rule_pid: order.u32([m, n, o, p]).cast_signed(),
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
    old(frame, writer).ok_or(err)
}

fn old(frame: &[u8], writer: Writer) -> Option<Pflog<'_>> {
    let code = |bytes| u8::try_from(u16::from_be_bytes(bytes)).unwrap_or(u8::MAX);
    let (&af, i) = frame.split_first_chunk()?;
    let (ifname, i) = i.split_first_chunk()?;
    let (&rnr, i) = i.split_first_chunk()?;
    let (&reason, i) = i.split_first_chunk()?;
    let (&action, i) = i.split_first_chunk()?;
    let (&dir, _) = i.split_first_chunk()?;
    let rnr = u16::from_be_bytes(rnr);
    let dir = u8::try_from(u16::from_be_bytes(dir)).ok();
    Some(Pflog {
        hdrlen: 28,
        skip: OLD_LEN,
        systems: Systems::OPENBSD_3,
        af: u32::from_be_bytes(af),
        action: Action(code(action)),
        reason: Reason(code(reason)),
        ifname: name(ifname),
        ruleset: &[],
        rulenr: (rnr != u16::MAX).then_some(u32::from(rnr)),
        subrulenr: None,
        dir: dir.map(|code| writer.old_direction(code)),
        owner: None,
        ridentifier: None,
        naf: None,
        other: None,
    })
}

#[cfg(test)]
mod tests;
