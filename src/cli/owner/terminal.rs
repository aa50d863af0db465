//! Filters what an owner sends for a terminal, so that the output cannot control the terminal.
//!
//! The owner already escapes what it prints, but the client does not rely on that. Only the
//! sequences of tables and progress bars are passed on: moving the cursor, clearing a line, and
//! colours.

/// The longest control sequence that is passed on. At most this many bytes of an incomplete one are
/// held back.
const SEQUENCE_BYTES_MAX: usize = 32;

/// A filter of one output stream. Its input may be split within a control sequence.
#[derive(Debug, Default)]
pub(super) struct TerminalFilter {
    held: Vec<u8>,
}

/// How the next bytes are handled.
enum Piece {
    /// This many bytes are printed as they are.
    Plain(usize),
    /// This many bytes are escaped.
    Refused(usize),
    /// The beginning of a sequence that is not complete yet.
    Incomplete,
}

impl TerminalFilter {
    /// Returns the printable form of the bytes held back before and of `bytes`.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut input = std::mem::take(&mut self.held);
        input.extend_from_slice(bytes);
        let mut out = Vec::with_capacity(input.len());
        let mut rest = &input[..];
        while !rest.is_empty() {
            let taken = match piece(rest) {
                Piece::Plain(len) => {
                    out.extend_from_slice(&rest[..len]);
                    len
                }
                Piece::Refused(len) => {
                    for byte in &rest[..len] {
                        out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
                    }
                    len
                }
                Piece::Incomplete => {
                    self.held = rest.to_vec();
                    return out;
                }
            };
            rest = &rest[taken..];
        }
        out
    }
}

fn piece(bytes: &[u8]) -> Piece {
    match bytes {
        [b'\n' | b'\t' | b'\r', ..] => Piece::Plain(1),
        [0x1b] => Piece::Incomplete,
        [0x1b, b'[', parameters @ ..] => sequence(parameters),
        [0x00..=0x1f | 0x7f, ..] => Piece::Refused(1),
        // The C1 control characters, which take two bytes in UTF-8.
        [0xc2] => Piece::Incomplete,
        [0xc2, 0x80..=0x9f, ..] => Piece::Refused(2),
        _ => Piece::Plain(1),
    }
}

/// Classifies the bytes that follow an escape character and `[`.
fn sequence(parameters: &[u8]) -> Piece {
    let is_parameter = |byte: &u8| matches!(byte, b'0'..=b'9' | b';' | b'?');
    match parameters.iter().position(|byte| !is_parameter(byte)) {
        // Colours, clearing a line, moving the cursor in progress bars, hiding the cursor.
        Some(end)
            if matches!(
                parameters[end],
                b'm' | b'K' | b'A'..=b'D' | b'G' | b'l' | b'h'
            ) =>
        {
            Piece::Plain(end + 3)
        }
        None if parameters.len() < SEQUENCE_BYTES_MAX => Piece::Incomplete,
        _ => Piece::Refused(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(pieces: &[&[u8]]) -> String {
        let mut filter = TerminalFilter::default();
        let passed: Vec<u8> = pieces.iter().flat_map(|piece| filter.pass(piece)).collect();
        String::from_utf8(passed).expect("UTF-8")
    }

    #[test]
    fn tables_and_progress_bars_look_as_they_were_printed() {
        let text = "\u{1b}[1mid\u{1b}[0m\t4711\r\u{1b}[2K\u{1b}[1A Prüfplatz 東京\n\u{1b}[?25l";
        assert_eq!(passed(&[text.as_bytes()]), text);
        // The result does not depend on where the input is split.
        let cut: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(passed(&cut), text);
    }

    #[test]
    fn nothing_clears_the_screen_names_the_window_or_reads_the_clipboard() {
        for hostile in [
            "\u{1b}[2J",
            "\u{1b}]0;title\u{7}",
            "\u{1b}]52;c;?\u{7}",
            "\u{1b}c",
            "\u{9b}2J",
            "\u{8}\u{8}",
            "\u{1b}[200~",
            "\u{1b}P+q",
        ] {
            for pieces in [
                vec![hostile.as_bytes()],
                hostile.as_bytes().chunks(1).collect(),
            ] {
                let shown = passed(&pieces);
                let acts = |c: char| c.is_control();
                assert!(!shown.contains(acts), "{hostile:?} as {shown:?}");
            }
        }
    }
}
