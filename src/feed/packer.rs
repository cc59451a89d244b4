//! Finished files that wait to be packed, one after the other, on a thread of its own. Nobody waits
//! for it before the end: a file that it has not come to is whole as it is.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::compress::{Packed, pack};
use super::file::{Tell, error_text};
use crate::text::escaped;

/// How long files are still packed once the end is asked for.
const LAST: Duration = Duration::from_millis(300);
/// How long a wait lasts before that is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The files, and the thread.
#[derive(Debug)]
pub(super) struct Packer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// The file that is being packed is to be left as it is.
    give_up: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<PathBuf>,
    /// The one that is being packed.
    current: Option<PathBuf>,
    /// Those that have been given up.
    left: Vec<PathBuf>,
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>, long: Duration) -> MutexGuard<'s, State> {
        self.changed.wait_timeout(state, long).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Packer {
    /// Starts the thread. What cannot be packed is told.
    pub(super) fn start(mut tell: Tell) -> Self {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            while let Some(path) = own.next() {
                match pack(&path, &own.give_up) {
                    Ok(Packed::Done) => {}
                    Ok(Packed::GivenUp) => own.lock().left.push(path),
                    // Somebody else has taken it away.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => {
                        let (name, why) = (name(&path), error_text(&error));
                        tell(&format!("{name}: cannot be compressed: {why}; left as it is"));
                    }
                }
            }
        });
        Self { shared, thread: Some(thread) }
    }

    /// Packs a file when those before it are packed.
    pub(super) fn add(&self, path: PathBuf) {
        self.shared.lock().waiting.push_back(path);
        self.shared.changed.notify_all();
    }

    /// Leaves a file alone that is to be written anew; waits for the piece of it in work, if any.
    pub(super) fn leave(&self, path: &Path) {
        let mut state = self.shared.lock();
        state.waiting.retain(|waiting| waiting != path);
        while state.current.as_deref() == Some(path) {
            self.shared.give_up.store(true, Ordering::Relaxed);
            state = self.shared.wait(state, LOOK_EVERY);
        }
        state.left.retain(|left| left != path);
    }

    /// Waits until all are packed, or for a moment once `hurry` is true. Those that are not come
    /// back.
    pub(super) fn end(mut self, hurry: &AtomicBool) -> Vec<PathBuf> {
        let mut hurried: Option<Instant> = None;
        let mut state = self.shared.lock();
        while state.current.is_some() || !state.waiting.is_empty() {
            if hurry.load(Ordering::Relaxed)
                && hurried.get_or_insert_with(Instant::now).elapsed() > LAST
            {
                break;
            }
            state = self.shared.wait(state, LOOK_EVERY);
        }
        drop(state);
        self.stop()
    }

    fn stop(&mut self) -> Vec<PathBuf> {
        let mut state = self.shared.lock();
        state.ended = true;
        let waiting = std::mem::take(&mut state.waiting);
        self.shared.give_up.store(true, Ordering::Relaxed);
        drop(state);
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // Its panic has been told.
            let _ = thread.join();
        }
        let mut left = std::mem::take(&mut self.shared.lock().left);
        left.extend(waiting);
        left
    }
}

impl Drop for Packer {
    fn drop(&mut self) {
        // Whoever wants to know what is left has called `end`.
        self.stop();
    }
}

impl Shared {
    /// The next file, waited for; none at the end.
    fn next(&self) -> Option<PathBuf> {
        let mut state = self.lock();
        state.current = None;
        self.changed.notify_all();
        loop {
            if state.ended {
                return None;
            }
            if let Some(path) = state.waiting.pop_front() {
                self.give_up.store(false, Ordering::Relaxed);
                state.current = Some(path.clone());
                return Some(path);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Says of which files there was no time for.
pub(super) fn told(left: &[PathBuf]) -> Option<String> {
    let (first, others) = left.split_first()?;
    let others = match others.len() {
        0 => String::new(),
        1 => " (and 1 file more)".to_owned(),
        n => format!(" (and {n} files more)"),
    };
    Some(format!("{}: no time to compress it{others}; left as it is", name(first)))
}

fn name(path: &Path) -> String {
    escaped(path.as_os_str().as_encoded_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn quiet() -> Tell {
        Box::new(|what| panic!("{what}"))
    }

    fn file(folder: &Path, name: &str, bytes: usize) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, vec![7; bytes]).unwrap();
        path
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn all_are_packed_where_there_is_time() {
        let folder = tempfile::tempdir().unwrap();
        let packer = Packer::start(quiet());
        for name in ["a", "b", "c"] {
            packer.add(file(folder.path(), name, 3 << 20));
        }
        // One that another program has taken away.
        packer.add(folder.path().join("gone"));
        assert_eq!(packer.end(&AtomicBool::new(false)), [PathBuf::new(); 0]);
        assert_eq!(names(folder.path()), ["a.zst", "b.zst", "c.zst"]);
    }

    #[test]
    fn what_is_written_anew_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let packer = Packer::start(quiet());
        let (first, second) =
            (file(folder.path(), "first", 64 << 20), file(folder.path(), "second", 10));
        packer.add(first.clone());
        packer.add(second.clone());
        packer.leave(&second);
        packer.leave(&first);
        let before = names(folder.path());
        assert!(before == ["first", "second"] || before == ["first.zst", "second"], "{before:?}");
        packer.add(second);
        assert_eq!(packer.end(&AtomicBool::new(false)), [PathBuf::new(); 0]);
        assert!(names(folder.path()).contains(&"second.zst".to_owned()));
    }

    #[test]
    fn in_a_hurry_what_is_left_is_told_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let packer = Packer::start(quiet());
        for name in ["a", "b", "c"] {
            packer.add(file(folder.path(), name, 64 << 20));
        }
        let began = Instant::now();
        let left = packer.end(&AtomicBool::new(true));
        assert!(began.elapsed() < 5 * LAST, "{:?}", began.elapsed());
        let there = names(folder.path());
        for path in &left {
            assert_eq!(fs::metadata(path).unwrap().len(), 64 << 20);
        }
        let packed = there.iter().filter(|name| name.ends_with(".zst")).count();
        assert_eq!((there.len(), left.len()), (3, 3 - packed), "{there:?}");
        assert_eq!(told(&left).is_some(), !left.is_empty());
        let [a, b] = ["a", "b"].map(PathBuf::from);
        assert_eq!(told(&[a.clone()]).unwrap(), "a: no time to compress it; left as it is");
        let more = "a: no time to compress it (and 1 file more); left as it is";
        assert_eq!(told(&[a, b]).unwrap(), more);
    }
}
