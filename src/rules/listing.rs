//! The text of a ruleset, line by line: what `pfctl -vvsr -a '*'` prints on OpenBSD, FreeBSD,
//! pfSense and OPNsense, with or without numbers and counters, or a file in pf.conf's form such as
//! pfSense's `rules.debug`.
//!
//! ```text
//! @5 anchor "f2b/*" all {                          number; since FreeBSD 12 also @5(tracker)
//!   [ Evaluations: 9  Packets: 0  Bytes: 0  States: 0 ]
//!   [ Inserted: uid 0 pid 4711 State Creations: 0 ]
//! anchor "sshd" all {                              found by the wildcard: no rule, no number
//! @0 block drop quick proto tcp from <f2b> to any
//! }
//! }
//! ```
//!
//! Not here: macros and tables are not expanded. One line of pf.conf may become many rules, and
//! pfctl's optimizer removes and joins some, so that the rules of such a file have no numbers.

use std::collections::HashMap;

use super::line::{Kind, Line};

/// A ruleset file may have so many bytes.
pub const MAX_LEN: usize = 64 << 20;
/// Anchors may lie so deep in each other (`PF_ANCHOR_STACK_MAX` is 64).
const MAX_DEPTH: usize = 64;
/// The path of an anchor may have so many bytes (`MAXPATHLEN`).
const MAX_PATH: usize = 1024;
/// A statement may go over so many bytes.
const MAX_STATEMENT: usize = 64 << 10;

/// Where the numbers of the rules come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// pfctl printed them.
    Printed,
    /// The order of pfctl's lines; that pfctl printed them is only likely.
    Counted,
    /// They are not known: the file is in pf.conf's form.
    None,
}

/// An anchor, or (the first) the main ruleset.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Anchor {
    /// Its path, without a wildcard; an anchor without a name is `_`.
    pub path: String,
    /// The rule of the main ruleset that leads to it.
    pub top: Option<u32>,
}

/// A rule at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Index of its anchor.
    pub anchor: usize,
    /// Its number there.
    pub number: Option<u32>,
    /// The rule.
    pub line: Line,
    /// User and process that loaded it, where the counters are there.
    pub inserted: Option<(u32, i32)>,
}

/// A ruleset as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Where the numbers come from.
    pub numbers: Numbers,
    /// Anchors; the main ruleset is the first.
    pub anchors: Vec<Anchor>,
    /// Rules in the order of the file.
    pub entries: Vec<Entry>,
    /// How many lines could not be read, and the number of the first.
    pub unread: Option<(usize, usize)>,
}

impl Listing {
    /// Reads a ruleset. What is not a rule is counted in [`Listing::unread`].
    pub fn parse(bytes: &[u8]) -> Self {
        let mut reader = Reader::default();
        for (number, line) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            reader.line(number, &readable(line));
        }
        reader.finish()
    }
}

