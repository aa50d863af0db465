//! Generates the files of the firmware test runs: JUnit XML.

use super::clock::iso;
use super::random::{Random, Stream};
use super::unit::{Product, Unit};

impl Unit {
    pub(super) fn firmware(&self, start_s: i64, fails: bool) -> Vec<u8> {
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
