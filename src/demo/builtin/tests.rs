//! Compares the Rust and Python converters, which must give equal results: the demonstration must
//! not depend on whether a machine has Python. A converter must also answer every possible input.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::demo::plant::{self, FIRMWARE_FOLDER, FUNCTIONAL_FOLDER, ICT_FOLDER};

fn answer(kind: Kind, data: &[u8]) -> Value {
    answer_with(kind, &Arguments::new(), data)
}

fn answer_with(kind: Kind, arguments: &Arguments, data: &[u8]) -> Value {
    serde_json::from_str(&convert(kind, arguments, data)).expect("an answer is JSON")
}

fn kinds_for(folder: &str) -> &'static [Kind] {
    match folder {
        ICT_FOLDER => &[Kind::Ict, Kind::IctV1],
        FUNCTIONAL_FOLDER => &[Kind::Jsonl],
        FIRMWARE_FOLDER => &[Kind::Junit],
        _ => panic!("{folder} is no folder of the plant"),
    }
}

fn script(kind: Kind) -> PathBuf {
    let name = match kind {
        Kind::Ict => "ict_csv.py",
        Kind::IctV1 => "ict_csv_v1.py",
        Kind::Junit => "junit_xml.py",
        Kind::Jsonl => "jsonl_log.py",
    };
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tools/converters")
        .join(name)
}

/// Returns the Python converter's answers to `files`, or `None` when there is no Python.
fn python_answers(kind: Kind, arguments: &Arguments, files: &[&[u8]]) -> Option<Vec<Value>> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut worker = Command::new("python3")
        .arg("-B")
        .arg(script(kind))
        .arg("--worker")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut requests = worker.stdin.take().expect("piped");
    let mut answers = BufReader::new(worker.stdout.take().expect("piped")).lines();
    let given = files
        .iter()
        .enumerate()
        .map(|(id, data)| {
            let input = folder.path().join("source");
            std::fs::write(&input, data).expect("writable");
            let request = json!({"id": id, "input": input, "name": "x", "arguments": arguments});
            writeln!(requests, "{request}").expect("the worker reads");
            let line = answers.next().expect("the worker answers").expect("text");
            let mut answer: Value = serde_json::from_str(&line).expect("JSON");
            assert_eq!(answer["id"], id, "an answer names its request");
            answer.as_object_mut().expect("an object").remove("id");
            answer
        })
        .collect();
    drop(requests);
    assert!(worker.wait().expect("it ends").success());
    Some(given)
}

fn assert_same_as_python(kind: Kind, arguments: &Arguments, files: &[&[u8]]) {
    let Some(expected) = python_answers(kind, arguments, files) else {
        println!("skipped: there is no python3 to compare with");
        return;
    };
    for (data, expected) in files.iter().zip(expected) {
        let given = answer_with(kind, arguments, data);
        assert_eq!(
            given,
            expected,
            "{kind:?} on {}",
            String::from_utf8_lossy(data)
        );
    }
}

