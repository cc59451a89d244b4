//! Traffic selectors as charon prints them (RFC 7296 2.9; strongSwan's `traffic_selector.c`):
//!
//! ```text
//! 10.1.0.0/16   10.1.0.1..10.1.0.9   dynamic   2001:db8::/32
//! 172.16.2.0/24[tcp/https]   [tcp]   [udp/10001]   [udp/1000-2000]   [47]   [tcp/OPAQUE]
//! [icmp/8]   [icmp/8(0)]   [icmp/8(0)-10(255)]   [/443]
//! ```
//! They are for display, so what is read is what has one meaning; ICMP's types and codes are those
//! of RFC 4301 4.4.1.1.
//!
//! Not here: which packets they admit together (`policy`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::services::Services;
use crate::packet::proto;
use crate::text::escaped;

/// Longest selector that is read, in bytes: two IPv6 addresses, a protocol and two names.
const MAX_LEN: usize = 256;

/// A range of addresses, and of these a protocol and ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Selector {
    /// First and last address, of one family; `None` for `dynamic`: the host's own.
    pub range: Option<(IpAddr, IpAddr)>,
    /// The protocol; `None` for all.
    pub proto: Option<u8>,
    /// Which of its ports.
    pub ports: Ports,
}

/// Ports of a selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ports {
    /// All.
    Any,
    /// Those that cannot be seen: of fragments.
    Opaque,
    /// From the first to the last. ICMP: type in the high, code in the low byte.
    Range(u16, u16),
}

/// Text that is no selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoSelector(String);

impl std::fmt::Display for NoSelector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "'{}' is no traffic selector", self.0)
    }
}

impl std::error::Error for NoSelector {}

impl Selector {
    /// Reads a selector.
    ///
    /// # Errors
    /// When it has no meaning that is known.
    pub fn parse(text: &[u8], services: &Services) -> Result<Self, NoSelector> {
        let known = std::str::from_utf8(text).ok().filter(|text| text.len() <= MAX_LEN);
        known.and_then(|text| selector(text.trim(), services)).ok_or_else(|| {
            let shown = text.get(..MAX_LEN).unwrap_or(text);
            NoSelector(escaped(shown))
        })
    }

    /// True if an address, a protocol and a port (of ICMP type and code) are within; `host` is what
    /// `dynamic` stands for. A packet whose ports are not known is within if its address and
    /// protocol are.
    pub fn admits(
        &self,
        addr: IpAddr,
        host: Option<IpAddr>,
        proto: Option<u8>,
        port: Option<u16>,
    ) -> bool {
        let Some((first, last)) = self.range.or(host.map(|host| (host, host))) else {
            return false;
        };
        within(addr, first, last)
            && self.proto.is_none_or(|wanted| proto == Some(wanted))
            && match (self.ports, port) {
                (Ports::Any, _) | (Ports::Range(..), None) => true,
                (Ports::Opaque, port) => port.is_none(),
                (Ports::Range(first, last), Some(port)) => (first..=last).contains(&port),
            }
    }
}

fn within(addr: IpAddr, first: IpAddr, last: IpAddr) -> bool {
    match (addr, first, last) {
        (IpAddr::V4(addr), IpAddr::V4(first), IpAddr::V4(last)) => (first..=last).contains(&addr),
        (IpAddr::V6(addr), IpAddr::V6(first), IpAddr::V6(last)) => (first..=last).contains(&addr),
        _ => false,
    }
}

fn selector(text: &str, services: &Services) -> Option<Selector> {
    let (addresses, inside) = match text.split_once('[') {
        Some((addresses, rest)) => (addresses, Some(rest.strip_suffix(']')?)),
        None => (text, None),
    };
    let (proto, ports) = match inside {
        Some(inside) => protocol_and_ports(inside, services)?,
        None => (None, Ports::Any),
    };
    // A selector of ports alone is of the host's own address.
    let range = match addresses {
        "dynamic" | "" => None,
        addresses => Some(range(addresses)?),
    };
    (range.is_some() || !text.is_empty()).then_some(Selector { range, proto, ports })
}

