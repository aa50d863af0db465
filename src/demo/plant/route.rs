//! Generates the files of one unit on its way through the plant.

use super::clock::{seconds, stamp, time};
use super::file::{FIRMWARE_FOLDER, FUNCTIONAL_FOLDER, ICT_FOLDER, PlantFile};
use super::random::{Random, Stream};
use super::unit::{Fault, STORY_INDEX, Unit};

impl Unit {
    /// Returns the files of this unit from all stations.
    pub(super) fn files(&self) -> Vec<PlantFile> {
        let mut random = Random::of(self.seed, self.index, Stream::Route);
        let mut files = vec![self.ict_at(self.ict_start_s, self.fault)];
        let mut done_s = self.ict_start_s;
        // A unit whose fault is not visible in its report goes on to the next station.
        let seen = match self.fault {
            None => false,
            Some(Fault::LastMeasurement) => self.tester.writes_total,
            Some(Fault::Measurement(_)) => true,
        };
        if seen {
            if random.below(100) < 35 {
                return files;
            }
            done_s += 2400 + seconds(random.below(3000));
            files.push(self.ict_at(done_s, None));
        }
        let functional_s = done_s + 5400 + seconds(random.below(5400));
        let fails = self.index != STORY_INDEX && random.below(100) < 4;
        files.push(PlantFile {
            folder: FUNCTIONAL_FOLDER,
            name: format!(
                "FCT-{:02}_{}_{}.jsonl",
                1 + self.index % 2,
                self.serial,
                stamp(functional_s)
            ),
            bytes: self.functional(functional_s, fails),
            modified: time(functional_s + 140),
        });
        if self.index.is_multiple_of(3) || self.index == STORY_INDEX {
            let firmware_s = functional_s + 900 + seconds(random.below(600));
            let fails = self.index != STORY_INDEX && random.below(100) < 6;
            files.push(PlantFile {
                folder: FIRMWARE_FOLDER,
                name: format!("TEST-{}.xml", self.serial),
                bytes: self.firmware(firmware_s, fails),
                modified: time(firmware_s + 30),
            });
        }
        files
    }

    fn ict_at(&self, start_s: i64, fault: Option<Fault>) -> PlantFile {
        PlantFile {
            folder: ICT_FOLDER,
            name: format!("{}_{}.csv", self.serial, stamp(start_s)),
            bytes: self.ict(start_s, fault),
            modified: time(start_s + 41),
        }
    }
}
