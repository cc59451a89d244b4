//! Which machine wrote a file: byte order of its host-order fields, its system, its meaning of
//! old direction codes. A record alone often does not tell; the records before it do.

use super::ByteOrder;
use super::pflog::{MIN_LEN, NO_UID, PREFIX_LEN, Pflog};
use crate::pf::{Action, Direction, Systems};

/// What is known of the machine that wrote a source's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writer {
    /// Byte order of host-order fields where the record itself does not show it.
    order: ByteOrder,
    /// True once a record has shown the order; until then it is the capture file's.
    order_seen: bool,
    /// Systems that the records so far allow.
    systems: Systems,
    /// Direction codes of the old header seen so far.
    old: OldDirections,
}

/// Which direction codes the old header uses. Kernels of 2001 and 2002 wrote 0 in, 1 out; from
/// pfvar.h 1.119 (December 2002) on 1 is in and 2 is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OldDirections {
    /// Only 1 was seen: it may mean either.
    Unknown,
    /// 0 in, 1 out.
    ZeroOne,
    /// 1 in, 2 out.
    OneTwo,
}

/// The direction "1" of an old header in a file that does not show what it means.
pub const OLD_UNKNOWN: Direction = Direction(u8::MAX);

impl Writer {
    /// Nothing known but the byte order of the capture file, normally written by the same
    /// machine.
    pub const fn new(file_order: ByteOrder) -> Self {
        Self {
            order: file_order,
            order_seen: false,
            systems: Systems::ANY.or(Systems::OPENBSD_3),
            old: OldDirections::Unknown,
        }
    }

    /// Learns from a frame of link type 117.
    pub fn observe(&mut self, frame: &[u8]) {
        let Some(&[length, af]) = frame.first_chunk::<2>() else { return };
        if length < MIN_LEN || frame.len() < PREFIX_LEN {
            return;
        }
        if length < 61 {
            self.systems = self.systems.narrowed(by_length(length).narrowed(by_family(af)));
            return;
        }
        let Some(owner) = frame.get(44..60) else { return };
        if !self.order_seen
            && let Some(order) = shown_order(owner)
        {
            (self.order, self.order_seen) = (order, true);
        }
        if length == 61 {
            self.systems = self.systems.narrowed(self.by_61(af, owner));
        }
    }

    /// Learns from a frame of link type 17.
    pub fn observe_old(&mut self, frame: &[u8]) {
        let dir = frame.get(26..28);
        self.old = match (self.old, dir) {
            (OldDirections::Unknown, Some(&[0, 0])) => OldDirections::ZeroOne,
            (OldDirections::Unknown, Some(&[0, 2])) => OldDirections::OneTwo,
            (old, _) => old,
        };
    }

    /// All that is known, as a number.
    #[inline]
    pub(crate) const fn bits(self) -> u64 {
        let Self { order, order_seen, systems, old } = self;
        u64::from_le_bytes([order as u8, order_seen as u8, old as u8, systems.bits(), 0, 0, 0, 0])
    }

    /// True if this frame cannot add to what is known.
    pub fn is_settled(&self, frame: &[u8]) -> bool {
        self.order_seen && frame.first().is_some_and(|&length| length > 61)
    }

    /// Byte order of a record's uid, pid, rule_uid and rule_pid: as the record itself shows,
    /// else as the records before it do.
    #[inline]
    pub(super) fn host_order(self, owner: &[u8]) -> ByteOrder {
        shown_order(owner).unwrap_or(self.order)
    }

    /// Systems that may have written this record.
    #[inline]
    pub(super) fn systems(self, h: &Pflog<'_>) -> Systems {
        if is_ipfw(h) {
            return Systems::IPFW;
        }
        self.systems_by(h.hdrlen, u8::try_from(h.af).unwrap_or_default())
    }

    /// The same by the header's length byte and the packet's family, of a record that is not ipfw's.
    #[inline]
    pub(crate) fn systems_by(self, hdrlen: u8, af: u8) -> Systems {
        match hdrlen {
            100 => Systems::OPENBSD,
            49 | 68 | 69 => Systems::FREEBSD,
            45 | 61 => self.systems.narrowed(by_length(hdrlen).narrowed(by_family(af))),
            _ => Systems::ANY,
        }
    }

