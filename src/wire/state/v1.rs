//! Version 1 (OpenBSD 3.3 and 3.4) sent `struct pf_state` as it stood in the kernel's memory,
//! pointers and all. Its size tells how wide a pointer was, and whether the counters were one
//! each (3.3) or one for each direction (3.4).
//!
//! ```text
//!  0 lan  20 gwy  40 ext: addr[16] port pad[2]
//! 60 src  76 dst: seqlo seqhi seqdiff max_win:2 state pad
//! 92 rule pointer (its number in the first four bytes)  nat rule pointer (nothing)
//!    rt_addr[16]  interface pointer  creation  expire  packets  bytes  af proto direction log
//!    allow_opts
//! ```
//! Pointers are aligned. Numbers are in network order or, where a kernel left them as they were,
//! in its own: the order in which the times are the smaller ones is taken. No genuine record has
//! been seen.

use nom::bytes::complete::take;
use nom::number::complete::{be_u8, be_u16, be_u32};
use nom::{IResult, Parser};

use super::{Key, Parsed, Peer, State, address, from_hosts, host, narrow_flags, next_hop};
use crate::pf::{Direction, PeerState, StateFlags};
use crate::wire::ByteOrder;
use crate::wire::pfsync::Layout;

/// The sizes that a state can have: (bytes, bytes of a pointer, counters of each kind).
const SIZES: [(usize, usize, usize); 4] = [(144, 4, 1), (160, 8, 1), (152, 4, 2), (168, 8, 2)];

/// Bytes of each of `count` states that fill `len` bytes.
pub fn size(len: usize, count: usize) -> Option<usize> {
    let fits =
        |&(size, ..): &(usize, usize, usize)| size.checked_mul(count) == Some(len) && len > 0;
    SIZES.iter().find(|one| fits(one)).map(|&(size, ..)| size)
}

/// Parses a state that fills `i`; `None` if no state has that size.
pub fn parse(i: &[u8]) -> Option<State<'_>> {
    let &(_, pointer, counters) = SIZES.iter().find(|&&(size, ..)| size == i.len())?;
    state(i, pointer, counters).ok().map(|(_, state)| state)
}

fn state(i: &[u8], pointer: usize, counters: usize) -> Parsed<'_, State<'_>> {
    let (i, (lan, gwy, ext)) = (|i| host(i, 2), |i| host(i, 2), |i| host(i, 2)).parse(i)?;
    // 92 bytes so far: a wide pointer starts at 96.
    let (i, (src, dst)) = (peer, peer).parse(i)?;
    let (i, _) = take(pointer.saturating_sub(4))(i)?;
    let (i, rule) = pointed(i, pointer)?;
    // The translation rule's pointer is cleared and holds no number.
    let (i, _) = take(pointer)(i)?;
    let (i, hop) = address(i)?;
    let (i, _) = take(pointer)(i)?;
    let (i, times) = (be_u32, be_u32).parse(i)?;
    let swapped = (times.0.swap_bytes(), times.1.swap_bytes());
    let order =
        if swapped.0 | swapped.1 < times.0 | times.1 { ByteOrder::Little } else { ByteOrder::Big };
    let (creation_s, expire_s) = if order == ByteOrder::Little { swapped } else { times };
    let (i, packets) = totals(i, counters, order)?;
    let (i, bytes) = totals(i, counters, order)?;
    let (i, (af, proto, direction, log)) = (be_u8, be_u8, be_u8, be_u8).parse(i)?;
    let (i, state_flags): (_, StateFlags) = narrow_flags(i)?;
    let with_flow = |key| Key { af, proto, ..key };
    let state = State {
        layout: Layout::V1,
        ids: None,
        ifname: &[],
        wire: with_flow(from_hosts(ext, gwy)),
        stack: with_flow(from_hosts(ext, lan)),
        direction: Direction(direction),
        src,
        dst,
        rt_addr: next_hop(af, &hop),
        rule,
        anchor: None,
        nat_rule: None,
        creation_s,
        expire_s,
        packets,
        bytes,
        timeout: None,
        state_flags,
        sync_flags: None,
        updates: None,
        log,
        extra: None,
    };
    Ok((i, state))
}

/// A pointer's place, in whose first four bytes a rule number stands; all ones means "none".
fn pointed(i: &[u8], pointer: usize) -> Parsed<'_, Option<u32>> {
    let (i, number) = be_u32(i)?;
    let (i, _) = take(pointer.saturating_sub(4))(i)?;
    Ok((i, (number != u32::MAX).then_some(number)))
}

fn totals(i: &[u8], counters: usize, order: ByteOrder) -> Parsed<'_, [u64; 2]> {
    let one = |i| -> IResult<&[u8], u64> {
        be_u32.map(|n: u32| u64::from(order.u32(n.to_be_bytes()))).parse(i)
    };
    let (i, first) = one(i)?;
    let (i, second) = if counters == 2 { one(i)? } else { (i, 0) };
    Ok((i, [first, second]))
}

fn peer(i: &[u8]) -> Parsed<'_, Peer> {
    let (i, (seqlo, seqhi, seqdiff)) = (be_u32, be_u32, be_u32).parse(i)?;
    let (i, (max_win, state, _pad)) = (be_u16, be_u8, be_u8).parse(i)?;
    let state = PeerState(state);
    Ok((i, Peer { seqlo, seqhi, seqdiff, max_win, mss: 0, state, wscale: 0, scrub: None }))
}
