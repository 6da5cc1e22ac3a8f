//! `GET /errors/{code}`: the page of an error code in the reader's language, on both listeners; the `type` of every problem
//! document points here.

use super::problem::ApiError;
use crate::{app::App, console_web::language};
use axum::{
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use fondaco_console::Locale;
use fondaco_core::{Code, Error};

/// The page, as Markdown. It is chosen as the console's pages are: by what the reader chose there, else by what the browser
/// asks for.
pub async fn show(State(app): State<App>, Path(code): Path<String>, headers: HeaderMap) -> Result<Response, ApiError> {
    let code = Code::from_text(&code).ok_or_else(|| Error::not_found("The error code"))?;
    let locale = language::of(&app, &headers);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/markdown; charset=utf-8")),
        (header::CONTENT_LANGUAGE, HeaderValue::from_static(locale.tag())),
        (header::VARY, HeaderValue::from_static("accept-language, cookie")),
    ];
    Ok((headers, page(code, locale)).into_response())
}

const fn page(code: Code, locale: Locale) -> &'static str {
    match locale {
        Locale::En => code.page(),
        Locale::Zh => code.page_in_chinese(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fondaco_console::Text;

    #[test]
    fn a_page_has_the_title_that_the_console_says() {
        for code in Code::ALL {
            for locale in Locale::ALL {
                let title = Text::of("error", code.as_str()).in_locale(locale);
                let first = page(*code, locale).lines().next().unwrap_or_default();
                assert_eq!(first, format!("# {code}: {title}"));
            }
        }
    }
}
