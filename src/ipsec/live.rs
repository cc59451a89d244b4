//! The SAs of a running daemon, looked up while packets come.
//!
//! A thread follows the daemon and swaps in an index whenever something has changed; whoever looks
//! things up takes the one that is there, without a lock. Nothing here waits for the daemon but
//! [`Live::wait`], and that only while the daemon answers and for as long as it is told.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::correlate::Named;
use super::feed::{self, Feed, now};
use super::index::Index;
use super::journal::Record;
use super::services::Services;
use super::table::Table;
use crate::packet::Packet;
use crate::time::Timestamp;
use crate::vici::message::Section;
use crate::vici::{Client, Options, Uri};

/// How long packets of an SA may still come after it has ended: strongSwan keeps a rekeyed one for
/// 5 seconds (`delete_rekeyed_delay`).
pub const GRACE: Duration = Duration::from_secs(10);
/// How often all SAs are listed.
pub const REFRESH: Duration = Duration::from_secs(30);

/// Questions that wait.
const QUESTIONS: usize = 16;
/// Records that are taken before the index is made anew.
const AT_ONCE: usize = 10_000;
/// An index is made no sooner than so many times as long as the last one took.
const REST: u32 = 4;
/// How often what has ended is forgotten.
const TICK: Duration = Duration::from_millis(500);

/// An index that is replaced as a whole.
#[derive(Debug, Clone)]
pub struct Tunnels(Arc<ArcSwap<Index>>);

impl Tunnels {
    /// One that stays.
    pub fn new(index: Index) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(index)))
    }

    /// The one that is there now.
    pub fn now(&self) -> Arc<Index> {
        self.0.load_full()
    }
}

/// The SAs of a running daemon.
#[derive(Debug, Clone)]
pub struct Live {
    shared: Arc<Shared>,
    questions: SyncSender<Option<u32>>,
}

#[derive(Debug)]
struct Shared {
    tunnels: Tunnels,
    table: Mutex<Table>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The daemon answers; `None` before that is known.
    up: Option<bool>,
    /// Indexes so far.
    version: u64,
}

/// An SA that a packet names and nobody knows.
#[derive(Debug, Clone, Copy)]
pub struct Unknown(Named, Timestamp);

impl Unknown {
    /// The SA of a packet, if an index does not have it.
    pub fn of(packet: &Packet<'_>, at: Timestamp, index: &Index) -> Option<Self> {
        let named = Named::of(packet)?;
        named.find(index, at).is_none().then_some(Self(named, at))
    }
}

impl Live {
    /// Follows a daemon. `tell` gets a sentence when it stops answering and when it answers again.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(uri: Uri, tell: impl Fn(&str) + Send + 'static) -> std::io::Result<Self> {
        let feed = Feed::start(uri.clone(), REFRESH)?;
        let table = Table::new(GRACE, Services::of_system());
        let shared = Arc::new(Shared {
            tunnels: Tunnels::new(Index::default()),
            table: Mutex::new(table),
            state: Mutex::new(State::default()),
            changed: Condvar::new(),
        });
        let (questions, asked) = sync_channel(QUESTIONS);
        let (follower, asker) = (Arc::clone(&shared), Arc::clone(&shared));
        let same = uri.clone();
        spawn("ipsec", move || follower.follow(&uri, &feed, tell))?;
        spawn("ipsec-ask", move || asker.answer(same, &asked))?;
        Ok(Self { shared, questions })
    }

    /// What packets' tunnels are found in.
    pub fn tunnels(&self) -> Tunnels {
        self.shared.tunnels.clone()
    }

    /// Waits until it is known whether the daemon answers, and all SAs if it does.
    pub fn ready(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let mut state = lock(&self.shared.state);
        while state.up.is_none() {
            let Some(left) = left(deadline) else { return };
            state = self.shared.wait(state, left);
        }
    }

    /// Asks the daemon for SAs that packets name, and waits until all are known, but no longer than
    /// the limit; not at all while the daemon does not answer. True if all are known.
    pub fn wait(&self, unknown: &mut Vec<Unknown>, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut version = None;
        loop {
            let index = self.shared.tunnels.now();
            unknown.retain(|Unknown(named, at)| named.find(&index, *at).is_none());
            if unknown.is_empty() {
                return true;
            }
            if version.is_none() && !self.ask(unknown, &index) {
                return false;
            }
            let mut state = lock(&self.shared.state);
            let seen = *version.get_or_insert(state.version);
            while state.version == seen {
                let Some(left) = left(deadline).filter(|_| state.up == Some(true)) else {
                    return false;
                };
                state = self.shared.wait(state, left);
            }
            version = Some(state.version);
        }
    }

    /// Asks for SAs without waiting; false if nobody answers.
    pub fn ask(&self, unknown: &[Unknown], index: &Index) -> bool {
        if lock(&self.shared.state).up != Some(true) {
            return false;
        }
        let mut ikes: Vec<Option<u32>> = Vec::new();
        for Unknown(named, at) in unknown {
            let hosts = named.src.zip(named.dst);
            let between = hosts.filter(|_| !named.is_ike());
            let ike = between.and_then(|(src, dst)| index.between(src, dst, *at));
            if !ikes.contains(&ike) && ikes.len() < QUESTIONS {
                ikes.push(ike);
            }
        }
        // A full queue means that the daemon is being asked already.
        ikes.into_iter().for_each(|ike| _ = self.questions.try_send(ike));
        true
    }
}

