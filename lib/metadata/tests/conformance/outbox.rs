//! What is to be told to others: filed once, sent in turn, claimed by one at a time, and kept when it cannot be sent.

use std::sync::Arc;
use std::time::Duration;

use broadcast::{BroadcastId, EventIndex, StoreTime};
use headwater_metadata::{
    Claim, Claimed, DEAD_MAX, LETTER_LEN_MAX, LETTERS_MAX, Letter, Mailbox, MetadataError, Outbox, Settled, Telling,
    Told, WAITING_MAX,
};

use crate::fixtures::*;

const LONG: Duration = Duration::from_secs(3_600);
const DONE: Telling = Telling::Done { forgotten: 0 };

fn told(next: u64) -> Told {
    Told { next: EventIndex(next), at: StoreTime(1_790_000_000_000 + i64::try_from(next).unwrap()), complete: next > 5 }
}

pub(crate) fn letter(endpoint: &str, id: &str) -> Letter {
    let body = format!("{{\"id\":\"{id}\",\"title\":\"Żółć\\n\"}}");
    Letter { endpoint: endpoint.to_owned(), id: id.to_owned(), kind: "broadcast.live".to_owned(), body }
}

/// Files letters of broadcast `n`, whatever was told of it before.
async fn file(outbox: &Arc<dyn Outbox>, n: u64, letters: &[Letter]) -> u64 {
    let before = outbox.told(&[id(n)]).await.unwrap()[0];
    let after = told(before.map_or(1, |told| told.next.0 + 1));
    match outbox.tell(id(n), before, after, letters).await.unwrap() {
        Telling::Done { forgotten } => forgotten,
        Telling::Elsewhere => panic!("nobody else tells"),
    }
}

async fn claim(outbox: &Arc<dyn Outbox>, endpoint: &str) -> Vec<Claimed> {
    outbox.claim(endpoint, 100, LONG).await.unwrap().letters
}

fn ids(claimed: &[Claimed]) -> Vec<&str> {
    claimed.iter().map(|claimed| claimed.letter.id.as_str()).collect()
}

fn again(after: Duration) -> Settled {
    Settled::Again { after, why: "the receiver answered 500".to_owned() }
}

fn dead(why: &str) -> Settled {
    Settled::Dead { why: why.to_owned() }
}

async fn mailbox(outbox: &Arc<dyn Outbox>, endpoint: &str) -> (u64, u64, bool) {
    let boxes = outbox.mailboxes().await.unwrap();
    let found = boxes.iter().find(|mailbox: &&Mailbox| mailbox.endpoint == endpoint);
    found.map_or((0, 0, false), |mailbox| (mailbox.waiting, mailbox.dead, mailbox.gone))
}

pub(crate) async fn it_begins_once(Stores { outbox, other_outbox, .. }: Stores) {
    let since = outbox.begin().await.unwrap();
    assert!(since > StoreTime(1_700_000_000_000));
    assert_eq!(other_outbox.begin().await.unwrap(), since);
}

pub(crate) async fn what_is_told_is_told_once(Stores { outbox, other_outbox, .. }: Stores) {
    assert_eq!(outbox.told(&[id(0), id(1)]).await.unwrap(), [None, None]);
    assert_eq!(outbox.told(&[]).await.unwrap(), []);
    let letters = [letter("a", "1"), letter("b", "1")];
    assert_eq!(outbox.tell(id(0), None, told(3), &letters).await.unwrap(), DONE);
    assert_eq!(other_outbox.tell(id(0), None, told(3), &letters).await.unwrap(), Telling::Elsewhere);
    let elsewhere = other_outbox.tell(id(0), Some(told(2)), told(4), &letters).await.unwrap();
    assert_eq!(elsewhere, Telling::Elsewhere);
    assert_eq!(other_outbox.told(&[id(1), id(0)]).await.unwrap(), [None, Some(told(3))]);
    assert_eq!(other_outbox.tell(id(0), Some(told(3)), told(6), &[]).await.unwrap(), DONE);
    assert_eq!(outbox.told(&[id(0)]).await.unwrap(), [Some(told(6))]);
    assert_eq!(ids(&claim(&outbox, "a").await), ["1"]);
    assert_eq!(ids(&claim(&outbox, "b").await), ["1"]);
    assert_eq!(claim(&outbox, "c").await, []);
}

