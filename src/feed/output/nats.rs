//! NATS JetStream: every event a message, acknowledged by the stream.
//!
//! Messages go out in a window: so many wait for their acknowledgement at once. Each carries the
//! event's id as `Nats-Msg-Id`, by which the server leaves out what it has already got (within
//! the stream's duplicate window). A connection that was lost takes with it what was not
//! acknowledged: that is sent again on a new one, for which the login is read anew.
//!
//! An acknowledgement costs both sides as much as the message. So the messages of a parcel are a
//! chain: each names the one before it as `Nats-Expected-Last-Msg-Id`, and the stream takes it only
//! if that is its last one. Then an acknowledgement, which the first asks for and one in `SEGMENT`,
//! is one of all before it, if the stream's numbers have grown by as many. Where somebody else publishes to the stream at the same time, or the stream
//! refuses one, or has one already, the chain breaks: what is not sure is sent again one by one,
//! each with an acknowledgement of its own, and for a while so are the parcels after it.

use std::fmt;
use std::future::poll_fn;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use async_nats::subject::Subject;
use async_nats::{
    Client, ConnectOptions, Event, HeaderMap, HeaderName, HeaderValue, Message, PublishErrorKind,
    ServerAddr, StatusCode, Subscriber,
};
use bytes::BytesMut;
use futures_util::Stream;
use serde::Deserialize;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, timeout_at};

use super::secret::Kept;
use super::tls::Tls;
use super::{Fate, Output, Pending, Trouble};
use crate::feed::parcel::Parcel;

/// Messages that wait for their acknowledgement at once.
const WINDOW: u64 = 8192;
/// As many as the client has room for.
const IN_CLIENT: usize = 8192;
/// Messages of a chain that are acknowledged together.
const SEGMENT: usize = 128;
/// After so many breaks of a chain in turn the next one is not put off for longer: two to the
/// power of it parcels.
const MOST_BREAKS: u32 = 8;
/// How long nothing is heard before it is asked whether the connection is still there.
const TICK: Duration = Duration::from_millis(100);
/// JSStreamMessageExceedsMaximumErr (the server's errors.json): more than the stream's
/// `max_msg_size`.
const TOO_LARGE: u64 = 10_054;

/// How a login goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// User and password.
    User(String, Kept),
    /// A token.
    Token(Kept),
    /// The seed of an NKEY.
    Nkey(Kept),
    /// The contents of a `.creds` file.
    Credentials(Kept),
}

/// What a server is reached by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `nats://host:4222` or `tls://host:4222`.
    pub url: String,
    /// The messages' subject; a stream takes it.
    pub subject: String,
    /// How to log in.
    pub login: Option<Login>,
    /// TLS.
    pub tls: Tls,
    /// How long connecting, or an acknowledgement, may take.
    pub timeout: Duration,
}

/// An output that publishes.
pub struct Nats {
    settings: Settings,
    subject: Subject,
    runtime: Runtime,
    connected: Option<Connected>,
    /// Calls for which each message asks for its own acknowledgement.
    singly: u32,
    /// Chains that broke in turn.
    breaks: u32,
}

/// A connection. Its end is a task of the runtime: it is dropped inside of it.
struct Connected {
    client: Client,
    /// Where acknowledgements come to, but for their number.
    inbox: String,
    acks: Subscriber,
    /// The number of the next acknowledgement.
    next: u64,
    /// The connection was closed, if only for a moment.
    lost: Arc<AtomicBool>,
}

impl Nats {
    /// An output; nothing is connected yet.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let subject = Subject::validated(settings.subject.as_str())
            .map_err(|error| format!("subject '{}': {error}", settings.subject))?;
        if settings.url.contains('@') {
            return Err("a password has no place in a url: use user and password_file".to_owned());
        }
        if tls_is_asked_for(&settings) {
            settings.tls.load()?;
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("nats")
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { settings, subject, runtime, connected: None, singly: 0, breaks: 0 })
    }

    fn trouble(&self, why: impl fmt::Display) -> Trouble {
        Trouble::new(format!("{}: {why}", self.settings.url))
    }

    /// The connection, made if there is none.
    fn connected(&mut self) -> Result<Connected, Trouble> {
        if let Some(connected) = self.connected.take()
            && !connected.lost.load(Ordering::Relaxed)
        {
            return Ok(connected);
        }
        let connected = self.runtime.block_on(connect(&self.settings));
        connected.map_err(|why| self.trouble(why))
    }
}

