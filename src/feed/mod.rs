//! Delivery of finished events: each output has its own pipeline, so that one that is down holds
//! up no other.
//!
//! ```text
//! source ─▶ engine (decode, filter, render) ─▶ Parcel ─▶ Queue ─▶ Deliverer ─▶ Output
//!                                                 Spool ◀─┘ ▲        └─▶ Checkpoint
//! ```
//! A file is read on only when the output has taken what was read before, and is marked as read
//! only once that is acknowledged: at least once, whatever ends the program. A device never
//! waits: its events go to memory, then to a bounded spool on disk, then they are dropped and
//! counted.

pub mod backoff;
pub mod checkpoint;
pub mod config;
pub mod counters;
pub mod dead;
pub mod deliver;
pub mod output;
pub mod parcel;
pub mod queue;
pub mod spool;
