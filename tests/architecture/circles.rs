//! Circles among files: which file needs which, with re-exports followed to the file that defines.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Complaint, Source, Token, Used, is_rust, use_tree};

/// Two files that need each other can be read as one; three can't.
pub(crate) const CIRCLE_FILES_MAX: usize = 2;

/// Names the files of each circle that is too large, at the file that comes first in the alphabet.
pub(crate) fn circles(sources: &[Source]) -> Vec<Complaint> {
    let files = Files::of(sources);
    let mut found = Vec::new();
    for circle in components(&files.needs()) {
        if circle.len() > CIRCLE_FILES_MAX {
            let first = sources.iter().find(|source| source.path == circle[0]);
            let what = format!("a circle of {} files: {}", circle.len(), circle.join(", "));
            found.extend(first.map(|source| source.complain(1, what)));
        }
    }
    found
}

/// Names what a room's folder needs and is needed by, if that is one thing: then neither can be
/// read before the other. Inside a room its sub-folders and its files are the things.
pub(crate) fn circles_of_folders(sources: &[Source]) -> Vec<Complaint> {
    let files = Files::of(sources).needs();
    let mut things: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (file, needed) in &files {
        let (Some(own), needed) = (thing(file), needed.iter().filter_map(|file| thing(file)))
        else {
            continue;
        };
        let near = needed.filter(|other| *other != own && room(other) == room(own));
        things.entry(own).or_default().extend(near);
    }
    let mut found = Vec::new();
    for circle in components(&things) {
        let has_folder = circle.iter().any(|thing| !is_rust(thing));
        if circle.len() > 1 && has_folder {
            let inside = |source: &&Source| thing(&source.path) == Some(circle[0]);
            let what = format!("a circle around a folder: {}", circle.join(", "));
            let first = sources.iter().find(inside);
            found.extend(first.map(|source| source.complain(1, what)));
        }
    }
    found
}

/// `src/log/journal/file.rs` is of `src/log/journal`, `src/log/reader.rs` a thing of its own. The
/// crate's own files, and a room's front door, belong to none.
fn thing(file: &str) -> Option<&str> {
    let mut slashes = file.match_indices('/').map(|(at, _)| at);
    let _src = slashes.next()?;
    let room = slashes.next()?;
    match slashes.next() {
        Some(folder) => Some(&file[..folder]),
        None => Some(file).filter(|file| &file[room..] != "/mod.rs"),
    }
}

fn room(thing: &str) -> Option<&str> {
    thing.split('/').nth(1)
}

type ModulePath = Vec<String>;

/// What a file names, from the crate root.
struct Import {
    path: ModulePath,
    /// Of a `pub use`: the name that it gets, and the module that passes it on.
    reexport: Option<(String, ModulePath)>,
}

struct Files<'a> {
    /// The file of each module.
    of_module: BTreeMap<ModulePath, &'a str>,
    imports: BTreeMap<&'a str, Vec<Import>>,
    /// Where the names that a module passes on come from.
    reexports: BTreeMap<(ModulePath, String), ModulePath>,
}

impl<'a> Files<'a> {
    fn of(sources: &'a [Source]) -> Self {
        let in_src = || {
            sources
                .iter()
                .filter(|source| source.in_src() && source.path != "src/main.rs")
        };
        let of_module: BTreeMap<_, _> = in_src()
            .map(|source| (source.module(), &*source.path))
            .collect();
        let mut imports = BTreeMap::new();
        let mut reexports = BTreeMap::new();
        for source in in_src().filter(|source| !source.is_test()) {
            let found = imports_of(source, &of_module);
            for import in &found {
                if let Some((name, module)) = &import.reexport {
                    reexports.insert((module.clone(), name.clone()), import.path.clone());
                }
            }
            imports.insert(&*source.path, found);
        }
        Self {
            of_module,
            imports,
            reexports,
        }
    }

