//! The command line, and what `--help` teaches.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Live video from a bad network, with nothing lost.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
Start everything on this machine:
  headwater up
Create a broadcast, and see where to send it and where to watch it:
  headwater broadcast create --title 'Sunday match'

Go live from a phone in the same network, whose browser wants https for the camera:
  headwater up --listen 0.0.0.0:8443 --tls-self-signed

Settings are taken from flags first, then from HEADWATER_... variables, then from the file that
--config names, then from the defaults.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run every role in one process, on one port, with embedded storage and metadata.
    Up(ServeOptions),
    /// Run only a recorder: publishing and the control API. Needs --metadata. It registers there; see `nodes`.
    Recorder(ServeOptions),
    /// Run only a balancer: it tells publishers to which recorders to send. Needs --metadata.
    Balancer(ServeOptions),
    /// Run only a playlist server: the views, and the segments below --data. Needs --metadata.
    Playlist(ServeOptions),
    /// Tell the portal what happens: run only that (needs --metadata), or ask a running Headwater about it.
    Webhooks(WebhooksOptions),
    /// Record a camera, a file or an address, and publish it over any network: what cannot be sent now is sent later.
    Publish(PublishOptions),
    /// Take what ffmpeg, OBS or any other HLS encoder pushes on this machine, and publish it over any network.
    Relay(RelayOptions),
    /// Say what is in the spool of `relay` or `publish`, also while it is at work or after it was killed: where it goes, what
    /// is recorded, not sent, not safe, refused. Changes nothing.
    Spool(SpoolOptions),
    /// Prove that the stores and the metadata agree, or say what does not. Changes nothing; with metadata in Redis, it may
    /// run beside recorders.
    Check(CheckOptions),
    /// Make all metadata anew from the stores, into a metadata store that is empty.
    Rebuild(RebuildOptions),
    /// Create, list, show and end broadcasts on a running Headwater.
    #[command(subcommand)]
    Broadcast(BroadcastCommand),
    /// List the nodes that are alive: name, role, state, cpu, disk, network in use, open uploads, free bytes, region, url.
    Nodes {
        #[command(flatten)]
        server: ServerOptions,
    },
}

/// What every serving command takes.
#[derive(Debug, Default, Args)]
pub(crate) struct ServeOptions {
    /// Read settings from this TOML file.
    #[arg(long, env = "HEADWATER_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Keep segments, metadata and keys in this directory [default: ./data].
    #[arg(long, env = "HEADWATER_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Serve on this address [default: 127.0.0.1:8080]. Port 0 takes a free one.
    #[arg(long, env = "HEADWATER_LISTEN", value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where publishers and viewers reach this, if not under the address they ask for: https://live.example.org.
    #[arg(long, env = "HEADWATER_PUBLIC_URL", value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// Speak TLS with this certificate, and those between it and an authority, in PEM. Read again when it changes and on
    /// SIGHUP.
    #[arg(long, env = "HEADWATER_TLS_CERT", value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The private key of --tls-cert, in PEM, without a password.
    #[arg(long, env = "HEADWATER_TLS_KEY", value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Speak TLS with a certificate for this machine's names and addresses that is made here and kept in
    /// DIR/tls. Browsers warn of it once; a phone gives its camera to pages over https only. Programs on this machine may go on
    /// without TLS, on the same port.
    #[arg(long, env = "HEADWATER_TLS_SELF_SIGNED", conflicts_with_all = ["tls_cert", "tls_key"])]
    pub(crate) tls_self_signed: bool,
    /// Where we call others (recorders of the fleet, the portal), trust the certificates in this file too, in PEM.
    #[arg(long, env = "HEADWATER_TLS_CA", value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,
    /// Keep metadata in this Redis instead of DIR/metadata.sqlite: redis://HOST:PORT,
    /// redis+sentinel://HOST:PORT,HOST:PORT/MASTER, or redis+cluster://HOST:PORT,HOST:PORT,HOST:PORT (some nodes of a
    /// Redis Cluster). USER:PASSWORD@ goes before the first host; rediss:// and rediss+cluster:// speak TLS.
    #[arg(long, env = "HEADWATER_METADATA", value_name = "URL")]
    pub(crate) metadata: Option<String>,
    /// Copy all that is recorded to this store, which all machines share; what is in it is safe: s3://BUCKET/PREFIX (with
    /// the usual AWS_... variables) or a directory that several machines mount.
    #[arg(long, env = "HEADWATER_HOT", value_name = "URL")]
    pub(crate) hot: Option<String>,
    /// The key that creates and administers broadcasts [default: made at the first start, kept in DIR/owner-key].
    #[arg(long, env = "HEADWATER_OWNER_KEY", value_name = "KEY", hide_env_values = true)]
    pub(crate) owner_key: Option<String>,
    /// The most that segments may take on disk, in bytes [default: all but 256 MiB of what is free].
    #[arg(long, env = "HEADWATER_QUOTA", value_name = "BYTES")]
    pub(crate) quota: Option<u64>,
    /// What this node is called, unlike any other [default: made at the first start, kept in DIR/node-name].
    #[arg(long, env = "HEADWATER_NODE_NAME", value_name = "NAME")]
    pub(crate) node_name: Option<String>,
    /// How publishers reach this node in particular, if not by --public-url: https://r1.example.org.
    #[arg(long, env = "HEADWATER_ADVERTISE", value_name = "URL")]
    pub(crate) advertise: Option<String>,
    /// In which region this node is; only shown.
    #[arg(long, env = "HEADWATER_REGION", value_name = "NAME")]
    pub(crate) region: Option<String>,
    /// Where this node is, in degrees: 47.37,8.54. Publishers are sent to near ones.
    #[arg(long, env = "HEADWATER_PLACE", value_name = "LAT,LON", allow_hyphen_values = true)]
    pub(crate) place: Option<String>,
    /// A database of where addresses are, in MaxMind's format. May be given again [default: DIR/geo/*.mmdb, which
    /// `make geo` fetches; without any, nearness makes no difference].
    #[arg(long, value_name = "FILE")]
    pub(crate) geo: Vec<PathBuf>,
    /// What to log: a level, or a list such as info,headwater_recorder=debug [default: info].
    #[arg(long, env = "HEADWATER_LOG", value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// How log lines look: human, json, or auto (human on a terminal) [default: auto].
    #[arg(long, env = "HEADWATER_LOG_FORMAT", value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
}

