//! What an expression says of a plain record, without decoding it.
//!
//! Not here: tests of what a glance does not show. An expression that has one is asked of the
//! decoded event.

use super::expr::{Protos, Test};
use crate::event::Frame;
use crate::glance::Glance;
use crate::packet::proto;
use crate::pf::{Action, Reason};

impl Test {
    /// True if a glance is enough for it.
    pub(super) const fn goes_by_glance(&self) -> bool {
        match self {
            Self::Ip(_)
            | Self::Ethertype(_)
            | Self::Proto { .. }
            | Self::Net { .. }
            | Self::Ports { .. }
            | Self::Less(_)
            | Self::Greater(_)
            | Self::Ifname(_)
            | Self::Ruleset(_)
            | Self::Rule(_)
            | Self::Subrule(_)
            | Self::Reason(_)
            | Self::Action(_)
            | Self::Dir(_)
            | Self::Truncated
            | Self::Undecoded
            | Self::Suspect
            | Self::Sync(_)
            | Self::Creator(_)
            | Self::State(_) => true,
            Self::Rid(_)
            | Self::Uid(_)
            | Self::Pid(_)
            | Self::RuleUid(_)
            | Self::RulePid(_)
            | Self::Spi(_)
            | Self::Rewritten
            | Self::Label(_)
            | Self::Tunnel(_) => false,
        }
    }

    /// What [`Test::of_frame`] says of the decoded event.
    #[inline]
    pub(super) fn of_glance(&self, frame: &Frame<'_>, glance: &Glance<'_>) -> bool {
        let number = |n: u32| (n != u32::MAX).then_some(n);
        match self {
            Self::Ip(family) => glance.family == *family,
            Self::Proto { family, number } => {
                family.is_none_or(|family| glance.family == family)
                    && (glance.proto == *number || glance.named == *number)
            }
            Self::Net { side, net } => {
                let [src, dst] = glance.addresses().map(Some);
                side.of(src, dst, |address| net.has(address))
            }
            Self::Ports { protos, side, first, last } => glance.ports.is_some_and(|ports| {
                let proto = match glance.proto {
                    proto::TCP => Protos::TCP,
                    proto::UDP => Protos::UDP,
                    _ => Protos::SCTP,
                };
                let is_in = |port| (*first..=*last).contains(&port);
                !protos.and(proto).is_empty() && side.of(Some(ports.src), Some(ports.dst), is_in)
            }),
            Self::Less(n) => u32::try_from(frame.len).is_ok_and(|len| len <= *n),
            Self::Greater(n) => u32::try_from(frame.len).map_or(true, |len| len >= *n),
            Self::Ifname(pattern) => pattern.matches(glance.ifname()),
            Self::Ruleset(pattern) => pattern.matches(glance.ruleset()),
            Self::Rule(n) => number(glance.rules()[0]) == *n,
            Self::Subrule(n) => number(glance.rules()[1]) == *n,
            Self::Reason(code) => {
                let reason = glance.reason();
                code.is(reason.0, |name| reason.is_named(name, glance.systems()))
            }
            Self::Action(code) => {
                let action = glance.action();
                code.is(action.0, |name| action.is_named(name, glance.systems()))
            }
            Self::Dir(dir) => glance.dir() == *dir,
            Self::Truncated => frame.is_truncated(),
            Self::Suspect => glance.action() == Action::PASS && glance.reason() != Reason::MATCH,
            // It is IP, of pf, and decoded; what a glance is not enough for is not asked.
            _ => false,
        }
    }
}
