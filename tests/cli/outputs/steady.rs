//! Replaces what differs from run to run by something as long, so that columns stay columns.

use std::collections::BTreeMap;

const HEX: &[u8] = b"0123456789abcdef";

/// Replaces ids, hashes, keys, times, durations and the like in one page.
pub(super) struct Steady {
    /// The random name of the folder that the steps work in.
    folder: String,
    /// The number of each hash, by its beginning, in the order in which they appear.
    hashes: BTreeMap<String, usize>,
}

impl Steady {
    pub(super) fn new(folder: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            hashes: BTreeMap::new(),
        }
    }

    /// Returns the text with everything replaced.
    pub(super) fn text(&mut self, text: &str) -> String {
        let version = format!("annals {}", env!("CARGO_PKG_VERSION"));
        let text = text
            .replace(&self.folder, "annals-folder")
            .replace(&version, "annals 1.2.3");
        // Only root is warned of being root. The lines that go on are indented.
        let mut is_of_root = false;
        let lines = text.lines().filter(|line| {
            let goes_on = is_of_root && line.starts_with("         ");
            is_of_root = goes_on || line.starts_with("warning: as root ");
            !is_of_root
        });
        lines.map(|line| self.line(line) + "\n").collect()
    }

    fn line(&mut self, line: &str) -> String {
        let mut out = String::with_capacity(line.len());
        let mut rest = line;
        while let Some(c) = rest.chars().next() {
            let begins = !out.ends_with(char::is_alphanumeric);
            let is_column = out.ends_with("  ");
            match begins.then(|| self.token(rest, is_column)).flatten() {
                Some((taken, token)) => {
                    out.push_str(&token);
                    rest = &rest[taken..];
                }
                None => {
                    out.push(c);
                    rest = &rest[c.len_utf8()..];
                }
            }
        }
        out
    }

    /// Returns how long the token that `rest` begins with is, and what replaces it.
    fn token(&mut self, rest: &str, is_column: bool) -> Option<(usize, String)> {
        for (name, value) in [
            ("\"monotonicms\":\"", "12345678"),
            ("\\\"monotonicms\\\":\\\"", "12345678"),
            ("\"duration_ms\":", "12"),
            ("process        ", "4711"),
            ("127.0.0.1:", "54321"),
        ] {
            if let Some(number) = rest.strip_prefix(name) {
                let digits = leading(number, |c| c.is_ascii_digit());
                // Port 9, where nobody listens, is the one of the configuration.
                if digits > 0 && !rest.starts_with("127.0.0.1:9/") {
                    return Some((name.len() + digits, format!("{name}{value}")));
                }
            }
        }
        if let Some(time) = time(rest) {
            return Some(time);
        }
        let letters = leading(rest, |c| c.is_ascii_alphanumeric() || "+/=".contains(c));
        let word = &rest[..letters];
        let key = word.strip_prefix("annals/").unwrap_or_default();
        if key.find('+') == Some(32) && key.len() > 42 {
            let origin = self.hash(&key[..32]);
            let fill = filler(key.len() - 42);
            return Some((letters, format!("annals/{origin}+01234567+{fill}")));
        }
        let has = |of: fn(&char) -> bool| word.chars().any(|c| of(&c));
        if letters >= 40 && has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase) {
            return Some((letters, filler(letters)));
        }
        let digits = leading(rest, |c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase());
        let ends = |at: usize| !rest[at..].starts_with(|c: char| c.is_ascii_alphanumeric());
        // Names of segments and packs are numbers with many noughts.
        if digits >= 12 && ends(digits) && !rest.starts_with("00000") {
            return Some((digits, self.hash(&rest[..digits])));
        }
        let is_uuid = digits == 8
            && rest.len() >= 36
            && fits("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", rest, |c| {
                c.is_ascii_hexdigit()
            });
        if is_uuid {
            return Some((36, "01234567-89ab-cdef-0123-456789abcdef".to_owned()));
        }
        if fits("xx:xx:xx ", rest, |c| c.is_ascii_digit()) {
            return Some((8, "08:30:00".to_owned()));
        }
        measure(rest, is_column)
    }

    /// Returns the replacement of a hash: its number, and digits in order.
    fn hash(&mut self, hash: &str) -> String {
        let next = self.hashes.len() + 1;
        let number = *self.hashes.entry(hash[..12].to_owned()).or_insert(next);
        let digits = (2..hash.len()).map(|at| char::from(HEX[at % HEX.len()]));
        format!("{number:02}").chars().chain(digits).collect()
    }
}

