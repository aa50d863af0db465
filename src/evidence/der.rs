//! As much of DER as time stamps need: elements of definite length, one after the other.

/// The kinds of elements, as the first byte tells them.
pub(super) mod tag {
    pub(in crate::evidence) const BOOLEAN: u8 = 0x01;
    pub(in crate::evidence) const INTEGER: u8 = 0x02;
    pub(in crate::evidence) const OCTETS: u8 = 0x04;
    pub(in crate::evidence) const NULL: u8 = 0x05;
    pub(in crate::evidence) const OID: u8 = 0x06;
    pub(in crate::evidence) const UTF8: u8 = 0x0c;
    /// A time with a year of two digits.
    pub(in crate::evidence) const SHORT_TIME: u8 = 0x17;
    pub(in crate::evidence) const TIME: u8 = 0x18;
    pub(in crate::evidence) const SEQUENCE: u8 = 0x30;
    pub(in crate::evidence) const SET: u8 = 0x31;
    /// The member that a structure numbers with 0.
    pub(in crate::evidence) const FIRST: u8 = 0xa0;
}

/// One element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    /// With its tag and length.
    pub(super) whole: &'a [u8],
}

impl<'a> Element<'a> {
    /// Returns a reader of the elements in it.
    pub(super) const fn reader(&self) -> Reader<'a> {
        Reader::new(self.content)
    }
}

/// Reads elements one after the other.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Returns the next element; `None` at the end, and for what is no DER.
    pub(super) fn next(&mut self) -> Option<Element<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (len, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let len = bytes
                    .iter()
                    .fold(0_u32, |len, byte| len << 8 | u32::from(*byte));
                (usize::try_from(len).ok()?, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(len)?;
        let whole = &self.0[..self.0.len() - rest.len()];
        self.0 = rest;
        Some(Element {
            tag,
            content,
            whole,
        })
    }

    /// Returns the next element if it is of this kind, and else stays where it is.
    pub(super) fn expect(&mut self, tag: u8) -> Option<Element<'a>> {
        let before = self.0;
        let element = self.next().filter(|element| element.tag == tag);
        if element.is_none() {
            self.0 = before;
        }
        element
    }

    /// Returns a reader of the only element that there is, which must be of this kind.
    pub(super) fn only(mut self, tag: u8) -> Option<Self> {
        let element = self.expect(tag)?;
        self.0.is_empty().then(|| element.reader())
    }
}

/// Writes an element of less than 65,536 bytes.
pub(super) fn write(tag: u8, content: &[u8]) -> Vec<u8> {
    let [.., high, low] = content.len().to_be_bytes();
    let mut element = vec![tag];
    match content.len() {
        0..=0x7f => element.push(low),
        0x80..=0xff => element.extend([0x81, low]),
        _ => element.extend([0x82, high, low]),
    }
    element.extend_from_slice(content);
    element
}
