//! One device: how it is opened, and the thread that reads it.
//!
//! The thread takes from the kernel what is there, puts it into the ring and waits: for packets,
//! or to be woken. It waits for nobody behind the ring. While nothing comes it sleeps; after
//! packets it looks once at what the kernel has dropped. A device that is gone (a pflogN that was
//! destroyed) is tried for, ever more rarely, until it is back.

use std::io::{PipeReader, Read};
use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pcap::{Active, Capture, Error, Linktype, Packet, Stat};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::ring::{Chunk, Ring};
use super::{Interface, MAX_RECORD_LEN, Record};
use crate::event::notice::{Loss, Place as Where, What};
use crate::filter::Filter;
use crate::time::{Precision, Timestamp};
use crate::wire::ByteOrder;
use crate::wire::link::LinkType;

/// Who may open devices.
#[cfg(target_os = "linux")]
const WHO_MAY: &str = "be root, or have CAP_NET_RAW (setcap cap_net_raw+ep pfscope)";
#[cfg(not(target_os = "linux"))]
const WHO_MAY: &str = "be root, or of the users who may read /dev/bpf";

/// How long the kernel may keep packets to hand on several at once. In immediate mode Linux has
/// a slot of the largest size for each packet, so that its buffer holds a thirtieth; elsewhere
/// immediate mode costs nothing.
const GATHER: Duration = Duration::from_millis(20);
/// The kernel's buffer. It is made of blocks of 256 KiB, and one that has waited for `GATHER` is
/// handed on though a single packet is in it: libpcap's own 2 MiB are full after 160 ms in which
/// the thread is not run, however few packets come. These are after a second.
#[cfg(target_os = "linux")]
const BUFFER: Option<i32> = Some(16 << 20);
/// Where packets may be gathered for longer a block waits for longer too, and fewer last as long.
/// To make the buffer, of zeros, is a good part of a short capture's work.
#[cfg(target_os = "linux")]
const GATHERED_BUFFER: Option<i32> = Some(8 << 20);
/// The system's own.
#[cfg(not(target_os = "linux"))]
const BUFFER: Option<i32> = None;
#[cfg(not(target_os = "linux"))]
const GATHERED_BUFFER: Option<i32> = None;
/// How often what the kernel dropped is looked at, while packets come.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// The end waits so long, besides the time that packets may be gathered, for what the kernel still
/// has, and no longer for what still comes.
const LAST: Duration = Duration::from_millis(40);
const LAST_AT_MOST: Duration = Duration::from_millis(300);
/// How long a device is not looked at whose blocks are full sooner, where packets may be gathered
/// and the kernel has room for what comes at 10 Gbit/s meanwhile: fewer wake-ups.
const REST: Duration = Duration::from_millis(5);
const ROOM_TO_REST: i32 = 8 << 20;
const LITTLE: usize = 1 << 20;
/// On Linux what comes has less than so many bytes if the kernel has gathered it for long enough,
/// and more if a block was full before.
const BLOCK: usize = if cfg!(target_os = "linux") { 64 * 1024 } else { 0 };
/// Chunks that are gathered are so many times as large, where the ring is so large: few wake-ups
/// of who takes them, and they stay in the second-level cache.
const GATHERED: usize = 2;
const RING_TO_GATHER: usize = 32 << 20;
/// Packets that one call takes at most, and how long they usually are: a chunk that is filled with
/// longer ones has so many of these too much at most.
const AT_A_TIME: usize = 64;
const USUAL: usize = 2048;
/// Between two tries to open a device that is gone, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Between two looks at a device that is down, at first and at most: it may go altogether.
const DOWN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// The systems whose libpcap gives nanoseconds when asked; the others ignore it.
const NANOSECONDS: bool = cfg!(any(target_os = "linux", target_os = "freebsd"));

/// Appends a packet's header in a capture file: of an interface, a time, the bytes that are there
/// and that it had. The header never is a value in memory: to load it again would wait for all that
/// is being stored, the packets before it.
pub type Header = fn(&Interface, Timestamp, usize, u32, &mut Vec<u8>);
/// Bytes of such a header.
pub const HEAD_LEN: usize = 16;

