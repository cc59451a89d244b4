//! Sockets that syslog goes through.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use serde::Deserialize;

use crate::feed::output::tls::Tls;

/// How long a server has to turn down our certificate.
const VERDICT: Duration = Duration::from_millis(200);
/// How long a server has to read to the end of a stream and close it.
const GOODBYE: Duration = Duration::from_secs(2);

/// Where syslog goes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Address {
    /// A socket of this machine, `/dev/log` for one: datagrams, or else a stream.
    Unix(PathBuf),
    /// `host:port`, a datagram a message.
    Udp(String),
    /// `host:port`.
    Tcp(String),
    /// `host:port`, and the server's name in its certificate.
    Tls(String),
}

impl Address {
    /// True if messages follow each other on a stream.
    pub const fn is_stream(&self) -> bool {
        matches!(self, Self::Tcp(_) | Self::Tls(_))
    }

    /// Reads `unix:PATH`, `udp://HOST:PORT`, `tcp://HOST:PORT` or `tls://HOST:PORT`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "'{text}' is not unix:PATH, udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT"
            )
        };
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() { Err(wrong()) } else { Ok(Self::Unix(path.into())) };
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let port = rest
            .rsplit_once(':')
            .and_then(|(host, port)| (!host.is_empty()).then_some(port.parse::<u16>().ok()?));
        port.ok_or_else(wrong)?;
        match scheme {
            "udp" => Ok(Self::Udp(rest.to_owned())),
            "tcp" => Ok(Self::Tcp(rest.to_owned())),
            "tls" => Ok(Self::Tls(rest.to_owned())),
            _ => Err(wrong()),
        }
    }
}

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl Default for Address {
    /// The local daemon.
    fn default() -> Self {
        Self::Unix("/dev/log".into())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Udp(to) => write!(f, "udp://{to}"),
            Self::Tcp(to) => write!(f, "tcp://{to}"),
            Self::Tls(to) => write!(f, "tls://{to}"),
        }
    }
}

/// An open socket.
pub(super) enum Wire {
    Unix(UnixDatagram),
    UnixStream(UnixStream),
    Udp(UdpSocket),
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    pub(super) fn connect(address: &Address, tls: &Tls, timeout: Duration) -> Result<Self, String> {
        let told = |error: io::Error| error.to_string();
        Ok(match address {
            Address::Unix(path) => {
                let socket = UnixDatagram::unbound().map_err(told)?;
                match socket.connect(path) {
                    Ok(()) => {
                        socket.set_write_timeout(Some(timeout)).map_err(told)?;
                        Self::Unix(socket)
                    }
                    // The socket there is a stream's: EPROTOTYPE has no kind of its own.
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        let stream = UnixStream::connect(path).map_err(told)?;
                        stream.set_write_timeout(Some(timeout)).map_err(told)?;
                        Self::UnixStream(stream)
                    }
                    Err(error) => return Err(told(error)),
                }
            }
            Address::Udp(to) => {
                let mut last = format!("{to} has no address");
                for to in resolve(to)? {
                    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                    match UdpSocket::bind(any)
                        .and_then(|socket| socket.connect(to).map(|()| socket))
                    {
                        Ok(socket) => return Ok(Self::Udp(socket)),
                        Err(error) => last = error.to_string(),
                    }
                }
                return Err(last);
            }
            Address::Tcp(to) => Self::Tcp(stream(to, timeout)?),
            Address::Tls(to) => {
                let config = tls.client_config()?;
                let host = to.rsplit_once(':').map_or(to.as_str(), |(host, _)| host);
                let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
                let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
                let mut tcp = stream(to, timeout)?;
                let mut connection = ClientConnection::new(Arc::new(config), name)
                    .map_err(|error| error.to_string())?;
                while connection.is_handshaking() {
                    connection.complete_io(&mut tcp).map_err(told)?;
                }
                admitted(&mut connection, &mut tcp, timeout).map_err(told)?;
                Self::Tls(Box::new(StreamOwned::new(connection, tcp)))
            }
        })
    }

    /// Writes a datagram, or everything to a stream.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Unix(socket) => socket.send(bytes).map(drop),
            Self::Udp(socket) => socket.send(bytes).map(drop),
            // Of streams the messages are told apart by their ends.
            Self::UnixStream(stream) => {
                stream.write_all(bytes)?;
                stream.write_all(b"\n")
            }
            Self::Tcp(stream) => stream.write_all(bytes),
            Self::Tls(stream) => {
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }

    /// True if the other side has closed the connection.
    pub(super) fn is_closed(&mut self) -> bool {
        match self {
            Self::Unix(_) | Self::UnixStream(_) | Self::Udp(_) => false,
            Self::Tcp(stream) => has_ended(stream),
            Self::Tls(stream) => {
                // What the server has sent stands before the end: tickets, alerts.
                let StreamOwned { conn, sock } = &mut **stream;
                if sock.set_nonblocking(true).is_err() {
                    return true;
                }
                let read = loop {
                    match conn.read_tls(sock) {
                        Ok(0) => break true,
                        Ok(_) => match conn.process_new_packets() {
                            Ok(state) if !state.peer_has_closed() => {}
                            _ => break true,
                        },
                        Err(error) => break error.kind() != ErrorKind::WouldBlock,
                    }
                };
                sock.set_nonblocking(false).is_err() || read
            }
        }
    }
}

