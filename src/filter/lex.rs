//! Words, operators and parentheses.

use std::ops::Range;

use super::error::{Error, quoted};

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// In bytes of the expression.
    pub(super) at: Range<usize>,
}

impl Token {
    /// True for a word that is no keyword whatever it says.
    pub(super) const fn is_escaped(&self) -> bool {
        matches!(self.kind, Kind::Word { escaped: true })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Any word; `escaped` if a backslash stands before it, which keeps it from being a keyword.
    Word {
        escaped: bool,
    },
    And,
    Or,
    Not,
    Open,
    Close,
}

/// Characters that end an unescaped word.
fn ends_word(c: char) -> bool {
    c.is_ascii_whitespace() || "()!&|<>=[]\"'".contains(c)
}

/// Characters that end a word after a backslash.
fn ends_escaped(c: char) -> bool {
    c.is_ascii_whitespace() || "()!".contains(c)
}

/// True if the lexer reads the word back as the word it is only behind a backslash.
pub(super) fn needs_escape(word: &str) -> bool {
    matches!(word, "and" | "or" | "not") || word.starts_with('\\') || word.contains(ends_word)
}

/// Takes an expression apart. The text of a word is at its range, without the backslash.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Error> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_ascii_start();
        let start = text.len() - rest.len();
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        let mut token = |kind, at: Range<usize>| tokens.push(Token { kind, at });
        let len = match first {
            '(' => (token(Kind::Open, start..start + 1), 1).1,
            ')' => (token(Kind::Close, start..start + 1), 1).1,
            '!' => (token(Kind::Not, start..start + 1), 1).1,
            '&' if rest.starts_with("&&") => (token(Kind::And, start..start + 2), 2).1,
            '|' if rest.starts_with("||") => (token(Kind::Or, start..start + 2), 2).1,
            '\\' => {
                let len = rest.find(ends_escaped).unwrap_or(rest.len());
                if len == 1 {
                    return Err(Error::new("a word is missing behind '\\'", start..start + 1));
                }
                token(Kind::Word { escaped: true }, start + 1..start + len);
                len
            }
            _ => {
                let len = rest.find(ends_word).unwrap_or(rest.len());
                let (word, behind) = rest.split_at_checked(len).unwrap_or((rest, ""));
                if let Some(stray) = behind.chars().next().filter(|&c| is_stray(c, behind)) {
                    return Err(not_read(text, start, start + len, stray));
                }
                let kind = match word {
                    "and" => Kind::And,
                    "or" => Kind::Or,
                    "not" => Kind::Not,
                    _ => Kind::Word { escaped: false },
                };
                token(kind, start..start + len);
                len
            }
        };
        rest = rest.get(len..).unwrap_or_default();
    }
}

fn is_stray(c: char, behind: &str) -> bool {
    match c {
        '&' => !behind.starts_with("&&"),
        '|' => !behind.starts_with("||"),
        _ => "<>=[]\"'".contains(c),
    }
}

/// The error for a character that has no place in an expression; `word` is where the word
/// before it starts.
fn not_read(text: &str, word: usize, at: usize, stray: char) -> Error {
    let one = at..at + stray.len_utf8();
    match stray {
        '[' | ']' => {
            let end =
                text.get(at..).and_then(|rest| rest.find(']')).map_or(one.end, |i| at + i + 1);
            Error::new(
                "expressions over bytes are not read: select by field with --format json, \
                 or read what 'tcpdump -w -' lets pass",
                word..end,
            )
        }
        '<' | '>' | '=' => Error::new(
            "comparisons are not read: 'less N' and 'greater N' compare the frame's length",
            one,
        ),
        '&' => Error::new("a single '&' is not an operator", one).suggest(Some("&&")),
        '|' => Error::new("a single '|' is not an operator", one).suggest(Some("||")),
        _ => {
            let name = quoted(&stray.to_string());
            Error::new(format!("a quotation mark ({name}) is not part of any name"), one)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(Kind, &str)> {
        let tokens = tokens(text).unwrap();
        tokens.into_iter().map(|token| (token.kind, &text[token.at])).collect()
    }

    #[test]
    fn operators_need_no_blanks() {
        const WORD: Kind = Kind::Word { escaped: false };
        assert_eq!(
            kinds("!(tcp&&\\udp||\tport 22)"),
            [
                (Kind::Not, "!"),
                (Kind::Open, "("),
                (WORD, "tcp"),
                (Kind::And, "&&"),
                (Kind::Word { escaped: true }, "udp||"),
                (WORD, "port"),
                (WORD, "22"),
                (Kind::Close, ")"),
            ]
        );
        assert_eq!(kinds("a and\nb or not c").len(), 6);
        assert_eq!(
            kinds("rset f2b/* on em?"),
            [(WORD, "rset"), (WORD, "f2b/*"), (WORD, "on"), (WORD, "em?")]
        );
        assert_eq!(kinds(" \r\n"), []);
    }
}
