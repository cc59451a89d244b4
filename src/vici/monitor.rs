//! Events for as long as one likes: through restarts of the daemon, with a look at the whole at
//! each new beginning.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::codec::CodecError;
use super::connection::{Connection, Options};
use super::error::Error;
use super::inbox::{End, Event, Inbox, Incoming};
use super::message::Section;
use super::uri::{Deadline, Uri};

/// First and longest pause before the daemon is tried again.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];
/// Updates that wait outside of the inbox, whose memory is bounded.
const AHEAD: usize = 16;

/// What to watch.
#[derive(Debug, Clone)]
pub struct Watch {
    /// The daemon.
    pub uri: Uri,
    /// Limits.
    pub options: Options,
    /// The events, as in [`super::commands::EVENTS`]. `log` is heavy.
    pub events: Vec<String>,
    /// How often to look at the whole again; `None`: at each beginning alone.
    pub refresh: Option<Duration>,
}

/// What happened.
#[derive(Debug)]
pub enum Update<T> {
    /// Connected, events registered.
    Up {
        /// The daemon's version as it writes it, if it answers that.
        version: Option<Vec<u8>>,
        /// Events that this daemon does not have.
        unknown: Vec<String>,
    },
    /// What the look at the whole returned. Events that arrived meanwhile follow; what they
    /// tell may be part of it already.
    Synced(T),
    /// An event.
    Event(Event),
    /// So many events are missing here: they were not taken in time.
    Dropped(u64),
    /// A segment that is no packet a daemon sends.
    Undecodable(CodecError),
    /// The connection has ended, or there was none: nothing that was known is sure. Told once
    /// until the next `Up`.
    Down(Error),
}

/// Watches a daemon from a thread of its own, which ends soon after the monitor is dropped.
///
/// After each beginning it registers the events first and then calls `sync`, which looks at the
/// whole on the same connection (`list-sas`), so that nothing falls between the two. An error
/// of `sync` ends the connection.
///
/// ```no_run
/// use std::time::Duration;
/// use pfscope::vici::{Monitor, Options, Update, Watch, message::Section};
///
/// let watch = Watch {
///     uri: "unix:///var/run/charon.vici".parse()?,
///     options: Options::default(),
///     events: vec!["child-updown".into(), "child-rekey".into()],
///     refresh: Some(Duration::from_secs(60)),
/// };
/// let monitor = Monitor::start(watch, |connection| {
///     let stream = connection.stream("list-sas", "list-sa", &Section::new())?;
///     Ok(stream.filter_map(Result::ok).collect::<Vec<_>>())
/// })?;
/// for update in &monitor {
///     match update {
///         Update::Synced(list) => println!("{} IKE_SAs", list.len()),
///         Update::Event(event) => println!("{:?}", event.message()),
///         other => println!("{other:?}"),
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Monitor<T> {
    updates: Receiver<Update<T>>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    inbox: Arc<Inbox>,
    stop: AtomicBool,
    refresh: AtomicBool,
}

impl<T: Send + 'static> Monitor<T> {
    /// Starts watching.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(
        watch: Watch,
        sync: impl FnMut(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> std::io::Result<Self> {
        let (sender, updates) = sync_channel(AHEAD);
        let shared = Arc::new(Shared {
            inbox: Arc::new(Inbox::new(watch.options.queue)),
            stop: AtomicBool::new(false),
            refresh: AtomicBool::new(false),
        });
        thread::Builder::new().name("vici-monitor".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || Watcher { watch, shared, sender, sync }.run()
        })?;
        Ok(Self { updates, shared })
    }
}

impl<T> Monitor<T> {
    /// The next update; `None` when the time is over.
    pub fn next_within(&self, limit: Duration) -> Option<Update<T>> {
        self.updates.recv_timeout(limit).ok()
    }

    /// Looks at the whole again, soon.
    pub fn refresh(&self) {
        self.shared.refresh.store(true, Ordering::Relaxed);
        self.shared.inbox.poke();
    }
}

impl<T> Iterator for &Monitor<T> {
    type Item = Update<T>;

