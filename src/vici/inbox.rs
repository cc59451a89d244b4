//! What a connection has received and nobody has taken yet: the reply, the items of the stream
//! that is read, and all other events.
//!
//! charon queues without bound for a client that does not read, and cannot even exit before
//! it does; so the reader never waits for whoever takes. What does not fit is dropped here,
//! and counted where it is missing.

use std::collections::VecDeque;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::codec::{self, CodecError, Elements, Fault, Packet};
use super::error::Error;
use super::message::Section;
use super::uri::Deadline;
use crate::time::Timestamp;

/// Bytes that an entry costs besides what it holds.
const OVERHEAD: usize = 96;

/// An event as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its name, as in [`super::commands::EVENTS`].
    pub name: Vec<u8>,
    /// When it was received, by this machine's clock.
    pub at: Timestamp,
    /// The message, not yet decoded.
    pub body: Vec<u8>,
}

impl Event {
    /// The message's tree.
    ///
    /// # Errors
    /// The message cannot be decoded. strongSwan before 6.0.4 sends such a one for a CHILD_SA
    /// whose name has 254 characters or more.
    pub fn message(&self) -> Result<Section, CodecError> {
        codec::decode(&self.body)
    }

    /// The message's elements, without allocating.
    pub const fn elements(&self) -> Elements<'_> {
        Elements::new(self.body.as_slice())
    }
}

/// What is received without being asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// An event.
    Event(Event),
    /// So many events are missing here: they were not taken in time.
    Dropped(u64),
    /// A segment that is no packet a daemon sends.
    Undecodable(CodecError),
}

/// A reply.
#[derive(Debug)]
pub(super) enum Reply {
    Response(Vec<u8>),
    CmdUnknown,
    Confirm,
    EventUnknown,
}

/// Why nothing more will come.
#[derive(Debug)]
pub(super) enum End {
    Closed,
    Io(io::ErrorKind),
    Framing(CodecError),
    OutOfStep,
}

impl End {
    fn error(&self) -> Error {
        match self {
            Self::Closed => Error::Closed,
            Self::Io(kind) => Error::Io((*kind).into()),
            Self::Framing(error) => Error::Framing(*error),
            Self::OutOfStep => Error::OutOfStep,
        }
    }
}

/// A queue of bounded memory.
#[derive(Debug, Default)]
struct Lane {
    queue: VecDeque<Incoming>,
    bytes: usize,
}

impl Lane {
    fn cost(incoming: &Incoming) -> usize {
        let held = match incoming {
            Incoming::Event(event) => event.name.len().saturating_add(event.body.len()),
            Incoming::Dropped(_) | Incoming::Undecodable(_) => 0,
        };
        held.saturating_add(OVERHEAD)
    }

    fn push(&mut self, incoming: Incoming, limit: usize) {
        let bytes = self.bytes.saturating_add(Self::cost(&incoming));
        if bytes <= limit {
            self.bytes = bytes;
            self.queue.push_back(incoming);
        } else if let Some(Incoming::Dropped(count)) = self.queue.back_mut() {
            *count = count.saturating_add(1);
        } else {
            self.bytes = self.bytes.saturating_add(OVERHEAD);
            self.queue.push_back(Incoming::Dropped(1));
        }
    }

    fn pop(&mut self) -> Option<Incoming> {
        let incoming = self.queue.pop_front()?;
        self.bytes = self.bytes.saturating_sub(Self::cost(&incoming));
        Some(incoming)
    }
}

#[derive(Debug, Default)]
struct State {
    /// True while a reply is owed.
    awaited: bool,
    reply: Option<Reply>,
    /// The event that belongs to the command being run.
    stream: Option<Vec<u8>>,
    items: Lane,
    events: Lane,
    end: Option<End>,
    /// Somebody wants to be looked at.
    poked: bool,
}

/// Shared between a connection and its reader.
#[derive(Debug)]
pub(super) struct Inbox {
    state: Mutex<State>,
    changed: Condvar,
    /// Most bytes of items, and of events.
    limit: usize,
}