impl Shared {
    fn follow(self: &Arc<Self>, uri: &Uri, feed: &Feed, tell: impl Fn(&str)) {
        let (mut next, mut was_down) = (Instant::now(), false);
        // Ends when nobody else knows of it.
        while Arc::strong_count(self) > 1 {
            let rest = left(next).map_or(TICK, |rest| rest.min(TICK));
            let mut records = feed.next_within(rest);
            for _ in 1..AT_ONCE {
                let more = feed.next_within(Duration::ZERO);
                if more.is_empty() {
                    break;
                }
                records.extend(more);
            }
            let mut table = lock(&self.table);
            for (at, record) in &records {
                table.apply(*at, record);
            }
            table.forget(now());
            let up = records.iter().rev().find_map(|(_, record)| match record {
                Record::Listed { .. } => Some(true),
                Record::Down(_) => Some(false),
                _ => None,
            });
            if up.is_some() || left(next).is_none() {
                next = Instant::now() + self.publish(&mut table, up) * REST;
            }
            drop(table);
            if records.iter().any(|(_, record)| matches!(record, Record::Dropped(_))) {
                feed.refresh();
            }
            for (_, record) in &records {
                match record {
                    Record::Down(why) => {
                        tell(&format!(
                            "{why}: packets are printed without tunnels until it answers"
                        ));
                        was_down = true;
                    }
                    Record::Listed { .. } if was_down => {
                        tell(&format!("{uri}: the daemon answers"));
                        was_down = false;
                    }
                    _ => {}
                }
            }
        }
    }

    /// Makes the index anew if something has changed; how long that took.
    fn publish(&self, table: &mut Table, up: Option<bool>) -> Duration {
        let begin = Instant::now();
        let changed = table.has_changed();
        if changed {
            self.tunnels.0.store(Arc::new(table.index()));
        }
        let mut state = lock(&self.state);
        if changed || up.is_some() {
            state.up = up.or(state.up);
            state.version = state.version.wrapping_add(1);
            self.changed.notify_all();
        }
        begin.elapsed()
    }

    /// Asks the daemon what is wanted: the SAs of one IKE_SA, or all.
    fn answer(&self, uri: Uri, asked: &Receiver<Option<u32>>) {
        let limit = Duration::from_secs(1);
        let mut client =
            Client::new(uri, Options { connect: limit, reply: limit, ..feed::options() });
        while let Ok(ike) = asked.recv() {
            let wanted = match ike {
                Some(uniqueid) => Section::new().with("ike-id", uniqueid.to_string()),
                None => Section::new(),
            };
            let mut complete = true;
            let told = client.connection().and_then(|connection| {
                feed::stream(connection, "list-sas", "list-sa", &wanted, &mut complete)
            });
            // What is wrong with the daemon the other thread tells.
            let Ok(told) = told else { continue };
            let mut table = lock(&self.table);
            told.iter().for_each(|sa| table.event(now(), b"list-sa", sa));
            self.publish(&mut table, None);
        }
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>, limit: Duration) -> MutexGuard<'s, State> {
        let waited = self.changed.wait_timeout(state, limit);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn left(deadline: Instant) -> Option<Duration> {
    deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
}
