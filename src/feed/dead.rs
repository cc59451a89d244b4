//! Dead letters: the events that an output will never take, with the reason, for somebody to look
//! at. One object a line: `{"ts":..,"output":..,"id":..,"reason":..,"event":..}`; `event` is what
//! was to be sent, as a string.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::Serialize;

use super::parcel::Event;

#[derive(Serialize)]
struct Letter<'a> {
    ts: String,
    output: &'a str,
    id: String,
    reason: &'a str,
    event: &'a str,
}

/// The file of an output's dead letters.
#[derive(Debug)]
pub struct DeadLetters {
    file: File,
    output: String,
}

impl DeadLetters {
    /// Opens the file, which is made if it is not there, and appended to.
    ///
    /// # Errors
    /// What the system says of it.
    pub fn open(path: &Path, output: &str) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file, output: output.to_owned() })
    }

    /// Writes one; it is in the file when this returns.
    ///
    /// # Errors
    /// Why not.
    pub fn write(&mut self, event: Event<'_>, reason: &str) -> io::Result<()> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = i64::try_from(now.map_or(Duration::ZERO, |now| now).as_micros());
        let now = now.ok().and_then(|now| Timestamp::from_microsecond(now).ok());
        let letter = Letter {
            ts: now.unwrap_or_default().to_string(),
            output: &self.output,
            id: event.id.to_string(),
            reason,
            event: &String::from_utf8_lossy(event.text),
        };
        let mut line = serde_json::to_vec(&letter)?;
        line.push(b'\n');
        self.file.write_all(&line)
    }
}