pub(crate) async fn a_letter_is_sent_as_it_was_filed(Stores { outbox, other_outbox, .. }: Stores) {
    let sent = letter("https://example.org/hook?a=1&b=ü", "msg_1");
    file(&outbox, 0, std::slice::from_ref(&sent)).await;
    let claimed = claim(&other_outbox, &sent.endpoint).await;
    let [Claimed { broadcast, letter, attempts: 0, .. }] = &claimed[..] else { panic!("{claimed:?}") };
    assert_eq!((*broadcast, letter), (id(0), &sent));
    outbox.settle(&claimed[0], &Settled::Delivered).await.unwrap();
    assert_eq!(mailbox(&outbox, &sent.endpoint).await, (0, 0, false));
}

pub(crate) async fn first_attempts_are_in_turn(Stores { outbox, other_outbox, .. }: Stores) {
    file(&outbox, 0, &[letter("a", "1"), letter("a", "2"), letter("b", "1")]).await;
    file(&outbox, 1, &[letter("a", "other")]).await;
    file(&outbox, 0, &[letter("a", "3")]).await;
    let first = claim(&outbox, "a").await;
    assert_eq!(ids(&first), ["1", "other"], "one of each broadcast");
    assert_eq!(claim(&other_outbox, "a").await, []);
    outbox.settle(&first[0], &again(LONG)).await.unwrap();
    let second = claim(&other_outbox, "a").await;
    assert_eq!(ids(&second), ["2"], "what is tried again keeps nobody waiting");
    other_outbox.settle(&second[0], &Settled::Delivered).await.unwrap();
    assert_eq!(ids(&claim(&outbox, "a").await), ["3"]);
    assert_eq!(ids(&claim(&outbox, "b").await), ["1"]);
    assert_eq!(mailbox(&outbox, "a").await, (3, 0, false));
}

pub(crate) async fn a_claim_runs_out(Stores { outbox, other_outbox, .. }: Stores) {
    file(&outbox, 0, &[letter("a", "1"), letter("a", "2")]).await;
    let Claim { letters: first, .. } = outbox.claim("a", 9, Duration::ZERO).await.unwrap();
    let second = claim(&other_outbox, "a").await;
    assert_eq!((ids(&first), ids(&second)), (vec!["1"], vec!["1"]));
    outbox.settle(&first[0], &dead("too late to say so")).await.unwrap();
    assert_eq!(mailbox(&outbox, "a").await, (2, 0, false));
    other_outbox.settle(&second[0], &Settled::Delivered).await.unwrap();
    other_outbox.settle(&second[0], &Settled::Delivered).await.unwrap();
    assert_eq!(mailbox(&outbox, "a").await, (1, 0, false));
    assert_eq!(ids(&claim(&outbox, "a").await), ["2"]);
}

pub(crate) async fn what_failed_is_tried_again_later(Stores { outbox, .. }: Stores) {
    file(&outbox, 0, &[letter("a", "1")]).await;
    let first = claim(&outbox, "a").await;
    outbox.settle(&first[0], &again(LONG)).await.unwrap();
    let later = outbox.claim("a", 9, LONG).await.unwrap();
    assert_eq!(later.letters, []);
    assert!(later.next.is_some_and(|next| next > LONG - Duration::from_secs(60) && next <= LONG), "{later:?}");
    file(&outbox, 1, &[letter("a", "2")]).await;
    let second = claim(&outbox, "a").await;
    outbox.settle(&second[0], &again(Duration::ZERO)).await.unwrap();
    let third = claim(&outbox, "a").await;
    assert_eq!((ids(&third), third[0].attempts), (vec!["2"], 1));
    assert_eq!(outbox.claim("nobody", 9, LONG).await.unwrap(), Claim::default());
}

pub(crate) async fn a_claim_takes_no_more_than_it_asks_for(Stores { outbox, .. }: Stores) {
    for n in 0..5 {
        file(&outbox, n, &[letter("a", &n.to_string())]).await;
    }
    let Claim { letters, next, .. } = outbox.claim("a", 2, LONG).await.unwrap();
    assert_eq!((ids(&letters), next), (vec!["0", "1"], Some(Duration::ZERO)));
    assert_eq!(ids(&claim(&outbox, "a").await), ["2", "3", "4"]);
}

pub(crate) async fn the_dead_are_kept_until_somebody_decides(Stores { outbox, other_outbox, .. }: Stores) {
    the_dead_are_kept(outbox, other_outbox).await;
}

