//! A bad link between two networks of our own: every IP packet passes through this process, which delays it, loses it,
//! or keeps it back for the rate, as the test says at the moment. What befalls which packet follows from a seed.
//!
//! Linux can do this by itself (netem), but many kernels come without that part. It needs root, as [`Namespace`] does.

mod pipe;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tappers::{Interface, Tun};

use crate::namespace::Namespace;
use crate::tools::Tool;
use pipe::Pipe;

/// How a link is, each way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// How long a packet is on its way, beside what the rate costs.
    pub delay: Duration,
    /// The most by which it takes longer; packets may overtake each other.
    pub jitter: Duration,
    /// How many of a thousand packets are lost.
    pub lost_per_mille: u32,
    /// `None`: as fast as this machine is.
    pub bits_per_s: Option<u64>,
    /// Whether anything passes at all.
    pub passes: bool,
}

impl Quality {
    /// A link that does nothing to its packets.
    pub const PERFECT: Self =
        Self { delay: Duration::ZERO, jitter: Duration::ZERO, lost_per_mille: 0, bits_per_s: None, passes: true };
}

/// A link between two networks. It is gone, as if it was pulled out, when this is dropped.
#[derive(Debug)]
pub struct Link {
    there: Arc<Pipe>,
    back: Arc<Pipe>,
}

/// What has passed a link in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    pub packets: u64,
    pub bytes: u64,
    /// By chance, because nothing passes, or because the queue was full.
    pub lost: u64,
}

/// The size of the network that the two ends are in.
const PREFIX_LEN: u8 = 30;
/// What an end is called in its network.
const DEVICE: &str = "tunnel";
/// The largest packet, in bytes.
const MTU: usize = 1_400;
/// How often a link looks whether it is still wanted.
const LOOK_AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

impl Link {
    /// The address of the first end, in the first network.
    pub const NEAR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
    /// The address of the second.
    pub const FAR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

    /// Links two networks.
    ///
    /// # Panics
    /// If there are no TUN devices here.
    pub fn between(near: &Namespace, far: &Namespace, quality: Quality, seed: u64) -> Self {
        let (near, far) = (end(near, Self::NEAR), end(far, Self::FAR));
        let (there, back) = (Arc::new(Pipe::new(quality, seed)), Arc::new(Pipe::new(quality, !seed)));
        for (from, to, pipe) in [(&near, &far, &there), (&far, &near, &back)] {
            let (from, to, reads, writes) = (from.clone(), to.clone(), pipe.clone(), pipe.clone());
            std::thread::spawn(move || read(&from, &reads));
            std::thread::spawn(move || {
                // A packet that its end does not take is lost, as on any link.
                while let Some(packet) = writes.next() {
                    let _ = to.send(&packet);
                }
            });
        }
        Self { there, back }
    }

    /// From now on it is like this, in both directions. What is on its way stays there.
    pub fn set(&self, quality: Quality) {
        self.there.set(quality);
        self.back.set(quality);
    }

    /// How it is.
    pub fn quality(&self) -> Quality {
        self.there.quality()
    }

    /// Lets nothing pass, and tells nobody: a tunnel.
    pub fn black_out(&self) {
        self.set(Quality { passes: false, ..self.quality() });
    }

    /// Ends a [`black_out`](Self::black_out).
    pub fn light_up(&self) {
        self.set(Quality { passes: true, ..self.quality() });
    }

    /// What has passed so far from the first network to the second, and back.
    pub fn passed(&self) -> [Passed; 2] {
        [self.there.passed(), self.back.passed()]
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.there.close();
        self.back.close();
    }
}

/// The end of a link in a network.
fn end(namespace: &Namespace, address: Ipv4Addr) -> Arc<Tun> {
    namespace.inside(|| {
        let name = Interface::new(DEVICE).expect("a short name");
        let tun = Tun::new_named(name).unwrap_or_else(|error| panic!("no TUN device can be had: {error}"));
        let ip = Tool::find("ip");
        ip.run(["addr", "add", &format!("{address}/{PREFIX_LEN}"), "dev", DEVICE]);
        ip.run(["link", "set", "dev", DEVICE, "up", "mtu", &MTU.to_string(), "txqueuelen", "1000"]);
        Arc::new(tun)
    })
}

/// Takes packets from an end until the link is gone.
fn read(from: &Tun, pipe: &Pipe) {
    let mut packet = [0; 2 * MTU];
    while !pipe.is_closed() {
        let readable = poll(&mut [PollFd::new(from, PollFlags::IN)], Some(&LOOK_AGAIN));
        if matches!(readable, Ok(1..))
            && let Ok(len) = from.recv(&mut packet)
        {
            pipe.take(&packet[..len]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::waiting::now;

    const LEN: usize = 300_000;

    /// How long it takes to send [`LEN`] bytes over a link and to hear that they have come.
    fn send(quality: Quality, break_it: impl FnOnce(&Link) + Send) -> Option<Duration> {
        if !Namespace::is_allowed_to_test("a bad link") {
            return None;
        }
        let (near, far) = (Namespace::new(), Namespace::new());
        let link = Link::between(&near, &far, quality, 7);
        let listener = far.inside(|| TcpListener::bind((Link::FAR, 0))).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody comes");
            let mut body = vec![0; LEN];
            stream.read_exact(&mut body).expect("all of it comes");
            assert!(body.iter().enumerate().all(|(at, byte)| *byte == at as u8));
            stream.write_all(b"!").expect("it can be answered");
        });
        let started = now();
        near.inside(|| {
            let mut stream = TcpStream::connect(address).expect("the far end answers");
            break_it(&link);
            let body: Vec<u8> = (0..LEN).map(|at| at as u8).collect();
            stream.write_all(&body).expect("it is taken");
            stream.read_exact(&mut [0]).expect("an answer");
        });
        let passed = link.passed();
        assert!(passed[0].bytes > LEN as u64, "{passed:?}");
        Some(now() - started)
    }

    #[test]
    fn a_delay_and_a_rate_are_kept() {
        let bits_per_s = Some(4_000_000);
        let quality = Quality { delay: Duration::from_millis(30), bits_per_s, ..Quality::PERFECT };
        let Some(took) = send(quality, |_| {}) else { return };
        // Two round trips, and 300 kB at 4 Mbit/s.
        assert!(took >= Duration::from_millis(2 * 60 + 600), "{took:?}");
        assert!(took < Duration::from_secs(20), "{took:?}");
    }

    #[test]
    fn everything_comes_through_loss_and_a_black_out() {
        let quality = Quality { lost_per_mille: 50, jitter: Duration::from_millis(2), ..Quality::PERFECT };
        let dark = Duration::from_millis(500);
        let took = send(quality, |link| {
            link.black_out();
            let began = now();
            crate::eventually("the end of the tunnel", Duration::from_secs(9), || {
                if now() - began > dark { Ok(()) } else { Err("it is dark") }
            });
            link.light_up();
        });
        assert!(took.is_none_or(|took| took > dark), "{took:?}");
    }
}
