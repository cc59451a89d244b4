//! Numbers and names as a person reads them: grouped, rounded, cut to a width.

use crate::text::push_dec;

/// ASCII text, shortened in its middle, for both ends of an anchor's or an address's name tell
/// something.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.len() <= width {
        return text.to_owned();
    }
    let keep = width.saturating_sub(2);
    let (front, back) = (keep.div_ceil(2), keep / 2);
    let front = text.get(..front).unwrap_or_default();
    let back = text.get(text.len().saturating_sub(back)..).unwrap_or_default();
    format!("{front}..{back}")
}

/// A number in groups of three digits.
pub(super) fn grouped(n: u64) -> String {
    let mut digits = Vec::with_capacity(20);
    push_dec(&mut digits, n);
    let mut text = String::with_capacity(26);
    for (i, &digit) in digits.iter().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(char::from(digit));
    }
    text
}

/// A share: at most `100.0%`; never `0.0%` of something or `100.0%` of less than all.
pub(super) fn percent(n: u64, total: u64) -> String {
    let total = u128::from(total.max(1));
    let n = u128::from(n);
    let mut permille = (n * 1000 + total / 2) / total;
    if n > 0 && n < total {
        permille = permille.clamp(1, 999);
    }
    format!("{}.{}%", permille / 10, permille % 10)
}

/// A number of bytes.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} bytes");
    }
    let mut unit = 1_u64;
    for name in UNITS {
        unit = unit.saturating_mul(1000);
        if bytes / 1000 < unit || name == "EB" {
            let tenths = u128::from(bytes) * 10 / u128::from(unit);
            return format!("{}.{} {name}", tenths / 10, tenths % 10);
        }
    }
    String::new()
}

/// A stretch of time in its two largest units.
pub(super) fn span(seconds: i64) -> String {
    const UNITS: [(i64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut parts = Vec::new();
    let mut left = seconds;
    for (unit, name) in UNITS {
        if left >= unit && parts.len() < 2 {
            parts.push(format!("{} {name}", left / unit));
            left %= unit;
        } else if !parts.is_empty() {
            break;
        }
    }
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}
