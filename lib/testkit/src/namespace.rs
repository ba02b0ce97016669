//! A network of its own for a part of a test: a network namespace without a name. Whoever is in it sees no other
//! network, not even the machine's loopback, and disturbs none.
//!
//! It needs root. Nothing of it can be left over: the kernel removes it with the last process that is in it.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::process::Stdio;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::tools::Tool;

/// A network of its own.
#[derive(Debug)]
pub struct Namespace(File);

/// Holds the namespace until it is opened here: it ends with its input.
const HOLD: &str = "ip link set lo up && echo up && exec cat";

impl Namespace {
    /// Whether this process may make one, and a bad link into it: tried, as not every root may. A container's may not.
    pub fn is_allowed() -> bool {
        let tunnels = File::options().read(true).write(true).open("/dev/net/tun");
        rustix::process::geteuid().is_root() && tunnels.is_ok() && Self::made().is_ok()
    }

    /// The same for a test, which says aloud what is not tested here otherwise: also one that passes.
    pub fn is_allowed_to_test(what: &str) -> bool {
        let is_allowed = Self::is_allowed();
        if !is_allowed {
            let _ =
                writeln!(std::io::stderr(), "NOT TESTED: {what}: it needs network namespaces; run the tests as root");
        }
        is_allowed
    }

    /// Makes one whose loopback is up.
    ///
    /// # Panics
    /// If that is not allowed, or if `unshare` or `ip` is missing.
    pub fn new() -> Self {
        Self::made().unwrap_or_else(|why| panic!("no network namespace could be made: this needs root ({why})"))
    }

    fn made() -> Result<Self, String> {
        let mut command = Tool::find("unshare").command();
        command.args(["--net", "sh", "-c", HOLD]).env("PATH", super::tools::admin_path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = command.spawn().map_err(|error| format!("cannot start {command:?}: {error}"))?;
        let mut line = String::new();
        let read = BufReader::new(holder.stdout.take().expect("its output is piped")).read_line(&mut line);
        let namespace = File::open(format!("/proc/{}/ns/net", holder.id()));
        drop(holder.stdin.take());
        holder.wait().expect("a child can be waited for");
        if line != "up\n" {
            return Err(format!("unshare and ip said {line:?}, {read:?}"));
        }
        namespace.map(Self).map_err(|error| error.to_string())
    }

    /// Does `work` in a thread that is in this network, as is every thread and process that it starts.
    ///
    /// # Panics
    /// If `work` does.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let name = thread::current().name().unwrap_or("inside").to_owned();
        thread::scope(|scope| {
            let inside = thread::Builder::new().name(name).spawn_scoped(scope, || {
                move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network)).expect("it is allowed");
                work()
            });
            inside.expect("a thread can be started").join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn who_is_inside_is_not_heard_outside() {
        if !Namespace::is_allowed_to_test("a network of its own") {
            return;
        }
        let namespace = Namespace::new();
        let (listener, address) = namespace.inside(|| {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let address = listener.local_addr().expect("it is bound");
            (listener, address)
        });
        let outside = TcpStream::connect(address).expect_err("another network");
        assert_eq!(outside.kind(), ErrorKind::ConnectionRefused);
        namespace.inside(|| TcpStream::connect(address)).expect("the same network");
        drop(listener);
    }
}