/// A line as text; what is not UTF-8 becomes `\xNN`.
fn readable(line: &[u8]) -> String {
    let mut text = String::with_capacity(line.len());
    for chunk in line.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// A statement that goes on in the next line: behind a backslash, or as a list is open.
struct Pending {
    /// The line it began in.
    first: usize,
    text: String,
    has_lists: bool,
    /// Lists that are open.
    open: usize,
}

struct Reader {
    anchors: Vec<Anchor>,
    entries: Vec<Entry>,
    /// Of each anchor but the main ruleset the one it is called from, and the index of the rule.
    calls: Vec<(usize, Option<usize>)>,
    /// Anchors that are open, the innermost last.
    open: Vec<usize>,
    /// How many more are, too deep to tell apart.
    too_deep: usize,
    /// Something that only pf.conf has was seen.
    conf: bool,
    /// A number was seen.
    numbered: bool,
    /// In the part of `pfctl -sa` that has rules, or in no part.
    relevant: bool,
    unread: Option<(usize, usize)>,
    /// A statement of pf.conf that goes on.
    pending: Option<Pending>,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            anchors: vec![Anchor::default()],
            entries: Vec::new(),
            calls: Vec::new(),
            open: Vec::new(),
            too_deep: 0,
            conf: false,
            numbered: false,
            relevant: true,
            unread: None,
            pending: None,
        }
    }
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) {
        let line = line.trim();
        let (part, goes_on) = match line.strip_suffix('\\') {
            Some(part) => (part.trim_end(), true),
            None => (line, false),
        };
        let mut pending = self.pending.take().unwrap_or_else(|| Pending {
            first: number,
            text: String::new(),
            // pfctl's own lines, comments and the braces of anchors are no lists.
            has_lists: !part.starts_with(['@', '#']) && !part.contains("anchor"),
            open: 0,
        });
        if !pending.text.is_empty() {
            pending.text.push(' ');
        }
        pending.text.push_str(part);
        pending.open += part.matches('{').count();
        pending.open = pending.open.saturating_sub(part.matches('}').count());
        self.conf |= goes_on;
        let is_open = goes_on || (pending.has_lists && pending.open > 0);
        if is_open && pending.text.len() < MAX_STATEMENT {
            self.pending = Some(pending);
        } else {
            self.statement(pending.first, &pending.text);
        }
    }

    fn statement(&mut self, number: usize, text: &str) {
        if text.is_empty() {
            return;
        }
        if is_heading(text) {
            self.relevant = text.ends_with("RULES:");
            return;
        }
        if !self.relevant {
            return;
        }
        if text.starts_with('[') {
            self.counters(text);
        } else if text.starts_with('}') {
            match self.too_deep.checked_sub(1) {
                Some(left) => self.too_deep = left,
                None => drop(self.open.pop()),
            }
        } else if text.starts_with('#') || is_of_conf(text) {
            self.conf = true;
        } else if !self.rule(text) {
            let (count, first) = self.unread.unwrap_or((0, number));
            self.unread = Some((count.saturating_add(1), first));
        }
    }

    /// `[ Inserted: uid 0 pid 4711 ...`, of the rule before it.
    fn counters(&mut self, text: &str) {
        let mut words = text.split_ascii_whitespace().skip_while(|word| *word != "Inserted:");
        let (Some(_), Some("uid"), Some(uid), Some("pid"), Some(pid)) =
            (words.next(), words.next(), words.next(), words.next(), words.next())
        else {
            return;
        };
        if let (Ok(uid), Ok(pid), Some(entry)) = (uid.parse(), pid.parse(), self.entries.last_mut())
        {
            entry.inserted.get_or_insert((uid, pid));
        }
    }

    /// Takes a rule; false if it is none.
    fn rule(&mut self, text: &str) -> bool {
        let (place, text) = match text.strip_prefix('@') {
            None => (None, text),
            Some(rest) => {
                let end = rest.find(' ').unwrap_or(rest.len());
                let (place, text) = rest.split_at_checked(end).unwrap_or((rest, ""));
                let Some(place) = number_and_tracker(place) else { return false };
                (Some(place), text.trim_start())
            }
        };
        let opens = text.contains("anchor") && text.ends_with('{');
        let text = if opens { text.trim_end_matches('{').trim_end() } else { text };
        let Some(mut line) = Line::parse(text) else { return false };
        self.numbered |= place.is_some();
        self.conf |= has_list_or_macro(text);
        let (number, tracker) =
            place.map_or((None, None), |(number, tracker)| (Some(number), tracker));
        line.ridentifier = line.ridentifier.or(tracker);
        let anchor = self.open.last().copied().unwrap_or(0);
        // Among numbered rules an anchor without a number is one that a wildcard has found.
        let found = opens && number.is_none() && self.numbered;
        if opens {
            let by = if found { None } else { Some(self.entries.len()) };
            self.call(anchor, by, line.calls.as_deref().unwrap_or_default());
        }
        if !found {
            self.entries.push(Entry { anchor, number, line, inserted: None });
        }
        true
    }

    /// Opens the anchor that a rule calls.
    fn call(&mut self, caller: usize, by: Option<usize>, name: &str) {
        let name = name.strip_suffix("/*").unwrap_or(if name == "*" { "" } else { name });
        let name = if name.is_empty() { "_" } else { name };
        let above = self.anchors.get(caller).map_or("", |anchor| anchor.path.as_str());
        let path = match name.strip_prefix('/') {
            Some(absolute) => absolute.to_owned(),
            None if above.is_empty() => name.to_owned(),
            None => format!("{above}/{name}"),
        };
        if self.open.len() >= MAX_DEPTH || path.len() > MAX_PATH {
            self.too_deep = self.too_deep.saturating_add(1);
            return;
        }
        self.open.push(self.anchors.len());
        self.anchors.push(Anchor { path, top: None });
        self.calls.push((caller, by));
    }

    fn finish(mut self) -> Listing {
        if let Some(pending) = self.pending.take() {
            self.statement(pending.first, &pending.text);
        }
        let numbers = match (self.numbered, self.conf) {
            (true, _) => Numbers::Printed,
            (false, true) => Numbers::None,
            (false, false) => Numbers::Counted,
        };
        let mut listing =
            Listing { numbers, anchors: self.anchors, entries: self.entries, unread: self.unread };
        if numbers == Numbers::Counted {
            listing.count();
        }
        // The main ruleset's rule leads to all that is in the anchor.
        for (at, (caller, by)) in (1..).zip(self.calls) {
            let rule = by.and_then(|by| listing.entries.get(by)).filter(|_| caller == 0);
            let above = listing.anchors.get(caller).and_then(|anchor| anchor.top);
            if let Some(anchor) = listing.anchors.get_mut(at) {
                anchor.top = rule.map_or(above, |rule| rule.number);
            }
        }
        listing
    }
}

impl Listing {
    /// Numbers the rules of each anchor by their order.
    fn count(&mut self) {
        let mut next = HashMap::<(usize, Kind), u32>::new();
        for entry in &mut self.entries {
            let number = next.entry((entry.anchor, entry.line.kind)).or_default();
            entry.number = Some(*number);
            *number = number.saturating_add(1);
        }
    }
}

/// `5` or `5(1234567890)`.
fn number_and_tracker(place: &str) -> Option<(u32, Option<u32>)> {
    let Some((number, tracker)) = place.split_once('(') else {
        return place.parse().ok().map(|number| (number, None));
    };
    let tracker: u32 = tracker.strip_suffix(')')?.parse().ok()?;
    Some((number.parse().ok()?, Some(tracker).filter(|&tracker| tracker != 0)))
}

/// `FILTER RULES:` and the like, which `pfctl -sa` prints.
fn is_heading(text: &str) -> bool {
    text.strip_suffix(':').is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b == b' ')
    })
}

/// Statements of pf.conf that are no rules.
fn is_of_conf(text: &str) -> bool {
    const WORDS: [&str; 12] = [
        "set",
        "table",
        "altq",
        "queue",
        "load",
        "include",
        "antispoof",
        "ether",
        "dnpipe",
        "state-limiter",
        "source-limiter",
        "nat64",
    ];
    let mut words = text.split_ascii_whitespace();
    let first = words.next().unwrap_or_default();
    WORDS.contains(&first)
        || first.contains('=')
        || words.next().is_some_and(|w| w.starts_with('='))
}

/// True if a rule has what pfctl expands.
fn has_list_or_macro(text: &str) -> bool {
    let outside = text.split('"').step_by(2);
    outside.into_iter().any(|part| part.contains(['$', '{', '#']))
}
