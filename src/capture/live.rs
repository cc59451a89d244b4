//! Live devices through libpcap: their packets in batches.
//!
//! The devices are opened in immediate mode and read without blocking; between reads the thread
//! waits on their descriptors. So a packet is handed on at once, and a burst as one batch, in the
//! order of the packets' times.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pcap::{Active, Capture, Device, Error};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::fault::{Cause, Fault};
use super::file::Filled;
use super::{Batch, Interface, MAX_RECORD_LEN, Record, Records};
use crate::text::escaped;
use crate::time::{Precision, Timestamp};
use crate::wire::ByteOrder;
use crate::wire::link::LinkType;

/// How long a wait for packets lasts before the stop flag is looked at.
const WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
/// A batch that has so many bytes is handed on.
const FULL: usize = 256 * 1024;

/// How to open a device.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Bytes to take of each packet.
    pub snaplen: u32,
    /// Also take packets that are not for this host.
    pub promiscuous: bool,
    /// The kernel's buffer in bytes; the system's own size if `None`.
    pub buffer: Option<i32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { snaplen: MAX_RECORD_LEN, promiscuous: false, buffer: None }
    }
}

/// What the kernel counted since the devices were opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Packets that reached libpcap's filter.
    pub received: u32,
    /// Packets dropped by the kernel for want of room.
    pub dropped: u32,
    /// Packets dropped by the interface or its driver.
    pub if_dropped: u32,
}

/// Open devices.
pub struct Live {
    /// One an interface, in their order.
    captures: Vec<Capture<Active>>,
    interfaces: Arc<[Interface]>,
    frames: u64,
    stop: Arc<AtomicBool>,
    at_end: Box<dyn FnMut(Vec<Counters>) + Send>,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("interfaces", &self.interfaces).finish_non_exhaustive()
    }
}

impl Live {
    /// Opens devices. The capture ends when `stop` becomes true; when it is closed, `at_end`
    /// is told what the kernel counted of each, or nothing where it does not.
    ///
    /// # Errors
    /// libpcap's message, behind the device's name: no such device, no permission, …
    pub fn open(
        devices: &[String],
        settings: Settings,
        stop: Arc<AtomicBool>,
        at_end: impl FnMut(Vec<Counters>) + Send + 'static,
    ) -> Result<Self, String> {
        let (mut captures, mut interfaces) = (Vec::new(), Vec::new());
        for device in devices {
            let (capture, interface) = Self::open_one(device, settings).map_err(|error| {
                let message = match error {
                    Error::PcapError(message) => message,
                    other => other.to_string(),
                };
                format!("{}: {message}", escaped(device.as_bytes()))
            })?;
            captures.push(capture);
            interfaces.push(interface);
        }
        let (interfaces, at_end) = (interfaces.into(), Box::new(at_end));
        Ok(Self { captures, interfaces, frames: 0, stop, at_end })
    }

    fn open_one(device: &str, settings: Settings) -> Result<(Capture<Active>, Interface), Error> {
        let snaplen = i32::try_from(settings.snaplen).unwrap_or(i32::MAX);
        let mut inactive = Capture::from_device(device)?
            .snaplen(snaplen)
            .promisc(settings.promiscuous)
            .immediate_mode(true);
        if let Some(bytes) = settings.buffer {
            inactive = inactive.buffer_size(bytes);
        }
        let capture = inactive.open().and_then(Capture::setnonblock)?;
        let link = u32::try_from(capture.get_datalink().0).unwrap_or(u32::MAX);
        let order = if cfg!(target_endian = "big") { ByteOrder::Big } else { ByteOrder::Little };
        let interface = Interface {
            link: LinkType::from_dlt(link),
            order,
            precision: Precision::Micros,
            fcs_len: 0,
            name: Some(device.as_bytes().into()),
            file: None,
        };
        Ok((capture, interface))
    }

    /// Takes the packets that are there, up to a full batch of each device.
    fn drain(&mut self, batch: &mut Batch) -> Result<(), Error> {
        for (interface, capture) in (0..).zip(&mut self.captures) {
            take(capture, interface, batch)?;
        }
        if self.captures.len() > 1 {
            batch.records.sort_by_key(|record| record.ts);
        }
        Ok(())
    }

