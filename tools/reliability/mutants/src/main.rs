//! Puts every mutant of some sources into one copy of them, each behind a question that the
//! environment answers.
//!
//! cargo-mutants builds the package once for each mutant. Here all of them are built at once, and a
//! test program that is started with ANNALS_MUTANT=17 is the seventeenth mutant:
//!
//! ```text
//! a < b            becomes    (if crate::mutant(17) { a > b } else { a < b })
//! fn f() { .. }    becomes    fn f() { if crate::mutant(18) { return 0; } .. }
//! X => y           becomes    X if !crate::mutant(19) => y
//! ```
//!
//! Usage: annals-mutants ROOT LEFT_OUT < LIST, where LIST is what `cargo mutants --list --json`
//! prints, ROOT is the copy, which is changed, and LEFT_OUT are the numbers, separated by commas,
//! of mutants that do not compile. Prints the numbers of those that cannot be put in this way.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::path::Path;
use std::{env, fs, io};

use proc_macro2::{LineColumn, Span};
use serde::Deserialize;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

#[derive(Deserialize)]
struct Mutant {
    file: String,
    genre: String,
    replacement: String,
    function: Option<Function>,
    span: Place,
}

#[derive(Deserialize)]
struct Function {
    return_type: String,
}

#[derive(Deserialize)]
struct Place {
    start: Position,
}

/// Line and column, both from 1, as cargo-mutants counts.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Position {
    line: usize,
    column: usize,
}

impl From<LineColumn> for Position {
    fn from(at: LineColumn) -> Self {
        Self {
            line: at.line,
            column: at.column + 1,
        }
    }
}

/// A change of the text.
enum Edit {
    /// Goes before what stands there.
    Insert(usize, String),
    /// The text there becomes one of these, or stays as the edits inside of it make it.
    Choose(Range<usize>, Vec<(usize, String)>),
}

impl Edit {
    /// Where it begins; what surrounds comes before what is inside, and insertions before both.
    fn order(&self) -> (usize, std::cmp::Reverse<usize>) {
        match self {
            Self::Insert(at, _) => (*at, std::cmp::Reverse(usize::MAX)),
            Self::Choose(range, _) => (range.start, std::cmp::Reverse(range.end)),
        }
    }
}

struct Weaver<'a> {
    source: &'a str,
    /// The mutants at each place that have not found their expression yet.
    wanted: HashMap<Position, Vec<(usize, &'a Mutant)>>,
    edits: Vec<Edit>,
}

impl<'a> Weaver<'a> {
    fn take(&mut self, at: Span, genre: &str) -> Vec<(usize, &'a Mutant)> {
        let Some(here) = self.wanted.get_mut(&at.start().into()) else {
            return Vec::new();
        };
        let (taken, left) = here.drain(..).partition(|(_, mutant)| mutant.genre == genre);
        *here = left;
        taken
    }

    fn choose(&mut self, whole: Range<usize>, variants: Vec<(usize, String)>) {
        if !variants.is_empty() {
            self.edits.push(Edit::Choose(whole, variants));
        }
    }

    fn body(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let Some(first) = block.stmts.first() else {
            return;
        };
        if signature.constness.is_some() {
            return;
        }
        for (number, mutant) in self.take(first.span(), "FnValue") {
            let early = format!(" if crate::mutant({number}) {{ return {}; }} ", mutant.replacement);
            let after_brace = block.brace_token.span.open().byte_range().end;
            self.edits.push(Edit::Insert(after_brace, early));
        }
    }

    fn render(&self, range: Range<usize>, edits: &mut std::iter::Peekable<std::slice::Iter<'_, Edit>>, out: &mut String) {
        let mut at = range.start;
        while let Some(edit) = edits.next_if(|edit| edit.order().0 < range.end) {
            match edit {
                Edit::Insert(place, text) => {
                    out.push_str(&self.source[at..*place]);
                    out.push_str(text);
                    at = *place;
                }
                Edit::Choose(inner, variants) => {
                    out.push_str(&self.source[at..inner.start]);
                    out.push('(');
                    for (number, text) in variants {
                        out.push_str(&format!("if crate::mutant({number}) {{ {text} }} else "));
                    }
                    out.push_str("{ ");
                    self.render(inner.clone(), edits, out);
                    out.push_str(" })");
                    at = inner.end;
                }
            }
        }
        out.push_str(&self.source[at..range.end]);
    }
}