    /// The file that defines what a path names. Names that no file is known for are the parent's.
    fn defines(&self, path: &[String], hops: usize) -> Option<&'a str> {
        let len = (0..=path.len()).rfind(|len| self.of_module.contains_key(&path[..*len]))?;
        let (module, rest) = path.split_at(len);
        if let Some((name, rest)) = rest.split_first()
            && hops < 16
        {
            let named = |name: &str| self.reexports.get(&(module.to_vec(), name.to_owned()));
            if let Some(from) = named(name) {
                return self.defines(&[from, rest].concat(), hops + 1);
            }
        }
        self.of_module.get(module).copied()
    }

    /// The files that each file needs. A front door (`mod.rs`, `lib.rs`) doesn't need what it
    /// passes on.
    fn needs(&self) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
        let of = |(file, imports): (&&'a str, &Vec<Import>)| {
            let is_door = file.ends_with("/mod.rs") || file.ends_with("/lib.rs");
            let needed = imports
                .iter()
                .filter(|import| !(is_door && import.reexport.is_some()))
                .filter_map(|import| self.defines(&import.path, 0))
                .filter(|needed| needed != file && self.imports.contains_key(needed))
                .collect();
            (*file, needed)
        };
        self.imports.iter().map(of).collect()
    }
}

fn imports_of(source: &Source, of_module: &BTreeMap<ModulePath, &str>) -> Vec<Import> {
    let tokens = &source.tokens;
    let text = |i: usize| tokens.get(i).map_or("", |token| &*token.text);
    let mut found = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        let is_use = i > 0 && text(i - 1) == "use";
        let is_start = i == 0 || text(i - 1) != "::";
        let child = || {
            let mut path = tokens[i].module.clone();
            path.push(tokens[i].text.clone());
            of_module.contains_key(&path)
        };
        let starts = matches!(text(i), "crate" | "super" | "self") || child();
        if tokens[i].is_test() || !is_start || !starts || text(i + 1) != "::" {
            i += 1;
            continue;
        }
        let mut at = i;
        let base = base_of(tokens, &mut at);
        let is_pub = is_use && i > 1 && matches!(text(i - 2), "pub" | ")");
        for Used { path, name, .. } in use_tree(tokens, &mut at, &base) {
            let reexport = is_pub.then(|| (name, tokens[i].module.clone()));
            found.push(Import { path, reexport });
        }
        i = if is_use { at } else { i + 1 };
    }
    found
}

/// The module that a path starts from; `at` is left at the first word after it.
fn base_of(tokens: &[Token], at: &mut usize) -> ModulePath {
    let mut base = tokens[*at].module.clone();
    match &*tokens[*at].text {
        "crate" => (base, *at) = (Vec::new(), *at + 2),
        "self" => *at += 2,
        "super" => {
            while tokens.get(*at).is_some_and(|token| token.text == "super") {
                base.pop();
                *at += 2;
            }
        }
        _ => {}
    }
    base
}

/// The strongly connected components of a graph, each sorted, by Tarjan's algorithm.
fn components<'a>(needs: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Vec<Vec<&'a str>> {
    let mut walk = Walk {
        needs,
        visited: BTreeMap::new(),
        stack: Vec::new(),
        found: Vec::new(),
    };
    for file in needs.keys() {
        if !walk.visited.contains_key(file) {
            walk.visit(file);
        }
    }
    walk.found
}

struct Walk<'a, 'n> {
    needs: &'n BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// The lowest number that each file is known to reach; its own number is its place of arrival.
    visited: BTreeMap<&'a str, usize>,
    stack: Vec<&'a str>,
    found: Vec<Vec<&'a str>>,
}

impl<'a> Walk<'a, '_> {
    fn visit(&mut self, file: &'a str) -> usize {
        let own = self.visited.len();
        self.visited.insert(file, own);
        self.stack.push(file);
        let mut low = own;
        for needed in self.needs.get(file).into_iter().flatten() {
            match self.visited.get(needed) {
                None => low = low.min(self.visit(needed)),
                Some(number) if self.stack.contains(needed) => low = low.min(*number),
                Some(_) => {}
            }
        }
        if low == own {
            let from = self.stack.iter().rposition(|other| *other == file);
            let mut circle = self.stack.split_off(from.expect("it was pushed above"));
            circle.sort_unstable();
            self.found.push(circle);
        }
        low
    }
}
