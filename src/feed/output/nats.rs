//! NATS JetStream: every event a message, acknowledged by the stream.
//!
//! Messages go out in a window: so many wait for their acknowledgement at once. Each carries the
//! event's id as `Nats-Msg-Id`, by which the server leaves out what it has already got (within
//! the stream's duplicate window), and asks for its acknowledgement at a subject of its own, which
//! ends in its number. A connection that was lost takes with it what was not acknowledged: that is
//! sent again on a new one, for which the login is read anew.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
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
const WINDOW: usize = 8192;
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
}

/// A connection. Its end is a task of the runtime: it is dropped inside of it.
struct Connected {
    client: Client,
    /// Where acknowledgements come to, but for the message's number.
    inbox: String,
    acks: Subscriber,
    /// The number of the next message.
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
        Ok(Self { settings, subject, runtime, connected: None })
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
        .client_capacity(WINDOW)
        // Acknowledgements that have nowhere to go are thrown away.
        .subscription_capacity(2 * WINDOW)
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
}

#[derive(Deserialize)]
struct AckError {
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

/// What an answer says.
fn fate(message: &Message) -> Fate {
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        return Fate::Again("no stream takes the subject".to_owned());
    }
    match serde_json::from_slice::<Ack>(&message.payload) {
        Ok(Ack { error: None }) => Fate::Taken,
        Ok(Ack { error: Some(error) }) if error.err_code == TOO_LARGE => {
            Fate::Refused(error.description)
        }
        Ok(Ack { error: Some(error) }) => Fate::Again(error.description),
        Err(error) => Fate::Again(format!("no answer of a stream: {error}")),
    }
}

/// The messages of one call, and what was heard of them.
struct Flight<'c> {
    connected: &'c mut Connected,
    /// The number of the first.
    first: u64,
    /// By number, from the first.
    fates: Vec<Option<Fate>>,
    /// Of how many nothing was heard yet.
    open: usize,
}

impl Flight<'_> {
    /// Notes an acknowledgement.
    fn hear(&mut self, message: &Message) {
        let number = message.subject.rsplit_once('.').and_then(|(_, number)| number.parse().ok());
        let at = number.and_then(|number: u64| number.checked_sub(self.first));
        let place = at.and_then(|at| self.fates.get_mut(usize::try_from(at).ok()?));
        if let Some(place) = place
            && place.is_none()
        {
            *place = Some(fate(message));
            self.open -= 1;
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

    /// Publishes all that is pending, and hears of all. Why it ended early.
    async fn publish(
        &mut self,
        subject: &Subject,
        parcel: &Parcel,
        pending: &Pending,
        timeout: Duration,
    ) -> Result<(), String> {
        let name = HeaderName::from_static("Nats-Msg-Id");
        let mut payloads = BytesMut::with_capacity(parcel.size());
        for (_, event) in pending.events(parcel) {
            // Several at once: the client writes what it has, and does not wake up for each.
            if self.open >= WINDOW {
                while self.open > WINDOW / 2 {
                    self.listen(Some(timeout)).await?;
                    self.listen(None).await?;
                }
            }
            let mut headers = HeaderMap::new();
            headers.insert(name.clone(), HeaderValue::from(event.id.to_string()));
            payloads.extend_from_slice(event.text);
            let payload = payloads.split().freeze();
            let reply = format!("{}.{}", self.connected.inbox, self.connected.next);
            let client = &self.connected.client;
            let publishing =
                client.publish_with_reply_and_headers(subject.clone(), reply, headers, payload);
            let published = tokio::time::timeout(timeout, publishing).await;
            let fate = match published.map_err(|_| "the connection takes nothing")? {
                Ok(()) => None,
                Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                    Some(Fate::Refused(error.to_string()))
                }
                Err(error) => return Err(error.to_string()),
            };
            self.connected.next += 1;
            self.open += usize::from(fate.is_none());
            self.fates.push(fate);
        }
        while self.open > 0 {
            self.listen(Some(timeout)).await?;
            self.listen(None).await?;
        }
        Ok(())
    }
}

impl Output for Nats {
    fn send(&mut self, parcel: &Parcel, pending: &mut Pending) -> Result<(), Trouble> {
        let runtime = self.runtime.handle().clone();
        let _inside = runtime.enter();
        let mut connected = self.connected()?;
        let first = connected.next;
        let mut flight = Flight { connected: &mut connected, first, fates: Vec::new(), open: 0 };
        let publishing = flight.publish(&self.subject, parcel, pending, self.settings.timeout);
        let ended = self.runtime.block_on(publishing);
        let unheard = |fate: Option<Fate>| fate.unwrap_or_else(|| Fate::Again(String::new()));
        let fates: Vec<_> = flight.fates.into_iter().map(unheard).collect();
        // What a connection's end leaves open is sent again on another.
        if ended.is_ok() {
            self.connected = Some(connected);
        }
        let again = pending.apply(&fates);
        match (ended, again) {
            (Err(why), _) | (Ok(()), Some(why)) => Err(self.trouble(why)),
            (Ok(()), None) => Ok(()),
        }
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
