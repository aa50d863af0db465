//! A small plant's test results: files as stations write them, the same for the same seed on every machine.
//!
//! Uses only the standard library and chrono, so that benches can include this file as it is (`#[path]`).

use std::time::{Duration, SystemTime};

use chrono::{DateTime, FixedOffset};

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

/// The unit the story is about: its last ICT measurement failed, on the tester whose files the first version of the
/// converter reads wrong. It is there in every plant of more than 17 units.
pub(crate) const STORY_SERIAL: &str = "K2510-00117";
const STORY_INDEX: usize = 17;
const SERIAL_FIRST: usize = 100;

/// Monday 2025-03-03 06:10:00 +01:00, in seconds since 1970.
const FIRST_SHIFT_S: i64 = 1_740_978_600;
const OFFSET_S: i32 = 3600;
const DAY_S: i64 = 86_400;
const DAYS: usize = 5;

/// Every file of a plant that made `units` units in a week, oldest first. About three files a unit; some 3 % are cut
/// short, some 3 % are there twice under another name, one is empty.
pub(crate) fn plant(seed: u64, units: usize) -> Vec<PlantFile> {
    let mut files = Vec::new();
    for index in 0..units {
        let unit = Unit::new(seed, index, units);
        let mut accidents = Random::of(seed, index, Stream::Accidents);
        for file in unit.files() {
            if index == STORY_INDEX {
                files.push(file);
                continue;
            }
            match accidents.below(100) {
                0..3 => files.push(cut_short(file, &mut accidents)),
                3..6 => {
                    files.push(copied(&file));
                    files.push(file);
                }
                _ => files.push(file),
            }
        }
    }
    if units > 0 {
        files.push(PlantFile {
            folder: ICT_FOLDER,
            name: format!("ICT-02_{}.csv", stamp(FIRST_SHIFT_S + 7 * 3600)),
            bytes: Vec::new(),
            modified: time(FIRST_SHIFT_S + 7 * 3600),
        });
    }
    files.sort_by(|a, b| (a.modified, &a.name).cmp(&(b.modified, &b.name)));
    files
}

/// The ICT file of unit `n` of an endless plant: about 8.5 KB, each different, as alike as such files are.
#[allow(dead_code, reason = "for the benches, which include this file")]
pub(crate) fn ict_file(seed: u64, n: usize) -> Vec<u8> {
    Unit::new(seed, n, usize::MAX).ict(FIRST_SHIFT_S, None)
}

fn cut_short(mut file: PlantFile, random: &mut Random) -> PlantFile {
    let share = 15 + random.below(80);
    file.bytes.truncate(file.bytes.len() * share / 100);
    file
}

fn copied(file: &PlantFile) -> PlantFile {
    let (stem, extension) = file.name.rsplit_once('.').unwrap_or((&file.name, ""));
    PlantFile {
        name: format!("{stem} (2).{extension}"),
        modified: file.modified + Duration::from_secs(95),
        ..file.clone()
    }
}

/// What went wrong on the in-circuit tester.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Measurement(usize),
    LastMeasurement,
}

struct Unit {
    seed: u64,
    index: usize,
    serial: String,
    product: &'static Product,
    tester: &'static Tester,
    ict_start_s: i64,
    fault: Option<Fault>,
}

struct Product {
    part: &'static str,
    revision: &'static str,
    title: &'static str,
    components: usize,
    channels: usize,
    suites: usize,
}

static PRODUCTS: [Product; 3] = [
    Product {
        part: "118-4402",
        revision: "C",
        title: "motor controller",
        components: 148,
        channels: 6,
        suites: 6,
    },
    Product {
        part: "118-4410",
        revision: "A",
        title: "motor controller, two axes",
        components: 156,
        channels: 9,
        suites: 7,
    },
    Product {
        part: "220-0107",
        revision: "B",
        title: "field bus gateway",
        components: 139,
        channels: 4,
        suites: 5,
    },
];

struct Tester {
    name: &'static str,
    software: &'static str,
    decimal: &'static str,
    writes_total: bool,
}

