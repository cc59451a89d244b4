//! The thread that brings one output its events: gathers, sends, waits where it must, and says
//! what is done.
//!
//! What is acknowledged is marked, so that the next run goes on behind it. An output that is down
//! is tried again for as long as the feed runs; it holds up nobody but itself.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::counters::Counters;
use super::output::{Output, Pending, Trouble};
use super::parcel::{Mark, Parcel};
use super::queue::{Queue, Taken};

/// How long a wait lasts before the stop flag is looked at.
const TICK: Duration = Duration::from_millis(100);

/// How much is gathered before it is sent.
#[derive(Debug, Clone, Copy)]
pub struct Gather {
    /// Events of one parcel.
    pub events: usize,
    /// Bytes of them.
    pub bytes: usize,
    /// How long the first of them waits for more.
    pub linger: Duration,
}

/// Who is told what became of the events.
pub trait Ledger: Send {
    /// An event was refused for good.
    ///
    /// # Errors
    /// Why it cannot be kept.
    fn refused(&mut self, event: super::parcel::Event<'_>, why: &str) -> io::Result<()>;

    /// All up to here is settled.
    ///
    /// # Errors
    /// Why it cannot be kept.
    fn settled(&mut self, marks: &[Mark]) -> io::Result<()>;

    /// Something is wrong, or right again: one line for people.
    fn say(&mut self, what: &str);
}

/// Brings an output its events.
pub struct Deliverer<L> {
    /// The output.
    pub output: Box<dyn Output>,
    /// Where the events come from.
    pub queue: Arc<Queue>,
    /// What is counted.
    pub counters: Arc<Counters>,
    /// How much is sent at once.
    pub gather: Gather,
    /// Who is told.
    pub ledger: L,
    /// What is not sent by then stays unsent: set some time after the end was asked for.
    pub give_up: Arc<AtomicBool>,
    /// The spool could not be read or made smaller when it was last tried.
    pub troubled: bool,
}

impl<L: Ledger> Deliverer<L> {
    /// Delivers until nothing comes any more, or until it is to give up; false: something was
    /// left unsent.
    ///
    /// # Errors
    /// What the system says of the spool, the dead letters or the checkpoint.
    pub fn run(mut self) -> io::Result<bool> {
        let (mut parcel, mut more) = (Parcel::default(), Parcel::default());
        let (mut pending, mut backoff) = (Pending::default(), Backoff::default());
        let result = loop {
            match self.gather(&mut parcel, &mut more) {
                Ok(Taken::Some) => {}
                Ok(Taken::Timeout) if !self.gives_up() => continue,
                Ok(Taken::Timeout) => break Ok(false),
                Ok(Taken::Closed) => break Ok(true),
                Err(error) if self.gives_up() => break Err(error),
                Err(error) => {
                    self.trouble_with_the_spool(Some(&error));
                    thread::sleep(TICK);
                    continue;
                }
            }
            pending.all(&parcel);
            match self.deliver(&parcel, &mut pending, &mut backoff) {
                Ok(true) => parcel.clear(),
                Ok(false) => break Ok(false),
                Err(error) => break Err(error),
            }
        };
        self.queue.abandon()?;
        result
    }

    fn gives_up(&self) -> bool {
        self.give_up.load(Ordering::Relaxed)
    }

    /// Takes what is there, and a little more.
    fn gather(&self, parcel: &mut Parcel, more: &mut Parcel) -> io::Result<Taken> {
        let taken = self.queue.take(parcel, TICK)?;
        if taken != Taken::Some {
            return Ok(taken);
        }
        let until = Instant::now() + self.gather.linger;
        while parcel.len() < self.gather.events && !self.gives_up() {
            let room = self.gather.bytes.saturating_sub(parcel.size());
            let left = until.saturating_duration_since(Instant::now());
            if room == 0 {
                break;
            }
            match self.queue.take_more(more, room, left.min(TICK)) {
                Ok(Taken::Some) => {
                    // Little more than that comes, and no more memory is to be taken for it.
                    parcel.reserve(self.gather.bytes + more.size());
                    parcel.append(more);
                }
                Ok(Taken::Timeout) if left > TICK => {}
                // What cannot be read is tried again when this is delivered.
                Ok(Taken::Timeout | Taken::Closed) | Err(_) => break,
            }
        }
        Ok(Taken::Some)
    }

