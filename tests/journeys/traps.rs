//! The traps found in Kamal, ONCE and their proxy, each with the tests that prove our answer.

use std::path::Path;

use crate::host::{Host, docker};

/// File and function.
type Test = (&'static str, &'static str);

/// Number, trap, and the tests that prove our answer.
type Trap = (&'static str, &'static str, &'static [Test]);

const TRAPS: [Trap; 28] = [
    (
        "T1",
        "another environment silently makes a new identity",
        &[
            ("tests/journeys/splits.rs", "a_split_config_file_loses_no_app_and_no_request"),
            ("tests/journeys/guards.rs", "instances_stand_beside_each_other"),
        ],
    ),
    (
        "T2",
        "what the present config does not name is never seen",
        &[
            ("src/app/doctor/reconcile/tests.rs", "each_misfit_has_its_own_word_and_remedy"),
            ("tests/journeys/rebuild.rs", "ghosts_strays_and_the_dead_are_told_apart"),
        ],
    ),
    (
        "T3",
        "a hostname's conflict is seen only after the health check",
        &[("tests/journeys/guards.rs", "what_belongs_to_another_app_is_not_taken")],
    ),
    (
        "T4",
        "an interrupt leaves the lock",
        &[
            ("tests/faults/alone.rs", "ctrl_c_before_the_switch_undoes"),
            ("tests/control/wire.rs", "the_end_of_a_connection_frees_its_locks"),
        ],
    ),
    (
        "T5",
        "a lock without its holder cannot be lifted",
        &[
            ("tests/journeys/locks.rs", "a_lock_on_purpose_keeps_others_out_until_it_is_lifted"),
            ("tests/faults/frozen.rs", "a_frozen_connection_gives_up_its_lock_within_35_seconds"),
        ],
    ),
    (
        "T6",
        "work before and after the deploy runs outside of the lock",
        &[
            ("tests/journeys/concurrency.rs", "ten_deploys_of_one_app_at_once"),
            ("tests/journeys/hooks.rs", "what_they_start_shares_the_lock_and_nobody_else_does"),
        ],
    ),
    (
        "T7",
        "the image is removed before it is pulled again",
        &[("tests/journeys/traps.rs", "the_same_version_again_needs_no_registry_and_costs_no_image")],
    ),
    (
        "T8",
        "a rollback runs the old image with the new settings",
        &[("tests/journeys/state.rs", "back_to_an_earlier_release")],
    ),
    (
        "T9",
        "a rollback needs a stopped container",
        &[("tests/journeys/traps.rs", "what_is_kept_is_counted_for_each_app_alone")],
    ),
    (
        "T10",
        "retention counts over all roles",
        &[("tests/journeys/traps.rs", "what_is_kept_is_counted_for_each_app_alone")],
    ),
    ("T11", "a failed clean-up fails a finished deploy", &[("tests/faults/steps.rs", "one_fault_in_a_swap")]),
    (
        "T12",
        "some ways to deploy never clean up",
        &[("tests/journeys/traps.rs", "what_is_kept_is_counted_for_each_app_alone")],
    ),
    (
        "T13",
        "failed candidates use up what is kept",
        &[
            ("tests/journeys/traps.rs", "what_is_kept_is_counted_for_each_app_alone"),
            ("tests/journeys/failures.rs", "a_release_that_does_not_get_healthy_changes_nothing"),
        ],
    ),
    (
        "T14",
        "a command's container carries no labels and stays",
        &[
            ("tests/journeys/traps.rs", "what_is_kept_is_counted_for_each_app_alone"),
            ("tests/journeys/release_command.rs", "it_runs_before_the_switch_and_stops_a_deploy_that_it_fails"),
        ],
    ),
    (
        "T15",
        "staging and production share their data",
        &[("tests/journeys/traps.rs", "what_is_kept_is_counted_for_each_app_alone")],
    ),
    (
        "T16",
        "a change is not applied, and nobody is told",
        &[
            ("tests/journeys/rebuild.rs", "what_changed_behind_our_back_is_found_and_mended_by_a_swap"),
            ("tests/journeys/deploys.rs", "the_smallest_change_that_does_it"),
        ],
    ),
    ("T17", "removing the app removes its data", &[("tests/journeys/guards.rs", "data_is_kept_and_attached_again")]),
    (
        "T18",
        "a variable cannot hold a line break",
        &[("tests/journeys/traps.rs", "a_variable_holds_whatever_it_was_given")],
    ),
    (
        "T19",
        "the log's options are given to a driver that knows them not",
        &[("tests/journeys/traps.rs", "what_is_kept_is_counted_for_each_app_alone")],
    ),
    (
        "T20",
        "values stand on command lines",
        &[
            ("tests/cli/detached.rs", "it_has_a_session_of_its_own_and_no_secret_in_its_arguments"),
            ("tests/journeys/secrets.rs", "a_secret_that_is_missing_or_given_as_an_argument_is_refused"),
        ],
    ),
    (
        "T21",
        "the first deploy's command runs without the app's variables",
        &[("tests/journeys/traps.rs", "a_variable_holds_whatever_it_was_given")],
    ),
    (
        "T22",
        "a stopped app is not found",
        &[("tests/journeys/state.rs", "a_stopped_app_stays_stopped_until_it_is_started")],
    ),
    (
        "T23",
        "a container that was started again has no route",
        &[
            ("tests/faults/engine_restart.rs", "all_routes_are_back_after_the_engine_was_restarted"),
            ("tests/faults/loss.rs", "only_what_was_inside_of_a_killed_container_fails"),
        ],
    ),
    (
        "T24",
        "the proxy's state is lost in a crash or an upgrade",
        &[
            ("tests/control/broken_files.rs", "killed_between_write_and_rename_leaves_the_old_record"),
            ("tests/control/broken_files.rs", "the_present_format_is_read_for_ever"),
            ("tests/journeys/rebuild.rs", "a_lost_ledger_is_called_what_it_is_and_every_app_comes_back_untouched"),
        ],
    ),
    (
        "T25",
        "the proxy's errors are told apart by their text",
        &[
            ("src/proxy/control/wire.rs", "errors_are_told_apart_by_their_tag_however_they_are_worded"),
            ("tests/journeys/traps.rs", "nothing_but_the_engines_own_words_is_told_apart_by_text"),
            ("tests/control/wire.rs", "neighbours_understand_each_other_and_others_say_so"),
        ],
    ),
    (
        "T26",
        "secrets stand in labels",
        &[("tests/journeys/secrets.rs", "secrets_are_nowhere_but_where_they_have_to_be")],
    ),
    (
        "T27",
        "settings are documented and ignored",
        &[
            ("src/app/settings/draft/web.rs", "each_is_set_kept_written_and_unset"),
            ("src/app/plan/fingerprint.rs", "each_setting_that_costs_a_swap_is_in_the_container"),
            ("tests/cli/help.rs", "the_whole_tree"),
        ],
    ),
    ("T28", "a hostname in a wrong form is accepted", &[("tests/cli/bad_input.rs", "hosts")]),
];

#[test]
fn each_trap_has_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (n, (number, trap, tests)) in TRAPS.iter().enumerate() {
        assert_eq!(*number, format!("T{}", n + 1), "{trap}");
        assert!(!tests.is_empty(), "{number}: {trap}");
        for (file, test) in *tests {
            let source = std::fs::read_to_string(root.join(file)).unwrap_or_default();
            let at = source.find(&format!("fn {test}(")).unwrap_or_else(|| panic!("{number}: no {test} in {file}"));
            let before: Vec<&str> = source[..at].lines().rev().take(4).collect();
            let is_test = before.iter().any(|line| line.contains("#[test]") || line.contains("#[tokio::test"));
            assert!(is_test, "{number}: {test} in {file} is no test");
        }
    }
}

