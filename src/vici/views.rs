//! What the keys of strongSwan's messages mean: typed views that borrow the message, which has
//! whatever a newer daemon adds.
//!
//! Every value may be missing: each daemon from 5.6 to 6.0 sends what it knows in the state the
//! SA is in. `yes` is the only true; false is not sent. Keys as the README of the vici plugin
//! has them.

use std::net::IpAddr;
use std::str::FromStr;

use super::message::{Item, Section};

fn bytes<'a>(section: &'a Section, key: &str) -> Option<&'a [u8]> {
    section.value(key)
}

fn yes(section: &Section, key: &str) -> bool {
    section.value(key) == Some(b"yes")
}

fn list<'a>(section: &'a Section, key: &str) -> &'a [Vec<u8>] {
    section.list(key).unwrap_or_default()
}

fn number<T: FromStr>(section: &Section, key: &str) -> Option<T> {
    parse(section.value(key)?)
}

fn parse<T: FromStr>(value: &[u8]) -> Option<T> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn hex<T: TryFrom<u64>>(section: &Section, key: &str) -> Option<T> {
    let value = std::str::from_utf8(section.value(key)?).ok()?;
    // from_str_radix takes a sign.
    let digits = value.bytes().all(|digit| digit.is_ascii_hexdigit());
    u64::from_str_radix(value, 16).ok().filter(|_| digits)?.try_into().ok()
}

/// Accessors of a view over the section in its field `section`: how each key is read.
macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $read:ident $key:literal;)*) => {
        $($(#[$doc])* pub fn $name(&self) -> $type { $read(self.section, $key) })*
    };
}

/// The reply of `version`.
#[derive(Debug, Clone, Copy)]
pub struct Version<'a> {
    /// The reply.
    pub section: &'a Section,
}

impl<'a> Version<'a> {
    keys! {
        /// The daemon: `charon`, `charon-systemd`.
        daemon: Option<&'a [u8]> = bytes "daemon";
        /// strongSwan's version: `5.9.8`.
        version: Option<&'a [u8]> = bytes "version";
        /// The operating system.
        sysname: Option<&'a [u8]> = bytes "sysname";
        /// Its release.
        release: Option<&'a [u8]> = bytes "release";
        /// The hardware.
        machine: Option<&'a [u8]> = bytes "machine";
    }
}

/// The reply of `stats`.
#[derive(Debug, Clone, Copy)]
pub struct Stats<'a> {
    /// The reply.
    pub section: &'a Section,
}

impl<'a> Stats<'a> {
    keys! {
        /// Jobs that are scheduled.
        scheduled: Option<u64> = number "scheduled";
        /// Names of the plugins loaded.
        plugins: &'a [Vec<u8>] = list "plugins";
    }

    /// IKE_SAs: all of them, and the half-open ones among them.
    pub fn ike_sas(&self) -> Option<(u64, u64)> {
        let section = self.section.section("ikesas")?;
        Some((number(section, "total")?, number(section, "half-open")?))
    }

    /// Threads: all of them, and the idle ones among them.
    pub fn workers(&self) -> Option<(u64, u64)> {
        let section = self.section.section("workers")?;
        Some((number(section, "total")?, number(section, "idle")?))
    }
}

/// The IKE_SAs of an event: `list-sa`, `ike-updown`, `child-updown`, `child-rekey`, `ike-update`
/// (with the old addresses) and, in its section `ike-sa`, `alert`.
pub fn ike_sas(message: &Section) -> impl Iterator<Item = IkeSa<'_>> {
    message.sections().map(|(name, section)| IkeSa { name, section })
}

/// True if the SAs of an `ike-updown` or `child-updown` have come up; else they have gone down.
pub fn is_up(message: &Section) -> bool {
    yes(message, "up")
}

/// An IKE_SA.
#[derive(Debug, Clone, Copy)]
pub struct IkeSa<'a> {
    /// Name of the connection.
    pub name: &'a [u8],
    /// What is told of it.
    pub section: &'a Section,
}

