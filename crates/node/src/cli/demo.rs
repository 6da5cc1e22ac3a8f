//! `fondaco demo`: several nodes on this machine, with data, deals made and one waiting for the visitor.

use super::{
    answer::{Answer, write_json},
    context::{Context, quoted},
    failure::{Failure, Result},
    serve::Stop,
    show::{Fields, clean},
};
use crate::{
    config::{Log, LogFormat},
    demo::{Audience, DealFacts, DemoOptions, Example, Facts, NODES_MAX, NODES_MIN, NodeFacts, Report, demo},
    telemetry,
};
use fondaco_console::format::python_literal;
use fondaco_core::{Code, Error};
use std::{
    fmt::Write as _,
    io::{self, Write},
    path::Path,
};
use tokio_util::sync::CancellationToken;

/// The environment variable for the log's level, as for a node of one's own.
const LEVEL_VARIABLE: &str = "FONDACO_LOG__LEVEL";

/// Start several nodes on this machine and watch them trade
///
/// Each node is a science park with a database, tables and terms of its own; deals are made, and one waits for you.
/// Prints where each console is and how to sign in, and a worked example to paste. Ctrl-C stops them all.
///
/// Without --dir everything is in a temporary folder that goes at the end. With --dir it stays, and the next run goes
/// on from there.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  fondaco demo
  fondaco demo --nodes 11
  fondaco demo --dir demo          keep what happens, and go on from there next time")]
pub(super) struct Args {
    /// How many nodes
    #[arg(long, value_name = "N", default_value_t = NODES_MIN as u8, value_parser = clap::value_parser!(u8).range(NODES_MIN as i64..=NODES_MAX as i64))]
    nodes: u8,
    /// Make the deals, verify them, stop
    #[arg(long)]
    exit_when_done: bool,
}

/// Runs the command.
pub(super) async fn run(context: &Context, args: Args) -> Result<Answer> {
    // Several nodes at once would drown the text in their logs; who wants them asks for them.
    let level = std::env::var(LEVEL_VARIABLE).unwrap_or_else(|_| "off".into());
    telemetry::start(&Log { format: LogFormat::Text, level, ..Log::default() })?;
    let options = DemoOptions {
        // A folder named in the environment is that of a node, for all other commands.
        dir: context.dir.clone().filter(|_| !context.dir_from_environment),
        nodes: usize::from(args.nodes),
        exit_when_done: args.exit_when_done,
        rows: None,
    };
    let mut told = Stop::new()?;
    let stop = CancellationToken::new();
    let mut terminal = Terminal { context, program: program() };
    let report = tokio::select! {
        report = demo(options, stop.clone(), &mut terminal) => report?,
        () = twice(&mut told, &stop) => return Err(Failure::new(Code::Unavailable, "Told twice to stop: the nodes were left as they were.")),
    };
    answer(&args, &report)
}

/// The first signal asks the nodes to stop, the second does not wait for them.
async fn twice(told: &mut Stop, stop: &CancellationToken) {
    told.requested().await;
    stop.cancel();
    told.requested().await;
}

fn answer(args: &Args, report: &Report) -> Result<Answer> {
    if !args.exit_when_done {
        // Everything was shown when it was ready.
        return Ok(Answer::printed());
    }
    let Some(verified) = report.verified else {
        return Err(Failure::new(Code::Unavailable, "Stopped before the deals were verified."));
    };
    let json = serde_json::to_value(report).map_err(Error::internal_failure)?;
    let mut answer = Answer::new(json, format!("verified {verified} {}\n", if verified == 1 { "deal" } else { "deals" }));
    if !report.problems.is_empty() {
        answer.unmet = Some(format!("{} not as it should be.", if report.problems.len() == 1 { "This is" } else { "These are" }));
        answer.notes.clone_from(&report.problems);
    }
    Ok(answer)
}

/// How the program was called, for commands to paste: by its name when it is on the path.
fn program() -> String {
    let called = std::env::args_os().next().unwrap_or_default();
    match std::env::current_exe() {
        Ok(path) if Path::new(&called).components().count() > 1 => quoted(&path.to_string_lossy()),
        _ => "fondaco".into(),
    }
}

/// Shows the demonstration to whoever started it.
struct Terminal<'a> {
    context: &'a Context,
    program: String,
}

impl Audience for Terminal<'_> {
    fn progress(&mut self, line: &str) {
        if !self.context.quiet {
            // A closed standard error must not end the demonstration.
            let _ = writeln!(io::stderr(), "{}", clean(line));
        }
    }

    fn ready(&mut self, facts: &Facts) -> fondaco_core::Result<()> {
        let mut out = io::stdout().lock();
        let written = if self.context.json {
            serde_json::to_value(facts).map_err(io::Error::from).and_then(|facts| write_json(&mut out, &facts))
        } else {
            let text = text(facts, &self.program, self.context.quiet);
            out.write_all(text.as_bytes())
        };
        written.and_then(|()| out.flush()).map_err(Error::internal_failure)
    }
}

