//! What becomes of an output's events, written down: checkpoint and dead letters.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::checkpoint::{Checkpoint, Place};
use super::dead::DeadLetters;
use super::deliver::Ledger;
use super::parcel::{Event, Mark};
use super::supervisor::Say;

/// The book of one output.
pub(super) struct Book {
    /// The output's name.
    pub(super) output: String,
    /// The names of its sources, by their numbers.
    pub(super) sources: Vec<String>,
    /// None without a folder for it.
    pub(super) checkpoint: Option<Arc<Mutex<Checkpoint>>>,
    /// None without a folder for it: then they are only told of.
    pub(super) dead: Option<DeadLetters>,
    /// Set when what cannot be written down is waited for no longer.
    pub(super) give_up: Arc<AtomicBool>,
    /// It was told that something cannot be written down.
    pub(super) told: bool,
    pub(super) say: Say,
}

/// How often is tried again what cannot be written down.
const AGAIN: Duration = Duration::from_millis(500);

impl Ledger for Book {
    fn refused(&mut self, event: Event<'_>, why: &str) -> io::Result<()> {
        let Some(dead) = &mut self.dead else {
            self.say(&format!("event {} was refused and is lost: {why}", event.id));
            return Ok(());
        };
        // An event that is nowhere is not given up, but at the end.
        while let Err(error) = dead.write(event, why) {
            if self.give_up.load(Ordering::Relaxed) {
                return Err(error);
            }
            if !std::mem::replace(&mut self.told, true) {
                let output = &self.output;
                (self.say)(&format!("output {output}: dead letters cannot be written: {error}"));
            }
            thread::sleep(AGAIN);
        }
        self.told = false;
        Ok(())
    }

    fn settled(&mut self, marks: &[Mark]) -> io::Result<()> {
        let Some(checkpoint) = &self.checkpoint else { return Ok(()) };
        let mut checkpoint = checkpoint.lock().unwrap_or_else(PoisonError::into_inner);
        for mark in marks {
            if let Some(source) = self.sources.get(mark.source) {
                let place = Place { position: mark.position, sequence: mark.sequence };
                checkpoint.reach(source, place);
            }
        }
        Ok(())
    }

    fn say(&mut self, what: &str) {
        (self.say)(&format!("output {}: {what}", self.output));
    }
}
