//! What must hold for any bytes at all. Used by the fuzz targets and, as a module, by the crate's own tests.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run TARGET corpus/TARGET seeds/TARGET` in `lib/broadcast`'s `fuzz`. An input that
//! breaks something goes to `regressions/TARGET`, where the tests find it.

#![allow(unreachable_pub, reason = "a module of the tests too")]

use std::fmt;
use std::str::FromStr;

use headwater_broadcast::{
    Broadcast, BroadcastId, Claims, Digest, DocumentFold, Event, EventIndex, Extent, FormatId, Key, LogEntry, Millis,
    Opened, RenditionName, Scope, Seq, SeqRange, State, StoreTime, TokenError, TokenKey, View, ViewPolicy,
};
use jsonwebtoken::{Algorithm, EncodingKey};

/// The secret of the only tokens that are good.
const SECRET: [u8; 32] = [7; 32];
/// In seconds since the Unix epoch.
const NOW: i64 = 1_790_000_000;
/// When a log begins, in milliseconds since the Unix epoch.
const START_MS: i64 = NOW * 1000;

/// Reads an event, and checks that it is written as it was read.
pub fn check_event(bytes: &[u8]) -> Option<Event> {
    let event = Event::decode(bytes).ok()?;
    let again = event.encode();
    assert!(again.len() <= bytes.len(), "the compact form is the shortest");
    assert_eq!(Event::decode(&again).as_ref(), Ok(&event));
    Some(event)
}

/// Reads a key, which has one spelling and leads nowhere else.
pub fn check_key(bytes: &[u8]) -> Option<Key> {
    let text = str::from_utf8(bytes).ok()?;
    let key: Key = text.parse().ok()?;
    assert_eq!(key.to_string(), text);
    assert!(text.is_ascii() && (2..=3).contains(&text.split('/').count()));
    assert!(text.split('/').all(|part| !part.is_empty() && part != "." && part != ".."));
    Some(key)
}

/// Reads an id of each kind: how many kinds it is of.
pub fn check_ids(bytes: &[u8]) -> Option<usize> {
    let text = str::from_utf8(bytes).ok()?;
    // Leading zeros are no other number.
    let seq = text.parse::<Seq>().ok();
    assert!(seq.is_none_or(|seq| seq <= Seq::MAX && seq.to_string().parse() == Ok(seq)));
    let kinds = [
        seq.is_some(),
        is_spelt_once::<BroadcastId>(text),
        is_spelt_once::<RenditionName>(text),
        is_spelt_once::<Digest>(text),
        is_spelt_once::<FormatId>(text),
    ];
    Some(kinds.into_iter().filter(|is| *is).count()).filter(|kinds| *kinds > 0)
}

fn is_spelt_once<Id: FromStr<Err: fmt::Display> + fmt::Display>(text: &str) -> bool {
    match text.parse::<Id>() {
        Ok(id) => {
            assert_eq!(id.to_string(), text);
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
            true
        }
        Err(error) => {
            assert!(error.to_string().len() < 1_000, "an error does not repeat everything");
            false
        }
    }
}

/// What the seeds of `token` say that are signed themselves.
pub fn claims() -> Claims {
    Claims { sub: BroadcastId::new(1, 2), scope: Scope::Publish, exp: None }
}

/// Takes the text for a token, and for the header and the claims of one, on a line each, that is signed.
pub fn check_token(bytes: &[u8]) -> Option<Claims> {
    let text = str::from_utf8(bytes).ok()?;
    let key = TokenKey::new(&SECRET);
    let forged = key.check(text, Scope::Publish, NOW);
    assert!(forged.is_err() || forged == Ok(claims()), "nobody can sign, but {forged:?}");
    let Some((header, payload)) = text.split_once('\n') else { return forged.ok() };
    let token = signed(header, payload);
    match key.check(&token, Scope::Publish, NOW) {
        Ok(claims) => {
            assert!(claims.scope == Scope::Publish && claims.exp.is_none_or(|exp| exp > NOW));
            assert_eq!(jsonwebtoken::decode_header(&token).map(|header| header.alg).ok(), Some(Algorithm::HS256));
            assert_eq!(key.check(&key.sign(&claims), Scope::Publish, NOW), Ok(claims));
            Some(claims)
        }
        Err(TokenError::Expired) => {
            let before = key.check(&token, Scope::Publish, i64::MIN);
            assert!(matches!(before, Ok(Claims { exp: Some(..=NOW), .. }) | Err(_)), "{before:?}");
            None
        }
        Err(TokenError::Invalid | TokenError::WrongScope { .. }) => None,
    }
}

fn signed(header: &str, payload: &str) -> String {
    let message = format!("{}.{}", base64url(header.as_bytes()), base64url(payload.as_bytes()));
    let key = EncodingKey::from_secret(&SECRET);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).expect("an HMAC key signs");
    format!("{message}.{signature}")
}

