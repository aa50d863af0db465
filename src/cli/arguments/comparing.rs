//! The flags that change what counts when reports are compared.

use crate::convert::{PathPattern, RuleBook};

/// What counts when reports are compared.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Comparing {
    /// Let every difference count, whatever the configuration says
    #[arg(long, conflicts_with = "ignore")]
    pub(crate) strict: bool,
    /// Also leave out this place, such as '/meta/id' or '*/uuid'
    #[arg(long, value_name = "PATTERN")]
    pub(crate) ignore: Vec<PathPattern>,
}

impl Comparing {
    /// Returns the rules to use instead of `known` ones.
    pub(crate) fn apply(&self, known: RuleBook) -> RuleBook {
        if self.strict {
            return RuleBook::strict();
        }
        self.ignore.iter().fold(known, RuleBook::ignoring)
    }

    /// Returns true if a flag is given.
    pub(crate) fn is_given(&self) -> bool {
        self.strict || !self.ignore.is_empty()
    }
}
