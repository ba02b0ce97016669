//! Viewers who ask for one playlist again and again through a whole broadcast, and what they got.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use testkit::hls::{self, Playlist, Violation};
use testkit::{HttpClient, every};

/// The status of a playlist that is over.
const GONE: u16 = 410;
/// How often they ask.
const PERIOD: Duration = Duration::from_millis(200);

/// One who asks until told to stop.
#[derive(Debug)]
pub struct Poller {
    url: String,
    enough: Arc<AtomicBool>,
    polls: Arc<Mutex<Vec<Poll>>>,
    running: Option<JoinHandle<()>>,
}

/// One look at a playlist that was there.
#[derive(Clone, Debug)]
pub struct Poll {
    /// Its address: another one once a playlist is over and the broadcast goes on elsewhere.
    pub url: String,
    pub text: String,
    /// What a delta update gave right after it.
    pub delta: String,
}

impl Poller {
    /// Begins to ask. As long as there is no playlist yet, that is noted nowhere.
    pub fn start(url: &str) -> Self {
        let (enough, polls) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<Poll>>>::default());
        let running = thread::spawn({
            let (url, enough, polls, client) = (url.to_owned(), enough.clone(), polls.clone(), HttpClient::default());
            move || {
                let mut at = url.clone();
                every(PERIOD, || {
                    match look(&client, &at) {
                        Ok(poll) => polls.lock().expect("nobody panics with it").push(poll),
                        Err(Some(GONE)) => at = named_by_the_index(&client, &url).unwrap_or(at.clone()),
                        Err(_) => {}
                    }
                    if enough.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                });
            }
        });
        Self { url: url.to_owned(), enough, polls, running: Some(running) }
    }

    /// What was seen so far.
    pub fn polls(&self) -> Vec<Poll> {
        self.polls.lock().expect("nobody panics with it").clone()
    }

    /// Stops asking, and judges what was seen: every playlist, every two in a row, every delta update.
    ///
    /// # Panics
    /// If something is wrong with them.
    pub fn judged(mut self) -> Vec<Poll> {
        self.enough.store(true, Ordering::Relaxed);
        self.running.take().expect("it runs until now").join().expect("asking does not fail");
        let polls = self.polls();
        assert!(polls.len() > 10, "{}: only {} polls", self.url, polls.len());
        for poll in &polls {
            self.check(hls::well_formed(&poll.text).map(drop), &[&poll.text]);
            let whole = hls::apply_delta(&poll.text, &poll.delta).map_err(|violation| vec![violation]);
            self.check(whole.map(|whole| self.check_delta(poll, &whole)), &[&poll.text, &poll.delta]);
        }
        for pair in polls.windows(2).filter(|pair| pair[0].url == pair[1].url) {
            self.check(hls::transition(&pair[0].text, &pair[1].text), &[&pair[0].text, &pair[1].text]);
        }
        polls
    }

    /// What a delta update makes of a playlist is a later version of it.
    fn check_delta(&self, poll: &Poll, whole: &Playlist) {
        let earlier = hls::read(&poll.text).expect("it is well formed");
        assert!(whole.end() >= earlier.end(), "{}: {}\n{}", self.url, poll.text, poll.delta);
        for segment in &earlier.segments {
            let Some(same) = whole.segment(segment.msn) else { continue };
            let of =
                |segment: &hls::Segment| (segment.uri.clone(), segment.gap, segment.duration_us, segment.date_time_ms);
            assert_eq!(of(same), of(segment), "{}: {}\n{}", self.url, poll.text, poll.delta);
        }
    }

    fn check(&self, verdict: Result<(), Vec<Violation>>, texts: &[&str]) {
        if let Err(wrong) = verdict {
            panic!("{}: {wrong:?}\n--- {}", self.url, texts.join("\n--- "));
        }
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.enough.store(true, Ordering::Relaxed);
    }
}

/// The answer's status if it is not 200, if there is an answer.
fn look(client: &HttpClient, url: &str) -> Result<Poll, Option<u16>> {
    let ask = |url: &str| {
        let answer = client.send("GET", url, &[], []).map_err(|_| None)?;
        if answer.status == 200 { Ok(answer.text().to_owned()) } else { Err(Some(answer.status.as_u16())) }
    };
    let text = ask(url)?;
    let mark = if url.contains('?') { '&' } else { '?' };
    // What is there already, so that nothing waits.
    let msn = hls::read(&text).map_or(0, |playlist| playlist.end().saturating_sub(1));
    let delta = ask(&format!("{url}{mark}_HLS_msn={msn}&_HLS_skip=YES"))?;
    Ok(Poll { url: url.to_owned(), text, delta })
}

/// Where a view goes on whose first address is over: the multivariant playlist names it for live, and dvr goes with it.
fn named_by_the_index(client: &HttpClient, first: &str) -> Option<String> {
    let (rendition, file) = first.rsplit_once('/')?;
    let (broadcast, name) = rendition.rsplit_once('/')?;
    let answer = client.send("GET", &format!("{broadcast}/index.m3u8"), &[], []).ok()?;
    let line = answer.text().lines().find(|line| line.starts_with(&format!("{name}/live")))?.to_owned();
    let view = file.split('.').next()?;
    Some(format!("{broadcast}/{}", line.replace("/live", &format!("/{view}"))))
}
