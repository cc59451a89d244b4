//! Community ID Flow Hashing, version 1: a name for a flow that every tool gives alike.
//!
//! ```text
//! "1:" base64(SHA-1(seed:2  lower address  higher address  protocol:1  0:1  its port:2  other:2))
//! ```
//! Both directions have the same name: the end with the lower address, then port, goes first.
//! ICMP's ports are its type and the type that answers it, or its type and code where none does;
//! such a message has one direction only. Protocols without ports have none in the hash. The
//! seed is 0.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use super::ways::Ways;
use crate::packet::{Icmp, proto};

/// What a flow's name is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuple {
    /// Source address.
    pub src: IpAddr,
    /// Destination address, of the same family.
    pub dst: IpAddr,
    /// IP protocol.
    pub proto: u8,
    /// Source and destination port, of the protocols that have them.
    pub ports: Option<(u16, u16)>,
    /// Of ICMP.
    pub icmp: Option<Icmp>,
}

/// Flows whose names are kept.
const KEPT: usize = 1024;

/// Names flows, and keeps the names: of a flow one packet seldom comes alone, and a name takes
/// longer than all else in a document.
#[derive(Debug)]
pub struct Namer {
    kept: Box<[(Key, [u8; NAME])]>,
    ways: Ways<KEPT>,
}

/// A tuple in five words, which are sooner compared; of no tuple all are 0.
type Key = [u64; 5];

impl Namer {
    /// One that has named nothing yet.
    pub fn new() -> Self {
        let kept = vec![([0; 5], [0; NAME]); KEPT].into_boxed_slice();
        Self { kept, ways: Ways::new() }
    }

    /// Appends the flow's name; false, and nothing appended, where the packet does not tell enough.
    #[inline]
    pub fn push(&mut self, out: &mut Vec<u8>, tuple: &Tuple) -> bool {
        let Some((name, _)) = self.name(tuple) else { return false };
        out.extend_from_slice(name);
        true
    }

    /// The flow's name, where the packet tells enough, and whether it was known.
    #[inline]
    pub fn name(&mut self, tuple: &Tuple) -> Option<(&[u8; NAME], bool)> {
        let Self { kept, ways } = self;
        let key = tuple.key();
        let sum = mixed(&key);
        let is = |at: usize| kept.get(at).is_some_and(|(known, _)| differing(known, &key) == 0);
        let known = ways.find(sum, is);
        let at = match known {
            Some(at) => at,
            None => {
                let name = tuple.name()?;
                let at = ways.take(sum);
                *kept.get_mut(at)? = (key, name);
                at
            }
        };
        kept.get(at).map(|(_, name)| (name, known.is_some()))
    }
}

impl Default for Namer {
    fn default() -> Self {
        Self::new()
    }
}

/// Bytes of a name: `1:` and 20 bytes in base64.
pub const NAME: usize = 30;

/// Bytes of the longest input: seed, two IPv6 addresses, protocol and padding, two ports.
const INPUT: usize = 2 + 16 + 16 + 2 + 4;

impl Tuple {
    /// The flow's name; none where the packet does not tell enough.
    pub fn name(&self) -> Option<[u8; NAME]> {
        let (ports, one_way) = ports(self)?;
        let (mut lower, mut higher) = (self.src, self.dst);
        if lower.is_ipv4() != higher.is_ipv4() {
            return None;
        }
        let (mut first, mut second) = ports.unwrap_or_default();
        if !one_way && (higher, second) < (lower, first) {
            (lower, higher, first, second) = (higher, lower, second, first);
        }
        let mut input = Input { bytes: [0; INPUT], len: 2 };
        for addr in [lower, higher] {
            match addr {
                IpAddr::V4(addr) => input.push(&addr.octets()),
                IpAddr::V6(addr) => input.push(&addr.octets()),
            }
        }
        input.push(&[self.proto, 0]);
        if ports.is_some() {
            input.push(&first.to_be_bytes());
            input.push(&second.to_be_bytes());
        }
        let digest = Sha1::digest(input.bytes.get(..input.len).unwrap_or_default());
        let mut name = [0; NAME];
        let (version, rest) = name.split_first_chunk_mut()?;
        *version = *b"1:";
        STANDARD.encode_slice(digest, rest).ok()?;
        Some(name)
    }

