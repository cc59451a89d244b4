//! `-sa ike`: the IKE_SAs.

use super::algorithm;
use super::answers::{Answers, Configuration};
use super::field::Field;
use super::form::{Block, Entry, Form, Line, line, more, row};
use crate::text::escaped;
use crate::vici::views::IkeSa;

const HALF_OPEN: &str = "not yet negotiated";
const AUTH: &str = "configured for the connection (list-conns: local, class); the SA does not tell";
const NO_AUTH: &str = "the connection is not in the daemon's configuration";
const PFS: &str = "a CHILD_SA of it was made with a key exchange of its own";
const NO_PFS: &str = "no CHILD_SA shows it: the first one is made without a key exchange of its own, \
                      with PFS or without";
const RECORD: &str = "strongSwan has no such record: the identities of both ends";
const AEAD: &str = "the cipher authenticates too (AEAD)";

/// An IKE_SA.
#[derive(Debug, Clone)]
pub struct Row {
    /// What it is of.
    pub id: Vec<u8>,
    /// IKE's version.
    pub version: u8,
    /// Both SPIs.
    pub index: Field,
    /// Address and port.
    pub local: Field,
    /// Address and port.
    pub remote: Field,
    /// Initiator or Responder.
    pub role: Field,
    /// Established, or the daemon's word.
    pub state: Field,
    /// Authentication record.
    pub auth_record: Field,
    /// Name of the connection.
    pub policy: Field,
    /// Authentication method.
    pub auth_method: Field,
    /// Cipher.
    pub encr: Field,
    /// Integrity algorithm.
    pub hash: Field,
    /// Pseudo random function.
    pub prf: Field,
    /// Key exchange method.
    pub dh_group: Field,
    /// Perfect forward secrecy.
    pub pfs: Field,
    /// What ipsec_report(1M) has not.
    pub more: Vec<Line>,
}

impl Block for Row {
    fn form(self) -> Form {
        let title = format!(
            "------------------------ IKEv{} SA ----------------------------",
            self.version
        );
        let mut lines = vec![
            more("IKE version", "version", Field::known(u32::from(self.version))),
            line("Index", "index", self.index),
            line("Local IP Addr", "local", self.local),
            line("Remote IP Addr", "remote", self.remote),
            row([entry("Role", "role", self.role), entry("State", "state", self.state)]),
            line("Auth Record", "auth_record", self.auth_record),
            line("Policy Name", "policy", self.policy),
            line("Auth Method", "auth_method", self.auth_method),
            line("ENCR", "encr", self.encr),
            line("HASH", "hash", self.hash),
            line("PRF", "prf", self.prf),
            line("DH Group", "dh_group", self.dh_group),
            line("PFS", "pfs", self.pfs),
        ];
        lines.extend(self.more);
        Form { kind: "ike_sa", title: title.into(), id: self.id, lines }
    }
}

fn entry(label: &'static str, key: &'static str, field: Field) -> Entry {
    super::form::entry(label, key, field)
}

/// The IKE_SAs of a daemon.
pub fn rows<'a>(
    answers: &'a Answers,
    configuration: &'a Configuration<'a>,
) -> impl Iterator<Item = Row> + 'a {
    answers.ikes().map(|ike| Row::of(&ike, configuration))
}

/// What tells an IKE_SA from others: its connection and its initiator's SPI.
pub(super) fn id(ike: &IkeSa<'_>) -> Vec<u8> {
    let spi = ike.initiator_spi().unwrap_or(0);
    [ike.name, format!(" {spi:016x}").as_bytes()].concat()
}