/// How to open a device.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Bytes to take of each packet.
    pub snaplen: u32,
    /// Also take packets that are not for this host.
    pub promiscuous: bool,
    /// The kernel's buffer in bytes; if `None`, on Linux 16 MiB, or 8 where packets may be gathered
    /// for longer than the kernel does by itself, elsewhere the system's own size.
    pub buffer: Option<i32>,
    /// Hand each packet on as it comes, where several at once would be the system's way.
    pub immediate: bool,
    /// The link type to ask for, by `DLT_` number; the device's own if `None`.
    pub link: Option<i32>,
    /// What is wanted: the kernel is given the part of it that it can answer.
    pub filter: Filter,
    /// Bytes of the ring between the devices and the consumer.
    pub ring: usize,
    /// Put this in front of each packet's bytes.
    pub head: Option<Header>,
    /// Hand on together what comes within so long, for a consumer that is in no hurry: each batch
    /// wakes it.
    pub gather: Duration,
    /// Hand on a batch after so long even if nothing has come: an empty one, which shows that all
    /// behind it still works.
    pub pulse: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            snaplen: MAX_RECORD_LEN,
            promiscuous: false,
            buffer: None,
            immediate: false,
            link: None,
            filter: Filter::default(),
            ring: 64 * 1024 * 1024,
            head: None,
            gather: Duration::ZERO,
            pulse: None,
        }
    }
}

impl Settings {
    /// Of an expression the part for the kernel, on a device of this link type. Not where packets
    /// are cut within their headers: the kernel sees all of a packet, we what is left.
    pub fn kernel_filter(&self, link: LinkType) -> Option<String> {
        let whole = link.headers_len().is_some_and(|len| self.snaplen >= len);
        whole.then(|| self.filter.kernel(link)).flatten()
    }

    fn buffer(&self) -> Option<i32> {
        self.buffer.or(if self.gather > GATHER { GATHERED_BUFFER } else { BUFFER })
    }

    /// How many times as large chunks are as usual.
    fn times(&self) -> usize {
        if self.gather > GATHER && self.ring >= RING_TO_GATHER { GATHERED } else { 1 }
    }

    /// True if a device may be left alone for a moment.
    fn rests(&self) -> bool {
        self.gather > REST && self.buffer().is_some_and(|bytes| bytes >= ROOM_TO_REST)
    }
}

/// An open device.
pub(super) struct Opened {
    capture: Capture<Active>,
    pub(super) interface: Interface,
}

impl Opened {
    /// Opens a device.
    pub(super) fn new(name: &str, settings: &Settings) -> Result<Self, String> {
        Self::open(name, settings).map_err(message)
    }

    fn open(name: &str, settings: &Settings) -> Result<Self, Error> {
        let mut inactive = Capture::from_device(name)?
            .snaplen(i32::try_from(settings.snaplen).unwrap_or(i32::MAX))
            .promisc(settings.promiscuous)
            .precision(if NANOSECONDS { pcap::Precision::Nano } else { pcap::Precision::Micro });
        #[cfg(target_os = "linux")]
        {
            let long = GATHER.max(settings.gather).as_millis();
            let long = i32::try_from(long).unwrap_or(i32::MAX);
            inactive = inactive.timeout(long).immediate_mode(settings.immediate);
        }
        #[cfg(not(target_os = "linux"))]
        {
            inactive = inactive.immediate_mode(true);
        }
        if let Some(bytes) = settings.buffer() {
            inactive = inactive.buffer_size(bytes);
        }
        let mut capture = inactive.open().and_then(Capture::setnonblock)?;
        if let Some(link) = settings.link {
            capture.set_datalink(Linktype(link))?;
        }
        let link = u32::try_from(capture.get_datalink().0).unwrap_or(u32::MAX);
        let order = if cfg!(target_endian = "big") { ByteOrder::Big } else { ByteOrder::Little };
        let interface = Interface {
            link: LinkType::from_dlt(link),
            order,
            precision: if NANOSECONDS { Precision::Nanos } else { Precision::Micros },
            fcs_len: 0,
            name: Some(name.as_bytes().into()),
            file: None,
        };
        if let Some(expression) = settings.kernel_filter(interface.link) {
            // Where it cannot be set, everything comes, and is asked here as ever.
            let _ = capture.filter(&expression, true);
        }
        Ok(Self { capture, interface })
    }
}

/// libpcap's words for an error.
pub(super) fn message(error: Error) -> String {
    let message = match error {
        Error::PcapError(message) => message,
        other => other.to_string(),
    };
    let refused = ["Operation not permitted", "Permission denied", "permission to"];
    match refused.iter().any(|words| message.contains(words)) {
        true => format!("{message}: {WHO_MAY}"),
        false => message,
    }
}

/// A device and its thread's work.
pub(super) struct Device {
    pub(super) name: String,
    pub(super) settings: Arc<Settings>,
    pub(super) ring: Arc<Ring>,
    pub(super) lane: usize,
    /// A byte here says: look at `stop`, and count.
    pub(super) wake: PipeReader,
    pub(super) stop: Arc<AtomicBool>,
}

impl Device {
    /// Reads until the stop; the device may come and go meanwhile.
    pub(super) fn run(mut self, opened: Opened) {
        let (mut opened, mut chunk) = (Some(opened), Chunk::default());
        while let Some(device) = opened.take() {
            let Err(error) = self.read(device, &mut chunk) else { break };
            self.ring.tell(self.lane, now(), What::Gone(message(error).into()));
            opened = self.reopen();
        }
        self.ring.end(self.lane);
    }