    /// Says that the spool cannot be read or made smaller, once until it can.
    fn trouble_with_the_spool(&mut self, error: Option<&io::Error>) {
        match error {
            Some(error) if !self.troubled => self.ledger.say(&format!("spool: {error}")),
            None if self.troubled => self.ledger.say("spool: works again"),
            _ => {}
        }
        self.troubled = error.is_some();
    }

    /// Sends a parcel until it is settled; false if it is to be given up.
    fn deliver(
        &mut self,
        parcel: &Parcel,
        pending: &mut Pending,
        backoff: &mut Backoff,
    ) -> io::Result<bool> {
        let (mut refused, mut troubled) = (0, false);
        while !pending.is_empty() {
            let before = pending.places().len();
            self.counters.sent.add(before as u64);
            let sent = self.output.send(parcel, pending);
            for (at, why) in pending.take_refused() {
                refused += 1;
                self.counters.refused.add(1);
                if let Some(event) = parcel.get(at) {
                    self.ledger.refused(event, &why)?;
                }
            }
            let Err(trouble) = sent else { break };
            if pending.places().len() < before {
                backoff.reset();
            }
            if !troubled {
                self.ledger.say(&trouble.why);
            }
            troubled = true;
            self.counters.retries.add(1);
            if !self.wait(trouble, backoff) {
                return Ok(false);
            }
        }
        if troubled {
            self.ledger.say("works again");
            self.counters.set_trouble(None);
        }
        backoff.reset();
        self.counters.acknowledged.add((parcel.len() - refused) as u64);
        if let Some(newest) = parcel.events().map(|event| event.ts).max() {
            self.counters.reached(newest);
        }
        let acknowledged = self.queue.acknowledge();
        self.trouble_with_the_spool(acknowledged.err().as_ref());
        self.ledger.settled(parcel.marks())?;
        Ok(true)
    }

    /// Waits before the next try; false if it is time to give up.
    fn wait(&self, trouble: Trouble, backoff: &mut Backoff) -> bool {
        let wait = backoff.wait();
        let wait = trouble.after.map_or(wait, |after| after.max(wait));
        self.counters.set_trouble(Some(trouble.why));
        let until = Instant::now() + wait;
        loop {
            if self.gives_up() {
                return false;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(TICK));
        }
    }
}

impl<L> std::fmt::Debug for Deliverer<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deliverer").field("gather", &self.gather).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::feed::parcel::{Event, Id};
    use crate::time::Timestamp;

    /// An output that does as it is told, send by send.
    struct Told {
        /// What the next sends come to; when there is nothing left, they work.
        plan: Vec<Plan>,
        got: Arc<Mutex<Vec<String>>>,
    }

    enum Plan {
        Down,
        /// Takes the first so many of what is pending, then fails.
        Some(usize),
        /// Refuses the first, takes the others.
        Refuse,
    }

    impl Told {
        fn take(&self, parcel: &Parcel, pending: &mut Pending, most: usize) {
            let places: Vec<_> = pending.places().iter().copied().take(most).collect();
            for (_, event) in pending.events(parcel).take(most) {
                self.got.lock().unwrap().push(String::from_utf8_lossy(event.text).into_owned());
            }
            pending.settle(|at| places.contains(&at));
        }
    }

    impl Output for Told {
        fn send(&mut self, parcel: &Parcel, pending: &mut Pending) -> Result<(), Trouble> {
            let down = || Trouble { why: "down".to_owned(), after: Some(Duration::ZERO) };
            match self.plan.pop() {
                Some(Plan::Down) => return Err(down()),
                Some(Plan::Some(most)) => {
                    self.take(parcel, pending, most);
                    return Err(down());
                }
                Some(Plan::Refuse) => {
                    let first = pending.places()[0];
                    pending.refuse(first, "no good");
                }
                None => {}
            }
            self.take(parcel, pending, usize::MAX);
            Ok(())
        }

        fn check(&mut self) -> Result<(), Trouble> {
            Ok(())
        }
    }