    /// The old header's direction in today's numbers.
    pub(super) fn old_direction(self, code: u8) -> Direction {
        match (self.old, code) {
            (OldDirections::ZeroOne, 0) => Direction::IN,
            (OldDirections::ZeroOne, 1) => Direction::OUT,
            (OldDirections::Unknown, 1) => OLD_UNKNOWN,
            _ => Direction(code),
        }
    }

    fn by_61(&self, af: u8, owner: &[u8]) -> Systems {
        let order = self.host_order(owner);
        let word = |at: usize| {
            let bytes = owner.get(at..).and_then(<[u8]>::first_chunk::<4>);
            bytes.map(|&b| order.u32(b))
        };
        let uid = match word(0) {
            Some(u32::MAX) => Systems::OPENBSD.or(Systems::FREEBSD).or(Systems::DRAGONFLY),
            Some(0x7fff_ffff) => Systems::NETBSD.or(Systems::DARWIN),
            _ => Systems::ANY,
        };
        // OpenBSD left the 61-byte header before its PID_MAX grew from 32766.
        let pid = match word(4) {
            Some(32_767) => Systems::OPENBSD,
            Some(30_001) if uid != Systems::ANY => Systems::NETBSD,
            Some(100_000) => Systems::FREEBSD.or(Systems::DRAGONFLY).or(Systems::DARWIN),
            _ => Systems::ANY,
        };
        by_length(61).narrowed(uid).narrowed(pid).narrowed(by_family(af))
    }
}

/// Systems that write this length byte.
fn by_length(length: u8) -> Systems {
    const P1: Systems =
        Systems::OPENBSD.or(Systems::FREEBSD).or(Systems::NETBSD).or(Systems::DRAGONFLY);
    match length {
        45 => P1.or(Systems::OPENBSD_3),
        _ => Systems::ANY,
    }
}

/// Systems that use this number for an address family.
fn by_family(af: u8) -> Systems {
    match af {
        24 => Systems::OPENBSD_3.or(Systems::OPENBSD).or(Systems::NETBSD),
        28 => Systems::FREEBSD.or(Systems::DRAGONFLY),
        30 => Systems::DARWIN,
        _ => Systems::ANY.or(Systems::OPENBSD_3),
    }
}

/// FreeBSD's ipfw NAT64 writes pflog records of its own (nat64lsn.c, nat64stl.c, nat64clat.c).
fn is_ipfw(h: &Pflog<'_>) -> bool {
    h.action == Action::NAT
        && h.ruleset.is_empty()
        && matches!(h.ifname, b"NAT64LSN" | b"NAT64STL" | b"NAT64CLAT")
}