impl<'a> IkeSa<'a> {
    keys! {
        /// Number of the IKE_SA; a restarted daemon begins at 1 again.
        uniqueid: Option<u32> = number "uniqueid";
        /// IKE version, 1 or 2.
        version: Option<u8> = number "version";
        /// `ESTABLISHED`, `CONNECTING`, …
        state: Option<&'a [u8]> = bytes "state";
        /// Our address.
        local_host: Option<IpAddr> = number "local-host";
        /// Our UDP port.
        local_port: Option<u16> = number "local-port";
        /// Our identity.
        local_id: Option<&'a [u8]> = bytes "local-id";
        /// The peer's address.
        remote_host: Option<IpAddr> = number "remote-host";
        /// The peer's UDP port.
        remote_port: Option<u16> = number "remote-port";
        /// The peer's identity.
        remote_id: Option<&'a [u8]> = bytes "remote-id";
        /// The peer's identity by XAuth.
        remote_xauth_id: Option<&'a [u8]> = bytes "remote-xauth-id";
        /// The peer's identity by EAP.
        remote_eap_id: Option<&'a [u8]> = bytes "remote-eap-id";
        /// True if we initiated it.
        initiator: bool = yes "initiator";
        /// The initiator's SPI.
        initiator_spi: Option<u64> = hex "initiator-spi";
        /// The responder's SPI; 0 while half open.
        responder_spi: Option<u64> = hex "responder-spi";
        /// True if we are behind a NAT.
        nat_local: bool = yes "nat-local";
        /// True if the peer is behind a NAT.
        nat_remote: bool = yes "nat-remote";
        /// True if either is, or is pretended to be.
        nat_any: bool = yes "nat-any";
        /// Encryption algorithm.
        encr_alg: Option<&'a [u8]> = bytes "encr-alg";
        /// Bits of its key.
        encr_keysize: Option<u16> = number "encr-keysize";
        /// Integrity algorithm.
        integ_alg: Option<&'a [u8]> = bytes "integ-alg";
        /// Pseudo random function.
        prf_alg: Option<&'a [u8]> = bytes "prf-alg";
        /// Key exchange method.
        dh_group: Option<&'a [u8]> = bytes "dh-group";
        /// Seconds since it was established.
        established: Option<u64> = number "established";
        /// Seconds until it is rekeyed; negative when overdue.
        rekey_time: Option<i64> = number "rekey-time";
        /// Seconds until it is authenticated again; negative when overdue.
        reauth_time: Option<i64> = number "reauth-time";
        /// Virtual addresses the peer gave us.
        local_vips: &'a [Vec<u8>] = list "local-vips";
        /// Virtual addresses we gave the peer.
        remote_vips: &'a [Vec<u8>] = list "remote-vips";
    }

    /// Its CHILD_SAs.
    pub fn children(&self) -> impl Iterator<Item = ChildSa<'a>> + use<'a> {
        let children = self.section.section("child-sas").into_iter().flat_map(Section::sections);
        children.map(|(key, section)| ChildSa { key, section })
    }

    /// In `ike-rekey`: the IKE_SA before and after.
    pub fn rekeyed(&self) -> Option<(Self, Self)> {
        let of = |which| Some(Self { name: self.name, section: self.section.section(which)? });
        Some((of("old")?, of("new")?))
    }
}

/// A CHILD_SA: two IPsec SAs.
#[derive(Debug, Clone, Copy)]
pub struct ChildSa<'a> {
    /// Name of its section: its own name, `-`, its number; in `child-rekey` the name alone.
    pub key: &'a [u8],
    /// What is told of it.
    pub section: &'a Section,
}

impl<'a> ChildSa<'a> {
    keys! {
        /// Its name in the configuration.
        name: Option<&'a [u8]> = bytes "name";
        /// Number of the CHILD_SA; a restarted daemon begins at 1 again.
        uniqueid: Option<u32> = number "uniqueid";
        /// Number of its policies, kept over rekeying.
        reqid: Option<u32> = number "reqid";
        /// `INSTALLED`, `REKEYED`, `DELETED`, …
        state: Option<&'a [u8]> = bytes "state";
        /// `TUNNEL`, `TRANSPORT`, `BEET`.
        mode: Option<&'a [u8]> = bytes "mode";
        /// `ESP` or `AH`.
        protocol: Option<&'a [u8]> = bytes "protocol";
        /// True if ESP is carried in UDP.
        encap: bool = yes "encap";
        /// SPI of packets to us.
        spi_in: Option<u32> = hex "spi-in";
        /// SPI of packets from us.
        spi_out: Option<u32> = hex "spi-out";
        /// Compression index of packets to us.
        cpi_in: Option<u32> = hex "cpi-in";
        /// Compression index of packets from us.
        cpi_out: Option<u32> = hex "cpi-out";
        /// Interface of packets to us.
        if_id_in: Option<u32> = hex "if-id-in";
        /// Interface of packets from us.
        if_id_out: Option<u32> = hex "if-id-out";
        /// Encryption algorithm.
        encr_alg: Option<&'a [u8]> = bytes "encr-alg";
        /// Bits of its key.
        encr_keysize: Option<u16> = number "encr-keysize";
        /// Integrity algorithm.
        integ_alg: Option<&'a [u8]> = bytes "integ-alg";
        /// Key exchange method; none for the first CHILD_SA of an IKE_SA.
        dh_group: Option<&'a [u8]> = bytes "dh-group";
        /// Bytes to us.
        bytes_in: Option<u64> = number "bytes-in";
        /// Packets to us.
        packets_in: Option<u64> = number "packets-in";
        /// Seconds since the last packet to us.
        use_in: Option<u64> = number "use-in";
        /// Bytes from us.
        bytes_out: Option<u64> = number "bytes-out";
        /// Packets from us.
        packets_out: Option<u64> = number "packets-out";
        /// Seconds since the last packet from us.
        use_out: Option<u64> = number "use-out";
        /// Seconds until it is rekeyed; negative when overdue.
        rekey_time: Option<i64> = number "rekey-time";
        /// Seconds until it expires; negative when overdue.
        life_time: Option<i64> = number "life-time";
        /// Seconds since it was installed.
        install_time: Option<u64> = number "install-time";
        /// Our traffic selectors: `10.0.0.0/8`, `10.0.0.1..10.0.0.9`, `10.0.0.0/8[tcp/https]`,
        /// `dynamic`.
        local_ts: &'a [Vec<u8>] = list "local-ts";
        /// The peer's traffic selectors.
        remote_ts: &'a [Vec<u8>] = list "remote-ts";
    }