#[test]
fn rust_and_python_give_equal_answers_on_a_whole_plant() {
    let files = plant::plant(5, 120);
    for kind in Kind::ALL {
        let contents: Vec<&[u8]> = files
            .iter()
            .filter(|file| kinds_for(file.folder).contains(&kind))
            .map(|file| file.bytes.as_slice())
            .collect();
        assert!(contents.len() > 30);
        let arguments = [("operation", "12"), ("location", "Hall 2")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        assert_same_as_python(kind, &arguments, &contents);
    }
}

#[test]
fn rust_and_python_give_equal_answers_wherever_a_file_is_cut() {
    let files = plant::plant(5, 24);
    for kind in Kind::ALL {
        let file = files
            .iter()
            .find(|file| kinds_for(file.folder).contains(&kind))
            .expect("one of each");
        let cuts: Vec<&[u8]> = (0..file.bytes.len())
            .step_by(97)
            .chain(file.bytes.len() - 60..file.bytes.len())
            .map(|end| &file.bytes[..end])
            .collect();
        assert_same_as_python(kind, &Arguments::new(), &cuts);
    }
}

#[test]
fn rust_and_python_give_equal_answers_to_odd_files() {
    let ict = |start: &str, rows: &str| {
        format!(
            "#ICT-REPORT;2.1\nSerial;S\nPart;P\nRevision;A\nStation;X\nProcess;10\nStart;{start}\nName;Value;Unit;Low;High;Result\n{rows}"
        )
    };
    let now = "2025-03-03T00:30:00+01:00";
    let odd = [
        ict(now, "a;1;V;0;2;PASS\nEND;1;PASS;1.5\n"),
        ict(now, "a;1;V;0;2;PASS\nEND;2;PASS;1.5\n"),
        ict(now, "a;3;V;0;2;PASS\nb;1;V;;;FAIL\nEND;2;PASS;1.5\n"),
        ict(now, "a;1,5;V;0;2;PASS\nEND;1;PASS;1.5\n"),
        ict(now, "a;1e999;V;0;2;PASS\nEND;1;PASS;1.5\n"),
        ict(now, "a;1_0;V;0;2;PASS\nEND;1;PASS;1.5\n"),
        ict(now, "a;-.5;V;0;2;PASS\nEND;1;PASS;1.5\n"),
        ict(now, "a;1;V;0;2;MAYBE\nEND;1;PASS;1.5\n"),
        ict(now, "a;1;V;0;2\nEND;1;PASS;1.5\n"),
        ict(now, "END;0;PASS;1.5\n"),
        ict(now, "END;\n"),
        ict(now, "a;1;V;0;2;PASS\nTOTAL;1;0\nEND;1;PASS;1.5\n"),
        ict(now, "a;1;V;0;2;PASS\nTOTAL;1;1\nEND;1;PASS;1.5\n"),
        ict(now, "a;1;V;0;2;PASS\nTOTAL;x\nEND;1;PASS;1.5\n"),
        ict(now, "a;1;V;0;2;FAIL\nTOTAL;1;1\nEND;1;PASS;1.5\n"),
        ict(
            &format!("{now}\nSerial;T"),
            "a;1;V;0;2;PASS\nEND;1;PASS;1.5\n",
        ),
        ict(
            &format!("{now}\nSerial;S"),
            "a;1;V;0;2;PASS\nEND;1;PASS;1.5\n",
        ),
        ict(now, "END;٣;PASS;1.5\n"),
        ict("2025-03-03T08:30:00", "END;0;PASS;1.5\n"),
        ict("2025-03-03T08:30:00.125Z", "END;0;FAIL;1.5\n"),
        ict("2025-02-29T08:30:00Z", "END;0;PASS;1.5\n"),
        ict("0001-01-01T00:30:00+01:00", "END;0;PASS;1.5\n"),
        ict("0001-01-02T00:30:00+01:00", "END;0;PASS;1.5\n"),
        ict("0000-01-01T00:30:00Z", "END;0;PASS;1.5\n"),
        ict("9999-12-31T23:30:00-01:00", "END;0;PASS;1.5\n"),
        ict("2025-03-03T24:00:00Z", "END;0;PASS;1.5\n"),
        ict("2025-03-03T23:59:60Z", "END;0;PASS;1.5\n"),
        ict("", ""),
        "\u{feff}#ICT-REPORT;2.1\n".to_owned(),
        "\0\0\0\0".to_owned(),
        "hello\n".to_owned(),
        "#ICT-REPORT;2.1".to_owned(),
    ];
    let mut odd: Vec<&[u8]> = odd.iter().map(String::as_bytes).collect();
    odd.push(b"#ICT-REPORT\xff");
    for kind in [Kind::Ict, Kind::IctV1] {
        assert_same_as_python(kind, &Arguments::new(), &odd);
    }
    let berlin = [("utc_offset".to_owned(), "+01:00".to_owned())].into();
    assert_same_as_python(Kind::Ict, &berlin, &odd);
    let nowhere = [("utc_offset".to_owned(), "CET".to_owned())].into();
    assert_same_as_python(Kind::Ict, &nowhere, &odd);

    let unit = r#"<property name="serial" value="S"/><property name="part" value="P"/><property name="process" value="7"/>"#;
    let junit = |inside: &str| {
        format!(
            "<testsuite name='a &amp; b' hostname='h' timestamp='2025-03-03T08:14:22'><properties>{unit}</properties>{inside}</testsuite>"
        )
    };
    let odd = [
        junit("<testcase name='x'/>"),
        junit(
            "<testcase name='x'><error>\n  boom &#x41;&#66; \r\n</error></testcase><testcase name='y' time='x'/>",
        ),
        junit("<testcase><failure message=''>a<![CDATA[<b>]]>c<i/>d</failure><error/></testcase>"),
        junit("<!-- none --><testsuite/>"),
        junit("<testsuite name='n' time='1.5'><testcase name='&quot;&lt;&gt;&apos;'/></testsuite>"),
        junit("<testcase name='a\n\tb'/>"),
        junit("<testcase name=\"\u{20ac}\"/>"),
        junit("<testcase name='x'></testsuite>"),
        junit("<testcase name='x' name='y'/>"),
        junit("<testcase name='&nbsp;'/>"),
        junit("<testcase name='a<b'/>"),
        junit("]]>"),
        junit("<!-- a -- b -->"),
        junit("<?pi x?><testcase name='x'/>"),
        junit("<testcase name='x' status='Not-Run'/>"),
        junit("<testcase name='x' status='notrun'/><testcase name='y' result='completed'/>"),
        junit("<testcase name='x' status='fail'/>"),
        junit("<testcase name='x' outcome='timed_out'/>"),
        junit("<testcase name='x' status='strange'/>"),
        junit("<testcase name='x' executed='false'/><testcase name='y' disabled='maybe'/>"),
        junit("<testcase name='x' skipped='0' success='true'/>"),
        junit("<testcase name='x'><skipped/><failure message='m'/></testcase>"),
        junit("<testcase name='x'><flakyFailure message='m'/></testcase>"),
        junit("<testcase name='x'><rerunError/></testcase>"),
        junit("<testcase name='x'><perf/><system-out>o</system-out></testcase>"),
        junit("<testcase name='x'/><error message='set-up'/>"),
        junit("<error/>"),
        junit("<testcase name='x'/><group><testcase><failure/></testcase></group>"),
        junit("<testsuite name='n' tests='2'><testcase name='x'/></testsuite>"),
        junit("<testsuite name='n' tests='1'><testcase/><testcase/></testsuite>"),
        junit("<testsuite name='n' failures='1' errors='1'><testcase/></testsuite>"),
        junit("<testsuite name='n' errors='1'><testcase/></testsuite>"),
        junit("<testsuite name='n' skipped='1' disabled='1'><testcase/></testsuite>"),
        junit("<testsuite name='n' tests='some' status='failed'><testcase/></testsuite>"),
        junit(
            "<testcase name='x'><properties><property name='serial' value='T'/></properties></testcase>",
        ),
        format!("{} ", junit("<testcase name='x'/>")),
        format!("{}x", junit("<testcase name='x'/>")),
        format!(
            "<?xml version='1.0'?>\n{}\n<!-- end -->",
            junit("<testcase name='x'/>")
        ),
        format!(" <?xml version='1.0'?>{}", junit("<testcase name='x'/>")),
        format!("<!DOCTYPE x>{}", junit("<testcase name='x'/>")),
        "<html></html>".to_owned(),
        "<testsuites tests='4'/>".to_owned(),
        "<testsuites tests='4'><testcase/><testcase>".to_owned(),
        "<testsuites tests='-4'><testcase/><testcase>".to_owned(),
        "no xml".to_owned(),
        "<".to_owned(),
    ];
    let odd: Vec<&[u8]> = odd.iter().map(String::as_bytes).collect();
    assert_same_as_python(Kind::Junit, &Arguments::new(), &odd);

    let jsonl = |inside: &str| {
        format!(
            "{{\"event\":\"start\",\"t\":\"2025-03-03T08:14:22Z\",\"serial\":\"S\",\"part\":\"P\",\"revision\":\"A\",\"station\":\"X\",\"operator\":\"o\",\"process\":50,\"firmware\":\"1\",\"sequence\":\"q\"}}\n{inside}"
        )
    };
    let end = "{\"event\":\"end\",\"result\":\"PASS\",\"steps\":1,\"seconds\":2}\n";
    let odd = [
        jsonl(""),
        jsonl(end),
        jsonl(&format!(
            "{{\"event\":\"check\",\"name\":\"c\",\"pass\":false,\"seconds\":1}}\n{end}"
        )),
        jsonl(&format!(
            "{{\"event\":\"check\",\"name\":\"c\",\"pass\":1,\"seconds\":1}}\n{end}"
        )),
        jsonl(&format!(
            "{{\"event\":\"measure\",\"name\":\"c\",\"pass\":true,\"seconds\":1,\"value\":3,\"low\":null,\"high\":4,\"unit\":\"V\"}}\n{end}"
        )),
        jsonl(&format!(
            "{{\"event\":\"measure\",\"name\":\"c\",\"pass\":true,\"seconds\":1,\"value\":true,\"unit\":\"V\"}}\n{end}"
        )),
        jsonl(&format!(
            "{{\"event\":\"measure\",\"name\":\"c\",\"pass\":true,\"seconds\":1,\"value\":NaN,\"unit\":\"V\"}}\n{end}"
        )),
        jsonl(&format!(
            "{{\"event\":\"compare\",\"name\":\"\\ud800\",\"pass\":true,\"seconds\":1}}\n{end}"
        )),
        jsonl(&format!("{{\"event\":\"coffee\"}}\n{end}")),
        jsonl(&end.replace("\"steps\":1", "\"steps\":0")),
        jsonl(&format!(
            "{{\"event\":\"abort\"}}\n{}",
            end.replace("\"steps\":1", "\"steps\":0")
        )),
        jsonl(&format!("{end}{end}")),
        jsonl(&format!("{{\"event\":\"start\"}}\n{end}")),
        jsonl(&format!(
            "{{\"event\":\"measure\",\"name\":\"c\",\"pass\":true,\"seconds\":1,\"value\":9,\"low\":1,\"high\":4,\"unit\":\"V\"}}\n{end}"
        )),
        jsonl(&format!(
            "{{\"event\":\"compare\",\"name\":\"c\",\"pass\":true,\"seconds\":1,\"value\":\"a\",\"expected\":\"b\"}}\n{end}"
        )),
        jsonl(&format!("[]\n{end}")),
        jsonl(&format!("\n{end}")),
        jsonl(&format!("{end}x")),
        end.to_owned(),
        "{".to_owned(),
        "{}\n".to_owned(),
    ];
    let odd: Vec<&[u8]> = odd.iter().map(String::as_bytes).collect();
    assert_same_as_python(Kind::Jsonl, &Arguments::new(), &odd);
}

#[test]
fn the_first_version_passes_the_unit_that_failed_and_the_corrected_one_does_not() {
    let files = plant::plant(1, 40);
    let ict = files
        .iter()
        .find(|file| file.folder == ICT_FOLDER && file.name.contains(plant::STORY_SERIAL))
        .expect("the unit of the story");
    let (wrong, right) = (
        answer(Kind::IctV1, &ict.bytes),
        answer(Kind::Ict, &ict.bytes),
    );
    assert_eq!(wrong["report"]["result"], "P");
    assert_eq!(right["report"]["result"], "F");
    assert_eq!(wrong["report"]["id"], right["report"]["id"]);
    let steps = |answer: &Value| answer["report"]["root"]["steps"].as_array().map(Vec::len);
    assert_eq!(steps(&wrong).map(|count| count + 1), steps(&right));
}

#[test]
fn a_file_cut_anywhere_is_never_a_success_and_keeps_its_serial_number() {
    for file in plant::plant(3, 24) {
        for kind in kinds_for(file.folder) {
            if file.bytes.last() != Some(&b'\n') {
                assert_ne!(answer(*kind, &file.bytes)["status"], "success");
                continue;
            }
            // An XML file without its last line end is still complete.
            for end in (0..file.bytes.len() - 1).step_by(61) {
                let answer = answer(*kind, &file.bytes[..end]);
                assert_ne!(answer["status"], "success", "{} to {end}", file.name);
                assert_eq!(answer["report"], Value::Null);
                assert!(
                    answer["error"]
                        .as_str()
                        .is_some_and(|error| !error.is_empty())
                );
                if *kind == Kind::Jsonl && end > 400 {
                    assert!(file.name.contains(answer["serial"].as_str().expect("text")));
                    assert_ne!(answer["serial"], "");
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_at_all_make_a_converter_panic(data in proptest::collection::vec(any::<u8>(), 0..400)) {
        for kind in Kind::ALL {
            answer(kind, &data);
        }
    }

    #[test]
    fn no_damage_to_a_real_file_makes_a_converter_panic(
        at in any::<proptest::sample::Index>(),
        length in 0_usize..40,
        patch in "[\\PC\r\n<>;&\"',{}]{0,20}",
    ) {
        for file in plant::plant(2, 3) {
            if file.bytes.is_empty() {
                continue;
            }
            let mut bytes = file.bytes.clone();
            let start = at.index(bytes.len());
            let end = (start + length).min(bytes.len());
            bytes.splice(start..end, patch.bytes());
            for kind in kinds_for(file.folder) {
                answer(*kind, &bytes);
            }
        }
    }
}
