//! Generates the files of the functional testers: one JSON object for each line.

use super::clock::iso;
use super::random::{Random, Stream};
use super::unit::{Product, Unit};

impl Unit {
    pub(super) fn functional(&self, start_s: i64, fails: bool) -> Vec<u8> {
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
}

/// The log of a functional tester while it is generated.
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

/// The measurements of one phase: name, unit, low limit, high limit.
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
