//! One connection to the daemon: requests, streams and events, until it ends.
//!
//! A thread reads whatever comes, at once. A connection on which a reply did not arrive in time
//! is closed, since a late reply cannot be told from the next: [`super::Client`] opens another.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::Socket;

use super::codec::{self, Packet, Segments};
use super::error::Error;
use super::inbox::{End, Inbox, Incoming, Reply};
use super::message::Section;
use super::uri::{Deadline, Uri};

/// How long to wait, and how much to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// For the daemon to accept the connection.
    pub connect: Duration,
    /// For a reply, and for each next item of a stream.
    pub reply: Duration,
    /// Most bytes of events that wait to be taken, and of items of a stream.
    pub queue: usize,
}

impl Default for Options {
    /// Ten seconds for both, 16 MiB.
    fn default() -> Self {
        let limit = Duration::from_secs(10);
        Self { connect: limit, reply: limit, queue: 16 << 20 }
    }
}

/// A connection. Dropping it closes it.
#[derive(Debug)]
pub struct Connection {
    socket: Arc<Socket>,
    inbox: Arc<Inbox>,
    reader: Option<JoinHandle<()>>,
    /// How often each event was asked for.
    registered: BTreeMap<String, usize>,
    options: Options,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// [`Error::Connect`].
    pub fn open(uri: &Uri, options: Options) -> Result<Self, Error> {
        Self::open_into(uri, options, Arc::new(Inbox::new(options.queue)))
    }

    /// Connects, with an inbox that others know; no other connection may be using it.
    pub(super) fn open_into(uri: &Uri, options: Options, inbox: Arc<Inbox>) -> Result<Self, Error> {
        let failed = |error| Error::Connect(uri.clone(), error);
        let socket = Arc::new(uri.connect(options.connect).map_err(failed)?);
        inbox.reset();
        let reader = {
            let (socket, inbox) = (Arc::clone(&socket), Arc::clone(&inbox));
            let reader = thread::Builder::new().name("vici".to_owned());
            let run = move || {
                inbox.end(read(&socket, &inbox));
                // Whoever sends more is told so.
                let _ = socket.shutdown(Shutdown::Both);
            };
            reader.spawn(run).map_err(Error::Io)?
        };
        let registered = BTreeMap::new();
        Ok(Self { socket, inbox, reader: Some(reader), registered, options })
    }

    /// False once nothing more can be asked. Events may still wait to be taken.
    pub fn is_open(&self) -> bool {
        self.inbox.ended().is_none()
    }

    /// Runs a command and returns its reply, whatever it says: [`super::commands::refusal`]
    /// tells whether the daemon did what was asked.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::UnknownCommand`] if the daemon does not have the command.
    pub fn request(&mut self, command: &str, request: &Section) -> Result<Section, Error> {
        self.send_command(command, request)?;
        let reply = self.reply()?;
        self.result(command, reply)
    }

    /// Runs a command that answers with events of this name before its reply: `list-sas` and
    /// `list-sa`. The event is registered for so long.
    ///
    /// # Errors
    /// As [`Self::request`], and [`Error::UnknownEvent`].
    pub fn stream(
        &mut self,
        command: &str,
        event: &str,
        request: &Section,
    ) -> Result<Stream<'_>, Error> {
        self.register(event)?;
        self.inbox.set_stream(Some(event));
        if let Err(error) = self.send_command(command, request) {
            self.end_stream(event);
            return Err(error);
        }
        let (command, event) = (command.to_owned(), event.to_owned());
        Ok(Stream { connection: self, command, event, reply: None, done: false })
    }

    /// Asks for events of this name. Asking again is counted, not sent: the daemon would send
    /// every event twice.
    ///
    /// # Errors
    /// [`Error::UnknownEvent`]: the daemon has no such event, perhaps because it is older.
    pub fn register(&mut self, event: &str) -> Result<(), Error> {
        if let Some(count) = self.registered.get_mut(event) {
            *count += 1;
            return Ok(());
        }
        check_name(event)?;
        self.confirm(&Packet::EventRegister(event.as_bytes()), event)?;
        self.registered.insert(event.to_owned(), 1);
        Ok(())
    }

    /// Takes back one [`Self::register`].
    ///
    /// # Errors
    /// [`Error::UnknownEvent`] if it was not registered.
    pub fn unregister(&mut self, event: &str) -> Result<(), Error> {
        match self.registered.get_mut(event) {
            None => Err(Error::UnknownEvent(event.into())),
            Some(count) if *count > 1 => {
                *count -= 1;
                Ok(())
            }
            Some(_) => {
                self.registered.remove(event);
                self.confirm(&Packet::EventUnregister(event.as_bytes()), event)
            }
        }
    }

    /// Waits for a registered event; `None` when the time is over.
    ///
    /// # Errors
    /// Why the connection has ended, once all that came before has been taken.
    pub fn next_event(&self, limit: Duration) -> Result<Option<Incoming>, Error> {
        self.inbox.event(Deadline::within(limit))
    }

    /// As [`Self::next_event`], without limit but until the inbox is poked.
    pub(super) fn next_until(&self, deadline: Deadline) -> Result<Option<Incoming>, Error> {
        self.inbox.event(deadline)
    }

    /// Items that come before they are unregistered belong to nobody.
    fn end_stream(&mut self, event: &str) {
        // Another error has been met already, or the next request meets this one.
        let _ = self.unregister(event);
        self.inbox.set_stream(None);
    }

    fn send_command(&self, command: &str, request: &Section) -> Result<(), Error> {
        check_name(command)?;
        let wrong = |error: codec::CodecError| Error::Request(error.to_string());
        let body = codec::encode(request).map_err(wrong)?;
        let packet = Packet::CmdRequest { name: command.as_bytes(), body: &body };
        self.send(&packet)
    }

    fn confirm(&self, packet: &Packet<'_>, event: &str) -> Result<(), Error> {
        self.send(packet)?;
        match self.reply()? {
            Reply::Confirm => Ok(()),
            Reply::EventUnknown => Err(Error::UnknownEvent(event.into())),
            Reply::Response(_) | Reply::CmdUnknown => Err(self.close(Error::OutOfStep)),
        }
    }

    fn send(&self, packet: &Packet<'_>) -> Result<(), Error> {
        let bytes = packet.encode().map_err(|error| Error::Request(error.to_string()))?;
        self.inbox.expect()?;
        // A daemon that has stopped does not read either.
        let sent = self.socket.set_write_timeout(Some(self.options.reply));
        match sent.and_then(|()| (&*self.socket).write_all(&bytes)) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.unsent(error)),
        }
    }

    fn unsent(&self, error: std::io::Error) -> Error {
        use std::io::ErrorKind::{BrokenPipe, ConnectionReset, TimedOut, WouldBlock};
        self.close(match error.kind() {
            WouldBlock | TimedOut => Error::Timeout(self.options.reply),
            BrokenPipe | ConnectionReset => Error::Closed,
            _ => Error::Io(error),
        })
    }

    fn reply(&self) -> Result<Reply, Error> {
        self.inbox.reply(self.options.reply).map_err(|error| self.close(error))
    }

    fn result(&self, command: &str, reply: Reply) -> Result<Section, Error> {
        match reply {
            Reply::Response(body) => codec::decode(&body).map_err(Error::Body),
            Reply::CmdUnknown => Err(Error::UnknownCommand(command.into())),
            Reply::Confirm | Reply::EventUnknown => Err(self.close(Error::OutOfStep)),
        }
    }

    /// Closes the connection because of an error, which is returned.
    fn close(&self, error: Error) -> Error {
        self.inbox.end(End::Closed);
        // It may be closed already.
        let _ = self.socket.shutdown(Shutdown::Both);
        error
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
        if let Some(reader) = self.reader.take() {
            // A reader that panicked has nothing more to say.
            let _ = reader.join();
        }
    }
}

