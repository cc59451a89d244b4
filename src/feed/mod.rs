//! Where finished events go: files that are kept and rotated, and delivery to whoever takes them.
//!
//! Files: a [`Log`](log::Log) is given records, each a piece of bytes that is written whole or not
//! at all. What its files begin with, and which file that is there already may be gone on with, is
//! told by a [`Layout`](file::Layout); of the formats this room knows pcap and pcapng ([`fits`]).
//!
//! Delivery: each output has its own pipeline, so that one that is down holds up no other.
//!
//! ```text
//! source ─▶ engine (decode, filter, render) ─▶ Parcel ─▶ Queue ─▶ Deliverer ─▶ Output
//!                                                 Spool ◀─┘ ▲        └─▶ Checkpoint
//! ```
//! A file is read on only when the output has taken what was read before, and is marked as read
//! only once that is acknowledged: at least once, whatever ends the program. Devices are not read:
//! `pfscope -w` keeps a log of them, which is followed. For sources that cannot wait a [`Queue`]
//! has a bounded [`spool`] on disk behind it; none of the sources uses it yet.
//!
//! [`Queue`]: queue::Queue

#[cfg(feature = "feed")]
pub mod backoff;
#[cfg(feature = "feed")]
mod book;
#[cfg(feature = "feed")]
mod build;
#[cfg(feature = "feed")]
pub mod checkpoint;
mod compress;
#[cfg(feature = "feed")]
pub mod config;
#[cfg(feature = "feed")]
pub mod counters;
#[cfg(feature = "feed")]
pub mod dead;
#[cfg(feature = "feed")]
pub mod deliver;
pub mod file;
pub mod fits;
#[cfg(feature = "feed")]
mod format;
pub mod log;
#[cfg(feature = "feed")]
mod metrics;
#[cfg(feature = "feed")]
mod notice;
#[cfg(feature = "feed")]
pub mod output;
mod packer;
#[cfg(feature = "feed")]
pub mod parcel;
#[cfg(feature = "feed")]
mod pipeline;
#[cfg(feature = "feed")]
pub mod queue;
#[cfg(feature = "feed")]
mod render;
pub mod rotate;
#[cfg(feature = "feed")]
mod source;
#[cfg(feature = "feed")]
pub mod spool;
#[cfg(feature = "feed")]
pub mod state;
#[cfg(feature = "feed")]
pub mod supervisor;
