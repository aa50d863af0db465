//! Generates the files of the in-circuit testers: CSV, one line for each measurement.

use super::clock::iso;
use super::random::{Random, mix};
use super::unit::{Fault, Product, Unit};

impl Unit {
    pub(super) fn ict(&self, start_s: i64, fault: Option<Fault>) -> Vec<u8> {
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
}

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

/// Returns the measurements of a product. They do not depend on the unit, as in real test programs.
fn ict_program(product: &Product) -> Vec<IctTest> {
    // In tenths, so that the products below are exact and the names look as people write them.
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
