//! What pf said, counted per combination: system, action, reason, direction, interface, rule.
//!
//! A firewall uses few combinations, so a packet costs one look-up here instead of one per
//! table. This is a cache in front of those tables, of fixed size: a combination that has to
//! make way hands its counts on, so nothing is lost however many there are.

use super::table::fold;
use crate::glance::Glance;
use crate::pf::{Action, Systems};
use crate::wire::pflog::{self, OLD_LEN, Pflog};
use crate::wire::writer::OLD_UNKNOWN;

/// Two places for each of 512 hashes.
const SETS: usize = 512;

/// A name of pf's header, 16 bytes with NULs behind, as a number: the first byte is the highest.
pub(super) type Name = u128;

/// A combination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) ifname: Name,
    pub(super) ruleset: Name,
    /// All ones for none, as in the header.
    pub(super) rulenr: u32,
    pub(super) subrulenr: u32,
    pub(super) systems: Systems,
    pub(super) action: u8,
    pub(super) reason: u8,
    pub(super) dir: Option<u8>,
}

/// Packets and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// A name's number; what exceeds pf's 16 bytes is cut.
#[inline]
fn name(bytes: &[u8]) -> Name {
    // By shifts, not by copying: names are short, and bytes just stored are slow to load as one.
    let empty = 16_usize.saturating_sub(bytes.len());
    let all = bytes.iter().take(16).fold(0, |all, &byte| (all << 8) | u128::from(byte));
    if empty == 16 { 0 } else { all << (8 * empty) }
}

/// The same of a field of pf's header, in which anything may stand behind the first NUL.
#[inline]
fn name_in(field: &[u8; 16]) -> Name {
    let bits = 8 * pflog::name(field).len();
    let rest = u128::MAX.checked_shr(u32::try_from(bits).unwrap_or(128)).unwrap_or(0);
    u128::from_be_bytes(*field) & !rest
}

impl Cell {
    /// Of a plain record.
    #[inline]
    pub(super) fn at(glance: &Glance<'_>) -> Self {
        let ([ifname, ruleset], [rulenr, subrulenr]) = (glance.names(), glance.rules());
        Self {
            ifname: name_in(ifname),
            ruleset: name_in(ruleset),
            rulenr,
            subrulenr,
            systems: glance.systems(),
            action: glance.action().0,
            reason: glance.reason().0,
            dir: Some(glance.dir().0),
        }
    }

    #[inline]
    pub(super) fn of(pflog: &Pflog<'_>) -> Self {
        // The length byte of a header that has none, and a direction that may be either way.
        let unclear = usize::from(pflog.hdrlen) == OLD_LEN;
        let dir = pflog.dir.filter(|&dir| !(unclear && dir == OLD_UNKNOWN));
        Self {
            ifname: name(pflog.ifname),
            ruleset: name(pflog.ruleset),
            rulenr: pflog.rulenr.unwrap_or(u32::MAX),
            subrulenr: pflog.subrulenr.unwrap_or(u32::MAX),
            systems: pflog.systems,
            action: pflog.action.0,
            reason: pflog.reason.0,
            dir: dir.map(|dir| dir.0),
        }
    }

    #[inline]
    fn hash(&self) -> u64 {
        #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
        let two = |name: Name| (name as u64, (name >> 64) as u64);
        let (i, j) = two(self.ifname);
        let (r, s) = two(self.ruleset);
        let rules = (u64::from(self.rulenr) << 32) | u64::from(self.subrulenr);
        let codes = u32::from_le_bytes([self.action, self.reason, self.dir.unwrap_or(u8::MAX), 0]);
        let a = fold(i ^ 0x2d35_8dcc_aa6c_78a5, j ^ 0x8bb8_4b93_962e_acc9);
        let b = fold(r ^ 0x4b33_a62e_d433_d4a3, s ^ 0x4d5a_2da5_1de1_aa47);
        fold(a ^ rules, b ^ u64::from(codes) ^ 0xa076_1d64_78bd_642f)
    }

    /// True for a pass with another reason than match.
    pub(super) const fn is_suspect(&self) -> bool {
        self.action == Action::PASS.0 && self.reason != 0
    }
}

/// The cache.
#[derive(Debug)]
pub(super) struct Cells {
    sets: Vec<[(Cell, Tally); 2]>,
}

impl Cells {
    pub(super) fn new() -> Self {
        let none = Cell {
            ifname: 0,
            ruleset: 0,
            rulenr: 0,
            subrulenr: 0,
            systems: Systems::ANY,
            action: 0,
            reason: 0,
            dir: None,
        };
        Self { sets: vec![[(none, Tally::default()); 2]; SETS] }
    }

    /// Counts a packet; gives back what had to make way.
    #[inline]
    pub(super) fn add(&mut self, cell: Cell, bytes: u64) -> Option<(Cell, Tally)> {
        let one = Tally { packets: 1, bytes };
        let at = (cell.hash() >> 32) as usize % SETS;
        let Some([first, second]) = self.sets.get_mut(at) else { return Some((cell, one)) };
        if first.0 == cell {
            first.1.add(one);
            return None;
        }
        if second.0 == cell {
            second.1.add(one);
            return None;
        }
        let out = std::mem::replace(second, *first);
        *first = (cell, one);
        (out.1.packets > 0).then_some(out)
    }

    /// All that is counted here and was not handed on.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Cell, Tally)> {
        self.sets.iter().flatten().copied().filter(|(_, tally)| tally.packets > 0)
    }
}
