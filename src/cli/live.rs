//! Devices: their list, and reading one.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

use super::args::Device;
use super::reading::{Consumed, Reading, stop_by_signal};
use super::rights::Rights;
use super::service::Service;
use super::{Error, Status};
use crate::capture::Batch;
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

/// -i: reads devices until SIGINT or SIGTERM, or until the consumer has enough.
pub(super) fn follow<W: Work>(
    args: &Device,
    rights: Rights,
    prepare: impl FnMut(&mut Batch) + Send + 'static,
    strict: bool,
    workers: Vec<W>,
    err: &mut dyn Write,
    mut consume: impl FnMut(&mut W::Output) -> io::Result<Consumed>,
) -> Result<Status, Error> {
    let mut service = Service::of_environment()
        .map_err(|error| Error::Usage(format!("NOTIFY_SOCKET: {error}")))?;
    let stop = stop_by_signal()?;
    let mut settings =
        Settings { buffer: args.buffer.map(|kib| kib * 1024), ..Settings::default() };
    if let Some(snaplen) = args.snaplen.filter(|&bytes| bytes > 0) {
        settings.snaplen = snaplen.min(settings.snaplen);
    }
    // Heard by the manager in half of what it waits for.
    settings.pulse = service.as_ref().and_then(Service::pulse).map(|pulse| pulse / 2);
    let (tell, counted) = mpsc::channel();
    let at_end = move |counters| {
        // Nobody waits any longer.
        let _ = tell.send(counters);
    };
    let live = match Live::open(&args.interfaces, settings, Arc::clone(&stop), at_end) {
        Ok(live) => live,
        Err(message) => {
            writeln!(err, "pfscope: {message}")?;
            return Ok(Status::Failed);
        }
    };
    let rights = rights.with_service(service.is_some());
    let (name, mut reading) = (args.interfaces.join(","), Reading::new(rights, err)?);
    reading.give_up_rights()?;
    service.iter().for_each(Service::ready);
    let telling = |output: &mut W::Output| {
        let consumed = consume(output)?;
        service.iter_mut().for_each(Service::alive);
        Ok(consumed)
    };
    let ended = reading.source(name.as_bytes(), (live, prepare), None, strict, workers, telling);
    service.iter().for_each(Service::stopping);
    stop.store(true, Ordering::Relaxed);
    let status = reading.status;
    ended.map(drop)?;
    if let Some(counters) = counted.recv_timeout(PATIENCE).ok().flatten() {
        report(counters, err)?;
    }
    Ok(status)
}

/// What the kernel counted, in tcpdump's words.
fn report(counters: Counters, err: &mut dyn Write) -> io::Result<()> {
    let Counters { received, dropped, if_dropped } = counters;
    writeln!(err, "{received} packets received by filter")?;
    writeln!(err, "{dropped} packets dropped by kernel")?;
    if if_dropped > 0 {
        writeln!(err, "{if_dropped} packets dropped by interface")?;
    }
    Ok(())
}
