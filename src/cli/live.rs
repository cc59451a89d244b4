//! Devices: their list, and reading one.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

use super::args::Device;
use super::reading::{Consumed, Reading, stop_by_signal};
use super::{Error, Status};
use crate::capture::Batch;
use crate::capture::ahead::Ahead;
use crate::capture::live::{Counters, Live, Settings, devices};
use crate::engine::Work;
use crate::text::escaped;

/// How long the end waits for the kernel's counters: more than the reader's wait for packets.
const PATIENCE: Duration = Duration::from_secs(1);

/// -D: the devices, as tcpdump lists them.
pub(super) fn list(out: &mut dyn Write) -> Result<Status, Error> {
    let devices = devices().map_err(Error::Usage)?;
    for (number, device) in (1..).zip(devices) {
        let name = escaped(device.name.as_bytes());
        write!(out, "{number}.{name}")?;
        if let Some(description) = device.description {
            write!(out, " ({})", escaped(description.as_bytes()))?;
        }
        writeln!(out, "{}", if device.up { " [Up]" } else { "" })?;
    }
    Ok(Status::Done)
}

/// -i: reads devices until SIGINT or SIGTERM, or until the consumer has enough. What the kernel
/// counted comes back, of each device.
pub(super) fn follow<W: Work>(
    args: &Device,
    prepare: impl FnMut(&mut Batch) + Send + 'static,
    strict: bool,
    workers: Vec<W>,
    err: &mut dyn Write,
    consume: impl FnMut(&mut W::Output) -> io::Result<Consumed>,
) -> Result<(Status, Vec<Counters>), Error> {
    let stop = stop_by_signal()?;
    let mut settings =
        Settings { buffer: args.buffer.map(|kib| kib * 1024), ..Settings::default() };
    if let Some(snaplen) = args.snaplen.filter(|&bytes| bytes > 0) {
        settings.snaplen = snaplen.min(settings.snaplen);
    }
    let (tell, counted) = mpsc::channel();
    let at_end = move |counters| {
        // Nobody waits any longer.
        let _ = tell.send(counters);
    };
    let live = match Live::open(&args.interfaces, settings, Arc::clone(&stop), at_end) {
        Ok(live) => live,
        Err(message) => {
            writeln!(err, "pfscope: {message}")?;
            return Ok((Status::Failed, Vec::new()));
        }
    };
    let (name, mut reading) = (args.interfaces.join(","), Reading::new(err));
    // What is held must not stop the reading.
    let source = Ahead::new(live)?;
    let ended = reading.source(name.as_bytes(), (source, prepare), None, strict, workers, consume);
    stop.store(true, Ordering::Relaxed);
    let status = reading.status;
    ended.map(drop)?;
    let counters = counted.recv_timeout(PATIENCE).unwrap_or_default();
    if !counters.is_empty() {
        report(&counters, err)?;
    }
    Ok((status, counters))
}

/// What the kernel counted, in tcpdump's words.
fn report(counters: &[Counters], err: &mut dyn Write) -> io::Result<()> {
    let sum = |of: fn(&Counters) -> u32| counters.iter().map(of).map(u64::from).sum::<u64>();
    let (received, dropped) = (sum(|counted| counted.received), sum(|counted| counted.dropped));
    let if_dropped = sum(|counted| counted.if_dropped);
    writeln!(err, "{received} packets received by filter")?;
    writeln!(err, "{dropped} packets dropped by kernel")?;
    if if_dropped > 0 {
        writeln!(err, "{if_dropped} packets dropped by interface")?;
    }
    Ok(())
}