static TESTERS: [Tester; 3] = [
    Tester {
        name: "ICT-01",
        software: "1.9.4",
        decimal: ".",
        writes_total: true,
    },
    Tester {
        name: "ICT-02",
        software: "1.9.4",
        decimal: ".",
        writes_total: true,
    },
    Tester {
        name: "ICT-03",
        software: "2.0.1",
        decimal: ",",
        writes_total: false,
    },
];

const OPERATORS: [&str; 4] = ["m.keller", "a.novak", "j.lindqvist", "s.okafor"];

impl Unit {
    fn new(seed: u64, index: usize, units: usize) -> Self {
        let mut random = Random::of(seed, index, Stream::Unit);
        let per_day = units.div_ceil(DAYS).max(1);
        let (day, slot) = (index / per_day, index % per_day);
        let tester = &TESTERS[index % TESTERS.len()];
        let product = &PRODUCTS[(index / 24) % PRODUCTS.len()];
        let cycle_s = (8 * 3600) / (per_day / TESTERS.len() + 1).max(1);
        let ict_start_s = FIRST_SHIFT_S
            + seconds(day).saturating_mul(DAY_S)
            + seconds((slot / TESTERS.len()).saturating_mul(cycle_s))
            + seconds(random.below(240));
        let fault = match random.below(100) {
            _ if index == STORY_INDEX => Some(Fault::LastMeasurement),
            0..5 => Some(Fault::Measurement(random.below(product.components))),
            5..13 if !tester.writes_total => Some(Fault::LastMeasurement),
            5..7 => Some(Fault::LastMeasurement),
            _ => None,
        };
        Self {
            seed,
            index,
            serial: format!("K2510-{:05}", SERIAL_FIRST.saturating_add(index)),
            product,
            tester,
            ict_start_s,
            fault,
        }
    }

    /// The files this unit left behind on its way through the plant.
    fn files(&self) -> Vec<PlantFile> {
        let mut random = Random::of(self.seed, self.index, Stream::Route);
        let mut files = vec![self.ict_at(self.ict_start_s, self.fault)];
        let mut done_s = self.ict_start_s;
        // The faults that the reports do not show go on down the line.
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

    fn operator(&self) -> &'static str {
        OPERATORS[self.index / 7 % OPERATORS.len()]
    }

    fn ict(&self, start_s: i64, fault: Option<Fault>) -> Vec<u8> {
        let mut random = Random(self.seed ^ mix(start_s.unsigned_abs())).and(self.index);
        let Product { part, revision, .. } = self.product;
        let mark = |text: String| text.replace('.', self.tester.decimal);
        let program = ict_program(self.product);
        let mut lines = vec![
            "#ICT-REPORT;2.1".to_owned(),
            format!("Serial;{}", self.serial),
            format!("Part;{part}"),
            format!("Revision;{revision}"),
            format!("Title;{}", self.product.title),
            format!("Station;{}", self.tester.name),
            format!("Software;{}", self.tester.software),
            format!("Operator;{}", self.operator()),
            format!("Fixture;FX-{part}-{:02}", 1 + self.index % 3),
            format!("Program;{part}_{revision}_ict_r14"),
            "Process;10".to_owned(),
            format!("Decimal;{}", self.tester.decimal),
            format!("Start;{}", iso(start_s)),
            "Name;Value;Unit;Low;High;Result".to_owned(),
        ];
        let mut failed = 0;
        for (row, test) in program.iter().enumerate() {
            let faulty = match fault {
                Some(Fault::Measurement(at)) => at % (program.len() - 1) == row,
                Some(Fault::LastMeasurement) => row == program.len() - 1,
                None => false,
            };
            let value = if faulty {
                failed += 1;
                test.high * (1.12 + random.share())
            } else {
                test.nominal + test.spread * random.bell()
            };
            let digits = test.digits;
            let low = test
                .low
                .map_or(String::new(), |low| format!("{low:.digits$}"));
            lines.push(mark(format!(
                "{};{value:.digits$};{};{low};{:.digits$};{}",
                test.name,
                test.unit,
                test.high,
                if faulty { "FAIL" } else { "PASS" },
            )));
        }
        if self.tester.writes_total {
            lines.push(format!("TOTAL;{};{failed}", program.len()));
        }
        lines.push(mark(format!(
            "END;{};{};{:.1}",
            program.len(),
            if failed > 0 { "FAIL" } else { "PASS" },
            34.0 + 6.0 * random.share()
        )));
        lines.push(String::new());
        lines.join("\r\n").into_bytes()
    }

