//! One rule as pfctl(8) prints it or pf.conf(5) has it, and what in it can be held against a
//! packet.
//!
//! ```text
//! block drop in log quick on ! em0 inet proto tcp from any to any port = 22 label "ssh" ridentifier 7
//! ```
//!
//! Only what is beyond doubt is taken: a list, a macro or a word that is not known says nothing.
//! Not here: addresses, which a translation may have changed by the time of logging, and services by
//! their names.

use crate::packet::proto;
use crate::pf::{Direction, Family};

/// Lists of rules that pf numbers each by itself (`PF_RULESET_FILTER`, `_SCRUB`, `_NAT`, `_BINAT`,
/// `_RDR`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// pass, block, match and anchors.
    Filter,
    /// scrub (all but OpenBSD since 4.7).
    Scrub,
    /// nat (the same).
    Nat,
    /// binat (the same).
    Binat,
    /// rdr (the same).
    Rdr,
}

impl Kind {
    /// pf.conf's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Scrub => "scrub",
            Self::Nat => "nat",
            Self::Binat => "binat",
            Self::Rdr => "rdr",
        }
    }
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Lets packets through.
    Pass,
    /// Drops them, with or without an answer.
    Block,
    /// Sets something and goes on.
    Match,
    /// Calls the rules of an anchor; logs nothing itself.
    Anchor,
    /// scrub, nat, binat or rdr, or the contrary.
    Other,
}

/// The interface that a rule is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum On {
    /// This one.
    Is(String),
    /// Any but this one.
    Not(String),
}

/// Ports that a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// The first one.
    pub first: u16,
    /// The last one.
    pub last: u16,
    /// Not these but all others.
    pub not: bool,
}

impl Ports {
    /// True if the port is one of them.
    pub fn has(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port) != self.not
    }
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The text without number, tracker and opening brace.
    pub text: String,
    /// The list it is in.
    pub kind: Kind,
    /// What it does.
    pub verb: Verb,
    /// Its direction.
    pub dir: Option<Direction>,
    /// Its interface; a group of interfaces says nothing.
    pub on: Option<On>,
    /// Its address family.
    pub family: Option<Family>,
    /// Its protocol.
    pub proto: Option<u8>,
    /// Its source ports.
    pub from: Option<Ports>,
    /// Its destination ports.
    pub to: Option<Ports>,
    /// It logs.
    pub log: bool,
    /// `log (matches)`: what else matches the packet is logged too.
    pub log_matches: bool,
    /// `log (all)`: packets of its states are logged too, in both directions.
    pub log_all: bool,
    /// Its labels.
    pub labels: Vec<String>,
    /// Its tracker (`ridentifier`).
    pub ridentifier: Option<u32>,
    /// Name of the anchor that it calls; empty for one without a name.
    pub calls: Option<String>,
}

/// Labels that are kept of a rule: `PF_RULE_MAX_LABEL_COUNT`.
const MAX_LABELS: usize = 5;

impl Line {
    /// Reads a rule; `None` if the text is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let (verb, kind) = verb(text)?;
        let mut line = Self {
            text: text.to_owned(),
            kind,
            verb,
            dir: None,
            on: None,
            family: None,
            proto: None,
            from: None,
            to: None,
            log: false,
            log_matches: false,
            log_all: false,
            labels: Vec::new(),
            ridentifier: None,
            calls: None,
        };
        let mut words = Words(text).skip(usize::from(text.starts_with("no ")) + 1).peekable();
        if verb == Verb::Anchor {
            let name = words.next_if(|word| word.is_quoted || !is_keyword(word.text));
            line.calls = Some(name.map_or("", |name| name.text).to_owned());
        }
        // Behind `from`, `to` and `all` the words of addresses follow, and behind those options.
        let mut behind = false;
        let mut side = None;
        while let Some(word) = words.next() {
            match word.text {
                _ if word.is_quoted => {}
                "log" if !behind => {
                    line.log = true;
                    if !words.peek().is_some_and(|next| next.text.starts_with('(')) {
                        continue;
                    }
                    for option in words.by_ref() {
                        match option.text.trim_matches(['(', ',', ')']) {
                            "all" => line.log_all = true,
                            "matches" => line.log_matches = true,
                            _ => {}
                        }
                        if option.text.ends_with(')') {
                            break;
                        }
                    }
                }
                "in" if !behind => line.dir = Some(Direction::IN),
                "out" if !behind => line.dir = Some(Direction::OUT),
                "inet" if !behind => line.family = Some(Family::Inet),
                "inet6" if !behind => line.family = Some(Family::Inet6),
                "on" if !behind => {
                    let not = words.next_if(|word| word.text == "!").is_some();
                    line.on = words.next().and_then(|word| on(word.text, not));
                }
                "proto" if !behind => {
                    line.proto = words.next().and_then(|word| protocol(word.text));
                }
                "all" => behind = true,
                "from" | "to" => {
                    side = Some(word.text);
                    behind = true;
                }
                "port" => {
                    let (Some(at), Some(first)) = (side.take(), words.next()) else { continue };
                    let second = words.peek().map_or("", |word| word.text);
                    let ports = ports(first.text, second);
                    if at == "from" { line.from = ports } else { line.to = ports }
                }
                // What follows is where packets are sent, not where they come from.
                "->" => side = None,
                option if option.ends_with("-to") => side = None,
                "label" => {
                    let label = words.next().map_or("", |word| word.text);
                    if line.labels.len() < MAX_LABELS {
                        line.labels.push(label.to_owned());
                    }
                }
                "ridentifier" => {
                    let id = words.next().and_then(|word| word.text.parse().ok());
                    line.ridentifier = id.filter(|&id| id != 0);
                }
                // What follows these may be any name.
                "tag" | "tagged" | "queue" | "rtable" | "overload" => {
                    words.next();
                }
                _ => {}
            }
        }
        Some(line)
    }
}

