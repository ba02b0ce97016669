//! Which crate may depend on which: what each part must not know.

use serde_json::Value;

/// Crates that play one role each. They meet over HTTP, the metadata trait and the storage trait.
const ROLES: [&str; 8] =
    ["recorder", "balancer", "playlist", "edge-cache", "tracker", "storage-sync", "publisher", "webhooks"];

/// The crates that see several roles: what wires them, and what tests them together.
const SEE_ALL: [&str; 2] = ["headwater", "tests"];

/// A dependency from outside that only some may have: it is theirs to speak to.
const RESERVED: [(&str, &[&str]); 7] = [
    ("redis", &["lib/metadata"]),
    ("rusqlite", &["lib/metadata"]),
    ("ffmpeg-next", &["lib/media"]),
    ("ffmpeg-sys-next", &["lib/media"]),
    ("opencv", &["tracker"]),
    ("glommio", &["edge-cache"]),
    ("maxminddb", &["balancer"]),
];

/// What a crate must not know, though others do.
const IGNORANT: [(&str, &[&str]); 5] = [
    ("lib/broadcast", &["tokio", "tokio-util", "axum", "hyper", "hyper-util", "tower", "futures-util", "async-trait"]),
    ("lib/media", &["tokio", "axum", "hyper", "headwater-metadata", "headwater-storage"]),
    ("lib/service", &["headwater-broadcast", "headwater-media", "headwater-metadata", "headwater-storage"]),
    ("balancer", &["headwater-media"]),
    ("edge-cache", &["headwater-media"]),
];

/// A crate of the workspace.
#[derive(Debug)]
pub(crate) struct Crate {
    name: String,
    /// Its folder, from the root: `lib/media`.
    folder: String,
    dependencies: Vec<Dependency>,
}

#[derive(Debug)]
struct Dependency {
    name: String,
    dev: bool,
}

/// The crates that `cargo metadata --no-deps` describes.
pub(crate) fn crates(metadata: &Value) -> Vec<Crate> {
    let text = |value: &Value| value.as_str().expect("cargo metadata has this text").to_owned();
    let list = |value: &Value| value.as_array().expect("cargo metadata has this list").clone();
    let root = text(&metadata["workspace_root"]);
    let dependency = |value: &Value| Dependency { name: text(&value["name"]), dev: value["kind"] == "dev" };
    let to_crate = |package: &Value| {
        let manifest = text(&package["manifest_path"]);
        let folder = manifest
            .strip_prefix(&root)
            .expect("crates are below the root")
            .trim_end_matches("Cargo.toml")
            .trim_matches('/')
            .to_owned();
        let dependencies = list(&package["dependencies"]).iter().map(dependency).collect();
        Crate { name: text(&package["name"]), folder, dependencies }
    };
    list(&metadata["packages"]).iter().map(to_crate).collect()
}

/// Complaints about arrows that should not be there.
pub(crate) fn check(crates: &[Crate]) -> Vec<String> {
    let folder_of = |name: &str| crates.iter().find(|c| c.name == name).map(|c| c.folder.as_str());
    let arrows = crates.iter().flat_map(|from| from.dependencies.iter().map(move |to| (from, to)));
    let wrong = arrows.filter_map(|(from, to)| {
        let why = reserved(from, to).or_else(|| ignorant(from, to)).or_else(|| inside(from, to, folder_of(&to.name)?));
        Some(format!("{} must not depend on {}: {}", from.folder, to.name, why?))
    });
    wrong.collect()
}

fn reserved(from: &Crate, to: &Dependency) -> Option<String> {
    let (_, owners) = RESERVED.iter().find(|(name, _)| *name == to.name)?;
    (!owners.contains(&from.folder.as_str())).then(|| format!("only {} may", owners.join(", ")))
}

fn ignorant(from: &Crate, to: &Dependency) -> Option<String> {
    let (_, unknown) = IGNORANT.iter().find(|(folder, _)| *folder == from.folder)?;
    (unknown.contains(&to.name.as_str()) && !to.dev).then(|| "it is to know nothing of it".into())
}

/// Rules between crates of the workspace; `to_folder` is where the other one lives.
fn inside(from: &Crate, to: &Dependency, to_folder: &str) -> Option<String> {
    // What is below `tests` is of the tests.
    let from_folder = if from.folder.starts_with("tests/") { "tests" } else { from.folder.as_str() };
    let sees_all = SEE_ALL.contains(&from_folder);
    if ROLES.contains(&to_folder) && !sees_all {
        Some(format!("roles are known only to {}", SEE_ALL.join(" and ")))
    } else if ["headwater", "tests"].contains(&to_folder) && from_folder != "tests" {
        Some("nothing is built on it".into())
    } else if to_folder == "lib/testkit" && !to.dev && from_folder != "tests" {
        Some("it is for tests only: make it a dev-dependency".into())
    } else {
        None
    }
}

