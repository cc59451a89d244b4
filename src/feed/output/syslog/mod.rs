//! Syslog: RFC 5424 messages by a local socket, UDP, TCP (RFC 6587) or TLS (RFC 5425).
//!
//! Syslog acknowledges nothing: what counts as taken is what the system has taken, and what a
//! receiver loses when it dies is lost. A connection that was closed is seen before the next
//! message goes into it; one that is ended here is ended in order, and the receiver is given time
//! to read what is in it.

mod wire;

use std::fmt;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::Deserialize;
pub use wire::Address;

use super::tls::Tls;
use super::{Output, Pending, Trouble};
use crate::feed::parcel::{Event, Parcel};
use crate::text::push_dec;
use crate::time::{Clock, Precision};
use wire::Wire;

/// The longest datagram that UDP has room for over IPv4.
const MAX_DATAGRAM: usize = 65_507;
/// The system's word for a datagram that is too long.
const EMSGSIZE: i32 = rustix::io::Errno::MSGSIZE.raw_os_error();
/// Bytes that are written to a stream at once.
const AT_ONCE: usize = 256 * 1024;

/// How messages follow each other on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Framing {
    /// Each behind its length (RFC 6587, 3.4.1).
    #[default]
    Octets,
    /// Each ends a line (RFC 6587, 3.4.2).
    Lines,
}

/// How to send, and as whom.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to.
    pub address: Address,
    /// Framing, of a stream.
    pub framing: Framing,
    /// TLS, of a TLS address.
    pub tls: Tls,
    /// Facility (RFC 5424, 6.2.1), 0 to 23.
    pub facility: u8,
    /// Severity, 0 to 7.
    pub severity: u8,
    /// HOSTNAME: the firewall.
    pub host: String,
    /// APP-NAME.
    pub app: String,
    /// How long connecting or writing may take.
    pub timeout: Duration,
}

/// An output that speaks syslog.
pub struct Syslog {
    settings: Settings,
    /// Everything of the header but the time.
    before: String,
    behind: String,
    clock: Clock,
    wire: Option<Wire>,
    message: Vec<u8>,
    buffer: Vec<u8>,
}

impl Syslog {
    /// An output; nothing is connected yet.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let Settings { facility, severity, host, app, .. } = &settings;
        if *facility > 23 || *severity > 7 {
            return Err(format!("facility {facility} or severity {severity} is not syslog's"));
        }
        for (what, word, most) in [("host", host, 255), ("app", app, 48)] {
            if word.is_empty() || word.len() > most || !word.bytes().all(|c| c.is_ascii_graphic()) {
                return Err(format!(
                    "{what}: '{word}' is not 1 to {most} ASCII characters without spaces"
                ));
            }
        }
        if matches!(settings.address, Address::Tls { .. }) {
            settings.tls.load()?;
        }
        let before = format!("<{}>1 ", facility * 8 + severity);
        let behind = format!(" {host} {app} {} - - ", std::process::id());
        let (message, buffer) = (Vec::new(), Vec::new());
        Ok(Self {
            settings,
            before,
            behind,
            clock: Clock::new(TimeZone::UTC),
            wire: None,
            message,
            buffer,
        })
    }

    /// Makes `message` of an event.
    fn format(&mut self, event: Event<'_>) {
        self.message.clear();
        self.message.extend_from_slice(self.before.as_bytes());
        // RFC 5424 has six digits of a second at most.
        self.clock.push_rfc3339(&mut self.message, event.ts, Precision::Micros);
        self.message.extend_from_slice(self.behind.as_bytes());
        self.message.extend_from_slice(event.text);
    }

    fn connected(&mut self) -> Result<&mut Wire, Trouble> {
        if self.wire.as_mut().is_some_and(Wire::is_closed) {
            self.wire = None;
        }
        let Settings { address, tls, timeout, .. } = &self.settings;
        let connect = || Wire::connect(address, tls, *timeout);
        let wire = match self.wire.take() {
            Some(wire) => wire,
            None => connect().map_err(|why| Trouble::new(format!("{address}: {why}")))?,
        };
        Ok(self.wire.insert(wire))
    }

    /// Writes the buffer to the stream.
    fn flush(&mut self) -> Result<(), Trouble> {
        let buffer = std::mem::take(&mut self.buffer);
        let written = self.connected().map(|wire| wire.write(&buffer));
        self.buffer = buffer;
        self.buffer.clear();
        self.check_written(written?)
    }

    fn check_written(&mut self, written: std::io::Result<()>) -> Result<(), Trouble> {
        written.map_err(|error| {
            self.wire = None;
            Trouble::new(format!("{}: {error}", self.settings.address))
        })
    }

    fn send_datagrams(&mut self, parcel: &Parcel, pending: &mut Pending) -> Result<(), Trouble> {
        while let Some(&at) = pending.places().first() {
            let Some(event) = parcel.get(at) else { break };
            self.format(event);
            if self.message.len() > MAX_DATAGRAM {
                pending.refuse(
                    at,
                    format!("{} bytes are too many for a datagram", self.message.len()),
                );
                continue;
            }
            let message = std::mem::take(&mut self.message);
            let written = self.connected().map(|wire| wire.write(&message));
            self.message = message;
            match written? {
                // A local socket, or a network without fragments, has its own limit.
                Err(error) if error.raw_os_error() == Some(EMSGSIZE) => {
                    pending.refuse(at, error.to_string());
                }
                written => {
                    self.check_written(written)?;
                    pending.settle_first(1);
                }
            }
        }
        Ok(())
    }

    fn send_stream(&mut self, parcel: &Parcel, pending: &Pending) -> Result<(), Trouble> {
        self.buffer.clear();
        for at in 0..pending.places().len() {
            let Some(event) = pending.places().get(at).and_then(|&at| parcel.get(at)) else {
                break;
            };
            self.format(event);
            match self.settings.framing {
                Framing::Octets => {
                    push_dec(&mut self.buffer, self.message.len() as u64);
                    self.buffer.push(b' ');
                    self.buffer.extend_from_slice(&self.message);
                }
                Framing::Lines => {
                    // An event of several lines stays one message.
                    let one = |byte| if byte == b'\n' { b' ' } else { byte };
                    self.buffer.extend(self.message.iter().copied().map(one));
                    self.buffer.push(b'\n');
                }
            }
            if self.buffer.len() >= AT_ONCE {
                self.flush()?;
            }
        }
        self.flush()
    }
}

impl Output for Syslog {
    fn send(&mut self, parcel: &Parcel, pending: &mut Pending) -> Result<(), Trouble> {
        if self.settings.address.is_stream() {
            // If it fails half way all of it is sent again: nobody knows what has arrived.
            self.send_stream(parcel, pending)
        } else {
            self.send_datagrams(parcel, pending)
        }
    }

    fn check(&mut self) -> Result<(), Trouble> {
        self.connected().map(drop)
    }
}

impl fmt::Debug for Syslog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Syslog").field("address", &self.settings.address).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
