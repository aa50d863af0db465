//! A file of the plant, and the folders that stations write to.

use std::time::SystemTime;

/// A file that a station wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlantFile {
    /// The station's folder, relative to the plant's folder.
    pub(crate) folder: &'static str,
    /// The file name.
    pub(crate) name: String,
    /// The content.
    pub(crate) bytes: Vec<u8>,
    /// When the station finished writing it.
    pub(crate) modified: SystemTime,
}

/// The folder of the in-circuit testers.
pub(crate) const ICT_FOLDER: &str = "ict/in";
/// The folder of the functional testers.
pub(crate) const FUNCTIONAL_FOLDER: &str = "functional/in";
/// The folder of the firmware test runs.
pub(crate) const FIRMWARE_FOLDER: &str = "firmware/in";