impl Inbox {
    pub(super) fn new(limit: usize) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), limit }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done where a panic could happen.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets everything, for a new connection.
    pub(super) fn reset(&self) {
        let mut state = self.state();
        *state = State { poked: state.poked, ..State::default() };
    }

    /// The reader's side: a segment. Says so if nothing behind it can be trusted.
    pub(super) fn put(&self, segment: &[u8]) -> Result<(), End> {
        let mut state = self.state();
        let reply = match Packet::parse(segment) {
            Ok(Packet::Event { name, body }) => {
                let at = now();
                let event = Event { name: name.to_vec(), at, body: body.to_vec() };
                let is_item = state.stream.as_deref() == Some(name);
                let lane = if is_item { &mut state.items } else { &mut state.events };
                lane.push(Incoming::Event(event), self.limit);
                None
            }
            Ok(Packet::CmdResponse(body)) => Some(Reply::Response(body.to_vec())),
            Ok(Packet::CmdUnknown) => Some(Reply::CmdUnknown),
            Ok(Packet::EventConfirm) => Some(Reply::Confirm),
            Ok(Packet::EventUnknown) => Some(Reply::EventUnknown),
            wrong => {
                // What only a client sends is as unknown here as what nobody sends.
                let kind = segment.first().copied().unwrap_or_default();
                let unknown = CodecError { offset: 0, fault: Fault::UnknownPacket(kind) };
                let error = wrong.err().unwrap_or(unknown);
                state.events.push(Incoming::Undecodable(error), self.limit);
                None
            }
        };
        if reply.is_some() {
            if !std::mem::take(&mut state.awaited) {
                return Err(End::OutOfStep);
            }
            state.reply = reply;
        }
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Nothing more will come. The first reason counts.
    pub(super) fn end(&self, end: End) {
        self.state().end.get_or_insert(end);
        self.changed.notify_all();
    }

    /// Why nothing more will come, if so.
    pub(super) fn ended(&self) -> Option<Error> {
        self.state().end.as_ref().map(End::error)
    }

    /// Before a request is sent: a reply will be due.
    pub(super) fn expect(&self) -> Result<(), Error> {
        let mut state = self.state();
        if let Some(end) = &state.end {
            return Err(end.error());
        }
        state.awaited = true;
        state.reply = None;
        Ok(())
    }

    /// From now on events of this name are items of a stream; with `None` events are events.
    pub(super) fn set_stream(&self, event: Option<&str>) {
        let mut state = self.state();
        state.stream = event.map(Into::into);
        state.items = Lane::default();
    }

    /// Waits for the reply.
    pub(super) fn reply(&self, limit: Duration) -> Result<Reply, Error> {
        let deadline = Deadline::within(limit);
        self.wait(deadline, |state| match state.reply.take() {
            Some(reply) => Some(Ok(reply)),
            None => state.end.as_ref().map(|end| Err(end.error())),
        })
        .unwrap_or(Err(Error::Timeout(limit)))
    }

    /// Waits for an item of the stream, or for the reply at its end.
    pub(super) fn item(&self, limit: Duration) -> Result<Result<Incoming, Reply>, Error> {
        let deadline = Deadline::within(limit);
        self.wait(deadline, |state| {
            if let Some(item) = state.items.pop() {
                return Some(Ok(Ok(item)));
            }
            match state.reply.take() {
                Some(reply) => Some(Ok(Err(reply))),
                None => state.end.as_ref().map(|end| Err(end.error())),
            }
        })
        .unwrap_or(Err(Error::Timeout(limit)))
    }

    /// Waits for an event; `None` when the time is over or somebody pokes. What had arrived
    /// before the end is given first.
    pub(super) fn event(&self, deadline: Deadline) -> Result<Option<Incoming>, Error> {
        self.wait(deadline, |state| {
            if std::mem::take(&mut state.poked) {
                return Some(Ok(None));
            }
            match state.events.pop() {
                Some(event) => Some(Ok(Some(event))),
                None => state.end.as_ref().map(|end| Err(end.error())),
            }
        })
        .unwrap_or(Ok(None))
    }

    /// Sleeps until the time is over or somebody pokes.
    pub(super) fn sleep(&self, limit: Duration) {
        self.wait(Deadline::within(limit), |state| std::mem::take(&mut state.poked).then_some(()));
    }

    /// Ends the wait for an event, now or the next one.
    pub(super) fn poke(&self) {
        self.state().poked = true;
        self.changed.notify_all();
    }

    fn wait<T>(&self, deadline: Deadline, ready: impl Fn(&mut State) -> Option<T>) -> Option<T> {
        let mut state = self.state();
        loop {
            if let Some(ready) = ready(&mut state) {
                return Some(ready);
            }
            let left = deadline.left()?;
            let waited = self.changed.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &[u8], body: &[u8]) -> Vec<u8> {
        Packet::Event { name, body }.encode().unwrap().split_off(4)
    }

    fn next(inbox: &Inbox) -> Option<Incoming> {
        inbox.event(Deadline::within(Duration::ZERO)).unwrap()
    }

    #[test]
    fn a_flood_is_dropped_where_it_is_missing() {
        let inbox = Inbox::new(3 * (OVERHEAD + 4));
        (0..1000).for_each(|_| inbox.put(&event(b"log", b"\0")).unwrap());
        let taken = |inbox| matches!(next(inbox), Some(Incoming::Event(_)));
        assert!(taken(&inbox));
        assert!(taken(&inbox));
        assert!(taken(&inbox));
        // Taken in between: what comes now stands behind the gap.
        inbox.put(&event(b"last", b"")).unwrap();
        assert_eq!(next(&inbox), Some(Incoming::Dropped(997)));
        assert!(matches!(next(&inbox), Some(Incoming::Event(last)) if last.name == b"last"));
        assert_eq!(next(&inbox), None);
    }

    #[test]
    fn items_and_events_do_not_mix() {
        let inbox = Inbox::new(10_000);
        inbox.expect().unwrap();
        inbox.set_stream(Some("list-sa"));
        inbox.put(&event(b"list-sa", b"1")).unwrap();
        inbox.put(&event(b"log", b"")).unwrap();
        inbox.put(&Packet::CmdResponse(b"").encode().unwrap()[4..]).unwrap();
        assert!(inbox.item(Duration::ZERO).unwrap().is_ok());
        assert!(matches!(inbox.item(Duration::ZERO), Ok(Err(Reply::Response(_)))));
        assert!(matches!(next(&inbox), Some(Incoming::Event(log)) if log.name == b"log"));
        inbox.set_stream(None);
        inbox.put(&event(b"list-sa", b"")).unwrap();
        assert!(next(&inbox).is_some());
    }

    #[test]
    fn a_reply_that_is_not_awaited_ends_it_but_loses_no_event() {
        let inbox = Inbox::new(10_000);
        inbox.put(&event(b"log", b"")).unwrap();
        inbox.end(inbox.put(&[5]).unwrap_err());
        assert!(next(&inbox).is_some());
        let error = inbox.event(Deadline::within(Duration::ZERO)).unwrap_err();
        assert!(matches!(error, Error::OutOfStep));
    }

    #[test]
    fn unknown_packets_are_reported() {
        let inbox = Inbox::new(10_000);
        for (segment, fault) in [
            (&b""[..], Fault::Truncated),
            (b"\x63", Fault::UnknownPacket(99)),
            (b"\x00\x01x", Fault::UnknownPacket(0)),
            (b"\x07\x09x", Fault::Truncated),
        ] {
            inbox.put(segment).unwrap();
            assert!(matches!(next(&inbox), Some(Incoming::Undecodable(e)) if e.fault == fault));
        }
    }
}