    /// Reads an open device: an error if it can be read no longer, else the stop came.
    fn read(&mut self, opened: Opened, chunk: &mut Chunk) -> Result<(), Error> {
        let Opened { mut capture, interface } = opened;
        let place = Place {
            interface: self.ring.interface(&interface),
            head: self.settings.head.map(|head| (head, interface)),
            times: self.settings.times(),
            rests: self.settings.rests(),
        };
        let mut counted = Counted::new();
        let (mut down, mut began) = (None, None);
        let (mut looked, mut rested) = (Instant::now(), false);
        loop {
            let (before, records) = (chunk.bytes.len(), chunk.records.len());
            let taken = take(&mut capture, &place, chunk);
            let more = chunk.room(place.times) == 0;
            let took = chunk.bytes.len().saturating_sub(before);
            if chunk.records.len() > records {
                (counted.due, down) = (true, None);
            }
            let gather_in = self.hand_on(chunk, &mut began, more || taken.is_err() || took < BLOCK);
            if let Err(error) = taken {
                counted.look(&mut capture, &self.ring, self.lane);
                return Err(error);
            }
            if counted.due && counted.last.elapsed() >= COUNT_EVERY {
                counted.look(&mut capture, &self.ring, self.lane);
            }
            if self.stop.load(Ordering::Relaxed) {
                self.finish(&mut capture, &place, chunk)?;
                counted.look(&mut capture, &self.ring, self.lane);
                return Ok(());
            }
            if more {
                continue;
            }
            let count_in = counted.due.then(|| COUNT_EVERY.saturating_sub(counted.last.elapsed()));
            let long = [count_in, down, gather_in].into_iter().flatten().min();
            let soon = mem::replace(&mut looked, Instant::now()).elapsed() < REST;
            rested = place.rests && (soon || rested) && (BLOCK.max(1)..LITTLE).contains(&took);
            let seen = if rested {
                self.wait(None, Some(long.map_or(REST, |long| long.min(REST))))
            } else {
                self.wait(Some(capture.as_fd()), long)
            };
            if seen.woken {
                counted.look(&mut capture, &self.ring, self.lane);
            }
            if seen.ails {
                // Down, or gone: which, libpcap tells when it is read next. The descriptor may
                // go on saying so, so it is not waited on.
                self.hand_on(chunk, &mut began, true);
                let long = down.map_or(DOWN.0, |long: Duration| (long * 2).min(DOWN.1));
                down = Some(long);
                self.wait(None, Some(long));
            }
        }
    }

    /// Puts what has come into the ring, now or once it has been gathered for long enough, which
    /// `began` with its first packet. How long that is: where the kernel gathers too, nothing in so
    /// long is nothing more.
    fn hand_on(
        &self,
        chunk: &mut Chunk,
        began: &mut Option<Instant>,
        now: bool,
    ) -> Option<Duration> {
        if chunk.records.is_empty() {
            return None;
        }
        let since = began.get_or_insert_with(Instant::now).elapsed();
        let left = self.settings.gather.saturating_sub(since);
        if !now && !left.is_zero() {
            return Some(if BLOCK > 0 { self.settings.gather } else { left });
        }
        self.ring.push(self.lane, chunk);
        *began = None;
        None
    }

    /// Takes what the kernel has when the stop comes.
    fn finish(
        &self,
        capture: &mut Capture<Active>,
        place: &Place,
        chunk: &mut Chunk,
    ) -> Result<(), Error> {
        let start = Instant::now();
        loop {
            let taken = take(capture, place, chunk);
            let more = !chunk.records.is_empty();
            if more {
                self.ring.push(self.lane, chunk);
            }
            taken?;
            let since = start.elapsed();
            let last = LAST.saturating_add(self.settings.gather);
            if since >= LAST_AT_MOST || (!more && since >= last) {
                return Ok(());
            }
            if !more {
                let mut fds = [PollFd::from_borrowed_fd(capture.as_fd(), PollFlags::IN)];
                let _ = poll(&mut fds, Some(&timespec(last.saturating_sub(since))));
            }
        }
    }

    /// Waits for a device that is gone; none if the stop comes first.
    fn reopen(&mut self) -> Option<Opened> {
        let (gone, mut long) = (Instant::now(), RETRY.0);
        while !self.stop.load(Ordering::Relaxed) {
            self.wait(None, Some(long));
            long = (long * 2).min(RETRY.1);
            if let Ok(opened) = Opened::new(&self.name, &self.settings) {
                let away = u64::try_from(gone.elapsed().as_nanos()).unwrap_or(u64::MAX);
                self.ring.tell(self.lane, now(), What::Reopen(away));
                return Some(opened);
            }
        }
        None
    }

