//! `-sa ipsec`: the IPsec SAs, two a CHILD_SA: outbound, then inbound.

use std::net::IpAddr;

use super::algorithm;
use super::answers::{Answers, Configuration, child_name};
use super::field::Field;
use super::form::{Block, Form, Line, entry, group, line, more, row};
use crate::vici::views::{ChildSa, IkeSa};

const SEQUENCE: &str = "a running number: the kernel's is not told over VICI";
const NO_USE: &str = "only the time since the last packet is told, not since the first (-v)";
const NO_HARD_BYTES: &str = "the configured life_bytes is not told over VICI";
const NO_USE_LIMIT: &str = "strongSwan sets no limit that runs from the first use";
const HARD: &str = "install-time + life-time";
const SOFT: &str = "install-time + rekey-time";
const SOFT_BYTES: &str = "configured (list-conns: rekey_bytes), less the SA's own random margin";
const UNCONFIGURED: &str = "the child is not in the daemon's configuration";
const UNLIMITED: &str = "the SA has no such limit, or it is not told";
const NOT_TOLD: &str = "not told";

/// The limits, or the count, of an SA.
#[derive(Debug, Clone)]
pub struct Lifetime {
    /// Bytes.
    pub bytes: Field,
    /// Seconds since it was made.
    pub addtime: Field,
    /// Seconds since it was first used.
    pub usetime: Field,
}

/// An SA of one direction.
#[derive(Debug, Clone)]
pub struct Row {
    /// What it is of.
    pub id: Vec<u8>,
    /// Running number.
    pub number: Field,
    /// SPI.
    pub spi: Field,
    /// MATURE, LARVAL or DEAD.
    pub state: Field,
    /// Protocol and algorithms, in words.
    pub kind: Field,
    /// Sender of its packets.
    pub src: Field,
    /// Their receiver.
    pub dst: Field,
    /// So far.
    pub current: Lifetime,
    /// When it ends.
    pub hard: Lifetime,
    /// When it is rekeyed.
    pub soft: Lifetime,
    /// What ipsec_report(1M) has not.
    pub more: Vec<Line>,
}

impl Block for Row {
    fn form(self) -> Form {
        let lifetime = |heading, key, of: Lifetime| {
            let lines = vec![
                line("bytes processed", "bytes", of.bytes),
                line("addtime (seconds)", "addtime_s", of.addtime),
                line("usetime (seconds)", "usetime_s", of.usetime),
            ];
            group(heading, key, lines)
        };
        let mut lines = vec![
            line("Sequence number", "number", self.number),
            row([entry("SPI (hex)", "spi", self.spi), entry("State", "state", self.state)]),
            line("SA Type", "sa_type", self.kind),
            row([entry("Src IP Addr", "src", self.src), entry("Dst IP Addr", "dst", self.dst)]),
            lifetime("--- Current Lifetimes ---", "current", self.current),
            lifetime("--- Hard Lifetimes ---", "hard", self.hard),
            lifetime("--- Soft Lifetimes ---", "soft", self.soft),
        ];
        lines.extend(self.more);
        let title = "------------------------ IPsec SA ------------------------";
        Form { kind: "ipsec_sa", title: title.into(), id: self.id, lines }
    }
}

/// The SAs of a daemon.
pub fn rows<'a>(
    answers: &'a Answers,
    configuration: &'a Configuration<'a>,
) -> impl Iterator<Item = Row> + 'a {
    let pairs = answers.children().filter(|(_, child)| is_sa(child));
    let sas = pairs.flat_map(|(ike, child)| [(ike, child, false), (ike, child, true)]);
    (1_u32..)
        .zip(sas)
        .map(|(number, (ike, child, inward))| Row::of(number, &ike, &child, inward, configuration))
}

/// False of a trap's.
pub(super) fn is_sa(child: &ChildSa<'_>) -> bool {
    child.state() != Some(b"ROUTED") && (child.spi_in().is_some() || child.spi_out().is_some())
}

