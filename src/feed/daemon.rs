//! The events of an IKE daemon as a source: each goes to every output whose format has a shape for
//! it. An output's filter is of packets, and leaves none of these out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::reader::{binder, parcel};
use super::stream::Stream;
use super::supervisor::Say;
use crate::event::notice::{Loss, Notice, Place, What};
use crate::sink::id::Ids;
use crate::sink::json::Origin;
use crate::sink::notice::Notices;
use crate::sink::page::{Binder, Page};
use crate::sink::site::Site;
use crate::sink::vici::Vici;
use crate::time::Timestamp;
use crate::vici::{Event, Monitor, Options, Update, Uri, Watch};

/// What is delivered.
const EVENTS: [&str; 6] =
    ["ike-updown", "child-updown", "ike-rekey", "child-rekey", "ike-update", "alert"];
/// How long a wait lasts before it is looked who takes the next.
const LOOK: Duration = Duration::from_millis(100);

/// A daemon that is listened to, for one taker after the other.
#[derive(Clone)]
pub(super) struct Daemon {
    uri: Uri,
    monitor: Arc<Mutex<Option<Monitor<()>>>>,
    /// Who takes it now is to end.
    turn: Arc<AtomicBool>,
}

impl Daemon {
    /// One that is not listened to yet.
    pub(super) fn new(uri: &str) -> Result<Self, String> {
        let uri = uri.parse().map_err(|error| format!("vici: {error}"))?;
        Ok(Self { uri, monitor: Arc::default(), turn: Arc::default() })
    }

    /// Makes who takes it now end.
    pub(super) fn turn(&self) {
        self.turn.store(true, Ordering::Relaxed);
    }

    /// For the next taker.
    pub(super) fn taker(&self) -> Self {
        self.turn.store(false, Ordering::Relaxed);
        self.clone()
    }

    /// Renders what it says for all streams, until the turn; why it cannot be listened to.
    pub(super) fn follow(
        &self,
        name: &str,
        site: &Arc<Site>,
        streams: &[Arc<Stream>],
        say: &Say,
    ) -> Option<String> {
        let mut monitor = self.monitor.lock().unwrap_or_else(PoisonError::into_inner);
        let monitor = match &mut *monitor {
            Some(monitor) => monitor,
            none => {
                let events = EVENTS.map(str::to_owned).to_vec();
                let options = Options { connect: Duration::from_secs(5), ..Options::default() };
                let watch = Watch { uri: self.uri.clone(), options, events, refresh: None };
                match Monitor::start(watch, |_| Ok(())) {
                    Ok(started) => none.insert(started),
                    Err(error) => return Some(error.to_string()),
                }
            }
        };
        let voice = |stream: &Arc<Stream>| Voice::new(name, site, stream);
        let mut voices: Vec<_> = streams.iter().filter_map(voice).collect();
        let (mut down, mut since): (Option<Instant>, _) = (None, Timestamp::now());
        while !self.turn.load(Ordering::Relaxed) {
            let Some(update) = monitor.next_within(LOOK) else { continue };
            let now = Timestamp::now();
            let told = match update {
                Update::Event(event) => {
                    voices.iter_mut().for_each(|voice| voice.event(&event));
                    None
                }
                Update::Up { version, .. } => {
                    let version = version.unwrap_or_default();
                    voices.iter_mut().for_each(|voice| voice.vici.set_version(&version));
                    let away = down.take().map(|down| down.elapsed().as_nanos());
                    if away.is_some() {
                        say(&format!("source {name}: the daemon answers"));
                    }
                    away.map(|nanos| What::Reopen(u64::try_from(nanos).unwrap_or(u64::MAX)))
                }
                Update::Down(error) => {
                    down = Some(Instant::now());
                    say(&format!("source {name}: {error}; it is waited for"));
                    Some(What::Gone(error.to_string().into()))
                }
                Update::Dropped(count) => {
                    Some(What::Loss(Loss { count, place: Place::Ring, since }))
                }
                Update::Undecodable(error) => {
                    say(&format!("source {name}: an event cannot be decoded: {error}"));
                    voices.iter().for_each(|voice| voice.stream.counters.received.add(1));
                    None
                }
                Update::Synced(()) => None,
            };
            since = now;
            if let Some(what) = told {
                let notice = Notice { before: 0, ts: now, source: name.as_bytes().into(), what };
                voices.iter_mut().for_each(|voice| voice.happened(&notice));
            }
        }
        None
    }
}

/// What renders for one output.
struct Voice {
    stream: Arc<Stream>,
    vici: Vici,
    notices: Option<Notices>,
    ids: Ids,
    page: Page,
    binder: Binder,
    scratch: Vec<u8>,
}

impl Voice {
    /// None of a format that has no shape for it.
    fn new(name: &str, site: &Arc<Site>, stream: &Arc<Stream>) -> Option<Self> {
        Some(Self {
            vici: Vici::new(stream.format.form()?, name, site).numbered(),
            notices: stream.format.notices(&Origin::Devices, site),
            ids: Ids::new(&site.observer),
            page: Page::default(),
            binder: binder(stream.sequence()),
            scratch: Vec::new(),
            stream: Arc::clone(stream),
        })
    }

    fn event(&mut self, event: &Event) {
        self.stream.counters.received.add(1);
        let Ok(message) = event.message() else { return };
        self.stream.counters.decoded.add(1);
        self.vici.event(&event.name, event.at, &message, &mut self.page);
        self.put();
    }

    fn happened(&mut self, notice: &Notice) {
        if let What::Loss(loss) = &notice.what {
            self.stream.counters.lost(loss.place).add(loss.count);
        }
        let Some(notices) = &mut self.notices else { return };
        notices.tell(notice, &mut self.page);
        let id = self.ids.happening(notice);
        self.page.document(self.page.text.len(), id, notice.ts);
        self.put();
    }

    fn put(&mut self) {
        let parcel = parcel(&self.page, &mut self.binder, &mut self.scratch);
        self.page.clear();
        self.stream.put(parcel, self.binder.sequence(), || true);
    }
}
