//! What a feed has to reach as long as it runs: the files, folders and servers that its
//! configuration names, and what these lead to.
//!
//! A file that may be replaced by another of its name (feed.toml by an editor, a certificate, a
//! secret) can only be read again where its folder can. A folder directly below the root directory
//! has too much else in it: of a file there only the one that was there at the start is read.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::rights::folder;
use crate::feed::config::{Config, Login, Requests};
use crate::feed::output::http;
use crate::feed::output::nats;
use crate::feed::output::syslog::Address;
use crate::feed::output::tls::{self, Tls};
use crate::sandbox::Peer;
use crate::vici::Uri;

/// What a configuration leads to.
#[derive(Debug, Clone, Default)]
pub(super) struct Reach {
    /// Files and folders to read.
    pub(super) read: Vec<PathBuf>,
    /// Folders to write in, and devices to write to.
    pub(super) write: Vec<PathBuf>,
    /// Whom to connect to.
    pub(super) connect: Vec<Peer>,
    /// Some of them are known by name.
    pub(super) names: bool,
    /// Devices, which are opened again when they have gone.
    pub(super) devices: Vec<String>,
}

impl Reach {
    /// That of a configuration, and of the file that it was read from.
    pub(super) fn new(config: &Config, from: Option<&Path>) -> Self {
        let mut reach = Self::default();
        from.into_iter().for_each(|path| reach.read(path));
        for source in config.sources.iter().filter(|source| !source.is_stdin()) {
            let Some(file) = &source.file else { continue };
            reach.read(file);
            if source.follow {
                // What it is renamed to, and what takes its place.
                reach.read.push(folder(file));
            }
        }
        config.rules.iter().chain(&config.sas).for_each(|path| reach.read(path));
        let devices = config.sources.iter().filter_map(|source| source.device.clone());
        reach.devices.extend(devices);
        let daemons = config.sources.iter().filter_map(|source| source.vici.as_ref());
        for uri in daemons.chain(&config.vici).filter_map(|uri| uri.parse::<Uri>().ok()) {
            match uri {
                Uri::Unix(path) => reach.connect.push(Peer::Unix(path)),
                Uri::Tcp { host, port } => reach.server(&host, port),
            }
        }
        reach.write.extend(config.state_dir.clone());
        reach.outputs(config);
        reach
    }

    fn outputs(&mut self, config: &Config) {
        let outputs = &config.outputs;
        for output in &outputs.file {
            let device = output.path.exists() && !output.path.is_file();
            self.write.push(if device { output.path.clone() } else { folder(&output.path) });
        }
        for output in &outputs.syslog {
            match &output.address {
                Address::Unix(path) => self.connect.push(Peer::Unix(path.clone())),
                Address::Udp(to) => {
                    self.connect.push(Peer::Udp);
                    self.names |= to.rsplit_once(':').is_some_and(|(host, _)| !is_address(host));
                }
                Address::Tcp(to) | Address::Tls(to) => {
                    if let Some((host, port)) = to.rsplit_once(':') {
                        port.parse().into_iter().for_each(|port| self.server(host, port));
                    }
                }
            }
            if matches!(output.address, Address::Tls(_)) {
                self.tls(&output.tls());
            }
        }
        let elastic = outputs.elasticsearch.iter().map(|output| output.requests());
        let splunk = outputs.splunk.iter().map(|output| output.requests());
        let loki = outputs.loki.iter().map(|output| output.requests());
        let lines = outputs.http.iter().map(|output| output.requests());
        for Requests { url, login, tls, .. } in elastic.chain(splunk).chain(loki).chain(lines) {
            for (host, port) in http::servers(&url) {
                self.server(&host, port);
            }
            if url.starts_with("https:") {
                self.tls(&tls);
            }
            login.iter().for_each(|login| self.login(login));
        }
        for output in &outputs.nats {
            if let Some((host, port)) = nats::server(&output.url) {
                self.server(&host, port);
            }
            // A server may ask for TLS where the address does not.
            self.tls(&output.tls());
            output.login.iter().for_each(|login| self.login(login));
        }
    }

    /// A file, what it is a link to, and the folders of both.
    fn read(&mut self, path: &Path) {
        let target = path.canonicalize().ok();
        let absolute = std::path::absolute(path).ok();
        for path in absolute.into_iter().chain(target) {
            let folder = path.parent().filter(|folder| folder.components().count() > 2);
            self.read.extend(folder.map(Path::to_owned));
            self.read.push(path);
        }
    }

    fn server(&mut self, host: &str, port: u16) {
        self.connect.push(Peer::Tcp(port));
        self.names |= !is_address(host);
    }

