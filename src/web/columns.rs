//! The columns of a list of entries.

use std::str::FromStr;

use crate::entry::ParseWordError;
use crate::query::SortField;

/// A column of a list of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Column {
    Id,
    ArchivedAt,
    Status,
    Serial,
    Part,
    Converter,
    Version,
    SourceName,
    SourceModified,
    Size,
    StoredSize,
    Station,
    Process,
    ReportId,
    Attempts,
    Error,
    Labels,
    Holds,
    Sha256,
    Actions,
}

impl Column {
    /// Every column, in the order in which they are offered.
    pub(in crate::web) const ALL: [Self; 20] = [
        Self::Id,
        Self::ArchivedAt,
        Self::Status,
        Self::Serial,
        Self::Part,
        Self::Converter,
        Self::Version,
        Self::SourceName,
        Self::SourceModified,
        Self::Size,
        Self::StoredSize,
        Self::Station,
        Self::Process,
        Self::ReportId,
        Self::Attempts,
        Self::Error,
        Self::Labels,
        Self::Holds,
        Self::Sha256,
        Self::Actions,
    ];

    /// Those that are shown unless others are chosen.
    pub(in crate::web) const USUAL: [Self; 10] = [
        Self::Id,
        Self::ArchivedAt,
        Self::Status,
        Self::Serial,
        Self::Part,
        Self::Converter,
        Self::SourceName,
        Self::Size,
        Self::StoredSize,
        Self::Actions,
    ];

    /// Returns the name that stands in an address: that of the member of the entry's object.
    pub(in crate::web) const fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::ArchivedAt => "archived_at",
            Self::Status => "status",
            Self::Serial => "serial",
            Self::Part => "part",
            Self::Converter => "converter",
            Self::Version => "converter_version",
            Self::SourceName => "source_name",
            Self::SourceModified => "source_modified",
            Self::Size => "size",
            Self::StoredSize => "stored_size",
            Self::Station => "station",
            Self::Process => "process",
            Self::ReportId => "report_id",
            Self::Attempts => "attempts",
            Self::Error => "error",
            Self::Labels => "labels",
            Self::Holds => "holds",
            Self::Sha256 => "sha256",
            Self::Actions => "actions",
        }
    }

    /// Returns by what its head sorts; `None` where the index cannot.
    pub(in crate::web) const fn sort(self) -> Option<SortField> {
        match self {
            Self::Id => Some(SortField::Id),
            Self::ArchivedAt => Some(SortField::ArchivedAt),
            Self::Status => Some(SortField::Status),
            Self::Serial => Some(SortField::Serial),
            Self::Part => Some(SortField::Part),
            Self::Converter => Some(SortField::Converter),
            Self::SourceName => Some(SortField::SourceName),
            Self::Size => Some(SortField::Size),
            Self::Station => Some(SortField::Station),
            Self::Process => Some(SortField::Process),
            _ => None,
        }
    }

    /// Returns true for numbers, which are set flush right.
    pub(in crate::web) const fn is_number(self) -> bool {
        matches!(
            self,
            Self::Id | Self::Size | Self::StoredSize | Self::Attempts
        )
    }
}

impl FromStr for Column {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        Self::ALL
            .into_iter()
            .find(|column| column.name() == text)
            .ok_or_else(|| ParseWordError::new(text, Self::ALL.map(Self::name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sorting is a promise of the table's heads. No field may be without one.
    #[test]
    fn every_order_of_the_store_has_a_column() {
        for field in SortField::ALL {
            let column = Column::ALL.iter().find(|one| one.sort() == Some(field));
            assert!(column.is_some(), "{}", field.name());
        }
        for column in Column::ALL {
            assert_eq!(column.name().parse(), Ok(column));
        }
    }
}
