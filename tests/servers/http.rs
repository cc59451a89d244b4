//! A server of the tests' own that speaks `_bulk`, HEC, Loki and lines, and fails on demand.

use std::collections::{HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

/// What goes wrong with a request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Closed as soon as its head is read.
    CloseEarly,
    /// Closed when its body is read; nothing is stored.
    CloseLate,
    /// Stored, and closed without an answer.
    Swallow,
    /// No answer for so long.
    Stall(Duration),
    /// A status, another header line, a body.
    Status(u16, &'static str, &'static str),
    /// Stored, and half of the answer.
    Half,
    /// Stored, and then no HTTP.
    Garbage,
}

/// What was stored, and what is to go wrong.
#[derive(Default)]
pub struct State {
    /// By id (`_bulk`) or text (all others): how often.
    pub stored: HashMap<String, usize>,
    /// The same, in the order they came.
    pub order: Vec<String>,
    /// Events that `_bulk` had already.
    pub repeats: usize,
    pub faults: VecDeque<Fault>,
    /// What events of `_bulk` with this id come to, instead.
    pub items: HashMap<String, VecDeque<u16>>,
    /// Longer bodies are answered 413.
    pub longest: Option<usize>,
    /// The `Authorization` that it wants.
    pub login: Option<String>,
    /// Heads of all requests.
    pub heads: Vec<String>,
    /// HEC: how often it is asked for a request's acknowledgement until that is true; none: the
    /// token has no `useACK`.
    pub indexing: Option<usize>,
    /// The questions that are left, by channel and number.
    asked: HashMap<(String, u64), usize>,
    /// Of `_bulk`: what came under an id.
    documents: HashMap<String, u64>,
    /// What is stored is written here, too.
    file: Option<File>,
}

impl State {
    fn store(&mut self, key: &str) {
        *self.stored.entry(key.to_owned()).or_default() += 1;
        if let Some(file) = &mut self.file {
            let document = self.documents.get(key).copied().unwrap_or_default();
            file.write_all(format!("{key} {document}\n").as_bytes()).unwrap();
        } else {
            self.order.push(key.to_owned());
        }
    }

    /// Keeps what it stores in a file, and begins with what is in it.
    pub fn kept(path: &Path) -> Self {
        let mut state = Self::default();
        if let Ok(file) = File::open(path) {
            for line in BufReader::new(file).lines() {
                let line = line.unwrap();
                let (key, document) = line.split_once(' ').unwrap();
                *state.stored.entry(key.to_owned()).or_default() += 1;
                state.documents.insert(key.to_owned(), document.parse().unwrap());
            }
        }
        state.file = Some(OpenOptions::new().create(true).append(true).open(path).unwrap());
        state
    }
}

/// A server; it ends with the test's process.
pub struct Server {
    pub url: String,
    pub state: Arc<Mutex<State>>,
}

impl Server {
    pub fn start() -> Self {
        Self::serve(TcpListener::bind("127.0.0.1:0").unwrap(), State::default(), None)
    }

    pub fn serve(listener: TcpListener, state: State, tls: Option<Arc<ServerConfig>>) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, shared, tls) = (stream.unwrap(), Arc::clone(&shared), tls.clone());
                thread::spawn(move || {
                    let _ = match tls {
                        None => connection(stream, &shared),
                        Some(config) => {
                            let tls = ServerConnection::new(config).unwrap();
                            connection(StreamOwned::new(tls, stream), &shared)
                        }
                    };
                });
            }
        });
        Self { url, state }
    }

    /// What the next requests come to, in their order.
    pub fn faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state.lock().unwrap().faults.extend(faults);
    }
}

fn connection<S: Read + Write>(stream: S, state: &Mutex<State>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let header = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_owned()).next()
        };
        let length = header("content-length").map_or(0, |length| length.parse().unwrap());
        let (fault, login) = {
            let mut state = state.lock().unwrap();
            state.heads.push(head.clone());
            (state.faults.pop_front(), state.login.clone())
        };
        if matches!(fault, Some(Fault::CloseEarly)) {
            return Ok(());
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        if let Some(Fault::Stall(time)) = &fault {
            thread::sleep(*time);
            return Ok(());
        }
        let (status, more, text) = match &fault {
            Some(Fault::CloseLate) => return Ok(()),
            Some(Fault::Status(status, more, body)) => (*status, *more, (*body).to_owned()),
            _ if login.is_some() && header("authorization") != login => {
                (401, "", "who are you".to_owned())
            }
            _ => {
                let (status, text) = answer(&head, &body, &mut state.lock().unwrap());
                (status, "", text)
            }
        };
        let more = if more.is_empty() { String::new() } else { format!("{more}\r\n") };
        let whole =
            format!("HTTP/1.1 {status} X\r\n{more}Content-Length: {}\r\n\r\n{text}", text.len());
        let out = stream.get_mut();
        match fault {
            Some(Fault::Swallow) => return Ok(()),
            Some(Fault::Half) => {
                out.write_all(&whole.as_bytes()[..whole.len() - text.len() / 2 - 1])?;
                return out.flush();
            }
            Some(Fault::Garbage) => {
                out.write_all(b"\x16\x03\x01 this is no HTTP\r\n\r\n")?;
                return out.flush();
            }
            _ => out.write_all(whole.as_bytes())?,
        }
        out.flush()?;
    }
}

