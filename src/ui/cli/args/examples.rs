//! What help shows of each command that has no more to say beside its arguments. A test parses every line.

pub(crate) const SETUP: &str = "\
Examples:
  once setup                               is Docker there? install it if not
  once setup --yes                         without a question, as in a script
  once --on ssh://root@web-1 setup         another machine";

pub(crate) const PLAN: &str = "\
Examples:
  once plan acme/shop:1.6.0                what would a deploy change, and what would it cost?
  once plan --name shop --memory 1g
  once plan acme/shop:1.6.0 --detailed-exitcode    10 when something would change";

pub(crate) const WATCH: &str = "\
Examples:
  once watch shop                          the change under way, to its end
  once watch --wait                        the next change of any app";

pub(crate) const LIST: &str = "\
Examples:
  once list
  once list --json                         one app a line";

pub(crate) const STATUS: &str = "\
Examples:
  once status                              are all apps well? exits 10 when one is not
  once status shop --watch                 a line whenever something changes";

pub(crate) const SHOW: &str = "\
Examples:
  once show shop
  once show shop --release 12              one of its releases, with its steps";

pub(crate) const START: &str = "\
Examples:
  once start shop
  once start shop wiki                     one after the other";

pub(crate) const STOP: &str = "\
Examples:
  once stop shop                           visitors see a 503 page until `once start shop`";

pub(crate) const MAINTENANCE: &str = "\
Examples:
  once maintenance shop --message 'Back at 3 pm'
  once maintenance shop --page closed.html
  once maintenance shop --off";

pub(crate) const PAUSE: &str = "\
Examples:
  once pause shop                          for a moment, as during a database's move
  once pause shop --max-wait 2m            then requests get a 503";

pub(crate) const RESUME: &str = "\
Examples:
  once resume shop";

pub(crate) const RESTART: &str = "\
Examples:
  once restart shop                        a fresh container, no request is lost";

pub(crate) const ENV: &str = "\
Examples:
  once env shop
  once env shop --json                     one variable a line; secrets masked here too";

pub(crate) const RELEASES: &str = "\
Examples:
  once releases shop
  once releases shop -n 5";

pub(crate) const DIFF: &str = "\
Examples:
  once diff shop 12                        release 12 and the one that serves
  once diff shop 11 12";

pub(crate) const ROLLBACK: &str = "\
Examples:
  once rollback shop                       to the release that served before
  once rollback shop 11                    to this one; `once releases shop` shows all";

pub(crate) const PROMOTE: &str = "\
Examples:
  once promote shop                        the canary serves everybody";

pub(crate) const ABORT: &str = "\
Examples:
  once abort shop                          the canary goes, the serving release gets all requests";

pub(crate) const EXEC: &str = "\
Examples:
  once exec shop -- bin/rails db:version
  once exec shop -- tar cz /storage > shop.tgz      bytes go both ways as they are
  once exec db -- psql shop < shop.sql

Exit codes: the command's own; 126 or 127 when it cannot be started; 125 for our own failures; 141 when
the reader of its output left first.";

pub(crate) const SHELL: &str = "\
Examples:
  once shell shop                          bash where the image has it, else sh";

pub(crate) const REMOVE: &str = "\
Examples:
  once remove shop                         the data is kept: a deploy of the same name gets it again
  once remove shop --data                  with its data, after a question
  once remove shop --data --yes";

pub(crate) const TEARDOWN: &str = "\
Examples:
  once teardown                            apps, proxy and network; the data volumes are kept
  once --namespace staging teardown --data --yes";

pub(crate) const LOCKS: &str = "\
Examples:
  once locks";

pub(crate) const LOCK: &str = "\
Examples:
  once lock shop --message 'moving the database'";

pub(crate) const UNLOCK: &str = "\
Examples:
  once unlock shop
  once unlock shop --force                 also from a change under way";

pub(crate) const ACTIVITY: &str = "\
Examples:
  once activity
  once activity shop -n 10";

pub(crate) const COMPLETIONS: &str = "\
Examples:
  once completions bash > ~/.local/share/bash-completion/completions/once
  once completions zsh > ~/.zfunc/_once
  once completions fish > ~/.config/fish/completions/once.fish

The names of apps are asked for while you type; without an engine there are none.";

pub(crate) const VERSION: &str = "\
Examples:
  once version
  once version --json";

