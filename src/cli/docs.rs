//! What the program prints about itself: schema, manual page, completions.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::args::{Cli, EXAMPLES, SchemaOf};
use super::{Error, Status};
use crate::ipsec::report;
use crate::sink::{ecs, json, ocsf};

/// The filter language: what can stand in an expression, and when it is true.
const PRIMITIVES: &[(&str, &str)] = &[
    (
        "[src|dst] host ADDRESS",
        "the packet's source or destination (either, if not said) is this address or host",
    ),
    (
        "[src|dst] net NETWORK[/LENGTH]",
        "it lies in this network; also 'net 10', 'net 10.0.0.0 mask 255.0.0.0'",
    ),
    ("ADDRESS, ADDRESS/LENGTH", "the same without 'host' or 'net'"),
    ("[src|dst] port PORT", "the TCP, UDP or SCTP port, a number or a name of /etc/services"),
    ("[src|dst] portrange FIRST-LAST", "the port is one of these"),
    (
        "tcp, udp, sctp, ip, ip6 before these",
        "and the packet is of that protocol: 'udp port 53', 'ip6 host ::1'",
    ),
    ("ip, ip6", "the packet's version; also in logs of systems with other numbers for IPv6"),
    (
        "tcp, udp, icmp, icmp6, igmp, sctp, esp, ah, gre, carp, vrrp, pim, pfsync, arp",
        "the packet's protocol; pfsync: also what a pfsync device shows without an IP header",
    ),
    (
        "proto PROTOCOL, ip proto PROTOCOL, ip6 proto PROTOCOL",
        "the protocol behind IP, its extension headers and AH: a number or a name",
    ),
    ("less BYTES, greater BYTES", "the frame had at most, at least so many bytes"),
    (
        "on INTERFACE, ifname INTERFACE",
        "pf's interface, or a state's, exactly; * and ? are wildcards: 'on em*'",
    ),
    (
        "action ACTION",
        "pf's action: pass (accept), block (drop), match, nat, rdr, ..., or a number",
    ),
    ("reason REASON", "pf's reason: match, short, state-mismatch, ..., or a number"),
    ("rnr NUMBER, rulenum NUMBER", "the rule, or a state's; def is the default rule"),
    ("srnr NUMBER, subrulenum NUMBER", "the rule in the anchor; none: outside of anchors"),
    ("rset ANCHOR, ruleset ANCHOR", "the anchor, exactly; * and ? are wildcards"),
    ("inbound, outbound, dir in|out|fwd", "the direction in pf's header, or a state's"),
    ("rid NUMBER", "FreeBSD's rule tracker (ridentifier)"),
    (
        "label NAME",
        "a label of the rule in the ruleset that --rules names, exactly; * and ? are wildcards",
    ),
    ("uid NUMBER, pid NUMBER", "owner of the local socket (rules with 'log (user)')"),
    ("ruleuid NUMBER, rulepid NUMBER", "who loaded the rule"),
    ("spi NUMBER", "the SPI of ESP, of AH, of ESP in UDP, of enc(4), or of a pfsync message (tdb)"),
    (
        "sync ACTION",
        "a pfsync message of this action: ins, upd, upd_c, del, del_c, clr, ins_ack, upd_req, bus, \
         tdb, oins, oupd, otdb, ins_f, del_f, or the number that the packet's version has for it",
    ),
    ("creator ID", "a pfsync message that names this creator: up to 8 hexadecimal digits"),
    ("state ID", "a pfsync message that names this state: 16 hexadecimal digits"),
    (
        "tunnel NAME",
        "the packet's IKE_SA or CHILD_SA has this name, exactly; * and ? are wildcards; needs \
         --vici or --sas",
    ),
    ("truncated", "less was captured than the frame had"),
    ("suspect", "logged as pass, with a reason that means a drop"),
    ("rewritten", "pf has marked the packet as translated"),
    ("undecoded", "the frame could not be read"),
];

/// What holds for all of them.
const FILTER: &str = "\
A filter is an expression of pcap-filter(7), read by pfscope itself: it works on every format \
and on every system's files alike. Primitives are joined by 'and' (&&), 'or' (||), which bind \
alike, from the left, and 'not' (!), which binds most; parentheses group. A value without a word \
before it takes the last one: 'port 22 or 53'. Numbers are decimal, 0x hex or 0 octal. 'host', \
'net' and 'port' look at the packet, not at pf's translated addresses nor at what an ICMP error \
quotes; a fragment but the first has no ports. A word of pf is false for a frame without a pf \
header. Each message of a pfsync packet is asked by itself, with the packet that carries it: \
'host', 'net', 'port' (of both keys), the protocols, 'ip' and 'ip6' are true if they are so of the \
packet or of the message's state, and the whole filter must be true of one message. JSON and \
--fields show only the messages it is true of, text shows the whole packet.";

