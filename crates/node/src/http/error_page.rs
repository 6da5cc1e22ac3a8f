//! `GET /errors/{code}`: the page of an error code, on both listeners; the `type` of every problem document points here.

use super::problem::ApiError;
use axum::{
    extract::Path,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use fondaco_core::{Code, Error};

/// The page, as Markdown.
pub async fn show(Path(code): Path<String>) -> Result<Response, ApiError> {
    let code = Code::from_text(&code).ok_or_else(|| Error::not_found("The error code"))?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("text/markdown; charset=utf-8"))], code.page()).into_response())
}