    /// The counters of the devices, one each, if all count.
    fn counters(&mut self) -> Vec<Counters> {
        let counters = self.captures.iter_mut().map(|capture| {
            let counted = capture.stats().ok()?;
            let (received, dropped) = (counted.received, counted.dropped);
            Some(Counters { received, dropped, if_dropped: counted.if_dropped })
        });
        counters.collect::<Option<_>>().unwrap_or_default()
    }

    /// The end of the capture, by a fault of the device or because it was asked for.
    fn end(&self, fault: Option<Error>) -> Filled {
        let fault = fault.map(|error| {
            let cause = Cause::Read(std::io::Error::other(error.to_string()));
            Fault { cause, record: self.frames + 1, offset: 0 }
        });
        Filled { more: false, fault }
    }
}

/// Takes the packets of one device that are there.
fn take(capture: &mut Capture<Active>, interface: u32, batch: &mut Batch) -> Result<(), Error> {
    let full = batch.bytes.len() + FULL;
    while batch.bytes.len() < full {
        let packet = match capture.next_packet() {
            Ok(packet) => packet,
            Err(Error::TimeoutExpired | Error::NoMorePackets) => return Ok(()),
            Err(error) => return Err(error),
        };
        let ts = packet.header.ts;
        #[allow(clippy::useless_conversion, reason = "time_t and suseconds_t differ by system")]
        let (seconds, micros) = (i64::from(ts.tv_sec), i64::from(ts.tv_usec));
        let nanos = seconds.saturating_mul(1_000_000_000).saturating_add(micros * 1000);
        batch.records.push(Record {
            ts: Timestamp(nanos),
            start: u32::try_from(batch.bytes.len()).unwrap_or(u32::MAX),
            caplen: u32::try_from(packet.data.len()).unwrap_or(u32::MAX),
            len: packet.header.len,
            interface,
            offset: 0,
        });
        batch.bytes.extend_from_slice(packet.data);
    }
    Ok(())
}

impl Drop for Live {
    fn drop(&mut self) {
        let counters = self.counters();
        (self.at_end)(counters);
    }
}

impl Records for Live {
    fn interfaces(&self) -> Arc<[Interface]> {
        Arc::clone(&self.interfaces)
    }

    /// Waits for packets; gives at least one unless the capture ends.
    fn fill(&mut self, batch: &mut Batch) -> Filled {
        batch.records.clear();
        batch.bytes.clear();
        batch.first_frame = self.frames + 1;
        if !Arc::ptr_eq(&batch.interfaces, &self.interfaces) {
            batch.interfaces = Arc::clone(&self.interfaces);
        }
        loop {
            if let Err(error) = self.drain(batch) {
                self.frames += batch.records.len() as u64;
                return self.end(Some(error));
            }
            if !batch.records.is_empty() {
                self.frames += batch.records.len() as u64;
                return Filled { more: true, fault: None };
            }
            if self.stop.load(Ordering::Relaxed) {
                return self.end(None);
            }
            let descriptors: Vec<_> = self.captures.iter().map(AsFd::as_fd).collect();
            let polled = |descriptor| PollFd::new(descriptor, PollFlags::IN);
            let mut polled: Vec<_> = descriptors.iter().map(polled).collect();
            // A signal ends the wait early, which is as good as a time-out.
            let _ = poll(&mut polled, Some(&WAIT));
        }
    }
}

/// A device that libpcap can open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name, for `-i`.
    pub name: String,
    /// What the system says it is.
    pub description: Option<String>,
    /// It is up.
    pub up: bool,
}

/// The devices that libpcap knows of.
///
/// # Errors
/// libpcap's message.
pub fn devices() -> Result<Vec<Listed>, String> {
    let all = Device::list().map_err(|error| error.to_string())?;
    let listed = |device: Device| Listed {
        up: device.flags.is_up(),
        name: device.name,
        description: device.desc,
    };
    Ok(all.into_iter().map(listed).collect())
}
