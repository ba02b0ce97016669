//! Rules for Rust files: a header, a name that says something, and a size that a reader can hold.
//!
//! Sizes are counted without tests: what is under `#[cfg(test)]`, in `tests.rs` or in a `tests` folder.

use proc_macro2::LineColumn;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// The longest file, in lines.
pub(crate) const FILE_LINES_MAX: usize = 600;
/// The longest function, in lines from its signature to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;

/// File names that say nothing of what is inside, or that hide it.
const NAMES: [&str; 5] = ["mod.rs", "utils.rs", "util.rs", "helpers.rs", "common.rs"];

/// Complaints about the Rust file at `path`.
pub(crate) fn check(path: &str, text: &str) -> Vec<String> {
    let complaints: Vec<_> = match syn::parse_file(text) {
        Ok(file) => header(&file)
            .into_iter()
            .chain(name(path))
            .chain(surface(path, &file))
            .chain(sizes(path, text, &file))
            .collect(),
        Err(error) => vec![format!(": not Rust: {error}")],
    };
    complaints.into_iter().map(|complaint| format!("{path}{complaint}")).collect()
}

fn header(file: &syn::File) -> Option<String> {
    let says_something = |attribute: &syn::Attribute| match &attribute.meta {
        syn::Meta::NameValue(doc) if doc.path.is_ident("doc") => {
            doc.value.span().source_text().is_some_and(|t| t.len() > 4)
        }
        _ => false,
    };
    let missing = !file.attrs.iter().any(says_something);
    missing.then(|| ": has no //! header that says what it is for".into())
}

fn name(path: &str) -> Option<String> {
    let file = path.rsplit('/').next().unwrap_or(path);
    NAMES.contains(&file).then(|| ": name it after what is inside; a folder's module is foo.rs beside foo/".into())
}

/// The one library that offers modules: `hls::read` says more to a test than `read`.
const OFFERS_MODULES: &str = "lib/testkit/src/lib.rs";

/// What a library offers is one list in its `lib.rs`, not whatever its modules make public.
fn surface(path: &str, file: &syn::File) -> Option<String> {
    let public =
        |item: &syn::Item| matches!(item, syn::Item::Mod(module) if matches!(module.vis, syn::Visibility::Public(_)));
    let open = path.ends_with("src/lib.rs") && path != OFFERS_MODULES && file.items.iter().any(public);
    open.then(|| ": keep modules private and list what is public with `pub use`".into())
}

fn sizes(path: &str, text: &str, file: &syn::File) -> Vec<String> {
    if path.split('/').any(|part| part == "tests.rs" || part == "tests") && !path.starts_with("tests/src/") {
        return vec![];
    }
    let mut sizes = Sizes::default();
    sizes.visit_file(file);
    let lines = text.lines().count() - sizes.test_lines;
    if lines > FILE_LINES_MAX {
        sizes.complaints.push(format!(": {lines} lines without tests, more than {FILE_LINES_MAX}: split it"));
    }
    sizes.complaints
}

/// Walks through everything but tests.
#[derive(Default)]
struct Sizes {
    test_lines: usize,
    complaints: Vec<String>,
}

impl Sizes {
    fn function(&mut self, name: &syn::Ident, node: &impl Spanned, body: &syn::Block) {
        let (first, last) = (node.span().start(), body.span().end());
        let lines = lines_of(first, last);
        if lines > FUNCTION_LINES_MAX {
            let line = first.line;
            self.complaints
                .push(format!(":{line}: {name} has {lines} lines, more than {FUNCTION_LINES_MAX}: split it"));
        }
    }
}

impl<'ast> Visit<'ast> for Sizes {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if is_test(attributes(item)) {
            self.test_lines += lines_of(item.span().start(), item.span().end());
        } else {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.function(&function.sig.ident, &function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.function(&function.sig.ident, &function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(body) = &function.default {
            self.function(&function.sig.ident, &function.sig, body);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

fn lines_of(first: LineColumn, last: LineColumn) -> usize {
    last.line - first.line + 1
}

/// The attributes of the items that tests are made of.
fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function of so many lines, in which braces do not mean what they seem to.
    fn function(lines: usize) -> String {
        let filler = "    let _ = (\"}\", '{', r#\"\n\"#); // }\n".repeat((lines - 2) / 2);
        let rest = "    ();\n".repeat((lines - 2) % 2);
        format!("fn long() {{\n{filler}{rest}}}\n")
    }

    #[test]
    fn a_header_is_asked_for() {
        let complaint = "a.rs: has no //! header that says what it is for";
        for text in ["", "use a::b;\n", "/// Docs of something else.\nfn a() {}\n", "//!\nfn a() {}\n"] {
            assert_eq!(check("a.rs", text), [complaint], "{text:?}");
        }
        for text in ["//! What.\n", "#![no_main]\n//! What.\n", "\n//! What.\n"] {
            assert_eq!(check("a.rs", text), [] as [&str; 0], "{text:?}");
        }
    }

    #[test]
    fn a_name_should_say_something() {
        for name in NAMES {
            let complaints = check(&format!("lib/a/src/{name}"), "//! What.\n");
            assert!(complaints.len() == 1 && complaints[0].contains("name it after"), "{complaints:?}");
        }
    }

    #[test]
    fn a_library_lists_what_it_offers() {
        let complaint = ["lib/a/src/lib.rs: keep modules private and list what is public with `pub use`"];
        assert_eq!(check("lib/a/src/lib.rs", "//! What.\npub mod b;\n"), complaint);
        assert_eq!(check("lib/a/src/lib.rs", "//! What.\nmod b;\npub use b::C;\n"), [] as [&str; 0]);
        assert_eq!(check("lib/a/src/b.rs", "//! What.\npub mod c;\n"), [] as [&str; 0]);
    }

    #[test]
    fn functions_are_measured() {
        let in_impl = |lines| format!("//! What.\nimpl A {{\n{}}}\n", function(lines));
        let in_trait = |lines| format!("//! What.\ntrait A {{\n{}}}\n", function(lines));
        let nested = |lines| format!("//! What.\nmod a {{\n{}}}\n", function(lines));
        for wrap in [&in_impl as &dyn Fn(usize) -> String, &in_trait, &nested] {
            assert_eq!(check("a.rs", &wrap(70)), [] as [&str; 0]);
            assert_eq!(check("a.rs", &wrap(71)), ["a.rs:3: long has 71 lines, more than 70: split it"]);
        }
    }

    #[test]
    fn files_are_measured_without_their_tests() {
        let lines = |count: usize| format!("//! What.\n{}", "use a::b;\n".repeat(count - 1));
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", function(200));
        assert_eq!(check("a.rs", &(lines(600) + &tests)), [] as [&str; 0]);
        assert_eq!(check("a.rs", &(lines(601) + &tests)), ["a.rs: 601 lines without tests, more than 600: split it"]);
        assert_eq!(check("a/tests.rs", &lines(601)), [] as [&str; 0]);
        assert_eq!(check("tests/src/a.rs", &lines(601)).len(), 1);
    }

    #[test]
    fn what_is_not_rust_is_said_so() {
        assert!(check("a.rs", "//! What.\nfn {").concat().starts_with("a.rs: not Rust"));
    }
}
