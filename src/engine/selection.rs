//! Which events of a batch are wanted, and what could not be decoded.

use std::sync::Arc;

use crate::capture::{Batch, Frames};
use crate::decode::decode;
use crate::error::DecodeError;
use crate::event::{Event, Frame, Kind};
use crate::filter::Filter;
use crate::glance::Glance;
use crate::ipsec::Tunnels;
use crate::rules::Current;
use crate::time::Timestamp;
use crate::wire::writer::Writer;

/// The events that are wanted.
#[derive(Debug, Clone)]
pub struct Selection {
    /// What they must match.
    pub filter: Filter,
    /// The ruleset that rules are named by.
    pub rules: Option<Arc<Current>>,
    /// The first time that is wanted.
    pub since: Option<Timestamp>,
    /// The first time that is no longer wanted.
    pub until: Option<Timestamp>,
    /// Take nothing more after the first frame that cannot be decoded.
    pub strict: bool,
    /// The tunnels that packets belong to, where they are known.
    pub tunnels: Option<Tunnels>,
}

/// The frames of a batch, or of more, that could not be decoded.
#[derive(Debug, Clone, Default)]
pub struct Undecoded {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub first: Option<First>,
    /// Where several files are read as one: how many of each, and the first of these.
    pub by_file: Vec<(Box<[u8]>, u64, First)>,
}

/// The first of them.
#[derive(Debug, Clone, Copy)]
pub struct First {
    /// How many events of the batch were taken before it.
    pub after: u64,
    /// Number of its record in its file, from 1.
    pub record: u64,
    /// Offset of the record's header in the file.
    pub offset: u64,
    /// What is wrong.
    pub error: DecodeError,
}

/// What is wanted of a batch, as far as it had to be looked at.
#[derive(Debug, Clone, Copy)]
pub enum Seen<'s, 'a> {
    /// A frame whose event has no more to it than what the frame itself says.
    Glance(&'s Frame<'a>, &'s Glance<'a>),
    /// A frame, decoded.
    Event(&'s Event<'a>),
}

impl<'s, 'a> Seen<'s, 'a> {
    /// The frame.
    #[inline]
    pub fn frame(&self) -> &'s Frame<'a> {
        match *self {
            Self::Glance(frame, _) => frame,
            Self::Event(event) => &event.frame,
        }
    }
}

impl Selection {
    /// Decodes a batch and gives what is wanted to `take`.
    pub fn each(
        &self,
        batch: &Batch,
        writers: &[Writer],
        mut take: impl FnMut(&Event<'_>),
    ) -> Undecoded {
        self.each_seen(batch, writers, false, |seen| {
            if let Seen::Event(event) = seen {
                take(event);
            }
            true
        })
    }

    /// As [`Selection::each`], but a plain record is not decoded where all that is asked shows at a
    /// glance, and `take` does not say that it wants the event (false).
    pub fn each_glance(
        &self,
        batch: &Batch,
        writers: &[Writer],
        take: impl FnMut(Seen<'_, '_>) -> bool,
    ) -> Undecoded {
        let bare = self.rules.is_none() && self.tunnels.is_none();
        self.each_seen(batch, writers, bare, take)
    }

    #[inline]
    fn each_seen(
        &self,
        batch: &Batch,
        writers: &[Writer],
        enough: bool,
        mut take: impl FnMut(Seen<'_, '_>) -> bool,
    ) -> Undecoded {
        let asks = self.filter.goes_by_glance();
        let enough = enough && (asks || self.filter.is_empty());
        let wanted = |ts| {
            self.since.is_none_or(|since| ts >= since) && self.until.is_none_or(|until| ts < until)
        };
        let rules = self.rules.as_ref().map(|rules| rules.get());
        let mut undecoded = Undecoded::default();
        let mut taken = 0;
        let tunnels = self.tunnels.as_ref().map(Tunnels::now);
        let mut frames = Frames::new(batch);
        for (nth, record) in batch.records.iter().enumerate() {
            let Some((at, interface, frame)) = frames.of(nth, record) else { continue };
            let writer = writers.get(at).copied().unwrap_or_else(|| Writer::new(interface.order));
            // By reference: what was just written in small pieces is not moved in large ones.
            if (asks || enough)
                && let Some(glance) = &Glance::of(frame, writer)
            {
                // Such a record is never one that cannot be decoded.
                if asks && !self.filter.matches_glance(frame, glance) {
                    continue;
                }
                if !wanted(frame.ts) {
                    continue;
                }
                if enough && take(Seen::Glance(frame, glance)) {
                    taken += 1;
                    continue;
                }
            }
            let mut event = decode(*frame, interface.order, writer);
            event.named = batch.named(frame.number);
            event.rule = rules.as_ref().and_then(|rules| rules.join(&event));
            let messages;
            if let Some(tunnels) = &tunnels {
                event.ipsec = tunnels.packet(&event);
                messages = tunnels.messages(&event);
                event.message_ipsec = &messages;
            }
            // A logged packet that is no packet is pf's to judge, not the file's fault.
            if let (Kind::Undecoded | Kind::Pfsync, Some(error)) = (event.kind, event.error) {
                let number = frame.place.map_or(frame.number, |place| place.number);
                let first = First { after: taken, record: number, offset: record.offset, error };
                undecoded.first.get_or_insert(first);
                undecoded.count += 1;
                if let Some(place) = frame.place {
                    undecoded.add_of_file(place.file, 1, first);
                }
            }
            if wanted(frame.ts) && self.filter.matches(&event) {
                take(Seen::Event(&event));
                taken += 1;
            }
            if self.strict && undecoded.count > 0 {
                break;
            }
        }
        undecoded
    }
}

impl Undecoded {
    /// Adds those of a later batch.
    pub fn add(&mut self, later: &Self) {
        self.count += later.count;
        self.first = self.first.or(later.first);
        for (file, count, first) in &later.by_file {
            self.add_of_file(file, *count, *first);
        }
    }

    fn add_of_file(&mut self, name: &[u8], more: u64, first: First) {
        match self.by_file.iter_mut().find(|(file, ..)| **file == *name) {
            Some((_, count, _)) => *count += more,
            None => self.by_file.push((name.into(), more, first)),
        }
    }
}