impl Row {
    fn of<'a>(
        number: u32,
        ike: &IkeSa<'a>,
        child: &ChildSa<'a>,
        inward: bool,
        configuration: &Configuration<'a>,
    ) -> Self {
        let name = child_name(child);
        let conf = configuration.child(ike.name, name);
        let (from, to) = hosts(ike, inward);
        let spi = if inward { child.spi_in() } else { child.spi_out() };
        let bytes = if inward { child.bytes_in() } else { child.bytes_out() };
        let age = child.install_time().and_then(|age| i64::try_from(age).ok());
        let until = |left: Option<i64>| Some(age?.saturating_add(left?));
        let dir = if inward { b" in ".as_slice() } else { b" out " };
        let hex = spi.map(|spi| format!("{spi:08x}")).unwrap_or_default();
        let soft_bytes = conf.and_then(|conf| conf.rekey_bytes());
        Self {
            id: [ike.name, b"/", name, dir, hex.as_bytes()].concat(),
            number: Field::derived(number, SEQUENCE),
            spi: Field::told(spi.map(super::field::Value::Spi), NOT_TOLD),
            state: Field::told(child.state().map(state), NOT_TOLD),
            kind: Field::told(child.protocol().map(|_| kind(child)), NOT_TOLD),
            src: Field::told(from, NOT_TOLD),
            dst: Field::told(to, NOT_TOLD),
            current: Lifetime {
                bytes: Field::told(bytes, NOT_TOLD),
                addtime: Field::told(age, NOT_TOLD),
                usetime: Field::Missing(NO_USE),
            },
            hard: Lifetime {
                bytes: Field::Missing(NO_HARD_BYTES),
                addtime: Field::concluded(until(child.life_time()), HARD, UNLIMITED),
                usetime: Field::derived(0_u32, NO_USE_LIMIT),
            },
            soft: Lifetime {
                bytes: Field::concluded(soft_bytes, SOFT_BYTES, UNCONFIGURED),
                addtime: Field::concluded(until(child.rekey_time()), SOFT, UNLIMITED),
                usetime: Field::derived(0_u32, NO_USE_LIMIT),
            },
            more: further(ike, child, inward),
        }
    }
}

/// Sender and receiver of an SA's packets.
pub(super) fn hosts(ike: &IkeSa<'_>, inward: bool) -> (Option<IpAddr>, Option<IpAddr>) {
    let (local, remote) = (ike.local_host(), ike.remote_host());
    if inward { (remote, local) } else { (local, remote) }
}

/// HP's word.
fn state(word: &[u8]) -> Vec<u8> {
    match word {
        b"INSTALLED" | b"UPDATING" | b"REKEYING" | b"REKEYED" => b"MATURE".to_vec(),
        b"CREATED" | b"INSTALLING" | b"RETRYING" => b"LARVAL".to_vec(),
        b"DELETING" | b"DELETED" | b"DESTROYING" => b"DEAD".to_vec(),
        word => word.to_vec(),
    }
}

/// The cipher, as a report names it.
pub(super) fn cipher(child: &ChildSa<'_>) -> Option<String> {
    child.encr_alg().map(|name| algorithm::cipher(name, child.encr_keysize()))
}

/// The integrity algorithm.
pub(super) fn integrity(child: &ChildSa<'_>) -> Option<String> {
    child.integ_alg().map(algorithm::integrity)
}

fn kind(child: &ChildSa<'_>) -> String {
    let protocol = String::from_utf8_lossy(child.protocol().unwrap_or_default()).into_owned();
    let kind = match (cipher(child), integrity(child)) {
        (Some(cipher), Some(integrity)) => {
            format!("{protocol} with {cipher} encryption and {integrity} authentication")
        }
        (Some(cipher), None) => {
            format!("{protocol} with {cipher} encryption and authentication (AEAD)")
        }
        (None, Some(integrity)) => format!("{protocol} with {integrity} authentication"),
        (None, None) => protocol,
    };
    if child.encap() { kind + ", in UDP" } else { kind }
}

fn further(ike: &IkeSa<'_>, child: &ChildSa<'_>, inward: bool) -> Vec<Line> {
    let (packets, used) = if inward {
        (child.packets_in(), child.use_in())
    } else {
        (child.packets_out(), child.use_out())
    };
    let suite = (child.encr_alg(), child.encr_keysize(), child.integ_alg());
    vec![
        more("Direction", "dir", Field::known(if inward { "in" } else { "out" })),
        more("Policy Name", "ike", Field::known(ike.name)),
        more("Rule Name", "child", Field::known(child_name(child))),
        more("Number", "uniqueid", Field::maybe(child.uniqueid())),
        more("Cookie", "reqid", Field::maybe(child.reqid())),
        more("Mode", "mode", Field::maybe(child.mode())),
        more("State in strongSwan", "daemon_state", Field::maybe(child.state())),
        more("Protocol", "protocol", Field::maybe(child.protocol())),
        more("Encryption Algorithm", "encr_alg", Field::maybe(suite.0)),
        more("Key (bits)", "encr_keysize", Field::maybe(suite.1.map(u32::from))),
        more("Authentication Algorithm", "integ_alg", Field::maybe(suite.2)),
        more("Key exchange", "ke", Field::maybe(child.dh_group())),
        more("In UDP", "encap", Field::known(child.encap())),
        more("packets processed", "packets", Field::maybe(packets)),
        more("last used (seconds)", "last_used_s", Field::maybe(used)),
        more("Rekeying in (seconds)", "rekey_s", Field::maybe(child.rekey_time())),
        more("End in (seconds)", "life_s", Field::maybe(child.life_time())),
    ]
}
