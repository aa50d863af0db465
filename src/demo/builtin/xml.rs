//! A parser for the XML of JUnit files: elements, attributes, text, CDATA, comments and processing
//! instructions.
//!
//! Document types are not supported, so the only entities are the five predefined ones and
//! character references. The parser is strict. A malformed document is [`Broken`], with the
//! elements read before.

/// Deeper nesting counts as damage. JUnit files are four or five levels deep.
const DEPTH_MAX: usize = 64;

/// One element with its content.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub(super) tag: String,
    attributes: Vec<(String, String)>,
    /// The text before the first child element.
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn children_named<'a>(&'a self, tag: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.tag == tag)
    }

    /// Returns how many elements with this tag are in it, itself included.
    pub(super) fn count(&self, tag: &str) -> usize {
        let below: usize = self.children.iter().map(|child| child.count(tag)).sum();
        below + usize::from(self.tag == tag)
    }
}

/// A document that is cut short or malformed, with the elements that were read before.
#[derive(Debug, Default)]
pub(super) struct Broken {
    /// The open elements, from the root to the innermost.
    open: Vec<Element>,
    /// The root element, when it was closed before the damage.
    closed: Option<Element>,
}

impl Broken {
    /// Returns the root element as far as it was read.
    pub(super) fn root(&self) -> Option<&Element> {
        self.open.first().or(self.closed.as_ref())
    }

    /// Returns how many elements with this tag were read completely.
    pub(super) fn whole(&self, tag: &str) -> usize {
        let inside = |element: &Element| -> usize {
            element.children.iter().map(|child| child.count(tag)).sum()
        };
        let closed = self.closed.as_ref().map_or(0, |root| root.count(tag));
        closed + self.open.iter().map(inside).sum::<usize>()
    }
}

/// Returns the root element of a document.
pub(super) fn parse(text: &str) -> Result<Element, Broken> {
    let mut read = Broken::default();
    let mut scanner = Scanner {
        rest: text,
        at_start: true,
    };
    match scanner.document(&mut read) {
        Some(()) => read.closed.take().ok_or(read),
        None => Err(read),
    }
}

struct Scanner<'a> {
    rest: &'a str,
    /// True before the first byte was read, the only place for an XML declaration.
    at_start: bool,
}

impl<'a> Scanner<'a> {
    /// Reads the whole document; returns `None` at the first error.
    fn document(&mut self, read: &mut Broken) -> Option<()> {
        while !self.rest.is_empty() {
            if self.take("<!--") {
                let comment = self.until("-->")?;
                // A comment that ends with a hyphen would have three hyphens before its `>`, which
                // XML forbids.
                valid(comment)?;
                if comment.contains("--") || comment.ends_with('-') {
                    return None;
                }
            } else if self.take("<![CDATA[") {
                let text = self.until("]]>")?;
                valid(text)?;
                append(
                    read.open.last_mut()?,
                    &text.replace("\r\n", "\n").replace('\r', "\n"),
                );
            } else if self.take("<?") {
                let at_start = self.at_start;
                let instruction = self.until("?>")?;
                valid(instruction)?;
                let target = Scanner {
                    rest: instruction,
                    at_start,
                }
                .name()?;
                if target.eq_ignore_ascii_case("xml") && !(at_start && target == "xml") {
                    return None;
                }
            } else if self.take("</") {
                let name = self.name()?;
                self.blanks();
                self.take(">").then_some(())?;
                if read.open.last()?.tag != name {
                    return None;
                }
                let element = read.open.pop()?;
                close(read, element);
            } else if self.take("<") {
                self.element(read)?;
            } else {
                let end = self.rest.find('<').unwrap_or(self.rest.len());
                let (text, rest) = self.rest.split_at(end);
                self.rest = rest;
                match read.open.last_mut() {
                    Some(element) => {
                        if text.contains("]]>") {
                            return None;
                        }
                        append(element, &decoded(text, Place::Text)?);
                    }
                    None => text.bytes().all(is_blank).then_some(())?,
                }
            }
            self.at_start = false;
        }
        read.open.is_empty().then_some(())
    }

