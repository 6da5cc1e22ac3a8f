//! The `fondaco` command: section 10 of the design. One file per command; each reads its arguments, talks to the
//! running node's admin API, and gives an [`answer::Answer`] that is printed as text or as one JSON document.

mod agreement;
mod answer;
mod apply;
mod backup;
mod catalog;
mod client;
mod completions;
mod connection;
mod context;
mod demo;
mod disk;
mod doctor;
mod evidence;
mod failure;
mod feed;
mod fetch;
mod init;
mod lineage;
mod log;
#[cfg(test)]
mod named_commands;
mod negotiate;
mod negotiation;
mod participant;
mod product;
mod query;
mod reference;
mod report;
mod requests;
mod restore;
mod search;
mod serve;
mod show;
mod token;
mod transfer;
mod user;
mod verify;

pub use reference::reference;

use answer::Answer;
use clap::{CommandFactory, Parser, Subcommand, error::ErrorKind};
use context::Context;
use failure::{EXIT_USAGE, Failure, Result};
use std::{ffi::OsString, io, path::PathBuf, process::ExitCode, time::Duration};

/// How long threads that still work may take when the command is done.
const THREADS_END: Duration = Duration::from_secs(5);

/// Share and trade data with organisations you do not have to trust.
///
/// One `fondaco` process is a node: it hosts one or more participants (organisations), publishes their products
/// under terms, negotiates agreements with other nodes, and delivers what was agreed.
#[derive(Debug, Parser)]
#[command(
    name = "fondaco",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_long_help = "First steps:
  fondaco demo                                               three nodes that trade, to look around
  fondaco init --dir mynode --participant acme --name \"Acme\"   a node of your own
  fondaco serve --dir mynode
  fondaco --dir mynode product add data.csv --id data --title \"Our data\"

Commands talk to the running node with the token in DIR/admin.token, or the one in FONDACO_TOKEN.
Exit status: 0 done, 1 refused or failed, 2 wrong usage."
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options of every command")]
struct Global {
    /// The node's folder
    #[arg(long, global = true, value_name = "DIR", env = context::DIR_VARIABLE, hide_env_values = true)]
    dir: Option<PathBuf>,
    /// The participant to act for [default: the only one]
    #[arg(id = "as", long = "as", global = true, value_name = "SLUG")]
    acting_as: Option<String>,
    /// Print one JSON document on standard output; messages go to standard error
    #[arg(long, global = true)]
    json: bool,
    /// Print the answer only: no hints, no progress
    #[arg(short, long, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Serve(serve::Args),
    Demo(demo::Args),
    Doctor(doctor::Args),
    Backup(backup::Args),
    Restore(restore::Args),
    Apply(apply::Args),
    #[command(subcommand)]
    Product(product::Command),
    #[command(subcommand)]
    Connection(connection::Command),
    #[command(subcommand)]
    Feed(feed::Command),
    Catalog(catalog::Args),
    Search(search::Args),
    Negotiate(negotiate::Args),
    #[command(subcommand)]
    Negotiation(negotiation::Command),
    #[command(subcommand)]
    Agreement(agreement::Command),
    #[command(subcommand)]
    Transfer(transfer::Command),
    #[command(subcommand)]
    Evidence(evidence::Command),
    #[command(subcommand)]
    Log(log::Command),
    Lineage(lineage::Args),
    Report(report::Args),
    Requests(requests::Args),
    Fetch(fetch::Args),
    Query(query::Args),
    #[command(subcommand)]
    Participant(participant::Command),
    #[command(subcommand)]
    User(user::Command),
    #[command(subcommand)]
    Token(token::Command),
    Verify(verify::Args),
    Completions(completions::Args),
}

/// Runs the command of this process and gives its exit status.
pub fn main() -> ExitCode {
    crate::footprint::prefer_small_pages();
    let args: Vec<OsString> = std::env::args_os().collect();
    let (context, outcome) = match Cli::try_parse_from(&args) {
        Ok(cli) => {
            let context = Context {
                dir_from_environment: cli.global.dir.is_some() && !mentions(&args, "--dir"),
                dir: cli.global.dir,
                participant: cli.global.acting_as,
                json: cli.global.json,
                quiet: cli.global.quiet,
            };
            let outcome = runtime(&cli.command).and_then(|runtime| {
                let outcome = runtime.block_on(run(cli.command, &context));
                // Not for ever, for a thread that waits for a disk or a server.
                runtime.shutdown_timeout(THREADS_END);
                outcome
            });
            (context, outcome)
        }
        Err(e) if matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => return help(&e),
        Err(e) if mentions(&args, "--json") => {
            // Whoever asked for JSON gets a document even when the rest of the line was wrong.
            (Context { json: true, ..Context::default() }, Err(Failure::usage(usage_message(&e))))
        }
        Err(e) => return help(&e),
    };
    match answer::print(&outcome, &context, &mut io::stdout().lock(), &mut io::stderr().lock()) {
        Ok(status) => ExitCode::from(status),
        // The reader has gone (`… | head`): nobody is left to tell.
        Err(_) => ExitCode::from(failure::EXIT_FAILED),
    }
}