/// Host and port of the server at an address.
pub fn server(url: &str) -> Option<(String, u16)> {
    let address: ServerAddr = url.parse().ok()?;
    Some((address.host().to_owned(), address.port()))
}

fn tls_is_asked_for(settings: &Settings) -> bool {
    settings.url.starts_with("tls://") || settings.tls != Tls::default()
}

async fn connect(settings: &Settings) -> Result<Connected, String> {
    let lost = Arc::new(AtomicBool::new(false));
    let options = options(settings, Arc::clone(&lost))?;
    let connecting = options.connect(settings.url.as_str());
    // The client's own limit is for each of a host's addresses, and each step.
    let client = tokio::time::timeout(settings.timeout, connecting).await;
    let client = client.map_err(|_| "no answer in time")?.map_err(|error| error.to_string())?;
    let inbox = client.new_inbox();
    let acks = client.subscribe(format!("{inbox}.*")).await.map_err(|error| error.to_string())?;
    Ok(Connected { client, inbox, acks, next: 0, lost })
}

fn options(settings: &Settings, lost: Arc<AtomicBool>) -> Result<ConnectOptions, String> {
    let options = ConnectOptions::new()
        .name("pfscope")
        .connection_timeout(settings.timeout)
        .client_capacity(IN_CLIENT)
        // Acknowledgements that have nowhere to go are thrown away.
        .subscription_capacity(2 * IN_CLIENT)
        // Going on is this output's own work; the client tries once more, then ends.
        .max_reconnects(1)
        .event_callback(move |event| {
            if matches!(event, Event::Disconnected | Event::Closed) {
                lost.store(true, Ordering::Relaxed);
            }
            async {}
        });
    let options = match &settings.login {
        None => options,
        Some(Login::User(user, kept)) => {
            options.user_and_password(user.clone(), kept.read()?.reveal().to_owned())
        }
        Some(Login::Token(kept)) => options.token(kept.read()?.reveal().to_owned()),
        Some(Login::Nkey(kept)) => options.nkey(kept.read()?.reveal().to_owned()),
        Some(Login::Credentials(kept)) => {
            let text = kept.read_all()?;
            options.credentials(text.reveal()).map_err(|error| error.to_string())?
        }
    };
    // A server may ask for TLS where the address does not.
    match settings.tls.client_config() {
        Ok(config) => Ok(options.tls_client_config(config).require_tls(tls_is_asked_for(settings))),
        Err(why) if tls_is_asked_for(settings) => Err(why),
        Err(_) => Ok(options),
    }
}

/// The stream's answer; there is more in it.
#[derive(Deserialize)]
struct Ack {
    error: Option<AckError>,
    /// The message's number in the stream.
    #[serde(default)]
    seq: u64,
    /// It had the message already.
    #[serde(default)]
    duplicate: bool,
}

#[derive(Deserialize)]
struct AckError {
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

/// What an answer says, and the number under which the stream has taken the message just now.
fn fate(message: &Message) -> (Fate, Option<u64>) {
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        return (Fate::Again("no stream takes the subject".to_owned()), None);
    }
    let fate = match serde_json::from_slice::<Ack>(&message.payload) {
        Ok(Ack { error: None, duplicate: true, .. }) => Fate::Taken,
        Ok(Ack { error: None, seq, .. }) => return (Fate::Taken, Some(seq)),
        Ok(Ack { error: Some(error), .. }) if error.err_code == TOO_LARGE => {
            Fate::Refused(error.description)
        }
        Ok(Ack { error: Some(error), .. }) => Fate::Again(error.description),
        Err(error) => Fate::Again(format!("no answer of a stream: {error}")),
    };
    (fate, None)
}

/// What an acknowledgement is for.
struct Asked {
    /// The messages, by their places in the flight.
    places: Range<usize>,
    /// How many of them are on their way.
    open: u64,
}

/// The messages of one call, and what was heard of them.
struct Flight<'c> {
    connected: &'c mut Connected,
    /// Each message names the one before it, and few ask for an acknowledgement.
    chained: bool,
    /// A link of the chain is missing, or it cannot be told whether one is.
    broken: bool,
    /// The number in the stream of the message that was acknowledged last, of a chain.
    reached: Option<u64>,
    /// The number of the first acknowledgement.
    first: u64,
    /// What was asked, by number from the first, until it is answered.
    asked: Vec<Option<Asked>>,
    /// Of each message.
    fates: Vec<Option<Fate>>,
    /// Of how many nothing was heard yet.
    open: u64,
}

