//! Options of a state: pfvar.h's `PFSTATE_` bits.

use super::Systems;

/// The bits of `state_flags`; one byte in the older layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct StateFlags(pub u16);

impl StateFlags {
    /// The bits that are set, from the lowest, each with its name on these systems if it has one
    /// on which they agree.
    pub fn iter(self, systems: Systems) -> impl Iterator<Item = (u16, Option<&'static str>)> {
        let set = move |&bit: &u16| self.0 & bit != 0;
        let name = move |bit| (bit, systems.agreed(|one| name_on(bit, one)));
        (0..u16::BITS).map(|n| 1 << n).filter(set).map(name)
    }

    /// The names of the bits that are set and have one.
    pub fn names(self, systems: Systems) -> impl Iterator<Item = &'static str> {
        self.iter(systems).filter_map(|(_, name)| name)
    }

    /// Every name a bit can have.
    pub const NAMES: [&str; 13] = [
        "allow-opts",
        "sloppy",
        "pflow",
        "no-sync",
        "ack",
        "no-df",
        "set-tos",
        "random-id",
        "scrub-tcp",
        "set-prio",
        "inp-unlinked",
        "stack-global",
        "create-in-progress",
    ];
}

fn name_on(bit: u16, system: Systems) -> Option<&'static str> {
    Some(match (bit, system) {
        (0x001, _) => "allow-opts",
        (0x002, _) => "sloppy",
        (0x004, Systems::DRAGONFLY) => "stack-global",
        (0x008, Systems::DRAGONFLY) => "create-in-progress",
        (_, Systems::DRAGONFLY | Systems::NETBSD | Systems::OPENBSD_3) => return None,
        (0x004, _) => "pflow",
        (0x008, _) => "no-sync",
        (0x010, _) => "ack",
        (0x020, _) => "no-df",
        (0x040, _) => "set-tos",
        (0x080, _) => "random-id",
        (0x100, _) => "scrub-tcp",
        (0x200, _) => "set-prio",
        (0x400, Systems::OPENBSD) => "inp-unlinked",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_have_the_names_of_their_system() {
        let names = |bits, systems| StateFlags(bits).names(systems).collect::<Vec<_>>();
        assert_eq!(names(0x0202, Systems::FREEBSD), ["sloppy", "set-prio"]);
        assert_eq!(names(0x0404, Systems::OPENBSD), ["pflow", "inp-unlinked"]);
        assert_eq!(names(0x000c, Systems::DRAGONFLY), ["stack-global", "create-in-progress"]);
        assert_eq!(names(0x0005, Systems::OPENBSD.or(Systems::DRAGONFLY)), ["allow-opts"]);
        let unnamed: Vec<_> = StateFlags(0x8400).iter(Systems::FREEBSD).collect();
        assert_eq!(unnamed, [(0x400, None), (0x8000, None)]);
        let all = Systems::ANY.or(Systems::OPENBSD_3);
        all.iter().flat_map(|one| names(u16::MAX, one)).for_each(|name| {
            assert!(StateFlags::NAMES.contains(&name), "{name}");
        });
    }
}
