//! What events are delivered to.

pub mod archive;
pub mod http;
pub mod nats;
pub mod secret;
pub mod stream;
pub mod syslog;
pub mod tls;

use std::time::Duration;

use super::parcel::{Event, Parcel};

/// A place that takes events and says when it has them for good.
pub trait Output: Send {
    /// Sends what is pending of a parcel. `Ok`: all that is still pending then is acknowledged.
    /// What is settled one by one, or refused for good, is taken out of `pending` on the way.
    ///
    /// # Errors
    /// Why it could not be sent now; what is still pending is sent again.
    fn send(&mut self, parcel: &Parcel, pending: &mut Pending) -> Result<(), Trouble>;

    /// Connects, logs in and sends nothing: for `--check`.
    ///
    /// # Errors
    /// Why it would not work.
    fn check(&mut self) -> Result<(), Trouble>;
}

/// Why nothing could be sent now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// In words, for the log: what and where.
    pub why: String,
    /// The output said when to come again.
    pub after: Option<Duration>,
}

impl Trouble {
    /// Trouble that may be over soon.
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), after: None }
    }
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The output has it.
    Taken,
    /// The output is too busy for it.
    Again(String),
    /// The output will never have it.
    Refused(String),
}

/// The events of a parcel that the output has not settled yet.
#[derive(Debug, Default)]
pub struct Pending {
    /// Places in the parcel, in order.
    left: Vec<usize>,
    /// What was refused for good, and why.
    refused: Vec<(usize, String)>,
}

impl Pending {
    /// All events of a parcel.
    pub fn all(&mut self, parcel: &Parcel) {
        self.left.clear();
        self.left.extend(0..parcel.len());
        self.refused.clear();
    }

    /// Places of the events that are left, in order.
    pub fn places(&self) -> &[usize] {
        &self.left
    }

    /// The events that are left, with their places.
    pub fn events<'p>(&self, parcel: &'p Parcel) -> impl Iterator<Item = (usize, Event<'p>)> {
        self.left.iter().filter_map(|&at| Some((at, parcel.get(at)?)))
    }

    /// True if nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// The output has acknowledged those for which `done` is true.
    pub fn settle(&mut self, mut done: impl FnMut(usize) -> bool) {
        self.left.retain(|&at| !done(at));
    }

    /// The output has acknowledged the first so many.
    pub fn settle_first(&mut self, count: usize) {
        self.left.drain(..count.min(self.left.len()));
    }

    /// The first so many have these fates. Why some are to be sent again, if any.
    pub fn apply(&mut self, fates: &[Fate]) -> Option<String> {
        let (mut again, mut why) = (Vec::new(), None);
        for (at, fate) in self.left.drain(..fates.len().min(self.left.len())).zip(fates) {
            match fate {
                Fate::Taken => {}
                Fate::Refused(why) => self.refused.push((at, why.clone())),
                Fate::Again(reason) => {
                    again.push(at);
                    why.get_or_insert_with(|| reason.clone());
                }
            }
        }
        self.left.splice(..0, again);
        why
    }

    /// The output will never take this one.
    pub fn refuse(&mut self, at: usize, why: impl Into<String>) {
        self.left.retain(|&left| left != at);
        self.refused.push((at, why.into()));
    }

    /// What was refused since it was last asked.
    pub fn take_refused(&mut self) -> Vec<(usize, String)> {
        std::mem::take(&mut self.refused)
    }
}
