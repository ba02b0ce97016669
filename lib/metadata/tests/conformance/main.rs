//! One suite for all stores: each rule of the trait is one function, run against each store. Beside it, what only one
//! of them has to do.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bounds;
mod fixtures;
mod model;
mod nodes;
mod outbox;
mod reading;
mod redis_cluster;
mod redis_server;
mod rules;
mod sqlite_file;
mod together;
mod waiting;

use std::time::Duration;

/// How long one rule may take, on a busy machine.
const RULE_TIME_MAX: Duration = Duration::from_secs(60);

/// Runs every function of the suite against one store.
macro_rules! suite {
    ($store:ident: $($group:ident::$rule:ident)*) => {
        mod $store {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    let host = crate::fixtures::$store::Host::start().await;
                    let rule = crate::$group::$rule(host.stores());
                    tokio::time::timeout(crate::RULE_TIME_MAX, rule).await.expect("nobody waits for ever");
                    host.stop().await;
                }
            )*
        }
    };
}

/// Runs every function of the suite, one after the other, against stores in one cluster, which takes a while to start.
macro_rules! suite_in_turn {
    ($store:ident: $($group:ident::$rule:ident)*) => {
        mod $store {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn every_rule() {
                let cluster = testkit::ClusterRedis::start();
                $(
                    let host = crate::fixtures::$store::Host::start_in(&cluster).await;
                    let rule = crate::$group::$rule(host.stores());
                    let name = concat!(stringify!($group), "::", stringify!($rule));
                    // Only printed if the test fails.
                    println!("{name}");
                    tokio::time::timeout(crate::RULE_TIME_MAX, rule).await.expect("nobody waits for ever");
                    host.stop().await;
                )*
            }
        }
    };
}

macro_rules! suites {
    ($($rules:tt)*) => {
        suite!(sqlite: $($rules)*);
        suite!(redis: $($rules)*);
        suite_in_turn!(cluster: $($rules)*);
    };
}

suites! {
    rules::a_log_is_opened_once
    rules::an_unknown_broadcast_is_not_found
    rules::a_format_counts_once_for_each_rendition
    rules::a_segment_is_stored_once
    rules::safe_is_always_appended
    rules::what_was_abandoned_is_refused
    rules::abandoning_keeps_what_is_stored
    rules::a_long_stretch_is_abandoned_at_once
    rules::pausing_twice_is_pausing_once
    rules::a_broadcast_ends_once
    rules::what_its_owner_has_ended_is_open_until_its_end
    rules::what_was_lost_is_put_back_as_it_was
    rules::what_is_put_back_follows_the_end_of_the_log
    rules::what_is_put_back_too_late_starts_live_anew
    rules::as_much_is_put_back_at_once_as_anybody_remembers
    rules::a_commit_notices_what_was_lost
    rules::nothing_is_stored_beyond_the_end
    rules::an_end_may_abandon_what_is_missing
    rules::an_end_abandons_any_number_at_once
    rules::the_first_mapping_of_a_playlist_counts
    rules::a_commit_is_applied_in_order
    rules::a_stale_commit_appends_nothing
    rules::broadcasts_do_not_mix
    bounds::out_of_bounds_events_are_refused
    bounds::a_commit_has_a_largest_size
    bounds::a_log_has_a_longest_length
    bounds::the_largest_numbers_are_kept
    reading::every_event_reads_back_as_it_was_written
    reading::a_log_is_read_in_pages
    reading::broadcasts_are_listed_newest_first
    reading::times_never_go_back
    reading::the_horizon_is_never_beyond_what_can_be_read
    reading::a_store_that_answers_is_well
    together::the_same_segment_from_many_is_stored_once
    together::commits_of_many_make_one_log
    waiting::a_waiter_gets_what_another_commits
    waiting::a_waiter_gets_at_once_what_is_there
    waiting::a_waiter_is_not_given_what_it_was_told
    waiting::every_waiter_is_woken
    waiting::waiting_for_an_unknown_broadcast_fails
    waiting::a_waiter_that_gives_up_harms_nobody
    nodes::a_node_is_listed_as_it_registered
    nodes::a_renewed_node_has_its_newest_record
    nodes::a_node_that_does_not_renew_expires
    nodes::a_node_can_be_forgotten
    nodes::a_record_has_a_largest_size
    nodes::the_first_offer_is_agreed_on
    outbox::it_begins_once
    outbox::what_is_told_is_told_once
    outbox::a_letter_is_sent_as_it_was_filed
    outbox::first_attempts_are_in_turn
    outbox::a_claim_runs_out
    outbox::what_failed_is_tried_again_later
    outbox::a_claim_takes_no_more_than_it_asks_for
    outbox::the_dead_are_kept_until_somebody_decides
    outbox::who_wants_no_more_gets_no_more
    outbox::an_outbox_has_bounds
}