    /// In `child-rekey`: the CHILD_SA before and after.
    pub fn rekeyed(&self) -> Option<(Self, Self)> {
        let of = |which| Some(Self { key: self.key, section: self.section.section(which)? });
        Some((of("old")?, of("new")?))
    }
}

/// The connections of a `list-conn` event.
pub fn conns(message: &Section) -> impl Iterator<Item = Conn<'_>> {
    message.sections().map(|(name, section)| Conn { name, section })
}

/// A connection of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Conn<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// What is told of it.
    pub section: &'a Section,
}

impl<'a> Conn<'a> {
    keys! {
        /// Our addresses.
        local_addrs: &'a [Vec<u8>] = list "local_addrs";
        /// The peer's addresses.
        remote_addrs: &'a [Vec<u8>] = list "remote_addrs";
        /// `IKEv1`, `IKEv2`, `IKEv1/2`.
        version: Option<&'a [u8]> = bytes "version";
        /// Seconds between authentications.
        reauth_time: Option<u64> = number "reauth_time";
        /// Seconds between rekeyings.
        rekey_time: Option<u64> = number "rekey_time";
        /// What happens to several IKE_SAs of one peer.
        unique: Option<&'a [u8]> = bytes "unique";
    }

    /// How we authenticate ourselves, one section a round.
    pub fn local(&self) -> impl Iterator<Item = Auth<'a>> {
        self.auth(b"local")
    }

    /// How the peer authenticates itself, one section a round.
    pub fn remote(&self) -> impl Iterator<Item = Auth<'a>> {
        self.auth(b"remote")
    }

    fn auth(&self, side: &'static [u8]) -> impl Iterator<Item = Auth<'a>> {
        let sections = self.section.sections().filter(move |(name, _)| name.starts_with(side));
        sections.map(|(_, section)| Auth { section })
    }

    /// Its children.
    pub fn children(&self) -> impl Iterator<Item = ChildConf<'a>> + use<'a> {
        let children = self.section.section("children").into_iter().flat_map(Section::sections);
        children.map(|(name, section)| ChildConf { name, section })
    }
}

/// A round of authentication.
#[derive(Debug, Clone, Copy)]
pub struct Auth<'a> {
    /// What is told of it.
    pub section: &'a Section,
}

impl<'a> Auth<'a> {
    keys! {
        /// `pre-shared key`, `public key`, `EAP`, `XAuth`, `any`; absent for policies without
        /// IKE.
        class: Option<&'a [u8]> = bytes "class";
        /// Identity of IKE.
        id: Option<&'a [u8]> = bytes "id";
        /// Identity of EAP.
        eap_id: Option<&'a [u8]> = bytes "eap_id";
        /// Identity of XAuth.
        xauth_id: Option<&'a [u8]> = bytes "xauth_id";
    }
}

/// A CHILD_SA of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct ChildConf<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// What is told of it.
    pub section: &'a Section,
}

impl<'a> ChildConf<'a> {
    keys! {
        /// `TUNNEL`, `TRANSPORT`, `PASS`, `DROP`, …
        mode: Option<&'a [u8]> = bytes "mode";
        /// Security label, since 5.9.6.
        label: Option<&'a [u8]> = bytes "label";
        /// Seconds between rekeyings.
        rekey_time: Option<u64> = number "rekey_time";
        /// Bytes between rekeyings.
        rekey_bytes: Option<u64> = number "rekey_bytes";
        /// Packets between rekeyings.
        rekey_packets: Option<u64> = number "rekey_packets";
        /// Our traffic selectors.
        local_ts: &'a [Vec<u8>] = list "local-ts";
        /// The peer's traffic selectors.
        remote_ts: &'a [Vec<u8>] = list "remote-ts";
    }
}

