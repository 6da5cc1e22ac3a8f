//! `fondaco negotiate`: ask another participant for an agreement, and wait for it.

use super::{
    answer::Answer,
    client::ParticipantClient,
    context::Context,
    failure::{Failure, Result},
    negotiation,
    show::{Fields, text},
};
use fondaco_core::{Code, price::Price};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// Seconds waited when nothing is said: two nodes that decide by rule need far less than one.
const WAIT_SECONDS_DEFAULT: u64 = 30;
/// Longest wait of one call; the API allows 60.
const WAIT_SECONDS_PER_CALL: u64 = 50;

/// Negotiate an agreement about a peer's product
///
/// Asks for the offer, and waits until the agreement is final or refused. Both sides then hold the same agreement.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  fondaco --dir mynode negotiate did:web:data.example.org:p:acme flights
  fondaco --dir mynode negotiate https://data.example.org/p/acme flights --offer off_0190f6c2 --purpose research
  fondaco --dir mynode negotiate did:web:data.example.org:p:acme flights --price \"80 CNY\"

With --json: {\"negotiationId\", \"state\", \"agreementId\"}. The status is 1 when it was not final in time.")]
pub(super) struct Args {
    /// A did:web, or an address that ends in /p/SLUG
    peer: String,
    /// The product's id in the peer's catalogue
    product: String,
    /// Which of the product's offers [default: the only one]
    #[arg(long, value_name = "ID")]
    offer: Option<String>,
    /// A purpose you declare; it is recorded with the agreement. May be given several times
    #[arg(long, value_name = "TEXT")]
    purpose: Vec<String>,
    /// Ask for the offer at another price than its own, in its currency, as in "80 CNY"
    #[arg(long, value_name = "AMOUNT CURRENCY", value_parser = Price::read)]
    price: Option<Price>,
    /// Seconds to wait for the end; 0 asks and does not wait
    #[arg(long, value_name = "SECS", default_value_t = WAIT_SECONDS_DEFAULT)]
    wait: u64,
}

/// Runs the command.
pub(super) async fn run(context: &Context, args: Args) -> Result<Answer> {
    let us = context.participant().await?;
    let mut body = json!({"peer": args.peer, "product": args.product});
    if let Some(offer) = &args.offer {
        body["offer"] = offer.as_str().into();
    }
    if !args.purpose.is_empty() {
        body["purpose"] = args.purpose.clone().into();
    }
    if let Some(price) = args.price {
        body["price"] = json!(price);
    }
    let asked = us.create(&["negotiations"], &body).await?;
    let id = text(&asked, "negotiationId").to_owned();
    if id.is_empty() {
        return Err(Failure::new(Code::PeerAnsweredBadly, "The node did not say which negotiation it began."));
    }
    let now = if args.wait == 0 { asked } else { wait(context, &us, &id, args.wait).await? };
    Ok(answer(context, &id, &now, args.wait))
}

async fn wait(context: &Context, us: &ParticipantClient, id: &str, seconds: u64) -> Result<Value> {
    let spinner = context.shows_progress().then(|| {
        let spinner = indicatif::ProgressBar::new_spinner().with_message(format!("Waiting for the other side, up to {seconds} s"));
        spinner.enable_steady_tick(Duration::from_millis(120));
        spinner
    });
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let outcome = loop {
        let left = deadline.saturating_duration_since(Instant::now()).as_secs_f64().ceil();
        // At least one second, so that a node that answers early is not asked in a tight loop.
        let ask = Duration::from_secs_f64(left).as_secs().clamp(1, WAIT_SECONDS_PER_CALL);
        match us.get(&["negotiations", id], &[("wait", &ask.to_string())]).await {
            Ok(now) if negotiation::is_final(&now) || Instant::now() >= deadline => break Ok(now),
            Ok(_) => {}
            Err(e) => break Err(e),
        }
    };
    if let Some(spinner) = spinner {
        spinner.finish_and_clear();
    }
    outcome
}

fn answer(context: &Context, id: &str, now: &Value, waited: u64) -> Answer {
    let state = text(now, "state");
    let agreement = now.get("agreementId").filter(|a| a.is_string()).cloned().unwrap_or(Value::Null);
    let json = json!({"negotiationId": id, "state": state, "agreementId": agreement});
    let fields = Fields::default().add("Negotiation", id).add("State", state).add("Agreement", agreement.as_str().unwrap_or("")).render();
    let mut answer = Answer::new(json, fields);
    match (state, agreement.as_str()) {
        ("FINALIZED", Some(agreement)) => {
            return answer
                .then(context.command(&format!("fetch {agreement} --out data")))
                .then(context.command(&format!("fetch {agreement} --profile access.share")));
        }
        ("FINALIZED", None) => {}
        ("TERMINATED", _) => {
            answer.unmet = Some(format!("The negotiation was terminated; there is no agreement. {}", negotiation::ending(now)));
        }
        _ if waited > 0 => {
            let why = match text(now, "deliveryProblem") {
                "" => "A person on the other side may have to approve it.".to_owned(),
                problem => format!("Our last message has not arrived: {problem}"),
            };
            answer.unmet = Some(format!("Not final after {waited} s; it is {state} and goes on by itself. {why}"));
        }
        _ => {}
    }
    answer.then(context.command(&format!("negotiation show {id}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_has_three_members_and_says_what_follows() {
        let done = answer(&Context::default(), "neg_1", &json!({"state": "FINALIZED", "agreementId": "agr_1", "role": "consumer"}), 30);
        assert_eq!(done.json, Some(json!({"negotiationId": "neg_1", "state": "FINALIZED", "agreementId": "agr_1"})));
        assert_eq!(done.unmet, None);
        assert_eq!(done.next[0], "fondaco fetch agr_1 --out data");
    }

    #[test]
    fn refusal_and_timeout_fail_and_not_waiting_does_not() {
        let now = json!({"state": "TERMINATED", "ending": {"by": "provider", "code": "policy", "reasons": ["Only for members."]}});
        let refused = answer(&Context::default(), "neg_1", &now, 30);
        assert!(refused.unmet.expect("unmet").contains("Only for members."));
        let late = answer(&Context::default(), "neg_1", &json!({"state": "REQUESTED"}), 30);
        assert!(late.unmet.expect("unmet").contains("REQUESTED"));
        let stuck = answer(&Context::default(), "neg_1", &json!({"state": "REQUESTED", "deliveryProblem": "It is down."}), 5);
        assert!(stuck.unmet.expect("unmet").ends_with("Our last message has not arrived: It is down."));
        let asked = answer(&Context::default(), "neg_1", &json!({"state": "REQUESTED", "agreementId": null}), 0);
        assert_eq!((asked.unmet, asked.json.expect("json")["agreementId"].clone()), (None, Value::Null));
    }
}
