//! VICI, the control interface of strongSwan's IKE daemon: the protocol, and a client that never
//! hangs and loses nothing silently.
//!
//! ```text
//! codec (bytes) <-> message::Section <- views (what keys mean), commands (what there is)
//! Connection (one socket: requests, streams, events)
//!   Client: requests; opens another connection after a failure
//!   Monitor: events; through restarts, with a look at the whole at each beginning
//! ```
//!
//! Blocking, with a reading thread for each connection; every wait has an end. Knows nothing of
//! pf.

pub mod alert;
mod client;
pub mod codec;
pub mod commands;
mod connection;
mod error;
mod inbox;
pub mod message;
mod monitor;
mod uri;
pub mod views;

pub use client::Client;
pub use connection::{Connection, Options, Stream};
pub use error::Error;
pub use inbox::{Event, Incoming};
pub use monitor::{Monitor, Update, Watch};
pub use uri::{DEFAULT, Uri};
