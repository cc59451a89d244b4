//! pf's vocabulary: systems, actions, reasons, directions, address families and,
//! in files of their own, what states and pfsync need.
//!
//! The numbers are those of net/pfvar.h (OpenBSD, FreeBSD, NetBSD, DragonFly, xnu). Above the
//! first few they mean different things on different systems, so a name is only given together
//! with the set of systems that may have written the record.

use std::fmt;

mod flags;
mod peer;
mod sync;
mod timeout;

pub use flags::StateFlags;
pub use peer::PeerState;
pub use sync::{BulkStatus, SyncAction};
pub use timeout::Timeout;

/// A set of systems that may have written a record.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Systems(u8);

impl Systems {
    /// OpenBSD 3.0 to 3.4, which numbered actions differently ("numbering A").
    pub const OPENBSD_3: Self = Self(1);
    /// OpenBSD from 3.5 on.
    pub const OPENBSD: Self = Self(1 << 1);
    /// FreeBSD, pfSense, OPNsense.
    pub const FREEBSD: Self = Self(1 << 2);
    /// NetBSD, both pf and npf's npflog.
    pub const NETBSD: Self = Self(1 << 3);
    /// DragonFly.
    pub const DRAGONFLY: Self = Self(1 << 4);
    /// macOS, iOS: xnu's pf.
    pub const DARWIN: Self = Self(1 << 5);
    /// FreeBSD's ipfw NAT64, which logs with pf's header and is not pf.
    pub const IPFW: Self = Self(1 << 6);
    /// Any system whose pf writes `struct pfloghdr`.
    pub const ANY: Self = Self(0b11_1110);

    const EACH: [Self; 7] = [
        Self::OPENBSD_3,
        Self::OPENBSD,
        Self::FREEBSD,
        Self::NETBSD,
        Self::DRAGONFLY,
        Self::DARWIN,
        Self::IPFW,
    ];

    /// Both sets together.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What both sets have.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// A bit a system.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// True if no system is left.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// True if the set has a system of `other`.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The systems that are both in this set and in `evidence`, or `evidence` alone where the
    /// two contradict each other (a file merged from several machines).
    pub const fn narrowed(self, evidence: Self) -> Self {
        let both = self.and(evidence);
        if both.is_empty() { evidence } else { both }
    }

    fn iter(self) -> impl Iterator<Item = Self> {
        Self::EACH.into_iter().filter(move |&one| self.meets(one))
    }

