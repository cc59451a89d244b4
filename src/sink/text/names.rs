//! Names for numbers: ports from /etc/services, protocols from /etc/protocols, and on request
//! hosts from the system's resolver. With `-n` there are none.

use std::collections::HashMap;
use std::fs;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::packet::proto;
use crate::sink::text::Options;
use crate::text::{self, push_dec, push_escaped};

/// Hosts that are remembered at most.
const MAX_HOSTS: usize = 8192;

/// The names in use: read once, shared by all renderers.
#[derive(Debug, Default)]
pub struct Names {
    tcp: Table,
    udp: Table,
    protocols: Table,
    hosts: Option<Hosts>,
}

/// Names of numbers, sorted by number.
#[derive(Debug, Default)]
struct Table(Vec<(u16, Box<str>)>);

impl Table {
    /// Of names for one number the first in the file counts, as with `getservbyport`.
    fn new(mut names: Vec<(u16, Box<str>)>) -> Self {
        names.sort_by_key(|&(number, _)| number);
        names.dedup_by_key(|&mut (number, _)| number);
        Self(names)
    }

    fn get(&self, number: u16) -> Option<&str> {
        let at = self.0.binary_search_by_key(&number, |&(number, _)| number).ok()?;
        self.0.get(at).map(|(_, name)| &**name)
    }
}

/// Names of hosts, each looked up once. Behind a lock because all renderers share them: a
/// look-up may take seconds, and none is to be made twice.
#[derive(Debug, Default)]
struct Hosts(Mutex<HashMap<IpAddr, Option<Box<str>>>>);

impl Names {
    /// Reads /etc/services and /etc/protocols; a file that cannot be read has no names.
    /// `resolve` shows hosts by name.
    pub fn of_system(resolve: bool) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self::parse(&read("/etc/services"), &read("/etc/protocols"), resolve)
    }

    /// From the text of the two files.
    pub fn parse(services: &str, protocols: &str, resolve: bool) -> Self {
        let ports = |wanted: &str| {
            let entries = lines(services).filter_map(|(name, value)| {
                let (port, kind) = value.split_once('/')?;
                Some((port.parse().ok()?, name.into())).filter(|_| kind == wanted)
            });
            Table::new(entries.collect())
        };
        let numbers = lines(protocols)
            .filter_map(|(name, value)| Some((value.parse::<u8>().ok()?.into(), name.into())));
        Self {
            tcp: ports("tcp"),
            udp: ports("udp"),
            protocols: Table::new(numbers.collect()),
            hosts: resolve.then(Hosts::default),
        }
    }

    fn push_host(&self, out: &mut Vec<u8>, addr: IpAddr) {
        let Some(Hosts(hosts)) = &self.hosts else { return text::push_ip(out, addr) };
        // A panic elsewhere leaves the map whole: each entry is put in at once.
        let mut hosts = hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= MAX_HOSTS && !hosts.contains_key(&addr) {
            hosts.clear();
        }
        let name = hosts.entry(addr).or_insert_with(|| {
            let name = dns_lookup::lookup_addr(&addr).ok()?;
            // The resolver gives the address back where there is no name.
            name.parse::<IpAddr>().is_err().then(|| name.into())
        });
        match name {
            Some(name) => push_escaped(out, name.as_bytes()),
            None => text::push_ip(out, addr),
        }
    }
}

/// First and second word of each line that has them, comments left out.
fn lines(file: &str) -> impl Iterator<Item = (&str, &str)> {
    file.lines().filter_map(|line| {
        let mut words = line.split('#').next()?.split_ascii_whitespace();
        Some((words.next()?, words.next()?))
    })
}

/// Appends a port of this protocol, by name if it has one and names are wanted.
#[inline]
pub(super) fn push_port(out: &mut Vec<u8>, port: u16, transport: u8, options: &Options) {
    let name = options.names.as_ref().and_then(|names| match transport {
        proto::TCP => names.tcp.get(port),
        proto::UDP => names.udp.get(port),
        _ => None,
    });
    match name {
        Some(name) => push_escaped(out, name.as_bytes()),
        None => push_dec(out, port),
    }
}

/// Appends an address, by name if names of hosts are wanted.
#[inline]
pub(super) fn push_ip(out: &mut Vec<u8>, addr: IpAddr, options: &Options) {
    match &options.names {
        Some(names) => names.push_host(out, addr),
        None => text::push_ip(out, addr),
    }
}

/// Appends a protocol by name, or as `ip-proto-N`.
pub(super) fn push_protocol(out: &mut Vec<u8>, number: u8, options: &Options) {
    match options.names.as_ref().and_then(|names| names.protocols.get(number.into())) {
        Some(name) => push_escaped(out, name.as_bytes()),
        None => {
            out.extend_from_slice(b"ip-proto-");
            push_dec(out, number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn the_first_name_in_the_file_counts() {
        let names = Names::parse(
            "# comment\nssh 22/tcp # SSH\nalias 22/tcp\ndomain 53/tcp\ndomain 53/udp\nbad\nx y/tcp\n",
            "ip 0 IP\nvrrp 112 VRRP\nbig 300\n",
            false,
        );
        let options = Options { names: Some(Arc::new(names)), ..Options::default() };
        let text = |push: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            push(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(&|out| push_port(out, 22, proto::TCP, &options)), "ssh");
        assert_eq!(text(&|out| push_port(out, 22, proto::UDP, &options)), "22");
        assert_eq!(text(&|out| push_port(out, 53, proto::UDP, &options)), "domain");
        assert_eq!(text(&|out| push_protocol(out, 112, &options)), "vrrp");
        assert_eq!(text(&|out| push_protocol(out, 240, &options)), "ip-proto-240");
        assert_eq!(text(&|out| push_ip(out, [192, 0, 2, 1].into(), &options)), "192.0.2.1");
    }
}
