//! What a value means behind its head: numbers, ports, names.
//!
//! Not here: addresses (`address`).

use std::ops::Range;

use crate::packet::proto;
use crate::pf::{Action, Direction, Family, Reason, SyncAction};

use super::error::{Error, nearest, quoted};
use super::expr::{Act, Code, Expr, Net, Op, Pattern, Protos, Side, Test};
use super::names::{self, Names};
use super::words::{self, Field, Kind, Protocol};

/// What a value is a value of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    Quals(Quals),
    Field(Field),
}

/// pcap-filter's qualifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quals {
    pub(super) protocol: Option<Protocol>,
    pub(super) side: Side,
    /// `None`: a host, or a network where it has a mask.
    pub(super) kind: Option<Kind>,
}

/// A word in the place of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value<'a> {
    pub(super) word: &'a str,
    pub(super) at: Range<usize>,
}

impl Head {
    /// True if the first word behind it is its value even if it is a keyword: where the values
    /// are a list of names that holds keywords (`proto tcp`), and for the names of interfaces
    /// and anchors.
    pub(super) const fn takes_keywords(self) -> bool {
        matches!(self, Self::Field(_) | Self::Quals(Quals { kind: Some(Kind::Proto), .. }))
    }

    pub(super) const fn takes_mask(self) -> bool {
        matches!(self, Self::Quals(Quals { kind: None | Some(Kind::Net), .. }))
    }
}

/// Why a protocol cannot qualify a kind of value.
pub(super) fn check_protocol(protocol: Protocol, kind: Option<Kind>) -> Result<(), &'static str> {
    match (protocol, kind) {
        (Protocol::Ethertype(_), _) => Err("only IP's addresses, ports and protocols are read"),
        (Protocol::Of(..), Some(Kind::Proto)) => Err("only 'ip' and 'ip6' go before 'proto'"),
        (Protocol::Of(_, number), Some(Kind::Port | Kind::Portrange))
            if protos(number).is_none() =>
        {
            Err("this protocol has no ports")
        }
        _ => Ok(()),
    }
}

const fn protos(number: u8) -> Option<Protos> {
    match number {
        proto::TCP => Some(Protos::TCP),
        proto::UDP => Some(Protos::UDP),
        proto::SCTP => Some(Protos::SCTP),
        _ => None,
    }
}

/// The question that a head and a value are.
pub(super) fn expr(
    head: Head,
    value: &Value<'_>,
    mask: Option<&Value<'_>>,
    names: &dyn Names,
) -> Result<Expr, Error> {
    let quals @ Quals { protocol, kind, .. } = match head {
        Head::Field(field) => return Ok(Expr::Test(value.field(field)?)),
        Head::Quals(quals) => quals,
    };
    // What is left of the protocol to be asked for besides.
    let (inner, rest) = match kind {
        Some(Kind::Proto) => {
            let (family, number) = (quals.family(), value.protocol()?);
            (Expr::Test(Test::Proto { family, number }), None)
        }
        Some(Kind::Port | Kind::Portrange) => {
            let own = matches!(protocol, Some(Protocol::Of(..)));
            (quals.ports(value, names)?, protocol.filter(|_| !own))
        }
        Some(Kind::Host | Kind::Net) | None => {
            let own = matches!(protocol, Some(Protocol::Ip(_)));
            (quals.nets(value, mask, names)?, protocol.filter(|_| !own))
        }
    };
    Ok(match rest {
        Some(protocol) => {
            Expr::Chain(Box::new(Expr::Test(protocol.test())), vec![(Op::And, inner)])
        }
        None => inner,
    })
}

impl Quals {
    const fn family(self) -> Option<Family> {
        match self.protocol {
            Some(Protocol::Ip(family)) => Some(family),
            _ => None,
        }
    }

