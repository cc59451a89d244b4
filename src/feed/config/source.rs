//! `[[source]]`: what is read.

use std::path::PathBuf;

use serde::Deserialize;

use super::value::{self, Bytes};
use crate::vici::Uri;

/// Something that is read: a file, standard input, a device, or an IKE daemon's events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its name in checkpoints and messages; the file's or device's by default.
    pub name: Option<String>,
    /// A file; `-` is standard input.
    pub file: Option<PathBuf>,
    /// A device, or `any-pf`: all pflog and pfsync devices.
    pub device: Option<String>,
    /// An IKE daemon, whose events are read: its VICI socket.
    pub vici: Option<String>,
    /// Read on as the file grows, through rotation.
    #[serde(default)]
    pub follow: bool,
    /// Begin with the files beside it that were rotated away.
    #[serde(default)]
    pub from_start: bool,
    /// Which packets of the device any output may get: the kernel leaves out what it can.
    #[serde(default, deserialize_with = "value::filter")]
    pub filter: Option<String>,
    /// The kernel's capture buffer of the device.
    pub buffer: Option<Bytes>,
    /// Memory for packets of the device that wait to be decoded.
    pub ring: Option<Bytes>,
    /// Bytes that are taken of each packet of the device; 0: all.
    pub snaplen: Option<u32>,
    /// Packets for other hosts are taken, too.
    pub promiscuous: Option<bool>,
    /// The firewall that it comes from, if not that of the whole feed.
    pub observer: Option<String>,
}

impl Source {
    /// It is the standard input.
    pub fn is_stdin(&self) -> bool {
        self.file.as_ref().is_some_and(|file| file.as_os_str() == "-")
    }

    /// It cannot be read again: it is read once for all outputs.
    pub fn is_shared(&self) -> bool {
        self.is_stdin() || self.is_endless()
    }

    /// It has no end of its own.
    pub const fn is_endless(&self) -> bool {
        self.device.is_some() || self.vici.is_some()
    }

    /// Its name.
    pub fn name(&self) -> String {
        let named = self.name.as_ref().or(self.device.as_ref()).or(self.vici.as_ref());
        named.cloned().unwrap_or_else(|| {
            self.file.as_ref().map_or_else(String::new, |file| file.display().to_string())
        })
    }

    /// What no single key shows.
    ///
    /// # Errors
    /// What does not go together.
    pub fn check(&self) -> Result<(), String> {
        let wrong = |what: &str| Err(format!("source {}: {what}", self.name()));
        let kinds = [self.file.is_some(), self.device.is_some(), self.vici.is_some()];
        if kinds.into_iter().filter(|&is| is).count() != 1 {
            return Err("a [[source]] has either a file, a device or vici".to_owned());
        }
        if self.file.is_none() && (self.follow || self.from_start) {
            return wrong("follow and from_start are for files");
        }
        let of_devices = self.filter.is_some()
            || self.buffer.is_some()
            || self.ring.is_some()
            || self.snaplen.is_some()
            || self.promiscuous.is_some();
        if self.device.is_none() && of_devices {
            return wrong("filter, buffer, ring, snaplen and promiscuous are for devices");
        }
        if self.device.is_some() && cfg!(not(feature = "live")) {
            return wrong("this pfscope was built without devices (Cargo feature live)");
        }
        if self.buffer.is_some_and(|Bytes(bytes)| i32::try_from(bytes).is_err() || bytes == 0) {
            return wrong("buffer: more than 0 and less than 2GiB");
        }
        if self.ring.is_some_and(|Bytes(bytes)| bytes < 1 << 20) {
            return wrong("ring: 1MiB at least");
        }
        if let Some(Err(error)) = self.vici.as_deref().map(str::parse::<Uri>) {
            return wrong(&format!("vici: {error}"));
        }
        if self.is_stdin() && self.follow {
            return Err("standard input cannot be followed: it is read to its end".to_owned());
        }
        if self.from_start && !self.follow {
            return wrong("from_start needs follow");
        }
        Ok(())
    }
}
