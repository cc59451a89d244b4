//! Live devices: their records in one stream, by time.
//!
//! Each device is read by a thread of its own (`device`) into the ring
//! (`ring`); here the lanes of the ring are merged. A record is handed on when every
//! other device has shown a later one, or a moment after it came: longer than a kernel keeps
//! packets back, so that what was captured before it on another device has come as well. What
//! comes later all the same is handed on late: nothing is lost for order's sake.

use std::io::{self, PipeWriter, Write};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::device::{Device, Opened};
use super::file::Filled;
use super::list;
use super::ring::{Chunk, Item, Ring, State};
use super::{Batch, Interface, Record, Records};
use crate::event::notice::{Notice, What};
use crate::text::escaped;
use crate::time::Timestamp;

pub use super::device::{HEAD_LEN, Header, Settings};
pub use super::ring::Counters;

/// How long a record waits for those of other devices, once it has come, besides the time that
/// they may be gathered.
const HOLD: Duration = Duration::from_millis(40);
/// They may be gathered for so many times that time: by the kernel; by the thread that reads it;
/// and again, if another block is full just before that is over.
const GATHERED: u32 = 3;
/// How often is looked for devices that have come, where all of a kind are read.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// A batch that has so many bytes is handed on.
const FULL: usize = 256 * 1024;

/// `-i` with this name is all pflog and pfsync devices.
pub const ANY_PF: &str = "any-pf";

/// Devices as they were opened, not yet read.
pub struct Live {
    control: Control,
    waiting: Vec<(Device, Opened)>,
    /// Devices that appear are read too.
    any: bool,
    /// For each lane what it is read from.
    heads: Vec<Option<Head>>,
    frames: u64,
}

/// A chunk that is being read.
struct Head {
    chunk: Chunk,
    /// What it took in the ring.
    cost: usize,
    next: usize,
}

/// A hand on the devices from another thread.
#[derive(Clone)]
pub struct Control {
    ring: Arc<Ring>,
    stop: Arc<AtomicBool>,
    wakers: Arc<Mutex<Vec<PipeWriter>>>,
    settings: Arc<Settings>,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("control", &self.control).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("stop", &self.stop).finish_non_exhaustive()
    }
}

impl Control {
    /// Makes every device's thread look at the stop flag and at the kernel's counters.
    pub fn wake(&self) {
        let mut wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        // A thread that has ended needs no waking.
        wakers.iter_mut().for_each(|waker| drop(waker.write(&[0])));
        self.ring.wake();
    }

    /// Ends the capture: what has been captured still comes.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// What has been counted so far, of all devices.
    pub fn counters(&self) -> Counters {
        self.ring.lock().counters()
    }

    /// What has been counted so far of each interface that records name, in their order.
    pub fn by_interface(&self) -> Vec<Counters> {
        self.ring.lock().by_interface()
    }

    /// Waits, after a stop, for the devices' threads, but not longer than this; gives what was
    /// counted in all.
    pub fn settled(&self, long: Duration) -> Counters {
        self.ring.settled(long)
    }

    /// A device that is open, with a lane of its own.
    fn device(&self, name: &str) -> io::Result<Device> {
        let (wake, waker) = io::pipe()?;
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner).push(waker);
        Ok(Device {
            name: name.to_owned(),
            settings: Arc::clone(&self.settings),
            ring: Arc::clone(&self.ring),
            lane: self.ring.add_lane(name.as_bytes()),
            wake,
            stop: Arc::clone(&self.stop),
        })
    }

    /// Reads devices that appear besides those that are known.
    fn look_for_more(&self, mut known: Vec<String>) {
        while !self.stop.load(Ordering::Relaxed) {
            thread::park_timeout(LOOK_EVERY);
            for name in list::pf_devices().unwrap_or_default() {
                if known.contains(&name) || self.stop.load(Ordering::Relaxed) {
                    continue;
                }
                // One that is not ready yet is tried again.
                let Ok(opened) = Opened::new(&name, &self.settings) else { continue };
                let Ok(device) = self.device(&name) else { continue };
                known.push(name);
                self.ring.tell(device.lane, super::device::now(), What::Start);
                thread::spawn(move || device.run(opened));
            }
        }
    }
}

