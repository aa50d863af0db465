//! Every part that pages share on one page, for those who look at them: tests in a real browser,
//! and eyes. No program serves it.

use std::path::Path;

use askama::Template;

use super::frame::{Frame, Place};
use super::parts::{Mark, Moment};
use crate::entry::Status;
use crate::time::Timestamp;
use crate::web::texts::Language;
use crate::web::visitor::{Theme, Visitor};

#[derive(Template)]
#[template(path = "gallery.html", config = "src/web/askama.toml")]
struct Gallery {
    frame: Frame,
    marks: Vec<Mark>,
    moment: Moment,
    bytes: u64,
}

fn gallery(language: Language) -> String {
    let visitor = Visitor {
        account: "meier".to_owned(),
        zone: Some("Europe/Berlin".to_owned()),
        language,
        theme: Theme::System,
        store: "plant-a".into(),
    };
    let frame = Frame::new(Place::Entries, &visitor)
        .titled("Parts")
        .command("annals list --status failed --since 2026-11-01");
    let states = Status::ALL.map(|status| frame.mark(status));
    let marks = states.into_iter().chain([frame.suspicious()]).collect();
    let moment = frame.moment(Timestamp::from_micros(1_795_957_392_000_000));
    let page = Gallery {
        frame,
        marks,
        moment,
        bytes: 48_213,
    };
    page.render().expect("the gallery is filled")
}

/// The browser's tests set the variable to a folder, and look at the files that appear there.
#[test]
fn the_gallery_has_every_part_in_every_language() {
    for language in Language::ALL {
        let html = gallery(language);
        for class in ["status", "chip", "tile", "notice", "field", "pager", "copy"] {
            assert!(html.contains(&format!("class=\"{class}")), "{class}");
        }
        assert!(!html.contains("style="), "styles are refused by the policy");
        if let Some(folder) = std::env::var_os("ANNALS_GALLERY") {
            let file = Path::new(&folder).join(format!("{}.html", language.code()));
            std::fs::write(file, html).expect("written");
        }
    }
}