    fn ports(self, value: &Value<'_>, names: &dyn Names) -> Result<Expr, Error> {
        let wanted = match self.protocol {
            Some(Protocol::Of(_, number)) => protos(number).unwrap_or(Protos::ALL),
            _ => Protos::ALL,
        };
        let ports = match self.kind {
            Some(Kind::Portrange) => vec![value.portrange(wanted, names)?],
            _ => value.ports(wanted, names)?,
        };
        let side = self.side;
        let test = |(protos, first, last)| Test::Ports { protos, side, first, last };
        any(ports.into_iter().map(test)).ok_or_else(|| value.error("no port"))
    }

    fn nets(
        self,
        value: &Value<'_>,
        mask: Option<&Value<'_>>,
        names: &dyn Names,
    ) -> Result<Expr, Error> {
        let masked = value.word.contains('/') || mask.is_some();
        let nets = if self.kind == Some(Kind::Net) || (self.kind.is_none() && masked) {
            vec![value.net(mask)?]
        } else {
            value.host(names)?
        };
        let (family, side) = (self.family(), self.side);
        let fits = |net: &Net| family.is_none_or(|family| net.family() == family);
        any(nets.into_iter().filter(fits).map(|net| Test::Net { side, net })).ok_or_else(|| {
            let version = if family == Some(Family::Inet) { "IPv4" } else { "IPv6" };
            value.error(format!("{} has no {version} address", quoted(value.word)))
        })
    }
}

/// One of the tests, or all joined by `or`; `None` without any.
fn any(tests: impl IntoIterator<Item = Test>) -> Option<Expr> {
    let mut tests = tests.into_iter().map(Expr::Test);
    let first = tests.next()?;
    let rest: Vec<_> = tests.map(|test| (Op::Or, test)).collect();
    Some(if rest.is_empty() { first } else { Expr::Chain(Box::new(first), rest) })
}

