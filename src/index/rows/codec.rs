//! Encodes rows as bytes and decodes them.

use crate::index::error::IndexError;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(super) const CONFIG: bincode::config::Configuration = bincode::config::standard();

/// Returns the bytes of a row.
pub(in crate::index) fn encode(row: &impl Serialize) -> Vec<u8> {
    const USUAL_BYTES: usize = 512;
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    bincode::serde::encode_into_std_write(row, &mut bytes, CONFIG)
        .expect("rows hold only what bincode can encode, and a vector takes every byte");
    bytes
}

/// Returns the row that `bytes` hold.
pub(in crate::index) fn decode<'a, Row: Deserialize<'a>>(
    bytes: &'a [u8],
) -> Result<Row, IndexError> {
    match bincode::serde::borrow_decode_from_slice(bytes, CONFIG) {
        Ok((row, read)) if read == bytes.len() => Ok(row),
        Ok(_) => Err(IndexError::Damaged("a row")),
        Err(error) => Err(IndexError::Row(error)),
    }
}

/// A 32-byte digest, borrowed as one slice instead of decoded number by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::index) struct Raw<'a>(pub(in crate::index) &'a [u8; 32]);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = <&[u8]>::deserialize(deserializer)?;
        let sized = bytes.try_into();
        sized
            .map(Self)
            .map_err(|_| D::Error::invalid_length(bytes.len(), &"32 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::rows::{BlobRow, EntryRow};

    #[test]
    fn bytes_that_are_no_row_are_refused() {
        for wrong in [&[][..], &[0; 3], &[0xff; 400], &[1; 4000]] {
            assert!(decode::<EntryRow<'_>>(wrong).is_err());
        }
        let row = encode(&BlobRow::default());
        assert_eq!(
            decode::<BlobRow>(&row).expect("just encoded"),
            BlobRow::default()
        );
        assert!(decode::<BlobRow>(&[&row[..], &[0]].concat()).is_err());
    }
}
