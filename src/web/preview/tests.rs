//! Previews of what test stations and converters write, and of what should harm a page.

use std::fmt::Write as _;

use super::*;

fn look(content: &[u8], name: &str) -> Preview {
    with(content, name, &Asked::default())
}

fn with(content: &[u8], name: &str, asked: &Asked) -> Preview {
    preview(&content.to_vec(), name, asked).expect("a preview")
}

fn lines(preview: &Preview) -> &[Line] {
    match &preview.body {
        Body::Text(lines) => lines,
        other => panic!("no text: {other:?}"),
    }
}

fn tree(preview: &Preview) -> &Tree {
    match &preview.body {
        Body::Tree(tree) => tree,
        other => panic!("no tree: {other:?}"),
    }
}

#[test]
fn what_stations_write_is_shown_in_the_form_that_fits_it() {
    for (content, name, view) in [
        (&br#"{"result":"P"}"#[..], "r.json", View::Tree),
        (b"\xef\xbb\xbf[1, 2]", "r.json", View::Tree),
        (b"<report><step n='1'/></report>", "r.xml", View::Tree),
        (b"name,value\na,1\nb,2\n", "r.csv", View::Table),
        (
            b"Serial;SN1\nStep;1;2\nLow;High;Unit\n",
            "r.csv",
            View::Table,
        ),
        (b"name\tvalue\na\t1\n", "r.dat", View::Table),
        (b"SN1 tested\nall good, really\n", "r.log", View::Text),
        (b"{ not JSON", "r.json", View::Text),
        (b"<html><script>alert(1)</script>", "r.html", View::Text),
        (b"PK\x03\x04rest", "r.zip", View::Hex),
        (b"a\0b\x01\x02", "r.bin", View::Hex),
        (b"\xff\xfeS\0N\x001\0", "r.txt", View::Text),
    ] {
        assert_eq!(look(content, name).view, view, "{name}");
    }
}

#[test]
fn what_is_not_opened_is_named() {
    let preview = look(b"\x1f\x8b\x08\0bomb", "report.json.gz");
    assert_eq!(preview.view, View::Hex);
    let gzip = Closed::Compressed("gzip");
    assert_eq!(preview.remarks, [Remark::NotOpened(gzip)]);
}

#[test]
fn each_byte_of_a_long_text_stands_on_exactly_one_page() {
    let mut text = String::new();
    for number in 0..20_000 {
        writeln!(text, "Zeile {number}: Prüfwert µ = {}", number * 7).expect("a line");
    }
    let (mut page, mut shown, mut newest) = (1, String::new(), 0);
    loop {
        let asked = Asked {
            page,
            ..Asked::default()
        };
        let preview = with(text.as_bytes(), "long.log", &asked);
        for line in lines(&preview) {
            if let Some(number) = line.number {
                assert_eq!(number, newest + 1, "page {page}");
                newest = number;
                shown += if number == 1 { "" } else { "\n" };
            }
            shown += &line.text;
        }
        assert!(preview.remarks.is_empty(), "{:?}", preview.remarks);
        let span = preview.span.expect("pages");
        if page == span.pages {
            break;
        }
        page += 1;
    }
    assert!(page > 5, "{page} pages");
    assert_eq!(shown + "\n", text);
}

#[test]
fn a_line_of_a_million_characters_is_cut_into_rows_and_loses_nothing() {
    let text = "x".repeat(60_000);
    let preview = look(text.as_bytes(), "long.txt");
    let rows = lines(&preview);
    assert_eq!(rows.len(), 30);
    assert_eq!(rows[0].number, Some(1));
    assert!(
        rows[1..]
            .iter()
            .all(|row| row.number.is_none() && row.is_continued)
    );
    let together: String = rows.iter().map(|row| row.text.as_str()).collect();
    assert_eq!(together, text);
}

#[test]
fn a_report_of_gigabytes_is_read_for_one_page_only() {
    /// A content that says how much of it was read.
    struct Huge(std::cell::Cell<u64>);
    impl Content for Huge {
        fn size(&self) -> u64 {
            2 << 30
        }
        fn window(&self, at: u64, bytes: usize) -> Result<Vec<u8>> {
            let bytes = bytes.min(usize::try_from(self.size() - at).expect("64 bits"));
            self.0.set(self.0.get() + bytes as u64);
            let mut read = vec![b' '; bytes];
            if at == 0 {
                read[0] = b'{';
            }
            Ok(read)
        }
        fn reader(&self) -> Result<Box<dyn content::Forwards>> {
            panic!("nobody reads it from its beginning");
        }
    }
    for page in [0, 1, 20_000, u64::MAX] {
        let huge = Huge(std::cell::Cell::new(0));
        let asked = Asked {
            page,
            ..Asked::default()
        };
        let preview = preview(&huge, "report.json", &asked).expect("a preview");
        assert_eq!(preview.view, View::Text);
        assert_eq!(preview.remarks, [Remark::TooLongForTree]);
        assert!(huge.0.get() < 100 << 10, "{} bytes read", huge.0.get());
    }
}

#[test]
fn characters_that_command_or_reorder_a_page_are_shown() {
    let preview = look(
        "a\u{202e}b\u{1b}[2J\u{0}c\u{200b}\u{ad}".as_bytes(),
        "n.txt",
    );
    assert_eq!(preview.view, View::Hex, "a zero is no text");
    let preview = look("a\u{202e}b\u{1b}[2Jc\u{200b}\tend".as_bytes(), "n.txt");
    assert_eq!(lines(&preview)[0].text, "a⟨U+202E⟩b␛[2Jc⟨U+200B⟩\tend");
    let report = "{\"na\u{202e}me\":\"va\\u001b[31mlue\"}";
    let preview = look(report.as_bytes(), "n.json");
    let Row::Leaf { name, value, .. } = &tree(&preview).rows[0] else {
        panic!("a leaf");
    };
    assert_eq!(name, "na⟨U+202E⟩me");
    assert_eq!(value, "va␛[31mlue");
}

#[test]
fn bytes_that_are_no_characters_are_shown_and_counted() {
    let preview = look(b"Pr\xfcfung 5 \xb5A\nok\n", "old.txt");
    assert_eq!(lines(&preview)[0].text, "Pr⟨FC⟩fung 5 ⟨B5⟩A");
    assert_eq!(preview.remarks, [Remark::NotUtf8(2)]);
}

#[test]
fn nesting_without_end_is_shown_as_text() {
    let deep = "[".repeat(50_000);
    let preview = look(deep.as_bytes(), "deep.json");
    assert_eq!(preview.view, View::Text);
    assert_eq!(preview.remarks, [Remark::NotWellFormed]);
    let closed = "[".repeat(300) + &"]".repeat(300);
    assert_eq!(look(closed.as_bytes(), "deep.json").view, View::Text);
    let xml = "<a>".repeat(20_000);
    assert_eq!(look(xml.as_bytes(), "deep.xml").view, View::Text);
}

#[test]
fn a_large_report_is_shown_by_levels_and_each_part_has_a_way_in() {
    let mut steps = Vec::new();
    for number in 0..500 {
        let step = format!(
            r#"{{"name":"step {number}","limits":{{"low":1,"high":{number}}},"values":[1,2,3]}}"#
        );
        steps.push(step);
    }
    let report = format!(r#"{{"serial":"SN1","steps":[{}]}}"#, steps.join(","));
    let preview = look(report.as_bytes(), "r.json");
    let whole = tree(&preview);
    assert!(whole.rows.len() < 1_000, "{} rows", whole.rows.len());
    let more = whole.rows.iter().find_map(|row| match row {
        Row::More { path, from, left } => Some((path.as_str(), *from, *left)),
        _ => None,
    });
    assert_eq!(more, Some(("/steps", 100, 400)));

    let asked = Asked {
        path: "/steps".into(),
        from: 400,
        ..Asked::default()
    };
    let preview = with(report.as_bytes(), "r.json", &asked);
    let part = tree(&preview);
    assert_eq!(
        (part.from, part.count, part.before()),
        (400, 500, Some(300))
    );
    let Row::Open { name, title, .. } = &part.rows[0] else {
        panic!("{:?}", part.rows[0]);
    };
    assert_eq!((name.as_str(), title.as_str()), ("400", "step 400"));
    let asked = Asked {
        path: "/steps/7/limits/high".into(),
        ..Asked::default()
    };
    let preview = with(report.as_bytes(), "r.json", &asked);
    assert!(matches!(&tree(&preview).rows[0], Row::Leaf { value, .. } if value == "7"));
}

#[test]
fn a_part_that_is_gone_shows_the_whole_and_says_so() {
    for path in ["/gone", "/a/7", "/a/x", "nonsense/b", "/a/0/0"] {
        let asked = Asked {
            path: path.into(),
            ..Asked::default()
        };
        let preview = with(br#"{"a":[1]}"#, "r.json", &asked);
        assert_eq!(preview.remarks, [Remark::NoSuchPart], "{path}");
        assert_eq!(tree(&preview).path, "");
    }
}

#[test]
fn what_is_searched_is_found_in_names_and_values_whatever_its_case() {
    let report = r#"{"Serial":"SN1042","steps":[{"name":"ICT","serial":7},{"x":"sn1042"}]}"#;
    for (wanted, count) in [("serial", 2), ("sn1042", 2), ("ict", 1), ("nothing", 0)] {
        let asked = Asked {
            find: wanted.into(),
            ..Asked::default()
        };
        let preview = with(report.as_bytes(), "r.json", &asked);
        let Body::Found(found) = &preview.body else {
            panic!("a search");
        };
        assert_eq!(
            (found.count, found.places.len()),
            (count, count),
            "{wanted}"
        );
    }
}

#[test]
fn elements_of_xml_that_occur_once_need_no_number() {
    let report = b"<Report id='1'><Step name='a'/><Step name='b'/><Result>P</Result></Report>";
    let preview = look(report, "r.xml");
    let names: Vec<&str> = tree(&preview)
        .rows
        .iter()
        .filter_map(|row| match row {
            Row::Open { name, .. } | Row::Leaf { name, .. } | Row::Folded { name, .. } => {
                Some(name.as_str())
            }
            _ => None,
        })
        .collect();
    assert_eq!(names[0], "Report");
    assert!(
        names.contains(&"@id") && names.contains(&"Step"),
        "{names:?}"
    );
}

#[test]
fn a_table_has_its_head_on_every_page_and_each_row_once() {
    let mut text = String::from("step,value,remark\n");
    for number in 0..8_000 {
        writeln!(text, "step {number},{number}.5,\"a, \"\"b\"\"\"").expect("a line");
    }
    let (mut rows, mut page, mut pages) = (0, 1, 1);
    while page <= pages {
        let asked = Asked {
            page,
            ..Asked::default()
        };
        let preview = with(text.as_bytes(), "r.csv", &asked);
        let Body::Table(table) = &preview.body else {
            panic!("a table");
        };
        assert_eq!(table.head, ["step", "value", "remark"], "page {page}");
        for row in &table.rows {
            assert_eq!(row[0].text, format!("step {rows}"));
            assert!(row[1].is_number);
            assert_eq!(row[2].text, "a, \"b\"");
            rows += 1;
        }
        pages = preview.span.expect("pages").pages;
        page += 1;
    }
    assert_eq!(rows, 8_000);
}

#[test]
fn a_table_of_ten_thousand_columns_says_what_it_leaves_out() {
    let row = vec!["1"; 10_000].join(",");
    let preview = look(format!("{row}\n{row}\n").as_bytes(), "wide.csv");
    let Body::Table(table) = &preview.body else {
        panic!("a table");
    };
    assert_eq!(table.rows[0].len(), 100);
    assert_eq!(table.columns_left_out, 9_900);
}

#[test]
fn the_files_of_a_folder_are_listed_with_their_whole_names() {
    let mut tar = tar::Builder::new(Vec::new());
    let long = format!("{}/measured.csv", "folder".repeat(30));
    for (name, content) in [("a.csv", &b"1,2"[..]), (&long, b"3")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(1_700_000_000);
        header.set_cksum();
        tar.append_data(&mut header, name, content).expect("added");
    }
    let tar = tar.into_inner().expect("a tar file");
    let preview = look(&tar, "folder.tar");
    let Body::Listing(listing) = &preview.body else {
        panic!("a listing");
    };
    let names: Vec<&str> = listing
        .files
        .iter()
        .map(|file| file.name.as_str())
        .collect();
    assert_eq!(names, ["a.csv", &long]);
    assert_eq!(listing.files[0].size, 3);
    assert!(listing.broken.is_none() && !listing.has_more);

    let preview = look(&tar[..600], "folder.tar");
    let Body::Listing(listing) = &preview.body else {
        panic!("a listing");
    };
    assert_eq!(listing.files.len(), 1, "what there is of a broken one");
}

#[test]
fn nothing_and_every_single_byte_can_be_shown() {
    assert!(matches!(look(b"", "empty.json").body, Body::Empty));
    for byte in 0..=255_u8 {
        for view in [
            View::Text,
            View::Hex,
            View::Tree,
            View::Table,
            View::Listing,
        ] {
            let asked = Asked {
                view: Some(view),
                page: 9,
                from: 7,
                ..Asked::default()
            };
            for length in [1, 2, 600] {
                let preview = with(&vec![byte; length], "any.json", &asked);
                assert_eq!(preview.size, length as u64);
            }
        }
    }
}
