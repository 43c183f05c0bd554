//! The conformance suite: what every store must do, through the contract alone.
//!
//! A test is a function that takes an empty store; the table below runs each on every store: on
//! SQLite, and on the oldest and the newest PostgreSQL, which `scripts/servers` starts. What only one
//! store does is tested in a module of its own.
#![allow(clippy::unwrap_used, clippy::panic)]

mod accounts;
mod appending;
mod branches;
mod claiming;
mod completeness;
mod copy;
mod ending;
mod feed;
mod finding;
mod health;
mod idempotency;
mod messages;
mod migrating;
mod nodes;
mod postgres;
mod replies;
mod replies_model;
mod reply_samples;
mod samples;
mod search;
mod sessions;
mod sql;
mod sqlite;
mod tokens;
mod tools;
mod usage;
mod wanting;

macro_rules! conformance {
    ($($area:ident { $($test:ident)* })*) => {
        mod on_sqlite {$(
            mod $area {$(
                #[tokio::test]
                async fn $test() {
                    let (store, _folder) = crate::sqlite::fresh().await;
                    crate::$area::$test(&*store).await;
                }
            )*}
        )*}
        conformance!(on_postgres_oldest, OLDEST, $($area { $($test)* })*);
        conformance!(on_postgres_newest, NEWEST, $($area { $($test)* })*);
    };
    ($module:ident, $cluster:ident, $($area:ident { $($test:ident)* })*) => {
        mod $module {$(
            mod $area {$(
                #[tokio::test]
                async fn $test() {
                    let (store, database) = crate::postgres::fresh(crate::postgres::$cluster).await;
                    crate::$area::$test(&*store).await;
                    database.delete().await;
                }
            )*}
        )*}
    };
}