/// What the first words say.
fn verb(text: &str) -> Option<(Verb, Kind)> {
    let mut words = text.split_ascii_whitespace();
    let first = words.next()?;
    let first = if first == "no" { words.next()? } else { first };
    Some(match first {
        "pass" => (Verb::Pass, Kind::Filter),
        "block" => (Verb::Block, Kind::Filter),
        "match" => (Verb::Match, Kind::Filter),
        "anchor" => (Verb::Anchor, Kind::Filter),
        "scrub" => (Verb::Other, Kind::Scrub),
        "scrub-anchor" => (Verb::Anchor, Kind::Scrub),
        "nat" => (Verb::Other, Kind::Nat),
        "nat-anchor" => (Verb::Anchor, Kind::Nat),
        "binat" => (Verb::Other, Kind::Binat),
        "binat-anchor" => (Verb::Anchor, Kind::Binat),
        "rdr" => (Verb::Other, Kind::Rdr),
        "rdr-anchor" => (Verb::Anchor, Kind::Rdr),
        _ => return None,
    })
}

/// Words that may stand behind `anchor` in place of its name.
fn is_keyword(word: &str) -> bool {
    const WORDS: [&str; 11] =
        ["in", "out", "on", "inet", "inet6", "proto", "all", "from", "to", "quick", "{"];
    WORDS.contains(&word)
}

/// The interface of a rule, if the word names one and not a group: the name of a group does not end
/// in a digit (ifconfig(8)).
fn on(word: &str, not: bool) -> Option<On> {
    let is_name = word.ends_with(|c: char| c.is_ascii_digit())
        && word.starts_with(|c: char| c.is_ascii_alphabetic());
    let name = is_name.then(|| word.to_owned())?;
    Some(if not { On::Not(name) } else { On::Is(name) })
}

/// `= 22`, `!= 22` or `1000:1002`.
fn ports(first: &str, second: &str) -> Option<Ports> {
    if let Some((first, last)) = first.split_once(':') {
        return Some(Ports { first: first.parse().ok()?, last: last.parse().ok()?, not: false });
    }
    let not = match first {
        "=" => false,
        "!=" => true,
        _ => return None,
    };
    let port = second.parse().ok()?;
    Some(Ports { first: port, last: port, not })
}

fn protocol(word: &str) -> Option<u8> {
    match word {
        "ipv6-icmp" | "icmp6" => Some(proto::ICMP6),
        _ => word
            .parse()
            .ok()
            .or_else(|| (0..=u8::MAX).find(|&number| proto::name(number) == Some(word))),
    }
}

/// A word of a rule.
struct Word<'a> {
    text: &'a str,
    is_quoted: bool,
}