/// Complaints about crates whose folder is not in ARCHITECTURE.md.
pub(crate) fn unlisted(crates: &[Crate], architecture: &str) -> Vec<String> {
    let listed =
        |folder: &str| architecture.contains(&format!("`{folder}`")) || architecture.contains(&format!("`{folder}/`"));
    let missing = crates.iter().filter(|c| !listed(&c.folder));
    missing.map(|c| format!("ARCHITECTURE.md does not say what `{}` is", c.folder)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Crates as "folder: dependency dev:dependency", named as ours are.
    fn house(lines: &[&str]) -> Vec<Crate> {
        let packages: Vec<_> = lines.iter().map(|line| package(line)).collect();
        crates(&serde_json::json!({ "workspace_root": "/r", "packages": packages }))
    }

    fn package(line: &str) -> Value {
        let (folder, dependencies) = line.split_once(':').expect("folder: dependencies");
        let last = folder.rsplit('/').next().expect("a name");
        let name = if last == "headwater" { last.to_owned() } else { format!("headwater-{last}") };
        let dependencies: Vec<_> = dependencies.split_whitespace().map(dependency).collect();
        serde_json::json!({ "name": name, "manifest_path": format!("/r/{folder}/Cargo.toml"), "dependencies": dependencies })
    }

    fn dependency(text: &str) -> Value {
        match text.strip_prefix("dev:") {
            Some(name) => serde_json::json!({ "name": name, "kind": "dev" }),
            None => serde_json::json!({ "name": text, "kind": null }),
        }
    }

    #[test]
    fn arrows_that_point_down_are_fine() {
        let house = house(&[
            "lib/broadcast: serde dev:tokio",
            "lib/metadata: redis rusqlite headwater-broadcast dev:headwater-testkit",
            "lib/testkit: headwater-service",
            "lib/service: tokio",
            "recorder: headwater-metadata headwater-broadcast tokio",
            "playlist: headwater-metadata",
            "headwater: headwater-recorder headwater-playlist",
            "tests: headwater-recorder headwater-playlist headwater-testkit headwater",
            "tests/simulation: headwater-recorder headwater-testkit",
            "tests/chaos: headwater-tests headwater-testkit",
        ]);
        assert_eq!(check(&house), [] as [&str; 0]);
    }

    #[test]
    fn each_wrong_arrow_is_found() {
        let table = [
            ("recorder: headwater-playlist", "roles are known only to headwater and tests"),
            ("recorder: dev:headwater-playlist", "roles are known only to headwater and tests"),
            ("lib/service: headwater-playlist", "roles are known only to headwater and tests"),
            ("lib/storage: redis", "only lib/metadata may"),
            ("recorder: rusqlite", "only lib/metadata may"),
            ("tests: ffmpeg-next", "only lib/media may"),
            ("playlist: opencv", "only tracker may"),
            ("lib/broadcast: tokio", "it is to know nothing of it"),
            ("lib/broadcast: axum", "it is to know nothing of it"),
            ("lib/service: headwater-media", "it is to know nothing of it"),
            ("edge-cache: headwater-media", "it is to know nothing of it"),
            ("recorder: headwater", "nothing is built on it"),
            ("headwater: headwater-tests", "nothing is built on it"),
            ("recorder: headwater-testkit", "it is for tests only: make it a dev-dependency"),
        ];
        for (line, why) in table {
            let others = ["playlist:", "lib/media:", "lib/testkit:", "headwater:", "tests:"];
            let (folder, _) = line.split_once(':').expect("folder: dependencies");
            let rest = others.into_iter().filter(|other| other.trim_end_matches(':') != folder);
            let complaints = check(&house(&rest.chain([line]).collect::<Vec<_>>()));
            assert!(complaints.len() == 1 && complaints[0].ends_with(why), "{line}: {complaints:?}");
        }
    }

    #[test]
    fn a_crate_that_architecture_does_not_list_is_found() {
        let house = house(&["lib/media:", "recorder:"]);
        assert_eq!(unlisted(&house, "- `lib/media/` and `recorder`"), [] as [&str; 0]);
        let complaint = ["ARCHITECTURE.md does not say what `recorder` is"];
        assert_eq!(unlisted(&house, "- `lib/media`, and the recorder"), complaint);
        assert_eq!(unlisted(&house, "").len(), 2);
    }
}