/// Alone it serves; with a command it asks who serves.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, after_help = WEBHOOKS_HELP)]
pub(crate) struct WebhooksOptions {
    #[command(subcommand)]
    pub(crate) command: Option<WebhooksCommand>,
    #[command(flatten)]
    pub(crate) serve: ServeOptions,
}

const WEBHOOKS_HELP: &str = "\
Who is told what is in the file that --config names, also for `headwater up`:
  [[webhooks.endpoints]]
  url = 'https://portal.example.org/hooks/headwater'
  secrets = ['whsec_...']     # echo whsec_$(openssl rand -base64 32)
  events = '*'                # or a list: ['broadcast.live', 'broadcast.complete']
  segments = false            # true: each stored segment, too
Try it, and look after what could not be delivered:
  headwater webhooks test
  headwater webhooks list-dead
  headwater webhooks resend --all";

#[derive(Debug, Subcommand)]
pub(crate) enum WebhooksCommand {
    /// Show who is told what: address, letters waiting, dead letters, state, events.
    List {
        #[command(flatten)]
        server: ServerOptions,
    },
    /// Send a test message to the endpoints, once, and show what they answer.
    Test {
        /// Only this endpoint.
        #[arg(long, value_name = "URL")]
        url: Option<String>,
        #[command(flatten)]
        server: ServerOptions,
    },
    /// List what could not be delivered, oldest first: number, type, broadcast, attempts, when, address, why.
    ListDead {
        /// How many at most.
        #[arg(long, default_value_t = 1000)]
        limit: usize,
        #[command(flatten)]
        server: ServerOptions,
    },
    /// Send dead letters again. An endpoint that was disabled because it answered 410 Gone is enabled again.
    Resend(WhichDead),
    /// Forget dead letters.
    Discard(WhichDead),
}

/// Which dead letters.
#[derive(Debug, Args)]
pub(crate) struct WhichDead {
    /// Their numbers, as list-dead shows them.
    #[arg(value_name = "NUMBER", required_unless_present_any = ["url", "all"])]
    pub(crate) numbers: Vec<u64>,
    /// All of this endpoint.
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// All there are.
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) server: ServerOptions,
}