    /// Waits as long as it takes; `None` only if `sync` has panicked.
    fn next(&mut self) -> Option<Update<T>> {
        self.updates.recv().ok()
    }
}

impl<T> Drop for Monitor<T> {
    /// Does not wait for the thread, which may be connecting.
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.inbox.end(End::Closed);
        self.shared.inbox.poke();
    }
}

/// The monitor is gone: nobody is left to tell.
struct Gone;

struct Watcher<T, F> {
    watch: Watch,
    shared: Arc<Shared>,
    sender: SyncSender<Update<T>>,
    sync: F,
}

impl<T, F: FnMut(&mut Connection) -> Result<T, Error>> Watcher<T, F> {
    fn run(mut self) {
        let [shortest, longest] = PAUSES;
        let (mut pause, mut is_down) = (shortest, false);
        while !self.shared.stop.load(Ordering::Relaxed) {
            let began = Instant::now();
            let inbox = Arc::clone(&self.shared.inbox);
            let opened = Connection::open_into(&self.watch.uri, self.watch.options, inbox);
            let ended = match opened.and_then(|mut connection| {
                let up = self.begin(&mut connection)?;
                Ok((connection, up))
            }) {
                Ok((connection, up)) => {
                    is_down = false;
                    match self.follow(connection, up) {
                        Ok(error) => error,
                        Err(Gone) => return,
                    }
                }
                Err(error) => error,
            };
            if !is_down && self.tell(Update::Down(ended)).is_err() {
                return;
            }
            is_down = true;
            // A daemon that was there for a while is soon there again.
            if began.elapsed() > longest {
                pause = shortest;
            }
            self.sleep(pause);
            pause = (pause * 2).min(longest);
        }
    }

    /// A refresh that is asked for does not end the pause.
    fn sleep(&self, pause: Duration) {
        let deadline = Deadline::within(pause);
        while let Some(left) = deadline.left() {
            if self.shared.stop.load(Ordering::Relaxed) {
                return;
            }
            self.shared.inbox.sleep(left);
        }
    }

    fn tell(&self, update: Update<T>) -> Result<(), Gone> {
        self.sender.send(update).map_err(|_| Gone)
    }

    fn begin(&self, connection: &mut Connection) -> Result<Update<T>, Error> {
        let mut unknown = Vec::new();
        for event in &self.watch.events {
            match connection.register(event) {
                Ok(()) => {}
                Err(Error::UnknownEvent(_)) => unknown.push(event.clone()),
                Err(error) => return Err(error),
            }
        }
        let version = match connection.request("version", &Section::new()) {
            Ok(reply) => reply.value("version").map(<[u8]>::to_vec),
            Err(error) if error.is_harmless() => None,
            Err(error) => return Err(error),
        };
        Ok(Update::Up { version, unknown })
    }

    /// Follows the connection until it ends, and returns why.
    fn follow(&mut self, mut connection: Connection, up: Update<T>) -> Result<Error, Gone> {
        self.tell(up)?;
        loop {
            self.shared.refresh.store(false, Ordering::Relaxed);
            match (self.sync)(&mut connection) {
                Ok(whole) => self.tell(Update::Synced(whole))?,
                Err(error) => return Ok(error),
            }
            let refresh = Deadline::within(self.watch.refresh.unwrap_or(Duration::MAX));
            loop {
                let incoming = match connection.next_until(refresh) {
                    Ok(incoming) => incoming,
                    Err(error) => return Ok(error),
                };
                match incoming {
                    Some(Incoming::Event(event)) => self.tell(Update::Event(event))?,
                    Some(Incoming::Dropped(count)) => self.tell(Update::Dropped(count))?,
                    Some(Incoming::Undecodable(error)) => self.tell(Update::Undecodable(error))?,
                    None => {}
                }
                if self.shared.stop.load(Ordering::Relaxed) {
                    return Err(Gone);
                }
                if refresh.left().is_none() || self.shared.refresh.load(Ordering::Relaxed) {
                    break;
                }
            }
        }
    }
}
