//! Addresses and networks, as pcap-filter writes them: `10.1` is 10.1.0.0/16.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::error::{Error, quoted};
use super::expr::Net;
use super::names::Names;
use super::value::Value;

/// True of a word that can only be an address or a network.
pub(super) fn is_address(word: &str) -> bool {
    let (address, masked) = match word.split_once('/') {
        Some((address, _)) => (address, true),
        None => (word, false),
    };
    let digits = !address.is_empty() && address.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    address.parse::<Ipv6Addr>().is_ok() || (digits && (masked || address.contains('.')))
}

impl Value<'_> {
    /// The addresses of a host, or what a part of an IPv4 address stands for.
    pub(super) fn host(&self, names: &dyn Names) -> Result<Vec<Net>, Error> {
        let word = self.word;
        if let Ok(address) = word.parse::<Ipv6Addr>() {
            return Ok(vec![Net::V6 { addr: address.into(), mask: u128::MAX }]);
        }
        match dotted(word) {
            Some((addr, bits @ 16..)) => return Ok(vec![v4(addr, bits)]),
            Some(_) => {
                let net = format!("net {word}");
                return Err(self
                    .error(format!("{} is not an address", quoted(word)))
                    .suggest(Some(net)));
            }
            None if word.contains('/') && is_address(word) => {
                let net = format!("net {word}");
                return Err(self.error("only 'net' takes a mask").suggest(Some(net)));
            }
            None if word.contains([':', '/']) || is_address(word) || self.is_number() => {
                return Err(self.error(format!("{} is not an address", quoted(word))));
            }
            None => {}
        }
        let unknown = |why: &str| {
            self.error(format!("the host name {} could not be resolved: {why}", quoted(word)))
        };
        let addresses = names.addresses(word).map_err(|error| unknown(&error.to_string()))?;
        if addresses.is_empty() {
            return Err(unknown("it has no address"));
        }
        let net = |address| match address {
            IpAddr::V4(a) => Net::V4 { addr: a.into(), mask: u32::MAX },
            IpAddr::V6(a) => Net::V6 { addr: a.into(), mask: u128::MAX },
        };
        Ok(addresses.into_iter().map(net).collect())
    }

    /// A network: with a length, with a mask, or as long as it is written.
    pub(super) fn net(&self, mask: Option<&Self>) -> Result<Net, Error> {
        let not_a_net = || self.error(format!("{} is not a network", quoted(self.word)));
        let (address, len) = match self.word.split_once('/') {
            Some((address, len)) => (address, Some(self.prefix_len(address.len() + 1, len)?)),
            None => (self.word, None),
        };
        if let Ok(addr) = address.parse::<Ipv6Addr>() {
            if let Some(mask) = mask {
                return Err(mask.error("an IPv6 network takes a length, not a mask"));
            }
            let len = len.map_or(Ok(128), |len| len.at_most(128))?;
            let mask = u128::MAX.checked_shl(128 - len).unwrap_or(0);
            let addr = u128::from(addr);
            let net = Net::V6 { addr: addr & mask, mask };
            return self.without_rest(addr & !mask == 0, net);
        }
        let (addr, bits) = dotted(address).ok_or_else(not_a_net)?;
        let mask = match (len, mask) {
            (Some(_), Some(mask)) => return Err(mask.error("there is a length already")),
            (Some(len), None) => u32::MAX.checked_shl(32 - len.at_most(32)?).unwrap_or(0),
            (None, Some(mask)) => match dotted(mask.word) {
                Some((mask, _)) => mask,
                None => return Err(mask.error(format!("{} is not a mask", quoted(mask.word)))),
            },
            // A single 0 is the address 0.0.0.0.
            (None, None) if addr == 0 && bits == 8 => u32::MAX,
            (None, None) => u32::MAX.checked_shl(32 - bits).unwrap_or(0),
        };
        self.without_rest(addr & !mask == 0, Net::V4 { addr: addr & mask, mask })
    }

    /// The net, unless the address had bits outside of the mask.
    fn without_rest(&self, clean: bool, net: Net) -> Result<Net, Error> {
        if clean {
            return Ok(net);
        }
        let meant = net.to_string().split_once(' ').map(|(_, net)| net.to_owned());
        Err(self
            .error(format!("{} has bits outside of its mask", quoted(self.word)))
            .suggest(meant))
    }

    fn prefix_len<'b>(&self, skip: usize, len: &'b str) -> Result<PrefixLen<'b>, Error> {
        let value = Value { word: len, at: self.at.start + skip..self.at.end };
        let decimal = !len.is_empty() && len.bytes().all(|b| b.is_ascii_digit());
        match len.parse() {
            Ok(bits) if decimal => Ok(PrefixLen { value, bits }),
            _ => Err(value.error(format!("{} is not a length in bits", quoted(len)))),
        }
    }
}

struct PrefixLen<'a> {
    value: Value<'a>,
    bits: u32,
}

impl PrefixLen<'_> {
    fn at_most(&self, max: u32) -> Result<u32, Error> {
        if self.bits <= max {
            return Ok(self.bits);
        }
        Err(self.value.error(format!("'{}' is more than {max} bits", self.bits)))
    }
}

const fn v4(addr: u32, bits: u32) -> Net {
    let mask = if bits == 0 { 0 } else { u32::MAX << (32 - bits) };
    Net::V4 { addr, mask }
}

/// One to four decimal octets: the address they start, and their bits.
fn dotted(word: &str) -> Option<(u32, u32)> {
    let (mut octets, mut count) = ([0; 4], 0);
    for part in word.split('.') {
        let clean =
            part.bytes().all(|b| b.is_ascii_digit()) && !(part.len() > 1 && part.starts_with('0'));
        *octets.get_mut(count)? = part.parse().ok().filter(|_| clean)?;
        count += 1;
    }
    Some((Ipv4Addr::from(octets).into(), u32::try_from(count).ok()? * 8))
}