/// The words of a rule. What stands in quotes is one: pfctl prints no escapes, so that the text ends
/// at the first quote with a blank or nothing behind it.
struct Words<'a>(&'a str);

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        let text = self.0.trim_start();
        let (word, rest, is_quoted) = match text.strip_prefix('"') {
            None => {
                let end = text.find(|c: char| c.is_whitespace()).unwrap_or(text.len());
                let (word, rest) = text.split_at_checked(end)?;
                (word, rest, false)
            }
            Some(text) => {
                let closes = |&(at, _): &(usize, &str)| {
                    text.get(at + 1..).is_some_and(|rest| {
                        rest.is_empty() || rest.starts_with(|c: char| c.is_whitespace())
                    })
                };
                // An unclosed quote goes on to the end.
                let end = text.match_indices('"').find(closes).map_or(text.len(), |(at, _)| at);
                let (word, rest) = text.split_at_checked(end)?;
                (word, rest.strip_prefix('"').unwrap_or(rest), true)
            }
        };
        self.0 = rest;
        (is_quoted || !word.is_empty()).then_some(Word { text: word, is_quoted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line::parse(text).unwrap()
    }

    #[test]
    fn a_rule_s_facts() {
        let line = line(
            "block drop in log quick on em0 inet proto tcp from any to any port = ssh \
             label \"say\"in\"here\" label \"b\" ridentifier 1234567890",
        );
        assert_eq!((line.verb, line.kind), (Verb::Block, Kind::Filter));
        assert_eq!((line.dir, line.family), (Some(Direction::IN), Some(Family::Inet)));
        assert_eq!(line.on, Some(On::Is("em0".to_owned())));
        assert_eq!((line.proto, line.ridentifier), (Some(6), Some(1_234_567_890)));
        assert_eq!(line.labels, ["say\"in\"here", "b"]);
    }

    #[test]
    fn ports_by_number() {
        let one = |port, not| Some(Ports { first: port, last: port, not });
        let both = line("pass from any port = 53 to any port 1000:1002 keep state");
        assert_eq!(both.from, one(53, false));
        assert_eq!(both.to, Some(Ports { first: 1000, last: 1002, not: false }));
        assert_eq!(line("pass from any to any port != 25").to, one(25, true));
        for text in [
            "pass from any to any port = ssh",
            "pass from any to any port > 1023",
            "pass from any to any port 5 >< 9",
            "pass from any to any port { 80 443 }",
            "pass from any to 10.0.0.1 rdr-to 10.0.0.2 port = 80",
            "nat from any to any -> 10.0.0.1 port 1024:65535",
            "pass from any to any port =",
            "pass from any to any port",
            "pass port = 7",
        ] {
            assert_eq!((line(text).from, line(text).to), (None, None), "{text}");
        }
        let ports = Ports { first: 5, last: 7, not: true };
        assert!(ports.has(4) && ports.has(8) && !ports.has(5) && !ports.has(7));
    }

    #[test]
    fn options_of_log() {
        for (text, log_all, dir) in [
            ("pass in log (all) on em0 all", true, Some(Direction::IN)),
            ("pass log (all, to pflog1) in all", true, Some(Direction::IN)),
            ("pass out log (to pflog1, user, all) all", true, Some(Direction::OUT)),
            ("pass in log (matches) all", false, Some(Direction::IN)),
            ("pass in log all", false, Some(Direction::IN)),
            ("pass log (all", true, None),
        ] {
            assert_eq!((line(text).log_all, line(text).dir), (log_all, dir), "{text}");
        }
    }

    #[test]
    fn what_is_in_doubt_says_nothing() {
        for text in [
            "pass in on egress all",
            "pass in on any all",
            "pass in on $WAN all",
            "pass in on { em0 em1 } all",
            "pass in on rdomain 1 all",
        ] {
            assert_eq!(line(text).on, None, "{text}");
        }
        assert_eq!(line("pass on ! em0 all").on, Some(On::Not("em0".to_owned())));
        assert_eq!(line("pass proto { tcp udp } all").proto, None);
        assert_eq!(line("pass proto nonsense all").proto, None);
        assert_eq!(line("pass in all tag out label out").dir, Some(Direction::IN));
        assert_eq!(line("pass in all ridentifier 0").ridentifier, None);
        let unclosed = line("pass in all label \"x ridentifier 5");
        assert_eq!((unclosed.labels, unclosed.ridentifier), (vec!["x ridentifier 5".into()], None));
        // An option behind the addresses is not a direction of the rule.
        assert_eq!(line("pass from any to any rdr-to 10.0.0.1 inet6").family, None);
    }

    #[test]
    fn verbs_and_their_lists() {
        for (text, verb, kind) in [
            ("no nat on em0 all", Verb::Other, Kind::Nat),
            ("rdr-anchor \"x\" all", Verb::Anchor, Kind::Rdr),
            ("scrub in all", Verb::Other, Kind::Scrub),
            ("match out all", Verb::Match, Kind::Filter),
        ] {
            assert_eq!((line(text).verb, line(text).kind), (verb, kind), "{text}");
        }
        assert_eq!(line("anchor \"f2b/*\" all").calls.as_deref(), Some("f2b/*"));
        assert_eq!(line("anchor in on em0 all").calls.as_deref(), Some(""));
        for text in ["", "passing", "no", "no such", "set skip on lo", "}", "x = \"pass\""] {
            assert_eq!(Line::parse(text), None, "{text}");
        }
    }
}
