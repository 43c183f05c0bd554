//! The conformance suite: what every store must do, through the contract alone.
//!
//! A test is a function that takes an empty store; the table below runs each on every store. What
//! only one store does is tested in a module of its own.
#![allow(clippy::unwrap_used, clippy::panic)]

mod accounts;
mod idempotency;
mod samples;
mod sessions;
mod sqlite;
mod tokens;

macro_rules! conformance {
    ($($area:ident { $($test:ident)* })*) => {
        mod on_sqlite {$(
            mod $area {$(
                #[tokio::test]
                async fn $test() {
                    let (store, _folder) = crate::sqlite::fresh();
                    crate::$area::$test(&*store).await;
                }
            )*}
        )*}
    };
}

conformance! {
    accounts {
        the_first_account_becomes_the_administrator
        only_the_first_account_is_free_when_registration_is_closed
        an_email_address_is_taken_once
        accounts_are_listed_by_email_in_pages
        a_disabled_account_says_so_with_its_tokens
        a_replaced_password_ends_the_sign_ins
    }
    tokens {
        a_token_is_found_with_its_account
        a_token_is_revoked_by_its_owner_only
        a_sign_in_beyond_the_limit_replaces_the_oldest
        a_personal_token_beyond_the_limit_is_refused
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
        a_deleted_session_is_gone
        the_longest_texts_come_back_as_they_were
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
    }
}
