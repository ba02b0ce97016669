//! The rules of the house, checked on every file that is, or is about to be, committed.
//!
//! Each rule is a pure function from text to complaints, and has its own test that it does complain. What clippy
//! checks (wall clocks, bare spawns, unwrap) is not repeated here.

mod arrows;
mod rust;
mod text;
mod tree;

/// Fails with all complaints at once.
fn assert_tidy(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn rust_files() {
    assert_tidy(
        tree::texts().filter(|(path, _)| path.ends_with(".rs")).flat_map(|(p, t)| rust::check(&p, &t)).collect(),
    );
}

#[test]
fn every_text() {
    assert_tidy(tree::texts().flat_map(|(path, text)| text::check(&path, &text)).collect());
}

#[test]
fn dependency_arrows() {
    let crates = arrows::crates(&tree::cargo_metadata());
    assert!(crates.len() > 5, "cargo names only {} crates", crates.len());
    assert_tidy(arrows::check(&crates));
}

#[test]
fn architecture_lists_every_crate() {
    let crates = arrows::crates(&tree::cargo_metadata());
    let architecture = std::fs::read_to_string(tree::root().join("ARCHITECTURE.md")).unwrap_or_default();
    assert_tidy(arrows::unlisted(&crates, &architecture));
}
