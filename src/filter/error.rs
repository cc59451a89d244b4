//! What is wrong with an expression, where, and what may have been meant.

use std::fmt;
use std::ops::Range;

/// Why an expression cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The cause, in words.
    pub message: String,
    /// The bytes of the expression that it is about; empty and at its end if something is
    /// missing there.
    pub at: Range<usize>,
    /// What may have been meant in place of these bytes.
    pub suggestion: Option<String>,
    /// The expression.
    pub expression: String,
}

impl Error {
    pub(super) fn new(message: impl Into<String>, at: Range<usize>) -> Self {
        Self { message: message.into(), at, suggestion: None, expression: String::new() }
    }

    pub(super) fn suggest(mut self, suggestion: Option<impl Into<String>>) -> Self {
        self.suggestion = suggestion.map(Into::into);
        self
    }

    /// With the expression, which is only known to the outermost caller.
    pub(super) fn of(mut self, expression: &str) -> Self {
        expression.clone_into(&mut self.expression);
        self
    }
}

/// Characters shown on each side of the fault.
const CONTEXT: usize = 60;

/// The expression, a line with carets below the fault, the message and the suggestion: several
/// lines, without a newline at the end. Of a long expression only what is near the fault.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, rest) = split(&self.expression, self.at.start);
        let (fault, after) = split(rest, self.at.len());
        let skipped = before.chars().count().saturating_sub(CONTEXT);
        let (head, indent) = if skipped > 0 { ("...", 5) } else { ("", 2) };
        let before: String = before.chars().skip(skipped).map(printable).collect();
        let long = fault.chars().nth(CONTEXT).is_some();
        let (fault, after) = (shown(fault), if long { "" } else { after });
        let tail = if long || after.chars().nth(CONTEXT).is_some() { "..." } else { "" };
        let after = shown(after);
        if !self.expression.is_empty() {
            writeln!(f, "  {head}{before}{fault}{after}{tail}")?;
            let (column, width) = (indent + before.chars().count(), fault.chars().count().max(1));
            writeln!(f, "{:column$}{:^<width$}", "", "")?;
        }
        f.write_str(&self.message)?;
        match &self.suggestion {
            Some(word) => write!(f, "\ndid you mean '{}'?", shown(word)),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

fn split(text: &str, at: usize) -> (&str, &str) {
    text.split_at_checked(at).unwrap_or((text, ""))
}

fn shown(text: &str) -> String {
    text.chars().take(CONTEXT).map(printable).collect()
}

/// One column for each character, whatever was typed.
fn printable(c: char) -> char {
    if c.is_ascii_whitespace() {
        ' '
    } else if c.is_control() {
        '?'
    } else {
        c
    }
}

/// A word of the expression inside a message: short and without control characters.
pub(super) fn quoted(word: &str) -> String {
    let dots = if word.chars().nth(CONTEXT).is_some() { "..." } else { "" };
    format!("'{}{dots}'", shown(word))
}

/// The candidate nearest to a word, if it is near: one edit in three characters, two at least
/// from five characters on.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    const LONGEST: usize = 32;
    let word = word.to_ascii_lowercase();
    if word.len() > LONGEST {
        return None;
    }
    let limit = match word.len() {
        0 | 1 => 0,
        2..=4 => 1,
        n => (n / 3).max(2),
    };
    candidates
        .into_iter()
        .map(|candidate| (distance(word.as_bytes(), candidate.as_bytes()), candidate))
        .filter(|&(distance, _)| distance <= limit)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and exchanges of neighbours that make `b` of `a`
/// (optimal string alignment).
fn distance(a: &[u8], b: &[u8]) -> usize {
    let at = |row: &[usize], i: usize| row.get(i).copied().unwrap_or(usize::MAX / 2);
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let mut cost =
                (at(&last, j) + usize::from(x != y)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let crossed = i > 0 && j > 0 && a.get(i - 1) == Some(&y) && b.get(j - 1) == Some(&x);
            if crossed {
                cost = cost.min(at(&before, j - 1) + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    at(&last, b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_near() {
        let words = ["ifname", "inbound", "tcp", "udp", "port", "portrange"];
        for (typed, meant) in [
            ("ifnme", Some("ifname")),
            ("IFNAME", Some("ifname")),
            ("tpc", Some("tcp")),
            ("prot", Some("port")),
            ("portrnage", Some("portrange")),
            ("x", None),
            ("", None),
            ("ethernet", None),
        ] {
            assert_eq!(nearest(typed, words), meant, "{typed}");
        }
    }

    #[test]
    fn a_long_expression_is_shown_in_part() {
        let expression = format!("{}ifnme em0{}", "tcp or ".repeat(50), " or udp".repeat(50));
        let shown = Error::new("what", 350..355).of(&expression).to_string();
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[0].len() < 140 && lines[0].ends_with("..."), "{}", lines[0]);
        assert_eq!(lines[1].find('^'), lines[0].find("ifnme"));
        assert_eq!(lines[1].trim(), "^^^^^");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let shown = Error::new("what", 3..4).of("on\t\x1b[31m\n").suggest(Some("\x07")).to_string();
        assert_eq!(shown, "  on ?[31m \n     ^\nwhat\ndid you mean '?'?");
    }
}
