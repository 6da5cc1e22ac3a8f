//! Fields of forms and what is wrong with them, the same on every page: a label, a hint, the problem beside the
//! field, and a summary above the form that leads to each.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::text::{Text, filters};

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field's id, on this page or (`describe#title`) on the one beside it; empty where it is about the form as a
    /// whole.
    pub field: String,
    /// One or two sentences.
    pub text: Text,
}

impl Problem {
    /// Where its field is: on this page, or (`describe#title`) on the one beside it.
    fn href(&self) -> String {
        if self.field.contains('#') { self.field.clone() } else { format!("#{}", self.field) }
    }

    /// About a field.
    pub fn of(field: impl Into<String>, text: Text) -> Self {
        Self { field: field.into(), text }
    }
}

/// The summary above a form.
#[derive(Debug, Clone, PartialEq, Eq, Default, Template)]
#[template(path = "parts/problems.html")]
pub struct Problems(pub Vec<Problem>);

impl HtmlSafe for Problems {}

impl Problems {
    /// What is wrong with a field.
    pub fn of(&self, field: &str) -> Option<&Text> {
        self.0.iter().find(|p| p.field == field).map(|p| &p.text)
    }

    /// Notes a problem.
    pub fn add(&mut self, field: impl Into<String>, text: Text) {
        self.0.push(Problem::of(field, text));
    }

    /// Whether all is well.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A field for text with its label, hint and problem.
    pub fn field(&self, id: &str, label: Text, value: &str) -> Field {
        Field {
            id: id.to_owned(),
            label,
            hint: None,
            value: value.to_owned(),
            max: 0,
            rows: 0,
            list: None,
            kind: "text",
            required: false,
            problem: self.of(id).cloned(),
        }
    }
}

/// A field for text.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/field.html")]
pub struct Field {
    /// Its id, and its name in the form.
    id: String,
    label: Text,
    hint: Option<Text>,
    value: String,
    /// Most characters; 0 where the browser need not know.
    max: u32,
    /// Lines; 0 is a field of one line.
    rows: u32,
    /// The id of a list of suggestions.
    list: Option<&'static str>,
    /// The `type` of a field of one line.
    kind: &'static str,
    required: bool,
    problem: Option<Text>,
}

impl HtmlSafe for Field {}

impl Field {
    pub(crate) fn hint(mut self, hint: Text) -> Self {
        self.hint = Some(hint);
        self
    }

    pub(crate) const fn max(mut self, max: u32) -> Self {
        self.max = max;
        self
    }

    pub(crate) const fn rows(mut self, rows: u32) -> Self {
        self.rows = rows;
        self
    }

    pub(crate) const fn list(mut self, list: &'static str) -> Self {
        self.list = Some(list);
        self
    }

    pub(crate) const fn kind(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }

    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The ids of the texts that describe it.
    fn described_by(&self) -> String {
        let id = &self.id;
        match (&self.hint, &self.problem) {
            (None, None) => String::new(),
            (Some(_), None) => format!("{id}-hint"),
            (None, Some(_)) => format!("{id}-problem"),
            (Some(_), Some(_)) => format!("{id}-problem {id}-hint"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_tells_what_is_wrong_with_it() {
        let mut problems = Problems::default();
        assert_eq!(problems.to_string().trim(), "");
        problems.add("title", Text::plain("<No> title."));
        let field = problems.field("title", Text::plain("Title"), "\"><script>").hint(Text::plain("For people.")).max(300).to_string();
        assert!(field.contains("aria-invalid=\"true\"") && field.contains("aria-describedby=\"title-problem title-hint\""), "{field}");
        assert!(!field.contains("<script>") && field.contains("maxlength=\"300\""), "{field}");
        let summary = problems.to_string();
        assert!(summary.contains("href=\"#title\"") && summary.contains("role=\"alert\"") && !summary.contains("<No>"), "{summary}");
        let plain = problems.field("other", Text::plain("Other"), "").rows(3).to_string();
        assert!(plain.contains("<textarea") && !plain.contains("aria-"), "{plain}");
    }
}
