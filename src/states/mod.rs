//! The state table rebuilt from pfsync: which states there are, and whether the firewalls that
//! tell each other of them do it well.
//!
//! Threads that decode make an [`Op`] of each message; one that applies them in their order has
//! the [`Table`]. [`Health`] hears of each packet and of what each message did to the table;
//! [`Guard`] says what about a packet is suspicious. No part reads a clock or a file.

pub mod entry;
mod flows;
pub mod guard;
pub mod health;
mod lifetime;
pub mod line;
mod list;
pub mod op;
mod record;
pub mod regression;
pub mod table;
mod wheel;

pub use entry::{Entry, Sort};
pub use guard::{Guard, Suspicion};
pub use health::{Finding, Health, Report, Severity};
pub use lifetime::GRACE_S;
pub use line::{Verbosity, push_state};
pub use op::{Facts, Op};
pub use regression::{Back, Regression};
pub use table::{Counters, Effect, Outcome, Table};

#[cfg(test)]
mod tests;