fn help(e: &clap::Error) -> ExitCode {
    // A closed pipe is the only way this fails, and then nobody reads it.
    let _ = e.print();
    ExitCode::from(if e.use_stderr() { EXIT_USAGE } else { 0 })
}

fn usage_message(e: &clap::Error) -> String {
    let text = e.to_string();
    let first = text.split("\n\n").next().unwrap_or(&text);
    first.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn mentions(args: &[OsString], option: &str) -> bool {
    args.iter()
        .take_while(|a| *a != "--")
        .filter_map(|a| a.to_str())
        .any(|a| a == option || a.strip_prefix(option).is_some_and(|rest| rest.starts_with('=')))
}

/// A node gets a thread per core; a command that makes a few calls gets none.
fn runtime(command: &Command) -> Result<tokio::runtime::Runtime> {
    let mut builder = match command {
        Command::Serve(_) | Command::Demo(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    builder.enable_all().build().map_err(|e| fondaco_core::Error::internal_failure(e).into())
}

async fn run(command: Command, context: &Context) -> Result<Answer> {
    match command {
        Command::Init(args) => init::run(context, args).await,
        Command::Serve(args) => serve::run(context, args).await,
        Command::Demo(args) => demo::run(context, args).await,
        Command::Doctor(args) => doctor::run(context, args).await,
        Command::Backup(args) => backup::run(context, args).await,
        Command::Restore(args) => restore::run(context, args).await,
        Command::Apply(args) => apply::run(context, args).await,
        Command::Product(command) => product::run(context, command).await,
        Command::Connection(command) => connection::run(context, command).await,
        Command::Feed(command) => feed::run(context, command).await,
        Command::Catalog(args) => catalog::run(context, args).await,
        Command::Search(args) => search::run(context, args).await,
        Command::Negotiate(args) => negotiate::run(context, args).await,
        Command::Negotiation(command) => negotiation::run(context, command).await,
        Command::Agreement(command) => agreement::run(context, command).await,
        Command::Transfer(command) => transfer::run(context, command).await,
        Command::Evidence(command) => evidence::run(context, command).await,
        Command::Log(command) => log::run(context, command).await,
        Command::Lineage(args) => lineage::run(context, args).await,
        Command::Report(args) => report::run(context, args).await,
        Command::Requests(args) => requests::run(context, &args),
        Command::Fetch(args) => fetch::run(context, args).await,
        Command::Query(args) => query::run(context, args).await,
        Command::Participant(command) => participant::run(context, command).await,
        Command::User(command) => user::run(context, command).await,
        Command::Token(command) => token::run(context, command).await,
        Command::Verify(args) => verify::run(context, &args),
        Command::Completions(args) => completions::run(&args),
    }
}

/// The command line as clap sees it: for completions and the reference.
fn command() -> clap::Command {
    Cli::command()
}

/// A list as the answer of a command: `{"<plural>": […]}` and a table.
fn list_answer(plural: &str, found: client::Items, text: String) -> Answer {
    let count = found.items.len();
    let members = serde_json::Map::from_iter([(plural.to_owned(), found.items.into())]);
    let answer = Answer::new(members.into(), text);
    if found.truncated { answer.note(format!("Only the first {count} are shown; the API has the rest.")) } else { answer }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> std::result::Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn global_options_may_stand_before_and_after() {
        for line in ["fondaco --dir d --as acme --json product list", "fondaco product list --json --as acme --dir d"] {
            let cli = parse(line).expect(line);
            assert_eq!(cli.global.dir.as_deref(), Some(std::path::Path::new("d")));
            assert_eq!((cli.global.acting_as.as_deref(), cli.global.json), (Some("acme"), true));
        }
    }

    #[test]
    fn a_commands_own_participant_is_not_the_one_acted_for() {
        let cli = parse("fondaco init --dir d --participant acme --name Acme").expect("init");
        assert_eq!(cli.global.acting_as, None);
        let cli = parse("fondaco --as acme user add mei --participant beta").expect("user");
        assert_eq!(cli.global.acting_as.as_deref(), Some("acme"));
    }

    #[test]
    fn every_command_of_the_design_parses() {
        for line in [
            "fondaco init --dir d --participant acme --name Acme --public http://127.0.0.1:7400 --admin 127.0.0.1:7401 --database sqlite:x",
            "fondaco serve --dir d",
            "fondaco demo",
            "fondaco demo --dir d --nodes 11 --exit-when-done",
            "fondaco doctor --dir d",
            "fondaco doctor --dir d --deep",
            "fondaco backup --dir d --out f",
            "fondaco --dir d backup --out - --allow-missing",
            "fondaco restore f --dir d",
            "fondaco restore f --dir d --database postgres://h/d",
            "fondaco restore f --verify-only",
            "fondaco --dir d product add a.parquet b.csv --kind table --id x --title T --offer o.json --offer p.json",
            "fondaco --dir d apply seed.toml",
            "fondaco --dir d product list",
            "fondaco --dir d product show x",
            "fondaco --dir d product withdraw x",
            "fondaco --dir d catalog did:web:127.0.0.1%3A7400:p:acme",
            "fondaco --dir d negotiate http://127.0.0.1:7400/p/acme x --offer off_1 --wait 5 --purpose research",
            "fondaco --dir d negotiation list",
            "fondaco --dir d negotiation terminate neg_1 --reason no",
            "fondaco --dir d agreement list",
            "fondaco --dir d agreement show agr_1",
            "fondaco --dir d agreement list --state expired",
            "fondaco --dir d agreement end agr_1",
            "fondaco --dir d agreement stop agr_1 --reason leak",
            "fondaco --dir d agreement resume agr_1",
            "fondaco --dir d agreement renew agr_1 --accept-changes",
            "fondaco --dir d product stop x --reason leak",
            "fondaco --dir d product resume x",
            "fondaco --dir d transfer list",
            "fondaco --dir d transfer suspend trf_1",
            "fondaco --dir d transfer resume trf_1",
            "fondaco --dir d transfer end trf_1",
            "fondaco --dir d evidence list --agreement agr_1",
            "fondaco --dir d evidence get agr_1 --out f",
            "fondaco --dir d evidence timeline agr_1",
            "fondaco --dir d evidence check",
            "fondaco --dir d evidence trust did:web:x key",
            "fondaco --dir d evidence erase evi_1 --reason asked",
            "fondaco --dir d evidence erase evi_1 --node --reason asked",
            "fondaco --dir d log check",
            "fondaco --dir d log export --out d",
            "fondaco --dir d log resume --without-witnesses",
            "fondaco --dir d requests --since 2026-11-22 --status 5xx --last 10",
            "fondaco --dir d requests --id 0190f6c2",
            "fondaco --dir d lineage report:2",
            "fondaco --dir d report --from 2026-10-01 --to 2026-11-01 --format csv --out f",
            "fondaco --dir d lineage agr_1 --format prov --out f",
            "fondaco --dir d fetch agr_1 --profile p.share",
            "fondaco --dir d fetch agr_1 --out data",
            "fondaco --dir d query agr_1 SELECT --out a.csv",
            "fondaco participant add beta --name Beta --country CN",
            "fondaco user add mei --participant acme",
            "fondaco token create --name ci --scope read",
            "fondaco token revoke tok_1",
            "fondaco verify a.json b.json --policy p",
            "fondaco completions bash",
        ] {
            parse(line).expect(line);
        }
    }

    #[test]
    fn wrong_usage_has_status_2() {
        for line in [
            "fondaco",
            "fondaco frobnicate",
            "fondaco verify",
            "fondaco fetch agr_1",
            "fondaco log policy a --clear",
            "fondaco evidence erase evi_1",
            "fondaco log export",
            "fondaco requests --since yesterday",
            "fondaco requests --status odd",
            "fondaco lineage agr_1 --format rdf",
            "fondaco report --from 2026-10-01",
            "fondaco evidence list --node --agreement agr_1",
            "fondaco agreement stop agr_1",
            "fondaco agreement list --state odd",
            "fondaco backup --dir d",
            "fondaco restore --dir d",
            "fondaco fetch agr_1 --out a --profile b",
            "fondaco product add --id x --title T",
            "fondaco token create --name ci --scope admin",
            "fondaco negotiate peer product --wait soon",
            "fondaco demo --nodes 2",
            "fondaco demo --nodes 12",
        ] {
            let e = parse(line).expect_err(line);
            assert_eq!(e.exit_code(), 2, "{line}");
            assert!(!usage_message(&e).is_empty());
        }
    }

    #[test]
    fn options_are_seen_on_the_raw_line() {
        let args = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert!(mentions(&args("fondaco --json x"), "--json"));
        assert!(mentions(&args("fondaco --dir=d x"), "--dir"));
        assert!(!mentions(&args("fondaco --directory x -- --dir"), "--dir"));
    }
}