/// What an unknown word at the start of an expression may have been meant to be.
pub(super) fn meant(word: &str) -> Option<String> {
    let lower = word.to_ascii_lowercase();
    let of = |names: &[&'static str]| names.iter().copied().find(|name| **name == *lower);
    let action = match &*lower {
        "accept" | "drop" => Some(&*lower),
        _ => of(&Action::NAMES),
    };
    if let Some(name) = action {
        return Some(format!("action {name}"));
    }
    if let Some(name) = of(&Reason::NAMES) {
        return Some(format!("reason {name}"));
    }
    if let Some(name) = of(&SyncAction::NAMES) {
        return Some(format!("sync {name}"));
    }
    if word.parse::<u16>().is_ok() {
        return Some(format!("port {word}"));
    }
    nearest(word, words::all()).map(str::to_owned)
}

/// Bytes of an interface's or anchor's name that pf's header has room for.
const NAME_LEN: usize = 15;

impl Value<'_> {
    pub(super) fn error(&self, message: impl Into<String>) -> Error {
        Error::new(message, self.at.clone())
    }

    /// A number as C writes it: decimal, hexadecimal behind `0x`, octal behind `0`.
    fn number(&self, max: u32) -> Result<u32, Error> {
        let (digits, radix) = match self.word {
            "0" => ("0", 10),
            word => match (word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")), word) {
                (Some(hex), _) => (hex, 16),
                (None, word) => word.strip_prefix('0').map_or((word, 10), |octal| (octal, 8)),
            },
        };
        if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
            let why = match radix {
                16 => "is not a hexadecimal number",
                8 if digits.bytes().all(|b| b.is_ascii_digit()) => "starts with 0 and is not octal",
                _ => "is not a number",
            };
            return Err(self.error(format!("{} {why}", quoted(self.word))));
        }
        match u32::from_str_radix(digits, radix) {
            Ok(n) if n <= max => Ok(n),
            _ => Err(self.error(format!("{} is more than {max}", quoted(self.word)))),
        }
    }

    pub(super) fn is_number(&self) -> bool {
        self.word.bytes().all(|b| b.is_ascii_digit()) || self.word.starts_with("0x")
    }

    fn field(&self, field: Field) -> Result<Test, Error> {
        let any = || self.number(u32::MAX);
        let id = || self.number(i32::MAX.unsigned_abs()).map(u32::cast_signed);
        let rule = |none: &[&str]| match none.contains(&self.word) {
            true => Ok(None),
            false => any().map(|n| (n != u32::MAX).then_some(n)),
        };
        Ok(match field {
            Field::Ifname => Test::Ifname(self.name("interface")?),
            Field::Ruleset => Test::Ruleset(self.name("anchor")?),
            Field::Rule => Test::Rule(rule(&["def", "default"])?),
            Field::Subrule => Test::Subrule(rule(&["none"])?),
            Field::Reason => Test::Reason(self.code("reason", &Reason::NAMES, Code::reason)?),
            Field::Action => Test::Action(self.code("action", &Action::NAMES, Code::action)?),
            Field::Dir => Test::Dir(self.direction()?),
            Field::Rid => Test::Rid(any()?),
            Field::Uid => Test::Uid(any()?),
            Field::Pid => Test::Pid(id()?),
            Field::RuleUid => Test::RuleUid(any()?),
            Field::RulePid => Test::RulePid(id()?),
            Field::Spi => Test::Spi(any()?),
            Field::Less => Test::Less(any()?),
            Field::Greater => Test::Greater(any()?),
            Field::Sync => Test::Sync(self.act()?),
            Field::Creator => Test::Creator(self.creator()?),
            Field::State => Test::State(self.state()?),
            Field::Label => Test::Label(Pattern::new(self.word)),
            Field::Tunnel => Test::Tunnel(Pattern::new(self.word)),
        })
    }

    fn name(&self, of: &str) -> Result<Pattern, Error> {
        let pattern = Pattern::new(self.word);
        if pattern.glob || self.word.len() <= NAME_LEN {
            return Ok(pattern);
        }
        let start: String = self.word.chars().take(NAME_LEN).collect();
        let message = format!("pf logs {NAME_LEN} bytes of the name of an {of}");
        Err(self.error(message).suggest(Some(format!("{start}*"))))
    }

    fn code(
        &self,
        what: &str,
        names: &[&'static str],
        named: fn(&'static str) -> Code,
    ) -> Result<Code, Error> {
        if self.is_number() {
            return self.byte().map(Code::Number);
        }
        let lower = self.word.to_ascii_lowercase();
        let word = match (what, &*lower) {
            ("action", "accept") => "pass",
            ("action", "drop") => "block",
            (_, word) => word,
        };
        match names.iter().find(|name| **name == word) {
            Some(name) => Ok(named(name)),
            None => Err(self.no_name(&format!("{what} of pf"), names)),
        }
    }

    fn no_name(&self, of: &str, names: &[&'static str]) -> Error {
        self.error(format!("{} is not the name of any {of}", quoted(self.word)))
            .suggest(nearest(self.word, names.iter().copied()))
    }

    fn byte(&self) -> Result<u8, Error> {
        self.number(u32::from(u8::MAX)).map(|number| u8::try_from(number).unwrap_or(u8::MAX))
    }

    fn act(&self) -> Result<Act, Error> {
        if self.is_number() {
            return self.byte().map(Act::Number);
        }
        let lower = self.word.to_ascii_lowercase();
        let names = &SyncAction::NAMES;
        let name = names.iter().find(|name| **name == lower);
        name.and_then(|name| Act::named(name))
            .ok_or_else(|| self.no_name("action of pfsync", names))
    }

    fn creator(&self) -> Result<u32, Error> {
        let digits = self.hexadecimal("a creator is")?;
        u32::from_str_radix(digits, 16).map_err(|_| {
            let state = (digits.len() == 16).then(|| format!("state {digits}"));
            self.error("a creator has 8 hexadecimal digits at most").suggest(state)
        })
    }

    fn state(&self) -> Result<u64, Error> {
        let digits = self.hexadecimal("a state's ID is")?;
        match u64::from_str_radix(digits, 16) {
            Ok(id) if digits.len() == 16 => Ok(id),
            _ => {
                let creator = (digits.len() == 8).then(|| format!("creator {digits}"));
                Err(self.error("a state's ID has 16 hexadecimal digits").suggest(creator))
            }
        }
    }

    /// Hexadecimal digits, without the `0x` that may stand before them.
    fn hexadecimal(&self, what: &str) -> Result<&str, Error> {
        let word = self.word;
        let digits = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")).unwrap_or(word);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(self.error(format!("{what} a hexadecimal number, {} is not", quoted(word))));
        }
        Ok(digits)
    }

    fn direction(&self) -> Result<Direction, Error> {
        let mut all = (0..=3).map(Direction);
        all.find(|dir| dir.name() == Some(self.word)).ok_or_else(|| {
            self.error(format!("{} is not a direction: in, out or fwd", quoted(self.word)))
        })
    }

    fn protocol(&self) -> Result<u8, Error> {
        if self.is_number() {
            return self.byte();
        }
        words::protocol(self.word).ok_or_else(|| {
            let message =
                format!("the protocol {} is not known: write its number", quoted(self.word));
            self.error(message).suggest(nearest(self.word, words::protocols()))
        })
    }

    /// The port or ports of a number or a service.
    fn ports(&self, wanted: Protos, names: &dyn Names) -> Result<Vec<(Protos, u16, u16)>, Error> {
        if self.is_number() {
            let port = self.number(u32::from(u16::MAX))?;
            let port = u16::try_from(port).unwrap_or(u16::MAX);
            return Ok(vec![(wanted, port, port)]);
        }
        let services = names.services().map_err(|error| {
            self.error(format!(
                "the service {} is not known: /etc/services: {error}",
                quoted(self.word)
            ))
        })?;
        let all = names::ports(&services, self.word);
        let fit: Vec<_> = all
            .iter()
            .map(|&(port, protos)| (protos.and(wanted), port, port))
            .filter(|(protos, ..)| !protos.is_empty())
            .collect();
        match (fit.is_empty(), all.first()) {
            (false, _) => Ok(fit),
            (true, Some((_, protos))) => Err(self.error(format!(
                "{} is a service of {}, not of {}",
                quoted(self.word),
                protos.name(),
                wanted.name()
            ))),
            (true, None) => {
                Err(self
                    .error(format!("the service {} is not in /etc/services", quoted(self.word))))
            }
        }
    }

    /// Two ports joined by `-`, or one; the smaller may be the second.
    fn portrange(&self, wanted: Protos, names: &dyn Names) -> Result<(Protos, u16, u16), Error> {
        let one = |at: Range<usize>| {
            let word = self.word.get(at.clone()).unwrap_or_default();
            let start = self.at.start;
            let end = Value { word, at: start + at.start..start + at.end };
            let ports = end.ports(wanted, names)?;
            ports.first().copied().ok_or_else(|| end.error("no port"))
        };
        let mut dashes = self.word.match_indices('-').map(|(at, _)| at).peekable();
        if dashes.peek().is_none() {
            return one(0..self.word.len());
        }
        let mut result = Err(self.error("not a range"));
        // A dash may also be part of a service's name.
        for dash in dashes.take(8) {
            result = one(0..dash).and_then(|(a, first, _)| {
                let (b, last, _) = one(dash + 1..self.word.len())?;
                Ok((a.and(b), first.min(last), first.max(last)))
            });
            if result.is_ok() {
                break;
            }
        }
        let (protos, first, last) = result?;
        if protos.is_empty() {
            return Err(self.error("the ends of the range are of different protocols"));
        }
        Ok((protos, first, last))
    }
}
