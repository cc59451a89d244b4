//! HTTP: Elasticsearch and OpenSearch, Splunk, Loki, and whatever takes lines of JSON.
//!
//! What differs between them is a [`Dialect`]: how a body is made of events, and what the answer
//! says of them. What they share is here: connection, login, time-outs, splitting what is too
//! large, finding the one event that a server will not have.

mod client;
mod elastic;
mod lines;
mod loki;
mod splunk;

use std::fmt;
use std::time::Duration;

pub use client::{Auth, Client, Settings, servers};
pub use elastic::Elastic;
pub use lines::Lines;
pub use loki::Loki;
pub use splunk::{Splunk, channel};

use super::{Fate, Output, Pending, Trouble};
use crate::feed::parcel::{Event, Parcel};

/// What a server said.
#[derive(Debug)]
pub struct Answer {
    /// HTTP's status.
    pub status: u16,
    /// When to come again, of 429 and 503.
    pub after: Option<Duration>,
    /// The body, as far as it is read.
    pub body: Vec<u8>,
}

/// What an answer means for the events that were sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has them all.
    All,
    /// Each has its own fate, in the order they were sent.
    Each(Vec<Fate>),
    /// None; they are to be sent again.
    Again(String),
    /// It will not have them together: one of them is bad, or they are too many.
    Smaller(String),
}

/// How a server is spoken to.
pub trait Dialect: Send {
    /// Behind the server's address: `/_bulk`.
    fn path(&self) -> String;

    /// The body's media type.
    fn content_type(&self) -> &'static str;

    /// Makes the body.
    fn body(&mut self, events: &mut dyn Iterator<Item = Event<'_>>, body: &mut Vec<u8>);

    /// What the answer to so many events means.
    fn verdict(&self, answer: &Answer, events: usize) -> Verdict;

    /// Waits until the server has for good what an answer took, where the answer itself does not
    /// say so.
    ///
    /// # Errors
    /// Why it is not to be had for sure; it is sent again.
    fn confirm(&self, _client: &Client, _answer: &Answer) -> Result<(), Trouble> {
        Ok(())
    }
}

/// An output that speaks HTTP.
pub struct Http<D> {
    client: Client,
    dialect: D,
    /// Events of a request at most.
    most: usize,
    /// Bytes of their text at most.
    bytes: usize,
    /// Events of the next request at most: fewer while a bad one is looked for.
    now: usize,
    body: Vec<u8>,
}

impl<D: Dialect> Http<D> {
    /// With requests of so many events and bytes at most.
    pub const fn new(client: Client, dialect: D, most: usize, bytes: usize) -> Self {
        Self { client, dialect, most, bytes, now: most, body: Vec::new() }
    }

    /// How many of the events that are pending go into the next request.
    fn count(&self, parcel: &Parcel, pending: &Pending) -> usize {
        let mut bytes = 0;
        let fits = |(_, event): &(usize, Event<'_>)| {
            bytes += event.text.len();
            bytes <= self.bytes
        };
        pending.events(parcel).take(self.now).take_while(fits).count().max(1)
    }

    /// Sends the first so many of what is pending.
    fn request(
        &mut self,
        parcel: &Parcel,
        pending: &mut Pending,
        count: usize,
    ) -> Result<(), Trouble> {
        self.body.clear();
        let mut events = pending.events(parcel).take(count).map(|(_, event)| event);
        self.dialect.body(&mut events, &mut self.body);
        drop(events);
        let path = self.dialect.path();
        let answer = self.client.post(&path, self.dialect.content_type(), &self.body)?;
        let trouble = |why: String| Trouble {
            why: format!("{}: {why}", self.client.name()),
            after: answer.after,
        };
        match self.dialect.verdict(&answer, count) {
            Verdict::All => {
                self.dialect.confirm(&self.client, &answer)?;
                pending.settle_first(count);
            }
            Verdict::Each(fates) => {
                if let Some(why) = pending.apply(&fates) {
                    return Err(trouble(why));
                }
            }
            Verdict::Again(why) => return Err(trouble(why)),
            Verdict::Smaller(why) => match pending.places().first() {
                Some(&at) if count == 1 => pending.refuse(at, why),
                _ => {
                    self.now = count / 2;
                    return Ok(());
                }
            },
        }
        self.now = self.now.saturating_mul(2).min(self.most);
        Ok(())
    }
}

impl<D: Dialect> Output for Http<D> {
    fn send(&mut self, parcel: &Parcel, pending: &mut Pending) -> Result<(), Trouble> {
        while !pending.is_empty() {
            let count = self.count(parcel, pending);
            self.request(parcel, pending, count)?;
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), Trouble> {
        self.client.get()
    }
}

impl<D> fmt::Debug for Http<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("client", &self.client).finish_non_exhaustive()
    }
}

/// What an answer means where there is one verdict for all events.
fn verdict_of_status(answer: &Answer) -> Verdict {
    let why = || format!("status {}{}", answer.status, told(&answer.body));
    match answer.status {
        200..=299 => Verdict::All,
        400 | 413 | 422 => Verdict::Smaller(why()),
        _ => Verdict::Again(why()),
    }
}

/// The beginning of what a server told, for a message.
fn told(body: &[u8]) -> String {
    let body = body.trim_ascii();
    let start = body.get(..body.len().min(200)).unwrap_or_default();
    if start.is_empty() { String::new() } else { format!(": {}", crate::text::escaped(start)) }
}