/// Where a line differs from tcpdump's on purpose.
const TEXT: &str = "\
A line is that of 'tcpdump -n -e' (4.99) byte for byte, for a whole packet, but: the default rule \
is 'def'; actions, reasons and the header's layout are those of the system that wrote the file; \
an ambiguous number shows its candidates, 13(divert|afrt|nat64); a pass whose reason is not match \
is marked [suspect: dropped]; application protocols are not taken apart; a cut packet shows all \
that is there. -v adds who loaded the rule, who owns the local socket, FreeBSD's ridentifier, and \
OpenBSD's addresses on the other side of a translation as [rewritten: src ..., dst ...]: until \
OpenBSD 6.8 these are the addresses before the translation and the packet has those after it, \
since 6.9 it is the reverse.";

/// What of the formats for a SIEM a reader has to know.
const SIEM: &str = "\
--format ecs is the Elastic Common Schema 9.4 (8.11 with --ecs-version), --format ocsf the Open \
Cybersecurity Schema Framework 1.8: a packet or state is Network Activity (4001), counters of an \
IPsec SA are Tunnel Activity (4014), a frame that could not be decoded is a Base Event. One line is \
one packet or pfsync message; what the schema has no field for stands under pf (unmapped.pf); \
'pfscope schema ecs' and 'pfscope schema ocsf' describe the lines. event.id (metadata.uid) is made \
from the observer's name and the record's offset, time and bytes: the same log, renamed, rotated or \
packed, gives the same ids, so that a store that is keyed by them has no duplicate. Name the \
firewall with --observer where its logs are read on several machines. --internal-net tells inbound \
from outbound: pf's in and out are sides of an interface. --format filterlog is the line that \
pfSense's filterlog gives to syslog, or with --flavour opnsense OPNsense's; frames without a pf \
header have none.";

/// What of pfsync a reader has to know.
const PFSYNC: &str = "\
A pfsync packet is a line, its kinds of message a line each (act), and every message a line: a state \
as 'pfctl -ss' writes it, the near end first, the address on the other side of a translation in \
brackets; -v adds windows, age, end and counters, -vv identifiers and options. In JSON every message \
is an object; 'wire' and 'stack' are the ends as on the wire and as the firewall sees them, 'src' \
being who sent the first packet. With several -r, of which one is of a pfsync device, or in a \
capture of both, a logged packet has the state it belongs to (text: state ID/CREATOR, JSON: state), \
as told up to two seconds later, and the addresses on the state's other side (nat), where pf's own \
header has none. --pfsync-peers names the firewalls: packets of others, with a TTL other than 255, to \
another group or to one host, and states of a creator that no firewall has shown as its own, are \
followed by a notice of kind spoof.";