pub(crate) const PROXY_STATUS: &str = "\
Examples:
  once proxy status                        exits 10 when something is wrong with it";

pub(crate) const PROXY_UPGRADE: &str = "\
Examples:
  once proxy upgrade                       all connections stay open
  once proxy upgrade --replace --yes       a new container, for a proxy that is too old";

pub(crate) const PROXY_ROUTES: &str = "\
Examples:
  once proxy routes
  once proxy routes --json                 one hostname a line";

pub(crate) const PROXY_HANDBACK: &str = "\
Examples:
  once proxy handback kamal-proxy --http-port 8080";

pub(crate) const PROXY_LOGS: &str = "\
Examples:
  once proxy logs -n 50
  once proxy logs -f";

pub(crate) const LOGS: &str = "\
Examples:
  once logs shop -f                     go on with what comes, over deploys and restarts
  once logs shop --since 10m --grep '(?i)error'
  once logs shop --since 3h --until 2h  all releases whose containers are kept, by time
  once logs shop --access -n 100        requests, as the proxy saw them
  once logs shop --release 12           what an earlier release wrote
  once logs shop --previous             what was written before the last restart

With -f a line on standard error says where another release goes on; with --json that is an object of
the kind `break`.";

pub(crate) const ADOPT: &str = "\
Examples:
  once adopt wiki --dry-run          what would be taken over, what cannot be, and what it costs
  once adopt wiki --host wiki.example.com
  once adopt shop-web-3f2a91c        an app of Kamal's: its hostnames are those Kamal's proxy has
  once adopt once-shop-3             an app of our own whose record was lost
  once adopt --all --dry-run         what would come of all of ours without a record, of ONCE's and of Kamal's
  once adopt --undo wiki             the container is nobody's app again, and runs

The container runs on as it is, as release 1 of the app; the next deploy swaps it for one of our own.";

pub(crate) const EXPORT: &str = "\
Examples:
  once export > run.sh                     all apps as a script of `docker run`, secrets left out
  once export shop --secrets shop.env > run.sh && sh run.sh shop.env
  once export --format toml > once.toml    the settings as a document; format 1

The script runs each app under its own name on a port of 127.0.0.1, with the same image, variables, volumes and limits. In the
document a secret is `@secret`.";

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _, Parser as _};

    use super::super::Cli;

    /// The words of an example, without what is before `once`, behind the command, and the remark.
    fn typed(line: &str) -> Option<Vec<String>> {
        let line = line.strip_prefix("  ")?;
        let command = line.split("  ").next()?;
        let command =
            [" > ", " < ", " && ", " | "].iter().fold(command, |text, end| text.split(end).next().unwrap_or(text));
        let mut words = vec![String::new()];
        let mut quoted = false;
        for letter in command.chars() {
            match letter {
                '\'' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                letter => words.last_mut()?.push(letter),
            }
        }
        let once = words.iter().position(|word| word == "once")?;
        words[..once].iter().all(|word| word.contains('=')).then(|| words.split_off(once))
    }

    fn leaves(command: &Command, path: &str, found: &mut Vec<(String, String)>) {
        let path = format!("{path} {}", command.get_name());
        let below: Vec<_> = command.get_subcommands().filter(|below| !below.is_hide_set()).collect();
        if below.is_empty() {
            found.push((path, command.get_after_help().map(ToString::to_string).unwrap_or_default()));
            return;
        }
        for command in below {
            leaves(command, &path, found);
        }
    }

    #[test]
    fn every_command_has_examples_that_can_be_typed() {
        let mut found = Vec::new();
        leaves(&Cli::command(), "", &mut found);
        assert!(found.len() > 35, "{found:?}");
        for (path, help) in found.iter().chain([&("once".to_owned(), super::super::EXAMPLES.to_owned())]) {
            assert!(help.starts_with("Examples:\n"), "{path} has no examples");
            let examples = help.lines().skip(1).take_while(|line| !line.is_empty());
            let mut own = 0;
            for line in examples {
                let words = typed(line).unwrap_or_else(|| panic!("no command in `{line}` of {path}"));
                if let Err(error) = Cli::try_parse_from(&words) {
                    panic!("`{line}` of {path}: {error}");
                }
                let name = path.rsplit(' ').next().unwrap_or_default();
                own += usize::from(words.iter().any(|word| word == name));
            }
            assert!(own > 0, "no example of {path} is of it");
        }
    }
}