impl Live {
    /// Opens devices; none is read before the first batch is filled. The capture ends when `stop`
    /// is true and [`Control::wake`] is called, or by [`Control::stop`].
    ///
    /// # Errors
    /// libpcap's message, behind the device's name: no such device, no permission, …
    pub fn open(
        devices: &[String],
        settings: Settings,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, String> {
        let control = Control {
            ring: Arc::new(Ring::new(settings.ring)),
            stop,
            wakers: Arc::default(),
            settings: Arc::new(settings),
        };
        let any = devices.iter().any(|name| name == ANY_PF);
        let mut names: Vec<String> = Vec::new();
        for device in devices {
            let named =
                if device == ANY_PF { list::pf_devices()? } else { vec![list::named(device)?] };
            names
                .extend(named.into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>());
        }
        let mut waiting = Vec::new();
        for name in &names {
            let said =
                |what: &dyn std::fmt::Display| format!("{}: {what}", escaped(name.as_bytes()));
            let opened = Opened::new(name, &control.settings).map_err(|error| said(&error))?;
            let device = control.device(name).map_err(|error| said(&error))?;
            control.ring.interface(&opened.interface);
            waiting.push((device, opened));
        }
        Ok(Self { control, waiting, any, heads: Vec::new(), frames: 0 })
    }

    /// A hand on the devices.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// The devices that were opened.
    pub fn opened(&self) -> impl Iterator<Item = &Interface> {
        self.waiting.iter().map(|(_, opened)| &opened.interface)
    }

    /// Starts the devices' threads.
    fn start(&mut self) {
        let known = self.waiting.iter().map(|(device, _)| device.name.clone()).collect();
        for (device, opened) in self.waiting.drain(..) {
            thread::spawn(move || device.run(opened));
        }
        if mem::take(&mut self.any) {
            let control = self.control.clone();
            thread::spawn(move || control.look_for_more(known));
        }
    }

    /// Puts what the lanes have next into their heads, and the notices on the way into the
    /// batch. True if no lane is without a head that might still get one.
    fn refill(&mut self, state: &mut State, batch: &mut Batch) -> bool {
        self.heads.resize_with(state.lanes.len(), || None);
        let mut complete = true;
        for (head, lane) in self.heads.iter_mut().zip(&mut state.lanes) {
            while head.is_none() {
                let Some(item) = lane.items.pop_front() else {
                    complete &= lane.ended;
                    break;
                };
                let cost = item.cost();
                match item {
                    Item::Chunk(chunk) => *head = Some(Head { chunk, cost, next: 0 }),
                    Item::Notice(notice) => {
                        batch.notices.push(Notice { before: batch.records.len(), ..notice });
                    }
                }
            }
        }
        complete
    }

    /// The lane with the oldest record, and the time up to which its records are the oldest.
    fn oldest(&self) -> Option<(usize, Timestamp)> {
        let mut oldest: Option<(Timestamp, usize)> = None;
        let mut until = Timestamp(i64::MAX);
        for (lane, head) in self.heads.iter().enumerate() {
            let record = head.as_ref().and_then(|head| head.chunk.records.get(head.next));
            let Some(ts) = record.map(|record| record.ts) else { continue };
            match oldest {
                Some((before, _)) if before <= ts => until = until.min(ts),
                _ => {
                    until = oldest.map_or(until, |(before, _)| until.min(before));
                    oldest = Some((ts, lane));
                }
            }
        }
        oldest.map(|(_, lane)| (lane, until))
    }

    /// Moves a lane's records up to a time into the batch; gives back the head that is spent by
    /// that.
    fn hand_on(&mut self, lane: usize, until: Timestamp, batch: &mut Batch) -> Option<Head> {
        let slot = self.heads.get_mut(lane)?;
        let head = slot.as_mut()?;
        let rest = head.chunk.records.get(head.next..).unwrap_or_default();
        // Without another lane's there is no such time.
        let all = until.0 == i64::MAX || rest.iter().all(|record| record.ts <= until);
        if head.next == 0 && batch.records.is_empty() && all {
            mem::swap(&mut batch.records, &mut head.chunk.records);
            mem::swap(&mut batch.bytes, &mut head.chunk.bytes);
            head.next = batch.records.len();
        } else {
            let first = rest.first().map(|record| record.ts);
            for record in rest {
                // The oldest goes whatever its neighbours' order.
                if (record.ts > until && Some(record.ts) != first) || batch.bytes.len() >= FULL {
                    break;
                }
                let start = record.start as usize;
                let end = start.saturating_add(record.caplen as usize);
                let before = if batch.heads { HEAD_LEN } else { 0 };
                let bytes = head.chunk.bytes.get(start.saturating_sub(before)..end);
                let start = u32::try_from(batch.bytes.len() + before).unwrap_or(u32::MAX);
                batch.records.push(Record { start, ..*record });
                batch.bytes.extend_from_slice(bytes.unwrap_or_default());
                head.next += 1;
            }
        }
        let spent = head.next >= head.chunk.records.len() || head.chunk.records.is_empty();
        spent.then(|| slot.take()).flatten()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.control.stop();
        // A device whose thread was never started has nobody to say so.
        for (device, _) in &self.waiting {
            self.control.ring.end(device.lane);
        }
    }
}

impl Records for Live {
    fn interfaces(&self) -> Arc<[Interface]> {
        Arc::clone(&self.control.ring.lock().interfaces)
    }

