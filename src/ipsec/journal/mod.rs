//! The journal: what the IKE daemon told, and when, as lines of JSON, so that a capture can be
//! matched with the SAs of its time.
//!
//! ```text
//! {"v":1,"ts":"2026-11-22T00:00:00.000000001Z","type":"start","pfscope":"0.1.0"}
//! {…,"type":"totals","tunnels":[…],"running":[…]}      what all tunnels have carried so far
//! {…,"type":"up"}                                      connected
//! {…,"type":"event","name":"list-sa","message":{…}}    one of a list's SAs, or an event
//! {…,"type":"listed","complete":true}                  the end of the list
//! {…,"type":"snapshot","name":"list-conns","messages":[…]}   all of a kind, if it has changed
//! {…,"type":"dropped","count":3}                       events that came faster than they went
//! {…,"type":"down","why":"…"}                          the connection is gone
//! ```
//! `ts` is this host's clock. A line is written at once, in one piece.
//!
//! Not here: rotation (`writer`).

mod line;
mod reader;
mod tree;
mod writer;

pub use reader::{Journal, Trouble, each, each_of};
pub use writer::{Limits, Writer};

use crate::ipsec::table::Table;
use crate::ipsec::totals::Totals;
use crate::time::Timestamp;
use crate::vici::message::Section;

/// What a line says.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// A journal, or a further file of one, begins.
    Start,
    /// What all tunnels have carried.
    Totals(Totals),
    /// The daemon answers.
    Up,
    /// It does not, or no longer.
    Down(String),
    /// An event, or one of a list's SAs (`list-sa`).
    Event(Vec<u8>, Section),
    /// The list has ended.
    Listed {
        /// All SAs are in it.
        complete: bool,
    },
    /// All there is of a kind: the events of `list-conns` and `list-policies`, the replies of
    /// `get-counters` and `stats`, the host's `interfaces`.
    Snapshot(Vec<u8>, Vec<Section>),
    /// So many events were lost.
    Dropped(u64),
}

impl Table {
    /// Takes what a record says.
    pub fn apply(&mut self, at: Timestamp, record: &Record) {
        match record {
            Record::Start | Record::Up | Record::Dropped(_) | Record::Snapshot(..) => {}
            Record::Totals(totals) => self.set_totals(totals.clone()),
            Record::Down(_) => self.gone(at),
            Record::Event(name, message) => self.event(at, name, message),
            Record::Listed { complete } => self.listed(at, *complete),
        }
    }
}
