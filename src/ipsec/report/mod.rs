//! Reports on IPsec, in the manner of ipsec_report(1M): SAs, policies, tunnels, interfaces, the
//! bypass list, the cache, the audit trail.
//!
//! ```text
//! a daemon over VICI ─┐                                    ┌─ text (the manner of ipsec_report)
//!                     ├─ Answers ─ rows, a file a report ─ Form
//! a journal (replay) ─┘                                    └─ json ─ diff
//! ```
//! A row is a typed model of a block; each of its fields is known, derived, missing with the
//! reason, or has no place. Nothing is invented.

mod algorithm;
pub mod answers;
pub mod audit;
pub mod bypass;
pub mod cache;
pub mod counter;
pub mod diff;
pub mod down;
pub mod field;
pub mod form;
pub mod host;
pub mod ike_policy;
pub mod ike_sa;
pub mod interface;
pub mod ipsec_sa;
pub mod json;
pub mod replay;
pub mod text;
pub mod total;
pub mod traffic;
pub mod tunnel;

#[cfg(test)]
mod sample;

pub use answers::Answers;
pub use form::{Block, Form};
pub use replay::Replay;
