//! Saves and drops views: filters, order and columns that all who use a store share.

use crate::archive::handle::Archive;
use crate::archive::messages::{Draft, Receipt};
use crate::event::{Body, PersonalField, ViewDropped, ViewSaved};
use crate::{Error, ErrorKind, Result};

/// The most characters of a view's name.
const NAME_CHARS_MAX: usize = 60;
/// The most bytes of what a view shows.
const QUERY_BYTES_MAX: usize = 2_000;

impl Archive {
    /// Saves a view for all who use the store. `query` is the query of a page's address, such as
    /// `status=failed&sort=size:desc`, with the names of the command line's filters. A view of this
    /// name is replaced; saving it again as it is records nothing.
    ///
    /// ```
    /// use annals::archive::Archive;
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// archive.save_view("Failed today", "status=failed&from=today")?;
    /// assert_eq!(archive.snapshot()?.views()?[0].name, "Failed today");
    /// archive.drop_view("Failed today")?;
    /// # archive.close()
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Invalid` for a name that is empty or has more than 60 characters, for a query of more than
    /// 2,000 bytes or that is none, and for one that states a personal value: the log would keep it
    /// for good. `Refused` when there are too many views.
    pub fn save_view(&self, name: &str, query: &str) -> Result<()> {
        check_name(name)?;
        check_query(query)?;
        let declared = self.personal_fields().into_iter();
        let fields: Vec<PersonalField> = declared
            .filter_map(|known| known.field.parse().ok())
            .collect();
        if let Some(key) = personal_key(query, &fields) {
            let told = format!("'{key}' in the view may be a personal value");
            return Err(Error::new(ErrorKind::Invalid, told)
                .hint("a view is kept in the log for good; save it without this filter"));
        }
        let fact = ViewSaved {
            name: name.to_owned(),
            query: query.to_owned(),
        };
        match self.append(vec![Draft::fact(Body::ViewSaved(fact))])? {
            Receipt::Durable { .. } | Receipt::Known(_) | Receipt::ContentNeeded => Ok(()),
        }
    }

    /// Drops a saved view. The log keeps that it was there.
    ///
    /// # Errors
    /// `NotFound` if there is no view of this name.
    pub fn drop_view(&self, name: &str) -> Result<()> {
        self.append_fact(Draft::fact(Body::ViewDropped(ViewDropped {
            name: name.to_owned(),
        })))?;
        Ok(())
    }
}

fn invalid(told: impl Into<String>, hint: &'static str) -> Result<()> {
    Err(Error::new(ErrorKind::Invalid, told.into()).hint(hint))
}

fn check_name(name: &str) -> Result<()> {
    let length = name.chars().count();
    if name.trim() != name || name.is_empty() || name.chars().any(char::is_control) {
        return invalid(
            "a view needs a name that is neither empty nor begins or ends with a space",
            "call it by what it shows, such as 'Failed today'",
        );
    }
    if length > NAME_CHARS_MAX {
        let told = format!("the name of the view has {length} characters, not up to 60");
        return invalid(told, "call it by a few words");
    }
    Ok(())
}

fn check_query(query: &str) -> Result<()> {
    if query.len() > QUERY_BYTES_MAX {
        let told = format!("the view has {} bytes, not up to 2000", query.len());
        return invalid(
            told,
            "state fewer filters; one label can stand for many ids",
        );
    }
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    if !query.bytes().all(is_plain) || query.starts_with('?') {
        return invalid(
            "what the view shows is not the query of an address",
            "write it as it stands behind the '?', such as status=failed&sort=size:desc",
        );
    }
    Ok(())
}

/// Returns the name of the first filter that may state a value of a personal field.
fn personal_key(query: &str, personal: &[PersonalField]) -> Option<String> {
    let has = |field: &PersonalField| personal.contains(field);
    let pairs = form_urlencoded::parse(query.as_bytes());
    let mut stated = pairs.filter(|(_, value)| !value.is_empty());
    let found = stated.find(|(key, value)| match &**key {
        "serial" => has(&PersonalField::Serial),
        "part" => has(&PersonalField::Part),
        "station" => has(&PersonalField::Station),
        "process" => has(&PersonalField::Process),
        "file" => has(&PersonalField::SourceName) || has(&PersonalField::SourcePath),
        "meta" => {
            let name = value.split_once('=').map_or(&**value, |(name, _)| name);
            has(&PersonalField::Meta(name.to_owned()))
        }
        // What is looked for may be anything.
        "text" | "q" => !personal.is_empty(),
        _ => false,
    });
    found.map(|(key, _)| key.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Options;
    use crate::disk::sim::SimDisk;
    use std::sync::Arc;

    fn archive() -> Archive {
        let disk = Arc::new(SimDisk::new());
        Archive::create_on(disk, Options::default()).expect("a store")
    }

    #[test]
    fn saving_a_view_again__replaces_it_and_as_it_is_records_nothing() {
        let archive = archive();
        archive.save_view("Failed", "status=failed").expect("saved");
        let first = archive.snapshot().expect("there").views().expect("sound");
        archive.save_view("Failed", "status=failed").expect("known");
        let again = archive.snapshot().expect("there").views().expect("sound");
        assert_eq!(first, again);
        archive
            .save_view("Failed", "status=rejected")
            .expect("saved");
        let views = archive.snapshot().expect("there").views().expect("sound");
        assert_eq!(views.len(), 1);
        assert_eq!(views[0].query, "status=rejected");
        assert!(views[0].event > first[0].event);
        archive.drop_view("Failed").expect("dropped");
        let none = archive.snapshot().expect("there");
        assert_eq!(none.saved_view("Failed").expect("sound"), None);
        let error = archive.drop_view("Failed").expect_err("it is gone");
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_view_that_cannot_be_kept__is_refused() {
        let archive = archive();
        let (long, wide) = ("ä".repeat(61), "a".repeat(2_001));
        for (name, query) in [
            ("", "status=failed"),
            (" Failed", "status=failed"),
            ("Fai\nled", "status=failed"),
            (&long, "status=failed"),
            ("Failed", "?status=failed"),
            ("Failed", "status=failed today"),
            ("Failed", "status=failed#top"),
            ("Failed", &wide),
        ] {
            let error = archive.save_view(name, query).expect_err(name);
            assert_eq!(error.kind(), ErrorKind::Invalid, "{name} {query}");
        }
        let (fits, full) = ("ä".repeat(60), "a".repeat(2_000));
        archive.save_view(&fits, &full).expect("at the limits");
    }

    /// A view with the serial of a person's own device would have stayed in the log for good.
    #[test]
    fn a_view_with_a_personal_value__is_refused() {
        let archive = archive();
        let fields = [PersonalField::Serial, PersonalField::Meta("who".to_owned())];
        archive
            .declare_personal(&fields, Some("works agreement"))
            .expect("declared");
        for query in ["serial=SN1", "status=failed&meta=who%3Dmia", "text=mia"] {
            let error = archive.save_view("V", query).expect_err(query);
            assert_eq!(error.kind(), ErrorKind::Invalid, "{query}");
        }
        for query in ["serial=", "meta=line%3D3", "part=P7"] {
            archive.save_view("V", query).expect(query);
        }
    }

    #[test]
    fn more_views_than_a_menu_can_hold__are_refused() {
        let archive = archive();
        for n in 0..500 {
            archive.save_view(&format!("view {n}"), "").expect("saved");
        }
        let error = archive.save_view("one more", "").expect_err("too many");
        assert_eq!(error.kind(), ErrorKind::Refused);
        archive.save_view("view 7", "status=failed").expect("known");
    }
}
