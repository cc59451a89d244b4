//! Where rendered events go that are kept: files that are rotated, whatever is in them.
//!
//! A [`Log`](log::Log) is given records, each a piece of bytes that is written whole or not at
//! all. What its files begin with, and which file that is there already may be gone on with, is
//! told by a [`Layout`](file::Layout); this room knows pcap and pcapng ([`fits`]).

mod compress;
pub mod file;
pub mod fits;
pub mod log;
pub mod rotate;
