//! What a command answers, and how it is printed: the answer on standard output, everything else on standard error.

use super::{
    context::Context,
    failure::{EXIT_FAILED, Failure},
    show::clean,
};
use serde_json::Value;
use std::io::{self, Write};

/// The answer of a command.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The one document of `--json`. `None` when the command has written its own output.
    pub(super) json: Option<Value>,
    /// The text otherwise; ends in a newline.
    pub(super) text: String,
    /// Commands that would come next, for a person.
    pub(super) next: Vec<String>,
    /// Something that qualifies the answer, for standard error.
    pub(super) notes: Vec<String>,
    /// Why the status is 1 although there is an answer: the negotiation was not finalised, a check failed.
    pub(super) unmet: Option<String>,
}

impl Answer {
    /// An answer in both forms.
    pub(super) fn new(json: Value, text: impl Into<String>) -> Self {
        Self { json: Some(json), text: text.into(), ..Self::default() }
    }
    /// The command has printed what there was to print.
    pub(super) fn printed() -> Self {
        Self::default()
    }
    /// Adds a next step.
    #[must_use]
    pub(super) fn then(mut self, command: impl Into<String>) -> Self {
        self.next.push(command.into());
        self
    }
    /// Adds a note.
    #[must_use]
    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// Prints what came of a command and gives the exit status.
pub(super) fn print(outcome: &Result<Answer, Failure>, context: &Context, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    match outcome {
        Ok(answer) => {
            if let Some(json) = &answer.json {
                if context.json {
                    write_json(out, json)?;
                } else {
                    out.write_all(answer.text.as_bytes())?;
                }
            }
            out.flush()?;
            for note in &answer.notes {
                writeln!(err, "{}", clean(note))?;
            }
            if let Some(why) = &answer.unmet {
                writeln!(err, "{}", clean(why))?;
            }
            if !answer.next.is_empty() && !context.quiet && !context.json {
                writeln!(err, "\nNext:")?;
                for command in &answer.next {
                    writeln!(err, "  {}", clean(command))?;
                }
            }
            Ok(if answer.unmet.is_some() { EXIT_FAILED } else { 0 })
        }
        Err(failure) => {
            if context.json {
                let json = serde_json::to_value(&*failure.problem).map_err(io::Error::other)?;
                write_json(out, &json)?;
                out.flush()?;
            }
            writeln!(err, "{}", failure.text())?;
            Ok(failure.exit)
        }
    }
}

/// One document, indented for the eye, ending in a newline.
pub(super) fn write_json(out: &mut dyn Write, json: &Value) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, json)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use fondaco_core::Code;
    use serde_json::json;

    fn printed(outcome: &Result<Answer, Failure>, json: bool) -> (u8, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let context = Context { json, ..Context::default() };
        let status = print(outcome, &context, &mut out, &mut err).expect("print");
        (status, String::from_utf8(out).expect("utf-8"), String::from_utf8(err).expect("utf-8"))
    }

    #[test]
    fn json_is_one_document_on_stdout_in_success_and_failure() {
        let answer = || Answer::new(json!({"id": "x"}), "x\n").then("fondaco next").note("a note");
        let (status, out, err) = printed(&Ok(answer()), true);
        assert_eq!((status, err.as_str()), (0, "a note\n"));
        assert_eq!(serde_json::from_str::<Value>(&out).expect("json"), json!({"id": "x"}));

        let (status, out, err) = printed(&Err(Failure::new(Code::NotFound, "No such product.")), true);
        assert_eq!(status, 1);
        let problem: Value = serde_json::from_str(&out).expect("json");
        assert_eq!((problem["code"].as_str(), problem["detail"].as_str()), (Some("FDC-1004"), Some("No such product.")));
        assert!(err.starts_with("error: No such product.\n"));
    }

    #[test]
    fn text_goes_to_stdout_and_hints_to_stderr() {
        let answer = Answer::new(json!({}), "done\n").then("fondaco next");
        assert_eq!(printed(&Ok(answer), false), (0, "done\n".into(), "\nNext:\n  fondaco next\n".into()));
        let (status, out, _) = printed(&Err(Failure::usage("Say which.")), false);
        assert_eq!((status, out.as_str()), (2, ""));
    }

    #[test]
    fn an_unmet_answer_is_printed_and_fails() {
        let answer = Answer { unmet: Some("not finalised".into()), ..Answer::new(json!({"state": "TERMINATED"}), "TERMINATED\n") };
        let (status, out, err) = printed(&Ok(answer), true);
        assert_eq!((status, err.as_str()), (1, "not finalised\n"));
        assert!(out.contains("TERMINATED"));
    }
}
