//! NATS JetStream: every event a message, acknowledged by the stream.
//!
//! Messages go out in a window: so many wait for their acknowledgement at once. Each carries the
//! event's id as `Nats-Msg-Id`, by which the server leaves out what it has already got (within
//! the stream's duplicate window).

use std::collections::VecDeque;
use std::fmt;
use std::future::IntoFuture;
use std::time::Duration;

use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::jetstream::{Context, ContextBuilder};
use async_nats::subject::Subject;
use async_nats::{Client, ConnectOptions, HeaderMap, HeaderName, HeaderValue};
use tokio::runtime::{Builder, Runtime};

use super::secret::Kept;
use super::tls::Tls;
use super::{Output, Pending, Trouble};
use crate::feed::parcel::Parcel;

/// Messages that wait for their acknowledgement at once.
const WINDOW: usize = 4096;

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
    connected: Option<(Client, Context)>,
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

    /// The connection, made if there is none. The client keeps it up by itself from then on.
    fn connected(&mut self) -> Result<(Client, Context), Trouble> {
        if let Some((client, context)) = &self.connected {
            return Ok((client.clone(), context.clone()));
        }
        let options = options(&self.settings).map_err(|why| self.trouble(why))?;
        let connecting = options.connect(self.settings.url.as_str());
        let client = self.runtime.block_on(connecting).map_err(|error| self.trouble(error))?;
        let context = ContextBuilder::new()
            .timeout(self.settings.timeout)
            .ack_timeout(self.settings.timeout)
            .max_ack_inflight(2 * WINDOW)
            .build(client.clone());
        Ok(self.connected.insert((client, context)).clone())
    }
}

fn options(settings: &Settings) -> Result<ConnectOptions, String> {
    let options = ConnectOptions::new()
        .name("pfscope")
        .connection_timeout(settings.timeout)
        .client_capacity(2 * WINDOW);
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
    let options = match &settings.tls.ca_file {
        Some(file) => options.add_root_certificates(file.clone()),
        None => options,
    };
    Ok(match (&settings.tls.cert_file, &settings.tls.key_file) {
        (Some(cert), Some(key)) => options.add_client_certificate(cert.clone(), key.clone()),
        _ => options,
    })
}

/// What became of one message.
enum Told {
    Taken,
    Refused(String),
}

/// Waits for an acknowledgement.
async fn acknowledged(waiting: PublishAckFuture) -> Result<Told, PublishError> {
    match waiting.into_future().await {
        Ok(_) => Ok(Told::Taken),
        Err(error) => refused(error),
    }
}

/// What the server will never have, told from what may go well later.
fn refused(error: PublishError) -> Result<Told, PublishError> {
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => Ok(Told::Refused(error.to_string())),
        _ => Err(error),
    }
}

/// Publishes all that is pending; what came of the events, in order, and why it ended early.
async fn publish(
    context: &Context,
    subject: &Subject,
    parcel: &Parcel,
    pending: &Pending,
) -> (Vec<(usize, Told)>, Option<PublishError>) {
    let mut told = Vec::with_capacity(pending.places().len());
    let mut waiting: VecDeque<(usize, PublishAckFuture)> = VecDeque::with_capacity(WINDOW);
    let mut wrong = None;
    for (at, event) in pending.events(parcel) {
        if waiting.len() == WINDOW
            && let Some((at, front)) = waiting.pop_front()
        {
            match acknowledged(front).await {
                Ok(what) => told.push((at, what)),
                Err(error) => {
                    wrong = Some(error);
                    break;
                }
            }
        }
        let mut headers = HeaderMap::new();
        let id = HeaderValue::from(event.id.to_string());
        headers.insert(HeaderName::from_static("Nats-Msg-Id"), id);
        let payload = event.text.to_vec().into();
        match context.publish_with_headers(subject.clone(), headers, payload).await {
            Ok(ack) => waiting.push_back((at, ack)),
            Err(error) => match refused(error) {
                Ok(what) => told.push((at, what)),
                Err(error) => {
                    wrong = Some(error);
                    break;
                }
            },
        }
    }
    for (at, ack) in waiting {
        // One that is not acknowledged does not speak for those behind it, but its time is up
        // for all of them: nobody waits for each in turn.
        if wrong.is_some() {
            break;
        }
        match acknowledged(ack).await {
            Ok(what) => told.push((at, what)),
            Err(error) => wrong = Some(error),
        }
    }
    (told, wrong)
}

impl Output for Nats {
    fn send(&mut self, parcel: &Parcel, pending: &mut Pending) -> Result<(), Trouble> {
        let (_, context) = self.connected()?;
        let (mut told, wrong) =
            self.runtime.block_on(publish(&context, &self.subject, parcel, pending));
        told.sort_unstable_by_key(|&(at, _)| at);
        pending.settle(|at| {
            let found = told.binary_search_by_key(&at, |&(at, _)| at).ok();
            matches!(found.and_then(|found| told.get(found)), Some((_, Told::Taken)))
        });
        for (at, what) in told {
            if let Told::Refused(why) = what {
                pending.refuse(at, why);
            }
        }
        match wrong {
            None => Ok(()),
            Some(error) => Err(self.trouble(error)),
        }
    }

    fn check(&mut self) -> Result<(), Trouble> {
        let (_, context) = self.connected()?;
        let subject = self.settings.subject.clone();
        let stream = self.runtime.block_on(context.stream_by_subject(subject.as_str()));
        stream.map(drop).map_err(|error| self.trouble(format_args!("{subject}: {error}")))
    }
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats").field("url", &self.settings.url).finish_non_exhaustive()
    }
}
