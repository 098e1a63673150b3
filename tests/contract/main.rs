//! What every engine must do, written once and run on the fake and on the real one. Tests elsewhere may trust the fake
//! as far as this suite goes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests say what they expect by unwrapping it"
)]

#[path = "../support/mod.rs"]
mod support;

mod containers;
mod exec;
mod ground;
mod images;
mod logs;
mod networks;
mod streams;
mod volumes;

/// Makes two tests of each case: `fake::case` and `real::case`.
macro_rules! cases {
    ($($module:ident :: { $($case:ident),* $(,)? })*) => {
        mod fake {
            $($(#[tokio::test] async fn $case() { crate::ground::on_fake(crate::$module::$case).await; })*)*
        }
        mod real {
            $($(#[tokio::test] async fn $case() { crate::ground::on_real(crate::$module::$case).await; })*)*
        }
    };
}

cases! {
    containers::{
        the_engine_describes_itself,
        a_new_namespace_is_empty,
        a_created_container_is_listed_with_its_identity,
        other_namespaces_are_left_out,
        all_containers_are_all,
        unreadable_labels_have_no_identity,
        a_container_is_found_by_name_and_by_id,
        an_absent_container_is_none,
        a_taken_name_is_a_conflict,
        an_absent_image_cannot_be_created_from,
        a_created_container_has_no_exit_code,
        start_runs_it,
        starting_twice_is_fine,
        an_absent_container_cannot_be_started,
        stop_ends_it,
        stopping_what_does_not_run_is_fine,
        a_stopped_container_starts_again,
        remove_takes_a_running_one,
        removing_twice_is_fine,
        a_removed_name_is_free,
        wait_gives_the_exit_code,
        wait_lasts_until_the_end,
        waiting_for_an_absent_one_fails,
        variables_of_image_and_container_arrive,
        labels_arrive,
        published_ports_show,
        a_taken_port_is_named,
        a_crash_loop_shows,
        the_restart_policy_changes_while_it_runs,
        a_file_is_read_out_of_a_container,
        what_is_kept_on_the_disk_is_counted,
    }
    images::{
        an_image_of_ones_own_is_there,
        an_absent_image_is_none,
        loading_twice_is_fine,
        the_own_hash_is_stable,
        a_removed_image_is_gone,
        an_image_in_use_stays,
        a_container_names_its_image,
    }
    networks::{
        a_network_is_made_once,
        of_many_who_make_a_network_at_once_all_can_use_it,
        an_absent_network_is_told,
        removing_a_network_twice_is_fine,
        a_network_in_use_is_a_conflict,
        a_container_joins_all_its_networks,
        a_container_joins_later_and_twice,
    }
    volumes::{
        a_volume_is_made_once,
        volumes_are_listed_by_namespace,
        an_absent_volume_is_none,
        removing_a_volume_twice_is_fine,
        a_volume_in_use_is_a_conflict,
        data_outlives_its_container,
        a_declared_path_gets_an_anonymous_volume_that_outlives_its_container,
        a_volume_that_is_mounted_on_a_declared_path_is_the_only_one,
    }
    exec::{
        streams_stay_apart,
        the_exit_code_is_the_commands,
        input_reaches_the_command,
        closed_input_takes_no_more,
        a_terminal_is_one,
        a_missing_program_is_126_or_127,
        a_program_that_ends_with_126_was_started,
        a_stopped_container_runs_nothing,
        an_absent_container_runs_nothing,
    }
    logs::{
        lines_come_in_order_with_their_stream_and_time,
        the_tail_is_the_end,
        since_leaves_out_what_was_before,
        a_followed_log_goes_on_and_ends_with_its_container,
        a_long_line_stays_one,
        an_absent_container_has_no_log,
    }
    streams::{
        events_tell_a_life_and_only_ones_own,
        stats_measure_a_running_container,
        usage_is_read_where_the_engine_is_local,
        the_host_is_measured_where_the_engine_is_local,
    }
}
