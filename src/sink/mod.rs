//! Events into bytes: one renderer a file. A renderer appends to a [`page::Page`]; it does no
//! I/O and keeps nothing from one batch to the next.

use crate::event::Event;

pub mod community;
pub mod ecs;
pub mod explain;
pub mod fields;
pub mod filterlog;
pub mod id;
pub mod json;
mod memo;
pub mod notice;
pub mod ocsf;
pub mod page;
mod pf;
pub mod savefile;
mod sequence;
pub mod site;
pub mod status;
mod subject;
pub mod text;
pub mod vici;

/// A renderer of events. Each worker has one of its own.
pub trait Sink: Send {
    /// Appends the event to the page.
    fn event(&mut self, event: &Event<'_>, page: &mut page::Page);
}
