//! Who reports, and which networks are its own: what no packet tells and a SIEM wants to know.

use std::net::IpAddr;
use std::str::FromStr;

/// Whose events they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Site {
    /// Name of the firewall, or of the machine that reads its logs.
    pub observer: String,
    /// Its inside networks; empty if that is not known.
    pub internal: Vec<Net>,
}

/// An address prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Net {
    addr: IpAddr,
    len: u8,
}

impl Net {
    /// True if the address is one of the network's.
    pub fn contains(&self, addr: IpAddr) -> bool {
        match (self.addr, addr) {
            (IpAddr::V4(net), IpAddr::V4(addr)) => {
                let differing = u32::from(net) ^ u32::from(addr);
                differing.leading_zeros() >= u32::from(self.len)
            }
            (IpAddr::V6(net), IpAddr::V6(addr)) => {
                let differing = u128::from(net) ^ u128::from(addr);
                differing.leading_zeros() >= u32::from(self.len)
            }
            _ => false,
        }
    }
}

impl FromStr for Net {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not a network: write 10.0.0.0/8 or 2001:db8::/32");
        let (addr, len) = match text.split_once('/') {
            Some((addr, len)) => (addr, Some(len)),
            None => (text, None),
        };
        let addr: IpAddr = addr.parse().map_err(|_| wrong())?;
        let most = if addr.is_ipv4() { 32 } else { 128 };
        let len = len.map_or(Ok(most), str::parse).map_err(|_| wrong())?;
        if len > most { Err(wrong()) } else { Ok(Self { addr, len }) }
    }
}

/// Where a packet goes, seen from the inside networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From outside to inside.
    Inbound,
    /// From inside to outside.
    Outbound,
    /// From inside to inside.
    Internal,
    /// From outside to outside.
    External,
}

impl Way {
    /// ECS's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
            Self::Internal => "internal",
            Self::External => "external",
        }
    }

    /// OCSF's `direction_id`; 0 is unknown.
    pub(super) const fn direction_id(self) -> u8 {
        match self {
            Self::Inbound => 1,
            Self::Outbound => 2,
            Self::Internal => 3,
            Self::External => 0,
        }
    }
}

impl Site {
    /// Where a packet goes; `None` if the inside networks are not known.
    pub fn way(&self, src: Option<IpAddr>, dst: Option<IpAddr>) -> Option<Way> {
        if self.internal.is_empty() {
            return None;
        }
        let inside = |addr| self.internal.iter().any(|net| net.contains(addr));
        Some(match (inside(src?), inside(dst?)) {
            (false, true) => Way::Inbound,
            (true, false) => Way::Outbound,
            (true, true) => Way::Internal,
            (false, false) => Way::External,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inside_networks_tell_the_way() {
        let internal = ["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"].map(|net| net.parse().unwrap());
        let site = Site { observer: "fw".into(), internal: internal.into() };
        let way = |src: &str, dst: &str| site.way(src.parse().ok(), dst.parse().ok());
        assert_eq!(way("10.255.0.1", "8.8.8.8"), Some(Way::Outbound));
        assert_eq!(way("8.8.8.8", "192.0.2.7"), Some(Way::Inbound));
        assert_eq!(way("8.8.8.8", "192.0.2.8"), Some(Way::External));
        assert_eq!(way("2001:db8:ffff::1", "2001:db8::1"), Some(Way::Internal));
        assert_eq!(way("", "8.8.8.8"), None);
        let nothing = Site { internal: Vec::new(), ..site };
        assert_eq!(nothing.way("10.0.0.1".parse().ok(), "10.0.0.2".parse().ok()), None);
    }

    #[test]
    fn a_wrong_network_is_told() {
        for text in ["10.0.0.0/33", "10/8", "::/129", "", "10.0.0.0/-1", "10.0.0.0/x"] {
            assert!(text.parse::<Net>().is_err(), "{text}");
        }
        let everything: Net = "0.0.0.0/0".parse().unwrap();
        assert!(everything.contains("255.1.2.3".parse().unwrap()));
        assert!(!everything.contains("::1".parse().unwrap()));
    }
}
