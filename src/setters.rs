//! Generates the setters of plain values that other crates make:
//! `NewEntry::new("ICT").serial("SN1")`.
//!
//! Such values may get more fields, so they are `non_exhaustive`, and other crates cannot write
//! them as literals.

/// Generates setters. A setter takes the value itself (`name: T`), anything that converts into it
/// (`name: into T`), a value to wrap in `Some` (`name: opt T`), both (`name: some T`), or one more
/// element of a list (`name: push T`).
macro_rules! setters {
    ($of:ty { $($(#[doc = $doc:literal])+ $name:ident: $($how:ident)? [$type:ty];)+ }) => {
        impl $of {
            $($crate::setters::setters!(@one $(#[doc = $doc])+ $name: $($how)? [$type]);)+
        }
    };
    (@one $(#[doc = $doc:literal])+ $name:ident: [$type:ty]) => {
        $(#[doc = $doc])+
        #[must_use]
        pub fn $name(mut self, $name: $type) -> Self {
            self.$name = $name;
            self
        }
    };
    (@one $(#[doc = $doc:literal])+ $name:ident: into [$type:ty]) => {
        $(#[doc = $doc])+
        #[must_use]
        pub fn $name(mut self, $name: impl Into<$type>) -> Self {
            self.$name = $name.into();
            self
        }
    };
    (@one $(#[doc = $doc:literal])+ $name:ident: opt [$type:ty]) => {
        $(#[doc = $doc])+
        #[must_use]
        pub fn $name(mut self, $name: $type) -> Self {
            self.$name = Some($name);
            self
        }
    };
    (@one $(#[doc = $doc:literal])+ $name:ident: some [$type:ty]) => {
        $(#[doc = $doc])+
        #[must_use]
        pub fn $name(mut self, $name: impl Into<$type>) -> Self {
            self.$name = Some($name.into());
            self
        }
    };
    (@one $(#[doc = $doc:literal])+ $name:ident: push [$type:ty]) => {
        $(#[doc = $doc])+
        #[must_use]
        pub fn $name(mut self, $name: impl Into<$type>) -> Self {
            self.$name.push($name.into());
            self
        }
    };
}

pub(crate) use setters;
