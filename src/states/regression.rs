//! Updates that set a state back, which a firewall with old knowledge sends.

use crate::packet::proto;
use crate::pf::PeerState;
use crate::wire::state::Ids;

use super::whole::Side;

/// What went back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Back {
    /// A window: the lowest sequence number the side may send.
    Window {
        /// Before.
        from: u32,
        /// Now.
        to: u32,
    },
    /// How far TCP has come.
    Level {
        /// Before.
        from: PeerState,
        /// Now.
        to: PeerState,
    },
}

/// A side of a state that went back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Regression {
    /// The state.
    pub ids: Ids,
    /// True for the side that sent the first packet.
    pub src: bool,
    /// What went back.
    pub back: Back,
}

/// What goes back, first of all a window. A window that is not known yet (0) goes nowhere.
pub(super) fn regressed(
    ids: Ids,
    proto: u8,
    old: &[Side; 2],
    new: &[Side; 2],
) -> Option<Regression> {
    if proto != proto::TCP {
        return None;
    }
    let window = |old: &Side, new: &Side| {
        let (from, to) = (old.seqlo, new.seqlo);
        let back = from != 0 && to != 0 && to.wrapping_sub(from) > u32::MAX / 2;
        back.then_some(Back::Window { from, to })
    };
    let level = |old: &Side, new: &Side| {
        let (from, to) = (old.state, new.state);
        // A proxy's numbers are the highest, and come first.
        let back = to < from && from < PeerState::PROXY_SRC;
        back.then_some(Back::Level { from, to })
    };
    let ([a, b], [c, d]) = (old, new);
    let src = window(a, c).or_else(|| level(a, c)).map(|back| Regression { ids, src: true, back });
    let dst = || window(b, d).or_else(|| level(b, d));
    src.or_else(|| dst().map(|back| Regression { ids, src: false, back }))
}
