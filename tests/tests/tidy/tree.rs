//! What is in the repository: the files that git knows or would take, and the crates that cargo knows.

use std::path::Path;
use std::process::Command;

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is below the root")
}

/// Every text file, by its path from the root. Recordings, pictures and other binary files are left out.
pub(crate) fn texts() -> impl Iterator<Item = (String, String)> {
    let listing = output("git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let paths: Vec<_> = listing.split('\0').filter(|path| !path.is_empty()).map(String::from).collect();
    assert!(paths.len() > 20, "git lists only {} files", paths.len());
    // A file may be listed and already be deleted.
    paths.into_iter().filter_map(|path| {
        let bytes = std::fs::read(root().join(&path)).ok()?;
        Some((path, String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))?))
    })
}

/// The crates of this workspace and what they ask for, as `cargo metadata` has it.
pub(crate) fn cargo_metadata() -> serde_json::Value {
    let json = output(env!("CARGO"), &["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    serde_json::from_str(&json).expect("cargo writes JSON")
}

fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(root()).output();
    let output = output.unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("names are UTF-8")
}
