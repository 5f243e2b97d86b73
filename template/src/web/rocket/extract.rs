//! What handlers take and give: Rocket's own guards answer some errors with another status, or with none at all.

use std::io::Cursor;

use http::StatusCode;
use rocket::{
    Data, Request, Response,
    data::{self, FromData},
    http::{ContentType, Status},
    outcome::Outcome,
    request::{self, FromRequest},
    response::{self, Responder},
};
use serde::{Serialize, de::DeserializeOwned};

use super::error::rejected;
use crate::error::AppError;

/// JSON, as a request's body and as a response's. Take it as `Result<Json<T>, AppError>`, and hand the error on.
pub(super) struct Json<T>(pub(super) T);

#[rocket::async_trait]
impl<'r, T: DeserializeOwned> FromData<'r> for Json<T> {
    type Error = AppError;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> data::Outcome<'r, Self> {
        match json(request, data).await {
            Ok(value) => Outcome::Success(Self(value)),
            Err(error) => Outcome::Error((Status::new(error.status().as_u16()), error)),
        }
    }
}

async fn json<T: DeserializeOwned>(request: &Request<'_>, data: Data<'_>) -> Result<T, AppError> {
    let is_json = request.content_type().is_some_and(|kind| {
        let sub = kind.sub().as_str();
        kind.top() == "application" && (kind.sub() == "json" || sub.ends_with("+json"))
    });
    if !is_json {
        return Err(rejected(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the content type must be application/json".to_owned(),
        ));
    }
    let limit = request.limits().get("json").unwrap_or_default();
    let body = data.open(limit).into_bytes().await.map_err(|_| {
        rejected(
            StatusCode::BAD_REQUEST,
            "the body could not be read".to_owned(),
        )
    })?;
    if !body.is_complete() {
        return Err(rejected(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body may have {limit} at most"),
        ));
    }
    serde_json::from_slice(&body).map_err(|error| {
        let status = if error.is_data() {
            StatusCode::UNPROCESSABLE_ENTITY
        } else {
            StatusCode::BAD_REQUEST
        };
        AppError::misread(status, "the body", &error.to_string())
    })
}

impl<'r, T: Serialize> Responder<'r, 'static> for Json<T> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let body = match serde_json::to_string(&self.0) {
            Ok(body) => body,
            Err(error) => return AppError::internal(error).respond_to(request),
        };
        Response::build()
            .header(ContentType::JSON)
            .sized_body(body.len(), Cursor::new(body))
            .ok()
    }
}

/// The query string. Take it as `Result<Query<T>, AppError>`.
pub(super) struct Query<T>(pub(super) T);

#[rocket::async_trait]
impl<'r, T: DeserializeOwned> FromRequest<'r> for Query<T> {
    type Error = AppError;

    async fn from_request(request: &'r Request<'_>) -> request::Outcome<Self, AppError> {
        let query = request.uri().query().map_or("", |query| query.as_str());
        match serde_urlencoded::from_str(query) {
            Ok(query) => Outcome::Success(Self(query)),
            Err(error) => Outcome::Error((
                Status::BadRequest,
                AppError::misread(StatusCode::BAD_REQUEST, "the query", &error.to_string()),
            )),
        }
    }
}