    /// Refused, settled, said.
    type Pages = (Vec<String>, Vec<Mark>, Vec<String>);

    #[derive(Default, Clone)]
    struct Book(Arc<Mutex<Pages>>);

    impl Ledger for Book {
        fn refused(&mut self, event: Event<'_>, why: &str) -> io::Result<()> {
            let text = format!("{}: {why}", String::from_utf8_lossy(event.text));
            self.0.lock().unwrap().0.push(text);
            Ok(())
        }

        fn settled(&mut self, marks: &[Mark]) -> io::Result<()> {
            self.0.lock().unwrap().1.extend(marks);
            Ok(())
        }

        fn say(&mut self, what: &str) {
            self.0.lock().unwrap().2.push(what.to_owned());
        }
    }

    fn parcel(texts: &[&str], sequence: u64) -> Parcel {
        let mut parcel = Parcel::default();
        for text in texts {
            parcel.push(Id::default(), Timestamp(7), text.as_bytes());
        }
        parcel.mark(Mark { source: 0, position: None, sequence });
        parcel
    }

    type Delivered = (bool, Vec<String>, Book, Arc<Counters>);

    fn deliver(mut plan: Vec<Plan>, parcels: Vec<Parcel>, linger: Duration) -> Delivered {
        plan.reverse();
        let counters = Arc::new(Counters::default());
        let queue = Arc::new(Queue::new(1 << 20, None, Arc::clone(&counters)));
        for parcel in parcels {
            queue.put(parcel);
        }
        queue.close();
        let (got, book) = (Arc::default(), Book::default());
        let deliverer = Deliverer {
            output: Box::new(Told { plan, got: Arc::clone(&got) }),
            queue,
            counters: Arc::clone(&counters),
            gather: Gather { events: 100, bytes: 1 << 20, linger },
            ledger: book.clone(),
            give_up: Arc::default(),
            troubled: false,
        };
        let all = deliverer.run().unwrap();
        let got = got.lock().unwrap().clone();
        (all, got, book, counters)
    }

    #[test]
    fn an_output_that_comes_back_gets_all_in_order_and_what_it_had_not_again() {
        let plan = vec![Plan::Down, Plan::Some(1), Plan::Down, Plan::Some(1)];
        let parcels = vec![parcel(&["a", "b", "c"], 3)];
        let (all, got, book, counters) = deliver(plan, parcels, Duration::ZERO);
        assert_eq!((all, got), (true, ["a", "b", "c"].map(String::from).to_vec()));
        let book = book.0.lock().unwrap();
        assert_eq!(book.1, [Mark { source: 0, position: None, sequence: 3 }]);
        assert_eq!(book.2, ["down", "works again"]);
        assert_eq!((counters.acknowledged.get(), counters.retries.get()), (3, 4));
        assert_eq!(counters.trouble(), None);
    }

    #[test]
    fn what_is_refused_is_kept_and_the_rest_goes_on() {
        let parcels = vec![parcel(&["bad", "good"], 2), parcel(&["more"], 3)];
        let (_, got, book, counters) = deliver(vec![Plan::Refuse], parcels, Duration::ZERO);
        assert_eq!(got, ["good", "more"]);
        assert_eq!(book.0.lock().unwrap().0, ["bad: no good"]);
        assert_eq!((counters.acknowledged.get(), counters.refused.get()), (2, 1));
    }

    #[test]
    fn parcels_are_gathered() {
        let parcels = vec![parcel(&["a"], 1), parcel(&["b"], 2), parcel(&["c"], 3)];
        let (_, got, book, _) = deliver(vec![], parcels, Duration::from_secs(5));
        assert_eq!(got, ["a", "b", "c"]);
        assert_eq!(book.0.lock().unwrap().1.len(), 1, "one parcel, one mark");
    }

    #[test]
    fn marks_of_what_the_filter_left_out_are_settled_too() {
        let (all, got, book, _) = deliver(vec![Plan::Down], vec![parcel(&[], 9)], Duration::ZERO);
        assert_eq!((all, got.len(), book.0.lock().unwrap().1.len()), (true, 0, 1));
    }
}
