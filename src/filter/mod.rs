//! The filter language: which events are shown.
//!
//! It is pcap-filter(7)'s as far as pflog and IP packets go, pf's words included, with the same
//! grammar: `and` and `or` bind alike and from the left, `not` binds tighter, a value without
//! qualifiers takes those before it (`port 22 or 53`). What is asked is asked of the decoded
//! event, so an expression means the same for a log of every system: IPv6 is found by the
//! packet, directions where each header has them, names by the system that wrote the record.
//!
//! - `host`, `net` and `port` look at the packet alone: not at the addresses that pf keeps of
//!   the other side of a translation, and not at a packet that an ICMP error quotes. Only the
//!   first fragment has ports.
//! - A protocol is found behind IPv6's extension headers and AH as well.
//! - A word for a field of pf's header is false for a frame without that field, so `not action
//!   pass` is true for it.
//! - Of a pfsync packet every message is asked by itself: the whole expression must be true of
//!   one message together with the packet that carries it. A word that a message and the packet
//!   both have an answer to (`host`, `proto`) is true if either says so. Where messages are
//!   missing, the packet is asked alone.
//!
//! ```text
//! words -> lex (tokens) -> parse (grammar) -> value, names (what a word stands for) -> Expr
//! ```
//!
//! On a live device the kernel is given what it can answer of an expression (`kernel`).
//!
//! Not here: expressions over bytes (`tcp[13]`), and words about what later versions read.
#![forbid(unsafe_code)]

mod address;
mod error;
mod eval;
mod expr;
mod glance;
mod kernel;
mod lex;
mod names;
mod parse;
mod sync;
mod value;
mod words;

#[cfg(test)]
mod tests;

use std::fmt;

pub use error::Error;

use crate::event::{Event, Frame};
use crate::glance::Glance;
use crate::wire::pfsync::{Message, Pfsync};
use expr::{Expr, Test};
use names::{Names, Nowhere, System};

/// Longest expression in bytes.
pub const MAX_LEN: usize = 64 * 1024;
/// Deepest nesting of parentheses and `not`.
pub const MAX_DEPTH: usize = 256;

/// A compiled expression.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// `None` for the empty expression, which is true of everything.
    expr: Option<Expr>,
}

impl Filter {
    /// Compiles an expression; an empty one is true of every event. Looks up service names in
    /// /etc/services and host names with the system's resolver, if there are any.
    ///
    /// # Errors
    /// When it is not an expression, with the place and, where one is near, the word meant.
    pub fn parse(words: &str) -> Result<Self, Error> {
        Self::parse_with(words, &System)
    }

    /// As [`Filter::parse`], but looks nothing up: a name of a service or host is an error.
    ///
    /// # Errors
    /// As [`Filter::parse`].
    pub fn parse_numeric(words: &str) -> Result<Self, Error> {
        Self::parse_with(words, &Nowhere)
    }

    fn parse_with(words: &str, names: &dyn Names) -> Result<Self, Error> {
        let parsed = if words.len() > MAX_LEN {
            Err(Error::new(format!("an expression has {MAX_LEN} bytes at most"), 0..0))
        } else {
            parse::parse(words, names)
        };
        parsed.map(|expr| Self { expr }).map_err(|error| error.of(words))
    }

    /// True if the expression is true of the event: of a pfsync packet, if it is true of one of
    /// its messages, or of the packet alone where messages are missing.
    #[inline]
    pub fn matches(&self, event: &Event<'_>) -> bool {
        let Some(expr) = &self.expr else { return true };
        match &event.pfsync {
            None => expr.of_frame(event),
            Some(packet) => self.matches_pfsync(event, packet),
        }
    }

    fn matches_pfsync(&self, event: &Event<'_>, packet: &Pfsync<'_>) -> bool {
        let mut messages = packet.messages().map_while(Result::ok).peekable();
        let alone = event.error.is_some() || messages.peek().is_none();
        (alone && self.matches_frame(event))
            || messages.any(|message| self.matches_message(event, &message))
    }

    /// True if the expression is true of a message of the event's pfsync packet.
    #[inline]
    pub fn matches_message(&self, event: &Event<'_>, message: &Message<'_>) -> bool {
        self.expr.as_ref().is_none_or(|expr| expr.of_message(event, message))
    }

    /// True if the expression is true of the event whatever messages are in it: it says what
    /// becomes of a pfsync packet without messages, and of the fault that ended them.
    #[inline]
    pub fn matches_frame(&self, event: &Event<'_>) -> bool {
        self.expr.as_ref().is_none_or(|expr| expr.of_frame(event))
    }

    /// True if a [`Glance`] is enough for all that it asks.
    pub fn goes_by_glance(&self) -> bool {
        self.expr.as_ref().is_some_and(|expr| !expr.has(&|test| !test.goes_by_glance()))
    }

    /// What [`Filter::matches`] says of the event that the frame decodes to, if it
    /// [goes by a glance](Filter::goes_by_glance).
    #[inline]
    pub fn matches_glance(&self, frame: &Frame<'_>, glance: &Glance<'_>) -> bool {
        self.expr.as_ref().is_none_or(|expr| expr.holds(&|test| test.of_glance(frame, glance)))
    }

    /// True if it asks for a rule's label, which only an event with a rule has.
    pub fn asks_for_rules(&self) -> bool {
        self.expr.as_ref().is_some_and(|expr| expr.has(&|test| matches!(test, Test::Label(_))))
    }

    /// True if it asks for tunnels, which an event has only where the IKE daemon's SAs are known.
    pub fn asks_for_tunnels(&self) -> bool {
        self.expr.as_ref().is_some_and(|expr| expr.has(&|test| matches!(test, Test::Tunnel(_))))
    }

    /// True if there is no expression: every event matches.
    pub const fn is_empty(&self) -> bool {
        self.expr.is_none()
    }
}

/// Writes the expression as it was understood: every qualifier written out, every name looked
/// up.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.as_ref().map_or(Ok(()), |expr| expr.fmt(f))
    }
}