    /// The system's name; two joined by `|`, or `bsd` where more than two are possible.
    pub fn name(self) -> &'static str {
        const OPENBSD: Systems = Systems::OPENBSD_3.or(Systems::OPENBSD);
        let set = if self.meets(OPENBSD) { self.or(OPENBSD) } else { self };
        let pair = |a: Self, b: Self| set.0 == a.or(b).0;
        match set {
            OPENBSD => "openbsd",
            Self::FREEBSD => "freebsd",
            Self::NETBSD => "netbsd",
            Self::DRAGONFLY => "dragonfly",
            Self::DARWIN => "darwin",
            Self::IPFW => "ipfw",
            _ if pair(Self::FREEBSD, Self::DRAGONFLY) => "freebsd|dragonfly",
            _ if pair(OPENBSD, Self::NETBSD) => "netbsd|openbsd",
            _ if pair(Self::NETBSD, Self::DARWIN) => "netbsd|darwin",
            _ => "bsd",
        }
    }

    /// The name all systems of the set agree on that have one at all: a system does not write a
    /// number that it does not define.
    fn agreed(self, name: impl Fn(Self) -> Option<&'static str>) -> Option<&'static str> {
        let mut names = self.iter().filter_map(name);
        let first = names.next()?;
        names.all(|other| other == first).then_some(first)
    }

    /// Calls `each` with every different name in the set.
    fn different(
        self,
        name: impl Fn(Self) -> Option<&'static str>,
        mut each: impl FnMut(&'static str),
    ) {
        for (i, one) in self.iter().enumerate() {
            if let Some(this) = name(one)
                && !self.iter().take(i).any(|earlier| name(earlier) == Some(this))
            {
                each(this);
            }
        }
    }
}

impl fmt::Debug for Systems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the rule said to do with the packet (`PF_PASS`, `PF_DROP`, …).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Action(pub u8);

impl Action {
    /// `PF_PASS`
    pub const PASS: Self = Self(0);
    /// `PF_DROP`, written "block".
    pub const BLOCK: Self = Self(1);
    /// `PF_NAT`, of all systems but OpenBSD 3.3 and 3.4.
    pub const NAT: Self = Self(4);

    /// The action's name on these systems; `None` if it has none or they disagree.
    #[inline]
    pub fn name(self, systems: Systems) -> Option<&'static str> {
        match self.0 {
            0 => Some("pass"),
            1 => Some("block"),
            _ => systems.agreed(|one| self.name_on(one)),
        }
    }

    /// Calls `each` with every name the number may stand for.
    pub fn candidates(self, systems: Systems, each: impl FnMut(&'static str)) {
        systems.different(|one| self.name_on(one), each);
    }

    fn name_on(self, system: Systems) -> Option<&'static str> {
        /// Numbering A: pfvar.h of OpenBSD 3.3 and 3.4.
        const A: [&str; 10] = [
            "pass",
            "block",
            "scrub",
            "nat",
            "nonat",
            "binat",
            "nobinat",
            "rdr",
            "nordr",
            "synproxy-drop",
        ];
        /// Numbering B: pfvar.h of OpenBSD 3.5 and of every later system.
        const B: [&str; 11] = [
            "pass",
            "block",
            "scrub",
            "noscrub",
            "nat",
            "nonat",
            "binat",
            "nobinat",
            "rdr",
            "nordr",
            "synproxy-drop",
        ];
        let n = usize::from(self.0);
        if system == Systems::OPENBSD_3 {
            return A.get(n).copied();
        }
        let own: &[&str] = match system {
            Systems::OPENBSD => &["defer", "match", "divert", "rt", "afrt"],
            Systems::FREEBSD | Systems::IPFW => &["defer", "match", "afrt", "rt"],
            Systems::DARWIN => &["dummynet", "nodummynet", "nat64", "nonat64"],
            _ => &[],
        };
        B.get(n).or_else(|| own.get(n.checked_sub(B.len())?)).copied()
    }

    /// True if the number has this name on one of the systems.
    pub fn is_named(self, name: &str, systems: Systems) -> bool {
        systems.iter().any(|one| self.name_on(one) == Some(name))
    }

    /// Every name an action can have.
    pub const NAMES: [&str; 20] = [
        "pass",
        "block",
        "scrub",
        "noscrub",
        "nat",
        "nonat",
        "binat",
        "nobinat",
        "rdr",
        "nordr",
        "synproxy-drop",
        "defer",
        "match",
        "divert",
        "rt",
        "afrt",
        "dummynet",
        "nodummynet",
        "nat64",
        "nonat64",
    ];
}

/// Why pf did it (`PFRES_MATCH`, `PFRES_BADOFF`, …).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reason(pub u8);

impl Reason {
    /// `PFRES_MATCH`: a rule matched, nothing was wrong with the packet.
    pub const MATCH: Self = Self(0);

    /// The reason's name on these systems; `None` if it has none or they disagree.
    #[inline]
    pub fn name(self, systems: Systems) -> Option<&'static str> {
        match self.0 {
            0 => Some("match"),
            _ => systems.agreed(|one| self.name_on(one)),
        }
    }

    /// Calls `each` with every name the number may stand for.
    pub fn candidates(self, systems: Systems, each: impl FnMut(&'static str)) {
        systems.different(|one| self.name_on(one), each);
    }

    fn name_on(self, system: Systems) -> Option<&'static str> {
        const COMMON: [&str; 15] = [
            "match",
            "bad-offset",
            "fragment",
            "short",
            "normalize",
            "memory",
            "bad-timestamp",
            "congestion",
            "ip-option",
            "proto-cksum",
            "state-mismatch",
            "state-insert",
            "state-limit",
            "src-limit",
            "synproxy",
        ];
        let n = usize::from(self.0);
        if system == Systems::OPENBSD_3 {
            return COMMON.iter().take(6).nth(n).copied();
        }
        let own: &[&str] = match system {
            Systems::OPENBSD => &["translate", "no-route"],
            Systems::FREEBSD => &["map-failed", "translate"],
            Systems::NETBSD => &["state-locked"],
            Systems::DARWIN => &["dummynet", "invalid-port"],
            _ => &[],
        };
        COMMON.get(n).or_else(|| own.get(n.checked_sub(COMMON.len())?)).copied()
    }

    /// True if the number has this name on one of the systems.
    pub fn is_named(self, name: &str, systems: Systems) -> bool {
        systems.iter().any(|one| self.name_on(one) == Some(name))
    }

    /// Every name a reason can have.
    pub const NAMES: [&str; 21] = [
        "match",
        "bad-offset",
        "fragment",
        "short",
        "normalize",
        "memory",
        "bad-timestamp",
        "congestion",
        "ip-option",
        "proto-cksum",
        "state-mismatch",
        "state-insert",
        "state-limit",
        "src-limit",
        "synproxy",
        "translate",
        "no-route",
        "map-failed",
        "state-locked",
        "dummynet",
        "invalid-port",
    ];
}