/// The same, which goes through nearly everything that an outbox does.
pub(crate) async fn the_dead_are_kept(outbox: Arc<dyn Outbox>, other_outbox: Arc<dyn Outbox>) {
    for n in 0..4 {
        file(&outbox, n, &[letter("a", &n.to_string())]).await;
    }
    file(&outbox, 0, &[letter("a", "next")]).await;
    for claimed in claim(&outbox, "a").await {
        outbox.settle(&claimed, &dead("ünavailable ".repeat(100).trim())).await.unwrap();
    }
    assert_eq!(mailbox(&outbox, "a").await, (1, 4, false));
    let all = other_outbox.dead(None, 9).await.unwrap();
    let found: Vec<_> = all.iter().map(|dead| (dead.broadcast, dead.letter.id.as_str(), dead.attempts)).collect();
    assert_eq!(found, [(id(0), "0", 1), (id(1), "1", 1), (id(2), "2", 1), (id(3), "3", 1)]);
    assert!(all[0].why.starts_with("ünavailable") && all[0].why.len() <= 500 && all[0].died_at > StoreTime(1));
    let page = other_outbox.dead(Some(all[1].number), 1).await.unwrap();
    assert_eq!(page, all[2..3]);

    assert_eq!(ids(&claim(&outbox, "a").await), ["next"]);
    assert_eq!(outbox.resend(&[all[2].number, all[0].number, 999_999]).await.unwrap(), 2);
    assert_eq!(other_outbox.discard(&[all[1].number, all[0].number]).await.unwrap(), 1);
    assert_eq!(mailbox(&outbox, "a").await, (3, 1, false));
    let revived = claim(&outbox, "a").await;
    assert_eq!((ids(&revived), revived[0].attempts), (vec!["0", "2"], 0));
    outbox.settle(&revived[0], &Settled::Delivered).await.unwrap();
    outbox.settle(&revived[1], &again(Duration::ZERO)).await.unwrap();
    assert_eq!(ids(&claim(&outbox, "a").await), ["2"]);
    assert_eq!(outbox.dead(None, 9).await.unwrap(), all[3..]);
}

pub(crate) async fn who_wants_no_more_gets_no_more(Stores { outbox, other_outbox, .. }: Stores) {
    file(&outbox, 0, &[letter("a", "1")]).await;
    outbox.set_gone("a", true).await.unwrap();
    let claimed = other_outbox.claim("a", 9, LONG).await.unwrap();
    assert!(claimed.gone && ids(&claimed.letters) == ["1"], "{claimed:?}");
    file(&outbox, 0, &[letter("a", "2"), letter("b", "2")]).await;
    assert_eq!(mailbox(&outbox, "a").await, (1, 1, true));
    assert_eq!(outbox.dead(None, 9).await.unwrap()[0].letter.id, "2");
    assert_eq!(ids(&claim(&outbox, "b").await), ["2"]);
    other_outbox.set_gone("a", false).await.unwrap();
    file(&outbox, 1, &[letter("a", "3")]).await;
    assert_eq!(ids(&claim(&outbox, "a").await), ["3"]);
}

pub(crate) async fn an_outbox_has_bounds(Stores { outbox, .. }: Stores) {
    let letters = |count: usize| vec![letter("a", "x"); count];
    let tell = async |letters: &[Letter]| outbox.tell(id(9), None, told(1), letters).await;
    assert!(matches!(refused(tell(&letters(LETTERS_MAX + 1)).await), MetadataError::TooManyLetters { .. }));
    let long = Letter { body: "x".repeat(LETTER_LEN_MAX + 1), ..letter("a", "x") };
    assert!(matches!(refused(tell(&[long]).await), MetadataError::LetterTooLong { .. }));
    assert_eq!(outbox.told(&[id(9)]).await.unwrap(), [None]);

    let many: Vec<BroadcastId> = (0..=LETTERS_MAX as u64).map(id).collect();
    assert!(matches!(refused(outbox.told(&many).await), MetadataError::TooManyLetters { .. }));
    let page = letters(LETTERS_MAX);
    let pages = WAITING_MAX / page.len() as u64;
    for _ in 0..pages {
        assert_eq!(file(&outbox, 0, &page).await, 0);
    }
    assert_eq!(mailbox(&outbox, "a").await, (WAITING_MAX, 0, false));
    for _ in 0..DEAD_MAX / page.len() as u64 {
        assert_eq!(file(&outbox, 0, &page).await, 0);
    }
    let oldest = outbox.dead(None, 4).await.unwrap();
    assert_eq!(file(&outbox, 0, &letters(3)).await, 3);
    assert_eq!(mailbox(&outbox, "a").await, (WAITING_MAX, DEAD_MAX, false));
    assert_eq!(outbox.dead(None, 1).await.unwrap(), oldest[3..]);
    assert_eq!(ids(&claim(&outbox, "a").await), ["x"]);
}
