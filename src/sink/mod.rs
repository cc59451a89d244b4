//! Events into bytes: one renderer a file. A renderer appends to a [`page::Page`]; it does no
//! I/O and keeps nothing from one batch to the next.

use crate::event::{Event, Frame};
use crate::glance::Glance;

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
mod ways;

/// A renderer of events. Each worker has one of its own.
pub trait Sink: Send {
    /// Appends the event to the page.
    fn event(&mut self, event: &Event<'_>, page: &mut page::Page);

    /// Appends what [`Sink::event`] does for the event that a plain record decodes to, where no
    /// ruleset and no daemon has anything to add to that. False, and nothing appended, if it must be
    /// decoded.
    fn plain(&mut self, _frame: &Frame<'_>, _glance: &Glance<'_>, _page: &mut page::Page) -> bool {
        false
    }
}