    /// Waits for packets and to be woken, for so long.
    fn wait(&mut self, device: Option<BorrowedFd<'_>>, long: Option<Duration>) -> Seen {
        let wake = self.wake.as_fd();
        let mut both =
            [wake, device.unwrap_or(wake)].map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        let fds = both.get_mut(..1 + usize::from(device.is_some())).unwrap_or_default();
        // A signal ends the wait early, which does no harm.
        let _ = poll(fds, long.map(timespec).as_ref());
        let is = |at: usize, flags| fds.get(at).is_some_and(|fd| fd.revents().intersects(flags));
        let broken = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
        let seen = Seen { woken: is(0, PollFlags::IN), ails: is(1, broken) };
        if seen.woken {
            // What the bytes are does not matter, nor how many.
            let _ = self.wake.read(&mut [0; 64]);
        }
        seen
    }
}

/// Where packets come from, and what is put before them.
struct Place {
    interface: u32,
    head: Option<(Header, Interface)>,
    /// How many times as large a chunk is as usual.
    times: usize,
    /// The device may be left alone for a moment.
    rests: bool,
}

/// What ended a wait.
struct Seen {
    woken: bool,
    /// There is something wrong with the device.
    ails: bool,
}

/// What the kernel has counted so far. Its counters are 32 bits wide and begin at 0 each time the
/// device is opened.
struct Counted {
    last: Instant,
    since: Timestamp,
    stat: Stat,
    /// Packets have come since the last look.
    due: bool,
}

impl Counted {
    fn new() -> Self {
        let stat = Stat { received: 0, dropped: 0, if_dropped: 0 };
        Self { last: Instant::now(), since: now(), stat, due: true }
    }

    /// Adds what is new to the counters, and tells of losses.
    fn look(&mut self, capture: &mut Capture<Active>, ring: &Ring, lane: usize) {
        let ts = now();
        if let Ok(stat) = capture.stats() {
            let new = |now: u32, before: u32| u64::from(now.wrapping_sub(before));
            let dropped = new(stat.dropped, self.stat.dropped);
            let if_dropped = new(stat.if_dropped, self.stat.if_dropped);
            ring.count(lane, |counters| {
                counters.received += new(stat.received, self.stat.received);
                counters.dropped += dropped;
                counters.if_dropped += if_dropped;
            });
            for (count, place) in [(dropped, Where::Kernel), (if_dropped, Where::Interface)] {
                if count > 0 {
                    ring.tell(lane, ts, What::Loss(Loss { count, place, since: self.since }));
                }
            }
            self.stat = stat;
        }
        (self.last, self.since, self.due) = (Instant::now(), ts, false);
    }
}

/// Takes the packets that are there, up to a full chunk: many by one call, which costs the copy
/// and the call apiece of pcap_next_ex(3) neither.
fn take(capture: &mut Capture<Active>, place: &Place, chunk: &mut Chunk) -> Result<(), Error> {
    let mut longest = USUAL;
    loop {
        // So many that the chunk is not overfilled if they are no longer than those before.
        let room = chunk.room(place.times);
        if room == 0 {
            break;
        }
        let most = (room / longest).clamp(1, AT_A_TIME);
        let taken = capture.dispatch(Some(most), |packet| {
            longest = longest.max(packet.data.len());
            push(&packet, place, chunk);
        })?;
        // Whether more has come since, the wait will tell.
        if taken < most {
            break;
        }
    }
    Ok(())
}

fn push(packet: &Packet<'_>, place: &Place, chunk: &mut Chunk) {
    let ts = packet.header.ts;
    #[allow(clippy::useless_conversion, reason = "time_t and suseconds_t differ by system")]
    let (seconds, fraction) = (i64::from(ts.tv_sec), i64::from(ts.tv_usec));
    // pcap_set_tstamp_precision(3): nanoseconds stand in tv_usec.
    let nanos = if NANOSECONDS { fraction } else { fraction.saturating_mul(1000) };
    let ts = Timestamp(seconds.saturating_mul(1_000_000_000).saturating_add(nanos));
    if let Some((head, interface)) = &place.head {
        head(interface, ts, packet.data.len(), packet.header.len, &mut chunk.bytes);
    }
    chunk.records.push(Record {
        ts,
        start: u32::try_from(chunk.bytes.len()).unwrap_or(u32::MAX),
        caplen: u32::try_from(packet.data.len()).unwrap_or(u32::MAX),
        len: packet.header.len,
        interface: place.interface,
        offset: 0,
    });
    chunk.bytes.extend_from_slice(packet.data);
}

pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

fn timespec(long: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(long.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: long.subsec_nanos().into(),
    }
}