    /// All that is in it. Never 0, as a mark of what is there is always set.
    #[inline]
    fn key(&self) -> Key {
        let halves = |addr: IpAddr| match addr {
            IpAddr::V4(addr) => [0, u64::from(addr.to_bits())],
            IpAddr::V6(addr) => addr
                .octets()
                .as_chunks()
                .0
                .first_chunk()
                .map_or([0; 2], |halves: &[[u8; 8]; 2]| halves.map(u64::from_be_bytes)),
        };
        let ([a, b], [c, d]) = (halves(self.src), halves(self.dst));
        let (src, dst) = self.ports.unwrap_or_default();
        let icmp = self.icmp.map(|icmp| (icmp.kind, icmp.code));
        let (kind, code) = icmp.map_or((0, None), |icmp| icmp);
        let marks = u8::from(self.src.is_ipv4()) << 1
            | u8::from(self.dst.is_ipv4()) << 2
            | u8::from(self.ports.is_some()) << 3
            | u8::from(icmp.is_some()) << 4
            | u8::from(code.is_some()) << 5
            | 1;
        let ([e, f], [g, h]) = (src.to_be_bytes(), dst.to_be_bytes());
        let rest = [e, f, g, h, self.proto, marks, kind, code.unwrap_or_default()];
        [a, b, c, d, u64::from_be_bytes(rest)]
    }
}

/// A number of which any bits tell tuples apart.
#[inline]
pub(super) fn mixed([a, b, c, d, rest]: &[u64; 5]) -> u64 {
    let sum = (a ^ b)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add((c ^ d).wrapping_mul(0xbf58_476d_1ce4_e5b9))
        .wrapping_add(rest ^ rest >> 29);
    sum.wrapping_mul(0x94d0_49bb_1331_11eb)
}

/// The bits in which they differ, without a branch for each word.
#[inline]
pub(super) fn differing(one: &[u64; 5], other: &[u64; 5]) -> u64 {
    one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b))
}

struct Input {
    bytes: [u8; INPUT],
    len: usize,
}

impl Input {
    fn push(&mut self, more: &[u8]) {
        let end = self.len + more.len();
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            room.copy_from_slice(more);
            self.len = end;
        }
    }
}

/// The ports, if the protocol has any, and whether the flow has only this direction. `None` if
/// they are not known but should be.
fn ports(tuple: &Tuple) -> Option<(Option<(u16, u16)>, bool)> {
    let answered = match tuple.proto {
        proto::ICMP => answer,
        proto::ICMP6 => answer6,
        proto::TCP | proto::UDP | proto::SCTP => return Some((Some(tuple.ports?), false)),
        _ => return Some((None, false)),
    };
    let Icmp { kind, code } = tuple.icmp?;
    let code = code?;
    Some(match answered(kind) {
        Some(other) => (Some((kind.into(), other.into())), false),
        None => (Some((kind.into(), code.into())), true),
    })
}

/// The ICMP type that answers a type, or that it answers.
const fn answer(kind: u8) -> Option<u8> {
    Some(match kind {
        0 => 8,
        8 => 0,
        9 => 10,
        10 => 9,
        13 => 14,
        14 => 13,
        15 => 16,
        16 => 15,
        17 => 18,
        18 => 17,
        _ => return None,
    })
}

