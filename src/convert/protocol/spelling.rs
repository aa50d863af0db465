//! Suggests the known word that is closest to an unknown one.

/// Maximum number of characters of a word that are compared.
const CHARS_MAX: usize = 64;

/// Returns the word of `known` that is most similar to `word`, if one is similar enough.
///
/// About a third of the letters may differ: at least one, at most three.
pub(crate) fn suggest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    let begins = |word: &str| -> String { word.to_lowercase().chars().take(CHARS_MAX).collect() };
    let word = begins(word);
    known
        .map(|candidate| {
            let distance = strsim::osa_distance(&word, &begins(candidate));
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