    fn tls(&mut self, tls: &Tls) {
        if tls.ca_file.is_none() {
            self.read.extend(tls::authorities());
        }
        let named = tls.ca_file.iter().chain(&tls.cert_file).chain(&tls.key_file);
        named.for_each(|path| self.read(path));
    }

    fn login(&mut self, login: &Login) {
        let Login { password_file, token_file, nkey_file, credentials_file, .. } = login;
        let files = [password_file, token_file, nkey_file, credentials_file];
        files.into_iter().flatten().for_each(|path| self.read(path));
    }

    /// What another one has that this one has not, if anything.
    pub(super) fn lacks(&self, other: &Self) -> Option<String> {
        let below = |path: &Path, all: &[PathBuf]| all.iter().any(|one| path.starts_with(one));
        let read = |path: &Path| below(path, &self.read) || below(path, &self.write);
        if let Some(path) = other.read.iter().find(|path| !read(path)) {
            return Some(path.display().to_string());
        }
        if let Some(path) = other.write.iter().find(|path| !below(path, &self.write)) {
            return Some(path.display().to_string());
        }
        let peer = other.connect.iter().find(|peer| !self.connect.contains(peer));
        let peer = peer.map(|peer| match peer {
            Peer::Unix(path) => path.display().to_string(),
            Peer::Tcp(port) => format!("TCP port {port}"),
            Peer::Udp => "UDP".to_owned(),
        });
        // With the right to open one again all can be opened.
        let device = other.devices.first().filter(|_| self.devices.is_empty()).cloned();
        let names = (other.names && !self.names).then(|| "a server by its name".to_owned());
        peer.or(device).or(names)
    }
}

fn is_address(host: &str) -> bool {
    host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(more: &str) -> Reach {
        let text = format!("[[source]]\nfile = \"/var/log/pflog\"\nfollow = true\n{more}");
        Reach::new(&Config::parse(&text).unwrap(), Some(Path::new("/etc/feed.toml")))
    }

    #[test]
    fn what_is_named_is_within_reach_and_nothing_else() {
        let reach = reach(
            "[[output.splunk]]\nname = \"a\"\nurl = \"https://10.0.0.1/x\"\n\
             ca_file = \"/etc/pfscope/ca.pem\"\nlogin = { token_file = \"/etc/token\" }\n\
             [[output.nats]]\nname = \"b\"\nsubject = \"s\"\nurl = \"nats://[::1]\"\n\
             ca_file = \"/etc/pfscope/ca.pem\"\n\
             [[output.syslog]]\nname = \"c\"\naddress = \"udp://10.0.0.2:514\"\n\
             [[output.file]]\nname = \"d\"\npath = \"/var/spool/pf.ndjson\"\n",
        );
        for path in ["/etc/feed.toml", "/var/log", "/etc/pfscope", "/etc/token"] {
            assert!(reach.read.contains(&path.into()), "{path}: {reach:?}");
        }
        for path in ["/etc", "/", "/var"] {
            assert!(!reach.read.contains(&path.into()), "{path}: {reach:?}");
        }
        assert_eq!(reach.write, [PathBuf::from("/var/spool")]);
        for peer in [Peer::Tcp(443), Peer::Tcp(4222), Peer::Udp] {
            assert!(reach.connect.contains(&peer), "{peer:?}: {reach:?}");
        }
        assert!(!reach.names, "{reach:?}");
    }

    #[test]
    fn what_a_new_configuration_adds_is_told() {
        let screen = reach("[[output.stdout]]\nname = \"screen\"\n");
        assert_eq!(screen.lacks(&screen), None);
        for (more, expected) in [
            ("[[output.file]]\nname = \"x\"\npath = \"/srv/pf/x\"\n", "/srv/pf"),
            ("[[output.syslog]]\nname = \"x\"\naddress = \"tcp://h:601\"\n", "TCP port 601"),
            ("[[output.syslog]]\nname = \"x\"\naddress = \"unix:/dev/log\"\n", "/dev/log"),
        ] {
            assert_eq!(screen.lacks(&reach(more)).as_deref(), Some(expected));
        }
        let device =
            reach("[[source]]\ndevice = \"pflog0\"\n[[output.stdout]]\nname = \"screen\"\n");
        assert_eq!(screen.lacks(&device).as_deref(), Some("pflog0"));
        let named = reach("[[output.http]]\nname = \"x\"\nurl = \"http://siem:601\"\n");
        let address = reach("[[output.http]]\nname = \"x\"\nurl = \"http://10.0.0.1:601\"\n");
        assert_eq!(named.lacks(&address), None);
        assert_eq!(address.lacks(&named).as_deref(), Some("a server by its name"));
    }
}
