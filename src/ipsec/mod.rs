//! IPsec SAs matched to packets: which tunnel a logged packet, a state or a packet on a wire
//! belongs to.
//!
//! [`Table`] follows what the IKE daemon tells; an [`Index`] is what it knows at one moment, to be
//! looked up; `correlate` finds an event's tunnel in it. [`totals`] adds up what tunnels carry.

mod correlate;
pub mod feed;
mod index;
pub mod journal;
mod live;
mod policy;
pub mod report;
pub mod sa;
pub mod selector;
pub mod services;
mod span;
mod table;
pub mod totals;

pub use index::Index;
pub use live::{GRACE, Live, REFRESH, Tunnels, Unknown};
pub use table::Table;