/// The byte order that the four host-order words show by themselves: by a "no process" or "no
/// user" value that is one in one order only, or by a rule_pid that can be a process id in one
/// order only.
#[inline]
fn shown_order(owner: &[u8]) -> Option<ByteOrder> {
    let word = |at: usize| owner.get(at..).and_then(<[u8]>::first_chunk::<4>).copied();
    let (uid, pid, rule_pid) = (word(0)?, word(4)?, word(12)?);
    match pid {
        [0x00, 0x01, 0x86, 0xa0] | [0x00, 0x00, 0x7f, 0xff] => return Some(ByteOrder::Big),
        [0xa0, 0x86, 0x01, 0x00] | [0xff, 0x7f, 0x00, 0x00] => return Some(ByteOrder::Little),
        _ => {}
    }
    let [_, no_uid] = NO_UID;
    if uid == no_uid.to_be_bytes() {
        return Some(ByteOrder::Big);
    }
    if uid == no_uid.to_le_bytes() {
        return Some(ByteOrder::Little);
    }
    const PID_MAX: u32 = 99_999;
    match (u32::from_le_bytes(rule_pid) <= PID_MAX, u32::from_be_bytes(rule_pid) <= PID_MAX) {
        (true, false) => Some(ByteOrder::Little),
        (false, true) => Some(ByteOrder::Big),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of this length: family, then uid, pid, rule_uid and rule_pid as they stand there.
    fn header(length: u8, af: u8, words: [u32; 4], order: ByteOrder) -> [u8; 100] {
        let mut frame = [0; 100];
        (frame[0], frame[1]) = (length, af);
        for (field, word) in frame[44..60].chunks_exact_mut(4).zip(words) {
            field.copy_from_slice(&match order {
                ByteOrder::Little => word.to_le_bytes(),
                ByteOrder::Big => word.to_be_bytes(),
            });
        }
        frame
    }

    fn after(file: ByteOrder, frames: &[[u8; 100]]) -> Writer {
        let mut writer = Writer::new(file);
        frames.iter().for_each(|frame| writer.observe(frame));
        writer
    }

    const NONE: u32 = u32::MAX;
    const LITTLE: ByteOrder = ByteOrder::Little;
    const BIG: ByteOrder = ByteOrder::Big;

    #[test]
    fn the_order_is_shown_by_what_can_be_in_one_only() {
        for (order, other) in [(LITTLE, BIG), (BIG, LITTLE)] {
            let shown = |words| {
                let frame = header(100, 2, words, order);
                Writer::new(other).host_order(&frame[44..60]) == order
            };
            // NO_PID of today and of old, UID_MAX of NetBSD and Darwin, a pfctl's process id.
            assert!(shown([NONE, 100_000, 0, 0]));
            assert!(shown([NONE, 32_767, 0, 0]));
            assert!(shown([0x7fff_ffff, 1, 0, 0]));
            assert!(shown([NONE, 1, 0, 4242]));
            // Nothing here tells: 65536 turned around is 256, and zero is zero.
            assert!(!shown([NONE, 1, 501, 0]));
            assert!(!shown([1000, 4321, 501, 65_536]));
        }
    }

    #[test]
    fn a_record_that_tells_speaks_for_those_that_do_not() {
        let tells = header(69, 2, [NONE, 100_000, 0, 0], BIG);
        let silent = header(69, 2, [1000, 77, 0, 0], BIG);
        let writer = after(LITTLE, &[silent, tells]);
        assert_eq!(writer.host_order(&silent[44..60]), BIG);
        assert!(writer.is_settled(&silent));
        assert!(!after(LITTLE, &[silent]).is_settled(&silent));
        // A file merged of two: each record that tells is read by what it says itself.
        let other = header(69, 2, [NONE, 100_000, 0, 0], LITTLE);
        assert_eq!(writer.host_order(&other[44..60]), LITTLE);
    }

    #[test]
    fn a_system_is_found_by_and_by() {
        let systems = |frames: &[[u8; 100]]| after(LITTLE, frames).systems.name();
        let inet = header(61, 2, [0, 0, 0, 4242], LITTLE);
        let none = header(61, 2, [NONE, 0, 0, 4242], LITTLE);
        let af = |af| header(61, af, [0, 0, 0, 4242], LITTLE);
        assert_eq!(systems(&[inet]), "bsd");
        assert_eq!(systems(&[inet, af(24)]), "netbsd|openbsd");
        assert_eq!(systems(&[inet, af(24), none]), "openbsd");
        assert_eq!(systems(&[inet, af(28)]), "freebsd|dragonfly");
        assert_eq!(systems(&[af(30)]), "darwin");
        let no_pid = |uid, pid| header(61, 2, [uid, pid, 0, 4242], LITTLE);
        assert_eq!(systems(&[no_pid(0x7fff_ffff, 7)]), "netbsd|darwin");
        assert_eq!(systems(&[no_pid(0x7fff_ffff, 100_000)]), "darwin");
        assert_eq!(systems(&[no_pid(0x7fff_ffff, 30_001)]), "netbsd");
        assert_eq!(systems(&[no_pid(NONE, 100_000)]), "freebsd|dragonfly");
        assert_eq!(systems(&[no_pid(NONE, 32_767)]), "openbsd");
        // Two machines in a file: the later one is believed.
        assert_eq!(systems(&[af(30), af(28)]), "freebsd|dragonfly");
    }

    #[test]
    fn what_is_no_header_teaches_nothing() {
        let new = Writer::new(LITTLE);
        for length in 0..45 {
            assert_eq!(after(LITTLE, &[header(length, 30, [NONE, 100_000, 0, 1], BIG)]), new);
        }
        let whole = header(61, 30, [NONE, 100_000, 0, 1], BIG);
        for n in 0..60 {
            let mut writer = new;
            writer.observe(&whole[..n]);
            assert_eq!(writer, new, "{n} bytes");
        }
        for n in 0..28 {
            let mut writer = new;
            writer.observe_old(&[0; 28][..n]);
            assert_eq!(writer, new, "{n} bytes");
        }
    }
}
