//! Where a daemon is, `unix:///path` or `tcp://host:port` as swanctl writes it, and connecting
//! to it without ever waiting for longer than is allowed.

use std::fmt;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::text::escaped;

/// The socket of strongSwan as it is built by default.
pub const DEFAULT: &str = "unix:///var/run/charon.vici";
/// Port of a `tcp://` without one, as in strongSwan's examples.
const PORT: u16 = 4502;
/// First and longest pause before a full backlog is tried again.
const PAUSES: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(200)];

/// The address of a VICI socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uri {
    /// `unix:///path`, or a path alone.
    Unix(PathBuf),
    /// `tcp://host:port`. VICI over TCP has no authentication and no encryption.
    Tcp {
        /// Name or address; IPv6 without its brackets.
        host: String,
        /// Port.
        port: u16,
    },
}

impl Uri {
    /// What a user should know before connecting: TCP beyond this host is open to everybody.
    pub fn warning(&self) -> Option<String> {
        let Self::Tcp { host, .. } = self else { return None };
        let local = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        (!local).then(|| {
            format!(
                "{self}: VICI over TCP has neither authentication nor encryption: \
                 whoever reaches this port controls the daemon"
            )
        })
    }

    /// Connects within the time given; a full backlog is tried again until then.
    pub(super) fn connect(&self, limit: Duration) -> io::Result<Socket> {
        let deadline = Deadline::within(limit);
        match self {
            Self::Unix(path) => {
                let address = SockAddr::unix(path)?;
                let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
                // A blocking connect would wait for ever on a daemon that has stopped.
                socket.set_nonblocking(true)?;
                let [mut pause, longest] = PAUSES;
                while let Err(error) = socket.connect(&address) {
                    if !is_transient(&error) {
                        return Err(error);
                    }
                    let left = deadline.left().ok_or(io::ErrorKind::TimedOut)?;
                    thread::sleep(pause.min(left));
                    pause = (pause * 2).min(longest);
                }
                socket.set_nonblocking(false)?;
                Ok(socket)
            }
            Self::Tcp { host, port } => {
                let mut failed = io::ErrorKind::NotFound.into();
                for address in (host.as_str(), *port).to_socket_addrs()? {
                    let left = deadline.left().ok_or(io::ErrorKind::TimedOut)?;
                    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
                    match socket.connect_timeout(&address.into(), left) {
                        Ok(()) => {
                            socket.set_tcp_nodelay(true)?;
                            return Ok(socket);
                        }
                        Err(error) => failed = error,
                    }
                }
                Err(failed)
            }
        }
    }
}

/// EAGAIN: charon's backlog of three is full.
fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

impl Uri {
    /// True if it has a host's name, not its address.
    pub fn has_name(&self) -> bool {
        matches!(self, Self::Tcp { host, .. } if host.parse::<IpAddr>().is_err())
    }
}

impl FromStr for Uri {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix://") {
            return if path.is_empty() {
                Err(format!("'{text}' names no socket: write {DEFAULT}"))
            } else {
                Ok(Self::Unix(path.into()))
            };
        }
        let Some(rest) = text.strip_prefix("tcp://") else {
            return if text.starts_with('/') || text.starts_with("./") {
                Ok(Self::Unix(text.into()))
            } else {
                Err(format!("'{text}' is not an address: write unix:///PATH or tcp://HOST:PORT"))
            };
        };
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':').unwrap_or(port))),
            None => match rest.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            },
        };
        let wrong = || format!("'{text}' is not an address: write tcp://HOST:PORT");
        let port = port.map_or(Ok(PORT), |port| port.parse().map_err(|_| wrong()))?;
        let bare_v6 = host.contains(':') && !rest.starts_with('[');
        if host.is_empty() || bare_v6 {
            return Err(wrong());
        }
        Ok(Self::Tcp { host: host.to_owned(), port })
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => {
                write!(f, "unix://{}", escaped(path.as_os_str().as_encoded_bytes()))
            }
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp://{}:{port}", escaped(host.as_bytes())),
        }
    }
}

/// The end of a time that is allowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    /// So long from now; never, if the clock cannot say.
    pub(super) fn within(limit: Duration) -> Self {
        Self(Instant::now().checked_add(limit))
    }

    /// What is left of it; `None` once it is over.
    pub(super) fn left(self) -> Option<Duration> {
        let Self(Some(end)) = self else { return Some(Duration::MAX) };
        end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_and_back() {
        for (text, shown) in [
            ("unix:///var/run/charon.vici", None),
            ("/run/x.vici", Some("unix:///run/x.vici")),
            ("tcp://127.0.0.1:4502", None),
            ("tcp://[::1]:99", None),
            ("tcp://[::1]", Some("tcp://[::1]:4502")),
            ("tcp://localhost", Some("tcp://localhost:4502")),
        ] {
            let uri: Uri = text.parse().unwrap();
            assert_eq!(uri.to_string(), shown.unwrap_or(text));
            assert_eq!(uri.warning(), None);
        }
        for wrong in [
            "",
            "charon.vici",
            "unix://",
            "tcp://",
            "tcp://:1",
            "tcp://h:x",
            "tcp://::1",
            "http://x",
        ] {
            assert!(wrong.parse::<Uri>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn tcp_beyond_this_host_is_warned_of() {
        for text in ["tcp://192.0.2.1:1", "tcp://[2001:db8::1]:1", "tcp://fw.example:1"] {
            assert!(text.parse::<Uri>().unwrap().warning().unwrap().contains("authentication"));
        }
        assert_eq!("tcp://127.9.9.9:1".parse::<Uri>().unwrap().warning(), None);
    }
}