/// The policies of a `list-policy` event.
pub fn policies(message: &Section) -> impl Iterator<Item = Policy<'_>> {
    message.sections().map(|(name, section)| Policy { name, section })
}

/// A trap, drop or pass policy.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'a> {
    /// Names of connection and child with a slash between, which they may hold too.
    pub name: &'a [u8],
    /// What is told of it.
    pub section: &'a Section,
}

impl<'a> Policy<'a> {
    keys! {
        /// Its name in the configuration.
        child: Option<&'a [u8]> = bytes "child";
        /// The connection.
        ike: Option<&'a [u8]> = bytes "ike";
        /// `TUNNEL`, `TRANSPORT`, `PASS`, `DROP`.
        mode: Option<&'a [u8]> = bytes "mode";
        /// Our traffic selectors.
        local_ts: &'a [Vec<u8>] = list "local-ts";
        /// The peer's traffic selectors.
        remote_ts: &'a [Vec<u8>] = list "remote-ts";
    }
}

/// A certificate: the `list-cert` event.
#[derive(Debug, Clone, Copy)]
pub struct Cert<'a> {
    /// The event.
    pub section: &'a Section,
}

impl<'a> Cert<'a> {
    keys! {
        /// `X509`, `X509_AC`, `X509_CRL`, `OCSP_RESPONSE`, `PUBKEY`.
        kind: Option<&'a [u8]> = bytes "type";
        /// `NONE`, `CA`, `AA`, `OCSP`.
        flag: Option<&'a [u8]> = bytes "flag";
        /// True if its private key is loaded.
        has_privkey: bool = yes "has_privkey";
        /// The certificate, DER.
        data: Option<&'a [u8]> = bytes "data";
        /// Subject of a `PUBKEY`.
        subject: Option<&'a [u8]> = bytes "subject";
    }
}

/// The pools of a reply of `get-pools`.
pub fn pools(reply: &Section) -> impl Iterator<Item = Pool<'_>> {
    reply.sections().map(|(name, section)| Pool { name, section })
}

/// A pool of virtual addresses.
#[derive(Debug, Clone, Copy)]
pub struct Pool<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// What is told of it.
    pub section: &'a Section,
}

impl<'a> Pool<'a> {
    keys! {
        /// Its first address.
        base: Option<IpAddr> = number "base";
        /// Number of its addresses.
        size: Option<u64> = number "size";
        /// Leases in use.
        online: Option<u64> = number "online";
        /// Leases not in use.
        offline: Option<u64> = number "offline";
    }

    /// Its leases, if asked for.
    pub fn leases(&self) -> impl Iterator<Item = Lease<'a>> {
        let leases = self.section.section("leases").into_iter().flat_map(Section::sections);
        leases.map(|(_, section)| Lease { section })
    }
}

/// A virtual address that was given to somebody.
#[derive(Debug, Clone, Copy)]
pub struct Lease<'a> {
    /// What is told of it.
    pub section: &'a Section,
}

impl<'a> Lease<'a> {
    keys! {
        /// The address.
        address: Option<IpAddr> = number "address";
        /// To whom.
        identity: Option<&'a [u8]> = bytes "identity";
        /// `online` or `offline`.
        status: Option<&'a [u8]> = bytes "status";
    }
}

/// The counters of a reply of `get-counters`: the connection's name, empty for those of all,
/// and each counter with its name.
pub fn counters(
    reply: &Section,
) -> impl Iterator<Item = (&[u8], impl Iterator<Item = (&[u8], u64)>)> {
    let sections = reply.section("counters").into_iter().flat_map(Section::sections);
    sections.map(|(name, section)| {
        let entries = section.entries().filter_map(|(name, item)| match item {
            Item::Value(value) => Some((name, parse(value)?)),
            _ => None,
        });
        (name, entries)
    })
}

/// The algorithms of a reply of `get-algorithms`, of one type: `encryption`, `aead`, `integrity`,
/// `hasher`, `prf`, `xof`, `drbg`, `kdf`, `rng`, `nonce-gen` or `ke`; daemons before 6.0 call the
/// last one `dh`.
pub fn algorithms<'a>(reply: &'a Section, kind: &str) -> Option<&'a Section> {
    let old = if kind == "ke" { "dh" } else { kind };
    reply.section(kind).or_else(|| reply.section(old))
}