/// charon does not answer at all to a name that is not printable ASCII.
fn check_name(name: &str) -> Result<(), Error> {
    if name.is_empty() || name.len() > 255 || !name.bytes().all(|b| matches!(b, b' '..=b'~')) {
        let name = crate::text::escaped(name.as_bytes());
        return Err(Error::Request(format!(
            "'{name}' is no name: 1 to 255 printable ASCII characters are"
        )));
    }
    Ok(())
}

/// The reader: everything into the inbox until nothing more comes.
fn read(mut socket: &Socket, inbox: &Inbox) -> End {
    let (mut segments, mut bytes) = (Segments::default(), vec![0; 64 * 1024]);
    loop {
        let count = match socket.read(&mut bytes) {
            Ok(0) => return End::Closed,
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                return End::Closed;
            }
            Err(error) => return End::Io(error.kind()),
        };
        segments.push(bytes.get(..count).unwrap_or_default());
        loop {
            match segments.next_segment() {
                Ok(Some(segment)) => {
                    if let Err(end) = inbox.put(segment) {
                        return end;
                    }
                }
                Ok(None) => break,
                Err(error) => return End::Framing(error),
            }
        }
    }
}

/// The items of a streamed command, in order; ends with the command's reply. An item that
/// cannot be decoded is an error, and the stream goes on; so do [`Error::Dropped`] ones. Other
/// events that arrive meanwhile wait to be taken by [`Connection::next_event`].
#[derive(Debug)]
pub struct Stream<'a> {
    connection: &'a mut Connection,
    command: String,
    event: String,
    reply: Option<Section>,
    done: bool,
}

impl Stream<'_> {
    /// Reads to the end, leaving out what is left, and returns the command's reply.
    ///
    /// # Errors
    /// What ended the stream; not those of items.
    pub fn finish(mut self) -> Result<Section, Error> {
        loop {
            match self.next() {
                None => return self.reply.take().ok_or(Error::Closed),
                Some(Err(error)) if self.done => return Err(error),
                Some(_) => {}
            }
        }
    }

    /// The command's reply, once the last item has been taken.
    pub const fn reply(&self) -> Option<&Section> {
        self.reply.as_ref()
    }

    fn step(&mut self) -> Result<Option<Section>, Error> {
        match self.connection.inbox.item(self.connection.options.reply) {
            Ok(Ok(Incoming::Event(event))) => event.message().map(Some).map_err(Error::Body),
            Ok(Ok(Incoming::Dropped(count))) => Err(Error::Dropped(count)),
            Ok(Ok(Incoming::Undecodable(error))) => Err(Error::Body(error)),
            Ok(Err(reply)) => {
                self.done = true;
                let reply = self.connection.result(&self.command, reply);
                self.connection.end_stream(&self.event);
                self.reply = Some(reply?);
                Ok(None)
            }
            Err(error) => {
                self.done = true;
                self.connection.inbox.set_stream(None);
                Err(self.connection.close(error))
            }
        }
    }
}

impl Iterator for Stream<'_> {
    type Item = Result<Section, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        self.step().transpose()
    }
}

impl Drop for Stream<'_> {
    /// What is left is read and forgotten, so that the connection can be used again; if that
    /// takes too long it is closed.
    fn drop(&mut self) {
        let limit = self.connection.options.reply;
        let deadline = Deadline::within(limit);
        while !self.done {
            if deadline.left().is_none() {
                self.done = true;
                self.connection.close(Error::Timeout(limit));
            }
            self.next();
        }
    }
}
