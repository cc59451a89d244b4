//! IPv6 and its extension headers (RFC 8200), in the order they stand in.

use std::net::{IpAddr, Ipv6Addr};

use crate::packet::{Packet, proto};
use crate::sink::page::Page;
use crate::sink::text::put::{Hex, Hex2, Hex4, Hex8, be16, be32, byte, put};
use crate::sink::text::{Options, ip, push_transport};
use crate::text::push_hex_byte;

const HEADER_LEN: usize = 40;
const MOBILITY: u8 = 135;

/// What comes after an extension header.
enum Next {
    /// The header was so many bytes long.
    Header(usize),
    /// Nothing that can be shown.
    Nothing,
}

/// Appends a whole packet.
pub(super) fn push(page: &mut Page, packet: &Packet<'_>, options: &Options) {
    let out = &mut page.text;
    let bytes = packet.bytes;
    let whole = bytes.len() >= HEADER_LEN;
    if !options.link && (whole || ip::is_cut(packet)) {
        put!(out, "IP6 ");
    }
    let (Some(payload_len), Some(next), true) = (be16(bytes, 4), byte(bytes, 6), whole) else {
        ip::push_cut(out, packet, "ip6", options);
        return;
    };
    let payload_len = usize::from(payload_len);
    if payload_len > 0 && packet.len < payload_len + HEADER_LEN {
        let missing = payload_len + HEADER_LEN - packet.len;
        put!(out, "truncated-ip6 - ", missing, " bytes missing!");
    }
    if options.verbose > 0 {
        push_header(out, bytes, next, payload_len);
    }
    if !ip::has_ends(next) {
        ip::push_addresses(out, packet, options);
        put!(out, ": ");
    }
    push_behind(page, packet, options);
}

/// Appends what follows the addresses, or the header where they are shown later.
pub(super) fn push_behind(page: &mut Page, packet: &Packet<'_>, options: &Options) {
    let (length, next) = (be16(packet.bytes, 4), byte(packet.bytes, 6));
    let (length, next) = (length.unwrap_or_default(), next.unwrap_or(proto::NONE));
    if push_extensions(&mut page.text, packet, next, length.into(), options) {
        push_transport(page, packet, options);
    }
}

/// `-v`'s part.
fn push_header(out: &mut Vec<u8>, bytes: &[u8], next: u8, payload_len: usize) {
    let first = be32(bytes, 0).unwrap_or_default();
    put!(out, "(");
    let [_, class, ..] = (first << 4).to_be_bytes();
    let class = (first >> 20).to_be_bytes().last().copied().unwrap_or(class);
    if class != 0 {
        put!(out, "class 0x", Hex2(class), ", ");
    }
    let label = first & 0xf_ffff;
    if label != 0 {
        let [_, high, middle, low] = label.to_be_bytes();
        // Five digits.
        put!(out, "flowlabel 0x", Hex(u64::from(high & 0xf)));
        push_hex_byte(out, middle);
        push_hex_byte(out, low);
        put!(out, ", ");
    }
    put!(out, "hlim ", byte(bytes, 7).unwrap_or_default());
    put!(out, ", next-header ", ip::protocol_name(next), " (", next, ")");
    put!(out, " payload length: ", payload_len, ") ");
}

/// Appends the extension headers; true if what follows them is to be shown.
fn push_extensions(
    out: &mut Vec<u8>,
    packet: &Packet<'_>,
    first: u8,
    payload_len: usize,
    options: &Options,
) -> bool {
    let bytes = packet.bytes;
    let end = if payload_len == 0 { bytes.len() } else { HEADER_LEN + payload_len };
    let bytes = bytes.get(..end).unwrap_or(bytes);
    let (mut at, mut kind, mut jumbo) = (HEADER_LEN, first, None);
    loop {
        let header = bytes.get(at..).unwrap_or_default();
        let next = match kind {
            proto::HOPOPTS if at > HEADER_LEN => {
                let fault = if first == proto::HOPOPTS {
                    "was already found"
                } else {
                    "don't follow the IPv6 header"
                };
                put!(out, "[The Hop-by-Hop Options header ", fault, "] (invalid)");
                return false;
            }
            proto::HOPOPTS => {
                let next = push_options(out, header, "HBH ", "hbhopt", options, |jumbo_len| {
                    if payload_len == 0 && jumbo_len > 0xffff {
                        jumbo = Some(jumbo_len);
                    }
                    payload_len
                });
                if payload_len == 0 && jumbo.is_none() {
                    put!(out, "[No valid Jumbo Payload Hop-by-Hop option found] (invalid)");
                    return false;
                }
                next
            }
            proto::DSTOPTS => push_options(out, header, "DSTOPT ", "dstopt", options, |_| 1),
            proto::FRAGMENT => {
                let payload_len = (HEADER_LEN + payload_len).wrapping_sub(at + 8);
                push_fragment(out, header, payload_len, options)
            }
            proto::ROUTING => push_routing(out, header, options),
            MOBILITY => {
                put!(out, "mobility");
                Next::Nothing
            }
            _ => break,
        };
        let Next::Header(len) = next else { return false };
        kind = byte(header, 0).unwrap_or(proto::NONE);
        at += len;
    }
    if let Some(jumbo) = jumbo {
        let end = HEADER_LEN.saturating_add(usize::try_from(jumbo).unwrap_or(usize::MAX));
        if packet.len < end {
            put!(out, "truncated-ip6 - ", end - packet.len, " bytes missing!");
        }
    } else if payload_len == 0 && at > HEADER_LEN {
        put!(out, " [|ip6]");
        return false;
    }
    true
}