/// How rules get their names.
const RULES: &str = "\
--rules FILE names the rule of each logged packet: behind the interface in brackets (-e), or at the \
line's end; with -v its text too; in JSON as rule. FILE is what \"pfctl -vvsr -a '*'\" printed; of \
'pfctl -sr' the rules are counted, of a file in pf.conf's form (rules.debug) they are found by their \
ridentifier only, as macros, lists and pfctl's optimizer change numbers: both are never more than \
stale. A rule is not named (implausible) if it contradicts the packet: in action, interface, \
direction, family, protocol, ports (by number) or ridentifier, or as it does not log. Packets of a \
state ('log (all)') may go the other way. exact: user and process that loaded the rule are the same in \
the packet's header and in the file; or one of them does not tell, and the file was kept before the \
packet was logged and the next file of DIR has the same rule. All else is stale. A file was kept at \
the time in its name (2026-11-21T12:00:00Z, 20261121-1200, seconds since 1970; local time without Z), \
or when it was last written. Who writes DIR by cron has the right rules years later: \
pfctl -vvsr -a '*' > /var/db/rules/$(date -u +%Y%m%dT%H%M%SZ).";
/// What of tunnels a reader has to know.
const IPSEC: &str = "\
--vici and --sas give each packet its tunnel (text: ike NAME child NAME[NUMBER], JSON: ipsec): ESP and \
AH by SPI and one of the addresses, IKE by its SPIs, what is in the clear by the traffic selectors. An \
SA counts from a second before the daemon tells of it until 10 seconds after its end. Packets of a \
device that name an SA nobody knows wait for the daemon a second at most, files never. A daemon that \
does not answer is told of once and tried again.";
/// What of reports a reader has to know.
const REPORTS: &str = "\
pfscope ipsec report prints the reports of HP-UX's ipsec_report(1M) for strongSwan, in its layout and \
words; options may be written as there (-sa ike) or with two dashes. A value followed by (derived) is \
computed or concluded from something else, n/a has no source: --explain tells how, and why. -v adds what \
ipsec_report does not have. -cache is a match of pf's flows with SAs and policies: the kernel's own cache \
is not told. Without --vici the usual socket is asked; --sas JOURNAL [--at TIME] reads what ipsec record \
has kept. -audit without a file reads the journal of --sas, else /var/log/sas.ndjson. -file is written \
whole or not at all. --diff OLD.json tells what has changed since a report of --format json. The exit \
status is 0, otherwise 1.";
/// What of several and of growing files a reader has to know.
const FILES: &str = "\
--follow reads a file from its start and goes on as it grows, until SIGINT or SIGTERM. A file that \
is renamed is read to its end, until the new one of its name is written to and the old one has been \
quiet for a second; frame numbers go on. Files that were rotated in between, or with --from-start \
before, are found by their names: FILE.0, the newest of newsyslog, or FILE.1 of logrotate, up to \
FILE.N, with .gz, .zst, .bz2 or without; names with a date are not known. Half a record is waited \
for; at the end of a renamed file it is a fault. A file that becomes shorter, or other bytes from its \
start, is read again, after what a copy beside it (copytruncate) has more. A compressed file does not \
grow. --merge gives the earliest of the next records of all files first, and of equal ones that of \
the file named first; a file whose own records are not in order keeps its order. With --follow a file \
that has nothing new holds up the others for half a second, without --merge not at all. In JSON file \
and frame are those of the record's own file. A logged packet has its state as told before it, and in \
files that are merged but not followed up to two seconds later.";

pub(super) fn schema(format: SchemaOf, out: &mut dyn Write) -> Result<Status, Error> {
    match format {
        SchemaOf::Json => out.write_all(json::SCHEMA.as_bytes())?,
        SchemaOf::Ecs => out.write_all(ecs::SCHEMA.as_bytes())?,
        SchemaOf::Ocsf => out.write_all(ocsf::SCHEMA.as_bytes())?,
        SchemaOf::Report => out.write_all(report::json::SCHEMA.as_bytes())?,
    }
    Ok(Status::Done)
}

pub(super) fn man(out: &mut dyn Write) -> Result<Status, Error> {
    let mut page = Vec::new();
    render(&mut page)?;
    out.write_all(&page)?;
    Ok(Status::Done)
}

fn render(page: &mut Vec<u8>) -> io::Result<()> {
    let command = Cli::command();
    let man = Man::new(command.clone());
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    man.render_options_section(page)?;
    let mut more = Roff::new();
    more.control("SH", ["COMMANDS"]);
    for mut command in command.get_subcommands().cloned() {
        more.control("SS", [command.get_name()]);
        more.text([roman(command.render_long_help().to_string())]);
    }
    more.control("SH", ["FILTER"]);
    more.text([roman(FILTER)]);
    for &(primitive, meaning) in PRIMITIVES {
        more.control("TP", []).text([bold(primitive)]).text([roman(meaning)]);
    }
    more.control("SH", ["OUTPUT"]);
    more.text([roman(TEXT)]);
    more.control("SH", ["PFSYNC"]);
    more.text([roman(PFSYNC)]);
    more.control("SH", ["SIEM"]);
    more.text([roman(SIEM)]);
    more.control("SH", ["RULES"]);
    more.text([roman(RULES)]);
    more.control("SH", ["IPSEC"]);
    more.text([roman(IPSEC)]);
    more.control("SH", ["IPSEC REPORTS"]);
    more.text([roman(REPORTS)]);
    more.control("SH", ["SEVERAL AND GROWING FILES"]);
    more.text([roman(FILES)]);
    more.control("SH", ["EXAMPLES AND EXIT STATUS"]);
    more.control("nf", []);
    more.text([roman(EXAMPLES)]);
    more.control("fi", []);
    more.to_writer(page)?;
    man.render_version_section(page)
}

pub(super) fn completions(shell: Shell, out: &mut dyn Write) -> Result<Status, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pfscope", &mut script);
    out.write_all(&script)?;
    Ok(Status::Done)
}
