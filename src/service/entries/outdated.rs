//! Finds entries that an older identity of their converter made.

use std::collections::BTreeMap;

use crate::Result;
use crate::convert::identity_of;
use crate::id::ConverterId;
use crate::service::desk::Desk;
use crate::service::words::{counted, in_shell};

/// Returns the identities of converters as they run now: in the host that owns the store, or as
/// they are configured; where promotions are gated, the one that is current in the store. A
/// converter that is not ready is left out.
pub fn current_identities(desk: &Desk) -> Result<BTreeMap<String, ConverterId>> {
    if let Some(host) = &desk.host {
        return Ok(host.identities());
    }
    let config = desk.config();
    let mut identities = BTreeMap::new();
    for converter in config.iter().flat_map(|config| &config.converters) {
        let name = &converter.converter.name;
        let promoted = if converter.promotion.is_gated() {
            desk.archive.promoted(name)?
        } else {
            None
        };
        if let Some(id) = promoted.or_else(|| identity_of(&converter.converter).ok()) {
            identities.insert(name.clone(), id);
        }
    }
    Ok(identities)
}

/// Says how many entries an older identity of a converter made, and what to do. `config` is the
/// configuration, if one is known.
pub fn outdated_words(converter: &str, entries: u64, config: Option<&str>) -> String {
    let were = counted(entries, "entry was", "entries were");
    let (name, config) = (in_shell(converter), config.map_or("FILE".into(), in_shell));
    format!(
        "{were} made by an older identity of {converter}; compare: annals --config {config} \
         reprocess --outdated -c {name} --compare-only"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_names_the_converter_as_a_shell_takes_it() {
        let said = outdated_words("ICT CSV", 4_211, Some("/etc/annals/host.toml"));
        let told = "4,211 entries were made by an older identity of ICT CSV; compare: annals \
                    --config /etc/annals/host.toml reprocess --outdated -c 'ICT CSV' \
                    --compare-only";
        assert_eq!(said, told);
        assert!(outdated_words("it's", 1, None).ends_with(r"-c 'it'\''s' --compare-only"));
    }
}