/// The whole text. Quiet: where the consoles are, nothing else.
fn text(facts: &Facts, program: &str, quiet: bool) -> String {
    let mut out = String::new();
    for node in &facts.nodes {
        let mut fields = Fields::default();
        fields
            .add("  Console", &node.console_url)
            .add("  Sign in", format!("{}  {}", node.login, node.password))
            .add("  DID", node.did.as_str())
            .add("  Address", &node.address)
            .add("  Folder", node.dir.to_string_lossy());
        let _ = write!(out, "\n{}\n{}", clean(&node.name), fields.render());
    }
    if quiet {
        return out.trim_start().to_owned();
    }
    let named = |slug: &str| facts.nodes.iter().find(|node| node.slug == slug);
    let mut steps = Vec::new();
    if let Some((deal, host, guest)) =
        facts.deals.iter().find(|deal| deal.waiting).and_then(|deal| Some((deal, named(&deal.provider)?, named(&deal.consumer)?)))
    {
        steps.push(waiting(deal, host, guest));
    }
    if let Some(one_click) = one_click(facts) {
        steps.push(one_click);
    }
    if let Some(example) = &facts.example {
        steps.push(reading(example, named(&example.consumer)));
        steps.push(by_hand(example));
    }
    if let [first, .., last] = &facts.nodes[..] {
        steps.push(commands(program, facts, first, last));
        steps.push(proof(program, first));
    }
    out.push_str("\nThings to do\n");
    for (i, step) in steps.iter().enumerate() {
        let _ = write!(out, "\n{}. {step}", i + 1);
    }
    let folder = quoted(&facts.dir.to_string_lossy());
    out.push_str(&if facts.temporary {
        format!("\nCtrl-C stops all nodes and removes {folder}.\n")
    } else {
        format!("\nCtrl-C stops all nodes. To go on: {program} demo --dir {folder}\n")
    });
    out
}

/// The deal that waits for the visitor.
fn waiting(deal: &DealFacts, host: &NodeFacts, guest: &NodeFacts) -> String {
    format!(
        "Decide. {} asks {} for \"{}\" and waits for somebody to agree.\n   Sign in at {} and open:\n\n     {}/p/{}/negotiations/{}\n",
        guest.name, host.name, deal.title, host.name, host.console_url, host.slug, deal.provider_negotiation_id,
    )
}

/// A product that the first node has not asked for yet.
fn one_click(facts: &Facts) -> Option<String> {
    let [host, _, provider, ..] = &facts.nodes[..] else { return None };
    Some(format!(
        "Negotiate. {} may have the charging sessions of {}: one click in its catalogue, and the\n   states arrive while you watch.\n\n     {}/p/{}/catalog?peer={}\n",
        host.name,
        provider.name,
        host.console_url,
        host.slug,
        url::form_urlencoded::byte_serialize(provider.did.as_str().as_bytes()).collect::<String>(),
    ))
}

/// Python. The lines are not indented, so that they can be pasted.
fn reading(example: &Example, consumer: Option<&NodeFacts>) -> String {
    let who = consumer.map_or(example.consumer.as_str(), |node| &node.name);
    let place = python_literal(&format!("{}#{}", example.profile.display(), example.table));
    format!(
        "Read \"{}\" as {who}, with the client you already use.\n\n\
         pip install delta-sharing\n\
         python3 - <<'END'\n\
         import delta_sharing\n\
         data = delta_sharing.load_as_pandas({place})\n\
         print(data)\n\
         END\n",
        example.title,
    )
}

/// The protocol by hand.
fn by_hand(example: &Example) -> String {
    format!(
        "Or by hand: this is one read, and is counted.\n\n     curl -H 'Content-Type: application/json' -d '{{}}' \\\n       -H {} \\\n       {}\n",
        quoted(&format!("Authorization: Bearer {}", example.bearer_token)),
        quoted(&example.query_url),
    )
}

/// The same by command line.
fn commands(program: &str, facts: &Facts, first: &NodeFacts, last: &NodeFacts) -> String {
    let dir = quoted(&first.dir.to_string_lossy());
    let mut lines =
        vec![format!("{program} --dir {dir} agreement list"), format!("{program} --dir {dir} catalog {}", quoted(last.did.as_str()))];
    if let [_, _, provider, ..] = &facts.nodes[..] {
        lines.push(format!("{program} --dir {dir} negotiate {} charging-sessions", quoted(provider.did.as_str())));
    }
    lines.push(format!("{program} --dir {dir} fetch AGREEMENT --out charging-sessions"));
    indented("Do the same by command.", lines)
}

/// What both logs hold of a deal, and a file that anybody checks.
fn proof(program: &str, node: &NodeFacts) -> String {
    let dir = quoted(&node.dir.to_string_lossy());
    let lines = [
        format!("{program} --dir {dir} evidence timeline AGREEMENT"),
        format!("{program} --dir {dir} evidence get AGREEMENT --out agreement.json"),
        format!("{program} verify agreement.json"),
    ];
    indented("Prove a deal: what both sides logged of it, and a file that anybody checks without asking a node.", lines)
}

fn indented(heading: &str, lines: impl IntoIterator<Item = String>) -> String {
    let mut out = format!("{heading}\n\n");
    for line in lines {
        let _ = writeln!(out, "     {line}");
    }
    out
}