/// `FIRST..LAST`, `ADDRESS/LENGTH` or `ADDRESS`.
fn range(text: &str) -> Option<(IpAddr, IpAddr)> {
    if let Some((first, last)) = text.split_once("..") {
        let (first, last): (IpAddr, IpAddr) = (first.parse().ok()?, last.parse().ok()?);
        return (first.is_ipv4() == last.is_ipv4() && first <= last).then_some((first, last));
    }
    let Some((address, length)) = text.split_once('/') else {
        let address = text.parse().ok()?;
        return Some((address, address));
    };
    if length.is_empty() || !length.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let length: u32 = length.parse().ok()?;
    Some(match address.parse().ok()? {
        IpAddr::V4(address) if length <= 32 => {
            let host = u32::MAX.checked_shr(length).unwrap_or(0);
            let bits = u32::from(address);
            (Ipv4Addr::from(bits & !host).into(), Ipv4Addr::from(bits | host).into())
        }
        IpAddr::V6(address) if length <= 128 => {
            let host = u128::MAX.checked_shr(length).unwrap_or(0);
            let bits = u128::from(address);
            (Ipv6Addr::from(bits & !host).into(), Ipv6Addr::from(bits | host).into())
        }
        _ => return None,
    })
}

/// What stands in brackets: `PROTOCOL`, `PROTOCOL/PORTS` or `/PORTS`.
fn protocol_and_ports(text: &str, services: &Services) -> Option<(Option<u8>, Ports)> {
    let (protocol, ports) = match text.split_once('/') {
        Some((protocol, ports)) => (protocol, Some(ports)),
        None => (text, None),
    };
    let proto = match protocol {
        "" if ports.is_some() => None,
        name => Some(protocol_number(name)?),
    };
    let ports = match (ports, proto) {
        (None, _) => Ports::Any,
        (Some("OPAQUE"), _) => Ports::Opaque,
        (Some(ports), Some(proto::ICMP | proto::ICMP6)) => icmp(ports)?,
        (Some(ports), _) => {
            let port = |text: &str| number(text).or_else(|| services.port(text, proto));
            // A service's name may have a dash too.
            let (first, last) = match port(ports) {
                Some(port) => (port, port),
                None => {
                    let (first, last) = ports.split_once('-')?;
                    (port(first)?, port(last)?)
                }
            };
            (first <= last).then_some(Ports::Range(first, last))?
        }
    };
    Some((proto, ports))
}

/// `TYPE`, `TYPE(CODE)`, or two of the latter with a dash between them.
fn icmp(text: &str) -> Option<Ports> {
    let one = |text: &str| match text.split_once('(') {
        Some((kind, code)) => {
            let code: u8 = byte(code.strip_suffix(')')?)?;
            let both = u16::from_be_bytes([byte(kind)?, code]);
            Some((both, both))
        }
        None => {
            let kind = byte(text)?;
            Some((u16::from_be_bytes([kind, 0]), u16::from_be_bytes([kind, u8::MAX])))
        }
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (one(first)?.0, one(last)?.1),
        None => one(text)?,
    };
    (first <= last).then_some(Ports::Range(first, last))
}

fn byte(text: &str) -> Option<u8> {
    number(text).and_then(|n| u8::try_from(n).ok())
}