/// Which stores and which metadata.
#[derive(Debug, Default, Args)]
pub(crate) struct StoresOptions {
    /// Read settings from this TOML file, the same as the recorder's.
    #[arg(long, env = "HEADWATER_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// A recorder's directory on this machine: its segments are looked at too, if there are any [default: ./data].
    #[arg(long, env = "HEADWATER_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The metadata: redis://..., redis+sentinel://... or redis+cluster://... [default: DIR/metadata.sqlite].
    #[arg(long, env = "HEADWATER_METADATA", value_name = "URL")]
    pub(crate) metadata: Option<String>,
    /// The hot store: s3://BUCKET/PREFIX or a directory.
    #[arg(long, env = "HEADWATER_HOT", value_name = "URL")]
    pub(crate) hot: Option<String>,
    /// Print JSON, one document on each line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Default, Args)]
#[command(after_help = "\
Prints a line for each finding: kind, broadcast, object, detail, with tabs between them:
  missing       the log lists it, and no store has it
  not-hot       the log says that it is safe, and the hot store has it not
  wrong-length  a store has fewer or more bytes than the log says
  wrong-digest  a store has other bytes than the log says (--digests)
  unlisted      a store has it, and the log does not list it
  no-log        a store has a broadcast that the metadata does not know
  no-document   no store has the broadcast's document, which a rebuild needs
  damaged       a document that cannot be read
  not-logged    a document tells it, and the log does not
  not-documented  the log tells it (paused, given up, ended ...), and the document that counts does not:
                a recorder that runs writes it soon
  elsewhere     not checked: it may be on the disk of another recorder, which could not be asked
  not-safe      stored, and not in the hot store yet: nothing is wrong

With --metadata, what no store has is looked for on the disks of all recorders that are registered.

Ends with 0 if stores and log agree, with 1 if anything is wrong, with 2 if it could not look, or not everywhere.")]
pub(crate) struct CheckOptions {
    #[command(flatten)]
    pub(crate) stores: StoresOptions,
    /// Read every byte, too, and compare digests.
    #[arg(long)]
    pub(crate) digests: bool,
    /// Only these broadcasts [default: all].
    pub(crate) broadcasts: Vec<String>,
}

#[derive(Debug, Default, Args)]
#[command(after_help = "\
Of several copies the first good one is taken: each is compared with the digest in its name.

Prints a line for each finding: kind, broadcast, object, detail, with tabs between them; then what was done:
  damaged      this copy is not what its name says; another one was taken, if there is one
  unreadable   there is no good copy: it is not in the log
  no-document  the title and the end of this broadcast are not known
  refused      the log has no place for it any more (--fill-in), and why

Ends with 0 if the logs have all that the stores tell, with 1 if something could not be put in, with 2 if it could not
be finished. Begun again, it goes on where it was: give --fill-in. Recorders should not run meanwhile.

  headwater rebuild --hot s3://media/live --metadata redis://127.0.0.1:6379")]
pub(crate) struct RebuildOptions {
    #[command(flatten)]
    pub(crate) stores: StoresOptions,
    /// The metadata store need not be empty: what it lacks is added at the end of its logs, what it has stays.
    #[arg(long)]
    pub(crate) fill_in: bool,
}

/// Where to publish to, and what to keep meanwhile.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct UplinkOptions {
    /// The broadcast: its push address, as `headwater broadcast create` and the home page print it, or its ingest
    /// address with --token. Where there are several recorders, it is asked there which to send to.
    #[arg(long, env = "HEADWATER_TO", value_name = "URL", hide_env_values = true)]
    pub(crate) to: String,
    /// The publish token, if it is not in the address.
    #[arg(long, env = "HEADWATER_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Trust the certificates in this file too, in PEM: those of an authority, or what --tls-self-signed made.
    #[arg(long, env = "HEADWATER_TLS_CA", value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,
    /// Where what is recorded is kept until it is safe [default: ./spool/ID]. The same directory goes on where it was.
    #[arg(long, env = "HEADWATER_SPOOL", value_name = "DIR")]
    pub(crate) spool: Option<PathBuf>,
    /// The most that the spool may take, in bytes [default: all but 256 MiB of what is free].
    #[arg(long, value_name = "BYTES")]
    pub(crate) quota: Option<u64>,
    /// How much of what is safe already stays in the spool, in bytes; the oldest is deleted first.
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30)]
    pub(crate) keep: u64,
    /// Print each change as a JSON document on a line of its own, for apps.
    #[arg(long)]
    pub(crate) json: bool,
    /// What to log: a level, or a list such as warn,headwater_publisher=debug.
    #[arg(long, env = "HEADWATER_LOG", value_name = "FILTER", default_value = "warn")]
    pub(crate) log: String,
}

