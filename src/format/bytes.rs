//! Reads and writes fixed little-endian layouts, with bounds checks.

/// The bytes end before the value does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{needed} bytes are needed where {left} are left")]
pub struct Truncated {
    /// Number of bytes the value takes.
    pub needed: usize,
    /// Number of bytes that were left.
    pub left: usize,
}

/// Reads values from the front of a slice. Never reads past its end.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Returns a reader at the start of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Returns the bytes that have not been read yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Returns true when all bytes have been read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Reads the next `count` bytes. On an error nothing is consumed.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Truncated> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(Truncated {
                needed: count,
                left: self.rest.len(),
            });
        };
        self.rest = rest;
        Ok(taken)
    }

    /// Reads the next `N` bytes.
    pub fn take_array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(Truncated {
                needed: N,
                left: self.rest.len(),
            });
        };
        self.rest = rest;
        Ok(*taken)
    }

    /// Reads the next byte.
    pub fn take_u8(&mut self) -> Result<u8, Truncated> {
        self.take_array().map(u8::from_le_bytes)
    }

    /// Reads the next two bytes as a number.
    pub fn take_u16(&mut self) -> Result<u16, Truncated> {
        self.take_array().map(u16::from_le_bytes)
    }

    /// Reads the next four bytes as a number.
    pub fn take_u32(&mut self) -> Result<u32, Truncated> {
        self.take_array().map(u32::from_le_bytes)
    }

    /// Reads the next eight bytes as a number.
    pub fn take_u64(&mut self) -> Result<u64, Truncated> {
        self.take_array().map(u64::from_le_bytes)
    }
}

/// Appends values to a buffer. [`Reader`] reads them back in the order they were written.
pub trait Put {
    /// Appends bytes unchanged.
    fn put(&mut self, bytes: &[u8]);

    /// Appends a one-byte number.
    fn put_u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    /// Appends a two-byte number.
    fn put_u16(&mut self, value: u16) {
        self.put(&value.to_le_bytes());
    }

    /// Appends a four-byte number.
    fn put_u32(&mut self, value: u32) {
        self.put(&value.to_le_bytes());
    }

    /// Appends an eight-byte number.
    fn put_u64(&mut self, value: u64) {
        self.put(&value.to_le_bytes());
    }
}

impl Put for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_little_endian_whatever_the_machine() {
        let mut bytes = Vec::new();
        bytes.put_u8(1);
        bytes.put_u16(0x0302);
        bytes.put_u32(0x0706_0504);
        bytes.put_u64(0x0f0e_0d0c_0b0a_0908);
        bytes.put(b"end");
        assert_eq!(bytes[..15], (1..=15).collect::<Vec<u8>>());

        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.take_u8(), Ok(1));
        assert_eq!(reader.take_u16(), Ok(0x0302));
        assert_eq!(reader.take_u32(), Ok(0x0706_0504));
        assert_eq!(reader.take_u64(), Ok(0x0f0e_0d0c_0b0a_0908));
        assert_eq!(reader.take_array(), Ok(*b"end"));
        assert!(reader.is_empty());
    }

    #[test]
    fn a_value_cut_short_takes_nothing() {
        let mut reader = Reader::new(&[1, 2, 3]);
        let cut = Truncated { needed: 4, left: 3 };
        assert_eq!(reader.take_u32(), Err(cut));
        assert_eq!(reader.take(4), Err(cut));
        assert_eq!(reader.take(usize::MAX).map_err(|cut| cut.left), Err(3));
        assert_eq!(reader.rest(), [1, 2, 3]);
    }
}