/// Where the words of others have to be read, since there is nothing else: each is tried on the real one
/// (`tests/contract`, `tests/docker`). The last file reads a tip of clap's, which is no error and has no kind
/// (`tests/cli/help.rs`).
const READ_BY_TEXT: [&str; 5] = [
    "src/docker/error.rs",
    "src/docker/networks.rs",
    "src/docker/registry_error.rs",
    "src/docker/ssh.rs",
    "src/ui/cli/mistakes.rs",
];

#[test]
fn nothing_but_the_engines_own_words_is_told_apart_by_text() {
    let mut found = Vec::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let file = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string();
        let is_test = ["tests.rs", "journeys.rs", "snapshots.rs"].iter().any(|name| file.ends_with(name));
        if !file.ends_with(".rs") || is_test || READ_BY_TEXT.contains(&file.as_str()) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let lines = code.lines().enumerate().filter(|(_, line)| reads_an_error(line));
        found.extend(lines.map(|(n, line)| format!("{file}:{}: {}", n + 1, line.trim())));
    }
    assert!(found.is_empty(), "errors have kinds and codes to tell them apart by: {found:#?}");
    assert!(reads_an_error(r#"Err(e) if e.to_string().contains("conflict") => {}"#));
    assert!(reads_an_error(r#"if problem.message.starts_with("host settings") {"#));
    assert!(!reads_an_error(r#"if host.starts_with("*.") {"#));
}

/// Whether words are looked for in what is an error, as its name tells.
fn reads_an_error(line: &str) -> bool {
    [".contains(\"", ".starts_with(\"", ".ends_with(\""].iter().any(|call| {
        line.match_indices(call).any(|(at, _)| {
            let from = line[..at].rfind(|c: char| !(c.is_alphanumeric() || "_.()".contains(c))).map_or(0, |n| n + 1);
            let of = &line[from..at];
            ["message", "error", "problem", "cause", "reason", "to_string()"].iter().any(|word| of.contains(word))
        })
    })
}

#[test]
fn the_same_version_again_needs_no_registry_and_costs_no_image() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let id = docker(&["image", "inspect", "-f", "{{.Id}}", &image]);
    // No registry knows this image, so what is removed here would be gone for good.
    for _ in 0..2 {
        host.deploy(&image, &["--force"]).expect(0, "updated");
        assert_eq!(docker(&["image", "inspect", "-f", "{{.Id}}", &image]), id);
    }
    assert_eq!(host.version(), "1");
}

#[test]
fn what_is_kept_is_counted_for_each_app_alone() {
    let host = Host::new();
    let images = [host.image("1", &[]), host.image("2", &[])];
    for name in ["app", "app.staging"] {
        for image in [&images[0], &images[1], &images[0]] {
            assert_eq!(host.json(&["deploy", image, "--name", name]).code, 0);
        }
    }
    let of = |app: &str| -> Vec<String> {
        let prefix = format!("{}-{app}-", host.namespace);
        host.containers().into_iter().map(|(name, _)| name).filter(|name| name.starts_with(&prefix)).collect()
    };
    let staging = of("app.staging");
    assert_eq!((of("app").len(), staging.len()), (3, 3), "one that serves and two for a rollback, each");

    // Whichever way, old ones go, and what the other app keeps stays.
    for _ in 0..3 {
        host.json(&["restart", "app"]).expect(0, "updated");
    }
    assert_eq!((of("app").len(), of("app.staging")), (3, staging));
    // What fails is removed and counts for nothing.
    let kept = of("app");
    let bad = ["--health-timeout", "2", "-e", "DEMO_MODE=never-healthy"];
    host.json(&[&["deploy", "--name", "app"][..], &bad].concat()).expect(5, "failed");
    assert_eq!(of("app"), kept);
    // A command runs in the container that serves; nothing is made for it.
    assert_eq!(host.once(&["exec", "app", "--", "/once", "--version"]).code, 0);
    assert_eq!(of("app"), kept);
    // Each instance has its own data, and its log is bounded in the words of its driver.
    let data = |app: &str| host.inspect(of(app).last().unwrap(), "{{range .Mounts}}{{.Name}} {{end}}");
    assert_ne!(data("app"), data("app.staging"));
    let log =
        host.inspect(of("app").last().unwrap(), "{{.HostConfig.LogConfig.Type}} {{.HostConfig.LogConfig.Config}}");
    assert!(matches!(log.split(' ').next(), Some("local" | "json-file")) && log.contains("max-size"), "{log}");
    // A release whose container is gone is still one to go back to.
    docker(&["rm", "-f", kept.first().unwrap(), kept.get(1).unwrap(), kept.get(2).unwrap()]);
    host.json(&["rollback", "app", "2"]).expect(0, "updated");
    assert_eq!(host.get("app.localhost", "/version").1.trim(), "2");
}

#[test]
fn a_variable_holds_whatever_it_was_given() {
    let host = Host::new();
    let image = host.image("1", &[]);
    let value = "first\nsecond \"quoted\" $HOME #no comment\t=\\n";
    // The very first deploy's command has the variables: the demo app tells some of them, and then ends.
    let first = ["--release-command", "/once demo-app", "-e", "DEMO_MODE=exit", "-e", "DEMO_VERSION=planted"];
    let failed = host.deploy(&image, &first).expect(5, "failed");
    assert!(failed["log"].to_string().contains("Booting version planted"), "{failed:#}");
    let command = ["-e", &format!("POEM={value}"), "--release-command", "/once --version"];
    let said = host.deploy(&image, &command).expect(0, "created");
    assert_eq!(said["release_command_ran"], true, "{said:#}");
    assert_eq!(host.get("app.localhost", "/env?key=POEM").1, value);
}
