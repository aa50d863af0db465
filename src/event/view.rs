//! Facts about saved views: filters, order and columns that all who use a store share.

use serde::{Deserialize, Serialize};

/// See [`Body::ViewSaved`](crate::event::Body::ViewSaved). A later one of the same name replaces
/// it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ViewSaved {
    /// What the view is called.
    pub name: String,
    /// What it shows: the query of a page's address, with the names of the command line's filters.
    pub query: String,
}

/// See [`Body::ViewDropped`](crate::event::Body::ViewDropped).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ViewDropped {
    /// The view's name.
    pub name: String,
}