    /// Reads a start tag after its `<`.
    fn element(&mut self, read: &mut Broken) -> Option<()> {
        if read.closed.is_some() || read.open.len() >= DEPTH_MAX {
            return None;
        }
        let mut element = Element {
            tag: self.name()?.to_owned(),
            ..Element::default()
        };
        loop {
            let separated = self.blanks();
            if self.take("/>") {
                close(read, element);
                return Some(());
            }
            if self.take(">") {
                read.open.push(element);
                return Some(());
            }
            if !separated {
                return None;
            }
            let name = self.name()?;
            self.blanks();
            self.take("=").then_some(())?;
            self.blanks();
            let quote = if self.take("\"") {
                "\""
            } else {
                self.take("'").then_some("'")?
            };
            let value = self.until(quote)?;
            if value.contains('<') || element.attribute(name).is_some() {
                return None;
            }
            let value = decoded(value, Place::Attribute)?;
            element.attributes.push((name.to_owned(), value));
        }
    }

    fn take(&mut self, start: &str) -> bool {
        match self.rest.strip_prefix(start) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn until(&mut self, end: &str) -> Option<&'a str> {
        let (inside, rest) = self.rest.split_once(end)?;
        self.rest = rest;
        Some(inside)
    }

    fn blanks(&mut self) -> bool {
        let rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let some = rest.len() < self.rest.len();
        self.rest = rest;
        some
    }

    fn name(&mut self) -> Option<&'a str> {
        let inside = |c: char| c.is_ascii_alphanumeric() || "_:-.".contains(c) || !c.is_ascii();
        let end = self.rest.find(|c| !inside(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        let first = name.chars().next()?;
        if first.is_ascii_digit() || "-.".contains(first) {
            return None;
        }
        self.rest = rest;
        Some(name)
    }
}

fn close(read: &mut Broken, element: Element) {
    match read.open.last_mut() {
        Some(parent) => parent.children.push(element),
        None => read.closed = Some(element),
    }
}

fn append(element: &mut Element, text: &str) {
    if element.children.is_empty() {
        element.text.push_str(text);
    }
}

fn is_blank(byte: u8) -> bool {
    b" \t\r\n".contains(&byte)
}

fn is_valid(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

fn valid(text: &str) -> Option<()> {
    text.chars().all(is_valid).then_some(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Text,
    Attribute,
}

/// Returns `text` with its references resolved and its line ends unified.
///
/// In attributes, every line end and tab becomes a space.
fn decoded(text: &str, place: Place) -> Option<String> {
    valid(text)?;
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let mut used = c.len_utf8();
        match c {
            '&' => {
                let (reference, _) = rest[1..].split_once(';')?;
                used = reference.len() + 2;
                plain.push(referenced(reference)?);
            }
            '\r' | '\n' | '\t' if place == Place::Attribute => {
                used += usize::from(rest.starts_with("\r\n"));
                plain.push(' ');
            }
            '\r' => {
                used += usize::from(rest.starts_with("\r\n"));
                plain.push('\n');
            }
            _ => plain.push(c),
        }
        rest = &rest[used..];
    }
    Some(plain)
}

fn referenced(reference: &str) -> Option<char> {
    let number = |digits: &str, radix| {
        // `from_str_radix` would accept a sign.
        let first = digits.chars().next()?;
        first.is_digit(radix).then_some(())?;
        let code = u32::from_str_radix(digits, radix).ok()?;
        char::from_u32(code).filter(|c| is_valid(*c))
    };
    match reference {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => match reference.strip_prefix("#x") {
            Some(digits) => number(digits, 16),
            None => number(reference.strip_prefix('#')?, 10),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_breaks_off_tells_how_much_of_it_was_whole() {
        let text = "<s tests='3'><c/><c>x</c><g><c/></g><c ";
        let broken = parse(text).expect_err("it breaks off");
        assert_eq!(broken.whole("c"), 3);
        let root = broken.root().expect("the root was read");
        assert_eq!(root.attribute("tests"), Some("3"));
    }

    #[test]
    fn nesting_without_end_is_damage_and_not_a_stack_overflow() {
        assert!(parse(&"<a>".repeat(1_000_000)).is_err());
        let deep = format!("{}{}", "<a>".repeat(DEPTH_MAX), "</a>".repeat(DEPTH_MAX));
        assert!(parse(&deep).is_ok());
        assert!(parse(&format!("<a>{deep}</a>")).is_err());
    }
}