/// Hop-by-hop and destination options; the latter only with `-v`, as with tcpdump. `jumbo` is
/// told the first jumbo length and gives the length in the IPv6 header, which is to be 0.
fn push_options(
    out: &mut Vec<u8>,
    header: &[u8],
    name: &str,
    tag: &str,
    options: &Options,
    mut jumbo: impl FnMut(u32) -> usize,
) -> Next {
    let len = byte(header, 1).map_or(8, |words| (usize::from(words) + 1) * 8);
    let Some(bytes) = header.get(2..len) else {
        put!(out, " [|", tag, "]");
        return Next::Nothing;
    };
    put!(out, name);
    let verbose = options.verbose > 0;
    let hop_by_hop = tag == "hbhopt";
    if !hop_by_hop && !verbose {
        return Next::Header(len);
    }
    let (mut rest, mut seen_jumbo) = (bytes, false);
    while let Some(&kind) = rest.first() {
        let option_len = match (kind, rest.get(1)) {
            (0, _) => 1,
            (_, Some(&len)) => usize::from(len) + 2,
            (_, None) => usize::MAX,
        };
        let Some((option, behind)) = rest.split_at_checked(option_len) else {
            put!(out, " [|", tag, "]");
            return Next::Nothing;
        };
        rest = behind;
        let (name, wanted) = match kind {
            5 => ("rtalert", 4),
            0xc2 => ("jumbo", 6),
            0xc9 => ("homeaddr", 18),
            _ => ("", 0),
        };
        let too_long = wanted < 18 && wanted > 0 && option_len > wanted;
        if option_len < wanted || too_long {
            if option.len() + behind.len() < wanted {
                put!(out, "(", name, ": trunc)");
            } else {
                put!(out, "(", name, ": invalid len ", option_len - 2, ")");
            }
            put!(out, " [|", tag, "]");
            return Next::Nothing;
        }
        match kind {
            0xc2 => {
                let value = be32(option, 2).unwrap_or_default();
                let header_len = if seen_jumbo { 0 } else { jumbo(value) };
                if verbose {
                    put!(out, "(jumbo: ", value);
                    put!(
                        out,
                        match (seen_jumbo, hop_by_hop, header_len, value) {
                            (true, ..) => " - already seen",
                            (_, false, ..) => " - not a hop-by-hop option",
                            (_, _, 1.., _) => " - payload len != 0",
                            (_, _, _, ..=0xffff) => " - < 65536",
                            _ => "",
                        }
                    );
                    put!(out, ") ");
                }
                seen_jumbo = true;
            }
            _ if !verbose => {}
            0 => put!(out, "(pad1)"),
            1 => put!(out, "(padn)"),
            5 => put!(out, "(rtalert: 0x", Hex4(be16(option, 2).unwrap_or_default()), ") "),
            0xc9 => {
                put!(out, "(homeaddr: ");
                if let Some(addr) = address(option, 2) {
                    put!(out, addr);
                }
                if !push_suboptions(out, option.get(18..).unwrap_or_default()) {
                    put!(out, " [|", tag, "]");
                    return Next::Nothing;
                }
                put!(out, ")");
            }
            _ => put!(out, "(opt_type 0x", Hex2(kind), ": len=", option_len - 2, ")"),
        }
    }
    if verbose {
        put!(out, " ");
    }
    Next::Header(len)
}

