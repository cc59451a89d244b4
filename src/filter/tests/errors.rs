//! What the user of a wrong expression sees.

use super::{Filter, Known};

fn shown(expression: &str) -> String {
    match Filter::parse_with(expression, &Known) {
        Ok(filter) => panic!("{expression} is {filter}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn dump() {
    for e in [
        "ifnme em0 and port 22",
        "tcp udp",
        "port 70000",
        "port http",
        "udp port ssh",
        "host 10.0.0.300",
        "host nowhere.example",
        "net 10.0.0.1/8",
        "host 10.0.0.0/8",
        "net 10/33",
        "net ::/129",
        "ip host 2001:db8::1",
        "tcp and (port 22 or port 53",
        "tcp)",
        "port",
        "tcp and",
        "and tcp",
        "()",
        "label web",
        "state 1",
        "tcp[tcpflags] & tcp-syn != 0",
        "tcp[13]",
        "len < 100",
        "on averylonginterface",
        "reason shrt",
        "action blokc",
        "block",
        "22",
        "rnr 4294967296",
        "rnr five",
        "rnr 08",
        "spi 0xg",
        "tcp & udp",
        "\"on em0\"",
        "src proto 6",
        "tcp proto 6",
        "icmp port 22",
        "arp host 10.0.0.1",
        "host port 22",
        "port 22 or ifnme em0",
        "port 22 or label x",
        "dir up",
        "proto tpc",
        "10.0.0.1 mask 255.0.0.0",
        "net ::1 mask 255.0.0.0",
        "mask",
        "ether host 1",
        "\\",
        "host 10",
        "portrange 1-x",
        "src",
        "ip6 host four",
        "host none",
        "pid 4294967295",
        "Tcp",
        "vlan 5",
        "protochain 6",
        "port (22 tcp)",
        "not",
    ] {
        println!(
            "----\n{}",
            Filter::parse_with(e, &Known)
                .map_or_else(|e| e.to_string(), |f| format!("OK! {e} -> {f}"))
        );
    }
}