    fn functional(&self, start_s: i64, fails: bool) -> Vec<u8> {
        let mut random = Random::of(self.seed, self.index, Stream::Functional);
        let mut log = Log {
            text: String::new(),
            clock_ms: start_s * 1000,
        };
        let Product { part, revision, .. } = self.product;
        log.line(&format!(
            r#""event":"start","schema":"fct/3","serial":"{}","part":"{part}","revision":"{revision}","station":"FCT-{:02}","operator":"{}","process":"50","firmware":"4.{}.2","sequence":"{} functional test""#,
            self.serial,
            1 + self.index % 2,
            self.operator(),
            self.product.suites,
            self.product.title,
        ));
        let faulty = random.below(self.product.channels);
        let mut steps = 0;
        let mut failed = false;
        for (phase, tests) in PHASES {
            log.line(&format!(r#""event":"phase","name":"{phase}""#));
            let channels = if phase.starts_with("Channel") {
                self.product.channels
            } else {
                1
            };
            for channel in 1..=channels {
                for (name, unit, low, high) in *tests {
                    let fault =
                        fails && phase.starts_with("Channel") && channel == 1 + faulty && !failed;
                    failed |= fault;
                    let middle = (low + high) / 2.0;
                    let value = if fault {
                        high * (1.05 + random.share())
                    } else {
                        middle + (high - low) * 0.2 * random.bell()
                    };
                    let took_ms = 40 + random.below(900);
                    log.clock_ms += i64::try_from(took_ms).unwrap_or(0);
                    steps += 1;
                    log.line(&format!(
                        r#""event":"measure","name":"{name} {channel}","value":{value:.4},"unit":"{unit}","low":{low},"high":{high},"pass":{},"seconds":{}.{:03}"#,
                        !fault,
                        took_ms / 1000,
                        took_ms % 1000,
                    ));
                }
            }
            if random.below(3) == 0 {
                log.clock_ms += 12;
                log.line(&format!(
                    r#""event":"log","level":"info","text":"{phase}: fixture at {:.1} °C""#,
                    24.0 + 3.0 * random.share()
                ));
            }
        }
        log.line(r#""event":"phase","name":"Identity""#);
        log.clock_ms += 210;
        log.line(&format!(
            r#""event":"compare","name":"Serial number in flash","value":"{0}","expected":"{0}","pass":true,"seconds":0.184"#,
            self.serial
        ));
        log.clock_ms += 950;
        log.line(r#""event":"check","name":"Status lamp green","pass":true,"text":"camera 2","seconds":0.902"#);
        steps += 2;
        let took_ms = log.clock_ms - start_s * 1000;
        log.line(&format!(
            r#""event":"end","result":"{}","steps":{steps},"seconds":{}.{:03}"#,
            if failed { "FAIL" } else { "PASS" },
            took_ms / 1000,
            took_ms % 1000,
        ));
        log.text.into_bytes()
    }

    fn firmware(&self, start_s: i64, fails: bool) -> Vec<u8> {
        let mut random = Random::of(self.seed, self.index, Stream::Firmware);
        let suites = &SUITES[..self.product.suites];
        let total: usize = suites.iter().map(|(_, cases)| cases.len()).sum();
        let faulty = random.below(total);
        let skipped = random.below(total);
        let (mut row, mut all_ms) = (0, 0);
        let mut body = Vec::new();
        for (suite, cases) in suites {
            let mut suite_ms = 0;
            let mut lines = Vec::new();
            for case in *cases {
                let took_ms = 2 + random.below(1800);
                suite_ms += took_ms;
                let head = format!(
                    r#"    <testcase classname="firmware.{suite}" name="{case}" file="acceptance/{suite}.py" line="{}" time="{}.{:03}""#,
                    12 + row * 17,
                    took_ms / 1000,
                    took_ms % 1000
                );
                if fails && row == faulty {
                    let answer = random.below(65_536);
                    lines.push(format!(
                        "{head}>\n      <failure type=\"AssertionError\" message=\"expected status &lt;0x0000&gt;, got &lt;0x{answer:04X}&gt;\">{suite}/{case}: after 3 tries &amp; {took_ms} ms</failure>\n    </testcase>"
                    ));
                } else if row == skipped && self.index.is_multiple_of(5) {
                    lines.push(format!(
                        "{head}>\n      <skipped message=\"no loop-back plug\"/>\n    </testcase>"
                    ));
                } else if row % 9 == 4 {
                    let beat = random.below(4096);
                    lines.push(format!(
                        "{head}>\n      <system-out><![CDATA[{suite}: <{case}> trace 0x{beat:03x}]]></system-out>\n    </testcase>"
                    ));
                } else {
                    lines.push(format!("{head}/>"));
                }
                row += 1;
            }
            all_ms += suite_ms;
            body.push(format!(
                "  <testsuite name=\"{suite}\" tests=\"{}\" hostname=\"fw-01\" time=\"{}.{:03}\">\n{}\n  </testsuite>",
                cases.len(),
                suite_ms / 1000,
                suite_ms % 1000,
                lines.join("\n")
            ));
        }
        let Product { part, revision, .. } = self.product;
        let text = format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="{part} firmware acceptance" tests="{total}" time="{}.{:03}" timestamp="{}">
  <properties>
    <property name="serial" value="{}"/>
    <property name="part" value="{part}"/>
    <property name="revision" value="{revision}"/>
    <property name="station" value="FW-01"/>
    <property name="operator" value="{}"/>
    <property name="process" value="65"/>
    <property name="firmware" value="4.{}.2"/>
  </properties>
{}
</testsuites>
"#,
            all_ms / 1000,
            all_ms % 1000,
            iso(start_s),
            self.serial,
            self.operator(),
            self.product.suites,
            body.join("\n"),
        );
        text.into_bytes()
    }
}

/// A functional tester's log as it grows.
struct Log {
    text: String,
    clock_ms: i64,
}

impl Log {
    fn line(&mut self, members: &str) {
        let at = iso(self.clock_ms.div_euclid(1000));
        let (seconds, offset) = at.split_at(19);
        let ms = self.clock_ms.rem_euclid(1000);
        let Self { text, .. } = self;
        text.extend([
            r#"{"t":""#,
            seconds,
            &format!(".{ms:03}"),
            offset,
            "\",",
            members,
            "}\n",
        ]);
    }
}

/// Measurements of one channel: name, unit, low, high.
type Tests = &'static [(&'static str, &'static str, f64, f64)];

const PHASES: &[(&str, Tests)] = &[
    (
        "Power-up",
        &[
            ("Supply 24V", "V", 23.5, 24.5),
            ("Inrush current", "A", 0.8, 2.4),
            ("Rail 5V0", "V", 4.9, 5.1),
            ("Rail 3V3", "V", 3.24, 3.36),
            ("Rail 1V2", "V", 1.17, 1.23),
            ("Idle current", "mA", 61.0, 88.0),
        ],
    ),
    (
        "Communication",
        &[
            ("CAN bus load", "%", 10.0, 35.0),
            ("CAN high level", "V", 3.1, 3.9),
            ("Ethernet latency", "ms", 0.05, 0.9),
            ("RS485 differential", "V", 1.6, 3.2),
        ],
    ),
    (
        "Channels, input",
        &[
            ("AI offset", "mV", -3.0, 3.0),
            ("AI gain error", "%", -0.2, 0.2),
            ("DI threshold", "V", 9.0, 13.0),
        ],
    ),
    (
        "Channels, output",
        &[
            ("DO saturation", "V", 0.05, 0.6),
            ("PWM frequency", "kHz", 19.8, 20.2),
            ("PWM ripple", "mV", 5.0, 60.0),
            ("Load current", "A", 1.9, 2.1),
        ],
    ),
    (
        "Thermal",
        &[
            ("Heat sink rise", "K", 4.0, 16.0),
            ("Ambient sensor", "degC", 21.0, 29.0),
        ],
    ),
];

const SUITES: [(&str, &[&str]); 7] = [
    (
        "bootloader",
        &[
            "test_version_is_released",
            "test_signature_is_checked",
            "test_rollback_is_refused",
            "test_watchdog_resets",
            "test_update_resumes_after_power_loss",
            "test_second_slot_boots",
        ],
    ),
    (
        "storage",
        &[
            "test_flash_id",
            "test_flash_bad_blocks_below_limit",
            "test_eeprom_write_read",
            "test_settings_survive_reset",
            "test_log_wraps",
            "test_wear_levelling_counter",
            "test_serial_is_programmed",
        ],
    ),
    (
        "can",
        &[
            "test_loopback_125k",
            "test_loopback_500k",
            "test_loopback_1m",
            "test_error_frames_are_counted",
            "test_bus_off_recovers",
            "test_node_id_from_switch",
            "test_sdo_read_identity",
            "test_heartbeat_interval",
        ],
    ),
    (
        "ethernet",
        &[
            "test_link_100m",
            "test_mac_address_is_unique",
            "test_dhcp_lease",
            "test_ping_1000_frames",
            "test_vlan_priority",
            "test_cable_diagnosis",
        ],
    ),
    (
        "rtc",
        &[
            "test_time_is_kept_through_power_off",
            "test_drift_below_20ppm",
            "test_alarm_fires",
            "test_leap_day",
            "test_backup_switch_over",
            "test_second_is_a_second",
        ],
    ),
    (
        "motor",
        &[
            "test_hall_sequence",
            "test_encoder_counts",
            "test_current_loop_step",
            "test_overcurrent_trips",
            "test_brake_releases",
            "test_safe_torque_off",
            "test_dead_time",
        ],
    ),
    (
        "second_axis",
        &[
            "test_hall_sequence",
            "test_encoder_counts",
            "test_current_loop_step",
            "test_overcurrent_trips",
            "test_synchronous_move",
            "test_safe_torque_off",
        ],
    ),
];

/// One in-circuit measurement of a product.
struct IctTest {
    name: String,
    unit: &'static str,
    nominal: f64,
    spread: f64,
    low: Option<f64>,
    high: f64,
    digits: usize,
}

/// What the in-circuit tester measures on a product: the same for each unit, as test programs are.
fn ict_program(product: &Product) -> Vec<IctTest> {
    // In tenths: the products below are exact, the names come out as people write them.
    const E12: [u32; 12] = [10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82];
    let mut random = Random(mix(u64::from_le_bytes(*b"ict_r14\0"))).and(product.components);
    let mut program: Vec<IctTest> = (1..product.components)
        .map(|number| {
            let nets = format!("N{:04}/N{:04}", random.below(900), random.below(900));
            let decade = *random.pick(&[1, 10, 100]);
            let nominal = f64::from(random.pick(&E12) * decade) / 10.0;
            let (letter, unit, tolerance, nominal) = match random.below(10) {
                0..5 => ("R", *random.pick(&["Ohm", "kOhm"]), 0.01, nominal),
                5..8 => ("C", *random.pick(&["pF", "nF", "uF"]), 0.1, nominal),
                8 => ("D", "V", 0.12, 0.62),
                _ => ("L", "uH", 0.2, nominal),
            };
            IctTest {
                name: format!("{letter}{:03} {nominal}{unit} {nets}", 100 + number),
                unit,
                nominal,
                spread: nominal * tolerance * 0.3,
                low: Some(nominal * (1.0 - tolerance)),
                high: nominal * (1.0 + tolerance),
                digits: if nominal < 10.0 { 4 } else { 3 },
            }
        })
        .collect();
    program.push(IctTest {
        name: "BT1 backup current".to_owned(),
        unit: "uA",
        nominal: 1.4,
        spread: 0.3,
        low: None,
        high: 3.0,
        digits: 3,
    });
    program
}

fn seconds(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn time(at_s: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(at_s.unsigned_abs())
}

fn local(at_s: i64) -> DateTime<FixedOffset> {
    let offset = FixedOffset::east_opt(OFFSET_S).expect("an hour is a valid offset");
    DateTime::from_timestamp(at_s, 0)
        .unwrap_or_default()
        .with_timezone(&offset)
}

fn iso(at_s: i64) -> String {
    local(at_s).format("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

fn stamp(at_s: i64) -> String {
    local(at_s).format("%Y%m%d_%H%M%S").to_string()
}

/// What a stream of random numbers is for: each has its own, so that one more number here changes nothing there.
#[derive(Clone, Copy)]
enum Stream {
    Unit = 1,
    Route,
    Accidents,
    Functional,
    Firmware,
}

/// splitmix64: small, fast, the same everywhere.
struct Random(u64);

impl Random {
    fn of(seed: u64, index: usize, stream: Stream) -> Self {
        Self(seed ^ mix(stream as u64)).and(index)
    }

    fn and(self, number: usize) -> Self {
        Self(mix(self.0 ^ mix(u64::try_from(number).unwrap_or(u64::MAX))))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `bound`, which is not 0.
    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        let high = (u128::from(self.next()) * u128::from(bound)) >> 64;
        usize::try_from(high).expect("less than a usize")
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// In `[0, 1)`.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// In `(-2, 2)`, mostly near 0.
    fn bell(&mut self) -> f64 {
        (0..4).map(|_| self.share()).sum::<f64>() - 2.0
    }
}

fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    //! The demonstration, its words and the benches are about these files: they must not change from run to run, and
    //! must hold the accidents the story tells of.

    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_seed_gives_others() {
        let files = plant(7, 40);
        assert_eq!(files, plant(7, 40));
        assert_ne!(files, plant(8, 40));
        let mut hasher = blake3::Hasher::new();
        for file in &files {
            hasher.update(file.name.as_bytes()).update(&file.bytes);
        }
        assert_eq!(
            hasher.finalize().to_hex()[..16].to_owned(),
            "f088fb12300ff731",
            "the plant changed: so do the demonstration and the benches"
        );
    }

    #[test]
    fn no_two_files_share_a_path() {
        let files = plant(1, 300);
        let paths: BTreeSet<_> = files.iter().map(|file| (file.folder, &file.name)).collect();
        assert_eq!(paths.len(), files.len());
    }

    #[test]
    fn files_have_the_sizes_of_real_ones() {
        let mut sizes: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for file in plant(1, 300) {
            sizes.entry(file.folder).or_default().push(file.bytes.len());
        }
        for (folder, least, most) in [
            (ICT_FOLDER, 6_000, 10_000),
            (FUNCTIONAL_FOLDER, 5_000, 15_000),
            (FIRMWARE_FOLDER, 4_000, 12_000),
        ] {
            let sizes = sizes.get_mut(folder).expect("every station wrote");
            sizes.sort_unstable();
            let (tenth, last) = (sizes[sizes.len() / 10], sizes[sizes.len() - 1]);
            assert!(tenth >= least && last <= most, "{folder}: {tenth}..{last}");
        }
    }

    #[test]
    fn some_files_are_copies_some_are_cut_short_and_one_is_empty() {
        let files = plant(1, 300);
        let distinct: BTreeSet<_> = files.iter().map(|file| &file.bytes).collect();
        let copies = files.len() - distinct.len();
        let cut = files
            .iter()
            .filter(|file| !file.bytes.is_empty() && !file.bytes.ends_with(b"\n"))
            .count();
        let percent = |count: usize| count * 100 / files.len();
        assert!((1..=5).contains(&percent(copies)), "{copies} copies");
        assert!((1..=5).contains(&percent(cut)), "{cut} cut short");
        assert_eq!(files.iter().filter(|file| file.bytes.is_empty()).count(), 1);
    }

    #[test]
    fn the_unit_of_the_story_failed_its_last_measurement_and_went_on() {
        let files = plant(1, 240);
        let mut of_unit = files.iter().filter(|file| file.name.contains(STORY_SERIAL));
        let ict = of_unit.next().expect("its ICT file");
        let text = str::from_utf8(&ict.bytes).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[lines.len() - 2].starts_with("BT1 backup current;"));
        assert!(lines[lines.len() - 2].ends_with(";FAIL"));
        assert!(text.contains("Station;ICT-03"));
        assert_eq!(of_unit.count(), 2, "a functional log and a firmware run");
    }

    #[test]
    fn bench_files_are_about_8_5_kilobytes_and_all_different() {
        let files: BTreeSet<Vec<u8>> = (0..300).map(|n| ict_file(1, n)).collect();
        assert_eq!(files.len(), 300);
        let mean = files.iter().map(Vec::len).sum::<usize>() / files.len();
        assert!((8_000..9_000).contains(&mean), "{mean}");
    }
}