conformance! {
    health {
        a_store_that_works_says_so
        a_store_says_what_it_is
    }
    accounts {
        the_first_account_becomes_the_administrator
        only_the_first_account_is_free_when_registration_is_closed
        an_email_address_is_taken_once
        accounts_are_listed_by_email_in_pages
        a_disabled_account_says_so_with_its_tokens
        a_changed_role_leaves_the_rest_of_the_account
        of_two_who_shut_each_other_out_one_stays
        a_replaced_password_ends_the_sign_ins
        the_sign_in_that_replaces_the_password_goes_on
        a_password_is_replaced_by_no_sign_in_that_has_ended
        a_name_is_replaced_and_taken_away
    }
    tokens {
        a_token_is_found_with_its_account
        a_token_is_revoked_by_its_owner_only
        a_sign_in_beyond_the_limit_replaces_the_oldest
        a_personal_token_beyond_the_limit_is_refused
        only_tokens_that_let_somebody_in_are_good
        tokens_past_their_time_are_swept
        the_last_use_is_noted
    }
    sessions {
        numbers_count_up_from_one_and_are_never_reused
        a_session_is_found_by_number_and_by_cuid
        nobody_elses_session_is_found_changed_or_deleted
        a_change_touches_only_what_it_names
        a_stale_precondition_changes_nothing
        the_list_runs_from_the_newest_change_to_the_oldest
        pages_meet_without_gap_or_repeat_while_sessions_are_added
        filters_show_only_what_they_name
        sessions_are_listed_by_when_they_were_made
        a_session_is_made_with_a_system_message
        a_deleted_session_is_gone
        the_longest_texts_come_back_as_they_were
        a_session_without_a_name_is_named_once
        a_title_that_somebody_gave_stays
        another_change_leaves_a_session_without_a_name
        nobody_elses_session_is_named
        a_session_is_found_by_what_its_client_calls_it
        who_makes_a_session_of_a_name_that_is_taken_gets_the_one_that_has_it
        a_name_is_free_again_when_its_session_is_gone
    }
    search {
        a_title_is_found_by_a_part_of_it_in_any_case
        a_search_finds_what_a_filter_of_all_titles_finds
        a_new_title_is_found_and_the_old_one_is_not
        a_search_is_paged_and_filtered_like_any_list
    }
    branches {
        only_messages_with_others_beside_them_are_branches
        a_path_that_leads_through_a_message_ends_at_the_newest_behind_it
        a_path_leads_through_no_message_of_another_session
    }
    idempotency {
        a_repeated_creation_gives_the_same_session
        a_repeated_change_gives_the_first_outcome
        a_repeated_deletion_succeeds_again
        what_was_answered_about_a_deleted_session_is_forgotten
        a_key_with_another_request_is_refused
        a_key_of_another_owner_is_another_key
        a_key_is_forgotten_after_a_day
        what_changed_nothing_is_not_remembered
        a_repeated_registration_finds_the_account
        a_repeated_token_comes_with_its_sealed_secret
        keys_past_their_time_are_swept
        a_first_try_takes_no_account_of_what_was_done_before
        a_first_try_that_does_nothing_leaves_what_is_there
        what_a_counted_try_did_is_forgotten_sooner
    }
    messages {
        appended_messages_follow_the_head_and_move_it
        roles_models_and_parts_come_back
        a_named_parent_gets_a_branch_beside_the_others
        a_message_that_follows_nothing_begins_a_path
        an_unknown_parent_is_refused_and_nothing_is_written
        nobody_elses_session_is_read_or_appended_to
        a_session_without_messages_has_an_empty_page
        a_repeated_append_gives_the_same_messages_and_writes_nothing
        a_repeated_append_to_a_deleted_session_is_gone
        places_have_no_gap_when_many_append_at_once
        places_are_counted_in_each_session
        the_head_moves_to_any_message_of_the_session
        the_head_moves_to_no_message_of_another_session
        pages_meet_without_gap_or_repeat_in_any_tree
        a_list_that_has_begun_goes_on_whatever_is_written
        a_path_of_thousands_is_read_a_page_at_a_time
        the_longest_text_comes_back_as_it_was
        messages_of_a_deleted_session_are_gone
        a_repeated_append_of_nothing_does_nothing
    }
    replies {
        a_reply_is_accepted_with_its_prompt_and_an_empty_message
        a_prompt_follows_what_it_names
        a_reply_can_answer_a_message_that_is_there
        a_prompt_has_to_be_a_persons_message_of_the_session
        a_session_that_replies_rejects_if_it_is_asked_to
        so_many_replies_wait_and_no_more
        an_interruption_ends_the_running_reply
        an_interruption_ends_the_reply_that_was_about_to_run
        without_a_model_only_what_was_accepted_before_is_found
        one_that_was_to_be_interrupted_may_still_be_complete
        a_repeated_wish_gives_the_same_reply_and_writes_nothing
        a_stopped_reply_that_waits_ends_at_once
        a_stopped_reply_that_runs_is_left_to_its_writer
    }
    finding {
        the_running_reply_comes_before_those_that_wait
        what_nobody_writes_is_found
        what_was_broken_off_comes_before_what_waits
        the_last_event_of_each_reply_is_known
        nobody_elses_replies_are_found
    }
    claiming {
        a_claim_takes_the_one_that_has_waited_longest
        one_of_many_claims_gets_the_reply
        one_wish_that_comes_many_times_at_once_begins_one_reply
        a_session_that_is_not_there_has_nothing_to_claim
        a_claim_after_a_lease_begins_a_new_attempt
        a_reply_that_was_broken_off_too_often_fails_with_what_is_there
        a_broken_off_reply_that_was_to_end_is_not_tried_again
    }
    appending {
        only_the_newest_attempt_writes
        a_writer_that_was_away_past_its_lease_goes_on
        a_writer_whose_reply_was_taken_meanwhile_writes_nothing
        a_renewed_lease_holds_longer
        nothing_is_written_after_the_end
        a_fenced_append_does_not_spoil_the_others
        an_append_with_a_number_that_is_taken_does_not_spoil_the_others
        an_append_that_is_tried_again_is_kept_once
        a_writer_is_told_that_its_reply_is_to_end
        a_reply_is_appended_to_twice_in_one_go
    }
    ending {
        replies_of_a_deleted_session_are_gone
        a_finished_reply_becomes_its_message
        a_failed_reply_keeps_its_error_and_its_text
        a_reply_without_a_word_is_an_empty_message
        events_read_the_same_before_and_after_the_end
        many_events_are_read_in_pieces
    }
    tools {
        tools_parts_and_roles_come_back
        an_output_follows_a_message_that_makes_its_call
        an_output_of_no_call_is_refused_and_nothing_is_written
        a_call_has_one_output_on_a_path
        a_retry_of_outputs_is_answered_whatever_has_become_of_their_call
        a_reply_that_calls_tools_is_read_the_same_before_and_after_its_end
        only_the_calls_of_the_last_attempt_are_made
        the_outputs_of_a_replys_calls_are_answered_by_another_reply
        a_message_is_found_in_its_session
        parts_that_are_removed_leave_their_places_and_the_numbers_of_events
        what_earlier_attempts_had_written_goes_with_parts_that_are_removed
        parts_of_what_has_not_ended_or_is_somebody_elses_stay
    }
    wanting {
        a_reply_makes_its_session
        a_reply_finds_the_session_that_its_client_calls_so
        a_refused_reply_leaves_no_session_behind
        a_session_that_is_there_may_be_busy
        a_repeated_wish_makes_one_session
        a_later_try_finds_a_reply_until_it_has_ended_for_a_while
        options_are_there_for_whoever_writes_the_reply
        a_reply_is_found_by_its_identifier_alone
        a_reply_is_hidden_once
    }
    replies_model {
        whatever_happens_happens_as_in_the_model
    }
    feed {
        a_first_look_gives_only_the_cursor
        every_change_of_a_session_is_told
        a_new_name_is_told_and_a_refused_one_is_not
        every_change_of_a_reply_is_told
        what_is_refused_is_not_told
        what_has_changed_twice_is_told_once_as_it_is
        a_cursor_that_was_never_given_is_reset
        a_cursor_before_a_forgotten_deletion_is_reset
        many_changes_are_told_in_pieces
        owners_have_feeds_of_their_own
        the_cursor_of_each_owner_is_known
        a_device_that_follows_knows_what_the_store_has
    }
    nodes {
        nodes_are_shown_as_they_described_themselves_last
        a_node_is_alive_as_long_as_it_says_so
        a_node_that_ended_is_forgotten
        a_node_that_says_nothing_any_more_is_swept
    }
    usage {
        who_has_asked_nothing_has_used_nothing
        use_is_summed_by_session_the_newest_first
        a_reply_is_counted_once_however_it_ends
        a_span_holds_its_first_moment_and_not_its_last
        a_deleted_session_stays_in_the_sum
        nobody_elses_use_is_counted
        what_belongs_to_no_session_is_in_the_sum
        the_use_of_all_is_summed_by_account_and_day
        the_accounts_with_the_most_tokens_come_first_and_no_more_than_a_thousand
    }
}
