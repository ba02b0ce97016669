//! `headwater relay` and `headwater publish`: a recorder on this machine as the spool, and an uplink that sends what it
//! has. What both decide is in their crates; here they are wired, started and stopped.

mod contents;
mod ffmpeg;
mod intake;
mod not_kept;
mod progress;
mod recording;
mod remembered;
mod source;
mod spool;
mod standing;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use publisher::{Address, Deps, HttpRemote, Status, Uplink, UplinkConfig, UplinkError};
use service::{Clock, LogFormat, Random, Tasks};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::cli::{PublishOptions, RelayOptions, UplinkOptions};
use crate::config;
pub(crate) use contents::contents;
use progress::{Progress, Shown};
use source::Source;
use spool::Spool;
use standing::Standing;

pub(crate) fn relay(options: &RelayOptions) -> anyhow::Result<()> {
    run(&options.uplink, |relay| Box::pin(relay.serve(options.listen)))
}

pub(crate) fn publish(options: &PublishOptions) -> anyhow::Result<()> {
    run(&options.uplink, |relay| Box::pin(relay.publish(options)))
}

type Work<'a> = std::pin::Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;

fn run<'a>(options: &UplinkOptions, work: impl FnOnce(Relay) -> Work<'a>) -> anyhow::Result<()> {
    service::init_telemetry(LogFormat::default(), &options.log)?;
    config::trust_also(options.tls_ca.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let done = runtime.block_on(async { work(Relay::open(options).await?).await });
    runtime.shutdown_background();
    done
}

/// A spool with its uplink.
struct Relay {
    spool: Spool,
    address: Address,
    tasks: Tasks,
    status: watch::Receiver<Status>,
    /// What became of the uplink.
    ended: tokio::sync::oneshot::Receiver<Result<(), UplinkError>>,
    /// What has come of a directory that somebody else writes.
    source: watch::Sender<Option<publisher::Source>>,
    clock: Clock,
    progress: Progress,
    typed: Typed,
    interrupt: Signal,
    terminate: Signal,
}

/// How the work of a relay came to its end.
enum Ending {
    /// All is safe.
    Done,
    /// By a signal; what is not sent stays.
    Stopped,
}

impl Relay {
    async fn open(options: &UplinkOptions) -> anyhow::Result<Self> {
        let address = Address::parse(&options.to, options.token.as_deref());
        let address = address.map_err(|error| {
            anyhow!("--to: {error}. Give the push address that `headwater broadcast create` and the home page print")
        })?;
        let (clock, random, tasks) = (Clock::system(), Random::system(), Tasks::new());
        let dir = options.spool.clone().unwrap_or_else(|| format!("./spool/{}", address.broadcast).into());
        let spool = Spool::open(&dir, address.broadcast, options.quota, &clock, &random, &tasks).await?;
        let deps = Deps {
            metadata: spool.metadata.clone(),
            store: spool.store.clone(),
            remote: Arc::new(HttpRemote::new(address.clone())),
            recorders: vec![address.server.clone()],
            remembered: remembered::recorders(&dir),
            clock: clock.clone(),
            random,
        };
        let config = UplinkConfig { keep_bytes: options.keep, ..UplinkConfig::default() };
        let uplink = Uplink::new(address.broadcast, deps, config).await?;
        let (status, (tell, ended)) = (uplink.status(), tokio::sync::oneshot::channel());
        let stop = tasks.stop_token();
        tasks.spawn("uplink", async move {
            tokio::select! {
                done = uplink.run() => drop(tell.send(done)),
                () = stop.cancelled() => {}
            }
        });
        remembered::keep(&dir, status.clone(), &tasks);
        standing::keep(&dir, &address.server.0, status.clone(), clock.clone(), &tasks);
        let source = watch::Sender::new(None);
        let progress =
            Progress::new(options.json, status.clone(), source.subscribe(), spool.not_kept.subscribe(), &tasks);
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let typed = Typed::new();
        Ok(Self { spool, address, tasks, status, ended, source, clock, progress, typed, interrupt, terminate })
    }

    /// Takes what any stock encoder pushes to `listen`.
    async fn serve(mut self, listen: std::net::SocketAddr) -> anyhow::Result<()> {
        let local = self.spool.serve(listen).await?;
        self.progress.say(&format!(
            "Push to any of these, then Ctrl-C to stop (what is not sent stays in the spool), or type pause, resume, end:\n\
             ffmpeg … -f hls -method PUT {push}out.m3u8\n\
             OBS: service \"YouTube - HLS\", server {youtube}out.m3u8\n\
             It goes to {server}, broadcast {id}",
            push = local.push_url,
            youtube = local.youtube_url,
            server = self.address.server,
            id = self.address.broadcast,
        ));
        let ending = self.until_done().await;
        self.close(ending).await
    }

    /// Records a source of our own, and sends it.
    async fn publish(mut self, options: &PublishOptions) -> anyhow::Result<()> {
        if self.spool.has_ended().await? {
            self.progress
                .say("This broadcast was recorded to its end. Sending what is left; create another one for more");
            let ending = self.until_done().await;
            return self.close(ending).await;
        }
        let (mut source, pauses) = match Source::start(options, &self.spool, &self.clock, self.source.clone()).await {
            Ok(started) => started,
            Err(error) => return self.close(Err(error)).await,
        };
        self.progress.say(source.hint());
        let recorded = tokio::select! {
            recorded = source.wait() => recorded,
            () = Self::stopped(&mut self.interrupt, &mut self.terminate) => {
                let stopped = source.stop().await;
                if source.goes_on() {
                    return self.close(stopped.map(|()| Ending::Stopped)).await;
                }
                stopped
            }
            ended = &mut self.ended => return self.close(finished(ended)).await,
            () = self.spool.obey(&mut self.typed, pauses, &self.progress) => source.stop().await,
            is_closed = ended_by_owner(self.status.clone()) => {
                self.progress.say(&told_of_the_end(is_closed, &self.spool.dir));
                source.stop().await
            }
        };
        if let Err(error) = recorded {
            self.progress
                .say("The source failed. Sending what was recorded; the same command goes on with the broadcast");
            self.spool.taken_in().await;
            self.until_sent().await?;
            self.close(Ok(Ending::Stopped)).await?;
            return Err(error.context("the source failed"));
        }
        self.spool.taken_in().await;
        let ended = tokio::select! {
            () = end_here(&self.spool, &self.clock) => true,
            () = Self::stopped(&mut self.interrupt, &mut self.terminate) => false,
        };
        if !ended {
            return self.close(Ok(Ending::Stopped)).await;
        }
        self.progress.say("Recorded. Sending what is left; Ctrl-C stops, and the spool keeps it");
        let ending = self.until_done().await;
        self.close(ending).await
    }

    async fn until_done(&mut self) -> anyhow::Result<Ending> {
        let (spool, progress, status, clock) = (&self.spool, &self.progress, self.status.clone(), &self.clock);
        tokio::select! {
            ended = &mut self.ended => finished(ended),
            () = Self::stopped(&mut self.interrupt, &mut self.terminate) => Ok(Ending::Stopped),
            () = obey_for_ever(spool, clock, progress, &mut self.typed) => Ok(Ending::Stopped),
            () = end_with_the_owner(spool, clock, progress, status) => Ok(Ending::Stopped),
        }
    }

    /// Until nothing is owed that can be read, the uplink has ended, or a signal comes.
    async fn until_sent(&mut self) -> anyhow::Result<()> {
        let log_len = self.spool.log_len().await?;
        let is_sent = |status: &Status| status.owed_segments == status.unreadable_segments;
        tokio::select! {
            _ = self.status.wait_for(|status| status.log_len >= log_len && is_sent(status)) => {}
            _ = &mut self.ended => {}
            () = Self::stopped(&mut self.interrupt, &mut self.terminate) => {}
        }
        Ok(())
    }

    async fn stopped(interrupt: &mut Signal, terminate: &mut Signal) {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }

    async fn close(self, ending: anyhow::Result<Ending>) -> anyhow::Result<()> {
        self.spool.refuse_more().await;
        self.tasks.shutdown().await;
        self.spool.close().await;
        let (status, source) = (self.status.borrow().clone(), self.source.borrow().clone());
        let last =
            Standing { to: self.address.server.0.clone(), as_of_ms: self.clock.now_ms(), status: status.clone() };
        if let Err(error) = last.write(&self.spool.dir) {
            tracing::warn!(%error, "cannot keep in the spool how things stand");
        }
        let not_kept = self.spool.not_kept.count();
        self.progress.finish(&Shown { status: status.clone(), not_kept, source: source.clone() });
        let ending = ending?;
        if not_kept > 0 {
            bail!(
                "{not_kept} files that the encoder sent could not be kept and are lost: the spool had no room for them, or its \
                 disk failed; the log names them. Give it more room (--quota), or record at a lower rate"
            );
        }
        if status.refused_segments > 0 {
            let (refused, dir) = (status.refused_segments, self.spool.dir.display());
            bail!("{refused} segments were refused for good: they are in {dir}; the log says why");
        }
        let source = source.unwrap_or_default();
        if source.lost_segments > 0 || source.unusable_segments > 0 {
            let (lost, unusable) = (source.lost_segments, source.unusable_segments);
            bail!(
                "{lost} segments were deleted before they could be taken, {unusable} were no media; the log says which"
            );
        }
        match ending {
            Ending::Done => self.progress.say("Done: everything is safe"),
            Ending::Stopped if status.owed_segments > 0 => self.progress.say(&format!(
                "Stopped with {} segments ({:.0} s) not sent: they are in {}; the same command goes on{}",
                status.owed_segments,
                status.owed_s,
                self.spool.dir.display(),
                progress::held_back(&status).map(|held| format!(". Of these, {held}")).unwrap_or_default(),
            )),
            Ending::Stopped => self.progress.say("Stopped; nothing is waiting to be sent"),
        }
        Ok(())
    }
}

fn finished(ended: Result<Result<(), UplinkError>, tokio::sync::oneshot::error::RecvError>) -> anyhow::Result<Ending> {
    let ended = ended.map_err(|_| anyhow!("the uplink stopped; the log says why"))?;
    ended.map(|()| Ending::Done).map_err(|error| match error {
        UplinkError::Unreadable { .. } => {
            anyhow!(error).context("all else is safe; the same command tries again what is left in the spool")
        }
        error => anyhow!(error).context("cannot publish; nothing is lost, all is in the spool"),
    })
}

/// How long to wait before an end that the spool could not take is said again.
const SAY_AGAIN: Duration = Duration::from_secs(5);

/// What is said when somebody else has ended the broadcast: what was recorded may be waited for, or not any more.
fn told_of_the_end(is_closed: bool, dir: &Path) -> String {
    if is_closed {
        let dir = dir.display();
        return format!("This broadcast has ended: recording stops. What was not sent is refused and stays in {dir}");
    }
    "The owner has ended this broadcast: recording stops. What was recorded until now is sent; create another one for more"
        .to_owned()
}

/// Until the broadcast has ended far away, and we have heard of it. Whether nothing more is taken.
async fn ended_by_owner(mut status: watch::Receiver<Status>) -> bool {
    match status.wait_for(|status| status.ended_by_owner).await {
        Ok(status) => status.is_closed,
        Err(_) => std::future::pending().await,
    }
}

/// Ends the broadcast here. The spool may be busy, or full for a moment: what it has is sent meanwhile.
async fn end_here(spool: &Spool, clock: &Clock) {
    until_said(clock, || spool.say("end")).await;
}

async fn until_said(clock: &Clock, say: impl AsyncFn() -> anyhow::Result<()>) {
    while let Err(error) = say().await {
        tracing::warn!("{error:#}; it is tried again");
        clock.sleep(SAY_AGAIN).await;
    }
}

/// Does what is typed; after `end` the broadcast has ended, and what was recorded is still sent.
async fn obey_for_ever(spool: &Spool, clock: &Clock, progress: &Progress, typed: &mut Typed) {
    spool.obey(typed, None, progress).await;
    end_here(spool, clock).await;
    std::future::pending().await
}

/// Ends the broadcast here when it has ended there; what was recorded is still sent.
async fn end_with_the_owner(spool: &Spool, clock: &Clock, progress: &Progress, status: watch::Receiver<Status>) {
    let is_closed = ended_by_owner(status).await;
    // What is told of the uplink may be older than an end that was said here.
    if !spool.has_ended().await.is_ok_and(|has_ended| has_ended) {
        progress.say(&told_of_the_end(is_closed, &spool.dir));
    }
    end_here(spool, clock).await;
    std::future::pending().await
}

/// What somebody types, line by line.
struct Typed(Lines<BufReader<Stdin>>);

impl Typed {
    fn new() -> Self {
        Self(BufReader::new(tokio::io::stdin()).lines())
    }

    /// The next line; never, once there is nobody.
    async fn line(&mut self) -> String {
        match self.0.next_line().await {
            Ok(Some(line)) => line.trim().to_owned(),
            _ => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_end_that_fails_is_said_again() {
        let (clock, times) = (Clock::from_tokio(0), Cell::new(0));
        until_said(&clock, async || {
            times.set(times.get() + 1);
            if times.get() < 3 { Err(anyhow!("503")) } else { Ok(()) }
        })
        .await;
        assert_eq!((times.get(), clock.now_ms()), (3, 10_000));
    }

    #[test]
    fn what_is_sent_and_what_is_refused_are_told_apart() {
        let told = |is_closed| told_of_the_end(is_closed, Path::new("/spool"));
        assert!(told(false).contains("is sent") && told(true).ends_with("is refused and stays in /spool"));
    }
}
