//! One file of the plant, and the folders that stations write into.

use std::time::SystemTime;

/// One file a station wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlantFile {
    /// The station's folder, relative to the plant.
    pub(crate) folder: &'static str,
    /// The file name.
    pub(crate) name: String,
    /// The content.
    pub(crate) bytes: Vec<u8>,
    /// When the station finished it.
    pub(crate) modified: SystemTime,
}

/// Where the in-circuit testers write.
pub(crate) const ICT_FOLDER: &str = "ict/in";
/// Where the functional testers write.
pub(crate) const FUNCTIONAL_FOLDER: &str = "functional/in";
/// Where the firmware test runs write.
pub(crate) const FIRMWARE_FOLDER: &str = "firmware/in";
