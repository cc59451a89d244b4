//! What a state waits for: pfvar.h's `PFTM_` numbers.

use super::Systems;

/// The timeout that a state runs under (`PFTM_TCP_FIRST_PACKET`, …).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timeout(pub u8);

impl Timeout {
    /// Its name on these systems, as pf.conf's `set timeout` writes it; `None` if it has none or
    /// they disagree.
    ///
    /// FreeBSD before 14.1 had `purge` at 21 and `unlinked` at 22, where SCTP's are now:
    /// [`Self::name_for`] knows by the state's protocol.
    pub fn name(self, systems: Systems) -> Option<&'static str> {
        systems.agreed(|one| self.name_on(one))
    }

    /// The name, where the protocol of the state is known.
    pub fn name_for(self, systems: Systems, proto: u8) -> Option<&'static str> {
        const SCTP: u8 = 132;
        match self.0 {
            21 if systems == Systems::FREEBSD && proto != SCTP => Some("purge"),
            22 if systems == Systems::FREEBSD && proto != SCTP => Some("unlinked"),
            20..=24 if systems == Systems::FREEBSD && proto != SCTP => None,
            _ => self.name(systems),
        }
    }

    fn name_on(self, system: Systems) -> Option<&'static str> {
        const UP_TO_ICMP: [&str; 11] = [
            "tcp.first",
            "tcp.opening",
            "tcp.established",
            "tcp.closing",
            "tcp.finwait",
            "tcp.closed",
            "udp.first",
            "udp.single",
            "udp.multiple",
            "icmp.first",
            "icmp.error",
        ];
        const DARWIN: [&str; 6] = [
            "grev1.first",
            "grev1.initiating",
            "grev1.established",
            "esp.first",
            "esp.initiating",
            "esp.established",
        ];
        const FROM_OTHER: [&str; 9] = [
            "other.first",
            "other.single",
            "other.multiple",
            "frag",
            "interval",
            "adaptive.start",
            "adaptive.end",
            "src.track",
            "ts.diff",
        ];
        let inserted: &[&str] = if system == Systems::DARWIN { &DARWIN } else { &[] };
        // The number behind ts.diff is `PFTM_MAX`, or the first of SCTP.
        let special: &[&str] = match system {
            Systems::OPENBSD => &["", "purge", "unlinked"],
            Systems::NETBSD => &["", "purge", "until-packet"],
            Systems::DRAGONFLY => &["", "purge"],
            Systems::FREEBSD => &[
                "sctp.first",
                "sctp.opening",
                "sctp.established",
                "sctp.closing",
                "sctp.closed",
                "",
                "purge",
                "unlinked",
            ],
            _ => &[],
        };
        let last = if system == Systems::OPENBSD_3 { 16 } else { usize::MAX };
        let lists = [&UP_TO_ICMP[..], inserted, &FROM_OTHER[..], special];
        let mut names = lists.into_iter().flatten().take(last);
        names.nth(usize::from(self.0)).copied().filter(|name| !name.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_has_the_name_of_its_system() {
        let name = |n, systems| Timeout(n).name(systems);
        assert_eq!(name(2, Systems::OPENBSD), Some("tcp.established"));
        assert_eq!(name(19, Systems::FREEBSD), Some("ts.diff"));
        assert_eq!(name(20, Systems::OPENBSD), None);
        assert_eq!(name(21, Systems::OPENBSD), Some("purge"));
        assert_eq!(name(22, Systems::OPENBSD), Some("unlinked"));
        assert_eq!(name(22, Systems::NETBSD), Some("until-packet"));
        assert_eq!(name(20, Systems::FREEBSD), Some("sctp.first"));
        assert_eq!(name(25, Systems::FREEBSD), None);
        assert_eq!(name(26, Systems::FREEBSD), Some("purge"));
        assert_eq!(name(27, Systems::FREEBSD), Some("unlinked"));
        assert_eq!(name(14, Systems::DARWIN), Some("esp.first"));
        assert_eq!(name(17, Systems::DARWIN), Some("other.first"));
        assert_eq!(name(15, Systems::OPENBSD_3), Some("interval"));
        assert_eq!(name(16, Systems::OPENBSD_3), None);
        assert_eq!(name(21, Systems::OPENBSD.or(Systems::FREEBSD)), None);
        assert_eq!(name(255, Systems::ANY), None);
    }

    #[test]
    fn the_protocol_tells_purge_from_sctp() {
        let name = |n, proto| Timeout(n).name_for(Systems::FREEBSD, proto);
        assert_eq!((name(21, 6), name(22, 17)), (Some("purge"), Some("unlinked")));
        assert_eq!(
            (name(21, 132), name(22, 132)),
            (Some("sctp.opening"), Some("sctp.established"))
        );
        assert_eq!((name(20, 6), name(26, 6)), (None, Some("purge")));
        assert_eq!(Timeout(21).name_for(Systems::OPENBSD, 132), Some("purge"));
    }
}
