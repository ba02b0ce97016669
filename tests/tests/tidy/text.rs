//! Rules for every text file, whatever its language.

/// Marks of unfinished work, put together here so that this file does not carry them itself.
const UNFINISHED: [&str; 6] = [
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("dbg", "!("),
    concat!("FIX", "ME"),
    concat!("X", "XX:"),
    concat!("#[ign", "ore"),
];

/// Folders of the machine that somebody happened to work on.
const MACHINE_PATHS: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/tmp/bash", "_jobs")];

/// Where packages are downloaded from is the user's choice.
const REGISTRY_HOSTS: [&str; 6] = [
    concat!("registry.npm", "js.org"),
    concat!("registry.yarn", "pkg.com"),
    concat!("files.python", "hosted.org"),
    concat!("py", "pi.org"),
    concat!("static.crates", ".io"),
    concat!("index.crates", ".io"),
];

const CRATES_IO: &str = r#"source = "registry+https://github.com/rust-lang/crates.io-index""#;

/// Complaints about `text`, the content of the file at `path`.
pub(crate) fn check(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().zip(1..).flat_map(|(line, number)| {
        line_complaints(path, line).into_iter().map(move |what| format!("{path}:{number}: {what}"))
    });
    lines.chain(file_complaint(path, text)).collect()
}

fn line_complaints(path: &str, line: &str) -> Vec<String> {
    let lock = path.ends_with("package-lock.json") || path.ends_with("Cargo.lock");
    let found = |needles: &[&str], what: &str| {
        let hits = needles.iter().filter(|needle| line.contains(**needle));
        hits.map(|needle| format!("{what} {needle:?}")).collect::<Vec<_>>()
    };
    let mut complaints = found(&UNFINISHED, "unfinished:");
    complaints.extend(found(&MACHINE_PATHS, "a path of one machine:"));
    complaints.extend(found(&REGISTRY_HOSTS, "a registry's host name:"));
    if lock && line.trim_start().starts_with(r#""resolved":"#) {
        complaints.push("the lock file says where it downloaded from".into());
    }
    if path.ends_with("Cargo.lock") && line.starts_with("source = ") && line != CRATES_IO {
        complaints.push("not from crates.io".into());
    }
    // proptest writes its own files.
    let written_by_tool = lock || path.contains("proptest-regressions/");
    if !written_by_tool && (line.ends_with(' ') || line.ends_with('\t')) {
        complaints.push("white space at the end of the line".into());
    }
    complaints
}

fn file_complaint(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    let (limit, header) = if path.ends_with(".test.ts") {
        (usize::MAX, true)
    } else if path.ends_with(".ts") {
        (super::rust::FILE_LINES_MAX, text.starts_with("/**") || text.starts_with("//"))
    } else {
        return None;
    };
    if lines > limit {
        Some(format!("{path}: {lines} lines, more than {limit}: split it"))
    } else if !header {
        Some(format!("{path}: say in a comment at the top what it is for"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one complaint about a file, or "" if there is none.
    fn complaint(path: &str, text: &str) -> String {
        check(path, text).join("; ")
    }

    #[test]
    fn marks_of_unfinished_work() {
        for mark in UNFINISHED {
            assert_eq!(complaint("a.md", &format!("fine\n  {mark}")), format!("a.md:2: unfinished: {mark:?}"));
        }
    }

    #[test]
    fn names_of_machines_and_registries() {
        for path in MACHINE_PATHS {
            assert_eq!(complaint("a", &format!("in {path}b")), format!("a:1: a path of one machine: {path:?}"));
        }
        for host in REGISTRY_HOSTS {
            assert_eq!(complaint("a", &format!("https://{host}/x")), format!("a:1: a registry's host name: {host:?}"));
        }
    }

    #[test]
    fn lock_files_do_not_name_registries() {
        let resolved = "    \"resolved\": \"http://mirror/x.tgz\"";
        assert_eq!(
            complaint("w/package-lock.json", resolved),
            "w/package-lock.json:1: the lock file says where it downloaded from"
        );
        assert_eq!(complaint("Cargo.lock", "source = \"registry+http://mirror\""), "Cargo.lock:1: not from crates.io");
        assert_eq!(complaint("Cargo.lock", CRATES_IO), "");
    }

    #[test]
    fn white_space_at_line_ends() {
        assert_eq!(complaint("a.md", "a\nb \n"), "a.md:2: white space at the end of the line");
        assert_eq!(complaint("proptest-regressions/a.txt", "b \n"), "");
    }

    #[test]
    fn typescript_modules_have_a_header_and_a_size() {
        let long = format!("// What it is for.\n{}", "\n".repeat(super::super::rust::FILE_LINES_MAX));
        assert_eq!(complaint("w/a.ts", "export {};"), "w/a.ts: say in a comment at the top what it is for");
        assert_eq!(complaint("w/a.ts", &long), "w/a.ts: 601 lines, more than 600: split it");
        assert_eq!(complaint("w/a.test.ts", &long), "");
    }
}