fn answer(head: &str, body: &[u8], state: &mut State) -> (u16, String) {
    let path = head.split(' ').nth(1).unwrap();
    if state.longest.is_some_and(|longest| body.len() > longest) {
        return (413, "too large".to_owned());
    }
    if head.starts_with("GET") {
        (200, String::new())
    } else if path.contains("/_bulk") {
        bulk(body, state)
    } else if path == "/services/collector/event" {
        hec(body, state, channel(head))
    } else if path == "/services/collector/ack" {
        acks(body, state, channel(head))
    } else if path == "/loki/api/v1/push" {
        let push: Value = serde_json::from_slice(body).unwrap();
        assert!(!push["streams"][0]["stream"].as_object().unwrap().is_empty());
        for value in push["streams"][0]["values"].as_array().unwrap() {
            value[0].as_str().unwrap().parse::<u64>().unwrap();
            state.store(value[1].as_str().unwrap());
        }
        (204, String::new())
    } else {
        for line in std::str::from_utf8(body).unwrap().lines() {
            serde_json::from_str::<Value>(line).unwrap();
            state.store(line);
        }
        (200, String::new())
    }
}

/// Elasticsearch's: one answer an event; what has an id that is there is a conflict.
fn bulk(body: &[u8], state: &mut State) -> (u16, String) {
    let text = std::str::from_utf8(body).unwrap();
    assert!(text.ends_with('\n'), "a bulk body ends a line");
    let lines: Vec<_> = text.lines().collect();
    let (mut items, mut errors) = (Vec::new(), false);
    for pair in lines.chunks_exact(2) {
        let action: Value = serde_json::from_str(pair[0]).unwrap();
        let id = action["create"]["_id"].as_str().unwrap().to_owned();
        serde_json::from_str::<Value>(pair[1]).unwrap();
        let wanted = state.items.get_mut(&id).and_then(VecDeque::pop_front);
        let mut hasher = DefaultHasher::new();
        pair[1].hash(&mut hasher);
        let document = hasher.finish();
        let status = match wanted {
            Some(status) => status,
            // No retry: something else under the same id.
            None if *state.documents.entry(id.clone()).or_insert(document) != document => 400,
            None if state.stored.contains_key(&id) => 409,
            None => 201,
        };
        match status {
            201 => state.store(&id),
            409 => state.repeats += 1,
            _ => {}
        }
        errors |= status != 201;
        items.push(match status {
            201 => json!({"create": {"status": status}}),
            _ => json!({"create": {"status": status, "error": {"type": "t", "reason": "r"}}}),
        });
    }
    (200, json!({"errors": errors, "items": items}).to_string())
}

fn channel(head: &str) -> Option<String> {
    let line =
        head.lines().find(|line| line.to_lowercase().starts_with("x-splunk-request-channel:"));
    line.and_then(|line| Some(line.split_once(": ")?.1.to_owned()))
}

/// Splunk's: whether requests are indexed; what was said to be is forgotten.
fn acks(body: &[u8], state: &mut State, channel: Option<String>) -> (u16, String) {
    let (asked, channel): (Value, _) = (serde_json::from_slice(body).unwrap(), channel.unwrap());
    let mut acks = serde_json::Map::new();
    for number in asked["acks"].as_array().unwrap() {
        let key = (channel.clone(), number.as_u64().unwrap());
        let left = state.asked.get_mut(&key).map(|left| {
            *left = left.saturating_sub(1);
            *left
        });
        if left == Some(0) {
            state.asked.remove(&key);
        }
        acks.insert(number.to_string(), json!(left == Some(0)));
    }
    (200, json!({ "acks": acks }).to_string())
}

/// Splunk's: all before a bad event are taken.
fn hec(body: &[u8], state: &mut State, channel: Option<String>) -> (u16, String) {
    if state.indexing.is_some() && channel.is_none() {
        return (400, json!({"text": "Data channel is missing", "code": 10}).to_string());
    }
    for (number, event) in serde_json::Deserializer::from_slice(body).into_iter().enumerate() {
        let event: Value = event.unwrap();
        assert!(event["time"].is_number() && event["host"].is_string());
        let text = event["event"].to_string();
        if text.contains("\"n\":666,") {
            let told =
                json!({"text": "Invalid data format", "code": 6, "invalid-event-number": number});
            return (400, told.to_string());
        }
        state.store(&text);
    }
    let mut told = json!({"text": "Success", "code": 0});
    if let (Some(times), Some(channel)) = (state.indexing, channel) {
        let number = state.asked.len() as u64;
        state.asked.insert((channel, number), times);
        told["ackId"] = json!(number);
    }
    (200, told.to_string())
}