impl<'c> Flight<'c> {
    fn new(connected: &'c mut Connected, chained: bool) -> Self {
        let (first, asked, fates) = (connected.next, Vec::new(), Vec::new());
        let (broken, reached, open) = (false, None, 0);
        Self { connected, chained, broken, reached, first, asked, fates, open }
    }

    /// Notes an acknowledgement.
    fn hear(&mut self, message: &Message) {
        let number = message.subject.rsplit_once('.').and_then(|(_, number)| number.parse().ok());
        let at = number.and_then(|number: u64| number.checked_sub(self.first));
        let asked = at.and_then(|at| self.asked.get_mut(usize::try_from(at).ok()?)?.take());
        let Some(Asked { places, open }) = asked else { return };
        self.open -= open;
        let (fate, number) = fate(message);
        if self.chained {
            // As many numbers further as messages, with none of others in between: else this one
            // would not have been taken.
            let expected = self.reached.map(|reached| reached.saturating_add(open));
            if number.is_none() || expected.is_some_and(|expected| number != Some(expected)) {
                self.broken = true;
                return;
            }
            self.reached = number;
        }
        for place in self.fates.get_mut(places).unwrap_or_default() {
            place.get_or_insert_with(|| fate.clone());
        }
    }

    /// Takes what acknowledgements are there; waits for one if `wait`. Why none will come.
    async fn listen(&mut self, wait: Option<Duration>) -> Result<(), String> {
        let until = wait.map(|wait| Instant::now() + wait);
        loop {
            let acks = &mut self.connected.acks;
            let next = poll_fn(|context| match (Pin::new(&mut *acks).poll_next(context), until) {
                (Poll::Ready(message), _) => Poll::Ready(Some(message)),
                (Poll::Pending, Some(_)) => Poll::Pending,
                (Poll::Pending, None) => Poll::Ready(None),
            });
            let heard = match until {
                None => next.await,
                Some(until) => {
                    let tick = until.min(Instant::now() + TICK);
                    match timeout_at(tick, next).await {
                        Ok(heard) => heard,
                        Err(_) if self.connected.lost.load(Ordering::Relaxed) => {
                            return Err("the connection was lost".to_owned());
                        }
                        Err(_) if Instant::now() >= until => {
                            return Err("no acknowledgement in time".to_owned());
                        }
                        Err(_) => continue,
                    }
                }
            };
            match heard {
                Some(Some(message)) => self.hear(&message),
                Some(None) => return Err("the connection is closed".to_owned()),
                None => return Ok(()),
            }
            if until.is_some() {
                return Ok(());
            }
        }
    }

    /// Hears of messages until so many are open. Why nothing will be heard.
    async fn await_acks(&mut self, open: u64, timeout: Duration) -> Result<(), String> {
        while self.open > open {
            // Several at once: the client writes what it has, and does not wake up for each.
            self.listen(Some(timeout)).await?;
            self.listen(None).await?;
        }
        Ok(())
    }