/// The same of ICMPv6.
const fn answer6(kind: u8) -> Option<u8> {
    Some(match kind {
        128 => 129,
        129 => 128,
        130 => 131,
        131 => 130,
        133 => 134,
        134 => 133,
        135 => 136,
        136 => 135,
        139 => 140,
        140 => 139,
        144 => 145,
        145 => 144,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Ports = Option<(u16, u16)>;

    /// The specification's own baseline (corelight/community-id-spec, seed 0): protocol, source,
    /// destination, their ports or ICMP's type and code, name.
    const BASELINE: [(u8, &str, &str, Ports, &str); 23] = [
        (
            58,
            "fe80::200:86ff:fe05:80da",
            "fe80::260:97ff:fe07:69ea",
            Some((135, 136)),
            "dGHyGvjMfljg6Bppwm3bg0LO8TY=",
        ),
        (
            58,
            "fe80::260:97ff:fe07:69ea",
            "fe80::200:86ff:fe05:80da",
            Some((136, 135)),
            "dGHyGvjMfljg6Bppwm3bg0LO8TY=",
        ),
        (
            58,
            "fe80::260:97ff:fe07:69ea",
            "fe80::200:86ff:fe05:80da",
            Some((135, 136)),
            "zavyT/cezQr1fmImYCwYnMXbgck=",
        ),
        (
            58,
            "fe80::200:86ff:fe05:80da",
            "fe80::260:97ff:fe07:69ea",
            Some((136, 135)),
            "zavyT/cezQr1fmImYCwYnMXbgck=",
        ),
        (
            58,
            "3ffe:501:1800:2345::2",
            "3ffe:507:0:1:200:86ff:fe05:80da",
            Some((3, 0)),
            "2ObVBgIn28oZvibYZhZMBgh7WdQ=",
        ),
        (
            58,
            "3ffe:501:410:0:2c0:dfff:fe47:33e",
            "3ffe:507:0:1:200:86ff:fe05:80da",
            Some((1, 4)),
            "hLZd0XGWojozrvxqE0dWB1iM6R0=",
        ),
        (
            58,
            "3ffe:507:0:1:200:86ff:fe05:80da",
            "3ffe:501:0:1001::2",
            Some((128, 129)),
            "+TW+HtLHvV1xnGhV1lv7XoJrqQg=",
        ),
        (
            58,
            "3ffe:501:0:1001::2",
            "3ffe:507:0:1:200:86ff:fe05:80da",
            Some((129, 128)),
            "+TW+HtLHvV1xnGhV1lv7XoJrqQg=",
        ),
        (
            58,
            "fe80::200:86ff:fe05:80da",
            "ff02::2",
            Some((133, 134)),
            "hO+sN4H+MG5MY/8hIrXPqc4ZQz0=",
        ),
        (
            58,
            "fe80::260:97ff:fe07:69ea",
            "ff02::1",
            Some((134, 133)),
            "pkvHqCL88/tg1k4cPigmZXUtL00=",
        ),
        (1, "192.168.0.89", "192.168.0.1", Some((8, 0)), "X0snYXpgwiv9TZtqg64sgzUn6Dk="),
        (1, "192.168.0.1", "192.168.0.89", Some((0, 8)), "X0snYXpgwiv9TZtqg64sgzUn6Dk="),
        (1, "10.0.0.1", "10.0.0.2", Some((11, 0)), "YHxtAirCG//0OzkcVAukqKQN9xM="),
        (
            6,
            "2001:470:e5bf:dead:4957:2174:e82c:4887",
            "2607:f8b0:400c:c03::1a",
            Some((63943, 25)),
            "/qFaeAR+gFe1KYjMzVDsMv+wgU4=",
        ),
        (
            6,
            "2607:f8b0:400c:c03::1a",
            "2001:470:e5bf:dead:4957:2174:e82c:4887",
            Some((25, 63943)),
            "/qFaeAR+gFe1KYjMzVDsMv+wgU4=",
        ),
        (132, "192.168.170.8", "192.168.170.56", Some((7, 7)), "MP2EtRCAUIZvTw6MxJHLV7N7JDs="),
        (132, "192.168.170.56", "192.168.170.8", Some((7, 7)), "MP2EtRCAUIZvTw6MxJHLV7N7JDs="),
        (6, "128.232.110.120", "66.35.250.204", Some((34855, 80)), "LQU9qZlK+B5F3KDmev6m5PMibrg="),
        (6, "66.35.250.204", "128.232.110.120", Some((80, 34855)), "LQU9qZlK+B5F3KDmev6m5PMibrg="),
        (17, "192.168.1.52", "8.8.8.8", Some((54585, 53)), "d/FP5EW3wiY1vCndhwleRRKHowQ="),
        (17, "8.8.8.8", "192.168.1.52", Some((53, 54585)), "d/FP5EW3wiY1vCndhwleRRKHowQ="),
        (46, "10.1.12.1", "10.1.12.2", None, "KHlLkgoJW7ifUTyTSgyVfkFHzKw="),
        (46, "10.1.12.2", "10.1.12.1", None, "KHlLkgoJW7ifUTyTSgyVfkFHzKw="),
    ];

    #[test]
    fn flows_have_the_names_of_the_specification() {
        let mut namer = Namer::new();
        for (proto, src, dst, ports, name) in BASELINE {
            // Of a message that is answered the baseline gives the answer's type as the code.
            let icmp = ports.filter(|_| matches!(proto, 1 | 58)).map(|(kind, code)| Icmp {
                kind: u8::try_from(kind).unwrap(),
                code: u8::try_from(code).ok(),
            });
            let ports = ports.filter(|_| icmp.is_none());
            let (src, dst) = (src.parse().unwrap(), dst.parse().unwrap());
            let mut out = Vec::new();
            assert!(namer.push(&mut out, &Tuple { src, dst, proto, ports, icmp }));
            assert_eq!(String::from_utf8(out).unwrap(), format!("1:{name}"), "{src} {dst}");
        }
    }

    #[test]
    fn a_kept_name_is_only_its_own_flow_s() {
        let mut namer = Namer::new();
        let addr = |n: u32| IpAddr::from(n.to_be_bytes());
        for round in 0..3 {
            for n in 0..5000_u16 {
                let tuple = Tuple {
                    src: addr(u32::from(n % 700)),
                    dst: addr(u32::from(n % 11)),
                    proto: 17,
                    ports: Some((53, n)),
                    icmp: None,
                };
                let mut out = Vec::new();
                assert!(namer.push(&mut out, &tuple));
                assert_eq!(
                    Some(out.as_slice()),
                    tuple.name().as_ref().map(|name| &name[..]),
                    "{round}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_known_has_no_name() {
        let (src, dst) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let tuple = Tuple { src, dst, proto: 6, ports: None, icmp: None };
        let mut out = Vec::new();
        for tuple in [
            tuple,
            Tuple { proto: 1, ..tuple },
            Tuple { proto: 1, icmp: Some(Icmp { kind: 3, code: None }), ..tuple },
            Tuple { proto: 47, dst: "::1".parse().unwrap(), ..tuple },
        ] {
            assert!(!Namer::new().push(&mut out, &tuple) && out.is_empty(), "{tuple:?}");
        }
    }
}
