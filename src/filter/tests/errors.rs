//! What the user of a wrong expression sees.

use super::{Filter, Known};

/// The whole of what is shown, of which the first line is the expression. At the left margin,
/// so that the carets stand where they are shown.
#[rustfmt::skip]
const SHOWN: &[&str] = &[
r"  ifnme em0 and port 22
  ^^^^^
'ifnme' is not a word of the filter language
did you mean 'ifname'?",
r"  tcp udp
      ^^^
expected 'and' or 'or' before 'udp'",
r"  port 70000
       ^^^^^
'70000' is more than 65535",
r"  udp port ssh
           ^^^
'ssh' is a service of tcp, not of udp",
r"  host 10.0.0.300
       ^^^^^^^^^^
'10.0.0.300' is not an address",
r"  host nowhere.example
       ^^^^^^^^^^^^^^^
the host name 'nowhere.example' could not be resolved: no such name",
r"  net 10.0.0.1/8
      ^^^^^^^^^^
'10.0.0.1/8' has bits outside of its mask
did you mean '10.0.0.0/8'?",
r"  host 10.0.0.0/8
       ^^^^^^^^^^
only 'net' takes a mask
did you mean 'net 10.0.0.0/8'?",
r"  net 10/33
         ^^
'33' is more than 32 bits",
r"  ip host 2001:db8::1
          ^^^^^^^^^^^
'2001:db8::1' has no IPv4 address",
r"  tcp and (port 22 or port 53
          ^
a '(' without its ')'",
r"  tcp)
     ^
a ')' without its '('",
r"  port
      ^
expected a value for 'port' at the end",
r"  tcp and
         ^
expected an expression at the end",
r"  ()
   ^
expected an expression before ')'",
r"  tunnel web
  ^^^^^^
'tunnel' needs the tunnels of an IKE daemon: not in this version",
r"  tcp[tcpflags] & tcp-syn != 0
  ^^^^^^^^^^^^^
expressions over bytes are not read: select by field with --format json, or read what 'tcpdump -w -' lets pass",
r"  len < 100
      ^
comparisons are not read: 'less N' and 'greater N' compare the frame's length",
r"  on averylonginterface
     ^^^^^^^^^^^^^^^^^^
pf logs 15 bytes of the name of an interface
did you mean 'averylonginterf*'?",
r"  reason shrt
         ^^^^
'shrt' is not the name of any reason of pf
did you mean 'short'?",
r"  block
  ^^^^^
'block' is not a word of the filter language
did you mean 'action block'?",
r"  22
  ^^
'22' is not a word of the filter language
did you mean 'port 22'?",
r"  rnr 4294967296
      ^^^^^^^^^^
'4294967296' is more than 4294967295",
r"  rnr 08
      ^^
'08' starts with 0 and is not octal",
r"  tcp & udp
      ^
a single '&' is not an operator
did you mean '&&'?",
r"  on em0 or em1
            ^^^
'em1' is not a word of the filter language
did you mean 'ifname em1'?",
r"  on em0 and tpc
             ^^^
'tpc' is not a word of the filter language
did you mean 'tcp'?",
r"  host 10.0.0.1 or 22
                   ^^
'22' is not an address
did you mean 'port 22'?",
r"  tcp proto 6
  ^^^
only 'ip' and 'ip6' go before 'proto'",
r"  icmp port 22
  ^^^^
this protocol has no ports",
r"  host port 22
       ^^^^
'port' is a keyword: write a value, or '\port' for the name",
r"  port 22 or ifnme em0
             ^^^^^
the service 'ifnme' is not in /etc/services
did you mean 'ifname'?",
r"  port 22 or tunnel x
             ^^^^^^
'tunnel' needs the tunnels of an IKE daemon: not in this version",
r"  tcp and sync isn
               ^^^
'isn' is not the name of any action of pfsync
did you mean 'ins'?",
r"  upd_c or del_c
  ^^^^^
'upd_c' is not a word of the filter language
did you mean 'sync upd_c'?",
r"  creator 0x796ed1bg
          ^^^^^^^^^^
a creator is a hexadecimal number, '0x796ed1bg' is not",
r"  creator 6500000000000001
          ^^^^^^^^^^^^^^^^
a creator has 8 hexadecimal digits at most
did you mean 'state 6500000000000001'?",
r"  sync ins and state 796ed1b8
                     ^^^^^^^^
a state's ID has 16 hexadecimal digits
did you mean 'creator 796ed1b8'?",
r"  creatr 796ed1b8
  ^^^^^^
'creatr' is not a word of the filter language
did you mean 'creator'?",
r"  net ::1 mask 255.0.0.0
               ^^^^^^^^^
an IPv6 network takes a length, not a mask",
r"  portrange 1-x
              ^
the service 'x' is not in /etc/services",
];

#[test]
fn errors_point_at_the_word_and_say_what_was_meant() {
    for shown in SHOWN {
        let expression = shown.lines().next().unwrap_or_default().trim_start();
        match Filter::parse_with(expression, &Known) {
            Ok(filter) => panic!("{expression} was read as {filter}"),
            Err(error) => assert_eq!(error.to_string(), *shown),
        }
    }
}

#[test]
fn words_of_pcap_filter_that_are_not_read_are_known_as_such() {
    for (expression, message) in [
        ("tunnel", "expected a value for 'tunnel' at the end"),
        ("sync 256", "'256' is more than 255"),
        ("sync eof", "'eof' is not the name of any action of pfsync"),
        ("creator 0x", "a creator is a hexadecimal number, '0x' is not"),
        ("creator -1", "a creator is a hexadecimal number, '-1' is not"),
        ("state any", "a state's ID is a hexadecimal number, 'any' is not"),
        ("state 00000000000000001", "a state's ID has 16 hexadecimal digits"),
        ("state 0", "a state's ID has 16 hexadecimal digits"),
        ("creator", "expected a value for 'creator' at the end"),
        ("vlan 5", "'vlan' is not read: it has no meaning for pf's log"),
        ("len", "'len' is not read: write 'less N' or 'greater N' for the frame's length"),
        ("tcp or ether host 1", "'ether' is not read: link headers are not compared"),
        ("on em0 and tpc", "'tpc' is not a word of the filter language"),
        ("host a", "the host name 'a' could not be resolved: no such name"),
        ("net a", "'a' is not a network"),
        ("proto x", "the protocol 'x' is not known: write its number"),
        ("pid 4294967295", "'4294967295' is more than 2147483647"),
        ("src proto 6", "a protocol has no source and no destination"),
        ("arp host 10.0.0.1", "only IP's addresses, ports and protocols are read"),
        ("\\host", "'host' is not a word of the filter language"),
        ("on \"em0\"", "a quotation mark ('\"') is not part of any name"),
    ] {
        let error = Filter::parse_with(expression, &Known).unwrap_err();
        assert_eq!(error.message, message, "{expression}");
    }
}
