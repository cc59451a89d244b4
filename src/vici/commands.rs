//! The commands and events of strongSwan, by the README of its vici plugin: the 36 commands
//! have been the same since 5.6, events came in 5.9.2 and 6.0.3.

use super::message::Section;

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command {
    /// Its name on the wire.
    pub name: &'static str,
    /// The event it answers with before its reply.
    pub stream: Option<&'static str>,
    /// What it does, for a list.
    pub about: &'static str,
    /// True if it changes the daemon, its SAs, policies or configuration.
    pub writes: bool,
    /// True if it occupies a thread of the daemon until its work is done, unless it is given a
    /// `timeout`; eight such commands stop everything.
    pub blocks: bool,
}

const fn read(name: &'static str, about: &'static str) -> Command {
    Command { name, stream: None, about, writes: false, blocks: false }
}

const fn list(name: &'static str, event: &'static str, about: &'static str) -> Command {
    Command { name, stream: Some(event), about, writes: false, blocks: false }
}

const fn write(name: &'static str, about: &'static str) -> Command {
    Command { name, stream: None, about, writes: true, blocks: false }
}

const fn blocking(name: &'static str, about: &'static str) -> Command {
    Command { name, stream: Some("control-log"), about, writes: true, blocks: true }
}

/// All commands, those that only read first.
pub const COMMANDS: [Command; 36] = [
    read("version", "the daemon's and the system's version"),
    read("stats", "uptime, threads, queues, number of SAs, plugins, memory"),
    list("list-sas", "list-sa", "IKE_SAs and CHILD_SAs (ike, ike-id, child, child-id, noblock)"),
    list("list-policies", "list-policy", "policies (trap, drop, pass, child, ike)"),
    list("list-conns", "list-conn", "connections of all origins (ike)"),
    read("get-conns", "names of connections loaded over VICI"),
    list("list-certs", "list-cert", "certificates (type, flag, subject)"),
    list("list-authorities", "list-authority", "certification authorities (name)"),
    read("get-authorities", "names of certification authorities"),
    read("get-keys", "ids of private keys loaded over VICI"),
    read("get-shared", "ids of shared keys loaded over VICI"),
    read("get-pools", "pools of virtual addresses (leases, name)"),
    read("get-algorithms", "algorithms and the plugins that have them"),
    read("get-counters", "counters of IKE events (name, all)"),
    blocking("initiate", "bring up an SA (child, ike, timeout, loglevel)"),
    blocking("terminate", "end SAs (child, ike, child-id, ike-id, force, timeout, loglevel)"),
    write("rekey", "rekey SAs (child, ike, child-id, ike-id, reauth)"),
    write("redirect", "send a client to another gateway (ike, ike-id, peer-ip, peer-id)"),
    write("install", "install a trap, drop or pass policy (child, ike)"),
    write("uninstall", "uninstall a policy (child, ike)"),
    write("load-conn", "load a connection"),
    write("unload-conn", "unload a connection (name)"),
    write("load-cert", "load a certificate (type, flag, data)"),
    write("load-key", "load a private key (type, data)"),
    write("unload-key", "unload a private key (id)"),
    write("load-token", "load a private key of a token (handle, slot, module, pin)"),
    write("load-shared", "load a shared key (id, type, data, owners)"),
    write("unload-shared", "unload a shared key (id)"),
    write("flush-certs", "flush cached certificates (type)"),
    write("clear-creds", "unload all certificates and keys"),
    write("load-authority", "load a certification authority"),
    write("unload-authority", "unload a certification authority (name)"),
    write("load-pool", "load a pool of virtual addresses"),
    write("unload-pool", "unload a pool (name)"),
    write("reset-counters", "set counters to zero (name, all)"),
    write("reload-settings", "read strongswan.conf again"),
];

/// The command of this name.
pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// When an event is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// Something about an SA has changed.
    Change,
    /// A line of the daemon's log.
    Log,
    /// An item of a command's stream.
    Item,
}

/// All events.
pub const EVENTS: [(&str, EventKind); 13] = [
    ("ike-updown", EventKind::Change),
    ("ike-rekey", EventKind::Change),
    // Since 5.9.2.
    ("ike-update", EventKind::Change),
    ("child-updown", EventKind::Change),
    ("child-rekey", EventKind::Change),
    // Since 6.0.3.
    ("alert", EventKind::Change),
    ("log", EventKind::Log),
    ("control-log", EventKind::Log),
    ("list-sa", EventKind::Item),
    ("list-policy", EventKind::Item),
    ("list-conn", EventKind::Item),
    ("list-cert", EventKind::Item),
    ("list-authority", EventKind::Item),
];

/// The events that tell of changes.
pub fn changes() -> impl Iterator<Item = &'static str> {
    EVENTS.iter().filter(|(_, kind)| *kind == EventKind::Change).map(|(name, _)| *name)
}

/// Why the daemon did not do what was asked: the `errmsg` beside `success = no`, which is empty
/// if it gives none.
pub fn refusal(reply: &Section) -> Option<&[u8]> {
    (reply.value("success") == Some(b"no")).then(|| reply.value("errmsg").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_once_and_streams_are_events() {
        let names: BTreeSet<&str> = COMMANDS.iter().map(|command| command.name).collect();
        assert_eq!(names.len(), COMMANDS.len());
        for command in &COMMANDS {
            let is_event = |event| EVENTS.iter().any(|(name, _)| *name == event);
            assert!(command.stream.is_none_or(is_event), "{}", command.name);
            // What lists or gets changes nothing.
            let reads = ["list-", "get-", "version", "stats"];
            let reads = reads.iter().any(|start| command.name.starts_with(start));
            assert_eq!(command.writes, !reads, "{}", command.name);
        }
        assert_eq!(changes().count(), 6);
    }

    #[test]
    fn success_may_stand_anywhere_or_nowhere() {
        assert_eq!(refusal(&Section::new()), None);
        assert_eq!(refusal(&Section::new().with("x", "").with("success", "yes")), None);
        let refused = Section::new().with("errmsg", "why").with("success", "no");
        assert_eq!(refusal(&refused), Some(&b"why"[..]));
        assert_eq!(refusal(&Section::new().with("success", "no")), Some(&b""[..]));
    }
}