/// RFC 4648, 5, without padding.
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digits = |group: &[u8]| {
        let bits = group.iter().zip([16, 8, 0]).fold(0, |bits, (byte, shift)| bits | usize::from(*byte) << shift);
        let digits = [18, 12, 6, 0].map(|shift| char::from(DIGITS[bits >> shift & 63]));
        digits.into_iter().take(group.len() + 1).collect::<String>()
    };
    bytes.chunks(3).map(digits).collect()
}

/// The most entries that holes may add in [`check_log`].
const GAPS_MAX: u32 = 300;

/// Folds a log: a byte for the target duration, then for each event a byte for how long after the one before, a byte
/// for its length, and its compact form. Returns how many events were taken.
pub fn check_log(bytes: &[u8]) -> Option<u64> {
    let (target, mut rest) = bytes.split_first()?;
    let policy = ViewPolicy { gaps_max: GAPS_MAX, ..ViewPolicy::default() };
    let declared = (*target > 0).then_some(u32::from(*target % 12));
    let opened = Opened { title: String::new(), target_duration: declared, policy, stored_is_safe: true };
    let mut log = vec![LogEntry { index: EventIndex(0), at: StoreTime(START_MS), event: Event::Opened(opened) }];
    let mut broadcast = Broadcast::open(&log[0]).expect("it begins with Opened");
    while let [delay, len, more @ ..] = rest {
        let (body, more) = more.split_at(usize::from(*len).min(more.len()));
        rest = more;
        let Some(event) = Event::decode(body).ok().filter(is_let_through) else { continue };
        let at = broadcast.last_at() + Millis(i64::from(*delay) * i64::from(*delay));
        let entry = LogEntry { index: broadcast.next_index(), at, event };
        broadcast.apply(&entry).expect("it is the next");
        log.push(entry);
    }
    check_views(&broadcast, &log);
    Some(broadcast.next_index().0)
}

/// Whether the recorder and the stores take it in.
fn is_let_through(event: &Event) -> bool {
    let within = |seqs: &SeqRange| seqs.last <= Seq::MAX && seqs.count() > 0;
    match event {
        Event::Opened(_) => false,
        Event::Stored(segment) => {
            let now = 1..=START_MS + 86_400_000;
            segment.seq <= Seq::MAX && segment.len <= 1 << 40 && now.contains(&segment.captured_at.0)
        }
        Event::Safe { seqs, .. } => within(seqs),
        Event::Abandoned { seqs, .. } => within(seqs) && seqs.count() <= Event::ABANDONED_MAX,
        Event::Ended { last } => last.iter().all(|last| last.seq.is_none_or(|seq| seq <= Seq::MAX)),
        Event::Format(_) | Event::Paused | Event::Resumed | Event::EndHinted | Event::Restarted => true,
        Event::Mapped { .. } | Event::RecordedBy { .. } | Event::Closing { .. } | Event::Captioned { .. } => true,
    }
}

/// That every view is there or is not, costs no more than what was sent, and is the same for those who start now.
fn check_views(broadcast: &Broadcast, log: &[LogEntry]) {
    let fresh = Broadcast::replay(log).expect("in order").expect("it is not empty");
    let pieces = |entry: &LogEntry| match &entry.event {
        Event::Stored(segment) => segment.cuts.len() + 1,
        _ => 1,
    };
    let sent: usize = log.iter().map(pieces).sum();
    let is_complete = broadcast.state(broadcast.last_at()) == State::Complete;
    assert_eq!(is_complete, DocumentFold::of(log).is_complete(), "both folds know whether all of it is there");
    for secs in [0, 3, 100] {
        let now = broadcast.last_at() + Millis::from_secs(secs);
        assert_eq!(broadcast.state(now), fresh.state(now));
        assert_eq!(broadcast.next_change(now), fresh.next_change(now));
        let idle = usize::try_from((now.0 - START_MS) / 500).expect("time goes on");
        for rendition in broadcast.renditions() {
            let missing: u64 = broadcast.missing(rendition.name()).into_iter().map(SeqRange::count).sum();
            assert!(missing <= broadcast.missing_count());
            for view in [View::Live, View::Dvr, View::CatchUp { from: Seq(0) }, View::Vod] {
                let whole = broadcast.view(rendition.name(), view, Extent::Whole, now);
                assert_eq!(whole, fresh.view(rendition.name(), view, Extent::Whole, now));
                let _ = broadcast.view(rendition.name(), view, Extent::Delta, now);
                let entries = whole.map_or(0, |whole| whole.text.matches("#EXTINF").count());
                let most = 2 * sent + idle + GAPS_MAX as usize;
                assert!(entries <= most, "{entries} entries in {view:?} for {sent} pieces in {idle} half seconds");
            }
        }
        let _ = broadcast.multivariant(broadcast.default_view(now), now);
    }
}