    /// Waits for packets or notices; gives at least one unless the capture ends or a
    /// pulse is due.
    fn fill(&mut self, batch: &mut Batch) -> Filled {
        self.start();
        if self.heads.len() == 1 {
            // A single lane's chunks are handed on as they are: the reader can have these back.
            let (records, bytes) = (mem::take(&mut batch.records), mem::take(&mut batch.bytes));
            self.control.ring.lock().keep(Chunk { records, bytes, arrived: Instant::now() });
        }
        batch.records.clear();
        batch.bytes.clear();
        batch.notices.clear();
        batch.heads = self.control.settings.head.is_some();
        batch.first_frame = self.frames + 1;
        let ring = Arc::clone(&self.control.ring);
        let pulse = self.control.settings.pulse.map(|pulse| Instant::now() + pulse);
        let hold = HOLD.saturating_add(self.control.settings.gather.saturating_mul(GATHERED));
        let mut spent = None;
        let more = loop {
            let mut state = ring.lock();
            if let Some((lane, Head { chunk, cost, .. })) = spent.take() {
                state.recycle(lane, chunk, cost);
            }
            let complete = self.refill(&mut state, batch);
            if !Arc::ptr_eq(&batch.interfaces, &state.interfaces) {
                batch.interfaces = Arc::clone(&state.interfaces);
            }
            let something = !batch.records.is_empty() || !batch.notices.is_empty();
            if batch.bytes.len() >= FULL {
                break true;
            }
            let Some((lane, until)) = self.oldest() else {
                if something {
                    break true;
                }
                // Without a device the first one is still waited for.
                if complete && self.control.stop.load(Ordering::Relaxed) {
                    break false;
                }
                let left = pulse.map(|due| due.saturating_duration_since(Instant::now()));
                if left.is_some_and(|left| left.is_zero()) {
                    break true;
                }
                drop(ring.wait(state, left));
                continue;
            };
            if !complete {
                let head = self.heads.get(lane).and_then(Option::as_ref);
                let due = head.map_or_else(Instant::now, |head| head.chunk.arrived + hold);
                let left = due.saturating_duration_since(Instant::now());
                if !left.is_zero() {
                    if something {
                        break true;
                    }
                    drop(ring.wait(state, Some(left)));
                    continue;
                }
            }
            drop(state);
            spent = self.hand_on(lane, until, batch).map(|head| (lane, head));
        };
        self.frames += batch.records.len() as u64;
        Filled { more, fault: None }
    }
}