impl Row {
    fn of<'a>(ike: &IkeSa<'a>, configuration: &Configuration<'a>) -> Self {
        let host = |host: Option<std::net::IpAddr>, port: Option<u16>| {
            let port = port.map(|port| format!("/{port}")).unwrap_or_default();
            Field::told(host.map(|host| format!("{host}{port}")), "not told")
        };
        let index = ike.initiator_spi().zip(ike.responder_spi());
        let encr = ike.encr_alg().map(|name| algorithm::ike_cipher(name, ike.encr_keysize()));
        let hash = match (ike.integ_alg(), ike.encr_alg()) {
            (None, Some(_)) => Field::derived("(AEAD)", AEAD),
            (name, _) => Field::told(name.map(algorithm::integrity), HALF_OPEN),
        };
        let class = configuration.conn(ike.name).and_then(|conn| conn.local().next()?.class());
        let pfs = ike.children().any(|child| child.dh_group().is_some());
        let ids = ike
            .local_id()
            .zip(ike.remote_id())
            .map(|(local, remote)| [local, b" - ".as_slice(), remote].concat());
        Self {
            id: id(ike),
            version: ike.version().unwrap_or(2),
            index: Field::told(
                index.map(|(initiator, responder)| format!("{initiator:016x}:{responder:016x}")),
                "not told",
            ),
            local: host(ike.local_host(), ike.local_port()),
            remote: host(ike.remote_host(), ike.remote_port()),
            role: Field::known(if ike.initiator() { "Initiator" } else { "Responder" }),
            state: Field::told(ike.state().map(state), "not told"),
            auth_record: Field::concluded(ids, RECORD, "strongSwan has no such record"),
            policy: Field::known(ike.name),
            auth_method: Field::concluded(class.map(method), AUTH, NO_AUTH),
            encr: Field::told(encr, HALF_OPEN),
            hash,
            prf: Field::told(ike.prf_alg().map(algorithm::prf), HALF_OPEN),
            dh_group: match ike.dh_group() {
                None => Field::Missing(HALF_OPEN),
                Some(name) => {
                    algorithm::group(name).map_or_else(|| Field::known(name), Field::known)
                }
            },
            pfs: Field::concluded(pfs.then_some("on"), PFS, NO_PFS),
            more: further(ike),
        }
    }
}

/// HP's word where it is known.
fn state(word: &[u8]) -> Vec<u8> {
    match word {
        b"ESTABLISHED" => b"Established".to_vec(),
        word => word.to_vec(),
    }
}

/// HP's word where it is known.
pub(super) fn method(class: &[u8]) -> Vec<u8> {
    match class {
        b"pre-shared key" => b"PSK".to_vec(),
        class => class.to_vec(),
    }
}

fn further(ike: &IkeSa<'_>) -> Vec<Line> {
    let list = |items: &[Vec<u8>]| {
        let items: Vec<_> = items.iter().map(|item| escaped(item)).collect();
        (!items.is_empty()).then(|| items.join(" "))
    };
    let other = ike.remote_eap_id().or_else(|| ike.remote_xauth_id());
    vec![
        more("Number", "uniqueid", Field::maybe(ike.uniqueid())),
        more("Local ID", "local_id", Field::maybe(ike.local_id())),
        more("Remote ID", "remote_id", Field::maybe(ike.remote_id())),
        more("Remote EAP or XAuth ID", "remote_user", Field::maybe(other)),
        more("Key exchange", "ke", Field::maybe(ike.dh_group())),
        more("Established (seconds)", "established_s", Field::maybe(ike.established())),
        more("Rekeying in (seconds)", "rekey_s", Field::maybe(ike.rekey_time())),
        more("Reauthentication in (seconds)", "reauth_s", Field::maybe(ike.reauth_time())),
        more("NAT", "nat", Field::maybe(nat(ike))),
        more("Local virtual addresses", "local_vips", Field::maybe(list(ike.local_vips()))),
        more("Remote virtual addresses", "remote_vips", Field::maybe(list(ike.remote_vips()))),
    ]
}

fn nat(ike: &IkeSa<'_>) -> Option<&'static str> {
    match (ike.nat_local(), ike.nat_remote()) {
        (true, true) => Some("both"),
        (true, false) => Some("local"),
        (false, true) => Some("remote"),
        (false, false) => ike.nat_any().then_some("pretended"),
    }
}
