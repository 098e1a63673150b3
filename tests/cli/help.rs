//! Help: every command has one, and it is looked at when it changes.

use super::support::Once;

/// The subcommands that help shows, in its order.
fn commands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|l| *l != "Commands:").skip(1).take_while(|l| !l.is_empty());
    let names = listed.filter(|l| l.starts_with("  ") && !l.starts_with("   "));
    names.filter_map(|l| l.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn the_whole_tree() {
    let once = Once::new();
    let top = once.run(&["--help"]);
    assert_eq!(top.code, 0);
    assert_eq!(top.stderr, "");
    let mut tree = format!("$ once --help\n{}", top.stdout);
    let mut paths: Vec<Vec<String>> = commands(&top.stdout).into_iter().map(|c| vec![c]).collect();
    assert!(paths.len() > 20, "{paths:?}");
    while let Some(path) = (!paths.is_empty()).then(|| paths.remove(0)) {
        let args: Vec<&str> = path.iter().map(String::as_str).chain(["-h"]).collect();
        let shown = once.run(&args);
        assert_eq!((shown.code, shown.stderr.as_str()), (0, ""), "{args:?}");
        // The global part is the same everywhere.
        let own = shown.stdout.split("\nGlobal options:").next().unwrap_or_default();
        tree += &format!("\n$ once {}\n{own}", args.join(" "));
        let below = commands(&shown.stdout).into_iter();
        paths.splice(0..0, below.map(|c| path.iter().cloned().chain([c]).collect()));
    }
    insta::assert_snapshot!(tree);
}

#[test]
fn what_is_machinery_is_not_shown() {
    let tree = Once::new().run(&["--help"]).stdout + &Once::new().run(&["proxy", "--help"]).stdout;
    for hidden in ["run-job", "demo-", "  ctl", "  worker", "  run "] {
        assert!(!tree.contains(hidden), "{hidden} is in\n{tree}");
    }
}

/// All commands that help shows, as one would type them.
fn tree(once: &Once) -> Vec<Vec<String>> {
    let mut left: Vec<Vec<String>> = commands(&once.run(&["--help"]).stdout).into_iter().map(|c| vec![c]).collect();
    let mut leaves = Vec::new();
    while let Some(path) = left.pop() {
        let args: Vec<&str> = path.iter().map(String::as_str).chain(["-h"]).collect();
        let below = commands(&once.run(&args).stdout);
        if below.is_empty() {
            leaves.push(path.clone());
        }
        left.extend(below.into_iter().map(|c| path.iter().cloned().chain([c]).collect()));
    }
    leaves
}

/// The README promises it: with `--json` standard output holds one object a line, whatever the command.
#[test]
fn every_command_takes_json() {
    let once = Once::new().file("closed.html", b"<p>closed</p>");
    for path in tree(&once) {
        let help = once.run(&path.iter().map(String::as_str).chain(["--help"]).collect::<Vec<_>>()).stdout;
        let begin = format!("  once {}", path.join(" "));
        let example = help.lines().find(|line| line.starts_with(&begin));
        let example = example.unwrap_or_else(|| panic!("no example of {path:?} in\n{help}"));
        let command = example.trim_start().split("  ").next().unwrap().split(['>', '<']).next().unwrap();
        let words: Vec<&str> = command.split_whitespace().skip(1).map(|word| word.trim_matches('\'')).collect();
        let ran = once.run(&[&["--json"], &words[..]].concat());
        assert!(!ran.stdout.is_empty(), "{path:?} says nothing: {ran:?}");
        for line in ran.stdout.lines() {
            let object: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_str(line);
            assert!(object.is_ok(), "{path:?}: {line}");
        }
    }
}

/// What a shell gets that asks what could be typed behind these words.
fn completed(once: Once, words: &[&str]) -> Vec<String> {
    let last = (words.len() - 1).to_string();
    let once = once.env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", &last).env("_CLAP_IFS", "\n");
    let once = once.env("_CLAP_COMPLETE_COMP_TYPE", "9").env("_CLAP_COMPLETE_SPACE", "true");
    let ran = once.run(&[&["--"], words].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{words:?}");
    ran.stdout.lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = Once::new().run(&["completions", shell]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{shell}");
        assert!(ran.stdout.contains("COMPLETE") && ran.stdout.contains("once"), "{shell}: {}", ran.stdout);
    }
}

#[test]
fn completion_knows_commands_flags_and_values_but_no_machinery() {
    let commands = completed(Once::new(), &["once", ""]);
    assert!(["deploy", "logs", "completions"].iter().all(|c| commands.iter().any(|found| found == c)), "{commands:?}");
    assert!(commands.iter().all(|c| !c.starts_with("demo-") && c != "run-job"), "{commands:?}");
    let below = completed(Once::new(), &["once", "proxy", ""]);
    assert!(below.iter().any(|c| c == "routes") && !below.iter().any(|c| c == "ctl"), "{below:?}");
    assert_eq!(completed(Once::new(), &["once", "deploy", "--health-p"]), ["--health-path"]);
    assert_eq!(completed(Once::new(), &["once", "set", "shop", "--swap", "h"]), ["handover"]);
    assert_eq!(completed(Once::new(), &["once", "deploy", "--pull", "al"]), ["always"]);
    // Without an engine there are no names, and not a word about it.
    assert!(completed(Once::new(), &["once", "logs", "s"]).is_empty());
}

/// What is set in the environment is no part of what has to be typed.
#[test]
fn usage_is_the_commands_own() {
    let ran = Once::new().env("ONCE_NAMESPACE", "staging").run(&["diff", "--namespace", "x"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("Usage: once diff [OPTIONS] <APP> <FROM> [TO]"), "{}", ran.stderr);
    let ran = Once::new().run(&["logs", "shop", "-a"]);
    assert!(ran.stderr.contains("unexpected argument '-a'") && !ran.stderr.contains("-- -a"), "{}", ran.stderr);
    let ran = Once::new().run(&["exec", "shop", "ls", "-a"]);
    assert!(ran.stderr.contains("once exec shop -- ls -l"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("as a value"), "{}", ran.stderr);
}

#[test]
fn the_version_is_known_without_an_engine() {
    let ran = Once::new().run(&["version"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, concat!("once ", env!("CARGO_PKG_VERSION"), "\n")));
    assert!(ran.stderr.contains("the proxy's version is not known"), "{}", ran.stderr);
    let flag = Once::new().run(&["--version"]);
    assert_eq!((flag.code, flag.stdout), (0, ran.stdout));
}
