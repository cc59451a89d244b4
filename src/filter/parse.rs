//! The grammar.
//!
//! ```text
//! expr    = term { (and | or) term }                        from the left, alike
//! term    = not term | "(" expr ")" | protocol | flag | head operand | value
//! head    = [protocol] [side] [host | net | port | portrange | proto] | field
//! operand = value | not operand | "(" operand { (and | or) operand } ")"
//! side    = src | dst | src or dst | src and dst
//! ```
//!
//! A value that stands alone has the head before it, not counting heads inside of parentheses
//! that were closed again. Names of interfaces and anchors are lists in parentheses only:
//! `on (em0 or em1)`.

use super::error::{Error, nearest, quoted};
use super::expr::{Expr, Op, Side};
use super::lex::{self, Kind as Lexeme, Token};
use super::names::Names;
use super::value::{self, Head, Quals, Value};
use super::words::{self, Keyword, Kind, Protocol};
use super::{MAX_DEPTH, address};

/// Parses an expression; `None` if there is none.
pub(super) fn parse(text: &str, names: &dyn Names) -> Result<Option<Expr>, Error> {
    let tokens = lex::tokens(text)?;
    if tokens.is_empty() {
        return Ok(None);
    }
    let mut parser = Parser { text, tokens: &tokens, next: 0, depth: 0, head: None, names };
    let expr = parser.expr()?;
    match parser.peek(0) {
        None => Ok(Some(expr)),
        Some(token) if token.kind == Lexeme::Close => {
            Err(Error::new("a ')' without its '('", token.at.clone()))
        }
        Some(_) => Err(parser.expected("'and' or 'or'")),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: &'a [Token],
    /// Index of the next token.
    next: usize,
    depth: usize,
    /// What a value that stands alone is a value of.
    head: Option<Head>,
    names: &'a dyn Names,
}

impl<'a> Parser<'a> {
    fn expr(&mut self) -> Result<Expr, Error> {
        let first = self.term()?;
        self.chain(first, Self::term)
    }

    /// What is joined to `first` by `and` and `or`.
    fn chain(
        &mut self,
        first: Expr,
        part: impl Fn(&mut Self) -> Result<Expr, Error>,
    ) -> Result<Expr, Error> {
        let mut rest = Vec::new();
        while let Some(op) = self.operator() {
            rest.push((op, part(self)?));
        }
        Ok(if rest.is_empty() { first } else { Expr::Chain(Box::new(first), rest) })
    }

    fn operator(&mut self) -> Option<Op> {
        let op = match self.peek(0)?.kind {
            Lexeme::And => Op::And,
            Lexeme::Or => Op::Or,
            _ => return None,
        };
        self.next += 1;
        Some(op)
    }

    fn term(&mut self) -> Result<Expr, Error> {
        let Some(token) = self.peek(0) else { return Err(self.expected("an expression")) };
        match token.kind {
            Lexeme::Not => self.nested(|p| Ok(Expr::Not(Box::new(p.term()?)))),
            Lexeme::Open => {
                let head = self.head;
                let inner = self.nested(|p| p.closed(token, Self::expr))?;
                self.head = head;
                Ok(inner)
            }
            Lexeme::Word { .. } => self.primitive(token),
            _ => Err(self.expected("an expression")),
        }
    }

    /// Steps over the next token and parses one level deeper.
    fn nested(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<Expr, Error>,
    ) -> Result<Expr, Error> {
        if self.depth == MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} levels of 'not' and '('");
            return Err(Error::new(message, self.here()));
        }
        self.depth += 1;
        self.next += 1;
        let expr = inner(self)?;
        self.depth -= 1;
        Ok(expr)
    }

    /// What stands between `open`, which was read, and its `)`.
    fn closed(
        &mut self,
        open: &Token,
        inner: impl FnOnce(&mut Self) -> Result<Expr, Error>,
    ) -> Result<Expr, Error> {
        let expr = inner(self)?;
        match self.peek(0) {
            Some(token) if token.kind == Lexeme::Close => {
                self.next += 1;
                Ok(expr)
            }
            Some(_) => Err(self.expected("'and', 'or' or ')'")),
            None => Err(Error::new("a '(' without its ')'", open.at.clone())),
        }
    }

    fn primitive(&mut self, token: &'a Token) -> Result<Expr, Error> {
        let word = self.word(token);
        let Some(keyword) = self.keyword(0) else {
            let reserved = words::not_read(word).filter(|_| !token.is_escaped());
            if let Some(message) = reserved {
                return Err(Error::new(message, token.at.clone()));
            }
            let head = match self.head {
                Some(head) => head,
                None => self.bare(token)?,
            };
            if let Head::Field(field) = head
                && let Some(name) = field.of_any_name()
            {
                let meant = value::meant(word).unwrap_or_else(|| format!("{name} {word}"));
                return Err(unknown(token, word, Some(meant)));
            }
            return self.value(head, true);
        };
        match keyword {
            Keyword::Src | Keyword::Dst | Keyword::Kind(_) => self.qualified(None),
            Keyword::Protocol(protocol) => {
                self.next += 1;
                match self.keyword(0) {
                    Some(Keyword::Src | Keyword::Dst | Keyword::Kind(_)) => {
                        self.qualified(Some((protocol, token)))
                    }
                    _ => Ok(self.alone(Expr::Test(protocol.test()))),
                }
            }
            Keyword::Flag(flag) => {
                self.next += 1;
                Ok(self.alone(Expr::Test(flag.test())))
            }
            Keyword::Field(field) => {
                self.next += 1;
                let head = Head::Field(field);
                let expr = self.operand(head, word)?;
                self.head = Some(head);
                Ok(expr)
            }
            Keyword::Mask => {
                Err(Error::new("'mask' belongs behind 'net' and an address", token.at.clone()))
            }
        }
    }

    /// A primitive that no value may follow.
    fn alone(&mut self, expr: Expr) -> Expr {
        self.head = None;
        expr
    }

    /// Side, kind and operand, behind a protocol or not.
    fn qualified(&mut self, protocol: Option<(Protocol, &'a Token)>) -> Result<Expr, Error> {
        let mut last = protocol.map_or("", |(_, token)| self.word(token));
        let side_at = self.here();
        let side = self.side();
        if side.is_some() {
            last = self.before();
        }
        let kind = match self.keyword(0) {
            Some(Keyword::Kind(kind)) => {
                self.next += 1;
                last = kind.name();
                Some(kind)
            }
            _ => None,
        };
        if side.is_some() && kind == Some(Kind::Proto) {
            return Err(Error::new("a protocol has no source and no destination", side_at));
        }
        let protocol = match protocol {
            Some((protocol, token)) => {
                value::check_protocol(protocol, kind)
                    .map_err(|why| Error::new(why, token.at.clone()))?;
                Some(protocol)
            }
            None => None,
        };
        let head = Head::Quals(Quals { protocol, side: side.unwrap_or(Side::Either), kind });
        let expr = self.operand(head, last)?;
        self.head = Some(head);
        Ok(expr)
    }

    fn side(&mut self) -> Option<Side> {
        let one = |keyword: Option<Keyword>| match keyword {
            Some(Keyword::Src) => Some(Side::Src),
            Some(Keyword::Dst) => Some(Side::Dst),
            _ => None,
        };
        let first = one(self.keyword(0))?;
        self.next += 1;
        let joined = self.peek(0).map(|token| token.kind);
        let second = one(self.keyword(1)).filter(|&second| second != first);
        let side = match (joined, second) {
            (Some(Lexeme::Or), Some(_)) => Side::Either,
            (Some(Lexeme::And), Some(_)) => Side::Both,
            _ => return Some(first),
        };
        self.next += 2;
        Some(side)
    }

    /// The value or values of a head; `last` is its last word.
    fn operand(&mut self, head: Head, last: &str) -> Result<Expr, Error> {
        match self.peek(0) {
            Some(Token { kind: Lexeme::Word { .. }, .. }) => self.value(head, false),
            Some(Token { kind: Lexeme::Not, .. }) => {
                self.nested(|p| Ok(Expr::Not(Box::new(p.operand(head, last)?))))
            }
            Some(open @ Token { kind: Lexeme::Open, .. }) => self.nested(|p| {
                p.closed(open, |p| {
                    let first = p.operand(head, last)?;
                    p.chain(first, |p| p.operand(head, last))
                })
            }),
            _ => Err(self.expected(&format!("a value for '{last}'"))),
        }
    }

    /// The next word as a value; `alone` if it stands without its head.
    fn value(&mut self, head: Head, alone: bool) -> Result<Expr, Error> {
        let Some(token) = self.peek(0) else { return Err(self.expected("a value")) };
        let value = Value { word: self.word(token), at: token.at.clone() };
        if !alone && !head.takes_keywords() && self.keyword(0).is_some() {
            let message = format!(
                "{} is a keyword: write a value, or '\\{}' for the name",
                quoted(value.word),
                value.word
            );
            return Err(Error::new(message, value.at));
        }
        self.next += 1;
        let mask = match self.keyword(0) {
            Some(Keyword::Mask) if head.takes_mask() => {
                self.next += 1;
                let Some(token @ Token { kind: Lexeme::Word { .. }, .. }) = self.peek(0) else {
                    return Err(self.expected("a mask"));
                };
                self.next += 1;
                Some(Value { word: self.word(token), at: token.at.clone() })
            }
            _ => None,
        };
        let expr = value::expr(head, &value, mask.as_ref(), self.names);
        expr.map_err(|error| {
            // Without its head it may have been meant to be anything.
            let open = alone && (error.suggestion.is_none() || value.is_number());
            match value::meant(value.word).filter(|_| open) {
                Some(meant) => error.suggest(Some(meant)),
                None => error,
            }
        })
    }

    /// The head of a value that has none: only an address is clear enough.
    fn bare(&mut self, token: &Token) -> Result<Head, Error> {
        let word = self.word(token);
        if address::is_address(word) {
            let head = Head::Quals(Quals { protocol: None, side: Side::Either, kind: None });
            self.head = Some(head);
            return Ok(head);
        }
        Err(unknown(token, word, value::meant(word)))
    }

    fn peek(&self, ahead: usize) -> Option<&'a Token> {
        self.tokens.get(self.next + ahead)
    }

    fn word(&self, token: &Token) -> &'a str {
        self.text.get(token.at.clone()).unwrap_or_default()
    }

    /// The last word that was read.
    fn before(&self) -> &'a str {
        self.next.checked_sub(1).and_then(|i| self.tokens.get(i)).map_or("", |t| self.word(t))
    }

    /// The keyword so many tokens ahead, if there is one.
    fn keyword(&self, ahead: usize) -> Option<Keyword> {
        let token = self.peek(ahead)?;
        match token.kind {
            Lexeme::Word { escaped: false } => words::keyword(self.word(token)),
            _ => None,
        }
    }

    /// Where the next token is, or the end.
    fn here(&self) -> std::ops::Range<usize> {
        self.peek(0).map_or(self.text.len()..self.text.len(), |token| token.at.clone())
    }

    fn expected(&self, what: &str) -> Error {
        match self.peek(0) {
            Some(token) => {
                let message = format!("expected {what} before {}", quoted(self.word(token)));
                let meant = match token.kind {
                    Lexeme::Word { .. } => nearest(self.word(token), ["and", "or"]),
                    _ => None,
                };
                Error::new(message, token.at.clone()).suggest(meant)
            }
            None => Error::new(format!("expected {what} at the end"), self.here()),
        }
    }
}

fn unknown(token: &Token, word: &str, meant: Option<String>) -> Error {
    let message = format!("{} is not a word of the filter language", quoted(word));
    Error::new(message, token.at.clone()).suggest(meant)
}