/// Waits a moment for what the server says of our certificate: in TLS 1.3 (RFC 8446, 4.4.2.4) it
/// looks at it when the handshake is over for us, and what is written before its alert is lost.
fn admitted(
    connection: &mut ClientConnection,
    tcp: &mut TcpStream,
    timeout: Duration,
) -> io::Result<()> {
    tcp.set_read_timeout(Some(timeout.min(VERDICT)))?;
    match connection.read_tls(tcp) {
        Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
        // Tickets: it is content with us.
        Ok(_) => {
            connection.process_new_packets().map_err(io::Error::other)?;
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        Err(error) => return Err(error),
    }
    tcp.set_read_timeout(Some(timeout))
}

impl Drop for Wire {
    /// Ends a stream in order: a socket that is closed with something unread in it, a TLS ticket
    /// for one, takes back what the other side has not got yet.
    fn drop(&mut self) {
        let tcp = match self {
            Self::Unix(_) | Self::UnixStream(_) | Self::Udp(_) => return,
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => {
                stream.conn.send_close_notify();
                let _ = stream.conn.write_tls(&mut stream.sock);
                &mut stream.sock
            }
        };
        let until = Instant::now() + GOODBYE;
        let left =
            || Some(until.saturating_duration_since(Instant::now())).filter(|d| !d.is_zero());
        if tcp.shutdown(Shutdown::Write).is_err() {
            return;
        }
        while let Some(left) = left() {
            let read = tcp.set_read_timeout(Some(left)).and_then(|()| tcp.read(&mut [0; 1024]));
            if !read.is_ok_and(|read| read > 0) {
                break;
            }
        }
    }
}

/// True if there is nothing more to read from a stream, not even later.
fn has_ended(stream: &TcpStream) -> bool {
    if stream.set_nonblocking(true).is_err() {
        return true;
    }
    let ended = match stream.peek(&mut [0]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    };
    stream.set_nonblocking(false).is_err() || ended
}

fn resolve(to: &str) -> Result<Vec<SocketAddr>, String> {
    Ok(to.to_socket_addrs().map_err(|error| error.to_string())?.collect())
}

/// A connection to the first of a host's addresses that takes one.
fn stream(to: &str, timeout: Duration) -> Result<TcpStream, String> {
    let mut last = format!("{to} has no address");
    for address in resolve(to)? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => {
                let set = stream
                    .set_nodelay(true)
                    .and_then(|()| stream.set_write_timeout(Some(timeout)))
                    .and_then(|()| stream.set_read_timeout(Some(timeout)));
                return set.map(|()| stream).map_err(|error| error.to_string());
            }
            Err(error) => last = error.to_string(),
        }
    }
    Err(last)
}
