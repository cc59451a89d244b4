//! nats-server with JetStream.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream::stream::{Config, StorageType};
use async_nats::jetstream::{self, Context};
use pfscope::feed::output::nats::{Login, Nats, Settings};
use pfscope::feed::output::tls::Tls;
use tokio::runtime::Runtime;

use super::{Daemon, free_port, program};

/// A server's place: what it keeps outlives its process.
pub struct Server {
    program: PathBuf,
    folder: PathBuf,
    pub port: u16,
    pub daemon: Option<Daemon>,
    runtime: Runtime,
}

impl Server {
    /// A server that runs; `more` goes into its configuration. `None`, said aloud, where there is none.
    pub fn start(folder: &Path, more: &str) -> Option<Self> {
        let program = program("nats-server")?;
        let port = free_port();
        let config = format!(
            "listen: 127.0.0.1:{port}\njetstream {{ store_dir: \"{}\" }}\n{more}\n",
            folder.join("store").display()
        );
        fs::write(folder.join("nats.conf"), config).unwrap();
        let runtime = Runtime::new().unwrap();
        let mut server = Self { program, folder: folder.to_owned(), port, daemon: None, runtime };
        server.restart();
        Some(server)
    }

    /// Starts it again, in the same place.
    pub fn restart(&mut self) {
        self.daemon = None;
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("nats.log"))
            .unwrap();
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(self.folder.join("nats.conf"));
        command.stdout(Stdio::null()).stderr(log);
        self.daemon = Some(Daemon::start(&mut command).listens(self.port));
    }

    pub fn kill(&mut self) {
        self.daemon.take().unwrap().kill();
    }

    pub fn settings(&self, login: Option<Login>, tls: Tls) -> Settings {
        Settings {
            url: format!("nats://127.0.0.1:{}", self.port),
            subject: "pf.events".to_owned(),
            login,
            tls,
            timeout: Duration::from_secs(5),
        }
    }

    pub fn output(&self, login: Option<Login>) -> Nats {
        Nats::new(self.settings(login, Tls::default())).unwrap()
    }

    fn with<T>(&self, options: ConnectOptions, work: impl AsyncFnOnce(Context) -> T) -> T {
        let url = format!("nats://127.0.0.1:{}", self.port);
        self.runtime.block_on(async {
            // JetStream is up a little later than the port.
            let client = options.retry_on_initial_connect().connect(url).await.unwrap();
            work(jetstream::new(client)).await
        })
    }

    /// Makes the stream PF of the subject.
    pub fn stream(&self, options: ConnectOptions, change: impl FnOnce(&mut Config)) {
        let mut config = Config {
            name: "PF".to_owned(),
            subjects: vec!["pf.events".to_owned()],
            storage: StorageType::File,
            duplicate_window: Duration::from_secs(600),
            ..Config::default()
        };
        change(&mut config);
        self.with(options, async |context: Context| {
            for _ in 0..50 {
                if context.get_or_create_stream(config.clone()).await.is_ok() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            panic!("no stream");
        });
    }

    /// Number of messages in the stream.
    pub fn count(&self, options: ConnectOptions) -> u64 {
        self.with(options, async |context: Context| {
            let mut stream = context.get_stream("PF").await.unwrap();
            stream.info().await.unwrap().state.messages
        })
    }

    /// Publishes other messages to the stream, so often, until the result is called: how many.
    pub fn publish_beside(&self, every: Duration) -> impl FnOnce() -> usize + use<> {
        let (url, done) =
            (format!("nats://127.0.0.1:{}", self.port), Arc::new(AtomicBool::new(false)));
        let stop = Arc::clone(&done);
        let publisher = std::thread::spawn(move || {
            Runtime::new().unwrap().block_on(async {
                let context = jetstream::new(async_nats::connect(url).await.unwrap());
                let mut count = 0;
                while !stop.load(Ordering::Relaxed) {
                    context.publish("pf.events", "other".into()).await.unwrap().await.unwrap();
                    count += 1;
                    tokio::time::sleep(every).await;
                }
                count
            })
        });
        move || {
            done.store(true, Ordering::Relaxed);
            publisher.join().unwrap()
        }
    }

    /// Every message's id, and how often it is there.
    pub fn ids(&self, options: ConnectOptions) -> HashMap<String, usize> {
        let mut ids = HashMap::new();
        for id in self.ids_in_order(options).into_iter().flatten() {
            *ids.entry(id).or_default() += 1;
        }
        ids
    }

    /// The messages' ids, as far as they have any.
    pub fn ids_in_order(&self, options: ConnectOptions) -> Vec<Option<String>> {
        use async_nats::jetstream::consumer::AckPolicy;
        use async_nats::jetstream::consumer::pull::Config as Pull;
        use futures_util::StreamExt;
        let count = self.count(ConnectOptions::new());
        self.with(options, async |context: Context| {
            let stream = context.get_stream("PF").await.unwrap();
            let pull = Pull { ack_policy: AckPolicy::None, ..Pull::default() };
            let consumer = stream.create_consumer(pull).await.unwrap();
            let mut ids = Vec::new();
            while (ids.len() as u64) < count {
                let batch = consumer.fetch().max_messages(10_000).messages().await.unwrap();
                let batch: Vec<_> = batch.collect().await;
                for message in batch {
                    let message = message.unwrap();
                    let id = message.headers.as_ref().and_then(|all| all.get("Nats-Msg-Id"));
                    ids.push(id.map(ToString::to_string));
                }
            }
            ids
        })
    }
}