fn leading(text: &str, of: impl Fn(char) -> bool) -> usize {
    text.chars()
        .take_while(|c| of(*c))
        .map(char::len_utf8)
        .sum()
}

/// Returns true when `text` begins as `pattern` says, in which x stands for a digit.
fn fits(pattern: &str, text: &str, is_digit: fn(char) -> bool) -> bool {
    let mut chars = text.chars();
    pattern.chars().all(|sign| match (sign, chars.next()) {
        ('x', Some(c)) => is_digit(c),
        (sign, next) => next == Some(sign),
    })
}

/// Replaces a key or signature.
fn filler(length: usize) -> String {
    let letters = ('A'..='Z').chain('a'..='z').cycle();
    letters.take(length).collect()
}

/// Replaces a date, with or without a time, or a month. Those of 2020 and 2099 are part of steps.
fn time(rest: &str) -> Option<(usize, String)> {
    let begins = |pattern: &str, text: &str| fits(pattern, text, |c| c.is_ascii_digit());
    if !begins("20xx-xx", rest) {
        return None;
    }
    if rest.starts_with("2020-") || rest.starts_with("2099-") {
        let stays = leading(rest, |c| c.is_ascii_digit() || "-T:. ".contains(c));
        return Some((stays, rest[..stays].to_owned()));
    }
    if !begins("20xx-xx-xx", rest) {
        let ends = !rest[7..].starts_with(|c: char| c == '-' || c.is_ascii_alphanumeric());
        return ends.then(|| (7, "2026-03".to_owned()));
    }
    let mut replaced = "2026-03-01".to_owned();
    let after = &rest[10..];
    if begins(" xx:xx", after) || begins("Txx:xx", after) {
        let clock = leading(&after[1..], |c| c.is_ascii_digit() || ":.".contains(c));
        let clock = after[1..=clock].trim_end_matches([':', '.']).len();
        replaced.push_str(&after[..1]);
        replaced.push_str(&"08:30:00.000000"[..clock.min(15)]);
        return Some((11 + clock, replaced));
    }
    Some((10, replaced))
}

/// Replaces a duration and a size that is not of input. In a column it stays as wide.
fn measure(rest: &str, is_column: bool) -> Option<(usize, String)> {
    const WIDE: &str = "123456.7";
    let digits = leading(rest, |c| c.is_ascii_digit() || c == '.');
    let ends = |rest: &str| !rest.starts_with(char::is_alphanumeric);
    let has = |unit: &str| rest[digits..].strip_prefix(unit).is_some_and(ends);
    if digits == 0 {
        return None;
    }
    for (unit, replaced) in [
        (" ms", "12 ms"),
        (" s", "12 ms"),
        (" GiB", "42.0 GiB"),
        (" TiB", "42.0 GiB"),
    ] {
        if has(unit) {
            return Some((digits + unit.len(), replaced.to_owned()));
        }
    }
    let width = if is_column { digits } else { 4 };
    let number = WIDE.get(WIDE.len().checked_sub(width)?..)?;
    has(" KiB").then(|| (digits, number.to_owned()))
}

#[test]
fn what_differs_is_replaced_by_something_as_long() {
    let mut steady = Steady::new("annals-x8Yz1Q");
    let mut line = |line: &str| steady.line(line);
    assert_eq!(
        line("ID  2031-12-30 17:09:18  a39b6e573c76  x"),
        "ID  2026-03-01 08:30:00  0123456789ab  x"
    );
    assert_eq!(
        line("a39b6e573c766d5c 7c877aaa1c18 a39b6e573c76"),
        "0123456789abcdef 0223456789ab 0123456789ab"
    );
    assert_eq!(
        line("2026-11-30T17:09:22.968217+00:00 until 2099-05-01"),
        "2026-03-01T08:30:00.000000+00:00 until 2099-05-01"
    );
    assert_eq!(
        line("packs/90d/2027-02/0000000000000002.pack in 1.3 s"),
        "packs/90d/2026-03/0000000000000002.pack in 12 ms"
    );
    assert_eq!(
        line("SN-00117  25 B  9.8 KiB, 9.8 KiB"),
        "SN-00117  25 B  6.7 KiB, 56.7 KiB"
    );
}