/// Options within the home address option; false if one goes beyond its end.
fn push_suboptions(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(&kind) = rest.first() {
        let len = match (kind, rest.get(1)) {
            (0, _) => 1,
            (_, Some(&len)) => usize::from(len) + 2,
            (_, None) => return false,
        };
        let Some(behind) = rest.get(len..) else { return false };
        rest = behind;
        match kind {
            0 => put!(out, ", pad1"),
            1 => put!(out, ", padn"),
            _ => put!(out, ", sopt_type 0x", Hex2(kind), ": len=", len - 2),
        }
    }
    true
}

fn push_fragment(out: &mut Vec<u8>, header: &[u8], len: usize, options: &Options) -> Next {
    let (Some(bits), id) = (be16(header, 2), be32(header, 4)) else {
        put!(out, " [|frag6]");
        return Next::Nothing;
    };
    put!(out, "frag (");
    if options.verbose > 0
        && let Some(id) = id
    {
        put!(out, "0x", Hex8(id), ":");
    }
    put!(out, bits & 0xfff8, "|", len, ")");
    if bits & 0xfff8 != 0 {
        return Next::Nothing;
    }
    put!(out, " ");
    if header.len() > 8 { Next::Header(8) } else { Next::Nothing }
}

fn push_routing(out: &mut Vec<u8>, header: &[u8], options: &Options) -> Next {
    put!(out, "RT6");
    if let Some(words) = byte(header, 1) {
        put!(out, " (len=", words);
    }
    let &[_, words, kind, ref rest @ ..] = header else {
        put!(out, " [|rt6]");
        return Next::Nothing;
    };
    put!(out, ", type=", kind, if kind == 0 { " [Deprecated]" } else { "" });
    let Some((left, rest)) = rest.split_first() else {
        put!(out, " [|rt6]");
        return Next::Nothing;
    };
    put!(out, ", segleft=", *left);
    if !matches!(kind, 0 | 2 | 4) {
        put!(out, " (unknown type) (invalid)");
        return Next::Nothing;
    }
    let verbose = options.verbose > 0;
    let there = if kind == 4 {
        push_segments_header(out, rest, verbose)
    } else {
        be32(rest, 0).map(|reserved| {
            if reserved != 0 || verbose {
                put!(out, ", rsv=0x", Hex(reserved.into()));
            }
        })
    };
    let (Some(()), Some(addresses)) = (there, rest.get(4..)) else {
        put!(out, " [|rt6]");
        return Next::Nothing;
    };
    if words % 2 == 1 {
        put!(out, " (invalid length ", words, ") (invalid)");
        return Next::Nothing;
    }
    for i in 0..usize::from(words / 2) {
        let Some(addr) = address(addresses, i * 16) else {
            put!(out, " [|rt6]");
            return Next::Nothing;
        };
        put!(out, ", [", i, "]", addr);
    }
    put!(out, ") ");
    Next::Header((usize::from(words) + 1) * 8)
}

/// What is special to a segment routing header (RFC 8754); `None` if it is cut.
fn push_segments_header(out: &mut Vec<u8>, rest: &[u8], verbose: bool) -> Option<()> {
    let last = byte(rest, 0)?;
    put!(out, ", last-entry=", last);
    let flags = byte(rest, 1)?;
    if flags != 0 || verbose {
        put!(out, ", flags=0x", Hex(flags.into()));
    }
    let tag = be16(rest, 2)?;
    put!(out, ", tag=", Hex(tag.into()));
    Some(())
}

fn address(bytes: &[u8], at: usize) -> Option<IpAddr> {
    let octets = bytes.get(at..)?.first_chunk::<16>()?;
    Some(IpAddr::V6(Ipv6Addr::from(*octets)))
}

/// The address that the routing header ends at.
pub(super) fn routed_to(packet: &Packet<'_>) -> Option<IpAddr> {
    let mut kind = byte(packet.bytes, 6)?;
    let mut rest = packet.bytes.get(HEADER_LEN..)?;
    loop {
        let words = byte(rest, 1)?;
        let len = match kind {
            proto::HOPOPTS | proto::DSTOPTS | MOBILITY => (usize::from(words) + 1) * 8,
            proto::FRAGMENT => 8,
            proto::ROUTING => {
                let addresses = rest.get(8..)?;
                return match (byte(rest, 2)?, words) {
                    (_, words) if words % 2 == 1 => None,
                    (0 | 2, 2..) => address(addresses, (usize::from(words) / 2 - 1) * 16),
                    (4, _) => address(addresses, 0),
                    _ => None,
                };
            }
            _ => return None,
        };
        kind = byte(rest, 0)?;
        rest = rest.get(len..)?;
    }
}
