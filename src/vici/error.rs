//! What can go wrong between a client and the daemon.

use std::fmt;
use std::io;
use std::time::Duration;

use super::codec::CodecError;
use super::uri::Uri;
use crate::text::escaped;

/// Why a client's call failed. After [`Error::Body`], [`Error::UnknownCommand`],
/// [`Error::UnknownEvent`] and [`Error::Request`] the connection goes on; after the others it is
/// closed.
#[derive(Debug)]
pub enum Error {
    /// The daemon's socket cannot be connected to.
    Connect(Uri, io::Error),
    /// Reading or writing failed.
    Io(io::Error),
    /// The daemon closed the connection: it ended, or a segment was too long for it.
    Closed,
    /// No reply within this time. A late one could not be told from the next: there are no
    /// numbers.
    Timeout(Duration),
    /// What was received cannot be cut into segments: the peer does not speak VICI.
    Framing(CodecError),
    /// A reply that nothing asked for, or of the wrong kind.
    OutOfStep,
    /// The daemon has no such command.
    UnknownCommand(Vec<u8>),
    /// The daemon has no such event, or it was not registered.
    UnknownEvent(Vec<u8>),
    /// The request cannot be sent: a name is empty or not printable ASCII (the daemon would not
    /// answer), or the message cannot be encoded.
    Request(String),
    /// A reply or an item of a stream cannot be decoded.
    Body(CodecError),
    /// So many items of a stream were dropped, because nobody took them.
    Dropped(u64),
}

impl Error {
    /// True if the connection can still be used.
    pub const fn is_harmless(&self) -> bool {
        matches!(
            self,
            Self::Body(_)
                | Self::UnknownCommand(_)
                | Self::UnknownEvent(_)
                | Self::Request(_)
                | Self::Dropped(_)
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(uri, error) => write!(f, "{uri}: {}", reason(uri, error)),
            Self::Io(error) => write!(f, "the connection to the daemon failed: {error}"),
            Self::Closed => write!(f, "the daemon closed the connection"),
            Self::Timeout(limit) => write!(f, "no answer within {limit:?}"),
            Self::Framing(error) => write!(f, "what answers does not speak VICI: {error}"),
            Self::OutOfStep => write!(f, "the daemon sent a reply that was not asked for"),
            Self::UnknownCommand(name) => {
                write!(f, "the daemon knows no command '{}'", escaped(name))
            }
            Self::UnknownEvent(name) => write!(f, "the daemon knows no event '{}'", escaped(name)),
            Self::Request(why) => write!(f, "the request cannot be sent: {why}"),
            Self::Body(error) => write!(f, "a message of the daemon cannot be decoded: {error}"),
            Self::Dropped(count) => write!(f, "{count} messages were dropped: read too slowly"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connect(_, error) | Self::Io(error) => Some(error),
            Self::Framing(error) | Self::Body(error) => Some(error),
            _ => None,
        }
    }
}

/// Why nobody answers there, and what to do.
fn reason(uri: &Uri, error: &io::Error) -> String {
    match (error.kind(), uri) {
        (io::ErrorKind::NotFound, Uri::Unix(_)) => {
            "there is no such socket: is strongSwan running, with its vici plugin?".to_owned()
        }
        (io::ErrorKind::PermissionDenied, Uri::Unix(_)) => {
            "permission denied: only root and the socket's group may use it".to_owned()
        }
        (io::ErrorKind::ConnectionRefused, Uri::Unix(path)) if !is_socket(path) => {
            "this is not a socket".to_owned()
        }
        (io::ErrorKind::ConnectionRefused, _) => {
            "nobody listens there: is strongSwan running, with its vici plugin?".to_owned()
        }
        (io::ErrorKind::TimedOut, _) => {
            "the daemon accepts no connection: it hangs, or is not reachable".to_owned()
        }
        _ => error.to_string(),
    }
}

/// connect(2) says of a plain file what it says of a socket that nobody serves.
#[cfg(unix)]
fn is_socket(path: &std::path::Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}

#[cfg(not(unix))]
fn is_socket(_: &std::path::Path) -> bool {
    true
}
