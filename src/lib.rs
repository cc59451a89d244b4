//! pfscope: all that a pf firewall says about itself.
//!
//! The path of the data, each step a module:
//!
//! ```text
//! capture (files, devices) -> Batch -> decode: wire (link, pflog, pfsync), packet -> Event
//!   -> filter -> sink (text, json) | summary | states -> engine: order kept, one writer
//! ```
//!
//! A filter and the summary go by a glance where that shows all they ask, and decode the rest.
//!
//! [`vici`] is a client of strongSwan's IKE daemon, apart from these.
//!
//! A frame always becomes an [`event::Event`]; nothing is dropped silently.

pub mod capture;
pub mod cli;
pub mod decode;
pub mod engine;
pub mod error;
pub mod event;
pub mod feed;
pub mod filter;
pub mod glance;
pub mod ipsec;
pub mod packet;
pub mod pf;
pub mod rules;
pub mod sandbox;
pub mod sink;
pub mod states;
pub mod summary;
pub mod text;
pub mod time;
pub mod vici;
pub mod wire;
