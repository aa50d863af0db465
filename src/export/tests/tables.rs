//! A program that counts reads the tables of a bundle. They say what the lines say.

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

use super::sample::{Plant, look};
use crate::disk::sim::SimDisk;
use crate::export::{Derived, What, WithContents};

fn exported(plant: &mut Plant) -> SimDisk {
    plant.derived = vec![Derived::Parquet, Derived::OpenLineage, Derived::Parquet];
    plant.export(What::Whole, WithContents::No)
}

/// Reads a table: for each row its fields by name.
fn rows(disk: &SimDisk, table: &str) -> Vec<Vec<(String, Field)>> {
    let content = disk.content(format!("b/not-evidence/{table}.parquet"));
    let reader = SerializedFileReader::new(bytes(content.expect("there"))).expect("a table");
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).expect("readable");
        assert!(group.metadata().num_rows() > 0, "no group is empty");
    }
    let rows = reader.get_row_iter(None).expect("rows");
    rows.map(|row| row.expect("a row").into_columns()).collect()
}

/// The reader wants bytes that it can share.
fn bytes(content: Vec<u8>) -> std::fs::File {
    use std::io::Write;
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(&content).expect("written");
    file
}

fn field<'a>(row: &'a [(String, Field)], name: &str) -> &'a Field {
    &row.iter().find(|(known, _)| known == name).expect(name).1
}

#[test]
fn tables__say_what_the_lines_say() {
    let mut plant = Plant::busy();
    let disk = exported(&mut plant);
    assert!(look(&disk, &plant.trust()).ok);
    let entries = rows(&disk, "entries");
    assert_eq!(entries.len(), 3);
    let text = |text: &str| Field::Str(text.to_owned());
    for (row, (id, name, attempts, outcome, purged)) in entries.iter().zip([
        (2, "SN1.csv", 2, text("success"), false),
        (3, "=SN2<b>.csv", 0, Field::Null, true),
        (4, "SN3.csv", 0, Field::Null, false),
    ]) {
        assert_eq!(*field(row, "id"), Field::Long(id));
        assert_eq!(*field(row, "file_name"), text(name));
        assert_eq!(*field(row, "attempts"), Field::Long(attempts));
        assert_eq!(*field(row, "outcome"), outcome);
        assert_eq!(*field(row, "purged"), Field::Bool(purged));
        assert_eq!(*field(row, "station"), Field::Null);
        let time = 1_772_355_600_000_000 + id * 60_000_000;
        assert_eq!(*field(row, "archived_at"), Field::TimestampMicros(time));
    }
    let events = rows(&disk, "events");
    assert_eq!(events.len(), plant.lines.len());
    for (row, line) in events.iter().zip(&plant.lines) {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(
            *field(row, "type"),
            text(line["type"].as_str().expect("a text"))
        );
        assert_eq!(*field(row, "actor"), text("kari"));
        let Field::Str(data) = field(row, "data") else {
            panic!("no text: {row:?}");
        };
        let data: serde_json::Value = serde_json::from_str(data).expect("JSON");
        assert_eq!(data, line["data"]);
    }
    assert_eq!(*field(&events[5], "entry"), Field::Long(2));
    // The same bytes for the same log.
    let again = exported(&mut Plant::busy());
    for (path, _) in disk.files() {
        assert_eq!(
            disk.content(&path).ok(),
            again.content(&path).ok(),
            "{path}"
        );
    }
    // A log without entries has a table without rows.
    assert!(rows(&exported(&mut Plant::new()), "entries").is_empty());
}