    /// Publishes all that is pending, and hears of all; a chain that breaks ends it. Why it ended
    /// early.
    async fn publish(
        &mut self,
        subject: &Subject,
        parcel: &Parcel,
        pending: &Pending,
        timeout: Duration,
    ) -> Result<(), String> {
        let id = HeaderName::from_static("Nats-Msg-Id");
        let before = HeaderName::from_static("Nats-Expected-Last-Msg-Id");
        let mut payloads = BytesMut::with_capacity(parcel.size());
        let (count, most) = (pending.places().len(), if self.chained { SEGMENT } else { 1 });
        let (mut last, mut start, mut waiting) = (None, 0, 0);
        for (place, (_, event)) in pending.events(parcel).enumerate() {
            if self.open >= WINDOW {
                self.await_acks(WINDOW / 2, timeout).await?;
            }
            if self.broken {
                break;
            }
            let name = HeaderValue::from(event.id.to_string());
            let mut headers = HeaderMap::new();
            if let Some(last) = last.replace(name.clone()).filter(|_| self.chained) {
                headers.insert(before.clone(), last);
            }
            headers.insert(id.clone(), name);
            payloads.extend_from_slice(event.text);
            let payload = payloads.split().freeze();
            let asks = place == 0 || place + 1 - start >= most || place + 1 == count;
            let published = {
                let Connected { client, inbox, next, .. } = &*self.connected;
                let subject = subject.clone();
                let mut publishing = pin!(async {
                    if asks {
                        let reply = format!("{inbox}.{next}");
                        client
                            .publish_with_reply_and_headers(subject, reply, headers, payload)
                            .await
                    } else {
                        client.publish_with_headers(subject, headers, payload).await
                    }
                });
                // There is room as a rule, and a timer costs as much as the rest.
                match poll_fn(|context| Poll::Ready(publishing.as_mut().poll(context))).await {
                    Poll::Ready(published) => published,
                    Poll::Pending => tokio::time::timeout(timeout, publishing)
                        .await
                        .map_err(|_| "the connection takes nothing")?,
                }
            };
            match published {
                Ok(()) => {
                    self.fates.push(None);
                    waiting += 1;
                    self.open += 1;
                    if asks {
                        self.connected.next += 1;
                        self.asked.push(Some(Asked { places: start..place + 1, open: waiting }));
                        (start, waiting) = (place + 1, 0);
                        self.listen(None).await?;
                    }
                }
                Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                    self.fates.push(Some(Fate::Refused(error.to_string())));
                    // It is no link of the chain, and asks for nothing.
                    self.broken |= self.chained;
                    start = if self.chained { start } else { place + 1 };
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        // What asked for nothing is not heard of.
        self.await_acks(waiting, timeout).await
    }
}

impl Nats {
    /// Sends what is pending once. True if a chain broke: what is still pending then goes one by
    /// one.
    fn fly(&mut self, parcel: &Parcel, pending: &mut Pending) -> Result<bool, Trouble> {
        let mut connected = self.connected()?;
        let mut flight = Flight::new(&mut connected, self.singly == 0);
        let publishing = flight.publish(&self.subject, parcel, pending, self.settings.timeout);
        let ended = self.runtime.block_on(publishing);
        let Flight { chained, broken, mut fates, .. } = flight;
        if broken && ended.is_ok() {
            // What is behind it comes in its order.
            let sure = fates.iter().position(Option::is_none).unwrap_or(fates.len());
            fates.truncate(sure);
        }
        // What a connection's end leaves open is sent again on another.
        self.connected = ended.is_ok().then_some(connected);
        let unheard = |fate: Option<Fate>| fate.unwrap_or_else(|| Fate::Again(String::new()));
        let fates: Vec<_> = fates.into_iter().map(unheard).collect();
        let again = pending.apply(&fates);
        self.breaks = match (chained, broken || ended.is_err()) {
            (true, true) => (self.breaks + 1).min(MOST_BREAKS),
            (true, false) => 0,
            (false, _) => self.breaks,
        };
        self.singly = if chained && (broken || ended.is_err()) {
            1 << self.breaks
        } else {
            self.singly.saturating_sub(1)
        };
        match (ended, again) {
            (Err(why), _) | (Ok(()), Some(why)) => Err(self.trouble(why)),
            (Ok(()), None) => Ok(broken),
        }
    }
}

impl Output for Nats {
    fn send(&mut self, parcel: &Parcel, pending: &mut Pending) -> Result<(), Trouble> {
        let runtime = self.runtime.handle().clone();
        let _inside = runtime.enter();
        while self.fly(parcel, pending)? {}
        Ok(())
    }

    fn check(&mut self) -> Result<(), Trouble> {
        let runtime = self.runtime.handle().clone();
        let _inside = runtime.enter();
        let connected = self.connected()?;
        let subject = self.settings.subject.clone();
        let context = async_nats::jetstream::new(connected.client.clone());
        let asking = context.stream_by_subject(subject.as_str());
        let limit = self.settings.timeout;
        let stream = self.runtime.block_on(async { tokio::time::timeout(limit, asking).await });
        let stream = stream.map_err(|_| self.trouble("no answer of JetStream in time"))?;
        stream.map_err(|error| self.trouble(format_args!("{subject}: {error}")))?;
        self.connected = Some(connected);
        Ok(())
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _inside = self.runtime.enter();
        self.connected = None;
    }
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats").field("url", &self.settings.url).finish_non_exhaustive()
    }
}