/// Whether this binds names for what comes after it, which it could not do from inside of a choice.
fn binds(expression: &syn::Expr) -> bool {
    match expression {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(binary) => binds(&binary.left) || binds(&binary.right),
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Weaver<'_> {
    fn visit_expr_binary(&mut self, node: &'ast syn::ExprBinary) {
        if !binds(&node.left) && !binds(&node.right) {
            let whole = node.span().byte_range();
            let operator = node.op.span().byte_range();
            let (left, right) = (&self.source[whole.start..operator.start], &self.source[operator.end..whole.end]);
            let variants = self.take(node.op.span(), "BinaryOperator").into_iter();
            let variants = variants.map(|(number, mutant)| (number, format!("{left}{}{right}", mutant.replacement)));
            let variants = variants.collect();
            self.choose(whole, variants);
        }
        visit::visit_expr_binary(self, node);
    }

    fn visit_expr_unary(&mut self, node: &'ast syn::ExprUnary) {
        let whole = node.span().byte_range();
        let operand = &self.source[node.op.span().byte_range().end..whole.end];
        let variants = self.take(node.op.span(), "UnaryOperator").into_iter();
        let variants = variants.map(|(number, _)| (number, operand.to_owned())).collect();
        self.choose(whole, variants);
        visit::visit_expr_unary(self, node);
    }

    fn visit_arm(&mut self, node: &'ast syn::Arm) {
        let deleted = self.take(node.span(), "MatchArm");
        let not_deleted: Vec<String> = deleted.iter().map(|(number, _)| format!("!crate::mutant({number})")).collect();
        let not_deleted = not_deleted.join(" && ");
        match &node.guard {
            Some((_, guard)) => {
                let whole = guard.span().byte_range();
                if !not_deleted.is_empty() {
                    self.edits.push(Edit::Insert(whole.start, format!("{not_deleted} && ")));
                }
                let variants = self.take(guard.span(), "MatchArmGuard").into_iter();
                let variants = variants.map(|(number, mutant)| (number, mutant.replacement.clone())).collect();
                self.choose(whole, variants);
            }
            None if not_deleted.is_empty() => {}
            None => self.edits.push(Edit::Insert(node.pat.span().byte_range().end, format!(" if {not_deleted}"))),
        }
        visit::visit_arm(self, node);
    }

    // A constant is made when the program is built: it cannot be asked which mutant it is in.
    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}

    fn visit_item_fn(&mut self, node: &'ast syn::ItemFn) {
        self.body(&node.sig, &node.block);
        visit::visit_item_fn(self, node);
    }

    fn visit_impl_item_fn(&mut self, node: &'ast syn::ImplItemFn) {
        self.body(&node.sig, &node.block);
        visit::visit_impl_item_fn(self, node);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [root, left_out] = arguments.as_slice() else {
        return Err("usage: annals-mutants ROOT LEFT_OUT < LIST".into());
    };
    let left_out = left_out.split(',').filter(|number| !number.is_empty());
    let left_out: BTreeSet<usize> = left_out.map(str::parse).collect::<Result<_, _>>()?;
    let mutants: Vec<Mutant> = serde_json::from_reader(io::stdin().lock())?;
    let mut files: BTreeMap<&str, Vec<(usize, &Mutant)>> = BTreeMap::new();
    let mut unplaced = Vec::new();
    for (index, mutant) in mutants.iter().enumerate() {
        let number = index + 1;
        // A function that hides its type can return only one: an early return would have to be of
        // the same.
        let opaque = mutant.genre == "FnValue" && mutant.function.as_ref().is_some_and(|function| function.return_type.contains("impl "));
        if opaque {
            unplaced.push(number);
        } else if !left_out.contains(&number) {
            files.entry(&mutant.file).or_default().push((number, mutant));
        }
    }
    for (name, mutants) in files {
        let path = Path::new(root).join(name);
        let source = fs::read_to_string(&path)?;
        let mut wanted: HashMap<Position, Vec<(usize, &Mutant)>> = HashMap::new();
        for (number, mutant) in mutants {
            wanted.entry(mutant.span.start).or_default().push((number, mutant));
        }
        let tree = syn::parse_file(&source)?;
        let mut weaver = Weaver {
            source: &source,
            wanted,
            edits: Vec::new(),
        };
        weaver.visit_file(&tree);
        let mut edits = std::mem::take(&mut weaver.edits);
        edits.sort_by_key(Edit::order);
        unplaced.extend(weaver.wanted.values().flatten().map(|(number, _)| *number));
        let mut woven = String::new();
        weaver.render(0..source.len(), &mut edits.iter().peekable(), &mut woven);
        fs::write(&path, woven)?;
    }
    unplaced.sort_unstable();
    for number in unplaced {
        println!("{number}");
    }
    Ok(())
}