/// Direction of the packet through the interface (`PF_INOUT`, `PF_IN`, `PF_OUT`, `PF_FWD`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Direction(pub u8);

impl Direction {
    /// `PF_IN`
    pub const IN: Self = Self(1);
    /// `PF_OUT`
    pub const OUT: Self = Self(2);

    /// The direction's name; 3 is `fwd`, which only OpenBSD has.
    #[inline]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "inout",
            1 => "in",
            2 => "out",
            3 => "fwd",
            _ => return None,
        })
    }
}

/// An address family as the pf systems number it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4: `AF_INET`, 2 everywhere.
    Inet,
    /// IPv6: `AF_INET6`, a different number on each system.
    Inet6,
}

impl Family {
    /// The family of an `AF_` number of any system: 2; 24 (OpenBSD, NetBSD), 28 (FreeBSD,
    /// DragonFly), 30 (Darwin), 10 (Linux, in rewritten files).
    #[inline]
    pub const fn from_af(af: u32) -> Option<Self> {
        match af {
            2 => Some(Self::Inet),
            10 | 24 | 28 | 30 => Some(Self::Inet6),
            _ => None,
        }
    }

    /// The family of an IP header by its version, the high four bits of its first byte.
    #[inline]
    pub const fn from_version(version: u8) -> Option<Self> {
        match version {
            4 => Some(Self::Inet),
            6 => Some(Self::Inet6),
            _ => None,
        }
    }

    /// pf.conf's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inet => "inet",
            Self::Inet6 => "inet6",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_the_name_of_the_system_that_wrote_it() {
        let name = |n, systems| Action(n).name(systems);
        assert_eq!(name(13, Systems::OPENBSD), Some("divert"));
        assert_eq!(name(13, Systems::FREEBSD), Some("afrt"));
        assert_eq!(name(13, Systems::DARWIN), Some("nat64"));
        assert_eq!(name(13, Systems::NETBSD), None);
        assert_eq!(name(13, Systems::ANY), None);
        assert_eq!(name(3, Systems::OPENBSD_3), Some("nat"));
        assert_eq!(name(3, Systems::ANY), Some("noscrub"));
        assert_eq!(name(3, Systems::ANY.or(Systems::OPENBSD_3)), None);
        assert_eq!(name(11, Systems::OPENBSD.or(Systems::FREEBSD)), Some("defer"));
        assert_eq!(Reason(15).name(Systems::FREEBSD), Some("map-failed"));
        assert_eq!(Reason(15).name(Systems::OPENBSD.or(Systems::NETBSD)), None);
        assert_eq!(Reason(16).name(Systems::DARWIN), Some("invalid-port"));
        assert_eq!(Reason(17).name(Systems::ANY), None);
    }

    #[test]
    fn an_ambiguous_number_lists_its_names_once() {
        let mut names = Vec::new();
        Reason(15).candidates(Systems::ANY, |name| names.push(name));
        assert_eq!(names, ["translate", "map-failed", "state-locked", "dummynet"]);
    }

    #[test]
    fn the_lists_of_names_are_complete() {
        let all = Systems::ANY.or(Systems::OPENBSD_3).or(Systems::IPFW);
        for n in 0..=255 {
            Action(n).candidates(all, |name| assert!(Action::NAMES.contains(&name), "{name}"));
            Reason(n).candidates(all, |name| assert!(Reason::NAMES.contains(&name), "{name}"));
        }
    }

    #[test]
    fn sets_of_systems_have_names() {
        assert_eq!(Systems::OPENBSD_3.or(Systems::OPENBSD).name(), "openbsd");
        assert_eq!(Systems::OPENBSD_3.name(), "openbsd");
        assert_eq!(Systems::FREEBSD.or(Systems::DRAGONFLY).name(), "freebsd|dragonfly");
        assert_eq!(Systems::ANY.name(), "bsd");
    }
}