#[derive(Debug, Args)]
#[command(after_help = SPOOL_HELP)]
pub(crate) struct SpoolOptions {
    /// The spool: what `relay` or `publish` was given as --spool, or ./spool/ID.
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Print it as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

const SPOOL_HELP: &str = "\
One fact a line, tab-separated: what it is, segments, seconds, megabytes, segment numbers by rendition.
What is not sent and not safe is what the relay knew last. To send the rest, start it again:
  headwater relay --to URL --spool DIR";

#[derive(Debug, Args)]
#[command(after_help = RELAY_HELP)]
pub(crate) struct RelayOptions {
    #[command(flatten)]
    pub(crate) uplink: UplinkOptions,
    /// Take what encoders push at this address. Port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
    pub(crate) listen: SocketAddr,
}

const RELAY_HELP: &str = "\
Start it, and give your encoder the address that it prints:
  headwater relay --to https://live.example.org/push/TOKEN/
On the terminal, type pause, resume or end; pause tells viewers, and what the encoder goes on sending is
recorded all the same. Ctrl-C stops it, and what is not sent stays in the spool: the same command goes on.
`headwater spool DIR` says what is in it.";

#[derive(Debug, Default, Args)]
#[command(after_help = PUBLISH_HELP)]
pub(crate) struct PublishOptions {
    /// What to record: a file, a device such as /dev/video0, an address, or anything else that ffmpeg takes after -i. Or a
    /// directory to which some other encoder writes HLS, or its playlist there: each segment is sent as it is, without
    /// ffmpeg, once it is whole.
    pub(crate) input: String,
    #[command(flatten)]
    pub(crate) uplink: UplinkOptions,
    /// What ffmpeg has to know of the input, such as '-f v4l2 -framerate 30' or '-f lavfi'. May be given again.
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true)]
    pub(crate) ffmpeg_input: Vec<String>,
    /// Send picture and sound as they are. The input must be H.264 or HEVC with keyframes, and AAC.
    #[arg(long)]
    pub(crate) copy: bool,
    /// How long a segment is, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    pub(crate) segment_duration: u32,
}

const PUBLISH_HELP: &str = "\
A file, as fast as it was recorded; a camera; a camera's address, as it is; what another encoder writes:
  headwater publish match.mp4 --to URL
  headwater publish /dev/video0 --ffmpeg-input '-f v4l2 -framerate 30' --to URL
  headwater publish rtsp://camera/stream --copy --to URL
  headwater publish /var/hls --to URL
On the terminal, type pause, resume or end. While it is paused nothing is recorded, and a file goes on where it
was; what another encoder writes to a directory is taken all the same. Killed or cut off, the same command goes
on where it was: what was recorded is in the spool. `headwater spool DIR` says what is in it.";

#[derive(Debug, Subcommand)]
pub(crate) enum BroadcastCommand {
    /// Create a broadcast and print where to send and watch it.
    Create {
        /// What viewers see it called.
        #[arg(long, default_value = "")]
        title: String,
        /// The longest segment that will be sent, in seconds; without it the first segment decides.
        #[arg(long, value_name = "SECONDS")]
        target_duration: Option<u32>,
        #[command(flatten)]
        server: ServerOptions,
    },
    /// List broadcasts, newest first: id, state, seconds recorded, segments missing, title.
    List {
        /// How many at most.
        #[arg(long, default_value_t = 50)]
        limit: usize,
        #[command(flatten)]
        server: ServerOptions,
    },
    /// Show all that is known of a broadcast.
    Show {
        id: String,
        #[command(flatten)]
        server: ServerOptions,
    },
    /// End a broadcast: viewers see that it is over. What was captured may still arrive.
    ///
    /// A publisher that is without network hears of it later: what it has recorded until then is taken, it stops, and the
    /// recording is complete. If it does not come back, that is so after a day (closing_grace_s in [recorder]), or as soon
    /// as `headwater broadcast abandon` gives up the rest.
    End {
        id: String,
        #[command(flatten)]
        server: ServerOptions,
    },
    /// Give up what has not arrived of a broadcast that has ended: the recording is complete with what has.
    Abandon {
        id: String,
        #[command(flatten)]
        server: ServerOptions,
    },
}

/// Which Headwater to talk to, and how.
#[derive(Debug, Args)]
pub(crate) struct ServerOptions {
    /// The running Headwater.
    #[arg(long, env = "HEADWATER_SERVER", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub(crate) server: String,
    /// Its owner key [default: what DIR/owner-key holds].
    #[arg(long, env = "HEADWATER_OWNER_KEY", value_name = "KEY", hide_env_values = true)]
    pub(crate) owner_key: Option<String>,
    /// Where to look for the owner key: the --data of a Headwater on this machine.
    #[arg(long, env = "HEADWATER_DATA", default_value = "./data", value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// Trust the certificates in this file, in PEM, and no others [default: those that browsers trust; for an address of this
    /// machine itself, what --tls-self-signed made in DIR].
    #[arg(long, env = "HEADWATER_TLS_CA", value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,
    /// Print the server's answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