fn number(text: &str) -> Option<u16> {
    text.bytes().all(|c| c.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn protocol_number(name: &str) -> Option<u8> {
    match name {
        "icmpv6" => Some(proto::ICMP6),
        _ => byte(name).or_else(|| (0..=u8::MAX).find(|&n| proto::name(n) == Some(name))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn services() -> Services {
        Services::parse("https 443/tcp\nhttps 443/udp\nisakmp 500/udp\nnetbios-ns 137/udp\n")
    }

    fn read(text: &str) -> Option<Selector> {
        Selector::parse(text.as_bytes(), &services()).ok()
    }

    #[test]
    fn every_notation() {
        let ip = |text: &str| -> IpAddr { text.parse().unwrap() };
        let range = |first, last| Some((ip(first), ip(last)));
        let tens = range("10.0.0.0", "10.0.255.255");
        for (text, range, proto, ports) in [
            ("10.0.0.0/16", tens, None, Ports::Any),
            ("10.0.7.7/16", tens, None, Ports::Any),
            ("0.0.0.0/0", range("0.0.0.0", "255.255.255.255"), None, Ports::Any),
            ("10.1.0.1", range("10.1.0.1", "10.1.0.1"), None, Ports::Any),
            ("10.1.0.1..10.1.0.9", range("10.1.0.1", "10.1.0.9"), None, Ports::Any),
            ("2001:db8::/127", range("2001:db8::", "2001:db8::1"), None, Ports::Any),
            ("::/0", range("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), None, Ports::Any),
            ("dynamic", None, None, Ports::Any),
            ("dynamic[udp]", None, Some(17), Ports::Any),
            ("10.0.0.0/16[tcp/https]", tens, Some(6), Ports::Range(443, 443)),
            ("10.0.0.0/16[udp/netbios-ns]", tens, Some(17), Ports::Range(137, 137)),
            ("10.0.0.0/16[udp/netbios-ns-isakmp]", None, None, Ports::Opaque),
            ("[tcp]", None, Some(6), Ports::Any),
            ("[udp/10001]", None, Some(17), Ports::Range(10001, 10001)),
            ("10.0.0.0/16[udp/1000-2000]", tens, Some(17), Ports::Range(1000, 2000)),
            ("10.0.0.0/16[47]", tens, Some(47), Ports::Any),
            ("10.0.0.0/16[gre]", tens, Some(47), Ports::Any),
            ("10.0.0.0/16[tcp/OPAQUE]", tens, Some(6), Ports::Opaque),
            ("10.0.0.0/16[/443]", tens, None, Ports::Range(443, 443)),
            ("10.0.0.0/16[icmp/8]", tens, Some(1), Ports::Range(0x800, 0x8ff)),
            ("10.0.0.0/16[icmp/8(1)]", tens, Some(1), Ports::Range(0x801, 0x801)),
            (
                "::/128[ipv6-icmp/128(0)-129(255)]",
                range("::", "::"),
                Some(58),
                Ports::Range(0x8000, 0x81ff),
            ),
        ] {
            let expected = (ports != Ports::Opaque || proto.is_some()).then_some(Selector {
                range,
                proto,
                ports,
            });
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_none() {
        for text in [
            "",
            "[",
            "]",
            "[]",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/",
            "10.0.0.9..10.0.0.1",
            "10.0.0.1..::1",
            "10.0.0.0/8[tcp",
            "10.0.0.0/8[tcp/nosuch]",
            "10.0.0.0/8[udp/9-8]",
            "10.0.0.0/8[256]",
            "10.0.0.0/8[udp/65536]",
            "10.0.0.0/8[icmp/8(256)]",
            "10.0.0.0/8[tcp]x",
            "host",
            "::/129",
            "10.0.0.0/8[icmp/8(]",
            "\u{1b}[2J",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        let long = "1".repeat(5000);
        let error = Selector::parse(long.as_bytes(), &services()).unwrap_err();
        assert!(error.to_string().len() < 300);
        let error = Selector::parse(b"\x1b[31m", &services()).unwrap_err();
        assert_eq!(error.to_string(), "'\\x1b[31m' is no traffic selector");
    }

    #[test]
    fn what_is_within() {
        let ip = |text: &str| -> IpAddr { text.parse().unwrap() };
        let web = read("10.0.0.0/8[tcp/https]").unwrap();
        let inside = ip("10.255.0.1");
        assert!(web.admits(inside, None, Some(6), Some(443)));
        assert!(web.admits(inside, None, Some(6), None), "a later fragment");
        assert!(!web.admits(inside, None, Some(6), Some(80)));
        assert!(!web.admits(inside, None, Some(17), Some(443)));
        assert!(!web.admits(inside, None, None, Some(443)));
        assert!(!web.admits(ip("11.0.0.1"), None, Some(6), Some(443)));
        assert!(!web.admits(ip("::1"), None, Some(6), Some(443)));
        let own = read("dynamic").unwrap();
        assert!(own.admits(inside, Some(inside), None, None));
        assert!(!own.admits(inside, None, None, None));
        let opaque = read("10.0.0.0/8[tcp/OPAQUE]").unwrap();
        assert!(opaque.admits(inside, None, Some(6), None));
        assert!(!opaque.admits(inside, None, Some(6), Some(1)));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9a-f.:/\\[\\]()a-z-]{0,40}") {
            let _ = read(&text);
        }

        #[test]
        fn a_prefix_holds_its_own_addresses(bits: u32, other: u32, length in 0..=32_u32) {
            let selector = read(&format!("{}/{length}", Ipv4Addr::from(bits))).unwrap();
            let same = length == 0 || bits >> (32 - length) == other >> (32 - length);
            let other = IpAddr::V4(Ipv4Addr::from(other));
            prop_assert_eq!(selector.admits(other, None, None, None), same);
        }
    }
}
