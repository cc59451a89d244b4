//! The state table rebuilt from pfsync: which states there are, and whether the firewalls that
//! tell each other of them do it well.
//!
//! Threads that decode put messages into [`Ops`]; one that applies them in their order has the
//! [`Table`]. [`Health`] hears of each packet and of what each message did to the table;
//! [`Guard`] says what about a packet is suspicious. No part reads a clock or a file.

mod ages;
pub mod entry;
pub mod facts;
mod flows;
pub mod guard;
pub mod health;
mod lifetime;
pub mod line;
mod list;
pub mod op;
pub mod outcome;
mod record;
pub mod regression;
pub mod table;
mod wheel;
mod whole;

pub use entry::{Entry, Sort};
pub use facts::Facts;
pub use guard::{Guard, Suspicion};
pub use health::{Finding, Health, Report, Severity};
pub use lifetime::GRACE_S;
pub use line::{Verbosity, push_state};
pub use op::{Group, Op, Ops, Packet};
pub use outcome::{Counters, Effect, Outcome};
pub use regression::{Back, Regression};
pub use table::Table;

#[cfg(test)]
mod tests;
